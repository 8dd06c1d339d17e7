//! Scans against the same loops written out step by step: values, gradients, second derivatives, print.

use super::array::{Array, build};
use super::machine::{
    Given, agree, array, derived, evaluate, model, operators, read_back, request, results,
    round_trip,
};
use proptest::prelude::*;
use pullback::compile::Level;
use pullback::graph::Kind;
use pullback::graph::print::{Part, print};
use pullback::ops::Bindings;
use pullback::ops::special::Mode;
use pullback::tensor::DType;

/// A loop over `x: f64[T, 2]` with `w: f64[2]` and `first: f64[2]`, and the same without a loop.
struct Loop {
    name: &'static str,
    looped: &'static str,
    /// What stands in front of the steps, each step (with `{t}`, the step before `{p}`), and the loss.
    start: &'static str,
    step: &'static str,
    loss: &'static str,
    reverse: bool,
}

const LOOPS: &[Loop] = &[
    Loop {
        name: "a recurrent net",
        looped: "h = scan t in T (h = first) for xt in x { h = tanh(xt * w + h) }\nloss C = sum(h^2)",
        start: "h{p} = first",
        step: "h{t} = tanh(x[{t}] * w + h{p})",
        loss: "sum(h{p}^2)",
        reverse: false,
    },
    Loop {
        name: "yields and the last value",
        looped: "(hs, last) = scan t in T (h = first) for xt in x {\n h = sin(xt + h * w)\n yield h }
                 loss C = sum(hs^3) + last @ w",
        start: "h{p} = first; s{p} = sum(0 * first)",
        step: "h{t} = sin(x[{t}] + h{p} * w); s{t} = s{p} + sum(h{t}^3)",
        loss: "s{p} + h{p} @ w",
        reverse: false,
    },
    Loop {
        name: "what a carry was",
        looped: "(before, last) = scan t in T (h = first) for xt in x {\n b = h; h = xt * h + w\n yield b * xt }
                 loss C = sum(before^2) + sum(last)",
        start: "h{p} = first; s{p} = sum(0 * first)",
        step: "h{t} = x[{t}] * h{p} + w; s{t} = s{p} + sum((h{p} * x[{t}])^2)",
        loss: "s{p} + sum(h{p})",
        reverse: false,
    },
    Loop {
        name: "two carries that change places",
        looped: "(a, b) = scan t in T (a = first, b = w) for xt in x {\n c = a; a = b * xt; b = c + w }
                 loss C = sum(a * b)",
        start: "a{p} = first; b{p} = w",
        step: "a{t} = b{p} * x[{t}]; b{t} = a{p} + w",
        loss: "sum(a{p} * b{p})",
        reverse: false,
    },
    Loop {
        name: "from the end, with its index",
        looped: "(ys, h) = scan reverse t in T (h = first) {\n h = x[t] * h + w * f64(t); yield h * h }
                 loss C = sum(ys) + sum(h)",
        start: "h{p} = first; s{p} = sum(0 * first)",
        step: "h{t} = x[{t}] * h{p} + w * {t}; s{t} = s{p} + sum(h{t} * h{t})",
        loss: "s{p} + sum(h{p})",
        reverse: true,
    },
    Loop {
        name: "without a carry",
        looped: "ys = scan t in T for xt in x { outer(xt, w)^2 }\nloss C = sum(ys^2) + 0 * sum(first)",
        start: "s{p} = 0 * sum(first)",
        step: "s{t} = s{p} + sum(outer(x[{t}], w)^4)",
        loss: "s{p}",
        reverse: false,
    },
    Loop {
        name: "a number that counts, and a carry that stays",
        looped: "(n, k, h) = scan t in T (n = 0, k = w, h = first) for xt in x {
                 n = n + 2; h = h * k + f64(n) * xt }\nloss C = sum(h) * f64(n) + sum(k)",
        start: "h{p} = first; n{p} = 0 * sum(first)",
        step: "n{t} = n{p} + 2; h{t} = h{p} * w + n{t} * x[{t}]",
        loss: "sum(h{p}) * n{p} + sum(w)",
        reverse: false,
    },
    Loop {
        name: "a loop in a loop",
        looped: "h = scan t in T (h = first) for xt in x {
                    h = scan s in T (g = h * xt) for xs in x { g = sin(g + w * xs) * xt }
                 }\nloss C = sum(h^2)",
        start: "h{p} = first",
        step: "",
        loss: "sum(h{p}^2)",
        reverse: false,
    },
];

const HEAD: &str = "input x: f64[T, 2]\nparam w, first: f64[2]\n";

