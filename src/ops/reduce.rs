//! Operators that work along axes: reductions, softmax, running sums and products.

use super::running::shifted;
pub use super::running::{Cumulate, Running};
use super::shape::Permute;
use super::term::{apply, fold, permute, reshape, select, spread, sum};
use super::{
    Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Scalar, Size, Term, Type, ValueError,
    elements,
};
use crate::tensor::{Array, DType, Element, Tensor};
use ndarray::{ArrayD, IxDyn};
use smallvec::SmallVec;
use std::borrow::Cow;

/// How a line of numbers becomes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fold {
    /// The sum; of truth values their count.
    Sum,
    /// The sum over the number of elements.
    Mean,
    /// The product.
    Prod,
    /// The largest; ties share the derivative. NaN where one is NaN.
    Max,
    /// The smallest; ties share the derivative. NaN where one is NaN.
    Min,
    /// Whether one holds.
    Any,
    /// Whether all hold.
    All,
    /// `ln Σ eˣ`, computed without overflow.
    Logsumexp,
}

impl Fold {
    /// All kinds with their names.
    pub const NAMES: &[(&str, Fold)] = &[
        ("sum", Fold::Sum),
        ("mean", Fold::Mean),
        ("prod", Fold::Prod),
        ("max", Fold::Max),
        ("min", Fold::Min),
        ("any", Fold::Any),
        ("all", Fold::All),
        ("logsumexp", Fold::Logsumexp),
    ];

    fn word(self) -> &'static str {
        Fold::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// A number for each line along axes, which go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reduce {
    /// What becomes of a line.
    pub kind: Fold,
    /// The axes, in order.
    pub axes: SmallVec<[usize; 4]>,
}

fn without<'a>(shape: &'a [Size], axes: &'a [usize]) -> impl Iterator<Item = Size> + 'a {
    shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, size)| size.clone())
}

/// The lines along `axes`, one after the other, in rows.
fn lines<T: Element>(x: &Array<T>, axes: &[usize]) -> (Vec<T>, usize) {
    let order: Vec<usize> =
        (0..x.ndim()).filter(|axis| !axes.contains(axis)).chain(axes.iter().copied()).collect();
    let width = axes.iter().map(|&axis| x.shape()[axis]).product();
    (x.view().permuted_axes(IxDyn(&order)).iter().copied().collect(), width)
}

fn rows<T: Element, R: Element>(
    x: &Tensor,
    axes: &[usize],
    to: &[usize],
    f: impl Fn(&[T]) -> R,
) -> Tensor {
    let (values, width) = lines(T::of(x), axes);
    let count = to.iter().product();
    let results: Vec<R> =
        (0..count).map(|row| f(&values[row * width..(row + 1) * width])).collect();
    R::wrap(
        ArrayD::from_shape_vec(IxDyn(to), results).expect("a result for each line").into_shared(),
    )
}

/// Kahan's sum in f64, for both float types.
fn total(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0, 0.0);
    for value in values {
        let next: f64 = sum + value;
        if next.is_finite() {
            lost += if f64::abs(sum) >= value.abs() {
                (sum - next) + value
            } else {
                (value - next) + sum
            };
        }
        sum = next;
    }
    sum + lost
}

fn extreme<T: Copy + PartialOrd>(row: &[T], above: impl Fn(T, T) -> bool) -> Option<usize> {
    let mut best = 0;
    row.first()?;
    for (place, &value) in row.iter().enumerate() {
        let undefined = |v: T| v.partial_cmp(&v).is_none();
        if undefined(row[best]) {
            break;
        }
        if undefined(value) || above(value, row[best]) {
            best = place;
        }
    }
    Some(best)
}

macro_rules! floats {
    ($type:ident, $kind:expr, $x:expr, $axes:expr, $to:expr) => {
        rows($x, $axes, $to, |row: &[$type]| -> $type {
            let all = || row.iter().map(|&v| f64::from(v));
            match $kind {
                Fold::Sum => total(all()) as $type,
                Fold::Mean => (total(all()) / row.len() as f64) as $type,
                Fold::Prod => row.iter().product(),
                Fold::Max => {
                    extreme(row, |a, b| a > b).map_or($type::NEG_INFINITY, |place| row[place])
                }
                Fold::Min => extreme(row, |a, b| a < b).map_or($type::INFINITY, |place| row[place]),
                Fold::Logsumexp => {
                    let high =
                        extreme(row, |a, b| a > b).map_or($type::NEG_INFINITY, |place| row[place]);
                    if high.is_infinite() {
                        high
                    } else {
                        (f64::from(high) + total(all().map(|v| (v - f64::from(high)).exp())).ln())
                            as $type
                    }
                }
                Fold::Any | Fold::All => unreachable!("of truth values only"),
            }
        })
    };
}

