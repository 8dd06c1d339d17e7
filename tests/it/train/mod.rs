//! Training: data sets, steps, loops.

mod peer;
mod plain;
mod printed;
mod resume;
mod rows;
mod sweep;
