//! Convolutions of stride 1 without unfolding: each place in the window is the image, shifted.
//!
//! Of an image with its padding, the elements that place `k` of a window meets lie one after the other from `shifts[k]` on,
//! but for some between the lines, which are computed too and left out: so whole vectors are read where they lie.

use super::Axis;
use crate::exec::kernels::lanes::{Float, Lanes, Simd, Sum};
use crate::exec::kernels::level::{Level, Task, dispatch};
use crate::exec::kernels::scratch;
use std::ops::Range;

/// So many elements behind an image can be read.
const SLACK: usize = 64;
/// Columns are computed by so many, a multiple of two vectors at every level,
const COLUMNS: usize = 32;
/// and at most so many rows together.
const ROWS: usize = 8;

/// A padded image of some channels, and windows on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slide {
    axes: [Axis; 3],
    /// The sizes of the padded axes.
    sizes: [usize; 3],
    channels: usize,
    /// Where the first place of a window lies, and the steps to the next along each axis.
    first: usize,
    steps: [isize; 3],
    /// From the first window to the last, and so many computed.
    reach: usize,
    columns: usize,
}

/// What is done with results on their way: the bias of each row is added, and of that the positive part taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a, T> {
    pub bias: Option<&'a [T]>,
    pub relu: bool,
}

impl Slide {
    /// The windows of some channels. With `flipped`, the places in a window are counted from its end.
    pub(super) fn new(axes: [Axis; 3], channels: usize, flipped: bool) -> Slide {
        let sizes = axes.map(|axis| axis.count + (axis.window - 1) * axis.dilation);
        let [_, b, c] = sizes;
        let along = [axes[0].dilation * b * c, axes[1].dilation * c, axes[2].dilation];
        let last: usize = (0..3).map(|axis| (axes[axis].window - 1) * along[axis]).sum();
        let steps = along.map(|step| if flipped { -(step as isize) } else { step as isize });
        let end = |axis: &Axis| axis.count.saturating_sub(1);
        let reach = (end(&axes[0]) * b + end(&axes[1])) * c + axes[2].count;
        let columns = reach.next_multiple_of(COLUMNS);
        let first = if flipped { last } else { 0 };
        Slide { axes, sizes, channels, first, steps, reach, columns }
    }

    /// The windows of an image by which the windows of another are added back to it.
    pub(super) fn back(axes: [Axis; 3], channels: usize) -> Slide {
        let turned = axes.map(|axis| Axis {
            size: axis.count,
            count: axis.size,
            low: ((axis.window - 1) * axis.dilation) as isize - axis.low,
            ..axis
        });
        Slide::new(turned, channels, true)
    }

    /// Whether so many windows are enough of all columns, and the padding no more than the image.
    pub(super) fn pays(&self, windows: usize) -> bool {
        let pixels: usize = self.axes.iter().map(|axis| axis.size).product();
        5 * windows >= 2 * self.columns && self.pixels() <= 8 * (pixels + windows)
    }

    fn pixels(&self) -> usize {
        self.sizes.iter().product()
    }

    fn depth(&self) -> usize {
        self.channels * self.axes.iter().map(|axis| axis.window).product::<usize>()
    }

    /// The elements of a padded image with room to read behind it, and of its results.
    pub(super) fn room(&self) -> (usize, usize) {
        (self.channels * self.pixels() + SLACK, self.columns)
    }

    /// Copies an image to its place in a padded one.
    pub(super) fn pad<T: Float>(&self, x: &[T], to: &mut [T]) {
        let [a, b, c] = self.axes;
        if (0..3).all(|i| self.axes[i].low == 0 && self.axes[i].size == self.sizes[i]) {
            let (image, slack) = to.split_at_mut(x.len());
            image.copy_from_slice(x);
            return slack.fill(T::zero());
        }
        to.fill(T::zero());
        // The part of a line that is there, in the line and in the padded one.
        let part = |axis: &Axis, padded: usize| {
            let skipped = (-axis.low).max(0) as usize;
            let before = axis.low.max(0) as usize;
            let count = axis.size.saturating_sub(skipped).min(padded.saturating_sub(before));
            (skipped, before, count)
        };
        let (a0, a1, na) = part(&a, self.sizes[0]);
        let (b0, b1, nb) = part(&b, self.sizes[1]);
        let (c0, c1, nc) = part(&c, self.sizes[2]);
        for channel in 0..self.channels {
            for i in 0..na {
                for j in 0..nb {
                    let from = ((channel * a.size + a0 + i) * b.size + b0 + j) * c.size + c0;
                    let line = (channel * self.sizes[0] + a1 + i) * self.sizes[1] + b1 + j;
                    let at = line * self.sizes[2] + c1;
                    to[at..at + nc].copy_from_slice(&x[from..from + nc]);
                }
            }
        }
    }

