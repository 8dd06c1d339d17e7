//! Laws of matrices that vectors make: diagonal ones, outer products.

use super::facts::symmetric;
use super::law::Cx;
use super::product::{Factors, Product, emit, gather, product_of};
use super::structure::Found;
use crate::graph::{NodeId, Origins};
use crate::ops::index::Diag;
use crate::ops::leaf::SizeOf;
use crate::ops::matmul::{MatMul, Outer};
use crate::ops::reduce::{Fold, Reduce};
use crate::ops::shape::Broadcast;
use crate::ops::{Misfit, Number, Op, Scalar, Size, elements};

/// `eye(N) * v[:, None]` is `diag(v)`, and `diag(v) * w` is `diag(v * w)`: beside the diagonal there are zeros, whatever v is.
pub fn diagonal(cx: &mut Cx, product: &mut Product) -> Result<bool, Misfit> {
    let matrices: Vec<usize> = (0..product.factors.len())
        .filter(|&place| is_diagonal(cx, product.factors[place]))
        .collect();
    let [place] = matrices[..] else { return Ok(false) };
    let matrix = product.factors[place].0;
    let size = cx.see().ty(matrix).shape[0].clone();
    let mut vector = Product::one(product.origins.clone());
    let mut rest = Factors::new();
    for (other, &(id, exponent)) in product.factors.iter().enumerate() {
        if other == place {
            continue;
        }
        if cx.see().ty(id).rank() == 0 {
            rest.push((id, exponent));
            continue;
        }
        let Some(source) = laid(cx, id, &size) else { return Ok(false) };
        gather(cx, source, exponent, &mut vector);
    }
    let Some(&(like, _)) = vector.factors.first().filter(|_| !size.is_one()) else {
        return Ok(false);
    };
    if let Op::Diag(_) = cx.see().op(matrix) {
        let inner = cx.see().operands(matrix)[0];
        gather(cx, inner, 1, &mut vector);
    }
    let value = emit(cx, &vector, like)?;
    let made = cx.build(Diag::Make, &[value], &product.origins)?;
    product.factors = rest;
    gather(cx, made, 1, product);
    Ok(true)
}

/// `u[:, None] * v` is `outer(u, v)`, and `outer(u, v) * w` is `outer(u, v * w)`.
pub fn outer(cx: &mut Cx, product: &mut Product) -> Result<bool, Misfit> {
    let (mut sides, mut rest) = ([Factors::new(), Factors::new()], Factors::new());
    for &(id, exponent) in &product.factors {
        let (model, ty) = (cx.see(), cx.see().ty(id));
        match model.op(id) {
            _ if ty.rank() == 0 => rest.push((id, exponent)),
            Op::Outer(_) if exponent == 1 && cx.is_open(id) && !cx.is_named(id) => {
                let vectors = model.operands(id);
                sides.iter_mut().zip(vectors).for_each(|(side, vector)| side.push((vector, 1)));
            }
            Op::Broadcast(layout) if ty.rank() == 2 => {
                let source = model.operands(id)[0];
                let axis = layout.from.iter().position(|from| *from == Some(0));
                let vector = model.ty(source);
                let whole = |&axis: &usize| vector.rank() == 1 && vector.shape[0] == ty.shape[axis];
                let Some(axis) = axis.filter(whole) else { return Ok(false) };
                sides[axis].push((source, exponent));
            }
            _ => return Ok(false),
        }
    }
    let matrices = product.factors.len() - rest.len();
    if matrices < 2 || sides.iter().any(|side| side.iter().all(|(_, exponent)| *exponent < 0)) {
        return Ok(false);
    }
    let mut vectors = Vec::new();
    for side in sides {
        let mut vector = Product::one(product.origins.clone());
        let like = side[0].0;
        side.into_iter().for_each(|(id, exponent)| gather(cx, id, exponent, &mut vector));
        vectors.push(emit(cx, &vector, like)?);
    }
    let made = cx.build(Outer, &vectors, &product.origins)?;
    product.factors = rest;
    gather(cx, made, 1, product);
    Ok(true)
}

