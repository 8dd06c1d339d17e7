//! Structured operators: values by index, derivatives by differences.

use super::array::{Array, build, scalar, total};
use super::case::{Row, check_all};

/// The formulas that have a case in this file.
pub fn formulas() -> Vec<&'static str> {
    [
        REDUCTIONS, RUNNING, PRODUCTS, EINSUMS, LAYOUT, SLICES, JOINED, INDEXED, MATRICES, FILLED,
        MIXED,
    ]
    .concat()
    .iter()
    .map(|(_, formula, _)| *formula)
    .collect()
}

fn extreme(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NEG_INFINITY, f64::max)
}

fn lse(n: usize, f: impl Fn(usize) -> f64) -> f64 {
    total(n, |k| f(k).exp()).ln()
}

const REDUCTIONS: &[Row] = &[
    ("x: f64[N=3]", "sum(x)", |a| scalar(a[0].values.iter().sum())),
    ("x: f64", "sum(x) + mean(x) * prod(x) + max(x)", |a| {
        let x = a[0].values[0];
        scalar(x + x * x + x)
    }),
    ("x: f64[N=2, K=3]", "sum[1](x)", |a| build(&[2], |i| total(3, |k| a[0].at(&[i[0], k])))),
    ("x: f64[N=2, K=3]", "sum[N](x^2)", |a| {
        build(&[3], |i| total(2, |k| a[0].at(&[k, i[0]]).powi(2)))
    }),
    ("x: f64[N=2, K=3]", "sum[-2, keep](x)", |a| {
        build(&[1, 3], |i| total(2, |k| a[0].at(&[k, i[1]])))
    }),
    ("x: f64[A=2, 1, B=2]", "sum[0, 2](x * x)", |a| {
        build(&[1], |_| a[0].values.iter().map(|v| v * v).sum())
    }),
    ("x: f64[N=2, K=3]", "sum[keep](x)", |a| build(&[1, 1], |_| a[0].values.iter().sum())),
    ("x: f64[0]", "sum(x) + prod(x)", |_| scalar(1.0)),
    ("x: f64[0, 2]", "sum[0](x)", |_| build(&[2], |_| 0.0)),
    ("x: f64[N=2, K=3]", "sum[K](x > 0)", |a| {
        build(&[2], |i| total(3, |k| f64::from(u8::from(a[0].at(&[i[0], k]) > 0.0))))
    }),
    ("x: f64[N=2, K=3]", "mean[1](x)", |a| {
        build(&[2], |i| total(3, |k| a[0].at(&[i[0], k])) / 3.0)
    }),
    ("x: f64[N=2, K=3]", "mean[N, K](x * x)", |a| {
        scalar(a[0].values.iter().map(|v| v * v).sum::<f64>() / 6.0)
    }),
    ("x: f64[N=2, K=3]", "mean[0, keep](x)", |a| {
        build(&[1, 3], |i| total(2, |k| a[0].at(&[k, i[1]])) / 2.0)
    }),
    ("x: f64[N=2, K=3]", "mean(x > 0)", |a| {
        scalar(a[0].values.iter().filter(|v| **v > 0.0).count() as f64 / 6.0)
    }),
    ("x: f64[N=4]", "prod(x)", |a| scalar(a[0].values.iter().product())),
    ("x: f64[N=2, K=3]", "prod[1](x)", |a| {
        build(&[2], |i| (0..3).map(|k| a[0].at(&[i[0], k])).product())
    }),
    ("x: f64[N=3, K=2] = 1.5 0 0 -0.7 2 0.3", "prod[0](x)", |a| {
        build(&[2], |i| (0..3).map(|k| a[0].at(&[k, i[0]])).product())
    }),
    ("x: f64[2, N=2, 2]", "prod[0, 2, keep](x)", |a| {
        build(&[1, 2, 1], |i| (0..4).map(|k| a[0].at(&[k / 2, i[1], k % 2])).product())
    }),
    ("x: f64[N=1]", "prod(x)", |a| scalar(a[0].values[0])),
    ("x: f64[N=2, K=3]", "max[1](x)", |a| {
        build(&[2], |i| extreme((0..3).map(|k| a[0].at(&[i[0], k]))))
    }),
    ("x: f64[N=2, K=3]", "max(x)^2", |a| scalar(extreme(a[0].values.iter().copied()).powi(2))),
    ("x: f64[N=2, K=3]", "max[N, keep](x) * x", |a| {
        build(&[2, 3], |i| extreme((0..2).map(|k| a[0].at(&[k, i[1]]))) * a[0].at(i))
    }),
    ("x: f64[N=2, K=3]", "min[-1](x)", |a| {
        build(&[2], |i| -extreme((0..3).map(|k| -a[0].at(&[i[0], k]))))
    }),
    ("x: f64[N=2, K=3]", "min[0](x)", |a| {
        build(&[3], |i| -extreme((0..2).map(|k| -a[0].at(&[k, i[0]]))))
    }),
    ("x: f64[N=2, K=3]", "any[1](x > 0.5)", |a| {
        build(&[2], |i| f64::from(u8::from((0..3).any(|k| a[0].at(&[i[0], k]) > 0.5))))
    }),
    ("x: f64[N=2, K=3]", "all[0](x < 0.5)", |a| {
        build(&[3], |i| f64::from(u8::from((0..2).all(|k| a[0].at(&[k, i[0]]) < 0.5))))
    }),
    ("x: f64[N=2, K=3]", "logsumexp[1](x)", |a| build(&[2], |i| lse(3, |k| a[0].at(&[i[0], k])))),
    ("x: f64[N=2, K=3]", "logsumexp(x)", |a| scalar(lse(6, |k| a[0].values[k]))),
    ("x: f64[N=2, K=3]", "logsumexp[N, keep](3 * x)", |a| {
        build(&[1, 3], |i| lse(2, |k| 3.0 * a[0].at(&[k, i[1]])))
    }),
    ("x: f64[N=2, K=3]", "argmax[1](x)", |a| {
        build(&[2], |i| {
            let row: Vec<f64> = (0..3).map(|k| a[0].at(&[i[0], k])).collect();
            row.iter().position(|v| *v == extreme(row.iter().copied())).expect("it is there") as f64
        })
    }),
    ("x: f64[4] = 1 3 3 0", "argmax(x)", |_| scalar(1.0)),
    ("x: f64[2, 2] = 1 0 0 3", "argmin[0, keep](x)", |_| Array {
        shape: vec![1, 2],
        values: vec![1.0, 0.0],
    }),
    ("x: f64[N=3]", "softmax(x)", |a| {
        build(&[3], |i| a[0].at(i).exp() / total(3, |k| a[0].values[k].exp()))
    }),
    ("x: f64[N=2, K=3]", "softmax[0](x)", |a| {
        build(&[2, 3], |i| a[0].at(i).exp() / total(2, |k| a[0].at(&[k, i[1]]).exp()))
    }),
    ("x: f64[N=2, K=3]", "softmax[0, 1](2 * x)", |a| {
        build(&[2, 3], |i| (2.0 * a[0].at(i)).exp() / total(6, |k| (2.0 * a[0].values[k]).exp()))
    }),
    ("x: f64[N=2, 1]", "softmax[1](x) + x", |a| a[0].map(|v| v + 1.0)),
];

