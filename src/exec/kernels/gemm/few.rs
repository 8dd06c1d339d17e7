//! A few left rows: right rows are read one after the other, as they lie, and the sums stay in the first cache.
//!
//! A tile of a few rows would have too few sums for the processor to have work while one is on its way, and read the right
//! operand in pieces that are far apart.

use super::tile::finish;
use super::{Job, Matrix};
use crate::exec::kernels::lanes::{Float, Lanes, Simd};
use crate::exec::kernels::level::Task;
use std::ops::Range;

/// So many left rows are few,
pub(super) const ROWS: usize = 2;
/// where there are so many panels.
pub(super) const PANELS: usize = 8;
/// So many right rows are added at once.
const DEEP: usize = 4;

/// Some columns, at least a vector of them, of a product with few left rows.
pub(super) struct Few<'a, T> {
    pub job: &'a Job<'a, T>,
    pub b: Matrix<'a, T>,
    pub columns: Range<usize>,
    /// Room for the sums.
    pub room: &'a mut [T],
}

/// The number of elements of the sums of so many columns, a panel of which is so wide.
pub(super) fn room(rows: usize, columns: usize, wide: usize) -> usize {
    (rows + 1) * columns.next_multiple_of(wide)
}

impl<T: Float> Task for Few<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let (job, lanes, count) = (self.job, T::On::<S>::LEN, self.columns.len());
        let vectors = count.div_ceil(lanes);
        let sums = self.room.as_mut_ptr();
        let mut it = job.tile(job.a.data.as_ptr(), self.b.data.as_ptr(), self.b.steps.0);
        let (blocks, deep) = job.blocks();
        // SAFETY: `product` has checked all operands; the columns are among those of the right one, the room is for them.
        unsafe {
            for block in 0..blocks {
                sums.write_bytes(0, job.m * vectors * lanes);
                let end = job.k.min((block + 1) * deep);
                for k in (block * deep..end).step_by(DEEP) {
                    for i in 0..job.m {
                        let sums = sums.add(i * vectors * lanes);
                        match end - k {
                            1 => self.add::<T::On<S>, 1>(i, k, sums),
                            2 => self.add::<T::On<S>, 2>(i, k, sums),
                            3 => self.add::<T::On<S>, 3>(i, k, sums),
                            _ => self.add::<T::On<S>, DEEP>(i, k, sums),
                        }
                    }
                }
                (it.adds, it.ends) = (block > 0 || it.finish.adds, block + 1 == blocks);
                for place in 0..job.m * vectors {
                    let (i, first) = (place / vectors, place % vectors * lanes);
                    it.column = self.columns.start + first;
                    it.c = job.c.add(i * job.c_step + it.column);
                    it.last = lanes.min(count - first);
                    finish::<T::On<S>, 1>(1, sums.add((place + 1) * lanes - it.last), &it);
                }
            }
        }
    }
}

impl<T: Float> Few<'_, T> {
    /// Adds to the sums of a row its products with `K` right rows. The last vector of columns ends where they end.
    ///
    /// # Safety
    /// There are so many rows, and sums for whole vectors.
    #[inline(always)]
    unsafe fn add<L: Lanes<Element = T>, const K: usize>(&self, i: usize, k: usize, sums: *mut T) {
        let (count, (row, along)) = (self.columns.len(), self.job.a.steps);
        let mut left = [L::of(0.0); K];
        // SAFETY: the caller's promise.
        unsafe {
            for (d, left) in left.iter_mut().enumerate() {
                *left = L::splat(*self.job.a.data.as_ptr().add(i * row + (k + d) * along));
            }
            let from = self.b.data.as_ptr().add(k * self.b.steps.0 + self.columns.start);
            for first in (0..count).step_by(L::LEN) {
                let from = from.add(first.min(count - L::LEN));
                let mut sum = L::load(sums.add(first));
                for (d, left) in left.iter().enumerate() {
                    sum = left.mul_add(L::load(from.add(d * self.b.steps.0)), sum);
                }
                sum.store(sums.add(first));
            }
        }
    }
}
