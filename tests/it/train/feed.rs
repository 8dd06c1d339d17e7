//! What training is fed: looked at before it starts, the same from every form of file.

use crate::command::{Ran, run_in};
use pullback::cli::data::{Packing, write_npy, write_npz, write_safetensors};
use pullback::tensor::{DType, Tensor};
use std::path::Path;

/// A model with rows of two inputs, and an input without.
const MODEL: &str = "dim N, D = 2
input x: f32[N, D]
input label: i64[N]
input shift: f32[3]
param W: f32[D, 3] ~ glorot()
param bias: f32[3] = 0
z = x @ W + bias + shift
loss C = mean(cross_entropy(z, label))
metric accuracy = mean(argmax(z) == label)
";

fn floats(shape: &[usize], values: &[f64]) -> Tensor {
    Tensor::from_f64(DType::F32, shape, values.to_vec())
}

fn labels(values: &[f64]) -> Tensor {
    Tensor::from_f64(DType::I64, &[values.len()], values.to_vec())
}

/// Four sound rows.
fn sound() -> (Tensor, Tensor) {
    (floats(&[4, 2], &[1.0, 0.0, 0.0, 1.0, -1.0, 0.5, 2.0, 1.0]), labels(&[0.0, 1.0, 2.0, 0.0]))
}

fn trained(folder: &Path, args: &[&str]) -> Ran {
    std::fs::write(folder.join("m.nn"), MODEL).expect("written");
    let own = ["train", "m.nn", "--set", "shift=[0, 1, 0]", "--epochs", "2", "--batch", "2"];
    run_in(folder, &[&own[..], args].concat())
}

/// What is said where the data is `x` and `label`.
fn refused(x: Tensor, label: Tensor) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let arrays = [("x".to_string(), x), ("label".to_string(), label)];
    write_npz(&folder.path().join("d.npz"), &arrays, Packing::Stored).expect("written");
    let ran = trained(folder.path(), &["--data", "d.npz", "--save", "w.npz"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stdout.is_empty() && !folder.path().join("w.npz").exists());
    ran.stderr
}

#[test]
fn what_is_wrong_is_said_before_the_first_step() {
    let (x, label) = sound();
    let nan = floats(&[4, 2], &[1.0, 0.0, 0.0, 1.0, -1.0, f64::NAN, 2.0, 1.0]);
    let cases = [
        (nan, label.clone()),
        (floats(&[3, 2], &[1.0; 6]), label.clone()),
        (floats(&[4, 3], &[1.0; 12]), label.clone()),
        (x.cast(DType::F64), label.clone()),
        (x.clone(), labels(&[0.0, 1.0, 3.0, 0.0])),
        (x, floats(&[4], &[0.0; 4])),
    ];
    let said: Vec<String> = cases.into_iter().map(|(x, label)| refused(x, label)).collect();
    insta::assert_snapshot!(said.join("\n"));
}

