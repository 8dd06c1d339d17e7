//! Tensors that need no data: one number everywhere, or random numbers.

use ndarray::{ArrayD, IxDyn};

use super::Target;
use super::error::ValueError;
use super::inline::{Inline, Literal, inline_to_tensor};
use crate::ops::stream::mix;
use crate::tensor::{DType, Tensor, has_room};

/// The number everywhere.
pub fn full(literal: &Literal, target: &Target) -> Result<Tensor, ValueError> {
    let shape = shape(target, "full")?;
    let one = Inline { shape: Vec::new(), elements: vec![literal.clone()] };
    let wide = match (target.dtype, literal) {
        (DType::Bool, Literal::Int(value @ (0 | 1))) => Tensor::scalar(DType::Bool, *value as f64),
        _ => inline_to_tensor(&one, target.dtype)?,
    };
    Ok(match wide {
        Tensor::Bool(a) => ArrayD::from_elem(IxDyn(shape), a[IxDyn(&[])]).into(),
        Tensor::I32(a) => ArrayD::from_elem(IxDyn(shape), a[IxDyn(&[])]).into(),
        Tensor::I64(a) => ArrayD::from_elem(IxDyn(shape), a[IxDyn(&[])]).into(),
        Tensor::F32(a) => ArrayD::from_elem(IxDyn(shape), a[IxDyn(&[])]).into(),
        Tensor::F64(a) => ArrayD::from_elem(IxDyn(shape), a[IxDyn(&[])]).into(),
    })
}

/// Independent normal numbers with mean 0 and variance 1. Seed, name and position make the number, nothing else.
pub fn randn(target: &Target) -> Result<Tensor, ValueError> {
    random(target, "randn", |first, second| {
        (-2.0 * libm::log(1.0 - first)).sqrt() * libm::cos(std::f64::consts::TAU * second)
    })
}

/// Independent numbers uniform in `[low, high)`, or all `low` where the bounds are equal; keyed as `randn`.
pub fn uniform(low: f64, high: f64, target: &Target) -> Result<Tensor, ValueError> {
    random(target, "uniform", |first, _| {
        let value = low * (1.0 - first) + high * first;
        if value < high { value } else { low }
    })
}

/// Numbers each made from two that are uniform in `[0, 1)`.
fn random(
    target: &Target,
    word: &'static str,
    make: impl Fn(f64, f64) -> f64,
) -> Result<Tensor, ValueError> {
    let (name, dtype) = (target.name.to_string(), target.dtype);
    if !dtype.is_float() {
        return Err(ValueError::Float { word, name, dtype });
    }
    let shape = shape(target, word)?;
    let key = target.name.bytes().fold(next(target.seed), |key, byte| next(key ^ u64::from(byte)));
    let unit = |counter: u64| (next(key ^ next(counter)) >> 11) as f64 / (1u64 << 53) as f64;
    let count = shape.iter().product::<usize>() as u64;
    let values = (0..count).map(|index| make(unit(2 * index), unit(2 * index + 1))).collect();
    Ok(Tensor::from_f64(dtype, shape, values))
}

/// The shape to fill, if it is known and memory could hold it.
fn shape<'a>(target: &Target<'a>, word: &'static str) -> Result<&'a [usize], ValueError> {
    let name = || target.name.to_string();
    let shape = target.shape.ok_or_else(|| ValueError::Unsized { word, name: name() })?;
    let mut nonzero = shape.iter().filter(|&&size| size != 0);
    let count = nonzero.try_fold(1usize, |all, &size| all.checked_mul(size));
    match count.is_some_and(|count| has_room(count.saturating_mul(DType::F64.bytes()))) {
        true => Ok(shape),
        false => Err(ValueError::Memory { name: name(), shape: shape.to_vec() }),
    }
}

/// SplitMix64's output function: its finaliser after the increment.
fn next(state: u64) -> u64 {
    mix(state.wrapping_add(0x9e37_79b9_7f4a_7c15))
}
