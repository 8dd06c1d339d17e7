//! Arrays as they stand beside formulas.

use super::phrases::{Phrases, fill};
use crate::cli::show;
use crate::export::sheet::Shown;
use crate::ops::join;
use crate::tensor::Tensor;

/// Larger arrays are said in words.
const ROWS: usize = 8;
const COLUMNS: usize = 8;

/// A value for people: a number, rows of numbers, or in words what it is like.
pub fn shown(tensor: &Tensor, phrases: &Phrases) -> Shown {
    let shape: Vec<usize> = tensor.shape().to_vec();
    // Nobody means anything by -0.
    let values: Vec<f64> = tensor.to_f64().into_iter().map(|value| value + 0.0).collect();
    // Axes in front that have one place go without saying.
    let kept = shape.len() - shape.iter().take_while(|size| **size == 1).count().min(shape.len());
    let kept = &shape[shape.len() - kept..];
    match kept {
        [] => Shown::Number(show::number(values[0])),
        [columns] if (1..=COLUMNS).contains(columns) => Shown::Rows(vec![show::cells(values)]),
        [rows, columns] if (1..=ROWS).contains(rows) && (1..=COLUMNS).contains(columns) => {
            let cells = show::cells(values);
            Shown::Rows(cells.chunks(*columns).map(<[String]>::to_vec).collect())
        }
        _ => {
            let low = values.iter().copied().fold(f64::NAN, f64::min);
            let high = values.iter().copied().fold(f64::NAN, f64::max);
            let (low, high) = (show::number(low), show::number(high));
            Shown::Words(fill(phrases.large, &[&join(&shape), &low, &high]))
        }
    }
}
