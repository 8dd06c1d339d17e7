//! IDX files, the form of MNIST, plain or gzipped.

use std::io::{BufRead, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::Loaded;
use super::elements::{self, Layout, Stored};
use super::error::{DataError, Fault};
use super::files::open;
use super::npz::MAX_EXPANSION;

/// The array of an IDX file; gzip is recognised by its first bytes, not by the name.
pub fn read_idx(path: &Path) -> Result<Loaded, DataError> {
    let (mut file, length) = open(path)?;
    let start = file.fill_buf().map_err(|error| Fault::Io(error).of(path))?;
    let loaded = match start.starts_with(&[0x1f, 0x8b]) {
        true => read(&mut MultiGzDecoder::new(file), length, true),
        false => read(&mut file, length, false),
    };
    loaded.map_err(|fault| fault.of(path))
}

/// The array that all of the reader's bytes are; they come from `length` bytes in the file, which may be compressed.
fn read(reader: &mut dyn Read, length: u64, compressed: bool) -> Result<Loaded, Fault> {
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
    let layout = Layout { stored, big_endian: true, fortran: false, shape };
    let (wanted, found) = (layout.bytes()?, length.saturating_sub(4 + 4 * u64::from(magic[3])));
    if compressed && wanted > length.saturating_mul(MAX_EXPANSION) {
        return Err(Fault::Expansion { declared: wanted, compressed: length });
    }
    if !compressed && wanted > found {
        return Err(Fault::Short { wanted, found });
    }
    let tensor = elements::read(reader, &layout)?;
    elements::end(reader, wanted)?;
    Ok(Loaded { tensor, stored: stored.name() })
}
