//! A plan with its memory: the place where steps over so many rows run.

use super::rows::{Buffered, Rows, RowsError};
use super::run::Job;
use crate::exec::plan::{Engine, Options, Plan, Slot, State};
use crate::exec::{RunError, init};
use crate::graph::NodeId;
use crate::ops::random::STEP;
use crate::ops::{Bindings, Name};
use crate::tensor::{DType, Tensor, typed};
use std::sync::{Arc, Mutex, PoisonError};

/// Threads share the gathering of rows where each has so many bytes to write.
const SHARE: usize = 1 << 14;

/// What of a model is looked at and what moves.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    /// The loss and the metrics.
    pub nodes: &'a [NodeId],
    /// What has an update.
    pub moving: &'a [Name],
}

/// A plan for so many rows.
pub struct Seat {
    /// Whether its runs are steps of training.
    pub training: bool,
    /// The rows of a run.
    pub rows: usize,
    /// Whether its rows have been gathered.
    pub is_filled: bool,
    plan: Plan,
    state: State,
    engine: Arc<Engine>,
    bindings: Bindings,
    /// The slots of what moves, in one order for all seats; none where the plan does not need it.
    moving: Vec<Option<Slot>>,
    /// The slots of what has rows, with the numbers of their columns.
    columns: Vec<(usize, Slot)>,
    /// The slot of the number of the step.
    step: Option<Slot>,
}

impl Seat {
    /// A seat whose variables without rows have their values; what moves is still to be set.
    pub fn new(
        job: &Job,
        bindings: &Bindings,
        training: bool,
        rows: usize,
        watched: Watched,
    ) -> Result<Seat, RunError> {
        let options = Options { updates: training, budget: job.budget };
        let plan = Plan::with(job.model, watched.nodes, bindings, options)?;
        let mut state = plan.state(&job.engine)?;
        let slot = |name: &str| plan.variables().iter().find(|slot| *slot.name == *name).cloned();
        let own = match job.val {
            Some(val) if !training => val.columns(),
            _ => job.data.columns(),
        };
        let columns = own.iter().enumerate();
        let columns: Vec<(usize, Slot)> = columns
            .filter(|_| job.rows.is_some())
            .filter_map(|(number, column)| Some((number, slot(&column.name)?)))
            .collect();
        let given = init::given(job.model, job.settings.seed, 0, training);
        for slot in plan.variables() {
            let has_rows = columns.iter().any(|(_, column)| column.name == slot.name);
            let moves = watched.moving.contains(&slot.name);
            if has_rows || moves && training {
                continue;
            }
            let value = given.get(&slot.name).or_else(|| job.values.get(&slot.name));
            let value = value.ok_or_else(|| RunError::Missing(slot.name.clone()))?;
            plan.set(&mut state, slot, value)?;
        }
        Ok(Seat {
            training,
            rows,
            is_filled: false,
            moving: watched.moving.iter().map(|name| slot(name)).collect(),
            columns,
            step: slot(STEP).filter(|_| training),
            bindings: bindings.clone(),
            engine: Arc::clone(&job.engine),
            plan,
            state,
        })
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Gathers rows.
    pub fn fill(&mut self, data: &dyn Rows, rows: &[usize]) -> Result<(), RowsError> {
        for (column, slot) in &self.columns {
            typed!(slot.dtype, T => {
                let into = self.plan.write::<T>(&mut self.state, slot);
                gather(data, *column, rows, into, &self.engine)?;
            });
        }
        Ok(())
    }

    /// Tells the number of the step.
    pub fn count(&mut self, step: u64) {
        if let Some(slot) = &self.step {
            self.plan.write::<i64>(&mut self.state, slot)[0] = step.cast_signed();
        }
    }

    /// Runs the plan.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.plan.run(&mut self.state)
    }

    /// The value of what is watched in that place.
    pub fn watched(&self, place: usize) -> f64 {
        let slot = &self.plan.results()[place];
        match slot.dtype {
            DType::F32 => f64::from(self.plan.read::<f32>(&self.state, slot)[0]),
            DType::F64 => self.plan.read::<f64>(&self.state, slot)[0],
            DType::I32 => f64::from(self.plan.read::<i32>(&self.state, slot)[0]),
            DType::I64 => self.plan.read::<i64>(&self.state, slot)[0] as f64,
            DType::Bool => f64::from(u8::from(self.plan.read::<bool>(&self.state, slot)[0])),
        }
    }

    /// Gives what moves the values of another seat.
    pub fn copy(&mut self, from: &Seat) {
        for (to, own) in self.moving.iter().zip(&from.moving) {
            let (Some(to), Some(own)) = (to, own) else { continue };
            typed!(to.dtype, T => {
                let values = from.plan.read::<T>(&from.state, own);
                self.plan.write::<T>(&mut self.state, to).copy_from_slice(values);
            });
        }
    }

    /// Gives what moves these values.
    pub fn set(&mut self, values: &[(Name, Tensor)]) -> Result<(), RunError> {
        for slot in self.moving.iter().flatten() {
            let value = values.iter().find(|(name, _)| *name == slot.name);
            let (_, value) = value.ok_or_else(|| RunError::Missing(slot.name.clone()))?;
            self.plan.set(&mut self.state, slot, value)?;
        }
        Ok(())
    }

    /// The values of what moves.
    pub fn values(&self) -> Vec<(Name, Tensor)> {
        self.moving
            .iter()
            .flatten()
            .map(|slot| (slot.name.clone(), self.plan.tensor(&self.state, slot)))
            .collect()
    }

    /// The values of what has rows, and the number of the step.
    pub fn inputs(&self) -> Vec<(Name, Tensor)> {
        let columns = self.columns.iter().map(|(_, slot)| slot).chain(&self.step);
        columns.map(|slot| (slot.name.clone(), self.plan.tensor(&self.state, slot))).collect()
    }

    /// The sizes of its dimensions.
    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// Whether no value of what moves is NaN or infinite.
    pub fn is_finite(&self) -> bool {
        self.moving.iter().flatten().all(|slot| match slot.dtype {
            DType::F32 => {
                self.plan.read::<f32>(&self.state, slot).iter().all(|value| value.is_finite())
            }
            DType::F64 => {
                self.plan.read::<f64>(&self.state, slot).iter().all(|value| value.is_finite())
            }
            _ => true,
        })
    }
}

/// Gathers rows by all threads where there is enough to do.
fn gather<T: Buffered + Send>(
    data: &dyn Rows,
    column: usize,
    rows: &[usize],
    into: &mut [T],
    engine: &Engine,
) -> Result<(), RowsError> {
    let team = engine.pool.team();
    let pieces = (size_of_val(into) / SHARE).min(team.size()).min(rows.len());
    if pieces < 2 {
        return data.gather(column, rows, T::buffer(into));
    }
    let (each, width) = (rows.len().div_ceil(pieces), into.len() / rows.len());
    let parts = rows.chunks(each).zip(into.chunks_mut(each * width));
    let parts: Vec<_> = parts.map(|(rows, into)| Mutex::new((rows, into, Ok(())))).collect();
    team.run(parts.len(), &|number| {
        let mut part = parts[number].lock().unwrap_or_else(PoisonError::into_inner);
        let (rows, into, done) = &mut *part;
        *done = data.gather(column, rows, T::buffer(into));
    });
    let done =
        parts.into_iter().map(|part| part.into_inner().unwrap_or_else(PoisonError::into_inner).2);
    done.collect()
}
