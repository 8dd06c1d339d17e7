//! The boundary of a function whose derivative is written beside it.

use super::{
    Batching, Bindings, Dims, Form, Misfit, Name, Op, Operator, Rule, Size, Term, Type, ValueError,
};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::Arc;

/// An operator on values that are known by number.
pub type Step = (Op, SmallVec<[usize; 4]>);

/// Operand 0, which a function has computed of other operands; what flows back to those is by the function's own rule, and
/// nothing flows through operand 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Custom {
    /// The name of the function; a function with another rule has another name in the model.
    pub name: Name,
    /// The steps of the rule. Of n operands operand `i` is value i, the result n, its adjoint n + 1, step `j` n + 2 + j.
    pub steps: Arc<[Step]>,
    /// For each operand the number of its adjoint.
    pub flows: Arc<[Option<usize>]>,
}

impl Operator for Custom {
    fn name(&self) -> Cow<'static, str> {
        self.name.to_string().into()
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
        Ok(x[0].clone())
    }

    fn vjp(&self, _rule: &Rule) -> Vec<Option<Term>> {
        self.flows.iter().map(|flow| flow.map(Term::Var)).collect()
    }

    fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The value alone: a derivative that is batched has been taken.
    fn batch(&self, batching: &Batching) -> Term {
        batching.lifted(0)
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        Form::call(&self.name, operands.len())
    }

    fn flops(&self, _operands: &[Type], _result: &Type) -> Size {
        Size::Known(0)
    }
}
