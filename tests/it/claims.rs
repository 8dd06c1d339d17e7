//! Claims about what derivatives are: those of `README.md` hold, and false ones are refuted with what shows it.

use crate::command::{root, run, run_with};
use serde_json::Value;

/// The folder of the files that the table links.
const FOLDER: &str = "examples/claims";

/// The rows of the table in `README.md`: what each claim comes to, and its file.
fn rows() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let linked = text.lines().filter(|line| line.starts_with("| ") && line.contains(FOLDER));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, verdict, link] = cells[..] else { panic!("three cells, not {line}") };
        let (name, path) = link.split_once("](").expect("a link");
        let path = path.trim_end_matches(')');
        assert_eq!(format!("{FOLDER}/{}", name.trim_start_matches('[')), path);
        (verdict.to_string(), path.to_string())
    };
    linked.map(row).collect()
}

/// What `verify --json` says of each claim of a model under `key`; `code` is how it ends.
fn told(text: &str, code: i32, key: &str) -> Vec<Value> {
    let ran = run_with(text, &["verify", "-", "-q", "--json"]);
    assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let claims = document["claims"].as_array().expect("a list");
    claims.iter().map(|claim| claim[key].clone()).collect()
}

#[test]
fn claims_of_the_readme_hold() {
    for (verdict, path) in rows() {
        let ran = run(&["verify", &path, "--json", "-q"]);
        assert_eq!(ran.code, Some(0), "{path}\n{}{}", ran.stdout, ran.stderr);
        let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
        let claims = document["claims"].as_array().expect("a list of claims");
        let text = std::fs::read_to_string(root().join(&path)).expect("a file");
        let written = text.lines().filter(|line| line.starts_with("expect ")).count();
        assert_eq!((claims.len(), written > 0), (written, true), "{path}");
        for claim in claims {
            assert_eq!(claim["verdict"], *verdict, "{path}: {}", claim["claim"]);
        }
    }
}

