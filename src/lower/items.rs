//! Statements.

use super::layer::Owner;
use super::{Lowerer, Meaning, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::{Kind, NodeId, Output, RANK, Request, Role};
use crate::ops::special::{Barrier, Mode};
use crate::ops::{Name, Size, Type};
use crate::syntax::ast::{self, ExprId, ExprKind, Ident, Item, ItemKind, OutputKind, TypeExpr};
use crate::tensor::DType;

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
            // The parser has said that it is missing.
            "" => return None,
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
}

fn first_float(items: &[Item]) -> DType {
    let declared = items.iter().find_map(|item| match &item.kind {
        ItemKind::Input(d) | ItemKind::Param(d) | ItemKind::State(d) => {
            DType::named(&d.ty.dtype.text).filter(|dtype| dtype.is_float())
        }
        _ => None,
    });
    declared.unwrap_or(DType::F32)
}