    /// Where lines of results are: their places among the columns and where they are one after the other.
    #[inline(always)]
    fn lines(&self, rows: usize, mut copy: impl FnMut(usize, usize, usize)) {
        let [a, b, _] = self.axes.map(|axis| axis.count);
        for row in 0..rows {
            for i in 0..a {
                for j in 0..b {
                    let column = (i * self.sizes[1] + j) * self.sizes[2];
                    copy(row, row * self.columns + column, (row * a + i) * b + j);
                }
            }
        }
    }

    /// The windows of a padded image by rows of weights, a weight for each channel and place.
    pub(super) fn forward<T: Float>(
        &self,
        level: Level,
        x: &[T],
        w: &[T],
        y: &mut [T],
        end: End<T>,
    ) {
        let rows = w.len() / self.depth().max(1);
        scratch::with(rows * self.columns + SLACK, |columns: &mut [T]| {
            assert!(x.len() >= self.room().0 && self.reach > 0, "an image with its padding");
            dispatch(level, Forward { slide: self, x, w, rows, to: columns });
            dispatch(level, Gather { slide: self, rows, from: columns, to: y, end });
        });
    }

    /// Results among zeros where nothing is computed; in `to` is some room behind them.
    pub(super) fn spread<T: Float>(&self, level: Level, y: &[T], rows: usize, to: &mut [T]) {
        assert!(to.len() >= rows * self.columns + SLACK);
        to.fill(T::zero());
        dispatch(level, Spread { slide: self, rows, from: y, to });
    }

    /// The elements of so many spread rows with the room behind them.
    pub(super) fn spread_room(&self, rows: usize) -> usize {
        rows * self.columns + SLACK
    }

    /// Adds up, for each row of spread results and each channel and place, the products over all windows of some padded
    /// images, which lie one after the other, as their results do.
    pub(super) fn filter<T: Float>(
        &self,
        level: Level,
        x: &[T],
        y: &[T],
        rows: usize,
        w: &mut [T],
    ) {
        let image = self.room().0;
        let images = x.len() / image;
        assert!(y.len() >= images * self.spread_room(rows) && w.len() == rows * self.depth());
        dispatch(level, Filter { slide: self, x, y, images, rows, to: w });
    }

    /// So many images are worth adding up the lanes once.
    pub(super) fn images(&self) -> usize {
        (1536 / self.columns).clamp(8, 16)
    }

    /// The places along the first two axes of a window that meet the image from any of so many columns on.
    fn met(&self, column: usize, count: usize) -> [Range<usize>; 2] {
        let [a, b, _] = self.axes;
        let (from, to) = (column / self.sizes[2], (column + count - 1) / self.sizes[2]);
        let ((i, j), (k, l)) = (
            (from / self.sizes[1], from % self.sizes[1]),
            (to / self.sizes[1], to % self.sizes[1]),
        );
        let (j, l) = if i == k { (j, l) } else { (0, self.sizes[1] - 1) };
        let flipped = self.steps[2] < 0;
        let range = |axis: &Axis, from: usize, to: usize| {
            let meets = |tap: &usize| {
                let tap = if flipped { axis.window - 1 - tap } else { *tap };
                let shift = (tap * axis.dilation) as isize - axis.low;
                from as isize + shift < axis.size as isize && to as isize + shift >= 0
            };
            let first = (0..axis.window).find(meets).unwrap_or(axis.window);
            let last = (0..axis.window).rfind(meets).map_or(first, |last| last + 1);
            first..last
        };
        [range(&a, i, k), range(&b, j, l)]
    }
}

struct Forward<'a, T> {
    slide: &'a Slide,
    x: &'a [T],
    w: &'a [T],
    rows: usize,
    to: &'a mut [T],
}

