//! pullback
pub mod diagnostic;
pub mod ops;
pub mod syntax;
pub mod tensor;
