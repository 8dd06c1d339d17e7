//! Blocks between braces, `repeat` and `scan`.

use super::calls::{bracketed, instance};
use super::cursor::{Mode, Parser};
use super::exprs::{expr, sum};
use super::items::statement;
use super::lost::end_of_statement;
use super::types::name;
use crate::syntax::ast::{Body, ExprId, ExprKind, Ident, Repeat, Scan};
use crate::syntax::error::SyntaxError;
use crate::syntax::kind::Kind;
use crate::syntax::slips;

/// What a block belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// No block: the file itself.
    File,
    /// A function or the derivative of one.
    Function,
    /// A layer.
    Layer,
    /// `repeat`.
    Repeat,
    /// `scan`, with carries or without.
    Scan {
        /// Whether it has carries.
        carries: bool,
    },
}

impl Place {
    fn returns(self) -> bool {
        matches!(self, Place::Function | Place::Layer)
    }
}

pub fn repeat(p: &mut Parser) -> ExprId {
    let start = p.start();
    p.bump();
    let count = count(p);
    let carries = carries(p);
    if carries.is_empty() {
        let help = "write what goes round: `repeat 12 (h = x) { block(h) }`".to_string();
        p.fail_expected("a carry in parentheses after the count", Some(help));
    }
    p.recover_at_brace();
    let body = block(p, Place::Repeat);
    let instance = instance(p);
    p.add(ExprKind::Repeat(Box::new(Repeat { count, carries, body, instance })), start)
}

pub fn scan(p: &mut Parser) -> ExprId {
    let start = p.start();
    p.bump();
    let reverse = p.peek() == Kind::Name && p.slice() == "reverse" && p.peek_second() != Kind::In;
    if reverse {
        p.bump();
    }
    let index = name(p, "the name of the index after `scan`");
    p.expect(Kind::In, "`in` and the length after the index");
    let length = count(p);
    let carries = carries(p);
    let slices = slices(p);
    p.recover_at_brace();
    let body = block(p, Place::Scan { carries: !carries.is_empty() });
    p.add(ExprKind::Scan(Box::new(Scan { reverse, index, length, carries, slices, body })), start)
}

pub fn count(p: &mut Parser) -> ExprId {
    let mode = p.mode;
    p.mode.no_call = true;
    let count = sum(p);
    p.mode = mode;
    count
}

pub fn carries(p: &mut Parser) -> Vec<(Ident, ExprId)> {
    if p.peek() != Kind::Open {
        return Vec::new();
    }
    bracketed(p, Kind::Close, "`,` or `)` after a carry", |p| {
        let mut carries = Vec::new();
        while p.peek() != Kind::Close {
            carries.push(carry(p));
            if !p.eat(Kind::Comma) {
                break;
            }
        }
        carries
    })
}

pub fn carry(p: &mut Parser) -> (Ident, ExprId) {
    let name = name(p, "a carry with its first value, such as `h = h0`");
    p.expect(Kind::Equals, "`=` and the first value of the carry");
    (name, expr(p))
}

pub fn slices(p: &mut Parser) -> Vec<(Ident, ExprId)> {
    let mut slices = Vec::new();
    if p.eat(Kind::For) {
        slices.push(slice(p));
        while p.eat(Kind::Comma) {
            while p.peek() == Kind::Newline {
                p.bump();
            }
            slices.push(slice(p));
        }
    }
    slices
}

pub fn slice(p: &mut Parser) -> (Ident, ExprId) {
    let name = name(p, "the name of a slice after `for`, such as `xt in x`");
    p.expect(Kind::In, "`in` and what it is a slice of");
    (name, expr(p))
}

pub fn block(p: &mut Parser, place: Place) -> Body {
    let start = p.start();
    if p.peek() != Kind::OpenBrace {
        missing_brace(p);
    }
    if p.failed || !p.enter() {
        return Body { span: p.since(start), ..Body::default() };
    }
    let (mode, column, errors, opener) = (p.mode, p.column, p.error_count(), p.pos);
    let opened = p.eat(Kind::OpenBrace);
    p.mode = Mode { in_block: true, ..Mode::default() };
    let mut body = Body::default();
    let mut misplaced = None;
    loop {
        match p.peek() {
            Kind::Newline | Kind::Semi => p.bump(),
            Kind::CloseBrace | Kind::End => break,
            _ if p.starts_file_item(p.pos) && p.at_line_start() && outdented(p, column) => break,
            _ if begins_item(p) => body.items.push(statement(p, place)),
            _ => misplaced = misplaced.or(result_statement(p, place, &mut body)),
        }
    }
    let sound = opened && errors == p.error_count();
    if p.peek() == Kind::CloseBrace {
        if let Some(error) = misplaced.filter(|_| sound) {
            p.report(error);
        } else if sound && body.results.is_empty() && place.returns() {
            let help = "end the block with `return` and the result".to_string();
            p.fail_expected("`return` before the end of the block", Some(help));
            p.failed = false;
        }
        p.bump();
    } else if opened {
        p.fail_unclosed(opener);
    }
    (p.mode, p.column) = (mode, column);
    p.leave();
    Body { span: p.since(start), ..body }
}

