//! Infix, prefix and postfix operators: precedence is one function for each level.

use super::blocks::{repeat, scan};
use super::calls::{call, index, list, rename};
use super::cursor::{Mode, Parser};
use crate::syntax::ast::{BinaryOp, ExprId, ExprKind, UnaryOp};
use crate::syntax::error::{SyntaxError, shown};
use crate::syntax::kind::{Kind, is_keyword};
use std::sync::Arc;

pub fn expr(p: &mut Parser) -> ExprId {
    let start = p.start();
    let mut left = and_expr(p);
    while p.eat(Kind::Or) {
        p.continue_line();
        let right = and_expr(p);
        left = p.add(ExprKind::Binary(BinaryOp::Or, left, right), start);
    }
    left
}

pub fn and_expr(p: &mut Parser) -> ExprId {
    let start = p.start();
    let mut left = not_expr(p);
    while p.eat(Kind::And) {
        p.continue_line();
        let right = not_expr(p);
        left = p.add(ExprKind::Binary(BinaryOp::And, left, right), start);
    }
    left
}

pub fn not_expr(p: &mut Parser) -> ExprId {
    prefixed(p, Kind::Not, UnaryOp::Not, comparison)
}

pub fn comparison(p: &mut Parser) -> ExprId {
    let start = p.start();
    let left = sum(p);
    let Some(op) = comparison_op(p) else { return left };
    let first = p.span();
    p.bump();
    p.continue_line();
    let right = sum(p);
    let compared = p.add(ExprKind::Binary(op, left, right), start);
    if comparison_op(p).is_some() {
        let span = p.span();
        let [a, b] = [left, right].map(|side| p.text_of(p.ast[side].span));
        let help = match a.len() + b.len() <= 30 && !a.contains('\n') && !b.contains('\n') {
            true => {
                let (first, second) = (p.text_of(first), p.slice());
                format!("write two, `{a} {first} {b} and {b} {second} ...`")
            }
            false => "write two, with `and` between, or put one in parentheses".into(),
        };
        p.fail(SyntaxError::Chain { span, first, help });
    }
    compared
}

pub fn sum(p: &mut Parser) -> ExprId {
    let start = p.start();
    let mut left = product(p);
    loop {
        let op = match p.peek() {
            Kind::Plus => BinaryOp::Add,
            Kind::Minus => BinaryOp::Sub,
            _ => return left,
        };
        p.bump();
        p.continue_line();
        let right = product(p);
        left = p.add(ExprKind::Binary(op, left, right), start);
    }
}

pub fn product(p: &mut Parser) -> ExprId {
    let start = p.start();
    let mut left = unary(p);
    loop {
        let op = match p.peek() {
            Kind::At => BinaryOp::MatMul,
            Kind::Star => BinaryOp::Mul,
            Kind::Slash => BinaryOp::Div,
            _ => return left,
        };
        p.bump();
        p.continue_line();
        let right = unary(p);
        left = p.add(ExprKind::Binary(op, left, right), start);
    }
}

pub fn unary(p: &mut Parser) -> ExprId {
    prefixed(p, Kind::Minus, UnaryOp::Neg, power)
}

pub fn power(p: &mut Parser) -> ExprId {
    let start = p.start();
    let base = postfix(p);
    if !p.eat(Kind::Caret) {
        return base;
    }
    p.continue_line();
    if !p.enter() {
        return base;
    }
    let raised = exponent(p);
    p.leave();
    p.add(ExprKind::Binary(BinaryOp::Pow, base, raised), start)
}

pub fn exponent(p: &mut Parser) -> ExprId {
    prefixed(p, Kind::Minus, UnaryOp::Neg, power)
}

pub fn postfix(p: &mut Parser) -> ExprId {
    let start = p.start();
    let mut base = atom(p);
    loop {
        match p.peek() {
            Kind::Quote => {
                p.bump();
                base = p.add(ExprKind::Transpose(base), start);
            }
            Kind::OpenSquare => {
                let items = index(p);
                base = p.add(ExprKind::Index(base, items), start);
            }
            Kind::As if p.peek_second() == Kind::Name => {
                let from = p.start();
                p.bump();
                p.bump();
                let span = p.since(from);
                p.fail(SyntaxError::Instance { span });
            }
            Kind::As => {
                let axes = rename(p);
                base = p.add(ExprKind::As(base, axes), start);
            }
            Kind::Dot => dot(p),
            _ => return base,
        }
    }
}

