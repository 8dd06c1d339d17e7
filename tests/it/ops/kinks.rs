//! Derivatives where there are several to choose from, and where a careless rule gives NaN.

use super::array::Array;
use super::machine::{Given, agree, array, derived, evaluate, model, request, results};
use pullback::compile::Level;
use pullback::graph::Kind;
use pullback::ops::Bindings;
use pullback::ops::special::Mode;
use pullback::tensor::DType;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;
const NEG: f64 = f64::NEG_INFINITY;

/// A formula of a vector x, the vector, and the gradient of the formula's sum.
const GRADIENTS: &[(&str, &[f64], &[f64])] = &[
    ("relu(x)", &[-1.0, 0.0, 2.0], &[0.0, 0.0, 1.0]),
    ("abs(x)", &[-1.0, 0.0, 2.0], &[-1.0, 0.0, 1.0]),
    ("sign(x) + floor(x)", &[0.0, 1.0], &[0.0, 0.0]),
    ("maximum(x, 0)", &[-1.0, 0.0, 2.0], &[0.0, 0.5, 1.0]),
    ("minimum(x, 0)", &[-1.0, 0.0, 2.0], &[1.0, 0.5, 0.0]),
    ("clip(x, -1, 1)", &[-2.0, -1.0, 0.3, 1.0, 2.0], &[0.0, 0.5, 1.0, 0.5, 0.0]),
    ("hardtanh(x)", &[-1.0, 0.0, 1.0], &[0.5, 1.0, 0.5]),
    ("max(x)", &[1.0, 3.0, 3.0], &[0.0, 0.5, 0.5]),
    ("min(x)", &[1.0, 1.0, 1.0], &[1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]),
    ("prod(x)", &[0.0, 2.0, 3.0], &[6.0, 0.0, 0.0]),
    ("prod(x)", &[0.0, 2.0, 0.0], &[0.0, 0.0, 0.0]),
    ("norm(x)", &[0.0, 0.0], &[0.0, 0.0]),
    ("std(x)", &[2.0, 2.0], &[0.0, 0.0]),
    ("x^2 + x^1 + x^0", &[0.0], &[1.0]),
    ("pow(x, x)", &[1.0], &[1.0]),
    ("0^x", &[0.0, 2.0], &[0.0, 0.0]),
    ("where(x > 0, sqrt(x), 0)", &[-1.0, 0.0, 4.0], &[0.0, 0.0, 0.25]),
    ("where(x > 0, log(x), x)", &[-1.0, 0.0, 2.0], &[1.0, 1.0, 0.5]),
    ("where(x == 0, 1, sin(x) / x)", &[0.0], &[0.0]),
    ("where(x > 0, x * log(x) / sqrt(x), x)", &[0.0, 1.0], &[1.0, 1.0]),
    ("where(x <= 0, 0, exp(log(x) * 2))", &[-2.0, 0.0, 3.0], &[0.0, 0.0, 6.0]),
    ("sqrt(where(x > 0, x, 1))", &[-1.0, 0.0, 4.0], &[0.0, 0.0, 0.25]),
    ("where(sum(x) > 0, sum(log(x)) / sum(x), 0)", &[0.0, 0.0], &[0.0, 0.0]),
    ("where(sum(x) > 0, mean(sqrt(x)), 0)", &[0.0, 0.0], &[0.0, 0.0]),
    ("x * log(x)", &[0.0, 1.0], &[NEG, 1.0]),
    ("log(x) * x", &[0.0, 1.0], &[NEG, 1.0]),
    ("-x * log(x) / log(2)", &[0.0, 1.0], &[INF, -1.0 / std::f64::consts::LN_2]),
    ("2 * x * log(x)", &[0.0, 1.0], &[NEG, 2.0]),
    ("-sum(x * log(x))", &[0.0, 1.0], &[INF, -1.0]),
    ("x^2 * log(x)", &[0.0, 1.0], &[0.0, 1.0]),
    ("(x * log(x))^2", &[0.0, 1.0], &[0.0, 0.0]),
    ("sum(x * log(x))^2", &[0.0, 1.0], &[0.0, 0.0]),
    ("[0, 1] * x * log(x)", &[0.0, 1.0], &[0.0, 1.0]),
    ("(x * log(x / 2))^2 + [0, 1] * (x * log(x / 2))", &[0.0, 2.0], &[0.0, 1.0]),
    ("x * log(x^2)", &[0.0, 1.0], &[NEG, 2.0]),
    ("x * log(abs(x))", &[0.0, -1.0], &[NEG, 1.0]),
    ("x^3 * log(x) + sqrt(x) * log(x)", &[1.0], &[2.0]),
    ("sqrt(x) * log(x)", &[0.0, 1.0], &[NEG, 1.0]),
    ("x * log(x / 2)", &[0.0, 2.0], &[NEG, 1.0]),
    ("x * (log(x) - log(2))", &[0.0, 2.0], &[NEG, 1.0]),
    ("[0, 1] * log([0, 1] / x)", &[0.5, 2.0], &[0.0, -0.5]),
    ("(1 - x) * log(1 - x)", &[1.0, 0.0], &[INF, -1.0]),
    ("kl_div([0, 1], x)", &[0.0, 0.5], &[0.0, -2.0]),
    ("kl_div(x, [0.5, 0.5])", &[0.0, 0.5], &[NEG, 1.0]),
    ("bce(x, [0, 1])", &[0.0, 1.0], &[1.0, -1.0]),
    ("bce(x, [1, 0])", &[0.0, 1.0], &[NEG, INF]),
    ("bce([0.5, 0.5], x)", &[0.0, 1.0], &[0.0, 0.0]),
    ("xlogy(x, x)", &[0.0, 1.0], &[NEG, 1.0]),
    ("xlogy([0, 2], x)", &[0.0, 1.0], &[0.0, 2.0]),
    ("where(x > 0, x * log(x), 0)", &[0.0, 1.0], &[0.0, 1.0]),
    ("stop_gradient(x) * x", &[3.0], &[3.0]),
    ("logsumexp(x)", &[1000.0, 1000.0], &[0.5, 0.5]),
    ("softmax(x) * [1, 0]", &[1000.0, 1000.0], &[0.25, -0.25]),
    ("softplus(x)", &[-800.0, 800.0], &[0.0, 1.0]),
    ("sigmoid(x)", &[-800.0, 800.0], &[0.0, 0.0]),
    ("logaddexp(x, 0)", &[-800.0, 0.0, 800.0], &[0.0, 0.5, 1.0]),
    ("relu(x)", &[NAN], &[0.0]),
    ("cross_entropy(x, 1)", &[1000.0, -1000.0], &[1.0, -1.0]),
    ("bce_with_logits(x, [1, 0])", &[800.0, -800.0], &[0.0, 0.0]),
];

