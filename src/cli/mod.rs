//! The command line: arguments, files and the terminal; the only room that reads and writes.

mod args;
mod bench;
mod bind;
mod check;
mod claims;
pub mod codes;
mod cost;
pub mod data;
mod declared;
mod diff;
mod eval;
mod explain;
pub mod files;
mod fmt;
mod grad;
mod graph;
mod inline;
mod judge;
mod memory;
mod out;
pub mod reference;
mod rules;
mod run;
mod session;
pub mod show;
mod slopes;
mod train;
mod trap;
mod verify;
pub mod watch;

use args::{Args, Verb};
use clap::Parser;
use out::Failure;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs a command line. The exit code is 0 where all is well, 1 where the model or the check is bad, 2 where the request is,
/// 101 where this program is.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    // Deeply nested text recurses: a thread of known size does not depend on the shell's limits.
    let worker = std::thread::Builder::new().stack_size(256 << 20).spawn(move || run(args));
    match worker.map(|worker| worker.join()) {
        Ok(Ok(code)) => code,
        _ => ExitCode::from(101),
    }
}

fn run(args: Args) -> ExitCode {
    let quiet = args.common.quiet;
    let done = match args.verb {
        Verb::Check(check) => check::check(&args.common, &check),
        Verb::Grad(grad) => grad::grad(&args.common, &grad),
        Verb::Graph(graph) => graph::graph(&args.common, &graph),
        Verb::Eval(eval) => eval::eval(&args.common, &eval),
        Verb::Train(train) => train::train(&args.common, &train),
        Verb::Bench(bench) => bench::bench(&args.common, &bench),
        Verb::Verify(verify) => verify::verify(&args.common, &verify),
        Verb::Explain(explain) => explain::explain(&args.common, &explain),
        Verb::Fmt(fmt) => fmt::fmt(&args.common, &fmt),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(Failure::Said(code)) => ExitCode::from(code),
        Err(Failure::Request(message)) => {
            out::talk(quiet, &format!("error: {message}"));
            ExitCode::from(2)
        }
    }
}
