//! Tensors as text: for people abridged and aligned, for programs complete.

use serde_json::{Value, json as object};

use crate::tensor::{Array, Tensor};

/// Tensors with more elements are abridged.
const MOST: usize = 1000;

/// An abridged axis shows so many at each end.
const EDGE: usize = 3;

/// Longer rows are broken.
const COLUMNS: usize = 100;

/// Significant digits of the largest float.
const DIGITS: usize = 6;

/// The tensor for people, laid out as NumPy does: nested brackets, columns aligned, no line end after the last line.
///
/// The largest float shown has six significant digits and the others as many decimals, or an exponent each where their
/// sizes differ too much. Tensors of more than 1000 elements show 3 at each end of an axis.
pub fn tensor(tensor: &Tensor) -> String {
    if tensor.is_empty() {
        let sizes = tensor.shape().iter().map(usize::to_string).collect::<Vec<_>>();
        return format!("[] of shape [{}]", sizes.join(", "));
    }
    match tensor {
        Tensor::Bool(array) => layout(array, |shown| shown.map(bool::to_string).collect()),
        Tensor::I32(array) => layout(array, |shown| shown.map(i32::to_string).collect()),
        Tensor::I64(array) => layout(array, |shown| shown.map(i64::to_string).collect()),
        Tensor::F32(array) => layout(array, |shown| floats(shown.map(|&v| f64::from(v)).collect())),
        Tensor::F64(array) => layout(array, |shown| floats(shown.copied().collect())),
    }
}

/// A number for people: six significant digits, trailing zeros cut.
pub fn number(value: f64) -> String {
    floats(vec![value]).concat()
}

/// Numbers for people, of one width and one notation.
pub fn cells(values: Vec<f64>) -> Vec<String> {
    let texts = floats(values);
    let width = texts.iter().map(String::len).max().unwrap_or(0);
    texts.into_iter().map(|text| format!("{text:>width$}")).collect()
}

/// The tensor for programs: `{"shape": [2], "dtype": "f32", "data": [0.1, "NaN"]}`, elements in row-major order.
///
/// Floats have the fewest digits that read back as the same element; `"NaN"`, `"inf"`, `"-inf"` are strings.
pub fn json(tensor: &Tensor) -> Value {
    fn data<T>(array: &Array<T>, value: impl Fn(&T) -> Value) -> Value {
        array.iter().map(value).collect()
    }
    let data = match tensor {
        Tensor::Bool(array) => data(array, |&v| v.into()),
        Tensor::I32(array) => data(array, |&v| v.into()),
        Tensor::I64(array) => data(array, |&v| v.into()),
        Tensor::F32(array) => data(array, |v| v.to_string().parse().map_or(Value::Null, float)),
        Tensor::F64(array) => data(array, |&v| float(v)),
    };
    object!({"shape": tensor.shape(), "dtype": tensor.dtype().name(), "data": data})
}

/// A float as JSON; NaN and infinities are strings.
pub fn float(value: f64) -> Value {
    match value {
        _ if value.is_finite() => value.into(),
        _ => value.to_string().into(),
    }
}

/// The elements shown, formatted together and laid out in brackets.
fn layout<T>(
    array: &Array<T>,
    format: impl Fn(&mut dyn Iterator<Item = &T>) -> Vec<String>,
) -> String {
    let abridged = array.len() > MOST;
    let indices: Vec<Vec<Option<usize>>> =
        array.shape().iter().map(|&size| shown(size, abridged)).collect();
    let mut cells = Vec::new();
    collect(array, &indices, &mut Vec::new(), &mut cells);
    let texts = format(&mut cells.into_iter());
    let width = texts.iter().map(String::len).max().unwrap_or(0);
    let mut texts = texts.into_iter();
    let mut text = String::new();
    brackets(&indices, 0, width, &mut texts, &mut text);
    text
}

/// The indices of an axis that are shown; `None` stands for those that are not.
fn shown(size: usize, abridged: bool) -> Vec<Option<usize>> {
    match abridged && size > 2 * EDGE {
        true => (0..EDGE).map(Some).chain([None]).chain((size - EDGE..size).map(Some)).collect(),
        false => (0..size).map(Some).collect(),
    }
}

