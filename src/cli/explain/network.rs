//! The reverse network of a gradient, to be drawn.

use super::lesson::Lesson;
use super::phrases::phrases;
use super::rounds::Round;
use crate::cli::args::Lang;
use crate::compile::lecture::{Lecture, Loop};
use crate::export::formula::Formula;
use crate::export::network::Node;
use crate::graph::NodeId;
use crate::ops::scan::Which;
use rustc_hash::FxHashMap;

/// The derivatives from the scalar back, each with what it is computed of and the slope that it is multiplied by. Of a loop
/// there are those of any of its rounds.
pub fn network(lecture: &Lecture) -> Vec<Node> {
    let lesson = Lesson::new(lecture, phrases(Lang::En), None, None);
    let mut places: Vec<Option<usize>> = vec![None; lecture.stations.len()];
    let mut rounds: FxHashMap<NodeId, Vec<Option<usize>>> = FxHashMap::default();
    let mut nodes = Vec::new();
    let asked = |number: usize| lecture.goals.contains(&number);
    let through = (0..lecture.stations.len()).rev().filter(|&number| !asked(number));
    for number in through.chain(lecture.goals.iter().copied()) {
        if places[number].is_some() {
            continue;
        }
        let node = match lecture.looped(number) {
            Some((own, place)) => {
                let inside = rounds
                    .entry(own.node)
                    .or_insert_with(|| round(&lesson, own, &places, &mut nodes));
                let Some((derivative, value)) = lesson.operand(number, own, place) else {
                    continue;
                };
                let step = own.inputs[place].and_then(|goal| own.round.step_of(goal));
                let after = step.iter().flat_map(|&step| &own.round.steps[step].after);
                let from = after.filter_map(|next| inside[*next]).collect();
                Node { derivative, value, amplifier: None, asked: asked(number), from }
            }
            None => {
                let Some((next, value)) = computed(&lesson, number) else { continue };
                let from = next.into_iter().filter_map(|next| places[next]).collect();
                Node { from, asked: asked(number), ..derivative(&lesson, number, value) }
            }
        };
        places[number] = Some(nodes.len());
        nodes.push(node);
    }
    nodes
}

/// Adds the derivatives of a round of a loop, and gives their places.
fn round<'a>(
    lesson: &Lesson<'a>,
    own: &'a Loop,
    outer: &[Option<usize>],
    nodes: &mut Vec<Node>,
) -> Vec<Option<usize>> {
    let inner = lesson.round(own, &Round::Any(0));
    // The results of the loop that a value of the round becomes.
    let ends = |name: &str| {
        let own_result = |which: &Which| match which {
            Which::Final(place) => *own.carries[*place].next == *name,
            Which::Yield(place) => *own.stacked[*place] == *name,
            Which::Trace(_) => false,
        };
        let results = own.results.iter().filter(move |(which, _)| own_result(which));
        results.filter_map(|(_, station)| outer[*station]).collect::<Vec<usize>>()
    };
    let mut places = vec![None; own.round.stations.len()];
    for number in (0..own.round.stations.len()).rev() {
        if number == own.round.of || own.round.goals.contains(&number) {
            continue;
        }
        let Some((next, value)) = computed(&inner, number) else { continue };
        let value = lesson.carry_case(own, number).map_or(value, |(_, value)| value);
        let mut from: Vec<usize> = next.iter().filter_map(|next| places[*next]).collect();
        if next.contains(&own.round.of) {
            from.extend(ends(&own.round.stations[number].name));
        }
        places[number] = Some(nodes.len());
        nodes.push(Node { from, ..derivative(&inner, number, value) });
    }
    places
}

fn derivative(lesson: &Lesson, number: usize, value: Formula) -> Node {
    let station = &lesson.lecture.stations[number];
    let amplifier = station.amplifier.as_ref().map(|amplifier| {
        let at = lesson.shown_name(&station.name);
        Formula::Slope(amplifier.row.word().into(), Box::new(at))
    });
    let derivative = lesson.shown_name(&station.adjoint);
    Node { derivative, value, amplifier, asked: false, from: Vec::new() }
}

/// What a derivative is computed by, the amplifier aside, and the stations whose derivatives that reads.
fn computed(lesson: &Lesson, number: usize) -> Option<(Vec<usize>, Formula)> {
    let lecture = lesson.lecture;
    let station = &lecture.stations[number];
    let one = Formula::Number("1".into());
    let step = lecture.step_of(number);
    let amplifier = station.amplifier.as_ref();
    let behind = amplifier.map(|amplifier| amplifier.node);
    let adjoint = amplifier.map_or(&station.adjoint, |known| &known.adjoint);
    Some(match step {
        Some(step) => {
            let value = lesson.whole(step, adjoint);
            let from = lecture.steps[step].after.clone();
            (from, value.unwrap_or_else(|| Formula::Word("a loop".into())))
        }
        None if behind.is_some_and(|node| !lesson.is_end(node)) => {
            let next = lecture.stations.iter().position(|next| Some(next.node) == behind);
            (next.into_iter().collect(), lesson.shown_name(adjoint))
        }
        None if behind.is_some() => (vec![lecture.of], one),
        None if number == lecture.of => (Vec::new(), one),
        None => return None,
    })
}
