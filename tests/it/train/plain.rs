//! The loop against one written out for a single model: order of rows, short batches, accumulation, validation.

use pullback::compile::{self, Level, Request};
use pullback::exec::plan::Engine;
use pullback::graph::Values;
use pullback::graph::train::{Batch, METHODS, Method, Rule, Training};
use pullback::ops::Number;
use pullback::ops::special::Mode;
use pullback::tensor::{DType, Tensor};
use pullback::train::order::{shuffle, split};
use pullback::train::run::pace;
use pullback::train::stop::Stop;
use pullback::train::{Event, Held, Job, Report, Run, Settings, step};
use std::sync::Arc;

const MODEL: &str = "
dim N
input x: f64[N]
input y: f64[N]
param w: f64 = 0.5
state seen: f64 = 0
update seen = where(training, seen + N, seen)
loss C = mean((w * x - y)^2)
metric late = f64(training_step)
metric live = where(training, 1, 0)
";

/// Eleven rows: with a validating part of 0.2 nine are left, which batches of four see as four, four and one.
fn data() -> (Vec<f64>, Vec<f64>) {
    (0..11).map(|i| f64::from(i) * 0.3 - 1.0).map(|x| (x, 2.0 * x + (5.0 * x).sin())).unzip()
}

struct Ended {
    w: f64,
    seen: f64,
    reports: Vec<Report>,
}

/// The training by the library.
fn library(said: Training, threads: usize) -> Ended {
    let settings = Settings::of(&said);
    let model = compile::read(MODEL, &[]).model.expect("a model");
    let request = Request {
        of: "C".into(),
        wrt: vec!["w".into()],
        mode: Mode::Grad,
        vectors: Vec::new(),
        order: 1,
    };
    let derived = compile::differentiate(&model, &[request], Level::Readable).expect("a gradient");
    let (x, y) = data();
    let column = |values: Vec<f64>| Tensor::from_f64(DType::F64, &[values.len()], values);
    let held = Held::new(vec![("x".into(), column(x)), ("y".into(), column(y))]).expect("rows");
    let (train, _) = split(11, settings.val.to_f64(), settings.seed);
    let rows = Some("N".into());
    let (_, pace) = pace(&settings, train.len());
    let model =
        step(&derived.model, &["w".into()], &settings, pace, rows.as_ref()).expect("a step");
    let mut values = Values::default();
    for (name, variable) in &model.variables {
        let first = pullback::exec::init::initial(&model, name, variable, 0, &Default::default());
        values.extend(first.expect("a first value").map(|first| (name.clone(), first)));
    }
    let engine = Engine { pool: pullback::exec::pool::Pool::new(threads), ..Engine::alone() };
    let job = Job {
        model: &model,
        loss: "C".into(),
        settings: &settings,
        stop: Stop::default(),
        rows,
        bindings: Default::default(),
        values,
        data: &held,
        val: None,
        engine: Arc::new(engine),
        budget: None,
    };
    let mut run = Run::new(job).expect("a run");
    let mut reports = Vec::new();
    loop {
        match run.advance().expect("a step") {
            Event::Step => {}
            Event::Epoch(report) => reports.push(report),
            Event::Done => break,
            Event::Diverged => panic!("it converges"),
        }
    }
    let values = run.values();
    let one = |name: &str| {
        let found = values.iter().find(|(known, _)| **known == *name).expect("it moves");
        found.1.item().expect("one number")
    };
    Ended { w: one("w"), seen: one("seen"), reports }
}

