//! Models made anew: node by node, or without what nothing needs.

use super::store::Store;
use super::{Claim, Init, Model, NodeId, Operands, Output};
use crate::ops::leaf;
use crate::ops::{Name, Op};
use std::borrow::Cow;

impl Model {
    /// The model with each live node replaced by what `replace` inserts for it, given the new operands. What is declared of
    /// the variables is known to it from the start, but for their nodes.
    pub fn rebuild<E>(
        &self,
        mut replace: impl FnMut(&mut Model, NodeId, &[NodeId]) -> Result<NodeId, E>,
    ) -> Result<Model, E> {
        let live = self.live();
        let mut model = self.declared(self.store.like());
        model.store.reserve(self.len(), self.store.edges());
        let mut map: Vec<NodeId> = vec![NodeId::end(); self.len()];
        let mut called: Vec<(NodeId, &Name)> =
            self.names.iter().map(|(name, id)| (*id, name)).collect();
        called.sort_by_key(|(id, _)| *id);
        let mut called = called.into_iter().peekable();
        for id in self.nodes().filter(|id| live[id.index()]) {
            let operands: Operands =
                self.operands(id).iter().map(|operand| map[operand.index()]).collect();
            let node = replace(&mut model, id, &operands)?;
            map[id.index()] = node;
            // What is replaced later may want to know what is called how.
            while let Some((_, name)) = called.next_if(|(of, _)| *of == id) {
                model.names.insert(name.clone(), node);
            }
            if let Op::Variable(leaf::Variable { name, .. }) = self.op(id)
                && let Some(variable) = model.variables.get_mut(name)
            {
                variable.node = node;
            }
        }
        self.moved(&mut model, &map, &live);
        Ok(model)
    }

    /// A model of which nothing is there but what is declared, with the variables' nodes still those of this one.
    fn declared(&self, store: Store) -> Model {
        Model {
            store,
            dims: self.dims.clone(),
            lines: self.lines.clone(),
            requests: self.requests.clone(),
            floats: self.floats,
            claimed: self.claimed.clone(),
            training: self.training.clone(),
            variables: self.variables.clone(),
            ..Model::default()
        }
    }

    /// Gives `model` all that is said of the nodes of this one, which it has under the numbers of `map`.
    fn moved(&self, model: &mut Model, map: &[NodeId], live: &[bool]) {
        let known = |id: &NodeId| map[id.index()];
        for (variable, own) in model.variables.values_mut().zip(self.variables.values()) {
            variable.node = known(&own.node);
            if let Some(Init::Value(node)) = &mut variable.init {
                *node = known(node);
            }
        }
        if !model.names.keys().eq(self.names.keys()) {
            model.names = self.names.clone();
            model.names.values_mut().for_each(|node| *node = known(node));
        }
        model.outputs = self
            .outputs
            .iter()
            .map(|output| Output { node: known(&output.node), ..output.clone() })
            .collect();
        model.updates = self.updates.iter().map(|(name, id)| (name.clone(), known(id))).collect();
        model.claims = self
            .claims
            .iter()
            .map(|claim| Claim {
                left: known(&claim.left),
                right: known(&claim.right),
                ..claim.clone()
            })
            .collect();
        let there = |id: NodeId| Some(map[id.index()]).filter(|_| live[id.index()]);
        model.calls = self
            .calls
            .iter()
            .map(|call| call.as_ref().and_then(|call| call.mapped(there)))
            .collect();
        let both = |(a, b): &(NodeId, NodeId)| live[a.index()] && live[b.index()];
        let earlier =
            self.adjoints.iter().filter(|pair| both(pair)).map(|(a, b)| (known(a), known(b)));
        let later = std::mem::take(&mut model.adjoints);
        model.adjoints = earlier.chain(later).collect();
    }

    /// The model without its claims, which stay as texts.
    pub fn unclaimed(&self) -> Cow<'_, Model> {
        if self.claims.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut model = self.clone();
        let claims = std::mem::take(&mut model.claims);
        model.claimed.extend(claims.into_iter().filter_map(|claim| claim.text));
        Cow::Owned(model)
    }

    /// The model without what nothing needs.
    pub fn compact(&self) -> Model {
        let live = self.live();
        let (store, map) = self.store.kept(&live);
        let mut model = self.declared(store);
        self.moved(&mut model, &map, &live);
        model
    }
}
