//! The verifier: what must hold of every model after every transformation.

use super::{Model, NodeId};
use crate::ops::scan::Body;
use crate::ops::{Dims, Op, Operator, Type};

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
    for id in model.nodes() {
        match (model.op(id), model.operands(id).first().map(|&of| model.op(of))) {
            (Op::Scan(scan), _) => {
                body(&scan.body, &model.dims).map_err(|what| broken(id, what))?;
            }
            (Op::Part(part), Some(Op::Scan(scan))) if scan.part(part.which) == *part => {}
            (Op::Part(_), _) => return Err(broken(id, "it is no result of its scan".into())),
            _ => {}
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

/// Checks the body of a scan, and those within it.
fn body(body: &Body, dims: &Dims) -> Result<(), String> {
    for (number, step) in body.steps.iter().enumerate() {
        let place = body.inputs.len() + number;
        if step.operands.iter().any(|&operand| operand as usize >= place) {
            return Err(format!("step {number} of its body reads what comes later"));
        }
        let types: Vec<Type> = step.operands.iter().map(|&from| body.ty(from).clone()).collect();
        match step.op.infer(&types, dims) {
            Ok(ty) if ty == step.ty => {}
            Ok(ty) => {
                return Err(format!("step {number} of its body is {} and should be {ty}", step.ty));
            }
            Err(misfit) => return Err(format!("step {number} of its body: {misfit}")),
        }
        match (&step.op, step.operands.first().and_then(|&of| body.step(of)).map(|of| &of.op)) {
            (Op::Scan(scan), _) => self::body(&scan.body, dims)?,
            (Op::Part(part), Some(Op::Scan(scan))) if scan.part(part.which) == *part => {}
            (Op::Part(_), _) => return Err(format!("step {number} is no result of its scan")),
            _ => {}
        }
    }
    Ok(())
}
