//! Layers and repeated blocks: the models that they stand for, written out.

use super::command::run;
use proptest::prelude::*;
use pullback::autodiff::expand;
use pullback::compile::{Level, default_request, differentiate, read};
use pullback::export::{dot, mermaid};
use pullback::graph::Model;
use pullback::graph::print::{Part, print, print_folded};
use pullback::passes::release;
use pullback::syntax::format;

const LINEAR: &str = "
layer linear(x: float[.., I]; O) -> float[.., O] {
  param W: float[I, O] ~ glorot()
  param b: float[O] = 0
  return x @ W + b
}
layer twice(x: float[.., D]; H) -> float[.., D] {
  h = relu(linear(x; H))
  return linear(h; D) as out
}
layer plain(x: float[.., D]) -> float[.., D] { return linear(tanh(x); D) }
layer centred(x: float[N, D]) -> float[N, D] {
  state m: float[D] = 0
  update m = mean[0](x)
  return where(training, x - mean[0](x), x - m)
}
layer scale(x: float[.., D], by = 2) -> float[.., D] { param s: float[D] = by; return s * x }
";

fn model(text: &str) -> Model {
    let read = read(text, &[]);
    assert!(read.diagnostics.is_empty(), "{:?} of\n{text}", read.diagnostics);
    read.model.expect("a model")
}

/// The printed gradient, with all that it needs.
fn gradient(text: &str) -> String {
    let model = model(text);
    let request = default_request(&model).expect("it has a loss");
    let derived = differentiate(&model, &[request], Level::Readable).expect("it is derived");
    print(&derived.model, Part::Whole).text
}

/// Without the comments, which name lines.
fn bare(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split('#').next().expect("a line").trim_end()).collect()
}

/// What stands in layers and blocks is the same model as what stands beside it.
#[test]
fn written_out() {
    let cases = [
        (
            "h = linear(x; 8) as l1; loss C = sum(h)",
            "param l1.W: f32[4, 8] ~ glorot(); param l1.b: f32[8] = 0; h = x @ l1.W + l1.b; loss C = sum(h)",
        ),
        (
            "h = relu(linear(x; 8)); loss C = sum(h) + sum(h.W^2)",
            "param h.W: f32[4, 8] ~ glorot(); param h.b: f32[8] = 0; h = relu(x @ h.W + h.b); loss C = sum(h) + sum(h.W^2)",
        ),
        (
            "h = relu(linear(x; 8) as l1); loss C = sum(h)",
            "param l1.W: f32[4, 8] ~ glorot(); param l1.b: f32[8] = 0; l1 = x @ l1.W + l1.b; h = relu(l1); loss C = sum(h)",
        ),
        (
            "h = twice(x; 3); loss C = sum(h)",
            "param h.h.W: f32[4, 3] ~ glorot(); param h.h.b: f32[3] = 0; param h.out.W: f32[3, 4] ~ glorot(); param h.out.b: f32[4] = 0
             h.h = relu(x @ h.h.W + h.h.b); h = h.h @ h.out.W + h.out.b; loss C = sum(h)",
        ),
        (
            "h = plain(x) as p; loss C = sum(h)",
            "param p.W: f32[4, 4] ~ glorot(); param p.b: f32[4] = 0; h = tanh(x) @ p.W + p.b; loss C = sum(h)",
        ),
        (
            "loss C = sum(scale(x, 3))",
            "param C.s: f32[4] = 3; loss C = sum(C.s * x)",
        ),
        (
            "h = repeat 2 (h = x) { linear(h; 4) } as bs; loss C = sum(h)",
            "param bs.0.W: f32[4, 4] ~ glorot(); param bs.0.b: f32[4] = 0; param bs.1.W: f32[4, 4] ~ glorot(); param bs.1.b: f32[4] = 0
             bs.0 = x @ bs.0.W + bs.0.b; h = bs.0 @ bs.1.W + bs.1.b; loss C = sum(h)",
        ),
        (
            "h = repeat 2 (h = x) { param w: f32[4] = 1; z = w * h; h = tanh(z) }; loss C = sum(h)",
            "param h.0.w: f32[4] = 1; param h.1.w: f32[4] = 1
             h.0.z = h.0.w * x; h.0.h = tanh(h.0.z); h.1.z = h.1.w * h.0.h; h = tanh(h.1.z); loss C = sum(h)",
        ),
        (
            "(a, b) = repeat 3 (a = 1, b = x) { yield a + 1, a * b }; loss C = sum(a * b)",
            "a.0.b = 1 * x; a.1.b = 2 * a.0.b; b = 3 * a.1.b; loss C = sum(4 * b)",
        ),
        (
            "h = repeat 2 (h = x) { repeat 2 (g = h) { scale(g) } as inner } as outer; loss C = sum(h)",
            "param outer.0.inner.0.s: f32[4] = 2; param outer.0.inner.1.s: f32[4] = 2; param outer.1.inner.0.s: f32[4] = 2; param outer.1.inner.1.s: f32[4] = 2
             outer.0.inner.0 = outer.0.inner.0.s * x; outer.0 = outer.0.inner.1.s * outer.0.inner.0
             outer.1.inner.0 = outer.1.inner.0.s * outer.0; h = outer.1.inner.1.s * outer.1.inner.0; loss C = sum(h)",
        ),
        (
            "h = repeat 2 (h = x) { centred(h) } as cs; loss C = sum(h)",
            "state cs.0.m: f32[4] = 0; state cs.1.m: f32[4] = 0
             cs.0 = where(training, x - mean[0](x), x - cs.0.m); h = where(training, cs.0 - mean[0](cs.0), cs.0 - cs.1.m); loss C = sum(h)
             update cs.0.m = mean[0](x); update cs.1.m = mean[0](cs.0)",
        ),
        ("h = repeat 0 (h = x) { tanh(h) }; loss C = sum(tanh(h))", "h = x; loss C = sum(tanh(x))"),
        (
            "h = linear(x; 8) as l1; g = grad(sum(h^2), l1.W); loss C = sum(g^2)",
            "param l1.W: f32[4, 8] ~ glorot(); param l1.b: f32[8] = 0; h = x @ l1.W + l1.b; g = grad(sum(h^2), l1.W); loss C = sum(g^2)",
        ),
    ];
    for (layers, flat) in cases {
        let head = "param x: f32[3, 4]\n";
        let [layers, flat] = [layers, flat].map(|text| format!("{head}{LINEAR}{text}"));
        let expanded = expand(&model(&layers)).expect("it can be derived");
        let forward = print(&release(&expanded), Part::Whole).text;
        let derives = layers.contains("= grad(");
        let [layers, flat] = [layers, flat].map(|text| gradient(&text));
        assert_eq!(bare(&layers), bare(&flat));
        // A derivative in the text is printed before the laws have seen it.
        if derives {
            continue;
        }
        let again = gradient(&forward);
        assert_eq!(bare(&layers), bare(&again), "the printed model is another one");
    }
}

