//! What is probably not meant: variables that nothing uses, or that are not learnt.

use super::Lowerer;
use crate::diagnostic::Diagnostic;
use crate::graph::{Kind, NodeId, Role};

impl Lowerer {
    /// What is probably not meant.
    pub(super) fn lints(&mut self) {
        if self.model.outputs.is_empty() {
            return;
        }
        let asked: Vec<NodeId> = self
            .model
            .requests
            .iter()
            .filter_map(|request| self.model.named(&request.of))
            .collect();
        let of = |kind: fn(Kind) -> bool| {
            let wanted = self.model.outputs.iter().filter(move |output| kind(output.kind));
            wanted.map(|output| output.node).chain(asked.iter().copied())
        };
        let trained = self.model.outputs.iter().any(|output| output.kind == Kind::Loss);
        let claimed = self.model.claims.iter().flat_map(|claim| [claim.left, claim.right]);
        let updated = self.model.updates.values().copied();
        let used = self.model.needed(of(|_| true).chain(updated).chain(claimed));
        let learnt = self.model.needed(of(|kind| kind == Kind::Loss));
        let mut said = Vec::new();
        for (name, variable) in &self.model.variables {
            let (code, message, help) = match (variable.role, used[variable.node.index()]) {
                (Role::Input, false) => (
                    "W0501",
                    format!("the input `{name}` is not used"),
                    "use it, or remove its line",
                ),
                (Role::State, false) => (
                    "W0501",
                    format!("the state `{name}` is not used"),
                    "use it, or remove its line",
                ),
                (Role::Param, false) => (
                    "W0502",
                    format!("the parameter `{name}` reaches no result"),
                    "use it, or remove its line",
                ),
                (Role::Param, true)
                    if trained && !variable.frozen && !learnt[variable.node.index()] =>
                {
                    (
                        "W0502",
                        format!("the parameter `{name}` never reaches the loss: it is not learnt"),
                        "use it in the loss, or mark it `frozen`",
                    )
                }
                _ => continue,
            };
            said.push(Diagnostic::warning(code, variable.span, message).help(help));
        }
        said.into_iter().for_each(|diagnostic| self.say(diagnostic));
    }
}
