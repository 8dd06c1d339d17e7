//! Numbers of about 31 digits, as sums of two f64, with the functions of single elements.

use super::special;
use crate::ops::field::Field;
use crate::ops::{Scalar, series};
use std::cmp::Ordering;
use twofloat::TwoFloat;

/// A sum of two f64 that do not overlap; infinities and NaN are the first of them.
#[derive(Clone, Copy, Debug)]
pub struct Double(TwoFloat);

impl From<f64> for Double {
    fn from(value: f64) -> Double {
        Double(TwoFloat::from(value))
    }
}

/// A whole number.
pub fn whole(value: i128) -> Double {
    let high = value as f64;
    let rest = value.saturating_sub(high as i128);
    Double::of(high, rest as f64)
}

macro_rules! arithmetic {
    ($($trait:ident $method:ident $symbol:tt)*) => {$(
        impl std::ops::$trait for Double {
            type Output = Double;
            fn $method(self, other: Double) -> Double {
                let plain = self.high() $symbol other.high();
                let both = self.high().is_finite() && other.high().is_finite();
                match both && plain.is_finite() {
                    true => Double(self.0 $symbol other.0),
                    false => Double::from(plain),
                }
            }
        }
    )*};
}
arithmetic! { Add add + Sub sub - Mul mul * }

impl std::ops::Div for Double {
    type Output = Double;
    /// Long division: the crate's own quotient has the digits of one f64 only.
    fn div(self, other: Double) -> Double {
        let first = self.high() / other.high();
        if !first.is_finite() || first == 0.0 || !other.high().is_finite() {
            return Double::from(first);
        }
        let (mut rest, mut quotient) = (self, Double::from(0.0));
        for _ in 0..3 {
            let digits = Double::from(rest.high() / other.high());
            rest = rest - digits * other;
            quotient += digits;
        }
        quotient
    }
}

impl std::ops::Neg for Double {
    type Output = Double;
    fn neg(self) -> Double {
        Double(-self.0)
    }
}

impl std::ops::AddAssign for Double {
    fn add_assign(&mut self, other: Double) {
        *self = *self + other;
    }
}

impl PartialEq for Double {
    fn eq(&self, other: &Double) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Double {
    fn partial_cmp(&self, other: &Double) -> Option<Ordering> {
        let rest = || self.low().partial_cmp(&other.low()).unwrap_or(Ordering::Equal);
        self.high().partial_cmp(&other.high()).map(|order| order.then_with(rest))
    }
}

impl Field for Double {
    fn abs(self) -> Double {
        Double::abs(self)
    }

    fn sqrt(self) -> Double {
        Double::sqrt(self)
    }

    fn ln(self) -> Double {
        Double::ln(self)
    }

    fn is_nan(self) -> bool {
        self.high().is_nan()
    }
}

impl Double {
    /// The sum of two numbers.
    pub fn of(high: f64, low: f64) -> Double {
        if high.is_finite() { Double(TwoFloat::new_add(high, low)) } else { Double::from(high) }
    }

    /// The nearest f64.
    pub fn high(self) -> f64 {
        self.0.hi()
    }

    /// What is left.
    pub fn low(self) -> f64 {
        if self.high().is_finite() { self.0.lo() } else { 0.0 }
    }

    /// The absolute value.
    pub fn abs(self) -> Double {
        if self.high() < 0.0 { -self } else { self }
    }

    /// The exponential: by the series at a 1024th of what the powers of 2 leave.
    pub fn exp(self) -> Double {
        let plain = self.high().exp();
        if !plain.is_finite() || plain == 0.0 {
            return Double::from(plain);
        }
        let count = (self.high() / std::f64::consts::LN_2).round();
        let rest = (self - ln2() * Double::from(count)) / Double::from(1024.0);
        let mut term = rest;
        let mut less_one = rest;
        for number in 2..10 {
            term = term * rest / Double::from(f64::from(number));
            less_one += term;
        }
        // (1 + u)^2 - 1 is u * (2 + u): nothing cancels.
        for _ in 0..10 {
            less_one = less_one * (Double::from(2.0) + less_one);
        }
        let half = (count / 2.0).trunc();
        let scale = |by: f64| Double::from(by.exp2());
        (less_one + Double::from(1.0)) * scale(half) * scale(count - half)
    }

