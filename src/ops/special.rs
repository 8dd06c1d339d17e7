//! Operators that steer differentiation.

use super::term::apply;
use super::{
    Batching, Bindings, Dims, Form, FormArg, Misfit, Name, Operator, Rule, Size, Term, Type,
    ValueError,
};
use crate::tensor::Tensor;
use std::borrow::Cow;

/// The value, through which nothing flows back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StopGradient;

/// A variable of its own with the value of its operand: what a derivative by a named binding is taken of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Barrier {
    /// The name of the binding.
    pub name: Name,
}

/// Which derivative is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `grad(y, x)`: of a scalar, in the shape of x.
    Grad,
    /// `vjp(y, x, v)`: v by the Jacobian, in the shape of x.
    Vjp,
    /// `jvp(y, x, v)`: the Jacobian by v, in the shape of y.
    Jvp,
    /// `hvp(y, x, v)`: the Hessian of a scalar by v, in the shape of x.
    Hvp,
    /// `jacobian(y, x)`: the axes of y, then those of x.
    Jacobian,
    /// `hessian(y, x)`: of a scalar, the axes of x twice.
    Hessian,
}

impl Mode {
    /// All modes with their names.
    pub const NAMES: &[(&str, Mode)] = &[
        ("grad", Mode::Grad),
        ("vjp", Mode::Vjp),
        ("jvp", Mode::Jvp),
        ("hvp", Mode::Hvp),
        ("jacobian", Mode::Jacobian),
        ("hessian", Mode::Hessian),
    ];

    /// The name in the language.
    pub fn word(self) -> &'static str {
        Mode::NAMES.iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }

    /// Whether a vector is given besides value and variable.
    pub fn takes_vector(self) -> bool {
        matches!(self, Mode::Vjp | Mode::Jvp | Mode::Hvp)
    }

    /// Whether the value must be a scalar.
    pub fn takes_scalar(self) -> bool {
        matches!(self, Mode::Grad | Mode::Hvp | Mode::Hessian)
    }
}

/// A derivative that has been asked for and is not yet derived: of operand 0 by operand 1, perhaps with vector operand 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Derivative {
    /// Which.
    pub mode: Mode,
}

macro_rules! identity {
    () => {
        fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
            Ok(operands[0].clone())
        }
        fn value(
            &self,
            x: &[Tensor],
            _to: &[usize],
            _bindings: &Bindings,
        ) -> Result<Tensor, ValueError> {
            Ok(x[0].clone())
        }
        fn batch(&self, _batching: &Batching) -> Term {
            apply(self.clone(), vec![Term::Var(0)])
        }
        fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
            Size::Known(0)
        }
    };
}

impl Operator for StopGradient {
    fn name(&self) -> Cow<'static, str> {
        "stop_gradient".into()
    }
    fn vjp(&self, _rule: &Rule) -> Vec<Option<Term>> {
        vec![None]
    }
    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::call("stop_gradient", 1)
    }
    identity!();
}

impl Operator for Barrier {
    fn name(&self) -> Cow<'static, str> {
        "binding".into()
    }
    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        vec![rule.result.dtype.is_float().then(|| rule.dy())]
    }
    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::Call { name: String::new(), brackets: Vec::new(), args: vec![FormArg::Operand(0)] }
    }
    fn is_linear(&self) -> bool {
        true
    }
    identity!();
}

impl Operator for Derivative {
    fn name(&self) -> Cow<'static, str> {
        self.mode.word().into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        let (y, x) = (&operands[0], &operands[1]);
        let word = self.mode.word();
        if self.mode.takes_scalar() && y.rank() > 0 {
            let message = format!("`{word}` is of a scalar; this is {y}");
            return Err(Misfit { code: "E0301", ..Misfit::rank(message) }
                .at(0, None)
                .help("sum it, or ask for `jacobian`, or for `vjp` with a vector"));
        }
        for i in [0, 1] {
            if !operands[i].dtype.is_float() {
                let message = format!("`{word}` of and by floats; this is {}", operands[i]);
                return Err(Misfit { code: "E0302", ..Misfit::dtype(message) }.at(i, None));
            }
        }
        if self.mode.takes_vector() {
            let like = if self.mode == Mode::Vjp { 0 } else { 1 };
            let (v, wanted) = (&operands[2], &operands[like]);
            let fits = v.rank() == wanted.rank()
                && v.dtype == wanted.dtype
                && v.shape.iter().zip(&wanted.shape).all(|(a, b)| dims.agree(a, b).is_some());
            if !fits {
                let message = format!("the vector of `{word}` has the type {wanted}; this is {v}");
                return Err(Misfit::shape(message).at(2, None).at(like, None));
            }
        }
        Ok(match self.mode {
            Mode::Grad | Mode::Vjp | Mode::Hvp => x.clone(),
            Mode::Jvp => y.clone(),
            Mode::Jacobian => y.with_shape(y.shape.iter().chain(&x.shape).cloned()),
            Mode::Hessian => x.with_shape(x.shape.iter().chain(&x.shape).cloned()),
        })
    }

    fn value(
        &self,
        _x: &[Tensor],
        _to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Err(ValueError::Shape(format!("`{}` is not yet derived", self.mode.word())))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        vec![None; rule.operands.len()]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        apply(*self, vec![Term::Var(0), Term::Var(1)])
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        Form::call(self.mode.word(), operands.len())
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}
