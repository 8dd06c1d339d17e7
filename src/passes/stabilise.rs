//! Stability laws on the forward graph, before any derivative is taken.

use super::alone::left_alone;
use super::facts::{not_negative, positive, squares};
use super::stable_steps::STEPS;
use crate::graph::{Model, NodeId, Operands, Origin, Origins};
use crate::ops::leaf::SizeOf;
use crate::ops::reduce::{Reduce, Softmax};
use crate::ops::shape::Broadcast;
use crate::ops::stability::{COUNT, Condition, STABLE, Stable};
use crate::ops::{Misfit, Op, Operator, Scalar, Shape, Size, Term, Type, elements};
use crate::tensor::DType;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

/// A law that was used, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The name of the law.
    pub law: &'static str,
    /// Where the value comes from that it was used on.
    pub at: Origins,
}

/// The model in its stable form. No law looks into the values `named`, nor through barriers and `stop_gradient`.
pub fn stabilise(model: &Model, named: &[NodeId]) -> Result<(Model, Vec<Used>), Misfit> {
    let alone = left_alone(model);
    let asked: FxHashSet<NodeId> = model
        .nodes()
        .filter(|id| matches!(model.op(*id), Op::Derivative(_)))
        .map(|id| model.operands(id)[1])
        .chain(named.iter().copied())
        .collect();
    let mut cx = Stabiliser::default();
    let stable = model.rebuild(|to, id, operands| {
        let op = model.op(id);
        let node = match op {
            _ if alone.contains(&id) => model.copy(to, id, operands)?,
            Op::Scan(scan) => {
                let inner = model.inner(scan);
                let (body, used) = stabilise(&inner.model, &[])?;
                if used.is_empty() {
                    model.copy(to, id, operands)?
                } else {
                    cx.used.extend(used);
                    let (scan, read) = inner.turned(body).closed(scan);
                    let operands: Operands = read.iter().map(|&place| operands[place]).collect();
                    to.insert(scan, &operands, model.origins(id))?
                }
            }
            op => cx.build(to, op, operands, model.origins(id))?,
        };
        if asked.contains(&id) {
            cx.closed.insert(node);
        }
        Ok::<_, Misfit>(node)
    })?;
    let used = std::mem::take(&mut cx.used);
    Ok((if used.is_empty() { stable } else { stable.compact() }, used))
}

/// What a pattern has met.
#[derive(Clone, Default)]
struct Met {
    values: SmallVec<[Option<NodeId>; 4]>,
    /// The axes A, with the shape that they are of.
    axes: Option<(SmallVec<[usize; 4]>, Shape)>,
    /// A scalar stood where axes are laid out: A is all axes.
    whole: bool,
}

/// The laws at work.
#[derive(Default)]
pub struct Stabiliser {
    /// Values that no law looks into.
    closed: FxHashSet<NodeId>,
    used: Vec<Used>,
    /// How many builds are under way within each other.
    builds: usize,
}

/// So deep do rows call upon rows, and steps upon the laws.
const DEPTH: usize = 32;
const BUILDS: usize = 6;

impl Stabiliser {
    /// The stable form of `op` on `operands`.
    pub fn build(
        &mut self,
        model: &mut Model,
        op: &Op,
        operands: &[NodeId],
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        if self.builds == BUILDS {
            return model.insert(op.clone(), operands, origins);
        }
        self.builds += 1;
        let node = self.built(model, op, operands, origins, DEPTH);
        self.builds -= 1;
        node
    }

    /// How many laws have been used.
    pub fn count(&self) -> usize {
        self.used.len()
    }

    /// Notes that a law was used; `before` laws had been before it began, and are part of it.
    pub fn note(&mut self, law: &'static str, at: &Origins, before: usize) {
        self.used.truncate(before);
        self.used.push(Used { law, at: at.clone() });
    }

    /// Forgets all but the first `count` laws.
    pub fn forget(&mut self, count: usize) {
        self.used.truncate(count);
    }

    /// Whether laws may look into a value.
    pub fn is_open(&self, id: NodeId) -> bool {
        !self.closed.contains(&id)
    }

