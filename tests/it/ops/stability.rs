//! Stability laws: value and gradient at ordinary points are those of the source text, at extreme ones the right numbers.

use super::array::Array;
use super::machine::{Given, derived, evaluate, model, request, results};
use pullback::compile::{Derived, Level};
use pullback::graph::Kind;
use pullback::graph::print::{Part, print};
use pullback::ops::Bindings;
use pullback::ops::special::Mode;
use pullback::ops::stability::STABLE;
use pullback::passes::stable_steps;
use pullback::tensor::DType;

/// A point, the value there, and the gradient.
type Point = (&'static [f64], f64, &'static [f64]);

/// A law, variables, a formula on which it is used, and points at which the source text as written gives no right number.
/// The formula is a number, the point has the elements of all variables one after the other.
type Example = (&'static str, &'static str, &'static str, &'static [Point]);

const BIG: f64 = 1e4;
/// `sigmoid(-40)`.
const SIDE: f64 = 4.248_354_255_291_589e-18;
const LN2: f64 = std::f64::consts::LN_2;
const PI: f64 = std::f64::consts::PI;

const EXAMPLES: &[Example] = &[
    ("negative of a negative", "x: f64", "-(-x)", &[(&[BIG], BIG, &[1.0])]),
    (
        "sigmoid written out",
        "x: f64",
        "1 / (1 + exp(-x))",
        &[(&[-BIG], 0.0, &[0.0]), (&[BIG], 1.0, &[0.0])],
    ),
    ("sigmoid by two exponentials", "x: f64", "exp(x) / (exp(x) + 1)", &[(&[BIG], 1.0, &[0.0])]),
    (
        "square of a sigmoid written out",
        "x: f64",
        "1 / (1 + exp(-x))^2",
        &[(&[-BIG], 0.0, &[0.0]), (&[BIG], 1.0, &[0.0])],
    ),
    ("sigmoid as a power", "x: f64", "(1 + exp(-x))^-1", &[(&[-BIG], 0.0, &[0.0])]),
    ("square of a sigmoid as a power", "x: f64", "(1 + exp(-x))^-2", &[(&[-BIG], 0.0, &[0.0])]),
    (
        "power of a sigmoid written out",
        "x: f64",
        "1 / (1 + exp(-x))^3",
        &[(&[-BIG], 0.0, &[0.0]), (&[BIG], 1.0, &[0.0])],
    ),
    (
        "slope of a sigmoid written out",
        "x: f64",
        "exp(-x) / (1 + exp(-x))^2",
        &[(&[-BIG], 0.0, &[0.0]), (&[BIG], 0.0, &[0.0])],
    ),
    (
        "softmax of two",
        "x: f64; y: f64",
        "exp(x) / (exp(y) + exp(x))",
        &[(&[BIG, BIG], 0.5, &[0.25, -0.25])],
    ),
    (
        "tanh by exponentials",
        "x: f64",
        "(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
        &[(&[BIG], 1.0, &[0.0])],
    ),
    (
        "tanh by one exponential",
        "x: f64",
        "(exp(2 * x) - 1) / (exp(2 * x) + 1)",
        &[(&[BIG], 1.0, &[0.0])],
    ),
    (
        "tanh by one falling exponential",
        "x: f64",
        "(1 - exp(-2 * x)) / (1 + exp(-(2 * x)))",
        &[(&[-BIG], -1.0, &[0.0])],
    ),
    ("tanh by sinh and cosh", "x: f64", "sinh(x) / cosh(x)", &[(&[-BIG], -1.0, &[0.0])]),
    (
        "softmax written out",
        "x: f64[3]",
        "(exp(x) / sum(exp(x)))[0]",
        &[(&[BIG, BIG, -BIG], 0.5, &[0.25, -0.25, 0.0])],
    ),
    (
        "softmax of what is shifted",
        "x: f64[2, 2]",
        "sum(softmax[1](x - max[1, keep](x))[:, 0])",
        &[(&[BIG, BIG, 0.0, BIG], 0.5, &[0.25, -0.25, 0.0, 0.0])],
    ),
    ("logit of a sigmoid", "x: f64", "p = sigmoid(x); log(p / (1 - p))", &[(&[BIG], BIG, &[1.0])]),
    (
        "log of a sigmoid",
        "x: f64; y: f64",
        "p = sigmoid(x); -(y * log(p) + (1 - y) * log(1 - p))",
        &[(&[-BIG, 1.0], BIG, &[-1.0, BIG]), (&[-BIG, 0.0], 0.0, &[0.0, BIG])],
    ),
    ("log of a sigmoid", "x: f64", "log(sigmoid(x))", &[(&[-BIG], -BIG, &[1.0])]),
    (
        "1 - sigmoid",
        "x: f64; y: f64",
        "p = sigmoid(x); -(y * log(p) + (1 - y) * log(1 - p))",
        &[(&[BIG, 0.0], BIG, &[1.0, -BIG])],
    ),
    (
        "product with the log of a positive value",
        "x: f64; y: f64",
        "bce(sigmoid(x), y)",
        &[(&[-BIG, 1.0], BIG, &[-1.0, BIG]), (&[BIG, 0.0], BIG, &[1.0, -BIG])],
    ),
    (
        "positive value times its log",
        "x: f64[2]",
        "p = softmax(x); -sum(p * log(p))",
        &[(&[BIG, 0.0], 0.0, &[0.0, 0.0]), (&[BIG, BIG], LN2, &[0.0, 0.0])],
    ),
    (
        "softmax with zeros times its log",
        "x: f64[3]",
        "p = softmax(where(x < 100, x, -inf)); -sum(p * log(p))",
        &[(&[BIG, 0.0, 0.0], LN2, &[0.0, 0.0, 0.0])],
    ),
    (
        "positive value times the log of its quotient",
        "x: f64",
        "p = exp(x); p * log(p / exp(x + 1))",
        &[(&[-BIG], 0.0, &[0.0])],
    ),
    ("log1p of a negative sigmoid", "x: f64", "log1p(-sigmoid(x))", &[(&[BIG], -BIG, &[-1.0])]),
    (
        "log of a softmax",
        "x: f64[2, 3]",
        "sum(log(softmax[1](x))[:, 1])",
        &[(&[BIG, 0.0, 0.0, 0.0, 0.0, -BIG], -BIG - LN2, &[-1.0, 1.0, 0.0, -0.5, 0.5, 0.0])],
    ),
    (
        "logarithm of an exponential",
        "x: f64",
        "log(exp(x))",
        &[(&[BIG], BIG, &[1.0]), (&[-BIG], -BIG, &[1.0])],
    ),
    (
        "log of 1 + exp",
        "x: f64",
        "log(exp(x) + 1)",
        &[(&[BIG], BIG, &[1.0]), (&[-BIG], 0.0, &[0.0])],
    ),
    ("log1p of exp", "x: f64", "log1p(exp(x))", &[(&[BIG], BIG, &[1.0])]),
    ("1 - exp", "x: f64", "log(1 - exp(-x))", &[(&[1e-20], -46.051_701_859_880_91, &[1e20])]),
    ("log1p of -exp", "x: f64", "log1p(-exp(-x))", &[(&[1e-20], -46.051_701_859_880_91, &[1e20])]),
    (
        "log of exp + exp",
        "x: f64; y: f64",
        "log(exp(x) + exp(y))",
        &[(&[BIG, BIG], BIG + LN2, &[0.5, 0.5])],
    ),
    (
        "log of three exponentials",
        "x: f64; y: f64; z: f64",
        "log(exp(x) + exp(y) + exp(z))",
        &[(&[BIG, BIG, -BIG], BIG + LN2, &[0.5, 0.5, 0.0])],
    ),
    (
        "log-sum-exp written out",
        "x: f64[2, 2]",
        "sum(log(sum[1](exp(x))))",
        &[(&[BIG, BIG, -BIG, -BIG], 2.0 * LN2, &[0.5, 0.5, 0.5, 0.5])],
    ),
    (
        "log of a part of a sum of exponentials",
        "x: f64[2]",
        "log(sum(exp(x)) / 2)",
        &[(&[BIG, BIG], BIG, &[0.5, 0.5]), (&[-BIG, -BIG], -BIG, &[0.5, 0.5])],
    ),
    (
        "log of a multiple of a sum of exponentials",
        "x: f64[2]; y: f64",
        "log(sum(exp(x)) * y)",
        &[(&[BIG, BIG, 0.5], BIG, &[0.5, 0.5, 2.0])],
    ),
    (
        "log of a part of exp + exp",
        "x: f64; y: f64",
        "log((exp(x) + exp(y)) / 2)",
        &[(&[-BIG, -BIG], -BIG, &[0.5, 0.5])],
    ),
    (
        "log of a multiple of exp + exp",
        "x: f64; y: f64",
        "log(0.5 * (exp(x) + exp(y)))",
        &[(&[BIG, BIG], BIG, &[0.5, 0.5])],
    ),
    (
        "log of exp - exp",
        "x: f64; y: f64",
        "log(exp(y) - exp(x)) + x",
        &[
            (&[-BIG, BIG], 0.0, &[1.0, 1.0]),
            (&[0.0, 1e-20], -46.051_701_859_880_91, &[-1e20, 1e20]),
        ],
    ),
    (
        "sum of squares by its root",
        "x: f64[2]",
        "sum(x^2) / sqrt(sum(x^2))",
        &[(&[0.0, 0.0], 0.0, &[0.0, 0.0]), (&[3e-200, 4e-200], 0.0, &[0.0, 0.0])],
    ),
    ("value by its root", "x: f64", "x / sqrt(x)", &[(&[0.0], 0.0, &[f64::INFINITY])]),
    ("log-mean-exp", "x: f64[2]", "log(mean(exp(x)))", &[(&[BIG, BIG], BIG, &[0.5, 0.5])]),
    (
        "log of a weighted sum of exponentials",
        "x: f64[2]; y: f64[2]",
        "log(sum(exp(y) * softmax(x)))",
        &[(&[0.0, 0.0, -BIG, -BIG], -BIG, &[0.0, 0.0, 0.5, 0.5])],
    ),
    (
        "log-sum-exp of what is shifted",
        "x: f64[2, 2]",
        "m = max[1](x); sum(m + log(sum[1](exp(x - m[:, None]))))",
        &[(&[BIG, BIG, 0.0, BIG], 2.0 * BIG + LN2, &[0.5, 0.5, 0.0, 1.0])],
    ),
    (
        "log of a product with an exponential",
        "x: f64; y: f64",
        "log(exp(x) * y)",
        &[(&[BIG, 2.0], BIG + LN2, &[1.0, 0.5]), (&[-BIG, 2.0], LN2 - BIG, &[1.0, 0.5])],
    ),
    (
        "log of a quotient of an exponential",
        "x: f64; y: f64",
        "log(exp(-x^2) / (y * sqrt(2)))",
        &[(&[100.0, 1.0], -BIG - LN2 / 2.0, &[-200.0, -1.0])],
    ),
    (
        "log of a quotient by an exponential",
        "x: f64; y: f64",
        "log(y / exp(x))",
        &[(&[BIG, 2.0], LN2 - BIG, &[-1.0, 0.5])],
    ),
    (
        "log of a product with a sigmoid",
        "x: f64; y: f64",
        "log(y * sigmoid(x))",
        &[(&[-BIG, 2.0], LN2 - BIG, &[1.0, 0.5])],
    ),
    (
        "log of a product with a sigmoid",
        "x: f64; y: f64",
        "log(y * (1 - sigmoid(x)))",
        &[(&[BIG, 2.0], LN2 - BIG, &[-1.0, 0.5])],
    ),
    (
        "log of a product of positive values",
        "x: f64[3]",
        "log(prod(sigmoid(x)))",
        &[(&[-BIG, -BIG, BIG], -2.0 * BIG, &[1.0, 1.0, 0.0])],
    ),
    (
        "log of cosh",
        "x: f64",
        "log(cosh(x))",
        &[(&[BIG], BIG - LN2, &[1.0]), (&[-BIG], BIG - LN2, &[-1.0])],
    ),
    (
        "asinh written out",
        "x: f64",
        "log(x + sqrt(x^2 + 1))",
        &[(&[-1e9], -21.416_413_017_506_355, &[1e-9])],
    ),
    ("atanh written out", "x: f64", "1/2 * log((1 + x) / (1 - x))", &[(&[1e-20], 1e-20, &[1.0])]),
    ("log of 1 + x", "x: f64", "log(x + 1)", &[(&[1e-20], 1e-20, &[1.0])]),
    ("log of 1 - x", "x: f64", "log(1 - x)", &[(&[1e-20], -1e-20, &[-1.0])]),
    (
        "log of a square root",
        "x: f64",
        "log(sqrt(x))",
        &[(&[1e-300], -345.387_763_949_106_85, &[5e299])],
    ),
    (
        "1 - sigmoid",
        "x: f64",
        "1 - sigmoid(x)",
        &[(&[40.0], SIDE, &[-SIDE]), (&[800.0], 0.0, &[0.0])],
    ),
    (
        "1 - sigmoid",
        "x: f64",
        "p = sigmoid(x); p * (1 - p)",
        &[(&[40.0], SIDE, &[-SIDE]), (&[-40.0], SIDE, &[SIDE])],
    ),
    (
        "1 - the square of tanh",
        "x: f64",
        "1 - tanh(x)^2",
        &[(&[20.0], 4.0 * SIDE, &[-8.0 * SIDE]), (&[-20.0], 4.0 * SIDE, &[8.0 * SIDE])],
    ),
    (
        "1 - tanh",
        "x: f64",
        "1 - tanh(x)",
        &[(&[20.0], 2.0 * SIDE, &[-4.0 * SIDE]), (&[-800.0], 2.0, &[0.0])],
    ),
    (
        "1 + tanh",
        "x: f64",
        "1 + tanh(x)",
        &[(&[-20.0], 2.0 * SIDE, &[4.0 * SIDE]), (&[800.0], 2.0, &[0.0])],
    ),
    (
        "log of exp - 1",
        "x: f64",
        "log(exp(x) - 1)",
        &[(&[BIG], BIG, &[1.0]), (&[1e-20], -46.051_701_859_880_91, &[1e20])],
    ),
    (
        "sine by its angle",
        "x: f64",
        "sin(x) / x",
        &[(&[0.0], 1.0, &[0.0]), (&[1e-9], 1.0, &[-1e-9 / 3.0])],
    ),
    (
        "angle by its sine",
        "x: f64",
        "x / sin(x)",
        &[(&[0.0], 1.0, &[0.0]), (&[1e-9], 1.0, &[1e-9 / 3.0])],
    ),
    (
        "1 - cos by the square",
        "x: f64",
        "(1 - cos(x)) / x^2",
        &[(&[0.0], 0.5, &[0.0]), (&[1e-9], 0.5, &[-1e-9 / 12.0])],
    ),
    (
        "1 - cos by the angle",
        "x: f64",
        "(1 - cos(x)) / x",
        &[(&[0.0], 0.0, &[0.5]), (&[1e-9], 0.5e-9, &[0.5])],
    ),
    (
        "exp - 1 by its argument",
        "x: f64",
        "(exp(x) - 1) / x",
        &[(&[0.0], 1.0, &[0.5]), (&[-1e9], 1e-9, &[1e-18])],
    ),
    ("1 - exp by its argument", "x: f64", "(1 - exp(-x)) / x", &[(&[0.0], 1.0, &[-0.5])]),
    (
        "argument by exp - 1",
        "x: f64",
        "x / (exp(x) - 1)",
        &[(&[0.0], 1.0, &[-0.5]), (&[BIG], 0.0, &[0.0]), (&[-1e200], 1e200, &[-1.0])],
    ),
    (
        "argument by 1 - exp",
        "x: f64",
        "x / (1 - exp(-x))",
        &[(&[0.0], 1.0, &[0.5]), (&[BIG], BIG, &[1.0]), (&[-BIG], 0.0, &[0.0])],
    ),
    (
        "sinh by its argument",
        "x: f64",
        "sinh(x) / x",
        &[
            (&[0.0], 1.0, &[0.0]),
            (&[710.0], 1.573_235_750_818_106_4e305, &[1.571_019_925_816_954e305]),
        ],
    ),
    (
        "argument by its sinh",
        "x: f64",
        "x / sinh(x)",
        &[(&[0.0], 1.0, &[0.0]), (&[BIG], 0.0, &[0.0]), (&[-BIG], 0.0, &[0.0])],
    ),
    (
        "tanh by its argument",
        "x: f64",
        "tanh(x) / x",
        &[(&[0.0], 1.0, &[0.0]), (&[BIG], 1.0 / BIG, &[-1.0 / BIG / BIG])],
    ),
    (
        "argument by its tanh",
        "x: f64",
        "x / tanh(x)",
        &[(&[0.0], 1.0, &[0.0]), (&[-BIG], BIG, &[-1.0])],
    ),
    ("tangent by its angle", "x: f64", "tan(x) / x", &[(&[0.0], 1.0, &[0.0])]),
    ("angle by its tangent", "x: f64", "x / tan(x)", &[(&[0.0], 1.0, &[0.0])]),
    ("asin by its argument", "x: f64", "asin(x) / x", &[(&[0.0], 1.0, &[0.0])]),
    ("argument by its asin", "x: f64", "x / asin(x)", &[(&[0.0], 1.0, &[0.0])]),
    (
        "atan by its argument",
        "x: f64",
        "atan(x) / x",
        &[(&[0.0], 1.0, &[0.0]), (&[1e200], PI / 2.0 / 1e200, &[0.0])],
    ),
    ("argument by its atan", "x: f64", "x / atan(x)", &[(&[0.0], 1.0, &[0.0])]),
    ("asinh by its argument", "x: f64", "asinh(x) / x", &[(&[0.0], 1.0, &[0.0])]),
    ("atanh by its argument", "x: f64", "atanh(x) / x", &[(&[0.0], 1.0, &[0.0])]),
    (
        "1 - erf",
        "x: f64",
        "1 - erf(x)",
        &[(&[10.0], 2.088_487_653_407_201_3e-45, &[-4.197_656_231_354_417e-44])],
    ),
    (
        "1 - half of 1 + erf",
        "x: f64",
        "p = 0.5 * (1 + erf(x)); -log(1 - p)",
        &[(&[10.0], 103.573_036_205_404_84, &[20.099_024_116_734_604])],
    ),
    (
        "1 - 1 + erf by 2",
        "x: f64",
        "p = (1 + erf(x)) / 2; -log(1 - p)",
        &[(&[10.0], 103.573_036_205_404_84, &[20.099_024_116_734_604])],
    ),
    (
        "log of 1 + erf",
        "x: f64",
        "log(1 + erf(x))",
        &[(&[-10.0], -102.879_889_024_844_89, &[20.099_024_116_734_604])],
    ),
    (
        "log of a multiple of 1 + erf",
        "x: f64",
        "log(0.5 * (1 + erf(x / sqrt(2))))",
        &[
            (&[-40.0], -804.608_442_013_753_8, &[40.024_968_847_207_26]),
            (&[-100.0], -5_005.524_208_694_205, &[100.009_998_000_999_26]),
            (&[-700.0], -245_007.470_020_909_07, &[700.001_428_565_597_7]),
            (&[40.0], 0.0, &[0.0]),
        ],
    ),
    (
        "log of a part of 1 + erf",
        "x: f64",
        "log((1 + erf(x / sqrt(2))) / 2)",
        &[(&[-38.0], -726.557_216_018_820_1, &[38.026_279_466_575_87])],
    ),
    (
        "log of half and half of erf",
        "x: f64",
        "log(0.5 + 0.5 * erf(x / sqrt(2)))",
        &[(&[-38.0], -726.557_216_018_820_1, &[38.026_279_466_575_87])],
    ),
    (
        "log1p of erf",
        "x: f64",
        "log1p(erf(x))",
        &[(&[-30.0], -903.974_117_110_643_9, &[60.033_296_398_756_23])],
    ),
    (
        "log1p of -erf",
        "x: f64",
        "log1p(-erf(x))",
        &[(&[30.0], -903.974_117_110_643_9, &[-60.033_296_398_756_23])],
    ),
    (
        "half less half of erf",
        "x: f64",
        "log(0.5 - 0.5 * erf(x / sqrt(2)))",
        &[(&[38.0], -726.557_216_018_820_1, &[-38.026_279_466_575_87])],
    ),
    (
        "log of erfc",
        "x: f64",
        "log(1 - erf(x))",
        &[
            (&[30.0], -903.974_117_110_643_9, &[-60.033_296_398_756_23]),
            (&[1e3], -1_000_007.480_120_721_9, &[-2_000.000_999_999_000_2]),
        ],
    ),
    (
        "log of a multiple of erfc",
        "x: f64; y: f64",
        "log(y * erfc(x))",
        &[(&[30.0, 0.5], -904.667_264_291_203_9, &[-60.033_296_398_756_23, 2.0])],
    ),
    (
        "log of a part of erfc",
        "x: f64; y: f64",
        "log(erfc(x) / y)",
        &[(&[30.0, 2.0], -904.667_264_291_203_9, &[-60.033_296_398_756_23, -0.5])],
    ),
    (
        "erfc times the exponential of the square",
        "x: f64",
        "exp(x^2) * (1 - erf(x))",
        &[(&[10.0], 0.056_140_992_743_822_59, &[-0.005_559_312_219_060_857])],
    ),
    (
        "erfc times the exponential of half the square",
        "x: f64",
        "exp(x^2 / 2) * (1 - erf(x / sqrt(2)))",
        &[(&[10.0], 0.079_013_388_202_772_01, &[-0.007_750_678_775_145_297])],
    ),
    (
        "1 + erf times the exponential of the square",
        "x: f64",
        "exp(x^2) * (1 + erf(x))",
        &[(&[-10.0], 0.056_140_992_743_822_59, &[0.005_559_312_219_060_857])],
    ),
    (
        "falling exponential of the square by erfc",
        "x: f64",
        "exp(-x^2) / erfc(x)",
        &[(&[10.0], 17.812_296_347_574_545, &[1.763_846_912_833_586])],
    ),
    (
        "falling exponential of the square by 1 + erf",
        "x: f64",
        "exp(-x^2) / (1 + erf(x))",
        &[(&[-10.0], 17.812_296_347_574_545, &[-1.763_846_912_833_586])],
    ),
    (
        "falling exponential of half the square by erfc",
        "x: f64",
        "exp(-x^2 / 2) / (1 - erf(x / sqrt(2)))",
        &[(&[40.0], 50.163_859_301_817_35, &[1.252_533_738_233_752_2])],
    ),
    (
        "falling exponential of half the square by 1 + erf",
        "x: f64",
        "exp(-x^2 / 2) / (1 + erf(x / sqrt(2)))",
        &[(&[-40.0], 50.163_859_301_817_35, &[-1.252_533_738_233_752_2])],
    ),
    (
        "root of 1 + x less 1",
        "x: f64",
        "sqrt(1 + x^2) - 1",
        &[(&[1e-20], 5e-41, &[1e-20]), (&[1e20], 1e20, &[1.0])],
    ),
    ("root of 1 - x less 1", "x: f64", "sqrt(1 - x) - 1", &[(&[1e-20], -5e-21, &[-0.5])]),
    ("1 - root of 1 + x", "x: f64", "1 - sqrt(x + 1)", &[(&[1e-20], -5e-21, &[-0.5])]),
    ("1 - root of 1 - x", "x: f64", "1 - sqrt(1 - x^2)", &[(&[1e-20], 5e-41, &[1e-20])]),
    ("log1p by its argument", "x: f64", "log(1 + x) / x", &[(&[0.0], 1.0, &[-0.5])]),
    ("argument by its log1p", "x: f64", "x / log(1 + x)", &[(&[0.0], 1.0, &[0.5])]),
    ("exp - 1", "x: f64", "exp(x) - 1", &[(&[1e-20], 1e-20, &[1.0])]),
    ("1 - exp", "x: f64", "1 - exp(x)", &[(&[1e-20], -1e-20, &[-1.0])]),
    (
        "product of exponentials",
        "x: f64; y: f64",
        "exp(x) * exp(y)",
        &[(&[BIG, -BIG], 1.0, &[1.0, 1.0])],
    ),
    (
        "quotient of exponentials",
        "x: f64; y: f64",
        "exp(x) / exp(y)",
        &[(&[BIG, BIG], 1.0, &[1.0, -1.0])],
    ),
    ("quotient of equal values", "x: f64", "s = softplus(x); s / s", &[(&[-BIG], 1.0, &[0.0])]),
    (
        "factor above and below",
        "x: f64; y: f64",
        "s = softplus(x); s * y / s",
        &[(&[-BIG, 3.0], 3.0, &[0.0, 1.0])],
    ),
    (
        "quotient by a product",
        "x: f64; y: f64",
        "s = softplus(x); s / (y * s)",
        &[(&[-BIG, 2.0], 0.5, &[0.0, -0.25])],
    ),
    ("square by itself", "x: f64", "softplus(x)^2 / softplus(x)", &[(&[-BIG], 0.0, &[0.0])]),
    (
        "root of a square",
        "x: f64",
        "sqrt(x^2)",
        &[(&[0.0], 0.0, &[0.0]), (&[-1e-200], 1e-200, &[-1.0])],
    ),
    ("square of a root", "x: f64", "sqrt(relu(x))^2", &[(&[-1.0], 0.0, &[0.0])]),
    ("square of a root of any value", "x: f64", "sqrt(x)^2", &[(&[0.0], 0.0, &[1.0])]),
    ("root times itself", "x: f64", "sqrt(x) * sqrt(x)", &[(&[0.0], 0.0, &[1.0])]),
    ("square times the square of a log", "x: f64", "x^2 * log(x)^2", &[(&[0.0], 0.0, &[0.0])]),
    (
        "sum of squares times its falling exponential",
        "x: f64[2]",
        "s = sum(x^2); s * exp(-s)",
        &[(&[1e200, 1.0], 0.0, &[0.0, 0.0])],
    ),
    (
        "sum of squares times an exponential that falls by it",
        "x: f64; y: f64",
        "x^2 * exp(-x^2 / y)",
        &[(&[1e200, 2.0], 0.0, &[0.0, 0.0])],
    ),
    (
        "root of a sum of squares",
        "x: f64[2]; y: f64",
        "sqrt(sum(x^2) / 2 + y * y)",
        &[(&[0.0, 0.0, 0.0], 0.0, &[0.0, 0.0, 0.0])],
    ),
    ("root of a sum of squares", "x: f64[2]", "sqrt(x @ x)", &[(&[0.0, 0.0], 0.0, &[0.0, 0.0])]),
    (
        "root of a sum of squares",
        "x: f64[2]",
        "std(x) + sqrt(mean(x^2))",
        &[(&[0.0, 0.0], 0.0, &[0.0, 0.0])],
    ),
    (
        "power 1/2 of a sum of squares",
        "x: f64[2]",
        "sum(x^2)^0.5",
        &[(&[0.0, 0.0], 0.0, &[0.0, 0.0])],
    ),
    (
        "variance in two passes",
        "x: f64[2, 2]",
        "sum(mean[1](x^2) - mean[1](x)^2)",
        &[(&[1e9, 1e9 + 2.0, 0.0, 0.0], 1.0, &[-1.0, 1.0, 0.0, 0.0])],
    ),
    (
        "variance of products in two passes",
        "x: f64[2]; y: f64[2]",
        "mean(x * y) - mean(y) * mean(x)",
        &[(&[1e9, 1e9 + 2.0, 1e9, 1e9 + 4.0], 2.0, &[-1.0, 1.0, -0.5, 0.5])],
    ),
    (
        "variance by sums in two passes",
        "x: f64[2]",
        "sum(x^2) / 2 - (sum(x) / 2)^2",
        &[(&[1e9, 1e9 + 2.0], 1.0, &[-1.0, 1.0])],
    ),
    (
        "sum of squared deviations",
        "x: f64[2]",
        "sum(x^2) - sum(x)^2 / 2",
        &[(&[1e9, 1e9 + 2.0], 2.0, &[-2.0, 2.0])],
    ),
    (
        "log of chosen elements",
        "x: f64[2, 3]",
        "sum(log(take_along[1](softmax[1](x), i64(ones(2)))))",
        &[(&[BIG, 0.0, 0.0, 0.0, 0.0, -BIG], -BIG - LN2, &[-1.0, 1.0, 0.0, -0.5, 0.5, 0.0])],
    ),
    (
        "log of chosen elements",
        "x: f64[3]",
        "log(softmax(x)[1])",
        &[(&[BIG, 0.0, 0.0], -BIG, &[-1.0, 1.0, 0.0])],
    ),
    (
        "log of a choice",
        "x: f64; y: f64",
        "p = sigmoid(x); -log(where(y > 0, p, 1 - p))",
        &[(&[-BIG, 1.0], BIG, &[-1.0, 0.0]), (&[BIG, -1.0], BIG, &[1.0, 0.0])],
    ),
    (
        "log of one among many",
        "x: f64[3]",
        "log(sum(softmax(x) * one_hot(1, 3)))",
        &[(&[BIG, 0.0, 0.0], -BIG, &[-1.0, 1.0, 0.0])],
    ),
    (
        "quotient by a sum with exponentials",
        "x: f64",
        "log((1 + exp(x)) / (1 + exp(-x)))",
        &[(&[BIG], BIG, &[1.0]), (&[-BIG], -BIG, &[1.0])],
    ),
    (
        "log of a quotient",
        "x: f64",
        "log(2 * sigmoid(x) / (1 - sigmoid(x))) - log(2)",
        &[(&[BIG], BIG, &[1.0]), (&[-BIG], -BIG, &[1.0])],
    ),
    (
        "atanh of tanh",
        "x: f64",
        "atanh(tanh(x))",
        &[(&[BIG], BIG, &[1.0]), (&[-BIG], -BIG, &[1.0])],
    ),
    (
        "log of a sum with exponentials",
        "x: f64",
        "log(2 + exp(x))",
        &[(&[BIG], BIG, &[1.0]), (&[-BIG], LN2, &[0.0])],
    ),
    (
        "log of 1 + x",
        "x: f64[2]",
        "sum(log(1 + 2 * exp(x)))",
        &[(&[BIG, -BIG], BIG + LN2, &[1.0, 0.0])],
    ),
    (
        "log of a sum with exponentials",
        "x: f64; y: f64",
        "log(exp(x) + 3 * exp(y) + cosh(x)^2 + 1 + y^2)",
        &[(&[-BIG, BIG], 2.0 * BIG - 2.0 * LN2, &[-2.0, 0.0])],
    ),
    (
        "quotient by a sum with exponentials",
        "x: f64",
        "exp(x) / (2 + exp(x))",
        &[(&[BIG], 1.0, &[0.0]), (&[-BIG], 0.0, &[0.0])],
    ),
    (
        "quotient by a sum with exponentials",
        "x: f64[4]",
        "v = exp(x); v[2] / (v[0] + v[1] + v[2] + v[3])",
        &[
            (&[BIG, BIG, BIG, -BIG], 1.0 / 3.0, &[-1.0 / 9.0, -1.0 / 9.0, 2.0 / 9.0, 0.0]),
            (&[-BIG, -BIG, -BIG, -BIG], 0.25, &[-0.0625, -0.0625, 0.1875, -0.0625]),
        ],
    ),
    (
        "quotient by a sum with exponentials",
        "x: f64; y: f64",
        "y / (4 + exp(x))",
        &[(&[BIG, 3.0], 0.0, &[0.0, 0.0]), (&[-BIG, 3.0], 0.75, &[0.0, 0.25])],
    ),
    (
        "quotient by a sum with exponentials",
        "x: f64; y: f64",
        "y / (exp(x) + exp(-x))",
        &[(&[BIG, 3.0], 0.0, &[0.0, 0.0]), (&[0.0, 3.0], 1.5, &[0.0, 0.5])],
    ),
    (
        "quotient by a sum with exponentials",
        "x: f64",
        "3 / sqrt(1 + exp(x))",
        &[(&[BIG], 0.0, &[0.0]), (&[-BIG], 3.0, &[0.0])],
    ),
    (
        "root of a sum with exponentials",
        "x: f64",
        "(1 + exp(x))^-0.5",
        &[(&[BIG], 0.0, &[0.0]), (&[-BIG], 1.0, &[0.0])],
    ),
    (
        "root of a sum with exponentials",
        "x: f64",
        "sqrt(3 + exp(2 * x)) * exp(-x)",
        &[(&[700.0], 1.0, &[0.0])],
    ),
    (
        "log of the square of a positive value",
        "x: f64",
        "log(exp(x)^2)",
        &[(&[BIG], 2.0 * BIG, &[2.0])],
    ),
    (
        "asinh written out the other way",
        "x: f64",
        "log(sqrt(x^2 + 1) - x)",
        &[(&[1e9], -21.416_413_017_506_358, &[-1e-9])],
    ),
    (
        "exponential of a negative exponential",
        "x: f64",
        "exp(-exp(-x))",
        &[(&[-BIG], 0.0, &[0.0]), (&[BIG], 1.0, &[0.0])],
    ),
    (
        "exp - 1 of a negative exponential",
        "x: f64",
        "-expm1(-exp(x))",
        &[
            (&[BIG], 1.0, &[0.0]),
            (&[-BIG], 0.0, &[0.0]),
            (&[-50.0], 1.928_749_847_963_917_8e-22, &[1.928_749_847_963_917_8e-22]),
        ],
    ),
    (
        "1 - exp of a negative exponential",
        "x: f64",
        "1 - exp(-exp(-x))",
        &[(&[-BIG], 1.0, &[0.0]), (&[BIG], 0.0, &[0.0])],
    ),
    ("exp of a negative exponential - 1", "x: f64", "exp(-exp(x)) - 1", &[(&[BIG], -1.0, &[0.0])]),
    (
        "log1p of -exp of a negative exponential",
        "x: f64",
        "log1p(-exp(-exp(x)))",
        &[(&[-BIG], -BIG, &[1.0]), (&[BIG], 0.0, &[0.0])],
    ),
    (
        "log of 1 - exp of a negative exponential",
        "x: f64; y: f64",
        "p = 1 - exp(-exp(x)); -(y * log(p) - (1 - y) * exp(x))",
        &[(&[-BIG, 1.0], BIG, &[-1.0, BIG])],
    ),
    (
        "log of 1 - exp of a negative exponential",
        "x: f64",
        "log(1 - exp(-exp(x)))",
        &[(&[-BIG], -BIG, &[1.0]), (&[BIG], 0.0, &[0.0])],
    ),
    (
        "exp by exp - 1",
        "x: f64",
        "exp(x) / (exp(x) - 1)",
        &[(&[BIG], 1.0, &[0.0]), (&[-BIG], 0.0, &[0.0])],
    ),
    (
        "1 by exp - 1",
        "x: f64",
        "1 / (exp(x) - 1)",
        &[(&[BIG], 0.0, &[0.0]), (&[-BIG], -1.0, &[0.0])],
    ),
    (
        "quotient by exp - 1",
        "x: f64; y: f64",
        "x^3 / (exp(y) - 1)",
        &[(&[2.0, BIG], 0.0, &[0.0, 0.0]), (&[2.0, -BIG], -8.0, &[-12.0, 0.0])],
    ),
    ("1 by cosh", "x: f64", "1 / cosh(x)", &[(&[BIG], 0.0, &[0.0]), (&[-BIG], 0.0, &[0.0])]),
    (
        "quotient by cosh",
        "x: f64; y: f64",
        "x / cosh(y)",
        &[(&[2.0, BIG], 0.0, &[0.0, 0.0]), (&[2.0, 0.0], 2.0, &[1.0, 0.0])],
    ),
    (
        "1 by the square of cosh",
        "x: f64",
        "1 / cosh(x)^2",
        &[(&[BIG], 0.0, &[0.0]), (&[0.0], 1.0, &[0.0])],
    ),
    (
        "quotient by the square of cosh",
        "x: f64; y: f64",
        "x / cosh(y)^2",
        &[(&[2.0, -BIG], 0.0, &[0.0, 0.0])],
    ),
    ("cosh by sinh", "x: f64", "cosh(x) / sinh(x)", &[(&[BIG], 1.0, &[0.0])]),
];

