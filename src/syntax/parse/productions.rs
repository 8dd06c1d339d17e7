//! The productions of the grammar by name, so that a test can hold the two together.

use super::blocks::{self, Place};
use super::cursor::Parser;
use super::{calls, exprs, functions, items, types};
use crate::diagnostic::Diagnostic;
use crate::syntax::ast::OutputKind;
use crate::syntax::token::Kind;

/// The names of the productions.
pub fn productions() -> impl Iterator<Item = &'static str> {
    PRODUCTIONS.iter().map(|(name, _)| *name)
}

/// What is wrong with `text` as a sentence of `production`; `None` if there is no such production.
pub fn sentence(production: &str, text: &str) -> Option<Vec<Diagnostic>> {
    let (_, read) = PRODUCTIONS.iter().find(|(name, _)| *name == production)?;
    let mut parser = Parser::new(text, 0);
    read(&mut parser);
    while parser.eat(Kind::Newline) {}
    if parser.peek() != Kind::End {
        parser.fail_expected(format!("the end of the sentence of {production}"), None);
    }
    Some(parser.finish().1)
}

type Read = fn(&mut Parser);

const PRODUCTIONS: &[(&str, Read)] = &[
    ("file", items::file),
    ("statement", |p| { items::statement(p, Place::File); }),
    ("dim", |p| { items::dim(p); }),
    ("size", |p| { items::size(p); }),
    ("input", |p| { items::input(p); }),
    ("param", |p| { items::param(p); }),
    ("state", |p| { items::state(p); }),
    ("declaration", |p| { items::declaration(p); }),
    ("modifiers", |p| {
        let mut declared = items::declaration(&mut Parser::new("x: f32", 0));
        items::modifiers(p, &mut declared);
    }),
    ("init", |p| { items::init(p); }),
    ("update", |p| { items::update(p); }),
    ("constant", |p| { items::constant(p); }),
    ("binding", |p| { items::binding(p); }),
    ("output", |p| { items::output(p, OutputKind::Output); }),
    ("request", |p| { items::request(p); }),
    ("claim", |p| { items::claim(p); }),
    ("import", |p| { items::import(p); }),
    ("train", |p| { items::train(p); }),
    ("setting", |p| { items::setting(p); }),
    ("function", |p| { functions::function(p); }),
    ("layer", |p| { functions::layer(p); }),
    ("axes_parameter", |p| { functions::axes_parameter(p); }),
    ("parameters", |p| { functions::parameters(p, Place::Layer); }),
    ("parameter", |p| { functions::parameter(p); }),
    ("result_types", |p| { functions::result_types(p); }),
    ("vjp_rule", |p| { functions::vjp_rule(p); }),
    ("block", |p| { blocks::block(p, Place::Repeat); }),
    ("result", |p| { blocks::result(p, Place::Function); }),
    ("repeat", |p| { blocks::repeat(p); }),
    ("scan", |p| { blocks::scan(p); }),
    ("count", |p| { blocks::count(p); }),
    ("carries", |p| { blocks::carries(p); }),
    ("carry", |p| { blocks::carry(p); }),
    ("slices", |p| { blocks::slices(p); }),
    ("slice", |p| { blocks::slice(p); }),
    ("name", |p| { types::name(p, "a name"); }),
    ("names", |p| { types::names(p, "a name"); }),
    ("name_tuple", |p| { types::name_tuple(p, "a name"); }),
    ("type_expr", |p| { types::type_expr(p); }),
    ("shape", |p| { types::shape(p); }),
    ("range", |p| { types::range(p); }),
    ("expr", |p| { exprs::expr(p); }),
    ("and_expr", |p| { exprs::and_expr(p); }),
    ("not_expr", |p| { exprs::not_expr(p); }),
    ("comparison", |p| { exprs::comparison(p); }),
    ("sum", |p| { exprs::sum(p); }),
    ("product", |p| { exprs::product(p); }),
    ("unary", |p| { exprs::unary(p); }),
    ("power", |p| { exprs::power(p); }),
    ("exponent", |p| { exprs::exponent(p); }),
    ("postfix", |p| { exprs::postfix(p); }),
    ("atom", |p| { exprs::atom(p); }),
    ("parenthesized", |p| { exprs::parenthesized(p); }),
    ("text", |p| { exprs::text(p); }),
    ("call", |p| { calls::call(p); }),
    ("axes", |p| { calls::axes(p); }),
    ("axis", |p| { calls::axis(p); }),
    ("arguments", |p| { calls::arguments(p, "f"); }),
    ("argument", |p| { calls::argument(p); }),
    ("instance", |p| { calls::instance(p); }),
    ("index", |p| { calls::index(p); }),
    ("index_item", |p| { calls::index_item(p); }),
    ("rename", |p| { calls::rename(p); }),
    ("list", |p| { calls::list(p); }),
];
