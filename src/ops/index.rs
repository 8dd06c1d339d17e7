//! Operators that find elements by number.

pub use super::diagonal::{Diag, Triangle};
use super::term::{apply, put_along, scatter_add, spread, take_along};
use super::{Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Size, Term, Type, ValueError};
use crate::each_dtype;
use crate::tensor::{Array, DType, Element, Tensor};
use ndarray::{ArrayD, Axis, Dimension, IxDyn};
use std::borrow::Cow;
use std::ops::AddAssign;

/// Indices as places in an axis of size `size`; negative ones count from the end.
fn places(indices: &Tensor, size: usize) -> Result<Vec<usize>, ValueError> {
    let raw: Vec<i64> = match indices {
        Tensor::I32(a) => a.iter().map(|&v| i64::from(v)).collect(),
        Tensor::I64(a) => a.iter().copied().collect(),
        other => other.to_f64().iter().map(|&v| v as i64).collect(),
    };
    raw.into_iter()
        .map(|index| {
            let place = if index < 0 { index + size as i64 } else { index };
            usize::try_from(place)
                .ok()
                .filter(|&p| p < size)
                .ok_or(ValueError::IndexOutOfRange { index, size })
        })
        .collect()
}

fn integers(name: &str, operands: &[Type], i: usize) -> Result<(), Misfit> {
    if operands[i].dtype.is_int() {
        return Ok(());
    }
    let message = format!("`{name}` finds by integers; this is {}", operands[i].dtype);
    Err(Misfit::dtype(message).at(i, None).help("cast it, as in `i64(x)`"))
}

fn zeros(shape: &[Size]) -> Term {
    spread(0.into(), shape, &(0..shape.len()).collect::<Vec<_>>())
}

/// The slices of the first operand at the numbers of the second: `x[i]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gather {
    /// The axis that is indexed; the axes of the indices take its place.
    pub axis: usize,
}

impl Operator for Gather {
    fn name(&self) -> Cow<'static, str> {
        "gather".into()
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        integers("gather", operands, 1)?;
        if self.axis >= operands[0].rank() {
            let message = format!("`gather` takes slices of an array; this is {}", operands[0]);
            return Err(Misfit::rank(message).at(0, None).help("index something that has an axis"));
        }
        let mut shape = operands[0].shape.clone();
        shape.remove(self.axis);
        shape.insert_many(self.axis, operands[1].shape.iter().cloned());
        Ok(operands[0].with_shape(shape))
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        let places = places(&x[1], x[0].shape()[self.axis])?;
        fn go<T: Element>(x: &Array<T>, axis: usize, places: &[usize], to: &[usize]) -> Tensor {
            let slices = x.select(Axis(axis), places);
            let values: Vec<T> = slices.iter().copied().collect();
            T::wrap(
                ArrayD::from_shape_vec(IxDyn(to), values)
                    .expect("a slice for each index")
                    .into_shared(),
            )
        }
        Ok(each_dtype!(&x[0], a => go(a, self.axis, &places, to)))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let dx = scatter_add(self.axis, zeros(&rule.operands[0].shape), rule.x(1), rule.dy());
        vec![rule.result.dtype.is_float().then_some(dx), None]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        apply(Gather { axis: self.axis + 1 }, vec![Term::Var(0), Term::Var(1)])
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::Index(self.axis)
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}

/// The first operand with the slices of the third added at the numbers of the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScatterAdd {
    /// The axis that is indexed.
    pub axis: usize,
}

impl ScatterAdd {
    /// `into` with slices added at their numbers.
    pub fn added<T: Clone + AddAssign>(
        &self,
        mut into: ArrayD<T>,
        numbers: &Tensor,
        slices: ArrayD<T>,
    ) -> Result<ArrayD<T>, ValueError> {
        let places = places(numbers, into.shape()[self.axis])?;
        let mut shape = into.shape().to_vec();
        shape[self.axis] = places.len();
        let slices = slices.to_shape(IxDyn(&shape)).expect("a slice for each index");
        for (number, &place) in places.iter().enumerate() {
            let mut target = into.index_axis_mut(Axis(self.axis), place);
            target += &slices.index_axis(Axis(self.axis), number);
        }
        Ok(into)
    }
}

