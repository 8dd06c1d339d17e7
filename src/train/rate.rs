//! The rate of each step: schedules as formulas of the number of the update.

use super::settings::Settings;
use crate::graph::train::{SCHEDULES, Schedule};
use crate::ops::term::{apply, select};
use crate::ops::{Number, Scalar, Term};
use std::f64::consts::PI;

/// How many updates there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Batches of an epoch, at least 1.
    pub batches: u64,
    /// Epochs in all.
    pub epochs: u64,
}

impl Pace {
    /// Updates of an epoch, each by the gradients of `accumulate` batches; the last may have fewer.
    pub fn updates(self, accumulate: u64) -> u64 {
        self.batches.div_ceil(accumulate.max(1)).max(1)
    }
}

/// The rate as a term of the number of the update, from 0, which is variable 0.
///
/// With `n` updates in an epoch, `T` in all and `lr` the optimiser's rate: `constant` is `lr`, `step` is
/// `lr * factor^floor(t / (every * n))`, `warmup` is `lr * min((t + 1) / (epochs * n), 1)`. `cosine` rises so over its `warmup`
/// epochs of W updates; from there on it is `lr * (floor + (1 - floor) * (1 + cos(pi * (t - W) / (T - W))) / 2)`
/// (Loshchilov and Hutter 2017).
pub fn rate(settings: &Settings, pace: Pace) -> Term {
    let lr = Term::from(settings.number("lr").expect("every optimiser has a rate"));
    let (t, own) = (Term::Var(0), pace.updates(settings.accumulate));
    let number = |name: &str| {
        settings.schedule.number(SCHEDULES, name).expect("the schedule's row has the number")
    };
    let updates = |epochs: Number| epochs * whole(own);
    match settings.schedule.kind {
        Schedule::Constant => lr,
        Schedule::Step => {
            let times = apply(Scalar::Floor, vec![t / Term::from(updates(number("every")))]);
            lr * apply(Scalar::Pow, vec![number("factor").into(), times])
        }
        Schedule::Warmup => lr * rising(&t, updates(number("epochs"))),
        Schedule::Cosine => {
            let (floor, warm) = (number("floor"), updates(number("warmup")));
            let all = whole(own) * whole(pace.epochs);
            // Where the rise takes all there is, nothing is left to fall.
            let left = if warm.to_f64() < all.to_f64() { all - warm } else { Number::ONE };
            let part = (&t - Term::from(warm)) * Term::from(Number::float(PI)) / Term::from(left);
            let wave = (apply(Scalar::Cos, vec![part]) + 1) / 2;
            let fallen = match floor.is_zero() {
                true => wave,
                false => wave * Term::from(Number::ONE - floor) + Term::from(floor),
            };
            let shape = match warm.is_zero() {
                true => fallen,
                false => {
                    let early = apply(Scalar::Lt, vec![t.clone(), warm.into()]);
                    select(early, (t + 1) / Term::from(warm), fallen)
                }
            };
            lr * shape
        }
    }
}

/// Whether the step depends on how many batches an epoch has.
pub fn has_pace(settings: &Settings) -> bool {
    settings.schedule.kind != Schedule::Constant || settings.accumulate > 1
}

/// Whether a schedule depends on how many epochs there are in all.
pub fn has_horizon(schedule: Schedule) -> bool {
    schedule == Schedule::Cosine
}

/// `min((t + 1) / updates, 1)`.
fn rising(t: &Term, updates: Number) -> Term {
    apply(Scalar::Minimum, vec![(t + 1) / Term::from(updates), 1.into()])
}

fn whole(count: u64) -> Number {
    Number::int(i64::try_from(count).unwrap_or(i64::MAX))
}
