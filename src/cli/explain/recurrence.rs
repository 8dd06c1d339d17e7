//! Loops as recurrences: forwards, backwards, and the derivatives as sums over the rounds.

use super::lesson::{Lesson, fit};
use super::names::known;
use super::numbers::Numbers;
use super::phrases::fill;
use super::product::Goal;
use super::rounds::{Round, before, ends, index, without_zeros};
use super::shown::shown;
use crate::cli::out::Failure;
use crate::compile::lecture::{Carry, Loop, Meaning};
use crate::export::formula::{Formula, read, text};
use crate::export::sheet::{Block, Line};
use crate::graph::print::Part;
use crate::graph::print::stated;
use crate::ops::scan::Which;
use crate::ops::{Name, Size};
use rustc_hash::FxHashMap;

/// The numbers of single rounds are shown of loops of so many.
const ROUNDS: usize = 8;

/// What is said of a derivative, given what names stand for.
type Value<'v> = &'v dyn Fn(&FxHashMap<Name, Formula>) -> Option<Formula>;

/// Whether a value of the round of that name is what becomes of a carry, through which a derivative flows.
fn is_carry(carry: &Carry, name: &str) -> bool {
    carry.own && *carry.next == *name && carry.seed.is_some()
}

impl<'a> Lesson<'a> {
    /// The numbers of the rounds of all loops that are short enough.
    pub fn compute(&mut self) -> Result<(), Failure> {
        let Some(numbers) = &self.numbers else { return Ok(()) };
        let mut all = Vec::new();
        for own in &self.lecture.loops {
            let rounds = numbers.rounds(self.lecture, own, ROUNDS)?;
            all.extend(rounds.map(|rounds| (own.node, rounds)));
        }
        self.rounds.extend(all);
        Ok(())
    }

    /// What the names in a round stand for.
    fn staged(&self, own: &'a Loop, round: &Round) -> FxHashMap<Name, Formula> {
        let here = |name: &str| Formula::name(name).stage(round.number(own, 0));
        let mut given = FxHashMap::default();
        for (name, meaning) in &own.meanings {
            let formula = match meaning {
                Meaning::Index => round.number(own, 0),
                Meaning::Before(place) => {
                    Formula::name(&own.carries[*place].name).stage(round.number(own, -1))
                }
                Meaning::Slice(array) => self.shown_name(array).stage(round.number(own, 0)),
                Meaning::Outside(name) => self.shown_name(name),
                Meaning::Here(name) => here(name),
                Meaning::Seed(place) => {
                    Formula::partial(self.of(), here(&own.carries[*place].name))
                }
                Meaning::Stacked(station) => {
                    let adjoint = self.shown_name(&self.lecture.stations[*station].adjoint);
                    adjoint.stage(round.number(own, 0))
                }
            };
            given.insert(name.clone(), formula);
        }
        let end = own.round.stations[own.round.of].node;
        for (_, name) in own.round.named().filter(|(node, _)| *node != end) {
            given.entry(name.clone()).or_insert_with(|| here(name));
        }
        let mut all = known(&own.round, given);
        let printed = self.pages.get(&own.node).map(|page| &page.0);
        for name in printed.into_iter().flatten().flatten().map(|stated| stated.name.as_str()) {
            all.entry(Name::from(name)).or_insert_with(|| here(name));
        }
        all
    }