fn recurrence(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut previous = 0.0;
    a.iter()
        .zip(b)
        .map(|(a, b)| {
            previous = a * previous + b;
            previous
        })
        .collect()
}

const RUNNING: &[Row] = &[
    ("x: f64[T=4]", "cumsum(x)", |a| build(&[4], |i| total(i[0] + 1, |k| a[0].values[k]))),
    ("x: f64[N=2, T=3]", "cumsum[0](x * x)", |a| {
        build(&[2, 3], |i| total(i[0] + 1, |k| a[0].at(&[k, i[1]]).powi(2)))
    }),
    ("x: f64[N=2, T=3]", "cumsum[T](x, reverse = true)", |a| {
        build(&[2, 3], |i| total(3 - i[1], |k| a[0].at(&[i[0], i[1] + k])))
    }),
    ("x: f64[T=4]", "cumprod(x)", |a| {
        build(&[4], |i| (0..=i[0]).map(|k| a[0].values[k]).product())
    }),
    ("x: f64[T=4] = 2 0 0.5 0", "cumprod[0](x)", |a| {
        build(&[4], |i| (0..=i[0]).map(|k| a[0].values[k]).product())
    }),
    ("x: f64[N=3, 2]", "cumprod[0](x, reverse = true)", |a| {
        build(&[3, 2], |i| (i[0]..3).map(|k| a[0].at(&[k, i[1]])).product())
    }),
    ("x: f64[N=1]", "cumprod(x) + cumsum(x)", |a| a[0].map(|v| 2.0 * v)),
    ("a: f64[T=4]; b: f64[T=4]", "recurrence(a, b)", |a| Array {
        shape: vec![4],
        values: recurrence(&a[0].values, &a[1].values),
    }),
    ("a: f64[N=2, T=3]; b: f64[N=2, T=3]", "recurrence[1](a, b, reverse = true)", |a| {
        build(&[2, 3], |i| {
            let row = |x: &Array| -> Vec<f64> { (0..3).rev().map(|k| x.at(&[i[0], k])).collect() };
            recurrence(&row(&a[0]), &row(&a[1]))[2 - i[1]]
        })
    }),
];

