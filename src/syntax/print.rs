//! Syntax tree to canonical text.

mod blocks;
mod exprs;
mod items;
mod layout;

use super::ast::{Ast, ExprId};
use super::parse::parse;
use crate::diagnostic::{Diagnostic, Span};
use layout::{Break, Piece, Remark};

/// `text` in canonical layout, or what is wrong with it.
///
/// Comments, the order of statements, numbers and groups of lines stay as written; brackets
/// that change nothing go, lines end before column 100 where they can. The result parses to
/// the same tree, and formats to itself.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let (ast, diagnostics) = parse(text, 0);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    let mut printed = printed(&ast, text);
    while let (ast, again) = parse(&printed, 0)
        && again.is_empty()
    {
        let next = self::printed(&ast, &printed);
        if next == printed {
            break;
        }
        printed = next;
    }
    Ok(printed)
}

/// One expression on one line, with as few parentheses as it can have.
pub fn expr(ast: &Ast, id: ExprId) -> String {
    let mut printer = Printer::new(ast, "");
    printer.next_comment = ast.comments.len();
    exprs::expr(&mut printer, id, 0);
    layout::one_line(&printer.pieces)
}

/// One step of `format`: blocks on one line that do not fit have lines of their own now, which
/// may change the lines around them; since that happens once to a block, the steps end.
fn printed(ast: &Ast, text: &str) -> String {
    let mut printer = Printer::new(ast, text);
    items::file(&mut printer);
    layout::lines(&printer.pieces)
}

/// The pieces so far, with the comments that still have to be placed.
struct Printer<'a> {
    ast: &'a Ast,
    text: &'a str,
    pieces: Vec<Piece<'a>>,
    next_comment: usize,
    /// The end of the last statement or comment between statements.
    last_end: usize,
    /// `*` and `/` stand without spaces, as in sizes.
    tight: bool,
}

impl<'a> Printer<'a> {
    fn new(ast: &'a Ast, text: &'a str) -> Printer<'a> {
        Printer { ast, text, pieces: Vec::new(), next_comment: 0, last_end: 0, tight: false }
    }

    fn word(&mut self, text: &'a str) {
        self.pieces.push(Piece::Text(text.into()));
    }

    fn words(&mut self, text: String) {
        self.pieces.push(Piece::Text(text.into()));
    }

    fn begin(&mut self, fill: bool) {
        self.pieces.push(Piece::Begin { fill });
    }

    fn end(&mut self) {
        self.pieces.push(Piece::End);
    }

    /// A place where the line may end, before what stands at byte `next`.
    fn may_break(&mut self, flat: &'static str, next: u32) {
        let remarks = self.take_remarks(next, false);
        self.pieces.push(Piece::Break(Break { flat, remarks, ..Break::default() }));
    }

    /// The same before a closing bracket.
    fn may_break_back(&mut self, flat: &'static str, next: u32) {
        let remarks = self.take_remarks(next, false);
        self.pieces.push(Piece::Break(Break { flat, remarks, back: true, ..Break::default() }));
    }

    /// The place before a statement, which may be the `first` of its file or block.
    fn between(&mut self, flat: &'static str, next: u32, forced: bool, first: bool) {
        let remarks = self.take_remarks(next, true);
        let blank = self.blank_before(next as usize) && !(first && remarks.is_empty());
        let mut piece = Break { flat, remarks, forced, blank, ..Break::default() };
        if let Some(remark) = piece.remarks.first_mut().filter(|_| first) {
            remark.blank = false;
        }
        self.pieces.push(Piece::Break(piece));
    }

    /// The place between the last statement of a block and its closing brace at byte `next`.
    fn before_brace(&mut self, next: u32) {
        let remarks = self.take_remarks(next, true);
        self.pieces.push(Piece::Break(Break {
            flat: " ",
            remarks,
            back: true,
            ..Break::default()
        }));
    }

    /// Ends the statement behind the break at piece `at`, which ends before byte `end`: its
    /// comments that found no place move to that break.
    fn settle(&mut self, at: usize, end: u32) {
        self.last_end = end as usize;
        let mut remarks = self.take_remarks(end, false);
        for remark in &mut remarks {
            remark.own_line = true;
        }
        if let Piece::Break(piece) = &mut self.pieces[at] {
            piece.remarks.extend(remarks);
        }
    }

    /// The comments before byte `next` that have not been printed.
    fn take_remarks(&mut self, next: u32, between_statements: bool) -> Vec<Remark<'a>> {
        let mut remarks = Vec::new();
        while let Some(comment) = self.ast.comments.get(self.next_comment) {
            if comment.span.start >= next {
                break;
            }
            let Span { start, end, .. } = comment.span;
            let blank = between_statements && self.blank_before(start as usize);
            if between_statements {
                self.last_end = end as usize;
            }
            let text = &self.text[comment.span.range()];
            remarks.push(Remark { text, own_line: comment.own_line, blank });
            self.next_comment += 1;
        }
        remarks
    }

    /// Whether an empty line stands between the last statement and byte `next`.
    fn blank_before(&self, next: usize) -> bool {
        let between = self.text.get(self.last_end..next).unwrap_or("");
        let closed = between.find(|c: char| !c.is_whitespace() && !matches!(c, ')' | ',' | ';'));
        let between = between[..closed.unwrap_or(between.len())].rsplit([')', ',']).next();
        between.is_some_and(|between| between.matches('\n').nth(1).is_some())
    }
}
