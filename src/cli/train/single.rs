//! One training, with its checkpoints.

use super::checkpoint::{self, Checkpoint};
use super::history::History;
use super::live::{self, Live};
use super::{Context, interrupt, refused, report, saved, words};
use crate::cli::bind::Bound;
use crate::cli::data;
use crate::cli::memory;
use crate::cli::out::{self, Failure};
use crate::cli::trap::trap;
use crate::compile::Level;
use crate::graph::print::{Part, print};
use crate::graph::train::{Batch, METHODS, SCHEDULES};
use crate::graph::{Model, NodeId};
use crate::ops::join;
use crate::train::rate::has_horizon;
use crate::train::{Event, Job, Run, Settings};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How often a checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Every {
    Steps(u64),
    Epochs(u64),
}

/// Where checkpoints go, and how often.
struct Aside {
    every: Option<Every>,
    path: PathBuf,
}

/// Trains, and gives what the last epoch came to.
pub fn single(
    context: &Context,
    settings: &Settings,
    resumed: Option<Checkpoint>,
) -> Result<(), Failure> {
    let Context { common, args, derived, prepared, .. } = *context;
    let saved = args.save.as_deref().map(|path| saved::place(path, settings)).transpose()?;
    let aside = aside(context, saved.as_deref())?;
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
        budget: args.machine.mem,
    };
    let mut run = Run::new(job).map_err(|error| refused(context, &model, error))?;
    let identity = identity(context, settings, &run);
    let mut history = History::default();
    if let (Some(resumed), Some(path)) = (resumed, &args.resume) {
        history.clone_from(&resumed.history);
        resume(context, settings, &mut run, &identity, resumed, path)?;
    } else {
        announce(context, settings, &run);
    }
    let memory = match args.machine.mem {
        Some(_) => {
            let plan = run.plan().map_err(|error| refused(context, &model, error))?;
            out::talk(common.quiet, &format!("note: a step takes {}", memory::said(plan)));
            Some(memory::json(plan))
        }
        None => None,
    };
    let lay = |run: &Run, history: &History| {
        let checkpoint = Checkpoint {
            identity: identity.clone(),
            epochs: settings.epochs,
            words: words::words(args),
            kept: run.kept(),
            history: history.clone(),
        };
        checkpoint::write(&aside.path, &checkpoint)
    };
    interrupt::watch()?;
    let begun = Instant::now();
    let mut log = live::log(context)?;
    let mut live = Live::new(context, settings, &run, history);
    loop {
        if interrupt::is_asked() {
            live.end();
            lay(&run, &live.history)?;
            let (step, path) = (run.step(), aside.path.display());
            let message = format!("interrupted at step {step}: go on with --resume {path}");
            out::talk(common.quiet, &message);
            return Err(Failure::Said(interrupt::CODE));
        }
        let event = run.advance().map_err(|error| refused(context, &model, error))?;
        let due = match (&event, aside.every) {
            (Event::Step | Event::Epoch(_), Some(Every::Steps(steps))) => {
                run.step().is_multiple_of(steps)
            }
            (Event::Epoch(report), Some(Every::Epochs(epochs))) => {
                report.epoch.is_multiple_of(epochs)
            }
            _ => false,
        };
        let last = match &event {
            Event::Step => {
                live.step(&run);
                false
            }
            Event::Epoch(report) => {
                live.step(&run);
                live.epoch(&run, report, log.as_mut())?;
                report.is_last
            }
            Event::Diverged => {
                live.step(&run);
                live.end();
                live::drawn(context, live.curves())?;
                let lay = |run: &Run| lay(run, &live.history.before(run));
                return Err(diverged(context, &model, &mut run, &aside.path, &lay)?);
            }
            Event::Done => break,
        };
        if due || last && aside.every.is_some() {
            lay(&run, &live.history)?;
        }
    }
    live.end();
    live::drawn(context, live.curves())?;
    if let Some(top) = run.top() {
        let note = format!("note: kept is epoch {}, which has the smallest loss", top.report.epoch);
        out::talk(common.quiet, &note);
    }
    if let Some(path) = &saved {
        saved::save(context, path, &saved::weights(context, &run))?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let text = match common.json {
        true => {
            let mut document = report::document(&run, seconds, live.rate(&run));
            if let Some(memory) = memory {
                document["memory"] = memory;
            }
            format!("{document}\n")
        }
        false => report::summary(&run),
    };
    out::result(&text, None)
}

/// Says what is trained how.
fn announce(context: &Context, settings: &Settings, run: &Run) {
    let ((train, val), batch) = (run.counts(), run.batch());
    let block = context.session.model.training.as_ref();
    let is_said = !context.args.recipe.batch.is_empty() || block.is_some_and(|b| b.batch.is_some());
    if let Batch::Rows(wanted) = settings.batch
        && wanted > batch as u64
        && is_said
    {
        let note = format!(
            "batches of {wanted} rows are larger than the data: each step sees all {batch}"
        );
        out::talk(context.common.quiet, &format!("note: {note}"));
    }
    if context.common.verbose {
        let rows = match (context.prepared.rows.is_some(), val) {
            (false, _) => String::new(),
            (true, 0) => format!(", {train} rows, {batch} a step"),
            (true, _) => format!(", {train} rows, {batch} a step, {val} rows to validate"),
        };
        let how = settings.optimiser.text(METHODS);
        out::talk(context.common.quiet, &format!("note: {how}{rows}"));
    }
}

