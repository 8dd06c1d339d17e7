//! Laws of values laid out along axes: products of them, and sums of such products.

use super::law::Cx;
use super::letters::{FACTORS, Letters, Part, Parts, grouped, is_matrix};
use super::product::{Product, gather};
use super::structure::Found;
use crate::graph::{NodeId, Origins};
use crate::ops::contraction::contraction;
use crate::ops::leaf::SizeOf;
use crate::ops::matmul::Einsum;
use crate::ops::reduce::{Fold, Reduce};
use crate::ops::shape::Broadcast;
use crate::ops::{Misfit, Op, Scalar, Size, Type, elements};
use smallvec::SmallVec;

/// Whether a value is a product of values that are laid out, each of them with fewer axes, or a multiple of an identity
/// matrix: taken apart, it costs nothing to write again.
pub fn separable(cx: &Cx, id: NodeId) -> bool {
    let product = |id: NodeId| {
        matches!(cx.see().op(id), Op::Scalar(Scalar::Mul | Scalar::Div | Scalar::Neg))
            && !cx.is_forward(id)
            && !cx.is_named(id)
    };
    let rank = cx.see().ty(id).rank();
    if rank < 2 || !product(id) {
        return false;
    }
    let mut waiting: SmallVec<[NodeId; 8]> = SmallVec::from_slice(&[id]);
    let mut laid = 0;
    while let Some(id) = waiting.pop() {
        let operands = cx.see().operands(id);
        match cx.see().op(id) {
            _ if cx.see().ty(id).rank() == 0 => {}
            Op::Eye(_) => {
                return waiting.iter().all(|&id| cx.see().ty(id).rank() == 0) && laid == 0;
            }
            Op::Broadcast(_) => match cx.see().ty(operands[0]).rank() {
                0 => {}
                narrow if narrow < rank && rank > 2 => laid += 1,
                _ => return false,
            },
            _ if product(id) && waiting.len() + laid < FACTORS => waiting.extend(operands),
            _ => return false,
        }
    }
    laid > 1
}

/// The factors of a power of a product that is laid out, each laid out by itself.
pub fn factors_laid(cx: &mut Cx, id: NodeId, exponent: i32) -> Result<Option<Product>, Misfit> {
    let Op::Broadcast(outer) = cx.see().op(id) else { return Ok(None) };
    let source = cx.see().operands(id)[0];
    if cx.is_named(id) || cx.is_forward(id) || !separable(cx, source) {
        return Ok(None);
    }
    let outer = outer.clone();
    let mut product = Product::one(cx.see().origins(id).clone());
    gather(cx, source, exponent, &mut product);
    for (factor, _) in &mut product.factors {
        if cx.see().ty(*factor).rank() == 0 {
            continue;
        }
        let (layout, operand) = match cx.see().op(*factor).clone() {
            Op::Broadcast(inner) => {
                let through =
                    |from: &Option<u8>| from.and_then(|axis| inner.from[usize::from(axis)]);
                let from = outer.from.iter().map(through).collect();
                (Broadcast { to: outer.to.clone(), from }, cx.see().operands(*factor)[0])
            }
            _ => (outer.clone(), *factor),
        };
        *factor = cx.model().insert(layout, &[operand], &product.origins)?;
    }
    Ok(Some(product))
}

/// An operator on single elements in the fewest axes, without the normal forms of sums and products.
pub fn combined(
    cx: &mut Cx,
    row: Scalar,
    operands: &[NodeId],
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    let plain = &mut |cx: &mut Cx, op: &Op, operands: &[NodeId]| {
        cx.model().insert(op.clone(), operands, origins)
    };
    match narrowed(cx, &row.into(), operands, origins, plain)? {
        Some(node) => Ok(node),
        None => cx.model().insert(row, operands, origins),
    }
}

/// A matrix product or an einsum of products in which some factors are the same along the axis that is summed over, or are
/// identities along it, or lie along axes that no factor has: those factors stand outside, and what is left is summed.
pub fn product_of_laid(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    if !matches!(op, Op::MatMul(_) | Op::Einsum(_)) {
        return Ok(None);
    }
    let types: Vec<Type> = operands.iter().map(|&id| cx.see().ty(id).clone()).collect();
    if types.iter().all(|ty| ty.rank() < 3) || !types[0].dtype.is_float() {
        return Ok(None);
    }
    let Some(einsum) = contraction(op, &types) else { return Ok(None) };
    summed(cx, &einsum, operands, origins)
}

/// `sum[K](A * eye(K)[:, None, :])` is A at the places of the identity, and factors that are the same along K stand outside.
pub fn sum_of_laid(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let Op::Reduce(Reduce { kind: kind @ (Fold::Sum | Fold::Mean), axes }) = op else {
        return Ok(None);
    };
    let ty = cx.see().ty(operands[0]).clone();
    let product = cx.is_open(operands[0]) || separable(cx, operands[0]);
    if ty.rank() < 3 || !ty.dtype.is_float() || !product {
        return Ok(None);
    }
    let letters: Letters = (0..ty.rank() as u8).collect();
    let kept = letters.iter().copied().filter(|&c| !axes.contains(&usize::from(c))).collect();
    let einsum = Einsum { inputs: vec![letters], output: kept };
    let Some(sum) = summed(cx, &einsum, operands, origins)? else { return Ok(None) };
    if *kind == Fold::Sum {
        return Ok(Some(sum));
    }
    let along: Vec<Size> = axes.iter().map(|&axis| ty.shape[axis].clone()).collect();
    let count = SizeOf { dtype: ty.dtype, size: elements(&along) };
    let count = cx.model().insert(count, &[], origins)?;
    cx.scalar(Scalar::Div, &[sum, count], origins).map(Some)
}

