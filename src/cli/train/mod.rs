//! `pullback train`: minibatch training.

mod checkpoint;
mod history;
mod interrupt;
mod live;
mod prepare;
mod recipe;
mod report;
mod saved;
mod single;
mod sweep;
mod words;

use super::args::{Common, Train};
use super::out::{self, Failure};
use super::run;
use super::session::{self, Session};
use crate::exec::plan::Engine;
use crate::graph::Model;
use crate::graph::print::{Part, print};
use crate::ops::Name;
use crate::train::rate::has_pace;
use crate::train::run::pace;
use crate::train::stop::Stop;
use crate::train::{Pace, Settings, TrainError, step};
use prepare::{Derived, Prepared};
use std::sync::Arc;

/// What all trainings of a call share.
struct Context<'a> {
    common: &'a Common,
    args: &'a Train,
    session: &'a Session,
    derived: &'a Derived,
    prepared: &'a Prepared,
    stop: &'a Stop,
    engine: Arc<Engine>,
}

/// Trains the model that the arguments name.
pub fn train(common: &Common, args: &Train) -> Result<(), Failure> {
    let resumed = args.resume.as_deref().map(checkpoint::read).transpose()?;
    let merged;
    let args = match (&resumed, &args.resume) {
        (Some(resumed), Some(path)) => {
            merged = words::merged(args, &resumed.words, path)?;
            &merged
        }
        _ => args,
    };
    let mut session = session::open(common, &args.model, None)?;
    let settings = recipe::settings(session.model.training.as_ref(), &args.data, &args.recipe)?;
    let stop = recipe::stop(&args.recipe)?;
    let engine = run::engine(&args.machine)?;
    let derived = prepare::derive(common, &mut session, args)?;
    if let [settings] = settings.as_slice()
        && args.print_step
        && !has_pace(settings)
    {
        return printed(&derived, settings, Pace { batches: 1, epochs: settings.epochs }, None);
    }
    let prepared = prepare::prepare(common, &session, &derived, args, &settings)?;
    let context = Context {
        common,
        args,
        session: &session,
        derived: &derived,
        prepared: &prepared,
        stop: &stop,
        engine,
    };
    match settings.as_slice() {
        [settings] if args.print_step => {
            printed(&derived, settings, paced(&prepared, settings), prepared.rows.as_ref())
        }
        [settings] => single::single(&context, settings, resumed),
        _ if args.print_step || args.resume.is_some() || args.checkpoint.is_some() => {
            Err(Failure::Request(
                "several batch sizes or rates are compared in one go: --checkpoint, --resume and --print-step are for one \
                 training, with one --batch and one --lr"
                    .into(),
            ))
        }
        several => sweep::sweep(&context, several),
    }
}

/// Prints the model of a step.
fn printed(
    derived: &Derived,
    settings: &Settings,
    pace: Pace,
    rows: Option<&Name>,
) -> Result<(), Failure> {
    let model = step(&derived.model, &derived.learnt, settings, pace, rows)
        .map_err(|misfit| Failure::Request(misfit.to_string()))?;
    out::result(&print(&model, Part::Whole).text, None)
}

/// The steps of an epoch, and the epochs.
fn paced(prepared: &Prepared, settings: &Settings) -> Pace {
    let count = if prepared.rows.is_some() { prepared.data.len() } else { 1 };
    let part = if prepared.val.is_some() { 0.0 } else { settings.val.to_f64() };
    let (train, _) = crate::train::order::split(count, part, settings.seed);
    pace(settings, train.len()).1
}

/// Says why a training cannot go on.
fn refused(context: &Context, model: &Model, error: TrainError) -> Failure {
    match error {
        TrainError::Run(error) => run::refused(context.common, context.session, model, &error),
        other => Failure::Request(other.to_string()),
    }
}
