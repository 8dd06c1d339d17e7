//! What is kept between steps, and what is given by whatever runs the model.

use super::{Lowerer, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::{NodeId, Role, Variable};
use crate::ops::{Name, Type, leaf};
use crate::syntax::ast::{ExprId, Ident};
use crate::tensor::DType;
use std::sync::Arc;

impl Lowerer {
    /// `update m = expr`.
    pub(super) fn update(&mut self, ident: &Ident, value: ExprId) {
        let span = self.span(value);
        let lowered = self.expr(value);
        let Some(Value::Node(kept)) = self.name(&ident.text, ident.span) else {
            return;
        };
        let known = self.model.variables.iter().find(|(_, variable)| variable.node == kept);
        let known = known.filter(|(_, known)| matches!(known.role, Role::State | Role::Param));
        let Some((name, variable)) = known else {
            return self.no_state(ident, kept);
        };
        let (name, declared, role) = (name.clone(), variable.span, variable.role);
        let ty = self.model.ty(kept).clone();
        let Some(node) = lowered.and_then(|value| self.typed(value, ty.dtype, span)) else {
            return;
        };
        let what = match role {
            Role::Param => format!("the parameter `{name}`"),
            _ => format!("the state `{name}`"),
        };
        let Some(node) = self.fitted(node, &ty, span, &what, Some(declared)) else { return };
        if self.model.updates.contains_key(&name) {
            let message = format!("`{name}` is updated twice");
            let first = self.updated.get(&name).copied().unwrap_or(ident.span);
            self.say(
                Diagnostic::error("E0102", ident.span, message)
                    .label(first, "first updated here")
                    .help("write one update with both steps in its expression"),
            );
            return;
        }
        self.updated.insert(name.clone(), ident.span);
        self.model.updates.insert(name, node);
    }

    /// Reports an update of what is not kept.
    fn no_state(&mut self, ident: &Ident, node: NodeId) {
        let role = self.model.variables.values().find(|known| known.node == node);
        let what = match role.map(|variable| variable.role) {
            Some(Role::Input) => "an input",
            _ => "a binding",
        };
        let message = format!("`{}` is {what}; states and parameters are updated", ident.text);
        let mut diagnostic = Diagnostic::error("E0111", ident.span, message);
        if let Some((_, at)) = self.lookup(&ident.text) {
            diagnostic = diagnostic.label(*at, "defined here");
        }
        let ty = self.model.ty(node);
        self.say(diagnostic.help(format!("declare it: `state {}: {ty} = 0`", ident.text)));
    }

    /// Whether a node is a state.
    pub(super) fn is_kept(&self, node: NodeId) -> bool {
        self.model.variables.values().any(|known| known.node == node && known.role == Role::State)
    }

    /// Reports a derivative by a state.
    pub(super) fn no_gradient(&mut self, name: &Name, node: NodeId, span: Span) {
        let message = format!("there is no derivative by `{name}`, which is a state");
        let mut diagnostic = Diagnostic::error("E0304", self.place(span), message);
        if let Some(variable) = self.model.variables.values().find(|known| known.node == node) {
            diagnostic = diagnostic.label(variable.span, "kept from step to step, not learnt");
        }
        self.say(
            diagnostic.help(format!("declare it as `input {name}`, or `param {name} ... frozen`")),
        );
    }

    /// The variable of that name, which whatever runs the model gives.
    pub(super) fn given(&mut self, name: &str, dtype: DType, span: Span) -> NodeId {
        if let Some(known) = self.model.variables.get(name) {
            return known.node;
        }
        let name: Name = name.into();
        let origins = self.origins(span);
        let leaf = leaf::Variable { name: name.clone(), ty: Arc::new(Type::scalar(dtype)) };
        let node = self.model.insert(leaf, &[], &origins).expect("a variable has no operands");
        let variable =
            Variable { frozen: true, span: self.place(span), ..Variable::plain(node, Role::Given) };
        self.model.variables.insert(name, variable);
        node
    }
}
