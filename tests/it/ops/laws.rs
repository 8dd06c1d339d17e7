//! Laws: both sides agree in value and in gradient, each law is used where it applies, and nothing gets longer by them.

use super::array::Array;
use super::case::drawn;
use super::machine::{
    Given, agree, array, derived, evaluate, loosened, model, operators, request, results, verified,
};
use pullback::autodiff::derive;
use pullback::compile::Level;
use pullback::graph::print::{Part, print};
use pullback::graph::{Kind, Model, NodeId, Origin, Origins, Output};
use pullback::ops::elementwise::Class;
use pullback::ops::laws::{LAWS, Law};
use pullback::ops::leaf::Variable;
use pullback::ops::special::Mode;
use pullback::ops::{Bindings, Op, Size, Term, Type};
use pullback::passes::{simplify, structure_laws};
use pullback::tensor::DType;
use std::sync::Arc;

const ORDINARY: &[f64] = &[-1.7, -0.4, 0.3, 1.9];
const EXTREME: &[f64] = &[0.0, -0.0, 1e-8, -1e-8, 1e8, -1e8, 1e-300, 1e300];

/// Which variables a term has, and whether they are truth values.
fn variables(term: &Term, truth: bool, found: &mut Vec<bool>) {
    match term {
        Term::Var(number) => {
            found.resize(found.len().max(number + 1), false);
            found[*number] = truth;
        }
        Term::Number(_) | Term::Size(_) => {}
        Term::Apply(inner) => {
            for (place, arg) in inner.1.iter().enumerate() {
                let truth = match &inner.0 {
                    Op::Select(_) => place == 0,
                    Op::Scalar(row) => row.class() == Class::Logic,
                    _ => false,
                };
                variables(arg, truth, found);
            }
        }
    }
}

/// A model that computes a term of variables of one shape, and their nodes.
fn planted(term: &Term, truths: &[bool], shape: &[Size]) -> (Model, Vec<NodeId>) {
    let mut model = Model::default();
    let origins = Origins::one(Origin::Law("test"));
    let mut nodes = Vec::new();
    for (number, &truth) in truths.iter().enumerate() {
        let dtype = if truth { DType::Bool } else { DType::F64 };
        let ty = Arc::new(Type::new(dtype, shape.iter().cloned()));
        let name = format!("x{number}").into();
        nodes.push(model.insert(Variable { name, ty }, &[], &origins).expect("a leaf"));
    }
    let node = model.plant(term, &nodes, DType::F64, &origins).expect("a law is well typed");
    model.outputs.push(Output { kind: Kind::Gradient, name: "f".into(), node });
    (model, nodes)
}

fn given(truths: &[bool], point: &[f64], shape: &[usize]) -> Vec<Given> {
    let count = shape.iter().product();
    truths
        .iter()
        .zip(point)
        .enumerate()
        .map(|(number, (&truth, &value))| Given {
            name: format!("x{number}"),
            dtype: if truth { DType::Bool } else { DType::F64 },
            array: Array { shape: shape.to_vec(), values: vec![value; count] },
        })
        .collect()
}

/// Value and derivatives of a term at a point.
fn at(term: &Term, truths: &[bool], point: &[f64]) -> Vec<f64> {
    let (mut model, nodes) = planted(term, truths, &[]);
    let node = model.outputs[0].node;
    let mut wanted = vec![node];
    if model.ty(node).dtype.is_float() {
        let floats: Vec<NodeId> =
            nodes.iter().copied().filter(|&id| model.ty(id).dtype.is_float()).collect();
        let flows = derive(&mut model, Mode::Grad, node, &floats, None, &Origins::default());
        wanted.extend(flows.expect("a law has derivatives").into_iter().map(|(_, node)| node));
    }
    let found = evaluate(&model, &wanted, &given(truths, point, &[]), &Bindings::default());
    found.iter().map(|tensor| tensor.to_f64()[0]).collect()
}