struct Case {
    text: String,
    given: Vec<Given>,
}

/// The model of a formula whose variables have the elements `point`, or ordinary ones.
fn case(given: &str, formula: &str, point: Option<&[f64]>) -> Case {
    let mut text = String::new();
    let mut variables = Vec::new();
    let mut at = 0;
    for part in given.split(';').map(str::trim) {
        let (name, ty) = part.split_once(": ").expect("a name and a type");
        let shape: Vec<usize> = match ty.split_once('[') {
            Some((_, sizes)) => sizes
                .trim_end_matches(']')
                .split(", ")
                .map(|size| size.parse().expect("a size"))
                .collect(),
            None => Vec::new(),
        };
        text.push_str(&format!("input {name}: {ty}\n"));
        let count: usize = shape.iter().product();
        let ordinary = |place: usize| 0.2 + 0.61 * ((place * place + 3 * place) % 5) as f64 / 4.0;
        let values =
            (at..at + count).map(|place| point.map_or_else(|| ordinary(place), |p| p[place]));
        let array = Array { shape, values: values.collect() };
        variables.push(Given { name: name.into(), dtype: DType::F64, array });
        at += count;
    }
    let (statements, value) = formula.rsplit_once("; ").unwrap_or(("", formula));
    text.push_str(&format!("{statements}\nloss L = {value}\n"));
    Case { text, given: variables }
}

