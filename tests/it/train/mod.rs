//! Training: data sets.

mod rows;
