//! A loop whose body is a plan of its own, in a part of the block.

use super::Plan;
use super::hoist::Hoist;
use super::place::width;
use super::step::Operand;
use super::{Apart, Engine, Room, Slot};
use crate::exec::kernels::memory::{Far, PLACES, Shared, place};
use crate::exec::reference::RunError;
use crate::graph::{Model, NodeId, Origins};
use crate::ops::leaf::Variable;
use crate::ops::scan::{Scan, Which};
use crate::ops::{Bindings, Misfit, Name, ValueError};
use crate::tensor::{DType, typed};
use smallvec::SmallVec;
use std::sync::Arc;

/// A loop with its addresses.
#[derive(Debug)]
pub struct Loop {
    /// The plan of the body: its results are what is stacked, its updates the carries.
    pub body: Plan,
    /// The first byte of the body's memory.
    pub at: usize,
    /// The number of steps.
    pub length: usize,
    /// From the end.
    pub reverse: bool,
    /// The variable of the body that is the index, where it is read.
    index: Option<Slot>,
    /// Values that are copied once: from where, to which variable of the body.
    once: Vec<(Given, Slot)>,
    /// Arrays of which each step reads a slice.
    slices: Vec<(Operand, Slot)>,
    /// Results: which, and their first bytes.
    pub parts: Vec<(Which, usize)>,
    /// Of what is stacked, what the body writes where it belongs.
    direct: Vec<(usize, usize)>,
    /// The carries' variables, where there are any left.
    carries: Vec<Option<Slot>>,
    /// Which of the carries live where their last values belong, and that address.
    last: Vec<Option<usize>>,
}

/// What a loop is given.
#[derive(Debug)]
pub enum Given {
    /// An array in the block.
    Array(Operand),
    /// A floating-point number everywhere.
    Number(f64),
}

/// The body of a scan as a model, and the nodes of its places. What is given are variables, called by the numbers of their
/// places.
fn model(scan: &Scan, hoist: &Hoist, outer: &Model) -> Result<(Model, Vec<NodeId>), Misfit> {
    let body = &scan.body;
    let mut model = Model::default();
    model.dims.clone_from(&outer.dims);
    let origins = Origins::default();
    let mut places: Vec<NodeId> = Vec::with_capacity(body.inputs.len() + body.steps.len());
    for (number, ty) in body.inputs.iter().enumerate() {
        let variable = Variable { name: name(number), ty: Arc::new(ty.clone()) };
        places.push(model.insert(variable, &[], &origins)?);
    }
    for step in &body.steps {
        let place = places.len();
        let given = hoist.sliced.iter().chain(&hoist.once).any(|&given| given as usize == place);
        if given {
            let variable = Variable { name: name(place), ty: Arc::new(step.ty.clone()) };
            places.push(model.insert(variable, &[], &origins)?);
            continue;
        }
        let operands: SmallVec<[NodeId; 4]> =
            step.operands.iter().map(|&operand| places[operand as usize]).collect();
        places.push(model.insert(step.op.clone(), &operands, &origins)?);
    }
    Ok((model, places))
}

fn name(number: usize) -> Name {
    number.to_string().into()
}

/// The plan of a scan's body whose results `asked` are needed, and the number of steps.
pub fn body(
    scan: &Scan,
    hoist: &Hoist,
    asked: &[Which],
    outer: &Model,
    bindings: &Bindings,
) -> Result<(Plan, usize), ScanError> {
    let length = usize::try_from(scan.length.eval(bindings).map_err(RunError::from)?)
        .map_err(|_| ValueError::Shape(format!("a scan of {} steps", scan.length)))?;
    let (model, places) =
        model(scan, hoist, outer).map_err(|misfit| ValueError::Shape(misfit.message))?;
    let results = scan.body.results.iter().chain(&hoist.kept);
    let results: Vec<NodeId> = results.map(|&place| places[place as usize]).collect();
    let (next, yields) = results.split_at(scan.carries);
    let updates: Vec<(NodeId, NodeId)> = next
        .iter()
        .enumerate()
        .filter(|(carry, _)| !hoist.dropped[*carry])
        .map(|(carry, &value)| (places[1 + carry], value))
        .collect();
    let results: Vec<bool> =
        (0..yields.len()).map(|number| asked.contains(&Which::Yield(number))).collect();
    let last = |carry: &usize| asked.contains(&Which::Final(*carry));
    let carries: Vec<Name> = (0..scan.carries).filter(last).map(|carry| name(1 + carry)).collect();
    let apart = Apart { index: &name(0), results: &results, carries: &carries };
    let room = Room { apart: Some(&apart), ..Room::default() };
    Ok((Plan::build(&model, yields, &updates, bindings, &room)?, length))
}

