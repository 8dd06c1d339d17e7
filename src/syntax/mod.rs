//! Text to syntax tree and back.

pub mod ast;
pub mod error;
mod kind;
pub mod parse;
pub mod print;
mod slips;
mod token;

pub use parse::{parse, parse_inline};
pub use print::format;
