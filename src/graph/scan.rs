//! Bodies of scans: opened into values of a model, and closed again around values.

use super::{Kind, Role, Variable};
use super::{Model, NodeId, Operands, Origins, Output};
use crate::ops::leaf;
use crate::ops::scan::{Body, Scan, Step};
use crate::ops::{Misfit, Name, Op, Size, Type};
use rustc_hash::{FxHashMap, FxHashSet};
use std::cell::OnceCell;
use std::sync::Arc;

/// What inserts a step of a body on operands.
pub type Insert<'a> = dyn FnMut(&mut Model, &Step, &[NodeId]) -> Result<NodeId, Misfit> + 'a;

/// What a scan goes over: values that stand for the inputs of its body, and their operands.
#[derive(Clone, Debug)]
pub struct Frame {
    /// From the end.
    pub reverse: bool,
    /// The number of steps.
    pub length: Size,
    /// What stands for the number of the step.
    pub index: NodeId,
    /// What stands for the carries, with their first values.
    pub carries: Vec<(NodeId, NodeId)>,
    /// What stands for the slices, with the arrays.
    pub slices: Vec<(NodeId, NodeId)>,
    /// What stands for values from outside, with those; other values from outside stand for themselves.
    pub outside: Vec<(NodeId, NodeId)>,
}

impl Frame {
    /// All that stands for inputs, in their order.
    pub fn inputs(&self) -> Vec<NodeId> {
        let pairs = self.carries.iter().chain(&self.slices).chain(&self.outside);
        std::iter::once(self.index).chain(pairs.map(|(inner, _)| *inner)).collect()
    }
}

/// What is said about the values of a body.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What values are called.
    pub names: Vec<(Name, NodeId)>,
    /// Of which value, which is the adjoint.
    pub adjoints: Vec<(NodeId, NodeId)>,
}

impl Notes {
    /// The name of a value.
    pub fn name(&self, id: NodeId) -> Option<&Name> {
        self.names.iter().find(|(_, known)| *known == id).map(|(name, _)| name)
    }
}

/// A body as a model of its own.
#[derive(Clone, Debug)]
pub struct Inner {
    /// The model: its variables are the inputs, its outputs the results.
    pub model: Model,
    /// The variables that are the inputs, in their order.
    pub inputs: Vec<NodeId>,
}

impl Inner {
    /// The scan over what the model of its body has become, and which of the operands it still reads.
    pub fn closed(&self, scan: &Scan) -> (Scan, Vec<usize>) {
        let model = &self.model;
        let pairs: Vec<(NodeId, NodeId)> = self.inputs[1..].iter().map(|&id| (id, id)).collect();
        let (carries, rest) = pairs.split_at(scan.carries);
        let (slices, outside) = rest.split_at(scan.slices);
        let frame = Frame {
            reverse: scan.reverse,
            length: scan.length.clone(),
            index: self.inputs[0],
            carries: carries.into(),
            slices: slices.into(),
            outside: outside.into(),
        };
        let results: Vec<NodeId> = model.outputs.iter().map(|output| output.node).collect();
        let called = scan.body.names.iter().zip(&self.inputs);
        let called = called.filter_map(|(name, &node)| Some((name.clone()?, node)));
        let inner = model.names.iter().map(|(name, &node)| (name.clone(), node));
        let notes =
            Notes { names: called.chain(inner).collect(), adjoints: model.adjoints.clone() };
        let (scan, operands) = model.outlined(&frame, &results, &notes, true);
        let place = |id: &NodeId| {
            self.inputs[1..].iter().position(|input| input == id).expect("it is an input")
        };
        let places = operands.iter().map(place).collect();
        (scan, places)
    }

    /// The same inputs in another form of the model.
    pub fn turned(&self, model: Model) -> Inner {
        let name = |id: &NodeId| match self.model.op(*id) {
            Op::Variable(variable) => variable.name.clone(),
            _ => unreachable!("the inputs are variables"),
        };
        let inputs = self.inputs.iter().map(|id| model.variables[&name(id)].node).collect();
        Inner { model, inputs }
    }
}

