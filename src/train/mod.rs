//! Training of models on rows of data.

pub mod rows;

pub use rows::{Buffer, Buffered, Column, Held, Rows, RowsError};
