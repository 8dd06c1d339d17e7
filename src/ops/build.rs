//! The terms that calls of functions become.

use super::builtin::{AxisRef, Call, Value};
use super::diagonal::{Diag, Triangle};
use super::einsum::Einsum;
use super::elementwise::Cast;
use super::index::{OneHot, ScatterAdd};
use super::join::{Concat, Stack};
use super::linalg::{Matrix, Of, Solve};
use super::random::{Distribution, Dropout, Random};
use super::reduce::{ArgReduce, Fold};
use super::running::{Cumulate, Running};
use super::shape::Permute;
use super::slice::{Cut, Pad, Slice};
use super::sort::{Sort, largest};
use super::term::{apply, fold, permute, reshape, select, spread};
use super::{Misfit, Number, Scalar, Shape, Size, Term, Type, align, elements};
use crate::tensor::DType;
use smallvec::SmallVec;

pub fn all(rank: usize) -> Vec<usize> {
    (0..rank).collect()
}

pub fn last(rank: usize) -> Option<usize> {
    rank.checked_sub(1)
}

pub fn reduction(call: &Call, kind: Fold) -> Result<Vec<Term>, Misfit> {
    let (axes, ty) = (call.axes(0, all)?, call.ty(0));
    let counted = kind == Fold::Mean && ty.dtype == DType::Bool;
    let x =
        if counted { apply(Cast { to: call.float }, vec![call.tensor(0)]) } else { call.tensor(0) };
    if axes.is_empty() && ty.dtype == DType::Bool && kind == Fold::Sum {
        return Ok(vec![apply(Cast { to: DType::I64 }, vec![x])]);
    }
    Ok(vec![call.kept(fold(kind, &axes, x), ty, &axes)])
}

pub fn arg(call: &Call, max: bool) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, last)?;
    let place = apply(ArgReduce { max, axis }, vec![call.tensor(0)]);
    Ok(vec![call.kept(place, call.ty(0), &[axis])])
}

pub fn running(call: &Call, kind: Running, values: usize) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, last)?;
    let reverse = call.flag(values);
    Ok(vec![apply(Cumulate { kind, axis, reverse }, (0..values).map(Term::Var).collect())])
}

pub fn filled(value: Term, shape: &[Size]) -> Term {
    if shape.is_empty() { value } else { spread(value, shape, &all(shape.len())) }
}

/// `term` laid into `shape` by the rules of broadcasting.
pub fn laid(call: &Call, term: Term, ty: &Type, shape: &[Size]) -> Result<Term, Misfit> {
    let map = align::lay(&ty.shape, shape, call.dims).ok_or_else(|| {
        let to = ty.with_shape(shape.iter().cloned());
        Misfit::shape(format!("cannot broadcast {ty} to {to}")).at(0, None)
    })?;
    Ok(apply(align::broadcast(shape, &map), vec![term]))
}

pub fn concat(call: &Call) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, |rank| (rank == 1).then_some(0))?;
    Ok(vec![apply(Concat { axis }, (0..call.types.len()).map(Term::Var).collect())])
}

pub fn stack(call: &Call) -> Result<Vec<Term>, Misfit> {
    let rank = call.ty(0).rank() as i64 + 1;
    let axis = match call.axes {
        None => 0,
        Some([AxisRef::Number(number)]) if (-rank..rank).contains(number) => {
            (number.rem_euclid(rank)) as usize
        }
        Some(_) => {
            return Err(Misfit {
                code: "E0209",
                ..Misfit::call("`stack` takes the number of the new axis")
            }
            .help("write `stack[0]([a, b])`"));
        }
    };
    Ok(vec![apply(Stack { axis }, (0..call.types.len()).map(Term::Var).collect())])
}

