//! Stability laws that no term can say.

use super::growing::{log_of_growing, log_of_quotient, power_of_growing, quotient_by_growing};
use super::stabilise::Stabiliser;
use crate::graph::{Model, NodeId, Operands, Origins};
use crate::ops::reduce::{Fold, Reduce};
use crate::ops::{Misfit, Op, Scalar};

/// A step on an operator about to be inserted.
type Step =
    fn(&mut Stabiliser, &mut Model, &Op, &[NodeId], &Origins) -> Result<Option<NodeId>, Misfit>;

/// All of them with their equalities, and the operators that they begin with.
pub const STEPS: &[(&str, &str, &[Scalar], Step)] = &[
    ("log of chosen elements", "log(p[i]) => log(p)[i]", &[Scalar::Log], log_of_chosen),
    (
        "log of a choice",
        "log(where(c, p, q)) => where(c, log(p), log(q))",
        &[Scalar::Log],
        log_of_choice,
    ),
    (
        "log of one among many",
        "log(sum[K](one_hot(i, K) * p)) => sum[K](one_hot(i, K) * log(p))",
        &[Scalar::Log],
        log_of_one,
    ),
    ("log of a quotient", "log(p / q) => log(p) - log(q)", &[Scalar::Log], log_of_quotient),
    (
        "log of a sum with exponentials",
        "log(p + exp(x)) => logaddexp(x, log(p))",
        &[Scalar::Log, Scalar::Log1p],
        log_of_growing,
    ),
    (
        "quotient by a sum with exponentials",
        "exp(x) / (exp(x) + p) => sigmoid(x - log(p))",
        &[Scalar::Div],
        quotient_by_growing,
    ),
    (
        "root of a sum with exponentials",
        "sqrt(p + exp(x)) => exp(logaddexp(x, log(p)) / 2)",
        &[Scalar::Sqrt, Scalar::Pow],
        power_of_growing,
    ),
];

/// What most of them begin with.
pub const LOG: Op = Op::Scalar(Scalar::Log);

/// `log(p[i])` is `log(p)[i]`, for whatever moves elements, where a law makes `log(p)` stable.
fn log_of_chosen(
    cx: &mut Stabiliser,
    model: &mut Model,
    _: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    let mut chain: Vec<NodeId> = Vec::new();
    let mut at = operands[0];
    while cx.is_open(at) && moves(model.op(at)) {
        chain.push(at);
        at = model.operands(at)[0];
    }
    if chain.is_empty() {
        return Ok(None);
    }
    let Some(mut value) = logarithm(cx, model, at, origins)? else { return Ok(None) };
    for id in chain.into_iter().rev() {
        let mut operands: Operands = model.operands(id);
        operands[0] = value;
        value = model.insert(model.op(id).clone(), &operands, origins)?;
    }
    Ok(Some(value))
}

/// Whether an operator moves elements.
pub fn moves(op: &Op) -> bool {
    matches!(
        op,
        Op::TakeAlong(_)
            | Op::Gather(_)
            | Op::Slice(_)
            | Op::Reshape(_)
            | Op::Permute(_)
            | Op::Flip(_)
            | Op::Broadcast(_)
    )
}

/// `log(where(c, p, 1 - p))` is `where(c, log(p), log(1 - p))` where a law makes one of the two stable.
fn log_of_choice(
    cx: &mut Stabiliser,
    model: &mut Model,
    _: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    if !cx.is_open(operands[0]) || !matches!(model.op(operands[0]), Op::Select(_)) {
        return Ok(None);
    }
    let before = cx.count();
    let mut branches = model.operands(operands[0]);
    for branch in &mut branches[1..] {
        *branch = cx.build(model, &LOG, &[*branch], origins)?;
    }
    if cx.count() == before {
        return Ok(None);
    }
    model.insert(model.op(operands[0]).clone(), &branches, origins).map(Some)
}

/// `log(sum[K](one_hot(i, K) * p))` is `sum[K](one_hot(i, K) * log(p))` where a law makes `log(p)` stable.
fn log_of_one(
    cx: &mut Stabiliser,
    model: &mut Model,
    _: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    let Op::Reduce(Reduce { kind: Fold::Sum, axes }) = model.op(operands[0]).clone() else {
        return Ok(None);
    };
    let product = model.operands(operands[0])[0];
    let open = cx.is_open(operands[0]) && cx.is_open(product);
    if !open || *model.op(product) != Op::Scalar(Scalar::Mul) {
        return Ok(None);
    }
    let factors = model.operands(product);
    for (one, other) in [(0, 1), (1, 0)] {
        let along = match model.op(factors[one]) {
            Op::OneHot(hot) => axes.as_slice() == [hot.axis],
            _ => false,
        };
        if !along {
            continue;
        }
        let Some(value) = logarithm(cx, model, factors[other], origins)? else { continue };
        let product = model.insert(Scalar::Mul, &[factors[one], value], origins)?;
        let sum = Reduce { kind: Fold::Sum, axes };
        return model.insert(sum, &[product], origins).map(Some);
    }
    Ok(None)
}

/// The logarithm of a value where a law makes it stable.
pub fn logarithm(
    cx: &mut Stabiliser,
    model: &mut Model,
    of: NodeId,
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    let before = cx.count();
    let node = cx.build(model, &LOG, &[of], origins)?;
    let row = *model.op(node) != LOG && cx.count() > before;
    Ok(row.then_some(node))
}
