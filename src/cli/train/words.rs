//! The words of a command line that a checkpoint keeps, and the command line that goes on from it.

use crate::cli::args::{Args, Train, Verb};
use crate::cli::out::Failure;
use clap::Parser;
use std::path::{Path, PathBuf};

/// Flags with their words.
pub type Words = Vec<(String, Vec<String>)>;

/// What was said, but for what has no part in the training itself.
pub fn words(args: &Train) -> Words {
    let Train { model, data, recipe, val_data, save, checkpoint, log, plot, .. } = args;
    let path = |path: &PathBuf| path.display().to_string();
    let number = |number: &Option<u64>| number.map(|number| number.to_string());
    let list = |flag: &str, words: &[String]| (flag.to_string(), words.to_vec());
    let files = |flag: &str, files: &[PathBuf]| {
        (flag.to_string(), files.iter().map(path).collect::<Vec<_>>())
    };
    let one = |flag: &str, word: Option<String>| (flag.to_string(), word.into_iter().collect());
    // With commas between where the flag takes a list.
    let joined = |flag: &str, words: &[String]| match words.is_empty() {
        true => (flag.to_string(), Vec::new()),
        false => (flag.to_string(), vec![words.join(",")]),
    };
    let said: Words = vec![
        one("expression", model.expression.clone()),
        list("set", &data.set),
        files("data", &data.data),
        files("load", &data.load),
        list("dim", &data.dim),
        one("rows", data.rows.clone()),
        one("seed", number(&data.seed)),
        one("dtype", data.dtype.clone()),
        one("of", recipe.of.clone()),
        joined("wrt", &recipe.wrt),
        joined("batch", &recipe.batch),
        one("epochs", number(&recipe.epochs)),
        one("opt", recipe.opt.clone()),
        joined("lr", &recipe.lr),
        one("schedule", recipe.schedule.clone()),
        one("clip", recipe.clip.clone()),
        one("clip-value", recipe.clip_value.clone()),
        one("weight-decay", recipe.weight_decay.clone()),
        one("accumulate", recipe.accumulate.clone()),
        one("val", recipe.val.clone()),
        list("until", &recipe.until),
        one("patience", number(&recipe.patience)),
        one("best", recipe.best.then(String::new)),
        list("val-data", val_data),
        one("save", save.as_ref().map(path)),
        one("checkpoint", checkpoint.clone()),
        one("log", log.as_ref().map(path)),
        one("plot", plot.as_ref().map(path)),
    ];
    said.into_iter().filter(|(_, words)| !words.is_empty()).collect()
}

/// The command line that goes on from a checkpoint: what is said now, and what was said then of all else.
pub fn merged(now: &Train, then: &Words, path: &Path) -> Result<Train, Failure> {
    let said = words(now);
    let is_said = |flag: &str| {
        said.iter().any(|(known, _)| known == flag)
            || flag == "expression" && now.model.file.is_some()
    };
    let told = then.iter().filter(|(flag, _)| !is_said(flag));
    let mut line = vec!["pullback".to_string(), "train".to_string()];
    line.extend(now.model.file.as_ref().map(|file| file.display().to_string()));
    for (flag, words) in said.iter().chain(told) {
        // A flag without a word of its own is kept with an empty one.
        line.extend(words.iter().map(|word| match (flag.as_str(), word.as_str()) {
            ("best", "") => "--best".to_string(),
            _ => format!("--{flag}={word}"),
        }));
    }
    match Args::try_parse_from(line).map(|args| args.verb) {
        Ok(Verb::Train(train)) => Ok(Train {
            machine: now.machine.clone(),
            resume: now.resume.clone(),
            print_step: now.print_step,
            curve: now.curve,
            ..*train
        }),
        _ => Err(Failure::Request(format!(
            "{}: its command line is not understood by this version",
            path.display()
        ))),
    }
}
