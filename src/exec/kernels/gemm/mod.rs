//! Products of matrices.
//!
//! Operands are read where they lie, by their steps; only what would be slow so is copied on the way. Each element of a
//! result is summed along the contraction in blocks that depend on the sizes and the level alone, whoever does which part.

mod few;
mod pack;
mod slab;
mod tile;

use super::lanes::{Float, Lanes, Simd, Sum};
use super::level::{Level, Task, dispatch};
use super::memory::Span;
use super::{Context, scratch};
use few::Few;
pub use pack::Packed;
use pack::Panels;
use slab::Slab;
use std::ops::Range;
use tile::{NARROW, Tile, tiny};

/// So many bytes of a row are contracted at once: a tile's rows stay in the first cache,
const DEEP: usize = 2 << 10;
/// so many rows in the second.
const ROWS: usize = 256;
/// Fewer multiplications are not worth vectors, or handing on.
const TINY: usize = 100;
const PIECE: usize = 1 << 17;
/// Left columns over so many bytes are copied where there are so many panels to read them.
const PAGES: usize = 1 << 18;
const MANY: usize = 16;
/// So many rows are mirrored together.
const MIRROR: usize = 64;

/// A matrix in memory.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    /// Its elements, from the first on.
    pub data: &'a [T],
    /// The steps to the next row and to the next column.
    pub steps: (usize, usize),
}

/// A right operand.
#[derive(Clone, Copy, Debug)]
pub enum Right<'a, T> {
    /// As it lies.
    Matrix(Matrix<'a, T>),
    /// In panels.
    Packed(&'a Packed<T>),
}

/// What is done with a product `A B` on its way to `C`: `scale * A B`, plus `C` as it was, plus the bias of each column, and
/// of that the positive part.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a, T> {
    /// The factor.
    pub scale: T,
    /// Whether it is added to what is there.
    pub adds: bool,
    /// A number for each column.
    pub bias: Option<&'a [T]>,
    /// Whether negative numbers become 0.
    pub relu: bool,
    /// Whether the result equals its transpose: then what lies below the diagonal is copied from above.
    pub symmetric: bool,
}

impl<T: Float> Default for Finish<'_, T> {
    fn default() -> Self {
        Finish { scale: T::one(), adds: false, bias: None, relu: false, symmetric: false }
    }
}

impl<'a, T> From<Matrix<'a, T>> for Right<'a, T> {
    fn from(matrix: Matrix<'a, T>) -> Self {
        Right::Matrix(matrix)
    }
}

impl<T> Matrix<'_, T> {
    fn check(&self, rows: usize, columns: usize) {
        let reach = |count: usize, step: usize| (count - 1).checked_mul(step);
        if rows > 0 && columns > 0 {
            let ends = reach(rows, self.steps.0).zip(reach(columns, self.steps.1));
            let last = ends.and_then(|(down, along)| down.checked_add(along));
            assert!(last.is_some_and(|last| last < self.data.len()), "a matrix in its slice");
        }
    }

    fn transposed(self) -> Self {
        Matrix { steps: (self.steps.1, self.steps.0), ..self }
    }
}

/// Computes `C = finish(A B)` for A of `[m, k]`, B of `[k, n]` and C of `[m, n]` with rows `c_step` apart.
///
/// # Panics
/// Where an operand does not lie in its slice: a bug of the caller.
pub fn product<'a, T: Float>(
    context: &Context<'_>,
    (m, k, n): (usize, usize, usize),
    a: Matrix<'_, T>,
    b: impl Into<Right<'a, T>>,
    c: (&mut [T], usize),
    finish: &Finish<'_, T>,
) {
    let b = b.into();
    a.check(m, k);
    match b {
        Right::Matrix(b) => b.check(k, n),
        Right::Packed(packed) => {
            assert_eq!((packed.depth, packed.columns, packed.level), (k, n, context.level));
        }
    }
    let (to, c_step) = c;
    Matrix { data: to, steps: (c_step, 1) }.check(m, n);
    assert!(m < 2 || c_step >= n, "rows apart");
    assert!(finish.bias.is_none_or(|bias| bias.len() >= n), "a bias for each column");
    assert!(!finish.symmetric || m == n && !finish.adds && finish.bias.is_none(), "a mirror");
    if m == 0 || n == 0 {
        return;
    }
    let job = Job { m, k, n, a, b, c: to.as_mut_ptr(), c_step, finish: *finish };
    job.start(context);
}

