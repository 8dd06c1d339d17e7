//! Elementary functions of vectors, by polynomials that every level shares.
//!
//! Errors are a few units in the last place at most; `tests/it/kernels/math.rs` states the bound of each. NaN, infinities,
//! zeros with their signs and subnormal numbers are as in the reference, whose functions `Math::Precise` uses.

pub(super) mod table;

use super::lanes::{Float, Lanes};
use table::Table;

/// Which functions a run uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Math {
    /// Polynomials over vectors, within a few units in the last place.
    #[default]
    Fast,
    /// The functions of the reference, one element at a time.
    Precise,
}

/// The polynomial with these coefficients, the constant one first.
#[inline(always)]
fn polynomial<L: Lanes>(coefficients: &[L::Element], x: L) -> L {
    let last = coefficients.len() - 1;
    let mut sum = L::splat(coefficients[last]);
    for &c in coefficients[..last].iter().rev() {
        sum = sum.mul_add(x, L::splat(c));
    }
    sum
}

/// `(n, eʳ - 1)` with `x = n ln 2 + r`, n whole, r small.
#[inline(always)]
fn reduced_exp<L: Lanes>(x: L) -> (L, L) {
    let magic = L::splat(L::Element::MAGIC);
    let n = x.mul_add(L::of(std::f64::consts::LOG2_E), magic) - magic;
    let r = (-n).mul_add(L::splat(L::Element::LN2.0), x);
    let r = (-n).mul_add(L::splat(L::Element::LN2.1), r);
    (n, (r * r).mul_add(polynomial(L::Element::EXP, r), r))
}

/// `eˣ`.
#[inline(always)]
pub(super) fn exp<L: Lanes>(x: L) -> L {
    decay(L::splat(L::Element::EXP_RANGE.1).min(x))
}

/// `eˣ` of x that is not beyond the upper end of `EXP_RANGE`.
#[inline(always)]
fn decay<L: Lanes>(x: L) -> L {
    let (n, q) = reduced_exp(L::splat(L::Element::EXP_RANGE.0).max(x));
    (q + L::of(1.0)).scale(n)
}

/// `eˣ - 1` of x that is not above 0, but for the sign of a zero.
#[inline(always)]
fn decay_minus_one<L: Lanes>(x: L) -> L {
    let (n, q) = reduced_exp(L::splat(L::Element::EXPM1_LOW).max(x));
    let (one, power) = (L::of(1.0), L::of(1.0).scale(n));
    power.mul_add(q, power - one)
}

/// `eˣ - 1`, exact near 0.
#[inline(always)]
pub(super) fn expm1<L: Lanes>(x: L) -> L {
    let (low, high) = (L::splat(L::Element::EXPM1_LOW), L::splat(L::Element::EXP_RANGE.1));
    let (n, q) = reduced_exp(high.min(low.max(x)));
    let one = L::of(1.0);
    (q + (one - one.scale(-n))).scale(n).copysign(x)
}

/// `ln(m 2ᵉ) + c` for small c and m in [0.75, 1.5): with `s = f / (2 + f)`, `ln(1 + f)` is `2 artanh s`.
#[inline(always)]
fn log_of_parts<L: Lanes>((m, e): (L, L), c: L) -> L {
    let f = m - L::of(1.0);
    let s = f / (L::of(2.0) + f);
    let z = s * s;
    let r = z * polynomial(L::Element::LOG, z);
    let half = L::of(0.5) * f * f;
    let low = e.mul_add(L::splat(L::Element::LN2.1), c);
    e.mul_add(L::splat(L::Element::LN2.0), f - (half - s.mul_add(half + r, low)))
}

/// The natural logarithm.
#[inline(always)]
pub(super) fn log<L: Lanes>(x: L) -> L {
    let (zero, infinity) = (L::of(0.0), L::of(f64::INFINITY));
    let y = L::pick(x.lt(infinity), log_of_parts(x.split(), zero), x);
    L::pick(x.le(zero), L::pick(x.eq(zero), -infinity, L::of(f64::NAN)), y)
}

/// `ln(1 + x)` of x from 0 on, finite.
#[inline(always)]
fn log1p_of_finite<L: Lanes>(x: L) -> L {
    let one = L::of(1.0);
    let u = one + x;
    let lost = L::pick(one.le(x), one - (u - x), x - (u - one));
    log_of_parts(u.split(), lost / u)
}

/// `ln(1 + x)`, exact near 0.
#[inline(always)]
pub(super) fn log1p<L: Lanes>(x: L) -> L {
    let (infinity, least) = (L::of(f64::INFINITY), L::of(-1.0));
    let y = L::pick(x.lt(infinity), log1p_of_finite(x).copysign(x), x);
    L::pick(x.le(least), L::pick(x.eq(least), -infinity, L::of(f64::NAN)), y)
}

