//! Plans of one model, one for each binding of its dimensions, the last used kept.

use super::Plan;
use crate::exec::reference::RunError;
use crate::graph::{Model, NodeId};
use crate::ops::Bindings;
use std::sync::Arc;

/// Plans of a model.
#[derive(Debug)]
pub struct Plans<'m> {
    model: &'m Model,
    wanted: Vec<NodeId>,
    steps: bool,
    limit: usize,
    /// The plans that are kept, the one used last at the end.
    kept: Vec<(Bindings, Arc<Plan>)>,
}

impl<'m> Plans<'m> {
    /// Plans that compute `wanted`, and new values of variables where they are `steps` of training; of those kept the
    /// states take at most `limit` bytes, but one is always kept.
    pub fn new(model: &'m Model, wanted: &[NodeId], steps: bool, limit: usize) -> Plans<'m> {
        Plans { model, wanted: wanted.to_vec(), steps, limit, kept: Vec::new() }
    }

    /// The plan for sizes, made where there is none.
    pub fn get(&mut self, bindings: &Bindings) -> Result<Arc<Plan>, RunError> {
        if let Some(place) = self.kept.iter().position(|(known, _)| known == bindings) {
            let found = self.kept.remove(place);
            self.kept.push(found);
        } else {
            let plan = match self.steps {
                true => Plan::step(self.model, &self.wanted, bindings)?,
                false => Plan::new(self.model, &self.wanted, bindings)?,
            };
            self.kept.push((bindings.clone(), Arc::new(plan)));
            let mut bytes: usize = self.kept.iter().map(|(_, plan)| plan.bytes()).sum();
            while bytes > self.limit && self.kept.len() > 1 {
                bytes -= self.kept.remove(0).1.bytes();
            }
        }
        Ok(Arc::clone(&self.kept[self.kept.len() - 1].1))
    }

    /// The number of plans that are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether none has been asked for.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
