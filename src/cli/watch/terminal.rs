//! What the terminal can show that talk goes to.

use super::bar::Look;
use crate::cli::args::{Colour, Common};
use std::env::var_os;
use std::io::{self, IsTerminal};

/// The columns where nothing is known of them.
const COLUMNS: usize = 80;

/// What the terminal can show; `None` where talk goes elsewhere, is unwanted, or cannot be drawn over.
pub fn look(common: &Common) -> Option<Look> {
    let dumb = var_os("TERM").is_some_and(|term| term == "dumb");
    (io::stderr().is_terminal() && !common.quiet && !common.json && !dumb).then(|| plain(common))
}

/// What can be shown wherever talk goes.
pub fn plain(common: &Common) -> Look {
    let unwanted = var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || var_os("TERM").is_some_and(|term| term == "dumb");
    let colour = match common.color {
        Colour::Always => true,
        Colour::Auto => io::stderr().is_terminal() && !unwanted,
        Colour::Never => false,
    };
    Look { width: width(), unicode: is_unicode(), colour }
}

/// The columns of the terminal now.
pub fn width() -> usize {
    terminal_size::terminal_size_of(io::stderr()).map_or(COLUMNS, |(width, _)| width.0.into())
}

/// Whether the locale has more than ASCII: the first of these variables that is set tells.
fn is_unicode() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(var_os);
    let told = set.filter(|value| !value.is_empty()).map(|v| v.to_string_lossy().to_lowercase());
    told.take(1).next().is_some_and(|told| told.contains("utf-8") || told.contains("utf8"))
        || cfg!(windows)
}
