//! All integration tests, in one binary.

mod codes;
mod command;
mod data;
mod diagnostics;
mod families;
mod layers;
mod render;
mod robust;
mod syntax;
