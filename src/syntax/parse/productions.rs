//! The productions of the grammar by name, so that a test can hold the two together.

use super::blocks::{self, Place};
use super::cursor::Parser;
use super::{calls, exprs, functions, items, types};
use crate::diagnostic::Diagnostic;
use crate::syntax::ast::OutputKind;
use crate::syntax::kind::Kind;

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

/// Rows of productions that need nothing but the parser.
macro_rules! rows {
    ($($room:ident: $($name:ident)*;)*) => {
        &[$($((stringify!($name), |p| { $room::$name(p); }),)*)*]
    };
}

const PRODUCTIONS: &[(&str, Read)] = rows! {
    items: file inline dim size input param state declaration init update constant binding
        request claim import train setting;
    functions: function layer axes_parameter parameter result_types vjp_rule;
    blocks: repeat scan count carries carry slices slice;
    types: type_expr shape range;
    exprs: expr and_expr not_expr comparison sum product unary power exponent postfix atom
        parenthesized text;
    calls: call axes axis argument instance index index_item rename list;
    given: statement modifiers output parameters block result name names name_tuple arguments;
};

/// The productions whose functions are told where they stand.
mod given {
    use super::*;

    pub fn statement(p: &mut Parser) {
        items::statement(p, Place::File);
    }

    pub fn modifiers(p: &mut Parser) {
        let mut declared = items::declaration(&mut Parser::new("x: f32", 0));
        items::modifiers(p, &mut declared);
    }

    pub fn output(p: &mut Parser) {
        items::output(p, OutputKind::Output);
    }

    pub fn parameters(p: &mut Parser) {
        functions::parameters(p, Place::Layer);
    }

    pub fn block(p: &mut Parser) {
        blocks::block(p, Place::Scan { carries: false });
    }

    pub fn result(p: &mut Parser) {
        blocks::result(p, Place::Function);
    }

    pub fn name(p: &mut Parser) {
        types::name(p, "a name");
    }

    pub fn names(p: &mut Parser) {
        types::names(p, "a name");
    }

    pub fn name_tuple(p: &mut Parser) {
        types::name_tuple(p, "a name");
    }

    pub fn arguments(p: &mut Parser) {
        calls::arguments(p, "f");
    }
}
