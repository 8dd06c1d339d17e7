//! Nodes in little space: equal operators and equal types are held once, operands lie side by side.

use super::{NodeId, Operands, Origins, held};
use crate::ops::{Dims, Misfit, Op, Operator, Type};
use hashbrown::HashTable;
use indexmap::IndexSet;
use petgraph::graph::DiGraph;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHasher};
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};

/// An operator or a type by its number.
pub type Held = u32;

#[derive(Clone, Debug)]
struct Node {
    op: Held,
    ty: Held,
    /// The first edge from an operand; the others follow it.
    first: u32,
    count: u32,
    origins: Origins,
}

/// The nodes of a model: edges of the graph lead from operands to users and bear the operand's position.
#[derive(Clone, Debug, Default)]
pub struct Store {
    graph: DiGraph<Node, u32, u32>,
    ops: IndexSet<Op, FxBuildHasher>,
    types: IndexSet<Type, FxBuildHasher>,
    /// The nodes by operator and operands.
    index: HashTable<NodeId>,
    /// The types of results by operator and types of operands, where so many dimensions are declared.
    inferred: FxHashMap<(Held, SmallVec<[Held; 3]>), Held>,
    dims: usize,
}

impl Store {
    /// An empty store that knows the operators and types of this one by the same numbers.
    pub fn like(&self) -> Store {
        Store {
            graph: DiGraph::default(),
            ops: self.ops.clone(),
            types: self.types.clone(),
            index: HashTable::new(),
            inferred: self.inferred.clone(),
            dims: self.dims,
        }
    }

    /// Makes room for so many nodes.
    pub fn reserve(&mut self, nodes: usize, edges: usize) {
        self.graph.reserve_nodes(nodes);
        self.graph.reserve_edges(edges);
        let graph = &self.graph;
        self.index.reserve(nodes, |&id| hash_of(graph, id));
    }

    /// The operator of a node.
    pub fn op(&self, id: NodeId) -> &Op {
        &self.ops[self.graph[id].op as usize]
    }

    /// The number of the operator of a node.
    pub fn held(&self, id: NodeId) -> Held {
        self.graph[id].op
    }

    /// All operators that a node has, and some that none has any more.
    pub fn ops(&self) -> impl Iterator<Item = &Op> {
        self.ops.iter()
    }

    /// The type of a node.
    pub fn ty(&self, id: NodeId) -> &Type {
        &self.types[self.graph[id].ty as usize]
    }

    /// Where a node comes from.
    pub fn origins(&self, id: NodeId) -> &Origins {
        &self.graph[id].origins
    }

    /// Adds reasons for a node to be there.
    pub fn unite(&mut self, id: NodeId, origins: &Origins) {
        self.graph[id].origins.unite(origins);
    }

    /// The operands of a node in order.
    pub fn operands(&self, id: NodeId) -> Operands {
        operands(&self.graph, id).collect()
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// The number of edges.
    pub fn edges(&self) -> usize {
        self.graph.edge_count()
    }

    /// The graph with operators as nodes.
    pub fn petgraph(&self) -> DiGraph<Op, u32, u32> {
        self.graph.map(|_, node| self.ops[node.op as usize].clone(), |_, position| *position)
    }

    /// The number of an operator, if a node has it or had it.
    pub fn number(&self, op: &Op) -> Option<Held> {
        self.ops.get_index_of(op).map(|number| number as Held)
    }

    /// The number of an operator that a node is about to have.
    pub fn take(&mut self, op: Op) -> Held {
        self.ops.insert_full(op).0 as Held
    }

    /// Whether the number is that of the operator.
    pub fn is(&self, number: Held, op: &Op) -> bool {
        self.ops.get_index(number as usize) == Some(op)
    }

    /// The node of an operator on operands, where there is one.
    pub fn find(&self, op: Held, wanted: &[NodeId]) -> Option<NodeId> {
        let same = |&id: &NodeId| {
            self.graph[id].op == op && operands(&self.graph, id).eq(wanted.iter().copied())
        };
        self.index.find(hash(op, wanted.iter().copied()), same).copied()
    }

    /// The type of an operator on operands.
    pub fn infer(&mut self, op: Held, operands: &[NodeId], dims: &Dims) -> Result<Held, Misfit> {
        if self.dims != dims.len() {
            self.inferred.clear();
            self.dims = dims.len();
        }
        let known = operands.iter().map(|&id| self.graph[id].ty);
        let key = (op, known.collect::<SmallVec<[Held; 3]>>());
        if let Some(&ty) = self.inferred.get(&key) {
            return Ok(ty);
        }
        let types: SmallVec<[Type; 2]> = operands.iter().map(|&id| self.ty(id).clone()).collect();
        let ty = self.ops[op as usize].infer(&types, dims)?;
        held(&ty, dims)?;
        let ty = self.types.insert_full(ty).0 as Held;
        if !operands.is_empty() {
            self.inferred.insert(key, ty);
        }
        Ok(ty)
    }

    /// The type of that number.
    pub fn known(&self, ty: Held) -> &Type {
        &self.types[ty as usize]
    }

    /// Adds a node that is not there yet.
    pub fn add(&mut self, op: Held, ty: Held, operands: &[NodeId], origins: Origins) -> NodeId {
        let (first, count) = (self.graph.edge_count() as u32, operands.len() as u32);
        let id = self.graph.add_node(Node { op, ty, first, count, origins });
        for (position, &operand) in operands.iter().enumerate() {
            self.graph.add_edge(operand, id, position as u32);
        }
        let graph = &self.graph;
        let hash = hash(op, operands.iter().copied());
        self.index.insert_unique(hash, id, |&id| hash_of(graph, id));
        id
    }

    /// The nodes that are `live`, and for each node its new number.
    pub fn kept(&self, live: &[bool]) -> (Store, Vec<NodeId>) {
        let mut kept = self.like();
        let nodes = live.iter().filter(|live| **live).count();
        kept.reserve(nodes, self.edges().min(3 * nodes));
        let mut map = vec![NodeId::end(); self.len()];
        for id in self.graph.node_indices().filter(|id| live[id.index()]) {
            let node = &self.graph[id];
            let operands: Operands =
                operands(&self.graph, id).map(|operand| map[operand.index()]).collect();
            map[id.index()] = kept.add(node.op, node.ty, &operands, node.origins.clone());
        }
        (kept, map)
    }
}

fn operands(
    graph: &DiGraph<Node, u32, u32>,
    id: NodeId,
) -> impl ExactSizeIterator<Item = NodeId> + '_ {
    let Node { first, count, .. } = graph[id];
    let edges = &graph.raw_edges()[first as usize..(first + count) as usize];
    edges.iter().map(|edge| edge.source())
}

fn hash_of(graph: &DiGraph<Node, u32, u32>, id: NodeId) -> u64 {
    hash(graph[id].op, operands(graph, id))
}

fn hash(op: Held, operands: impl Iterator<Item = NodeId>) -> u64 {
    let mut hasher = FxHasher::default();
    op.hash(&mut hasher);
    operands.for_each(|operand| operand.hash(&mut hasher));
    hasher.finish()
}
