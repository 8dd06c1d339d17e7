//! Vectors of 256 bits.

use super::lanes::{Lanes, Simd};
use super::math::table::Table;
use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The level of AVX2 and FMA.
#[derive(Clone, Copy)]
pub struct Avx2;

impl Simd for Avx2 {
    type F32 = F32x8;
    type F64 = F64x4;
    const ROWS: usize = 6;
}

/// 8 numbers.
#[derive(Clone, Copy)]
pub struct F32x8(__m256);
/// 4 numbers.
#[derive(Clone, Copy)]
pub struct F64x4(__m256d);

// SAFETY, for every block in this macro: these vectors occur only in tasks that run at the level, which `dispatch` enters
// only where the machine has its instructions; pointers are the caller's promise.
macro_rules! lanes {
    ($name:ident($raw:ident) $type:ident $count:literal;
     $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $fma:ident $sqrt:ident
     $and:ident $andnot:ident $or:ident $xor:ident $max:ident $min:ident $round:ident $compare:ident $blend:ident $bits:ident
     $to_int:ident $of_int:ident $shift_left:ident $shift_right:ident $int_add:ident $int_sub:ident
     $parted:ident $laced:ident $later:ident) => {
        lanes!(@operator $name Add add $add);
        lanes!(@operator $name Sub sub $sub);
        lanes!(@operator $name Mul mul $mul);
        lanes!(@operator $name Div div $div);
        impl Neg for $name {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                unsafe { $name($xor(self.0, $splat(-0.0))) }
            }
        }
        impl $name {
            /// `2ⁿ` of a whole number that is an exponent: the low bits of the sum are the exponent with its bias.
            #[inline(always)]
            fn power(self) -> Self {
                unsafe {
                    let sum = $to_int($add(self.0, $splat($type::EXPONENT)));
                    $name($of_int($shift_left::<{ $type::FRACTION as i32 }>(sum)))
                }
            }
        }
        impl Lanes for $name {
            type Element = $type;
            type Mask = $raw;
            const LEN: usize = $count;
            const SHUFFLES: bool = true;

            #[inline(always)]
            fn splat(x: $type) -> Self {
                unsafe { $name($splat(x)) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $type) -> Self {
                unsafe { $name($load(from)) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $type) {
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            fn prefetch(at: *const $type) {
                unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
            }
            #[inline(always)]
            fn mul_add(self, b: Self, c: Self) -> Self {
                unsafe { $name($fma(self.0, b.0, c.0)) }
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                unsafe { $name($sqrt(self.0)) }
            }
            #[inline(always)]
            fn abs(self) -> Self {
                unsafe { $name($andnot($splat(-0.0), self.0)) }
            }
            #[inline(always)]
            fn copysign(self, sign: Self) -> Self {
                unsafe {
                    let bit = $splat(-0.0);
                    $name($or($andnot(bit, self.0), $and(bit, sign.0)))
                }
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                unsafe { $name($max(self.0, other.0)) }
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                unsafe { $name($min(self.0, other.0)) }
            }
            #[inline(always)]
            fn floor(self) -> Self {
                unsafe { $name($round::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(self.0)) }
            }
            #[inline(always)]
            fn ceil(self) -> Self {
                unsafe { $name($round::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>(self.0)) }
            }
            #[inline(always)]
            fn trunc(self) -> Self {
                unsafe { $name($round::<{ _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC }>(self.0)) }
            }
            #[inline(always)]
            fn round(self) -> Self {
                unsafe { $name($round::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)) }
            }
            #[inline(always)]
            fn lt(self, other: Self) -> $raw {
                unsafe { $compare::<_CMP_LT_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn le(self, other: Self) -> $raw {
                unsafe { $compare::<_CMP_LE_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn eq(self, other: Self) -> $raw {
                unsafe { $compare::<_CMP_EQ_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn ne(self, other: Self) -> $raw {
                unsafe { $compare::<_CMP_NEQ_UQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn pick(mask: $raw, yes: Self, no: Self) -> Self {
                unsafe { $name($blend(no.0, yes.0, mask)) }
            }
            #[inline(always)]
            fn any(mask: $raw) -> bool {
                unsafe { $bits(mask) != 0 }
            }
            #[inline(always)]
            fn parted(self, other: Self) -> (Self, Self) {
                let (even, odd) = unsafe { $parted(self.0, other.0) };
                ($name(even), $name(odd))
            }
            #[inline(always)]
            fn later(self, width: usize) -> Self {
                $name(unsafe { $later(self.0, width) })
            }
            #[inline(always)]
            fn laced(self, other: Self) -> (Self, Self) {
                let (low, high) = unsafe { $laced(self.0, other.0) };
                ($name(low), $name(high))
            }
            #[inline(always)]
            fn scale(self, n: Self) -> Self {
                let half = (n * Self::of(0.5)).floor();
                self * half.power() * (n - half).power()
            }
            #[inline(always)]
            fn split(self) -> (Self, Self) {
                unsafe {
                    let (up, down) = $type::SUBNORMAL;
                    let small = self.lt(Self::splat($type::MIN_POSITIVE));
                    let bits = $to_int(Self::pick(small, self * Self::splat(up), self).0);
                    let one = $to_int($splat(1.0));
                    let from_low = $int_sub(bits, $to_int($splat(0.75)));
                    let exponent =
                        $shift_right::<{ $type::FRACTION as i32 }>($int_add(from_low, one));
                    let shifted = $shift_left::<{ $type::FRACTION as i32 }>(exponent);
                    let m = $int_add($int_sub(bits, shifted), one);
                    // In the fraction of a power of two that has room for it, the exponent is a number added.
                    let wide = $type::EPSILON.recip();
                    let bias = (1 << ($type::WIDTH - 2 - $type::FRACTION)) as $type - 1.0;
                    let e = $of_int($int_add(exponent, $to_int($splat(wide))));
                    let e = $name($sub(e, $splat(wide + bias)));
                    let e = Self::pick(small, e - Self::splat(down), e);
                    ($name($of_int(m)), e)
                }
            }
        }
    };
    (@operator $name:ident $trait:ident $method:ident $intrinsic:ident) => {
        impl $trait for $name {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                unsafe { $name($intrinsic(self.0, other.0)) }
            }
        }
    };
}
lanes!(F32x8(__m256) f32 8;
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps _mm256_fmadd_ps
    _mm256_sqrt_ps _mm256_and_ps _mm256_andnot_ps _mm256_or_ps _mm256_xor_ps _mm256_max_ps _mm256_min_ps _mm256_round_ps
    _mm256_cmp_ps _mm256_blendv_ps _mm256_movemask_ps _mm256_castps_si256 _mm256_castsi256_ps _mm256_slli_epi32
    _mm256_srli_epi32 _mm256_add_epi32 _mm256_sub_epi32 parted_f32 laced_f32 later_f32);
lanes!(F64x4(__m256d) f64 4;
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd _mm256_fmadd_pd
    _mm256_sqrt_pd _mm256_and_pd _mm256_andnot_pd _mm256_or_pd _mm256_xor_pd _mm256_max_pd _mm256_min_pd _mm256_round_pd
    _mm256_cmp_pd _mm256_blendv_pd _mm256_movemask_pd _mm256_castpd_si256 _mm256_castsi256_pd _mm256_slli_epi64
    _mm256_srli_epi64 _mm256_add_epi64 _mm256_sub_epi64 parted_f64 laced_f64 later_f64);

/// The even and the odd places: instructions work within halves, so that the middle quarters change places.
///
/// # Safety
/// The machine has AVX2; so of those below.
#[inline(always)]
unsafe fn parted_f32(a: __m256, b: __m256) -> (__m256, __m256) {
    // SAFETY: the caller's promise.
    unsafe {
        let whole = |x: __m256| {
            _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(_mm256_castps_pd(x)))
        };
        (
            whole(_mm256_shuffle_ps::<0b10_00_10_00>(a, b)),
            whole(_mm256_shuffle_ps::<0b11_01_11_01>(a, b)),
        )
    }
}

#[inline(always)]
unsafe fn laced_f32(a: __m256, b: __m256) -> (__m256, __m256) {
    // SAFETY: the caller's promise.
    unsafe {
        let (low, high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        (_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high))
    }
}

#[inline(always)]
unsafe fn parted_f64(a: __m256d, b: __m256d) -> (__m256d, __m256d) {
    // SAFETY: the caller's promise.
    unsafe {
        let whole = |x: __m256d| _mm256_permute4x64_pd::<0b11_01_10_00>(x);
        (whole(_mm256_unpacklo_pd(a, b)), whole(_mm256_unpackhi_pd(a, b)))
    }
}

#[inline(always)]
unsafe fn laced_f64(a: __m256d, b: __m256d) -> (__m256d, __m256d) {
    // SAFETY: the caller's promise.
    unsafe {
        let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        (_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high))
    }
}

#[inline(always)]
unsafe fn later_f32(x: __m256, width: usize) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe {
        match width {
            4 => _mm256_permute2f128_ps::<0x01>(x, x),
            2 => _mm256_permute_ps::<0b11_10>(x),
            _ => _mm256_permute_ps::<0b01>(x),
        }
    }
}

#[inline(always)]
unsafe fn later_f64(x: __m256d, width: usize) -> __m256d {
    // SAFETY: the caller's promise.
    unsafe {
        match width {
            2 => _mm256_permute2f128_pd::<0x01>(x, x),
            _ => _mm256_permute_pd::<0b01>(x),
        }
    }
}
