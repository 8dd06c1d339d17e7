//! What leaves the program: results on standard output, talk on standard error.

use super::args::{Colour, Common};
use super::data::DataError;
use crate::diagnostic::{self, Diagnostic, Style};
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Why a verb ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The reader of standard output has gone.
    #[error("standard output is closed")]
    Closed,
    /// All has been said; this is the exit code.
    #[error("exit code {0}")]
    Said(u8),
    /// The request cannot be met.
    #[error("{0}")]
    Request(String),
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Failure {
        Failure::Request(error.to_string())
    }
}

/// Writes a result: to the file, by way of a temporary one, or to standard output.
pub fn result(text: &str, to: Option<&Path>) -> Result<(), Failure> {
    match to {
        Some(path) => Ok(super::data::replace(path, |file| file.write_all(text.as_bytes()))?),
        None => {
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
            written.map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => Failure::Closed,
                _ => Failure::Request(format!("cannot write the result: {error}")),
            })
        }
    }
}

/// Says something to the person at the terminal.
pub fn talk(quiet: bool, text: &str) {
    if !quiet || text.starts_with("error") {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Shows diagnostics: rendered for people, or as JSON lines.
pub fn diagnostics(common: &Common, diagnostics: &[Diagnostic], sources: &[(String, String)]) {
    let shown: Vec<Diagnostic> =
        diagnostics.iter().filter(|d| !common.quiet || d.is_error()).cloned().collect();
    let mut stderr = io::stderr().lock();
    if common.json {
        for diagnostic in &shown {
            let _ = writeln!(stderr, "{}", diagnostic::json(diagnostic, sources));
        }
    } else if !shown.is_empty() {
        let _ = write!(stderr, "{}", diagnostic::render(&shown, sources, style(common)));
    }
}

fn style(common: &Common) -> Style {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match common.color {
        Colour::Always => Style::Colour,
        Colour::Auto if io::stderr().is_terminal() && !plain => Style::Colour,
        _ => Style::Plain,
    }
}
