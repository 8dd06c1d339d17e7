//! Functions: their calls are inlined, generic in dimensions, leading axes and float type.

use super::layer::Owner;
use super::table::Callable;
use super::usage::counted;
use super::{Lowerer, Meaning, PRELUDE, Scope, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::ops::{Name, Size, Type};
use crate::syntax::ast::{Call, ExprKind, FnParam, Function, Ident, TypeExpr};
use crate::tensor::DType;

/// How many calls are inlined in all: functions that call others twice grow without end.
const CALLS: usize = 100_000;

/// How deep calls may nest.
const DEPTH: usize = 64;

impl Lowerer {
    /// The value of a call of a function of the file or the prelude.
    pub(super) fn inlined(&mut self, call: &Call, span: Span) -> Option<Value> {
        let name = &call.callee.text;
        if self.calls.iter().any(|(active, _)| active == name) || self.calls.len() > DEPTH {
            return self.endless(call);
        }
        self.inlined += 1;
        if self.inlined > CALLS {
            if self.inlined == CALLS + 1 {
                let message = format!("the model inlines more than {CALLS} calls at `{name}`");
                self.say(
                    Diagnostic::error("E0107", self.place(call.callee.span), message)
                        .help("give what a function uses twice a name in its body"),
                );
            }
            return None;
        }
        let brackets = self.brackets(call)?;
        let values = self.values(&call.args)?;
        let Callable { unit, function, layer } = self.overload(name, &values)?;
        if call.axes.is_some() && function.axes.is_none() {
            self.no_brackets(call, false);
            return None;
        }
        let sizes = self.given_sizes(&function, call)?;
        let given: Vec<Size> = sizes.iter().map(|(_, size, _)| size.clone()).collect();
        let args = self.assigned(&function, call, values.clone(), span)?;
        let remembered = self.remember(call, &values, span);
        let owner = match layer {
            true => self.instance(call.instance.as_ref(), span),
            false => Owner::Function(name.clone(), span),
        };

        let (outer_unit, outer_float) = (self.unit, self.float);
        let mut scope = Scope { owner: owner.clone(), ..Scope::default() };
        for (ident, size, at) in sizes {
            scope.names.insert(ident.text.clone(), (Meaning::Size(size.clone()), ident.span));
            scope.bound.push((ident.text, size, at));
        }
        if let Some(axes) = &function.axes {
            let default =
                (&*axes.text == "axis").then(|| vec![crate::ops::builtin::AxisRef::Number(-1)]);
            scope.axes = Some((axes.text.clone(), brackets.0.or(default), brackets.1));
        }
        self.scopes.push(scope);
        self.calls.push((name.clone(), span));
        self.unit = unit;
        let result = self.body(&function, args, span);
        self.unit = outer_unit;
        self.float = outer_float;
        self.calls.pop();
        self.scopes.pop();
        self.remembered(remembered, given, &owner, result.as_ref());
        if let (Some(_), Some(value)) = (&call.instance, &result) {
            self.name_result(&owner, None, value);
        }
        result
    }

    /// The function of that name whose parameters have the element types and ranks of the arguments; the first where none fits.
    fn overload(&self, name: &Name, values: &[(Value, Span)]) -> Option<Callable> {
        let known = self.callables(name)?;
        let fits = |function: &Function| {
            function.params.iter().zip(values).all(|(param, (value, _))| {
                let (Some(ty), Value::Node(node)) = (&param.ty, value) else { return true };
                let given = self.model.ty(*node);
                let axes = ty.axes.as_ref().map_or(0, Vec::len);
                let rank = if ty.leading { given.rank() >= axes } else { given.rank() == axes };
                rank && match &*ty.dtype.text {
                    "float" => given.dtype.is_float(),
                    named => DType::named(named) == Some(given.dtype),
                }
            })
        };
        known.iter().find(|callable| fits(&callable.function)).or(known.first()).cloned()
    }

    /// The sizes that a layer is given behind `;`, by their names.
    fn given_sizes(
        &mut self,
        function: &Function,
        call: &Call,
    ) -> Option<Vec<(Ident, Size, Span)>> {
        let name = &function.name.text;
        if call.sizes.len() != function.sizes.len() {
            let takes = match function.sizes.len() {
                0 => "no sizes".to_string(),
                count => counted(count, "size"),
            };
            let message = format!("`{name}` takes {takes} behind `;`, not {}", call.sizes.len());
            let at = call.sizes.first().map_or(call.callee.span, |id| self.span(*id));
            let help = self.usage(name);
            self.say(Diagnostic::error("E0207", self.place(at), message).help(help));
            return None;
        }
        let sizes = call.sizes.iter().zip(&function.sizes);
        sizes.map(|(id, ident)| Some((ident.clone(), self.size(*id)?, self.span(*id)))).collect()
    }

    /// The arguments in the order of the parameters; `None` where the default is meant.
    #[allow(clippy::type_complexity)]
    fn assigned(
        &mut self,
        function: &Function,
        call: &Call,
        values: Vec<(Value, Span)>,
        span: Span,
    ) -> Option<Vec<Option<(Value, Span)>>> {
        let name = &function.name.text;
        let mut args: Vec<Option<(Value, Span)>> = vec![None; function.params.len()];
        let mut next = 0;
        for (arg, value) in call.args.iter().zip(values) {
            let place = match &arg.name {
                Some(ident) => {
                    function.params.iter().position(|param| param.name.text == ident.text)
                }
                None => {
                    next += 1;
                    Some(next - 1).filter(|place| *place < function.params.len())
                }
            };
            match (place, &arg.name) {
                (Some(place), _) if args[place].is_none() => args[place] = Some(value),
                (Some(place), _) => {
                    let message = format!(
                        "the argument `{}` is given twice",
                        function.params[place].name.text
                    );
                    self.say(
                        Diagnostic::error("E0207", self.place(value.1), message)
                            .help("give it once, by its place or by its name"),
                    );
                    return None;
                }
                (None, Some(ident)) => {
                    let known: Vec<&str> =
                        function.params.iter().map(|param| &*param.name.text).collect();
                    self.no_argument(name, ident, &known, function.axes.is_some());
                    return None;
                }
                (None, None) => {
                    let takes = counted(function.params.len(), "argument");
                    self.miscounted(name, &takes, call.args.len(), span);
                    return None;
                }
            }
        }
        let missing = function
            .params
            .iter()
            .zip(&args)
            .find(|(param, arg)| arg.is_none() && param.default.is_none());
        if let Some((param, _)) = missing {
            let message = format!("`{name}` needs its argument `{}`", param.name.text);
            let help = self.usage(name);
            self.say(Diagnostic::error("E0207", self.place(span), message).help(help));
            return None;
        }
        Some(args)
    }

    fn body(
        &mut self,
        function: &Function,
        args: Vec<Option<(Value, Span)>>,
        span: Span,
    ) -> Option<Value> {
        let float =
            function.params.iter().zip(&args).find_map(|(param, arg)| match (&param.ty, arg) {
                (Some(ty), Some((Value::Node(node), _))) if &*ty.dtype.text == "float" => {
                    Some(self.model.ty(*node).dtype).filter(|dtype| dtype.is_float())
                }
                _ => None,
            });
        self.float = float.unwrap_or(self.float);
        for (param, arg) in function.params.iter().zip(args) {
            let (value, at) = match arg {
                Some(given) => given,
                None => (self.expr(param.default?)?, span),
            };
            let value = self.matched(function, param, value, at)?;
            self.define(&param.name.text, param.name.span, Meaning::Value(value));
        }
        self.statements(&function.body)?;
        let mut results = Vec::new();
        for (place, &id) in function.body.results.iter().enumerate() {
            let value = self.expr(id)?;
            let at = self.span(id);
            if let Some(ty) = function.results.get(place) {
                self.promised(function, ty, &value, at)?;
            }
            results.push((value, at));
        }
        let results = match &function.vjp {
            Some(rule) => self.bounded(function, rule, results)?,
            None => results.into_iter().map(|(value, _)| value).collect(),
        };
        match <[Value; 1]>::try_from(results) {
            Ok([one]) => Some(one),
            Err(several) => Some(Value::Several(several)),
        }
    }

    /// The argument as the parameter's type has it; dimensions that are new are bound by it.
    fn matched(
        &mut self,
        function: &Function,
        param: &FnParam,
        value: Value,
        at: Span,
    ) -> Option<Value> {
        let Some(ty) = &param.ty else { return Some(value) };
        let scalar = ty.axes.is_none() && !ty.leading;
        if scalar && matches!(value, Value::Free(_)) {
            return Some(value);
        }
        let dtype = match &*ty.dtype.text {
            "float" => self.float,
            named => DType::named(named).unwrap_or(self.float),
        };
        let node = self.typed(value, dtype, at)?;
        let found = self.model.ty(node).clone();
        if found.dtype != dtype {
            let message = format!(
                "`{}` of `{}` is {dtype}; this is {found}",
                param.name.text, function.name.text
            );
            let mut diagnostic = Diagnostic::error("E0206", self.place(at), message);
            if let Some((from, text)) = super::trace::dtype(self, node) {
                diagnostic = diagnostic.label(from, text);
            }
            let cited = self.cited(at).unwrap_or_else(|| "(...)".into());
            let cited = cited.trim_matches(['(', ')']).to_string();
            self.say(diagnostic.help(format!("cast it: `{dtype}({cited})`")));
            return None;
        }
        // With axes in brackets the shapes of the parameters are the body's concern.
        if function.axes.is_none() && !self.unify(ty, &found, at) {
            let (wanted, meant, by) = self.meant(ty);
            let message = format!(
                "`{}` of `{}` is {wanted}; this is {found}",
                param.name.text, function.name.text
            );
            let own = self.place(at);
            let mut diagnostic = Diagnostic::error("E0201", own, message).at(found.to_string());
            let by = by.map(|by| self.place(by)).filter(|by| *by != own);
            match (meant, by) {
                (Some(meant), Some(by)) => {
                    diagnostic = diagnostic.label(by, format!("{meant} by this"))
                }
                (Some(meant), None) => diagnostic = diagnostic.at(format!("{found}, but {meant}")),
                _ => {}
            }
            if ty.span.file != PRELUDE {
                diagnostic = diagnostic.label(ty.span, "declared here");
            }
            let help = match self.bound_of(ty) {
                Some((name, size, _)) => format!("give a value with {name} = {size}"),
                None => format!("give a value of type {wanted}"),
            };
            self.say(diagnostic.help(help));
            return None;
        }
        Some(Value::Node(node))
    }

    /// Whether a type fits what is written; names of dimensions that are not known yet are bound.
    fn unify(&mut self, ty: &TypeExpr, found: &Type, at: Span) -> bool {
        let axes = ty.axes.as_deref().unwrap_or(&[]);
        let Some(leading) = found.rank().checked_sub(axes.len()) else { return false };
        if !ty.leading && leading > 0 {
            return false;
        }
        if ty.leading {
            let lead: Vec<Size> = found.shape[..leading].to_vec();
            let scope = self.scopes.last_mut().expect("the function's scope");
            match &scope.leading {
                None => scope.leading = Some(lead),
                Some(known) if known.len() == lead.len() => {
                    let known = known.clone();
                    if !known.iter().zip(&lead).all(|(a, b)| self.model.dims.equal(a, b)) {
                        return false;
                    }
                }
                Some(_) => return false,
            }
        }
        let unit = self.unit();
        for (&axis, size) in axes.iter().zip(&found.shape[leading..]) {
            let known = match &unit.ast[axis].kind {
                ExprKind::Name(name) => {
                    let own = self
                        .scopes
                        .last()
                        .and_then(|scope| scope.names.get(name))
                        .map(|(meaning, _)| meaning.clone());
                    match own {
                        Some(Meaning::Size(known)) => known,
                        Some(_) => return false,
                        None => {
                            let span = self.span(axis);
                            let scope = self.scopes.last_mut().expect("the function's scope");
                            scope.names.insert(name.clone(), (Meaning::Size(size.clone()), span));
                            scope.bound.push((name.clone(), size.clone(), at));
                            continue;
                        }
                    }
                }
                _ => match self.size(axis) {
                    Some(known) => known,
                    None => return false,
                },
            };
            if self.model.dims.agree(&known, size).is_none() {
                return false;
            }
        }
        true
    }

    /// Checks a result against the type that the function promises.
    fn promised(
        &mut self,
        function: &Function,
        ty: &TypeExpr,
        value: &Value,
        at: Span,
    ) -> Option<()> {
        let Value::Node(node) = value else { return Some(()) };
        let found = self.model.ty(*node).clone();
        let dtype = match &*ty.dtype.text {
            "float" => found.dtype.is_float(),
            named => DType::named(named) == Some(found.dtype),
        };
        if dtype && (function.axes.is_some() || self.unify(ty, &found, at)) {
            return Some(());
        }
        let (wanted, meant, by) = self.meant(ty);
        let message = format!("`{}` promises {wanted}; this is {found}", function.name.text);
        let code = if dtype { "E0201" } else { "E0206" };
        let mut diagnostic = Diagnostic::error(code, self.place(at), message).at(found.to_string());
        if ty.span.file != PRELUDE {
            diagnostic = diagnostic.label(ty.span, "promised here");
        }
        if let (Some(meant), Some(by)) = (meant, by)
            && self.place(by) != self.place(at)
        {
            diagnostic = diagnostic.label(self.place(by), format!("{meant} by this"));
        }
        self.say(diagnostic.help("write the type of what is returned behind `->`"));
        None
    }

    /// A type of a signature as it is written, with what its first bound dimension stands for in this call, and where that
    /// comes from.
    fn meant(&self, ty: &TypeExpr) -> (String, Option<String>, Option<Span>) {
        let wanted = written(&self.units[self.unit].text, ty);
        let named = self.bound_of(ty);
        let meant = named.map(|(name, size, _)| format!("{name} is {size}"));
        (wanted, meant, named.map(|(.., at)| *at))
    }

    /// The first dimension of a type of a signature that an argument has bound, with its size and the argument.
    fn bound_of(&self, ty: &TypeExpr) -> Option<&(Name, Size, Span)> {
        let unit = &self.units[self.unit];
        let bound = &self.scopes.last()?.bound;
        ty.axes.iter().flatten().find_map(|axis| match &unit.ast[*axis].kind {
            ExprKind::Name(name) => bound.iter().find(|(known, ..)| known == name),
            _ => None,
        })
    }

    /// Reports a function that is called while it is being inlined.
    fn endless(&mut self, call: &Call) -> Option<Value> {
        let name = &call.callee.text;
        let start = self.calls.iter().position(|(active, _)| active == name);
        let (message, through) = match start {
            Some(start) => {
                let next =
                    self.calls[start + 1..].iter().find(|(via, _)| !via.starts_with(['=', '.']));
                let message = match next {
                    Some((via, _)) => format!("`{name}` calls itself, by `{via}`"),
                    None => format!("`{name}` calls itself"),
                };
                let label = next.map(|(via, at)| (*at, format!("`{name}` calls `{via}`")));
                (message, label)
            }
            None => (format!("calls nest more than {DEPTH} deep at `{name}`"), None),
        };
        let mut diagnostic = Diagnostic::error("E0107", self.place(call.callee.span), message)
            .help("functions are inlined: write the repetition out");
        if let Some((at, text)) = through.filter(|(at, _)| at.file != PRELUDE) {
            diagnostic = diagnostic.label(at, text);
        }
        self.say(diagnostic);
        None
    }
}

fn written(text: &str, ty: &TypeExpr) -> String {
    text.get(ty.span.range()).unwrap_or("another type").to_string()
}
