//! The model as a graph: append-only, hash-consed, typed; the order of its nodes is topological.

pub mod check;
mod cost;
pub mod fold;
pub mod join;
pub mod print;
mod rebuild;
pub mod release;
pub mod scan;
mod store;
mod tidy;
pub mod train;

use crate::diagnostic::Span;
use crate::ops::leaf::{self, Const, SizeOf};
pub use crate::ops::origin::{Origin, Origins};
use crate::ops::{Dims, Misfit, Name, Number, Op, Size, Term, Type, elements};
use crate::tensor::{DType, Tensor};
use fold::Call;
use indexmap::IndexMap;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::sync::Arc;
use store::{Held, Store};
pub use tidy::Operands;
use tidy::{Tidy, tidy};
use train::Training;

/// No value has more axes.
pub const RANK: usize = 64;

/// A value of the graph.
pub type NodeId = NodeIndex<u32>;

/// Things by name, in order.
pub type Table<T> = IndexMap<Name, T, FxBuildHasher>;

/// What a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Given at run time.
    Input,
    /// Learnt.
    Param,
    /// Kept from one step to the next; it has no gradient.
    State,
    /// Given by whatever runs the model: `training`, and what random numbers depend on.
    Given,
}

/// How a parameter starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Init {
    /// The value of a node that depends on no variable.
    Value(NodeId),
    /// Drawn from a distribution.
    Random(Draw),
}

/// Distributions of initial values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// Uniform in ±sqrt(6 / (inputs + outputs)).
    Glorot,
    /// Normal with variance 2 / inputs.
    He,
    /// Normal around 0 with this standard deviation.
    Normal(Number),
    /// Uniform between these bounds.
    Uniform(Number, Number),
}

/// The range that the entries of a variable are declared to lie in.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// The lower end and whether it belongs to it.
    pub low: (Size, Option<Number>, bool),
    /// The upper end and whether it belongs to it.
    pub high: (Size, Option<Number>, bool),
}

/// What is declared about a variable.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its node.
    pub node: NodeId,
    /// What it is.
    pub role: Role,
    /// How it starts; inputs have no start.
    pub init: Option<Init>,
    /// No gradient by default.
    pub frozen: bool,
    /// Equal to its transpose.
    pub symmetric: bool,
    /// The declared range.
    pub range: Option<Range>,
    /// Where it is declared.
    pub span: Span,
    /// Where the sizes of its axes are written.
    pub axes: Vec<Span>,
}

impl Variable {
    /// A variable about which nothing is declared.
    pub fn plain(node: NodeId, role: Role) -> Variable {
        Variable {
            node,
            role,
            init: None,
            frozen: false,
            symmetric: false,
            range: None,
            span: Span::default(),
            axes: Vec::new(),
        }
    }
}

/// What a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A scalar to be made small.
    Loss,
    /// A result.
    Output,
    /// A number to be watched.
    Metric,
    /// A derivative that was asked for from outside.
    Gradient,
}

/// A named result.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// Its value.
    pub node: NodeId,
}

/// `expect a == b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The left side.
    pub left: NodeId,
    /// The right side.
    pub right: NodeId,
    /// Where it stands.
    pub span: Span,
    /// What it says, where that names nothing but what printed models have.
    pub text: Option<Name>,
}

/// `grad C wrt (a, b)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The name of the value.
    pub of: Name,
    /// The names of the variables.
    pub wrt: Vec<Name>,
}

