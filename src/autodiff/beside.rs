//! What is known of each node of a stretch of a graph.

use crate::graph::NodeId;
use std::ops::{Index, IndexMut};

/// A value beside each node from a first to a last.
#[derive(Clone, Debug)]
pub struct Beside<T> {
    first: usize,
    values: Vec<T>,
}

impl<T: Clone> Beside<T> {
    /// This value beside each of `count` nodes from `first` on.
    pub fn new(first: usize, count: usize, value: T) -> Beside<T> {
        Beside { first, values: vec![value; count] }
    }

    /// This value beside each of the same nodes.
    pub fn like<U: Clone>(&self, value: U) -> Beside<U> {
        Beside { first: self.first, values: vec![value; self.values.len()] }
    }
}

impl<T> Beside<T> {
    /// What is beside a node, if it is one of the stretch.
    pub fn get(&self, id: NodeId) -> Option<&T> {
        self.values.get(id.index().checked_sub(self.first)?)
    }

    /// The nodes in order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<T> {
        (self.first..self.first + self.values.len()).map(NodeId::new)
    }
}

impl Beside<bool> {
    /// Whether a node is one of the stretch and marked.
    pub fn holds(&self, id: NodeId) -> bool {
        self.get(id) == Some(&true)
    }

    /// The nodes that are marked, in order.
    pub fn marked(&self) -> impl DoubleEndedIterator<Item = NodeId> + '_ {
        self.nodes().filter(|id| self[*id])
    }
}

impl<T: Copy> Beside<Option<T>> {
    /// What is known beside a node.
    pub fn known(&self, id: NodeId) -> Option<T> {
        self.get(id).copied().flatten()
    }
}

impl<T> Index<NodeId> for Beside<T> {
    type Output = T;

    fn index(&self, id: NodeId) -> &T {
        &self.values[id.index() - self.first]
    }
}

impl<T> IndexMut<NodeId> for Beside<T> {
    fn index_mut(&mut self, id: NodeId) -> &mut T {
        &mut self.values[id.index() - self.first]
    }
}
