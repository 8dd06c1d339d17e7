//! Vectors of floats: what generic code may do with them at every level.

use super::math::table::Table;
use crate::tensor::Element;
use num_traits::{Float as Number, Zero};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The vectors of a level.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Of f32.
    type F32: Lanes<Element = f32>;
    /// Of f64, half as many.
    type F64: Lanes<Element = f64>;
    /// So many rows by two vectors of products fit its registers; at most 12.
    const ROWS: usize;
}

/// `f32` or `f64`.
pub trait Float: Element + Number + Table + Default + std::iter::Sum {
    /// Its vectors.
    type On<S: Simd>: Lanes<Element = Self>;
    /// From f64, rounded.
    fn of_f64(x: f64) -> Self;
    /// As f64, exactly.
    fn to(self) -> f64;
}

impl Float for f32 {
    type On<S: Simd> = S::F32;
    #[inline(always)]
    fn of_f64(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn to(self) -> f64 {
        f64::from(self)
    }
}

impl Float for f64 {
    type On<S: Simd> = S::F64;
    #[inline(always)]
    fn of_f64(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn to(self) -> f64 {
        self
    }
}

/// A vector. Comparisons with NaN are false, but for `ne`.
pub trait Lanes:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// What it is made of.
    type Element: Float;
    /// A truth value for each lane.
    type Mask: Copy;
    /// The number of lanes.
    const LEN: usize;
    /// Whether lanes are moved by instructions, not through memory.
    const SHUFFLES: bool = false;

