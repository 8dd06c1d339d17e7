//! Operators that cut out of arrays and lay them into larger ones.

use super::term::{apply, spread};
use super::{
    Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Size, Term, Type, ValueError, join,
};
use crate::each_dtype;
use crate::tensor::{Array, Element, Tensor};
use ndarray::{ArrayD, IxDyn, SliceInfoElem};
use smallvec::SmallVec;
use std::borrow::Cow;

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
