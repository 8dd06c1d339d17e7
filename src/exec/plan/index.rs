//! Elements found by number: every such operator as lines `[outer, axis, inner]`.

use super::step::{Operand, dense};
use crate::exec::kernels::memory::Shared;
use crate::ops::{Op, ValueError};
use crate::tensor::{DType, Element, typed};

/// What is done at the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Slices of the operand are read.
    Gather,
    /// Slices are added to the operand.
    ScatterAdd,
    /// An element is read for each index.
    TakeAlong,
    /// An element is added for each index to zeros.
    PutAlong,
    /// 1 is written for each index to zeros.
    OneHot,
}

/// Elements found by number.
#[derive(Clone, Debug)]
pub struct Index {
    /// What is done.
    pub find: Find,
    /// The element type of the result.
    pub dtype: DType,
    /// The element type of the indices.
    pub integers: DType,
    /// The indices, dense.
    pub indices: Operand,
    /// What is read, dense.
    pub from: Option<Operand>,
    /// What is added, dense.
    pub added: Option<Operand>,
    /// The number of lines outside of the axis.
    pub outer: usize,
    /// The size of the axis that is indexed.
    pub axis: usize,
    /// The number of elements inside of the axis.
    pub inner: usize,
    /// The first byte of the result.
    pub to: usize,
}

/// What an operator finds by number: the operands that are the indices, that are read, and that are added; and the axis.
type Finding = (Find, usize, Option<usize>, Option<usize>, usize);

/// An operator as one that finds elements by number.
pub fn find(op: &Op) -> Option<Finding> {
    Some(match op {
        Op::Gather(gather) => (Find::Gather, 1, Some(0), None, gather.axis),
        Op::ScatterAdd(scatter) => (Find::ScatterAdd, 1, Some(0), Some(2), scatter.axis),
        Op::TakeAlong(take) => (Find::TakeAlong, 1, Some(0), None, take.axis),
        Op::PutAlong(put) => (Find::PutAlong, 0, None, Some(1), put.axis),
        Op::OneHot(hot) => (Find::OneHot, 0, None, None, hot.axis),
        _ => return None,
    })
}

/// A number that can be added.
trait Sum: Element + Default {
    fn one() -> Self;
    fn plus(self, other: Self) -> Self;
}

macro_rules! sum {
    ($($type:ident: $one:expr, $plus:expr;)*) => {$(
        impl Sum for $type {
            fn one() -> Self {
                $one
            }
            fn plus(self, other: Self) -> Self {
                let plus: fn($type, $type) -> $type = $plus;
                plus(self, other)
            }
        }
    )*};
}
sum! {
    bool: true, |a, b| a | b;
    i32: 1, i32::wrapping_add;
    i64: 1, i64::wrapping_add;
    f32: 1.0, |a, b| a + b;
    f64: 1.0, |a, b| a + b;
}

impl Index {
    /// Runs the step.
    pub fn run(&self, memory: Shared<'_>) -> Result<(), ValueError> {
        match self.integers {
            DType::I32 => self.with(memory, dense::<i32>(memory, &self.indices), i64::from),
            _ => self.with(memory, dense::<i64>(memory, &self.indices), |index| index),
        }
    }

    fn with<I: Element>(
        &self,
        memory: Shared<'_>,
        indices: &[I],
        number: impl Fn(I) -> i64,
    ) -> Result<(), ValueError> {
        let size = self.axis;
        let place = |index: I| {
            let index = number(index);
            let place = if index < 0 { index + size as i64 } else { index };
            let place = usize::try_from(place).ok().filter(|&place| place < size);
            place.ok_or(ValueError::IndexOutOfRange { index, size })
        };
        typed!(self.dtype, T => self.typed::<T, I>(memory, indices, place))
    }

    fn typed<T: Sum, I: Element>(
        &self,
        memory: Shared<'_>,
        indices: &[I],
        place: impl Fn(I) -> Result<usize, ValueError>,
    ) -> Result<(), ValueError> {
        let from = self.from.as_ref().map_or(&[][..], |from| dense::<T>(memory, from));
        let added = self.added.as_ref().map_or(&[][..], |added| dense::<T>(memory, added));
        let (outer, axis, inner) = (self.outer, self.axis, self.inner);
        let lines = outer * inner;
        let count = match self.find {
            Find::Gather | Find::ScatterAdd => indices.len(),
            _ => indices.len().checked_div(lines).unwrap_or(0),
        };
        let size = match self.find {
            Find::Gather | Find::TakeAlong => lines * count,
            _ => lines * axis,
        };
        let to = memory.span::<T>(self.to, size).write();
        match self.find {
            Find::Gather => {
                for (n, &index) in indices.iter().enumerate() {
                    let at = place(index)?;
                    for o in 0..outer {
                        let slice = &from[(o * axis + at) * inner..][..inner];
                        to[(o * count + n) * inner..][..inner].copy_from_slice(slice);
                    }
                }
            }
            Find::ScatterAdd => {
                to.copy_from_slice(from);
                for (n, &index) in indices.iter().enumerate() {
                    let at = place(index)?;
                    for o in 0..outer {
                        let slice = &added[(o * count + n) * inner..][..inner];
                        let target = &mut to[(o * axis + at) * inner..][..inner];
                        target.iter_mut().zip(slice).for_each(|(to, &x)| *to = to.plus(x));
                    }
                }
            }
            Find::TakeAlong => {
                for (n, (to, &index)) in to.iter_mut().zip(indices).enumerate() {
                    let (o, i) = (n / inner / count, n % inner);
                    *to = from[(o * axis + place(index)?) * inner + i];
                }
            }
            Find::PutAlong | Find::OneHot => {
                to.fill(T::default());
                for (n, &index) in indices.iter().enumerate() {
                    let (o, i) = (n / inner / count, n % inner);
                    let to = &mut to[(o * axis + place(index)?) * inner + i];
                    let x = if self.find == Find::OneHot { T::one() } else { added[n] };
                    *to = to.plus(x);
                }
            }
        }
        Ok(())
    }
}
