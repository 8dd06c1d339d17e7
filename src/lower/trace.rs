//! Where the size of an axis, or an element type, comes from.

use super::Lowerer;
use crate::diagnostic::Span;
use crate::graph::NodeId;
use crate::ops::{Op, Size};

/// The place where the size of `axis` of `node` is written, with what is to be said of it.
pub fn size(lowerer: &Lowerer, node: NodeId, axis: usize) -> Option<(Span, String)> {
    let model = &lowerer.model;
    let size: &Size = model.ty(node).shape.get(axis)?;
    let (mut at, mut along, mut via) = (node, axis, None);
    loop {
        let operands = model.operands(at);
        let next = match model.op(at) {
            Op::Variable(variable) => {
                let span = *lowerer.axes.get(&variable.name)?.get(along)?;
                let text = match via {
                    None => format!("{size} comes from here"),
                    Some(span) => format!("{size} comes from here, {}", by(lowerer, span)),
                };
                return Some((span, text));
            }
            Op::MatMul(_) => {
                let (x, y) = (model.ty(operands[0]).rank(), model.ty(operands[1]).rank());
                let last = along + 1 == model.ty(at).rank();
                via = model.origins(at).source().or(via);
                match (last && y >= 2, x) {
                    (true, _) => (operands[1], y - 1),
                    (false, 0 | 1) => (operands[1], along),
                    (false, _) => (operands[0], along),
                }
            }
            Op::Broadcast(broadcast) => (operands[0], usize::from(broadcast.from[along]?)),
            Op::Permute(permute) => (operands[0], permute.order[along]),
            Op::Reduce(reduce) => {
                let kept: Vec<usize> = (0..model.ty(operands[0]).rank())
                    .filter(|axis| !reduce.axes.contains(axis))
                    .collect();
                (operands[0], *kept.get(along)?)
            }
            Op::Scalar(_)
            | Op::Select(_)
            | Op::Cast(_)
            | Op::Softmax(_)
            | Op::Barrier(_)
            | Op::StopGradient(_) => {
                let rank = model.ty(at).rank();
                (*operands.iter().find(|operand| model.ty(**operand).rank() == rank)?, along)
            }
            _ => {
                let span = model.origins(at).source()?;
                return Some((span, format!("{size} comes from here")));
            }
        };
        (at, along) = next;
    }
}

/// The place where the element type of `node` is written, with what is to be said of it.
pub fn dtype(lowerer: &Lowerer, node: NodeId) -> Option<(Span, String)> {
    let model = &lowerer.model;
    let dtype = model.ty(node).dtype;
    let mut at = node;
    loop {
        let text = || format!("{dtype} comes from here");
        match model.op(at) {
            Op::Variable(variable) => {
                return Some((*lowerer.dtypes.get(&variable.name)?, text()));
            }
            Op::Cast(_) => return Some((model.origins(at).source()?, text())),
            _ => {
                let operands = model.operands(at);
                at = *operands.iter().find(|operand| model.ty(**operand).dtype == dtype)?;
            }
        }
    }
}

/// A place in words: `by `x @ W` on line 3`.
pub fn by(lowerer: &Lowerer, span: Span) -> String {
    let source = &lowerer.units[usize::from(span.file)].text;
    let text: String =
        source.get(span.range()).unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
    let before = source.get(..span.range().start).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    if text.is_empty() || text.chars().count() > 30 {
        format!("by line {line}")
    } else {
        format!("by `{text}` on line {line}")
    }
}
