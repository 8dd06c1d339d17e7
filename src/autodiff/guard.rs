//! Where adjoints are 0 because a `where` takes its other branch: what is computed from them is guarded.
//!
//! A value that only one branch needs has a condition for each of its elements: whether the branch taken needs it. The
//! conditions follow the adjoints backwards, through every operator, and are built where a slope or a value may be infinite.

use super::beside::Beside;
use super::need::{carried, singular};
use crate::graph::{Model, NodeId, Operands, Origins};
use crate::ops::reduce::{Fold, Reduce};
use crate::ops::shape::Broadcast;
use crate::ops::term::{select, spread, sum};
use crate::ops::{Misfit, Op, Scalar, Term};
use crate::tensor::DType;
use rustc_hash::{FxHashMap, FxHashSet};

/// What is known of the conditions while adjoints are made.
pub struct Guards {
    /// Whether values may be infinite or undefined, or depend on such, where that was asked.
    irregular: FxHashMap<NodeId, bool>,
    /// Whether a value is needed under conditions only, as far as its users have been seen: nothing where there is no choice.
    conditional: Option<Beside<bool>>,
    /// Who uses a value, and as which operand.
    users: FxHashMap<NodeId, Vec<(NodeId, usize)>>,
    conditions: FxHashMap<NodeId, NodeId>,
}

impl Guards {
    /// What can be said before the first adjoint; `between` are the nodes that adjoints are made of, from those of `roots`.
    pub fn new(
        model: &Model,
        roots: impl Iterator<Item = NodeId>,
        between: &Beside<bool>,
    ) -> Guards {
        let any = between.marked().any(|id| matches!(model.op(id), Op::Select(_)));
        let conditional = any.then(|| {
            let mut conditional = between.like(true);
            roots.filter(|root| between.holds(*root)).for_each(|root| conditional[root] = false);
            conditional
        });
        Guards {
            irregular: FxHashMap::default(),
            conditional,
            users: FxHashMap::default(),
            conditions: FxHashMap::default(),
        }
    }

    /// Notes that the adjoint of `user` flows to its operand number `place`.
    pub fn flows(&mut self, model: &Model, user: NodeId, place: usize, operand: NodeId) {
        let under = self.is_conditional(user) || (chooses(model, user) && place > 0);
        let Some(conditional) = &mut self.conditional else { return };
        conditional[operand] &= under;
        if conditional[operand] {
            self.users.entry(operand).or_default().push((user, place));
        }
    }

    fn is_conditional(&self, id: NodeId) -> bool {
        self.conditional.as_ref().is_some_and(|conditional| conditional.holds(id))
    }

    fn is_irregular(&mut self, model: &Model, id: NodeId) -> bool {
        let mut waiting = vec![id];
        while let Some(&next) = waiting.last() {
            if !self.irregular.contains_key(&next) {
                let operands = model.operands(next);
                let within = |operand: &NodeId| self.irregular.get(operand) == Some(&true);
                let found = singular(model, next) || operands.iter().any(within);
                let unknown = |operand: &&NodeId| !self.irregular.contains_key(*operand);
                let before = waiting.len();
                waiting.extend(operands.iter().filter(unknown).filter(|_| !found));
                if waiting.len() > before {
                    continue;
                }
                self.irregular.insert(next, found);
            }
            waiting.pop();
        }
        self.irregular[&id]
    }

    /// The flow `term` from `id` to its operand number `place`, so guarded that what is not needed adds nothing to it.
    /// `variables` are the operands, the value, its adjoint, and the steps that the rule shares.
    pub fn planted(
        &mut self,
        model: &mut Model,
        term: &Term,
        (id, place): (NodeId, usize),
        mut variables: Operands,
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        let dtype = model.ty(id).dtype;
        let adjoint = model.operands(id).len() + 1;
        if *term == Term::Var(adjoint) {
            return Ok(variables[adjoint]);
        }
        let elementwise = matches!(model.op(id), Op::Scalar(_) | Op::Select(_));
        let guard = match guard(model, variables[adjoint]) {
            Some(guard) => behind(model, id, variables[0], guard, origins)?,
            None => None,
        };
        if let Some(guard) = &guard {
            variables[adjoint] = guard.taken;
        }
        let wary = self.is_conditional(id) && uses(term, adjoint) && self.is_irregular(model, id);
        let condition = if wary { self.condition(model, id, origins)? } else { None };
        let said = |guard: &Guard| condition.is_some_and(|condition| guard.says(model, condition));
        let condition = condition.filter(|_| !guard.as_ref().is_some_and(said));
        let contraction = is_contraction(model.op(id));
        if let Some(condition) = condition.filter(|_| contraction) {
            for other in (0..adjoint - 1).filter(|&other| other != place) {
                if self.is_irregular(model, variables[other]) {
                    let there = carried(model, (id, other), condition, origins)?;
                    let harmless = select(Term::Var(0), Term::Var(1), 0);
                    variables[other] =
                        model.plant(&harmless, &[there, variables[other]], dtype, origins)?;
                }
            }
        }
        let mut flow = model.plant(term, &variables, dtype, origins)?;
        if let Some(guard) = guard {
            flow = under(model, &guard, flow, origins)?;
        }
        match condition.filter(|_| !contraction) {
            None => Ok(flow),
            Some(condition) => {
                let there = match elementwise {
                    true => condition,
                    false => carried(model, (id, place), condition, origins)?,
                };
                let term = select(Term::Var(0), Term::Var(1), 0);
                model.plant(&term, &[there, flow], dtype, origins)
            }
        }
    }

