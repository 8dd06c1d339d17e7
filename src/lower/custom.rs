//! Functions with a derivative of their own: `fn f(x) { ... } vjp(dy) { ... }`.

use super::{Lowerer, Meaning, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::{NodeId, Operands};
use crate::ops::custom::{Custom, Step};
use crate::ops::leaf::{Const, Variable};
use crate::ops::shape::Broadcast;
use crate::ops::{Name, Number, Op, Operator, Scalar, Type};
use crate::syntax::ast::{Body, Function, Ident};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::sync::Arc;

impl Lowerer {
    /// The results of a function's body, each behind the boundary that its `vjp` block makes. The block sees the names of the
    /// body and gives an adjoint for each parameter.
    pub(super) fn bounded(
        &mut self,
        function: &Function,
        rule: &(Vec<Ident>, Body),
        results: Vec<(Value, Span)>,
    ) -> Option<Vec<Value>> {
        let (adjoints, body) = rule;
        let name = &function.name.text;
        if adjoints.len() != results.len() {
            let given = super::usage::counted(results.len(), "result");
            let taken = super::usage::counted(adjoints.len(), "adjoint");
            let message = format!("`{name}` has {given}; its `vjp` takes {taken}");
            let at = adjoints.first().map_or(body.span, |adjoint| adjoint.span);
            self.say(
                Diagnostic::error("E0305", self.place(at), message)
                    .help("write one adjoint for each result, as in `vjp(da, db) { ... }`"),
            );
            return None;
        }
        if body.results.len() != function.params.len() {
            let given = super::usage::counted(body.results.len(), "adjoint");
            let params = super::usage::counted(function.params.len(), "parameter");
            let message = format!("the `vjp` of `{name}` returns {given} for {params}");
            let at = body.results.first().map_or(body.span, |id| self.span(*id));
            self.say(
                Diagnostic::error("E0305", self.place(at), message)
                    .help("return one for each parameter, in order; 0 where nothing flows back"),
            );
            return None;
        }
        let known: Vec<Option<NodeId>> =
            function.params.iter().map(|param| self.parameter(&param.name.text)).collect();
        let params: Vec<NodeId> = known.iter().flatten().copied().collect();
        let mut values = Vec::new();
        for (value, at) in results {
            values.push(self.typed(value, self.float, at)?);
        }
        let mut seeds = Vec::new();
        for (adjoint, &value) in adjoints.iter().zip(&values) {
            let ty = self.model.ty(value).clone();
            let seed = self.placeholder(ty, adjoint.span);
            seeds.push(seed);
            self.define(&adjoint.text, adjoint.span, Meaning::Value(Value::Node(seed)));
        }
        self.statements(body)?;
        let mut flows = Vec::new();
        for ((id, param), known) in body.results.iter().zip(&function.params).zip(&known) {
            let at = self.span(*id);
            let value = self.expr(*id)?;
            let Some(node) = known.filter(|node| self.model.ty(*node).dtype.is_float()) else {
                continue;
            };
            let ty = self.model.ty(node).clone();
            let flow = self.typed(value, ty.dtype, at)?;
            let what = format!("the adjoint of `{}`", param.name.text);
            let flow = self.fitted(flow, &ty, at, &what, None)?;
            if !self.model.filled(flow).is_some_and(|number| number.is_zero()) {
                flows.push((node, flow));
            }
        }
        let bounded = (0..values.len()).map(|place| {
            let (params, flows, values, seeds) = (&params, &flows, &values, &seeds);
            let written = Written { params, flows, values, seeds, place };
            self.boundary(name, &written, function.name.span)
        });
        bounded.collect()
    }

    fn parameter(&self, name: &str) -> Option<NodeId> {
        match self.scopes.last()?.names.get(name)? {
            (Meaning::Value(Value::Node(node)), _) => Some(*node),
            _ => None,
        }
    }

    /// A value that stands for an adjoint that is not there yet.
    fn placeholder(&mut self, ty: Type, span: Span) -> NodeId {
        let name: Name = format!("?adjoint.{}", self.model.len()).into();
        let origins = self.origins(span);
        let leaf = Variable { name, ty: Arc::new(ty) };
        self.model.insert(leaf, &[], &origins).expect("a variable has no operands")
    }

    /// The result at `written.place` behind its boundary.
    fn boundary(&mut self, name: &Name, written: &Written, span: Span) -> Option<Value> {
        let parts = self.parts(written);
        let mut operands: Operands = SmallVec::from_slice(&[written.values[written.place]]);
        operands.extend(written.flows.iter().map(|(param, _)| *param));
        let leaf = |id: &&NodeId| matches!(self.model.op(**id), Op::Variable(_));
        let given = written.params.iter().filter(|id| parts.contains(id));
        for &id in given.chain(parts.iter().filter(leaf)) {
            if !operands.contains(&id) && !written.seeds.contains(&id) {
                operands.push(id);
            }
        }
        let (steps, numbers) = self.steps(written, &parts, &operands);
        let mut flows = vec![None; operands.len()];
        for (place, (_, flow)) in written.flows.iter().enumerate() {
            flows[place + 1] = numbers.get(flow).copied();
        }
        let (steps, flows): (Arc<[Step]>, Arc<[Option<usize>]>) = (steps.into(), flows.into());
        let origin = self.calls.last().map_or(span, |(_, call)| *call);
        let origins = self.origins(origin);
        let mut names = std::iter::once(name.to_string())
            .chain((2..).map(|number| format!("{name}_{number}")))
            .map(Name::from);
        let custom = loop {
            let custom = Custom { name: names.next()?, steps: steps.clone(), flows: flows.clone() };
            let known = self.customs.entry(custom.name.clone()).or_insert_with(|| custom.clone());
            if *known == custom {
                break custom;
            }
        };
        self.model.insert(custom, &operands, &origins).ok().map(Value::Node)
    }

    /// What a rule is made of, operands before their users, down to the parameters and the function's value.
    fn parts(&self, written: &Written) -> Vec<NodeId> {
        // The order depends on the rule alone, so that equal rules are equal.
        let (mut parts, mut seen) = (Vec::new(), FxHashSet::default());
        let mut waiting: Vec<(NodeId, bool)> =
            written.flows.iter().rev().map(|(_, flow)| (*flow, false)).collect();
        while let Some((id, done)) = waiting.pop() {
            let outer = written.params.contains(&id) || id == written.values[written.place];
            if done {
                parts.push(id);
            } else if seen.insert(id) {
                waiting.push((id, true));
                let operands = self.model.operands(id).into_iter().rev().filter(|_| !outer);
                waiting.extend(operands.map(|operand| (operand, false)));
            }
        }
        parts
    }

    /// The steps of a rule, and the numbers of its values. The adjoints of the other results are 0 here: they flow by
    /// boundaries of their own.
    fn steps(
        &self,
        written: &Written,
        parts: &[NodeId],
        operands: &[NodeId],
    ) -> (Vec<Step>, FxHashMap<NodeId, usize>) {
        let count = operands.len();
        let mut numbers: FxHashMap<NodeId, usize> = FxHashMap::default();
        numbers.insert(written.seeds[written.place], count + 1);
        for (place, id) in operands.iter().enumerate().skip(1) {
            numbers.entry(*id).or_insert(place);
        }
        // The function's value in its own rule has that rule again, but in a rule that derives: there it would never end.
        let derives = parts.iter().any(|id| matches!(self.model.op(*id), Op::Derivative(_)));
        numbers.entry(written.values[written.place]).or_insert(if derives { 0 } else { count });
        let mut steps: Vec<Step> = Vec::new();
        let mut push = |op: Op, from: SmallVec<[usize; 4]>| {
            steps.push((op, from));
            count + 1 + steps.len()
        };
        let mut zeros: FxHashSet<NodeId> =
            written.seeds.iter().copied().filter(|seed| !numbers.contains_key(seed)).collect();
        for &id in parts {
            if numbers.contains_key(&id) || zeros.contains(&id) {
                continue;
            }
            let from = self.model.operands(id);
            match self.without_zeros(id, &from, &zeros) {
                Short::Zero => {
                    zeros.insert(id);
                    continue;
                }
                Short::Same(other) => {
                    numbers.insert(id, numbers[&other]);
                    continue;
                }
                Short::Negative(other) => {
                    let from = SmallVec::from_slice(&[numbers[&other]]);
                    numbers.insert(id, push(Scalar::Neg.into(), from));
                    continue;
                }
                Short::No => {}
            }
            for &zero in from.iter().filter(|id| zeros.contains(*id)) {
                let ty = self.model.ty(zero);
                let number =
                    push(Const { dtype: ty.dtype, value: Number::ZERO }.into(), SmallVec::new());
                let laid = Broadcast {
                    to: ty.shape.clone(),
                    from: ty.shape.iter().map(|_| None).collect(),
                };
                numbers.insert(zero, push(laid.into(), SmallVec::from_slice(&[number])));
            }
            let from = from.iter().map(|id| numbers[id]).collect();
            numbers.insert(id, push(self.model.op(id).clone(), from));
        }
        (steps, numbers)
    }

    /// What a value comes to where some of its operands are 0.
    fn without_zeros(&self, id: NodeId, from: &[NodeId], zeros: &FxHashSet<NodeId>) -> Short {
        let zero = |place: usize| zeros.contains(&from[place]);
        let whole = |place: usize| self.model.ty(from[place]) == self.model.ty(id);
        match self.model.op(id) {
            Op::Scalar(Scalar::Add) if zero(0) && zero(1) => Short::Zero,
            Op::Scalar(Scalar::Sub) if zero(0) && zero(1) => Short::Zero,
            Op::Scalar(Scalar::Add) if zero(0) && whole(1) => Short::Same(from[1]),
            Op::Scalar(Scalar::Sub) if zero(0) && whole(1) => Short::Negative(from[1]),
            Op::Scalar(Scalar::Add | Scalar::Sub) if zero(1) && whole(0) => Short::Same(from[0]),
            Op::Scalar(Scalar::Mul) if zero(0) || zero(1) => Short::Zero,
            Op::Scalar(Scalar::Div | Scalar::Neg) if zero(0) => Short::Zero,
            Op::Select(_) if zero(1) && zero(2) => Short::Zero,
            Op::Scalar(_) | Op::Select(_) => Short::No,
            op if op.is_linear() && (0..from.len()).any(zero) => Short::Zero,
            _ => Short::No,
        }
    }
}

/// What is left of a value.
enum Short {
    /// It is 0.
    Zero,
    /// It is another value.
    Same(NodeId),
    /// It is the negative of another value.
    Negative(NodeId),
    /// All of it.
    No,
}

/// A rule as it stands in the graph.
struct Written<'a> {
    /// The parameters.
    params: &'a [NodeId],
    /// The parameters that something flows back to, with their adjoints.
    flows: &'a [(NodeId, NodeId)],
    /// The results of the function.
    values: &'a [NodeId],
    /// What stands for their adjoints.
    seeds: &'a [NodeId],
    /// The result that the boundary is of.
    place: usize,
}
