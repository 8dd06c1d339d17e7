//! Laws of stability, one a row: what is written down in the left form is computed in the right one.
//!
//! Both sides are equal over the reals wherever both are defined. The right side is finite where the left one overflows or
//! divides 0 by 0, and where both are finite it is not less exact.

use super::reduce::{Fold, Reduce, Softmax};
use super::shape::Broadcast;
use super::size::{Shape, Size};
use super::term::{apply, select};
use super::{Number, Op, Scalar, Term};
use smallvec::SmallVec;
use std::sync::LazyLock;

/// What must be known of a value for a law to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// The variable is above 0 wherever it is defined.
    Positive(usize),
    /// The variable is not below 0 wherever it is defined.
    NotNegative(usize),
    /// The variable is a sum of squares: not below 0, and flat where it is 0.
    Squares(usize),
}

/// A law with its name. In its terms an operator without axes is one along axes A, the same all through the law.
pub struct Stable {
    /// The name.
    pub name: &'static str,
    /// What is looked for; sums and products in either order.
    pub left: Term,
    /// What takes its place.
    pub right: Term,
    /// Where it holds.
    pub when: Condition,
    /// The equality in print.
    pub text: [&'static str; 2],
}

impl Stable {
    /// The operator that the left side begins with, and its operands.
    pub fn root(&self) -> (&Op, &[Term]) {
        match &self.left {
            Term::Apply(inner) => (&inner.0, &inner.1),
            _ => unreachable!("the left side of a law is an operator on terms"),
        }
    }

