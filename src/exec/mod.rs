//! Models and numbers to numbers.

pub mod init;
pub mod kernels;
pub mod pool;
pub mod reference;

pub use reference::{RunError, run};
