//! Arrays as their files store them, read row by row when rows are wanted.

use std::fs::File;
use std::io::Read;
use std::ops::Range;

use flate2::Crc;
use ndarray::{ArrayViewD, IxDyn};

use super::Loaded;
use super::elements::{self, Layout};
use super::error::Fault;
use crate::each_buffer;
use crate::tensor::Tensor;
use crate::train::{Buffer, Buffered};

/// The most bytes that are read from a file at once.
const PIECE: usize = 1 << 20;

/// An array in the representation of its file.
#[derive(Debug)]
pub struct Raw {
    layout: Layout,
    place: Place,
    /// What is still to be compared with the bytes of the file.
    sum: Option<Sum>,
}

/// The CRC-32 that an archive has of a member.
#[derive(Clone, Copy, Debug)]
pub struct Sum {
    /// The byte of the file where the member starts; it ends with the array.
    pub start: u64,
    /// What the archive says.
    pub crc: u32,
}

/// Where the bytes are.
#[derive(Debug)]
enum Place {
    /// In memory.
    Held(Vec<u8>),
    /// In a file, from this byte on.
    File(File, u64),
}

impl Raw {
    /// The array whose bytes stand in `file` from byte `start` on; the caller knows that they are there.
    pub fn lying(file: File, start: u64, layout: Layout) -> Raw {
        Raw { layout, place: Place::File(file, start), sum: None }
    }

    /// The same, where the bytes have this sum, which `hold` and `compare` look at.
    pub fn summed(self, sum: Sum) -> Raw {
        Raw { sum: Some(sum), ..self }
    }

    /// The array whose bytes come next.
    pub fn held(reader: &mut dyn Read, layout: Layout) -> Result<Raw, Fault> {
        let place = Place::Held(elements::bytes(reader, &layout)?);
        Ok(Raw { layout, place, sum: None })
    }

    /// The array of a tensor.
    pub fn of(tensor: &Tensor) -> Raw {
        let mut bytes = Vec::new();
        elements::write(&mut bytes, tensor).expect("memory takes all bytes");
        let shape = tensor.shape().iter().map(|&size| size as u64).collect();
        let stored = elements::Stored::of(tensor.dtype());
        let layout = Layout { stored, big_endian: false, fortran: false, shape };
        Raw { layout, place: Place::Held(bytes), sum: None }
    }

    /// The first of the same bytes under another layout, which asks for no more of them.
    pub fn shaped(self, layout: Layout) -> Raw {
        Raw { layout, ..self }
    }

    /// The rows of `layout` of single bytes, each beginning `step` bytes behind the one before; they are there.
    pub fn windows(mut self, layout: Layout, step: usize) -> Result<Raw, Fault> {
        self.hold()?;
        let (count, length) = (layout.shape[0] as usize, layout.shape[1] as usize);
        let mut bytes: Vec<u8> = Vec::new();
        bytes.try_reserve_exact(count * length).map_err(|_| Fault::Memory(count * length))?;
        if let Place::Held(all) = &self.place {
            (0..count).for_each(|row| bytes.extend(&all[row * step..row * step + length]));
        }
        Ok(Raw { layout, place: Place::Held(bytes), sum: None })
    }