/// The steps of a scan share the parameters of the layers that are called in it.
#[test]
fn steps_share_parameters() {
    let text = format!(
        "dim T\nparam x: f32[T, 4]\n{LINEAR}h = scan t in T (h = zeros(4)) for xt in x {{
           g = repeat 2 (g = h) {{ linear(g; 4) }} as gs\n  h = tanh(linear(xt; 4) as i + g)\n}}
         loss C = sum(h) + sum(gs.0.W^2)\n"
    );
    let names: Vec<String> = model(&text).variables.keys().map(|name| name.to_string()).collect();
    assert_eq!(names, ["x", "gs.0.W", "gs.0.b", "gs.1.W", "gs.1.b", "i.W", "i.b"]);
    let printed = gradient(&text);
    assert!(printed.contains("d_gs.0.W") && printed.contains("scan reverse"), "{printed}");
}

/// Sizes may be symbolic, and each call has its own.
#[test]
fn sizes_are_the_calls_own() {
    let text = format!(
        "dim N, H\ninput x: f64[N, 3]\n{LINEAR}a = linear(x; H) as a\nb = linear(a; 2 * H) as b\nloss C = sum(b)\n"
    );
    let model = model(&text);
    let types: Vec<String> =
        model.variables.values().map(|v| model.ty(v.node).to_string()).collect();
    assert_eq!(types, ["f64[N, 3]", "f64[3, H]", "f64[H]", "f64[H, 2*H]", "f64[2*H]"]);
}

/// Parameters of layers are named on the command line as others are.
#[test]
fn named_from_the_command_line() {
    let text = format!("input x: f32[2]\n{LINEAR}h = linear(x; 2) as l1\nloss C = sum(h^2)\n");
    let file = std::env::temp_dir().join(format!("pullback-instances-{}.nn", std::process::id()));
    std::fs::write(&file, text).expect("a file can be written");
    let path = file.to_str().expect("a name");
    let ran = run(&[
        "eval",
        path,
        "--set",
        "x=[1, 2]",
        "--set",
        "l1.W=[[1, 0], [0, 1]]",
        "--wrt",
        "l1.*",
    ]);
    std::fs::remove_file(&file).expect("it is there");
    assert_eq!(ran.stdout, "C = 5\nd_l1.W =\n[[2 4]\n [4 8]]\nd_l1.b = [2 4]\n", "{}", ran.stderr);
}

