//! What stands where a statement should begin or end.

use super::cursor::Parser;
use super::exprs::expr;
use super::items::binding;
use super::types::names;
use crate::syntax::ast::{BinaryOp, ExprId, ExprKind, ItemKind};
use crate::syntax::error::SyntaxError;
use crate::syntax::kind::Kind;
use crate::syntax::slips;

/// A binding, or what is not a statement.
pub fn other(p: &mut Parser) -> ItemKind {
    let (start, second) = (p.start(), p.peek_second());
    let named = p.peek() == Kind::Name;
    if named && matches!(second, Kind::Name | Kind::Number | Kind::Text | Kind::Fn | Kind::For) {
        let word = p.slice();
        if let Some(help) = slips::foreign(word) {
            return foreign(p, word, help);
        }
    }
    if named && matches!(second, Kind::Comma | Kind::Colon) {
        return half_binding(p, second);
    }
    if p.looks_like_statement(p.pos) && matches!(p.peek(), Kind::Name | Kind::Open) {
        return binding(p);
    }
    if matches!(p.peek(), Kind::Close | Kind::CloseSquare | Kind::CloseBrace) {
        let (span, bracket) = (p.span(), p.slice().to_string());
        p.fail(SyntaxError::Stray { span, bracket });
        return ItemKind::Error;
    }
    if let Some((fact, help)) = lost(p) {
        let span = p.span();
        p.fail(SyntaxError::Misplaced { span, fact, help: help.into() });
        return ItemKind::Error;
    }
    let operand = matches!(p.peek(), Kind::Number | Kind::Text | Kind::Minus | Kind::Not)
        || matches!(p.peek(), Kind::Name | Kind::Open | Kind::OpenSquare | Kind::Grad)
        || matches!(p.peek(), Kind::Repeat | Kind::Scan | Kind::BadNumber);
    if !operand {
        p.fail_expected("a statement", None);
        return ItemKind::Error;
    }
    let value = expr(p);
    end_of_statement(p);
    if !p.failed {
        nameless_value(p, value, start);
    }
    ItemKind::Error
}

/// Reports the value that began at byte `start` and has no name.
pub fn nameless_value(p: &mut Parser, value: ExprId, start: u32) {
    let compared = match p.ast[value].kind {
        ExprKind::Binary(BinaryOp::Eq, left, _) => matches!(p.ast[left].kind, ExprKind::Name(_)),
        _ => false,
    };
    let help = match compared {
        true => "a name gets its value by one `=`: `y = ...`",
        false => "give it a name, `y = ...`, or a duty, `output y = ...`",
    };
    let span = p.since(start);
    let fact = "a value without a name has no use here";
    p.report(SyntaxError::Misplaced { span, fact, help: help.into() });
}

/// What must come after a statement.
pub fn end_of_statement(p: &mut Parser) {
    let kind = p.peek();
    if matches!(kind, Kind::Newline | Kind::Semi | Kind::End)
        || (kind == Kind::CloseBrace && p.mode.in_block)
    {
        return;
    }
    if matches!(kind, Kind::Close | Kind::CloseSquare | Kind::CloseBrace) {
        let (span, bracket) = (p.span(), p.slice().to_string());
        return p.fail(SyntaxError::Stray { span, bracket });
    }
    let product = p.last().filter(|last| last.ends_with(|c: char| c != '`') || last.len() > 2);
    let help = match (kind, product) {
        (Kind::Equals, _) => Some("`==` compares two values".to_string()),
        (Kind::Name | Kind::Number | Kind::Open, Some(_)) => {
            Some("a product is written with `*`, one statement follows another after `;`".into())
        }
        (Kind::OpenBrace, _) => Some("a block belongs to `fn`, `layer`, `repeat` or `scan`".into()),
        _ => None,
    };
    p.fail_expected("an operator or the end of the statement", help);
}

/// Reports a statement that begins as in another language; reads it where that is possible.
fn foreign(p: &mut Parser, word: &str, help: &'static str) -> ItemKind {
    let span = p.span();
    p.report(SyntaxError::Foreign { span, word: word.into(), help });
    p.bump();
    if slips::is_let(word) && p.peek_second() == Kind::Equals {
        return binding(p);
    }
    if help.contains("a file is a model") {
        p.bump();
        p.drop_braces();
        p.mode.multiline = false;
        if p.peek() == Kind::Newline {
            return ItemKind::Error;
        }
    }
    p.failed = true;
    if help.contains("fn name") && p.indented_block_follows() {
        p.skip_deeper_lines();
    }
    ItemKind::Error
}

/// `a, b = f(x)` and `x: f32[N]`.
fn half_binding(p: &mut Parser, second: Kind) -> ItemKind {
    let start = p.start();
    let names = names(p, "a name to bind");
    let span = p.since(start);
    if second == Kind::Colon || p.peek() != Kind::Equals {
        let help = "say what it is: `input x: f32[N]`, `param`, `state` or `const`";
        let help = (p.peek() == Kind::Colon).then(|| help.to_string());
        p.fail_expected("`=` after the name", help);
        return ItemKind::Error;
    }
    let fact = "several names are bound in parentheses";
    let list: Vec<&str> = names.iter().map(|name| &*name.text).collect();
    let help = match list.join(", ") {
        list if list.len() <= 40 => format!("write `({list}) = ...`"),
        _ => "write `(a, b) = ...`".into(),
    };
    p.report(SyntaxError::Misplaced { span, fact, help });
    p.bump();
    let value = expr(p);
    p.failed |= p.peek() == Kind::Comma;
    ItemKind::Binding(names, value)
}

/// What to say of a token that begins no statement.
fn lost(p: &mut Parser) -> Option<(&'static str, &'static str)> {
    Some(match p.peek() {
        Kind::Return => ("`return` stands at the end of a function or layer", "write `output y`"),
        Kind::Yield => ("`yield` stands at the end of a `scan`", "write `output y`"),
        Kind::For => (
            "a loop is an expression of its own",
            "write `repeat 12 (h = x) { ... }` or `scan t in T (h = x) { ... }`",
        ),
        Kind::Plus | Kind::Star | Kind::Slash | Kind::At | Kind::Caret | Kind::And | Kind::Or => (
            "a line does not begin with an infix operator",
            "write the operator at the end of the line before",
        ),
        Kind::OpenBrace => (
            "a block belongs to `fn`, `layer`, `repeat` or `scan`",
            "remove the braces, or put `{` at the end of the line before",
        ),
        _ => return None,
    })
}