fn given(steps: usize) -> Vec<Given> {
    let named = |name: &str, array: Array| Given { name: name.into(), dtype: DType::F64, array };
    vec![
        named("x", build(&[steps, 2], |i| ((3 * i[0] + 5 * i[1]) as f64).sin())),
        named("w", Array { shape: vec![2], values: vec![0.7, -0.4] }),
        named("first", Array { shape: vec![2], values: vec![0.3, 0.9] }),
    ]
}

fn size(steps: usize) -> Bindings {
    [("T".into(), steps as i64)].into_iter().collect()
}

fn unrolled(of: &Loop, steps: usize) -> String {
    let order: Vec<usize> =
        if of.reverse { (0..steps).rev().collect() } else { (0..steps).collect() };
    let said =
        |text: &str, t: usize, p: &str| text.replace("{t}", &t.to_string()).replace("{p}", p);
    let mut text = format!("dim T = {steps}\n{HEAD}{}\n", said(of.start, 0, "_"));
    let mut last = "_".to_string();
    for t in order {
        if of.step.is_empty() {
            text += &format!("g{t}_ = h{last} * x[{t}]\n");
            let mut inner = "_".to_string();
            for s in 0..steps {
                text += &format!("g{t}{s} = sin(g{t}{inner} + w * x[{s}]) * x[{t}]\n");
                inner = s.to_string();
            }
            text += &format!("h{t} = g{t}{inner}\n");
        } else {
            text += &format!("{}\n", said(of.step, t, &last));
        }
        last = t.to_string();
    }
    text + &format!("loss C = {}\n", said(of.loss, 0, &last))
}

fn looped(of: &Loop) -> String {
    format!("dim T\n{HEAD}{}\n", of.looped)
}

/// The values of the loss and of derivatives of `mode` by x, w and first, at both levels.
fn compare(of: &Loop, steps: usize, mode: Mode, order: usize) {
    let given = given(steps);
    let texts = [looped(of), unrolled(of, steps)];
    for level in [Level::Derived, Level::Readable] {
        let values: Vec<Vec<Array>> = texts
            .iter()
            .map(|text| {
                let mut asked = request(mode, "C", &["x", "w", "first"], &[]);
                asked.order = order;
                let derived = derived(&model(text), &[asked], level, text).model;
                let mut wanted = results(&derived, Kind::Loss);
                wanted.extend(results(&derived, Kind::Gradient));
                let values = evaluate(&derived, &wanted, &given, &size(steps));
                if steps > 0 && std::ptr::eq(text, &texts[0]) {
                    round_trip(&derived, &given, &size(steps));
                }
                values.iter().map(array).collect()
            })
            .collect();
        for (found, wanted) in values[0].iter().zip(&values[1]) {
            let what = format!("{} over {steps} steps, {mode:?}, {level:?}", of.name);
            agree(&what, found, wanted, 1e-12);
        }
    }
}

#[test]
fn gradients_of_loops() {
    for of in LOOPS {
        for steps in [0, 1, 2, 4] {
            compare(of, steps, Mode::Grad, 1);
        }
    }
}

#[test]
fn hessians_of_loops() {
    for of in LOOPS {
        for steps in [1, 3] {
            compare(of, steps, Mode::Hessian, 1);
        }
    }
}

#[test]
fn third_derivatives_of_loops() {
    compare(&LOOPS[0], 2, Mode::Grad, 3);
    compare(&LOOPS[3], 2, Mode::Grad, 3);
}

#[test]
fn forward_mode_of_loops() {
    for of in LOOPS {
        let given = given(3);
        let texts = [looped(of), unrolled(of, 3)];
        let values: Vec<Array> = texts
            .iter()
            .map(|text| {
                let text = format!("{text}output j = jvp(C, w, first) + jvp(C, x, 2 * x)\n");
                let derived = derived(&model(&text), &[], Level::Readable, &text).model;
                array(&evaluate(&derived, &results(&derived, Kind::Output), &given, &size(3))[0])
            })
            .collect();
        agree(of.name, &values[0], &values[1], 1e-12);
    }
}

/// A derivative by a value of the step, inside a loop and inside the loss; by what is bound to a value from outside it is
/// that of the step alone.
#[test]
fn derivatives_inside_a_loop() {
    let text = format!(
        "dim T\n{HEAD}h = scan t in T (h = first) for xt in x {{
            u = xt * w + h
            energy = sum(sin(u)^2)
            h = h - 0.1 * grad(energy, u)
        }}\nloss C = sum(h^2)\n"
    );
    let plain = text.replace("grad(energy, u)", "2 * sin(u) * cos(u)");
    same_gradients(&text, &plain);
    let text =
        text.replace("u = xt * w", "own = w; u = xt * own").replace("energy, u)", "energy, own)");
    let plain = text.replace("grad(energy, own)", "2 * sin(u) * cos(u) * xt");
    same_gradients(&text, &plain);
}

