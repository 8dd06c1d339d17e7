//! Folds agree with plain loops at every level.

use super::numbers;
use pullback::exec::kernels::fold::{accumulate, identity, rows};
use pullback::exec::kernels::{Float, Level};
use pullback::ops::reduce::Fold;

const FOLDS: [Fold; 7] =
    [Fold::Sum, Fold::Mean, Fold::Prod, Fold::Max, Fold::Min, Fold::Any, Fold::All];

/// Of f64, in order. Any and All are of 0 and 1.
fn plain(fold: Fold, x: &[f64]) -> f64 {
    let larger = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) };
    let smaller = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) };
    let start = identity::<f64>(fold);
    match fold {
        Fold::Sum => x.iter().sum(),
        Fold::Mean => x.iter().sum::<f64>() / x.len() as f64,
        Fold::Prod => x.iter().product(),
        Fold::Max | Fold::Any => x.iter().copied().fold(start, larger),
        _ => x.iter().copied().fold(start, smaller),
    }
}

fn given<T: Float>(fold: Fold, count: usize) -> Vec<T> {
    let x: Vec<T> = numbers(count, 5);
    let truth = |x: &T| if *x > T::zero() { T::one() } else { T::zero() };
    match fold {
        Fold::Any | Fold::All => x.iter().map(truth).collect(),
        _ => x,
    }
}

fn check<T: Float>(tolerance: f64) {
    for level in Level::available() {
        for fold in FOLDS {
            for (count, width) in [(1, 1), (3, 5), (2, 16), (4, 67), (2, 1000), (0, 4), (3, 0)] {
                let x: Vec<T> = given(fold, count * width);
                let mut found = vec![T::zero(); count];
                rows(level, fold, &x, width, &mut found);
                for (row, found) in found.iter().enumerate() {
                    let line: Vec<f64> =
                        x[row * width..(row + 1) * width].iter().map(|x| x.to()).collect();
                    let (found, wanted) = (found.to(), plain(fold, &line));
                    let near = found == wanted
                        || found.is_nan() && wanted.is_nan()
                        || (found - wanted).abs() < tolerance * width as f64;
                    assert!(near, "{} {fold:?} {width}: {found} {wanted}", level.name());
                }
                let mut sums = vec![identity::<T>(fold); width];
                accumulate(level, fold, &x, &mut sums);
                for (i, found) in sums.iter().enumerate() {
                    let line: Vec<f64> = (0..count).map(|row| x[row * width + i].to()).collect();
                    let kind = if fold == Fold::Mean { Fold::Sum } else { fold };
                    let wanted = plain(kind, &line);
                    let near =
                        found.to() == wanted || (found.to() - wanted).abs() < tolerance * 4.0;
                    let found = found.to();
                    assert!(near, "{} {fold:?} into {width}: {found} {wanted}", level.name());
                }
            }
        }
    }
}

#[test]
fn folds_agree_with_loops() {
    check::<f32>(1e-6);
    check::<f64>(1e-15);
}

#[test]
fn nan_stays() {
    for level in Level::available() {
        for at in 0..40 {
            let mut x = vec![1.0f32; 40];
            x[at] = f32::NAN;
            let mut found = [0.0];
            for fold in [Fold::Max, Fold::Min, Fold::Sum] {
                rows(level, fold, &x, 40, &mut found);
                assert!(found[0].is_nan(), "{} {fold:?} {at}", level.name());
                let mut sums = [identity::<f32>(fold)];
                accumulate(level, fold, &x, &mut sums);
                assert!(sums[0].is_nan(), "{} {fold:?} {at}", level.name());
            }
        }
    }
}
