//! How a model is trained: the flags over its `train` block.

use crate::cli::args::{Data, Recipe};
use crate::cli::out::Failure;
use crate::graph::train::{Batch, Limit, METHODS, Rule, SCHEDULES, Training};
use crate::ops::Number;
use crate::train::Settings;
use crate::train::stop::{Goal, Stop};

/// The settings of each training: of a sweep all batch sizes with all rates.
pub fn settings(
    block: Option<&Training>,
    data: &Data,
    recipe: &Recipe,
) -> Result<Vec<Settings>, Failure> {
    let mut said = block.cloned().unwrap_or_default();
    if let Some(text) = &recipe.opt {
        said.optimiser = Some(Rule::parse(text, "optimiser", METHODS).map_err(flag("opt"))?);
    }
    if let Some(text) = &recipe.schedule {
        said.schedule = Some(Rule::parse(text, "schedule", SCHEDULES).map_err(flag("schedule"))?);
    }
    let number = |name: &str, text: &Option<String>, limit: Limit| match text {
        Some(text) => limit.parse(name, text).map(Some).map_err(flag(name)),
        None => Ok(None),
    };
    said.clip = number("clip", &recipe.clip, Limit::Positive)?.or(said.clip);
    said.clip_value =
        number("clip-value", &recipe.clip_value, Limit::Positive)?.or(said.clip_value);
    said.weight_decay =
        number("weight-decay", &recipe.weight_decay, Limit::NotNegative)?.or(said.weight_decay);
    said.val = number("val", &recipe.val, Limit::Fraction)?.or(said.val);
    let batches = number("accumulate", &recipe.accumulate, Limit::Count)?;
    said.accumulate = batches.and_then(Number::to_i64).map(i64::cast_unsigned).or(said.accumulate);
    said.epochs = recipe.epochs.or(said.epochs);
    said.seed = data.seed.or(said.seed);
    let usual = Settings::of(&said);
    if said.weight_decay.is_some() && usual.number("weight_decay").is_some() {
        return Err(Failure::Request(
            "adamw has a decay of its own: write adamw(weight_decay = ...), or --opt adamw:weight_decay=..., \
             and leave the setting `weight_decay` out"
                .into(),
        ));
    }
    let batches = match recipe.batch.as_slice() {
        [] => vec![usual.batch],
        given => given.iter().map(|text| batch(text)).collect::<Result<_, _>>()?,
    };
    let rate = |text: &String| Limit::Positive.parse("lr", text).map_err(flag("lr"));
    let rates = match recipe.lr.as_slice() {
        [] => vec![None],
        given => given.iter().map(|text| rate(text).map(Some)).collect::<Result<_, _>>()?,
    };
    let mut all = Vec::new();
    for &batch in &batches {
        for &rate in &rates {
            let mut own = Settings { batch, ..usual.clone() };
            if let Some(rate) = rate {
                own.optimiser = own.optimiser.with(METHODS, "lr", rate);
            }
            all.push(own);
        }
    }
    Ok(all)
}

/// What ends the training early.
pub fn stop(recipe: &Recipe) -> Result<Stop, Failure> {
    let goal = |text: &String| {
        Goal::parse(text).ok_or_else(|| {
            Failure::Request(format!(
                "--until {text}: write NAME>=VALUE or NAME<=VALUE, such as accuracy>=0.98"
            ))
        })
    };
    let until = recipe.until.iter().map(goal).collect::<Result<_, _>>()?;
    if recipe.patience == Some(0) {
        return Err(Failure::Request("--patience 0: a number of epochs from 1 on".into()));
    }
    Ok(Stop { until, patience: recipe.patience, best: recipe.best })
}

fn batch(text: &str) -> Result<Batch, Failure> {
    if text.trim() == "all" {
        return Ok(Batch::All);
    }
    let rows = Limit::Count.parse("batch", text).ok().and_then(Number::to_i64);
    let rows = rows.ok_or_else(|| {
        Failure::Request(format!("--batch {text}: a number of rows from 1 on, or `all`"))
    })?;
    Ok(Batch::Rows(rows.cast_unsigned()))
}

fn flag(name: &str) -> impl Fn(String) -> Failure + use<'_> {
    move |error| Failure::Request(format!("--{name}: {error}"))
}
