//! Everything anyone knows about an operator: its name, shape, value, derivative, cost and form in print.

pub mod align;
mod build;
pub mod builtin;
pub mod choice;
pub mod contraction;
pub mod conv;
pub mod custom;
pub mod diagonal;
pub mod einsum;
pub mod elementwise;
pub mod field;
pub mod index;
pub mod join;
pub mod laws;
pub mod leaf;
pub mod linalg;
pub mod matmul;
pub mod number;
pub mod origin;
pub mod pool;
pub mod random;
mod real;
pub mod reduce;
pub mod running;
pub mod scan;
pub mod series;
pub mod shape;
pub mod size;
pub mod slice;
pub mod sort;
mod spatial;
pub mod special;
pub mod stability;
pub mod stream;
pub mod term;
pub mod window;

use crate::tensor::{DType, Tensor};
pub use elementwise::{Scalar, Select};
pub use number::Number;
pub use size::{Bindings, Dims, Name, Shape, Size, elements};
use std::borrow::Cow;
pub use term::Term;

/// Element type and shape of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// The element type.
    pub dtype: DType,
    /// The sizes of the axes.
    pub shape: Shape,
}

impl Type {
    /// The type of a tensor.
    pub fn new(dtype: DType, shape: impl IntoIterator<Item = Size>) -> Type {
        Type { dtype, shape: shape.into_iter().collect() }
    }

    /// The type of a scalar.
    pub fn scalar(dtype: DType) -> Type {
        Type { dtype, shape: Shape::new() }
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The same shape with another element type.
    pub fn with_dtype(&self, dtype: DType) -> Type {
        Type { dtype, shape: self.shape.clone() }
    }

    /// The same element type with another shape.
    pub fn with_shape(&self, shape: impl IntoIterator<Item = Size>) -> Type {
        Type::new(self.dtype, shape)
    }

    /// How an axis is called in brackets: by name where the name stands once, else by number.
    pub fn axis_label(&self, axis: usize) -> String {
        match &self.shape[axis] {
            Size::Named(name)
                if self.shape.iter().filter(|s| s.name() == Some(name)).count() == 1 =>
            {
                name.to_string()
            }
            _ => axis.to_string(),
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.dtype)?;
        if self.shape.is_empty() { Ok(()) } else { write!(f, "[{}]", join(&self.shape)) }
    }
}

/// Things in one line with commas between.
pub fn join<T: std::fmt::Display>(things: impl IntoIterator<Item = T>) -> String {
    things.into_iter().map(|t| t.to_string()).collect::<Vec<_>>().join(", ")
}

/// The name that is wanted, or that with the first number from 2 on with which it is not taken.
pub fn free(wanted: &str, taken: impl Fn(&str) -> bool) -> Name {
    let numbered = (2..).map(|number| format!("{wanted}_{number}"));
    let mut names = std::iter::once(wanted.to_string()).chain(numbered);
    names.find(|name| !taken(name)).expect("numbers do not end").into()
}

/// Operands that an operator cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Misfit {
    /// The diagnostic's code.
    pub code: &'static str,
    /// The fact.
    pub message: String,
    /// The operands, and the axes of theirs, that the fact is about.
    pub places: Vec<(usize, Option<usize>)>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Misfit {
    /// A misfit of shapes.
    pub fn shape(message: impl Into<String>) -> Misfit {
        Misfit { code: "E0201", message: message.into(), places: Vec::new(), help: None }
    }

    /// A misfit of ranks.
    pub fn rank(message: impl Into<String>) -> Misfit {
        Misfit { code: "E0202", ..Misfit::shape(message) }
    }

    /// A misfit of element types.
    pub fn dtype(message: impl Into<String>) -> Misfit {
        Misfit { code: "E0206", ..Misfit::shape(message) }
    }

    /// Arguments that an operator does not take.
    pub fn call(message: impl Into<String>) -> Misfit {
        Misfit { code: "E0207", ..Misfit::shape(message) }
    }

    /// The same about axis `axis` of operand `operand`.
    pub fn at(mut self, operand: usize, axis: impl Into<Option<usize>>) -> Misfit {
        self.places.push((operand, axis.into()));
        self
    }

    /// The same with something to do.
    pub fn help(mut self, text: impl Into<String>) -> Misfit {
        self.help = Some(text.into());
        self
    }
}

/// That an operator which takes floats of one type is given such.
fn floats(name: &str, operands: &[Type]) -> Result<(), Misfit> {
    let first = &operands[0];
    if !first.dtype.is_float() {
        let message = format!("`{name}` takes floats; this is {}", first.dtype);
        return Err(Misfit::dtype(message).at(0, None).help("cast it, as in `f32(x)`"));
    }
    match operands.iter().position(|operand| operand.dtype != first.dtype) {
        None => Ok(()),
        Some(i) => {
            let message = format!("`{name}` of {first} and {}: element types differ", operands[i]);
            Err(Misfit::dtype(message)
                .at(0, None)
                .at(i, None)
                .help("cast one side, as in `f32(x)`"))
        }
    }
}

/// Why a value cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// An index that is not in the axis.
    #[error("index {index} is out of range for an axis of size {size}")]
    IndexOutOfRange {
        /// The index.
        index: i64,
        /// The size of the axis.
        size: usize,
    },
    /// A size without a number.
    #[error(transparent)]
    Size(#[from] size::SizeError),
    /// Shapes that only the run shows to differ.
    #[error("{0}")]
    Shape(String),
}

/// What an operator is asked about its derivative: operand `i` is `Var(i)`, the result `Var(n)`, the result's adjoint `Var(n + 1)`.
pub struct Rule<'a> {
    /// The types of the operands.
    pub operands: &'a [Type],
    /// The type of the result.
    pub result: &'a Type,
    /// The declared dimensions.
    pub dims: &'a Dims,
}

