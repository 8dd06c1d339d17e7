//! A printed expression as a formula.

use super::Formula;
use crate::syntax::ast::{Ast, ExprId, ExprKind, IndexItem, UnaryOp};
use crate::syntax::parse_inline;

/// The formula of an expression as models are printed. What `known` knows of names stands for them. `None` where it is no
/// single expression, as a loop.
pub fn read(text: &str, known: &dyn Fn(&str) -> Option<Formula>) -> Option<Formula> {
    let (ast, value, diagnostics) = parse_inline(text, 0);
    if !diagnostics.is_empty() {
        return None;
    }
    Reader { ast: &ast, known }.formula(value?)
}

struct Reader<'a> {
    ast: &'a Ast,
    known: &'a dyn Fn(&str) -> Option<Formula>,
}

impl Reader<'_> {
    fn formula(&self, id: ExprId) -> Option<Formula> {
        Some(match &self.ast[id].kind {
            ExprKind::Number(text) => Formula::Number(text.to_string()),
            ExprKind::Text(text) => Formula::Word(format!("\"{text}\"")),
            ExprKind::Name(name) => match (self.known)(name) {
                Some(known) => known,
                None if matches!(&**name, "true" | "false" | "keep") => {
                    Formula::Word(name.to_string())
                }
                None => Formula::name(name),
            },
            ExprKind::Unary(UnaryOp::Neg, x) => Formula::Prefix("-", self.boxed(*x)?),
            ExprKind::Unary(UnaryOp::Not, x) => Formula::Prefix("not ", self.boxed(*x)?),
            ExprKind::Binary(op, x, y) => {
                Formula::Infix(op.spelling(), self.boxed(*x)?, self.boxed(*y)?)
            }
            ExprKind::Transpose(x) => Formula::Transposed(self.boxed(*x)?),
            ExprKind::Index(x, items) => {
                let items = items.iter().map(|item| self.item(item)).collect::<Option<_>>()?;
                Formula::Index(self.boxed(*x)?, items)
            }
            ExprKind::As(x, axes) => Formula::Renamed(self.boxed(*x)?, self.all(axes)?),
            ExprKind::Call(call) => {
                let args = call.args.iter().map(|arg| {
                    let value = self.formula(arg.value)?;
                    Some(match &arg.name {
                        Some(name) => Formula::Argument(name.text.to_string(), Box::new(value)),
                        None => value,
                    })
                });
                Formula::Call {
                    name: call.callee.text.to_string(),
                    axes: self.all(call.axes.as_deref().unwrap_or_default())?,
                    args: args.collect::<Option<_>>()?,
                }
            }
            ExprKind::List(items) => Formula::List(self.all(items)?),
            ExprKind::Repeat(_) | ExprKind::Scan(_) | ExprKind::Error => return None,
        })
    }

    fn boxed(&self, id: ExprId) -> Option<Box<Formula>> {
        self.formula(id).map(Box::new)
    }

    fn all(&self, ids: &[ExprId]) -> Option<Vec<Formula>> {
        ids.iter().map(|&id| self.formula(id)).collect()
    }

    fn item(&self, item: &IndexItem) -> Option<Formula> {
        Some(match item {
            IndexItem::At(id) => self.formula(*id)?,
            IndexItem::Rest(_) => Formula::Word("..".into()),
            IndexItem::New(_) => Formula::Word("None".into()),
            IndexItem::Slice { start, stop, step, .. } => {
                let ends = [*start, *stop, *step].into_iter().map(|end| match end {
                    Some(id) => self.formula(id).map(Some),
                    None => Some(None),
                });
                Formula::Slice(ends.collect::<Option<_>>()?)
            }
        })
    }
}
