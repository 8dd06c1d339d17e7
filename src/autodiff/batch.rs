//! One more leading axis: what a linear computation gives for each row of a matrix.

use crate::graph::{Model, NodeId, Operands};
use crate::ops::{Batching, Misfit, Operator, Size};
use rustc_hash::FxHashMap;

/// The value of `root` where `seed` is replaced by each row of `rows`, which has a leading axis of size `size`; that axis
/// leads the result too. `None` where `root` does not depend on `seed`.
pub fn batch(
    model: &mut Model,
    root: NodeId,
    seed: NodeId,
    rows: NodeId,
    size: &Size,
) -> Result<Option<NodeId>, Misfit> {
    let mut lifted: FxHashMap<NodeId, NodeId> = FxHashMap::default();
    lifted.insert(seed, rows);
    for index in seed.index() + 1..=root.index() {
        let id = NodeId::new(index);
        let operands = model.operands(id);
        let batched: Vec<bool> =
            operands.iter().map(|operand| lifted.contains_key(operand)).collect();
        if !batched.contains(&true) {
            continue;
        }
        let types = model.operand_types(id);
        let batching = Batching { operands: &types, result: model.ty(id), batched: &batched, size };
        let term = model.op(id).batch(&batching);
        let variables: Operands =
            operands.iter().map(|operand| *lifted.get(operand).unwrap_or(operand)).collect();
        let origins = model.origins(id).clone();
        let node = model.plant(&term, &variables, model.ty(id).dtype, &origins)?;
        lifted.insert(id, node);
    }
    Ok(lifted.get(&root).copied())
}
