//! Folds in a draft: along the last axes or the first, softmax and its kin made of them.

use super::draft::{Kind, View, Writer};
use super::layout::Sizes;
use crate::exec::kernels::fold;
use crate::exec::kernels::rows::Action;
use crate::ops::Scalar;
use crate::ops::reduce::Fold;
use smallvec::smallvec;

impl Writer<'_> {
    /// A view with the axes in front that are not among `axes`, then these; and the order that undoes it.
    pub(super) fn behind(&self, view: View, axes: &[usize]) -> (View, Vec<usize>) {
        let rank = view.layout.sizes.len();
        let order: Vec<usize> =
            (0..rank).filter(|axis| !axes.contains(axis)).chain(axes.iter().copied()).collect();
        let mut inverse = vec![0; rank];
        for (place, &axis) in order.iter().enumerate() {
            inverse[axis] = place;
        }
        (View { layout: view.layout.permute(&order), of: view.of }, inverse)
    }

    /// The largest of each line, 0 where it is infinite, and the exponentials of the distances from it.
    pub(super) fn exponentials(&mut self, x: &View, count: usize) -> (View, View) {
        let dtype = self.dtype(x);
        let high = self.fold(Fold::Max, count, x.clone());
        let lines = high.layout.sizes.clone();
        let size = self.scalar(Scalar::Abs, smallvec![high.clone()]);
        let infinite = self.fill(dtype, f64::INFINITY, &lines);
        let finite = self.scalar(Scalar::Lt, smallvec![size, infinite]);
        let zero = self.fill(dtype, 0.0, &lines);
        let high = self.typed(Action::Select, dtype, &lines, smallvec![finite, high, zero]);
        let laid = self.laid(&high, &x.layout.sizes.clone());
        let distance = self.scalar(Scalar::Sub, smallvec![x.clone(), laid]);
        let e = self.scalar(Scalar::Exp, smallvec![distance]);
        (high, e)
    }

    /// A value of lines laid out along them.
    pub(super) fn laid(&self, view: &View, to: &[usize]) -> View {
        let rank = view.layout.sizes.len();
        let from: Vec<Option<u8>> =
            (0..to.len()).map(|axis| (axis < rank).then_some(axis as u8)).collect();
        View { of: view.of, layout: view.layout.broadcast(to, &from) }
    }

    pub(super) fn softmax(&mut self, x: View, axes: &[usize]) -> View {
        let (x, inverse) = self.behind(x, axes);
        let (_, e) = self.exponentials(&x, axes.len());
        let sum = self.fold(Fold::Sum, axes.len(), e.clone());
        let laid = self.laid(&sum, &e.layout.sizes.clone());
        let result = self.scalar(Scalar::Div, smallvec![e, laid]);
        View { of: result.of, layout: result.layout.permute(&inverse) }
    }

    pub(super) fn reduce(&mut self, kind: Fold, axes: &[usize], x: View) -> View {
        let rank = x.layout.sizes.len();
        if axes.is_empty() {
            return x;
        }
        if kind == Fold::Logsumexp {
            let (x, _) = self.behind(x, axes);
            let (high, e) = self.exponentials(&x, axes.len());
            let sum = self.fold(Fold::Sum, axes.len(), e);
            let log = self.scalar(Scalar::Log, smallvec![sum]);
            return self.scalar(Scalar::Add, smallvec![log, high]);
        }
        if kind == Fold::Mean {
            let count: usize = axes.iter().map(|&axis| x.layout.sizes[axis]).product();
            let dtype = self.dtype(&x);
            let sum = self.reduce(Fold::Sum, axes, x);
            let count = self.fill(dtype, count as f64, &sum.layout.sizes.clone());
            return self.scalar(Scalar::Div, smallvec![sum, count]);
        }
        // Lines at the end and lines in front are folded where they lie, others are brought to the end.
        let tail =
            (1..=axes.len()).take_while(|&count| axes[axes.len() - count] == rank - count).count();
        let head = axes.iter().enumerate().take_while(|(place, axis)| place == *axis).count();
        if tail == axes.len() {
            return self.fold(kind, tail, x);
        }
        if tail > 0 {
            let inner = self.fold(kind, tail, x);
            return self.reduce(kind, &axes[..axes.len() - tail], inner);
        }
        if head == axes.len() && kind == Fold::Sum {
            let (dtype, sizes) = (self.dtype(&x), Sizes::from(&x.layout.sizes[head..]));
            if x.layout.sizes[..head].contains(&0) {
                return self.fill(dtype, 0.0, &sizes);
            }
            return self.draft.add(Kind::FoldHead(kind), dtype, &sizes, smallvec![x], self.id);
        }
        let (x, _) = self.behind(x, axes);
        self.fold(kind, axes.len(), x)
    }

    pub(super) fn fold(&mut self, kind: Fold, count: usize, x: View) -> View {
        let (dtype, kept) = (self.dtype(&x), x.layout.sizes.len() - count);
        let sizes = Sizes::from(&x.layout.sizes[..kept]);
        if x.layout.sizes[kept..].contains(&0) {
            return self.fill(dtype, fold::identity(kind), &sizes);
        }
        self.draft.add(Kind::FoldTail(kind, count), dtype, &sizes, smallvec![x], self.id)
    }
}
