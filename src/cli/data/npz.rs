//! NumPy's npz archives: zip files of npy files.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, ZipArchive};

use super::error::{DataError, Fault};
use super::files::{open, replace};
use super::raw::{Raw, Sum};
use super::{Loaded, elements, npy};
use crate::tensor::Tensor;

/// Deflate makes of one byte at most so many.
pub(super) const MAX_EXPANSION: u64 = 1032;

/// An open archive.
pub struct Npz {
    path: PathBuf,
    length: u64,
    archive: ZipArchive<BufReader<File>>,
    arrays: Vec<(String, usize)>,
}

/// How the arrays of an archive are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As they are; quick.
    Stored,
    /// Compressed.
    Deflated,
}

/// Opens an archive; members that are no npy files are passed over.
pub fn open_npz(path: &Path) -> Result<Npz, DataError> {
    let (file, length) = open(path)?;
    let archive = ZipArchive::new(file).map_err(|error| archive_fault(error).of(path))?;
    let members = (0..archive.len()).filter_map(|index| {
        let name = archive.name_for_index(index)?.ok()?;
        Some((name.strip_suffix(".npy")?.to_string(), index))
    });
    let arrays = members.collect();
    Ok(Npz { path: path.to_path_buf(), length, archive, arrays })
}

/// Writes an archive in the order given; the same arrays give the same bytes.
pub fn write_npz(
    path: &Path,
    arrays: &[(String, Tensor)],
    packing: Packing,
) -> Result<(), DataError> {
    replace(path, |file| write(file, arrays, packing))
}

impl Npz {
    /// The names of the arrays in the order of the file.
    pub fn names(&self) -> Vec<String> {
        self.arrays.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The array of that name.
    pub fn get(&mut self, name: &str) -> Result<Loaded, DataError> {
        let index = self.index(name)?;
        self.member(index, |member, length, _, _| {
            let loaded = npy::read(member, length)?;
            elements::end(member, length)?;
            Ok(loaded)
        })
        .map_err(|fault| fault.of_array(&self.path, name))
    }

    /// The array of that name, to be read row by row; a compressed one is in memory.
    pub fn open(&mut self, name: &str) -> Result<Raw, DataError> {
        let index = self.index(name)?;
        let path = self.path.clone();
        self.member(index, |member, length, start, crc| {
            let (layout, before) = npy::locate(member, length)?;
            match start {
                Some(start) => {
                    let raw = Raw::lying(File::open(&path)?, start + before, layout);
                    Ok(raw.summed(Sum { start, crc }))
                }
                None => {
                    let raw = Raw::held(member, layout)?;
                    elements::end(member, length)?;
                    Ok(raw)
                }
            }
        })
        .map_err(|fault| fault.of_array(&self.path, name))
    }

    fn index(&self, name: &str) -> Result<usize, DataError> {
        let found = self.arrays.iter().find(|(known, _)| known == name);
        found.map(|(_, index)| *index).ok_or_else(|| DataError::Missing {
            file: self.path.display().to_string(),
            kind: "array",
            name: name.to_string(),
            known: self.names(),
        })
    }

    /// What `read` makes of a member, of its size, of the byte where it starts in the file if it is stored as it is, and of its
    /// CRC-32.
    fn member<T>(
        &mut self,
        index: usize,
        read: impl FnOnce(&mut dyn Read, u64, Option<u64>, u32) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut member = self.archive.by_index(index).map_err(archive_fault)?;
        let (compressed, declared) = (member.compressed_size(), member.size());
        let is_stored = member.compression() == CompressionMethod::Stored;
        let most = match is_stored {
            true => compressed,
            false => compressed.saturating_mul(MAX_EXPANSION),
        };
        if compressed > self.length {
            return Err(Fault::Short { wanted: compressed, found: self.length });
        }
        if declared > most {
            return Err(Fault::Expansion { declared, compressed });
        }
        let start = member.data_start().filter(|_| is_stored);
        if let Some(start) = start
            && start.saturating_add(declared) > self.length
        {
            return Err(Fault::Short {
                wanted: declared,
                found: self.length.saturating_sub(start),
            });
        }
        let crc = member.crc32();
        read(&mut member, declared, start, crc)
    }
}

/// Writes the arrays as an archive; names are those of the arrays, without suffix.
fn write(
    writer: &mut (impl Write + Seek),
    arrays: &[(String, Tensor)],
    packing: Packing,
) -> io::Result<()> {
    let method = match packing {
        Packing::Stored => CompressionMethod::Stored,
        Packing::Deflated => CompressionMethod::Deflated,
    };
    let mut archive = ZipWriter::new(writer);
    for (name, tensor) in arrays {
        let large = npy::written_size(tensor) >= u64::from(u32::MAX) / 2;
        let options = SimpleFileOptions::default().compression_method(method).large_file(large);
        archive.start_file(format!("{name}.npy"), options).map_err(io::Error::other)?;
        npy::write(&mut archive, tensor)?;
    }
    archive.finish().map_err(io::Error::other)?;
    Ok(())
}

fn archive_fault(error: zip::result::ZipError) -> Fault {
    match error {
        zip::result::ZipError::Io(error) => Fault::Io(error),
        other => Fault::Archive(other.to_string()),
    }
}
