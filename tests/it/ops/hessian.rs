//! All ways to a Hessian lead to the same numbers.

use super::array::{Array, build};
use super::laws::settled;
use super::machine::{Given, agree, array, derived, evaluate, model, request, results};
use crate::command::root;
use pullback::compile::{self, Level, Request};
use pullback::graph::Kind;
use pullback::graph::print::{Part, print};
use pullback::ops::Bindings;
use pullback::ops::special::Mode;
use pullback::tensor::DType;

/// Losses of a vector w: f64[3], with x: f64[4, 3] and y: f64[4] given.
const LOSSES: &[&str] = &[
    "mean(bce_with_logits(x @ w, y))",
    "sum(tanh(x @ w) * y)",
    "sum((x @ softmax(w) - y)^2)",
    "logsumexp(x @ w) + 1/2 * sum(w^2)",
    "prod(w) * norm(w)",
    "sum(cumprod(w)) + w @ w * max(x @ w)",
    "sum(exp(outer(w, w)) * diag(w)) + log(1 + sum(w^4))",
];

fn given() -> Vec<Given> {
    let named = |name: &str, array: Array| Given { name: name.into(), dtype: DType::F64, array };
    vec![
        named("w", Array { shape: vec![3], values: vec![0.4, -0.7, 0.9] }),
        named("x", build(&[4, 3], |i| ((3 * i[0] + 5 * i[1]) as f64).sin())),
        named("y", Array { shape: vec![4], values: vec![0.0, 1.0, 1.0, 0.3] }),
    ]
}

fn text(loss: &str) -> String {
    let unit = |k: usize| {
        let bits: Vec<String> = (0..3).map(|i| usize::from(i == k).to_string()).collect();
        format!("[{}]", bits.join(", "))
    };
    let columns = |of: &dyn Fn(&str, usize) -> String| -> String {
        let parts: Vec<String> = (0..3).map(|k| of(&unit(k), k)).collect();
        format!("stack([{}])", parts.join(", "))
    };
    let ways = [
        ("hessian", "hessian(C, w)".to_string()),
        ("jacobian", "jacobian(grad(C, w), w)".into()),
        ("entries", columns(&|_, k| format!("grad(g[{k}], w)"))),
        ("hvp", columns(&|e, _| format!("hvp(C, w, {e})"))),
        ("jvp", columns(&|e, _| format!("jvp(g, w, {e})"))),
        ("vjp", columns(&|e, _| format!("vjp(g, w, {e})"))),
        ("double", columns(&|e, _| format!("grad(sum(g * {e}), w)"))),
        ("forward", columns(&|e, _| format!("grad(jvp(C, w, {e}), w)"))),
        ("forward_twice", columns(&|e, _| columns(&|f, _| format!("jvp(jvp(C, w, {e}), w, {f})")))),
        ("mixed", "grad(C, w, w)".into()),
    ];
    let mut text = String::from("input w: f64[3]\ninput x: f64[4, 3]\ninput y: f64[4]\n");
    text += &format!("loss C = {loss}\ng = grad(C, w)\n");
    for (name, way) in ways {
        text += &format!("output by_{name} = {way}\n");
    }
    text
}

#[test]
fn every_way_gives_the_same_hessian() {
    for loss in LOSSES {
        let text = text(loss);
        let model = derived(&model(&text), &[], Level::Derived, &text).model;
        let gradient = model.named("g").expect("it is written");
        let at = |w: &[f64]| {
            let mut given = given();
            given[0].array.values = w.to_vec();
            array(&evaluate(&model, &[gradient], &given, &Bindings::default())[0])
        };
        let measured = build(&[3, 3], |i| {
            let moved = |step: f64| {
                let mut w = given()[0].array.values.clone();
                w[i[1]] += step;
                at(&w).values[i[0]]
            };
            let central = |h: f64| (moved(h) - moved(-h)) / (2.0 * h);
            (4.0 * central(5e-4) - central(1e-3)) / 3.0
        });
        let ways: Vec<_> = model.outputs.iter().filter(|o| o.name.starts_with("by_")).collect();
        let nodes: Vec<_> = ways.iter().map(|output| output.node).collect();
        let found: Vec<Array> =
            evaluate(&model, &nodes, &given(), &Bindings::default()).iter().map(array).collect();
        for (way, hessian) in ways.iter().zip(&found) {
            agree(&format!("{} of {loss}", way.name), hessian, &found[0], 1e-12);
        }
        agree(&format!("differences of {loss}"), &found[0], &measured, 1e-8);
    }
}

