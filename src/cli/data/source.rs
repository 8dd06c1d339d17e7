//! The grammar of `--set NAME=VALUE`: what a value is to be made from.

use std::path::PathBuf;

use super::error::ValueError;
use super::inline::{Inline, Literal, abridged, parse_inline, parse_literal};
use crate::diagnostic::nearest;

/// What a value is made from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// `3.5`, `[[1, -2], [1/3, nan]]`: written out.
    Inline(Inline),
    /// `@f.npy`: the array of the file.
    Npy(PathBuf),
    /// `@f.npz:key`: one array of the archive; the only one where no key is given.
    Npz(PathBuf, Option<String>),
    /// `@f.safetensors:key`: one tensor of the file; the only one where no key is given.
    Safetensors(PathBuf, Option<String>),
    /// `@f.csv:a,b`: columns side by side, one alone as a vector; all of them where none is given.
    Csv(PathBuf, Vec<String>),
    /// `@images.idx`, `@train-images-idx3-ubyte.gz`: the array of the file.
    Idx(PathBuf),
    /// `@poem.txt`, `@poem.txt:65`, `@poem.txt:65,64`: the bytes of the file, as a vector, or as rows of so many bytes that begin
    /// every so many bytes.
    Text(PathBuf, Option<(usize, usize)>),
    /// `zeros`, `ones`, `full:0.1`: the same number everywhere.
    Full(Literal),
    /// `randn`: normal with mean 0 and variance 1.
    Randn,
    /// `uniform:0,1`: uniform from the first bound, included, to the second.
    Uniform(f64, f64),
}

const WORDS: [&str; 5] = ["randn", "zeros", "ones", "full:NUMBER", "uniform:LOW,HIGH"];

const FORMS: &str = "`@FILE.npy` `@FILE.npz:KEY` `@FILE.safetensors:KEY` `@FILE.csv:COLUMN,COLUMN` `@FILE.idx` `@FILE.idx.gz` `@FILE.txt:LENGTH,STEP`";

/// Reads `NAME=VALUE`; blanks around either do not matter.
pub fn parse_setting(text: &str) -> Result<(String, Source), ValueError> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_string(), parse_source(value)?))
        }
        _ => fault(text, 1, "this wants the form `NAME=VALUE`".to_string()),
    }
}

/// Reads a VALUE; touches no file.
pub fn parse_source(text: &str) -> Result<Source, ValueError> {
    let text = text.trim();
    if let Some(file) = text.strip_prefix('@') {
        return file_source(file)
            .ok_or(())
            .or_else(|()| fault(text, 1, format!("the forms for files are {FORMS}")));
    }
    let (word, bounds) = text.split_once(':').map_or((text, None), |(w, b)| (w, Some(b.trim())));
    match (word.trim_end(), bounds) {
        ("randn", None) => Ok(Source::Randn),
        ("zeros", None) => Ok(Source::Full(Literal::Int(0))),
        ("ones", None) => Ok(Source::Full(Literal::Int(1))),
        ("full", Some(number)) => match parse_literal(number) {
            Some(literal) => Ok(Source::Full(literal)),
            None => fault(text, 6, "`full:` wants a number, such as `full:0.1`".to_string()),
        },
        ("uniform", Some(bounds)) => match uniform(bounds) {
            Some((low, high)) => Ok(Source::Uniform(low, high)),
            None => fault(
                text,
                9,
                "`uniform:` wants two finite numbers, the smaller first, such as `uniform:-1,1`"
                    .to_string(),
            ),
        },
        ("", _) => fault(text, 1, "a value is missing".to_string()),
        (word, _) if foreign(word) => fault(text, 1, unknown(word)),
        _ => parse_inline(text).map(Source::Inline),
    }
}

impl Source {
    /// Whether the value takes its shape from the model, so that it can bind no size.
    pub fn needs_shape(&self) -> bool {
        matches!(self, Source::Full(_) | Source::Randn | Source::Uniform(..))
    }
}

/// A path and what follows it after a colon. The first suffix that ends the path counts, so that keys and folders may hold
/// colons and dots.
fn file_source(text: &str) -> Option<Source> {
    let ending = |suffix: &str| {
        let mut ends = text.match_indices(suffix).map(|(at, _)| at + suffix.len());
        ends.find(|&end| end > suffix.len() && (end == text.len() || text[end..].starts_with(':')))
    };
    let suffixes =
        [".npy", ".npz", ".safetensors", ".csv", ".txt", ".idx", ".idx.gz", "ubyte", "ubyte.gz"];
    let ends = suffixes.iter().filter_map(|suffix| Some((ending(suffix)?, *suffix)));
    let (end, suffix) = ends.min_by_key(|(end, _)| *end)?;
    let path = PathBuf::from(&text[..end]);
    let key = text[end..].strip_prefix(':').map(str::trim);
    let named = key.filter(|key| !key.is_empty()).map(str::to_string);
    match (suffix, key) {
        (_, Some("")) => None,
        (".npz", _) => Some(Source::Npz(path, named)),
        (".safetensors", _) => Some(Source::Safetensors(path, named)),
        (".csv", _) => {
            let columns = key.into_iter().flat_map(|key| key.split(','));
            Some(Source::Csv(path, columns.map(|name| name.trim().to_string()).collect()))
        }
        (".txt", None) => Some(Source::Text(path, None)),
        (".txt", Some(key)) => Some(Source::Text(path, Some(windows(key)?))),
        (_, Some(_)) => None,
        (".npy", None) => Some(Source::Npy(path)),
        (_, None) => Some(Source::Idx(path)),
    }
}

/// The length of a row of text, and how far apart rows begin; one after the other where that is not said.
fn windows(key: &str) -> Option<(usize, usize)> {
    let number = |text: &str| text.trim().parse().ok().filter(|&number: &usize| number > 0);
    match key.split_once(',') {
        Some((length, step)) => Some((number(length)?, number(step)?)),
        None => number(key).map(|length| (length, length)),
    }
}

fn uniform(text: &str) -> Option<(f64, f64)> {
    let (low, high) = text.split_once(',')?;
    let number = |text: &str| parse_literal(text.trim())?.to_f64().filter(|v| v.is_finite());
    let (low, high) = (number(low)?, number(high)?);
    (low <= high).then_some((low, high))
}

/// Whether a word is meant, not a number or a list.
fn foreign(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_') && parse_literal(word).is_none()
}

fn unknown(word: &str) -> String {
    let bare = WORDS.map(|form| form.split(':').next().unwrap_or(form));
    if let Some(at) = bare.iter().position(|known| *known == word) {
        return format!("the form is `{}`", WORDS[at]);
    }
    let meant =
        nearest(word, bare).map_or(String::new(), |near| format!("did you mean `{near}`? "));
    let words = WORDS.map(|word| format!("`{word}`")).join(" ");
    format!("{meant}values are numbers, lists `[1, 2]`, {words}, and files {FORMS}")
}

fn fault<T>(text: &str, at: usize, what: String) -> Result<T, ValueError> {
    Err(ValueError::Syntax { text: abridged(text), at, what })
}
