//! What is known of values before they have numbers: the side conditions of laws.

use crate::graph::{Model, NodeId};
use crate::ops::index::Diag;
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

/// Whether a value is finite wherever the variables are, as far as nothing overflows.
pub fn regular(model: &Model, id: NodeId) -> bool {
    let mut waiting = vec![id];
    let mut place = 0;
    while place < waiting.len() {
        let id = waiting[place];
        let operands = model.operands(id);
        let divides = |by: NodeId| model.filled(by).is_some() || sign(model, by, 2) == Some(true);
        let fine = match model.op(id) {
            Op::Scalar(Scalar::Div) => divides(operands[1]),
            Op::Scalar(Scalar::Pow) => {
                let power = model.filled(operands[1]).and_then(Number::to_i64);
                power.is_some_and(|power| power >= 0)
            }
            Op::Scalar(Scalar::Exp | Scalar::Expm1 | Scalar::Sinh | Scalar::Cosh) => true,
            Op::Scalar(row) => row.is_regular(),
            Op::Matrix(_) | Op::Solve(_) | Op::Scan(_) | Op::Part(_) => false,
            _ => true,
        };
        if !fine || waiting.len() > WORK {
            return false;
        }
        let fresh = operands.into_iter().filter(|id| model.ty(*id).dtype.is_float());
        let fresh: Vec<NodeId> = fresh.filter(|id| !waiting.contains(id)).collect();
        waiting.extend(fresh);
        place += 1;
    }
    true
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
    model.ty(id).rank() == 2 && Turned { model, work: WORK }.is(id, id)
}

/// So many pairs of values are looked at for the symmetry of one.
const WORK: usize = 200;

/// Values and the same with their first two axes in the other order.
struct Turned<'a> {
    model: &'a Model,
    work: usize,
}

impl Turned<'_> {
    /// Whether b is a with its first two axes in the other order. If not, nothing is known.
    fn is(&mut self, a: NodeId, b: NodeId) -> bool {
        let model = self.model;
        let (one, two) = (&model.ty(a).shape, &model.ty(b).shape);
        if one.len() < 2 || two.len() < 2 || (&one[0], &one[1]) != (&two[1], &two[0]) {
            return false;
        }
        let Some(work) = self.work.checked_sub(1) else { return false };
        self.work = work;
        if is_transpose_of(model, a, b) {
            return true;
        }
        let (x, y) = (model.operands(a), model.operands(b));
        match (model.op(a), model.op(b)) {
            (Op::Eye(_) | Op::Diag(Diag::Make), _) => a == b && one.len() == 2,
            (Op::Variable(variable), _) => {
                a == b && model.variables.get(&variable.name).is_some_and(|known| known.symmetric)
            }
            (Op::Outer(_), Op::Outer(_)) => x[0] == y[1] && x[1] == y[0],
            (Op::MatMul(_), Op::MatMul(_)) => self.is_product(a, b),
            (Op::Matrix(Matrix::Inverse), Op::Matrix(Matrix::Inverse)) => self.is(x[0], y[0]),
            (Op::Broadcast(one), Op::Broadcast(two)) => {
                let mut turned = two.from.clone();
                turned.swap(0, 1);
                x[0] == y[0] && one.from == turned
                    || one.from == two.from
                        && one.from[..2] == [Some(0), Some(1)]
                        && self.is(x[0], y[0])
            }
            (Op::Reduce(one), Op::Reduce(two)) => {
                one == two && one.axes.iter().all(|&axis| axis > 1) && self.is(x[0], y[0])
            }
            (Op::Select(_), Op::Select(_)) => (0..3).all(|i| self.is_or_scalar(x[i], y[i])),
            (Op::Scalar(Scalar::Add | Scalar::Sub), Op::Scalar(Scalar::Add | Scalar::Sub)) => {
                self.is_sum(a, b)
            }
            (Op::Scalar(row), Op::Scalar(other)) if row == other => {
                let mut places = 0..x.len();
                places.all(|i| self.is_or_scalar(x[i], y[i]))
                    || *row == Scalar::Mul
                        && self.is_or_scalar(x[0], y[1])
                        && self.is_or_scalar(x[1], y[0])
                    || matches!(row, Scalar::Square | Scalar::Abs | Scalar::Cos | Scalar::Cosh)
                        && self.is_opposite(x[0], y[0])
            }
            _ => false,
        }
    }

    fn is_or_scalar(&mut self, a: NodeId, b: NodeId) -> bool {
        a == b && self.model.ty(a).rank() == 0 || self.is(a, b)
    }

    /// Whether b is the opposite of a with its first two axes in the other order.
    fn is_opposite(&mut self, a: NodeId, b: NodeId) -> bool {
        let model = self.model;
        let difference = |id| matches!(model.op(id), Op::Scalar(Scalar::Sub));
        let (x, y) = (model.operands(a), model.operands(b));
        difference(a) && difference(b) && self.is(x[0], y[1]) && self.is(x[1], y[0])
    }

    /// The same of sums, whatever the order of their terms.
    fn is_sum(&mut self, a: NodeId, b: NodeId) -> bool {
        let (one, mut two) = (terms(self.model, a), terms(self.model, b));
        one.len() == two.len()
            && one.iter().all(|&(a, sign)| {
                let like = two.iter().position(|&(b, s)| s == sign && self.is_or_scalar(a, b));
                like.map(|like| two.swap_remove(like)).is_some()
            })
    }

    /// The same of products: the factors from the other end, each turned. A number before a factor counts for all.
    fn is_product(&mut self, a: NodeId, b: NodeId) -> bool {
        let (mut one, mut two) = (Factored::default(), Factored::default());
        one.gather(self.model, a);
        two.gather(self.model, b);
        let same = one.factors.len() == two.factors.len() && one.scalars == two.scalars;
        let mut pairs = one.factors.iter().zip(two.factors.iter().rev());
        same && pairs.all(|(&a, &b)| self.is(a, b))
    }
}

/// The terms of a sum, and whether each is subtracted.
fn terms(model: &Model, id: NodeId) -> Vec<(NodeId, bool)> {
    let mut found = Vec::new();
    let mut waiting = vec![(id, false)];
    while let Some((id, negative)) = waiting.pop() {
        let row = match model.op(id) {
            Op::Scalar(row @ (Scalar::Add | Scalar::Sub)) if found.len() < DEPTH => *row,
            _ => {
                found.push((id, negative));
                continue;
            }
        };
        let operands = model.operands(id);
        waiting.push((operands[0], negative));
        waiting.push((operands[1], negative != (row == Scalar::Sub)));
    }
    found
}

/// The factors of a matrix product, with the scalars before them.
#[derive(Default)]
struct Factored {
    factors: Vec<NodeId>,
    scalars: Vec<NodeId>,
}

impl Factored {
    fn gather(&mut self, model: &Model, id: NodeId) {
        let operands = model.operands(id);
        let scalar = |i: usize| model.ty(operands[i]).rank() == 0;
        match model.op(id) {
            Op::MatMul(_) if self.factors.len() < DEPTH => {
                self.gather(model, operands[0]);
                self.gather(model, operands[1]);
            }
            Op::Scalar(Scalar::Mul) if scalar(0) || scalar(1) => {
                let place = usize::from(!scalar(0));
                self.scalars.push(operands[place]);
                self.gather(model, operands[1 - place]);
            }
            _ => self.factors.push(id),
        }
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