/// In pictures a call is one box, and its adjoint another one; what belongs to it alone is not drawn.
#[test]
fn one_box_for_a_call() {
    let text = format!(
        "param x: f32[3, 4]\n{LINEAR}h = tanh(linear(x; 2) as l1)\ny = twice(h; 5)\nloss C = sum(y^2)\n"
    );
    let model = model(&text);
    let request = default_request(&model).expect("it has a loss");
    let derived = differentiate(&model, &[request], Level::Readable).expect("it is derived");
    insta::assert_snapshot!(mermaid(&derived.model, true));
    assert_eq!(dot(&derived.model, true).matches("box3d").count(), 4);
    assert_eq!(dot(&derived.model, false).matches("box3d").count(), 0);
}

/// Compositions of layers and blocks on an array `h` of four columns, with `NAME` where an instance is named.
fn composition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(&[
        "tanh(h)",
        "h + x",
        "gelu(h)",
        "softmax(h)",
        "linear(h; 4) as NAME",
        "linear(tanh(h); 4) as NAME",
        "twice(h; 3) as NAME",
        "plain(h) as NAME",
        "scale(h, 1/2) as NAME",
        "linear(linear(h; 2) as NAME; 4) as NAME",
        "relu(linear(h; 4) as NAME) + h",
    ]);
    leaf.prop_map(String::from).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (0..3usize, inner.clone())
                .prop_map(|(count, body)| format!("repeat {count} (h = h) {{ {body} }} as NAME")),
            (0..3usize, inner.clone(), inner.clone()).prop_map(|(count, a, b)| {
                format!("repeat {count} (h = h) {{ g = {a}; h = g - ({b}) }} as NAME")
            }),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) - ({b})")),
        ]
    })
}

/// The text with another name in the place of each `NAME`.
fn named(text: &str) -> String {
    let mut pieces = text.split("NAME");
    let first = pieces.next().unwrap_or_default().to_string();
    first
        + &pieces.enumerate().map(|(number, piece)| format!("n{number}{piece}")).collect::<String>()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is printed is the same model, and so is what `fmt` lays out.
    #[test]
    fn printed_and_laid_out(first in composition(), second in composition()) {
        let text = format!("param x: f32[3, 4]\n{LINEAR}h = x\na = {first}\nb = {second}\nloss C = sum(a * b)\n");
        let text = named(&text);
        let model = model(&text);
        let plain = print(&release(&model), Part::Whole).text;
        let again = read(&plain, &[]);
        prop_assert!(again.diagnostics.iter().all(|said| !said.is_error()), "{:?} of\n{plain}", again.diagnostics);
        let again = print(&release(&again.model.expect("a model")), Part::Whole).text;
        prop_assert_eq!(&plain, &again, "of\n{}", text);
        let laid = format(&text).expect("it can be read");
        let laid = print(&release(&read(&laid, &[]).model.expect("a model")), Part::Whole).text;
        prop_assert_eq!(&plain, &laid, "of\n{}", text);
    }

    /// With calls folded each adjoint stands behind what it is made of, and each gradient is there.
    #[test]
    fn folded_lines_are_in_order(first in composition(), second in composition()) {
        let text = named(&format!("param x: f32[3, 4]\n{LINEAR}h = x\na = {first}\nb = {second}\nloss C = sum(a * b)\n"));
        let model = model(&text);
        let request = default_request(&model).expect("it has a loss");
        let derived = differentiate(&model, &[request], Level::Readable).expect("it is derived");
        let printed = print_folded(&derived.model, Part::Adjoint).text;
        let mut said: Vec<&str> = Vec::new();
        let known = |said: &[&str], word: &str| {
            let all = |name: &&str| name.strip_suffix('*').is_some_and(|start| word.starts_with(start));
            said.contains(&word) || said.iter().any(all)
        };
        let lines = printed.replace("\n#    ", " ").replace("\n    ", " ");
        for line in lines.lines() {
            let line = line.trim_start_matches("# ").split("  #").next().expect("a line");
            let (names, value) = line.split_once(" = ").expect("a statement");
            let words = value.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.'));
            for word in words.filter(|word| word.starts_with("d_")) {
                prop_assert!(known(&said, word), "{word} is not there yet in\n{printed}of\n{text}");
            }
            said.extend(names.split(", "));
        }
        for (name, variable) in &model.variables {
            let flows = variable.role == pullback::graph::Role::Param;
            prop_assert!(!flows || known(&said, &format!("d_{name}")), "{name} in\n{printed}of\n{text}");
        }
    }
}