    /// The side condition in print, for variables named x, y, z.
    pub fn condition(&self) -> String {
        let name = |number: usize| ["x", "y", "z", "w"][number];
        match self.when {
            Condition::Always => String::new(),
            Condition::Positive(number) => format!("{} > 0", name(number)),
            Condition::NotNegative(number) => format!("{} >= 0", name(number)),
            Condition::Squares(number) => format!("{} is a sum of squares", name(number)),
        }
    }
}

/// The name of the number of elements along the axes A of a law.
pub const COUNT: &str = "A";

macro_rules! laws {
    ($($name:literal ($($x:ident),*) $([$when:ident $number:literal])?: $left:expr => $right:expr;)*) => {
        /// All of them. Of two that fit the earlier is used.
        // `x / x` is a pattern.
        #[allow(clippy::eq_op)]
        pub static STABLE: LazyLock<Vec<Stable>> = LazyLock::new(|| {
            vec![$({
                let [$($x),*] = &std::array::from_fn(Term::Var);
                Stable {
                    name: $name,
                    left: Term::from($left),
                    right: Term::from($right),
                    when: laws!(@ $($when $number)?),
                    text: [stringify!($left), stringify!($right)],
                }
            }),*]
        });
    };
    (@) => { Condition::Always };
    (@ $when:ident $number:literal) => { Condition::$when($number) };
}

macro_rules! functions {
    ($($name:ident $Row:ident ($($x:ident),*);)*) => {$(
        fn $name($($x: impl Into<Term>),*) -> Term {
            apply(Scalar::$Row, vec![$($x.into()),*])
        }
    )*};
}
functions! {
    exp Exp(x); log Log(x); log1p Log1p(x); expm1 Expm1(x); sqrt Sqrt(x); square Square(x); abs Abs(x); pow Pow(x, y);
    sinh Sinh(x); cosh Cosh(x); tanh Tanh(x); asinh Asinh(x); atanh Atanh(x); sigmoid Sigmoid(x); softplus Softplus(x);
    logaddexp Logaddexp(x, y); eq Eq(x, y); ge Ge(x, y); sin Sin(x); cos Cos(x); sinc Sinc(x);
    tan Tan(x); asin Asin(x); atan Atan(x); erf Erf(x); erfc Erfc(x); erfcx Erfcx(x); rerfcx Rerfcx(x); log_erfc LogErfc(x); sqrt1pm1 Sqrt1pm1(x); lt Lt(x, y); rexprel Rexprel(x); exprel Exprel(x); xlogx Xlogx(x); rel_entr RelEntr(x, y); xlogy Xlogy(x, y);
}

fn folded(kind: Fold, x: impl Into<Term>) -> Term {
    apply(Reduce { kind, axes: SmallVec::new() }, vec![x.into()])
}

fn sum(x: impl Into<Term>) -> Term {
    folded(Fold::Sum, x)
}

fn mean(x: impl Into<Term>) -> Term {
    folded(Fold::Mean, x)
}

fn prod(x: impl Into<Term>) -> Term {
    folded(Fold::Prod, x)
}

fn logsumexp(x: impl Into<Term>) -> Term {
    folded(Fold::Logsumexp, x)
}

fn softmax(x: impl Into<Term>) -> Term {
    apply(Softmax { axes: SmallVec::new() }, vec![x.into()])
}

/// A value without the axes A, repeated along them.
fn keep(x: impl Into<Term>) -> Term {
    apply(Broadcast { to: Shape::new(), from: SmallVec::new() }, vec![x.into()])
}

fn count() -> Term {
    Term::Size(Size::named(COUNT))
}

fn half() -> Term {
    Term::Number(Number::ratio(1, 2))
}

fn nan() -> Term {
    Term::Number(Number::float(f64::NAN))
}

laws! {
    "negative of a negative" (x): -(-x) => x;
    "sigmoid written out" (x): 1 / (1 + exp(x)) => sigmoid(-x);
    "sigmoid by two exponentials" (x): exp(x) / (1 + exp(x)) => sigmoid(x);
    "square of a sigmoid written out" (x): 1 / square(1 + exp(x)) => square(sigmoid(-x));
    "sigmoid as a power" (x): pow(1 + exp(x), -1) => sigmoid(-x);
    "square of a sigmoid as a power" (x): pow(1 + exp(x), -2) => square(sigmoid(-x));
    "power of a sigmoid written out" (x, y): 1 / pow(1 + exp(x), y) => pow(sigmoid(-x), y);
    "slope of a sigmoid written out" (x): exp(x) / square(1 + exp(x)) => sigmoid(x) * sigmoid(-x);
    "softmax of two" (x, y): exp(x) / (exp(x) + exp(y)) => sigmoid(x - y);
    "tanh by exponentials" (x): (exp(x) - exp(-x)) / (exp(x) + exp(-x)) => tanh(x);
    "tanh by one exponential" (x): expm1(2 * x) / (1 + exp(2 * x)) => tanh(x);
    "tanh by one falling exponential" (x): -expm1(-2 * x) / (1 + exp(-2 * x)) => tanh(x);
    "tanh by sinh and cosh" (x): sinh(x) / cosh(x) => tanh(x);
    "softmax written out" (x): exp(x) / keep(sum(exp(x))) => softmax(x);
    "softmax of what is shifted" (x, y): softmax(x - keep(y)) => softmax(x);
    "1 - sigmoid" (x): 1 - sigmoid(x) => sigmoid(-x);
    "1 - the square of tanh" (x): 1 - square(tanh(x)) => 4 * sigmoid(2 * x) * sigmoid(-(2 * x));
    "1 - tanh" (x): 1 - tanh(x) => 2 * sigmoid(-(2 * x));
    "1 + tanh" (x): 1 + tanh(x) => 2 * sigmoid(2 * x);
    "logit of a sigmoid" (x): log(sigmoid(x) / sigmoid(-x)) => x;
    "log of a sigmoid" (x): log(sigmoid(x)) => -softplus(-x);
    "log1p of a negative sigmoid" (x): log1p(-sigmoid(x)) => -softplus(x);
    "log of a softmax" (x): log(softmax(x)) => x - keep(logsumexp(x));
    "product with the log of a positive value" (x, y) [Positive 1]: xlogy(x, y) => x * log(y);
    "positive value times its log" (x) [Positive 0]: xlogx(x) => x * log(x);
    "softmax with zeros times its log" (x): xlogx(softmax(x))
        => select(eq(softmax(x), 0), 0, softmax(x) * log(softmax(x)));
    "positive value times the log of its quotient" (x, y) [Positive 0]: rel_entr(x, y) => x * log(x / y);
    "logarithm of an exponential" (x): log(exp(x)) => x;
    "log of 1 + exp" (x): log(1 + exp(x)) => softplus(x);
    "log1p of exp" (x): log1p(exp(x)) => softplus(x);
    "log1p of -exp" (x): log1p(-exp(x)) => log(-expm1(x));
    "log of exp + exp" (x, y): log(exp(x) + exp(y)) => logaddexp(x, y);
    "log of three exponentials" (x, y, z): log(exp(x) + exp(y) + exp(z)) => logaddexp(logaddexp(x, y), z);
    "log-sum-exp written out" (x): log(sum(exp(x))) => logsumexp(x);
    "log of a part of a sum of exponentials" (x, y): log(sum(exp(x)) / y) => logsumexp(x) - log(y);
    "log of a multiple of a sum of exponentials" (x, y): log(y * sum(exp(x))) => logsumexp(x) + log(y);
    "log of a part of exp + exp" (x, y, z): log((exp(x) + exp(y)) / z) => logaddexp(x, y) - log(z);
    "log of a multiple of exp + exp" (x, y, z): log(z * (exp(x) + exp(y))) => logaddexp(x, y) + log(z);
    "log of exp - exp" (x, y): log(exp(x) - exp(y)) => x + log(-expm1(y - x));
    "log-mean-exp" (x): log(mean(exp(x))) => logsumexp(x) - log(count());
    "log of a weighted sum of exponentials" (x, y) [Positive 0]: log(sum(x * exp(y))) => logsumexp(log(x) + y);
    "log-sum-exp of what is shifted" (x, y): y + logsumexp(x - keep(y)) => logsumexp(x);
    "log of a product with an exponential" (x, y): log(x * exp(y)) => log(x) + y;
    "log of a quotient of an exponential" (x, y): log(exp(x) / y) => x - log(y);
    "log of a quotient by an exponential" (x, y): log(x / exp(y)) => log(x) - y;
    "log of a product with a sigmoid" (x, y): log(sigmoid(x) * y) => log(sigmoid(x)) + log(y);
    "log of a product of positive values" (x) [Positive 0]: log(prod(x)) => sum(log(x));
    "log of the square of a positive value" (x) [Positive 0]: log(square(x)) => 2 * log(x);
    "log of cosh" (x): log(cosh(x)) => logaddexp(x, -x) - log(2);
    "asinh written out" (x): log(x + sqrt(square(x) + 1)) => asinh(x);
    "asinh written out the other way" (x): log(sqrt(square(x) + 1) - x) => -asinh(x);
    "atanh written out" (x): log((1 + x) / (1 - x)) => 2 * atanh(x);
    "atanh of tanh" (x): atanh(tanh(x)) => x;
    "log of 1 + erf" (x): log(1 + erf(x)) => log_erfc(-x);
    "log of a multiple of 1 + erf" (x, y): log(y * (1 + erf(x))) => log(y) + log_erfc(-x);
    "log of a part of 1 + erf" (x, y): log((1 + erf(x)) / y) => log_erfc(-x) - log(y);
    "log of half and half of erf" (x): log(half() + half() * erf(x)) => log_erfc(-x) - log(2);
    "log1p of erf" (x): log1p(erf(x)) => log_erfc(-x);
    "log1p of -erf" (x): log1p(-erf(x)) => log_erfc(x);
    "log of 1 + x" (x): log(1 + x) => log1p(x);
    "log of 1 - x" (x): log(1 - x) => log1p(-x);
    "log of a square root" (x): log(sqrt(x)) => log(x) / 2;
    "exponential of a negative exponential" (x):
        exp(-exp(x)) => select(lt(exp(x), 1000), exp(-exp(x)), 0);
    "1 - exp of a negative exponential" (x):
        1 - select(lt(exp(x), 1000), exp(-exp(x)), 0) => -expm1(-exp(x));
    "exp of a negative exponential - 1" (x):
        select(lt(exp(x), 1000), exp(-exp(x)), 0) - 1 => expm1(-exp(x));
    "exp - 1 of a negative exponential" (x):
        expm1(-exp(x)) => select(lt(exp(x), 1000), expm1(-exp(x)), -1);
    "log of 1 - exp of a negative exponential" (x): log(-select(lt(exp(x), 1000), expm1(-exp(x)), -1))
        => select(lt(x, 0), x + log(exprel(-exp(x))), log(-expm1(-exp(x))));
    "log1p of -exp of a negative exponential" (x):
        log1p(-select(lt(exp(x), 1000), exp(-exp(x)), 0)) => log(-expm1(-exp(x)));
    "exp - 1" (x): exp(x) - 1 => expm1(x);
    "1 - exp" (x): 1 - exp(x) => -expm1(x);
    "log of exp - 1" (x): log(expm1(x)) => x + log(-expm1(-x));
    "1 - erf" (x): 1 - erf(x) => erfc(x);
    "1 - half of 1 + erf" (x): 1 - half() * (1 + erf(x)) => half() * erfc(x);
    "1 - 1 + erf by 2" (x): 1 - (1 + erf(x)) / 2 => erfc(x) / 2;
    "half less half of erf" (x): half() - half() * erf(x) => half() * erfc(x);
    "log of erfc" (x): log(erfc(x)) => log_erfc(x);
    "log of a multiple of erfc" (x, y): log(y * erfc(x)) => log(y) + log_erfc(x);
    "log of a part of erfc" (x, y): log(erfc(x) / y) => log_erfc(x) - log(y);
    "erfc times the exponential of the square" (x): exp(square(x)) * erfc(x) => erfcx(x);
    "erfc times the exponential of half the square" (x):
        exp(square(x) / 2) * erfc(x / sqrt(2)) => erfcx(x / sqrt(2));
    "1 + erf times the exponential of the square" (x): exp(square(x)) * (1 + erf(x)) => erfcx(-x);
    "falling exponential of the square by erfc" (x): exp(-square(x)) / erfc(x) => rerfcx(x);
    "falling exponential of the square by 1 + erf" (x): exp(-square(x)) / (1 + erf(x)) => rerfcx(-x);
    "falling exponential of half the square by erfc" (x):
        exp(-square(x) / 2) / erfc(x / sqrt(2)) => rerfcx(x / sqrt(2));
    "falling exponential of half the square by 1 + erf" (x):
        exp(-square(x) / 2) / (1 + erf(x / sqrt(2))) => rerfcx(-x / sqrt(2));
    "root of 1 + x less 1" (x): sqrt(1 + x) - 1 => sqrt1pm1(x);
    "root of 1 - x less 1" (x): sqrt(1 - x) - 1 => sqrt1pm1(-x);
    "1 - root of 1 + x" (x): 1 - sqrt(1 + x) => -sqrt1pm1(x);
    "1 - root of 1 - x" (x): 1 - sqrt(1 - x) => -sqrt1pm1(-x);
    "sine by its angle" (x): sin(x) / x => sinc(x);
    "angle by its sine" (x): x / sin(x) => 1 / sinc(x);
    "1 - cos by the square" (x): (1 - cos(x)) / square(x) => square(sinc(x / 2)) / 2;
    "1 - cos by the angle" (x): (1 - cos(x)) / x => x * square(sinc(x / 2)) / 2;
    "exp - 1 by its argument" (x): expm1(x) / x => exprel(x);
    "1 - exp by its argument" (x): -expm1(-x) / x => exprel(-x);
    "argument by exp - 1" (x): x / expm1(x) => rexprel(x);
    "argument by 1 - exp" (x): x / -expm1(-x) => rexprel(-x);
    "exp by exp - 1" (x): exp(x) / expm1(x) => select(lt(x, 0), exp(x) / expm1(x), 1 / -expm1(-x));
    "1 by exp - 1" (x): 1 / expm1(x) => select(lt(x, 0), 1 / expm1(x), exp(-x) / -expm1(-x));
    "quotient by exp - 1" (x, y): x / expm1(y) => x * (1 / expm1(y));
    "1 by cosh" (x): 1 / cosh(x) => 2 * exp(-logaddexp(x, -x));
    "quotient by cosh" (x, y): x / cosh(y) => x * (1 / cosh(y));
    "1 by the square of cosh" (x): 1 / square(cosh(x)) => 4 * (sigmoid(2 * x) * sigmoid(-(2 * x)));
    "quotient by the square of cosh" (x, y): x / square(cosh(y)) => x * (1 / square(cosh(y)));
    "cosh by sinh" (x): cosh(x) / sinh(x) => 1 / tanh(x);
    "log1p by its argument" (x): log1p(x) / x => rexprel(log1p(x));
    "argument by its log1p" (x): x / log1p(x) => exprel(log1p(x));
    "sinh by its argument" (x): sinh(x) / x => select(lt(abs(x), 1), (exprel(x) + exprel(-x)) / 2, sinh(x) / x);
    "argument by its sinh" (x): x / sinh(x) => 2 * sigmoid(x) * rexprel(x);
    "tanh by its argument" (x): tanh(x) / x => 2 / (rexprel(2 * x) + rexprel(-(2 * x)));
    "argument by its tanh" (x): x / tanh(x) => (rexprel(2 * x) + rexprel(-(2 * x))) / 2;
    "tangent by its angle" (x): tan(x) / x => sinc(x) / cos(x);
    "angle by its tangent" (x): x / tan(x) => cos(x) / sinc(x);
    "asin by its argument" (x): asin(x) / x => 1 / sinc(asin(x));
    "argument by its asin" (x): x / asin(x) => sinc(asin(x));
    "atan by its argument" (x):
        atan(x) / x => select(lt(abs(x), 1), 1 / (sqrt(1 + square(x)) * sinc(atan(x))), atan(x) / x);
    "argument by its atan" (x):
        x / atan(x) => select(lt(abs(x), 1), sqrt(1 + square(x)) * sinc(atan(x)), x / atan(x));
    "asinh by its argument" (x):
        asinh(x) / x => select(lt(abs(x), 1), 2 / (exprel(asinh(x)) + exprel(-asinh(x))), asinh(x) / x);
    "atanh by its argument" (x): atanh(x) / x => (log1p(x) / x + log1p(-x) / -x) / 2;
    "product of exponentials" (x, y): exp(x) * exp(y) => exp(x + y);
    "quotient of exponentials" (x, y): exp(x) / exp(y) => exp(x - y);
    "quotient of equal values" (x) [Positive 0]: x / x => 1;
    "factor above and below" (x, y) [Positive 0]: x * y / x => y;
    "quotient by a product" (x, y) [Positive 0]: x / (x * y) => 1 / y;
    "value by its root" (x): x / sqrt(x) => sqrt(x);
    "sum of squares by its root" (x): x / select(eq(x, 0), 0, sqrt(x)) => select(eq(x, 0), 0, sqrt(x));
    "square by itself" (x) [Positive 0]: square(x) / x => x;
    "root of a square" (x): sqrt(square(x)) => abs(x);
    "square of a root" (x) [NotNegative 0]: square(sqrt(x)) => x;
    "square of a root of any value" (x): square(sqrt(x)) => select(ge(x, 0), x, nan());
    "root times itself" (x): sqrt(x) * sqrt(x) => square(sqrt(x));
    "square times the square of a log" (x): square(x) * square(log(x)) => square(xlogx(x));
    "sum of squares times its falling exponential" (x) [Squares 0]:
        x * exp(-x) => select(eq(exp(-x), 0), 0, x * exp(-x));
    "sum of squares times an exponential that falls by it" (x, y) [Squares 0]:
        x * exp(-x / y) => select(eq(exp(-x / y), 0), 0, x * exp(-x / y));
    "root of a sum of squares" (x) [Squares 0]: sqrt(x) => select(eq(x, 0), 0, sqrt(x));
    "power 1/2 of a sum of squares" (x) [Squares 0]: pow(x, half()) => sqrt(x);
    "variance in two passes" (x): mean(square(x)) - square(mean(x)) => mean(square(x - keep(mean(x))));
    "variance of products in two passes" (x, y):
        mean(x * y) - mean(x) * mean(y) => mean((x - keep(mean(x))) * (y - keep(mean(y))));
    "variance by sums in two passes" (x):
        sum(square(x)) / count() - square(sum(x) / count()) => mean(square(x - keep(mean(x))));
    "sum of squared deviations" (x):
        sum(square(x)) - square(sum(x)) / count() => sum(square(x - keep(mean(x))));
}
