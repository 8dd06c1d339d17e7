//! Models drawn at random over all operators: what the laws make of them has the same values.

use super::array::Array;
use super::laws::settled;
use super::machine::{
    Given, derived, evaluate, loosened, model, operators, request, results, round_trip, values,
    verified,
};
use proptest::prelude::*;
use pullback::compile::Level;
use pullback::graph::print::{Part, print};
use pullback::graph::{Kind, Model};
use pullback::ops::elementwise::Class;
use pullback::ops::leaf::Variable;
use pullback::ops::reduce::Fold;
use pullback::ops::special::Mode;
use pullback::ops::{Bindings, Op, Operator, Scalar};
use pullback::passes::simplify;
use pullback::tensor::{DType, Tensor};

/// What a formula gives, and the formula: `S` a scalar, `V` a vector of 3, `M` a matrix of 2 by 3, `Q` one of 3 by 3.
const FORMULAS: &[(char, &str)] = &[
    ('S', "sum(V)"),
    ('S', "sum(M)"),
    ('S', "mean(M)"),
    ('S', "V @ V"),
    ('S', "max(V)"),
    ('S', "prod(V)"),
    ('S', "logsumexp(V)"),
    ('S', "V[1]"),
    ('S', "trace(Q)"),
    ('S', "einsum(\"nk,nk->\", M, M)"),
    ('S', "S * S + 2"),
    ('S', "S / 3 - S"),
    ('V', "sum[0](M)"),
    ('V', "mean[0](M) * S"),
    ('V', "max[0](M)"),
    ('V', "M[0] - M[1]"),
    ('V', "Q @ V"),
    ('V', "V @ Q"),
    ('V', "softmax(V)"),
    ('V', "cumsum(V)"),
    ('V', "cumprod(V, reverse = true)"),
    ('V', "recurrence(V, V)"),
    ('V', "V[::-1] * V"),
    ('V', "diag(Q)"),
    ('V', "where(V > S, V, 0)"),
    ('V', "where(V > 0, V * V, S)"),
    ('V', "V * S - V"),
    ('V', "V / (1 + V^2)"),
    ('V', "concat([V[1:], V[:1]])"),
    ('V', "roll(V, 1) + broadcast(S, [3])"),
    ('V', "gather(V, index)"),
    ('V', "scatter_add(V, index, V)"),
    ('V', "take_along(V, index)"),
    ('V', "2 * V + 3 * V - V"),
    ('M', "M * V"),
    ('M', "M + V"),
    ('M', "M - S"),
    ('M', "M * M"),
    ('M', "M / (2 + cos(M))"),
    ('M', "M @ Q"),
    ('M', "(Q @ M')'"),
    ('M', "softmax[0](M)"),
    ('M', "softmax[1](M)"),
    ('M', "M - mean[1, keep](M)"),
    ('M', "stack([V, V])"),
    ('M', "reshape(flip[1](M), [2, 3])"),
    ('M', "where(M > 0, M, 0) * V"),
    ('M', "where(M > V, M / S, 0) + M"),
    ('M', "pad(M[:, 1:], [[0, 0], [1, 0]])"),
    ('M', "tril(M) + triu(M, 1)"),
    ('M', "maximum(M, V)"),
    ('M', "-(M * S) / 4"),
    ('M', "relu(M)"),
    ('M', "stop_gradient(M) * M"),
    ('M', "clip(M, -1, 1)"),
    ('Q', "outer(V, V)"),
    ('Q', "M' @ M"),
    ('Q', "Q' + Q"),
    ('Q', "Q @ Q"),
    ('Q', "diag(V) - Q"),
    ('Q', "eye(3) * S + Q"),
    ('Q', "einsum(\"nk,nj->jk\", M, M)"),
    ('Q', "permute(Q, [1, 0]) * V"),
];