impl<T: Float> Task for Forward<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let slide = self.slide;
        let (depth, wide) = (slide.depth(), 2 * T::On::<S>::LEN);
        for column in (0..slide.columns).step_by(wide) {
            let met = slide.met(column, wide);
            for first in (0..self.rows).step_by(S::ROWS.min(ROWS)) {
                let x = self.x.as_ptr().wrapping_add(column);
                let w = self.w.as_ptr().wrapping_add(first * depth);
                let to = self.to.as_mut_ptr().wrapping_add(first * slide.columns + column);
                macro_rules! rows {
                    ($($rows:literal)*) => {
                        match S::ROWS.min(ROWS).min(self.rows - first) {
                            // SAFETY: columns are whole vectors; behind the image is room for the last of them.
                            $($rows => unsafe { block::<T::On<S>, $rows>(slide, &met, x, w, to) },)*
                            _ => unreachable!("a tile of 1 to 8 rows"),
                        }
                    };
                }
                rows!(1 2 3 4 5 6 7 8);
            }
        }
    }
}

/// So many rows by two vectors of columns.
///
/// # Safety
/// At every place of the windows two vectors can be read, a weight for each in each row; two vectors can be written in each
/// row.
#[inline(always)]
unsafe fn block<L: Lanes, const R: usize>(
    slide: &Slide,
    met: &[Range<usize>; 2],
    x: *const L::Element,
    w: *const L::Element,
    to: *mut L::Element,
) {
    let mut sums = [[L::of(0.0); 2]; R];
    let ([a, b, c], depth) = (slide.axes.map(|axis| axis.window), slide.depth());
    let x = x.wrapping_add(slide.first);
    // SAFETY: the caller's promise.
    unsafe {
        for channel in 0..slide.channels {
            let x = x.wrapping_add(channel * slide.pixels());
            for ta in met[0].clone() {
                for tb in met[1].clone() {
                    let step = ta as isize * slide.steps[0] + tb as isize * slide.steps[1];
                    let mut x = x.wrapping_offset(step);
                    let mut w = w.add(((channel * a + ta) * b + tb) * c);
                    for _ in 0..c {
                        let right = [L::load(x), L::load(x.wrapping_add(L::LEN))];
                        for (r, sums) in sums.iter_mut().enumerate() {
                            let left = L::splat(*w.add(r * depth));
                            for (sum, right) in sums.iter_mut().zip(right) {
                                *sum = left.mul_add(right, *sum);
                            }
                        }
                        x = x.wrapping_offset(slide.steps[2]);
                        w = w.wrapping_add(1);
                    }
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            sums[0].store(to.add(r * slide.columns));
            sums[1].store(to.add(r * slide.columns + L::LEN));
        }
    }
}

/// Copies lines of results from among the columns, ended.
struct Gather<'a, T> {
    slide: &'a Slide,
    rows: usize,
    from: &'a [T],
    to: &'a mut [T],
    end: End<'a, T>,
}

impl<T: Float> Task for Gather<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let (lanes, count, end) = (T::On::<S>::LEN, self.slide.axes[2].count, self.end);
        let (from, to) = (self.from.as_ptr(), self.to.as_mut_ptr());
        let least = T::On::<S>::splat(if end.relu { T::zero() } else { T::neg_infinity() });
        let (ends, all) = (end.relu || end.bias.is_some(), self.to.len());
        self.slide.lines(self.rows, |row, at, line| {
            let bias = T::On::<S>::splat(end.bias.map_or(T::zero(), |bias| bias[row]));
            for i in (0..count).step_by(lanes) {
                let place = line * count + i;
                // SAFETY: there is room behind the columns, and where whole vectors do not end within the results fewer
                // are written; what is written beyond a line is written again by the next.
                unsafe {
                    let mut value = T::On::<S>::load(from.add(at + i));
                    if ends {
                        value = (value + bias).larger(least);
                    }
                    if place + lanes <= all {
                        value.store(to.add(place));
                    } else {
                        value.store_some(to.add(place), count - i);
                    }
                }
            }
        });
    }
}

/// Copies lines of results to their places among columns that are zero.
struct Spread<'a, T> {
    slide: &'a Slide,
    rows: usize,
    from: &'a [T],
    to: &'a mut [T],
}

