//! Plans within a budget of bytes.

use crate::plan::{Trained, agree, descent};
use proptest::prelude::*;
use pullback::exec::plan::{Engine, Options};
use pullback::exec::pool::Pool;
use pullback::exec::{Plan, RunError, reference};
use pullback::tensor::Tensor;
use std::sync::{Arc, LazyLock};

fn planned(trained: &Trained, budget: Option<usize>) -> Result<Plan, RunError> {
    let Trained { model, wanted, bindings, .. } = trained;
    Plan::with(model, wanted, bindings, Options { updates: false, budget })
}

fn stepped(trained: &Trained, budget: Option<usize>) -> Result<Plan, RunError> {
    let Trained { model, wanted, bindings, .. } = trained;
    Plan::with(model, wanted, bindings, Options { updates: true, budget })
}

fn least(trained: &Trained) -> usize {
    match planned(trained, Some(1)) {
        Err(RunError::Budget { least, .. }) => least,
        other => panic!("a refusal, not {other:?}"),
    }
}

fn results(trained: &Trained, plan: &Plan) -> String {
    let mut state = plan.state(&Arc::new(Engine::alone())).expect("memory");
    plan.bind(&mut state, &trained.values).expect("all that is needed");
    (0..2).for_each(|_| plan.run(&mut state).expect("a run"));
    let results: Vec<Vec<f64>> =
        (0..trained.wanted.len()).map(|n| Tensor::to_f64(&plan.result(&state, n))).collect();
    format!("{results:?}")
}

/// Layers one after the other.
fn deep(layers: usize) -> String {
    let mut text = "dim N\ninput x: f32[N, 8]\n".to_string();
    let mut last = "x".to_string();
    for layer in 0..layers {
        text += &format!("param W{layer}: f32[8, 8] ~ glorot()\n");
        text += &format!("h{layer} = tanh({last} @ W{layer})\n");
        last = format!("h{layer}");
    }
    text + &format!("loss C = mean({last}^2)\n")
}

const EXAMPLES: &[(&str, &[(&str, usize)])] = &[
    (include_str!("../../examples/lecture.nn"), &[("N", 20)]),
    (include_str!("../../examples/lecture3.nn"), &[("N", 2000)]),
    (include_str!("../../examples/attention.nn"), &[("T", 50), ("D", 16), ("E", 24)]),
    (include_str!("../../examples/gmm.nn"), &[("N", 60), ("D", 3), ("K", 7)]),
    (include_str!("../../examples/lenet.nn"), &[("N", 3)]),
    (include_str!("../../examples/linear_regression.nn"), &[("N", 300), ("D", 20)]),
    (include_str!("../../examples/logistic.nn"), &[("N", 300), ("D", 20)]),
    (include_str!("../../examples/softmax_regression.nn"), &[("N", 100), ("D", 20), ("K", 7)]),
    (include_str!("../../examples/mlp.nn"), &[("N", 300), ("D", 4)]),
    (include_str!("../../examples/pinn.nn"), &[("N", 500)]),
    (include_str!("../../examples/vae.nn"), &[("N", 12)]),
];

/// What is computed again outside of loops is the same bit by bit: with the least budget, and between that and none.
#[test]
fn a_budget_changes_no_bit() {
    let mut smaller = 0;
    for (text, sizes) in EXAMPLES {
        let trained = descent(text, sizes, &[]);
        let plan = planned(&trained, None).expect("a plan");
        let (expected, least) = (results(&trained, &plan), least(&trained));
        assert!(least <= plan.bytes());
        smaller += usize::from(least < plan.bytes());
        for budget in [least, least.midpoint(plan.bytes())] {
            let within = planned(&trained, Some(budget)).expect("a plan within the budget");
            assert!(within.bytes() <= budget, "{} bytes of {budget}\n{text}", within.bytes());
            assert!(results(&trained, &within) == expected, "{budget} bytes\n{text}");
        }
    }
    assert!(smaller >= 3, "only {smaller} take less with a budget");
}

