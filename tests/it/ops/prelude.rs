//! The composite functions against formulas written out.

use super::array::{Array, build, scalar, total};
use super::case::{Row, check_all};

/// The formulas that have a case in this file.
pub fn formulas() -> Vec<&'static str> {
    CASES.iter().map(|(_, formula, _)| *formula).collect()
}

fn erf(x: f64) -> f64 {
    libm::erf(x)
}

/// The elements of row `n` of a matrix through `f`, which knows the row.
fn rows(x: &Array, f: impl Fn(&[f64], usize) -> f64) -> Array {
    let width = x.size(1);
    build(&x.shape, |i| f(&x.values[i[0] * width..(i[0] + 1) * width], i[1]))
}

/// A number for each row of a matrix.
fn lines(x: &Array, f: impl Fn(&[f64], usize) -> f64) -> Array {
    let width = x.size(1);
    build(&x.shape[..1], |i| f(&x.values[i[0] * width..(i[0] + 1) * width], i[0]))
}

fn mean(row: &[f64]) -> f64 {
    row.iter().sum::<f64>() / row.len() as f64
}

fn variance(row: &[f64]) -> f64 {
    row.iter().map(|v| v * v).sum::<f64>() / row.len() as f64 - mean(row).powi(2)
}

fn probability(row: &[f64], at: usize) -> f64 {
    row[at].exp() / row.iter().map(|v| v.exp()).sum::<f64>()
}

fn both(a: &[Array], f: impl Fn(f64, f64) -> f64) -> Array {
    build(&a[0].shape, |i| f(a[0].at(i), a[1].at(i)))
}

