//! All integration tests, in one binary.

mod cli;
mod codes;
mod command;
mod data;
mod diagnostics;
mod examples;
mod families;
mod layers;
mod readme;
mod render;
mod robust;
mod syntax;
