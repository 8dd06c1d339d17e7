//! Steps that are printed and read again compute the same numbers.

use pullback::compile::{self, Level, default_request};
use pullback::exec::{init, reference};
use pullback::graph::print::{Part, WIDTH, print};
use pullback::graph::train::{METHODS, Method, Rule, SCHEDULES, Schedule, Training};
use pullback::graph::{Model, NodeId, Values};
use pullback::ops::{Bindings, Name, Number};
use pullback::tensor::{DType, Tensor};
use pullback::train::{Pace, Settings, step};

const MODEL: &str = "
dim N, D = 4, H = 3
input x: f32[N, D]
input y: f32[N]
param rate: f32[D, H] ~ glorot()
param t: f32[H] ~ normal(std = 0.5)
param still: f32 frozen = 2
z = BatchNorm(x @ rate) as norm
h = dropout(tanh(z), 0.3)
loss C = mean[N]((h @ t * still - y)^2)
metric m_t = mean[N](abs(h @ t))
";

fn recipes() -> Vec<Training> {
    let number = |text: &str| Number::parse(text);
    let method = |kind| Some(Rule::usual(kind, METHODS));
    let plain = Training::default;
    let mut all: Vec<Training> =
        METHODS.iter().map(|(kind, ..)| Training { optimiser: method(*kind), ..plain() }).collect();
    all.push(Training { clip: number("0.1"), clip_value: number("0.05"), ..plain() });
    all.push(Training { accumulate: Some(2), weight_decay: number("0.1"), ..plain() });
    for (kind, ..) in SCHEDULES {
        let warm = Rule::usual(*kind, SCHEDULES).with(SCHEDULES, "warmup", Number::ONE);
        all.push(Training { schedule: Some(warm), optimiser: method(Method::Momentum), ..plain() });
    }
    let cosine = Rule::usual(Schedule::Cosine, SCHEDULES);
    all.push(Training {
        schedule: Some(cosine.with(SCHEDULES, "floor", Number::ratio(1, 10))),
        accumulate: Some(3),
        clip: number("1"),
        optimiser: method(Method::Adamw),
        ..plain()
    });
    all
}

/// What moves, after some steps.
fn moved(model: &Model, rows: i64) -> Vec<(Name, Tensor)> {
    let bindings: Bindings = [("N".into(), rows)].into_iter().collect();
    let bindings = model.dims.bind(&bindings).expect("sizes");
    let mut values = Values::default();
    for (name, variable) in &model.variables {
        let first = init::initial(model, name, variable, 1, &bindings).expect("a first value");
        values.extend(first.map(|first| (name.clone(), first)));
    }
    let wave = |count: i64, by: f64| (0..count).map(|i| (i as f64 * by).sin()).collect();
    let shape = [rows as usize, 4];
    values.insert("x".into(), Tensor::from_f64(DType::F32, &shape, wave(4 * rows, 0.7)));
    values.insert("y".into(), Tensor::from_f64(DType::F32, &shape[..1], wave(rows, 1.3)));
    let names: Vec<Name> = model.updates.keys().cloned().collect();
    let wanted: Vec<NodeId> = model.updates.values().copied().collect();
    for step in 0..5 {
        values.extend(init::given(model, 1, step, true));
        let next = reference::run(model, &wanted, &values, &bindings).expect("a step");
        values.extend(names.iter().cloned().zip(next));
    }
    names.into_iter().map(|name| (name.clone(), values[&name].clone())).collect()
}

#[test]
fn printed_steps_compute_the_same_numbers() {
    let model = compile::read(MODEL, &[]).model.expect("a model");
    let request = default_request(&model).expect("a loss");
    let learnt = request.wrt.clone();
    let derived = compile::differentiate(&model, &[request], Level::Readable).expect("a gradient");
    for said in recipes() {
        let settings = Settings::of(&said);
        let pace = Pace { batches: 2, epochs: 3 };
        let rows: Name = "N".into();
        let made = step(&derived.model, &learnt, &settings, pace, Some(&rows)).expect("a step");
        let printed = print(&made, Part::Whole);
        assert!(printed.widest <= WIDTH, "{}", printed.text);
        let read = compile::read(&printed.text, &[]);
        let errors: Vec<_> = read.diagnostics.iter().filter(|said| said.is_error()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{}", printed.text);
        let again = read.model.expect("a model");
        let (mut one, mut two) = (moved(&made, 6), moved(&again, 6));
        one.sort_by(|a, b| a.0.cmp(&b.0));
        two.sort_by(|a, b| a.0.cmp(&b.0));
        assert!(one.len() >= 6, "parameters and the states of the norm move");
        assert_eq!(one, two, "{}", printed.text);
    }
}