pub fn split(call: &Call) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, last)?;
    let ty = call.ty(0);
    let whole = &ty.shape[axis];
    let sizes: Vec<Size> = match call.sizes(1) {
        [Size::Known(parts)] if (1..=4096).contains(parts) => {
            let part = whole
                .exact_div(&Size::Known(*parts))
                .or_else(|| call.dims.resolve(whole).exact_div(&Size::Known(*parts)));
            let part = part.ok_or_else(|| {
                Misfit::shape(format!("an axis of size {whole} has no {parts} equal parts"))
                    .at(0, axis)
            })?;
            vec![part; *parts as usize]
        }
        sizes => sizes.to_vec(),
    };
    let total = sizes.iter().cloned().fold(Size::Known(0), |sum, size| sum + size);
    if !call.dims.equal(&total, whole) {
        return Err(Misfit::shape(format!("the parts have {total} in all, the axis has {whole}"))
            .at(0, axis));
    }
    let mut start = Size::Known(0);
    let parts = sizes.into_iter().map(|size| {
        let mut cuts: SmallVec<[Cut; 1]> = ty.shape.iter().map(Cut::all).collect();
        cuts[axis] = Cut::Range { start: start.clone(), size: size.clone(), step: 1 };
        start = start.clone() + size;
        apply(Slice { cuts }, vec![call.tensor(0)])
    });
    Ok(parts.collect())
}

pub fn pad(call: &Call) -> Result<Vec<Term>, Misfit> {
    let Value::Pairs(pairs) = &call.values[1] else {
        return Err(Misfit::call("`pad` takes a pair for each axis"));
    };
    if let Some(axis) = pairs.iter().position(|(low, high)| {
        [low, high].iter().any(|size| size.known().is_some_and(|size| size < 0))
    }) {
        return Err(Misfit::call(format!("`pad` of axis {axis} by less than nothing"))
            .at(0, axis)
            .help("cut with a slice, as in `x[1:-1]`"));
    }
    let between = match &call.values[3] {
        Value::Sizes(sizes) => sizes.iter().map(|size| size.known().unwrap_or(0).max(0)).collect(),
        _ => vec![0; pairs.len()],
    };
    if between.len() != pairs.len() {
        return Err(Misfit::call("`pad` takes as many numbers for `between` as pairs"));
    }
    let (low, high) = pairs.iter().cloned().unzip();
    let pad = Pad { low, high, between };
    let padded = apply(pad.clone(), vec![call.tensor(0)]);
    let Value::Tensor(value) = call.values[2] else { return Ok(vec![padded]) };
    let ones = spread(1.into(), &call.ty(0).shape, &all(call.ty(0).rank()));
    let inside = apply(Scalar::Eq, vec![apply(pad, vec![ones]), 1.into()]);
    Ok(vec![select(inside, padded, Term::Var(value))])
}

pub fn squeeze(call: &Call) -> Result<Vec<Term>, Misfit> {
    let ty = call.ty(0);
    let axes = call.axes(0, |rank| (0..rank).filter(|&axis| ty.shape[axis].is_one()).collect())?;
    if let Some(&axis) =
        axes.iter().find(|&&axis| !call.dims.equal(&ty.shape[axis], &Size::Known(1)))
    {
        return Err(
            Misfit::shape(format!("`squeeze` of an axis of size {}", ty.shape[axis])).at(0, axis)
        );
    }
    let to: Vec<Size> = (0..ty.rank())
        .filter(|axis| !axes.contains(axis))
        .map(|axis| ty.shape[axis].clone())
        .collect();
    Ok(vec![reshape(call.tensor(0), &to)])
}

pub fn unsqueeze(call: &Call) -> Result<Vec<Term>, Misfit> {
    let ty = call.ty(0);
    let rank = ty.rank() as i64 + 1;
    let axis = match call.axes {
        Some([AxisRef::Number(number)]) if (-rank..rank).contains(number) => {
            number.rem_euclid(rank) as usize
        }
        _ => {
            return Err(Misfit {
                code: "E0209",
                ..Misfit::call("`unsqueeze` takes the number of the new axis")
            }
            .help("write `unsqueeze[1](x)`"));
        }
    };
    let mut to = ty.shape.clone();
    to.insert(axis, Size::Known(1));
    Ok(vec![spread(call.tensor(0), &to, &[axis])])
}

