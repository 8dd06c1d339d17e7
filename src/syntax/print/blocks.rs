//! Blocks, on one line where they were written so and fit.

use super::Printer;
use super::exprs::{Part, bracketed, count, expr};
use super::items::item;
use crate::diagnostic::Span;
use crate::syntax::ast::{Body, ExprId, Ident, Repeat, Scan};

/// What stands before the results of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// `return`.
    Return,
    /// `yield`.
    Yield,
    /// Nothing, if there is one.
    Lone,
}

pub fn repeat(p: &mut Printer, repeat: &Repeat) {
    p.word("repeat ");
    count(p, repeat.count);
    p.word(" ");
    carries(p, &repeat.carries, repeat.body.span.start);
    p.word(" ");
    let several = repeat.body.results.len() > 1;
    body(p, &repeat.body, if several { Ending::Yield } else { Ending::Lone });
    if let Some(name) = &repeat.instance {
        p.words(format!(" as {}", name.text));
    }
}

pub fn scan(p: &mut Printer, scan: &Scan) {
    p.word(if scan.reverse { "scan reverse " } else { "scan " });
    p.words(format!("{} in ", scan.index.text));
    count(p, scan.length);
    p.word(" ");
    if !scan.carries.is_empty() {
        let next = scan.slices.first().map_or(scan.body.span, |(name, _)| name.span);
        carries(p, &scan.carries, next.start);
        p.word(" ");
    }
    for (at, (name, of)) in scan.slices.iter().enumerate() {
        p.words(format!("{}{} in ", if at == 0 { "for " } else { ", " }, name.text));
        expr(p, *of, 0);
    }
    if !scan.slices.is_empty() {
        p.word(" ");
    }
    body(p, &scan.body, Ending::Yield);
}

/// `{ ... }` with its statements.
pub fn body(p: &mut Printer, body: &Body, ending: Ending) {
    let mut spans: Vec<Span> = body.items.iter().map(|item| item.span).collect();
    let ast = p.ast;
    spans.extend(body.results.iter().map(|id| ast[*id].span).reduce(Span::to));
    let items = body.items.len();
    block(p, body.span, &spans, |p, at| match at < items {
        true => item(p, &body.items[at]),
        false => results(p, &body.results, ending),
    });
}

/// `{ ... }` with statements that stand at `spans` and are printed by `statement`.
pub fn block(
    p: &mut Printer,
    span: Span,
    spans: &[Span],
    mut statement: impl FnMut(&mut Printer, usize),
) {
    let close = span.end.saturating_sub(1);
    let comments = p.ast.comments.get(p.next_comment).is_some_and(|c| c.span.start < close);
    if spans.is_empty() && !comments {
        return p.word("{}");
    }
    let inside = p.text.get(span.start as usize..close as usize).unwrap_or("");
    let inside = inside.trim_start_matches(|c| c != '{').trim_start_matches('{');
    let lines = inside[..inside.len() - inside.trim_start().len()].contains('\n');
    p.begin(false);
    p.word("{");
    for (at, span) in spans.iter().enumerate() {
        let before = p.pieces.len();
        p.between(if at == 0 { " " } else { "; " }, span.start, lines, at == 0);
        statement(p, at);
        p.settle(before, span.end);
    }
    p.before_brace(close);
    p.word("}");
    p.end();
}

fn results(p: &mut Printer, results: &[ExprId], ending: Ending) {
    match ending {
        Ending::Return => p.word("return "),
        Ending::Yield => p.word("yield "),
        Ending::Lone => {}
    }
    if ending == Ending::Return && results.len() > 1 {
        let parts = results.iter().map(|&id| (p.ast[id].span.start, Part::Expr(id))).collect();
        return bracketed(p, ("(", ")"), false, 0, parts);
    }
    for (at, id) in results.iter().enumerate() {
        if at > 0 {
            p.word(", ");
        }
        expr(p, *id, 0);
    }
}

fn carries(p: &mut Printer, carries: &[(Ident, ExprId)], next: u32) {
    p.begin(false);
    p.word("(");
    for (at, (name, value)) in carries.iter().enumerate() {
        if at > 0 {
            p.word(",");
        }
        p.may_break(if at > 0 { " " } else { "" }, name.span.start);
        p.words(format!("{} = ", name.text));
        expr(p, *value, 0);
    }
    p.may_break_back("", next);
    p.word(")");
    p.end();
}
