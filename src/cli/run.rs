//! Runs of models for the verbs: by plan, or by the reference executor.

use super::args::{Common, Machine};
use super::bind::Bound;
use super::out::{self, Failure};
use super::session::Session;
use crate::diagnostic::Diagnostic;
use crate::exec::kernels::{Level, Math};
use crate::exec::plan::{Emit, Engine, Options};
use crate::exec::pool::{self, Pool};
use crate::exec::{Plan, RunError, reference};
use crate::graph::{Model, NodeId};
use crate::ops::{Op, ValueError};
use crate::tensor::Tensor;
use std::sync::Arc;

/// What runs a model.
#[derive(Clone, Debug)]
pub enum How {
    /// The reference executor.
    Reference,
    /// A plan on an engine, perhaps within a budget of bytes.
    Plan(Arc<Engine>, Option<usize>),
}

/// What the arguments ask to run models with.
pub fn how(args: &Machine, plain: bool) -> Result<How, Failure> {
    let engine = engine(args)?;
    if plain && args.mem.is_some() {
        let message = "--mem is for plans: -O0 and -O1 run one operator after the other";
        return Err(Failure::Request(message.into()));
    }
    Ok(if args.reference || plain { How::Reference } else { How::Plan(engine, args.mem) })
}

/// The engine that the arguments describe.
pub fn engine(args: &Machine) -> Result<Arc<Engine>, Failure> {
    let variable = std::env::var("PULLBACK_THREADS").ok().filter(|value| !value.is_empty());
    let threads = match (args.threads, variable) {
        (Some(threads), _) => threads,
        (None, Some(value)) => {
            value.parse().ok().filter(|&threads: &usize| threads > 0).ok_or_else(|| {
                Failure::Request(format!("PULLBACK_THREADS is a number from 1 on, not `{value}`"))
            })?
        }
        (None, None) => pool::available(),
    };
    let level = match &args.simd {
        None => Level::best(),
        Some(name) => Level::named(name).ok_or_else(|| {
            let known: Vec<&str> = Level::available().iter().map(|level| level.name()).collect();
            Failure::Request(format!("this machine has no `{name}`; it has {}", known.join(", ")))
        })?,
    };
    let math = if args.precise { Math::Precise } else { Math::Fast };
    Ok(Arc::new(Engine { pool: Pool::new(threads), level, math, emit: Emit::default() }))
}

/// Runs a model; what goes wrong is shown at its place in the text.
pub fn run(
    common: &Common,
    session: &Session,
    model: &Model,
    wanted: &[NodeId],
    bound: &Bound,
    how: &How,
) -> Result<Vec<Tensor>, Failure> {
    Ok(planned(common, session, model, wanted, bound, how)?.0)
}

/// The same, with the plan where there is one.
pub fn planned(
    common: &Common,
    session: &Session,
    model: &Model,
    wanted: &[NodeId],
    bound: &Bound,
    how: &How,
) -> Result<(Vec<Tensor>, Option<Plan>), Failure> {
    let (values, bindings) = (&bound.values, &bound.bindings);
    match how {
        How::Reference => {
            reference::run(model, wanted, values, bindings).map(|values| (values, None))
        }
        How::Plan(engine, budget) => {
            let options = Options { budget: *budget, ..Options::default() };
            Plan::with(model, wanted, bindings, options)
                .and_then(|plan| Ok((plan.once(engine, values)?, Some(plan))))
        }
    }
    .map_err(|error| refused(common, session, model, &error))
}

/// Shows why a model has no value, at its place in the text.
pub fn refused(common: &Common, session: &Session, model: &Model, error: &RunError) -> Failure {
    let RunError::Value { node, error } = error else {
        return Failure::Request(error.to_string());
    };
    match model.origins(*node).span() {
        Some(span) => {
            let mut diagnostic = Diagnostic::error("E0407", span, error.to_string());
            let operands = model.operands(*node);
            let indices = operands.iter().find_map(|id| match model.op(*id) {
                Op::Variable(variable) if variable.ty.dtype.is_int() => Some(&variable.name),
                _ => None,
            });
            if let (Some(name), ValueError::IndexOutOfRange { size, .. }) = (indices, error) {
                diagnostic = diagnostic.help(format!(
                    "check `{name}`: behind its type, `in [0, {size})` has it checked before the run"
                ));
            }
            out::diagnostics(common, &[diagnostic], &session.sources);
            Failure::Said(1)
        }
        None => Failure::Request(error.to_string()),
    }
}
