//! Plans against the reference: wherever a test evaluates a model, both executors do, and agree.

use pullback::compile::{self, Level};
use pullback::exec::plan::{Cost, Emit, Engine, Plans, State};
use pullback::exec::pool::Pool;
use pullback::exec::{Plan, RunError, kernels, reference};
use pullback::graph::{Model, NodeId, Origins, Values};
use pullback::ops::elementwise::Class;
use pullback::ops::{Bindings, Name, Number, Scalar};
use pullback::tensor::{DType, Tensor};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

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
    let results = |plan: &Plan, state: &State| -> Vec<Tensor> {
        (0..wanted.len()).map(|number| plan.result(state, number)).collect()
    };
    plan.run(&mut state)?;
    let once = results(&plan, &state);
    plan.run(&mut state)?;
    for (one, two) in once.iter().zip(results(&plan, &state)) {
        assert!(format!("{one:?}") == format!("{two:?}"), "a second run differs");
    }
    // Machine code does the same as the machine, bit by bit.
    static CODE: LazyLock<Arc<Engine>> =
        LazyLock::new(|| Arc::new(Engine { emit: Emit::Always, ..Engine::alone() }));
    let mut state = plan.state(&CODE)?;
    plan.bind(&mut state, values)?;
    plan.run(&mut state)?;
    for (one, two) in once.iter().zip(results(&plan, &state)) {
        assert!(format!("{one:?}") == format!("{two:?}"), "machine code differs");
    }
    Ok(once)
}

/// The largest finite number.
fn size(tensor: &Tensor) -> f64 {
    let finite = tensor.to_f64().into_iter().filter(|x| x.is_finite());
    finite.fold(0.0, |most: f64, x| most.max(x.abs()))
}

