//! `pullback train`: minibatch training.

mod prepare;
mod recipe;

use super::args::{Common, Train};
use super::data::{self, Packing};
use super::out::{self, Failure};
use super::run;
use super::session::{self, Session};
use super::show;
use super::trap::trap;
use crate::compile::Level;
use crate::graph::print::{Part, print};
use crate::graph::{Model, NodeId};
use crate::ops::Name;
use crate::tensor::Tensor;
use crate::train::run::pace;
use crate::train::{Event, Job, Pace, Report, Run, TrainError, step};
use prepare::{Derived, Prepared};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Instant;

/// Trains the model that the arguments name.
pub fn train(common: &Common, args: &Train) -> Result<(), Failure> {
    let mut session = session::open(common, &args.model, None)?;
    let settings = recipe::settings(session.model.training.as_ref(), &args.data, &args.recipe)?;
    let stop = recipe::stop(&args.recipe)?;
    let derived = prepare::derive(common, &mut session, args)?;
    let [settings] = settings.as_slice() else {
        return Err(Failure::Request("one batch size and one rate".into()));
    };
    let engine = run::engine(&args.machine)?;
    let prepared = prepare::prepare(common, &session, &derived, args, settings)?;
    let (_, pace) = pace(settings, trained(&prepared, settings.val.to_f64()));
    if args.print_step {
        let model = step(&derived.model, &derived.learnt, settings, pace, prepared.rows.as_ref())
            .map_err(|misfit| Failure::Request(misfit.to_string()))?;
        return out::result(&print(&model, Part::Whole).text, None);
    }
    let (model, values) = prepare::stepped(&derived, &prepared, settings, pace)?;
    let job = Job {
        model: &model,
        loss: derived.loss.clone(),
        settings,
        stop,
        rows: prepared.rows.clone(),
        bindings: prepared.bindings.clone(),
        values,
        data: &*prepared.data,
        val: prepared.val.as_deref(),
        engine,
    };
    let mut run = Run::new(job).map_err(|error| refused(common, &session, &model, error))?;
    let begun = Instant::now();
    let mut last = None;
    loop {
        match run.advance().map_err(|error| refused(common, &session, &model, error))? {
            Event::Step => {}
            Event::Epoch(report) => {
                out::talk(common.quiet, &line(&run, &report, begun.elapsed().as_secs_f64()));
                last = Some(report);
            }
            Event::Diverged => {
                let step = run.step();
                let (values, bindings) =
                    run.blame().map_err(|error| refused(common, &session, &model, error))?;
                let bound = super::bind::Bound { values, bindings };
                let wanted: Vec<NodeId> = model
                    .outputs
                    .iter()
                    .filter(|output| output.name == derived.loss)
                    .map(|output| output.node)
                    .chain(model.updates.values().copied())
                    .collect();
                out::talk(common.quiet, &format!("error: the training diverged at step {step}"));
                trap(common, &session, &model, &wanted, &bound, Level::Readable)?;
                return Err(Failure::Said(1));
            }
            Event::Done => break,
        }
    }
    if let Some(path) = &args.save {
        save(path, &weights(&derived, &run))?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let text = match common.json {
        true => document(&run, last.as_ref(), seconds),
        false => summary(&run, last.as_ref()),
    };
    out::result(&text, None)
}

/// The number of rows that are trained on.
fn trained(prepared: &Prepared, val: f64) -> usize {
    let count = if prepared.rows.is_some() { prepared.data.len() } else { 1 };
    let part = if prepared.val.is_some() { 0.0 } else { val };
    crate::train::order::split(count, part, 0).0.len()
}

/// The parameters and states of the model, without what the optimiser keeps.
fn weights(derived: &Derived, run: &Run) -> Vec<(String, Tensor)> {
    let values = run.values();
    let own = |(name, _): &(Name, Tensor)| derived.model.variables.contains_key(name);
    values.into_iter().filter(own).map(|(name, value)| (name.to_string(), value)).collect()
}

/// Writes arrays in the form that the suffix tells.
fn save(path: &Path, arrays: &[(String, Tensor)]) -> Result<(), Failure> {
    match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("npz") => Ok(data::write_npz(path, arrays, Packing::Stored)?),
        Some("safetensors") => Ok(data::write_safetensors(path, arrays)?),
        _ => Err(Failure::Request(format!(
            "--save {}: the form is told by the suffix, .safetensors or .npz",
            path.display()
        ))),
    }
}

/// An epoch in one line.
fn line(run: &Run, report: &Report, seconds: f64) -> String {
    let Pace { epochs, .. } = run.pace();
    let mut text =
        format!("epoch {}/{epochs}  loss {}", report.epoch, show::number(report.train[0]));
    if let Some(val) = &report.val {
        text.push_str(&format!("  val {}", show::number(val[0])));
    }
    for (name, value) in run.names().iter().zip(report.decisive()).skip(1) {
        text.push_str(&format!("  {name} {}", show::number(*value)));
    }
    text.push_str(&format!("  {:.0} rows/s", run.seen() as f64 / seconds));
    text
}

fn summary(run: &Run, report: Option<&Report>) -> String {
    let Some(report) = report else { return String::new() };
    let mut text = String::new();
    for (name, value) in run.names().iter().zip(&report.train) {
        text.push_str(&format!("{name} = {}\n", show::number(*value)));
    }
    for (name, value) in run.names().iter().zip(report.val.iter().flatten()) {
        text.push_str(&format!("val.{name} = {}\n", show::number(*value)));
    }
    text
}

fn document(run: &Run, report: Option<&Report>, seconds: f64) -> String {
    let values = |values: &[f64]| {
        let values = run.names().iter().zip(values);
        Value::Object(
            values
                .map(|(name, value)| (name.to_string(), show::float(*value)))
                .collect::<Map<_, _>>(),
        )
    };
    let mut document = json!({"v": 1, "steps": run.step(), "seconds": seconds, "rows_per_second": run.seen() as f64 / seconds});
    if let Some(report) = report {
        document["epochs"] = report.epoch.into();
        document["train"] = values(&report.train);
        if let Some(val) = &report.val {
            document["val"] = values(val);
        }
    }
    format!("{document}\n")
}

fn refused(common: &Common, session: &Session, model: &Model, error: TrainError) -> Failure {
    match error {
        TrainError::Run(error) => run::refused(common, session, model, &error),
        other => Failure::Request(other.to_string()),
    }
}
