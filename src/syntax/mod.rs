//! Text to syntax tree and back.

pub mod ast;
pub mod error;
pub mod parse;
pub mod print;
mod slips;
mod token;

pub use parse::{parse, parse_inline};
pub use print::format;
