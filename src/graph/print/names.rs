//! Names for values that have none.

use super::looped::printed;
use super::statements::Plan;
use crate::graph::{Kind, Model, NodeId};
use crate::ops::elementwise::Class;
use crate::ops::scan::Which;
use crate::ops::{Form, Op, Operator, Scalar};
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;

/// The names of all values that have a line or are given.
pub struct Names {
    pub text: FxHashMap<NodeId, String>,
    /// The names of results of scans that nothing reads.
    pub unread: FxHashMap<(NodeId, Which), String>,
}

/// Names every line: the source's names first, then `z1`, `z2` ... for what feeds an activation, `d_x` for the adjoint of
/// `x`, and for all others the name of their nearest named user with a number.
pub fn names(plan: &Plan) -> Names {
    let model = plan.model;
    let mut taken = Taken::of(taken(model));
    let mut text: FxHashMap<NodeId, String> = FxHashMap::default();
    for id in model.nodes() {
        if let Some(name) = &plan.known[id.index()] {
            text.insert(id, name.to_string());
        }
    }
    for output in model.outputs.iter().filter(|output| output.kind == Kind::Gradient) {
        text.entry(output.node).or_insert_with(|| output.name.to_string());
    }
    let before = before_activations(plan, &taken.names);
    let mut give = |text: &mut FxHashMap<NodeId, String>, id: NodeId, wanted: String| {
        text.insert(id, taken.take(wanted));
    };
    let lines: Vec<NodeId> = model.nodes().filter(|id| has_name(plan, *id)).collect();
    for &id in &lines {
        if !text.contains_key(&id)
            && let Some(name) = before.get(&id)
        {
            give(&mut text, id, name.clone());
        }
    }
    for &id in &lines {
        if let Some(name) = carried(model, id, |which| matches!(which, Which::Trace(_)))
            && !text.contains_key(&id)
        {
            give(&mut text, id, format!("{name}_before"));
        }
    }
    for &(of, adjoint) in &model.adjoints {
        if plan.lines[adjoint.index()] && !text.contains_key(&adjoint) {
            let of_name = plan.known[of.index()]
                .as_ref()
                .map(|name| name.to_string())
                .or_else(|| before.get(&of).cloned());
            if let Some(name) = of_name.or_else(|| text.get(&of).cloned()) {
                give(&mut text, adjoint, format!("d_{name}"));
            }
        }
    }
    for &id in &lines {
        if let Some(name) = carried(model, id, |which| matches!(which, Which::Final(_)))
            && !text.contains_key(&id)
        {
            give(&mut text, id, format!("{name}_last"));
        }
    }
    for &id in &lines {
        if let Some(name) = applied(plan, id, &text)
            && !text.contains_key(&id)
        {
            give(&mut text, id, name);
        }
    }
    let mut owners = owners(plan, &text);
    for &(of, adjoint) in model.adjoints.iter().rev() {
        if !text.contains_key(&adjoint)
            && !plan.forward[adjoint.index()]
            && let Some(owner) = owners.get(&of)
        {
            owners.insert(adjoint, format!("d_{owner}").into());
        }
    }
    let mut counters: FxHashMap<Rc<str>, usize> = FxHashMap::default();
    for &id in &lines {
        if !text.contains_key(&id) {
            let owner = owners.get(&id).cloned().unwrap_or_else(|| "t".into());
            let counter = counters.entry(owner.clone()).or_insert(0);
            loop {
                *counter += 1;
                let wanted = format!("{owner}_{counter}");
                if taken.names.insert(wanted.clone()) {
                    text.insert(id, wanted);
                    break;
                }
            }
        }
    }
    let mut unread = FxHashMap::default();
    for id in model.nodes().filter(|id| plan.lines[id.index()] && plan.region[id.index()]) {
        let Op::Scan(scan) = model.op(id) else { continue };
        let named = |part: &Option<NodeId>| part.is_some_and(|part| text.contains_key(&part));
        for (which, _) in printed(plan, id).into_iter().filter(|(_, part)| !named(part)) {
            let wanted = match which {
                Which::Final(place) => match &scan.body.names[1 + place] {
                    Some(name) => format!("{name}_last"),
                    None => "last".into(),
                },
                Which::Yield(_) | Which::Trace(_) => "unread".into(),
            };
            unread.insert((id, which), taken.take(wanted));
        }
    }
    Names { text, unread }
}

/// Names that have a meaning already.
pub struct Taken {
    /// The names.
    pub names: FxHashSet<String>,
    /// For names that were wanted again the number that was given last.
    numbers: FxHashMap<String, usize>,
}

impl Taken {
    /// These names.
    pub fn of(names: FxHashSet<String>) -> Taken {
        Taken { names, numbers: FxHashMap::default() }
    }

