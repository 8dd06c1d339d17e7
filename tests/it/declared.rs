//! What is declared of variables: `symmetric`, ranges, states.

use crate::command::{Ran, run_with};

fn fine(text: &str, args: &[&str]) -> String {
    let Ran { stdout, stderr, code } = run_with(text, args);
    assert_eq!(code, Some(0), "{stdout}{stderr}\nof:\n{text}");
    stdout
}

/// The gradient by a symmetric matrix is the symmetric half of what flows back, in print and in numbers.
#[test]
fn symmetric_gradients() {
    let head = "dim N\nparam S: f64[N, N] symmetric ~ normal()\ninput x: f64[N]\ninput y: f64[N]\n";
    let cases = [
        ("x @ S @ x", "S", "d_S = outer(x, x)"),
        ("x @ S @ y", "S", "d_S_2 = outer(x, y)"),
        ("x @ S @ x", "x", "d_x = S @ x * 2"),
        ("logdet(S @ S + eye(N))", "S", ""),
        ("sum(sin(S) @ x) + grad(x @ S @ S @ y, S)[0, 1]", "S", ""),
    ];
    for (formula, wrt, printed) in cases {
        let text = format!("{head}loss C = {formula}\nmetric used = sum(x) + sum(y)\n");
        let gradient = fine(&text, &["grad", "-", "--wrt", wrt, "-q"]);
        assert!(gradient.contains(printed), "{gradient}");
        fine(&text, &["verify", "-", "--wrt", wrt, "--dim", "N=3", "--seed", "3"]);
    }
    let text = format!("{head}loss C = sum(S @ x * y)\noutput S\n");
    let data = ["--set", "x=[1, 2, 3]", "--set", "y=[1, -1, 0]"];
    let args = [&["eval", "-", "--grad", "--wrt", "S", "--json"], &data[..]].concat();
    let document: serde_json::Value = serde_json::from_str(&fine(&text, &args)).expect("JSON");
    let numbers = |value: &serde_json::Value| -> Vec<f64> {
        let data = value["data"].as_array().expect("a list");
        data.iter().map(|v| v.as_f64().expect("a number")).collect()
    };
    assert_eq!(numbers(&document["grads"]["S"]), [1.0, 0.5, 1.5, 0.5, -2.0, -1.5, 1.5, -1.5, 0.0]);
    let start = numbers(&document["values"]["S"]);
    assert!((0..9).all(|place| start[place] == start[place % 3 * 3 + place / 3]), "{start:?}");
}

/// States stand still in evaluation unless they are asked for, are read back and count as constants.
#[test]
fn states() {
    let text = "dim N, D = 2
        input x: f64[N, D] in (-inf, inf]
        param w: f64[D] = [1, -1]
        state m: f64[D] = 0
        state n: i64 = 0
        update m = where(training, m / 2 + mean[N](x) / 2, m)
        update n = n + 1
        loss C = sum(((x - m) @ w)^2)
        output m
        output drift = grad(C, w) @ m
        metric count = n
        ";
    let data = ["--set", "x=[[1, 2], [3, 6]]"];
    let eval = |text: &str, more: &[&str]| {
        let args = [&["eval", "-", "--json", "--updates"], &data[..], more].concat();
        serde_json::from_str::<serde_json::Value>(&fine(text, &args)).expect("JSON")
    };
    let still = eval(text, &[]);
    assert_eq!(still["states"]["m"]["data"], serde_json::json!([0.0, 0.0]));
    assert_eq!(still["states"]["n"]["data"], serde_json::json!([1]));
    let moved = eval(text, &["--training", "--set", "m=[2, 4]", "--set", "n=6"]);
    assert_eq!(moved["states"]["m"]["data"], serde_json::json!([2.0, 4.0]));
    assert_eq!(moved["states"]["n"]["data"], serde_json::json!([7]));
    assert_eq!(moved["values"]["C"]["data"], serde_json::json!([2.0]));
    assert_eq!(moved["values"]["count"]["data"], serde_json::json!([6]));
    assert!(eval(text, &[])["values"]["m"].is_object() && still["values"]["n"].is_null());

    // The printed model is the same model.
    let whole = fine(text, &["grad", "-", "--full", "-q"]);
    for line in ["state m: f64[D] = 0", "state n: i64 = 0", "update n = n + 1"] {
        assert!(whole.contains(&format!("\n{line}\n")), "{whole}");
    }
    let again = eval(&whole, &["--training", "--set", "m=[2, 4]", "--set", "n=6"]);
    assert_eq!(again["states"], moved["states"]);
    assert_eq!(fine(&whole, &["graph", "-"]).matches("update ").count(), 2);
    fine(text, &["verify", "-", "--training", data[0], data[1], "--set", "m=[1, 1]"]);

    // What only an update needs is not asked for.
    let lazy =
        "input x: f64\nstate m: f64 = 0\nupdate m = x\nparam w: f64 = 2\nloss C = (w - m)^2\n";
    assert_eq!(fine(lazy, &["eval", "-"]), "C = 4\n");
    assert_eq!(run_with(lazy, &["eval", "-", "--updates"]).code, Some(2));
    assert_eq!(run_with(lazy, &["grad", "-", "--wrt", "m"]).code, Some(2));
}

/// Rules beside functions are checked against the functions, each by itself.
#[test]
fn rules() {
    let text = |rule: &str| {
        format!(
            "input x: f64[3]
             param s: f64[3]
             fn scaled(x: float[..], s: float[..]) -> float[..] {{ return x * exp(s) }} vjp(dy) {{ return {rule} }}
             fn cube(x: float[..]) -> float[..] {{ return x^3 }} vjp(dy) {{ return 3 * x^2 * dy }}
             loss C = sum(cube(scaled(x, s)))"
        )
    };
    let right = fine(&text("exp(s) * dy, x * exp(s) * dy"), &["verify", "-"]);
    assert_eq!(right.matches("called on line 5  agrees").count(), 2, "{right}");
    let wrong = run_with(&text("exp(s) * dy, x * dy"), &["verify", "-", "--wrt", "x"]);
    assert_eq!(wrong.code, Some(1));
    for line in
        ["  x  agrees", "  scaled, called on line 5  REFUTED", "  cube, called on line 5  agrees"]
    {
        assert!(wrong.stdout.contains(line), "{}", wrong.stdout);
    }
}
