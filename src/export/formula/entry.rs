//! How an entry of a value moves with an entry of a variable, where that is a product of entries: `dz[n, j]/dW[i, j] = x[n, i]`.

use super::{Formula, read};
use crate::graph::print::{Part, stated};
use crate::graph::{Kind, Model, NodeId, Output};
use crate::ops::reduce::Fold;
use crate::ops::{Op, Scalar, Size, Type};

/// The index of an entry along an axis, by number.
type Letter = usize;

/// What an entry of a value is multiplied by where an entry of a variable moves.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The axes of the value.
    pub value: Vec<Letter>,
    /// The axes of the variable.
    pub variable: Vec<Letter>,
    /// The sizes of the axes that letters stand for.
    pub sizes: Vec<Size>,
    factors: Vec<Factor>,
    negative: bool,
}

#[derive(Clone, Debug)]
struct Factor {
    node: NodeId,
    places: Vec<Letter>,
    divides: bool,
}

/// The derivative of entries of `value` by entries of `variable`, where one way leads there through products with other
/// values, sums with them, and axes laid out anew. `None` elsewhere.
pub fn entry(model: &Model, variable: NodeId, value: NodeId) -> Option<Entry> {
    let mut depends = vec![false; model.len()];
    depends[variable.index()] = true;
    for id in model.nodes() {
        depends[id.index()] |= model.operands(id).iter().any(|operand| depends[operand.index()]);
    }
    let mut way = Vec::new();
    let mut at = value;
    while at != variable {
        let operands = model.operands(at);
        let mut moved = (0..operands.len()).filter(|&place| depends[operands[place].index()]);
        let place = moved.next()?;
        if moved.next().is_some() {
            return None;
        }
        way.push((at, place));
        at = operands[place];
    }
    let sizes = model.ty(variable).shape.to_vec();
    let letters: Vec<Letter> = (0..sizes.len()).collect();
    let mut entry = Entry {
        value: letters.clone(),
        variable: letters,
        sizes,
        factors: Vec::new(),
        negative: false,
    };
    for (node, place) in way.into_iter().rev() {
        entry.through(model, node, place)?;
    }
    Some(entry)
}

impl Entry {
    fn fresh(&mut self, size: &Size) -> Letter {
        self.sizes.push(size.clone());
        self.sizes.len() - 1
    }

    fn factor(&mut self, node: NodeId, places: Vec<Letter>, divides: bool) {
        self.factors.push(Factor { node, places, divides });
    }

    /// The same for a number that acts on all elements of `to`.
    fn spread(&mut self, own: &Type, to: &Type) -> Option<()> {
        match own.rank() {
            rank if rank == to.rank() => {}
            0 => self.value = to.shape.iter().map(|size| self.fresh(size)).collect(),
            _ => return None,
        }
        Some(())
    }

    /// The same behind an operator, of which the value so far is operand number `place`.
    fn through(&mut self, model: &Model, node: NodeId, place: usize) -> Option<()> {
        let operands = model.operands(node);
        let own = model.ty(operands[place]);
        let other = (operands.len() == 2).then(|| operands[1 - place]);
        match (model.op(node), other) {
            (Op::Barrier(_), _) => {}
            (Op::Scalar(Scalar::Neg), _) => self.negative ^= true,
            (Op::Scalar(Scalar::Add), _) => self.spread(own, model.ty(node))?,
            (Op::Scalar(Scalar::Sub), _) => {
                self.spread(own, model.ty(node))?;
                self.negative ^= place == 1;
            }
            (Op::Scalar(row @ (Scalar::Mul | Scalar::Div)), Some(other)) => {
                if *row == Scalar::Div && place == 1 {
                    return None;
                }
                self.spread(own, model.ty(node))?;
                let scalar = model.ty(other).rank() == 0;
                let places = if scalar { Vec::new() } else { self.value.clone() };
                self.factor(other, places, *row == Scalar::Div);
            }
            (Op::Permute(permute), _) => {
                self.value = permute.order.iter().map(|&axis| self.value[axis]).collect();
            }
            (Op::Broadcast(broadcast), _) => {
                let before = self.value.clone();
                let mut value = Vec::new();
                for (from, size) in broadcast.from.iter().zip(&broadcast.to) {
                    value.push(match from {
                        None => self.fresh(size),
                        Some(axis) if own.shape[*axis as usize] == *size => before[*axis as usize],
                        Some(_) => return None,
                    });
                }
                self.value = value;
            }
            (Op::Reduce(reduce), _) if reduce.kind == Fold::Sum => {
                let gone = |axis: &usize| reduce.axes.contains(axis);
                let own = (0..self.value.len()).filter(gone).map(|axis| self.value[axis]);
                // A sum of products is no product.
                if own.into_iter().any(|letter| !self.variable.contains(&letter)) {
                    return None;
                }
                let kept = (0..self.value.len()).filter(|axis| !gone(axis));
                self.value = kept.map(|axis| self.value[axis]).collect();
            }
            (Op::MatMul(_), Some(other)) => self.product(model, other, place)?,
            (Op::Outer(_), Some(other)) => {
                let free = self.fresh(&model.ty(other).shape[0]);
                let at = if place == 0 { self.value.len() } else { 0 };
                self.value.insert(at, free);
                self.factor(other, vec![free], false);
            }
            _ => return None,
        }
        Some(())
    }

