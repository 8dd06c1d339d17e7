//! Laws of sums along axes.

use super::law::Cx;
use super::product::{Factors, emit, product_of, written_product};
use super::structure::Found;
use crate::graph::{NodeId, Origins};
use crate::ops::reduce::{Fold, Reduce};
use crate::ops::shape::Broadcast;
use crate::ops::{Number, Op, Scalar, Size, Term, elements};
use crate::tensor::DType;
use smallvec::SmallVec;

/// The sum of a value along axes in which it is the same is a multiple of it.
pub fn sum_of_repeated(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Reduce(Reduce { kind: Fold::Sum, axes }) = op else { return Ok(None) };
    let Op::Broadcast(broadcast) = cx.see().op(operands[0]).clone() else { return Ok(None) };
    if cx.see().ty(operands[0]).dtype == DType::Bool {
        return Ok(None);
    }
    let repeated: Vec<usize> =
        axes.iter().copied().filter(|&axis| broadcast.from[axis].is_none()).collect();
    if repeated.is_empty() {
        return Ok(None);
    }
    let keep: Vec<usize> =
        (0..broadcast.to.len()).filter(|axis| !repeated.contains(axis)).collect();
    let count: Vec<Size> = repeated.iter().map(|&axis| broadcast.to[axis].clone()).collect();
    let rest: Vec<usize> = axes
        .iter()
        .filter(|axis| !repeated.contains(axis))
        .map(|axis| keep.iter().position(|k| k == axis).expect("kept"))
        .collect();
    let narrow = Broadcast {
        to: keep.iter().map(|&axis| broadcast.to[axis].clone()).collect(),
        from: keep.iter().map(|&axis| broadcast.from[axis]).collect(),
    };
    let inner = cx.see().operands(operands[0])[0];
    let dtype = cx.see().ty(inner).dtype;
    let narrow = cx.model().insert(narrow, &[inner], origins)?;
    let size = cx.model().plant(&Term::Size(elements(&count)), &[], dtype, origins)?;
    let value = if rest.is_empty() {
        narrow
    } else {
        cx.build(Reduce { kind: Fold::Sum, axes: rest.into() }, &[narrow], origins)?
    };
    cx.scalar(Scalar::Mul, &[value, size], origins).map(Some)
}

/// `sum[N](sum[K](x))` is `sum[N, K](x)`.
pub fn sum_of_sums(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Reduce(Reduce { kind: Fold::Sum, axes }) = op else { return Ok(None) };
    let Op::Reduce(Reduce { kind: Fold::Sum, axes: inner }) = cx.see().op(operands[0]).clone()
    else {
        return Ok(None);
    };
    if !cx.is_open(operands[0]) {
        return Ok(None);
    }
    let source = cx.see().operands(operands[0])[0];
    let kept: Vec<usize> =
        (0..cx.see().ty(source).rank()).filter(|axis| !inner.contains(axis)).collect();
    let mut all: SmallVec<[usize; 4]> =
        inner.iter().copied().chain(axes.iter().map(|&axis| kept[axis])).collect();
    all.sort_unstable();
    cx.build(Reduce { kind: Fold::Sum, axes: all }, &[source], origins).map(Some)
}

/// `sum[K](x - mean[K, keep](x))` is 0.
pub fn sum_of_deviations(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Reduce(Reduce { kind: Fold::Sum | Fold::Mean, axes }) = op else { return Ok(None) };
    let deviates = deviates(cx, operands[0], axes);
    Ok(deviates.then(|| cx.number(operands[0], Number::ZERO, origins)))
}

/// Whether a value is `x - mean[K, keep](x)` along axes K.
fn deviates(cx: &Cx, id: NodeId, axes: &[usize]) -> bool {
    let Op::Scalar(Scalar::Sub) = cx.see().op(id) else { return false };
    let parts = cx.see().operands(id);
    let (mean, along) = match cx.see().op(parts[1]) {
        Op::Broadcast(laid) => {
            let along: Vec<usize> =
                (0..laid.to.len()).filter(|&a| laid.from[a].is_none()).collect();
            (cx.see().operands(parts[1])[0], along)
        }
        _ => (parts[1], (0..cx.see().ty(parts[0]).rank()).collect()),
    };
    let Op::Reduce(Reduce { kind: Fold::Mean, axes: inner }) = cx.see().op(mean) else {
        return false;
    };
    inner.as_slice() == axes && along == axes && cx.see().operands(mean)[0] == parts[0]
}

