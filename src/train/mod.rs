//! Training of models on rows of data.

pub mod rows;

pub use rows::{Buffer, Column, Held, Rows, RowsError};