    /// The same behind a matrix product with `other`.
    fn product(&mut self, model: &Model, other: NodeId, place: usize) -> Option<()> {
        let shape = model.ty(other).shape.clone();
        let own = self.value.clone();
        let (rank, others) = (own.len(), shape.len());
        // The axis that is summed over, and the free one, of each side.
        let axes = |rank: usize, left: bool| match (rank, left) {
            (1, _) => (0, None),
            (rank, true) => (rank - 1, Some(rank - 2)),
            (rank, false) => (rank - 2, Some(rank - 1)),
        };
        let (along, free) = axes(rank, place == 0);
        let (other_along, other_free) = axes(others, place == 1);
        let lead: Vec<Letter> = match (rank > 2, others > 2) {
            (true, _) => own[..rank - 2].to_vec(),
            (false, true) => shape[..others - 2].iter().map(|size| self.fresh(size)).collect(),
            (false, false) => Vec::new(),
        };
        let new = other_free.map(|axis| self.fresh(&shape[axis]));
        let mut places = if others > 2 { lead.clone() } else { Vec::new() };
        let mut pair = vec![(other_along, own[along])];
        pair.extend(other_free.zip(new));
        pair.sort_unstable();
        places.extend(pair.into_iter().map(|(_, letter)| letter));
        let kept = free.map(|axis| own[axis]);
        let ends = if place == 0 { [kept, new] } else { [new, kept] };
        self.value = lead.into_iter().chain(ends.into_iter().flatten()).collect();
        self.factor(other, places, false);
        Some(())
    }

    /// What the entry is multiplied by; letters are written by `letter`, names by `known`.
    pub fn formula(
        &self,
        model: &Model,
        letter: &dyn Fn(Letter) -> Formula,
        known: &dyn Fn(&str) -> Option<Formula>,
    ) -> Option<Formula> {
        let mut formula: Option<Formula> = None;
        for factor in &self.factors {
            let (node, places) = laid(model, factor.node, factor.places.clone());
            let value = match model.constant(node) {
                Some(number) => Formula::Number(number.to_string()),
                None => value(model, node, known)?,
            };
            let value = value.at(places.into_iter().map(letter).collect());
            formula = Some(match (formula, factor.divides) {
                (None, false) => value,
                (before, true) => {
                    let before = before.unwrap_or_else(|| Formula::Number("1".into()));
                    Formula::infix("/", before, value)
                }
                (Some(before), false) => Formula::infix("·", before, value),
            });
        }
        let formula = formula.unwrap_or_else(|| Formula::Number("1".into()));
        Some(if self.negative { Formula::Prefix("-", Box::new(formula)) } else { formula })
    }
}

/// The value behind axes that are only laid out anew.
fn laid(model: &Model, mut node: NodeId, mut places: Vec<Letter>) -> (NodeId, Vec<Letter>) {
    loop {
        match model.op(node) {
            Op::Permute(permute) => {
                let mut before = places.clone();
                for (place, &axis) in permute.order.iter().enumerate() {
                    before[axis] = places[place];
                }
                places = before;
            }
            Op::Broadcast(broadcast) => {
                let inner = model.ty(model.operands(node)[0]);
                let mut before = vec![0; inner.rank()];
                for ((from, size), &place) in broadcast.from.iter().zip(&broadcast.to).zip(&places)
                {
                    match from {
                        None => {}
                        Some(axis) if inner.shape[*axis as usize] == *size => {
                            before[*axis as usize] = place;
                        }
                        Some(_) => return (node, places),
                    }
                }
                places = before;
            }
            Op::Barrier(_) => {}
            _ => return (node, places),
        }
        node = model.operands(node)[0];
    }
}

/// The expression of a value.
fn value(model: &Model, node: NodeId, known: &dyn Fn(&str) -> Option<Formula>) -> Option<Formula> {
    if let Op::Variable(variable) = model.op(node) {
        return Some(known(&variable.name).unwrap_or_else(|| Formula::name(&variable.name)));
    }
    let mut alone = model.clone();
    alone.outputs = vec![Output { kind: Kind::Gradient, name: "factor".into(), node }];
    match stated(&alone, Part::Adjoint).as_slice() {
        [only] if only.code.is_empty() => read(&only.text, known),
        _ => None,
    }
}
