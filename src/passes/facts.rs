//! What is known of values before they have numbers: the side conditions of laws.

use crate::graph::{Model, NodeId};
use crate::ops::linalg::Matrix;
use crate::ops::reduce::{Fold, Reduce};
use crate::ops::{Number, Op, Scalar};

/// How far facts are looked for.
const DEPTH: usize = 12;

/// Whether a value is above 0 wherever it is defined.
pub fn positive(model: &Model, id: NodeId) -> bool {
    sign(model, id, DEPTH) == Some(true)
}

/// Whether a value is not below 0 wherever it is defined.
pub fn not_negative(model: &Model, id: NodeId) -> bool {
    sign(model, id, DEPTH).is_some()
}

/// `Some(true)`: above 0; `Some(false)`: not below 0; `None`: not known.
fn sign(model: &Model, id: NodeId, depth: usize) -> Option<bool> {
    if depth == 0 {
        return None;
    }
    let operands = model.operands(id);
    let of = |i: usize| sign(model, operands[i], depth - 1);
    match model.op(id) {
        Op::Const(constant) => match constant.value {
            value if value.is_zero() => Some(false),
            value if value.is_negative() || value.to_f64().is_nan() => None,
            _ => Some(true),
        },
        Op::SizeOf(_) => Some(true),
        Op::Variable(variable) => {
            let range = model.variables.get(&variable.name)?.range.as_ref()?;
            let (size, number, closed) = &range.low;
            match number.or(size.known().map(Number::int)) {
                Some(low) if low.is_zero() => Some(!closed),
                Some(low) if low.to_f64() > 0.0 => Some(true),
                _ => None,
            }
        }
        Op::Softmax(_) => Some(!masked(model, operands[0])),
        Op::OneHot(_) | Op::Eye(_) => Some(false),
        Op::Broadcast(_) | Op::Reshape(_) | Op::Permute(_) | Op::Slice(_) | Op::Flip(_) => of(0),
        // Towards integers a fraction becomes 0.
        Op::Cast(cast) if cast.to.is_float() => of(0),
        Op::Cast(_) => Some(of(0)? & false),
        Op::Reduce(reduce) => match reduce.kind {
            Fold::Sum | Fold::Mean | Fold::Max | Fold::Min | Fold::Prod => of(0),
            _ => None,
        },
        Op::Select(_) => Some(of(1)? & of(2)?),
        Op::Scalar(row) => match row {
            Scalar::Exp => Some(!masked(model, operands[0])),
            Scalar::Sigmoid | Scalar::Cosh | Scalar::Softplus => Some(true),
            Scalar::Sub => {
                let one = model.filled(operands[0]).is_some_and(|number| number.is_one());
                let below = matches!(model.op(operands[1]), Op::Scalar(Scalar::Sigmoid));
                (one && below).then_some(true)
            }
            Scalar::Abs | Scalar::Relu => Some(false),
            Scalar::Square if of(0) == Some(true) => Some(true),
            Scalar::Square => Some(false),
            Scalar::Sqrt | Scalar::Rsqrt => of(0),
            Scalar::Add => Some(of(0)? | of(1)?),
            Scalar::Mul | Scalar::Div => Some(of(0)? & of(1)?),
            Scalar::Maximum => match (of(0), of(1)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(_), _) | (_, Some(_)) => Some(false),
                _ => None,
            },
            Scalar::Pow if of(0) == Some(true) => Some(true),
            _ => None,
        },
        _ => None,
    }
}

/// So many values are looked at for an infinite number.
const MASKED: usize = 64;

/// Whether an infinite number is written in what a value is computed from, as in `where(c, x, -inf)`: its exponential may
/// be 0. Variables are taken to be finite.
fn masked(model: &Model, id: NodeId) -> bool {
    let mut waiting = vec![id];
    let mut place = 0;
    while place < waiting.len().min(MASKED) {
        let id = waiting[place];
        if model.filled(id).is_some_and(|number| number.to_f64().is_infinite()) {
            return true;
        }
        waiting.extend(model.operands(id).into_iter().filter(|&id| model.ty(id).dtype.is_float()));
        place += 1;
    }
    false
}

