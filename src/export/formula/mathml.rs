//! Formulas in MathML.

use super::Formula;
use super::latex::{GREEK, split};
use super::notation::{Level, Notation, written};

/// The formula as MathML, without the element around it.
pub fn mathml(formula: &Formula) -> String {
    written(formula, &Mathml)
}

/// Words in HTML.
pub fn words(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

struct Mathml;

fn row(parts: &[&str]) -> String {
    format!("<mrow>{}</mrow>", parts.concat())
}

fn operator(symbol: &str) -> String {
    format!("<mo>{}</mo>", words(symbol))
}

/// Parts with a comma between.
fn listed(parts: &[String]) -> String {
    parts.join("<mo separator=\"true\">,</mo>")
}

fn stem(stem: &str) -> String {
    let letter = GREEK.iter().find(|(name, _)| *name == stem).map(|(_, letter)| letter.to_string());
    format!("<mi>{}</mi>", words(&letter.unwrap_or_else(|| stem.into())))
}

fn function(name: &str) -> String {
    if name == "sigmoid" { "<mi>σ</mi>".into() } else { format!("<mi>{}</mi>", words(name)) }
}

impl Notation for Mathml {
    fn number(&self, text: &str) -> String {
        format!("<mn>{}</mn>", words(text))
    }

    fn name(&self, name: &str) -> String {
        match (name, split(name)) {
            ("inf", _) => "<mi>∞</mi>".into(),
            (_, (own, None)) => stem(own),
            (_, (own, Some(below))) => {
                let below = match below.chars().all(|letter| letter.is_ascii_digit()) {
                    true => format!("<mn>{below}</mn>"),
                    false => self.name(below),
                };
                format!("<msub>{}{below}</msub>", stem(own))
            }
        }
    }

    fn word(&self, word: &str) -> String {
        format!("<mtext>{}</mtext>", words(word))
    }

    fn partial(&self, of: String, by: String) -> (String, Level) {
        let side = |x: &str| row(&["<mi>∂</mi>", x]);
        (format!("<mfrac>{}{}</mfrac>", side(&of), side(&by)), Level::Power)
    }

    fn differential(&self, of: String) -> String {
        row(&["<mi mathvariant=\"normal\">d</mi>", &of])
    }

    fn slope(&self, name: &str, at: String) -> String {
        let slope = format!("<msup>{}<mo>′</mo></msup>", function(name));
        row(&[&slope, &self.parentheses(at)])
    }

    fn prefix(&self, symbol: &str, x: String) -> String {
        let symbol = if symbol == "-" { "−" } else { "¬" };
        row(&[&operator(symbol), &x])
    }

    fn infix(&self, symbol: &str, left: String, right: String) -> String {
        let number = |text: &str| text.starts_with("<mn>");
        let symbol = match symbol {
            "*" if number(&left) && !number(&right) => "\u{2062}",
            "*" if number(&right) => "·",
            "·" => "·",
            "*" => "⊙",
            "@" => "\u{2009}",
            "==" => "=",
            "!=" => "≠",
            "<=" => "≤",
            ">=" => "≥",
            "and" => "∧",
            "or" => "∨",
            "-" => "−",
            symbol => symbol,
        };
        let symbol = match symbol {
            "\u{2009}" => "<mspace width=\"0.25em\"/>".into(),
            symbol => operator(symbol),
        };
        row(&[&left, &symbol, &right])
    }

    fn power(&self, base: String, exponent: String) -> String {
        format!("<msup>{}{}</msup>", row(&[&base]), row(&[&exponent]))
    }

    fn transposed(&self, x: String) -> String {
        format!("<msup>{}<mo>⊤</mo></msup>", row(&[&x]))
    }

    fn stage(&self, x: String, rounds: Vec<String>) -> String {
        format!("<msub>{}{}</msub>", row(&[&x]), row(&[&listed(&rounds)]))
    }

    fn index(&self, x: String, places: Vec<String>) -> String {
        let (open, close) = ("<mo stretchy=\"false\">[</mo>", "<mo stretchy=\"false\">]</mo>");
        let places = row(&[open, &listed(&places), close]);
        format!("<msub>{}{places}</msub>", row(&[&x]))
    }

    fn renamed(&self, x: String, _axes: Vec<String>) -> String {
        x
    }

    fn call(&self, name: &str, axes: Vec<String>, args: Vec<String>) -> String {
        let head = match name {
            "sum" => "<mo>∑</mo>".into(),
            "prod" => "<mo>∏</mo>".into(),
            _ => function(name),
        };
        let head = match (axes.is_empty(), name) {
            (true, _) => head,
            (false, "sum" | "prod") => format!("<munder>{head}{}</munder>", row(&[&listed(&axes)])),
            (false, _) => format!("<msub>{head}{}</msub>", row(&[&listed(&axes)])),
        };
        match (name, args.as_slice()) {
            ("sqrt", [x]) => format!("<msqrt>{x}</msqrt>"),
            ("abs", [x]) => row(&["<mo>|</mo>", x, "<mo>|</mo>"]),
            ("exp", [x]) => format!("<msup><mi>e</mi>{}</msup>", row(&[x])),
            ("where", [condition, yes, no]) => format!(
                "<mrow><mo>{{</mo><mtable><mtr><mtd>{yes}</mtd><mtd><mtext>if </mtext>{condition}</mtd></mtr>\
                 <mtr><mtd>{no}</mtd><mtd><mtext>else</mtext></mtd></mtr></mtable></mrow>"
            ),
            _ => row(&[&head, "<mo>\u{2061}</mo>", &self.parentheses(listed(&args))]),
        }
    }

    fn argument(&self, name: &str, value: String) -> String {
        row(&[&stem(name), "<mo>=</mo>", &value])
    }

    fn list(&self, items: Vec<String>) -> String {
        row(&["<mo>[</mo>", &listed(&items), "<mo>]</mo>"])
    }

    fn slice(&self, ends: Vec<Option<String>>) -> String {
        let [start, stop, step] = [0, 1, 2].map(|place| ends.get(place).cloned().flatten());
        let colon = "<mo>:</mo>";
        let step = step.map(|step| format!("{colon}{step}")).unwrap_or_default();
        row(&[&start.unwrap_or_default(), colon, &stop.unwrap_or_default(), &step])
    }

    fn parentheses(&self, x: String) -> String {
        row(&["<mo>(</mo>", &x, "<mo>)</mo>"])
    }

    fn fraction(&self, above: String, below: String) -> Option<String> {
        Some(format!("<mfrac>{}{}</mfrac>", row(&[&above]), row(&[&below])))
    }

    fn is_typeset(&self) -> bool {
        true
    }
}
