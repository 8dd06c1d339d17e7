//! `pullback eval`: values of loss, outputs and metrics; with --grad also gradients.

use super::args::{Common, Data, Eval, Numbers};
use super::bind::{self, Missing};
use super::data::{self, Packing};
use super::memory;
use super::out::{self, Failure};
use super::run;
use super::session;
use super::show;
use super::trap::trap;
use crate::compile;
use crate::graph::{Kind, Model, NodeId, Output};
use crate::ops::Name;
use crate::passes::retype;
use crate::tensor::{DType, Tensor};
use serde_json::{Map, Value, json};

/// A result with its name in files and in print.
struct Named {
    name: String,
    sort: Sort,
    value: Tensor,
}

/// What a result is.
enum Sort {
    /// A loss, an output, a metric.
    Value,
    /// The gradient by this variable.
    Gradient(String),
    /// A state in the next step.
    State,
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
        derived.model
    } else {
        out::diagnostics(common, &session.warnings, &session.sources);
        compile::forward(&session.model, args.optimise.level())
            .map_err(|misfit| Failure::Request(misfit.to_string()))?
            .0
    };
    session.forget();
    precision(&mut model, &args.data)?;
    let mut outputs: Vec<Output> = model.outputs.clone();
    if let Some(of) = &args.select.of
        && !outputs.iter().any(|output| *output.name == **of)
        && let Some(node) = model.named(of)
    {
        outputs.insert(0, Output { kind: Kind::Output, name: of.as_str().into(), node });
    }
    let updates: Vec<(&Name, &NodeId)> = model.updates.iter().filter(|_| args.updates).collect();
    if outputs.is_empty() && updates.is_empty() {
        return Err(Failure::Request(
            "the model has no loss, output or metric: name a value with --of".into(),
        ));
    }
    let results = outputs.iter().map(|output| output.node);
    let wanted: Vec<NodeId> = results.chain(updates.iter().map(|(_, node)| **node)).collect();
    let needed = bind::needed(&model, &wanted);
    let bound =
        bind::bind(common, &model, &session.sources, &args.data, &needed, Missing::Refused)?;
    if args.trap_nan {
        trap(common, &session, &model, &wanted, &bound, args.optimise.level())?;
    }
    let how = run::how(&args.machine, args.optimise.is_plain())?;
    let (mut values, plan) = run::planned(common, &session, &model, &wanted, &bound, &how)?;
    let plan = plan.filter(|_| args.machine.mem.is_some());
    if let Some(plan) = &plan {
        out::talk(common.quiet, &format!("note: {}", memory::said(plan)));
    }
    let states = values.split_off(outputs.len());
    let mut gradients = wrt.into_iter();
    let named = outputs.iter().zip(values).map(|(output, value)| {
        let wrt = (output.kind == Kind::Gradient).then(|| gradients.next()).flatten();
        let sort = wrt.map_or(Sort::Value, Sort::Gradient);
        Named { name: output.name.to_string(), sort, value }
    });
    let states = updates.iter().zip(states).map(|((name, _), value)| Named {
        name: name.to_string(),
        sort: Sort::State,
        value,
    });
    let named: Vec<Named> = named.chain(states).collect();
    give(common, args, &outputs, named, plan.as_ref().map(memory::json))
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
    memory: Option<Value>,
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
            for (place, named) in named.into_iter().enumerate() {
                if outputs.get(place).is_some_and(|output| output.kind == Kind::Loss)
                    && named.name != "loss"
                    && !outputs.iter().any(|other| &*other.name == "loss")
                {
                    arrays.push(("loss".into(), named.value.clone()));
                }
                let key = match named.sort {
                    Sort::Value => named.name,
                    Sort::Gradient(wrt) => format!("grad.{wrt}"),
                    Sort::State => format!("state.{}", named.name),
                };
                arrays.push((key, named.value));
            }
            Ok(data::write_npz(path, &arrays, Packing::Stored)?)
        }
        Numbers::Json => {
            let (mut values, mut grads, mut states) = (Map::new(), Map::new(), Map::new());
            for named in &named {
                let value = show::json(&named.value);
                match &named.sort {
                    Sort::Value => values.insert(named.name.clone(), value),
                    Sort::Gradient(wrt) => grads.insert(wrt.clone(), value),
                    Sort::State => states.insert(named.name.clone(), value),
                };
            }
            let mut document = json!({"v": 1, "values": values});
            if !grads.is_empty() {
                document["grads"] = Value::Object(grads);
            }
            if !states.is_empty() {
                document["states"] = Value::Object(states);
            }
            if let Some(memory) = memory {
                document["memory"] = memory;
            }
            out::result(&format!("{document}\n"), path)
        }
        Numbers::Text => {
            let mut text = String::new();
            for named in &named {
                let shown = show::tensor(&named.value);
                let separator = if shown.contains('\n') { "\n" } else { " " };
                let update = if matches!(named.sort, Sort::State) { "update " } else { "" };
                text.push_str(&format!("{update}{} ={separator}{shown}\n", named.name));
            }
            out::result(&text, path)
        }
    }
}
