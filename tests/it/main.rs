//! All integration tests, in one binary.

mod cases;
mod data;
mod families;
mod render;
mod syntax;
