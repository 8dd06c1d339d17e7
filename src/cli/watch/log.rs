//! The log of a training: a line for each epoch, as JSON or as csv.

use crate::cli::data::DataError;
use serde_json::{Map, Value};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The fields of a line, in order.
pub type Record = Vec<(String, Value)>;

/// The form of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JSON object on each line.
    Jsonl,
    /// A table with a header.
    Csv,
}

impl Form {
    /// The form that the suffix tells; `.jsonl`, `.json` or `.csv`.
    pub fn of(path: &Path) -> Result<Form, DataError> {
        match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("jsonl" | "json") => Ok(Form::Jsonl),
            Some("csv") => Ok(Form::Csv),
            _ => Err(DataError::Suffix {
                file: path.display().to_string(),
                forms: "`.jsonl` `.csv`",
            }),
        }
    }
}

/// An open log; each line reaches the file at once.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    form: Form,
    /// Whether the table has its header.
    begun: bool,
}

impl Log {
    /// A new log in place of what was there, or, with `append`, behind it.
    pub fn open(path: &Path, append: bool) -> Result<Log, DataError> {
        let form = Form::of(path)?;
        let mut options = OpenOptions::new();
        let options = match append {
            true => options.append(true),
            false => options.write(true).truncate(true),
        };
        let opened = options.create(true).open(path).and_then(|file| {
            let begun = append && file.metadata()?.len() > 0;
            Ok(Log { path: path.to_path_buf(), file, form, begun })
        });
        opened.map_err(|cause| DataError::Write { file: path.display().to_string(), cause })
    }

    /// Writes a line. All lines of a table have the same fields.
    pub fn write(&mut self, record: &Record) -> Result<(), DataError> {
        let text = match (self.form, self.begun) {
            (Form::Jsonl, _) => json(record),
            (Form::Csv, true) => row(record.iter().map(|(_, value)| plain(value))),
            (Form::Csv, false) => {
                row(record.iter().map(|(name, _)| name.clone()))
                    + &row(record.iter().map(|(_, value)| plain(value)))
            }
        };
        self.begun = true;
        let written: io::Result<()> = self.file.write_all(text.as_bytes());
        let file = || self.path.display().to_string();
        written.map_err(|cause| DataError::Write { file: file(), cause })
    }
}

/// The record as a JSON object on a line.
fn json(record: &Record) -> String {
    let object: Map<String, Value> = record.iter().cloned().collect();
    format!("{}\n", Value::Object(object))
}

/// Fields as a line of a table; quotes where a comma, a quote or a line end is in one.
fn row(fields: impl Iterator<Item = String>) -> String {
    let quoted = |field: String| match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field,
    };
    format!("{}\n", fields.map(quoted).collect::<Vec<_>>().join(","))
}

/// A value without the quotes of JSON; nothing for null.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
