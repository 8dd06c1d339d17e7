//! Derivatives that are asked for, in terms of reverse and forward mode.

use super::batch::batch;
use super::forward::forward_all;
use super::reverse::{Flow, reverse_all};
use super::scan::{asks, expanded};
use crate::graph::release::release;
use crate::graph::{Model, NodeId, Operands, Origin, Origins};
use crate::ops::leaf::Eye;
use crate::ops::shape::Broadcast;
use crate::ops::special::{Derivative, Mode};
use crate::ops::term::{lead, spread, transpose};
use crate::ops::{Misfit, Number, Op, Scalar, Term, Type};

/// The model with every `Derivative` replaced by the values that compute it, innermost first, and without barriers.
pub fn expand(model: &Model) -> Result<Model, Misfit> {
    let expanded = model
        .rebuild(|to, id, operands| expanded(to, model.op(id), operands, model.origins(id)))?;
    Ok(release(&expanded))
}

/// The model with those derivatives derived that need no other one; `None` where there is none. A Hessian becomes the
/// Jacobian of a gradient, and the Hessian by a vector the gradient along that vector, so that laws may work on the gradient.
pub fn expand_innermost(model: &Model) -> Result<Option<Model>, Misfit> {
    if !model.may_have(asks) {
        return Ok(None);
    }
    let mut pending = vec![false; model.len()];
    let mut found = false;
    let live = model.live();
    for id in model.nodes().filter(|id| live[id.index()]) {
        let asked = asks(model.op(id));
        found |= asked;
        pending[id.index()] =
            asked || model.operands(id).iter().any(|operand| pending[operand.index()]);
    }
    if !found {
        return Ok(None);
    }
    let next = model.rebuild(|to, id, operands| {
        if model.operands(id).iter().any(|operand| pending[operand.index()]) {
            return model.copy(to, id, operands);
        }
        let outer = match model.op(id) {
            Op::Derivative(Derivative { mode: Mode::Hessian }) => Mode::Jacobian,
            Op::Derivative(Derivative { mode: Mode::Hvp }) => Mode::Jvp,
            op => return expanded(to, op, operands, model.origins(id)),
        };
        let inner = Op::from(Derivative { mode: Mode::Grad });
        let mut all: Operands = operands.into();
        all[0] = expanded(to, &inner, &operands[..2], model.origins(id))?;
        to.insert(Derivative { mode: outer }, &all, model.origins(id))
    });
    next.map(Some)
}

/// The derivative of `of` by each of `wrt`; where nothing flows it is zeros, and the flow says why.
pub fn derive(
    model: &mut Model,
    mode: Mode,
    of: NodeId,
    wrt: &[NodeId],
    vector: Option<NodeId>,
    origins: &Origins,
) -> Result<Vec<(Flow, NodeId)>, Misfit> {
    match (mode, vector) {
        (Mode::Grad, _) => {
            let dtype = model.ty(of).dtype;
            let seed = model.number(dtype, Number::ONE, origins);
            pulled(model, of, seed, wrt, origins)
        }
        (Mode::Vjp, Some(vector)) => pulled(model, of, vector, wrt, origins),
        (Mode::Jacobian, _) => wrt.iter().map(|&x| jacobian(model, of, x, origins)).collect(),
        (Mode::Hessian, _) => wrt
            .iter()
            .map(|&x| {
                let (flow, gradient) =
                    derive(model, Mode::Grad, of, &[x], None, origins)?.remove(0);
                Ok((flow, jacobian(model, gradient, x, origins)?.1))
            })
            .collect(),
        (Mode::Hvp, Some(vector)) => wrt
            .iter()
            .map(|&x| {
                let (flow, gradient) =
                    derive(model, Mode::Grad, of, &[x], None, origins)?.remove(0);
                Ok((flow, pushed(model, gradient, x, vector, origins)?.1))
            })
            .collect(),
        (Mode::Jvp, Some(vector)) => {
            wrt.iter().map(|&x| pushed(model, of, x, vector, origins)).collect()
        }
        (Mode::Vjp | Mode::Hvp | Mode::Jvp, None) => {
            Err(Misfit::call(format!("`{}` takes a vector", mode.word())))
        }
    }
}

/// How each of `of` moves where each of several variables moves along the tangent beside it; zeros where nothing does.
pub fn push(
    model: &mut Model,
    of: &[NodeId],
    seeds: &[(NodeId, NodeId)],
    origins: &Origins,
) -> Result<Vec<(Flow, NodeId)>, Misfit> {
    let moved = forward_all(model, of, seeds)?;
    let full = |((flow, tangent), &of): ((Flow, Option<NodeId>), &NodeId)| {
        let node = match tangent {
            Some(tangent) => tangent,
            None => {
                let ty = model.ty(of).clone();
                zeros(model, &ty, origins)?
            }
        };
        Ok((flow, node))
    };
    moved.into_iter().zip(of).map(full).collect()
}

