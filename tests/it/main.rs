//! All integration tests, in one binary.

mod command;
mod data;
mod diagnostics;
mod render;
mod syntax;
