//! Formulas given on the command line: what they leave undeclared is declared.

use crate::compile::{self, Source};
use crate::syntax::{self, ast::ExprKind};
use std::collections::BTreeSet;

/// A formula as a model.
pub struct Made {
    /// The text of the model.
    pub text: String,
    /// What was assumed.
    pub note: Option<String>,
}

/// The most axes that are tried for all undeclared names together.
const AXES: usize = 6;
/// The most declarations that are tried: an answer comes at once, or is that none was found.
const TRIES: usize = 2000;
/// Dimensions given to undeclared names.
const DIMS: [&str; AXES] = ["n", "m", "k", "l", "o", "q"];

/// The model of a formula. Names without a declaration get the lowest ranks that make the whole a scalar, or that make it
/// fit at all; the names in `wrt` (all, where there are none) become parameters, the others inputs.
pub fn model(text: &str, wrt: &[String], source: &dyn Source) -> Made {
    let (ast, value, diagnostics) = syntax::parse_inline(text, 0);
    let Some(value) = value.filter(|_| diagnostics.is_empty()) else {
        return Made { text: text.into(), note: None };
    };
    let span = ast[value].span.range();
    // Parentheses around the whole do not belong to its span.
    let before = text[..span.start].trim_end_matches([' ', '(']);
    let before = if before.is_empty() || before.ends_with([';', '\n']) {
        before
    } else {
        &text[..span.start]
    };
    let formula = syntax::print::expr(&ast, value);
    let declared = with_dims(before.trim_end_matches([';', ' ', '\n']), source);
    let free = free_names(text, &declared, &formula, source);
    if free.is_empty() {
        return Made {
            text: whole(&declared, "", &formula, scalar(&declared, "", &formula, source)),
            note: None,
        };
    }
    let mut fitting: Option<String> = None;
    let mut tries = 0;
    'search: for total in 0..=AXES {
        for ranks in shared(total, free.len()) {
            // Where not even one size for all axes fits, no others do, unless axes are named.
            tries += 1;
            let same = declarations(&free, &ranks, &vec![0; total], wrt);
            if !formula.contains('[') && fits(&declared, &same, &formula, source).is_none() {
                if tries > TRIES {
                    break 'search;
                }
                continue;
            }
            for axes in partitions(total) {
                tries += 1;
                if tries > TRIES {
                    break 'search;
                }
                let declarations = declarations(&free, &ranks, &axes, wrt);
                match fits(&declared, &declarations, &formula, source) {
                    Some(true) => return found(&declared, &declarations, &formula, true),
                    Some(false) if fitting.is_none() => fitting = Some(declarations),
                    _ => {}
                }
            }
        }
    }
    match fitting {
        Some(declarations) => found(&declared, &declarations, &formula, false),
        None => Made {
            text: whole(
                &declared,
                &declarations(&free, &vec![0; free.len()], &[], wrt),
                &formula,
                true,
            ),
            note: None,
        },
    }
}

/// The declarations with a `dim` line for the sizes that they do not declare.
fn with_dims(declared: &str, source: &dyn Source) -> String {
    let read = compile::read_from(declared, &[], source);
    let mut dims: Vec<&str> = Vec::new();
    for diagnostic in read.diagnostics.iter().filter(|diagnostic| diagnostic.code == "E0101") {
        let name = diagnostic.message.split('`').nth(1).unwrap_or_default();
        if !dims.contains(&name) {
            dims.push(name);
        }
    }
    if dims.is_empty() {
        declared.to_string()
    } else {
        format!("dim {}\n{declared}", dims.join(", "))
    }
}

fn found(declared: &str, declarations: &str, formula: &str, scalar: bool) -> Made {
    let note = format!("note: assuming {}", declarations.trim_end().replace('\n', "; "));
    Made { text: whole(declared, declarations, formula, scalar), note: Some(note) }
}

