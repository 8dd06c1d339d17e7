//! The kinds of token, told apart by `logos`.

use logos::{Lexer, Logos};

/// The kinds of token.
#[derive(Logos, Clone, Copy, Debug, PartialEq, Eq)]
#[logos(skip r"[ \t\r\x0B\x0C]+")]
pub enum Kind {
    /// The end of the text, or of what can be read of a statement.
    End,
    /// The end of a line.
    #[token("\n")]
    Newline,
    /// `# ...`
    #[regex("#[^\n]*", allow_greedy = true)]
    Comment,
    /// A name, dotted or not.
    #[regex(r"[A-Za-z_][A-Za-z0-9_]*", word)]
    #[regex(r"[^\x00-\x7F]", word)]
    Name,
    /// `12`, `0.5`, `1e-3`
    #[regex(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", number)]
    Number,
    /// `.5`, `5.`, `2x`
    #[regex(r"\.[0-9][0-9A-Za-z_]*")]
    BadNumber,
    /// `"same"`
    #[regex("\"[^\"\n]*\"")]
    Text,
    /// `"same` without its end.
    #[regex("\"[^\"\n]*")]
    OpenText,
    /// What other languages write, see `slips`.
    #[token("**")]
    #[token("&&")]
    #[token("&")]
    #[token("||")]
    #[token("|")]
    #[token("!")]
    #[token("%")]
    #[token("?")]
    #[token(":=")]
    #[token("+=")]
    #[token("-=")]
    #[token("*=")]
    #[token("/=")]
    #[token("...")]
    #[token("===")]
    #[token("$")]
    #[token("`")]
    #[token("\\")]
    #[regex("//[^\n]*", allow_greedy = true)]
    #[regex(r"/\*[^\n]*", allow_greedy = true)]
    Slip,
    /// What no rule knows; an error has been given.
    Unknown,
    /// `(`
    #[token("(")]
    Open,
    /// `)`
    #[token(")")]
    Close,
    /// `[`
    #[token("[")]
    OpenSquare,
    /// `]`
    #[token("]")]
    CloseSquare,
    /// `{`
    #[token("{")]
    OpenBrace,
    /// `}`
    #[token("}")]
    CloseBrace,
    /// `,`
    #[token(",")]
    Comma,
    /// `;`
    #[token(";")]
    Semi,
    /// `:`
    #[token(":")]
    Colon,
    /// `=`
    #[token("=")]
    Equals,
    /// `~`
    #[token("~")]
    Tilde,
    /// `->`
    #[token("->")]
    Arrow,
    /// `..`
    #[token("..")]
    Dots,
    /// `.`
    #[token(".")]
    Dot,
    /// `'`
    #[token("'")]
    Quote,
    /// `^`
    #[token("^")]
    Caret,
    /// `@`
    #[token("@")]
    At,
    /// `*`
    #[token("*")]
    Star,
    /// `/`
    #[token("/")]
    Slash,
    /// `+`
    #[token("+")]
    Plus,
    /// `-`
    #[token("-")]
    Minus,
    /// `==`
    #[token("==")]
    Eq,
    /// `!=`
    #[token("!=")]
    Ne,
    /// `<`
    #[token("<")]
    Lt,
    /// `<=`
    #[token("<=")]
    Le,
    /// `>`
    #[token(">")]
    Gt,
    /// `>=`
    #[token(">=")]
    Ge,
    /// `not`
    Not,
    /// `and`
    And,
    /// `or`
    Or,
    /// `as`
    As,
    /// `in`
    In,
    /// `for`
    For,
    /// `None`
    None,
    /// `dim`
    Dim,
    /// `input`
    Input,
    /// `param`
    Param,
    /// `state`
    State,
    /// `update`
    Update,
    /// `const`
    Const,
    /// `fn`
    Fn,
    /// `layer`
    Layer,
    /// `repeat`
    Repeat,
    /// `scan`
    Scan,
    /// `loss`
    Loss,
    /// `output`
    Output,
    /// `metric`
    Metric,
    /// `grad`
    Grad,
    /// `expect`
    Expect,
    /// `use`
    Use,
    /// `train`
    Train,
    /// `return`
    Return,
    /// `yield`
    Yield,
}

/// The words that are not names.
pub const KEYWORDS: &[(&str, Kind)] = &[
    ("not", Kind::Not),
    ("and", Kind::And),
    ("or", Kind::Or),
    ("as", Kind::As),
    ("in", Kind::In),
    ("for", Kind::For),
    ("None", Kind::None),
    ("dim", Kind::Dim),
    ("input", Kind::Input),
    ("param", Kind::Param),
    ("state", Kind::State),
    ("update", Kind::Update),
    ("const", Kind::Const),
    ("fn", Kind::Fn),
    ("layer", Kind::Layer),
    ("repeat", Kind::Repeat),
    ("scan", Kind::Scan),
    ("loss", Kind::Loss),
    ("output", Kind::Output),
    ("metric", Kind::Metric),
    ("grad", Kind::Grad),
    ("expect", Kind::Expect),
    ("use", Kind::Use),
    ("train", Kind::Train),
    ("return", Kind::Return),
    ("yield", Kind::Yield),
];

/// Whether `kind` is one of `KEYWORDS`.
pub fn is_keyword(kind: Kind) -> bool {
    KEYWORDS.iter().any(|&(_, keyword)| keyword == kind)
}

/// Whether a line goes on after `kind`.
pub fn is_infix(kind: Kind) -> bool {
    use Kind::*;
    matches!(kind, Caret | At | Star | Slash | Plus | Minus | And | Or)
        || matches!(kind, Eq | Ne | Lt | Le | Gt | Ge)
}

/// Reads the rest of a name: letters of any script, digits, `_`, and parts after single dots.
fn word(lexer: &mut Lexer<Kind>) -> Kind {
    if !lexer.slice().chars().all(is_name_char) {
        return Kind::Unknown;
    }
    let rest = lexer.remainder();
    let mut end = 0;
    loop {
        end += name_chars(&rest[end..]);
        let more = rest[end..].strip_prefix('.').map_or(0, name_chars);
        if more == 0 {
            break;
        }
        end += 1 + more;
    }
    lexer.bump(end);
    let slice = lexer.slice();
    KEYWORDS.iter().find(|(text, _)| *text == slice).map_or(Kind::Name, |&(_, kind)| kind)
}

/// Looks behind a number for what makes it a badly written one, and takes that too.
fn number(lexer: &mut Lexer<Kind>) -> Kind {
    let rest = lexer.remainder();
    let mut end = 0;
    loop {
        end += name_chars(&rest[end..]);
        let tail = &rest[end..];
        if !tail.starts_with('.') || tail.starts_with("..") {
            break;
        }
        end += 1;
    }
    let exponent = end == 1 && rest.starts_with(['e', 'E']);
    end += usize::from(exponent && rest[1..].starts_with(['+', '-']));
    lexer.bump(end);
    if end == 0 { Kind::Number } else { Kind::BadNumber }
}

/// How many bytes at the start of `text` can stand in a name.
fn name_chars(text: &str) -> usize {
    text.find(|c| !is_name_char(c)).unwrap_or(text.len())
}

fn is_name_char(c: char) -> bool {
    let raised = matches!(c, '\u{1d2c}'..='\u{1d6a}' | '\u{2070}'..='\u{209c}' | 'ª' | 'º');
    c == '_' || c.is_ascii_alphanumeric() || (!c.is_ascii() && c.is_alphabetic() && !raised)
}
