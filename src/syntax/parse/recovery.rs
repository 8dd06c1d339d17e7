//! Mistakes: how they are reported, where reading goes on after them.

use super::cursor::Parser;
use crate::diagnostic::Span;
use crate::syntax::error::{SyntaxError, shown};
use crate::syntax::kind::{Kind, is_infix, is_keyword};

/// How many tokens are searched for the block of a header with a mistake.
const HEADER: usize = 1000;

impl Parser<'_> {
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
                Kind::Newline
                    if at >= self.pos && open.is_empty() && !is_infix(self.kind_at(at - 1)) =>
                {
                    break;
                }
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
            .take(HEADER)
            .take_while(|&at| !matches!(self.kind_at(at), Kind::Newline | Kind::CloseBrace))
            .find(|&at| self.kind_at(at) == Kind::OpenBrace);
        if let Some(at) = opener.filter(|_| self.failed && !self.too_deep) {
            self.failed = false;
            self.pos = at;
        }
    }

    /// Whether a closing brace ahead closes nothing, so that an opening one must be missing.
    pub fn brace_is_missing(&self) -> bool {
        self.stray_brace.is_some_and(|at| at >= self.pos)
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