/// The rows that take one float, on an operand in the middle of what they are defined on.
fn rows() -> Vec<(char, String)> {
    let unary = Scalar::ALL.iter().filter(|row| row.arity() == 1 && row.class() != Class::Logic);
    let binary = Scalar::ALL.iter().filter(|row| {
        row.arity() == 2 && matches!(row.class(), Class::Float | Class::Number) && !row.has_order()
    });
    let within = |row: &Scalar, x: &str| match row {
        Scalar::Acosh => format!("acosh(1.5 + softplus({x}))"),
        row => format!("{}(0.1 + 0.8 * sigmoid({x}))", row.word()),
    };
    unary
        .flat_map(|row| ['V', 'M'].map(|kind| (kind, within(row, &kind.to_string()))))
        .chain(binary.flat_map(|row| {
            ['V', 'M'].map(|kind| {
                (kind, format!("{}(1 + sigmoid({kind}), 1 + exp(-{kind}^2))", row.word()))
            })
        }))
        .collect()
}

const VARIABLES: &[(char, &str, &str)] = &[
    ('S', "s", ""),
    ('V', "u", "[3]"),
    ('V', "v", "[3]"),
    ('M', "m", "[2, 3]"),
    ('Q', "q", "[3, 3]"),
];

/// Lines over values that are there, each choice one, and what is there then.
pub fn lines(
    choices: &[(u16, u16, u16)],
    known: Vec<(char, String)>,
) -> (Vec<String>, Vec<(char, String)>) {
    let all: Vec<(char, String)> =
        FORMULAS.iter().map(|(kind, text)| (*kind, text.to_string())).chain(rows()).collect();
    let (mut lines, mut known) = (Vec::new(), known);
    for (number, &(which, one, two)) in choices.iter().enumerate() {
        let (kind, formula) = &all[usize::from(which) % all.len()];
        let mut line = String::new();
        for (place, c) in formula.chars().enumerate() {
            let of: Vec<&String> = known.iter().filter(|(k, _)| *k == c).map(|(_, n)| n).collect();
            let pick = usize::from(if place % 2 == 0 { one } else { two });
            match of.as_slice() {
                [] => line.push(c),
                // The newest is taken most often, so that formulas grow deep.
                of if pick % 3 > 0 => line.push_str(of[of.len() - 1]),
                of => line.push_str(of[pick / 3 % of.len()]),
            }
        }
        lines.push(format!("t{number} = {line}\n"));
        known.push((*kind, format!("t{number}")));
    }
    (lines, known)
}

/// The inputs with their kinds, and their declarations.
pub fn inputs() -> (Vec<(char, String)>, String) {
    let known = VARIABLES.iter().map(|(kind, name, _)| (*kind, name.to_string())).collect();
    let mut text: String =
        VARIABLES.iter().map(|(_, name, shape)| format!("input {name}: f64{shape}\n")).collect();
    text += "input index: i64[3]\n";
    (known, text)
}

/// The text of a model: each choice gives a line.
fn text(choices: &[(u16, u16, u16)]) -> String {
    let (known, mut text) = inputs();
    let (lines, known) = lines(choices, known);
    text += &lines.concat();
    let ends: Vec<String> =
        known.iter().rev().take(3).map(|(_, name)| format!("sum({name} * {name})")).collect();
    text + &format!("loss L = {}\noutput f = {}\n", ends.join(" + "), known[known.len() - 1].1)
}

pub fn given() -> Vec<Given> {
    let mut given: Vec<Given> = VARIABLES
        .iter()
        .enumerate()
        .map(|(seed, (_, name, shape))| {
            let sizes = shape.trim_matches(['[', ']']).split(", ").filter(|s| !s.is_empty());
            let shape: Vec<usize> = sizes.map(|size| size.parse().expect("a size")).collect();
            let value = |k: usize| 0.9 * ((7 * k + 3 * seed + 1) as f64).sin();
            let values = (0..shape.iter().product()).map(value).collect();
            Given { name: name.to_string(), dtype: DType::F64, array: Array { shape, values } }
        })
        .collect();
    let array = Array { shape: vec![3], values: vec![2.0, 0.0, 2.0] };
    given.push(Given { name: "index".into(), dtype: DType::I64, array });
    given
}