/// A network with all that is known of it.
#[derive(Clone, Debug, Default)]
pub struct Model {
    store: Store,
    /// The dimensions.
    pub dims: Dims,
    /// Inputs and parameters by name, in source order.
    pub variables: Table<Variable>,
    /// The values of bindings by name, in source order.
    pub names: Table<NodeId>,
    /// The results.
    pub outputs: Vec<Output>,
    /// The values that variables have in the next step: `update m = ...`, and what a training step makes of parameters.
    pub updates: Table<NodeId>,
    /// What is claimed to be equal; claims are roots of the graph for as long as they are here.
    pub claims: Vec<Claim>,
    /// The calls that were inlined, of those whose values are all there.
    pub calls: Vec<Option<Call>>,
    /// The claims that are roots no longer, as texts.
    pub claimed: Vec<Name>,
    /// How it is trained where nothing else is said.
    pub training: Option<Training>,
    /// The derivatives that `grad` prints by default.
    pub requests: Vec<Request>,
    /// The adjoints that differentiation made: of which value, which value.
    pub adjoints: Vec<(NodeId, NodeId)>,
    /// For each byte offset where a line starts, so that spans have lines.
    pub lines: Vec<u32>,
    /// The element type of floats where it is not that of the first float variable.
    pub floats: Option<DType>,
}

impl Model {
    /// The operator of a node.
    pub fn op(&self, id: NodeId) -> &Op {
        self.store.op(id)
    }

    /// The type of a node.
    pub fn ty(&self, id: NodeId) -> &Type {
        self.store.ty(id)
    }

    /// Where a node comes from.
    pub fn origins(&self, id: NodeId) -> &Origins {
        self.store.origins(id)
    }

    /// Adds reasons for a node to be there.
    pub fn unite(&mut self, id: NodeId, origins: &Origins) {
        self.store.unite(id, origins);
    }

    /// The operands of a node in order.
    pub fn operands(&self, id: NodeId) -> Operands {
        let mut operands = Operands::new();
        self.reads(id).for_each(|operand| operands.push(operand));
        operands
    }

