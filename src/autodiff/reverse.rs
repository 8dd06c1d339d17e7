//! Reverse mode: from the adjoint of a value to the adjoints of what it is computed from.

use super::beside::Beside;
use super::derivative::{derive, shaped};
use super::guard::{Guards, sum_of, summed};
use super::scan::{self, Bundle};
use crate::graph::{Model, NodeId, Operands, Origin, Origins};
use crate::ops::{Misfit, Name, Op, Operator, Rule, Term};
use rustc_hash::FxHashMap;
use std::cell::OnceCell;

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

/// What nodes are called; where there are several names, by the first.
pub(super) struct Called(FxHashMap<NodeId, Name>);

impl Called {
    pub fn new(model: &Model) -> Called {
        let variables = model.variables.iter().map(|(name, variable)| (name, variable.node));
        let mut called = FxHashMap::default();
        for (name, node) in model.names.iter().map(|(name, node)| (name, *node)).chain(variables) {
            called.entry(node).or_insert_with(|| name.clone());
        }
        Called(called)
    }

    /// The name of a node.
    pub fn name(&self, id: NodeId) -> Option<&Name> {
        self.0.get(&id)
    }
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
    reverse_called(model, roots, wrt, &OnceCell::new())
}

/// The same where what nodes are called may be known already.
pub(super) fn reverse_called(
    model: &mut Model,
    roots: &[(NodeId, NodeId)],
    wrt: &[NodeId],
    called: &OnceCell<Called>,
) -> Result<Vec<Flow>, Misfit> {
    let between = between(model, roots.iter().map(|(of, _)| *of), wrt);
    let mut guards = Guards::new(model, roots.iter().map(|(of, _)| *of), &between);
    let mut adjoints: Beside<Option<NodeId>> = between.like(None);
    let mut cuts: FxHashMap<NodeId, NodeId> = FxHashMap::default();
    let mut bundles: FxHashMap<NodeId, Bundle> = FxHashMap::default();
    for &(of, seed) in roots.iter().filter(|(of, _)| between.holds(*of)) {
        let origins = model.origins(seed).clone();
        add(model, &mut adjoints, of, seed, &origins)?;
    }
    for id in between.marked().rev() {
        let operands = model.operands(id);
        if let Some(bundle) = bundles.remove(&id) {
            let wanted = |operand| between.holds(operand);
            let flows = scan::pulled(model, id, &bundle, wanted, called)?;
            for (place, (&operand, flow)) in operands.iter().zip(flows).enumerate() {
                match flow {
                    Some(flow) => {
                        guards.flows(model, id, place, operand);
                        let origins = model.origins(flow).clone();
                        let flow = guards.whole(model, id, flow, &origins)?;
                        add(model, &mut adjoints, operand, flow, &origins)?;
                    }
                    None if between.holds(operand) => drop(cuts.insert(operand, id)),
                    None => {}
                }
            }
            continue;
        }
        let Some(adjoint) = adjoints[id] else {
            // The cut nearest to the variable tells most: beyond it the value is not continuous in the variable.
            let flows = if operands.is_empty() { Vec::new() } else { contributions(model, id) };
            for (operand, flow) in operands.into_iter().zip(flows) {
                let cut = if flow.is_none() { Some(id) } else { cuts.get(&id).copied() };
                cuts.extend(cut.map(|cut| (operand, cut)));
            }
            continue;
        };
        model.adjoints.push((id, adjoint));
        if let Op::Part(part) = model.op(id) {
            bundles.entry(operands[0]).or_default().push((part.which, id, adjoint));
            guards.flows(model, id, 0, operands[0]);
            continue;
        }
        if operands.is_empty() {
            continue;
        }
        let shared = shared(model, id, adjoint)?;
        for (place, term) in contributions(model, id).into_iter().enumerate() {
            let operand = operands[place];
            if !between.holds(operand) {
                continue;
            }
            let Some(term) = term else {
                cuts.insert(operand, id);
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
        .map(|&id| match (adjoints.known(id), cuts.get(&id)) {
            (Some(adjoint), _) => Flow::Adjoint(adjoint),
            (None, Some(&cut)) => Flow::Cut(cut),
            (None, None) => Flow::Apart,
        })
        .collect())
}

/// Adds to the adjoint of a node.
fn add(
    model: &mut Model,
    adjoints: &mut Beside<Option<NodeId>>,
    of: NodeId,
    flow: NodeId,
    origins: &Origins,
) -> Result<(), Misfit> {
    let total = match adjoints[of] {
        None => flow,
        Some(known) => sum_of(model, known, flow, origins)?,
    };
    adjoints[of] = Some(total);
    Ok(())
}

/// Which nodes from the first of `wrt` to the last of `roots` depend on `wrt` and are needed by one of the roots.
pub(super) fn between(
    model: &Model,
    roots: impl Iterator<Item = NodeId>,
    wrt: &[NodeId],
) -> Beside<bool> {
    let roots: Vec<NodeId> = roots.collect();
    let first = wrt.iter().map(|id| id.index()).min().unwrap_or(0);
    let end = roots.iter().map(|id| id.index() + 1).max().unwrap_or(0);
    let mut depends = Beside::new(first, end.saturating_sub(first), false);
    for &id in wrt.iter().filter(|id| id.index() < end) {
        depends[id] = true;
    }
    for id in depends.nodes() {
        depends[id] |= model.operands(id).iter().any(|operand| depends.holds(*operand));
    }
    let mut needed = depends.like(false);
    for &root in roots.iter().filter(|root| depends.holds(**root)) {
        needed[root] = true;
    }
    for id in depends.marked().rev() {
        if needed[id] {
            for &operand in model.operands(id).iter().filter(|operand| depends.holds(**operand)) {
                needed[operand] = true;
            }
        }
    }
    needed
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
