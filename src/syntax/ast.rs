//! The syntax tree of a `.nn` file: items in source order, expressions in one arena.

use crate::diagnostic::Span;
use std::sync::Arc;

/// A parsed file. Parsing never fails: what could not be read is `ExprKind::Error` and has a diagnostic.
#[derive(Clone, Debug, Default)]
pub struct Ast {
    /// Every expression; operands stand before the expression that uses them.
    pub exprs: Vec<Expr>,
    /// The statements in source order.
    pub items: Vec<Item>,
    /// The comments in source order; `fmt` puts them back, the lowering reads documentation from them.
    pub comments: Vec<Comment>,
}

/// An expression's place in `Ast::exprs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExprId(pub u32);

impl std::ops::Index<ExprId> for Ast {
    type Output = Expr;
    fn index(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }
}

/// A comment with its `#`, without the line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Where it stands.
    pub span: Span,
    /// Whether nothing but white space stands before it on its line.
    pub own_line: bool,
}

/// A name where it stands; dotted names (`l1.W`) are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The name.
    pub text: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands, parentheses around it not included.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// What could not be read; a diagnostic has been given.
    Error,
    /// `12`, `0.5`, `1e-3`: the text as written.
    Number(Arc<str>),
    /// `"nd,dh->nh"`: the text between the quotes.
    Text(Arc<str>),
    /// A name, also `inf nan pi e true false training training_step`.
    Name(Arc<str>),
    /// `-x`, `not x`.
    Unary(UnaryOp, ExprId),
    /// `x + y` and the like.
    Binary(BinaryOp, ExprId, ExprId),
    /// `x'`.
    Transpose(ExprId),
    /// `x[0, :, None]`.
    Index(ExprId, Vec<IndexItem>),
    /// `x as [N, S]`.
    As(ExprId, Vec<ExprId>),
    /// `sum[K, keep](x, eps = 1)`, `dense(x; 128) as l1`.
    Call(Box<Call>),
    /// `[1, 2]`.
    List(Vec<ExprId>),
    /// `repeat 12 (h = x) { ... } as blocks`.
    Repeat(Box<Repeat>),
    /// `scan t in T (h = h0) for xt in x { ... }`.
    Scan(Box<Scan>),
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `-`
    Neg,
    /// `not`
    Not,
}

/// Infix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `^`
    Pow,
    /// `@`
    MatMul,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `and`
    And,
    /// `or`
    Or,
}

impl BinaryOp {
    /// As the language writes it.
    pub fn spelling(self) -> &'static str {
        match self {
            BinaryOp::Pow => "^",
            BinaryOp::MatMul => "@",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
        }
    }
}

/// One entry between the brackets of an index.
#[derive(Clone, Debug)]
pub enum IndexItem {
    /// `i`: an integer, or integers to gather by.
    At(ExprId),
    /// `a:b:s`, each may be left out.
    Slice {
        /// First index taken.
        start: Option<ExprId>,
        /// The index before which to stop.
        stop: Option<ExprId>,
        /// The step, which may be negative.
        step: Option<ExprId>,
        /// Where it stands.
        span: Span,
    },
    /// `..`: all axes between.
    Rest(Span),
    /// `None`: a new axis of size 1.
    New(Span),
}

/// A call of an operator, a function or a layer.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is called.
    pub callee: Ident,
    /// What stands in brackets before the parenthesis: axes (names, numbers) and `keep`.
    pub axes: Option<Vec<ExprId>>,
    /// Positional and named arguments in order.
    pub args: Vec<Arg>,
    /// What stands after `;`: the sizes a layer is given.
    pub sizes: Vec<ExprId>,
    /// The instance name of a layer: `as l1`.
    pub instance: Option<Ident>,
}

/// An argument of a call.
#[derive(Clone, Debug)]
pub struct Arg {
    /// `eps` in `eps = 1e-5`.
    pub name: Option<Ident>,
    /// Its value.
    pub value: ExprId,
}

/// `repeat COUNT (carry = init, ...) { body } as name`.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// How often.
    pub count: ExprId,
    /// The carried names with their first values.
    pub carries: Vec<(Ident, ExprId)>,
    /// The statements of the block; an expression that stands alone is its value.
    pub body: Body,
    /// The prefix of the parameters inside.
    pub instance: Option<Ident>,
}

