//! Random values: their keys, and what numbers they depend on besides.

use super::Lowerer;
use super::layer::Owner;
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::NodeId;
use crate::ops::builtin::{self, Builtin};
use crate::ops::random::{Random, SEED, STEP};
use crate::ops::{Name, Number, Op};
use crate::syntax::ast::{ExprId, ExprKind};
use crate::tensor::DType;

impl Lowerer {
    /// Notes the keys that are written in the text, so that none is given to another draw.
    pub(super) fn collect_keys(&mut self) {
        for unit in &self.units {
            for expr in &unit.ast.exprs {
                let ExprKind::Call(call) = &expr.kind else { continue };
                for arg in call.args.iter().filter(|_| DRAWS.contains(&&*call.callee.text)) {
                    if let ExprKind::Text(key) = &unit.ast[arg.value].kind {
                        self.keys.insert(key.clone());
                    }
                }
            }
        }
    }

    /// Gives a draw its key, where none is written, and the operands that it depends on.
    pub(super) fn drawn(
        &mut self,
        builtin: &Builtin,
        values: &mut [builtin::Value],
        nodes: &mut Vec<(NodeId, Span)>,
        span: Span,
    ) {
        if !DRAWS.contains(&builtin.name) {
            return;
        }
        if let Some(key @ builtin::Value::Absent) = values.last_mut() {
            *key = builtin::Value::Text(self.site().to_string());
        }
        if builtin.name == "dropout" {
            nodes.push((self.given("training", DType::Bool, span), span));
        }
        nodes.push((self.given(SEED, DType::I64, span), span));
        nodes.push((self.given(STEP, DType::I64, span), span));
        nodes.extend(self.loops.iter().map(|frame| (frame.index, span)));
    }

    /// A key that no other draw has: the instance and the bindings around it, and a number.
    fn site(&mut self) -> Name {
        let mut names: Vec<&str> = Vec::new();
        for (call, _) in self.calls.iter().rev() {
            match call.strip_prefix('=') {
                Some(name) => names.push(name),
                None if &**call == ".repeat" => break,
                None if self.callables(call).is_some_and(|known| known[0].layer) => break,
                None => {}
            }
        }
        let owner = self.scopes.iter().rev().find_map(|scope| match &scope.owner {
            Owner::Named(prefix) => prefix.strip_suffix('.'),
            _ => None,
        });
        names.extend(owner);
        names.reverse();
        let stem = if names.is_empty() { "draw".to_string() } else { names.join(".") };
        let number = self.sites.entry(stem.clone().into()).or_insert(0);
        loop {
            let key: Name = format!("{stem}.{number}").into();
            *number += 1;
            if self.keys.insert(key.clone()) {
                return key;
            }
        }
    }

    /// The draw of `node` in another float type: a draw is made in the type that a cast gives it.
    pub(super) fn redrawn(&mut self, node: NodeId, dtype: DType, span: Span) -> Option<NodeId> {
        let Op::Random(random) = self.model.op(node) else { return None };
        if !dtype.is_float() {
            return None;
        }
        let (random, operands) = (Random { dtype, ..random.clone() }, self.model.operands(node));
        let origins = self.origins(span);
        self.model.insert(random, &operands, &origins).ok()
    }

    /// A number that the model is shaped by, such as a probability.
    pub(super) fn number(&mut self, function: &str, param: &str, id: ExprId) -> Option<Number> {
        let span = self.span(id);
        let known = match self.expr(id)? {
            super::Value::Free(term) => {
                let planted = self.model.plant(&term, &[], DType::F64, &Default::default());
                planted.ok().and_then(|node| self.model.constant(node))
            }
            _ => None,
        };
        if known.is_none() {
            let message = format!("`{param}` of `{function}` is a number that is written out");
            self.say(
                Diagnostic::error("E0208", self.place(span), message)
                    .help(format!("write it as in `{function}(x, 0.1)`")),
            );
        }
        known
    }
}

/// The functions whose values are random.
const DRAWS: [&str; 3] = ["normal", "uniform", "dropout"];
