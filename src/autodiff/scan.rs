//! Scans: their adjoint is a scan the other way round, which carries the adjoints of the carries and stores nothing else.

use super::derivative::{derive, shaped, zeros};
use super::forward::forward_all;
use super::reverse::{Called, Flow, reverse_called};
use crate::graph::scan::{Frame, Notes};
use crate::graph::{Model, NodeId, Origin, Origins};
use crate::ops::scan::{Part, Scan, Which};
use crate::ops::{Misfit, Op, Scalar};
use std::cell::OnceCell;

/// Some results of a scan, their nodes and the adjoints of these.
pub type Bundle = Vec<(Which, NodeId, NodeId)>;

/// The adjoints of the operands of a scan, given those of its results; `None` where nothing flows to an operand or it is not
/// `wanted`. In each step the body is computed anew from the carries before the step.
pub fn pulled(
    model: &mut Model,
    id: NodeId,
    bundle: &Bundle,
    wanted: impl Fn(NodeId) -> bool,
    names: &OnceCell<Called>,
) -> Result<Vec<Option<NodeId>>, Misfit> {
    let Op::Scan(scan) = model.op(id).clone() else { unreachable!("a bundle is of a scan") };
    let called = names.get_or_init(|| Called::new(model));
    let operands = model.operands(id);
    let span = model.origins(id).span().unwrap_or_default();
    let origins: Origins = Origin::Adjoint { span, rule: "scan".into(), operand: None }.into();
    let origins = origins.within(model.origins(id).call());
    let seed =
        |which: Which| bundle.iter().find(|(known, ..)| *known == which).map(|(_, _, seed)| *seed);
    let active = active(&scan, |which| seed(which).is_some());
    let first_adjoint = model.adjoints.len();

    let forward = model.frame(&scan, &operands, &origins)?;
    let inputs = forward.inputs();
    let (results, mut notes) = model.opened(&scan.body, &inputs, |model, step, operands| {
        model.insert(step.op.clone(), operands, &step.origins)
    })?;

    let mut frame = Frame {
        reverse: !scan.reverse,
        length: scan.length.clone(),
        index: forward.index,
        carries: Vec::new(),
        slices: forward.slices.clone(),
        outside: forward.outside.clone(),
    };
    for (place, (inner, _)) in forward.carries.iter().enumerate() {
        let trace = model.insert(scan.part(Which::Trace(place)), &[id], &origins)?;
        frame.slices.push((*inner, trace));
        let next = results[place];
        if let Some(name) = notes.name(*inner).cloned()
            && notes.name(next).is_none()
            && model.origins(next).source().is_some()
        {
            notes.names.push((format!("{name}_next").into(), next));
        }
    }
    let mut roots = Vec::new();
    for (place, (inner, _)) in forward.carries.iter().enumerate().filter(|(i, _)| active[*i]) {
        let ty = model.ty(*inner).clone();
        let first = match seed(Which::Final(place)) {
            Some(seed) => shaped_as(model, seed, &scan.part(Which::Final(place)), &origins)?,
            None => zeros(model, &ty, &origins)?,
        };
        let adjoint = model.placeholder(ty, &origins)?;
        let name = notes.name(*inner).map(|name| (format!("d_{name}").into(), adjoint));
        notes.names.extend(name);
        frame.carries.push((adjoint, first));
        roots.push((results[place], adjoint));
    }
    let outer = |which: Which| {
        let (_, node, _) = bundle.iter().find(|(known, ..)| *known == which)?;
        called.name(*node)
    };
    let mut sliced = |model: &mut Model, notes: &mut Notes, which: Which| {
        let Some(seed) = seed(which) else { return Ok(None) };
        let part = scan.part(which);
        let array = shaped_as(model, seed, &part, &origins)?;
        let row = part.ty.with_shape(part.ty.shape[1..].iter().cloned());
        let slice = model.placeholder(row, &origins)?;
        notes.names.extend(outer(which).map(|name| (format!("d_{name}_t").into(), slice)));
        frame.slices.push((slice, array));
        Ok::<_, Misfit>(Some(slice))
    };
    for place in 0..scan.yields() {
        if let Some(slice) = sliced(model, &mut notes, Which::Yield(place))? {
            roots.push((results[scan.carries + place], slice));
        }
    }
    let mut traced = Vec::new();
    for place in 0..scan.carries {
        traced.push(sliced(model, &mut notes, Which::Trace(place))?);
    }

    let kept = scan.carries + scan.slices;
    let carried = forward.carries.iter().enumerate().filter(|(place, _)| active[*place]);
    let targets: Vec<NodeId> = carried
        .map(|(_, (inner, _))| *inner)
        .chain(
            inputs[1 + scan.carries..]
                .iter()
                .zip(&operands[scan.carries..])
                .filter(|(inner, operand)| model.ty(**inner).dtype.is_float() && wanted(**operand))
                .map(|(inner, _)| *inner),
        )
        .collect();
    let flows = reverse_called(model, &roots, &targets, names)?;
    let flow = |inner: NodeId| {
        let place = targets.iter().position(|target| *target == inner)?;
        match flows[place] {
            Flow::Adjoint(node) => Some(node),
            Flow::Apart | Flow::Cut(_) => None,
        }
    };

    let (mut next, mut stacked) = (Vec::new(), Vec::new());
    let mut picked: Vec<Option<Which>> = vec![None; operands.len()];
    for (place, (inner, operand)) in forward.carries.iter().enumerate() {
        if !active[place] {
            continue;
        }
        let flowed = match flow(*inner) {
            Some(node) => Some(shaped(model, node, *inner, &origins)?),
            None => None,
        };
        let node = match (flowed, traced[place]) {
            (Some(flow), Some(trace)) => model.insert(Scalar::Add, &[flow, trace], &origins)?,
            (Some(node), None) | (None, Some(node)) => node,
            (None, None) => {
                let ty = model.ty(*inner).clone();
                zeros(model, &ty, &origins)?
            }
        };
        if wanted(*operand) {
            picked[place] = Some(Which::Final(next.len()));
        }
        next.push(node);
    }
    for (place, (inner, _)) in forward.slices.iter().enumerate() {
        let Some(node) = flow(*inner) else { continue };
        let node = shaped(model, node, *inner, &origins)?;
        let held = frame.carries.iter().position(|(carry, _)| *carry == node);
        picked[scan.carries + place] = Some(match held {
            Some(carry) => Which::Trace(carry),
            None => {
                stacked.push(node);
                Which::Yield(stacked.len() - 1)
            }
        });
    }
    for (place, (inner, operand)) in forward.outside.iter().enumerate() {
        let Some(node) = flow(*inner) else { continue };
        let node = shaped(model, node, *inner, &origins)?;
        let ty = model.ty(*inner).clone();
        let first = zeros(model, &ty, &origins)?;
        let sum = model.placeholder(ty, &origins)?;
        notes.names.extend(called.name(*operand).map(|name| (format!("d_{name}").into(), sum)));
        frame.carries.push((sum, first));
        picked[kept + place] = Some(Which::Final(next.len()));
        next.push(model.insert(Scalar::Add, &[sum, node], &origins)?);
    }
    notes.adjoints.extend(model.adjoints.split_off(first_adjoint));
    let results: Vec<NodeId> = next.into_iter().chain(stacked).collect();
    let closed = model.closed(&frame, &results, &notes, &origins)?;
    let Op::Scan(back) = model.op(closed).clone() else { unreachable!("a scan was closed") };
    picked
        .into_iter()
        .map(|which| {
            which.map(|which| model.insert(back.part(which), &[closed], &origins)).transpose()
        })
        .collect()
}

