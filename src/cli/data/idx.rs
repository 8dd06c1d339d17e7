//! IDX files, the form of MNIST, plain or gzipped.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::Loaded;
use super::elements::{self, Layout, Stored};
use super::error::{DataError, Fault};
use super::files::open;
use super::npz::MAX_EXPANSION;
use super::raw::Raw;

/// The array of an IDX file; gzip is recognised by its first bytes, not by the name.
pub fn read_idx(path: &Path) -> Result<Loaded, DataError> {
    open_idx(path)?.load().map_err(|fault| fault.of(path))
}

/// The array of an IDX file, to be read row by row; a gzipped one is in memory.
pub fn open_idx(path: &Path) -> Result<Raw, DataError> {
    let (mut file, length) = open(path)?;
    let start = file.fill_buf().map_err(|error| Fault::Io(error).of(path))?;
    let opened = match start.starts_with(&[0x1f, 0x8b]) {
        true => packed(&mut MultiGzDecoder::new(file), length),
        false => plain(file, length),
    };
    opened.map_err(|fault| fault.of(path))
}

/// The array that all of the reader's bytes are; they are `length` bytes compressed.
fn packed(reader: &mut dyn Read, length: u64) -> Result<Raw, Fault> {
    let (layout, _) = header(reader)?;
    let declared = layout.bytes()?;
    if declared > length.saturating_mul(MAX_EXPANSION) {
        return Err(Fault::Expansion { declared, compressed: length });
    }
    let raw = Raw::held(reader, layout)?;
    elements::end(reader, declared)?;
    Ok(raw)
}

/// The array that all `length` bytes of the file are.
fn plain(mut file: BufReader<File>, length: u64) -> Result<Raw, Fault> {
    let (layout, before) = header(&mut file)?;
    let (wanted, found) = (layout.bytes()?, length.saturating_sub(before));
    match found.cmp(&wanted) {
        Ordering::Less => Err(Fault::Short { wanted, found }),
        Ordering::Greater => Err(Fault::Long { wanted }),
        Ordering::Equal => Ok(Raw::lying(file.into_inner(), before, layout)),
    }
}

/// How the elements lie that come next, and the bytes of the header.
fn header(reader: &mut dyn Read) -> Result<(Layout, u64), Fault> {
    let other = |why: String| Fault::Form { form: "IDX", why };
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).map_err(|error| other(format!("no first 4 bytes: {error}")))?;
    let stored = match magic {
        [0, 0, 0x08, _] => Stored::U1,
        [0, 0, 0x09, _] => Stored::I1,
        [0, 0, 0x0b, _] => Stored::I2,
        [0, 0, 0x0c, _] => Stored::I4,
        [0, 0, 0x0d, _] => Stored::F4,
        [0, 0, 0x0e, _] => Stored::F8,
        [0, 0, kind, _] => return Err(other(format!("the element type {kind:#04x} is unknown"))),
        _ => return Err(other("it does not start with two zero bytes".to_string())),
    };
    let mut shape = Vec::new();
    for axis in 0..magic[3] {
        let mut size = [0; 4];
        reader
            .read_exact(&mut size)
            .map_err(|error| other(format!("no size of axis {axis}: {error}")))?;
        shape.push(u64::from(u32::from_be_bytes(size)));
    }
    let before = 4 + 4 * u64::from(magic[3]);
    Ok((Layout { stored, big_endian: true, fortran: false, shape }, before))
}
