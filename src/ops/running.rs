//! Running sums, products and recurrences along an axis.

use super::join::Concat;
use super::slice::{Cut, Slice};
use super::term::{apply, spread};
use super::{Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Size, Term, Type, ValueError};
use crate::tensor::{DType, Element, Tensor};
use ndarray::Axis;
use smallvec::SmallVec;
use std::borrow::Cow;

/// What runs along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Running {
    /// The sum of all up to each place.
    Sum,
    /// The product of all up to each place.
    Prod,
    /// `r[k] = a[k] * r[k - 1] + b[k]`, from 0; two operands.
    Recurrence,
}

/// A running sum, product or linear recurrence along an axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cumulate {
    /// What runs.
    pub kind: Running,
    /// The axis.
    pub axis: usize,
    /// From the end.
    pub reverse: bool,
}

impl Operator for Cumulate {
    fn name(&self) -> Cow<'static, str> {
        match self.kind {
            Running::Sum => "cumsum".into(),
            Running::Prod => "cumprod".into(),
            Running::Recurrence => "recurrence".into(),
        }
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        if operands[0].dtype == DType::Bool {
            return Err(
                Misfit::dtype(format!("`{}` takes numbers; this is bool", self.name())).at(0, None)
            );
        }
        if let Some(i) = operands.iter().position(|operand| *operand != operands[0]) {
            let message = format!("`{}` of {} and {}", self.name(), operands[0], operands[i]);
            return Err(Misfit::shape(message).at(0, None).at(i, None));
        }
        Ok(operands[0].clone())
    }

    fn value(
        &self,
        x: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element>(
            cumulate: &Cumulate,
            x: &[Tensor],
            step: impl Fn(Option<T>, T, T) -> T,
        ) -> Tensor {
            let mut result = T::of(&x[x.len() - 1]).to_owned();
            let first = T::of(&x[0]);
            let axis = Axis(cumulate.axis);
            for (mut out, a) in result.lanes_mut(axis).into_iter().zip(first.lanes(axis)) {
                let size = out.len();
                let mut previous = None;
                for step_number in 0..size {
                    let place = if cumulate.reverse { size - 1 - step_number } else { step_number };
                    out[place] = step(previous, a[place], out[place]);
                    previous = Some(out[place]);
                }
            }
            T::wrap(result.into_shared())
        }
        macro_rules! typed {
            ($type:ident, $zero:expr, $add:expr, $mul:expr) => {{
                let (add, mul): (fn($type, $type) -> $type, fn($type, $type) -> $type) =
                    ($add, $mul);
                match self.kind {
                    Running::Sum => go::<$type>(self, x, |p, _, b| p.map_or(b, |p| add(p, b))),
                    Running::Prod => go::<$type>(self, x, |p, _, b| p.map_or(b, |p| mul(p, b))),
                    Running::Recurrence => {
                        go::<$type>(self, x, |p, a, b| p.map_or(b, |p| add(mul(a, p), b)))
                    }
                }
            }};
        }
        Ok(match x[0].dtype() {
            DType::F32 => typed!(f32, 0.0, |a, b| a + b, |a, b| a * b),
            DType::F64 => typed!(f64, 0.0, |a, b| a + b, |a, b| a * b),
            DType::I32 => typed!(i32, 0, i32::wrapping_add, i32::wrapping_mul),
            DType::I64 => typed!(i64, 0, i64::wrapping_add, i64::wrapping_mul),
            DType::Bool => unreachable!("of numbers only"),
        })
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        if !rule.result.dtype.is_float() {
            return vec![None; rule.operands.len()];
        }
        let shape = &rule.result.shape;
        let back = |kind| Cumulate { kind, axis: self.axis, reverse: !self.reverse };
        // r[k] = dy[k] + x[k + 1] * r[k + 1]: what reaches place k from all places behind it.
        let reaching = |factor: Term| {
            let next = shifted(factor, shape, self.axis, !self.reverse, 0);
            apply(back(Running::Recurrence), vec![next, rule.dy()])
        };
        let previous = |fill| shifted(rule.y(), shape, self.axis, self.reverse, fill);
        match self.kind {
            Running::Sum => vec![Some(apply(back(Running::Sum), vec![rule.dy()]))],
            Running::Prod => vec![Some(reaching(rule.x(0)) * previous(1))],
            Running::Recurrence => {
                vec![Some(reaching(rule.x(0)) * previous(0)), Some(reaching(rule.x(0)))]
            }
        }
    }

    fn batch(&self, batching: &Batching) -> Term {
        apply(Cumulate { axis: self.axis + 1, ..self.clone() }, batching.all())
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        let form =
            Form::call(&self.name(), operands.len()).along([operands[0].axis_label(self.axis)]);
        if self.reverse { form.with("reverse = true") } else { form }
    }

    fn is_linear(&self) -> bool {
        self.kind == Running::Sum
    }
}

/// `term` moved one place along `axis` (towards the front where `back`), with `fill` in the free place.
pub(super) fn shifted(term: Term, shape: &[Size], axis: usize, back: bool, fill: i32) -> Term {
    let mut edge: Vec<Size> = shape.to_vec();
    edge[axis] = Size::Known(1);
    let all: Vec<usize> = (0..edge.len()).collect();
    let free = spread(fill.into(), &edge, &all);
    // First longer by one, then cut: an axis of size 0 has nothing to be cut before.
    let longer = apply(Concat { axis }, if back { vec![term, free] } else { vec![free, term] });
    let mut cuts: SmallVec<[Cut; 1]> = shape.iter().map(Cut::all).collect();
    let start = Size::Known(i64::from(back));
    cuts[axis] = Cut::Range { start, size: shape[axis].clone(), step: 1 };
    apply(Slice { cuts }, vec![longer])
}