/// Each element through `f`, which knows the elements that it is normalised with.
fn normal(
    x: &Array,
    with: impl Fn(&[usize], &[usize]) -> bool,
    end: impl Fn(f64, usize) -> f64,
) -> Array {
    let indices = build(&x.shape, |_| 0.0);
    let mut all: Vec<(Vec<usize>, f64)> = Vec::new();
    for place in 0..indices.values.len() {
        let mut rest = place;
        let mut index = vec![0; x.shape.len()];
        for (at, size) in index.iter_mut().zip(&x.shape).rev() {
            *at = rest % size;
            rest /= size;
        }
        all.push((index, x.values[place]));
    }
    build(&x.shape, |i| {
        let group: Vec<f64> = all.iter().filter(|(j, _)| with(i, j)).map(|(_, v)| *v).collect();
        end((x.at(i) - mean(&group)) / (variance(&group) + 1e-5).sqrt(), i[1])
    })
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `x @ w + h @ u + b` of vectors at one place.
fn gate(a: &[Array], [x, w, b]: [usize; 3], at: usize) -> f64 {
    total(a[x].values.len(), |k| a[x].values[k] * a[w].at(&[k, at])) + a[b].values[at]
}

const CASES: &[Row] = &[
    ("x: f64[N=3, C=2]; g: f64[C=2]; b: f64[C=2]", "batch_norm(x, g, b)", |a| {
        normal(&a[0], |i, j| i[1] == j[1], |v, c| v * a[1].values[c] + a[2].values[c])
    }),
    ("x: f64[N=2, C=2, T=2]; g: f64[C=2]; b: f64[C=2]", "batch_norm(x, g, b)", |a| {
        normal(&a[0], |i, j| i[1] == j[1], |v, c| v * a[1].values[c] + a[2].values[c])
    }),
    ("x: f64[N=2, C=2, H=1, W=2]; g: f64[C=2]; b: f64[C=2]", "batch_norm(x, g, b)", |a| {
        normal(&a[0], |i, j| i[1] == j[1], |v, c| v * a[1].values[c] + a[2].values[c])
    }),
    ("x: f64[N=2, 4]; g: f64[4]; b: f64[4]", "group_norm(x, g, b, 2)", |a| {
        let group = |i: &[usize], j: &[usize]| i[0] == j[0] && i[1] / 2 == j[1] / 2;
        normal(&a[0], group, |v, c| v * a[1].values[c] + a[2].values[c])
    }),
    ("x: f64[N=1, 4, H=1, W=2]; g: f64[4]; b: f64[4]", "group_norm(x, g, b, 2)", |a| {
        let group = |i: &[usize], j: &[usize]| i[0] == j[0] && i[1] / 2 == j[1] / 2;
        normal(&a[0], group, |v, c| v * a[1].values[c] + a[2].values[c])
    }),
    (
        "x: f64[D=1]; h: f64[1]; c: f64[1]; w: f64[D=1, 4]; u: f64[1, 4]; b: f64[4]; o: f64[4] = 0 0 0 0",
        "(m, n) = lstm_cell(x, h, c, w, u, b + 0 * o); concat([m, n])",
        |a| {
            let z = |at: usize| gate(a, [0, 3, 5], at) + gate(a, [1, 4, 6], at);
            let cell = sigmoid(z(1)) * a[2].values[0] + sigmoid(z(0)) * z(2).tanh();
            Array { shape: vec![2], values: vec![sigmoid(z(3)) * cell.tanh(), cell] }
        },
    ),
    (
        "x: f64[D=1]; h: f64[1]; w: f64[D=1, 3]; u: f64[1, 3]; b: f64[3]; r: f64[3]",
        "gru_cell(x, h, w, u, b, r)",
        |a| {
            let (x, h) = (|at| gate(a, [0, 2, 4], at), |at| gate(a, [1, 3, 5], at));
            let z = sigmoid(x(1) + h(1));
            let n = (x(2) + sigmoid(x(0) + h(0)) * h(2)).tanh();
            Array { shape: vec![1], values: vec![(1.0 - z) * n + z * a[1].values[0]] }
        },
    ),
    ("x: f64[N=1, 2, T=2]; g: f64[2]; b: f64[2]", "group_norm(x, g, b, groups = 1)", |a| {
        normal(&a[0], |i, j| i[0] == j[0], |v, c| v * a[1].values[c] + a[2].values[c])
    }),
    ("x: f64[N=2, I=3]; W: f64[I=3, O=2]; b: f64[O=2]", "dense(x, W, b)", |a| {
        build(&[2, 2], |i| {
            total(3, |k| a[0].at(&[i[0], k]) * a[1].at(&[k, i[1]])) + a[2].at(&[i[1]])
        })
    }),
    (
        "x: f64[2, 1, 2, 2]; w: f64[1, 1, 2, 2]; g: f64[1]; b: f64[1] = 3",
        "conv_block(x, w, g, b, padding = 1, stride = 2)",
        |a| {
            // Padded by 1 and in steps of 2 each filter place meets one corner.
            let y = build(&[2, 1, 2, 2], |i| {
                a[0].at(&[i[0], 0, i[2], i[3]]) * a[1].at(&[0, 0, 1 - i[2], 1 - i[3]])
            });
            let moved = |v: f64, _| (v * a[2].values[0] + a[3].values[0]).max(0.0);
            normal(&y, |_, _| true, moved)
        },
    ),
    ("x: f64[N=4]", "leaky_relu(x)", |a| a[0].map(|x| x.max(0.01 * x))),
    ("x: f64[4]", "leaky_relu(x, slope = 0.2)", |a| a[0].map(|x| x.max(0.2 * x))),
    ("x: f64[N=2, K=2]", "elu(x, 1.5)", |a| {
        a[0].map(|x| if x > 0.0 { x } else { 1.5 * (x.exp() - 1.0) })
    }),
    ("x: f64[N=4]", "selu(x)", |a| {
        a[0].map(|x| {
            1.050_700_987_355_480_5
                * if x > 0.0 { x } else { 1.673_263_242_354_377_2 * (x.exp() - 1.0) }
        })
    }),
    ("x: f64[N=4]", "gelu(x)", |a| a[0].map(|x| x * (0.5 + 0.5 * erf(x * 0.5f64.sqrt())))),
    ("x: f64[N=4]", "gelu_tanh(x)", |a| {
        a[0].map(|x| {
            0.5 * x
                * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        })
    }),
    ("x: f64[N=4]", "silu(x)", |a| a[0].map(|x| x / (1.0 + (-x).exp()))),
    ("x: f64[N=4]", "mish(x)", |a| a[0].map(|x| x * (1.0 + x.exp()).ln().tanh())),
    ("x: f64[4] = -2 -0.5 0.7 1.5", "hardtanh(x)", |a| a[0].map(|x| x.clamp(-1.0, 1.0))),
    ("x: f64[N=4]", "softsign(x)", |a| a[0].map(|x| x / (1.0 + x.abs()))),
    ("z: f64[N=2, K=3]", "log_softmax(z)", |a| rows(&a[0], |row, k| probability(row, k).ln())),
    ("z: f64[K=3, N=2]", "log_softmax[0](z)", |a| {
        build(&[3, 2], |i| (a[0].at(i).exp() / total(3, |k| a[0].at(&[k, i[1]]).exp())).ln())
    }),
    ("x: f64[N=2, K=3]", "var[1](x)", |a| lines(&a[0], |row, _| variance(row))),
    ("x: f64[N=2, K=3]", "var(x)", |a| scalar(variance(&a[0].values))),
    ("x: f64[N=2, K=3]", "std[K, keep](x)", |a| Array {
        shape: vec![2, 1],
        values: lines(&a[0], |row, _| variance(row).sqrt()).values,
    }),
    ("x: f64[N=2, K=3]", "norm[-1](x)", |a| {
        lines(&a[0], |row, _| row.iter().map(|v| v * v).sum::<f64>().sqrt())
    }),
    ("z: f64[N=2, K=3]; i: i64[N=2] = 2 0", "cross_entropy[1](z, i)", |a| {
        lines(&a[0], |row, n| -probability(row, a[1].int(&[n])).ln())
    }),
    ("z: f64[N=2, K=3]; i: i32[N=2] = 1 1", "mean[0](cross_entropy[-1](z, i))", |a| {
        scalar(mean(&lines(&a[0], |row, n| -probability(row, a[1].int(&[n])).ln()).values))
    }),
    ("z: f64[K=3]; i: i64 = 1", "cross_entropy(z, i)", |a| {
        scalar(-probability(&a[0].values, 1).ln())
    }),
    ("z: f64[N=2, K=3]; p: f64[N=2, K=3] >0", "cross_entropy[1](z, p)", |a| {
        lines(&a[0], |row, n| -total(3, |k| a[1].at(&[n, k]) * probability(row, k).ln()))
    }),
    ("p: f64[3] = 0.2 0.7 0.9; y: f64[3] = 0 1 0.3", "bce(p, y)", |a| {
        both(a, |p, y| -y * p.ln() - (1.0 - y) * (1.0 - p).ln())
    }),
    ("z: f64[N=3]; y: f64[N=3] = 0 1 0.3", "bce_with_logits(z, y)", |a| {
        both(a, |z, y| y * (1.0 + (-z).exp()).ln() + (1.0 - y) * (1.0 + z.exp()).ln())
    }),
    ("x: f64[N=3]; y: f64[N=3]", "mse(x, y)", |a| both(a, |x, y| (x - y) * (x - y))),
    ("x: f64[N=3]; y: f64[N=3]", "mae(x, y)", |a| both(a, |x, y| (x - y).max(y - x))),
    ("x: f64[4] = 0 0.5 3 -2; y: f64[4] = 0.2 0 0 0", "huber(x, y)", |a| {
        both(a, |x, y| {
            let d = (x - y).abs();
            if d < 1.0 { d * d / 2.0 } else { d - 0.5 }
        })
    }),
    ("x: f64[2] = 0.5 3; y: f64[2] = 0.1 0", "huber(x, y, delta = 2)", |a| {
        both(a, |x, y| {
            let d = (x - y).abs();
            if d < 2.0 { d * d / 2.0 } else { 2.0 * d - 2.0 }
        })
    }),
    ("p: f64[N=2, K=3] >0; q: f64[N=2, K=3] >0", "kl_div[K](p, q)", |a| {
        lines(&a[0], |p, n| total(3, |k| p[k] * (p[k] / a[1].at(&[n, k])).ln()))
    }),
    ("x: f64[N=2, D=3]; g: f64[D=3]; b: f64[D=3]", "layer_norm(x, g, b)", |a| {
        rows(&a[0], |row, k| {
            (row[k] - mean(row)) / (variance(row) + 1e-5).sqrt() * a[1].values[k] + a[2].values[k]
        })
    }),
    ("x: f64[N=2, D=3]; g: f64[D=3]", "rms_norm[D](x, g, eps = 0.1)", |a| {
        rows(&a[0], |row, k| {
            row[k] / (row.iter().map(|v| v * v).sum::<f64>() / 3.0 + 0.1).sqrt() * a[1].values[k]
        })
    }),
    ("q: f64[T=2, D=2]; k: f64[S=3, D=2]; v: f64[S=3, E=1]", "attention(q, k, v)", |a| {
        build(&[2, 1], |i| {
            let score =
                |s: usize| total(2, |d| a[0].at(&[i[0], d]) * a[1].at(&[s, d])) / 2f64.sqrt();
            let scores: Vec<f64> = (0..3).map(score).collect();
            total(3, |s| probability(&scores, s) * a[2].at(&[s, i[1]]))
        })
    }),
    (
        "q: f64[B=1, T=2, D=1]; k: f64[B=1, S=2, D=1]; v: f64[B=1, S=2, E=2]",
        "attention(q, k, v)",
        |a| {
            build(&[1, 2, 2], |i| {
                let scores: Vec<f64> =
                    (0..2).map(|s| a[0].at(&[0, i[1], 0]) * a[1].at(&[0, s, 0])).collect();
                total(2, |s| probability(&scores, s) * a[2].at(&[0, s, i[2]]))
            })
        },
    ),
];

#[test]
fn prelude() {
    check_all(CASES);
}
