//! Inlined calls as one statement each, and their adjoints as one line each.

use super::Part;
use super::draft::{self, Draft, Level};
use super::names::names;
use super::statements::{
    self, Drafts, Plan, Statement, aliases, called, decide, drafts, keyword, statement_of,
};
use crate::graph::fold::{Call, Group, fold};
use crate::graph::{Kind, Model, NodeId};
use crate::ops::{Name, join};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What is printed at one place.
enum Unit {
    /// The line of a value.
    Value(NodeId),
    /// That of the box of this number.
    Call(usize),
}

/// The lines of `part`, operands before their users, with the calls that have one for all of their values.
pub fn statements(model: &Model, part: Part) -> (Vec<Statement>, Vec<&Call>) {
    let mut plan = statements::plan(model, part, FxHashMap::default());
    gather(&mut plan, part);
    if plan.forced.is_empty() {
        return (statements::statements(model, part), Vec::new());
    }
    decide(&mut plan);
    let Drafts { drafts, updates, .. } = drafts(&mut plan, part);
    let names = names(&plan);
    let called = called(model, part);
    let (mut statements, mut calls) = (Vec::new(), Vec::new());
    for unit in order(&plan) {
        match unit {
            Unit::Value(id) => {
                let draft = drafts[id.index()].clone();
                let draft = draft.unwrap_or_else(|| Draft::text("", Level::Atom));
                if plan.region[id.index()] {
                    statements.extend(statement_of(&plan, &names, id, &draft, &called));
                }
            }
            Unit::Call(number) => {
                let group = &plan.folded.groups[number];
                let Some(statement) = statement(&plan, &names.text, number) else { continue };
                statements.push(statement);
                calls.extend(model.calls[group.call].as_ref().filter(|_| !group.adjoint));
                for id in group.outputs.iter().filter(|id| plan.region[id.index()]) {
                    let called = called.get(id).map_or(&[][..], |called| called);
                    aliases(&plan, &names, called, *id, &mut statements);
                }
            }
        }
    }
    let updates = updates.into_iter().filter(|(name, _)| !calls.iter().any(|call| call.owns(name)));
    statements.extend(updates.map(|(name, draft)| statements::update(&names, name, draft)));
    (statements, calls)
}

/// Gathers the values that are printed into boxes. What goes into them and comes out of them gets lines; the rest is not
/// printed.
fn gather(plan: &mut Plan, part: Part) {
    let model = plan.model;
    let whole = part == Part::Whole;
    let boxed: Vec<bool> = model
        .nodes()
        .map(|id| {
            let index = id.index();
            plan.region[index] && !plan.given[index] && (whole || !plan.forward[index])
        })
        .collect();
    let named: FxHashSet<NodeId> = model.names.values().copied().collect();
    let results = model.calls.iter().flatten().flat_map(|call| call.results.iter().copied());
    let kept = results.filter(|id| whole && named.contains(id));
    let owned = |name: &Name| model.calls.iter().flatten().any(|call| call.owns(name));
    let updates = || model.updates.iter().filter(|_| whole);
    let updated = updates().filter(|(name, _)| !owned(name)).map(|(_, id)| *id);
    let outputs = model.outputs.iter().filter(|output| whole || output.kind == Kind::Gradient);
    let ends: Vec<NodeId> = outputs.map(|output| output.node).chain(updated).chain(kept).collect();
    plan.folded = fold(model, &boxed, &plan.forward, &ends);

    let others = model.names.values().copied().filter(|_| whole);
    let variables = model.variables.values().map(|variable| variable.node).filter(|_| whole);
    let mut waiting: Vec<NodeId> = ends.iter().copied().chain(others).chain(variables).collect();
    let closed: FxHashSet<usize> = plan.folded.of.iter().flatten().copied().collect();
    let shown = closed.iter().map(|number| of(plan, *number));
    let shown: Vec<&Call> =
        shown.filter(|(group, _)| !group.adjoint).map(|(_, call)| call).collect();
    let own = updates().filter(|(name, _)| !shown.iter().any(|call| call.owns(name)));
    waiting.extend(own.map(|(_, id)| *id));
    let mut outputs: FxHashSet<NodeId> = FxHashSet::default();
    outputs.extend(plan.folded.groups.iter().flat_map(|group| &group.outputs));
    let mut region = vec![false; model.len()];
    let mut opened = vec![false; plan.folded.groups.len()];
    while let Some(id) = waiting.pop() {
        let group = plan.folded.of[id.index()];
        let inner = group.is_some() && !outputs.contains(&id);
        if inner || std::mem::replace(&mut region[id.index()], true) || plan.given[id.index()] {
            continue;
        }
        let Some(number) = group else {
            waiting.extend(model.operands(id));
            continue;
        };
        plan.forced.insert(id);
        if !std::mem::replace(&mut opened[number], true) {
            for input in inputs(plan, number) {
                if plan.known[input.index()].is_some() || !plan.folded.fixed[input.index()] {
                    plan.forced.insert(input);
                    waiting.push(input);
                }
            }
        }
    }
    plan.region = region;
}

