//! Memory for a while: each thread keeps what it once needed.

use std::cell::RefCell;

/// 64 bytes, as a cache line lies.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

thread_local! {
    static KEPT: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `work` with room for `count` elements, on a multiple of 64 bytes, of which nothing is known but that each is a
/// value: the elements are plain numbers.
pub(super) fn with<T: super::Float, R>(count: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
    let mut lines = KEPT.with_borrow_mut(Vec::pop).unwrap_or_default();
    let needed = (count * size_of::<T>()).div_ceil(64);
    if lines.len() < needed {
        lines.resize(needed, Line([0; 64]));
    }
    // SAFETY: the lines have room for so many, are aligned for any number, and any bytes are a float.
    let room = unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), count) };
    let result = work(room);
    KEPT.with_borrow_mut(|kept| kept.push(lines));
    result
}
