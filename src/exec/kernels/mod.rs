//! The inner loops of the executor, compiled for every SIMD level: the one place where `unsafe` is allowed.
//!
//! `RUSTFLAGS=-Zsanitizer=address cargo +nightly test --target x86_64-unknown-linux-gnu --test it -- kernels` checks every
//! address that they touch, but those of machine code that `emit` makes: there the tests look at what lies behind.
//! `cargo bench --bench kernels` tells how fast they are.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod conv;
pub mod emit;
pub mod fold;
pub mod gemm;
mod lanes;
mod level;
mod math;
pub mod memory;
mod pairs;
pub mod pool;
mod portable;
pub mod rows;
mod scratch;
pub mod spans;
mod team;

pub use lanes::Float;
pub use level::Level;
pub use math::Math;
pub use team::Team;

/// Who works, and with which instructions.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The instructions.
    pub level: Level,
    /// The threads.
    pub team: &'a Team,
}

/// Cuts a slice into pieces of `each` elements and has a team work on them; `work` gets their numbers.
pub fn split<T: Send>(
    team: &Team,
    slice: &mut [T],
    each: usize,
    work: &(dyn Fn(usize, &mut [T]) + Sync),
) {
    struct Start<T>(*mut T);
    // SAFETY: pieces do not overlap, and each is worked on once.
    unsafe impl<T: Send> Sync for Start<T> {}
    impl<T> Start<T> {
        fn at(&self, place: usize) -> *mut T {
            self.0.wrapping_add(place)
        }
    }
    let (count, each) = (slice.len(), each.max(1));
    let start = Start(slice.as_mut_ptr());
    team.run(count.div_ceil(each), &|piece| {
        let first = piece * each;
        // SAFETY: within the slice, which is borrowed until `run` returns, and in no other piece.
        let part =
            unsafe { std::slice::from_raw_parts_mut(start.at(first), each.min(count - first)) };
        work(piece, part);
    });
}
