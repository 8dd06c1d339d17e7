//! Operators on single elements, one row each.
//!
//! A row gives an operator its name, its value, its derivative in terms of its arguments, its result and its adjoint `dy`,
//! and points at which both are probed. All else follows from the row.

pub use super::choice::{Cast, Select};
use super::real::Real;
use super::term::{apply, select};
use super::{Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Term, Type, ValueError, join};
use crate::tensor::{Array, DType, Element, Tensor};
use ndarray::IxDyn;
use std::borrow::Cow;
use std::f64::consts::PI;

/// What a row's arguments and result are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Floats to floats.
    Float,
    /// Numbers to numbers of the same type.
    Number,
    /// Two values of one type to a truth value.
    Compare,
    /// Truth values to a truth value.
    Logic,
}

macro_rules! rows {
    (
        float { $($(#[doc = $fdoc:literal])* $F:ident = $f:ident($($fx:ident),*) -> $fy:ident, $fdy:ident {
            value: $fvalue:expr, grad: [$($fgrad:expr),*], probe: [$($fprobe:expr),*],
        })* }
        number { $($(#[doc = $ndoc:literal])* $N:ident = $n:ident($($nx:ident),*) -> $ny:ident, $ndy:ident {
            value: $nvalue:expr, int: $nint:expr, grad: [$($ngrad:expr),*], probe: [$($nprobe:expr),*],
        })* }
        compare { $($(#[doc = $cdoc:literal])* $C:ident = $c:ident($ca:ident, $cb:ident) { value: $cvalue:expr, })* }
        logic { $($(#[doc = $ldoc:literal])* $L:ident = $l:ident($($lx:ident),*) { value: $lvalue:expr, })* }
    ) => {
        /// An operator on single elements.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Scalar {
            $($(#[doc = $fdoc])* $F,)* $($(#[doc = $ndoc])* $N,)* $($(#[doc = $cdoc])* $C,)* $($(#[doc = $ldoc])* $L,)*
        }

        impl Scalar {
            /// All of them in the order of the table.
            pub const ALL: &[Scalar] = &[$(Scalar::$F,)* $(Scalar::$N,)* $(Scalar::$C,)* $(Scalar::$L,)*];

            /// The name in the language.
            pub fn word(self) -> &'static str {
                match self {
                    $(Scalar::$F => stringify!($f),)* $(Scalar::$N => stringify!($n),)*
                    $(Scalar::$C => stringify!($c),)* $(Scalar::$L => stringify!($l),)*
                }
            }

            /// What it is made of.
            pub fn class(self) -> Class {
                match self {
                    $(Scalar::$F => Class::Float,)* $(Scalar::$N => Class::Number,)*
                    $(Scalar::$C => Class::Compare,)* $(Scalar::$L => Class::Logic,)*
                }
            }

            /// The number of arguments.
            pub fn arity(self) -> usize {
                self.arguments().len()
            }

            /// The names of the arguments.
            pub fn arguments(self) -> &'static [&'static str] {
                match self {
                    $(Scalar::$F => &[$(stringify!($fx)),*],)* $(Scalar::$N => &[$(stringify!($nx)),*],)*
                    $(Scalar::$C => &[stringify!($ca), stringify!($cb)],)* $(Scalar::$L => &[$(stringify!($lx)),*],)*
                }
            }

            /// The description of the row.
            pub fn doc(self) -> String {
                let lines: &[&str] = match self {
                    $(Scalar::$F => &[$($fdoc),*],)* $(Scalar::$N => &[$($ndoc),*],)*
                    $(Scalar::$C => &[$($cdoc),*],)* $(Scalar::$L => &[$($ldoc),*],)*
                };
                lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
            }

            /// The points at which value and derivative are probed.
            pub fn probes(self) -> Vec<Vec<f64>> {
                match self {
                    $(Scalar::$F => vec![$($fprobe.to_vec()),*],)* $(Scalar::$N => vec![$($nprobe.to_vec()),*],)*
                    _ => Vec::new(),
                }
            }

            /// The adjoint of each argument.
            // `dy * 0` is a term of zeros in the shape of `dy`.
            #[allow(clippy::erasing_op)]
            fn rule(self) -> Vec<Term> {
                match self {
                    $(Scalar::$F => {
                        #[allow(unused_variables)]
                        let [$($fx,)* $fy, $fdy] = &std::array::from_fn(Term::Var);
                        vec![$(Term::from($fgrad)),*]
                    })*
                    $(Scalar::$N => {
                        #[allow(unused_variables)]
                        let [$($nx,)* $ny, $ndy] = &std::array::from_fn(Term::Var);
                        vec![$(Term::from($ngrad)),*]
                    })*
                    _ => Vec::new(),
                }
            }

            /// The value on f64, for rows of floats and numbers.
            pub fn at(self, x: &[f64]) -> Option<f64> {
                match (self, x) {
                    $((Scalar::$F, &[$($fx),*]) => Some($fvalue),)*
                    $((Scalar::$N, &[$($nx),*]) => Some($nvalue),)*
                    _ => None,
                }
            }
        }

        fn floats32(row: Scalar, x: &[Tensor], to: &[usize]) -> Tensor {
            match row {
                $(Scalar::$F => rows!(@map f32, x, to, ($($fx),*), $fvalue),)*
                $(Scalar::$N => rows!(@map f32, x, to, ($($nx),*), $nvalue),)*
                _ => compare::<f32>(row, x, to),
            }
        }

        fn floats64(row: Scalar, x: &[Tensor], to: &[usize]) -> Tensor {
            match row {
                $(Scalar::$F => rows!(@map f64, x, to, ($($fx),*), $fvalue),)*
                $(Scalar::$N => rows!(@map f64, x, to, ($($nx),*), $nvalue),)*
                _ => compare::<f64>(row, x, to),
            }
        }

        fn ints32(row: Scalar, x: &[Tensor], to: &[usize]) -> Tensor {
            match row {
                $(Scalar::$N => rows!(@map i32, x, to, ($($nx),*), $nint),)*
                _ => compare::<i32>(row, x, to),
            }
        }

        fn ints64(row: Scalar, x: &[Tensor], to: &[usize]) -> Tensor {
            match row {
                $(Scalar::$N => rows!(@map i64, x, to, ($($nx),*), $nint),)*
                _ => compare::<i64>(row, x, to),
            }
        }

        fn bools(row: Scalar, x: &[Tensor], to: &[usize]) -> Tensor {
            match row {
                $(Scalar::$L => rows!(@map bool, x, to, ($($lx),*), $lvalue),)*
                _ => compare::<bool>(row, x, to),
            }
        }

        fn compare<T: Element + PartialOrd>(row: Scalar, x: &[Tensor], to: &[usize]) -> Tensor {
            match row {
                $(Scalar::$C => zip(&x[0], &x[1], to, |$ca: T, $cb: T| -> bool { $cvalue }),)*
                _ => unreachable!("the row takes no {}", T::DTYPE),
            }
        }
    };
    (@map $type:ty, $x:ident, $to:ident, ($a:ident), $value:expr) => {
        map(&$x[0], |$a: $type| -> $type { $value })
    };
    (@map $type:ty, $x:ident, $to:ident, ($a:ident, $b:ident), $value:expr) => {
        zip(&$x[0], &$x[1], $to, |$a: $type, $b: $type| -> $type { $value })
    };
}

rows! {
    float {
        /// `eˣ`.
        Exp = exp(x) -> y, dy { value: x.exp(), grad: [dy * y], probe: [[-3.0], [-0.5], [0.0], [1.0], [4.0]], }
        /// `eˣ - 1`, exact near 0.
        Expm1 = expm1(x) -> y, dy { value: x.exp_m1(), grad: [dy * exp(x)], probe: [[-3.0], [0.0], [1e-3], [2.0]], }
        /// The natural logarithm; -inf at 0, NaN below.
        Log = log(x) -> y, dy { value: x.ln(), grad: [dy / x], probe: [[0.1], [1.0], [2.5], [40.0]], }
        /// `ln(1 + x)`, exact near 0.
        Log1p = log1p(x) -> y, dy { value: x.ln_1p(), grad: [dy / (1 + x)], probe: [[-0.5], [0.0], [1e-3], [3.0]], }
        /// The square root; NaN below 0.
        Sqrt = sqrt(x) -> y, dy { value: x.sqrt(), grad: [dy / (2 * y)], probe: [[0.25], [1.0], [9.0]], }
        /// `1 / sqrt(x)`.
        Rsqrt = rsqrt(x) -> y, dy { value: 1.0 / x.sqrt(), grad: [-(dy * y / (2 * x))], probe: [[0.25], [1.0], [9.0]], }
        /// `sqrt(1 + x) - 1`, exact near 0.
        Sqrt1pm1 = sqrt1pm1(x) -> y, dy {
            value: if x < 1.0 { x / ((1.0 + x).sqrt() + 1.0) } else { (1.0 + x).sqrt() - 1.0 },
            grad: [dy / (2 * sqrt(1 + x))],
            probe: [[-0.5], [0.0], [1e-3], [8.0]],
        }
        /// The sine of an angle in radians.
        Sin = sin(x) -> y, dy { value: x.sin(), grad: [dy * cos(x)], probe: [[-2.0], [0.0], [0.7], [3.0]], }
        /// The cosine of an angle in radians.
        Cos = cos(x) -> y, dy { value: x.cos(), grad: [-(dy * sin(x))], probe: [[-2.0], [0.0], [0.7], [3.0]], }
        /// The tangent of an angle in radians.
        Tan = tan(x) -> y, dy { value: x.tan(), grad: [dy * (1 + square(y))], probe: [[-1.0], [0.0], [0.7]], }
        /// The angle in `[-π/2, π/2]` whose sine is x.
        Asin = asin(x) -> y, dy { value: x.asin(), grad: [dy / sqrt(1 - square(x))], probe: [[-0.8], [0.0], [0.5]], }
        /// The angle in `[0, π]` whose cosine is x.
        Acos = acos(x) -> y, dy { value: x.acos(), grad: [-(dy / sqrt(1 - square(x)))], probe: [[-0.8], [0.0], [0.5]], }
        /// The angle in `(-π/2, π/2)` whose tangent is x.
        Atan = atan(x) -> y, dy { value: x.atan(), grad: [dy / (1 + square(x))], probe: [[-2.0], [0.0], [0.5]], }
        /// The angle of the point `(x, y)`: `atan2(y, x)`.
        Atan2 = atan2(y, x) -> z, dz {
            value: y.atan2(x),
            grad: [dz * x / (square(x) + square(y)), -(dz * y / (square(x) + square(y)))],
            probe: [[1.0, 2.0], [-1.0, -2.0], [0.5, -0.3], [-2.0, 0.1]],
        }
        /// The hyperbolic sine.
        Sinh = sinh(x) -> y, dy { value: x.sinh(), grad: [dy * cosh(x)], probe: [[-2.0], [0.0], [1.5]], }
        /// The hyperbolic cosine.
        Cosh = cosh(x) -> y, dy { value: x.cosh(), grad: [dy * sinh(x)], probe: [[-2.0], [0.0], [1.5]], }
        /// The hyperbolic tangent.
        Tanh = tanh(x) -> y, dy { value: x.tanh(), grad: [dy * (1 - square(y))], probe: [[-2.0], [0.0], [0.5], [1.5]], }
        /// The inverse of `sinh`.
        Asinh = asinh(x) -> y, dy { value: x.asinh(), grad: [dy / sqrt(1 + square(x))], probe: [[-2.0], [0.0], [1.5]], }
        /// The inverse of `cosh` on `[1, ∞)`.
        Acosh = acosh(x) -> y, dy { value: x.acosh(), grad: [dy / sqrt(square(x) - 1)], probe: [[1.2], [2.0], [5.0]], }
        /// The inverse of `tanh`.
        Atanh = atanh(x) -> y, dy { value: x.atanh(), grad: [dy / (1 - square(x))], probe: [[-0.8], [0.0], [0.5]], }
        /// `1 / (1 + e⁻ˣ)`, computed without overflow.
        Sigmoid = sigmoid(x) -> y, dy { value: x.sigmoid(), grad: [dy * y * (1 - y)], probe: [[-30.0], [-1.0], [0.0], [2.5]], }
        /// `ln(1 + eˣ)`, a smooth `relu`; computed without overflow.
        Softplus = softplus(x) -> y, dy { value: x.softplus(), grad: [dy * sigmoid(x)], probe: [[-30.0], [-1.0], [0.0], [2.5], [30.0]], }
        /// `max(x, 0)`; its derivative at 0 is 0. NaN of NaN.
        Relu = relu(x) -> y, dy { value: x.larger(0.0), grad: [select(gt(y, 0), dy, 0)], probe: [[-1.0], [0.5], [2.0]], }
        /// The error function.
        Erf = erf(x) -> y, dy {
            value: Real::erf(x),
            grad: [dy * (2 / sqrt(pi()) * exp(-square(x)))],
            probe: [[-1.5], [0.0], [0.3], [2.0]],
        }
        /// `1 - erf(x)`, exact where that is small.
        Erfc = erfc(x) -> y, dy {
            value: Real::erfc(x),
            grad: [-(dy * (2 / sqrt(pi()) * exp(-square(x))))],
            probe: [[-1.5], [0.0], [0.3], [2.0]],
        }
        /// `exp(x²) erfc(x)`, which falls like `1 / (√π x)`.
        Erfcx = erfcx(x) -> y, dy {
            value: x.erfcx(),
            grad: [dy * (2 * x * y - 2 / sqrt(pi()))],
            probe: [[-1.5], [0.0], [0.3], [2.0]],
        }
        /// `1 / erfcx(x)`, finite on both sides.
        Rerfcx = rerfcx(x) -> y, dy {
            value: 1.0 / x.erfcx(),
            grad: [dy * (2 * y * (y / sqrt(pi()) - x))],
            probe: [[-1.5], [0.0], [0.3], [2.0]],
        }
        /// `ln erfc(x)`, finite where `erfc` underflows.
        LogErfc = log_erfc(x) -> y, dy {
            value: x.log_erfc(),
            grad: [-(dy * (2 / sqrt(pi()) * rerfcx(x)))],
            probe: [[-1.5], [0.0], [0.3], [2.0]],
        }
        /// The inverse of `erf` on `(-1, 1)`.
        Erfinv = erfinv(x) -> y, dy {
            value: x.erfinv(),
            grad: [dy * (sqrt(pi()) / 2 * exp(square(y)))],
            probe: [[-0.9], [0.0], [0.3], [0.95]],
        }
        /// `ln |Γ(x)|`.
        Lgamma = lgamma(x) -> y, dy { value: x.lgamma(), grad: [dy * digamma(x)], probe: [[0.3], [1.0], [2.5], [12.0]], }
        /// The derivative of `ln Γ(x)`; NaN at the poles.
        Digamma = digamma(x) -> y, dy { value: x.digamma(), grad: [dy * polygamma(1, x)], probe: [[0.3], [1.0], [2.5], [12.0]], }
        /// The derivative of order n of `digamma` at x > 0, n a whole number; there is no derivative by n.
        Polygamma = polygamma(n, x) -> y, dy {
            value: Real::polygamma(n, x),
            grad: [dy * 0, dy * polygamma(n + 1, x)],
            probe: [[1.0, 0.5], [2.0, 3.0], [3.0, 1.5]],
        }
        /// `sin(x) / x`, 1 at 0 as in the limit.
        Sinc = sinc(x) -> y, dy { value: x.sinc(), grad: [dy * polysinc(1, x)], probe: [[-2.0], [0.0], [0.7], [9.0]], }
        /// The derivative of order n of `sinc`, n a whole number; there is no derivative by n.
        Polysinc = polysinc(n, x) -> y, dy {
            value: Real::polysinc(n, x),
            grad: [dy * 0, dy * polysinc(n + 1, x)],
            probe: [[1.0, 0.0], [1.0, 0.7], [2.0, -2.0], [3.0, 9.0]],
        }
        /// `(eˣ - 1) / x`, 1 at 0 as in the limit.
        Exprel = exprel(x) -> y, dy { value: x.exprel(), grad: [dy * polyexprel(1, x)], probe: [[-3.0], [0.0], [1e-3], [2.0]], }
        /// The derivative of order n of `exprel`, n a whole number; there is no derivative by n.
        Polyexprel = polyexprel(n, x) -> y, dy {
            value: Real::polyexprel(n, x),
            grad: [dy * 0, dy * polyexprel(n + 1, x)],
            probe: [[1.0, 0.0], [1.0, -3.0], [2.0, 0.7], [3.0, 4.0]],
        }
        /// `x / (eˣ - 1)`, 1 at 0 as in the limit.
        Rexprel = rexprel(x) -> y, dy { value: x.rexprel(), grad: [dy * polyrexprel(1, x)], probe: [[-3.0], [0.0], [1e-3], [2.0]], }
        /// The derivative of order n of `rexprel`, n a whole number; there is no derivative by n.
        Polyrexprel = polyrexprel(n, x) -> y, dy {
            value: Real::polyrexprel(n, x),
            grad: [dy * 0, dy * polyrexprel(n + 1, x)],
            probe: [[1.0, 0.0], [1.0, -3.0], [2.0, 0.7], [3.0, 4.0]],
        }
        /// `x^y`; where y is 0 the derivative by x is 0, where x is 0 the derivative by y is 0.
        Pow = pow(x, y) -> z, dz {
            value: x.powf(y),
            grad: [select(eq(y, 0), 0, dz * (y * pow(x, y - 1))), select(eq(x, 0), 0, dz * (z * log(x)))],
            probe: [[2.0, 3.0], [0.5, -1.5], [1.7, 0.3]],
        }
        /// `ln(eˣ + eʸ)`, computed without overflow.
        Logaddexp = logaddexp(x, y) -> z, dz {
            value: x.logaddexp(y),
            grad: [dz * sigmoid(x - y), dz * sigmoid(y - x)],
            probe: [[0.0, 0.0], [1.0, -2.0], [-40.0, 3.0]],
        }
        /// `x * log(x)`, 0 at 0 as in the limit. So is the product `x * log(x)` understood.
        Xlogx = xlogx(x) -> y, dy {
            value: if x == 0.0 { 0.0 } else { x * x.ln() },
            grad: [xlogy(dy, x) + dy],
            probe: [[0.2], [1.0], [2.5]],
        }
        /// `x^n * log(x)`, where n is above 0 it is 0 at 0 as in the limit. So is the product understood.
        Powlog = powlog(x, n) -> y, dy {
            value: if x == 0.0 && n > 0.0 { 0.0 } else { x.powf(n) * x.ln() },
            grad: [dy * (n * powlog(x, n - 1) + pow(x, n - 1)), dy * (y * log(x))],
            probe: [[0.2, 2.0], [1.5, 3.0], [2.5, 0.5]],
        }
        /// `x * log(x / y)`, 0 where x is 0. So is the product understood.
        RelEntr = rel_entr(x, y) -> z, dz {
            value: if x == 0.0 && !y.is_nan() { 0.0 } else { x * (x / y).ln() },
            grad: [xlogy(dz, x / y) + dz, -(dz * x / y)],
            probe: [[0.2, 0.5], [1.0, 1.0], [2.5, 0.3]],
        }
        /// `x * log(y)`, 0 where x is 0; where both are 0 its derivative by y is 0.
        Xlogy = xlogy(x, y) -> z, dz {
            value: if x == 0.0 && !y.is_nan() { 0.0 } else { x * y.ln() },
            grad: [dz * log(y), select(and(eq(x, 0), eq(y, 0)), 0, dz * x / y)],
            probe: [[0.2, 0.5], [-1.0, 1.0], [2.5, 0.3]],
        }
        /// The next whole number below.
        Floor = floor(x) -> y, dy { value: x.floor(), grad: [dy * 0], probe: [[-1.5], [0.3], [2.7]], }
        /// The next whole number above.
        Ceil = ceil(x) -> y, dy { value: x.ceil(), grad: [dy * 0], probe: [[-1.5], [0.3], [2.7]], }
        /// The nearest whole number; halves go to the even one.
        Round = round(x) -> y, dy { value: x.round_ties_even(), grad: [dy * 0], probe: [[-1.3], [0.3], [2.7]], }
        /// The whole number towards 0.
        Trunc = trunc(x) -> y, dy { value: x.trunc(), grad: [dy * 0], probe: [[-1.5], [0.3], [2.7]], }
    }
    number {
        /// `x + y`. Integers wrap.
        Add = add(x, y) -> z, dz { value: x + y, int: x.wrapping_add(y), grad: [dz, dz], probe: [[1.0, 2.0], [-0.5, 3.0]], }
        /// `x - y`. Integers wrap.
        Sub = sub(x, y) -> z, dz { value: x - y, int: x.wrapping_sub(y), grad: [dz, -dz], probe: [[1.0, 2.0], [-0.5, 3.0]], }
        /// `x * y`, elementwise. Integers wrap.
        Mul = mul(x, y) -> z, dz { value: x * y, int: x.wrapping_mul(y), grad: [dz * y, dz * x], probe: [[1.0, 2.0], [-0.5, 3.0]], }
        /// `x / y`. Integers are cut towards 0; by 0 they give 0, and `MIN / -1` is `MIN`.
        Div = div(x, y) -> z, dz {
            value: x / y,
            int: if y == 0 { 0 } else { x.wrapping_div(y) },
            grad: [dz / y, -(dz * z / y)],
            probe: [[1.0, 2.0], [-0.5, 3.0], [2.0, -0.7]],
        }
        /// The remainder of `x / y` with the sign of y. Of integers by 0 it is 0.
        Mod = mod(x, y) -> z, dz {
            value: x.modulo(y),
            int: if y == 0 { 0 } else { let r = x.wrapping_rem(y); if r != 0 && (r < 0) != (y < 0) { r + y } else { r } },
            grad: [dz, -(dz * floor(x / y))],
            probe: [[5.5, 2.0], [-1.3, 0.7]],
        }
        /// `-x`. Integers wrap.
        Neg = neg(x) -> y, dy { value: -x, int: x.wrapping_neg(), grad: [-dy], probe: [[1.5], [-2.0]], }
        /// The absolute value; its derivative at 0 is 0. Integers wrap.
        Abs = abs(x) -> y, dy { value: x.abs(), int: x.wrapping_abs(), grad: [dy * sign(x)], probe: [[-1.5], [0.5]], }
        /// -1, 0 or 1.
        Sign = sign(x) -> y, dy { value: x.sign(), int: x.signum(), grad: [dy * 0], probe: [[-1.5], [0.5]], }
        /// `x^2`. Integers wrap.
        Square = square(x) -> y, dy { value: x * x, int: x.wrapping_mul(x), grad: [dy * (2 * x)], probe: [[-1.5], [0.0], [3.0]], }
        /// The larger of two; at a tie both get half of the derivative. NaN where one is NaN.
        Maximum = maximum(x, y) -> z, dz {
            value: x.larger(y),
            int: x.max(y),
            grad: [select(gt(x, y), dz, select(eq(x, y), dz / 2, 0)), select(gt(y, x), dz, select(eq(x, y), dz / 2, 0))],
            probe: [[1.0, 2.0], [3.0, -1.0]],
        }
        /// The smaller of two; at a tie both get half of the derivative. NaN where one is NaN.
        Minimum = minimum(x, y) -> z, dz {
            value: x.smaller(y),
            int: x.min(y),
            grad: [select(lt(x, y), dz, select(eq(x, y), dz / 2, 0)), select(lt(y, x), dz, select(eq(x, y), dz / 2, 0))],
            probe: [[1.0, 2.0], [3.0, -1.0]],
        }
    }
    compare {
        /// Whether x equals y.
        Eq = eq(x, y) { value: x == y, }
        /// Whether x differs from y.
        Ne = ne(x, y) { value: x != y, }
        /// Whether x is below y.
        Lt = lt(x, y) { value: x < y, }
        /// Whether x is not above y.
        Le = le(x, y) { value: x <= y, }
        /// Whether x is above y.
        Gt = gt(x, y) { value: x > y, }
        /// Whether x is not below y.
        Ge = ge(x, y) { value: x >= y, }
    }
    logic {
        /// Whether both hold.
        And = and(x, y) { value: x & y, }
        /// Whether one holds.
        Or = or(x, y) { value: x | y, }
        /// Whether it does not hold.
        Not = not(x) { value: !x, }
    }
}

/// The rows as functions on terms, for use in rules.
macro_rules! functions {
    ($($name:ident $Row:ident ($($x:ident),*);)*) => {$(
        fn $name($($x: impl Into<Term>),*) -> Term {
            apply(Scalar::$Row, vec![$($x.into()),*])
        }
    )*};
}
functions! {
    exp Exp(x); log Log(x); sqrt Sqrt(x); sin Sin(x); cos Cos(x); sinh Sinh(x); cosh Cosh(x); sigmoid Sigmoid(x);
    rerfcx Rerfcx(x); digamma Digamma(x); polygamma Polygamma(n, x); polysinc Polysinc(n, x); polyexprel Polyexprel(n, x); polyrexprel Polyrexprel(n, x); pow Pow(x, y); floor Floor(x); sign Sign(x); square Square(x);
    powlog Powlog(x, n); xlogy Xlogy(x, y); eq Eq(x, y); gt Gt(x, y); lt Lt(x, y); and And(x, y);
}

fn pi() -> Term {
    Term::Number(super::Number::float(PI))
}

fn map<T: Element, R: Element>(x: &Tensor, f: impl Fn(T) -> R) -> Tensor {
    R::wrap(T::of(x).map(|&x| f(x)).into_shared())
}

fn zip<T: Element, R: Element>(
    x: &Tensor,
    y: &Tensor,
    to: &[usize],
    f: impl Fn(T, T) -> R,
) -> Tensor {
    let (x, y) = (spread(T::of(x), to), spread(T::of(y), to));
    R::wrap(ndarray::Zip::from(&x).and(&y).map_collect(|&x, &y| f(x, y)).into_shared())
}

/// A scalar laid out over a shape; anything else as it is.
pub(super) fn spread<'a, T: Element>(x: &'a Array<T>, to: &[usize]) -> ndarray::ArrayViewD<'a, T> {
    x.broadcast(IxDyn(to)).expect("operands are scalars or of the result's shape")
}

/// The shape of an elementwise result: that of the operands that are not scalars.
pub(super) fn common(name: &str, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
    let mut result: Option<(usize, Type)> = None;
    for (i, operand) in operands.iter().enumerate().filter(|(_, operand)| operand.rank() > 0) {
        match &mut result {
            None => result = Some((i, operand.clone())),
            Some((first, known)) => {
                if known.rank() != operand.rank() {
                    return Err(Misfit::shape(format!("`{name}` of {known} and {operand}"))
                        .at(*first, None)
                        .at(i, None));
                }
                for (axis, (a, b)) in known.shape.iter_mut().zip(&operand.shape).enumerate() {
                    match dims.agree(a, b) {
                        Some(size) => *a = size,
                        None => {
                            let message = format!(
                                "`{name}` of {} and {operand}: axis {axis} differs",
                                operands[*first]
                            );
                            return Err(Misfit::shape(message).at(*first, axis).at(i, axis));
                        }
                    }
                }
            }
        }
    }
    Ok(result.map_or_else(|| operands[0].clone(), |(_, ty)| ty))
}

/// Every operand with the new axis, scalars that have none left alone.
pub(super) fn lift(batching: &Batching) -> Vec<Term> {
    let rank = batching.result.rank();
    (0..batching.operands.len())
        .map(|i| match (batching.operands[i].rank(), batching.batched[i]) {
            (0, false) => Term::Var(i),
            (0, true) if rank > 0 => {
                let to: Vec<_> = std::iter::once(batching.size.clone())
                    .chain(batching.result.shape.clone())
                    .collect();
                super::term::spread(Term::Var(i), &to, &(1..=rank).collect::<Vec<_>>())
            }
            _ => batching.lifted(i),
        })
        .collect()
}

impl Scalar {
    /// Whether value and slope are finite wherever the arguments are.
    pub fn is_regular(self) -> bool {
        match self.class() {
            Class::Compare | Class::Logic => true,
            Class::Number => !matches!(self, Scalar::Div | Scalar::Mod),
            Class::Float => matches!(
                self,
                Scalar::Sin
                    | Scalar::Cos
                    | Scalar::Atan
                    | Scalar::Tanh
                    | Scalar::Asinh
                    | Scalar::Sigmoid
                    | Scalar::Softplus
                    | Scalar::Relu
                    | Scalar::Erf
                    | Scalar::Erfc
                    | Scalar::Logaddexp
                    | Scalar::Floor
                    | Scalar::Ceil
                    | Scalar::Round
                    | Scalar::Trunc
            ),
        }
    }
}

impl Scalar {
    /// Whether the first argument is the order of a derivative, a number, by which there is none.
    pub fn has_order(self) -> bool {
        matches!(
            self,
            Scalar::Polygamma | Scalar::Polysinc | Scalar::Polyexprel | Scalar::Polyrexprel
        )
    }
}

impl Operator for Scalar {
    fn name(&self) -> Cow<'static, str> {
        self.word().into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        let first = operands[0].dtype;
        if operands.iter().any(|operand| operand.dtype != first) {
            let message = format!("`{}` of {}: element types differ", self.word(), join(operands));
            return Err(Misfit::dtype(message)
                .at(0, None)
                .at(1, None)
                .help("cast one side, as in `f32(x)`: element types are never changed silently"));
        }
        let fits = match self.class() {
            Class::Float => first.is_float(),
            Class::Number => first != DType::Bool,
            Class::Compare => first != DType::Bool || matches!(self, Scalar::Eq | Scalar::Ne),
            Class::Logic => first == DType::Bool,
        };
        if !fits {
            let wanted = match self.class() {
                Class::Float => "floats",
                Class::Number | Class::Compare => "numbers",
                Class::Logic => "truth values",
            };
            let help = match self.class() {
                Class::Logic => "compare first, as in `x > 0`",
                Class::Float | Class::Number | Class::Compare => "cast it, as in `f32(x)`",
            };
            return Err(Misfit::dtype(format!(
                "`{}` takes {wanted}; this is {first}",
                self.word()
            ))
            .at(0, None)
            .help(help));
        }
        let ty = common(self.word(), operands, dims)?;
        Ok(match self.class() {
            Class::Compare => ty.with_dtype(DType::Bool),
            _ => ty,
        })
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Ok(match x[0].dtype() {
            DType::F32 => floats32(*self, x, to),
            DType::F64 => floats64(*self, x, to),
            DType::I32 => ints32(*self, x, to),
            DType::I64 => ints64(*self, x, to),
            DType::Bool => bools(*self, x, to),
        })
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let terms = self.rule();
        let flows = rule.result.dtype.is_float();
        (0..self.arity()).map(|i| terms.get(i).filter(|_| flows).cloned()).collect()
    }

    fn batch(&self, batching: &Batching) -> Term {
        apply(*self, lift(batching))
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        match self {
            Scalar::Add => Form::Infix("+"),
            Scalar::Sub => Form::Infix("-"),
            Scalar::Mul => Form::Infix("*"),
            Scalar::Div => Form::Infix("/"),
            Scalar::Pow => Form::Infix("^"),
            Scalar::Square => Form::Postfix("^2".into()),
            Scalar::Neg => Form::Prefix("-"),
            Scalar::Eq => Form::Infix("=="),
            Scalar::Ne => Form::Infix("!="),
            Scalar::Lt => Form::Infix("<"),
            Scalar::Le => Form::Infix("<="),
            Scalar::Gt => Form::Infix(">"),
            Scalar::Ge => Form::Infix(">="),
            Scalar::And => Form::Infix("and"),
            Scalar::Or => Form::Infix("or"),
            Scalar::Not => Form::Prefix("not "),
            Scalar::Xlogx => Form::TimesLog { power: false, quotient: false },
            Scalar::Powlog => Form::TimesLog { power: true, quotient: false },
            Scalar::RelEntr => Form::TimesLog { power: false, quotient: true },
            _ => Form::call(self.word(), self.arity()),
        }
    }

    fn is_linear(&self) -> bool {
        *self == Scalar::Neg
    }
}
