//! The loop of a training: steps over shuffled rows, epochs, validation.

use super::order;
use super::rate::Pace;
use super::rows::{Rows, RowsError};
use super::seat::{Seat, Watched};
use super::settings::Settings;
use super::stop::Stop;
use crate::exec::plan::Engine;
use crate::exec::{Plan, RunError};
use crate::graph::train::Batch;
use crate::graph::{Kind, Model, NodeId, Values};
use crate::ops::{Bindings, Name};
use std::sync::Arc;

/// Why a training cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A step has no value.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Rows cannot be had.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// There is nothing to train on.
    #[error("there are no rows to train on")]
    NoRows,
    /// All rows are to validate.
    #[error("all {0} rows are kept back to validate: none is left to train on")]
    NoneLeft(usize),
    /// The name of a goal that nothing has, and the names that there are.
    #[error("no loss and no metric is called `{0}`; there are {names}", names = crate::ops::join(.1))]
    Goal(Name, Vec<Name>),
    /// What was kept of a training is not of this one.
    #[error("what was kept is not of this model: {0}")]
    Kept(String),
}

/// What is trained, on what.
#[derive(Clone)]
pub struct Job<'a> {
    /// The model of a step.
    pub model: &'a Model,
    /// The loss that gradients are of.
    pub loss: Name,
    /// How it is trained.
    pub settings: &'a Settings,
    /// When it ends early.
    pub stop: Stop,
    /// The dimension that counts rows, where inputs have rows.
    pub rows: Option<Name>,
    /// The sizes of the other dimensions.
    pub bindings: Bindings,
    /// First values of parameters and states, and all inputs without rows.
    pub values: Values,
    /// The data.
    pub data: &'a dyn Rows,
    /// Data of its own to validate on, instead of a part of the rows.
    pub val: Option<&'a dyn Rows>,
    /// What steps run on.
    pub engine: Arc<Engine>,
    /// A plan takes at most so many bytes: `Options::budget`.
    pub budget: Option<usize>,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A step.
    Step,
    /// A step that was the last of an epoch.
    Epoch(Report),
    /// The loss, or a value that was updated, is NaN or infinite; the run is at the step that made it so.
    Diverged,
    /// All epochs have passed, or the training has reached what ends it early.
    Done,
}

/// An epoch in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The epoch, from 1.
    pub epoch: u64,
    /// Steps since the beginning.
    pub step: u64,
    /// The means over the rows that were trained on: the loss, then the metrics.
    pub train: Vec<f64>,
    /// The same over the rows that validate.
    pub val: Option<Vec<f64>>,
    /// Whether it is the last.
    pub is_last: bool,
}

impl Report {
    /// The values that decide: over the rows that validate, where there are some.
    pub fn decisive(&self) -> &[f64] {
        self.val.as_deref().unwrap_or(&self.train)
    }
}

/// All of a training that has to be kept to go on with it: the same bytes follow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Steps done; with the seed they tell the place in the epoch and its order of rows.
    pub step: u64,
    /// Sums of loss and metrics over the rows of the epoch so far.
    pub sums: Vec<f64>,
    /// The smallest loss of an epoch.
    pub best: f64,
    /// Epochs since then.
    pub stale: u64,
    /// Whether what ends it early has been reached.
    pub ended: bool,
    /// What the last whole epoch came to.
    pub report: Option<Report>,
    /// What the epoch with the smallest loss came to, where that is asked for.
    pub top: Option<Top>,
    /// Parameters, states, and what the optimiser keeps.
    pub values: Vec<(Name, crate::tensor::Tensor)>,
}

/// The epoch with the smallest loss that decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// Its numbers.
    pub report: Report,
    /// The parameters, states, and what the optimiser kept at its end.
    pub values: Vec<(Name, crate::tensor::Tensor)>,
}

/// A training under way.
pub struct Run<'a> {
    job: Job<'a>,
    pace: Pace,
    batch: usize,
    watched: Vec<NodeId>,
    names: Vec<Name>,
    goals: Vec<usize>,
    train: Arc<[usize]>,
    val: Arc<[usize]>,
    order: Vec<usize>,
    /// The epoch that `order` is of.
    ordered: Option<u64>,
    moving: Vec<Name>,
    seats: Vec<Seat>,
    /// The seat whose values are of now.
    current: Option<usize>,
    kept: Kept,
    /// What was at the start of an epoch, to find the step that diverged.
    start: Kept,
    last: f64,
}