fn dot(
    n: usize,
    x: &Array,
    i: &dyn Fn(usize) -> Vec<usize>,
    y: &Array,
    j: &dyn Fn(usize) -> Vec<usize>,
) -> f64 {
    total(n, |k| x.at(&i(k)) * y.at(&j(k)))
}

/// NumPy's matrix product.
fn product(x: &Array, y: &Array) -> Array {
    let (rx, ry) = (x.shape.len(), y.shape.len());
    let inner = x.shape[rx - 1];
    let lead: Vec<usize> =
        if rx > ry { &x.shape[..rx - 2] } else { &y.shape[..ry.max(2) - 2] }.to_vec();
    let mut shape = lead.clone();
    if rx >= 2 {
        shape.push(x.shape[rx - 2]);
    }
    if ry >= 2 {
        shape.push(y.shape[ry - 1]);
    }
    build(&shape, |at| {
        let (lead_at, rest) = at.split_at(lead.len());
        let row = |k: usize| match rx {
            1 => vec![k],
            2 => vec![rest[0], k],
            _ => [lead_at, &[rest[0], k]].concat(),
        };
        let column = |k: usize| match ry {
            1 => vec![k],
            2 => vec![k, rest[rest.len() - 1]],
            _ => [lead_at, &[k, rest[rest.len() - 1]]].concat(),
        };
        dot(inner, x, &row, y, &column)
    })
}

const PRODUCTS: &[Row] = &[
    ("x: f64[K=3]; y: f64[K=3]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[K=2]; y: f64[K=2, M=3]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[K=2]; y: f64[B=2, K=2, M=2]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[K=2]; y: f64[1, B=2, K=2, M=2]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[N=3, K=2]; y: f64[K=2]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[N=2, K=2]; y: f64[K=2, M=3]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[N=1, K=2]; y: f64[B=2, K=2, M=2]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[N=1, K=2]; y: f64[A=2, B=1, K=2, M=2]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[B=2, N=2, K=2]; y: f64[K=2]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[B=2, N=2, K=2]; y: f64[K=2, M=1]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[B=2, N=1, K=2]; y: f64[B=2, K=2, M=2]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[A=1, B=2, N=2, K=2]; y: f64[K=2]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[A=2, B=1, N=2, K=2]; y: f64[K=2, M=1]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[A=1, B=2, N=1, K=2]; y: f64[A=1, B=2, K=2, M=2]", "x @ y", |a| product(&a[0], &a[1])),
    ("x: f64[2, 0]; y: f64[0, 3]", "x @ y", |_| build(&[2, 3], |_| 0.0)),
    ("x: f64[0, 2]; y: f64[2, 3]", "x @ y", |_| build(&[0, 3], |_| 0.0)),
    ("x: f64[N=3, K=2]", "x @ x'", |a| product(&a[0], &build(&[2, 3], |i| a[0].at(&[i[1], i[0]])))),
    ("x: f64[N=2]; y: f64[M=3]", "outer(x, y)", |a| {
        build(&[2, 3], |i| a[0].values[i[0]] * a[1].values[i[1]])
    }),
    ("x: f64[N=2]", "outer(x, x)", |a| build(&[2, 2], |i| a[0].values[i[0]] * a[0].values[i[1]])),
    ("i: i64[2, 2] = 1 2 3 4; j: i64[2] = 5 6", "i @ j", |a| product(&a[0], &a[1])),
    ("x: f64[N=2, N=2]", "trace(x)", |a| scalar(a[0].at(&[0, 0]) + a[0].at(&[1, 1]))),
    ("x: f64[B=2, 2, 2]", "trace(x)", |a| {
        build(&[2], |i| a[0].at(&[i[0], 0, 0]) + a[0].at(&[i[0], 1, 1]))
    }),
];

