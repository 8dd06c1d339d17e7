//! A model compiled for given sizes: steps over one block of memory, to be run many times.

mod again;
mod arena;
mod budget;
mod cache;
mod chain;
mod direct;
mod draft;
mod einsum;
mod ends;
mod flow;
mod folds;
mod fuse;
mod gram;
mod group;
mod hoist;
mod index;
mod layout;
mod maps;
mod place;
mod products;
mod redo;
mod scan;
mod segments;
mod step;
mod stretch;
mod tape;
mod tiny;
mod walk;
mod windows;

use super::kernels::memory::{self, Block};
use super::kernels::{Level, Math, Team};
use super::pool::Pool;
use super::reference::{RunError, described};
use crate::graph::{Model, NodeId, Values};
use crate::ops::size::sizes;
use crate::ops::{Bindings, Name};
use crate::tensor::{Array, DType, Element, Tensor, typed};
pub use budget::Spared;
pub use cache::Plans;
use draft::{Id, Kind};
use group::{Group, Programs};
use ndarray::{ArrayD, IxDyn};
use rustc_hash::{FxHashMap, FxHashSet};
pub use segments::Cuts;
use smallvec::smallvec;
use std::sync::Arc;
use step::Step;

/// A compiled model.
#[derive(Debug)]
pub struct Plan {
    steps: Vec<Step>,
    nodes: Vec<Box<[NodeId]>>,
    variables: Vec<Slot>,
    results: Vec<Slot>,
    constants: Vec<(usize, Tensor)>,
    bytes: usize,
    spared: Option<Spared>,
    bindings: Bindings,
}

/// How a plan is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Each run gives variables the values that `model.updates` names: a step of training.
    pub updates: bool,
    /// A state takes at most so many bytes: values are computed again where they would not all find room. Counted is the whole
    /// block of a state, which has variables, results and all between; not what threads use for tiles and panels.
    pub budget: Option<usize>,
}

/// What a step is.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The kind of the step.
    pub what: &'static str,
    /// The nodes that it computes.
    pub nodes: Vec<NodeId>,
    /// Floating-point operations.
    pub flops: f64,
    /// Bytes read and written.
    pub bytes: f64,
}

/// A value with a place in the block.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The variable's name; empty for results.
    pub name: Name,
    /// The element type.
    pub dtype: DType,
    /// The sizes of the axes.
    pub sizes: Vec<usize>,
    at: usize,
}

/// The memory of the runs of a plan: variables, results and all between. It belongs to the caller and is used again and again.
#[derive(Debug)]
pub struct State {
    block: Block,
    engine: Arc<Engine>,
}

/// What plans run on.
#[derive(Debug, Default)]
pub struct Engine {
    /// The threads.
    pub pool: Pool,
    /// The SIMD level.
    pub level: Level,
    /// Which functions.
    pub math: Math,
    /// Where actions become machine code.
    pub emit: Emit,
}

/// Where the actions of a group become machine code, if the level has an emitter. Results are the same bit by bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emit {
    /// Where it saves more time than it takes.
    #[default]
    Paying,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl Engine {
    /// An engine of the caller's thread alone.
    pub fn alone() -> Engine {
        Engine { pool: Pool::new(1), ..Engine::default() }
    }

    fn team(&self) -> &Team {
        self.pool.team()
    }
}

impl Plan {
    /// The plan that computes `wanted` of a model whose dimensions have the sizes `bindings`.
    pub fn new(model: &Model, wanted: &[NodeId], bindings: &Bindings) -> Result<Plan, RunError> {
        Plan::with(model, wanted, bindings, Options::default())
    }

    /// The same, where each run gives variables the values that `model.updates` names: a step of training.
    pub fn step(model: &Model, wanted: &[NodeId], bindings: &Bindings) -> Result<Plan, RunError> {
        Plan::with(model, wanted, bindings, Options { updates: true, budget: None })
    }

