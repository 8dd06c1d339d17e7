//! The command line: arguments, files and the terminal; the only room that reads and writes.

pub mod data;
pub mod show;