const EINSUMS: &[Row] = &[
    ("x: f64[N=2, N=2]", "einsum(\"ii->i\", x)", |a| build(&[2], |i| a[0].at(&[i[0], i[0]]))),
    ("x: f64[N=2, N=2]", "einsum(\"ii\", x)^2", |a| scalar(total(2, |k| a[0].at(&[k, k])).powi(2))),
    ("x: f64[B=2, N=2, N=2]; v: f64[N=2]", "einsum(\"bii,i->b\", x, v)", |a| {
        build(&[2], |i| total(2, |k| a[0].at(&[i[0], k, k]) * a[1].values[k]))
    }),
    ("x: f64[2, B=2, 2]; v: f64[B=2]", "einsum(\"iji, j\", x, v)", |a| {
        scalar(total(4, |k| a[0].at(&[k / 2, k % 2, k / 2]) * a[1].values[k % 2]))
    }),
    ("x: f64[2, K=3]; y: f64[K=3]", "einsum(\"nk,k\", x, y)", |a| {
        build(&[2], |i| total(3, |k| a[0].at(&[i[0], k]) * a[1].values[k]))
    }),
    ("x: f64[N=2, D=2]; w: f64[D=2, H=3]", "einsum(\"nd,dh->nh\", x, w)", |a| {
        product(&a[0], &a[1])
    }),
    ("x: f64[N=2, D=3]", "einsum(\"nd->dn\", x)", |a| build(&[3, 2], |i| a[0].at(&[i[1], i[0]]))),
    ("x: f64[N=2, D=3]", "einsum(\"nd->n\", x)", |a| {
        build(&[2], |i| total(3, |k| a[0].at(&[i[0], k])))
    }),
    ("x: f64[N=2, D=3]", "einsum(\"nd->\", x)", |a| scalar(a[0].values.iter().sum())),
    ("x: f64[N=2]; y: f64[M=2]", "einsum(\"n,m->mn\", x, y)", |a| {
        build(&[2, 2], |i| a[1].values[i[0]] * a[0].values[i[1]])
    }),
    ("x: f64[N=2, D=2]; y: f64[N=2]; z: f64[D=2, H=2]", "einsum(\"nd,n,dh->hn\", x, y, z)", |a| {
        build(&[2, 2], |i| {
            total(2, |d| a[0].at(&[i[1], d]) * a[1].values[i[1]] * a[2].at(&[d, i[0]]))
        })
    }),
    ("x: f64[N=2, K=2]; y: f64[N=2, M=2]", "einsum(\"nk,nm->m\", x, y)", |a| {
        build(&[2], |i| total(4, |p| a[0].at(&[p / 2, p % 2]) * a[1].at(&[p / 2, i[0]])))
    }),
    ("x: f64[B=2, N=2, K=1]; y: f64[B=2, M=2, K=1]", "einsum(\"bnk,bmk->bnm\", x, y)", |a| {
        build(&[2, 2, 2], |i| a[0].at(&[i[0], i[1], 0]) * a[1].at(&[i[0], i[2], 0]))
    }),
    ("x: f64[N=3]; y: f64[N=3]", "einsum(\"n,n->n\", x, y)", |a| {
        build(&[3], |i| a[0].at(i) * a[1].at(i))
    }),
    ("x: f64[N=2]; y: f64", "einsum(\"n,->n\", x, y)", |a| a[0].map(|v| v * a[1].values[0])),
    ("x: f64[0]; y: f64[2]", "einsum(\"n,m->m\", x, y)", |_| build(&[2], |_| 0.0)),
];

