//! Folds of floats: of rows along the last axis, and of many rows into one.
//!
//! The order of a sum depends on the length and the level alone.

use super::lanes::{self, Float, Join, Lanes, Simd};
use super::level::{Level, Task, dispatch};
use crate::ops::reduce::Fold;

/// What `fold` does to nothing.
///
/// # Panics
/// Of `Logsumexp`, which is made of other folds: a bug of the caller.
pub fn identity<T: Float>(fold: Fold) -> T {
    match fold {
        Fold::Sum | Fold::Mean | Fold::Any => T::zero(),
        Fold::Prod | Fold::All => T::one(),
        Fold::Max => T::neg_infinity(),
        Fold::Min => T::infinity(),
        Fold::Logsumexp => unreachable!("logsumexp is made of max, exp and sum"),
    }
}

/// Each row of `x`, of `width` elements, folded. Truth values are 1 and 0; NaN stays in the largest and the smallest.
///
/// # Panics
/// Where `x` has not `width` elements for each of `to`, or of `Logsumexp`: bugs of the caller.
pub fn rows<T: Float>(level: Level, fold: Fold, x: &[T], width: usize, to: &mut [T]) {
    assert_eq!(Some(x.len()), to.len().checked_mul(width));
    dispatch(level, Rows { fold, x, width, to });
}

/// Folds `x` into `into`, row by row: element `i` of `x` goes to `i` modulo the length of `into`. `Mean` sums.
///
/// # Panics
/// Where `x` has no whole number of rows, or of `Logsumexp`: bugs of the caller.
pub fn accumulate<T: Float>(level: Level, fold: Fold, x: &[T], into: &mut [T]) {
    assert!(x.is_empty() || !into.is_empty() && x.len().is_multiple_of(into.len()));
    dispatch(level, Accumulate { fold, x, into });
}

/// Runs `$body` with `$J` as the operation of a kind.
macro_rules! by_kind {
    ($fold:expr, $J:ident => $body:expr) => {
        match $fold {
            Fold::Sum | Fold::Mean => {
                type $J = lanes::Sum;
                $body
            }
            Fold::Prod => {
                type $J = lanes::Product;
                $body
            }
            Fold::Max | Fold::Any => {
                type $J = lanes::Larger;
                $body
            }
            Fold::Min | Fold::All => {
                type $J = lanes::Smaller;
                $body
            }
            Fold::Logsumexp => unreachable!("logsumexp is made of max, exp and sum"),
        }
    };
}

struct Rows<'a, T> {
    fold: Fold,
    x: &'a [T],
    width: usize,
    to: &'a mut [T],
}

impl<T: Float> Task for Rows<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let zero = T::On::<S>::splat(identity(self.fold));
        by_kind!(self.fold, J => {
            for (i, to) in self.to.iter_mut().enumerate() {
                let row = &self.x[i * self.width..(i + 1) * self.width];
                let value = match row.len() < T::On::<S>::LEN {
                    true => short(self.fold, row),
                    false => one::<T::On<S>, J>(row, zero),
                };
                *to = match self.fold {
                    Fold::Mean => value / T::of_f64(self.width as f64),
                    _ => value,
                };
            }
        });
    }
}

/// A row that does not fill a vector, in order.
#[inline(always)]
fn short<T: Float>(fold: Fold, x: &[T]) -> T {
    let start = identity(fold);
    let x = x.iter().copied();
    match fold {
        Fold::Prod => x.fold(start, |a, b| a * b),
        Fold::Max | Fold::Any => x.fold(start, |a, b| if b > a || b.is_nan() { b } else { a }),
        Fold::Min | Fold::All => x.fold(start, |a, b| if b < a || b.is_nan() { b } else { a }),
        _ => x.fold(start, |a, b| a + b),
    }
}

/// A row by four vectors side by side, then by halves.
#[inline(always)]
fn one<L: Lanes, J: Join>(x: &[L::Element], zero: L) -> L::Element {
    let from = x.as_ptr();
    let mut sums = [zero; 4];
    let mut i = 0;
    // SAFETY: every load ends within `x`.
    unsafe {
        while i + 4 * L::LEN <= x.len() {
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum = J::join(*sum, L::load(from.add(i + k * L::LEN)));
            }
            i += 4 * L::LEN;
        }
        while i + L::LEN <= x.len() {
            sums[0] = J::join(sums[0], L::load(from.add(i)));
            i += L::LEN;
        }
        if i < x.len() {
            sums[1] = J::join(sums[1], L::load_some(from.add(i), x.len() - i, zero));
        }
    }
    let sum = J::join(J::join(sums[0], sums[1]), J::join(sums[2], sums[3]));
    sum.fold::<J>()
}

struct Accumulate<'a, T> {
    fold: Fold,
    x: &'a [T],
    into: &'a mut [T],
}

impl<T: Float> Task for Accumulate<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let len = T::On::<S>::LEN;
        by_kind!(self.fold, J => {
            if let [sum] = self.into {
                let zero = T::On::<S>::splat(identity(self.fold));
                let value = one::<T::On<S>, J>(self.x, zero);
                *sum = J::join(T::On::<S>::splat(*sum), T::On::<S>::splat(value)).first();
                return;
            }
            for row in self.x.chunks_exact(self.into.len().max(1)) {
                let (from, to) = (row.as_ptr(), self.into.as_mut_ptr());
                let mut i = 0;
                // SAFETY: `row` and `into` have the same length, within which every load and store ends.
                unsafe {
                    while i + len <= row.len() {
                        let sum = J::join(T::On::<S>::load(to.add(i)), T::On::<S>::load(from.add(i)));
                        sum.store(to.add(i));
                        i += len;
                    }
                    if i < row.len() {
                        let (rest, zero) = (row.len() - i, T::On::<S>::splat(T::zero()));
                        let x = T::On::<S>::load_some(from.add(i), rest, zero);
                        let sum = T::On::<S>::load_some(to.add(i), rest, zero);
                        J::join(sum, x).store_some(to.add(i), rest);
                    }
                }
            }
        });
    }
}
