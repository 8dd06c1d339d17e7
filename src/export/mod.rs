//! Models in the forms of other programs.

mod axis;
mod diagram;
mod equations;
pub mod formula;
mod json;
pub mod network;
mod plot;
pub mod sheet;

pub use axis::{Axis, Scale, Tick};
pub use diagram::{dot, mermaid};
pub use equations::latex;
pub use json::json;
pub use plot::{Curve, Plot, plot};

use crate::graph::fold::{self, Folded};
use crate::graph::{Kind, Model, NodeId};
use crate::ops::{Form, FormArg, Op, Operator};
use rustc_hash::FxHashMap;

/// The nodes that the results and updates need, operands first.
fn needed(model: &Model) -> Vec<NodeId> {
    let results = model.outputs.iter().map(|output| output.node);
    let needed = model.needed(results.chain(model.updates.values().copied()));
    model.nodes().filter(|id| needed[id.index()]).collect()
}

/// The nodes that results other than derivatives need.
fn forward(model: &Model) -> Vec<bool> {
    let results = model.outputs.iter().filter(|output| output.kind != Kind::Gradient);
    model.needed(results.map(|output| output.node).chain(model.updates.values().copied()))
}

/// The boxes of the calls of a model, where they are asked for.
fn folded(model: &Model, wanted: bool) -> Folded {
    let mut region = vec![false; model.len()];
    if wanted {
        needed(model).into_iter().for_each(|id| region[id.index()] = true);
    }
    let roots: Vec<NodeId> = model.outputs.iter().map(|output| output.node).collect();
    fold::fold(model, &region, &forward(model), &roots)
}

/// The names of nodes: variables, bindings, results.
fn names(model: &Model) -> FxHashMap<NodeId, String> {
    let mut names: FxHashMap<NodeId, String> = FxHashMap::default();
    let outputs = model.outputs.iter().map(|output| (&output.name, output.node));
    let variables = model.variables.iter().map(|(name, variable)| (name, variable.node));
    for (name, node) in
        variables.chain(model.names.iter().map(|(name, node)| (name, *node))).chain(outputs)
    {
        names.entry(node).or_insert_with(|| name.to_string());
    }
    names
}

/// The operator in a few letters: `@`, `sigmoid`, `sum[N]`.
fn label(model: &Model, id: NodeId) -> String {
    let op = model.op(id);
    match op.form(&model.operand_types(id), model.ty(id)) {
        Form::Atom(text) => text,
        Form::Infix(symbol) => symbol.into(),
        Form::Prefix(symbol) => symbol.trim().into(),
        Form::Postfix(text) if matches!(op, Op::Permute(_)) => format!("transpose {text}"),
        Form::Postfix(text) => text,
        Form::Call { name, brackets, args } => {
            let texts: Vec<&str> = args
                .iter()
                .filter_map(|arg| match arg {
                    FormArg::Text(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            let brackets = if brackets.is_empty() {
                String::new()
            } else {
                format!("[{}]", brackets.join(", "))
            };
            let texts =
                if texts.is_empty() { String::new() } else { format!(" {}", texts.join(", ")) };
            format!("{name}{brackets}{texts}")
        }
        Form::TimesLog { .. } | Form::Index(_) => op.name().into_owned(),
        Form::Broadcast => "broadcast".into(),
    }
}
