//! Pooling and its adjoints.

use super::{case, check, check_gradient};
use pullback::compile::{Level, default_request, differentiate};
use pullback::graph::print::{Part, print};

const CALLS: &[&str] = &[
    "max_pool(x, [2, 2])",
    "max_pool(x, [3, 2], stride = 1)",
    "max_pool(x, [2, 2], stride = [2, 1], padding = [[1, 0], [0, 1]])",
    "max_pool(x, [3], stride = 2, padding = 1)",
    "avg_pool(x, [2, 2])",
    "avg_pool(x, 2, stride = 1, padding = 1)",
    "avg_pool(x, [3, 2], stride = [2, 1], padding = [1, 0], count_pad = true)",
    "avg_pool(x, [2, 3], padding = \"same\")",
];

#[test]
fn derivatives_of_each_order_and_batches() {
    for call in CALLS {
        check(&format!("param x: f64[1, 2, 4, 3]\ny = {call}\n"), &["x"], &[]);
    }
    check("param x: f64[5]\ny = avg_pool(x, [2], stride = 1)\n", &["x"], &[]);
}

#[test]
fn symbolic_sizes() {
    for call in CALLS {
        let text = format!("dim N, C, H, W\nparam x: f64[N, C, H, W]\ny = {call}\n");
        check(&text, &["x"], &[("N", 1), ("C", 1), ("H", 5), ("W", 4)]);
    }
}

#[test]
fn adjoints_are_operators_of_their_own() {
    let head = "param x: f64[1, 5]\nparam u: f64[1, 5]\nparam dy: f64[1, 2]\n";
    check(&format!("{head}y = max_pool_adjoint(x, dy, [3], stride = 2)\n"), &["dy"], &[]);
    check(&format!("{head}y = max_pool_pick(x, u, [3], stride = 2)\n"), &["u"], &[]);
    check(&format!("{head}y = avg_pool_adjoint(dy, [5], [3], stride = 2)\n"), &["dy"], &[]);
}

fn pooled(call: &str, x: &[f64]) -> Vec<f64> {
    case(&format!("input x: f64[1, 1, {}]\ny = {call}\noutput y\n", x.len()), &[])
        .set("x", &[1, 1, x.len()], x)
        .value("y")
        .to_f64()
}

#[test]
fn values() {
    let x = [-1.0, -5.0, 2.0, -3.0];
    assert_eq!(pooled("max_pool(x, 2)", &x), [-1.0, 2.0]);
    assert_eq!(pooled("max_pool(x, 2, stride = 1)", &x), [-1.0, 2.0, 2.0]);
    assert_eq!(pooled("max_pool(x, 2, padding = 1)", &x), [-1.0, 2.0, -3.0]);
    assert_eq!(pooled("avg_pool(x, 2)", &x), [-3.0, -0.5]);
    assert_eq!(pooled("avg_pool(x, 2, padding = 1)", &x), [-1.0, -1.5, -3.0]);
    assert_eq!(pooled("avg_pool(x, 2, padding = 1, count_pad = true)", &x), [-0.5, -1.5, -1.5]);
    let nan = pooled("max_pool(x, 2)", &[f64::NAN, 1.0, 2.0, 3.0]);
    assert!(nan[0].is_nan() && nan[1] == 3.0);
    let low = f64::NEG_INFINITY;
    assert_eq!(pooled("max_pool(x, 2)", &[low, low]), [low]);
}

#[test]
fn ties_share_the_derivative() {
    let text =
        "param x: f64[1, 1, 3]\nloss C = sum(max_pool(x, 3) * 6)\ng = grad(C, x)\noutput g\n";
    let case = case(text, &[]).set("x", &[1, 1, 3], &[2.0, 1.0, 2.0]);
    assert_eq!(case.value("g").to_f64(), [3.0, 0.0, 3.0]);
}

#[test]
fn prints_as_it_is_written() {
    let text = "dim N\ninput x: f64[N, 1, 6, 6]\nparam w: f64[2, 1, 3, 3]\n\
                z = conv(x, w, padding = 1)\nh = max_pool(z, [2, 2])\nloss C = sum(h^2)\n";
    let model = case(text, &[("N", 1)]).model;
    let request = default_request(&model).expect("there is a loss");
    let derived = differentiate(&model, &[request], Level::Readable).expect("it is derived").model;
    let printed = print(&derived, Part::Whole).text;
    for line in [
        "z = conv(x, w, padding = 1)",
        "h = max_pool(z, [2, 2])",
        "d_w = conv_filter(x, d_z, [3, 3], padding = 1)",
    ] {
        assert!(printed.lines().any(|found| found.starts_with(line)), "{printed}");
    }
    check_gradient(text, &[("N", 1)]);
}