    fn built(
        &mut self,
        model: &mut Model,
        op: &Op,
        operands: &[NodeId],
        origins: &Origins,
        depth: usize,
    ) -> Result<NodeId, Misfit> {
        let floats = operands.first().is_some_and(|&id| model.ty(id).dtype.is_float());
        if depth == 0 || !floats {
            return model.insert(op.clone(), operands, origins);
        }
        for law in STABLE.iter().filter(|law| begins_with(law, op)) {
            if !may_fit(model, law, operands) {
                continue;
            }
            let Some(met) = self.meets(model, law, operands) else { continue };
            let wanted = op.infer(&types(model, operands), &model.dims)?;
            let origins = &lawful(origins, law.name);
            let before = self.count();
            let dtype = model.ty(operands[0]).dtype;
            let plant = Plant { met: &met, root: (op, operands), dtype, origins, depth: depth - 1 };
            let node = self.planted(model, &law.right, &plant)?;
            if let Some(node) = shaped(model, node, &wanted, origins)? {
                self.note(law.name, origins, before);
                return Ok(node);
            }
            self.forget(before);
        }
        let Op::Scalar(row) = op else { return model.insert(op.clone(), operands, origins) };
        for (name, _, _, step) in STEPS.iter().filter(|(_, _, begins, _)| begins.contains(row)) {
            let before = self.count();
            if let Some(node) = step(self, model, op, operands, &lawful(origins, name))? {
                self.note(name, origins, before);
                return Ok(node);
            }
            self.forget(before);
        }
        model.insert(op.clone(), operands, origins)
    }

    fn meets(&self, model: &Model, law: &Stable, operands: &[NodeId]) -> Option<Met> {
        let (op, patterns) = law.root();
        let mut found = Vec::new();
        self.all(model, patterns, operands, commutes(op), &Met::default(), &mut found);
        found.into_iter().find(|met| {
            let of = |number: usize| met.values[number].expect("the left side has every variable");
            met.is_sound()
                && match law.when {
                    Condition::Always => true,
                    Condition::Positive(number) => positive(model, of(number)),
                    Condition::NotNegative(number) => not_negative(model, of(number)),
                    Condition::Squares(number) => squares(model, of(number)),
                }
        })
    }

    /// Every way in which the patterns fit the values.
    fn all(
        &self,
        model: &Model,
        patterns: &[Term],
        ids: &[NodeId],
        either: bool,
        met: &Met,
        found: &mut Vec<Met>,
    ) {
        let mut orders: SmallVec<[Operands; 2]> = SmallVec::new();
        orders.push(ids.into());
        if either && ids.len() == 2 && ids[0] != ids[1] {
            orders.push(ids.iter().rev().copied().collect());
        }
        for order in orders {
            let mut ways = vec![met.clone()];
            for (pattern, &id) in patterns.iter().zip(&order) {
                let mut next = Vec::new();
                for met in &ways {
                    self.one(model, pattern, id, met, &mut next);
                }
                ways = next;
            }
            found.extend(ways);
        }
    }

    fn one(&self, model: &Model, pattern: &Term, id: NodeId, met: &Met, found: &mut Vec<Met>) {
        match pattern {
            Term::Var(number) => {
                let mut met = met.clone();
                if met.values.len() <= *number {
                    met.values.resize(number + 1, None);
                }
                match met.values[*number] {
                    Some(known) if known != id => return,
                    _ => met.values[*number] = Some(id),
                }
                found.push(met);
            }
            Term::Number(number) => {
                if model.filled(id) == Some(*number) {
                    found.push(met.clone());
                }
            }
            Term::Size(_) => {
                let count = met.axes.as_ref().map(|(axes, shape)| {
                    elements(&axes.iter().map(|&axis| shape[axis].clone()).collect::<Vec<_>>())
                });
                let same = |count: Size| match model.op(id) {
                    Op::SizeOf(SizeOf { size, .. }) => model.dims.equal(size, &count),
                    _ => {
                        model.filled(id).and_then(|number| number.to_i64()).map(Size::Known)
                            == Some(model.dims.resolve(&count))
                    }
                };
                if count.is_some_and(same) {
                    found.push(met.clone());
                }
            }
            Term::Apply(inner) => {
                if let Some((opposite, id)) = self.opposite(model, inner, id) {
                    return self.one(model, &opposite, id, met, found);
                }
                let Some((met, ids)) = self.enter(model, &inner.0, id, met) else { return };
                self.all(model, &inner.1, &ids, commutes(&inner.0), &met, found);
            }
        }
    }

