//! safetensors files: a JSON header, then the bytes of all tensors.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::Loaded;
use super::elements::{self, Layout, Stored};
use super::error::{DataError, Fault};
use super::files::{open, replace};
use super::raw::Raw;
use crate::tensor::{DType, Tensor};

/// The most bytes of a header, as in the format's own library.
const MAX_HEADER: u64 = 100_000_000;

/// An open file.
pub struct Safetensors {
    path: PathBuf,
    file: BufReader<File>,
    /// Where the data starts, and how many bytes it has.
    data: (u64, u64),
    header: Map<String, Value>,
}

/// Opens a file and reads its header.
pub fn open_safetensors(path: &Path) -> Result<Safetensors, DataError> {
    let (mut file, length) = open(path)?;
    let (header, start) = read_header(&mut file, length).map_err(|fault| fault.of(path))?;
    Ok(Safetensors { path: path.to_path_buf(), file, data: (start, length - start), header })
}

/// Writes a file, with what it says about itself in `metadata`. Wide elements come first, as the format's own library has it,
/// so that all are aligned. The same tensors and metadata give the same bytes.
pub fn write_safetensors(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: &[(&str, String)],
) -> Result<(), DataError> {
    replace(path, |file| write(file, tensors, metadata))
}

impl Safetensors {
    /// The names of the tensors in the order of the header.
    pub fn names(&self) -> Vec<String> {
        self.header.keys().filter(|name| *name != METADATA).cloned().collect()
    }

    /// What the file says about itself, in the order of the header.
    pub fn metadata(&self) -> Vec<(String, String)> {
        let entries = self.header.get(METADATA).and_then(Value::as_object).into_iter().flatten();
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.into()));
        entries.filter_map(text).collect()
    }

    /// The tensor of that name.
    pub fn get(&mut self, name: &str) -> Result<Loaded, DataError> {
        let entry = self.entry(name)?;
        let located = located(entry, self.data).and_then(|(layout, start)| {
            self.file.seek(SeekFrom::Start(start))?;
            let tensor = elements::read(&mut self.file, &layout)?;
            Ok(Loaded { tensor, stored: layout.stored.name() })
        });
        located.map_err(|fault| fault.of_array(&self.path, name))
    }

    /// The tensor of that name, to be read row by row.
    pub fn open(&self, name: &str) -> Result<Raw, DataError> {
        let entry = self.entry(name)?;
        let opened = located(entry, self.data).and_then(|(layout, start)| {
            Ok(Raw::lying(self.file.get_ref().try_clone()?, start, layout))
        });
        opened.map_err(|fault| fault.of_array(&self.path, name))
    }

    /// How the tensor of that name lies, without its elements.
    pub fn layout(&self, name: &str) -> Result<Layout, DataError> {
        let located = self.entry(name).map(|entry| located(entry, self.data))?;
        located.map(|(layout, _)| layout).map_err(|fault| fault.of_array(&self.path, name))
    }

    fn entry(&self, name: &str) -> Result<&Value, DataError> {
        let found = self.header.get(name).filter(|_| name != METADATA);
        found.ok_or_else(|| DataError::Missing {
            file: self.path.display().to_string(),
            kind: "array",
            name: name.to_string(),
            known: self.names(),
        })
    }
}

const METADATA: &str = "__metadata__";

const TYPES: [(&str, Stored); 13] = [
    ("BOOL", Stored::B1),
    ("I8", Stored::I1),
    ("I16", Stored::I2),
    ("I32", Stored::I4),
    ("I64", Stored::I8),
    ("U8", Stored::U1),
    ("U16", Stored::U2),
    ("U32", Stored::U4),
    ("U64", Stored::U8),
    ("F16", Stored::F2),
    ("BF16", Stored::BF2),
    ("F32", Stored::F4),
    ("F64", Stored::F8),
];

