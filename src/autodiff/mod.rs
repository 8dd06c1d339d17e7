//! The chain rule, graph to graph.

mod batch;
mod derivative;
mod forward;
mod guard;
mod need;
mod reverse;
mod scan;

pub use derivative::{derive, expand, expand_innermost};
pub use forward::forward;
pub use reverse::{Flow, reverse};
