//! What is said beside the line of an adjoint: source lines and rules.

use super::draft::{Draft, Piece};
use super::statements::Plan;
use crate::diagnostic::Span;
use crate::graph::{NodeId, Origin};
use std::borrow::Cow;

/// Rules that go without saying where others are told.
const PLAIN: &[&str] = &[
    "add",
    "sub",
    "mul",
    "div",
    "neg",
    "mean",
    "sum",
    "broadcast",
    "reshape",
    "transpose",
    "permute",
    "slice",
    "binding",
    "jacobian",
];

/// What an adjoint comes from.
#[derive(Clone, Debug, Default)]
pub struct Cited {
    /// The source lines.
    pub lines: Vec<usize>,
    /// The rules that tell most, from the value backwards, each with the operand that it serves.
    pub rules: Vec<(Cow<'static, str>, Option<u8>)>,
}

/// The source lines and the telling rules of a line.
pub fn cited(plan: &Plan, draft: &Draft) -> Cited {
    let model = plan.model;
    let mut cited: Vec<(Span, Cow<'static, str>, Option<u8>)> = Vec::new();
    let mut lines: Vec<usize> = Vec::new();
    let mut nodes: Vec<NodeId> = draft
        .nodes
        .iter()
        .copied()
        .filter(|id| !plan.forward[id.index()] && !model.operands(*id).is_empty())
        .collect();
    nodes.sort_unstable();
    for node in nodes {
        for origin in model.origins(node).iter() {
            if let Origin::Adjoint { span, rule, operand } = origin {
                let line = model.line(*span);
                if span.end > 0 && !lines.contains(&line) {
                    lines.push(line);
                }
                if !cited.iter().any(|(_, known, place)| known == rule && place == operand) {
                    cited.push((*span, rule.clone(), *operand));
                }
            }
        }
    }
    lines.sort_unstable();
    // From the loss backwards: what is written later comes first, and of two that begin together the longer.
    cited.sort_by_key(|(span, ..)| std::cmp::Reverse((span.start, span.end)));
    let rules: Vec<_> = cited.into_iter().map(|(_, rule, operand)| (rule, operand)).collect();
    let telling: Vec<_> =
        rules.iter().filter(|(rule, _)| !PLAIN.contains(&&**rule)).cloned().collect();
    let rules = if telling.is_empty() { rules.into_iter().take(2).collect() } else { telling };
    Cited { lines, rules }
}

/// `:13,15  output layer: square, sigmoid`.
pub fn comment(plan: &Plan, id: NodeId, draft: &Draft) -> Option<String> {
    let Cited { lines, rules: told } = cited(plan, draft);
    let mut words: Vec<String> = Vec::new();
    let alone = told.len() == 1;
    for (rule, operand) in told {
        let word = match (&*rule, operand) {
            ("matmul", Some(place)) => {
                let side = if place == 0 { "left" } else { "right" };
                if alone { format!("matmul, {side}") } else { format!("matmul {side}") }
            }
            ("broadcast", _) => "broadcast undone".into(),
            ("mul", _) => "product".into(),
            ("div", _) => "quotient".into(),
            ("sub" | "add", _) => "sum".into(),
            (rule, _) => rule.replace('_', " "),
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let mut text = String::new();
    if !lines.is_empty() {
        text = format!(":{}", lines.iter().map(usize::to_string).collect::<Vec<_>>().join(","));
    }
    let layer = layer(plan, id, draft).map(|layer| format!("{layer}: ")).unwrap_or_default();
    if !words.is_empty() {
        let pad = if text.is_empty() { 0 } else { 2.max(8usize.saturating_sub(text.len())) };
        text.push_str(&" ".repeat(pad));
        text.push_str(&format!("{layer}{}", words.join(", ")));
    }
    (!text.is_empty()).then_some(text)
}

/// The lecture's cases of the backward pass: the adjoint of what feeds an activation comes from the loss, or through the
/// weights from the layer behind.
fn layer(plan: &Plan, id: NodeId, draft: &Draft) -> Option<&'static str> {
    let adjoint = |piece: &Piece| matches!(piece, Piece::Name(name) if !plan.forward[name.index()]);
    match plan.before.contains(&id) {
        true if draft.product => Some("hidden layer"),
        true if !draft.pieces.iter().any(adjoint) => Some("output layer"),
        _ => None,
    }
}
