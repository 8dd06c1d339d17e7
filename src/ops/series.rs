//! Quotients that are 0 / 0 at 0, and their derivatives of any order, in f64 and in numbers with more digits.

use super::field::Field;

/// So far are derivatives computed.
const ORDERS: i32 = 100;

/// An order of a derivative, where it is one.
pub fn order(number: f64) -> Option<i32> {
    let order = number as i32;
    (f64::from(order) == number && (0..=ORDERS).contains(&order)).then_some(order)
}

fn of<F: Field>(number: i32) -> F {
    F::from(f64::from(number))
}

/// The sum of `first` and what `next` makes of each term and its number, to the last digit.
fn series<F: Field>(first: F, next: impl Fn(F, i32) -> F) -> F {
    let (mut term, mut sum) = (first, first);
    for number in 1..1000 {
        term = next(term, number);
        let more = sum + term;
        if more == sum && number > 2 || more.is_nan() {
            return more;
        }
        sum = more;
    }
    sum
}

/// The derivative of order n of `sin(x) / x` for x with this sine and cosine, `∫₀¹ tⁿ cos(t x + n π/2) dt`: by the series of
/// powers near 0, far from it by recurrence.
pub fn sinc<F: Field>(n: i32, x: F, sine: F, cosine: F) -> F {
    if x.abs() > of(n + 2) {
        let cycle = [sine, cosine, -sine, -cosine];
        return (1..=n)
            .fold(sine / x, |last, order| (cycle[order as usize % 4] - of::<F>(order) * last) / x);
    }
    // Of the series of sin(x) / x what is left of the powers: x^(2k - n) / ((2k - n)! (2k + 1)), k from n/2 on.
    let (odd, half) = (n % 2, (n + 1) / 2);
    let power = if odd == 1 { x } else { of(1) };
    let first = if half % 2 == 1 { -power } else { power };
    series(first / of(2 * half + 1), |last, number| {
        let (left, twice) = (2 * number + odd, 2 * (half + number));
        -(last * x * x * of(twice - 1)) / (of::<F>(left) * of(left - 1) * of(twice + 1))
    })
}

/// The derivative of order n of `(eˣ - 1) / x` for x with this exponential, `∫₀¹ tⁿ eᵗˣ dt`: by series without a term below 0
/// near 0 [DLMF 8.7.1], far from it by recurrence.
pub fn exprel<F: Field>(n: i32, x: F, exp: F) -> F {
    if x.abs() > of(2 * n + 32) {
        let first = (exp - of(1)) / x;
        let overflows = exp * of(0) != of(0);
        return match overflows {
            true => exp,
            false => (1..=n).fold(first, |last, order| (exp - of::<F>(order) * last) / x),
        };
    }
    if x < of(0) {
        let terms = |term: F, number: i32| -(term * x) / of::<F>(n + 1 + number);
        return exp * series(of::<F>(1) / of(n + 1), terms);
    }
    series(of::<F>(1) / of(n + 1), |term, number| {
        term * x * of(n + number) / (of::<F>(number) * of(n + 1 + number))
    })
}
