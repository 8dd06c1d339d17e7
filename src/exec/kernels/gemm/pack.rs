//! Operands of products copied into the order in which tiles read them.

use super::{Matrix, Right};
use crate::exec::kernels::Level;
use crate::exec::kernels::lanes::{Float, Lanes, Simd};
use crate::exec::kernels::level::{Task, dispatch};
use std::marker::PhantomData;

/// A right operand in panels, for many products at one level.
#[derive(Clone, Debug)]
pub struct Packed<T> {
    pub(super) level: Level,
    pub(super) data: Vec<T>,
    pub(super) depth: usize,
    pub(super) columns: usize,
}

impl<T: Float> Packed<T> {
    /// The panels of a matrix of so many rows and columns.
    ///
    /// # Panics
    /// Where the matrix has not as many: a bug of the caller.
    pub fn new(level: Level, depth: usize, columns: usize, matrix: Matrix<T>) -> Packed<T> {
        let mut packed = Packed { level, data: Vec::new(), depth, columns };
        packed.again(matrix);
        packed
    }

    /// The panels of another matrix of the same size, in the same memory.
    ///
    /// # Panics
    /// As `new`.
    pub fn again(&mut self, matrix: Matrix<T>) {
        matrix.check(self.depth, self.columns);
        let (wide, _) = shape::<T>(self.level);
        self.data.resize(room(self.depth, self.columns, wide), T::zero());
        let (depth, columns, steps) = (self.depth, self.columns, matrix.steps);
        let (from, to) = (matrix.data.as_ptr(), &mut self.data[..]);
        dispatch(self.level, Panels { from, steps, depth, columns, to });
    }
}

impl<'a, T> From<&'a Packed<T>> for Right<'a, T> {
    fn from(packed: &'a Packed<T>) -> Self {
        Right::Packed(packed)
    }
}

/// The shape of tiles at a level: the columns of a panel, two vectors, and the rows.
pub(super) fn shape<T: Float>(level: Level) -> (usize, usize) {
    dispatch(level, Shape::<T>(PhantomData))
}

struct Shape<T>(PhantomData<T>);

impl<T: Float> Task for Shape<T> {
    type Out = (usize, usize);
    #[inline(always)]
    fn run<S: Simd>(self) -> (usize, usize) {
        (2 * T::On::<S>::LEN, S::ROWS)
    }
}

/// The number of elements of all panels.
pub(super) fn room(depth: usize, columns: usize, wide: usize) -> usize {
    columns.next_multiple_of(wide) * depth
}

/// Copies columns of a matrix, which has been checked, to panels.
pub(super) struct Panels<'a, T> {
    pub from: *const T,
    pub steps: (usize, usize),
    pub depth: usize,
    pub columns: usize,
    pub to: &'a mut [T],
}

impl<T: Float> Task for Panels<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let wide = 2 * T::On::<S>::LEN;
        for (i, to) in self.to.chunks_exact_mut((wide * self.depth).max(1)).enumerate() {
            let first = i * wide;
            let from = self.from.wrapping_add(first * self.steps.1);
            let count = wide.min(self.columns - first);
            // SAFETY: the matrix has been checked; the chunk has room for a panel.
            unsafe { columns::<T::On<S>>(from, self.steps, self.depth, count, to.as_mut_ptr()) };
        }
    }
}

