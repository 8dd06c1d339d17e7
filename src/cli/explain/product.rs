//! The two ends of a derivation: how a variable moves the next values, and the product of both passes.

use super::lesson::{Lesson, fit};
use super::phrases::fill;
use super::shown::shown;
use crate::cli::out::Failure;
use crate::cli::show;
use crate::cli::slopes::Slopes;
use crate::compile::lecture::Nudge;
use crate::export::formula::{Entry, Formula, entry};
use crate::export::sheet::{Block, Line, Shown};
use crate::graph::print::{Part, stated};
use crate::ops::{Size, join};
use crate::tensor::{DType, Tensor};

/// The forward pass is told of variables until so many values have been looked at: what moves with each of many variables
/// is as long as all that lies behind them, each time.
const BUDGET: usize = 100_000;

/// What was found of a goal.
pub struct Goal {
    pub name: String,
    /// The entry that was moved, as it is indexed.
    pub entry: String,
    /// The derivative by it: forward pass times backward pass.
    pub derived: Option<f64>,
    /// What differences say of it.
    pub slopes: Option<Slopes>,
}

impl Goal {
    /// Whether nothing speaks against the derivative.
    pub fn holds(&self) -> bool {
        let fine = |slopes: &Slopes| slopes.is_kink() || slopes.holds();
        self.slopes.as_ref().is_none_or(fine)
    }
}

/// A factor of the forward pass and one of the backward pass.
pub type Pair = (f64, Option<f64>);

/// A station that a goal leads to, as it moves.
pub struct Way {
    pub station: usize,
    /// The places of an entry that moves, in the station and in the goal.
    pub places: Option<(Vec<Formula>, Vec<Formula>)>,
    /// What moves it, by which factor.
    pub factor: Option<Formula>,
    /// Letters that stand for more than one place.
    pub free: Vec<Formula>,
    /// For the entry of the goal: the movements, and the derivatives by what moves; none by the scalar itself.
    pub pairs: Vec<Pair>,
    movement: Option<Tensor>,
}

