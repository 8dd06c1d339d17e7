//! Runs of elements as files store them, read into tensors and written from them.

use std::io::{self, Read, Write};

use ndarray::{ArrayD, IxDyn};

use super::error::Fault;
use crate::each_dtype;
use crate::tensor::{DType, Tensor};
use crate::train::{Buffer, Buffered};

/// The most axes that are read; NumPy holds as many.
pub const MAX_RANK: usize = 64;

/// An element type of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// One byte, true unless 0.
    B1,
    /// Signed integers of 1, 2, 4, 8 bytes.
    I1,
    /// See `I1`.
    I2,
    /// See `I1`.
    I4,
    /// See `I1`.
    I8,
    /// Unsigned integers of 1, 2, 4, 8 bytes.
    U1,
    /// See `U1`.
    U2,
    /// See `U1`.
    U4,
    /// See `U1`.
    U8,
    /// IEEE binary16.
    F2,
    /// The upper half of an IEEE binary32.
    BF2,
    /// IEEE binary32.
    F4,
    /// IEEE binary64.
    F8,
}

impl Stored {
    /// NumPy's name; `bf2` for bfloat16.
    pub fn name(self) -> &'static str {
        match self {
            Stored::B1 => "b1",
            Stored::I1 => "i1",
            Stored::I2 => "i2",
            Stored::I4 => "i4",
            Stored::I8 => "i8",
            Stored::U1 => "u1",
            Stored::U2 => "u2",
            Stored::U4 => "u4",
            Stored::U8 => "u8",
            Stored::F2 => "f2",
            Stored::BF2 => "bf2",
            Stored::F4 => "f4",
            Stored::F8 => "f8",
        }
    }

    /// The type of that name.
    pub fn named(name: &str) -> Option<Stored> {
        use Stored::*;
        let all = [B1, I1, I2, I4, I8, U1, U2, U4, U8, F2, BF2, F4, F8];
        all.into_iter().find(|stored| stored.name() == name)
    }

    /// The narrowest type of models that has all of its values; of u8 only those that i64 has.
    pub fn held(self) -> DType {
        match self {
            Stored::B1 => DType::Bool,
            Stored::I1 | Stored::I2 | Stored::I4 | Stored::U1 | Stored::U2 => DType::I32,
            Stored::I8 | Stored::U4 | Stored::U8 => DType::I64,
            Stored::F2 | Stored::BF2 | Stored::F4 => DType::F32,
            Stored::F8 => DType::F64,
        }
    }

    /// The type in which elements of `dtype` are stored.
    pub fn of(dtype: DType) -> Stored {
        match dtype {
            DType::Bool => Stored::B1,
            DType::I32 => Stored::I4,
            DType::I64 => Stored::I8,
            DType::F32 => Stored::F4,
            DType::F64 => Stored::F8,
        }
    }

    /// Bytes for one element.
    pub fn size(self) -> u64 {
        match self {
            Stored::B1 | Stored::I1 | Stored::U1 => 1,
            Stored::I2 | Stored::U2 | Stored::F2 | Stored::BF2 => 2,
            Stored::I4 | Stored::U4 | Stored::F4 => 4,
            Stored::I8 | Stored::U8 | Stored::F8 => 8,
        }
    }
}

/// How a run of elements lies in a file.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The type of each.
    pub stored: Stored,
    /// The high byte first.
    pub big_endian: bool,
    /// The first axis fastest.
    pub fortran: bool,
    /// The sizes of the axes.
    pub shape: Vec<u64>,
}

impl Layout {
    /// The bytes of the run; `Fault::Axes` or `Fault::Shape` where they are too many, even beside a size of 0.
    pub fn bytes(&self) -> Result<u64, Fault> {
        if self.shape.len() > MAX_RANK {
            return Err(Fault::Axes);
        }
        let mut nonzero = self.shape.iter().filter(|&&size| size != 0);
        let all = nonzero.try_fold(self.stored.size(), |all, &size| all.checked_mul(size));
        let held = all.filter(|&all| all <= isize::MAX as u64 / 8);
        let all = held.ok_or_else(|| Fault::Shape(self.shape.clone()))?;
        Ok(if self.shape.contains(&0) { 0 } else { all })
    }
}

