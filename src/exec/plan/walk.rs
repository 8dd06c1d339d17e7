//! Which values are there at what time, where no more than so many bytes may be: what is not is computed again.

use super::draft::Id;
use super::flow::Flow;
use super::fuse::Unit;
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

/// No walk has more runs for a unit on average.
const RUNS: usize = 16;
/// The cost of no more missing values is added up.
const FAR: usize = 256;
/// What a value is computed again from may stay longer by such a part of the time that the value is away.
const LONGER: usize = 8;
/// With more candidates several go at a time.
const MANY: usize = 1 << 10;

/// All units in order, with what has to be computed again so that no more than so many bytes are there at a time, as far
/// as that can be.
pub fn walk(flow: &mut Flow<'_>, most: usize) -> Option<Walk> {
    // What is found to be lost is kept from the beginning.
    let mut eternal: FxHashSet<Id> = FxHashSet::default();
    loop {
        let mut walker = Walker::new(flow, most, &eternal);
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
