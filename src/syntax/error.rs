//! The mistakes of a text that is not `.nn`, each with its places.

use crate::diagnostic::{Diagnostic, Span};
use thiserror::Error;

/// A mistake in the form of a text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SyntaxError {
    /// A character that has no meaning outside strings and comments.
    #[error("unknown character {}", shown(text))]
    Character {
        /// Where.
        span: Span,
        /// The character.
        text: String,
        /// What to write in its place.
        help: Option<&'static str>,
    },
    /// Something else should stand here.
    #[error("expected {expected}")]
    Expected {
        /// Where.
        span: Span,
        /// What could stand here and in which construct.
        expected: String,
        /// What stands here.
        found: String,
        /// A thing to do.
        help: Option<String>,
    },
    /// `a < b < c`.
    #[error("comparisons do not chain")]
    Chain {
        /// The second operator.
        span: Span,
        /// The first operator.
        first: Span,
        /// A thing to do.
        help: String,
    },
    /// More brackets, blocks, signs or powers within each other than are read.
    #[error("nested more than {limit} deep", limit = super::parse::MAX_DEPTH)]
    Depth {
        /// The place that is one too deep.
        span: Span,
    },
    /// `.5`, `5.`, `2x`.
    #[error("{} is not how a number is written", shown(text))]
    Number {
        /// Where.
        span: Span,
        /// The text.
        text: String,
    },
    /// A bracket without its end.
    #[error("{} is not closed", shown(bracket))]
    Unclosed {
        /// The bracket.
        span: Span,
        /// The bracket as written.
        bracket: &'static str,
        /// What would close it.
        closer: &'static str,
        /// Where that was missed.
        at: Span,
    },
    /// A string without its end.
    #[error("this string has no end")]
    OpenText {
        /// From the quote to the end of the line.
        span: Span,
    },
    /// An operator of another language.
    #[error("{} is not an operator of the language", shown(text))]
    Operator {
        /// Where.
        span: Span,
        /// The operator.
        text: String,
        /// What to write in its place.
        help: Option<&'static str>,
    },
    /// A statement of another language.
    #[error("a statement does not begin with {}", shown(word))]
    Foreign {
        /// The word.
        span: Span,
        /// The word.
        word: String,
        /// What to write in its place.
        help: &'static str,
    },
    /// A word of the language where a name should stand.
    #[error("{} is a word of the language and cannot be a name", shown(word))]
    Reserved {
        /// Where.
        span: Span,
        /// The word.
        word: String,
    },
    /// A statement where it has no meaning.
    #[error("{fact}")]
    Misplaced {
        /// Where.
        span: Span,
        /// What is the case, at most 80 columns.
        fact: &'static str,
        /// A thing to do.
        help: String,
    },
    /// A closing bracket that nothing opened.
    #[error("{} closes nothing", shown(bracket))]
    Stray {
        /// Where.
        span: Span,
        /// The bracket.
        bracket: String,
    },
    /// `x.T`.
    #[error("a transpose is not written `.T`")]
    DotT {
        /// Where.
        span: Span,
        /// A thing to do.
        help: String,
    },
    /// `as name` behind something that is not a call.
    #[error("only the instance that a call or a `repeat` makes can be named by `as`")]
    Instance {
        /// From the `as` to the name.
        span: Span,
    },
}

