//! The `syntax` room: what it reads, what it reports, what it prints.

mod depth;
mod errors;
mod grammar;
mod layout;
mod random;

use pullback::diagnostic::{Diagnostic, Span};
use pullback::syntax::ast::Ast;
use pullback::syntax::{format, parse};

/// Sentences of the whole language.
const SAMPLES: &[&str] = &[include_str!("lecture.nn"), include_str!("everything.nn")];

/// The tree of `text` without its places, to be compared.
fn shape(text: &str) -> String {
    let (Ast { exprs, items, .. }, diagnostics) = parse(text, 0);
    assert_eq!(diagnostics, [], "in:\n{text}");
    let tree = format!("{items:#?}\n{:#?}", exprs.iter().map(|e| &e.kind).collect::<Vec<_>>());
    let mut out = String::new();
    let mut rest = tree.as_str();
    while let Some(at) = rest.find("Span {") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[rest.find('}').map_or(rest.len(), |end| end + 1)..];
    }
    out + rest
}

/// Formats `text`, which has no mistakes, and holds the result to the promises of `format`.
fn formatted(text: &str) -> String {
    let once = format(text).unwrap_or_else(|d| panic!("{d:?} in:\n{text}"));
    assert_eq!(shape(text), shape(&once), "the tree changed:\n{text}\n-- became\n{once}");
    let twice = format(&once).unwrap_or_else(|d| panic!("{d:?} in:\n{once}"));
    assert_eq!(once, twice, "not stable, from:\n{text}");
    assert_eq!(comments(text), comments(&once), "comments were lost:\n{text}\n-- became\n{once}");
    once
}

/// The comments of `text`, sorted.
fn comments(text: &str) -> Vec<String> {
    let (ast, _) = parse(text, 0);
    let mut all: Vec<String> =
        ast.comments.iter().map(|c| text[c.span.range()].to_string()).collect();
    all.sort();
    all
}

/// Holds what is said about `text` to the style of diagnostics, and the tree to its text.
fn checked(text: &str) -> Vec<Diagnostic> {
    let (ast, diagnostics) = parse(text, 7);
    let inside = |span: Span| {
        assert_eq!(span.file, 7);
        assert!(text.get(span.range()).is_some(), "{span:?} is no part of:\n{text:?}");
    };
    for diagnostic in &diagnostics {
        let primary = diagnostic.primary.iter();
        primary.chain(&diagnostic.secondary).for_each(|label| inside(label.span));
        let message = &diagnostic.message;
        assert!(message.chars().count() <= 80, "too long: {message}");
        assert!(!message.contains("invalid") && !message.contains('\n'), "{message}");
        assert!(diagnostic.secondary.len() <= 2);
    }
    ast.exprs.iter().for_each(|expr| inside(expr.span));
    ast.items.iter().for_each(|item| inside(item.span));
    diagnostics
}
