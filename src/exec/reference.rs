//! The reference executor: one operator after the other over ndarray. It is the meaning of a model.

use crate::graph::{Model, NodeId, Values};
use crate::ops::leaf::Variable;
use crate::ops::scan::Which;
use crate::ops::size::{SizeError, sizes};
use crate::ops::{Bindings, Name, Op, Operator, ValueError};
use crate::tensor::{DType, Tensor};
use rustc_hash::FxHashMap;

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
    let mut uses = needed(model, wanted);
    let last = wanted.iter().map(|id| id.index() + 1).max().unwrap_or(0);
    let mut known: Vec<Option<Tensor>> = vec![None; last];
    let picked = picked(model, &uses);
    let mut scans: FxHashMap<NodeId, Vec<Tensor>> = FxHashMap::default();
    for index in 0..last {
        if uses[index] == 0 {
            continue;
        }
        let id = NodeId::new(index);
        let operands = model.operands(id);
        if let Op::Part(part) = model.op(id) {
            let scan = operands[0];
            let place = picked[&scan].iter().position(|which| *which == part.which);
            let value = scans[&scan][place.expect("it is picked")].clone();
            uses[scan.index()] -= 1;
            if uses[scan.index()] == 0 {
                scans.remove(&scan);
            }
            known[index] = Some(value);
            continue;
        }
        let tensors: Vec<Tensor> = operands
            .iter()
            .map(|operand| known[operand.index()].clone().expect("operands come first"))
            .collect();
        for operand in &operands {
            uses[operand.index()] -= 1;
            if uses[operand.index()] == 0 {
                known[operand.index()] = None;
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
            op => op
                .value(&tensors, &to, bindings)
                .map_err(|error| RunError::Value { node: id, error })?,
        };
        debug_assert_eq!(value.shape(), to.as_slice(), "{:?}", model.op(id));
        known[index] = Some(value);
    }
    Ok(wanted.iter().map(|id| known[id.index()].clone().expect("what is wanted is kept")).collect())
}

/// How often each node is used; what is wanted once more than by operators.
fn needed(model: &Model, wanted: &[NodeId]) -> Vec<u32> {
    let mut uses = vec![0; model.len()];
    for id in wanted {
        uses[id.index()] += 1;
    }
    for id in model.nodes().rev() {
        if uses[id.index()] > 0 {
            for operand in model.operands(id) {
                uses[operand.index()] += 1;
            }
        }
    }
    uses
}

/// The results that are picked of each scan.
fn picked(model: &Model, uses: &[u32]) -> FxHashMap<NodeId, Vec<Which>> {
    let mut picked: FxHashMap<NodeId, Vec<Which>> = FxHashMap::default();
    for id in model.nodes().filter(|id| uses[id.index()] > 0) {
        if let Op::Part(part) = model.op(id) {
            picked.entry(model.operands(id)[0]).or_default().push(part.which);
        }
    }
    picked
}
