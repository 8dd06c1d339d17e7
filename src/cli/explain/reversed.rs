//! Loops backwards: the derivatives from the last round to the first, and as sums over the rounds.

use super::lesson::Lesson;
use super::phrases::fill;
use super::rounds::{Round, ends, index, staged, without_zeros};
use crate::cli::out::Failure;
use crate::compile::lecture::{Carry, Loop, Meaning};
use crate::export::formula::{Formula, read, text};
use crate::export::sheet::{Block, Line};
use crate::ops::Name;
use crate::ops::scan::Which;
use rustc_hash::FxHashMap;

/// What is said of a derivative, given what names stand for.
type Value<'v> = &'v dyn Fn(&FxHashMap<Name, Formula>) -> Option<Formula>;

/// Whether a value of the round of that name is what becomes of a carry, through which a derivative flows.
fn is_carry(carry: &Carry, name: &str) -> bool {
    carry.own && *carry.next == *name && carry.seed.is_some()
}

/// The sum over these rounds of what may be a sum over those of a loop `within`.
pub fn over(mut axes: Vec<Formula>, term: Formula, within: Option<(&Loop, usize)>) -> Formula {
    let inner = within.map(|(own, _)| Formula::name(index(own)));
    match term {
        Formula::Call { name, axes: more, args }
            if name == "sum" && inner.is_some() && more.first() == inner.as_ref() =>
        {
            axes.extend(more);
            Formula::Call { name, axes, args }
        }
        term if axes.is_empty() => term,
        term => Formula::Call { name: "sum".into(), axes, args: vec![term] },
    }
}

impl<'a> Lesson<'a> {
    /// The recurrence of the derivatives, from the last round back, once.
    pub fn reversed(&mut self, own: &'a Loop) -> Result<(), Failure> {
        if !self.page.told[1].insert(own.node) {
            return Ok(());
        }
        let [first, last] = ends(own).map(|round| text(&round.number(own, 0)));
        let phrase = match self.inside.is_empty() {
            true => self.phrases.rounds_back,
            false => self.phrases.rounds_back_within,
        };
        let words = fill(phrase, &[index(own), &last, &first]);
        self.blocks.push(Block::Words(words));
        let round = &own.round;
        let here = Round::Any(0);
        for place in (0..own.carries.len()).filter(|&place| !own.carries[place].own) {
            if let Some(seed) = &own.carries[place].seed {
                self.carried(own, place, &|known| known.get(seed).cloned());
                self.numbered_rounds(own, seed, true, 1);
            }
        }
        let goals: Vec<usize> = own.inputs.iter().flatten().copied().collect();
        for number in (0..round.stations.len()).rev() {
            if number == round.of || goals.contains(&number) {
                continue;
            }
            let station = &round.stations[number];
            let carry = |carry: &Carry| is_carry(carry, &station.name);
            let mut inner = self.round(own, &here);
            let inner_parts = round.looped(number).is_some_and(|(within, place)| {
                let slice = matches!(inner.meaning(within, place), Meaning::Slice(_));
                slice && !inner.counted(within).is_empty()
            });
            match own.carries.iter().position(carry) {
                None => {
                    inner.statement(number)?;
                    self.take(own, inner);
                }
                Some(place) => {
                    let Some(step) = round.step_of(number) else { continue };
                    inner.temporaries(step);
                    let stated = inner.own(step, &station.adjoint);
                    self.take(own, inner);
                    let Some(stated) = stated else { continue };
                    let text = |known: &FxHashMap<Name, Formula>| {
                        read(&stated.text, &|name| known.get(name).cloned())
                    };
                    self.carried(own, place, &text);
                }
            }
            // Of an array that a loop within goes through they stand beside its parts.
            if !inner_parts {
                self.numbered_rounds(own, &station.adjoint, true, 1);
            }
        }
        let mut inner = self.round(own, &here);
        for goal in goals {
            match (round.looped(goal), round.step_of(goal)) {
                (Some((within, _)), _) => inner.reversed(within)?,
                (None, Some(step)) => inner.temporaries(step),
                (None, None) => {}
            }
        }
        self.take(own, inner);
        Ok(())
    }

    /// The derivative by a carry: at the last round from what follows the loop, before from the next round.
    fn carried(&mut self, own: &'a Loop, place: usize, value: Value) {
        let phrases = self.phrases;
        let cases = [
            (self.case(own, place, value, true), phrases.output_layer, phrases.last_round),
            (self.case(own, place, value, false), phrases.hidden_layer, phrases.other_rounds),
        ];
        for (case, label, remark) in cases {
            let Some((left, right)) = case else { continue };
            let (label, remark) = (label.to_string(), remark.to_string());
            self.line(Line { label, remark, ..Line::new(Formula::infix("=", left, right)) });
        }
    }

