//! What is declared of variables, checked on their values.

use crate::diagnostic::Diagnostic;
use crate::graph::{Model, Range, Values, Variable};
use crate::ops::{Bindings, Name, Number, Size};
use crate::tensor::{DType, Tensor};

/// What the first value that breaks its declaration breaks: a range, which NaN is never in, or `symmetric`.
pub fn check(model: &Model, values: &Values, bindings: &Bindings) -> Option<Diagnostic> {
    model.variables.iter().find_map(|(name, variable)| {
        let value = values.get(name)?;
        outside(name, variable, value, bindings).or_else(|| lopsided(name, variable, value))
    })
}

/// The ends of a declared range.
pub fn ends(variable: &Variable, bindings: &Bindings) -> Option<(f64, f64)> {
    let Range { low, high } = variable.range.as_ref()?;
    let end = |(size, number, _): &(Size, Option<Number>, bool)| match number {
        Some(number) => Some(number.to_f64()),
        None => size.eval(bindings).ok().map(|size| size as f64),
    };
    Some((end(low)?, end(high)?))
}

/// The mean of square matrices and their transposes.
pub fn symmetrised(tensor: &Tensor) -> Tensor {
    let shape = tensor.shape().to_vec();
    let Some(turned) = turned(&shape) else { return tensor.clone() };
    let values = tensor.to_f64();
    let both =
        (0..values.len()).map(|place| (values[place] + values[turned(place)]) / 2.0).collect();
    Tensor::from_f64(tensor.dtype(), &shape, both)
}

fn outside(
    name: &Name,
    variable: &Variable,
    value: &Tensor,
    bindings: &Bindings,
) -> Option<Diagnostic> {
    let range = variable.range.as_ref()?;
    let (low, high) = ends(variable, bindings)?;
    let (from, to) = (range.low.2, range.high.2);
    let inside = |v: f64| (v > low || from && v == low) && (v < high || to && v == high);
    let (place, v) = value.to_f64().into_iter().enumerate().find(|(_, v)| !inside(*v))?;
    let (open, close) = (if from { '[' } else { '(' }, if to { ']' } else { ')' });
    let message =
        format!("`{name}` is declared in {open}{low}, {high}{close}; element {place} is {v}");
    let diagnostic = Diagnostic::error("E0406", variable.span, message);
    Some(diagnostic.help("give data within the range, or widen the range"))
}

/// Entries that differ from their mirror images by more than rounding does.
fn lopsided(name: &Name, variable: &Variable, value: &Tensor) -> Option<Diagnostic> {
    if !variable.symmetric {
        return None;
    }
    let turned = turned(value.shape())?;
    let values = value.to_f64();
    let largest = values.iter().filter(|v| v.is_finite()).fold(0.0, |a: f64, v| a.max(v.abs()));
    let tolerance = match value.dtype() {
        DType::F32 => 1e-5 * largest,
        DType::F64 => 1e-12 * largest,
        _ => 0.0,
    };
    let equal = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance;
    let place = (0..values.len()).find(|&place| !equal(values[place], values[turned(place)]))?;
    let (one, two) = (at(value.shape(), place), at(value.shape(), turned(place)));
    let message = format!(
        "`{name}` is declared symmetric; {one} is {} and {two} is {}",
        values[place],
        values[turned(place)]
    );
    let diagnostic = Diagnostic::error("E0408", variable.span, message);
    Some(diagnostic.help("give data that equals its transpose, or leave `symmetric` out"))
}

/// Where the mirror image of a place is; `None` where the last two axes differ.
fn turned(shape: &[usize]) -> Option<impl Fn(usize) -> usize + use<>> {
    let n = match shape {
        [.., rows, columns] if rows == columns => *rows,
        _ => return None,
    };
    Some(move |place: usize| place / (n * n) * n * n + place % n * n + place / n % n)
}

fn at(shape: &[usize], place: usize) -> String {
    let mut rest = place;
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let own = rest % size;
            rest /= size;
            own
        })
        .collect();
    index.reverse();
    format!("[{}]", crate::ops::join(index))
}
