//! Checkpoints: files with all that a training needs to go on as if it had not been interrupted.
//!
//! A file is a line with the form's name, the length of a header (8 bytes, little-endian), the header as JSON, the elements of
//! all arrays (little-endian), and the SHA-256 of all of that.

use super::history::History;
use crate::cli::data::{self, DataError};
use crate::cli::out::Failure;
use crate::tensor::{DType, Element, Tensor};
use crate::train::Report;
use crate::train::run::{Kept, Top};
use ndarray::{ArrayD, IxDyn};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The first bytes of a file.
const FORM: &[u8] = b"pullback checkpoint 2\n";

/// The bytes of a digest.
const DIGEST: usize = 32;

/// A training that is laid aside.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What must be the same to go on: by name, in words.
    pub identity: Vec<(String, String)>,
    /// The epochs in all that the rates were made for.
    pub epochs: u64,
    /// The words of the command line by flag.
    pub words: Vec<(String, Vec<String>)>,
    /// Where the training is.
    pub kept: Kept,
    /// The curves that it has drawn so far.
    pub history: History,
}

/// The digest of a text, in hexadecimal digits.
pub fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file that the checkpoint before the last one is kept in.
pub fn previous(path: &Path) -> PathBuf {
    path.with_extension("previous.ckpt")
}

/// Writes a checkpoint in place of the one at `path`, which becomes the previous one. At no time is there none.
pub fn write(path: &Path, checkpoint: &Checkpoint) -> Result<(), DataError> {
    if path.is_file() {
        let before = previous(path);
        let _ = std::fs::remove_file(&before);
        // Where a file cannot have two names, a copy does.
        let kept =
            std::fs::hard_link(path, &before).or_else(|_| std::fs::copy(path, &before).map(|_| ()));
        kept.map_err(|cause| DataError::Write { file: before.display().to_string(), cause })?;
    }
    let bytes = bytes(checkpoint);
    data::replace(path, |file| {
        file.write_all(&bytes)?;
        file.flush()?;
        file.get_ref().sync_all()
    })
}

/// Reads a checkpoint; of one that is damaged the previous one is named.
pub fn read(path: &Path) -> Result<Checkpoint, Failure> {
    let wrong = |what: String| {
        let before = previous(path);
        let instead = match before != path && before.is_file() {
            true => format!("; the one before it is {}", before.display()),
            false => String::new(),
        };
        Failure::Request(format!("{}: {what}{instead}", path.display()))
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    parsed(&bytes).map_err(|what| wrong(what.into()))
}

fn bytes(checkpoint: &Checkpoint) -> Vec<u8> {
    let kept = &checkpoint.kept;
    let top = kept.top.iter().flat_map(|top| &top.values);
    let arrays: Vec<Value> = kept
        .values
        .iter()
        .chain(top.clone())
        .map(|(name, value)| json!({"name": &**name, "dtype": value.dtype().name(), "shape": value.shape()}))
        .collect();
    let words: Map<String, Value> =
        checkpoint.words.iter().map(|(flag, words)| (flag.clone(), json!(words))).collect();
    let identity: Map<String, Value> =
        checkpoint.identity.iter().map(|(name, word)| (name.clone(), json!(word))).collect();
    let header = json!({
        "identity": identity,
        "epochs": checkpoint.epochs,
        "words": words,
        "step": kept.step,
        "sums": bits(&kept.sums),
        "best": bits(&[kept.best]),
        "stale": kept.stale,
        "ended": kept.ended,
        "report": kept.report.as_ref().map(reported),
        "top": kept.top.as_ref().map(|top| reported(&top.report)),
        "history": checkpoint.history.parts().map(|values| bits(&values)),
        "arrays": arrays,
    });
    let header = header.to_string();
    let mut bytes = FORM.to_vec();
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header.as_bytes());
    for (_, value) in kept.values.iter().chain(top) {
        match value {
            Tensor::Bool(array) => bytes.extend(array.iter().map(|&v| u8::from(v))),
            Tensor::I32(array) => array.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
            Tensor::I64(array) => array.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
            Tensor::F32(array) => array.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
            Tensor::F64(array) => array.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
        }
    }
    let digest = Sha256::digest(&bytes);
    bytes.extend(&digest[..]);
    bytes
}

fn reported(report: &Report) -> Value {
    json!({"epoch": report.epoch, "step": report.step, "train": bits(&report.train),
        "val": report.val.as_deref().map(bits), "is_last": report.is_last})
}

