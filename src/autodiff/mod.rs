//! The chain rule, graph to graph.

mod batch;
mod derivative;
mod guard;
mod need;
mod reverse;

pub use derivative::{derive, expand};
pub use reverse::{Flow, reverse};
