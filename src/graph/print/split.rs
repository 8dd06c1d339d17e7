//! Slices that together are all of a value: they are written as one `(a, b) = split[K](x, 2)`.

use super::draft::{Draft, Level};
use crate::graph::{Model, NodeId};
use crate::ops::shape::{Cut, Slice};
use crate::ops::{Op, Size, join};
use rustc_hash::FxHashMap;

/// The pieces of a value along an axis, in order, without a gap.
#[derive(Clone, Debug)]
pub struct Split {
    /// The value.
    pub of: NodeId,
    axis: usize,
    /// The pieces in the order of the axis, at least two.
    pub pieces: Vec<NodeId>,
}

/// The splits among the nodes of `region`, each under its piece that comes first in the graph.
pub fn splits(model: &Model, region: &[bool]) -> FxHashMap<NodeId, Split> {
    if !model.may_have(|op| matches!(op, Op::Slice(_))) {
        return FxHashMap::default();
    }
    let mut groups: FxHashMap<(NodeId, usize), Vec<NodeId>> = FxHashMap::default();
    for id in model.nodes().filter(|id| region[id.index()]) {
        let Op::Slice(slice) = model.op(id) else { continue };
        let of = model.operands(id)[0];
        if let Some(axis) = cut_axis(model, slice, of) {
            groups.entry((of, axis)).or_default().push(id);
        }
    }
    let complete = groups.into_iter().filter_map(|((of, axis), slices)| {
        let first = *slices.first()?;
        let pieces = in_order(model, of, axis, &slices)?;
        Some((first, Split { of, axis, pieces }))
    });
    complete.collect()
}

/// The one axis of which a slice takes a part, element by element.
fn cut_axis(model: &Model, slice: &Slice, of: NodeId) -> Option<usize> {
    let mut axes = (0..slice.cuts.len())
        .filter(|&axis| slice.cuts[axis] != Cut::all(&model.ty(of).shape[axis]));
    let (axis, None) = (axes.next()?, axes.next()) else { return None };
    matches!(slice.cuts[axis], Cut::Range { step: 1, .. }).then_some(axis)
}

/// Start and size of what a slice takes of an axis.
fn range(model: &Model, id: NodeId, axis: usize) -> Option<(&Size, &Size)> {
    let Op::Slice(slice) = model.op(id) else { return None };
    match &slice.cuts[axis] {
        Cut::Range { start, size, .. } => Some((start, size)),
        Cut::At(_) => None,
    }
}

/// The slices from the start of the axis to its end, if each of them begins where another one ends.
fn in_order(model: &Model, of: NodeId, axis: usize, slices: &[NodeId]) -> Option<Vec<NodeId>> {
    let mut left = slices.to_vec();
    let mut at = Size::Known(0);
    let mut pieces = Vec::new();
    while !left.is_empty() {
        let here = |id: &NodeId| {
            range(model, *id, axis).is_some_and(|(start, _)| model.dims.equal(start, &at))
        };
        let piece = left.remove(left.iter().position(here)?);
        at = at + range(model, piece, axis)?.1.clone();
        pieces.push(piece);
    }
    (pieces.len() > 1 && model.dims.equal(&at, &model.ty(of).shape[axis])).then_some(pieces)
}

impl Split {
    /// `split[K](x, 2)`: how many parts there are where all have one size, else the sizes.
    pub fn written(&self, model: &Model, of: Draft) -> Draft {
        let sizes: Vec<Size> = self
            .pieces
            .iter()
            .filter_map(|&id| range(model, id, self.axis))
            .map(|(_, size)| size.clone())
            .collect();
        let alike = sizes.iter().all(|size| model.dims.equal(size, &sizes[0]));
        let parts = if alike { sizes.len().to_string() } else { format!("[{}]", join(&sizes)) };
        let label = model.ty(self.of).axis_label(self.axis);
        let mut draft = Draft::text(format!("split[{label}]("), Level::Atom);
        draft.nodes.extend(&self.pieces);
        draft.append(of);
        draft.push(&format!(", {parts})"));
        draft
    }
}
