//! The inner loops, at every SIMD level that this machine has.

mod conv;
mod emit;
mod fold;
mod gemm;
#[cfg(target_os = "linux")]
mod idle;
mod math;
mod pool;
mod rows;
mod team;

use pullback::exec::kernels::Float;

/// Numbers that look random, the same on every run, from -1 to 1.
pub fn numbers<T: Float>(count: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        T::of_f64((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    };
    (0..count).map(|_| next()).collect()
}
