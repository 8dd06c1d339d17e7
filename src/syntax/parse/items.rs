//! The statements of a file.

use super::blocks::{Place, missing_brace};
use super::cursor::Parser;
use super::exprs::{atom, expr, sum, text};
use super::functions::{function, layer};
use super::lost::{end_of_statement, nameless_value, other};
use super::types::{name, name_tuple, names, range, type_expr};
use crate::syntax::ast::*;
use crate::syntax::error::SyntaxError;
use crate::syntax::kind::{Kind, is_keyword};

pub fn file(p: &mut Parser) {
    while to_statement(p) {
        let item = statement(p, Place::File);
        p.ast.items.push(item);
    }
}

/// A file whose last statement may be a lone expression.
pub fn inline(p: &mut Parser) -> Option<ExprId> {
    while to_statement(p) {
        let lone = !is_keyword(p.peek()) && !p.looks_like_statement(p.pos);
        if lone || p.peek_second() == Kind::Open {
            let (first, start) = (p.pos, p.start());
            p.note_column();
            let value = expr(p);
            end_of_statement(p);
            if p.failed {
                p.recover(first);
            } else if !to_statement(p) {
                return Some(value);
            } else {
                nameless_value(p, value, start);
            }
        } else {
            let item = statement(p, Place::File);
            p.ast.items.push(item);
        }
    }
    None
}

pub fn statement(p: &mut Parser, place: Place) -> Item {
    let (first, start) = (p.pos, p.start());
    p.note_column();
    if place != Place::File && (p.starts_file_item(first) || layers_only(p, place)) {
        let (span, help) = (p.span(), "move it out of the block".to_string());
        let fact = match place {
            Place::Function => "this statement cannot stand in a function",
            _ => "this statement stands only at the top of a file",
        };
        p.report(SyntaxError::Misplaced { span, fact, help });
    }
    let kind = item(p);
    end_of_statement(p);
    if p.failed {
        p.recover(first);
    }
    Item { kind, span: p.since(start) }
}

fn item(p: &mut Parser) -> ItemKind {
    match p.peek() {
        kind if is_keyword(kind) && p.peek_second() == Kind::Equals => {
            let (span, word) = (p.span(), p.slice().to_string());
            p.fail(SyntaxError::Reserved { span, word });
            ItemKind::Error
        }
        Kind::Dim => dim(p),
        Kind::Input => input(p),
        Kind::Param => param(p),
        Kind::State => state(p),
        Kind::Update => update(p),
        Kind::Const => constant(p),
        Kind::Fn => function(p),
        Kind::Layer => layer(p),
        Kind::Loss => output(p, OutputKind::Loss),
        Kind::Output => output(p, OutputKind::Output),
        Kind::Metric => output(p, OutputKind::Metric),
        Kind::Grad if p.peek_second() == Kind::Name => request(p),
        Kind::Expect => claim(p),
        Kind::Use => import(p),
        Kind::Train => train(p),
        _ => other(p),
    }
}

pub fn dim(p: &mut Parser) -> ItemKind {
    p.bump();
    let mut dims = vec![size(p)];
    while p.eat(Kind::Comma) {
        dims.push(size(p));
    }
    if p.peek() == Kind::Name {
        p.fail_expected("`,`, `=` or the end of the statement", None);
    }
    ItemKind::Dim(dims)
}

pub fn size(p: &mut Parser) -> (Ident, Option<ExprId>) {
    let name = name(p, "the name of a dimension");
    let value = if p.eat(Kind::Equals) { Some(sum(p)) } else { None };
    (name, value)
}

pub fn input(p: &mut Parser) -> ItemKind {
    p.bump();
    ItemKind::Input(declaration(p))
}

pub fn param(p: &mut Parser) -> ItemKind {
    p.bump();
    ItemKind::Param(declaration(p))
}

pub fn state(p: &mut Parser) -> ItemKind {
    p.bump();
    ItemKind::State(declaration(p))
}

pub fn declaration(p: &mut Parser) -> Declaration {
    let names = names(p, "a name to declare");
    p.arrays.extend(names.iter().map(|name| name.text.clone()));
    if !p.eat(Kind::Colon) {
        let help = (p.peek() == Kind::OpenSquare)
            .then(|| "the sizes stand behind the element type: `x: f32[N]`".to_string());
        p.fail_expected("`:` and a type after the name", help);
    }
    let ty = type_expr(p);
    let mut declared =
        Declaration { names, ty, range: None, init: None, frozen: false, symmetric: false };
    modifiers(p, &mut declared);
    declared.init = init(p);
    modifiers(p, &mut declared);
    declared
}

pub fn modifiers(p: &mut Parser, declared: &mut Declaration) {
    loop {
        match p.peek() {
            Kind::In => {
                p.bump();
                declared.range = Some(range(p));
            }
            Kind::Name if p.slice() == "frozen" => {
                p.bump();
                declared.frozen = true;
            }
            Kind::Name if p.slice() == "symmetric" => {
                p.bump();
                declared.symmetric = true;
            }
            _ => return,
        }
    }
}

