//! Products that have a limit where they are 0 times infinity: `x * log(x)` and its like.

use super::Lowerer;
use crate::diagnostic::Span;
use crate::graph::NodeId;
use crate::ops::{Number, Op, Scalar};

/// So deep factors and logarithms are looked for.
const DEPTH: usize = 4;

impl Lowerer {
    /// The product of two values where one has the logarithm of a factor of the other.
    pub(super) fn times_log(&mut self, x: NodeId, y: NodeId, span: Span) -> Option<NodeId> {
        match (self.has_log(x, DEPTH), self.has_log(y, DEPTH)) {
            (_, true) => self.tied(x, y, span, DEPTH),
            (true, _) => self.tied(y, x, span, DEPTH),
            _ => None,
        }
    }

    fn has_log(&self, id: NodeId, depth: usize) -> bool {
        match self.model.op(id) {
            Op::Scalar(Scalar::Log) => true,
            Op::Scalar(Scalar::Neg | Scalar::Mul | Scalar::Div | Scalar::Add | Scalar::Sub) => {
                depth > 0
                    && self.model.operands(id).iter().any(|&part| self.has_log(part, depth - 1))
            }
            _ => false,
        }
    }

    /// `factor * log`, taken apart down to the factor and the logarithm that belong together.
    fn tied(&mut self, factor: NodeId, log: NodeId, span: Span, depth: usize) -> Option<NodeId> {
        if depth == 0 {
            return None;
        }
        let parts = self.model.operands(log);
        let row = |lowerer: &Lowerer, id: NodeId| match lowerer.model.op(id) {
            Op::Scalar(row) => Some(*row),
            _ => None,
        };
        match row(self, log) {
            Some(Scalar::Log) => {
                if let Some(node) = self.limit(factor, parts[0], span) {
                    return Some(node);
                }
            }
            Some(Scalar::Neg) => {
                let inner = self.tied(factor, parts[0], span, depth - 1)?;
                return self.put(Scalar::Neg, &[inner], span);
            }
            Some(Scalar::Div) => {
                let inner = self.tied(factor, parts[0], span, depth - 1)?;
                return self.put(Scalar::Div, &[inner, parts[1]], span);
            }
            Some(Scalar::Mul) => {
                for (one, other) in [(parts[0], parts[1]), (parts[1], parts[0])] {
                    if let Some(inner) = self.tied(factor, one, span, depth - 1) {
                        return self.put(Scalar::Mul, &[inner, other], span);
                    }
                }
                return None;
            }
            Some(row @ (Scalar::Add | Scalar::Sub)) => {
                let left = self.tied(factor, parts[0], span, depth - 1);
                let right = self.tied(factor, parts[1], span, depth - 1);
                let mut sides = [NodeId::end(); 2];
                for (side, (tied, part)) in
                    sides.iter_mut().zip([left, right].into_iter().zip([parts[0], parts[1]]))
                {
                    if left.is_none() && right.is_none() {
                        return None;
                    }
                    *side = match tied {
                        Some(tied) => tied,
                        None => self.put(Scalar::Mul, &[factor, part], span)?,
                    };
                }
                return self.put(row, &sides, span);
            }
            _ => return None,
        }
        let parts = self.model.operands(factor);
        match row(self, factor) {
            Some(Scalar::Neg) => {
                let inner = self.tied(parts[0], log, span, depth - 1)?;
                self.put(Scalar::Neg, &[inner], span)
            }
            Some(Scalar::Div) => {
                let inner = self.tied(parts[0], log, span, depth - 1)?;
                self.put(Scalar::Div, &[inner, parts[1]], span)
            }
            Some(Scalar::Mul) => {
                if let Some(inner) = self.tied(parts[1], log, span, depth - 1) {
                    return self.put(Scalar::Mul, &[parts[0], inner], span);
                }
                let inner = self.tied(parts[0], log, span, depth - 1)?;
                self.put(Scalar::Mul, &[inner, parts[1]], span)
            }
            _ => None,
        }
    }

    /// The operator of `factor * log(of)` where both are 0 together.
    fn limit(&mut self, factor: NodeId, of: NodeId, span: Span) -> Option<NodeId> {
        if factor == of {
            return self.put(Scalar::Xlogx, &[factor], span);
        }
        let (factors, parts) = (self.model.operands(factor), self.model.operands(of));
        match (self.model.op(factor), self.model.op(of)) {
            (_, Op::Scalar(Scalar::Div)) if parts[0] == factor => {
                self.put(Scalar::RelEntr, &[factor, parts[1]], span)
            }
            (Op::Scalar(Scalar::Square), _) if factors[0] == of => {
                let origins = self.origins(span);
                let two = self.model.number(self.model.ty(of).dtype, Number::int(2), &origins);
                self.put(Scalar::Powlog, &[of, two], span)
            }
            (Op::Scalar(Scalar::Pow), _)
                if factors[0] == of && self.model.filled(factors[1]).is_some() =>
            {
                self.put(Scalar::Powlog, &[of, factors[1]], span)
            }
            (_, Op::Scalar(Scalar::Square | Scalar::Abs)) if parts[0] == factor => {
                self.put(Scalar::Xlogy, &[factor, of], span)
            }
            (Op::Scalar(Scalar::Sqrt | Scalar::Abs), _) if factors[0] == of => {
                self.put(Scalar::Xlogy, &[factor, of], span)
            }
            _ => None,
        }
    }

    fn put(&mut self, row: Scalar, operands: &[NodeId], span: Span) -> Option<NodeId> {
        let origins = self.origins(span);
        self.model.insert(row, operands, &origins).ok()
    }
}