    /// The same as the options say; with a budget refused where no plan would fit into it.
    pub fn with(
        model: &Model,
        wanted: &[NodeId],
        bindings: &Bindings,
        options: Options,
    ) -> Result<Plan, RunError> {
        let updates: Vec<(NodeId, NodeId)> = model
            .updates
            .iter()
            .filter(|_| options.updates)
            .filter_map(|(name, &value)| Some((model.variables.get(name)?.node, value)))
            .collect();
        let build = |room: &Room<'_>| Plan::build(model, wanted, &updates, bindings, room);
        let Some(budget) = options.budget else { return build(&Room::default()) };
        let roots: Vec<NodeId> =
            wanted.iter().copied().chain(updates.iter().map(|&(_, value)| value)).collect();
        budget::cut(budget, segments::longest(model, &roots, bindings)?, build)
    }

    fn build(
        model: &Model,
        wanted: &[NodeId],
        updates: &[(NodeId, NodeId)],
        bindings: &Bindings,
        room: &Room<'_>,
    ) -> Result<Plan, RunError> {
        let mut roots = wanted.to_vec();
        roots.extend(updates.iter().flat_map(|&(variable, value)| [value, variable]));
        let (mut draft, mut ids) = draft::draft(model, &roots, bindings, room.cuts)?;
        let variable = |draft: &draft::Draft, id: Id| {
            matches!(draft.items[id as usize].kind, Kind::Variable(_))
        };
        if !updates.is_empty() {
            // What is reported or given to another variable is the value before the step.
            for (place, id) in ids.iter_mut().enumerate() {
                let target = place >= wanted.len() && (place - wanted.len()) % 2 == 1;
                if !target && variable(&draft, *id) {
                    let item = &draft.items[*id as usize];
                    let (dtype, sizes) = (item.dtype, item.sizes.clone());
                    let view = draft::View { of: *id, layout: layout::Layout::rows(&sizes) };
                    *id = draft
                        .add(
                            Kind::copy(dtype, &sizes),
                            dtype,
                            &sizes,
                            smallvec![view],
                            roots[place],
                        )
                        .of;
                }
            }
        }
        let draft = again::again(draft, &mut ids);
        let pairs: Vec<(Id, Id)> =
            ids[wanted.len()..].chunks_exact(2).map(|pair| (pair[1], pair[0])).collect();
        let results = &ids[..wanted.len()];
        let far =
            room.apart.map(|apart| elsewhere(&draft, results, &pairs, apart)).unwrap_or_default();
        let slot = |id: Id, name: Name, sizes: Vec<usize>| {
            (id, Slot { name, dtype: draft.items[id as usize].dtype, sizes, at: 0 })
        };
        let mut variables = Vec::with_capacity(draft.variables.len());
        for (id, item) in draft.items.iter().enumerate() {
            if let Kind::Variable(number) = item.kind {
                let name = draft.variables[number as usize].clone();
                variables.push(slot(id as Id, name, item.sizes.to_vec()));
            }
        }
        let slots = results
            .iter()
            .zip(wanted)
            .map(|(&id, &node)| {
                let sizes = sizes(&model.ty(node).shape, bindings)?;
                Ok(slot(id, "".into(), sizes))
            })
            .collect::<Result<Vec<(Id, Slot)>, RunError>>()?;
        let mut roots = results.to_vec();
        roots.extend(pairs.iter().map(|&(_, item)| item));
        let request = place::Request { model, roots, updates: &pairs, bindings, far };
        let placed = place::place(draft, results, &request, room.budget)?;
        let at = |(id, slot): (Id, Slot)| Slot { at: placed.at[id as usize], ..slot };
        Ok(Plan {
            steps: placed.steps,
            nodes: placed.nodes,
            variables: variables.into_iter().map(at).collect(),
            results: slots.into_iter().map(at).collect(),
            constants: placed.constants,
            bytes: placed.bytes,
            spared: placed.spared,
            bindings: bindings.clone(),
        })
    }

    /// The variables that have to be given.
    pub fn variables(&self) -> &[Slot] {
        &self.variables
    }

    /// The results in the order in which they were wanted.
    pub fn results(&self) -> &[Slot] {
        &self.results
    }

    /// The bytes of a state.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is computed again, where a budget asks for it.
    pub fn spared(&self) -> Option<&Spared> {
        self.spared.as_ref()
    }

