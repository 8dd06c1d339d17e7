//! Variables: their types, ranges and first values.

use super::{Lowerer, Meaning, PRELUDE, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::{Draw, Init, NodeId, Range, Role, Variable};
use crate::ops::random::SEED;
use crate::ops::{Name, Number, Op, Scalar, Size, Term, Type, leaf};
use crate::syntax::ast::{self, Declaration, ExprId, ExprKind};
use crate::tensor::DType;
use std::sync::Arc;

impl Lowerer {
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
                    let seed = self.model.variables.get(SEED).map(|seed| seed.node);
                    if seed.is_some_and(|seed| self.model.depends(node, seed)) {
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
}

const DRAWN: [&str; 6] = ["glorot", "he", "normal", "uniform", "zeros", "ones"];

const DISTRIBUTIONS: &str =
    "write `glorot()`, `he()`, `normal(std = 0.1)`, `uniform(-1, 1)`, `zeros()` or `ones()`";
