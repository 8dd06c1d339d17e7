//! The little language in which derivative rules and laws are written.

use super::index::{PutAlong, ScatterAdd, TakeAlong};
use super::matmul::{MatMul, Outer};
use super::reduce::{Fold, Reduce};
use super::shape::{Broadcast, Permute, Reshape};
use super::{Number, Op, Scalar, Select, Size};
use smallvec::SmallVec;

/// An expression over variables, planted into a graph where they have values.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// The variable of that number.
    Var(usize),
    /// A number of the element type that its place asks for.
    Number(Number),
    /// A dimension as a number of the element type that its place asks for.
    Size(Size),
    /// An operator on terms.
    Apply(Box<(Op, Vec<Term>)>),
}

/// `op` on `args`.
pub fn apply(op: impl Into<Op>, args: Vec<Term>) -> Term {
    Term::Apply(Box::new((op.into(), args)))
}

impl From<&Term> for Term {
    fn from(term: &Term) -> Term {
        term.clone()
    }
}

impl From<i32> for Term {
    fn from(value: i32) -> Term {
        Term::Number(Number::int(i64::from(value)))
    }
}

impl From<Number> for Term {
    fn from(value: Number) -> Term {
        Term::Number(value)
    }
}

macro_rules! infix {
    ($($trait:ident $method:ident $scalar:ident),*) => {$(
        infix!(@ $trait $method $scalar: (Term, Term) (Term, &Term) (&Term, Term) (&Term, &Term) (i32, Term) (i32, &Term) (Term, i32) (&Term, i32));
    )*};
    (@ $trait:ident $method:ident $scalar:ident: $(($left:ty, $right:ty))*) => {$(
        impl std::ops::$trait<$right> for $left {
            type Output = Term;
            fn $method(self, other: $right) -> Term {
                apply(Scalar::$scalar, vec![self.into(), other.into()])
            }
        }
    )*};
}
infix!(Add add Add, Sub sub Sub, Mul mul Mul, Div div Div);

impl std::ops::Neg for Term {
    type Output = Term;
    fn neg(self) -> Term {
        apply(Scalar::Neg, vec![self])
    }
}

impl std::ops::Neg for &Term {
    type Output = Term;
    fn neg(self) -> Term {
        -self.clone()
    }
}

/// `where(condition, yes, no)`.
pub fn select(condition: impl Into<Term>, yes: impl Into<Term>, no: impl Into<Term>) -> Term {
    apply(Select, vec![condition.into(), yes.into(), no.into()])
}

/// The sum over `axes`, which go.
pub fn sum(axes: &[usize], term: Term) -> Term {
    fold(Fold::Sum, axes, term)
}

/// The reduction `kind` over `axes`, which go; the term itself where there are none.
pub fn fold(kind: Fold, axes: &[usize], term: Term) -> Term {
    if axes.is_empty() { term } else { apply(Reduce { kind, axes: axes.into() }, vec![term]) }
}

/// `term`, which has the shape `to` without the axes `missing`, repeated along those.
pub fn spread(term: Term, to: &[Size], missing: &[usize]) -> Term {
    let mut next = 0;
    let from: SmallVec<[Option<u8>; 4]> = (0..to.len())
        .map(|axis| {
            (!missing.contains(&axis)).then(|| {
                next += 1;
                next - 1
            })
        })
        .collect();
    apply(Broadcast { to: to.into(), from }, vec![term])
}

/// `term` of shape `shape` repeated along new axes `lead` in front.
pub fn lead(term: Term, shape: &[Size], lead: &[Size]) -> Term {
    let to: Vec<Size> = lead.iter().chain(shape).cloned().collect();
    spread(term, &to, &(0..lead.len()).collect::<Vec<_>>())
}

/// The same elements in the shape `to`.
pub fn reshape(term: Term, to: &[Size]) -> Term {
    apply(Reshape { to: to.into() }, vec![term])
}

/// The axes in the order `order`.
pub fn permute(term: Term, order: &[usize]) -> Term {
    apply(Permute { order: order.into() }, vec![term])
}

/// The last two of `rank` axes swapped; a vector as it is.
pub fn transpose(term: Term, rank: usize) -> Term {
    if rank < 2 {
        return term;
    }
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(rank - 1, rank - 2);
    permute(term, &order)
}

/// `a @ b`.
pub fn matmul(a: Term, b: Term) -> Term {
    apply(MatMul, vec![a, b])
}

/// `outer(a, b)`.
pub fn outer(a: Term, b: Term) -> Term {
    apply(Outer, vec![a, b])
}

/// `base` with the slices `values` added at `indices` along `axis`.
pub fn scatter_add(axis: usize, base: Term, indices: Term, values: Term) -> Term {
    apply(ScatterAdd { axis }, vec![base, indices, values])
}

/// The elements of `term` at `indices` along `axis`.
pub fn take_along(axis: usize, term: Term, indices: Term) -> Term {
    apply(TakeAlong { axis }, vec![term, indices])
}

/// Zeros of size `size` along `axis` with `values` added at `indices`.
pub fn put_along(axis: usize, size: &Size, indices: Term, values: Term) -> Term {
    apply(PutAlong { axis, size: size.clone() }, vec![indices, values])
}
