//! A step of training as a graph: what gradients make of parameters, and of what the optimiser keeps.

use super::rate::{Pace, rate};
use super::settings::Settings;
use crate::graph::train::{MADE, Method, Training};
use crate::graph::{Init, Kind, Model, NodeId, Origin, Origins, Role, Variable};
use crate::ops::elementwise::Cast;
use crate::ops::leaf::{self, Const, SizeOf};
use crate::ops::random::STEP;
use crate::ops::term::{apply, select, spread, sum};
use crate::ops::{Misfit, Name, Number, Op, Scalar, Size, Term, Type, free};
use crate::tensor::DType;
use std::sync::Arc;

/// The model of a step: `derived` has the gradients by `learnt`, in that order, as its outputs of kind `Gradient`. What they make
/// of the parameters is in the `updates`; what the optimiser keeps are states, called such as `m_W` for a parameter `W`. `rows` is the dimension that counts the rows of a batch.
///
/// In this order: gradients are collected over batches, each with the weight of its rows; entries are clipped; all together are
/// scaled to the largest norm; decay is added; the optimiser moves the parameters, at the rate of the update.
pub fn step(
    derived: &Model,
    learnt: &[Name],
    settings: &Settings,
    pace: Pace,
    rows: Option<&Name>,
) -> Result<Model, Misfit> {
    let mut builder = Builder { model: derived.clone(), settings, pace };
    let found = derived.outputs.iter().filter(|output| output.kind == Kind::Gradient);
    let mut gradients: Vec<Gradient> = learnt
        .iter()
        .zip(found)
        .map(|(name, output)| Gradient {
            name: name.clone(),
            w: derived.variables[name].node,
            by: output.node,
        })
        .collect();
    builder.model.requests.clear();
    builder.model.training = Some(Training {
        optimiser: None,
        clip: None,
        clip_value: None,
        weight_decay: None,
        schedule: None,
        accumulate: None,
        ..settings.training()
    });
    if !gradients.is_empty() {
        builder.moved(&mut gradients, rows)?;
    }
    Ok(builder.model)
}

/// A parameter with its gradient.
struct Gradient {
    name: Name,
    w: NodeId,
    by: NodeId,
}

/// What a rule makes of a parameter. Its variables are the parameter, its gradient, the rate, the optimiser's own numbers of
/// the update, and what was kept before; in `moved` what is kept now follows.
struct Moves {
    /// What is kept, by the letter that its name begins with.
    kept: Vec<(&'static str, Term)>,
    /// The parameter after the step.
    moved: Term,
}

struct Builder<'a> {
    model: Model,
    settings: &'a Settings,
    pace: Pace,
}

