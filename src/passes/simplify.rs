//! Algebra on what differentiation made: the forward values stay as they are written.

use super::law::Cx;
use super::scan::{Memo, has_scans, prune, simplified};
use crate::graph::{Kind, Model};
use crate::ops::{Misfit, Op, Scalar};
use indexmap::IndexMap;
use std::borrow::Cow;

/// What a run of the laws did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How often each law was used.
    pub laws: IndexMap<&'static str, usize>,
}

/// Sees the model before the first round and after each, with what results need of it.
pub type Watch<'w> = dyn FnMut(&Model, &[bool]) + 'w;

/// No model has been seen to need more.
const ROUNDS: usize = 8;

/// The model in which every value that the source text does not need is in the form that the laws give it.
pub fn simplify(model: &Model) -> (Model, Report) {
    simplify_within(Cow::Borrowed(model), &mut Memo::default(), &mut |_, _| {})
}

/// The same of a model that is given away: it takes memory no longer than it must.
pub fn simplify_owned(model: Model) -> (Model, Report) {
    simplify_watched(model, &mut |_, _| {})
}

/// The same, round by round before the eyes of `watch`.
pub fn simplify_watched(model: Model, watch: &mut Watch<'_>) -> (Model, Report) {
    simplify_within(Cow::Owned(model), &mut Memo::default(), watch)
}

/// `simplify` where some scans have been seen already.
pub(super) fn simplify_within(
    model: Cow<'_, Model>,
    memo: &mut Memo,
    watch: &mut Watch<'_>,
) -> (Model, Report) {
    let mut report = Report::default();
    let mut model = pruned(model);
    let mut live = model.live();
    watch(&model, &live);
    for _ in 0..ROUNDS {
        let (next, fired) = round(&model, &live, memo, &mut report);
        model = pruned(Cow::Owned(next));
        live = model.live();
        watch(&model, &live);
        if fired.is_empty() {
            break;
        }
        for (law, count) in fired {
            *report.laws.entry(law).or_insert(0) += count;
        }
    }
    (if live.contains(&false) { model.compact() } else { model.into_owned() }, report)
}

/// The model without what nothing asks of its scans; what is not live may stay.
fn pruned(model: Cow<'_, Model>) -> Cow<'_, Model> {
    match has_scans(&model) {
        true => Cow::Owned(prune(&model)),
        false => model,
    }
}

fn round(
    model: &Model,
    live: &[bool],
    memo: &mut Memo,
    report: &mut Report,
) -> (Model, IndexMap<&'static str, usize>) {
    let forward = forward(model);
    if !has_scans(model) && model.nodes().all(|id| forward[id.index()] || !live[id.index()]) {
        return (model.compact(), IndexMap::new());
    }
    let uses = model.uses();
    let inner = inner(model, live, &forward, &uses);
    let mut named = vec![false; model.len()];
    for id in model.names.values().chain(model.outputs.iter().map(|output| &output.node)) {
        named[id.index()] = forward[id.index()];
    }
    let mut cx = Cx::default();
    let next = model.rebuild(|to, id, operands| {
        cx.take(to);
        let origins = model.origins(id).clone();
        let node = if let Op::Scan(scan) = model.op(id) {
            let (scan, operands) = simplified(model, scan, operands, memo, report);
            cx.model().insert(scan, &operands, &origins)?
        } else if forward[id.index()] {
            // A product that is derived and has a name: the laws may look at it, but not into it.
            let product = matches!(model.op(id), Op::Scalar(Scalar::Mul | Scalar::Div));
            let node = match product && origins.source().is_none() {
                true => cx.build(model.op(id).clone(), operands, &origins)?,
                false => model.copy(cx.model(), id, operands)?,
            };
            cx.protect(node);
            if named[id.index()] {
                cx.name(node);
            }
            node
        } else if inner[id.index()] {
            cx.build_part(model.op(id).clone(), operands, &origins)?
        } else {
            cx.build(model.op(id).clone(), operands, &origins)?
        };
        cx.used(node, uses[id.index()]);
        cx.give(to);
        Ok::<_, Misfit>(node)
    });
    let next = next.expect("laws keep types");
    debug_assert!(
        crate::graph::check::check(&next).is_ok(),
        "{:?}",
        crate::graph::check::check(&next)
    );
    (next, cx.fired)
}

/// Parts of sums and products that only a larger sum or product uses: that one brings all of it to its normal form at once.
fn inner(model: &Model, live: &[bool], forward: &[bool], uses: &[u32]) -> Vec<bool> {
    let sum = |op: &Op| matches!(op, Op::Scalar(Scalar::Add | Scalar::Sub));
    let product = |op: &Op| matches!(op, Op::Scalar(Scalar::Mul | Scalar::Div | Scalar::Neg));
    let mut inner = vec![false; model.len()];
    for user in model.nodes().filter(|user| live[user.index()] && !forward[user.index()]) {
        let op = model.op(user);
        for operand in model.reads(user) {
            let part = model.op(operand);
            let same = (sum(op) && sum(part)) || (product(op) && product(part));
            inner[operand.index()] =
                same && uses[operand.index()] == 1 && !forward[operand.index()];
        }
    }
    inner
}

/// The values that are written in the source text, and what parameters start from.
fn forward(model: &Model) -> Vec<bool> {
    let mut forward: Vec<bool> = model
        .nodes()
        .map(|id| model.reads(id).len() == 0 || model.origins(id).source().is_some())
        .collect();
    let named = model
        .outputs
        .iter()
        .filter(|output| output.kind != Kind::Gradient)
        .map(|output| output.node);
    for id in named.chain(model.names.values().copied()) {
        forward[id.index()] = true;
    }
    forward
}
