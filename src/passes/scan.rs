//! Scans without what nothing asks of them, and the laws inside their bodies.

use super::simplify::{Report, simplify_within};
use crate::graph::{Model, NodeId, Operands, Origins};
use crate::ops::scan::{Scan, Which};
use crate::ops::term::lead;
use crate::ops::{Misfit, Op, Term};
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// What the laws have made of scans, and which operands those still read.
pub type Memo = FxHashMap<Scan, (Scan, Vec<usize>)>;

/// The scan with the laws applied inside its body, and the operands that it still reads.
pub fn simplified(
    model: &Model,
    scan: &Scan,
    operands: &[NodeId],
    memo: &mut Memo,
    report: &mut Report,
) -> (Scan, Operands) {
    if !memo.contains_key(scan) {
        let inner = model.inner(scan);
        let (body, inside) = simplify_within(Cow::Borrowed(&inner.model), memo, &mut |_, _| {});
        for (law, count) in inside.laws {
            *report.laws.entry(law).or_insert(0) += count;
        }
        let made = inner.turned(body).closed(scan);
        let whole = (0..made.0.body.inputs.len() - 1).collect();
        memo.insert(made.0.clone(), (made.0.clone(), whole));
        memo.insert(scan.clone(), made);
    }
    let (made, places) = &memo[scan];
    (made.clone(), places.iter().map(|&place| operands[place]).collect())
}

/// Whether a model has scans, or had some.
pub fn has_scans(model: &Model) -> bool {
    model.may_have(|op| matches!(op, Op::Scan(_)))
}

/// The model whose scans give only the results that are asked for, and carry only what these need and what changes.
pub fn prune(model: &Model) -> Model {
    if !has_scans(model) {
        return model.compact();
    }
    let live = model.live();
    let mut asked: FxHashMap<NodeId, Vec<Which>> = FxHashMap::default();
    for id in model.nodes().filter(|id| live[id.index()]) {
        if let Op::Part(part) = model.op(id) {
            asked.entry(model.operands(id)[0]).or_default().push(part.which);
        }
    }
    let kept: FxHashMap<NodeId, Kept> = asked
        .into_iter()
        .filter_map(|(id, which)| match model.op(id) {
            Op::Scan(scan) => {
                let kept = Kept::of(scan, &which);
                let mut outside = model.operands(id).into_iter().skip(scan.carries + scan.slices);
                let less = kept.is_less() || outside.any(|id| model.is_written_inside(id));
                less.then_some((id, kept))
            }
            _ => None,
        })
        .collect();
    if kept.is_empty() {
        return model.compact();
    }
    let mut firsts: FxHashMap<NodeId, Operands> = FxHashMap::default();
    let pruned = model.rebuild(|to, id, operands| {
        let origins = model.origins(id);
        let of = model.operands(id).first().copied();
        match model.op(id) {
            Op::Scan(scan) if kept.contains_key(&id) => {
                firsts.insert(id, operands[..scan.carries].into());
                kept[&id].closed(to, scan, operands, origins)
            }
            Op::Part(part) if of.is_some_and(|of| kept.contains_key(&of)) => {
                let of = of.expect("a part of a scan");
                let kept = &kept[&of];
                let still = |place: usize| kept.still[place].then(|| firsts[&of][place]);
                let which = match kept.traced(part.which) {
                    Which::Yield(place) => Which::Yield(before(&kept.yields, place)),
                    Which::Final(place) => match still(place) {
                        Some(first) => return Ok(first),
                        None => Which::Final(before(&kept.carries, place)),
                    },
                    Which::Trace(place) => match still(place) {
                        Some(first) => {
                            let ty = to.ty(first).clone();
                            let steps = std::slice::from_ref(&part.ty.shape[0]);
                            let term = lead(Term::Var(0), &ty.shape, steps);
                            return to.plant(&term, &[first], ty.dtype, origins);
                        }
                        None => Which::Trace(before(&kept.carries, place)),
                    },
                };
                let Op::Scan(scan) = to.op(operands[0]) else {
                    unreachable!("a scan stays a scan")
                };
                to.insert(scan.part(which), operands, origins)
            }
            _ => model.copy(to, id, operands),
        }
    });
    let pruned: Result<Model, Misfit> = pruned;
    pruned.expect("what was well typed stays so")
}

