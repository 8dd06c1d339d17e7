//! Linear algebra.

use super::{case, check, close};

/// Well away from singular: the identity is added a few times.
const WHOLE: &str = "m = a + 2 * eye(3)\n";

#[test]
fn derivatives_of_each_order_and_batches() {
    let a = "param a: f64[3, 3]\nparam b: f64[3]\nparam c: f64[3, 2]\n";
    let rows: &[(&str, &[&str])] = &[
        ("y = inverse(m)", &["a"]),
        ("y = logdet(m) * b", &["a"]),
        ("y = cholesky(m @ m')", &["a"]),
        ("y = cholesky(m + m')", &["a"]),
        ("y = solve(m, b)", &["a", "b"]),
        ("y = solve(m, c)", &["a", "c"]),
        ("y = solve(m, c, lower = true)", &["a", "c"]),
        ("y = solve(m, b, upper = true)", &["a", "b"]),
    ];
    for (y, params) in rows {
        check(&format!("{a}{WHOLE}{y}\n"), params, &[]);
    }
}

#[test]
fn leading_axes_and_symbolic_sizes() {
    let head = "dim N, D\nparam a: f64[N, D, D]\nparam b: f64[N, D]\nparam c: f64[N, D, 1]\n\
                m = a + 3 * eye(D)\n";
    let rows: &[(&str, &[&str])] = &[
        ("y = inverse(m)", &["a"]),
        ("y = logdet(m)", &["a"]),
        ("y = cholesky(m + m')", &["a"]),
        ("y = solve(m, b)", &["a", "b"]),
        ("y = solve(m, c, upper = true)", &["a", "c"]),
    ];
    for (y, params) in rows {
        check(&format!("{head}{y}\n"), params, &[("N", 2), ("D", 2)]);
    }
}

#[test]
fn values() {
    let text = "input a: f64[3, 3]\ninput b: f64[3, 2]\ni = inverse(a)\nl = logdet(a)\nx = solve(a, b)\nr = a @ x\n\
                s = a @ a'\nh = cholesky(s)\nt = h @ h'\nu = a @ i\n\
                output i\noutput l\noutput r\noutput t\noutput s\noutput u\n";
    // The first pivot is 0.
    let a = [0.0, 2.0, 1.0, 3.0, -1.0, 0.5, 1.0, 1.0, -2.0];
    let case = case(text, &[]).set("a", &[3, 3], &a);
    close(&case.value("u").to_f64(), &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], "inverse");
    // -2 * (3 * -2 - 0.5 * 1) + 1 * (3 * 1 + 1)
    close(&case.value("l").to_f64(), &[17f64.ln()], "logdet");
    close(&case.value("r").to_f64(), &case.numbers("b"), "solve");
    close(&case.value("t").to_f64(), &case.value("s").to_f64(), "cholesky");
}

#[test]
fn singular_matrices() {
    let text = "input a: f64[2, 2]\ninput b: f64[2]\ni = inverse(a)\nl = logdet(a)\nx = solve(a, b)\n\
                h = cholesky(a)\nt = solve(a, b, upper = true)\noutput i\noutput l\noutput x\noutput h\noutput t\n";
    let case = case(text, &[]).set("a", &[2, 2], &[1.0, 2.0, 2.0, 4.0]).set("b", &[2], &[1.0, 1.0]);
    assert!(case.value("i").to_f64().iter().all(|v| v.is_nan()));
    assert!(case.value("x").to_f64().iter().all(|v| v.is_nan()));
    assert_eq!(case.value("l").to_f64(), [f64::NEG_INFINITY]);
    let lower = case.value("h").to_f64();
    assert!(lower[0].is_nan() && lower[2].is_nan() && lower[3].is_nan() && lower[1] == 0.0);
    let case = case.set("a", &[2, 2], &[1.0, 2.0, 9.0, 0.0]);
    assert_eq!(case.value("t").to_f64(), [f64::NEG_INFINITY, f64::INFINITY]);
}