/// Whether a value is a sum of squares: not below 0, and flat where it is 0.
pub fn squares(model: &Model, id: NodeId) -> bool {
    sum_of_squares(model, id, DEPTH)
}

fn sum_of_squares(model: &Model, id: NodeId, depth: usize) -> bool {
    if depth == 0 {
        return false;
    }
    let operands = model.operands(id);
    let of = |i: usize| sum_of_squares(model, operands[i], depth - 1);
    let weight = |i: usize| {
        model.ty(operands[i]).rank() == 0 && sign(model, operands[i], depth - 1) == Some(true)
    };
    match model.op(id) {
        Op::Scalar(Scalar::Square) => true,
        Op::Scalar(Scalar::Mul) => {
            operands[0] == operands[1] || (weight(0) && of(1)) || (of(0) && weight(1))
        }
        Op::Scalar(Scalar::Div) => of(0) && weight(1),
        Op::Scalar(Scalar::Add) => of(0) && of(1),
        Op::MatMul(_) => operands[0] == operands[1] && model.ty(id).rank() == 0,
        Op::Reduce(Reduce { kind: Fold::Sum | Fold::Mean, .. }) => of(0),
        Op::Broadcast(_) | Op::Reshape(_) | Op::Permute(_) | Op::Slice(_) => of(0),
        _ => false,
    }
}

/// Whether a matrix equals its transpose.
pub fn symmetric(model: &Model, id: NodeId) -> bool {
    is_symmetric(model, id, DEPTH)
}

fn is_symmetric(model: &Model, id: NodeId, depth: usize) -> bool {
    if depth == 0 || model.ty(id).rank() != 2 {
        return false;
    }
    let operands = model.operands(id);
    let of = |i: usize| is_symmetric(model, operands[i], depth - 1);
    match model.op(id) {
        Op::Eye(_) => true,
        Op::Variable(variable) => {
            model.variables.get(&variable.name).is_some_and(|variable| variable.symmetric)
        }
        Op::Diag(crate::ops::index::Diag::Make) => true,
        Op::Outer(_) => operands[0] == operands[1],
        Op::MatMul(_) => is_transpose_of(model, operands[0], operands[1]),
        Op::Matrix(Matrix::Inverse) => of(0),
        Op::Scalar(row) => {
            let pair = matches!(row, Scalar::Add | Scalar::Mul)
                && is_transpose_of(model, operands[0], operands[1]);
            let scalar = |i: usize| model.ty(operands[i]).rank() == 0;
            pair || (0..operands.len()).all(|i| scalar(i) || of(i))
        }
        _ => false,
    }
}

/// Whether one of two matrices is written as the transpose of the other.
pub fn is_transpose_of(model: &Model, a: NodeId, b: NodeId) -> bool {
    let of = |x: NodeId, y: NodeId| {
        matches!(model.op(x), Op::Permute(permute) if permute.is_transpose())
            && model.operands(x)[0] == y
    };
    of(a, b) || of(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Origins;
    use crate::ops::leaf::Eye;
    use crate::tensor::DType;

    #[test]
    fn symmetry_is_not_looked_for_far_away() {
        let mut model = Model::default();
        let eye = Eye { dtype: DType::F64, size: 3.into() };
        let eye = model.insert(eye, &[], &Origins::default()).expect("it fits");
        let mut add = |sum| {
            let sum = model.insert(Scalar::Add, &[sum, eye], &Origins::default());
            sum.expect("it fits")
        };
        let near = add(eye);
        let far = (0..100_000).fold(near, |sum, _| add(sum));
        assert!(symmetric(&model, near));
        assert!(!symmetric(&model, far));
    }
}
