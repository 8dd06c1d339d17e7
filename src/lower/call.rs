//! Calls of operators: arguments by the parameters' kinds, and the terms they become.

use super::{Lowerer, Value};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::graph::NodeId;
use crate::ops::builtin::{self, AxisRef, Builtin, Kind, Spatial};
use crate::ops::elementwise::{Cast, Scalar, Select};
use crate::ops::special::{Derivative, Mode};
use crate::ops::{Misfit, Size, Term, Type};
use crate::syntax::ast::{Arg, Call, ExprId, ExprKind, Ident, UnaryOp};
use crate::tensor::DType;

impl Lowerer {
    /// The value of a call.
    pub(super) fn call(&mut self, call: &Call, span: Span) -> Option<Value> {
        let name = &*call.callee.text;
        if let Some((_, mode)) = Mode::NAMES.iter().find(|(word, _)| *word == name) {
            return self.derivative(*mode, call, span);
        }
        if let Some(dtype) = DType::named(name) {
            return self.cast(dtype, call, span);
        }
        if name == "where" {
            return self.choice(call, span);
        }
        let own = self
            .functions
            .get(name)
            .is_some_and(|known| known[0].0 == self.unit || known[0].0 == 0);
        if !own {
            if let Some(row) = Scalar::ALL.iter().find(|row| row.word() == name) {
                let args = self.plain(call, row.arity(), span)?;
                return self.scalar(*row, args, span);
            }
            if let Some(builtin) = builtin::find(name) {
                return self.builtin(builtin, call, span);
            }
        }
        if self.functions.contains_key(name) {
            return self.inlined(call, span);
        }
        let known = builtin::BUILTINS
            .iter()
            .map(|builtin| builtin.name)
            .chain(Scalar::ALL.iter().map(|row| row.word()))
            .chain(self.functions.keys().map(|name| &**name))
            .chain(["where", "grad"]);
        let near = nearest(name, known).map(str::to_string);
        let value = self.lookup(name).map(|(_, at)| *at);
        let mut diagnostic =
            Diagnostic::error("E0106", call.callee.span, format!("no function is called `{name}`"));
        let foreign = FOREIGN.iter().find(|(known, _)| *known == name).map(|(_, own)| *own);
        let help = match (value, foreign, near) {
            (Some(_), ..) => format!("`{name}` is a value: write `{name} * (...)` for a product"),
            (_, Some(own), _) => format!("write {own}"),
            (_, _, Some(near)) => format!("did you mean `{near}`?"),
            _ => format!("define it: `fn {name}(x: float[..]) -> float[..] {{ return ... }}`"),
        };
        if let Some(at) = value.filter(|at| at.file == 0) {
            diagnostic = diagnostic.label(at, "defined here");
        }
        self.say(diagnostic.help(help));
        None
    }

    /// How a function is called, as help.
    pub(super) fn usage(&self, name: &str) -> String {
        let params = |list: &[String]| format!("write `{name}({})`", list.join(", "));
        if name == "where" {
            return "write `where(condition, yes, no)`".into();
        }
        if let Some(known) = self.functions.get(name) {
            let (unit, function) = &known[0];
            let text = &self.units[*unit].text;
            let written = function.params.iter().map(|param| match param.default {
                Some(default) => {
                    let span = self.units[*unit].ast[default].span;
                    format!("{} = {}", param.name.text, text.get(span.range()).unwrap_or("..."))
                }
                None => param.name.text.to_string(),
            });
            return params(&written.collect::<Vec<_>>());
        }
        if let Some(builtin) = builtin::find(name) {
            let (needed, rest) = builtin.params.split_at(builtin.required);
            let mut written: Vec<String> =
                needed.iter().map(|(name, _)| name.to_string()).collect();
            written.extend(rest.iter().map(|(name, _)| format!("{name} = ...")));
            return params(&written);
        }
        let arity = Scalar::ALL.iter().find(|row| row.word() == name).map_or(1, |row| row.arity());
        params(
            &["x", "y", "z"][..arity.min(3)]
                .iter()
                .map(|name| name.to_string())
                .collect::<Vec<_>>(),
        )
    }

