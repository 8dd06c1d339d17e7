//! All integration tests, in one binary.

mod cases;
mod claims;
mod cli;
mod codes;
mod command;
mod data;
mod declared;
mod diagnostics;
mod diff;
mod docs;
mod examples;
mod families;
mod imports;
mod instances;
mod kernels;
mod layers;
mod norms;
mod ops;
mod plan;
mod proofs;
mod readable;
mod readme;
mod render;
mod robust;
mod stated;
mod syntax;