/// Computes a product for each of `count` pairs: `places` gives the first elements of A and of B of each in their slices; the
/// results lie one after the other in `c`.
///
/// # Panics
/// As `product`.
pub fn products<T: Float>(
    context: &Context<'_>,
    (m, k, n): (usize, usize, usize),
    (a, b): (Matrix<'_, T>, Matrix<'_, T>),
    c: &mut [T],
    places: &(dyn Fn(usize) -> (usize, usize) + Sync),
    finish: &Finish<'_, T>,
) {
    if m * n == 0 {
        return;
    }
    assert!(c.len().is_multiple_of(m * n), "whole results");
    let place = |i: usize| {
        let (left, right) = places(i);
        [left, right, i * m * n]
    };
    let places: Vec<[usize; 3]> = (0..c.len() / (m * n)).map(place).collect();
    products_at(context, (m, k, n), (a, b), (Span::of(c), n), &places, finish);
}

/// The same, where `places` gives the first elements of A, of B and of C of each, and rows of C are `c_step` apart. Results
/// have no element in common, and nothing else is at them meanwhile, which is the affair of who has the span.
///
/// # Panics
/// As `product`.
pub fn products_at<T: Float>(
    context: &Context<'_>,
    (m, k, n): (usize, usize, usize),
    (a, b): (Matrix<'_, T>, Matrix<'_, T>),
    (c, c_step): (Span<T>, usize),
    places: &[[usize; 3]],
    finish: &Finish<'_, T>,
) {
    if m * n == 0 {
        return;
    }
    let at = |data, place, steps| {
        let data: &[T] = data;
        Matrix { data: data.get(place..).unwrap_or_default(), steps }
    };
    let reach = (m - 1) * c_step + n;
    assert!(m < 2 || c_step >= n, "rows apart");
    assert!(finish.bias.is_none_or(|bias| bias.len() >= n), "a bias for each column");
    let one = |context: &Context<'_>, [left, right, to]: [usize; 3]| {
        let (a, b) = (at(a.data, left, a.steps), at(b.data, right, b.steps));
        a.check(m, k);
        b.check(k, n);
        let c = c.part(to, reach).at;
        Job { m, k, n, a, b: Right::Matrix(b), c, c_step, finish: *finish }.start(context);
    };
    let work = m.saturating_mul(k).saturating_mul(n);
    if places.len() < 2 || work > 4 * PIECE {
        return places.iter().for_each(|&places| one(context, places));
    }
    let each = (PIECE / work.max(1)).clamp(1, places.len());
    context.team.run(places.len().div_ceil(each), &|piece| {
        let alone = &Context { team: &super::Team::alone(), ..*context };
        let mine = &places[piece * each..places.len().min((piece + 1) * each)];
        mine.iter().for_each(|&places| one(alone, places));
    });
}

#[derive(Clone, Copy)]
struct Job<'a, T> {
    m: usize,
    k: usize,
    n: usize,
    a: Matrix<'a, T>,
    b: Right<'a, T>,
    c: *mut T,
    c_step: usize,
    finish: Finish<'a, T>,
}

// SAFETY: pieces of a job write disjoint parts of the result, which the caller of `product` has borrowed for all of them.
unsafe impl<T: Sync> Sync for Job<'_, T> {}

impl<T: Float> Job<'_, T> {
    fn start(mut self, context: &Context<'_>) {
        let work = self.m.saturating_mul(self.k).saturating_mul(self.n);
        if let Right::Matrix(b) = self.b {
            if work <= TINY {
                let tile = self.tile(self.a.data.as_ptr(), b.data.as_ptr(), b.steps.0);
                // SAFETY: `product` has checked that all lies in its slices.
                return unsafe { tiny(self.m, self.n, b.steps.1, &tile) };
            }
            if self.n == 1 && self.c_step == 1 && self.finish.bias.is_none() {
                // A column is a row: then what lies along it is read by vectors.
                (self.m, self.n, self.c_step) = (1, self.m, self.m);
                (self.a, self.b) = (b.transposed(), Right::Matrix(self.a.transposed()));
            }
        }
        Run { job: &self, context, shape: pack::shape::<T>(context.level) }.run();
    }

    /// Copies what lies above the diagonal below it, to a band of rows.
    fn mirror(&self, first: usize) {
        let end = self.m.min(first + MIRROR);
        for start in (0..end).step_by(16) {
            for i in first.max(start)..end {
                for j in start..i.min(start + 16) {
                    // SAFETY: within the result; above the diagonal nothing is written.
                    unsafe { *self.c.add(i * self.c_step + j) = *self.c.add(j * self.c_step + i) };
                }
            }
        }
    }

    /// The number of blocks of the contraction, and the length of all but the last.
    fn blocks(&self) -> (usize, usize) {
        let blocks = self.k.div_ceil(DEEP / size_of::<T>()).max(1);
        (blocks, self.k.div_ceil(blocks))
    }

    /// Whether left rows push each other out of the cache: a multiple of 1 KiB apart.
    fn apart(&self) -> bool {
        (self.a.steps.0.max(self.a.steps.1) * size_of::<T>()).is_multiple_of(1024)
    }

    fn tile(&self, a: *const T, b: *const T, b_step: usize) -> Tile<'_, T> {
        Tile {
            depth: self.k,
            a,
            a_steps: self.a.steps,
            b,
            b_step,
            copy: std::ptr::null_mut(),
            c: self.c,
            c_step: self.c_step,
            last: 0,
            adds: self.finish.adds,
            finish: &self.finish,
            ends: true,
            column: 0,
            ahead: a,
            ahead_step: 0,
        }
    }
}