    /// What each step does and costs.
    pub fn costs(&self) -> Vec<Cost> {
        let mut costs = Vec::with_capacity(self.steps.len());
        for (step, nodes) in self.steps.iter().zip(&self.nodes) {
            let (what, flops, bytes) = step.cost();
            costs.push(Cost { what, nodes: nodes.to_vec(), flops, bytes });
        }
        costs
    }

    /// Runs one step, with what is in the memory at the time.
    pub fn run_step(&self, state: &mut State, step: usize) -> Result<(), RunError> {
        assert!(state.block.len() >= self.bytes, "a state of this plan");
        self.steps[step].run(state.block.shared(), &state.engine, &self.bindings)
    }

    /// Memory for runs on an engine, variables all zero.
    pub fn state(&self, engine: &Arc<Engine>) -> Result<State, RunError> {
        let shape = || RunError::Memory(format!("of {} bytes in all", self.bytes));
        let mut block = Block::new(self.bytes).ok_or_else(shape)?;
        emit(&self.steps, engine);
        for (at, value) in &self.constants {
            crate::each_dtype!(value, array => write(&mut block, *at, array));
        }
        Ok(State { block, engine: Arc::clone(engine) })
    }

    /// Gives every variable its value.
    pub fn bind(&self, state: &mut State, values: &Values) -> Result<(), RunError> {
        for slot in &self.variables {
            let value =
                values.get(&slot.name).ok_or_else(|| RunError::Missing(slot.name.clone()))?;
            self.set(state, slot, value)?;
        }
        Ok(())
    }

    /// Gives a variable of this plan a value.
    pub fn set(&self, state: &mut State, slot: &Slot, value: &Tensor) -> Result<(), RunError> {
        if value.dtype() != slot.dtype || value.shape() != slot.sizes.as_slice() {
            return Err(RunError::Unfit {
                name: slot.name.clone(),
                wanted: described(slot.dtype, &slot.sizes),
                found: described(value.dtype(), value.shape()),
            });
        }
        crate::each_dtype!(value, array => write(&mut state.block, slot.at, array));
        Ok(())
    }

    /// The elements of a variable or result of this plan.
    pub fn read<'a, T: Element>(&self, state: &'a State, slot: &Slot) -> &'a [T] {
        assert_eq!(T::DTYPE, slot.dtype, "the element type of the slot");
        state.block.read(slot.at, slot.sizes.iter().product())
    }

    /// The same, to be written.
    pub fn write<'a, T: Element>(&self, state: &'a mut State, slot: &Slot) -> &'a mut [T] {
        assert_eq!(T::DTYPE, slot.dtype, "the element type of the slot");
        state.block.write(slot.at, slot.sizes.iter().product())
    }

    /// A result as a tensor.
    pub fn result(&self, state: &State, number: usize) -> Tensor {
        self.tensor(state, &self.results[number])
    }

    /// The value of a variable or result of this plan.
    pub fn tensor(&self, state: &State, slot: &Slot) -> Tensor {
        typed!(slot.dtype, T => {
            let values = self.read::<T>(state, slot).to_vec();
            let array = ArrayD::from_shape_vec(IxDyn(&slot.sizes), values);
            T::wrap(array.expect("as many elements as the shape asks for").into_shared())
        })
    }

    /// The results of a single run.
    pub fn once(&self, engine: &Arc<Engine>, values: &Values) -> Result<Vec<Tensor>, RunError> {
        let mut state = self.state(engine)?;
        self.bind(&mut state, values)?;
        self.run(&mut state)?;
        Ok((0..self.results.len()).map(|number| self.result(&state, number)).collect())
    }

    /// Computes the results, and new values of variables where the plan is of a step.
    pub fn run(&self, state: &mut State) -> Result<(), RunError> {
        assert!(state.block.len() >= self.bytes, "a state of this plan");
        let memory = state.block.shared();
        for step in &self.steps {
            step.run(memory, &state.engine, &self.bindings)?;
        }
        Ok(())
    }
}

