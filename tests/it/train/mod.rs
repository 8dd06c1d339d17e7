//! Training: data sets, steps, loops.

mod peer;
mod plain;
mod resume;
mod rows;
