//! Sums of products by letters in a draft: one pair of operands after the other, as products of matrices or of elements.

use super::draft::{View, Writer};
use super::layout::Layout;
use crate::exec::kernels::rows::Action;
use crate::graph::NodeId;
use crate::ops::einsum::Einsum;
use crate::ops::reduce::Fold;
use crate::ops::{Op, Scalar};
use smallvec::{SmallVec, smallvec};

/// Sums are looked into so deep.
const DEEP: usize = 4;

type Letters = SmallVec<[u8; 8]>;

/// An operand with a letter for each axis.
struct Lettered {
    view: View,
    letters: Letters,
}

impl Lettered {
    fn has(&self, letter: u8) -> bool {
        self.letters.contains(&letter)
    }

    fn axis(&self, letter: u8) -> usize {
        self.letters.iter().position(|&c| c == letter).expect("the letter is there")
    }

    fn size(&self, letter: u8) -> usize {
        self.view.layout.sizes[self.axis(letter)]
    }

    /// The axes in the order of these letters; axes of size 1 for those that are not there.
    fn laid(&self, letters: &[u8], sizes: &[usize]) -> View {
        let from: Vec<Option<u8>> = letters
            .iter()
            .map(|&c| self.letters.iter().position(|&own| own == c).map(|axis| axis as u8))
            .collect();
        View { of: self.view.of, layout: self.view.layout.broadcast(sizes, &from) }
    }
}

