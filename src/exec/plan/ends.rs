//! What is done with results on their way to memory: biases added, and of that the positive part.

use super::draft::{Draft, Id, Kind, View};
use super::layout::Layout;
use super::windows::{Role, Windows};
use crate::exec::kernels::rows::Action;
use crate::ops::Scalar;
use crate::ops::pool;

/// How a product, a convolution or the adjoint of a pool ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The last operand is added: a number for each column of a product, for each filter.
    pub bias: bool,
    /// Negative numbers become 0; in an adjoint what goes to elements that are not positive.
    pub relu: bool,
}

/// Gives maps that only end what nothing else needs to the items that they end.
pub fn end(draft: &mut Draft, live: &[bool], roots: &[Id]) {
    let mut uses = vec![0u32; draft.items.len()];
    roots.iter().for_each(|&id| uses[id as usize] += 1);
    for (item, _) in draft.items.iter().zip(live).filter(|(_, live)| **live) {
        item.args.iter().for_each(|view| uses[view.of as usize] += 1);
    }
    for id in (0..draft.items.len()).filter(|&id| live[id]) {
        let Kind::Map(action) = draft.items[id].kind else { continue };
        let ended = match action {
            Action::Row(Scalar::Add) => biased(draft, &uses, id),
            Action::Row(Scalar::Relu) => positive(draft, &uses, id),
            Action::Select => masked(draft, &uses, id),
            Action::Move => laid(draft, &uses, id),
            _ => None,
        };
        if let Some((kind, args)) = ended {
            let item = &mut draft.items[id];
            (item.kind, item.args) = (kind, args.into());
        }
    }
}

type Ended = (Kind, Vec<View>);

/// What a map sees as it is, if nothing else needs it.
fn whole<'a>(draft: &'a Draft, uses: &[u32], id: usize, view: &View) -> Option<&'a Kind> {
    let (item, of) = (&draft.items[id], &draft.items[view.of as usize]);
    let same = view.layout.is_whole() && item.dtype == of.dtype;
    let all = view.layout.len() == of.sizes.iter().product::<usize>();
    (same && all && uses[view.of as usize] == 1).then_some(&of.kind)
}

fn ends_of(kind: &Kind) -> Option<Ends> {
    match kind {
        Kind::Product(ends, _) | Kind::Windows(_, ends) => Some(*ends),
        _ => None,
    }
}

fn with(kind: &Kind, ends: Ends) -> Kind {
    match kind {
        Kind::Windows(windows, _) => Kind::Windows(windows.clone(), ends),
        Kind::Product(_, places) => Kind::Product(ends, places.clone()),
        _ => kind.clone(),
    }
}

/// A sum with a number for each column or filter.
fn biased(draft: &Draft, uses: &[u32], id: usize) -> Option<Ended> {
    let args = &draft.items[id].args;
    (0..2).find_map(|place| {
        let (view, bias) = (&args[place], &args[1 - place]);
        let kind = whole(draft, uses, id, view)?;
        let sizes = &bias.layout.sizes;
        let axis = match kind {
            Kind::Product(Ends { bias: false, relu: false }, None) => sizes.len().checked_sub(1)?,
            Kind::Windows(windows, Ends { bias: false, relu: false }) => match **windows {
                Windows::Conv(Role::Output, _) => 1,
                _ => return None,
            },
            _ => return None,
        };
        let of = &draft.items[view.of as usize];
        let (along, last) = (*sizes.get(axis)?, of.sizes.len().checked_sub(1)?);
        let lies = match kind {
            Kind::Product(..) => of.sizes[last] == along,
            _ => of.sizes == *sizes,
        };
        let steps = sizes.iter().zip(&bias.layout.steps).enumerate();
        let each = steps
            .filter(|(_, (size, _))| **size > 1)
            .all(|(place, (_, &step))| step == isize::from(place == axis));
        let there = draft.filled(bias).is_none() && draft.items[bias.of as usize].dtype == of.dtype;
        if !(lies && each && there) {
            return None;
        }
        let mut layout = bias.layout.clone();
        (layout.sizes, layout.steps) = ([along][..].into(), [1][..].into());
        let mut args = of.args.to_vec();
        args.push(View { of: bias.of, layout });
        Some((with(kind, Ends { bias: true, relu: false }), args))
    })
}

/// The positive part.
fn positive(draft: &Draft, uses: &[u32], id: usize) -> Option<Ended> {
    let view = &draft.items[id].args[0];
    let kind = whole(draft, uses, id, view)?;
    let output = match kind {
        Kind::Product(..) => true,
        Kind::Windows(windows, _) => matches!(**windows, Windows::Conv(Role::Output, _)),
        _ => false,
    };
    let ends = ends_of(kind).filter(|ends| output && !ends.relu)?;
    let args = draft.items[view.of as usize].args.to_vec();
    Some((with(kind, Ends { relu: true, ..ends }), args))
}

/// The adjoint of the largest of windows of x, where x is positive.
fn masked(draft: &Draft, uses: &[u32], id: usize) -> Option<Ended> {
    let [condition, flow, zero] = &draft.items[id].args[..] else { return None };
    let kind = whole(draft, uses, id, flow)?;
    let Kind::Windows(windows, Ends { relu: false, .. }) = kind else { return None };
    if !matches!(**windows, Windows::Pool(pool::Kind::MaxAdjoint, _)) {
        return None;
    }
    let test = &draft.items[condition.of as usize];
    let positive = matches!(test.kind, Kind::Map(Action::Row(Scalar::Gt)))
        && condition.layout.is_whole()
        && draft.filled(&test.args[1]) == Some(0.0)
        && draft.filled(zero) == Some(0.0);
    let args = &draft.items[flow.of as usize].args;
    let (x, tested) = (&args[0], test.args.first()?);
    let same = x.of == tested.of && x.layout.is_whole() && tested.layout.is_whole();
    let ends = Ends { relu: true, bias: false };
    (positive && same && x.layout.len() == tested.layout.len())
        .then(|| (with(kind, ends), args.to_vec()))
}

/// A product with its axes in another order, written there in the first place.
fn laid(draft: &Draft, uses: &[u32], id: usize) -> Option<Ended> {
    let (item, view) = (&draft.items[id], &draft.items[id].args[0]);
    let of = &draft.items[view.of as usize];
    let Kind::Product(ends, None) = of.kind else { return None };
    let all = view.layout.offset == 0 && view.layout.len() == of.sizes.iter().product::<usize>();
    if uses[view.of as usize] != 1 || item.dtype != of.dtype || !all || view.layout.len() == 0 {
        return None;
    }
    // The axes of the view in the order of the product's elements, each where the copy has it.
    let copy = Layout::rows(&view.layout.sizes);
    let mut axes: Vec<usize> = (0..copy.sizes.len()).filter(|&i| copy.sizes[i] > 1).collect();
    axes.sort_by_key(|&axis| std::cmp::Reverse(view.layout.steps[axis]));
    let order = view.layout.permute(&axes);
    if !order.is_dense() {
        return None;
    }
    let places = copy.permute(&axes).reshape(&of.sizes)?;
    let columns = *places.steps.last()?;
    (columns == 1 || of.sizes.last() == Some(&1))
        .then(|| (Kind::Product(ends, Some(Box::new(places))), of.args.to_vec()))
}
