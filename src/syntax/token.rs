//! Text to tokens, by `logos`: any text gives tokens, what is unknown a diagnostic.

use super::ast::Comment;
use super::error::SyntaxError;
use super::slips::{self, Meant};
use crate::diagnostic::Span;
use logos::{Lexer, Logos};

/// What a text consists of.
#[derive(Debug, Default)]
pub struct Tokens {
    /// The tokens in order; the last one is `Kind::End`.
    pub tokens: Vec<Token>,
    /// For each opening bracket the place of the token that closes it, if any.
    pub partner: Vec<Option<u32>>,
    /// The comments in order.
    pub comments: Vec<Comment>,
    /// What could not be read.
    pub errors: Vec<SyntaxError>,
}

/// A token with its place.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Span,
}

/// Cuts `text` into tokens and pairs its brackets.
pub fn tokens(text: &str, file: u16) -> Tokens {
    let mut out = Tokens::default();
    let begin = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut lexer = Kind::lexer(text);
    lexer.bump(begin);
    while let Some(kind) = lexer.next() {
        let kind = kind.unwrap_or(Kind::Unknown);
        let span = Span::new(file, lexer.span());
        let slice = lexer.slice();
        match kind {
            Kind::Comment => out.comments.push(comment(text, span)),
            Kind::Slip | Kind::Unknown => slip(&mut lexer, span, &mut out),
            Kind::BadNumber => {
                out.errors.push(SyntaxError::Number { span, text: slice.into() });
                out.tokens.push(Token { kind, span });
            }
            Kind::OpenText => {
                out.errors.push(SyntaxError::OpenText { span });
                out.tokens.push(Token { kind: Kind::Unknown, span });
            }
            kind => out.tokens.push(Token { kind, span }),
        }
    }
    out.tokens.push(Token { kind: Kind::End, span: Span::new(file, text.len()..text.len()) });
    out.partner = partners(&out.tokens);
    out
}

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

fn comment(text: &str, mut span: Span) -> Comment {
    let line = text[..span.range().start].rfind('\n').map_or(0, |at| at + 1);
    let before = text[line..span.range().start].trim_start_matches('\u{feff}');
    span.end = span.start + text[span.range()].trim_end().len() as u32;
    Comment { span, own_line: before.trim().is_empty() }
}

/// Reports what other languages write, and takes it for what is meant where that is clear.
fn slip(lexer: &mut Lexer<Kind>, mut span: Span, out: &mut Tokens) {
    let slice = lexer.slice();
    let (meant, help) = slips::meant(slice);
    let kind = match meant {
        Meant::Token(kind) => Some(kind),
        Meant::Unclear => Some(Kind::Unknown),
        Meant::Nothing => {
            let rest = lexer.remainder();
            let line = rest.trim_start_matches([' ', '\t', '\r']);
            if slice == "\\" && line.starts_with('\n') {
                lexer.bump(rest.len() - line.len() + 1);
            }
            None
        }
        Meant::Quote => {
            let line = lexer.remainder().lines().next().unwrap_or("");
            let close = line.char_indices().find(|(_, c)| slips::is_double_quote(*c));
            if let Some((at, c)) = close {
                lexer.bump(at + c.len_utf8());
                span.end = lexer.span().end as u32;
            }
            Some(close.map_or(Kind::Unknown, |_| Kind::Text))
        }
    };
    let slice =
        if slice.starts_with("//") || slice.starts_with("/*") { &slice[..2] } else { slice };
    let place = Span { end: span.start + slice.len() as u32, ..span };
    out.errors.push(if slice.chars().count() == 1 && !slips::is_operator(slice) {
        SyntaxError::Character { span: place, text: slice.into(), help }
    } else {
        SyntaxError::Operator { span: place, text: slice.into(), help }
    });
    out.tokens.extend(kind.map(|kind| Token { kind, span }));
}

/// Pairs brackets: a round one may close a square one (`[0, K)`), a brace only a brace.
fn partners(tokens: &[Token]) -> Vec<Option<u32>> {
    let mut partner = vec![None; tokens.len()];
    let mut open: Vec<usize> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open | Kind::OpenSquare | Kind::OpenBrace => open.push(at),
            Kind::Close | Kind::CloseSquare => {
                if let Some(opener) = open.pop_if(|o| tokens[*o].kind != Kind::OpenBrace) {
                    partner[opener] = Some(at as u32);
                }
            }
            Kind::CloseBrace => {
                if let Some(depth) = open.iter().rposition(|o| tokens[*o].kind == Kind::OpenBrace) {
                    partner[open[depth]] = Some(at as u32);
                    open.truncate(depth);
                }
            }
            _ => {}
        }
    }
    partner
}
