//! Laws of single elements, one a row: where the left side stands, the right side may stand.
//!
//! A law holds over the reals wherever both sides are defined, is used from left to right, and never makes a formula longer.

use super::elementwise::Scalar;
use super::term::{apply, select};
use super::{Number, Op, Term};
use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// An equality with a name. Variables are numbered in the order in which the left side meets them.
pub struct Law {
    /// The name.
    pub name: &'static str,
    /// What is looked for: an operator on terms.
    pub left: Term,
    /// What takes its place.
    pub right: Term,
    /// The equality in print.
    pub text: [&'static str; 2],
}

impl Law {
    /// The operands of the left side.
    pub fn left_operands(&self) -> &[Term] {
        match &self.left {
            Term::Apply(inner) => &inner.1,
            _ => &[],
        }
    }
}

/// The laws whose left side begins with an operator.
pub fn laws_of(op: &Op) -> impl Iterator<Item = &'static Law> + use<> {
    static PLACES: LazyLock<FxHashMap<Op, Vec<&Law>>> = LazyLock::new(|| {
        let mut places: FxHashMap<Op, Vec<&Law>> = FxHashMap::default();
        for law in LAWS.iter() {
            if let Term::Apply(inner) = &law.left {
                places.entry(inner.0.clone()).or_default().push(law);
            }
        }
        places
    });
    PLACES.get(op).into_iter().flatten().copied()
}

macro_rules! laws {
    ($($name:literal ($($x:ident),*): $left:expr => $right:expr;)*) => {
        /// All of them.
        pub static LAWS: LazyLock<Vec<Law>> = LazyLock::new(|| {
            vec![$({
                #[allow(unused_variables)]
                let [$($x),*] = &std::array::from_fn(Term::Var);
                let text = [stringify!($left), stringify!($right)];
                Law { name: $name, left: $left, right: Term::from($right), text }
            }),*]
        });
    };
}

macro_rules! functions {
    ($($name:ident $Row:ident ($($x:ident),*);)*) => {$(
        fn $name($($x: impl Into<Term>),*) -> Term {
            apply(Scalar::$Row, vec![$($x.into()),*])
        }
    )*};
}
functions! {
    exp Exp(x); log Log(x); log1p Log1p(x); expm1 Expm1(x); sqrt Sqrt(x); square Square(x); abs Abs(x); neg Neg(x);
    relu Relu(x); not Not(x); and And(x, y); or Or(x, y); pow Pow(x, y); sin Sin(x); cos Cos(x); tanh Tanh(x); sign Sign(x);
    xlogx Xlogx(x); powlog Powlog(x, n);
}

fn half() -> Term {
    Term::Number(Number::ratio(1, 2))
}

laws! {
    "power of 0" (x): pow(x, 0) => 1;
    "power of 1" (x): pow(x, 1) => x;
    "power of 2" (x): pow(x, 2) => square(x);
    "power of 1/2" (x): pow(x, half()) => sqrt(x);
    "power of -1" (x): pow(x, -1) => 1 / x;
    "square of a negative" (x): square(neg(x)) => square(x);
    "square of an absolute value" (x): square(abs(x)) => square(x);
    "root of a square" (x): sqrt(square(x)) => abs(x);
    "absolute value of a negative" (x): abs(neg(x)) => abs(x);
    "absolute value of a square" (x): abs(square(x)) => square(x);
    "logarithm of an exponential" (x): log(exp(x)) => x;
    "exponential of a logarithm" (x): exp(log(x)) => x;
    "log1p of expm1" (x): log1p(expm1(x)) => x;
    "expm1 of log1p" (x): expm1(log1p(x)) => x;
    "power of 1 times a logarithm" (x): powlog(x, 1) => xlogx(x);
    "power of 0 times a logarithm" (x): powlog(x, 0) => log(x);
    "exponential of 0" (): exp(0) => 1;
    "logarithm of 1" (): log(1) => 0;
    "sine of a negative" (x): sin(neg(x)) => neg(sin(x));
    "cosine of a negative" (x): cos(neg(x)) => cos(x);
    "tanh of a negative" (x): tanh(neg(x)) => neg(tanh(x));
    "sign of a sign" (x): sign(sign(x)) => sign(x);
    "relu twice" (x): relu(relu(x)) => relu(x);
    "not twice" (x): not(not(x)) => x;
    "and of the same" (x): and(x, x) => x;
    "or of the same" (x): or(x, x) => x;
    "choice of the same" (c, x): select(c, x, x) => x;
    "choice behind the same condition" (c, x, y, z): select(c, select(c, x, y), z) => select(c, x, z);
}
