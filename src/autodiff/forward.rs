//! Forward mode: from the tangent of a variable to the tangent of what is computed from it.

use super::beside::Beside;
use super::derivative::{pulled, shaped, zeros};
use super::reverse::{Flow, between, contributions, origin, shared};
use super::scan;
use crate::graph::{Model, NodeId, Operands, Origins};
use crate::ops::term::select;
use crate::ops::{Misfit, Op, Operator, Scalar, Term};
use rustc_hash::FxHashMap;

/// The tangents of several values where each of several others moves along the tangent beside it, which has its type. Only
/// what lies between is walked.
///
/// A scalar operator's row gives each partial derivative times a number, whichever way that number travels; a linear
/// operator moves tangents as it moves values; of any other the rule that pulls adjoints back is transposed.
pub fn forward_all(
    model: &mut Model,
    of: &[NodeId],
    seeds: &[(NodeId, NodeId)],
) -> Result<Vec<(Flow, Option<NodeId>)>, Misfit> {
    let moving: Vec<NodeId> = seeds.iter().map(|(x, _)| *x).collect();
    let between = between(model, of.iter().copied(), &moving);
    let mut tangents: Beside<Option<NodeId>> = between.like(None);
    let mut cuts: Beside<Option<NodeId>> = between.like(None);
    let mut scans: FxHashMap<NodeId, scan::Pushed> = FxHashMap::default();
    for &(x, seed) in seeds.iter().filter(|(x, _)| between.holds(*x)) {
        tangents[x] = Some(seed);
    }
    for id in between.marked() {
        if moving.contains(&id) {
            continue;
        }
        let operands = model.operands(id);
        let moved: Vec<Option<NodeId>> =
            operands.iter().map(|&operand| tangents.known(operand)).collect();
        match model.op(id).clone() {
            Op::Scan(_) if moved.iter().any(Option::is_some) => {
                scans.insert(id, scan::pushed(model, id, &moved)?);
                continue;
            }
            Op::Part(part) => {
                if let Some(pushed) = scans.get(&operands[0]) {
                    let (scan, which) = (pushed.scan, pushed.tangent(part.which));
                    let Op::Scan(looped) = model.op(scan).clone() else { continue };
                    let origins = model.origins(scan).clone();
                    let part = which.map(|which| looped.part(which));
                    let part = part.map(|part| model.insert(part, &[scan], &origins));
                    tangents[id] = part.transpose()?;
                }
            }
            _ if moved.iter().any(Option::is_some) => {
                tangents[id] = tangent(model, id, &operands, &moved)?;
            }
            _ => {}
        }
        if tangents[id].is_none() {
            let cut = operands.iter().find_map(|&operand| cuts.known(operand));
            cuts[id] = cut.or(Some(id));
        }
    }
    Ok(of
        .iter()
        .map(|&of| match (tangents.known(of), cuts.known(of)) {
            (Some(tangent), _) => (Flow::Adjoint(tangent), Some(tangent)),
            (None, Some(cut)) => (Flow::Cut(cut), None),
            (None, None) => (Flow::Apart, None),
        })
        .collect())
}

/// The tangent of a node in its full shape, where one of its operands has one that counts.
fn tangent(
    model: &mut Model,
    id: NodeId,
    operands: &Operands,
    moved: &[Option<NodeId>],
) -> Result<Option<NodeId>, Misfit> {
    let places: Vec<usize> = (0..moved.len()).filter(|&place| moved[place].is_some()).collect();
    let op = model.op(id).clone();
    let dtype = model.ty(id).dtype;
    if !dtype.is_float() {
        return Ok(None);
    }
    // Of the branch not taken nothing is used, not even as a factor 0.
    if let Op::Select(_) = op {
        let origins = origin(model, id, places[0], operands.len());
        let branch = |place: usize| match moved[place] {
            Some(_) => Term::Var(place),
            None => Term::from(0),
        };
        let variables: Operands =
            operands.iter().zip(moved).map(|(&id, moved)| moved.unwrap_or(id)).collect();
        let chosen = select(Term::Var(0), branch(1), branch(2));
        let node = model.plant(&chosen, &variables, dtype, &origins)?;
        return shaped(model, node, id, &origins).map(Some);
    }
    if matches!(op, Op::Concat(_) | Op::Stack(_) | Op::ScatterAdd(_)) {
        let origins = origin(model, id, places[0], 1);
        let mut all = operands.clone();
        for (place, operand) in all.iter_mut().enumerate() {
            match moved[place] {
                Some(tangent) => *operand = tangent,
                None if model.ty(*operand).dtype.is_float() => {
                    let ty = model.ty(*operand).clone();
                    *operand = zeros(model, &ty, &origins)?;
                }
                None => {}
            }
        }
        return model.insert(op, &all, &origins).map(Some);
    }
    let rules = contributions(model, id);
    let mut total: Option<NodeId> = None;
    for place in places {
        let (Some(rule), Some(along)) = (&rules[place], moved[place]) else { continue };
        let origins = origin(model, id, place, operands.len());
        let part = match &op {
            Op::Scalar(_) => {
                let mut variables = operands.clone();
                variables.extend([id, along]);
                model.plant(rule, &variables, dtype, &origins)?
            }
            op if op.is_linear() => {
                let mut variables = operands.clone();
                variables[place] = along;
                model.insert(op.clone(), &variables, &origins)?
            }
            _ => transposed(model, id, rule, along, &origins)?,
        };
        let part = shaped(model, part, id, &origins)?;
        total = Some(match total {
            None => part,
            Some(known) => model.insert(Scalar::Add, &[known, part], &origins)?,
        });
    }
    Ok(total)
}

/// What the rule that pulls an adjoint u back to one operand says of a tangent of that operand: the rule is linear in u, and
/// its own derivative by u is its transpose.
fn transposed(
    model: &mut Model,
    id: NodeId,
    rule: &Term,
    along: NodeId,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    let ty = model.ty(id).clone();
    let u = model.placeholder(ty.clone(), origins)?;
    let known = model.adjoints.len();
    let variables = shared(model, id, u)?;
    let pullback = model.plant(rule, &variables, ty.dtype, origins)?;
    let seed = match model.ty(pullback).rank() < model.ty(along).rank() {
        true => {
            let axes: Vec<usize> = (0..model.ty(along).rank()).collect();
            model.plant(&crate::ops::term::sum(&axes, Term::Var(0)), &[along], ty.dtype, origins)?
        }
        false => along,
    };
    let node = pulled(model, pullback, seed, &[u], origins)?.remove(0).1;
    // These adjoints are no adjoints of values that anybody knows.
    model.adjoints.truncate(known);
    Ok(node)
}
