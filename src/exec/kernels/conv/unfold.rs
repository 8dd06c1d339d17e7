//! Images unfolded, part by part: a row for each channel and place in the window, a column for each window.

use super::{Axis, Convolution};
use crate::exec::kernels::lanes::Float;
use std::ops::Range;

/// About so many elements are unfolded at a time.
const ROOM: usize = 1 << 18;

impl Convolution {
    /// The elements of the largest block of an unfolded image.
    pub(super) fn room(&self) -> usize {
        self.blocks().next().map_or(0, |block| self.depth() * block.count())
    }

    /// The windows of an image in parts that are unfolded at a time; all at once where nothing has to be.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Block> {
        let [a, b, c] = self.axes.map(|axis| axis.count);
        let (lines, most) = (a * b, ROOM / self.depth().max(1));
        let columns = if self.is_flat() { c } else { most.clamp(1, c.max(1)) };
        let down = if self.is_flat() { lines } else { (most / c.max(1)).clamp(1, lines.max(1)) };
        let some = self.windows() > 0;
        (0..if some { lines } else { 0 }).step_by(down.max(1)).flat_map(move |line| {
            (0..c).step_by(columns.max(1)).map(move |column| Block {
                lines: line..lines.min(line + down),
                columns: column..c.min(column + columns),
                first: line * c + column,
            })
        })
    }

    /// The channels of an image unfolded, in `room` if they are not so already.
    pub(super) fn unfolded<'a, T: Float>(
        &self,
        block: &Block,
        x: &'a [T],
        room: &'a mut [T],
    ) -> &'a [T] {
        if self.is_flat() {
            return x;
        }
        let stride = self.axes[2].stride;
        let mut to = room.chunks_exact_mut(block.columns.len());
        self.each_line(block, |line| {
            let Some(to) = to.next() else { return };
            let Some((from, inside)) = line else { return to.fill(T::zero()) };
            to[..inside.start].fill(T::zero());
            to[inside.end..].fill(T::zero());
            let to = &mut to[inside];
            if stride == 1 {
                to.copy_from_slice(&x[from..from + to.len()]);
            } else {
                to.iter_mut().zip(x[from..].iter().step_by(stride)).for_each(|(to, x)| *to = *x);
            }
        });
        room
    }

    /// Adds an unfolded image to its channels.
    pub(super) fn fold<T: Float>(&self, block: &Block, from: &[T], x: &mut [T]) {
        let stride = self.axes[2].stride;
        let mut lines = from.chunks_exact(block.columns.len());
        self.each_line(block, |line| {
            let (Some(from), Some((at, inside))) = (lines.next(), line) else { return };
            let from = &from[inside];
            if stride == 1 {
                x[at..at + from.len()].iter_mut().zip(from).for_each(|(x, y)| *x = *x + *y);
            } else {
                x[at..].iter_mut().step_by(stride).zip(from).for_each(|(x, y)| *x = *x + *y);
            }
        });
    }

    /// Each line of windows along the last axis, in the order of an unfolded block: where its first element on the axis is
    /// in the channels, and the windows for which it is on the axis; nothing where no window is there.
    fn each_line(&self, block: &Block, mut work: impl FnMut(Option<(usize, Range<usize>)>)) {
        let [a, b, c] = self.axes;
        let place = |axis: &Axis, (inside, first): &(Range<usize>, usize), window: usize| {
            inside.contains(&window).then(|| first + (window - inside.start) * axis.stride)
        };
        for channel in 0..self.inputs {
            for tap in 0..self.taps() {
                let (ta, tb, tc) =
                    (tap / c.window / b.window, tap / c.window % b.window, tap % c.window);
                let (in_a, in_b, (in_c, first)) = (a.inside(ta), b.inside(tb), c.inside(tc));
                let start = in_c.start.clamp(block.columns.start, block.columns.end);
                let end = in_c.end.clamp(start, block.columns.end);
                let here = start - block.columns.start..end - block.columns.start;
                for line in block.lines.clone() {
                    let (wa, wb) = (line / b.count, line % b.count);
                    let at = place(&a, &in_a, wa).zip(place(&b, &in_b, wb));
                    work(at.filter(|_| !here.is_empty()).map(|(at_a, at_b)| {
                        let element = first + (start - in_c.start) * c.stride;
                        let at = ((channel * a.size + at_a) * b.size + at_b) * c.size + element;
                        (at, here.clone())
                    }));
                }
            }
        }
    }
}

/// Some windows of an image: whole lines, or part of one.
pub(super) struct Block {
    /// Lines along the last axis.
    lines: Range<usize>,
    /// The windows of a line.
    columns: Range<usize>,
    /// The first window.
    pub first: usize,
}

impl Block {
    pub fn count(&self) -> usize {
        self.lines.len() * self.columns.len()
    }
}