pub fn atom(p: &mut Parser) -> ExprId {
    let start = p.start();
    match p.peek() {
        Kind::Number => {
            let text = p.slice().into();
            p.bump();
            p.add(ExprKind::Number(text), start)
        }
        Kind::Text => {
            let text = text(p);
            p.add(ExprKind::Text(text), start)
        }
        Kind::BadNumber => {
            p.bump();
            p.add(ExprKind::Error, start)
        }
        Kind::Name | Kind::Grad if is_call(p) => call(p),
        Kind::Name => {
            transposed(p);
            let text = p.slice().into();
            p.bump();
            p.add(ExprKind::Name(text), start)
        }
        Kind::Open => parenthesized(p),
        Kind::OpenSquare => list(p),
        Kind::Repeat => repeat(p),
        Kind::Scan => scan(p),
        _ => no_atom(p),
    }
}

pub fn parenthesized(p: &mut Parser) -> ExprId {
    let opener = p.pos;
    if !p.enter() {
        return p.missing();
    }
    let mode = p.mode;
    p.bump();
    p.mode = Mode { multiline: true, no_call: false, ..mode };
    let inner = expr(p);
    if p.peek() == Kind::Comma {
        let help = "several values stand in `[a, b]`, or have a statement each".to_string();
        p.fail_expected("`)` after the expression in parentheses", Some(help));
    }
    p.close(Kind::Close, opener, "an operator or `)`");
    p.mode = mode;
    p.leave();
    inner
}

/// The text between the quotes of the string that comes next.
pub fn text(p: &mut Parser) -> Arc<str> {
    let mut chars = p.slice().chars();
    chars.next();
    chars.next_back();
    p.bump();
    chars.as_str().into()
}

/// Signs before an operand, read in a loop; each counts as a level of nesting.
fn prefixed(p: &mut Parser, sign: Kind, op: UnaryOp, operand: fn(&mut Parser) -> ExprId) -> ExprId {
    let mut starts = Vec::new();
    while p.peek() == sign && p.enter() {
        starts.push(p.start());
        p.bump();
    }
    let mut inner = operand(p);
    for start in starts.into_iter().rev() {
        inner = p.add(ExprKind::Unary(op, inner), start);
        p.leave();
    }
    inner
}

fn comparison_op(p: &mut Parser) -> Option<BinaryOp> {
    Some(match p.peek() {
        Kind::Eq => BinaryOp::Eq,
        Kind::Ne => BinaryOp::Ne,
        Kind::Lt => BinaryOp::Lt,
        Kind::Le => BinaryOp::Le,
        Kind::Gt => BinaryOp::Gt,
        Kind::Ge => BinaryOp::Ge,
        _ => return None,
    })
}

/// Whether the name that comes next is called: `f(`, or `f[`, its partner, `(`.
fn is_call(p: &mut Parser) -> bool {
    match p.peek_second() {
        _ if p.mode.no_call => false,
        Kind::Open => true,
        Kind::OpenSquare => {
            let close = p.partner(p.pos + 1);
            close.is_some_and(|close| p.kind_at(close + 1) == Kind::Open)
        }
        _ => false,
    }
}

/// Reports `x.T` of an `x` that has no members.
fn transposed(p: &mut Parser) {
    let text = p.slice();
    let Some(array) = text.strip_suffix(".T") else { return };
    if p.arrays.iter().any(|name| &**name == array) {
        let span = p.span();
        p.report(SyntaxError::DotT { span, help: format!("write `{array}'`") });
    }
}

fn dot(p: &mut Parser) {
    let span = p.span();
    if p.peek_second() == Kind::Name {
        p.bump();
        let member = p.slice();
        let span = span.to(p.span());
        if member == "T" {
            p.fail(SyntaxError::DotT { span, help: "write `'` in its place".into() });
        } else {
            let call = shown(&format!("{member}(x)"));
            let help = format!("values have no members: write {call}, with the value in it");
            p.pos -= 1;
            p.fail_expected("an operator or the end of the statement", Some(help));
        }
    } else {
        p.fail_expected("an operator or the end of the statement", None);
    }
}

fn no_atom(p: &mut Parser) -> ExprId {
    let kind = p.peek();
    let fresh_line = p.mode.multiline && p.at_line_start();
    if is_keyword(kind) && p.looks_like_statement(p.pos) && !fresh_line {
        let (span, word) = (p.span(), p.slice().to_string());
        p.fail(SyntaxError::Reserved { span, word });
        return p.missing();
    }
    let help = match kind {
        Kind::Plus => Some("leave the `+` out: a value needs no sign"),
        Kind::Not => Some("put it in parentheses: `(not x)`"),
        Kind::Eq => Some("`=` gives a name its value; `==` compares two values"),
        _ => None,
    };
    let after = p.last().map_or(String::new(), |last| format!(" after {last}"));
    p.fail_expected(format!("an expression{after}"), help.map(String::from));
    p.missing()
}
