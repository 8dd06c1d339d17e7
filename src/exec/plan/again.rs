//! Values that are computed again by the group that needs them, where that costs less than to keep them.

use super::draft::{Draft, Id, Item, Kind};
use super::fuse::{self, Unit};
use super::place::width;
use crate::exec::kernels::rows::Action;
use crate::ops::Scalar;
use rustc_hash::{FxHashMap, FxHashSet};

/// Arrays of fewer bytes are near enough when they are read again.
const LARGE: usize = 1 << 18;
/// To write or read an element that is not near costs as much as so many additions.
const PASS: usize = 5;

/// The draft in which groups compute again what costs less so, with `roots` as they are there.
pub fn again(draft: Draft, roots: &mut [Id]) -> Draft {
    let large = |item: &Item| is_map(item) && bytes(item) >= LARGE;
    if !draft.items.iter().any(large) {
        return draft;
    }
    let live = fuse::live(&draft, roots);
    let (_, units) = fuse::fuse(&draft, &live, roots);
    let plan = Plan::new(&draft, &live, roots, &units);
    if plan.copies.is_empty() { draft } else { plan.rebuilt(draft, roots) }
}

fn is_map(item: &Item) -> bool {
    matches!(item.kind, Kind::Map(_)) && item.dtype.is_float()
}

fn bytes(item: &Item) -> usize {
    item.sizes.iter().product::<usize>() * width(item.dtype)
}

/// About so many additions is an action worth.
fn weight(item: &Item) -> usize {
    let Kind::Map(Action::Row(row)) = item.kind else { return 1 };
    match row {
        Scalar::Div | Scalar::Sqrt | Scalar::Rsqrt => 3,
        Scalar::Exp | Scalar::Log => 8,
        Scalar::Tanh | Scalar::Sigmoid | Scalar::Expm1 | Scalar::Log1p | Scalar::Erf => 12,
        row if row.arity() == 2 || is_simple(row) => 1,
        _ => 20,
    }
}

fn is_simple(row: Scalar) -> bool {
    matches!(row, Scalar::Neg | Scalar::Abs | Scalar::Square | Scalar::Relu | Scalar::Not)
}

/// Which items a group computes again.
struct Plan {
    unit: Vec<usize>,
    /// What units read of others.
    reads: FxHashSet<(usize, Id)>,
    /// For each unit the items of others that it computes again.
    copies: FxHashMap<usize, FxHashSet<Id>>,
}

impl Plan {
    fn new(draft: &Draft, live: &[bool], roots: &[Id], units: &[Unit]) -> Plan {
        let mut unit = vec![usize::MAX; draft.items.len()];
        for (number, one) in units.iter().enumerate() {
            match one {
                Unit::Item(id) => unit[*id as usize] = number,
                Unit::Group(group) => {
                    group.members.iter().for_each(|&id| unit[id as usize] = number)
                }
            }
        }
        let is_group = |number: usize| matches!(units.get(number), Some(Unit::Group(_)));
        // For each item the one other unit that reads it: `MAX` if there is none, or more.
        let mut reader: Vec<Option<usize>> = vec![None; draft.items.len()];
        let mut reads = FxHashSet::default();
        for &root in roots {
            reader[root as usize] = Some(usize::MAX);
        }
        for id in (0..draft.items.len()).filter(|&id| live[id]) {
            for view in &draft.items[id].args {
                let of = view.of as usize;
                if unit[of] != unit[id] {
                    reads.insert((unit[id], view.of));
                    let own = view.layout.sizes == draft.items[of].sizes && view.layout.is_whole();
                    let known = if own { unit[id] } else { usize::MAX };
                    let other = reader[of].is_some_and(|reader| reader != known);
                    reader[of] = Some(if other { usize::MAX } else { known });
                }
            }
        }
        let mut kept: FxHashMap<(usize, usize), Vec<Id>> = FxHashMap::default();
        for id in (0..draft.items.len()).filter(|&id| live[id]) {
            let item = &draft.items[id];
            if let Some(to) = reader[id].filter(|&to| to != usize::MAX && is_group(to))
                && is_map(item)
                && bytes(item) >= LARGE
                && is_group(unit[id])
            {
                kept.entry((unit[id], to)).or_default().push(id as Id);
            }
        }
        let mut plan = Plan { unit, reads, copies: FxHashMap::default() };
        for ((_, to), kept) in kept {
            if let Some(copies) = plan.worth(draft, to, &kept) {
                plan.copies.entry(to).or_default().extend(copies);
            }
        }
        plan
    }

    /// What has to be computed again so that none of `kept` is, if that costs less.
    fn worth(&self, draft: &Draft, to: usize, kept: &[Id]) -> Option<FxHashSet<Id>> {
        let own = self.unit[kept[0] as usize];
        let sizes = &draft.items[kept[0] as usize].sizes;
        let mut copies: FxHashSet<Id> = kept.iter().copied().collect();
        let mut read: FxHashSet<Id> = FxHashSet::default();
        let mut waiting = kept.to_vec();
        let (mut cost, most) = (0, 2 * PASS * kept.len());
        while let Some(id) = waiting.pop() {
            let item = &draft.items[id as usize];
            if !matches!(item.kind, Kind::Map(_)) || item.sizes != *sizes {
                return None;
            }
            cost += weight(item);
            for view in &item.args {
                let of = &draft.items[view.of as usize];
                if self.unit[view.of as usize] == own {
                    if copies.insert(view.of) {
                        waiting.push(view.of);
                    }
                } else if 2 * bytes(of) > bytes(item) && read.insert(view.of) {
                    cost += if self.reads.contains(&(to, view.of)) { 0 } else { PASS };
                }
            }
            if cost >= most {
                return None;
            }
        }
        Some(copies)
    }

    fn rebuilt(&self, draft: Draft, roots: &mut [Id]) -> Draft {
        let mut made = Draft::of(draft.variables);
        let mut new: Vec<Id> = Vec::with_capacity(draft.items.len());
        let mut twins: FxHashMap<(usize, Id), Id> = FxHashMap::default();
        let mut open: FxHashMap<usize, Vec<Id>> = FxHashMap::default();
        for (&to, copies) in &self.copies {
            let mut copies: Vec<Id> = copies.iter().copied().collect();
            copies.sort_unstable_by(|a, b| b.cmp(a));
            open.insert(to, copies);
        }
        for (id, item) in draft.items.iter().enumerate() {
            let to = self.unit[id];
            let copies = self.copies.get(&to);
            let last = item.args.iter().map(|view| view.of);
            let last = last.filter(|of| copies.is_some_and(|copies| copies.contains(of))).max();
            if let Some(copies) = open.get_mut(&to).filter(|_| last.is_some()) {
                // Operands have lower numbers, so that they come first.
                while let Some(copy) = copies.pop_if(|copy| Some(*copy) <= last) {
                    let mut item = draft.items[copy as usize].clone();
                    for view in &mut item.args {
                        let twin = twins.get(&(to, view.of)).copied();
                        view.of = twin.unwrap_or_else(|| new[view.of as usize]);
                    }
                    twins.insert((to, copy), made.push(item, draft.nodes[copy as usize]));
                }
            }
            let mut item = item.clone();
            for view in &mut item.args {
                let twin = twins.get(&(to, view.of)).copied();
                view.of = twin.unwrap_or_else(|| new[view.of as usize]);
            }
            new.push(made.push(item, draft.nodes[id]));
        }
        let loops = draft.loops.into_iter();
        made.loops = loops.map(|(id, looped)| (new[id as usize], looped)).collect();
        roots.iter_mut().for_each(|id| *id = new[*id as usize]);
        made
    }
}