    /// The derivative by a carry behind the last round or one before, and what it is: the `value` among what names stand for,
    /// with what leaves the round put in.
    fn case(
        &self,
        own: &'a Loop,
        place: usize,
        value: Value,
        last: bool,
    ) -> Option<(Formula, Formula)> {
        let carry = &own.carries[place];
        let zero = Formula::Number("0".into());
        let (round, behind) = if last {
            let result = own.results.iter().find(|(which, _)| *which == Which::Final(place));
            let behind = result.map_or(zero, |(_, station)| match *station {
                end if end == self.lecture.of => Formula::Number("1".into()),
                station => self.shown_name(&self.lecture.stations[station].adjoint),
            });
            (ends(own)[1].clone(), behind)
        } else {
            let flow = own.inputs[place].map(|goal| self.flow(own, goal, &Round::Any(1)));
            (Round::Any(0), flow.unwrap_or(Some(zero))?)
        };
        let mut known = self.meanings(own, &round);
        known.insert(carry.seed.clone()?, behind);
        let by = staged(&carry.name, &self.inside).stage(round.number(own, 0));
        Some((Formula::partial(self.of(), by), without_zeros(value(&known)?)))
    }

    /// The derivative by a value of any round but the last, for a carry that is computed in it.
    pub fn carry_case(&self, own: &'a Loop, number: usize) -> Option<(Formula, Formula)> {
        let station = &own.round.stations[number];
        let place = own.carries.iter().position(|carry| is_carry(carry, &station.name))?;
        let step = own.round.step_of(number)?;
        let stated = self.round(own, &Round::Any(0)).own(step, &station.adjoint)?;
        let value =
            |known: &FxHashMap<Name, Formula>| read(&stated.text, &|name| known.get(name).cloned());
        self.case(own, place, &value, false)
    }

    /// The derivative by an input of a round through that round.
    pub fn flow(&self, own: &'a Loop, goal: usize, round: &Round) -> Option<Formula> {
        let inner = self.round(own, round);
        let Some(step) = own.round.step_of(goal) else {
            return Some(Formula::Number("0".into()));
        };
        if let Some((within, place)) = own.round.looped(goal) {
            return inner.operand(goal, within, place).map(|(_, flow)| flow);
        }
        let stated = inner.own(step, &own.round.stations[goal].adjoint)?;
        inner.read(&stated.text).filter(|_| stated.code.is_empty())
    }

    /// The derivative by what a loop reads as that operand: of the first value of a carry through the first round, of an array
    /// round by round, of another value the sum over the rounds.
    pub fn flowed(&mut self, number: usize, own: &'a Loop, place: usize) -> Result<(), Failure> {
        self.reversed(own)?;
        let station = &self.lecture.stations[number];
        let value = self.shown(&station.adjoint);
        let Some(goal) = own.inputs[place] else { return Ok(()) };
        let Some((left, right)) = self.operand(number, own, place) else { return Ok(()) };
        let slice = matches!(self.meaning(own, place), Meaning::Slice(_));
        let first = matches!(self.meaning(own, place), Meaning::Before(_));
        let (label, rules) = self.cited_in_rounds(own, goal);
        self.line(Line { label, ..Line::new(Formula::infix("=", left, right)) });
        self.blocks.extend(rules);
        let numbered = !self.counted(own).is_empty();
        if !first && numbered {
            self.terms(own, goal, slice);
        }
        if let Some(value) = value.filter(|_| !slice || !numbered) {
            self.part(self.shown_name(&station.adjoint), Some(value));
        }
        Ok(())
    }

    /// The rules that the derivative by an input of a round comes from, in words and as formulas.
    fn cited_in_rounds(&mut self, own: &'a Loop, goal: usize) -> (String, Vec<Block>) {
        let mut inner = self.round(own, &Round::Any(0));
        let mut found = (String::new(), Vec::new());
        if let Some((within, place)) = own.round.looped(goal) {
            if let Some(goal) = within.inputs[place] {
                found = inner.cited_in_rounds(within, goal);
            }
        } else if let Some(step) = own.round.step_of(goal) {
            let stated = inner.own(step, &own.round.stations[goal].adjoint);
            let cited = stated.map(|stated| stated.cited).unwrap_or_default();
            inner.rules(&own.round.steps[step], &cited);
            found = (inner.words(&cited), std::mem::take(&mut inner.blocks));
        }
        self.take(own, inner);
        found
    }

    /// The derivative by what a loop reads as that operand, and what it is.
    pub fn operand(
        &self,
        number: usize,
        own: &'a Loop,
        place: usize,
    ) -> Option<(Formula, Formula)> {
        let station = &self.lecture.stations[number];
        let left = self.shown_name(&station.adjoint);
        let goal = own.inputs[place]?;
        let any = Round::Any(0);
        Some(match self.meaning(own, place) {
            Meaning::Before(_) => (left, self.flow(own, goal, &ends(own)[0])?),
            Meaning::Slice(_) => {
                if let Some((within, place)) = own.round.looped(goal) {
                    return self.round(own, &any).operand(goal, within, place);
                }
                let row = self.shown_name(&station.name).stage(any.number(own, 0));
                (Formula::partial(self.of(), row), self.flow(own, goal, &any)?)
            }
            _ => {
                let flow = self.flow(own, goal, &any)?;
                (left, over(vec![Formula::name(index(own))], flow, own.round.looped(goal)))
            }
        })
    }

    /// What the operand of a loop is in a round.
    pub fn meaning(&self, own: &'a Loop, place: usize) -> &'a Meaning {
        &own.meanings[&own.variables[1 + place]]
    }
}
