//! Plans within a budget of bytes.

use crate::plan::{Trained, descent};
use pullback::exec::plan::{Engine, Options};
use pullback::exec::{Plan, RunError};
use pullback::tensor::Tensor;
use std::sync::Arc;

fn planned(trained: &Trained, budget: Option<usize>) -> Result<Plan, RunError> {
    let Trained { model, wanted, bindings, .. } = trained;
    Plan::with(model, wanted, bindings, Options { updates: false, budget })
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
    plan.run(&mut state).expect("a run");
    let results: Vec<Vec<f64>> =
        (0..trained.wanted.len()).map(|n| Tensor::to_f64(&plan.result(&state, n))).collect();
    format!("{results:?}")
}

fn deep(layers: usize, width: usize) -> String {
    let mut text = format!("dim N\ninput x: f32[N, {width}]\n");
    let mut last = "x".to_string();
    for layer in 0..layers {
        text += &format!("param W{layer}: f32[{width}, {width}] ~ glorot()\n");
        text += &format!("h{layer} = tanh({last} @ W{layer})\n");
        last = format!("h{layer}");
    }
    text + &format!("loss C = mean({last}^2)\n")
}

#[test]
fn try_it() {
    let trained = descent(&deep(64, 8), &[("N", 1024)], &[]);
    let plan = planned(&trained, None).expect("a plan");
    let flops = |plan: &Plan| plan.costs().iter().map(|c| c.flops).sum::<f64>();
    println!("without {} flops {}", plan.bytes(), flops(&plan));
    let least = least(&trained);
    println!("least {least}");
    let one = results(&trained, &plan);
    for part in [1.0, 0.8, 0.5, 0.3, 0.2, 0.1, 0.0] {
        let budget = least + ((plan.bytes() - least) as f64 * part) as usize;
        let within = planned(&trained, Some(budget)).expect("fits");
        println!("{budget} {} {:?} {}", within.bytes(), within.spared(), within.spared().map_or(0.0,|s|s.flops)/flops(&plan));
        assert!(results(&trained, &within) == one);
    }
}