impl Lesson<'_> {
    /// How the goals move the next stations; whether all do by a factor for each entry.
    pub fn forward(&mut self, whole: bool) -> Result<bool, Failure> {
        let mut linear = true;
        let lecture = self.lecture;
        if !whole {
            for station in &lecture.stations {
                match self.result_of(station.node) {
                    Some(own) => self.recurrence(own)?,
                    None if station.named => {}
                    None => self.definition(station.node, &station.name, 0)?,
                }
            }
        }
        let mut budget = BUDGET;
        for (place, &number) in lecture.goals.iter().enumerate() {
            let step = lecture.steps.iter().find(|step| step.of.contains(&number));
            if step.is_none_or(|step| step.after == [lecture.of]) {
                continue;
            }
            if let Some((own, place)) = lecture.looped(number) {
                linear &= self.moved_in_rounds(own, place)?;
                continue;
            }
            let Some(nudge) = lecture.nudge(number).map_err(fit)? else { continue };
            let Some(rest) = budget.checked_sub(nudge.moved.len()) else {
                let left = (lecture.goals.len() - place).to_string();
                let words = fill(self.phrases.left_out, &[&left]);
                self.blocks.push(Block::Words(words));
                break;
            };
            budget = rest;
            linear &= self.movement(number, &nudge, linear)?;
        }
        Ok(linear)
    }

    /// How a variable moves the next stations; whether all do by a factor for each entry. Others are `first` explained.
    pub fn movement(&mut self, number: usize, nudge: &Nudge, first: bool) -> Result<bool, Failure> {
        let lecture = self.lecture;
        let ways = self.ways(number, nudge)?;
        let goal = &lecture.stations[number];
        let direct = |way: &Way| ways.len() > 1 && way.station == lecture.of;
        let (linear, other): (Vec<&Way>, Vec<&Way>) =
            ways.iter().partition(|way| way.factor.is_some());
        for way in linear {
            let left = self.factor_of(number, way);
            let right = way.factor.clone().unwrap_or_else(|| Formula::Number("1".into()));
            let value = way.movement.as_ref().map(|_| moved(way, self));
            let label = self.said(direct(way));
            self.line(Line { label, value, ..Line::new(Formula::infix("=", left, right)) });
        }
        if other.is_empty() {
            return Ok(true);
        }
        let tangent = |way: &Way| lecture.stations[way.station].tangent.clone();
        let mut bent = nudge.moved.clone();
        bent.outputs.retain(|output| other.iter().any(|way| tangent(way) == output.name));
        let printed = self.settled(stated(&bent, Part::Adjoint), &bent.outputs);
        if printed.iter().any(|stated| !stated.code.is_empty()) {
            let names = other.iter().map(|way| lecture.stations[way.station].name.clone());
            let words = fill(self.phrases.carried, &[&goal.name, &join(names)]);
            self.blocks.push(Block::Words(words));
        } else if first {
            self.blocks.push(Block::Words(self.phrases.linear.into()));
        }
        for stated in printed.iter().filter(|stated| stated.code.is_empty()) {
            let way = other.iter().find(|way| *tangent(way) == *stated.name);
            if way.is_some() || self.page.shared.is_news(&stated.name) {
                self.tell(stated, 0, None);
            }
            let Some(way) = way else { continue };
            let label = self.said(direct(way));
            if let Some(Block::Line(line)) = self.blocks.last_mut() {
                line.label = label;
            }
            if let Some(movement) = &way.movement {
                let left = match direct(way) {
                    true => Formula::Word(self.phrases.direct.into()),
                    false => self.factor_of(number, way),
                };
                let value = Some(shown(movement, self.phrases));
                self.line(Line { depth: 1, value, ..Line::new(left) });
            }
        }
        Ok(false)
    }

    /// What is said before what acts on the scalar beside what acts on it through other values.
    fn said(&self, direct: bool) -> String {
        if direct { self.phrases.direct.to_string() } else { String::new() }
    }

    /// `dz[n, 0]/dW[1, 0]`, `dz/dK[0, 0]`, `dz/dK`.
    pub fn factor_of(&self, goal: usize, way: &Way) -> Formula {
        let station = self.shown_name(&self.lecture.stations[way.station].name);
        let own = self.shown_name(&self.lecture.stations[goal].name);
        match &way.places {
            Some((value, variable)) => {
                Formula::partial(station.at(value.clone()), own.at(variable.clone()))
            }
            None => Formula::partial(station, own.at(self.numbered())),
        }
    }

    /// The entry of the one goal as places.
    pub fn numbered(&self) -> Vec<Formula> {
        let entry = self.entry.iter().flatten();
        entry.map(|place| Formula::Number(place.to_string())).collect()
    }

    pub fn ways(&mut self, number: usize, nudge: &Nudge) -> Result<Vec<Way>, Failure> {
        let lecture = self.lecture;
        let goal = &lecture.stations[number];
        let declared = nudge.plain.variables.get(&goal.name);
        let symmetric = declared.is_some_and(|variable| variable.symmetric);
        let moved = match (&self.entry, &mut self.numbers) {
            (Some(places), Some(numbers)) => {
                let flat = numbers.entry(&goal.name, places)?;
                numbers
                    .moved(lecture, number, nudge, flat, symmetric)?
                    .into_iter()
                    .map(Some)
                    .collect()
            }
            _ => vec![None; nudge.to.len()],
        };
        let mut ways = Vec::new();
        for ((&station, &node), movement) in nudge.to.iter().zip(&nudge.computed).zip(moved) {
            let found = entry(&nudge.plain, nudge.variable, node).filter(|_| !symmetric);
            let mut way = Way {
                station,
                places: None,
                factor: None,
                free: Vec::new(),
                pairs: Vec::new(),
                movement,
            };
            let adjoint = &lecture.stations[station].adjoint;
            let behind = self.numbers.as_ref().and_then(|numbers| numbers.value(adjoint)).cloned();
            if let Some(found) = found {
                self.lettered(nudge, &found, &mut way);
            }
            if let (Some(movement), Some(behind)) = (&way.movement, &behind) {
                way.pairs = pairs(movement, behind);
            }
            if station == lecture.of {
                way.pairs.iter_mut().for_each(|pair| pair.1 = None);
            }
            ways.push(way);
        }
        Ok(ways)
    }

    /// Gives letters to the axes, numbers to those of the entry and to those with one place.
    fn lettered(&self, nudge: &Nudge, found: &Entry, way: &mut Way) {
        let shape = way.movement.as_ref().map(Tensor::shape);
        let mut letters: Vec<Formula> = Vec::new();
        let mut used: Vec<String> = Vec::new();
        for (number, size) in found.sizes.iter().enumerate() {
            let fixed = found.variable.iter().position(|own| *own == number);
            let place = fixed.and_then(|axis| self.entry.as_ref()?.get(axis));
            let single = found
                .value
                .iter()
                .position(|own| *own == number)
                .is_some_and(|axis| shape.is_some_and(|shape| shape[axis] == 1));
            letters.push(match (place, single) {
                (Some(place), _) => Formula::Number(place.to_string()),
                (None, true) => Formula::Number("0".into()),
                (None, false) => {
                    let letter = self.letter(size, &used);
                    used.push(letter.clone());
                    Formula::Name(letter)
                }
            });
        }
        let known = |name: &str| Some(self.shown_name(name));
        let factor = found.formula(&nudge.plain, &|letter| letters[letter].clone(), &known);
        let named = |letters_of: &[usize]| -> Vec<Formula> {
            letters_of.iter().map(|&letter| letters[letter].clone()).collect()
        };
        let free = named(&found.value).into_iter();
        let mut free: Vec<Formula> =
            free.filter(|letter| matches!(letter, Formula::Name(_))).collect();
        free.dedup();
        if self.entry.is_none() {
            let own = named(&found.variable);
            free.retain(|letter| !own.contains(letter));
        }
        if factor.is_some() {
            way.places = Some((named(&found.value), named(&found.variable)));
            way.free = free;
        }
        way.factor = factor;
    }

    /// A letter for an axis that nothing else is called by.
    fn letter(&self, size: &Size, used: &[String]) -> String {
        let own = match size {
            Size::Named(name) => {
                name.chars().next().map(|letter| letter.to_lowercase().to_string())
            }
            _ => None,
        };
        let others = ["i", "j", "k", "l", "m", "p", "q", "r"].into_iter().map(String::from);
        let numbered = (1..).map(|number| format!("i{number}"));
        let inside = |letter: &str| {
            let mut carries = self.lecture.loops.iter().flat_map(|own| &own.carries);
            carries.any(|carry| *carry.name == *letter)
        };
        let free = |letter: &String| {
            let named = self.lecture.named().any(|(_, name)| **name == **letter) || inside(letter);
            let round = self.inside.contains(&Formula::name(letter));
            !used.contains(letter) && !named && !round && !self.lecture.model.dims.contains(letter)
        };
        own.into_iter().chain(others).chain(numbered).find(free).unwrap_or_default()
    }
}