impl Case {
    fn derived(&self, level: Level) -> Derived {
        let names: Vec<&str> = self.given.iter().map(|given| given.name.as_str()).collect();
        derived(&model(&self.text), &[request(Mode::Grad, "L", &names, &[])], level, &self.text)
    }

    /// Value and gradient, one after the other.
    fn numbers(&self, level: Level) -> Vec<f64> {
        let model = self.derived(level).model;
        let mut wanted = results(&model, Kind::Loss);
        wanted.extend(results(&model, Kind::Gradient));
        let found = evaluate(&model, &wanted, &self.given, &Bindings::default());
        found.iter().flat_map(|tensor| tensor.to_f64()).collect()
    }
}

fn close(what: &str, found: &[f64], wanted: &[f64], tolerance: f64) {
    for (place, (a, b)) in found.iter().zip(wanted).enumerate() {
        let near = a == b || (a - b).abs() <= tolerance * b.abs().max(1e-30);
        assert!(near, "{what}: number {place} is {a:e}, not {b:e}\n{found:?}\n{wanted:?}");
    }
}

#[test]
fn ordinary_points_keep_their_numbers() {
    for (law, given, formula, _) in EXAMPLES {
        let case = case(given, formula, None);
        let used = case.derived(Level::Readable).stable;
        assert!(used.iter().any(|used| used.law == *law), "{law} in {formula}: {used:?}");
        assert!(used.iter().all(|used| used.at.source().is_some()), "{formula}: {used:?}");
        assert!(case.derived(Level::Derived).stable.is_empty());
        let (written, stable) = (case.numbers(Level::Derived), case.numbers(Level::Readable));
        for (a, b) in stable.iter().zip(&written) {
            assert!((a - b).abs() <= 1e-13 * b.abs().max(1.0), "{formula}: {stable:?} {written:?}");
        }
    }
}

