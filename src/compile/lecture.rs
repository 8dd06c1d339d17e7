//! A gradient cut into the steps of a lecture: from the value back to its variables, one named value after the other.

mod apart;
mod cut;
mod looped;
mod order;
mod piece;

use super::{Level, all_named, expanded, stable};
use crate::autodiff::forward_all;
use crate::graph::{Kind, Model, NodeId, Origins, Output, Role, Variable};
use crate::ops::{Misfit, Name, Operator, Scalar, leaf};
use crate::passes::{release, simplify};
use apart::apart;
use cut::{Cut, flows};
pub use looped::{Carry, Loop, Meaning};
use piece::Piece;
use rustc_hash::FxHashMap;
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
    /// The loops that steps lead through, in the order of the model.
    pub loops: Vec<Loop>,
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
    let model = stable(model.unclaimed(), &asked, Level::Readable)?.0;
    let model = expanded(model, Level::Readable)?;
    let ends = |model: &Model| {
        let of = all_named(model, std::slice::from_ref(of))?[0];
        Ok::<_, Misfit>((of, all_named(model, wrt)?))
    };
    let (end, goals) = ends(&model)?;
    let model = apart(model, end, &goals, &[], FxHashMap::default())?;
    let (end, goals) = ends(&model)?;
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

    /// The step that gives the derivative by a station.
    pub fn step_of(&self, station: usize) -> Option<usize> {
        self.steps.iter().position(|step| step.of.contains(&station))
    }

    /// The loop that alone reads a station, and as which operand; `None` where it is read elsewhere too.
    pub fn looped(&self, station: usize) -> Option<(&Loop, usize)> {
        let step = &self.steps[self.step_of(station)?];
        let inside = |own: &&Loop| {
            step.after.iter().all(|next| own.results.iter().any(|(_, result)| result == next))
        };
        let own = self.loops.iter().find(inside)?;
        let node = self.stations[station].node;
        let operands = self.model.operands(own.node);
        let mut places = (0..operands.len()).filter(|&place| operands[place] == node);
        let place = places.next()?;
        places.next().is_none().then_some((own, place))
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
        let Some(step) = self.step_of(goal).map(|step| &self.steps[step]) else {
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
