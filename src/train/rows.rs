//! Data sets: columns of arrays whose first axis counts the same rows.

use crate::ops::Name;
use crate::tensor::{Array, DType, Element, Tensor};

/// A column: what each row has of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name of the input.
    pub name: Name,
    /// The element type that `gather` gives.
    pub dtype: DType,
    /// The shape of one row; the whole column has one axis more, in front.
    pub shape: Vec<usize>,
}

impl Column {
    /// The number of elements of one row.
    pub fn width(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A data set, in memory or not; any number of threads may gather from it.
pub trait Rows: Send + Sync {
    /// The number of rows.
    fn len(&self) -> usize;

    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns, each name once.
    fn columns(&self) -> &[Column];

    /// Writes the rows of column number `column` that `rows` names, in that order, one after the other into `into`. A row may
    /// be named several times.
    ///
    /// What `into` holds after an error is not said.
    fn gather(&self, column: usize, rows: &[usize], into: Buffer) -> Result<(), RowsError>;

    /// Tells the rows that will be wanted next, of all columns, so that they may be brought nearer meanwhile. Nothing else
    /// depends on it.
    fn expect(&self, _rows: &[usize]) {}
}

/// Room for elements of one type.
#[derive(Debug)]
pub enum Buffer<'a> {
    /// Truth values.
    Bool(&'a mut [bool]),
    /// 32-bit integers.
    I32(&'a mut [i32]),
    /// 64-bit integers.
    I64(&'a mut [i64]),
    /// 32-bit floats.
    F32(&'a mut [f32]),
    /// 64-bit floats.
    F64(&'a mut [f64]),
}

/// Runs `$body` with `$slice` bound to the typed slice inside a buffer.
#[macro_export]
macro_rules! each_buffer {
    ($buffer:expr, $slice:ident => $body:expr) => {
        match $buffer {
            $crate::train::Buffer::Bool($slice) => $body,
            $crate::train::Buffer::I32($slice) => $body,
            $crate::train::Buffer::I64($slice) => $body,
            $crate::train::Buffer::F32($slice) => $body,
            $crate::train::Buffer::F64($slice) => $body,
        }
    };
}

/// An element type that buffers have.
pub trait Buffered: Element {
    /// The buffer of a slice.
    fn buffer(slice: &mut [Self]) -> Buffer<'_>;
}

macro_rules! buffered {
    ($($variant:ident $type:ty),*) => {$(
        impl Buffered for $type {
            fn buffer(slice: &mut [Self]) -> Buffer<'_> {
                Buffer::$variant(slice)
            }
        }
    )*};
}
buffered!(Bool bool, I32 i32, I64 i64, F32 f32, F64 f64);

impl Buffer<'_> {
    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            Buffer::Bool(_) => DType::Bool,
            Buffer::I32(_) => DType::I32,
            Buffer::I64(_) => DType::I64,
            Buffer::F32(_) => DType::F32,
            Buffer::F64(_) => DType::F64,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        each_buffer!(self, slice => slice.len())
    }

    /// Whether there is room for no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why a data set cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// An array without axes has no rows.
    #[error("`{0}` is one number: it has no rows")]
    Scalar(Name),
    /// Two columns of one name.
    #[error("there are two columns `{0}`")]
    Twice(Name),
    /// Columns of different lengths.
    #[error("`{}` has {} rows and `{}` has {}", first.0, first.1, other.0, other.1)]
    Lengths {
        /// The first column and its rows.
        first: (Name, usize),
        /// The first that differs and its rows.
        other: (Name, usize),
    },
    /// A column that is not there.
    #[error("there is no column {column}: there are {columns}")]
    Column {
        /// The number asked for.
        column: usize,
        /// How many there are.
        columns: usize,
    },
    /// A row that is not there.
    #[error("`{column}` has no row {row}: it has {rows}")]
    Row {
        /// The column's name.
        column: Name,
        /// The row asked for.
        row: usize,
        /// How many there are.
        rows: usize,
    },
    /// A buffer of another element type or length than the rows asked for have.
    #[error("the rows of `{column}` are {wanted} elements of {dtype}; the buffer is {found}")]
    Buffer {
        /// The column's name.
        column: Name,
        /// The elements of the rows asked for.
        wanted: usize,
        /// Their type.
        dtype: DType,
        /// The buffer in words.
        found: String,
    },
    /// The place where the rows lie could not be read.
    #[error(transparent)]
    Unreadable(#[from] Box<dyn std::error::Error + Send + Sync>),
}

/// Compares what `gather` is asked for with what a data set has; answers the column.
pub fn check<'a>(
    set: &'a (impl Rows + ?Sized),
    column: usize,
    rows: &[usize],
    into: &Buffer,
) -> Result<&'a Column, RowsError> {
    let columns = set.columns();
    let missing = RowsError::Column { column, columns: columns.len() };
    let found = columns.get(column).ok_or(missing)?;
    let (name, wanted) = (&found.name, rows.len().checked_mul(found.width()));
    if let Some(&row) = rows.iter().find(|&&row| row >= set.len()) {
        return Err(RowsError::Row { column: name.clone(), row, rows: set.len() });
    }
    if into.dtype() != found.dtype || wanted != Some(into.len()) {
        return Err(RowsError::Buffer {
            column: name.clone(),
            wanted: wanted.unwrap_or(usize::MAX),
            dtype: found.dtype,
            found: format!("{} of {}", into.len(), into.dtype()),
        });
    }
    Ok(found)
}

/// A data set in memory.
#[derive(Clone, Debug, Default)]
pub struct Held {
    rows: usize,
    columns: Vec<Column>,
    tensors: Vec<Tensor>,
}

impl Held {
    /// The data set of tensors whose first axes have the same size.
    pub fn new(arrays: Vec<(Name, Tensor)>) -> Result<Held, RowsError> {
        let mut held = Held::default();
        for (name, tensor) in arrays {
            let Some((&rows, shape)) = tensor.shape().split_first() else {
                return Err(RowsError::Scalar(name));
            };
            let column = Column { name: name.clone(), dtype: tensor.dtype(), shape: shape.into() };
            match held.columns.first() {
                None => held.rows = rows,
                Some(first) if held.rows != rows => {
                    let first = (first.name.clone(), held.rows);
                    return Err(RowsError::Lengths { first, other: (name, rows) });
                }
                Some(_) if held.columns.iter().any(|known| known.name == name) => {
                    return Err(RowsError::Twice(name));
                }
                Some(_) => {}
            }
            held.columns.push(column);
            held.tensors.push(crate::each_dtype!(&tensor, array => standard(array)));
        }
        Ok(held)
    }
}

impl Rows for Held {
    fn len(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn gather(&self, column: usize, rows: &[usize], into: Buffer) -> Result<(), RowsError> {
        let width = check(self, column, rows, &into)?.width();
        let tensor = &self.tensors[column];
        each_buffer!(into, slice => copy(tensor, width, rows, slice));
        Ok(())
    }
}

/// The tensor in row-major order.
fn standard<T: Element>(array: &Array<T>) -> Tensor {
    match array.is_standard_layout() {
        true => T::wrap(array.clone()),
        false => T::wrap(array.as_standard_layout().into_owned().into_shared()),
    }
}

/// Copies rows of `width` elements.
fn copy<T: Element>(tensor: &Tensor, width: usize, rows: &[usize], into: &mut [T]) {
    if width == 0 {
        return;
    }
    let all = T::of(tensor).as_slice().expect("columns are held in row-major order");
    for (to, &row) in into.chunks_exact_mut(width).zip(rows) {
        to.copy_from_slice(&all[row * width..(row + 1) * width]);
    }
}