pub fn roll(call: &Call) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, |rank| (rank == 1).then_some(0))?;
    let (ty, by) = (call.ty(0), call.int(1, 1));
    let size = &ty.shape[axis];
    let (head, tail) = match (size.known(), by) {
        (Some(0), _) | (_, 0) => return Ok(vec![call.tensor(0)]),
        (Some(n), _) => (Size::Known(n - by.rem_euclid(n)), Size::Known(by.rem_euclid(n))),
        (None, by) if by > 0 => (size.clone() - Size::Known(by), Size::Known(by)),
        (None, by) => (Size::Known(-by), size.clone() - Size::Known(-by)),
    };
    let part = |start: Size, size: Size| {
        let mut cuts: SmallVec<[Cut; 1]> = ty.shape.iter().map(Cut::all).collect();
        cuts[axis] = Cut::Range { start, size, step: 1 };
        apply(Slice { cuts }, vec![call.tensor(0)])
    };
    Ok(vec![apply(Concat { axis }, vec![part(head.clone(), tail), part(Size::Known(0), head)])])
}

/// Every axis repeated as a whole: each axis gets a new one in front, broadcast, then the two are one.
pub fn tile(call: &Call) -> Result<Vec<Term>, Misfit> {
    let (ty, counts) = (call.ty(0), call.sizes(1));
    if counts.len() != ty.rank() {
        let message = format!("`tile` of {ty}: {} counts for {} axes", counts.len(), ty.rank());
        return Err(Misfit::call(message).at(0, None));
    }
    let wide: Vec<Size> = counts
        .iter()
        .zip(&ty.shape)
        .flat_map(|(count, size)| [count.clone(), size.clone()])
        .collect();
    let new: Vec<usize> = (0..ty.rank()).map(|axis| 2 * axis).collect();
    let to: Vec<Size> =
        counts.iter().zip(&ty.shape).map(|(count, size)| count.clone() * size.clone()).collect();
    Ok(vec![reshape(spread(call.tensor(0), &wide, &new), &to)])
}

pub fn repeat_each(call: &Call) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, |rank| (rank == 1).then_some(0))?;
    let (ty, count) = (call.ty(0), call.size(1));
    let mut wide = ty.shape.to_vec();
    wide.insert(axis + 1, count.clone());
    let mut to = ty.shape.to_vec();
    to[axis] = count * to[axis].clone();
    Ok(vec![reshape(spread(call.tensor(0), &wide, &[axis + 1]), &to)])
}

pub fn scattered(call: &Call) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, |_| Some(0))?;
    Ok(vec![apply(ScatterAdd { axis }, vec![Term::Var(0), Term::Var(1), Term::Var(2)])])
}

pub fn diag(call: &Call) -> Result<Vec<Term>, Misfit> {
    let kind = if call.ty(0).rank() == 1 { Diag::Make } else { Diag::Take };
    if call.ty(0).rank() > 2 {
        let message = format!("`diag` takes a vector or a matrix; this is {}", call.ty(0));
        return Err(Misfit::rank(message)
            .at(0, None)
            .help("`diagonal` and `diag_embed` take more axes"));
    }
    Ok(vec![apply(kind, vec![call.tensor(0)])])
}

pub fn one_hot(call: &Call) -> Result<Vec<Term>, Misfit> {
    let rank = call.ty(0).rank();
    let axis = match call.axes {
        None => rank,
        Some([AxisRef::Number(number)]) if (0..=rank as i64).contains(number) => *number as usize,
        Some(_) => return Err(Misfit::call("`one_hot` takes the number of the new axis")),
    };
    Ok(vec![apply(OneHot { dtype: call.float, size: call.size(1), axis }, vec![call.tensor(0)])])
}

pub fn triangle(call: &Call, upper: bool) -> Result<Vec<Term>, Misfit> {
    Ok(vec![apply(Triangle { upper, diagonal: call.int(1, 0) }, vec![call.tensor(0)])])
}

