//! A tile of a product in registers: a few rows by one or two vectors of columns.

use super::Finish;
use crate::exec::kernels::lanes::{Float, Lanes};
use std::mem::MaybeUninit;

/// Where a tile's operands and result are.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a, T> {
    /// The length of the contraction.
    pub depth: usize,
    /// The first element of the left rows, and the steps to the next row and along it.
    pub a: *const T,
    pub a_steps: (usize, usize),
    /// The first vector of the right columns, and the step to the next row of them.
    pub b: *const T,
    pub b_step: usize,
    /// Where the right vectors are copied to on the way, one row after the other.
    pub copy: *mut T,
    /// The first element of the result, and the step to the next row.
    pub c: *mut T,
    pub c_step: usize,
    /// So many lanes of the last vector are there.
    pub last: usize,
    /// Whether the result is added to.
    pub adds: bool,
    /// What is done at the end, if this is the end of the contraction.
    pub finish: &'a Finish<'a, T>,
    pub ends: bool,
    /// The first column, for biases.
    pub column: usize,
    /// What is fetched into the second cache meanwhile, a vector every `EACH` steps of the contraction, and the step to the next.
    pub ahead: *const T,
    pub ahead_step: usize,
}

/// So many steps of the contraction go by from one fetch to the next: in a burst they would keep what the tile reads waiting.
pub(super) const EACH: usize = 4;

/// The rows of a tile of one vector; those of two vectors have as many as the level says, at most 12.
pub(super) const NARROW: usize = 8;

/// Computes a tile of so many rows and `vectors` vectors, 1 or 2.
///
/// # Safety
/// Everything lies where the tile says; vectors of the right operand are whole, `copy` has room for them if it is asked for.
#[inline(always)]
pub(super) unsafe fn tile<L: Lanes>(
    rows: usize,
    vectors: usize,
    copies: bool,
    it: &Tile<L::Element>,
) {
    macro_rules! rows {
        ($vectors:literal, $copies:literal, $($rows:literal)*) => {
            match rows {
                // SAFETY: the caller's promise.
                $($rows => unsafe { fixed::<L, $rows, $vectors, $copies>(it) },)*
                _ => unreachable!("a tile has no more rows than its level says"),
            }
        };
    }
    match (vectors, copies) {
        (1, false) => rows!(1, false, 1 2 3 4 5 6 7 8),
        (1, true) => rows!(1, true, 1 2 3 4 5 6 7 8),
        (_, false) => rows!(2, false, 1 2 3 4 5 6 7 8 9 10 11 12),
        (_, true) => rows!(2, true, 1 2 3 4 5 6 7 8 9 10 11 12),
    }
}

/// # Safety
/// As `tile`.
#[inline(always)]
unsafe fn fixed<L: Lanes, const R: usize, const V: usize, const COPIES: bool>(
    it: &Tile<L::Element>,
) {
    let mut sums = [[L::of(0.0); V]; R];
    let (mut b, mut copy, mut ahead) = (it.b, it.copy, it.ahead);
    let (row, along) = it.a_steps;
    // Four rows from each: one address for all would be a chain of as many additions as there are rows.
    let mut lefts: [_; 3] = std::array::from_fn(|i| it.a.wrapping_add(4 * i * row));
    macro_rules! step {
        () => {
            let mut right = [L::of(0.0); V];
            for (v, right) in right.iter_mut().enumerate() {
                *right = L::load(b.add(v * L::LEN));
                if COPIES {
                    L::prefetch(b.wrapping_add(8 * it.b_step + v * L::LEN));
                    right.store(copy.add(v * L::LEN));
                }
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let left = L::splat(*lefts[r / 4].add(r % 4 * row));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = left.mul_add(right, *sum);
                }
            }
            for left in &mut lefts[..R.div_ceil(4)] {
                *left = L::on(*left, along);
            }
            b = b.wrapping_add(it.b_step);
            if COPIES {
                copy = copy.wrapping_add(V * L::LEN);
            }
        };
    }
    // SAFETY: the caller's promise; what is only prefetched may lie anywhere.
    unsafe {
        for _ in 0..it.depth / EACH {
            L::prefetch(ahead);
            ahead = ahead.wrapping_add(it.ahead_step);
            for _ in 0..EACH {
                step!();
            }
        }
        for _ in 0..it.depth % EACH {
            step!();
        }
        // Through memory once: if what follows took the sums as they are, they would be stored in every step.
        let mut done = MaybeUninit::<[L::Element; 12 * 2 * 16]>::uninit();
        let at = done.as_mut_ptr().cast::<L::Element>();
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                sum.store(at.add((r * V + v) * L::LEN));
            }
        }
        finish::<L, V>(R, at, it);
    }
}

/// Writes the sums of a tile, scaled, added to and cut as the product is to end.
///
/// # Safety
/// As `tile`.
#[inline(always)]
pub(super) unsafe fn finish<L: Lanes, const V: usize>(
    rows: usize,
    sums: *const L::Element,
    it: &Tile<L::Element>,
) {
    let scale = L::splat(it.finish.scale);
    for r in 0..rows {
        for v in 0..V {
            // SAFETY: the caller's promise.
            unsafe {
                let to = it.c.add(r * it.c_step + v * L::LEN);
                let count = if v + 1 == V { it.last } else { L::LEN };
                let mut value = scale * L::load(sums.add((r * V + v) * L::LEN));
                if it.adds {
                    value = value + some(to, count);
                }
                if it.ends {
                    if let Some(bias) = it.finish.bias {
                        value = value + some(bias.as_ptr().add(it.column + v * L::LEN), count);
                    }
                    if it.finish.relu {
                        value = value.larger(L::of(0.0));
                    }
                }
                if count == L::LEN { value.store(to) } else { value.store_some(to, count) }
            }
        }
    }
}

/// # Safety
/// `count` numbers can be read there.
#[inline(always)]
unsafe fn some<L: Lanes>(from: *const L::Element, count: usize) -> L {
    // SAFETY: the caller's promise.
    unsafe { if count == L::LEN { L::load(from) } else { L::load_some(from, count, L::of(0.0)) } }
}

/// What does not pay for vectors: one element after the other.
///
/// # Safety
/// Everything lies where the tile says, `rows` by `columns` elements of the result.
#[inline(always)]
pub(super) unsafe fn tiny<T: Float>(rows: usize, columns: usize, b_along: usize, it: &Tile<T>) {
    let (row, along) = it.a_steps;
    for r in 0..rows {
        for j in 0..columns {
            // SAFETY: the caller's promise.
            unsafe {
                let mut sum = T::zero();
                for k in 0..it.depth {
                    sum = sum
                        + *it.a.add(r * row + k * along) * *it.b.add(k * it.b_step + j * b_along);
                }
                let to = it.c.add(r * it.c_step + j);
                let mut value = it.finish.scale * sum;
                if it.adds {
                    value = value + *to;
                }
                if let Some(bias) = it.finish.bias {
                    value = value + *bias.get_unchecked(j);
                }
                if it.finish.relu && value < T::zero() {
                    value = T::zero();
                }
                *to = value;
            }
        }
    }
}