impl Model {
    /// A variable that stands for a value yet to be known.
    pub fn placeholder(&mut self, ty: Type, origins: &Origins) -> Result<NodeId, Misfit> {
        let name: Name = format!("?{}", self.len()).into();
        self.insert(leaf::Variable { name, ty: Arc::new(ty) }, &[], origins)
    }

    /// The results of `body` on `inputs`, each step inserted by `insert`; and what is said about them.
    pub fn opened<E>(
        &mut self,
        body: &Body,
        inputs: &[NodeId],
        mut insert: impl FnMut(&mut Model, &Step, &[NodeId]) -> Result<NodeId, E>,
    ) -> Result<(Vec<NodeId>, Notes), E> {
        let mut places: Vec<NodeId> = inputs.to_vec();
        for step in &body.steps {
            let operands: Operands =
                step.operands.iter().map(|&operand| places[operand as usize]).collect();
            let node = insert(self, step, &operands)?;
            places.push(node);
        }
        let results = body.results.iter().map(|&place| places[place as usize]).collect();
        let named = body.names.iter().zip(&places);
        let names = named.filter_map(|(name, &node)| Some((name.clone()?, node))).collect();
        let at = |place: u32| places[place as usize];
        let adjoints = body.adjoints.iter().map(|&(of, adjoint)| (at(of), at(adjoint))).collect();
        Ok((results, Notes { names, adjoints }))
    }

    /// The scan over `frame` whose body computes `results`: the next values of the carries, then what is stacked. What in
    /// that depends on nothing in the frame is computed once, outside. `notes` are kept
    /// of what is in the body.
    pub fn closed(
        &mut self,
        frame: &Frame,
        results: &[NodeId],
        notes: &Notes,
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        let (scan, operands) = self.outlined(frame, results, notes, false);
        self.insert(scan, &operands, origins)
    }

    /// What `closed` inserts, with its operands. With `whole` nothing is computed outside.
    pub fn outlined(
        &self,
        frame: &Frame,
        results: &[NodeId],
        notes: &Notes,
        whole: bool,
    ) -> (Scan, Vec<NodeId>) {
        let mut closing = Closing::new(self, frame, whole);
        results.iter().for_each(|&result| closing.place(result));
        let Closing { steps, outside, places, .. } = closing;
        let used = |(inner, _): &&(NodeId, NodeId)| places.contains_key(inner);
        let slices: Vec<(NodeId, NodeId)> = frame.slices.iter().filter(used).copied().collect();
        let held = 1 + frame.carries.len();
        let number = |id: &NodeId| match places[id] {
            Place::Input(place) => place,
            Place::Slice => held + slices.iter().position(|(inner, _)| inner == id).expect("used"),
            Place::Outside(place) => held + slices.len() + place,
            Place::Step(place) => held + slices.len() + outside.len() + place,
        } as u32;
        let carried = frame.carries.iter().chain(&slices).map(|(inner, _)| inner);
        let standing = std::iter::once(&frame.index).chain(carried).chain(&outside);
        let inputs: Vec<Type> = standing.map(|&id| self.ty(id).clone()).collect();
        let step = |&id: &NodeId| Step {
            op: self.op(id).clone(),
            operands: self.operands(id).iter().map(number).collect(),
            ty: self.ty(id).clone(),
            origins: self.origins(id).clone(),
        };
        let steps: Vec<Step> = steps.iter().map(step).collect();
        let results: Vec<u32> = results.iter().map(number).collect();
        let mut called: Vec<Option<Name>> = vec![None; inputs.len() + steps.len()];
        for (name, node) in notes.names.iter().filter(|(_, node)| places.contains_key(node)) {
            called[number(node) as usize].get_or_insert_with(|| name.clone());
        }
        let both = |(of, adjoint): &&(NodeId, NodeId)| {
            places.contains_key(of) && places.contains_key(adjoint)
        };
        let adjoints = notes.adjoints.iter().filter(both);
        let adjoints = adjoints.map(|(of, adjoint)| (number(of), number(adjoint))).collect();
        let known = frame.outside.iter().copied().collect::<FxHashMap<NodeId, NodeId>>();
        let outside = outside.iter().map(|id| *known.get(id).unwrap_or(id));
        let operands =
            frame.carries.iter().chain(&slices).map(|(_, operand)| *operand).chain(outside);
        let scan = Scan {
            reverse: frame.reverse,
            length: frame.length.clone(),
            carries: frame.carries.len(),
            slices: slices.len(),
            body: Arc::new(Body::new(inputs, steps, results, called, adjoints)),
        };
        (scan, operands.collect())
    }

