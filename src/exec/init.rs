//! First values of parameters.

use super::reference::{RunError, run};
use crate::graph::{Draw, Init, Model, Role, Values, Variable};
use crate::ops::Bindings;
use crate::ops::random::{SEED, STEP};
use crate::ops::size::sizes;
use crate::ops::stream::Stream;
use crate::tensor::Tensor;

/// The first value of a parameter: the same for the same seed and name, at any precision. Of a symmetric one the lower
/// triangle is drawn.
pub fn initial(
    model: &Model,
    name: &str,
    variable: &Variable,
    seed: u64,
    bindings: &Bindings,
) -> Result<Option<Tensor>, RunError> {
    let ty = model.ty(variable.node);
    let draw = match &variable.init {
        None => return Ok(None),
        Some(Init::Value(node)) => {
            return Ok(Some(run(model, &[*node], &Values::default(), bindings)?.remove(0)));
        }
        Some(Init::Random(draw)) => *draw,
    };
    let shape = sizes(&ty.shape, bindings)?;
    let stream = Stream::new(seed, name);
    let (inputs, outputs) = fans(&shape);
    let number = |index: u64| match draw {
        Draw::Glorot => (2.0 * stream.uniform(index) - 1.0) * (6.0 / (inputs + outputs)).sqrt(),
        Draw::He => stream.normal(index) * (2.0 / inputs).sqrt(),
        Draw::Normal(std) => stream.normal(index) * std.to_f64(),
        Draw::Uniform(low, high) => {
            low.to_f64() + stream.uniform(index) * (high.to_f64() - low.to_f64())
        }
    };
    let count: usize = shape.iter().product();
    let n = shape.last().copied().unwrap_or(1) as u64;
    let place = |index: u64| match (index / n % n, index % n) {
        (row, column) if variable.symmetric && row < column => {
            index - row * n - column + column * n + row
        }
        _ => index,
    };
    let numbers = (0..count as u64).map(|index| number(place(index)));
    Ok(Some(Tensor::from_f64(ty.dtype, &shape, numbers.collect())))
}

/// What whatever runs the model gives: the seed and the step that random numbers depend on, and whether it is trained.
pub fn given(model: &Model, seed: u64, step: i64, training: bool) -> Values {
    let given = model.variables.iter().filter(|(_, variable)| variable.role == Role::Given);
    given
        .map(|(name, _)| {
            let value = match &**name {
                SEED => Tensor::I64(ndarray::arr0(seed.cast_signed()).into_dyn().into()),
                STEP => Tensor::I64(ndarray::arr0(step).into_dyn().into()),
                _ => Tensor::Bool(ndarray::arr0(training).into_dyn().into()),
            };
            (name.clone(), value)
        })
        .collect()
}

/// How many inputs and outputs the weights of a shape connect: matrices as `[inputs, outputs]`, filters as
/// `[outputs, inputs, window...]`.
fn fans(shape: &[usize]) -> (f64, f64) {
    match shape {
        [] => (1.0, 1.0),
        [n] => (*n as f64, *n as f64),
        [inputs, outputs] => (*inputs as f64, *outputs as f64),
        [outputs, inputs, window @ ..] => {
            let window: usize = window.iter().product();
            ((inputs * window) as f64, (outputs * window) as f64)
        }
    }
}