/// `v * (eye(N) - A)` is `diag(v) - v * A`.
pub fn distributed(cx: &mut Cx, product: &Product, like: NodeId) -> Found {
    let sum = |cx: &Cx, (id, exponent): (NodeId, i32)| {
        let op = cx.see().op(id);
        exponent == 1 && cx.is_open(id) && matches!(op, Op::Scalar(Scalar::Add | Scalar::Sub))
    };
    let sums: Vec<usize> =
        (0..product.factors.len()).filter(|&place| sum(cx, product.factors[place])).collect();
    let [place] = sums[..] else { return Ok(None) };
    let id = product.factors[place].0;
    let (terms, row) = (cx.see().operands(id), cx.see().op(id).clone());
    if cx.see().ty(id).rank() != 2 || terms.iter().any(|&term| cx.see().ty(term).rank() != 2) {
        return Ok(None);
    }
    let size = cx.see().ty(id).shape[0].clone();
    let square = size == cx.see().ty(id).shape[1] && !size.is_one();
    let fits = |cx: &Cx, id: NodeId| cx.see().ty(id).rank() == 0 || laid(cx, id, &size).is_some();
    let mut others = product.factors.clone();
    others.remove(place);
    let vectors = others.iter().filter(|(id, _)| cx.see().ty(*id).rank() > 0).count();
    let whole = others.iter().all(|&(id, _)| fits(cx, id));
    if !square || vectors != 1 || !whole || !terms.iter().any(|&term| is_diagonal(cx, (term, 1))) {
        return Ok(None);
    }
    let mut sides = Vec::new();
    for term in terms {
        let mut side = Product { factors: others.clone(), ..product.clone() };
        gather(cx, term, 1, &mut side);
        let _ = diagonal(cx, &mut side)? || outer(cx, &mut side)?;
        sides.push(emit(cx, &side, like)?);
    }
    cx.build(row, &sides, &product.origins).map(Some)
}

/// `A @ outer(u, v)` is `outer(A @ u, v)`, `outer(u, v) @ A` is `outer(u, v @ A)`; with a vector w in the place of A they are
/// `w @ u * v` and `v @ w * u`.
pub fn product_with_outer(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::MatMul(_) = op else { return Ok(None) };
    for (place, &id) in operands.iter().enumerate().rev() {
        let other = operands[1 - place];
        let made =
            matches!(cx.see().op(id), Op::Outer(_)) && !cx.is_forward(id) && !cx.is_named(id);
        if !made || !matches!(cx.see().ty(other).rank(), 1 | 2) {
            continue;
        }
        let mut vectors = cx.see().operands(id);
        let met = 1 - place;
        let pair = if place == 1 { [other, vectors[met]] } else { [vectors[met], other] };
        vectors[met] = cx.build(MatMul, &pair, origins)?;
        return match cx.see().ty(other).rank() {
            1 => cx.build(Scalar::Mul, &vectors, origins).map(Some),
            _ => cx.build(Outer, &vectors, origins).map(Some),
        };
    }
    Ok(None)
}

