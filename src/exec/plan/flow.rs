//! Which values are there at what time, where no more than so many bytes may be: what is not is computed again.

use super::arena::padded;
use super::draft::{Draft, Id, Kind};
use super::fuse::{Order, Role, Unit, is_leaf};
use super::group;
use super::place::{Placed, Request, width};
use super::step::Step;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;

/// A run of a unit.
#[derive(Clone, Debug)]
pub struct Run {
    /// The unit.
    pub unit: usize,
    /// The items that it is run again for; none where it runs for the first time.
    pub again: Vec<Id>,
}

/// Runs in an order that makes every value before it is read.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The runs.
    pub runs: Vec<Run>,
    /// About the bytes at the fullest time, without gaps.
    pub peak: usize,
}

/// What is known of values and units for all walks.
pub struct Flow<'a> {
    draft: &'a Draft,
    order: &'a Order,
    /// For each item the unit after which it is there.
    unit: Vec<usize>,
    /// For each unit the values of others that it reads.
    reads: Vec<Vec<Id>>,
    /// For each unit the values that it leaves in memory.
    outs: Vec<Vec<Id>>,
    /// For each item the units that read it.
    users: Vec<Vec<u32>>,
    /// For each item its bytes.
    bytes: Vec<usize>,
    /// For each unit what it costs, about in flops.
    costs: Vec<f64>,
    /// For each unit the bytes that it needs while it runs.
    rooms: Vec<usize>,
    /// Which items meet memory.
    written: Vec<bool>,
    /// Which values are there to the end.
    kept: Vec<bool>,
    /// Which values cannot be computed again.
    single: Vec<bool>,
    /// Bytes of variables and constants.
    leaves: usize,
    /// How to compute values again, as far as it has been asked.
    ways: FxHashMap<Id, Way>,
}

/// How a value is computed again.
#[derive(Clone, Debug)]
struct Way {
    reads: Vec<Id>,
    cost: f64,
}

