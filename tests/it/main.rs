//! All integration tests, in one binary.

mod cases;
mod data;
mod families;
mod ops;
mod render;
mod syntax;