/// The movements that are not 0, with the derivatives by what moves.
fn pairs(movement: &Tensor, behind: &Tensor) -> Vec<Pair> {
    let pairs = movement.to_f64().into_iter().zip(behind.to_f64().into_iter().map(Some));
    pairs.filter(|(movement, _)| *movement != 0.0).collect()
}

/// The movements along the letters that stand for more than one place.
fn moved(way: &Way, lesson: &Lesson) -> Shown {
    let values: Vec<f64> = match (&way.movement, &way.places) {
        (Some(movement), Some((places, _))) => {
            let fixed: Vec<Option<usize>> = places
                .iter()
                .map(|place| match place {
                    Formula::Number(text) => text.parse().ok(),
                    _ => None,
                })
                .collect();
            let shape = movement.shape().to_vec();
            let fits = |flat: usize| {
                let mut rest = flat;
                (0..shape.len()).rev().all(|axis| {
                    let place = rest % shape[axis];
                    rest /= shape[axis];
                    fixed[axis].is_none_or(|fixed| fixed == place)
                })
            };
            let all = movement.to_f64().into_iter().enumerate();
            all.filter(|(flat, _)| fits(*flat)).map(|(_, value)| value).collect()
        }
        _ => Vec::new(),
    };
    let shape = if values.len() == 1 { vec![] } else { vec![values.len()] };
    shown(&Tensor::from_f64(DType::F64, &shape, values), lesson.phrases)
}