/// Why a body has no plan.
pub enum ScanError {
    /// Of the whole.
    Run(RunError),
    /// Of the scan.
    Value(ValueError),
}

impl From<RunError> for ScanError {
    fn from(error: RunError) -> Self {
        // Nodes of the body are none of the model's.
        match error {
            RunError::Value { error, .. } => ScanError::Value(error),
            error => ScanError::Run(error),
        }
    }
}

impl From<ValueError> for ScanError {
    fn from(error: ValueError) -> Self {
        ScanError::Value(error)
    }
}

impl Loop {
    /// The loop of a scan over operands that lie in the block, dense.
    pub fn new(
        scan: &Scan,
        hoist: &Hoist,
        (body, length): (Plan, usize),
        args: Vec<Given>,
        at: usize,
        parts: Vec<(Which, usize)>,
    ) -> Loop {
        let slot = |number: usize| {
            let wanted = name(number);
            body.variables.iter().find(|slot| slot.name == wanted).cloned()
        };
        let (mut once, mut slices, mut carries) = (Vec::new(), Vec::new(), Vec::new());
        let own = scan.body.inputs.len() - 1;
        let given: Vec<u32> = hoist.sliced.iter().chain(&hoist.once).copied().collect();
        for (place, arg) in args.into_iter().enumerate() {
            let (number, sliced) = match place.checked_sub(own) {
                None => (1 + place, (scan.carries..scan.carries + scan.slices).contains(&place)),
                Some(more) => (given[more] as usize, more < hoist.sliced.len()),
            };
            let slot = slot(number);
            if place < scan.carries {
                carries.push(slot.clone());
            }
            let Some(slot) = slot else { continue };
            match arg {
                Given::Array(operand) if sliced => slices.push((operand, slot)),
                arg => once.push((arg, slot)),
            }
        }
        let index = slot(0);
        // What is stacked twice is written once.
        let mut known: Vec<usize> = Vec::new();
        let direct = |&(which, part): &(Which, usize)| match which {
            Which::Yield(result) => {
                let place = place(body.results[result].at)?;
                let first = !known.contains(&place);
                known.push(place);
                first.then_some((result, part))
            }
            _ => None,
        };
        let direct = parts.iter().filter_map(direct).collect();
        let last = carries.iter().enumerate().map(|(carry, slot): (usize, &Option<Slot>)| {
            let of = parts.iter().find(|(which, _)| *which == Which::Final(carry));
            place(slot.as_ref()?.at).and(of).map(|(_, part)| *part)
        });
        let (last, reverse) = (last.collect(), scan.reverse);
        Loop { at, length, reverse, index, once, slices, parts, direct, carries, last, body }
    }

