//! Several trainings that differ in batch size or rate, and what can be read off them.

use super::history::History;
use super::live::{self, Live};
use super::{Context, interrupt, refused, report, saved};
use crate::cli::out::{self, Failure};
use crate::cli::show;
use crate::cli::watch::log::Log;
use crate::export::Curve;
use crate::ops::Name;
use crate::tensor::Tensor;
use crate::train::{Event, Job, Report, Run, Settings};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

/// What a training came to.
struct Outcome {
    /// How many rows a step sees.
    batch: String,
    /// The rate.
    rate: f64,
    /// The rows of a step in numbers.
    rows: usize,
    steps: u64,
    /// The loss before the first step.
    first: f64,
    /// After each epoch the seconds since the beginning, and the values.
    epochs: Vec<(f64, Report)>,
    /// Whether a loss or a parameter became NaN or infinite.
    is_broken: bool,
    /// The values of the last epoch, for programs.
    last: Value,
    /// What is watched.
    names: Vec<Name>,
}

/// Trains with each of the settings, and prints the table.
pub fn sweep(context: &Context, several: &[Settings]) -> Result<(), Failure> {
    let places = places(context, several)?;
    let each = context.args.save.as_deref().is_some_and(saved::is_pattern);
    interrupt::watch()?;
    let mut best = f64::INFINITY;
    let mut outcomes: Vec<Outcome> = Vec::new();
    let (mut curves, mut log) = (Vec::new(), live::log(context)?);
    for (number, settings) in several.iter().enumerate() {
        if interrupt::is_asked() {
            break;
        }
        let (outcome, curve, weights) = one(context, settings, log.as_mut())?;
        curves.push(curve);
        if let (Some(path), Some((loss, weights))) = (places.get(number), weights)
            && (each || loss < best)
        {
            saved::save(context, path, &weights)?;
            best = loss.min(best);
        }
        let (seconds, _) = outcome.epochs.last().map_or((0.0, None), |(s, r)| (*s, Some(r)));
        let note = format!(
            "note: batch {}, lr {}: {} steps in {seconds:.2} s",
            outcome.batch,
            show::number(outcome.rate),
            outcome.steps
        );
        out::talk(context.common.quiet, &note);
        outcomes.push(outcome);
    }
    live::drawn(context, named(curves, &outcomes))?;
    let verdicts = verdicts(&outcomes);
    let text = match context.common.json {
        true => format!("{}\n", document(&outcomes, &verdicts)),
        false => table(&outcomes, &verdicts),
    };
    out::result(&text, None)?;
    match interrupt::is_asked() {
        true => Err(Failure::Said(interrupt::CODE)),
        false => Ok(()),
    }
}

/// Where the parameters of each training go, if they are asked for: each to a file of its own, or the best to one file.
fn places(context: &Context, several: &[Settings]) -> Result<Vec<PathBuf>, Failure> {
    let Some(path) = &context.args.save else { return Ok(Vec::new()) };
    let places: Vec<PathBuf> =
        several.iter().map(|settings| saved::place(path, settings)).collect::<Result<_, _>>()?;
    let shared = places.iter().enumerate().find(|(at, place)| places[..*at].contains(place));
    match shared {
        Some((_, shared)) if saved::is_pattern(path) => Err(Failure::Request(format!(
            "--save {}: several trainings would go to {}; write {{batch}} and {{lr}} into the name",
            path.display(),
            shared.display()
        ))),
        _ => Ok(places),
    }
}

/// Each curve with what its training differs from the others by.
fn named(curves: Vec<Curve>, outcomes: &[Outcome]) -> Vec<Curve> {
    let (batches, rates) = differences(outcomes);
    let named = curves.into_iter().zip(outcomes).enumerate().map(|(number, (curve, one))| {
        let batch = batches.then(|| format!("batch {}", one.batch));
        let rate = rates.then(|| format!("lr {}", show::number(one.rate)));
        let name = batch.into_iter().chain(rate).collect::<Vec<_>>().join(", ");
        Curve { name, colour: number, ..curve }
    });
    named.collect()
}

/// The loss and the parameters of a training that has not diverged.
type Weights = Option<(f64, Vec<(String, Tensor)>)>;

