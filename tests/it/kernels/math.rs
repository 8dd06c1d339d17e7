//! How far the fast functions are from the true ones, in units in the last place, at every level.

use pullback::exec::kernels::rows::{Action, Operand, apply};
use pullback::exec::kernels::{Float, Level, Math};
use pullback::ops::elementwise::Scalar;

/// The function, the largest error allowed in f32 and in f64, and the reference in f64.
type Bound = (Scalar, f64, f64, fn(f64) -> f64);

/// The bounds.
const BOUNDS: &[Bound] = &[
    (Scalar::Exp, 1.0, 1.0, libm::exp),
    (Scalar::Expm1, 2.0, 2.0, libm::expm1),
    (Scalar::Log, 1.0, 1.0, libm::log),
    (Scalar::Log1p, 1.5, 1.5, libm::log1p),
    (Scalar::Tanh, 2.5, 2.5, libm::tanh),
    (Scalar::Sigmoid, 2.5, 2.5, |x| {
        if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
    }),
    (Scalar::Softplus, 2.0, 2.0, |x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
    (Scalar::Erf, 1.5, 1.5, libm::erf),
    (Scalar::Sin, 2.0, 1.5, libm::sin),
    (Scalar::Cos, 2.0, 1.5, libm::cos),
    (Scalar::Tan, 4.0, 4.0, libm::tan),
    (Scalar::Sinh, 2.5, 2.5, libm::sinh),
    (Scalar::Cosh, 2.0, 2.0, libm::cosh),
    (Scalar::Sqrt, 0.5, 0.5, f64::sqrt),
    (Scalar::Rsqrt, 1.5, 1.5, |x| 1.0 / x.sqrt()),
];

fn fast<T: Float>(level: Level, row: Scalar, x: &[T]) -> Vec<T> {
    let mut y = vec![T::of_f64(7.0); x.len()];
    let none = Operand::Number(T::of_f64(0.0));
    apply(level, Math::Fast, Action::Row(row), [Operand::Slice(x), none, none], &mut y);
    y
}

/// The distance in units of f32 at the true value.
fn apart32(found: f32, truth: f64) -> f64 {
    let near = truth as f32;
    if found == near || found.is_nan() && near.is_nan() {
        return 0.0;
    }
    let unit = f64::from(f32::from_bits(near.abs().to_bits() + 1)) - f64::from(near.abs());
    let unit = if near.is_infinite() { f64::from(f32::MAX) * 2f64.powi(-24) } else { unit };
    (f64::from(found) - truth).abs() / unit
}

fn apart64(found: f64, truth: f64) -> f64 {
    if found == truth || found.is_nan() && truth.is_nan() {
        return 0.0;
    }
    (found - truth).abs() / (f64::from_bits(truth.abs().to_bits() + 1) - truth.abs())
}

/// Every 9973rd f32, so that each exponent has some 800 of either sign, and all that is special.
fn every32() -> Vec<f32> {
    let special = [0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX];
    let mut x: Vec<f32> = (0..=u32::MAX).step_by(9973).map(f32::from_bits).collect();
    x.extend(special);
    x.extend([f32::MIN_POSITIVE, 1e-45, -1e-45, 88.72284, 88.7229, -103.97, -104.5]);
    x
}

/// As many f64 in each exponent near 0, fewer beyond, and all that is special.
fn every64() -> Vec<f64> {
    let special = [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MAX];
    let mut x: Vec<f64> = (0..1 << 17).map(|i| (i as f64 - 65_536.5) / 3001.0).collect();
    let step = (u64::MAX / 200_000) as usize;
    x.extend((0..=u64::MAX).step_by(step).map(f64::from_bits));
    x.extend(special);
    x.extend([f64::MIN_POSITIVE, 5e-324, -5e-324, 709.78, 709.79, -745.1, -746.0]);
    x
}

#[test]
fn f32_is_within_its_bounds() {
    let x = every32();
    let mut wrong = Vec::new();
    for level in Level::available() {
        for &(row, bound, _, truth) in BOUNDS {
            let y = fast(level, row, &x);
            let errors = x.iter().zip(&y).map(|(&x, &y)| (apart32(y, truth(f64::from(x))), x, y));
            let (error, x, y) = errors.fold((-1.0, 0.0, 0.0), worse);
            if error > bound {
                let truth = truth(f64::from(x));
                wrong.push(format!(
                    "{} {row:?}({x:e}) = {y:e}, {truth:e}: {error:.2}",
                    level.name()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn f64_is_within_its_bounds() {
    let x = every64();
    let mut wrong = Vec::new();
    for level in Level::available() {
        for &(row, _, bound, truth) in BOUNDS {
            let y = fast(level, row, &x);
            // The reference is off by as much as half a unit itself.
            let errors = x.iter().zip(&y).map(|(&x, &y)| (apart64(y, truth(x)) - 0.5, x, y));
            let (error, x, y) = errors.fold((-1.0, 0.0, 0.0), worse);
            if error > bound {
                wrong.push(format!(
                    "{} {row:?}({x:e}) = {y:e}, {:e}: {error:.2}",
                    level.name(),
                    truth(x)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The larger error; NaN is the largest.
fn worse<T>(a: (f64, T, T), b: (f64, T, T)) -> (f64, T, T) {
    if a.0.is_nan() || a.0 > b.0 { a } else { b }
}

#[test]
fn zeros_keep_their_signs() {
    let odd = [Scalar::Expm1, Scalar::Log1p, Scalar::Tanh, Scalar::Erf, Scalar::Sin, Scalar::Tan];
    for level in Level::available() {
        for row in odd.into_iter().chain([Scalar::Sinh, Scalar::Sqrt, Scalar::Round]) {
            let y = fast(level, row, &[0.0f32, -0.0]);
            assert_eq!(y.map_signs(), [(0.0, false), (0.0, true)], "{} {row:?}", level.name());
            let y = fast(level, row, &[0.0f64, -0.0]);
            assert_eq!(y.map_signs(), [(0.0, false), (0.0, true)], "{} {row:?}", level.name());
        }
    }
}

trait Signs {
    fn map_signs(&self) -> Vec<(f64, bool)>;
}

impl<T: Float> Signs for Vec<T> {
    fn map_signs(&self) -> Vec<(f64, bool)> {
        self.iter().map(|y| (y.to().abs(), y.to().is_sign_negative())).collect()
    }
}
