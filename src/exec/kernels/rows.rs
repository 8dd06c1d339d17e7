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

/// An action over `count` elements, a multiple of the vector's length.
///
/// # Safety
/// As `apply_at`.
#[inline(always)]
unsafe fn vectors<L: Lanes>(
    math: Math,
    action: Action,
    [x, y, z]: [Source<L::Element>; 3],
    to: *mut L::Element,
    count: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match action {
            Action::Row(row) => row_of::<L>(math, row, x, y, to, count),
            Action::Move => map(x, to, count, |x: L| x),
            Action::MulAdd => zip3(x, y, z, to, count, |x: L, y, z| x.mul_add(y, z)),
            Action::Select => {
                let zero = L::of(0.0);
                zip3(x, y, z, to, count, |x: L, y, z| L::pick(x.eq(zero), z, y));
            }
        }
    }
}

/// A row over `count` elements, a multiple of the vector's length.
///
/// # Safety
/// As `apply_at`.
#[inline(always)]
unsafe fn row_of<L: Lanes>(
    math: Math,
    row: Scalar,
    x: Source<L::Element>,
    y: Source<L::Element>,
    to: *mut L::Element,
    count: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        if math == Math::Precise && !is_exact(row) {
            return each(row, x, y, to, count);
        }
        macro_rules! unary {
            ($f:expr) => {
                map(x, to, count, $f)
            };
        }
        macro_rules! binary {
            ($f:expr) => {
                zip(x, y, to, count, $f)
            };
        }
        let one = L::of(1.0);
        let zero = L::of(0.0);
        match row {
            Scalar::Add => binary!(|x: L, y| x + y),
            Scalar::Sub => binary!(|x: L, y| x - y),
            Scalar::Mul => binary!(|x: L, y| x * y),
            Scalar::Div => binary!(|x: L, y| x / y),
            Scalar::Maximum => binary!(|x: L, y| x.larger(y)),
            Scalar::Minimum => binary!(|x: L, y| x.smaller(y)),
            Scalar::Eq => binary!(|x: L, y| L::truth(x.eq(y))),
            Scalar::Ne => binary!(|x: L, y| L::truth(x.ne(y))),
            Scalar::Lt => binary!(|x: L, y| L::truth(x.lt(y))),
            Scalar::Le => binary!(|x: L, y| L::truth(x.le(y))),
            Scalar::Gt => binary!(|x: L, y: L| L::truth(y.lt(x))),
            Scalar::Ge => binary!(|x: L, y: L| L::truth(y.le(x))),
            Scalar::And => binary!(|x: L, y: L| x * y),
            Scalar::Or => binary!(|x: L, y: L| x.max(y)),
            Scalar::Logaddexp => binary!(|x: L, y: L| math::logaddexp(x, y)),
            Scalar::Not => unary!(|x: L| one - x),
            Scalar::Neg => unary!(|x: L| -x),
            Scalar::Abs => unary!(|x: L| x.abs()),
            Scalar::Square => unary!(|x: L| x * x),
            Scalar::Sign => unary!(|x: L| L::pick(x.abs().le(zero), x, {
                L::pick(x.ne(x), x, one.copysign(x))
            })),
            Scalar::Relu => unary!(|x: L| x.larger(zero)),
            Scalar::Sqrt => unary!(|x: L| x.sqrt()),
            Scalar::Rsqrt => unary!(|x: L| one / x.sqrt()),
            Scalar::Floor => unary!(|x: L| x.floor()),
            Scalar::Ceil => unary!(|x: L| x.ceil()),
            Scalar::Round => unary!(|x: L| x.round()),
            Scalar::Trunc => unary!(|x: L| x.trunc()),
            Scalar::Exp => unary!(math::exp::<L>),
            Scalar::Expm1 => unary!(math::expm1::<L>),
            Scalar::Log => unary!(math::log::<L>),
            Scalar::Log1p => unary!(math::log1p::<L>),
            Scalar::Tanh => unary!(math::tanh::<L>),
            Scalar::Sigmoid => unary!(math::sigmoid::<L>),
            Scalar::Softplus => unary!(math::softplus::<L>),
            Scalar::Erf => unary!(math::erf::<L>),
            Scalar::Sin => unary!(math::sin::<L>),
            Scalar::Cos => unary!(math::cos::<L>),
            Scalar::Tan => unary!(math::tan::<L>),
            Scalar::Sinh => unary!(math::sinh::<L>),
            Scalar::Cosh => unary!(math::cosh::<L>),
            _ => each(row, x, y, to, count),
        }
    }
}

