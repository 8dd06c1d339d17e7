//! A training as it is watched: a bar or lines, the log, the points of its curves.

use super::Context;
use super::history::{History, place};
use crate::cli::data;
use crate::cli::out::{self, Failure};
use crate::cli::show;
use crate::cli::watch::bar::{Look, Pulse, bar};
use crate::cli::watch::chart::chart;
use crate::cli::watch::log::{Log, Record};
use crate::cli::watch::{Figure, Status, line, terminal};
use crate::export::{self, Curve, Plot};
use crate::graph::train::{Batch, METHODS};
use crate::graph::{Model, NodeId};
use crate::ops::reduce::Fold;
use crate::ops::{Name, Op};
use crate::tensor::DType;
use crate::train::{Report, Run, Settings};
use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// What is shown and written of one training.
pub struct Live<'a> {
    context: &'a Context<'a>,
    settings: &'a Settings,
    begun: Instant,
    /// Rows seen, and steps done, before it began.
    before: (u64, u64),
    terminal: Option<Look>,
    pulse: Pulse,
    /// Whether epochs are said where there is no bar.
    is_said: bool,
    /// Its curves.
    pub history: History,
    /// Which metrics are parts of a whole.
    parts: Vec<bool>,
}

impl<'a> Live<'a> {
    /// The view of a training that begins now, or goes on with the curves that it had.
    pub fn new(
        context: &'a Context<'a>,
        settings: &'a Settings,
        run: &Run,
        history: History,
    ) -> Live<'a> {
        let model = &context.derived.model;
        let node = |name: &Name| model.outputs.iter().find(|output| output.name == *name);
        let parts = run.names().iter().skip(1);
        let parts = parts.map(|name| node(name).is_some_and(|output| is_part(model, output.node)));
        Live {
            context,
            settings,
            begun: Instant::now(),
            before: (run.seen(), run.step()),
            terminal: terminal::look(context.common),
            pulse: Pulse::default(),
            is_said: true,
            history,
            parts: parts.collect(),
        }
    }

    /// Rows a second.
    pub fn rate(&self, run: &Run) -> f64 {
        (run.seen() - self.before.0) as f64 / self.begun.elapsed().as_secs_f64()
    }

    /// The same view, of which only the bar is shown.
    pub fn unsaid(mut self) -> Live<'a> {
        self.is_said = false;
        self
    }

    /// Marks the end of a training that was lost.
    pub fn lost(&mut self, run: &Run) {
        if !self.history.epochs.is_empty() {
            self.history.epochs.push((place(run), f64::INFINITY));
        }
    }

    /// Takes a loss before the first step as the first point.
    pub fn first(&mut self, loss: f64) {
        self.history.epochs.push((0.0, loss));
    }

    /// Looks at a step that has been done.
    pub fn step(&mut self, run: &Run) {
        self.history.step(run);
        if self.terminal.is_some() && self.pulse.beats(self.begun.elapsed()) {
            self.draw(run);
        }
    }

    /// Looks at an epoch that has been done: its line, and its line in the log.
    pub fn epoch(
        &mut self,
        run: &Run,
        report: &Report,
        log: Option<&mut Log>,
    ) -> Result<(), Failure> {
        if let Some(val) = &report.val {
            self.history.epochs.push((report.epoch as f64, val[0]));
        }
        if let Some(log) = log {
            log.write(&self.record(run, report))?;
        }
        match self.terminal {
            Some(_) => self.draw(run),
            None if !self.is_said => {}
            None => out::talk(self.context.common.quiet, &line(&self.status(run, report.train[0]))),
        }
        Ok(())
    }

    /// Leaves the line of the bar as it is, for what is said next.
    pub fn end(&mut self) {
        if self.terminal.take().is_some() && self.pulse.has_beaten() {
            let _ = writeln!(std::io::stderr().lock());
        }
    }

    /// The curves: of the rows that validate, where there are some, and of those that are trained on.
    pub fn curves(&self) -> Vec<Curve> {
        let train =
            Curve { name: "train".into(), points: self.history.steps.clone(), ..Curve::default() };
        match self.history.epochs.is_empty() {
            true => vec![train],
            false => {
                let val = Curve {
                    name: "val".into(),
                    points: self.history.epochs.clone(),
                    ..train.clone()
                };
                vec![val, Curve { is_faint: true, colour: 7, ..train }]
            }
        }
    }

    fn draw(&self, run: &Run) {
        let Some(look) = self.terminal else { return };
        let loss = if self.history.smooth.1 > 0.0 { self.history.smooth.0 } else { f64::NAN };
        let text = bar(&self.status(run, loss), Look { width: terminal::width(), ..look });
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "\r{text}\x1b[K").and_then(|()| stderr.flush());
    }

    fn status(&self, run: &Run, loss: f64) -> Status {
        let pace = run.pace();
        let all = pace.batches.saturating_mul(pace.epochs).max(1);
        let (done, own) = (run.step(), run.step() - self.before.1);
        let seconds = self.begun.elapsed().as_secs_f64();
        let left = (own > 0).then(|| seconds / own as f64 * (all - done.min(all)) as f64);
        let left = left.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let last = run.last();
        let figure = |(place, is_part): (usize, &bool)| {
            Some(Figure {
                name: run.names()[place + 1].to_string(),
                value: *last?.decisive().get(place + 1)?,
                is_part: *is_part,
            })
        };
        Status {
            epoch: (done.div_ceil(pace.batches).max(1), pace.epochs),
            part: done as f64 / all as f64,
            loss,
            val: last.and_then(|report| report.val.as_ref()).map(|val| val[0]),
            metrics: self.parts.iter().enumerate().filter_map(figure).collect(),
            rate: self.context.prepared.rows.is_some().then(|| self.rate(run)),
            left: left.filter(|_| done < all),
        }
    }

    /// A line of the log.
    fn record(&self, run: &Run, report: &Report) -> Record {
        let mut record: Record = vec![
            ("batch".into(), json!(batch(self.settings))),
            ("lr".into(), json!(rate(self.settings))),
            ("epoch".into(), json!(report.epoch)),
            ("step".into(), json!(report.step)),
        ];
        let values = |prefix: &str, values: &[f64]| {
            let named = run.names().iter().zip(values).enumerate();
            let named = named.map(|(place, (name, value))| {
                let name = if place == 0 { "loss" } else { name };
                (format!("{prefix}{name}"), show::float(*value))
            });
            named.collect::<Record>()
        };
        record.extend(values("", &report.train));
        record.extend(report.val.iter().flat_map(|val| values("val_", val)));
        record.push(("seconds".into(), json!(self.begun.elapsed().as_secs_f64())));
        record
    }
}

