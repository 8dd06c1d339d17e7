//! Operators that move elements without changing them.

use super::align::Map;
use super::term::{apply, permute, reshape, spread, sum};
use super::{
    Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Shape, Size, Term, Type, ValueError,
    elements, join,
};
use crate::each_dtype;
use crate::tensor::{Array, Element, Tensor};
use ndarray::{ArrayD, Axis, IxDyn, SliceInfoElem};
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

/// What is taken of an axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// One index; the axis goes.
    At(Size),
    /// `size` indices from `start`, each `step` (above 0) behind the one before.
    Range {
        /// The first index.
        start: Size,
        /// How many.
        size: Size,
        /// From one to the next.
        step: i64,
    },
}

impl Cut {
    /// All of an axis.
    pub fn all(size: &Size) -> Cut {
        Cut::Range { start: Size::Known(0), size: size.clone(), step: 1 }
    }

    fn is_all(&self, of: &Size) -> bool {
        *self == Cut::all(of)
    }
}

/// A range of indices along each axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slice {
    /// What is taken of each axis.
    pub cuts: SmallVec<[Cut; 1]>,
}

fn span(size: &Size, step: i64) -> Size {
    (size.clone() - Size::Known(1)) * Size::Known(step) + Size::Known(1)
}

impl Operator for Slice {
    fn name(&self) -> Cow<'static, str> {
        "slice".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        for (axis, (cut, size)) in self.cuts.iter().zip(&operands[0].shape).enumerate() {
            let last = match cut {
                Cut::At(at) => at.clone(),
                Cut::Range { size: Size::Known(0), start, .. } => start.clone() - Size::Known(1),
                Cut::Range { start, size, step } => {
                    start.clone() + span(size, *step) - Size::Known(1)
                }
            };
            let beyond = dims.resolve(&(last.clone() - size.clone())).known();
            if beyond.is_some_and(|d| d >= 0) || last.known().is_some_and(|l| l < -1) {
                let message = format!("index {last} is out of range for an axis of size {size}");
                return Err(Misfit { code: "E0205", ..Misfit::shape(message) }.at(0, axis));
            }
        }
        Ok(operands[0].with_shape(self.cuts.iter().filter_map(|cut| match cut {
            Cut::At(_) => None,
            Cut::Range { size, .. } => Some(size.clone()),
        })))
    }

    fn value(
        &self,
        x: &[Tensor],
        _to: &[usize],
        bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        let mut info = Vec::new();
        for (cut, &size) in self.cuts.iter().zip(x[0].shape()) {
            let (first, last, element) = match cut {
                Cut::At(at) => {
                    let at = at.eval(bindings)?;
                    (at, at, SliceInfoElem::Index(at as isize))
                }
                Cut::Range { start, size, step } => {
                    let (start, size) = (start.eval(bindings)?, size.eval(bindings)?);
                    let end = start + (size - 1).max(0) * step + i64::from(size > 0);
                    let info = SliceInfoElem::Slice {
                        start: start as isize,
                        end: Some(end as isize),
                        step: *step as isize,
                    };
                    (start, if size > 0 { end - 1 } else { start - 1 }, info)
                }
            };
            if first < 0 || last >= size as i64 {
                return Err(ValueError::IndexOutOfRange {
                    index: if first < 0 { first } else { last },
                    size,
                });
            }
            info.push(element);
        }
        fn go<T: Element>(x: &Array<T>, info: &[SliceInfoElem]) -> Tensor {
            T::wrap(x.slice(info).as_standard_layout().into_owned().into_shared())
        }
        Ok(each_dtype!(&x[0], a => go(a, &info)))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let from = &rule.operands[0].shape;
        let mut pad = Pad { low: Vec::new(), high: Vec::new(), between: Vec::new() };
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for (axis, (cut, whole)) in self.cuts.iter().zip(from).enumerate() {
            let (start, size, step) = match cut {
                Cut::At(at) => {
                    gone.push(axis);
                    (at.clone(), Size::Known(1), 1)
                }
                Cut::Range { start, size, step } => (start.clone(), size.clone(), *step),
            };
            pad.high.push(whole.clone() - start.clone() - span(&size, step));
            pad.low.push(start);
            pad.between.push(step - 1);
            kept.push(size);
        }
        let dy = if gone.is_empty() { rule.dy() } else { spread(rule.dy(), &kept, &gone) };
        vec![Some(apply(pad, vec![dy]))]
    }

    fn batch(&self, batching: &Batching) -> Term {
        let cuts = std::iter::once(Cut::all(batching.size)).chain(self.cuts.clone()).collect();
        apply(Slice { cuts }, vec![Term::Var(0)])
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        let mut parts: Vec<String> = Vec::new();
        for (cut, whole) in self.cuts.iter().zip(&operands[0].shape) {
            parts.push(match cut {
                cut if cut.is_all(whole) => ":".into(),
                Cut::At(at) => at.to_string(),
                Cut::Range { start, size, step } => {
                    let end = start.clone() + span(size, *step);
                    let start =
                        if start.known() == Some(0) { String::new() } else { start.to_string() };
                    let end = if end == *whole { String::new() } else { end.to_string() };
                    if *step == 1 {
                        format!("{start}:{end}")
                    } else {
                        format!("{start}:{end}:{step}")
                    }
                }
            });
        }
        while parts.len() > 1 && parts.last().is_some_and(|part| part == ":") {
            parts.pop();
        }
        Form::Postfix(format!("[{}]", parts.join(", ")))
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}

