//! Derivations of loops as recurrences: their numbers, and their forms.

use crate::command::{run, run_with};
use crate::explain::{balanced, well_formed};
use serde_json::Value;

/// The net of the lecture with a memory: the output of each neuron is an input of the next step.
const NET: &str = "dim T, N, D = 2, H = 2\ninput x: f64[T, N, D]\ninput y: f64[N, H]\n\
    param Wx: f64[D, H] = [[0.5, -0.3], [0.2, 0.8]]\nparam Wh: f64[H, H] = [[0.1, 0.4], [-0.6, 0.3]]\n\
    param b: f64[H] = 0\n\
    h = scan t in T (h = zeros(N, H)) for xt in x { z = xt @ Wx + h @ Wh + b; h = tanh(z) }\n\
    loss C = 1/2 * sum((h - y)^2)\n";

const DATA: &[&str] = &["--set", "x=[[[1, 2]], [[0, 1]], [[-1, 1]]]", "--set", "y=[[1, 0]]"];

fn explain(text: &str, args: &[&str]) -> String {
    let ran = run_with(text, &[&["explain", "-", "-q"], args].concat());
    assert_eq!(ran.code, Some(0), "{args:?}\n{text}\n{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

#[test]
fn recurrences() {
    insta::assert_snapshot!("recurrence", explain(NET, &[]));
    insta::assert_snapshot!("recurrence_entry", explain(NET, &[&["Wh[0, 1]"], DATA].concat()));
    let whole = explain(NET, &[&["Wh", "--lang", "zh"], DATA].concat());
    insta::assert_snapshot!("recurrence_weights_zh", whole);
    let latex = explain(NET, &["Wh", "--to", "latex"]);
    balanced(&latex);
    insta::assert_snapshot!("recurrence_latex", latex);
    let html = explain(NET, &["Wh", "--to", "html"]);
    well_formed(&html);
    let (_, body) = html.split_once("<main>").expect("a body");
    insta::assert_snapshot!("recurrence_html", body);
}

/// Loops, each with entries of what it reads.
const LOOPS: &[(&str, &[&str], &[&str])] = &[
    (
        "(o, last) = scan t in T (h = 2 * first) for xt in 3 * x { h = tanh(xt * w + h @ outer(w, w)); yield sigmoid(h * v) }
         loss C = sum(o^2) + sum(last^3)",
        &["w[1]", "first[0]", "x[1, 0]", "v[0]"],
        &["dC/dh[-1] = u @ dC/dz1[0]", "dC/dv = sum[t](dC/dz2[t] * h[t])"],
    ),
    (
        "(ys, h) = scan reverse t in T (h = first) { h = x[t] * h + w * f64(t); yield h * h }
         loss C = sum(ys) + sum(h * v)",
        &["w[1]", "first[0]", "x[1, 1]"],
        &["h[T] = first", "for t from T - 1 to 0:", "dC/dfirst = dC/dh[T-1] * x[T - 1]"],
    ),
    (
        "(a, b) = scan t in T (a = first, b = w) for xt in x { c = a; a = b * xt; b = c + w }
         loss C = sum(a * b * v)",
        &["w[1]", "first[0]", "x[2, 1]"],
        &["b[t] = a[t-1] + w_loop", "dC/da[t] = dC/db[t+1]   at each step before", "dC/dfirst = dC/db[0]"],
    ),
    (
        "(hs, n, h, s) = scan t in T (n = 0, h = first, s = 0) for xt in x {
             n = n + 2; h = h * w + f64(n) * xt; s = s + sum(h^3); yield h }
         loss C = s + sum(hs[1:]) + sum(w * v)",
        &["w[1]", "first[1]", "x[0, 1]"],
        &["dC/dh[T-1] = dC/dhs[T-1] + 3 * dC/ds[T-1] * h[T-1]^2   at the last step"],
    ),
    (
        "(ys, a, b) = scan t in T (a = first, b = 2 * w) for xt in x { old = a; a = w * xt; b = old; yield b }
         loss C = sum(ys^2) + sum(b * a * v)",
        &["w[0]", "first[1]", "x[1, 0]"],
        &["ys[t] = a[t-1]", "dC/db[t] = 0   at each step before", "dC/dfirst = dC/dys[0] + dC/db[0]"],
    ),
    (
        "ys = scan t in T for xt in x { outer(xt, w)^2 }
         loss C = sum(ys^2) + sum(first * v)",
        &["w[0]", "x[1, 0]"],
        &["dC/dw = sum[t]((dC/dys[t] * outer(x[t], w))' @ x[t] * 2)"],
    ),
    (
        "(hs, h) = scan t in T (h = first) for xt in x { h = sin(h * w + v * v + xt * v); yield h }
         loss C = sum(h^2 + sum[T](hs))",
        &["w[0]", "first[1]", "v[1]"],
        &[
            "dC/dh[t] = dC/dhs[t] + d_u_1[t+1] * w   at each step before",
            "dC/dv_loop = sum[t](d_u_1[t] * x[t])",
            "dC/du = sum[t](d_u_1[t])",
        ],
    ),
    (
        "h = scan t in T (h = first) for xt in x { h = tanh(h + xt * w) }
         g = scan t in T (g = h) for xt in x { g = tanh(g * w + xt + v) }
         loss C = sum(g^2) + sum((g * w)^2)",
        &["w[1]", "first[1]", "v[0]"],
        &["dC/dw = ", "dC/dh = dC/dz2[0] * w_loop"],
    ),
];

/// Loops within loops, which go through what is given in parts of parts, whole, backwards, and three deep.
const WITHIN: &[(&str, &[&str], &[&str])] = &[
    (
        "h = scan t in T (h = first) for xt in x {
             g = scan s in S (g = h) { g = tanh(g * w + xt) }
             h = g + v }
         loss C = sum(h^2)",
        &["w[1]", "first[0]", "x[1, 0]", "v[0]"],
        &[
            "      g[t,-1] = h[t-1]",
            "          g[t,s] = tanh(z1[t,s])",
            "      g[t] = g[t,S-1]",
            "dC/dh[t] = dC/dz1[t+1,0] * w   at each step before",
            "dC/dw = sum[t, s](dC/dz1[t,s] * g[t,s-1])",
        ],
    ),
    (
        "h = scan t in T (h = first) for xt in x {
             (gs, g) = scan reverse t in 2 (g = 0.5) for hs in h, xs in xt, ws in w {
                 g = tanh(sum(v) * g + hs * xs) + ws * f64(t + 1); yield g }
             h = gs + h * g }
         loss C = sum(h^2)",
        &["w[1]", "first[1]", "x[2, 1]", "v[0]"],
        &[
            "g[t,t_2] = tanh(z1[t,t_2]) + ws[t,t_2] * f64(t_2 + 1)",
            "back through the loop within it, t_2 from 0 to 1:",
            "dC/dx[t,t_2] = dC/dz1[t,t_2] * hs[t,t_2]",
            "dC/dw = sum[t](dC/dws[t])",
        ],
    ),
    (
        "h = scan r in T (h = first) for xr in x {
             h = scan t in 2 (h = h) for xt in xr {
                 h = scan s in S (h = h) { h = tanh(h * w + xt) } } }
         loss C = sum(h * v)",
        &["w[0]", "first[1]", "x[1, 1]"],
        &[
            "          h[r,t,-1] = h[r,t-1]",
            "              h[r,t,s] = tanh(z1[r,t,s])",
            "dC/dh[r] = dC/dz1[r+1,0,0] * w   at each step before",
            "dC/dw = sum[r, t, s](dC/dz1[r,t,s] * h[r,t,s-1])",
            "dC/dx[r,t] = sum[s](sum(dC/dz1[r,t,s]))",
        ],
    ),
    (
        "(hs, m, h) = scan t in T (m = v, h = first) for xt in x {
             z = h * w
             (ms, m) = scan s in S (m = m * 2) { m = sin(m * w + z); yield outer(m, xt) }
             h = h * m + sum[0](ms[0])
             yield h }
         loss C = sum(hs^2) + sum(h * w * m)",
        &["w[0]", "first[1]", "x[1, 1]", "v[0]"],
        &[
            "m[t,-1] = m[t-1] * 2",
            "dC/dm[t,s] = d_z_1[t,s+1] * w_loop_2[t] + dC/dms[t,s] @ x[t]   at each step before",
            "dC/dz[t] = sum[s](d_z_1[t,s])",
        ],
    ),
];

