//! Neighbours in a line, two by two, as two vectors.

use super::lanes::Lanes;

/// The pairs of a line from pair `i` on, as far as there are: their first elements and their second.
#[inline(always)]
pub(super) fn pairs_at<L: Lanes>(line: &[L::Element], i: usize) -> (L, L) {
    let rest = &line[2 * i..];
    let some = |from: usize| {
        let rest = rest.get(from..).unwrap_or_default();
        if rest.is_empty() {
            // Instructions that read nothing at no place are slow.
            return L::of(0.0);
        }
        // SAFETY: no more than there are.
        unsafe {
            match rest.len() >= L::LEN {
                true => L::load(rest.as_ptr()),
                false => L::load_some(rest.as_ptr(), rest.len(), L::of(0.0)),
            }
        }
    };
    some(0).parted(some(L::LEN))
}

/// Writes pairs where `pairs_at` reads them.
#[inline(always)]
pub(super) fn put_pairs<L: Lanes>(
    line: &mut [L::Element],
    i: usize,
    (one, two): (L, L),
    count: usize,
) {
    let to = &mut line[2 * i..][..2 * count];
    let (low, high) = one.laced(two);
    // SAFETY: as many as there is room for.
    unsafe {
        if to.len() == 2 * L::LEN {
            low.store(to.as_mut_ptr());
            high.store(to.as_mut_ptr().add(L::LEN));
        } else {
            low.store_some(to.as_mut_ptr(), to.len().min(L::LEN));
            if to.len() > L::LEN {
                high.store_some(to.as_mut_ptr().add(L::LEN), to.len() - L::LEN);
            }
        }
    }
}
