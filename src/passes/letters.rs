//! Products of values whose axes have letters: taken apart, chosen from by identity matrices, summed.

use super::laid::separable;
use super::law::Cx;
use super::product::{Product, add, emit, gather};
use crate::graph::{NodeId, Origins};
use crate::ops::index::Diag;
use crate::ops::leaf::Eye;
use crate::ops::matmul::{Einsum, MatMul};
use crate::ops::reduce::{Fold, Reduce};
use crate::ops::shape::{Broadcast, Permute};
use crate::ops::{Misfit, Number, Op, Size, Type};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// So many factors are looked at together.
pub const FACTORS: usize = 32;

/// A letter for each axis.
pub type Letters = SmallVec<[u8; 8]>;

/// A factor with a letter for each of its axes.
#[derive(Clone)]
pub struct Part {
    pub node: NodeId,
    pub letters: Letters,
    pub exponent: i32,
    /// The operand of which it is a factor.
    pub side: usize,
}

impl Part {
    /// Whether one of its axes has a letter.
    pub fn has(&self, letter: u8) -> bool {
        self.letters.contains(&letter)
    }
}

/// A product of values along axes that have letters.
pub struct Parts {
    number: Number,
    pub list: Vec<Part>,
    pub sizes: FxHashMap<u8, Size>,
    origins: Origins,
    /// A value of the same element type.
    like: NodeId,
}

impl Parts {
    /// The product of values whose axes have these letters; `None` where there are too many factors.
    pub fn of(
        cx: &mut Cx,
        operands: &[NodeId],
        inputs: &[Letters],
        origins: &Origins,
    ) -> Result<Option<Parts>, Misfit> {
        let mut parts = Parts {
            number: Number::ONE,
            list: Vec::new(),
            sizes: FxHashMap::default(),
            origins: origins.clone(),
            like: operands[0],
        };
        for (side, (&id, letters)) in operands.iter().zip(inputs).enumerate() {
            let shape = &cx.see().ty(id).shape;
            parts.sizes.extend(letters.iter().copied().zip(shape.iter().cloned()));
            if !parts.take(cx, id, letters, 1, side)? {
                return Ok(None);
            }
        }
        Ok(Some(parts))
    }

    /// The product laid out along these letters.
    pub fn whole(&self, cx: &mut Cx, output: &[u8]) -> Result<NodeId, Misfit> {
        let has = |c: &u8| self.list.iter().any(|part| part.has(*c));
        let used: Letters = output.iter().copied().filter(has).collect();
        let value = self.joined(cx, &self.list, self.number, &used)?;
        self.laid(cx, value, &used, output)
    }

    /// Multiplies by a power of a value whose axes have these letters; false where there are too many factors.
    fn take(
        &mut self,
        cx: &mut Cx,
        id: NodeId,
        letters: &[u8],
        exponent: i32,
        side: usize,
    ) -> Result<bool, Misfit> {
        let mut product = Product::one(Origins::default());
        gather(cx, id, exponent, &mut product);
        self.number = self.number * product.number;
        self.origins.unite(&product.origins);
        for (id, exponent) in product.factors {
            if self.list.len() >= FACTORS {
                return Ok(false);
            }
            let (op, ty) = (cx.see().op(id).clone(), cx.see().ty(id).clone());
            let operands = cx.see().operands(id);
            let made = !cx.is_named(id) && !cx.is_forward(id);
            let mut push = |node: NodeId, letters: &[u8]| {
                self.list.push(Part { node, letters: letters.into(), exponent, side });
            };
            match op {
                _ if ty.rank() == 0 => push(id, &[]),
                Op::Broadcast(_) | Op::Permute(_) if !cx.is_named(id) => {
                    let source = operands[0];
                    let Some(inner) = under(&op, cx.see().ty(source), letters) else {
                        push(id, letters);
                        continue;
                    };
                    let scalar = matches!(cx.see().op(source), Op::Scalar(_));
                    if scalar && !cx.is_open(id) && !separable(cx, source) {
                        push(source, &inner);
                    } else if !self.take(cx, source, &inner, exponent, side)? {
                        return Ok(false);
                    }
                }
                Op::Outer(_) if made && exponent == 1 => {
                    for (place, &vector) in operands.iter().enumerate() {
                        if !self.take(cx, vector, &letters[place..=place], 1, side)? {
                            return Ok(false);
                        }
                    }
                }
                Op::Diag(Diag::Make) if made && exponent == 1 && ty.rank() == 2 => {
                    let eye = Eye { dtype: ty.dtype, size: ty.shape[0].clone() };
                    push(cx.model().insert(eye, &[], &Origins::default())?, letters);
                    if !self.take(cx, operands[0], &letters[1..], 1, side)? {
                        return Ok(false);
                    }
                }
                _ => push(id, letters),
            }
        }
        Ok(true)
    }

