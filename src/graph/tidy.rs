//! Forms that the graph never holds: what stands for itself, and arithmetic of constants.

use super::{Model, NodeId};
use crate::ops::leaf::{Const, SizeOf};
use crate::ops::shape::{Broadcast, Cut, Permute, Reshape};
use crate::ops::{Number, Op, Scalar, Shape, Size, Type};
use smallvec::SmallVec;

/// The operands of a node.
pub type Operands = SmallVec<[NodeId; 4]>;

/// What an insertion comes to.
pub enum Tidy {
    /// A node that is there already.
    Node(NodeId),
    /// An operator on operands.
    Op(Op, Operands),
}

/// The canonical form of `op` on `operands`.
pub fn tidy(model: &Model, op: Op, operands: Operands) -> Tidy {
    let shape = |id: NodeId| &model.ty(id).shape;
    match &op {
        Op::Broadcast(broadcast) => tidy_broadcast(model, broadcast, operands[0]),
        Op::Reshape(Reshape { to }) if to == shape(operands[0]) => Tidy::Node(operands[0]),
        Op::Reshape(_) if matches!(model.op(operands[0]), Op::Reshape(_)) => {
            let inner = model.operands(operands[0])[0];
            tidy(model, op, SmallVec::from_slice(&[inner]))
        }
        Op::Permute(permute) => tidy_permute(model, permute, operands[0]),
        Op::Cast(cast) if cast.to == model.ty(operands[0]).dtype => Tidy::Node(operands[0]),
        Op::Flip(flip) if flip.axes.is_empty() => Tidy::Node(operands[0]),
        Op::Slice(slice)
            if slice
                .cuts
                .iter()
                .zip(shape(operands[0]))
                .all(|(cut, size)| *cut == Cut::all(size)) =>
        {
            Tidy::Node(operands[0])
        }
        Op::Concat(_) if operands.len() == 1 => Tidy::Node(operands[0]),
        Op::SizeOf(SizeOf { dtype, size: Size::Known(value) }) => {
            Tidy::Op(Const { dtype: *dtype, value: Number::int(*value) }.into(), operands)
        }
        Op::Scalar(row) => match constant(model, *row, &operands) {
            Some(folded) => Tidy::Op(folded, Operands::new()),
            None => Tidy::Op(op, operands),
        },
        _ => Tidy::Op(op, operands),
    }
}

/// Single elements of columns are computed before the column gets its axis of size 1: the layout and the operands inside.
pub fn column(model: &Model, op: &Op, operands: &[NodeId]) -> Option<(Broadcast, Operands)> {
    if !matches!(op, Op::Scalar(_) | Op::Select(_)) {
        return None;
    }
    let mut layout: Option<&Broadcast> = None;
    let mut inner = Operands::new();
    for &id in operands {
        match model.op(id) {
            Op::Broadcast(broadcast) if layout.is_none_or(|known| known == broadcast) => {
                layout = Some(broadcast);
                inner.push(model.operands(id)[0]);
            }
            _ if model.ty(id).rank() == 0 => inner.push(id),
            _ => return None,
        }
    }
    let layout = layout?;
    let places = || layout.from.iter().zip(&layout.to);
    let only_new = places().all(|(from, to)| from.is_some() || to.is_one());
    let same = operands.iter().zip(&inner).filter(|(id, _)| model.ty(**id).rank() > 0).all(
        |(_, inner)| {
            let shape = &model.ty(*inner).shape;
            places().all(|(from, to)| from.is_none_or(|axis| shape[axis as usize] == *to))
        },
    );
    let keeps_rank = inner.iter().any(|&id| model.ty(id).rank() > 0);
    (only_new && same && keeps_rank).then(|| (layout.clone(), inner))
}

fn tidy_broadcast(model: &Model, outer: &Broadcast, operand: NodeId) -> Tidy {
    let (mut from, mut operand) = (outer.from.clone(), operand);
    while let Op::Broadcast(inner) = model.op(operand) {
        from = from.iter().map(|axis| axis.and_then(|axis| inner.from[axis as usize])).collect();
        operand = model.operands(operand)[0];
    }
    let shape: &Shape = &model.ty(operand).shape;
    if *shape == outer.to && from.iter().enumerate().all(|(place, axis)| *axis == Some(place as u8))
    {
        return Tidy::Node(operand);
    }
    Tidy::Op(Broadcast { to: outer.to.clone(), from }.into(), SmallVec::from_slice(&[operand]))
}

