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

/// The derivative of order n of `x / (eˣ - 1)` for x with the exponential `fall` of -|x|: near 0 by the series of powers, whose
/// numbers are Bernoulli's over factorials, far from it by that of exponentials.
pub fn rexprel<F: Field>(n: i32, x: F, fall: F) -> F {
    let size = x.abs();
    if size.is_nan() {
        return x;
    }
    if size < of(n.clamp(2, 5)) {
        return rexprel_near(n, x);
    }
    // Of the k-th term the derivative is (-k)ⁿ⁻¹ (n - k x) e⁻ᵏˣ.
    let mut sum = of::<F>(0);
    let mut power = fall;
    for k in 1..1000 {
        let factor = (1..n).fold(of::<F>(1), |factor, _| -(factor * of(k)));
        let term = match n {
            0 => size * power,
            _ => factor * (of::<F>(n) - of::<F>(k) * size) * power,
        };
        if power == of(0) || sum + term == sum && k > n {
            break;
        }
        sum += term;
        power = power * fall;
    }
    match (x < of(0), n) {
        (false, _) => sum,
        (true, 0) => sum + size,
        (true, 1) => -sum - of(1),
        (true, _) => {
            if n % 2 == 0 {
                sum
            } else {
                -sum
            }
        }
    }
}

/// The same near 0. The numbers of even powers are those of `x/2 cosh(x/2)` over `sinh(x/2)`.
fn rexprel_near<F: Field>(n: i32, x: F) -> F {
    let (mut even, mut sines): (Vec<F>, Vec<F>) = (Vec::new(), Vec::new());
    let (mut sum, mut power, mut factorial) = (of::<F>(0), of::<F>(1), of::<F>(1));
    for k in 0..1000 {
        if k % 2 == 0 {
            if k > 0 {
                factorial = factorial / of(4 * k * (k - 1));
            }
            sines.push(factorial / of(k + 1));
            let pairs = even.iter().zip(sines.iter().rev());
            even.push(pairs.fold(factorial, |rest, (&number, &sine)| rest + -(number * sine)));
        }
        if k < n {
            continue;
        }
        let number = match k {
            1 => of::<F>(-1) / of(2),
            _ if k % 2 == 1 => of(0),
            _ => even[k as usize / 2],
        };
        let term = (k - n + 1..=k).fold(number * power, |term, by| term * of(by));
        if k > n + 2 && k % 2 == 0 && sum + term == sum {
            break;
        }
        sum += term;
        power = power * x;
    }
    sum
}
