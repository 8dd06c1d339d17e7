//! Random values: functions of a key, so that what draws with the same key draws the same numbers.

use super::leaf::Const;
use super::stream::Stream;
use super::term::{apply, lead};
use super::{
    Batching, Bindings, Dims, Form, FormArg, Misfit, Name, Number, Operator, Rule, Shape, Term,
    Type, ValueError,
};
use crate::tensor::{DType, Tensor};
use std::borrow::Cow;

/// The variable that the seed of a run is given by; no name that can be written.
pub const SEED: &str = "?seed";

/// The variable that the number of a training step is given by; it is a word of the language.
pub const STEP: &str = "training_step";

/// Independent draws: of the seed, the step and the indices of the loops around, which are the operands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Random {
    /// From which distribution.
    pub kind: Distribution,
    /// The name of the draw, which is part of its key.
    pub key: Name,
    /// The element type.
    pub dtype: DType,
    /// The sizes of the axes.
    pub shape: Shape,
}

/// A distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Distribution {
    /// Around 0 with variance 1.
    Normal,
    /// Between 0 and 1, neither of which is drawn.
    Uniform,
}

/// Of x, `training`, seed, step and the indices of the loops around: x itself, or where `training` each element divided by
/// `1 - rate` or times 0, the latter with probability `rate`. The adjoint is the same operator with the same key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dropout {
    /// How likely an element is dropped, from 0 to 1.
    pub rate: Number,
    /// The name of the draw, which is part of its key.
    pub key: Name,
}

/// The numbers of a key; `counters` are the seed, the step and the indices of the loops around.
fn stream(key: &str, counters: &[Tensor]) -> Stream {
    let number = |tensor: &Tensor| match tensor {
        Tensor::I64(array) => array.first().copied().unwrap_or(0).cast_unsigned(),
        other => other.item().unwrap_or(0.0) as i64 as u64,
    };
    let seed = counters.first().map_or(0, number);
    counters.iter().skip(1).fold(Stream::new(seed, key), |stream, index| stream.at(number(index)))
}

/// What stands in print behind the other arguments.
fn keyed(key: &str) -> FormArg {
    FormArg::Text(format!("key = \"{key}\""))
}

fn counted(name: &str, counters: &[Type]) -> Result<(), Misfit> {
    match counters.iter().position(|ty| !ty.dtype.is_int() || ty.rank() > 0) {
        None => Ok(()),
        Some(place) => {
            let message =
                format!("`{name}` is keyed by whole numbers; this is {}", counters[place]);
            Err(Misfit::dtype(message).at(place, None))
        }
    }
}

impl Operator for Random {
    fn name(&self) -> Cow<'static, str> {
        match self.kind {
            Distribution::Normal => "normal".into(),
            Distribution::Uniform => "uniform".into(),
        }
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        counted(&self.name(), operands)?;
        Ok(Type { dtype: self.dtype, shape: self.shape.clone() })
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        let stream = stream(&self.key, x);
        // Rounded to f32 the largest numbers would be 1.
        let below = match self.dtype {
            DType::F32 => 1.0 - f64::from(f32::EPSILON) / 2.0,
            _ => 1.0,
        };
        let draw = |index: u64| match self.kind {
            Distribution::Normal => stream.normal(index),
            Distribution::Uniform => stream.uniform(index).min(below),
        };
        let count: usize = to.iter().product();
        Ok(Tensor::from_f64(self.dtype, to, (0..count as u64).map(draw).collect()))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        vec![None; rule.operands.len()]
    }

    fn batch(&self, batching: &Batching) -> Term {
        apply(self.clone(), batching.all())
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        let sizes = self.shape.iter().map(|size| FormArg::Text(size.to_string()));
        let args = sizes.chain([keyed(&self.key)]).collect();
        Form::Call { name: self.name().into(), brackets: Vec::new(), args }
    }
}

impl Operator for Dropout {
    fn name(&self) -> Cow<'static, str> {
        "dropout".into()
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        super::floats("dropout", &operands[..1])?;
        if !(0.0..=1.0).contains(&self.rate.to_f64()) {
            let message = format!("`dropout` drops with a probability; this is {}", self.rate);
            return Err(Misfit { code: "E0208", ..Misfit::call(message) }
                .help("give a number from 0 to 1, as in `dropout(x, 0.1)`"));
        }
        counted("dropout", &operands[2..])?;
        Ok(operands[0].clone())
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        if x[1].item() == Some(0.0) {
            return Ok(x[0].clone());
        }
        let (stream, rate) = (stream(&self.key, &x[2..]), self.rate.to_f64());
        let kept = x[0].to_f64().into_iter().enumerate().map(|(index, value)| {
            let scale = if stream.uniform(index as u64) < rate { 0.0 } else { 1.0 / (1.0 - rate) };
            value * scale
        });
        Ok(Tensor::from_f64(x[0].dtype(), to, kept.collect()))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let mut operands: Vec<Term> = (0..rule.operands.len()).map(Term::Var).collect();
        operands[0] = rule.dy();
        let mut flows = vec![None; rule.operands.len()];
        flows[0] = Some(apply(self.clone(), operands));
        flows
    }

    /// One mask for every row of the new axis: what is dropped does not depend on x.
    fn batch(&self, batching: &Batching) -> Term {
        let shape = &batching.result.shape;
        let mut operands: Vec<Term> = (0..batching.operands.len()).map(Term::Var).collect();
        let one = Const { dtype: batching.result.dtype, value: Number::ONE };
        operands[0] = lead(apply(one, Vec::new()), &[], shape);
        let mask = apply(self.clone(), operands);
        lead(mask, shape, std::slice::from_ref(batching.size)) * batching.lifted(0)
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        let args =
            vec![FormArg::Operand(0), FormArg::Text(self.rate.to_string()), keyed(&self.key)];
        Form::Call { name: "dropout".into(), brackets: Vec::new(), args }
    }

    fn is_linear(&self) -> bool {
        true
    }
}
