//! The numbers beside the steps of a derivation, each of the formula that stands there.

use crate::cli::args::{Common, Data, Machine};
use crate::cli::bind::{self, Bound, Missing};
use crate::cli::declared;
use crate::cli::out::Failure;
use crate::cli::run::{self, How, run};
use crate::cli::session::Session;
use crate::cli::show;
use crate::cli::slopes::{self, Measure, Slopes};
use crate::compile::lecture::{Lecture, Loop, Meaning, Nudge};
use crate::graph::{Kind, Model, NodeId, Output};
use crate::ops::scan::{Which, row};
use crate::ops::{Misfit, Name};
use crate::passes::{release, retype};
use crate::tensor::{DType, Tensor};
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;

/// All numbers, in f64.
#[derive(Clone)]
pub struct Numbers<'a> {
    common: &'a Common,
    session: &'a Session,
    bound: Bound,
    how: How,
    /// The slopes of the functions behind stations, by the name of the station.
    pub slopes: FxHashMap<Name, Tensor>,
}

/// The numbers of a round of a loop.
pub struct Numbered<'a> {
    /// Its place, behind those of the rounds of the loops around it.
    pub at: Vec<usize>,
    pub numbers: Numbers<'a>,
    /// Those of the rounds of the loops within it.
    pub within: Rounds<'a>,
}

/// The numbers of the rounds of loops, in their order; none of loops that are too long.
pub type Rounds<'a> = FxHashMap<NodeId, Vec<Rc<Numbered<'a>>>>;

fn fit(misfit: Misfit) -> Failure {
    Failure::Request(misfit.to_string())
}

/// Whether the arguments give numbers.
pub fn asked(data: &Data) -> bool {
    let lists = [&data.set, &data.dim];
    lists.iter().any(|list| !list.is_empty())
        || !data.data.is_empty()
        || !data.load.is_empty()
        || data.rows.is_some()
}

/// Computes the values that the steps read and the derivatives that they give.
pub fn numbers<'a>(
    common: &'a Common,
    session: &'a Session,
    lecture: &Lecture,
    data: &Data,
    machine: &Machine,
) -> Result<Numbers<'a>, Failure> {
    let mut data = data.clone();
    data.dtype = Some("f64".into());
    let mut model = lecture.model.clone();
    let wanted = read(lecture);
    model.outputs = lecture
        .named()
        .filter(|(_, name)| wanted.contains(*name))
        .map(|(node, name)| Output { kind: Kind::Output, name: name.clone(), node })
        .collect();
    model.outputs.sort_by_key(|output| output.node);
    let model = retype(&release(&model), DType::F64).map_err(fit)?;
    let nodes: Vec<NodeId> = model.outputs.iter().map(|output| output.node).collect();
    let needed = bind::needed(&model, &nodes);
    let sources = &session.sources;
    let mut bound = bind::bind(common, &model, sources, &data, &needed, Missing::Refused)?;
    let how = run::how(machine, false)?;
    let values = run(common, session, &model, &nodes, &bound, &how)?;
    for (output, value) in model.outputs.iter().zip(values) {
        bound.values.insert(output.name.clone(), value);
    }
    let slopes = FxHashMap::default();
    let mut numbers = Numbers { common, session, bound, how, slopes };
    numbers.derivatives(lecture)?;
    Ok(numbers)
}

/// The names of all values that steps read, or that are shown.
fn read(lecture: &Lecture) -> FxHashSet<Name> {
    let mut names: FxHashSet<Name> = FxHashSet::default();
    for station in &lecture.stations {
        names.insert(station.name.clone());
        if let Some(amplifier) = &station.amplifier {
            names.insert(amplifier.value.clone());
            names.extend(used(&amplifier.slope));
        }
    }
    for step in &lecture.steps {
        names.extend(used(&step.piece));
    }
    for own in &lecture.loops {
        let outer = own.meanings.values().filter_map(|meaning| match meaning {
            Meaning::Slice(name) | Meaning::Outside(name) => Some(name.clone()),
            _ => None,
        });
        names.extend(outer);
    }
    names
}

/// The variables that the results of a model are computed from.
fn used(model: &Model) -> Vec<Name> {
    let results: Vec<NodeId> = model.outputs.iter().map(|output| output.node).collect();
    bind::needed(model, &results)
}

impl<'a> Numbers<'a> {
    /// The value of that name.
    pub fn value(&self, name: &str) -> Option<&Tensor> {
        self.bound.values.get(name)
    }

