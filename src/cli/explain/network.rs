//! The reverse network of a gradient, to be drawn.

use super::lesson::Lesson;
use super::phrases::phrases;
use crate::cli::args::Lang;
use crate::compile::lecture::Lecture;
use crate::export::formula::Formula;
use crate::export::network::Node;

/// The derivatives from the scalar back, each with what it is computed of and the slope that it is multiplied by.
pub fn network(lecture: &Lecture) -> Vec<Node> {
    let lesson = Lesson::new(lecture, phrases(Lang::En), None, None);
    let one = Formula::Number("1".into());
    let mut places: Vec<Option<usize>> = vec![None; lecture.stations.len()];
    let mut nodes = Vec::new();
    let asked = |number: usize| lecture.goals.contains(&number);
    let through = (0..lecture.stations.len()).rev().filter(|&number| !asked(number));
    for number in through.chain(lecture.goals.iter().copied()) {
        if places[number].is_some() {
            continue;
        }
        let station = &lecture.stations[number];
        let step = lecture.steps.iter().position(|step| step.of.contains(&number));
        let amplifier = station.amplifier.as_ref();
        let behind = amplifier.map(|amplifier| amplifier.node);
        let (from, value) = match step {
            Some(step) => {
                let own = amplifier.map_or(&station.adjoint, |known| &known.adjoint);
                let value = lesson.whole(step, own);
                let from = lecture.steps[step].after.clone();
                (from, value.unwrap_or_else(|| Formula::Word("a loop".into())))
            }
            None if behind.is_some_and(|node| !lesson.is_end(node)) => {
                let next = lecture.stations.iter().position(|next| Some(next.node) == behind);
                let adjoint = amplifier.map_or(&station.adjoint, |known| &known.adjoint);
                (next.into_iter().collect(), lesson.shown_name(adjoint))
            }
            None if behind.is_some() => (vec![lecture.of], one.clone()),
            None if number == lecture.of => (Vec::new(), one.clone()),
            None => continue,
        };
        places[number] = Some(nodes.len());
        let at = Formula::name(&station.name);
        nodes.push(Node {
            derivative: lesson.shown_name(&station.adjoint),
            value,
            amplifier: amplifier
                .map(|amplifier| Formula::Slope(amplifier.row.word().into(), Box::new(at))),
            asked: asked(number),
            from: from.into_iter().filter_map(|next| places[next]).collect(),
        });
    }
    nodes
}
