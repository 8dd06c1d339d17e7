//! Models and numbers to numbers.

pub mod init;
mod random;
pub mod reference;

pub use reference::{RunError, run};