/// Copies `count` columns, at most those of a panel, row by row into as many whole vectors; behind them are zeros.
///
/// # Safety
/// So many rows and columns can be read with these steps, and whole vectors of them written.
#[inline(always)]
pub(super) unsafe fn columns<L: Lanes>(
    from: *const L::Element,
    (row, along): (usize, usize),
    rows: usize,
    count: usize,
    to: *mut L::Element,
) {
    let wide = count.next_multiple_of(L::LEN);
    // SAFETY: the caller's promise.
    unsafe {
        if count < wide {
            for r in 0..rows {
                L::of(0.0).store(to.add(r * wide + wide - L::LEN));
            }
        }
        if along == 1 {
            for r in 0..rows {
                std::ptr::copy_nonoverlapping(from.add(r * row), to.add(r * wide), count);
            }
            return;
        }
        // Whole squares of vectors first: so many columns of so many rows.
        let squares = if row == 1 && L::SHUFFLES { count - count % L::LEN } else { 0 };
        let turned = if squares > 0 { rows - rows % L::LEN } else { 0 };
        for j in (0..squares).step_by(L::LEN) {
            for r in (0..turned).step_by(L::LEN) {
                let from = from.add(j * along + r);
                transposed::<L>(from, along, L::LEN, to.add(r * wide + j), wide);
            }
        }
        // Rows by tens of columns, so that what is read and what is written stay in the cache.
        let next = if turned == rows { squares } else { 0 };
        for start in (0..rows).step_by(16) {
            for j in next..count {
                let (first, column) = (if j < squares { turned } else { 0 }, from.add(j * along));
                for r in start.max(first)..rows.min(start + 16) {
                    *to.add(r * wide + j) = *column.add(r * row);
                }
            }
        }
    }
}

/// Copies a square of as many rows as a vector has lanes, `from_step` apart, to its columns, `to_step` apart; only the first
/// `count` rows, at least one, are there.
///
/// # Safety
/// So many vectors can be read, and all columns written, the first before the next.
#[inline(always)]
unsafe fn transposed<L: Lanes>(
    from: *const L::Element,
    from_step: usize,
    count: usize,
    to: *mut L::Element,
    to_step: usize,
) {
    let mut square = [L::of(0.0); 16];
    // SAFETY: the caller's promise.
    unsafe {
        for (r, row) in square.iter_mut().enumerate().take(L::LEN) {
            *row = L::load(from.add(r.min(count - 1) * from_step));
        }
        // Each round turns the bits of an element's place, row before column, by one.
        for _ in 0..L::LEN.ilog2() {
            let mut next = square;
            for r in 0..L::LEN / 2 {
                (next[2 * r], next[2 * r + 1]) = square[r].laced(square[r + L::LEN / 2]);
            }
            square = next;
        }
        for (r, row) in square.iter().enumerate().take(L::LEN) {
            row.store(to.add(r * to_step));
        }
    }
}

/// Elements behind packed rows that may be written too.
pub(super) const SLACK: usize = 16;

/// Copies rows of the left operand, `high` by `high`, each block one column after the other.
///
/// # Safety
/// So many rows and columns can be read with these steps, and as many written with `SLACK` behind them, rows counted in
/// whole blocks.
#[inline(always)]
pub(super) unsafe fn rows<L: Lanes>(
    from: *const L::Element,
    (row, along): (usize, usize),
    (rows, depth): (usize, usize),
    high: usize,
    to: *mut L::Element,
) {
    let mut to = to;
    for first in (0..rows).step_by(high) {
        let count = high.min(rows - first);
        // SAFETY: the caller's promise; what vectors write beyond their rows is written over, or slack.
        unsafe {
            let from = from.add(first * row);
            let mut k = 0;
            if row == 1 {
                while k < depth {
                    for r in (0..count).step_by(L::LEN) {
                        let (from, left) = (from.add(k * along + r), rows - first - r);
                        let some = match left < L::LEN {
                            true => L::load_some(from, left, L::of(0.0)),
                            false => L::load(from),
                        };
                        some.store(to.add(k * high + r));
                    }
                    k += 1;
                }
            } else if along == 1 && L::SHUFFLES {
                while k + L::LEN <= depth {
                    for r in (0..count).step_by(L::LEN).rev() {
                        let (from, count) = (from.add(r * row + k), L::LEN.min(count - r));
                        transposed::<L>(from, row, count, to.add(k * high + r), high);
                    }
                    k += L::LEN;
                }
            }
            for k in k..depth {
                for r in 0..count {
                    *to.add(k * high + r) = *from.add(r * row + k * along);
                }
            }
        }
        to = to.wrapping_add(high * depth);
    }
}
