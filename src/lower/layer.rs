//! Who owns parameters: the names that instances of layers give them, and where those names are seen.

use super::{Lowerer, Meaning, PRELUDE, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::{NodeId, Role};
use crate::ops::{Name, Op};
use crate::syntax::ast::{Body, Ident, ItemKind};
use rustc_hash::FxHashSet;

/// Who owns the parameters that are declared in a scope.
#[derive(Clone, Debug, Default)]
pub enum Owner {
    /// An instance; their names begin with this: nothing at the top of a file, `l1.` in a layer, `blocks.0.` in a block.
    Named(Name),
    /// Nobody: what calls the layer there has no name for it.
    #[default]
    Nameless,
    /// Nobody: a layer is called, or a block stands, at this place in the function of that name.
    Function(Name, Span),
    /// Nobody: at the first place another instance has that name, which the second place gives again.
    Twice(Name, Span, Span),
}

impl Lowerer {
    /// Who owns what a layer or a block at `span` declares. Without a name of its own an instance is called after the binding
    /// that it stands in; in the result of a layer or block it needs none.
    pub(super) fn instance(&mut self, name: Option<&Ident>, span: Span) -> Owner {
        let scope = self.scopes.last().expect("there is always a scope");
        let prefix = match &scope.owner {
            Owner::Named(prefix) => prefix,
            Owner::Function(function, _) => return Owner::Function(function.clone(), span),
            nobody => return nobody.clone(),
        };
        let binding = self.calls.last().and_then(|(call, _)| call.strip_prefix('='));
        let name = name.map(|name| &*name.text).or(binding);
        let full: Name = match name {
            Some(name) => format!("{prefix}{name}.").into(),
            None if self.scopes.len() > 1 => return Owner::Named(prefix.clone()),
            None => return Owner::Nameless,
        };
        match self.instances.get(&full) {
            Some(first) => Owner::Twice(full[..full.len() - 1].into(), *first, span),
            None => {
                self.instances.insert(full.clone(), span);
                Owner::Named(full)
            }
        }
    }

    /// The whole name of what is declared as `name`; `None` where nobody owns it, which is reported.
    pub(super) fn owned(&mut self, name: &Ident) -> Option<Name> {
        let scope = self.scopes.last().expect("there is always a scope");
        let own = &name.text;
        let call = self.calls.iter().rev().find(|(call, _)| !call.starts_with('='));
        let call = call.map_or(name.span, |(_, span)| *span);
        let diagnostic = match &scope.owner {
            Owner::Named(prefix) => return Some(format!("{prefix}{own}").into()),
            Owner::Nameless => {
                let message = format!("the parameter `{own}` of this layer gets no name here");
                Diagnostic::error("E0121", self.place(call), message)
                    .help("write a name behind the call: `as l1`; or bind its value: `h = ...`")
            }
            Owner::Function(function, at) => {
                let message = format!("`{function}` is a function: it owns no parameter `{own}`");
                Diagnostic::error("E0122", self.place(*at), message)
                    .at("this declares parameters")
                    .help(format!("make it a layer: `layer {function}(...)`"))
            }
            Owner::Twice(instance, first, second) => {
                let message = format!("two layers are called `{instance}`");
                Diagnostic::error("E0121", self.place(*second), message)
                    .label(self.place(*first), "the first one")
                    .help("name them apart: write `as l1`, `as l2` behind the calls")
            }
        };
        let label =
            Some(name.span).filter(|at| at.file != PRELUDE && diagnostic.secondary.is_empty());
        let diagnostic = match label {
            Some(at) => diagnostic.label(at, "declared here"),
            None => diagnostic,
        };
        let place = diagnostic.primary.as_ref().map(|label| label.span);
        let known = |known: &Diagnostic| {
            known.code == diagnostic.code && known.primary.as_ref().map(|label| label.span) == place
        };
        if self.diagnostics.iter().any(known) {
            self.errors += 1;
        } else {
            self.say(diagnostic);
        }
        None
    }

    /// Defines what is called `full` in the scopes around, by what each of them calls it: `W` in `l1` is `l1.W` outside.
    pub(super) fn define_around(&mut self, full: &Name, span: Span, node: NodeId, strict: bool) {
        let innermost = self.scopes.len() - 1;
        for place in (0..innermost).rev() {
            let Owner::Named(prefix) = &self.scopes[place].owner else { continue };
            let Some(relative) = full.strip_prefix(&**prefix) else { continue };
            let relative: Name = relative.into();
            let meaning = Meaning::Value(Value::Node(node));
            match self.scopes[place].names.get(&relative) {
                None => drop(self.scopes[place].names.insert(relative, (meaning, span))),
                Some((_, first)) if strict => {
                    let first = *first;
                    let message = format!("`{full}` is defined twice");
                    let call = self.calls.iter().rev().find(|(call, _)| !call.starts_with('='));
                    let by = call.map(|(_, call)| super::trace::by(self, *call));
                    self.say(
                        Diagnostic::error("E0102", self.place(span), message)
                            .at(by.unwrap_or_default())
                            .label(self.place(first), "first defined here")
                            .help(
                                "give one of them another name, or name the layers apart with `as`",
                            ),
                    );
                    return;
                }
                Some(_) => return,
            }
        }
    }

    /// Notes the name of a value inside a layer or block: the outermost one counts.
    pub(super) fn name_inside(&mut self, name: &Ident, node: NodeId) {
        let scope = self.scopes.last().expect("there is always a scope");
        let Owner::Named(prefix) = &scope.owner else { return };
        // In a scan a name means another value in each step.
        if !self.loops.is_empty() {
            return;
        }
        let full: Name = format!("{prefix}{}", name.text).into();
        if !self.scopes[0].names.contains_key(&full) {
            self.define_around(&full, name.span, node, false);
            self.inner.insert(node, full);
        }
    }

    /// Notes that a value is what the instance of that prefix gives; `carry` tells apart the values of a block with several.
    pub(super) fn name_result(&mut self, owner: &Owner, carry: Option<&Ident>, value: &Value) {
        if let (Owner::Named(prefix), Value::Node(node)) = (owner, value)
            && self.loops.is_empty()
        {
            let name = match carry {
                Some(carry) => format!("{prefix}{}", carry.text),
                None => prefix.trim_end_matches('.').to_string(),
            };
            self.inner.insert(*node, name.into());
        }
    }

    /// Lowers the statements of a layer, function or block; what cannot stand there has been reported by the parser.
    pub(super) fn statements(&mut self, body: &Body) -> Option<()> {
        for item in &body.items {
            match &item.kind {
                ItemKind::Binding(idents, value) => self.binding(idents, *value),
                ItemKind::Const(ident, ty, value) => self.constant(ident, ty.as_ref(), *value),
                ItemKind::Param(declaration) => self.declaration(declaration, Role::Param),
                ItemKind::Update(state, _) if !self.loops.is_empty() => self.kept_in_a_scan(state),
                ItemKind::State(_) | ItemKind::Update(..) => self.item(item),
                _ => return None,
            }
        }
        Some(())
    }

    /// Reports an update of a state by a layer that is called in a scan.
    fn kept_in_a_scan(&mut self, state: &Ident) {
        let message =
            format!("the state `{}` is updated once in a step, not by a scan", state.text);
        let mut diagnostic = Diagnostic::error("E0210", self.place(state.span), message);
        if let Some((_, call)) = self.calls.iter().rev().find(|(call, _)| !call.starts_with('=')) {
            diagnostic = diagnostic.label(self.place(*call), "called in a scan");
        }
        self.say(diagnostic.help("call the layer before or behind the scan"));
    }

    /// The names inside layers and blocks of values that have no other.
    pub(super) fn name_inner(&mut self) {
        let named: FxHashSet<NodeId> = self.model.names.values().copied().collect();
        for (node, name) in std::mem::take(&mut self.inner) {
            let variable = matches!(self.model.op(node), Op::Variable(_));
            if !variable && !named.contains(&node) && self.model.named(&name).is_none() {
                self.model.names.insert(name, node);
            }
        }
    }
}