/// An adjoint in the full shape of the result that it is the adjoint of.
fn shaped_as(
    model: &mut Model,
    seed: NodeId,
    part: &Part,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    if model.ty(seed).rank() == part.ty.rank() {
        return Ok(seed);
    }
    let like = zeros(model, &part.ty, origins)?;
    shaped(model, seed, like, origins)
}

/// Which carries have an adjoint that may differ from zero in some step: those that feed a result that is `seeded` with one.
pub fn active(scan: &Scan, seeded: impl Fn(Which) -> bool) -> Vec<bool> {
    let body = &scan.body;
    let float = |place: usize| body.inputs[1 + place].dtype.is_float();
    let mut active: Vec<bool> = (0..scan.carries)
        .map(|i| float(i) && (seeded(Which::Final(i)) || seeded(Which::Trace(i))))
        .collect();
    loop {
        let yielded = (0..scan.yields()).filter(|&i| seeded(Which::Yield(i)));
        let carried = (0..scan.carries).filter(|&i| active[i]);
        let roots = carried.chain(yielded.map(|i| scan.carries + i)).map(|i| body.results[i]);
        let needed = body.needed(roots);
        let now: Vec<bool> =
            (0..scan.carries).map(|i| active[i] || float(i) && needed[1 + i]).collect();
        if now == active {
            return active;
        }
        active = now;
    }
}

/// The value of an operator with every derivative asked for in it derived, in the bodies of scans too.
pub fn expanded(
    to: &mut Model,
    op: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    match op {
        Op::Derivative(derivative) => {
            let (of, wrt) = (operands[0], operands[1]);
            let vector = operands.get(2).copied();
            Ok(derive(to, derivative.mode, of, &[wrt], vector, origins)?.remove(0).1)
        }
        Op::Scan(scan) if asks(op) => {
            to.mapped(scan, operands, origins, true, &mut |to, step, operands| {
                expanded(to, &step.op, operands, &step.origins)
            })
        }
        op => to.insert(op.clone(), operands, origins),
    }
}

