//! Data sets of arrays from files: small ones are brought into memory, of large ones rows are read when they are wanted.

use super::ahead::{Ahead, Arrays};
use super::error::{DataError, Fault};
use super::{Opened, Raw};
use crate::tensor::DType;
use crate::train::rows::{self, Buffer, Buffered, Column, Rows, RowsError};
use std::sync::OnceLock;

/// Arrays of files are brought into memory while all together have at most so many bytes.
pub const HELD: u64 = 1 << 30;

/// So many elements are looked at together.
const PIECE: usize = 1 << 16;

/// A data set whose columns are arrays of files.
#[derive(Debug)]
pub struct FileRows {
    rows: usize,
    columns: Vec<Column>,
    arrays: Arrays,
    /// What reads rows before they are wanted, from the first time that some are told.
    ahead: OnceLock<Option<Ahead>>,
}

/// What an array is in a data set.
#[derive(Debug)]
pub struct Part {
    /// The name and type that its rows get; the type fits that of the array.
    pub column: Column,
    /// The array.
    pub opened: Opened,
    /// Where it was found, in words.
    pub from: String,
}

/// What the elements of a column may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The smallest, and whether it may be.
    pub low: (f64, bool),
    /// The largest, and whether it may be.
    pub high: (f64, bool),
}

impl Bounds {
    /// Any finite number.
    pub const FINITE: Bounds =
        Bounds { low: (f64::NEG_INFINITY, false), high: (f64::INFINITY, false) };

    /// Whether an element is within the bounds; NaN never is.
    pub fn hold(&self, v: f64) -> bool {
        (v > self.low.0 || self.low.1 && v == self.low.0)
            && (v < self.high.0 || self.high.1 && v == self.high.0)
    }
}

/// An element that is out of its bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Stray {
    /// The number of the column.
    pub column: usize,
    /// The row.
    pub row: usize,
    /// Where in the row, row-major.
    pub place: usize,
    /// What is there.
    pub value: f64,
}

impl FileRows {
    /// The data set of arrays that all have `rows` rows. Those that lie in files are brought into memory in the order given,
    /// as long as no more than `held` bytes are in memory.
    pub fn new(rows: usize, parts: Vec<Part>, held: u64) -> Result<FileRows, DataError> {
        let (mut columns, mut arrays) = (Vec::new(), Vec::new());
        let mut room = held;
        for Part { column, opened, from } in parts {
            let mut raw = match opened {
                Opened::Raw(raw) => raw,
                Opened::Loaded(loaded) => {
                    let tensor = super::fit(loaded, column.dtype);
                    Raw::of(&tensor.map_err(|fault| fault.at(&from))?)
                }
            };
            let bytes = raw.layout().bytes().map_err(|fault| fault.at(&from))?;
            if bytes <= room || !raw.has_rows() {
                raw.hold().map_err(|fault| fault.at(&from))?;
            }
            raw.compare().map_err(|fault| fault.at(&from))?;
            room = room.saturating_sub(raw.in_memory() as u64);
            columns.push(column);
            arrays.push((raw, from));
        }
        Ok(FileRows { rows, columns, arrays: arrays.into(), ahead: OnceLock::new() })
    }

    /// Where the array of a column was found.
    pub fn origin(&self, column: usize) -> &str {
        &self.arrays[column].1
    }

    /// The first element that is out of the bounds of its column, if there is one. All elements are read.
    pub fn stray(&self, bounds: &[Bounds]) -> Result<Option<Stray>, RowsError> {
        for (number, (column, bounds)) in self.columns.iter().zip(bounds).enumerate() {
            let found = match column.dtype {
                DType::Bool => None,
                DType::I32 => self.searched::<i32>(number, bounds)?,
                DType::I64 => self.searched::<i64>(number, bounds)?,
                DType::F32 => self.searched::<f32>(number, bounds)?,
                DType::F64 => self.searched::<f64>(number, bounds)?,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn searched<T: Buffered + Number>(
        &self,
        number: usize,
        bounds: &Bounds,
    ) -> Result<Option<Stray>, RowsError> {
        let width = self.columns[number].width();
        if width == 0 {
            return Ok(None);
        }
        let most = (PIECE / width).max(1);
        let mut buffer = vec![T::default(); most.min(self.rows) * width];
        for start in (0..self.rows).step_by(most) {
            let rows: Vec<usize> = (start..(start + most).min(self.rows)).collect();
            let elements = &mut buffer[..rows.len() * width];
            self.gather(number, &rows, T::buffer(elements))?;
            if let Some(at) = elements.iter().position(|v| !bounds.hold(v.number())) {
                let (row, place) = (start + at / width, at % width);
                let value = elements[at].number();
                return Ok(Some(Stray { column: number, row, place, value }));
            }
        }
        Ok(None)
    }
}

impl Rows for FileRows {
    fn len(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn gather(&self, column: usize, rows: &[usize], into: Buffer) -> Result<(), RowsError> {
        rows::check(self, column, rows, &into)?;
        let (raw, from) = &self.arrays[column];
        let unreadable = |fault: Fault| RowsError::Unreadable(Box::new(fault.at(from)));
        let ahead = self.ahead.get().and_then(Option::as_ref).filter(|_| raw.is_in_file());
        let done = match ahead.and_then(|ahead| ahead.take(column, rows)) {
            Some((bytes, start)) => raw.decoded(&bytes, start, rows, into),
            None => raw.gather(rows, into),
        };
        done.map_err(unreadable)
    }

    fn expect(&self, rows: &[usize]) {
        if let Some(ahead) = self.ahead.get_or_init(|| Ahead::new(&self.arrays))
            && rows.iter().all(|&row| row < self.rows)
        {
            ahead.expect(rows);
        }
    }
}

/// Elements as numbers.
trait Number: Copy + Default {
    fn number(self) -> f64;
}

macro_rules! number {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn number(self) -> f64 {
                self as f64
            }
        }
    )*};
}
number!(i32, i64, f32, f64);