const GIVEN: &[&str] = &[
    "--set",
    "x=[[1, 2], [3, -1], [0.5, 2]]",
    "--set",
    "w=[0.5, -1.5]",
    "--set",
    "v=[1, 2]",
    "--set",
    "first=[0.3, -0.9]",
];

/// Sums over the rounds are what differences say.
#[test]
fn sums_over_rounds() {
    let plain = LOOPS.iter().map(|row| ("dim T\ninput x", row));
    let within = WITHIN.iter().map(|row| ("dim T, S = 2\nparam x", row));
    for (head, (text, entries, lines)) in plain.chain(within) {
        let text = format!("{head}: f64[T, 2]\nparam w, v, first: f64[2]\n{text}\n");
        let whole = explain(&text, &[]);
        for line in *lines {
            assert!(whole.contains(line), "{line}\nis not in\n{whole}");
        }
        assert!(!whole.contains("scan"), "{whole}");
        for entry in *entries {
            let document = explain(&text, &[&[entry, "--json"], GIVEN].concat());
            let document: Value = serde_json::from_str(&document).expect("a document");
            let goal = &document["goals"][0];
            let number = |value: &Value| value.as_f64().expect("a number");
            let (derived, measured) =
                (number(&goal["derived"]), number(&goal["nudge"]["measured"]));
            let close = (derived - measured).abs() < 1e-5 * derived.abs().max(1e-2);
            assert!(close && derived != 0.0, "{entry} of {text}{document}");
            let value = document["values"].as_array().expect("values");
            assert!(value.iter().any(|value| value["name"] == "C"), "{document}");
        }
    }
}