fn whole(declared: &str, declarations: &str, formula: &str, scalar: bool) -> String {
    let keyword = if scalar { "loss" } else { "output" };
    let separator = if declared.is_empty() { "" } else { "\n" };
    format!("{declared}{separator}{declarations}{keyword} y_ = {formula}\n")
        .replace("y_ =", result_name(declared, declarations, formula))
}

fn result_name(declared: &str, declarations: &str, formula: &str) -> &'static str {
    let text = [declared, declarations, formula].concat();
    let used = |name: &str| {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
    };
    if !used("C") {
        "C ="
    } else if !used("loss_") {
        "loss_ ="
    } else {
        "result_ ="
    }
}

fn fits(declared: &str, declarations: &str, formula: &str, source: &dyn Source) -> Option<bool> {
    let as_output = compile::read_from(&whole(declared, declarations, formula, false), &[], source);
    let model = as_output.model?;
    let output = model.outputs.last()?;
    Some(model.ty(output.node).rank() == 0 && model.ty(output.node).dtype.is_float())
}

fn scalar(declared: &str, declarations: &str, formula: &str, source: &dyn Source) -> bool {
    fits(declared, declarations, formula, source) == Some(true)
}

/// The names that nothing declares, in the order of the text.
fn free_names(text: &str, declared: &str, formula: &str, source: &dyn Source) -> Vec<String> {
    let (ast, _, _) = syntax::parse_inline(text, 0);
    let mut names: Vec<String> = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for expr in &ast.exprs {
        if let ExprKind::Name(name) = &expr.kind
            && !matches!(
                &**name,
                "pi" | "e"
                    | "inf"
                    | "nan"
                    | "true"
                    | "false"
                    | "keep"
                    | "training"
                    | "training_step"
                    | "None"
            )
            && seen.insert(name.to_string())
        {
            names.push(name.to_string());
        }
    }
    let unknown = compile::read_from(&whole(declared, "", formula, false), &[], source);
    let missing: BTreeSet<String> = unknown
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.code == "E0101")
        .filter_map(|diagnostic| diagnostic.message.split('`').nth(1).map(str::to_string))
        .collect();
    names.retain(|name| missing.contains(name));
    names
}

/// Every way to share `total` axes among `count` names.
fn shared(total: usize, count: usize) -> Vec<Vec<usize>> {
    if count == 1 {
        return vec![vec![total]];
    }
    (0..=total.min(4))
        .flat_map(|first| {
            shared(total - first, count - 1)
                .into_iter()
                .map(move |rest| [vec![first], rest].concat())
        })
        .collect()
}

/// Every way to give `total` axes dimensions, many different ones first.
fn partitions(total: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..total {
        all = all
            .into_iter()
            .flat_map(|known| {
                let next = known.iter().max().map_or(0, |max| max + 1);
                (0..=next.min(DIMS.len() - 1)).map(move |dim| [known.clone(), vec![dim]].concat())
            })
            .collect();
    }
    all.sort_by_key(|axes| std::cmp::Reverse(axes.iter().max().copied()));
    all
}

fn declarations(names: &[String], ranks: &[usize], axes: &[usize], wrt: &[String]) -> String {
    let used = axes.iter().max().map_or(0, |max| max + 1);
    let dims: Vec<&str> = DIMS[..used]
        .iter()
        .map(|dim| if names.iter().any(|name| name == dim) { "N_" } else { dim })
        .collect();
    let mut text =
        if dims.is_empty() { String::new() } else { format!("dim {}\n", dims.join(", ")) };
    let mut axes = axes.iter().map(|&dim| dims[dim]);
    for (name, &rank) in names.iter().zip(ranks) {
        let word = if wrt.is_empty() || wrt.contains(name) { "param" } else { "input" };
        let shape: Vec<&str> = axes.by_ref().take(rank).collect();
        let shape =
            if shape.is_empty() { String::new() } else { format!("[{}]", shape.join(", ")) };
        text.push_str(&format!("{word} {name}: f64{shape}\n"));
    }
    text
}