    /// What stands for the inputs of a scan over `operands`.
    pub fn frame(
        &mut self,
        scan: &Scan,
        operands: &[NodeId],
        origins: &Origins,
    ) -> Result<Frame, Misfit> {
        let mut stand = Vec::new();
        for ty in &scan.body.inputs {
            stand.push(self.placeholder(ty.clone(), origins)?);
        }
        let index = stand[0];
        let mut pairs = stand[1..].iter().copied().zip(operands.iter().copied());
        Ok(Frame {
            reverse: scan.reverse,
            length: scan.length.clone(),
            index,
            carries: pairs.by_ref().take(scan.carries).collect(),
            slices: pairs.by_ref().take(scan.slices).collect(),
            outside: pairs.collect(),
        })
    }

    /// The same scan with each step of its body inserted by `insert`. Where `through` is set,
    /// values from outside are themselves, so that the steps are seen to depend on what those depend on.
    pub fn mapped(
        &mut self,
        scan: &Scan,
        operands: &[NodeId],
        origins: &Origins,
        through: bool,
        insert: &mut Insert,
    ) -> Result<NodeId, Misfit> {
        let mut frame = self.frame(scan, operands, origins)?;
        if through {
            frame.outside.iter_mut().for_each(|(inner, operand)| *inner = *operand);
        }
        let inputs = frame.inputs();
        let (results, notes) = self.opened(&scan.body, &inputs, insert)?;
        if through {
            frame.outside.clear();
        }
        self.closed(&frame, &results, &notes, origins)
    }

    /// Whether a value is a number, or an array of one, that a scan computes anew in each step rather than reads from outside.
    pub fn is_written_inside(&self, id: NodeId) -> bool {
        let inner = match self.op(id) {
            Op::Broadcast(_) => self.operands(id)[0],
            _ => id,
        };
        self.ty(inner).rank() == 0 && is_number(self, inner, SMALL)
    }

    /// The body of a scan as a model: results that the source text asks for are outputs, others gradients.
    pub fn inner(&self, scan: &Scan) -> Inner {
        let mut model =
            Model { dims: self.dims.clone(), lines: self.lines.clone(), ..Model::default() };
        let body = &scan.body;
        let mut inputs = Vec::new();
        for (place, ty) in body.inputs.iter().enumerate() {
            let name: Name = format!("?{place}").into();
            let variable = leaf::Variable { name: name.clone(), ty: Arc::new(ty.clone()) };
            let node =
                model.insert(variable, &[], &Origins::default()).expect("a type that was held");
            model.variables.insert(name, Variable::plain(node, Role::Given));
            inputs.push(node);
        }
        let (results, notes) = model
            .opened(body, &inputs, |model, step, operands| {
                model.insert(step.op.clone(), operands, &step.origins)
            })
            .expect("what was well typed stays so");
        let names = notes.names.into_iter().filter(|(_, node)| !inputs.contains(node));
        model.names = names.collect();
        model.adjoints = notes.adjoints;
        for (place, node) in results.into_iter().enumerate() {
            let written = model.origins(node).source().is_some();
            let kind = if written { Kind::Output } else { Kind::Gradient };
            model.outputs.push(Output { kind, name: format!("?r{place}").into(), node });
        }
        Inner { model, inputs }
    }
}