/// A whole job, cut into pieces by rows and panels.
struct Run<'a, T> {
    job: &'a Job<'a, T>,
    context: &'a Context<'a>,
    /// The columns of a panel and the rows of a tile.
    shape: (usize, usize),
}

impl<T: Float> Run<'_, T> {
    fn run(&self) {
        let (job, level, (wide, _)) = (self.job, self.context.level, self.shape);
        let (m, k, n) = (job.m, job.k, job.n);
        let cut = self.cut();
        match job.b {
            Right::Matrix(b) if b.steps.1 != 1 && n > 1 && b.steps.0 == 1 && m < 4 => {
                scratch::with(k, |row: &mut [T]| {
                    for i in 0..m {
                        for (k, to) in row.iter_mut().enumerate() {
                            *to = job.a.data[i * job.a.steps.0 + k * job.a.steps.1];
                        }
                        dispatch(level, Dots { job, i, row, b });
                    }
                });
            }
            // Panels for several pieces or slabs are made before, others where they are used.
            Right::Matrix(b) if b.steps.1 != 1 && n > 1 && (cut.0 > 1 || m > ROWS) => {
                scratch::with(pack::room(k, n, wide), |packed| {
                    let each = (PIECE / (16 * k * wide).max(1)).max(1) * wide * k;
                    super::split(self.context.team, packed, each, &|piece, to: &mut [T]| {
                        let first = piece * each / k.max(1);
                        let from = b.data.as_ptr().wrapping_add(first * b.steps.1);
                        let (steps, columns) = (b.steps, n - first);
                        dispatch(level, Panels { from, steps, depth: k, columns, to });
                    });
                    self.pieces(cut, Some(packed.as_ptr()));
                });
            }
            Right::Matrix(b) if b.steps.1 == 1 && m <= few::ROWS && n >= few::PANELS * wide => {
                let whole = n - n % wide;
                self.context.team.run(cut.1, &|piece| {
                    let columns = part(whole, wide, piece, cut.1);
                    let end = if columns.end == whole { n } else { columns.end };
                    let columns = columns.start..end;
                    scratch::with(few::room(m, columns.len(), wide), |room: &mut [T]| {
                        dispatch(level, Few { job, b, columns, room });
                    });
                });
            }
            Right::Matrix(_) => self.pieces(cut, None),
            Right::Packed(packed) => self.pieces(cut, Some(packed.data.as_ptr())),
        }
    }

    /// How many pieces the result has down and across: so many that one is worth handing on, along the rows where there are
    /// many.
    fn cut(&self) -> (usize, usize) {
        let (job, shape) = (self.job, self.shape);
        let panels = job.n.div_ceil(shape.0);
        let (size, work) =
            (self.context.team.size(), job.m.saturating_mul(job.k).saturating_mul(job.n));
        // Pieces across copy such rows each for itself.
        let most = if job.apart() { 2 * size } else { 4 * size };
        let wanted = (work / PIECE).clamp(1, most);
        if size < 2 || wanted < 2 {
            (1, 1)
        } else if job.m >= 4 * job.n.min(128) || panels == 1 {
            (job.m.div_ceil(shape.1).min(wanted), 1)
        } else {
            let across = panels.min(wanted);
            (wanted.div_ceil(across).min(job.m.div_ceil(64)), across)
        }
    }

    fn pieces(&self, (down, across): (usize, usize), packed: Option<*const T>) {
        let (job, shape) = (self.job, self.shape);
        let panels = job.n.div_ceil(shape.0);
        let (parts, level) =
            (Parts { job, packed, down, across, panels, shape }, self.context.level);
        self.context.team.run(down * across, &|piece| parts.piece(level, piece));
        if job.finish.symmetric {
            self.context.team.run(job.m.div_ceil(MIRROR), &|band| job.mirror(band * MIRROR));
        }
    }
}