impl SyntaxError {
    /// The code that `pullback explain` explains.
    pub fn code(&self) -> &'static str {
        match self {
            SyntaxError::Character { .. } => "E0001",
            SyntaxError::Expected { .. } => "E0002",
            SyntaxError::Chain { .. } => "E0003",
            SyntaxError::Depth { .. } => "E0004",
            SyntaxError::Number { .. } => "E0005",
            SyntaxError::Unclosed { .. } => "E0006",
            SyntaxError::OpenText { .. } => "E0007",
            SyntaxError::Operator { .. } => "E0008",
            SyntaxError::Foreign { .. } => "E0009",
            SyntaxError::Reserved { .. } => "E0010",
            SyntaxError::Misplaced { .. } => "E0011",
            SyntaxError::Stray { .. } => "E0012",
            SyntaxError::DotT { .. } => "E0013",
            SyntaxError::Instance { .. } => "E0014",
        }
    }

    /// Where the mistake is.
    pub fn span(&self) -> Span {
        match self {
            SyntaxError::Character { span, .. }
            | SyntaxError::Expected { span, .. }
            | SyntaxError::Chain { span, .. }
            | SyntaxError::Depth { span }
            | SyntaxError::Number { span, .. }
            | SyntaxError::Unclosed { span, .. }
            | SyntaxError::OpenText { span }
            | SyntaxError::Operator { span, .. }
            | SyntaxError::Foreign { span, .. }
            | SyntaxError::Reserved { span, .. }
            | SyntaxError::Misplaced { span, .. }
            | SyntaxError::Stray { span, .. }
            | SyntaxError::DotT { span, .. }
            | SyntaxError::Instance { span } => *span,
        }
    }
}

impl From<SyntaxError> for Diagnostic {
    fn from(error: SyntaxError) -> Diagnostic {
        let said = Diagnostic::error(error.code(), error.span(), error.to_string());
        match error {
            SyntaxError::Character { text, help, .. } => {
                let code = text.chars().next().map_or(0, u32::from);
                let said = said.at(format!("U+{code:04X}"));
                help.into_iter().fold(said, Diagnostic::help)
            }
            SyntaxError::Operator { help, .. } => help.into_iter().fold(said, Diagnostic::help),
            SyntaxError::Expected { found, help, .. } => {
                help.into_iter().fold(said.at(format!("found {found}")), Diagnostic::help)
            }
            SyntaxError::Chain { first, help, .. } => {
                said.at("second comparison").label(first, "first comparison").help(help)
            }
            SyntaxError::Depth { .. } => {
                said.help("give the inner part a name in a statement of its own")
            }
            SyntaxError::Number { text, .. } => said.help(better_number(&text)),
            SyntaxError::Unclosed { closer, at, .. } => said
                .at("opened here")
                .label(at, format!("`{closer}` is missed here"))
                .help(format!("write the `{closer}` that belongs to it")),
            SyntaxError::OpenText { .. } => said.help("write a `\"` at its end, on the same line"),
            SyntaxError::Foreign { help, .. } => said.help(help),
            SyntaxError::Reserved { word, .. } => {
                said.help(format!("choose another name, such as `{word}1`"))
            }
            SyntaxError::Misplaced { help, .. } => said.help(help),
            SyntaxError::Stray { .. } => {
                said.help("remove it, or write the bracket that it should close")
            }
            SyntaxError::DotT { help, .. } => said.help(help),
            SyntaxError::Instance { .. } => {
                said.help("name a value by `name = ...`; rename axes by `x as [N, S]`")
            }
        }
    }
}

/// `text` between back quotes: abridged to 24 characters, without control characters.
pub fn shown(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(24).map(plain).collect();
    if text.chars().nth(24).is_some() {
        short.push_str("..");
    }
    format!("`{short}`")
}

fn better_number(text: &str) -> String {
    let digits = text.trim_matches('.');
    if text.starts_with('.') && is_number(&format!("0{text}")) {
        return format!("write `0{text}`");
    }
    if text.ends_with('.') && is_number(digits) {
        return format!("write `{digits}.0`, or `{digits}` without the dot");
    }
    let plain = text.replace('_', "");
    if plain != text && is_number(&plain) {
        return format!("write `{plain}`");
    }
    let tail = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let head = &text[..text.len() - tail.len()];
    if is_number(head) && !tail.is_empty() && !matches!(tail, "e" | "E") && !head.starts_with('0') {
        return format!("write the product as `{head} * {tail}`");
    }
    "numbers are written `12`, `0.5` or `1e-3`".into()
}

fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.').map_or(digits(text), |(whole, part)| digits(whole) && digits(part))
}
