//! Convolution and its adjoints: the three derivatives of one sum of products over inputs, filters and results.

use super::field::Field;
use super::term::{apply, permute, reshape};
use super::window::Frame;
use super::{
    Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Size, Term, Type, ValueError, elements,
    floats, join,
};
use crate::tensor::Tensor;
use std::borrow::Cow;

/// `S = Σ y[n, o, p] * w[o, i, k] * x[n, i, p * stride + k * dilation - padding]`, channels in groups, differentiated by one
/// of the three: linear in each of the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conv {
    /// By which it is differentiated.
    pub part: Part,
    /// How the filters lie along the spatial axes.
    pub frame: Frame,
    /// How many parts of the channels are on their own.
    pub groups: Size,
}

/// Which of the three values is the result.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// y from x and w: cross-correlation.
    Output,
    /// x from y and w, with the spatial sizes of x.
    Input(Vec<Size>),
    /// w from x and y, with the spatial sizes of w.
    Filter(Vec<Size>),
}

/// The places of input, filter and result in arrays of three.
const X: usize = 0;
const W: usize = 1;
const Y: usize = 2;

/// The axis that images, output channels, input channels and groups are along, in x, w and y.
type Letter = [Option<usize>; 3];
const IMAGES: Letter = [Some(0), None, Some(0)];
const OUTPUTS: Letter = [None, Some(0), Some(1)];
const INPUTS: Letter = [Some(1), Some(1), None];
const GROUPS: Letter = [Some(1), Some(0), Some(1)];

impl Conv {
    fn with(&self, part: Part, args: [Term; 2]) -> Term {
        apply(Conv { part, ..self.clone() }, args.into())
    }

    /// Which of the three the operands and the result are.
    fn roles(&self) -> [usize; 3] {
        match self.part {
            Part::Output => [X, W, Y],
            Part::Input(_) => [Y, W, X],
            Part::Filter(_) => [X, Y, W],
        }
    }

    /// A size over the number of groups, where it is known to be whole.
    fn per_group(&self, channels: &Size, dims: &Dims) -> Option<Size> {
        let quotient = channels
            .exact_div(&self.groups)
            .or_else(|| dims.resolve(channels).exact_div(&dims.resolve(&self.groups)));
        quotient.map(|size| dims.rename(size))
    }

    /// The number of groups, into which the channels of x and of w divide.
    pub fn whole_groups(
        &self,
        [x, w]: [&[usize]; 2],
        bindings: &Bindings,
    ) -> Result<usize, ValueError> {
        let groups = self.groups.eval(bindings)?;
        let (from, into, inputs) = (x[1], w[0], w[1]);
        let outputs = into / groups.max(1) as usize;
        let whole = outputs as i64 * groups == into as i64 && inputs as i64 * groups == from as i64;
        match usize::try_from(groups).ok().filter(|_| whole) {
            Some(groups) => Ok(groups),
            None => {
                let message =
                    format!("{from} and {into} channels do not divide into {groups} groups");
                Err(ValueError::Shape(message))
            }
        }
    }

    /// Whether `operand`, of which `outputs` channels come out, divides into the groups; what only the run shows is let pass.
    fn divides(&self, operand: usize, axis: usize, ty: &Type, dims: &Dims) -> Result<(), Misfit> {
        let outputs = &ty.shape[axis];
        let unknown = dims.resolve(outputs).known().is_none();
        if unknown || self.per_group(outputs, dims).is_some() {
            return Ok(());
        }
        let message = format!(
            "`{}`: {outputs} channels do not divide into {} groups",
            self.name(),
            self.groups
        );
        Err(Misfit::shape(message).at(operand, axis))
    }

    fn output(&self, x: &Type, w: &Type, dims: &Dims) -> Result<Type, Misfit> {
        let channels = w.shape[1].clone() * self.groups.clone();
        if !dims.equal(&x.shape[1], &channels) {
            let found = &x.shape[1];
            let message = format!("`conv`: {found} channels where the filters take {channels}");
            let groups = match self.groups.is_one() {
                true => {
                    "filters are [outputs, inputs, window]; with `groups = g` inputs / g".into()
                }
                false => format!(
                    "with {} groups the filters' second axis is inputs / groups",
                    self.groups
                ),
            };
            return Err(Misfit::shape(message).at(0, 1).at(1, 1).help(groups));
        }
        self.divides(1, 0, w, dims)?;
        let counts = self.frame.counts(&x.shape[2..], &w.shape[2..], (0, 2), dims)?;
        Ok(x.with_shape([x.shape[0].clone(), w.shape[0].clone()].into_iter().chain(counts)))
    }

