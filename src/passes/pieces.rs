//! Sums of pieces that lie side by side along an axis: `pad(a, [[0, n]]) + pad(b, [[m, 0]])` is `concat([a, b])`.

use super::law::Cx;
use super::product::{Product, emit};
use crate::graph::{NodeId, Origins};
use crate::ops::shape::{Broadcast, Concat, Stack};
use crate::ops::term::spread;
use crate::ops::{Misfit, Number, Op, Scalar, Size, Term};
use smallvec::smallvec;

/// What stands at a part of the axis.
enum Value {
    /// With the axis.
    Part(NodeId),
    /// Without the axis, which has size 1.
    Slice(NodeId),
}

/// Puts the pieces among `terms` together, gaps of known size filled with zeros.
pub fn join(
    cx: &mut Cx,
    terms: &mut Vec<Product>,
    origins: &Origins,
    like: NodeId,
) -> Result<bool, Misfit> {
    for axis in 0..cx.see().ty(like).rank() {
        let mut pieces: Vec<(usize, Size, Size)> = Vec::new();
        for (place, term) in terms.iter().enumerate() {
            match extent(cx, term) {
                Some((along, start, size)) if along == axis => pieces.push((place, start, size)),
                _ => {}
            }
        }
        if pieces.len() < 2 {
            continue;
        }
        let whole = cx.see().ty(like).shape[axis].clone();
        let Some(order) = side_by_side(cx, &pieces, &whole) else { continue };
        let mut parts: Vec<Value> = Vec::new();
        for Run { places, size } in order {
            let mut value: Option<Value> = None;
            for place in places {
                let piece = piece(cx, &terms[place], origins)?;
                value = Some(match value {
                    None => piece,
                    Some(known) => added(cx, known, piece, axis, origins)?,
                });
            }
            parts.push(match value {
                Some(value) => value,
                None => zeros(cx, like, axis, &size, origins)?,
            });
        }
        let node = assembled(cx, parts, axis, origins)?;
        let gone: Vec<usize> = pieces.iter().map(|(place, ..)| *place).collect();
        let mut place = 0;
        terms.retain(|_| {
            place += 1;
            !gone.contains(&(place - 1))
        });
        terms.insert(
            gone[0].min(terms.len()),
            Product {
                number: Number::ONE,
                factors: smallvec![(node, 1)],
                origins: origins.clone(),
            },
        );
        return Ok(true);
    }
    Ok(false)
}

/// The axis, the start and the size of the only part of a term that is not 0.
fn extent(cx: &Cx, term: &Product) -> Option<(usize, Size, Size)> {
    let model = cx.see();
    let id = carrier(cx, term)?;
    match model.op(id) {
        Op::Pad(pad) if pad.between.iter().all(|&between| between == 0) => {
            let padded = |axis: &usize| {
                pad.low[*axis].known() != Some(0) || pad.high[*axis].known() != Some(0)
            };
            let mut axes = (0..pad.low.len()).filter(padded);
            let (axis, None) = (axes.next()?, axes.next()) else { return None };
            let inner = model.operands(id)[0];
            Some((axis, pad.low[axis].clone(), model.ty(inner).shape[axis].clone()))
        }
        Op::OneHot(hot) if model.ty(id).rank() == 1 => {
            let place = model.constant(model.operands(id)[0])?.to_i64()?;
            Some((hot.axis, Size::Known(place), Size::Known(1)))
        }
        _ => None,
    }
}

/// The one factor of a term that has axes.
fn carrier(cx: &Cx, term: &Product) -> Option<NodeId> {
    let mut arrays = term.factors.iter().filter(|(id, _)| cx.see().ty(*id).rank() > 0);
    let (Some(&(id, 1)), None) = (arrays.next(), arrays.next()) else { return None };
    Some(id).filter(|id| !cx.is_forward(*id))
}

/// A stretch of the axis and the terms that lie there.
struct Run {
    places: Vec<usize>,
    size: Size,
}

/// The stretches in order, without overlaps; gaps only where all is known.
fn side_by_side(cx: &Cx, pieces: &[(usize, Size, Size)], whole: &Size) -> Option<Vec<Run>> {
    let dims = &cx.see().dims;
    let known = |size: &Size| dims.resolve(size).known();
    let mut order: Vec<Run> = Vec::new();
    let mut at = Size::Known(0);
    let mut left: Vec<&(usize, Size, Size)> = pieces.iter().collect();
    while !left.is_empty() {
        let next = match left.iter().find(|(_, start, _)| dims.equal(start, &at)) {
            Some(next) => *next,
            None => {
                let next = *left.iter().min_by_key(|(_, start, _)| known(start))?;
                let gap = known(&next.1)? - known(&at)?;
                if gap <= 0 {
                    return None;
                }
                order.push(Run { places: Vec::new(), size: Size::Known(gap) });
                next
            }
        };
        let (here, rest): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|(_, start, _)| dims.equal(start, &next.1));
        if here.iter().any(|(_, _, size)| !dims.equal(size, &next.2)) {
            return None;
        }
        order.push(Run {
            places: here.iter().map(|(place, ..)| *place).collect(),
            size: next.2.clone(),
        });
        at = next.1.clone() + next.2.clone();
        left = rest;
    }
    if !dims.equal(&at, whole) {
        let gap = known(whole)? - known(&at)?;
        if gap <= 0 {
            return None;
        }
        order.push(Run { places: Vec::new(), size: Size::Known(gap) });
    }
    Some(order)
}