/// What has to be the same for a training to go on.
fn identity(context: &Context, settings: &Settings, run: &Run) -> Vec<(String, String)> {
    let Context { args, session, derived, engine, .. } = context;
    let mut plain = session.model.unclaimed().into_owned();
    plain.training = None;
    plain.claimed.clear();
    let number = |number: Option<crate::ops::Number>| {
        number.map_or("none".to_string(), |number| number.to_string())
    };
    let batch = match settings.batch {
        Batch::All => "all".to_string(),
        Batch::Rows(rows) => rows.to_string(),
    };
    let (train, val) = run.counts();
    let pairs = [
        ("the model", checkpoint::digest(&print(&plain, Part::Whole).text)),
        ("the loss", derived.loss.to_string()),
        ("the trained parameters", join(&derived.learnt)),
        ("the precision", args.data.dtype.clone().unwrap_or("as declared".into())),
        ("the optimiser", settings.optimiser.text(METHODS)),
        ("the schedule", settings.schedule.text(SCHEDULES)),
        ("the batch size", batch),
        ("the seed", settings.seed.to_string()),
        ("the clipping", format!("{} {}", number(settings.clip), number(settings.clip_value))),
        ("the weight decay", number(settings.weight_decay)),
        ("the accumulation", settings.accumulate.to_string()),
        (
            "what is kept",
            if context.stop.best { "the best epoch" } else { "the last epoch" }.into(),
        ),
        ("the number of rows", train.to_string()),
        ("the number of rows to validate", val.to_string()),
        (SIMD, engine.level.name().to_string()),
    ];
    pairs.map(|(name, word)| (name.to_string(), word)).into()
}

/// What may differ: results do in their last bits.
const SIMD: &str = "the SIMD level";

/// Goes on from a checkpoint, where it is of this training.
fn resume(
    context: &Context,
    settings: &Settings,
    run: &mut Run,
    identity: &[(String, String)],
    resumed: Checkpoint,
    path: &Path,
) -> Result<(), Failure> {
    let mut other = Vec::new();
    for (name, now) in identity {
        let then = resumed.identity.iter().find(|(known, _)| known == name);
        let then = then.map_or("unknown", |(_, then)| then);
        match then == now {
            true => {}
            false if name == SIMD => {
                let note =
                    format!("note: {SIMD} was {then} and is {now}: the last bits will differ");
                out::talk(context.common.quiet, &note);
            }
            false if name == "the model" => other.push("the model is another one".to_string()),
            false => other.push(format!("{name} was {then} and is {now}")),
        }
    }
    if resumed.epochs != settings.epochs && has_horizon(settings.schedule.kind) {
        other.push(format!(
            "the schedule was made for {} epochs in all, not for {}",
            resumed.epochs, settings.epochs
        ));
    }
    if !other.is_empty() {
        let (path, other) = (path.display(), other.join("; "));
        return Err(Failure::Request(format!("{path} cannot be gone on from: {other}")));
    }
    let step = resumed.kept.step;
    run.resume(resumed.kept)
        .map_err(|error| Failure::Request(format!("{}: {error}", path.display())))?;
    out::talk(context.common.quiet, &format!("note: going on from step {step}"));
    Ok(())
}

/// Lays aside what was before the step that diverged, and says where that comes from.
fn diverged(
    context: &Context,
    model: &Model,
    run: &mut Run,
    path: &Path,
    lay: &dyn Fn(&Run) -> Result<(), data::DataError>,
) -> Result<Failure, Failure> {
    let (values, bindings) = run.blame().map_err(|error| refused(context, model, error))?;
    lay(run)?;
    let message = format!(
        "error: the training diverged at step {}; what was before it is in {}; try a smaller rate, or --clip",
        run.step() + 1,
        path.display()
    );
    out::talk(context.common.quiet, &message);
    let loss = model.outputs.iter().filter(|output| output.name == context.derived.loss);
    let wanted: Vec<NodeId> =
        loss.map(|output| output.node).chain(model.updates.values().copied()).collect();
    let bound = Bound { values, bindings };
    trap(context.common, context.session, model, &wanted, &bound, Level::Readable)?;
    Ok(Failure::Said(1))
}

/// Where checkpoints go: next to what is saved, else to the name of the model in the folder at hand.
fn aside(context: &Context, saved: Option<&Path>) -> Result<Aside, Failure> {
    let args = context.args;
    let stem = || {
        let file = args.model.file.as_deref().and_then(Path::file_stem);
        file.filter(|stem| *stem != "-").map_or("model".into(), PathBuf::from)
    };
    let usual = saved.or(args.resume.as_deref()).map_or_else(stem, Path::to_path_buf);
    let mut aside = Aside { every: None, path: usual.with_extension("ckpt") };
    let Some(text) = &args.checkpoint else { return Ok(aside) };
    let wrong = || {
        Failure::Request(format!(
            "--checkpoint {text}: write every=N with `step` or `epoch` behind the number, such as every=1epoch or \
             every=500step,file=run.ckpt"
        ))
    };
    for part in text.split(',') {
        match part.trim().split_once('=').ok_or_else(wrong)? {
            ("every", often) => {
                let end = often.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
                let (number, unit) = often.split_at(end);
                let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
                aside.every = Some(match unit.trim() {
                    "step" | "steps" => Every::Steps(number),
                    "epoch" | "epochs" => Every::Epochs(number),
                    _ => return Err(wrong()),
                });
            }
            ("file", path) if !path.is_empty() => aside.path = PathBuf::from(path),
            _ => return Err(wrong()),
        }
    }
    if aside.every.is_none() {
        return Err(wrong());
    }
    Ok(aside)
}
