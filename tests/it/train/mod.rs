//! Training: data sets, and what is shown of it.

mod rows;
mod watch;
