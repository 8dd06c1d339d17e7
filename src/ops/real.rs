//! Functions of real numbers that the standard library does not have.

use super::series;
use std::f64::consts::PI;

/// The special functions, for both float types.
pub trait Real: Sized + Copy {
    /// `1 / (1 + e⁻ˣ)`, without overflow.
    fn sigmoid(self) -> Self;
    /// `ln(1 + eˣ)`, without overflow.
    fn softplus(self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// 1 less the error function.
    fn erfc(self) -> Self;
    /// `e^(x²) erfc(x)`, without underflow.
    fn erfcx(self) -> Self;
    /// `ln erfc(x)`, without underflow.
    fn log_erfc(self) -> Self;
    /// The inverse of the error function.
    fn erfinv(self) -> Self;
    /// `ln |Γ(x)|`.
    fn lgamma(self) -> Self;
    /// The logarithmic derivative of Γ.
    fn digamma(self) -> Self;
    /// The derivative of digamma of order `order`.
    fn polygamma(order: Self, x: Self) -> Self;
    /// `sin(x) / x`, 1 at 0.
    fn sinc(self) -> Self;
    /// The derivative of sinc of order `order`.
    fn polysinc(order: Self, x: Self) -> Self;
    /// `(eˣ - 1) / x`, 1 at 0.
    fn exprel(self) -> Self;
    /// The derivative of exprel of order `order`.
    fn polyexprel(order: Self, x: Self) -> Self;
    /// `x / (eˣ - 1)`, 1 at 0.
    fn rexprel(self) -> Self;
    /// The derivative of rexprel of order `order`.
    fn polyrexprel(order: Self, x: Self) -> Self;
    /// -1, 0 or 1; NaN of NaN.
    fn sign(self) -> Self;
    /// The larger; NaN where one is NaN.
    fn larger(self, other: Self) -> Self;
    /// The smaller; NaN where one is NaN.
    fn smaller(self, other: Self) -> Self;
    /// The remainder with the sign of the divisor.
    fn modulo(self, divisor: Self) -> Self;
    /// `ln(eˣ + eʸ)`, without overflow.
    fn logaddexp(self, other: Self) -> Self;
}

macro_rules! real {
    ($type:ident, $erf:path, $erfc:path) => {
        impl Real for $type {
            fn sigmoid(self) -> Self {
                let e = (-self.abs()).exp();
                if self >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
            }
            fn softplus(self) -> Self {
                self.larger(0.0) + (-self.abs()).exp().ln_1p()
            }
            fn erf(self) -> Self {
                $erf(self)
            }
            fn erfc(self) -> Self {
                $erfc(self)
            }
            fn erfcx(self) -> Self {
                erfcx(f64::from(self)) as $type
            }
            fn log_erfc(self) -> Self {
                log_erfc(f64::from(self)) as $type
            }
            fn erfinv(self) -> Self {
                erfinv(f64::from(self)) as $type
            }
            fn lgamma(self) -> Self {
                libm::lgamma(f64::from(self)) as $type
            }
            fn digamma(self) -> Self {
                digamma(f64::from(self)) as $type
            }
            fn polygamma(order: Self, x: Self) -> Self {
                polygamma(f64::from(order), f64::from(x)) as $type
            }
            fn sinc(self) -> Self {
                if self == 0.0 { 1.0 } else { self.sin() / self }
            }
            fn polysinc(order: Self, x: Self) -> Self {
                let (order, x) = (f64::from(order), f64::from(x));
                let value = |order| series::sinc(order, x, x.sin(), x.cos());
                series::order(order).map_or(f64::NAN, value) as $type
            }
            fn exprel(self) -> Self {
                match self {
                    0.0 => 1.0,
                    $type::INFINITY => self,
                    _ => self.exp_m1() / self,
                }
            }
            fn polyexprel(order: Self, x: Self) -> Self {
                let (order, x) = (f64::from(order), f64::from(x));
                let value = |order| series::exprel(order, x, x.exp());
                series::order(order).map_or(f64::NAN, value) as $type
            }
            fn rexprel(self) -> Self {
                match self {
                    0.0 => 1.0,
                    $type::INFINITY => 0.0,
                    x if x > 0.0 => x * (-x).exp() / -(-x).exp_m1(),
                    x => x / x.exp_m1(),
                }
            }
            fn polyrexprel(order: Self, x: Self) -> Self {
                let (order, x) = (f64::from(order), f64::from(x));
                let value = |order| series::rexprel(order, x, (-x.abs()).exp());
                series::order(order).map_or(f64::NAN, value) as $type
            }
            fn sign(self) -> Self {
                if self == 0.0 || self.is_nan() { self } else { self.signum() }
            }
            fn larger(self, other: Self) -> Self {
                if self.is_nan() || other.is_nan() { $type::NAN } else { self.max(other) }
            }
            fn smaller(self, other: Self) -> Self {
                if self.is_nan() || other.is_nan() { $type::NAN } else { self.min(other) }
            }
            fn modulo(self, divisor: Self) -> Self {
                let rest = self % divisor;
                if rest != 0.0 && (rest < 0.0) != (divisor < 0.0) { rest + divisor } else { rest }
            }
            fn logaddexp(self, other: Self) -> Self {
                let high = self.larger(other);
                if high.is_infinite() { high } else { high + (-(self - other).abs()).exp().ln_1p() }
            }
        }
    };
}
real!(f32, libm::erff, libm::erfcf);
real!(f64, libm::erf, libm::erfc);

/// `e^(x²) erfc(x)`; far out by its continued fraction, from the end [DLMF 7.9.1].
fn erfcx(x: f64) -> f64 {
    match x {
        ..-27.0 => f64::INFINITY,
        ..2.0 => {
            let square = x * x;
            // What the square lost in rounding would be lost 2x² times by the exponential.
            square.exp() * (1.0 + x.mul_add(x, -square)) * libm::erfc(x)
        }
        _ => {
            let terms = 20 + (200.0 / (x * x)) as u32;
            let tail = (1..=terms).rev().fold(x, |tail, k| x + f64::from(k) / 2.0 / tail);
            1.0 / (PI.sqrt() * tail)
        }
    }
}

/// `ln erfc(x)`.
fn log_erfc(x: f64) -> f64 {
    match x {
        -0.5..0.5 => (-libm::erf(x)).ln_1p(),
        ..2.0 => libm::erfc(x).ln(),
        _ => erfcx(x).ln() - x * x,
    }
}

/// Giles' approximation, then two steps of Newton.
fn erfinv(y: f64) -> f64 {
    if !(-1.0..=1.0).contains(&y) {
        return f64::NAN;
    }
    if y.abs() == 1.0 {
        return f64::INFINITY.copysign(y);
    }
    let w = -((1.0 - y) * (1.0 + y)).ln();
    let polynomial =
        |coefficients: [f64; 9], at: f64| coefficients.iter().fold(0.0, |sum, c| sum * at + c);
    let mut x = y * if w < 5.0 {
        polynomial(
            [
                2.81022636e-08,
                3.43273939e-07,
                -3.5233877e-06,
                -4.39150654e-06,
                0.00021858087,
                -0.00125372503,
                -0.00417768164,
                0.246640727,
                1.50140941,
            ],
            w - 2.5,
        )
    } else {
        polynomial(
            [
                -0.000200214257,
                0.000100950558,
                0.00134934322,
                -0.00367342844,
                0.00573950773,
                -0.0076224613,
                0.00943887047,
                1.00167406,
                2.83297682,
            ],
            w.sqrt() - 3.0,
        )
    };
    for _ in 0..2 {
        // Towards 1 what is missing is told exactly, not what is there.
        let error = if y > 0.5 {
            (1.0 - y) - libm::erfc(x)
        } else if y < -0.5 {
            libm::erfc(-x) - (1.0 + y)
        } else {
            libm::erf(x) - y
        };
        let slope = 2.0 / PI.sqrt() * (-x * x).exp();
        if slope > 0.0 {
            x -= error / slope;
        }
    }
    x
}

/// By recurrence up to 10, then the asymptotic series; by reflection below 0. Poles are NaN.
fn digamma(x: f64) -> f64 {
    if x <= 0.0 {
        if x.fract() == 0.0 {
            return f64::NAN;
        }
        return digamma(1.0 - x) - PI / (PI * x).tan();
    }
    let (mut x, mut sum) = (x, 0.0);
    while x < 10.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = [
        1.0 / 12.0,
        -691.0 / 32760.0,
        1.0 / 132.0,
        -1.0 / 240.0,
        1.0 / 252.0,
        -1.0 / 120.0,
        1.0 / 12.0,
    ];
    sum + x.ln() - 0.5 / x - square * series.iter().fold(0.0, |tail, c| tail * square + c)
}

/// `(-1)ⁿ⁺¹ n! Σ 1 / (x + k)ⁿ⁺¹`, the tail by Euler and Maclaurin. For x > 0; NaN elsewhere and for orders that are no whole numbers.
fn polygamma(order: f64, x: f64) -> f64 {
    if order == 0.0 {
        return digamma(x);
    }
    if order < 0.0 || order.fract() != 0.0 || order > 100.0 || x <= 0.0 || x.is_nan() {
        return f64::NAN;
    }
    let power = order + 1.0;
    let (mut x, mut sum) = (x, 0.0);
    while x < 20.0 + order {
        sum += x.powf(-power);
        x += 1.0;
    }
    sum += x.powf(-order) / order + 0.5 * x.powf(-power);
    let bernoulli = [1.0 / 6.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 5.0 / 66.0, -691.0 / 2730.0];
    let mut factor = power * x.powf(-power - 1.0) / 2.0;
    for (place, number) in bernoulli.iter().enumerate() {
        sum += number * factor;
        let next = 2.0 * (place as f64 + 1.0);
        factor *= (power + next - 1.0) * (power + next) / ((next + 1.0) * (next + 2.0) * x * x);
    }
    let sign = if order % 2.0 == 0.0 { -1.0 } else { 1.0 };
    sign * libm::tgamma(power) * sum
}
