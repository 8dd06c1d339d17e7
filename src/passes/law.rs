//! What laws see and do: a node about to be inserted, and another one in its place.

use super::{product, structure, sum};
use crate::graph::{Model, NodeId, Operands, Origins};
use crate::ops::laws::{LAWS, Law};
use crate::ops::shape::Broadcast;
use crate::ops::term::spread;
use crate::ops::{Misfit, Number, Op, Scalar, Shape, Term, Type};
use indexmap::IndexMap;

/// The model under construction, and what is known of its nodes.
#[derive(Default)]
pub struct Cx {
    model: Model,
    /// What is noted of each node.
    notes: Vec<Note>,
    /// For each node so far whether it is a scalar made of numbers and dimensions only.
    free: Vec<bool>,
    /// How often each law was used.
    pub fired: IndexMap<&'static str, usize>,
}

#[derive(Clone, Copy, Default)]
struct Note {
    protected: bool,
    named: bool,
    uses: u32,
}

impl Cx {
    /// Takes the model for the time of one step.
    pub fn take(&mut self, model: &mut Model) {
        std::mem::swap(&mut self.model, model);
    }

    /// Gives it back.
    pub fn give(&mut self, model: &mut Model) {
        std::mem::swap(&mut self.model, model);
    }

    /// The model.
    pub fn model(&mut self) -> &mut Model {
        &mut self.model
    }

    /// The model, to look at.
    pub fn see(&self) -> &Model {
        &self.model
    }

    /// Marks a node that laws do not look into.
    pub fn protect(&mut self, id: NodeId) {
        self.note(id).protected = true;
    }

    /// Marks a node that has a name in the source text.
    pub fn name(&mut self, id: NodeId) {
        self.note(id).named = true;
    }

    /// Whether a node is written as a name: a variable or a binding.
    pub fn is_named(&self, id: NodeId) -> bool {
        self.noted(id).named || matches!(self.model.op(id), Op::Variable(_))
    }

    /// Notes how often a node is used.
    pub fn used(&mut self, id: NodeId, uses: u32) {
        self.note(id).uses += uses;
    }

    fn note(&mut self, id: NodeId) -> &mut Note {
        if self.notes.len() <= id.index() {
            self.notes.resize(id.index() + 1, Note::default());
        }
        &mut self.notes[id.index()]
    }

    fn noted(&self, id: NodeId) -> Note {
        self.notes.get(id.index()).copied().unwrap_or_default()
    }

    /// Whether a node may be taken apart: laws made it or differentiation did, and nothing else uses it.
    pub fn is_open(&self, id: NodeId) -> bool {
        let note = self.noted(id);
        !note.protected && note.uses <= 1
    }

    /// Whether a node is a scalar made of numbers and dimensions only.
    pub fn is_free(&mut self, id: NodeId) -> bool {
        for index in self.free.len()..=id.index() {
            let node = NodeId::new(index);
            let made = match self.model.op(node) {
                Op::Const(_) | Op::SizeOf(_) => true,
                Op::Scalar(Scalar::Mul | Scalar::Div | Scalar::Neg) => {
                    self.model.operands(node).iter().all(|operand| self.free[operand.index()])
                }
                _ => false,
            };
            self.free.push(made);
        }
        self.free[id.index()]
    }

    /// Whether the source text needs the node.
    pub fn is_forward(&self, id: NodeId) -> bool {
        self.noted(id).protected
    }

    /// How a broadcast lays out its operand, and the shape of that: two values of one layout may meet before it.
    pub fn layout(&self, id: NodeId) -> Option<(Broadcast, Shape)> {
        match self.model.op(id) {
            Op::Broadcast(broadcast) => {
                let inner = self.model.operands(id)[0];
                Some((broadcast.clone(), self.model.ty(inner).shape.clone()))
            }
            _ => None,
        }
    }

    /// Notes that a law was used.
    pub fn fire(&mut self, law: &'static str) {
        *self.fired.entry(law).or_insert(0) += 1;
    }

    /// The node that the laws make of `op` on `operands`.
    pub fn build(
        &mut self,
        op: impl Into<Op>,
        operands: &[NodeId],
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        self.built(op.into(), operands, origins, true)
    }