    /// A page about one round.
    pub fn round(&self, own: &'a Loop, round: &Round) -> Lesson<'a> {
        let page = self.pages.get(&own.node).cloned().unwrap_or_default();
        let mut inner = Lesson::of_page(&own.round, self.phrases, None, None, page);
        inner.known = self.staged(own, round);
        inner.round = Some(round.number(own, 0));
        inner.hidden.fill(true);
        inner.cited.clone_from(&self.cited);
        inner
    }

    /// Takes over what a page about a round says.
    fn take(&mut self, own: &Loop, inner: Lesson<'a>) {
        self.blocks.extend(inner.blocks);
        self.cited = inner.cited;
        self.pages.insert(own.node, (inner.printed, inner.shared));
    }

    /// The numbers of a value in each of the rounds that `backwards` tells the order of.
    fn numbered_rounds(&mut self, own: &'a Loop, name: &str, backwards: bool) {
        self.each_round(own, name, backwards, |lesson, round| {
            let known = lesson.staged(own, round);
            Some(known.get(name).cloned().unwrap_or_else(|| Formula::name(name)))
        });
    }

    /// The numbers of a value in each round, beside the formula of it there.
    fn each_round(
        &mut self,
        own: &'a Loop,
        name: &str,
        backwards: bool,
        formula: impl Fn(&Lesson<'a>, &Round) -> Option<Formula>,
    ) {
        let Some(rounds) = self.rounds.remove(&own.node) else { return };
        let mut order: Vec<(usize, &Numbers)> = rounds.iter().enumerate().collect();
        if backwards {
            order.reverse();
        }
        for (number, numbers) in order {
            let Some(value) = numbers.value(name) else { continue };
            let place = if own.reverse { rounds.len() - 1 - number } else { number };
            if let Some(formula) = formula(self, &Round::At(Size::Known(place as i64))) {
                let value = shown(value, self.phrases);
                self.part(formula, Some(value));
            }
        }
        self.rounds.insert(own.node, rounds);
    }

    /// The recurrence of a loop with its first values and its results, once.
    pub fn recurrence(&mut self, own: &'a Loop) -> Result<(), Failure> {
        if !self.told_loops[0].insert(own.node) {
            return Ok(());
        }
        let lecture = self.lecture;
        for (node, name) in &own.extras {
            self.definition(*node, name, false)?;
        }
        for carry in &own.carries {
            let unnamed = |name: &Name| self.known.contains_key(name);
            if lecture.name(carry.first).is_some_and(unnamed) {
                continue;
            }
            let left = before(own, &carry.name);
            let right = match lecture.name(carry.first) {
                Some(name) => Some(self.shown_name(name)),
                None => {
                    let model = lecture.definition(carry.first, &carry.name).map_err(fit)?;
                    let stated = stated(&model, Part::Adjoint);
                    stated.last().and_then(|stated| self.read(&stated.text))
                }
            };
            if let Some(right) = right {
                self.line(Line::new(Formula::infix("=", left, right)));
            }
        }
        let [first, last] = ends(own).map(|round| text(&round.number(own, 0)));
        if self.numbers.is_some() && !self.rounds.contains_key(&own.node) {
            let words = fill(self.phrases.many_rounds, &[&ROUNDS.to_string()]);
            self.blocks.push(Block::Words(words));
        }
        self.blocks.push(Block::Words(fill(self.phrases.rounds, &[index(own), &first, &last])));
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
            inner.definition(node, name, true)?;
            self.take(own, inner);
            if own.carries.iter().any(|carry| carry.next == *name) {
                self.numbered_rounds(own, name, false);
            }
        }
        let inner = self.round(own, &Round::Any(0));
        for carry in own.carries.iter().filter(|carry| !carry.own) {
            let left = Formula::name(&carry.name).stage(Round::Any(0).number(own, 0));
            self.part(Formula::infix("=", left, inner.shown_name(&carry.next)), None);
        }
        for (which, station) in &own.results {
            let value = match which {
                Which::Yield(place) => &own.stacked[*place],
                Which::Trace(place) => &own.variables[1 + place],
                Which::Final(_) => continue,
            };
            let name = Formula::name(&lecture.stations[*station].name);
            let left = name.stage(Round::Any(0).number(own, 0));
            let right = inner.shown_name(value);
            if left != right {
                self.part(Formula::infix("=", left, right), None);
            }
        }
        for (which, station) in &own.results {
            let Which::Final(place) = which else { continue };
            let name = &lecture.stations[*station].name;
            let right = Formula::name(&own.carries[*place].name).stage(ends(own)[1].number(own, 0));
            let value = self.shown(name);
            let formula = Formula::infix("=", self.shown_name(name), right);
            self.line(Line { value, ..Line::new(formula) });
        }
        Ok(())
    }

    /// The recurrence of the derivatives, from the last round back, once.
    pub fn reversed(&mut self, own: &'a Loop) -> Result<(), Failure> {
        if !self.told_loops[1].insert(own.node) {
            return Ok(());
        }
        let [first, last] = ends(own).map(|round| text(&round.number(own, 0)));
        let words = fill(self.phrases.rounds_back, &[index(own), &last, &first]);
        self.blocks.push(Block::Words(words));
        let round = &own.round;
        let here = Round::Any(0);
        for place in (0..own.carries.len()).filter(|&place| !own.carries[place].own) {
            if let Some(seed) = &own.carries[place].seed {
                self.carried(own, place, &|known| known.get(seed).cloned());
                self.numbered_rounds(own, seed, true);
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
            self.numbered_rounds(own, &station.adjoint, true);
        }
        let mut inner = self.round(own, &here);
        for goal in goals {
            if let Some(step) = round.step_of(goal) {
                inner.temporaries(step);
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
        let mut known = self.staged(own, &round);
        known.insert(carry.seed.clone()?, behind);
        let by = Formula::name(&carry.name).stage(round.number(own, 0));
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
    fn flow(&self, own: &'a Loop, goal: usize, round: &Round) -> Option<Formula> {
        let inner = self.round(own, round);
        let Some(step) = own.round.step_of(goal) else {
            return Some(Formula::Number("0".into()));
        };
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
        let step = own.round.step_of(goal);
        let mut inner = self.round(own, &Round::Any(0));
        let stated = step.and_then(|step| inner.own(step, &own.round.stations[goal].adjoint));
        let cited = stated.map(|stated| stated.cited).unwrap_or_default();
        let label = inner.words(&cited);
        let formula = Formula::infix("=", left, right);
        self.line(Line { label, ..Line::new(formula) });
        if let Some(step) = step {
            inner.rules(&own.round.steps[step], &cited);
            self.take(own, inner);
        }
        if !first && self.rounds.contains_key(&own.node) {
            self.terms(own, goal, slice);
        }
        if let Some(value) = value.filter(|_| !slice || !self.rounds.contains_key(&own.node)) {
            self.part(self.shown_name(&station.adjoint), Some(value));
        }
        Ok(())
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
                let row = self.shown_name(&station.name).stage(any.number(own, 0));
                (Formula::partial(self.of(), row), self.flow(own, goal, &any)?)
            }
            _ => {
                let axes = vec![Formula::name(index(own))];
                let args = vec![self.flow(own, goal, &any)?];
                (left, Formula::Call { name: "sum".into(), axes, args })
            }
        })
    }

    fn meaning(&self, own: &'a Loop, place: usize) -> &'a Meaning {
        &own.meanings[&own.variables[1 + place]]
    }

    /// What each round adds to a derivative, or has of it.
    fn terms(&mut self, own: &'a Loop, goal: usize, slice: bool) {
        let adjoint = &own.round.stations[goal].adjoint;
        self.each_round(own, adjoint, true, |lesson, round| match slice {
            true => lesson.staged(own, round).get(adjoint).cloned(),
            false => lesson.flow(own, goal, round),
        });
    }

    /// How an operand of a loop moves the next values in a round; whether by factors.
    pub fn moved_in_rounds(&mut self, own: &'a Loop, place: usize) -> Result<bool, Failure> {
        let Some(goal) = own.inputs[place] else { return Ok(true) };
        let Some(nudge) = own.round.nudge(goal).map_err(fit)? else { return Ok(true) };
        let (mut inner, _) = self.entered(own, place);
        let linear = inner.movement(goal, &nudge, true)?;
        self.take(own, inner);
        Ok(linear)
    }

    /// The page of the round that an entry of an operand belongs to, and the numbers of the rounds that it acts on first.
    fn entered(&self, own: &'a Loop, place: usize) -> (Lesson<'a>, Vec<usize>) {
        let count = self.rounds.get(&own.node).map_or(0, Vec::len);
        let entry = self.entry.clone();
        let (round, rounds, entry) = match (self.meaning(own, place), entry) {
            (Meaning::Before(_), entry) => (ends(own)[0].clone(), vec![0], entry),
            (Meaning::Slice(_), Some(entry)) if !entry.is_empty() => {
                let at = entry[0];
                let order = if own.reverse { count.wrapping_sub(at + 1) } else { at };
                (Round::At(Size::Known(at as i64)), vec![order], Some(entry[1..].to_vec()))
            }
            (_, entry) => (Round::Any(0), (0..count).collect(), entry),
        };
        let mut inner = self.round(own, &round);
        inner.entry = entry;
        (inner, rounds)
    }

    /// The derivative by one entry of an operand of a loop: over all rounds that it acts on, forward pass times backward pass.
    pub fn entry_in_rounds(
        &mut self,
        number: usize,
        own: &'a Loop,
        place: usize,
        found: &mut Goal,
    ) -> Result<(), Failure> {
        let Some(goal) = own.inputs[place] else { return Ok(()) };
        let Some(nudge) = own.round.nudge(goal).map_err(fit)? else { return Ok(()) };
        let (mut inner, wanted) = self.entered(own, place);
        let mut axes = Vec::new();
        if let Meaning::Outside(_) = self.meaning(own, place) {
            axes.push(Formula::name(index(own)));
        }
        let ways = inner.ways(goal, &nudge)?;
        let Some(sum) = inner.ways_summed(goal, &ways, &axes) else { return Ok(()) };
        let mut pairs = None;
        if let Some(mut rounds) = self.rounds.remove(&own.node) {
            let mut all = Vec::new();
            let count = rounds.len();
            for round in wanted.into_iter().filter(|&round| round < count) {
                inner.numbers = Some(rounds.remove(round));
                let ways = inner.ways(goal, &nudge)?;
                all.extend(ways.into_iter().flat_map(|way| way.pairs));
                rounds.insert(round, inner.numbers.take().expect("it was put there"));
            }
            pairs = Some(all);
            self.rounds.insert(own.node, rounds);
        }
        self.summed(number, sum, pairs, found);
        Ok(())
    }
}
