//! The error function, the gamma function and the inverse circular functions to about 31 digits.

use super::double::{Double, pi, whole};

/// Above this the series of Stirling has all digits.
const FAR: f64 = 32.0;
/// Bernoulli's numbers B2, B4, ... as numerators and denominators.
const BERNOULLI: [(i128, i128); 15] = [
    (1, 6),
    (-1, 30),
    (1, 42),
    (-1, 30),
    (5, 66),
    (-691, 2730),
    (7, 6),
    (-3617, 510),
    (43_867, 798),
    (-174_611, 330),
    (854_513, 138),
    (-236_364_091, 2730),
    (8_553_103, 6),
    (-23_749_461_029, 870),
    (8_615_841_276_005, 14_322),
];

fn of(number: f64) -> Double {
    Double::from(number)
}

fn bernoulli() -> impl Iterator<Item = Double> {
    BERNOULLI.iter().map(|&(above, below)| whole(above) / whole(below))
}

/// `2/√π e^(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (1·3···(2n+1))`: no term is below 0. [DLMF 7.6.2]
pub fn erf(x: Double) -> Double {
    if x.high().abs() > 9.0 {
        return of(x.high().signum());
    }
    let square = x * x;
    let (mut term, mut sum) = (x, x);
    for number in 1..500 {
        term = term * square * of(2.0) / of(2.0 * f64::from(number) + 1.0);
        sum += term;
        if term.high().abs() < 1e-34 * sum.high().abs() {
            break;
        }
    }
    of(2.0) / pi().sqrt() * (-square).exp() * sum
}

/// From here the continued fraction is used.
const TAIL: f64 = 1.5;

/// `e^(-x²) / (√π erfc(x))` far out by its continued fraction, from the end [DLMF 7.9.1].
fn tail(x: Double) -> Double {
    let terms = 60 + (600.0 / (x.high() * x.high())) as u32;
    (1..=terms).rev().fold(x, |tail, k| x + of(f64::from(k) / 2.0) / tail)
}

/// 1 less the error function.
pub fn erfc(x: Double) -> Double {
    if x.high() < TAIL || !x.high().is_finite() {
        return of(1.0) - erf(x);
    }
    (-(x * x)).exp() / (pi().sqrt() * tail(x))
}

/// `e^(x²) erfc(x)`.
pub fn erfcx(x: Double) -> Double {
    if x.high() < TAIL {
        return (x * x).exp() * erfc(x);
    }
    of(1.0) / (pi().sqrt() * tail(x))
}

/// `ln erfc(x)`.
pub fn log_erfc(x: Double) -> Double {
    if x.high() < TAIL {
        return (-erf(x)).ln_one_more();
    }
    -(x * x) - (pi().sqrt() * tail(x)).ln()
}

/// Newton's steps on `erf` from the f64 `near`.
pub fn erfinv(y: Double, near: f64) -> Double {
    let mut x = of(near);
    if !near.is_finite() || near == 0.0 {
        return x;
    }
    for _ in 0..3 {
        x = x - (erf(x) - y) * pi().sqrt() / of(2.0) * (x * x).exp();
    }
    x
}

/// `ln |Γ(x)|` by Stirling's series far out, by recurrence and reflection elsewhere. [DLMF 5.11.1, 5.5.3]
pub fn lgamma(x: Double) -> Double {
    let one = of(1.0);
    if x.high() < 0.5 {
        let sine = (pi() * x).sine().0.abs();
        if sine.high() == 0.0 || is_pole(x) {
            return of(f64::INFINITY);
        }
        return (pi() / sine).ln() - lgamma(one - x);
    }
    let (mut at, mut product) = (x, one);
    while at.high() < FAR {
        product = product * at;
        at += one;
    }
    let (mut power, mut tail) = (at, of(0.0));
    for (place, number) in bernoulli().enumerate() {
        let twice = 2.0 * (place as f64 + 1.0);
        tail += number / (of(twice * (twice - 1.0)) * power);
        power = power * at * at;
    }
    let half = of(0.5);
    (at - half) * at.ln() - at + ((pi() + pi()).ln()) * half + tail - product.ln()
}

/// The derivative of `lgamma`; NaN at the poles. [DLMF 5.11.2, 5.5.4]
pub fn digamma(x: Double) -> Double {
    let one = of(1.0);
    if is_pole(x) {
        return of(f64::NAN);
    }
    if x.high() < 0.5 {
        let (sine, cosine) = (pi() * x).sine();
        return digamma(one - x) - pi() * cosine / sine;
    }
    let (mut at, mut sum) = (x, of(0.0));
    while at.high() < FAR {
        sum = sum - one / at;
        at += one;
    }
    let (mut power, mut tail) = (at * at, of(0.0));
    for (place, number) in bernoulli().enumerate() {
        tail += number / (of(2.0 * (place as f64 + 1.0)) * power);
        power = power * at * at;
    }
    sum + at.ln() - one / (at + at) - tail
}