const LAYOUT: &[Row] = &[
    ("x: f64[2, 3]", "reshape(x, [3, 2])", |a| Array {
        shape: vec![3, 2],
        values: a[0].values.clone(),
    }),
    ("x: f64[N=2, K=3]", "reshape(x, [N*K]) * 2", |a| Array {
        shape: vec![6],
        values: a[0].map(|v| 2.0 * v).values,
    }),
    ("x: f64[N=2, K=3]", "reshape(x, [K, 1, N])", |a| Array {
        shape: vec![3, 1, 2],
        values: a[0].values.clone(),
    }),
    ("x: f64[N=2, K=3]", "flatten(x)", |a| Array { shape: vec![6], values: a[0].values.clone() }),
    ("x: f64", "flatten(x)", |a| Array { shape: vec![1], values: a[0].values.clone() }),
    ("x: f64[N=2, K=3]", "transpose(x)", |a| build(&[3, 2], |i| a[0].at(&[i[1], i[0]]))),
    ("x: f64[B=2, N=2, K=3]", "x'", |a| build(&[2, 3, 2], |i| a[0].at(&[i[0], i[2], i[1]]))),
    ("x: f64[N=3]", "x' * x", |a| a[0].map(|v| v * v)),
    ("x: f64[B=2, N=1, K=3]", "permute(x, [2, 0, 1])", |a| {
        build(&[3, 2, 1], |i| a[0].at(&[i[1], i[2], i[0]]))
    }),
    ("x: f64[1, N=2, 1]", "squeeze(x)", |a| Array { shape: vec![2], values: a[0].values.clone() }),
    ("x: f64[1, N=2, 1]", "squeeze[-1](x)", |a| Array {
        shape: vec![1, 2],
        values: a[0].values.clone(),
    }),
    ("x: f64[N=2, K=2]", "unsqueeze[1](x)", |a| Array {
        shape: vec![2, 1, 2],
        values: a[0].values.clone(),
    }),
    ("x: f64[2]", "unsqueeze[-1](x) * x", |a| {
        build(&[2, 2], |i| a[0].values[i[0]] * a[0].values[i[1]])
    }),
    ("x: f64[K=3]", "broadcast(x, [2, K])", |a| build(&[2, 3], |i| a[0].values[i[1]])),
    ("x: f64[N=2, 1]", "broadcast(x, [N, 3])", |a| build(&[2, 3], |i| a[0].values[i[0]])),
    ("x: f64", "broadcast(x, [2, 2])", |a| build(&[2, 2], |_| a[0].values[0])),
    ("x: f64[N=2, K=3]; b: f64[K=3]", "x * b", |a| {
        build(&[2, 3], |i| a[0].at(i) * a[1].values[i[1]])
    }),
    ("!x: f64[N=2, K=3]; b: f64[N=2]", "x * b", |a| {
        build(&[2, 3], |i| a[0].at(i) * a[1].values[i[0]])
    }),
    ("x: f64[2, 1]; y: f64[1, 3]", "x / (y^2 + 1)", |a| {
        build(&[2, 3], |i| a[0].values[i[0]] / (a[1].values[i[1]].powi(2) + 1.0))
    }),
    ("x: f64[2, 1]; y: f64", "where(x > y, x * y, y)", |a| {
        a[0].map(|x| if x > a[1].values[0] { x * a[1].values[0] } else { a[1].values[0] })
    }),
    ("x: f64[N=3]", "flip[0](x)", |a| build(&[3], |i| a[0].values[2 - i[0]])),
    ("x: f64[N=2, K=3]", "flip(x)", |a| build(&[2, 3], |i| a[0].at(&[1 - i[0], 2 - i[1]]))),
    ("x: f64[N=2, K=3]", "flip[K](x)", |a| build(&[2, 3], |i| a[0].at(&[i[0], 2 - i[1]]))),
    ("x: f64[N=4]", "roll(x, 1)", |a| build(&[4], |i| a[0].values[(i[0] + 3) % 4])),
    ("x: f64[N=2, K=3]", "roll[1](x, -2)", |a| {
        build(&[2, 3], |i| a[0].at(&[i[0], (i[1] + 2) % 3]))
    }),
    ("x: f64[4]", "roll(x, 7)", |a| build(&[4], |i| a[0].values[(i[0] + 1) % 4])),
    ("x: f64[N=2, K=2]", "tile(x, [2, 3])", |a| build(&[4, 6], |i| a[0].at(&[i[0] % 2, i[1] % 2]))),
    ("x: f64[3]", "tile(x, [2])", |a| build(&[6], |i| a[0].values[i[0] % 3])),
    ("x: f64[N=3]", "repeat_each(x, 2)", |a| build(&[6], |i| a[0].values[i[0] / 2])),
    ("x: f64[N=2, K=2]", "repeat_each[0](x, 3)", |a| {
        build(&[6, 2], |i| a[0].at(&[i[0] / 3, i[1]]))
    }),
    ("x: f64[N=2, K=3]", "pad(x, [[1, 2], [0, 1]])", |a| {
        build(&[5, 4], |i| {
            if (1..3).contains(&i[0]) && i[1] < 3 { a[0].at(&[i[0] - 1, i[1]]) } else { 0.0 }
        })
    }),
    ("x: f64[N=2]; y: f64", "pad(x, [[1, 1]], value = y)", |a| {
        build(&[4], |i| if (1..3).contains(&i[0]) { a[0].values[i[0] - 1] } else { a[1].values[0] })
    }),
    ("x: f64[N=3]", "pad(x, [[1, 0]], value = 2.5, between = [1])", |a| {
        build(&[6], |i| if i[0] % 2 == 1 { a[0].values[i[0] / 2] } else { 2.5 })
    }),
    ("x: f64[0]", "pad(x, [[1, 1]])", |_| build(&[2], |_| 0.0)),
];

