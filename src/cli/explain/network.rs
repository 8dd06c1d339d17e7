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
    let asked = |number: &usize| lecture.goals.contains(number);
    let through = (0..lecture.stations.len()).rev().filter(|number| !asked(number));
    let mut nodes = Vec::new();
    let mut drawn = Drawn::new(lecture);
    for number in through.chain(lecture.goals.iter().copied()) {
        if drawn.places[number].is_none() {
            let node = drawn.station(&lesson, number, &mut nodes);
            let node = node.map(|node| Node { asked: asked(&number), ..node });
            drawn.add(number, node, &mut nodes);
        }
    }
    nodes
}

/// Where the derivatives of a lecture stand among the nodes.
#[derive(Default)]
struct Drawn {
    /// Those by its stations.
    places: Vec<Option<usize>>,
    /// Those of the rounds of its loops.
    loops: FxHashMap<NodeId, Drawn>,
}

impl Drawn {
    fn new(lecture: &Lecture) -> Drawn {
        Drawn { places: vec![None; lecture.stations.len()], ..Drawn::default() }
    }

    fn add(&mut self, number: usize, node: Option<Node>, nodes: &mut Vec<Node>) {
        if let Some(node) = node {
            self.places[number] = Some(nodes.len());
            nodes.push(node);
        }
    }

    /// The derivative by a station; those of a loop that it leads through are added.
    fn station(&mut self, lesson: &Lesson, number: usize, nodes: &mut Vec<Node>) -> Option<Node> {
        let Some((own, place)) = lesson.lecture.looped(number) else {
            let (next, value) = computed(lesson, number)?;
            let from = next.into_iter().filter_map(|next| self.places[next]).collect();
            return Some(Node { from, ..derivative(lesson, number, value) });
        };
        self.round(lesson, own, nodes);
        let (derivative, value) = lesson.operand(number, own, place)?;
        let from = self.loops[&own.node].sources(own, place);
        Some(Node { derivative, value, amplifier: None, asked: false, from })
    }

    /// What the derivative by an operand of a loop is computed of in a round, of which these are drawn.
    fn sources(&self, own: &Loop, place: usize) -> Vec<usize> {
        let Some(goal) = own.inputs[place] else { return Vec::new() };
        if let Some((within, place)) = own.round.looped(goal) {
            return self.loops[&within.node].sources(within, place);
        }
        let step = own.round.step_of(goal);
        let after = step.iter().flat_map(|&step| &own.round.steps[step].after);
        after.filter_map(|next| self.places[*next]).collect()
    }

    /// Adds the derivatives of a round of a loop, once.
    fn round<'a>(&mut self, lesson: &Lesson<'a>, own: &'a Loop, nodes: &mut Vec<Node>) {
        if self.loops.contains_key(&own.node) {
            return;
        }
        let inner = lesson.round(own, &Round::Any(0));
        // The results of the loop that a value of the round becomes.
        let ends = |name: &str| {
            let own_result = |which: &Which| match which {
                Which::Final(place) => *own.carries[*place].next == *name,
                Which::Yield(place) => *own.stacked[*place] == *name,
                Which::Trace(_) => false,
            };
            let results = own.results.iter().filter(move |(which, _)| own_result(which));
            results.filter_map(|(_, station)| self.places[*station]).collect::<Vec<usize>>()
        };
        let round = &own.round;
        let mut drawn = Drawn::new(round);
        for number in (0..round.stations.len()).rev() {
            if number == round.of || round.goals.contains(&number) {
                continue;
            }
            let node = drawn.station(&inner, number, nodes).map(|mut node| {
                if let Some((_, value)) = lesson.carry_case(own, number) {
                    node.value = value;
                }
                let step = round.step_of(number).map(|step| &round.steps[step]);
                if step.is_some_and(|step| step.after.contains(&round.of)) {
                    node.from.extend(ends(&round.stations[number].name));
                }
                node
            });
            drawn.add(number, node, nodes);
        }
        for (within, _) in round.goals.iter().filter_map(|&goal| round.looped(goal)) {
            drawn.round(&inner, within, nodes);
        }
        self.loops.insert(own.node, drawn);
    }
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
