//! What the tile machine does with spans: folds of rows, accumulation, loads and stores.

use super::memory::Span;
use crate::ops::Scalar;
use crate::ops::elementwise::Class;
use crate::ops::reduce::Fold;
use crate::tensor::Element;
use num_traits::Float;

/// What an instruction reads.
#[derive(Clone, Copy, Debug)]
pub enum Source<T> {
    /// An element for each of the result.
    Span(Span<T>),
    /// The same number everywhere.
    Number(T),
}

/// A float of the machine.
pub trait Real: Element + Float + Default {
    /// From f64, rounded.
    fn of_f64(x: f64) -> Self;
}

impl Real for f32 {
    fn of_f64(x: f64) -> Self {
        x as f32
    }
}

impl Real for f64 {
    fn of_f64(x: f64) -> Self {
        x
    }
}

impl<T: Real> Source<T> {
    #[inline(always)]
    fn get(self, i: usize) -> T {
        match self {
            // SAFETY: the callers have compared lengths.
            Source::Span(span) => unsafe { *span.at.add(i) },
            Source::Number(number) => number,
        }
    }

    fn check(self, len: usize) {
        assert!(matches!(self, Source::Number(_)) || matches!(self, Source::Span(s) if s.len == len));
    }
}

#[inline(always)]
fn each<T: Real>(to: Span<T>, f: impl Fn(usize) -> T) {
    for i in 0..to.len {
        // SAFETY: within the span.
        unsafe { *to.at.add(i) = f(i) };
    }
}

/// A row over the operands; truth values are 1 and 0. An operand may lie where the result goes.
pub fn map<T: Real>(row: Scalar, [x, y]: [Source<T>; 2], to: Span<T>) {
    x.check(to.len);
    if row.arity() == 2 {
        y.check(to.len);
    }
    let truth = |holds: bool| if holds { T::one() } else { T::zero() };
    let (x, y) = (|i| x.get(i), |i| y.get(i));
    match row {
        Scalar::Add => each(to, |i| x(i) + y(i)),
        Scalar::Sub => each(to, |i| x(i) - y(i)),
        Scalar::Mul => each(to, |i| x(i) * y(i)),
        Scalar::Div => each(to, |i| x(i) / y(i)),
        Scalar::Neg => each(to, |i| -x(i)),
        Scalar::Square => each(to, |i| x(i) * x(i)),
        Scalar::Eq => each(to, |i| truth(x(i) == y(i))),
        Scalar::Ne => each(to, |i| truth(x(i) != y(i))),
        Scalar::Lt => each(to, |i| truth(x(i) < y(i))),
        Scalar::Le => each(to, |i| truth(x(i) <= y(i))),
        Scalar::Gt => each(to, |i| truth(x(i) > y(i))),
        Scalar::Ge => each(to, |i| truth(x(i) >= y(i))),
        Scalar::And => each(to, |i| x(i) * y(i)),
        Scalar::Or => each(to, |i| x(i).max(y(i))),
        Scalar::Not => each(to, |i| T::one() - x(i)),
        row => each(to, |i| {
            let (a, b) = (x(i).to_f64(), y(i).to_f64());
            let (a, b) = (a.unwrap_or(f64::NAN), b.unwrap_or(f64::NAN));
            let value = if row.arity() == 1 { row.at(&[a]) } else { row.at(&[a, b]) };
            debug_assert!(matches!(row.class(), Class::Float | Class::Number));
            T::of_f64(value.unwrap_or(f64::NAN))
        }),
    }
}

/// `yes` where the condition is not 0, else `no`.
pub fn select<T: Real>([condition, yes, no]: [Source<T>; 3], to: Span<T>) {
    [condition, yes, no].iter().for_each(|source| source.check(to.len));
    each(to, |i| if condition.get(i) != T::zero() { yes.get(i) } else { no.get(i) });
}

/// The elements themselves.
pub fn copy<T: Real>(x: Source<T>, to: Span<T>) {
    x.check(to.len);
    each(to, |i| x.get(i));
}

/// Each number `width` times.
pub fn spread<T: Real>(x: Span<T>, width: usize, to: Span<T>) {
    assert_eq!(x.len * width, to.len);
    for (row, &value) in to.write().chunks_exact_mut(width.max(1)).zip(x.read()) {
        row.fill(value);
    }
}