/// Of many layers about as many states are kept as the root of their number, for about one more pass forward.
#[test]
fn deep_networks_keep_the_root() {
    let trained = descent(&deep(36), &[("N", 512)], &[]);
    let plan = planned(&trained, None).expect("a plan");
    let flops = |plan: &Plan| plan.costs().iter().map(|cost| cost.flops).sum::<f64>();
    let within = planned(&trained, Some(plan.bytes() / 5)).expect("a plan within a fifth");
    let spared = within.spared().expect("what it took");
    assert!(within.bytes() <= plan.bytes() / 5 && spared.without == plan.bytes());
    assert!(flops(&within) - flops(&plan) == spared.flops && spared.values > 36);
    assert!(spared.flops < 0.4 * flops(&plan), "{spared:?}");
    assert!(results(&trained, &within) == results(&trained, &plan));
}

/// The least budget that a refusal names does; one byte less is refused again, with the same.
#[test]
fn the_least_budget_is_told() {
    let trained = descent(&deep(9), &[("N", 64)], &[]);
    let least = least(&trained);
    assert!(planned(&trained, Some(least)).expect("a plan").bytes() == least);
    let refused = planned(&trained, Some(least - 1)).expect_err("one byte is missing");
    let said =
        format!("{} bytes are too few: the least budget that would do is {least} bytes", least - 1);
    assert_eq!(refused.to_string(), said);
    // All of a model of a few numbers is there at a time.
    let tiny = descent("param a: f64\nloss C = sin(a)^2\n", &[], &[]);
    let bytes = planned(&tiny, None).expect("a plan").bytes();
    assert_eq!(self::least(&tiny), bytes);
}

/// Loops over arrays `x: f64[T, N, H]`, with weights.
const LOOPS: &[(&str, &str)] = &[
    (
        "plain",
        "h = scan t in T (h = zeros(N, H)) for xt in x { h = tanh(xt @ w + h @ v + b) }
         loss C = mean(h^2)",
    ),
    (
        "read elsewhere",
        "(o, last) = scan t in T (h = first) for xt in x {
             h = tanh(xt @ w + h @ v); yield sigmoid(h * b) }
         loss C = mean(o^2) + mean(last^3)",
    ),
    (
        "from the end, with the number of the step",
        "(ys, h) = scan reverse t in T (h = first) { h = sin(x[t] * h + b * f64(t)); yield h * h }
         loss C = mean(ys @ w * x) + mean(h * b)",
    ),
    (
        "several carries",
        "(hs, n, h, s) = scan t in T (n = 0, h = first, s = 0) for xt in x {
             n = n + 2; h = tanh(h @ w + f64(n) * xt); s = s + sum(h^3); yield h }
         loss C = s / T + mean(hs[1:]) + mean(v)",
    ),
    (
        "carries that are yielded",
        "(ys, a, c) = scan t in T (a = first, c = 2 * first) for xt in x {
             old = a; a = tanh(c @ w) * xt; c = old; yield c }
         loss C = mean(ys^2) + mean(c * a)",
    ),
    (
        "nothing is carried",
        "ys = scan t in T for xt in x { tanh(xt @ w)^2 }
         loss C = mean(ys^2) + mean(v)",
    ),
    (
        "both ways, two layers",
        "(f, lost) = scan t in T (h = first) for xt in x { h = tanh(xt @ w + h); yield h }
         (g, last) = scan reverse t in T (h = first) for xt in x { h = tanh(xt @ v + h); yield h }
         h = scan t in T (h = zeros(N, H)) for p in f, q in g { h = sigmoid(p * b + q @ w + h) }
         loss C = mean(h^2) + mean(last)",
    ),
    (
        "two lengths",
        "h = scan t in T (h = first) for xt in x { h = tanh(xt @ w + h) }
         g = scan s in 2*T (g = h) { g = sin(g @ v + b) }
         loss C = mean(g^2)",
    ),
    (
        "random numbers",
        "h = scan t in T (h = first) for xt in x { h = dropout(tanh(xt @ w + h @ v), 0.25) }
         loss C = mean(h^2)",
    ),
    (
        "a loop in a loop",
        "h = scan t in T (h = first) for xt in x {
             h = scan s in 3 (g = h) { g = tanh(g @ w + xt * f64(s)) } }
         loss C = mean(h^2) + mean(v)",
    ),
    (
        "a gradient in the loss",
        "h = scan t in T (h = first) for xt in x { h = tanh(xt @ w + h @ v) }
         q = mean(h^2)
         loss C = q + mean(grad(q, w)^2) + mean(grad(q, x)^2)",
    ),
];

