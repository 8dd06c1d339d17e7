//! Vectors that write down what is done with them: from the functions of the rows come programs for the emitter.

use crate::exec::kernels::lanes::{Float, Lanes};
use crate::tensor::DType;
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// An instruction of a program; operands are instructions before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// An element of a stream.
    Input(u16),
    /// The one number of a stream.
    Single(u16),
    /// The same bits in every lane.
    Const(u64),
    /// Of one operand.
    Unary(Unary, u32),
    /// Of two.
    Binary(Binary, u32, u32),
    /// `a * b + c`, or `-a * b + c`, rounded once.
    Fma(bool, [u32; 3]),
    /// The first where the comparison of the last two holds, else the second.
    Pick(Compare, [u32; 4]),
    /// The first with the sign of the second; the last is the sign's bit.
    Copysign([u32; 3]),
    /// Writes an instruction's value to a stream.
    Store(u32, u16),
}

/// Operations on one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// The square root.
    Sqrt,
    /// A whole number, by the machine's way of rounding.
    Round(u8),
    /// The fraction in [0.75, 1.5).
    Mantissa,
    /// The exponent.
    Exponent,
    /// Bits moved to the left.
    Left(u8),
    /// Bits moved to the right.
    Right(u8),
}

/// Operations on two vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// The sum.
    Add,
    /// The difference.
    Sub,
    /// The product.
    Mul,
    /// The quotient.
    Div,
    /// The larger; the second where one is NaN.
    Max,
    /// The smaller; the second where one is NaN.
    Min,
    /// The bits of both.
    And,
    /// The bits of the second that the first has not.
    AndNot,
    /// The bits of either.
    Or,
    /// The bits of one of them.
    Xor,
    /// The first by two to the power of the second.
    Scale,
    /// The sum of whole numbers.
    IntAdd,
    /// The difference of whole numbers.
    IntSub,
}

/// Comparisons, by the machine's numbers for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compare {
    /// Equal.
    Eq = 0x00,
    /// Different, or NaN.
    Ne = 0x04,
    /// Less.
    Lt = 0x11,
    /// Less or equal.
    Le = 0x12,
}

/// What is being written down.
#[derive(Debug, Default)]
struct Notes {
    ops: Vec<Op>,
    known: FxHashMap<Op, u32>,
    wide: bool,
    failed: bool,
}

thread_local! {
    static NOTES: RefCell<Notes> = RefCell::default();
}

/// The instructions that `work` writes down, for vectors of 512 bits if `wide`, else of 256; none if it did something that
/// is no function of vectors.
pub fn trace(wide: bool, work: impl FnOnce()) -> Option<Vec<Op>> {
    NOTES.set(Notes { wide, ..Notes::default() });
    work();
    let notes = NOTES.take();
    (!notes.failed).then_some(notes.ops)
}

/// A vector that is not there yet.
#[derive(Clone, Copy, Debug)]
pub struct Traced<T>(u32, PhantomData<T>);

impl<T: Float> Traced<T> {
    /// An element of a stream.
    pub fn input(stream: u16) -> Self {
        note(Op::Input(stream))
    }

    /// The one number of a stream.
    pub fn single(stream: u16) -> Self {
        note(Op::Single(stream))
    }

    /// Writes the vector to a stream.
    pub fn output(self, stream: u16) {
        NOTES.with_borrow_mut(|notes| notes.ops.push(Op::Store(self.0, stream)));
    }

    fn unary(self, op: Unary) -> Self {
        note(Op::Unary(op, self.0))
    }

    fn binary(self, op: Binary, other: Self) -> Self {
        note(Op::Binary(op, self.0, other.0))
    }

    fn bits(bits: u64) -> Self {
        note(Op::Const(bits))
    }

    fn sign() -> Self {
        Self::splat(-T::zero())
    }

    /// All bits but the sign.
    fn rest() -> Self {
        Self::bits(bits(-T::zero()) - 1)
    }

    /// `2ⁿ` of a whole number that is an exponent, as `avx2` has it.
    fn power(self) -> Self {
        (self + Self::splat(T::EXPONENT)).unary(Unary::Left(T::FRACTION as u8))
    }

    fn compare(self, how: Compare, other: Self) -> (Compare, u32, u32) {
        (how, self.0, other.0)
    }
}

fn note<T>(op: Op) -> Traced<T> {
    NOTES.with_borrow_mut(|notes| {
        let next = notes.ops.len() as u32;
        let place = *notes.known.entry(op).or_insert(next);
        if place == next {
            notes.ops.push(op);
        }
        Traced(place, PhantomData)
    })
}

fn wide() -> bool {
    NOTES.with_borrow(|notes| notes.wide)
}

/// What is written down is no program.
pub fn give_up() {
    NOTES.with_borrow_mut(|notes| notes.failed = true);
}

