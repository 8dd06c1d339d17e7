//! Trainings that are interrupted and gone on with, through the command.

use crate::command::{pullback, ran, run_in};
use std::path::Path;
use std::process::Stdio;

/// A model with all that has to be kept: a state, draws, moments; seven steps of which the last is short.
const MODEL: &str = "
dim N, D = 3
input x: f32[N, D]
input y: f32[N]
param w: f32[D] ~ normal(std = 0.5)
param b: f32 = 0
state mu: f32[D] = 0
update mu = where(training, 0.9 * mu + 0.1 * mean[N](x), mu)
h = dropout(tanh((x - mu) * w), 0.2)
loss C = mean[N]((sum[D](h) + b - y)^2)
metric size = mean[N](abs(sum[D](h)))
train { adam(lr = 0.05); batch = 6; epochs = 4; val = 0.2; accumulate = 3; schedule = cosine(warmup = 1) }
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("m.nn"), MODEL).expect("a model");
    let mut table = String::from("x1,x2,x3,y\n");
    for row in 0..50 {
        let x = [0.3, 0.7, 1.1].map(|by| (f64::from(row) * by).sin());
        table += &format!("{},{},{},{}\n", x[0], x[1], x[2], x[0] - x[2]);
    }
    std::fs::write(folder.path().join("d.csv"), table).expect("data");
    folder
}

const DATA: [&str; 5] = ["m.nn", "--set", "x=@d.csv:x1,x2,x3", "--set", "y=@d.csv:y"];

fn train(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let ran = run_in(folder, &[&["train"], args].concat());
    (ran.code, ran.stdout, ran.stderr)
}

fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).expect("it was written")
}

#[test]
fn what_is_gone_on_with_ends_in_the_same_bytes() {
    let folder = folder();
    let folder = folder.path();
    let (code, wanted, said) = train(folder, &[&DATA[..], &["--save", "all.npz"]].concat());
    assert_eq!((code, said.lines().count()), (Some(0), 4), "{said}");
    // Within an epoch, at its end, within what is accumulated, and at the first step.
    for every in ["every=5step", "every=14step", "every=9steps", "every=3epoch", "every=27step"] {
        let aside = format!("{every},file=part.ckpt");
        let own = [&DATA[..], &["--save", "own.npz", "--checkpoint", &aside, "-q"]].concat();
        assert_eq!(train(folder, &own).1, wanted);
        assert_eq!(bytes(folder, "own.npz"), bytes(folder, "all.npz"), "{every}");
        std::fs::rename(folder.join("part.previous.ckpt"), folder.join("from.ckpt")).expect("two");
        let on = train(
            folder,
            &["m.nn", "--resume", "from.ckpt", "--save", "own.npz", "--threads", "2"],
        );
        assert_eq!((on.0, &on.1), (Some(0), &wanted), "{every}: {}", on.2);
        assert_eq!(bytes(folder, "own.npz"), bytes(folder, "all.npz"), "{every}");
    }
    let other = train(folder, &["m.nn", "--resume", "from.ckpt", "--seed", "1", "--epochs", "5"]);
    assert_eq!(other.0, Some(2));
    assert_eq!(
        other.2,
        "error: from.ckpt cannot be gone on from: the seed was 0 and is 1; the schedule was made for 4 epochs in all, not \
         for 5\n"
    );
    std::fs::write(folder.join("m.nn"), MODEL.replace("tanh", "sin")).expect("a model");
    let other = train(folder, &["m.nn", "--resume", "from.ckpt"]);
    assert_eq!(other.2, "error: from.ckpt cannot be gone on from: the model is another one\n");
}

#[test]
fn pictures_of_what_is_gone_on_with_show_all_of_it() {
    let folder = folder();
    let folder = folder.path();
    let whole = [&DATA[..], &["--plot", "all.svg", "-q"]].concat();
    assert_eq!(train(folder, &whole).0, Some(0));
    let part = [&DATA[..], &["--checkpoint", "every=9step,file=part.ckpt", "-q"]].concat();
    assert_eq!(train(folder, &part).0, Some(0));
    let on = ["m.nn", "--resume", "part.previous.ckpt", "--plot", "own.svg", "-q"];
    assert_eq!(train(folder, &on).0, Some(0));
    assert_eq!(bytes(folder, "own.svg"), bytes(folder, "all.svg"));
}

