//! The parser's place in the tokens: what comes next, what went wrong, where to go on after it.

use super::MAX_DEPTH;
use crate::diagnostic::{Diagnostic, Span};
use crate::syntax::ast::{Ast, Expr, ExprId, ExprKind, Ident};
use crate::syntax::error::{SyntaxError, shown};
use crate::syntax::token::{Kind, Token, Tokens, is_keyword, tokens};
use std::sync::Arc;

/// Everything a parse function works with.
///
/// After a mistake `failed` is set and every token reads as `Kind::End` until `recover`, so
/// that all parse functions come to their ends without further ado.
pub struct Parser<'t> {
    text: &'t str,
    file: u16,
    tokens: Vec<Token>,
    partner: Vec<Option<u32>>,
    errors: Vec<SyntaxError>,
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
    depth: usize,
    too_deep: bool,
    end: u32,
    ended: bool,
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
        let Tokens { tokens, partner, comments, errors } = tokens(text, file);
        Parser {
            text,
            file,
            tokens,
            partner,
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

    /// Reports `error`, unless the statement has a mistake already, and gives the statement up.
    pub fn fail(&mut self, error: SyntaxError) {
        if !self.failed {
            self.report(error);
            self.failed = true;
        }
    }

    /// Reports `error` and goes on.
    pub fn report(&mut self, error: SyntaxError) {
        if !self.failed {
            self.errors.push(error);
        }
    }

    /// How many mistakes have been reported.
    pub fn error_count(&self) -> usize {
        self.errors.len()
    }

    /// Fails since `expected` is not what comes next.
    pub fn fail_expected(&mut self, expected: impl Into<String>, help: Option<String>) {
        if self.failed {
            return;
        }
        let kind = self.peek();
        if kind == Kind::Unknown || (kind == Kind::End && self.ended) {
            self.failed = true;
            return;
        }
        let mut span = self.span();
        let found = self.found();
        if kind == Kind::Newline || kind == Kind::End {
            span = Span { start: self.end, end: self.end, ..span };
        }
        let expected = expected.into();
        self.fail(SyntaxError::Expected { span, expected, found, help });
    }

    /// Fails since the bracket at token `opener` is not closed.
    pub fn fail_unclosed(&mut self, opener: usize) {
        let kind = self.peek();
        if kind == Kind::Unknown || (kind == Kind::End && self.ended) {
            self.failed = true;
        }
        self.ended |= !self.failed && kind == Kind::End;
        let (bracket, closer) = match self.kind_at(opener) {
            Kind::OpenSquare => ("[", "]"),
            Kind::OpenBrace => ("{", "}"),
            _ => ("(", ")"),
        };
        let span = self.tokens[opener].span;
        let at = Span { start: self.end, end: self.end, ..span };
        self.fail(SyntaxError::Unclosed { span, bracket, closer, at });
    }

    /// The last token taken, between back quotes.
    pub fn last(&self) -> Option<String> {
        let token = self.tokens[..self.pos].iter().rev().find(|t| t.kind != Kind::Newline)?;
        Some(shown(&self.text[token.span.range()]))
    }

    /// What comes next, in words.
    pub fn found(&mut self) -> String {
        match self.peek() {
            Kind::Newline => "the end of the line".into(),
            Kind::End => "the end of the text".into(),
            kind if is_keyword(kind) => format!("the word {}", shown(self.slice())),
            Kind::Name => format!("the name {}", shown(self.slice())),
            Kind::Text => "a string".into(),
            _ => shown(self.slice()),
        }
    }

    /// Whether the next token is the first of its line.
    pub fn at_line_start(&mut self) -> bool {
        self.peek();
        self.pos == 0 || self.kind_at(self.pos - 1) == Kind::Newline
    }

    /// Notes the column of the statement that begins here, if it is the first of its line.
    pub fn note_column(&mut self) {
        if self.at_line_start() {
            self.column = self.column_at(self.pos);
        }
    }

    /// Whether token `at`, the first of its line, looks like the start of a statement that
    /// stands no deeper than the one at hand.
    pub fn starts_statement(&self, at: usize) -> bool {
        self.column_at(at) <= self.column && self.looks_like_statement(at)
    }

    /// Whether token `at` is the start of a statement that cannot stand in a block.
    pub fn starts_file_item(&self, at: usize) -> bool {
        match self.kind_at(at) {
            Kind::Grad => self.kind_at(at + 1) == Kind::Name,
            Kind::Dim | Kind::Input | Kind::Loss | Kind::Output | Kind::Metric => true,
            Kind::Fn | Kind::Layer | Kind::Expect | Kind::Use | Kind::Train => true,
            _ => false,
        }
    }

    /// Whether token `at` is the start of a statement other than a lone expression.
    pub fn looks_like_statement(&self, at: usize) -> bool {
        match self.kind_at(at) {
            Kind::Param | Kind::State | Kind::Update | Kind::Const => true,
            Kind::Return | Kind::Yield => true,
            Kind::Name => self.kind_at(at + 1) == Kind::Equals,
            Kind::Open => {
                self.partner(at).is_some_and(|close| self.kind_at(close + 1) == Kind::Equals)
            }
            _ => self.starts_file_item(at),
        }
    }

    fn column_at(&self, at: usize) -> usize {
        let line = at.checked_sub(1).map_or(0, |before| self.tokens[before].span.end);
        (self.tokens[at].span.start - line) as usize
    }

    /// Goes to the end of the statement that began at token `first` and could not be read.
    pub fn recover(&mut self, first: usize) {
        (self.failed, self.too_deep) = (false, false);
        let mut open: Vec<Kind> = Vec::new();
        let mut at = first;
        while self.kind_at(at) != Kind::End {
            let behind = at + 1 >= self.pos;
            match self.kind_at(at) {
                Kind::Newline if behind && self.starts_statement(at + 1) => break,
                Kind::Newline if at >= self.pos && open.is_empty() => break,
                Kind::Semi if at >= self.pos && open.is_empty() => break,
                kind @ (Kind::Open | Kind::OpenSquare | Kind::OpenBrace) => open.push(kind),
                Kind::Close | Kind::CloseSquare => {
                    open.pop_if(|kind| *kind != Kind::OpenBrace);
                }
                Kind::CloseBrace => match open.iter().rposition(|k| *k == Kind::OpenBrace) {
                    Some(depth) => open.truncate(depth),
                    None if at >= self.pos && self.mode.in_block => break,
                    None => {}
                },
                _ => {}
            }
            at += 1;
        }
        self.pos = at;
    }

    /// After a mistake in what stands before a block: goes to the brace on the same line.
    pub fn recover_at_brace(&mut self) {
        let opener = (self.pos..self.tokens.len())
            .take_while(|&at| !matches!(self.kind_at(at), Kind::Newline | Kind::CloseBrace))
            .find(|&at| self.kind_at(at) == Kind::OpenBrace);
        if let Some(at) = opener.filter(|_| self.failed && !self.too_deep) {
            self.failed = false;
            self.pos = at;
        }
    }

    /// Makes the closing brace of the opening one that comes next a line end, and both are gone.
    pub fn drop_braces(&mut self) {
        if self.peek() == Kind::OpenBrace {
            if let Some(close) = self.partner(self.pos) {
                self.tokens[close].kind = Kind::Newline;
            }
            self.tokens[self.pos].kind = Kind::Newline;
        }
    }

    /// Whether this line ends in `:`, as before an indented block.
    pub fn indented_block_follows(&self) -> bool {
        let line = (self.pos..self.tokens.len())
            .take_while(|&at| !matches!(self.kind_at(at), Kind::Newline | Kind::End));
        line.last().is_some_and(|at| self.kind_at(at) == Kind::Colon)
    }

    /// Skips the lines that stand deeper than the statement at hand.
    pub fn skip_deeper_lines(&mut self) {
        while self.kind_at(self.pos) != Kind::End {
            let next = self.pos + 1;
            let ends =
                self.kind_at(self.pos) == Kind::Newline && self.kind_at(next) != Kind::Newline;
            if ends && self.column_at(next) <= self.column {
                break;
            }
            self.pos = next;
        }
    }
}
