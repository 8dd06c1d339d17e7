//! Laws of structured operators: each looks at an operator about to be inserted and may put another value in its place.

use super::choices::{
    above_kink, choice_by_constant, choices_together, condition_by_constant, number_on_the_right,
    root_by_name, square_of_root,
};
use super::facts::{positive, regular, symmetric};
use super::laid::{axes_before_laying_out, in_fewest_axes, product_of_laid, sum_of_laid};
use super::law::Cx;
use super::logistic::other_side;
use super::product::{Factors, Product, emit, product_of};
use super::reduction::{
    factor_out_of_sum, sum_of_deviations, sum_of_one_hot, sum_of_repeated, sum_of_sums,
    sum_without_deviations,
};
use super::vectors::{
    product_with_diagonal, product_with_outer, sum_of_diagonal, sum_of_outer, sum_of_symmetric,
    sum_with_identity, sum_with_outer, vector_before_symmetric,
};
use crate::graph::{NodeId, Operands, Origins};
use crate::ops::index::OneHot;
use crate::ops::matmul::MatMul;
use crate::ops::reduce::{Fold, Reduce};
use crate::ops::shape::{Broadcast, Cut, Permute, Slice};
use crate::ops::term::spread;
use crate::ops::{Misfit, Number, Op, Operator, Scalar, Shape, Size, Term};
use smallvec::SmallVec;

/// What a law puts in the place of an operator.
pub type Found = Result<Option<NodeId>, Misfit>;

/// A law of structure.
pub type StructureLaw = fn(&mut Cx, &Op, &[NodeId], &Origins) -> Found;

/// All of them with their equalities, in the order in which they are tried.
pub const LAWS: &[(&str, &str, StructureLaw)] = &[
    ("scalar not laid out", "x * broadcast(s, [N]) => x * s", scalar_not_laid_out),
    (
        "compute before laying out",
        "f(broadcast(x, [N, K])) => broadcast(f(x), [N, K])",
        before_laying_out,
    ),
    (
        "compute in fewest axes",
        "x[:, None, None] * v[None, :, None] => (x[:, None] * v)[:, :, None]",
        in_fewest_axes,
    ),
    ("choice by a constant", "where(true, x, y) => x", choice_by_constant),
    ("condition by a constant", "true and c => c", condition_by_constant),
    (
        "choices of one condition",
        "where(c, x, 0) + where(c, 0, y) => where(c, x, y)",
        choices_together,
    ),
    ("square of a root", "sqrt(x)^2 => x, if not shorter by a name", square_of_root),
    ("root by its name", "sqrt(s) => r where r = where(s == 0, 0, sqrt(s))", root_by_name),
    ("other side of a sigmoid", "1 - sigmoid(x) => s where s = sigmoid(-x)", other_side),
    ("sum of equal values", "sum[N](broadcast(x, [N, K])) => x * N", sum_of_repeated),
    ("sum of sums", "sum[N](sum[K](x)) => sum[N, K](x)", sum_of_sums),
    ("sum of deviations", "sum[K](x - mean[K, keep](x)) => 0", sum_of_deviations),
    (
        "sum without deviations",
        "sum[K](y + v * (x - mean[K, keep](x))) => sum[K](y)",
        sum_without_deviations,
    ),
    ("scalar out of a linear operator", "f(s * x) => s * f(x), f linear", scalar_out),
    ("identity matrix", "A @ eye(N) => A", identity),
    ("product with a diagonal matrix", "diag(v) @ A => v[:, None] * A", product_with_diagonal),
    ("product with an outer product", "A @ outer(u, v) => outer(A @ u, v)", product_with_outer),
    ("vector before a symmetric matrix", "x @ A => A @ x, A symmetric", vector_before_symmetric),
    ("sum of a diagonal matrix", "sum[K](diag(v)) => v", sum_of_diagonal),
    ("sum of an outer product", "sum[K](outer(u, v)) => u * sum(v)", sum_of_outer),
    ("sum with an outer product", "sum[N](outer(u, v) * A) => v * (u @ A)", sum_with_outer),
    ("sum with an identity matrix", "sum[K](A * eye(K)) => diag(A)", sum_with_identity),
    ("sum of a symmetric matrix", "sum[1](A) => sum[0](A), A symmetric", sum_of_symmetric),
    ("product with a logarithm", "xlogy(c, x) => c * log(x), c is not 0", product_with_logarithm),
    ("linear in zeros", "f(0) => 0, f linear", linear_in_zeros),
    ("transpose of a symmetric matrix", "A' => A, A symmetric", transposed_symmetric),
    ("transpose of a product", "(A' @ B)' => B' @ A", transposed_product),
    ("transpose of single elements", "(A + B')' => A' + B", transposed_elementwise),
    ("factor out of a sum", "sum[K](x * broadcast(v, [N, K])) => sum[K](x) * v", factor_out_of_sum),
    (
        "axes in another order twice",
        "permute(permute(x, p), q) => permute(x, p then q)",
        permuted_twice,
    ),
    ("slice of a slice", "x[2:8][1:] => x[3:8]", slice_of_slice),
    ("above the kink", "relu(x) > 0 => x > 0", above_kink),
    ("number on the right of a comparison", "1 > x => x < 1", number_on_the_right),
    (
        "transpose before laying out",
        "broadcast(x, [N, K, M])' => broadcast(x', [N, M, K])",
        axes_before_laying_out,
    ),
    ("outer product with equal values", "outer(ones(N), x) => broadcast(x, [N, K])", outer_of_fill),
    ("matrix product with equal values", "A @ ones(K) => sum[K](A)", product_with_fill),
    (
        "matrix product before laying out",
        "(s * broadcast(A, [N, M, K])) @ B => s * broadcast(A @ B, [N, M, L])",
        product_of_laid,
    ),
    ("sum before laying out", "sum[K](x[:, :, None] * eye(K) * y) => x * y", sum_of_laid),
    (
        "one number among zeros",
        "pad(broadcast(s, [1]), [[i, n - i - 1]]) => s * one_hot(i, n), s is finite",
        one_among_zeros,
    ),
    ("sum of a one-hot vector", "sum[K](one_hot(i, K)) => 1", sum_of_one_hot),
];

