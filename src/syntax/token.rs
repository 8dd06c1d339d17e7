//! Text to tokens: any text gives tokens, what is unknown a diagnostic.

use super::ast::Comment;
use super::error::SyntaxError;
use super::kind::Kind;
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
    /// The last closing brace that closes nothing.
    pub stray_brace: Option<usize>,
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
    pair(&mut out);
    out
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
            let mut rest = lexer.remainder().char_indices();
            let close = rest.find(|(_, c)| *c == '\n' || slips::is_double_quote(*c));
            let close = close.filter(|(_, c)| *c != '\n');
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
fn pair(out: &mut Tokens) {
    let Tokens { tokens, partner, stray_brace, .. } = out;
    *partner = vec![None; tokens.len()];
    let mut open: Vec<usize> = Vec::new();
    // The places in `open` of the braces.
    let mut braces: Vec<usize> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::OpenBrace => {
                braces.push(open.len());
                open.push(at);
            }
            Kind::Open | Kind::OpenSquare => open.push(at),
            Kind::Close | Kind::CloseSquare => {
                if let Some(opener) = open.pop_if(|o| tokens[*o].kind != Kind::OpenBrace) {
                    partner[opener] = Some(at as u32);
                }
            }
            Kind::CloseBrace => match braces.pop() {
                Some(depth) => {
                    partner[open[depth]] = Some(at as u32);
                    open.truncate(depth);
                }
                None => *stray_brace = Some(at),
            },
            _ => {}
        }
    }
}
