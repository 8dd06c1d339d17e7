//! How long values and gradients of small and real networks take through the library: `cargo bench --bench workloads -- mlp`.

use divan::{Bencher, black_box};
use pullback::compile::{self, Level};
use pullback::exec::plan::{Engine, State};
use pullback::exec::{Plan, init};
use pullback::graph::{Model, NodeId};
use pullback::ops::Bindings;
use pullback::tensor::{DType, Tensor};
use std::sync::Arc;

/// A text with the sizes of its dimensions.
struct Workload {
    name: &'static str,
    text: &'static str,
    sizes: &'static [(&'static str, i64)],
}

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes: Vec<String> =
            self.sizes.iter().map(|(name, size)| format!("{name}{size}")).collect();
        write!(f, "{} {}", self.name, sizes.join(" "))
    }
}

const MLP: &str = "
    dim N, D, H, K
    input x: f32[N, D]
    input label: i64[N] in [0, K)
    param W1: f32[D, H] ~ he()
    param b1: f32[H] = 0
    param W2: f32[H, K] ~ glorot()
    param b2: f32[K] = 0
    loss C = mean[N](cross_entropy[K](relu(x @ W1 + b1) @ W2 + b2, label))
";

const LOGISTIC: &str = "
    dim N, D
    input x: f64[N, D]
    input y: f64[N]
    param w: f64[D] = 0.1
    loss C = mean[N](bce_with_logits(x @ w, y)) + 0.01 * sum(w^2)
";

const CONVOLUTION: &str = "
    dim N, H
    input x: f32[N, 3, H, H]
    param w: f32[16, 3, 3, 3] ~ he()
    param v: f32[16, 16, 3, 3] ~ he()
    loss C = mean(relu(conv(max_pool(relu(conv(x, w)), 2), v))^2)
";

const RECURRENT: &str = "
    dim T, N, H
    input x: f32[T, N, H]
    param W: f32[H, H] ~ glorot()
    param U: f32[H, H] ~ glorot()
    h = scan t in T (h = zeros(N, H)) for xt in x { h = tanh(xt @ W + h @ U) }
    loss C = mean(h^2)
";

const POINTWISE: &str = "
    dim N
    param x: f32[N] = 0.3
    y = repeat 16 (y = x) { tanh(y) * x + sin(y) }
    loss C = mean(y)
";

const WORKLOADS: &[Workload] = &[
    Workload { name: "mlp", text: MLP, sizes: &[("N", 1), ("D", 2), ("H", 2), ("K", 2)] },
    Workload { name: "mlp", text: MLP, sizes: &[("N", 64), ("D", 784), ("H", 128), ("K", 10)] },
    Workload { name: "logistic", text: LOGISTIC, sizes: &[("N", 8), ("D", 4)] },
    Workload { name: "logistic", text: LOGISTIC, sizes: &[("N", 4096), ("D", 64)] },
    Workload { name: "convolution", text: CONVOLUTION, sizes: &[("N", 1), ("H", 12)] },
    Workload { name: "convolution", text: CONVOLUTION, sizes: &[("N", 16), ("H", 32)] },
    Workload { name: "recurrent", text: RECURRENT, sizes: &[("T", 4), ("N", 1), ("H", 4)] },
    Workload { name: "recurrent", text: RECURRENT, sizes: &[("T", 32), ("N", 16), ("H", 64)] },
    Workload { name: "pointwise", text: POINTWISE, sizes: &[("N", 16)] },
    Workload { name: "pointwise", text: POINTWISE, sizes: &[("N", 1 << 18)] },
];

fn main() {
    divan::main();
}

/// A plan of the value and all gradients, with memory in which its variables have values.
fn planned(workload: &Workload) -> (Plan, State) {
    let model = compile::read(workload.text, &[]).model.expect("a model");
    let request = compile::default_request(&model).expect("it has a loss");
    let derived = compile::differentiate(&model, &[request], Level::Readable);
    let model = derived.expect("it has a gradient").model;
    let given = workload.sizes.iter().map(|&(name, size)| (name.into(), size));
    let bindings: Bindings = model.dims.bind(&given.collect()).expect("the sizes agree");
    let wanted: Vec<NodeId> = model.outputs.iter().map(|output| output.node).collect();
    let plan = Plan::new(&model, &wanted, &bindings).expect("it can be planned");
    let mut state = plan.state(&Arc::new(Engine::default())).expect("there is memory");
    for slot in plan.variables() {
        let value = value(&model, &slot.name, &bindings, slot.dtype, &slot.sizes);
        plan.set(&mut state, slot, &value).expect("it fits");
    }
    (plan, state)
}

/// The first value of a parameter; of an input numbers from 0 to 1, of labels zeros.
fn value(model: &Model, name: &str, by: &Bindings, dtype: DType, sizes: &[usize]) -> Tensor {
    let first = init::initial(model, name, &model.variables[name], 1, by).expect("a value");
    first.unwrap_or_else(|| {
        let count = sizes.iter().product::<usize>();
        let number = |i: usize| if dtype.is_float() { (i * 7 % 11) as f64 / 11.0 } else { 0.0 };
        Tensor::from_f64(dtype, sizes, (0..count).map(number).collect())
    })
}

#[divan::bench(args = WORKLOADS)]
fn gradient(bencher: Bencher, workload: &Workload) {
    let (plan, mut state) = planned(workload);
    bencher.bench_local(|| {
        plan.run(&mut state).expect("it runs");
        black_box(&state);
    });
}

#[divan::bench(args = WORKLOADS, sample_size = 1)]
fn plan(bencher: Bencher, workload: &Workload) {
    bencher.bench_local(|| planned(black_box(workload)));
}
