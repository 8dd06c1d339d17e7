//! Expressions with as few parentheses as they can have; chains are printed in loops.

use super::Printer;
use super::blocks::{repeat, scan};
use crate::syntax::ast::{Arg, BinaryOp, Call, ExprId, ExprKind, IndexItem, UnaryOp};

/// The level of a sum, as in `sum` of the grammar.
pub const SUM: u8 = 4;
const PRODUCT: u8 = 5;
const UNARY: u8 = 6;
const POWER: u8 = 7;
const POSTFIX: u8 = 8;

/// Prints an expression, in parentheses if it binds less tightly than `least`.
pub fn expr(p: &mut Printer, id: ExprId, least: u8) {
    if level(p, id) < least {
        p.word("(");
        expr(p, id, 0);
        return p.word(")");
    }
    let (spine, leaf, leaf_least) = spine(p, id);
    let mut begun = Vec::with_capacity(spine.len());
    let mut above = None;
    for &node in &spine {
        let infix = infix_level(p, node);
        let begins = infix.is_some() && infix != above;
        if begins {
            p.begin(true);
        }
        begun.push(begins);
        above = infix;
    }
    match level(p, leaf) < leaf_least {
        true => expr(p, leaf, leaf_least),
        false => leaf_expr(p, leaf),
    }
    for (node, begun) in spine.into_iter().zip(begun).rev() {
        right_part(p, node);
        if begun {
            p.end();
        }
    }
}

/// `a, b` in brackets with places where lines may end; `end` is the byte of the closing bracket.
pub fn bracketed(
    p: &mut Printer,
    brackets: (&'static str, &'static str),
    fill: bool,
    end: u32,
    parts: Vec<(u32, Part)>,
) {
    if parts.is_empty() {
        p.word(brackets.0);
        return p.word(brackets.1);
    }
    p.begin(fill);
    p.word(brackets.0);
    let mut flat = "";
    let mut before: Option<&Part> = None;
    for (at, part) in &parts {
        match (before, part) {
            (None | Some(Part::Semi), _) | (_, Part::Semi) => {}
            _ => p.word(","),
        }
        if !matches!(part, Part::Semi) {
            p.may_break(flat, *at);
        }
        match part {
            Part::Semi => p.word(";"),
            Part::Expr(id) => expr(p, *id, 0),
            Part::Argument(arg) => argument(p, arg),
            Part::Text(text) => p.words(text.clone()),
        }
        (before, flat) = (Some(part), " ");
    }
    p.may_break_back("", end);
    p.word(brackets.1);
    p.end();
}

/// What stands between brackets.
pub enum Part<'a> {
    /// An expression.
    Expr(ExprId),
    /// An argument.
    Argument(&'a Arg),
    /// Anything else.
    Text(String),
    /// `;` in place of a comma.
    Semi,
}

/// `name = value`.
pub fn argument(p: &mut Printer, arg: &Arg) {
    if let Some(name) = &arg.name {
        p.words(format!("{} = ", name.text));
    }
    expr(p, arg.value, 0);
}

/// The count of a `repeat`, the length of a `scan`: no call may show.
pub fn count(p: &mut Printer, id: ExprId) {
    let mut seen = vec![id];
    let mut calls = false;
    while let Some(id) = seen.pop() {
        match &p.ast[id].kind {
            ExprKind::Binary(_, left, right) => seen.extend([left, right]),
            ExprKind::Unary(_, inner) | ExprKind::Transpose(inner) => seen.push(*inner),
            ExprKind::Index(inner, _) | ExprKind::As(inner, _) => seen.push(*inner),
            ExprKind::Call(_) | ExprKind::Repeat(_) | ExprKind::Scan(_) => calls = true,
            _ => {}
        }
    }
    expr(p, id, if calls { u8::MAX } else { SUM });
}

/// `[1, 2]`; the closing bracket is at byte `end`.
pub fn list(p: &mut Printer, elements: &[ExprId], end: u32) {
    let short = |id: &ExprId| match &p.ast[*id].kind {
        ExprKind::Unary(_, id) => matches!(p.ast[*id].kind, ExprKind::Number(_)),
        kind => matches!(kind, ExprKind::Number(_) | ExprKind::Name(_)),
    };
    let fill = elements.iter().all(short);
    let parts = elements.iter().map(|&id| (p.ast[id].span.start, Part::Expr(id))).collect();
    bracketed(p, ("[", "]"), fill, end, parts);
}

/// The chain of left operands and postfix bases below `id`, from the top, with the leaf at its
/// end and the level which that must have.
fn spine(p: &Printer, id: ExprId) -> (Vec<ExprId>, ExprId, u8) {
    let mut spine = Vec::new();
    let (mut leaf, mut least) = (id, 0);
    loop {
        let (below, needed) = match &p.ast[leaf].kind {
            ExprKind::Binary(op, left, _) => (*left, operand_levels(*op).0),
            ExprKind::Transpose(base) | ExprKind::Index(base, _) | ExprKind::As(base, _) => {
                (*base, POSTFIX)
            }
            _ => return (spine, leaf, least),
        };
        spine.push(leaf);
        (leaf, least) = (below, needed);
        if level(p, leaf) < least {
            return (spine, leaf, least);
        }
    }
}