/// Declarations, a loss, its variable, and its Hessian as a paper has it.
const PAPERS: &[(&str, &str, &str, &str)] = &[
    (
        "dim n, m, k; input A: f64[n, m]; param U: f64[n, k]; param V: f64[m, k]",
        "1/2 * sum((A - U @ V')^2)",
        "V",
        "eye(m)[:, None, :, None] * (U' @ U)[:, None, :]",
    ),
    (
        "dim n, m, k; input A: f64[n, m]; param U: f64[n, k]; param V: f64[m, k]",
        "1/2 * sum((A - U @ V')^2)",
        "U",
        "eye(n)[:, None, :, None] * (V' @ V)[:, None, :]",
    ),
    ("dim n; input A: f64[n, n]; param x: f64[n]", "x' @ A @ x", "x", "A + A'"),
    ("dim n; param x: f64[n]", "sum(x * log(x))", "x", "diag(1 / x)"),
    ("dim n; param x: f64[n]", "sum(x^4)", "x", "12 * diag(x^2)"),
    ("dim n; param x: f64[n]; p = softmax(x)", "logsumexp(x)", "x", "diag(p) - outer(p, p)"),
    ("dim n; param x: f64[n]; s = x @ x", "s^2", "x", "4 * eye(n) * s + 8 * outer(x, x)"),
    ("dim n; param x: f64[n]", "var(x)", "x", "2 * (eye(n) - 1 / n) / n"),
];

#[test]
fn hessians_read_as_in_papers() {
    for (given, loss, by, hessian) in PAPERS {
        let text = format!("{}\nloss C = {loss}\n", given.replace("; ", "\n"));
        let asked = [request(Mode::Hessian, "C", &[by], &[])];
        let derived = derived(&model(&text), &asked, Level::Readable, &text);
        let printed = print(&derived.model, Part::Adjoint).text;
        let line = printed.lines().last().and_then(|line| line.split("  #").next());
        assert_eq!(line.map(str::trim_end), Some(&*format!("d_d_{by} = {hessian}")), "{printed}");
    }
}

/// Beside the diagonal there are zeros, whatever is on it.
#[test]
fn diagonals_leak_no_nan() {
    let text = "input x: f64[3]\nloss C = sum(x * log(x))\noutput h = hessian(C, x)\n";
    let derived = derived(&model(text), &[], Level::Readable, text);
    let values = vec![0.0, 1e-320, 2.0];
    let given =
        [Given { name: "x".into(), dtype: DType::F64, array: Array { shape: vec![3], values } }];
    let nodes = results(&derived.model, Kind::Output);
    let found = evaluate(&derived.model, &nodes, &given, &Bindings::default())[0].to_f64();
    let inf = f64::INFINITY;
    assert_eq!(found, [inf, 0.0, 0.0, 0.0, inf, 0.0, 0.0, 0.0, 0.5]);
}

