//! The inner loops of the executor, compiled for every SIMD level: the one place where `unsafe` is allowed.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod fold;
mod lanes;
mod level;
mod math;
pub mod memory;
mod portable;
pub mod rows;
pub mod spans;
mod team;

pub use lanes::Float;
pub use level::Level;
pub use math::Math;
pub use team::Team;
