//! pullback
pub mod autodiff;
pub mod cli;
pub mod compile;
pub mod diagnostic;
pub mod exec;
pub mod export;
pub mod graph;
pub mod lower;
pub mod ops;
pub mod passes;
pub mod syntax;
pub mod tensor;
