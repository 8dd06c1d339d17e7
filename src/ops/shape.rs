//! Operators that move elements without changing them.

use super::align::Map;
pub use super::join::{Concat, Stack};
pub use super::slice::{Cut, Pad, Slice};
use super::term::{apply, permute, reshape, spread, sum};
use super::{
    Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Shape, Size, Term, Type, ValueError,
    elements, join,
};
use crate::each_dtype;
use crate::tensor::{Array, Element, Tensor};
use ndarray::{Axis, IxDyn};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The operand laid into a larger shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broadcast {
    /// The shape of the result.
    pub to: Shape,
    /// For each axis of the result the operand's axis that lies there.
    pub from: Map,
}

impl Broadcast {
    /// The axes of the result along which values repeat, and those among them that the operand has with size 1.
    pub fn repeated(&self, operand: &Type) -> (Vec<usize>, Vec<usize>) {
        let mut ones = Vec::new();
        let axes = (0..self.to.len())
            .filter(|&axis| match self.from[axis] {
                None => true,
                Some(from) if operand.shape[from as usize].is_one() && !self.to[axis].is_one() => {
                    ones.push(from as usize);
                    true
                }
                Some(_) => false,
            })
            .collect();
        (axes, ones)
    }
}

impl Operator for Broadcast {
    fn name(&self) -> Cow<'static, str> {
        "broadcast".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        let shape = &operands[0].shape;
        let all_there = (0..shape.len())
            .all(|axis| self.from.iter().flatten().filter(|f| **f as usize == axis).count() == 1);
        let fits = self.from.iter().zip(&self.to).all(|(from, to)| {
            from.is_none_or(|from| {
                shape.get(from as usize).is_some_and(|s| s.is_one() || dims.agree(s, to).is_some())
            })
        });
        if self.from.len() != self.to.len() || !all_there || !fits {
            let to = operands[0].with_shape(self.to.clone());
            return Err(
                Misfit::shape(format!("cannot broadcast {} to {to}", operands[0])).at(0, None)
            );
        }
        Ok(operands[0].with_shape(self.to.clone()))
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element>(x: &Array<T>, from: &Map, to: &[usize]) -> Option<Tensor> {
            let shape: Vec<usize> =
                from.iter().map(|f| f.map_or(1, |axis| x.shape()[axis as usize])).collect();
            let laid = x.to_shape(IxDyn(&shape)).ok()?;
            Some(T::wrap(laid.broadcast(IxDyn(to))?.to_owned().into_shared()))
        }
        each_dtype!(&x[0], a => go(a, &self.from, to)).ok_or_else(|| {
            ValueError::Shape(format!("cannot broadcast {:?} to {to:?}", x[0].shape()))
        })
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let (axes, ones) = self.repeated(&rule.operands[0]);
        let summed = sum(&axes, rule.dy());
        vec![Some(if ones.is_empty() {
            summed
        } else {
            spread(summed, &rule.operands[0].shape, &ones)
        })]
    }

    fn batch(&self, batching: &Batching) -> Term {
        let to = std::iter::once(batching.size.clone()).chain(self.to.clone()).collect();
        let from = std::iter::once(Some(0))
            .chain(self.from.iter().map(|f| f.map(|axis| axis + 1)))
            .collect();
        apply(Broadcast { to, from }, vec![Term::Var(0)])
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::Broadcast
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}

/// The same elements, row after row, in another shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reshape {
    /// The shape of the result.
    pub to: Shape,
}

