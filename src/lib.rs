//! pullback
pub mod cli;
pub mod diagnostic;
pub mod autodiff;
pub mod graph;
pub mod lower;
pub mod ops;
pub mod syntax;
pub mod tensor;