/// `scan [reverse] t in T (carry = init, ...) for xt in x, ... { body }`.
#[derive(Clone, Debug)]
pub struct Scan {
    /// From the end.
    pub reverse: bool,
    /// The name of the index.
    pub index: Ident,
    /// The length.
    pub length: ExprId,
    /// The carried names with their first values.
    pub carries: Vec<(Ident, ExprId)>,
    /// The names of the slices with what they are slices of.
    pub slices: Vec<(Ident, ExprId)>,
    /// The statements of the loop.
    pub body: Body,
}

/// What stands between braces.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// The statements before the result.
    pub items: Vec<Item>,
    /// What `return` or `yield` gives, or the expression that stands alone.
    pub results: Vec<ExprId>,
    /// The braces and what is between.
    pub span: Span,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// From its first to its last token.
    pub span: Span,
}

/// The kinds of statement.
#[derive(Clone, Debug)]
pub enum ItemKind {
    /// What could not be read; a diagnostic has been given.
    Error,
    /// `dim N, D = 784`.
    Dim(Vec<(Ident, Option<ExprId>)>),
    /// `input x, y: f32[N] in (0, 1)`.
    Input(Declaration),
    /// `param W: f32[D, H] ~ glorot()`.
    Param(Declaration),
    /// `state m: f32[C] = 0`.
    State(Declaration),
    /// `update m = expr`.
    Update(Ident, ExprId),
    /// `const mask: bool[T, T] = expr`.
    Const(Ident, Option<TypeExpr>, ExprId),
    /// `y = expr`, `(a, b) = expr`.
    Binding(Vec<Ident>, ExprId),
    /// `fn name[axes..](params) -> result { body } vjp(dy) { body }`.
    Fn(Box<Function>),
    /// `layer name(params; sizes) -> result { body }`.
    Layer(Box<Function>),
    /// `loss C = expr`, `output p`, `metric m = expr`.
    Output(OutputKind, Ident, Option<ExprId>),
    /// `grad C wrt (a, b)`.
    Grad(Ident, Vec<Ident>),
    /// `expect left == right`.
    Expect(ExprId, ExprId),
    /// `use "file.nn"`.
    Use(Arc<str>, Span),
    /// `train { sgd(lr = 0.1); batch = 10 }`.
    Train(Vec<Arg>),
}

/// What is asked of a named result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputKind {
    /// A scalar to be made small.
    Loss,
    /// A result.
    Output,
    /// A number to be watched.
    Metric,
}

/// `a, b: f32[N, D] in (0, 1) frozen symmetric = 0`.
#[derive(Clone, Debug)]
pub struct Declaration {
    /// The names declared.
    pub names: Vec<Ident>,
    /// Their type.
    pub ty: TypeExpr,
    /// The declared range of the entries.
    pub range: Option<Range>,
    /// `= expr` or `~ call`.
    pub init: Option<Init>,
    /// No gradient by default.
    pub frozen: bool,
    /// Equal to its transpose.
    pub symmetric: bool,
}

/// `f32[N, D]`, `float[.., I]`, `i64`.
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// `f32 f64 i32 i64 bool float`.
    pub dtype: Ident,
    /// Whether `..` stands before the axes: any leading axes.
    pub leading: bool,
    /// The sizes, `None` where no brackets stand or nothing between them.
    pub axes: Option<Vec<ExprId>>,
    /// Where it stands.
    pub span: Span,
}

/// `in [low, high)`.
#[derive(Clone, Debug)]
pub struct Range {
    /// The lower end.
    pub low: ExprId,
    /// Whether the lower end belongs to it.
    pub low_closed: bool,
    /// The upper end.
    pub high: ExprId,
    /// Whether the upper end belongs to it.
    pub high_closed: bool,
}

/// How a parameter starts.
#[derive(Clone, Debug)]
pub enum Init {
    /// `= expr`.
    Value(ExprId),
    /// `~ glorot()`: a call.
    Random(ExprId),
}

/// A function or a layer.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: Ident,
    /// `axes` in `fn var[axes..](x)`.
    pub axes: Option<Ident>,
    /// The parameters.
    pub params: Vec<FnParam>,
    /// The sizes a layer is given: `O` in `layer dense(x: f32[.., I]; O)`.
    pub sizes: Vec<Ident>,
    /// The types of the results, empty where not written.
    pub results: Vec<TypeExpr>,
    /// The statements with the values of `return`.
    pub body: Body,
    /// `vjp(dy) { ... }`.
    pub vjp: Option<(Vec<Ident>, Body)>,
}

/// A parameter of a function.
#[derive(Clone, Debug)]
pub struct FnParam {
    /// Its name.
    pub name: Ident,
    /// Its type; `None` where not written.
    pub ty: Option<TypeExpr>,
    /// Its value where the call gives none.
    pub default: Option<ExprId>,
}
