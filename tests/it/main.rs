//! All integration tests, in one binary.

mod data;
mod families;
mod render;
mod syntax;
