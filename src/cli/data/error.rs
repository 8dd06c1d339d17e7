//! What can be wrong with data: every error names the file, the fact, and the place.

use std::io;
use std::path::Path;

use super::elements::MAX_RANK;
use crate::tensor::DType;

/// Why data could not be had or stored.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be opened.
    #[error("cannot open {file}: {cause}")]
    Open {
        /// The file as given.
        file: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The file cannot be written; what was there before is still there.
    #[error("cannot write {file}: {cause}")]
    Write {
        /// The file as given.
        file: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The file as a whole is not as its form wants it.
    #[error("{file}: {fault}")]
    File {
        /// The file as given.
        file: String,
        /// What is wrong.
        fault: Fault,
    },
    /// One array of the file is not as its form wants it.
    #[error("{file}, array `{array}`: {fault}")]
    Array {
        /// The file as given.
        file: String,
        /// The array's name in the file.
        array: String,
        /// What is wrong.
        fault: Fault,
    },
    /// The file has no array, or no column, of that name.
    #[error("{file} has no {kind} `{name}`{}; it has {}", did_you_mean(name, known), list(known))]
    Missing {
        /// The file as given.
        file: String,
        /// `array` or `column`.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The file has several arrays, or none, and none was asked for by name.
    #[error("{file} has {}: one is wanted, named with `@{file}:NAME`", list(known))]
    Several {
        /// The file as given.
        file: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The file's suffix names no form that is read.
    #[error("{file}: the form of a file is told by its suffix, one of {forms}")]
    Suffix {
        /// The file as given.
        file: String,
        /// The suffixes that are read here.
        forms: &'static str,
    },
    /// A text is no value, or no value of the wanted type.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// What is wrong inside a file; places count bytes from 0 and rows from 1.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Reading stopped.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The first bytes are those of another form.
    #[error("this is no {form} file: {why}")]
    Form {
        /// The form meant.
        form: &'static str,
        /// What the first bytes are not.
        why: String,
    },
    /// The header cannot be understood.
    #[error("byte {at} of the header: {what}")]
    Header {
        /// Bytes from the start of the header's text.
        at: usize,
        /// What is wrong there.
        what: String,
    },
    /// Elements of a type that no model has.
    #[error(
        "elements of type `{stored}` cannot be held: store bool, integers, or floats of at most 64 bits"
    )]
    Elements {
        /// The type as the file spells it.
        stored: String,
    },
    /// The header's entry for one array cannot be understood.
    #[error("its entry in the header: {0}")]
    Entry(String),
    /// More elements than can be addressed.
    #[error("the shape {0:?} is too large")]
    Shape(Vec<u64>),
    /// More axes than are held.
    #[error("there are more than {MAX_RANK} axes")]
    Axes,
    /// The data ends early.
    #[error("{wanted} bytes of data are declared, {found} are there")]
    Short {
        /// Bytes that the shape asks for.
        wanted: u64,
        /// Bytes found.
        found: u64,
    },
    /// The data does not end where it should.
    #[error("there are more bytes than the {wanted} of data that are declared")]
    Long {
        /// Bytes that the shape asks for.
        wanted: u64,
    },
    /// A compressed array declares more than its bytes can expand to.
    #[error("{declared} bytes are declared, which {compressed} compressed bytes cannot hold")]
    Expansion {
        /// Bytes that the header asks for.
        declared: u64,
        /// Bytes in the file.
        compressed: u64,
    },
    /// The machine refuses the memory.
    #[error("{0} elements do not fit in memory")]
    Memory(usize),
    /// An element is beyond the type that is to hold it.
    #[error("element {index} is `{value}`, which is no {dtype}")]
    Element {
        /// Position in the order of the file, or row-major, from 0.
        index: usize,
        /// The element as text.
        value: String,
        /// The type that is to hold it.
        dtype: DType,
    },
    /// The elements have another type than is wanted; types are never cast silently.
    #[error(
        "the elements are `{stored}`, not {dtype}: store them as {dtype} or give the input their type"
    )]
    Type {
        /// The type as the file spells it.
        stored: &'static str,
        /// The type wanted.
        dtype: DType,
    },
    /// A table's header is missing or ambiguous.
    #[error("the first line: {0}")]
    Names(String),
    /// A row of a table is not as the header has it.
    #[error("row {row} below the header: {what}")]
    Row {
        /// The row, from 1.
        row: u64,
        /// What is wrong.
        what: String,
    },
    /// A field of a table is not a number.
    #[error("row {row} below the header, column `{column}`: {what}")]
    Field {
        /// The row, from 1.
        row: u64,
        /// The column's name.
        column: String,
        /// What is there.
        what: String,
    },
    /// An archive is damaged.
    #[error("the archive is damaged or of an unknown kind: {0}")]
    Archive(String),
}