/// The header, and the byte after it.
fn read_header(reader: &mut dyn Read, length: u64) -> Result<(Map<String, Value>, u64), Fault> {
    let other = |why: String| Fault::Form { form: "safetensors", why };
    let mut size = [0; 8];
    reader.read_exact(&mut size).map_err(|_| other("it has less than 8 bytes".to_string()))?;
    let size = u64::from_le_bytes(size);
    if size > MAX_HEADER || size > length.saturating_sub(8) {
        return Err(other(format!("a header of {size} bytes is declared")));
    }
    let mut text = vec![0; size as usize];
    reader.read_exact(&mut text)?;
    match serde_json::from_slice(&text) {
        Ok(Value::Object(header)) => Ok((header, 8 + size)),
        Ok(_) => Err(other("its header is no JSON object".to_string())),
        Err(error) => Err(other(format!("its header is no JSON: {error}"))),
    }
}

/// How the tensor lies that a header's entry describes, and the byte of the file where it starts.
fn located(entry: &Value, (data, length): (u64, u64)) -> Result<(Layout, u64), Fault> {
    let fault = |what: &str| Fault::Entry(what.to_string());
    let sizes = |value: &Value| -> Option<Vec<u64>> {
        value.as_array()?.iter().map(Value::as_u64).collect()
    };
    let dtype = entry["dtype"].as_str().ok_or_else(|| fault("`dtype` is no string"))?;
    let shape = sizes(&entry["shape"]).ok_or_else(|| fault("`shape` is no list of sizes"))?;
    let offsets = sizes(&entry["data_offsets"]);
    let Some([start, end]) = offsets.as_deref() else {
        return Err(fault("`data_offsets` is no pair of offsets"));
    };
    if start > end || *end > length {
        return Err(fault(&format!(
            "`data_offsets` {start}..{end} are not within the {length} bytes of data"
        )));
    }
    let stored = TYPES.iter().find(|(name, _)| *name == dtype).map(|(_, stored)| *stored);
    let stored = stored.ok_or_else(|| Fault::Elements { stored: dtype.to_string() })?;
    let layout = Layout { stored, big_endian: false, fortran: false, shape };
    let (wanted, found) = (layout.bytes()?, end - start);
    match found.cmp(&wanted) {
        Ordering::Less => Err(Fault::Short { wanted, found }),
        Ordering::Greater => Err(Fault::Long { wanted }),
        Ordering::Equal => Ok((layout, data + start)),
    }
}

fn write(
    writer: &mut dyn Write,
    tensors: &[(String, Tensor)],
    metadata: &[(&str, String)],
) -> io::Result<()> {
    let size = |dtype: DType| Stored::of(dtype).size();
    let mut sorted: Vec<&(String, Tensor)> = tensors.iter().collect();
    sorted.sort_by_key(|(_, tensor)| std::cmp::Reverse(size(tensor.dtype())));
    let mut header = Map::new();
    if !metadata.is_empty() {
        let entries = metadata.iter().map(|(name, text)| (name.to_string(), json!(text)));
        header.insert(METADATA.to_string(), entries.collect());
    }
    let mut end = 0;
    for (name, tensor) in &sorted {
        let start = end;
        end += tensor.len() as u64 * size(tensor.dtype());
        let stored = Stored::of(tensor.dtype());
        let dtype = TYPES.iter().find(|(_, known)| *known == stored).map(|(name, _)| *name);
        let entry = json!({"dtype": dtype, "shape": tensor.shape(), "data_offsets": [start, end]});
        if name == METADATA || header.insert(name.clone(), entry).is_some() {
            return Err(io::Error::other(format!("the name `{name}` is taken")));
        }
    }
    let mut text = serde_json::to_vec(&header)?;
    text.resize(text.len().next_multiple_of(8), b' ');
    writer.write_all(&(text.len() as u64).to_le_bytes())?;
    writer.write_all(&text)?;
    sorted.iter().try_for_each(|(_, tensor)| elements::write(writer, tensor))
}
