//! Products of matrices in a draft: transposes and leading axes as steps.

use super::draft::{Kind, View, Writer};
use super::ends::Ends;
use super::layout::Sizes;
use crate::ops::Op;
use crate::ops::reduce::Fold;
use smallvec::{SmallVec, smallvec};

impl Writer<'_> {
    /// The matrix product with leading axes laid out, vectors as rows and columns.
    pub(super) fn matmul(&mut self, args: SmallVec<[View; 2]>, to: &[usize]) -> View {
        let (a, b) = (&args[0], &args[1]);
        let (ra, rb) = (a.layout.sizes.len(), b.layout.sizes.len());
        let lead: &[usize] = &to[..ra.max(rb).max(2) - 2];
        let stack = |view: &View, column: bool| {
            let layout = &view.layout;
            let rank = layout.sizes.len();
            let mut sizes: Sizes = lead.into();
            let mut from: SmallVec<[Option<u8>; 4]> = match rank {
                0..=2 => SmallVec::from_elem(None, lead.len()),
                _ => (0..lead.len()).map(|axis| Some(axis as u8)).collect(),
            };
            match (rank, column) {
                (1, false) => {
                    sizes.extend([1, layout.sizes[0]]);
                    from.extend([None, Some(0)]);
                }
                (1, true) => {
                    sizes.extend([layout.sizes[0], 1]);
                    from.extend([Some(0), None]);
                }
                _ => {
                    sizes.extend_from_slice(&layout.sizes[rank - 2..]);
                    from.extend([Some(rank as u8 - 2), Some(rank as u8 - 1)]);
                }
            }
            View { of: view.of, layout: layout.broadcast(&sizes, &from) }
        };
        let (left, right) = (stack(a, false), stack(b, true));
        let view = self.product(left, right);
        View { of: view.of, layout: view.layout.reshape(to).expect("rows take any shape") }
    }

    /// `[lead.., m, k]` by `[lead.., k, n]`; matrices that only repeat along leading axes are taken as one.
    pub(super) fn product(&mut self, left: View, right: View) -> View {
        let rank = left.layout.sizes.len();
        let dtype = self.dtype(&left);
        let mut sizes: Sizes = left.layout.sizes[..rank - 1].into();
        sizes.push(right.layout.sizes[rank - 1]);
        let (left, right) = (self.operand(left), self.operand(right));
        self.draft.add(
            Kind::Product(Ends::default(), None),
            dtype,
            &sizes,
            smallvec![left, right],
            self.id,
        )
    }

    /// An operand of a product: not a number, which has no place, nor matrices the other way round.
    pub(super) fn operand(&mut self, view: View) -> View {
        let inner = &view.layout.steps[view.layout.steps.len() - 2..];
        if self.draft.filled(&view).is_some() || inner.iter().any(|&step| step < 0) {
            return self.draft.dense(view, self.id);
        }
        view
    }

    /// `sum[lead](a' @ b)` of a product that nothing else needs, as one product over the leading axes too.
    pub(super) fn contracted(&mut self, kind: Fold, axes: &[usize], to: &[usize]) -> Option<View> {
        let of = self.model.operands(self.id)[0];
        let product = matches!(self.model.op(of), Op::MatMul(_)) && self.uses[of.index()] == 1;
        let view = self.views[of.index()].clone()?;
        let rank = view.layout.sizes.len();
        let leading = axes.iter().copied().eq(0..rank.checked_sub(2)?) && rank > 2;
        if kind != Fold::Sum || !product || !leading {
            return None;
        }
        let operands: SmallVec<[View; 2]> = self
            .model
            .operands(of)
            .iter()
            .map(|operand| self.views[operand.index()].clone().expect("operands come first"))
            .collect();
        if operands.iter().any(|view| view.layout.sizes.len() != rank) {
            return None;
        }
        // a: [lead.., m, k] to [m, lead.. * k]; b: [lead.., k, n] to [lead.. * k, n].
        let (m, n) = (to[0], to[1]);
        let mut order: Vec<usize> = vec![rank - 2];
        order.extend((0..rank - 2).chain([rank - 1]));
        let a = operands[0].layout.permute(&order);
        let k: usize = a.sizes[1..].iter().product();
        let a = View { of: operands[0].of, layout: a.reshape(&[m, k])? };
        let b = View { of: operands[1].of, layout: operands[1].layout.reshape(&[k, n])? };
        Some(self.product(a, b))
    }
}
