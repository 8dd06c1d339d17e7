//! Functions with a derivative of their own: where the rule is right, all is as without it; where not, the rule counts.

use super::array::Array;
use super::case::{Row, check_all};
use super::machine::{Given, derived, evaluate, model, request, results, round_trip};
use pullback::compile::Level;
use pullback::graph::Kind;
use pullback::ops::special::Mode;
use pullback::tensor::DType;

const RIGHT: &[Row] = &[
    (
        "x: f64[N=3]",
        "fn cube(x: float[..]) -> float[..] { return x^3 } vjp(dy) { return 3 * x^2 * dy };
         cube(cube(x) - 1)",
        |a| a[0].map(|x| (x.powi(3) - 1.0).powi(3)),
    ),
    (
        "x: f64[N=2, K=2]",
        "fn logistic(x: float[..]) -> float[..] { y = 1 / (1 + exp(-x)); return y }
         vjp(dy) { return dy * y * (1 - y) };
         logistic(x) * logistic(2 * x)",
        |a| a[0].map(|x| 1.0 / (1.0 + (-x).exp()) / (1.0 + (-2.0 * x).exp())),
    ),
    (
        "a: f64[N=3] >0; b: f64[N=3]",
        "fn polar(a: float[..], b: float[..]) -> (float[..], float[..]) {
           r = sqrt(a^2 + b^2)
           return r, atan2(b, a)
         } vjp(dr, dt) {
           return dr * a / r - dt * b / r^2, dr * b / r + dt * a / r^2
         }
         (r, t) = polar(a, b);
         r * t",
        |a| Array {
            shape: vec![3],
            values: a[0].values.iter().zip(&a[1].values).map(|(a, b)| a.hypot(*b) * b.atan2(*a)).collect(),
        },
    ),
    (
        "x: f64[N=2, D=3]; w: f64[D=3]",
        "fn dot(x: float[N, D], w: float[D]) -> float[N] { return x @ w }
         vjp(dy) { return outer(dy, w), x' @ dy };
         dot(x, w)^2",
        |a| {
            let dot = |i: usize| (0..3).map(|k| a[0].at(&[i, k]) * a[1].at(&[k])).sum::<f64>();
            Array { shape: vec![2], values: vec![dot(0).powi(2), dot(1).powi(2)] }
        },
    ),
    // The same value for two parameters, a number for a third, a function inside another's rule.
    (
        "x: f64[N=2]",
        "fn twice(y: float[..]) -> float[..] { return 2 * y } vjp(dy) { return 2 * dy }
         fn product(a: float[..], b: float[..], s = 3) -> float[..] { return s * a * b }
         vjp(dy) { return s * b * dy, s * a * twice(dy) / 2, 0 };
         product(x, x) + product(x, 2 * x, 1)",
        |a| a[0].map(|x| 5.0 * x * x),
    ),
    // A rule that asks for a derivative itself.
    (
        "x: f64[N=2]",
        "fn quartic(x: float[..]) -> float[..] { return x^4 } vjp(dy) { s = sum(x^4); return grad(s, x) * dy };
         quartic(3 * x)",
        |a| a[0].map(|x| 81.0 * x.powi(4)),
    ),
];

#[test]
fn right_rules() {
    check_all(RIGHT);
}

fn gradient(text: &str, level: Level) -> Vec<f64> {
    let given = vec![Given {
        name: "x".into(),
        dtype: DType::F64,
        array: Array { shape: vec![2], values: vec![0.3, -1.2] },
    }];
    let derived =
        derived(&model(text), &[request(Mode::Grad, "L", &["x"], &[])], level, text).model;
    round_trip(&derived, &given, &Default::default());
    let gradients = results(&derived, Kind::Gradient);
    evaluate(&derived, &gradients, &given, &Default::default())[0].to_f64()
}

/// A rule that is no derivative: it alone decides, at any level and again from the printed model.
#[test]
fn rules_count() {
    let clipped = "input x: f64[2]
        fn through(x: float[..]) -> float[..] { return round(x) } vjp(dy) { return clip(dy, -1, 1) }
        loss L = sum(3 * through(2 * x))
        output y = grad(L, x)";
    for level in [Level::Derived, Level::Readable] {
        assert_eq!(gradient(clipped, level), [2.0, 2.0]);
    }
    let printed =
        pullback::graph::print::print(&model(clipped), pullback::graph::print::Part::Whole);
    let again = format!("{}\n", printed.text);
    assert_eq!(gradient(&again, Level::Readable), [2.0, 2.0], "{again}");
    let reversed = "input x: f64[2]
        fn reversed(x: float[..]) -> float[..] { return x } vjp(dy) { return -dy }
        loss L = sum(reversed(x)^2)";
    assert_eq!(gradient(reversed, Level::Readable), [-0.6, 2.4]);
}
