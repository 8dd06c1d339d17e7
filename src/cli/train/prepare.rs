//! What a training is made of: the model with its gradients, data cut into rows, first values.

use crate::cli::args::{Common, Data, Train};
use crate::cli::bind;
use crate::cli::eval;
use crate::cli::out::{self, Failure};
use crate::cli::session::{self, Session};
use crate::compile::{Level, Reach, Request};
use crate::exec::init;
use crate::graph::train::Batch;
use crate::graph::{Kind, Model, NodeId, Output, Role, Values};
use crate::ops::special::Mode;
use crate::ops::{Bindings, Name};
use crate::train::{Pace, Rows, Settings, step};

/// A model with its gradients.
pub struct Derived {
    pub model: Model,
    pub loss: Name,
    /// The parameters that are trained, in the order of their gradients.
    pub learnt: Vec<Name>,
}

/// Data and first values.
pub struct Prepared {
    /// The dimension that counts rows, where inputs have rows.
    pub rows: Option<Name>,
    pub data: Box<dyn Rows>,
    pub val: Option<Box<dyn Rows>>,
    /// The sizes of the other dimensions.
    pub bindings: Bindings,
    /// What has no rows.
    pub values: Values,
}

/// Derives the loss by all that is to be trained.
pub fn derive(common: &Common, session: &mut Session, args: &Train) -> Result<Derived, Failure> {
    let request = request(session, args)?;
    let (loss, wrt) = (request.of.clone(), request.wrt.clone());
    let mut learnt = Vec::new();
    let mut model = if wrt.is_empty() {
        out::diagnostics(common, &session.warnings, &session.sources);
        crate::compile::forward(&session.model, Level::Readable)
            .map_err(|misfit| Failure::Request(misfit.to_string()))?
            .0
    } else {
        let mut request = request;
        let derived = session::derive(common, session, &mut request, Level::Readable)?;
        let mut model = derived.model;
        // What no gradient reaches stays as it is.
        let mut reached = derived.flows.iter().map(|reach| *reach == Reach::Reached);
        model
            .outputs
            .retain(|output| output.kind != Kind::Gradient || reached.next() == Some(true));
        let flows = wrt.iter().zip(&derived.flows);
        learnt.extend(
            flows.filter(|(_, reach)| **reach == Reach::Reached).map(|(name, _)| name.clone()),
        );
        model
    };
    if !model.outputs.iter().any(|output| output.name == loss)
        && let Some(node) = model.named(&loss)
    {
        model.outputs.insert(0, Output { kind: Kind::Loss, name: loss.clone(), node });
    }
    eval::precision(&mut model, &args.data)?;
    if learnt.is_empty() && model.updates.is_empty() {
        return Err(Failure::Request(
            "there is nothing to train: the loss depends on no parameter that is not frozen".into(),
        ));
    }
    Ok(Derived { model, loss, learnt })
}

/// The loss by every parameter that is to be trained and has no update of its own.
fn request(session: &Session, args: &Train) -> Result<Request, Failure> {
    let model = &session.model;
    let loss = match &args.recipe.of {
        Some(name) => {
            let known = model.named(name).ok_or_else(|| {
                Failure::Request(format!("the model has nothing called `{name}`"))
            })?;
            if model.ty(known).rank() > 0 || !model.ty(known).dtype.is_float() {
                let ty = model.ty(known);
                return Err(Failure::Request(format!("a loss is one float; `{name}` is {ty}")));
            }
            Name::from(name.as_str())
        }
        None => match model.loss() {
            Some(output) => output.name.clone(),
            None => return Err(no_loss(model)),
        },
    };
    let trained = |name: &Name| {
        let variable = &model.variables[name];
        variable.role == Role::Param
            && model.ty(variable.node).dtype.is_float()
            && !model.updates.contains_key(name)
    };
    let wrt = match args.recipe.wrt.as_slice() {
        [] => {
            let all = model.variables.iter();
            let all = all.filter(|(name, variable)| !variable.frozen && trained(name));
            all.map(|(name, _)| name.clone()).collect()
        }
        globs => {
            let found = session::matching(model, globs)?;
            if let Some(other) =
                found.iter().find(|name| !model.variables.contains_key(*name) || !trained(name))
            {
                return Err(Failure::Request(format!(
                    "--wrt {other}: only float parameters without an update of their own are trained"
                )));
            }
            found
        }
    };
    Ok(Request { of: loss, wrt, mode: Mode::Grad, vectors: Vec::new(), order: 1 })
}

fn no_loss(model: &Model) -> Failure {
    let losses: Vec<String> = model
        .outputs
        .iter()
        .filter(|output| output.kind == Kind::Loss)
        .map(|output| format!("`{}`", output.name))
        .collect();
    Failure::Request(match losses.is_empty() {
        true => "the model has no loss: write `loss C = ...`, or name a scalar with --of".into(),
        false => format!(
            "the model has the losses {}: say with --of which one to make small",
            losses.join(", ")
        ),
    })
}

/// Finds the data of trainings with one seed and looks at it, and gives first values to all else.
pub fn prepare(
    common: &Common,
    session: &Session,
    derived: &Derived,
    args: &Train,
    several: &[Settings],
) -> Result<Prepared, Failure> {
    let (model, settings) = (&derived.model, &several[0]);
    let is_whole = |one: &Settings| one.batch == Batch::All && one.val.is_zero();
    let whole = args.val_data.is_empty() && several.iter().all(is_whole);
    let data = Data { seed: Some(settings.seed), training: true, ..args.data.clone() };
    let needed = bind::needed(model, &roots(derived));
    let feed = bind::feed(common, model, &session.sources, &data, &needed, whole)?;
    let val = match args.val_data.as_slice() {
        [] => None,
        given => Some(bind::held_out(common, model, &session.sources, &data, &feed, given)?),
    };
    Ok(Prepared {
        rows: feed.over,
        data: Box::new(feed.rows),
        val: val.map(|val| Box::new(val) as Box<dyn Rows>),
        bindings: feed.bindings,
        values: feed.values,
    })
}

/// What is computed in a step: the loss, metrics, gradients and updates.
fn roots(derived: &Derived) -> Vec<NodeId> {
    let model = &derived.model;
    let wanted = model.outputs.iter().filter(|output| {
        matches!(output.kind, Kind::Metric | Kind::Gradient) || output.name == derived.loss
    });
    wanted.map(|output| output.node).chain(model.updates.values().copied()).collect()
}

/// The model of a step, and the first values of what its optimiser keeps beside the others.
pub fn stepped(
    derived: &Derived,
    prepared: &Prepared,
    settings: &Settings,
    pace: Pace,
) -> Result<(Model, Values), Failure> {
    let model = step(&derived.model, &derived.learnt, settings, pace, prepared.rows.as_ref())
        .map_err(|misfit| Failure::Request(misfit.to_string()))?;
    let mut values = prepared.values.clone();
    for (name, variable) in &model.variables {
        if derived.model.variables.contains_key(name) {
            continue;
        }
        let first = init::initial(&model, name, variable, settings.seed, &prepared.bindings)
            .map_err(|error| Failure::Request(format!("the first value of `{name}`: {error}")))?;
        values.extend(first.map(|first| (name.clone(), first)));
    }
    Ok((model, values))
}
