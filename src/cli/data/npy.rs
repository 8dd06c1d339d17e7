//! NumPy's npy files, versions 1 to 3.

use std::cmp::Ordering;
use std::io::{self, Read, Write};
use std::path::Path;

use super::elements::{self, Layout, Stored};
use super::error::{DataError, Fault};
use super::files::{open, replace};
use super::raw::Raw;
use super::{Loaded, npy_header};
use crate::tensor::Tensor;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The most bytes of a header; 64 axes need less than a tenth.
const MAX_HEADER: u64 = 1 << 16;

/// The array of an npy file.
pub fn read_npy(path: &Path) -> Result<Loaded, DataError> {
    let (mut file, length) = open(path)?;
    read(&mut file, length).map_err(|fault| fault.of(path))
}

/// The array of an npy file, to be read row by row.
pub fn open_npy(path: &Path) -> Result<Raw, DataError> {
    let (mut file, length) = open(path)?;
    let (layout, before) = locate(&mut file, length).map_err(|fault| fault.of(path))?;
    Ok(Raw::lying(file.into_inner(), before, layout))
}

/// Writes an npy file of version 1, row-major and little-endian.
pub fn write_npy(path: &Path, tensor: &Tensor) -> Result<(), DataError> {
    replace(path, |file| write(file, tensor))
}

/// The array that the next `length` bytes are; memory is taken for no more than these can hold.
pub fn read(reader: &mut dyn Read, length: u64) -> Result<Loaded, Fault> {
    let (layout, _) = locate(reader, length)?;
    let tensor = elements::read(reader, &layout)?;
    Ok(Loaded { tensor, stored: layout.stored.name() })
}

/// How the array lies that the next `length` bytes are, and the bytes before its elements, which have been read.
pub fn locate(reader: &mut dyn Read, length: u64) -> Result<(Layout, u64), Fault> {
    let (layout, before) = header(reader, length)?;
    let wanted = layout.bytes()?;
    let found = length.saturating_sub(before);
    match found.cmp(&wanted) {
        Ordering::Less => Err(Fault::Short { wanted, found }),
        Ordering::Greater => Err(Fault::Long { wanted }),
        Ordering::Equal => Ok((layout, before)),
    }
}

/// Writes the tensor as an npy file.
pub fn write(writer: &mut dyn Write, tensor: &Tensor) -> io::Result<()> {
    writer.write_all(&prefix(tensor))?;
    elements::write(writer, tensor)
}

/// The bytes that `write` writes, magic, header and data.
pub fn written_size(tensor: &Tensor) -> u64 {
    prefix(tensor).len() as u64 + tensor.len() as u64 * Stored::of(tensor.dtype()).size()
}

/// Magic and header, a multiple of 64 bytes.
fn prefix(tensor: &Tensor) -> Vec<u8> {
    let stored = Stored::of(tensor.dtype());
    let order = if stored.size() == 1 { '|' } else { '<' };
    let sizes = tensor.shape().iter().map(|size| format!("{size},")).collect::<Vec<_>>().join(" ");
    let sizes = if tensor.shape().len() > 1 { sizes.trim_end_matches(',') } else { &sizes };
    let name = stored.name();
    let text =
        format!("{{'descr': '{order}{name}', 'fortran_order': False, 'shape': ({sizes}), }}");
    let length = (10 + text.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{text:<width$}\n", width = length - 1).into_bytes());
    bytes
}

/// How the data lies that follows, and the bytes before it.
fn header(reader: &mut dyn Read, length: u64) -> Result<(Layout, u64), Fault> {
    let other = |why: &str| Fault::Form { form: "npy", why: why.to_string() };
    let mut start = [0; 8];
    reader.read_exact(&mut start).map_err(|_| other("it has less than 10 bytes"))?;
    if start[..6] != *MAGIC {
        return Err(other("it does not start with \\x93NUMPY"));
    }
    let mut size = [0; 4];
    let width = match start[6] {
        1 => 2,
        2 | 3 => 4,
        version => return Err(other(&format!("version {version} is unknown"))),
    };
    reader.read_exact(&mut size[..width]).map_err(|_| other("it ends before its header"))?;
    let size = u64::from(u32::from_le_bytes(size));
    let before = 8 + width as u64 + size;
    if size > MAX_HEADER || before > length {
        return Err(other(&format!("a header of {size} bytes is declared")));
    }
    let mut text = vec![0; size as usize];
    reader.read_exact(&mut text)?;
    let header = npy_header::parse(&text)?;
    let (stored, big_endian) =
        element(&header.descr).ok_or(Fault::Elements { stored: header.descr })?;
    Ok((Layout { stored, big_endian, fortran: header.fortran, shape: header.shape }, before))
}

/// The element type that a `descr` such as `<f4` names, and whether its high byte comes first.
fn element(descr: &str) -> Option<(Stored, bool)> {
    let name = descr.trim_start_matches(['<', '>', '|', '=']);
    let stored = Stored::named(name).filter(|&stored| stored != Stored::BF2)?;
    (descr.len() - name.len() <= 1).then_some((stored, descr.starts_with('>')))
}