/// The bits of a number in its own width.
fn bits<T: Float>(x: T) -> u64 {
    match T::DTYPE {
        DType::F32 => u64::from((x.to() as f32).to_bits()),
        _ => x.to().to_bits(),
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident;)*) => {$(
        impl<T: Float> $trait for Traced<T> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                self.binary(Binary::$trait, other)
            }
        }
    )*};
}
operators! {
    Add add;
    Sub sub;
    Mul mul;
    Div div;
}

impl<T: Float> Neg for Traced<T> {
    type Output = Self;
    fn neg(self) -> Self {
        let (sign, rest) = (Self::sign(), Self::rest());
        match NOTES.with_borrow(|notes| notes.ops[self.0 as usize]) {
            // The sign set, rather than taken away and turned.
            Op::Binary(Binary::And, x, mask) if mask == rest.0 => {
                note(Op::Binary(Binary::Or, x, sign.0))
            }
            _ => self.binary(Binary::Xor, sign),
        }
    }
}

impl<T: Float> Lanes for Traced<T> {
    type Element = T;
    type Mask = (Compare, u32, u32);
    const LEN: usize = 1;

    fn splat(x: T) -> Self {
        Self::bits(bits(x))
    }
    unsafe fn load(_from: *const T) -> Self {
        give_up();
        Self::bits(0)
    }
    unsafe fn store(self, _to: *mut T) {
        give_up();
    }
    fn mul_add(self, b: Self, c: Self) -> Self {
        let sign = Self::sign();
        let op = NOTES.with_borrow(|notes| notes.ops[self.0 as usize]);
        match op {
            Op::Binary(Binary::Xor, x, bit) if bit == sign.0 => note(Op::Fma(true, [x, b.0, c.0])),
            _ => note(Op::Fma(false, [self.0, b.0, c.0])),
        }
    }
    fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }
    fn abs(self) -> Self {
        self.binary(Binary::And, Self::rest())
    }
    fn copysign(self, sign: Self) -> Self {
        let bit = Self::sign();
        if wide() {
            return note(Op::Copysign([self.0, sign.0, bit.0]));
        }
        bit.binary(Binary::AndNot, self).binary(Binary::Or, bit.binary(Binary::And, sign))
    }
    fn max(self, other: Self) -> Self {
        self.binary(Binary::Max, other)
    }
    fn min(self, other: Self) -> Self {
        self.binary(Binary::Min, other)
    }
    fn floor(self) -> Self {
        self.unary(Unary::Round(0x9))
    }
    fn ceil(self) -> Self {
        self.unary(Unary::Round(0xA))
    }
    fn trunc(self) -> Self {
        self.unary(Unary::Round(0xB))
    }
    fn round(self) -> Self {
        self.unary(Unary::Round(0x8))
    }
    fn lt(self, other: Self) -> Self::Mask {
        self.compare(Compare::Lt, other)
    }
    fn le(self, other: Self) -> Self::Mask {
        self.compare(Compare::Le, other)
    }
    fn eq(self, other: Self) -> Self::Mask {
        self.compare(Compare::Eq, other)
    }
    fn ne(self, other: Self) -> Self::Mask {
        self.compare(Compare::Ne, other)
    }
    fn pick((how, a, b): Self::Mask, yes: Self, no: Self) -> Self {
        note(Op::Pick(how, [yes.0, no.0, a, b]))
    }
    fn any(_mask: Self::Mask) -> bool {
        give_up();
        false
    }
    fn each(self, _f: fn(f64) -> f64) -> Self {
        give_up();
        self
    }
    fn scale(self, n: Self) -> Self {
        if wide() {
            return self.binary(Binary::Scale, n);
        }
        let half = (n * Self::of(0.5)).floor();
        self * half.power() * (n - half).power()
    }
    fn split(self) -> (Self, Self) {
        if wide() {
            let m = self.unary(Unary::Mantissa);
            return (m, self.unary(Unary::Exponent) - m.unary(Unary::Exponent));
        }
        // As `avx2` has it.
        let fraction = T::FRACTION as u8;
        let (up, down) = T::SUBNORMAL;
        let small = self.lt(Self::splat(T::min_positive_value()));
        let bits = Self::pick(small, self * Self::splat(up), self);
        let one = Self::of(1.0);
        let from_low = bits.binary(Binary::IntSub, Self::of(0.75));
        let exponent = from_low.binary(Binary::IntAdd, one).unary(Unary::Right(fraction));
        let shifted = exponent.unary(Unary::Left(fraction));
        let m = bits.binary(Binary::IntSub, shifted).binary(Binary::IntAdd, one);
        let wide = T::epsilon().recip();
        let bias = T::of_f64(((1u64 << (T::WIDTH - 2 - T::FRACTION)) - 1) as f64);
        let e = exponent.binary(Binary::IntAdd, Self::splat(wide)) - Self::splat(wide + bias);
        (m, Self::pick(small, e - Self::splat(down), e))
    }
}
