//! Loops on the way of a derivation: one round of each, cut into steps itself.

use super::Lecture;
use super::apart::apart;
use super::cut::Cut;
use super::order::in_source_order;
use crate::autodiff::active;
use crate::compile::all_named;
use crate::graph::{Model, NodeId, Origins};
use crate::ops::scan::{Body, Scan, Which};
use crate::ops::{Misfit, Name, Op, Size, Term, free, term};
use rustc_hash::{FxHashMap, FxHashSet};

/// A loop that steps lead through.
pub struct Loop {
    /// The scan in the forward model.
    pub node: NodeId,
    /// Whether it runs from the end.
    pub reverse: bool,
    /// The number of its rounds.
    pub length: Size,
    /// What it gives to stations.
    pub results: Vec<(Which, usize)>,
    /// What it carries from round to round.
    pub carries: Vec<Carry>,
    /// What is stacked of each round, as a name in it.
    pub stacked: Vec<Name>,
    /// A round: a scalar that moves as the whole does if what comes out of the round moves.
    pub round: Lecture,
    /// For each operand of the scan the station in the round that stands for it, where a derivative flows to it.
    pub inputs: Vec<Option<usize>>,
    /// What the names in a round stand for.
    pub meanings: FxHashMap<Name, Meaning>,
    /// The variables that stand for the number of the round and for the operands.
    pub variables: Vec<Name>,
    /// Values from outside that got a name for the loop, though no derivative flows to them.
    pub extras: Vec<(NodeId, Name)>,
}

/// What a loop carries from round to round.
pub struct Carry {
    /// How it is called.
    pub name: Name,
    /// Its value before the first round.
    pub first: NodeId,
    /// What it becomes, as a name in the round.
    pub next: Name,
    /// Whether that is computed for it: it may be another value of the round, or one before it.
    pub own: bool,
    /// The derivative by what leaves the round, as a variable in it, where it may differ from 0.
    pub seed: Option<Name>,
}

/// What a name in a round stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// The number of the round.
    Index,
    /// What a carry was before the round.
    Before(usize),
    /// The part of an array that belongs to the round.
    Slice(Name),
    /// A value from outside.
    Outside(Name),
    /// A value of the round.
    Here(Name),
    /// The derivative by a carry behind the round.
    Seed(usize),
    /// The derivative by the part of what is stacked, a station of the whole, that belongs to the round.
    Stacked(usize),
}

/// The loops that can be cut: those that take no derivatives themselves.
fn loops(cut: &Cut) -> Vec<(NodeId, Scan)> {
    let model = &cut.model;
    let nodes = model.nodes().filter(|id| cut.between[id.index()]);
    let scans = nodes.filter_map(|id| match model.op(id) {
        Op::Scan(scan) => Some((id, scan.clone())),
        _ => None,
    });
    scans.filter(|(_, scan)| plain(&scan.body)).collect()
}

fn plain(body: &Body) -> bool {
    body.steps.iter().all(|step| match &step.op {
        Op::Derivative(_) => false,
        Op::Scan(scan) => plain(&scan.body),
        _ => true,
    })
}

/// The results of a scan on the way.
fn parts(cut: &Cut, id: NodeId) -> Vec<(Which, NodeId)> {
    let model = &cut.model;
    let own = model.nodes().filter(|node| cut.between[node.index()]);
    let parts = own.filter_map(|node| match model.op(node) {
        Op::Part(part) if model.operands(node)[0] == id && part.ty.dtype.is_float() => {
            Some((part.which, node))
        }
        _ => None,
    });
    parts.collect()
}

/// Makes stations of what goes into loops and of what comes out.
pub fn ends(cut: &mut Cut) {
    for (id, scan) in loops(cut) {
        for (which, node) in parts(cut, id) {
            let name = match which {
                Which::Final(place) | Which::Trace(place) => input(&scan, place, "carry"),
                Which::Yield(place) => {
                    let value = scan.body.results[scan.carries + place] as usize;
                    scan.body.names[value].as_deref().unwrap_or("y").into()
                }
            };
            cut.keep_read(node, &name);
        }
        for (place, operand) in cut.model.operands(id).into_iter().enumerate() {
            let name = outer(&cut.model, &scan, place, operand);
            cut.keep(operand, &name);
        }
    }
}

/// The name of an input of the body, by the number of its operand.
fn input(scan: &Scan, place: usize, default: &str) -> Name {
    scan.body.names[1 + place].clone().unwrap_or_else(|| default.into())
}

/// How what a scan reads as an operand is called if it has no name.
fn outer(model: &Model, scan: &Scan, place: usize, id: NodeId) -> String {
    match (place, model.op(id)) {
        (place, _) if place < scan.carries => format!("{}_first", input(scan, place, "carry")),
        (place, _) if place < scan.carries + scan.slices => input(scan, place, "slice").to_string(),
        (_, Op::Barrier(barrier)) => barrier.name.to_string(),
        _ => "u".into(),
    }
}

