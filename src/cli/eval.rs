//! `pullback eval`: values of loss, outputs and metrics; with --grad also gradients.

use super::args::{Common, Data, Eval, Numbers};
use super::bind::{self, Missing};
use super::data::{self, Packing};
use super::out::{self, Failure};
use super::run;
use super::session;
use super::show;
use crate::compile;
use crate::graph::{Kind, Model, NodeId, Output};
use crate::passes::retype;
use crate::tensor::{DType, Tensor};
use serde_json::{Map, Value, json};

/// A result with its name in files and in print.
struct Named {
    name: String,
    wrt: Option<String>,
    value: Tensor,
}

/// Evaluates the model on the data of the arguments.
pub fn eval(common: &Common, args: &Eval) -> Result<(), Failure> {
    let mut session = session::open(common, &args.model, Some(&args.select))?;
    let asked = args.grad || args.select.mode.is_some() || !args.select.wrt.is_empty();
    let mut wrt = Vec::new();
    let mut model = if asked {
        let mut request = session::request(common, &session, &args.select)?;
        let derived = session::derive(common, &mut session, &mut request, args.optimise.level())?;
        wrt = request.wrt.iter().map(|name| name.to_string()).collect();
        session.model = derived.model.clone();
        derived.model
    } else {
        out::diagnostics(common, &session.warnings, &session.sources);
        compile::forward(&session.model, args.optimise.level())
            .map_err(|misfit| Failure::Request(misfit.to_string()))?
            .0
    };
    precision(&mut model, &args.data)?;
    let mut outputs: Vec<Output> = model.outputs.clone();
    if let Some(of) = &args.select.of
        && !outputs.iter().any(|output| *output.name == **of)
        && let Some(node) = model.named(of)
    {
        outputs.insert(0, Output { kind: Kind::Output, name: of.as_str().into(), node });
    }
    if outputs.is_empty() {
        return Err(Failure::Request(
            "the model has no loss, output or metric: name a value with --of".into(),
        ));
    }
    let wanted: Vec<NodeId> = outputs.iter().map(|output| output.node).collect();
    let needed = bind::needed(&model, &wanted);
    let bound =
        bind::bind(common, &model, &session.sources, &args.data, &needed, Missing::Refused)?;
    let how = run::how(&args.machine, args.optimise.is_plain())?;
    let values = run::run(common, &session, &model, &wanted, &bound, &how)?;
    let mut gradients = wrt.into_iter();
    let named: Vec<Named> = outputs
        .iter()
        .zip(values)
        .map(|(output, value)| Named {
            name: output.name.to_string(),
            wrt: (output.kind == Kind::Gradient).then(|| gradients.next()).flatten(),
            value,
        })
        .collect();
    give(common, args, &outputs, named)
}

/// Turns the model to the precision asked for.
pub fn precision(model: &mut Model, args: &Data) -> Result<(), Failure> {
    if let Some(dtype) = args.dtype.as_deref().and_then(DType::named) {
        *model = retype(model, dtype).map_err(|misfit| Failure::Request(misfit.to_string()))?;
    }
    Ok(())
}

fn give(
    common: &Common,
    args: &Eval,
    outputs: &[Output],
    named: Vec<Named>,
) -> Result<(), Failure> {
    let path = args.output.as_deref();
    let suffix = path.and_then(|path| path.extension()).and_then(|suffix| suffix.to_str());
    let form = args.to.unwrap_or(match suffix {
        Some("npz") => Numbers::Npz,
        Some("json") => Numbers::Json,
        _ if common.json => Numbers::Json,
        _ => Numbers::Text,
    });
    match form {
        Numbers::Npz => {
            let Some(path) = path else {
                return Err(Failure::Request("an archive goes to a file: -o out.npz".into()));
            };
            let mut arrays: Vec<(String, Tensor)> = Vec::new();
            for (named, output) in named.into_iter().zip(outputs) {
                if output.kind == Kind::Loss
                    && named.name != "loss"
                    && !outputs.iter().any(|other| &*other.name == "loss")
                {
                    arrays.push(("loss".into(), named.value.clone()));
                }
                arrays
                    .push((named.wrt.map_or(named.name, |wrt| format!("grad.{wrt}")), named.value));
            }
            Ok(data::write_npz(path, &arrays, Packing::Stored)?)
        }
        Numbers::Json => {
            let (mut values, mut grads) = (Map::new(), Map::new());
            for named in &named {
                match &named.wrt {
                    Some(wrt) => grads.insert(wrt.clone(), show::json(&named.value)),
                    None => values.insert(named.name.clone(), show::json(&named.value)),
                };
            }
            let mut document = json!({"v": 1, "values": values});
            if !grads.is_empty() {
                document["grads"] = Value::Object(grads);
            }
            out::result(&format!("{document}\n"), path)
        }
        Numbers::Text => {
            let mut text = String::new();
            for named in &named {
                let shown = show::tensor(&named.value);
                let separator = if shown.contains('\n') { "\n" } else { " " };
                text.push_str(&format!("{} ={separator}{shown}\n", named.name));
            }
            out::result(&text, path)
        }
    }
}