    /// What flows from a scan to an operand: nothing where no result of the scan is needed.
    pub fn whole(
        &mut self,
        model: &mut Model,
        scan: NodeId,
        flow: NodeId,
        origins: &Origins,
    ) -> Result<NodeId, Misfit> {
        if !self.is_conditional(scan) || !self.is_irregular(model, scan) {
            return Ok(flow);
        }
        let Some(condition) = self.condition(model, scan, origins)? else { return Ok(flow) };
        let dtype = model.ty(flow).dtype;
        model.plant(&select(Term::Var(0), Term::Var(1), 0), &[condition, flow], dtype, origins)
    }

    /// For each element of a value, or for all, whether it is needed.
    fn condition(
        &mut self,
        model: &mut Model,
        id: NodeId,
        origins: &Origins,
    ) -> Result<Option<NodeId>, Misfit> {
        let mut wanted = vec![id];
        let mut seen: FxHashSet<NodeId> = FxHashSet::default();
        while let Some(next) = wanted.pop() {
            if !self.conditions.contains_key(&next) && seen.insert(next) {
                let users = self.users.get(&next).into_iter().flatten();
                wanted
                    .extend(users.map(|(user, _)| *user).filter(|user| self.is_conditional(*user)));
            }
        }
        let mut order: Vec<NodeId> = seen.into_iter().collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        for next in order {
            let mut condition = None;
            for (user, place) in self.users.get(&next).cloned().unwrap_or_default() {
                let of_user = self.conditions.get(&user).copied();
                let Some(here) = through(model, (user, place), of_user, origins)? else { continue };
                condition = Some(match condition {
                    None => here,
                    Some(known) if known == here => known,
                    Some(known) => model.insert(Scalar::Or, &[known, here], origins)?,
                });
            }
            if let Some(condition) = condition {
                self.conditions.insert(next, condition);
            }
        }
        Ok(self.conditions.get(&id).copied())
    }
}

/// Whether a node is a choice that is not made before the run.
fn chooses(model: &Model, id: NodeId) -> bool {
    matches!(model.op(id), Op::Select(_)) && model.filled(model.operands(id)[0]).is_none()
}

/// Whether a term has other variables than that one.
fn uses(term: &Term, but: usize) -> bool {
    match term {
        Term::Var(number) => *number != but,
        Term::Number(_) | Term::Size(_) => false,
        Term::Apply(inner) => inner.1.iter().any(|arg| uses(arg, but)),
    }
}

/// Operators that add up products of elements of several operands: one undefined element is in many sums.
fn is_contraction(op: &Op) -> bool {
    matches!(op, Op::MatMul(_) | Op::Outer(_) | Op::Einsum(_) | Op::Conv(_))
}

/// The condition of an operand, as far as this user needs it, by that of the user.
fn through(
    model: &mut Model,
    (user, place): (NodeId, usize),
    of_user: Option<NodeId>,
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    if !chooses(model, user) {
        return of_user.map(|outer| carried(model, (user, place), outer, origins)).transpose();
    }
    let condition = model.operands(user)[0];
    let own = match place {
        1 => condition,
        _ => model.insert(Scalar::Not, &[condition], origins)?,
    };
    let both = match of_user {
        Some(outer) if outer == own => own,
        Some(outer) => model.insert(Scalar::And, &[outer, own], origins)?,
        None => own,
    };
    carried(model, (user, place), both, origins).map(Some)
}

/// A value that is written as 0 on one side of a condition.
struct Guard {
    condition: NodeId,
    taken: NodeId,
    /// Whether the value is 0 where the condition holds.
    otherwise: bool,
}

impl Guard {
    /// Whether `condition` holds where the value is not 0, and nowhere else.
    fn says(&self, model: &Model, condition: NodeId) -> bool {
        match self.otherwise {
            false => self.condition == condition,
            true => {
                *model.op(condition) == Op::Scalar(Scalar::Not)
                    && model.operands(condition)[0] == self.condition
            }
        }
    }

    /// The value `Var(1)` under the condition `Var(0)`.
    fn around(&self) -> Term {
        if self.otherwise {
            select(Term::Var(0), 0, Term::Var(1))
        } else {
            select(Term::Var(0), Term::Var(1), 0)
        }
    }
}

