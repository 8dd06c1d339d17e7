//! Whatever the text, the whole pipeline ends without a panic, and what it refuses it refuses at a place.

use crate::command::{root, run_with};
use crate::pipeline::{deep, whole};
use proptest::prelude::*;
use std::path::Path;
use std::time::{Duration, Instant};

/// Every model of the project, right or wrong.
fn corpus() -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|e| e.expect("an entry").path())
            .collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|suffix| suffix == "nn") {
                found.extend(std::fs::read_to_string(&path).ok().filter(|text| text.len() < 4000));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("tests/cases"), &mut found);
    walk(&root().join("examples"), &mut found);
    let pages = include_str!("../../src/cli/codes.md").split("```nn ").skip(1);
    let blocks =
        pages.filter_map(|block| Some(block.split_once('\n')?.1.split_once("```")?.0.to_string()));
    found.extend(blocks);
    found
}

/// The words and signs of a text.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    for c in text.chars() {
        match pieces.last_mut() {
            Some(last) if word(c) && last.chars().all(word) => last.push(c),
            _ => pieces.push(c.to_string()),
        }
    }
    pieces
}

const ODD: &[&str] = &[
    "0",
    "1",
    "-1",
    "1e9",
    "1000000000",
    "9223372036854775807",
    "1e400",
    "0.5",
    "N",
    "D",
    "x",
    "W",
    "h",
    "e",
    "inf",
    "nan",
    "true",
    "[",
    "]",
    "(",
    ")",
    "'",
    "@",
    "^",
    "*",
    "/",
    "==",
    "and",
    "not",
    "..",
    ":",
    "None",
    "as",
    "~",
    "=",
    "\n",
    ";",
    "sum",
    "grad",
    "jacobian",
    "hessian",
    "softmax",
    "reshape",
    "concat",
    "einsum",
    "\"ij,jk->ik\"",
    "where",
    "take_along",
    "f32",
    "i64",
    "bool",
    "float",
    "keep",
    "fn",
    "loss",
    "output",
    "param",
    "input",
    "dim",
    "const",
    "stop_gradient",
    "layer",
    "repeat",
    "return",
    "yield",
    "train",
    "expect",
    "use",
    "as l1",
    "; 3",
    "l1.W",
    "bs.0.W",
    "{",
    "}",
    "training",
    "sgd(lr = 0.1)",
];

