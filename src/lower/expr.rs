//! Expressions.

use super::unknown::Sought;
use super::{Lowerer, Meaning, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::NodeId;
use crate::ops::align::{align, broadcast};
use crate::ops::elementwise::Class;
use crate::ops::leaf::Const;
use crate::ops::matmul::MatMul;
use crate::ops::random::STEP;
use crate::ops::shape::Reshape;
use crate::ops::term::{apply, transpose};
use crate::ops::{Misfit, Name, Number, Op, Scalar, Shape, Term, Type};
use crate::syntax::ast::{BinaryOp, ExprId, ExprKind, UnaryOp};
use crate::tensor::DType;
use smallvec::SmallVec;

impl Lowerer {
    /// The value of an expression; `None` where a diagnostic has been given. Chains of infix and postfix operators are
    /// walked in a loop, so that their length needs no stack.
    pub(super) fn expr(&mut self, id: ExprId) -> Option<Value> {
        let unit = self.unit();
        let (mut spine, mut first) = (Vec::new(), id);
        loop {
            let inner = match &unit.ast[first].kind {
                ExprKind::Binary(_, left, _) => *left,
                ExprKind::Transpose(base) | ExprKind::Index(base, _) | ExprKind::As(base, _) => {
                    *base
                }
                _ => break,
            };
            spine.push(first);
            first = inner;
        }
        let mut value = self.simple(first);
        let mut span = self.span(first);
        for id in spine.into_iter().rev() {
            let whole = self.span(id);
            value = match &unit.ast[id].kind {
                ExprKind::Binary(op, _, right) => {
                    let right_value = self.expr(*right);
                    let right_span = self.span(*right);
                    match (value, right_value) {
                        (Some(left), Some(right)) => {
                            self.binary(*op, (left, span), (right, right_span), whole)
                        }
                        _ => None,
                    }
                }
                ExprKind::Transpose(_) => value.and_then(|value| self.transposed(value, whole)),
                ExprKind::Index(_, items) => {
                    value.and_then(|value| self.index(value, span, items, whole))
                }
                ExprKind::As(_, axes) => value.and_then(|value| self.renamed(value, axes, whole)),
                _ => unreachable!("the spine holds infix and postfix operators"),
            };
            span = whole;
        }
        value
    }

    fn simple(&mut self, id: ExprId) -> Option<Value> {
        let unit = self.unit();
        let span = self.span(id);
        match &unit.ast[id].kind {
            ExprKind::Error => None,
            ExprKind::Number(text) => match Number::parse(text) {
                Some(number) => Some(Value::Free(Term::Number(number))),
                None => {
                    self.say(Diagnostic::error("E0005", span, format!("`{text}` is no number")));
                    None
                }
            },
            ExprKind::Text(text) => Some(Value::Text(text.clone())),
            ExprKind::Name(name) => self.name(name, span),
            ExprKind::Unary(UnaryOp::Neg, inner) => {
                let value = self.expr(*inner)?;
                let inner = self.span(*inner);
                self.scalar(Scalar::Neg, vec![(value, inner)], span)
            }
            ExprKind::Unary(UnaryOp::Not, inner) => {
                let value = self.expr(*inner)?;
                let inner = self.span(*inner);
                self.scalar(Scalar::Not, vec![(value, inner)], span)
            }
            ExprKind::List(entries) => {
                let mut values = Vec::new();
                let mut whole = true;
                for &entry in entries {
                    match self.expr(entry) {
                        Some(value) => values.push((value, self.span(entry))),
                        None => whole = false,
                    }
                }
                whole.then_some(Value::List(values))
            }
            ExprKind::Call(call) => self.call(call, span),
            ExprKind::Repeat(repeat) => self.repeat(repeat, span),
            ExprKind::Scan(scan) => self.scan(scan, span),
            ExprKind::Binary(..)
            | ExprKind::Transpose(_)
            | ExprKind::Index(..)
            | ExprKind::As(..) => self.expr(id),
        }
    }

    /// What a name stands for.
    pub(super) fn name(&mut self, name: &Name, span: Span) -> Option<Value> {
        match self.lookup(name).map(|(meaning, _)| meaning.clone()) {
            Some(Meaning::Value(value)) => return Some(value),
            Some(Meaning::Size(size)) => return Some(Value::Free(Term::Size(size))),
            Some(Meaning::Broken) => return None,
            None => {}
        }
        let number = match &**name {
            "pi" => std::f64::consts::PI,
            "e" => std::f64::consts::E,
            "inf" => f64::INFINITY,
            "nan" => f64::NAN,
            "true" | "false" => {
                let value = Number::int(i64::from(&**name == "true"));
                let origins = self.origins(span);
                let node =
                    self.model.insert(Const { dtype: DType::Bool, value }, &[], &origins).ok()?;
                return Some(Value::Node(node));
            }
            "training" => return Some(Value::Node(self.given(name, DType::Bool, span))),
            STEP => return Some(Value::Node(self.given(name, DType::I64, span))),
            _ => {
                self.unknown(name, span, Sought::Value);
                return None;
            }
        };
        Some(Value::Free(Term::Number(Number::float(number))))
    }

    /// Inserts an operator; a misfit is reported with the operands' places.
    pub(super) fn insert(
        &mut self,
        op: impl Into<Op>,
        operands: &[(NodeId, Span)],
        span: Span,
    ) -> Option<NodeId> {
        let nodes: SmallVec<[NodeId; 4]> = operands.iter().map(|(node, _)| *node).collect();
        let origins = self.origins(span);
        match self.model.insert(op, &nodes, &origins) {
            Ok(node) => Some(node),
            Err(misfit) => {
                self.fail(misfit, operands, span);
                None
            }
        }
    }

    pub(super) fn fail(&mut self, misfit: Misfit, operands: &[(NodeId, Span)], span: Span) {
        self.misfit(misfit, span, operands);
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: (Value, Span),
        right: (Value, Span),
        span: Span,
    ) -> Option<Value> {
        let row = match op {
            BinaryOp::MatMul => return self.product(left, right, span),
            BinaryOp::Pow => {
                let two = Term::Number(Number::int(2));
                if matches!(&right.0, Value::Free(term) if *term == two) {
                    return self.scalar(Scalar::Square, vec![left], span);
                }
                Scalar::Pow
            }
            BinaryOp::Mul => Scalar::Mul,
            BinaryOp::Div => Scalar::Div,
            BinaryOp::Add => Scalar::Add,
            BinaryOp::Sub => Scalar::Sub,
            BinaryOp::Eq => Scalar::Eq,
            BinaryOp::Ne => Scalar::Ne,
            BinaryOp::Lt => Scalar::Lt,
            BinaryOp::Le => Scalar::Le,
            BinaryOp::Gt => Scalar::Gt,
            BinaryOp::Ge => Scalar::Ge,
            BinaryOp::And => Scalar::And,
            BinaryOp::Or => Scalar::Or,
        };
        self.scalar(row, vec![left, right], span)
    }

    /// An operator on single elements, its operands broadcast to their common shape.
    pub(super) fn scalar(
        &mut self,
        row: Scalar,
        args: Vec<(Value, Span)>,
        span: Span,
    ) -> Option<Value> {
        if args.iter().all(|(value, _)| matches!(value, Value::Free(_))) {
            let terms = args.into_iter().filter_map(|(value, _)| match value {
                Value::Free(term) => Some(term),
                _ => None,
            });
            return Some(Value::Free(apply(row, terms.collect())));
        }
        let dtype = args.iter().find_map(|(value, _)| self.dtype_within(value));
        let dtype =
            dtype.unwrap_or(if row.class() == Class::Logic { DType::Bool } else { self.float });
        let nodes = self.nodes(args, dtype)?;
        let verb = match row {
            Scalar::Add => "add",
            Scalar::Sub => "subtract",
            Scalar::Mul => "multiply",
            Scalar::Div => "divide",
            _ if row.class() == Class::Compare => "compare",
            _ => "combine",
        };
        let nodes = self.aligned(nodes, verb, span)?;
        if let (Scalar::Mul, [(x, _), (y, _)]) = (row, nodes.as_slice())
            && let Some(node) = self.times_log(*x, *y, span)
        {
            return Some(Value::Node(node));
        }
        Some(Value::Node(self.insert(row, &nodes, span)?))
    }

    /// The nodes of values of one element type.
    pub(super) fn nodes(
        &mut self,
        args: Vec<(Value, Span)>,
        dtype: DType,
    ) -> Option<Vec<(NodeId, Span)>> {
        let mut nodes = Vec::new();
        let mut whole = true;
        for (value, at) in args {
            match self.typed(value, dtype, at) {
                Some(node) => nodes.push((node, at)),
                None => whole = false,
            }
        }
        whole.then(|| self.alike(nodes))
    }

    /// The nodes broadcast to their common shape; scalars stay scalars.
    pub(super) fn aligned(
        &mut self,
        nodes: Vec<(NodeId, Span)>,
        verb: &str,
        span: Span,
    ) -> Option<Vec<(NodeId, Span)>> {
        let types: Vec<Type> = nodes.iter().map(|(node, _)| self.model.ty(*node).clone()).collect();
        let laid = types.iter().filter(|ty| ty.rank() > 0).count();
        if laid < 2 {
            return Some(nodes);
        }
        let (shape, maps) = match align(&types, &self.model.dims, verb) {
            Ok(found) => found,
            Err(misfit) => {
                self.fail(misfit, &nodes, span);
                return None;
            }
        };
        let mut result = Vec::new();
        for ((node, at), map) in nodes.into_iter().zip(maps) {
            let ty = self.model.ty(node);
            let same = ty.rank() == shape.len()
                && ty.shape.iter().zip(&shape).all(|(a, b)| a == b || !a.is_one());
            let node = if ty.rank() == 0 || same {
                node
            } else {
                self.insert(broadcast(&shape, &map), &[(node, at)], span)?
            };
            result.push((node, at));
        }
        Some(result)
    }

    /// `x @ y`, leading axes broadcast.
    fn product(&mut self, left: (Value, Span), right: (Value, Span), span: Span) -> Option<Value> {
        let dtype = [&left.0, &right.0]
            .into_iter()
            .find_map(|value| self.dtype_within(value))
            .unwrap_or(self.float);
        let mut nodes = self.nodes(vec![left, right], dtype)?;
        let types: Vec<Type> = nodes.iter().map(|(node, _)| self.model.ty(*node).clone()).collect();
        let leads: Vec<Type> = types
            .iter()
            .map(|ty| ty.with_shape(ty.shape.iter().take(ty.rank().saturating_sub(2)).cloned()))
            .collect();
        if leads.iter().all(|lead| lead.rank() > 0) && leads[0].shape != leads[1].shape {
            match align(&leads, &self.model.dims, "multiply") {
                Ok((lead, _)) => {
                    for ((node, at), ty) in nodes.iter_mut().zip(&types) {
                        let to: Shape =
                            lead.iter().chain(&ty.shape[ty.rank() - 2..]).cloned().collect();
                        if to == ty.shape {
                            continue;
                        }
                        let map = crate::ops::align::lay(&ty.shape, &to, &self.model.dims);
                        if let Some(map) = map {
                            *node = self.insert(broadcast(&to, &map), &[(*node, *at)], span)?;
                        }
                    }
                }
                Err(misfit) => {
                    self.fail(misfit, &nodes, span);
                    return None;
                }
            }
        }
        self.lint_outer(&nodes, span);
        Some(Value::Node(self.insert(MatMul, &nodes, span)?))
    }

    /// `x @ x'` of a vector is its dot product, which may not be meant.
    fn lint_outer(&mut self, nodes: &[(NodeId, Span)], span: Span) {
        let unit = self.unit();
        let text = unit.text.get(nodes[1].1.range()).unwrap_or("");
        let vectors = nodes.iter().all(|(node, _)| self.model.ty(*node).rank() == 1);
        if vectors && nodes[0].0 == nodes[1].0 && text.ends_with('\'') && span.file == 0 {
            let name = text.trim_end_matches('\'');
            let message = format!("`{name} @ {name}'` of a vector is its dot product");
            self.say(Diagnostic::warning("W0503", span, message).help(format!("write `outer({name}, {name})` for the matrix, `{name} @ {name}` for the dot product")));
        }
    }

    fn transposed(&mut self, value: Value, span: Span) -> Option<Value> {
        let node = self.typed(value, self.float, span)?;
        let rank = self.model.ty(node).rank();
        let origins = self.origins(span);
        let dtype = self.model.ty(node).dtype;
        self.model
            .plant(&transpose(Term::Var(0), rank), &[node], dtype, &origins)
            .ok()
            .map(Value::Node)
    }

    /// `x as [N, S]`.
    fn renamed(&mut self, value: Value, axes: &[ExprId], span: Span) -> Option<Value> {
        let node = self.typed(value, self.float, span)?;
        let mut to = Shape::new();
        for &axis in axes {
            to.push(self.size(axis)?);
        }
        let ty = self.model.ty(node).clone();
        let equal = ty.rank() == to.len()
            && ty.shape.iter().zip(&to).all(|(a, b)| self.model.dims.equal(a, b));
        if !equal {
            let wanted = ty.with_shape(to);
            let message = format!("`as` renames axes of equal size: {ty} is not {wanted}");
            self.say(
                Diagnostic::error("E0201", self.place(span), message)
                    .help("declare the sizes equal: `dim S = T`"),
            );
            return None;
        }
        Some(Value::Node(self.insert(Reshape { to }, &[(node, span)], span)?))
    }
}
