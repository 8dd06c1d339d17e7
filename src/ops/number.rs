//! Constants of the language: exact fractions, else the bits of an f64.

use num_rational::Ratio;
use num_traits::{CheckedAdd, CheckedDiv, CheckedMul, CheckedSub, Signed, Zero};
use std::fmt;

/// A number as it is written, rounded only when it meets an element type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Number {
    /// An exact fraction whose numerator and denominator are below 2^53.
    Exact(Ratio<i64>),
    /// The bits of an f64 that no such fraction stands for: infinities, NaN, -0, very large, small or long numbers; π and e,
    /// which are to stay what they are.
    Bits(u64),
}

const LIMIT: i128 = 1 << 53;

impl Number {
    /// Zero.
    pub const ZERO: Number = Number::Exact(Ratio::new_raw(0, 1));
    /// One.
    pub const ONE: Number = Number::Exact(Ratio::new_raw(1, 1));

    /// The integer `value`.
    pub fn int(value: i64) -> Number {
        Number::fraction(Ratio::from_integer(i128::from(value)))
    }

    /// `numerator / denominator`; the denominator is not 0.
    pub fn ratio(numerator: i64, denominator: i64) -> Number {
        Number::fraction(Ratio::new(i128::from(numerator), i128::from(denominator)))
    }

    fn fraction(ratio: Ratio<i128>) -> Number {
        let small = |v: &i128| (-LIMIT..=LIMIT).contains(v);
        if small(ratio.numer()) && small(ratio.denom()) {
            Number::Exact(Ratio::new_raw(*ratio.numer() as i64, *ratio.denom() as i64))
        } else {
            Number::float(*ratio.numer() as f64 / *ratio.denom() as f64)
        }
    }

    /// The number whose shortest decimal form is that of `value`.
    pub fn float(value: f64) -> Number {
        let named = [std::f64::consts::PI, std::f64::consts::E].contains(&value.abs());
        if !value.is_finite() || (value == 0.0 && value.is_sign_negative()) || named {
            return Number::Bits(if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() });
        }
        decimal(&format!("{value:e}")).unwrap_or(Number::Bits(value.to_bits()))
    }

    /// The number written as `text`: digits, perhaps a fraction and an exponent.
    pub fn parse(text: &str) -> Option<Number> {
        decimal(text).or_else(|| text.parse().ok().map(|v: f64| Number::Bits(v.to_bits())))
    }

    /// The value rounded to f64.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Exact(ratio) => *ratio.numer() as f64 / *ratio.denom() as f64,
            Number::Bits(bits) => f64::from_bits(bits),
        }
    }

    /// The value where it is an integer that fits.
    pub fn to_i64(self) -> Option<i64> {
        match self {
            Number::Exact(ratio) if ratio.is_integer() => Some(*ratio.numer()),
            _ => None,
        }
    }

    /// Whether it is an exact 0.
    pub fn is_zero(self) -> bool {
        self == Number::ZERO
    }

    /// Whether it is exactly 1.
    pub fn is_one(self) -> bool {
        self == Number::ONE
    }

    /// Whether it is below 0.
    pub fn is_negative(self) -> bool {
        match self {
            Number::Exact(ratio) => ratio.is_negative(),
            Number::Bits(bits) => {
                f64::from_bits(bits).is_sign_negative() && !f64::from_bits(bits).is_nan()
            }
        }
    }

    /// Numerator and denominator of an exact number.
    pub fn parts(self) -> Option<(i128, i128)> {
        match self {
            Number::Exact(ratio) => Some((i128::from(*ratio.numer()), i128::from(*ratio.denom()))),
            Number::Bits(_) => None,
        }
    }

    fn exactly(
        self,
        other: Number,
        exact: impl Fn(&Ratio<i128>, &Ratio<i128>) -> Option<Ratio<i128>>,
        float: impl Fn(f64, f64) -> f64,
    ) -> Number {
        let wide = |ratio: Ratio<i64>| {
            Ratio::new_raw(i128::from(*ratio.numer()), i128::from(*ratio.denom()))
        };
        if let (Number::Exact(a), Number::Exact(b)) = (self, other)
            && let Some(ratio) = exact(&wide(a), &wide(b))
        {
            return Number::fraction(ratio);
        }
        Number::float(float(self.to_f64(), other.to_f64()))
    }

    /// The power with an integer exponent, exact where it can be; `None` for other exponents.
    pub fn pow(self, exponent: Number) -> Option<Number> {
        let exponent = i32::try_from(exponent.to_i64()?).ok()?;
        if exponent < 0 && self.is_zero() {
            return Some(Number::float(f64::INFINITY));
        }
        let base = if exponent < 0 { Number::ONE / self } else { self };
        if exponent.unsigned_abs() > 64 {
            return Some(Number::float(self.to_f64().powi(exponent)));
        }
        Some((0..exponent.unsigned_abs()).fold(Number::ONE, |product, _| product * base))
    }
}

