//! Nothing without a case: every builtin and every function of the prelude stands in a formula that is proved.

use super::{prelude, structured};
use pullback::compile::PRELUDE;
use pullback::ops::builtin::BUILTINS;

/// Whether a formula calls a function.
fn calls(formula: &str, name: &str) -> bool {
    formula.match_indices(name).any(|(at, _)| {
        let before = formula[..at].chars().next_back();
        let behind = formula[at + name.len()..].chars().next();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && matches!(behind, Some('(' | '['))
    })
}

/// Tests of builtins that have cases of their own elsewhere.
const ELSEWHERE: &[&str] = &[
    include_str!("draws.rs"),
    include_str!("kinks.rs"),
    include_str!("../families/conv.rs"),
    include_str!("../families/linalg.rs"),
    include_str!("../families/pool.rs"),
    include_str!("../families/sort.rs"),
];

#[test]
fn every_builtin_has_a_case() {
    let formulas = [structured::formulas(), ELSEWHERE.to_vec()].concat();
    let missing: Vec<&str> = BUILTINS
        .iter()
        .map(|builtin| builtin.name)
        .filter(|name| !formulas.iter().any(|f| calls(f, name)))
        .collect();
    assert_eq!(missing, [""; 0], "give these a case in structured.rs");
}

#[test]
fn every_prelude_function_has_a_case() {
    let names = PRELUDE
        .lines()
        .filter_map(|line| line.strip_prefix("fn ").or_else(|| line.strip_prefix("layer ")))
        .map(|line| &line[..line.find(['(', '[']).expect("a function has parameters")]);
    let formulas = [prelude::formulas(), vec![include_str!("../norms.rs")]].concat();
    let missing: Vec<&str> =
        names.filter(|name| !formulas.iter().any(|f| calls(f, name))).collect();
    assert_eq!(missing, [""; 0], "give these a case in prelude.rs");
}