/// Groups with more members are not run again in part.
const MEMBERS: usize = 1 << 10;
/// A byte that is read or written costs as much as so many flops.
const BYTE: f64 = 4.0;
/// No walk has more runs for a unit on average.
const RUNS: usize = 16;
/// The cost of no more missing values is added up.
const FAR: usize = 256;
/// What a value is computed again from may stay longer by such a part of the time that the value is away.
const LONGER: usize = 8;
/// With more candidates several go at a time.
const MANY: usize = 1 << 10;

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

    /// All units in order, with what has to be computed again so that no more than so many bytes are there at a time, as far
    /// as that can be.
    pub fn walk(&mut self, most: usize) -> Option<Walk> {
        // What is found to be lost is kept from the beginning.
        let mut eternal: FxHashSet<Id> = FxHashSet::default();
        loop {
            let mut walker = Walker::new(self, most, &eternal);
            match walker.all() {
                true => return Some(Walk { runs: walker.runs, peak: walker.peak }),
                false => {
                    let lost = walker.lost;
                    let known = eternal.len();
                    eternal.extend(lost);
                    if eternal.len() == known {
                        return None;
                    }
                }
            }
        }
    }

    fn way(&mut self, id: Id) -> &Way {
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

struct Walker<'f, 'a> {
    flow: &'f mut Flow<'a>,
    most: usize,
    /// For each item whether it is there.
    there: Vec<bool>,
    /// For each item how many of its users have run.
    used: Vec<u32>,
    /// For each item how many are about to read it.
    held: Vec<u32>,
    /// For each item whether it stays whatever happens.
    stays: Vec<bool>,
    /// What is there and may go, and for each item its place there.
    idle: Vec<Id>,
    places: Vec<usize>,
    /// For each item about what it costs to compute it again.
    costs: Vec<f64>,
    /// For each item the unit up to which it stays since what is computed again needs it, and for each unit such items.
    until: Vec<usize>,
    ending: FxHashMap<usize, Vec<Id>>,
    /// Units before this one have run.
    now: usize,
    live: usize,
    peak: usize,
    runs: Vec<Run>,
    /// Values that cannot be computed again and have been missed.
    lost: FxHashSet<Id>,
}

impl<'f, 'a> Walker<'f, 'a> {
    fn new(flow: &'f mut Flow<'a>, most: usize, eternal: &FxHashSet<Id>) -> Walker<'f, 'a> {
        let count = flow.draft.items.len();
        let mut stays = flow.kept.clone();
        eternal.iter().for_each(|&id| stays[id as usize] = true);
        Walker {
            most,
            there: vec![false; count],
            used: vec![0; count],
            held: vec![0; count],
            stays,
            idle: Vec::new(),
            places: vec![usize::MAX; count],
            costs: vec![0.0; count],
            until: vec![0; count],
            ending: FxHashMap::default(),
            now: 1,
            live: flow.leaves,
            peak: flow.leaves,
            runs: Vec::new(),
            lost: FxHashSet::default(),
            flow,
        }
    }

    /// Runs all units; false where that cannot be.
    fn all(&mut self) -> bool {
        for unit in 0..self.flow.order.units.len() {
            let reads = self.flow.reads[unit].clone();
            reads.iter().for_each(|&id| self.held[id as usize] += 1);
            if !self.fetch(&reads, unit) {
                return false;
            }
            let outs = self.flow.outs[unit].clone();
            reads.iter().for_each(|&id| self.used[id as usize] += 1);
            if !self.run(unit, &outs, &reads, unit, self.flow.rooms[unit]) {
                return false;
            }
            self.runs.push(Run { unit, again: Vec::new() });
            self.now = unit + 1;
            let ending = self.ending.remove(&unit).unwrap_or_default();
            for &id in &reads {
                self.held[id as usize] -= 1;
                self.release(id);
            }
            ending.into_iter().for_each(|id| self.release(id));
        }
        true
    }

    /// Computes what is not there, and what that needs.
    fn fetch(&mut self, wanted: &[Id], now: usize) -> bool {
        let mut runs: BTreeMap<usize, Vec<Id>> = BTreeMap::new();
        let mut known: FxHashSet<Id> = FxHashSet::default();
        let mut waiting: Vec<Id> = wanted.to_vec();
        while let Some(id) = waiting.pop() {
            if self.there[id as usize] || !known.insert(id) {
                continue;
            }
            if self.flow.single[id as usize] {
                self.lost.insert(id);
                continue;
            }
            runs.entry(self.flow.unit[id as usize]).or_default().push(id);
            waiting.extend_from_slice(&self.flow.way(id).reads);
        }
        if !self.lost.is_empty() || self.runs.len() + runs.len() > RUNS * self.flow.reads.len() {
            return false;
        }
        let mut reads: Vec<Vec<Id>> = Vec::with_capacity(runs.len());
        for outs in runs.values_mut() {
            outs.sort_unstable();
            let mut read: Vec<Id> = Vec::new();
            outs.iter().for_each(|&id| read.extend_from_slice(&self.flow.way(id).reads));
            read.sort_unstable();
            read.dedup();
            read.retain(|id| !outs.contains(id));
            read.iter().for_each(|&id| self.held[id as usize] += 1);
            reads.push(read);
        }
        for ((unit, outs), reads) in runs.into_iter().zip(reads) {
            // Others are read by the run itself only.
            let met = |id: &Id| self.held[*id as usize] > 0 || !self.is_dead(*id);
            let left: Vec<Id> = outs.iter().copied().filter(met).collect();
            if !self.run(unit, &left, &reads, now, 0) {
                return false;
            }
            self.runs.push(Run { unit, again: outs });
            for &id in &reads {
                self.held[id as usize] -= 1;
                self.release(id);
            }
        }
        true
    }

    /// Makes room for values and has them there.
    fn run(&mut self, unit: usize, outs: &[Id], reads: &[Id], now: usize, room: usize) -> bool {
        let bytes: usize = outs.iter().map(|&id| self.flow.bytes[id as usize]).sum();
        let over = self.over(unit, outs, reads);
        if !self.free((bytes + room).saturating_sub(over), now) {
            return false;
        }
        self.peak = self.peak.max(self.live + (bytes + room).saturating_sub(over));
        self.live += bytes;
        for &id in outs {
            self.there[id as usize] = true;
            if !self.stays[id as usize] && !self.flow.single[id as usize] {
                self.costs[id as usize] = self.flow.way(id).cost;
                self.places[id as usize] = self.idle.len();
                self.idle.push(id);
            }
        }
        true
    }

    /// The bytes of values that may be written over what is read for the last time.
    fn over(&self, unit: usize, outs: &[Id], reads: &[Id]) -> usize {
        if let Unit::Item(_) = self.flow.order.units[unit] {
            return 0;
        }
        let items = &self.flow.draft.items;
        let mut taken: Vec<Id> = Vec::new();
        let mut bytes = 0;
        for &out in outs {
            let (size, dtype) = (self.flow.bytes[out as usize], items[out as usize].dtype);
            let under = reads.iter().copied().find(|&id| {
                let last = self.held[id as usize] == 1 && self.is_dead(id);
                let same =
                    self.flow.bytes[id as usize] == size && items[id as usize].dtype == dtype;
                last && same && !taken.contains(&id)
            });
            if let Some(under) = under {
                taken.push(under);
                bytes += size;
            }
        }
        bytes
    }

    /// Whether nothing reads it any more, but for those that hold it.
    fn is_dead(&self, id: Id) -> bool {
        self.used[id as usize] as usize == self.flow.users[id as usize].len()
            && !self.stays[id as usize]
            && self.until[id as usize] < self.now
    }

    /// Lets a value go that nothing needs any more.
    fn release(&mut self, id: Id) {
        if self.held[id as usize] == 0 && self.is_dead(id) && self.there[id as usize] {
            self.drop(id);
        }
    }

    fn drop(&mut self, id: Id) {
        self.there[id as usize] = false;
        self.live -= self.flow.bytes[id as usize];
        let place = std::mem::replace(&mut self.places[id as usize], usize::MAX);
        if place != usize::MAX {
            self.idle.swap_remove(place);
            if let Some(&moved) = self.idle.get(place) {
                self.places[moved as usize] = place;
            }
        }
    }

    /// Lets values go until there is room for so many bytes: those that cost the least for each byte and the time until they
    /// are needed.
    fn free(&mut self, bytes: usize, now: usize) -> bool {
        let mut slack = 0;
        while self.live.saturating_add(bytes) > self.most.saturating_sub(slack) {
            let best = self
                .idle
                .iter()
                .copied()
                .filter(|&id| self.held[id as usize] == 0)
                .map(|id| (self.score(id, now), id))
                .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let Some((score, id)) = best.filter(|(score, _)| score.is_finite()) else {
                return self.live.saturating_add(bytes) <= self.most;
            };
            // What has gone since then makes it dearer.
            self.costs[id as usize] = self.cost(id, now).max(self.costs[id as usize]);
            if self.score(id, now) > score {
                continue;
            }
            let next = self.next(id);
            for of in self.flow.way(id).reads.clone() {
                if self.last(of) < next && self.lasts(of, next, now) {
                    self.until[of as usize] = next;
                    self.ending.entry(next).or_default().push(of);
                }
            }
            self.drop(id);
            slack = if self.idle.len() > MANY { self.most / 64 } else { 0 };
        }
        true
    }

    fn score(&self, id: Id, now: usize) -> f64 {
        let place = id as usize;
        let time = self.next(id).saturating_sub(now).max(1);
        self.costs[place] / (self.flow.bytes[place] as f64 * time as f64)
    }

    /// The unit that needs a value next.
    fn next(&self, id: Id) -> usize {
        let next = self.flow.users[id as usize].get(self.used[id as usize] as usize);
        next.map_or(self.until[id as usize], |&next| next as usize)
    }

    /// The last unit that needs a value.
    fn last(&self, id: Id) -> usize {
        let last = self.flow.users[id as usize].last().map_or(0, |&last| last as usize);
        last.max(self.until[id as usize])
    }

    /// Whether a value is there and may stay so long, since that is not much longer than it stays anyway.
    fn lasts(&self, id: Id, next: usize, now: usize) -> bool {
        let longer = next.saturating_sub(self.last(id));
        self.there[id as usize]
            && (self.stays[id as usize] || longer * LONGER <= next.saturating_sub(now))
    }

    /// What it costs to compute a value again when it is needed next, with all that will be missing for it by then.
    fn cost(&mut self, id: Id, now: usize) -> f64 {
        let next = self.next(id);
        let mut known: FxHashSet<Id> = FxHashSet::default();
        let mut waiting = vec![id];
        let mut cost = 0.0;
        while let Some(id) = waiting.pop() {
            if !known.insert(id) {
                continue;
            }
            if self.flow.single[id as usize] {
                return f64::INFINITY;
            }
            let way = self.flow.way(id);
            cost += way.cost;
            if known.len() > FAR {
                break;
            }
            let reads = way.reads.clone();
            waiting.extend(reads.into_iter().filter(|&of| !self.lasts(of, next, now)));
        }
        cost
    }
}
