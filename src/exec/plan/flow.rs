//! What runs of units read and leave in memory, what that costs, and how values are computed again.

use super::arena::padded;
use super::draft::{Draft, Id, Kind};
use super::fuse::{Order, Role, Unit, is_leaf};
use super::group;
use super::place::{Placed, Request, width};
use super::step::Step;
use rustc_hash::{FxHashMap, FxHashSet};

/// What is known of values and units for all walks.
pub struct Flow<'a> {
    pub draft: &'a Draft,
    pub order: &'a Order,
    /// For each item the unit after which it is there.
    pub unit: Vec<usize>,
    /// For each unit the values of others that it reads.
    pub reads: Vec<Vec<Id>>,
    /// For each unit the values that it leaves in memory.
    pub outs: Vec<Vec<Id>>,
    /// For each item the units that read it.
    pub users: Vec<Vec<u32>>,
    /// For each item its bytes.
    pub bytes: Vec<usize>,
    /// For each unit what it costs, about in flops.
    costs: Vec<f64>,
    /// For each unit the bytes that it needs while it runs.
    pub rooms: Vec<usize>,
    /// Which items meet memory.
    written: Vec<bool>,
    /// Which values are there to the end.
    pub kept: Vec<bool>,
    /// Which values cannot be computed again.
    pub single: Vec<bool>,
    /// Bytes of variables and constants.
    pub leaves: usize,
    /// How to compute values again, as far as it has been asked.
    ways: FxHashMap<Id, Way>,
}

/// How a value is computed again.
#[derive(Clone, Debug)]
pub struct Way {
    /// The values that it takes.
    pub reads: Vec<Id>,
    /// What it costs, about in flops.
    pub cost: f64,
}

/// Groups with more members are not run again in part.
const MEMBERS: usize = 1 << 10;
/// A byte that is read or written costs as much as so many flops.
const BYTE: f64 = 4.0;

impl<'a> Flow<'a> {
    /// The flow of a draft that has been placed without a budget.
    pub fn new(
        request: &Request<'_>,
        draft: &'a Draft,
        order: &'a Order,
        placed: &Placed,
    ) -> Flow<'a> {
        let (count, units) = (draft.items.len(), &order.units);
        let size = |id: usize| {
            let item = &draft.items[id];
            padded(item.sizes.iter().product::<usize>() * width(item.dtype))
        };
        let mut flow = Flow {
            draft,
            order,
            unit: vec![usize::MAX; count],
            reads: vec![Vec::new(); units.len()],
            outs: vec![Vec::new(); units.len()],
            users: vec![Vec::new(); count],
            bytes: (0..count).map(size).collect(),
            costs: vec![0.0; units.len()],
            rooms: vec![0; units.len()],
            written: Vec::new(),
            kept: vec![false; count],
            single: vec![false; count],
            leaves: 0,
            ways: FxHashMap::default(),
        };
        let kind = |id: Id| &draft.items[id as usize].kind;
        let is_part =
            |unit: &Unit| matches!(unit, Unit::Item(id) if matches!(kind(*id), Kind::Part(_)));
        let mut steps = placed.steps.iter();
        for (number, unit) in units.iter().enumerate() {
            for &id in unit.members() {
                let of = draft.items[id as usize].args.first().map(|view| view.of);
                let scan = of.filter(|_| is_part(unit)).map(|of| flow.unit[of as usize]);
                flow.unit[id as usize] = scan.unwrap_or(number);
                let ends = matches!(order.roles[id as usize], Role::Head | Role::All);
                let looped = matches!(kind(id), Kind::Part(_) | Kind::Scan(_));
                flow.single[id as usize] = ends || looped || unit.members().len() > MEMBERS;
            }
            if is_part(unit) {
                continue;
            }
            let Some(step) = steps.next() else { continue };
            let (_, flops, bytes) = step.cost();
            flow.costs[number] = flops + BYTE * bytes;
            flow.rooms[number] = room(step);
        }
        request.roots.iter().for_each(|&id| flow.kept[id as usize] = true);
        flow.written.clone_from(&flow.kept);
        for (number, unit) in units.iter().enumerate().filter(|(_, unit)| !is_part(unit)) {
            let own: FxHashSet<Id> = unit.members().iter().copied().collect();
            flow.reads[number] = outer(draft, unit.members(), &own);
            for &id in &flow.reads[number] {
                flow.users[id as usize].push(number as u32);
                flow.written[id as usize] = true;
            }
        }
        for id in (0..count as Id).filter(|&id| order.live[id as usize]) {
            let item = &draft.items[id as usize];
            match item.kind {
                Kind::Variable(_) | Kind::Constant(_) => flow.leaves += flow.bytes[id as usize],
                Kind::Number(_) => {}
                _ if flow.written[id as usize] => flow.outs[flow.unit[id as usize]].push(id),
                _ => {}
            }
        }
        for &(variable, item) in request.updates {
            // It may be written over the variable.
            if !is_leaf(&draft.items[item as usize]) {
                flow.bytes[item as usize] -=
                    flow.bytes[item as usize].min(flow.bytes[variable as usize]);
            }
        }
        flow
    }

    /// How a value is computed again.
    pub fn way(&mut self, id: Id) -> &Way {
        let (draft, order, unit) = (self.draft, self.order, self.unit[id as usize]);
        let (cost, written) = (self.costs[unit], &self.written);
        self.ways.entry(id).or_insert_with(|| {
            let unit = &order.units[unit];
            let own = closure(draft, unit, &[id], written);
            let members: FxHashSet<Id> = own.iter().copied().collect();
            let part = own.len() as f64 / unit.members().len() as f64;
            Way { reads: outer(draft, &own, &members), cost: cost * part }
        })
    }
}

/// The members of a unit that items of it need, in order, where others that are written to memory are read there.
pub fn closure(draft: &Draft, unit: &Unit, wanted: &[Id], written: &[bool]) -> Vec<Id> {
    let mut needed: FxHashSet<Id> = wanted.iter().copied().collect();
    let mut own: Vec<Id> = Vec::new();
    for &id in unit.members().iter().rev() {
        if needed.contains(&id) && (!written[id as usize] || wanted.contains(&id)) {
            needed.extend(draft.items[id as usize].args.iter().map(|view| view.of));
            own.push(id);
        }
    }
    own.reverse();
    own
}

/// The values that members read of others.
fn outer(draft: &Draft, members: &[Id], own: &FxHashSet<Id>) -> Vec<Id> {
    let args = members.iter().flat_map(|&id| &draft.items[id as usize].args);
    let mut read: Vec<Id> = args
        .map(|view| view.of)
        .filter(|of| !own.contains(of) && !is_leaf(&draft.items[*of as usize]))
        .collect();
    read.sort_unstable();
    read.dedup();
    read
}

/// The bytes that a step needs besides what it reads and writes.
fn room(step: &Step) -> usize {
    match step {
        Step::Loop(looped) => padded(looped.1.body.bytes()),
        Step::Group(one) if one.pieces() > 1 => {
            let ends = 0..one.tape.ends.len();
            ends.map(|end| padded(group::part_bytes(&one.tape, end, one.chunk))).sum()
        }
        _ => 0,
    }
}
