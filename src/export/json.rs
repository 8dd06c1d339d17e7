//! The graph as a JSON document.

use super::diagram::title;
use super::{folded, label, names, needed};
use crate::graph::{Kind, Model, NodeId, Origin};
use crate::ops::{Op, Operator};
use serde_json::{Value, json};

/// Nodes in topological order with operator, type, operands, name and the source line they have to do with, and the results. A
/// scan has its body, nodes of its own whose first are the inputs. With `fold` the nodes of each inlined call, and of its
/// adjoint, are listed.
pub fn json(model: &Model, fold: bool) -> Value {
    let mut document = graph(model);
    if fold {
        let (names, folded) = (names(model), folded(model, true));
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); folded.groups.len()];
        for id in needed(model) {
            if let Some(number) = folded.of[id.index()] {
                members[number].push(id.index());
            }
        }
        let calls = folded.groups.iter().zip(members).map(|(group, nodes)| {
            let text = title(model, group, &names);
            json!({"text": text, "adjoint": group.adjoint, "nodes": nodes})
        });
        document["calls"] = calls.collect();
    }
    document
}

fn graph(model: &Model) -> Value {
    let names = names(model);
    let nodes: Vec<Value> =
        needed(model).into_iter().map(|id| node(model, id, names.get(&id))).collect();
    let outputs: Vec<Value> = model
        .outputs
        .iter()
        .map(|output| {
            let kind = match output.kind {
                Kind::Loss => "loss",
                Kind::Output => "output",
                Kind::Metric => "metric",
                Kind::Gradient => "gradient",
            };
            json!({"name": *output.name, "kind": kind, "node": output.node.index()})
        })
        .collect();
    let dims: serde_json::Map<String, Value> = model
        .dims
        .iter()
        .map(|(name, size)| (name.to_string(), size.map(|size| size.to_string()).into()))
        .collect();
    let mut document = json!({"v": 1, "dims": dims, "nodes": nodes, "outputs": outputs});
    if !model.updates.is_empty() {
        let updates = model.updates.iter().map(|(name, id)| (name.to_string(), id.index().into()));
        document["updates"] = Value::Object(updates.collect());
    }
    document
}

fn node(model: &Model, id: NodeId, name: Option<&String>) -> Value {
    let ty = model.ty(id);
    let origin = |origin: &Origin| match origin {
        Origin::Source(span) => json!({"source": {"line": model.line(*span)}}),
        Origin::Adjoint { span, rule, operand } => {
            json!({"adjoint": {"line": model.line(*span), "rule": rule, "operand": operand}})
        }
        Origin::Law(law) => json!({"law": law}),
    };
    let mut value = json!({
        "id": id.index(),
        "op": model.op(id).name(),
        "text": label(model, id),
        "name": name,
        "dtype": ty.dtype.name(),
        "shape": ty.shape.iter().map(|size| size.to_string()).collect::<Vec<_>>(),
        "operands": model.operands(id).iter().map(|operand| operand.index()).collect::<Vec<_>>(),
        "origins": model.origins(id).iter().map(origin).collect::<Vec<_>>(),
    });
    if let Op::Scan(scan) = model.op(id) {
        let inner = model.inner(scan);
        let mut body = graph(&inner.model);
        body["inputs"] = inner.inputs.iter().map(|id| id.index()).collect();
        body["carries"] = json!(scan.carries);
        body["slices"] = json!(scan.slices);
        value["reverse"] = json!(scan.reverse);
        value["length"] = json!(scan.length.to_string());
        value["body"] = body;
    }
    value
}
