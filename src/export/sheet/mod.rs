//! Formulas with what is said about them, page by page for people: as text, for LaTeX, in HTML.

mod html;
mod latex;
mod text;

pub use html::html;
pub use latex::latex;
pub use text::text;

use super::formula::Formula;

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// The code of the language that its words are in: `en`, `zh`.
    pub lang: &'static str,
    /// What it is about.
    pub title: String,
    /// Where in a source text that stands.
    pub place: String,
    /// What is on it.
    pub blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Clone, Debug)]
pub enum Block {
    /// What the following is about.
    Heading(String),
    /// A sentence.
    Words(String),
    /// What is said of the formulas behind it that stand further in, so far in itself.
    Inside(String, usize),
    /// A formula on a line of its own.
    Line(Line),
    /// Lines of a program.
    Code(Vec<String>),
    /// A picture as SVG; only HTML shows it.
    Picture(String),
}

/// A formula on a line of its own.
#[derive(Clone, Debug)]
pub struct Line {
    /// What kind of step it is.
    pub label: String,
    /// How far in it stands: a part of what is above by more than that.
    pub depth: usize,
    /// The formula.
    pub formula: Formula,
    /// Its value.
    pub value: Option<Shown>,
    /// What is said behind it.
    pub remark: String,
}

impl Line {
    /// A formula and nothing else.
    pub fn new(formula: Formula) -> Line {
        Line { label: String::new(), depth: 0, formula, value: None, remark: String::new() }
    }
}

/// A value for people.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// A number.
    Number(String),
    /// Rows of numbers.
    Rows(Vec<Vec<String>>),
    /// An array that is too large, in words.
    Words(String),
}