/// The guard of the adjoint of the operand of `id`, by that of `id`: where it reads well.
fn behind(
    model: &mut Model,
    id: NodeId,
    operand: NodeId,
    guard: Guard,
    origins: &Origins,
) -> Result<Option<Guard>, Misfit> {
    let whole = [guard.condition, guard.taken]
        .iter()
        .all(|&part| model.ty(part).rank() == model.ty(id).rank());
    let one_for_all = model.ty(guard.condition).rank() == 0
        && model.ty(guard.taken).rank() == model.ty(id).rank();
    let shape = &model.ty(operand).shape;
    let condition = match model.op(id) {
        Op::Scalar(Scalar::Add | Scalar::Sub) => return Ok(None),
        _ if one_for_all => guard.condition,
        Op::Scalar(_) | Op::Select(_) => guard.condition,
        Op::Reduce(Reduce { kind: Fold::Sum | Fold::Mean, axes }) if whole => {
            let laid = spread(Term::Var(0), shape, axes);
            model.plant(&laid, &[guard.condition], DType::Bool, origins)?
        }
        // What is laid out under a condition that is the same all along.
        Op::Broadcast(broadcast) if whole => {
            let Op::Broadcast(known) = model.op(guard.condition) else { return Ok(None) };
            let same = broadcast.repeated(model.ty(operand)).1.is_empty()
                && broadcast.from.iter().zip(&known.from).all(|(a, b)| a.is_some() || b.is_none());
            if !same {
                return Ok(None);
            }
            let places = (0..shape.len() as u8).map(|axis| {
                broadcast.from.iter().position(|from| *from == Some(axis)).expect("it is laid out")
            });
            let from = places.map(|place| known.from[place]).collect();
            let narrow = Broadcast { to: shape.clone(), from };
            let inner = model.operands(guard.condition)[0];
            model.insert(narrow, &[inner], origins)?
        }
        _ => return Ok(None),
    };
    Ok(Some(Guard { condition, ..guard }))
}

/// A value under a guard; under one condition where it is a choice with 0 itself.
fn under(
    model: &mut Model,
    outer: &Guard,
    value: NodeId,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    let dtype = model.ty(value).dtype;
    let Some(inner) = guard(model, value) else {
        return model.plant(&outer.around(), &[outer.condition, value], dtype, origins);
    };
    if inner.condition == outer.condition && inner.otherwise == outer.otherwise {
        return Ok(value);
    }
    let mut holds = [outer.condition, inner.condition];
    for (holds, otherwise) in holds.iter_mut().zip([outer.otherwise, inner.otherwise]) {
        if otherwise {
            *holds = model.insert(Scalar::Not, &[*holds], origins)?;
        }
    }
    let both = model.insert(Scalar::And, &holds, origins)?;
    model.plant(&select(Term::Var(0), Term::Var(1), 0), &[both, inner.taken], dtype, origins)
}

fn guard(model: &Model, id: NodeId) -> Option<Guard> {
    let Op::Select(_) = model.op(id) else { return None };
    let branches = model.operands(id);
    let zero = |id: NodeId| model.filled(id).is_some_and(|number| number.is_zero());
    let otherwise = match (zero(branches[1]), zero(branches[2])) {
        (false, true) => false,
        (true, false) => true,
        _ => return None,
    };
    let taken = branches[if otherwise { 2 } else { 1 }];
    Some(Guard { condition: branches[0], taken, otherwise })
}

/// The sum of two adjoints; under one condition if both are, so that it guards what is computed from the sum.
pub fn sum_of(
    model: &mut Model,
    one: NodeId,
    two: NodeId,
    origins: &Origins,
) -> Result<NodeId, Misfit> {
    match (guard(model, one), guard(model, two)) {
        (Some(a), Some(b)) if a.condition == b.condition && a.otherwise == b.otherwise => {
            let sum = model.insert(Scalar::Add, &[a.taken, b.taken], origins)?;
            let dtype = model.ty(one).dtype;
            model.plant(&a.around(), &[a.condition, sum], dtype, origins)
        }
        _ => model.insert(Scalar::Add, &[one, two], origins),
    }
}

/// The sum of all elements; under the condition that guards them all alike, if one does.
pub fn summed(model: &mut Model, flow: NodeId, origins: &Origins) -> Result<NodeId, Misfit> {
    let axes: Vec<usize> = (0..model.ty(flow).rank()).collect();
    let dtype = model.ty(flow).dtype;
    let total = sum(&axes, Term::Var(0));
    let alike = guard(model, flow).filter(|guard| {
        model.ty(guard.condition).rank() == 0 && model.ty(guard.taken).rank() == axes.len()
    });
    match alike {
        Some(guard) => {
            let taken = model.plant(&total, &[guard.taken], dtype, origins)?;
            model.plant(&guard.around(), &[guard.condition, taken], dtype, origins)
        }
        None => model.plant(&total, &[flow], dtype, origins),
    }
}