/// Trains with one of the settings; its curve is that of the loss that decides. Parameters are there where they are to be saved.
fn one(
    context: &Context,
    settings: &Settings,
    mut log: Option<&mut Log>,
) -> Result<(Outcome, Curve, Weights), Failure> {
    let (derived, prepared) = (context.derived, context.prepared);
    let (model, values) =
        super::prepare::stepped(derived, prepared, settings, super::paced(prepared, settings))?;
    let job = Job {
        model: &model,
        loss: derived.loss.clone(),
        settings,
        stop: context.stop.clone(),
        rows: prepared.rows.clone(),
        bindings: prepared.bindings.clone(),
        values,
        data: &*prepared.data,
        val: prepared.val.as_deref(),
        engine: context.engine.clone(),
        budget: context.args.machine.mem,
    };
    let failed = |error| refused(context, &model, error);
    let mut run = Run::new(job).map_err(failed)?;
    if context.args.machine.mem.is_some() {
        run.plan().map_err(failed)?;
    }
    let first = run.measured().map_err(failed)?[0];
    let (begun, mut epochs, mut is_broken) = (Instant::now(), Vec::new(), false);
    let mut live = Live::new(context, settings, &run, History::default()).unsaid();
    if context.prepared.val.is_some() || run.counts().1 > 0 {
        live.first(first);
    }
    while !interrupt::is_asked() {
        match run.advance().map_err(failed)? {
            Event::Step => live.step(&run),
            Event::Epoch(report) => {
                live.step(&run);
                live.epoch(&run, &report, log.as_deref_mut())?;
                epochs.push((begun.elapsed().as_secs_f64(), report));
            }
            Event::Diverged => {
                live.step(&run);
                live.lost(&run);
                is_broken = true;
                break;
            }
            Event::Done => break,
        }
    }
    let last = epochs
        .last()
        .map_or(Value::Null, |(_, last): &(f64, Report)| report::values(&run, last.decisive()));
    live.end();
    let curve = live.curves().swap_remove(0);
    let kept = report::shown(&run).filter(|_| context.args.save.is_some() && !is_broken);
    let weights = kept.map(|kept| (kept.decisive()[0], saved::weights(context, &run)));
    let outcome = Outcome {
        batch: live::batch(settings),
        rate: live::rate(settings),
        rows: run.batch(),
        steps: run.step(),
        first,
        epochs,
        is_broken,
        last,
        names: run.names().to_vec(),
    };
    Ok((outcome, curve, weights))
}

impl Outcome {
    /// The loss that decides, at the end; NaN where there is none.
    fn loss(&self) -> f64 {
        match self.is_broken {
            true => f64::NAN,
            false => self.epochs.last().map_or(f64::NAN, |(_, last)| last.decisive()[0]),
        }
    }

    /// Whether the training made things worse.
    fn is_diverged(&self) -> bool {
        let loss = self.loss();
        self.is_broken || !self.epochs.is_empty() && (loss.is_nan() || loss > self.first)
    }

    /// Seconds of an epoch.
    fn pace(&self) -> f64 {
        self.epochs.last().map_or(f64::NAN, |(time, _)| time / self.epochs.len() as f64)
    }

    /// The seconds until a value is reached for the first time.
    fn until(&self, goal: &Goal) -> Option<f64> {
        let reached = |(_, report): &&(f64, Report)| match goal {
            Goal::Metric(level) => report.decisive().get(1).is_some_and(|value| value >= level),
            Goal::Loss(level) => report.decisive()[0] <= *level,
        };
        self.epochs.iter().find(reached).map(|(time, _)| *time)
    }

    /// Whether the loss of the last epoch is the smallest and less than that of the one before.
    fn is_falling(&self) -> bool {
        let losses: Vec<f64> = self.epochs.iter().map(|(_, report)| report.decisive()[0]).collect();
        match losses.as_slice() {
            [earlier @ .., last] => earlier.iter().all(|loss| last < loss),
            [] => false,
        }
    }
}

/// What trainings are timed to.
enum Goal {
    /// The first metric is at least this.
    Metric(f64),
    /// The loss is at most this.
    Loss(f64),
}

/// A loss that stays above so much of what it was at first has made no progress.
const STILL: f64 = 0.9;

/// Parts of a whole that are told as goals.
const LEVELS: [f64; 11] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999];

/// The farthest goal that at least two trainings reach: a level of the first metric where it is a part of a whole, else the
/// smallest loss.
fn goal(outcomes: &[&Outcome]) -> Option<Goal> {
    let reach = |goal: &Goal| outcomes.iter().filter(|one| one.until(goal).is_some()).count() > 1;
    let metrics = outcomes.iter().flat_map(|one| &one.epochs);
    let mut metrics = metrics.map(|(_, report)| report.decisive().get(1).copied());
    if metrics.all(|value| value.is_some_and(|value| (0.0..=1.0).contains(&value))) {
        return LEVELS.iter().rev().map(|level| Goal::Metric(*level)).find(reach);
    }
    let mut losses: Vec<f64> = outcomes.iter().map(|one| one.loss()).collect();
    losses.sort_by(f64::total_cmp);
    losses.get(1).map(|loss| Goal::Loss(*loss))
}

