//! The page of a derivation: forward pass, backward pass, product.

use super::layers::{hidden, is_layer};
use super::names::known;
use super::numbers::{Numbers, Rounds};
use super::phrases::{Phrases, fill};
use super::printed::{Printed, printed};
use super::product::{Goal, goal};
use super::rounds::{firsts, staged};
use super::rule::rule;
use super::shown::shown;
use super::temporaries::renamed;
use crate::cli::out::Failure;
use crate::compile::lecture::{Lecture, Loop, Station, Step};
use crate::export::formula::{Formula, read, text};
use crate::export::sheet::{Block, Line, Shown};
use crate::graph::print::{Cited, Part, Stated, stated};
use crate::graph::{NodeId, Output};
use crate::ops::{Misfit, Name, Op, Operator};
use rustc_hash::{FxHashMap, FxHashSet};

/// What is known while a page is written.
pub struct Lesson<'a> {
    pub lecture: &'a Lecture,
    pub phrases: &'a Phrases,
    pub numbers: Option<Numbers<'a>>,
    /// The entry of the one goal.
    pub entry: Option<Vec<usize>>,
    pub blocks: Vec<Block>,
    /// What stands for a name.
    pub known: FxHashMap<Name, Formula>,
    /// What has been printed.
    pub page: Printed,
    /// The rules that have been cited.
    pub cited: FxHashSet<String>,
    /// The stations with a layer between them and the scalar.
    pub hidden: Vec<bool>,
    /// The number of the round, where it is of one round of a loop, behind those of the loops around it: layers are not
    /// spoken of there.
    pub inside: Vec<Formula>,
    /// The numbers of the rounds of loops.
    pub rounds: Rounds<'a>,
}

/// The page, and what was found of each goal.
pub fn lesson<'a>(
    lecture: &'a Lecture,
    phrases: &'a Phrases,
    numbers: Option<Numbers<'a>>,
    whole: bool,
    entry: Option<Vec<usize>>,
) -> Result<(Lesson<'a>, Vec<Goal>), Failure> {
    let mut lesson = Lesson::new(lecture, phrases, numbers, entry);
    lesson.compute()?;
    if whole {
        let of = &lecture.stations[lecture.of].name;
        lesson.blocks.push(Block::Words(fill(phrases.chain, &[of])));
        lesson.blocks.push(Block::Heading(phrases.network.into()));
        for station in &lecture.stations {
            lesson.define(station)?;
        }
    }
    let mut headings = 0;
    let heading = lesson.blocks.len();
    let linear = lesson.forward(whole)?;
    if lesson.blocks.len() > heading {
        let words = if linear { phrases.inputs } else { phrases.movement };
        lesson.blocks.insert(heading, Block::Heading(words.into()));
        headings = 1;
    }
    let end = lesson.blocks.len();
    lesson.backward()?;
    headings += usize::from(lesson.blocks.len() > end);
    let goals = lesson.products(headings == 0)?;
    Ok((lesson, goals))
}

/// A misfit as the end of the verb.
pub fn fit(misfit: Misfit) -> Failure {
    Failure::Request(misfit.to_string())
}