/// A formula of a vector x, the vector, and its value.
const VALUES: &[(&str, &[f64], &[f64])] = &[
    ("x * log(x)", &[0.0, 1.0, NAN], &[0.0, 0.0, NAN]),
    ("x^2 * log(x) + sqrt(x) * log(x)", &[0.0, 1.0], &[0.0, 0.0]),
    ("x * log(x^2) + log(abs(x)) * x", &[0.0, -1.0], &[0.0, 0.0]),
    ("x * log(x / [0, 2])", &[0.0, 2.0], &[0.0, 0.0]),
    ("x * (log(x) - log([0.5, 2]))", &[0.0, 2.0], &[0.0, 0.0]),
    ("[-sum(x * log(x)), kl_div(x, x)]", &[0.0, 1.0], &[0.0, 0.0]),
    ("bce(x, [0, 1])", &[0.0, 1.0], &[0.0, 0.0]),
    ("relu(x)", &[NAN, -1.0], &[NAN, 0.0]),
    ("maximum(x, 0)", &[NAN], &[NAN]),
    ("clip(x, -1, 1)", &[NAN], &[NAN]),
    ("[max(x), min(x), sum(x)]", &[1.0, NAN, 2.0], &[NAN, NAN, NAN]),
    ("f64(argmax(x)) * [1, 1, 1]", &[1.0, NAN, 2.0], &[1.0, 1.0, 1.0]),
    ("logsumexp(x) * [1, 1]", &[NAN, 0.0], &[NAN, NAN]),
    (
        "[logsumexp(x), max(x)]",
        &[f64::NEG_INFINITY, f64::NEG_INFINITY],
        &[f64::NEG_INFINITY, f64::NEG_INFINITY],
    ),
    ("[x[0] == x[0], x[0] != x[0]]", &[NAN], &[0.0, 1.0]),
    ("where(x > 0, x, 0)", &[NAN], &[0.0]),
    ("f64(i64(x))", &[2.9, -2.9, NAN, 1e300], &[2.0, -2.0, 0.0, 9.223_372_036_854_776e18]),
    ("bool(x)", &[0.0, -0.5, NAN], &[0.0, 1.0, 1.0]),
    ("f64(i32(2147483647) + i32(1)) * x", &[1.0], &[-2147483648.0]),
    ("f64(i64(7) / i64(-2)) * x", &[1.0], &[-3.0]),
    ("f64(i64(7) / i64(0)) * x", &[1.0], &[0.0]),
    ("f64(f32(x))", &[0.1], &[0.100_000_001_490_116_12]),
    ("sum(x) * [1]", &[1e16, 1.0, -1e16], &[1.0]),
];