/// All points of so many variables with these coordinates.
fn grid(coordinates: &[f64], count: usize) -> Vec<Vec<f64>> {
    (0..count).fold(vec![Vec::new()], |points, _| {
        let longer = |point: &Vec<f64>| {
            let point = point.clone();
            coordinates.iter().map(move |&c| [point.as_slice(), &[c]].concat()).collect::<Vec<_>>()
        };
        points.iter().flat_map(longer).collect()
    })
}

fn truths(law: &Law) -> Vec<bool> {
    let mut found = Vec::new();
    variables(&law.left, false, &mut found);
    found
}

#[test]
fn both_sides_of_a_row_agree() {
    for law in LAWS.iter() {
        let truths = truths(law);
        let mut compared = 0;
        let points = [grid(ORDINARY, truths.len()), grid(EXTREME, truths.len().min(2))].concat();
        for point in points.iter().filter(|point| point.len() == truths.len()) {
            let left = at(&law.left, &truths, point);
            let right = at(&law.right, &truths, point);
            if !left[0].is_finite() {
                continue;
            }
            for (place, (a, b)) in
                left.iter().zip(&right).enumerate().filter(|(_, (a, _))| a.is_finite())
            {
                let what = if place == 0 { "value".into() } else { format!("derivative {place}") };
                compared += usize::from(place == 0);
                assert!(
                    (a - b).abs() <= 1e-12 * a.abs().max(1.0),
                    "{}: {what} at {point:?} is {a:e} on the left, {b:e} on the right",
                    law.name
                );
            }
        }
        assert!(compared > 0, "{} is defined nowhere", law.name);
    }
}

#[test]
fn each_row_is_used() {
    for law in LAWS.iter() {
        let truths = truths(law);
        for shape in [&[][..], &[2][..]] {
            let sizes: Vec<Size> = shape.iter().map(|&size| Size::Known(size)).collect();
            let (model, _) = planted(&law.left, &truths, &sizes);
            let (better, report) = simplify(&model);
            verified(&better, law.name);
            assert!(
                report.laws.contains_key(law.name),
                "{} {shape:?}: {:?}",
                law.name,
                report.laws
            );
            let shape: Vec<usize> = shape.iter().map(|&size| size as usize).collect();
            let given = given(&truths, &vec![0.7; truths.len()], &shape);
            let value = |model: &Model| {
                array(
                    &evaluate(model, &results(model, Kind::Gradient), &given, &Bindings::default())
                        [0],
                )
            };
            agree(law.name, &value(&better), &value(&model), 1e-14);
        }
    }
}