/// What of `id` stands right of its left operand or base.
fn right_part(p: &mut Printer, id: ExprId) {
    let ast = p.ast;
    let end = ast[id].span.end.saturating_sub(1);
    match &ast[id].kind {
        ExprKind::Binary(BinaryOp::Pow, _, right) => {
            p.word("^");
            expr(p, *right, operand_levels(BinaryOp::Pow).1);
        }
        ExprKind::Binary(op, left, right) => {
            let number = |id: &ExprId| matches!(ast[*id].kind, ExprKind::Number(_));
            let tight = match op {
                BinaryOp::Div => p.tight || (number(left) && number(right)),
                BinaryOp::Mul => p.tight,
                _ => false,
            };
            if !tight {
                p.word(" ");
            }
            p.word(op.spelling());
            p.may_break(if tight { "" } else { " " }, ast[*right].span.start);
            expr(p, *right, operand_levels(*op).1);
        }
        ExprKind::Transpose(_) => p.word("'"),
        ExprKind::Index(_, items) => index(p, items, end),
        ExprKind::As(_, axes) => {
            p.word(" as ");
            list(p, axes, end);
        }
        _ => {}
    }
}

/// An expression that is no chain.
fn leaf_expr(p: &mut Printer, id: ExprId) {
    let ast = p.ast;
    match &ast[id].kind {
        ExprKind::Number(text) | ExprKind::Name(text) => p.word(text),
        ExprKind::Text(text) => p.words(format!("\"{text}\"")),
        ExprKind::Unary(UnaryOp::Neg, inner) => {
            p.word("-");
            expr(p, *inner, UNARY);
        }
        ExprKind::Unary(UnaryOp::Not, inner) => {
            p.word("not ");
            expr(p, *inner, level(p, id));
        }
        ExprKind::Call(inner) => call(p, inner, ast[id].span.end),
        ExprKind::List(elements) => list(p, elements, ast[id].span.end.saturating_sub(1)),
        ExprKind::Repeat(inner) => repeat(p, inner),
        ExprKind::Scan(inner) => scan(p, inner),
        _ => p.word("?"),
    }
}

fn call(p: &mut Printer, call: &Call, end: u32) {
    let ast = p.ast;
    p.words(call.callee.text.to_string());
    if let Some(axes) = &call.axes {
        p.word("[");
        for (at, axis) in axes.iter().enumerate() {
            if at > 0 {
                p.word(", ");
            }
            expr(p, *axis, 0);
        }
        p.word("]");
    }
    let start = |arg: &Arg| arg.name.as_ref().map_or(ast[arg.value].span, |n| n.span).start;
    let mut parts: Vec<(u32, Part)> =
        call.args.iter().map(|arg| (start(arg), Part::Argument(arg))).collect();
    if !call.sizes.is_empty() {
        parts.push((0, Part::Semi));
        parts.extend(call.sizes.iter().map(|&id| (ast[id].span.start, Part::Expr(id))));
    }
    let end = call.instance.as_ref().map_or(end.saturating_sub(1), |name| name.span.start);
    bracketed(p, ("(", ")"), false, end, parts);
    if let Some(name) = &call.instance {
        p.words(format!(" as {}", name.text));
    }
}

fn index(p: &mut Printer, items: &[IndexItem], end: u32) {
    let ast = p.ast;
    p.begin(true);
    p.word("[");
    for (at, item) in items.iter().enumerate() {
        let start = match item {
            IndexItem::At(id) => ast[*id].span.start,
            IndexItem::Slice { span, .. } | IndexItem::Rest(span) | IndexItem::New(span) => {
                span.start
            }
        };
        if at > 0 {
            p.word(",");
        }
        p.may_break(if at > 0 { " " } else { "" }, start);
        match item {
            IndexItem::At(id) => expr(p, *id, 0),
            IndexItem::Rest(_) => p.word(".."),
            IndexItem::New(_) => p.word("None"),
            IndexItem::Slice { start, stop, step, .. } => {
                start.iter().for_each(|id| expr(p, *id, 0));
                p.word(":");
                stop.iter().for_each(|id| expr(p, *id, 0));
                if let Some(step) = step {
                    p.word(":");
                    expr(p, *step, 0);
                }
            }
        }
    }
    p.may_break_back("", end);
    p.word("]");
    p.end();
}

/// How tightly an expression binds.
fn level(p: &Printer, id: ExprId) -> u8 {
    match &p.ast[id].kind {
        ExprKind::Binary(BinaryOp::Pow, ..) => POWER,
        ExprKind::Binary(..) => infix_level(p, id).unwrap_or(0),
        ExprKind::Unary(UnaryOp::Not, _) => 2,
        ExprKind::Unary(UnaryOp::Neg, _) => UNARY,
        ExprKind::Transpose(_) | ExprKind::Index(..) | ExprKind::As(..) => POSTFIX,
        _ => POSTFIX + 1,
    }
}

/// The level of an infix operator that has spaces around it.
fn infix_level(p: &Printer, id: ExprId) -> Option<u8> {
    match &p.ast[id].kind {
        ExprKind::Binary(BinaryOp::Pow, ..) => None,
        ExprKind::Binary(op, ..) => Some(match op {
            BinaryOp::Or => 0,
            BinaryOp::And => 1,
            BinaryOp::Add | BinaryOp::Sub => SUM,
            BinaryOp::MatMul | BinaryOp::Mul | BinaryOp::Div => PRODUCT,
            _ => 3,
        }),
        _ => None,
    }
}

/// The levels that the operands of `op` must have.
fn operand_levels(op: BinaryOp) -> (u8, u8) {
    match op {
        BinaryOp::Or => (0, 1),
        BinaryOp::And => (1, 2),
        BinaryOp::Add | BinaryOp::Sub => (SUM, PRODUCT),
        BinaryOp::MatMul | BinaryOp::Mul | BinaryOp::Div => (PRODUCT, UNARY),
        BinaryOp::Pow => (POSTFIX, UNARY),
        _ => (SUM, SUM),
    }
}