    fn derivatives(&mut self, lecture: &Lecture) -> Result<(), Failure> {
        let end = &lecture.stations[lecture.of];
        let one = Tensor::full(DType::F64, &[], 1.0);
        self.bound.values.insert(end.adjoint.clone(), one);
        let mut stations: Vec<usize> = (0..lecture.stations.len()).collect();
        let mut steps = lecture.steps.iter().peekable();
        // From the output back, each station as soon as all that it leads to is there.
        while let Some(number) = stations.pop() {
            while let Some(step) =
                steps.next_if(|step| step.of.iter().max().is_some_and(|most| *most >= number))
            {
                self.piece(&step.piece)?;
            }
            let station = &lecture.stations[number];
            if let Some(amplifier) = &station.amplifier {
                let slope = self.results(&amplifier.slope)?.remove(0).1;
                let Some(behind) = self.value(&amplifier.adjoint) else { continue };
                let product = product(behind, &slope);
                self.bound.values.insert(station.adjoint.clone(), product);
                self.slopes.insert(station.name.clone(), slope);
            }
        }
        for step in steps {
            self.piece(&step.piece)?;
        }
        Ok(())
    }

    fn piece(&mut self, piece: &Model) -> Result<(), Failure> {
        for (name, value) in self.results(piece)? {
            self.bound.values.insert(name, value);
        }
        Ok(())
    }

