//! The chain rule, graph to graph.

mod batch;
mod derivative;
mod reverse;
mod scan;

pub use derivative::{derive, expand};
pub use reverse::{Flow, reverse};
