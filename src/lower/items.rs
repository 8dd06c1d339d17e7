//! Statements.

use super::layer::Owner;
use super::{Lowerer, Meaning, PRELUDE, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::{Draw, Init, Kind, NodeId, Output, RANK, Range, Request, Role, Variable};
use crate::ops::special::{Barrier, Mode};
use crate::ops::{Name, Number, Op, Scalar, Size, Term, Type, leaf};
use crate::syntax::ast::{
    self, Declaration, ExprId, ExprKind, Ident, Item, ItemKind, OutputKind, TypeExpr,
};
use crate::tensor::DType;
use std::sync::Arc;

impl Lowerer {
    /// Lowers every statement of the model.
    pub(super) fn items(&mut self) {
        self.collect_functions();
        let unit = self.unit();
        self.float = first_float(&unit.ast.items);
        for item in &unit.ast.items {
            self.announce(item);
        }
        self.collect_barriers();
        self.collect_keys();
        for item in &unit.ast.items {
            self.item(item);
        }
        self.name_inner();
        self.word_claims();
    }

    /// Notes what an item will define, so that an early use can say where.
    fn announce(&mut self, item: &Item) {
        let mut note = |ident: &Ident| {
            self.later.entry(ident.text.clone()).or_insert(ident.span);
        };
        match &item.kind {
            ItemKind::Dim(dims) => dims.iter().for_each(|(ident, _)| note(ident)),
            ItemKind::Input(d) | ItemKind::Param(d) | ItemKind::State(d) => {
                d.names.iter().for_each(note)
            }
            ItemKind::Const(ident, ..) => note(ident),
            ItemKind::Binding(idents, _) => idents.iter().for_each(note),
            ItemKind::Output(_, ident, Some(_)) => note(ident),
            _ => {}
        }
    }

    /// Every name that stands behind the value in a derivative, or in a `grad` request.
    fn collect_barriers(&mut self) {
        let derivative =
            |call: &ast::Call| Mode::NAMES.iter().any(|(name, _)| *name == &*call.callee.text);
        for unit in &self.units {
            for expr in unit.ast.exprs.iter() {
                let ExprKind::Call(call) = &expr.kind else { continue };
                for arg in call.args.iter().skip(1).filter(|_| derivative(call)) {
                    if let ExprKind::Name(name) = &unit.ast[arg.value].kind {
                        self.barriers.insert(name.clone());
                    }
                }
            }
        }
        for item in &self.unit().ast.items {
            if let ItemKind::Grad(_, wrt) = &item.kind {
                self.barriers.extend(wrt.iter().map(|ident| ident.text.clone()));
            }
        }
    }

    pub(super) fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Error | ItemKind::Fn(_) | ItemKind::Layer(_) | ItemKind::Use(..) => {}
            ItemKind::Dim(dims) => dims.iter().for_each(|(ident, size)| self.dim(ident, *size)),
            ItemKind::Input(declaration) => self.declaration(declaration, Role::Input),
            ItemKind::Param(declaration) => self.declaration(declaration, Role::Param),
            ItemKind::Const(ident, ty, value) => self.constant(ident, ty.as_ref(), *value),
            ItemKind::Binding(idents, value) => self.binding(idents, *value),
            ItemKind::Output(kind, ident, value) => self.output(*kind, ident, *value),
            ItemKind::Grad(of, wrt) => self.request(of, wrt),
            ItemKind::State(declaration) => self.declaration(declaration, Role::State),
            ItemKind::Update(ident, value) => self.update(ident, *value),
            ItemKind::Expect(left, right) => self.claim(*left, *right, item.span),
            ItemKind::Train(settings) => self.training(settings, item.span),
        }
    }

    fn dim(&mut self, ident: &Ident, size: Option<ExprId>) {
        let value = match size {
            None => None,
            Some(id) => match self.size(id) {
                Some(size) => Some(size),
                None => return self.define(&ident.text, ident.span, Meaning::Broken),
            },
        };
        if value.as_ref().and_then(Size::known).is_some_and(|value| value < 0) {
            let at = size.map_or(ident.span, |id| self.span(id));
            let message = format!("the dimension `{}` is below 0", ident.text);
            let number = value.as_ref().map(Size::to_string).unwrap_or_default();
            self.say(
                Diagnostic::error("E0208", at, message)
                    .at(format!("this is {number}"))
                    .help("give it a size of 0 or more"),
            );
        }
        self.define(&ident.text, ident.span, Meaning::Size(Size::Named(ident.text.clone())));
        self.model.dims.declare(ident.text.clone(), value);
    }

    pub(super) fn declaration(&mut self, declaration: &Declaration, role: Role) {
        let ty = self.type_of(&declaration.ty);
        let spans: Vec<Span> =
            declaration.ty.axes.iter().flatten().map(|id| self.span(*id)).collect();
        let ty = ty.filter(|ty| !declaration.symmetric || self.is_square(ty, declaration));
        let range = declaration.range.as_ref().and_then(|range| self.range(range));
        let init = match (&ty, &declaration.init) {
            (Some(ty), Some(init)) => self.init(init, ty, declaration),
            _ => None,
        };
        for ident in &declaration.names {
            let Some(ty) = &ty else {
                self.define(&ident.text, ident.span, Meaning::Broken);
                continue;
            };
            let Some(name) = self.owned(ident) else {
                self.define(&ident.text, ident.span, Meaning::Broken);
                continue;
            };
            let origins = self.origins(ident.span);
            let variable = leaf::Variable { name: name.clone(), ty: Arc::new(ty.clone()) };
            let node = match self.model.insert(variable, &[], &origins) {
                Ok(node) => node,
                Err(misfit) => {
                    self.misfit(misfit, ident.span, &[]);
                    self.define(&ident.text, ident.span, Meaning::Broken);
                    continue;
                }
            };
            let before = self.errors;
            self.define(&ident.text, ident.span, Meaning::Value(Value::Node(node)));
            self.define_around(&name, ident.span, node, true);
            if self.errors > before {
                continue;
            }
            let init = init.clone();
            self.axes.insert(name.clone(), spans.clone());
            self.dtypes.insert(name.clone(), declaration.ty.dtype.span);
            self.model.variables.insert(
                name,
                Variable {
                    node,
                    role,
                    init,
                    frozen: declaration.frozen,
                    symmetric: declaration.symmetric,
                    range: range.clone(),
                    span: ident.span,
                    axes: spans.clone(),
                },
            );
        }
    }

    /// Whether a type is of square matrices, as `symmetric` asks for; where not, this is reported.
    fn is_square(&mut self, ty: &Type, declaration: &Declaration) -> bool {
        let square = match ty.shape.as_slice() {
            [.., rows, columns] => self.model.dims.equal(rows, columns),
            _ => false,
        };
        if !square {
            let name = &declaration.names[0].text;
            let message =
                format!("a symmetric matrix has rows as long as columns; `{name}` is {ty}");
            self.say(
                Diagnostic::error("E0201", declaration.ty.span, message)
                    .help("give its last two axes one size, or leave `symmetric` out"),
            );
        }
        square
    }

    fn range(&mut self, range: &ast::Range) -> Option<Range> {
        let low = self.bound(range.low)?;
        let high = self.bound(range.high)?;
        let both = range.low_closed && range.high_closed;
        if let (Some(low), Some(high)) = (low.1, high.1)
            && (low.to_f64() > high.to_f64() || low == high && !both)
        {
            let span = self.span(range.low).to(self.span(range.high));
            let message = format!("no number lies between {low} and {high}");
            self.say(
                Diagnostic::error("E0208", span, message)
                    .help("write the lower end first, as in `in (0, 1)`"),
            );
            return None;
        }
        Some(Range {
            low: (low.0, low.1, range.low_closed),
            high: (high.0, high.1, range.high_closed),
        })
    }

    /// The number of a constant; `-inf` is none of its own.
    fn signed(&self, node: NodeId) -> Option<Number> {
        match self.model.op(node) {
            Op::Scalar(Scalar::Neg) => {
                self.model.constant(self.model.operands(node)[0]).map(|n| -n)
            }
            _ => self.model.constant(node),
        }
    }

    fn bound(&mut self, id: ExprId) -> Option<(Size, Option<Number>)> {
        let span = self.span(id);
        match self.expr(id)? {
            Value::Free(term) => {
                match self.model.plant(&term, &[], DType::F64, &Default::default()) {
                    Ok(node) => match self.signed(node) {
                        Some(number) => Some((Size::Known(0), Some(number))),
                        None => Some((self.size(id)?, None)),
                    },
                    Err(misfit) => {
                        self.misfit(misfit, span, &[]);
                        None
                    }
                }
            }
            _ => {
                let message = "the end of a range is a number or a dimension";
                self.say(
                    Diagnostic::error("E0208", span, message)
                        .help("write it as in `in [0, K)` or `in (0, 1)`"),
                );
                None
            }
        }
    }

    fn init(&mut self, init: &ast::Init, ty: &Type, of: &Declaration) -> Option<Init> {
        match init {
            ast::Init::Value(id) => {
                let span = self.span(*id);
                let value = self.expr(*id)?;
                let node = self.typed(value, ty.dtype, span)?;
                if let Some(on) = self.variable_of(node) {
                    let name = &of.names[0].text;
                    if on.starts_with('?') {
                        let message = format!("the first value of `{name}` is drawn in every step");
                        self.say(
                            Diagnostic::error("E0109", span, message)
                                .help("behind `~` it is drawn once: `~ normal(std = 0.1)`"),
                        );
                        return None;
                    }
                    let message = format!("the first value of `{name}` depends on `{on}`");
                    let mut diagnostic = Diagnostic::error("E0109", span, message).help(
                        "start from a number, an array, or `~ glorot()`; or drop `param` to bind it",
                    );
                    if let Some(at) = self.model.variables.get(&on).map(|known| known.span) {
                        diagnostic = diagnostic.label(at, "given or learnt at run time");
                    }
                    self.say(diagnostic);
                    return None;
                }
                let what = format!("`{}`", of.names[0].text);
                let node = self.fitted(node, ty, span, &what, Some(of.ty.span))?;
                Some(Init::Value(node))
            }
            ast::Init::Random(id) => self.draw(*id, ty),
        }
    }

    /// A variable that the value is computed from.
    fn variable_of(&self, node: NodeId) -> Option<Name> {
        let mut seen = rustc_hash::FxHashSet::default();
        let mut waiting = vec![node];
        while let Some(id) = waiting.pop() {
            if let crate::ops::Op::Variable(variable) = self.model.op(id) {
                return Some(variable.name.clone());
            }
            waiting.extend(
                self.model.operands(id).into_iter().filter(|operand| seen.insert(*operand)),
            );
        }
        None
    }

    /// The node in the shape of `ty`, which `what` is declared to have at `declared`: a scalar fills it.
    pub(super) fn fitted(
        &mut self,
        node: NodeId,
        ty: &Type,
        span: Span,
        what: &str,
        declared: Option<Span>,
    ) -> Option<NodeId> {
        let found = self.model.ty(node).clone();
        let same = found.rank() == ty.rank()
            && found.shape.iter().zip(&ty.shape).all(|(a, b)| self.model.dims.equal(a, b))
            && found.dtype == ty.dtype;
        if same {
            return Some(node);
        }
        if found.rank() == 0 && found.dtype == ty.dtype {
            let axes: Vec<usize> = (0..ty.rank()).collect();
            let term = crate::ops::term::spread(Term::Var(0), &ty.shape, &axes);
            let origins = self.origins(span);
            return self.model.plant(&term, &[node], ty.dtype, &origins).ok();
        }
        let code = if found.dtype == ty.dtype { "E0201" } else { "E0206" };
        let message = format!("{what} is {ty}; its value is {found}");
        let mut diagnostic = Diagnostic::error(code, self.place(span), message);
        if let Some(declared) = declared.filter(|declared| declared.file != PRELUDE) {
            diagnostic = diagnostic.at(found.to_string()).label(declared, "declared here");
        }
        let mut pairs = found.shape.iter().zip(&ty.shape).filter(|(a, b)| a != b);
        let same = match (pairs.next(), found.rank() == ty.rank()) {
            (Some((a, b)), true) => self.same(a, b, None),
            _ => None,
        };
        let help = match (code, same) {
            ("E0206", _) => format!("cast it: `{}(...)`", ty.dtype),
            (_, Some(help)) => help,
            _ => "give the declaration and the value one shape".into(),
        };
        self.say(diagnostic.help(help));
        None
    }

    fn draw(&mut self, id: ExprId, ty: &Type) -> Option<Init> {
        let unit = self.unit();
        let span = self.span(id);
        // What is no call has been reported by the parser.
        let ExprKind::Call(call) = &unit.ast[id].kind else { return None };
        if !ty.dtype.is_float() {
            let message = format!("a distribution gives floats; the parameter is {}", ty.dtype);
            self.say(
                Diagnostic::error("E0206", span, message)
                    .help("give it a float type, or write a value behind `=`"),
            );
            return None;
        }
        if !DRAWN.iter().any(|known| *known == &*call.callee.text) {
            let message = format!("`{}` is no distribution", call.callee.text);
            let near = crate::diagnostic::nearest(&call.callee.text, DRAWN.iter().copied());
            let help =
                near.map_or(DISTRIBUTIONS.to_string(), |near| format!("did you mean `{near}`?"));
            self.say(Diagnostic::error("E0110", call.callee.span, message).help(help));
            return None;
        }
        let mut numbers: Vec<Number> = Vec::new();
        for arg in &call.args {
            let known = matches!(
                (&*call.callee.text, arg.name.as_ref().map(|name| &*name.text)),
                (_, None) | ("normal", Some("std")) | ("uniform", Some("low" | "high"))
            );
            let number = self.bound(arg.value)?.1;
            match number {
                Some(number) if known => numbers.push(number),
                _ => {
                    let (at, message) = match &arg.name {
                        Some(name) if !known => (
                            name.span,
                            format!("`{}` has no argument `{}`", call.callee.text, name.text),
                        ),
                        _ => (
                            self.span(arg.value),
                            format!("an argument of `{}` is a number", call.callee.text),
                        ),
                    };
                    self.say(Diagnostic::error("E0110", at, message).help(DISTRIBUTIONS));
                    return None;
                }
            }
        }
        let draw = match (&*call.callee.text, numbers.as_slice()) {
            ("glorot", []) => Draw::Glorot,
            ("he", []) => Draw::He,
            ("normal", []) => Draw::Normal(Number::ONE),
            ("normal", [std]) => Draw::Normal(*std),
            ("uniform", []) => Draw::Uniform(Number::ZERO, Number::ONE),
            ("uniform", [low, high]) => Draw::Uniform(*low, *high),
            ("zeros", []) => Draw::Uniform(Number::ZERO, Number::ZERO),
            ("ones", []) => Draw::Uniform(Number::ONE, Number::ONE),
            _ => {
                let message = format!(
                    "`{}` does not take {}",
                    call.callee.text,
                    super::usage::counted(numbers.len(), "argument")
                );
                self.say(Diagnostic::error("E0110", span, message).help(DISTRIBUTIONS));
                return None;
            }
        };
        Some(Init::Random(draw))
    }

    pub(super) fn constant(&mut self, ident: &Ident, ty: Option<&TypeExpr>, value: ExprId) {
        let span = self.span(value);
        self.calls.push((format!("={}", ident.text).into(), span));
        let lowered = self.expr(value);
        self.calls.pop();
        let meaning = (|| {
            let lowered = lowered?;
            let Some(ty) = ty else { return Some(Meaning::Value(self.settled(lowered, span)?)) };
            let written = ty.span;
            let ty = self.type_of(ty)?;
            let node = self.typed(lowered, ty.dtype, span)?;
            let what = format!("`{}`", ident.text);
            let node = self.fitted(node, &ty, span, &what, Some(written))?;
            Some(Meaning::Value(Value::Node(node)))
        })();
        if let Some(Meaning::Value(Value::Node(node))) = &meaning
            && self.scopes.len() == 1
        {
            self.model.names.insert(ident.text.clone(), *node);
        }
        self.define(&ident.text, ident.span, meaning.unwrap_or(Meaning::Broken));
    }

    /// A list becomes an array; all else stays.
    pub(super) fn settled(&mut self, value: Value, span: Span) -> Option<Value> {
        match value {
            Value::List(_) => Some(Value::Node(self.typed(value, self.float, span)?)),
            other => Some(other),
        }
    }

    /// `name = expr`, `(a, b) = expr`.
    pub(super) fn binding(&mut self, idents: &[Ident], value: ExprId) {
        let values = self.valued(idents, value);
        for (ident, value) in idents.iter().zip(values) {
            self.bind(ident, value);
        }
    }

    /// A value for each name.
    pub(super) fn valued(&mut self, idents: &[Ident], value: ExprId) -> Vec<Option<Value>> {
        let span = self.span(value);
        let name = &idents[0].text;
        self.calls.push((format!("={name}").into(), span));
        let lowered = self.expr(value).and_then(|value| self.settled(value, span));
        self.calls.pop();
        match (lowered, idents) {
            (None, _) => vec![None; idents.len()],
            (Some(Value::Several(values)), idents)
                if values.len() == idents.len() && idents.len() > 1 =>
            {
                values.into_iter().map(Some).collect()
            }
            (Some(Value::Several(values)), idents) => {
                let names = super::usage::counted(idents.len(), "name");
                let message = format!("{} results for {names}", values.len());
                self.say(
                    Diagnostic::error("E0207", self.place(span), message)
                        .help("write as many names as there are results: `(a, b) = ...`"),
                );
                vec![None; idents.len()]
            }
            (Some(value), [_]) => vec![Some(value)],
            (Some(_), idents) => {
                let message = format!("one result for {} names", idents.len());
                self.say(
                    Diagnostic::error("E0207", self.place(span), message)
                        .help(format!("write one name: `{} = ...`", idents[0].text)),
                );
                vec![None; idents.len()]
            }
        }
    }

    pub(super) fn bind(&mut self, ident: &Ident, value: Option<Value>) {
        let Some(mut value) = value else {
            return self.define(&ident.text, ident.span, Meaning::Broken);
        };
        let owner = self.scopes.last().map(|scope| scope.owner.clone());
        let full: Name = match owner {
            Some(Owner::Named(prefix)) => format!("{prefix}{}", ident.text).into(),
            _ => return self.define(&ident.text, ident.span, Meaning::Value(value)),
        };
        let inside = self.scopes.len() > 1;
        if self.barriers.contains(&ident.text) || self.barriers.contains(&full) {
            let Some(node) = self.typed(value, self.float, ident.span) else { return };
            let origins = self.origins(ident.span);
            let barrier = Barrier { name: full };
            value = Value::Node(
                self.model.insert(barrier, &[node], &origins).expect("a barrier takes anything"),
            );
        }
        match value {
            Value::Node(node) if inside => self.name_inside(ident, node),
            Value::Node(node) => drop(self.model.names.insert(ident.text.clone(), node)),
            _ => {}
        }
        self.define(&ident.text, ident.span, Meaning::Value(value));
    }

    fn output(&mut self, kind: OutputKind, ident: &Ident, value: Option<ExprId>) {
        if let Some(value) = value {
            self.binding(std::slice::from_ref(ident), value);
        }
        let Some(value) = self.name(&ident.text, ident.span) else { return };
        let Some(node) = self.typed(value, self.float, ident.span) else { return };
        let kind = match kind {
            OutputKind::Loss => Kind::Loss,
            OutputKind::Output => Kind::Output,
            OutputKind::Metric => Kind::Metric,
        };
        let ty = self.model.ty(node).clone();
        if kind == Kind::Loss && (ty.rank() > 0 || !ty.dtype.is_float()) {
            let message = format!("a loss is one float; `{}` is {ty}", ident.text);
            let help = if ty.dtype.is_float() {
                "take its mean, `mean(...)`, or its sum"
            } else {
                "make it a float: `f32(...)`; or call it a `metric`"
            };
            self.say(Diagnostic::error("E0301", ident.span, message).help(help));
            return;
        }
        if self.model.named(&ident.text) != Some(node) {
            self.model.names.insert(ident.text.clone(), node);
        }
        let name = ident.text.clone();
        if self.model.outputs.iter().any(|output| output.name == name) {
            let message = format!("`{name}` is given out twice");
            let first = self.given.get(&name).copied().unwrap_or(ident.span);
            self.say(
                Diagnostic::error("E0102", ident.span, message)
                    .label(first, "first given out here")
                    .help("remove one of the two lines"),
            );
            return;
        }
        self.given.insert(name.clone(), ident.span);
        self.model.outputs.push(Output { kind, name, node });
    }

    fn request(&mut self, of: &Ident, wrt: &[Ident]) {
        let mut known = self.name(&of.text, of.span).is_some();
        for ident in wrt {
            known &= self.variable(&ident.text, ident.span).is_some();
        }
        if !known {
            return;
        }
        let node = self.model.named(&of.text);
        if let Some(ty) = node.map(|node| self.model.ty(node).clone())
            && (ty.rank() > 0 || !ty.dtype.is_float())
        {
            if !self.diagnostics.iter().any(|known| known.code == "E0301") {
                let message = format!("the gradient is of one float; `{}` is {ty}", of.text);
                let help = "take its mean or its sum first, or ask for `jacobian`";
                self.say(Diagnostic::error("E0301", of.span, message).help(help));
            }
            return;
        }
        let wrt = wrt.iter().map(|ident| ident.text.clone()).collect();
        self.model.requests.push(Request { of: of.text.clone(), wrt });
    }

    /// The node of a name that a derivative is taken by.
    pub(super) fn variable(&mut self, name: &Name, span: Span) -> Option<NodeId> {
        match self.name(name, span)? {
            Value::Node(node) if self.is_kept(node) => {
                self.no_gradient(name, node, span);
                None
            }
            Value::Node(node) if self.model.ty(node).dtype.is_float() => Some(node),
            Value::Node(node) => {
                let message =
                    format!("there is no derivative by `{name}`, which is {}", self.model.ty(node));
                let mut diagnostic = Diagnostic::error("E0302", self.place(span), message)
                    .help("derive by floats only: leave it out");
                if let Some((at, text)) = super::trace::dtype(self, node) {
                    diagnostic = diagnostic.label(at, text);
                }
                self.say(diagnostic);
                None
            }
            _ => {
                let message = format!("there is no derivative by `{name}`, which is a constant");
                self.say(
                    Diagnostic::error("E0304", self.place(span), message)
                        .help("name a parameter, an input or a binding"),
                );
                None
            }
        }
    }

    /// The type that is written, sizes and all.
    pub(super) fn type_of(&mut self, ty: &TypeExpr) -> Option<Type> {
        let dtype = match &*ty.dtype.text {
            "float" => self.float,
            name => match DType::named(name) {
                Some(dtype) => dtype,
                None => {
                    let message = format!("`{name}` is no element type");
                    let help = match name {
                        "float32" | "single" | "real" | "num" => "write `f32`".into(),
                        "float64" | "double" => "write `f64`".into(),
                        "int" | "int64" | "long" | "index" => "write `i64`".into(),
                        "int32" => "write `i32`".into(),
                        "boolean" => "write `bool`".into(),
                        _ => "the element types are `f32`, `f64`, `i32`, `i64` and `bool`"
                            .to_string(),
                    };
                    self.say(Diagnostic::error("E0206", ty.dtype.span, message).help(help));
                    return None;
                }
            },
        };
        let mut shape = Vec::new();
        if ty.leading {
            let leading = self.seen().find_map(|scope| scope.leading.clone());
            match leading {
                Some(leading) => shape.extend(leading),
                None => {
                    let message = "`..` stands only in the types of functions";
                    self.say(
                        Diagnostic::error("E0208", ty.span, message)
                            .help("write out the axes, as in `[N, D]`"),
                    );
                    return None;
                }
            }
        }
        for &axis in ty.axes.iter().flatten() {
            shape.push(self.size(axis)?);
        }
        if shape.len() > RANK {
            let message = format!("{} axes; a value has at most {RANK}", shape.len());
            self.say(Diagnostic::error("E0202", ty.span, message));
            return None;
        }
        Some(Type::new(dtype, shape))
    }

    /// What is probably not meant.
    pub(super) fn lints(&mut self) {
        if self.model.outputs.is_empty() {
            return;
        }
        let asked: Vec<NodeId> = self
            .model
            .requests
            .iter()
            .filter_map(|request| self.model.named(&request.of))
            .collect();
        let of = |kind: fn(Kind) -> bool| {
            let wanted = self.model.outputs.iter().filter(move |output| kind(output.kind));
            wanted.map(|output| output.node).chain(asked.iter().copied())
        };
        let trained = self.model.outputs.iter().any(|output| output.kind == Kind::Loss);
        let used = self.model.needed(of(|_| true).chain(self.model.updates.values().copied()));
        let learnt = self.model.needed(of(|kind| kind == Kind::Loss));
        let mut said = Vec::new();
        for (name, variable) in &self.model.variables {
            let (code, message, help) = match (variable.role, used[variable.node.index()]) {
                (Role::Input, false) => (
                    "W0501",
                    format!("the input `{name}` is not used"),
                    "use it, or remove its line",
                ),
                (Role::State, false) => (
                    "W0501",
                    format!("the state `{name}` is not used"),
                    "use it, or remove its line",
                ),
                (Role::Param, false) => (
                    "W0502",
                    format!("the parameter `{name}` reaches no result"),
                    "use it, or remove its line",
                ),
                (Role::Param, true)
                    if trained && !variable.frozen && !learnt[variable.node.index()] =>
                {
                    (
                        "W0502",
                        format!("the parameter `{name}` never reaches the loss: it is not learnt"),
                        "use it in the loss, or mark it `frozen`",
                    )
                }
                _ => continue,
            };
            said.push(Diagnostic::warning(code, variable.span, message).help(help));
        }
        said.into_iter().for_each(|diagnostic| self.say(diagnostic));
    }
}

const DRAWN: [&str; 6] = ["glorot", "he", "normal", "uniform", "zeros", "ones"];

const DISTRIBUTIONS: &str =
    "write `glorot()`, `he()`, `normal(std = 0.1)`, `uniform(-1, 1)`, `zeros()` or `ones()`";

fn first_float(items: &[Item]) -> DType {
    let declared = items.iter().find_map(|item| match &item.kind {
        ItemKind::Input(d) | ItemKind::Param(d) | ItemKind::State(d) => {
            DType::named(&d.ty.dtype.text).filter(|dtype| dtype.is_float())
        }
        _ => None,
    });
    declared.unwrap_or(DType::F32)
}