/// How many of the results in front of a place are kept.
fn before(kept: &[bool], place: usize) -> usize {
    kept[..place].iter().filter(|kept| **kept).count()
}

/// What of a scan is needed.
struct Kept {
    /// The carries that are needed and change.
    carries: Vec<bool>,
    /// The carries that are the same in all steps.
    still: Vec<bool>,
    /// What is stacked and asked for.
    yields: Vec<bool>,
    /// For what is stacked the carry whose value before the step it is.
    traces: Vec<Option<usize>>,
}

impl Kept {
    fn of(scan: &Scan, asked: &[Which]) -> Kept {
        let body = &scan.body;
        let still: Vec<bool> =
            (0..scan.carries).map(|place| body.results[place] as usize == 1 + place).collect();
        let traces: Vec<Option<usize>> = body.results[scan.carries..]
            .iter()
            .map(|&place| (place as usize).checked_sub(1).filter(|&place| place < scan.carries))
            .collect();
        let is_asked = |which: Which| asked.contains(&which);
        let yields: Vec<bool> = (0..scan.yields())
            .map(|place| is_asked(Which::Yield(place)) && traces[place].is_none())
            .collect();
        let traced = |carry: usize| {
            is_asked(Which::Trace(carry))
                || (0..scan.yields())
                    .any(|place| traces[place] == Some(carry) && is_asked(Which::Yield(place)))
        };
        let mut carries: Vec<bool> =
            (0..scan.carries).map(|i| is_asked(Which::Final(i)) || traced(i)).collect();
        loop {
            let roots = carries.iter().chain(&yields).zip(&body.results);
            let roots = roots.filter(|(kept, _)| **kept).map(|(_, place)| *place);
            let needed = body.needed(roots);
            let now: Vec<bool> =
                (0..scan.carries).map(|place| carries[place] || needed[1 + place]).collect();
            if now == carries {
                break;
            }
            carries = now;
        }
        carries.iter_mut().zip(&still).for_each(|(kept, still)| *kept &= !still);
        Kept { carries, still, yields, traces }
    }

    /// A result by its other name, where it is the value of a carry before each step.
    fn traced(&self, which: Which) -> Which {
        match which {
            Which::Yield(place) => self.traces[place].map_or(which, Which::Trace),
            which => which,
        }
    }

    fn is_less(&self) -> bool {
        self.carries.iter().chain(&self.yields).any(|kept| !kept)
    }

    /// The scan with what is kept.
    fn closed(
        &self,
        to: &mut Model,
        scan: &Scan,
        operands: &[NodeId],
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        let mut frame = to.frame(scan, operands, origins)?;
        // What comes from outside is itself again: what depends on nothing else is computed there.
        frame.outside.iter_mut().for_each(|(inner, operand)| *inner = *operand);
        let still = frame.carries.iter_mut().zip(&self.still).filter(|(_, still)| **still);
        still.for_each(|((inner, first), _)| *inner = *first);
        let (results, notes) = to.opened(&scan.body, &frame.inputs(), |to, step, operands| {
            to.insert(step.op.clone(), operands, &step.origins)
        })?;
        frame.outside.clear();
        let held = std::mem::take(&mut frame.carries).into_iter().zip(&self.carries);
        frame.carries.extend(held.filter(|(_, kept)| **kept).map(|(pair, _)| pair));
        let kept = self.carries.iter().chain(&self.yields);
        let results: Vec<NodeId> = results
            .into_iter()
            .zip(kept)
            .filter(|(_, kept)| **kept)
            .map(|(node, _)| node)
            .collect();
        to.closed(&frame, &results, &notes, origins)
    }
}
