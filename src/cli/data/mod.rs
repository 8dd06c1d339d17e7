//! Data for models: the grammar of values, and the files that hold arrays.

mod ahead;
mod elements;
mod error;
mod files;
mod fill;
mod fit;
mod idx;
mod inline;
mod npy;
mod npy_header;
mod npz;
mod raw;
mod rows;
mod safetensors;
mod set;
mod source;
mod table;
mod text;

use std::path::Path;

pub use error::{DataError, Fault, ValueError, list};
pub use files::replace;
pub use fit::{fit, fits};
pub use idx::{open_idx, read_idx};
pub use inline::{Inline, Literal, inline_to_tensor, parse_inline, parse_literal};
pub use npy::{open_npy, read_npy, write_npy};
pub use npz::{Npz, Packing, open_npz, write_npz};
pub use raw::Raw;
pub use rows::{Bounds, FileRows, HELD, Part, Stray};
pub use safetensors::{Safetensors, open_safetensors, write_safetensors};
pub use set::{DataSet, open_set};
pub use source::{Source, parse_setting, parse_source};
pub use table::{Table, read_table};
pub use text::open_text;

use crate::tensor::{DType, Tensor};

/// `Loaded::stored` of numbers written as text, which have no type of their own.
pub const TEXT: &str = "text";

/// An array as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The elements in the narrowest type that holds them: i32 for i1 i2 u1 u2, i64 for u4 u8, f32 for halves.
    pub tensor: Tensor,
    /// The element type of the file, NumPy's name without its byte order (`u1`, `f4`; `bf2` for bfloat16), or `TEXT`.
    pub stored: &'static str,
}

/// An array that is read when it is needed.
#[derive(Debug)]
pub enum Opened {
    /// As its file stores it.
    Raw(Raw),
    /// Read already: what was written as text, or is no file.
    Loaded(Loaded),
}

impl Opened {
    /// The sizes of the axes.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Opened::Raw(raw) => raw.shape(),
            Opened::Loaded(loaded) => loaded.tensor.shape().to_vec(),
        }
    }

    /// The element type that `load` has.
    pub fn dtype(&self) -> DType {
        match self {
            Opened::Raw(raw) => raw.layout().stored.held(),
            Opened::Loaded(loaded) => loaded.tensor.dtype(),
        }
    }

    /// The array, read now.
    pub fn load(self) -> Result<Loaded, Fault> {
        match self {
            Opened::Raw(raw) => raw.load(),
            Opened::Loaded(loaded) => Ok(loaded),
        }
    }
}

/// What a value is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The name it gets; random numbers depend on it.
    pub name: &'a str,
    /// Its element type.
    pub dtype: DType,
    /// Its shape, once all sizes are known.
    pub shape: Option<&'a [usize]>,
    /// The seed of random numbers.
    pub seed: u64,
}

/// Makes the value. Written numbers and fillings have the type of `target`; what comes from a binary file keeps its own.
///
/// The shape of `target` is looked at by the sources that need one, and by no other.
pub fn load(source: &Source, target: &Target) -> Result<Loaded, DataError> {
    let made = |tensor| Ok(Loaded { tensor, stored: TEXT });
    match source {
        Source::Inline(inline) => made(inline_to_tensor(inline, target.dtype)?),
        Source::Full(literal) => made(fill::full(literal, target)?),
        Source::Randn => made(fill::randn(target)?),
        Source::Uniform(low, high) => made(fill::uniform(*low, *high, target)?),
        Source::Npy(path) => read_npy(path),
        Source::Idx(path) => read_idx(path),
        Source::Text(path, rows) => open_text(path, *rows)?.load().map_err(|fault| fault.of(path)),
        Source::Npz(path, key) => {
            let mut archive = open_npz(path)?;
            let key = only(path, key.as_deref(), &archive.names())?;
            archive.get(&key)
        }
        Source::Safetensors(path, key) => {
            let mut file = open_safetensors(path)?;
            let key = only(path, key.as_deref(), &file.names())?;
            file.get(&key)
        }
        Source::Csv(path, columns) => {
            let loaded = read_table(path)?.select(columns)?;
            made(fit(loaded, target.dtype).map_err(|fault| fault.of(path))?)
        }
    }
}

/// The value as `load` makes it, to be read row by row where it is a file that allows it.
pub fn open(source: &Source, target: &Target) -> Result<Opened, DataError> {
    match source {
        Source::Npy(path) => open_npy(path).map(Opened::Raw),
        Source::Idx(path) => open_idx(path).map(Opened::Raw),
        Source::Text(path, rows) => open_text(path, *rows).map(Opened::Raw),
        Source::Npz(path, key) => {
            let mut archive = open_npz(path)?;
            let key = only(path, key.as_deref(), &archive.names())?;
            archive.open(&key).map(Opened::Raw)
        }
        Source::Safetensors(path, key) => {
            let file = open_safetensors(path)?;
            let key = only(path, key.as_deref(), &file.names())?;
            file.open(&key).map(Opened::Raw)
        }
        _ => load(source, target).map(Opened::Loaded),
    }
}

/// The key, or the only name where none is given.
fn only(path: &Path, key: Option<&str>, known: &[String]) -> Result<String, DataError> {
    match (key, known) {
        (Some(key), _) => Ok(key.to_string()),
        (None, [name]) => Ok(name.clone()),
        _ => Err(DataError::Several { file: path.display().to_string(), known: known.to_vec() }),
    }
}
