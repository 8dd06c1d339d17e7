//! The trainings that the examples document, at a small size.

use crate::command::{root, run, run_in};
use std::path::Path;

/// A value that a run printed.
fn value(stdout: &str, name: &str) -> f64 {
    let line = stdout.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {stdout}"))
}

#[test]
fn digits() {
    let data = ["train", "examples/digits.nn", "--data", "examples/digits.npz"];
    let ran = run(&[&data[..], &["--epochs", "2", "--batch", "16"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(value(&ran.stdout, "val.accuracy") > 0.85, "{}", ran.stdout);
}

/// A few images in the form of MNIST.
#[test]
fn lenet() {
    let folder = tempfile::tempdir().expect("a folder");
    let idx = |kind: u8, sizes: &[u32], data: Vec<u8>| {
        let sizes = sizes.iter().flat_map(|size| size.to_be_bytes());
        [0, 0, 8, kind].into_iter().chain(sizes).chain(data).collect::<Vec<u8>>()
    };
    let pixels = (0..6 * 28 * 28).map(|place: usize| (place * place % 251) as u8).collect();
    let write = |name: &str, bytes| std::fs::write(folder.path().join(name), bytes);
    write("images-idx3-ubyte", idx(3, &[6, 28, 28], pixels)).expect("written");
    write("labels-idx1-ubyte", idx(1, &[6], vec![0, 1, 2, 3, 4, 9])).expect("written");
    let model = root().join("examples/lenet.nn").display().to_string();
    let data = ["--set", "image=@images-idx3-ubyte", "--set", "label=@labels-idx1-ubyte"];
    let own = ["--val-data", "image=@images-idx3-ubyte", "--val-data", "label=@labels-idx1-ubyte"];
    let short = ["--batch", "4", "--epochs", "1"];
    let ran = run_in(folder.path(), &[&["train", &model][..], &data, &own, &short].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(value(&ran.stdout, "val.C").is_finite(), "{}", ran.stdout);
}

/// What is learnt of a few lines is what goes on from there: both models have the same parameters.
#[test]
fn sonnets() {
    let folder = tempfile::tempdir().expect("a folder");
    let saved = folder.path().join("letters.safetensors").display().to_string();
    let text = "text=@examples/sonnets/sonnets.txt:65,12000";
    let ran = run(&[
        "train",
        "examples/sonnets/letters.nn",
        "--set",
        text,
        "--epochs",
        "3",
        "--save",
        &saved,
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(value(&ran.stdout, "C") < f64::ln(128.0), "{}", ran.stdout);
    let more = ["eval", "examples/sonnets/go_on.nn", "--load", &saved, "--json"];
    let ran = run(&more);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(said["values"]["text"]["data"].as_array().map(Vec::len), Some(400));
    for name in ["letters", "go_on", "layers"] {
        let file = Path::new("examples/sonnets").join(name).with_extension("nn");
        let ran = run(&["fmt", "--check", &file.display().to_string()]);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    }
}
