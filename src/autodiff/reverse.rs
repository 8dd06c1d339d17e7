//! Reverse mode: from the adjoint of a value to the adjoints of what it is computed from.

use crate::graph::{Model, NodeId, Operands, Origin, Origins};
use crate::ops::reduce::{Fold, Reduce};
use crate::ops::shape::Broadcast;
use crate::ops::term::{select, spread, sum};
use crate::ops::{Misfit, Op, Operator, Rule, Scalar, Term};

/// What reaches a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Its adjoint.
    Adjoint(NodeId),
    /// Nothing: the value does not depend on it.
    Apart,
    /// Nothing: each way to it leads through an operator without derivative, such as this one.
    Cut(NodeId),
}

/// The adjoints of `wrt` where the adjoint of `of` is `seed`, which has the type of `of`. Only what lies between is walked.
pub fn reverse(
    model: &mut Model,
    of: NodeId,
    seed: NodeId,
    wrt: &[NodeId],
) -> Result<Vec<Flow>, Misfit> {
    let between = between(model, of, wrt);
    let mut adjoints: Vec<Option<NodeId>> = vec![None; of.index() + 1];
    let mut cuts: Vec<Option<NodeId>> = vec![None; of.index() + 1];
    if between[of.index()] {
        adjoints[of.index()] = Some(seed);
    }
    for index in (0..=of.index()).rev().filter(|&index| between[index]) {
        let id = NodeId::new(index);
        let operands = model.operands(id);
        let Some(adjoint) = adjoints[index] else {
            // The cut nearest to the variable tells most: beyond it the value is not continuous in the variable.
            let flows = if operands.is_empty() { Vec::new() } else { contributions(model, id) };
            for (operand, flow) in operands.into_iter().zip(flows) {
                let cut = if flow.is_none() { Some(id) } else { cuts[index] };
                cuts[operand.index()] = cut.or(cuts[operand.index()]);
            }
            continue;
        };
        model.adjoints.push((id, adjoint));
        if operands.is_empty() {
            continue;
        }
        for (place, term) in contributions(model, id).into_iter().enumerate() {
            let operand = operands[place];
            if !between[operand.index()] {
                continue;
            }
            let Some(term) = term else {
                cuts[operand.index()] = Some(id);
                continue;
            };
            let origins = origin(model, id, place, operands.len());
            let mut flow = planted(model, &term, id, &operands, adjoint, &origins)?;
            if model.ty(operand).rank() == 0 && model.ty(flow).rank() > 0 {
                flow = summed(model, flow, &origins)?;
            }
            let total = match adjoints[operand.index()] {
                None => flow,
                Some(known) => sum_of(model, known, flow, &origins)?,
            };
            adjoints[operand.index()] = Some(total);
        }
    }
    Ok(wrt
        .iter()
        .map(|id| {
            match (
                adjoints.get(id.index()).copied().flatten(),
                cuts.get(id.index()).copied().flatten(),
            ) {
                (Some(adjoint), _) => Flow::Adjoint(adjoint),
                (None, Some(cut)) => Flow::Cut(cut),
                (None, None) => Flow::Apart,
            }
        })
        .collect())
}

/// The sum of all elements; under the condition that guards them all alike, if one does.
fn summed(model: &mut Model, flow: NodeId, origins: &Origins) -> Result<NodeId, Misfit> {
    let axes: Vec<usize> = (0..model.ty(flow).rank()).collect();
    let dtype = model.ty(flow).dtype;
    let total = sum(&axes, Term::Var(0));
    let alike = guard(model, flow).filter(|guard| {
        model.ty(guard.condition).rank() == 0 && model.ty(guard.taken).rank() == axes.len()
    });
    match alike {
        Some(guard) => {
            let taken = model.plant(&total, &[guard.taken], dtype, origins)?;
            model.plant(&guard.around(), &[guard.condition, taken], dtype, origins)
        }
        None => model.plant(&total, &[flow], dtype, origins),
    }
}

/// Which nodes up to `of` depend on `wrt` and are needed by `of`.
pub(super) fn between(model: &Model, of: NodeId, wrt: &[NodeId]) -> Vec<bool> {
    let mut depends = vec![false; of.index() + 1];
    for id in wrt.iter().filter(|id| **id <= of) {
        depends[id.index()] = true;
    }
    let first = wrt.iter().map(|id| id.index()).min().unwrap_or(0);
    for index in first..=of.index() {
        depends[index] |=
            model.operands(NodeId::new(index)).iter().any(|operand| depends[operand.index()]);
    }
    let mut needed = vec![false; of.index() + 1];
    needed[of.index()] = true;
    for index in (first..=of.index()).rev().filter(|&index| depends[index]) {
        if needed[index] {
            for operand in model.operands(NodeId::new(index)) {
                needed[operand.index()] = true;
            }
        }
    }
    depends.iter().zip(needed).map(|(depends, needed)| *depends && needed).collect()
}

pub(super) fn contributions(model: &Model, id: NodeId) -> Vec<Option<Term>> {
    let rule = Rule { operands: &model.operand_types(id), result: model.ty(id), dims: &model.dims };
    model.op(id).vjp(&rule)
}

