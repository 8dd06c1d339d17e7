//! Tables of numbers: csv files with a header.

use std::path::{Path, PathBuf};

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use ndarray::{Array1, Array2, ArrayD};

use super::error::{DataError, Fault};
use super::files::open;
use super::{Loaded, TEXT};
use crate::tensor::Tensor;

/// A table, read whole.
pub struct Table {
    path: PathBuf,
    names: Vec<String>,
    columns: Vec<Column>,
}

/// The fields of one column below the header.
enum Column {
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    /// The first field that is no number: its row and text.
    Words(u64, String),
}

/// Reads a csv file: commas, a header with the columns' names, and numbers; a field that is no number matters only when its
/// column is asked for.
pub fn read_table(path: &Path) -> Result<Table, DataError> {
    let (file, _) = open(path)?;
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(file);
    let header = reader.headers().map_err(|error| csv_fault(error).of(path))?.clone();
    if let Some(what) = no_header(&header) {
        return Err(Fault::Names(what).of(path));
    }
    let mut columns: Vec<Column> = header.iter().map(|_| Column::Ints(Vec::new())).collect();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| csv_fault(error).of(path))? {
        let row = record.position().map_or(0, |position| position.record());
        for (column, field) in columns.iter_mut().zip(&record) {
            column.push(row, field);
        }
    }
    let names = header.iter().map(str::to_string).collect();
    Ok(Table { path: path.to_path_buf(), names, columns })
}

impl Table {
    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The column as a vector, i64 if all its fields are integers, else f64.
    pub fn get(&self, name: &str) -> Result<Loaded, DataError> {
        let tensor = match self.column(name)? {
            Column::Ints(values) => vector(values.clone()).into(),
            Column::Floats(values) => vector(values.clone()).into(),
            Column::Words(row, text) => return Err(self.word(name, *row, text)),
        };
        Ok(Loaded { tensor, stored: TEXT })
    }

    /// The columns side by side, `[rows, columns]`; one column is a vector, and none asked for are all.
    pub fn select(&self, names: &[String]) -> Result<Loaded, DataError> {
        if let [name] = names {
            return self.get(name);
        }
        let names = if names.is_empty() { &self.names } else { names };
        let mut tensors = Vec::new();
        for name in names {
            tensors.push(self.get(name)?.tensor);
        }
        let rows = tensors.first().map_or(0, Tensor::len);
        let ints: Option<Vec<_>> = tensors.iter().map(ints).collect();
        let tensor = match ints {
            Some(columns) => beside(rows, &columns),
            None => beside(rows, &tensors.iter().map(Tensor::to_f64).collect::<Vec<_>>()),
        };
        Ok(Loaded { tensor, stored: TEXT })
    }

    fn column(&self, name: &str) -> Result<&Column, DataError> {
        let mut found = self.names.iter().zip(&self.columns).filter(|(known, _)| *known == name);
        match (found.next(), found.next()) {
            (Some((_, column)), None) => Ok(column),
            (Some(_), Some(_)) => {
                let what = format!("two columns are named `{name}`");
                Err(Fault::Names(what).of(&self.path))
            }
            _ => Err(DataError::Missing {
                file: self.path.display().to_string(),
                kind: "column",
                name: name.to_string(),
                known: self.names.clone(),
            }),
        }
    }

    fn word(&self, name: &str, row: u64, text: &str) -> DataError {
        let what = match text {
            "" => "nothing is there; write `nan` for a number that is missing".to_string(),
            text => format!("`{}` is no number", text.chars().take(40).collect::<String>()),
        };
        Fault::Field { row, column: name.to_string(), what }.of(&self.path)
    }
}

impl Column {
    fn push(&mut self, row: u64, field: &str) {
        match self {
            Column::Words(..) => {}
            Column::Ints(values) => match (field.parse(), field.parse()) {
                (Ok(value), _) => values.push(value),
                (_, Ok(value)) => {
                    let earlier = values.iter().map(|&value| value as f64);
                    *self = Column::Floats(earlier.chain([value]).collect());
                }
                _ => *self = Column::Words(row, field.to_string()),
            },
            Column::Floats(values) => match field.parse() {
                Ok(value) => values.push(value),
                Err(_) => *self = Column::Words(row, field.to_string()),
            },
        }
    }
}

/// What keeps the first line from being a header.
fn no_header(header: &StringRecord) -> Option<String> {
    if header.is_empty() {
        return Some(
            "the file is empty; a line with the names of the columns is wanted".to_string(),
        );
    }
    let numbers = header.iter().all(|name| name.parse::<f64>().is_ok());
    numbers.then(|| {
        "these are numbers; a line with the names of the columns is wanted above them".to_string()
    })
}

fn csv_fault(error: csv::Error) -> Fault {
    let row = error.position().map_or(0, |position| position.record());
    let what = match error.into_kind() {
        ErrorKind::Io(error) => return Fault::Io(error),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where the header has {expected_len}")
        }
        ErrorKind::Utf8 { err, .. } => format!("field {} is not UTF-8", err.field() + 1),
        other => format!("{other:?}"),
    };
    match row {
        0 => Fault::Names(what),
        row => Fault::Row { row, what },
    }
}

fn ints(tensor: &Tensor) -> Option<Vec<i64>> {
    match tensor {
        Tensor::I64(array) => Some(array.iter().copied().collect()),
        _ => None,
    }
}

fn vector<T>(values: Vec<T>) -> ArrayD<T> {
    Array1::from_vec(values).into_dyn()
}

/// Columns of equal length as a matrix.
fn beside<T: Copy>(rows: usize, columns: &[Vec<T>]) -> Tensor
where
    Tensor: From<ArrayD<T>>,
{
    Array2::from_shape_fn((rows, columns.len()), |(row, column)| columns[column][row])
        .into_dyn()
        .into()
}