fn headed(text: &str) -> String {
    let head = "dim T, N, H = 6\ninput x: f64[T, N, H]\ninput first: f64[N, H]\n\
                param w, v: f64[H, H]\nparam b: f64[H]\n";
    format!("{head}{text}\n")
}

fn looped(text: &str, steps: usize) -> Trained {
    descent(&headed(text), &[("T", steps), ("N", 4)], &[])
}

/// The results for one, two and three threads, which are the same.
fn same(trained: &Trained, plan: &Plan) -> Vec<Tensor> {
    let results = |threads| {
        let engine = Arc::new(Engine { pool: Pool::new(threads), ..Engine::default() });
        let mut state = plan.state(&engine).expect("memory");
        plan.bind(&mut state, &trained.values).expect("all that is needed");
        (0..2).for_each(|_| plan.run(&mut state).expect("a run"));
        (0..trained.wanted.len()).map(|n| plan.result(&state, n)).collect::<Vec<Tensor>>()
    };
    let one = results(1);
    (2..4).for_each(|threads| assert!(format!("{:?}", results(threads)) == format!("{one:?}")));
    one
}

/// Loops in segments say what the reference says, with the same bits as without a budget but for sums over their steps, in
/// every budget that is kept to. The least that is told does, and one byte less is refused.
#[test]
fn loops_go_in_segments() {
    for (what, text) in LOOPS {
        for steps in [1, 2, 3, 31, 60] {
            let (what, exact) = (format!("{what}, {steps} steps"), !text.contains("grad("));
            let segments = in_budgets(&what, &looped(text, steps), exact);
            assert!(segments > 1 || steps < 16, "{what}");
        }
    }
    const LSTM: &str = include_str!("../../examples/lstm.nn");
    for steps in [5, 64] {
        let trained = descent(LSTM, &[("T", steps), ("N", 16)], &[]);
        let segments = in_budgets(&format!("an LSTM of {steps} steps"), &trained, true);
        assert!(segments > 1);
    }
}

/// The more room there is, the less is computed again.
#[test]
fn segments_are_kept_while_there_is_room() {
    let trained = looped(LOOPS[0].1, 64);
    let (bytes, least) = (planned(&trained, None).expect("a plan").bytes(), least(&trained));
    let flops = |part: usize| {
        let budget = least + (bytes - least) * part / 16;
        let plan = planned(&trained, Some(budget)).expect("a plan within the budget");
        plan.spared().map_or(0.0, |spared| spared.flops)
    };
    let flops: Vec<f64> = [0, 4, 8, 14, 16].map(flops).into();
    assert!(flops.is_sorted_by(|a, b| a > b) && flops[4] == 0.0, "{flops:?}");
}

/// Steps of training of a recurrent net within budgets.
#[test]
fn recurrent_nets_learn_within_a_budget() {
    let text = headed(LOOPS[0].1).replace("f64", "f32");
    let trained = descent(&text, &[("T", 40), ("N", 4)], &["w", "v"]);
    let plan = stepped(&trained, None).expect("a plan");
    let expected = same(&trained, &plan);
    for part in [2, 3] {
        let within = stepped(&trained, Some(plan.bytes() * part / 4)).expect("a plan");
        for (expected, found) in expected.iter().zip(same(&trained, &within)) {
            agree(expected, &found, 1.0).unwrap_or_else(|why| panic!("{part}: {why}"));
        }
    }
}

