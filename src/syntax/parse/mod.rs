//! Tokens to syntax tree, one function for each production of `grammar/nn.ebnf`; never fails.

mod blocks;
mod calls;
mod cursor;
mod exprs;
mod functions;
mod items;
mod lost;
mod productions;
mod recovery;
mod types;

use super::ast::{Ast, ExprId};
use crate::diagnostic::Diagnostic;
use cursor::Parser;

pub use productions::{productions, sentence};

/// How many brackets, blocks, signs and powers may stand within each other.
pub const MAX_DEPTH: usize = 256;

/// The tree of `text`, which is file number `file`, with every mistake in the order of the text.
///
/// A statement with a mistake is given as far as it was read, the rest of it as
/// `ExprKind::Error`; one mistake is reported for each statement.
pub fn parse(text: &str, file: u16) -> (Ast, Vec<Diagnostic>) {
    let mut parser = Parser::new(text, file);
    items::file(&mut parser);
    parser.finish()
}

/// The same for a text given in a command line: its last statement may be a lone expression,
/// which is returned.
pub fn parse_inline(text: &str, file: u16) -> (Ast, Option<ExprId>, Vec<Diagnostic>) {
    let mut parser = Parser::new(text, file);
    let value = items::inline(&mut parser);
    let (ast, diagnostics) = parser.finish();
    (ast, value, diagnostics)
}