/// To find the step that diverged so many steps at least are done again; it costs a copy of all values once in as many.
const REPLAYED: u64 = 256;

/// So many rows at least are validated at a time.
const VALIDATED: usize = 256;

/// The rows that are trained on, and the steps that they take in an epoch.
pub fn pace(settings: &Settings, count: usize) -> (usize, Pace) {
    let batch = match settings.batch {
        Batch::All => count,
        Batch::Rows(rows) => usize::try_from(rows).unwrap_or(usize::MAX).min(count),
    };
    let batches = count.div_ceil(batch.max(1)) as u64;
    (batch, Pace { batches: batches.max(1), epochs: settings.epochs })
}

impl<'a> Run<'a> {
    /// A training before its first step. Without rows each step is an epoch.
    pub fn new(job: Job<'a>) -> Result<Run<'a>, TrainError> {
        let model = job.model;
        let count = match job.rows {
            Some(_) => job.data.len(),
            None => 1,
        };
        let part = match job.val {
            Some(_) => 0.0,
            None => job.settings.val.to_f64(),
        };
        let (train, mut val) = order::split(count, part, job.settings.seed);
        if let Some(own) = job.val {
            val = (0..own.len()).collect();
        }
        if train.is_empty() {
            return Err(match count {
                0 => TrainError::NoRows,
                _ => TrainError::NoneLeft(count),
            });
        }
        let (batch, pace) = pace(job.settings, train.len());
        let loss = model.outputs.iter().filter(|output| output.name == job.loss);
        let scalar = |node: NodeId| model.ty(node).rank() == 0;
        let metrics = model
            .outputs
            .iter()
            .filter(|output| output.kind == Kind::Metric && scalar(output.node));
        let (mut names, mut watched) = (Vec::new(), Vec::new());
        for output in loss.take(1).chain(metrics) {
            names.push(output.name.clone());
            watched.push(output.node);
        }
        let place = |goal: &Name| {
            let own = names.iter().position(|name| name == goal);
            own.or((**goal == *"loss").then_some(0))
        };
        let goals = job.stop.until.iter().map(|goal| {
            place(&goal.name).ok_or_else(|| TrainError::Goal(goal.name.clone(), names.clone()))
        });
        let goals = goals.collect::<Result<_, _>>()?;
        let moving: Vec<Name> = model.updates.keys().cloned().collect();
        let mut values = Vec::new();
        for name in &moving {
            let value = job.values.get(name).cloned();
            values.push((name.clone(), value.ok_or_else(|| RunError::Missing(name.clone()))?));
        }
        let sums = vec![0.0; names.len()];
        let kept = Kept { sums, best: f64::INFINITY, values, ..Kept::default() };
        let order = train.clone();
        let (train, val) = (train.into(), val.into());
        Ok(Run {
            pace,
            batch,
            watched,
            names,
            goals,
            train,
            val,
            order,
            ordered: None,
            moving,
            seats: Vec::new(),
            current: None,
            start: kept.clone(),
            kept,
            last: f64::NAN,
            job,
        })
    }

    /// The plan of a step. All plans of the training are made: where a budget does not suffice, the least is that of all.
    pub fn plan(&mut self) -> Result<&Plan, TrainError> {
        let (batch, count) = (self.batch, self.train.len());
        let val = if self.val.is_empty() { count } else { self.val.len() };
        let size = batch.max(VALIDATED).min(val);
        let mut refused: Option<(usize, usize)> = None;
        let parts = [(true, batch), (true, count % batch), (false, size), (false, val % size)];
        for (training, rows) in parts.into_iter().filter(|&(_, rows)| rows > 0) {
            match self.seat(training, rows) {
                Err(TrainError::Run(RunError::Budget { budget, least })) => {
                    let most = refused.map_or(least, |(_, most)| most.max(least));
                    refused = Some((budget, most));
                }
                other => drop(other?),
            }
        }
        if let Some((budget, least)) = refused {
            return Err(RunError::Budget { budget, least }.into());
        }
        let number = self.seat(true, batch)?;
        Ok(self.seats[number].plan())
    }

    /// The names of what is watched: the loss, then the metrics.
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// Rows of a step.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Rows that are trained on, and rows that validate.
    pub fn counts(&self) -> (usize, usize) {
        (self.train.len(), self.val.len())
    }

    /// Batches of an epoch, and epochs.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Steps done.
    pub fn step(&self) -> u64 {
        self.kept.step
    }

    /// The loss of the last step; NaN before the first.
    pub fn loss(&self) -> f64 {
        self.last
    }

    /// What the last whole epoch came to.
    pub fn last(&self) -> Option<&Report> {
        self.kept.report.as_ref()
    }

    /// The epoch with the smallest loss so far, where `Stop::best` asks for it.
    pub fn top(&self) -> Option<&Top> {
        self.kept.top.as_ref()
    }

    /// Rows seen in all.
    pub fn seen(&self) -> u64 {
        let (epochs, batches) =
            (self.kept.step / self.pace.batches, self.kept.step % self.pace.batches);
        let own = (batches as usize * self.batch).min(self.train.len());
        epochs * self.train.len() as u64 + own as u64
    }

    /// Does one step, and what follows the last of an epoch.
    pub fn advance(&mut self) -> Result<Event, TrainError> {
        if self.kept.ended || self.kept.step >= self.pace.batches.saturating_mul(self.pace.epochs) {
            return Ok(Event::Done);
        }
        let (epoch, place) =
            (self.kept.step / self.pace.batches, self.kept.step % self.pace.batches);
        if place == 0 && self.kept.step >= self.start.step + REPLAYED {
            self.start = self.kept();
        }
        let finite = self.one(epoch, place as usize)?;
        if !finite {
            return Ok(Event::Diverged);
        }
        if place + 1 < self.pace.batches {
            return Ok(Event::Step);
        }
        if !self.is_finite() {
            return Ok(Event::Diverged);
        }
        self.report(epoch).map(Event::Epoch)
    }

    /// One step; whether its loss is a finite number.
    fn one(&mut self, epoch: u64, place: usize) -> Result<bool, TrainError> {
        let from = place * self.batch;
        let to = (from + self.batch).min(self.train.len());
        if self.ordered != Some(epoch) {
            self.order.copy_from_slice(&self.train);
            // A lone batch has all rows, in whatever order.
            if self.pace.batches > 1 {
                order::shuffle(&mut self.order, self.job.settings.seed, epoch);
            }
            self.ordered = Some(epoch);
        }
        let number = self.seat(true, to - from)?;
        self.take(number)?;
        let seat = &mut self.seats[number];
        let held = self.pace.batches == 1;
        if self.job.rows.is_some() && !(held && seat.is_filled) {
            seat.fill(self.job.data, &self.order[from..to])?;
            seat.is_filled = true;
            let next = &self.order[to..(to + self.batch).min(self.order.len())];
            if !next.is_empty() {
                self.job.data.expect(next);
            }
        }
        seat.count(self.kept.step);
        seat.run()?;
        for (sum, place) in self.kept.sums.iter_mut().zip(0..) {
            *sum += seat.watched(place) * (to - from) as f64;
        }
        self.last = seat.watched(0);
        self.kept.step += 1;
        Ok(self.last.is_finite())
    }

    /// What an epoch comes to, and whether it was the last.
    fn report(&mut self, epoch: u64) -> Result<Report, TrainError> {
        let count = self.train.len() as f64;
        let train: Vec<f64> = self.kept.sums.iter().map(|sum| sum / count).collect();
        self.kept.sums.fill(0.0);
        let val = match self.val.is_empty() {
            true => None,
            false => Some(self.measured()?),
        };
        let mut report =
            Report { epoch: epoch + 1, step: self.kept.step, train, val, is_last: false };
        let decisive = report.decisive();
        let mut goals = self.job.stop.until.iter().zip(&self.goals);
        let reached =
            !self.goals.is_empty() && goals.all(|(goal, &place)| goal.is_reached(decisive[place]));
        let is_best = decisive[0] < self.kept.best;
        if is_best {
            (self.kept.best, self.kept.stale) = (decisive[0], 0);
        } else {
            self.kept.stale += 1;
        }
        let stale = self.job.stop.patience.is_some_and(|most| self.kept.stale >= most);
        self.kept.ended = reached || stale;
        report.is_last = self.kept.ended || report.epoch >= self.pace.epochs;
        self.kept.report = Some(report.clone());
        if is_best && self.job.stop.best {
            self.kept.top = Some(Top { report: report.clone(), values: self.values() });
        }
        Ok(report)
    }

    /// The means of loss and metrics with the values of now, over the rows that validate, or else over all.
    pub fn measured(&mut self) -> Result<Vec<f64>, TrainError> {
        let rows = Arc::clone(if self.val.is_empty() { &self.train } else { &self.val });
        let data = self.job.val.unwrap_or(self.job.data);
        let size = self.batch.max(VALIDATED).min(rows.len());
        let mut sums = vec![0.0; self.names.len()];
        let mut chunks = rows.chunks(size).peekable();
        while let Some(rows) = chunks.next() {
            let number = self.seat(false, rows.len())?;
            self.lend(number)?;
            let seat = &mut self.seats[number];
            if self.job.rows.is_some() {
                seat.fill(data, rows)?;
                if let Some(next) = chunks.peek() {
                    data.expect(next);
                }
            }
            seat.run()?;
            for (sum, place) in sums.iter_mut().zip(0..) {
                *sum += seat.watched(place) * rows.len() as f64;
            }
        }
        Ok(sums.into_iter().map(|sum| sum / rows.len() as f64).collect())
    }

    /// The seat for so many rows.
    fn seat(&mut self, training: bool, rows: usize) -> Result<usize, TrainError> {
        let known =
            self.seats.iter().position(|seat| seat.training == training && seat.rows == rows);
        if let Some(number) = known {
            return Ok(number);
        }
        let mut bindings = self.job.bindings.clone();
        if let Some(name) = &self.job.rows {
            bindings.insert(name.clone(), rows as i64);
        }
        let bindings = self.job.model.dims.bind(&bindings).unwrap_or(bindings);
        let watched = Watched { nodes: &self.watched, moving: &self.moving };
        let seat = Seat::new(&self.job, &bindings, training, rows, watched)?;
        self.seats.push(seat);
        Ok(self.seats.len() - 1)
    }

    /// Gives a seat the values of now, which it goes on from.
    fn take(&mut self, number: usize) -> Result<(), TrainError> {
        if self.current != Some(number) {
            self.lend(number)?;
            self.current = Some(number);
        }
        Ok(())
    }

    /// Gives a seat the values of now.
    fn lend(&mut self, number: usize) -> Result<(), TrainError> {
        match self.current {
            None => self.seats[number].set(&self.kept.values)?,
            Some(from) if from == number => {}
            Some(from) => {
                let [from, to] = self.seats.get_disjoint_mut([from, number]).expect("two seats");
                to.copy(from);
            }
        }
        Ok(())
    }

    fn is_finite(&self) -> bool {
        match self.current {
            Some(number) => self.seats[number].is_finite(),
            None => true,
        }
    }

    /// The parameters, states, and what the optimiser keeps, as they are now.
    pub fn values(&self) -> Vec<(Name, crate::tensor::Tensor)> {
        match self.current {
            Some(number) => self.seats[number].values(),
            None => self.kept.values.clone(),
        }
    }

    /// All that has to be kept to go on from here.
    pub fn kept(&self) -> Kept {
        Kept { values: self.values(), ..self.kept.clone() }
    }

    /// Goes on from what was kept of a training of the same model, with the same settings, on the same data.
    pub fn resume(&mut self, kept: Kept) -> Result<(), TrainError> {
        let same = |(name, value): &(Name, crate::tensor::Tensor)| {
            self.job
                .values
                .get(name)
                .is_some_and(|own| own.dtype() == value.dtype() && own.shape() == value.shape())
        };
        let top = kept.top.iter().flat_map(|top| &top.values);
        let known = kept.values.iter().chain(top).all(same)
            && self.moving.iter().all(|name| kept.values.iter().any(|(own, _)| own == name));
        if !known || kept.sums.len() != self.names.len() {
            return Err(TrainError::Kept("its parameters, states or metrics are others".into()));
        }
        self.kept = kept;
        self.start = self.kept.clone();
        self.current = None;
        self.ordered = None;
        Ok(())
    }

    /// Goes back to before the step that diverged, and gives all values of that step: those of its rows too.
    pub fn blame(&mut self) -> Result<(Values, Bindings), TrainError> {
        self.resume(self.start.clone())?;
        loop {
            let before = self.kept();
            let ended = self.advance()?;
            let diverged = ended == Event::Diverged || !self.is_finite();
            if !diverged && ended != Event::Done {
                continue;
            }
            let seat = &self.seats[self.current.unwrap_or_default()];
            let mut values = self.job.values.clone();
            values.extend(seat.inputs());
            values.extend(before.values.iter().cloned());
            let bindings = seat.bindings().clone();
            self.resume(before)?;
            return Ok((values, bindings));
        }
    }
}
