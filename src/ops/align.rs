//! Which axes meet when shapes of different rank or size are combined.

use super::shape::Broadcast;
use super::{Dims, Misfit, Shape, Size, Type, join};
use smallvec::SmallVec;

/// For each axis of the result the operand's axis that lies there.
pub type Map = SmallVec<[Option<u8>; 4]>;

/// The common shape of `operands` and how each is laid into it.
///
/// Names come first: where every axis of a smaller shape is named, and each of its names stands once in both shapes and in
/// the same order, axes meet by name. Else axes meet from the right, as in NumPy: equal, or one of them 1.
pub fn align(operands: &[Type], dims: &Dims, verb: &str) -> Result<(Shape, Vec<Map>), Misfit> {
    let (mut shape, mut owner) = (operands[0].shape.clone(), owned(0, &operands[0].shape));
    for (number, operand) in operands.iter().enumerate().skip(1) {
        (shape, owner) = join_shapes(&shape, &owner, operand, number, dims)
            .map_err(|clash| clash.misfit(operands, verb))?;
    }
    let maps = operands
        .iter()
        .map(|operand| {
            lay(&operand.shape, &shape, dims)
                .ok_or_else(|| Misfit::shape(format!("cannot {verb} {}", join(operands))))
        })
        .collect::<Result<_, _>>()?;
    Ok((shape, maps))
}

/// How `shape` lies in the larger shape `to`, where it does.
pub fn lay(shape: &[Size], to: &[Size], dims: &Dims) -> Option<Map> {
    if let Some(map) = by_name(shape, to) {
        return Some(map);
    }
    let shift = to.len().checked_sub(shape.len())?;
    let fits =
        shape.iter().zip(&to[shift..]).all(|(a, b)| a.is_one() || dims.agree(a, b).is_some());
    fits.then(|| (0..to.len()).map(|axis| axis.checked_sub(shift).map(|a| a as u8)).collect())
}

/// The broadcast of a value of shape `shape` into `to` by `map`.
pub fn broadcast(to: &[Size], map: &Map) -> Broadcast {
    Broadcast { to: to.into(), from: map.clone() }
}

fn by_name(shape: &[Size], to: &[Size]) -> Option<Map> {
    if shape.is_empty() {
        return None;
    }
    let mut map: Map = SmallVec::from_elem(None, to.len());
    let mut next = 0;
    for (axis, size) in shape.iter().enumerate() {
        size.name()?;
        let once = |shape: &[Size]| shape.iter().filter(|s| *s == size).count() == 1;
        let place = to.iter().position(|s| s == size)?;
        if !once(shape) || !once(to) || place < next {
            return None;
        }
        map[place] = Some(axis as u8);
        next = place + 1;
    }
    Some(map)
}

/// An operand and one of its axes.
type Owner = (usize, usize);

/// All axes of an operand.
fn owned(operand: usize, shape: &[Size]) -> Vec<Owner> {
    (0..shape.len()).map(|axis| (operand, axis)).collect()
}

/// Two shapes that do not agree: the operand and axis on each side.
struct Clash {
    left: Owner,
    right: Owner,
}

impl Clash {
    fn misfit(self, operands: &[Type], verb: &str) -> Misfit {
        let axis = |(operand, axis): Owner| operands[operand].shape[axis].clone();
        let (left, right) = (axis(self.left), axis(self.right));
        let what = match operands {
            [a, b] => format!("cannot {verb} {a} and {b}"),
            _ => format!("cannot {verb} {}", join(operands)),
        };
        let message = if self.left.1 == self.right.1 {
            format!("{what}: axis {} differs", self.left.1)
        } else {
            format!("{what}: {left} meets {right}")
        };
        Misfit::shape(message).at(self.left.0, self.left.1).at(self.right.0, self.right.1)
    }
}

fn join_shapes(
    shape: &[Size],
    owner: &[Owner],
    operand: &Type,
    number: usize,
    dims: &Dims,
) -> Result<(Shape, Vec<Owner>), Clash> {
    let other = &operand.shape;
    if by_name(other, shape).is_some() {
        return Ok((shape.into(), owner.into()));
    }
    if by_name(shape, other).is_some() {
        return Ok((other.clone(), owned(number, other)));
    }
    let rank = shape.len().max(other.len());
    let (mut result, mut owners) = (Shape::new(), Vec::new());
    for place in 0..rank {
        let left = (place + shape.len()).checked_sub(rank);
        let right = (place + other.len()).checked_sub(rank);
        let (size, from) = match (left, right) {
            (Some(l), Some(r)) => match (&shape[l], &other[r]) {
                (a, b) if b.is_one() => (a.clone(), owner[l]),
                (a, b) if a.is_one() => (b.clone(), (number, r)),
                (a, b) => match dims.agree(a, b) {
                    Some(size) => (size, owner[l]),
                    None => return Err(Clash { left: owner[l], right: (number, r) }),
                },
            },
            (Some(l), None) => (shape[l].clone(), owner[l]),
            (None, Some(r)) => (other[r].clone(), (number, r)),
            (None, None) => unreachable!("one of the shapes has every axis of the result"),
        };
        result.push(size);
        owners.push(from);
    }
    Ok((result, owners))
}