/// Products with more terms are not written out.
const TERMS: usize = 4;

/// The derivative by a goal: what the steps give, for one entry as the sum of forward pass times backward pass.
pub fn goal(lesson: &mut Lesson, number: usize) -> Result<Goal, Failure> {
    let lecture = lesson.lecture;
    let station = &lecture.stations[number];
    let of = &lecture.stations[lecture.of];
    let name = station.name.to_string();
    let mut found = Goal { name: name.clone(), entry: String::new(), derived: None, slopes: None };
    if number == lecture.of {
        let words = fill(lesson.phrases.itself, &[&name]);
        lesson.blocks.push(Block::Words(words));
        return Ok(found);
    }
    let step = lecture.steps.iter().find(|step| step.of.contains(&number));
    let Some(step) = step else {
        let words = match lecture.cut(number) {
            Some(by) => fill(lesson.phrases.cut, &[&of.name, &name, &by]),
            None => fill(lesson.phrases.apart, &[&of.name, &name]),
        };
        lesson.blocks.push(Block::Words(words));
        return Ok(found);
    };
    let place = step.of.iter().position(|own| *own == number).unwrap_or(0);
    if let Some(by) = &step.cuts[place] {
        lesson.blocks.push(Block::Words(fill(lesson.phrases.cut, &[&of.name, &name, by])));
        return Ok(found);
    }
    let looped = lecture.looped(number);
    if step.after.len() > 1 && looped.is_none() {
        let words = fill(lesson.phrases.paths, &[&name]);
        lesson.blocks.push(Block::Words(words));
    }
    if let Some((own, place)) = looped.filter(|_| lesson.entry.is_some()) {
        lesson.entry_in_rounds(number, own, place, &mut found)?;
        check(lesson, number, &mut found)?;
        return Ok(found);
    }
    let nudge = match lesson.entry.is_some() && step.after != [lecture.of] {
        true => lecture.nudge(number).map_err(fit)?,
        false => None,
    };
    match &nudge {
        Some(nudge) => entry_product(lesson, number, nudge, &mut found)?,
        None => lesson.statement(number)?,
    }
    check(lesson, number, &mut found)?;
    Ok(found)
}

fn entry_product(
    lesson: &mut Lesson,
    number: usize,
    nudge: &Nudge,
    found: &mut Goal,
) -> Result<(), Failure> {
    let ways = lesson.ways(number, nudge)?;
    let Some(sum) = lesson.ways_summed(number, &ways, &[]) else { return Ok(()) };
    let pairs = ways.iter().flat_map(|way| way.pairs.clone()).collect();
    lesson.summed(number, sum, Some(pairs), found);
    Ok(())
}

impl Lesson<'_> {
    /// Forward pass times backward pass, summed over the ways and what they run over, `axes` first.
    pub fn ways_summed(&self, number: usize, ways: &[Way], axes: &[Formula]) -> Option<Formula> {
        let term = |way: &Way| {
            if ways.len() > 1 && way.station == self.lecture.of {
                return Formula::Word(self.phrases.direct.into());
            }
            let station = self.shown_name(&self.lecture.stations[way.station].name);
            let places = way.places.as_ref().map(|(value, _)| value.clone()).unwrap_or_default();
            let behind = Formula::partial(self.of(), station.at(places));
            let symbol = if way.factor.is_some() { "·" } else { "*" };
            let mut term = Formula::infix(symbol, self.factor_of(number, way), behind);
            let over = |axes: Vec<Formula>, term| Formula::Call {
                name: "sum".into(),
                axes,
                args: vec![term],
            };
            if way.factor.is_none() {
                term = over(Vec::new(), term);
            }
            let axes: Vec<Formula> = axes.iter().chain(&way.free).cloned().collect();
            if axes.is_empty() { term } else { over(axes, term) }
        };
        ways.iter().map(term).reduce(|sum, term| Formula::infix("+", sum, term))
    }

    /// The derivative by the entry of a goal: a sum, of these products where numbers are there.
    pub fn summed(
        &mut self,
        number: usize,
        sum: Formula,
        pairs: Option<Vec<Pair>>,
        found: &mut Goal,
    ) {
        let own = self.shown_name(&self.lecture.stations[number].name).at(self.numbered());
        let mut formula = Formula::infix("=", Formula::partial(self.of(), own), sum);
        if let Some(pairs) = pairs.filter(|_| self.numbers.is_some()) {
            let total: f64 = pairs.iter().map(|(a, b)| a * b.unwrap_or(1.0)).sum();
            found.derived = Some(total);
            if (1..=TERMS).contains(&pairs.len()) {
                let number = |value: f64| Formula::Number(show::number(value));
                let terms = pairs.iter().map(|(a, b)| match b {
                    Some(b) => Formula::infix("·", number(*a), number(*b)),
                    None => number(*a),
                });
                let written = terms.reduce(|sum, term| Formula::infix("+", sum, term));
                formula = written
                    .into_iter()
                    .fold(formula, |formula, written| Formula::infix("=", formula, written));
            }
            let total = Formula::Number(show::number(total));
            formula = Formula::infix("=", formula, total);
        }
        self.line(Line::new(formula));
    }
}