fn is_elementwise(op: &Op) -> bool {
    matches!(op, Op::Scalar(_) | Op::Select(_))
}

/// `x * broadcast(s)` is `x * s` where s is a scalar.
fn scalar_not_laid_out(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    if !is_elementwise(op) {
        return Ok(None);
    }
    let inner = |cx: &Cx, id: NodeId| match cx.see().op(id) {
        Op::Broadcast(_) => {
            Some(cx.see().operands(id)[0]).filter(|&inner| cx.see().ty(inner).rank() == 0)
        }
        _ => None,
    };
    let laid = operands.iter().filter(|&&id| cx.see().ty(id).rank() > 0).count();
    let fills: Vec<usize> =
        (0..operands.len()).filter(|&i| inner(cx, operands[i]).is_some()).collect();
    if fills.is_empty() || fills.len() == laid {
        return Ok(None);
    }
    let mut operands: Operands = operands.into();
    for i in fills {
        operands[i] = inner(cx, operands[i]).expect("it is a fill");
    }
    cx.build(op.clone(), &operands, origins).map(Some)
}

/// `f(broadcast(x), broadcast(y))` is `broadcast(f(x, y))` where both are laid out alike.
fn before_laying_out(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    if !is_elementwise(op) {
        return Ok(None);
    }
    let mut layout: Option<(Broadcast, Shape)> = None;
    let mut inner = Operands::new();
    for &id in operands {
        match cx.layout(id) {
            Some(found) if layout.as_ref().is_none_or(|known| *known == found) => {
                layout = Some(found);
                inner.push(cx.see().operands(id)[0]);
            }
            _ if cx.see().ty(id).rank() == 0 => inner.push(id),
            _ => return Ok(None),
        }
    }
    let Some((layout, _)) = layout else { return Ok(None) };
    let value = cx.build(op.clone(), &inner, origins)?;
    if cx.see().ty(value).rank() == 0 && layout.from.iter().any(Option::is_some) {
        return Ok(None);
    }
    cx.model().insert(layout, &[value], origins).map(Some)
}