impl<T: Float> Task for Spread<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let (lanes, count) = (T::On::<S>::LEN, self.slide.axes[2].count);
        let (from, to) = (self.from.as_ptr(), self.to.as_mut_ptr());
        self.slide.lines(self.rows, |_, at, line| {
            for i in (0..count).step_by(lanes) {
                let (place, rest) = (line * count + i, count - i);
                // SAFETY: there is room behind the columns; zeros written beyond a line are written over by the next.
                unsafe {
                    let value = if rest >= lanes {
                        T::On::<S>::load(from.add(place))
                    } else {
                        T::On::<S>::load_some(from.add(place), rest, T::On::<S>::of(0.0))
                    };
                    value.store(to.add(at + i));
                }
            }
        });
    }
}

struct Filter<'a, T> {
    slide: &'a Slide,
    x: &'a [T],
    y: &'a [T],
    images: usize,
    rows: usize,
    to: &'a mut [T],
}

impl<T: Float> Task for Filter<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(mut self) {
        // As many sums as there are registers for.
        match S::ROWS > ROWS {
            true => self.blocks::<T::On<S>, 4, 5>(),
            false => self.blocks::<T::On<S>, 2, 4>(),
        }
    }
}

impl<T: Float> Filter<'_, T> {
    #[inline(always)]
    fn blocks<L: Lanes<Element = T>, const R: usize, const P: usize>(&mut self) {
        let slide = self.slide;
        let (depth, image) = (slide.depth(), slide.room().0);
        let (steps, spread) = (slide.reach.div_ceil(L::LEN), slide.spread_room(self.rows));
        let [_, b, c] = slide.axes.map(|axis| axis.window);
        let shift = |place: usize| {
            let (tc, rest) = (place % c, place / c);
            let (tb, rest) = (rest % b, rest / b);
            let (ta, channel) = (rest % slide.axes[0].window, rest / slide.axes[0].window);
            let taps = [ta, tb, tc].into_iter().zip(slide.steps);
            let inside: isize = taps.map(|(tap, step)| tap as isize * step).sum();
            channel * slide.pixels() + slide.first.wrapping_add_signed(inside)
        };
        for first in (0..self.rows).step_by(R) {
            // The last row again where there are not so many, as the last place.
            let rows: [usize; R] = std::array::from_fn(|i| (first + i).min(self.rows - 1));
            for place in (0..depth).step_by(P) {
                let places: [usize; P] = std::array::from_fn(|i| (place + i).min(depth - 1));
                let shifts = places.map(shift);
                let mut sums = [[L::of(0.0); P]; R];
                for n in 0..self.images {
                    let x = self.x[n * image..].as_ptr();
                    let y = rows.map(|row| self.y[n * spread + row * slide.columns..].as_ptr());
                    for step in 0..steps {
                        let at = step * L::LEN;
                        // SAFETY: columns are whole vectors; behind the image is room for the last of them.
                        unsafe {
                            let right = shifts.map(|shift| L::load(x.add(shift + at)));
                            for (y, sums) in y.iter().zip(&mut sums) {
                                let left = L::load(y.add(at));
                                for (sum, right) in sums.iter_mut().zip(right) {
                                    *sum = left.mul_add(right, *sum);
                                }
                            }
                        }
                    }
                }
                // Through memory once, so that the sums stay in registers until then.
                let mut done = [T::zero(); 20 * 16];
                for (k, sum) in sums.as_flattened().iter().enumerate() {
                    // SAFETY: at most twenty vectors of at most 16 lanes.
                    unsafe { sum.store(done.as_mut_ptr().add(k * L::LEN)) };
                }
                for k in 0..R * P {
                    // SAFETY: as above.
                    let sum = unsafe { L::load(done.as_ptr().add(k * L::LEN)) };
                    self.to[rows[k / P] * depth + places[k % P]] = sum.fold::<Sum>();
                }
            }
        }
    }
}

/// Filters seen from their inputs: `[outputs, inputs, taps]` as `[inputs, outputs, taps]`.
pub(super) fn turned<T: Float>(
    w: &[T],
    (outputs, inputs, taps): (usize, usize, usize),
    to: &mut [T],
) {
    let mut to = to.chunks_exact_mut(taps);
    for i in 0..inputs {
        for o in 0..outputs {
            let from = (o * inputs + i) * taps;
            if let Some(to) = to.next() {
                to.copy_from_slice(&w[from..from + taps]);
            }
        }
    }
}