impl<'a> Lesson<'a> {
    /// An empty page.
    pub fn new(
        lecture: &'a Lecture,
        phrases: &'a Phrases,
        numbers: Option<Numbers<'a>>,
        entry: Option<Vec<usize>>,
    ) -> Lesson<'a> {
        Lesson {
            lecture,
            phrases,
            numbers,
            entry,
            blocks: Vec::new(),
            known: known(lecture, firsts(lecture, &[])),
            page: printed(lecture, &[]),
            cited: FxHashSet::default(),
            hidden: hidden(lecture),
            inside: Vec::new(),
            rounds: FxHashMap::default(),
        }
    }

    pub fn of(&self) -> Formula {
        Formula::name(&self.lecture.stations[self.lecture.of].name)
    }

    /// Statements whose names stand for one thing each on the whole page.
    pub fn settled(&mut self, stated: Vec<Stated>, results: &[Output]) -> Vec<Stated> {
        let settled = self.page.shared.settled(stated, results);
        for stated in settled.iter().filter(|_| !self.inside.is_empty()) {
            let here = || staged(&stated.name, &self.inside);
            self.known.entry(stated.name.as_str().into()).or_insert_with(here);
        }
        settled
    }

    /// A printed expression.
    pub fn read(&self, text: &str) -> Option<Formula> {
        read(text, &|name| self.known.get(name).cloned())
    }

    /// The name of a value as it is shown.
    pub fn shown_name(&self, name: &str) -> Formula {
        self.known.get(name).cloned().unwrap_or_else(|| Formula::name(name))
    }

    pub fn shown(&self, name: &str) -> Option<Shown> {
        let numbers = self.numbers.as_ref()?;
        numbers.value(name).map(|value| shown(value, self.phrases))
    }

    pub fn line(&mut self, line: Line) {
        self.blocks.push(Block::Line(line));
    }

    pub fn part(&mut self, formula: Formula, value: Option<Shown>) {
        self.line(Line { depth: 1, value, ..Line::new(formula) });
    }

    /// The printed statements as formulas, those of loops as programs.
    pub fn tell(&mut self, stated: &Stated, depth: usize, value: Option<Shown>) {
        match self.read(&stated.text).filter(|_| stated.code.is_empty()) {
            Some(right) => {
                let formula = Formula::infix("=", self.shown_name(&stated.name), right);
                self.line(Line { depth, value, ..Line::new(formula) });
            }
            None => {
                let code = match stated.code.is_empty() {
                    true => vec![format!("{} = {}", stated.name, stated.text)],
                    false => self.code(&stated.code),
                };
                self.blocks.push(Block::Code(code));
            }
        }
    }

    /// A program in which what names of a round stand for is written out, but for values of the round itself.
    fn code(&self, lines: &[String]) -> Vec<String> {
        let own = |name: &str, formula: &Formula| match formula {
            Formula::Stage(of, _) => **of == Formula::name(name),
            formula => *formula == Formula::name(name),
        };
        let known = self.known.iter().filter(|(name, formula)| !own(name, formula));
        let known = known.map(|(name, formula)| (name.to_string(), text(formula))).collect();
        lines.iter().map(|line| renamed(line, &known)).collect()
    }

    /// How a station is computed, and the value of the function behind it.
    fn define(&mut self, station: &Station) -> Result<(), Failure> {
        if let Some(own) = self.result_of(station.node) {
            return self.recurrence(own);
        }
        if !self.lecture.model.operands(station.node).is_empty() {
            self.definition(station.node, &station.name, 0)?;
        }
        match &station.amplifier {
            Some(amplifier) if amplifier.named && !self.is_station(amplifier.node) => {
                self.definition(amplifier.node, &amplifier.value, 0)
            }
            _ => Ok(()),
        }
    }

    /// The loop that a station of that node is a result of.
    pub fn result_of(&self, node: NodeId) -> Option<&'a Loop> {
        let lecture = self.lecture;
        let result = |(_, result): &(_, usize)| lecture.stations[*result].node == node;
        lecture.loops.iter().find(|own| own.results.iter().any(result))
    }

    fn is_station(&self, node: NodeId) -> bool {
        self.lecture.stations.iter().any(|station| station.node == node)
    }

    /// How a named value is computed, so far in.
    pub fn definition(&mut self, node: NodeId, name: &Name, depth: usize) -> Result<(), Failure> {
        let model = self.lecture.definition(node, name).map_err(fit)?;
        for stated in self.settled(stated(&model, Part::Adjoint), &model.outputs) {
            let own = *stated.name == **name;
            let value = if own { self.shown(name) } else { None };
            if own || self.page.shared.is_news(&stated.name) {
                self.tell(&stated, depth, value);
            }
        }
        Ok(())
    }

    /// The derivatives by all stations that variables lead through, from the output back.
    fn backward(&mut self) -> Result<(), Failure> {
        let lecture = self.lecture;
        let last = |number: &usize| lecture.goals.contains(number) && !self.leads(*number);
        let direct = lecture.steps.iter().all(|step| step.of.iter().all(last));
        let through: Vec<usize> = (0..lecture.stations.len())
            .rev()
            .filter(|number| *number != lecture.of && !last(number))
            .collect();
        if direct && through.is_empty() && lecture.loops.is_empty() {
            return Ok(());
        }
        let of = lecture.stations[lecture.of].name.clone();
        self.blocks.push(Block::Heading(fill(self.phrases.backward, &[&of])));
        for number in through {
            self.statement(number)?;
        }
        for own in lecture.loops.iter().rev() {
            self.reversed(own)?;
        }
        Ok(())
    }

    /// Whether a goal is computed of other goals.
    fn leads(&self, number: usize) -> bool {
        self.lecture.steps.iter().any(|step| step.after.contains(&number))
    }

    /// The derivative by a station.
    pub fn statement(&mut self, number: usize) -> Result<(), Failure> {
        let lecture = self.lecture;
        if let Some((own, place)) = lecture.looped(number) {
            return self.flowed(number, own, place);
        }
        let station = &lecture.stations[number];
        let left = self.shown_name(&station.adjoint);
        let step = lecture.step_of(number);
        let Some(step) = step else {
            // The function behind it is a station itself.
            let Some(amplifier) = &station.amplifier else { return Ok(()) };
            let rest = (!self.is_end(amplifier.node)).then(|| self.shown_name(&amplifier.adjoint));
            self.amplified(number, left, rest);
            return Ok(());
        };
        self.temporaries(step);
        let own = station.amplifier.as_ref().map_or(&station.adjoint, |known| &known.adjoint);
        let stated = self.own(step, own);
        let right = stated
            .as_ref()
            .and_then(|stated| self.read(&stated.text).filter(|_| stated.code.is_empty()));
        match (right, &station.amplifier) {
            (Some(right), Some(_)) => {
                self.amplified(number, left, Some(right));
            }
            (Some(right), None) if right == left => {}
            (Some(right), None) => {
                let cited = stated.map(|stated| stated.cited).unwrap_or_default();
                let label = self.layer(number).unwrap_or_else(|| self.words(&cited));
                let value = self.shown(&station.adjoint);
                let number = matches!(value, Some(Shown::Number(_)));
                let formula = Formula::infix("=", left.clone(), right);
                let beside = value.clone().filter(|_| number);
                self.line(Line { label, value: beside, ..Line::new(formula) });
                if let Some(value) = value.filter(|_| !number) {
                    self.part(left, Some(value));
                }
                self.rules(&lecture.steps[step], &cited);
            }
            (None, amplifier) => {
                let value = self.shown(own);
                let remark = self.phrases.looped.to_string();
                let by = self.shown_name(own);
                self.line(Line { value, remark, ..Line::new(by) });
                if amplifier.is_some() {
                    let rest = Some(self.shown_name(own));
                    self.amplified(number, left, rest);
                }
            }
        }
        Ok(())
    }

    /// The statement of a derivative; of one that is another short one of the same step, what that is.
    pub fn own(&self, step: usize, name: &str) -> Option<Stated> {
        const SHORT: usize = 32;
        let printed = &self.page.steps[step];
        let mut stated = printed.iter().find(|stated| stated.name == name)?.clone();
        let same = printed.iter().find(|other| other.name == stated.text);
        if let Some(same) = same.filter(|other| other.text.len() <= SHORT) {
            stated.text.clone_from(&same.text);
            stated.cited = same.cited.clone();
        }
        Some(stated)
    }

    /// The formula of a derivative, short ones in it that have lines of their own written out.
    pub fn whole(&self, step: usize, name: &str) -> Option<Formula> {
        const SHORT: usize = 40;
        let mut known: FxHashMap<String, Formula> = FxHashMap::default();
        for stated in &self.page.steps[step] {
            let formula = read(&stated.text, &|name| {
                let own = Name::from(name);
                known.get(name).or_else(|| self.known.get(&own)).cloned()
            });
            if let Some(formula) = formula.filter(|_| stated.name != name && stated.code.is_empty())
                && text(&formula).len() <= SHORT
            {
                known.insert(stated.name.clone(), formula);
            }
        }
        let stated = self.own(step, name).filter(|stated| stated.code.is_empty())?;
        read(&stated.text, &|name| {
            known.get(name).or_else(|| self.known.get(&Name::from(name))).cloned()
        })
    }

    pub fn is_end(&self, node: NodeId) -> bool {
        self.lecture.stations[self.lecture.of].node == node
    }

    /// What the statements of a step share, once.
    pub fn temporaries(&mut self, step: usize) {
        let piece = &self.lecture.steps[step].piece;
        let results: FxHashSet<&str> = piece.outputs.iter().map(|output| &*output.name).collect();
        let printed = self.page.steps[step].clone();
        for stated in printed.iter().filter(|stated| !results.contains(stated.name.as_str())) {
            if self.page.shared.is_news(&stated.name) {
                self.tell(stated, 0, None);
            }
        }
    }

    /// The derivative by what is behind a function, times the slope of the function.
    fn amplified(&mut self, number: usize, left: Formula, rest: Option<Formula>) {
        let station = &self.lecture.stations[number];
        let Some(amplifier) = &station.amplifier else { return };
        let last = !self.hidden[number];
        let label = self.layer(number).unwrap_or_else(|| amplifier.row.word().into());
        let at = self.shown_name(&station.name);
        let slope = Formula::Slope(amplifier.row.word().into(), Box::new(at));
        let rest = rest.filter(|rest| *rest != Formula::Number("1".into()));
        let right = match &rest {
            None => slope.clone(),
            Some(rest) if last => Formula::infix("*", rest.clone(), slope.clone()),
            Some(rest) => Formula::infix("*", slope.clone(), rest.clone()),
        };
        self.line(Line { label, ..Line::new(Formula::infix("=", left.clone(), right)) });
        let named = matches!(rest, Some(Formula::Partial(..)));
        if let Some(rest) = rest.filter(|_| !named)
            && let Some(value) = self.shown(&amplifier.adjoint)
        {
            self.part(rest, Some(value));
        }
        let printed = stated(&amplifier.slope, Part::Adjoint);
        let printed = self.settled(printed, &amplifier.slope.outputs);
        let value = self.numbers.as_ref().and_then(|numbers| numbers.slopes.get(&station.name));
        let value = value.map(|value| shown(value, self.phrases));
        for (number, stated) in printed.iter().enumerate() {
            match self.read(&stated.text).filter(|_| number + 1 == printed.len()) {
                Some(right) => {
                    self.part(Formula::infix("=", slope.clone(), right), value.clone());
                }
                None if self.page.shared.is_news(&stated.name) => self.tell(stated, 1, None),
                None => {}
            }
        }
        if let Some(value) = self.shown(&station.adjoint) {
            self.part(left, Some(value));
        }
    }

    /// The lecture's cases of a layer.
    fn layer(&self, number: usize) -> Option<String> {
        let phrases = self.phrases;
        (self.inside.is_empty() && is_layer(self.lecture, number)).then(|| {
            let hidden = self.hidden[number];
            if hidden { phrases.hidden_layer } else { phrases.output_layer }.to_string()
        })
    }

    /// The rules in words.
    pub fn words(&self, cited: &Cited) -> String {
        let phrases = self.phrases;
        let mut words: Vec<String> = Vec::new();
        for (rule, operand) in cited.rules.iter().take(2) {
            let word = match (&**rule, operand) {
                ("binding", _) => continue,
                ("matmul", Some(0)) => phrases.left.to_string(),
                ("matmul", Some(_)) => phrases.right.to_string(),
                ("broadcast", _) => phrases.undone.to_string(),
                ("mul", _) => phrases.times.to_string(),
                ("div", _) => phrases.quotient.to_string(),
                ("add" | "sub", _) => phrases.sum.to_string(),
                (rule, _) => rule.replace('_', " "),
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(", ")
    }

    /// The rules of operators that a statement comes from, each once.
    pub fn rules(&mut self, step: &Step, cited: &Cited) {
        for (name, operand) in &cited.rules {
            let place = usize::from(operand.unwrap_or(0));
            if matches!(&**name, "broadcast" | "binding")
                || !self.cited.insert(format!("{name} {place}"))
            {
                continue;
            }
            let model = &self.lecture.model;
            let last = step.after.iter().map(|&next| self.lecture.stations[next].node).max();
            let first = step.of.iter().map(|&own| self.lecture.stations[own].node).min();
            let id = model.nodes().rev().find(|id| {
                Some(*id) <= last
                    && Some(*id) >= first
                    && model.op(*id).name() == *name
                    && model.operands(*id).len() > place
            });
            let Some(id) = id else { continue };
            let of = self.lecture.stations[self.lecture.of].name.to_string();
            let words = Cited { lines: Vec::new(), rules: vec![(name.clone(), *operand)] };
            if let Op::Custom(custom) = model.op(id) {
                let words = fill(self.phrases.own_rule, &[&custom.name]);
                self.blocks.push(Block::Words(words));
            } else if let Some((value, formula)) = rule(model, id, place, &of) {
                let value = text(&value);
                let label = fill(self.phrases.rule, &[&self.words(&words), &value]);
                self.line(Line { label, depth: 1, ..Line::new(formula) });
            }
        }
    }

    fn products(&mut self, direct: bool) -> Result<Vec<Goal>, Failure> {
        let of = self.lecture.stations[self.lecture.of].name.clone();
        let heading = match direct {
            true => fill(self.phrases.backward, &[&of]),
            false => self.phrases.product.to_string(),
        };
        self.blocks.push(Block::Heading(heading));
        let goals = self.lecture.goals.clone();
        goals.into_iter().map(|number| goal(self, number)).collect()
    }
}
