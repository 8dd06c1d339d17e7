//! All integration tests, in one binary.

mod data;
mod ops;
mod render;
mod syntax;
