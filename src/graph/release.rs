//! Barriers go once every derivative that needs them is there.

use super::{Model, NodeId, Origins};
use crate::ops::{Misfit, Op};

/// The model in which each barrier is the value behind it.
pub fn release(model: &Model) -> Model {
    let barrier = |op: &Op| matches!(op, Op::Barrier(_));
    let within = |op: &Op| matches!(op, Op::Scan(scan) if scan.body.holds(&barrier));
    if !model.may_have(|op| barrier(op) || within(op)) {
        return model.compact();
    }
    let released =
        model.rebuild(|to, id, operands| released(to, model.op(id), operands, model.origins(id)));
    released.expect("a barrier has the type of its operand")
}

fn released(
    to: &mut Model,
    op: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    match op {
        Op::Barrier(_) => {
            to.unite(operands[0], origins);
            Ok(operands[0])
        }
        Op::Scan(scan) if scan.body.holds(&|op| matches!(op, Op::Barrier(_))) => {
            to.mapped(scan, operands, origins, false, &mut |to, step, operands| {
                released(to, &step.op, operands, &step.origins)
            })
        }
        op => to.insert(op.clone(), operands, origins),
    }
}
