//! The scalar operators over slices of floats: for each row a loop of its own.

use super::Math;
use super::lanes::{Float, Lanes, Simd};
use super::level::{Level, Task, dispatch};
use super::math;
use crate::ops::elementwise::{Class, Scalar};
use num_traits::Zero;

/// An operand: an element for each of the result, or the same number for all.
#[derive(Clone, Copy, Debug)]
pub enum Operand<'a, T> {
    /// An element for each.
    Slice(&'a [T]),
    /// The same for all.
    Number(T),
}

/// Where a loop reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<T> {
    From(*const T),
    Number(T),
}

/// What is done with single elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A row of the table. Truth values are numbers, 1 and 0.
    Row(Scalar),
    /// The second operand where the first is not 0, else the third.
    Select,
    /// `x * y + z`, rounded once where the level can.
    MulAdd,
    /// The operand itself.
    Move,
}

impl Action {
    /// The number of operands.
    pub fn arity(self) -> usize {
        match self {
            Action::Row(row) => row.arity(),
            Action::Select | Action::MulAdd => 3,
            Action::Move => 1,
        }
    }
}

/// The action on every element; operands beyond its own are ignored.
///
/// # Panics
/// Where lengths differ: a bug of the caller.
pub fn apply<T: Float>(
    level: Level,
    math: Math,
    action: Action,
    args: [Operand<T>; 3],
    to: &mut [T],
) {
    let args = args.map(|operand| match operand {
        Operand::Slice(slice) => {
            assert_eq!(slice.len(), to.len());
            Source::From(slice.as_ptr())
        }
        Operand::Number(number) => Source::Number(number),
    });
    // SAFETY: as many elements as the result has are there, and nothing overlaps the result.
    unsafe { apply_at(level, math, action, args, to.as_mut_ptr(), to.len()) };
}

/// `apply` where operands may lie where the result goes.
///
/// # Safety
/// `count` elements can be read and written; each operand is the same as the result or does not overlap it.
#[inline]
pub(super) unsafe fn apply_at<T: Float>(
    level: Level,
    math: Math,
    action: Action,
    args: [Source<T>; 3],
    to: *mut T,
    count: usize,
) {
    dispatch(level, Apply { math, action, args, to, count });
}

struct Apply<T> {
    math: Math,
    action: Action,
    args: [Source<T>; 3],
    to: *mut T,
    count: usize,
}

impl<T: Float> Task for Apply<T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let len = T::On::<S>::LEN;
        let whole = self.count - self.count % len;
        let rest = self.count - whole;
        let (mut parts, mut last) = ([[T::zero(); 16]; 3], [T::zero(); 16]);
        let (mut args, mut to, mut count) = (self.args, self.to, whole);
        // SAFETY: the promise of `apply_at`; what is behind whole vectors goes through arrays.
        unsafe {
            // One place in the code for both, since it is large.
            for ends in [false, true] {
                if ends && rest > 0 {
                    let zero = T::On::<S>::splat(T::zero());
                    for (arg, part) in args.iter_mut().zip(&mut parts) {
                        if let Source::From(from) = *arg {
                            let vector = T::On::<S>::load_some(from.add(whole), rest, zero);
                            vector.store(part.as_mut_ptr());
                            *arg = Source::From(part.as_ptr());
                        }
                    }
                    (to, count) = (last.as_mut_ptr(), len);
                }
                if count > 0 {
                    vectors::<T::On<S>>(self.math, self.action, args, to, count);
                }
                if rest == 0 {
                    return;
                }
                count = 0;
            }
            T::On::<S>::load(last.as_ptr()).store_some(self.to.add(whole), rest);
        }
    }
}

/// A loop over vectors. Its body is pasted: a closure would not be compiled with the instructions of the level.
macro_rules! each_vector {
    ($L:ident, $to:ident, $count:ident, $i:ident => $value:expr) => {{
        let mut $i = 0;
        while $i < $count {
            $L::store($value, $to.add($i));
            $i += $L::LEN;
        }
    }};
}

