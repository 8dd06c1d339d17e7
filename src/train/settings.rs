//! How a model is trained: what its `train` block says, with the rest filled in.

use crate::graph::train::{Batch, METHODS, Method, Rule, SCHEDULES, Schedule, Training};
use crate::ops::Number;

/// All that decides the steps of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What makes steps of gradients.
    pub optimiser: Rule<Method>,
    /// How many rows a step sees.
    pub batch: Batch,
    /// How often all rows are seen.
    pub epochs: u64,
    /// The seed of all that is random.
    pub seed: u64,
    /// The part of the rows that is kept back to validate.
    pub val: Number,
    /// The largest norm of all gradients together.
    pub clip: Option<Number>,
    /// The largest absolute value of an entry of a gradient.
    pub clip_value: Option<Number>,
    /// So much of a parameter is added to its gradient.
    pub weight_decay: Option<Number>,
    /// The gradients of so many batches make one update.
    pub accumulate: u64,
    /// How the rate changes.
    pub schedule: Rule<Schedule>,
}

/// Rows of a step where nothing else is said.
const BATCH: u64 = 32;

/// Epochs where nothing else is said.
const EPOCHS: u64 = 10;

impl Settings {
    /// What is said, and else `adam()`, batches of 32 rows, 10 epochs, seed 0, a constant rate and nothing besides.
    pub fn of(said: &Training) -> Settings {
        Settings {
            optimiser: said.optimiser.clone().unwrap_or_else(|| Rule::usual(Method::Adam, METHODS)),
            batch: said.batch.unwrap_or(Batch::Rows(BATCH)),
            epochs: said.epochs.unwrap_or(EPOCHS),
            seed: said.seed.unwrap_or(0),
            val: said.val.unwrap_or(Number::ZERO),
            clip: said.clip,
            clip_value: said.clip_value,
            weight_decay: said.weight_decay.filter(|decay| !decay.is_zero()),
            accumulate: said.accumulate.unwrap_or(1),
            schedule: said
                .schedule
                .clone()
                .unwrap_or_else(|| Rule::usual(Schedule::Constant, SCHEDULES)),
        }
    }

    /// The settings as a `train` block has them.
    pub fn training(&self) -> Training {
        Training {
            optimiser: Some(self.optimiser.clone()),
            batch: Some(self.batch),
            epochs: Some(self.epochs),
            seed: Some(self.seed),
            val: Some(self.val),
            clip: self.clip,
            clip_value: self.clip_value,
            weight_decay: self.weight_decay,
            accumulate: Some(self.accumulate),
            schedule: Some(self.schedule.clone()),
        }
    }

    /// A number of the optimiser.
    pub fn number(&self, name: &str) -> Option<Number> {
        self.optimiser.number(METHODS, name)
    }
}
