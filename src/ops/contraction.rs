//! Products that are summed along axes, in one form: as einsums.

use super::matmul::Einsum;
use super::{Op, Type};
use smallvec::SmallVec;

/// The einsum that an operator is on operands of these types, if it is one.
pub fn contraction(op: &Op, operands: &[Type]) -> Option<Einsum> {
    let letters = |range: std::ops::Range<usize>| -> Option<SmallVec<[u8; 8]>> {
        range.map(|place| u8::try_from(place).ok().map(|place| place + 1)).collect()
    };
    match op {
        Op::Einsum(einsum) => Some(einsum.clone()),
        Op::Outer(_) => {
            let inputs = vec![letters(0..1)?, letters(1..2)?];
            Some(Einsum { inputs, output: letters(0..2)? })
        }
        Op::MatMul(_) => {
            let (left, right) = (operands[0].rank(), operands[1].rank());
            let lead = left.max(right).max(2) - 2;
            let (row, along, column) = (lead, lead + 1, lead + 2);
            let side = |rank: usize, axes: [usize; 2], only: usize| match rank {
                1 => letters(only..only + 1),
                _ => {
                    let mut all = letters(0..if rank > 2 { lead } else { 0 })?;
                    for axis in axes {
                        all.extend(letters(axis..axis + 1)?);
                    }
                    Some(all)
                }
            };
            let mut output = letters(0..lead)?;
            if left > 1 {
                output.extend(letters(row..row + 1)?);
            }
            if right > 1 {
                output.extend(letters(column..column + 1)?);
            }
            let inputs =
                vec![side(left, [row, along], along)?, side(right, [along, column], along)?];
            Some(Einsum { inputs, output })
        }
        _ => None,
    }
}
