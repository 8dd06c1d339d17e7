//! Vectors of 512 bits.

use super::lanes::{Lanes, Simd};
use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The level of AVX-512 F and DQ.
#[derive(Clone, Copy)]
pub struct Avx512;

impl Simd for Avx512 {
    type F32 = F32x16;
    type F64 = F64x8;
    const ROWS: usize = 12;
}

/// 16 numbers.
#[derive(Clone, Copy)]
pub struct F32x16(__m512);
/// 8 numbers.
#[derive(Clone, Copy)]
pub struct F64x8(__m512d);

// SAFETY, for every block in this macro: these vectors occur only in tasks that run at the level, which `dispatch` enters
// only where the machine has its instructions; pointers are the caller's promise.
macro_rules! lanes {
    ($name:ident($raw:ident) $type:ident $mask:ident $count:literal;
     $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $fma:ident $sqrt:ident $abs:ident
     $and:ident $andnot:ident $or:ident $xor:ident $max:ident $min:ident $round:ident $compare:ident $blend:ident
     $scale:ident $mantissa:ident $exponent:ident $masked_load:ident $masked_store:ident
     $from_both:ident $places:ident $place:ident $later:ident) => {
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
        impl Lanes for $name {
            type Element = $type;
            type Mask = $mask;
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
                unsafe { $name($abs(self.0)) }
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
            fn lt(self, other: Self) -> $mask {
                unsafe { $compare::<_CMP_LT_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn le(self, other: Self) -> $mask {
                unsafe { $compare::<_CMP_LE_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn eq(self, other: Self) -> $mask {
                unsafe { $compare::<_CMP_EQ_OQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn ne(self, other: Self) -> $mask {
                unsafe { $compare::<_CMP_NEQ_UQ>(self.0, other.0) }
            }
            #[inline(always)]
            fn pick(mask: $mask, yes: Self, no: Self) -> Self {
                unsafe { $name($blend(mask, no.0, yes.0)) }
            }
            #[inline(always)]
            fn any(mask: $mask) -> bool {
                mask != 0
            }
            #[inline(always)]
            fn scale(self, n: Self) -> Self {
                unsafe { $name($scale(self.0, n.0)) }
            }
            #[inline(always)]
            fn split(self) -> (Self, Self) {
                unsafe {
                    let m = $mantissa::<_MM_MANT_NORM_P75_1P5, _MM_MANT_SIGN_SRC>(self.0);
                    ($name(m), $name($sub($exponent(self.0), $exponent(m))))
                }
            }
            #[inline(always)]
            fn parted(self, other: Self) -> (Self, Self) {
                let even: [$place; $count] = std::array::from_fn(|i| 2 * i as $place);
                let odd: [$place; $count] = std::array::from_fn(|i| 2 * i as $place + 1);
                unsafe {
                    let [even, odd] = [even, odd].map(|places| $places(places.as_ptr().cast()));
                    ($name($from_both(self.0, even, other.0)), $name($from_both(self.0, odd, other.0)))
                }
            }
            #[inline(always)]
            fn later(self, width: usize) -> Self {
                $name(unsafe { $later(self.0, width) })
            }
            #[inline(always)]
            fn laced(self, other: Self) -> (Self, Self) {
                let of = |i: usize| (i / 2 + i % 2 * $count) as $place;
                let low: [$place; $count] = std::array::from_fn(of);
                let high: [$place; $count] = std::array::from_fn(|i| of(i + $count));
                unsafe {
                    let [low, high] = [low, high].map(|places| $places(places.as_ptr().cast()));
                    ($name($from_both(self.0, low, other.0)), $name($from_both(self.0, high, other.0)))
                }
            }
            #[inline(always)]
            unsafe fn load_some(from: *const $type, count: usize, behind: Self) -> Self {
                unsafe { $name($masked_load(behind.0, ((1u32 << count) - 1) as $mask, from)) }
            }
            #[inline(always)]
            unsafe fn store_some(self, to: *mut $type, count: usize) {
                unsafe { $masked_store(to, ((1u32 << count) - 1) as $mask, self.0) }
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
lanes!(F32x16(__m512) f32 __mmask16 16;
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps _mm512_fmadd_ps
    _mm512_sqrt_ps _mm512_abs_ps _mm512_and_ps _mm512_andnot_ps _mm512_or_ps _mm512_xor_ps _mm512_max_ps _mm512_min_ps
    _mm512_roundscale_ps _mm512_cmp_ps_mask _mm512_mask_blend_ps _mm512_scalef_ps _mm512_getmant_ps _mm512_getexp_ps
    _mm512_mask_loadu_ps _mm512_mask_storeu_ps _mm512_permutex2var_ps _mm512_loadu_si512 i32 later_f32);
lanes!(F64x8(__m512d) f64 __mmask8 8;
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd _mm512_fmadd_pd
    _mm512_sqrt_pd _mm512_abs_pd _mm512_and_pd _mm512_andnot_pd _mm512_or_pd _mm512_xor_pd _mm512_max_pd _mm512_min_pd
    _mm512_roundscale_pd _mm512_cmp_pd_mask _mm512_mask_blend_pd _mm512_scalef_pd _mm512_getmant_pd _mm512_getexp_pd
    _mm512_mask_loadu_pd _mm512_mask_storeu_pd _mm512_permutex2var_pd _mm512_loadu_si512 i64 later_f64);

/// # Safety
/// The machine has AVX-512 F.
#[inline(always)]
unsafe fn later_f32(x: __m512, width: usize) -> __m512 {
    // SAFETY: the caller's promise.
    unsafe {
        match width {
            8 => _mm512_shuffle_f32x4::<0b11_10>(x, x),
            4 => _mm512_shuffle_f32x4::<0b01>(x, x),
            2 => _mm512_permute_ps::<0b11_10>(x),
            _ => _mm512_permute_ps::<0b01>(x),
        }
    }
}

/// # Safety
/// As above.
#[inline(always)]
unsafe fn later_f64(x: __m512d, width: usize) -> __m512d {
    // SAFETY: the caller's promise.
    unsafe {
        match width {
            4 => _mm512_shuffle_f64x2::<0b11_10>(x, x),
            2 => _mm512_shuffle_f64x2::<0b01>(x, x),
            _ => _mm512_permute_pd::<0b01>(x),
        }
    }
}
