//! The parser's place in the tokens: what comes next, what has been taken.

use super::MAX_DEPTH;
use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::ast::{Ast, Expr, ExprId, ExprKind, Ident};
use crate::syntax::error::SyntaxError;
use crate::syntax::kind::Kind;
use crate::syntax::token::{Token, Tokens, tokens};
use std::sync::Arc;

/// Everything a parse function works with.
///
/// After a mistake `failed` is set and every token reads as `Kind::End` until `recover`, so
/// that all parse functions come to their ends without further ado.
pub struct Parser<'t> {
    pub(super) text: &'t str,
    pub(super) file: u16,
    pub(super) tokens: Vec<Token>,
    pub(super) partner: Vec<Option<u32>>,
    pub(super) stray_brace: Option<usize>,
    pub(super) errors: Vec<SyntaxError>,
    /// The tree so far.
    pub ast: Ast,
    /// The token that comes next.
    pub pos: usize,
    /// Whether the statement at hand has a mistake.
    pub failed: bool,
    /// What the place at hand allows.
    pub mode: Mode,
    /// The column of the first statement on the line at hand.
    pub column: usize,
    /// The names of arrays in scope, which have no members.
    pub arrays: Vec<Arc<str>>,
    pub(super) depth: usize,
    pub(super) too_deep: bool,
    pub(super) end: u32,
    pub(super) ended: bool,
}

/// What the place at hand allows; brackets and blocks change it for what is within them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mode {
    /// A line end does not end the statement.
    pub multiline: bool,
    /// A name is not called by a parenthesis behind it.
    pub no_call: bool,
    /// A closing brace ends the statement.
    pub in_block: bool,
}

impl<'t> Parser<'t> {
    /// At the start of `text`.
    pub fn new(text: &'t str, file: u16) -> Parser<'t> {
        let Tokens { tokens, partner, stray_brace, comments, errors } = tokens(text, file);
        Parser {
            text,
            file,
            tokens,
            partner,
            stray_brace,
            errors,
            ast: Ast { comments, ..Ast::default() },
            pos: 0,
            failed: false,
            mode: Mode::default(),
            column: 0,
            arrays: Vec::new(),
            depth: 0,
            too_deep: false,
            end: 0,
            ended: false,
        }
    }

    /// The tree with the mistakes in the order of the text.
    pub fn finish(self) -> (Ast, Vec<Diagnostic>) {
        let mut errors = self.errors;
        errors.sort_by_key(|error| (error.span().start, error.span().end));
        (self.ast, errors.into_iter().map(Diagnostic::from).collect())
    }

    /// The next token; `End` after a mistake.
    pub fn peek(&mut self) -> Kind {
        if self.failed {
            return Kind::End;
        }
        while self.mode.multiline && self.tokens[self.pos].kind == Kind::Newline {
            self.pos += 1;
        }
        self.tokens[self.pos].kind
    }

    /// The token after the next.
    pub fn peek_second(&mut self) -> Kind {
        if self.peek() == Kind::End {
            return Kind::End;
        }
        let mut at = self.pos + 1;
        while self.mode.multiline && self.tokens[at].kind == Kind::Newline {
            at += 1;
        }
        self.tokens[at].kind
    }

    /// The token at `at`, whatever went wrong.
    pub fn kind_at(&self, at: usize) -> Kind {
        self.tokens.get(at).map_or(Kind::End, |token| token.kind)
    }

    /// The token that closes the bracket at `at`.
    pub fn partner(&self, at: usize) -> Option<usize> {
        self.partner[at].map(|at| at as usize)
    }

    /// Takes the next token, unless there is none.
    pub fn bump(&mut self) {
        match self.peek() {
            Kind::End => return,
            Kind::Newline => {}
            _ => self.end = self.tokens[self.pos].span.end,
        }
        self.pos += 1;
    }

    /// Takes the next token if it is `kind`.
    pub fn eat(&mut self, kind: Kind) -> bool {
        let found = kind != Kind::End && self.peek() == kind;
        if found {
            self.bump();
        }
        found
    }

    /// Takes the next token, which should be `kind`.
    pub fn expect(&mut self, kind: Kind, expected: impl Into<String>) -> bool {
        let found = self.eat(kind);
        if !found {
            self.fail_expected(expected, None);
        }
        found
    }

    /// Takes the bracket that closes the one at token `opener`, opened by `open`.
    pub fn close(&mut self, kind: Kind, opener: usize, expected: impl Into<String>) -> bool {
        if self.eat(kind) {
            return true;
        }
        if self.failed {
            return false;
        }
        let found = self.peek();
        let other = matches!(found, Kind::Close | Kind::CloseSquare | Kind::CloseBrace);
        if found == Kind::End || other || (self.at_line_start() && self.starts_statement(self.pos))
        {
            self.fail_unclosed(opener);
            if other && self.partner(opener) == Some(self.pos) {
                self.pos += 1;
            }
        } else {
            self.fail_expected(expected, None);
        }
        false
    }

    /// Skips line ends, as after an infix operator, unless a new statement stands there.
    pub fn continue_line(&mut self) {
        let mut at = self.pos;
        while self.kind_at(at) == Kind::Newline {
            at += 1;
        }
        if self.failed || at == self.pos {
            return;
        }
        if !self.starts_statement(at) {
            self.pos = at;
        } else {
            let operator = self.last().unwrap_or_default();
            let multiline = std::mem::replace(&mut self.mode.multiline, false);
            self.fail_expected(format!("an expression after {operator}"), None);
            self.mode.multiline = multiline;
        }
    }

    /// The first byte of the next token.
    pub fn start(&mut self) -> u32 {
        self.peek();
        self.tokens[self.pos].span.start
    }

    /// From byte `start` to the end of the last token taken.
    pub fn since(&self, start: u32) -> Span {
        Span { file: self.file, start, end: self.end.max(start) }
    }

    /// The place of the next token.
    pub fn span(&mut self) -> Span {
        self.peek();
        self.tokens[self.pos].span
    }

    /// The text of the next token.
    pub fn slice(&mut self) -> &'t str {
        let span = self.span();
        &self.text[span.range()]
    }

    /// Whether token `at` is the name `word`.
    pub fn is_word(&self, at: usize, word: &str) -> bool {
        self.kind_at(at) == Kind::Name && &self.text[self.tokens[at].span.range()] == word
    }

    /// The text at `span`.
    pub fn text_of(&self, span: Span) -> &'t str {
        &self.text[span.range()]
    }

    /// Adds an expression that began at byte `start`.
    pub fn add(&mut self, kind: ExprKind, start: u32) -> ExprId {
        let span = self.since(start);
        self.ast.exprs.push(Expr { kind, span });
        ExprId(self.ast.exprs.len() as u32 - 1)
    }

    /// Stands for an expression that could not be read.
    pub fn missing(&mut self) -> ExprId {
        let start = self.start();
        self.add(ExprKind::Error, start)
    }

    /// Stands for a name that could not be read.
    pub fn nameless(&mut self) -> Ident {
        let start = self.start();
        Ident { text: Arc::from(""), span: self.since(start) }
    }

    /// Goes one level deeper; `leave` must follow if this succeeds.
    pub fn enter(&mut self) -> bool {
        if self.depth >= MAX_DEPTH {
            let span = self.span();
            self.fail(SyntaxError::Depth { span });
            self.too_deep = true;
            return false;
        }
        self.depth += 1;
        true
    }

    /// Goes back one level.
    pub fn leave(&mut self) {
        self.depth -= 1;
    }
}