pub(super) fn origin(model: &Model, id: NodeId, place: usize, operands: usize) -> Origins {
    let span = model.origins(id).span().unwrap_or_default();
    let operand = (operands > 1).then_some(place as u8);
    Origin::Adjoint { span, rule: model.op(id).name(), operand }.into()
}

/// The term with its variables in place. An adjoint that is 0 outside a condition guards all that is computed from it, so
/// that an infinite slope of the branch not taken leaks no NaN.
fn planted(
    model: &mut Model,
    term: &Term,
    id: NodeId,
    operands: &Operands,
    adjoint: NodeId,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    let dtype = model.ty(id).dtype;
    let mut variables = operands.clone();
    variables.extend([id, adjoint]);
    let Some(guard) = guard(model, adjoint).filter(|_| *term != Term::Var(operands.len() + 1))
    else {
        return model.plant(term, &variables, dtype, origins);
    };
    let Some(condition) = condition_behind(model, id, operands[0], &guard, origins)? else {
        return model.plant(term, &variables, dtype, origins);
    };
    variables[operands.len() + 1] = guard.taken;
    let flow = model.plant(term, &variables, dtype, origins)?;
    model.plant(&guard.around(), &[condition, flow], dtype, origins)
}

/// The condition under which the adjoint of the operand of `id` is not 0, where that of `id` is guarded.
fn condition_behind(
    model: &mut Model,
    id: NodeId,
    operand: NodeId,
    guard: &Guard,
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    let whole = [guard.condition, guard.taken]
        .iter()
        .all(|&part| model.ty(part).rank() == model.ty(id).rank());
    let one_for_all = model.ty(guard.condition).rank() == 0
        && model.ty(guard.taken).rank() == model.ty(id).rank();
    let shape = &model.ty(operand).shape;
    match model.op(id) {
        Op::Scalar(Scalar::Add | Scalar::Sub) => Ok(None),
        _ if one_for_all => Ok(Some(guard.condition)),
        Op::Scalar(_) => Ok(Some(guard.condition)),
        Op::Reduce(Reduce { kind: Fold::Sum | Fold::Mean, axes }) if whole => {
            let laid = spread(Term::Var(0), shape, axes);
            let truth = model.ty(guard.condition).dtype;
            model.plant(&laid, &[guard.condition], truth, origins).map(Some)
        }
        // What is laid out under a condition that is the same all along.
        Op::Broadcast(broadcast) if whole => {
            let Op::Broadcast(known) = model.op(guard.condition) else { return Ok(None) };
            let same = broadcast.repeated(model.ty(operand)).1.is_empty()
                && broadcast.from.iter().zip(&known.from).all(|(a, b)| a.is_some() || b.is_none());
            if !same {
                return Ok(None);
            }
            let places = (0..shape.len() as u8).map(|axis| {
                broadcast.from.iter().position(|from| *from == Some(axis)).expect("it is laid out")
            });
            let from = places.map(|place| known.from[place]).collect();
            let narrow = Broadcast { to: shape.clone(), from };
            let inner = model.operands(guard.condition)[0];
            model.insert(narrow, &[inner], origins).map(Some)
        }
        _ => Ok(None),
    }
}

/// A value that is 0 on one side of a condition.
struct Guard {
    condition: NodeId,
    taken: NodeId,
    /// Whether the value is 0 where the condition holds.
    otherwise: bool,
}

impl Guard {
    /// The value `Var(1)` under the condition `Var(0)`.
    fn around(&self) -> Term {
        if self.otherwise {
            select(Term::Var(0), 0, Term::Var(1))
        } else {
            select(Term::Var(0), Term::Var(1), 0)
        }
    }
}

fn guard(model: &mut Model, id: NodeId) -> Option<Guard> {
    let branches = model.operands(id);
    match model.op(id) {
        Op::Scalar(Scalar::Neg) if matches!(model.op(branches[0]), Op::Select(_)) => {
            let inner = guard(model, branches[0])?;
            let origins = model.origins(id).clone();
            let taken = model.insert(Scalar::Neg, &[inner.taken], &origins).ok()?;
            return Some(Guard { taken, ..inner });
        }
        Op::Select(_) => {}
        _ => return None,
    }
    let zero = |id: NodeId| model.filled(id).is_some_and(|number| number.is_zero());
    let otherwise = match (zero(branches[1]), zero(branches[2])) {
        (false, true) => false,
        (true, false) => true,
        _ => return None,
    };
    let taken = branches[if otherwise { 2 } else { 1 }];
    Some(Guard { condition: branches[0], taken, otherwise })
}

/// The sum of two adjoints; under one condition if both are, so that it guards what is computed from the sum.
fn sum_of(
    model: &mut Model,
    one: NodeId,
    two: NodeId,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    match (guard(model, one), guard(model, two)) {
        (Some(a), Some(b)) if a.condition == b.condition && a.otherwise == b.otherwise => {
            let sum = model.insert(Scalar::Add, &[a.taken, b.taken], origins)?;
            let dtype = model.ty(one).dtype;
            model.plant(&a.around(), &[a.condition, sum], dtype, origins)
        }
        _ => model.insert(Scalar::Add, &[one, two], origins),
    }
}
