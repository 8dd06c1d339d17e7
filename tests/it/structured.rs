//! Convolutions, pools and sums of products of random sizes: a plan agrees with the reference at every level, and has the same bits
//! for any number of threads.

use crate::plan::agree;
use proptest::prelude::*;
use pullback::compile::{self, Level};
use pullback::exec::plan::{Engine, Plan};
use pullback::exec::pool::Pool;
use pullback::exec::{kernels, reference};
use pullback::graph::Values;
use pullback::ops::Bindings;
use pullback::ops::size::sizes;
use pullback::ops::stream::Stream;
use pullback::tensor::Tensor;
use std::sync::{Arc, LazyLock};

static POOLS: LazyLock<Vec<Arc<Engine>>> = LazyLock::new(|| {
    let levels = kernels::Level::available().into_iter();
    let engines = levels.flat_map(|level| {
        [1, 2, 3, 8].map(|threads| {
            Arc::new(Engine { level, pool: Pool::new(threads), ..Engine::default() })
        })
    });
    engines.collect()
});

/// Checks the loss of a model and its gradients, variables between -1 and 1.
fn check(text: &str) {
    let read = compile::read(text, &[]);
    let model = read.model.unwrap_or_else(|| panic!("{text}\n{:?}", read.diagnostics));
    let request = compile::default_request(&model).expect("it has a loss");
    let derived = compile::differentiate(&model, &[request], Level::Readable);
    let model = derived.unwrap_or_else(|misfit| panic!("{text}\n{misfit}")).model;
    let bindings = model.dims.bind(&Bindings::default()).expect("sizes");
    let mut values = Values::default();
    for (name, variable) in &model.variables {
        let ty = model.ty(variable.node);
        let shape = sizes(&ty.shape, &bindings).expect("sizes");
        let (stream, count) = (Stream::new(3, name), shape.iter().product::<usize>());
        let numbers = (0..count as u64).map(|i| 2.0 * stream.uniform(i) - 1.0).collect();
        values.insert(name.clone(), Tensor::from_f64(ty.dtype, &shape, numbers));
    }
    let wanted: Vec<_> = model.outputs.iter().map(|output| output.node).collect();
    let expected = reference::run(&model, &wanted, &values, &bindings).expect("values");
    let largest = expected.iter().flat_map(Tensor::to_f64).fold(1.0f64, |a, b| a.max(b.abs()));
    let plan = Plan::new(&model, &wanted, &bindings).expect("a plan");
    let mut bits: Option<(kernels::Level, Vec<u64>)> = None;
    for engine in POOLS.iter() {
        let mut state = plan.state(engine).expect("memory");
        plan.bind(&mut state, &values).expect("all that is needed");
        plan.run(&mut state).expect("a run");
        let found: Vec<Tensor> =
            (0..wanted.len()).map(|number| plan.result(&state, number)).collect();
        for ((expected, found), output) in expected.iter().zip(&found).zip(&model.outputs) {
            agree(expected, found, 4.0 * largest).unwrap_or_else(|why| {
                panic!("{text}\n{} at {}: {why}", output.name, engine.level.name())
            });
        }
        let own: Vec<u64> = found.iter().flat_map(Tensor::to_f64).map(f64::to_bits).collect();
        match &bits {
            Some((level, known)) if *level == engine.level => {
                let threads = engine.pool.team().size();
                assert!(*known == own, "{text}\nwith {threads} threads");
            }
            _ => bits = Some((engine.level, own)),
        }
    }
}

/// Size, window, stride, padding, dilation.
fn axis() -> impl Strategy<Value = [usize; 5]> {
    (1..4usize, 1..4usize, 1..4usize, 0..3usize, 0..9usize).prop_map(
        |(window, stride, dilation, padding, more)| {
            let reach = (window - 1) * dilation + 1;
            [reach.saturating_sub(2 * padding).max(1) + more, window, stride, padding, dilation]
        },
    )
}

/// Some of five letters in some order.
fn letters() -> impl Strategy<Value = Vec<usize>> {
    proptest::sample::subsequence(vec![0, 1, 2, 3, 4], 1..5).prop_shuffle()
}

fn each(axes: &[[usize; 5]], of: usize) -> String {
    pullback::ops::join(axes.iter().map(|axis| axis[of]))
}

#[test]
fn sums_of_einsums() {
    for sum in ["0", "0, 2", "1", "0, 1, 2"] {
        check(&format!(
            "param a: f64[7, 3, 5]\nparam t: f64[3, 5, 4]\nparam b: f64[7, 3, 4]\nparam c: f64[3, 4]\n\
             y = b * b - (einsum(\"nki,kij->nkj\", a, t) + b * c)\n\
             loss C = sum(sum[{sum}](y)^2)\n"
        ));
    }
}