/// Why a text such as `[1, 2]` or `@f.npz:x` is no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not the grammar of values.
    #[error("`{text}`, character {at}: {what}")]
    Syntax {
        /// The text, abridged.
        text: String,
        /// Characters from 1.
        at: usize,
        /// What is wrong there.
        what: String,
    },
    /// Neighbouring rows of a list differ in length or depth.
    #[error("the list is ragged: row {row:?} is {found} where row {first:?} is {wanted}")]
    Ragged {
        /// Indices of the row, from 0.
        row: Vec<usize>,
        /// What the row is.
        found: String,
        /// Indices of the first row at that depth.
        first: Vec<usize>,
        /// What the first row is.
        wanted: String,
    },
    /// A number that the wanted type does not have.
    #[error("`{text}` is no {dtype}")]
    Element {
        /// The number as written.
        text: String,
        /// The type wanted.
        dtype: DType,
    },
    /// Random numbers for an input that is not float.
    #[error("`{word}` makes floats, and {name} is {dtype}")]
    Float {
        /// `randn` or `uniform`.
        word: &'static str,
        /// What is to be filled.
        name: String,
        /// Its type.
        dtype: DType,
    },
    /// A filling such as `zeros` where the sizes are not known.
    #[error(
        "`{word}` takes its shape from the model, and a size of {name} is unknown: give it with `--dim`"
    )]
    Unsized {
        /// The filling.
        word: &'static str,
        /// What is to be filled.
        name: String,
    },
    /// A filling of more elements than memory can hold.
    #[error("{name} of shape {shape:?} does not fit in memory")]
    Memory {
        /// What is to be filled.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
}

impl Fault {
    /// The same fault where `done` elements came before.
    pub fn after(self, done: usize) -> Fault {
        match self {
            Fault::Element { index, value, dtype } => {
                Fault::Element { index: index + done, value, dtype }
            }
            other => other,
        }
    }

    /// The error of what was found at a place, in words.
    pub fn at(self, from: &str) -> DataError {
        DataError::File { file: from.to_string(), fault: self }
    }

    /// The error of the file as a whole.
    pub fn of(self, path: &Path) -> DataError {
        DataError::File { file: path.display().to_string(), fault: self }
    }

    /// The error of one array of the file.
    pub fn of_array(self, path: &Path, array: &str) -> DataError {
        DataError::Array { file: path.display().to_string(), array: array.to_string(), fault: self }
    }
}

/// Names for people: the first ten, and how many more.
pub fn list(names: &[String]) -> String {
    const MOST: usize = 10;
    let mut text = names.iter().take(MOST).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => text.push_str("nothing"),
        1..=MOST => {}
        count => text.push_str(&format!(" and {} more", count - MOST)),
    }
    text
}

fn did_you_mean(wanted: &str, known: &[String]) -> String {
    crate::diagnostic::nearest(wanted, known.iter().map(String::as_str))
        .map_or(String::new(), |near| format!(" (did you mean `{near}`?)"))
}