/// `f(s * x)` is `s * f(x)` for a scalar s where f is linear.
fn scalar_out(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let linear = match op {
        Op::Broadcast(_) | Op::Scalar(_) | Op::Cast(_) | Op::Barrier(_) => 0..0,
        Op::Solve(_) => 1..2,
        op if op.is_linear() => 0..operands.len(),
        _ => 0..0,
    };
    if linear.is_empty() || !cx.see().ty(operands[0]).dtype.is_float() {
        return Ok(None);
    }
    let mut rest: Operands = operands.into();
    let mut scalars = Product::one(origins.clone());
    let mut moved = false;
    for place in linear {
        let id = operands[place];
        let ty = cx.see().ty(id).clone();
        if !ty.dtype.is_float()
            || ty.rank() == 0
            || !cx.is_open(id)
            || !matches!(cx.see().op(id), Op::Scalar(Scalar::Mul | Scalar::Div | Scalar::Neg))
        {
            continue;
        }
        let mut product = product_of(cx, id);
        let rank = |cx: &Cx, id: NodeId| cx.see().ty(id).rank();
        let (out, stay): (Factors, Factors) =
            product.factors.iter().copied().partition(|&(id, _)| rank(cx, id) == 0);
        if (out.is_empty() && product.number.is_one()) || stay.is_empty() {
            continue;
        }
        scalars.number = scalars.number * product.number;
        scalars.factors.extend(out);
        scalars.origins.unite(&product.origins);
        product.number = Number::ONE;
        product.factors = stay;
        rest[place] = emit(cx, &product, id)?;
        moved = true;
    }
    if !moved {
        return Ok(None);
    }
    let value = cx.build(op.clone(), &rest, origins)?;
    let mut result = product_of(cx, value);
    result.number = result.number * scalars.number;
    result.origins.unite(&scalars.origins);
    result.origins.unite(origins);
    for factor in scalars.factors {
        match result
            .factors
            .iter_mut()
            .find(|(id, e)| *id == factor.0 && (*e > 0) == (factor.1 > 0))
        {
            Some((_, exponent)) => *exponent += factor.1,
            None => result.factors.push(factor),
        }
    }
    emit(cx, &result, value).map(Some)
}

/// `A @ eye` and `eye @ A` are A.
fn identity(cx: &mut Cx, op: &Op, operands: &[NodeId], _origins: &Origins) -> Found {
    let Op::MatMul(_) = op else { return Ok(None) };
    let eye = |cx: &Cx, id: NodeId| matches!(cx.see().op(id), Op::Eye(_));
    let (a, b) = (operands[0], operands[1]);
    Ok(match (eye(cx, a), eye(cx, b)) {
        (true, _) => Some(b),
        (_, true) => Some(a),
        _ => None,
    })
}

/// `xlogy(c, x)` is `c * log(x)` where c is known not to be 0.
fn product_with_logarithm(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Scalar(Scalar::Xlogy) = op else { return Ok(None) };
    let product = product_of(cx, operands[0]);
    let known = product.factors.iter().all(|&(id, _)| positive(cx.see(), id));
    if product.number.is_zero() || !known {
        return Ok(None);
    }
    let log = cx.scalar(Scalar::Log, &[operands[1]], origins)?;
    cx.scalar(Scalar::Mul, &[operands[0], log], origins).map(Some)
}

/// A linear operator of zeros is zeros.
fn linear_in_zeros(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let zero = |cx: &Cx, id: NodeId| {
        cx.see().ty(id).dtype.is_float()
            && cx.see().filled(id).is_some_and(|number| number.is_zero())
    };
    let nothing = match op {
        Op::Broadcast(_) | Op::Scalar(_) | Op::Cast(_) | Op::Barrier(_) => None,
        op if op.is_linear() => operands.iter().copied().find(|&id| zero(cx, id)),
        _ => None,
    };
    Ok(nothing.map(|like| cx.number(like, Number::ZERO, origins)))
}