/// The loops on the way, each with one of its rounds cut into steps.
pub fn looped(cut: &mut Cut) -> Result<Vec<Loop>, Misfit> {
    let scans = loops(cut);
    scans.into_iter().map(|(id, scan)| one(cut, id, &scan)).collect()
}

/// Names of a round that are all different.
#[derive(Default)]
struct Names {
    meanings: FxHashMap<Name, Meaning>,
    taken: FxHashSet<Name>,
}

impl Names {
    fn add(&mut self, wanted: &str, meaning: Meaning) -> Name {
        let name = free(wanted, |name| self.taken.contains(name));
        self.taken.insert(name.clone());
        self.meanings.insert(name.clone(), meaning);
        name
    }

    /// A value of the round by its name, or one with a number behind it where that is one of `others`.
    fn value(&mut self, wanted: &str, others: &[Name]) -> Name {
        self.add(wanted, Meaning::Here(beside(wanted, others)))
    }
}

/// The name, or one with a number behind it where it is one of `others`.
fn beside(wanted: &str, others: &[Name]) -> Name {
    match others.iter().any(|other| **other == *wanted) {
        true => format!("{wanted}_2").into(),
        false => wanted.into(),
    }
}

fn one(cut: &mut Cut, id: NodeId, scan: &Scan) -> Result<Loop, Misfit> {
    let operands = cut.model.operands(id);
    let place: FxHashMap<NodeId, usize> =
        cut.found.iter().enumerate().map(|(number, found)| (found.node, number)).collect();
    let results: Vec<(Which, usize)> =
        parts(cut, id).into_iter().map(|(which, node)| (which, place[&node])).collect();
    let mut extras = Vec::new();
    for (place, &operand) in operands.iter().enumerate().skip(scan.carries) {
        if !cut.names.contains_key(&operand) {
            let name = cut.fresh(&outer(&cut.model, scan, place, operand));
            cut.names.insert(operand, name.clone());
            extras.push((operand, name));
        }
    }
    let of = cut.names[&cut.end].clone();
    let mut names = Names::default();
    names.taken.insert(of.clone());
    names.taken.extend(cut.model.dims.iter().map(|(name, _)| name.clone()));
    let outside = scan.carries + scan.slices;
    let array = |name: &Name| cut.arrays.get(name).unwrap_or(name).clone();
    let arrays: Vec<Name> =
        operands[scan.carries..outside].iter().map(|id| array(&cut.names[id])).collect();
    let carried: Vec<Name> =
        (0..scan.carries).map(|place| beside(&input(scan, place, "carry"), &arrays)).collect();
    let mut variables: Vec<Name> = vec!["".into(); scan.body.inputs.len()];
    for place in (outside..operands.len()).chain(0..outside) {
        let known = cut.names.get(&operands[place]).cloned().unwrap_or_default();
        variables[1 + place] = match place {
            place if place >= outside => names.add(&known, Meaning::Outside(known.clone())),
            place if place >= scan.carries => {
                names.add(&input(scan, place, "slice"), Meaning::Slice(known))
            }
            place => names.add(&format!("{}_before", carried[place]), Meaning::Before(place)),
        };
    }
    let others = [&carried[..], &arrays].concat();
    let arrays = (0..outside).map(|place| match place {
        place if place < scan.carries => (variables[1 + place].clone(), carried[place].clone()),
        place => (variables[1 + place].clone(), arrays[place - scan.carries].clone()),
    });
    let arrays: FxHashMap<Name, Name> = arrays.collect();
    names.taken.extend(cut.indices.iter().cloned());
    variables[0] = names.add(scan.body.names[0].as_deref().unwrap_or("t"), Meaning::Index);
    let indices = [&cut.indices[..], &variables[..1]].concat();

    let mut model = Model::default();
    model.dims = cut.model.dims.clone();
    model.lines = cut.model.lines.clone();
    model.floats = Some(cut.model.float());
    let mut inputs = Vec::new();
    for (name, ty) in variables.iter().zip(&scan.body.inputs) {
        inputs.push(model.input(name, ty.clone()));
    }
    let body = in_source_order(&scan.body);
    let (ends, notes) = model.opened(&body, &inputs, |model, step, operands| {
        model.insert(step.op.clone(), operands, &step.origins)
    })?;
    let (next, stacked) = ends.split_at(scan.carries);
    let mut called: FxHashMap<NodeId, Name> =
        inputs.iter().copied().zip(variables.iter().cloned()).collect();
    let mut carries = Vec::new();
    for (place, &node) in next.iter().enumerate() {
        let own = !called.contains_key(&node);
        let name = carried[place].clone();
        if own {
            called.insert(node, names.add(&name, Meaning::Here(name.clone())));
        }
        let (first, next) = (operands[place], called[&node].clone());
        carries.push(Carry { name, first, next, own, seed: None });
    }
    for (name, node) in &notes.names {
        called.entry(*node).or_insert_with(|| names.value(name, &others));
    }
    let mut values = Vec::new();
    for (place, node) in stacked.iter().enumerate() {
        let station = results.iter().find(|(which, _)| *which == Which::Yield(place));
        let outer = station.map_or("y".into(), |(_, number)| cut.found[*number].name.clone());
        let name = called.entry(*node).or_insert_with(|| names.value(&outer, &others));
        values.push(name.clone());
    }
    let bound = called.iter().filter(|(node, _)| !inputs.contains(node));
    let mut bound: Vec<(NodeId, Name)> = bound.map(|(node, name)| (*node, name.clone())).collect();
    bound.sort();
    model.names = bound.into_iter().map(|(node, name)| (name, node)).collect();

    // The scalar: what comes out of the round, each times the derivative by it.
    let there = |which: Which| results.iter().find(|(own, _)| *own == which).map(|own| own.1);
    let active = active(scan, |which| there(which).is_some());
    let mut seeds: Vec<(NodeId, NodeId)> = Vec::new();
    for (place, carry) in carries.iter_mut().enumerate().filter(|(place, _)| active[*place]) {
        let name = names.add(&format!("d_{}_out", carry.name), Meaning::Seed(place));
        seeds.push((seed(&mut model, &name, next[place]), next[place]));
        carry.seed = Some(name);
    }
    let before = inputs[1..=scan.carries].iter().enumerate();
    let before = before.map(|(place, node)| (Which::Trace(place), *node));
    let yielded = stacked.iter().enumerate().map(|(place, node)| (Which::Yield(place), *node));
    for (which, node) in yielded.chain(before) {
        let Some(number) = there(which) else { continue };
        let wanted = format!("{}_t", cut.found[number].adjoint);
        let name = names.add(&wanted, Meaning::Stacked(number));
        seeds.push((seed(&mut model, &name, node), node));
    }
    let mut end = None;
    for (seed, node) in seeds {
        let axes: Vec<usize> = (0..model.ty(node).rank()).collect();
        let product = term::sum(&axes, Term::Var(0) * Term::Var(1));
        let dtype = model.ty(node).dtype;
        let product = model.plant(&product, &[seed, node], dtype, &Origins::default())?;
        end = Some(match end {
            None => product,
            Some(sum) => {
                let sums = Term::Var(0) + Term::Var(1);
                model.plant(&sums, &[sum, product], dtype, &Origins::default())?
            }
        });
    }
    let end = end.expect("a loop on the way has a result on the way");
    let wanted = |place: usize| match place < scan.carries {
        true => active[place],
        false => {
            cut.between[operands[place].index()] && scan.body.inputs[1 + place].dtype.is_float()
        }
    };
    let wanted: Vec<usize> = (0..operands.len()).filter(|&place| wanted(place)).collect();
    let goals: Vec<NodeId> = wanted.iter().map(|&place| inputs[1 + place]).collect();
    let whole: Vec<NodeId> = (0..operands.len())
        .filter(|place| !(scan.carries..outside).contains(place))
        .map(|place| inputs[1 + place])
        .collect();
    let standing = inputs
        .iter()
        .zip(&variables)
        .filter_map(|(node, name)| arrays.get(name).map(|array| (*node, array.clone())));
    model.names.insert(of.clone(), end);
    let model = apart(model, end, &goals, &whole, standing.collect())?;
    let end = all_named(&model, std::slice::from_ref(&of))?[0];
    let goals: Vec<Name> = wanted.iter().map(|&place| variables[1 + place].clone()).collect();
    let goals = all_named(&model, &goals)?;
    let next: Vec<Name> = carries.iter().map(|carry| carry.next.clone()).collect();
    let kept = all_named(&model, &[next, values.clone()].concat())?;
    let mut inner = Cut::new(model, end, &of, &goals);
    kept.into_iter().for_each(|node| inner.keep(node, ""));
    inner.stations()?;
    for station in inner.found.iter().filter(|station| station.node != end) {
        if !names.meanings.contains_key(&station.name) {
            let shown = cut.numbered(&station.name);
            names.meanings.insert(station.name.clone(), Meaning::Here(shown));
        }
    }
    (inner.elsewhere, inner.arrays, inner.indices) = (cut.page(), arrays, indices);
    let round = inner.steps()?;
    cut.elsewhere.extend(inner.elsewhere);
    let mut stations = vec![None; operands.len()];
    for (&place, &goal) in wanted.iter().zip(&round.goals) {
        stations[place] = Some(goal);
    }
    Ok(Loop {
        node: id,
        reverse: scan.reverse,
        length: scan.length.clone(),
        results,
        carries,
        stacked: values,
        round,
        inputs: stations,
        meanings: names.meanings,
        variables,
        extras,
    })
}

/// A variable like a value: the derivative by it.
fn seed(model: &mut Model, name: &Name, like: NodeId) -> NodeId {
    let ty = model.ty(like).clone();
    model.input(name, ty)
}
