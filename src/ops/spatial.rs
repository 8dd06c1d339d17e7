//! The calls of convolutions and pools: what is given for each spatial axis, read into operators.

use super::builtin::{Call, Value};
use super::conv::{Conv, Part};
use super::pool::{Kind, Pool};
use super::term::apply;
use super::window::{Frame, span};
use super::{Misfit, Size, Term};

/// What is given for some axes.
#[derive(Clone, Debug, PartialEq)]
pub enum Spatial {
    /// The same for all.
    All(Size),
    /// One for each.
    Each(Vec<Size>),
    /// Two for each: before and behind.
    Pairs(Vec<(Size, Size)>),
    /// A word in quotes.
    Word(String),
}

/// `conv(x, w, stride, padding, dilation, groups)`.
pub fn conv(call: &Call) -> Result<Vec<Term>, Misfit> {
    let (x, w) = (spatial(call, 0)?, spatial(call, 1)?);
    windowed(call, Part::Output, 2, x, w)
}

/// `conv_input(dy, w, sizes, stride, padding, dilation, groups)`.
pub fn conv_input(call: &Call) -> Result<Vec<Term>, Misfit> {
    let window = spatial(call, 1)?;
    let sizes = sizes(call, 2, window.len())?;
    windowed(call, Part::Input(sizes.clone()), 3, &sizes, window)
}

/// `conv_filter(x, dy, window, stride, padding, dilation, groups)`.
pub fn conv_filter(call: &Call) -> Result<Vec<Term>, Misfit> {
    let x = spatial(call, 0)?;
    let window = sizes(call, 2, x.len())?;
    windowed(call, Part::Filter(window.clone()), 3, x, &window)
}

/// `conv_transpose(x, w, stride, padding, dilation, groups, output_padding)`: the adjoint of a convolution with the filters w
/// by its input, whose sizes are the smallest that give those of x, with `output_padding` more behind.
pub fn conv_transpose(call: &Call) -> Result<Vec<Term>, Misfit> {
    let (counts, window) = (spatial(call, 0)?, spatial(call, 1)?);
    if let Value::Spatial(Spatial::Word(word)) = &call.values[3]
        && word != "valid"
    {
        return Err(Misfit::call("`conv_transpose` takes its padding in numbers"));
    }
    let frame = frame(call, 2, counts, window, &vec![1; window.len()])?;
    let more = whole(call, 6, window.len(), 0, 0)?;
    let mut sizes = Vec::new();
    for (axis, count) in counts.iter().enumerate() {
        if more[axis] >= frame.stride[axis] {
            let message = format!(
                "`output_padding` is {} and has to be below the stride, {}",
                more[axis], frame.stride[axis]
            );
            return Err(Misfit::call(message));
        }
        let (low, high) = frame.padding[axis].clone();
        let steps = (count.clone() - Size::Known(1)) * Size::Known(frame.stride[axis]);
        let reach = span(&window[axis], frame.dilation[axis]);
        let size = steps + reach - low - high + Size::Known(more[axis]);
        sizes.push(call.dims.rename(size));
    }
    windowed(call, Part::Input(sizes), 2, counts, window)
}

/// `max_pool(x, window, stride, padding)` and the operators on the same windows of two values.
pub fn max_pool(call: &Call, kind: Kind) -> Result<Vec<Term>, Misfit> {
    let place = call.types.len();
    let window = window(call, place)?;
    let axes = behind(call, 0, window.len())?;
    pooled(call, kind, place, axes, window)
}

/// `avg_pool(x, window, stride, padding, count_pad)`.
pub fn avg_pool(call: &Call) -> Result<Vec<Term>, Misfit> {
    let window = window(call, 1)?;
    let axes = behind(call, 0, window.len())?;
    pooled(call, Kind::Mean { count_pad: call.flag(4) }, 1, axes, window)
}

