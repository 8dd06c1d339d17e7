//! The printed statements as equations for LaTeX.

use super::formula::{Formula, latex as formula, read};
use super::names;
use crate::graph::Model;
use crate::graph::print::{Part, Stated, preactivations, stated};
use rustc_hash::FxHashSet;

/// The statements of `part` as a fragment for documents with amsmath. Where `of` is given, `d_x` is the derivative of that by
/// `x`. Loops are programs.
pub fn latex(model: &Model, part: Part, of: Option<&str>) -> String {
    let mut known: FxHashSet<String> = names(model).into_values().collect();
    known.extend(preactivations(model).into_values());
    let name = |name: &str| {
        let by = name.strip_prefix("d_").filter(|by| known.contains(*by))?;
        Some(Formula::partial(Formula::name(of?), Formula::name(by)))
    };
    let mut out = String::from("% \\usepackage{amsmath}\n");
    let mut lines: Vec<String> = Vec::new();
    for Stated { name: left, text, code, .. } in stated(model, part) {
        match read(&text, &name).filter(|_| code.is_empty()) {
            Some(right) => {
                let left = name(&left).unwrap_or_else(|| Formula::name(&left));
                lines.push(format!("{} &= {}", formula(&left), formula(&right)));
            }
            None => {
                aligned(&mut out, &mut lines);
                let code =
                    if code.is_empty() { format!("{left} = {text}") } else { code.join("\n") };
                out += &format!("\\begin{{verbatim}}\n{code}\n\\end{{verbatim}}\n");
            }
        }
    }
    aligned(&mut out, &mut lines);
    out
}

/// Puts lines that stand together under each other.
fn aligned(out: &mut String, lines: &mut Vec<String>) {
    if !lines.is_empty() {
        let text = lines.join(" \\\\\n");
        *out += &format!("\\begin{{align*}}\n{text}\n\\end{{align*}}\n");
        lines.clear();
    }
}