/// Equal numbers, but for rounding in sums of terms that are as large as `largest`.
pub fn agree(expected: &Tensor, found: &Tensor, largest: f64) -> Result<(), String> {
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

/// A perceptron with a batch large enough to be shared among threads.
const MODEL: &str = "
    dim N, D = 96, H = 80, K = 7
    input x: f32[N, D]
    input y: i64[N] in [0, K)
    param a: f32[D, H] ~ glorot()
    param b: f32[H] = 0
    param c: f32[H, K] ~ glorot()
    z = relu(x @ a + b) @ c
    output hits = mean[N](argmax[K](z) == y)
    loss C = mean[N](cross_entropy[K](z, y)) + sum(tanh(x)^2) / N
";

/// A model with its gradients, and all that it takes to run it.
pub struct Trained {
    pub model: Model,
    pub wanted: Vec<NodeId>,
    pub values: Values,
    pub bindings: Bindings,
}

/// Loops forward and backward.
const LSTM: &str = include_str!("../../examples/lstm.nn");

/// Folds of rows, and what is done with their results.
const NORM: &str = "
    dim N, D = 24
    input x: f32[N, D]
    param g: f32[D] = 1
    param b: f32[D] = 0
    loss C = sum(softmax[-1](layer_norm(x, g, b))^2)
";

/// The perceptron with its gradient, numbers for it, and steps of descent as updates.
fn trained(rows: usize) -> Trained {
    descent(MODEL, &[("N", rows)], &["a", "b", "c"])
}

/// A model with its gradients, numbers for it, and steps of descent as updates of what is learnt.
pub fn descent(text: &str, sizes: &[(&str, usize)], learnt: &[&str]) -> Trained {
    let model = compile::read(text, &[]).model.expect("a model");
    let request = compile::default_request(&model).expect("it has a loss");
    let mut model =
        compile::differentiate(&model, &[request], Level::Readable).expect("derived").model;
    let sizes = sizes.iter().map(|&(name, size)| (name.into(), size as i64));
    let bindings = model.dims.bind(&sizes.collect()).expect("sizes");
    let mut values = Values::default();
    for (name, variable) in &model.variables {
        let shape =
            pullback::ops::size::sizes(&model.ty(variable.node).shape, &bindings).expect("sizes");
        let start = f64::from(name.as_bytes()[0]);
        let count = shape.iter().product::<usize>() as u64;
        let dtype = model.ty(variable.node).dtype;
        let number = |i| match dtype {
            DType::I64 => ((i as f64 + start) * 5.0) % 7.0,
            _ => (i as f64 * 12.9898 + start).sin() / 3.0,
        };
        values.insert(
            name.clone(),
            Tensor::from_f64(dtype, &shape, (0..count).map(number).collect()),
        );
    }
    let origins = Origins::default();
    for &name in learnt {
        let gradient = format!("d_{name}");
        let output = model.outputs.iter().find(|output| *output.name == *gradient);
        let gradient = output.expect("its gradient").node;
        let variable = model.variables[name].node;
        let rate = model.number(DType::F32, Number::float(0.1), &origins);
        let step = model.insert(Scalar::Mul, &[gradient, rate], &origins).expect("a product");
        let moved = model.insert(Scalar::Sub, &[variable, step], &origins).expect("a difference");
        model.updates.insert(name.into(), moved);
    }
    let wanted = model.outputs.iter().map(|output| output.node).collect();
    Trained { model, wanted, values, bindings }
}

fn on(engine: &Arc<Engine>, trained: &Trained, steps: bool, runs: usize) -> Vec<Tensor> {
    let build = if steps { Plan::step } else { Plan::new };
    let plan = build(&trained.model, &trained.wanted, &trained.bindings).expect("a plan");
    let mut state = plan.state(engine).expect("memory");
    plan.bind(&mut state, &trained.values).expect("all that is needed");
    for _ in 0..runs {
        plan.run(&mut state).expect("a run");
    }
    (0..trained.wanted.len()).map(|number| plan.result(&state, number)).collect()
}

/// The same bits for any number of threads and in every run.
#[test]
fn threads_change_nothing() {
    for trained in [trained(700), descent(LSTM, &[("T", 9), ("N", 64)], &[])] {
        let bits = |threads: usize| {
            let engine = Arc::new(Engine { pool: Pool::new(threads), ..Engine::default() });
            bits(&engine, &trained)
        };
        let one = bits(1);
        for threads in [1, 2, 3, 8] {
            assert!(bits(threads) == one, "{threads} threads");
        }
    }
}

/// A network of the benchmarks, what of its text makes it smaller, and sizes.
struct Network {
    text: &'static str,
    smaller: &'static [(&'static str, &'static str)],
    sizes: &'static [(&'static str, usize)],
}

/// W2, W6 and W7.
const NETWORKS: [Network; 3] = [
    Network {
        text: include_str!("../../benches/peers/models/W2.nn"),
        smaller: &[("D = 784, G = 1024, H = 1024", "D = 48, G = 64, H = 64")],
        sizes: &[("N", 64)],
    },
    Network {
        text: include_str!("../../benches/peers/models/W6.nn"),
        smaller: &[("D = 128", "D = 32"), ("E = 32, F = 512, Q = 384", "E = 8, F = 64, Q = 96")],
        sizes: &[("B", 8), ("T", 16)],
    },
    Network {
        text: include_str!("../../benches/peers/models/W7.nn"),
        smaller: &[("D = 64, H = 128", "D = 24, H = 16")],
        sizes: &[("T", 4), ("N", 48)],
    },
];

