//! Rules that functions give for their own derivatives, against central differences of the functions' bodies.

use super::args::Common;
use super::bind::Bound;
use super::out::Failure;
use super::run::{How, run};
use super::session::Session;
use super::slopes;
use crate::autodiff::{derive, expand};
use crate::graph::{Kind, Model, NodeId, Output};
use crate::ops::special::Mode;
use crate::ops::stream::Stream;
use crate::ops::{Misfit, Name, Op, Operator, Type, leaf};
use crate::passes::retype;
use crate::tensor::{DType, Tensor};
use std::sync::Arc;

/// So many calls are checked, the first ones.
const CALLS: usize = 32;

/// So many entries of each argument are moved.
const ENTRIES: usize = 64;

/// How far a rule is from what its function does.
pub struct Deviation {
    /// The function.
    pub name: String,
    /// The line that it is called on.
    pub line: usize,
    /// The number of entries that were moved.
    pub checked: usize,
    /// The largest error, relative to the largest derivative.
    pub worst: f64,
    /// What the rule says there.
    pub derived: f64,
    /// What the body says there.
    pub measured: f64,
}

/// The deviations of all calls, where the model's variables have the values of `bound`, which are f64.
pub fn deviations(
    common: &Common,
    session: &Session,
    bound: &Bound,
    seed: u64,
) -> Result<Vec<Deviation>, Failure> {
    let failed = |misfit: Misfit| Failure::Request(misfit.to_string());
    let model = expand(&session.model).map_err(failed)?;
    let model = retype(&model, DType::F64).map_err(failed)?;
    let live = model.live();
    let calls = model.nodes().filter(|id| {
        live[id.index()] && matches!(model.op(*id), Op::Custom(_)) && model.ty(*id).dtype.is_float()
    });
    let mut found = Vec::new();
    for id in calls.take(CALLS) {
        let call = call(&model, id).map_err(failed)?;
        found.push(deviation(common, session, (&model, id), call, bound, seed)?);
    }
    Ok(found)
}

/// A call by itself: its arguments are variables.
struct Call {
    model: Model,
    /// The arguments in the whole model, with the names of the variables.
    args: Vec<(NodeId, Name)>,
    /// The value, multiplied by `?u` and summed.
    value: NodeId,
    /// The derivative of that by each argument, as the rule has it.
    derived: Vec<NodeId>,
}

fn call(whole: &Model, id: NodeId) -> Result<Call, Misfit> {
    let Op::Custom(custom) = whole.op(id) else { unreachable!("it is a call") };
    let operands = whole.operands(id);
    let moved = operands.iter().zip(custom.flows.iter()).filter(|(_, flow)| flow.is_some());
    let mut args: Vec<(NodeId, Name)> = Vec::new();
    for (&operand, _) in moved {
        if args.iter().all(|(known, _)| *known != operand) {
            args.push((operand, format!("?argument.{}", args.len()).into()));
        }
    }
    let mut own = whole.clone();
    own.names.clear();
    own.updates.clear();
    own.claims.clear();
    own.outputs = vec![Output { kind: Kind::Output, name: "?value".into(), node: id }];
    let mut model =
        own.rebuild(|to, at, operands| match args.iter().find(|(known, _)| *known == at) {
            Some((_, name)) => given(to, name, own.ty(at)),
            None => own.copy(to, at, operands),
        })?;
    let origins = Default::default();
    let node = model.outputs[0].node;
    let ty = model.ty(node).clone();
    let u = given(&mut model, &"?u".into(), &ty)?;
    let variables: Vec<NodeId> = args
        .iter()
        .map(|(at, name)| given(&mut model, name, whole.ty(*at)))
        .collect::<Result<_, _>>()?;
    let axes: Vec<usize> = (0..ty.rank()).collect();
    let (y, v) = (crate::ops::Term::Var(0), crate::ops::Term::Var(1));
    let total = crate::ops::term::sum(&axes, y * v);
    let value = model.plant(&total, &[node, u], ty.dtype, &origins)?;
    let derived = derive(&mut model, Mode::Vjp, node, &variables, Some(u), &origins)?;
    let derived = derived.into_iter().map(|(_, node)| node).collect();
    Ok(Call { model, args, value, derived })
}

/// A variable of the model by itself.
fn given(model: &mut Model, name: &Name, ty: &Type) -> Result<NodeId, Misfit> {
    let leaf = leaf::Variable { name: name.clone(), ty: Arc::new(ty.clone()) };
    model.insert(leaf, &[], &Default::default())
}

fn deviation(
    common: &Common,
    session: &Session,
    (whole, id): (&Model, NodeId),
    call: Call,
    bound: &Bound,
    seed: u64,
) -> Result<Deviation, Failure> {
    let Call { model, args, value, derived } = call;
    let mut wanted: Vec<NodeId> = args.iter().map(|(node, _)| *node).collect();
    wanted.push(id);
    let mut found = run(common, session, whole, &wanted, bound, &How::Reference)?;
    let result = found.pop().expect("the value is wanted");
    let mut own = Bound { values: bound.values.clone(), bindings: bound.bindings.clone() };
    let stream = Stream::new(seed, "verify vjp");
    let u = (0..result.len() as u64).map(|index| stream.normal(index)).collect();
    own.values.insert("?u".into(), Tensor::from_f64(DType::F64, result.shape(), u));
    for ((_, name), tensor) in args.iter().zip(&found) {
        own.values.insert(name.clone(), tensor.clone());
    }
    let derived = run(common, session, &model, &derived, &own, &How::Reference)?;
    let names: Vec<Name> = args.iter().map(|(_, name)| name.clone()).collect();
    let held = slopes::held(&model, value, &names, &mut own)?;
    let value = held.model.outputs[0].node;
    let mut deviation = Deviation {
        name: whole.op(id).name().to_string(),
        line: whole.origins(id).span().map_or(0, |span| whole.line(span)),
        checked: 0,
        worst: 0.0,
        derived: 0.0,
        measured: 0.0,
    };
    for (((_, name), start), derived) in args.iter().zip(&found).zip(&derived) {
        let (point, derived) = (start.to_f64(), derived.to_f64());
        let scale = derived.iter().fold(0.0, |scale: f64, v| scale.max(v.abs()));
        for entry in 0..point.len().min(ENTRIES) {
            let entry = match point.len() {
                count if count <= ENTRIES => entry,
                count => (stream.uniform((1 << 40) + entry as u64) * count as f64) as usize % count,
            };
            let mut at = |by: f64| -> Result<f64, Failure> {
                let mut moved = point.clone();
                moved[entry] += by;
                let moved = Tensor::from_f64(DType::F64, start.shape(), moved);
                own.values.insert(name.clone(), moved);
                let value = run(common, session, &held.model, &[value], &own, &How::Reference)?;
                Ok(value[0].item().unwrap_or(f64::NAN))
            };
            let step = 1e-4 * point[entry].abs().max(1.0);
            let wide = (at(step)? - at(-step)?) / (2.0 * step);
            let narrow = (at(step / 2.0)? - at(-step / 2.0)?) / step;
            let measured = (4.0 * narrow - wide) / 3.0;
            let size = derived[entry].abs().max(measured.abs()).max(1e-3 * scale).max(1e-6);
            let error = (derived[entry] - measured).abs() / size;
            deviation.checked += 1;
            if error > deviation.worst || error.is_nan() || deviation.checked == 1 {
                deviation.worst = error;
                (deviation.derived, deviation.measured) = (derived[entry], measured);
            }
        }
        own.values.insert(name.clone(), start.clone());
    }
    Ok(deviation)
}
