//! `pullback check`: reads models, their shapes and lints.

use super::args::{Check, Common};
use super::files::Folder;
use super::out::{self, Failure};
use super::session::{self, sources, text_of};
use crate::compile::{self, Level};
use crate::graph::Role;
use serde_json::json;

/// Reads each file, shows what is to be said of it, and sums up what it holds.
pub fn check(common: &Common, check: &Check) -> Result<(), Failure> {
    let mut bad = false;
    let mut reports = Vec::new();
    for path in &check.files {
        let source = text_of(path)?;
        let name = source.0.clone();
        let read = compile::read_from(&source.1, &[], &Folder::of(Some(path)));
        out::diagnostics(common, &read.diagnostics, &sources(source, read.files));
        let Some(model) = read.model else {
            bad = true;
            reports.push(json!({"file": name, "ok": false}));
            continue;
        };
        let stable = compile::forward(&model, Level::Readable).map_or(Vec::new(), |found| found.1);
        let count =
            |role| model.variables.values().filter(|variable| variable.role == role).count();
        let (inputs, params) = (count(Role::Input), count(Role::Param));
        let warnings = read.diagnostics.len();
        reports.push(json!({"file": name, "ok": true, "inputs": inputs, "params": params, "nodes": model.len(), "warnings": warnings,
            "stable": stable.iter().map(|used| session::used(&model, used)).collect::<Vec<_>>()}));
        if !common.json {
            let mut text = format!(
                "{}: ok, {} operators, {}, {}\n",
                name,
                model.len(),
                counted(inputs, "input"),
                counted(params, "parameter")
            );
            if common.verbose {
                for (name, node) in &model.names {
                    text.push_str(&format!("  {name}: {}\n", model.ty(*node)));
                }
                for used in &stable {
                    text.push_str(&format!("  made stable: {}\n", session::used(&model, used)));
                }
            }
            out::result(&text, None)?;
        }
    }
    if common.json {
        out::result(&format!("{}\n", json!({"v": 1, "files": reports})), None)?;
    }
    if bad { Err(Failure::Said(1)) } else { Ok(()) }
}

/// `1 input`, `2 inputs`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