/// Texts of the corpus with pieces taken away, doubled, swapped or put in.
fn mutated() -> impl Strategy<Value = String> {
    let texts = corpus();
    let edits = prop::collection::vec(
        (0..5u8, any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        1..5,
    );
    (prop::sample::select(texts), edits).prop_map(|(text, edits)| {
        let mut pieces = pieces(&text);
        for (kind, at, other) in edits {
            if pieces.is_empty() {
                break;
            }
            let (at, from) = (at.index(pieces.len()), other.index(pieces.len()));
            match kind {
                0 => drop(pieces.remove(at)),
                1 => pieces.insert(at, pieces[from].clone()),
                2 => pieces.swap(at, from),
                3 => pieces[at] = other.get(ODD).to_string(),
                _ => pieces.insert(at, format!(" {} ", other.get(ODD))),
            }
        }
        pieces.concat()
    })
}

/// Formulas over names of all kinds, most of them well formed.
fn formula() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(vec![
        "x",
        "W",
        "b",
        "s",
        "n",
        "k",
        "N",
        "D",
        "1",
        "0",
        "2",
        "0.5",
        "-1",
        "1e9",
        "e",
        "pi",
        "inf",
        "nan",
        "true",
        "[1, 2]",
        "[[1, 2], [3, 4]]",
        "zeros(N)",
        "ones(N, D)",
        "eye(D)",
        "iota(N)",
        "b[None, :]",
        "x[0]",
        "x[:, -1]",
        "x[::-1]",
        "W[n]",
    ]);
    atom.prop_map(str::to_string).prop_recursive(4, 24, 3, |inner| {
        let unary = prop::sample::select(vec![
            "-",
            "not ",
            "exp",
            "log",
            "relu",
            "abs",
            "sqrt",
            "sign",
            "sigmoid",
            "sum",
            "mean",
            "max",
            "softmax",
            "sum[N]",
            "sum[0, keep]",
            "argmax",
            "prod",
            "cumsum",
            "flatten",
            "trace",
            "diag",
            "tril",
            "f64",
            "i64",
            "bool",
            "norm",
            "std",
            "stop_gradient",
            "squeeze",
            "transpose",
            "logsumexp[D]",
            "var[0]",
            "gelu",
            "round",
            "lgamma",
            "sort",
            "any",
            "all",
        ]);
        let infix = prop::sample::select(vec![
            "+", "-", "*", "/", "@", "^", "==", "<", "and", "or", ">=", "!=",
        ]);
        let binary = prop::sample::select(vec![
            "minimum",
            "maximum",
            "logaddexp",
            "outer",
            "take_along",
            "mse",
            "gather",
            "concat[0]",
            "atan2",
            "mod",
            "grad",
            "jacobian",
            "hessian",
            "reshape",
            "broadcast",
            "tile",
            "one_hot",
            "roll[0]",
            "embedding",
        ]);
        prop_oneof![
            (unary, inner.clone()).prop_map(|(f, x)| format!("{f}({x})")),
            (inner.clone(), infix, inner.clone()).prop_map(|(x, op, y)| format!("({x} {op} {y})")),
            (binary, inner.clone(), inner.clone()).prop_map(|(f, x, y)| format!("{f}({x}, {y})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(c, x, y)| format!("where({c}, {x}, {y})")),
            inner.clone().prop_map(|x| format!("({x})'")),
            (inner.clone(), inner.clone()).prop_map(|(x, y)| format!("({x})[{y}]")),
            (inner.clone(), inner).prop_map(|(x, y)| format!("({x})[{y}:]")),
        ]
    })
}

fn settings() -> ProptestConfig {
    ProptestConfig {
        cases: 300,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn mutations_of_all_models(text in mutated()) {
        deep(move || whole(&text));
    }

    #[test]
    fn random_formulas(first in formula(), second in formula(), third in formula()) {
        let text = format!(
            "dim N, D = 3\ninput x: f32[N, D]\ninput n: i64[N] in [0, N)\nparam W: f32[D, D] ~ glorot()\n\
             param b: f32[D] = 1\nparam s: f32 = 2\ninput k: bool[N]\nu = {first}\nv = {second} + u\n\
             loss C = mean({third}) + sum(v)\n"
        );
        deep(move || whole(&text));
    }

    #[test]
    fn random_layers(body in formula(), result in formula(), claim in formula(), count in 0..4usize) {
        let text = format!(
            "dim N, D = 3\ninput x: f32[N, D]\ninput n: i64[N] in [0, N)\n\
             layer f(x: f32[N, D], n: i64[N]; K) {{\n  param W: f32[D, K] ~ glorot()\n  param b: f32[K] = 1\n\
               param s: f32 = 2\n  u = {body}\n  return {result} + u\n}}\n\
             y = repeat {count} (h = x) {{ repeat 2 (g = h) {{ f(g, n; D) }} }} as r\nz = f(y, n; 3)\n\
             loss C = mean(z)\nW = z.W\nb = z.b\ns = z.s\nexpect {claim} == C\n\
             train {{ adam(lr = 0.1); epochs = {count} }}\n"
        );
        deep(move || whole(&text));
    }

    #[test]
    fn random_formulas_by_themselves(text in formula()) {
        deep(move || whole(&format!("dim N, D = 3\ninput x: f64[N, D]\nparam W: f64[D, D]\nparam b: f64[D]\nparam s: f64\ninput n: i64[N]\ninput k: bool[D]\nloss C = sum({text})\n")));
    }
}

/// Texts that are large, deep or full of large numbers, each with whether it is a model; all end soon.
#[test]
fn extremes() {
    let count = 10_000;
    let chain = |op: &str| format!("param x: f32\nloss C = {}\n", vec!["x"; count].join(op));
    let lines = |line: fn(usize) -> String| (1..=count).map(line).collect::<String>();
    let cases: Vec<(&str, String, bool)> = vec![
        ("sum in one line", chain(" + "), true),
        ("product in one line", chain(" * "), true),
        ("sum over lines", chain(" +\n  "), true),
        ("bindings", format!("param x0: f32\n{}loss C = x{count}\n", lines(|i| format!("x{i} = x{} + {}\n", i - 1, i % 7))), true),
        ("bindings of functions", format!("param x0: f32\n{}loss C = x2000\n", (1..=2000).map(|i| format!("x{i} = tanh(x{})\n", i - 1)).collect::<String>()), true),
        ("unknown names", lines(|i| format!("a{i} = b{i} + 1\n")), false),
        ("names from below", format!("{}z = 1\n", lines(|i| format!("a{i} = a{} + 1\n", i + 1))), false),
        ("dimensions", format!("dim d0\n{}param w: f32[d{count}]\nloss C = sum(w)\n", lines(|i| format!("dim d{i} = d{} + 1\n", i - 1))), true),
        ("halved dimensions", format!("dim d0\n{}param w: f32[d300]\nloss C = sum(w)\n", (1..=300).map(|i| format!("dim d{i} = floor((d{} + 1) / 2)\n", i - 1)).collect::<String>()), false),
        ("squared dimensions", format!("dim d0\n{}param w: f32[d80]\nloss C = sum(w)\n", (1..=80).map(|i| format!("dim d{i} = d{0} * d{0} + 1\n", i - 1)).collect::<String>()), false),
        ("a dimension of itself", "dim N = N\nparam w: f32[N]\nloss C = sum(w)\n".into(), false),
        ("large sizes", "dim N = 1000000000\nparam w: f32[N, N]\nloss C = sum(w^2)\n".into(), true),
        ("too large sizes", "dim N = 1000000000\nparam w: f32[N, N, N]\nloss C = sum(w^2)\n".into(), false),
        ("sizes beyond a word", "dim N = 9223372036854775807\nparam w: f32[2*N]\nloss C = sum(w)\n".into(), false),
        ("a number beyond a word", "dim N = 99999999999999999999999\nparam w: f32[N]\nloss C = sum(w)\n".into(), false),
        ("large literals", "param w: f64\nloss C = w * 1e400 + 123456789012345678901234567890123456789012345678901234567890\n".into(), true),
        ("small literals", format!("param w: f64\nloss C = w * 0.{}1\n", "0".repeat(5000)), true),
        ("a long array", format!("param w: f32[{count}] = [{}]\nloss C = sum(w)\n", vec!["1"; count].join(", ")), true),
        ("functions in functions", format!("fn g0(a: f32) -> f32 {{ return a + 1 }}\n{}param x: f32\nloss C = g60(x)\n", (1..=60).map(|i| format!("fn g{i}(a: f32) -> f32 {{ return g{}(a) }}\n", i - 1)).collect::<String>()), true),
        ("functions that double", format!("fn g0(a: f32) -> f32 {{ return a + 1 }}\n{}param x: f32\nloss C = g40(x)\n", (1..=40).map(|i| format!("fn g{i}(a: f32) -> f32 {{ return g{0}(a) * g{0}(a + 1) }}\n", i - 1)).collect::<String>()), false),
        ("a function of itself", "fn f(a: f32) -> f32 { return f(a) }\nparam x: f32\nloss C = f(x)\n".into(), false),
        ("parentheses", format!("param x: f32\nloss C = {}x{}\n", "(".repeat(255), ")".repeat(255)), true),
        ("calls", format!("param x: f32\nloss C = {}x{}\n", "exp(".repeat(120), ")".repeat(120)), true),
        ("signs", format!("param x: f32\nloss C = {}x\n", "-".repeat(250)), true),
        ("primes", format!("param x: f32[2, 2]\nloss C = sum(x{})\n", "'".repeat(10_000)), true),
        ("axes", format!("param x: f32[{}]\nloss C = sum(x)\n", vec!["1"; 300].join(", ")), false),
        ("derivatives of derivatives", "param x: f32\nc = x^3\nloss C = grad(grad(grad(grad(c, x), x), x), x)\n".into(), true),
        ("repeated blocks", "param x: f32\ny = repeat 10000 (h = x) { tanh(h) }\nloss C = y\n".into(), true),
        ("repeated numbers", "param x: f32\ny = repeat 5000 (h = 1) { h + h }\nloss C = x * y\n".into(), true),
        ("repeated dimensions", "dim N\nparam x: f32\ny = repeat 5000 (h = N) { h * h + h }\nloss C = x * y\n".into(), true),
        ("blocks in blocks", format!("param x: f32\ny = {}h{}\nloss C = y\n", "repeat 2 (h = x) { ".to_string() + &"repeat 2 (h = h) { ".repeat(30), " }".repeat(31)), false),
        ("layers in layers", format!("layer g0(a: f32) {{ param w: f32 = 1; return a * w }}\n{}param x: f32\nloss C = g30(x)\n", (1..=30).map(|i| format!("layer g{i}(a: f32) {{ return g{}(a) }}\n", i - 1)).collect::<String>()), true),
        ("layers that double", format!("layer g0(a: f32) {{ param w: f32 = 1; return a * w }}\n{}param x: f32\nloss C = g30(x)\n", (1..=30).map(|i| format!("layer g{i}(a: f32) {{ return g{0}(g{0}(a) as i) }}\n", i - 1)).collect::<String>()), false),
        ("a layer of itself", "layer f(a: f32) { param w: f32; return f(a) }\nparam x: f32\nloss C = f(x)\n".into(), false),
        ("many settings", format!("param w: f32\nloss C = w\ntrain {{ {} }}\n", "batch = 1; ".repeat(count)), false),
        ("many claims", format!("param w: f32\nloss C = w\n{}", lines(|i| format!("expect w * {i} == {i} * w\n"))), true),
        ("null characters", "param x: f32\nloss C = x\0\n".into(), false),
    ];
    let slow = deep(move || {
        let mut slow = Vec::new();
        for (name, text, fine) in cases {
            let start = Instant::now();
            let was = whole(&text);
            assert_eq!(was, fine, "{name}");
            if start.elapsed() > Duration::from_secs(60) {
                slow.push(name);
            }
        }
        slow
    });
    assert!(slow.is_empty(), "slow: {slow:?}");
}

/// Formulas on the command line are answered at once.
#[test]
fn formulas_of_the_command_line_are_answered_at_once() {
    let many: String = (0..40).map(|i| format!("v{i} + ")).collect::<String>() + "1";
    let formulas = [
        "x",
        "",
        " ",
        ";",
        "x' @ A @ x",
        "a + b + c + d + e1 + f + g + h",
        &many,
        "softmax(softmax(softmax(z)))",
        "a @ b @ c @ d @ f @ g",
        "x[0, 1, 2, 3, 4, 5, 6]",
        "grad(x, x)",
        "((((",
        "loss C = x",
        "sum(x",
        "x = 3; x",
        "f(f(f(f(x))))",
        "mean[N](x)",
        "x as [a, b, c]",
        "einsum(\"abcdefgh->\", x)",
        "1e400 * x",
        "fn f(a: f32) -> f32 { return f(a) }; f(x)",
    ];
    for formula in formulas {
        let start = Instant::now();
        let ran = run_with("", &["grad", "-e", formula]);
        let took = start.elapsed();
        assert!(matches!(ran.code, Some(0..=2)), "{formula}: {ran:?}");
        assert!(
            took < Duration::from_secs(if cfg!(debug_assertions) { 6 } else { 1 }),
            "{formula} took {took:?}"
        );
    }
}

/// Arrays that no memory holds are refused by both executors.
#[test]
fn arrays_beyond_all_memory_are_refused() {
    let text = "dim N = 3000000\nparam x: f32[N] = 0.5\nK = outer(x, x)\nloss C = sum(exp(K))\n";
    for level in ["-O0", "-O1"] {
        let ran = run_with(text, &["eval", "-", level]);
        assert_eq!(ran.code, Some(2), "{level}: {}", ran.stderr);
        assert!(ran.stderr.contains("cannot be"), "{level}: {}", ran.stderr);
    }
}
