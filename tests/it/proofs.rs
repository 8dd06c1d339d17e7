//! What is equal is proved, what is not is not, and numbers of thirty digits tell them apart.

use pullback::autodiff::expand;
use pullback::compile;
use pullback::exec::precise;
use pullback::graph::{Kind, Model, Output, Values};
use pullback::ops::Bindings;
use pullback::passes::release;
use pullback::tensor::{DType, Tensor};

/// Variables that formulas may use.
const GIVEN: &str = "dim N, D, K\ninput x: f64[N, D]\ninput y: f64[N]\ninput w: f64[D]\ninput v: f64[D]\n\
    input A: f64[D, D]\ninput B: f64[D, D]\ninput W: f64[D, K]\ninput t: f64[N, K]\ninput a: f64\ninput b: f64\n\
    input s: f64 in (0, 10)\ninput i: i64[N] in [0, K)\ninput j: i64[N, 5] in [0, K)\n";

/// Statements, and two formulas that are equal over the reals.
const EQUAL: &[(&str, &str, &str)] = &[
    ("", "a + b", "b + a"),
    ("", "(a + b)^2", "a^2 + 2*a*b + b^2"),
    ("", "(a^2 - b^2) / (a - b)", "a + b"),
    ("", "1 / (1 + exp(-a))", "exp(a) / (1 + exp(a))"),
    ("", "sigmoid(-a)", "1 - sigmoid(a)"),
    ("", "tanh(a)", "2 * sigmoid(2 * a) - 1"),
    ("", "sigmoid(a) * (1 - sigmoid(a))", "exp(-a) / (1 + exp(-a))^2"),
    ("", "log(1 + exp(a))", "a + softplus(-a)"),
    ("", "logaddexp(a, b)", "a + log(1 + exp(b - a))"),
    ("", "cosh(a)^2 - sinh(a)^2", "1"),
    ("", "sin(a)^2 + cos(a)^2", "1"),
    ("", "log(exp(a) * exp(b))", "a + b"),
    ("", "sqrt(s)^2", "s"),
    ("", "xlogy(a, s) + s * log(s)", "(a + s) * log(s)"),
    ("", "(A @ B)'", "B' @ A'"),
    ("", "(A @ B) @ w", "A @ (B @ w)"),
    ("", "w @ A @ v", "v @ A' @ w"),
    ("", "w @ v", "sum(w * v)"),
    ("", "trace(A @ B)", "trace(B @ A)"),
    ("", "sum(A * B)", "trace(A' @ B)"),
    ("", "outer(w, v)", "w[:, None] * v[None, :]"),
    ("", "A @ eye(D) + A", "2 * A"),
    ("", "diag(w) @ A", "w[:, None] * A"),
    ("", "einsum(\"ij,jk->ik\", A, B)", "A @ B"),
    ("", "mean[N]((y - mean[N](y))^2)", "mean[N](y^2) - mean[N](y)^2"),
    ("", "softmax[D](w)", "exp(w) / sum[D](exp(w))"),
    ("", "log(softmax[D](w))", "w - logsumexp[D](w)"),
    ("", "softmax[K](t)", "softmax[K](t - max[K](t))"),
    ("", "sum[K](softmax[K](t))", "ones(N)"),
    (
        "z = x @ w; C = -mean(y*log(sigmoid(z)) + (1-y)*log(1-sigmoid(z)))",
        "grad(C, w)",
        "x' @ (sigmoid(z) - y) / N",
    ),
    (
        "z = x @ w; p = sigmoid(z); C = mean(bce_with_logits(z, y))",
        "hessian(C, w)",
        "x' @ diag(p * (1 - p) / N) @ x",
    ),
    ("C = 1/2 * (w @ A @ w)", "grad(C, w)", "(A + A') @ w / 2"),
    ("C = 1/2 * (w @ A @ w)", "hessian(C, w)", "(A + A') / 2"),
    ("C = mean((x @ w - y)^2)", "hvp(C, w, v)", "2 / N * (x' @ (x @ v))"),
    (
        "z = x @ W; C = mean[N](-sum[K](t * log(softmax[K](z))))",
        "grad(C, z)",
        "(softmax[K](z) * sum[K](t) - t) / N",
    ),
    ("f = tanh(A @ w)", "jvp(f, w, v)", "(1 - f^2) * (A @ v)"),
    ("f = tanh(A @ w)", "jacobian(f, w)", "diag(1 - f^2) @ A"),
    ("f = softmax[D](w)", "jacobian(f, w)", "diag(f) - outer(f, f)"),
    ("", "log(take_along[K](softmax[K](t), i))", "take_along[K](t, i) - logsumexp[K](t)"),
    ("", "take_along[K](2 * t / a + y[:, None], i)", "take_along[K](t, i) * 2 / a + y"),
    (
        "",
        "take_along[K](t * logsumexp[K, keep](t), j)",
        "take_along[K](t, j) * logsumexp[K, keep](t)",
    ),
    ("", "cumsum[D](w - 3 * v)", "cumsum[D](w) - 3 * cumsum[D](v)"),
    ("", "reshape(A + w, [D * D])", "reshape(A, [D * D]) + reshape(broadcast(w, [D, D]), [D * D])"),
    ("", "dropout(w, 0.5, key = \"m\")", "w * dropout(ones(D), 0.5, key = \"m\")"),
    ("", "abs(a)", "relu(a) + relu(-a)"),
    ("", "abs(a - b)", "abs(b - a)"),
    ("", "abs(t)^3", "abs(t) * t^2"),
    ("", "a * b / abs(a)", "abs(a) * b / a"),
    ("", "relu(a)", "maximum(0, a)"),
    ("", "relu(w)^2", "w * relu(w)"),
    ("", "relu(a) * relu(-a)", "0 * a"),
    ("", "maximum(w, v)", "-minimum(-v, -w)"),
    ("", "maximum(t, y)", "(t + y + abs(t - y)) / 2"),
    ("", "maximum(a, b) + minimum(b, a)", "a + b"),
    ("", "maximum(a, a)", "a"),
];