pub fn init(p: &mut Parser) -> Option<Init> {
    if p.eat(Kind::Equals) {
        return Some(Init::Value(expr(p)));
    }
    if !p.eat(Kind::Tilde) {
        return None;
    }
    let call = atom(p);
    if !p.failed && !matches!(p.ast[call].kind, ExprKind::Call(_)) {
        let help = "write `~ glorot()`, or `= 0` for a value".to_string();
        let (span, fact) = (p.ast[call].span, "after `~` stands the call of an initialiser");
        p.fail(SyntaxError::Misplaced { span, fact, help });
    }
    Some(Init::Random(call))
}

pub fn update(p: &mut Parser) -> ItemKind {
    p.bump();
    let name = name(p, "the name of a state after `update`");
    p.expect(Kind::Equals, "`=` and the new value of the state");
    ItemKind::Update(name, expr(p))
}

pub fn constant(p: &mut Parser) -> ItemKind {
    p.bump();
    let name = name(p, "a name after `const`");
    p.arrays.push(name.text.clone());
    let ty = if p.eat(Kind::Colon) { Some(type_expr(p)) } else { None };
    p.expect(Kind::Equals, "`=` and the value of the constant");
    ItemKind::Const(name, ty, expr(p))
}

pub fn binding(p: &mut Parser) -> ItemKind {
    let names = match p.peek() {
        Kind::Open => name_tuple(p, "a name to bind"),
        _ => vec![name(p, "a name to bind")],
    };
    p.expect(Kind::Equals, "`=` and a value");
    ItemKind::Binding(names, expr(p))
}

pub fn output(p: &mut Parser, kind: OutputKind) -> ItemKind {
    let word = p.slice();
    p.bump();
    let name = name(p, &format!("a name after `{word}`"));
    let value = if p.eat(Kind::Equals) { Some(expr(p)) } else { None };
    if p.peek() == Kind::Comma {
        let help = format!("write one `{word}` for each");
        p.fail_expected("the end of the statement", Some(help));
    }
    ItemKind::Output(kind, name, value)
}

pub fn request(p: &mut Parser) -> ItemKind {
    p.bump();
    let of = name(p, "the name of a scalar after `grad`");
    if p.peek() != Kind::Name || p.slice() != "wrt" {
        return ItemKind::Grad(of, Vec::new());
    }
    p.bump();
    let wrt = match p.peek() {
        Kind::Open => name_tuple(p, "a name after `wrt`"),
        _ => names(p, "a name after `wrt`"),
    };
    ItemKind::Grad(of, wrt)
}

pub fn claim(p: &mut Parser) -> ItemKind {
    p.bump();
    let left = sum(p);
    if p.peek() == Kind::Equals {
        let help = "write `==`".to_string();
        p.fail_expected("`==` between the two sides of the claim", Some(help));
    }
    p.expect(Kind::Eq, "`==` between the two sides of the claim");
    p.continue_line();
    let right = sum(p);
    ItemKind::Expect(left, right)
}

pub fn import(p: &mut Parser) -> ItemKind {
    p.bump();
    let span = p.span();
    if p.peek() == Kind::Text {
        return ItemKind::Use(text(p), span);
    }
    let help = "write the path in quotes: `use \"blocks.nn\"`".to_string();
    p.fail_expected("the path of a file after `use`", Some(help));
    ItemKind::Error
}

pub fn train(p: &mut Parser) -> ItemKind {
    p.bump();
    if p.peek() != Kind::OpenBrace {
        missing_brace(p);
    }
    if p.failed {
        return ItemKind::Train(Vec::new());
    }
    let (mode, column, opener) = (p.mode, p.column, p.pos);
    let opened = p.eat(Kind::OpenBrace);
    p.mode.in_block = true;
    let mut entries = Vec::new();
    loop {
        match p.peek() {
            Kind::Newline | Kind::Semi => p.bump(),
            Kind::CloseBrace | Kind::End => break,
            _ if p.starts_file_item(p.pos) => break,
            _ => {
                let first = p.pos;
                p.note_column();
                entries.push(setting(p));
                if p.peek() == Kind::Comma {
                    let help = "settings are separated by `;` or stand on lines of their own";
                    p.fail_expected("the end of the setting", Some(help.into()));
                }
                end_of_statement(p);
                if p.failed {
                    p.recover(first);
                }
            }
        }
    }
    if !p.eat(Kind::CloseBrace) && opened {
        p.fail_unclosed(opener);
    }
    (p.mode, p.column) = (mode, column);
    ItemKind::Train(entries)
}

pub fn setting(p: &mut Parser) -> Arg {
    super::calls::argument(p)
}

/// Whether the statement at hand cannot stand in a function.
fn layers_only(p: &mut Parser, place: Place) -> bool {
    place == Place::Function && matches!(p.peek(), Kind::Param | Kind::State | Kind::Update)
}

/// Goes to the next statement; false at the end of the text.
fn to_statement(p: &mut Parser) -> bool {
    while matches!(p.peek(), Kind::Newline | Kind::Semi) {
        p.bump();
    }
    p.peek() != Kind::End
}