    /// The pattern `2 * x` and a value v, for the pattern `-2 * x` and the value `-v`.
    fn opposite(
        &self,
        model: &Model,
        pattern: &(Op, Vec<Term>),
        id: NodeId,
    ) -> Option<(Term, NodeId)> {
        let (Op::Scalar(Scalar::Mul), [Term::Number(number), rest]) = (&pattern.0, &pattern.1[..])
        else {
            return None;
        };
        let negative =
            number.is_negative() && self.is_open(id) && *model.op(id) == Op::Scalar(Scalar::Neg);
        negative.then(|| (Term::Number(-*number) * rest.clone(), model.operands(id)[0]))
    }

    /// The operands of a value that fits the operator of a pattern.
    fn enter(&self, model: &Model, op: &Op, id: NodeId, met: &Met) -> Option<(Met, Operands)> {
        let operands = model.operands(id);
        let mut met = met.clone();
        if let Op::Broadcast(_) = op {
            return match model.op(id) {
                Op::Broadcast(laid) => {
                    let axes = laid.new_axes(model.ty(operands[0]).rank())?;
                    met.along(&axes, &laid.to).then_some((met, operands))
                }
                _ if model.ty(id).rank() == 0 => {
                    met.whole = true;
                    Some((met, Operands::from_slice(&[id])))
                }
                _ => None,
            };
        }
        if !self.is_open(id) {
            return None;
        }
        let fits = match (op, model.op(id)) {
            (Op::Reduce(wanted), Op::Reduce(found)) => {
                wanted.kind == found.kind && met.along(&found.axes, &model.ty(operands[0]).shape)
            }
            (Op::Softmax(_), Op::Softmax(found)) => met.along(&found.axes, &model.ty(id).shape),
            (wanted, found) => wanted == found,
        };
        fits.then_some((met, operands))
    }

    fn planted(&mut self, model: &mut Model, term: &Term, plant: &Plant) -> Result<NodeId, Misfit> {
        let Plant { met, root, dtype, origins, depth } = *plant;
        let (op, args) = match term {
            Term::Var(number) => {
                return Ok(met.values[*number].expect("the left side has every variable"));
            }
            Term::Number(number) => return Ok(model.number(dtype, *number, origins)),
            Term::Size(size) => {
                let (axes, shape) = met.axes.as_ref().expect("the left side has axes");
                let along: Vec<Size> = axes.iter().map(|&axis| shape[axis].clone()).collect();
                debug_assert_eq!(size.name().map(|name| &**name), Some(COUNT));
                let size = elements(&along);
                return model.insert(SizeOf { dtype, size }, &[], origins);
            }
            Term::Apply(inner) => (&inner.0, &inner.1),
        };
        let mut operands = Operands::new();
        for arg in args {
            operands.push(self.planted(model, arg, plant)?);
        }
        let op = match (op, &met.axes) {
            (Op::Reduce(Reduce { kind, .. }), Some((axes, _))) => {
                Reduce { kind: *kind, axes: axes.clone() }.into()
            }
            (Op::Softmax(_), Some((axes, _))) => Softmax { axes: axes.clone() }.into(),
            (Op::Broadcast(_), Some(_)) if model.ty(operands[0]).rank() == 0 => {
                return Ok(operands[0]);
            }
            (Op::Broadcast(_), Some((axes, shape))) => laid_along(axes, shape).into(),
            (op, _) => op.clone(),
        };
        match (&op, operands.as_slice()) == root {
            true => model.insert(op, &operands, origins),
            false => self.built(model, &op, &operands, origins, depth),
        }
    }
}