/// Each form of file trains to the same bytes.
#[test]
fn every_form_trains_alike() {
    let (x, label) = sound();
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let arrays = [("x".to_string(), x.clone()), ("label".to_string(), label.clone())];
    write_npz(&path("s.npz"), &arrays, Packing::Stored).expect("written");
    write_npz(&path("d.npz"), &arrays, Packing::Deflated).expect("written");
    write_safetensors(&path("d.safetensors"), &arrays, &[]).expect("written");
    write_npy(&path("x.npy"), &x).expect("written");
    let Tensor::I64(values) = &label else { panic!("labels are integers") };
    let bytes = values.iter().flat_map(|v| (*v as i16).to_be_bytes());
    let idx: Vec<u8> = [0, 0, 0x0b, 1, 0, 0, 0, 4].into_iter().chain(bytes).collect();
    std::fs::write(path("label.idx"), idx).expect("written");
    let args: [&[&str]; 4] = [
        &["--data", "s.npz"],
        &["--data", "d.npz"],
        &["--data", "d.safetensors"],
        &["--set", "x=@x.npy", "--set", "label=@label.idx"],
    ];
    let results = args.map(|args| {
        let val = ["--val-data", "s.npz"];
        let ran = trained(folder.path(), &[args, &val, &["--save", "w.safetensors"]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (ran.stdout, std::fs::read(path("w.safetensors")).expect("saved"))
    });
    assert!(results.iter().all(|result| result == &results[0]), "{results:?}");
    assert!(results[0].0.contains("val.accuracy = "), "{}", results[0].0);
}

#[test]
fn values_to_validate_on_are_set_as_others_are() {
    let (x, label) = sound();
    let folder = tempfile::tempdir().expect("a folder");
    write_npy(&folder.path().join("x.npy"), &x).expect("written");
    write_npy(&folder.path().join("label.npy"), &label).expect("written");
    let set = ["--set", "x=@x.npy", "--set", "label=@label.npy"];
    let val = ["--val-data", "x=@x.npy", "--val-data", "label=[0, 1, 2, 0]"];
    let ran = trained(folder.path(), &[set, val].concat());
    assert!(ran.code == Some(0) && ran.stdout.contains("val.C"), "{}", ran.stderr);
    let ran = trained(folder.path(), &[&set[..], &val[..2]].concat());
    assert!(ran.code == Some(2) && ran.stderr.contains("`label` has no value"), "{}", ran.stderr);
}

/// A text as rows of its bytes; rows may overlap.
#[test]
fn texts() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("t.txt"), "abcdefg").expect("written");
    let shown = |value: &str, dims: &str| {
        let model = format!("dim N, T\ninput t: i64[{dims}]\noutput same = t\n");
        std::fs::write(folder.path().join("t.nn"), model).expect("written");
        let ran = run_in(folder.path(), &["eval", "t.nn", "--set", &format!("t=@{value}")]);
        format!("{}{}", ran.stdout, ran.stderr)
    };
    assert_eq!(shown("t.txt", "N"), "same = [ 97  98  99 100 101 102 103]\n");
    assert_eq!(shown("t.txt:3", "N, T"), "same =\n[[ 97  98  99]\n [100 101 102]]\n");
    let overlapping = "same =\n[[ 97  98  99]\n [ 99 100 101]\n [101 102 103]]\n";
    assert_eq!(shown("t.txt:3,2", "N, T"), overlapping);
    assert!(shown("t.txt:0", "N, T").contains("the forms for files are"));
}

/// What does not fit is listed at once, and nothing is half loaded.
#[test]
fn weights_of_another_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("w.safetensors");
    let arrays = [
        ("W".to_string(), floats(&[2, 4], &[0.0; 8])),
        ("bais".to_string(), floats(&[3], &[0.0; 3])),
        ("head.W".to_string(), Tensor::scalar(DType::F64, 1.0)),
    ];
    write_safetensors(&path, &arrays, &[]).expect("written");
    let (x, label) = sound();
    let data = [("x".to_string(), x), ("label".to_string(), label)];
    write_npz(&folder.path().join("d.npz"), &data, Packing::Stored).expect("written");
    let ran = trained(folder.path(), &["--data", "d.npz", "--load", "w.safetensors"]);
    assert_eq!(ran.code, Some(2));
    insta::assert_snapshot!(ran.stderr);
}

/// The log has a line for each epoch, the picture a curve for each run, the terminal's curve both.
#[test]
fn what_is_left_of_a_sweep() {
    let (x, label) = sound();
    let folder = tempfile::tempdir().expect("a folder");
    let data = [("x".to_string(), x), ("label".to_string(), label)];
    write_npz(&folder.path().join("d.npz"), &data, Packing::Stored).expect("written");
    let files = ["--log", "run.csv", "--plot", "loss.svg", "--curve"];
    let sweep = ["--data", "d.npz", "--lr", "0.1,0.2"];
    let ran = trained(folder.path(), &[&files[..], &sweep[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("written");
    let log = read("run.csv");
    let rows: Vec<Vec<&str>> = log.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["batch", "lr", "epoch", "step", "loss", "accuracy", "seconds"]);
    let start: Vec<[&str; 4]> =
        rows[1..].iter().map(|row| [row[0], row[1], row[2], row[3]]).collect();
    let wanted = [
        ["2", "0.1", "1", "2"],
        ["2", "0.1", "2", "4"],
        ["2", "0.2", "1", "2"],
        ["2", "0.2", "2", "4"],
    ];
    assert_eq!(start, wanted);
    let picture = read("loss.svg");
    assert!(picture.contains(">lr 0.1</text>") && picture.contains(">lr 0.2</text>"), "{picture}");
    assert!(ran.stderr.contains("* lr 0.1   o lr 0.2"), "{}", ran.stderr);
    let other = trained(folder.path(), &["--data", "d.npz", "--plot", "loss.png"]);
    assert!(other.code == Some(2) && other.stderr.contains("--plot loss.png"), "{}", other.stderr);
}
