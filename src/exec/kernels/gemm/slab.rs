//! Some rows of a product by a block of the contraction: the panels one after the other, tile by tile.

use super::tile::{EACH, NARROW, Tile, tile};
use super::{Parts, Right, pack};
use crate::exec::kernels::lanes::{Float, Lanes, Simd};
use crate::exec::kernels::level::Task;
use std::ops::Range;

/// A right operand of fewer bytes is in the second cache anyway.
const KEPT: usize = 1 << 19;

/// Some rows by a block of the contraction.
pub(super) struct Slab<'a, T> {
    pub parts: &'a Parts<'a, T>,
    pub rows: Range<usize>,
    pub panels: Range<usize>,
    pub start: usize,
    pub depth: usize,
    pub adds: bool,
    pub ends: bool,
    /// Room for the rows, if they are to be copied.
    pub left: Option<*mut T>,
    /// Room for a panel.
    pub room: *mut T,
}

impl<T: Float> Task for Slab<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let (parts, room) = (self.parts, self.room);
        let (job, lanes) = (parts.job, T::On::<S>::LEN);
        let (count, wide) = (self.rows.len(), 2 * lanes);
        let most = if job.n <= lanes { NARROW.min(S::ROWS) } else { S::ROWS };
        let high = count.div_ceil(count.div_ceil(most));
        let (row, along) = job.a.steps;
        let a = job.a.data.as_ptr().wrapping_add(self.rows.start * row + self.start * along);
        // SAFETY: `product` has checked all operands, and the room is as large as a slab needs.
        unsafe {
            let (a, steps, block) = match self.left {
                Some(left) => {
                    pack::rows::<T::On<S>>(a, job.a.steps, (count, self.depth), high, left);
                    (left.cast_const(), (1, high), high * self.depth)
                }
                None => (a, job.a.steps, high * row),
            };
            for panel in self.panels.clone() {
                let column = panel * wide;
                let there = wide.min(job.n - column);
                let vectors = there.div_ceil(lanes);
                // What lies below the diagonal, if it is not asked for.
                let below = |row: usize| job.finish.symmetric && row >= column + there;
                if below(self.rows.start) {
                    continue;
                }
                let (mut b, mut b_step, mut copies) = match (parts.packed, job.b) {
                    (None, Right::Matrix(matrix)) => {
                        let (row, along) = matrix.steps;
                        let b = matrix.data.as_ptr();
                        let b = b.wrapping_add(self.start * row + column * along);
                        if there.is_multiple_of(lanes) && along == 1 {
                            (b, row, count > high)
                        } else {
                            pack::columns::<T::On<S>>(b, matrix.steps, self.depth, there, room);
                            (room.cast_const(), vectors * lanes, false)
                        }
                    }
                    (packed, _) => {
                        let packed = packed.unwrap_or(std::ptr::null());
                        let from = column * job.k + self.start * vectors * lanes;
                        (packed.wrapping_add(from), vectors * lanes, false)
                    }
                };
                let mut it = Tile {
                    depth: self.depth,
                    a_steps: steps,
                    copy: room,
                    last: there - (vectors - 1) * lanes,
                    adds: self.adds,
                    ends: self.ends,
                    column,
                    ..job.tile(a, b, b_step)
                };
                it.c = job.c.wrapping_add(self.rows.start * job.c_step + column);
                let most = if vectors == 1 { high.min(NARROW) } else { high };
                for (i, first) in (0..count).step_by(high).enumerate() {
                    if below(self.rows.start + first) {
                        break;
                    }
                    let ahead = self.ahead::<T::On<S>>(panel + 1, i);
                    (it.ahead, it.ahead_step) = ahead.unwrap_or((a, 0));
                    it.a = a.wrapping_add(i * block);
                    let end = count.min(first + high);
                    for first in (first..end).step_by(most) {
                        let rows = most.min(end - first);
                        (it.b, it.b_step) = (b, b_step);
                        tile::<T::On<S>>(rows, vectors, copies, &it);
                        if copies {
                            (b, b_step, copies) = (room, vectors * lanes, false);
                        }
                        it.a = it.a.wrapping_add(rows * steps.0);
                        it.c = it.c.wrapping_add(rows * job.c_step);
                    }
                }
            }
        }
    }
}

impl<T: Float> Slab<'_, T> {
    /// What tile `i` fetches of a panel that is yet to come, and the step from row to row: half of some rows.
    #[inline(always)]
    fn ahead<L: Lanes<Element = T>>(&self, panel: usize, i: usize) -> Option<(*const T, usize)> {
        let job = self.parts.job;
        let Right::Matrix(b) = job.b else { return None };
        let bytes = job.k.saturating_mul(job.n).saturating_mul(size_of::<T>());
        let row = i / 2 * (self.depth / EACH);
        let useless = b.steps.1 != 1 || bytes < KEPT;
        if useless || panel >= self.panels.end || row >= self.depth {
            return None;
        }
        let column = (2 * panel + i % 2) * L::LEN;
        let from = b.data.as_ptr().wrapping_add((self.start + row) * b.steps.0 + column);
        Some((from, b.steps.0))
    }
}
