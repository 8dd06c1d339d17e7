//! The reference executor: one operator after the other over ndarray. It is the meaning of a model.

use crate::graph::{Model, NodeId, Values};
use crate::ops::leaf::Variable;
use crate::ops::scan::Which;
use crate::ops::size::{SizeError, sizes};
use crate::ops::{Bindings, Name, Op, Operator, ValueError};
use crate::tensor::{DType, Tensor, has_room};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Why a model has no value.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// A variable without a value.
    #[error("`{0}` has no value")]
    Missing(Name),
    /// A value of another type than the variable.
    #[error("`{name}` is {wanted} and is given {found}")]
    Unfit {
        /// The variable.
        name: Name,
        /// Its type in this run.
        wanted: String,
        /// The type given.
        found: String,
    },
    /// A size without a number.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// Values beyond what memory can hold.
    #[error("an array {0} cannot be")]
    Memory(String),
    /// A budget that no plan fits into.
    #[error("{budget} bytes are too few: the least budget that would do is {least} bytes")]
    Budget {
        /// The budget.
        budget: usize,
        /// The least that would do.
        least: usize,
    },
    /// An operator that its operands do not suit.
    #[error("{error}")]
    Value {
        /// The node.
        node: NodeId,
        /// What is wrong.
        error: ValueError,
    },
}

/// The type of a value in words: `f32[2, 3]`.
pub fn described(dtype: DType, shape: &[usize]) -> String {
    if shape.is_empty() {
        dtype.to_string()
    } else {
        format!("{dtype}[{}]", crate::ops::join(shape))
    }
}

/// The values of `wanted`, where variables have `values` and dimensions the sizes `bindings`. Each value is dropped after
/// its last use.
pub fn run(
    model: &Model,
    wanted: &[NodeId],
    values: &Values,
    bindings: &Bindings,
) -> Result<Vec<Tensor>, RunError> {
    let cone = model.cone(wanted);
    let place: FxHashMap<NodeId, usize> =
        cone.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let mut uses = vec![0u32; cone.len()];
    let read = cone.iter().flat_map(|id| model.reads(*id)).chain(wanted.iter().copied());
    read.for_each(|id| uses[place[&id]] += 1);
    let mut known: Vec<Option<Tensor>> = vec![None; cone.len()];
    let picked = picked(model, &cone);
    let mut scans: FxHashMap<NodeId, Vec<Tensor>> = FxHashMap::default();
    for (index, &id) in cone.iter().enumerate() {
        let operands = model.operands(id);
        if let Op::Part(part) = model.op(id) {
            let scan = operands[0];
            let number = picked[&scan].iter().position(|which| *which == part.which);
            let value = scans[&scan][number.expect("it is picked")].clone();
            let left = &mut uses[place[&scan]];
            *left -= 1;
            if *left == 0 {
                scans.remove(&scan);
            }
            known[index] = Some(value);
            continue;
        }
        let places: SmallVec<[usize; 4]> = operands.iter().map(|operand| place[operand]).collect();
        let tensors: Vec<Tensor> = places
            .iter()
            .map(|&operand| known[operand].clone().expect("operands come first"))
            .collect();
        for operand in places {
            uses[operand] -= 1;
            if uses[operand] == 0 {
                known[operand] = None;
            }
        }
        let to = sizes(&model.ty(id).shape, bindings)?;
        let value = match model.op(id) {
            Op::Variable(Variable { name, ty }) => {
                let value = values.get(name).ok_or_else(|| RunError::Missing(name.clone()))?;
                if value.dtype() != ty.dtype || value.shape() != to.as_slice() {
                    let wanted = described(ty.dtype, &to);
                    let found = described(value.dtype(), value.shape());
                    return Err(RunError::Unfit { name: name.clone(), wanted, found });
                }
                value.clone()
            }
            Op::Scan(scan) => {
                let which = picked.get(&id).map_or(&[][..], |which| which);
                let results = scan.run(&tensors, which, bindings);
                let results = results.map_err(|error| RunError::Value { node: id, error })?;
                scans.insert(id, results);
                continue;
            }
            op => {
                let operands = tensors.iter().map(|tensor| bytes(tensor.dtype(), tensor.shape()));
                room(operands.fold(bytes(model.ty(id).dtype, &to), usize::saturating_add))?;
                op.value(&tensors, &to, bindings)
                    .map_err(|error| RunError::Value { node: id, error })?
            }
        };
        debug_assert_eq!(value.shape(), to.as_slice(), "{:?}", model.op(id));
        known[index] = Some(value);
    }
    let value = |id: &NodeId| known[place[id]].clone().expect("what is wanted is kept");
    Ok(wanted.iter().map(value).collect())
}

/// The bytes of an array.
fn bytes(dtype: DType, sizes: &[usize]) -> usize {
    sizes.iter().fold(dtype.bytes(), |bytes, &size| bytes.saturating_mul(size))
}

/// Fewer bytes than these are not asked for beforehand.
const LITTLE: usize = 1 << 28;

/// Whether there is memory for a result beside copies of its operands: what cannot be had is an error, not the process's end.
fn room(bytes: usize) -> Result<(), RunError> {
    match bytes < LITTLE || has_room(bytes) {
        true => Ok(()),
        false => Err(RunError::Memory(format!("of {bytes} bytes in all"))),
    }
}

/// The results that are picked of each scan.
fn picked(model: &Model, cone: &[NodeId]) -> FxHashMap<NodeId, Vec<Which>> {
    let mut picked: FxHashMap<NodeId, Vec<Which>> = FxHashMap::default();
    for &id in cone {
        if let Op::Part(part) = model.op(id) {
            picked.entry(model.operands(id)[0]).or_default().push(part.which);
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_memory_holds_is_an_error() {
        assert!(room(LITTLE).is_ok());
        let error = room(bytes(DType::F64, &[1 << 24, 1 << 24])).expect_err("too much");
        assert_eq!(error.to_string(), format!("an array of {} bytes in all cannot be", 1u64 << 51));
        assert!(room(bytes(DType::F64, &[usize::MAX, 2])).is_err());
    }
}
