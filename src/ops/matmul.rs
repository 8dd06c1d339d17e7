//! Products of matrices and their kin.

pub use super::einsum::Einsum;
use super::term::{matmul, outer, spread, sum, transpose};
use super::{
    Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Shape, Size, Term, Type, ValueError,
    elements,
};
use crate::tensor::{Array, DType, Element, Tensor};
use ndarray::{ArrayD, IxDyn};
use std::borrow::Cow;

/// The matrix product by NumPy's rules: rows by columns over the last two axes, vectors on either side, leading axes equal
/// or all missing on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatMul;

pub(super) fn same_dtype(name: &str, operands: &[Type]) -> Result<DType, Misfit> {
    let dtype = operands[0].dtype;
    if let Some(i) = operands.iter().position(|operand| operand.dtype != dtype) {
        let message =
            format!("`{name}` of {} and {}: element types differ", operands[0], operands[i]);
        return Err(Misfit::dtype(message)
            .at(0, None)
            .at(i, None)
            .help("cast one side, as in `f32(x)`"));
    }
    if dtype == DType::Bool {
        return Err(Misfit::dtype(format!("`{name}` takes numbers; this is bool")).at(0, None));
    }
    Ok(dtype)
}

impl Operator for MatMul {
    fn name(&self) -> Cow<'static, str> {
        "matmul".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        let dtype = same_dtype("@", operands)?;
        let (x, y) = (&operands[0], &operands[1]);
        for (i, operand) in operands.iter().enumerate() {
            if operand.rank() == 0 {
                let message =
                    format!("cannot multiply {x} @ {y}: a scalar has no axis to contract");
                return Err(Misfit::rank(message)
                    .at(i, None)
                    .help("write `*` for the product with a scalar"));
            }
        }
        let (along, across) = (x.rank() - 1, y.rank().saturating_sub(2));
        if dims.agree(&x.shape[along], &y.shape[across]).is_none() {
            let (a, b) = (&x.shape[along], &y.shape[across]);
            return Err(Misfit::shape(format!("cannot multiply {x} @ {y}: {a} meets {b}"))
                .at(0, along)
                .at(1, across));
        }
        let leads = (&x.shape[..x.rank().saturating_sub(2)], &y.shape[..across]);
        let mut shape: Shape = match leads {
            (lead, []) | ([], lead) => lead.into(),
            (left, right) if left.len() == right.len() => {
                let mut lead = Shape::new();
                for (axis, (a, b)) in left.iter().zip(right).enumerate() {
                    let size = dims.agree(a, b).ok_or_else(|| {
                        Misfit::shape(format!("cannot multiply {x} @ {y}: axis {axis} differs"))
                            .at(0, axis)
                            .at(1, axis)
                    })?;
                    lead.push(size);
                }
                lead
            }
            _ => {
                return Err(Misfit::rank(format!(
                    "cannot multiply {x} @ {y}: leading axes differ"
                ))
                .at(0, None)
                .at(1, None));
            }
        };
        if x.rank() >= 2 {
            shape.push(x.shape[along - 1].clone());
        }
        if y.rank() >= 2 {
            shape.push(y.shape[across + 1].clone());
        }
        Ok(Type { dtype, shape })
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        macro_rules! go {
            ($type:ident, $zero:expr, $step:expr) => {
                product::<$type>(<$type>::of(&x[0]), <$type>::of(&x[1]), to, $zero, $step)
            };
        }
        Ok(match x[0].dtype() {
            DType::F32 => floats::<f32>(x, to),
            DType::F64 => floats::<f64>(x, to),
            DType::I32 => {
                go!(i32, 0, |sum: i32, a: i32, b: i32| sum.wrapping_add(a.wrapping_mul(b)))
            }
            DType::I64 => {
                go!(i64, 0, |sum: i64, a: i64, b: i64| sum.wrapping_add(a.wrapping_mul(b)))
            }
            DType::Bool => unreachable!("of numbers only"),
        })
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        if !rule.result.dtype.is_float() {
            return vec![None, None];
        }
        let (x, y, dy) = (rule.x(0), rule.x(1), rule.dy());
        let (rx, ry) = (rule.operands[0].rank(), rule.operands[1].rank());
        let (dx, dz) = match (rx, ry) {
            (1, 1) => (dy.clone() * &y, &x * dy),
            (1, 2) => (matmul(y, dy.clone()), outer(x, dy)),
            (2, 1) => (outer(dy.clone(), y), matmul(transpose(x, 2), dy)),
            // One side is a vector, the other has leading axes: the vector as a matrix, its adjoint summed over them.
            (1, _) => {
                let lead: Vec<usize> = (0..ry - 2).collect();
                let mut wide = rule.operands[1].shape.clone();
                wide.swap(ry - 2, ry - 1);
                let along = sum(&[ry - 2], spread(dy.clone(), &wide, &[ry - 1]) * transpose(y, ry));
                let mut result = rule.operands[1].shape.clone();
                result.remove(ry - 2);
                let missing: Vec<usize> = (0..ry).filter(|&a| a != ry - 2).collect();
                let dm = spread(x, &rule.operands[1].shape, &missing)
                    * spread(dy, &rule.operands[1].shape, &[ry - 2]);
                (sum(&lead, along), dm)
            }
            (_, 1) => {
                let all_but_last: Vec<usize> = (0..rx - 1).collect();
                let shape = &rule.operands[0].shape;
                let dm = spread(dy.clone(), shape, &[rx - 1]) * spread(y, shape, &all_but_last);
                let dv = sum(&all_but_last, spread(dy, shape, &[rx - 1]) * x);
                (dm, dv)
            }
            _ => {
                let dx = matmul(dy.clone(), transpose(y, ry));
                let dz = matmul(transpose(x, rx), dy);
                let fewer = |term, rank: usize| {
                    if rank == 2 {
                        sum(&(0..rx.max(ry) - 2).collect::<Vec<_>>(), term)
                    } else {
                        term
                    }
                };
                let dx = if ry > rx { fewer(dx, rx) } else { dx };
                let dz = if rx > ry { fewer(dz, ry) } else { dz };
                (dx, dz)
            }
        };
        vec![Some(dx), Some(dz)]
    }

    fn batch(&self, batching: &Batching) -> Term {
        let (rx, ry) = (batching.operands[0].rank(), batching.operands[1].rank());
        let (x, y) = (Term::Var(0), Term::Var(1));
        match (rx, ry, batching.batched[0], batching.batched[1]) {
            // A vector with the new axis is a matrix: x @ y = y' @ x where y is a matrix.
            (1, 1 | 2, true, false) | (2.., 1 | 2, true, false) => matmul(x, y),
            (1, 1, false, true) => matmul(y, x),
            (2, 1, false, true) => matmul(y, transpose(x, 2)),
            (2, 2.., false, true) if ry == 2 => matmul(x, y),
            (1, 2.., false, true) => matmul(x, y),
            _ => {
                let longer = if rx > ry { 0 } else { 1 };
                let lead = &batching.operands[longer].shape[..rx.max(ry).max(2) - 2];
                // A stack of matrices with every leading axis of the result: of a vector one row or one column.
                let stack = |i: usize, one: usize| {
                    let shape = &batching.operands[i].shape;
                    let mut to: Vec<Size> = std::iter::once(batching.size.clone())
                        .chain(lead.iter().cloned())
                        .collect();
                    let mut missing: Vec<usize> =
                        (0..to.len()).filter(|&axis| axis > 0 || !batching.batched[i]).collect();
                    if shape.len() > 2 {
                        missing.retain(|&axis| axis == 0);
                    }
                    to.extend(shape[shape.len().max(2) - 2..].iter().cloned());
                    if shape.len() == 1 {
                        to.insert(lead.len() + one, Size::Known(1));
                        missing.push(lead.len() + one);
                    }
                    spread(Term::Var(i), &to, &missing)
                };
                let product = matmul(stack(0, 1), stack(1, 2));
                let to: Vec<Size> = std::iter::once(batching.size.clone())
                    .chain(batching.result.shape.clone())
                    .collect();
                super::term::reshape(product, &to)
            }
        }
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::Infix("@")
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, operands: &[Type], result: &Type) -> Size {
        let along = operands[0].shape.last().cloned().unwrap_or(Size::Known(1));
        Size::Known(2) * along * elements(&result.shape)
    }
}