/// The hyperbolic tangent.
#[inline(always)]
pub(super) fn tanh<L: Lanes>(x: L) -> L {
    let t = decay_minus_one(L::of(-2.0) * x.abs());
    (t / (t + L::of(2.0))).copysign(x)
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
pub(super) fn sigmoid<L: Lanes>(x: L) -> L {
    let (e, one) = (decay(-x.abs()), L::of(1.0));
    L::pick(x.lt(L::of(0.0)), e, one) / (one + e)
}

/// `ln(1 + eˣ)`.
#[inline(always)]
pub(super) fn softplus<L: Lanes>(x: L) -> L {
    L::of(0.0).max(x) + log1p_of_finite(decay(-x.abs()))
}

/// `ln(eˣ + eʸ)`.
#[inline(always)]
pub(super) fn logaddexp<L: Lanes>(x: L, y: L) -> L {
    let high = x.larger(y);
    let sum = high + log1p_of_finite(decay(-(x - y).abs()));
    L::pick(high.abs().eq(L::of(f64::INFINITY)), high, sum)
}

/// The error function: near 0 by a polynomial, from 1 on as `1 - e⁻ᵖ` with a polynomial p.
#[inline(always)]
pub(super) fn erf<L: Lanes>(x: L) -> L {
    let (t, s) = (x.abs(), x * x);
    let near = x.mul_add(polynomial(L::Element::ERF, s), x);
    let far = L::splat(L::Element::ERFC_HIGH).min(t);
    let p = far.mul_add(polynomial(L::Element::ERFC, far), far);
    let far = (L::of(1.0) - decay(-p)).copysign(x);
    L::pick(L::of(1.0).le(t), far, near)
}

/// The sine and the cosine of `x - n π/2`, and n modulo 4, the nearest whole number. Only for |x| below `Table::ANGLE`.
#[inline(always)]
fn quadrant<L: Lanes>(x: L) -> (L, L, L) {
    let n = (x * L::of(std::f64::consts::FRAC_2_PI)).nearest();
    let mut r = x;
    for &part in L::Element::HALF_PI {
        r = (-n).mul_add(L::splat(part), r);
    }
    let z = r * r;
    let sin = (z * r).mul_add(polynomial(L::Element::SIN, z), r);
    let cos = (z * z).mul_add(polynomial(L::Element::COS, z), L::of(1.0) - L::of(0.5) * z);
    (sin, cos, n - L::of(4.0) * (n * L::of(0.25)).floor())
}

/// Whether all angles are small enough for `quadrant`.
#[inline(always)]
fn near<L: Lanes>(x: L) -> bool {
    let beyond = L::pick(x.abs().lt(L::splat(L::Element::ANGLE)), L::of(0.0), L::of(1.0));
    !L::any(beyond.ne(L::of(0.0)))
}

/// The sine of the angle `turn` quadrants further.
#[inline(always)]
fn turned<L: Lanes>(x: L, turn: f64) -> L {
    let (sin, cos, n) = quadrant(x);
    let n = n + L::of(turn);
    let odd = n - L::of(2.0) * (n * L::of(0.5)).floor();
    let y = L::pick(odd.eq(L::of(0.0)), sin, cos);
    let down = L::pick(n.lt(L::of(4.0)), L::truth(L::of(2.0).le(n)), L::of(0.0));
    L::pick(down.eq(L::of(0.0)), y, -y)
}

/// The sine.
#[inline(always)]
pub(super) fn sin<L: Lanes>(x: L) -> L {
    if !near(x) {
        return x.each(f64::sin);
    }
    L::pick(x.eq(L::of(0.0)), x, turned(x, 0.0))
}

/// The cosine.
#[inline(always)]
pub(super) fn cos<L: Lanes>(x: L) -> L {
    if !near(x) {
        return x.each(f64::cos);
    }
    turned(x, 1.0)
}

/// The tangent.
#[inline(always)]
pub(super) fn tan<L: Lanes>(x: L) -> L {
    if !near(x) {
        return x.each(f64::tan);
    }
    let (sin, cos, n) = quadrant(x);
    let odd = n - L::of(2.0) * (n * L::of(0.5)).floor();
    let even = odd.eq(L::of(0.0));
    let y = L::pick(even, sin, -cos) / L::pick(even, cos, sin);
    L::pick(x.eq(L::of(0.0)), x, y)
}

/// The hyperbolic sine; beyond what `eˣ` reaches, by halves.
#[inline(always)]
pub(super) fn sinh<L: Lanes>(x: L) -> L {
    let t = expm1(x.abs());
    let near = L::of(0.5) * (t + t / (t + L::of(1.0)));
    L::pick(x.abs().lt(L::splat(L::Element::EXP_HALF)), near, half_exp(x)).copysign(x)
}

/// The hyperbolic cosine.
#[inline(always)]
pub(super) fn cosh<L: Lanes>(x: L) -> L {
    let e = exp(x.abs());
    let near = L::of(0.5) * (e + L::of(1.0) / e);
    L::pick(x.abs().lt(L::splat(L::Element::EXP_HALF)), near, half_exp(x))
}

/// Half of `e` to the power |x|, for large x.
#[inline(always)]
fn half_exp<L: Lanes>(x: L) -> L {
    let (n, q) =
        reduced_exp(L::splat(L::Element::EXP_RANGE.1 + L::Element::of_f64(1.0)).min(x.abs()));
    (q + L::of(1.0)).scale(n - L::of(1.0))
}
