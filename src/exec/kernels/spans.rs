//! The loops of a group over spans, of which a result may lie where an operand lies.

use super::fold;
use super::lanes::Float;
use super::level::Level;
use super::math::Math;
use super::memory::Span;
use super::rows::{self, Action};
use crate::ops::reduce::Fold;
use crate::tensor::Element;

/// What an instruction reads.
#[derive(Clone, Copy, Debug)]
pub enum Source<T> {
    /// An element for each of the result.
    Span(Span<T>),
    /// The same number everywhere.
    Number(T),
}

/// The action on every element. An operand may be just where the result goes.
///
/// # Panics
/// Where lengths differ: a bug of the caller.
#[inline]
pub fn apply<T: Float>(
    level: Level,
    math: Math,
    action: Action,
    args: [Source<T>; 3],
    to: Span<T>,
) {
    let args = args.map(|source| match source {
        Source::Span(span) => {
            assert_eq!(span.len, to.len, "an element for each");
            rows::Source::From(span.at.cast_const())
        }
        Source::Number(number) => rows::Source::Number(number),
    });
    // SAFETY: as many elements are there; spans of a step are the same or apart, which the plan sees to.
    unsafe { rows::apply_at(level, math, action, args, to.at, to.len) };
}

/// Each number `width` times.
pub fn spread<T: Float>(x: Span<T>, width: usize, to: Span<T>) {
    assert_eq!(x.len * width, to.len);
    for (row, &value) in to.write().chunks_exact_mut(width.max(1)).zip(x.read()) {
        row.fill(value);
    }
}

/// Numbers as truth values.
pub fn store_truth<T: Float>(x: Source<T>, to: Span<bool>) {
    match x {
        Source::Number(x) => to.write().fill(x != T::zero()),
        Source::Span(x) => {
            assert_eq!(x.len, to.len);
            to.write().iter_mut().zip(x.read()).for_each(|(to, &x)| *to = x != T::zero());
        }
    }
}

/// Rows of `width` elements from `at` on; the steps are those from row to row and within a row.
///
/// # Panics
/// Where one of them is beyond the span: a bug of the caller.
#[inline]
pub fn gather<E: Element, T: Element>(
    from: Span<E>,
    at: isize,
    (row, step): (isize, isize),
    width: usize,
    to: Span<T>,
    cast: impl Fn(E) -> T,
) {
    let Some(rows) = to.len.checked_div(width).filter(|rows| *rows > 0) else { return };
    let (down, along) = (row * (rows as isize - 1), step * (width as isize - 1));
    let (least, most) = (at + down.min(0) + along.min(0), at + down.max(0) + along.max(0));
    assert!(rows * width == to.len && least >= 0 && (most as usize) < from.len, "in the span");
    for (i, to) in to.write().chunks_exact_mut(width).enumerate() {
        // SAFETY: every place lies between the least and the last, which are in the span.
        unsafe {
            let start = from.at.offset(at + row * i as isize);
            match step {
                0 => to.fill(cast(*start)),
                1 => {
                    for (i, to) in to.iter_mut().enumerate() {
                        *to = cast(*start.add(i));
                    }
                }
                _ => {
                    for (i, to) in to.iter_mut().enumerate() {
                        *to = cast(*start.offset(step * i as isize));
                    }
                }
            }
        }
    }
}

/// Copies columns of so many rows as rows of `width` elements: what follows each other in a column lies together, columns
/// are `step` apart.
///
/// # Panics
/// Beyond the spans: a bug of the caller.
pub fn transpose<T: Element>(from: Span<T>, at: usize, step: usize, width: usize, to: Span<T>) {
    let Some(rows) = to.len.checked_div(width).filter(|rows| *rows > 0) else { return };
    let (from, to) = (from.read(), to.write());
    assert!(rows * width == to.len());
    for column in 0..width {
        let start = at + column * step;
        for (row, &x) in from[start..start + rows].iter().enumerate() {
            to[row * width + column] = x;
        }
    }
}

/// Each row of `width` elements folded.
pub fn fold_rows<T: Float>(level: Level, kind: Fold, x: Span<T>, width: usize, to: Span<T>) {
    fold::rows(level, kind, x.read(), width, to.write());
}

/// Folds `x` into `sums`, going round; the first element belongs to number `at`.
pub fn accumulate<T: Float>(level: Level, kind: Fold, x: Span<T>, at: usize, sums: Span<T>) {
    let size = sums.len.max(1);
    let first = (size - at).min(x.len) % size;
    let whole = (x.len - first) / size * size;
    let last = x.len - first - whole;
    let into = |x: Span<T>, sums: Span<T>| fold::accumulate(level, kind, x.read(), sums.write());
    if first > 0 {
        into(x.part(0, first), sums.part(at, first));
    }
    if whole > 0 {
        into(x.part(first, whole), sums);
    }
    if last > 0 {
        into(x.part(first + whole, last), sums.part(0, last));
    }
}
