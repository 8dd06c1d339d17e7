//! Who may know whom: the arrows between the rooms of `src`, and what is forbidden in them.

use crate::command::root;
use std::path::{Path, PathBuf};

/// Each room with the rooms that it may use; `cli`, with `main` and `lib`, may use all. Of `tensor` most want element types,
/// of `diagnostic` spans.
const ARROWS: &[(&str, &[&str])] = &[
    ("diagnostic", &[]),
    ("tensor", &[]),
    ("syntax", &["diagnostic"]),
    ("ops", &["tensor", "diagnostic"]),
    ("graph", &["ops", "tensor", "diagnostic"]),
    ("lower", &["syntax", "graph", "ops", "diagnostic", "tensor"]),
    ("autodiff", &["graph", "ops", "tensor", "diagnostic"]),
    ("passes", &["graph", "ops", "tensor"]),
    ("exec", &["graph", "ops", "tensor"]),
    ("export", &["graph", "ops", "tensor", "syntax"]),
    ("train", &["compile", "exec", "graph", "ops", "tensor"]),
    ("compile", &["lower", "autodiff", "passes", "exec", "graph", "syntax", "ops", "diagnostic"]),
];

/// The one file besides that has threads.
const POOL: &str = "src/exec/pool.rs";

/// What only `cli` may do.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::io",
    "std::env",
    "std::net",
    "std::process",
    "std::time",
    "std::thread",
    "println!",
    "eprintln!",
    "print!(",
    "eprint!(",
    "dbg!(",
];

#[test]
fn rooms_use_what_they_may() {
    let mut wrong = Vec::new();
    for (path, room) in sources() {
        let Some((_, may)) = ARROWS.iter().find(|(known, _)| *known == room) else {
            assert!(matches!(&*room, "cli" | "main" | "lib"), "the room {room} has no arrows");
            continue;
        };
        for (number, line) in lines(&path) {
            for used in line.split("crate::").skip(1).flat_map(rooms) {
                let known = ARROWS.iter().any(|(known, _)| *known == used) || used == "cli";
                if known && used != room && !may.contains(&&*used) {
                    wrong.push(format!("{}:{number}: {room} may not use {used}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn only_cli_reaches_the_world_outside() {
    let mut wrong = Vec::new();
    for (path, room) in sources().into_iter().filter(|(_, room)| room != "cli" && room != "main") {
        for (number, line) in lines(&path) {
            let threads = |word: &str| word == "std::thread" && path == Path::new(POOL);
            for word in OUTSIDE.iter().filter(|word| line.contains(**word) && !threads(word)) {
                wrong.push(format!("{}:{number}: {room} may not use {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn only_kernels_are_unsafe() {
    let is_unsafe = |line: &str| {
        line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe")
    };
    let kernels = |path: &Path| path.starts_with("src/exec/kernels");
    for (path, _) in sources().into_iter().filter(|(path, _)| !kernels(path)) {
        let found = lines(&path).into_iter().find(|(_, line)| is_unsafe(line));
        assert!(found.is_none(), "{}: {found:?}", path.display());
    }
}

/// The rooms behind `crate::`: one, or several in braces.
fn rooms(text: &str) -> Vec<String> {
    let first = |part: &str| {
        part.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_string)
    };
    match text.strip_prefix('{') {
        Some(list) => list.split(',').filter_map(first).collect(),
        None => first(text).into_iter().collect(),
    }
}

/// The sources with their rooms.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("the sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|suffix| suffix == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("src"), &mut found);
    found.sort();
    let room = |path: &Path| {
        let inside = path.strip_prefix(root().join("src")).expect("below src");
        let first = inside.components().next().expect("a room").as_os_str().to_string_lossy();
        first.trim_end_matches(".rs").to_string()
    };
    found
        .into_iter()
        .map(|path| (path.strip_prefix(root()).expect("below the root").into(), room(&path)))
        .collect()
}

/// The numbered lines of a source without its comments.
fn lines(path: &Path) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(root().join(path)).expect("a source");
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_string();
    text.lines().enumerate().map(|(number, line)| (number + 1, code(line))).collect()
}
