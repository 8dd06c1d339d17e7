//! Optimisers, schedules and clipping against the numbers of another library.

use crate::command::{root, run};
use pullback::cli::data::open_set;

/// The model that the numbers are of: what is not said of it stands in the lines of the table.
const MODEL: &str = "dim N; input x: f64[N, 3]; input y: f64[N]; param w: f64[3] = [0.3, -0.2, 0.1]; \
    param b: f64 = 0.05; loss C = mean((x @ w + b - y)^2)";

const X: &str =
    "x=[[0.5, -1, 2], [1.5, 0.25, -0.75], [-0.5, 1, 1], [2, -0.5, 0.5], [-1, -1, 0.25]]";

#[test]
fn steps_are_those_of_pytorch() {
    let table =
        std::fs::read_to_string(root().join("tests/cases/train/torch.txt")).expect("a table");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.npz");
    let mut lines = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let (flags, wanted) = line.split_once(" | ").expect("flags and numbers");
        let wanted: Vec<f64> = wanted.split(' ').map(|v| v.parse().expect("a number")).collect();
        let mut args = vec!["train", "-e", MODEL, "--set", X, "--set", "y=[1, -2, 0.5, 3, -1.5]"];
        args.extend([
            "--batch",
            "all",
            "--epochs",
            "6",
            "-q",
            "--save",
            path.to_str().expect("text"),
        ]);
        args.extend(flags.split(' '));
        let ran = run(&args);
        assert_eq!(ran.code, Some(0), "{flags}\n{}", ran.stderr);
        let mut found = Vec::new();
        for name in ["w", "b"] {
            let mut set = open_set(&path).expect("what was saved");
            found.extend(set.get(name).expect("it is there").tensor.to_f64());
        }
        // PyTorch adds 1e-6 to the norm that it divides by.
        let bound = if flags.contains("--clip ") { 1e-5 } else { 1e-12 };
        let far = found.iter().zip(&wanted).any(|(a, b)| (a - b).abs() > bound * b.abs().max(1.0));
        assert!(!far && found.len() == wanted.len(), "{flags}: {found:?}, not {wanted:?}");
        lines += 1;
    }
    assert!(lines > 15, "{lines} lines");
}
