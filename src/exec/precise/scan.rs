//! Loops, step after step.

use super::{Precise, value};
use crate::ops::index::Gather;
use crate::ops::join::Stack;
use crate::ops::scan::{Body, Scan, Which};
use crate::ops::size::sizes;
use crate::ops::{Bindings, Op, Operator, Type, ValueError};
use crate::tensor::{DType, Tensor};

/// One result of a scan.
pub fn result(
    scan: &Scan,
    operands: &[Precise],
    wanted: Which,
    bindings: &Bindings,
) -> Result<Precise, ValueError> {
    let length = usize::try_from(scan.length.eval(bindings)?)
        .map_err(|_| ValueError::Shape(format!("a scan of {} steps", scan.length)))?;
    let (first, rest) = operands.split_at(scan.carries);
    let (sliced, outside) = rest.split_at(scan.slices);
    let mut carries = first.to_vec();
    let mut stack: Vec<Option<Precise>> = vec![None; length];
    for step in 0..length {
        let index = if scan.reverse { length - 1 - step } else { step };
        let number = Tensor::scalar(DType::I64, index as f64);
        let mut inputs = vec![Precise::plain(number.clone(), None)];
        inputs.extend(carries.iter().cloned());
        for array in sliced {
            inputs.push(row(array, &number)?);
        }
        inputs.extend(outside.iter().cloned());
        let mut results = step_of(&scan.body, inputs, bindings)?;
        stack[index] = match wanted {
            Which::Yield(place) => Some(results[scan.carries + place].clone()),
            Which::Trace(place) => Some(carries[place].clone()),
            Which::Final(_) => None,
        };
        results.truncate(scan.carries);
        carries = results;
    }
    match wanted {
        Which::Final(place) => Ok(carries[place].clone()),
        _ => stacked(stack.into_iter().flatten().collect(), &scan.part(wanted).ty, bindings),
    }
}

/// The results of a body for these inputs.
fn step_of(
    body: &Body,
    inputs: Vec<Precise>,
    bindings: &Bindings,
) -> Result<Vec<Precise>, ValueError> {
    let first = inputs.len();
    let mut known = inputs;
    for step in &body.steps {
        let operands = |places: &[u32], known: &[Precise]| -> Vec<Precise> {
            places.iter().map(|&place| known[place as usize].clone()).collect()
        };
        let found = match &step.op {
            // It has several results, of which each part takes one.
            Op::Scan(_) => Precise::plain(Tensor::scalar(DType::Bool, 0.0), None),
            Op::Part(part) => {
                let of = &body.steps[step.operands[0] as usize - first];
                let Op::Scan(scan) = &of.op else { unreachable!("a part is of a scan") };
                result(scan, &operands(&of.operands, &known), part.which, bindings)?
            }
            op => {
                let types: Vec<Type> =
                    step.operands.iter().map(|&place| body.ty(place).clone()).collect();
                value(op, (&types, &step.ty), &operands(&step.operands, &known), bindings)?
            }
        };
        known.push(found);
    }
    Ok(body.results.iter().map(|&place| known[place as usize].clone()).collect())
}

fn row(array: &Precise, index: &Tensor) -> Result<Precise, ValueError> {
    let to = &array.high.shape()[1..];
    let take = |tensor: &Tensor| {
        Gather { axis: 0 }.value(&[tensor.clone(), index.clone()], to, &Bindings::default())
    };
    let low = array.low.as_ref().map(take).transpose()?;
    Ok(Precise { high: take(&array.high)?, low, lost: array.lost.clone() })
}

fn stacked(rows: Vec<Precise>, ty: &Type, bindings: &Bindings) -> Result<Precise, ValueError> {
    let to = sizes(&ty.shape, bindings)?;
    if rows.is_empty() {
        return Ok(Precise::plain(Tensor::full(ty.dtype, &to, 0.0), None));
    }
    let stack = |rows: Vec<Tensor>| Stack { axis: 0 }.value(&rows, &to, bindings);
    let low = rows.iter().any(|row| row.low.is_some());
    let low = low.then(|| stack(rows.iter().map(Precise::low).collect())).transpose()?;
    let lost = rows.iter().find_map(|row| row.lost.clone());
    Ok(Precise { high: stack(rows.into_iter().map(|row| row.high).collect())?, low, lost })
}
