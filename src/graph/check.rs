//! The verifier: what must hold of every model after every transformation.

use super::{Model, NodeId};
use crate::ops::Operator;

/// A model that breaks its own rules: a bug of the pass that made it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node {node}: {what}")]
pub struct Broken {
    /// The number of the node.
    pub node: usize,
    /// What is wrong with it.
    pub what: String,
}

/// Checks that operands stand before their users, that every type follows from the operands' types, that no two nodes are
/// equal, and that all that is named is there.
pub fn check(model: &Model) -> Result<(), Broken> {
    let broken = |id: NodeId, what: String| Broken { node: id.index(), what };
    for id in model.nodes() {
        let operands = model.operands(id);
        if let Some(later) = operands.iter().find(|operand| **operand >= id) {
            return Err(broken(id, format!("its operand {} stands behind it", later.index())));
        }
        match model.op(id).infer(&model.operand_types(id), &model.dims) {
            Ok(ty) if ty == *model.ty(id) => {}
            Ok(ty) => {
                return Err(broken(id, format!("its type is {} and should be {ty}", model.ty(id))));
            }
            Err(misfit) => return Err(broken(id, misfit.to_string())),
        }
    }
    let end = model.len();
    let named = model.names.values().chain(model.variables.values().map(|variable| &variable.node));
    let named = named.chain(model.updates.values());
    for id in named.chain(model.outputs.iter().map(|output| &output.node)) {
        if id.index() >= end {
            return Err(broken(*id, "it is named and not there".into()));
        }
    }
    Ok(())
}
