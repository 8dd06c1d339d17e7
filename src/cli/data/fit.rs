//! Which loaded element types may become which of the model's.

use super::elements::Stored;
use super::error::Fault;
use super::inline::integral;
use super::{Loaded, TEXT};
use crate::each_dtype;
use crate::tensor::{DType, Tensor};

/// Whether elements of a binary file become `dtype` without a silent cast: the type is that of the file, or the file's type has
/// no counterpart here and `dtype` holds all its values (i1 i2 u1 u2 as i64, halves as f64).
pub fn fits(stored: Stored, dtype: DType) -> bool {
    let foreign = matches!(stored.name(), "i1" | "i2" | "u1" | "u2" | "f2" | "bf2");
    match (stored.held(), dtype) {
        (from, dtype) if from == dtype => true,
        (DType::I32, DType::I64) | (DType::F32, DType::F64) => foreign,
        _ => false,
    }
}

/// The tensor in `dtype`, if that casts nothing silently: it `fits`; or the numbers are text, and `dtype` has them all, rounded
/// where it is float.
pub fn fit(loaded: Loaded, dtype: DType) -> Result<Tensor, Fault> {
    let Loaded { tensor, stored } = loaded;
    let (from, text, held) = (tensor.dtype(), stored == TEXT, Stored::named(stored));
    match (from, dtype) {
        _ if from == dtype => Ok(tensor),
        _ if held.is_some_and(|stored| stored.held() == from && fits(stored, dtype)) => {
            Ok(tensor.cast(dtype))
        }
        (DType::I64 | DType::F64, DType::F32 | DType::F64) if text => Ok(tensor.cast(dtype)),
        (DType::I64 | DType::F64, DType::I32 | DType::I64) if text => integers(&tensor, dtype),
        _ => Err(Fault::Type { stored, dtype }),
    }
}

/// The integers that the elements are, if `dtype` has them all.
fn integers(tensor: &Tensor, dtype: DType) -> Result<Tensor, Fault> {
    let fits = |value: i64| dtype == DType::I64 || i32::try_from(value).is_ok();
    let check = |(index, value): (usize, Option<i64>)| match value {
        Some(value) if fits(value) => Ok(()),
        _ => Err(Fault::Element { index, value: element(tensor, index), dtype }),
    };
    match tensor {
        Tensor::F64(array) => array.iter().map(|&v| integral(v)).enumerate().try_for_each(check)?,
        Tensor::I64(array) => array.iter().map(|&v| Some(v)).enumerate().try_for_each(check)?,
        _ => {}
    }
    Ok(tensor.cast(dtype))
}

/// The element at a row-major position as text.
fn element(tensor: &Tensor, index: usize) -> String {
    each_dtype!(tensor, array => array.iter().nth(index).map_or(String::new(), |v| v.to_string()))
}