impl Rule<'_> {
    /// Operand `i`.
    pub fn x(&self, i: usize) -> Term {
        Term::Var(i)
    }

    /// The result.
    pub fn y(&self) -> Term {
        Term::Var(self.operands.len())
    }

    /// The adjoint of the result.
    pub fn dy(&self) -> Term {
        Term::Var(self.operands.len() + 1)
    }
}

/// What an operator is asked about itself with one more leading axis: operand `i` is `Var(i)`.
pub struct Batching<'a> {
    /// The types of the operands without the new axis.
    pub operands: &'a [Type],
    /// The type of the result without the new axis.
    pub result: &'a Type,
    /// Which operands have the new axis, in front.
    pub batched: &'a [bool],
    /// The size of the new axis.
    pub size: &'a Size,
}

impl Batching<'_> {
    /// Operand `i` with the new axis, broadcast along it where it has none.
    pub fn lifted(&self, i: usize) -> Term {
        if self.batched[i] {
            Term::Var(i)
        } else {
            term::lead(Term::Var(i), &self.operands[i].shape, std::slice::from_ref(self.size))
        }
    }

    /// Every operand lifted.
    pub fn all(&self) -> Vec<Term> {
        (0..self.operands.len()).map(|i| self.lifted(i)).collect()
    }
}

