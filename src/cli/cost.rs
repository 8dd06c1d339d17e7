//! What a model costs, as polynomials in its dimensions.

use crate::graph::{Kind, Model, NodeId};
use crate::ops::{Name, Op, Operator, Scalar, Size, elements};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Floating-point operations, and bytes read and written if each operator works by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    pub flops: Size,
    pub bytes: Size,
}

impl Cost {
    fn none() -> Cost {
        Cost { flops: Size::Known(0), bytes: Size::Known(0) }
    }

    fn add(&mut self, model: &Model, id: NodeId) {
        let operands = model.operand_types(id);
        if operands.is_empty() {
            return;
        }
        let ty = model.ty(id);
        let width =
            |ty: &crate::ops::Type| Size::Known(ty.dtype.bytes() as i64) * elements(&ty.shape);
        self.flops = self.flops.clone() + model.op(id).flops(&operands, ty);
        let read = operands.iter().fold(width(ty), |total, operand| total + width(operand));
        self.bytes = self.bytes.clone() + read;
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} flops, {} bytes", said(&self.flops), said(&self.bytes))
    }
}

/// A number of operations or bytes in print.
pub fn said(size: &Size) -> String {
    match size.is_too_large() {
        true => "more than is written out".into(),
        false => size.to_string(),
    }
}

/// The nodes that the results of the source text need, and those that only derivatives need.
fn parts(model: &Model) -> (Vec<bool>, Vec<bool>) {
    let of = |derived: bool| {
        let outputs = model.outputs.iter();
        model.needed(outputs.filter(move |o| (o.kind == Kind::Gradient) == derived).map(|o| o.node))
    };
    let (forward, mut backward) = (of(false), of(true));
    backward.iter_mut().zip(&forward).for_each(|(backward, forward)| *backward &= !forward);
    (forward, backward)
}

/// The cost of what the source text asks for, and of what derivatives need besides.
pub fn total(model: &Model) -> (Cost, Cost) {
    let (forward, backward) = parts(model);
    let sum = |part: &[bool]| {
        let mut cost = Cost::none();
        model.nodes().filter(|id| part[id.index()]).for_each(|id| cost.add(model, id));
        cost
    };
    (sum(&forward), sum(&backward))
}

/// The cost of each source line, as comment lines: first of what is computed there, then of its derivatives; and the values
/// that are kept for these.
pub fn lines(model: &Model) -> String {
    let (forward, backward) = parts(model);
    let (kept, names) = read_back(model);
    let mut text = String::new();
    for (title, part) in [("forward", forward), ("backward", backward)] {
        let mut costs: BTreeMap<usize, Cost> = BTreeMap::new();
        let mut sum = Cost::none();
        for id in model.nodes().filter(|id| part[id.index()]) {
            let span = model.origins(id).span().filter(|span| span.file == 0);
            let line = span.map_or(0, |span| model.line(span));
            costs.entry(line).or_insert_with(Cost::none).add(model, id);
            sum.add(model, id);
        }
        costs.retain(|_, cost| *cost != Cost::none());
        if costs.is_empty() {
            continue;
        }
        text += &format!("# {title}: {sum}\n");
        for (line, cost) in costs {
            let place = if line == 0 { "elsewhere".to_string() } else { format!(":{line}") };
            text += &format!("#   {place:6} {cost}\n");
        }
    }
    let floats = |ids: &[NodeId]| said(&floats(model, ids));
    if !kept.is_empty() {
        text += &format!("# kept: {} floats\n", floats(&kept));
    }
    for id in kept {
        let span = model.origins(id).span().filter(|span| span.file == 0);
        let place = span.map_or("elsewhere".into(), |span| format!(":{}", model.line(span)));
        let name = names.get(&id).map_or("an unnamed value", |name| name);
        text += &format!("#   {place:6} {name}: {} floats\n", floats(&[id]));
    }
    text
}

/// What the derivatives read of the values that the source text computes, and the names of values.
fn read_back(model: &Model) -> (Vec<NodeId>, FxHashMap<NodeId, &Name>) {
    let (forward, backward) = parts(model);
    let mut names: FxHashMap<NodeId, &Name> = FxHashMap::default();
    for (name, node) in &model.names {
        names.entry(*node).or_insert(name);
    }
    // What costs less to compute again than to read is not kept, but what it is made of.
    let cheap = |id: NodeId| {
        let row = matches!(
            model.op(id),
            Op::Scalar(Scalar::Add | Scalar::Sub | Scalar::Mul | Scalar::Neg | Scalar::Div)
                | Op::Broadcast(_)
                | Op::Permute(_)
        );
        row && !names.contains_key(&id)
    };
    let mut kept: Vec<NodeId> = Vec::new();
    let mut seen = vec![false; model.len()];
    let backwards = model.nodes().filter(|id| backward[id.index()]);
    let mut waiting: Vec<NodeId> = backwards.flat_map(|id| model.operands(id)).collect();
    while let Some(id) = waiting.pop() {
        let new = !std::mem::replace(&mut seen[id.index()], true);
        if !new || !forward[id.index()] || model.operands(id).is_empty() {
            continue;
        }
        if cheap(id) {
            waiting.extend(model.operands(id));
        } else if model.ty(id).rank() > 0 {
            kept.push(id);
        }
    }
    kept.sort_unstable();
    (kept, names)
}

/// How many numbers these values are.
fn floats(model: &Model, ids: &[NodeId]) -> Size {
    let sizes = ids.iter().map(|id| elements(&model.ty(*id).shape));
    model.dims.resolve(&sizes.fold(Size::Known(0), |total, size| total + size))
}

/// What the derivatives read of the values that the source text computes, in words: `h and p (N x 40 floats)`.
pub fn kept(model: &Model) -> Option<String> {
    let (kept, known) = read_back(model);
    let names: Vec<&Name> = kept.iter().filter_map(|id| known.get(id).copied()).collect();
    let others = kept.len() - names.len();
    let mut words: Vec<String> = match names.len() {
        0..=5 => names.iter().map(|name| name.to_string()).collect(),
        count => vec![format!("{count} named values")],
    };
    match others {
        0 => {}
        1 => words.push("1 unnamed value".into()),
        _ => words.push(format!("{others} unnamed values")),
    }
    let last = words.pop()?;
    let list = match words.is_empty() {
        true => last,
        false => format!("{} and {last}", words.join(", ")),
    };
    Some(format!("{list} ({} floats)", spelled(&floats(model, &kept))))
}

/// `N x 40` for `40*N`.
fn spelled(size: &Size) -> String {
    match size.factors() {
        Some((number, sizes)) if !sizes.is_empty() => {
            let mut words: Vec<String> = sizes.iter().map(Size::to_string).collect();
            if number != 1 {
                words.push(number.to_string());
            }
            words.join(" x ")
        }
        _ => size.to_string(),
    }
}
