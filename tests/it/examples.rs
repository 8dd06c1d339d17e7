//! The models in `examples/`: each runs, and its gradient reads as a lecture writes it.

use super::command::run;
use pullback::cli::files::Folder;
use pullback::compile::{Level, default_request, differentiate, read_from};
use pullback::graph::print::{Part, WIDTH, print, print_folded};
use std::path::{Path, PathBuf};

/// Values for the inputs; what is not said here is drawn.
const RUNS: &[(&str, &[&str])] = &[
    (
        "attention",
        &[
            "--dim",
            "T=3",
            "--dim",
            "D=4",
            "--dim",
            "E=2",
            "--set",
            "x=randn",
            "--set",
            "target=zeros",
        ],
    ),
    ("digits", &["--data", "examples/digits.npz"]),
    (
        "gmm",
        &[
            "--dim",
            "K=3",
            "--dim",
            "D=2",
            "--set",
            "x=[[1, 0], [0, 2], [-1, 1]]",
            "--set",
            "gamma=1",
            "--set",
            "m=0",
            "--set",
            "alphas=randn",
            "--set",
            "means=randn",
            "--set",
            "q=randn",
            "--set",
            "L=randn",
        ],
    ),
    ("lecture", &["--dim", "N=2", "--set", "x=randn", "--set", "y=zeros"]),
    ("lecture3", &["--set", "x=[[1, -1]]", "--set", "t=[[1, 0]]"]),
    ("lenet", &["--dim", "N=2", "--set", "image=full:100", "--set", "label=[3, 9]"]),
    ("linear_regression", &["--set", "x=[[1], [2], [3]]", "--set", "t=[2, 4, 6.5]"]),
    ("logistic", &["--set", "x=[[1, 0], [0, 2]]", "--set", "y=[0, 1]"]),
    ("lstm", &["--dim", "T=5", "--dim", "N=2", "--set", "x=randn", "--set", "y=zeros"]),
    ("mlp", &["--set", "x=[[1, 0], [0, 2]]", "--set", "label=[3, 9]"]),
    ("pinn", &["--set", "t=[0, 0.5, 1, 1.5]"]),
    (
        "softmax_regression",
        &["--dim", "K=3", "--set", "x=[[1, 0], [0, 2]]", "--set", "label=[0, 2]"],
    ),
    ("transformer", &["--set", "token=[[7, 0, 255]]", "--set", "next=[[0, 255, 3]]"]),
    ("vae", &["--dim", "N=2", "--set", "x=full:0.3", "--training"]),
];

/// Longer gradients are shown folded.
const MOST: usize = 50;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

#[test]
fn each_runs() {
    for (name, args) in RUNS {
        let file = format!("examples/{name}.nn");
        let ran = run(&[&["eval", &file, "--grad"], *args].concat());
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        assert!(ran.stdout.starts_with("C = ") || ran.stdout.contains("\nC = "), "{}", ran.stdout);
        assert!(!ran.stdout.contains("NaN"), "{}", ran.stdout);
    }
}

#[test]
fn each_is_laid_out() {
    for (name, _) in RUNS {
        let ran = run(&["fmt", "--check", &format!("examples/{name}.nn")]);
        assert_eq!(ran.code, Some(0), "{name}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn gradients() {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("the folder is there")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".nn").map(Into::into))
        .collect();
    names.sort();
    assert_eq!(names, RUNS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for name in names {
        let text =
            std::fs::read_to_string(folder().join(format!("{name}.nn"))).expect("it is there");
        let folder = Folder::of(Some(&folder().join(format!("{name}.nn"))));
        let read = read_from(&text, &[], &folder);
        assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
        let model = read.model.expect("it is a model");
        let request = default_request(&model).expect("it has a loss");
        let derived = differentiate(&model, &[request], Level::Readable).expect("it is derived");
        let long = print(&derived.model, Part::Adjoint).adjoint_statements > MOST;
        let print = if long { print_folded } else { print };
        let printed = print(&derived.model, Part::Adjoint);
        assert!(printed.widest <= WIDTH, "{}", printed.text);
        insta::assert_snapshot!(format!("gradient_of_{name}"), printed.text);
    }
}

/// The activations on the slides for the input (1, -1).
#[test]
fn the_numbers_of_the_slides() {
    let args = ["eval", "examples/lecture3.nn", "--set", "x=[[1, -1]]", "--set", "t=[[0, 0]]"];
    let out = run(&args).stdout;
    for (name, slide) in [("a1", [0.98, 0.12]), ("a2", [0.86, 0.11]), ("y", [0.62, 0.83])] {
        let at = out.find(&format!("{name} =")).expect("it is printed");
        let numbers: Vec<f64> = out[at..]
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|word| word.contains('.'))
            .filter_map(|word| word.parse().ok())
            .take(2)
            .collect();
        for (number, slide) in numbers.iter().zip(slide) {
            assert!((number - slide).abs() < 0.005, "{name}: {numbers:?} in {out}");
        }
        assert_eq!(numbers.len(), 2, "{out}");
    }
}

#[path = "../../examples/embed.rs"]
mod embed;

/// The library's example runs to its end: each of its steps is checked by it.
#[test]
fn the_library_in_a_program() {
    embed::main();
}