/// Of several variables the Hessian has mixed blocks, and by vectors it is the sum of its blocks by theirs.
#[test]
fn hessians_of_several_variables_are_whole() {
    let text = "input w: f64[3]\ninput b: f64\ninput x: f64[4, 3]\ninput v_w: f64[3]\ninput v_b: f64\n\
        loss C = sum(softplus(x @ w + b)) + b^3 * sum(w)\n\
        output whole_w = hessian(C, w) @ v_w + jacobian(grad(C, w), b) * v_b\n\
        output whole_b = jacobian(grad(C, b), w) @ v_w + hessian(C, b) * v_b\n\
        output moved = grad(C, w) @ v_w + grad(C, b) * v_b\noutput mixed = jacobian(grad(C, w), b)\n";
    let mut given = given();
    for (name, values) in [("b", vec![0.3]), ("v_w", vec![1.0, -2.0, 0.5]), ("v_b", vec![0.7])] {
        let shape = if values.len() == 1 { vec![] } else { vec![values.len()] };
        given.push(Given { name: name.into(), dtype: DType::F64, array: Array { shape, values } });
    }
    let asked = [
        request(Mode::Hvp, "C", &["w", "b"], &["v_w", "v_b"]),
        request(Mode::Jvp, "C", &["w", "b"], &["v_w", "v_b"]),
        request(Mode::Hessian, "C", &["w", "b"], &[]),
    ];
    for level in [Level::Derived, Level::Readable] {
        let derived = derived(&model(text), &asked, level, text).model;
        let result = |name: &str| {
            let output = derived.outputs.iter().find(|output| &*output.name == name);
            let node = output.unwrap_or_else(|| panic!("no {name}")).node;
            array(&evaluate(&derived, &[node], &given, &Bindings::default())[0])
        };
        for (asked, written) in
            [("hv_w", "whole_w"), ("hv_b", "whole_b"), ("t_C", "moved"), ("d_d_w_b", "mixed")]
        {
            agree(&format!("{asked} at {level:?}"), &result(asked), &result(written), 1e-12);
        }
    }
    let again = Request { order: 2, ..asked[1].clone() };
    assert!(compile::differentiate(&model(text), &[again], Level::Derived).is_err());
}

/// Losses of a matrix W: f64[3, 2], with x: f64[4, 3], t: f64[4, 2] and V: f64[2, 2] given.
const OF_MATRICES: &[&str] = &[
    "mean(sum[1]((x @ W - t)^2))",
    "mean(sum[1]((sigmoid(x @ W) - t)^2))",
    "mean(logsumexp[1](x @ W) - sum[1](t * (x @ W)))",
    "sum((sigmoid(tanh(x @ W) @ V) - t)^2)",
    "sum((V @ W' - x[:2])^2) + sum(W^4)",
    "logdet(W' @ W) + sum(relu(W))",
    "sum(norm[1](x @ W) * t[:, 0])",
    "q = x @ W; sum(softmax[1](q @ (x @ W)') @ t)",
    "z = x @ W; d = z - mean[1, keep](z); sum(d / sqrt(mean[1, keep](d^2) + 0.1) * t)",
    "sum(einsum(\"nd,dh,mh->nm\", x, W, t)^2) + prod(W)",
    "z = x @ W; sum(where(z > 0, z^2, exp(z) - 1) @ V * t)",
];

#[test]
fn hessians_by_matrices_are_right() {
    let named = |name: &str, array: Array| Given { name: name.into(), dtype: DType::F64, array };
    let given = [
        named("W", build(&[3, 2], |i| 0.3 + ((4 * i[0] + 7 * i[1]) as f64).cos())),
        named("x", build(&[4, 3], |i| ((3 * i[0] + 5 * i[1]) as f64).sin())),
        named("t", build(&[4, 2], |i| ((i[0] + 3 * i[1]) as f64).cos().abs())),
        named("V", build(&[2, 2], |i| 0.2 + (i[0] + 2 * i[1]) as f64 / 3.0)),
    ];
    for loss in OF_MATRICES {
        let (statements, loss) = loss.rsplit_once("; ").unwrap_or(("", loss));
        let text = format!(
            "input W: f64[3, 2]\ninput x: f64[4, 3]\ninput t: f64[4, 2]\ninput V: f64[2, 2]\n{}\nloss C = {loss}\n\
             g = grad(C, W)\noutput h = hessian(C, W)\noutput j = jacobian(g[0], W)\n",
            statements.replace("; ", "\n")
        );
        let levels = [Level::Derived, Level::Readable]
            .map(|level| derived(&model(&text), &[], level, &text).model);
        let [plain, better] = levels.each_ref().map(|model| {
            let nodes = results(model, Kind::Output);
            let found = evaluate(model, &nodes, &given, &Bindings::default());
            found.iter().map(array).collect::<Vec<_>>()
        });
        settled(&levels[1]);
        agree(&format!("hessian of {loss}"), &better[0], &plain[0], 1e-12);
        agree(&format!("jacobian of {loss}"), &better[1], &plain[1], 1e-12);
        let gradient = levels[0].named("g").expect("it is written");
        let measured = build(&[3, 2, 3, 2], |i| {
            let moved = |step: f64| {
                let mut given = given.clone();
                given[0].array.values[2 * i[2] + i[3]] += step;
                array(&evaluate(&levels[0], &[gradient], &given, &Bindings::default())[0])
            };
            let central = |h: f64| (moved(h).at(&i[..2]) - moved(-h).at(&i[..2])) / (2.0 * h);
            (4.0 * central(5e-4) - central(1e-3)) / 3.0
        });
        agree(&format!("differences of {loss}"), &better[0], &measured, 1e-8);
    }
}