impl Operator for Reshape {
    fn name(&self) -> Cow<'static, str> {
        "reshape".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        let to = operands[0].with_shape(self.to.clone());
        let (from, count) = (elements(&operands[0].shape), elements(&self.to));
        if !dims.equal(&from, &count) {
            let message =
                format!("cannot reshape {} to {to}: {from} and {count} elements", operands[0]);
            let help = match from.exact_div(&count) {
                Some(rest) => format!("add an axis of size {rest}: [{rest}, {}]", join(&self.to)),
                None => format!("choose sizes whose product is {from}"),
            };
            return Err(Misfit { code: "E0203", ..Misfit::shape(message) }.at(0, None).help(help));
        }
        Ok(to)
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Ok(x[0].reshape(to))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        vec![Some(reshape(rule.dy(), &rule.operands[0].shape))]
    }

    fn batch(&self, batching: &Batching) -> Term {
        let to: Vec<Size> = std::iter::once(batching.size.clone()).chain(self.to.clone()).collect();
        reshape(Term::Var(0), &to)
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::call("reshape", 1).with(format!("[{}]", join(&self.to)))
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}

/// The axes in another order: axis i of the result is axis `order[i]` of the operand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Permute {
    /// The operand's axes in the order of the result.
    pub order: SmallVec<[usize; 4]>,
}

impl Permute {
    /// Whether just the last two axes are swapped.
    pub fn is_transpose(&self) -> bool {
        let rank = self.order.len();
        rank >= 2
            && self.order[rank - 2..] == [rank - 1, rank - 2]
            && self.order[..rank - 2].iter().enumerate().all(|(place, &axis)| place == axis)
    }

    /// The order that undoes this one.
    pub fn inverse(&self) -> Vec<usize> {
        let mut inverse = vec![0; self.order.len()];
        for (place, &axis) in self.order.iter().enumerate() {
            inverse[axis] = place;
        }
        inverse
    }
}

impl Operator for Permute {
    fn name(&self) -> Cow<'static, str> {
        if self.is_transpose() { "transpose".into() } else { "permute".into() }
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        let mut sorted = self.order.clone();
        sorted.sort_unstable();
        if sorted.iter().copied().ne(0..operands[0].rank()) {
            let message = format!(
                "{} has the axes 0 to {}",
                operands[0],
                operands[0].rank().saturating_sub(1)
            );
            return Err(Misfit::call(message).at(0, None).help("name each axis once"));
        }
        Ok(operands[0].with_shape(self.order.iter().map(|&axis| operands[0].shape[axis].clone())))
    }

    fn value(
        &self,
        x: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element>(x: &Array<T>, order: &[usize]) -> Tensor {
            T::wrap(
                x.view()
                    .permuted_axes(IxDyn(order))
                    .as_standard_layout()
                    .into_owned()
                    .into_shared(),
            )
        }
        Ok(each_dtype!(&x[0], a => go(a, &self.order)))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        vec![Some(permute(rule.dy(), &self.inverse()))]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        let order: Vec<usize> =
            std::iter::once(0).chain(self.order.iter().map(|axis| axis + 1)).collect();
        permute(Term::Var(0), &order)
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        if self.is_transpose() {
            Form::Postfix("'".into())
        } else {
            Form::call("permute", 1).with(format!("[{}]", join(&self.order)))
        }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}

/// The other way round along axes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flip {
    /// The axes.
    pub axes: SmallVec<[usize; 4]>,
}

impl Operator for Flip {
    fn name(&self) -> Cow<'static, str> {
        "flip".into()
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        Ok(operands[0].clone())
    }

    fn value(
        &self,
        x: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element>(x: &Array<T>, axes: &[usize]) -> Tensor {
            let mut view = x.view();
            for &axis in axes {
                view.invert_axis(Axis(axis));
            }
            T::wrap(view.as_standard_layout().into_owned().into_shared())
        }
        Ok(each_dtype!(&x[0], a => go(a, &self.axes)))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        vec![Some(apply(self.clone(), vec![rule.dy()]))]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        apply(Flip { axes: self.axes.iter().map(|axis| axis + 1).collect() }, vec![Term::Var(0)])
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        Form::call("flip", 1).along(self.axes.iter().map(|&axis| operands[0].axis_label(axis)))
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}