impl Builder<'_> {
    fn moved(&mut self, gradients: &mut [Gradient], rows: Option<&Name>) -> Result<(), Misfit> {
        let count = self.count()?;
        let turn = match self.settings.accumulate {
            0 | 1 => None,
            batches => Some(self.collected(gradients, batches, count, rows)?),
        };
        self.clipped(gradients)?;
        let update = match turn {
            Some(turn) => turn.update,
            None => count,
        };
        let rate = self.called("rate", &rate(self.settings, self.pace), &[update])?;
        let numbers = self.numbers(rate, update)?;
        if numbers.iter().any(|number| self.model.depends(*number, update)) {
            self.call("t", update);
        }
        for gradient in gradients.iter() {
            let own: Vec<NodeId> =
                numbers.iter().map(|&id| self.cast(id, gradient.w)).collect::<Result<_, _>>()?;
            self.update(gradient, &own, turn.as_ref().map(|turn| turn.last))?;
        }
        Ok(())
    }

    /// The number of the step, as a float.
    fn count(&mut self) -> Result<NodeId, Misfit> {
        let name: Name = STEP.into();
        let known = self.model.variables.get(&name).map(|variable| variable.node);
        let step = match known {
            Some(node) => node,
            None => {
                let ty = Arc::new(Type::scalar(DType::I64));
                let leaf = leaf::Variable { name: name.clone(), ty };
                let node = self.model.insert(leaf, &[], &Origins::default())?;
                let given = Variable { frozen: true, ..Variable::plain(node, Role::Given) };
                self.model.variables.insert(name, given);
                node
            }
        };
        self.model.insert(Cast { to: DType::F64 }, &[step], &made())
    }

    /// Puts the mean over the rows of all batches since the last update in the place of each gradient.
    fn collected(
        &mut self,
        gradients: &mut [Gradient],
        batches: u64,
        count: NodeId,
        rows: Option<&Name>,
    ) -> Result<Turn, Misfit> {
        let whole = |count: u64| Term::from(Number::int(i64::try_from(count).unwrap_or(i64::MAX)));
        let (all, own) = (whole(self.pace.batches), whole(self.pace.updates(batches)));
        let [x, y] = [Term::Var(0), Term::Var(1)];
        let floor = |term: Term| apply(Scalar::Floor, vec![term]);
        let equal = |left: Term, right: Term| apply(Scalar::Eq, vec![left, right]);
        let epoch = self.called("epoch", &floor(&x / &all), &[count])?;
        let place = self.called("place", &(&x - &y * &all), &[count, epoch])?;
        let part = self.called("part", &floor(&x / whole(batches)), &[place])?;
        let within = self.called("within", &(&x - &y * whole(batches)), &[place, part])?;
        let first = self.called("first", &equal(x.clone(), 0.into()), &[within])?;
        let ends = vec![equal(x.clone(), whole(batches - 1)), equal(y.clone(), all - 1)];
        let last = self.called("last", &apply(Scalar::Or, ends), &[within, place])?;
        let update = self.scalar(&(x * own + y), &[epoch, part])?;
        let size = rows.map_or(1.into(), |rows| Term::Size(Size::Named(rows.clone())));
        let size = self.scalar(&size, &[])?;
        let weight = self.kept("rows", "", &Type::scalar(DType::F64))?;
        let more = |old: Term, new: Term| select(Term::Var(0), 0, old) + new;
        let vars = [first, weight.1, size];
        let seen = self.scalar(&more(Term::Var(1), Term::Var(2)), &vars)?;
        self.call(&format!("next_{}", weight.0), seen);
        self.model.updates.insert(weight.0, seen);
        for gradient in gradients.iter_mut() {
            let ty = self.model.ty(gradient.by).clone();
            let (name, kept) = self.kept("a_", &gradient.name, &ty)?;
            let (size, seen) = (self.cast(size, gradient.by)?, self.cast(seen, gradient.by)?);
            let term = more(Term::Var(1), Term::Var(2) * Term::Var(3));
            let total = self.plant(&term, &[first, kept, gradient.by, size])?;
            self.call(&format!("next_{name}"), total);
            self.model.updates.insert(name, total);
            gradient.by = self.plant(&(Term::Var(0) / Term::Var(1)), &[total, seen])?;
            self.call(&format!("mean_{}", gradient.name), gradient.by);
        }
        Ok(Turn { last, update })
    }

    /// Clips entries to their largest absolute value, then all gradients together to their largest norm.
    fn clipped(&mut self, gradients: &mut [Gradient]) -> Result<(), Misfit> {
        if let Some(most) = self.settings.clip_value {
            let least = Number::ZERO - most;
            let below = apply(Scalar::Minimum, vec![Term::Var(0), most.into()]);
            let term = apply(Scalar::Maximum, vec![below, least.into()]);
            for gradient in gradients.iter_mut() {
                gradient.by = self.plant(&term, &[gradient.by])?;
            }
        }
        let Some(most) = self.settings.clip else { return Ok(()) };
        let mut squares = None;
        for gradient in gradients.iter() {
            let axes: Vec<usize> = (0..self.model.ty(gradient.by).rank()).collect();
            let square = sum(&axes, apply(Scalar::Square, vec![Term::Var(0)]));
            let own = self.plant(&square, &[gradient.by])?;
            let own = self.model.insert(Cast { to: DType::F64 }, &[own], &made())?;
            squares = Some(match squares {
                None => own,
                Some(sum) => self.scalar(&(Term::Var(0) + Term::Var(1)), &[sum, own])?,
            });
        }
        let Some(squares) = squares else { return Ok(()) };
        let norm = self.called("norm", &apply(Scalar::Sqrt, vec![Term::Var(0)]), &[squares])?;
        let most = Term::from(most);
        let beyond = apply(Scalar::Gt, vec![Term::Var(0), most.clone()]);
        let scale = self.called("scale", &select(beyond, most / Term::Var(0), 1), &[norm])?;
        for gradient in gradients.iter_mut() {
            let own = self.cast(scale, gradient.by)?;
            gradient.by = self.plant(&(Term::Var(0) * Term::Var(1)), &[gradient.by, own])?;
            self.call(&format!("g_{}", gradient.name), gradient.by);
        }
        Ok(())
    }

    /// The numbers of an update besides its gradients, f64: the rate, and what corrects running means for their start.
    fn numbers(&mut self, rate: NodeId, update: NodeId) -> Result<Vec<NodeId>, Misfit> {
        let (Method::Adam | Method::Adamw) = self.settings.optimiser.kind else {
            return Ok(vec![rate]);
        };
        let beta = |name: &str| Term::from(self.settings.number(name).expect("Adam has it"));
        let power = |beta: Term| 1 - apply(Scalar::Pow, vec![beta, Term::Var(0) + 1]);
        let (first, second) = (power(beta("beta1")), power(beta("beta2")));
        let first = self.scalar(&first, &[update])?;
        let second = self.scalar(&second, &[update])?;
        let scaled = self.called("rate_t", &(Term::Var(0) / Term::Var(1)), &[rate, first])?;
        let root = 1 / apply(Scalar::Sqrt, vec![Term::Var(0)]);
        let root = self.called("scale_t", &root, &[second])?;
        Ok(vec![rate, scaled, root])
    }

    /// Has each step move a parameter; only the `last` batch of an update does where there are several.
    fn update(
        &mut self,
        gradient: &Gradient,
        numbers: &[NodeId],
        last: Option<NodeId>,
    ) -> Result<(), Misfit> {
        let mut by = gradient.by;
        if let Some(decay) = self.settings.weight_decay {
            let term = Term::Var(0) + Term::from(decay) * Term::Var(1);
            by = self.plant(&term, &[by, gradient.w])?;
        }
        let moves = moves(self.settings, numbers.len() + 2);
        let ty = self.model.ty(gradient.w).clone();
        let mut vars: Vec<NodeId> = [gradient.w, by].iter().chain(numbers).copied().collect();
        let mut names = Vec::new();
        for (letter, _) in &moves.kept {
            let (name, node) = self.kept(letter, &gradient.name, &ty)?;
            names.push(name);
            vars.push(node);
        }
        let mut next = Vec::new();
        for (name, (_, term)) in names.iter().zip(&moves.kept) {
            let value = self.plant(term, &vars)?;
            self.call(&format!("next_{name}"), value);
            next.push(value);
        }
        let before = vars.len() - next.len();
        vars.extend(&next);
        let moved = self.plant(&moves.moved, &vars)?;
        for (place, (name, new)) in names.into_iter().zip(next).enumerate() {
            let new = self.only(last, new, vars[before + place])?;
            self.model.updates.insert(name, new);
        }
        let moved = self.only(last, moved, gradient.w)?;
        self.model.updates.insert(gradient.name.clone(), moved);
        Ok(())
    }

    /// `new` where `last` or always, else `old`.
    fn only(&mut self, last: Option<NodeId>, new: NodeId, old: NodeId) -> Result<NodeId, Misfit> {
        let Some(last) = last else { return Ok(new) };
        self.plant(&select(Term::Var(0), Term::Var(1), Term::Var(2)), &[last, new, old])
    }

    /// A state that starts as zeros.
    fn kept(&mut self, letter: &str, of: &str, ty: &Type) -> Result<(Name, NodeId), Misfit> {
        let name = self.fresh(&format!("{letter}{of}"));
        let leaf = leaf::Variable { name: name.clone(), ty: Arc::new(ty.clone()) };
        let node = self.model.insert(leaf, &[], &Origins::default())?;
        let axes: Vec<usize> = (0..ty.rank()).collect();
        let zeros = match ty.rank() {
            0 => Term::from(0),
            _ => spread(0.into(), &ty.shape, &axes),
        };
        let zeros = self.model.plant(&zeros, &[], ty.dtype, &Origins::default())?;
        let init = Some(Init::Value(zeros));
        let state = Variable { init, ..Variable::plain(node, Role::State) };
        self.model.variables.insert(name.clone(), state);
        Ok((name, node))
    }

    /// Gives a value a name, for those who read the step.
    fn call(&mut self, name: &str, node: NodeId) {
        if self.model.constant(node).is_none() {
            let name = self.fresh(name);
            self.model.names.insert(name, node);
        }
    }

    fn fresh(&self, wanted: &str) -> Name {
        let taken = |name: &str| {
            let model = &self.model;
            model.named(name).is_some()
                || model.dims.contains(name)
                || model.outputs.iter().any(|output| &*output.name == name)
        };
        free(wanted, taken)
    }

    /// A number in the element type of `like`.
    fn cast(&mut self, number: NodeId, like: NodeId) -> Result<NodeId, Misfit> {
        let to = self.model.ty(like).dtype;
        match self.model.op(number).clone() {
            Op::Const(Const { value, .. }) => Ok(self.model.number(to, value, &made())),
            Op::SizeOf(SizeOf { size, .. }) => {
                self.model.insert(SizeOf { dtype: to, size }, &[], &made())
            }
            _ if self.model.ty(number).dtype == to => Ok(number),
            _ => self.model.insert(Cast { to }, &[number], &made()),
        }
    }

    /// A number of the step, f64, that has a name.
    fn called(&mut self, name: &str, term: &Term, vars: &[NodeId]) -> Result<NodeId, Misfit> {
        let node = self.scalar(term, vars)?;
        self.call(name, node);
        Ok(node)
    }

    fn scalar(&mut self, term: &Term, vars: &[NodeId]) -> Result<NodeId, Misfit> {
        self.model.plant(term, vars, DType::F64, &made())
    }

    fn plant(&mut self, term: &Term, vars: &[NodeId]) -> Result<NodeId, Misfit> {
        self.model.plant(term, vars, DType::F64, &made())
    }
}