/// The values that the line of a box names: the arguments of a call, the adjoints that go into the adjoint of one.
fn inputs(plan: &Plan, number: usize) -> Vec<NodeId> {
    let (group, call) = of(plan, number);
    match group.adjoint {
        true => adjoints(plan, group).collect(),
        false => call.args.iter().filter_map(|arg| arg.node).collect(),
    }
}

fn adjoints(plan: &Plan, group: &Group) -> impl Iterator<Item = NodeId> {
    let inputs = group.inputs.iter().copied();
    inputs.filter(|id| !plan.forward[id.index()])
}

fn of<'a>(plan: &'a Plan, number: usize) -> (&'a Group, &'a Call) {
    let group = &plan.folded.groups[number];
    (group, plan.model.calls[group.call].as_ref().expect("a box is that of a call"))
}

/// The lines in an order in which each stands behind those that it needs, else in that of the graph.
fn order(plan: &Plan) -> Vec<Unit> {
    let model = plan.model;
    let count = plan.folded.groups.len();
    let unit = |id: NodeId| plan.folded.of[id.index()].unwrap_or(count + id.index());
    let mut users: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    let mut needs: Vec<u32> = vec![0; count + model.len()];
    let mut first: Vec<usize> = vec![usize::MAX; count + model.len()];
    for id in model.nodes() {
        let own = unit(id);
        first[own] = first[own].min(id.index());
        let mut operands: Vec<usize> = model.operands(id).into_iter().map(unit).collect();
        operands.retain(|other| *other != own);
        needs[own] += operands.len() as u32;
        operands.into_iter().for_each(|other| users.entry(other).or_default().push(own));
    }
    let ready = (0..needs.len()).filter(|unit| needs[*unit] == 0 && first[*unit] < usize::MAX);
    let mut ready: BinaryHeap<Reverse<(usize, usize)>> =
        ready.map(|unit| Reverse((first[unit], unit))).collect();
    let mut order = Vec::new();
    while let Some(Reverse((_, next))) = ready.pop() {
        match next.checked_sub(count) {
            Some(node) => order.push(Unit::Value(NodeId::new(node))),
            None => order.push(Unit::Call(next)),
        }
        for &user in users.get(&next).into_iter().flatten() {
            needs[user] -= 1;
            if needs[user] == 0 {
                ready.push(Reverse((first[user], user)));
            }
        }
    }
    order
}

/// The line of a box: `h = dense(x; 128) as l1`, and for its adjoint a comment with what comes of what.
fn statement(plan: &Plan, names: &FxHashMap<NodeId, String>, number: usize) -> Option<Statement> {
    let (group, call) = of(plan, number);
    let shown = group.outputs.iter().filter(|id| plan.region[id.index()]);
    let shown: Vec<String> = shown.filter_map(|id| names.get(id).cloned()).collect();
    if shown.is_empty() {
        return None;
    }
    let text = call.text(|id| {
        let said = plan.region[id.index()] || plan.known[id.index()].is_some();
        match plan.folded.fixed[id.index()] && plan.known[id.index()].is_none() {
            true => Some(draft::alone(plan.model, id)),
            false => names.get(&id).filter(|_| said).cloned(),
        }
    });
    let instance = match &call.instance {
        Some(instance) if shown != [&**instance] => format!(" as {instance}"),
        _ => String::new(),
    };
    if !group.adjoint {
        let name =
            if let [one] = shown.as_slice() { one.clone() } else { format!("({})", join(&shown)) };
        let (keyword, text) = (keyword(plan, &name), text + &instance);
        return Some(Statement {
            keyword,
            name,
            text,
            comment: None,
            adjoint: false,
            body: None,
            note: false,
        });
    }
    let from: Vec<&String> = adjoints(plan, group).filter_map(|id| names.get(&id)).collect();
    let from = if from.is_empty() { String::new() } else { format!(" at {}", join(from)) };
    Some(Statement {
        keyword: "",
        name: join(call.gathered(shown)),
        text: format!("adjoint of {text}{instance}{from}"),
        comment: Some(format!(":{}", plan.model.line(call.span))),
        adjoint: true,
        body: None,
        note: true,
    })
}