/// A law of structure or a step of a normal form, and a formula on which it is used.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("scalar not laid out", "x: f64[N=3]; s: f64", "x * broadcast(s, [N])"),
    ("scalar not laid out", "x: f64[N=3]; s: f64", "where(x > 0, broadcast(s, [N]), x)"),
    ("compute before laying out", "x: f64[K=3]", "exp(broadcast(x, [2, K]))"),
    (
        "compute before laying out",
        "x: f64[K=3]; y: f64[K=3]; s: f64",
        "atan2(broadcast(x, [2, K]), broadcast(y, [2, K])) + s",
    ),
    ("choice by a constant", "x: f64[N=3]; y: f64[N=3]", "where(zeros(N) > 1, x, y)"),
    ("choice by a constant", "x: f64[N=3]", "where(x > 0, where(zeros(N) < 1, 3, x), x)"),
    ("condition by a constant", "x: f64[N=3]", "where(zeros(N) < 1 and x > 0, x, 2 * x)"),
    ("condition by a constant", "x: f64[N=3]", "where(x > 0 or zeros(N) > 1, 3, x)"),
    ("condition by a constant", "x: f64[N=3]", "where(zeros(N) > 1 and x > 0, x, 2 * x)"),
    (
        "choices of one condition",
        "x: f64[N=3]; y: f64[N=3]",
        "where(x > 0, x, 0) + where(x > 0, 0, y)",
    ),
    ("sum of equal values", "x: f64[K=3]", "sum[0](broadcast(x, [2, K]))"),
    ("sum of equal values", "x: f64[K=3]", "sum(broadcast(x, [2, K]))"),
    ("sum of equal values", "s: f64", "sum(broadcast(s, [2, 3]))"),
    ("sum of sums", "x: f64[2, 3, 2]", "sum(sum[1](x))"),
    ("sum of sums", "x: f64[2, 3, 2]", "sum[1](sum[0](x))"),
    ("sum of deviations", "x: f64[2, 3]", "sum[1](exp(x) - mean[1, keep](exp(x)))"),
    ("a value and its sum", "x: f64[3]; s: f64[3]", "y = s / 3; y - sum(y) * x"),
    ("a value and its sum", "!x: f64[N=3]; s: f64[N=3]", "y = s / N; y - sum(y) * x"),
    (
        "both sides of a sigmoid",
        "x: f64[3]; y: f64[3]",
        "2 * (1 - y) * sigmoid(x) - y * sigmoid(-x) * 2",
    ),
    ("both sides of a sigmoid", "x: f64[3]", "sigmoid(x) - sigmoid(-x)"),
    ("scalar out of a linear operator", "x: f64[N=2, K=3]; s: f64", "sum[1](-s * x / 3)"),
    (
        "scalar out of a linear operator",
        "x: f64[N=2, K=3]; s: f64; y: f64[K=3, N=2]",
        "(2 * x) @ (y / s)",
    ),
    ("scalar out of a linear operator", "x: f64[N=2, K=3]; s: f64", "reshape(s * x, [K, N])"),
    ("scalar out of a linear operator", "x: f64[N=3]; s: f64", "outer(s * x, x / 3)"),
    ("identity matrix", "x: f64[N=3]", "eye(N) @ x"),
    ("identity matrix", "x: f64[B=2, N=3, N=3]", "x @ eye(N)"),
    ("identity matrix", "x: f64[N=3]", "x @ eye(N)"),
    ("identity matrix times a vector", "!x: f64[N=3]; s: f64", "eye(N) * x[:, None] * s / 2"),
    ("identity matrix times a vector", "!x: f64[N=3]; y: f64[N=3]", "eye(N)^2 / x^2 * y[:, None]"),
    ("identity matrix times a vector", "!x: f64[N=3]; y: f64[N=3]", "diag(x) * y"),
    (
        "vector into a bracket with an identity matrix",
        "!x: f64[N=3]",
        "x * (eye(N) - 2 * x[:, None])",
    ),
    ("column times row", "!x: f64[N=2]; y: f64[K=3]", "2 * x[:, None] * y"),
    ("column times row", "!x: f64[N=2]; y: f64[K=3]", "outer(x, y) * x[:, None]"),
    ("product with a diagonal matrix", "!x: f64[N=2]; y: f64[N=2, K=3]", "diag(x) @ y"),
    ("product with a diagonal matrix", "!x: f64[N=2]; y: f64[N=2, K=3]", "y' @ diag(x)"),
    ("product with a diagonal matrix", "!x: f64[N=2]; y: f64[N=2]", "y @ diag(x)"),
    ("sum of a diagonal matrix", "!x: f64[N=2]", "sum[1](diag(x))"),
    ("sum of a diagonal matrix", "!x: f64[N=2]", "mean(diag(x)) + x"),
    ("sum of a diagonal matrix", "!x: f64[N=2]", "x * mean[0](eye(N)) + sum(eye(N))"),
    ("sum of an outer product", "!x: f64[N=2]; y: f64[K=3]", "sum[0](outer(x, y))"),
    ("sum of an outer product", "!x: f64[N=2]; y: f64[K=3]", "mean[1](outer(x, y)) * x"),
    (
        "sum without deviations",
        "!x: f64[N=2, K=3]; y: f64[N=2, K=3]; s: f64[N=2]",
        "sum[K](y - s[:, None] * (tanh(x) - mean[K, keep](tanh(x))))",
    ),
    (
        "sum without deviations",
        "!x: f64[N=2, K=3]; y: f64[N=2, K=3]; s: f64[N=2]",
        "mean[K]((tanh(x) - mean[K, keep](tanh(x))) / (1 + s^2)[:, None] - y)",
    ),
    ("square of a root", "!x: f64[N=3]", "sqrt(1 + x^2)^2 * x"),
    (
        "sum with an outer product",
        "!x: f64[N=2]; y: f64[K=3]; A: f64[N=2, K=3]",
        "sum[0](2 * outer(x, y) * A)",
    ),
    (
        "sum with an outer product",
        "!x: f64[N=2]; y: f64[K=3]; A: f64[N=2, K=3]",
        "sum[1](outer(x, y) / A) + x",
    ),
    (
        "scalar out of a linear operator",
        "!x: f64[N=2, N=2]; y: f64[N=2]",
        "solve(x + eye(N) * 2, y / 2)",
    ),
    ("product with a logarithm", "x: f64[N=3]", "xlogy(-2 / N, 1 + x^2)"),
    ("product with a logarithm", "x: f64[N=3]", "xlogy(exp(x) * 3, x^2)"),
    ("linear in zeros", "x: f64[N=3]", "zeros(2, N) @ x"),
    ("linear in zeros", "i: i64[2] = 0 1; x: f64[2]", "put_along(i, zeros(2), 3) + sum(x)"),
    ("linear in zeros", "i: i64[2] = 0 1; x: f64[2]", "gather(zeros(2), i) * x"),
    ("transpose of a symmetric matrix", "x: f64[N=2, K=3]", "(x @ x')'"),
    ("transpose of a symmetric matrix", "x: f64[N=3]", "(2 * diag(x))'"),
    ("transpose of a symmetric matrix", "x: f64[N=2, N=2]", "(x + x')'"),
    ("transpose of a symmetric matrix", "x: f64[N=2, K=3]", "exp(-(x @ x') / 2)'"),
    ("transpose of a symmetric matrix", "x: f64[N=2, K=3]", "inverse(x @ x' + eye(N))'"),
    (
        "transpose of a symmetric matrix",
        "!x: f64[N=3, D=2]",
        "exp(-sum[2]((x[:, None, :] - x[None, :, :])^2))'",
    ),
    (
        "transpose of a symmetric matrix",
        "x: f64[N=3, D=2]",
        "r = sum[D](x^2); exp(2 * x @ x' - r[:, None] - r[None, :])'",
    ),
    (
        "transpose of a symmetric matrix",
        "x: f64[N=2, N=2]",
        "where(abs(x - x') > 1, (x * 2) @ (x + x') @ x', outer(x[0], x[0]))'",
    ),
    ("product with an outer product", "x: f64[N=2]; A: f64[K=3, N=2]", "A @ outer(x, x * x)"),
    (
        "product with an outer product",
        "!x: f64[N=2]; y: f64[K=3]; A: f64[K=3, M=4]",
        "outer(x, y) @ A",
    ),
    ("product with an outer product", "!x: f64[N=2]; y: f64[K=3]", "(x @ outer(x, y)) * y"),
    ("product with an outer product", "!x: f64[N=2]; y: f64[K=3]", "outer(x, y) @ y"),
    ("vector before a symmetric matrix", "!x: f64[N=2, K=3]; y: f64[N=2]", "y @ (x @ x')"),
    ("sum of a symmetric matrix", "!x: f64[N=2, K=3]", "mean[1](exp(x @ x'))"),
    ("sum with an identity matrix", "!x: f64[N=2, N=2]", "sum[0](exp(x) * eye(N))"),
    ("sum with an identity matrix", "!x: f64[N=2, N=2]", "sum(-x / 3 * eye(N)) + x[0, 0]"),
    ("transpose of a product", "x: f64[K=3, N=2]; y: f64[K=3, M=1]", "(x' @ y)'"),
    ("transpose of a product", "x: f64[B=2, K=3, N=2]; y: f64[B=2, M=1, K=3]", "(x' @ y')'"),
    ("transpose of single elements", "x: f64[N=2, K=3]; y: f64[N=2, K=3]", "(x' + y')'"),
    (
        "transpose of single elements",
        "x: f64[N=2]; y: f64[N=2]",
        "(outer(x, y) * broadcast(3, [N, N]))' + sum(broadcast(x[0], [N, 3])')",
    ),
    (
        "factor out of a sum",
        "x: f64[N=2, K=3]; v: f64[N=2]",
        "sum[1](x * broadcast(v[:, None], [N, K]))",
    ),
    ("factor out of a sum", "!x: f64[N=2, K=3]; v: f64[N=2]", "sum[K](exp(x) * v)"),
    ("factor out of a sum", "!x: f64[N=2, K=3]; v: f64[N=2]; s: f64", "sum[K](-2 * s * x / v^2)"),
    (
        "axes in another order twice",
        "!x: f64[A=2, B=3, C=2]",
        "permute(permute(x, [1, 2, 0]), [1, 2, 0])",
    ),
    ("slice of a slice", "!x: f64[N=2, K=9]", "x[:, 1:8][1, ::3]"),
    ("slice of a slice", "!x: f64[N=2, K=9]", "x[1, 1::2][2]"),
    (
        "matrix product before laying out",
        "x: f64[2, 3]; s: f64[4]; y: f64[3, 2]",
        "(broadcast(x, [4, 2, 3]) * s[:, None, None] * 2) @ y",
    ),
    (
        "matrix product before laying out",
        "x: f64[2, 3]; y: f64[3, 2]",
        "(eye(4)[:, None, :, None] * x[:, None, :]) @ y",
    ),
    (
        "matrix product before laying out",
        "x: f64[2, 3]; y: f64[3, 2]",
        "(eye(4)[:, None, :, None] * x[:, None, :]) @ broadcast(y, [4, 2, 3, 2])",
    ),
    (
        "matrix product before laying out",
        "x: f64[2, 4]; y: f64[4, 3]",
        "(x[:, None, :] * eye(4)[None, :, :] / 2) @ y",
    ),
    (
        "matrix product before laying out",
        "x: f64[2, 3]; y: f64[4, 3]; z: f64[4, 3, 5]",
        "broadcast(x, [4, 2, 3]) @ (y[:, :, None] * z)",
    ),
    (
        "matrix product before laying out",
        "x: f64[5, 2]; y: f64[3, 5, 3]",
        "broadcast(x', [2, 3, 2, 5]) @ (x'[:, None, :, None] * y)",
    ),
    (
        "matrix product before laying out",
        "x: f64[2, 3]; y: f64[3, 4]",
        "einsum(\"ij,ajk->ik\", x, eye(3)[:, :, None] * y[:, None, :] * 2)",
    ),
    ("compute in fewest axes", "x: f64[2, 3]; y: f64[3]", "broadcast(x, [4, 2, 3]) - y"),
    (
        "compute in fewest axes",
        "x: f64[2, 3]; y: f64[3]",
        "where(broadcast(x, [4, 2, 3]) > y, broadcast(y, [4, 2, 3]), 1)",
    ),
    ("sum before laying out", "x: f64[2, 3, 3]", "sum[2](exp(x) * eye(3))"),
    ("sum before laying out", "x: f64[3]", "sum[0](eye(3)[:, :, None] * eye(3)[:, None, :]) * x"),
    ("sum before laying out", "x: f64[3]", "sum[1, 2](broadcast(eye(3), [3, 3, 3]) * eye(3)) * x"),
    ("sum before laying out", "x: f64[2, 3]; y: f64[3]", "sum[1](x[:, :, None] * eye(3) / y)"),
    (
        "sum before laying out",
        "x: f64[2, 3]",
        "mean[0, 2](x[:, None, :] * broadcast(x[:, :, None], [2, 3, 3]) * eye(3))",
    ),
    (
        "sum before laying out",
        "x: f64[2, 3]",
        "sum[1](broadcast(x[:, :, None], [2, 3, 4])) + 0 * sum(x)",
    ),
    (
        "transpose before laying out",
        "x: f64[4]; y: f64[3]",
        "(broadcast(x[:, None, None], [4, 2, 3]) * y)'",
    ),
    ("transpose before laying out", "x: f64[3]", "(x[:, None] * ones(3, 2))'"),
    (
        "common identity matrix",
        "x: f64[N=3]; y: f64[N=3, N=3]; s: f64",
        "eye(N) * s - y * y' + eye(N) * sum(x)",
    ),
    ("one number among zeros", "s: f64", "pad(broadcast(s, [1]), [[1, 2]])"),
    ("sum of a one-hot vector", "s: f64", "s * sum(one_hot(1, 3))"),
    ("number on the right of a comparison", "x: f64[N=3]", "where(0.1 > x, x, 2 * x)"),
    ("above the kink", "!x: f64[N=3]; y: f64[N=3]", "where(relu(x - y) > 0, x, y)"),
    ("matrix product with equal values", "!x: f64[N=2, K=3]", "x' @ full([N], 2)"),
    ("matrix product with equal values", "!x: f64[N=2, K=3]", "ones(N) @ x"),
    ("outer product with equal values", "!x: f64[N=2]", "outer(ones(3), x)"),
    ("outer product with equal values", "!x: f64[N=2]", "outer(x, ones(3))"),
    ("transpose before laying out", "!x: f64[N=2, K=3]", "broadcast(x, [4, N, K])'"),
    ("pieces side by side", "x: f64[2]; y: f64[3]", "pad(x, [[0, 3]]) + pad(2 * y, [[2, 0]])"),
    (
        "pieces side by side",
        "s: f64; t: f64",
        "s * one_hot(0, 3) + t * one_hot(2, 3) + 2 * one_hot(0, 3)",
    ),
    ("average", "!x: f64[N=2, K=3]", "2 * sum[K](exp(x)) / K"),
    ("average", "x: f64[2, 3]", "sum[1](exp(x)) / 3"),
    ("product", "x: f64[N=3]; y: f64[N=3]", "-2 * x * 3 * (-y) / (x * 4)"),
    ("product", "x: f64[N=3]; y: f64", "y * 2 * (x / y)"),
    ("product", "x: f64[N=3]", "x * x^2 / (1 / sqrt(1 + x^2)^2)"),
    ("product", "x: f64[N=2, K=3]", "x / N / K * 2"),
    ("cancel what is not 0", "x: f64[N=3]; y: f64[N=3]", "exp(x) * y / exp(x)"),
    ("cancel what is not 0", "x: f64[N=3]; y: f64[N=3]", "sigmoid(x)^2 * y / sigmoid(x)"),
    ("factor into the choice", "x: f64[N=3]; y: f64[N=3]", "where(x > 0, x, 0) * y * 2"),
    ("factor into the choice", "x: f64[N=3]; y: f64[N=3]", "y / x * where(x > 0, 0, 3)"),
    ("multiply before laying out", "!x: f64[N=2, K=3]; u: f64[N=2]; v: f64[N=2]", "x * u * v"),
    ("sum", "x: f64[N=3]; y: f64[N=3]", "x + 2 * y - 3 * x + 1 - y"),
    ("sum", "x: f64[N=3]", "x - x"),
    ("sum", "x: f64[N=3]; s: f64", "x + s - x"),
    ("common factor", "x: f64[N=3]; y: f64[N=3]; s: f64[N=3]", "s * x - s * y"),
    ("common factor", "x: f64[N=3]; y: f64[N=3]; s: f64[N=3]", "x / s^2 + y / s"),
    (
        "common matrix",
        "a: f64[N=2, K=2]; b: f64[N=2, K=2]; x: f64[K=2, M=3]",
        "a @ x + 2 * (b @ x)",
    ),
    ("common matrix", "a: f64[N=2, K=2]; x: f64[K=2, M=3]; y: f64[K=2, M=3]", "a @ x - a @ y"),
    ("common matrix", "A: f64[N=2, N=2]; x: f64[N=2]", "A @ x + x @ A"),
];