#[test]
fn the_table_of_the_readme_has_every_claim() {
    let mut files: Vec<String> = std::fs::read_dir(root().join(FOLDER))
        .expect("the folder of claims")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
        .map(|name| format!("{FOLDER}/{name}"))
        .collect();
    let mut linked: Vec<String> = rows().into_iter().map(|(_, path)| path).collect();
    files.sort();
    linked.sort();
    assert!(files.len() > 15);
    assert_eq!(linked, files);
    let ran =
        run(&[&["fmt", "--check"], &files.iter().map(String::as_str).collect::<Vec<_>>()[..]]
            .concat());
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

/// A side that is 0 in truth is computed as what is left of numbers that cancel: that is no difference.
#[test]
fn what_cancels_is_no_difference() {
    let text = "dim N\nparam x: f64[N]\nparam y: f64[N]\nexpect sum(x - mean(x)) == 0\n\
        expect sum(x * y) - sum(y * x) == 0\nexpect sum(abs(x - mean(x))) - 2 * sum(where(x > mean(x), x - mean(x), 0)) == 0\n\
        expect sum(x - mean(x)) == 1e-20\n";
    assert_eq!(told(text, 1, "verdict"), ["proved", "proved", "agrees", "refuted"]);
}

#[test]
fn false_claims_are_refuted() {
    let text = "dim N, D\ninput x: f64[N, D]\ninput y: f64[N]\nparam w: f64[D]\n\
        loss C = mean((x @ w - y)^2)\nexpect grad(C, w) == x' @ (x @ w - y) / N\nexpect sum(w) == w @ w\n";
    let ran = run_with(text, &["verify", "-", "-q"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    let shown = &ran.stdout;
    assert!(shown.contains(":6  REFUTED  expect grad(C, w) == x' @ (x @ w - y) / N"), "{shown}");
    assert!(shown.contains("everywhere the left side is 2 times the right one"), "{shown}");
    assert!(shown.contains(":7  REFUTED"), "{shown}");
    assert!(shown.contains("left = sum[D](w)\n      right = w @ w\n"), "{shown}");
}

/// What no law says and no number denies agrees, and how closely is told.
#[test]
fn what_is_not_proved_may_agree() {
    let ran =
        run_with("param x: f64\nexpect where(x > 0, x, -x) == abs(x)\n", &["verify", "-", "-q"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.stdout.contains("agrees"), "{}", ran.stdout);
    assert!(ran.stdout.contains("at 8 points in double-double they differ by"), "{}", ran.stdout);
}

#[test]
fn a_claim_without_a_point_is_undecided() {
    let ran = run_with("param x: f64\nexpect log(-x^2 - 1) == x\n", &["verify", "-", "-q"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.contains("undecided"), "{}", ran.stdout);
}

/// A proof tells where both sides are defined, and what laws had to know.
#[test]
fn proofs_have_conditions() {
    let text = "param x: f64\nparam a: f64[3]\nexpect exp(log(x)) == x\n\
        expect (x^2 - a) / (x - a) * (x - a) == x^2 - a\nexpect exp(a) * x / exp(a) == x * ones(3)\n\
        expect sqrt(sum(a^2))^2 == sum(a * a)\n";
    let places = told(text, 0, "where");
    assert_eq!(places[0], serde_json::json!(["x > 0"]));
    assert_eq!(places[1], serde_json::json!(["(x - a) != 0"]));
    assert_eq!(places[2], serde_json::json!([]));
    assert_eq!(places[3], serde_json::json!([]));
    let ran = run_with(text, &["verify", "-", "-q"]);
    assert!(ran.stdout.contains("by exponential of a logarithm; where x > 0\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("factor above and below (its x > 0)"), "{}", ran.stdout);
}

/// At a kink the slopes to both sides differ: that is said, and is no disagreement.
#[test]
fn kinks_are_told() {
    let ran = run(&[
        "verify",
        "-q",
        "-e",
        "param x: f64[3]; sum(abs(x) + relu(x))",
        "--set",
        "x=[0, 1, -1]",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.stdout.contains("1 at a kink, first x[0]"), "{}", ran.stdout);
}

/// Differences hold what `stop_gradient` holds: gradients past it are confirmed, and a wrong one is still found.
#[test]
fn what_is_held_stands_still() {
    let round = "dim N, D = 3\ninput x: f64[N, D]\nparam w: f64[D] ~ normal()\nz = x @ w\n\
        loss C = mean[N]((z + stop_gradient(round(z) - z) - 1)^2)\n";
    let target = "dim N, D = 3\ninput s: f64[N, D]\ninput s2: f64[N, D]\ninput r: f64[N]\n\
        param W: f64[D, 4] ~ glorot()\nparam v: f64[4] ~ normal()\n\
        fn q(s: f64[M, D], W: f64[D, 4], v: f64[4]) -> f64[M] { return tanh(s @ W) @ v }\n\
        loss C = mean[N]((q(s, W, v) - r - 0.9 * stop_gradient(q(s2, W, v)))^2)\n";
    let loops = "dim N, S = 3\ninput x: f64[N, S]\nparam a: f64 = 0.7\n\
        (hs, h) = scan t in N (h = a / 2) for xt in x {\n\
        (g) = scan s in S (g = h) for xs in xt { g = tanh(a * xs + stop_gradient(g) * h + g) }\n\
        h = g * stop_gradient(h + a)\nyield h * stop_gradient(a * xt[0])\n}\nloss C = sum(hs^2) + h\n";
    let rule = "fn f(x: f64) -> f64 { return x^2 + stop_gradient(x) } vjp(dy) { return 2 * x * dy }\n\
        dim N\ninput u: f64[N]\nparam x: f64 = 2\nloss C = f(x) * stop_gradient(x) + sum(u)\n";
    let still = ", what `stop_gradient` holds standing still\n";
    for model in [round, target, loops, rule] {
        let ran = run_with(model, &["verify", "-", "-q", "--dim", "N=4"]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(still), "{}", ran.stdout);
    }
    let wrong = rule.replace("2 * x * dy", "3 * x * dy");
    let ran = run_with(&wrong, &["verify", "-", "-q", "--dim", "N=4"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.contains("x  REFUTED"), "{}", ran.stdout);
    assert!(ran.stdout.contains("f, called on line 5  REFUTED"), "{}", ran.stdout);
    let apart = "param x: f64 = 2; input u: f64; loss C = x^2 * stop_gradient(u)";
    let ran = run_with(apart, &["verify", "-", "-q", "--json"]);
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert_eq!((&document["ok"], &document["held"]), (&true.into(), &false.into()));
}

/// Maxima and absolute values, however they are written, have one normal form.
#[test]
fn maxima_are_proved() {
    let text = "param x: f64[3]\nparam y: f64[3]\nexpect relu(x) == maximum(x, 0)\n\
        expect relu(x) - relu(-x) == x\nexpect maximum(x, y) + minimum(y, x) == x + y\n\
        expect minimum(0, x) == -relu(-x)\nexpect maximum(x, y) == maximum(y, x)\n\
        expect abs(x) == relu(x) + relu(-x)\nexpect maximum(x, y) == -minimum(-x, -y)\n\
        expect maximum(x, 0) == minimum(x, 0)\n";
    assert_eq!(told(text, 1, "verdict")[..7], ["proved"; 7]);
    assert_eq!(told(text, 1, "verdict")[7], "refuted");
}

/// What only the laws make finite is told beside what both derivations agree on.
#[test]
fn the_source_as_written_is_compared() {
    let model = "param x: f64[3]; log(sum(exp(x)))";
    let ran = run(&["verify", "-q", "-e", model, "--set", "x=[1000, -2, 3]"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let told = "in the 2 of 3 entries that are finite at -O0";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
}

#[test]
fn precisions_and_modes_are_compared() {
    let ran = run(&["verify", "-q", "examples/lecture.nn", "--dim", "N=3", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert!(document["dot"]["error"].as_f64().expect("a number") < 1e-12);
    let single = document["f32_vs_f64"].as_f64().expect("a number");
    assert!((1e-9..1e-4).contains(&single), "{single}");
}

/// A loop is stable in its body, and claims about it are judged.
#[test]
fn scans_are_judged() {
    let text = "dim T\ninput x: f64[T]\nparam w: f64 = 0.5\n\
        h = scan t in T (h = 0.1) for xt in x { h = log(1 + exp(w * xt + h)) }\n\
        loss C = h\nexpect jvp(C, w, w) == w * grad(C, w)\n";
    let ran = run_with(text, &["verify", "-", "-q", "--set", "x=[0.1, 1000, 2]"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let said = run_with(text, &["check", "-", "-v"]);
    assert!(said.stdout.contains("made stable: log of 1 + exp (line 4)"), "{}", said.stdout);
    let found = run_with(text, &["eval", "-", "-q", "--grad", "--set", "x=[0.1, 3000, 2]"]);
    assert!(!found.stdout.contains("nan") && !found.stdout.contains("inf"), "{}", found.stdout);
}
