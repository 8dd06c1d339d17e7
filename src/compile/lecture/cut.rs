//! The cut of a gradient into steps: which values steps lead from and to.

use super::looped::{self, looped};
use super::piece::Piece;
use super::{Amplifier, Lecture, Station, Step};
use crate::autodiff::{Flow, pull};
use crate::graph::print::preactivations;
use crate::graph::{Model, NodeId, Origins};
use crate::ops::elementwise::Class;
use crate::ops::{Misfit, Name, Op, Operator, Scalar, free};
use crate::passes::{release, simplify};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;

/// What is known while a gradient is cut.
pub struct Cut {
    pub model: Model,
    pub end: NodeId,
    goals: Vec<NodeId>,
    /// Other values that are stations where they lie on the way.
    kept: FxHashSet<NodeId>,
    /// Those of them that functions may stand behind.
    read: FxHashSet<NodeId>,
    /// How values on the way are called that nothing else names.
    called: FxHashMap<NodeId, String>,
    /// Who reads a value on the way from the variables to the scalar.
    users: FxHashMap<NodeId, Vec<NodeId>>,
    pub between: Vec<bool>,
    pub names: FxHashMap<NodeId, Name>,
    taken: FxHashSet<Name>,
    /// Names that mean something else on the page: of what the model is a round of, and of rounds of its loops.
    pub elsewhere: FxHashSet<Name>,
    /// The arrays that values stand for a part or an earlier state of, where that is not what they are called by.
    pub arrays: FxHashMap<Name, Name>,
    /// How the numbers of the rounds are called that the model is part of.
    pub indices: Vec<Name>,
    adjoints: FxHashMap<NodeId, Name>,
    pub found: Vec<Station>,
}

impl Cut {
    /// Nothing cut yet of what lies between `goals` and `end`, which is called `of`.
    pub fn new(model: Model, end: NodeId, of: &Name, goals: &[NodeId]) -> Cut {
        let mut names: FxHashMap<NodeId, Name> = FxHashMap::default();
        let variables = model.variables.iter().map(|(name, known)| (known.node, name));
        let bindings = model.names.iter().map(|(name, node)| (*node, name));
        let outputs = model.outputs.iter().map(|output| (output.node, &output.name));
        for (node, name) in variables.chain(bindings).chain(outputs) {
            names.entry(node).or_insert_with(|| name.clone());
        }
        names.insert(end, of.clone());
        let mut taken: FxHashSet<Name> = names.values().cloned().collect();
        taken.extend(model.names.keys().chain(model.variables.keys()).cloned());
        taken.extend(model.dims.iter().map(|(name, _)| name.clone()));
        let between = between(&model, end, goals);
        let mut users: FxHashMap<NodeId, Vec<NodeId>> = FxHashMap::default();
        for id in model.nodes().filter(|id| between[id.index()]) {
            for operand in model.operands(id) {
                let known = users.entry(operand).or_default();
                if between[operand.index()] && known.last() != Some(&id) {
                    known.push(id);
                }
            }
        }
        Cut {
            model,
            end,
            goals: goals.to_vec(),
            kept: FxHashSet::default(),
            read: FxHashSet::default(),
            called: FxHashMap::default(),
            users,
            between,
            names,
            taken,
            elsewhere: FxHashSet::default(),
            arrays: FxHashMap::default(),
            indices: Vec::new(),
            adjoints: FxHashMap::default(),
            found: Vec::new(),
        }
    }

    /// Makes a value a station if it lies on the way; `name` is for one without a name.
    pub fn keep(&mut self, id: NodeId, name: &str) {
        self.kept.insert(id);
        self.called.entry(id).or_insert_with(|| name.into());
    }

    /// The same for one that a function may stand behind.
    pub fn keep_read(&mut self, id: NodeId, name: &str) {
        self.keep(id, name);
        self.read.insert(id);
    }

    /// The name of the derivative by a value.
    fn adjoint(&mut self, id: NodeId, name: &str) -> Name {
        if let Some(known) = self.adjoints.get(&id) {
            return known.clone();
        }
        let adjoint = self.fresh(&format!("d_{name}"));
        self.adjoints.insert(id, adjoint.clone());
        adjoint
    }