/// `x @ A` is `A @ x` where A equals its transpose.
pub fn vector_before_symmetric(
    cx: &mut Cx,
    op: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Found {
    let vector = matches!(op, Op::MatMul(_)) && cx.see().ty(operands[0]).rank() == 1;
    if !vector || !symmetric(cx.see(), operands[1]) {
        return Ok(None);
    }
    cx.build(MatMul, &[operands[1], operands[0]], origins).map(Some)
}

/// `sum[1](A)` is `sum[0](A)` where A equals its transpose.
pub fn sum_of_symmetric(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Reduce(Reduce { kind, axes }) = op else { return Ok(None) };
    if axes.as_slice() != [1] || !symmetric(cx.see(), operands[0]) {
        return Ok(None);
    }
    let along = Reduce { kind: *kind, axes: smallvec::smallvec![0] };
    cx.build(along, operands, origins).map(Some)
}

/// `diag(v) @ A` is `v[:, None] * A`, and `A @ diag(v)` is `A * v`.
pub fn product_with_diagonal(
    cx: &mut Cx,
    op: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Found {
    let Op::MatMul(_) = op else { return Ok(None) };
    for (place, &id) in operands.iter().enumerate() {
        let other = operands[1 - place];
        let ty = cx.see().ty(other).clone();
        let made = matches!(cx.see().op(id), Op::Diag(Diag::Make)) && !cx.is_forward(id);
        if !made || cx.see().ty(id).rank() != 2 || ty.rank() > 2 {
            continue;
        }
        let vector = cx.see().operands(id)[0];
        let from = match (ty.rank(), place) {
            (1, _) => None,
            (_, 0) => Some([Some(0), None]),
            _ => Some([None, Some(0)]),
        };
        let laid = match from {
            None => vector,
            Some(from) => {
                let from = from.into_iter().collect();
                let layout = Broadcast { to: ty.shape.clone(), from };
                cx.model().insert(layout, &[vector], origins)?
            }
        };
        let factors = if place == 0 { [laid, other] } else { [other, laid] };
        return cx.scalar(Scalar::Mul, &factors, origins).map(Some);
    }
    Ok(None)
}

/// `sum[K](outer(u, v))` is `u * sum(v)`.
pub fn sum_of_outer(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Reduce(Reduce { kind: kind @ (Fold::Sum | Fold::Mean), axes }) = op else {
        return Ok(None);
    };
    let (id, [axis]) = (operands[0], axes.as_slice()) else { return Ok(None) };
    let outer = matches!(cx.see().op(id), Op::Outer(_)) && cx.see().ty(id).dtype.is_float();
    if !outer || !cx.is_open(id) {
        return Ok(None);
    }
    let mut vectors = cx.see().operands(id);
    let along = Reduce { kind: *kind, axes: smallvec::smallvec![0] };
    vectors[*axis] = cx.build(along, &[vectors[*axis]], origins)?;
    cx.scalar(Scalar::Mul, &vectors, origins).map(Some)
}

/// `sum[N](outer(u, v) * A)` is `v * (u @ A)`, `sum[K](outer(u, v) * A)` is `u * (A @ v)`.
pub fn sum_with_outer(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Reduce(Reduce { kind: Fold::Sum, axes }) = op else { return Ok(None) };
    let id = operands[0];
    let open = cx.is_open(id) && cx.see().ty(id).rank() == 2 && axes.len() == 1;
    if !open || !matches!(cx.see().op(id), Op::Scalar(Scalar::Mul | Scalar::Div | Scalar::Neg)) {
        return Ok(None);
    }
    let mut matrix = product_of(cx, id);
    let outer = matrix.factors.iter().position(|&(id, exponent)| {
        exponent == 1 && matches!(cx.see().op(id), Op::Outer(_)) && !cx.is_named(id)
    });
    let Some(outer) = outer else { return Ok(None) };
    let vectors = cx.see().operands(matrix.factors.remove(outer).0);
    let (scalars, rest): (Factors, Factors) =
        matrix.factors.iter().copied().partition(|&(id, _)| cx.see().ty(id).rank() == 0);
    if rest.is_empty() {
        return Ok(None);
    }
    let number = std::mem::replace(&mut matrix.number, Number::ONE);
    matrix.factors = rest;
    let matrix = emit(cx, &matrix, id)?;
    let value = match axes.as_slice() {
        [0] => {
            let row = cx.build(MatMul, &[vectors[0], matrix], origins)?;
            cx.scalar(Scalar::Mul, &[vectors[1], row], origins)?
        }
        _ => {
            let column = cx.build(MatMul, &[matrix, vectors[1]], origins)?;
            cx.scalar(Scalar::Mul, &[vectors[0], column], origins)?
        }
    };
    let mut result = product_of(cx, value);
    result.number = result.number * number;
    result.factors.extend(scalars);
    result.origins.unite(origins);
    emit(cx, &result, value).map(Some)
}

/// `sum[K](A * eye(K))` is the diagonal of A.
pub fn sum_with_identity(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Reduce(Reduce { kind: Fold::Sum, axes }) = op else { return Ok(None) };
    let id = operands[0];
    let product = matches!(cx.see().op(id), Op::Scalar(Scalar::Mul | Scalar::Div | Scalar::Neg));
    if !product || !cx.is_open(id) || cx.see().ty(id).rank() != 2 {
        return Ok(None);
    }
    let mut matrix = product_of(cx, id);
    let eye = matrix
        .factors
        .iter()
        .position(|&(id, exponent)| exponent > 0 && matches!(cx.see().op(id), Op::Eye(_)));
    let Some(eye) = eye else { return Ok(None) };
    matrix.factors.remove(eye);
    if matrix.factors.iter().all(|&(id, _)| cx.see().ty(id).rank() == 0) {
        return Ok(None);
    }
    let matrix = emit(cx, &matrix, id)?;
    let diagonal = cx.build(Diag::Take, &[matrix], origins)?;
    match axes.len() {
        1 => Ok(Some(diagonal)),
        _ => {
            let along = Reduce { kind: Fold::Sum, axes: smallvec::smallvec![0] };
            cx.build(along, &[diagonal], origins).map(Some)
        }
    }
}

/// `sum[K](diag(v))` is v, and `sum[K](eye(K))` is 1; a mean is their K-th part.
pub fn sum_of_diagonal(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Reduce(Reduce { kind: kind @ (Fold::Sum | Fold::Mean), axes }) = op else {
        return Ok(None);
    };
    let (id, ty) = (operands[0], cx.see().ty(operands[0]).clone());
    if ty.rank() != 2 || !ty.dtype.is_float() || cx.is_named(id) {
        return Ok(None);
    }
    let (dtype, size) = (ty.dtype, ty.shape[0].clone());
    let number = |cx: &mut Cx, size: &Size| {
        cx.model().insert(SizeOf { dtype, size: size.clone() }, &[], origins)
    };
    let sum = match (cx.see().op(id), axes.len()) {
        (Op::Eye(_), 1) => cx.number(id, Number::ONE, origins),
        (Op::Eye(_), _) => number(cx, &size)?,
        (Op::Diag(Diag::Make), 1) => cx.see().operands(id)[0],
        (Op::Diag(Diag::Make), _) => {
            let vector = cx.see().operands(id)[0];
            let along = Reduce { kind: Fold::Sum, axes: smallvec::smallvec![0] };
            cx.build(along, &[vector], origins)?
        }
        _ => return Ok(None),
    };
    if *kind == Fold::Sum {
        return Ok(Some(sum));
    }
    let count = elements(&vec![size; axes.len()]);
    let count = number(cx, &count)?;
    cx.scalar(Scalar::Div, &[sum, count], origins).map(Some)
}

/// Whether a factor is `eye(N)`, or a diagonal matrix that may be taken apart.
fn is_diagonal(cx: &Cx, (id, exponent): (NodeId, i32)) -> bool {
    match cx.see().op(id) {
        Op::Eye(_) => exponent > 0,
        Op::Diag(Diag::Make) => {
            exponent == 1 && cx.see().ty(id).rank() == 2 && cx.is_open(id) && !cx.is_named(id)
        }
        _ => false,
    }
}

/// The vector of this size that a square matrix has in each row, or in each column.
fn laid(cx: &Cx, id: NodeId, size: &Size) -> Option<NodeId> {
    let Op::Broadcast(_) = cx.see().op(id) else { return None };
    let source = cx.see().operands(id)[0];
    let ty = cx.see().ty(source);
    (cx.see().ty(id).rank() == 2 && ty.rank() == 1 && ty.shape[0] == *size).then_some(source)
}