fn pushed(
    model: &mut Model,
    of: NodeId,
    x: NodeId,
    vector: NodeId,
    origins: &Origins,
) -> Result<(Flow, NodeId), Misfit> {
    Ok(push(model, &[of], &[(x, vector)], origins)?.remove(0))
}

pub(super) fn pulled(
    model: &mut Model,
    of: NodeId,
    seed: NodeId,
    wrt: &[NodeId],
    origins: &Origins,
) -> Result<Vec<(Flow, NodeId)>, Misfit> {
    pull(model, &[(of, seed)], wrt, origins)
}

/// What flows back to each of `wrt` from several values, each of which has the adjoint beside it; zeros where nothing does.
pub fn pull(
    model: &mut Model,
    roots: &[(NodeId, NodeId)],
    wrt: &[NodeId],
    origins: &Origins,
) -> Result<Vec<(Flow, NodeId)>, Misfit> {
    let flows = reverse_all(model, roots, wrt)?;
    flows
        .into_iter()
        .zip(wrt)
        .map(|(flow, &x)| {
            let node = match flow {
                Flow::Adjoint(node) => {
                    let node = shaped(model, node, x, origins)?;
                    projected(model, node, x, origins)?
                }
                Flow::Apart | Flow::Cut(_) => {
                    let ty = model.ty(x).clone();
                    zeros(model, &ty, origins)?
                }
            };
            Ok((flow, node))
        })
        .collect()
}

/// The adjoint among the symmetric matrices, where its variable is declared to be one: half of it and of its transpose.
fn projected(
    model: &mut Model,
    adjoint: NodeId,
    of: NodeId,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    let Op::Variable(variable) = model.op(of) else { return Ok(adjoint) };
    if !model.variables.get(&variable.name).is_some_and(|variable| variable.symmetric) {
        return Ok(adjoint);
    }
    let both = Term::Var(0) + transpose(Term::Var(0), model.ty(of).rank());
    model.plant(&(both / 2), &[adjoint], model.ty(of).dtype, origins)
}

/// The adjoint in the full shape of what it is the adjoint of.
pub(super) fn shaped(
    model: &mut Model,
    adjoint: NodeId,
    of: NodeId,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    if model.ty(adjoint).rank() == model.ty(of).rank() {
        return Ok(adjoint);
    }
    let shape = model.ty(of).shape.clone();
    let axes: Vec<usize> = (0..shape.len()).collect();
    model.plant(&spread(Term::Var(0), &shape, &axes), &[adjoint], model.ty(of).dtype, origins)
}

pub(super) fn zeros(model: &mut Model, ty: &Type, origins: &Origins) -> Result<NodeId, Misfit> {
    let axes: Vec<usize> = (0..ty.rank()).collect();
    let term = if axes.is_empty() { Term::from(0) } else { spread(0.into(), &ty.shape, &axes) };
    model.plant(&term, &[], ty.dtype, origins)
}

/// Pulls back one unit vector for each element of `of`: the unit vectors of each axis are the rows of an identity, so that
/// the sizes may stay symbolic.
fn jacobian(
    model: &mut Model,
    of: NodeId,
    x: NodeId,
    origins: &Origins,
) -> Result<(Flow, NodeId), Misfit> {
    let ty = model.ty(of).clone();
    let origins = &Origins::one(match origins.span() {
        Some(span) => Origin::Adjoint { span, rule: "jacobian".into(), operand: None },
        None => Origin::Law("jacobian"),
    });
    let mut seed = model.number(ty.dtype, Number::ONE, origins);
    let mut units = Vec::new();
    for (axis, size) in ty.shape.iter().enumerate() {
        let unit = model.placeholder(ty.with_shape([size.clone()]), origins)?;
        units.push((unit, size.clone()));
        let laid = laid_along(model, unit, axis, &ty, origins)?;
        seed = if axis == 0 { laid } else { model.insert(Scalar::Mul, &[seed, laid], origins)? };
    }
    let (flow, mut result) = pulled(model, of, seed, &[x], origins)?.remove(0);
    for (unit, size) in units.into_iter().rev() {
        let eye = model.insert(Eye { dtype: ty.dtype, size: size.clone() }, &[], origins)?;
        result = match batch(model, result, unit, eye, &size)? {
            Some(batched) => batched,
            None => {
                let shape = model.ty(result).shape.clone();
                model.plant(&lead(Term::Var(0), &shape, &[size]), &[result], ty.dtype, origins)?
            }
        };
    }
    Ok((flow, result))
}

fn laid_along(
    model: &mut Model,
    unit: NodeId,
    axis: usize,
    ty: &Type,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    let from = (0..ty.rank()).map(|place| (place == axis).then_some(0)).collect();
    model.insert(Op::from(Broadcast { to: ty.shape.clone(), from }), &[unit], origins)
}
