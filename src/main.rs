//! The `pullback` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    pullback::cli::main(std::env::args_os())
}
