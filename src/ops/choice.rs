//! Operators on single elements that are no rows: choices and casts.

use super::elementwise::{common, lift, spread};
use super::term::{apply, select};
use super::{Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Term, Type, ValueError};
use crate::tensor::{DType, Element, Tensor};
use std::borrow::Cow;

/// `where(condition, yes, no)` for each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Select;

impl Operator for Select {
    fn name(&self) -> Cow<'static, str> {
        "where".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        if operands[0].dtype != DType::Bool {
            let message = format!("`where` chooses by truth values; this is {}", operands[0]);
            return Err(Misfit::dtype(message).at(0, None).help("compare first, as in `x > 0`"));
        }
        if operands[1].dtype != operands[2].dtype {
            let message = format!(
                "`where` between {} and {}: element types differ",
                operands[1], operands[2]
            );
            return Err(Misfit::dtype(message)
                .at(1, None)
                .at(2, None)
                .help("cast one side, as in `f32(x)`"));
        }
        Ok(common("where", operands, dims)?.with_dtype(operands[1].dtype))
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element>(x: &[Tensor], to: &[usize]) -> Tensor {
            let (condition, yes, no) =
                (spread(bool::of(&x[0]), to), spread(T::of(&x[1]), to), spread(T::of(&x[2]), to));
            let values = ndarray::Zip::from(&condition)
                .and(&yes)
                .and(&no)
                .map_collect(|&c, &y, &n| if c { y } else { n });
            T::wrap(values.into_shared())
        }
        Ok(match x[1].dtype() {
            DType::Bool => go::<bool>(x, to),
            DType::I32 => go::<i32>(x, to),
            DType::I64 => go::<i64>(x, to),
            DType::F32 => go::<f32>(x, to),
            DType::F64 => go::<f64>(x, to),
        })
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let flows = rule.result.dtype.is_float();
        let yes = select(rule.x(0), rule.dy(), 0);
        let no = select(rule.x(0), 0, rule.dy());
        vec![None, flows.then_some(yes), flows.then_some(no)]
    }

    fn batch(&self, batching: &Batching) -> Term {
        apply(*self, lift(batching))
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::call("where", 3)
    }
}

/// The same values with another element type: towards integers fractions are cut and what does not fit is the nearest bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cast {
    /// The element type of the result.
    pub to: DType,
}

impl Operator for Cast {
    fn name(&self) -> Cow<'static, str> {
        self.to.name().into()
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        Ok(operands[0].with_dtype(self.to))
    }

    fn value(
        &self,
        x: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Ok(x[0].cast(self.to))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let from = rule.operands[0].dtype;
        vec![
            (from.is_float() && self.to.is_float())
                .then(|| apply(Cast { to: from }, vec![rule.dy()])),
        ]
    }

    fn batch(&self, batching: &Batching) -> Term {
        apply(*self, lift(batching))
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::call(self.to.name(), 1)
    }

    fn is_linear(&self) -> bool {
        self.to.is_float()
    }
}
