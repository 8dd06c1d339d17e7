//! Operators without operands: variables and constants.

use super::{
    Batching, Bindings, Dims, Form, Misfit, Name, Number, Operator, Rule, Size, Term, Type,
    ValueError, term,
};
use crate::tensor::{DType, Tensor};
use std::borrow::Cow;
use std::sync::Arc;

/// A value that is given: an input, a parameter or a state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Variable {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Arc<Type>,
}

/// A number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Const {
    /// Its element type.
    pub dtype: DType,
    /// Its value before rounding.
    pub value: Number,
}

/// An array of numbers, row after row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Literal {
    /// The element type.
    pub dtype: DType,
    /// The sizes of the axes.
    pub shape: Vec<usize>,
    /// The elements.
    pub values: Arc<[Number]>,
}

/// A dimension as a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SizeOf {
    /// Its element type.
    pub dtype: DType,
    /// The dimension.
    pub size: Size,
}

/// The vector `0, 1, ..., size - 1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Iota {
    /// Its element type.
    pub dtype: DType,
    /// Its length.
    pub size: Size,
}

/// The duties that all operators without operands share.
macro_rules! leaf {
    () => {
        fn vjp(&self, _rule: &Rule) -> Vec<Option<Term>> {
            Vec::new()
        }
        fn batch(&self, _batching: &Batching) -> Term {
            term::apply(self.clone(), Vec::new())
        }
        fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
            Size::Known(0)
        }
    };
}

impl Operator for Variable {
    fn name(&self) -> Cow<'static, str> {
        "variable".into()
    }
    fn infer(&self, _operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        Ok((*self.ty).clone())
    }
    fn value(
        &self,
        _operands: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Err(ValueError::Shape(format!("`{}` has no value", self.name)))
    }
    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::Atom(self.name.to_string())
    }
    leaf!();
}

impl Operator for Const {
    fn name(&self) -> Cow<'static, str> {
        "constant".into()
    }
    fn infer(&self, _operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        Ok(Type::scalar(self.dtype))
    }
    fn value(
        &self,
        _operands: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Ok(match self.value.to_i64() {
            Some(value) if self.dtype == DType::I64 => ndarray::arr0(value).into_dyn().into(),
            _ => Tensor::scalar(self.dtype, self.value.to_f64()),
        })
    }
    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::Atom(match self.dtype {
            DType::Bool if self.value.is_zero() => "false".into(),
            DType::Bool => "true".into(),
            _ => self.value.to_string(),
        })
    }
    leaf!();
}

impl Operator for Literal {
    fn name(&self) -> Cow<'static, str> {
        "literal".into()
    }
    fn infer(&self, _operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        Ok(Type::new(self.dtype, self.shape.iter().map(|&size| Size::Known(size as i64))))
    }
    fn value(
        &self,
        _operands: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Ok(Tensor::from_f64(
            self.dtype,
            &self.shape,
            self.values.iter().map(|v| v.to_f64()).collect(),
        ))
    }
    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::Atom(nested(&self.shape, &self.values, self.dtype))
    }
    leaf!();
}

fn nested(shape: &[usize], values: &[Number], dtype: DType) -> String {
    match shape {
        [] => Const { dtype, value: values[0] }.form(&[], &Type::scalar(dtype)).atom(),
        [size, rest @ ..] => {
            let step: usize = rest.iter().product();
            let parts: Vec<String> = (0..*size)
                .map(|i| nested(rest, &values[i * step..(i + 1) * step], dtype))
                .collect();
            format!("[{}]", parts.join(", "))
        }
    }
}

impl Form {
    fn atom(self) -> String {
        match self {
            Form::Atom(text) => text,
            other => format!("{other:?}"),
        }
    }
}

impl Operator for SizeOf {
    fn name(&self) -> Cow<'static, str> {
        "size".into()
    }
    fn infer(&self, _operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        Ok(Type::scalar(self.dtype))
    }
    fn value(
        &self,
        _operands: &[Tensor],
        _to: &[usize],
        bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Ok(Tensor::scalar(self.dtype, self.size.eval(bindings)? as f64))
    }
    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::Atom(self.size.to_string())
    }
    leaf!();
}

impl Operator for Iota {
    fn name(&self) -> Cow<'static, str> {
        "iota".into()
    }
    fn infer(&self, _operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        Ok(Type::new(self.dtype, [self.size.clone()]))
    }
    fn value(
        &self,
        _operands: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Ok(Tensor::from_f64(self.dtype, to, (0..to[0]).map(|i| i as f64).collect()))
    }
    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        let text = format!("iota({})", self.size);
        Form::Atom(if self.dtype == DType::I64 { text } else { format!("{}({text})", self.dtype) })
    }
    leaf!();
}

/// The identity matrix of size `size`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Eye {
    /// Its element type.
    pub dtype: DType,
    /// The number of rows and columns.
    pub size: Size,
}

impl Operator for Eye {
    fn name(&self) -> Cow<'static, str> {
        "eye".into()
    }
    fn infer(&self, _operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        Ok(Type::new(self.dtype, [self.size.clone(), self.size.clone()]))
    }
    fn value(
        &self,
        _operands: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        let ones = (0..to[0] * to[0]).map(|place| f64::from(u8::from(place % (to[0] + 1) == 0)));
        Ok(Tensor::from_f64(self.dtype, to, ones.collect()))
    }
    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::Atom(format!("eye({})", self.size))
    }
    leaf!();
}