/// Zeros before, behind and between the elements of each axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pad {
    /// How many before.
    pub low: Vec<Size>,
    /// How many behind.
    pub high: Vec<Size>,
    /// How many between two neighbours.
    pub between: Vec<i64>,
}

impl Operator for Pad {
    fn name(&self) -> Cow<'static, str> {
        "pad".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        if self.low.len() != operands[0].rank() {
            let message = format!(
                "`pad` of {}: {} pairs for {} axes",
                operands[0],
                self.low.len(),
                operands[0].rank()
            );
            return Err(Misfit::call(message)
                .at(0, None)
                .help("give each axis a pair `[before, behind]`"));
        }
        let shape = operands[0].shape.iter().enumerate().map(|(axis, size)| {
            let spread = match size {
                Size::Known(0) => Size::Known(0),
                size => span(size, self.between[axis] + 1),
            };
            dims.rename(spread + self.low[axis].clone() + self.high[axis].clone())
        });
        Ok(operands[0].with_shape(shape))
    }

    fn value(&self, x: &[Tensor], to: &[usize], bindings: &Bindings) -> Result<Tensor, ValueError> {
        let low = self.low.iter().map(|size| size.eval(bindings)).collect::<Result<Vec<_>, _>>()?;
        fn go<T: Element + Default>(
            x: &Array<T>,
            to: &[usize],
            low: &[i64],
            between: &[i64],
        ) -> Tensor {
            let mut result = ArrayD::from_elem(IxDyn(to), T::default());
            for (index, value) in x.indexed_iter() {
                let place: Vec<i64> = (0..to.len())
                    .map(|axis| low[axis] + index[axis] as i64 * (between[axis] + 1))
                    .collect();
                if place.iter().zip(to).all(|(&p, &size)| (0..size as i64).contains(&p)) {
                    result[&*place.iter().map(|&p| p as usize).collect::<Vec<_>>()] = *value;
                }
            }
            T::wrap(result.into_shared())
        }
        Ok(each_dtype!(&x[0], a => go(a, to, &low, &self.between)))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let cuts = rule.operands[0].shape.iter().enumerate().map(|(axis, size)| Cut::Range {
            start: self.low[axis].clone(),
            size: size.clone(),
            step: self.between[axis] + 1,
        });
        vec![Some(apply(Slice { cuts: cuts.collect() }, vec![rule.dy()]))]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        let zero = || std::iter::once(Size::Known(0));
        let pad = Pad {
            low: zero().chain(self.low.clone()).collect(),
            high: zero().chain(self.high.clone()).collect(),
            between: std::iter::once(0).chain(self.between.clone()).collect(),
        };
        apply(pad, vec![Term::Var(0)])
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        let pairs = self.low.iter().zip(&self.high).map(|(low, high)| format!("[{low}, {high}]"));
        let form = Form::call("pad", 1).with(format!("[{}]", join(pairs)));
        if self.between.iter().all(|&b| b == 0) {
            form
        } else {
            form.with(format!("between = [{}]", join(&self.between)))
        }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}

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
