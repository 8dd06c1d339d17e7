//! Plans against the reference: wherever a test evaluates a model, both executors do, and agree.

use pullback::exec::plan::{Engine, State};
use pullback::exec::{Plan, RunError, reference};
use pullback::graph::{Model, NodeId, Values};
use pullback::ops::Bindings;
use pullback::tensor::{DType, Tensor};
use std::sync::{Arc, LazyLock};

/// The values by the reference, with which a plan has to agree, in its first run and in its second.
pub fn run(
    model: &Model,
    wanted: &[NodeId],
    values: &Values,
    bindings: &Bindings,
) -> Result<Vec<Tensor>, RunError> {
    let expected = reference::run(model, wanted, values, bindings);
    let found = planned(model, wanted, values, bindings);
    match (&expected, found) {
        (Ok(expected), Ok(found)) => {
            let largest = values.values().chain(expected).map(size).fold(1.0, f64::max);
            for ((expected, found), node) in expected.iter().zip(&found).zip(wanted) {
                agree(expected, found, largest).unwrap_or_else(|why| {
                    panic!("{why}\nof {:?}\n{expected:?}\n{found:?}", model.op(*node))
                });
            }
        }
        (Err(expected), Err(found)) => assert_eq!(expected.to_string(), found.to_string()),
        (Ok(_), Err(error)) => panic!("only the plan says {error}"),
        (Err(error), Ok(_)) => panic!("only the reference says {error}"),
    }
    expected
}

fn planned(
    model: &Model,
    wanted: &[NodeId],
    values: &Values,
    bindings: &Bindings,
) -> Result<Vec<Tensor>, RunError> {
    let plan = Plan::new(model, wanted, bindings)?;
    static ENGINE: LazyLock<Arc<Engine>> = LazyLock::new(Arc::default);
    let mut state = plan.state(&ENGINE)?;
    plan.bind(&mut state, values)?;
    let results = |state: &State| -> Vec<Tensor> {
        (0..wanted.len()).map(|number| plan.result(state, number)).collect()
    };
    plan.run(&mut state)?;
    let once = results(&state);
    plan.run(&mut state)?;
    for (one, two) in once.iter().zip(results(&state)) {
        assert!(format!("{one:?}") == format!("{two:?}"), "a second run differs");
    }
    Ok(once)
}

/// The largest finite number.
fn size(tensor: &Tensor) -> f64 {
    let finite = tensor.to_f64().into_iter().filter(|x| x.is_finite());
    finite.fold(0.0, |most: f64, x| most.max(x.abs()))
}

/// Equal numbers, but for rounding in sums of terms that are as large as `largest`.
fn agree(expected: &Tensor, found: &Tensor, largest: f64) -> Result<(), String> {
    if expected.dtype() != found.dtype() || expected.shape() != found.shape() {
        return Err("types differ".into());
    }
    let tolerance = match expected.dtype() {
        DType::F64 => 1e-12,
        DType::F32 => 1e-5,
        _ => 0.0,
    };
    let (expected, found) = (expected.to_f64(), found.to_f64());
    for (place, (a, b)) in expected.iter().zip(&found).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * largest;
        if !same {
            return Err(format!("element {place}: {a} by the reference, {b} by the plan"));
        }
    }
    Ok(())
}
