//! The largest or the mean of windows, and the adjoints of both.
//!
//! Windows are gone through line by line along the last axis, place by place; where pairs of elements are the windows, as
//! they mostly are, one pass over two lines does all.

use super::conv::Axis;
use super::lanes::{Float, Lanes, Simd};
use super::level::{Task, dispatch};
use super::pairs::{pairs_at, put_pairs};
use super::{Context, scratch, split};
use std::ops::Range;

/// About so many elements are worth handing on.
const CHUNK: usize = 1 << 14;

/// Windows along the last axes of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pooling {
    axes: [Axis; 3],
    /// For each place in a window along each axis the windows that have it, and where it lies in the first of these.
    taps: [Vec<(Range<usize>, usize)>; 3],
}

/// A place in the windows of a line.
struct Tap {
    /// The windows that have it.
    inside: Range<usize>,
    /// Where it lies in the first of these.
    element: usize,
}

impl Pooling {
    /// Along one to three axes; nothing for other numbers.
    pub fn new(axes: &[Axis]) -> Option<Pooling> {
        let all = Axis::three(axes)?;
        let taps = all.map(|axis| (0..axis.window).map(|tap| axis.inside(tap)).collect());
        Some(Pooling { axes: all, taps })
    }

    /// The elements and the windows of a row.
    pub fn sizes(&self) -> (usize, usize) {
        let [elements, windows] = [|a: &Axis| a.size, |a: &Axis| a.count]
            .map(|of| self.axes.iter().map(of).product::<usize>());
        (elements, windows)
    }

