//! `pullback explain`: what an error code means, and what a function is.

use super::args::Explain;
use super::codes;
use super::out::{self, Failure};
use crate::compile::PRELUDE;
use crate::diagnostic::nearest;
use crate::ops::{Scalar, builtin};

/// Prints the page of a code or the formula of a function.
pub fn explain(args: &Explain) -> Result<(), Failure> {
    let topic = args.topic.as_str();
    if let Some(page) = codes::page(&topic.to_uppercase()) {
        return out::result(&format!("{}\n", page.trim()), None);
    }
    if let Some(row) = Scalar::ALL.iter().find(|row| row.word() == topic) {
        let names: &[&str] = match row.arity() {
            1 => &["x"],
            _ => &["x", "y"],
        };
        return out::result(&format!("{topic}({})\n\n{}\n", names.join(", "), row.doc()), None);
    }
    if let Some(builtin) = builtin::find(topic) {
        let axes = if builtin.axes { "[axes]" } else { "" };
        let params: Vec<&str> = builtin.params.iter().map(|(name, _)| *name).collect();
        return out::result(
            &format!("{topic}{axes}({})\n\n{}\n", params.join(", "), builtin.doc),
            None,
        );
    }
    let formula = prelude(topic);
    if !formula.is_empty() {
        return out::result(&formula, None);
    }
    let functions = PRELUDE.lines().filter_map(defined);
    let known = codes::all()
        .chain(Scalar::ALL.iter().map(|row| row.word()))
        .chain(builtin::BUILTINS.iter().map(|b| b.name));
    let near = nearest(topic, known.chain(functions))
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    Err(Failure::Request(format!("there is no code and no function `{topic}`{near}")))
}

/// The name of the function or layer that begins on a line.
fn defined(line: &str) -> Option<&str> {
    let signature = line.strip_prefix("fn ").or_else(|| line.strip_prefix("layer "))?;
    signature.split(['(', '[']).next()
}

/// The definitions of a function of the prelude, as they stand there.
fn prelude(name: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in PRELUDE.lines() {
        inside |= defined(line) == Some(name);
        if inside {
            text.push_str(line);
            text.push('\n');
            inside = !line.ends_with('}');
        }
    }
    text
}
