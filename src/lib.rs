//! pullback
pub mod diagnostic;
pub mod syntax;
