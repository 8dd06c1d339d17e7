//! All integration tests, in one binary.

mod cases;
mod data;
mod render;
mod syntax;
