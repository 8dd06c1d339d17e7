//! Every command of the README and of the lecture is run, and what it shows is compared.

use crate::command::root;
use std::path::Path;
use std::process::Command;

#[test]
fn commands_show_what_the_readme_shows() {
    shows("README.md");
}

#[test]
fn commands_show_what_the_lecture_shows() {
    shows("examples/lecture.md");
}

/// Fails where a command of a page shows something else.
fn shows(page: &str) {
    let text = std::fs::read_to_string(root().join(page)).expect("a page");
    let (mut count, mut wrong) = (0, Vec::new());
    for (line, shown) in commands(&text) {
        if line == "cargo test" {
            continue;
        }
        count += 1;
        let said = shell(&line.replace("cargo run --release --", "pullback"));
        if !shown.is_empty() && !fits(&shown, &said.lines().collect::<Vec<_>>()) {
            wrong.push(format!("$ {line}\n{said}"));
        }
    }
    assert!(count > 5, "{count} commands");
    assert!(wrong.is_empty(), "{page} shows something else than\n{}", wrong.join("\n"));
}

#[test]
fn the_two_commands_stand_near_the_top() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let top: String = text.lines().take(20).collect::<Vec<_>>().join("\n");
    for command in ["cargo run --release -- grad examples/lecture.nn", "cargo test"] {
        assert!(
            top.contains(&format!("$ {command}\n")) || top.contains(&format!("$ {command}")),
            "{command}"
        );
    }
}

/// The lines behind `$ ` in blocks of code, each with the lines below it.
fn commands(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        for line in block.lines() {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command, Vec::new())),
                (None, Some((_, shown))) => shown.push(line),
                (None, None) => {}
            }
        }
    }
    commands
}

/// Runs a line in a shell that finds the built command; both its outputs.
fn shell(line: &str) -> String {
    let built = Path::new(env!("CARGO_BIN_EXE_pullback")).parent().expect("a folder").to_path_buf();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{{ {line}\n}} 2>&1")]).current_dir(root());
    command.env("PATH", format!("{}:{path}", built.display()));
    let output = command.output().expect("a shell");
    String::from_utf8_lossy(&output.stdout).into()
}

/// Whether lines are those shown, where `...` stands for any lines, or for the end of its line.
fn fits(shown: &[&str], said: &[&str]) -> bool {
    match (shown, said) {
        ([], []) => true,
        (["...", rest @ ..], _) => (0..=said.len()).any(|skip| fits(rest, &said[skip..])),
        ([line, rest @ ..], [own, others @ ..]) => {
            let same = match line.strip_suffix("...") {
                Some(start) => own.starts_with(start),
                None => line == own,
            };
            same && fits(rest, others)
        }
        _ => false,
    }
}