impl Operator for ScatterAdd {
    fn name(&self) -> Cow<'static, str> {
        "scatter_add".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        integers("scatter_add", operands, 1)?;
        let slices = Gather { axis: self.axis }.infer(&operands[..2], dims)?;
        let fits = slices.rank() == operands[2].rank()
            && slices.shape.iter().zip(&operands[2].shape).all(|(a, b)| dims.agree(a, b).is_some());
        if !fits || slices.dtype != operands[2].dtype {
            let message = format!("`scatter_add` adds slices {slices}; these are {}", operands[2]);
            return Err(Misfit::shape(message).at(0, None).at(2, None));
        }
        Ok(operands[0].clone())
    }

    fn value(
        &self,
        x: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element + AddAssign>(op: &ScatterAdd, x: &[Tensor]) -> Result<Tensor, ValueError> {
            let sum = op.added(T::of(&x[0]).to_owned(), &x[1], T::of(&x[2]).to_owned())?;
            Ok(T::wrap(sum.into_shared()))
        }
        match x[0].dtype() {
            DType::F32 => go::<f32>(self, x),
            DType::F64 => go::<f64>(self, x),
            DType::I32 => go::<i32>(self, x),
            DType::I64 => go::<i64>(self, x),
            DType::Bool => Err(ValueError::Shape("`scatter_add` takes numbers".into())),
        }
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let flows = rule.result.dtype.is_float();
        let values = apply(Gather { axis: self.axis }, vec![rule.dy(), rule.x(1)]);
        vec![flows.then(|| rule.dy()), None, flows.then_some(values)]
    }

    fn batch(&self, batching: &Batching) -> Term {
        scatter_add(self.axis + 1, batching.lifted(0), Term::Var(1), batching.lifted(2))
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        Form::call("scatter_add", 3).along([operands[0].axis_label(self.axis)])
    }

    fn is_linear(&self) -> bool {
        false
    }
}

/// One element of each line for each index: of the operand's rank the indices replace the axis, with one axis less it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TakeAlong {
    /// The axis that is indexed.
    pub axis: usize,
}

impl Operator for TakeAlong {
    fn name(&self) -> Cow<'static, str> {
        "take_along".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        integers("take_along", operands, 1)?;
        let (x, i) = (&operands[0], &operands[1]);
        let mut others = x.shape.clone();
        others.remove(self.axis);
        let mut indices = i.shape.clone();
        if i.rank() == x.rank() {
            indices.remove(self.axis);
        }
        let fits = others.len() == indices.len()
            && others.iter().zip(&indices).all(|(a, b)| dims.agree(a, b).is_some());
        if !fits {
            let message = format!("`take_along` of {x} by {i}: the other axes differ");
            return Err(Misfit::shape(message).at(0, None).at(1, None));
        }
        Ok(x.with_shape(i.shape.clone()))
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        let mut shape = to.to_vec();
        if to.len() < x[0].shape().len() {
            shape.insert(self.axis, 1);
        }
        let places = places(&x[1], x[0].shape()[self.axis])?;
        let places = ArrayD::from_shape_vec(IxDyn(&shape), places).expect("as many as indices");
        fn go<T: Element>(x: &Array<T>, axis: usize, places: &ArrayD<usize>) -> Tensor {
            let mut at = vec![0; x.ndim()];
            let picked = places.indexed_iter().map(|(index, &place)| {
                at.copy_from_slice(index.slice());
                at[axis] = place;
                x[&at[..]]
            });
            let values: Vec<T> = picked.collect();
            T::wrap(
                ArrayD::from_shape_vec(places.raw_dim(), values)
                    .expect("as many as indices")
                    .into_shared(),
            )
        }
        Ok(each_dtype!(&x[0], a => go(a, self.axis, &places)).reshape(to))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let (x, i) = (&rule.operands[0], &rule.operands[1]);
        let dx = if i.rank() == x.rank() {
            put_along(self.axis, &x.shape[self.axis], rule.x(1), rule.dy())
        } else {
            let ones = OneHot { dtype: x.dtype, size: x.shape[self.axis].clone(), axis: self.axis };
            apply(ones, vec![rule.x(1)]) * spread(rule.dy(), &x.shape, &[self.axis])
        };
        vec![x.dtype.is_float().then_some(dx), None]
    }

    fn batch(&self, batching: &Batching) -> Term {
        take_along(self.axis + 1, batching.lifted(0), batching.lifted(1))
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        Form::call("take_along", 2).along([operands[0].axis_label(self.axis)])
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}

