//! Elements of lines in order of size.

use super::shape::{Cut, Slice};
use super::term::{apply, put_along, take_along};
use super::{Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Size, Term, Type, ValueError};
use crate::each_dtype;
use crate::tensor::{Array, DType, Element, Tensor};
use ndarray::{ArrayD, Axis};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::cmp::Ordering;

/// The elements of each line along an axis in order, or their places in the line.
///
/// Equal elements keep their order, each with a derivative of its own. NaN counts as larger than all numbers, so that it
/// comes last in a rising order and first in a falling one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    /// The axis.
    pub axis: usize,
    /// The largest first.
    pub descending: bool,
    /// The places, else the elements.
    pub places: bool,
}

fn compared<T: PartialOrd>(a: &T, b: &T) -> Ordering {
    let undefined = |v: &T| v.partial_cmp(v).is_none();
    a.partial_cmp(b).unwrap_or_else(|| undefined(a).cmp(&undefined(b)))
}

impl Sort {
    /// The elements in order, and their places.
    pub fn ordered<T: Copy + PartialOrd>(&self, x: ArrayD<T>) -> (ArrayD<T>, ArrayD<i64>) {
        let (mut values, mut places) = (x.clone(), ArrayD::<i64>::zeros(x.raw_dim()));
        let axis = Axis(self.axis);
        let lines = values.lanes_mut(axis).into_iter().zip(places.lanes_mut(axis));
        for ((mut values, mut places), line) in lines.zip(x.lanes(axis)) {
            let mut order: Vec<usize> = (0..line.len()).collect();
            order.sort_by(|&a, &b| {
                let order = compared(&line[a], &line[b]);
                if self.descending { order.reverse() } else { order }
            });
            for (number, place) in order.into_iter().enumerate() {
                (values[number], places[number]) = (line[place], place as i64);
            }
        }
        (values, places)
    }
}

impl Operator for Sort {
    fn name(&self) -> Cow<'static, str> {
        if self.places { "argsort".into() } else { "sort".into() }
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        let x = &operands[0];
        if x.dtype == DType::Bool {
            let message = format!("`{}` takes numbers; this is bool", self.name());
            return Err(Misfit::dtype(message).at(0, None));
        }
        Ok(if self.places { x.with_dtype(DType::I64) } else { x.clone() })
    }

    fn value(
        &self,
        x: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element + PartialOrd>(sort: &Sort, x: &Array<T>) -> Tensor {
            let (values, places) = sort.ordered(x.to_owned());
            if sort.places { places.into() } else { T::wrap(values.into_shared()) }
        }
        Ok(each_dtype!(&x[0], a => go(self, a)))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        if self.places || !rule.result.dtype.is_float() {
            return vec![None];
        }
        let places = apply(Sort { places: true, ..self.clone() }, vec![rule.x(0)]);
        let size = &rule.operands[0].shape[self.axis];
        vec![Some(put_along(self.axis, size, places, rule.dy()))]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        apply(Sort { axis: self.axis + 1, ..self.clone() }, vec![Term::Var(0)])
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        let form = Form::call(&self.name(), 1).along([operands[0].axis_label(self.axis)]);
        if self.descending { form.with("descending = true") } else { form }
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}

/// The `count` largest along an axis, falling, and their places.
pub fn largest(
    x: Term,
    ty: &Type,
    axis: usize,
    count: &Size,
    dims: &Dims,
) -> Result<Vec<Term>, Misfit> {
    let size = &ty.shape[axis];
    let over = dims.resolve(&(count.clone() - size.clone())).known().is_some_and(|over| over > 0);
    if over || count.known().is_some_and(|count| count < 0) {
        let message = format!("`topk` takes {count} of an axis of size {size}");
        return Err(Misfit::call(message).at(0, axis));
    }
    let places = apply(Sort { axis, descending: true, places: true }, vec![x.clone()]);
    let mut cuts: SmallVec<[Cut; 1]> = ty.shape.iter().map(Cut::all).collect();
    cuts[axis] = Cut::Range { start: Size::Known(0), size: count.clone(), step: 1 };
    let places = apply(Slice { cuts }, vec![places]);
    Ok(vec![take_along(axis, x, places.clone()), places])
}
