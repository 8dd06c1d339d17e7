//! The command line: arguments, files, terminal; the only room that reads and writes.