/// What a plan is made for.
#[derive(Default)]
struct Room<'a> {
    /// The bytes that it may take.
    budget: Option<usize>,
    /// How its loops are cut.
    cuts: Option<Cuts>,
    /// Of a loop's body, what may lie elsewhere.
    apart: Option<&'a Apart<'a>>,
}

/// What of a loop's body may lie elsewhere in each step: variables that nothing updates, some that are updated, and results.
struct Apart<'a> {
    /// The name of a variable that may not.
    index: &'a str,
    /// The names of variables that may though they are updated.
    carries: &'a [Name],
    /// For each result whether it may.
    results: &'a [bool],
}

/// Addresses for what lies elsewhere.
fn elsewhere(
    draft: &draft::Draft,
    results: &[Id],
    updates: &[(Id, Id)],
    apart: &Apart<'_>,
) -> FxHashMap<Id, usize> {
    let updated: FxHashSet<Id> = updates.iter().map(|&(variable, _)| variable).collect();
    let mut far = FxHashMap::default();
    let mut add = |id: Id| {
        let next = far.len();
        if next < memory::PLACES {
            far.entry(id).or_insert(memory::far(next));
        }
    };
    for (id, item) in draft.items.iter().enumerate() {
        let Kind::Variable(number) = item.kind else { continue };
        let name = &draft.variables[number as usize];
        let free = !updated.contains(&(id as Id)) || apart.carries.contains(name);
        if free && **name != *apart.index {
            add(id as Id);
        }
    }
    for (&id, _) in results.iter().zip(apart.results).filter(|(_, far)| **far) {
        if !fuse::is_leaf(&draft.items[id as usize]) {
            add(id);
        }
    }
    far
}

/// Makes machine code of what groups do at the level of the engine, where there is none yet.
fn emit(steps: &[Step], engine: &Engine) {
    if engine.emit == Emit::Never || engine.math != Math::Fast {
        return;
    }
    let mut programs = Programs::default();
    for group in groups(steps) {
        group.programs(engine, &mut programs);
    }
    programs.link(engine.level);
}

/// The groups among steps, and among those of loops.
fn groups(steps: &[Step]) -> Vec<&Group> {
    let mut groups = Vec::new();
    for step in steps {
        match step {
            Step::Group(group) => groups.push(&**group),
            Step::Loop(looped) => groups.extend(self::groups(&looped.1.body.steps)),
            _ => {}
        }
    }
    groups
}

fn write<T: Element>(block: &mut Block, at: usize, array: &Array<T>) {
    let to = block.write::<T>(at, array.len());
    match array.as_slice() {
        Some(values) => to.copy_from_slice(values),
        None => to.iter_mut().zip(array.iter()).for_each(|(to, &x)| *to = x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Origins;
    use crate::ops::leaf::Literal;
    use crate::ops::{Number, Scalar};

    /// The values of a chain of operators where the system gives memory for code, and where it does not.
    #[test]
    fn no_memory_for_code() {
        let mut model = Model::default();
        let values = (0..700).map(|i| Number::ratio(i, 100)).collect();
        let literal = Literal { dtype: DType::F64, shape: vec![700], values };
        let mut node = model.insert(literal, &[], &Origins::default()).expect("it fits");
        for row in [Scalar::Tanh, Scalar::Exp, Scalar::Square, Scalar::Log1p] {
            node = model.insert(row, &[node], &Origins::default()).expect("it fits");
        }
        let engine = Arc::new(Engine { emit: Emit::Always, ..Engine::alone() });
        let values = [false, true].map(|refused| {
            let plan = Plan::new(&model, &[node], &Bindings::default()).expect("a plan");
            if refused {
                let (mut programs, groups) = (Programs::default(), groups(&plan.steps));
                assert!(!groups.is_empty());
                groups.iter().for_each(|group| group.programs(&engine, &mut programs));
                programs.give(engine.level, None);
            }
            let mut state = plan.state(&engine).expect("memory");
            plan.run(&mut state).expect("a run");
            plan.result(&state, 0).to_f64()
        });
        assert_eq!(values[0], values[1]);
    }
}
