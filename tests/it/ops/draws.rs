//! Random values: functions of their key and the place, of nothing else.

use super::array::{Array, build};
use super::case::{Row, check_all};
use super::machine::model;
use pullback::compile::{Level, default_request, differentiate};
use pullback::exec::{init, run};
use pullback::graph::Model;
use pullback::graph::print::{Part, print};
use pullback::ops::stream::Stream;
use pullback::passes::retype;
use pullback::tensor::DType;

/// Number `index` of a key in step 0 of the seed that formulas are run with.
fn stream(key: &str) -> Stream {
    Stream::new(0, key).at(0)
}

fn masked(x: &Array, key: &str, rate: f64) -> Array {
    let kept = |place: usize| stream(key).uniform(place as u64) >= rate;
    let scaled = x.values.iter().enumerate();
    let values = scaled.map(|(i, x)| if kept(i) { x / (1.0 - rate) } else { 0.0 }).collect();
    Array { shape: x.shape.clone(), values }
}

const CASES: &[Row] = &[
    ("x: f64[N=3]", "x * normal(N, key = \"k\")", |a| {
        build(&[3], |i| a[0].at(i) * stream("k").normal(i[0] as u64))
    }),
    ("x: f64[N=2]", "x + uniform(N, key = \"k\") * normal(key = \"s\")", |a| {
        build(&[2], |i| a[0].at(i) + stream("k").uniform(i[0] as u64) * stream("s").normal(0))
    }),
    ("x: f64[N=3, K=2]", "dropout(x, 0.5, key = \"k\") * x", |a| {
        let dropped = masked(&a[0], "k", 0.5);
        build(&[3, 2], |i| dropped.at(i) * a[0].at(i))
    }),
    ("x: f64[N=2, K=2]; y: f64[K=2]", "dropout(x @ y, 1/4, key = \"b\")^2", |a| {
        let product = build(&[2], |i| (0..2).map(|k| a[0].at(&[i[0], k]) * a[1].at(&[k])).sum());
        masked(&product, "b", 0.25).map(|v| v * v)
    }),
    ("x: f64[N=3]", "dropout(x, 1) + dropout(x, 0)", |a| a[0].clone()),
];

#[test]
fn formulas() {
    check_all(CASES);
}

/// The value of `y` in a model without inputs.
fn value(model: &Model, seed: u64, step: i64, training: bool) -> Vec<f64> {
    let node = model.named("y").expect("it is there");
    let bindings = model.dims.bind(&Default::default()).expect("sizes are numbers");
    let given = init::given(model, seed, step, training);
    run(model, &[node], &given, &bindings).expect("it runs")[0].to_f64()
}

fn drawn(text: &str) -> Vec<f64> {
    value(&model(text), 0, 0, false)
}

#[test]
fn only_the_key_counts() {
    let plain = drawn("y = normal(6)\noutput y\n");
    // The shape, the name of the key, and what else is drawn do not matter.
    assert_eq!(drawn("y = normal(2, 3)\noutput y\n"), plain);
    assert_eq!(drawn("output y = normal(6, key = \"y.0\")\n"), plain);
    assert_eq!(drawn("a = uniform(9)\ny = normal(6)\noutput y\noutput a\n"), plain);
    assert_eq!(drawn("dim N = 6\nz = normal(4)\ny = 0 + normal(N)\noutput y\noutput z\n"), plain);
    assert_eq!(drawn("output y = normal(8)\n")[..6], plain);
    // The key does, and each of its parts.
    let model = model("output y = normal(6)\n");
    let others = [
        drawn("output y = normal(6, key = \"other\")\n"),
        value(&model, 1, 0, false),
        value(&model, 0, 1, false),
        drawn("y = normal(6) + 0 * normal(6)\noutput y\nz = y\n"),
    ];
    assert!(others[..3].iter().all(|other| other.iter().zip(&plain).all(|(a, b)| a != b)));
    assert_eq!(others[3], plain, "the first draw of a binding has number 0");
    let two = drawn("output y = normal(6) - normal(6)\n");
    assert!(two.iter().all(|v| *v != 0.0), "two draws of a binding differ");
}

