//! Inlined calls as boxes: the values that a call computes, and the adjoints that the chain rule made of them.

use super::{Model, NodeId};
use crate::diagnostic::Span;
use crate::ops::{Name, Op, Size, join};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::{FxHashMap, FxHashSet};

/// A call of a function or a layer that was inlined, not inside another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What is called, with axes in brackets: `dense`, `cross_entropy[K]`.
    pub callee: Name,
    /// The arguments in order.
    pub args: Vec<Arg>,
    /// The sizes that a layer is given.
    pub sizes: Vec<Size>,
    /// What the layer is called: its parameters' names begin with this and a point.
    pub instance: Option<Name>,
    /// What it gives.
    pub results: Vec<NodeId>,
    /// Where it stands.
    pub span: Span,
}

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The name that it is given by, if it is.
    pub name: Option<Name>,
    /// Its value; `None` for what is no value of the graph, such as a number.
    pub node: Option<NodeId>,
    /// As it is written.
    pub text: Name,
}

impl Call {
    /// The same call in another model; `None` where a value of it is not there.
    pub(super) fn mapped(&self, known: impl Fn(NodeId) -> Option<NodeId>) -> Option<Call> {
        let mut call = self.clone();
        for node in call.args.iter_mut().filter_map(|arg| arg.node.as_mut()) {
            *node = known(*node)?;
        }
        for node in &mut call.results {
            *node = known(*node)?;
        }
        Some(call)
    }

    /// Whether the call's layer owns the variable of that name.
    pub fn owns(&self, variable: &str) -> bool {
        let instance = self.instance.as_deref();
        let rest = instance.and_then(|instance| variable.strip_prefix(instance));
        rest.is_some_and(|rest| rest.starts_with('.'))
    }

    /// The call as it is written, its values called as `name` says, else as in the source.
    pub fn text(&self, name: impl Fn(NodeId) -> Option<String>) -> String {
        let args = self.args.iter().map(|arg| {
            let value = arg.node.and_then(&name).unwrap_or_else(|| arg.text.to_string());
            match &arg.name {
                Some(own) => format!("{own} = {value}"),
                None => value,
            }
        });
        let args = args.collect::<Vec<_>>().join(", ");
        match self.sizes.is_empty() {
            true => format!("{}({args})", self.callee),
            false => format!("{}({args}; {})", self.callee, join(&self.sizes)),
        }
    }

    /// The names with those of the adjoints of the layer's parameters, where they are several, as one: `d_l1.*`.
    pub fn gathered(&self, names: Vec<String>) -> Vec<String> {
        let Some(instance) = &self.instance else { return names };
        let own = format!("d_{instance}.");
        let (params, mut rest): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| name.starts_with(&own));
        match params.len() {
            0..4 => rest.extend(params),
            _ => rest.push(format!("{own}*")),
        }
        rest
    }
}

/// Values that are shown as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The number of the call.
    pub call: usize,
    /// Whether it is the adjoint of the call.
    pub adjoint: bool,
    /// The values that it reads and that depend on a variable, in order.
    pub inputs: Vec<NodeId>,
    /// The values of it that others read, then those that are results, in the order asked for.
    pub outputs: Vec<NodeId>,
}

/// The boxes of a model.
#[derive(Clone, Debug, Default)]
pub struct Folded {
    /// The box of each value that is in one.
    pub of: Vec<Option<usize>>,
    /// The boxes; those that were opened again hold nothing.
    pub groups: Vec<Group>,
    /// The values that depend on no variable: they are in no box, for many calls may share them.
    pub fixed: Vec<bool>,
}

/// Gathers the values in `region` into boxes, adjoints being what is not `forward`. A box whose values could not be computed
/// at once, and one of a call of which others read more than it gives, stays open.
pub fn fold(model: &Model, region: &[bool], forward: &[bool], roots: &[NodeId]) -> Folded {
    let mut folded = gathered(model, region, forward);
    for group in circles(model, region, &folded) {
        folded.open(group);
    }
    folded.connect(model, region, roots);
    for number in 0..folded.groups.len() {
        let group = &folded.groups[number];
        let call = model.calls[group.call].as_ref();
        let gives = |id: &NodeId| call.is_some_and(|call| call.results.contains(id));
        if !group.adjoint && !group.outputs.iter().all(gives) {
            folded.open(number);
        }
    }
    folded.connect(model, region, roots);
    folded
}