/// `f(broadcast(x), broadcast(y))` is `broadcast(f(broadcast(x), broadcast(y)))` where some axis is that of no operand.
pub fn in_fewest_axes(cx: &mut Cx, op: &Op, operands: &[NodeId], origins: &Origins) -> Found {
    let lawful =
        &mut |cx: &mut Cx, op: &Op, operands: &[NodeId]| cx.build(op.clone(), operands, origins);
    narrowed(cx, op, operands, origins, lawful)
}

/// How the operator is inserted.
type Make<'a> = dyn FnMut(&mut Cx, &Op, &[NodeId]) -> Result<NodeId, Misfit> + 'a;

fn narrowed(
    cx: &mut Cx,
    op: &Op,
    operands: &[NodeId],
    origins: &Origins,
    make: &mut Make<'_>,
) -> Found {
    if !matches!(op, Op::Scalar(_) | Op::Select(_)) {
        return Ok(None);
    }
    let mut to = None;
    let mut used: SmallVec<[bool; 8]> = SmallVec::new();
    for &id in operands {
        if cx.see().ty(id).rank() == 0 {
            continue;
        }
        let Op::Broadcast(laid) = cx.see().op(id) else { return Ok(None) };
        used.resize(laid.to.len(), false);
        laid.from.iter().zip(&mut used).for_each(|(from, used)| *used |= from.is_some());
        to = Some(&laid.to);
    }
    let Some(to) = to.cloned() else { return Ok(None) };
    if used.iter().all(|&used| used) || used.iter().all(|&used| !used) {
        return Ok(None);
    }
    let keep: Vec<usize> = (0..to.len()).filter(|&axis| used[axis]).collect();
    let mut narrow = SmallVec::<[NodeId; 4]>::new();
    for &id in operands {
        narrow.push(match cx.see().op(id).clone() {
            Op::Broadcast(laid) if cx.see().ty(id).rank() > 0 => {
                let layout = Broadcast {
                    to: keep.iter().map(|&axis| laid.to[axis].clone()).collect(),
                    from: keep.iter().map(|&axis| laid.from[axis]).collect(),
                };
                let source = cx.see().operands(id)[0];
                let whole = cx.see().ty(source).shape == layout.to;
                if whole { source } else { cx.model().insert(layout, &[source], origins)? }
            }
            _ => id,
        });
    }
    let value = make(cx, op, &narrow)?;
    if cx.see().ty(value).rank() == 0 {
        return Ok(Some(value));
    }
    let place = |axis: usize| keep.iter().position(|&kept| kept == axis).map(|place| place as u8);
    let from = (0..to.len()).map(place).collect();
    let layout = Broadcast { to, from };
    cx.model().insert(layout, &[value], origins).map(Some)
}

/// The axes of a value that is laid out, or of a product of such values, in another order: before it is laid out.
pub fn axes_before_laying_out(
    cx: &mut Cx,
    op: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Found {
    let (Op::Permute(permute), id) = (op, operands[0]) else { return Ok(None) };
    let laid = matches!(cx.see().op(id), Op::Broadcast(_)) && !cx.is_named(id);
    if !laid && !separable(cx, id) {
        return Ok(None);
    }
    let letters: Letters = (0..permute.order.len() as u8).collect();
    let output: Letters = permute.order.iter().map(|&axis| letters[axis]).collect();
    let inputs = [letters];
    let Some(parts) = Parts::of(cx, operands, &inputs, origins)? else { return Ok(None) };
    if parts.list.iter().any(|part| part.node == id) {
        return Ok(None);
    }
    parts.whole(cx, &output).map(Some)
}

/// The sum of products by letters, if some factor can stand outside of it.
fn summed(cx: &mut Cx, einsum: &Einsum, operands: &[NodeId], origins: &Origins) -> Found {
    let Some(mut parts) = Parts::of(cx, operands, &einsum.inputs, origins)? else {
        return Ok(None);
    };
    let vain = einsum.inputs.iter().enumerate().any(|(side, letters)| {
        let has = |c: &u8| parts.list.iter().any(|part| part.side == side && part.has(*c));
        !letters.iter().all(has)
    });
    let all = einsum.inputs.iter().flatten();
    let mut inner: Letters = all.copied().filter(|c| !einsum.output.contains(c)).collect();
    inner.sort_unstable();
    inner.dedup();
    let selected = parts.select(cx, &mut inner)?;
    let (core, outer): (Vec<Part>, Vec<Part>) =
        parts.list.drain(..).partition(|part| part.letters.iter().any(|c| inner.contains(c)));
    let constant = outer.iter().any(|part| !part.letters.is_empty());
    let groups = grouped(core);
    let grown = groups.len() > 2 && operands.iter().any(|&id| separable(cx, id));
    let narrower = vain && (groups.len() < 2 || is_matrix(&groups, &inner, &einsum.output));
    if !(selected || constant || grown || narrower) {
        return Ok(None);
    }
    parts.list = outer;
    for letter in inner.iter().filter(|c| !groups.iter().any(|group| group[0].has(**c))) {
        let (dtype, size) = (cx.see().ty(operands[0]).dtype, parts.sizes[letter].clone());
        let node = cx.model().insert(SizeOf { dtype, size }, &[], origins)?;
        parts.list.push(Part { node, letters: Letters::new(), exponent: 1, side: 0 });
    }
    inner.retain(|c| groups.iter().any(|group| group[0].has(*c)));
    if !groups.is_empty() {
        let (node, letters) = parts.folded(cx, groups, &inner, &einsum.output)?;
        parts.list.push(Part { node, letters, exponent: 1, side: 0 });
    }
    parts.whole(cx, &einsum.output).map(Some)
}