/// The tensor whose elements come next, in the type `Stored::held`.
///
/// Memory for all elements is taken first: the caller has compared `layout.bytes()` with what can be there.
pub fn read(reader: &mut dyn Read, layout: &Layout) -> Result<Tensor, Fault> {
    match layout.stored.held() {
        DType::Bool => array::<bool>(reader, layout),
        DType::I32 => array::<i32>(reader, layout),
        DType::I64 => array::<i64>(reader, layout),
        DType::F32 => array::<f32>(reader, layout),
        DType::F64 => array::<f64>(reader, layout),
    }
}

/// The bytes of the elements that come next, as they are stored. Memory is taken as in `read`.
pub fn bytes(reader: &mut dyn Read, layout: &Layout) -> Result<Vec<u8>, Fault> {
    let wanted = layout.bytes()?;
    let mut bytes = room(wanted as usize)?;
    fill(reader, &mut bytes, wanted, 0)?;
    Ok(bytes)
}

/// Writes the elements that `bytes` stores into as large a buffer. Small integers become i32 or i64, u4 and u8 i64, halves f32
/// or f64, floats either; other types stay what they are.
pub fn decode(stored: Stored, big_endian: bool, bytes: &[u8], into: Buffer) -> Result<(), Fault> {
    macro_rules! each {
        ($to:ident, $bytes:pat => $value:expr) => {
            each(big_endian, bytes, $to, |$bytes| $value)
        };
    }
    match (stored, into) {
        (Stored::B1, Buffer::Bool(to)) => each!(to, [byte] => byte != 0),
        (Stored::I1, Buffer::I32(to)) => each!(to, b => i8::from_le_bytes(b).into()),
        (Stored::I1, Buffer::I64(to)) => each!(to, b => i8::from_le_bytes(b).into()),
        (Stored::I2, Buffer::I32(to)) => each!(to, b => i16::from_le_bytes(b).into()),
        (Stored::I2, Buffer::I64(to)) => each!(to, b => i16::from_le_bytes(b).into()),
        (Stored::I4, Buffer::I32(to)) => each!(to, b => i32::from_le_bytes(b)),
        (Stored::I8, Buffer::I64(to)) => each!(to, b => i64::from_le_bytes(b)),
        (Stored::U1, Buffer::I32(to)) => each!(to, [byte] => byte.into()),
        (Stored::U1, Buffer::I64(to)) => each!(to, [byte] => byte.into()),
        (Stored::U2, Buffer::I32(to)) => each!(to, b => u16::from_le_bytes(b).into()),
        (Stored::U2, Buffer::I64(to)) => each!(to, b => u16::from_le_bytes(b).into()),
        (Stored::U4, Buffer::I64(to)) => each!(to, b => u32::from_le_bytes(b).into()),
        (Stored::U8, Buffer::I64(to)) => {
            each!(to, b => i64::from_le_bytes(b));
            // Beyond i64 the top bit is set.
            if let Some(index) = to.iter().position(|&value| value < 0) {
                let value = to[index].cast_unsigned().to_string();
                return Err(Fault::Element { index, value, dtype: DType::I64 });
            }
        }
        (Stored::F2, Buffer::F32(to)) => each!(to, b => half(u16::from_le_bytes(b))),
        (Stored::F2, Buffer::F64(to)) => each!(to, b => half(u16::from_le_bytes(b)).into()),
        (Stored::BF2, Buffer::F32(to)) => {
            each!(to, [low, high] => f32::from_le_bytes([0, 0, low, high]))
        }
        (Stored::BF2, Buffer::F64(to)) => {
            each!(to, [low, high] => f32::from_le_bytes([0, 0, low, high]).into())
        }
        (Stored::F4, Buffer::F32(to)) => each!(to, b => f32::from_le_bytes(b)),
        (Stored::F4, Buffer::F64(to)) => each!(to, b => f32::from_le_bytes(b).into()),
        (Stored::F8, Buffer::F32(to)) => each!(to, b => f64::from_le_bytes(b) as f32),
        (Stored::F8, Buffer::F64(to)) => each!(to, b => f64::from_le_bytes(b)),
        (stored, to) => return Err(Fault::Type { stored: stored.name(), dtype: to.dtype() }),
    }
    Ok(())
}

