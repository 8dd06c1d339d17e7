//! Pooling: the largest or the mean of each window, and the adjoints of both.

use super::field::{Field, sum};
use super::term::apply;
use super::window::Frame;
use super::{
    Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Size, Term, Type, ValueError, elements,
    floats, join,
};
use crate::tensor::Tensor;
use std::borrow::Cow;

/// A number for each window along the last axes, or what flows back from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    /// What becomes of a window.
    pub kind: Kind,
    /// The sizes of a window.
    pub window: Vec<i64>,
    /// How windows lie along the axes.
    pub frame: Frame,
}

/// What becomes of a window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The largest element; NaN where one is NaN. Padding is never the largest.
    Max,
    /// Of x and u: the mean of u where x is the largest of the window; 0 where the largest is NaN. Linear in u.
    MaxPick,
    /// Of x and dy: the adjoint of `MaxPick` by u, each number shared equally by the largest of its window.
    MaxAdjoint,
    /// The mean.
    Mean {
        /// Whether padding counts as elements that are 0.
        count_pad: bool,
    },
    /// Of dy: the adjoint of the mean.
    MeanAdjoint {
        /// Whether padding counts as elements that are 0.
        count_pad: bool,
        /// The sizes of the axes that windows lie along.
        sizes: Vec<Size>,
    },
}

impl Pool {
    fn with(&self, kind: Kind, args: Vec<Term>) -> Term {
        apply(Pool { kind, ..self.clone() }, args)
    }

    fn sizes(&self) -> Vec<Size> {
        self.window.iter().map(|&size| Size::Known(size)).collect()
    }

    /// The number of axes in front of those that windows lie along.
    fn lead(&self, ty: &Type, operand: usize) -> Result<usize, Misfit> {
        ty.rank().checked_sub(self.window.len()).ok_or_else(|| {
            let message =
                format!("`{}` has windows along {} axes of {ty}", self.name(), self.window.len());
            Misfit::rank(message).at(operand, None)
        })
    }

    /// The type of the windows' numbers where x is of type `ty`.
    fn pooled(&self, ty: &Type, operand: usize, dims: &Dims) -> Result<Type, Misfit> {
        let lead = self.lead(ty, operand)?;
        for (axis, (low, high)) in self.frame.padding.iter().enumerate() {
            let size = self.window[axis];
            let empty = |padding: &Size| dims.resolve(padding).known().is_some_and(|p| p >= size);
            if empty(low) || empty(high) {
                let message = format!("padding of {low} and {high} leaves windows of {size} empty");
                return Err(Misfit::shape(message)
                    .at(operand, lead + axis)
                    .help("pad by less than the window"));
            }
        }
        let counts = self.frame.counts(&ty.shape[lead..], &self.sizes(), (operand, lead), dims)?;
        Ok(ty.with_shape(ty.shape[..lead].iter().cloned().chain(counts)))
    }

    /// The places of the elements of each window.
    fn inside(
        &self,
        axes: &[usize],
        counts: &[usize],
        bindings: &Bindings,
    ) -> Result<Vec<Vec<usize>>, ValueError> {
        let window: Vec<usize> = self.window.iter().map(|&size| size as usize).collect();
        let mut inside = vec![Vec::new(); counts.iter().product()];
        for meeting in self.frame.meetings(axes, &window, counts, bindings)? {
            inside[meeting.window].push(meeting.element);
        }
        Ok(inside)
    }

    /// The entries of the result, of the shape `to`, for operands with these entries and shapes.
    pub fn entries<F: Field>(
        &self,
        of: &[(Vec<F>, &[usize])],
        to: &[usize],
        bindings: &Bindings,
    ) -> Result<Vec<F>, ValueError> {
        let lead = to.len() - self.window.len();
        let (axes, counts) = match self.kind {
            Kind::MaxAdjoint => (&to[lead..], &of[1].1[lead..]),
            Kind::MeanAdjoint { .. } => (&to[lead..], &of[0].1[lead..]),
            _ => (&of[0].1[lead..], &to[lead..]),
        };
        let inside = self.inside(axes, counts, bindings)?;
        let taps = self.window.iter().product::<i64>() as usize;
        let number = |count: usize| F::from(count as f64);
        let count =
            |window: &[usize], count_pad: bool| number(if count_pad { taps } else { window.len() });
        let (width, windows) = (axes.iter().product::<usize>(), inside.len());
        let mut result = vec![F::from(0.0); to.iter().product()];
        for row in 0..to[..lead].iter().product() {
            let element = |i: usize| &of[i].0[row * width..(row + 1) * width];
            for (place, window) in inside.iter().enumerate() {
                let at = row * windows + place;
                match self.kind {
                    Kind::Max => result[at] = largest(element(0), window),
                    Kind::MaxPick => {
                        let ties = ties(element(0), window);
                        let sum = sum(ties.iter().map(|&place| element(1)[place]));
                        result[at] =
                            if ties.is_empty() { F::from(0.0) } else { sum / number(ties.len()) };
                    }
                    Kind::MaxAdjoint => {
                        let ties = ties(element(0), window);
                        for &place in &ties {
                            result[row * width + place] += of[1].0[at] / number(ties.len());
                        }
                    }
                    Kind::Mean { count_pad } => {
                        let sum = sum(window.iter().map(|&place| element(0)[place]));
                        result[at] = sum / count(window, count_pad);
                    }
                    Kind::MeanAdjoint { count_pad, .. } => {
                        for &place in window {
                            result[row * width + place] += of[0].0[at] / count(window, count_pad);
                        }
                    }
                }
            }
        }
        Ok(result)
    }

