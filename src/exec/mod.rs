//! Models and numbers to numbers.

pub mod init;
pub mod kernels;
pub mod plan;
pub mod pool;
pub mod precise;
pub mod reference;

pub use plan::Plan;
pub use reference::{RunError, run};
