//! Units to steps: which values meet memory, where they lie and for how long, and what may be written over.

use super::arena::Arena;
use super::budget::{self, Spared};
use super::direct::direct;
use super::draft::{Draft, Id, Kind, View};
use super::ends;
use super::fuse::{self, Order, Unit, is_leaf};
use super::gram;
use super::group::{self, Group};
use super::hoist::Looped;
use super::index::{Index, find};
use super::layout::Layout;
use super::scan::{self, Given, Loop, ScanError};
use super::step::{Move, Node, Operand, Product, Step};
use super::tape::{self, Tape};
use super::tiny::tiny;
use super::windows::Windowed;
use crate::exec::reference::RunError;
use crate::graph::{Model, NodeId};
use crate::ops::Bindings;
use crate::ops::scan::Which;
use crate::tensor::{DType, Tensor};
use rustc_hash::FxHashMap;

/// Steps and addresses.
#[derive(Debug, Default)]
pub struct Placed {
    /// The steps in order.
    pub steps: Vec<Step>,
    /// For each step the nodes that it computes.
    pub nodes: Vec<Box<[NodeId]>>,
    /// For each item its first byte, where it is in memory.
    pub at: Vec<usize>,
    /// Constants with their first bytes.
    pub constants: Vec<(usize, Tensor)>,
    /// The size of the block.
    pub bytes: usize,
    /// What is computed again for a budget.
    pub spared: Option<Spared>,
}

/// The number of bytes of an element.
pub fn width(dtype: DType) -> usize {
    match dtype {
        DType::Bool => 1,
        DType::I32 | DType::F32 => 4,
        DType::I64 | DType::F64 => 8,
    }
}

/// What a draft is placed for.
#[derive(Debug)]
pub struct Request<'a> {
    /// The model.
    pub model: &'a Model,
    /// What is to be kept to the end.
    pub roots: Vec<Id>,
    /// Variables with the items that become their values when all is done.
    pub updates: &'a [(Id, Id)],
    /// The sizes of the dimensions.
    pub bindings: &'a Bindings,
    /// Items whose places are not ours to give, as far as arrays have places at all.
    pub far: FxHashMap<Id, usize>,
}

/// Gives every value a place, in at most so many bytes where there is a budget.
pub fn place(
    mut draft: Draft,
    results: &[Id],
    request: &Request<'_>,
    budget: Option<usize>,
) -> Result<Placed, RunError> {
    let live = fuse::live(&draft, &request.roots);
    if let Some(placed) = tiny(&draft, &live, results, request.updates) {
        return match budget {
            Some(budget) if placed.bytes > budget => {
                Err(RunError::Budget { budget, least: placed.bytes })
            }
            _ => Ok(placed),
        };
    }
    ends::end(&mut draft, &live, &request.roots);
    gram::turn(&mut draft, &live, &request.roots);
    let order = fuse::order(&draft, &request.roots);
    let placed = lay(request, &draft, &order)?;
    match budget {
        Some(budget) if placed.bytes > budget => {
            budget::within(request, &draft, &order, placed, budget)
        }
        _ => Ok(placed),
    }
}

