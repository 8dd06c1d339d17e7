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
    /// An operator on operands, whose value is laid out.
    Column(Op, Operands, Broadcast),
}

/// The canonical form of `op` on `operands`, where it is another one.
pub fn tidy(model: &Model, op: &Op, operands: &[NodeId]) -> Option<Tidy> {
    let shape = |id: NodeId| &model.ty(id).shape;
    let first = || Tidy::Node(operands[0]);
    match op {
        Op::Scalar(row) => match column(model, operands) {
            Some((layout, inner)) => Some(Tidy::Column(op.clone(), inner, layout)),
            None => Some(Tidy::Op(constant(model, *row, operands)?, Operands::new())),
        },
        Op::Select(_) => {
            let (layout, inner) = column(model, operands)?;
            Some(Tidy::Column(op.clone(), inner, layout))
        }
        Op::Broadcast(broadcast) => tidy_broadcast(model, broadcast, operands[0]),
        Op::Reshape(Reshape { to }) if to == shape(operands[0]) => Some(first()),
        Op::Reshape(_) => {
            let mut inner = operands[0];
            while let Op::Reshape(_) = model.op(inner) {
                inner = model.operands(inner)[0];
            }
            (inner != operands[0]).then(|| match op {
                Op::Reshape(Reshape { to }) if to == shape(inner) => Tidy::Node(inner),
                _ => Tidy::Op(op.clone(), SmallVec::from_slice(&[inner])),
            })
        }
        Op::Permute(permute) => tidy_permute(model, permute, operands[0]),
        Op::Cast(cast) => (cast.to == model.ty(operands[0]).dtype).then(first),
        Op::Flip(flip) => flip.axes.is_empty().then(first),
        Op::Slice(slice) => {
            let mut whole = slice.cuts.iter().zip(shape(operands[0]));
            whole.all(|(cut, size)| *cut == Cut::all(size)).then(first)
        }
        Op::Concat(_) => (operands.len() == 1).then(first),
        Op::SizeOf(SizeOf { dtype, size: Size::Known(value) }) => {
            let number = Const { dtype: *dtype, value: Number::int(*value) };
            Some(Tidy::Op(number.into(), Operands::new()))
        }
        _ => None,
    }
}

/// Single elements of columns are computed before the column gets its axis of size 1: the layout and the operands inside.
fn column(model: &Model, operands: &[NodeId]) -> Option<(Broadcast, Operands)> {
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

fn tidy_broadcast(model: &Model, outer: &Broadcast, operand: NodeId) -> Option<Tidy> {
    let (mut from, mut source) = (outer.from.clone(), operand);
    while let Op::Broadcast(inner) = model.op(source) {
        from = from.iter().map(|axis| axis.and_then(|axis| inner.from[axis as usize])).collect();
        source = model.operands(source)[0];
    }
    let shape: &Shape = &model.ty(source).shape;
    if *shape == outer.to && from.iter().enumerate().all(|(place, axis)| *axis == Some(place as u8))
    {
        return Some(Tidy::Node(source));
    }
    let joined = || Broadcast { to: outer.to.clone(), from }.into();
    (source != operand).then(|| Tidy::Op(joined(), SmallVec::from_slice(&[source])))
}

fn tidy_permute(model: &Model, outer: &Permute, operand: NodeId) -> Option<Tidy> {
    let in_place = |mut order: std::iter::Enumerate<std::slice::Iter<usize>>| {
        order.all(|(place, &axis)| place == axis)
    };
    if in_place(outer.order.iter().enumerate()) {
        return Some(Tidy::Node(operand));
    }
    if let Op::Permute(inner) = model.op(operand) {
        let order: SmallVec<[usize; 4]> =
            outer.order.iter().map(|&axis| inner.order[axis]).collect();
        if in_place(order.iter().enumerate()) {
            return Some(Tidy::Node(model.operands(operand)[0]));
        }
    }
    None
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
