//! Formulas for LaTeX with amsmath.

use super::Formula;
use super::notation::{Level, Notation, written};
use super::text::sliced;

/// The formula in LaTeX's mathematics.
pub fn latex(formula: &Formula) -> String {
    written(formula, &Latex)
}

/// Words in LaTeX's text.
pub fn words(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\textbackslash{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '"' => out.push_str("''"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '|' => out.push_str("\\textbar{}"),
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(letter);
            }
            letter => out.push(letter),
        }
    }
    out
}

/// Greek letters by their names, in small letters.
pub const GREEK: &[(&str, char)] = &[
    ("alpha", 'α'),
    ("beta", 'β'),
    ("gamma", 'γ'),
    ("delta", 'δ'),
    ("epsilon", 'ε'),
    ("eps", 'ε'),
    ("zeta", 'ζ'),
    ("eta", 'η'),
    ("theta", 'θ'),
    ("kappa", 'κ'),
    ("lambda", 'λ'),
    ("mu", 'μ'),
    ("nu", 'ν'),
    ("xi", 'ξ'),
    ("pi", 'π'),
    ("rho", 'ρ'),
    ("sigma", 'σ'),
    ("tau", 'τ'),
    ("phi", 'φ'),
    ("chi", 'χ'),
    ("psi", 'ψ'),
    ("omega", 'ω'),
];

/// A name and what stands below it: `W1` is W with 1, `h_last` h with last. A dotted name is one word.
pub fn split(name: &str) -> (&str, Option<&str>) {
    if name.contains('.') {
        return (name, None);
    }
    if let Some((stem, rest)) = name.split_once('_')
        && !stem.is_empty()
        && !rest.is_empty()
    {
        return (stem, Some(rest));
    }
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    match stem.is_empty() || stem.len() == name.len() {
        true => (name, None),
        false => (stem, Some(&name[stem.len()..])),
    }
}

struct Latex;

impl Latex {
    fn stem(&self, stem: &str) -> String {
        if let Some((name, _)) = GREEK.iter().find(|(name, _)| *name == stem) {
            return format!("\\{}", if *name == "eps" { "epsilon" } else { name });
        }
        match stem.chars().count() {
            1 if stem.chars().all(char::is_alphabetic) => stem.into(),
            _ => format!("\\mathrm{{{}}}", letters(stem)),
        }
    }
}

/// Letters of a name where mathematics is.
fn letters(text: &str) -> String {
    text.replace('_', "\\_").replace('#', "\\#").replace('%', "\\%").replace('&', "\\&")
}

impl Notation for Latex {
    fn number(&self, text: &str) -> String {
        match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => {
                format!("{digits} \\cdot 10^{{{}}}", exponent.trim_start_matches('+'))
            }
            None => text.into(),
        }
    }

    fn name(&self, name: &str) -> String {
        match (name, split(name)) {
            ("inf", _) => "\\infty".into(),
            (_, (stem, None)) => self.stem(stem),
            (_, (stem, Some(below))) => {
                let below = match below.chars().all(|letter| letter.is_ascii_digit()) {
                    true => below.to_string(),
                    false => self.name(below),
                };
                format!("{}_{{{below}}}", self.stem(stem))
            }
        }
    }

    fn word(&self, word: &str) -> String {
        format!("\\text{{{}}}", words(word))
    }

    fn partial(&self, of: String, by: String) -> (String, Level) {
        (format!("\\frac{{\\partial {of}}}{{\\partial {by}}}"), Level::Power)
    }

    fn differential(&self, of: String) -> String {
        format!("\\mathrm{{d}}{{{of}}}")
    }

    fn slope(&self, function: &str, at: String) -> String {
        format!("{}'({at})", function_name(function))
    }

    fn prefix(&self, symbol: &str, x: String) -> String {
        match symbol {
            "-" => format!("-{x}"),
            _ => format!("\\lnot {x}"),
        }
    }

    fn infix(&self, symbol: &str, left: String, right: String) -> String {
        let number = |text: &str| text.starts_with(|letter: char| letter.is_ascii_digit());
        let symbol = match symbol {
            "*" if number(&left) && !number(&right) => "\\,",
            "*" if number(&right) => "\\cdot",
            "·" => "\\cdot",
            "*" => "\\odot",
            "@" => "\\,",
            "==" => "=",
            "!=" => "\\ne",
            "<=" => "\\le",
            ">=" => "\\ge",
            "and" => "\\land",
            "or" => "\\lor",
            symbol => symbol,
        };
        format!("{left} {symbol} {right}")
    }

    fn power(&self, base: String, exponent: String) -> String {
        format!("{{{base}}}^{{{exponent}}}")
    }

    fn transposed(&self, x: String) -> String {
        format!("{{{x}}}^{{\\top}}")
    }

    fn stage(&self, x: String, rounds: Vec<String>) -> String {
        let round = rounds.join(", ");
        // Beside what stands below already.
        let below = x.strip_suffix('}').and_then(|x| x.split_once("_{"));
        match below.filter(|(stem, below)| !stem.contains("frac") && !below.contains(['{', '}'])) {
            Some((stem, below)) => format!("{stem}_{{{below}, {round}}}"),
            None => format!("{{{x}}}_{{{round}}}"),
        }
    }

    fn index(&self, x: String, places: Vec<String>) -> String {
        format!("{{{x}}}_{{[{}]}}", places.join(", "))
    }

    fn renamed(&self, x: String, _axes: Vec<String>) -> String {
        x
    }

    fn call(&self, name: &str, axes: Vec<String>, args: Vec<String>) -> String {
        let below =
            if axes.is_empty() { String::new() } else { format!("_{{{}}}", axes.join(", ")) };
        match (name, args.as_slice()) {
            ("sqrt", [x]) => format!("\\sqrt{{{x}}}"),
            ("abs", [x]) => format!("\\left|{x}\\right|"),
            ("exp", [x]) => format!("e^{{{x}}}"),
            ("where", [condition, yes, no]) => format!(
                "\\begin{{cases}} {yes} & \\text{{if }} {condition} \\\\ {no} & \\text{{else}} \\end{{cases}}"
            ),
            ("sum" | "prod", [x]) => {
                format!("\\{name}{below}\\left({x}\\right)")
            }
            _ => format!("{}{below}\\left({}\\right)", function_name(name), args.join(", ")),
        }
    }

    fn argument(&self, name: &str, value: String) -> String {
        format!("\\mathrm{{{}}} = {value}", letters(name))
    }

    fn list(&self, items: Vec<String>) -> String {
        format!("[{}]", items.join(", "))
    }

    fn slice(&self, ends: Vec<Option<String>>) -> String {
        sliced(ends)
    }

    fn parentheses(&self, x: String) -> String {
        format!("\\left({x}\\right)")
    }

    fn fraction(&self, above: String, below: String) -> Option<String> {
        Some(format!("\\frac{{{above}}}{{{below}}}"))
    }

    fn is_typeset(&self) -> bool {
        true
    }
}

fn function_name(name: &str) -> String {
    match name {
        "sigmoid" => "\\sigma".into(),
        "sin" | "cos" | "tan" | "sinh" | "cosh" | "tanh" | "log" | "exp" | "max" | "min" => {
            format!("\\{name}")
        }
        _ => format!("\\operatorname{{{}}}", letters(name)),
    }
}