struct Parts<'a, T> {
    job: &'a Job<'a, T>,
    packed: Option<*const T>,
    down: usize,
    across: usize,
    panels: usize,
    shape: (usize, usize),
}

// SAFETY: `packed` is only read.
unsafe impl<T: Sync> Sync for Parts<'_, T> {}

/// Part `i` of `count` parts of a range, borders on multiples of `unit`.
fn part(whole: usize, unit: usize, i: usize, count: usize) -> Range<usize> {
    let units = whole.div_ceil(unit);
    let border = |i: usize| (units * i / count * unit).min(whole);
    border(i)..border(i + 1)
}

impl<T: Float> Parts<'_, T> {
    fn piece(&self, level: Level, piece: usize) {
        let (job, (wide, high)) = (self.job, self.shape);
        let rows = part(job.m, high, piece % self.down, self.down);
        let panels = part(self.panels, 1, piece / self.down, self.across);
        let (blocks, deep) = job.blocks();
        let (row, along) = job.a.steps;
        // Columns in more pages than the core knows at once are looked up again for each panel.
        let strewn = row == 1 && along * deep * size_of::<T>() >= PAGES && panels.len() >= MANY;
        let packs = strewn || job.apart() && (row == 1 || along == 1) && panels.len() > 1;
        let packs = packs && rows.len() > NARROW;
        let left = (ROWS.min(rows.len()) + high) * deep + pack::SLACK;
        let left = if packs { left } else { 0 };
        scratch::with(wide * deep + left, |room: &mut [T]| {
            let (panel, left) = room.split_at_mut(wide * deep);
            for block in 0..blocks {
                for first in rows.clone().step_by(ROWS) {
                    let slab = Slab {
                        parts: self,
                        rows: first..rows.end.min(first + ROWS),
                        panels: panels.clone(),
                        start: block * deep,
                        depth: deep.min(job.k.saturating_sub(block * deep)),
                        adds: block > 0 || job.finish.adds,
                        ends: block + 1 == blocks,
                        left: packs.then_some(left.as_mut_ptr()),
                        room: panel.as_mut_ptr(),
                    };
                    dispatch(level, slab);
                }
            }
        });
    }
}

/// A row by columns that lie along the contraction: each element by itself.
struct Dots<'a, T> {
    job: &'a Job<'a, T>,
    i: usize,
    row: &'a [T],
    b: Matrix<'a, T>,
}

impl<T: Float> Task for Dots<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let (job, lanes, depth) = (self.job, T::On::<S>::LEN, self.row.len());
        let zero = T::On::<S>::of(0.0);
        for j in 0..job.n {
            // SAFETY: `product` has checked the operands, and columns lie along the contraction.
            unsafe {
                let (x, y) = (self.row.as_ptr(), self.b.data.as_ptr().add(j * self.b.steps.1));
                let mut sums = [zero; 4];
                let mut k = 0;
                while k + 4 * lanes <= depth {
                    for (v, sum) in sums.iter_mut().enumerate() {
                        let at = k + v * lanes;
                        *sum =
                            T::On::<S>::load(x.add(at)).mul_add(T::On::<S>::load(y.add(at)), *sum);
                    }
                    k += 4 * lanes;
                }
                while k < depth {
                    let count = lanes.min(depth - k);
                    let x = T::On::<S>::load_some(x.add(k), count, zero);
                    sums[0] = x.mul_add(T::On::<S>::load_some(y.add(k), count, zero), sums[0]);
                    k += lanes;
                }
                let sum = [((sums[0] + sums[1]) + (sums[2] + sums[3])).fold::<Sum>()];
                // As a contraction of one element, so that the end is the same everywhere.
                let one = [T::one()];
                let finish = Finish { bias: job.finish.bias.map(|bias| &bias[j..]), ..job.finish };
                let mut it = job.tile(sum.as_ptr(), one.as_ptr(), 1);
                (it.depth, it.finish) = (1, &finish);
                it.c = job.c.add(self.i * job.c_step + j);
                tiny(1, 1, 1, &it);
            }
        }
    }
}