/// Gives every value a place, where units run in this order.
pub fn lay(request: &Request<'_>, draft: &Draft, order: &Order) -> Result<Placed, RunError> {
    let Order { units, live, .. } = order;
    let count = draft.items.len();
    let mut unit_of = vec![usize::MAX; count];
    for (number, unit) in units.iter().enumerate() {
        unit.members().iter().for_each(|&id| unit_of[id as usize] = number);
    }
    let mut last: Vec<usize> =
        unit_of.iter().map(|&unit| if unit == usize::MAX { 0 } else { unit }).collect();
    let mut outside = vec![false; count];
    for id in (0..count).filter(|&id| live[id]) {
        let user = unit_of[id];
        for view in &draft.items[id].args {
            let of = view.of as usize;
            last[of] = last[of].max(user);
            outside[of] |= unit_of[of] != user;
        }
    }
    drop(unit_of);
    order.written.iter().for_each(|&id| outside[id as usize] = true);
    for &id in &request.roots {
        last[id as usize] = usize::MAX;
        outside[id as usize] = true;
    }
    let mut placer = Placer {
        request,
        draft,
        order,
        last,
        outside,
        updates: request.updates.iter().rev().map(|&(variable, item)| (item, variable)).collect(),
        owned: vec![false; count],
        arena: Arena::default(),
        placed: Placed { at: vec![usize::MAX; count], ..Placed::default() },
        dying: Vec::new(),
        dead: 0,
        parts: FxHashMap::default(),
    };
    for id in (0..count).filter(|&id| live[id]) {
        if let Kind::Part(_) = draft.items[id].kind {
            placer.parts.entry(draft.items[id].args[0].of).or_default().push(id as Id);
        }
    }
    placer.leaves(live);
    let passes = |id: &usize| live[*id] && !is_leaf(&draft.items[*id]);
    let passes = (0..count).filter(passes).filter(|&id| placer.last[id] < units.len());
    placer.dying = passes.map(|id| id as Id).collect();
    placer.dying.sort_by_key(|&id| placer.last[id as usize]);
    for (number, unit) in units.iter().enumerate() {
        placer.unit(number, unit)?;
    }
    for &(variable, item) in request.updates {
        let (from, to) = (placer.placed.at[item as usize], placer.placed.at[variable as usize]);
        if from != to {
            let dtype = draft.items[item as usize].dtype;
            let layout = Layout::rows(&draft.items[item as usize].sizes);
            let count = layout.len();
            let parts = vec![(Operand { at: from, count, layout: layout.clone() }, layout)];
            let moved = Move { dtype, parts, gaps: false, count, to };
            placer.placed.steps.push(Step::Move(Box::new(moved)));
            placer.placed.nodes.push([draft.nodes[item as usize]].into());
        }
    }
    placer.placed.bytes = placer.arena.bytes();
    Ok(placer.placed)
}

struct Placer<'a> {
    request: &'a Request<'a>,
    draft: &'a Draft,
    order: &'a Order,
    /// For each item the last unit that needs it.
    last: Vec<usize>,
    /// Which items others than their unit need.
    outside: Vec<bool>,
    /// The variables, by the items that become their values.
    updates: FxHashMap<Id, Id>,
    /// Whether an item's place is its own, to be given back.
    owned: Vec<bool>,
    arena: Arena,
    placed: Placed,
    /// The results of loops that are needed.
    parts: FxHashMap<Id, Vec<Id>>,
    /// Items that something reads for a last time, in the order of these times, and how many are read no more.
    dying: Vec<Id>,
    dead: usize,
}

