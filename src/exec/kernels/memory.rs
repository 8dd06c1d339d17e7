//! The memory of a run: one block, in which steps read and write spans.

use crate::tensor::Element;
use std::cell::RefCell;
use std::marker::PhantomData;

/// 64 bytes, as a cache line lies.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Zeroed bytes from a multiple of 64 on.
#[derive(Clone, Default)]
pub struct Block {
    lines: Vec<Line>,
}

impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({} bytes)", self.lines.len() * 64)
    }
}

impl Block {
    /// At least `bytes` bytes, as far as there is memory.
    pub fn new(bytes: usize) -> Option<Block> {
        let count = bytes.div_ceil(64);
        let mut lines = Vec::new();
        lines.try_reserve_exact(count).ok()?;
        lines.resize(count, Line([0; 64]));
        Some(Block { lines })
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.lines.len() * 64
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The block for the steps of a run.
    pub fn shared(&mut self) -> Shared<'_> {
        let at = self.lines.as_mut_ptr().cast();
        Shared { at, bytes: self.len(), far: &[], life: PhantomData }
    }

    /// The elements from byte `at` on.
    pub fn read<T: Element>(&self, at: usize, count: usize) -> &[T] {
        let shared = Shared {
            at: self.lines.as_ptr().cast_mut().cast(),
            bytes: self.len(),
            far: &[],
            life: PhantomData,
        };
        let span = shared.span::<T>(at, count);
        // SAFETY: `span` has checked the bounds; the block is borrowed, so that nothing writes.
        unsafe { std::slice::from_raw_parts(span.at, count) }
    }

    /// The elements from byte `at` on, to be written.
    pub fn write<T: Element>(&mut self, at: usize, count: usize) -> &mut [T] {
        let span = self.shared().span::<T>(at, count);
        // SAFETY: `span` has checked the bounds; the block is borrowed for as long as the slice.
        unsafe { std::slice::from_raw_parts_mut(span.at, count) }
    }
}

/// Addresses from here on are of places that may be elsewhere in each run: of place `(at - FAR) / EACH` the byte
/// `(at - FAR) % EACH`.
pub const FAR: usize = 1 << (usize::BITS - 1);
/// The bytes of such a place, and how many there can be; none where addresses are short.
const EACH: usize = 1 << (usize::BITS - 9);
/// The number of such places.
pub const PLACES: usize = if usize::BITS == 64 { 256 } else { 0 };

/// The first address of a place elsewhere.
pub fn far(place: usize) -> usize {
    FAR + place * EACH
}

/// The place elsewhere that an address belongs to.
pub fn place(at: usize) -> Option<usize> {
    at.checked_sub(FAR).map(|at| at / EACH)
}

/// A place elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Far {
    at: *mut u8,
    bytes: usize,
}

impl Far {
    /// No place.
    pub const NONE: Far = Far { at: std::ptr::null_mut(), bytes: 0 };
}

/// A block while its steps run. The plan sees to it that no element is written while another reads or writes it.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    at: *mut u8,
    bytes: usize,
    far: &'a [Far],
    life: PhantomData<&'a mut [u8]>,
}

// SAFETY: an address; what is done there is the plan's affair, which gives threads disjoint parts.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// The part of so many bytes from byte `at` on.
    ///
    /// # Panics
    /// Beyond the block: a bug of the caller.
    pub fn within(self, at: usize, bytes: usize) -> Shared<'a> {
        let part = self.span::<bool>(at, bytes);
        Shared { at: part.at.cast(), bytes, far: &[], life: PhantomData }
    }

    /// So many bytes from byte `at` on, as a place for another block.
    ///
    /// # Panics
    /// Beyond the block: a bug of the caller.
    pub fn far(self, at: usize, bytes: usize) -> Far {
        Far { at: self.span::<bool>(at, bytes).at.cast(), bytes }
    }

    /// The block with places elsewhere.
    pub fn with<'b>(self, far: &'b [Far]) -> Shared<'b>
    where
        'a: 'b,
    {
        Shared { far, ..self }
    }

    /// `count` elements from byte `at` on.
    ///
    /// # Panics
    /// Beyond the block, or where `at` is no multiple of the element's size: a bug of the caller.
    #[inline]
    pub fn span<T: Element>(self, at: usize, count: usize) -> Span<T> {
        let size = size_of::<T>();
        let (start, bytes, at) = match place(at) {
            None => (self.at, self.bytes, at),
            Some(place) => (self.far[place].at, self.far[place].bytes, (at - FAR) % EACH),
        };
        let end = count.checked_mul(size).and_then(|bytes| bytes.checked_add(at));
        assert!(
            end.is_some_and(|end| end <= bytes) && at.is_multiple_of(size),
            "a span in the block"
        );
        // SAFETY: within the block or the place, as checked.
        Span { at: unsafe { start.add(at) }.cast(), len: count }
    }
}

/// Elements in memory, which others may hold too.
#[derive(Debug)]
pub struct Span<T> {
    pub(super) at: *mut T,
    pub(super) len: usize,
}

impl<T> Clone for Span<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Span<T> {}

// SAFETY: as of `Shared`.
unsafe impl<T> Send for Span<T> {}
// SAFETY: as of `Shared`.
unsafe impl<T> Sync for Span<T> {}

impl<T: Element> Span<T> {
    /// The elements of a slice, which is borrowed for as long as the span is used: the affair of who makes it.
    pub(super) fn of(slice: &mut [T]) -> Span<T> {
        Span { at: slice.as_mut_ptr(), len: slice.len() }
    }

    /// The number of elements.
    pub fn len(self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// `count` elements from `from` on.
    ///
    /// # Panics
    /// Beyond the span: a bug of the caller.
    #[inline]
    pub fn part(self, from: usize, count: usize) -> Span<T> {
        assert!(from.checked_add(count).is_some_and(|end| end <= self.len), "a part of the span");
        // SAFETY: within the span, as checked.
        Span { at: unsafe { self.at.add(from) }, len: count }
    }

    /// The elements, for as long as nothing writes them.
    #[inline]
    pub fn read<'a>(self) -> &'a [T] {
        // SAFETY: within the block; that nothing writes meanwhile is the plan's affair.
        unsafe { std::slice::from_raw_parts(self.at, self.len) }
    }

    /// The elements, for as long as nothing else reads or writes them.
    #[inline]
    pub fn write<'a>(self) -> &'a mut [T] {
        // SAFETY: within the block; that nothing else is at it meanwhile is the plan's affair.
        unsafe { std::slice::from_raw_parts_mut(self.at, self.len) }
    }
}

thread_local! {
    static SCRATCH: RefCell<Block> = RefCell::default();
}

/// Runs `work` over at least `bytes` bytes that belong to the thread and keep nothing from one use to the next.
pub fn with_scratch<R>(bytes: usize, work: impl FnOnce(Shared<'_>) -> R) -> R {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut block) => {
            if block.len() < bytes {
                *block = Block::new(bytes).expect("scratch memory is small");
            }
            work(block.shared())
        }
        // Within other work over scratch memory.
        Err(_) => work(Block::new(bytes).expect("scratch memory is small").shared()),
    })
}