/// Whoever does which part: runs go on until workers have done some, and have the same bits at every level.
#[test]
fn workers_change_nothing() {
    for Network { text, smaller, sizes } in NETWORKS {
        let text = smaller.iter().fold(text.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from} in {text}");
            text.replace(from, to)
        });
        let Trained { model, wanted, values, bindings } = descent(&text, sizes, &[]);
        let plan = Plan::new(&model, &wanted, &bindings).expect("a plan");
        for level in kernels::Level::available() {
            let mut known: Option<Vec<u64>> = None;
            for threads in [1, 2, 3, 8] {
                let pool = Pool::new(threads);
                let engine = Arc::new(Engine { level, pool, ..Engine::default() });
                let mut state = plan.state(&engine).expect("memory");
                plan.bind(&mut state, &values).expect("all that is needed");
                let begun = Instant::now();
                loop {
                    plan.run(&mut state).expect("a run");
                    let results = (0..wanted.len()).flat_map(|i| plan.result(&state, i).to_f64());
                    let bits: Vec<u64> = results.map(f64::to_bits).collect();
                    let known = known.get_or_insert_with(|| bits.clone());
                    assert!(*known == bits, "{threads} threads at {} of {text}", level.name());
                    if threads == 1 || engine.pool.team().helped() > 0 {
                        break;
                    }
                    assert!(begun.elapsed().as_secs() < 60, "workers take no part in {text}");
                }
            }
        }
    }
}

/// Every operator of single elements over several tiles with a rest, by machine code and without, at every level.
#[test]
fn operators_over_tiles() {
    for dtype in [DType::F32, DType::F64] {
        let text = format!(
            "dim N\ninput x, y: {0}[N]\ninput p, q: bool[N]\nloss C = sum(x * y)\noutput o = p and q\n",
            dtype.name()
        );
        let mut model = compile::read(&text, &[]).model.expect("a model");
        let node = |model: &Model, name: &str| model.variables[name].node;
        let numbers = ["x", "y"].map(|name| node(&model, name));
        let truths = ["p", "q"].map(|name| node(&model, name));
        let mut insert = |row: Scalar| {
            let args = if row.class() == Class::Logic { truths } else { numbers };
            model.insert(row, &args[..row.arity()], &Origins::default()).expect("it fits")
        };
        let wanted: Vec<NodeId> = Scalar::ALL.iter().map(|&row| insert(row)).collect();
        let bindings: Bindings = [("N".into(), 1061)].into_iter().collect();
        let mut values = Values::default();
        for (name, step) in [("x", 0.37), ("y", 0.53)] {
            let numbers = (0..1061).map(|i| (f64::from(i) * step) % 4.0 - 1.5).collect();
            values.insert(name.into(), Tensor::from_f64(dtype, &[1061], numbers));
        }
        for (name, period) in [("p", 2), ("q", 3)] {
            let truths = (0..1061).map(|i| f64::from(i % period == 0)).collect();
            values.insert(name.into(), Tensor::from_f64(DType::Bool, &[1061], truths));
        }
        let expected = reference::run(&model, &wanted, &values, &bindings).expect("values");
        for level in kernels::Level::available() {
            for emit in [Emit::Always, Emit::Never] {
                // A plan keeps the machine code that it once has.
                let plan = Plan::new(&model, &wanted, &bindings).expect("a plan");
                let engine = Arc::new(Engine { level, emit, ..Engine::alone() });
                let mut state = plan.state(&engine).expect("memory");
                plan.bind(&mut state, &values).expect("all that is needed");
                plan.run(&mut state).expect("a run");
                for (number, (expected, row)) in expected.iter().zip(Scalar::ALL).enumerate() {
                    agree(expected, &plan.result(&state, number), size(expected).max(1.0))
                        .unwrap_or_else(|why| {
                            panic!("{row:?} at {} {emit:?}: {why}", level.name())
                        });
                }
            }
        }
    }
}

fn bits(engine: &Arc<Engine>, trained: &Trained) -> String {
    let results = on(engine, trained, false, 2);
    format!("{:?}", results.iter().map(Tensor::to_f64).collect::<Vec<_>>())
}

/// What is loaded for all tiles of a piece stays until the last of them.
#[test]
fn tiles_do_not_disturb_each_other() {
    let text = "dim N\ninput x: f32[N, 128]\nparam g, b: f32[128] = 1\nloss C = mean(layer_norm(x, g, b)^4)\n";
    let trained = descent(text, &[("N", 160)], &[]);
    run(&trained.model, &trained.wanted, &trained.values, &trained.bindings).expect("values");
    let text = "dim N\ninput x: f32[N, 128]\nparam g, b: f32[128] = 1\noutput a = layer_norm(x, g, b)\nloss C = mean(a^2)\n";
    let trained = descent(text, &[("N", 160)], &[]);
    run(&trained.model, &trained.wanted, &trained.values, &trained.bindings).expect("values");
}