    /// The places in a window.
    pub fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.window).product()
    }

    /// The largest of each window; NaN where one is NaN.
    ///
    /// # Panics
    /// Where the slices have not as many rows as one another: a bug of the caller.
    pub fn max<T: Float>(&self, context: &Context<'_>, x: &[T], y: &mut [T]) {
        let (elements, windows) = self.sizes();
        self.each_row(context, (x.len(), y.len()), y, windows, &|row, y| {
            let x = &x[row * elements..][..elements];
            dispatch(context.level, Max { it: self, x, y });
        });
    }

    /// The mean of each window, of what is there or, with `count_pad`, with zeros where nothing is.
    ///
    /// # Panics
    /// As `max`.
    pub fn mean<T: Float>(&self, context: &Context<'_>, x: &[T], y: &mut [T], count_pad: bool) {
        let (elements, windows) = self.sizes();
        let shares = self.shares::<T>(count_pad);
        self.each_row(context, (x.len(), y.len()), y, windows, &|row, y| {
            let x = &x[row * elements..][..elements];
            dispatch(context.level, Mean { it: self, x, y, shares: &shares });
        });
    }

    /// For each window the mean of `u` where `x` is the largest; 0 where that is NaN.
    ///
    /// # Panics
    /// As `max`.
    pub fn max_pick<T: Float>(&self, context: &Context<'_>, x: &[T], u: &[T], y: &mut [T]) {
        let (elements, windows) = self.sizes();
        assert_eq!(x.len(), u.len());
        self.each_row(context, (x.len(), y.len()), y, windows, &|row, y| {
            let (x, u) = (&x[row * elements..][..elements], &u[row * elements..][..elements]);
            dispatch(context.level, Pick { it: self, x, u, y });
        });
    }

    /// The adjoint of the largest: each number of `dy` shared equally by the largest of its window; with `positive` only
    /// where these are positive.
    ///
    /// # Panics
    /// As `max`.
    pub fn max_adjoint<T: Float>(
        &self,
        context: &Context<'_>,
        x: &[T],
        dy: &[T],
        dx: &mut [T],
        positive: bool,
    ) {
        let (elements, windows) = self.sizes();
        assert_eq!(x.len(), dx.len());
        self.each_row(context, (x.len(), dy.len()), dx, elements, &|row, dx| {
            let (x, dy) = (&x[row * elements..][..elements], &dy[row * windows..][..windows]);
            dispatch(context.level, MaxAdjoint { it: self, x, dy, dx, positive });
        });
    }

    /// The adjoint of the mean.
    ///
    /// # Panics
    /// As `max`.
    pub fn mean_adjoint<T: Float>(
        &self,
        context: &Context<'_>,
        dy: &[T],
        dx: &mut [T],
        count_pad: bool,
    ) {
        let (elements, windows) = self.sizes();
        let shares = self.shares::<T>(count_pad);
        self.each_row(context, (dx.len(), dy.len()), dx, elements, &|row, dx| {
            let dy = &dy[row * windows..][..windows];
            dispatch(context.level, MeanAdjoint { it: self, dy, dx, shares: &shares });
        });
    }

    /// One over the number of elements of each window.
    fn shares<T: Float>(&self, count_pad: bool) -> Vec<T> {
        let counts = self.axes.map(|axis| {
            let there = |window: usize| {
                let inside = |tap: &usize| axis.inside(*tap).0.contains(&window);
                if count_pad { axis.window } else { (0..axis.window).filter(inside).count() }
            };
            (0..axis.count).map(there).collect::<Vec<_>>()
        });
        let [a, b, c] = &counts;
        let mut shares = Vec::with_capacity(a.len() * b.len() * c.len());
        for a in a {
            for b in b {
                shares.extend(c.iter().map(|c| T::of_f64((a * b * c) as f64)));
            }
        }
        shares
    }

    /// Works on each row of a result, on several at once where there are several.
    fn each_row<T: Float>(
        &self,
        context: &Context<'_>,
        (elements, windows): (usize, usize),
        to: &mut [T],
        width: usize,
        work: &(dyn Fn(usize, &mut [T]) + Sync),
    ) {
        let each = self.sizes();
        if width == 0 || each.1 == 0 {
            return to.fill(T::zero());
        }
        let rows = windows / each.1;
        assert!(elements == rows * each.0 && windows == rows * each.1, "as many rows");
        let cost = each.1 * self.taps();
        let some = (CHUNK / cost.max(1)).clamp(1, rows.max(1));
        split(context.team, to, some * width, &|chunk, to| {
            for (i, to) in to.chunks_exact_mut(width).enumerate() {
                work(chunk * some + i, to);
            }
        });
    }

    /// Each line of windows: its place along the first two axes, and its first window.
    fn lines(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let [a, b, c] = self.axes;
        (0..a.count)
            .flat_map(move |i| (0..b.count).map(move |j| (i, j, (i * b.count + j) * c.count)))
    }

    /// Each place in the windows of a line that some of them have.
    #[inline(always)]
    fn each_tap(&self, (i, j, _): (usize, usize, usize), mut work: impl FnMut(Tap)) {
        let [a, b, c] = &self.axes;
        let place = |axis: &Axis, (inside, first): &(Range<usize>, usize), at: usize| {
            inside.contains(&at).then(|| first + (at - inside.start) * axis.stride)
        };
        for ta in &self.taps[0] {
            let Some(at_a) = place(a, ta, i) else { continue };
            for tb in &self.taps[1] {
                let Some(at_b) = place(b, tb, j) else { continue };
                for (inside, first) in self.taps[2].iter().filter(|(inside, _)| !inside.is_empty())
                {
                    let element = (at_a * b.size + at_b) * c.size + first;
                    work(Tap { element, inside: inside.clone() });
                }
            }
        }
    }

    /// Whether windows are pairs, or pairs of pairs, one behind the other: then so many elements of a line are in windows.
    fn pairs(&self) -> Option<usize> {
        let [a, b, c] = &self.axes;
        let whole = |axis: &Axis| {
            axis.low == 0 && axis.count * axis.window <= axis.size && axis.stride == axis.window
        };
        let single = |axis: &Axis| {
            axis.window == 1 && axis.stride == 1 && axis.low == 0 && axis.count == axis.size
        };
        let fits = single(a) && whole(b) && b.window == 2 && whole(c) && c.window == 2;
        (fits && b.dilation == 1 && c.dilation == 1).then_some(2 * c.count)
    }

    /// Each line of pairs of pairs: where its first element lies.
    fn pair_lines(&self) -> impl Iterator<Item = usize> {
        let [a, b, c] = self.axes;
        (0..a.count).flat_map(move |i| (0..b.count).map(move |j| (i * b.size + 2 * j) * c.size))
    }
}

#[inline(always)]
fn larger<T: Float>(a: T, b: T) -> T {
    // A comparison with NaN is false: where `b` is NaN the sum is.
    let most = if a > b { a } else { b };
    if a.is_nan() { a } else { most }
}

