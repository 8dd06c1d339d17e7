//! The order of the steps of a body.

use crate::ops::Op;
use crate::ops::scan::{Body, Step};
use crate::ops::shape::Cut;
use std::collections::BTreeSet;

/// The body with its steps in the order in which the source text has them, as far as each stands behind its operands.
pub fn in_source_order(body: &Body) -> Body {
    let first = body.inputs.len();
    let start = |cut: &Cut| match cut {
        Cut::At(start) | Cut::Range { start, .. } => start.known().unwrap_or(0),
    };
    let key = |place: usize| {
        let step = &body.steps[place];
        let at = step.origins.span().map_or(0, |span| span.start);
        let part = match &step.op {
            Op::Slice(slice) => slice.cuts.iter().map(start).sum(),
            _ => 0,
        };
        (at, part, place)
    };
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); body.steps.len()];
    let mut missing = vec![0usize; body.steps.len()];
    for (place, step) in body.steps.iter().enumerate() {
        for operand in step.operands.iter().filter_map(|&at| (at as usize).checked_sub(first)) {
            users[operand].push(place);
            missing[place] += 1;
        }
    }
    let steps = 0..body.steps.len();
    let mut ready: BTreeSet<_> =
        steps.clone().filter(|&place| missing[place] == 0).map(key).collect();
    let mut order = Vec::new();
    while let Some((.., place)) = ready.pop_first() {
        order.push(place);
        for &user in &users[place] {
            missing[user] -= 1;
            if missing[user] == 0 {
                ready.insert(key(user));
            }
        }
    }
    let mut moved: Vec<u32> = (0..(first + body.steps.len()) as u32).collect();
    for (to, &from) in order.iter().enumerate() {
        moved[first + from] = (first + to) as u32;
    }
    let at = |place: &u32| moved[*place as usize];
    let step = |&place: &usize| {
        let step = &body.steps[place];
        Step { operands: step.operands.iter().map(at).collect(), ..step.clone() }
    };
    let called = order.iter().map(|&place| body.names[first + place].clone());
    Body::new(
        body.inputs.clone(),
        order.iter().map(step).collect(),
        body.results.iter().map(at).collect(),
        body.names[..first].iter().cloned().chain(called).collect(),
        body.adjoints.iter().map(|(of, adjoint)| (at(of), at(adjoint))).collect(),
    )
}
