//! What stability laws leave as it is written.

use crate::graph::{Model, NodeId};
use crate::ops::{Op, Scalar};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

/// All values that are left alone.
pub fn left_alone(model: &Model) -> FxHashSet<NodeId> {
    let mut alone = guarded(model);
    alone.extend(beside(model));
    alone
}

/// The roots whose derivative at 0 is guarded in the source text already: `where(s == 0, 0, sqrt(s))`.
fn guarded(model: &Model) -> FxHashSet<NodeId> {
    let mut guarded = FxHashSet::default();
    let mut bare = FxHashSet::default();
    for user in model.nodes() {
        let operands = model.operands(user);
        for (place, &id) in operands.iter().enumerate() {
            if *model.op(id) != Op::Scalar(Scalar::Sqrt) {
                continue;
            }
            let condition = model.operands(operands[0]);
            let guards = matches!(model.op(user), Op::Select(_))
                && place == 2
                && *model.op(operands[0]) == Op::Scalar(Scalar::Eq)
                && condition[0] == model.operands(id)[0]
                && model.filled(condition[1]).is_some_and(|number| number.is_zero());
            if guards {
                guarded.insert(id)
            } else {
                bare.insert(id)
            };
        }
    }
    guarded.difference(&bare).copied().collect()
}

/// What laws leave alone although 1 is near: the weights `1 - p` of means `p * x + (1 - p) * y` with p a sigmoid, of which
/// nothing is lost beside the other term; and `1 - a^2`, `1 - a` and `1 + a` beside other uses of `a = tanh(x)`.
fn beside(model: &Model) -> Vec<NodeId> {
    let is = |id: NodeId, row: Scalar| *model.op(id) == Op::Scalar(row);
    let from_one = |id: NodeId| {
        let (one, other) = match (model.op(id), model.operands(id).as_slice()) {
            (Op::Scalar(Scalar::Sub), &[one, other]) => (one, other),
            (Op::Scalar(Scalar::Add), &[a, b]) if is(b, Scalar::Tanh) => (a, b),
            (Op::Scalar(Scalar::Add), &[a, b]) => (b, a),
            _ => return None,
        };
        model.filled(one).is_some_and(|one| one.is_one()).then_some(other)
    };
    let weighed = |id: NodeId| from_one(id).filter(|&p| is(p, Scalar::Sigmoid));
    let found: Vec<NodeId> = model.nodes().filter(|&id| from_one(id).is_some()).collect();
    if found.is_empty() {
        return Vec::new();
    }
    let uses = model.uses();
    let used_elsewhere = |id: NodeId| {
        let part = from_one(id).expect("it is one of those");
        let tanh = if is(part, Scalar::Square) { model.operands(part)[0] } else { part };
        is(tanh, Scalar::Tanh) && (uses[tanh.index()] > 1 || uses[part.index()] > 1)
    };
    let mut alone: Vec<NodeId> = found.iter().copied().filter(|&id| used_elsewhere(id)).collect();
    if !found.iter().any(|&id| weighed(id).is_some()) {
        return alone;
    }
    let mut means: FxHashMap<NodeId, u32> = FxHashMap::default();
    for sum in model.nodes().filter(|&id| is(id, Scalar::Add)) {
        let terms = model.operands(sum);
        for (term, other) in [(terms[0], terms[1]), (terms[1], terms[0])] {
            let others = factors(model, other);
            for weight in factors(model, term) {
                if weighed(weight).is_some_and(|p| others.contains(&p)) {
                    *means.entry(weight).or_default() += 1;
                }
            }
        }
    }
    let means = means.into_iter().filter(|(id, count)| uses[id.index()] == *count);
    alone.extend(means.map(|(id, _)| id));
    alone
}

/// The factors of a product, as far as it is written as one.
fn factors(model: &Model, id: NodeId) -> SmallVec<[NodeId; 4]> {
    const MANY: usize = 8;
    let mut found = SmallVec::from_slice(&[id]);
    let mut place = 0;
    while place < found.len() {
        match *model.op(found[place]) == Op::Scalar(Scalar::Mul) && found.len() < MANY {
            true => {
                let operands = model.operands(found[place]);
                found[place] = operands[0];
                found.push(operands[1]);
            }
            false => place += 1,
        }
    }
    found
}
