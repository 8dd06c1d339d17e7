//! Pictures of the graph as text: Graphviz and Mermaid.

use super::{folded, forward, label, names, needed};
use crate::graph::fold::{Folded, Group};
use crate::graph::{Kind, Model, NodeId};
use crate::ops::Op;
use rustc_hash::{FxHashMap, FxHashSet};
use std::fmt::Write;

/// A box of a picture: one value, or those of an inlined call.
struct Box {
    key: String,
    text: String,
    adjoint: bool,
    given: bool,
    call: bool,
    /// Whether a derivative that was asked for is in it.
    result: bool,
    /// The boxes that it reads.
    from: Vec<String>,
}

/// The boxes in an order in which each stands behind those that it reads, but for those of calls.
fn boxes(model: &Model, fold: bool) -> Vec<Box> {
    let (forward, names, folded) = (forward(model), names(model), folded(model, fold));
    let gradients = model.outputs.iter().filter(|output| output.kind == Kind::Gradient);
    let gradients: FxHashSet<NodeId> = gradients.map(|output| output.node).collect();
    let shown: Vec<NodeId> = needed(model);
    let hidden = hidden(model, &folded, &shown);
    let key = |id: NodeId| match folded.of[id.index()] {
        Some(group) => format!("c{group}"),
        None => format!("n{}", id.index()),
    };
    let mut boxes: Vec<Box> = Vec::new();
    let mut places: FxHashMap<String, usize> = FxHashMap::default();
    for id in shown.into_iter().filter(|id| !hidden.contains(id)) {
        let group = folded.of[id.index()].map(|group| &folded.groups[group]);
        let place = *places.entry(key(id)).or_insert_with(|| {
            let given = matches!(model.op(id), Op::Variable(_));
            let text = match (group, names.get(&id)) {
                (Some(group), _) => title(model, group, &names),
                (None, Some(name)) if given => format!("{name}: {}", model.ty(id)),
                (None, Some(name)) => format!("{name} = {}", label(model, id)),
                (None, None) => label(model, id),
            };
            let adjoint = !forward[id.index()];
            let (call, result, from) = (group.is_some(), false, Vec::new());
            boxes.push(Box { key: key(id), text, adjoint, given, call, result, from });
            boxes.len() - 1
        });
        let known = &mut boxes[place];
        known.result |= gradients.contains(&id);
        for operand in model.operands(id).into_iter().filter(|operand| !hidden.contains(operand)) {
            let from = key(operand);
            if from != known.key && !(known.call && known.from.contains(&from)) {
                known.from.push(from);
            }
        }
    }
    boxes
}

/// The parameters of layers that are shown as boxes, and what depends on no variable, where nothing but such boxes reads it.
fn hidden(model: &Model, folded: &Folded, shown: &[NodeId]) -> FxHashSet<NodeId> {
    let mut hidden: FxHashMap<NodeId, bool> = FxHashMap::default();
    for &id in shown.iter().rev() {
        let group = folded.of[id.index()].map(|group| &folded.groups[group]);
        let call = group.and_then(|group| model.calls[group.call].as_ref());
        for operand in model.operands(id) {
            let own = match model.op(operand) {
                Op::Variable(variable) => call.is_some_and(|call| call.owns(&variable.name)),
                _ if folded.fixed[operand.index()] => {
                    call.is_some() || hidden.get(&id).is_some_and(|only| *only)
                }
                _ => continue,
            };
            *hidden.entry(operand).or_insert(true) &= own;
        }
    }
    hidden.into_iter().filter(|(_, only)| *only).map(|(id, _)| id).collect()
}

/// What stands in the box of a call: `h = dense as l1`, `adjoint of dense as l1: d_x, d_l1.W`.
pub(super) fn title(model: &Model, group: &Group, names: &FxHashMap<NodeId, String>) -> String {
    let call = model.calls[group.call].as_ref().expect("a box is that of a call");
    let named = group.outputs.iter().filter_map(|id| names.get(id).cloned()).collect();
    let named = call.gathered(named).join(", ");
    let title = match &call.instance {
        Some(instance) if **instance != *named => format!("{} as {instance}", call.callee),
        _ => call.callee.to_string(),
    };
    match (group.adjoint, named.is_empty()) {
        (false, true) => title,
        (false, false) => format!("{named} = {title}"),
        (true, true) => format!("adjoint of {title}"),
        (true, false) => format!("adjoint of {title}: {named}"),
    }
}

/// The graph for Graphviz: forward values blue, adjoints red, edges from operands to users; with `fold` each inlined call is
/// one box, and so is its adjoint.
pub fn dot(model: &Model, fold: bool) -> String {
    let boxes = boxes(model, fold);
    let mut text = String::from(
        "digraph model {\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n",
    );
    for Box { key, text: label, adjoint, given, call, from, .. } in &boxes {
        let colour = if *adjoint { "#fdf0ea" } else { "#eaf2fb" };
        let line = if *adjoint { "#b5522f" } else { "#2f6db5" };
        let style = match (given, call) {
            (true, _) => ", style=\"rounded,filled,dashed\"",
            (_, true) => ", shape=box3d",
            _ => "",
        };
        let label = label.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(
            text,
            "  {key} [label=\"{label}\", fillcolor=\"{colour}\", color=\"{line}\"{style}];"
        );
        for operand in from {
            let _ = writeln!(text, "  {operand} -> {key};");
        }
    }
    for Box { key, .. } in boxes.iter().filter(|known| known.result) {
        let _ = writeln!(text, "  {key} [penwidth=2];");
    }
    text.push_str("}\n");
    text
}

/// The graph for Mermaid; with `fold` each inlined call is one box, and so is its adjoint.
pub fn mermaid(model: &Model, fold: bool) -> String {
    let mut text = String::from("flowchart TD\n");
    for Box { key, text: label, adjoint, call, from, .. } in boxes(model, fold) {
        let label = label.replace('"', "#quot;");
        let class = if adjoint { "adjoint" } else { "forward" };
        let (open, close) = if call { ("[[", "]]") } else { ("[", "]") };
        let _ = writeln!(text, "  {key}{open}\"{label}\"{close}:::{class}");
        for operand in from {
            let _ = writeln!(text, "  {operand} --> {key}");
        }
    }
    text.push_str("  classDef forward fill:#eaf2fb,stroke:#2f6db5\n  classDef adjoint fill:#fdf0ea,stroke:#b5522f\n");
    text
}