    /// The name that is wanted, or that with the first number with which it is free; it is taken from then on.
    pub fn take(&mut self, wanted: String) -> String {
        if self.names.insert(wanted.clone()) {
            return wanted;
        }
        let number = self.numbers.entry(wanted.clone()).or_insert(1);
        loop {
            *number += 1;
            let name = format!("{wanted}_{number}");
            if self.names.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// The names that a model has already.
pub fn taken(model: &Model) -> FxHashSet<String> {
    let mut taken: FxHashSet<String> =
        model.names.keys().chain(model.variables.keys()).map(|name| name.to_string()).collect();
    taken.extend(model.dims.iter().map(|(name, _)| name.to_string()));
    taken.extend(model.outputs.iter().map(|output| output.name.to_string()));
    taken
}

/// The name of the carry that a result of a scan, of the kind asked for, comes from.
fn carried(model: &Model, id: NodeId, kind: impl Fn(Which) -> bool) -> Option<&str> {
    let Op::Part(part) = model.op(id) else { return None };
    let Op::Scan(scan) = model.op(model.operands(id)[0]) else { return None };
    match part.which {
        Which::Trace(place) | Which::Final(place) if kind(part.which) => {
            scan.body.names[1 + place].as_deref()
        }
        _ => None,
    }
}

/// `tanh_g` for `tanh(g)` where g has a name.
fn applied(plan: &Plan, id: NodeId, text: &FxHashMap<NodeId, String>) -> Option<String> {
    let Op::Scalar(row) = plan.model.op(id) else { return None };
    let operands = plan.model.operands(id);
    let [operand] = operands.as_slice() else { return None };
    let inner = text.get(operand).filter(|name| !name.contains('.'))?;
    let called = matches!(
        plan.model.op(id).form(&plan.model.operand_types(id), plan.model.ty(id)),
        Form::Call { .. }
    );
    (called && plan.forward[id.index()]).then(|| format!("{}_{inner}", row.name()))
}

/// Whether a value is to get a name: it has a line, and is not several values.
fn has_name(plan: &Plan, id: NodeId) -> bool {
    plan.lines[id.index()] && plan.region[id.index()] && !matches!(plan.model.op(id), Op::Scan(_))
}

/// The names of unnamed values that feed an activation, numbered through in the order of the source.
pub fn before_activations(plan: &Plan, taken: &FxHashSet<String>) -> FxHashMap<NodeId, String> {
    let model = plan.model;
    let (mut fed, mut seen) = (Vec::new(), FxHashSet::default());
    for id in model.nodes().filter(|id| plan.forward[id.index()] && is_activation(model, *id)) {
        let mut operand = model.operands(id)[0];
        // Pieces of one value, and its negative, are spoken of by that.
        while matches!(model.op(operand), Op::Slice(_) | Op::Scalar(Scalar::Neg)) {
            operand = model.operands(operand)[0];
        }
        let plain = matches!(model.op(operand), Op::Variable(_) | Op::Const(_) | Op::Slice(_));
        if plan.known[operand.index()].is_none() && !plain && seen.insert(operand) {
            fed.push(operand);
        }
    }
    let numbered = |stem: &str| -> Vec<String> {
        (1..=fed.len()).map(|number| format!("{stem}{number}")).collect()
    };
    let stems = ["z", "pre", "preactivation"];
    let chosen = stems
        .iter()
        .map(|stem| numbered(stem))
        .find(|names| names.iter().all(|name| !taken.contains(name)));
    fed.into_iter().zip(chosen.unwrap_or_default()).collect()
}

/// Whether an operator is what networks put behind a linear step.
pub fn is_activation(model: &Model, id: NodeId) -> bool {
    match model.op(id) {
        Op::Softmax(_) => true,
        Op::Scalar(row) => {
            row.class() == Class::Float
                && matches!(
                    row,
                    Scalar::Sigmoid | Scalar::Tanh | Scalar::Relu | Scalar::Softplus | Scalar::Erf
                )
        }
        _ => false,
    }
}

/// For each line without a name that of its nearest named user; of a forward value the nearest that is one too.
fn owners(plan: &Plan, text: &FxHashMap<NodeId, String>) -> FxHashMap<NodeId, Rc<str>> {
    let updates = plan.model.updates.iter();
    let mut owners: FxHashMap<NodeId, Rc<str>> =
        updates.map(|(name, id)| (*id, Rc::from(&**name))).collect();
    for id in plan.model.nodes().rev() {
        let forward = plan.forward[id.index()];
        let own = match text.get(&id) {
            Some(name) => Some(Rc::from(name.as_str())),
            None => owners.get(&id).cloned(),
        };
        let Some(own) = own.filter(|_| forward || plan.region[id.index()]) else { continue };
        for operand in plan.model.operands(id) {
            if !text.contains_key(&operand) && (forward || !plan.forward[operand.index()]) {
                owners.insert(operand, own.clone());
            }
        }
    }
    owners
}
