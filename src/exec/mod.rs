//! Models and numbers to numbers.

pub mod init;
mod kernels;
pub mod plan;
pub mod random;
pub mod reference;

pub use plan::Plan;
pub use reference::{RunError, run};