/// Whether an operator is a derivative that is asked for, or a scan with one in its body.
pub fn asks(op: &Op) -> bool {
    match op {
        Op::Derivative(_) => true,
        Op::Scan(scan) => scan.body.holds(&|op| matches!(op, Op::Derivative(_))),
        _ => false,
    }
}

/// A scan that computes tangents beside values.
pub struct Pushed {
    /// Its node.
    pub scan: NodeId,
    /// For each carry that moves the carry that is its tangent.
    pub carries: Vec<Option<usize>>,
    /// For each value that is stacked and moves where its tangent is stacked.
    pub yields: Vec<Option<usize>>,
}

impl Pushed {
    /// The result that is the tangent of a result.
    pub fn tangent(&self, which: Which) -> Option<Which> {
        match which {
            Which::Final(place) => self.carries[place].map(Which::Final),
            Which::Trace(place) => self.carries[place].map(Which::Trace),
            Which::Yield(place) => self.yields[place].map(Which::Yield),
        }
    }
}

/// The scan that computes the tangents of a scan's results from those of its operands, step after step beside the values
/// themselves.
pub fn pushed(model: &mut Model, id: NodeId, moved: &[Option<NodeId>]) -> Result<Pushed, Misfit> {
    let Op::Scan(scan) = model.op(id).clone() else { unreachable!("a scan moves") };
    let operands = model.operands(id);
    let span = model.origins(id).span().unwrap_or_default();
    let origins: Origins = Origin::Adjoint { span, rule: "scan".into(), operand: None }.into();
    let origins = origins.within(model.origins(id).call());
    let mut frame = model.frame(&scan, &operands, &origins)?;
    let inputs = frame.inputs();
    let (results, mut notes) = model.opened(&scan.body, &inputs, |model, step, operands| {
        model.insert(step.op.clone(), operands, &step.origins)
    })?;
    // A carry moves where its first value does, or where something that moves leads to it.
    let mut moves: Vec<bool> = moved.iter().map(Option::is_some).collect();
    loop {
        let moving: Vec<NodeId> =
            (0..moves.len()).filter(|&place| moves[place]).map(|place| inputs[1 + place]).collect();
        let reached = |node: NodeId| {
            model.ty(node).dtype.is_float()
                && moving.iter().any(|&input| node == input || model.depends(node, input))
        };
        let more: Vec<usize> =
            (0..scan.carries).filter(|&place| !moves[place] && reached(results[place])).collect();
        if more.is_empty() {
            break;
        }
        more.into_iter().for_each(|place| moves[place] = true);
    }
    let mut seeds = Vec::new();
    let (mut carried, mut carries) = (vec![None; scan.carries], frame.carries.clone());
    for (place, &input) in inputs[1..].iter().enumerate().filter(|(place, _)| moves[*place]) {
        let ty = model.ty(input).clone();
        let stand = model.placeholder(ty.clone(), &origins)?;
        let name = notes.name(input).map(|name| (format!("t_{name}").into(), stand));
        notes.names.extend(name);
        seeds.push((input, stand));
        if place < scan.carries {
            carried[place] = Some(carries.len());
            let first = match moved[place] {
                Some(tangent) => tangent,
                None => zeros(model, &ty, &origins)?,
            };
            carries.push((stand, first));
        } else {
            let tangent = moved[place].expect("only carries move by themselves");
            let list = if place < scan.carries + scan.slices {
                &mut frame.slices
            } else {
                &mut frame.outside
            };
            list.push((stand, tangent));
        }
    }
    frame.carries = carries;
    let tangents = forward_all(model, &results, &seeds)?;
    let mut next: Vec<NodeId> = results[..scan.carries].to_vec();
    for (place, &result) in results[..scan.carries].iter().enumerate() {
        if carried[place].is_some() {
            next.push(match tangents[place].1 {
                Some(tangent) => tangent,
                None => {
                    let ty = model.ty(result).clone();
                    zeros(model, &ty, &origins)?
                }
            });
        }
    }
    let mut yielded = Vec::new();
    let mut stacked = Vec::new();
    for (_, tangent) in &tangents[scan.carries..] {
        yielded.push(tangent.map(|tangent| {
            stacked.push(tangent);
            stacked.len() - 1
        }));
    }
    next.extend(stacked);
    let closed = model.closed(&frame, &next, &notes, &origins)?;
    Ok(Pushed { scan: closed, carries: carried, yields: yielded })
}
