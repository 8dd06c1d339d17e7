//! Small models made of parts of another one, in which named values are variables.

use crate::graph::{Kind, Model, NodeId, Operands, Origins, Output, Role, Variable};
use crate::ops::term::spread;
use crate::ops::{Misfit, Name, Op, Type, leaf};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A small model made of parts of another one, in which named values are variables.
pub struct Piece<'a> {
    base: &'a Model,
    names: &'a FxHashMap<NodeId, Name>,
    /// What there is of it.
    pub model: Model,
    copies: FxHashMap<NodeId, NodeId>,
}

impl<'a> Piece<'a> {
    /// Nothing yet of `base`, in which `names` are not looked into.
    pub fn new(base: &'a Model, names: &'a FxHashMap<NodeId, Name>) -> Piece<'a> {
        let mut model = Model::default();
        model.dims = base.dims.clone();
        model.floats = Some(base.float());
        Piece { base, names, model, copies: FxHashMap::default() }
    }

    /// A variable of that name.
    pub fn variable(&mut self, name: &Name, ty: Type) -> NodeId {
        let variable = leaf::Variable { name: name.clone(), ty: Arc::new(ty) };
        let node = self.model.insert(variable, &[], &Origins::default());
        let node = node.expect("a variable has no operands");
        self.model
            .variables
            .entry(name.clone())
            .or_insert_with(|| Variable::plain(node, Role::Input));
        node
    }

    /// A named value as a variable.
    pub fn leaf(&mut self, id: NodeId) -> NodeId {
        if let Some(known) = self.copies.get(&id) {
            return *known;
        }
        let name = self.names[&id].clone();
        let node = self.variable(&name, self.base.ty(id).clone());
        if let Op::Variable(variable) = self.base.op(id)
            && let Some(declared) = self.base.variables.get(&variable.name)
        {
            let declared = Variable { node, init: None, ..declared.clone() };
            self.model.variables.insert(name, declared);
        }
        self.copies.insert(id, node);
        node
    }

    /// A value as it is computed from named ones, though it may have a name itself.
    pub fn opened(&mut self, id: NodeId) -> Result<NodeId, Misfit> {
        if self.base.operands(id).is_empty() {
            return self.value(id);
        }
        let operands = self.base.operands(id);
        let operands =
            operands.iter().map(|&operand| self.value(operand)).collect::<Result<Operands, _>>()?;
        self.base.copy(&mut self.model, id, &operands)
    }

    /// A value: a variable where it has a name.
    fn value(&mut self, id: NodeId) -> Result<NodeId, Misfit> {
        let mut waiting = vec![id];
        while let Some(&next) = waiting.last() {
            if self.copies.contains_key(&next) {
                waiting.pop();
                continue;
            }
            if self.names.contains_key(&next) {
                self.leaf(next);
                continue;
            }
            let operands = self.base.operands(next);
            let start = waiting.len();
            waiting.extend(operands.iter().filter(|operand| !self.copies.contains_key(operand)));
            if waiting.len() == start {
                let operands: Operands =
                    operands.iter().map(|operand| self.copies[operand]).collect();
                let copy = self.base.copy(&mut self.model, next, &operands)?;
                self.copies.insert(next, copy);
            }
        }
        Ok(self.copies[&id])
    }

    /// Ones in the shape of a value.
    pub fn ones(&mut self, like: NodeId) -> Result<NodeId, Misfit> {
        let ty = self.model.ty(like).clone();
        let axes: Vec<usize> = (0..ty.rank()).collect();
        let term = if axes.is_empty() { 1.into() } else { spread(1.into(), &ty.shape, &axes) };
        self.model.plant(&term, &[], ty.dtype, &Origins::default())
    }

    /// Makes a value a result.
    pub fn output(&mut self, name: Name, node: NodeId) {
        self.model.outputs.push(Output { kind: Kind::Gradient, name, node });
    }
}
