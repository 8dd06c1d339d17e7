//! The pages that `pullback explain CODE` prints: one for each code, its examples tried.

use crate::command::{root, run_with};
use pullback::cli::codes;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let mut used = BTreeSet::new();
    collect(&root().join("src"), &mut used);
    let pages: BTreeSet<String> = codes::all().map(str::to_string).collect();
    assert_eq!(used, pages);
    assert!(codes::all().is_sorted(), "the pages stand in order");
}

/// The codes that stand in quotes in the sources below `folder`.
fn collect(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, codes);
        } else if path.extension().is_some_and(|suffix| suffix == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            let is_code = |piece: &&str| {
                piece.len() == 5
                    && piece.starts_with(['E', 'W'])
                    && piece[1..].bytes().all(|b| b.is_ascii_digit())
            };
            codes.extend(text.split('"').filter(is_code).map(str::to_string));
        }
    }
}

#[test]
fn examples_are_as_wrong_and_as_right_as_they_say() {
    let mut faults = Vec::new();
    for code in codes::all() {
        let page = codes::page(code).expect("a page");
        let kinds: Vec<&str> = examples(page).iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds, ["wrong", "right"], "{code}");
        for (kind, args, text) in examples(page) {
            let mut words: Vec<&str> = args.split(' ').collect();
            words.insert(1, "-");
            let said = run_with(text, &words).stderr;
            let fine = match kind {
                "wrong" => said.contains(&format!("[{code}]: ")),
                _ => !said.contains("error") && !said.contains("warning"),
            };
            if !fine {
                faults.push(format!("{code}: the {kind} example says\n{said}"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The examples of a page: `wrong` or `right`, what is run, and the text.
fn examples(page: &str) -> Vec<(&str, &str, &str)> {
    let blocks = page.split("```nn ").skip(1);
    let parts = blocks.map(|block| {
        let (head, rest) = block.split_once('\n').expect("a line behind the fence");
        let text = rest.split_once("```").expect("a block ends").0;
        let (kind, args) = head.split_once(" $ ").unwrap_or((head, "check"));
        (kind, args, text)
    });
    parts.collect()
}