/// An action over `count` elements, a multiple of the vector's length.
///
/// # Safety
/// As `apply_at`.
#[inline(always)]
unsafe fn vectors<L: Lanes>(
    math: Math,
    action: Action,
    args: [Source<L::Element>; 3],
    to: *mut L::Element,
    count: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match action {
            Action::Row(row) => row_of::<L>(math, row, [args[0], args[1]], to, count),
            Action::Move => match args[0] {
                Source::From(x) => each_vector!(L, to, count, i => L::load(x.add(i))),
                Source::Number(x) => each_vector!(L, to, count, i => L::splat(x)),
            },
            Action::MulAdd | Action::Select => {
                let mut numbers = [[L::Element::zero(); 16]; 3];
                let (mut at, mut moves) = ([std::ptr::null(); 3], [usize::MAX; 3]);
                for k in 0..3 {
                    match args[k] {
                        Source::From(from) => at[k] = from,
                        Source::Number(value) => {
                            numbers[k] = [value; 16];
                            (at[k], moves[k]) = (numbers[k].as_ptr(), 0);
                        }
                    }
                }
                let ([x, y, z], [dx, dy, dz]) = (at, moves);
                if action == Action::MulAdd {
                    each_vector!(L, to, count, i => {
                        L::load(x.add(i & dx)).mul_add(L::load(y.add(i & dy)), L::load(z.add(i & dz)))
                    });
                } else {
                    let zero = L::of(0.0);
                    each_vector!(L, to, count, i => {
                        let (yes, no) = (L::load(y.add(i & dy)), L::load(z.add(i & dz)));
                        L::pick(L::load(x.add(i & dx)).eq(zero), no, yes)
                    });
                }
            }
        }
    }
}

/// What each row does with vectors: `$unary!(x => ..)` or `$binary!(x, y => ..)`, and `$other` where there are no vectors.
macro_rules! by_row {
    ($L:ident, $row:expr, $unary:ident, $binary:ident, $other:expr) => {
        match $row {
            Scalar::Add => $binary!(x, y => x + y),
            Scalar::Sub => $binary!(x, y => x - y),
            Scalar::Mul => $binary!(x, y => x * y),
            Scalar::Div => $binary!(x, y => x / y),
            Scalar::Maximum => $binary!(x, y => x.larger(y)),
            Scalar::Minimum => $binary!(x, y => x.smaller(y)),
            Scalar::Eq => $binary!(x, y => $L::truth(x.eq(y))),
            Scalar::Ne => $binary!(x, y => $L::truth(x.ne(y))),
            Scalar::Lt => $binary!(x, y => $L::truth(x.lt(y))),
            Scalar::Le => $binary!(x, y => $L::truth(x.le(y))),
            Scalar::Gt => $binary!(x, y => $L::truth(y.lt(x))),
            Scalar::Ge => $binary!(x, y => $L::truth(y.le(x))),
            Scalar::And => $binary!(x, y => x * y),
            Scalar::Or => $binary!(x, y => x.max(y)),
            Scalar::Logaddexp => $binary!(x, y => math::logaddexp(x, y)),
            Scalar::Not => $unary!(x => $L::of(1.0) - x),
            Scalar::Neg => $unary!(x => -x),
            Scalar::Abs => $unary!(x => x.abs()),
            Scalar::Square => $unary!(x => x * x),
            Scalar::Sign => {
                $unary!(x => $L::pick($L::of(0.0).lt(x.abs()), $L::of(1.0).copysign(x), x))
            }
            Scalar::Relu => $unary!(x => x.larger($L::of(0.0))),
            Scalar::Sqrt => $unary!(x => x.sqrt()),
            Scalar::Rsqrt => $unary!(x => $L::of(1.0) / x.sqrt()),
            Scalar::Floor => $unary!(x => x.floor()),
            Scalar::Ceil => $unary!(x => x.ceil()),
            Scalar::Round => $unary!(x => x.round()),
            Scalar::Trunc => $unary!(x => x.trunc()),
            Scalar::Exp => $unary!(x => math::exp(x)),
            Scalar::Expm1 => $unary!(x => math::expm1(x)),
            Scalar::Log => $unary!(x => math::log(x)),
            Scalar::Log1p => $unary!(x => math::log1p(x)),
            Scalar::Tanh => $unary!(x => math::tanh(x)),
            Scalar::Sigmoid => $unary!(x => math::sigmoid(x)),
            Scalar::Softplus => $unary!(x => math::softplus(x)),
            Scalar::Erf => $unary!(x => math::erf(x)),
            Scalar::Sin => $unary!(x => math::sin(x)),
            Scalar::Cos => $unary!(x => math::cos(x)),
            Scalar::Tan => $unary!(x => math::tan(x)),
            Scalar::Sinh => $unary!(x => math::sinh(x)),
            Scalar::Cosh => $unary!(x => math::cosh(x)),
            _ => $other,
        }
    };
}