/// Floats as JSON: their bits, so that they are the same again.
fn bits(values: &[f64]) -> Value {
    values.iter().map(|value| json!(value.to_bits())).collect()
}

fn parsed(bytes: &[u8]) -> Result<Checkpoint, &'static str> {
    let rest = bytes.strip_prefix(FORM).ok_or("this is no checkpoint of this version")?;
    let damaged = "the checkpoint is cut short or altered";
    let (all, digest) =
        bytes.split_at_checked(bytes.len() - DIGEST.min(rest.len())).ok_or(damaged)?;
    if Sha256::digest(all)[..] != *digest {
        return Err(damaged);
    }
    let (length, rest) = rest[..rest.len() - DIGEST].split_first_chunk::<8>().ok_or(damaged)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged)?;
    let (header, arrays) = rest.split_at_checked(length).ok_or(damaged)?;
    let header: Value = serde_json::from_slice(header).map_err(|_| damaged)?;
    read_header(&header, arrays).ok_or(damaged)
}

fn floats(value: &Value) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(|bits| bits.as_u64().map(f64::from_bits)).collect()
}

fn read_report(report: &Value) -> Option<Report> {
    Some(Report {
        epoch: report["epoch"].as_u64()?,
        step: report["step"].as_u64()?,
        train: floats(&report["train"])?,
        val: match &report["val"] {
            Value::Null => None,
            val => Some(floats(val)?),
        },
        is_last: report["is_last"].as_bool()?,
    })
}

fn read_header(header: &Value, mut bytes: &[u8]) -> Option<Checkpoint> {
    let identity = header["identity"].as_object()?.iter();
    let identity = identity.map(|(name, word)| Some((name.clone(), word.as_str()?.to_string())));
    let words = header["words"].as_object()?.iter().map(|(flag, words)| {
        let words = words.as_array()?.iter().map(|word| word.as_str().map(str::to_string));
        Some((flag.clone(), words.collect::<Option<Vec<String>>>()?))
    });
    let report = |name: &str| match &header[name] {
        Value::Null => Some(None),
        report => read_report(report).map(Some),
    };
    let mut values = Vec::new();
    for array in header["arrays"].as_array()? {
        let dtype = DType::named(array["dtype"].as_str()?)?;
        let shape: Vec<usize> = array["shape"]
            .as_array()?
            .iter()
            .map(|size| size.as_u64().and_then(|size| usize::try_from(size).ok()))
            .collect::<Option<_>>()?;
        let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size))?;
        let (own, rest) = bytes.split_at_checked(count.checked_mul(dtype.bytes())?)?;
        bytes = rest;
        values.push((array["name"].as_str()?.into(), tensor(dtype, &shape, own)?));
    }
    // Its values come after those of now, and are of the same variables.
    let top =
        report("top")?.map(|report| Top { report, values: values.split_off(values.len() / 2) });
    let parts = header["history"].as_array()?.iter().map(floats).collect::<Option<Vec<_>>>()?;
    let kept = Kept {
        step: header["step"].as_u64()?,
        sums: floats(&header["sums"])?,
        best: *floats(&header["best"])?.first()?,
        stale: header["stale"].as_u64()?,
        ended: header["ended"].as_bool()?,
        report: report("report")?,
        top,
        values,
    };
    bytes.is_empty().then_some(())?;
    Some(Checkpoint {
        identity: identity.collect::<Option<_>>()?,
        epochs: header["epochs"].as_u64()?,
        words: words.collect::<Option<_>>()?,
        kept,
        history: History::of(parts.try_into().ok()?)?,
    })
}

fn tensor(dtype: DType, shape: &[usize], bytes: &[u8]) -> Option<Tensor> {
    fn made<T: Element, const N: usize>(
        shape: &[usize],
        bytes: &[u8],
        read: fn([u8; N]) -> T,
    ) -> Option<Tensor> {
        let (parts, _) = bytes.as_chunks::<N>();
        let values = parts.iter().map(|part| read(*part)).collect();
        Some(T::wrap(ArrayD::from_shape_vec(IxDyn(shape), values).ok()?.into_shared()))
    }
    match dtype {
        DType::Bool => made(shape, bytes, |[byte]| byte != 0),
        DType::I32 => made(shape, bytes, i32::from_le_bytes),
        DType::I64 => made(shape, bytes, i64::from_le_bytes),
        DType::F32 => made(shape, bytes, f32::from_le_bytes),
        DType::F64 => made(shape, bytes, f64::from_le_bytes),
    }
}
