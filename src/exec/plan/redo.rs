//! An order in which values are computed again, as a draft: the copies are items of their own.

use super::draft::{Draft, Id};
use super::flow::closure;
use super::fuse::{Group, Order, Role, Unit};
use super::tape;
use super::walk::Run;
use rustc_hash::{FxHashMap, FxHashSet};

/// A draft with copies.
#[derive(Debug)]
pub struct Redone {
    /// The draft.
    pub draft: Draft,
    /// Its order.
    pub order: Order,
    /// The number of copies that others read.
    pub values: usize,
}

/// The draft in which units run in this order. Each copy is computed just as its original is: products stay apart from sums
/// where they were, and groups that end in folds go through the same tiles.
pub fn redone(draft: &Draft, order: &Order, roots: &[Id], runs: &[Run]) -> Redone {
    let outside = outside(draft, order, roots);
    let mut made = draft.clone();
    let origins = (0..draft.items.len() as Id).collect();
    let mut next = Order { roles: order.roles.clone(), origins, ..Order::default() };
    let mut merged: FxHashMap<Id, Id> = FxHashMap::default();
    for unit in &order.units {
        if let Unit::Group(group) = unit {
            merged.extend(tape::merged(draft, group, &|id| outside[id as usize]));
        }
    }
    // For each item the copy that is read now.
    let mut now: Vec<Id> = (0..draft.items.len() as Id).collect();
    let mut copies: FxHashSet<Id> = FxHashSet::default();
    for run in runs {
        let unit = &order.units[run.unit];
        if run.again.is_empty() {
            for &id in unit.members() {
                made.items[id as usize]
                    .args
                    .iter_mut()
                    .for_each(|view| view.of = now[view.of as usize]);
            }
            next.units.push(unit.clone());
            continue;
        }
        let members = closure(draft, unit, &run.again, &outside);
        let mut twins: FxHashMap<Id, Id> = FxHashMap::default();
        for &id in &members {
            let mut item = draft.items[id as usize].clone();
            for view in &mut item.args {
                view.of = twins.get(&view.of).copied().unwrap_or(now[view.of as usize]);
            }
            let twin = made.push(item, draft.nodes[id as usize]);
            next.roles.push(order.roles[id as usize]);
            next.origins.push(id);
            twins.insert(id, twin);
        }
        for (product, sum) in members.iter().filter_map(|id| Some((id, merged.get(id)?))) {
            if let (Some(&product), Some(&sum)) = (twins.get(product), twins.get(sum)) {
                next.merged.get_or_insert_default().insert(product, sum);
            }
        }
        for id in &run.again {
            now[*id as usize] = twins[id];
            copies.insert(twins[id]);
        }
        let members = members.iter().map(|id| twins[id]).collect();
        next.units.push(match unit {
            Unit::Item(id) => Unit::Item(twins[id]),
            Unit::Group(group) => Unit::Group(Group { members, ..group.clone() }),
        });
    }
    next.merged.get_or_insert_default().extend(merged);
    let written = prune(&made, &mut next, roots, &outside);
    next.written = written;
    let read = self::outside(&made, &next, roots);
    let values = copies.iter().filter(|&&id| read[id as usize]).count();
    Redone { draft: made, order: next, values }
}

/// Which items others than their unit need.
fn outside(draft: &Draft, order: &Order, roots: &[Id]) -> Vec<bool> {
    let mut unit = vec![usize::MAX; draft.items.len()];
    for (number, one) in order.units.iter().enumerate() {
        one.members().iter().for_each(|&id| unit[id as usize] = number);
    }
    let mut outside = vec![false; draft.items.len()];
    roots.iter().for_each(|&id| outside[id as usize] = true);
    for (id, item) in draft.items.iter().enumerate().filter(|(id, _)| order.live[*id]) {
        for view in &item.args {
            outside[view.of as usize] |= unit[view.of as usize] != unit[id];
        }
    }
    outside
}

/// Takes out what nothing needs any more. Groups that end in folds stay as they are, and write all that they did.
fn prune(draft: &Draft, order: &mut Order, roots: &[Id], outside: &[bool]) -> FxHashSet<Id> {
    let mut written = FxHashSet::default();
    let mut live = vec![false; draft.items.len()];
    roots.iter().for_each(|&id| live[id as usize] = true);
    let roles = &order.roles;
    let mut units = Vec::with_capacity(order.units.len());
    for mut unit in std::mem::take(&mut order.units).into_iter().rev() {
        let ends = |id: &Id| matches!(roles[*id as usize], Role::Head | Role::All);
        let whole =
            unit.members().iter().any(ends) && unit.members().iter().any(|&id| live[id as usize]);
        if whole {
            let kept = |id: &&Id| outside.get(**id as usize) == Some(&true);
            written.extend(unit.members().iter().filter(kept));
        }
        for &id in unit.members().iter().rev() {
            live[id as usize] |= whole;
            if live[id as usize] {
                draft.items[id as usize].args.iter().for_each(|view| live[view.of as usize] = true);
            }
        }
        match &mut unit {
            Unit::Item(id) if !live[*id as usize] => continue,
            Unit::Item(_) => {}
            Unit::Group(group) => {
                group.members.retain(|&id| live[id as usize]);
                if group.members.is_empty() {
                    continue;
                }
            }
        }
        units.push(unit);
    }
    units.reverse();
    order.units = units;
    order.live = live;
    written
}