/// `avg_pool_adjoint(dy, sizes, window, stride, padding, count_pad)`.
pub fn avg_pool_adjoint(call: &Call) -> Result<Vec<Term>, Misfit> {
    let window = window(call, 2)?;
    let sizes = sizes(call, 1, window.len())?;
    let kind = Kind::MeanAdjoint { count_pad: call.flag(5), sizes: sizes.clone() };
    pooled(call, kind, 2, &sizes, window)
}

fn windowed(
    call: &Call,
    part: Part,
    first: usize,
    axes: &[Size],
    window: &[Size],
) -> Result<Vec<Term>, Misfit> {
    if axes.len() != window.len() {
        let message =
            format!("`{}` of {} and {}: ranks differ", call.name, call.types[0], call.types[1]);
        return Err(Misfit::rank(message).at(0, None).at(1, None));
    }
    let frame = frame(call, first, axes, window, &vec![1; axes.len()])?;
    let groups = match &call.values[first + 3] {
        Value::Size(groups) => groups.clone(),
        _ => Size::Known(1),
    };
    if call.dims.resolve(&groups).known().is_some_and(|groups| groups < 1) {
        return Err(Misfit::call(format!("`groups` is {groups} and has to be at least 1")));
    }
    Ok(vec![apply(Conv { part, frame, groups }, vec![Term::Var(0), Term::Var(1)])])
}

/// `place` is where the window is given; stride and padding follow.
fn pooled(
    call: &Call,
    kind: Kind,
    place: usize,
    axes: &[Size],
    window: Vec<i64>,
) -> Result<Vec<Term>, Misfit> {
    let sizes: Vec<Size> = window.iter().copied().map(Size::Known).collect();
    let frame = frame(call, place + 1, axes, &sizes, &window)?;
    let args = (0..call.types.len()).map(Term::Var).collect();
    Ok(vec![apply(Pool { kind, window, frame }, args)])
}

/// The sizes behind the first two axes of value `i`.
fn spatial<'a>(call: &'a Call, i: usize) -> Result<&'a [Size], Misfit> {
    let ty = &call.types[i];
    if ty.rank() < 3 {
        let message = format!("`{}` takes one or more spatial axes; this is {ty}", call.name);
        return Err(Misfit::rank(message)
            .at(i, None)
            .help("images are [N, C, sizes..], filters [O, I, window..]"));
    }
    Ok(&ty.shape[2..])
}

/// The last `count` sizes of value `i`.
fn behind<'a>(call: &'a Call, i: usize, count: usize) -> Result<&'a [Size], Misfit> {
    let ty = &call.types[i];
    match ty.rank().checked_sub(count) {
        Some(lead) => Ok(&ty.shape[lead..]),
        None => {
            let message = format!("`{}` has windows along {count} axes of {ty}", call.name);
            Err(Misfit::rank(message).at(i, None))
        }
    }
}

/// The window at `place`: a list for the last axes, or one number for all behind the first two.
fn window(call: &Call, place: usize) -> Result<Vec<i64>, Misfit> {
    let count = match &call.values[place] {
        Value::Spatial(Spatial::Each(sizes)) => sizes.len(),
        _ => spatial(call, 0)?.len(),
    };
    whole(call, place, count, 1, 1)
}

/// Stride, padding and dilation where the calls have them, from `first` on.
fn frame(
    call: &Call,
    first: usize,
    axes: &[Size],
    window: &[Size],
    stride: &[i64],
) -> Result<Frame, Misfit> {
    let count = axes.len();
    let stride = match &call.values[first] {
        Value::Absent => stride.to_vec(),
        _ => whole(call, first, count, 1, 1)?,
    };
    let dilation = match call.param(first + 2) {
        "dilation" => whole(call, first + 2, count, 1, 1)?,
        _ => vec![1; count],
    };
    let mut frame = Frame { stride, dilation, padding: Vec::new() };
    frame.padding = padding(call, first + 1, axes, window, &frame)?;
    Ok(frame)
}

