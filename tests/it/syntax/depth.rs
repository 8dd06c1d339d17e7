//! Long chains and deep nesting on a small stack.

use super::checked;
use pullback::syntax::ast::ItemKind;
use pullback::syntax::{format, parse, print};

#[test]
fn chains_of_100_000_operators() {
    for op in [" + ", " * ", " @ ", " - ", " and ", " or ", " / 2 + ", "' - "] {
        on_small_stack(move || {
            let chain = format!("y = {}x\n", format!("x{op}").repeat(100_000));
            let (ast, diagnostics) = parse(&chain, 0);
            assert_eq!(diagnostics, []);
            let ItemKind::Binding(_, value) = &ast.items[0].kind else { panic!("no binding") };
            assert_eq!(format!("y = {}\n", print::expr(&ast, *value)), chain);
            let text = format(&chain).expect("parses");
            assert!(text.lines().all(|line| line.len() <= 100));
            assert_eq!(format(&text).expect("parses"), text);
        });
    }
}

#[test]
fn long_things_that_are_no_chains() {
    on_small_stack(|| {
        let postfix = format!("y = x{}\n", "'".repeat(100_000));
        assert_eq!(format(&postfix).expect("parses"), postfix);
        let indexed = format!("y = x{}\n", "[0]".repeat(20_000));
        assert_eq!(checked(&indexed), []);
        assert_eq!(format(&format(&indexed).expect("parses")), format(&indexed));
        let statements = "y = x;".repeat(100_000);
        assert_eq!(format(&statements).expect("parses").lines().count(), 100_000);
        assert_eq!(checked(&"y = < ;".repeat(1000)).len(), 1000);
        assert_eq!(checked(&format!("y = 1{}", " < 1".repeat(100_000))).len(), 1);
    });
}

#[test]
fn nesting_up_to_the_limit() {
    for (open, close) in NESTS {
        on_small_stack(move || {
            let count = if *open == "x^-" { 128 } else { 255 };
            super::formatted(&format!("y = {}x{}\n", open.repeat(count), close.repeat(count)));
        });
    }
}

#[test]
fn nesting_beyond_the_limit_is_one_mistake() {
    for (open, close) in NESTS {
        for count in [257, 300, 20_000] {
            on_small_stack(move || {
                let text = format!("y = {}x{}\nz = 3", open.repeat(count), close.repeat(count));
                let codes: Vec<&str> = checked(&text).iter().map(|d| d.code).collect();
                assert_eq!(codes, ["E0004"], "{count} times {open}");
                let unclosed = format!("y = {}", open.repeat(count));
                assert!(checked(&unclosed).iter().any(|d| d.code == "E0004"), "{count} of {open}");
            });
        }
    }
}

const NESTS: &[(&str, &str)] = &[
    ("(1 + ", ")"),
    ("[", "]"),
    ("f(", ")"),
    ("x[", "]"),
    ("f[0](a = ", ")"),
    ("-", ""),
    ("not ", ""),
    ("x^", ""),
    ("x^-", ""),
    ("repeat 2 (h = x) { ", " }"),
    ("repeat 2 (h = ", ") { h }"),
    ("scan t in T { yield ", " }"),
    ("x as [", "]"),
];

fn on_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run);
    if let Err(panic) = thread.expect("a thread starts").join() {
        std::panic::resume_unwind(panic);
    }
}
