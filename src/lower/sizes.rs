//! Sizes: expressions that are known before the run.

use super::unknown::Sought;
use super::{Lowerer, Meaning, Value};
use crate::diagnostic::Diagnostic;
use crate::ops::{Dims, Op, Scalar, Size, Term};
use crate::syntax::ast::{BinaryOp, ExprId, ExprKind};

impl Lowerer {
    /// A size: numbers, dimensions, and `+ - *` of them; `floor(a / b)`.
    pub(super) fn size(&mut self, id: ExprId) -> Option<Size> {
        let unit = self.unit();
        let span = self.span(id);
        let found = match &unit.ast[id].kind {
            ExprKind::Error => return None,
            ExprKind::Name(name) => match self.lookup(name).map(|(meaning, _)| meaning.clone()) {
                Some(Meaning::Size(size)) => Some(size),
                Some(Meaning::Value(Value::Free(term))) => as_size(&term, &self.model.dims),
                Some(Meaning::Value(_)) => None,
                Some(Meaning::Broken) => return None,
                None => {
                    self.unknown(name, span, Sought::Size);
                    return None;
                }
            },
            _ => match self.expr(id)? {
                Value::Free(term) => as_size(&term, &self.model.dims),
                _ => None,
            },
        };
        if found.is_none() {
            let (message, help) = self.no_size(id);
            self.say(Diagnostic::error("E0208", self.place(span), message).help(help));
        }
        let size = self.model.dims.rename(found?);
        if size.is_too_large() {
            let message = "this size is beyond 2^63, or has too many parts";
            self.say(
                Diagnostic::error("E0208", self.place(span), message)
                    .help("write a smaller one, or declare a dimension for a part of it"),
            );
            return None;
        }
        Some(size)
    }

    /// Why an expression is no size, and what to do.
    fn no_size(&self, id: ExprId) -> (String, String) {
        match &self.units[self.unit].ast[id].kind {
            ExprKind::Name(name) => (
                format!("`{name}` is a value; a size is known before the run"),
                "declare a dimension for it, as in `dim N`".into(),
            ),
            ExprKind::Binary(BinaryOp::Div, ..) => (
                "this quotient is not known to be a whole number".into(),
                "round it: `floor(N / 2)`".into(),
            ),
            _ => (
                "a size is made of whole numbers and dimensions".into(),
                "write it with `+`, `-`, `*` and `floor(N / 2)`".into(),
            ),
        }
    }
}

/// The size that a term is; what is divided is divided by its number where the declared dimensions give it one.
fn as_size(term: &Term, dims: &Dims) -> Option<Size> {
    let of = |term: &Term| as_size(term, dims);
    match term {
        Term::Size(size) => Some(size.clone()),
        Term::Number(number) => number.to_i64().map(Size::Known),
        Term::Var(_) => None,
        Term::Apply(inner) => {
            let (op, args) = &**inner;
            let Op::Scalar(row) = op else { return None };
            if let (Scalar::Floor, [Term::Apply(quotient)]) = (row, args.as_slice())
                && let (Op::Scalar(Scalar::Div), [a, b]) = (&quotient.0, quotient.1.as_slice())
            {
                let by = dims.resolve(&of(b)?).known().filter(|by| *by > 0)?;
                return Some(of(a)?.floor_div(by));
            }
            match (row, args.as_slice()) {
                (Scalar::Add, [a, b]) => Some(of(a)? + of(b)?),
                (Scalar::Sub, [a, b]) => Some(of(a)? - of(b)?),
                (Scalar::Mul, [a, b]) => Some(of(a)? * of(b)?),
                (Scalar::Neg, [a]) => Some(Size::Known(0) - of(a)?),
                (Scalar::Square, [a]) => Some(of(a)? * of(a)?),
                (Scalar::Div, [a, b]) => {
                    let (a, b) = (of(a)?, of(b)?);
                    a.exact_div(&b).or_else(|| dims.resolve(&a).exact_div(&dims.resolve(&b)))
                }
                _ => None,
            }
        }
    }
}
