//! Statements, one on each line.

use super::Printer;
use super::blocks::{Ending, block, body};
use super::exprs::{Part, SUM, argument, bracketed, expr};
use super::layout::Piece;
use crate::diagnostic::Span;
use crate::syntax::ast::*;

/// Prints every statement and comment of the file.
pub fn file(p: &mut Printer) {
    let ast = p.ast;
    for (at, statement) in ast.items.iter().enumerate() {
        let before = p.pieces.len();
        p.between("", statement.span.start, true, at == 0);
        item(p, statement);
        p.settle(before, statement.span.end);
    }
    p.between("", u32::MAX, true, ast.items.is_empty());
}

/// Prints a statement.
pub fn item(p: &mut Printer, item: &Item) {
    match &item.kind {
        ItemKind::Error => {}
        ItemKind::Dim(sizes) => dim(p, sizes),
        ItemKind::Input(declared) => declaration(p, "input ", declared),
        ItemKind::Param(declared) => declaration(p, "param ", declared),
        ItemKind::State(declared) => declaration(p, "state ", declared),
        ItemKind::Update(name, value) => {
            p.words(format!("update {} = ", name.text));
            expr(p, *value, 0);
        }
        ItemKind::Const(name, ty, value) => {
            p.words(format!("const {}", name.text));
            if let Some(ty) = ty {
                p.word(": ");
                type_expr(p, ty);
            }
            p.word(" = ");
            expr(p, *value, 0);
        }
        ItemKind::Binding(names, value) => {
            name_list(p, names);
            p.word(" = ");
            expr(p, *value, 0);
        }
        ItemKind::Fn(inner) => function(p, "fn ", inner),
        ItemKind::Layer(inner) => function(p, "layer ", inner),
        ItemKind::Output(kind, name, value) => {
            p.word(match kind {
                OutputKind::Loss => "loss ",
                OutputKind::Output => "output ",
                OutputKind::Metric => "metric ",
            });
            p.words(name.text.to_string());
            if let Some(value) = value {
                p.word(" = ");
                expr(p, *value, 0);
            }
        }
        ItemKind::Grad(of, wrt) => {
            p.words(format!("grad {}", of.text));
            if !wrt.is_empty() {
                p.word(" wrt ");
                name_list(p, wrt);
            }
        }
        ItemKind::Expect(left, right) => {
            p.word("expect ");
            p.begin(true);
            expr(p, *left, SUM);
            p.word(" ==");
            p.may_break(" ", p.ast[*right].span.start);
            expr(p, *right, SUM);
            p.end();
        }
        ItemKind::Use(path, _) => p.words(format!("use \"{path}\"")),
        ItemKind::Train(settings) => train(p, settings, item.span),
    }
}

fn dim(p: &mut Printer, sizes: &[(Ident, Option<ExprId>)]) {
    p.word("dim ");
    for (at, (name, value)) in sizes.iter().enumerate() {
        p.words(format!("{}{}", if at > 0 { ", " } else { "" }, name.text));
        if let Some(value) = value {
            p.word(" = ");
            size(p, *value);
        }
    }
}

fn declaration(p: &mut Printer, word: &'static str, declared: &Declaration) {
    let names: Vec<&str> = declared.names.iter().map(|name| &*name.text).collect();
    p.words(format!("{word}{}: ", names.join(", ")));
    type_expr(p, &declared.ty);
    if let Some(range) = &declared.range {
        p.word(if range.low_closed { " in [" } else { " in (" });
        expr(p, range.low, SUM);
        p.word(", ");
        expr(p, range.high, SUM);
        p.word(if range.high_closed { "]" } else { ")" });
    }
    if declared.symmetric {
        p.word(" symmetric");
    }
    if declared.frozen {
        p.word(" frozen");
    }
    if let Some(init) = &declared.init {
        p.pieces.push(Piece::Mark);
        let (sign, value) = match init {
            Init::Value(value) => (" = ", value),
            Init::Random(value) => (" ~ ", value),
        };
        p.word(sign);
        expr(p, *value, 0);
    }
}

fn function(p: &mut Printer, word: &'static str, function: &Function) {
    p.words(format!("{word}{}", function.name.text));
    if let Some(axes) = &function.axes {
        p.words(format!("[{}..]", axes.text));
    }
    parameters(p, function);
    match function.results.as_slice() {
        [] => {}
        [result] => {
            p.word(" -> ");
            type_expr(p, result);
        }
        results => {
            p.word(" -> (");
            for (at, result) in results.iter().enumerate() {
                p.word(if at > 0 { ", " } else { "" });
                type_expr(p, result);
            }
            p.word(")");
        }
    }
    p.word(" ");
    body(p, &function.body, Ending::Return);
    if let Some((names, rule)) = &function.vjp {
        let names: Vec<&str> = names.iter().map(|name| &*name.text).collect();
        p.words(format!(" vjp({}) ", names.join(", ")));
        body(p, rule, Ending::Return);
    }
}

fn parameters(p: &mut Printer, function: &Function) {
    if function.params.is_empty() && function.sizes.is_empty() {
        return p.word("()");
    }
    p.begin(false);
    p.word("(");
    for (at, param) in function.params.iter().enumerate() {
        p.word(if at > 0 { "," } else { "" });
        p.may_break(if at > 0 { " " } else { "" }, param.name.span.start);
        p.words(param.name.text.to_string());
        if let Some(ty) = &param.ty {
            p.word(": ");
            type_expr(p, ty);
        }
        if let Some(value) = param.default {
            p.word(" = ");
            expr(p, value, 0);
        }
    }
    for (at, name) in function.sizes.iter().enumerate() {
        p.word(if at > 0 { "," } else { ";" });
        p.may_break(" ", name.span.start);
        p.words(name.text.to_string());
    }
    let next = function.results.first().map_or(function.body.span, |ty| ty.span);
    p.may_break_back("", next.start);
    p.word(")");
    p.end();
}

fn train(p: &mut Printer, settings: &[Arg], span: Span) {
    let ast = p.ast;
    let place = |arg: &Arg| match &arg.name {
        Some(name) => name.span.to(ast[arg.value].span),
        None => ast[arg.value].span,
    };
    let spans: Vec<Span> = settings.iter().map(place).collect();
    p.word("train ");
    block(p, span, &spans, |p, at| argument(p, &settings[at]));
}

fn type_expr(p: &mut Printer, ty: &TypeExpr) {
    p.words(ty.dtype.text.to_string());
    let Some(axes) = &ty.axes else { return };
    p.word(if ty.leading { "[.." } else { "[" });
    for (at, axis) in axes.iter().enumerate() {
        p.word(if at > 0 || ty.leading { ", " } else { "" });
        size(p, *axis);
    }
    p.word("]");
}

fn size(p: &mut Printer, id: ExprId) {
    p.tight = true;
    expr(p, id, SUM);
    p.tight = false;
}

/// A name, or several in parentheses.
fn name_list(p: &mut Printer, names: &[Ident]) {
    match names {
        [name] => p.words(name.text.to_string()),
        names => {
            let part = |name: &Ident| (name.span.start, Part::Text(name.text.to_string()));
            bracketed(p, ("(", ")"), true, 0, names.iter().map(part).collect());
        }
    }
}
