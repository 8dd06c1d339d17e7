//! Convolutions and their two adjoints.
//!
//! With a stride of 1 the image is read shifted; else it is unfolded to a matrix with a row for each channel and place in
//! the window, a column for each window, and multiplied. Images are handed on in chunks that depend on the sizes alone, so
//! that the sums over images have one order.

mod slide;

use super::gemm::{Finish, Matrix, product};
use super::lanes::{Float, Simd};
use super::level::{Task, dispatch};
use super::{Context, Team, scratch, split};
use slide::{End, Slide};
use std::ops::Range;

/// About so many multiplications are worth handing on.
const CHUNK: usize = 1 << 18;

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
                    let x = self.unfolded(x, room);
                    let size = (self.outputs, depth, windows);
                    let (a, b) = (rows(w, depth), rows(x, windows));
                    product(context, size, a, b, (y, windows), &Finish::default());
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
                    let size = (depth, self.outputs, windows);
                    let (a, b) = (Matrix { data: w, steps: (1, depth) }, rows(y, windows));
                    if self.is_flat() {
                        product(context, size, a, b, (x, windows), &Finish::default());
                    } else {
                        product(context, size, a, b, (room, windows), &Finish::default());
                        x.fill(T::zero());
                        self.fold(room, x);
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
        let (size, each) = (w.len(), self.chunk().max(slide.images()));
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
        let (depth, windows, each) = (self.depth(), self.windows(), self.chunk());
        let (size, count) = (w.len(), self.images.div_ceil(each));
        scratch::with(size * count, |sums| {
            split(context.team, sums, size, &|chunk, sums: &mut [T]| {
                let context = &Context { team: &Team::alone(), ..*context };
                scratch::with(self.room(), |room| {
                    for n in chunk * each..self.images.min((chunk + 1) * each) {
                        let first = n == chunk * each;
                        for (g, sums) in sums.chunks_exact_mut(self.outputs * depth).enumerate() {
                            let x = self.unfolded(&x[self.input_of(n, g)], room);
                            let y = &y[self.output_of(n, g)];
                            let size = (depth, windows, self.outputs);
                            let (a, b) =
                                (rows(x, windows), Matrix { data: y, steps: (1, windows) });
                            let finish = Finish { adds: !first, ..Finish::default() };
                            product(context, size, a, b, (sums, self.outputs), &finish);
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

    /// The elements of an unfolded image.
    fn room(&self) -> usize {
        self.depth() * self.windows()
    }

    /// The channels of an image unfolded, in `room` if they are not so already.
    fn unfolded<'a, T: Float>(&self, x: &'a [T], room: &'a mut [T]) -> &'a [T] {
        if self.is_flat() {
            return x;
        }
        let stride = self.axes[2].stride;
        let mut to = room.chunks_exact_mut(self.axes[2].count.max(1));
        self.each_line(|line| {
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
    fn fold<T: Float>(&self, from: &[T], x: &mut [T]) {
        let stride = self.axes[2].stride;
        let mut lines = from.chunks_exact(self.axes[2].count.max(1));
        self.each_line(|line| {
            let (Some(from), Some((at, inside))) = (lines.next(), line) else { return };
            let from = &from[inside];
            if stride == 1 {
                x[at..at + from.len()].iter_mut().zip(from).for_each(|(x, y)| *x = *x + *y);
            } else {
                x[at..].iter_mut().step_by(stride).zip(from).for_each(|(x, y)| *x = *x + *y);
            }
        });
    }

    /// Each line of windows along the last axis, in the order of an unfolded image: where its first element on the axis is
    /// in the channels, and the windows for which it is on the axis; nothing where another axis leaves the image.
    fn each_line(&self, mut work: impl FnMut(Option<(usize, Range<usize>)>)) {
        let [a, b, c] = self.axes;
        let place = |axis: &Axis, (inside, first): &(Range<usize>, usize), window: usize| {
            inside.contains(&window).then(|| first + (window - inside.start) * axis.stride)
        };
        for channel in 0..self.inputs {
            for tap in 0..self.taps() {
                let (ta, tb, tc) =
                    (tap / c.window / b.window, tap / c.window % b.window, tap % c.window);
                let (in_a, in_b, (in_c, first)) = (a.inside(ta), b.inside(tb), c.inside(tc));
                for wa in 0..a.count {
                    let at_a = place(&a, &in_a, wa);
                    for wb in 0..b.count {
                        let at = at_a.zip(place(&b, &in_b, wb));
                        let line = at.filter(|_| !in_c.is_empty()).map(|(at_a, at_b)| {
                            (
                                ((channel * a.size + at_a) * b.size + at_b) * c.size + first,
                                in_c.clone(),
                            )
                        });
                        work(line);
                    }
                }
            }
        }
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
