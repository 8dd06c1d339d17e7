//! Pictures of the graph as text: Graphviz and Mermaid.

use super::{forward, label, names, needed};
use crate::graph::{Kind, Model, NodeId};
use crate::ops::Op;
use std::fmt::Write;

/// A node of a picture.
struct Box {
    id: NodeId,
    text: String,
    adjoint: bool,
    given: bool,
}

fn boxes(model: &Model) -> Vec<Box> {
    let (forward, names) = (forward(model), names(model));
    needed(model)
        .into_iter()
        .map(|id| {
            let (label, given) = (label(model, id), matches!(model.op(id), Op::Variable(_)));
            let text = match names.get(&id) {
                Some(name) if given => format!("{name}: {}", model.ty(id)),
                Some(name) => format!("{name} = {label}"),
                None => label,
            };
            Box { id, text, adjoint: !forward[id.index()], given }
        })
        .collect()
}

/// The graph for Graphviz: forward values blue, adjoints red, edges from operands to users.
pub fn dot(model: &Model) -> String {
    let mut text = String::from(
        "digraph model {\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n",
    );
    for Box { id, text: label, adjoint, given } in boxes(model) {
        let colour = if adjoint { "#fdf0ea" } else { "#eaf2fb" };
        let line = if adjoint { "#b5522f" } else { "#2f6db5" };
        let dashed = if given { ", style=\"rounded,filled,dashed\"" } else { "" };
        let label = label.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(
            text,
            "  n{} [label=\"{label}\", fillcolor=\"{colour}\", color=\"{line}\"{dashed}];",
            id.index()
        );
        for operand in model.operands(id) {
            let _ = writeln!(text, "  n{} -> n{};", operand.index(), id.index());
        }
    }
    for output in model.outputs.iter().filter(|output| output.kind == Kind::Gradient) {
        let _ = writeln!(text, "  n{} [penwidth=2];", output.node.index());
    }
    text.push_str("}\n");
    text
}

/// The graph for Mermaid.
pub fn mermaid(model: &Model) -> String {
    let mut text = String::from("flowchart TD\n");
    for Box { id, text: label, adjoint, .. } in boxes(model) {
        let label = label.replace('"', "#quot;");
        let class = if adjoint { "adjoint" } else { "forward" };
        let _ = writeln!(text, "  n{}[\"{label}\"]:::{class}", id.index());
        for operand in model.operands(id) {
            let _ = writeln!(text, "  n{} --> n{}", operand.index(), id.index());
        }
    }
    text.push_str("  classDef forward fill:#eaf2fb,stroke:#2f6db5\n  classDef adjoint fill:#fdf0ea,stroke:#b5522f\n");
    text
}
