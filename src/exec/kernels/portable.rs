//! Vectors as arrays, for every machine: what the compiler makes of loops over them.

use super::lanes::{Float, Lanes, Simd};
use super::math::table::Table;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The level that every machine has.
#[derive(Clone, Copy)]
pub struct Portable;

impl Simd for Portable {
    type F32 = Array<f32, 8>;
    type F64 = Array<f64, 4>;
    const ROWS: usize = 2;
}

/// An array as a vector.
#[derive(Clone, Copy)]
pub struct Array<T, const N: usize>([T; N]);

impl<T: Copy, const N: usize> Array<T, N> {
    #[inline(always)]
    fn map<R>(self, f: impl Fn(T) -> R) -> [R; N] {
        std::array::from_fn(|i| f(self.0[i]))
    }
    #[inline(always)]
    fn zip<R>(self, other: Self, f: impl Fn(T, T) -> R) -> [R; N] {
        std::array::from_fn(|i| f(self.0[i], other.0[i]))
    }
}

macro_rules! operators {
    ($($name:ident $method:ident),*) => {$(
        impl<T: Float, const N: usize> $name for Array<T, N> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Array(self.zip(other, |x, y| x.$method(y)))
            }
        }
    )*};
}
operators!(Add add, Sub sub, Mul mul, Div div);

impl<T: Float, const N: usize> Neg for Array<T, N> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Array(self.map(|x| -x))
    }
}

macro_rules! lanes {
    ($type:ident $bits:ident $count:literal) => {
        impl Lanes for Array<$type, $count> {
            type Element = $type;
            type Mask = [bool; $count];
            const LEN: usize = $count;

            #[inline(always)]
            fn splat(x: $type) -> Self {
                Array([x; $count])
            }
            #[inline(always)]
            unsafe fn load(from: *const $type) -> Self {
                // SAFETY: the caller's promise.
                unsafe { Array(from.cast::<[$type; $count]>().read_unaligned()) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $type) {
                // SAFETY: the caller's promise.
                unsafe { to.cast::<[$type; $count]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                self * b + c
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Array(self.map($type::sqrt))
            }
            #[inline(always)]
            fn abs(self) -> Self {
                Array(self.map($type::abs))
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                Array(self.zip(sign, $type::copysign))
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                Array(self.zip(other, |x, y| if x > y { x } else { y }))
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                Array(self.zip(other, |x, y| if x < y { x } else { y }))
            }
            #[inline(always)]
            fn floor(self) -> Self {
                Array(self.map($type::floor))
            }
            #[inline(always)]
            fn ceil(self) -> Self {
                Array(self.map($type::ceil))
            }
            #[inline(always)]
            fn trunc(self) -> Self {
                Array(self.map($type::trunc))
            }
            #[inline(always)]
            fn round(self) -> Self {
                Array(self.map($type::round_ties_even))
            }
            #[inline(always)]
            fn lt(self, other: Self) -> Self::Mask {
                self.zip(other, |x, y| x < y)
            }
            #[inline(always)]
            fn le(self, other: Self) -> Self::Mask {
                self.zip(other, |x, y| x <= y)
            }
            #[inline(always)]
            fn eq(self, other: Self) -> Self::Mask {
                self.zip(other, |x, y| x == y)
            }
            #[inline(always)]
            fn ne(self, other: Self) -> Self::Mask {
                self.zip(other, |x, y| x != y)
            }
            #[inline(always)]
            fn pick(mask: Self::Mask, yes: Self, no: Self) -> Self {
                Array(std::array::from_fn(|i| if mask[i] { yes.0[i] } else { no.0[i] }))
            }
            #[inline(always)]
            fn any(mask: Self::Mask) -> bool {
                mask.iter().fold(false, |any, &lane| any | lane)
            }
            #[inline(always)]
            fn scale(self, n: Self) -> Self {
                let power = |n: $type| {
                    // The low bits of the sum are the exponent with its bias.
                    $type::from_bits((n + $type::EXPONENT).to_bits() << $type::FRACTION)
                };
                Array(self.zip(n, |x, n| {
                    let half = (n * 0.5).floor();
                    x * power(half) * power(n - half)
                }))
            }
            #[inline(always)]
            fn split(self) -> (Self, Self) {
                let (one, low) = ((1.0 as $type).to_bits(), (0.75 as $type).to_bits());
                let parts = self.map(|x| {
                    let (up, down) = $type::SUBNORMAL;
                    let small = x < $type::MIN_POSITIVE;
                    let bits = if small { x * up } else { x }.to_bits();
                    let exponent = bits.wrapping_sub(low).wrapping_add(one) >> $type::FRACTION;
                    let m = bits.wrapping_sub(exponent << $type::FRACTION).wrapping_add(one);
                    let e = exponent as $type - ((one >> $type::FRACTION) as $type);
                    ($type::from_bits(m), if small { e - down } else { e })
                });
                (
                    Array(std::array::from_fn(|i| parts[i].0)),
                    Array(std::array::from_fn(|i| parts[i].1)),
                )
            }
        }
    };
}
lanes!(f32 u32 8);
lanes!(f64 u64 4);
