//! Texts as the numbers of their bytes.

use std::path::Path;

use super::elements::{Layout, Stored};
use super::error::{DataError, Fault};
use super::files::open;
use super::raw::Raw;

/// Rows of text may have so many bytes in all, where they overlap.
const MOST: u64 = 1 << 30;

/// The bytes of a file, as a vector; or, with a length and a step, as rows of that length that begin so many bytes apart. What
/// is left at the end and fills no row is left out.
pub fn open_text(path: &Path, rows: Option<(usize, usize)>) -> Result<Raw, DataError> {
    let (file, bytes) = open(path)?;
    let layout =
        |shape: Vec<u64>| Layout { stored: Stored::U1, big_endian: false, fortran: false, shape };
    let whole = Raw::lying(file.into_inner(), 0, layout(vec![bytes]));
    let Some((length, step)) = rows else { return Ok(whole) };
    let (length, step) = (length as u64, step as u64);
    let count = bytes.checked_sub(length).map_or(0, |rest| rest / step + 1);
    let cut = layout(vec![count, length]);
    if step == length {
        return Ok(whole.shaped(cut));
    }
    let fits = cut.bytes().is_ok_and(|bytes| bytes <= MOST);
    match fits {
        true => whole.windows(cut, step as usize).map_err(|fault| fault.of(path)),
        false => Err(Fault::Shape(cut.shape).of(path)),
    }
}