    fn is_adjoint(&self) -> bool {
        matches!(self.kind, Kind::MaxAdjoint | Kind::MeanAdjoint { .. })
    }
}

fn differs(name: &str, one: &Type, two: &Type) -> Misfit {
    Misfit::shape(format!("`{name}` of {one} and {two}: shapes differ")).at(0, None).at(1, None)
}

fn alike(one: &Type, two: &Type, dims: &Dims) -> bool {
    one.rank() == two.rank() && one.shape.iter().zip(&two.shape).all(|(a, b)| dims.equal(a, b))
}

/// The largest of the window; NaN where one is NaN.
fn largest<F: Field>(x: &[F], window: &[usize]) -> F {
    let larger = |a: F, b: F| match a.is_nan() || b.is_nan() {
        true => F::from(f64::NAN),
        false if b > a => b,
        false => a,
    };
    window.iter().map(|&place| x[place]).fold(F::from(f64::NEG_INFINITY), larger)
}

/// The places of the window where x is the largest.
fn ties<F: Field>(x: &[F], window: &[usize]) -> Vec<usize> {
    let top = largest(x, window);
    window.iter().copied().filter(|&place| x[place] == top).collect()
}

impl Operator for Pool {
    fn name(&self) -> Cow<'static, str> {
        match self.kind {
            Kind::Max => "max_pool".into(),
            Kind::MaxPick => "max_pool_pick".into(),
            Kind::MaxAdjoint => "max_pool_adjoint".into(),
            Kind::Mean { .. } => "avg_pool".into(),
            Kind::MeanAdjoint { .. } => "avg_pool_adjoint".into(),
        }
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        floats(&self.name(), operands)?;
        let x = &operands[0];
        match &self.kind {
            Kind::Max | Kind::Mean { .. } => self.pooled(x, 0, dims),
            Kind::MaxPick if !alike(x, &operands[1], dims) => {
                Err(differs(&self.name(), x, &operands[1]))
            }
            Kind::MaxPick => self.pooled(x, 0, dims),
            Kind::MaxAdjoint => match alike(&self.pooled(x, 0, dims)?, &operands[1], dims) {
                true => Ok(x.clone()),
                false => Err(differs(&self.name(), x, &operands[1])
                    .help("the second has a number for each window of the first")),
            },
            Kind::MeanAdjoint { sizes, .. } => {
                let lead = self.lead(x, 0)?;
                let whole = x.with_shape(x.shape[..lead].iter().chain(sizes).cloned());
                match alike(&self.pooled(&whole, 0, dims)?, x, dims) {
                    true => Ok(whole),
                    false => Err(differs(&self.name(), x, &whole)),
                }
            }
        }
    }

    fn value(&self, x: &[Tensor], to: &[usize], bindings: &Bindings) -> Result<Tensor, ValueError> {
        let of: Vec<_> = x.iter().map(|x| (x.to_f64(), x.shape())).collect();
        Ok(Tensor::from_f64(x[0].dtype(), to, self.entries(&of, to, bindings)?))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let dy = rule.dy();
        match self.kind {
            Kind::Max => vec![Some(self.with(Kind::MaxAdjoint, vec![rule.x(0), dy]))],
            Kind::MaxPick => vec![None, Some(self.with(Kind::MaxAdjoint, vec![rule.x(0), dy]))],
            Kind::MaxAdjoint => vec![None, Some(self.with(Kind::MaxPick, vec![rule.x(0), dy]))],
            Kind::Mean { count_pad } => {
                let lead = rule.operands[0].rank() - self.window.len();
                let sizes = rule.operands[0].shape[lead..].to_vec();
                vec![Some(self.with(Kind::MeanAdjoint { count_pad, sizes }, vec![dy]))]
            }
            Kind::MeanAdjoint { count_pad, .. } => {
                vec![Some(self.with(Kind::Mean { count_pad }, vec![dy]))]
            }
        }
    }

    fn batch(&self, batching: &Batching) -> Term {
        self.with(self.kind.clone(), batching.all())
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        let mut form = Form::call(&self.name(), operands.len());
        if let Kind::MeanAdjoint { sizes, .. } = &self.kind {
            form = form.with(format!("[{}]", join(sizes)));
        }
        form = form.with(format!("[{}]", join(&self.window)));
        let axes = match &self.kind {
            Kind::MeanAdjoint { sizes, .. } => &sizes[..],
            _ => &operands[0].shape[operands[0].rank() - self.window.len()..],
        };
        form = self.frame.written(form, &self.window, (axes, &self.sizes()));
        match self.kind {
            Kind::Mean { count_pad: true } | Kind::MeanAdjoint { count_pad: true, .. } => {
                form.with("count_pad = true")
            }
            _ => form,
        }
    }

    fn is_linear(&self) -> bool {
        matches!(self.kind, Kind::Mean { .. } | Kind::MeanAdjoint { .. })
    }

    fn flops(&self, operands: &[Type], result: &Type) -> Size {
        let windows = match self.is_adjoint() {
            true => elements(&operands[operands.len() - 1].shape),
            false => elements(&result.shape),
        };
        windows * Size::Known(self.window.iter().product())
    }
}