/// What the right side of a law is planted with.
#[derive(Clone, Copy)]
struct Plant<'a> {
    met: &'a Met,
    /// What the law was used on: within the right side it stays as it is.
    root: (&'a Op, &'a [NodeId]),
    dtype: DType,
    origins: &'a Origins,
    depth: usize,
}

impl Met {
    /// Takes the axes for A, or says whether they are A.
    fn along(&mut self, axes: &[usize], of: &Shape) -> bool {
        match &self.axes {
            Some((known, shape)) => known.as_slice() == axes && shape == of,
            None => {
                self.axes = Some((axes.into(), of.clone()));
                true
            }
        }
    }

    fn is_sound(&self) -> bool {
        !self.whole || self.axes.as_ref().is_some_and(|(axes, shape)| axes.len() == shape.len())
    }
}

impl Broadcast {
    /// The axes that are new, where the operand's axes lie in their order between them at full size.
    fn new_axes(&self, rank: usize) -> Option<SmallVec<[usize; 4]>> {
        let kept: SmallVec<[usize; 4]> =
            self.from.iter().flatten().map(|&axis| usize::from(axis)).collect();
        let in_order = kept.iter().enumerate().all(|(place, &axis)| place == axis);
        (in_order && kept.len() == rank)
            .then(|| (0..self.from.len()).filter(|&axis| self.from[axis].is_none()).collect())
    }
}

fn laid_along(axes: &[usize], shape: &Shape) -> Broadcast {
    let mut next = 0;
    let from = (0..shape.len())
        .map(|axis| {
            (!axes.contains(&axis)).then(|| {
                next += 1;
                next - 1
            })
        })
        .collect();
    Broadcast { to: shape.clone(), from }
}

fn commutes(op: &Op) -> bool {
    matches!(op, Op::Scalar(Scalar::Add | Scalar::Mul))
}

fn begins_with(law: &Stable, op: &Op) -> bool {
    match (law.root().0, op) {
        (Op::Softmax(_), Op::Softmax(_)) => true,
        (known, op) => known == op,
    }
}

/// Whether operands have the operators that stand on the left side of a law; said fast, and never wrongly denied.
fn may_fit(model: &Model, law: &Stable, operands: &[NodeId]) -> bool {
    let (op, patterns) = law.root();
    let fits = |pattern: &Term, id: NodeId| match pattern {
        Term::Var(_) | Term::Size(_) => true,
        Term::Number(number) => model.filled(id) == Some(*number),
        Term::Apply(inner) => match (&inner.0, model.op(id)) {
            (Op::Broadcast(_), _) | (Op::Reduce(_), Op::Reduce(_)) => true,
            (Op::Softmax(_), Op::Softmax(_)) => true,
            (Op::Scalar(Scalar::Mul), Op::Scalar(Scalar::Neg)) => true,
            (wanted, found) => wanted == found,
        },
    };
    let all = |mut ids: Operands, turned: bool| {
        if turned {
            ids.reverse();
        }
        patterns.iter().zip(ids).all(|(pattern, id)| fits(pattern, id))
    };
    all(operands.into(), false) || commutes(op) && all(operands.into(), true)
}

fn types(model: &Model, ids: &[NodeId]) -> SmallVec<[Type; 2]> {
    ids.iter().map(|&id| model.ty(id).clone()).collect()
}

fn lawful(origins: &Origins, law: &'static str) -> Origins {
    let mut origins = origins.clone();
    origins.unite(&Origin::Law(law).into());
    origins
}

/// The value in the type that is wanted; `None` where it has another one.
fn shaped(
    model: &mut Model,
    node: NodeId,
    wanted: &Type,
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    let found = model.ty(node);
    if found.rank() == 0 && wanted.rank() > 0 && found.dtype == wanted.dtype {
        let all: SmallVec<[usize; 4]> = (0..wanted.rank()).collect();
        return model.insert(laid_along(&all, &wanted.shape), &[node], origins).map(Some);
    }
    Ok((found == wanted).then_some(node))
}
