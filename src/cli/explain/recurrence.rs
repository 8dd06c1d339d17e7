//! Loops as recurrences, and the pages of their rounds.

use super::lesson::{Lesson, fit};
use super::names::known;
use super::passage::within;
use super::phrases::fill;
use super::rounds::{ROUNDS, Round, before, ends, firsts, index, staged};
use crate::cli::out::Failure;
use crate::compile::lecture::{Loop, Meaning};
use crate::export::formula::{Formula, text};
use crate::export::sheet::{Block, Line};
use crate::graph::print::{Part, stated};
use crate::ops::Name;
use crate::ops::scan::Which;
use rustc_hash::FxHashMap;

impl<'a> Lesson<'a> {
    /// What the names in a round stand for.
    pub fn meanings(&self, own: &'a Loop, round: &Round) -> FxHashMap<Name, Formula> {
        let inside = self.within(own, round);
        let here = |name: &str| staged(name, &inside);
        let mut given = FxHashMap::default();
        for (name, meaning) in &own.meanings {
            let formula = match meaning {
                Meaning::Index => round.number(own, 0),
                Meaning::Before(place) => {
                    staged(&own.carries[*place].name, &self.inside).stage(round.number(own, -1))
                }
                Meaning::Slice(array) => self.shown_name(array).stage(round.number(own, 0)),
                Meaning::Outside(name) => self.shown_name(name),
                Meaning::Here(name) => here(name),
                Meaning::Seed(place) => {
                    Formula::partial(self.of(), here(&own.carries[*place].name))
                }
                Meaning::Stacked(station) => {
                    let station = &self.lecture.stations[*station];
                    let row = self.shown_name(&station.name).stage(round.number(own, 0));
                    Formula::partial(self.of(), row)
                }
            };
            given.insert(name.clone(), formula);
        }
        given.extend(firsts(&own.round, &inside));
        let end = own.round.stations[own.round.of].node;
        for (_, name) in own.round.named().filter(|(node, _)| *node != end) {
            given.entry(name.clone()).or_insert_with(|| here(name));
        }
        let mut all = known(&own.round, given);
        let printed = self.page.loops.get(&own.node).map(|page| &page.steps);
        for name in printed.into_iter().flatten().flatten().map(|stated| stated.name.as_str()) {
            all.entry(Name::from(name)).or_insert_with(|| here(name));
        }
        all
    }

    /// The numbers of a round and of those around it.
    fn within(&self, own: &Loop, round: &Round) -> Vec<Formula> {
        self.inside.iter().cloned().chain([round.number(own, 0)]).collect()
    }

    /// A page about one round.
    pub fn round(&self, own: &'a Loop, round: &Round) -> Lesson<'a> {
        Lesson {
            lecture: &own.round,
            phrases: self.phrases,
            numbers: None,
            entry: None,
            blocks: Vec::new(),
            known: self.meanings(own, round),
            page: self.page.loops.get(&own.node).cloned().unwrap_or_default(),
            cited: self.cited.clone(),
            hidden: vec![true; own.round.stations.len()],
            inside: self.within(own, round),
            rounds: within(own, self.counted(own)),
        }
    }

    /// Takes over what a page about a round says.
    pub fn take(&mut self, own: &Loop, inner: Lesson<'a>) {
        self.blocks.extend(inner.blocks);
        self.cited = inner.cited;
        self.page.loops.insert(own.node, inner.page);
    }

    /// The recurrence of a loop with its first values and its results, once.
    pub fn recurrence(&mut self, own: &'a Loop) -> Result<(), Failure> {
        if !self.page.told[0].insert(own.node) {
            return Ok(());
        }
        let lecture = self.lecture;
        let depth = self.inside.len();
        for (node, name) in &own.extras {
            self.definition(*node, name, depth)?;
        }
        for carry in &own.carries {
            let mut stations = lecture.stations.iter();
            if stations.any(|station| station.node == carry.first && !station.named) {
                continue;
            }
            let left = before(own, &carry.name, &self.inside);
            let right = match lecture.name(carry.first) {
                Some(name) => Some(self.shown_name(name)),
                None => {
                    let model = lecture.definition(carry.first, &carry.name).map_err(fit)?;
                    let stated = stated(&model, Part::Adjoint);
                    stated.last().and_then(|stated| self.read(&stated.text))
                }
            };
            if let Some(right) = right {
                self.line(Line { depth, ..Line::new(Formula::infix("=", left, right)) });
            }
        }
        let [first, last] = ends(own).map(|round| text(&round.number(own, 0)));
        if self.rounds.get(&own.node).is_some_and(Vec::is_empty) {
            let words = fill(self.phrases.many_rounds, &[&ROUNDS.to_string()]);
            self.blocks.push(Block::Inside(words, depth));
        }
        let words = fill(self.phrases.rounds, &[index(own), &first, &last]);
        self.blocks.push(Block::Inside(words, depth));
        self.body(own, depth + 1)?;
        for (which, station) in &own.results {
            let Which::Final(place) = which else { continue };
            let name = &lecture.stations[*station].name;
            let carry = staged(&own.carries[*place].name, &self.inside);
            let right = carry.stage(ends(own)[1].number(own, 0));
            let value = self.shown(name);
            let formula = Formula::infix("=", self.shown_name(name), right);
            self.line(Line { depth, value, ..Line::new(formula) });
        }
        Ok(())
    }

    /// What a round of a loop computes, so far in.
    fn body(&mut self, own: &'a Loop, depth: usize) -> Result<(), Failure> {
        let round = &own.round;
        let slopes = round.stations.iter().filter_map(|station| station.amplifier.as_ref());
        let unnamed: Vec<_> = slopes.filter(|known| !known.named).map(|known| known.node).collect();
        let end = round.stations[round.of].node;
        let mut named: Vec<_> = round.named().filter(|(node, _)| *node != end).collect();
        named
            .retain(|(node, _)| !round.model.operands(*node).is_empty() && !unnamed.contains(node));
        named.sort();
        for (node, name) in named {
            let mut inner = self.round(own, &Round::Any(0));
            match inner.result_of(node) {
                Some(within) => inner.recurrence(within)?,
                None => inner.definition(node, name, depth)?,
            }
            self.take(own, inner);
            if own.carries.iter().any(|carry| carry.next == *name) {
                self.numbered_rounds(own, name, false, depth);
            }
        }
        let inner = self.round(own, &Round::Any(0));
        let equal = |left: Formula, right: Formula| Line {
            depth,
            ..Line::new(Formula::infix("=", left, right))
        };
        for carry in own.carries.iter().filter(|carry| !carry.own) {
            let left = staged(&carry.name, &inner.inside);
            self.line(equal(left, inner.shown_name(&carry.next)));
        }
        for (which, station) in &own.results {
            let value = match which {
                Which::Yield(place) => &own.stacked[*place],
                Which::Trace(place) => &own.variables[1 + place],
                Which::Final(_) => continue,
            };
            let name = self.shown_name(&self.lecture.stations[*station].name);
            let left = name.stage(Round::Any(0).number(own, 0));
            let right = inner.shown_name(value);
            if left != right {
                self.line(equal(left, right));
            }
        }
        Ok(())
    }
}
