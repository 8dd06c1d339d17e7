//! Products of a matrix by itself transposed, with a weight for each row or without: how weighted rows lie, and that of the
//! result one half is the mirror of the other.

use super::draft::{Draft, Id, Item, Kind, View};
use super::ends::Ends;
use super::layout::Layout;
use crate::exec::kernels::rows::Action;
use crate::ops::Scalar;

/// Lays maps of matrices that only a product needs as their operands lie, where these are all the other way round.
pub fn turn(draft: &mut Draft, live: &[bool], roots: &[Id]) {
    let mut uses = vec![0u32; draft.items.len()];
    roots.iter().for_each(|&id| uses[id as usize] += 1);
    for (item, _) in draft.items.iter().zip(live).filter(|(_, live)| **live) {
        item.args.iter().for_each(|view| uses[view.of as usize] += 1);
    }
    for id in (0..draft.items.len()).filter(|&id| live[id]) {
        let Kind::Product(..) = draft.items[id].kind else { continue };
        for place in 0..2 {
            let view = &draft.items[id].args[place];
            let of = view.of as usize;
            let item = &draft.items[of];
            let whole = is_flat(item) && view.layout == Layout::rows(&item.sizes);
            if uses[of] == 1 && whole && matches!(item.kind, Kind::Map(_)) && is_across(item) {
                let item = &mut draft.items[of];
                item.sizes.reverse();
                item.args.iter_mut().for_each(|view| view.layout = view.layout.permute(&[1, 0]));
                let layout = Layout::rows(&item.sizes).permute(&[1, 0]);
                draft.items[id].args[place].layout = layout;
            }
        }
    }
}

/// Whether an item and its operands are matrices.
fn is_flat(item: &Item) -> bool {
    item.sizes.len() == 2 && item.args.iter().all(|view| view.layout.sizes.len() == 2)
}

/// Whether operands of a matrix lie along its columns, and none along its rows.
fn is_across(item: &Item) -> bool {
    let layouts = item.args.iter().map(|view| &view.layout);
    let mut matrices = layouts
        .filter(|layout| (0..2).all(|axis| layout.sizes[axis] > 1 && layout.steps[axis] != 0))
        .peekable();
    matrices.peek().is_some() && matrices.all(|layout| layout.steps[0] == 1)
}

/// Whether a product equals its transpose, rounding apart: `X' X`, or with weights of the rows `(s X)' X`, where nothing is
/// done at its end. `origin` tells what items are copies of.
pub fn is_symmetric(draft: &Draft, item: &Item, origin: &dyn Fn(Id) -> Id) -> bool {
    let Kind::Product(ends, None) = item.kind else { return false };
    let [left, right] = &item.args[..] else { return false };
    if ends != Ends::default() || item.sizes.len() != 2 || left.layout.sizes.len() != 2 {
        return false;
    }
    let turned = |view: &View| View { of: view.of, layout: view.layout.permute(&[1, 0]) };
    let is_same = |a: &View, b: &View| origin(a.of) == origin(b.of) && a.layout == b.layout;
    is_same(left, &turned(right))
        || weighted(draft, left).is_some_and(|x| is_same(&x, &turned(right)))
        || weighted(draft, &turned(right)).is_some_and(|x| is_same(left, &x))
}

/// The matrix whose columns a view has, each times a number of its own.
fn weighted(draft: &Draft, view: &View) -> Option<View> {
    let item = &draft.items[view.of as usize];
    let Kind::Map(Action::Row(Scalar::Mul)) = item.kind else { return None };
    let rows = Layout::rows(&item.sizes);
    let order = [[0, 1], [1, 0]]
        .into_iter()
        .find(|order| item.sizes.len() == 2 && view.layout == rows.permute(order))?;
    let seen = |place: usize| {
        let operand: &View = &item.args[place];
        View { of: operand.of, layout: operand.layout.permute(&order) }
    };
    let weighs = |view: &View| view.layout.steps[0] == 0;
    let (a, b) = (seen(0), seen(1));
    if weighs(&b) { Some(a) } else { weighs(&a).then_some(b) }
}
