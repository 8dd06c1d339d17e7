//! Loops on the way of a derivation: one round of each, cut into steps itself.

use super::Lecture;
use super::cut::{Cut, between};
use crate::autodiff::active;
use crate::graph::{Model, NodeId, Origins};
use crate::ops::scan::{Body, Scan, Step, Which};
use crate::ops::shape::Cut as Section;
use crate::ops::special::Barrier;
use crate::ops::{Misfit, Name, Op, Size, Term, free, term};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

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

/// The loops that can be cut: those without a loop inside.
fn loops(cut: &Cut) -> Vec<(NodeId, Scan)> {
    let model = &cut.model;
    let nodes = model.nodes().filter(|id| cut.between[id.index()]);
    let scans = nodes.filter_map(|id| match model.op(id) {
        Op::Scan(scan) => Some((id, scan.clone())),
        _ => None,
    });
    let plain = |(_, scan): &(NodeId, Scan)| {
        let inside = |op: &Op| matches!(op, Op::Scan(_) | Op::Part(_) | Op::Derivative(_));
        let steps = scan.body.steps.iter();
        !steps.into_iter().any(|step| inside(&step.op))
    };
    scans.filter(plain).collect()
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

/// The model in which loops alone read what they read of the way from `goals` to `end`: where something else does too, or the
/// same loop twice, a value of its own stands between.
pub fn apart(model: Model, end: NodeId, goals: &[NodeId]) -> Result<Model, Misfit> {
    let between = between(&model, end, goals);
    let mut uses = vec![0u32; model.len()];
    for id in model.nodes().filter(|id| between[id.index()]) {
        model.reads(id).for_each(|operand| uses[operand.index()] += 1);
    }
    let scan = |id: NodeId| between[id.index()] && matches!(model.op(id), Op::Scan(_));
    let shared = |id: NodeId| between[id.index()] && uses[id.index()] > 1;
    if !model.nodes().any(|id| scan(id) && model.reads(id).any(shared)) {
        return Ok(model);
    }
    let called: FxHashMap<NodeId, &Name> = model
        .names
        .iter()
        .map(|(name, &node)| (node, name))
        .chain(model.variables.iter().map(|(name, variable)| (variable.node, name)))
        .collect();
    let mut counts: FxHashMap<(NodeId, bool), usize> = FxHashMap::default();
    model.rebuild(|to, id, operands| {
        let mut operands = operands.to_vec();
        if let Op::Scan(own) = model.op(id)
            && scan(id)
        {
            for (place, outer) in model.operands(id).into_iter().enumerate() {
                if !shared(outer) {
                    continue;
                }
                let first = place < own.carries;
                let count = counts.entry((outer, first)).or_default();
                *count += 1;
                let name = called.get(&outer).map_or("u", |name| name);
                let name = match (first, *count) {
                    (true, number) => format!("{name}_first_{number}"),
                    (false, 1) => format!("{name}_loop"),
                    (false, number) => format!("{name}_loop_{number}"),
                };
                let barrier = Barrier { name: name.into() };
                operands[place] = to.insert(barrier, &[operands[place]], &Origins::default())?;
            }
        }
        model.copy(to, id, &operands)
    })
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

    /// A value of the round by its name, or one with a number behind it where a carry is called so.
    fn value(&mut self, wanted: &str, carries: &[Name]) -> Name {
        let shown = match carries.iter().any(|carry| **carry == *wanted) {
            true => format!("{wanted}_2"),
            false => wanted.into(),
        };
        self.add(wanted, Meaning::Here(shown.into()))
    }
}

/// The body with its steps in the order in which the source text has them, as far as each stands behind its operands.
fn in_source_order(body: &Body) -> Body {
    let first = body.inputs.len();
    let start = |cut: &Section| match cut {
        Section::At(start) | Section::Range { start, .. } => start.known().unwrap_or(0),
    };
    let key = |place: usize| {
        let step = &body.steps[place];
        let at = step.origins.span().map_or(0, |span| span.start);
        let part = match &step.op {
            Op::Slice(slice) => slice.cuts.iter().map(start).sum(),
            _ => 0,
        };
        (at, part, place)
    };
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); body.steps.len()];
    let mut missing = vec![0usize; body.steps.len()];
    for (place, step) in body.steps.iter().enumerate() {
        for operand in step.operands.iter().filter_map(|&at| (at as usize).checked_sub(first)) {
            users[operand].push(place);
            missing[place] += 1;
        }
    }
    let steps = 0..body.steps.len();
    let mut ready: BTreeSet<_> =
        steps.clone().filter(|&place| missing[place] == 0).map(key).collect();
    let mut order = Vec::new();
    while let Some((.., place)) = ready.pop_first() {
        order.push(place);
        for &user in &users[place] {
            missing[user] -= 1;
            if missing[user] == 0 {
                ready.insert(key(user));
            }
        }
    }
    let mut moved: Vec<u32> = (0..(first + body.steps.len()) as u32).collect();
    for (to, &from) in order.iter().enumerate() {
        moved[first + from] = (first + to) as u32;
    }
    let at = |place: &u32| moved[*place as usize];
    let step = |&place: &usize| {
        let step = &body.steps[place];
        Step { operands: step.operands.iter().map(at).collect(), ..step.clone() }
    };
    let called = order.iter().map(|&place| body.names[first + place].clone());
    Body::new(
        body.inputs.clone(),
        order.iter().map(step).collect(),
        body.results.iter().map(at).collect(),
        body.names[..first].iter().cloned().chain(called).collect(),
        body.adjoints.iter().map(|(of, adjoint)| (at(of), at(adjoint))).collect(),
    )
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
    let carried: Vec<Name> = (0..scan.carries).map(|place| input(scan, place, "carry")).collect();
    let outside = scan.carries + scan.slices;
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
    variables[0] = names.add(scan.body.names[0].as_deref().unwrap_or("t"), Meaning::Index);

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
        called.entry(*node).or_insert_with(|| names.value(name, &carried));
    }
    let mut values = Vec::new();
    for (place, node) in stacked.iter().enumerate() {
        let station = results.iter().find(|(which, _)| *which == Which::Yield(place));
        let outer = station.map_or("y".into(), |(_, number)| cut.found[*number].name.clone());
        let name = called.entry(*node).or_insert_with(|| names.value(&outer, &carried));
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
    let mut inner = Cut::new(model, end, &of, &goals);
    for &node in &ends {
        inner.keep(node, "");
    }
    inner.stations()?;
    let round = inner.steps()?;
    for station in round.stations.iter().filter(|station| station.node != end) {
        if !names.meanings.contains_key(&station.name) {
            let shown = cut.numbered(&station.name);
            names.meanings.insert(station.name.clone(), Meaning::Here(shown));
        }
    }
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