/// The values by call, and by whether they are adjoints.
fn gathered(model: &Model, region: &[bool], forward: &[bool]) -> Folded {
    let (of, fixed) = (vec![None; model.len()], fixed(model));
    let mut folded = Folded { of, groups: Vec::new(), fixed };
    let mut numbers: FxHashMap<(usize, bool), usize> = FxHashMap::default();
    for id in model.nodes().filter(|id| region[id.index()]) {
        if folded.fixed[id.index()] || model.operands(id).is_empty() {
            continue;
        }
        let call = model.origins(id).call().map(|call| call as usize);
        let known = |call: &usize| model.calls.get(*call).is_some_and(Option::is_some);
        let Some(call) = call.filter(known) else { continue };
        let adjoint = !forward[id.index()];
        let number = *numbers.entry((call, adjoint)).or_insert_with(|| {
            folded.groups.push(Group { call, adjoint, ..Group::default() });
            folded.groups.len() - 1
        });
        folded.of[id.index()] = Some(number);
    }
    folded
}

fn fixed(model: &Model) -> Vec<bool> {
    let mut fixed = vec![false; model.len()];
    for id in model.nodes() {
        let operands = model.operands(id);
        fixed[id.index()] = operands.iter().all(|operand| fixed[operand.index()])
            && !matches!(model.op(id), Op::Variable(_));
    }
    fixed
}

/// The boxes that need, by way of others, something of their own.
fn circles(model: &Model, region: &[bool], folded: &Folded) -> Vec<usize> {
    let mut graph: DiGraph<(), ()> = DiGraph::with_capacity(model.len(), model.len());
    let count = folded.groups.len();
    for _ in 0..count + model.len() {
        graph.add_node(());
    }
    let place = |id: NodeId| NodeIndex::new(folded.of[id.index()].unwrap_or(count + id.index()));
    for id in model.nodes().filter(|id| region[id.index()]) {
        for operand in model.operands(id) {
            if place(operand) != place(id) {
                graph.add_edge(place(operand), place(id), ());
            }
        }
    }
    let components = kosaraju_scc(&graph).into_iter().filter(|component| component.len() > 1);
    components.flatten().map(|node| node.index()).filter(|node| *node < count).collect()
}

impl Folded {
    /// Whether a value is in a box.
    pub fn holds(&self, id: NodeId) -> bool {
        self.of.get(id.index()).is_some_and(Option::is_some)
    }

    /// Shows the values of a box one by one.
    fn open(&mut self, group: usize) {
        for of in self.of.iter_mut().filter(|of| **of == Some(group)) {
            *of = None;
        }
    }

    /// Finds what goes into the boxes and comes out of them.
    fn connect(&mut self, model: &Model, region: &[bool], roots: &[NodeId]) {
        for group in &mut self.groups {
            *group = Group { call: group.call, adjoint: group.adjoint, ..Group::default() };
        }
        let mut seen: FxHashSet<(usize, NodeId)> = FxHashSet::default();
        let mut out = vec![false; model.len()];
        roots.iter().for_each(|id| out[id.index()] = true);
        for id in model.nodes().filter(|id| region[id.index()]) {
            let own = self.of[id.index()];
            for operand in model.operands(id) {
                let other = self.of[operand.index()];
                if own == other {
                    continue;
                }
                // The adjoint of a call knows the call from within.
                let pair = own.zip(other).is_some_and(|(own, other)| {
                    let (own, other) = (&self.groups[own], &self.groups[other]);
                    own.call == other.call && own.adjoint && !other.adjoint
                });
                out[operand.index()] |= !pair;
                let fixed = self.fixed[operand.index()];
                if let Some(own) = own.filter(|own| !fixed && seen.insert((*own, operand))) {
                    self.groups[own].inputs.push(operand);
                }
            }
        }
        for id in model.nodes().filter(|id| out[id.index()]) {
            if let Some(own) = self.of[id.index()] {
                self.groups[own].outputs.push(id);
            }
        }
        let asked: FxHashMap<NodeId, usize> =
            model.outputs.iter().enumerate().map(|(place, output)| (output.node, place)).collect();
        for group in &mut self.groups {
            group.inputs.sort_unstable();
            group.outputs.sort_by_key(|id| asked.get(id).map(|place| place + 1));
        }
    }
}
