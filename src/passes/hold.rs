//! A value as a function that has the derivatives which `stop_gradient` leaves: what that holds is computed of variables
//! that stand still while the others move.

use crate::graph::{Kind, Model, NodeId, Operands, Output};
use crate::ops::scan::{Part, Step, Which};
use crate::ops::{Misfit, Name, Op, leaf};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A value beside variables that stand still.
pub struct Held {
    /// The model; the value is its one output.
    pub model: Model,
    /// Of each variable that moves, the one that stands still in its place; none where nothing is held that moves.
    pub still: Vec<(Name, Name)>,
}

/// The value `of` as a function of the variables `moving` and of others that stand still in their places, of which
/// `stop_gradient` takes what it holds.
pub fn hold(model: &Model, of: NodeId, moving: &[Name]) -> Result<Held, Misfit> {
    let mut own = model.clone();
    own.names.clear();
    own.updates.clear();
    own.claims.clear();
    own.outputs = vec![Output { kind: Kind::Output, name: "?held".into(), node: of }];
    let stops = |op: &Op| match op {
        Op::Scan(scan) => scan.body.holds(&is_stop),
        op => is_stop(op),
    };
    if !model.may_have(stops) {
        return Ok(Held { model: own, still: Vec::new() });
    }
    let mut holding = Holding::default();
    let mut twins: FxHashMap<NodeId, NodeId> = FxHashMap::default();
    let mut still = Vec::new();
    let held = own.rebuild(|to, id, operands| {
        let twin = |id: &NodeId| *twins.get(id).unwrap_or(id);
        let pairs: Vec<Pair> = operands.iter().map(|id| (*id, twin(id))).collect();
        let origins = own.origins(id);
        let pair = match own.op(id) {
            Op::Variable(variable) if moving.contains(&variable.name) => {
                let name: Name = format!("?still.{}", variable.name).into();
                still.push((variable.name.clone(), name.clone()));
                let leaf = leaf::Variable { name, ty: Arc::new(own.ty(id).clone()) };
                (own.copy(to, id, operands)?, to.insert(leaf, &[], origins)?)
            }
            op => {
                let step = Step {
                    op: op.clone(),
                    operands: Default::default(),
                    ty: own.ty(id).clone(),
                    origins: origins.clone(),
                };
                holding.insert(to, &step, &pairs)?
            }
        };
        if pair.0 != pair.1 {
            twins.insert(pair.0, pair.1);
        }
        Ok::<_, Misfit>(pair.0)
    })?;
    Ok(match holding.holds {
        true => Held { model: held, still },
        false => Held { model: own, still: Vec::new() },
    })
}

fn is_stop(op: &Op) -> bool {
    matches!(op, Op::StopGradient(_))
}

/// A value as variables move, and as they stand still.
type Pair = (NodeId, NodeId);

#[derive(Default)]
struct Holding {
    /// Whether anything that moves is held.
    holds: bool,
    /// The scans that compute both values, with the numbers of carries and of stacked values for each.
    joint: FxHashMap<NodeId, (usize, usize)>,
}

impl Holding {
    fn insert(&mut self, to: &mut Model, step: &Step, pairs: &[Pair]) -> Result<Pair, Misfit> {
        let moving: Operands = pairs.iter().map(|pair| pair.0).collect();
        let still: Operands = pairs.iter().map(|pair| pair.1).collect();
        match &step.op {
            Op::StopGradient(_) => {
                self.holds |= moving != still;
                let node = to.insert(step.op.clone(), &still, &step.origins)?;
                Ok((node, node))
            }
            Op::Scan(scan) if moving != still && scan.body.holds(&is_stop) => {
                let node = self.joined(to, step, &moving, &still)?;
                Ok((node, node))
            }
            Op::Part(part) if self.joint.contains_key(&moving[0]) => {
                let (carries, yields) = self.joint[&moving[0]];
                let which = match part.which {
                    Which::Yield(place) => Which::Yield(yields + place),
                    Which::Final(place) => Which::Final(carries + place),
                    Which::Trace(place) => Which::Trace(carries + place),
                };
                let twin = Part { which, ty: part.ty.clone() };
                let node = to.insert(part.clone(), &moving, &step.origins)?;
                Ok((node, to.insert(twin, &moving, &step.origins)?))
            }
            op => {
                let node = to.insert(op.clone(), &moving, &step.origins)?;
                match moving == still {
                    true => Ok((node, node)),
                    false => Ok((node, to.insert(op.clone(), &still, &step.origins)?)),
                }
            }
        }
    }

    /// One scan over both values of everything.
    fn joined(
        &mut self,
        to: &mut Model,
        step: &Step,
        moving: &[NodeId],
        still: &[NodeId],
    ) -> Result<NodeId, Misfit> {
        let Op::Scan(scan) = &step.op else { unreachable!("a scan is joined") };
        let origins = &step.origins;
        let mut frame = to.frame(scan, moving, origins)?;
        let mut twin = to.frame(scan, still, origins)?;
        twin.index = frame.index;
        // What does not move is read once. Carries may come to move later on.
        let one = |(a, b): (&(NodeId, NodeId), &mut (NodeId, NodeId))| {
            if a.1 == b.1 {
                *b = *a;
            }
        };
        frame.slices.iter().zip(&mut twin.slices).for_each(one);
        frame.outside.iter().zip(&mut twin.outside).for_each(one);
        let mut pairs: Vec<Pair> = frame.inputs().into_iter().zip(twin.inputs()).collect();
        for inner in &scan.body.steps {
            let operands: Vec<Pair> =
                inner.operands.iter().map(|&place| pairs[place as usize]).collect();
            pairs.push(self.insert(to, inner, &operands)?);
        }
        let (next, stacked) = scan.body.results.split_at(scan.carries);
        let first = |places: &[u32]| places.iter().map(|&p| pairs[p as usize].0).collect();
        let second = |places: &[u32]| places.iter().map(|&p| pairs[p as usize].1).collect();
        let results: [Vec<NodeId>; 4] =
            [first(next), second(next), first(stacked), second(stacked)];
        frame.carries.extend(twin.carries);
        frame.slices.extend(twin.slices);
        frame.outside.extend(twin.outside);
        let node = to.closed(&frame, &results.concat(), &Default::default(), origins)?;
        self.joint.insert(node, (scan.carries, stacked.len()));
        Ok(node)
    }
}
