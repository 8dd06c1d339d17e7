//! Which elements of an operand a value depends on, where only some elements of the value are needed.

use crate::graph::{Model, NodeId, Origins};
use crate::ops::elementwise::Cast;
use crate::ops::pool::{Kind, Pool};
use crate::ops::reduce::{Cumulate, Fold, Reduce, Running};
use crate::ops::shape::Broadcast;
use crate::ops::term::{apply, fold, spread};
use crate::ops::{Misfit, Op, Operator, Rule, Scalar, Shape, Term};
use crate::tensor::DType;

/// Which elements of operand number `place` the elements of the value under `condition` depend on.
pub fn carried(
    model: &mut Model,
    (user, place): (NodeId, usize),
    condition: NodeId,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    let operands = model.operands(user);
    let (rank, wide) = (model.ty(operands[place]).rank(), model.ty(condition).rank());
    if wide == 0 {
        return Ok(condition);
    }
    let every: Vec<usize> = (0..wide).collect();
    if rank == 0 {
        return any(model, condition, &every, origins);
    }
    let shape = model.ty(operands[place]).shape.clone();
    match model.op(user).clone() {
        Op::Scalar(_) | Op::Select(_) | Op::Cast(_) | Op::Barrier(_) | Op::StopGradient(_) => {
            Ok(condition)
        }
        Op::Reduce(Reduce { axes, .. }) => laid(model, condition, &shape, &axes, origins),
        Op::Softmax(softmax) => {
            let line = any(model, condition, &softmax.axes, origins)?;
            laid(model, line, &shape, &softmax.axes, origins)
        }
        Op::Broadcast(broadcast) => {
            let (axes, ones) = broadcast.repeated(model.ty(operands[place]));
            let line = any(model, condition, &axes, origins)?;
            laid(model, line, &shape, &ones, origins)
        }
        Op::Reshape(_)
        | Op::Permute(_)
        | Op::Flip(_)
        | Op::Slice(_)
        | Op::Pad(_)
        | Op::Concat(_)
        | Op::Stack(_)
        | Op::Diag(_)
        | Op::Triangle(_) => moved(model, (user, place), condition, DType::Bool, origins),
        Op::Cumulate(cumulate) => {
            let back = Cumulate { kind: Running::Sum, reverse: !cumulate.reverse, ..cumulate };
            let count = apply(back, vec![apply(Cast { to: DType::I64 }, vec![Term::Var(0)])]);
            let some = apply(Scalar::Gt, vec![count, 0.into()]);
            model.plant(&some, &[condition], DType::I64, origins)
        }
        Op::MatMul(_) if rank == wide && model.ty(operands[1 - place]).rank() == wide => {
            let line = any(model, condition, &[wide - 1 - place], origins)?;
            laid(model, line, &shape, &[wide - 1 - place], origins)
        }
        Op::Outer(_) => any(model, condition, &[1 - place], origins),
        Op::Gather(_)
        | Op::ScatterAdd(_)
        | Op::TakeAlong(_)
        | Op::PutAlong(_)
        | Op::MatMul(_)
        | Op::Einsum(_)
        | Op::Conv(_)
        | Op::Sort(_)
        | Op::Pool(Pool { kind: Kind::Mean { .. } | Kind::Max, .. }) => {
            let dtype = model.ty(user).dtype;
            let count = moved(model, (user, place), condition, dtype, origins)?;
            let some = apply(Scalar::Gt, vec![Term::Var(0), 0.into()]);
            model.plant(&some, &[count], dtype, origins)
        }
        _ => any(model, condition, &every, origins),
    }
}

/// The rule of an operator on conditions: what was moved goes back, what was added up is counted, each product as a whole.
fn moved(
    model: &mut Model,
    (user, place): (NodeId, usize),
    condition: NodeId,
    dtype: DType,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    let types = model.operand_types(user);
    let rule = Rule { operands: &types, result: model.ty(user), dims: &model.dims };
    let term = model.op(user).vjp(&rule).into_iter().nth(place).flatten();
    let term = term.ok_or_else(|| Misfit::call("nothing flows back"))?;
    let mut variables = model.operands(user);
    let chosen = matches!(model.op(user), Op::Sort(_) | Op::Pool(_));
    let factors = variables.iter_mut().zip(&types).filter(|(_, ty)| ty.dtype.is_float() && !chosen);
    for (variable, ty) in factors {
        let axes: Vec<usize> = (0..ty.rank()).collect();
        let ones = if axes.is_empty() { 1.into() } else { spread(1.into(), &ty.shape, &axes) };
        *variable = model.plant(&ones, &[], ty.dtype, origins)?;
    }
    let counted = match dtype {
        DType::Bool => condition,
        to => model.insert(Cast { to }, &[condition], origins)?,
    };
    variables.extend([user, counted]);
    model.plant(&term, &variables, dtype, origins)
}

fn laid(
    model: &mut Model,
    condition: NodeId,
    shape: &Shape,
    axes: &[usize],
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    if axes.is_empty() {
        return Ok(condition);
    }
    model.plant(&spread(Term::Var(0), shape, axes), &[condition], DType::Bool, origins)
}

/// Whether a condition holds somewhere along axes.
fn any(
    model: &mut Model,
    condition: NodeId,
    axes: &[usize],
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    if let Op::Broadcast(broadcast) = model.op(condition).clone()
        && axes.iter().all(|&axis| broadcast.from[axis].is_none())
    {
        let kept = (0..broadcast.to.len()).filter(|axis| !axes.contains(axis));
        let narrow = Broadcast {
            to: kept.clone().map(|axis| broadcast.to[axis].clone()).collect(),
            from: kept.map(|axis| broadcast.from[axis]).collect(),
        };
        let inner = model.operands(condition)[0];
        return model.insert(narrow, &[inner], origins);
    }
    model.plant(&fold(Fold::Any, axes, Term::Var(0)), &[condition], DType::Bool, origins)
}

/// Whether an operator may have an infinite or undefined value or slope where its operands are finite.
pub fn singular(model: &Model, id: NodeId) -> bool {
    let operands = model.operands(id);
    let number = |place: usize| model.filled(operands[place]);
    match model.op(id) {
        Op::Const(constant) => !constant.value.to_f64().is_finite(),
        Op::Matrix(_) | Op::Solve(_) => true,
        Op::Scan(scan) => scan.body.holds(&|op| match op {
            Op::Matrix(_) | Op::Solve(_) | Op::Custom(_) => true,
            Op::Scalar(Scalar::Div | Scalar::Pow) => true,
            Op::Scalar(row) => !row.is_regular(),
            _ => false,
        }),
        Op::Scalar(row) => match row {
            Scalar::Div => {
                let sized = match model.op(operands[1]) {
                    Op::Broadcast(_) => model.operands(operands[1])[0],
                    _ => operands[1],
                };
                let fixed = number(1).is_some_and(|number| !number.is_zero());
                !fixed && !matches!(model.op(sized), Op::SizeOf(_))
            }
            Scalar::Pow => {
                let whole = number(1).and_then(|number| number.to_i64());
                whole.is_none_or(|power| power < 0)
            }
            row => !row.is_regular(),
        },
        _ => false,
    }
}