const SLICES: &[Row] = &[
    ("x: f64[N=3, K=2]", "x[1]", |a| build(&[2], |i| a[0].at(&[1, i[0]]))),
    ("x: f64[N=3, K=2]", "x[-1, 0]", |a| scalar(a[0].at(&[2, 0]))),
    ("x: f64[N=3, K=2]", "x[.., 1]", |a| build(&[3], |i| a[0].at(&[i[0], 1]))),
    ("x: f64[5]", "x[1:4]", |a| build(&[3], |i| a[0].values[i[0] + 1])),
    ("x: f64[5]", "x[1:5:2]", |a| build(&[2], |i| a[0].values[2 * i[0] + 1])),
    ("x: f64[5]", "x[::2]", |a| build(&[3], |i| a[0].values[2 * i[0]])),
    ("x: f64[N=4]", "x[::-1]", |a| build(&[4], |i| a[0].values[3 - i[0]])),
    ("x: f64[5]", "x[::-2]", |a| build(&[3], |i| a[0].values[4 - 2 * i[0]])),
    ("x: f64[6]", "x[4:0:-3]", |a| build(&[2], |i| a[0].values[4 - 3 * i[0]])),
    ("x: f64[6]", "x[-2:-5:-1]", |a| build(&[3], |i| a[0].values[4 - i[0]])),
    ("x: f64[N=4]", "x[1:] * x[:-1]", |a| {
        build(&[3], |i| a[0].values[i[0] + 1] * a[0].values[i[0]])
    }),
    ("x: f64[N=4]", "x[1:-1] + x[2:] - x[:-2]", |a| {
        build(&[2], |i| a[0].values[i[0] + 1] + a[0].values[i[0] + 2] - a[0].values[i[0]])
    }),
    ("x: f64[N=3, K=2]", "x[:, None, 0] + x[0]", |a| {
        build(&[3, 2], |i| a[0].at(&[i[0], 0]) + a[0].at(&[0, i[1]]))
    }),
    ("x: f64[4]", "x[2:2]", |_| build(&[0], |_| 0.0)),
    ("x: f64[4]", "x[2:2:2]", |_| build(&[0], |_| 0.0)),
    ("x: f64[N=2, K=3]", "x[::-1, 1:]", |a| build(&[2, 2], |i| a[0].at(&[1 - i[0], i[1] + 1]))),
    ("x: f64[5]", "x[3:4:2] + x[0:2:3]", |a| build(&[1], |_| a[0].values[3] + a[0].values[0])),
    ("x: f64[2, 3]", "x[0, ::2]", |a| build(&[2], |i| a[0].at(&[0, 2 * i[0]]))),
];

const JOINED: &[Row] = &[
    ("x: f64[2]; y: f64[3]", "concat([x, y])", |a| {
        build(&[5], |i| if i[0] < 2 { a[0].values[i[0]] } else { a[1].values[i[0] - 2] })
    }),
    ("x: f64[N=2, K=2]; y: f64[N=2, M=1]", "concat[1]([x, y, x])", |a| {
        build(&[2, 5], |i| match i[1] {
            2 => a[1].at(&[i[0], 0]),
            k => a[0].at(&[i[0], k % 3]),
        })
    }),
    ("x: f64[N=2]; y: f64[N=2]", "stack([x, y])", |a| build(&[2, 2], |i| a[i[0]].values[i[1]])),
    ("x: f64[N=2, K=3]; y: f64[N=2, K=3]", "stack[-1]([x, y])", |a| {
        build(&[2, 3, 2], |i| a[i[2]].at(&i[..2]))
    }),
    ("x: f64; y: f64", "stack([x, y, x])", |a| build(&[3], |i| a[i[0] % 2].values[0])),
    ("x: f64[6]", "(a, b, c) = split(x, [1, 2, 3]); concat([c, a, b * b])", |a| {
        build(&[6], |i| match i[0] {
            k @ 0..3 => a[0].values[k + 3],
            3 => a[0].values[0],
            k => a[0].values[k - 3].powi(2),
        })
    }),
    ("x: f64[N=2, 4]", "(a, b) = split[1](x, 2); a * b", |a| {
        build(&[2, 2], |i| a[0].at(&[i[0], i[1]]) * a[0].at(&[i[0], i[1] + 2]))
    }),
    ("x: f64[N:=4]", "(a, b) = split[N](x, 2); a - 2 * b", |a| {
        build(&[2], |i| a[0].values[i[0]] - 2.0 * a[0].values[i[0] + 2])
    }),
];