fn transposed_symmetric(cx: &mut Cx, op: &Op, operands: &[NodeId], _origins: &Origins) -> Found {
    match op {
        Op::Permute(permute)
            if permute.order.as_slice() == [1, 0] && symmetric(cx.see(), operands[0]) =>
        {
            Ok(Some(operands[0]))
        }
        _ => Ok(None),
    }
}

/// `(A' @ B)'` is `B' @ A`: where a transpose goes.
fn transposed_product(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Permute(permute) = op else { return Ok(None) };
    let Op::MatMul(_) = cx.see().op(operands[0]) else { return Ok(None) };
    let factors = cx.see().operands(operands[0]);
    let turned = |cx: &Cx, id: NodeId| matches!(cx.see().op(id), Op::Permute(inner) if inner.order == permute.order);
    let square = |cx: &Cx, id: NodeId| cx.see().ty(id).rank() == permute.order.len();
    if !permute.is_transpose()
        || !cx.is_open(operands[0])
        || !factors.iter().all(|&id| square(cx, id))
    {
        return Ok(None);
    }
    if !factors.iter().any(|&id| turned(cx, id)) {
        return Ok(None);
    }
    let left = cx.build(permute.clone(), &[factors[1]], origins)?;
    let right = cx.build(permute.clone(), &[factors[0]], origins)?;
    let mut both = cx.see().origins(operands[0]).clone();
    both.unite(origins);
    cx.build(MatMul, &[left, right], &both).map(Some)
}

/// `(A + B')'` is `A' + B`: where transposes go or none is left.
fn transposed_elementwise(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Permute(permute) = op else { return Ok(None) };
    let inner = operands[0];
    if let Op::Broadcast(broadcast) = cx.see().op(inner).clone()
        && broadcast.from.iter().all(Option::is_none)
    {
        let to = permute.order.iter().map(|&axis| broadcast.to[axis].clone()).collect::<Vec<_>>();
        let scalar = cx.see().operands(inner)[0];
        let dtype = cx.see().ty(inner).dtype;
        let axes: Vec<usize> = (0..to.len()).collect();
        return cx
            .model()
            .plant(&spread(Term::Var(0), &to, &axes), &[scalar], dtype, origins)
            .map(Some);
    }
    if !is_elementwise(cx.see().op(inner)) || !cx.is_open(inner) {
        return Ok(None);
    }
    let parts = cx.see().operands(inner);
    let loses = |cx: &Cx, id: NodeId| {
        cx.see().ty(id).rank() == 0
            || symmetric(cx.see(), id) && permute.order.as_slice() == [1, 0]
            || matches!(cx.see().op(id), Op::Permute(known) if known.inverse() == permute.order.as_slice())
            || cx.is_open(id)
                && matches!(cx.see().op(id), Op::MatMul(_))
                && cx
                    .see()
                    .operands(id)
                    .iter()
                    .any(|&factor| matches!(cx.see().op(factor), Op::Permute(_)))
    };
    if !parts.iter().all(|&id| loses(cx, id)) {
        return Ok(None);
    }
    let row = cx.see().op(inner).clone();
    let mut turned = Operands::new();
    for &id in &parts {
        turned.push(if cx.see().ty(id).rank() == 0 {
            id
        } else {
            cx.build(permute.clone(), &[id], origins)?
        });
    }
    cx.build(row, &turned, origins).map(Some)
}

fn permuted_twice(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Permute(outer) = op else { return Ok(None) };
    let Op::Permute(inner) = cx.see().op(operands[0]).clone() else { return Ok(None) };
    if cx.is_named(operands[0]) {
        return Ok(None);
    }
    let order = outer.order.iter().map(|&axis| inner.order[axis]).collect();
    let source = cx.see().operands(operands[0])[0];
    cx.build(Permute { order }, &[source], origins).map(Some)
}

