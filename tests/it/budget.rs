//! Plans within a budget of bytes.

use crate::plan::{Trained, descent};
use proptest::prelude::*;
use pullback::exec::plan::{Engine, Options};
use pullback::exec::{Plan, RunError};
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
    (include_str!("../../examples/lstm.nn"), &[("T", 5), ("N", 16)]),
    (include_str!("../../examples/mlp.nn"), &[("N", 300), ("D", 4)]),
    (include_str!("../../examples/pinn.nn"), &[("N", 500)]),
    (include_str!("../../examples/vae.nn"), &[("N", 12)]),
];

/// What is computed again is the same bit by bit: with the least budget, and between that and none.
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
