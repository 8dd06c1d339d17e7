//! The functions of the language that are operators: their parameters, and the terms that calls become.

use super::index::{Diag, Gather, OneHot, PutAlong, ScatterAdd, TakeAlong, Triangle};
use super::leaf::{Eye, Iota};
use super::linalg::{Matrix, Of, Solve};
use super::matmul::{Einsum, Outer};
use super::pool;
use super::random::{Distribution, Dropout, Random};
use super::reduce::{ArgReduce, Cumulate, Fold, Running, Softmax};
use super::shape::{Concat, Cut, Flip, Pad, Permute, Slice, Stack};
use super::sort::{Sort, largest};
use super::spatial;
pub use super::spatial::Spatial;
use super::special::StopGradient;
use super::term::{apply, fold, reshape, select, spread, transpose};
use super::{Dims, Misfit, Name, Number, Scalar, Shape, Size, Term, Type, align, elements};
use crate::ops::elementwise::Cast;
use crate::tensor::DType;
use smallvec::SmallVec;

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value.
    Tensor,
    /// A list of values.
    Tensors,
    /// A size.
    Size,
    /// A list of sizes, in brackets or as the rest of the arguments.
    Sizes,
    /// A list of pairs of sizes.
    Pairs,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// Text in quotes.
    Text,
    /// `true` or `false`.
    Flag,
    /// For each spatial axis a size or a pair of sizes; one size for all; or a word in quotes.
    Spatial,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Not given.
    Absent,
    /// The value `Var(i)`.
    Tensor(usize),
    /// The values `Var(i)`.
    Tensors(Vec<usize>),
    /// A size.
    Size(Size),
    /// Sizes.
    Sizes(Vec<Size>),
    /// Pairs of sizes.
    Pairs(Vec<(Size, Size)>),
    /// A whole number.
    Int(i64),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// A flag.
    Flag(bool),
    /// What is given for spatial axes.
    Spatial(Spatial),
}

/// An axis as it is named in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AxisRef {
    /// By name.
    Name(Name),
    /// By number; negative ones count from the end.
    Number(i64),
}

/// A call with its arguments in the order of the parameters.
pub struct Call<'a> {
    /// The function.
    pub name: &'a str,
    /// The types of the values `Var(i)`.
    pub types: &'a [Type],
    /// The arguments.
    pub values: &'a [Value],
    /// The axes in brackets, where there are brackets with axes.
    pub axes: Option<&'a [AxisRef]>,
    /// Whether `keep` stands in the brackets.
    pub keep: bool,
    /// The element type of floats.
    pub float: DType,
    /// The declared dimensions.
    pub dims: &'a Dims,
}

/// A function of the language that is an operator.
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Its parameters.
    pub params: &'static [(&'static str, Kind)],
    /// How many of them must be given.
    pub required: usize,
    /// Whether it takes axes in brackets.
    pub axes: bool,
    /// What it does.
    pub doc: &'static str,
    /// The terms of its results.
    pub build: fn(&Call) -> Result<Vec<Term>, Misfit>,
}

/// The function of that name.
pub fn find(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|builtin| builtin.name == name)
}

/// The number of the axis of `ty` that `axis` means.
pub fn resolve(axis: &AxisRef, ty: &Type) -> Result<usize, Misfit> {
    let missing = |message: String| Misfit { code: "E0209", ..Misfit::call(message) }.at(0, None);
    match axis {
        AxisRef::Number(number) => {
            let place = if *number < 0 { number + ty.rank() as i64 } else { *number };
            usize::try_from(place)
                .ok()
                .filter(|&p| p < ty.rank())
                .ok_or_else(|| missing(format!("{ty} has no axis {number}")))
        }
        AxisRef::Name(name) => {
            let mut places = (0..ty.rank()).filter(|&axis| ty.shape[axis].name() == Some(name));
            match (places.next(), places.next()) {
                (Some(place), None) => Ok(place),
                (Some(_), Some(_)) => Err(missing(format!("{ty} has two axes `{name}`"))
                    .help("name the axis by its number")),
                _ => Err(missing(format!("{ty} has no axis `{name}`"))
                    .help("name the axis by its number, as in `[0]`, `[-1]`")),
            }
        }
    }
}