pub fn result(p: &mut Parser, place: Place) -> Vec<ExprId> {
    let lone = !matches!(p.peek(), Kind::Return | Kind::Yield);
    if lone {
        return vec![expr(p)];
    }
    let wanted = if place.returns() { "return" } else { "yield" };
    if p.slice() != wanted {
        let fact = match wanted {
            "return" => "`yield` stands in a `scan` or `repeat`; a function has `return`",
            _ => "`return` stands in a function or a layer; a block has `yield`",
        };
        let span = p.span();
        p.report(SyntaxError::Misplaced { span, fact, help: format!("write `{wanted}`") });
    }
    p.bump();
    let opener = p.pos;
    let close = if p.peek() == Kind::Open { p.partner(opener) } else { None };
    let ends = |kind| matches!(kind, Kind::Newline | Kind::Semi | Kind::CloseBrace | Kind::End);
    if close.is_some_and(|close| ends(p.kind_at(close + 1)) && has_comma(p, opener, close)) {
        return bracketed(p, Kind::Close, "`,` or `)` in the results", |p| {
            let mut results = vec![expr(p)];
            while p.eat(Kind::Comma) && p.peek() != Kind::Close {
                results.push(expr(p));
            }
            results
        });
    }
    let mut results = vec![expr(p)];
    while p.eat(Kind::Comma) {
        results.push(expr(p));
    }
    results
}

/// Reports that no block begins here; goes on where it begins or should have begun.
pub fn missing_brace(p: &mut Parser) {
    let mut at = p.pos;
    while p.kind_at(at) == Kind::Newline {
        at += 1;
    }
    let failed = p.failed;
    let later = at > p.pos && p.kind_at(at) == Kind::OpenBrace;
    let help = match later {
        true => "put the `{` at the end of the line before",
        false => "write the block between `{` and `}`",
    };
    p.fail_expected("`{` on this line", Some(help.into()));
    if failed {
        return;
    }
    p.recover_at_brace();
    if later {
        p.failed = false;
        p.pos = at;
    } else if p.failed && p.brace_is_missing() {
        p.failed = false;
    }
}

/// Reads a result and the end of the statement; returns what is wrong with its place.
fn result_statement(p: &mut Parser, place: Place, body: &mut Body) -> Option<SyntaxError> {
    let first = p.pos;
    p.note_column();
    let lone = !matches!(p.peek(), Kind::Return | Kind::Yield);
    let start = p.start();
    body.results = result(p, place);
    end_of_statement(p);
    if p.failed {
        p.recover(first);
        return None;
    }
    let span = p.since(start);
    while matches!(p.peek(), Kind::Newline | Kind::Semi) {
        p.bump();
    }
    let last = matches!(p.peek(), Kind::CloseBrace | Kind::End);
    let (fact, help) = match place {
        _ if !last && lone => (
            "a value without a name stands only at the end of a block",
            "give it a name: `name = ...`",
        ),
        _ if !last => ("statements stand before the result of a block", "move it to the end"),
        _ if lone && place.returns() => {
            ("a value without a name is not the result of a function", "write `return ...`")
        }
        Place::Scan { carries: true } if lone => (
            "a value without a name says too little in a `scan` with carries",
            "write `h = ...` for the next value of a carry, `yield ...` to stack values",
        ),
        _ => return None,
    };
    Some(SyntaxError::Misplaced { span, fact, help: help.into() })
}

/// Whether the statement that comes next is an item, not a result.
fn begins_item(p: &mut Parser) -> bool {
    if matches!(p.peek(), Kind::Return | Kind::Yield) {
        return false;
    }
    let word = p.slice();
    let second = p.peek_second();
    let named = p.peek() == Kind::Name;
    p.looks_like_statement(p.pos)
        || (named && matches!(second, Kind::Comma | Kind::Colon))
        || (named && second == Kind::Name && slips::foreign(word).is_some())
}

/// Whether the item that comes next stands no deeper than the statement the block belongs to.
fn outdented(p: &mut Parser, column: usize) -> bool {
    p.note_column();
    p.column <= column
}

/// Whether there is a comma between the brackets, outside of others.
fn has_comma(p: &Parser, opener: usize, close: usize) -> bool {
    let mut at = opener + 1;
    while at < close {
        match p.kind_at(at) {
            Kind::Comma => return true,
            Kind::Open | Kind::OpenSquare | Kind::OpenBrace => at = p.partner(at).unwrap_or(close),
            _ => {}
        }
        at += 1;
    }
    false
}
