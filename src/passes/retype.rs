//! The same model at another precision.

use crate::graph::Model;
use crate::ops::leaf::{Const, Eye, Iota, Literal, SizeOf, Variable};
use crate::ops::scan::{Body, Part, Scan, Step};
use crate::ops::{
    Misfit, Op, Type, custom::Custom, elementwise::Cast, index::OneHot, random::Random,
};
use crate::tensor::DType;
use std::sync::Arc;

/// The model with every float of type `to`, a float type.
pub fn retype(model: &Model, to: DType) -> Result<Model, Misfit> {
    model.rebuild(|target, id, operands| {
        target.insert(retyped(model.op(id), to), operands, model.origins(id))
    })
}

fn retyped(op: &Op, to: DType) -> Op {
    let float = |dtype: DType| if dtype.is_float() { to } else { dtype };
    match op.clone() {
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
        Op::Custom(custom) => {
            let steps = custom.steps.iter();
            let steps = steps.map(|(op, operands)| (retyped(op, to), operands.clone())).collect();
            Custom { steps, ..custom }.into()
        }
        Op::Part(Part { which, ty }) => {
            Part { which, ty: Arc::new(ty.with_dtype(float(ty.dtype))) }.into()
        }
        Op::Scan(scan) => Scan { body: Arc::new(body(&scan.body, to)), ..scan }.into(),
        other => other,
    }
}

fn body(body: &Body, to: DType) -> Body {
    let ty = |ty: &Type| if ty.dtype.is_float() { ty.with_dtype(to) } else { ty.clone() };
    let step = |step: &Step| Step { op: retyped(&step.op, to), ty: ty(&step.ty), ..step.clone() };
    Body::new(
        body.inputs.iter().map(ty).collect(),
        body.steps.iter().map(step).collect(),
        body.results.clone(),
        body.names.clone(),
        body.adjoints.clone(),
    )
}