impl Call<'_> {
    fn ty(&self, i: usize) -> &Type {
        &self.types[i]
    }

    fn tensor(&self, i: usize) -> Term {
        match self.values[i] {
            Value::Tensor(number) => Term::Var(number),
            _ => Term::Var(i),
        }
    }

    fn int(&self, i: usize, default: i64) -> i64 {
        match self.values[i] {
            Value::Int(value) => value,
            _ => default,
        }
    }

    /// The name of parameter `i`; nothing behind the last.
    pub(super) fn param(&self, i: usize) -> &'static str {
        find(self.name).and_then(|builtin| builtin.params.get(i)).map_or("", |(name, _)| name)
    }

    pub(super) fn flag(&self, i: usize) -> bool {
        matches!(self.values[i], Value::Flag(true))
    }

    fn key(&self, i: usize) -> Name {
        match &self.values[i] {
            Value::Text(key) => key.as_str().into(),
            _ => "".into(),
        }
    }

    fn sizes(&self, i: usize) -> &[Size] {
        match &self.values[i] {
            Value::Sizes(sizes) => sizes,
            _ => &[],
        }
    }

    fn size(&self, i: usize) -> Size {
        match &self.values[i] {
            Value::Size(size) => size.clone(),
            _ => Size::Known(0),
        }
    }

    /// The axes in brackets of value `i`, in order; `default` where there are none.
    fn axes(
        &self,
        i: usize,
        default: impl FnOnce(usize) -> Vec<usize>,
    ) -> Result<SmallVec<[usize; 4]>, Misfit> {
        let ty = self.ty(i);
        let Some(named) = self.axes else { return Ok(default(ty.rank()).into()) };
        let mut axes: SmallVec<[usize; 4]> = SmallVec::new();
        for axis in named {
            let place = resolve(axis, ty)?;
            if axes.contains(&place) {
                let message =
                    format!("`{}` names axis {} of {ty} twice", self.name, ty.axis_label(place));
                return Err(Misfit { code: "E0209", ..Misfit::call(message) }.at(i, place));
            }
            axes.push(place);
        }
        axes.sort_unstable();
        Ok(axes)
    }

    fn axis(
        &self,
        i: usize,
        default: impl FnOnce(usize) -> Option<usize>,
    ) -> Result<usize, Misfit> {
        let axes = self.axes(i, |rank| default(rank).into_iter().collect())?;
        match axes.as_slice() {
            [axis] => Ok(*axis),
            _ => {
                let message = format!("`{}` works along one axis of {}", self.name, self.ty(i));
                Err(Misfit { code: "E0209", ..Misfit::call(message) }
                    .at(i, None)
                    .help(format!("name it in brackets, as in `{}[0](x)`", self.name)))
            }
        }
    }

    /// A reduced value with its axes kept at size 1 where that is asked for.
    fn kept(&self, reduced: Term, ty: &Type, axes: &[usize]) -> Term {
        if !self.keep || axes.is_empty() {
            return reduced;
        }
        let to: Vec<Size> = ty
            .shape
            .iter()
            .enumerate()
            .map(|(axis, size)| if axes.contains(&axis) { Size::Known(1) } else { size.clone() })
            .collect();
        spread(reduced, &to, axes)
    }
}

fn all(rank: usize) -> Vec<usize> {
    (0..rank).collect()
}

fn last(rank: usize) -> Option<usize> {
    rank.checked_sub(1)
}