/// Machine code does what the machine does, bit by bit, at every level.
#[test]
fn machine_code_changes_nothing() {
    let norm = descent(NORM, &[("N", 13)], &[]);
    for trained in [trained(33), descent(LSTM, &[("T", 3), ("N", 7)], &[]), norm] {
        for level in kernels::Level::available() {
            let [code, machine] = [Emit::Always, Emit::Never]
                .map(|emit| bits(&Arc::new(Engine { level, emit, ..Engine::alone() }), &trained));
            assert!(code == machine, "{}", level.name());
        }
    }
}

/// What costs less to compute again than to keep is computed again: of a large layer only what its function is of is kept.
#[test]
fn large_values_are_computed_again() {
    let text = "
        dim N, D = 4
        input x: f32[N, D]
        param w: f32[D, 64] ~ glorot()
        param v: f32[64, D] ~ glorot()
        loss C = sum((gelu_tanh(x @ w) @ v)^2)
    ";
    let trained = descent(text, &[("N", 1200)], &[]);
    let Trained { model, wanted, values, bindings } = &trained;
    run(model, wanted, values, bindings).expect("values");
    let plan = Plan::new(model, wanted, bindings).expect("a plan");
    let moved = |cost: &Cost| if cost.what == "group" { cost.bytes } else { 0.0 };
    let arrays = plan.costs().iter().map(moved).sum::<f64>() / (1200.0 * 64.0 * 4.0);
    // One group reads the product and writes its function, the other reads the product and an adjoint and writes one.
    assert!(arrays < 5.5, "{arrays} arrays are read and written");
}

/// The places of extremes and whole numbers compared, as the reference has them: ties, numbers that are none, every axis.
#[test]
fn places_of_extremes() {
    let text = "
        dim N, K = 5, M = 3
        input x: f32[N, K, M]
        input i: i32[N, M]
        input j: i64[N, K]
        output a = argmax[N](x)
        output b = argmin[K](x)
        output c = argmax[M](log(x))
        output d = argmin[K](j)
        output k = argmax[N](i)
        output f = argmax[K](floor(3 * x)) == i64(i)
        output g = j < argmax[M](x)
        output h = f64(mean(argmin[M](x) != j))
        loss C = sum(x)
    ";
    let trained = descent(text, &[("N", 7)], &[]);
    let Trained { model, wanted, values, bindings } = &trained;
    run(model, wanted, values, bindings).expect("values");
    let plan = Plan::new(model, wanted, bindings).expect("a plan");
    assert!(plan.costs().iter().all(|cost| cost.what != "reference"), "{:?}", plan.costs());
}