/// Chains are multiplied in the order that is cheapest, which the flops of the plan show.
#[test]
fn chains_of_matrices() {
    let sizes = "param a: f64[30, 35]\nparam b: f64[35, 15]\nparam c: f64[15, 5]\nparam d: f64[10, 5]\n\
                 param f: f64[10, 20]\nparam v: f64[20]\n";
    for (product, flops) in [
        ("a @ b @ c @ d' @ f", 2 * (30 * 35 * 5 + 35 * 15 * 5 + 5 * 10 * 20 + 30 * 5 * 20)),
        ("(d @ c' @ b' @ a')' @ (v @ f')", 2 * (10 * 20 + 5 * 10 + 15 * 5 + 35 * 15 + 30 * 35)),
        ("a @ b @ c @ (d' @ f) @ v", 2 * (20 * 10 + 10 * 5 + 5 * 15 + 15 * 35 + 35 * 30)),
    ] {
        let text = format!("{sizes}y = {product}\noutput y\n");
        let model = compile::read(&text, &[]).model.expect("a model");
        let wanted = [model.outputs[0].node];
        let plan = Plan::new(&model, &wanted, &Bindings::default()).expect("a plan");
        let products = plan.costs().into_iter().filter(|cost| cost.what == "product");
        assert_eq!(products.map(|cost| cost.flops).sum::<f64>(), f64::from(flops), "{product}");
        check(&format!("{sizes}y = {product}\nloss C = sum(y^2)\n"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn convolutions(
        axes in proptest::collection::vec(axis(), 1..4),
        (images, groups, inputs, outputs) in (1..4usize, 1..3usize, 1..4usize, 1..10usize),
        dtype in prop_oneof![Just("f32"), Just("f64")],
        transposed: bool,
    ) {
        let (channels, filters) = (groups * inputs, groups * outputs);
        let (sizes, window) = (each(&axes, 0), each(&axes, 1));
        let options = format!(
            "stride = [{}], padding = [{}], dilation = [{}], groups = {groups}",
            each(&axes, 2), each(&axes, 3), each(&axes, 4)
        );
        let image = if transposed { filters } else { channels };
        let call = if transposed { "conv_transpose" } else { "conv" };
        let ones = ", None".repeat(axes.len());
        let bias = if transposed { channels } else { filters };
        // A transposed convolution may have padded all away.
        let some = !transposed || axes.iter().all(|[size, window, stride, padding, dilation]| {
            (size - 1) * stride + (window - 1) * dilation + 1 > 2 * padding
        });
        prop_assume!(some);
        check(&format!(
            "param x: {dtype}[{images}, {image}, {sizes}]\n\
             param w: {dtype}[{filters}, {inputs}, {window}]\n\
             param b: {dtype}[{bias}]\n\
             y = relu({call}(x, w, {options}) + b[:{ones}])\n\
             loss C = sum(y^2)\n"
        ));
    }

    #[test]
    fn pools(
        axes in proptest::collection::vec(axis(), 1..4),
        rows in 1..40usize,
        dtype in prop_oneof![Just("f32"), Just("f64")],
        largest: bool,
        pairs: bool,
    ) {
        let name = if largest { "max_pool" } else { "avg_pool" };
        let axes: Vec<[usize; 5]> = axes
            .into_iter()
            .map(|[size, window, stride, padding, _]| match pairs {
                true => [size + 1, 2, 2, 0, 1],
                false => [size.max(window), window, stride, padding.min(window - 1), 1],
            })
            .collect();
        let (sizes, window) = (each(&axes, 0), each(&axes, 1));
        let options = format!("stride = [{}], padding = [{}]", each(&axes, 2), each(&axes, 3));
        check(&format!(
            "param x: {dtype}[{rows}, 2, {sizes}]\n\
             y = {name}(relu(x), [{window}], {options})\n\
             loss C = sum(y^2)\n"
        ));
    }

    #[test]
    fn products(
        sizes in proptest::collection::vec(1..6usize, 5),
        one in letters(),
        two in letters(),
        kept in 0..32u32,
        dtype in prop_oneof![Just("f32"), Just("f64")],
    ) {
        let both: Vec<usize> = (0..5).filter(|c| one.contains(c) || two.contains(c)).collect();
        // From the last letter to the first, so that results lie in another order than operands.
        let to: Vec<usize> = both.into_iter().rev().filter(|c| kept >> c & 1 == 1).collect();
        let word = |letters: &[usize]| -> String {
            letters.iter().map(|&c| char::from(b'a' + c as u8)).collect()
        };
        let shape = |letters: &[usize]| pullback::ops::join(letters.iter().map(|&c| sizes[c]));
        let text = format!("{},{}->{}", word(&one), word(&two), word(&to));
        check(&format!(
            "param x: {dtype}[{}]\n\
             param y: {dtype}[{}]\n\
             loss C = sum(einsum(\"{text}\", x, y)^2)\n",
            shape(&one), shape(&two)
        ));
    }
}
