//! Both sides of a sigmoid: `(1 - y) * sigmoid(z) - y * sigmoid(-z)` is `sigmoid(z) - y`.

use super::law::Cx;
use super::product::Product;
use super::structure::Found;
use crate::graph::{Model, NodeId, Origins};
use crate::ops::leaf::Const;
use crate::ops::{Misfit, Number, Op, Scalar};

/// `1 - sigmoid(x)` is `sigmoid(-x)` where the source text has that.
pub fn other_side(cx: &mut Cx, op: &Op, operands: &[NodeId], _: &Origins) -> Found {
    const SIGMOID: Op = Op::Scalar(Scalar::Sigmoid);
    let model = cx.see();
    if *op != Op::Scalar(Scalar::Sub)
        || *model.op(operands[1]) != SIGMOID
        || model.filled(operands[0]) != Some(Number::ONE)
    {
        return Ok(None);
    }
    let x = model.operands(operands[1])[0];
    let other = negatives(model, x).into_iter().find_map(|x| model.find(&SIGMOID, &[x]));
    Ok(other.filter(|&other| cx.is_forward(other)))
}

/// The values that are written as the negative of a value.
fn negatives(model: &Model, x: NodeId) -> Vec<NodeId> {
    let mut found: Vec<NodeId> = model.find(&Op::Scalar(Scalar::Neg), &[x]).into_iter().collect();
    let operands = model.operands(x);
    match model.op(x) {
        Op::Scalar(Scalar::Neg) => found.push(operands[0]),
        Op::Scalar(Scalar::Mul) => {
            for place in [0, 1] {
                let Op::Const(Const { dtype, value }) = *model.op(operands[place]) else {
                    continue;
                };
                let opposite = model.find(&Const { dtype, value: -value }.into(), &[]);
                let mut operands = operands.clone();
                found.extend(opposite.and_then(|opposite| {
                    operands[place] = opposite;
                    model.find(&Op::Scalar(Scalar::Mul), &operands)
                }));
            }
        }
        _ => {}
    }
    found
}

/// What two sides of one sigmoid come to.
enum Both {
    /// The rest times `sigmoid(z) - label`.
    Residual(NodeId),
    /// The rest times `tanh(z / 2)`.
    Tanh,
}

/// Puts two terms with the two sides of one sigmoid together, where the sum is shorter.
pub fn join(
    cx: &mut Cx,
    terms: &mut Vec<Product>,
    origins: &Origins,
    like: NodeId,
) -> Result<bool, Misfit> {
    let sided: Vec<(usize, NodeId, NodeId)> = terms
        .iter()
        .enumerate()
        .filter_map(|(place, term)| sigmoid(cx, term).map(|(id, z)| (place, id, z)))
        .collect();
    for &(rising, one, z) in &sided {
        for &(falling, other, _) in sided.iter().filter(|side| is_negative(cx, side.2, z)) {
            let (mut rise, mut fall) = (terms[rising].clone(), terms[falling].clone());
            rise.factors.retain(|(id, _)| *id != one);
            fall.factors.retain(|(id, _)| *id != other);
            let Some((both, mut rest)) = both(cx, rise, fall) else { continue };
            let value = match both {
                Both::Residual(label) => cx.scalar(Scalar::Sub, &[one, label], origins)?,
                Both::Tanh => {
                    let two = cx.number(like, Number::int(2), origins);
                    let half = cx.scalar(Scalar::Div, &[z, two], origins)?;
                    cx.scalar(Scalar::Tanh, &[half], origins)?
                }
            };
            rest.factors.insert(0, (value, 1));
            terms[rising.min(falling)] = rest;
            terms.remove(rising.max(falling));
            return Ok(true);
        }
    }
    Ok(false)
}

/// The sigmoid among the factors, and what it is of.
fn sigmoid(cx: &Cx, term: &Product) -> Option<(NodeId, NodeId)> {
    let model = cx.see();
    let is_sigmoid = |id: NodeId| *model.op(id) == Op::Scalar(Scalar::Sigmoid);
    let (id, _) = *term.factors.iter().find(|(id, e)| *e == 1 && is_sigmoid(*id))?;
    Some((id, model.operands(id)[0]))
}

/// Whether a value is written as the negative of another one.
fn is_negative(cx: &Cx, id: NodeId, of: NodeId) -> bool {
    let model = cx.see();
    let (a, b) = (model.operands(id), model.operands(of));
    match (model.op(id), model.op(of)) {
        (Op::Scalar(Scalar::Neg), _) if a[0] == of => true,
        (Op::Scalar(Scalar::Mul), Op::Scalar(Scalar::Mul)) if a[1] == b[1] => {
            let numbers = model.filled(a[0]).zip(model.filled(b[0]));
            numbers.is_some_and(|(a, b)| a.is_negative() && a == -b)
        }
        _ => false,
    }
}

/// What `rise * sigmoid(z) + fall * sigmoid(-z)` comes to: opposite, with the same factors but for a label and 1 less it.
fn both(cx: &Cx, mut rise: Product, mut fall: Product) -> Option<(Both, Product)> {
    if rise.number != -fall.number {
        return None;
    }
    let (a, b) = (rise.factors.clone(), fall.factors.clone());
    rise.factors.retain(|factor| !b.contains(factor));
    fall.factors.retain(|factor| !a.contains(factor));
    let rest = Product {
        factors: a.into_iter().filter(|factor| b.contains(factor)).collect(),
        ..rise.clone()
    };
    match (rise.factors.as_slice(), fall.factors.as_slice()) {
        ([], []) => Some((Both::Tanh, rest)),
        ([(one, 1)], [(two, 1)]) => {
            let label = complement(cx, *one, *two) || complement(cx, *two, *one);
            label.then_some((Both::Residual(*two), rest))
        }
        _ => None,
    }
}

/// Whether `whole` is 1 less `part`.
fn complement(cx: &Cx, whole: NodeId, part: NodeId) -> bool {
    let model = cx.see();
    let operands = model.operands(whole);
    *model.op(whole) == Op::Scalar(Scalar::Sub)
        && operands[1] == part
        && model.filled(operands[0]) == Some(Number::ONE)
}