    /// Finds the stations: the scalar, what is asked for, what has a name or feeds an activation. The value of a function of
    /// single elements that alone reads a station belongs to that.
    pub fn stations(&mut self) -> Result<(), Misfit> {
        looped::ends(self);
        let fed = preactivations(&self.model);
        let source: FxHashSet<NodeId> = self.names.keys().copied().collect();
        let mut behind: FxHashSet<NodeId> = FxHashSet::default();
        for id in self.model.nodes().collect::<Vec<_>>() {
            let asked = id == self.end || self.goals.contains(&id);
            let float = self.model.ty(id).dtype.is_float();
            let on_way = self.between[id.index()] && float && !behind.contains(&id);
            let kept = self.kept.contains(&id);
            let known = source.contains(&id) || fed.contains_key(&id) || kept;
            if !(asked || on_way && known) {
                continue;
            }
            let name = match self.names.get(&id) {
                Some(name) => name.clone(),
                None => {
                    let wanted = fed.get(&id).or(self.called.get(&id)).cloned();
                    self.fresh(&wanted.unwrap_or_default())
                }
            };
            self.names.insert(id, name.clone());
            let whole = asked || kept && !self.read.contains(&id);
            let row = if whole { None } else { self.reader(id) };
            let amplifier = row.map(|(row, value)| {
                if !self.is_station(value) {
                    behind.insert(value);
                }
                self.amplifier(id, &name, row, value)
            });
            let adjoint = self.adjoint(id, &name);
            let tangent = self.fresh(&format!("t_{name}"));
            let named = source.contains(&id);
            let amplifier = amplifier.transpose()?;
            self.found.push(Station { node: id, name, adjoint, tangent, named, amplifier });
        }
        Ok(())
    }

    /// Whether a value on the way is a station whatever reads it.
    fn is_station(&self, id: NodeId) -> bool {
        id == self.end || self.goals.contains(&id) || self.kept.contains(&id)
    }

    /// The function of single elements that alone reads a value.
    fn reader(&self, id: NodeId) -> Option<(Scalar, NodeId)> {
        let [user] = self.users.get(&id)?.as_slice() else { return None };
        match self.model.op(*user) {
            Op::Scalar(row) if row.class() == Class::Float && row.arity() == 1 => {
                Some((*row, *user))
            }
            _ => None,
        }
    }

    fn amplifier(
        &mut self,
        id: NodeId,
        argument: &Name,
        row: Scalar,
        node: NodeId,
    ) -> Result<Amplifier, Misfit> {
        let called = self.called.get(&node).cloned();
        let named = self.names.contains_key(&node) || called.is_some();
        let value = match (self.names.get(&node), called) {
            (Some(name), _) => name.clone(),
            (None, Some(name)) => self.fresh(&name),
            (None, None) => self.fresh(&format!("{}_{argument}", row.word())),
        };
        self.names.insert(node, value.clone());
        let adjoint = self.adjoint(node, &value);
        let mut piece = Piece::new(&self.model, &self.names);
        let z = piece.leaf(id);
        let a = piece.opened(node)?;
        piece.model.names.insert(value.clone(), a);
        let ones = piece.ones(a)?;
        let (_, slope) = pull(&mut piece.model, &[(a, ones)], &[z], &Origins::default())?.remove(0);
        piece.output(format!("slope_{argument}").into(), slope);
        let slope = simplify(&piece.model).0;
        Ok(Amplifier { row, node, value, named, adjoint, slope })
    }

    /// A name that nothing else on the page has: `wanted`, or that with the next free number in the place of its own.
    pub fn numbered(&mut self, wanted: &str) -> Name {
        let stem = wanted.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let number = wanted[stem.len()..].parse().unwrap_or(1u32);
        let numbered = (number..).map(|number| Name::from(format!("{stem}{number}")));
        let mut names = std::iter::once(Name::from(wanted)).chain(numbered);
        let free = |name: &Name| !self.taken.contains(name) && !self.elsewhere.contains(name);
        let name = names.find(free).unwrap_or_default();
        self.taken.insert(name.clone());
        name
    }

    /// All names that mean something on the page.
    pub fn page(&self) -> FxHashSet<Name> {
        self.taken.union(&self.elsewhere).cloned().collect()
    }

    /// A name that nothing else has: `wanted`, or that with a number behind it.
    pub fn fresh(&mut self, wanted: &str) -> Name {
        let name = free(wanted, |name| self.taken.contains(name));
        self.taken.insert(name.clone());
        name
    }