    /// Reports a named argument that a function does not take.
    pub(super) fn no_argument(
        &mut self,
        function: &str,
        given: &Ident,
        known: &[&str],
        axes: bool,
    ) {
        let message = format!("`{function}` has no argument `{}`", given.text);
        let help = match &*given.text {
            "axis" | "dim" | "axes" | "dims" if axes => {
                format!("axes stand in brackets, by name or number: `{function}[0](x)`")
            }
            "keepdims" | "keepdim" | "keep" if axes => {
                format!("write `keep` in the brackets: `{function}[0, keep](x)`")
            }
            name => match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => self.usage(function),
            },
        };
        self.say(Diagnostic::error("E0207", self.place(given.span), message).help(help));
    }

    /// Reports axes in brackets on a function that has none.
    pub(super) fn no_brackets(&mut self, call: &Call, single: bool) {
        let name = &call.callee.text;
        let message = match single {
            true => format!("`{name}` works on single elements and takes no axes"),
            false => format!("`{name}` takes no axes in brackets"),
        };
        let help = self.usage(name);
        self.say(Diagnostic::error("E0207", self.place(call.callee.span), message).help(help));
    }

    /// Reports another number of arguments than a function takes.
    pub(super) fn miscounted(&mut self, name: &str, takes: &str, given: usize, span: Span) {
        let message = format!("`{name}` takes {takes}, not {given}");
        let help = self.usage(name);
        self.say(Diagnostic::error("E0207", self.place(span), message).help(help));
    }

    /// Positional arguments without brackets, as many as asked for.
    fn plain(&mut self, call: &Call, count: usize, span: Span) -> Option<Vec<(Value, Span)>> {
        let name = &call.callee.text;
        if let Some(named) = call.args.iter().find_map(|arg| arg.name.as_ref()) {
            self.no_argument(name, named, &[], false);
            return None;
        }
        if call.axes.is_some() {
            self.no_brackets(call, true);
            return None;
        }
        if call.args.len() != count {
            self.miscounted(name, &counted(count, "argument"), call.args.len(), span);
            return None;
        }
        self.values(&call.args)
    }

    pub(super) fn values(&mut self, args: &[Arg]) -> Option<Vec<(Value, Span)>> {
        let mut values = Vec::new();
        let mut whole = true;
        for arg in args {
            match self.expr(arg.value) {
                Some(value) => values.push((value, self.span(arg.value))),
                None => whole = false,
            }
        }
        whole.then_some(values)
    }

    fn cast(&mut self, dtype: DType, call: &Call, span: Span) -> Option<Value> {
        let (value, at) = self.plain(call, 1, span)?.remove(0);
        if let Value::Free(_) = value
            && dtype != DType::Bool
        {
            return Some(Value::Node(self.typed(value, dtype, at)?));
        }
        let node = self.typed(value, self.float, at)?;
        if let Some(drawn) = self.redrawn(node, dtype, span) {
            return Some(Value::Node(drawn));
        }
        Some(Value::Node(self.insert(Cast { to: dtype }, &[(node, at)], span)?))
    }

    fn choice(&mut self, call: &Call, span: Span) -> Option<Value> {
        let mut args = self.plain(call, 3, span)?;
        let branches = args.split_off(1);
        let dtype = branches.iter().find_map(|(value, _)| match value {
            Value::Node(node) => Some(self.model.ty(*node).dtype),
            _ => None,
        });
        let mut nodes = self.nodes(args, DType::Bool)?;
        nodes.extend(self.nodes(branches, dtype.unwrap_or(self.float))?);
        let nodes = self.aligned(nodes, "choose between", span)?;
        Some(Value::Node(self.insert(Select, &nodes, span)?))
    }

    /// `grad(C, W)` and its kin: a request, derived later. Several variables of `grad` are derived by in turn.
    fn derivative(&mut self, mode: Mode, call: &Call, span: Span) -> Option<Value> {
        let fixed = if mode.takes_vector() { 3 } else { 2 };
        let fits = call.args.len() == fixed || (mode == Mode::Grad && call.args.len() > 2);
        if !fits || call.axes.is_some() {
            let example = if mode.takes_vector() { "(y, x, v)" } else { "(y, x)" };
            let word = mode.word();
            let (message, help) = match call.axes {
                Some(_) => (format!("`{word}` takes no axes in brackets"), "leave them out".into()),
                None => {
                    let takes = counted(fixed, "argument");
                    let message = format!("`{word}` takes {takes}, not {}", call.args.len());
                    (message, format!("write `{word}{example}`, the value first"))
                }
            };
            self.say(Diagnostic::error("E0207", self.place(span), message).help(help));
            return None;
        }
        let of = self.expr(call.args[0].value);
        let of_span = self.span(call.args[0].value);
        let mut of = of.and_then(|value| self.typed(value, self.float, of_span))?;
        let wrt_count = if mode.takes_vector() { 1 } else { call.args.len() - 1 };
        for arg in &call.args[1..1 + wrt_count] {
            let at = self.span(arg.value);
            let unit = self.unit();
            let ExprKind::Name(name) = &unit.ast[arg.value].kind else {
                let message = format!("`{}` is by a variable; this is an expression", mode.word());
                self.say(
                    Diagnostic::error("E0304", self.place(at), message)
                        .help("name a variable, or give the expression a name on a line before"),
                );
                return None;
            };
            let x = self.variable(name, at)?;
            let mut operands = vec![(of, of_span), (x, at)];
            if mode.takes_vector() {
                let last = call.args[2].value;
                let vector = self.expr(last)?;
                let last_span = self.span(last);
                let like = if mode == Mode::Vjp { of } else { x };
                let ty = self.model.ty(like).clone();
                let node = self.typed(vector, ty.dtype, last_span)?;
                let what = format!("the vector of `{}`", mode.word());
                operands.push((self.fitted(node, &ty, last_span, &what, None)?, last_span));
            }
            of = self.insert(Derivative { mode }, &operands, span)?;
        }
        Some(Value::Node(of))
    }

    fn builtin(&mut self, builtin: &'static Builtin, call: &Call, span: Span) -> Option<Value> {
        let (axes, keep) = self.brackets(call)?;
        if (axes.is_some() || keep) && !builtin.axes {
            self.no_brackets(call, false);
            return None;
        }
        let arguments = self.arguments(builtin, call, span)?;
        let mut nodes: Vec<(NodeId, Span)> = Vec::new();
        let mut values = vec![builtin::Value::Absent; builtin.params.len()];
        let mut waiting: Vec<(usize, Value, Span)> = Vec::new();
        let mut whole = true;
        for (place, given) in arguments.into_iter().enumerate() {
            let (param, kind) = builtin.params[place];
            match given {
                Given::Absent => {}
                Given::Sizes(ids) => {
                    let sizes: Vec<Option<Size>> =
                        ids.into_iter().map(|id| self.size(id)).collect();
                    match sizes.into_iter().collect() {
                        Some(sizes) => values[place] = builtin::Value::Sizes(sizes),
                        None => whole = false,
                    }
                }
                Given::Several(ids) => {
                    let mut numbers = Vec::new();
                    for id in ids {
                        let at = self.span(id);
                        match self.expr(id).and_then(|value| self.typed(value, self.float, at)) {
                            Some(node) => {
                                numbers.push(nodes.len());
                                nodes.push((node, at));
                            }
                            None => whole = false,
                        }
                    }
                    values[place] = builtin::Value::Tensors(numbers);
                }
                Given::One(id) => match self.argument(builtin.name, param, kind, id) {
                    Some(Argument::Ready(value)) => values[place] = value,
                    Some(Argument::Tensor(value)) => waiting.push((place, value, self.span(id))),
                    None => whole = false,
                },
            }
        }
        if !whole {
            return None;
        }
        let is_index = |place: usize| builtin.params[place].0 == "indices";
        let dtype = waiting.iter().find_map(|(place, value, _)| match value {
            Value::Node(node) if !is_index(*place) => Some(self.model.ty(*node).dtype),
            _ => None,
        });
        for (place, value, at) in waiting {
            let wanted = if is_index(place) { DType::I64 } else { dtype.unwrap_or(self.float) };
            let node = self.typed(value, wanted, at)?;
            values[place] = builtin::Value::Tensor(nodes.len());
            nodes.push((node, at));
        }
        if builtin.name == "clip" {
            nodes = self.aligned(nodes, "clip", span)?;
        }
        if matches!(builtin.name, "concat" | "stack") && nodes.is_empty() {
            let message = format!("`{}` of an empty list", builtin.name);
            self.say(
                Diagnostic::error("E0207", self.place(span), message)
                    .help(format!("give it values: `{}[0]([a, b])`", builtin.name)),
            );
            return None;
        }
        self.drawn(builtin, &mut values, &mut nodes, span);
        let types: Vec<Type> = nodes.iter().map(|(node, _)| self.model.ty(*node).clone()).collect();
        let float = dtype.filter(|dtype| dtype.is_float()).unwrap_or(self.float);
        let built = (builtin.build)(&builtin::Call {
            name: builtin.name,
            types: &types,
            values: &values,
            axes: axes.as_deref(),
            keep,
            float,
            dims: &self.model.dims,
        });
        let terms = match built {
            Ok(terms) => terms,
            Err(misfit) if misfit.code == "E0209" => {
                self.no_such_axis(misfit, call, axes.as_deref(), &nodes, span);
                return None;
            }
            Err(misfit) => {
                self.fail(misfit, &nodes, span);
                return None;
            }
        };
        let results = self.terms(&terms, &nodes, float, span)?;
        match <[NodeId; 1]>::try_from(results) {
            Ok([one]) => Some(Value::Node(one)),
            Err(several) => Some(Value::Several(several.into_iter().map(Value::Node).collect())),
        }
    }

    fn terms(
        &mut self,
        terms: &[Term],
        nodes: &[(NodeId, Span)],
        dtype: DType,
        span: Span,
    ) -> Option<Vec<NodeId>> {
        let variables: Vec<NodeId> = nodes.iter().map(|(node, _)| *node).collect();
        let origins = self.origins(span);
        let mut results = Vec::new();
        for term in terms {
            match self.model.plant(term, &variables, dtype, &origins) {
                Ok(node) => results.push(node),
                Err(misfit) => {
                    self.fail(misfit, nodes, span);
                    return None;
                }
            }
        }
        Some(results)
    }

    /// The axes in brackets, and whether `keep` is among them.
    pub(super) fn brackets(&mut self, call: &Call) -> Option<(Option<Vec<AxisRef>>, bool)> {
        let Some(written) = &call.axes else { return Some((None, false)) };
        let (mut axes, mut keep, mut any) = (Vec::new(), false, false);
        let unit = self.unit();
        for &id in written {
            match &unit.ast[id].kind {
                ExprKind::Error => return None,
                ExprKind::Name(name) if &**name == "keep" => keep = true,
                ExprKind::Name(name) => {
                    let passed = self
                        .scopes
                        .last()
                        .and_then(|scope| scope.axes.clone())
                        .filter(|(own, ..)| own == name);
                    match passed {
                        Some((_, passed, kept)) => {
                            keep |= kept;
                            any |= passed.is_some();
                            axes.extend(passed.into_iter().flatten());
                        }
                        None => {
                            any = true;
                            let size = self.lookup(name).map(|(meaning, _)| meaning.clone());
                            axes.push(match size {
                                Some(super::Meaning::Size(Size::Named(actual))) => {
                                    AxisRef::Name(actual)
                                }
                                Some(super::Meaning::Size(_) | super::Meaning::Value(_)) | None => {
                                    AxisRef::Name(name.clone())
                                }
                                Some(super::Meaning::Broken) => return None,
                            });
                        }
                    }
                }
                ExprKind::Number(text) => {
                    any = true;
                    axes.push(AxisRef::Number(text.parse().unwrap_or(i64::MAX)));
                }
                ExprKind::Unary(UnaryOp::Neg, inner) => {
                    any = true;
                    let ExprKind::Number(text) = &unit.ast[*inner].kind else {
                        return self.no_axis(id);
                    };
                    axes.push(AxisRef::Number(
                        text.parse::<i64>().map_or(i64::MIN, |number| -number),
                    ));
                }
                _ => return self.no_axis(id),
            }
        }
        Some((any.then_some(axes), keep))
    }

    /// Reports axes that do not suit, at the one that is at fault.
    fn no_such_axis(
        &mut self,
        misfit: Misfit,
        call: &Call,
        axes: Option<&[AxisRef]>,
        nodes: &[(NodeId, Span)],
        span: Span,
    ) {
        let operand = misfit.places.first().map_or(0, |(operand, _)| *operand);
        let Some(&(node, _)) = nodes.get(operand) else { return self.fail(misfit, nodes, span) };
        let ty = self.model.ty(node).clone();
        let mut seen = Vec::new();
        let fault = axes.unwrap_or(&[]).iter().position(|axis| {
            let place = builtin::resolve(axis, &ty).ok();
            let again = place.is_some_and(|place| seen.contains(&place));
            seen.extend(place);
            place.is_none() || again
        });
        let unit = self.unit();
        let written = call.axes.iter().flatten().filter(
            |id| !matches!(&unit.ast[**id].kind, ExprKind::Name(name) if &**name == "keep"),
        );
        // Inside a function with `[axes..]` the written axes are not those that are meant.
        let passed = self.scopes.last().is_some_and(|scope| scope.axes.is_some());
        let at = fault.filter(|_| !passed).and_then(|place| written.clone().nth(place));
        let at = at.map_or(span, |id| self.span(*id));
        let own = !matches!(misfit.help.as_deref(), Some(help) if help.starts_with("write"));
        let help = match (fault, own) {
            (Some(_), true) if ty.rank() == 0 => "leave the brackets out: it is a scalar".into(),
            (Some(_), true) if misfit.message.contains("twice") => "name each axis once".into(),
            (Some(_), true) => {
                let labels = (0..ty.rank()).map(|axis| format!("`{}`", ty.axis_label(axis)));
                let labels = labels.collect::<Vec<_>>().join(", ");
                match ty.rank() {
                    1 => format!("its axis is {labels}"),
                    _ => format!("its axes are {labels}"),
                }
            }
            _ => misfit.help.clone().unwrap_or_else(|| self.usage(&call.callee.text)),
        };
        self.say(Diagnostic::error("E0209", self.place(at), misfit.message).help(help));
    }

    fn no_axis<T>(&mut self, id: ExprId) -> Option<T> {
        let at = self.span(id);
        self.say(
            Diagnostic::error("E0209", at, "an axis is a name or a number")
                .help("as in `sum[K](x)`, `sum[-1](x)`, `sum[0, keep](x)`"),
        );
        None
    }

    /// The written arguments in the order of the parameters.
    fn arguments(
        &mut self,
        builtin: &'static Builtin,
        call: &Call,
        span: Span,
    ) -> Option<Vec<Given>> {
        let mut given: Vec<Given> = builtin.params.iter().map(|_| Given::Absent).collect();
        let mut next = 0;
        // A list in brackets is whole; arguments one by one are a list for as long as they go on.
        let mut bracketed = false;
        let unit = self.unit();
        for arg in &call.args {
            let place = match &arg.name {
                Some(name) => {
                    match builtin.params.iter().position(|(param, _)| *param == &*name.text) {
                        Some(place) => place,
                        None => {
                            let params: Vec<&str> =
                                builtin.params.iter().map(|(param, _)| *param).collect();
                            self.no_argument(builtin.name, name, &params, builtin.axes);
                            return None;
                        }
                    }
                }
                None => {
                    let variadic = next > 0
                        && matches!(builtin.params[next - 1].1, Kind::Sizes | Kind::Tensors);
                    let continues = variadic
                        && !bracketed
                        && matches!(given[next - 1], Given::Sizes(_) | Given::Several(_));
                    if !continues {
                        next += 1;
                    }
                    next - 1
                }
            };
            let Some((_, kind)) = builtin.params.get(place) else {
                let most = counted(builtin.params.len(), "argument");
                let takes = if builtin.params.len() > builtin.required {
                    format!("at most {most}")
                } else {
                    most
                };
                self.miscounted(builtin.name, &takes, call.args.len(), span);
                return None;
            };
            let list = match &unit.ast[arg.value].kind {
                ExprKind::List(entries) => Some(entries.clone()),
                _ => None,
            };
            bracketed = list.is_some();
            let continued = matches!(given[place], Given::Sizes(_) | Given::Several(_));
            match (kind, &mut given[place], list) {
                (Kind::Sizes, Given::Absent, Some(entries)) => given[place] = Given::Sizes(entries),
                (Kind::Sizes, Given::Absent, None) => given[place] = Given::Sizes(vec![arg.value]),
                (Kind::Sizes, Given::Sizes(ids), None) => ids.push(arg.value),
                (Kind::Tensors, Given::Absent, Some(entries)) if builtin.name != "einsum" => {
                    given[place] = Given::Several(entries)
                }
                (Kind::Tensors, Given::Absent, _) => given[place] = Given::Several(vec![arg.value]),
                (Kind::Tensors, Given::Several(ids), _) => ids.push(arg.value),
                (_, Given::Absent, _) if !continued => given[place] = Given::One(arg.value),
                _ => {
                    let message =
                        format!("the argument `{}` is given twice", builtin.params[place].0);
                    let at = self.place(self.span(arg.value));
                    let help = self.usage(builtin.name);
                    self.say(Diagnostic::error("E0207", at, message).help(help));
                    return None;
                }
            }
        }
        let missing = builtin
            .params
            .iter()
            .zip(&given)
            .take(builtin.required)
            .find(|(_, given)| matches!(given, Given::Absent));
        if let Some(((param, _), _)) = missing {
            let message = format!("`{}` needs its argument `{param}`", builtin.name);
            let help = self.usage(builtin.name);
            self.say(Diagnostic::error("E0207", self.place(span), message).help(help));
            return None;
        }
        Some(given)
    }

    fn argument(
        &mut self,
        function: &str,
        param: &str,
        kind: Kind,
        id: ExprId,
    ) -> Option<Argument> {
        let span = self.span(id);
        let ready = match kind {
            Kind::Tensor => return self.expr(id).map(Argument::Tensor),
            Kind::Size => builtin::Value::Size(self.size(id)?),
            Kind::Int => match self.size(id)?.known() {
                Some(value) => builtin::Value::Int(value),
                None => {
                    let message = format!("`{param}` of `{function}` is a whole number");
                    self.say(
                        Diagnostic::error("E0208", self.place(span), message)
                            .help("write the number out: it shapes the model"),
                    );
                    return None;
                }
            },
            Kind::Number => builtin::Value::Number(self.number(function, param, id)?),
            Kind::Text => match self.expr(id)? {
                Value::Text(text) => builtin::Value::Text(text.to_string()),
                _ => {
                    let (verb, help) = match param {
                        "key" => ("stands", "as in `key = \"l1.0\"`"),
                        _ => ("stand", "as in `einsum(\"nd,dh->nh\", x, W)`"),
                    };
                    let message = format!("`{param}` of `{function}` {verb} in quotes");
                    self.say(Diagnostic::error("E0206", self.place(span), message).help(help));
                    return None;
                }
            },
            Kind::Flag => {
                let unit = self.unit();
                match &unit.ast[id].kind {
                    ExprKind::Name(name) if &**name == "true" => builtin::Value::Flag(true),
                    ExprKind::Name(name) if &**name == "false" => builtin::Value::Flag(false),
                    _ => {
                        let message = format!("`{param}` of `{function}` is `true` or `false`");
                        self.say(
                            Diagnostic::error("E0206", self.place(span), message)
                                .help(format!("write `{param} = true`, or leave it out")),
                        );
                        return None;
                    }
                }
            }
            Kind::Pairs => {
                let unit = self.unit();
                let mut pairs = Vec::new();
                let rows = match &unit.ast[id].kind {
                    ExprKind::List(rows) => rows.clone(),
                    _ => Vec::new(),
                };
                for row in &rows {
                    if let ExprKind::List(pair) = &unit.ast[*row].kind
                        && let [low, high] = pair.as_slice()
                    {
                        pairs.push((self.size(*low)?, self.size(*high)?));
                    }
                }
                if rows.is_empty() || pairs.len() != rows.len() {
                    let message = format!("`{param}` of `{function}` is a list of pairs");
                    self.say(
                        Diagnostic::error("E0207", self.place(span), message)
                            .help("write a pair for each axis, as in `[[1, 2], [0, 1]]`"),
                    );
                    return None;
                }
                builtin::Value::Pairs(pairs)
            }
            Kind::Spatial => builtin::Value::Spatial(self.spatial(function, param, id)?),
            Kind::Sizes | Kind::Tensors => unreachable!("lists are gathered before"),
        };
        Some(Argument::Ready(ready))
    }

    /// What is given for spatial axes: `2`, `[2, 1]`, `[[0, 2], [1, 0]]`, `"same"`.
    fn spatial(&mut self, function: &str, param: &str, id: ExprId) -> Option<Spatial> {
        let unit = self.unit();
        match &unit.ast[id].kind {
            ExprKind::Text(text) => Some(Spatial::Word(text.to_string())),
            ExprKind::List(entries) => {
                let pair = |id: &ExprId| matches!(unit.ast[*id].kind, ExprKind::List(_));
                if entries.iter().any(pair) {
                    return match self.argument(function, param, Kind::Pairs, id)? {
                        Argument::Ready(builtin::Value::Pairs(pairs)) => {
                            Some(Spatial::Pairs(pairs))
                        }
                        _ => None,
                    };
                }
                entries
                    .iter()
                    .map(|&entry| self.size(entry))
                    .collect::<Option<_>>()
                    .map(Spatial::Each)
            }
            _ => self.size(id).map(Spatial::All),
        }
    }
}

/// Functions of other languages with what this one has for them.
const FOREIGN: &[(&str, &str)] = &[
    ("ln", "`log`, which is the natural logarithm"),
    ("log2", "`log(x) / log(2)`"),
    ("log10", "`log(x) / log(10)`"),
    ("power", "`x^y`"),
    ("matmul", "`x @ y`"),
    ("dot", "`x @ y`"),
    ("mm", "`x @ y`"),
    ("T", "`x'`"),
    ("cat", "`concat[0]([a, b])`"),
    ("concatenate", "`concat[0]([a, b])`"),
    ("view", "`reshape(x, [2, 3])`"),
    ("arange", "`iota(N)`"),
    ("detach", "`stop_gradient(x)`"),
    ("float", "`f32(x)`"),
    ("int", "`i64(x)`"),
    ("len", "the name of the dimension, such as `N`"),
    ("linear", "`x @ W + b`"),
    ("average", "`mean(x)`"),
];

/// `1 argument`, `2 arguments`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

enum Given {
    Absent,
    One(ExprId),
    Sizes(Vec<ExprId>),
    Several(Vec<ExprId>),
}

enum Argument {
    Ready(builtin::Value),
    Tensor(Value),
}
