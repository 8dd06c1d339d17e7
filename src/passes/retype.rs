//! The same model at another precision.

use crate::graph::Model;
use crate::ops::leaf::{Const, Eye, Iota, Literal, SizeOf, Variable};
use crate::ops::{Misfit, Op, elementwise::Cast, index::OneHot, random::Random};
use crate::tensor::DType;
use std::sync::Arc;

/// The model with every float of type `to`, a float type.
pub fn retype(model: &Model, to: DType) -> Result<Model, Misfit> {
    let float = |dtype: DType| if dtype.is_float() { to } else { dtype };
    model.rebuild(|target, id, operands| {
        let op: Op = match model.op(id).clone() {
            Op::Variable(Variable { name, ty }) => {
                Variable { name, ty: Arc::new(ty.with_dtype(float(ty.dtype))) }.into()
            }
            Op::Const(Const { dtype, value }) => Const { dtype: float(dtype), value }.into(),
            Op::Literal(literal) => Literal { dtype: float(literal.dtype), ..literal }.into(),
            Op::SizeOf(SizeOf { dtype, size }) => SizeOf { dtype: float(dtype), size }.into(),
            Op::Iota(Iota { dtype, size }) => Iota { dtype: float(dtype), size }.into(),
            Op::Eye(Eye { dtype, size }) => Eye { dtype: float(dtype), size }.into(),
            Op::Random(random) => Random { dtype: float(random.dtype), ..random }.into(),
            Op::OneHot(hot) => OneHot { dtype: float(hot.dtype), ..hot }.into(),
            Op::Cast(Cast { to }) => Cast { to: float(to) }.into(),
            other => other,
        };
        target.insert(op, operands, model.origins(id))
    })
}
