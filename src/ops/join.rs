//! Operators that lay arrays side by side.

use super::slice::{Cut, Slice};
use super::term::apply;
use super::{Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Size, Term, Type, ValueError};
use crate::each_dtype;
use crate::tensor::{Array, Element, Tensor};
use ndarray::Axis;
use smallvec::SmallVec;
use std::borrow::Cow;

/// One behind the other along an axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Concat {
    /// The axis.
    pub axis: usize,
}

/// What operands of `verb` must have in common: element type, rank, and every axis but `except`.
fn alike(verb: &str, operands: &[Type], except: Option<usize>, dims: &Dims) -> Result<(), Misfit> {
    for (i, operand) in operands.iter().enumerate().skip(1) {
        let first = &operands[0];
        if first.dtype != operand.dtype {
            let message = format!("cannot {verb} {first} and {operand}: element types differ");
            return Err(Misfit::dtype(message)
                .at(0, None)
                .at(i, None)
                .help("cast one side, as in `f32(x)`"));
        }
        if first.rank() != operand.rank() {
            return Err(Misfit::rank(format!("cannot {verb} {first} and {operand}: ranks differ"))
                .at(0, None)
                .at(i, None));
        }
        for axis in (0..first.rank()).filter(|&axis| Some(axis) != except) {
            if dims.agree(&first.shape[axis], &operand.shape[axis]).is_none() {
                let message = format!("cannot {verb} {first} and {operand}: axis {axis} differs");
                let help = format!("`{verb}` values of one size along every other axis");
                return Err(Misfit::shape(message).at(0, axis).at(i, axis).help(help));
            }
        }
    }
    Ok(())
}

impl Operator for Concat {
    fn name(&self) -> Cow<'static, str> {
        "concat".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        alike("concat", operands, Some(self.axis), dims)?;
        let mut shape = operands[0].shape.clone();
        let total =
            operands.iter().map(|operand| operand.shape[self.axis].clone()).reduce(|a, b| a + b);
        shape[self.axis] = dims.rename(total.expect("at least one operand"));
        Ok(operands[0].with_shape(shape))
    }

    fn value(
        &self,
        x: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element>(x: &[Tensor], axis: usize) -> Tensor {
            let views: Vec<_> = x.iter().map(|t| T::of(t).view()).collect();
            let joined =
                ndarray::concatenate(Axis(axis), &views).expect("shapes agree but for the axis");
            T::wrap(joined.as_standard_layout().into_owned().into_shared())
        }
        fn typed<T: Element>(_: &Array<T>, x: &[Tensor], axis: usize) -> Tensor {
            go::<T>(x, axis)
        }
        Ok(each_dtype!(&x[0], a => typed(a, x, self.axis)))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let mut start = Size::Known(0);
        rule.operands
            .iter()
            .map(|operand| {
                let mut cuts: SmallVec<[Cut; 1]> = rule.result.shape.iter().map(Cut::all).collect();
                let size = operand.shape[self.axis].clone();
                cuts[self.axis] = Cut::Range { start: start.clone(), size: size.clone(), step: 1 };
                start = start.clone() + size;
                Some(apply(Slice { cuts }, vec![rule.dy()]))
            })
            .collect()
    }

    fn batch(&self, batching: &Batching) -> Term {
        apply(Concat { axis: self.axis + 1 }, batching.all())
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        Form::Call {
            name: "concat".into(),
            brackets: if operands[0].rank() == 1 { vec![] } else { vec![self.axis.to_string()] },
            args: vec![super::FormArg::List],
        }
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}

/// Values of one shape along a new axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stack {
    /// The place of the new axis.
    pub axis: usize,
}

impl Operator for Stack {
    fn name(&self) -> Cow<'static, str> {
        "stack".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        alike("stack", operands, None, dims)?;
        let mut shape = operands[0].shape.clone();
        shape.insert(self.axis, Size::Known(operands.len() as i64));
        Ok(operands[0].with_shape(shape))
    }

    fn value(
        &self,
        x: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        fn go<T: Element>(_: &Array<T>, x: &[Tensor], axis: usize) -> Tensor {
            let views: Vec<_> = x.iter().map(|t| T::of(t).view()).collect();
            let joined = ndarray::stack(Axis(axis), &views).expect("shapes agree");
            T::wrap(joined.as_standard_layout().into_owned().into_shared())
        }
        Ok(each_dtype!(&x[0], a => go(a, x, self.axis)))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        (0..rule.operands.len())
            .map(|i| {
                let mut cuts: SmallVec<[Cut; 1]> = rule.result.shape.iter().map(Cut::all).collect();
                cuts[self.axis] = Cut::At(Size::Known(i as i64));
                Some(apply(Slice { cuts }, vec![rule.dy()]))
            })
            .collect()
    }

    fn batch(&self, batching: &Batching) -> Term {
        apply(Stack { axis: self.axis + 1 }, batching.all())
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::Call {
            name: "stack".into(),
            brackets: if self.axis == 0 { vec![] } else { vec![self.axis.to_string()] },
            args: vec![super::FormArg::List],
        }
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}