    /// The numbers of each round of a loop in such rounds of others, of at most `most` rounds, in the order of the rounds;
    /// `None` of longer ones.
    pub fn rounds(
        &self,
        lecture: &Lecture,
        own: &Loop,
        around: &[usize],
        most: usize,
    ) -> Result<Option<Vec<Rc<Numbered<'a>>>>, Failure> {
        let length = own.length.eval(&self.bound.bindings).ok();
        let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else {
            return Ok(None);
        };
        if length == 0 || length > most {
            return Ok(None);
        }
        let mut wanted: Vec<Name> = read(&own.round).into_iter().collect();
        wanted.extend(own.carries.iter().map(|carry| carry.next.clone()));
        wanted.extend(own.stacked.iter().cloned());
        let round = self.named(&own.round, &wanted)?;
        let mut before = Vec::new();
        for carry in &own.carries {
            let first = lecture.definition(carry.first, &carry.name).map_err(fit)?;
            before.push(self.results(&first)?.remove(0).1);
        }
        let mut rounds: Vec<Numbers<'a>> = Vec::new();
        let order: Vec<usize> = match own.reverse {
            true => (0..length).rev().collect(),
            false => (0..length).collect(),
        };
        for &index in &order {
            let mut values = FxHashMap::default();
            for (place, name) in own.variables.iter().enumerate() {
                let value = match &own.meanings[name] {
                    Meaning::Before(carry) => Some(before[*carry].clone()),
                    Meaning::Slice(array) => self.value(array).map(|array| row(array, index)),
                    Meaning::Outside(outer) => self.value(outer).cloned(),
                    _ => Some(Tensor::scalar(DType::I64, index as f64)).filter(|_| place == 0),
                };
                values.extend(value.map(|value| (name.clone(), value)));
            }
            let mut numbers = self.with(values);
            for (name, value) in numbers.results(&round)? {
                numbers.bound.values.insert(name, value);
            }
            let next = own.carries.iter().map(|carry| numbers.value(&carry.next).cloned());
            before = next.collect::<Option<_>>().unwrap_or_default();
            rounds.push(numbers);
        }
        // From the last round back: what leaves a round has the derivative by what enters the next one.
        for number in (0..length).rev() {
            let mut seeds = Vec::new();
            for (name, meaning) in &own.meanings {
                let last = |carry: usize| {
                    let mut results = own.results.iter();
                    let found = results.find(|(which, _)| *which == Which::Final(carry))?;
                    self.value(&lecture.stations[found.1].adjoint).cloned()
                };
                let value = match meaning {
                    Meaning::Seed(carry) => {
                        let found = match rounds.get(number + 1) {
                            None => last(*carry),
                            Some(next) => own.inputs[*carry].and_then(|goal| {
                                next.value(&own.round.stations[goal].adjoint).cloned()
                            }),
                        };
                        let like = rounds[number].value(&own.carries[*carry].next);
                        found.or(like.map(|like| Tensor::full(DType::F64, like.shape(), 0.0)))
                    }
                    Meaning::Stacked(station) => {
                        let adjoint = self.value(&lecture.stations[*station].adjoint);
                        adjoint.map(|adjoint| row(adjoint, order[number]))
                    }
                    _ => None,
                };
                seeds.extend(value.map(|value| (name.clone(), value)));
            }
            rounds[number].bound.values.extend(seeds);
            rounds[number].derivatives(&own.round)?;
        }
        let mut numbered = Vec::new();
        for (numbers, place) in rounds.into_iter().zip(order) {
            let at = [around, &[place]].concat();
            let mut within = Rounds::default();
            for inner in &own.round.loops {
                let rounds = numbers.rounds(&own.round, inner, &at, most / length)?;
                within.extend(rounds.map(|rounds| (inner.node, rounds)));
            }
            numbered.push(Rc::new(Numbered { at, numbers, within }));
        }
        Ok(Some(numbered))
    }

    /// The same run with other values.
    fn with(&self, values: FxHashMap<Name, Tensor>) -> Numbers<'a> {
        let bound = Bound { values, bindings: self.bound.bindings.clone() };
        let (how, slopes) = (How::Reference, FxHashMap::default());
        Numbers { common: self.common, session: self.session, bound, how, slopes }
    }

    /// A model whose results are the named values of a round.
    fn named(&self, round: &Lecture, wanted: &[Name]) -> Result<Model, Failure> {
        let mut model = round.model.clone();
        let end = round.stations[round.of].node;
        model.outputs = round
            .named()
            .filter(|(node, name)| *node != end && wanted.contains(*name))
            .filter(|(node, _)| !model.operands(*node).is_empty())
            .map(|(node, name)| Output { kind: Kind::Output, name: name.clone(), node })
            .collect();
        model.outputs.sort_by_key(|output| output.node);
        Ok(release(&model))
    }

    /// The results of a model whose variables are values that are known.
    pub fn results(&self, piece: &Model) -> Result<Vec<(Name, Tensor)>, Failure> {
        let piece = retype(piece, DType::F64).map_err(fit)?;
        let nodes: Vec<NodeId> = piece.outputs.iter().map(|output| output.node).collect();
        let how = &How::Reference;
        let values = run(self.common, self.session, &piece, &nodes, &self.bound, how)?;
        Ok(piece.outputs.iter().map(|output| output.name.clone()).zip(values).collect())
    }

    /// The movements of the next stations where one entry of a goal moves.
    pub fn moved(
        &mut self,
        lecture: &Lecture,
        goal: usize,
        nudge: &Nudge,
        entry: usize,
        symmetric: bool,
    ) -> Result<Vec<Tensor>, Failure> {
        let station = &lecture.stations[goal];
        let Some(value) = self.value(&station.name) else { return Ok(Vec::new()) };
        let mut unit = vec![0.0; value.len()];
        unit[entry] = 1.0;
        let mut unit = Tensor::from_f64(DType::F64, value.shape(), unit);
        if symmetric {
            unit = declared::symmetrised(&unit);
        }
        self.bound.values.insert(station.tangent.clone(), unit);
        Ok(self.results(&nudge.moved)?.into_iter().map(|(_, value)| value).collect())
    }

    /// The derivative by one entry of a goal against differences, and whether `stop_gradient` holds something still in them.
    pub fn check(
        &mut self,
        lecture: &Lecture,
        goal: usize,
        entry: usize,
        derived: f64,
    ) -> Result<(Slopes, bool), Failure> {
        let model = lecture.open(goal).map_err(fit)?;
        let model = retype(&release(&model), DType::F64).map_err(fit)?;
        let name = &lecture.stations[goal].name;
        let of = model.outputs[0].node;
        let held = slopes::held(&model, of, std::slice::from_ref(name), &mut self.bound)?;
        let (common, session, how) = (self.common, self.session, &self.how.clone());
        let measure = Measure { common, session, model: &held.model, how };
        let slopes = measure.entry(name, entry, derived, &mut self.bound)?;
        Ok((slopes, !held.still.is_empty()))
    }

    /// What entry of an array that places stand for.
    pub fn entry(&self, name: &str, places: &[usize]) -> Result<usize, Failure> {
        let shape = self.value(name).map(Tensor::shape).unwrap_or_default();
        let fits = shape.len() == places.len() && places.iter().zip(shape).all(|(i, n)| i < n);
        if !fits {
            return Err(Failure::Request(format!(
                "`{name}` has the shape [{}]: there is no entry [{}]",
                crate::ops::join(shape),
                crate::ops::join(places)
            )));
        }
        Ok(places.iter().zip(shape).fold(0, |entry, (place, size)| entry * size + place))
    }

    /// The places of the largest entry of a derivative; `None` of an empty one.
    pub fn largest(&self, adjoint: &str) -> Option<(usize, String)> {
        let tensor = self.value(adjoint)?;
        let values = tensor.to_f64();
        let entry =
            (0..values.len()).max_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()))?;
        Some((entry, show::index(tensor.shape(), entry)))
    }
}

/// The product of each element with its like.
fn product(one: &Tensor, two: &Tensor) -> Tensor {
    let values = one.to_f64().into_iter().zip(two.to_f64()).map(|(a, b)| a * b);
    Tensor::from_f64(DType::F64, two.shape(), values.collect())
}