/// Runs `$body` with `$step` as the stride; the common ones by themselves, so that the loops are made of vectors.
macro_rules! by_stride {
    ($stride:expr, $step:ident => $body:expr) => {
        match $stride {
            1 => {
                let $step: usize = 1;
                $body
            }
            2 => {
                let $step: usize = 2;
                $body
            }
            $step => $body,
        }
    };
}

/// The largest of each window of a line.
#[inline(always)]
fn top<T: Float>(it: &Pooling, line: (usize, usize, usize), x: &[T], to: &mut [T]) {
    to.fill(T::neg_infinity());
    it.each_tap(line, |tap| {
        let to = &mut to[tap.inside];
        let x = &x[tap.element..];
        by_stride!(it.axes[2].stride, step => {
            for (to, x) in to.iter_mut().zip(x.chunks(step)) {
                *to = larger(*to, x[0]);
            }
        });
    });
}

/// For how many elements of each window of a line `x` is the largest.
#[inline(always)]
fn ties<T: Float>(it: &Pooling, line: (usize, usize, usize), x: &[T], top: &[T], to: &mut [T]) {
    to.fill(T::zero());
    it.each_tap(line, |tap| {
        let (to, top) = (&mut to[tap.inside.clone()], &top[tap.inside]);
        let x = &x[tap.element..];
        by_stride!(it.axes[2].stride, step => {
            for ((to, x), top) in to.iter_mut().zip(x.chunks(step)).zip(top) {
                *to = *to + if x[0] == *top { T::one() } else { T::zero() };
            }
        });
    });
}

struct Max<'a, T> {
    it: &'a Pooling,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Float> Task for Max<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let (it, x) = (self.it, self.x);
        let [.., c] = it.axes;
        let lines = self.y.chunks_exact_mut(c.count);
        if let Some(width) = it.pairs() {
            for (to, first) in lines.zip(it.pair_lines()) {
                let (above, below) = (&x[first..][..width], &x[first + c.size..][..width]);
                let lanes = T::On::<S>::LEN;
                for i in (0..c.count).step_by(lanes) {
                    let count = lanes.min(c.count - i);
                    let (a, b) = pairs_at::<T::On<S>>(above, i);
                    let (p, q) = pairs_at::<T::On<S>>(below, i);
                    let most = a.larger(b).larger(p.larger(q));
                    // SAFETY: so many are left in the line.
                    unsafe { most.store_some(to.as_mut_ptr().add(i), count) };
                }
            }
            return;
        }
        for (to, line) in lines.zip(it.lines()) {
            top(it, line, x, to);
        }
    }
}

struct Mean<'a, T> {
    it: &'a Pooling,
    x: &'a [T],
    y: &'a mut [T],
    shares: &'a [T],
}

impl<T: Float> Task for Mean<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let (it, count) = (self.it, self.it.axes[2].count);
        for (to, line) in self.y.chunks_exact_mut(count).zip(it.lines()) {
            to.fill(T::zero());
            it.each_tap(line, |tap| {
                let (to, x) = (&mut to[tap.inside], &self.x[tap.element..]);
                by_stride!(it.axes[2].stride, step => {
                    for (to, x) in to.iter_mut().zip(x.chunks(step)) {
                        *to = *to + x[0];
                    }
                });
            });
            let shares = &self.shares[line.2..][..count];
            to.iter_mut().zip(shares).for_each(|(to, share)| *to = *to / *share);
        }
    }
}

struct Pick<'a, T> {
    it: &'a Pooling,
    x: &'a [T],
    u: &'a [T],
    y: &'a mut [T],
}

impl<T: Float> Task for Pick<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let (it, count, stride) = (self.it, self.it.axes[2].count, self.it.axes[2].stride);
        scratch::with(2 * count, |room: &mut [T]| {
            let (largest, many) = room.split_at_mut(count);
            for (to, line) in self.y.chunks_exact_mut(count).zip(it.lines()) {
                top(it, line, self.x, largest);
                ties(it, line, self.x, largest, many);
                to.fill(T::zero());
                it.each_tap(line, |tap| {
                    let x = self.x[tap.element..].iter().step_by(stride);
                    let u = self.u[tap.element..].iter().step_by(stride);
                    for (((to, top), x), u) in
                        to[tap.inside.clone()].iter_mut().zip(&largest[tap.inside]).zip(x).zip(u)
                    {
                        *to = if x == top { *to + *u } else { *to };
                    }
                });
                for (to, &many) in to.iter_mut().zip(&*many) {
                    *to = if many > T::zero() { *to / many } else { T::zero() };
                }
            }
        });
    }
}

