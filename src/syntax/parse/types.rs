//! Names, element types, shapes, declared ranges.

use super::calls::bracketed;
use super::cursor::{Mode, Parser};
use super::exprs::sum;
use crate::syntax::ast::{ExprId, Ident, Range, TypeExpr};
use crate::syntax::error::SyntaxError;
use crate::syntax::kind::{Kind, is_keyword};

pub fn name(p: &mut Parser, expected: &str) -> Ident {
    let (kind, span) = (p.peek(), p.span());
    if kind == Kind::Name {
        let text = p.slice().into();
        p.bump();
        return Ident { text, span };
    }
    let fresh_line = p.mode.multiline && p.at_line_start() && p.looks_like_statement(p.pos);
    if is_keyword(kind) && !fresh_line {
        let word = p.slice().to_string();
        p.fail(SyntaxError::Reserved { span, word });
    } else {
        p.fail_expected(expected, None);
    }
    p.nameless()
}

pub fn names(p: &mut Parser, expected: &str) -> Vec<Ident> {
    let mut names = vec![name(p, expected)];
    while p.eat(Kind::Comma) {
        names.push(name(p, expected));
    }
    names
}

pub fn name_tuple(p: &mut Parser, expected: &str) -> Vec<Ident> {
    bracketed(p, Kind::Close, "`,` or `)` after a name", |p| {
        let mut names = vec![name(p, expected)];
        while p.eat(Kind::Comma) && p.peek() != Kind::Close {
            names.push(name(p, expected));
        }
        names
    })
}

pub fn type_expr(p: &mut Parser) -> TypeExpr {
    let start = p.start();
    if p.peek() == Kind::OpenSquare {
        let help = "the element type stands before the sizes: `f32[N, D]`".to_string();
        p.fail_expected("a type", Some(help));
    }
    let dtype = name(p, "a type, such as `f32[N, D]`");
    let mut ty = TypeExpr { dtype, leading: false, axes: None, span: p.since(start) };
    if p.peek() == Kind::OpenSquare {
        let (leading, axes) = shape(p);
        ty.leading = leading;
        ty.axes = Some(axes).filter(|axes| leading || !axes.is_empty());
        ty.span = p.since(start);
    }
    if p.failed {
        let missing = p.missing();
        ty.axes.get_or_insert_default().push(missing);
    }
    ty
}

pub fn shape(p: &mut Parser) -> (bool, Vec<ExprId>) {
    bracketed(p, Kind::CloseSquare, "`,` or `]` in the shape", |p| {
        let leading = p.eat(Kind::Dots);
        let mut axes = Vec::new();
        if leading && p.peek() != Kind::CloseSquare {
            p.expect(Kind::Comma, "`,` or `]` after `..`");
        }
        while p.peek() != Kind::CloseSquare {
            if p.peek() == Kind::Dots {
                let help = "`..` stands before all other sizes: `f32[.., I]`".to_string();
                p.fail_expected("a size", Some(help));
            }
            axes.push(sum(p));
            if !p.eat(Kind::Comma) {
                break;
            }
        }
        (leading, axes)
    })
}

pub fn range(p: &mut Parser) -> Range {
    let opener = p.pos;
    let low_closed = p.peek() == Kind::OpenSquare;
    if !low_closed && p.peek() != Kind::Open {
        p.fail_expected("a range after `in`, such as `[0, 1)`", None);
    }
    let mode = p.mode;
    p.bump();
    p.mode = Mode { multiline: true, no_call: false, ..mode };
    let low = sum(p);
    p.expect(Kind::Comma, "`,` between the two ends of the range");
    let high = sum(p);
    let high_closed = p.peek() == Kind::CloseSquare;
    let close = if high_closed { Kind::CloseSquare } else { Kind::Close };
    p.close(close, opener, "`)` or `]` at the end of the range");
    p.mode = mode;
    Range { low, low_closed, high, high_closed }
}