/// Truth values as numbers.
pub fn load_truth<T: Real>(x: Span<bool>, to: Span<T>) {
    assert_eq!(x.len, to.len);
    for (to, &x) in to.write().iter_mut().zip(x.read()) {
        *to = if x { T::one() } else { T::zero() };
    }
}

/// Numbers as truth values.
pub fn store_truth<T: Real>(x: Source<T>, to: Span<bool>) {
    x.check(to.len);
    for (i, to) in to.write().iter_mut().enumerate() {
        *to = x.get(i) != T::zero();
    }
}

/// The elements from `at` on, `step` apart.
///
/// # Panics
/// Where one of them is beyond the span: a bug of the caller.
pub fn gather<E: Element, T: Real>(from: Span<E>, at: isize, step: isize, to: Span<T>, cast: impl Fn(E) -> T) {
    if to.len == 0 {
        return;
    }
    let last = at + step * (to.len as isize - 1);
    assert!(at.min(last) >= 0 && (at.max(last) as usize) < from.len, "elements of the span");
    if step == 0 {
        // SAFETY: as checked.
        let value = cast(unsafe { *from.at.offset(at) });
        to.write().fill(value);
        return;
    }
    // SAFETY: as checked.
    each(to, |i| cast(unsafe { *from.at.offset(at + step * i as isize) }));
}

/// Lanes that sums are kept in, so that rounding errors grow slowly and loops go by vectors.
const LANES: usize = 32;

fn lanes<T: Real>(x: &[T], start: T, f: impl Fn(T, T) -> T) -> T {
    let mut sums = [start; LANES];
    let whole = x.chunks_exact(LANES);
    let rest = whole.remainder();
    for chunk in whole {
        for lane in 0..LANES {
            sums[lane] = f(sums[lane], chunk[lane]);
        }
    }
    for (sum, &x) in sums.iter_mut().zip(rest) {
        *sum = f(*sum, x);
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            sums[lane] = f(sums[lane], sums[lane + width]);
        }
    }
    sums[0]
}

fn larger<T: Real>(a: T, b: T) -> T {
    if a.is_nan() || a > b { a } else { b }
}

fn smaller<T: Real>(a: T, b: T) -> T {
    if a.is_nan() || a < b { a } else { b }
}

/// What a fold starts with.
pub fn start<T: Real>(kind: Fold) -> T {
    match kind {
        Fold::Prod | Fold::All => T::one(),
        Fold::Max => T::neg_infinity(),
        Fold::Min => T::infinity(),
        _ => T::zero(),
    }
}

/// Two parts of a fold in one.
pub fn join<T: Real>(kind: Fold, a: T, b: T) -> T {
    match kind {
        Fold::Prod | Fold::All => a * b,
        Fold::Max | Fold::Any => larger(a, b),
        Fold::Min => smaller(a, b),
        _ => a + b,
    }
}

/// All elements folded.
pub fn total<T: Real>(kind: Fold, x: &[T]) -> T {
    match kind {
        Fold::Prod | Fold::All => lanes(x, T::one(), |a, b| a * b),
        Fold::Max | Fold::Any => lanes(x, start(kind), larger),
        Fold::Min => lanes(x, start(kind), smaller),
        _ => lanes(x, T::zero(), |a, b| a + b),
    }
}

/// Each row of `width` elements folded.
pub fn fold<T: Real>(kind: Fold, x: Span<T>, width: usize, to: Span<T>) {
    assert_eq!(to.len * width, x.len);
    let x = x.read();
    for (row, to) in to.write().iter_mut().enumerate() {
        *to = total(kind, &x[row * width..(row + 1) * width]);
    }
}

/// Adds to the sums, of which the first element belongs to number `at`, going round.
pub fn accumulate<T: Real>(x: Span<T>, at: usize, sums: Span<T>) {
    let (x, sums) = (x.read(), sums.write());
    let (mut place, mut done) = (at, 0);
    while done < x.len() {
        let next = (sums.len() - place).min(x.len() - done);
        for (sum, &x) in sums[place..place + next].iter_mut().zip(&x[done..done + next]) {
            *sum = *sum + x;
        }
        done += next;
        place = 0;
    }
}