/// How an operator stands in a formula.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// A word: a name or a number.
    Atom(String),
    /// `x + y`, by the symbol.
    Infix(&'static str),
    /// `-x`, `not x`, by the symbol.
    Prefix(&'static str),
    /// `x'`, `x[0]`: what stands behind the operand.
    Postfix(String),
    /// `name[brackets](arguments)`.
    Call {
        /// The function.
        name: String,
        /// What stands in brackets.
        brackets: Vec<String>,
        /// What stands in parentheses.
        args: Vec<FormArg>,
    },
    /// `x[i]`, `x[:, i]`: the second operand indexes the axis behind so many of the first.
    Index(usize),
    /// `x * log(x)`, `x^n * log(x)` or `x * log(x / y)`: the first operand stands twice.
    TimesLog {
        /// Whether the second operand is the power of the factor.
        power: bool,
        /// Whether the second operand divides inside of the logarithm.
        quotient: bool,
    },
    /// A broadcast: nothing where the rules of the language put it back, else the call.
    Broadcast,
}

/// An argument in print.
#[derive(Clone, Debug, PartialEq)]
pub enum FormArg {
    /// An operand.
    Operand(usize),
    /// All operands as a list.
    List,
    /// Text as it is.
    Text(String),
}

impl Form {
    /// `name(operands)`.
    pub fn call(name: &str, operands: usize) -> Form {
        Form::Call {
            name: name.into(),
            brackets: Vec::new(),
            args: (0..operands).map(FormArg::Operand).collect(),
        }
    }

    /// The same call with brackets.
    pub fn along(mut self, labels: impl IntoIterator<Item = String>) -> Form {
        if let Form::Call { brackets, .. } = &mut self {
            brackets.extend(labels);
        }
        self
    }

    /// The same call with one more argument.
    pub fn with(mut self, text: impl Into<String>) -> Form {
        if let Form::Call { args, .. } = &mut self {
            args.push(FormArg::Text(text.into()));
        }
        self
    }
}

/// The duties of an operator.
pub trait Operator {
    /// Its name in the language and in the rules that cite it.
    fn name(&self) -> Cow<'static, str>;

    /// The type of its result.
    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit>;

    /// Its value: the meaning of the operator, one element after the other. `to` is the shape of the result.
    fn value(
        &self,
        operands: &[Tensor],
        to: &[usize],
        bindings: &Bindings,
    ) -> Result<Tensor, ValueError>;

    /// For each operand its adjoint in terms of `rule`; `None` where nothing flows back.
    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>>;

    /// Values that the terms of `vjp` share: step `j` is `Var(n + 2 + j)`.
    fn steps(&self) -> &[custom::Step] {
        &[]
    }

    /// The same operator over one more leading axis.
    fn batch(&self, batching: &Batching) -> Term;

    /// How it is written.
    fn form(&self, operands: &[Type], result: &Type) -> Form;

    /// Whether it is linear in each operand by itself.
    fn is_linear(&self) -> bool {
        false
    }

    /// Floating-point operations of one evaluation.
    fn flops(&self, _operands: &[Type], result: &Type) -> Size {
        elements(&result.shape)
    }
}

macro_rules! operators {
    ($($(#[doc = $doc:literal])* $variant:ident($type:ty),)*) => {
        /// An operator with all that is fixed at compile time.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Op {
            $($(#[doc = $doc])* $variant($type),)*
        }

        impl Op {
            fn duties(&self) -> &dyn Operator {
                match self {
                    $(Op::$variant(operator) => operator,)*
                }
            }
        }

        $(impl From<$type> for Op {
            fn from(operator: $type) -> Op {
                Op::$variant(operator)
            }
        })*
    };
}

operators! {
    /// An input, a parameter or a state.
    Variable(leaf::Variable),
    /// A number.
    Const(leaf::Const),
    /// An array of numbers.
    Literal(leaf::Literal),
    /// A dimension as a number.
    SizeOf(leaf::SizeOf),
    /// `0, 1, 2, ...`
    Iota(leaf::Iota),
    /// The identity matrix.
    Eye(leaf::Eye),
    /// An operator on single elements.
    Scalar(Scalar),
    /// One of two values for each element.
    Select(Select),
    /// Another element type.
    Cast(elementwise::Cast),
    /// The same values along new or size-1 axes.
    Broadcast(shape::Broadcast),
    /// The same elements in another shape.
    Reshape(shape::Reshape),
    /// The axes in another order.
    Permute(shape::Permute),
    /// The other way round along axes.
    Flip(shape::Flip),
    /// A range of indices along each axis.
    Slice(shape::Slice),
    /// Zeros around and between.
    Pad(shape::Pad),
    /// One behind the other along an axis.
    Concat(shape::Concat),
    /// Along a new axis.
    Stack(shape::Stack),
    /// A number for each line along axes.
    Reduce(reduce::Reduce),
    /// Where the extreme is.
    ArgReduce(reduce::ArgReduce),
    /// The exponentials over their sum.
    Softmax(reduce::Softmax),
    /// Running sums or products.
    Cumulate(reduce::Cumulate),
    /// The matrix product.
    MatMul(matmul::MatMul),
    /// The product of each with each.
    Outer(matmul::Outer),
    /// Sums of products by letters.
    Einsum(matmul::Einsum),
    /// Slices by number.
    Gather(index::Gather),
    /// Slices added up by number.
    ScatterAdd(index::ScatterAdd),
    /// Elements by number along an axis.
    TakeAlong(index::TakeAlong),
    /// Elements added up by number along an axis.
    PutAlong(index::PutAlong),
    /// A 1 at a number.
    OneHot(index::OneHot),
    /// A diagonal.
    Diag(index::Diag),
    /// A triangle.
    Triangle(index::Triangle),
    /// Convolution and its adjoints.
    Conv(conv::Conv),
    /// The largest or the mean of windows.
    Pool(pool::Pool),
    /// Elements in order.
    Sort(sort::Sort),
    /// The factor, the inverse, the determinant of a matrix.
    Matrix(linalg::Matrix),
    /// The solution of linear equations.
    Solve(linalg::Solve),
    /// Random numbers.
    Random(random::Random),
    /// Elements dropped at random.
    Dropout(random::Dropout),
    /// The value without its derivative.
    StopGradient(special::StopGradient),
    /// A variable of its own with the value of another.
    Barrier(special::Barrier),
    /// The result of a function with a derivative of its own.
    Custom(custom::Custom),
    /// A derivative that has been asked for.
    Derivative(special::Derivative),
    /// A loop over a leading axis.
    Scan(scan::Scan),
    /// One result of a loop.
    Part(scan::Part),
}

impl Operator for Op {
    fn name(&self) -> Cow<'static, str> {
        self.duties().name()
    }
    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        self.duties().infer(operands, dims)
    }
    fn value(
        &self,
        operands: &[Tensor],
        to: &[usize],
        bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        self.duties().value(operands, to, bindings)
    }
    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        self.duties().vjp(rule)
    }
    fn steps(&self) -> &[custom::Step] {
        self.duties().steps()
    }
    fn batch(&self, batching: &Batching) -> Term {
        self.duties().batch(batching)
    }
    fn form(&self, operands: &[Type], result: &Type) -> Form {
        self.duties().form(operands, result)
    }
    fn is_linear(&self) -> bool {
        self.duties().is_linear()
    }
    fn flops(&self, operands: &[Type], result: &Type) -> Size {
        self.duties().flops(operands, result)
    }
}
