//! All integration tests, in one binary.

mod codes;
mod command;
mod data;
mod diagnostics;
mod layers;
mod render;
mod syntax;
