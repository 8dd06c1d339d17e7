//! `grad --diff`: where the gradients of two models differ as mathematics.

use crate::command::{Ran, root, run_in};
use pullback::cli::files::Folder;
use pullback::compile::{Level, default_request, differentiate, read_from};
use pullback::graph::check::check;
use pullback::graph::print::{Part, print};
use pullback::ops::Size;
use pullback::passes::resize;
use serde_json::Value;
use std::path::PathBuf;

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

/// Dimensions are the same by their places in parameters, whatever they are called; data and names settle what those leave open.
#[test]
fn dimensions_go_together_by_their_parts() {
    let more = "q = h @ U\nloss C = mean[N](sum[1](q^2)) * mean(f64(iota(D))) + ";
    let net = NET.replace("loss C = ", more).replace("param v", "param U: f64[H, 2*H]\nparam v");
    let named = |names: [&str; 3]| {
        let text = net.replace("N", "!0").replace("D", "!1").replace("H", "!2");
        text.replace("!0", names[0]).replace("!1", names[1]).replace("!2", names[2])
    };
    let cases: &[([&str; 3], &str)] = &[
        (["N", "D", "H"], ""),
        (["M", "P", "Q"], "  dims: left N is right M, left D is right P, left H is right Q\n"),
        (["N", "H", "D"], "  dims: left D is right H, left H is right D\n"),
        (["H", "N", "D"], "  dims: left N is right H, left D is right N, left H is right D\n"),
    ];
    for (names, said) in cases {
        let ran = diff(&net, &named(*names), &[]);
        assert_eq!(ran.code, Some(0), "{names:?}\n{}{}", ran.stdout, ran.stderr);
        let head = format!("gradient of C: left a.nn, right b.nn\n{said}  d_W  equal\n");
        assert!(ran.stdout.starts_with(&head), "{}", ran.stdout);
        assert!(ran.stdout.ends_with("the same mathematics\n"), "{}", ran.stdout);
    }
    // A size, and one of which another is made.
    let two = net.replace("D, H\n", "P, Q = 2*H\n").replace("D, H]", "P, 3]");
    let two = two.replace("D]", "P]").replace("2*H]", "6]").replace("f64[H", "f64[3");
    let two = two.replace("iota(D)", "iota(P)").replace("Q = 2*H", "H = 7");
    let ran = diff(&net, &two, &["--json"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let found: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let dims = serde_json::json!([{"left": "D", "right": "P"}, {"left": "H", "right": "3"}]);
    assert_eq!(found["dims"], dims);
    // What differs is told with its index and both values under the names of the left model.
    let ran =
        diff(&net, &named(["M", "P", "Q"]).replace("+ mean(", "+ 3 * mean("), &["--wrt", "v"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("  d_v  DIFFERS\n      at ["), "{}", ran.stdout);
    let factor = "everywhere the left side is 0.333333 times the right one";
    assert!(ran.stdout.contains(factor), "{}", ran.stdout);
}

/// A dimension that would be two of the other model is a mistake, with its places in the second file.
#[test]
fn contradictory_parts_are_told() {
    let square = NET.replace("D, H]", "H, H]").replace("N, D]", "N, H]");
    let sized =
        NET.replace("D, H]", "D, 5]").replace("[H]", "[6]").replace("h @ v", "sum(h) * sum(v)");
    let cases = [
        (NET, &*square, "`H` is both D and H of a.nn", "b.nn:4:17"),
        (&*square, NET, "`H` of a.nn is both D and H here", "b.nn:4:17"),
        (NET, &*sized, "`H` of a.nn is both 5 and 6 here", "b.nn:5:14"),
        (&*sized, NET, "`H` is both 5 and 6 of a.nn", "b.nn:5:14"),
    ];
    for (one, two, message, place) in cases {
        let ran = diff(one, two, &[]);
        assert_eq!(ran.code, Some(2), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
        let head = format!("error[E0306]: {message}\n --> {place}\n");
        assert!(ran.stderr.starts_with(&head), "{}", ran.stderr);
    }
    // Data that lies otherwise is another input, of which only what needs it is not compared.
    let turned = NET.replace("x: f64[N, D]", "x: f64[D, N]").replace("x @ W", "x' @ W");
    let ran = diff(NET, &turned, &[]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("`x` is f64[N, D] and f64[D, N]"), "{}", ran.stdout);
}

/// A model with its dimensions renamed is the model of the text with other names in it: no size is forgotten.
#[test]
fn every_size_is_renamed() {
    let mut count = 0;
    // A chain of 2000 steps has no sizes of its own.
    for path in models().into_iter().filter(|path| !path.ends_with("g_deep_chain_2000/model.nn")) {
        let text = std::fs::read_to_string(&path).expect("a model");
        let folder = Folder::of(Some(&path));
        let derived = |text: &str| {
            let model = read_from(text, &[], &folder).model.expect("a model");
            let request = default_request(&model);
            let request = request.filter(|_| model.requests.len() < 2);
            match request {
                Some(request) => {
                    differentiate(&model, &[request], Level::Derived).expect("a gradient").model
                }
                None => model,
            }
        };
        let model = derived(&text);
        let names: Vec<String> = model.dims.iter().map(|(name, _)| name.to_string()).collect();
        let by = names.iter().map(|name| (name.as_str().into(), Size::named(&format!("{name}_q"))));
        let renamed = resize(&model, &by.collect()).expect("the same model");
        check(&renamed).expect("a sound model");
        let expected = print(&derived(&spelled(&text, &names)), Part::Whole).text;
        assert_eq!(print(&renamed, Part::Whole).text, expected, "{}", path.display());
        count += usize::from(!names.is_empty());
    }
    assert!(count > 20);
}

/// The text with `_q` behind each of the names that stands by itself.
fn spelled(text: &str, names: &[String]) -> String {
    let letter = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    let mut out = String::new();
    for word in text.split_inclusive(|c| !letter(c)) {
        let name = word.trim_end_matches(|c| !letter(c));
        out.push_str(name);
        if names.iter().any(|known| known == name) {
            out.push_str("_q");
        }
        out.push_str(&word[name.len()..]);
    }
    out
}

/// The examples, and the models of the cases.
fn models() -> Vec<PathBuf> {
    let listed = |folder: &str| std::fs::read_dir(root().join(folder)).expect("a folder");
    let paths = |folder| listed(folder).map(|entry| entry.expect("an entry").path());
    let cases = paths("tests/cases/models").map(|case| case.join("model.nn"));
    let models = paths("examples").chain(cases);
    models.filter(|path| path.extension().is_some_and(|suffix| suffix == "nn")).collect()
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
    assert!(ran.stdout.contains("`x` is f64[N, D] and f64[N]"), "{}", ran.stdout);
    let other = "dim N\ninput x: f64[N]\nparam v: f64[2, N]\nloss C = sum(x) * sum(v)\n";
    let ran = diff(NET, other, &["--wrt", "v"]);
    assert!(ran.stdout.contains("differing shapes: f64[H] and f64[2, N]"), "{}", ran.stdout);
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