struct MaxAdjoint<'a, T> {
    it: &'a Pooling,
    x: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
    positive: bool,
}

impl<T: Float> Task for MaxAdjoint<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let (it, x, dx) = (self.it, self.x, self.dx);
        let [_, b, c] = it.axes;
        let lines = self.dy.chunks_exact(c.count);
        if let Some(width) = it.pairs() {
            if width < c.size || 2 * b.count < b.size {
                dx.fill(T::zero());
            }
            let (one, zero) = (T::On::<S>::of(1.0), T::On::<S>::of(0.0));
            for (dy, first) in lines.zip(it.pair_lines()) {
                let (above, below) = (&x[first..][..width], &x[first + c.size..][..width]);
                let (over, under) = dx[first..].split_at_mut(c.size);
                let lanes = T::On::<S>::LEN;
                for i in (0..c.count).step_by(lanes) {
                    let count = lanes.min(c.count - i);
                    let (a, b) = pairs_at::<T::On<S>>(above, i);
                    let (p, q) = pairs_at::<T::On<S>>(below, i);
                    let top = a.larger(b).larger(p.larger(q));
                    let is = [a, b, p, q].map(|x| x.eq(top));
                    let [i0, i1, i2, i3] = is.map(|is| T::On::<S>::pick(is, one, zero));
                    // SAFETY: so many are left in the line.
                    let dy = unsafe { T::On::<S>::load_some(dy.as_ptr().add(i), count, zero) };
                    let mut share = dy / ((i0 + i1) + (i2 + i3));
                    if self.positive {
                        share = T::On::<S>::pick(zero.lt(top), share, zero);
                    }
                    let [a, b, p, q] = is.map(|is| T::On::<S>::pick(is, share, zero));
                    put_pairs(over, i, (a, b), count);
                    put_pairs(under, i, (p, q), count);
                }
            }
            return;
        }
        dx.fill(T::zero());
        scratch::with(2 * c.count, |room: &mut [T]| {
            let (largest, shares) = room.split_at_mut(c.count);
            for (dy, line) in lines.zip(it.lines()) {
                top(it, line, x, largest);
                ties(it, line, x, largest, shares);
                for ((share, dy), top) in shares.iter_mut().zip(dy).zip(&*largest) {
                    let flows = !self.positive || *top > T::zero();
                    *share = if flows { *dy / *share } else { T::zero() };
                }
                it.each_tap(line, |tap| {
                    let (top, share) = (&largest[tap.inside.clone()], &shares[tap.inside]);
                    let (x, dx) = (&x[tap.element..], &mut dx[tap.element..]);
                    by_stride!(c.stride, step => {
                        for (((dx, x), top), share) in
                            dx.chunks_mut(step).zip(x.chunks(step)).zip(top).zip(share)
                        {
                            dx[0] = dx[0] + if x[0] == *top { *share } else { T::zero() };
                        }
                    });
                });
            }
        });
    }
}

struct MeanAdjoint<'a, T> {
    it: &'a Pooling,
    dy: &'a [T],
    dx: &'a mut [T],
    shares: &'a [T],
}

impl<T: Float> Task for MeanAdjoint<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let (it, dx, count) = (self.it, self.dx, self.it.axes[2].count);
        dx.fill(T::zero());
        scratch::with(count, |room: &mut [T]| {
            for (dy, line) in self.dy.chunks_exact(count).zip(it.lines()) {
                let shares = &self.shares[line.2..][..count];
                for ((to, dy), share) in room.iter_mut().zip(dy).zip(shares) {
                    *to = *dy / *share;
                }
                it.each_tap(line, |tap| {
                    let (dx, share) = (&mut dx[tap.element..], &room[tap.inside]);
                    by_stride!(it.axes[2].stride, step => {
                        for (dx, share) in dx.chunks_mut(step).zip(share) {
                            dx[0] = dx[0] + *share;
                        }
                    });
                });
            }
        });
    }
}