const INDEXED: &[Row] = &[
    ("x: f64[N=3, K=2]; i: i64 = 1", "gather(x, i)", |a| build(&[2], |i| a[0].at(&[1, i[0]]))),
    ("x: f64[N=3, K=2]; i: i64[4] = 0 2 2 -1", "gather(x, i)", |a| {
        build(&[4, 2], |i| a[0].at(&[[0, 2, 2, 2][i[0]], i[1]]))
    }),
    ("x: f64[N=2, K=3]; i: i64[2, 2] = 0 2 1 1", "gather[1](x, i)", |a| {
        build(&[2, 2, 2], |i| a[0].at(&[i[0], a[1].int(&i[1..])]))
    }),
    ("x: f64[N=3]; i: i64[B=2, 2] = 2 1 1 0", "x[i]", |a| a[1].map(|i| a[0].values[i as usize])),
    ("x: f64[N=2, K=3]; i: i64[2] = 2 0", "x[:, i]", |a| {
        build(&[2, 2], |i| a[0].at(&[i[0], a[1].int(&i[1..])]))
    }),
    ("x: f64[3]; i: i64[0] =", "gather(x, i)", |_| build(&[0], |_| 0.0)),
    ("x: f64[V=3, D=2]; i: i64[N=2] = 1 1", "embedding(x, i)", |a| {
        build(&[2, 2], |i| a[0].at(&[1, i[1]]))
    }),
    ("x: f64[N=3]; i: i64[M=4] = 0 2 2 -1; v: f64[M=4]", "scatter_add(x, i, v)", |a| {
        build(&[3], |at| {
            let hits = |k: usize| (a[1].values[k] + 3.0) as usize % 3 == at[0];
            a[0].values[at[0]] + total(4, |k| if hits(k) { a[2].values[k] } else { 0.0 })
        })
    }),
    ("x: f64[N=2, K=3]; i: i64[2] = 1 1; v: f64[N=2, 2]", "scatter_add[1](x, i, v * v)", |a| {
        build(&[2, 3], |i| {
            let more = a[2].at(&[i[0], 0]).powi(2) + a[2].at(&[i[0], 1]).powi(2);
            a[0].at(i) + if i[1] == 1 { more } else { 0.0 }
        })
    }),
    ("x: f64[N=3]; i: i64 = 2; v: f64", "scatter_add(x, i, v)", |a| {
        build(&[3], |i| a[0].at(i) + if i[0] == 2 { a[2].values[0] } else { 0.0 })
    }),
    ("x: f64[N=2, K=3]; i: i64[N=2] = 2 0", "take_along[1](x, i)", |a| {
        build(&[2], |i| a[0].at(&[i[0], a[1].int(i)]))
    }),
    ("x: f64[N=2, K=3]; i: i64[N=2, 2] = 2 2 0 1", "take_along(x, i)", |a| {
        build(&[2, 2], |i| a[0].at(&[i[0], a[1].int(i)]))
    }),
    ("x: f64[N=2, K=3]; i: i64[K=3] = 1 0 1", "take_along[0](x, i)", |a| {
        build(&[3], |i| a[0].at(&[a[1].int(i), i[0]]))
    }),
    ("x: f64[N=2, K=3]; i: i64[1, K=3] = 1 -1 0", "take_along[0](x, i)", |a| {
        build(&[1, 3], |i| a[0].at(&[(a[1].at(i) + 2.0) as usize % 2, i[1]]))
    }),
    ("x: f64[N=3]; i: i64 = 1", "take_along(x, i)", |a| scalar(a[0].values[1])),
    ("i: i64[4] = 0 2 2 1; v: f64[4]", "put_along(i, v, 3)", |a| {
        build(&[3], |at| total(4, |k| if a[0].int(&[k]) == at[0] { a[1].values[k] } else { 0.0 }))
    }),
    ("i: i64[2, K=2] = 0 2 2 2; v: f64[2, K=2]", "put_along[0](i, v, 3)", |a| {
        build(&[3, 2], |at| {
            total(2, |k| if a[0].int(&[k, at[1]]) == at[0] { a[1].at(&[k, at[1]]) } else { 0.0 })
        })
    }),
    ("i: i64[3] = 2 0 -1; x: f64[4]", "one_hot(i, 4) * x", |a| {
        build(&[3, 4], |at| if [2, 0, 3][at[0]] == at[1] { a[1].values[at[1]] } else { 0.0 })
    }),
    ("i: i64[2] = 1 0; x: f64[2]", "one_hot[0](i, 3) * x", |a| {
        build(&[3, 2], |at| if a[0].int(&at[1..]) == at[0] { a[1].values[at[1]] } else { 0.0 })
    }),
];