    fn input(&self, y: &Type, w: &Type, sizes: &[Size], dims: &Dims) -> Result<Type, Misfit> {
        if dims.agree(&y.shape[1], &w.shape[0]).is_none() {
            let (found, given) = (&y.shape[1], &w.shape[0]);
            let message = format!("`conv_input`: {found} channels where the filters give {given}");
            return Err(Misfit::shape(message).at(0, 1).at(1, 0));
        }
        self.divides(1, 0, w, dims)?;
        self.same_counts(&y.shape[2..], sizes, &w.shape[2..], 0, dims)?;
        let channels = dims.rename(w.shape[1].clone() * self.groups.clone());
        Ok(y.with_shape([y.shape[0].clone(), channels].into_iter().chain(sizes.iter().cloned())))
    }

    fn filter(&self, x: &Type, y: &Type, window: &[Size], dims: &Dims) -> Result<Type, Misfit> {
        if dims.agree(&x.shape[0], &y.shape[0]).is_none() {
            let message = format!("`conv_filter` of {x} and {y}: axis 0 differs");
            return Err(Misfit::shape(message).at(0, 0).at(1, 0));
        }
        self.divides(1, 1, y, dims)?;
        self.same_counts(&y.shape[2..], &x.shape[2..], window, 1, dims)?;
        let inputs = self.per_group(&x.shape[1], dims).ok_or_else(|| {
            let message = format!(
                "`conv_filter`: {} channels do not divide into {} groups",
                x.shape[1], self.groups
            );
            Misfit::shape(message).at(0, 1)
        })?;
        Ok(x.with_shape([y.shape[1].clone(), inputs].into_iter().chain(window.iter().cloned())))
    }

    /// That `counts`, the spatial sizes of operand `operand`, are as many as there are windows along `axes`.
    fn same_counts(
        &self,
        counts: &[Size],
        axes: &[Size],
        window: &[Size],
        operand: usize,
        dims: &Dims,
    ) -> Result<(), Misfit> {
        let wanted = self.frame.counts(axes, window, (operand, 2), dims)?;
        match (0..counts.len()).find(|&place| !dims.equal(&counts[place], &wanted[place])) {
            None => Ok(()),
            Some(place) => {
                let (name, size, count) = (self.name(), &axes[place], &wanted[place]);
                let message = format!(
                    "`{name}`: an axis of size {size} has {count} windows where {} are given",
                    counts[place]
                );
                Err(Misfit::shape(message).at(operand, 2 + place))
            }
        }
    }

    /// The letter that a new axis joins. What two of the three have in common, the third knows nothing of; with groups only
    /// the groups are common to all.
    fn letter(&self, batched: &[bool]) -> Letter {
        let [left, right, result] = self.roles();
        let of = |role: usize, letter: &Letter| letter[role].is_some() && letter[result].is_some();
        let single = match batched {
            [true, false] => left,
            [false, true] => right,
            _ => return GROUPS,
        };
        match [IMAGES, OUTPUTS, INPUTS].into_iter().find(|letter| of(single, letter)) {
            Some(letter) if letter == IMAGES || self.groups.is_one() => letter,
            _ => GROUPS,
        }
    }

    /// The entries of the result, of the shape `to`, for operands of these shapes.
    pub fn entries<F: Field>(
        &self,
        (left, right): (&[F], &[F]),
        of: [&[usize]; 2],
        to: &[usize],
        bindings: &Bindings,
    ) -> Result<Vec<F>, ValueError> {
        let roles = self.roles();
        let mut shapes: [&[usize]; 3] = [to; 3];
        (shapes[roles[0]], shapes[roles[1]]) = (of[0], of[1]);
        let (images, inputs) = (shapes[X][0], shapes[W][1]);
        let groups = self.whole_groups([shapes[X], shapes[W]], bindings)?;
        let outputs = shapes[W][0] / groups.max(1);
        let meetings =
            self.frame.meetings(&shapes[X][2..], &shapes[W][2..], &shapes[Y][2..], bindings)?;
        let spatial = shapes.map(|shape| shape[2..].iter().product::<usize>());
        let mut result = vec![F::from(0.0); to.iter().product()];
        for n in 0..images {
            for o in 0..shapes[W][0] {
                for i in 0..inputs {
                    let channel = o / outputs * inputs + i;
                    let x0 = (n * shapes[X][1] + channel) * spatial[X];
                    let w0 = (o * inputs + i) * spatial[W];
                    let y0 = (n * shapes[Y][1] + o) * spatial[Y];
                    for meeting in &meetings {
                        let at = [x0 + meeting.element, w0 + meeting.tap, y0 + meeting.window];
                        result[at[roles[2]]] += left[at[roles[0]]] * right[at[roles[1]]];
                    }
                }
            }
        }
        Ok(result)
    }
}

