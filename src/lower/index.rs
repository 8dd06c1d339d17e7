//! Indexing: `x[0]`, `x[:, 4:8]`, `x[.., t]`, `x[::-1]`, `x[label]`, `x[None, :]`.

use super::{Lowerer, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::NodeId;
use crate::ops::index::Gather;
use crate::ops::shape::{Cut, Flip, Slice};
use crate::ops::term::spread;
use crate::ops::{Size, Term};
use crate::syntax::ast::{ExprId, IndexItem};
use crate::tensor::DType;
use smallvec::SmallVec;

impl Lowerer {
    /// `x[items]`.
    pub(super) fn index(
        &mut self,
        value: Value,
        base: Span,
        items: &[IndexItem],
        span: Span,
    ) -> Option<Value> {
        let node = self.typed(value, self.float, base)?;
        let ty = self.model.ty(node).clone();
        let taken = items
            .iter()
            .filter(|item| matches!(item, IndexItem::At(_) | IndexItem::Slice { .. }))
            .count();
        if taken > ty.rank() {
            let axes = if ty.rank() == 1 { "axis" } else { "axes" };
            let message = format!("{taken} indices for the {} {axes} of {ty}", ty.rank());
            let help = match ty.rank() {
                0 => "leave the index out: it is a scalar".to_string(),
                1 => "index one axis".to_string(),
                rank => format!("index at most {rank} axes"),
            };
            self.say(Diagnostic::error("E0202", self.place(span), message).help(help));
            return None;
        }
        let mut rest = items.iter().filter(|item| matches!(item, IndexItem::Rest(_)));
        if let (Some(_), Some(IndexItem::Rest(second))) = (rest.next(), rest.next()) {
            self.say(
                Diagnostic::error("E0207", *second, "`..` stands twice in an index")
                    .help("write `:` for one whole axis"),
            );
            return None;
        }
        let (mut cuts, mut flips, mut gathers, mut places) =
            (SmallVec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut axis = 0;
        let mut whole = true;
        for item in items {
            match item {
                IndexItem::Rest(_) => {
                    while axis < ty.rank() - (taken - places_taken(&places)) {
                        cuts.push(Cut::all(&ty.shape[axis]));
                        places.push(Place::Kept);
                        axis += 1;
                    }
                }
                IndexItem::New(_) => places.push(Place::New),
                IndexItem::At(at) => {
                    match self.position(*at, &ty.shape[axis], (node, axis)) {
                        Some(Position::Fixed(at)) => {
                            cuts.push(Cut::At(at));
                            places.push(Place::Gone);
                        }
                        Some(Position::Gathered(indices, at)) => {
                            cuts.push(Cut::all(&ty.shape[axis]));
                            gathers.push((
                                places.iter().filter(|p| matches!(p, Place::Kept)).count(),
                                indices,
                                at,
                            ));
                            places.push(Place::Kept);
                            places.push(Place::Taken);
                        }
                        None => whole = false,
                    }
                    axis += 1;
                }
                IndexItem::Slice { start, stop, step, span } => {
                    let of = (node, axis);
                    match self.range_of((*start, *stop, *step), &ty.shape[axis], of, *span) {
                        Some((cut, flipped)) => {
                            if flipped {
                                flips.push(
                                    places.iter().filter(|p| matches!(p, Place::Kept)).count(),
                                );
                            }
                            cuts.push(cut);
                            places.push(Place::Kept);
                            places.push(Place::Taken);
                        }
                        None => whole = false,
                    }
                    axis += 1;
                }
            }
        }
        if !whole {
            return None;
        }
        while axis < ty.rank() {
            cuts.push(Cut::all(&ty.shape[axis]));
            places.push(Place::Kept);
            axis += 1;
        }
        if gathers.len() > 1 {
            self.say(
                Diagnostic::error(
                    "E0207",
                    self.place(span),
                    "two axes are indexed by tensors at once",
                )
                .help("index twice: `x[i][:, j]`"),
            );
            return None;
        }
        let mut node = self.insert(Slice { cuts }, &[(node, base)], span)?;
        if !flips.is_empty() {
            node = self.insert(Flip { axes: flips.into() }, &[(node, base)], span)?;
        }
        let mut extra = 0;
        if let Some((axis, indices, at)) = gathers.pop() {
            extra = self.model.ty(indices).rank() as i64 - 1;
            node = self.insert(Gather { axis }, &[(node, base), (indices, at)], span)?;
            if places.contains(&Place::New) && extra != 0 {
                let message = "a new axis and indices from a tensor stand in one pair of brackets";
                self.say(
                    Diagnostic::error("E0207", self.place(span), message)
                        .help("index twice: `x[i][:, None]`"),
                );
                return None;
            }
        }
        let new: Vec<usize> = places
            .iter()
            .filter(|place| !matches!(place, Place::Gone | Place::Taken))
            .enumerate()
            .filter(|(_, place)| matches!(place, Place::New))
            .map(|(axis, _)| axis)
            .collect();
        if new.is_empty() || extra != 0 {
            return Some(Value::Node(node));
        }
        let mut to = self.model.ty(node).shape.clone();
        for &axis in &new {
            to.insert(axis, Size::Known(1));
        }
        let origins = self.origins(span);
        let dtype = self.model.ty(node).dtype;
        self.model
            .plant(&spread(Term::Var(0), &to, &new), &[node], dtype, &origins)
            .ok()
            .map(Value::Node)
    }

    fn position(&mut self, id: ExprId, of: &Size, axis: (NodeId, usize)) -> Option<Position> {
        let span = self.span(id);
        match self.expr(id)? {
            Value::Free(_) => match self.beyond(id, of, axis, false) {
                Some(()) => None,
                None => self.offset(id, of).map(Position::Fixed),
            },
            value => {
                let node = self.typed(value, DType::I64, span)?;
                let dtype = self.model.ty(node).dtype;
                if !dtype.is_int() {
                    let message =
                        format!("an index is an integer; this is {}", self.model.ty(node));
                    self.say(
                        Diagnostic::error("E0206", self.place(span), message)
                            .help("cast it, as in `i64(x)`; `where` chooses by truth values"),
                    );
                    return None;
                }
                Some(Position::Gathered(node, span))
            }
        }
    }

    /// An index that is a size, counted from the end where it is below 0.
    fn offset(&mut self, id: ExprId, of: &Size) -> Option<Size> {
        let at = self.size(id)?;
        Some(if at.known().is_some_and(|at| at < 0) { of.clone() + at } else { at })
    }

    /// Reports an index or an end of a slice that is known to lie beyond the axis.
    fn beyond(&mut self, id: ExprId, of: &Size, node: (NodeId, usize), end: bool) -> Option<()> {
        let at = self.size(id)?;
        let at = self.model.dims.resolve(&at).known()?;
        let size = self.model.dims.resolve(of).known()?;
        let (low, high) = if end { (-size, size) } else { (-size, size - 1) };
        if (low..=high).contains(&at) {
            return None;
        }
        let message = match end {
            false => format!("index {at} is out of range for an axis of size {size}"),
            true => format!("the slice reaches to {at}, beyond an axis of size {size}"),
        };
        let help = match (end, size) {
            (_, 0) => "an axis of size 0 has no elements".to_string(),
            (false, _) => format!("indices go from 0 to {}, or from -1 back to -{size}", size - 1),
            (true, _) => format!("end it at {size}, or leave the end open"),
        };
        let place = self.place(self.span(id));
        let mut diagnostic = Diagnostic::error("E0205", place, message).help(help);
        if let Some((at, text)) = super::trace::size(self, node.0, node.1) {
            diagnostic = diagnostic.label(at, text);
        }
        self.say(diagnostic);
        Some(())
    }

    fn range_of(
        &mut self,
        (start, stop, step): (Option<ExprId>, Option<ExprId>, Option<ExprId>),
        of: &Size,
        axis: (NodeId, usize),
        span: Span,
    ) -> Option<(Cut, bool)> {
        for id in start.into_iter().chain(stop) {
            if self.beyond(id, of, axis, true).is_some() {
                return None;
            }
        }
        let step = match step {
            None => 1,
            Some(id) => match self.size(id)?.known() {
                Some(step) if step != 0 && step.abs() < i64::from(i32::MAX) => step,
                _ => {
                    let message = "the step of a slice is a whole number other than 0";
                    self.say(
                        Diagnostic::error("E0208", self.place(self.span(id)), message)
                            .help("write `x[::2]` for every other, `x[::-1]` for the way back"),
                    );
                    return None;
                }
            },
        };
        let one = Size::Known(1);
        let first = match start {
            Some(id) => self.offset(id, of)?,
            None if step > 0 => Size::Known(0),
            None => of.clone() - one.clone(),
        };
        let last = match stop {
            Some(id) => self.offset(id, of)?,
            None if step > 0 => of.clone(),
            None => Size::Known(-1),
        };
        let apart = if step > 0 { last - first.clone() } else { first.clone() - last };
        let stride = step.abs();
        let size = self.model.dims.rename((apart + Size::Known(stride - 1)).floor_div(stride));
        if size.known().is_some_and(|size| size < 0) {
            let back = self.cited(span).map(|text| text.trim_matches(['(', ')']).to_string());
            let help = match back.filter(|text| step == 1 && text.matches(':').count() == 1) {
                Some(text) => format!("write `{text}:-1` to go backwards"),
                None => "swap its ends, or turn the sign of its step".into(),
            };
            let message = "the slice ends before it starts";
            self.say(Diagnostic::error("E0205", self.place(span), message).help(help));
            return None;
        }
        let low = if step > 0 { first } else { first - (size.clone() - one) * Size::Known(stride) };
        let stride = if size.known().is_some_and(|size| size <= 1) { 1 } else { stride };
        Some((Cut::Range { start: low, size, step: stride }, step < 0))
    }
}

enum Position {
    Fixed(Size),
    Gathered(NodeId, Span),
}

/// What becomes of a place in an index.
#[derive(PartialEq)]
enum Place {
    Kept,
    Gone,
    New,
    /// Marks that an index was used up for the place before.
    Taken,
}

fn places_taken(places: &[Place]) -> usize {
    places.iter().filter(|place| matches!(place, Place::Gone | Place::Taken)).count()
}
