//! Claims and training defaults: kept, typed, and printed back.

use pullback::compile::{Level, Read, default_request, differentiate, read};
use pullback::graph::Model;
use pullback::graph::print::{Part, print};
use pullback::graph::train::{Batch, METHODS, Method, SCHEDULES, Schedule};

fn model(text: &str) -> Model {
    let Read { model, diagnostics, .. } = read(text, &[]);
    assert_eq!(diagnostics, [], "of\n{text}");
    model.expect("a model")
}

fn derived(text: &str) -> Model {
    let model = model(text);
    let request = default_request(&model).expect("it has a loss");
    differentiate(&model, &[request], Level::Readable).expect("it is derived").model
}

/// The lines of the whole printed model that begin with one of these words.
fn lines(model: &Model, words: &[&str]) -> Vec<String> {
    let text = print(model, Part::Whole).text;
    let kept = text.lines().filter(|line| words.iter().any(|word| line.starts_with(word)));
    kept.map(str::to_string).collect()
}

#[test]
fn claims_are_kept_apart() {
    let text = "dim N, D = 3\ninput x: f32[N, D]\nparam w: f32[D]\ns = 0.5\ny = x @ w\n\
        fn f(x: f32[..]) -> f32[..] { return 2 * x }\n\
        loss C = s * sum(y^2)\n";
    let claims = "expect grad(C, w) == x' @ y\nexpect (y > 0) == (x @ w > 0)\nexpect y == 0\n\
        expect s == 1/2\nexpect f(y) == y + y\nexpect sum[D](x) == x @ ones(D)\n";
    let claiming = model(&format!("{text}{claims}"));
    assert_eq!(claiming.claims.len(), 6);
    for claim in &claiming.claims {
        assert_eq!(claiming.ty(claim.left), claiming.ty(claim.right));
    }
    // A claim alone is use enough for an input.
    assert_eq!(model("input x: f32\nparam w: f32\nloss C = w\nexpect x == x\n").claims.len(), 1);
    // What a claim needs is no part of the derived model.
    let (with, without) = (derived(&format!("{text}{claims}")), derived(text));
    assert!(with.claims.is_empty());
    assert_eq!(with.len(), without.len());
    // Claims that name what a printed model has not are left out.
    let kept = ["expect grad(C, w) == x' @ y", "expect (y > 0) == (x @ w > 0)", "expect y == 0"];
    let kept = [kept.as_slice(), &["expect sum[D](x) == x @ ones(D)"]].concat();
    assert_eq!(lines(&with, &["expect"]), kept);
    assert_eq!(lines(&claiming, &["expect"]), kept);
    let again = model(&print(&with, Part::Whole).text);
    assert_eq!(again.claims.len(), kept.len());
}

#[test]
fn training_is_typed_and_printed_back() {
    let head = "param w: f32 = 1\nloss C = w^2\n";
    let cases = [
        (
            "train { sgd(0.1); batch = 10; epochs = 30 }",
            "train { sgd(lr = 0.1); batch = 10; epochs = 30 }",
        ),
        ("train { batch = all; seed = 7 }", "train { batch = all; seed = 7 }"),
        ("train { adam(); val = 1/10 }", "train { adam(lr = 0.001); val = 0.1 }"),
        (
            "dim B = 64\nk = 3\ntrain { rmsprop(eps = 1e-8, decay = 0.5); batch = B; epochs = 2 * k }",
            "train { rmsprop(lr = 0.01, decay = 0.5); batch = 64; epochs = 6 }",
        ),
        (
            "train { nesterov(lr = 1/3); clip = 1; schedule = step(3) }",
            "train { nesterov(lr = 1/3); clip = 1; schedule = step(every = 3) }",
        ),
        ("train { }", "train {}"),
    ];
    for (written, printed) in cases {
        let derived = derived(&format!("{head}{written}\n"));
        assert_eq!(lines(&derived, &["train"]), [printed]);
        let again = model(&print(&derived, Part::Whole).text);
        assert_eq!(again.training, derived.training);
    }
    let text = "train { adamw(lr = 0.25, weight_decay = 0); batch = 8; epochs = 100; seed = 1; val = 0.5; clip = 2; weight_decay = 0.125; schedule = cosine(warmup = 5) }";
    let derived = derived(&format!("{head}{text}\n"));
    let training = derived.training.clone().expect("it is trained");
    let optimiser = training.optimiser.as_ref().expect("an optimiser");
    assert_eq!(optimiser.kind, Method::Adamw);
    let number = |name| optimiser.number(METHODS, name).map(|number| number.to_f64());
    assert_eq!(
        [number("lr"), number("beta1"), number("weight_decay"), number("momentum")],
        [Some(0.25), Some(0.9), Some(0.0), None]
    );
    let schedule = training.schedule.as_ref().expect("a schedule");
    assert_eq!(schedule.kind, Schedule::Cosine);
    assert_eq!(schedule.number(SCHEDULES, "warmup").and_then(|number| number.to_i64()), Some(5));
    assert_eq!(
        (training.batch, training.epochs, training.seed),
        (Some(Batch::Rows(8)), Some(100), Some(1))
    );
    // Too wide for a line, it is printed as a block.
    let printed = print(&derived, Part::Whole);
    assert!(
        printed.widest <= 100 && printed.text.contains("\n  schedule = cosine(warmup = 5)\n}\n"),
        "{}",
        printed.text
    );
    assert_eq!(model(&printed.text).training, Some(training));
}

/// What the tables say of each rule is taken, and what a rule is not given is as they say.
#[test]
fn every_rule_is_known() {
    for (_, name, params) in METHODS {
        let all: Vec<String> = params.iter().map(|(param, ..)| format!("{param} = 0.5")).collect();
        let text = format!("param w: f32\nloss C = w\ntrain {{ {name}({}) }}\n", all.join(", "));
        let training = model(&text).training.expect("it is trained");
        let optimiser = training.optimiser.expect("an optimiser");
        assert!(optimiser.numbers.iter().all(|number| number.to_f64() == 0.5), "{name}");
    }
    for (_, name, params) in SCHEDULES {
        let text = format!("param w: f32\nloss C = w\ntrain {{ schedule = {name}() }}\n");
        let schedule = model(&text).training.and_then(|known| known.schedule).expect("a schedule");
        assert_eq!(schedule.numbers.len(), params.len());
    }
}
