//! Scalar operators: each row against a function computed by other means, in every element type.

use super::array::Array;
use super::case::check;
use pullback::ops::elementwise::Class;
use pullback::ops::{Bindings, Operator, Scalar};
use pullback::tensor::{DType, Tensor};
use std::f64::consts::{LN_2, PI};

/// What a row means, by other means than the row's own: `libm` where the row uses the standard library, series where it
/// uses `libm`. A new row does not compile without its meaning.
fn meaning(row: Scalar, x: &[f64]) -> f64 {
    let (a, b) = (x[0], *x.last().expect("an argument"));
    let truth = |value: bool| f64::from(u8::from(value));
    match row {
        Scalar::Exp => libm::exp(a),
        Scalar::Expm1 => libm::expm1(a),
        Scalar::Log => libm::log(a),
        Scalar::Log1p => libm::log1p(a),
        Scalar::Sqrt => libm::sqrt(a),
        Scalar::Rsqrt => libm::pow(a, -0.5),
        Scalar::Sqrt1pm1 => libm::expm1(libm::log1p(a) / 2.0),
        Scalar::Sin => libm::sin(a),
        Scalar::Cos => libm::cos(a),
        Scalar::Tan => libm::tan(a),
        Scalar::Asin => libm::asin(a),
        Scalar::Acos => libm::acos(a),
        Scalar::Atan => libm::atan(a),
        Scalar::Atan2 => libm::atan2(a, b),
        Scalar::Sinh => libm::sinh(a),
        Scalar::Cosh => libm::cosh(a),
        Scalar::Tanh => libm::tanh(a),
        Scalar::Asinh => libm::asinh(a),
        Scalar::Acosh => libm::acosh(a),
        Scalar::Atanh => libm::atanh(a),
        Scalar::Sigmoid => libm::exp(a) / (1.0 + libm::exp(a)),
        Scalar::Softplus => libm::log1p(libm::exp(a)),
        Scalar::Relu => {
            if a < 0.0 {
                0.0
            } else {
                a
            }
        }
        Scalar::Erf => erf(a),
        Scalar::Erfc => 1.0 - erf(a),
        Scalar::Erfcx => libm::exp(a * a) * (1.0 - erf(a)),
        Scalar::Rerfcx => libm::exp(-a * a) / (1.0 - erf(a)),
        Scalar::LogErfc => libm::log(1.0 - erf(a)),
        Scalar::Erfinv => inverse(erf, a),
        Scalar::Lgamma => lgamma(a),
        Scalar::Digamma => digamma(a),
        Scalar::Polygamma => polygamma(a as i32, b),
        Scalar::Sinc => sinc(0, a),
        Scalar::Polysinc => sinc(a as i32, b),
        Scalar::Exprel => exprel(0, a),
        Scalar::Polyexprel => exprel(a as i32, b),
        Scalar::Rexprel => rexprel(0, a),
        Scalar::Polyrexprel => rexprel(a as i32, b),
        Scalar::Pow => libm::pow(a, b),
        Scalar::Logaddexp => libm::log(libm::exp(a) + libm::exp(b)),
        Scalar::Xlogx => a * libm::log(a),
        Scalar::Powlog => libm::pow(a, b) * libm::log(a),
        Scalar::RelEntr => a * (libm::log(a) - libm::log(b)),
        Scalar::Xlogy => a * libm::log(b),
        Scalar::Floor => libm::floor(a),
        Scalar::Ceil => libm::ceil(a),
        Scalar::Round => libm::rint(a),
        Scalar::Trunc => libm::trunc(a),
        Scalar::Add => a - -b,
        Scalar::Sub => -(b - a),
        Scalar::Mul => libm::fma(a, b, 0.0),
        Scalar::Div => a * (1.0 / b),
        Scalar::Mod => a - b * libm::floor(a / b),
        Scalar::Neg => 0.0 - a,
        Scalar::Abs => libm::fabs(a),
        Scalar::Sign => truth(a > 0.0) - truth(a < 0.0),
        Scalar::Square => libm::pow(a, 2.0),
        Scalar::Maximum => (a + b + (a - b).abs()) / 2.0,
        Scalar::Minimum => (a + b - (a - b).abs()) / 2.0,
        Scalar::Eq => truth(a == b),
        Scalar::Ne => truth(a != b),
        Scalar::Lt => truth(a < b),
        Scalar::Le => truth(a <= b),
        Scalar::Gt => truth(a > b),
        Scalar::Ge => truth(a >= b),
        Scalar::And => truth(a != 0.0 && b != 0.0),
        Scalar::Or => truth(a != 0.0 || b != 0.0),
        Scalar::Not => truth(a == 0.0),
    }
}