    /// The steps between the stations, those that loops take among them.
    pub fn steps(&mut self) -> Result<Lecture, Misfit> {
        let loops = looped(self)?;
        let place: FxHashMap<NodeId, usize> =
            self.found.iter().enumerate().map(|(place, found)| (found.node, place)).collect();
        let goals: Vec<usize> = self.goals.iter().map(|goal| place[goal]).collect();
        let end = place[&self.end];
        // What is needed for nothing but a variable asked for comes last.
        let mut groups: BTreeMap<(bool, Vec<usize>), Vec<usize>> = BTreeMap::new();
        for (number, station) in self.found.iter().enumerate().rev() {
            let exit = exit(station, &place);
            if number == end || station.amplifier.is_some() && exit.is_none() {
                continue;
            }
            let next = self.next(exit.unwrap_or(station.node), &place);
            if !next.is_empty() {
                let asked = goals.contains(&number) && !self.leads(station.node);
                groups.entry((asked, next)).or_default().push(number);
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|((asked, _), of)| (*asked, std::cmp::Reverse(of[0])));
        let mut steps = Vec::new();
        for ((asked, after), mut of) in groups {
            if asked {
                of.sort_by_key(|number| goals.iter().position(|goal| goal == number));
            }
            steps.push(self.step(of, after, &place)?);
        }
        let (model, names) = (std::mem::take(&mut self.model), std::mem::take(&mut self.names));
        let stations = std::mem::take(&mut self.found);
        Ok(Lecture { model, of: end, stations, steps, goals, loops, names })
    }

    /// Whether the derivative by a value is read by a step further back.
    fn leads(&self, id: NodeId) -> bool {
        let operands = self.model.operands(id);
        operands.iter().any(|operand| self.between[operand.index()])
    }

    /// The stations that a value leads to without another one between.
    fn next(&self, from: NodeId, place: &FxHashMap<NodeId, usize>) -> Vec<usize> {
        let (mut next, mut seen) = (Vec::new(), FxHashSet::default());
        let mut waiting = vec![from];
        while let Some(id) = waiting.pop() {
            for &user in self.users.get(&id).into_iter().flatten() {
                if seen.insert(user) {
                    match place.get(&user) {
                        Some(&station) => next.push(station),
                        None => waiting.push(user),
                    }
                }
            }
        }
        next.sort_unstable();
        next
    }

    fn step(
        &self,
        of: Vec<usize>,
        after: Vec<usize>,
        place: &FxHashMap<NodeId, usize>,
    ) -> Result<Step, Misfit> {
        let mut piece = Piece::new(&self.model, &self.names);
        let starts = of.iter().map(|&number| {
            let station = &self.found[number];
            piece.leaf(exit(station, place).unwrap_or(station.node))
        });
        let starts: Vec<NodeId> = starts.collect();
        let mut roots = Vec::new();
        for &next in &after {
            let station = &self.found[next];
            let root = piece.opened(station.node)?;
            piece.model.names.insert(station.name.clone(), root);
            let seed = if station.node == self.end {
                piece.ones(root)?
            } else {
                piece.variable(&station.adjoint, self.model.ty(station.node).clone())
            };
            roots.push((root, seed));
        }
        let pulled = pull(&mut piece.model, &roots, &starts, &Origins::default())?;
        let mut cuts = Vec::new();
        for (&number, (flow, node)) in of.iter().zip(pulled) {
            let station = &self.found[number];
            let adjoint = station.amplifier.as_ref().map(|amplifier| &amplifier.adjoint);
            piece.output(adjoint.unwrap_or(&station.adjoint).clone(), node);
            cuts.push(match flow {
                Flow::Cut(by) => Some(piece.model.op(by).name().into_owned()),
                Flow::Adjoint(_) | Flow::Apart => None,
            });
        }
        let piece = simplify(&release(&piece.model)).0;
        Ok(Step { of, after, piece, cuts })
    }
}

/// The value of a station's function, where no station is that itself.
fn exit(station: &Station, place: &FxHashMap<NodeId, usize>) -> Option<NodeId> {
    let value = station.amplifier.as_ref().map(|amplifier| amplifier.node);
    value.filter(|node| !place.contains_key(node))
}

/// The values from the variables to the scalar through which derivatives flow.
pub fn between(model: &Model, end: NodeId, goals: &[NodeId]) -> Vec<bool> {
    let depends = flows(model, goals);
    let mut needed = vec![false; model.len()];
    needed[end.index()] = true;
    for id in model.nodes().rev() {
        if needed[id.index()] && depends[id.index()] {
            for operand in model.operands(id) {
                needed[operand.index()] = true;
            }
        }
    }
    depends.iter().zip(needed).map(|(depends, needed)| *depends && needed).collect()
}

/// The values that a derivative by `goals` may reach: floats that depend on them.
pub fn flows(model: &Model, goals: &[NodeId]) -> Vec<bool> {
    let mut flows = vec![false; model.len()];
    for id in model.nodes() {
        let from = model.operands(id).iter().any(|operand| flows[operand.index()]);
        flows[id.index()] = goals.contains(&id) || from && lets(model, id);
    }
    flows
}

/// Whether an operator lets derivatives through.
fn lets(model: &Model, id: NodeId) -> bool {
    match model.op(id) {
        Op::Scan(_) => true,
        Op::StopGradient(_) => false,
        _ => model.ty(id).dtype.is_float(),
    }
}