impl std::ops::Add for Number {
    type Output = Number;
    fn add(self, other: Number) -> Number {
        self.exactly(other, |a, b| a.checked_add(b), |a, b| a + b)
    }
}

impl std::ops::Sub for Number {
    type Output = Number;
    fn sub(self, other: Number) -> Number {
        self.exactly(other, |a, b| a.checked_sub(b), |a, b| a - b)
    }
}

impl std::ops::Mul for Number {
    type Output = Number;
    fn mul(self, other: Number) -> Number {
        self.exactly(other, |a, b| a.checked_mul(b), |a, b| a * b)
    }
}

impl std::ops::Div for Number {
    type Output = Number;
    fn div(self, other: Number) -> Number {
        self.exactly(other, |a, b| if b.is_zero() { None } else { a.checked_div(b) }, |a, b| a / b)
    }
}

impl std::ops::Neg for Number {
    type Output = Number;
    fn neg(self) -> Number {
        match self {
            Number::Exact(ratio) if !ratio.is_zero() => Number::Exact(-ratio),
            other => Number::float(-other.to_f64()),
        }
    }
}

fn decimal(text: &str) -> Option<Number> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let part = part.trim_end_matches('0');
    let mut numerator: i128 = format!("{whole}{part}").parse().ok()?;
    let mut power = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(part.len()).ok()?)?;
    if numerator == 0 {
        return (!mantissa.starts_with('-')).then_some(Number::ZERO);
    }
    while power < 0 && numerator % 10 == 0 {
        numerator /= 10;
        power += 1;
    }
    let scale = 10i128.checked_pow(power.unsigned_abs())?;
    let (numerator, denominator) =
        if power < 0 { (numerator, scale) } else { (numerator.checked_mul(scale)?, 1) };
    let small = |v: i128| (-LIMIT..=LIMIT).contains(&v);
    (small(numerator) && small(denominator))
        .then(|| Number::Exact(Ratio::new(numerator as i64, denominator as i64)))
}

impl fmt::Display for Number {
    /// As the language writes it: `3`, `0.5`, `1/3`, `1e-30`, `inf`; `pi` and `e` by name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_f64();
        let sign = if value < 0.0 { "-" } else { "" };
        match self {
            Number::Bits(_) if value.abs() == std::f64::consts::PI => write!(f, "{sign}pi"),
            Number::Bits(_) if value.abs() == std::f64::consts::E => write!(f, "{sign}e"),
            Number::Exact(ratio) if ratio.is_integer() && ratio.numer().abs() < 1_000_000_000 => {
                write!(f, "{}", ratio.numer())
            }
            Number::Exact(ratio) => {
                let fraction = format!("{}/{}", ratio.numer(), ratio.denom());
                let room = fraction.len().max("0.125".len());
                match shortest(value) {
                    text if Number::parse(&text) == Some(*self) && text.len() <= room => {
                        f.write_str(&text)
                    }
                    text if value < 0.0
                        && Number::parse(&text[1..]) == Some(-*self)
                        && text.len() <= room + 1 =>
                    {
                        f.write_str(&text)
                    }
                    _ if ratio.is_integer() => write!(f, "{}", ratio.numer()),
                    _ => f.write_str(&fraction),
                }
            }
            Number::Bits(_) if value.is_nan() => f.write_str("nan"),
            Number::Bits(_) if value.is_infinite() => {
                f.write_str(if value > 0.0 { "inf" } else { "-inf" })
            }
            Number::Bits(_) => f.write_str(&shortest(value)),
        }
    }
}

fn shortest(value: f64) -> String {
    let (plain, scientific) = (format!("{value}"), format!("{value:e}"));
    if plain.len() <= scientific.len() + 4 { plain } else { scientific }
}
