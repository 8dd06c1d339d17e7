//! Files with several named arrays: what `--data FILE` opens.

use std::path::Path;

use super::error::DataError;
use super::npz::{Npz, open_npz};
use super::safetensors::{Safetensors, open_safetensors};
use super::table::{Table, read_table};
use super::{Loaded, Opened};

/// A file with named arrays.
pub enum DataSet {
    /// An npz archive.
    Npz(Npz),
    /// A safetensors file.
    Safetensors(Safetensors),
    /// A table; its columns are vectors.
    Csv(Table),
}

/// Opens `.npz`, `.safetensors`, or `.csv` with a header.
pub fn open_set(path: &Path) -> Result<DataSet, DataError> {
    match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("npz") => open_npz(path).map(DataSet::Npz),
        Some("safetensors") => open_safetensors(path).map(DataSet::Safetensors),
        Some("csv") => read_table(path).map(DataSet::Csv),
        _ => Err(DataError::Suffix {
            file: path.display().to_string(),
            forms: "`.npz` `.safetensors` `.csv`",
        }),
    }
}

impl DataSet {
    /// The names of the arrays in the order of the file.
    pub fn names(&self) -> Vec<String> {
        match self {
            DataSet::Npz(set) => set.names(),
            DataSet::Safetensors(set) => set.names(),
            DataSet::Csv(table) => table.names().to_vec(),
        }
    }

    /// The array of that name; it is read now.
    pub fn get(&mut self, name: &str) -> Result<Loaded, DataError> {
        match self {
            DataSet::Npz(set) => set.get(name),
            DataSet::Safetensors(set) => set.get(name),
            DataSet::Csv(table) => table.get(name),
        }
    }
    /// The array of that name, to be read row by row where its form allows it.
    pub fn open(&mut self, name: &str) -> Result<Opened, DataError> {
        match self {
            DataSet::Npz(set) => set.open(name).map(Opened::Raw),
            DataSet::Safetensors(set) => set.open(name).map(Opened::Raw),
            DataSet::Csv(table) => table.get(name).map(Opened::Loaded),
        }
    }
}