    /// The operands of a node, one after the other.
    pub fn reads(&self, id: NodeId) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        self.store.operands(id)
    }

    /// The types of the operands of a node.
    pub fn operand_types(&self, id: NodeId) -> SmallVec<[Type; 2]> {
        self.reads(id).map(|operand| self.ty(operand).clone()).collect()
    }

    /// All nodes, operands before their users.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.len() as u32).map(NodeId::from)
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The petgraph view: nodes are operators, edges lead from operands to users and bear the operand's position.
    pub fn petgraph(&self) -> DiGraph<Op, u32, u32> {
        self.store.petgraph()
    }

    /// The number of a scalar constant.
    pub fn constant(&self, id: NodeId) -> Option<Number> {
        match self.op(id) {
            Op::Const(Const { value, .. }) => Some(*value),
            _ => None,
        }
    }

    /// The number that fills a node: a constant or the broadcast of one.
    pub fn filled(&self, id: NodeId) -> Option<Number> {
        match self.op(id) {
            Op::Broadcast(_) => self.constant(self.operands(id)[0]),
            _ => self.constant(id),
        }
    }

    /// The node of `op` on `operands`: a known one where there is an equal one.
    pub fn insert(
        &mut self,
        op: impl Into<Op>,
        operands: &[NodeId],
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        let op = op.into();
        match tidy(self, &op, operands) {
            None => {
                let number = self.store.take(op);
                self.placed(number, operands, origins)
            }
            Some(form) => self.tidied(form, origins),
        }
    }

    /// The same node in another model, with its reasons.
    pub fn copy(&self, to: &mut Model, id: NodeId, operands: &[NodeId]) -> Result<NodeId, Misfit> {
        let (op, number) = (self.op(id), self.store.held(id));
        if !to.store.is(number, op) {
            return to.insert(op.clone(), operands, self.origins(id));
        }
        match tidy(to, op, operands) {
            None => to.placed(number, operands, self.origins(id)),
            Some(form) => to.tidied(form, self.origins(id)),
        }
    }

    fn tidied(&mut self, form: Tidy, origins: &Origins) -> Result<NodeId, Misfit> {
        match form {
            Tidy::Node(id) => {
                self.unite(id, origins);
                Ok(id)
            }
            Tidy::Op(op, operands) => {
                let number = self.store.take(op);
                self.placed(number, &operands, origins)
            }
            Tidy::Column(op, operands, layout) => {
                let value = self.insert(op, &operands, origins)?;
                self.insert(layout, &[value], origins)
            }
        }
    }

    fn placed(
        &mut self,
        op: Held,
        operands: &[NodeId],
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        if let Some(id) = self.store.find(op, operands) {
            self.unite(id, origins);
            return Ok(id);
        }
        let ty = self.store.infer(op, operands, &self.dims)?;
        Ok(self.store.add(op, ty, operands, origins.clone()))
    }

    /// The type of `op` on `operands`.
    pub fn infer(&mut self, op: &Op, operands: &[NodeId]) -> Result<&Type, Misfit> {
        let number = match self.store.number(op) {
            Some(number) => number,
            None => self.store.take(op.clone()),
        };
        let ty = self.store.infer(number, operands, &self.dims)?;
        Ok(self.store.known(ty))
    }

    /// The node of `op` on `operands` as they are, where there is one.
    pub fn find(&self, op: &Op, operands: &[NodeId]) -> Option<NodeId> {
        self.store.find(self.store.number(op)?, operands)
    }

    /// Whether an operator like that is anywhere in the model, bodies of scans left aside; perhaps it only was there.
    pub fn may_have(&self, like: impl Fn(&Op) -> bool) -> bool {
        self.store.ops().any(like)
    }

    /// The node of a scalar constant.
    pub fn number(&mut self, dtype: DType, value: Number, origins: &Origins) -> NodeId {
        self.insert(Const { dtype, value }, &[], origins).expect("a constant has no operands")
    }

    /// The node of an input about which nothing but its type is declared.
    pub fn input(&mut self, name: &Name, ty: Type) -> NodeId {
        let variable = leaf::Variable { name: name.clone(), ty: Arc::new(ty) };
        let node = self.insert(variable, &[], &Origins::default());
        let node = node.expect("a variable has no operands");
        self.variables.insert(name.clone(), Variable::plain(node, Role::Input));
        node
    }

    /// Plants a term whose variables are `variables`; numbers without a typed neighbour are of type `dtype`.
    pub fn plant(
        &mut self,
        term: &Term,
        variables: &[NodeId],
        dtype: DType,
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        match term {
            Term::Var(number) => Ok(variables[*number]),
            Term::Number(value) => Ok(self.number(dtype, *value, origins)),
            Term::Size(size) => self.insert(SizeOf { dtype, size: size.clone() }, &[], origins),
            Term::Apply(inner) => {
                let (op, args) = &**inner;
                let mut planted: Operands = SmallVec::from_elem(NodeId::end(), args.len());
                let mut hint = None;
                for (place, arg) in args.iter().enumerate().filter(|(_, arg)| !is_free(arg)) {
                    planted[place] = self.plant(arg, variables, dtype, origins)?;
                    let ty = self.ty(planted[place]).dtype;
                    // Conditions and indices say nothing about the values beside them.
                    if !(ty == DType::Bool && matches!(op, Op::Select(_)))
                        && hint.is_none_or(|known: DType| ty.is_float() && !known.is_float())
                    {
                        hint = Some(ty);
                    }
                }
                for (place, arg) in args.iter().enumerate().filter(|(_, arg)| is_free(arg)) {
                    planted[place] = self.plant(arg, variables, hint.unwrap_or(dtype), origins)?;
                }
                self.insert(op.clone(), &planted, origins)
            }
        }
    }

    /// The nodes that the results, bindings, initial values and adjoint-free roots need.
    pub fn live(&self) -> Vec<bool> {
        self.needed(self.roots())
    }

    fn roots(&self) -> impl Iterator<Item = NodeId> {
        let inits = self.variables.values().filter_map(|variable| match variable.init {
            Some(Init::Value(node)) => Some(node),
            _ => None,
        });
        let variables = self.variables.values().map(|variable| variable.node);
        let results = self.outputs.iter().map(|output| output.node);
        let claims = self.claims.iter().flat_map(|claim| [claim.left, claim.right]);
        let named = self.names.values().chain(self.updates.values()).copied();
        variables.chain(inits).chain(results).chain(named).chain(claims)
    }

    /// The one loss, if there is just one.
    pub fn loss(&self) -> Option<&Output> {
        let mut losses = self.outputs.iter().filter(|output| output.kind == Kind::Loss);
        losses.next().filter(|_| losses.next().is_none())
    }

    /// The value of that name: a variable or a binding.
    pub fn named(&self, name: &str) -> Option<NodeId> {
        self.names
            .get(name)
            .copied()
            .or_else(|| self.variables.get(name).map(|variable| variable.node))
    }

    /// The element type of floats: that of the first float variable.
    pub fn float(&self) -> DType {
        let mut types = self.variables.values().map(|variable| self.ty(variable.node).dtype);
        self.floats.or_else(|| types.find(|dtype| dtype.is_float())).unwrap_or(DType::F32)
    }

    /// The nodes that `roots` are computed from, with them.
    pub fn needed(&self, roots: impl Iterator<Item = NodeId>) -> Vec<bool> {
        let mut needed = vec![false; self.len()];
        roots.for_each(|id| needed[id.index()] = true);
        for id in self.nodes().rev() {
            if needed[id.index()] {
                self.reads(id).for_each(|operand| needed[operand.index()] = true);
            }
        }
        needed
    }

    /// The same in order, for roots of which each needs little.
    pub fn cone(&self, roots: &[NodeId]) -> Vec<NodeId> {
        let mut seen: FxHashSet<NodeId> = roots.iter().copied().collect();
        let mut cone: Vec<NodeId> = seen.iter().copied().collect();
        let mut next = 0;
        while next < cone.len() {
            let new = self.reads(cone[next]).filter(|operand| seen.insert(*operand));
            cone.extend(new.collect::<Operands>());
            next += 1;
        }
        cone.sort_unstable();
        cone
    }

    /// Whether `node` is computed from `from`.
    pub fn depends(&self, node: NodeId, from: NodeId) -> bool {
        let mut seen = vec![false; node.index() + 1];
        let mut waiting = vec![node];
        while let Some(id) = waiting.pop().filter(|id| *id != from) {
            for operand in self.reads(id).filter(|operand| *operand >= from) {
                if !std::mem::replace(&mut seen[operand.index()], true) {
                    waiting.push(operand);
                }
            }
        }
        seen.get(from.index()).copied().unwrap_or(false)
    }

    /// The line, from 1, in which a span starts.
    pub fn line(&self, span: Span) -> usize {
        self.lines.partition_point(|&start| start <= span.start)
    }

    /// How often each node is an operand or a result.
    pub fn uses(&self) -> Vec<u32> {
        let live = self.live();
        let mut uses = vec![0; self.len()];
        for id in self.nodes().filter(|id| live[id.index()]) {
            self.reads(id).for_each(|operand| uses[operand.index()] += 1);
        }
        for output in &self.outputs {
            uses[output.node.index()] += 1;
        }
        for id in self.updates.values() {
            uses[id.index()] += 1;
        }
        uses
    }
}