pub fn einsum(call: &Call) -> Result<Vec<Term>, Misfit> {
    let Value::Text(text) = &call.values[0] else {
        return Err(Misfit::call("`einsum` takes its letters in quotes first"));
    };
    let einsum = Einsum::parse(text).map_err(Misfit::call)?;
    let ranks = einsum.inputs.iter().map(|input| input.len());
    if let Some(i) = ranks.zip(call.types).position(|(letters, ty)| letters != ty.rank()) {
        let (letters, ty) = (einsum.inputs[i].len(), &call.types[i]);
        let message = format!("{letters} letters for the {} axes of {ty}", ty.rank());
        return Err(Misfit::rank(message).at(i, None));
    }
    let (einsum, pairs) = einsum.diagonals();
    let operands = (0..call.types.len()).map(|i| {
        let mut term = Term::Var(i);
        let mut rank = call.ty(i).rank();
        for &(one, two) in pairs.get(i).into_iter().flatten() {
            let others = (0..rank).filter(|axis| ![one, two].contains(axis));
            let order: Vec<usize> = others.chain([one, two]).collect();
            term = apply(Diag::Take, vec![permute(term, &order)]);
            rank -= 1;
        }
        term
    });
    Ok(vec![apply(einsum, operands.collect())])
}

pub fn order(call: &Call) -> Result<Vec<Term>, Misfit> {
    let order = call
        .sizes(1)
        .iter()
        .map(|size| usize::try_from(size.known().unwrap_or(-1)).unwrap_or(usize::MAX));
    Ok(vec![apply(Permute { order: order.collect() }, vec![call.tensor(0)])])
}

pub fn flatten(call: &Call) -> Result<Vec<Term>, Misfit> {
    Ok(vec![reshape(call.tensor(0), &[elements(&call.ty(0).shape)])])
}

pub fn trace(call: &Call) -> Result<Vec<Term>, Misfit> {
    let rank = call.ty(0).rank();
    let diagonal = apply(Diag::Take, vec![call.tensor(0)]);
    Ok(vec![fold(Fold::Sum, &[rank.saturating_sub(2)], diagonal)])
}

pub fn sorted(call: &Call, places: bool) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, last)?;
    Ok(vec![apply(Sort { axis, descending: call.flag(1), places }, vec![call.tensor(0)])])
}

pub fn topk(call: &Call) -> Result<Vec<Term>, Misfit> {
    largest(call.tensor(0), call.ty(0), call.axis(0, last)?, &call.size(1), call.dims)
}

pub fn matrix(call: &Call, of: Matrix) -> Result<Vec<Term>, Misfit> {
    Ok(vec![apply(of, vec![call.tensor(0)])])
}

pub fn solve(call: &Call) -> Result<Vec<Term>, Misfit> {
    let of = match (call.flag(2), call.flag(3)) {
        (false, false) => Of::Whole,
        (true, false) => Of::Lower,
        (false, true) => Of::Upper,
        (true, true) => return Err(Misfit::call("`solve` reads the lower or the upper triangle")),
    };
    Ok(vec![apply(Solve { of }, vec![call.tensor(0), call.tensor(1)])])
}

pub fn clip(_call: &Call) -> Result<Vec<Term>, Misfit> {
    let above = apply(Scalar::Maximum, vec![Term::Var(0), Term::Var(1)]);
    Ok(vec![apply(Scalar::Minimum, vec![above, Term::Var(2)])])
}

pub fn shaped(call: &Call) -> Result<Vec<Term>, Misfit> {
    let shape: Shape = call.sizes(1).into();
    Ok(vec![reshape(call.tensor(0), &shape)])
}

pub fn draw(call: &Call, kind: Distribution) -> Term {
    let random = Random { kind, key: call.key(1), dtype: call.float, shape: call.sizes(0).into() };
    apply(random, (0..call.types.len()).map(Term::Var).collect())
}

pub fn dropout(call: &Call) -> Result<Vec<Term>, Misfit> {
    let rate = match call.values[1] {
        Value::Number(rate) => rate,
        _ => Number::ZERO,
    };
    let dropout = Dropout { rate, key: call.key(2) };
    Ok(vec![apply(dropout, (0..call.types.len()).map(Term::Var).collect())])
}

pub fn number(value: i32) -> Term {
    Term::Number(Number::int(i64::from(value)))
}
