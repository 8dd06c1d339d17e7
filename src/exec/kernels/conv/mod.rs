//! Convolutions and their two adjoints.
//!
//! With a stride of 1 the image is read shifted; else it is unfolded to a matrix with a row for each channel and place in
//! the window, a column for each window, and multiplied. Images are handed on in chunks that depend on the sizes alone, so
//! that the sums over images have one order.

mod slide;
mod unfold;

use super::gemm::{Finish, Matrix, product};
use super::lanes::{Float, Simd};
use super::level::{Task, dispatch};
use super::{Context, Team, scratch, split};
use slide::{End, Slide};
use std::ops::Range;

/// About so many multiplications are worth handing on.
const CHUNK: usize = 1 << 18;
/// About so many sums over images are there before they are summed themselves.
const SUMS: usize = 1 << 22;

/// Windows along one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The size of the axis.
    pub size: usize,
    /// The elements of a window.
    pub window: usize,
    /// The number of windows.
    pub count: usize,
    /// From window to window.
    pub stride: usize,
    /// From element to element of a window.
    pub dilation: usize,
    /// The padding before the axis; windows begin as far before it.
    pub low: isize,
}

impl Axis {
    /// An axis of one element, in one window.
    const SINGLE: Axis = Axis { size: 1, window: 1, count: 1, stride: 1, dilation: 1, low: 0 };

    /// One to three axes as three; nothing for other numbers, or where windows go nowhere.
    pub(super) fn three(axes: &[Axis]) -> Option<[Axis; 3]> {
        let mut all = [Axis::SINGLE; 3];
        all.get_mut(3usize.checked_sub(axes.len())?..)?.copy_from_slice(axes);
        let sound = |axis: &Axis| axis.stride > 0 && axis.dilation > 0 && axis.window > 0;
        (!axes.is_empty() && axes.iter().all(sound)).then_some(all)
    }

    /// The windows whose element `tap` lies on the axis, and the place of the first of these.
    pub(super) fn inside(&self, tap: usize) -> (Range<usize>, usize) {
        let shift = (tap * self.dilation) as isize - self.low;
        let first = if shift < 0 { shift.unsigned_abs().div_ceil(self.stride) } else { 0 };
        let room = self.size as isize - shift;
        let end = if room > 0 { (room as usize).div_ceil(self.stride).min(self.count) } else { 0 };
        let first = first.min(end);
        (first..end, ((first * self.stride) as isize + shift).max(0) as usize)
    }
}

/// A convolution: images `[images, groups * inputs, sizes..]`, filters `[groups * outputs, inputs, window..]`, results
/// `[images, groups * outputs, counts..]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// The number of images.
    pub images: usize,
    /// The number of groups.
    pub groups: usize,
    /// The channels that go into a filter.
    pub inputs: usize,
    /// The filters of a group.
    pub outputs: usize,
    axes: [Axis; 3],
    /// How images and results slide, where that is worth it.
    forth: Option<Slide>,
    back: Option<Slide>,
}

impl Convolution {
    /// Along one to three axes; nothing for other numbers.
    pub fn new(
        images: usize,
        groups: usize,
        (inputs, outputs): (usize, usize),
        axes: &[Axis],
    ) -> Option<Convolution> {
        let all = Axis::three(axes)?;
        let mut it =
            Convolution { images, groups, inputs, outputs, axes: all, forth: None, back: None };
        let some = it.pixels() > 0 && it.windows() > 0 && inputs > 0 && outputs > 0;
        if some && !it.is_flat() && all.iter().all(|axis| axis.stride == 1) {
            it.forth =
                Some(Slide::new(all, inputs, false)).filter(|slide| slide.pays(it.windows()));
            it.back = Some(Slide::back(all, outputs)).filter(|slide| slide.pays(it.pixels()));
        }
        Some(it)
    }

    fn pixels(&self) -> usize {
        self.axes.iter().map(|axis| axis.size).product()
    }

    fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.window).product()
    }

    fn windows(&self) -> usize {
        self.axes.iter().map(|axis| axis.count).product()
    }

    /// The rows of an unfolded image of one group.
    fn depth(&self) -> usize {
        self.inputs * self.taps()
    }

    /// The elements of all images, filters and results.
    pub fn sizes(&self) -> [usize; 3] {
        let filters = self.groups * self.outputs;
        let [x, y] = [self.groups * self.inputs * self.pixels(), filters * self.windows()];
        [self.images * x, filters * self.depth(), self.images * y]
    }

    /// The additions and multiplications of each of the three.
    pub fn flops(&self) -> f64 {
        2.0 * (self.sizes()[2] as f64) * self.depth() as f64
    }

    /// Whether an unfolded image is the image.
    fn is_flat(&self) -> bool {
        self.axes.iter().all(|axis| Axis { size: 1, count: 1, ..*axis } == Axis::SINGLE)
            && self.pixels() == self.windows()
    }

    /// So many images are a chunk.
    fn chunk(&self) -> usize {
        let work = self.groups * self.outputs * self.depth() * self.windows();
        (CHUNK / work.max(1)).max(self.images.div_ceil(64)).clamp(1, self.images.max(1))
    }

    /// So many images are a chunk where each chunk has filters of its own.
    fn filter_chunk(&self) -> usize {
        let filters = self.groups * self.outputs * self.depth();
        let count = (SUMS / filters.max(1)).clamp(4, 64);
        self.chunk().max(self.images.div_ceil(count))
    }

    /// The results.
    ///
    /// # Panics
    /// Where a slice has not as many elements as `sizes` says: a bug of the caller.
    pub fn output<T: Float>(&self, context: &Context<'_>, x: &[T], w: &[T], y: &mut [T]) {
        self.output_to(context, x, w, y, None, false);
    }

    /// The results, plus a bias for each of the filters, and of that with `relu` the positive part.
    ///
    /// # Panics
    /// As `output`.
    pub fn output_to<T: Float>(
        &self,
        context: &Context<'_>,
        x: &[T],
        w: &[T],
        y: &mut [T],
        bias: Option<&[T]>,
        relu: bool,
    ) {
        assert_eq!(self.sizes(), [x.len(), w.len(), y.len()]);
        assert!(bias.is_none_or(|bias| bias.len() == self.groups * self.outputs));
        let image = y.len().checked_div(self.images).unwrap_or(0);
        let (depth, windows) = (self.depth(), self.windows());
        let room = self.forth.as_ref().map_or(self.room(), |slide| slide.room().0);
        self.each_image(context, y, image, &|context, n, y| {
            scratch::with(room, |room| {
                for (g, y) in y.chunks_exact_mut((self.outputs * windows).max(1)).enumerate() {
                    let x = &x[self.input_of(n, g)];
                    let w = &w[g * self.outputs * depth..(g + 1) * self.outputs * depth];
                    let bias = bias.map(|bias| &bias[g * self.outputs..(g + 1) * self.outputs]);
                    if let Some(slide) = &self.forth {
                        slide.pad(x, room);
                        slide.forward(context.level, room, w, y, End { bias, relu });
                        continue;
                    }
                    for block in self.blocks() {
                        let x = self.unfolded(&block, x, room);
                        let size = (self.outputs, depth, block.count());
                        let (a, b) = (rows(w, depth), rows(x, block.count()));
                        let y = &mut y[block.first..];
                        product(context, size, a, b, (y, windows), &Finish::default());
                    }
                    if relu || bias.is_some() {
                        dispatch(
                            context.level,
                            Ended { y, width: windows, end: End { bias, relu } },
                        );
                    }
                }
            });
        });
    }

    /// The adjoint by the images.
    ///
    /// # Panics
    /// As `output`.
    pub fn input<T: Float>(&self, context: &Context<'_>, y: &[T], w: &[T], x: &mut [T]) {
        assert_eq!(self.sizes(), [x.len(), w.len(), y.len()]);
        let image = x.len().checked_div(self.images).unwrap_or(0);
        let (depth, windows) = (self.depth(), self.windows());
        if let Some(slide) = &self.back {
            return self.slide_back(context, slide, y, w, x);
        }
        self.each_image(context, x, image, &|context, n, x| {
            scratch::with(self.room(), |room| {
                for (g, x) in x.chunks_exact_mut((self.inputs * self.pixels()).max(1)).enumerate() {
                    let y = &y[self.output_of(n, g)];
                    let w = &w[g * self.outputs * depth..(g + 1) * self.outputs * depth];
                    let a = Matrix { data: w, steps: (1, depth) };
                    if self.is_flat() {
                        let size = (depth, self.outputs, windows);
                        let b = rows(y, windows);
                        product(context, size, a, b, (x, windows), &Finish::default());
                        continue;
                    }
                    x.fill(T::zero());
                    for block in self.blocks() {
                        let (size, count) = ((depth, self.outputs, block.count()), block.count());
                        let b = rows(&y[block.first..], windows);
                        product(context, size, a, b, (room, count), &Finish::default());
                        self.fold(&block, room, x);
                    }
                }
            });
        });
    }

    fn slide_back<T: Float>(
        &self,
        context: &Context<'_>,
        slide: &Slide,
        y: &[T],
        w: &[T],
        x: &mut [T],
    ) {
        let (image, size) = (x.len() / self.images.max(1), self.outputs * self.depth());
        scratch::with(w.len(), |turned: &mut [T]| {
            for (w, to) in w.chunks_exact(size).zip(turned.chunks_exact_mut(size)) {
                slide::turned(w, (self.outputs, self.inputs, self.taps()), to);
            }
            let w = &*turned;
            self.each_image(context, x, image, &|context, n, x| {
                scratch::with(slide.room().0, |room| {
                    for (g, x) in x.chunks_exact_mut(self.inputs * self.pixels()).enumerate() {
                        slide.pad(&y[self.output_of(n, g)], room);
                        let end = End { bias: None, relu: false };
                        slide.forward(context.level, room, &w[g * size..(g + 1) * size], x, end);
                    }
                });
            });
        });
    }

    /// The adjoint by the filters.
    ///
    /// # Panics
    /// As `output`.
    pub fn filter<T: Float>(&self, context: &Context<'_>, x: &[T], y: &[T], w: &mut [T]) {
        assert_eq!(self.sizes(), [x.len(), w.len(), y.len()]);
        if let Some(slide) = &self.forth {
            self.slide_filter(context, slide, x, y, w);
            // Between the lines what is infinite meets zeros, which no window does.
            if !w.iter().any(|w| w.is_nan()) {
                return;
            }
        }
        self.unfold_filter(context, x, y, w);
    }

    fn slide_filter<T: Float>(
        &self,
        context: &Context<'_>,
        slide: &Slide,
        x: &[T],
        y: &[T],
        w: &mut [T],
    ) {
        // The lanes are summed once for a chunk, which has to be worth it.
        let (size, each) = (w.len(), self.filter_chunk().max(slide.images()));
        let (count, image) = (self.images.div_ceil(each), slide.room().0);
        let result = slide.spread_room(self.outputs);
        scratch::with(size * count, |sums| {
            split(context.team, sums, size, &|chunk, sums: &mut [T]| {
                let images = chunk * each..self.images.min((chunk + 1) * each);
                scratch::with(images.len() * (image + result), |room: &mut [T]| {
                    let (padded, spread) = room.split_at_mut(images.len() * image);
                    for (g, w) in sums.chunks_exact_mut(size / self.groups).enumerate() {
                        for (i, n) in images.clone().enumerate() {
                            slide.pad(&x[self.input_of(n, g)], &mut padded[i * image..][..image]);
                            let to = &mut spread[i * result..][..result];
                            slide.spread(context.level, &y[self.output_of(n, g)], self.outputs, to);
                        }
                        slide.filter(context.level, padded, spread, self.outputs, w);
                    }
                });
            });
            for (place, w) in w.iter_mut().enumerate() {
                *w = (0..count).map(|chunk| sums[chunk * size + place]).sum();
            }
        });
    }

    fn unfold_filter<T: Float>(&self, context: &Context<'_>, x: &[T], y: &[T], w: &mut [T]) {
        let (depth, windows) = (self.depth(), self.windows());
        let (size, each) = (w.len(), self.filter_chunk());
        let count = self.images.div_ceil(each);
        scratch::with(size * count, |sums| {
            split(context.team, sums, size, &|chunk, sums: &mut [T]| {
                let context = &Context { team: &Team::alone(), ..*context };
                scratch::with(self.room(), |room| {
                    sums.fill(T::zero());
                    for n in chunk * each..self.images.min((chunk + 1) * each) {
                        for (g, sums) in sums.chunks_exact_mut(self.outputs * depth).enumerate() {
                            for block in self.blocks() {
                                let x = self.unfolded(&block, &x[self.input_of(n, g)], room);
                                let y = &y[self.output_of(n, g)][block.first..];
                                let size = (depth, block.count(), self.outputs);
                                let a = rows(x, block.count());
                                let b = Matrix { data: y, steps: (1, windows) };
                                let finish = Finish { adds: true, ..Finish::default() };
                                product(context, size, a, b, (sums, self.outputs), &finish);
                            }
                        }
                    }
                });
            });
            let (high, sums) = (self.outputs, &*sums);
            for (place, w) in w.iter_mut().enumerate() {
                let (g, o, k) = (place / (high * depth), place / depth % high, place % depth);
                let at = g * high * depth + k * high + o;
                *w = (0..count).map(|chunk| sums[chunk * size + at]).sum();
            }
        });
    }

    /// Works on each image of a result, on several at once where there are several.
    fn each_image<T: Float>(
        &self,
        context: &Context<'_>,
        to: &mut [T],
        image: usize,
        work: &(dyn Fn(&Context<'_>, usize, &mut [T]) + Sync),
    ) {
        if image == 0 {
            return;
        }
        let each = self.chunk();
        if self.images <= each {
            return to.chunks_exact_mut(image).enumerate().for_each(|(n, to)| work(context, n, to));
        }
        split(context.team, to, each * image, &|chunk, to| {
            let context = &Context { team: &Team::alone(), ..*context };
            for (n, to) in to.chunks_exact_mut(image).enumerate() {
                work(context, chunk * each + n, to);
            }
        });
    }

    fn input_of(&self, n: usize, g: usize) -> Range<usize> {
        let size = self.inputs * self.pixels();
        let first = (n * self.groups + g) * size;
        first..first + size
    }

    fn output_of(&self, n: usize, g: usize) -> Range<usize> {
        let size = self.outputs * self.windows();
        let first = (n * self.groups + g) * size;
        first..first + size
    }
}

/// Rows of results that are ended in place.
struct Ended<'a, T> {
    y: &'a mut [T],
    width: usize,
    end: End<'a, T>,
}

impl<T: Float> Task for Ended<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let least = if self.end.relu { T::zero() } else { T::neg_infinity() };
        for (row, y) in self.y.chunks_exact_mut(self.width).enumerate() {
            let bias = self.end.bias.map_or(T::zero(), |bias| bias[row]);
            for y in y {
                let value = *y + bias;
                *y = if value < least { least } else { value };
            }
        }
    }
}

/// Rows one after the other.
fn rows<T>(data: &[T], width: usize) -> Matrix<'_, T> {
    Matrix { data, steps: (width, 1) }
}