/// Writes the elements in row-major order, the low byte first.
pub fn write(writer: &mut dyn Write, tensor: &Tensor) -> io::Result<()> {
    trait Bytes {
        fn put(&self, out: &mut Vec<u8>);
    }
    macro_rules! bytes {
        ($($type:ty: $value:ident => $bytes:expr),*) => {$(
            impl Bytes for $type {
                fn put(&self, out: &mut Vec<u8>) {
                    let $value = self;
                    out.extend($bytes);
                }
            }
        )*};
    }
    bytes!(bool: v => [u8::from(*v)], i32: v => v.to_le_bytes(), i64: v => v.to_le_bytes(),
        f32: v => v.to_le_bytes(), f64: v => v.to_le_bytes());
    const FULL: usize = 1 << 16;
    let mut buffer = Vec::with_capacity(FULL + 8);
    each_dtype!(tensor, elements => for element in elements.iter() {
        element.put(&mut buffer);
        if buffer.len() >= FULL {
            writer.write_all(&buffer)?;
            buffer.clear();
        }
    });
    writer.write_all(&buffer)
}

/// Whether the reader has come to its end, so that nothing follows the `wanted` bytes of data.
pub fn end(reader: &mut dyn Read, wanted: u64) -> Result<(), Fault> {
    let mut byte = [0];
    loop {
        match reader.read(&mut byte) {
            Ok(0) => return Ok(()),
            Ok(_) => return Err(Fault::Long { wanted }),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Elements of `SIZE` bytes, each made from its bytes, the low one first.
fn each<T, const SIZE: usize>(
    big_endian: bool,
    bytes: &[u8],
    to: &mut [T],
    decode: impl Fn([u8; SIZE]) -> T,
) {
    let pairs = to.iter_mut().zip(bytes.as_chunks::<SIZE>().0);
    match big_endian {
        false => pairs.for_each(|(to, bytes)| *to = decode(*bytes)),
        true => pairs.for_each(|(to, bytes)| {
            let mut bytes = *bytes;
            bytes.reverse();
            *to = decode(bytes);
        }),
    }
}

/// So many elements, all of them 0.
pub(super) fn room<T: Clone + Default>(count: usize) -> Result<Vec<T>, Fault> {
    let mut values: Vec<T> = Vec::new();
    values.try_reserve_exact(count).map_err(|_| Fault::Memory(count))?;
    values.resize(count, T::default());
    Ok(values)
}

/// The tensor of the elements that come next.
fn array<T: Buffered + Default>(reader: &mut dyn Read, layout: &Layout) -> Result<Tensor, Fault> {
    let (wanted, size) = (layout.bytes()?, layout.stored.size() as usize);
    let mut values: Vec<T> = room(wanted as usize / size)?;
    let mut buffer = vec![0; size * values.len().min((1 << 16) / size)];
    let mut done = 0;
    while done < values.len() {
        let count = (buffer.len() / size).min(values.len() - done);
        let chunk = &mut buffer[..count * size];
        fill(reader, chunk, wanted, (done * size) as u64)?;
        let to = T::buffer(&mut values[done..done + count]);
        decode(layout.stored, layout.big_endian, chunk, to).map_err(|fault| fault.after(done))?;
        done += count;
    }
    let mut shape: Vec<usize> = layout.shape.iter().map(|&size| size as usize).collect();
    if layout.fortran {
        shape.reverse();
    }
    let array = ArrayD::from_shape_vec(IxDyn(&shape), values)
        .map_err(|_| Fault::Shape(layout.shape.clone()))?;
    let array = match layout.fortran {
        true => array.reversed_axes().as_standard_layout().into_owned(),
        false => array,
    };
    Ok(T::wrap(array.into_shared()))
}

/// Fills `chunk`, the bytes from `done` on of `wanted`.
pub(super) fn fill(
    reader: &mut dyn Read,
    chunk: &mut [u8],
    wanted: u64,
    done: u64,
) -> Result<(), Fault> {
    let mut filled = 0;
    while filled < chunk.len() {
        match reader.read(&mut chunk[filled..]) {
            Ok(0) => return Err(Fault::Short { wanted, found: done + filled as u64 }),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The value of an IEEE binary16, exactly.
fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10) & 31;
    let fraction = u32::from(bits) & 1023;
    match exponent {
        0 => f32::from_bits(sign | (fraction as f32 / (1 << 24) as f32).to_bits()),
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}