#[test]
fn extreme_points_have_the_right_numbers() {
    for (law, given, formula, points) in EXAMPLES {
        for (point, value, gradient) in *points {
            let case = case(given, formula, Some(point));
            let wanted = [&[*value][..], gradient].concat();
            let stable = case.numbers(Level::Readable);
            close(&format!("{law}: {formula} at {point:?}"), &stable, &wanted, 1e-12);
        }
    }
}

/// As it is written, nearly every formula fails at its extreme points: else there would be no need for the law.
#[test]
fn the_source_as_written_is_left_alone_without_laws() {
    let wrong = EXAMPLES.iter().filter(|(_, given, formula, points)| {
        points.iter().any(|(point, value, gradient)| {
            let case = case(given, formula, Some(point));
            let wanted = [&[*value][..], gradient].concat();
            let near = |(a, b): (&f64, &f64)| a == b || (a - b).abs() <= 1e-9 * b.abs();
            !case.numbers(Level::Derived).iter().zip(&wanted).all(near)
        })
    });
    let wrong = wrong.count();
    assert!(wrong * 10 >= EXAMPLES.len() * 8, "{wrong} of {}", EXAMPLES.len());
}

/// The curvature of the logarithm of a normal distribution function.
#[test]
fn second_order_far_out() {
    let formula = "log(0.5 * (1 + erf(x / sqrt(2))))";
    for (point, wanted) in [
        (-700.0, -0.999_997_959_208_662_6),
        (-40.0, -0.999_377_331_621_408_6),
        (-1.0, -0.800_902_334_451_429_6),
        (40.0, 0.0),
    ] {
        let case = case("x: f64", formula, Some(&[point]));
        let request = request(Mode::Hessian, "L", &["x"], &[]);
        let model = derived(&model(&case.text), &[request], Level::Readable, &case.text).model;
        let nodes = results(&model, Kind::Gradient);
        let found = evaluate(&model, &nodes, &case.given, &Bindings::default());
        close(&format!("{formula} at {point}"), &found[0].to_f64(), &[wanted], 1e-9);
    }
}

