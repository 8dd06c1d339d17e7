//! Trainings compared: what the table says follows from what was measured.

use crate::command::run_in;
use serde_json::Value;

/// Two classes of points that a line parts.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut table = String::from("a,b,label\n");
    for row in 0..400u32 {
        let (a, b) =
            (f64::from(row * 37 % 101) / 50.0 - 1.0, f64::from(row * 53 % 97) / 48.0 - 1.0);
        table += &format!("{a},{b},{}\n", u8::from(a + 0.5 * b > 0.1));
    }
    std::fs::write(folder.path().join("d.csv"), table).expect("data");
    std::fs::write(
        folder.path().join("m.nn"),
        "dim N\ninput x: f32[N, 2]\ninput label: i64[N] in [0, 2)\nparam w: f32[2, 2] ~ glorot()\nparam b: f32[2] = 0\n\
         z = x @ w + b\nloss C = mean[N](cross_entropy[1](z, label))\nmetric accuracy = mean[N](argmax[1](z) == label)\n\
         train { sgd(lr = 0.5); epochs = 4; val = 0.25 }\n",
    )
    .expect("a model");
    folder
}

fn sweep(args: &[&str]) -> (String, Vec<Value>) {
    let folder = folder();
    let data = ["train", "m.nn", "--set", "x=@d.csv:a,b", "--set", "label=@d.csv:label", "-q"];
    let table = run_in(folder.path(), &[&data, args].concat());
    assert_eq!(table.code, Some(0), "{}", table.stderr);
    let document = run_in(folder.path(), &[&data[..], args, &["--json"]].concat());
    let document: Value = serde_json::from_str(&document.stdout).expect("a document");
    (table.stdout, document["runs"].as_array().expect("runs").clone())
}

fn loss(run: &Value) -> f64 {
    run["last"]["C"].as_f64().unwrap_or(f64::INFINITY)
}

#[test]
fn batch_sizes_are_compared() {
    let (table, runs) = sweep(&["--batch", "1,10,100,all"]);
    let head: Vec<&str> = table.lines().next().expect("a head").split_whitespace().collect();
    assert_eq!(head, ["batch", "steps", "s/epoch", "val", "loss", "accuracy"]);
    assert_eq!(table.lines().count(), 5, "{table}");
    let steps: Vec<u64> = runs.iter().map(|run| run["steps"].as_u64().expect("steps")).collect();
    assert_eq!(steps, [1200, 120, 12, 4]);
    let least = runs.iter().map(loss).fold(f64::INFINITY, f64::min);
    let verdict = |run: &Value| run["verdict"].as_str().expect("a verdict").to_string();
    for run in &runs {
        assert_eq!(loss(run) == least, verdict(run).contains("best"), "{table}");
    }
    let fastest = runs.iter().filter(|run| verdict(run).contains("fastest to ")).count();
    assert_eq!(fastest, 1, "{table}");
    assert_eq!(verdict(&runs[3]), "too few steps");
}

#[test]
fn rates_are_compared() {
    let (table, runs) =
        sweep(&["--lr", "0.001,0.3,1e30", "--batch", "10,all", "--until", "accuracy>=0.9"]);
    assert_eq!(runs.len(), 6);
    let head: Vec<&str> = table.lines().next().expect("a head").split_whitespace().collect();
    assert_eq!(head[..3], ["batch", "lr", "steps"]);
    for run in runs.iter().filter(|run| run["lr"] == 1e30) {
        assert!(run["verdict"].as_str().expect("a verdict").starts_with("diverged: "), "{table}");
    }
    let reached = runs.iter().find(|run| run["lr"] == 0.3 && run["batch"] == "10").expect("a run");
    assert!(reached["last"]["accuracy"].as_f64() >= Some(0.9), "{table}");
    assert!(reached["steps"].as_u64() < Some(120), "it ends early: {table}");
}

#[test]
fn compared_trainings_are_saved() {
    let folder = folder();
    let folder = folder.path();
    let train = |args: &[&str]| {
        let data = ["train", "m.nn", "--set", "x=@d.csv:a,b", "--set", "label=@d.csv:label", "-q"];
        let ran = run_in(folder, &[&data, args].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    };
    let bytes = |name: &str| std::fs::read(folder.join(name)).expect("it was saved");
    train(&["--batch", "10", "--save", "ten.npz"]);
    train(&["--batch", "all", "--save", "whole.npz"]);
    train(&["--batch", "10,all", "--save", "w-{batch}-{lr}.npz"]);
    assert_eq!(bytes("w-10-0.5.npz"), bytes("ten.npz"));
    assert_eq!(bytes("w-all-0.5.npz"), bytes("whole.npz"));
    train(&["--batch", "10,all", "--save", "best.npz"]);
    assert_eq!(bytes("best.npz"), bytes("ten.npz"));
}
