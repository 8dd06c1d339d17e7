//! One more leading axis: what a linear computation gives for each row of a matrix.

use crate::graph::{Model, NodeId, Operands, Origins};
use crate::ops::scan::{Scan, Which};
use crate::ops::term::{lead, permute};
use crate::ops::{Batching, Misfit, Op, Operator, Size, Term, Type};
use rustc_hash::FxHashMap;

/// The value of `root` where `seed` is replaced by each row of `rows`, which has a leading axis of size `size`; that axis
/// leads the result too. `None` where `root` does not depend on `seed`.
pub fn batch(
    model: &mut Model,
    root: NodeId,
    seed: NodeId,
    rows: NodeId,
    size: &Size,
) -> Result<Option<NodeId>, Misfit> {
    let mut batch = Batch { size, lifted: FxHashMap::default(), scans: FxHashMap::default() };
    batch.lifted.insert(seed, rows);
    for id in (seed.index() + 1..=root.index()).map(NodeId::new) {
        let operands = model.operands(id);
        let (op, ty, origins) =
            (model.op(id).clone(), model.ty(id).clone(), model.origins(id).clone());
        batch.lift(model, id, &op, &operands, &ty, &origins)?;
    }
    Ok(batch.lifted.get(&root).copied())
}

/// A batch in the making.
struct Batch<'a> {
    size: &'a Size,
    /// Values with the new axis.
    lifted: FxHashMap<NodeId, NodeId>,
    /// Scans with the new axis, and which of their carries and yields have it.
    scans: FxHashMap<NodeId, (NodeId, Vec<bool>)>,
}

impl Batch<'_> {
    /// Lifts the value `id` of `op`, where an operand is lifted.
    fn lift(
        &mut self,
        model: &mut Model,
        id: NodeId,
        op: &Op,
        operands: &[NodeId],
        ty: &Type,
        origins: &Origins,
    ) -> Result<(), Misfit> {
        if let Op::Part(part) = op
            && let Some((scan, results)) = self.scans.get(&operands[0]).cloned()
        {
            let Op::Scan(looped) = model.op(scan).clone() else { unreachable!("it is a scan") };
            let place = match part.which {
                Which::Yield(place) => looped.carries + place,
                Which::Final(place) | Which::Trace(place) => place,
            };
            if results[place] {
                let picked = looped.part(part.which);
                let mut node = model.insert(picked, &[scan], origins)?;
                if !matches!(part.which, Which::Final(_)) {
                    node = swapped(model, node, origins)?;
                }
                self.lifted.insert(id, node);
            }
            return Ok(());
        }
        let batched: Vec<bool> =
            operands.iter().map(|operand| self.lifted.contains_key(operand)).collect();
        if !batched.contains(&true) {
            return Ok(());
        }
        if let Op::Scan(scan) = op {
            let scan = self.scan(model, scan, operands, origins)?;
            self.scans.insert(id, scan);
            return Ok(());
        }
        let types: Vec<Type> = operands.iter().map(|&id| model.ty(id).clone()).collect();
        let batching =
            Batching { operands: &types, result: ty, batched: &batched, size: self.size };
        let term = op.batch(&batching);
        let variables: Operands = operands.iter().map(|&operand| self.known(operand)).collect();
        let node = model.plant(&term, &variables, ty.dtype, origins)?;
        self.lifted.insert(id, node);
        Ok(())
    }

    fn known(&self, id: NodeId) -> NodeId {
        self.lifted.get(&id).copied().unwrap_or(id)
    }

    /// A scan whose body has the new axis where an operand has it, and which of its results have.
    fn scan(
        &mut self,
        model: &mut Model,
        scan: &Scan,
        operands: &[NodeId],
        origins: &Origins,
    ) -> Result<(NodeId, Vec<bool>), Misfit> {
        let body = &scan.body;
        let mut given: Vec<bool> =
            operands.iter().map(|operand| self.lifted.contains_key(operand)).collect();
        let results = loop {
            let mut reached: Vec<bool> = std::iter::once(false).chain(given.clone()).collect();
            for step in &body.steps {
                reached.push(step.operands.iter().any(|&place| reached[place as usize]));
            }
            let results: Vec<bool> =
                body.results.iter().map(|&place| reached[place as usize]).collect();
            let more: Vec<usize> =
                (0..scan.carries).filter(|&place| results[place] && !given[place]).collect();
            if more.is_empty() {
                break results;
            }
            more.into_iter().for_each(|place| given[place] = true);
        };
        let plain = model.frame(scan, operands, origins)?;
        let mut frame = plain.clone();
        let pairs = frame.carries.iter_mut().chain(&mut frame.slices).chain(&mut frame.outside);
        for (place, (inner, operand)) in pairs.enumerate().filter(|(place, _)| given[*place]) {
            let ty = model.ty(*inner).clone();
            let shape: Vec<Size> = std::iter::once(self.size).chain(&ty.shape).cloned().collect();
            let stand = model.placeholder(ty.with_shape(shape), origins)?;
            self.lifted.insert(*inner, stand);
            let array = match self.lifted.get(operand).copied() {
                Some(array) => array,
                None => self.laid(model, *operand, origins)?,
            };
            let sliced = (scan.carries..scan.carries + scan.slices).contains(&place);
            (*inner, *operand) =
                (stand, if sliced { swapped(model, array, origins)? } else { array });
        }
        let (ends, mut notes) = model.opened(body, &plain.inputs(), |model, step, operands| {
            let node = model.insert(step.op.clone(), operands, &step.origins)?;
            self.lift(model, node, &step.op, operands, &step.ty, &step.origins)?;
            Ok::<_, Misfit>(node)
        })?;
        let wide: Vec<bool> = (0..ends.len())
            .map(|place| if place < scan.carries { given[place] } else { results[place] })
            .collect();
        let mut next = Vec::new();
        for (&end, &wide) in ends.iter().zip(&wide) {
            next.push(match self.lifted.get(&end).copied() {
                Some(lifted) => lifted,
                None if wide => self.laid(model, end, origins)?,
                None => end,
            });
        }
        notes.names.iter_mut().for_each(|(_, node)| *node = self.known(*node));
        let both = |pair: &mut (NodeId, NodeId)| *pair = (self.known(pair.0), self.known(pair.1));
        notes.adjoints.iter_mut().for_each(both);
        let closed = model.closed(&frame, &next, &notes, origins)?;
        Ok((closed, wide))
    }

    /// A value repeated along the new axis.
    fn laid(&self, model: &mut Model, id: NodeId, origins: &Origins) -> Result<NodeId, Misfit> {
        let ty = model.ty(id).clone();
        let term = lead(Term::Var(0), &ty.shape, std::slice::from_ref(self.size));
        model.plant(&term, &[id], ty.dtype, origins)
    }
}

/// The first two axes in the other order: the new axis leads arrays, that of the steps leads what is sliced.
fn swapped(model: &mut Model, id: NodeId, origins: &Origins) -> Result<NodeId, Misfit> {
    let ty = model.ty(id).clone();
    let order: Vec<usize> = [1, 0].into_iter().chain(2..ty.rank()).collect();
    model.plant(&permute(Term::Var(0), &order), &[id], ty.dtype, origins)
}