fn tidy_permute(model: &Model, outer: &Permute, operand: NodeId) -> Tidy {
    let in_place = |mut order: std::iter::Enumerate<std::slice::Iter<usize>>| {
        order.all(|(place, &axis)| place == axis)
    };
    if in_place(outer.order.iter().enumerate()) {
        return Tidy::Node(operand);
    }
    if let Op::Permute(inner) = model.op(operand) {
        let order: SmallVec<[usize; 4]> =
            outer.order.iter().map(|&axis| inner.order[axis]).collect();
        if in_place(order.iter().enumerate()) {
            return Tidy::Node(model.operands(operand)[0]);
        }
    }
    Tidy::Op(outer.clone().into(), SmallVec::from_slice(&[operand]))
}

/// Exact arithmetic of scalar constants and dimensions.
fn constant(model: &Model, row: Scalar, operands: &[NodeId]) -> Option<Op> {
    let numbers: Option<SmallVec<[Number; 2]>> =
        operands.iter().map(|&id| model.constant(id)).collect();
    let dtype = model.ty(operands[0]).dtype;
    if let Some(numbers) = numbers {
        return fold(row, &numbers, &model.ty(operands[0]).scalar_of());
    }
    let sizes: Option<SmallVec<[Size; 2]>> = operands.iter().map(|&id| whole(model, id)).collect();
    let sizes = sizes?;
    let size = match (row, sizes.as_slice()) {
        (Scalar::Add, [a, b]) => a.clone() + b.clone(),
        (Scalar::Sub, [a, b]) => a.clone() - b.clone(),
        (Scalar::Mul, [a, b]) => a.clone() * b.clone(),
        (Scalar::Square, [a]) => a.clone() * a.clone(),
        _ => return None,
    };
    (!size.is_too_large()).then(|| SizeOf { dtype, size }.into())
}

fn whole(model: &Model, id: NodeId) -> Option<Size> {
    match model.op(id) {
        Op::SizeOf(SizeOf { size, .. }) => Some(size.clone()),
        Op::Const(Const { value, .. }) => value.to_i64().map(Size::Known),
        _ => None,
    }
}

fn fold(row: Scalar, numbers: &[Number], ty: &Type) -> Option<Op> {
    let exact = numbers.iter().all(|number| number.parts().is_some());
    let float = ty.dtype.is_float();
    let truth = |value: bool| {
        Some(
            Const { dtype: crate::tensor::DType::Bool, value: Number::int(i64::from(value)) }
                .into(),
        )
    };
    let value = match (row, numbers) {
        (Scalar::Add, &[a, b]) if exact => a + b,
        (Scalar::Sub, &[a, b]) if exact => a - b,
        (Scalar::Mul, &[a, b]) if exact => a * b,
        (Scalar::Div, &[a, b]) if exact && float && !b.is_zero() => a / b,
        (Scalar::Neg, &[a]) => -a,
        (Scalar::Square, &[a]) if exact => a * a,
        (Scalar::Pow, &[a, b]) if exact && float && (!a.is_zero() || !b.is_negative()) => {
            a.pow(b)?
        }
        (Scalar::Eq, &[a, b]) if exact => return truth(a == b),
        (Scalar::Ne, &[a, b]) if exact => return truth(a != b),
        (Scalar::Lt, &[a, b]) if exact => return truth(a < b),
        (Scalar::Le, &[a, b]) if exact => return truth(a <= b),
        (Scalar::Gt, &[a, b]) if exact => return truth(a > b),
        (Scalar::Ge, &[a, b]) if exact => return truth(a >= b),
        _ => return None,
    };
    value.parts()?;
    // What does not fit wraps when it is computed.
    if ty.dtype == crate::tensor::DType::I32 && i32::try_from(value.to_i64()?).is_err() {
        return None;
    }
    Some(Const { dtype: ty.dtype, value }.into())
}

impl Type {
    fn scalar_of(&self) -> Type {
        Type::scalar(self.dtype)
    }
}