/// Whether the row's instructions are those of the reference.
fn is_exact(row: Scalar) -> bool {
    let rounding = [Scalar::Sqrt, Scalar::Rsqrt, Scalar::Relu, Scalar::Floor, Scalar::Ceil];
    row.class() != Class::Float
        || rounding.contains(&row)
        || matches!(row, Scalar::Round | Scalar::Trunc)
}

/// The row's own value of each element, in f64.
#[inline(never)]
unsafe fn each<T: Float>(row: Scalar, x: Source<T>, y: Source<T>, to: *mut T, count: usize) {
    let unary = row.arity() == 1;
    for i in 0..count {
        // SAFETY: the caller's promise.
        let at = |source| match source {
            Source::From(from) => {
                let from: *const T = from;
                unsafe { (*from.add(i)).to() }
            }
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

/// The function of each vector.
///
/// # Safety
/// As `apply_at`.
#[inline(always)]
unsafe fn map<L: Lanes>(
    x: Source<L::Element>,
    to: *mut L::Element,
    count: usize,
    f: impl Fn(L) -> L,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match x {
            Source::From(x) => {
                let mut i = 0;
                while i < count {
                    f(L::load(x.add(i))).store(to.add(i));
                    i += L::LEN;
                }
            }
            Source::Number(x) => {
                let value = f(L::splat(x));
                let mut i = 0;
                while i < count {
                    value.store(to.add(i));
                    i += L::LEN;
                }
            }
        }
    }
}

/// The function of the vectors of two operands.
///
/// # Safety
/// As `apply_at`.
#[inline(always)]
unsafe fn zip<L: Lanes>(
    x: Source<L::Element>,
    y: Source<L::Element>,
    to: *mut L::Element,
    count: usize,
    f: impl Fn(L, L) -> L,
) {
    // SAFETY: the caller's promise.
    unsafe {
        match (x, y) {
            (Source::From(x), Source::From(y)) => {
                let mut i = 0;
                while i < count {
                    f(L::load(x.add(i)), L::load(y.add(i))).store(to.add(i));
                    i += L::LEN;
                }
            }
            (x, Source::Number(y)) => {
                let y = L::splat(y);
                map::<L>(x, to, count, |x| f(x, y));
            }
            (Source::Number(x), y) => {
                let x = L::splat(x);
                map::<L>(y, to, count, |y| f(x, y));
            }
        }
    }
}

/// The function of the vectors of three operands, of which numbers are taken as vectors.
///
/// # Safety
/// As `apply_at`.
#[inline(always)]
unsafe fn zip3<L: Lanes>(
    x: Source<L::Element>,
    y: Source<L::Element>,
    z: Source<L::Element>,
    to: *mut L::Element,
    count: usize,
    f: impl Fn(L, L, L) -> L,
) {
    let mut numbers = [[L::Element::zero(); 16]; 3];
    let mut at = [std::ptr::null(); 3];
    let mut moves = [true; 3];
    for (k, source) in [x, y, z].into_iter().enumerate() {
        match source {
            Source::From(from) => at[k] = from,
            Source::Number(value) => {
                numbers[k] = [value; 16];
                (at[k], moves[k]) = (numbers[k].as_ptr(), false);
            }
        }
    }
    let mut i = 0;
    // SAFETY: the caller's promise; a number is read over and over.
    unsafe {
        let load = |k: usize, i: usize| L::load(at[k].add(if moves[k] { i } else { 0 }));
        while i < count {
            f(load(0, i), load(1, i), load(2, i)).store(to.add(i));
            i += L::LEN;
        }
    }
}