fn given(x: &[f64]) -> Vec<Given> {
    let array = Array { shape: vec![x.len()], values: x.to_vec() };
    vec![Given { name: "x".into(), dtype: DType::F64, array }]
}

#[test]
fn gradients() {
    for &(formula, x, wanted) in GRADIENTS {
        let text = format!("input x: f64[{}]\nloss L = sum({formula})\n", x.len());
        let wanted = Array { shape: vec![x.len()], values: wanted.to_vec() };
        for level in [Level::Derived, Level::Readable] {
            let requests =
                [request(Mode::Grad, "L", &["x"], &[]), request(Mode::Hessian, "L", &["x"], &[])];
            let derived = derived(&model(&text), &requests, level, &text).model;
            let nodes = results(&derived, Kind::Gradient);
            let found = evaluate(&derived, &nodes, &given(x), &Bindings::default());
            let what = format!("gradient of {formula} at {x:?}, {level:?}");
            agree(&what, &array(&found[0]), &wanted, 1e-13);
            let guarded = formula.starts_with("where") || formula.starts_with("sqrt(where");
            if guarded {
                let second = array(&found[1]);
                assert!(
                    second.values.iter().all(|v| v.is_finite()),
                    "Hessian of {what}: {second:?}"
                );
            }
        }
    }
}

#[test]
fn values() {
    for &(formula, x, wanted) in VALUES {
        let text = format!("input x: f64[{}]\noutput f = {formula}\n", x.len());
        let model = model(&text);
        let node = model.named("f").expect("it is written");
        let found = evaluate(&model, &[node], &given(x), &Bindings::default());
        let wanted = Array { shape: vec![wanted.len()], values: wanted.to_vec() };
        agree(&format!("{formula} at {x:?}"), &array(&found[0]), &wanted, 1e-15);
    }
}

/// An index out of range is an error with the index.
#[test]
fn indices_out_of_range() {
    for formula in [
        "gather(x, i)",
        "x[i]",
        "take_along(x, i)",
        "one_hot(i, 3)",
        "put_along(i, x, 3)",
        "scatter_add(x, i, x)",
    ] {
        let text = format!("input x: f64[3]\ninput i: i64[3]\noutput f = {formula}\n");
        let model = model(&text);
        let node = model.named("f").expect("it is written");
        for index in [3.0, -4.0] {
            let mut given = given(&[1.0, 2.0, 3.0]);
            let array = Array { shape: vec![3], values: vec![0.0, index, 1.0] };
            given.push(Given { name: "i".into(), dtype: DType::I64, array });
            let values = super::machine::values(&given);
            let error = pullback::exec::run(&model, &[node], &values, &Bindings::default());
            let message = error.expect_err(formula).to_string();
            assert!(
                message.contains(&format!("index {index} is out of range")),
                "{formula}: {message}"
            );
        }
    }
}
