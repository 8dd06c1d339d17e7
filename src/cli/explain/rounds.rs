//! The rounds of loops and their numbers, as formulas.

use super::lesson::Lesson;
use super::numbers::Numbered;
use super::shown::shown;
use crate::cli::out::Failure;
use crate::compile::lecture::{Lecture, Loop};
use crate::export::formula::{Formula, read};
use crate::export::sheet::Line;
use crate::ops::{Name, Size};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// The numbers of single rounds are shown of loops of so many, those of loops around them counted.
pub const ROUNDS: usize = 8;

/// A round of a loop.
#[derive(Clone)]
pub enum Round {
    /// Any, or that so many behind it.
    Any(i64),
    /// That of this number.
    At(Size),
}

impl Round {
    /// Its number, or that of a round `shift` away from it in time.
    pub fn number(&self, own: &Loop, shift: i64) -> Formula {
        let shift = if own.reverse { -shift } else { shift };
        match self {
            Round::Any(behind) => {
                let index = Formula::name(index(own));
                match shift + if own.reverse { -behind } else { *behind } {
                    0 => index,
                    more @ 1.. => Formula::infix("+", index, Formula::Number(more.to_string())),
                    less => Formula::infix("-", index, Formula::Number((-less).to_string())),
                }
            }
            Round::At(size) => {
                let text = (size.clone() + Size::Known(shift)).to_string();
                read(&text, &|_| None).unwrap_or(Formula::Word(text))
            }
        }
    }
}

/// The name of the number of a round.
pub fn index(own: &Loop) -> &str {
    &own.variables[0]
}

/// The first round in time, and the last.
pub fn ends(own: &Loop) -> [Round; 2] {
    let last = own.length.clone() - Size::Known(1);
    let ends = [Size::Known(0), last].map(Round::At);
    if own.reverse { [ends[1].clone(), ends[0].clone()] } else { ends }
}

/// A name in a round of a loop, in one of a loop within that, and so on.
pub fn staged(name: &str, rounds: &[Formula]) -> Formula {
    rounds.iter().cloned().fold(Formula::name(name), Formula::stage)
}

/// What stands for the first values of carries that have no name, `inside` rounds of other loops.
pub fn firsts(lecture: &Lecture, inside: &[Formula]) -> FxHashMap<Name, Formula> {
    let mut firsts = FxHashMap::default();
    for own in &lecture.loops {
        for carry in &own.carries {
            let station = lecture.stations.iter().find(|station| station.node == carry.first);
            if let Some(station) = station.filter(|station| !station.named) {
                firsts.insert(station.name.clone(), before(own, &carry.name, inside));
            }
        }
    }
    firsts
}

/// A carry before the first round.
pub fn before(own: &Loop, carry: &str, inside: &[Formula]) -> Formula {
    staged(carry, inside).stage(ends(own)[0].number(own, -1))
}

/// The formula in rounds of these numbers: `h[t-1]` where `t` is 2 is `h[1]`.
fn at_rounds(formula: &Formula, rounds: &[(&Formula, usize)]) -> Formula {
    let number = |formula: &Formula| {
        rounds.iter().find(|(index, _)| *index == formula).map(|(_, number)| *number as i64)
    };
    let round = |formula: &Formula| {
        let moved = match formula {
            Formula::Infix(symbol @ ("+" | "-"), left, right) => match (number(left), &**right) {
                (Some(place), Formula::Number(by)) => {
                    by.parse().ok().map(|by: i64| match *symbol {
                        "+" => place + by,
                        _ => place - by,
                    })
                }
                _ => None,
            },
            formula => number(formula),
        };
        moved.map_or_else(|| formula.clone(), |moved| Formula::Number(moved.to_string()))
    };
    match formula {
        Formula::Stage(of, places) => {
            let of = Box::new(at_rounds(of, rounds));
            Formula::Stage(of, places.iter().map(round).collect())
        }
        formula if number(formula).is_some() => round(formula),
        formula => formula.map(&mut |part| at_rounds(part, rounds)),
    }
}

/// The formula without zeros that are added.
pub fn without_zeros(formula: Formula) -> Formula {
    let zero = |formula: &Formula| *formula == Formula::Number("0".into());
    match formula {
        Formula::Infix(symbol @ ("+" | "-"), left, right) => {
            let (left, right) = (without_zeros(*left), without_zeros(*right));
            match (zero(&left), zero(&right)) {
                (_, true) => left,
                (true, false) if symbol == "+" => right,
                (true, false) => Formula::Prefix("-", Box::new(right)),
                (false, false) => Formula::infix(symbol, left, right),
            }
        }
        Formula::Prefix("-", x) => match without_zeros(*x) {
            x if zero(&x) => x,
            x => Formula::Prefix("-", Box::new(x)),
        },
        formula => formula,
    }
}

impl<'a> Lesson<'a> {
    /// The numbers of the rounds of all loops that are short enough.
    pub fn compute(&mut self) -> Result<(), Failure> {
        let Some(numbers) = &self.numbers else { return Ok(()) };
        for own in &self.lecture.loops {
            let rounds = numbers.rounds(self.lecture, own, &[], ROUNDS)?;
            self.rounds.insert(own.node, rounds.unwrap_or_default());
        }
        Ok(())
    }

    /// The numbers of the rounds of a loop; none where there are no numbers or too many rounds.
    pub fn counted(&self, own: &Loop) -> &[Rc<Numbered<'a>>] {
        self.rounds.get(&own.node).map_or(&[], Vec::as_slice)
    }

    /// The numbers of a value in each of the rounds that `backwards` tells the order of, so far in.
    pub fn numbered_rounds(&mut self, own: &'a Loop, name: &str, backwards: bool, depth: usize) {
        self.each_round(own, name, backwards, depth, |lesson, round| {
            let known = lesson.meanings(own, round);
            Some(known.get(name).cloned().unwrap_or_else(|| Formula::name(name)))
        });
    }

    /// The numbers of a value in each round, beside the formula of it there.
    fn each_round(
        &mut self,
        own: &'a Loop,
        name: &str,
        backwards: bool,
        depth: usize,
        formula: impl Fn(&Lesson<'a>, &Round) -> Option<Formula>,
    ) {
        let mut rounds = self.counted(own).to_vec();
        if backwards {
            rounds.reverse();
        }
        for round in rounds {
            let Some(value) = round.numbers.value(name) else { continue };
            let Some((place, around)) = round.at.split_last() else { continue };
            let Some(formula) = formula(self, &Round::At(Size::Known(*place as i64))) else {
                continue;
            };
            let around: Vec<(&Formula, usize)> =
                self.inside.iter().zip(around.iter().copied()).collect();
            let formula = at_rounds(&formula, &around);
            let value = Some(shown(value, self.phrases));
            self.line(Line { depth, value, ..Line::new(formula) });
        }
    }

    /// What each round adds to a derivative, or has of it.
    pub fn terms(&mut self, own: &'a Loop, goal: usize, slice: bool) {
        let adjoint = &own.round.stations[goal].adjoint;
        self.each_round(own, adjoint, true, 1, |lesson, round| match slice {
            true => lesson.meanings(own, round).get(adjoint).cloned(),
            false => lesson.flow(own, goal, round),
        });
    }
}