/// What a model has to hold to in some budgets; told is the number of segments in the least of them. It is `exact` if no result
/// but the gradients of weights depends on sums over steps.
fn in_budgets(what: &str, trained: &Trained, exact: bool) -> usize {
    let Trained { model, wanted, values, bindings } = trained;
    let (plan, least) = (planned(trained, None).expect("a plan"), least(trained));
    let (without, spare) = (same(trained, &plan), plan.bytes() - least);
    let expected = reference::run(model, wanted, values, bindings).expect("values");
    let mut segments = Vec::new();
    for budget in [0, 1, 2, 4].map(|part| least + spare * part / 5) {
        let within = planned(trained, Some(budget)).expect("a plan within the budget");
        assert!(within.bytes() <= budget, "{} bytes of {budget}: {what}", within.bytes());
        segments.push(within.spared().map_or(0, |spared| spared.loops.segments));
        for (number, found) in same(trained, &within).iter().enumerate() {
            let name = &model.outputs[number].name;
            agree(&expected[number], found, 1.0).unwrap_or_else(|why| panic!("{what}: {why}"));
            let summed = ["w", "v", "b", "Wx", "Wh"].iter().any(|of| **name == format!("d_{of}"));
            let bits = format!("{found:?}") == format!("{:?}", without[number]);
            assert!(bits || summed || !exact, "{what}: {name}");
        }
    }
    match planned(trained, Some(least - 1)) {
        Err(RunError::Budget { least: told, .. }) => assert_eq!(told, least, "{what}"),
        other => panic!("{what}: a refusal, not {other:?}"),
    }
    segments[0]
}

/// A long LSTM takes less than twice what is given to it and what it gives, for less than half again the operations.
#[test]
fn a_long_lstm_in_little_memory() {
    let text = include_str!("../../benches/peers/models/W7.nn");
    let trained = descent(text, &[("T", 1024), ("N", 16)], &[]);
    let plan = planned(&trained, None).expect("a plan");
    let given: usize = plan
        .variables()
        .iter()
        .chain(plan.results())
        .map(|slot| 4 * slot.sizes.iter().product::<usize>())
        .sum();
    let within = planned(&trained, Some(2 * given)).expect("a plan");
    assert!(plan.bytes() > 10 * given);
    let spared = within.spared().expect("what it took");
    let flops = plan.costs().iter().map(|cost| cost.flops).sum::<f64>();
    assert!(spared.loops.segments > 1 && spared.flops < 0.5 * flops, "{spared:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Any budget is kept to or refused, and neither the bits nor a training step change.
    #[test]
    fn any_budget_is_kept(part in 0.0..1.2f64) {
        static TRAINED: LazyLock<Trained> = LazyLock::new(|| {
            let text = "
                dim N
                input x: f32[N, 12]
                param a, b, c: f32[12, 12] ~ glorot()
                param g, h: f32[12] = 1
                p = x + tanh(layer_norm(x, g, h) @ a)
                q = p + gelu(layer_norm(p, g, h) @ b)
                r = q + softmax[-1](q @ c)
                loss C = mean((r * sigmoid(p))^2)
            ";
            descent(text, &[("N", 50)], &["a", "b", "c"])
        });
        static EXPECTED: LazyLock<(usize, String)> = LazyLock::new(|| {
            let plan = stepped(&TRAINED, None).expect("a plan");
            (plan.bytes(), results(&TRAINED, &plan))
        });
        let (bytes, expected) = &*EXPECTED;
        let budget = (*bytes as f64 * part) as usize;
        match stepped(&TRAINED, Some(budget)) {
            Ok(plan) => {
                prop_assert!(plan.bytes() <= budget);
                prop_assert!(results(&TRAINED, &plan) == *expected);
            }
            Err(RunError::Budget { least, .. }) => prop_assert!(budget < least && least <= *bytes),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