/// The derivative of order n of `digamma`, for x above 0 and n from 1 to 8. [DLMF 5.15.8, 5.15.5]
pub fn polygamma(n: f64, x: Double) -> Option<Double> {
    if x.high() <= 0.0 || n.fract() != 0.0 || !(1.0..=8.0).contains(&n) {
        return None;
    }
    let (one, order) = (of(1.0), n as i32);
    let factorial = |count: i32| (2..=count).fold(one, |product, k| product * of(f64::from(k)));
    let power = |x: Double, count: i32| (0..count).fold(one, |product, _| product * x);
    let (mut at, mut sum) = (x, of(0.0));
    while at.high() < FAR + 2.0 * n {
        sum += factorial(order) / power(at, order + 1);
        at += one;
    }
    let mut series = factorial(order - 1) / power(at, order)
        + factorial(order) / (of(2.0) * power(at, order + 1));
    // (2k + n - 1)! / (2k)! is the product of what lies between.
    for (place, number) in bernoulli().enumerate() {
        let twice = 2 * (place as i32 + 1);
        let between = (twice + 1..twice + order).fold(one, |product, k| product * of(f64::from(k)));
        series += number * between / power(at, twice + order);
    }
    let size = sum + series;
    Some(if order % 2 == 0 { -size } else { size })
}

/// The angle of the point (x, y): one step from the nearest f64.
pub fn angle(y: Double, x: Double) -> Double {
    let near = y.high().atan2(x.high());
    if !near.is_finite() || (x.high() == 0.0 && y.high() == 0.0) {
        return of(near);
    }
    let (sine, cosine) = of(near).sine();
    of(near) + (y * cosine - x * sine) / (x * cosine + y * sine)
}

/// The cosine of the angle with this sine, or the other way round.
pub fn other_leg(x: Double) -> Double {
    ((of(1.0) - x) * (of(1.0) + x)).sqrt()
}

fn is_pole(x: Double) -> bool {
    x.high() <= 0.0 && x.high().fract() == 0.0 && x.low() == 0.0
}

#[cfg(test)]
mod tests {
    use crate::exec::precise::double::{Double, scalar};
    use crate::ops::Scalar;

