//! What formulas are made of in a form, with parentheses where they are needed.

use super::Formula;

/// How tightly a formula holds together; higher is tighter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Equal,
    Or,
    And,
    Not,
    Compare,
    Sum,
    Product,
    Matrix,
    Sign,
    Power,
    Atom,
}

/// The constructs of a form.
pub trait Notation {
    fn number(&self, text: &str) -> String;
    fn name(&self, name: &str) -> String;
    fn word(&self, word: &str) -> String;
    fn partial(&self, of: String, by: String) -> (String, Level);
    fn differential(&self, of: String) -> String;
    fn slope(&self, function: &str, at: String) -> String;
    fn prefix(&self, symbol: &str, x: String) -> String;
    fn infix(&self, symbol: &str, left: String, right: String) -> String;
    fn power(&self, base: String, exponent: String) -> String;
    fn transposed(&self, x: String) -> String;
    fn stage(&self, x: String, rounds: Vec<String>) -> String;
    fn index(&self, x: String, places: Vec<String>) -> String;
    fn renamed(&self, x: String, axes: Vec<String>) -> String;
    fn call(&self, name: &str, axes: Vec<String>, args: Vec<String>) -> String;
    fn argument(&self, name: &str, value: String) -> String;
    fn list(&self, items: Vec<String>) -> String;
    fn slice(&self, ends: Vec<Option<String>>) -> String;
    fn parentheses(&self, x: String) -> String;

    /// A quotient that needs no parentheses around its parts.
    fn fraction(&self, _above: String, _below: String) -> Option<String> {
        None
    }

    /// Whether it is typeset: exponents stand above, matrices that are multiplied stand side by side.
    fn is_typeset(&self) -> bool {
        false
    }
}

/// The formula in a form.
pub fn written(formula: &Formula, form: &dyn Notation) -> String {
    parts(formula, form).0
}

fn parts(formula: &Formula, form: &dyn Notation) -> (String, Level) {
    let all = |items: &[Formula]| items.iter().map(|item| written(item, form)).collect();
    let text = match formula {
        Formula::Number(text) => {
            let level = if text.starts_with('-') { Level::Sign } else { Level::Atom };
            return (form.number(text), level);
        }
        Formula::Name(name) => form.name(name),
        Formula::Word(word) => form.word(word),
        Formula::Partial(of, by) => return form.partial(written(of, form), written(by, form)),
        Formula::Differential(of) => form.differential(within(of, Level::Atom, form)),
        Formula::Slope(function, at) => form.slope(function, written(at, form)),
        Formula::Prefix(symbol, x) => {
            let level = if *symbol == "-" { Level::Sign } else { Level::Not };
            return (form.prefix(symbol, within(x, level, form)), level);
        }
        Formula::Infix("^", base, exponent) => {
            let exponent = match form.is_typeset() {
                true => written(exponent, form),
                false => within(exponent, Level::Sign, form),
            };
            return (form.power(within(base, Level::Atom, form), exponent), Level::Power);
        }
        Formula::Infix("/", above, below) => {
            match form.fraction(written(above, form), written(below, form)) {
                Some(text) => return (text, Level::Power),
                None => return infix("/", above, below, form),
            }
        }
        Formula::Infix(symbol, left, right) => return infix(symbol, left, right, form),
        Formula::Stage(x, rounds) => form.stage(within(x, Level::Atom, form), all(rounds)),
        Formula::Transposed(x) => form.transposed(within(x, Level::Atom, form)),
        Formula::Index(x, places) => {
            // A derivative by elements is that of elements.
            if let Formula::Partial(..) = **x {
                return (form.index(written(x, form), all(places)), Level::Power);
            }
            form.index(within(x, Level::Atom, form), all(places))
        }
        Formula::Renamed(x, axes) => form.renamed(within(x, Level::Atom, form), all(axes)),
        Formula::Call { name, axes, args } => form.call(name, all(axes), all(args)),
        Formula::Argument(name, value) => form.argument(name, written(value, form)),
        Formula::List(items) => form.list(all(items)),
        Formula::Slice(ends) => {
            let end = |end: &Option<Formula>| end.as_ref().map(|end| written(end, form));
            form.slice(ends.iter().map(end).collect())
        }
    };
    (text, Level::Atom)
}

fn infix(
    symbol: &'static str,
    left: &Formula,
    right: &Formula,
    form: &dyn Notation,
) -> (String, Level) {
    let (level, above) = match symbol {
        "=" => (Level::Equal, Level::Or),
        "or" => (Level::Or, Level::And),
        "and" => (Level::And, Level::Not),
        "+" => (Level::Sum, Level::Sum),
        "-" => (Level::Sum, Level::Product),
        // Written side by side they hold together more tightly than with a sign between.
        "@" if form.is_typeset() => (Level::Matrix, Level::Sign),
        "*" | "·" | "/" if form.is_typeset() => (Level::Product, Level::Matrix),
        "*" | "·" | "@" | "/" => (Level::Product, Level::Sign),
        _ => (Level::Compare, Level::Sum),
    };
    let first = if level == Level::Compare { Level::Sum } else { level };
    (form.infix(symbol, within(left, first, form), within(right, above, form)), level)
}

/// The same in parentheses where it holds together less tightly than `level`.
fn within(formula: &Formula, level: Level, form: &dyn Notation) -> String {
    match parts(formula, form) {
        (text, own) if own >= level => text,
        (text, _) => form.parentheses(text),
    }
}