fn reduction(call: &Call, kind: Fold) -> Result<Vec<Term>, Misfit> {
    let (axes, ty) = (call.axes(0, all)?, call.ty(0));
    let counted = kind == Fold::Mean && ty.dtype == DType::Bool;
    let x =
        if counted { apply(Cast { to: call.float }, vec![call.tensor(0)]) } else { call.tensor(0) };
    if axes.is_empty() && ty.dtype == DType::Bool && kind == Fold::Sum {
        return Ok(vec![apply(Cast { to: DType::I64 }, vec![x])]);
    }
    Ok(vec![call.kept(fold(kind, &axes, x), ty, &axes)])
}

fn arg(call: &Call, max: bool) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, last)?;
    let place = apply(ArgReduce { max, axis }, vec![call.tensor(0)]);
    Ok(vec![call.kept(place, call.ty(0), &[axis])])
}

fn running(call: &Call, kind: Running, values: usize) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, last)?;
    let reverse = call.flag(values);
    Ok(vec![apply(Cumulate { kind, axis, reverse }, (0..values).map(Term::Var).collect())])
}

fn filled(value: Term, shape: &[Size]) -> Term {
    if shape.is_empty() { value } else { spread(value, shape, &all(shape.len())) }
}

/// `term` laid into `shape` by the rules of broadcasting.
fn laid(call: &Call, term: Term, ty: &Type, shape: &[Size]) -> Result<Term, Misfit> {
    let map = align::lay(&ty.shape, shape, call.dims).ok_or_else(|| {
        let to = ty.with_shape(shape.iter().cloned());
        Misfit::shape(format!("cannot broadcast {ty} to {to}")).at(0, None)
    })?;
    Ok(apply(align::broadcast(shape, &map), vec![term]))
}

fn concat(call: &Call) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, |rank| (rank == 1).then_some(0))?;
    Ok(vec![apply(Concat { axis }, (0..call.types.len()).map(Term::Var).collect())])
}

