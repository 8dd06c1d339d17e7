//! The functions of the language that are operators: their parameters, and the terms that calls become.

use super::build::*;
use super::diagonal::Diag;
use super::index::{Gather, PutAlong, TakeAlong};
use super::leaf::{Eye, Iota};
use super::linalg::Matrix;
use super::matmul::Outer;
use super::pool;
use super::random::Distribution;
use super::reduce::{Fold, Softmax};
use super::running::Running;
use super::shape::Flip;
use super::spatial;
pub use super::spatial::Spatial;
use super::special::StopGradient;
use super::term::{apply, spread, transpose};
use super::{Dims, Misfit, Name, Number, Size, Term, Type};
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
    /// What it does, and what it does where there is a choice.
    pub doc: &'static str,
    /// Declarations and a formula with it: `x: f64[N, K]; sum[K](x)`.
    pub example: &'static str,
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
    pub(super) fn ty(&self, i: usize) -> &Type {
        &self.types[i]
    }

    pub(super) fn tensor(&self, i: usize) -> Term {
        match self.values[i] {
            Value::Tensor(number) => Term::Var(number),
            _ => Term::Var(i),
        }
    }

    pub(super) fn int(&self, i: usize, default: i64) -> i64 {
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

    pub(super) fn key(&self, i: usize) -> Name {
        match &self.values[i] {
            Value::Text(key) => key.as_str().into(),
            _ => "".into(),
        }
    }

    pub(super) fn sizes(&self, i: usize) -> &[Size] {
        match &self.values[i] {
            Value::Sizes(sizes) => sizes,
            _ => &[],
        }
    }

    pub(super) fn size(&self, i: usize) -> Size {
        match &self.values[i] {
            Value::Size(size) => size.clone(),
            _ => Size::Known(0),
        }
    }

    /// The axes in brackets of value `i`, in order; `default` where there are none.
    pub(super) fn axes(
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

    pub(super) fn axis(
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
    pub(super) fn kept(&self, reduced: Term, ty: &Type, axes: &[usize]) -> Term {
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

macro_rules! builtins {
    ($($name:literal($($param:literal: $kind:ident),*) $required:literal $axes:literal $doc:literal $($example:literal)? => $build:expr;)*) => {
        /// All functions that are operators, but for the rows of `elementwise`.
        pub const BUILTINS: &[Builtin] = &[$(Builtin {
            name: $name,
            params: &[$(($param, Kind::$kind)),*],
            required: $required,
            axes: $axes,
            doc: $doc,
            example: concat!($($example)?),
            build: $build,
        }),*];
    };
}

builtins! {
    "sum"("x": Tensor) 1 true "the sum along axes (default: all); of truth values their count"
        "x: f64[N, K]; sum[K](x)" => |c| reduction(c, Fold::Sum);
    "mean"("x": Tensor) 1 true "the mean along axes (default: all)"
        "x: f64[N, K]; mean[K](x)" => |c| reduction(c, Fold::Mean);
    "prod"("x": Tensor) 1 true "the product along axes (default: all)"
        "x: f64[N, K]; prod[K](x)" => |c| reduction(c, Fold::Prod);
    "max"("x": Tensor) 1 true "the largest along axes (default: all)"
        "x: f64[N, K]; max[K](x)" => |c| reduction(c, Fold::Max);
    "min"("x": Tensor) 1 true "the smallest along axes (default: all)"
        "x: f64[N, K]; min[K, keep](x)" => |c| reduction(c, Fold::Min);
    "any"("x": Tensor) 1 true "whether one holds along axes (default: all)"
        "x: f64[N, K]; any[K](x > 0)" => |c| reduction(c, Fold::Any);
    "all"("x": Tensor) 1 true "whether all hold along axes (default: all)"
        "x: f64[N, K]; all(x > 0)" => |c| reduction(c, Fold::All);
    "logsumexp"("x": Tensor) 1 true "the logarithm of the sum of exponentials along axes (default: all)"
        "x: f64[N, K]; logsumexp[K](x)" => |c| reduction(c, Fold::Logsumexp);
    "argmax"("x": Tensor) 1 true "the place of the largest along an axis (default: the last)"
        "x: f64[N, K]; argmax[K](x)" => |c| arg(c, true);
    "argmin"("x": Tensor) 1 true "the place of the smallest along an axis (default: the last)"
        "x: f64[N, K]; argmin[K](x)" => |c| arg(c, false);
    "softmax"("x": Tensor) 1 true "exponentials over their sum along axes (default: the last)"
        "x: f64[N, K]; softmax[K](x)" => |c| Ok(vec![apply(Softmax { axes: c.axes(0, |rank| last(rank).into_iter().collect())? }, vec![c.tensor(0)])]);
    "cumsum"("x": Tensor, "reverse": Flag) 1 true "running sums along an axis (default: the last)"
        "x: f64[N, T]; cumsum[T](x)" => |c| running(c, Running::Sum, 1);
    "cumprod"("x": Tensor, "reverse": Flag) 1 true "running products along an axis (default: the last)"
        "x: f64[N, T]; cumprod[T](x)" => |c| running(c, Running::Prod, 1);
    "recurrence"("a": Tensor, "b": Tensor, "reverse": Flag) 2 true "r[k] = a[k] * r[k - 1] + b[k] along an axis (default: the last)"
        "a: f64[T]; b: f64[T]; recurrence(a, b)" => |c| running(c, Running::Recurrence, 2);
    "outer"("x": Tensor, "y": Tensor) 2 false "each element of x times each of y"
        "x: f64[N]; w: f64[K]; outer(x, w)" => |_| Ok(vec![apply(Outer, vec![Term::Var(0), Term::Var(1)])]);
    "einsum"("letters": Text, "x": Tensors) 2 false "sums of products by letters, each operand with a letter for each axis: over those that are not in the result; a letter twice in one operand is its diagonal"
        "x: f64[N, D]; w: f64[D, H]; einsum(\"nd,dh->nh\", x, w)" => einsum;
    "trace"("x": Tensor) 1 false "the sum of the diagonal"
        "x: f64[N, N]; trace(x)" => trace;
    "reshape"("x": Tensor, "shape": Sizes) 2 false "the same elements in another shape"
        "x: f64[N, 6]; reshape(x, [N, 2, 3])" => shaped;
    "flatten"("x": Tensor) 1 false "the same elements along one axis"
        "x: f64[N, K]; flatten(x)" => flatten;
    "transpose"("x": Tensor) 1 false "the last two axes swapped"
        "x: f64[N, K]; transpose(x)" => |c| Ok(vec![transpose(c.tensor(0), c.ty(0).rank())]);
    "permute"("x": Tensor, "order": Sizes) 2 false "the axes in another order"
        "x: f64[N, K, D]; permute(x, [2, 0, 1])" => order;
    "squeeze"("x": Tensor) 1 true "without axes of size 1 (default: all of them)"
        "x: f64[N, 1]; squeeze[1](x)" => squeeze;
    "unsqueeze"("x": Tensor) 1 true "with a new axis of size 1"
        "x: f64[N]; unsqueeze[1](x)" => unsqueeze;
    "broadcast"("x": Tensor, "shape": Sizes) 2 false "repeated to a larger shape"
        "x: f64[K]; broadcast(x, [N, K])" => |c| Ok(vec![laid(c, c.tensor(0), c.ty(0), c.sizes(1))?]);
    "concat"("list": Tensors) 1 true "one behind the other along an axis"
        "x: f64[N, K]; w: f64[N, 3]; concat[1]([x, w])" => concat;
    "stack"("list": Tensors) 1 true "along a new axis (default: the first)"
        "x: f64[N]; w: f64[N]; stack[0]([x, w])" => stack;
    "split"("x": Tensor, "sizes": Sizes) 2 true "parts along an axis: their sizes, or how many equal ones"
        "x: f64[N, 5]; (a, b) = split[1](x, [2, 3]); sum[1](a) * sum[1](b)" => split;
    "pad"("x": Tensor, "pairs": Pairs, "value": Tensor, "between": Sizes) 2 false "a value (default: 0) before and behind each axis, and between neighbours"
        "x: f64[N]; pad(x, [[1, 2]], value = 3)" => pad;
    "flip"("x": Tensor) 1 true "the other way round along axes (default: all)"
        "x: f64[N, K]; flip[K](x)" => |c| Ok(vec![apply(Flip { axes: c.axes(0, all)? }, vec![c.tensor(0)])]);
    "roll"("x": Tensor, "by": Int) 2 true "moved along an axis, what leaves at the end coming back in front"
        "x: f64[N]; roll(x, 1)" => roll;
    "tile"("x": Tensor, "counts": Sizes) 2 false "repeated as a whole along each axis"
        "x: f64[N]; tile(x, [2])" => tile;
    "repeat_each"("x": Tensor, "count": Size) 2 true "each slice repeated along an axis"
        "x: f64[N]; repeat_each(x, 3)" => repeat_each;
    "gather"("x": Tensor, "indices": Tensor) 2 true "slices by number along an axis (default: the first)"
        "x: f64[V, D]; i: i64[N]; gather[V](x, i)" => |c| Ok(vec![apply(Gather { axis: c.axis(0, |_| Some(0))? }, vec![Term::Var(0), Term::Var(1)])]);
    "embedding"("table": Tensor, "indices": Tensor) 2 false "rows by number"
        "w: f64[V, D]; i: i64[N]; embedding(w, i)" => |_| Ok(vec![apply(Gather { axis: 0 }, vec![Term::Var(0), Term::Var(1)])]);
    "scatter_add"("base": Tensor, "indices": Tensor, "values": Tensor) 3 true "slices added by number along an axis (default: the first)"
        "x: f64[V, D]; i: i64[N]; v: f64[N, D]; scatter_add[V](x, i, v)" => scattered;
    "take_along"("x": Tensor, "indices": Tensor) 2 true "elements by number along an axis (default: the last)"
        "x: f64[N, K]; i: i64[N]; take_along[K](x, i)" => |c| Ok(vec![apply(TakeAlong { axis: c.axis(0, last)? }, vec![Term::Var(0), Term::Var(1)])]);
    "put_along"("indices": Tensor, "values": Tensor, "size": Size) 3 true "elements added to zeros by number along an axis (default: the last)"
        "i: i64[N, 2]; v: f64[N, 2]; put_along[1](i, v, K)" => |c| Ok(vec![apply(PutAlong { axis: c.axis(1, last)?, size: c.size(2) }, vec![Term::Var(0), Term::Var(1)])]);
    "one_hot"("indices": Tensor, "size": Size) 2 true "a new axis (default: behind the others) that is 1 at the number"
        "i: i64[N]; one_hot(i, 3)" => one_hot;
    "diag"("x": Tensor) 1 false "the diagonal of a matrix, the diagonal matrix of a vector"
        "x: f64[N]; diag(x)" => diag;
    "diag_embed"("x": Tensor) 1 false "diagonal matrices of the last axis"
        "x: f64[B, N]; diag_embed(x)" => |c| Ok(vec![apply(Diag::Make, vec![c.tensor(0)])]);
    "diagonal"("x": Tensor) 1 false "diagonals of the last two axes"
        "x: f64[B, N, N]; diagonal(x)" => |c| Ok(vec![apply(Diag::Take, vec![c.tensor(0)])]);
    "tril"("x": Tensor, "diagonal": Int) 1 false "zeros above a diagonal (default: the main one)"
        "x: f64[N, K]; tril(x)" => |c| triangle(c, false);
    "triu"("x": Tensor, "diagonal": Int) 1 false "zeros below a diagonal (default: the main one)"
        "x: f64[N, K]; triu(x, 1)" => |c| triangle(c, true);
    "eye"("size": Size) 1 false "the identity matrix"
        "eye(3)" => |c| Ok(vec![apply(Eye { dtype: c.float, size: c.size(0) }, Vec::new())]);
    "iota"("size": Size) 1 false "0, 1, 2, ... as i64"
        "iota(3)" => |c| Ok(vec![apply(Iota { dtype: DType::I64, size: c.size(0) }, Vec::new())]);
    "zeros"("shape": Sizes) 0 false "0 everywhere"
        "zeros(2, 3)" => |c| Ok(vec![filled(number(0), c.sizes(0))]);
    "ones"("shape": Sizes) 0 false "1 everywhere"
        "ones(3)" => |c| Ok(vec![filled(number(1), c.sizes(0))]);
    "full"("shape": Sizes, "value": Tensor) 2 false "one value everywhere"
        "x: f64; full([2, 3], x)" => |c| Ok(vec![laid(c, Term::Var(0), c.ty(0), c.sizes(0))?]);
    "sort"("x": Tensor, "descending": Flag) 1 true "the elements along an axis (default: the last) in order, equal ones as they stand, NaN as the largest"
        "x: f64[N, K]; sort[K](x)" => |c| sorted(c, false);
    "argsort"("x": Tensor, "descending": Flag) 1 true "the places of the elements along an axis (default: the last) in order"
        "x: f64[N, K]; argsort[K](x)" => |c| sorted(c, true);
    "topk"("x": Tensor, "k": Size) 2 true "the k largest along an axis (default: the last), falling, NaN first; and their places"
        "x: f64[N, K]; (a, i) = topk[K](x, 2); a" => topk;
    "conv"("x": Tensor, "w": Tensor, "stride": Spatial, "padding": Spatial, "dilation": Spatial, "groups": Size) 2 false "cross-correlation of images [N, C, sizes..] with filters [O, C / groups, window..]; padding also pairs, \"same\", \"valid\""
        "x: f64[N, C, H, W]; w: f64[O, C, 3, 3]; conv(x, w, padding = \"same\")" => spatial::conv;
    "conv_input"("dy": Tensor, "w": Tensor, "sizes": Spatial, "stride": Spatial, "padding": Spatial, "dilation": Spatial, "groups": Size) 3 false "the adjoint of conv by images with these spatial sizes"
        "d: f64[N, 4, 6, 6]; w: f64[4, 3, 3, 3]; conv_input(d, w, [8, 8])" => spatial::conv_input;
    "conv_filter"("x": Tensor, "dy": Tensor, "window": Spatial, "stride": Spatial, "padding": Spatial, "dilation": Spatial, "groups": Size) 3 false "the adjoint of conv by filters with this window"
        "x: f64[N, 3, 8, 8]; d: f64[N, 4, 6, 6]; conv_filter(x, d, [3, 3])" => spatial::conv_filter;
    "conv_transpose"("x": Tensor, "w": Tensor, "stride": Spatial, "padding": Spatial, "dilation": Spatial, "groups": Size, "output_padding": Spatial) 2 false "conv_input to the smallest sizes, output_padding larger; filters [C, O / groups, window..]"
        "x: f64[N, 4, 6, 6]; w: f64[4, 3, 2, 2]; conv_transpose(x, w, stride = 2)" => spatial::conv_transpose;
    "max_pool"("x": Tensor, "window": Spatial, "stride": Spatial, "padding": Spatial) 2 false "the largest of each window along the last axes, NaN where one is; ties share the derivative; padding is never the largest"
        "x: f64[N, C, 8, 8]; max_pool(x, 2)" => |c| spatial::max_pool(c, pool::Kind::Max);
    "max_pool_adjoint"("x": Tensor, "dy": Tensor, "window": Spatial, "stride": Spatial, "padding": Spatial) 3 false "each number of dy shared by the largest of its window of x"
        "x: f64[N, C, 8, 8]; d: f64[N, C, 4, 4]; max_pool_adjoint(x, d, 2)" => |c| spatial::max_pool(c, pool::Kind::MaxAdjoint);
    "max_pool_pick"("x": Tensor, "u": Tensor, "window": Spatial, "stride": Spatial, "padding": Spatial) 3 false "the mean of u where x is the largest of its window"
        "x: f64[N, C, 8, 8]; u: f64[N, C, 8, 8]; max_pool_pick(x, u, 2)" => |c| spatial::max_pool(c, pool::Kind::MaxPick);
    "avg_pool"("x": Tensor, "window": Spatial, "stride": Spatial, "padding": Spatial, "count_pad": Flag) 2 false "the mean of each window along the last axes, padding not counted (count_pad = true: as zeros)"
        "x: f64[N, C, 8, 8]; avg_pool(x, 3, stride = 1, padding = 1)" => spatial::avg_pool;
    "avg_pool_adjoint"("dy": Tensor, "sizes": Spatial, "window": Spatial, "stride": Spatial, "padding": Spatial, "count_pad": Flag) 3 false "the adjoint of avg_pool by values with these sizes along the last axes"
        "d: f64[N, C, 4, 4]; avg_pool_adjoint(d, [8, 8], 2)" => spatial::avg_pool_adjoint;
    "cholesky"("a": Tensor) 1 false "the lower L with L @ L' = (a + a') / 2; NaN where that is not positive definite"
        "a: f64[N, N]; cholesky(a)" => |c| matrix(c, Matrix::Cholesky);
    "inverse"("a": Tensor) 1 false "the inverse of matrices; NaN of a singular one"
        "a: f64[N, N]; inverse(a)" => |c| matrix(c, Matrix::Inverse);
    "logdet"("a": Tensor) 1 false "log |det a| of matrices; -inf of a singular one"
        "a: f64[N, N]; logdet(a)" => |c| matrix(c, Matrix::Logdet);
    "solve"("a": Tensor, "b": Tensor, "lower": Flag, "upper": Flag) 2 false "the x with a @ x = b; lower, upper: of a triangle of a; NaN of a singular matrix, inf or NaN of a triangle with 0 on its diagonal"
        "a: f64[N, N]; b: f64[N]; solve(a, b)" => solve;
    "clip"("x": Tensor, "low": Tensor, "high": Tensor) 3 false "not below low, not above high; half of the derivative on the edge"
        "x: f64[N]; clip(x, -1, 1)" => clip;
    "stop_gradient"("x": Tensor) 1 false "the value, through which nothing flows back"
        "x: f64[N]; stop_gradient(x) * x" => |c| Ok(vec![apply(StopGradient, vec![c.tensor(0)])]);
    "normal"("shape": Sizes, "key": Text) 0 false "draws around 0 with variance 1; equal keys draw the same numbers"
        "normal(2, 3)" => |c| Ok(vec![draw(c, Distribution::Normal)]);
    "uniform"("shape": Sizes, "key": Text) 0 false "draws between 0 and 1; equal keys draw the same numbers"
        "uniform(3)" => |c| Ok(vec![draw(c, Distribution::Uniform)]);
    "dropout"("x": Tensor, "rate": Number, "key": Text) 2 false "where training, each element divided by 1 - rate, or, with probability rate, times 0; else x"
        "x: f64[N]; dropout(x, 0.1)" => dropout;
}