/// A model, the variables by which it is derived, and the statements of that Hessian.
const BY_MATRICES: &[(&str, &str, &[&str])] = &[
    (
        "examples/lecture.nn",
        "W1",
        &[
            "d_d_W1_1 = (p - y) * p",
            "d_d_W1_2 = ((1 - p) * (p - y) - d_d_W1_1 + (1 - p) * p) * p * (1 - p)",
            "d_d_W1_3 = eye(H)[:, None, :] * ((d_d_W1_1 * (1 - p)) @ W2' * (1 - h - h))",
            "d_d_W1_4 = ((1 - h) * h)'[:, :, None] * einsum(\"hk,nk,ik->hni\", W2, d_d_W1_2, W2)",
            "d_d_W1_5 = einsum(\"nd,ne,hni->dhei\", x, x, (d_d_W1_3 + d_d_W1_4) * (h * (1 - h)))",
            "d_d_W1 = d_d_W1_5 / N",
        ],
    ),
    (
        "examples/lecture.nn",
        "W2",
        &[
            "d_d_W2_1 = ((1 - p) * (p - y) - (p - y) * p + (1 - p) * p) * p * (1 - p)",
            "d_d_W2_2 = einsum(\"nh,ni,nk->hik\", h, h, d_d_W2_1)",
            "d_d_W2 = eye(K)[:, None, :] * d_d_W2_2[:, None, :, :] / N",
        ],
    ),
    (
        "examples/lecture.nn",
        "b2",
        &[
            "d_d_b2_1 = sum[N](((1 - p) * (p - y) - (p - y) * p + (1 - p) * p) * p * (1 - p))",
            "d_d_b2 = diag(d_d_b2_1) / N",
        ],
    ),
    (
        "examples/softmax_regression.nn",
        "W",
        &[
            "d_d_W_1 = (eye(K)[:, None, :] - p'[:, :, None]) * p",
            "d_d_W = einsum(\"nd,ne,knl->dkel\", x, x, d_d_W_1) / N",
        ],
    ),
    ("examples/attention.nn", "Wo", &["d_d_Wo = eye(D)[:, None, :] * (o' @ o)[:, None, :, None]"]),
];

/// By the weights of a layer `z = x @ W` the Hessian is `sum[N](x[n, d] * x[n, e] * S[n, h, i])`, where S is that by z.
#[test]
fn hessians_by_weights_read_as_in_papers() {
    for (file, by, statements) in BY_MATRICES {
        let text = std::fs::read_to_string(root().join(file)).expect(file);
        let asked = [request(Mode::Hessian, "C", &[by], &[])];
        let derived = derived(&model(&text), &asked, Level::Readable, &text);
        let printed = print(&derived.model, Part::Adjoint).text;
        let lines = printed.lines().map(|line| line.split("  #").next().unwrap_or("").trim_end());
        let lines: Vec<&str> =
            lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(lines, *statements, "{file} by {by}");
    }
}