macro_rules! ints {
    ($type:ident, $kind:expr, $x:expr, $axes:expr, $to:expr) => {
        rows($x, $axes, $to, |row: &[$type]| -> $type {
            match $kind {
                Fold::Sum => row.iter().fold(0, |a, &b| a.wrapping_add(b)),
                Fold::Prod => row.iter().fold(1, |a, &b| a.wrapping_mul(b)),
                Fold::Max => row.iter().copied().max().unwrap_or($type::MIN),
                Fold::Min => row.iter().copied().min().unwrap_or($type::MAX),
                _ => unreachable!("of floats or truth values only"),
            }
        })
    };
}

impl Operator for Reduce {
    fn name(&self) -> Cow<'static, str> {
        self.kind.word().into()
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        let x = &operands[0];
        let dtype = match (self.kind, x.dtype) {
            (Fold::Any | Fold::All, DType::Bool) => DType::Bool,
            (Fold::Sum, DType::Bool) => DType::I64,
            (Fold::Mean | Fold::Logsumexp, dtype) if dtype.is_float() => dtype,
            (Fold::Sum | Fold::Prod | Fold::Max | Fold::Min, dtype) if dtype != DType::Bool => {
                dtype
            }
            (kind, dtype) => {
                let wanted = match kind {
                    Fold::Any | Fold::All => "truth values",
                    Fold::Mean | Fold::Logsumexp => "floats",
                    _ => "numbers",
                };
                let message = format!("`{}` takes {wanted}; this is {dtype}", kind.word());
                return Err(Misfit::dtype(message).at(0, None));
            }
        };
        Ok(Type::new(dtype, without(&x.shape, &self.axes)))
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        let (x, kind, axes) = (&x[0], self.kind, &self.axes[..]);
        Ok(match x.dtype() {
            DType::F32 => floats!(f32, kind, x, axes, to),
            DType::F64 => floats!(f64, kind, x, axes, to),
            DType::I32 => ints!(i32, kind, x, axes, to),
            DType::I64 => ints!(i64, kind, x, axes, to),
            DType::Bool if kind == Fold::Sum => {
                rows(x, axes, to, |row: &[bool]| row.iter().filter(|v| **v).count() as i64)
            }
            DType::Bool if kind == Fold::Any => {
                rows(x, axes, to, |row: &[bool]| row.iter().any(|v| *v))
            }
            DType::Bool => rows(x, axes, to, |row: &[bool]| row.iter().all(|v| *v)),
        })
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        if !rule.result.dtype.is_float() {
            return vec![None];
        }
        let shape = &rule.operands[0].shape;
        let back = |term: Term| spread(term, shape, &self.axes);
        let count: Vec<Size> = self.axes.iter().map(|&axis| shape[axis].clone()).collect();
        vec![Some(match self.kind {
            Fold::Sum => back(rule.dy()),
            Fold::Mean => back(rule.dy() / Term::Size(elements(&count))),
            Fold::Logsumexp => {
                back(rule.dy()) * apply(Softmax { axes: self.axes.clone() }, vec![rule.x(0)])
            }
            Fold::Max | Fold::Min => {
                let chosen = apply(Scalar::Eq, vec![rule.x(0), back(rule.y())]);
                let ties = sum(&self.axes, select(chosen.clone(), 1, 0));
                select(chosen, back(rule.dy() / ties), 0)
            }
            Fold::Prod => product_rule(rule, &self.axes),
            Fold::Any | Fold::All => return vec![None],
        })]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        let axes: Vec<usize> = self.axes.iter().map(|axis| axis + 1).collect();
        fold(self.kind, &axes, Term::Var(0))
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        let x = &operands[0];
        let call = Form::call(self.kind.word(), 1);
        let named = x.rank() == 1 && x.shape[0].name().is_some();
        if self.axes.len() == x.rank() && !named {
            return call;
        }
        call.along(self.axes.iter().map(|&axis| x.axis_label(axis)))
    }

    fn is_linear(&self) -> bool {
        matches!(self.kind, Fold::Sum | Fold::Mean)
    }

    fn flops(&self, operands: &[Type], _result: &Type) -> Size {
        elements(&operands[0].shape)
    }
}

/// The adjoint of a product: dy times the product of all others, exact where there are zeros.
fn product_rule(rule: &Rule, axes: &[usize]) -> Term {
    let shape = &rule.operands[0].shape;
    let order: Vec<usize> =
        (0..shape.len()).filter(|a| !axes.contains(a)).chain(axes.iter().copied()).collect();
    let inverse = Permute { order: order.as_slice().into() }.inverse();
    let count: Vec<Size> = axes.iter().map(|&axis| shape[axis].clone()).collect();
    let flat: Vec<Size> = without(shape, axes).chain([elements(&count)]).collect();
    let ordered: Vec<Size> = order.iter().map(|&axis| shape[axis].clone()).collect();
    let last = flat.len() - 1;
    let x = reshape(permute(rule.x(0), &order), &flat);
    let running = |reverse| Cumulate { kind: Running::Prod, axis: last, reverse };
    let before = shifted(apply(running(false), vec![x.clone()]), &flat, last, false, 1);
    let behind = shifted(apply(running(true), vec![x]), &flat, last, true, 1);
    let others = permute(reshape(before * behind, &ordered), &inverse);
    spread(rule.dy(), shape, axes) * others
}

