//! The command line: exit codes, forms of output, files and pipes.

use crate::command::{pullback, ran, root, run, run_in, run_with};
use std::process::{Command, Stdio};

const LECTURE: &str = "examples/lecture.nn";
const SMALL: &str = "param w: f32 = 3\nloss C = w^2\n";

#[test]
fn exit_codes() {
    let wrong = "tests/cases/diagnostics/E0101_unknown_name.nn";
    let cases: &[(&[&str], i32)] = &[
        (&["check", LECTURE], 0),
        (&["check", wrong], 1),
        (&["check", LECTURE, wrong], 1),
        (&["check", "absent.nn"], 2),
        (&["check", "examples"], 2),
        (&["check"], 2),
        (&["chekc", LECTURE], 2),
        (&["grad", LECTURE], 0),
        (&["grad", LECTURE, "--wrt", "W3"], 2),
        (&["grad", LECTURE, "--of", "D"], 2),
        (&["grad", LECTURE, "--of", "p"], 2),
        (&["grad", LECTURE, "--of", "p", "--mode", "jacobian", "--wrt", "b2"], 0),
        (&["grad", LECTURE, "-o", "out.pdf"], 2),
        (&["grad", wrong], 1),
        (&["grad", "-e", "x^2"], 0),
        (&["grad", "-e", "x +"], 1),
        (&["graph", LECTURE], 0),
        (&["eval", LECTURE], 2),
        (&["eval", "-e", "x^2", "--set", "x=2"], 0),
        (&["eval", "-e", "x^2", "--set", "x=two"], 2),
        (&["eval", "-e", "x^2", "--set", "y=2"], 2),
        (&["eval", LECTURE, "--dim", "M=3"], 2),
        (&["eval", LECTURE, "--dim", "N=-3"], 2),
        (&["verify", "-e", "sin(x)"], 0),
        (&["explain", "E0101"], 0),
        (&["explain", "e0101"], 0),
        (&["explain", "sigmoid"], 0),
        (&["explain", "E9999"], 2),
        (&["fmt", "--check", LECTURE], 0),
        (&["fmt", "--check", "tests/it/syntax/everything.nn"], 1),
        (&["--help"], 0),
        (&["grad", "--help"], 0),
        (&["--version"], 0),
    ];
    for (args, code) in cases {
        let ran = run(args);
        assert_eq!(ran.code, Some(*code), "{args:?}\n{}{}", ran.stdout, ran.stderr);
        assert!(*code == 0 || !ran.stderr.is_empty(), "{args:?} says nothing");
    }
}

#[test]
fn results_go_to_stdout_and_talk_to_stderr() {
    let ran = run_with(SMALL, &["grad", "-"]);
    assert!(ran.stdout.ends_with("d_w = 2 * w  # :2      square\n"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
    let ran = run(&["grad", "-e", "w^2"]);
    assert!(!ran.stdout.contains("assuming") && ran.stderr.contains("note: assuming param w: f64"));
    let ran = run_with("param w: f32\nloss C = w + v\n", &["eval", "-"]);
    assert!(
        ran.stdout.is_empty()
            && ran.stderr.contains("[E0101]")
            && ran.stderr.contains("<stdin>:2:14")
    );
}

#[test]
fn quiet_leaves_errors_only() {
    let warned = "param w: f32\nparam v: f32\nloss C = w^2\n";
    assert!(run_with(warned, &["check", "-"]).stderr.contains("W0502"));
    assert_eq!(run_with(warned, &["check", "-", "--quiet"]).stderr, "");
    assert_eq!(run(&["grad", "-q", "-e", "w^2"]).stderr, "");
    assert!(run_with("loss C = w\n", &["check", "-", "-q"]).stderr.contains("E0101"));
}

#[test]
fn json_of_each_verb() {
    let path = root().join(LECTURE);
    let path = path.to_str().expect("a path");
    let cases: &[(&[&str], &str)] = &[
        (&["check", path, "--json"], "files"),
        (&["grad", path, "--json"], "nodes"),
        (&["graph", path, "--json"], "nodes"),
        (&["eval", "-e", "x^2", "--set", "x=2", "--json", "-q"], "values"),
        (&["eval", "-e", "x^2", "--set", "x=2", "--json", "--grad", "-q"], "grads"),
        (&["verify", "-e", "x^2", "--json", "-q"], "gradients"),
    ];
    for (args, key) in cases {
        let ran = run(args);
        let document: serde_json::Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|e| panic!("{args:?}: {e}\n{}", ran.stdout));
        assert!(document.get(key).is_some(), "{args:?} has no {key}: {document}");
        assert_eq!(document["v"], 1, "{args:?}");
    }
    let ran = run_with("loss C = a + b\n", &["check", "-", "--json"]);
    let lines: Vec<serde_json::Value> = ran
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines
            .iter()
            .all(|line| line["code"] == "E0101" && line["line"] == 1 && line["file"] == "<stdin>")
    );
}