fn same_gradients(one: &str, two: &str) {
    let values: Vec<Vec<Array>> = [one, two]
        .iter()
        .map(|text| {
            let asked = request(Mode::Grad, "C", &["w", "first"], &[]);
            let derived = derived(&model(text), &[asked], Level::Readable, text).model;
            let wanted = results(&derived, Kind::Gradient);
            evaluate(&derived, &wanted, &given(3), &size(3)).iter().map(array).collect()
        })
        .collect();
    for (found, wanted) in values[0].iter().zip(&values[1]) {
        agree("by a value of the step", found, wanted, 1e-12);
    }
}

/// The graph is of one size for any number of steps, and a loop without steps leaves its carries as they were.
#[test]
fn loops_are_not_unrolled() {
    let sizes: Vec<usize> = [64, 1000]
        .iter()
        .map(|steps| {
            let text = looped(&LOOPS[1]).replace("dim T\n", &format!("dim T = {steps}\n"));
            let asked = request(Mode::Grad, "C", &["x", "w", "first"], &[]);
            operators(&derived(&model(&text), &[asked], Level::Readable, &text).model)
        })
        .collect();
    assert_eq!(sizes[0], sizes[1]);
}

/// What is read below its definition in the source reads so in print; carries have their names in both directions.
#[test]
fn gradients_of_loops_in_print() {
    for of in LOOPS {
        let text = looped(of);
        let asked = request(Mode::Grad, "C", &["x", "w", "first"], &[]);
        let derived = derived(&model(&text), &[asked], Level::Readable, &text).model;
        let name = of.name.replace([' ', ','], "_");
        insta::assert_snapshot!(name, print(&derived, Part::Adjoint).text, &text);
    }
}

/// Laws of stability reach into loops.
#[test]
fn losses_inside_loops_are_stable() {
    let text = format!(
        "dim T\n{HEAD}h = scan t in T (h = f64(0)) for xt in x {{
            h = h + log(sum(exp(1000 * xt * w)))
        }}\nloss C = h + 0 * sum(first)\n"
    );
    let stable = text.replace("log(sum(exp(1000 * xt * w)))", "logsumexp(1000 * xt * w)");
    same_gradients(&text, &stable);
}

/// Random steps, as a loop and unrolled.
fn both(choices: &[(u16, u16, u16)]) -> [String; 2] {
    let (mut known, head) = super::random::inputs();
    known.extend([('V', "a".to_string()), ('M', "b".into())]);
    let (lines, known) = super::random::lines(choices, known);
    let latest = |kind: char| {
        let (_, name) = known.iter().rev().find(|(k, _)| *k == kind).expect("one is given");
        format!("tanh({name})")
    };
    let body = lines.concat();
    let (a, b) = (latest('V'), latest('M'));
    let end = "loss L = sum(y^2) + sum(z)\n";
    [
        format!(
            "{head}(y, z) = scan step in 2 (a = v, b = m) {{\n{body}n = {a}; b = {b}; a = n\n}}\n{end}"
        ),
        format!("{head}(y, z) = repeat 2 (a = v, b = m) {{\n{body}yield {a}, {b}\n}}\n{end}"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn loops_are_what_they_repeat(choices in prop::collection::vec(any::<(u16, u16, u16)>(), 1..7)) {
        let texts = both(&choices);
        for level in [Level::Derived, Level::Readable] {
            let values: Vec<Vec<Array>> = texts
                .iter()
                .map(|text| {
                    let asked = request(Mode::Grad, "L", &["s", "u", "v", "m", "q"], &[]);
                    let model = derived(&model(text), &[asked], level, text).model;
                    let given = super::random::given();
                    if std::ptr::eq(text, &texts[0]) {
                        read_back(&model, &given, &Bindings::default());
                    }
                    let mut wanted = results(&model, Kind::Loss);
                    wanted.extend(results(&model, Kind::Gradient));
                    evaluate(&model, &wanted, &given, &Bindings::default()).iter().map(array).collect()
                })
                .collect();
            for (found, wanted) in values[0].iter().zip(&values[1]) {
                if wanted.values.iter().all(|value| value.is_finite()) {
                    agree(&texts[0], found, wanted, 1e-8);
                }
            }
        }
    }
}
