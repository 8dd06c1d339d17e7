//! pullback
pub mod cli;
pub mod diagnostic;
pub mod syntax;
pub mod tensor;