/// Both operands as stacks of matrices `[count, rows, columns]`.
fn stacks(x: &[usize], y: &[usize]) -> (usize, usize, usize, usize) {
    let inner = x[x.len() - 1];
    let rows = if x.len() >= 2 { x[x.len() - 2] } else { 1 };
    let columns = if y.len() >= 2 { y[y.len() - 1] } else { 1 };
    let count = |shape: &[usize]| shape[..shape.len().saturating_sub(2)].iter().product::<usize>();
    (
        count(x).max(count(y)).min(if count(x) == 0 || count(y) == 0 { 0 } else { usize::MAX }),
        rows,
        inner,
        columns,
    )
}

fn floats<T: Element + ndarray::LinalgScalar>(x: &[Tensor], to: &[usize]) -> Tensor {
    let (a, b) = (T::of(&x[0]), T::of(&x[1]));
    let (count, rows, inner, columns) = stacks(a.shape(), b.shape());
    let stack = |m: &Array<T>, r: usize, c: usize| {
        let n = m.len().checked_div(r * c).unwrap_or(count.max(1));
        m.to_shape((n, r, c)).expect("a stack of matrices").to_owned()
    };
    let (a, b) = (stack(a, rows, inner), stack(b, inner, columns));
    let mut result = ndarray::Array3::<T>::zeros((count, rows, columns));
    for (i, mut out) in result.outer_iter_mut().enumerate() {
        let left = a.index_axis(ndarray::Axis(0), if a.shape()[0] == 1 { 0 } else { i });
        let right = b.index_axis(ndarray::Axis(0), if b.shape()[0] == 1 { 0 } else { i });
        ndarray::linalg::general_mat_mul(T::one(), &left, &right, T::zero(), &mut out);
    }
    T::wrap(
        result.into_shape_with_order(IxDyn(to)).expect("the shape of the product").into_shared(),
    )
}

