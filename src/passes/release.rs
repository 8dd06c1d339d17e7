//! Barriers go once every derivative that needs them is there.

use crate::graph::Model;
use crate::ops::{Misfit, Op};

/// The model in which each barrier is the value behind it.
pub fn release(model: &Model) -> Model {
    let released = model.rebuild(|to, id, operands| match model.op(id) {
        Op::Barrier(_) => {
            to.unite(operands[0], model.origins(id));
            Ok::<_, Misfit>(operands[0])
        }
        _ => model.copy(to, id, operands),
    });
    released.expect("a barrier has the type of its operand")
}