    /// `build` without the normal forms of sums and products: for their parts.
    pub fn build_part(
        &mut self,
        op: impl Into<Op>,
        operands: &[NodeId],
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        self.built(op.into(), operands, origins, false)
    }

    fn built(
        &mut self,
        op: Op,
        operands: &[NodeId],
        origins: &Origins,
        whole: bool,
    ) -> Result<NodeId, Misfit> {
        let wanted = self.wanted(&op, operands)?;
        if let Some(node) = self.by_rows(&op, operands, origins)? {
            return self.filling(node, &wanted, origins);
        }
        for (name, _, law) in structure::LAWS {
            if let Some(node) = law(self, &op, operands, origins)? {
                self.fire(name);
                return self.filling(node, &wanted, origins);
            }
        }
        let normal = match op {
            _ if !whole => None,
            Op::Scalar(Scalar::Mul | Scalar::Div | Scalar::Neg) => {
                product::normal(self, &op, operands, origins)?
            }
            Op::Scalar(Scalar::Add | Scalar::Sub) => sum::normal(self, &op, operands, origins)?,
            _ => None,
        };
        match normal {
            Some(node) => self.filling(node, &wanted, origins),
            None => self.model.insert(op, operands, origins),
        }
    }

    /// `build` for scalar operators.
    pub fn scalar(
        &mut self,
        row: Scalar,
        operands: &[NodeId],
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        self.build(row, operands, origins)
    }

    /// A scalar constant.
    pub fn number(&mut self, like: NodeId, value: Number, origins: &Origins) -> NodeId {
        let dtype = self.model.ty(like).dtype;
        self.model.number(dtype, value, origins)
    }

    fn wanted(&mut self, op: &Op, operands: &[NodeId]) -> Result<Type, Misfit> {
        self.model.infer(op, operands).cloned()
    }

    /// A law may give a scalar where a filled array is meant.
    pub fn filling(
        &mut self,
        node: NodeId,
        wanted: &Type,
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        let found = self.model.ty(node).clone();
        debug_assert_eq!(found.dtype, wanted.dtype);
        if found.rank() == wanted.rank() {
            return Ok(node);
        }
        debug_assert_eq!(found.rank(), 0, "{found} for {wanted}");
        let axes: Vec<usize> = (0..wanted.rank()).collect();
        self.model.plant(
            &spread(Term::Var(0), &wanted.shape, &axes),
            &[node],
            wanted.dtype,
            origins,
        )
    }

    fn by_rows(
        &mut self,
        op: &Op,
        operands: &[NodeId],
        origins: &Origins,
    ) -> Result<Option<NodeId>, Misfit> {
        for law in LAWS.iter().filter(|law| law.starts_with(op)) {
            let mut bound: Operands = Operands::new();
            if !self.matches_all(law.left_operands(), operands, &mut bound) {
                continue;
            }
            let dtype = self.model.ty(operands[operands.len() - 1]).dtype;
            self.fire(law.name);
            return self.planted(law, &bound, dtype, origins).map(Some);
        }
        Ok(None)
    }

    fn planted(
        &mut self,
        law: &Law,
        bound: &Operands,
        dtype: crate::tensor::DType,
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        let right = law.right.clone();
        self.model.plant(&right, bound, dtype, origins)
    }

    fn matches_all(&self, patterns: &[Term], operands: &[NodeId], bound: &mut Operands) -> bool {
        patterns.iter().zip(operands).all(|(pattern, &id)| self.matches(pattern, id, bound))
    }

    fn matches(&self, pattern: &Term, id: NodeId, bound: &mut Operands) -> bool {
        match pattern {
            Term::Var(number) if *number < bound.len() => bound[*number] == id,
            Term::Var(_) => {
                bound.push(id);
                true
            }
            Term::Number(number) => self.model.filled(id) == Some(*number),
            Term::Size(_) => false,
            Term::Apply(inner) => {
                *self.model.op(id) == inner.0
                    && self.matches_all(&inner.1, &self.model.operands(id), bound)
            }
        }
    }
}
