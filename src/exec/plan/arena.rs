//! Where values lie: places in one block, free again after their last use.

use std::collections::{BTreeMap, BTreeSet};

/// Places start at multiples of so many bytes.
pub const ALIGN: usize = 64;

/// The free places of a block that grows as needed.
#[derive(Debug, Default)]
pub struct Arena {
    /// Free places by start.
    starts: BTreeMap<usize, usize>,
    /// Free places by size.
    sizes: BTreeSet<(usize, usize)>,
    /// The end of the block.
    end: usize,
}

/// As many bytes as a value takes.
pub fn padded(bytes: usize) -> usize {
    bytes.max(1).next_multiple_of(ALIGN)
}

impl Arena {
    /// A place of so many bytes, the smallest free one that is large enough.
    pub fn take(&mut self, bytes: usize) -> usize {
        let bytes = padded(bytes);
        let fit = self.sizes.range((bytes, 0)..).next().copied();
        let Some((size, start)) = fit else {
            // What is free at the end grows.
            let last = self.starts.last_key_value().map(|(&start, &size)| (start, size));
            if let Some((start, size)) = last.filter(|(start, size)| start + size == self.end) {
                self.forget(start, size);
                self.end = start + bytes;
                return start;
            }
            let start = self.end;
            self.end += bytes;
            return start;
        };
        self.forget(start, size);
        if size > bytes {
            self.keep(start + bytes, size - bytes);
        }
        start
    }

    /// Frees a place.
    pub fn give(&mut self, mut start: usize, bytes: usize) {
        let mut size = padded(bytes);
        if let Some((&before, &length)) = self.starts.range(..start).next_back()
            && before + length == start
        {
            self.forget(before, length);
            (start, size) = (before, size + length);
        }
        if let Some(&behind) = self.starts.get(&(start + size)) {
            self.forget(start + size, behind);
            size += behind;
        }
        self.keep(start, size);
    }

    /// The number of bytes of the block.
    pub fn bytes(&self) -> usize {
        self.end
    }

    fn keep(&mut self, start: usize, size: usize) {
        self.starts.insert(start, size);
        self.sizes.insert((size, start));
    }

    fn forget(&mut self, start: usize, size: usize) {
        self.starts.remove(&start);
        self.sizes.remove(&(size, start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_grow_together() {
        let mut arena = Arena::default();
        let places: Vec<usize> = (0..3).map(|_| arena.take(100)).collect();
        assert_eq!(places, [0, 128, 256]);
        arena.give(0, 100);
        arena.give(128, 100);
        assert_eq!(arena.take(200), 0);
        arena.give(256, 100);
        assert_eq!(arena.take(500), 256);
        assert_eq!(arena.bytes(), 256 + 512);
    }
}