#[test]
fn files_by_suffix() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("m.nn"), SMALL).expect("a file");
    let cases = [
        ("out.nn", "loss C = w^2"),
        ("out.json", "{"),
        ("out.dot", "digraph"),
        ("out.gv", "digraph"),
        ("out.mmd", "flowchart"),
        ("out", "loss C = w^2"),
    ];
    for (name, start) in cases {
        let ran = run_in(folder.path(), &["grad", "m.nn", "-o", name]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{name}: {}", ran.stderr);
        let written = std::fs::read_to_string(folder.path().join(name)).expect("it is written");
        assert!(written.contains(start), "{name}:\n{written}");
    }
    let ran = run_in(folder.path(), &["eval", "m.nn", "--grad", "-o", "out.npz"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut archive =
        pullback::cli::data::open_npz(&folder.path().join("out.npz")).expect("an archive");
    assert_eq!(archive.names(), ["loss", "C", "grad.w"]);
    assert_eq!(archive.get("grad.w").expect("a gradient").tensor.item(), Some(6.0));
    let ran = run_in(folder.path(), &["eval", "m.nn", "--to", "npz"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let ran = run_in(folder.path(), &["grad", "m.nn", "-o", "absent/out.nn"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn colours_only_where_they_are_wanted() {
    let wrong = "loss C = a\n";
    let coloured = |args: &[&str]| run_with(wrong, args).stderr.contains('\u{1b}');
    assert!(!coloured(&["check", "-"]), "standard error is no terminal");
    assert!(coloured(&["check", "-", "--color", "always"]));
    assert!(!coloured(&["check", "-", "--color", "never"]));
    let file = "tests/cases/diagnostics/E0101_unknown_name.nn";
    let plain = ran(pullback().args(["check", file]).env("NO_COLOR", "1"));
    assert!(!plain.stderr.contains('\u{1b}') && plain.code == Some(1));
}

#[test]
fn a_closed_pipe_is_silent() {
    let mut grad = pullback();
    grad.args(["graph", LECTURE, "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = grad.spawn().expect("pullback starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("pullback ends");
    assert!(output.stderr.is_empty() && output.status.success(), "{output:?}");
    let binary = env!("CARGO_BIN_EXE_pullback");
    let line = format!("'{binary}' graph {LECTURE} --json | head -c 1");
    let output =
        Command::new("sh").args(["-c", &line]).current_dir(root()).output().expect("a shell");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn layout_of_files_and_of_standard_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("m.nn");
    std::fs::write(&path, "loss   C=1.0\n").expect("a file");
    let ran = run_in(folder.path(), &["fmt", "m.nn", "--diff"]);
    assert!(ran.stdout.contains("-loss   C=1.0\n+loss C = 1.0\n"), "{}", ran.stdout);
    assert_eq!(run_in(folder.path(), &["fmt", "m.nn", "--check"]).code, Some(1));
    assert_eq!(run_in(folder.path(), &["fmt", "m.nn"]).code, Some(0));
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "loss C = 1.0\n");
    assert_eq!(run_with("a   =  1\n", &["fmt", "-"]).stdout, "a = 1\n");
}

#[test]
fn what_is_no_text_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("m.nn"), b"loss C = 1\n\xff\n").expect("a file");
    let ran = run_in(folder.path(), &["check", "m.nn"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (Some(2), "error: m.nn is no UTF-8 text: byte 11, on line 2\n")
    );
}

/// Costs are told in the dimensions, each source line by itself.
#[test]
fn costs_are_polynomials() {
    let ran = run(&["graph", "--cost", "examples/lecture.nn"]);
    assert!(ran.stdout.contains("#   :12    2*D*H*N + 2*H*N flops"), "{}", ran.stdout);
    let ran = run(&["grad", "--cost", "examples/lecture.nn"]);
    assert!(ran.stdout.contains("keeps h\n#   and p (N x 40 floats)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("# backward: 2*D*H*N + 4*H*K*N"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("# kept: 40*N floats\n#   :12    h: 30*N floats"),
        "{}",
        ran.stdout
    );
    let ran = run(&["grad", "--passes", "examples/lecture.nn"]);
    assert!(ran.stderr.contains("derived: 49 nodes, 4*D*H*N + 6*H*K*N"), "{}", ran.stderr);
    assert!(ran.stderr.contains("round 1: 45 nodes, 4*D*H*N + 6*H*K*N"), "{}", ran.stderr);
    assert!(ran.stderr.contains("forward: 2*D*H*N"), "{}", ran.stderr);
}

/// A tangent takes the place of an input.
#[test]
fn tangents_are_given() {
    let model = "input A: f64[2, 3]; param x: f64[3] = 1; sum(A @ x^2)";
    let words =
        ["eval", "-q", "-e", model, "--mode", "hvp", "--wrt", "x", "--tangent", "x=[1, 2, 3]"];
    let ran = run(&[&words[..], &["--set", "A=full:2"]].concat());
    assert!(ran.stdout.contains("hv_x = [ 8 16 24]"), "{}{}", ran.stdout, ran.stderr);
    let ran = run(&["grad", "-e", "param x: f64; x^2", "--mode", "jvp", "--tangent", "x=randn"]);
    assert_eq!(ran.code, Some(2));
}

/// A document has the bodies of loops, and with `--fold` the nodes of each call.
#[test]
fn documents_have_bodies_and_calls() {
    let ran = run(&["graph", "--to", "json", "examples/lstm.nn"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a document");
    let nodes = document["nodes"].as_array().expect("a list of nodes");
    let scan = nodes.iter().find(|node| node["op"] == "scan").expect("a loop");
    assert_eq!(scan["length"], "T");
    let body = &scan["body"];
    let inputs = body["inputs"].as_array().expect("a list of inputs").len();
    assert_eq!(inputs, 1 + scan["operands"].as_array().expect("a list").len());
    let ops: Vec<&str> = body["nodes"]
        .as_array()
        .expect("a list of nodes")
        .iter()
        .filter_map(|node| node["op"].as_str())
        .collect();
    assert!(ops.contains(&"tanh") && ops.contains(&"sigmoid"), "{ops:?}");

    let ran = run(&["grad", "-q", "--fold", "--json", "examples/transformer.nn"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a document");
    let calls = document["calls"].as_array().expect("a list of calls");
    let texts: Vec<&str> = calls.iter().filter_map(|call| call["text"].as_str()).collect();
    assert!(texts.contains(&"blocks.0 = block"), "{texts:?}");
    assert!(texts.contains(&"adjoint of dense as head: d_head.W, d_head.b"), "{texts:?}");
    assert!(calls.iter().all(|call| call["nodes"].as_array().is_some_and(|n| !n.is_empty())));
}
