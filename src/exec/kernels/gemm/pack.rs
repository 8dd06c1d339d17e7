//! Operands of products copied into the order in which tiles read them.

use super::{Matrix, Right};
use crate::exec::kernels::Level;
use crate::exec::kernels::lanes::{Float, Lanes, Simd};
use crate::exec::kernels::level::{Task, dispatch};

/// The number of columns of a panel: two vectors.
#[inline(always)]
pub(super) fn panel<L: Lanes>() -> usize {
    2 * L::LEN
}

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
        let count =
            dispatch(self.level, Room { depth: self.depth, columns: self.columns, of: matrix });
        self.data.resize(count, T::zero());
        let (depth, columns, to) = (self.depth, self.columns, self.data.as_mut_ptr());
        dispatch(self.level, Pack { depth, columns, of: matrix, to });
    }
}

impl<'a, T> From<&'a Packed<T>> for Right<'a, T> {
    fn from(packed: &'a Packed<T>) -> Self {
        Right::Packed(packed)
    }
}

struct Room<'a, T> {
    depth: usize,
    columns: usize,
    of: Matrix<'a, T>,
}

impl<T: Float> Task for Room<'_, T> {
    type Out = usize;
    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        let _ = self.of;
        room::<T::On<S>>(self.depth, self.columns)
    }
}

/// The number of elements of all panels.
#[inline(always)]
pub(super) fn room<L: Lanes>(depth: usize, columns: usize) -> usize {
    columns.next_multiple_of(panel::<L>()) * depth
}

struct Pack<'a, T> {
    depth: usize,
    columns: usize,
    of: Matrix<'a, T>,
    to: *mut T,
}

impl<T: Float> Task for Pack<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let wide = panel::<T::On<S>>();
        for (i, column) in (0..self.columns).step_by(wide).enumerate() {
            let count = wide.min(self.columns - column);
            // SAFETY: `again` has checked the matrix and made room.
            unsafe {
                let to = self.to.add(i * wide * self.depth);
                let from = self.of.data.as_ptr().wrapping_add(column * self.of.steps.1);
                columns::<T::On<S>>(from, self.of.steps, self.depth, count, to);
            }
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
        // Rows by tens of columns, so that what is read and what is written stay in the cache.
        let mut start = 0;
        while start < rows {
            let end = rows.min(start + 16);
            for j in 0..count {
                let column = from.add(j * along);
                for r in start..end {
                    *to.add(r * wide + j) = *column.add(r * row);
                }
            }
            start = end;
        }
    }
}

/// Copies rows of the left operand, `high` by `high`, each block one column after the other.
///
/// # Safety
/// So many rows and columns can be read with these steps, and as many written, rows counted in whole blocks.
#[inline(always)]
pub(super) unsafe fn rows<T: Float>(
    from: *const T,
    (row, along): (usize, usize),
    (rows, depth): (usize, usize),
    high: usize,
    to: *mut T,
) {
    let mut to = to;
    for first in (0..rows).step_by(high) {
        let count = high.min(rows - first);
        for r in 0..count {
            // SAFETY: the caller's promise.
            unsafe {
                let from = from.add((first + r) * row);
                for k in 0..depth {
                    *to.add(k * high + r) = *from.add(k * along);
                }
            }
        }
        to = to.wrapping_add(high * depth);
    }
}