#[test]
fn the_best_epoch_is_kept() {
    let folder = folder();
    let folder = folder.path();
    let quick = [&DATA[..], &["--schedule", "constant", "--lr", "0.4", "-q"]].concat();
    let all = ["--epochs", "9", "--best", "--log", "all.jsonl", "--json", "--save", "best.npz"];
    let (code, out, said) = train(folder, &[&quick[..], &all].concat());
    assert_eq!(code, Some(0), "{said}");
    let document: serde_json::Value = serde_json::from_str(&out).expect("a document");
    let log = String::from_utf8(bytes(folder, "all.jsonl")).expect("a text");
    let losses: Vec<f64> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line"))
        .filter_map(|line| line["val_loss"].as_f64())
        .collect();
    assert_eq!(losses.len(), 9, "{log}");
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let epoch = 1 + losses.iter().position(|&loss| loss == least).expect("an epoch");
    assert!(epoch < 9, "the last epoch shows nothing: {losses:?}");
    assert_eq!((&document["best"], &document["val"]["C"]), (&epoch.into(), &least.into()));

    let epoch = epoch.to_string();
    let few = [&quick[..], &["--epochs", &epoch, "--save", "few.npz"]].concat();
    assert_eq!(train(folder, &few).0, Some(0));
    assert_eq!(bytes(folder, "best.npz"), bytes(folder, "few.npz"));

    let aside = ["--epochs", "9", "--best", "--checkpoint", "every=8epoch,file=part.ckpt"];
    assert_eq!(train(folder, &[&quick[..], &aside].concat()).0, Some(0));
    let on = ["m.nn", "--resume", "part.previous.ckpt", "--save", "own.npz", "-q"];
    assert_eq!(train(folder, &on).0, Some(0));
    assert_eq!(bytes(folder, "own.npz"), bytes(folder, "best.npz"));
}

#[test]
fn damaged_checkpoints_are_refused() {
    let folder = folder();
    let folder = folder.path();
    let made = [&DATA[..], &["--epochs", "1", "--checkpoint", "every=2step,file=c.ckpt"]].concat();
    assert_eq!(train(folder, &made).0, Some(0));
    let whole = bytes(folder, "c.ckpt");
    let refused = |bytes: &[u8], why: &str| {
        std::fs::write(folder.join("c.ckpt"), bytes).expect("written");
        let (code, _, said) = train(folder, &["m.nn", "--resume", "c.ckpt"]);
        assert_eq!(code, Some(2), "{said}");
        assert_eq!(said, format!("error: c.ckpt: {why}; the one before it is c.previous.ckpt\n"));
    };
    let damaged = "the checkpoint is cut short or altered";
    for length in [25, 40, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..length], damaged);
    }
    for place in [23, 100, whole.len() / 2, whole.len() - 40, whole.len() - 1] {
        let mut altered = whole.clone();
        altered[place] ^= 4;
        refused(&altered, damaged);
    }
    refused(b"", "this is no checkpoint of this version");
    refused(&whole[3..], "this is no checkpoint of this version");
    std::fs::write(folder.join("c.ckpt"), &whole).expect("written");
    assert_eq!(train(folder, &["m.nn", "--resume", "c.ckpt", "--schedule", "warmup"]).0, Some(2));
    assert_eq!(train(folder, &["m.nn", "--resume", "c.ckpt"]).0, Some(0));
}

#[cfg(unix)]
#[test]
fn an_interrupt_lays_all_aside() {
    use std::io::{BufRead, BufReader};
    let folder = folder();
    let folder = folder.path();
    let long = ["--epochs", "1000000", "--schedule", "constant", "--save", "w.npz"];
    let mut command = pullback();
    command.current_dir(folder).arg("train").args(DATA).args(long).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    lines.next().expect("an epoch").expect("a line");
    let id = child.id().to_string();
    assert!(
        std::process::Command::new("kill").args(["-INT", &id]).status().expect("kill").success()
    );
    let last = lines.map(|line| line.expect("a line")).last().expect("a line");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(last.ends_with(": go on with --resume w.ckpt"), "{last}");
    let step: u64 = last
        .split_whitespace()
        .nth(3)
        .and_then(|n| n.trim_end_matches(':').parse().ok())
        .expect("a number");
    let epochs = (step / 7 + 2).to_string();
    let on = train(folder, &["m.nn", "--resume", "w.ckpt", "--epochs", &epochs]);
    assert_eq!(on.0, Some(0), "{}", on.2);
    let mut whole = pullback();
    whole.current_dir(folder).arg("train").args(DATA).args(&long[2..4]);
    let whole = ran(whole.args(["--epochs", &epochs, "--save", "all.npz"]));
    assert_eq!(on.1, whole.stdout);
    assert_eq!(bytes(folder, "w.npz"), bytes(folder, "all.npz"));
}

#[test]
fn a_printed_step_trains_to_the_same_numbers() {
    let folder = folder();
    let folder = folder.path();
    let (_, text, said) = train(folder, &[&DATA[..], &["--print-step"]].concat());
    assert_eq!(said, "");
    std::fs::write(folder.join("s.nn"), text).expect("a model");
    assert_eq!(train(folder, &[&DATA[..], &["--save", "m.npz", "-q"]].concat()).0, Some(0));
    let own = [&["s.nn"], &DATA[1..], &["--save", "s.npz", "-q"]].concat();
    let (code, _, said) = train(folder, &own);
    assert_eq!(code, Some(0), "{said}");
    let [mut one, mut two] = ["m.npz", "s.npz"]
        .map(|name| pullback::cli::data::open_npz(&folder.join(name)).expect("an archive"));
    for name in ["w", "b", "mu"] {
        let [one, two] =
            [&mut one, &mut two].map(|set| set.get(name).expect("it is there").tensor.to_f64());
        let far = one.iter().zip(&two).any(|(a, b)| (a - b).abs() > 1e-6);
        assert!(!far && !one.is_empty() && one.len() == two.len(), "{name}: {one:?} {two:?}");
    }
}