/// Refuses sizes, and numbers of elements, that no machine word counts.
fn held(ty: &Type, dims: &Dims) -> Result<(), Misfit> {
    if ty.rank() > RANK {
        return Err(Misfit::rank(format!("{} axes; a value has at most {RANK}", ty.rank())));
    }
    let sizes: SmallVec<[Size; 4]> = ty.shape.iter().map(|size| dims.resolve(size)).collect();
    let small = |size: &Size| size.known().map_or(size.name().is_some(), |size| size < 1 << 15);
    if sizes.len() <= 4 && sizes.iter().all(small) || !elements(&sizes).is_too_large() {
        return Ok(());
    }
    let message = match sizes.iter().any(Size::is_too_large) {
        true => "the size of an axis is beyond 2^63, or has too many parts".to_string(),
        false => format!("{ty} has more than 2^63 elements"),
    };
    Err(Misfit { code: "E0208", ..Misfit::call(message) }.help("give its dimensions smaller sizes"))
}

fn is_free(term: &Term) -> bool {
    match term {
        Term::Var(_) => false,
        Term::Number(_) | Term::Size(_) => true,
        Term::Apply(inner) => !inner.1.is_empty() && inner.1.iter().all(is_free),
    }
}

/// The values of variables in one run.
pub type Values = FxHashMap<Name, Tensor>;
