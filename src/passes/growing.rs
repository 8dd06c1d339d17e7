//! Stability laws for sums with exponentials: they overflow where their logarithms do not.

use super::facts::{not_negative, positive};
use super::stabilise::Stabiliser;
use super::stable_steps::{LOG, logarithm, moves};
use crate::graph::{Model, NodeId, Origins};
use crate::ops::reduce::{Fold, Reduce};
use crate::ops::{Misfit, Number, Op, Scalar};

/// Sums of more terms are left as they are.
const TERMS: usize = 8;

/// How far growing values are looked for.
const DEPTH: usize = 4;

/// The more than `least` terms of a positive sum, some of which grow exponentially; the others, together, are positive too.
/// `None` where it is no such sum.
fn terms(cx: &Stabiliser, model: &Model, sum: NodeId, least: usize) -> Option<Vec<NodeId>> {
    let mut terms = Vec::new();
    let mut waiting = vec![sum];
    while let Some(id) = waiting.pop() {
        if cx.is_open(id) && *model.op(id) == Op::Scalar(Scalar::Add) {
            waiting.extend(model.operands(id).into_iter().rev());
        } else {
            terms.push(id);
        }
        if terms.len() + waiting.len() > TERMS {
            return None;
        }
    }
    let (growing, rest): (Vec<NodeId>, Vec<NodeId>) =
        terms.iter().partition(|&&term| grows(cx, model, term, DEPTH));
    let is_positive = |&term: &NodeId| positive(model, term);
    let fit = terms.len() > least
        && !growing.is_empty()
        && growing.iter().all(is_positive)
        && rest.iter().all(|&term| not_negative(model, term))
        && (rest.is_empty() || rest.iter().any(is_positive));
    fit.then_some(terms)
}

/// Whether a positive value may overflow where its logarithm is moderate: an exponential, and what is made of one.
fn grows(cx: &Stabiliser, model: &Model, id: NodeId, depth: usize) -> bool {
    if depth == 0 || !cx.is_open(id) {
        return false;
    }
    let operands = model.operands(id);
    let of = |place: usize| grows(cx, model, operands[place], depth - 1);
    match model.op(id) {
        Op::Scalar(Scalar::Exp) => !falls(model, operands[0], DEPTH),
        Op::Scalar(Scalar::Cosh) => true,
        Op::Scalar(Scalar::Square) => of(0),
        op if moves(op) => of(0),
        Op::Scalar(Scalar::Mul) => of(0) || of(1),
        Op::Scalar(Scalar::Div) => of(0),
        Op::Reduce(Reduce { kind: Fold::Sum | Fold::Mean, .. }) => of(0),
        _ => false,
    }
}

/// Whether a value is positive and may overflow where its logarithm is moderate.
fn overflows(cx: &Stabiliser, model: &Model, id: NodeId) -> bool {
    terms(cx, model, id, 0).is_some()
}

/// Whether a value is not above 0, as far as its form tells.
fn falls(model: &Model, id: NodeId, depth: usize) -> bool {
    let operands = model.operands(id);
    let of = |place: usize| depth > 0 && falls(model, operands[place], depth - 1);
    let number = |place: usize| model.filled(operands[place]);
    match model.op(id) {
        Op::Const(constant) => constant.value.is_negative() || constant.value.is_zero(),
        Op::Scalar(Scalar::Neg) => not_negative(model, operands[0]),
        Op::Scalar(Scalar::Mul) => [(0, 1), (1, 0)].into_iter().any(|(one, other)| {
            number(one).is_some_and(Number::is_negative) && not_negative(model, operands[other])
        }),
        Op::Scalar(Scalar::Div) => of(0) && positive(model, operands[1]),
        Op::Broadcast(_) | Op::Reshape(_) => of(0),
        _ => false,
    }
}

/// The logarithm of a sum of such terms: those that grow by logarithms of their own, the others by one of their sum.
fn log_of_terms(
    cx: &mut Stabiliser,
    model: &mut Model,
    terms: &[NodeId],
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    let (growing, rest): (Vec<NodeId>, Vec<NodeId>) =
        terms.iter().copied().partition(|&term| grows(cx, model, term, DEPTH));
    let mut log = None;
    for term in growing {
        let next = cx.build(model, &LOG, &[term], origins)?;
        log = Some(match log {
            None => next,
            Some(log) => model.insert(Scalar::Logaddexp, &[log, next], origins)?,
        });
    }
    let mut sum = None;
    for term in rest {
        sum = Some(match sum {
            None => term,
            Some(sum) => model.insert(Scalar::Add, &[sum, term], origins)?,
        });
    }
    match (log, sum) {
        (Some(log), Some(one)) if model.filled(one).is_some_and(|one| one.is_one()) => {
            model.insert(Scalar::Softplus, &[log], origins)
        }
        (Some(log), Some(sum)) => {
            let sum = cx.build(model, &LOG, &[sum], origins)?;
            model.insert(Scalar::Logaddexp, &[log, sum], origins)
        }
        (Some(log), None) => Ok(log),
        (None, Some(sum)) => cx.build(model, &LOG, &[sum], origins),
        (None, None) => unreachable!("a sum has terms"),
    }
}

/// `log(2 + exp(x))` is `logaddexp(x, log(2))`.
pub fn log_of_growing(
    cx: &mut Stabiliser,
    model: &mut Model,
    op: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    let one = *op == Op::Scalar(Scalar::Log1p);
    let Some(terms) = terms(cx, model, operands[0], usize::from(!one)) else { return Ok(None) };
    let log = log_of_terms(cx, model, &terms, origins)?;
    if one { model.insert(Scalar::Softplus, &[log], origins) } else { Ok(log) }.map(Some)
}

