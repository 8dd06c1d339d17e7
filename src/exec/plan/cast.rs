//! Numbers made floats of another type, without arrays between.

use super::step::Operand;
use crate::exec::kernels::memory::Shared;
use crate::tensor::{DType, Element};

/// Writes the numbers of a dense operand as floats of type `to` from byte `at` on, as `Tensor::cast` has them. Whether it is
/// done: to and from other types the reference casts.
pub fn cast(memory: Shared<'_>, (from, operand): &(DType, Operand), to: DType, at: usize) -> bool {
    match (from, to) {
        (DType::I32, DType::F32) => convert(memory, operand, at, |x: i32| x as f32),
        (DType::I32, DType::F64) => convert(memory, operand, at, |x: i32| f64::from(x)),
        (DType::I64, DType::F32) => convert(memory, operand, at, |x: i64| x as f32),
        (DType::I64, DType::F64) => convert(memory, operand, at, |x: i64| x as f64),
        (DType::F32, DType::F64) => convert(memory, operand, at, |x: f32| f64::from(x)),
        (DType::F64, DType::F32) => convert(memory, operand, at, |x: f64| x as f32),
        _ => return false,
    }
    true
}

fn convert<S: Element, T: Element>(
    memory: Shared<'_>,
    operand: &Operand,
    at: usize,
    number: impl Fn(S) -> T,
) {
    let count = operand.layout.len();
    let start = if count == 0 { 0 } else { operand.layout.offset as usize };
    let from = memory.span::<S>(operand.at, operand.count).part(start, count).read();
    let to = memory.span::<T>(at, count).write();
    to.iter_mut().zip(from).for_each(|(to, &x)| *to = number(x));
}