/// Formulas that are not equal, though some are at many points.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("", "a + b", "a - b"),
    ("", "a * 1.0000000001", "a"),
    ("", "A @ B", "B @ A"),
    ("", "w @ A", "A @ w"),
    ("", "sqrt(a^2)", "a"),
    ("", "sigmoid(a)", "tanh(a)"),
    ("", "A'", "A"),
    ("", "take_along[K](t, i)", "t[:, 0]"),
    ("", "take_along[K](t * W[0], i)", "take_along[K](t, i) * W[0, 0]"),
    ("", "dropout(w, 0.5)", "w * dropout(ones(D), 0.5)"),
    ("", "sort[D](w + v)", "sort[D](w) + sort[D](v)"),
    ("", "cumsum[D](w * v)", "cumsum[D](w) * cumsum[D](v)"),
    ("", "max(w)", "logsumexp(w)"),
    ("", "abs(a)", "a"),
    ("", "abs(a)", "relu(a) - relu(-a)"),
    ("", "abs(a + b)", "abs(a) + abs(b)"),
    ("", "abs(a)", "relu(a)"),
    ("", "relu(a)", "-relu(-a)"),
    ("", "maximum(a, b)", "-minimum(a, b)"),
    ("", "maximum(a, b)", "maximum(a, -b)"),
    ("", "sum[N](x @ W)", "sum[N](x) @ W * 2"),
    ("z = x @ w; C = mean(bce_with_logits(z, y))", "grad(C, w)", "x' @ (sigmoid(z) - y)"),
];

fn sides(statements: &str, left: &str, right: &str) -> Model {
    let text = format!("{GIVEN}{statements}\noutput left = {left}\noutput right = {right}\n");
    let read = compile::read(&text, &[]);
    let model = read.model.unwrap_or_else(|| panic!("{:#?}\n{text}", read.diagnostics));
    let mut model = release(&expand(&model).expect("it is derived"));
    let side = |name: &str| model.named(name).expect("it is there");
    let output = |name: &str| Output { kind: Kind::Output, name: name.into(), node: side(name) };
    model.outputs = vec![output("left"), output("right")];
    model.names.clear();
    model
}

/// The largest difference of the sides relative to their largest entry, and whether it was computed to thirty digits.
fn apart(model: &Model) -> (f64, bool) {
    let bindings: Bindings =
        [("N", 3), ("D", 2), ("K", 4)].map(|(n, s)| (n.into(), s)).into_iter().collect();
    let mut values = Values::default();
    for (number, (name, variable)) in model.variables.iter().enumerate() {
        let ty = model.ty(variable.node);
        let shape: Vec<usize> =
            ty.shape.iter().map(|s| s.eval(&bindings).expect("bound") as usize).collect();
        let count: usize = shape.iter().product();
        let value = |i: usize| match ty.dtype {
            DType::I64 => ((i + number) % 4) as f64,
            _ => 0.31 + (1.7 * i as f64 + 2.3 * number as f64).sin().abs(),
        };
        let value = Tensor::from_f64(ty.dtype, &shape, (0..count).map(value).collect());
        values.insert(name.clone(), value);
    }
    let wanted: Vec<_> = model.outputs.iter().map(|output| output.node).collect();
    let found = precise::run(model, &wanted, &values, &bindings).expect("it has values");
    let (a, b) = (found[0].array(), found[1].array());
    let scale = a.iter().fold(f64::MIN_POSITIVE, |scale, v| scale.max(v.high().abs()));
    let error = a.iter().zip(&b).fold(0.0f64, |e, (a, b)| e.max((*a - *b).abs().high() / scale));
    (error, found[0].is_exact() && found[1].is_exact())
}

