//! What a `where` does not take is computed and not used: no infinite value or slope of it is seen, at any order.

use super::array::{Array, build, scalar, total};
use super::case::{Row, check_all};

fn positive(x: f64, f: impl Fn(f64) -> f64) -> f64 {
    if x > 0.0 { f(x) } else { 0.0 }
}

/// The rows of a matrix that are above 0 throughout, through `f`; 0 for the others.
fn lines(x: &Array, f: impl Fn(&[f64]) -> f64) -> Array {
    let width = x.size(1);
    build(&x.shape[..1], |i| {
        let row = &x.values[i[0] * width..(i[0] + 1) * width];
        if row.iter().all(|v| *v > 0.0) { f(row) } else { 0.0 }
    })
}

const GUARDED: &[Row] = &[
    ("x: f64[N=3] = -1 -2 4", "where(x > 0, sqrt(x), 0)", |a| a[0].map(|x| positive(x, f64::sqrt))),
    ("x: f64[N=3] = -1 -2 4", "where(x <= 0, 0, x * log(x))", |a| {
        a[0].map(|x| positive(x, |x| x * x.ln()))
    }),
    ("x: f64[N=3] = -1 -2 4", "where(x > 0, where(x > 2, log(x), x), x * x)", |a| {
        a[0].map(|x| {
            if x > 2.0 {
                x.ln()
            } else if x > 0.0 {
                x
            } else {
                x * x
            }
        })
    }),
    ("x: f64[N=4] = -1 -0.3 3 -2", "where(x > -1.5, where(x > 0.5, log(x), 0), x)", |a| {
        a[0].map(|x| if x > -1.5 { positive(x - 0.5, |x| (x + 0.5).ln()) } else { x })
    }),
    ("x: f64[4] = -1 -2 3 2", "where(reshape(x, [2, 2]) > 0, reshape(log(x), [2, 2]), 0)", |a| {
        Array { shape: vec![2, 2], values: a[0].map(|x| positive(x, f64::ln)).values }
    }),
    ("x: f64[4] = -1 -2 3 2", "where(x[1:] > 0, sqrt(x)[1:], 1)", |a| {
        build(&[3], |i| if i[0] == 0 { 1.0 } else { a[0].values[i[0] + 1].sqrt() })
    }),
    ("x: f64[N=4] = -1 -2 3 2", "where(x[::-1] > 0, log(x)[::-1] / x[::-1], 0)", |a| {
        build(&[4], |i| positive(a[0].values[3 - i[0]], |x| x.ln() / x))
    }),
    ("x: f64[N=2, K=2] = -1 -2 3 2", "where(x' > 0, log(x)', 0)", |a| {
        build(&[2, 2], |i| positive(a[0].at(&[i[1], i[0]]), f64::ln))
    }),
    ("x: f64[N=3] = -2 4 -1; i: i64[4] = 1 1 0 2", "where(x[i] > 0, sqrt(x)[i], 0)", |a| {
        a[1].map(|i| positive(a[0].values[i as usize], f64::sqrt))
    }),
    ("x: f64[2] = -1 3; y: f64[2]", "where(concat([x, y]) > 0.1, concat([log(x), y]), 0)", |a| {
        build(&[4], |i| match i[0] {
            k @ 0..2 => positive(a[0].values[k] - 0.1, |x| (x + 0.1).ln()),
            k => positive(a[1].values[k - 2] - 0.1, |x| x + 0.1),
        })
    }),
    ("x: f64[N=3] = -1 3 2", "where(stack([x, x]) > 0, stack([log(x), 1 / x]), 0)", |a| {
        build(&[2, 3], |i| {
            positive(a[0].values[i[1]], |x| if i[0] == 0 { x.ln() } else { 1.0 / x })
        })
    }),
    ("x: f64[2] = -1 3", "where(pad(x, [[1, 1]]) > 0, pad(log(x), [[1, 1]]), 0)", |a| {
        build(&[4], |i| if i[0] == 2 { a[0].values[1].ln() } else { 0.0 })
    }),
    ("x: f64[N=2, K=2] = -1 3 2 1", "where(min[K](x) > 0, sum[K](log(x) * x), 0)", |a| {
        lines(&a[0], |row| row.iter().map(|x| x.ln() * x).sum())
    }),
    ("x: f64[N=2, K=2] = -1 3 2 1", "where(min[K](x) > 0, max[K](sqrt(x)), 0)", |a| {
        lines(&a[0], |row| row.iter().map(|x| x.sqrt()).fold(0.0, f64::max))
    }),
    ("x: f64[N=2, K=2] = -1 3 2 1", "where(min[K](x) > 0, prod[K](log(x) + 1), 0)", |a| {
        lines(&a[0], |row| row.iter().map(|x| x.ln() + 1.0).product())
    }),
    ("x: f64[N=2, K=2] = -1 3 2 1", "where(min[K](x) > 0, logsumexp[K](log(x)), 0)", |a| {
        lines(&a[0], |row| row.iter().sum::<f64>().ln())
    }),
    ("x: f64[N=2, K=2] = -1 3 2 1", "where(min[K, keep](x) > 0, softmax[K](sqrt(x)), 0)", |a| {
        build(&[2, 2], |i| {
            let total = 2f64.sqrt().exp() + 1f64.exp();
            if i[0] == 0 { 0.0 } else { a[0].at(i).sqrt().exp() / total }
        })
    }),
    ("x: f64[3] = -1 3 2", "where(x[0] > 0, cumsum(log(x)), 0)", |_| build(&[3], |_| 0.0)),
    (
        "x: f64[3] = -1 3 0",
        "s = scan t in 3 (a = 0) for xt in x { a = a + sqrt(xt) }; where(x[0] > 0, s, sum(x))",
        |a| scalar(total(3, |k| a[0].values[k])),
    ),
    (
        "x: f64[3] = -1 3 0; w: f64 = -1",
        "(r, b) = scan t in 3 (a = w) for xt in x { a = a * log(xt); yield 1 / a }; where(w > 0, sum(r) + b, w)",
        |a| a[1].clone(),
    ),
    ("x: f64[4] = 2 3 -1 1", "where(cumprod(x) > 0, cumsum(log(x)), 0)", |a| {
        build(&[4], |i| if i[0] < 2 { total(i[0] + 1, |k| a[0].values[k].ln()) } else { 0.0 })
    }),
    ("x: f64[3] = 2 0.5 1", "where(x[0] > 3, cumprod(1 / (x - 1)), x)", |a| a[0].clone()),
    (
        "x: f64[N=2, K=2] = -1 3 2 1; w: f64[K=2, M=2]",
        "where(min[K, keep](x) > 0, log(x) @ w, 0)",
        |a| {
            build(&[2, 2], |i| {
                if i[0] == 0 {
                    return 0.0;
                }
                total(2, |k| a[0].at(&[1, k]).ln() * a[1].at(&[k, i[1]]))
            })
        },
    ),
    (
        "x: f64[B=2, N=1, K=2] = -1 3 2 1; w: f64[B=2, K=2, M=2]",
        "where(min[K, keep](x) > 0, (x / sqrt(x)) @ w, 0)",
        |a| {
            build(&[2, 1, 2], |i| match i[0] {
                0 => 0.0,
                _ => total(2, |k| a[1].at(&[1, k, i[2]]) * a[0].at(&[1, 0, k]).sqrt()),
            })
        },
    ),
    ("x: f64[2] = -1 3; y: f64[2]", "where(x[:, None] > 0, outer(log(x), y), 0)", |a| {
        build(&[2, 2], |i| positive(a[0].values[i[0]], |x| x.ln() * a[1].values[i[1]]))
    }),
    (
        "x: f64[N=2, K=2] = -1 3 2 1; w: f64[M=2, K=2]",
        "where(min[K, keep](x) > 0, einsum(\"nk,mk->nm\", sqrt(x), w), 0)",
        |a| {
            build(&[2, 2], |i| match i[0] {
                0 => 0.0,
                _ => total(2, |k| a[0].at(&[1, k]).sqrt() * a[1].at(&[i[1], k])),
            })
        },
    ),
    (
        "x: f64[1, 1, 4] = 2 3 -1 1; w: f64[1, 1, 2]",
        "where(x[:, :, :3] * x[:, :, 1:] > 0, conv(log(x), w), 0)",
        |a| {
            build(&[1, 1, 3], |i| match i[2] {
                0 => total(2, |k| a[0].values[k].ln() * a[1].values[k]),
                _ => 0.0,
            })
        },
    ),
    (
        "x: f64[N=2, K=2] = -1 3 2 1; i: i64[N=2] = 1 0",
        "where(x[:, 0] > 0, take_along[K](sqrt(x), i), 0)",
        |a| build(&[2], |i| if i[0] == 0 { 0.0 } else { a[0].at(&[1, 0]).sqrt() }),
    ),
    (
        "x: f64[N=2] = -1 3; c: f64[2] = 2 -1; i: i64[2] = 1 0",
        "where(x > 0, scatter_add(log(x), i, c * log(c)), 0)",
        |a| {
            let (x, c) = (a[0].values[1], a[1].values[0]);
            build(&[2], |i| if i[0] == 0 { 0.0 } else { x.ln() + c * c.ln() })
        },
    ),
    ("x: f64[3] = -1 3 2", "where(sort(-x) < 0, sort(-sqrt(x)), 0)", |_| {
        build(&[3], |i| [-3f64.sqrt(), -2f64.sqrt(), 0.0][i[0]])
    }),
    ("x: f64[2, 2] = 1 2 2 4; c: f64 = -1", "where(c > 0, inverse(x), x)", |a| a[0].clone()),
    ("x: f64[2, 2] = 1 2 2 4; b: f64[2]; c: f64 = -1", "where(c > 0, solve(x, b), b)", |a| {
        a[1].clone()
    }),
    ("x: f64[2, 2] = 1 2 2 4; c: f64 = -1", "where(c > 0, logdet(x), c)", |a| a[1].clone()),
    ("x: f64[N=2] = -1 -2", "where(sum(x) > 0, sum(log(x)) / sum(x), 0)", |_| scalar(0.0)),
    ("x: f64[N=2] = 0 0; s: f64 = 0", "where(s > 0, x / s, x * 2)", |a| a[0].map(|x| 2.0 * x)),
    ("x: f64[N=3] = 1 -1 2; s: f64 = 3", "sum(where(x > 0, log(s * x) * s / x, s))", |a| {
        let s = a[1].values[0];
        scalar(s + a[0].values.iter().map(|&x| positive(x, |x| (s * x).ln() * s / x)).sum::<f64>())
    }),
    ("x: f64[N=2] = 800 1; w: f64[2]", "where(x < 10, outer(exp(x), w) @ w * x, x)", |a| {
        let squares: f64 = a[1].values.iter().map(|w| w * w).sum();
        a[0].map(|x| if x < 10.0 { x.exp() * squares * x } else { x })
    }),
];

#[test]
fn guarded() {
    check_all(GUARDED);
}