fn padding(
    call: &Call,
    i: usize,
    axes: &[Size],
    window: &[Size],
    frame: &Frame,
) -> Result<Vec<(Size, Size)>, Misfit> {
    let count = axes.len();
    let pairs: Vec<(Size, Size)> = match &call.values[i] {
        Value::Spatial(Spatial::Word(word)) if word == "valid" => {
            vec![(Size::Known(0), Size::Known(0)); count]
        }
        Value::Spatial(Spatial::Word(word)) if word == "same" => {
            frame.same(axes, window, call.dims).ok_or_else(|| {
                let message = "\"same\" with a stride above the window depends on the size";
                Misfit::call(message).help("write the padding in numbers")
            })?
        }
        Value::Spatial(Spatial::Word(word)) => {
            let message = format!("`padding` is numbers, \"same\" or \"valid\", not \"{word}\"");
            return Err(Misfit::call(message));
        }
        Value::Spatial(Spatial::Pairs(pairs)) => pairs.clone(),
        Value::Spatial(Spatial::Each(sizes)) => {
            sizes.iter().map(|s| (s.clone(), s.clone())).collect()
        }
        Value::Spatial(Spatial::All(size)) => vec![(size.clone(), size.clone()); count],
        _ => vec![(Size::Known(0), Size::Known(0)); count],
    };
    if pairs.len() != count {
        return Err(miscounted(call, i, pairs.len(), count));
    }
    let below = |size: &Size| call.dims.resolve(size).known().is_some_and(|size| size < 0);
    if let Some((low, high)) = pairs.iter().find(|(low, high)| below(low) || below(high)) {
        let message = format!("`padding` is {low} and {high} and has to be at least 0");
        return Err(Misfit::call(message).help("cut with a slice, as in `x[:, :, 1:-1]`"));
    }
    Ok(pairs)
}

/// A list of `count` sizes.
fn sizes(call: &Call, i: usize, count: usize) -> Result<Vec<Size>, Misfit> {
    match &call.values[i] {
        Value::Spatial(Spatial::Each(sizes)) if sizes.len() == count => Ok(sizes.clone()),
        Value::Spatial(Spatial::Each(sizes)) => Err(miscounted(call, i, sizes.len(), count)),
        _ => {
            let message = format!("`{}` of `{}` is a list of sizes", call.param(i), call.name);
            Err(Misfit::call(message))
        }
    }
}

/// A whole number from `least` on for each of `count` axes.
fn whole(
    call: &Call,
    i: usize,
    count: usize,
    default: i64,
    least: i64,
) -> Result<Vec<i64>, Misfit> {
    let (param, name) = (call.param(i), call.name);
    let given = match &call.values[i] {
        Value::Absent => return Ok(vec![default; count]),
        Value::Spatial(Spatial::All(size)) => vec![size.clone(); count],
        Value::Spatial(Spatial::Each(sizes)) if sizes.len() == count => sizes.clone(),
        Value::Spatial(Spatial::Each(sizes)) => {
            return Err(miscounted(call, i, sizes.len(), count));
        }
        _ => {
            let message =
                format!("`{param}` of `{name}` is a number, or a list with one for each axis");
            return Err(Misfit::call(message));
        }
    };
    let numbers = given.iter().map(|size| match call.dims.resolve(size).known() {
        Some(number) if number >= least => Ok(number),
        Some(number) => {
            Err(Misfit::call(format!("`{param}` is {number} and has to be at least {least}")))
        }
        None => {
            Err(Misfit::call(format!("`{param}` of `{name}` is a number, not the size {size}")))
        }
    });
    numbers.collect()
}

fn miscounted(call: &Call, i: usize, given: usize, count: usize) -> Misfit {
    let param = call.param(i);
    Misfit::call(format!("`{}` has {count} spatial axes; `{param}` is for {given}", call.name))
        .at(0, None)
}