/// Where an update takes the gradients of several batches.
#[derive(Clone, Copy)]
struct Turn {
    /// Whether the batch is the last of an update.
    last: NodeId,
    /// The number of the update.
    update: NodeId,
}

fn made() -> Origins {
    Origins::one(Origin::Law(MADE))
}

/// The rules of the optimisers, as published: momentum (Polyak 1964; the gradient is not damped), Nesterov's as of Sutskever et
/// al. 2013, Adagrad (Duchi et al. 2011), RMSprop (Hinton 2012), Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019).
/// What is kept before has numbers from `kept` on.
fn moves(settings: &Settings, kept: usize) -> Moves {
    let (w, g, rate) = (Term::Var(0), Term::Var(1), Term::Var(2));
    let number = |name: &str| settings.number(name).expect("the optimiser's row has the number");
    let term = |name: &str| Term::from(number(name));
    let rest = |name: &str| Term::from(Number::ONE - number(name));
    let old = |place: usize| Term::Var(kept + place);
    let square = |term: &Term| apply(Scalar::Square, vec![term.clone()]);
    let root = |term: Term| apply(Scalar::Sqrt, vec![term]);
    match settings.optimiser.kind {
        Method::Sgd => Moves { kept: Vec::new(), moved: w - rate * g },
        Method::Momentum => {
            Moves { kept: vec![("v_", term("momentum") * old(0) + g)], moved: w - rate * old(1) }
        }
        Method::Nesterov => Moves {
            kept: vec![("v_", term("momentum") * old(0) + &g)],
            moved: w - rate * (g + term("momentum") * old(1)),
        },
        Method::Adagrad => Moves {
            kept: vec![("s_", old(0) + square(&g))],
            moved: w - rate * g / (root(old(1)) + term("eps")),
        },
        Method::Rmsprop => Moves {
            kept: vec![("s_", term("decay") * old(0) + rest("decay") * square(&g))],
            moved: w - rate * g / (root(old(1)) + term("eps")),
        },
        Method::Adam | Method::Adamw => {
            let decayed = match settings.number("weight_decay") {
                Some(decay) if !decay.is_zero() => w.clone() - &rate * Term::from(decay) * &w,
                _ => w,
            };
            let (scaled, correction) = (Term::Var(3), Term::Var(4));
            Moves {
                kept: vec![
                    ("m_", term("beta1") * old(0) + rest("beta1") * &g),
                    ("v_", term("beta2") * old(1) + rest("beta2") * square(&g)),
                ],
                moved: decayed - scaled * old(2) / (root(old(3)) * correction + term("eps")),
            }
        }
    }
}
