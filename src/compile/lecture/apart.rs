//! Loops set apart: what they read nothing else does.

use super::cut::between;
use crate::graph::{Model, NodeId, Origins};
use crate::ops::scan::Scan;
use crate::ops::special::Barrier;
use crate::ops::{Misfit, Name, Op};
use rustc_hash::FxHashMap;

/// The model in which loops alone read what they read of the way from `goals` to `end`: where something else does too, or the
/// same loop twice, a value of its own stands between. So it does where a loop goes through the parts of what is `whole`.
/// Values that come from what is `called` otherwise are named by that.
pub fn apart(
    model: Model,
    end: NodeId,
    goals: &[NodeId],
    whole: &[NodeId],
    called: FxHashMap<NodeId, Name>,
) -> Result<Model, Misfit> {
    let between = between(&model, end, goals);
    let mut uses = vec![0u32; model.len()];
    for id in model.nodes().filter(|id| between[id.index()]) {
        model.reads(id).for_each(|operand| uses[operand.index()] += 1);
    }
    let scan = |id: NodeId| between[id.index()] && matches!(model.op(id), Op::Scan(_));
    let shared = |id: NodeId| between[id.index()] && uses[id.index()] > 1;
    let stands = |own: &Scan, place: usize, outer: NodeId| {
        let slices = own.carries..own.carries + own.slices;
        let parts = slices.contains(&place) && between[outer.index()];
        shared(outer) || parts && whole.contains(&outer)
    };
    let any = |id: NodeId| match model.op(id) {
        Op::Scan(own) if scan(id) => {
            let operands = model.operands(id);
            operands.iter().enumerate().any(|(place, &outer)| stands(own, place, outer))
        }
        _ => false,
    };
    if !model.nodes().any(any) {
        return Ok(model);
    }
    let variables = model.variables.iter().map(|(name, variable)| (variable.node, name));
    let names = model.names.iter().map(|(name, &node)| (node, name)).chain(variables);
    let mut names: FxHashMap<NodeId, Name> =
        names.map(|(node, name)| (node, name.clone())).collect();
    names.extend(called);
    let mut counts: FxHashMap<(NodeId, bool), usize> = FxHashMap::default();
    model.rebuild(|to, id, operands| {
        let mut operands = operands.to_vec();
        if let Op::Scan(own) = model.op(id)
            && scan(id)
        {
            for (place, outer) in model.operands(id).into_iter().enumerate() {
                if !stands(own, place, outer) {
                    continue;
                }
                let first = place < own.carries;
                let count = counts.entry((outer, first)).or_default();
                *count += 1;
                let name = names
                    .get(&outer)
                    .map_or("u", |name| name.strip_suffix("_loop").unwrap_or(name));
                let name = match (first, *count) {
                    (true, number) => format!("{name}_first_{number}"),
                    (false, 1) => format!("{name}_loop"),
                    (false, number) => format!("{name}_loop_{number}"),
                };
                let barrier = Barrier { name: name.into() };
                operands[place] = to.insert(barrier, &[operands[place]], &Origins::default())?;
            }
        }
        model.copy(to, id, &operands)
    })
}
