//! Every mistake with what is said about it: sources and snapshots in `tests/cases/syntax`.

use super::checked;
use pullback::diagnostic::{Diagnostic, Label};
use pullback::syntax::parse;
use std::fmt::Write;

#[test]
fn mistakes() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../cases/syntax");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        insta::glob!("../../cases/syntax", "*.nn", |path| {
            let text = std::fs::read_to_string(path).expect("a case can be read");
            let mut said = String::new();
            for (index, case) in text.split_inclusive("\n\n").enumerate() {
                let _ = writeln!(said, "{}== {}", if index > 0 { "\n" } else { "" }, case.trim());
                checked(case).iter().for_each(|d| render(case, d, &mut said));
            }
            insta::assert_snapshot!("errors", said);
        });
    });
}

#[test]
fn all_mistakes_of_a_file_are_reported_and_no_others() {
    let text = "dim N D\nx = (1 + \ny = 2 +\nfn f(x: f32[N) { a = 3 3; return ) }\nz = w\n\
                loss = 3\nb = [1, 2\noutput b\n";
    let lines = |text: &str| -> Vec<usize> {
        let line = |d: &Diagnostic| at(text, d.primary.as_ref().expect("has a place")).0;
        checked(text).iter().map(line).collect()
    };
    assert_eq!(lines(text), [1, 2, 3, 4, 4, 4, 6, 7]);
}

#[test]
fn names_stay_known_after_a_mistake() {
    let names = |text: &str| format!("{:?}", parse(text, 0).0.items[0].kind);
    assert!(names("h = (1 + ").contains("\"h\""));
    assert!(names("param W, b: f32[N = 3").contains("\"b\""));
    assert!(names("fn f(x { return }").contains("\"f\""));
    assert!(names("let h = 3").contains("\"h\""));
}

/// Takes each word and sign away in turn: that is at most one mistake, but for a few places
/// where it makes two.
#[test]
fn one_slip_is_one_mistake() {
    let mut more = Vec::new();
    for sample in super::SAMPLES {
        let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        let mut at = 0;
        while let Some(c) = sample[at..].chars().next() {
            let rest = &sample[at + c.len_utf8()..];
            let more_of_it = if in_word(c) { rest.find(|c| !in_word(c)).unwrap_or(0) } else { 0 };
            let end = at + c.len_utf8() + more_of_it;
            let count = checked(&format!("{}{}", &sample[..at], &sample[end..])).len();
            if count > 1 && !c.is_whitespace() {
                more.push((count, &sample[at..end], sample[at..].lines().next()));
            }
            at = end;
        }
    }
    assert!(more.len() <= 8 && more.iter().all(|(count, ..)| *count <= 3), "{more:#?}");
}

fn render(text: &str, diagnostic: &Diagnostic, out: &mut String) {
    let _ = writeln!(out, "{}: {}", diagnostic.code, diagnostic.message);
    for label in diagnostic.primary.iter().chain(&diagnostic.secondary) {
        let (line, column) = at(text, label);
        let place = &text[label.span.range()].replace('\n', "\\n");
        let said = format!("  {line}:{column} `{place}` {}", label.text);
        let _ = writeln!(out, "{}", said.trim_end());
    }
    for help in &diagnostic.help {
        let _ = writeln!(out, "  help: {help}");
    }
}

fn at(text: &str, label: &Label) -> (usize, usize) {
    let before = &text[..label.span.range().start];
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
}