    fn exp_less_one(self) -> Double {
        if self.high().abs() > 0.25 {
            return self.exp() - Double::from(1.0);
        }
        let (mut term, mut sum) = (self, self);
        for number in 2..30 {
            term = term * self / Double::from(f64::from(number));
            sum += term;
        }
        sum
    }

    /// The natural logarithm: Newton's steps on `exp`.
    pub fn ln(self) -> Double {
        let plain = self.high().ln();
        if !plain.is_finite() {
            return Double::from(plain);
        }
        let mut y = Double::from(plain);
        for _ in 0..2 {
            y += self * (-y).exp() - Double::from(1.0);
        }
        y
    }

    /// `ln(1 + x)`.
    pub fn ln_one_more(self) -> Double {
        let plain = self.high().ln_1p();
        if !plain.is_finite() || plain == 0.0 {
            return Double::from(plain);
        }
        let mut y = Double::from(plain);
        for _ in 0..2 {
            // exp(y) - 1 = x, by Newton's steps that stay exact near 0.
            let reached = y.exp_less_one();
            y += (self - reached) / (reached + Double::from(1.0));
        }
        y
    }

    /// The square root.
    pub fn sqrt(self) -> Double {
        let plain = self.high().sqrt();
        if !plain.is_finite() || plain == 0.0 { Double::from(plain) } else { Double(self.0.sqrt()) }
    }

    /// The next whole number below.
    fn floor(self) -> Double {
        let high = self.high().floor();
        if high == self.high() { Double::of(high, self.low().floor()) } else { Double::from(high) }
    }

    fn sigmoid(self) -> Double {
        let one = Double::from(1.0);
        if self.high() < 0.0 {
            self.exp() / (one + self.exp())
        } else {
            one / (one + (-self).exp())
        }
    }

    fn softplus(self) -> Double {
        let tail = (-self.abs()).exp().ln_one_more();
        if self.high() > 0.0 { self + tail } else { tail }
    }

    fn tanh(self) -> Double {
        let fall = (-(self.abs() + self.abs())).exp_less_one();
        let value = -fall / (fall + Double::from(2.0));
        if self.high() < 0.0 { -value } else { value }
    }