/// The same by hand.
fn by_hand(said: &Training) -> Ended {
    let settings = Settings::of(said);
    let (x, y) = data();
    let (train, val) = split(11, settings.val.to_f64(), settings.seed);
    let Batch::Rows(batch) = settings.batch else { panic!("rows") };
    let lr = settings.number("lr").expect("a rate").to_f64();
    let loss = |w: f64, rows: &[usize]| {
        rows.iter().map(|&i| (w * x[i] - y[i]).powi(2)).sum::<f64>() / rows.len() as f64
    };
    let slope = |w: f64, rows: &[usize]| {
        rows.iter().map(|&i| 2.0 * (w * x[i] - y[i]) * x[i]).sum::<f64>() / rows.len() as f64
    };
    let (mut w, mut m, mut v, mut t, mut number) = (0.5, 0.0, 0.0, 0, 0.0);
    let (mut seen, mut reports) = (0.0, Vec::new());
    for epoch in 0..settings.epochs {
        let mut order = train.clone();
        shuffle(&mut order, settings.seed, epoch);
        let (mut sum, mut steps) = (0.0, 0.0);
        let parts: Vec<&[usize]> = order.chunks(batch as usize).collect();
        for group in parts.chunks(settings.accumulate as usize) {
            let all: Vec<usize> = group.concat();
            for part in group {
                sum += loss(w, part) * part.len() as f64;
                steps += number * part.len() as f64;
                seen += part.len() as f64;
                number += 1.0;
            }
            let g = slope(w, &all);
            t += 1;
            match settings.optimiser.kind {
                Method::Sgd => w -= lr * g,
                Method::Adam => {
                    m = 0.9 * m + 0.1 * g;
                    v = 0.999 * v + 0.001 * g * g;
                    let (c1, c2) = (1.0 - 0.9f64.powi(t), 1.0 - 0.999f64.powi(t));
                    w -= lr * (m / c1) / ((v / c2).sqrt() + 1e-8);
                }
                _ => panic!("not written out"),
            }
        }
        let count = train.len() as f64;
        reports.push(Report {
            epoch: epoch + 1,
            step: number as u64,
            train: vec![sum / count, steps / count, 1.0],
            val: (!val.is_empty()).then(|| vec![loss(w, &val), 0.0, 0.0]),
            is_last: epoch + 1 == settings.epochs,
        });
    }
    Ended { w, seen, reports }
}

#[test]
fn loops_are_those_that_are_written_out() {
    for (kind, accumulate, val) in [
        (Method::Sgd, 1, "0.2"),
        (Method::Adam, 1, "0"),
        (Method::Sgd, 2, "0.2"),
        (Method::Adam, 3, "0.2"),
    ] {
        let said = Training {
            optimiser: Some(Rule::usual(kind, METHODS).with(METHODS, "lr", Number::ratio(1, 20))),
            batch: Some(Batch::Rows(4)),
            epochs: Some(3),
            seed: Some(7),
            val: Number::parse(val),
            accumulate: Some(accumulate),
            ..Training::default()
        };
        let (found, wanted) = (library(said.clone(), 1), by_hand(&said));
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
        assert!(close(found.w, wanted.w), "{kind:?}: {} {}", found.w, wanted.w);
        assert_eq!(found.seen, wanted.seen, "states move in steps only");
        assert_eq!(found.reports.len(), wanted.reports.len());
        for (one, two) in found.reports.iter().zip(&wanted.reports) {
            assert_eq!((one.epoch, one.step, one.is_last), (two.epoch, two.step, two.is_last));
            let (one, two) = (
                [Some(one.train.clone()), one.val.clone()],
                [Some(two.train.clone()), two.val.clone()],
            );
            for (one, two) in one.iter().zip(&two) {
                assert_eq!(one.is_some(), two.is_some());
                let both = one.iter().flatten().zip(two.iter().flatten());
                assert!(
                    both.clone().count() != 2 && both.clone().all(|(a, b)| close(*a, *b)),
                    "{one:?} {two:?}"
                );
            }
        }
    }
}

#[test]
fn seeds_and_threads_do_what_they_should() {
    let said = |seed| Training {
        batch: Some(Batch::Rows(4)),
        epochs: Some(2),
        seed: Some(seed),
        ..Training::default()
    };
    let [one, two, other] = [library(said(1), 1), library(said(1), 3), library(said(2), 1)];
    assert_eq!(one.w.to_bits(), two.w.to_bits());
    assert_eq!(one.reports, two.reports);
    assert_ne!(one.w.to_bits(), other.w.to_bits());
}
