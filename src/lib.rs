//! pullback
pub mod diagnostic;
pub mod syntax;
pub mod tensor;