    /// `sum[c](eye[a, c] * x[c])` is `x[a]`: takes such letters away, and says whether there are some.
    pub fn select(&mut self, cx: &mut Cx, inner: &mut Letters) -> Result<bool, Misfit> {
        let eye = |cx: &Cx, part: &Part| {
            part.exponent > 0 && matches!(cx.see().op(part.node), Op::Eye(_))
        };
        let mut selected = false;
        loop {
            let found = self.list.iter().enumerate().find_map(|(place, part)| {
                let axis = part.letters.iter().position(|c| inner.contains(c))?;
                eye(cx, part).then(|| (place, part.letters[axis], part.letters[1 - axis]))
            });
            let Some((place, gone, kept)) = found else { return Ok(selected) };
            selected = true;
            self.list.remove(place);
            inner.retain(|c| *c != gone);
            for mut part in std::mem::take(&mut self.list) {
                match (part.has(gone), part.has(kept)) {
                    (true, true) if eye(cx, &part) => continue,
                    (true, true) => {
                        let rest = part.letters.iter().copied().filter(|&c| c != gone && c != kept);
                        let letters: Letters = rest.chain([gone, kept]).collect();
                        let node = permuted(cx, part.node, &part.letters, &letters, &self.origins)?;
                        part.node = cx.build(Diag::Take, &[node], &self.origins)?;
                        part.letters = letters.into_iter().filter(|&c| c != gone).collect();
                    }
                    _ => part.letters.iter_mut().filter(|c| **c == gone).for_each(|c| *c = kept),
                }
                self.list.push(part);
            }
        }
    }

    /// The sum over letters of a product of groups, with its own letters: along axes of one, as a matrix product of two, or
    /// as an einsum of more.
    pub fn folded(
        &mut self,
        cx: &mut Cx,
        mut groups: Vec<Vec<Part>>,
        inner: &[u8],
        output: &[u8],
    ) -> Result<(NodeId, Letters), Misfit> {
        let place = |c: &u8| output.iter().position(|known| known == c).unwrap_or(output.len());
        groups.sort_by_key(|group| {
            let first = group[0].letters.iter().map(place).min();
            (group[0].letters.len(), first)
        });
        let mut factors: Vec<(NodeId, Letters)> = Vec::new();
        for group in &groups {
            let letters = group[0].letters.clone();
            factors.push((self.joined(cx, group, Number::ONE, &letters)?, letters));
        }
        let kept =
            |letters: &[u8]| letters.iter().copied().filter(|c| !inner.contains(c)).collect();
        if let [(node, letters)] = &factors[..] {
            let axes = (0..letters.len()).filter(|&axis| inner.contains(&letters[axis])).collect();
            let sum = cx.build(Reduce { kind: Fold::Sum, axes }, &[*node], &self.origins)?;
            return Ok((sum, kept(letters)));
        }
        if let ([one, two], [inner]) = (&factors[..], inner)
            && let Some(matrix) = Matrix::of([&one.1, &two.1], *inner, output)
        {
            let mut operands = SmallVec::<[NodeId; 2]>::new();
            for (place, letters) in matrix.order.into_iter().zip(&matrix.operands) {
                let (node, own) = &factors[place];
                operands.push(permuted(cx, *node, own, letters, &self.origins)?);
            }
            return Ok((cx.build(MatMul, &operands, &self.origins)?, matrix.result));
        }
        let has = |c: &u8| factors.iter().any(|(_, letters)| letters.contains(c));
        let output: Letters = output.iter().copied().filter(has).collect();
        let names = self.names(&output, inner);
        let named = |letters: &[u8]| letters.iter().map(|c| names[c]).collect();
        let einsum = Einsum {
            inputs: factors.iter().map(|(_, letters)| named(letters)).collect(),
            output: named(&output),
        };
        let operands: Vec<NodeId> = factors.iter().map(|(node, _)| *node).collect();
        Ok((cx.build(einsum, &operands, &self.origins)?, output))
    }

