//! Which steps of a derivation are layers, and which of them are hidden.

use crate::compile::lecture::Lecture;
use crate::graph::NodeId;
use crate::ops::{Op, Scalar};
use rustc_hash::FxHashMap;

/// Whether a station is a product with weights, perhaps with something added.
pub fn is_layer(lecture: &Lecture, number: usize) -> bool {
    let model = &lecture.model;
    let node = lecture.stations[number].node;
    let product = |id: NodeId| matches!(model.op(id), Op::MatMul(_) | Op::Outer(_) | Op::Conv(_));
    let sum = matches!(model.op(node), Op::Scalar(Scalar::Add));
    product(node) || sum && model.operands(node).iter().any(|&operand| product(operand))
}

/// For each station whether a layer lies between it and the scalar.
pub fn hidden(lecture: &Lecture) -> Vec<bool> {
    let mut hidden = vec![false; lecture.stations.len()];
    let place: FxHashMap<NodeId, usize> =
        lecture.stations.iter().enumerate().map(|(place, known)| (known.node, place)).collect();
    let mut after: Vec<&[usize]> = vec![&[]; lecture.stations.len()];
    for step in &lecture.steps {
        step.of.iter().for_each(|&own| after[own] = &step.after);
    }
    for number in (0..lecture.stations.len()).rev() {
        let amplifier = lecture.stations[number].amplifier.as_ref();
        let value = amplifier.and_then(|amplifier| place.get(&amplifier.node)).copied();
        let mut next = after[number].iter().copied().chain(value);
        hidden[number] = next.any(|next| hidden[next] || is_layer(lecture, next));
    }
    hidden
}
