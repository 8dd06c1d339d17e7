//! `grad --diff`: where the gradients of two models differ as mathematics.

use crate::command::{Ran, run_in};
use serde_json::Value;

const NET: &str = "dim N, D, H\ninput x: f64[N, D]\ninput y: f64[N]\nparam W: f64[D, H]\nparam v: f64[H]\n\
    h = sigmoid(x @ W)\nloss C = mean((h @ v - y)^2)\n";

fn diff(one: &str, two: &str, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.nn"), one).expect("a file");
    std::fs::write(folder.path().join("b.nn"), two).expect("a file");
    run_in(folder.path(), &[&["grad", "a.nn", "--diff", "b.nn", "-q"], more].concat())
}

/// The same network with other names and another spelling: nothing differs, in no statement.
#[test]
fn other_spellings_are_equal() {
    let two = "dim N, D, H\nparam W: f64[D, H]\nparam v: f64[H]\ninput x: f64[N, D]\ninput y: f64[N]\n\
        a = x @ W\nout = 1 / (1 + exp(-a)) @ v\nr = y - out\nloss C = r @ r / N\n";
    let ran = diff(NET, two, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.starts_with("gradient of C: left a.nn, right b.nn\n"), "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("  equal\n").count(), 2, "{}", ran.stdout);
    assert!(ran.stdout.contains("at 8 points in double-double"), "{}", ran.stdout);
    assert!(
        ran.stdout.ends_with("the printed statements are the same mathematics\n"),
        "{}",
        ran.stdout
    );
}

/// Of two statements one is the same under another name: the other is all that is shown to differ.
#[test]
fn differences_are_told_apart() {
    let two = NET.replace("sigmoid", "tanh");
    let ran = diff(NET, &two, &["--wrt", "W"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("  d_W  DIFFERS\n      at ["), "{}", ran.stdout);
    assert!(ran.stdout.contains("values of one name that differ: `h`, `C`"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("- d_W_1 = ") && ran.stdout.contains("+ d_W_1 = "),
        "{}",
        ran.stdout
    );
    let two = NET.replace("(h @ v - y)^2)", "(h @ v - y)^2) + 3 * sum(v)");
    let ran = diff(NET, &two, &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("  d_W  equal\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("  d_v  DIFFERS\n"), "{}", ran.stdout);
    let changed: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("  + ")).collect();
    assert!(matches!(changed[..], [line] if line.starts_with("  + d_v = ")), "{}", ran.stdout);
}

#[test]
fn the_factor_is_found() {
    let ran = diff(NET, &NET.replace("mean(", "1/2 * mean("), &["--json"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let found: Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert_eq!(found["ok"], false);
    for gradient in found["gradients"].as_array().expect("a list") {
        assert_eq!(gradient["verdict"], "refuted");
        assert_eq!(gradient["reason"][0], "everywhere the left side is 2 times the right one");
        assert!(gradient["left"].is_number() && gradient["at"].is_string());
    }
    assert_eq!(found["unlike"], serde_json::json!(["C"]));
}

/// What one lacks, shapes that differ, variables of other types.
#[test]
fn what_cannot_be_compared_is_said() {
    let more = NET.replace("loss C =", "param b: f64\nloss C = b +");
    let ran = diff(NET, &more, &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("  d_b  only in b.nn\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("  d_W  equal\n"), "{}", ran.stdout);
    let other = "dim N\ninput x: f64[N]\nparam v: f64[2]\nloss C = sum(x) * sum(v)\n";
    let ran = diff(NET, other, &["--wrt", "v"]);
    assert!(ran.stdout.contains("differing shapes: f64[H] and f64[2]"), "{}", ran.stdout);
    let other = "dim N, H\ninput x: f64[N]\nparam v: f64[H]\nloss C = sum(x) * sum(v)\n";
    let ran = diff(NET, other, &["--wrt", "v"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("`x` is f64[N, D] and f64[N]"), "{}", ran.stdout);
}

/// A loop is compared as a whole; sizes that only one model fixes are the same sizes.
#[test]
fn loops_and_sizes_are_compared() {
    let one = "dim T, D = 3\ninput x: f64[T, D]\nparam W: f64[D, D]\n\
        h = scan t in T (h = zeros(D)) for xt in x { h = tanh(xt @ W + h) }\nloss C = sum(h^2)\n";
    let two = one.replace("D = 3", "D").replace("sum(h^2)", "h @ h");
    let ran = diff(one, &two, &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let ran = diff(one, &two.replace("+ h", "- h"), &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
}