/// The elements shown, in row-major order.
fn collect<'a, T>(
    array: &'a Array<T>,
    indices: &[Vec<Option<usize>>],
    at: &mut Vec<usize>,
    cells: &mut Vec<&'a T>,
) {
    let Some((axis, rest)) = indices.split_first() else {
        cells.extend(array.get(at.as_slice()));
        return;
    };
    for index in axis.iter().flatten() {
        at.push(*index);
        collect(array, rest, at, cells);
        at.pop();
    }
}

/// Writes the axes from `depth` on in brackets, taking the elements' texts in order.
fn brackets(
    indices: &[Vec<Option<usize>>],
    depth: usize,
    width: usize,
    texts: &mut dyn Iterator<Item = String>,
    out: &mut String,
) {
    let Some(axis) = indices.get(depth) else {
        return out.push_str(&texts.next().unwrap_or_default());
    };
    let indent = " ".repeat(depth + 1);
    if depth + 1 < indices.len() {
        let between = "\n".repeat(indices.len() - depth - 1) + &indent;
        out.push('[');
        for (position, index) in axis.iter().enumerate() {
            out.push_str(if position > 0 { &between } else { "" });
            match index {
                Some(_) => brackets(indices, depth + 1, width, texts, out),
                None => out.push_str("..."),
            }
        }
        return out.push(']');
    }
    out.push('[');
    let mut column = indent.len();
    for (position, index) in axis.iter().enumerate() {
        let cell = match index {
            Some(_) => format!("{:>width$}", texts.next().unwrap_or_default()),
            None => "...".to_string(),
        };
        if position > 0 && column + 1 + cell.len() > COLUMNS {
            out.push('\n');
            out.push_str(&indent);
            column = indent.len();
        } else if position > 0 {
            out.push(' ');
            column += 1;
        }
        column += cell.len();
        out.push_str(&cell);
    }
    out.push(']');
}

/// Floats as texts of one notation, decimals or exponents, without the trailing zeros that all have.
fn floats(values: Vec<f64>) -> Vec<String> {
    let sizes = || values.iter().map(|v| v.abs()).filter(|v| v.is_finite() && *v != 0.0);
    let largest = sizes().fold(0.0, f64::max);
    let smallest = sizes().fold(largest, f64::min);
    let uneven = largest / smallest > 1e3 && values.iter().any(|v| v.fract() != 0.0);
    let exponents = exponent(largest) >= DIGITS as i32 || exponent(smallest) < -4 || uneven;
    let decimals = (DIGITS as i32 - 1 - exponent(largest)).max(0) as usize;
    let parts = values.iter().map(|value| match exponents && value.is_finite() {
        true => scientific(*value),
        false if value.is_finite() => (format!("{value:.decimals$}"), String::new()),
        false => (value.to_string().to_lowercase(), String::new()),
    });
    let parts: Vec<(String, String)> = parts.collect();
    let kept = parts.iter().map(|(digits, _)| places(digits.trim_end_matches('0'))).max();
    let cut = |digits: &str| {
        let end = digits.len() - places(digits).saturating_sub(kept.unwrap_or(0));
        digits[..end].trim_end_matches('.').to_string()
    };
    parts.into_iter().map(|(digits, exponent)| cut(&digits) + &exponent).collect()
}

/// The number of digits after the point.
fn places(digits: &str) -> usize {
    digits.split_once('.').map_or(0, |(_, after)| after.len())
}

/// Digits and exponent, as in `1.23457` and `e-5`.
fn scientific(value: f64) -> (String, String) {
    let text = format!("{value:.*e}", DIGITS - 1);
    let at = text.find('e').unwrap_or(text.len());
    (text[..at].to_string(), text[at..].to_string())
}

/// The power of ten of the first digit, after rounding; 0 for 0.
fn exponent(value: f64) -> i32 {
    scientific(value).1.get(1..).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The place of an element as it is indexed: `[1, 0]`, nothing for a scalar.
pub fn index(shape: &[usize], entry: usize) -> String {
    let mut rest = entry;
    let mut places: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let place = rest % size;
            rest /= size;
            place
        })
        .collect();
    places.reverse();
    if places.is_empty() { String::new() } else { format!("[{}]", crate::ops::join(places)) }
}

/// A number with the letter of a power of thousand: `1.50 M`.
pub fn si(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{:.2} G", v / 1e9),
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e3 => format!("{:.2} k", v / 1e3),
        v => format!("{v:.0} "),
    }
}