/// A key that is written belongs to who wrote it, wherever it stands.
#[test]
fn written_keys_are_left_alone() {
    let both = "a = normal(4)\ny = a - normal(4, key = \"a.0\")\noutput y\n";
    assert!(drawn(both).iter().all(|v| *v != 0.0));
    let shared = "a = normal(4, key = \"k\")\noutput y = a - normal(4, key = \"k\")\n";
    assert!(drawn(shared).iter().all(|v| *v == 0.0));
}

#[test]
fn precision() {
    let text = "input x: f64\noutput y = uniform(1000) + 0 * normal(1000)\n";
    let wide = value(&model(text), 3, 0, false);
    let narrow = value(&retype(&model(text), DType::F32).expect("it is retyped"), 3, 0, false);
    let rounded: Vec<f64> = wide.iter().map(|v| f64::from(*v as f32)).collect();
    assert_eq!(narrow, rounded);
    assert!(narrow.iter().all(|v| *v > 0.0 && *v < 1.0));
    // A cast of a draw is the draw in that type.
    let cast = "input x: f32\noutput y = f64(uniform(1000) )\n";
    let again = print(&model(cast), Part::Whole).text;
    assert_eq!(value(&model(cast), 3, 0, false), wide, "{again}");
    assert_eq!(value(&model(&again), 3, 0, false), wide, "{again}");
}

/// Means and variances within five deviations of what they are.
#[test]
fn distributions() {
    let moments = |text: &str| {
        let values = drawn(text);
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count)
    };
    let (mean, variance) = moments("output y = normal(100000)\n");
    assert!(mean.abs() < 0.016 && (variance - 1.0).abs() < 0.023, "{mean} {variance}");
    let (mean, variance) = moments("output y = uniform(100000)\n");
    assert!((mean - 0.5).abs() < 0.0046 && (variance - 1.0 / 12.0).abs() < 0.0012);
    let kept = value(&model("output y = dropout(ones(100000), 0.2)\n"), 0, 0, true);
    assert!(kept.iter().all(|v| *v == 0.0 || *v == 1.25));
    let dropped = kept.iter().filter(|v| **v == 0.0).count() as f64 / 1e5;
    assert!((dropped - 0.2).abs() < 0.0064, "{dropped}");
}

/// In evaluation nothing is dropped; in training forward and adjoint drop the same.
#[test]
fn training_and_evaluation() {
    let text = "param w: f32[50] = 1\nh = dropout(w, 0.4)\nloss C = 1/2 * sum(h^2)\n";
    let model = model(text);
    let request = default_request(&model).expect("it has a loss");
    let derived = differentiate(&model, &[request], Level::Readable).expect("it is derived").model;
    let whole = print(&derived, Part::Whole).text;
    assert!(whole.contains("d_w = dropout(h, 0.4, key = \"h.0\")"), "{whole}");
    let at = |training: bool| {
        let names = ["h", "d_w"].map(|name| {
            derived.named(name).unwrap_or_else(|| {
                derived.outputs.iter().find(|output| *output.name == *name).expect("there").node
            })
        });
        let mut values = init::given(&derived, 5, 2, training);
        values.insert("w".into(), pullback::tensor::Tensor::full(DType::F32, &[50], 1.0));
        run(&derived, &names, &values, &Default::default()).expect("it runs")
    };
    let quiet = at(false);
    assert!(quiet.iter().all(|tensor| tensor.to_f64().iter().all(|v| *v == 1.0)));
    let (h, d_w) = (at(true)[0].to_f64(), at(true)[1].to_f64());
    for (h, d) in h.iter().zip(&d_w) {
        let scale = f64::from((1.0_f64 / 0.6) as f32);
        let square = f64::from((scale / 0.6) as f32);
        assert!(*h == 0.0 && *d == 0.0 || (h - scale).abs() < 1e-6 && (d - square).abs() < 1e-6);
    }
    assert!(h.contains(&0.0) && h.iter().any(|v| *v != 0.0));
}