#[test]
fn equal_values_are_proved() {
    let mut failed = Vec::new();
    for (statements, left, right) in EQUAL {
        let model = sides(statements, left, right);
        let proof = compile::prove(&model);
        let (error, exact) = apart(&model);
        assert!(error < if exact { 1e-27 } else { 1e-12 }, "{left} == {right}: {error:e}");
        if !proof.proved {
            failed.push(format!("{statements}: {left} == {right}"));
        }
    }
    assert_eq!(failed, [""; 0]);
}

#[test]
fn different_values_are_not_proved() {
    for (statements, left, right) in DIFFERENT {
        let model = sides(statements, left, right);
        assert!(!compile::prove(&model).proved, "{left} == {right}");
    }
}

/// What the functions of thirty digits give, by identities that f64 keeps to sixteen digits only.
#[test]
fn functions_have_thirty_digits() {
    for (left, right) in [
        ("exp(log(s))", "s"),
        ("log1p(expm1(a))", "a"),
        ("log(exp(a))", "a"),
        ("sin(a)^2 + cos(a)^2", "1 + 0 * a"),
        ("tan(a) * cos(a)", "sin(a)"),
        ("sin(2 * a)", "2 * sin(a) * cos(a)"),
        ("sqrt(s)^2", "s"),
        ("s^0.3 * s^0.7", "s"),
        ("tanh(a)", "expm1(2 * a) / (expm1(2 * a) + 2)"),
        ("sinh(asinh(a))", "a"),
        ("tanh(atanh(a / 3))", "a / 3"),
        ("softplus(a) - softplus(-a)", "a"),
        ("sigmoid(a) / sigmoid(-a)", "exp(a)"),
        ("logaddexp(a, b)", "log(exp(a) + exp(b))"),
        ("cosh(a) + sinh(a)", "exp(a)"),
        ("1 / rsqrt(s)", "sqrt(s)"),
        ("sum(cumsum(w))", "w @ (D - f64(iota(D)))"),
        ("asin(sin(a))", "a"),
        ("atan2(sin(a), cos(a))", "a"),
        ("acosh(cosh(a))", "a"),
        ("erfinv(erf(a / 3))", "a / 3"),
        ("lgamma(s + 1)", "lgamma(s) + log(s)"),
        ("digamma(s + 1)", "digamma(s) + 1 / s"),
        ("4 * atan(1 + 0 * a)", "pi + 0 * a"),
        ("xlogy(s, s)", "s * log(s)"),
        ("s - floor(s)", "mod(s, 1)"),
        ("trace(inverse(W' @ W + eye(K)) @ (W' @ W + eye(K)))", "K + 0 * a"),
    ] {
        let (error, exact) = apart(&sides("", left, right));
        assert!(exact && error < 1e-28, "{left} == {right}: {error:e}, {exact}");
    }
}

/// Operators of several elements keep thirty digits too: convolutions, pools, orders, matrices, numbers and loops.
#[test]
fn structured_operators_have_thirty_digits() {
    let image = "c = reshape(x, [1, 1, N, D]); k = reshape(A, [1, 1, D, D])";
    for (statements, left, right) in [
        (image, "sum(conv(c, k, padding = 1))", "sum(x) * sum(A)"),
        (image, "sum(jvp(conv(c, k), k, k))", "sum(conv(c, k))"),
        (image, "sum(avg_pool(c, [1, 2]))", "sum(x) / 2"),
        (image, "sum(max_pool(-c, [3, 1]))", "-sum(min[N](x))"),
        ("", "sum(sort[N](y / 3)^2)", "y @ y / 9"),
        ("(v3, i3) = topk(y / 3, 3)", "sum(v3)", "sum(y) / 3"),
        ("L = cholesky(A' @ A + eye(D))", "L @ L'", "A' @ A + eye(D)"),
        ("", "logdet(A' @ A)", "2 * logdet(A)"),
        ("", "A @ solve(A, w)", "w"),
        ("", "inverse(A) @ A", "eye(D)"),
        ("", "sum(scatter_add(zeros(K, D), [0, 1, 1], outer([1, 2, 3] / 3, w)))", "2 * sum(w)"),
        ("", "cumprod(w / 3)[1]", "prod(w / 3)"),
        ("h = scan t in N (h = a) for yt in y { h = h * yt / 3 }", "h", "a * prod(y / 3)"),
        (
            "C = 1/2 * scan t in N (h = a) for yt in y { h = h^2 + yt / 3 }",
            "grad(C, a) * 3",
            "3 * grad(C, a)",
        ),
        ("", "[0.1, 0.2] + 0 * a", "[1, 2] / 10 + 0 * a"),
    ] {
        let (error, exact) = apart(&sides(statements, left, right));
        assert!(exact && error < 1e-28, "{left} == {right}: {error:e}, {exact}");
    }
}