/// Whether an operator rounds: comparisons and what only moves elements must see the numbers as they are.
fn rounds(op: &Op) -> bool {
    match op {
        Op::Scalar(row) => {
            matches!(row.class(), Class::Float | Class::Number)
                && !matches!(
                    row,
                    Scalar::Neg
                        | Scalar::Abs
                        | Scalar::Sign
                        | Scalar::Maximum
                        | Scalar::Minimum
                        | Scalar::Relu
                        | Scalar::Floor
                        | Scalar::Ceil
                        | Scalar::Round
                        | Scalar::Trunc
                )
        }
        Op::Reduce(reduce) => !matches!(reduce.kind, Fold::Max | Fold::Min | Fold::Any | Fold::All),
        Op::Softmax(_) | Op::Cumulate(_) | Op::MatMul(_) | Op::Outer(_) | Op::Einsum(_) => true,
        _ => false,
    }
}

/// The values of the results where each rounded value is off by about `noise`, each by another amount.
fn noisy(model: &Model, seed: u64, noise: f64) -> Vec<Vec<f64>> {
    let (given, bindings) = (values(&given()), Bindings::default());
    let mut state = seed;
    let mut random = || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    let mut known: Vec<Tensor> = Vec::new();
    for id in model.nodes() {
        let operands: Vec<Tensor> =
            model.operands(id).iter().map(|operand| known[operand.index()].clone()).collect();
        let to: Vec<usize> =
            model.ty(id).shape.iter().map(|s| s.known().expect("a number") as usize).collect();
        let value = match model.op(id) {
            Op::Variable(Variable { name, .. }) => given[name].clone(),
            op => op.value(&operands, &to, &bindings).expect("it has a value"),
        };
        known.push(if value.dtype() == DType::F64 && rounds(model.op(id)) {
            let values = value.to_f64().into_iter().map(|v| v * (1.0 + noise * random()));
            Tensor::from_f64(DType::F64, &to, values.collect())
        } else {
            value
        });
    }
    model.outputs.iter().map(|output| known[output.node.index()].to_f64()).collect()
}

/// Fails unless two models have the same results, up to what rounding makes of the first.
fn same(one: &Model, two: &Model) {
    let exact = noisy(one, 0, 0.0);
    let samples: Vec<_> = (1..5).map(|seed| noisy(one, seed, 1e-13)).collect();
    let wanted: Vec<_> = two.outputs.iter().map(|output| output.node).collect();
    let found = evaluate(two, &wanted, &given(), &Bindings::default());
    for (number, (exact, found)) in exact.iter().zip(&found).enumerate() {
        for (place, (a, b)) in exact.iter().zip(found.to_f64()).enumerate() {
            let spread = samples.iter().map(|s| (s[number][place] - a).abs()).fold(0.0, f64::max);
            if !a.is_finite() || !spread.is_finite() {
                continue;
            }
            assert!(
                (a - b).abs() <= 30.0 * spread + 1e-12 * a.abs() + 1e-14,
                "{} [{place}]: {a:e} becomes {b:e}, rounding alone moves it by {spread:e}\n{}\nbecomes\n{}",
                one.outputs[number].name,
                print(one, Part::Whole).text,
                print(two, Part::Whole).text
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn laws_keep_values(choices in prop::collection::vec(any::<(u16, u16, u16)>(), 1..9)) {
        let text = text(&choices);
        let names: Vec<&str> = VARIABLES.iter().map(|(_, name, _)| *name).collect();
        let requests = [request(Mode::Grad, "L", &names, &[])];
        let read = model(&text);
        let raw = derived(&read, &requests, Level::Derived, &text).model;
        let readable = derived(&read, &requests, Level::Readable, &text).model;
        same(&raw, &readable);
        settled(&readable);
        prop_assert!(operators(&readable) <= operators(&raw), "{}", text);
        prop_assert_eq!(results(&readable, Kind::Gradient).len(), names.len());
        round_trip(&raw, &given(), &Bindings::default());
        round_trip(&readable, &given(), &Bindings::default());

        let loose = loosened(&raw);
        let (better, _) = simplify(&loose);
        verified(&better, &text);
        same(&loose, &better);
        settled(&better);
        prop_assert!(operators(&better) <= operators(&loose), "{}", text);
    }
}
