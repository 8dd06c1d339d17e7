//! What `format` makes of a text.

use super::{SAMPLES, formatted, parse};
use pullback::syntax::ast::ItemKind;
use pullback::syntax::print;

#[test]
fn samples_keep_their_meaning() {
    for sample in SAMPLES {
        formatted(sample);
        formatted(&sample.replace('\n', "\r\n"));
        formatted(&format!("\u{feff}{sample}"));
    }
}

#[test]
fn the_lecture_is_in_canonical_layout() {
    assert_eq!(formatted(SAMPLES[0]), SAMPLES[0]);
}

#[test]
fn everything_in_canonical_layout() {
    insta::assert_snapshot!(formatted(SAMPLES[1]));
}

#[test]
fn layout() {
    let check = |text: &str, expected: &str| assert_eq!(formatted(text), expected, "of {text:?}");
    check("", "");
    check("\n\n;;\n", "");
    check("#only", "#only\n");
    check("\n\n# a\n\n\n\n# b", "# a\n\n# b\n");
    check("a=1;b=2;", "a = 1\nb = 2\n");
    check("a=1\n\n\n\nb=2", "a = 1\n\nb = 2\n");
    check("a=1#x\nbb=2 # y", "a = 1   #x\nbb = 2  # y\n");
    check("a=1 # x\n\nbb=2 # y", "a = 1  # x\n\nbb = 2  # y\n");
    check("y = f(a, # one\n b)", "y = f(\n  a,  # one\n  b\n)\n");
    check("y = f(\n # one\n)", "# one\ny = f()\n");
    check("input x: f64[]", "input x: f64\n");
    check("grad C wrt (W)", "grad C wrt W\n");
    check("y = (((x)))", "y = x\n");
    check("output p;output q # last", "output p\noutput q  # last\n");
    check("fn f(x) {\nreturn x }", "fn f(x) {\n  return x\n}\n");
    check("fn f(x) {return (x,y) }", "fn f(x) { return (x, y) }\n");
    check("train {}", "train {}\n");
    check("train { # c\n}", "train {  # c\n}\n");
    check("param a: f32 = 0\nparam bcd: f32 ~ g()", "param a: f32   = 0\nparam bcd: f32 ~ g()\n");
}

#[test]
fn parentheses_are_minimal() {
    let check = |text: &str, expected: &str| {
        let (ast, diagnostics) = parse(&format!("y = {text}"), 0);
        assert_eq!(diagnostics, [], "in {text}");
        let ItemKind::Binding(_, value) = &ast.items[0].kind else { panic!("no binding") };
        assert_eq!(print::expr(&ast, *value), expected);
    };
    check("(a + b) + c", "a + b + c");
    check("a + (b + c)", "a + (b + c)");
    check("(a * b) @ (c / d)", "a * b @ (c / d)");
    check("-(x^2)", "-x^2");
    check("(-x)^2", "(-x)^2");
    check("x^(-1)", "x^-1");
    check("x^(y^z)", "x^y^z");
    check("(x^y)^z", "(x^y)^z");
    check("-(-(x))", "--x");
    check("a - (-b)", "a - -b");
    check("(-a) * b", "-a * b");
    check("-(a * b)", "-(a * b)");
    check("not (a == b)", "not a == b");
    check("(not a) == b", "(not a) == b");
    check("(a == b) == c", "(a == b) == c");
    check("(a and b) or (c and d)", "a and b or c and d");
    check("a and (b or c)", "a and (b or c)");
    check("(x + y)'", "(x + y)'");
    check("(x')[(0)]", "x'[0]");
    check("(x as [N])'", "x as [N]'");
    check("(1/2) * x / 2", "1/2 * x / 2");
    check("f((a), b = (c))", "f(a, b = c)");
    check("scan t in (T + 1) (h = (0)) { yield (h) }", "scan t in T + 1 (h = 0) { yield h }");
    check("repeat (f(n)) (h = x) { (h) }", "repeat (f(n)) (h = x) { h }");
}