    /// Values by mpmath 1.3 at 50 digits, as the nearest f64 and the nearest f64 to the rest.
    const VALUES: &[(Scalar, &[f64], f64, f64)] = &[
        (Scalar::Erf, &[0.5], 0.5204998778130465, 1.900077467916287e-17),
        (Scalar::Erf, &[3.0], 0.9999779095030014, 5.363397058636269e-17),
        (Scalar::Erf, &[-1.25], -0.9229001282564583, 5.51775442986392e-17),
        (Scalar::Erfc, &[-1.25], 1.9229001282564582, 5.584475816387646e-17),
        (Scalar::Erfc, &[0.5], 0.4795001221869535, -1.900077467916287e-17),
        (Scalar::Erfc, &[1.75], 0.013328328780817557, -6.145085778436527e-19),
        (Scalar::Erfc, &[3.0], 2.209049699858544e-05, 1.5563377960343457e-22),
        (Scalar::Erfc, &[7.5], 2.776649386030569e-26, 2.409335580103955e-42),
        (Scalar::Erfcx, &[-1.25], 9.173643447482844, 5.521328194009145e-16),
        (Scalar::Erfcx, &[1.75], 0.2849722347374364, 8.539813023973122e-18),
        (Scalar::Erfcx, &[30.0], 0.01879588886141675, 8.878686195683187e-19),
        (Scalar::Rerfcx, &[-1.25], 0.10900794277920077, 1.1687468130767628e-18),
        (Scalar::Rerfcx, &[30.0], 53.203123692263866, -3.35248992177773e-15),
        (Scalar::LogErfc, &[-1.25], 0.6538345298738968, 5.543536276192343e-17),
        (Scalar::LogErfc, &[0.5], -0.7350111298370844, -1.5941689792994212e-17),
        (Scalar::LogErfc, &[1.75], -4.317863525433222, -3.953569382317915e-16),
        (Scalar::LogErfc, &[30.0], -903.9741171106439, -3.8951389331119685e-15),
        (Scalar::Sqrt1pm1, &[0.125], 0.06066017177982129, -3.115760811824564e-18),
        (Scalar::Sqrt1pm1, &[100.0], 9.04987562112089, 3.2440499531791143e-16),
        (Scalar::Erfinv, &[0.5], 0.4769362762044699, -4.4226968317836506e-18),
        (Scalar::Erfinv, &[-0.875], -1.0847870400692832, 2.9188858816541226e-17),
        (Scalar::Lgamma, &[0.25], 1.2880225246980774, 2.618836891454408e-17),
        (Scalar::Lgamma, &[7.5], 7.534364236758733, 2.749147566750321e-16),
        (Scalar::Lgamma, &[1.5], -0.12078223763524522, -4.1797047492946264e-18),
        (Scalar::Lgamma, &[40.0], 106.63176026064346, -1.343308512431943e-15),
        (Scalar::Digamma, &[0.25], -4.2274535333762655, 9.61837757047053e-17),
        (Scalar::Digamma, &[7.5], 1.9467574842460869, -6.753670379239585e-17),
        (Scalar::Digamma, &[-1.5], 0.7031566406452432, -4.430586970323463e-18),
        (Scalar::Polygamma, &[1.0, 0.25], 17.19732915450711, 1.5446884379462164e-15),
        (Scalar::Polygamma, &[1.0, 7.5], 0.1426158966967038, 2.0065128977868175e-18),
        (Scalar::Polygamma, &[3.0, 0.25], 1538.7821440091884, -1.817928048249314e-14),
        (Scalar::Sinc, &[0.75], 0.9088516800311123, -5.221607161987695e-17),
        (Scalar::Polysinc, &[1.0, 0.75], -0.23621708154305512, 9.39437039177072e-18),
        (Scalar::Polysinc, &[2.0, -7.5], -0.13294466016605622, -9.068595898723578e-18),
        (Scalar::Polysinc, &[3.0, 4.5], -0.0975521860781352, 6.468977088014961e-18),
        (Scalar::Exprel, &[0.125], 1.0651876245346106, -4.296590166846425e-17),
        (Scalar::Polyexprel, &[1.0, 0.75], 0.8368888815054779, 1.4419260287784713e-17),
        (Scalar::Polyexprel, &[2.0, -7.5], 0.004644708906398036, -2.0319103504290017e-19),
        (Scalar::Polyexprel, &[3.0, 48.0], 1.374183746890775e19, -43.35497661310633),
        (Scalar::Polyexprel, &[1.0, -48.0], 0.00043402777777777775, 2.4063072131598752e-20),
        (Scalar::Rexprel, &[0.125], 0.9388017443752301, -3.4419319387665463e-17),
        (Scalar::Rexprel, &[-3.0], 3.157187089473768, -5.993215873369173e-17),
        (Scalar::Polyrexprel, &[1.0, 0.75], -0.37729753315473274, 9.80061423582736e-18),
        (Scalar::Polyrexprel, &[2.0, -1.5], 0.1337060703689087, 8.068876978215534e-18),
        (Scalar::Polyrexprel, &[3.0, 4.5], -0.019758625067838726, 1.1408981008530971e-18),
        (Scalar::Polyrexprel, &[1.0, -48.0], -1.0, 6.698271188882395e-20),
        (Scalar::Polyrexprel, &[1.0, 30.0], -2.7137106609641673e-12, -1.3772872913495443e-30),
        (Scalar::Asin, &[0.375], 0.3843967744956391, 1.0793527747925466e-18),
        (Scalar::Asin, &[-0.875], -1.0654358165107394, 6.295800189998612e-17),
        (Scalar::Acos, &[-0.875], 2.636232143305636, -1.7256619426184521e-18),
        (Scalar::Atan, &[0.5], 0.4636476090008061, 2.2698777452961687e-17),
        (Scalar::Atan, &[-4.0], -1.3258176636680326, 8.824429373951136e-17),
        (Scalar::Acosh, &[1.0625], 0.3517373900432606, -2.065441199493589e-17),
        (Scalar::Acosh, &[5.0], 2.2924316695611777, -3.2794636723051895e-17),
    ];

    #[test]
    fn values_have_thirty_digits() {
        for &(row, x, high, low) in VALUES {
            let args: Vec<Double> = x.iter().map(|&x| Double::from(x)).collect();
            let found = scalar(row, &args).expect("it is computed to thirty digits");
            let error = (found - Double::of(high, low)).high().abs() / high.abs();
            assert!(error < 1e-29, "{row:?} of {x:?}: {error:e}");
        }
    }
}