impl Writer<'_> {
    /// The einsum of operands in the order in which they are given.
    pub(super) fn einsum(&mut self, einsum: &Einsum, args: SmallVec<[View; 2]>) -> View {
        let mut rest: Vec<Lettered> = args
            .into_iter()
            .zip(&einsum.inputs)
            .map(|(view, letters)| Lettered { view, letters: letters.clone() })
            .collect();
        let mut product = rest.remove(0);
        while !rest.is_empty() {
            let factor = rest.remove(0);
            let needed =
                |c: u8| einsum.output.contains(&c) || rest.iter().any(|later| later.has(c));
            product = self.pair(product, factor, &needed, &einsum.output);
        }
        let product = self.letters_kept(product, &|c| einsum.output.contains(&c));
        let order: Vec<usize> = einsum.output.iter().map(|&c| product.axis(c)).collect();
        View { of: product.view.of, layout: product.view.layout.permute(&order) }
    }

    /// A sum of einsums, among other terms and factors, over axes: summed by letter, before anything is multiplied.
    pub(super) fn letters_summed(&mut self, kind: Fold, axes: &[usize]) -> Option<View> {
        let of = self.model.operands(self.id)[0];
        let has = kind == Fold::Sum && !axes.is_empty() && self.has_einsum(of, DEEP);
        has.then(|| self.sum_of(of, axes, DEEP))
    }

    /// Whether an einsum that nothing else needs is a term of a value that nothing else needs.
    fn has_einsum(&self, node: NodeId, deep: usize) -> bool {
        let deeper =
            |place: usize| deep > 0 && self.has_einsum(self.model.operands(node)[place], deep - 1);
        self.uses[node.index()] == 1
            && match self.model.op(node) {
                Op::Einsum(_) => self.model.ty(node).dtype.is_float(),
                Op::Scalar(Scalar::Add | Scalar::Sub) => deeper(0) || deeper(1),
                Op::Scalar(Scalar::Neg) => deeper(0),
                _ => false,
            }
    }

    /// The sum of a node over axes, as few elements as can be multiplied.
    fn sum_of(&mut self, node: NodeId, axes: &[usize], deep: usize) -> View {
        let model = self.model;
        let operands = model.operands(node);
        let views: SmallVec<[View; 2]> = operands
            .iter()
            .map(|operand| self.views[operand.index()].clone().expect("operands come first"))
            .collect();
        let whole = self.views[node.index()].clone().expect("operands come first");
        let alone = deep > 0 && self.uses[node.index()] == 1;
        let alike = views.iter().all(|view| view.layout.sizes == whole.layout.sizes);
        match model.op(node) {
            Op::Einsum(einsum) if alone => {
                let kept = |axis: &usize| !axes.contains(axis);
                let letters = (0..einsum.output.len()).filter(kept);
                let output = letters.map(|axis| einsum.output[axis]).collect();
                self.einsum(&Einsum { output, ..einsum.clone() }, views)
            }
            Op::Scalar(row @ (Scalar::Add | Scalar::Sub)) if alone && alike => {
                let one = self.sum_of(operands[0], axes, deep - 1);
                let two = self.sum_of(operands[1], axes, deep - 1);
                self.scalar(*row, smallvec![one, two])
            }
            Op::Scalar(Scalar::Neg) if alone => {
                let one = self.sum_of(operands[0], axes, deep - 1);
                self.scalar(Scalar::Neg, smallvec![one])
            }
            Op::Scalar(Scalar::Mul) if alone && alike => {
                let same = |view: &View| axes.iter().all(|&axis| view.layout.steps[axis] == 0);
                let Some(place) = views.iter().position(same) else {
                    return self.reduce(Fold::Sum, axes, whole);
                };
                let sum = self.sum_of(operands[1 - place], axes, deep - 1);
                let mut factor = views[place].clone();
                axes.iter().rev().for_each(|&axis| factor.layout.at(axis, 0));
                self.scalar(Scalar::Mul, smallvec![sum, factor])
            }
            _ => self.reduce(Fold::Sum, axes, whole),
        }
    }

    /// The sum over the letters that are not kept.
    fn letters_kept(&mut self, x: Lettered, kept: &dyn Fn(u8) -> bool) -> Lettered {
        let axes: Vec<usize> = (0..x.letters.len()).filter(|&i| !kept(x.letters[i])).collect();
        let letters = x.letters.iter().copied().filter(|&c| kept(c)).collect();
        Lettered { view: self.reduce(Fold::Sum, &axes, x.view), letters }
    }

    /// The product of two operands over the letters that are `needed` later, in about the order `to`.
    fn pair(
        &mut self,
        x: Lettered,
        y: Lettered,
        needed: &dyn Fn(u8) -> bool,
        to: &[u8],
    ) -> Lettered {
        let ys = y.letters.clone();
        let x = self.letters_kept(x, &|c| needed(c) || ys.contains(&c));
        let xs = x.letters.clone();
        let y = self.letters_kept(y, &|c| needed(c) || xs.contains(&c));
        // The columns are those of the operand that has the last letter, so that rows of the result lie as they are wanted.
        let last = to.iter().rev().find(|&&c| x.has(c) != y.has(c));
        let (x, y) = if last.is_some_and(|&c| x.has(c)) { (y, x) } else { (x, y) };
        let sorted = |letters: &mut Letters| {
            letters.sort_by_key(|c| to.iter().position(|d| d == c).unwrap_or(to.len()));
        };
        let of = |x: &Lettered, keep: &dyn Fn(u8) -> bool| -> Letters {
            x.letters.iter().copied().filter(|&c| keep(c)).collect()
        };
        let inner = of(&x, &|c| y.has(c) && !needed(c));
        let mut batch = of(&x, &|c| y.has(c) && needed(c));
        let (mut left, mut right) = (of(&x, &|c| !y.has(c)), of(&y, &|c| !x.has(c)));
        [&mut batch, &mut left, &mut right].into_iter().for_each(sorted);
        let size = |&c: &u8| if x.has(c) { x.size(c) } else { y.size(c) };
        let count = |letters: &[u8]| letters.iter().map(size).product::<usize>();
        let all = [&batch[..], &left, &right].concat();
        if inner.is_empty() || count(&left).max(count(&right)) == 1 {
            let both = [&all[..], &inner].concat();
            let sizes: Vec<usize> = both.iter().map(size).collect();
            let args = smallvec![x.laid(&both, &sizes), y.laid(&both, &sizes)];
            let view = self.map(Action::Row(Scalar::Mul), &sizes, args);
            return self
                .letters_kept(Lettered { view, letters: both.into() }, &|c| all.contains(&c));
        }
        let sizes = |letters: &[u8]| letters.iter().map(size).collect::<Vec<usize>>();
        let lead = sizes(&batch);
        let mut matrix = |operand: &Lettered, rows: &[u8], columns: &[u8]| {
            let order = [&batch[..], rows, columns].concat();
            let view = operand.laid(&order, &sizes(&order));
            self.reshaped(view, &[&lead[..], &[count(rows), count(columns)]].concat())
        };
        let (a, b) = (matrix(&x, &left, &inner), matrix(&y, &inner, &right));
        let product = self.product(a, b);
        let layout = Layout::rows(&sizes(&all));
        Lettered { view: View { of: product.of, layout }, letters: all.into() }
    }

    /// A view in another shape with as many elements in the same order.
    pub(super) fn reshaped(&mut self, view: View, to: &[usize]) -> View {
        match view.layout.reshape(to) {
            Some(layout) => View { of: view.of, layout },
            None => {
                let dense = self.draft.dense(view, self.id);
                let layout = dense.layout.reshape(to).expect("rows take any shape");
                View { of: dense.of, layout }
            }
        }
    }
}
