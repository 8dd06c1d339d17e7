//! Sorting.

use super::{case, check};

#[test]
fn derivatives_of_each_order_and_batches() {
    for call in
        ["sort(x)", "sort[N](x)", "sort[1](x, descending = true)", "topk[N](x, 2)", "topk(x, 3)"]
    {
        let y = if call.starts_with("topk") {
            format!("(y, i) = {call}")
        } else {
            format!("y = {call}")
        };
        check(&format!("dim N\nparam x: f64[N, 4]\n{y}\n"), &["x"], &[("N", 3)]);
    }
}

#[test]
fn order() {
    let nan = f64::NAN;
    let x = [2.0, nan, -1.0, 2.0, f64::INFINITY, -0.0, 0.0];
    let text = "input x: f64[7]\na = argsort(x)\nb = argsort(x, descending = true)\n\
                (v, i) = topk(x, 3)\ns = sort(x)\noutput a\noutput b\noutput i\noutput v\noutput s\n";
    let case = case(text, &[]).set("x", &[7], &x);
    assert_eq!(case.value("a").to_f64(), [2.0, 5.0, 6.0, 0.0, 3.0, 4.0, 1.0]);
    assert_eq!(case.value("b").to_f64(), [1.0, 4.0, 0.0, 3.0, 5.0, 6.0, 2.0]);
    assert_eq!(case.value("i").to_f64(), [1.0, 4.0, 0.0]);
    assert!(case.value("v").to_f64()[0].is_nan() && case.value("s").to_f64()[6].is_nan());
}

#[test]
fn equal_elements_keep_their_derivatives_apart() {
    let text = "param x: f64[3]\nloss C = sum(sort(x) * [1, 2, 3])\ng = grad(C, x)\noutput g\n";
    let case = case(text, &[]).set("x", &[3], &[5.0, 1.0, 5.0]);
    assert_eq!(case.value("g").to_f64(), [2.0, 1.0, 3.0]);
}

#[test]
fn integers() {
    let text = "input x: i64[2, 2]\ny = sort[0](x)\noutput y\n";
    let case = case(text, &[]).set("x", &[2, 2], &[3.0, 1.0, -2.0, 7.0]);
    assert_eq!(case.value("y").to_f64(), [-2.0, 1.0, 3.0, 7.0]);
}