impl Placer<'_> {
    fn bytes(&self, id: Id) -> usize {
        let item = &self.draft.items[id as usize];
        item.sizes.iter().product::<usize>() * width(item.dtype)
    }

    fn take(&mut self, id: Id) -> usize {
        if let Some(&at) = self.request.far.get(&id) {
            self.placed.at[id as usize] = at;
            return at;
        }
        let at = self.arena.take(self.bytes(id));
        self.placed.at[id as usize] = at;
        self.owned[id as usize] = true;
        at
    }

    fn leaves(&mut self, live: &[bool]) {
        for (id, item) in self.draft.items.iter().enumerate() {
            match &item.kind {
                Kind::Variable(_) => {
                    self.take(id as Id);
                }
                Kind::Constant(value) if live[id] => {
                    let at = self.take(id as Id);
                    self.placed.constants.push((at, (**value).clone()));
                }
                _ => {}
            }
        }
    }

    fn operand(&self, view: &View) -> Operand {
        Operand {
            at: self.placed.at[view.of as usize],
            count: self.draft.items[view.of as usize].sizes.iter().product(),
            layout: view.layout.clone(),
        }
    }

    fn unit(&mut self, number: usize, unit: &Unit) -> Result<(), RunError> {
        let mut nodes: Vec<NodeId> =
            unit.members().iter().map(|&id| self.draft.nodes[id as usize]).collect();
        nodes.dedup();
        if !matches!(unit, Unit::Item(id) if matches!(self.draft.items[*id as usize].kind, Kind::Part(_)))
        {
            self.placed.nodes.push(nodes.into());
        }
        match unit {
            Unit::Item(id) => self.item(*id)?,
            Unit::Group(group) => {
                let outside = |id: Id| self.outside[id as usize];
                let own;
                let merged = match &self.order.merged {
                    Some(merged) => merged,
                    None => {
                        own = tape::merged(self.draft, group, &outside);
                        &own
                    }
                };
                let tape = tape::tape(self.draft, &self.order.roles, group, &outside, merged);
                self.group(number, tape);
            }
        }
        while let Some(&id) = self.dying.get(self.dead)
            && self.last[id as usize] == number
        {
            self.dead += 1;
            if std::mem::take(&mut self.owned[id as usize]) {
                self.arena.give(self.placed.at[id as usize], self.bytes(id));
            }
        }
        Ok(())
    }

    fn item(&mut self, id: Id) -> Result<(), RunError> {
        let item = &self.draft.items[id as usize];
        if let Kind::Part(_) = item.kind {
            // The loop has made room for it.
            return Ok(());
        }
        let to = self.take(id);
        let args: Vec<Operand> = item.args.iter().map(|view| self.operand(view)).collect();
        let step = match item.kind {
            Kind::Product(ends, ref places) => {
                let symmetric = gram::is_symmetric(self.draft, item, &|id| self.order.origin(id));
                let product = Product::new(item.dtype, &args, ends, places.as_deref(), to);
                Step::Product(Box::new(Product { symmetric, ..product }))
            }
            Kind::Windows(ref windows, ends) => Step::Windows(Box::new(Windowed {
                windows: (**windows).clone(),
                ends,
                dtype: item.dtype,
                args,
                count: item.sizes.iter().product(),
                to,
            })),
            Kind::Node(node) => {
                let op = self.request.model.op(node).clone();
                let dtype = |view: &View| self.draft.items[view.of as usize].dtype;
                let args: Vec<_> = item.args.iter().map(dtype).zip(args).collect();
                let (direct, sizes) = (direct(&op, &args), item.sizes.to_vec());
                Step::Node(Box::new(Node { id: node, op, args, direct, sizes, to }))
            }
            Kind::Index(node) => {
                let Some((find, indices, from, added, axis)) = find(self.request.model.op(node))
                else {
                    return Ok(());
                };
                let lines = match from {
                    Some(from) => &args[from].layout.sizes,
                    None => &item.sizes,
                };
                let index = Index {
                    find,
                    dtype: item.dtype,
                    integers: self.draft.items[item.args[indices].of as usize].dtype,
                    outer: lines[..axis].iter().product(),
                    axis: lines[axis],
                    inner: lines[axis + 1..].iter().product(),
                    indices: args[indices].clone(),
                    from: from.map(|from| args[from].clone()),
                    added: added.map(|added| args[added].clone()),
                    to,
                };
                Step::Index(Box::new((node, index)))
            }
            Kind::Scan(node) => {
                let Looped { scan, hoist, .. } = &self.draft.loops[&id];
                let which = |part: &Id| match self.draft.items[*part as usize].kind {
                    Kind::Part(which) => Some((which, *part)),
                    _ => None,
                };
                let wanted = self.parts.remove(&id).unwrap_or_default();
                let wanted: Vec<(Which, Id)> = wanted.iter().filter_map(which).collect();
                let asked: Vec<Which> = wanted.iter().map(|(which, _)| *which).collect();
                let body =
                    scan::body(scan, hoist, &asked, self.request.model, self.request.bindings);
                let body = body.map_err(|error| match error {
                    ScanError::Run(error) => error,
                    ScanError::Value(error) => RunError::Value { node, error },
                })?;
                let parts =
                    wanted.into_iter().map(|(which, part)| (which, self.take(part))).collect();
                let bytes = body.0.bytes();
                let at = self.arena.take(bytes);
                self.arena.give(at, bytes);
                let given = |(view, array): (&View, Operand)| match self.draft.filled(view) {
                    Some(number) => Given::Number(number),
                    None => Given::Array(array),
                };
                let args = item.args.iter().zip(args).map(given).collect();
                Step::Loop(Box::new((node, Loop::new(scan, hoist, body, args, at, parts))))
            }
            Kind::Move(ref places, gaps) => Step::Move(Box::new(Move {
                dtype: item.dtype,
                parts: args.into_iter().zip(places.iter().cloned()).collect(),
                gaps,
                count: item.sizes.iter().product(),
                to,
            })),
            _ => return Ok(()),
        };
        self.placed.steps.push(step);
        Ok(())
    }

    fn group(&mut self, number: usize, tape: Tape) {
        let chunk = group::chunk(&tape);
        let mut taken: Vec<Id> = Vec::new();
        let mut outs = Vec::with_capacity(tape.outs.len());
        for out in 0..tape.outs.len() {
            let at = match self.reused(number, &tape, out, &taken) {
                Some(of) => {
                    taken.push(of);
                    let at = self.placed.at[of as usize];
                    let id = tape.outs[out].of;
                    self.placed.at[id as usize] = at;
                    // A variable's place stays its own.
                    self.owned[id as usize] = std::mem::take(&mut self.owned[of as usize]);
                    at
                }
                None => self.take(tape.outs[out].of),
            };
            outs.push(at);
        }
        let mut ends = Vec::with_capacity(tape.ends.len());
        let mut parts = Vec::new();
        for end in 0..tape.ends.len() {
            let to = self.take(tape.ends[end].of);
            if group::chunks(&tape, chunk) == 1 {
                ends.push((to, to));
            } else {
                let bytes = group::part_bytes(&tape, end, chunk);
                let at = self.arena.take(bytes);
                parts.push((at, bytes));
                ends.push((to, at));
            }
        }
        let ports = tape
            .ports
            .iter()
            .map(|port| {
                let item = &self.draft.items[port.of as usize];
                (self.placed.at[port.of as usize], item.sizes.iter().product())
            })
            .collect();
        for (at, bytes) in parts {
            self.arena.give(at, bytes);
        }
        let group = Group { tape, ports, outs, ends, chunk, kernels: Default::default() };
        self.placed.steps.push(Step::Group(Box::new(group)));
    }

    /// The operand that a result may be written over: of the same elements, read for the last time, each before it is written.
    fn reused(&self, number: usize, tape: &Tape, out: usize, taken: &[Id]) -> Option<Id> {
        let out = &tape.outs[out];
        if out.truth || self.request.far.contains_key(&out.of) {
            return None;
        }
        let result = &self.draft.items[out.of as usize];
        let variable = self.updates.get(&out.of).copied();
        let fits = |of: Id| {
            let item = &self.draft.items[of as usize];
            let is_variable = matches!(item.kind, Kind::Variable(_));
            let free = if is_variable {
                variable == Some(of) && self.last[of as usize] <= number
            } else {
                !is_leaf(item) && self.owned[of as usize] && self.last[of as usize] == number
            };
            let mut reads = tape.ports.iter().filter(|port| port.of == of);
            free && !taken.contains(&of)
                && item.dtype == result.dtype
                && item.sizes.iter().product::<usize>() == result.sizes.iter().product::<usize>()
                && reads.all(|port| {
                    port.is_direct()
                        && port.layout.offset == 0
                        && port.by_row == out.by_row
                        && port.last <= out.by
                })
        };
        if let Some(variable) = variable {
            // Only here, since a step may be the last to read the variable without being the one that updates it.
            return Some(variable).filter(|&of| fits(of));
        }
        tape.ports.iter().map(|port| port.of).find(|&of| fits(of))
    }
}