#[test]
fn every_law_has_an_example() {
    let names = STABLE.iter().map(|law| law.name).chain(stable_steps().map(|(name, _)| name));
    let missing: Vec<&str> =
        names.filter(|name| !EXAMPLES.iter().any(|(known, ..)| known == name)).collect();
    assert_eq!(missing, [""; 0], "give these an example");
}

/// A value that a derivative names, and what `stop_gradient` hides, is not looked into.
#[test]
fn laws_stop_at_barriers() {
    for (text, wanted) in [
        (
            "input x: f64\np = sigmoid(x)\nq = log(p)\noutput d = grad(q, p)\nloss L = q\n",
            1.0 / 0.5,
        ),
        ("input x: f64\np = exp(x)\nloss L = log(stop_gradient(p)) + x\n", 1.0),
    ] {
        let plain = model(text);
        let by = if text.contains("grad(") { "p" } else { "x" };
        let derived =
            derived(&plain, &[request(Mode::Grad, "L", &[by], &[])], Level::Readable, text);
        assert_eq!(derived.stable, [], "{text}");
        let given = [Given {
            name: "x".into(),
            dtype: DType::F64,
            array: Array { shape: Vec::new(), values: vec![0.0] },
        }];
        let nodes = results(&derived.model, Kind::Gradient);
        let found = evaluate(&derived.model, &nodes, &given, &Bindings::default());
        assert_eq!(found[0].item(), Some(wanted), "{text}");
    }
}