/// A net whose state comes to rest within each step.
const SETTLES: &str = "dim T, S, D = 2\ninput x: f64[T, D]\n\
    param A: f64[D, D]\nparam b: f64[D]\n\
    h = scan t in T (h = zeros(D)) for xt in x {\n\
    g = scan s in S (g = h) { g = tanh(A @ g + xt) }\n\
    h = g + b }\n\
    loss C = 1/2 * sum(h^2)\n";

#[test]
fn loops_within_loops() {
    insta::assert_snapshot!("within", explain(SETTLES, &[]));
    let given = ["--dim", "S=2", "--set", "x=[[1, -1], [0.5, 2]]", "--set"];
    let given = [&given[..], &["A=[[0.5, -0.3], [0.2, 0.8]]", "--set", "b=[0.1, -0.2]"]].concat();
    let entry = explain(SETTLES, &[&["A[0, 1]", "--lang", "zh"], &given[..]].concat());
    insta::assert_snapshot!("within_entry_zh", entry);
    for (text, ..) in WITHIN {
        let text = format!("dim T, S = 2\nparam x: f64[T, 2]\nparam w, v, first: f64[2]\n{text}\n");
        balanced(&explain(&text, &["--to", "latex"]));
        well_formed(&explain(&text, &["--to", "html", "--lang", "zh"]));
        well_formed(&run_with(&text, &["grad", "-", "--to", "svg"]).stdout);
    }
    // What no derivative flows through stays a program, in the names of the round.
    let counted = "dim T\nparam x: f64[T, 2]\nparam a: f64\n\
        h = scan t in T (h = 0.3) for xt in x {\n\
        k = scan s in 2 (k = h > 0) for xs in xt { k = k or (xs > 0.1) }\n\
        h = h * a + f64(k) }\nloss C = h^2\n";
    let counted = explain(counted, &["a"]);
    assert!(counted.contains("k = scan s in 2 (k = h[t-1] > 0) for xs in x[t] {"), "{counted}");
}

/// What is too long to be shown round by round has its totals.
#[test]
fn long_loops() {
    let left_out = "they are shown of up to 8 steps";
    let long = explain(
        NET,
        &["Wh[0, 1]", "--dim", "T=20", "--set", "x=randn", "--set", "y=zeros", "--dim", "N=1"],
    );
    assert!(long.contains(left_out), "{long}");
    assert!(long.contains("nudge check") && long.ends_with("ok\n"), "{long}");
    let none = ["Wh", "--set", "x=zeros", "--dim", "T=0", "--dim", "N=1", "--set", "y=[[1, 0]]"];
    assert!(explain(NET, &none).contains("ok\n"));
    let nested = "dim T\ninput x: f64[T]\nparam w: f64\n\
        h = scan t in T (h = f64(0)) for xt in x { h = scan s in T (g = h) for xs in x { g = sin(g + w * xs * xt) } }\n\
        loss C = h^2\n";
    let short = explain(nested, &["--set", "w=0.5", "--set", "x=[1, 2]"]);
    assert!(short.contains("g[1,0] ") && short.ends_with("ok\n"), "{short}");
    let long = explain(nested, &["w", "--set", "w=0.5", "--set", "x=[1, 2, 0.5]"]);
    assert!(long.contains(left_out) && !long.contains("g[1,0] "), "{long}");
    assert!(long.contains("h[2] ") && long.ends_with("ok\n"), "{long}");
}

/// The example of an LSTM has all cases in both languages.
#[test]
fn the_lstm_in_both_languages() {
    for (lang, last, before) in
        [("en", "output layer", "at each step before"), ("zh", "输出层", "此前每一步")]
    {
        let ran = run(&["explain", "examples/lstm.nn", "--lang", lang]);
        for line in [
            last,
            before,
            "dC/dh[T-1] = dC/dh",
            "dC/dh[t] = dC/dz1[t+1] @ Wh'",
            "dC/dc[t] = dC/dc[t+1] * sigmoid(f[t+1]) + dC/dh[t] * sigmoid(o[t]) * (1 - tanh(c[t])^2)",
            "dC/dWh = sum[t](h[t-1]' @ dC/dz1[t])",
        ] {
            assert!(ran.stdout.contains(line), "{line}\n{}", ran.stdout);
        }
    }
}
