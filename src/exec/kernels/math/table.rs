//! The numbers of every function, for each float type.
//!
//! Polynomials were fitted by least squares on the Chebyshev nodes of their interval, in 60 digits, with weights moved until
//! the relative error of the function was level; in each the constant coefficient comes first.

/// The numbers for one type.
pub trait Table: Sized + 'static {
    /// Added and taken away again, it rounds to whole numbers.
    const MAGIC: Self;
    /// Added to a whole number, it leaves its exponent, biased, in the lowest bits.
    const EXPONENT: Self;
    /// The bits of the fraction.
    const FRACTION: u32;
    /// All of its bits.
    const WIDTH: u32;
    /// A power of two that makes subnormal numbers normal, and its logarithm.
    const SUBNORMAL: (Self, Self);
    /// ln 2 in two parts, the first with room for exact products by exponents.
    const LN2: (Self, Self);
    /// π/2 in parts that have such room.
    const HALF_PI: &'static [Self];
    /// Angles below are reduced by `HALF_PI`.
    const ANGLE: Self;
    /// Below and above, `eˣ` is 0 and infinite.
    const EXP_RANGE: (Self, Self);
    /// Above, half of `eˣ` has no other way than by its exponent.
    const EXP_HALF: Self;
    /// Below, `eˣ - 1` is -1.
    const EXPM1_LOW: Self;
    /// `(eʳ - 1 - r) / r²` of r in [-ln 2 / 2, ln 2 / 2].
    const EXP: &'static [Self];
    /// `(2 artanh(s) / s - 2) / s²` of s² in [0, 0.0401].
    const LOG: &'static [Self];
    /// `(sin(r) / r - 1) / r²` of r² for r up to π/4.
    const SIN: &'static [Self];
    /// `(cos(r) - 1 + r²/2) / r⁴` of r² for r up to π/4.
    const COS: &'static [Self];
    /// `erf(x) / x - 1` of x² up to 1.
    const ERF: &'static [Self];
    /// `-ln(1 - erf(x)) / x - 1` of x from 1 to `ERFC_HIGH`.
    const ERFC: &'static [Self];
    /// Above, `erf` is 1.
    const ERFC_HIGH: Self;
}

impl Table for f32 {
    const MAGIC: Self = 12_582_912.0;
    const EXPONENT: Self = 12_582_912.0 + 127.0;
    const FRACTION: u32 = 23;
    const WIDTH: u32 = 32;
    const SUBNORMAL: (Self, Self) = (33_554_432.0, 25.0);
    const LN2: (Self, Self) = (0.693_359_4, -2.121_944_4e-4);
    const HALF_PI: &'static [Self] = &[1.5703125, 0.0004837513, 7.5495336e-08, 2.563344e-12];
    const ANGLE: Self = 6000.0;
    const EXP_RANGE: (Self, Self) = (-104.0, 89.0);
    const EXP_HALF: Self = 88.0;
    const EXPM1_LOW: Self = -25.0;
    const EXP: &'static [Self] = &[0.49999994, 0.16666521, 0.04166839, 0.008368715, 0.001381456];
    const LOG: &'static [Self] = &[0.6666666, 0.40000868, 0.2850679, 0.24103568];
    const SIN: &'static [Self] = &[-0.16666655, 0.008332177, -0.00019517164];
    const COS: &'static [Self] = &[0.041666646, -0.0013887315, 2.4433019e-05];
    const ERF: &'static [Self] = &[
        0.12837917,
        -0.37612626,
        0.11283584,
        -0.026853774,
        0.005188255,
        -0.00080095575,
        7.8517594e-05,
    ];
    const ERFC: &'static [Self] = &[
        0.12859713,
        0.63542116,
        0.10564831,
        -0.023070415,
        0.0031692712,
        -0.00013426052,
        -2.9294099e-05,
        3.6258155e-06,
    ];
    const ERFC_HIGH: Self = 4.0;
}

impl Table for f64 {
    const MAGIC: Self = 6_755_399_441_055_744.0;
    const EXPONENT: Self = 6_755_399_441_055_744.0 + 1023.0;
    const FRACTION: u32 = 52;
    const WIDTH: u32 = 64;
    const SUBNORMAL: (Self, Self) = (18_014_398_509_481_984.0, 54.0);
    const LN2: (Self, Self) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
    const HALF_PI: &'static [Self] =
        &[1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32];
    const ANGLE: Self = 1e6;
    const EXP_RANGE: (Self, Self) = (-746.0, 710.0);
    const EXP_HALF: Self = 709.0;
    const EXPM1_LOW: Self = -50.0;
    const EXP: &'static [Self] = &[
        0.5000000000000011,
        0.16666666666666413,
        0.0416666666665301,
        0.008333333333494222,
        0.0013888888943637328,
        0.00019841269507153326,
        2.4801493098114165e-05,
        2.7557585853210123e-06,
        2.7630246611969243e-07,
        2.5000220785196292e-08,
    ];
    const LOG: &'static [Self] = &[
        0.666666666666666,
        0.40000000000056973,
        0.2857142855576444,
        0.22222224303155633,
        0.18181665497396718,
        0.15391123773950965,
        0.13173407162385273,
        0.13844305210661603,
    ];
    const SIN: &'static [Self] = &[
        -0.16666666666666632,
        0.008333333333322368,
        -0.00019841269829777667,
        2.7557313682922666e-06,
        -2.5050756863966412e-08,
        1.5896729769350378e-10,
    ];
    const COS: &'static [Self] = &[
        0.041666666666666595,
        -0.0013888888888873028,
        2.4801587288833594e-05,
        -2.755731417412171e-07,
        2.0875700141886684e-09,
        -1.1358500296632663e-11,
    ];
    const ERF: &'static [Self] = &[
        0.12837916709551256,
        -0.3761263890318352,
        0.11283791670944184,
        -0.026866170643111205,
        0.005223977606116402,
        -0.0008548325929219,
        0.00012055293574151621,
        -1.4924712251125542e-05,
        1.6447130965623439e-06,
        -1.6206309278405356e-07,
        1.371096165681692e-08,
        -7.779434613227564e-10,
    ];
    const ERFC: &'static [Self] = &[
        0.12837921761168217,
        0.6366191962285909,
        0.10277570233307969,
        -0.019138903237545992,
        -0.0001843706760230281,
        0.0016521252345081867,
        -0.0005293957592240825,
        -4.052048860473682e-05,
        0.00012286442318213962,
        -7.117734900500658e-05,
        2.7058356792524342e-05,
        -7.76299328245297e-06,
        1.74882815337617e-06,
        -3.1192433514007003e-07,
        4.369624391803974e-08,
        -4.706284253963614e-09,
        3.754378201204271e-10,
        -2.081893593045685e-11,
        7.124873334899227e-13,
        -1.1242211661481133e-14,
    ];
    const ERFC_HIGH: Self = 6.0;
}