/// How many rows a step sees, in words.
pub fn batch(settings: &Settings) -> String {
    match settings.batch {
        Batch::All => "all".into(),
        Batch::Rows(rows) => rows.to_string(),
    }
}

/// The rate of the optimiser before any schedule.
pub fn rate(settings: &Settings) -> f64 {
    settings.optimiser.number(METHODS, "lr").map_or(f64::NAN, |rate| rate.to_f64())
}

/// The log that is asked for; that of a training that goes on is added to.
pub fn log(context: &Context) -> Result<Option<Log>, Failure> {
    let resumed = context.args.resume.is_some();
    let log = context.args.log.as_deref().map(|path| Log::open(path, resumed)).transpose()?;
    if let Some(path) = &context.args.plot {
        pictured(path)?;
    }
    Ok(log)
}

/// Draws what is asked for: the picture of --plot, and the curves of --curve on the terminal.
pub fn drawn(context: &Context, curves: Vec<Curve>) -> Result<(), Failure> {
    let args = context.args;
    if args.curve {
        let text = chart(&curves, "epoch", terminal::plain(context.common));
        out::talk(context.common.quiet, text.trim_end());
    }
    if let Some(path) = &args.plot {
        let file = Path::new(&context.session.sources[0].0).file_name();
        let file = file.map_or("a model".into(), |name| name.to_string_lossy().into_owned());
        let loss = &context.derived.loss;
        let plot = Plot {
            title: format!("{file}: training"),
            x: "epoch".into(),
            y: format!("loss {loss}"),
            curves,
        };
        data::replace(path, |file| file.write_all(export::plot(&plot).as_bytes()))?;
    }
    Ok(())
}

fn pictured(path: &Path) -> Result<(), Failure> {
    match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("svg") => Ok(()),
        _ => Err(Failure::Request(format!(
            "--plot {}: the picture is an SVG file, with the suffix .svg",
            path.display()
        ))),
    }
}

/// Whether a metric is the mean of truth values.
fn is_part(model: &Model, node: NodeId) -> bool {
    let operand = |id: NodeId| model.operands(id).first().copied();
    let is_mean = matches!(model.op(node), Op::Reduce(reduce) if reduce.kind == Fold::Mean);
    let counted = operand(node).filter(|id| is_mean && matches!(model.op(*id), Op::Cast(_)));
    counted.and_then(operand).is_some_and(|id| model.ty(id).dtype == DType::Bool)
}
