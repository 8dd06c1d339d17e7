//! What is saved of a training: its parameters and states, under a name that may tell its batch size and rate.

use super::{Context, live};
use crate::cli::data::{self, Packing};
use crate::cli::out::Failure;
use crate::cli::show;
use crate::graph::Role;
use crate::ops::Name;
use crate::tensor::Tensor;
use crate::train::{Run, Settings};
use std::path::{Path, PathBuf};

/// The words in a name that become those of a training.
const BATCH: &str = "{batch}";
const RATE: &str = "{lr}";

/// The file for a training; its form is one that there is.
pub fn place(path: &Path, settings: &Settings) -> Result<PathBuf, Failure> {
    form(path)?;
    let Some(text) = path.to_str().filter(|_| is_pattern(path)) else {
        return Ok(path.to_path_buf());
    };
    let rate = show::number(live::rate(settings));
    let text = text.replace(BATCH, &live::batch(settings)).replace(RATE, &rate);
    Ok(PathBuf::from(text))
}

/// Whether each training has a file of its own.
pub fn is_pattern(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.contains(BATCH) || text.contains(RATE))
}

/// The parameters and states of the model, without what the optimiser keeps: of the best epoch where that is kept.
pub fn weights(context: &Context, run: &Run) -> Vec<(String, Tensor)> {
    let known = &context.derived.model.variables;
    let moved = run.top().map_or_else(|| run.values(), |top| top.values.clone());
    let value = |name: &Name| {
        let own = moved.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        own.or_else(|| context.prepared.values.get(name)).cloned()
    };
    let kept =
        known.iter().filter(|(_, variable)| matches!(variable.role, Role::Param | Role::State));
    kept.filter_map(|(name, _)| Some((name.to_string(), value(name)?))).collect()
}

/// Writes arrays in the form that the suffix tells.
pub fn save(context: &Context, path: &Path, arrays: &[(String, Tensor)]) -> Result<(), Failure> {
    match form(path)? {
        Form::Npz => Ok(data::write_npz(path, arrays, Packing::Stored)?),
        Form::Safetensors => {
            let by = concat!("pullback ", env!("CARGO_PKG_VERSION")).to_string();
            let model = context.session.sources[0].0.clone();
            Ok(data::write_safetensors(path, arrays, &[("made_by", by), ("model", model)])?)
        }
    }
}

enum Form {
    Npz,
    Safetensors,
}

fn form(path: &Path) -> Result<Form, Failure> {
    match path.extension().and_then(|suffix| suffix.to_str()) {
        Some("npz") => Ok(Form::Npz),
        Some("safetensors") => Ok(Form::Safetensors),
        _ => Err(Failure::Request(format!(
            "--save {}: the form is told by the suffix, .safetensors or .npz",
            path.display()
        ))),
    }
}
