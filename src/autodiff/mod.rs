//! The chain rule, graph to graph.

mod batch;
mod beside;
mod derivative;
mod forward;
mod guard;
mod need;
mod reverse;
mod scan;

pub use derivative::{derive, expand, expand_innermost, pull, push};
pub use forward::forward_all;
pub use reverse::{Flow, reverse};
pub use scan::active;