    /// How the elements lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> Vec<usize> {
        self.layout.shape.iter().map(|&size| size as usize).collect()
    }

    /// The bytes in memory.
    pub fn in_memory(&self) -> usize {
        match &self.place {
            Place::Held(bytes) => bytes.len(),
            Place::File(..) => 0,
        }
    }

    /// Whether the bytes are read from a file when they are wanted.
    pub fn is_in_file(&self) -> bool {
        matches!(self.place, Place::File(..))
    }

    /// Brings all elements into memory, in row-major order.
    pub fn hold(&mut self) -> Result<(), Fault> {
        if let Place::File(file, start) = &self.place {
            let mut bytes = elements::room(self.layout.bytes()? as usize)?;
            read_at(file, *start, &mut bytes)?;
            if let Some(sum) = self.sum.take() {
                let mut before = vec![0; (*start - sum.start) as usize];
                read_at(file, sum.start, &mut before)?;
                let mut found = Crc::new();
                found.update(&before);
                found.update(&bytes);
                sum.equals(&found)?;
            }
            self.place = Place::Held(bytes);
        }
        if !self.has_rows() {
            // The axes of the file are the last first, and the bytes of an element stay together.
            let rank = self.layout.shape.len();
            let size = self.layout.stored.size() as usize;
            let axes: Vec<usize> = self.shape().into_iter().rev().chain([size]).collect();
            let order: Vec<usize> = (0..rank).rev().chain([rank]).collect();
            if let Place::Held(bytes) = &mut self.place {
                let array = ArrayViewD::from_shape(IxDyn(&axes), bytes)
                    .map_err(|_| Fault::Shape(self.layout.shape.clone()))?;
                *bytes = array.permuted_axes(order).iter().copied().collect();
            }
        }
        self.layout.fortran = false;
        Ok(())
    }

    /// Reads an array that lies in a file once, and compares its sum where there is one.
    pub fn compare(&mut self) -> Result<(), Fault> {
        let (Place::File(file, start), Some(sum)) = (&self.place, self.sum.take()) else {
            return Ok(());
        };
        let end = start + self.layout.bytes()?;
        let (mut at, mut found, mut piece) = (sum.start, Crc::new(), Vec::new());
        while at < end {
            piece.resize((end - at).min(PIECE as u64) as usize, 0);
            read_at(file, at, &mut piece)?;
            found.update(&piece);
            at += piece.len() as u64;
        }
        sum.equals(&found)
    }

    /// Whether each row is one run of bytes.
    pub fn has_rows(&self) -> bool {
        !self.layout.fortran || self.layout.shape.len() < 2
    }

    /// All elements, read now.
    pub fn load(&self) -> Result<Loaded, Fault> {
        let tensor = match &self.place {
            Place::Held(bytes) => elements::read(&mut &bytes[..], &self.layout)?,
            Place::File(file, start) => elements::read(&mut At { file, at: *start }, &self.layout)?,
        };
        Ok(Loaded { tensor, stored: self.layout.stored.name() })
    }

    /// Keeps only these rows, which there are.
    pub fn keep(&mut self, rows: Range<usize>) -> Result<(), Fault> {
        if !self.has_rows() {
            self.hold()?;
        }
        self.compare()?;
        let bytes = self.row_bytes();
        match &mut self.place {
            Place::Held(held) => {
                held.truncate(rows.end * bytes);
                held.drain(..rows.start * bytes);
            }
            Place::File(_, start) => *start += (rows.start * bytes) as u64,
        }
        self.layout.shape[0] = rows.len() as u64;
        Ok(())
    }

    /// Writes the named rows one after the other into `into`, which has room for just these. There is an axis, rows are runs
    /// of bytes, and the rows are there: the caller has seen to it.
    pub fn gather(&self, rows: &[usize], into: Buffer) -> Result<(), Fault> {
        let bytes = self.row_bytes();
        if bytes == 0 || rows.is_empty() {
            return Ok(());
        }
        each_buffer!(into, to => match &self.place {
            Place::Held(held) => self.pick(held, rows, bytes, to),
            Place::File(file, start) => {
                let width = to.len() / rows.len();
                self.seek(file, *start, rows, |place, bytes| {
                    self.decode(bytes, &mut to[place * width..(place + 1) * width], rows[place] * width)
                })
            }
        })
    }

    /// The bytes of the named rows one after the other, as they lie in the file. The array lies in one, and the rows are there.
    pub fn bytes_of(&self, rows: &[usize], into: &mut Vec<u8>) -> Result<(), Fault> {
        let bytes = self.row_bytes();
        into.resize(rows.len() * bytes, 0);
        match &self.place {
            Place::File(file, start) if bytes > 0 => self.seek(file, *start, rows, |place, row| {
                into[place * bytes..(place + 1) * bytes].copy_from_slice(row);
                Ok(())
            }),
            _ => Ok(()),
        }
    }

    /// What `gather` writes, of bytes as `bytes_of` gives them from byte `start` on.
    pub fn decoded(
        &self,
        bytes: &[u8],
        start: usize,
        rows: &[usize],
        into: Buffer,
    ) -> Result<(), Fault> {
        let size = self.row_bytes();
        if size == 0 || rows.is_empty() {
            return Ok(());
        }
        let bytes = &bytes[start..start + rows.len() * size];
        each_buffer!(into, to => {
            let width = to.len() / rows.len();
            let parts = to.chunks_exact_mut(width).zip(bytes.chunks_exact(size));
            parts.zip(rows).try_for_each(|((to, bytes), row)| self.decode(bytes, to, row * width))
        })
    }

    /// The bytes of one row.
    fn row_bytes(&self) -> usize {
        let size = self.layout.stored.size() as usize;
        self.layout.shape[1..].iter().map(|&size| size as usize).product::<usize>() * size
    }

    fn pick<T: Buffered>(
        &self,
        held: &[u8],
        rows: &[usize],
        bytes: usize,
        to: &mut [T],
    ) -> Result<(), Fault> {
        let width = to.len() / rows.len();
        for (to, &row) in to.chunks_exact_mut(width).zip(rows) {
            self.decode(&held[row * bytes..(row + 1) * bytes], to, row * width)?;
        }
        Ok(())
    }

    /// Reads rows in the order of the file, those that follow each other at once; `take` gets the place of each among `rows`,
    /// and its bytes.
    fn seek(
        &self,
        file: &File,
        start: u64,
        rows: &[usize],
        mut take: impl FnMut(usize, &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let bytes = self.row_bytes();
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_unstable_by_key(|&place| rows[place]);
        let most = (PIECE / bytes).max(1);
        let mut piece = Vec::new();
        let mut rest = &order[..];
        while let Some(&first) = rest.first() {
            let follows = |pair: &&[usize]| rows[pair[1]] == rows[pair[0]] + 1;
            let count = 1 + rest.windows(2).take(most - 1).take_while(follows).count();
            piece.resize(count * bytes, 0);
            read_at(file, start + (rows[first] * bytes) as u64, &mut piece)?;
            let (run, later) = rest.split_at(count);
            for (&place, bytes) in run.iter().zip(piece.chunks_exact(bytes)) {
                take(place, bytes)?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Decodes the elements from number `first` on.
    fn decode<T: Buffered>(&self, bytes: &[u8], to: &mut [T], first: usize) -> Result<(), Fault> {
        let Layout { stored, big_endian, .. } = self.layout;
        elements::decode(stored, big_endian, bytes, T::buffer(to))
            .map_err(|fault| fault.after(first))
    }
}

impl Sum {
    fn equals(self, found: &Crc) -> Result<(), Fault> {
        match found.sum() == self.crc {
            true => Ok(()),
            false => Err(Fault::Archive(
                "the bytes are not those that were stored: their CRC-32 differs".into(),
            )),
        }
    }
}

/// Reads a file from a place on.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(self.at, to)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Fills `to` with the bytes of a file from `start` on.
fn read_at(file: &File, start: u64, to: &mut [u8]) -> Result<(), Fault> {
    let wanted = to.len() as u64;
    elements::fill(&mut At { file, at: start }, to, wanted, 0)
}

/// Reading at a place, whatever other threads read meanwhile.
trait ReadAt {
    fn read_at(&self, at: u64, to: &mut [u8]) -> std::io::Result<usize>;
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, at: u64, to: &mut [u8]) -> std::io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, to, at)
    }

    #[cfg(windows)]
    fn read_at(&self, at: u64, to: &mut [u8]) -> std::io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, to, at)
    }
}