    /// A letter of the alphabet for each letter: the first of the name of its size, if that is free.
    fn names(&self, output: &[u8], inner: &[u8]) -> FxHashMap<u8, u8> {
        let mut names = FxHashMap::default();
        let mut taken: Vec<u8> = Vec::new();
        for &letter in output.iter().chain(inner) {
            let size = self.sizes[&letter].name();
            let first = size.and_then(|name| name.bytes().next()).map(|c| c.to_ascii_lowercase());
            let first = first.filter(u8::is_ascii_lowercase).unwrap_or(b'i');
            let free =
                (first..=b'z').chain(b'a'..=b'z').chain(b'A'..=b'Z').find(|c| !taken.contains(c));
            let free = free.expect("there are fewer letters than in the alphabet");
            taken.push(free);
            names.insert(letter, free);
        }
        names
    }

    /// The product of parts in a space of axes: parts that lie alike are multiplied before they are laid out.
    fn joined(
        &self,
        cx: &mut Cx,
        parts: &[Part],
        number: Number,
        letters: &[u8],
    ) -> Result<NodeId, Misfit> {
        let mut product = Product { number, ..Product::one(self.origins.clone()) };
        for (place, part) in parts.iter().enumerate() {
            let alike = |other: &&Part| other.letters == part.letters;
            if part.letters.is_empty() {
                add(&mut product, part.node, part.exponent);
                continue;
            }
            if parts[..place].iter().any(|other| alike(&other)) {
                continue;
            }
            let mut inner = Product::one(self.origins.clone());
            let group = parts[place..].iter().filter(alike);
            group.for_each(|part| add(&mut inner, part.node, part.exponent));
            let (node, exponent) = match inner.factors[..] {
                _ if part.letters[..] == *letters => {
                    product.factors.extend(inner.factors);
                    continue;
                }
                [only] => only,
                _ => (emit(cx, &inner, self.like)?, 1),
            };
            let laid = self.laid(cx, node, &part.letters, letters)?;
            add(&mut product, laid, exponent);
        }
        emit(cx, &product, self.like)
    }

    /// A value with these letters laid out along others.
    fn laid(&self, cx: &mut Cx, node: NodeId, letters: &[u8], to: &[u8]) -> Result<NodeId, Misfit> {
        let order: Letters = to.iter().copied().filter(|c| letters.contains(c)).collect();
        let node = permuted(cx, node, letters, &order, &self.origins)?;
        if order.len() == to.len() || order.is_empty() {
            return Ok(node);
        }
        let place = |c: &u8| order.iter().position(|known| known == c).map(|axis| axis as u8);
        let from = to.iter().map(place).collect();
        let to = to.iter().map(|c| self.sizes[c].clone()).collect();
        cx.model().insert(Broadcast { to, from }, &[node], &self.origins)
    }
}

/// A matrix product with the letters of its operands and its result.
struct Matrix {
    /// Which of the factors stands where.
    order: [usize; 2],
    operands: [Letters; 2],
    result: Letters,
}

