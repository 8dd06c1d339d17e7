//! Models and numbers to numbers.

pub mod init;
pub mod reference;

pub use reference::{RunError, run};