/// For each training what is to be said of it.
fn verdicts(outcomes: &[Outcome]) -> Vec<String> {
    let sound: Vec<&Outcome> =
        outcomes.iter().filter(|one| !one.is_diverged() && one.loss().is_finite()).collect();
    let best = sound.iter().map(|one| one.loss()).min_by(f64::total_cmp);
    let goal = goal(&sound);
    let time = |one: &Outcome| goal.as_ref().and_then(|goal| one.until(goal));
    let fastest = sound.iter().filter_map(|one| time(one)).min_by(f64::total_cmp);
    let steps = sound.iter().find(|one| Some(one.loss()) == best).map_or(0, |one| one.steps);
    let of = |one: &Outcome| {
        let why = if one.rows == 1 { "each step follows one row; " } else { "" };
        if one.is_diverged() {
            return format!("diverged: {why}try a smaller lr");
        }
        if one.loss() > STILL * one.first && !one.is_falling() {
            return format!("no progress: {why}try a smaller lr");
        }
        let mut said = Vec::new();
        if best == Some(one.loss()) {
            said.push("best".to_string());
        }
        if let (Some(time), Some(goal)) = (time(one).filter(|time| Some(*time) == fastest), &goal) {
            let goal = match goal {
                Goal::Metric(level) => format!("{}%", show::number(100.0 * level)),
                Goal::Loss(loss) => format!("a loss of {}", show::number(*loss)),
            };
            said.push(format!("fastest to {goal}: {time:.2} s"));
        }
        let behind = best.is_some_and(|best| one.loss() > best);
        if said.is_empty() && behind && one.is_falling() && one.steps < steps {
            said.push("too few steps".to_string());
        }
        let lowest = one.epochs.iter().map(|(_, report)| report.decisive()[0]);
        let lowest = lowest.min_by(f64::total_cmp);
        if said.is_empty() && lowest.is_some_and(|lowest| one.loss() > 1.1 * lowest) {
            said.push("its loss rises again".to_string());
        }
        said.join(", ")
    };
    outcomes.iter().map(of).collect()
}

/// Whether trainings are told apart by batch sizes, and by rates.
fn differences(outcomes: &[Outcome]) -> (bool, bool) {
    let differ = |of: &dyn Fn(&Outcome) -> String| {
        outcomes.windows(2).any(|pair| of(&pair[0]) != of(&pair[1]))
    };
    let rates = differ(&|one| show::number(one.rate));
    (!rates || differ(&|one| one.batch.clone()), rates)
}

/// Rows for people; a column says how the trainings differ.
fn table(outcomes: &[Outcome], verdicts: &[String]) -> String {
    let (batches, rates) = differences(outcomes);
    let validates = outcomes.iter().any(|one| one.epochs.iter().any(|(_, r)| r.val.is_some()));
    let metric = outcomes.first().and_then(|one| one.names.get(1));
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut head: Vec<String> = Vec::new();
    head.extend(batches.then(|| "batch".to_string()));
    head.extend(rates.then(|| "lr".to_string()));
    head.extend(["steps".into(), "s/epoch".into()]);
    head.push(if validates { "val loss".into() } else { "loss".into() });
    head.extend(metric.map(|name| name.to_string()));
    rows.push(head);
    for one in outcomes {
        let last = one.epochs.last().map(|(_, report)| report.decisive());
        let value = |place: usize| match last {
            Some(values) if !one.is_broken => values[place],
            _ => f64::NAN,
        };
        let mut row = Vec::new();
        row.extend(batches.then(|| one.batch.clone()));
        row.extend(rates.then(|| show::number(one.rate)));
        row.push(one.steps.to_string());
        row.push(format!("{:.3}", one.pace()));
        row.push(short(value(0)));
        row.extend(metric.map(|_| part(value(1))));
        rows.push(row);
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (place, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}"));
        let verdict = place.checked_sub(1).map_or("", |place| &verdicts[place]);
        let line = format!("{}   {verdict}", cells.collect::<Vec<_>>().join("  "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn short(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "-".into(),
        size if size == 0.0 || (1e-3..1e4).contains(&size) => format!("{value:.4}"),
        _ => format!("{value:.1e}"),
    }
}

/// A part of a whole in percent, other numbers as they are.
fn part(value: f64) -> String {
    match value {
        value if !value.is_finite() => "-".into(),
        value if (0.0..=1.0).contains(&value) => format!("{:.1}%", 100.0 * value),
        value => short(value),
    }
}

fn document(outcomes: &[Outcome], verdicts: &[String]) -> Value {
    let runs = outcomes.iter().zip(verdicts).map(|(one, verdict)| {
        let curve = one.epochs.iter();
        let curve: Vec<Value> = curve.map(|(_, report)| show::float(report.decisive()[0])).collect();
        json!({"batch": one.batch, "lr": one.rate, "steps": one.steps, "seconds_per_epoch": show::float(one.pace()),
            "diverged": one.is_diverged(), "last": one.last, "curve": curve, "verdict": verdict})
    });
    json!({"v": 1, "runs": runs.collect::<Vec<Value>>()})
}