/// `log(p / q)` is `log(p) - log(q)` where laws make both stable.
pub fn log_of_quotient(
    cx: &mut Stabiliser,
    model: &mut Model,
    _: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    let quotient = operands[0];
    let divides = |op: &Op| *op == Op::Scalar(Scalar::Div);
    if !cx.is_open(quotient) || !divides(model.op(quotient)) {
        return Ok(None);
    }
    let parts = model.operands(quotient);
    if !parts.iter().all(|&part| positive(model, part)) {
        return Ok(None);
    }
    let Some(above) = logarithm(cx, model, parts[0], origins)? else { return Ok(None) };
    let Some(below) = logarithm(cx, model, parts[1], origins)? else { return Ok(None) };
    cx.build(model, &Scalar::Sub.into(), &[above, below], origins).map(Some)
}

/// `exp(x) / (exp(x) + y)` is `sigmoid(x - log(y))`, `1 / (2 + exp(x))` is `sigmoid(log(2) - x) / 2`, and other quotients by
/// such sums, or by roots of them, are products with `exp(-log(sum))`.
pub fn quotient_by_growing(
    cx: &mut Stabiliser,
    model: &mut Model,
    _: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    let (above, below) = (operands[0], operands[1]);
    if let Some(log) = log_of_root(cx, model, below) {
        return by_exp(cx, model, above, log, origins).map(Some);
    }
    let Some(terms) = terms(cx, model, below, 1) else { return Ok(None) };
    let sigmoid = |cx: &mut Stabiliser, model: &mut Model, one: &[NodeId], rest: &[NodeId]| {
        let one = log_of_terms(cx, model, one, origins)?;
        let rest = log_of_terms(cx, model, rest, origins)?;
        let by = cx.build(model, &Scalar::Sub.into(), &[one, rest], origins)?;
        cx.build(model, &Scalar::Sigmoid.into(), &[by], origins)
    };
    let share = terms.iter().position(|&term| term == above && positive(model, term));
    if let Some(place) = share {
        let mut rest = terms;
        let one = rest.remove(place);
        return sigmoid(cx, model, &[one], &rest).map(Some);
    }
    let is_constant = |&term: &NodeId| model.filled(term).is_some() && positive(model, term);
    let constant = terms.iter().position(is_constant);
    if let Some(place) = constant.filter(|_| !overflows(cx, model, above)) {
        let mut rest = terms;
        let one = rest.remove(place);
        let share = sigmoid(cx, model, &[one], &rest)?;
        let scaled = match model.filled(one).is_some_and(|one| one.is_one()) {
            true => above,
            false => cx.build(model, &Scalar::Div.into(), &[above, one], origins)?,
        };
        return cx.build(model, &Scalar::Mul.into(), &[share, scaled], origins).map(Some);
    }
    let log = log_of_terms(cx, model, &terms, origins)?;
    by_exp(cx, model, above, log, origins).map(Some)
}

/// `sqrt(1 + exp(x))` is `exp(softplus(x) / 2)`, and so are other powers below 1.
pub fn power_of_growing(
    cx: &mut Stabiliser,
    model: &mut Model,
    op: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    let power = match op {
        Op::Scalar(Scalar::Sqrt) => Some(Number::ratio(1, 2)),
        Op::Scalar(Scalar::Pow) => model.filled(operands[1]),
        _ => None,
    };
    let Some(power) = power.filter(|power| power.to_f64() < 1.0) else { return Ok(None) };
    let Some(terms) = terms(cx, model, operands[0], 1) else { return Ok(None) };
    let log = log_of_terms(cx, model, &terms, origins)?;
    let log = scaled(model, log, power, origins)?;
    model.insert(Scalar::Exp, &[log], origins).map(Some)
}

/// The exponent of what `power_of_growing` makes.
fn log_of_root(cx: &Stabiliser, model: &Model, id: NodeId) -> Option<NodeId> {
    if !cx.is_open(id) || *model.op(id) != Op::Scalar(Scalar::Exp) {
        return None;
    }
    let exponent = model.operands(id)[0];
    let logs = |op: &Op| matches!(op, Op::Scalar(Scalar::Softplus | Scalar::Logaddexp));
    let product = *model.op(exponent) == Op::Scalar(Scalar::Mul);
    (product && logs(model.op(model.operands(exponent)[1]))).then_some(exponent)
}

fn scaled(model: &mut Model, id: NodeId, by: Number, origins: &Origins) -> Result<NodeId, Misfit> {
    let number = model.number(model.ty(id).dtype, by, origins);
    model.insert(Scalar::Mul, &[number, id], origins)
}

/// `x * exp(-log)`; of an `x` that may overflow itself one exponential.
fn by_exp(
    cx: &mut Stabiliser,
    model: &mut Model,
    x: NodeId,
    log: NodeId,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    if overflows(cx, model, x) {
        let x = cx.build(model, &LOG, &[x], origins)?;
        let difference = cx.build(model, &Scalar::Sub.into(), &[x, log], origins)?;
        return model.insert(Scalar::Exp, &[difference], origins);
    }
    let log = model.insert(Scalar::Neg, &[log], origins)?;
    let power = model.insert(Scalar::Exp, &[log], origins)?;
    match model.filled(x) {
        Some(one) if one.is_one() => Ok(power),
        _ => model.insert(Scalar::Mul, &[x, power], origins),
    }
}