/// Compares the derivative by one entry with differences: that asked for, else the one with the largest derivative.
fn check(lesson: &mut Lesson, number: usize, found: &mut Goal) -> Result<(), Failure> {
    let lecture = lesson.lecture;
    let station = &lecture.stations[number];
    let entry = lesson.entry.clone();
    let Some(numbers) = &mut lesson.numbers else { return Ok(()) };
    let (flat, place) = match entry {
        Some(places) => {
            let flat = numbers.entry(&station.name, &places)?;
            let shape = numbers.value(&station.name).map(|value| value.shape().to_vec());
            (flat, show::index(&shape.unwrap_or_default(), flat))
        }
        None => match numbers.largest(&station.adjoint) {
            Some(largest) => largest,
            None => return Ok(()),
        },
    };
    let Some(adjoint) = numbers.value(&station.adjoint).map(Tensor::to_f64) else { return Ok(()) };
    let told = found.derived.is_some();
    let derived = *found.derived.get_or_insert(adjoint[flat]);
    let (slopes, held) = numbers.check(lecture, number, flat, derived)?;
    found.entry = place.clone();
    let places: Vec<Formula> = place
        .trim_matches(['[', ']'])
        .split(", ")
        .filter(|place| !place.is_empty())
        .map(|place| Formula::Number(place.into()))
        .collect();
    let own = Formula::name(&station.name).at(places);
    let w = if lesson.entry.is_some() { Formula::name("w") } else { own.clone() };
    if !told && adjoint.len() != 1 {
        let value = Some(Shown::Number(show::number(derived)));
        let by = Formula::partial(lesson.of(), own);
        lesson.line(Line { depth: 1, value, ..Line::new(by) });
    }
    let phrases = lesson.phrases;
    let verdict = match &slopes {
        slopes if slopes.is_kink() => phrases.kink,
        slopes if !(slopes.measured.is_finite() && derived.is_finite()) => phrases.infinite,
        slopes if slopes.holds() => phrases.ok,
        _ => phrases.refuted,
    };
    let mut remark = match slopes.plain || slopes.is_kink() {
        true => verdict.to_string(),
        false => format!("{verdict} ({})", phrases.trusted),
    };
    if held {
        remark += phrases.held;
    }
    let of = &lecture.stations[lecture.of].name;
    let (step, twice) = match slopes.plain {
        true => (Formula::Number("1e-5".into()), Formula::Number("2e-5".into())),
        false => {
            let h = Formula::name("h");
            (h.clone(), Formula::infix("*", Formula::Number("2".into()), h))
        }
    };
    let moved = |symbol| Formula::infix(symbol, w.clone(), step.clone()).within(of);
    let quotient = Formula::infix("/", Formula::infix("-", moved("+"), moved("-")), twice);
    let value = (!slopes.is_kink()).then(|| Shown::Number(show::number(slopes.measured)));
    let label = phrases.nudge.to_string();
    lesson.line(Line { label, value, remark, ..Line::new(quotient) });
    found.slopes = Some(slopes);
    Ok(())
}
