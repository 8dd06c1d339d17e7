//! The same model at another precision.

use crate::graph::{Model, NodeId, Origins};
use crate::ops::leaf::{Const, Eye, Iota, Literal, SizeOf, Variable};
use crate::ops::{Misfit, Op, elementwise::Cast, index::OneHot, scan::Part};
use crate::tensor::DType;
use std::sync::Arc;

/// The model with every float of type `to`, a float type.
pub fn retype(model: &Model, to: DType) -> Result<Model, Misfit> {
    model.rebuild(|target, id, operands| {
        retyped(target, model.op(id), operands, model.origins(id), to)
    })
}

fn retyped(
    target: &mut Model,
    op: &Op,
    operands: &[NodeId],
    origins: &Origins,
    to: DType,
) -> Result<NodeId, Misfit> {
    let float = |dtype: DType| if dtype.is_float() { to } else { dtype };
    let op: Op = match op.clone() {
        Op::Variable(Variable { name, ty }) => {
            Variable { name, ty: Arc::new(ty.with_dtype(float(ty.dtype))) }.into()
        }
        Op::Const(Const { dtype, value }) => Const { dtype: float(dtype), value }.into(),
        Op::Literal(literal) => Literal { dtype: float(literal.dtype), ..literal }.into(),
        Op::SizeOf(SizeOf { dtype, size }) => SizeOf { dtype: float(dtype), size }.into(),
        Op::Iota(Iota { dtype, size }) => Iota { dtype: float(dtype), size }.into(),
        Op::Eye(Eye { dtype, size }) => Eye { dtype: float(dtype), size }.into(),
        Op::OneHot(hot) => OneHot { dtype: float(hot.dtype), ..hot }.into(),
        Op::Cast(Cast { to }) => Cast { to: float(to) }.into(),
        Op::Part(Part { which, ty }) => {
            Part { which, ty: Arc::new(ty.with_dtype(float(ty.dtype))) }.into()
        }
        Op::Scan(mut scan) => {
            let mut body = (*scan.body).clone();
            body.inputs.iter_mut().for_each(|ty| ty.dtype = float(ty.dtype));
            scan.body = Arc::new(body);
            return target.mapped(&scan, operands, origins, false, &mut |target, step, of| {
                retyped(target, &step.op, of, &step.origins, to)
            });
        }
        other => other,
    };
    target.insert(op, operands, origins)
}
