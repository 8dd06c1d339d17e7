//! A gradient cut into the steps of a lecture: from the value back to its variables, one named value after the other.

mod piece;

use super::{Level, expanded, stable};
use crate::autodiff::{Flow, forward_all, pull};
use crate::graph::print::preactivations;
use crate::graph::{Kind, Model, NodeId, Origins, Output, Role, Variable};
use crate::ops::elementwise::Class;
use crate::ops::{Misfit, Name, Op, Operator, Scalar, leaf};
use crate::passes::{release, simplify};
use piece::Piece;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The steps from a scalar back to variables.
pub struct Lecture {
    /// The stable forward model, in which the variables are barriers.
    pub model: Model,
    /// The scalar.
    pub of: usize,
    /// The values that steps lead from and to, operands before their users.
    pub stations: Vec<Station>,
    /// The steps between them, from the scalar back; those that end in variables asked for come last.
    pub steps: Vec<Step>,
    /// The variables asked for, as stations.
    pub goals: Vec<usize>,
    /// How values are called that steps do not look into.
    names: FxHashMap<NodeId, Name>,
}

/// A value on the way.
pub struct Station {
    /// Its node in the forward model.
    pub node: NodeId,
    /// Its name: that of the source text, or `z1`, `z2` ... of what feeds an activation.
    pub name: Name,
    /// The name of its derivative.
    pub adjoint: Name,
    /// The name of its movement.
    pub tangent: Name,
    /// Whether the source text names it.
    pub named: bool,
    /// The function of single elements that alone reads it.
    pub amplifier: Option<Amplifier>,
}

/// The function behind a station, by whose slope the derivative is multiplied on its way back.
pub struct Amplifier {
    /// The function.
    pub row: Scalar,
    /// Its value.
    pub node: NodeId,
    /// The name of its value.
    pub value: Name,
    /// Whether the source text names its value.
    pub named: bool,
    /// The name of the derivative by its value; none is needed where that is 1.
    pub adjoint: Name,
    /// The slope, as the one gradient of a model of the station's value.
    pub slope: Model,
}

/// Derivatives by values that lead to the same next stations.
pub struct Step {
    /// The stations; of one with an amplifier the derivative is that by the value of the function.
    pub of: Vec<usize>,
    /// The next stations, whose derivatives it reads.
    pub after: Vec<usize>,
    /// The derivatives as gradients of a model in which the stations are variables.
    pub piece: Model,
    /// For each station the operator without derivative that each way to it leads through.
    pub cuts: Vec<Option<String>>,
}

/// How a variable moves the next stations.
pub struct Nudge {
    /// The next stations that move.
    pub to: Vec<usize>,
    /// Their movements, as gradients of a model in which the stations are variables.
    pub moved: Model,
    /// A model in which the variable is one, and the next stations are computed of it.
    pub plain: Model,
    /// The variable in it.
    pub variable: NodeId,
    /// The next stations in it.
    pub computed: Vec<NodeId>,
}

/// Cuts the gradient of the scalar called `of` by the values called `wrt` into steps.
pub fn lecture(model: &Model, of: &Name, wrt: &[Name]) -> Result<Lecture, Misfit> {
    let asked: Vec<NodeId> = wrt.iter().filter_map(|name| model.named(name)).collect();
    let model = stable(&model.unclaimed(), &asked, Level::Readable)?.0;
    let model = expanded(&model, Level::Readable)?;
    let named = |name: &Name| {
        model.named(name).ok_or_else(|| Misfit {
            code: "E0101",
            ..Misfit::call(format!("nothing is called `{name}`"))
        })
    };
    let goals = wrt.iter().map(named).collect::<Result<Vec<NodeId>, _>>()?;
    let end = named(of)?;
    let mut cut = Cut::new(model, end, of, &goals);
    cut.stations()?;
    cut.steps()
}

impl Lecture {
    /// The value of a node from the values that steps do not look into, as the one gradient of a model.
    pub fn definition(&self, node: NodeId, name: &Name) -> Result<Model, Misfit> {
        let mut piece = Piece::new(&self.model, &self.names);
        let value = piece.opened(node)?;
        piece.output(name.clone(), value);
        Ok(simplify(&release(&piece.model)).0)
    }

    /// The name of a node, where it has one.
    pub fn name(&self, node: NodeId) -> Option<&Name> {
        self.names.get(&node)
    }

    /// All nodes with names.
    pub fn named(&self) -> impl Iterator<Item = (NodeId, &Name)> {
        self.names.iter().map(|(node, name)| (*node, name))
    }

    /// The scalar, as the one output of a model in which a goal is a variable.
    pub fn open(&self, goal: usize) -> Result<Model, Misfit> {
        let station = &self.stations[goal];
        let mut model = self.model.clone();
        let node = self.stations[self.of].node;
        model.outputs =
            vec![Output { kind: Kind::Output, name: self.stations[self.of].name.clone(), node }];
        model.updates.clear();
        if !model.variables.contains_key(&station.name) {
            let variable = Variable::plain(station.node, Role::Input);
            model.variables.insert(station.name.clone(), variable);
        }
        model.rebuild(|to, id, operands| {
            if id != station.node {
                return self.model.copy(to, id, operands);
            }
            let ty = Arc::new(self.model.ty(id).clone());
            to.insert(leaf::Variable { name: station.name.clone(), ty }, &[], &Origins::default())
        })
    }