/// A root with a name stands by its name in the gradient.
#[test]
fn roots_keep_their_names() {
    let text = "input x: f64[3]\nr = sqrt(sum(x^2))\nloss L = r\n";
    let derived =
        derived(&model(text), &[request(Mode::Grad, "L", &["x"], &[])], Level::Readable, text);
    let printed = print(&derived.model, Part::Adjoint).text;
    assert!(printed.starts_with("d_x = where(r == 0, 0, x / r)"), "{printed}");
    assert!(derived.report.laws.contains_key("root by its name"), "{:?}", derived.report.laws);
}

/// Where the source text computes both sides of a sigmoid, a gradient has no `1 - sigmoid(x)`; where the two are the weights
/// of a mean, there is one side only.
#[test]
fn sides_of_a_sigmoid() {
    for (text, wanted, stable, law) in [
        ("q = 1 - p\nloss L = p * q^2", "d_x = L * (q - 2 * p)", 1, "other side of a sigmoid"),
        ("loss L = p * y + (1 - p) * x", "d_x = (1 - p) * (1 + (y - x) * p)", 0, ""),
    ] {
        let text = format!("input x: f64\ninput y: f64\np = sigmoid(x)\n{text}\n");
        let request = request(Mode::Grad, "L", &["x"], &[]);
        let derived = derived(&model(&text), &[request], Level::Readable, &text);
        let printed = print(&derived.model, Part::Adjoint).text;
        assert!(printed.starts_with(wanted), "{printed}");
        assert_eq!(derived.stable.len(), stable, "{:?}", derived.stable);
        assert_eq!(derived.report.laws.contains_key(law), stable > 0, "{:?}", derived.report.laws);
    }
}
