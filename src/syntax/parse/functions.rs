//! `fn` and `layer` with their signatures.

use super::blocks::{Place, block};
use super::calls::bracketed;
use super::cursor::Parser;
use super::exprs::expr;
use super::types::{name, name_tuple, type_expr};
use crate::syntax::ast::{Body, FnParam, Function, Ident, ItemKind, TypeExpr};
use crate::syntax::kind::Kind;

pub fn function(p: &mut Parser) -> ItemKind {
    let arrays = p.arrays.len();
    let mut function = signature(p, Place::Function);
    if vjp_follows(p) {
        while p.eat(Kind::Newline) {}
        function.vjp = Some(vjp_rule(p));
    }
    p.arrays.truncate(arrays);
    ItemKind::Fn(Box::new(function))
}

pub fn layer(p: &mut Parser) -> ItemKind {
    let arrays = p.arrays.len();
    let layer = signature(p, Place::Layer);
    p.arrays.truncate(arrays);
    ItemKind::Layer(Box::new(layer))
}

/// What `fn` and `layer` have in common.
fn signature(p: &mut Parser, place: Place) -> Function {
    p.bump();
    let what = if place == Place::Layer { "layer" } else { "fn" };
    let name = name(p, &format!("a name after `{what}`"));
    let axes = if p.peek() == Kind::OpenSquare { axes_parameter(p) } else { None };
    let (params, sizes) = parameters(p, place);
    let results = if p.eat(Kind::Arrow) { result_types(p) } else { Vec::new() };
    if p.peek() == Kind::Colon {
        let help = "the result type stands after `->`, the block between `{` and `}`".to_string();
        p.fail_expected("`->` or `{`", Some(help));
    }
    p.recover_at_brace();
    let body = block(p, place);
    Function { name, axes, params, sizes, results, body, vjp: None }
}

pub fn axes_parameter(p: &mut Parser) -> Option<Ident> {
    bracketed(p, Kind::CloseSquare, "`]` after the name of the axes", |p| {
        let name = name(p, "a name for the axes, such as `[axes..]`");
        p.expect(Kind::Dots, "`..` after the name of the axes");
        Some(name)
    })
}

pub fn parameters(p: &mut Parser, place: Place) -> (Vec<FnParam>, Vec<Ident>) {
    if p.peek() != Kind::Open {
        p.fail_expected("the parameters in parentheses", None);
        return Default::default();
    }
    bracketed(p, Kind::Close, "`,` or `)` after a parameter", |p| {
        let (mut params, mut sizes) = (Vec::new(), Vec::new());
        while !matches!(p.peek(), Kind::Close | Kind::Semi) {
            params.push(parameter(p));
            if !p.eat(Kind::Comma) {
                break;
            }
        }
        if place == Place::Layer && p.eat(Kind::Semi) {
            while p.peek() != Kind::Close {
                sizes.push(name(p, "the name of a size after `;`"));
                if !p.eat(Kind::Comma) {
                    break;
                }
            }
        } else if p.peek() == Kind::Semi {
            let help = "only a `layer` is given sizes".to_string();
            p.fail_expected("`,` or `)` after a parameter", Some(help));
        }
        (params, sizes)
    })
}

pub fn parameter(p: &mut Parser) -> FnParam {
    let name = name(p, "the name of a parameter");
    p.arrays.push(name.text.clone());
    let ty = if p.eat(Kind::Colon) { Some(type_expr(p)) } else { None };
    let default = if p.eat(Kind::Equals) { Some(expr(p)) } else { None };
    FnParam { name, ty, default }
}

pub fn result_types(p: &mut Parser) -> Vec<TypeExpr> {
    if p.peek() != Kind::Open {
        return vec![type_expr(p)];
    }
    bracketed(p, Kind::Close, "`,` or `)` after a type", |p| {
        let mut types = vec![type_expr(p)];
        while p.eat(Kind::Comma) && p.peek() != Kind::Close {
            types.push(type_expr(p));
        }
        types
    })
}

pub fn vjp_rule(p: &mut Parser) -> (Vec<Ident>, Body) {
    let arrays = p.arrays.len();
    p.bump();
    let names = name_tuple(p, "the name of an adjoint, such as `vjp(dy)`");
    p.arrays.extend(names.iter().map(|name| name.text.clone()));
    p.recover_at_brace();
    let body = block(p, Place::Function);
    p.arrays.truncate(arrays);
    (names, body)
}

/// Whether `vjp(...) {` comes next, on this line or a later one.
fn vjp_follows(p: &mut Parser) -> bool {
    if p.failed {
        return false;
    }
    let mut at = p.pos;
    while p.kind_at(at) == Kind::Newline {
        at += 1;
    }
    let close = if p.kind_at(at + 1) == Kind::Open { p.partner(at + 1) } else { None };
    p.is_word(at, "vjp") && close.is_some_and(|close| p.kind_at(close + 1) == Kind::OpenBrace)
}