    /// Runs all steps.
    pub fn run(&self, memory: Shared<'_>, engine: &Engine) -> Result<(), ValueError> {
        let inner = memory.within(self.at, self.body.bytes);
        for (at, value) in &self.body.constants {
            crate::each_dtype!(value, array => {
                inner.span(*at, array.len()).write().iter_mut().zip(array.iter()).for_each(|(to, &x)| *to = x);
            });
        }
        let mut far = [Far::NONE; PLACES];
        for (slot, part) in self.carries.iter().zip(&self.last) {
            if let (Some(slot), Some(part)) = (slot, *part)
                && let Some(place) = place(slot.at)
            {
                far[place] = memory.far(part, bytes(slot));
            }
        }
        for (from, to) in &self.once {
            match (from, place(to.at)) {
                (Given::Array(from), Some(place)) if !self.carried(to) => {
                    far[place] = row(memory, from, 0, to);
                }
                (Given::Array(from), _) => {
                    let start = from.layout.offset as usize;
                    copy(memory, from.at, start, inner.with(&far), to.at, 0, to);
                }
                (Given::Number(number), _) => fill(inner.with(&far), to, *number),
            }
        }
        for step in 0..self.length {
            let at = if self.reverse { self.length - 1 - step } else { step };
            if let Some(slot) = &self.index {
                inner.span::<i64>(slot.at, 1).write()[0] = at as i64;
            }
            for (from, to) in &self.slices {
                let start = from.layout.offset as usize + at * count(to);
                match place(to.at) {
                    Some(place) => far[place] = row(memory, from, at, to),
                    None => copy(memory, from.at, start, inner, to.at, 0, to),
                }
            }
            for &(result, part) in &self.direct {
                let slot = &self.body.results[result];
                if let Some(place) = place(slot.at) {
                    far[place] = memory.far(part + at * bytes(slot), bytes(slot));
                }
            }
            for &(which, part) in &self.parts {
                if let Which::Trace(carry) = which
                    && let Some(slot) = &self.carries[carry]
                {
                    copy(inner.with(&far), slot.at, 0, memory, part, at * count(slot), slot);
                }
            }
            let inner = inner.with(&far);
            for step in &self.body.steps {
                step.run(inner, engine, &self.body.bindings).map_err(|error| match error {
                    RunError::Value { error, .. } => error,
                    error => ValueError::Shape(error.to_string()),
                })?;
            }
            for &(which, part) in &self.parts {
                if let Which::Yield(result) = which
                    && !self.direct.contains(&(result, part))
                {
                    let slot = &self.body.results[result];
                    copy(inner, slot.at, 0, memory, part, at * count(slot), slot);
                }
            }
        }
        for &(which, part) in &self.parts {
            if let Which::Final(carry) = which
                && let Some(slot) = &self.carries[carry]
                && self.last[carry] != Some(part)
            {
                copy(inner.with(&far), slot.at, 0, memory, part, 0, slot);
            }
        }
        Ok(())
    }

    fn carried(&self, slot: &Slot) -> bool {
        self.carries.iter().flatten().any(|carry| carry.at == slot.at)
    }
}

/// Where row `at` of an operand lies, which is a variable's value.
fn row(memory: Shared<'_>, from: &Operand, at: usize, slot: &Slot) -> Far {
    let start = from.layout.offset as usize + at * count(slot);
    memory.far(from.at + start * width(slot.dtype), bytes(slot))
}

fn bytes(slot: &Slot) -> usize {
    count(slot) * width(slot.dtype)
}

fn count(slot: &Slot) -> usize {
    slot.sizes.iter().product()
}

fn fill(memory: Shared<'_>, slot: &Slot, number: f64) {
    match slot.dtype {
        DType::F32 => memory.span::<f32>(slot.at, count(slot)).write().fill(number as f32),
        _ => memory.span::<f64>(slot.at, count(slot)).write().fill(number),
    }
}

/// Copies as many elements as a slot has, from and to elements behind a first byte.
fn copy(
    from: Shared<'_>,
    at: usize,
    start: usize,
    to: Shared<'_>,
    to_at: usize,
    to_start: usize,
    slot: &Slot,
) {
    let count = count(slot);
    typed!(slot.dtype, T => {
        let size = size_of::<T>();
        let source = from.span::<T>(at + start * size, count).read();
        to.span::<T>(to_at + to_start * size, count).write().copy_from_slice(source);
    });
}