/// The integral from 0 to 1 by Simpson's rule.
fn integral(f: impl Fn(f64) -> f64) -> f64 {
    const HALVES: i32 = 2000;
    let weight = |i: i32| if i % (2 * HALVES) == 0 { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
    let width = 1.0 / f64::from(2 * HALVES);
    (0..=2 * HALVES).map(|i| weight(i) * f(f64::from(i) * width)).sum::<f64>() * width / 3.0
}

/// `∫₀¹ tⁿ cos(t x + n π/2) dt`.
fn sinc(n: i32, x: f64) -> f64 {
    let (sine, cosine) = (libm::sin, libm::cos);
    integral(|t| {
        t.powi(n) * [cosine(t * x), -sine(t * x), -cosine(t * x), sine(t * x)][n as usize % 4]
    })
}

/// `∫₀¹ tⁿ eᵗˣ dt`.
fn exprel(n: i32, x: f64) -> f64 {
    integral(|t| t.powi(n) * libm::exp(t * x))
}

/// `n!/2πi ∮ f(z) / (z - x)ⁿ⁺¹ dz` of `f(z) = z / (eᶻ - 1)` on a circle around x, by the rule of trapezia.
fn rexprel(n: i32, x: f64) -> f64 {
    const POINTS: i32 = 200;
    let radius = 2.0;
    let value = |step: i32| {
        let angle = 2.0 * PI * (f64::from(step) + 0.5) / f64::from(POINTS);
        let (re, im) = (x + radius * angle.cos(), radius * angle.sin());
        let (below, beside) = (re.exp() * im.cos() - 1.0, re.exp() * im.sin());
        let size = below * below + beside * beside;
        let f = ((re * below + im * beside) / size, (im * below - re * beside) / size);
        let turned = f64::from(n) * angle;
        f.0 * turned.cos() + f.1 * turned.sin()
    };
    let factorial: f64 = (1..=n).map(f64::from).product();
    factorial / radius.powi(n) * (0..POINTS).map(value).sum::<f64>() / f64::from(POINTS)
}

/// `2/√π e^(-x²) Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1))`: no term cancels another.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, 0.0);
    for n in 0..400 {
        sum += term;
        term *= 2.0 * x * x / f64::from(2 * n + 3);
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// By bisection.
fn inverse(f: fn(f64) -> f64, y: f64) -> f64 {
    if y == 0.0 {
        return 0.0;
    }
    let (mut low, mut high) = (-6.0, 6.0);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if f(middle) < y { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Stirling's series far out, and back by the recurrence.
fn lgamma(x: f64) -> f64 {
    let far = x + 30.0;
    let series = 1.0 / (12.0 * far) - 1.0 / (360.0 * far.powi(3)) + 1.0 / (1260.0 * far.powi(5));
    let stirling = (far - 0.5) * far.ln() - far + 0.5 * (2.0 * PI).ln() + series;
    let value = stirling - (0..30).map(|k| (x + f64::from(k)).ln()).sum::<f64>();
    // At 1 and 2 all of it cancels.
    if value.abs() < 1e-13 { 0.0 } else { value }
}

/// `-γ + Σ 1/(k+1) - 1/(k+x)`, the tail as an integral from midpoint to infinity.
fn digamma(x: f64) -> f64 {
    let terms = 200_000;
    let sum: f64 = (0..terms).rev().map(f64::from).map(|k| 1.0 / (k + 1.0) - 1.0 / (k + x)).sum();
    let end = f64::from(terms) - 0.5;
    sum + ((end + x) / (end + 1.0)).ln() - 0.577_215_664_901_532_9
}

/// `(-1)ⁿ⁺¹ n! Σ 1/(k+x)ⁿ⁺¹`, the tail as an integral from midpoint to infinity.
fn polygamma(order: i32, x: f64) -> f64 {
    let terms = 20_000;
    let sum: f64 = (0..terms).rev().map(|k| (f64::from(k) + x).powi(-order - 1)).sum();
    let tail = (f64::from(terms) - 0.5 + x).powi(-order) / f64::from(order);
    let factorial: f64 = (1..=order).map(f64::from).product();
    (if order % 2 == 0 { -1.0 } else { 1.0 }) * factorial * (sum + tail)
}

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// Values of tables, at the ends of what floats can do, and where mathematics leaves a choice.
const POINTS: &[(Scalar, &[f64], f64)] = &[
    (Scalar::Exp, &[-INF], 0.0),
    (Scalar::Expm1, &[1e-20], 1e-20),
    (Scalar::Expm1, &[-INF], -1.0),
    (Scalar::Log, &[0.0], -INF),
    (Scalar::Log, &[-1.0], NAN),
    (Scalar::Log1p, &[1e-20], 1e-20),
    (Scalar::Log1p, &[-1.0], -INF),
    (Scalar::Sqrt, &[-1.0], NAN),
    (Scalar::Rsqrt, &[0.0], INF),
    (Scalar::Rsqrt, &[INF], 0.0),
    (Scalar::Asin, &[2.0], NAN),
    (Scalar::Acosh, &[0.5], NAN),
    (Scalar::Atanh, &[1.0], INF),
    (Scalar::Asinh, &[1e300], 691.468_675_078_773_6),
    (Scalar::Asinh, &[-1e300], -691.468_675_078_773_6),
    (Scalar::Tanh, &[400.0], 1.0),
    (Scalar::Atan2, &[0.0, -1.0], PI),
    (Scalar::Atan2, &[0.0, 0.0], 0.0),
    (Scalar::Sigmoid, &[-800.0], 0.0),
    (Scalar::Sigmoid, &[-40.0], 4.248_354_255_291_589e-18),
    (Scalar::Sigmoid, &[800.0], 1.0),
    (Scalar::Softplus, &[-800.0], 0.0),
    (Scalar::Softplus, &[-40.0], 4.248_354_255_291_589e-18),
    (Scalar::Softplus, &[800.0], 800.0),
    (Scalar::Softplus, &[INF], INF),
    (Scalar::Relu, &[-INF], 0.0),
    (Scalar::Relu, &[-0.0], 0.0),
    (Scalar::Erf, &[0.5], 0.520_499_877_813_046_5),
    (Scalar::Erf, &[-INF], -1.0),
    (Scalar::Erfinv, &[0.5], 0.476_936_276_204_469_9),
    (Scalar::Erfinv, &[1e-300], 8.862_269_254_527_58e-301),
    (Scalar::Erfinv, &[1.0], INF),
    (Scalar::Erfinv, &[-1.0], -INF),
    (Scalar::Erfinv, &[1.5], NAN),
    (Scalar::Erfc, &[7.5], 2.776_649_386_030_569e-26),
    (Scalar::Erfc, &[-30.0], 2.0),
    (Scalar::Erfc, &[30.0], 0.0),
    (Scalar::Erfcx, &[-20.0], 1.044_293_937_952_828_9e174),
    (Scalar::Erfcx, &[2.0], 0.255_395_676_310_505_74),
    (Scalar::Erfcx, &[3.0], 0.179_001_151_181_389_96),
    (Scalar::Erfcx, &[30.0], 0.018_795_888_861_416_75),
    (Scalar::Erfcx, &[-INF], INF),
    (Scalar::Erfcx, &[INF], 0.0),
    (Scalar::Rerfcx, &[-20.0], 9.575_847_983_570_028e-175),
    (Scalar::Rerfcx, &[3.0], 5.586_556_250_616_818),
    (Scalar::Rerfcx, &[1e8], 177_245_385.090_551_6),
    (Scalar::Rerfcx, &[-INF], 0.0),
    (Scalar::Rerfcx, &[INF], INF),
    (Scalar::LogErfc, &[1e-20], -1.128_379_167_095_512_6e-20),
    (Scalar::LogErfc, &[2.0], -5.364_941_264_616_638),
    (Scalar::LogErfc, &[30.0], -903.974_117_110_643_9),
    (Scalar::LogErfc, &[1e3], -1_000_007.480_120_721_9),
    (Scalar::LogErfc, &[-INF], LN_2),
    (Scalar::LogErfc, &[INF], -INF),
    (Scalar::Sqrt1pm1, &[1e-9], 4.999_999_998_75e-10),
    (Scalar::Sqrt1pm1, &[-1.0], -1.0),
    (Scalar::Sqrt1pm1, &[-2.0], NAN),
    (Scalar::Sqrt1pm1, &[INF], INF),
    (Scalar::Lgamma, &[0.5], 0.572_364_942_924_700_1),
    (Scalar::Lgamma, &[-1.5], 0.860_047_015_376_481),
    (Scalar::Lgamma, &[100.0], 359.134_205_369_575_4),
    (Scalar::Lgamma, &[0.0], INF),
    (Scalar::Lgamma, &[-1.0], INF),
    (Scalar::Digamma, &[1.0], -0.577_215_664_901_532_9),
    (Scalar::Digamma, &[-0.5], 0.036_489_973_978_576_52),
    (Scalar::Digamma, &[0.0], NAN),
    (Scalar::Digamma, &[-3.0], NAN),
    (Scalar::Digamma, &[INF], INF),
    (Scalar::Polygamma, &[1.0, 1.0], PI * PI / 6.0),
    (Scalar::Polygamma, &[2.0, 1.0], -2.404_113_806_319_188_6),
    (Scalar::Polygamma, &[3.0, 1.0], PI * PI * PI * PI / 15.0),
    (Scalar::Polygamma, &[0.0, 2.5], 0.703_156_640_645_243_2),
    (Scalar::Polygamma, &[0.5, 2.0], NAN),
    (Scalar::Polygamma, &[-1.0, 2.0], NAN),
    (Scalar::Polygamma, &[1.0, -2.0], NAN),
    (Scalar::Sinc, &[1e-300], 1.0),
    (Scalar::Polysinc, &[2.0, 0.0], -1.0 / 3.0),
    (Scalar::Polysinc, &[5.0, 7.5], -0.034_685_130_068_313_24),
    (Scalar::Polysinc, &[0.5, 2.0], NAN),
    (Scalar::Exprel, &[-1e300], 1e-300),
    (Scalar::Exprel, &[INF], INF),
    (Scalar::Exprel, &[-INF], 0.0),
    (Scalar::Polyexprel, &[2.0, 0.0], 1.0 / 3.0),
    (Scalar::Polyexprel, &[1.0, -1e10], 1e-20),
    (Scalar::Polyexprel, &[3.0, 40.0], 5464799980152909.0),
    (Scalar::Polyexprel, &[3.0, INF], INF),
    (Scalar::Polyexprel, &[3.0, -INF], 0.0),
    (Scalar::Polyexprel, &[-1.0, 2.0], NAN),
    (Scalar::Rexprel, &[-1e300], 1e300),
    (Scalar::Rexprel, &[1e300], 0.0),
    (Scalar::Rexprel, &[INF], 0.0),
    (Scalar::Rexprel, &[-INF], INF),
    (Scalar::Polyrexprel, &[2.0, 0.0], 1.0 / 6.0),
    (Scalar::Polyrexprel, &[6.0, 3.0], -0.011_404_770_405_417_155),
    (Scalar::Polyrexprel, &[1.0, -1e300], -1.0),
    (Scalar::Polyrexprel, &[3.0, INF], 0.0),
    (Scalar::Polyrexprel, &[1.5, 2.0], NAN),
    (Scalar::Pow, &[0.0, 0.0], 1.0),
    (Scalar::Pow, &[-2.0, 3.0], -8.0),
    (Scalar::Pow, &[-8.0, 0.5], NAN),
    (Scalar::Pow, &[0.0, -1.0], INF),
    (Scalar::Pow, &[1.0, NAN], 1.0),
    (Scalar::Pow, &[NAN, 0.0], 1.0),
    (Scalar::Logaddexp, &[1000.0, 1000.0], 1000.0 + LN_2),
    (Scalar::Logaddexp, &[-INF, 3.0], 3.0),
    (Scalar::Logaddexp, &[-INF, -INF], -INF),
    (Scalar::Logaddexp, &[INF, -INF], INF),
    (Scalar::Xlogx, &[0.0], 0.0),
    (Scalar::Xlogx, &[-1.0], NAN),
    (Scalar::Powlog, &[0.0, 2.0], 0.0),
    (Scalar::Powlog, &[0.0, 0.0], -INF),
    (Scalar::RelEntr, &[0.0, 2.0], 0.0),
    (Scalar::RelEntr, &[0.0, 0.0], 0.0),
    (Scalar::RelEntr, &[0.0, NAN], NAN),
    (Scalar::RelEntr, &[1.0, 0.0], INF),
    (Scalar::Xlogy, &[0.0, 0.0], 0.0),
    (Scalar::Xlogy, &[0.0, NAN], NAN),
    (Scalar::Xlogy, &[2.0, 0.0], -INF),
    (Scalar::Floor, &[-0.5], -1.0),
    (Scalar::Ceil, &[0.5], 1.0),
    (Scalar::Round, &[0.5], 0.0),
    (Scalar::Round, &[1.5], 2.0),
    (Scalar::Round, &[2.5], 2.0),
    (Scalar::Round, &[-1.5], -2.0),
    (Scalar::Trunc, &[-1.9], -1.0),
    (Scalar::Div, &[1.0, 0.0], INF),
    (Scalar::Div, &[0.0, 0.0], NAN),
    (Scalar::Mod, &[-1.0, 3.0], 2.0),
    (Scalar::Mod, &[1.0, -3.0], -2.0),
    (Scalar::Mod, &[-3.0, 3.0], 0.0),
    (Scalar::Mod, &[5.0, 0.0], NAN),
    (Scalar::Sign, &[0.0], 0.0),
    (Scalar::Sign, &[-INF], -1.0),
    (Scalar::Maximum, &[-INF, INF], INF),
    (Scalar::Minimum, &[-INF, INF], -INF),
];

fn tensor(dtype: DType, values: &[f64]) -> Tensor {
    Tensor::from_f64(dtype, &[values.len()], values.to_vec())
}

fn applied(row: Scalar, operands: &[Tensor]) -> Tensor {
    let shape = operands[0].shape().to_vec();
    row.value(operands, &shape, &Bindings::default()).expect("elements have values")
}

fn at(row: Scalar, dtype: DType, x: &[f64]) -> f64 {
    let operands: Vec<Tensor> = x.iter().map(|&v| tensor(dtype, &[v])).collect();
    applied(row, &operands).to_f64()[0]
}

fn close(found: f64, wanted: f64, tolerance: f64) -> bool {
    found == wanted
        || (found.is_nan() && wanted.is_nan())
        || (found - wanted).abs() <= tolerance * wanted.abs().max(1e-300)
}

/// The points of a row: its own probes, else some for comparisons and truth values.
fn probes(row: Scalar) -> Vec<Vec<f64>> {
    match row.class() {
        Class::Float | Class::Number => row.probes(),
        Class::Compare => vec![vec![1.0, 2.0], vec![2.0, 1.0], vec![1.5, 1.5]],
        Class::Logic => {
            (0..4).map(|n| [n % 2, n / 2].map(f64::from)[..row.arity()].to_vec()).collect()
        }
    }
}

fn own_type(row: Scalar) -> DType {
    if row.class() == Class::Logic { DType::Bool } else { DType::F64 }
}

#[test]
fn values_at_the_probes() {
    for &row in Scalar::ALL {
        let probes = probes(row);
        assert!(!probes.is_empty(), "{row:?} has no probes");
        for x in probes {
            let (found, wanted) = (at(row, own_type(row), &x), meaning(row, &x));
            assert!(close(found, wanted, 2e-13), "{row:?} at {x:?} is {found:e}, not {wanted:e}");
        }
    }
}

#[test]
fn values_in_single_precision() {
    for &row in Scalar::ALL.iter().filter(|row| row.class() != Class::Logic) {
        for x in probes(row) {
            let rounded: Vec<f64> = x.iter().map(|&v| f64::from(v as f32)).collect();
            let (found, wanted) = (at(row, DType::F32, &x), meaning(row, &rounded));
            assert!(
                close(found, wanted, 1e-6),
                "{row:?} at {x:?} in f32 is {found:e}, not {wanted:e}"
            );
        }
    }
}

#[test]
fn values_at_the_ends() {
    for &(row, x, wanted) in POINTS {
        let found = at(row, DType::F64, x);
        assert!(close(found, wanted, 1e-14), "{row:?} at {x:?} is {found:e}, not {wanted:e}");
        let single = at(row, DType::F32, x);
        let fits = x.iter().all(|&v| !v.is_finite() || v == 0.0 || (v as f32).is_normal());
        if fits && (wanted as f32).is_finite() && (wanted == 0.0 || (wanted as f32).is_normal()) {
            assert!(
                close(single, wanted, 1e-6),
                "{row:?} at {x:?} in f32 is {single:e}, not {wanted:e}"
            );
        }
    }
}

#[test]
fn nan_is_never_dropped() {
    for &row in Scalar::ALL.iter().filter(|row| matches!(row.class(), Class::Float | Class::Number))
    {
        for place in 0..row.arity() {
            for dtype in [DType::F32, DType::F64] {
                let mut x = vec![2.0; row.arity()];
                x[place] = NAN;
                assert!(at(row, dtype, &x).is_nan(), "{row:?} at {x:?} in {dtype}");
            }
        }
    }
}

/// What a row does to whole numbers, before they are cut to their width.
fn whole(row: Scalar, x: &[i128]) -> i128 {
    let (a, b) = (x[0], *x.last().expect("an argument"));
    let truth = i128::from;
    match row {
        Scalar::Add => a + b,
        Scalar::Sub => a - b,
        Scalar::Mul => a * b,
        Scalar::Div | Scalar::Mod if b == 0 => 0,
        Scalar::Div => a / b,
        Scalar::Mod => a - b * (a.div_euclid(b) - truth(b < 0 && a.rem_euclid(b) != 0)),
        Scalar::Neg => -a,
        Scalar::Abs => a.abs(),
        Scalar::Sign => a.signum(),
        Scalar::Square => a * a,
        Scalar::Maximum => a.max(b),
        Scalar::Minimum => a.min(b),
        Scalar::Eq => truth(a == b),
        Scalar::Ne => truth(a != b),
        Scalar::Lt => truth(a < b),
        Scalar::Le => truth(a <= b),
        Scalar::Gt => truth(a > b),
        Scalar::Ge => truth(a >= b),
        other => panic!("{other:?} has no meaning for integers"),
    }
}

macro_rules! integers {
    ($name:ident $type:ident $dtype:ident) => {
        #[test]
        fn $name() {
            let some =
                [$type::MIN, $type::MIN + 1, -7, -2, -1, 0, 1, 2, 3, 7, $type::MAX - 1, $type::MAX];
            let of = |values: Vec<$type>| Tensor::from(ndarray::Array1::from(values).into_dyn());
            let class = |row: &&Scalar| matches!(row.class(), Class::Number | Class::Compare);
            for &row in Scalar::ALL.iter().filter(class) {
                let pairs: Vec<Vec<$type>> = some
                    .iter()
                    .flat_map(|&a| some.map(|b| [a, b][..row.arity()].to_vec()))
                    .collect();
                let operands: Vec<Tensor> = (0..row.arity())
                    .map(|i| of(pairs.iter().map(|pair| pair[i]).collect()))
                    .collect();
                let wanted = pairs.iter().map(|pair| {
                    let wide: Vec<i128> = pair.iter().map(|&v| i128::from(v)).collect();
                    whole(row, &wide) as $type
                });
                match applied(row, &operands) {
                    Tensor::$dtype(found) => {
                        for ((found, wanted), pair) in found.iter().zip(wanted).zip(&pairs) {
                            assert_eq!(*found, wanted, "{row:?} of {pair:?}");
                        }
                    }
                    Tensor::Bool(found) => {
                        for ((found, wanted), pair) in found.iter().zip(wanted).zip(&pairs) {
                            assert_eq!(*found, wanted == 1, "{row:?} of {pair:?}");
                        }
                    }
                    other => panic!("{row:?} gives {}", other.dtype()),
                }
            }
        }
    };
}
integers!(integers_of_32_bits i32 I32);
integers!(integers_of_64_bits i64 I64);

/// A row as it is called.
fn call(row: Scalar) -> String {
    match row {
        Scalar::And => "a and b".into(),
        Scalar::Or => "a or b".into(),
        Scalar::Not => "not a".into(),
        _ if row.arity() == 1 => format!("{}(a)", row.word()),
        _ => format!("{}(a, b)", row.word()),
    }
}

#[test]
fn derivatives_at_the_probes() {
    for &row in Scalar::ALL.iter().filter(|row| !row.has_order()) {
        let (probes, dtype) = (probes(row), own_type(row));
        let given: Vec<String> = (0..row.arity())
            .map(|i| {
                let values: Vec<String> = probes.iter().map(|x| x[i].to_string()).collect();
                format!("{}: {dtype}[K={}] = {}", ["a", "b"][i], probes.len(), values.join(" "))
            })
            .collect();
        check(&given.join("; "), &call(row), &|x| {
            let size = x[0].values.len();
            let at = |place: usize| -> Vec<f64> { x.iter().map(|x| x.values[place]).collect() };
            Array {
                shape: vec![size],
                values: (0..size).map(|place| meaning(row, &at(place))).collect(),
            }
        });
    }
}

#[test]
fn derivatives_of_rows_with_an_order() {
    for order in 1..4 {
        for &row in Scalar::ALL.iter().filter(|row| row.has_order()) {
            check("x: f64[K=3] = 0.7 2 8.5", &format!("{}({order}, x)", row.word()), &|x| {
                x[0].map(|v| meaning(row, &[f64::from(order), v]))
            });
        }
    }
}