    /// The operator without derivative on the ways from a goal that leads to no step; `None` where no way is there.
    pub fn cut(&self, goal: usize) -> Option<String> {
        let (model, end) = (&self.model, self.stations[self.of].node);
        let flows = flows(model, &[self.stations[goal].node]);
        let needed = model.needed([end].into_iter());
        let ends = |id: &NodeId| {
            let from = model.operands(*id).iter().any(|operand| flows[operand.index()]);
            needed[id.index()] && from && !flows[id.index()]
        };
        model.nodes().find(ends).map(|id| model.op(id).name().into_owned())
    }

    /// How a goal moves the stations next to it; `None` where it leads nowhere.
    pub fn nudge(&self, goal: usize) -> Result<Option<Nudge>, Misfit> {
        let Some(step) = self.steps.iter().find(|step| step.of.contains(&goal)) else {
            return Ok(None);
        };
        let station = &self.stations[goal];
        let mut piece = Piece::new(&self.model, &self.names);
        let variable = piece.leaf(station.node);
        let mut computed = Vec::new();
        for &next in &step.after {
            let node = piece.opened(self.stations[next].node)?;
            piece.model.names.insert(self.stations[next].name.clone(), node);
            computed.push(node);
        }
        let ty = self.model.ty(station.node).clone();
        let plain = piece.model.clone();
        let seed = piece.variable(&station.tangent, ty);
        let tangents = forward_all(&mut piece.model, &computed, &[(variable, seed)])?;
        let (mut to, mut kept) = (Vec::new(), Vec::new());
        for ((&next, (_, tangent)), node) in step.after.iter().zip(tangents).zip(computed) {
            if let Some(tangent) = tangent {
                piece.output(self.stations[next].tangent.clone(), tangent);
                to.push(next);
                kept.push(node);
            }
        }
        let moved = simplify(&release(&piece.model)).0;
        Ok(Some(Nudge { to, moved, plain, variable, computed: kept }))
    }
}

/// What is known while a gradient is cut.
struct Cut {
    model: Model,
    end: NodeId,
    goals: Vec<NodeId>,
    /// Who reads a value on the way from the variables to the scalar.
    users: FxHashMap<NodeId, Vec<NodeId>>,
    between: Vec<bool>,
    names: FxHashMap<NodeId, Name>,
    taken: FxHashSet<Name>,
    found: Vec<Station>,
}

impl Cut {
    fn new(model: Model, end: NodeId, of: &Name, goals: &[NodeId]) -> Cut {
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
        let (goals, found) = (goals.to_vec(), Vec::new());
        Cut { model, end, goals, users, between, names, taken, found }
    }

    /// Finds the stations: the scalar, what is asked for, what has a name or feeds an activation. The value of a function of
    /// single elements that alone reads a station belongs to that.
    fn stations(&mut self) -> Result<(), Misfit> {
        let fed = preactivations(&self.model);
        let source: FxHashSet<NodeId> = self.names.keys().copied().collect();
        let mut behind: FxHashSet<NodeId> = FxHashSet::default();
        for id in self.model.nodes().collect::<Vec<_>>() {
            let asked = id == self.end || self.goals.contains(&id);
            let float = self.model.ty(id).dtype.is_float();
            let on_way = self.between[id.index()] && float && !behind.contains(&id);
            let known = source.contains(&id) || fed.contains_key(&id);
            if !(asked || on_way && known) {
                continue;
            }
            let name = match (source.contains(&id), fed.get(&id)) {
                (false, Some(name)) => self.fresh(name),
                _ => self.names[&id].clone(),
            };
            self.names.insert(id, name.clone());
            let row = if asked { None } else { self.reader(id) };
            let amplifier = row.map(|(row, value)| {
                if value != self.end && !self.goals.contains(&value) {
                    behind.insert(value);
                }
                self.amplifier(id, &name, row, value)
            });
            let adjoint = self.fresh(&format!("d_{name}"));
            let tangent = self.fresh(&format!("t_{name}"));
            let named = source.contains(&id);
            let amplifier = amplifier.transpose()?;
            self.found.push(Station { node: id, name, adjoint, tangent, named, amplifier });
        }
        Ok(())
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
        let named = self.names.contains_key(&node);
        let value = match self.names.get(&node) {
            Some(name) => name.clone(),
            None => self.fresh(&format!("{}_{argument}", row.word())),
        };
        self.names.insert(node, value.clone());
        let adjoint = match node == self.end || self.goals.contains(&node) {
            true => format!("d_{value}").into(),
            false => self.fresh(&format!("d_{value}")),
        };
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

    fn fresh(&mut self, wanted: &str) -> Name {
        let mut name: Name = wanted.into();
        let mut number = 1;
        while !self.taken.insert(name.clone()) {
            number += 1;
            name = format!("{wanted}_{number}").into();
        }
        name
    }

    fn steps(self) -> Result<Lecture, Misfit> {
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
        let Cut { model, names, found, .. } = self;
        Ok(Lecture { model, of: end, stations: found, steps, goals, names })
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
fn between(model: &Model, end: NodeId, goals: &[NodeId]) -> Vec<bool> {
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
fn flows(model: &Model, goals: &[NodeId]) -> Vec<bool> {
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
