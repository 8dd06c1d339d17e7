//! Formulas in one line of text, as the language has them.

use super::Formula;
use super::notation::{Level, Notation, written};

/// The formula as text: `dC/dz2 = sigmoid'(z2) * (dC/dz3 @ W3')`.
pub fn text(formula: &Formula) -> String {
    written(formula, &Text)
}

struct Text;

impl Notation for Text {
    fn number(&self, text: &str) -> String {
        text.into()
    }

    fn name(&self, name: &str) -> String {
        name.into()
    }

    fn word(&self, word: &str) -> String {
        word.into()
    }

    fn partial(&self, of: String, by: String) -> (String, Level) {
        (format!("d{of}/d{by}"), Level::Power)
    }

    fn differential(&self, of: String) -> String {
        format!("d{of}")
    }

    fn slope(&self, function: &str, at: String) -> String {
        format!("{function}'({at})")
    }

    fn prefix(&self, symbol: &str, x: String) -> String {
        format!("{symbol}{x}")
    }

    fn infix(&self, symbol: &str, left: String, right: String) -> String {
        let symbol = if symbol == "·" { "*" } else { symbol };
        format!("{left} {symbol} {right}")
    }

    fn power(&self, base: String, exponent: String) -> String {
        format!("{base}^{exponent}")
    }

    fn transposed(&self, x: String) -> String {
        format!("{x}'")
    }

    fn stage(&self, x: String, rounds: Vec<String>) -> String {
        format!("{x}[{}]", rounds.join(",").replace(' ', ""))
    }

    fn index(&self, x: String, places: Vec<String>) -> String {
        format!("{x}[{}]", places.join(", "))
    }

    fn renamed(&self, x: String, axes: Vec<String>) -> String {
        format!("{x} as [{}]", axes.join(", "))
    }

    fn call(&self, name: &str, axes: Vec<String>, args: Vec<String>) -> String {
        let axes = if axes.is_empty() { String::new() } else { format!("[{}]", axes.join(", ")) };
        format!("{name}{axes}({})", args.join(", "))
    }

    fn argument(&self, name: &str, value: String) -> String {
        format!("{name} = {value}")
    }

    fn list(&self, items: Vec<String>) -> String {
        format!("[{}]", items.join(", "))
    }

    fn slice(&self, ends: Vec<Option<String>>) -> String {
        sliced(ends)
    }

    fn parentheses(&self, x: String) -> String {
        format!("({x})")
    }
}

/// `a:b:s`, without what is left out at its end.
pub fn sliced(ends: Vec<Option<String>>) -> String {
    let [start, stop, step] = [0, 1, 2].map(|place| ends.get(place).cloned().flatten());
    let step = step.map(|step| format!(":{step}")).unwrap_or_default();
    format!("{}:{}{step}", start.unwrap_or_default(), stop.unwrap_or_default())
}