/// A row over `count` elements, a multiple of the vector's length.
///
/// # Safety
/// As `apply_at`.
#[inline(always)]
unsafe fn row_of<L: Lanes>(
    math: Math,
    row: Scalar,
    [x, y]: [Source<L::Element>; 2],
    to: *mut L::Element,
    count: usize,
) {
    macro_rules! unary {
        ($x:ident => $value:expr) => {
            match x {
                Source::From(from) => each_vector!(L, to, count, i => {
                    let $x = L::load(from.add(i));
                    $value
                }),
                Source::Number(number) => {
                    let $x = L::splat(number);
                    let value = $value;
                    each_vector!(L, to, count, _i => value)
                }
            }
        };
    }
    macro_rules! binary {
        ($x:ident, $y:ident => $value:expr) => {
            match (x, y) {
                (Source::From(x), Source::From(y)) => each_vector!(L, to, count, i => {
                    let ($x, $y) = (L::load(x.add(i)), L::load(y.add(i)));
                    $value
                }),
                (Source::From(x), Source::Number(y)) => {
                    let $y = L::splat(y);
                    each_vector!(L, to, count, i => {
                        let $x = L::load(x.add(i));
                        $value
                    })
                }
                (Source::Number(x), y) => {
                    let $x = L::splat(x);
                    let (numbers, from, moves);
                    match y {
                        Source::From(y) => (from, moves) = (y, usize::MAX),
                        Source::Number(y) => {
                            numbers = [y; 16];
                            (from, moves) = (numbers.as_ptr(), 0);
                        }
                    }
                    each_vector!(L, to, count, i => {
                        let $y = L::load(from.add(i & moves));
                        $value
                    })
                }
            }
        };
    }
    // SAFETY: the caller's promise.
    unsafe {
        if math == Math::Precise && !is_exact(row) {
            return each(row, x, y, to, count);
        }
        by_row!(L, row, unary, binary, each(row, x, y, to, count))
    }
}

/// The row of vectors; none where it goes element by element.
#[inline(always)]
pub(super) fn value<L: Lanes>(row: Scalar, x: L, y: L) -> Option<L> {
    macro_rules! unary {
        ($x:ident => $value:expr) => {{
            let $x = x;
            $value
        }};
    }
    macro_rules! binary {
        ($x:ident, $y:ident => $value:expr) => {{
            let ($x, $y) = (x, y);
            $value
        }};
    }
    Some(by_row!(L, row, unary, binary, return None))
}

/// Whether the row's instructions are those of the reference.
pub(super) fn is_exact(row: Scalar) -> bool {
    use Scalar::{Ceil, Floor, Relu, Round, Rsqrt, Sqrt, Trunc};
    row.class() != Class::Float || matches!(row, Sqrt | Rsqrt | Relu | Floor | Ceil | Round | Trunc)
}

/// The row's own value of each element, in f64.
///
/// # Safety
/// As `apply_at`.
#[inline(never)]
unsafe fn each<T: Float>(row: Scalar, x: Source<T>, y: Source<T>, to: *mut T, count: usize) {
    let unary = row.arity() == 1;
    for i in 0..count {
        let at = |source| match source {
            // SAFETY: the caller's promise.
            Source::From(from) => unsafe { T::to(*<*const T>::add(from, i)) },
            Source::Number(number) => number.to(),
        };
        let value = match unary {
            true => row.at(&[at(x)]),
            false => row.at(&[at(x), at(y)]),
        };
        // SAFETY: the caller's promise.
        unsafe { *to.add(i) = T::of_f64(value.unwrap_or(f64::NAN)) };
    }
}
