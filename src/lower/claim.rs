//! Claims: two sides of one type, and their text where a printed model can bear it.

use super::{Lowerer, Meaning, PRELUDE, RESERVED, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::{Claim, NodeId};
use crate::ops::Name;
use crate::ops::term::spread;
use crate::ops::{Term, Type};
use crate::syntax::ast::{BinaryOp, ExprId, ExprKind, ItemKind, UnaryOp};
use crate::syntax::print;

impl Lowerer {
    /// `expect left == right`.
    pub(super) fn claim(&mut self, left: ExprId, right: ExprId, span: Span) {
        let places = [self.span(left), self.span(right)];
        let [left, right] = [left, right].map(|side| self.expr(side));
        let (Some(left), Some(right)) = (left, right) else { return };
        let dtype = [&left, &right].into_iter().find_map(|side| self.dtype_within(side));
        let dtype = dtype.unwrap_or(self.float);
        let left = self.typed(left, dtype, places[0]);
        let right = self.typed(right, dtype, places[1]);
        let (Some(left), Some(right)) = (left, right) else { return };
        let types = [left, right].map(|side| self.model.ty(side).clone());
        let equal = |a: &Type, b: &Type| {
            a.rank() == b.rank()
                && a.shape.iter().zip(&b.shape).all(|(a, b)| self.model.dims.equal(a, b))
        };
        let number = types.iter().any(|ty| ty.rank() == 0);
        let (code, what, help) = match &types {
            [a, b] if a.dtype != b.dtype => {
                let to = if a.dtype.is_float() { a.dtype } else { b.dtype };
                ("E0206", "element types", format!("cast one side: `{to}(...)`"))
            }
            [a, b] if !number && !equal(a, b) => {
                ("E0201", "shapes", "claim what is equal in one shape; a number fills any".into())
            }
            _ => {
                let [left, right] = [(left, &types[1]), (right, &types[0])]
                    .map(|(side, other)| self.filled_as(side, other, span));
                if let (Some(left), Some(right)) = (left, right) {
                    self.model.claims.push(Claim { left, right, span, text: None });
                }
                return;
            }
        };
        let message = format!("the two sides of this claim differ in their {what}");
        let [a, b] = types.map(|ty| ty.to_string());
        self.say(Diagnostic::error(code, places[1], message).at(b).label(places[0], a).help(help));
    }

    /// The node, a number laid out in the shape of `ty`.
    fn filled_as(&mut self, node: NodeId, ty: &Type, span: Span) -> Option<NodeId> {
        if self.model.ty(node).rank() > 0 || ty.rank() == 0 {
            return Some(node);
        }
        let axes: Vec<usize> = (0..ty.rank()).collect();
        let origins = self.origins(span);
        self.model.plant(&spread(Term::Var(0), &ty.shape, &axes), &[node], ty.dtype, &origins).ok()
    }

    /// Gives each claim its text, now that the model's names are known.
    pub(super) fn word_claims(&mut self) {
        let unit = self.unit();
        let written = unit.ast.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Expect(left, right) => Some((item.span, *left, *right)),
            _ => None,
        });
        let mut written = written.peekable();
        for claim in 0..self.model.claims.len() {
            let span = self.model.claims[claim].span;
            while written.next_if(|(other, ..)| *other != span).is_some() {}
            let Some((_, left, right)) = written.next() else { return };
            if self.stands_alone(left, right, span) {
                let text = format!("{} == {}", self.side(left), self.side(right));
                self.model.claims[claim].text = Some(text.into());
            }
        }
    }

    /// Whether a printed model has all that the claim names.
    fn stands_alone(&self, left: ExprId, right: ExprId, span: Span) -> bool {
        let last = left.0.max(right.0) as usize;
        let within = self.units[0].ast.exprs[..=last].iter().rev();
        let mut within = within.take_while(|expr| expr.span.start >= span.start);
        within.all(|expr| match &expr.kind {
            ExprKind::Name(name) => self.is_printed(name),
            ExprKind::Call(call) => {
                let own = self.callables(&call.callee.text).map(|known| known[0].unit);
                own.is_none_or(|unit| unit == usize::from(PRELUDE))
            }
            ExprKind::Repeat(_) | ExprKind::Scan(_) | ExprKind::Error => false,
            _ => true,
        })
    }

    fn is_printed(&self, name: &Name) -> bool {
        match self.scopes[0].names.get(name).map(|(meaning, _)| meaning) {
            Some(Meaning::Size(_)) => true,
            Some(Meaning::Value(Value::Node(node))) => self.model.named(name) == Some(*node),
            Some(_) => false,
            None => RESERVED.contains(&&**name),
        }
    }

    fn side(&self, id: ExprId) -> String {
        use BinaryOp::{And, Eq, Ge, Gt, Le, Lt, Ne, Or};
        let ast = &self.units[0].ast;
        let text = print::expr(ast, id);
        match &ast[id].kind {
            ExprKind::Binary(Eq | Ne | Lt | Le | Gt | Ge | And | Or, ..) => format!("({text})"),
            ExprKind::Unary(UnaryOp::Not, _) => format!("({text})"),
            _ => text,
        }
    }
}