/// Products that equal their transposes do so bit by bit: half is computed.
#[test]
fn symmetric_products_are_mirrored() {
    let text = "
        dim N, D
        input x: f64[N, D]
        input y: f64[N, D]
        input s: f64[N]
        output a = x' @ x
        output b = (x' * s) @ x
        output c = x' @ (s[:, None] * x)
        output d = (x' * s) @ y
        loss C = sum(x)
    ";
    let trained = descent(text, &[("N", 37), ("D", 70)], &[]);
    let Trained { model, wanted, values, bindings } = &trained;
    let found = run(model, wanted, values, bindings).expect("values");
    for threads in [1, 3] {
        for level in kernels::Level::available() {
            let engine = Engine { pool: Pool::new(threads), level, ..Engine::default() };
            let own = on(&Arc::new(engine), &trained, false, 1);
            for (number, (own, found)) in own.iter().zip(&found).enumerate().take(4) {
                agree(found, own, 37.0).expect("the same product");
                let own = own.to_f64();
                let mirrored = (0..own.len()).all(|at| own[at] == own[at % 70 * 70 + at / 70]);
                assert_eq!(mirrored, number < 3, "product {number}");
            }
        }
    }
}

/// A run over memory that has been used before asks for no more.
#[test]
fn a_run_allocates_nothing() {
    let lstm = descent(LSTM, &[("T", 5), ("N", 64)], &["Wx", "Wh", "b"]);
    for trained in [trained(300), trained(3), lstm] {
        let plan = Plan::step(&trained.model, &trained.wanted, &trained.bindings).expect("a plan");
        let mut state = plan.state(&Arc::new(Engine::alone())).expect("memory");
        plan.bind(&mut state, &trained.values).expect("all that is needed");
        plan.run(&mut state).expect("a run");
        let counted = allocation_counter::measure(|| plan.run(&mut state).expect("a run"));
        assert_eq!(counted.count_total, 0, "{counted:?}");
    }
}

/// Every level, and the functions of the reference, agree with the reference.
#[test]
fn levels_agree() {
    let trained = trained(33);
    let expected =
        reference::run(&trained.model, &trained.wanted, &trained.values, &trained.bindings);
    let expected = expected.expect("values");
    for level in kernels::Level::available() {
        for math in [kernels::Math::Fast, kernels::Math::Precise] {
            let engine = Arc::new(Engine { level, math, ..Engine::alone() });
            for (expected, found) in expected.iter().zip(on(&engine, &trained, false, 1)) {
                agree(expected, &found, 33.0)
                    .unwrap_or_else(|why| panic!("{why} at {}", level.name()));
            }
        }
    }
}

/// Steps change variables in place: after three the gradient is that of three steps by the reference.
#[test]
fn steps_move_parameters() {
    let mut trained = trained(40);
    let found = on(&Arc::new(Engine::alone()), &trained, true, 3);
    for _ in 0..2 {
        let updates: Vec<(Name, NodeId)> =
            trained.model.updates.iter().map(|(name, node)| (name.clone(), *node)).collect();
        let nodes: Vec<NodeId> = updates.iter().map(|(_, node)| *node).collect();
        let moved = reference::run(&trained.model, &nodes, &trained.values, &trained.bindings);
        for ((name, _), value) in updates.into_iter().zip(moved.expect("values")) {
            trained.values.insert(name, value);
        }
    }
    let expected =
        reference::run(&trained.model, &trained.wanted, &trained.values, &trained.bindings);
    for (expected, found) in expected.expect("values").iter().zip(&found) {
        agree(expected, found, 40.0).expect("the same steps");
    }
}

/// Plans are kept for each binding of the sizes as far as the limit goes, the one used last the longest.
#[test]
fn plans_are_kept() {
    let trained = trained(5);
    let sizes = |rows: i64| {
        let given: Bindings = [("N".into(), rows)].into_iter().collect();
        trained.model.dims.bind(&given).expect("sizes")
    };
    let mut plans = Plans::new(&trained.model, &trained.wanted, false, usize::MAX);
    let first = plans.get(&sizes(5)).expect("a plan");
    plans.get(&sizes(6)).expect("a plan");
    assert!(Arc::ptr_eq(&first, &plans.get(&sizes(5)).expect("a plan")));
    assert_eq!(plans.len(), 2);
    let mut plans = Plans::new(&trained.model, &trained.wanted, false, 1);
    plans.get(&sizes(5)).expect("a plan");
    plans.get(&sizes(6)).expect("a plan");
    assert_eq!(plans.len(), 1);
    // Where two of three fit, the one that was not asked for the longest goes.
    let mut plans = Plans::new(&trained.model, &trained.wanted, false, first.bytes() * 5 / 2);
    let [five, six] = [5, 6].map(|rows| plans.get(&sizes(rows)).expect("a plan"));
    plans.get(&sizes(5)).expect("a plan");
    plans.get(&sizes(7)).expect("a plan");
    assert_eq!(plans.len(), 2);
    assert!(Arc::ptr_eq(&five, &plans.get(&sizes(5)).expect("a plan")));
    assert!(!Arc::ptr_eq(&six, &plans.get(&sizes(6)).expect("a plan")));
}
