//! What stands in brackets: calls, indexing, lists, the renaming of axes.

use super::cursor::{Mode, Parser};
use super::exprs::expr;
use super::types::name;
use crate::syntax::ast::{Arg, Call, ExprId, ExprKind, Ident, IndexItem, UnaryOp};
use crate::syntax::error::shown;
use crate::syntax::kind::Kind;

pub fn call(p: &mut Parser) -> ExprId {
    let start = p.start();
    let callee = callee(p);
    let axes = if p.peek() == Kind::OpenSquare { Some(axes(p)) } else { None };
    let (args, sizes) = arguments(p, &callee.text);
    let instance = instance(p);
    p.add(ExprKind::Call(Box::new(Call { callee, axes, args, sizes, instance })), start)
}

pub fn axes(p: &mut Parser) -> Vec<ExprId> {
    bracketed(p, Kind::CloseSquare, "`,` or `]` after an axis", |p| {
        let mut axes = Vec::new();
        while p.peek() != Kind::CloseSquare {
            axes.push(axis(p));
            if !p.eat(Kind::Comma) {
                break;
            }
        }
        axes
    })
}

pub fn axis(p: &mut Parser) -> ExprId {
    let start = p.start();
    let negative = p.eat(Kind::Minus);
    let digits = p.start();
    let axis = match p.peek() {
        Kind::Number => {
            let text = p.slice().into();
            p.bump();
            p.add(ExprKind::Number(text), digits)
        }
        Kind::Name if !negative => {
            let text = p.slice().into();
            p.bump();
            p.eat(Kind::Dots);
            p.add(ExprKind::Name(text), start)
        }
        _ => {
            p.fail_expected("an axis: a name, a number or `keep`", None);
            p.missing()
        }
    };
    if negative { p.add(ExprKind::Unary(UnaryOp::Neg, axis), start) } else { axis }
}

pub fn arguments(p: &mut Parser, callee: &str) -> (Vec<Arg>, Vec<ExprId>) {
    let expected = format!("`,` or `)` in the call of {}", shown(callee));
    bracketed(p, Kind::Close, &expected, |p| {
        let (mut args, mut sizes) = (Vec::new(), Vec::new());
        while !matches!(p.peek(), Kind::Close | Kind::Semi) {
            args.push(argument(p));
            if !p.eat(Kind::Comma) {
                break;
            }
        }
        if p.eat(Kind::Semi) {
            while p.peek() != Kind::Close {
                sizes.push(expr(p));
                if !p.eat(Kind::Comma) {
                    break;
                }
            }
        }
        if p.peek() == Kind::Equals {
            let help = "`==` compares two values; a named argument is `name = value`".to_string();
            p.fail_expected(expected.clone(), Some(help));
        }
        (args, sizes)
    })
}

pub fn argument(p: &mut Parser) -> Arg {
    let named = p.peek_second() == Kind::Equals;
    let name = if named { Some(name(p, "the name of an argument")) } else { None };
    if named {
        p.bump();
    }
    Arg { name, value: expr(p) }
}

pub fn instance(p: &mut Parser) -> Option<Ident> {
    if p.peek() != Kind::As || p.peek_second() == Kind::OpenSquare {
        return None;
    }
    p.bump();
    Some(name(p, "a name for the instance, or axes in brackets, after `as`"))
}

pub fn index(p: &mut Parser) -> Vec<IndexItem> {
    bracketed(p, Kind::CloseSquare, "`,`, `:` or `]` in the index", |p| {
        let mut items = vec![index_item(p)];
        while p.eat(Kind::Comma) && p.peek() != Kind::CloseSquare {
            items.push(index_item(p));
        }
        if p.peek() == Kind::Dots {
            let help = "a slice is written `0:4`".to_string();
            p.fail_expected("`,`, `:` or `]` in the index", Some(help));
        }
        items
    })
}

pub fn index_item(p: &mut Parser) -> IndexItem {
    let start = p.start();
    match p.peek() {
        Kind::Dots => {
            p.bump();
            return IndexItem::Rest(p.since(start));
        }
        Kind::None => {
            p.bump();
            return IndexItem::New(p.since(start));
        }
        _ => {}
    }
    let mut first = None;
    if p.peek() != Kind::Colon {
        let at = expr(p);
        if p.peek() != Kind::Colon {
            return IndexItem::At(at);
        }
        first = Some(at);
    }
    p.bump();
    let stop = bound(p);
    let step = if p.eat(Kind::Colon) { bound(p) } else { None };
    IndexItem::Slice { start: first, stop, step, span: p.since(start) }
}

pub fn rename(p: &mut Parser) -> Vec<ExprId> {
    p.bump();
    if p.peek() != Kind::OpenSquare {
        p.fail_expected("axes in brackets after `as`", None);
        return Vec::new();
    }
    elements(p, "`,` or `]` in the new axes")
}

pub fn list(p: &mut Parser) -> ExprId {
    let start = p.start();
    let elements = elements(p, "`,` or `]` in the list");
    p.add(ExprKind::List(elements), start)
}

/// What stands between the bracket that comes next and `close`, read by `inner`.
pub fn bracketed<T: Default>(
    p: &mut Parser,
    close: Kind,
    expected: &str,
    inner: impl FnOnce(&mut Parser) -> T,
) -> T {
    let opener = p.pos;
    if !p.enter() {
        return T::default();
    }
    let mode = p.mode;
    p.bump();
    p.mode = Mode { multiline: true, no_call: false, ..mode };
    let inside = inner(p);
    p.close(close, opener, expected);
    p.mode = mode;
    p.leave();
    inside
}

fn elements(p: &mut Parser, expected: &str) -> Vec<ExprId> {
    bracketed(p, Kind::CloseSquare, expected, |p| {
        let mut elements = Vec::new();
        while p.peek() != Kind::CloseSquare {
            elements.push(expr(p));
            if !p.eat(Kind::Comma) {
                break;
            }
        }
        elements
    })
}

/// A bound of a slice, unless it is left out.
fn bound(p: &mut Parser) -> Option<ExprId> {
    match p.peek() {
        Kind::Colon | Kind::Comma | Kind::CloseSquare => None,
        _ => Some(expr(p)),
    }
}

/// The name that is called; `grad` is one.
fn callee(p: &mut Parser) -> Ident {
    let (span, text) = (p.span(), p.slice().into());
    p.bump();
    Ident { text, span }
}
