//! All integration tests, in one binary.

mod data;
mod render;
mod syntax;