/// The place of the extreme of each line: the first where several are, the first NaN where there is one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArgReduce {
    /// The largest, else the smallest.
    pub max: bool,
    /// The axis, which goes.
    pub axis: usize,
}

impl Operator for ArgReduce {
    fn name(&self) -> Cow<'static, str> {
        if self.max { "argmax".into() } else { "argmin".into() }
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        if operands[0].dtype == DType::Bool {
            return Err(
                Misfit::dtype(format!("`{}` takes numbers; this is bool", self.name())).at(0, None)
            );
        }
        Ok(Type::new(DType::I64, without(&operands[0].shape, &[self.axis])))
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        if x[0].shape()[self.axis] == 0 {
            return Err(ValueError::Shape(format!("`{}` of an axis of size 0", self.name())));
        }
        fn go<T: Element + PartialOrd>(x: &Tensor, axis: usize, to: &[usize], max: bool) -> Tensor {
            rows(x, &[axis], to, |row: &[T]| {
                extreme(row, |a, b| if max { a > b } else { a < b }).expect("the line is not empty")
                    as i64
            })
        }
        let (axis, max) = (self.axis, self.max);
        Ok(match x[0].dtype() {
            DType::F32 => go::<f32>(&x[0], axis, to, max),
            DType::F64 => go::<f64>(&x[0], axis, to, max),
            DType::I32 => go::<i32>(&x[0], axis, to, max),
            DType::I64 => go::<i64>(&x[0], axis, to, max),
            DType::Bool => go::<bool>(&x[0], axis, to, max),
        })
    }

    fn vjp(&self, _rule: &Rule) -> Vec<Option<Term>> {
        vec![None]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        apply(ArgReduce { max: self.max, axis: self.axis + 1 }, vec![Term::Var(0)])
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        Form::call(&self.name(), 1).along([operands[0].axis_label(self.axis)])
    }
}

/// `eˣ` over its sum along axes, computed without overflow.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Softmax {
    /// The axes.
    pub axes: SmallVec<[usize; 4]>,
}

impl Operator for Softmax {
    fn name(&self) -> Cow<'static, str> {
        "softmax".into()
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        if !operands[0].dtype.is_float() {
            return Err(Misfit::dtype(format!(
                "`softmax` takes floats; this is {}",
                operands[0].dtype
            ))
            .at(0, None));
        }
        Ok(operands[0].clone())
    }

    fn value(
        &self,
        x: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        macro_rules! go {
            ($type:ident) => {{
                let order: Vec<usize> = (0..x[0].shape().len())
                    .filter(|a| !self.axes.contains(a))
                    .chain(self.axes.iter().copied())
                    .collect();
                let (mut values, width) = lines(<$type>::of(&x[0]), &self.axes);
                for row in values.chunks_mut(width.max(1)) {
                    let high = extreme(row, |a, b| a > b).map_or(0.0, |place| row[place]);
                    let sum = total(row.iter().map(|&v| f64::from(v - high).exp())) as $type;
                    for value in row {
                        *value = (*value - high).exp() / sum;
                    }
                }
                let shape: Vec<usize> = order.iter().map(|&axis| x[0].shape()[axis]).collect();
                let sorted =
                    ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many as before");
                let inverse = Permute { order: order.as_slice().into() }.inverse();
                sorted.permuted_axes(IxDyn(&inverse)).as_standard_layout().into_owned().into()
            }};
        }
        Ok(if x[0].dtype() == DType::F32 { go!(f32) } else { go!(f64) })
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let inner = sum(&self.axes, rule.dy() * rule.y());
        vec![Some(rule.y() * (rule.dy() - spread(inner, &rule.result.shape, &self.axes)))]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        apply(Softmax { axes: self.axes.iter().map(|axis| axis + 1).collect() }, vec![Term::Var(0)])
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        let labels = self.axes.iter().map(|&axis| operands[0].axis_label(axis));
        if operands[0].rank() == 1 && operands[0].shape[0].name().is_none() {
            return Form::call("softmax", 1);
        }
        Form::call("softmax", 1).along(labels)
    }

    fn flops(&self, _operands: &[Type], result: &Type) -> Size {
        Size::Known(3) * elements(&result.shape)
    }
}
