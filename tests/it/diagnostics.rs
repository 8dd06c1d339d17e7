//! Every mistake as people see it: sources and renderings in `tests/cases/diagnostics`.
//!
//! A case is `CODE_what.nn`; what is run is `check`, or what its last line says behind `#$`.

use crate::command::{root, run_in};
use std::path::Path;

#[test]
fn renderings() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../cases/diagnostics");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        insta::glob!("../cases/diagnostics", "*.nn", |path| {
            let (shown, code) = shown(path);
            insta::assert_snapshot!("said", format!("{shown}\nexit code {code}"));
        });
    });
}

/// What rustc's authors would insist on.
#[test]
fn manners() {
    for path in cases() {
        let file = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let (shown, exit) = shown(&path);
        let code = file.split('_').next().expect("a code");
        let head = format!("[{code}]: ");
        assert!(shown.contains(&head), "{file} does not say {code}:\n{shown}");
        for line in
            shown.lines().filter(|line| line.starts_with("error") || line.starts_with("warning"))
        {
            let fact = line.split_once(": ").expect("a fact").1;
            assert!(fact.chars().count() <= 80, "{file}: over 80 columns: {fact}");
            for word in ["invalid", "illegal", "expected", "failed", "unexpected", "bad "] {
                assert!(!fact.to_lowercase().contains(word), "{file} says {word}: {fact}");
            }
        }
        assert_eq!(exit == 0, code.starts_with('W'), "{file}: exit code {exit}");
    }
}

#[test]
fn every_code_has_a_case() {
    let known: Vec<String> = cases()
        .iter()
        .map(|path| path.file_name().expect("a name").to_string_lossy()[..5].to_string())
        .collect();
    let missing: Vec<&str> = pullback::cli::codes::all()
        .filter(|code| !code.starts_with("E00") && !known.iter().any(|known| known == code))
        .collect();
    assert!(missing.is_empty(), "no case in tests/cases/diagnostics for {missing:?}");
}

fn cases() -> Vec<std::path::PathBuf> {
    let folder = std::fs::read_dir(root().join("tests/cases/diagnostics")).expect("the cases");
    let mut cases: Vec<_> = folder
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "nn"))
        .collect();
    cases.sort();
    cases
}

fn shown(path: &Path) -> (String, i32) {
    let text = std::fs::read_to_string(path).expect("a case can be read");
    let line = text.lines().last().and_then(|line| line.strip_prefix("#$ ")).unwrap_or("check");
    let mut words: Vec<&str> = line.split(' ').collect();
    words.insert(1, path.file_name().and_then(|name| name.to_str()).expect("a name"));
    let ran = run_in(path.parent().expect("a folder"), &words);
    (ran.stderr, ran.code.expect("it is not killed"))
}