/// `sum[K](y + v * (x - mean[K, keep](x)))` is `sum[K](y)` where v is the same along K.
pub fn sum_without_deviations(
    cx: &mut Cx,
    op: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Found {
    let Op::Reduce(Reduce { kind: Fold::Sum | Fold::Mean, axes }) = op else { return Ok(None) };
    let Op::Scalar(row @ (Scalar::Add | Scalar::Sub)) = *cx.see().op(operands[0]) else {
        return Ok(None);
    };
    if !cx.is_open(operands[0]) {
        return Ok(None);
    }
    let terms = cx.see().operands(operands[0]);
    let left = match [0, 1].map(|side| is_deviation(cx, terms[side], axes)) {
        [_, true] => terms[0],
        [true, false] if row == Scalar::Add => terms[1],
        [true, false] => cx.scalar(Scalar::Neg, &[terms[1]], origins)?,
        [false, false] => return Ok(None),
    };
    cx.build(op.clone(), &[left], origins).map(Some)
}

/// Whether a value is a deviation from its mean along axes, times and through what is the same along them.
fn is_deviation(cx: &mut Cx, id: NodeId, axes: &[usize]) -> bool {
    let mut product = written_product(cx, id);
    let alike = |cx: &Cx, id: NodeId| match cx.see().op(id) {
        Op::Broadcast(broadcast) => axes.iter().all(|&axis| broadcast.from[axis].is_none()),
        _ => cx.see().ty(id).rank() == 0,
    };
    product.factors.retain(|(id, _)| !alike(cx, *id));
    let [(factor, 1)] = product.factors[..] else { return false };
    let dev = match cx.see().op(factor) {
        Op::Scalar(Scalar::Div) => {
            let parts = cx.see().operands(factor);
            if alike(cx, parts[1]) { parts[0] } else { return false }
        }
        _ => factor,
    };
    deviates(cx, dev, axes)
}

/// `sum[K](x * broadcast(v))` is `sum[K](x) * v` where v is the same along K.
pub fn factor_out_of_sum(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Reduce(Reduce { kind: Fold::Sum, axes }) = op else { return Ok(None) };
    let id = operands[0];
    if !cx.is_open(id)
        || !matches!(cx.see().op(id), Op::Scalar(Scalar::Mul | Scalar::Div | Scalar::Neg))
    {
        return Ok(None);
    }
    let mut product = product_of(cx, id);
    let constant = |cx: &Cx, id: NodeId| match cx.see().op(id) {
        Op::Broadcast(broadcast) => axes.iter().all(|&axis| broadcast.from[axis].is_none()),
        _ => false,
    };
    let (out, stay): (Factors, Factors) =
        product.factors.iter().copied().partition(|&(id, _)| constant(cx, id));
    if out.is_empty() || !stay.iter().any(|&(id, _)| cx.see().ty(id).rank() > 0) {
        return Ok(None);
    }
    product.factors = stay;
    let inner = emit(cx, &product, id)?;
    let mut result = cx.build(op.clone(), &[inner], origins)?;
    for (factor, exponent) in out {
        let Op::Broadcast(broadcast) = cx.see().op(factor).clone() else { continue };
        let keep: Vec<usize> =
            (0..broadcast.to.len()).filter(|axis| !axes.contains(axis)).collect();
        let narrow = Broadcast {
            to: keep.iter().map(|&axis| broadcast.to[axis].clone()).collect(),
            from: keep.iter().map(|&axis| broadcast.from[axis]).collect(),
        };
        let source = cx.see().operands(factor)[0];
        let mut value = cx.model().insert(narrow, &[source], origins)?;
        if exponent.abs() != 1 {
            let number = cx.number(value, Number::int(i64::from(exponent.abs())), origins);
            value = cx.scalar(Scalar::Pow, &[value, number], origins)?;
        }
        let row = if exponent > 0 { Scalar::Mul } else { Scalar::Div };
        result = cx.scalar(row, &[result, value], origins)?;
    }
    Ok(Some(result))
}

/// `sum[K](one_hot(i, K))` is 1.
pub fn sum_of_one_hot(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Reduce(Reduce { kind: Fold::Sum, axes }) = op else { return Ok(None) };
    let Op::OneHot(hot) = cx.see().op(operands[0]).clone() else { return Ok(None) };
    let [axis] = axes.as_slice() else { return Ok(None) };
    Ok((*axis == hot.axis).then(|| cx.number(operands[0], Number::ONE, origins)))
}
