//! The graph as a JSON document.

use super::{label, names, needed};
use crate::graph::{Kind, Model, Origin};
use crate::ops::Operator;
use serde_json::{Value, json};

/// Nodes in topological order with operator, type, operands, name and the source line they have to do with, and the results.
pub fn json(model: &Model) -> Value {
    let names = names(model);
    let nodes: Vec<Value> = needed(model)
        .into_iter()
        .map(|id| {
            let ty = model.ty(id);
            let origins: Vec<Value> = model
                .origins(id)
                .iter()
                .map(|origin| match origin {
                    Origin::Source(span) => json!({"source": {"line": model.line(*span)}}),
                    Origin::Adjoint { span, rule, operand } => {
                        json!({"adjoint": {"line": model.line(*span), "rule": rule, "operand": operand}})
                    }
                    Origin::Law(law) => json!({"law": law}),
                })
                .collect();
            json!({
                "id": id.index(),
                "op": model.op(id).name(),
                "text": label(model, id),
                "name": names.get(&id),
                "dtype": ty.dtype.name(),
                "shape": ty.shape.iter().map(|size| size.to_string()).collect::<Vec<_>>(),
                "operands": model.operands(id).iter().map(|operand| operand.index()).collect::<Vec<_>>(),
                "origins": origins,
            })
        })
        .collect();
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
