//! Runs the built `pullback` as a person would.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
}

/// The command, in the project's root, without a terminal and without the environment's wishes.
pub fn pullback() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullback"));
    command.current_dir(root()).env_remove("NO_COLOR").env_remove("TERM").stdin(Stdio::null());
    command
}

/// The project's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `pullback` with the words of `args` in `directory`.
pub fn run_in(directory: &Path, args: &[&str]) -> Ran {
    ran(pullback().current_dir(directory).args(args))
}

/// Runs `pullback` with the words of `args` in the project's root.
pub fn run(args: &[&str]) -> Ran {
    ran(pullback().args(args))
}

/// The same with `input` on standard input.
pub fn run_with(input: &str, args: &[&str]) -> Ran {
    let mut command = pullback();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("pullback starts");
    let mut stdin = child.stdin.take().expect("its standard input is piped");
    let input = input.to_string();
    // A thread, so that neither side waits for the other; a reader that has gone is no mistake.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("pullback ends");
    writer.join().expect("the writer ends");
    told(output)
}

/// Runs a command to its end.
pub fn ran(command: &mut Command) -> Ran {
    told(command.output().expect("the command starts"))
}

fn told(output: std::process::Output) -> Ran {
    Ran {
        stdout: String::from_utf8_lossy(&output.stdout).into(),
        stderr: String::from_utf8_lossy(&output.stderr).into(),
        code: output.status.code(),
    }
}