#[test]
fn examples_use_their_law_and_keep_their_values() {
    let failed: Vec<&str> = EXAMPLES
        .iter()
        .filter(|(law, given, formula)| {
            std::panic::catch_unwind(|| example(law, given, formula)).is_err()
        })
        .map(|(_, _, formula)| *formula)
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn example(law: &str, given: &str, formula: &str) {
    let Some((text, variables, bindings)) = drawn(given, formula) else {
        panic!("no form of the sizes suits {formula}");
    };
    let text = format!("{text}loss L = sum(f)\n");
    let plain = loosened(&model(&text));
    let (better, report) = simplify(&plain);
    verified(&better, &text);
    assert!(report.laws.contains_key(law), "{law} in {formula}: {:?}", report.laws);
    let only = |model: &Model| {
        let mut model = model.clone();
        model.outputs.retain(|output| &*output.name == "f");
        operators(&model)
    };
    let longer = only(&better) > only(&plain);
    assert!(!longer, "{formula} becomes\n{}", print(&better, Part::Whole).text);
    settled(&better);
    for factor in [1.0, 1e-6, 1e6, 0.0] {
        let mut variables = variables.clone();
        for variable in variables.iter_mut().filter(|v| v.dtype == DType::F64) {
            variable.array = variable.array.map(|v| v * factor);
        }
        let (left, right) =
            (everything(&plain, &variables, &bindings), everything(&better, &variables, &bindings));
        for (a, b) in
            left.iter().zip(&right).filter(|(a, _)| a.values.iter().all(|v| v.is_finite()))
        {
            agree(&format!("{formula} times {factor}, {law}"), b, a, 1e-12);
        }
    }
}

/// The values of a model's results and the gradient of the loss among them.
fn everything(model: &Model, given: &[Given], bindings: &Bindings) -> Vec<Array> {
    let mut model = model.clone();
    let loss = model.outputs.iter().find(|output| &*output.name == "L").expect("there is one").node;
    let floats: Vec<NodeId> = model
        .variables
        .values()
        .map(|variable| variable.node)
        .filter(|&id| model.ty(id).dtype.is_float())
        .collect();
    let flows = derive(&mut model, Mode::Grad, loss, &floats, None, &Origins::default());
    let mut wanted: Vec<NodeId> = model.outputs.iter().map(|output| output.node).collect();
    wanted.extend(flows.expect("it has a gradient").into_iter().map(|(_, node)| node));
    evaluate(&model, &wanted, given, bindings).iter().map(array).collect()
}

/// Fails unless the laws find nothing more to do.
pub fn settled(model: &Model) {
    let (again, _) = simplify(model);
    let (one, two) = (print(model, Part::Whole).text, print(&again, Part::Whole).text);
    assert_eq!(one, two, "simplified twice, it changes");
}

/// What the source text has a name for is not written out, a number has none, and powers of one value meet.
#[test]
fn names_are_used() {
    for (text, wanted) in [
        ("x: f64, y: f64; q = x / y; q^2", "d_y = -2 * L / y"),
        (
            "x: f64[N, K], y: f64[N]; q = x / y[:, None]; 1/2 * sum(q^2)",
            "d_x = q / y\nd_y = -sum[K](q^2) / y",
        ),
        ("x: f64, y: f64; s = sqrt(1 + y^2); x / s", "d_y = -L * y / s^2"),
        ("x: f64, y: f64; exp(x^2 / y^2)", "d_y = -2 * L * x^2 / y^3"),
        ("x: f64, y: f64; log(1 + x^2) / y^2", "d_y = -2 * L / y"),
        ("x: f64, y: f64; where(y > 0, x^2, x)", "d_x = where(y > 0, 2 * x, 1)"),
    ] {
        let (given, formula) = text.split_once("; ").expect("variables and a formula");
        let (statements, loss) = formula.rsplit_once("; ").unwrap_or(("", formula));
        let given = given.replace("64, ", "64\ninput ").replace("], ", "]\ninput ");
        let text = format!("dim N, K\ninput {given}\n{statements}\nloss L = {loss}\n");
        let request = request(Mode::Grad, "L", &["x", "y"], &[]);
        let derived = derived(&model(&text), &[request], Level::Readable, &text);
        let printed = print(&derived.model, Part::Adjoint).text;
        let lines = printed.lines().map(|line| line.split("  #").next().unwrap_or("").trim_end());
        let lines = lines.collect::<Vec<_>>().join("\n");
        assert!(lines.contains(wanted), "{lines}");
    }
}

/// Beside a number that may be infinite there are zeros.
#[test]
fn zeros_beside_an_infinite_number() {
    let text = "input x: f64[3]\nloss L = x[0] * log(x[0])\n";
    let derived =
        derived(&model(text), &[request(Mode::Grad, "L", &["x"], &[])], Level::Readable, text);
    let gradient = derived.model.outputs.last().expect("a gradient").node;
    let given = [Given {
        name: "x".into(),
        dtype: DType::F64,
        array: Array { shape: vec![3], values: vec![0.0; 3] },
    }];
    let found = evaluate(&derived.model, &[gradient], &given, &Bindings::default());
    assert_eq!(found[0].to_f64(), [f64::NEG_INFINITY, 0.0, 0.0]);
}

/// The marginal likelihood of a Gaussian process has the gradient of the books, and what is subtracted is seen to be negative.
#[test]
fn kernels_are_symmetric() {
    let process = "dim N, D\ninput x: f64[N, D]\ninput y: f64[N]\nparam s: f64\n\
        r = sum[D](x^2)\nK = exp(x @ x' - r[:, None] / 2 - r[None, :] / 2)\nA = K + s * eye(N)\n\
        loss L = y @ inverse(A) @ y + logdet(A)\n";
    let focal = "input y: f64\ninput z: f64\np = sigmoid(z)\nloss L = -y * (1 - p)^2 * log(p)\n";
    for (text, by, wanted) in [
        (process, "s", "d_s_1 = L_1 @ y\nd_s = sum[N](diag(L_1 - outer(d_s_1, d_s_1)))"),
        (focal, "z", "(2 * softplus(-z) * y * p * L_1 - (-y * L_1^2))"),
    ] {
        let derived =
            derived(&model(text), &[request(Mode::Grad, "L", &[by], &[])], Level::Readable, text);
        let printed = print(&derived.model, Part::Adjoint).text;
        let lines = printed.lines().map(|line| line.split("  #").next().unwrap_or("").trim_end());
        let lines = lines.collect::<Vec<_>>().join("\n");
        assert!(lines.contains(wanted), "{lines}");
    }
}

/// Laws about names have tests of their own: `roots_keep_their_names`, `sides_of_a_sigmoid`.
const OF_NAMES: &[&str] = &["root by its name", "other side of a sigmoid"];

#[test]
fn every_law_of_structure_has_an_example() {
    let missing: Vec<&str> = structure_laws()
        .map(|(law, _)| law)
        .filter(|law| !OF_NAMES.contains(law))
        .filter(|law| !EXAMPLES.iter().any(|(known, ..)| known == law))
        .collect();
    assert_eq!(missing, [""; 0], "give these an example");
}
