//! What operators ask of the numbers that they are computed in: f64, or numbers with more digits.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// Numbers with the four operations, an order, and what linear algebra needs.
pub trait Field:
    Copy
    + PartialOrd
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// The absolute value.
    fn abs(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// Whether it is no number.
    fn is_nan(self) -> bool;
}

impl Field for f64 {
    fn abs(self) -> f64 {
        f64::abs(self)
    }

    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }

    fn ln(self) -> f64 {
        f64::ln(self)
    }

    fn is_nan(self) -> bool {
        f64::is_nan(self)
    }
}

/// The sum, from the first on.
pub fn sum<F: Field>(numbers: impl Iterator<Item = F>) -> F {
    numbers.fold(F::from(0.0), |sum, number| sum + number)
}
