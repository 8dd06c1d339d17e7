//! Reverse mode: from the adjoint of a value to the adjoints of what it is computed from.

use super::derivative::{derive, shaped};
use super::guard::{Guards, sum_of, summed};
use super::scan::{self, Bundle};
use crate::graph::{Model, NodeId, Operands, Origin, Origins};
use crate::ops::{Misfit, Op, Operator, Rule, Term};
use rustc_hash::FxHashMap;

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
    reverse_all(model, &[(of, seed)], wrt)
}

/// The adjoints of `wrt` where each of several values has the adjoint beside it.
pub fn reverse_all(
    model: &mut Model,
    roots: &[(NodeId, NodeId)],
    wrt: &[NodeId],
) -> Result<Vec<Flow>, Misfit> {
    let between = between(model, roots.iter().map(|(of, _)| *of), wrt);
    let mut guards = Guards::new(model, roots.iter().map(|(of, _)| *of), &between);
    let mut adjoints: Vec<Option<NodeId>> = vec![None; between.len()];
    let mut cuts: Vec<Option<NodeId>> = vec![None; between.len()];
    let mut bundles: FxHashMap<NodeId, Bundle> = FxHashMap::default();
    for &(of, seed) in roots.iter().filter(|(of, _)| between[of.index()]) {
        let origins = model.origins(seed).clone();
        add(model, &mut adjoints, of, seed, &origins)?;
    }
    for index in (0..between.len()).rev().filter(|&index| between[index]) {
        let id = NodeId::new(index);
        let operands = model.operands(id);
        if let Some(bundle) = bundles.remove(&id) {
            let flows = scan::pulled(model, id, &bundle, |operand| between[operand.index()])?;
            for (place, (&operand, flow)) in operands.iter().zip(flows).enumerate() {
                match flow {
                    Some(flow) => {
                        guards.flows(model, id, place, operand);
                        let origins = model.origins(flow).clone();
                        let flow = guards.whole(model, id, flow, &origins)?;
                        add(model, &mut adjoints, operand, flow, &origins)?;
                    }
                    None if between[operand.index()] => cuts[operand.index()] = Some(id),
                    None => {}
                }
            }
            continue;
        }
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
        if let Op::Part(part) = model.op(id) {
            bundles.entry(operands[0]).or_default().push((part.which, adjoint));
            guards.flows(model, id, 0, operands[0]);
            continue;
        }
        if operands.is_empty() {
            continue;
        }
        let shared = shared(model, id, adjoint)?;
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
            guards.flows(model, id, place, operand);
            let variables = shared.clone();
            let mut flow = guards.planted(model, &term, (id, place), variables, &origins)?;
            if model.ty(operand).rank() == 0 && model.ty(flow).rank() > 0 {
                flow = summed(model, flow, &origins)?;
            }
            add(model, &mut adjoints, operand, flow, &origins)?;
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

/// Adds to the adjoint of a node.
fn add(
    model: &mut Model,
    adjoints: &mut [Option<NodeId>],
    of: NodeId,
    flow: NodeId,
    origins: &Origins,
) -> Result<(), Misfit> {
    let total = match adjoints[of.index()] {
        None => flow,
        Some(known) => sum_of(model, known, flow, origins)?,
    };
    adjoints[of.index()] = Some(total);
    Ok(())
}

/// Which nodes up to the last of `roots` depend on `wrt` and are needed by one of the roots.
pub(super) fn between(
    model: &Model,
    roots: impl Iterator<Item = NodeId>,
    wrt: &[NodeId],
) -> Vec<bool> {
    let roots: Vec<NodeId> = roots.collect();
    let Some(&of) = roots.iter().max() else { return Vec::new() };
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
    roots.iter().for_each(|root| needed[root.index()] = true);
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

/// The values that derivative rules of `id` are written in: operands, result, adjoint, shared steps.
pub(super) fn shared(model: &mut Model, id: NodeId, adjoint: NodeId) -> Result<Operands, Misfit> {
    let mut values = model.operands(id);
    let count = values.len();
    values.extend([id, adjoint]);
    if model.op(id).steps().is_empty() {
        return Ok(values);
    }
    let op = model.op(id).clone();
    let origins = origin(model, id, 0, 1);
    // Steps are written for an adjoint with all its axes.
    values[count + 1] = shaped(model, adjoint, id, &origins)?;
    for (step, operands) in op.steps() {
        let operands: Operands = operands.iter().map(|&number| values[number]).collect();
        values.push(match step {
            Op::Derivative(derivative) => {
                let (of, wrt, vector) = (operands[0], operands[1], operands.get(2).copied());
                derive(model, derivative.mode, of, &[wrt], vector, &origins)?.remove(0).1
            }
            step => model.insert(step.clone(), &operands, &origins)?,
        });
    }
    Ok(values)
}

pub(super) fn origin(model: &Model, id: NodeId, place: usize, operands: usize) -> Origins {
    let span = model.origins(id).span().unwrap_or_default();
    let operand = (operands > 1).then_some(place as u8);
    let origins: Origins = Origin::Adjoint { span, rule: model.op(id).name(), operand }.into();
    origins.within(model.origins(id).call())
}