impl Operator for Conv {
    fn name(&self) -> Cow<'static, str> {
        match self.part {
            Part::Output => "conv".into(),
            Part::Input(_) => "conv_input".into(),
            Part::Filter(_) => "conv_filter".into(),
        }
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        let (one, two) = (&operands[0], &operands[1]);
        floats(&self.name(), operands)?;
        let rank = self.frame.stride.len() + 2;
        if let Some(i) = operands.iter().position(|operand| operand.rank() != rank) {
            let message = format!("`{}` of {one} and {two}: ranks differ", self.name());
            return Err(Misfit::rank(message).at(i, None).help(
                "images are [N, C, sizes..], filters [O, I, window..], with as many spatial axes",
            ));
        }
        match &self.part {
            Part::Output => self.output(one, two, dims),
            Part::Input(sizes) => self.input(one, two, sizes, dims),
            Part::Filter(window) => self.filter(one, two, window, dims),
        }
    }

    fn value(&self, x: &[Tensor], to: &[usize], bindings: &Bindings) -> Result<Tensor, ValueError> {
        let (left, right) = (x[0].to_f64(), x[1].to_f64());
        let of = [x[0].shape(), x[1].shape()];
        let entries = self.entries((&left, &right), of, to, bindings)?;
        Ok(Tensor::from_f64(x[0].dtype(), to, entries))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let spatial = |i: usize| rule.operands[i].shape[2..].to_vec();
        let (a, b, dy) = (rule.x(0), rule.x(1), rule.dy());
        let (da, db) = match self.part {
            Part::Output => (
                self.with(Part::Input(spatial(0)), [dy.clone(), b]),
                self.with(Part::Filter(spatial(1)), [a, dy]),
            ),
            Part::Input(_) => (
                self.with(Part::Output, [dy.clone(), b]),
                self.with(Part::Filter(spatial(1)), [dy, a]),
            ),
            Part::Filter(_) => (
                self.with(Part::Input(spatial(0)), [b, dy.clone()]),
                self.with(Part::Output, [a, dy]),
            ),
        };
        vec![Some(da), Some(db)]
    }

    fn batch(&self, batching: &Batching) -> Term {
        let (size, roles) = (batching.size, self.roles());
        let letter = self.letter(batching.batched);
        let args = (0..2).map(|i| match letter[roles[i]] {
            Some(axis) => joined(batching.lifted(i), &batching.operands[i].shape, axis, size),
            None => Term::Var(i),
        });
        let groups = match letter == GROUPS {
            true => size.clone() * self.groups.clone(),
            false => self.groups.clone(),
        };
        let result = apply(Conv { groups, ..self.clone() }, args.collect());
        let axis = letter[roles[2]].expect("the result has the letter that the new axis joins");
        parted(result, &batching.result.shape, axis, size)
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        let mut form = Form::call(&self.name(), 2);
        let spatial = |i: usize| &operands[i].shape[2..];
        let along = match &self.part {
            Part::Output => (spatial(0), spatial(1)),
            Part::Input(sizes) => (&sizes[..], spatial(1)),
            Part::Filter(window) => (spatial(0), &window[..]),
        };
        if let Part::Input(sizes) | Part::Filter(sizes) = &self.part {
            form = form.with(format!("[{}]", join(sizes)));
        }
        form = self.frame.written(form, &vec![1; self.frame.stride.len()], along);
        if self.groups.is_one() { form } else { form.with(format!("groups = {}", self.groups)) }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, operands: &[Type], result: &Type) -> Size {
        let roles = self.roles();
        let ty = |role: usize| match roles.iter().position(|r| *r == role) {
            Some(place) if place < 2 => &operands[place],
            _ => result,
        };
        Size::Known(2) * elements(&ty(Y).shape) * elements(&ty(W).shape[1..])
    }
}

/// `term`, whose shape is `shape` behind an axis of `size`, with that axis as the outer part of `axis`.
fn joined(term: Term, shape: &[Size], axis: usize, size: &Size) -> Term {
    let order: Vec<usize> = (1..=axis).chain([0]).chain(axis + 1..=shape.len()).collect();
    let mut to = shape.to_vec();
    to[axis] = size.clone() * to[axis].clone();
    reshape(permute(term, &order), &to)
}

/// What undoes `joined`.
fn parted(term: Term, shape: &[Size], axis: usize, size: &Size) -> Term {
    let mut to = shape.to_vec();
    to.insert(axis, size.clone());
    let order: Vec<usize> = [axis].into_iter().chain(0..axis).chain(axis + 1..to.len()).collect();
    permute(reshape(term, &to), &order)
}
