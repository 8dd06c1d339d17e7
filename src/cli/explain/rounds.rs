//! The rounds of loops and their numbers, as formulas.

use crate::compile::lecture::{Lecture, Loop};
use crate::export::formula::{Formula, read};
use crate::ops::{Name, Size};
use rustc_hash::FxHashMap;

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

/// What stands for the first values of carries that have no name.
pub fn firsts(lecture: &Lecture) -> FxHashMap<Name, Formula> {
    let mut firsts = FxHashMap::default();
    for own in &lecture.loops {
        for carry in &own.carries {
            let station = lecture.stations.iter().find(|station| station.node == carry.first);
            if let Some(station) = station.filter(|station| !station.named) {
                firsts.insert(station.name.clone(), before(own, &carry.name));
            }
        }
    }
    firsts
}

/// A carry before the first round.
pub fn before(own: &Loop, carry: &str) -> Formula {
    Formula::name(carry).stage(ends(own)[0].number(own, -1))
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
