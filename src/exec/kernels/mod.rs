//! The inner loops of the executor: the one place where `unsafe` is allowed.
#![allow(unsafe_code)]

pub mod memory;
pub mod spans;