impl Matrix {
    /// The sum along one letter of a product of two values as a matrix product, where its axes come in the order of `output`
    /// and no axes but the last two change places.
    fn of(factors: [&Letters; 2], inner: u8, output: &[u8]) -> Option<Matrix> {
        let mut best: Option<(usize, Matrix)> = None;
        for order in [[0, 1], [1, 0]] {
            let (one, two) = (factors[order[0]], factors[order[1]]);
            let of = |left: bool, right: bool| -> Letters {
                let fits = |c: &u8| one.contains(c) == left && two.contains(c) == right;
                output.iter().copied().filter(fits).collect()
            };
            let (batch, rows, columns) = (of(true, true), of(true, false), of(false, true));
            let (before, last) = columns.split_at(columns.len().saturating_sub(1));
            let (rows, inner) = (&rows[..], &[inner][..]);
            let [left, right, result] = match (batch.len(), rows.len(), columns.len()) {
                (0, _, 0 | 1) | (_, 1, 1) => [
                    [&batch[..], rows, inner].concat(),
                    [&batch[..], inner, last].concat(),
                    [&batch[..], rows, last].concat(),
                ],
                (0, 0 | 1, _) => [
                    [rows, inner].concat(),
                    [before, inner, last].concat(),
                    [before, rows, last].concat(),
                ],
                _ => continue,
            };
            let place = |c: &u8| output.iter().position(|known| known == c);
            let turns = turns(one, &left).zip(turns(two, &right)).map(|(x, y)| x + y);
            let Some(turns) = turns.filter(|_| result.is_sorted_by_key(place)) else { continue };
            if best.as_ref().is_none_or(|(fewest, _)| turns < *fewest) {
                let operands = [left.into(), right.into()];
                best = Some((turns, Matrix { order, operands, result: result.into() }));
            }
        }
        best.map(|(_, matrix)| matrix)
    }
}

/// Whether the sum of a product of two groups is a matrix product.
pub fn is_matrix(groups: &[Vec<Part>], inner: &[u8], output: &[u8]) -> bool {
    match (groups, inner) {
        ([one, two], [inner]) => {
            Matrix::of([&one[0].letters, &two[0].letters], *inner, output).is_some()
        }
        _ => false,
    }
}

/// How many transposes of the last two axes lead from one order of letters to another, if one at most does.
fn turns(from: &[u8], to: &[u8]) -> Option<usize> {
    if from == to {
        return Some(0);
    }
    let mut turned = to.to_vec();
    let last = turned.len().checked_sub(2)?;
    turned[last..].reverse();
    (turned == from).then_some(1)
}

/// Parts of one operand whose letters one of them has, together.
pub fn grouped(mut parts: Vec<Part>) -> Vec<Vec<Part>> {
    let mut groups: Vec<Vec<Part>> = Vec::new();
    parts.sort_by_key(|part| std::cmp::Reverse(part.letters.len()));
    for part in parts {
        let holds = |group: &&mut Vec<Part>| {
            group[0].side == part.side && part.letters.iter().all(|&c| group[0].has(c))
        };
        match groups.iter_mut().find(holds) {
            Some(group) => group.push(part),
            None => groups.push(vec![part]),
        }
    }
    groups
}

/// The letters of what a broadcast lays out or a permutation turns; `None` where an axis of size 1 is stretched.
fn under(op: &Op, source: &Type, letters: &[u8]) -> Option<Letters> {
    match op {
        Op::Broadcast(laid) => {
            let (_, stretched) = laid.repeated(source);
            let place = |axis: usize| laid.from.iter().position(|from| *from == Some(axis as u8));
            let axes = (0..source.rank()).filter_map(place);
            stretched.is_empty().then(|| axes.map(|axis| letters[axis]).collect())
        }
        Op::Permute(permute) => {
            Some(permute.inverse().into_iter().map(|axis| letters[axis]).collect())
        }
        _ => None,
    }
}

/// A value with its axes in another order of letters.
fn permuted(
    cx: &mut Cx,
    node: NodeId,
    letters: &[u8],
    to: &[u8],
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    if letters == to {
        return Ok(node);
    }
    let place = |c: &u8| letters.iter().position(|known| known == c).expect("it is there");
    cx.build(Permute { order: to.iter().map(place).collect() }, &[node], origins)
}