    /// The same number in every lane.
    fn splat(x: Self::Element) -> Self;
    /// The numbers from `from` on.
    ///
    /// # Safety
    /// `LEN` numbers can be read there.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// Writes the numbers from `to` on.
    ///
    /// # Safety
    /// `LEN` numbers can be written there.
    unsafe fn store(self, to: *mut Self::Element);
    /// `self * b + c`; rounded once where the level has such an instruction.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// Without the sign.
    fn abs(self) -> Self;
    /// With the sign of another.
    fn copysign(self, sign: Self) -> Self;
    /// The larger; `other` where one is NaN.
    fn max(self, other: Self) -> Self;
    /// The smaller; `other` where one is NaN.
    fn min(self, other: Self) -> Self;
    /// The next whole number below.
    fn floor(self) -> Self;
    /// The next whole number above.
    fn ceil(self) -> Self;
    /// The whole number towards 0.
    fn trunc(self) -> Self;
    /// The nearest whole number; halves go to the even one.
    fn round(self) -> Self;
    /// Where `self < other`.
    fn lt(self, other: Self) -> Self::Mask;
    /// Where `self <= other`.
    fn le(self, other: Self) -> Self::Mask;
    /// Where `self == other`.
    fn eq(self, other: Self) -> Self::Mask;
    /// Where `self != other`, as where one is NaN.
    fn ne(self, other: Self) -> Self::Mask;
    /// `yes` where the mask holds, else `no`.
    fn pick(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// Whether the mask holds anywhere.
    fn any(mask: Self::Mask) -> bool;
    /// `self * 2ⁿ` for whole n, rounded once; |n| below twice the largest exponent.
    fn scale(self, n: Self) -> Self;
    /// `(m, e)` with `self = m * 2ᵉ` and m in [0.75, 1.5), of positive finite numbers.
    fn split(self) -> (Self, Self);

    /// The nearest whole number of a small one.
    #[inline(always)]
    fn nearest(self) -> Self {
        let magic = Self::splat(Self::Element::MAGIC);
        (self + magic) - magic
    }
    /// Has the memory there in the second cache soon; it may be anywhere.
    #[inline(always)]
    fn prefetch(at: *const Self::Element) {
        let _ = at;
    }
    /// The address `step` numbers on, about which the compiler knows nothing: it makes no one address of several.
    #[allow(clippy::pointers_in_nomem_asm_block)]
    #[inline(always)]
    fn on(at: *const Self::Element, step: usize) -> *const Self::Element {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: an addition.
        unsafe {
            let (mut at, bytes) = (at, step.wrapping_mul(size_of::<Self::Element>()));
            std::arch::asm!("add {}, {}", inout(reg) at, in(reg) bytes, options(pure, nomem, nostack));
            at
        }
        #[cfg(not(target_arch = "x86_64"))]
        at.wrapping_add(step)
    }
    /// The larger; NaN where one is NaN.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        Self::pick(self.ne(self), self, self.max(other))
    }
    /// The smaller; NaN where one is NaN.
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        Self::pick(self.ne(self), self, self.min(other))
    }
    /// The number, in f64 first, in every lane.
    #[inline(always)]
    fn of(x: f64) -> Self {
        Self::splat(Self::Element::of_f64(x))
    }
    /// 1 where the mask holds, else 0.
    #[inline(always)]
    fn truth(mask: Self::Mask) -> Self {
        Self::pick(mask, Self::of(1.0), Self::of(0.0))
    }
    /// The lanes one by one, from the first; what is behind is 0.
    #[inline(always)]
    fn lanes(self) -> [Self::Element; 16] {
        let mut lanes = [Self::Element::zero(); 16];
        // SAFETY: no vector has more than 16 lanes.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }
    /// The function of each lane, one by one.
    #[inline(always)]
    fn each(self, f: fn(f64) -> f64) -> Self {
        let mut lanes = self.lanes();
        for lane in &mut lanes[..Self::LEN] {
            *lane = Self::Element::of_f64(f(lane.to()));
        }
        // SAFETY: no vector has more than 16 lanes.
        unsafe { Self::load(lanes.as_ptr()) }
    }
    /// Of both, one behind the other: the lanes at even places and those at odd ones.
    #[inline(always)]
    fn parted(self, other: Self) -> (Self, Self) {
        let (one, two) = (self.lanes(), other.lanes());
        let (mut even, mut odd) = ([Self::Element::zero(); 16], [Self::Element::zero(); 16]);
        for i in 0..Self::LEN {
            let from =
                |place: usize| if place < Self::LEN { one[place] } else { two[place - Self::LEN] };
            (even[i], odd[i]) = (from(2 * i), from(2 * i + 1));
        }
        // SAFETY: no vector has more than 16 lanes.
        unsafe { (Self::load(even.as_ptr()), Self::load(odd.as_ptr())) }
    }
    /// What `parted` parts: lanes of both in turn.
    #[inline(always)]
    fn laced(self, other: Self) -> (Self, Self) {
        let (even, odd) = (self.lanes(), other.lanes());
        let mut both = [Self::Element::zero(); 32];
        for i in 0..Self::LEN {
            (both[2 * i], both[2 * i + 1]) = (even[i], odd[i]);
        }
        // SAFETY: no vector has more than 16 lanes.
        unsafe { (Self::load(both.as_ptr()), Self::load(both.as_ptr().add(Self::LEN))) }
    }
    /// The first lane.
    #[inline(always)]
    fn first(self) -> Self::Element {
        self.lanes()[0]
    }
    /// All lanes by an operation, by halves.
    #[inline(always)]
    fn fold<J: Join>(self) -> Self::Element {
        let (mut sum, mut width) = (self, Self::LEN);
        while width > 1 {
            width /= 2;
            sum = J::join(sum, sum.later(width));
        }
        sum.first()
    }
    /// Each of the first `width` lanes, a power of two below `LEN`, as the one `width` lanes behind it; the others are any.
    #[inline(always)]
    fn later(self, width: usize) -> Self {
        let mut lanes = [Self::Element::zero(); 32];
        // SAFETY: no vector has more than 16 lanes, so that the load ends within the array.
        unsafe {
            self.store(lanes.as_mut_ptr());
            Self::load(lanes.as_ptr().add(width.min(16)))
        }
    }
    /// The first `count` numbers from `from` on, behind them the lanes of `behind`.
    ///
    /// # Safety
    /// `count` numbers, at most `LEN`, can be read there.
    #[inline(always)]
    unsafe fn load_some(from: *const Self::Element, count: usize, behind: Self) -> Self {
        // SAFETY: the caller's promise, and no vector has more than 16 lanes.
        unsafe {
            let mut lanes = behind.lanes();
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), count);
            Self::load(lanes.as_ptr())
        }
    }
    /// Writes the first `count` lanes.
    ///
    /// # Safety
    /// `count` numbers, at most `LEN`, can be written there.
    #[inline(always)]
    unsafe fn store_some(self, to: *mut Self::Element, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(self.lanes().as_ptr(), to, count) }
    }
}

/// An operation on two vectors: no closure, since closures are not compiled with the instructions of a level.
pub trait Join {
    /// Its value.
    fn join<L: Lanes>(a: L, b: L) -> L;
}

macro_rules! joins {
    ($($(#[doc = $doc:literal])* $name:ident $a:ident $b:ident => $value:expr;)*) => {$(
        $(#[doc = $doc])*
        pub struct $name;
        impl Join for $name {
            #[inline(always)]
            fn join<L: Lanes>($a: L, $b: L) -> L {
                $value
            }
        }
    )*};
}
joins! {
    /// The sum.
    Sum a b => a + b;
    /// The product.
    Product a b => a * b;
    /// The larger; NaN where one is NaN.
    Larger a b => a.larger(b);
    /// The smaller; NaN where one is NaN.
    Smaller a b => a.smaller(b);
}
