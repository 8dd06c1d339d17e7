//! Convolutions of stride 1 without unfolding: each place in the window is the image, shifted.
//!
//! Of an image with its padding, the elements that place `k` of a window meets lie one after the other from `shifts[k]` on,
//! but for some between the lines, which are computed too and left out: so whole vectors are read where they lie.

use super::Axis;
use crate::exec::kernels::lanes::{Float, Lanes, Simd, Sum};
use crate::exec::kernels::level::{Level, Task, dispatch};
use crate::exec::kernels::scratch;

/// So many elements behind an image can be read.
const SLACK: usize = 64;
/// Columns are computed by so many, a multiple of two vectors at every level.
const COLUMNS: usize = 32;

/// A padded image of some channels, and windows on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slide {
    axes: [Axis; 3],
    /// The sizes of the padded axes.
    sizes: [usize; 3],
    channels: usize,
    /// Where each channel and place in the window begins.
    shifts: Vec<usize>,
    /// From the first window to the last, and so many computed.
    reach: usize,
    columns: usize,
}

impl Slide {
    /// The windows of some channels. With `flipped`, the places in a window are counted from its end.
    pub(super) fn new(axes: [Axis; 3], channels: usize, flipped: bool) -> Slide {
        let sizes = axes.map(|axis| axis.count + (axis.window - 1) * axis.dilation);
        let [_, b, c] = sizes;
        let place = |axis: &Axis, tap: usize| {
            axis.dilation * if flipped { axis.window - 1 - tap } else { tap }
        };
        let mut shifts = Vec::new();
        for channel in 0..channels {
            for ta in 0..axes[0].window {
                for tb in 0..axes[1].window {
                    for tc in 0..axes[2].window {
                        let line =
                            (channel * sizes[0] + place(&axes[0], ta)) * b + place(&axes[1], tb);
                        shifts.push(line * c + place(&axes[2], tc));
                    }
                }
            }
        }
        let last = |axis: &Axis| axis.count.saturating_sub(1);
        let reach = (last(&axes[0]) * b + last(&axes[1])) * c + axes[2].count;
        let columns = reach.next_multiple_of(COLUMNS);
        Slide { axes, sizes, channels, shifts, reach, columns }
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

    /// Whether so many windows are enough of all columns.
    pub(super) fn pays(&self, windows: usize) -> bool {
        5 * windows >= 2 * self.columns
    }

    /// The elements of a padded image with room to read behind it, and of its results.
    pub(super) fn room(&self) -> (usize, usize) {
        (self.channels * self.sizes.iter().product::<usize>() + SLACK, self.columns)
    }

    /// Copies an image to its place in a padded one.
    pub(super) fn pad<T: Float>(&self, x: &[T], to: &mut [T]) {
        let [a, b, c] = self.axes;
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

    /// Copies results from their places among the columns to each other, or the other way.
    fn lines(&self, rows: usize, mut copy: impl FnMut(usize, usize, usize)) {
        let [a, b, c] = self.axes.map(|axis| axis.count);
        for row in 0..rows {
            for i in 0..a {
                for j in 0..b {
                    let column = (i * self.sizes[1] + j) * self.sizes[2];
                    copy(row * self.columns + column, ((row * a + i) * b + j) * c, c);
                }
            }
        }
    }

    /// The windows of a padded image by rows of weights, a weight for each channel and place.
    pub(super) fn forward<T: Float>(&self, level: Level, x: &[T], w: &[T], y: &mut [T]) {
        let rows = w.len() / self.shifts.len().max(1);
        scratch::with(rows * self.columns, |columns: &mut [T]| {
            assert!(x.len() >= self.room().0 && self.reach > 0, "an image with its padding");
            dispatch(level, Forward { slide: self, x, w, rows, to: columns });
            self.lines(rows, |from, to, count| {
                y[to..to + count].copy_from_slice(&columns[from..from + count]);
            });
        });
    }

    /// Results among zeros where nothing is computed.
    pub(super) fn spread<T: Float>(&self, y: &[T], rows: usize, to: &mut [T]) {
        to.fill(T::zero());
        self.lines(rows, |at, from, count| {
            to[at..at + count].copy_from_slice(&y[from..from + count]);
        });
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
        assert!(y.len() >= images * rows * self.columns && w.len() == rows * self.shifts.len());
        dispatch(level, Filter { slide: self, x, y, images, rows, to: w });
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
        let depth = slide.shifts.len();
        for column in (0..slide.columns).step_by(2 * T::On::<S>::LEN) {
            for first in (0..self.rows).step_by(S::ROWS) {
                let x = self.x.as_ptr().wrapping_add(column);
                let w = self.w.as_ptr().wrapping_add(first * depth);
                let to = self.to.as_mut_ptr().wrapping_add(first * slide.columns + column);
                macro_rules! rows {
                    ($($rows:literal)*) => {
                        match S::ROWS.min(self.rows - first) {
                            // SAFETY: columns are whole vectors; behind the image is room for the last of them.
                            $($rows => unsafe { block::<T::On<S>, $rows>(&slide.shifts, x, w, to, slide.columns) },)*
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
/// At every shift two vectors can be read, a weight for each shift in each row; two vectors can be written in each row.
#[inline(always)]
unsafe fn block<L: Lanes, const R: usize>(
    shifts: &[usize],
    x: *const L::Element,
    w: *const L::Element,
    to: *mut L::Element,
    step: usize,
) {
    let mut sums = [[L::of(0.0); 2]; R];
    // SAFETY: the caller's promise.
    unsafe {
        for (k, &shift) in shifts.iter().enumerate() {
            let right = [L::load(x.add(shift)), L::load(x.add(shift + L::LEN))];
            for (r, sums) in sums.iter_mut().enumerate() {
                let left = L::splat(*w.add(r * shifts.len() + k));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = left.mul_add(right, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            sums[0].store(to.add(r * step));
            sums[1].store(to.add(r * step + L::LEN));
        }
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
    fn run<S: Simd>(self) {
        let slide = self.slide;
        let (depth, image, lanes) = (slide.shifts.len(), slide.room().0, T::On::<S>::LEN);
        let steps = slide.reach.div_ceil(lanes);
        for first in (0..self.rows).step_by(2) {
            // The last row twice where they are odd, the last places more than once.
            let rows = [first, (first + 1).min(self.rows - 1)];
            for place in (0..depth).step_by(4) {
                let places = [0, 1, 2, 3].map(|i| (place + i).min(depth - 1));
                let shifts = places.map(|place| slide.shifts[place]);
                let mut sums = [[T::On::<S>::of(0.0); 4]; 2];
                for n in 0..self.images {
                    let x = self.x[n * image..].as_ptr();
                    let y =
                        rows.map(|row| self.y[(n * self.rows + row) * slide.columns..].as_ptr());
                    for step in 0..steps {
                        let at = step * lanes;
                        // SAFETY: columns are whole vectors; behind the image is room for the last of them.
                        unsafe {
                            let left =
                                [T::On::<S>::load(y[0].add(at)), T::On::<S>::load(y[1].add(at))];
                            for (k, &shift) in shifts.iter().enumerate() {
                                let right = T::On::<S>::load(x.add(shift + at));
                                sums[0][k] = left[0].mul_add(right, sums[0][k]);
                                sums[1][k] = left[1].mul_add(right, sums[1][k]);
                            }
                        }
                    }
                }
                // Through memory once, so that the sums stay in registers until then.
                let mut done = [T::zero(); 8 * 16];
                for (k, sum) in sums.as_flattened().iter().enumerate() {
                    // SAFETY: eight vectors of at most 16 lanes.
                    unsafe { sum.store(done.as_mut_ptr().add(k * lanes)) };
                }
                for k in 0..8 {
                    // SAFETY: as above.
                    let sum = unsafe { T::On::<S>::load(done.as_ptr().add(k * lanes)) };
                    self.to[rows[k / 4] * depth + places[k % 4]] = sum.fold::<Sum>();
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