/// Zeros with the second operand added along an axis at the numbers of the first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PutAlong {
    /// The axis that is indexed.
    pub axis: usize,
    /// Its size in the result.
    pub size: Size,
}

impl PutAlong {
    /// `into` with elements added at their numbers.
    pub fn put<T: Copy + AddAssign>(
        &self,
        mut into: ArrayD<T>,
        numbers: &Tensor,
        elements: &ArrayD<T>,
    ) -> Result<ArrayD<T>, ValueError> {
        let places = places(numbers, into.shape()[self.axis])?;
        for ((index, &element), &place) in elements.indexed_iter().zip(&places) {
            let mut at: Vec<usize> = index.slice().to_vec();
            at[self.axis] = place;
            into[&at[..]] += element;
        }
        Ok(into)
    }
}

impl Operator for PutAlong {
    fn name(&self) -> Cow<'static, str> {
        "put_along".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        integers("put_along", operands, 0)?;
        let (i, v) = (&operands[0], &operands[1]);
        let fits = i.rank() == v.rank()
            && i.shape.iter().zip(&v.shape).all(|(a, b)| dims.agree(a, b).is_some());
        if !fits {
            return Err(Misfit::shape(format!("`put_along` of {v} by {i}: shapes differ"))
                .at(0, None)
                .at(1, None));
        }
        let mut shape = v.shape.clone();
        shape[self.axis] = self.size.clone();
        Ok(v.with_shape(shape))
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element + Default + AddAssign>(
            op: &PutAlong,
            x: &[Tensor],
            to: &[usize],
        ) -> Result<Tensor, ValueError> {
            let zeros = ArrayD::from_elem(IxDyn(to), T::default());
            Ok(T::wrap(op.put(zeros, &x[0], &T::of(&x[1]).to_owned())?.into_shared()))
        }
        match x[1].dtype() {
            DType::F32 => go::<f32>(self, x, to),
            DType::F64 => go::<f64>(self, x, to),
            DType::I32 => go::<i32>(self, x, to),
            DType::I64 => go::<i64>(self, x, to),
            DType::Bool => Err(ValueError::Shape("`put_along` takes numbers".into())),
        }
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        vec![
            None,
            rule.result.dtype.is_float().then(|| take_along(self.axis, rule.dy(), rule.x(0))),
        ]
    }

    fn batch(&self, batching: &Batching) -> Term {
        put_along(self.axis + 1, &self.size, batching.lifted(0), batching.lifted(1))
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        Form::call("put_along", 2)
            .along([operands[1].axis_label(self.axis)])
            .with(self.size.to_string())
    }

    fn is_linear(&self) -> bool {
        true
    }
}

/// A new axis that is 1 at the operand's number and 0 elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OneHot {
    /// The element type of the result.
    pub dtype: DType,
    /// The size of the new axis.
    pub size: Size,
    /// The place of the new axis.
    pub axis: usize,
}

impl Operator for OneHot {
    fn name(&self) -> Cow<'static, str> {
        "one_hot".into()
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        integers("one_hot", operands, 0)?;
        let mut shape = operands[0].shape.clone();
        shape.insert(self.axis, self.size.clone());
        Ok(Type { dtype: self.dtype, shape })
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        let places = places(&x[0], to[self.axis])?;
        let inner: usize = to[self.axis + 1..].iter().product();
        let mut values = vec![0.0; to.iter().product()];
        for (number, place) in places.into_iter().enumerate() {
            values[(number / inner * to[self.axis] + place) * inner + number % inner] = 1.0;
        }
        Ok(Tensor::from_f64(self.dtype, to, values))
    }

    fn vjp(&self, _rule: &Rule) -> Vec<Option<Term>> {
        vec![None]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        apply(OneHot { axis: self.axis + 1, ..self.clone() }, vec![Term::Var(0)])
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        let form = Form::call("one_hot", 1).with(self.size.to_string());
        if self.axis == operands[0].rank() { form } else { form.along([self.axis.to_string()]) }
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}