fn piece(cx: &mut Cx, term: &Product, origins: &Origins) -> Result<Value, Misfit> {
    let id = carrier(cx, term).expect("it has an extent");
    let mut rest = term.clone();
    rest.factors.retain(|(factor, _)| *factor != id);
    let inner = cx.see().operands(id)[0];
    let (value, slice) = match cx.see().op(id).clone() {
        Op::Pad(pad) => {
            let axis = (0..pad.low.len())
                .find(|&axis| pad.low[axis].known() != Some(0) || pad.high[axis].known() != Some(0))
                .expect("it has an extent");
            match without_axis(cx, inner, axis, origins)? {
                Some(slice) => (slice, true),
                None => (inner, false),
            }
        }
        _ => {
            let dtype = cx.see().ty(id).dtype;
            (cx.model().number(dtype, Number::ONE, origins), true)
        }
    };
    let node = if rest.factors.is_empty() && rest.number.is_one() {
        value
    } else {
        let scalar = emit(cx, &rest, value)?;
        cx.scalar(Scalar::Mul, &[scalar, value], &rest.origins)?
    };
    Ok(if slice { Value::Slice(node) } else { Value::Part(node) })
}

/// A value whose axis of size 1 was laid out, without that axis.
fn without_axis(
    cx: &mut Cx,
    id: NodeId,
    axis: usize,
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    let Op::Broadcast(broadcast) = cx.see().op(id).clone() else { return Ok(None) };
    if broadcast.from[axis].is_some() || !broadcast.to[axis].is_one() {
        return Ok(None);
    }
    let inner = cx.see().operands(id)[0];
    let keep: Vec<usize> = (0..broadcast.to.len()).filter(|&other| other != axis).collect();
    let narrow = Broadcast {
        to: keep.iter().map(|&axis| broadcast.to[axis].clone()).collect(),
        from: keep.iter().map(|&axis| broadcast.from[axis]).collect(),
    };
    cx.model().insert(narrow, &[inner], origins).map(Some)
}

fn added(
    cx: &mut Cx,
    one: Value,
    two: Value,
    axis: usize,
    origins: &Origins,
) -> Result<Value, Misfit> {
    Ok(match (one, two) {
        (Value::Slice(a), Value::Slice(b)) => {
            Value::Slice(cx.scalar(Scalar::Add, &[a, b], origins)?)
        }
        (one, two) => {
            let a = whole(cx, one, axis, origins)?;
            let b = whole(cx, two, axis, origins)?;
            Value::Part(cx.scalar(Scalar::Add, &[a, b], origins)?)
        }
    })
}

fn whole(cx: &mut Cx, value: Value, axis: usize, origins: &Origins) -> Result<NodeId, Misfit> {
    match value {
        Value::Part(node) => Ok(node),
        Value::Slice(node) => cx.model().insert(Stack { axis }, &[node], origins),
    }
}

fn zeros(
    cx: &mut Cx,
    like: NodeId,
    axis: usize,
    size: &Size,
    origins: &Origins,
) -> Result<Value, Misfit> {
    let ty = cx.see().ty(like).clone();
    let mut shape = ty.shape.clone();
    let lone = size.is_one();
    if lone {
        shape.remove(axis);
    } else {
        shape[axis] = size.clone();
    }
    let nil = cx.number(like, Number::ZERO, origins);
    let axes: Vec<usize> = (0..shape.len()).collect();
    let node = if axes.is_empty() {
        nil
    } else {
        cx.model().plant(&spread(Term::Var(0), &shape, &axes), &[nil], ty.dtype, origins)?
    };
    Ok(if lone { Value::Slice(node) } else { Value::Part(node) })
}

/// The parts along the axis: neighbours without it are stacked.
fn assembled(
    cx: &mut Cx,
    parts: Vec<Value>,
    axis: usize,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    let mut nodes: Vec<NodeId> = Vec::new();
    let mut slices: Vec<NodeId> = Vec::new();
    for part in parts {
        match part {
            Value::Slice(node) => slices.push(node),
            Value::Part(node) => {
                if !slices.is_empty() {
                    nodes.push(cx.model().insert(Stack { axis }, &slices, origins)?);
                    slices.clear();
                }
                nodes.push(node);
            }
        }
    }
    if !slices.is_empty() {
        nodes.push(cx.model().insert(Stack { axis }, &slices, origins)?);
    }
    match nodes.as_slice() {
        [node] => Ok(*node),
        _ => cx.model().insert(Concat { axis }, &nodes, origins),
    }
}
