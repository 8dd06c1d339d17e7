//! Diagonals and triangles of matrices.

use super::term::apply;
use super::{Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Size, Term, Type, ValueError};
use crate::each_dtype;
use crate::tensor::{Array, Element, Tensor};
use ndarray::{ArrayD, IxDyn};
use std::borrow::Cow;

/// The diagonal of the last two axes, or the matrices that have the last axis as their diagonal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Diag {
    /// Vectors to matrices.
    Make,
    /// Matrices to vectors.
    Take,
}

impl Operator for Diag {
    fn name(&self) -> Cow<'static, str> {
        match self {
            Diag::Make => "diag_embed".into(),
            Diag::Take => "diagonal".into(),
        }
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        let x = &operands[0];
        let mut shape = x.shape.clone();
        match self {
            Diag::Make if x.rank() >= 1 => shape.push(shape[x.rank() - 1].clone()),
            Diag::Take
                if x.rank() >= 2 && dims.equal(&shape[x.rank() - 1], &shape[x.rank() - 2]) =>
            {
                shape.pop();
            }
            Diag::Make => {
                return Err(Misfit::rank(format!(
                    "`diag` takes a vector or a matrix; this is {x}"
                ))
                .at(0, None));
            }
            Diag::Take => {
                return Err(
                    Misfit::shape(format!("the diagonal of {x}, which is not square")).at(0, None)
                );
            }
        }
        Ok(x.with_shape(shape))
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element + Default>(x: &Array<T>, to: &[usize], make: bool) -> Tensor {
            let n = x.shape()[x.ndim() - 1];
            let x: Vec<T> = x.iter().copied().collect();
            let mut values = vec![T::default(); to.iter().product()];
            for place in 0..if make { x.len() } else { values.len() } {
                let square = place / n * n * n + place % n * (n + 1);
                if make { values[square] = x[place] } else { values[place] = x[square] }
            }
            T::wrap(
                ArrayD::from_shape_vec(IxDyn(to), values)
                    .expect("the shape of the result")
                    .into_shared(),
            )
        }
        Ok(each_dtype!(&x[0], a => go(a, to, *self == Diag::Make)))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let back = if *self == Diag::Make { Diag::Take } else { Diag::Make };
        vec![rule.result.dtype.is_float().then(|| apply(back, vec![rule.dy()]))]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        apply(*self, vec![Term::Var(0)])
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        match (self, operands[0].rank()) {
            (Diag::Make, 1) | (Diag::Take, 2) => Form::call("diag", 1),
            _ => Form::call(&self.name(), 1),
        }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}

/// The last two axes with zeros on one side of a diagonal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Triangle {
    /// Keeps the elements above, else those below.
    pub upper: bool,
    /// The last diagonal kept, counted upwards from the main one.
    pub diagonal: i64,
}

impl Operator for Triangle {
    fn name(&self) -> Cow<'static, str> {
        if self.upper { "triu".into() } else { "tril".into() }
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        if operands[0].rank() < 2 {
            return Err(Misfit::rank(format!(
                "`{}` takes a matrix; this is {}",
                self.name(),
                operands[0]
            ))
            .at(0, None));
        }
        Ok(operands[0].clone())
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element + Default>(x: &Array<T>, upper: bool, diagonal: i64) -> Tensor {
            let rank = x.ndim();
            let mut result = x.to_owned();
            for (index, value) in result.indexed_iter_mut() {
                let above = index[rank - 1] as i64 - index[rank - 2] as i64;
                if (upper && above < diagonal) || (!upper && above > diagonal) {
                    *value = T::default();
                }
            }
            T::wrap(result.into_shared())
        }
        debug_assert_eq!(x[0].shape(), to);
        Ok(each_dtype!(&x[0], a => go(a, self.upper, self.diagonal)))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        vec![rule.result.dtype.is_float().then(|| apply(*self, vec![rule.dy()]))]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        apply(*self, vec![Term::Var(0)])
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        let form = Form::call(&self.name(), 1);
        if self.diagonal == 0 { form } else { form.with(self.diagonal.to_string()) }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}
