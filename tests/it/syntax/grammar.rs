//! The grammar, its examples and the tour, held to the parser.

use super::checked;
use pullback::syntax::parse::{productions, sentence};
use std::collections::BTreeSet;

const GRAMMAR: &str = include_str!("../../../grammar/nn.ebnf");
const TOUR: &str = include_str!("../../../grammar/README.md");
const PARSER: &[&str] = &[
    include_str!("../../../src/syntax/parse/blocks.rs"),
    include_str!("../../../src/syntax/parse/calls.rs"),
    include_str!("../../../src/syntax/parse/exprs.rs"),
    include_str!("../../../src/syntax/parse/functions.rs"),
    include_str!("../../../src/syntax/parse/items.rs"),
    include_str!("../../../src/syntax/parse/types.rs"),
];

#[test]
fn every_production_is_a_parse_function() {
    let written: BTreeSet<&str> = rules().iter().map(|rule| rule.0).collect();
    let known: BTreeSet<&str> = productions().collect();
    assert_eq!(written, known, "grammar/nn.ebnf and PRODUCTIONS differ");
    for name in written {
        let function = format!("pub fn {name}(");
        let count = PARSER.iter().filter(|text| text.contains(&function)).count();
        assert_eq!(count, 1, "parse functions named {name}");
    }
}

#[test]
fn every_parse_function_is_a_production() {
    let known: BTreeSet<&str> = productions().collect();
    let other = ["bracketed", "missing_brace"];
    for line in PARSER.iter().flat_map(|text| text.lines()) {
        let Some((name, _)) = line.strip_prefix("pub fn ").and_then(|l| l.split_once(['(', '<']))
        else {
            continue;
        };
        assert!(known.contains(name) || other.contains(&name), "{name} is not in grammar/nn.ebnf");
    }
}

#[test]
fn every_example_is_a_sentence_of_its_production() {
    for (name, examples) in rules() {
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples {
            let said = sentence(name, example).expect("is a production");
            assert_eq!(said, [], "{name}: {example}");
        }
    }
}

#[test]
fn productions_hold_to_what_they_are() {
    for (name, text) in [("range", "0, 1"), ("unary", "a + b"), ("name", "1"), ("carry", "h")] {
        assert_ne!(sentence(name, text).expect("is a production"), [], "{name}: {text}");
    }
    assert_eq!(sentence("nonsense", ""), None);
}

#[test]
fn every_word_used_in_a_rule_is_defined() {
    let rules = rules();
    for (name, _) in &rules {
        let used = GRAMMAR.match_indices(name).filter(|(at, _)| {
            let around = |c: char| c.is_alphanumeric() || c == '_' || c == '"';
            !GRAMMAR[..*at].ends_with(around) && !GRAMMAR[at + name.len()..].starts_with(around)
        });
        assert!(used.count() > 1 || ["file", "inline"].contains(name), "{name} is never used");
    }
}

#[test]
fn the_tour_parses() {
    let blocks: Vec<&str> = TOUR.split("```nn\n").skip(1).collect();
    assert!(blocks.len() > 4);
    for block in blocks {
        let text = block.split("```").next().expect("has a first part");
        assert_eq!(checked(text), [], "in:\n{text}");
    }
}

/// The productions in order, each with its examples.
fn rules() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut rules: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut rest = GRAMMAR;
    while !rest.is_empty() {
        let line = rest.lines().next().unwrap_or("");
        let name = line.split_once(" = ").map(|(name, _)| name.trim());
        if let Some(example) = rest.strip_prefix("(* e.g. ") {
            let end = example.find(" *)").expect("a comment ends");
            rules.last_mut().expect("an example follows a rule").1.push(&example[..end]);
            rest = &example[end..];
        } else if let Some(name) = name.filter(|n| n.starts_with(|c: char| c.is_lowercase())) {
            rules.push((name, Vec::new()));
        }
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rules
}
