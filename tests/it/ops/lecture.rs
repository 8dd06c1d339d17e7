//! Gradients cut into steps: followed back one by one, they are the gradient.

use super::array::Array;
use super::machine::{Given, derived, evaluate, model, request, results};
use super::random::{given, inputs, lines};
use proptest::prelude::*;
use pullback::compile::Level;
use pullback::compile::lecture::{Lecture, lecture};
use pullback::graph::{Kind, Model, NodeId};
use pullback::ops::special::Mode;
use pullback::ops::{Bindings, Name};
use pullback::passes::release;
use pullback::tensor::{DType, Tensor};
use std::collections::HashMap;

/// Numbers by name.
type Known = HashMap<String, Tensor>;

/// The results of a piece, by name.
fn followed(piece: &Model, known: &mut Known) {
    let given: Vec<Given> = piece
        .variables
        .keys()
        .filter_map(|name| known.get(&**name).map(|value| of(name, value)))
        .collect();
    let nodes: Vec<NodeId> = piece.outputs.iter().map(|output| output.node).collect();
    let values = evaluate(piece, &nodes, &given, &Bindings::default());
    for (output, value) in piece.outputs.iter().zip(values) {
        known.insert(output.name.to_string(), value);
    }
}

fn of(name: &str, value: &Tensor) -> Given {
    let array = Array { shape: value.shape().to_vec(), values: value.to_f64() };
    Given { name: name.into(), dtype: value.dtype(), array }
}

/// The values of all that has a name, and the derivatives of all stations.
fn walked(lecture: &Lecture) -> Known {
    let mut model = lecture.model.clone();
    model.outputs.clear();
    for (node, name) in lecture.named() {
        let name = name.clone();
        model.outputs.push(pullback::graph::Output { kind: Kind::Output, name, node });
    }
    let model = release(&model);
    let nodes: Vec<NodeId> = model.outputs.iter().map(|output| output.node).collect();
    let values = evaluate(&model, &nodes, &given(), &Bindings::default());
    let names = model.outputs.iter().map(|output| output.name.to_string());
    let mut known: Known = names.zip(values).collect();
    let end = &lecture.stations[lecture.of];
    known.insert(end.adjoint.to_string(), Tensor::full(DType::F64, &[], 1.0));
    let mut done = vec![false; lecture.steps.len()];
    for number in (0..lecture.stations.len()).rev() {
        for (place, step) in lecture.steps.iter().enumerate() {
            let ready = step.after.iter().all(|next| *next > number);
            if ready && step.of.contains(&number) && !done[place] {
                followed(&step.piece, &mut known);
                done[place] = true;
            }
        }
        let station = &lecture.stations[number];
        if let Some(amplifier) = &station.amplifier {
            followed(&amplifier.slope, &mut known);
            let slope = known[&*amplifier.slope.outputs[0].name].to_f64();
            let behind = &known[&*amplifier.adjoint];
            let both = behind.to_f64().into_iter().zip(slope).map(|(a, b)| a * b).collect();
            let product = Tensor::from_f64(DType::F64, behind.shape(), both);
            known.insert(station.adjoint.to_string(), product);
        }
    }
    assert!(done.iter().all(|done| *done), "a step that no order reaches");
    known
}

/// For each entry of a goal the movements times the derivatives by what moves.
fn products(lecture: &Lecture, goal: usize, known: &mut Known) -> Vec<f64> {
    let station = &lecture.stations[goal];
    let value = known[&*station.name].clone();
    let Some(nudge) = lecture.nudge(goal).expect("it is derived") else {
        return vec![0.0; value.len()];
    };
    let entry = |entry: usize| {
        let mut unit = vec![0.0; value.len()];
        unit[entry] = 1.0;
        let unit = Tensor::from_f64(DType::F64, value.shape(), unit);
        known.insert(station.tangent.to_string(), unit);
        followed(&nudge.moved, known);
        let ways = nudge.to.iter().map(|&next| {
            let next = &lecture.stations[next];
            let pairs = known[&*next.tangent].to_f64().into_iter();
            pairs.zip(known[&*next.adjoint].to_f64()).map(|(a, b)| a * b).sum::<f64>()
        });
        ways.sum()
    };
    (0..value.len()).map(entry).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn steps_make_the_gradient(choices in prop::collection::vec(any::<(u16, u16, u16)>(), 1..7)) {
        let (known, mut text) = inputs();
        let (lines, known) = lines(&choices, known);
        text += &lines.concat();
        let last: Vec<String> = known.iter().rev().take(2).map(|(_, name)| format!("sum({name}^2)")).collect();
        text += &format!("a = {}\nloss L = sigmoid(a / 10) + a / 7\n", last.join(" + "));
        let names = ["s", "u", "v", "m", "q"];
        let read = model(&text);
        let wrt: Vec<Name> = names.iter().map(|&name| name.into()).collect();
        let lecture = lecture(&read, &"L".into(), &wrt).expect("it is derived");
        let mut steps = walked(&lecture);
        let whole = derived(&read, &[request(Mode::Grad, "L", &names, &[])], Level::Readable, &text).model;
        let gradients = results(&whole, Kind::Gradient);
        let gradients = evaluate(&whole, &gradients, &given(), &Bindings::default());
        for (&goal, gradient) in lecture.goals.iter().zip(gradients) {
            let station = &lecture.stations[goal];
            let gradient = gradient.to_f64();
            let size = gradient.iter().fold(1.0, |size: f64, value| size.max(value.abs()));
            if !size.is_finite() || size > 1e9 {
                continue;
            }
            let found = steps.get(&*station.adjoint).map(Tensor::to_f64);
            let found = found.unwrap_or_else(|| vec![0.0; gradient.len()]);
            let product = products(&lecture, goal, &mut steps);
            for ((a, b), c) in gradient.iter().zip(&found).zip(&product) {
                prop_assert!((a - b).abs() < 1e-7 * size, "by {}: {a} is {b} by steps of\n{text}", station.name);
                prop_assert!((a - c).abs() < 1e-7 * size, "by {}: {a} is {c} by the product of\n{text}", station.name);
            }
        }
    }
}