const MATRICES: &[Row] = &[
    ("x: f64[N=3]", "diag(x)", |a| {
        build(&[3, 3], |i| if i[0] == i[1] { a[0].values[i[0]] } else { 0.0 })
    }),
    ("x: f64[N=2, N=2]", "diag(x * x)", |a| build(&[2], |i| a[0].at(&[i[0], i[0]]).powi(2))),
    ("x: f64[B=2, N=2]", "diag_embed(x)", |a| {
        build(&[2, 2, 2], |i| if i[1] == i[2] { a[0].at(&i[..2]) } else { 0.0 })
    }),
    ("x: f64[B=2, N=2, N=2]", "diagonal(x)", |a| build(&[2, 2], |i| a[0].at(&[i[0], i[1], i[1]]))),
    ("x: f64[0]", "diag(x)", |_| build(&[0, 0], |_| 0.0)),
    ("x: f64[N=3, K=2]", "tril(x)", |a| {
        build(&[3, 2], |i| if i[1] <= i[0] { a[0].at(i) } else { 0.0 })
    }),
    ("x: f64[B=2, 2, 3]", "tril(x, 1)", |a| {
        build(&[2, 2, 3], |i| if i[2] <= i[1] + 1 { a[0].at(i) } else { 0.0 })
    }),
    ("x: f64[N=2, K=3]", "triu(x * x)", |a| {
        build(&[2, 3], |i| if i[1] >= i[0] { a[0].at(i).powi(2) } else { 0.0 })
    }),
    ("x: f64[3, 2]", "triu(x, -1)", |a| {
        build(&[3, 2], |i| if i[1] + 1 >= i[0] { a[0].at(i) } else { 0.0 })
    }),
];

const FILLED: &[Row] = &[
    ("x: f64[N:=2]", "eye(2) @ x + eye(N) @ x", |a| a[0].map(|v| 2.0 * v)),
    ("x: f64[N=3]", "f64(iota(N)) * x", |a| build(&[3], |i| i[0] as f64 * a[0].values[i[0]])),
    ("x: f64[N=2]", "zeros(N) + ones(2, N) * x + full([N], 3)", |a| {
        build(&[2, 2], |i| 3.0 + a[0].values[i[1]])
    }),
    ("x: f64", "full([2, 2], x)", |a| build(&[2, 2], |_| a[0].values[0])),
    ("x: f64[N=3] = -2 0.3 2", "clip(x, -1, 1)", |a| a[0].map(|v| v.clamp(-1.0, 1.0))),
    ("x: f64[N=2, 2]; l: f64[2] = -0.3 -0.2; h: f64 = 0.4", "clip(x, l, h)", |a| {
        build(&[2, 2], |i| a[0].at(i).max(a[1].values[i[1]]).min(a[2].values[0]))
    }),
];

const MIXED: &[Row] = &[
    ("x: f64[N=2, D=2]; w: f64[D=2, H=2]; b: f64[H=2]", "tanh(x @ w + b)", |a| {
        build(&[2, 2], |i| {
            (total(2, |k| a[0].at(&[i[0], k]) * a[1].at(&[k, i[1]])) + a[2].values[i[1]]).tanh()
        })
    }),
    ("x: f64[N=2, D=3]", "x - mean[D](x)", |a| {
        build(&[2, 3], |i| a[0].at(i) - total(3, |k| a[0].at(&[i[0], k])) / 3.0)
    }),
    ("x: f64[N=3]", "x / sqrt(sum(x^2))", |a| {
        let norm = a[0].values.iter().map(|v| v * v).sum::<f64>().sqrt();
        a[0].map(|v| v / norm)
    }),
    ("x: f64[N=3]; A: f64[N=3, N=3]", "x @ A @ x", |a| {
        scalar(total(9, |p| a[0].values[p / 3] * a[1].values[p] * a[0].values[p % 3]))
    }),
    ("x: f64[N=2, K=2]", "where(x > 0, log(x), x * x)", |a| {
        a[0].map(|v| if v > 0.0 { v.ln() } else { v * v })
    }),
    ("x: f64[N=2]", "f64(f32(1)) * x + N", |a| a[0].map(|v| v + 2.0)),
];

#[test]
fn reductions() {
    check_all(REDUCTIONS);
}

#[test]
fn running() {
    check_all(RUNNING);
}

#[test]
fn products() {
    check_all(PRODUCTS);
}

#[test]
fn einsums() {
    check_all(EINSUMS);
}

#[test]
fn layout() {
    check_all(LAYOUT);
}

#[test]
fn slices() {
    check_all(SLICES);
}

#[test]
fn joined() {
    check_all(JOINED);
}

#[test]
fn indexed() {
    check_all(INDEXED);
}

#[test]
fn matrices() {
    check_all(MATRICES);
}

#[test]
fn filled() {
    check_all(FILLED);
}

#[test]
fn mixed() {
    check_all(MIXED);
}