/// Where a value is found in a body.
#[derive(Clone, Copy)]
enum Place {
    /// The index or a carry.
    Input(usize),
    /// A slice: only those that are read are counted.
    Slice,
    Outside(usize),
    Step(usize),
}

/// A body in the making.
struct Closing<'a> {
    model: &'a Model,
    /// Whether all but variables is computed in each step.
    whole: bool,
    /// The nodes that depend on the step.
    inner: FxHashSet<NodeId>,
    slices: FxHashSet<NodeId>,
    /// Nodes with names, once these are asked for.
    named: OnceCell<FxHashSet<NodeId>>,
    places: FxHashMap<NodeId, Place>,
    outside: Vec<NodeId>,
    steps: Vec<NodeId>,
}

impl<'a> Closing<'a> {
    fn new(model: &'a Model, frame: &Frame, whole: bool) -> Closing<'a> {
        let held = frame.carries.iter().map(|(inner, _)| *inner);
        let held: Vec<NodeId> = std::iter::once(frame.index).chain(held).collect();
        let others = frame.slices.iter().chain(&frame.outside).map(|(inner, _)| *inner);
        let mut inner: FxHashSet<NodeId> = held.iter().copied().chain(others).collect();
        let first = inner.iter().map(|id| id.index()).min().expect("the index is there");
        for id in (first..model.len()).map(NodeId::new) {
            if model.operands(id).iter().any(|operand| inner.contains(operand)) {
                inner.insert(id);
            }
        }
        let places = held.iter().enumerate();
        let places = places.map(|(place, id)| (*id, Place::Input(place))).collect();
        let slices = frame.slices.iter().map(|(inner, _)| *inner).collect();
        Closing {
            model,
            whole,
            inner,
            slices,
            named: OnceCell::new(),
            places,
            outside: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Places a node: as an input, as a step behind its operands, or as a value from outside. Steps stand in the order in
    /// which a walk from the results leaves them, whatever the order of the graph.
    fn place(&mut self, root: NodeId) {
        let mut waiting = vec![(root, false)];
        while let Some((id, done)) = waiting.pop() {
            if self.places.contains_key(&id) {
                continue;
            }
            if self.slices.contains(&id) {
                self.places.insert(id, Place::Slice);
                continue;
            }
            if !self.belongs(id) {
                self.places.insert(id, Place::Outside(self.outside.len()));
                self.outside.push(id);
                continue;
            }
            if !done {
                waiting.push((id, true));
                let operands = self.model.operands(id);
                waiting.extend(operands.iter().rev().map(|&operand| (operand, false)));
                continue;
            }
            self.places.insert(id, Place::Step(self.steps.len()));
            self.steps.push(id);
        }
    }

    fn is_named(&self, id: NodeId) -> bool {
        self.named.get_or_init(|| self.model.names.values().copied().collect()).contains(&id)
    }

    /// Whether a node is computed in each step: it depends on the step, or is no more than a way to look at a value.
    fn belongs(&self, id: NodeId) -> bool {
        let operands = self.model.operands(id);
        if self.whole || self.inner.contains(&id) {
            return !matches!(self.model.op(id), Op::Variable(_));
        }
        match self.model.op(id) {
            Op::Variable(_) => false,
            _ if self.model.is_written_inside(id) => true,
            _ if self.is_named(id) => false,
            _ if operands.is_empty() => true,
            Op::Broadcast(_) | Op::Permute(_) | Op::Reshape(_) => true,
            _ => false,
        }
    }
}

/// No deeper expression is computed anew in each step.
const SMALL: usize = 4;

/// Whether a scalar is made of numbers and dimensions only, and small.
fn is_number(model: &Model, id: NodeId, depth: usize) -> bool {
    match model.op(id) {
        Op::Const(_) | Op::SizeOf(_) => true,
        Op::Scalar(_) | Op::Cast(_) if depth > 0 => {
            model.operands(id).iter().all(|&id| is_number(model, id, depth - 1))
        }
        _ => false,
    }
}