/// `x[:, 2:8, 3][:, 1:]` is `x[:, 3:8, 3]`.
fn slice_of_slice(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Slice(outer) = op else { return Ok(None) };
    let Op::Slice(inner) = cx.see().op(operands[0]).clone() else { return Ok(None) };
    if cx.is_named(operands[0]) {
        return Ok(None);
    }
    let mut later = outer.cuts.iter();
    let mut cuts = SmallVec::new();
    for cut in &inner.cuts {
        let Cut::Range { start, step, .. } = cut else {
            cuts.push(cut.clone());
            continue;
        };
        let scaled = |by: &Size| start.clone() + by.clone() * Size::Known(*step);
        cuts.push(match later.next().expect("a cut for each axis that is left") {
            Cut::At(at) => Cut::At(scaled(at)),
            Cut::Range { start: first, size, step: further } => {
                Cut::Range { start: scaled(first), size: size.clone(), step: step * further }
            }
        });
    }
    let source = cx.see().operands(operands[0])[0];
    cx.build(Slice { cuts }, &[source], origins).map(Some)
}

/// `outer(s, v)` of equal values s is `v * s` laid out.
fn outer_of_fill(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Outer(_) = op else { return Ok(None) };
    let to: Vec<Size> = operands.iter().map(|&id| cx.see().ty(id).shape[0].clone()).collect();
    for (place, other) in [(0, 1), (1, 0)] {
        let Some(scalar) = fill(cx, operands[place]) else { continue };
        let value = cx.scalar(Scalar::Mul, &[operands[other], scalar], origins)?;
        let dtype = cx.see().ty(value).dtype;
        return cx
            .model()
            .plant(&spread(Term::Var(0), &to, &[place]), &[value], dtype, origins)
            .map(Some);
    }
    Ok(None)
}

/// The scalar that fills a value.
fn fill(cx: &Cx, id: NodeId) -> Option<NodeId> {
    match cx.see().op(id) {
        Op::Broadcast(_) => {
            let inner = cx.see().operands(id)[0];
            (cx.see().ty(inner).rank() == 0).then_some(inner)
        }
        _ => None,
    }
}

/// `A @ s` of equal values s is the sum of A's rows times s, and so for columns.
fn product_with_fill(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::MatMul(_) = op else { return Ok(None) };
    let rank = |cx: &Cx, id: NodeId| cx.see().ty(id).rank();
    let (left, right) = (operands[0], operands[1]);
    let (scalar, other, axis) = match (fill(cx, left), fill(cx, right)) {
        (_, Some(scalar)) if rank(cx, right) == 1 => (scalar, left, rank(cx, left) - 1),
        (Some(scalar), _) if rank(cx, left) == 1 && rank(cx, right) == 1 => (scalar, right, 0),
        (Some(scalar), _) if rank(cx, left) == 1 => (scalar, right, rank(cx, right) - 2),
        _ => return Ok(None),
    };
    let (other, axis) = match cx.see().op(other) {
        Op::Permute(permute) => (cx.see().operands(other)[0], permute.order[axis]),
        _ => (other, axis),
    };
    let kept: Vec<usize> = (0..rank(cx, other)).filter(|a| *a != axis).collect();
    if kept.len() > 1 {
        return Ok(None);
    }
    let sum =
        cx.build(Reduce { kind: Fold::Sum, axes: smallvec::smallvec![axis] }, &[other], origins)?;
    cx.scalar(Scalar::Mul, &[sum, scalar], origins).map(Some)
}

/// `pad(s, [[i, n - i - 1]])` of one number s is `s * one_hot(i, n)`.
fn one_among_zeros(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Pad(pad) = op else { return Ok(None) };
    let Some(scalar) = fill(cx, operands[0]) else { return Ok(None) };
    let ty = cx.see().ty(operands[0]).clone();
    // Beside the number there are zeros, even if it is infinite.
    if !regular(cx.see(), scalar) {
        return Ok(None);
    }
    let (1, true, Some(index)) = (ty.rank(), ty.shape[0].is_one(), pad.low[0].known()) else {
        return Ok(None);
    };
    let size = op.infer(std::slice::from_ref(&ty), &cx.see().dims)?.shape[0].clone();
    let index = cx.model().number(crate::tensor::DType::I64, Number::int(index), origins);
    let hot = OneHot { dtype: ty.dtype, size, axis: 0 };
    let hot = cx.model().insert(hot, &[index], origins)?;
    cx.scalar(Scalar::Mul, &[scalar, hot], origins).map(Some)
}