fn product<T: Element>(
    a: &Array<T>,
    b: &Array<T>,
    to: &[usize],
    zero: T,
    step: impl Fn(T, T, T) -> T,
) -> Tensor {
    let (count, rows, inner, columns) = stacks(a.shape(), b.shape());
    let flat = |m: &Array<T>| m.iter().copied().collect::<Vec<T>>();
    let (single_a, single_b) = (a.len() == rows * inner, b.len() == inner * columns);
    let (a, b) = (flat(a), flat(b));
    let mut values = Vec::with_capacity(count * rows * columns);
    for n in 0..count {
        let (at, bt) = (
            if single_a { 0 } else { n * rows * inner },
            if single_b { 0 } else { n * inner * columns },
        );
        for row in 0..rows {
            for column in 0..columns {
                values.push((0..inner).fold(zero, |sum, k| {
                    step(sum, a[at + row * inner + k], b[bt + k * columns + column])
                }));
            }
        }
    }
    T::wrap(
        ArrayD::from_shape_vec(IxDyn(to), values).expect("the shape of the product").into_shared(),
    )
}

/// The product of each element of a vector with each of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outer;

impl Operator for Outer {
    fn name(&self) -> Cow<'static, str> {
        "outer".into()
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        let dtype = same_dtype("outer", operands)?;
        if let Some(i) = operands.iter().position(|operand| operand.rank() != 1) {
            return Err(Misfit::rank(format!(
                "`outer` takes two vectors; this is {}",
                operands[i]
            ))
            .at(i, None)
            .help("take a vector of it, such as `x[0]`, or use `einsum`"));
        }
        Ok(Type::new(dtype, operands.iter().map(|operand| operand.shape[0].clone())))
    }

    fn value(&self, x: &[Tensor], to: &[usize], bindings: &Bindings) -> Result<Tensor, ValueError> {
        MatMul.value(&[x[0].reshape(&[to[0], 1]), x[1].reshape(&[1, to[1]])], to, bindings)
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        if !rule.result.dtype.is_float() {
            return vec![None, None];
        }
        let back = transpose(rule.dy(), 2);
        vec![Some(matmul(rule.dy(), rule.x(1))), Some(matmul(back, rule.x(0)))]
    }

    fn batch(&self, batching: &Batching) -> Term {
        let to: Vec<Size> =
            std::iter::once(batching.size.clone()).chain(batching.result.shape.clone()).collect();
        let laid = |i: usize| {
            if batching.batched[i] {
                spread(Term::Var(i), &to, &[2 - i])
            } else {
                spread(Term::Var(i), &to, &[0, 2 - i])
            }
        };
        laid(0) * laid(1)
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::call("outer", 2)
    }

    fn is_linear(&self) -> bool {
        true
    }
}
