//! Casts to larger types and between floats, whole numbers compared, and the places of extremes: operators of the reference
//! without arrays between.

use super::step::{Operand, dense};
use crate::exec::kernels::memory::Shared;
use crate::ops::elementwise::Class;
use crate::ops::{Op, Scalar};
use crate::tensor::{DType, Element};

/// An operator whose result goes straight to its place.
#[derive(Clone, Copy, Debug)]
pub enum Direct {
    /// The elements as those of a type, as `Tensor::cast` has them.
    Cast(DType),
    /// Whole numbers compared one by one.
    Compare(Scalar),
    /// The place of the largest, else the smallest, along an axis, behind which lie so many elements; as `ArgReduce` has it.
    Extreme { max: bool, axis: usize, behind: usize },
}

/// An operator as one of these.
pub fn direct(op: &Op, args: &[(DType, Operand)]) -> Option<Direct> {
    let whole = |dtype: DType| matches!(dtype, DType::I32 | DType::I64);
    match (op, args) {
        (Op::Cast(cast), &[(from, _)]) => {
            let float = cast.to.is_float() && from != DType::Bool;
            let wider = (from, cast.to) == (DType::I32, DType::I64);
            (cast.to != from && (float || wider)).then_some(Direct::Cast(cast.to))
        }
        (Op::Scalar(row), &[(a, _), (b, _)]) => {
            let compares = row.class() == Class::Compare && whole(a) && a == b;
            compares.then_some(Direct::Compare(*row))
        }
        (Op::ArgReduce(reduce), [(dtype, operand)]) => {
            let sizes = &operand.layout.sizes;
            let (axis, behind) = (sizes[reduce.axis], sizes[reduce.axis + 1..].iter().product());
            let found = *dtype != DType::Bool && axis > 0;
            found.then_some(Direct::Extreme { max: reduce.max, axis, behind })
        }
        _ => None,
    }
}

impl Direct {
    /// Writes the result from byte `at` on.
    pub fn run(self, memory: Shared<'_>, args: &[(DType, Operand)], at: usize) {
        let (dtype, x) = &args[0];
        match (self, dtype) {
            (Direct::Cast(DType::F32), DType::I32) => map(memory, x, at, |x: i32| x as f32),
            (Direct::Cast(DType::F32), DType::I64) => map(memory, x, at, |x: i64| x as f32),
            (Direct::Cast(DType::I64), DType::I32) => map(memory, x, at, |x: i32| i64::from(x)),
            (Direct::Cast(_), DType::I32) => map(memory, x, at, |x: i32| f64::from(x)),
            (Direct::Cast(_), DType::I64) => map(memory, x, at, |x: i64| x as f64),
            (Direct::Cast(_), DType::F64) => map(memory, x, at, |x: f64| x as f32),
            (Direct::Cast(_), _) => map(memory, x, at, |x: f32| f64::from(x)),
            (Direct::Compare(row), DType::I32) => compare::<i32>(memory, row, [x, &args[1].1], at),
            (Direct::Compare(row), _) => compare::<i64>(memory, row, [x, &args[1].1], at),
            (Direct::Extreme { max, axis, behind }, dtype) => {
                let size = (axis, behind);
                match dtype {
                    DType::I32 => extremes::<i32>(memory, x, size, max, at),
                    DType::F32 => extremes::<f32>(memory, x, size, max, at),
                    DType::F64 => extremes::<f64>(memory, x, size, max, at),
                    _ => extremes::<i64>(memory, x, size, max, at),
                }
            }
        }
    }
}

fn map<S: Element, T: Element>(
    memory: Shared<'_>,
    operand: &Operand,
    at: usize,
    number: impl Fn(S) -> T,
) {
    let from = dense::<S>(memory, operand);
    let to = memory.span::<T>(at, from.len()).write();
    to.iter_mut().zip(from).for_each(|(to, &x)| *to = number(x));
}

/// A single number stands for as many as there are on the other side.
fn compare<T: Element + Ord>(memory: Shared<'_>, row: Scalar, args: [&Operand; 2], at: usize) {
    let [a, b] = args.map(|operand| dense::<T>(memory, operand));
    let size = if a.len() == 1 { b.len() } else { a.len() };
    let to = memory.span::<bool>(at, size).write();
    let mut fill = |holds: fn(&T, &T) -> bool| {
        to.iter_mut()
            .zip(a.iter().cycle().zip(b.iter().cycle()))
            .for_each(|(to, (a, b))| *to = holds(a, b));
    };
    match row {
        Scalar::Eq => fill(|a, b| a == b),
        Scalar::Ne => fill(|a, b| a != b),
        Scalar::Lt => fill(|a, b| a < b),
        Scalar::Le => fill(|a, b| a <= b),
        Scalar::Gt => fill(|a, b| a > b),
        _ => fill(|a, b| a >= b),
    }
}

fn extremes<T: Element + PartialOrd>(
    memory: Shared<'_>,
    operand: &Operand,
    (axis, behind): (usize, usize),
    max: bool,
    at: usize,
) {
    let from = dense::<T>(memory, operand);
    let to = memory.span::<i64>(at, from.len() / axis).write();
    let lines = from.chunks_exact((axis * behind).max(1)).zip(to.chunks_exact_mut(behind.max(1)));
    for (lines, to) in lines {
        for (i, to) in to.iter_mut().enumerate() {
            let mut best = 0;
            for (place, &x) in lines[i..].iter().step_by(behind).enumerate() {
                let known = lines[i + best * behind];
                if is_undefined(known) {
                    break;
                }
                if is_undefined(x) || if max { x > known } else { x < known } {
                    best = place;
                }
            }
            *to = best as i64;
        }
    }
}

fn is_undefined<T: PartialOrd>(x: T) -> bool {
    x.partial_cmp(&x).is_none()
}