fn stack(call: &Call) -> Result<Vec<Term>, Misfit> {
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

fn split(call: &Call) -> Result<Vec<Term>, Misfit> {
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

fn pad(call: &Call) -> Result<Vec<Term>, Misfit> {
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

fn squeeze(call: &Call) -> Result<Vec<Term>, Misfit> {
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

fn unsqueeze(call: &Call) -> Result<Vec<Term>, Misfit> {
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

fn roll(call: &Call) -> Result<Vec<Term>, Misfit> {
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
fn tile(call: &Call) -> Result<Vec<Term>, Misfit> {
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

fn repeat_each(call: &Call) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, |rank| (rank == 1).then_some(0))?;
    let (ty, count) = (call.ty(0), call.size(1));
    let mut wide = ty.shape.to_vec();
    wide.insert(axis + 1, count.clone());
    let mut to = ty.shape.to_vec();
    to[axis] = count * to[axis].clone();
    Ok(vec![reshape(spread(call.tensor(0), &wide, &[axis + 1]), &to)])
}

fn scattered(call: &Call) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, |_| Some(0))?;
    Ok(vec![apply(ScatterAdd { axis }, vec![Term::Var(0), Term::Var(1), Term::Var(2)])])
}

fn diag(call: &Call) -> Result<Vec<Term>, Misfit> {
    let kind = if call.ty(0).rank() == 1 { Diag::Make } else { Diag::Take };
    if call.ty(0).rank() > 2 {
        let message = format!("`diag` takes a vector or a matrix; this is {}", call.ty(0));
        return Err(Misfit::rank(message)
            .at(0, None)
            .help("`diagonal` and `diag_embed` take more axes"));
    }
    Ok(vec![apply(kind, vec![call.tensor(0)])])
}

fn one_hot(call: &Call) -> Result<Vec<Term>, Misfit> {
    let rank = call.ty(0).rank();
    let axis = match call.axes {
        None => rank,
        Some([AxisRef::Number(number)]) if (0..=rank as i64).contains(number) => *number as usize,
        Some(_) => return Err(Misfit::call("`one_hot` takes the number of the new axis")),
    };
    Ok(vec![apply(OneHot { dtype: call.float, size: call.size(1), axis }, vec![call.tensor(0)])])
}

fn triangle(call: &Call, upper: bool) -> Result<Vec<Term>, Misfit> {
    Ok(vec![apply(Triangle { upper, diagonal: call.int(1, 0) }, vec![call.tensor(0)])])
}

fn einsum(call: &Call) -> Result<Vec<Term>, Misfit> {
    let Value::Text(text) = &call.values[0] else {
        return Err(Misfit::call("`einsum` takes its letters in quotes first"));
    };
    let einsum = Einsum::parse(text).map_err(Misfit::call)?;
    Ok(vec![apply(einsum, (0..call.types.len()).map(Term::Var).collect())])
}

fn order(call: &Call) -> Result<Vec<Term>, Misfit> {
    let order = call
        .sizes(1)
        .iter()
        .map(|size| usize::try_from(size.known().unwrap_or(-1)).unwrap_or(usize::MAX));
    Ok(vec![apply(Permute { order: order.collect() }, vec![call.tensor(0)])])
}

fn flatten(call: &Call) -> Result<Vec<Term>, Misfit> {
    Ok(vec![reshape(call.tensor(0), &[elements(&call.ty(0).shape)])])
}

fn trace(call: &Call) -> Result<Vec<Term>, Misfit> {
    let rank = call.ty(0).rank();
    let diagonal = apply(Diag::Take, vec![call.tensor(0)]);
    Ok(vec![fold(Fold::Sum, &[rank.saturating_sub(2)], diagonal)])
}

fn sorted(call: &Call, places: bool) -> Result<Vec<Term>, Misfit> {
    let axis = call.axis(0, last)?;
    Ok(vec![apply(Sort { axis, descending: call.flag(1), places }, vec![call.tensor(0)])])
}

fn topk(call: &Call) -> Result<Vec<Term>, Misfit> {
    largest(call.tensor(0), call.ty(0), call.axis(0, last)?, &call.size(1), call.dims)
}

fn matrix(call: &Call, of: Matrix) -> Result<Vec<Term>, Misfit> {
    Ok(vec![apply(of, vec![call.tensor(0)])])
}

fn solve(call: &Call) -> Result<Vec<Term>, Misfit> {
    let of = match (call.flag(2), call.flag(3)) {
        (false, false) => Of::Whole,
        (true, false) => Of::Lower,
        (false, true) => Of::Upper,
        (true, true) => return Err(Misfit::call("`solve` reads the lower or the upper triangle")),
    };
    Ok(vec![apply(Solve { of }, vec![call.tensor(0), call.tensor(1)])])
}

fn clip(_call: &Call) -> Result<Vec<Term>, Misfit> {
    let above = apply(Scalar::Maximum, vec![Term::Var(0), Term::Var(1)]);
    Ok(vec![apply(Scalar::Minimum, vec![above, Term::Var(2)])])
}

fn shaped(call: &Call) -> Result<Vec<Term>, Misfit> {
    let shape: Shape = call.sizes(1).into();
    Ok(vec![reshape(call.tensor(0), &shape)])
}

fn draw(call: &Call, kind: Distribution) -> Term {
    let random = Random { kind, key: call.key(1), dtype: call.float, shape: call.sizes(0).into() };
    apply(random, (0..call.types.len()).map(Term::Var).collect())
}

fn dropout(call: &Call) -> Result<Vec<Term>, Misfit> {
    let rate = match call.values[1] {
        Value::Number(rate) => rate,
        _ => Number::ZERO,
    };
    let dropout = Dropout { rate, key: call.key(2) };
    Ok(vec![apply(dropout, (0..call.types.len()).map(Term::Var).collect())])
}

fn number(value: i32) -> Term {
    Term::Number(Number::int(i64::from(value)))
}

macro_rules! builtins {
    ($($name:literal($($param:literal: $kind:ident),*) $required:literal $axes:literal $doc:literal => $build:expr;)*) => {
        /// All functions that are operators, but for the rows of `elementwise`.
        pub const BUILTINS: &[Builtin] = &[$(Builtin {
            name: $name,
            params: &[$(($param, Kind::$kind)),*],
            required: $required,
            axes: $axes,
            doc: $doc,
            build: $build,
        }),*];
    };
}

builtins! {
    "sum"("x": Tensor) 1 true "the sum along axes (default: all); of truth values their count" => |c| reduction(c, Fold::Sum);
    "mean"("x": Tensor) 1 true "the mean along axes (default: all)" => |c| reduction(c, Fold::Mean);
    "prod"("x": Tensor) 1 true "the product along axes (default: all)" => |c| reduction(c, Fold::Prod);
    "max"("x": Tensor) 1 true "the largest along axes (default: all)" => |c| reduction(c, Fold::Max);
    "min"("x": Tensor) 1 true "the smallest along axes (default: all)" => |c| reduction(c, Fold::Min);
    "any"("x": Tensor) 1 true "whether one holds along axes (default: all)" => |c| reduction(c, Fold::Any);
    "all"("x": Tensor) 1 true "whether all hold along axes (default: all)" => |c| reduction(c, Fold::All);
    "logsumexp"("x": Tensor) 1 true "the logarithm of the sum of exponentials along axes (default: all)" => |c| reduction(c, Fold::Logsumexp);
    "argmax"("x": Tensor) 1 true "the place of the largest along an axis (default: the last)" => |c| arg(c, true);
    "argmin"("x": Tensor) 1 true "the place of the smallest along an axis (default: the last)" => |c| arg(c, false);
    "softmax"("x": Tensor) 1 true "exponentials over their sum along axes (default: the last)" => |c| Ok(vec![apply(Softmax { axes: c.axes(0, |rank| last(rank).into_iter().collect())? }, vec![c.tensor(0)])]);
    "cumsum"("x": Tensor, "reverse": Flag) 1 true "running sums along an axis (default: the last)" => |c| running(c, Running::Sum, 1);
    "cumprod"("x": Tensor, "reverse": Flag) 1 true "running products along an axis (default: the last)" => |c| running(c, Running::Prod, 1);
    "recurrence"("a": Tensor, "b": Tensor, "reverse": Flag) 2 true "r[k] = a[k] * r[k - 1] + b[k] along an axis (default: the last)" => |c| running(c, Running::Recurrence, 2);
    "outer"("x": Tensor, "y": Tensor) 2 false "each element of x times each of y" => |_| Ok(vec![apply(Outer, vec![Term::Var(0), Term::Var(1)])]);
    "einsum"("letters": Text, "x": Tensors) 2 false "sums of products by letters" => einsum;
    "trace"("x": Tensor) 1 false "the sum of the diagonal" => trace;
    "reshape"("x": Tensor, "shape": Sizes) 2 false "the same elements in another shape" => shaped;
    "flatten"("x": Tensor) 1 false "the same elements along one axis" => flatten;
    "transpose"("x": Tensor) 1 false "the last two axes swapped" => |c| Ok(vec![transpose(c.tensor(0), c.ty(0).rank())]);
    "permute"("x": Tensor, "order": Sizes) 2 false "the axes in another order" => order;
    "squeeze"("x": Tensor) 1 true "without axes of size 1 (default: all of them)" => squeeze;
    "unsqueeze"("x": Tensor) 1 true "with a new axis of size 1" => unsqueeze;
    "broadcast"("x": Tensor, "shape": Sizes) 2 false "repeated to a larger shape" => |c| Ok(vec![laid(c, c.tensor(0), c.ty(0), c.sizes(1))?]);
    "concat"("list": Tensors) 1 true "one behind the other along an axis" => concat;
    "stack"("list": Tensors) 1 true "along a new axis (default: the first)" => stack;
    "split"("x": Tensor, "sizes": Sizes) 2 true "parts along an axis: their sizes, or how many equal ones" => split;
    "pad"("x": Tensor, "pairs": Pairs, "value": Tensor, "between": Sizes) 2 false "a value (default: 0) before and behind each axis, and between neighbours" => pad;
    "flip"("x": Tensor) 1 true "the other way round along axes (default: all)" => |c| Ok(vec![apply(Flip { axes: c.axes(0, all)? }, vec![c.tensor(0)])]);
    "roll"("x": Tensor, "by": Int) 2 true "moved along an axis, what leaves at the end coming back in front" => roll;
    "tile"("x": Tensor, "counts": Sizes) 2 false "repeated as a whole along each axis" => tile;
    "repeat_each"("x": Tensor, "count": Size) 2 true "each slice repeated along an axis" => repeat_each;
    "gather"("x": Tensor, "indices": Tensor) 2 true "slices by number along an axis (default: the first)" => |c| Ok(vec![apply(Gather { axis: c.axis(0, |_| Some(0))? }, vec![Term::Var(0), Term::Var(1)])]);
    "embedding"("table": Tensor, "indices": Tensor) 2 false "rows by number" => |_| Ok(vec![apply(Gather { axis: 0 }, vec![Term::Var(0), Term::Var(1)])]);
    "scatter_add"("base": Tensor, "indices": Tensor, "values": Tensor) 3 true "slices added by number along an axis (default: the first)" => scattered;
    "take_along"("x": Tensor, "indices": Tensor) 2 true "elements by number along an axis (default: the last)" => |c| Ok(vec![apply(TakeAlong { axis: c.axis(0, last)? }, vec![Term::Var(0), Term::Var(1)])]);
    "put_along"("indices": Tensor, "values": Tensor, "size": Size) 3 true "elements added to zeros by number along an axis (default: the last)" => |c| Ok(vec![apply(PutAlong { axis: c.axis(1, last)?, size: c.size(2) }, vec![Term::Var(0), Term::Var(1)])]);
    "one_hot"("indices": Tensor, "size": Size) 2 true "a new axis (default: behind the others) that is 1 at the number" => one_hot;
    "diag"("x": Tensor) 1 false "the diagonal of a matrix, the diagonal matrix of a vector" => diag;
    "diag_embed"("x": Tensor) 1 false "diagonal matrices of the last axis" => |c| Ok(vec![apply(Diag::Make, vec![c.tensor(0)])]);
    "diagonal"("x": Tensor) 1 false "diagonals of the last two axes" => |c| Ok(vec![apply(Diag::Take, vec![c.tensor(0)])]);
    "tril"("x": Tensor, "diagonal": Int) 1 false "zeros above a diagonal (default: the main one)" => |c| triangle(c, false);
    "triu"("x": Tensor, "diagonal": Int) 1 false "zeros below a diagonal (default: the main one)" => |c| triangle(c, true);
    "eye"("size": Size) 1 false "the identity matrix" => |c| Ok(vec![apply(Eye { dtype: c.float, size: c.size(0) }, Vec::new())]);
    "iota"("size": Size) 1 false "0, 1, 2, ... as i64" => |c| Ok(vec![apply(Iota { dtype: DType::I64, size: c.size(0) }, Vec::new())]);
    "zeros"("shape": Sizes) 0 false "0 everywhere" => |c| Ok(vec![filled(number(0), c.sizes(0))]);
    "ones"("shape": Sizes) 0 false "1 everywhere" => |c| Ok(vec![filled(number(1), c.sizes(0))]);
    "full"("shape": Sizes, "value": Tensor) 2 false "one value everywhere" => |c| Ok(vec![laid(c, Term::Var(0), c.ty(0), c.sizes(0))?]);
    "sort"("x": Tensor, "descending": Flag) 1 true "the elements along an axis (default: the last) in order, equal ones as they stand, NaN as the largest" => |c| sorted(c, false);
    "argsort"("x": Tensor, "descending": Flag) 1 true "the places of the elements along an axis (default: the last) in order" => |c| sorted(c, true);
    "topk"("x": Tensor, "k": Size) 2 true "the k largest along an axis (default: the last), falling, NaN first; and their places" => topk;
    "conv"("x": Tensor, "w": Tensor, "stride": Spatial, "padding": Spatial, "dilation": Spatial, "groups": Size) 2 false "cross-correlation of images [N, C, sizes..] with filters [O, C / groups, window..]; padding also pairs, \"same\", \"valid\"" => spatial::conv;
    "conv_input"("dy": Tensor, "w": Tensor, "sizes": Spatial, "stride": Spatial, "padding": Spatial, "dilation": Spatial, "groups": Size) 3 false "the adjoint of conv by images with these spatial sizes" => spatial::conv_input;
    "conv_filter"("x": Tensor, "dy": Tensor, "window": Spatial, "stride": Spatial, "padding": Spatial, "dilation": Spatial, "groups": Size) 3 false "the adjoint of conv by filters with this window" => spatial::conv_filter;
    "conv_transpose"("x": Tensor, "w": Tensor, "stride": Spatial, "padding": Spatial, "dilation": Spatial, "groups": Size, "output_padding": Spatial) 2 false "conv_input to the smallest sizes, output_padding larger; filters [C, O / groups, window..]" => spatial::conv_transpose;
    "max_pool"("x": Tensor, "window": Spatial, "stride": Spatial, "padding": Spatial) 2 false "the largest of each window along the last axes, NaN where one is; ties share the derivative; padding is never the largest" => |c| spatial::max_pool(c, pool::Kind::Max);
    "max_pool_adjoint"("x": Tensor, "dy": Tensor, "window": Spatial, "stride": Spatial, "padding": Spatial) 3 false "each number of dy shared by the largest of its window of x" => |c| spatial::max_pool(c, pool::Kind::MaxAdjoint);
    "max_pool_pick"("x": Tensor, "u": Tensor, "window": Spatial, "stride": Spatial, "padding": Spatial) 3 false "the mean of u where x is the largest of its window" => |c| spatial::max_pool(c, pool::Kind::MaxPick);
    "avg_pool"("x": Tensor, "window": Spatial, "stride": Spatial, "padding": Spatial, "count_pad": Flag) 2 false "the mean of each window along the last axes, padding not counted (count_pad = true: as zeros)" => spatial::avg_pool;
    "avg_pool_adjoint"("dy": Tensor, "sizes": Spatial, "window": Spatial, "stride": Spatial, "padding": Spatial, "count_pad": Flag) 3 false "the adjoint of avg_pool by values with these sizes along the last axes" => spatial::avg_pool_adjoint;
    "cholesky"("a": Tensor) 1 false "the lower L with L @ L' = (a + a') / 2; NaN where that is not positive definite" => |c| matrix(c, Matrix::Cholesky);
    "inverse"("a": Tensor) 1 false "the inverse of matrices; NaN of a singular one" => |c| matrix(c, Matrix::Inverse);
    "logdet"("a": Tensor) 1 false "log |det a| of matrices; -inf of a singular one" => |c| matrix(c, Matrix::Logdet);
    "solve"("a": Tensor, "b": Tensor, "lower": Flag, "upper": Flag) 2 false "the x with a @ x = b; lower, upper: of a triangle of a; NaN of a singular matrix, inf or NaN of a triangle with 0 on its diagonal" => solve;
    "normal"("shape": Sizes, "key": Text) 0 false "draws around 0 with variance 1; equal keys draw the same numbers" => |c| Ok(vec![draw(c, Distribution::Normal)]);
    "uniform"("shape": Sizes, "key": Text) 0 false "draws between 0 and 1; equal keys draw the same numbers" => |c| Ok(vec![draw(c, Distribution::Uniform)]);
    "dropout"("x": Tensor, "rate": Number, "key": Text) 2 false "where training, each element divided by 1 - rate, or, with probability rate, times 0; else x" => dropout;
    "clip"("x": Tensor, "low": Tensor, "high": Tensor) 3 false "not below low, not above high; half of the derivative on the edge" => clip;
    "stop_gradient"("x": Tensor) 1 false "the value, through which nothing flows back" => |c| Ok(vec![apply(StopGradient, vec![c.tensor(0)])]);
}