    /// The sine and the cosine, by their series at a 256th of what the whole turns leave.
    pub fn sine(self) -> (Double, Double) {
        let turn = pi() + pi();
        let count = (self.high() / turn.high()).round();
        let x = (self - turn * Double::from(count)) / Double::from(256.0);
        let square = x * x;
        let (mut term, mut sine) = (x, x);
        for number in 1..10 {
            let number = f64::from(number);
            term = -term * square / Double::from(2.0 * number * (2.0 * number + 1.0));
            sine += term;
        }
        let (mut term, mut less) = (Double::from(1.0), Double::from(0.0));
        for number in 1..10 {
            let number = f64::from(number);
            term = -term * square / Double::from((2.0 * number - 1.0) * 2.0 * number);
            less += term;
        }
        // sin 2x = 2 sin x cos x; cos 2x - 1 = -2 sin^2 x.
        let (one, two) = (Double::from(1.0), Double::from(2.0));
        for _ in 0..8 {
            let doubled = two * sine * (less + one);
            less = -(two * sine * sine);
            sine = doubled;
        }
        (sine, less + one)
    }
}

fn ln2() -> Double {
    Double::of(std::f64::consts::LN_2, 2.319_046_813_846_299_6e-17)
}

/// Half of the circumference.
pub fn pi() -> Double {
    Double::of(std::f64::consts::PI, 1.224_646_799_147_353_2e-16)
}

/// A comparison of two numbers; `None` where the row is none.
pub fn compare(row: Scalar, a: Double, b: Double) -> Option<bool> {
    let order = a.partial_cmp(&b);
    Some(match row {
        Scalar::Eq => order.is_some_and(|order| order.is_eq()),
        Scalar::Ne => order.is_none_or(|order| order.is_ne()),
        Scalar::Lt => order.is_some_and(|order| order.is_lt()),
        Scalar::Le => order.is_some_and(|order| order.is_le()),
        Scalar::Gt => order.is_some_and(|order| order.is_gt()),
        Scalar::Ge => order.is_some_and(|order| order.is_ge()),
        _ => return None,
    })
}

/// The value of a row; `None` for rows that are known in f64 only.
pub fn scalar(row: Scalar, x: &[Double]) -> Option<Double> {
    let (one, two) = (Double::from(1.0), Double::from(2.0));
    if x.iter().any(|x| x.high().is_nan()) {
        return Some(Double::from(f64::NAN));
    }
    let less = |a: Double, b: Double| compare(Scalar::Lt, a, b) == Some(true);
    Some(match (row, x) {
        (Scalar::Add, &[a, b]) => a + b,
        (Scalar::Sub, &[a, b]) => a - b,
        (Scalar::Mul, &[a, b]) => a * b,
        (Scalar::Div, &[a, b]) => a / b,
        (Scalar::Neg, &[x]) => -x,
        (Scalar::Square, &[x]) => x * x,
        (Scalar::Abs, &[x]) => x.abs(),
        (Scalar::Sign, &[x]) if x.high() == 0.0 => Double::from(0.0),
        (Scalar::Sign, &[x]) => Double::from(x.high().signum()),
        (Scalar::Relu, &[x]) => {
            if less(x, Double::from(0.0)) {
                Double::from(0.0)
            } else {
                x
            }
        }
        (Scalar::Maximum, &[a, b]) => {
            if less(a, b) {
                b
            } else {
                a
            }
        }
        (Scalar::Minimum, &[a, b]) => {
            if less(b, a) {
                b
            } else {
                a
            }
        }
        (Scalar::Exp, &[x]) => x.exp(),
        (Scalar::Expm1, &[x]) => x.exp_less_one(),
        (Scalar::Log, &[x]) => x.ln(),
        (Scalar::Log1p, &[x]) => x.ln_one_more(),
        (Scalar::Sqrt, &[x]) => x.sqrt(),
        (Scalar::Rsqrt, &[x]) => one / x.sqrt(),
        (Scalar::Sigmoid, &[x]) => x.sigmoid(),
        (Scalar::Softplus, &[x]) => x.softplus(),
        (Scalar::Tanh, &[x]) => x.tanh(),
        (Scalar::Sinh, &[x]) => (x.exp_less_one() - (-x).exp_less_one()) / two,
        (Scalar::Cosh, &[x]) => (x.exp() + (-x).exp()) / two,
        (Scalar::Logaddexp, &[a, b]) => {
            let (low, high) = if less(a, b) { (a, b) } else { (b, a) };
            high + (low - high).exp().ln_one_more()
        }
        (Scalar::Sin, &[x]) if x.high().abs() < 1e6 => x.sine().0,
        (Scalar::Cos, &[x]) if x.high().abs() < 1e6 => x.sine().1,
        (Scalar::Tan, &[x]) if x.high().abs() < 1e6 => x.sine().0 / x.sine().1,
        (Scalar::Asinh, &[x]) => {
            let size = x.abs();
            let value = (size + size * size / (one + (one + size * size).sqrt())).ln_one_more();
            if x.high() < 0.0 { -value } else { value }
        }
        (Scalar::Atanh, &[x]) => ((two * x) / (one - x)).ln_one_more() / two,
        (Scalar::Asin, &[x]) => special::angle(x, special::other_leg(x)),
        (Scalar::Acos, &[x]) => special::angle(special::other_leg(x), x),
        (Scalar::Atan, &[x]) if x.high().is_finite() => special::angle(x, one),
        (Scalar::Atan2, &[y, x]) => special::angle(y, x),
        (Scalar::Acosh, &[x]) => {
            let more = x - one;
            (more + (more * (two + more)).sqrt()).ln_one_more()
        }
        (Scalar::Sqrt1pm1, &[x]) if x.high().is_finite() => x / ((one + x).sqrt() + one),
        (Scalar::Erf, &[x]) => special::erf(x),
        (Scalar::Erfc, &[x]) => special::erfc(x),
        (Scalar::Erfcx, &[x]) if x.high().is_finite() => special::erfcx(x),
        (Scalar::Rerfcx, &[x]) if x.high().is_finite() => one / special::erfcx(x),
        (Scalar::LogErfc, &[x]) if x.high().is_finite() => special::log_erfc(x),
        (Scalar::Erfinv, &[y]) => special::erfinv(y, row.at(&[y.high()])?),
        (Scalar::Lgamma, &[x]) if x.high().is_finite() => special::lgamma(x),
        (Scalar::Digamma, &[x]) if x.high().is_finite() => special::digamma(x),
        (Scalar::Polygamma, &[n, x]) => special::polygamma(n.high(), x)?,
        (Scalar::Sinc | Scalar::Exprel | Scalar::Rexprel, &[x]) if x.high() == 0.0 => one,
        (Scalar::Sinc, &[x]) => x.sine().0 / x,
        (Scalar::Exprel, &[x]) => x.exp_less_one() / x,
        (Scalar::Rexprel, &[x]) if x.high() > 0.0 => x * (-x).exp() / -(-x).exp_less_one(),
        (Scalar::Rexprel, &[x]) => x / x.exp_less_one(),
        (Scalar::Polysinc, &[n, x]) => {
            let (sine, cosine) = x.sine();
            series::sinc(series::order(n.high())?, x, sine, cosine)
        }
        (Scalar::Polyrexprel, &[n, x]) => {
            series::rexprel(series::order(n.high())?, x, (-x.abs()).exp())
        }
        (Scalar::Polyexprel, &[n, x]) => series::exprel(series::order(n.high())?, x, x.exp()),
        (Scalar::Xlogx, &[x]) if x.high() != 0.0 => x * x.ln(),
        (Scalar::Xlogy, &[x, y]) if x.high() != 0.0 => x * y.ln(),
        (Scalar::RelEntr, &[x, y]) if x.high() != 0.0 => x * (x / y).ln(),
        (Scalar::Powlog, &[x, n]) if x.high() != 0.0 => scalar(Scalar::Pow, &[x, n])? * x.ln(),
        (Scalar::Mod, &[x, y]) => x - y * (x / y).floor(),
        (Scalar::Pow, &[x, y]) if x.high() != 0.0 && y.high().is_finite() => {
            let is_whole = y.low() == 0.0 && y.high().fract() == 0.0;
            if is_whole && y.high().abs() <= 64.0 {
                let power = (0..y.high().abs() as u32).fold(one, |power, _| power * x);
                if y.high() < 0.0 { one / power } else { power }
            } else if x.high() > 0.0 {
                (y * x.ln()).exp()
            } else if is_whole {
                let size = (y * (-x).ln()).exp();
                if y.high() % 2.0 == 0.0 { size } else { -size }
            } else {
                Double::from(f64::NAN)
            }
        }
        (Scalar::Floor, &[x]) => x.floor(),
        (Scalar::Ceil, &[x]) => -(-x).floor(),
        (Scalar::Trunc, &[x]) if x.high() < 0.0 => -(-x).floor(),
        (Scalar::Trunc, &[x]) => x.floor(),
        (Scalar::Round, &[x]) if x.low() != 0.0 => (x + Double::from(0.5)).floor(),
        (Scalar::Round, &[x]) => Double::from(row.at(&[x.high()])?),
        // Where the first operand is 0, conventions and limits give numbers that f64 has.
        (
            Scalar::Xlogx | Scalar::Xlogy | Scalar::RelEntr | Scalar::Powlog | Scalar::Pow,
            [first, ..],
        ) if first.high() == 0.0 => {
            Double::from(row.at(&x.iter().map(|x| x.high()).collect::<Vec<_>>())?)
        }
        _ => return None,
    })
}
