//! Models with known answers: `tests/cases/models/<id>/model.nn`, inputs and answers in `data.npz` beside it.

use crate::plan::run;
use pullback::autodiff::expand;
use pullback::cli::data::{DataSet, open_set};
use pullback::compile::{self, Derived, Level, Request};
use pullback::graph::print::{Part, WIDTH, print};
use pullback::graph::{Kind, Model, NodeId, Values};
use pullback::ops::shape::{Broadcast, Reshape};
use pullback::ops::special::Mode;
use pullback::ops::{Bindings, Name, Op, Shape, Size, Type};
use pullback::passes::retype;
use pullback::tensor::{DType, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

/// A folder of `tests/cases/models`.
struct Case {
    folder: PathBuf,
    text: String,
    /// `in.NAME` inputs, `out.NAME`, `grad.NAME`, `hess.NAME`, `hvp.NAME.VECTOR`, `nthK.NAME`, `jac.NAME`, `val.NAME`.
    arrays: Vec<(String, Tensor)>,
    /// What several tests look at is derived once.
    readable: OnceLock<Derived>,
    higher: OnceLock<Derived>,
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(cases);

/// Relative and absolute tolerance.
type Tolerance = (f64, f64);

/// For each case, at f64 and at f32.
fn tolerances(id: &str) -> (Tolerance, Tolerance) {
    match id {
        "p21_autograd_tanh" => ((1e-8, 1e-12), (2e-4, 1e-6)),
        "ba_test" | "gmm_test" | "gmm_1k_d2_K5" | "gmm_1k_d10_K25" | "hand_simple"
        | "hand_complicated" | "lstm_l2_c1024" => ((1e-8, 1e-10), (1e-3, 1e-5)),
        _ => ((1e-9, 1e-12), (2e-4, 1e-6)),
    }
}

#[test]
fn answers_at_f64() {
    judge(&CASES, DType::F64);
}

#[test]
fn answers_at_f32() {
    judge(&CASES, DType::F32);
}

/// `parse(print(g))` is g, has the same bits for values, and prints as the same text.
#[test]
fn printed_models_are_models() {
    each(|case| {
        let mut models = vec![case.readable()];
        if ["hess.", "hvp.", "nth"].iter().any(|kind| case.named(kind).next().is_some()) {
            models.push(case.higher());
        }
        for derived in models {
            let printed = print(&derived.model, Part::Whole);
            let again = model_of(&printed.text, &case.id());
            same_graph(&derived.model, &again, &printed.text);
            let (one, two) = (case.values(&derived.model), case.values(&again));
            for (name, value) in one {
                assert!(same_bits(&value, &two[&name]), "{name}\n{}", printed.text);
            }
            assert!(printed.widest <= WIDTH, "{}", printed.text);
            if std::ptr::eq(derived, case.readable()) {
                let reprinted = print(&again, Part::Whole).text;
                assert_eq!(without_comments(&reprinted), without_comments(&printed.text));
            }
        }
    });
}

/// What the laws make of a derivative has the values that it had before.
#[test]
fn laws_keep_values() {
    each(|case| {
        let (tolerance, _) = tolerances(&case.id());
        let raw = case.values(&case.gradient(Level::Derived).model);
        let readable = case.values(&case.readable().model);
        for (name, value) in raw {
            assert!(close(&readable[&name], &value, tolerance), "{name}: {value:?}");
        }
    });
}

#[test]
fn gradients_read_well() {
    each(|case| {
        let printed = print(&case.readable().model, Part::Adjoint);
        assert!(printed.widest <= WIDTH, "{}", printed.text);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&case.folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        // 2000 steps fill as many lines: their width is what matters.
        if printed.adjoint_statements <= 200 {
            settings.bind(|| insta::assert_snapshot!("gradient", printed.text));
        }
    });
}

/// Checks every case, and says of all that fail why.
fn each(check: impl Fn(&Case) + std::panic::RefUnwindSafe) {
    let fails = |case: &Case| {
        let case = std::panic::AssertUnwindSafe(case);
        std::panic::catch_unwind(|| check(&case)).is_err()
    };
    let failed: Vec<String> =
        CASES.iter().filter(|case| fails(case)).map(|case| case.id()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/models");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root)
        .expect("the folder of cases is there")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    folders.sort();
    assert!(folders.len() > 40);
    let wanted = std::env::var("CASE").unwrap_or_default();
    folders.retain(|folder| folder.to_string_lossy().contains(&wanted));
    folders.into_iter().map(Case::open).collect()
}

impl Case {
    fn open(folder: PathBuf) -> Case {
        let text = std::fs::read_to_string(folder.join("model.nn")).expect("each case has a model");
        let mut set: DataSet = open_set(&folder.join("data.npz")).expect("each case has data");
        let arrays = set
            .names()
            .into_iter()
            .map(|name| {
                let tensor = set.get(&name).expect("the archive is whole").tensor;
                (name, tensor)
            })
            .collect();
        Case { folder, text, arrays, readable: OnceLock::new(), higher: OnceLock::new() }
    }

    fn id(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into()
    }

    /// The names behind `prefix`, with what is known of each.
    fn named<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
        self.arrays
            .iter()
            .filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value)))
    }

    /// The same in the form that reads best.
    fn readable(&self) -> &Derived {
        self.readable.get_or_init(|| self.gradient(Level::Readable))
    }

    /// The model with the known derivatives beyond the gradient.
    fn higher(&self) -> &Derived {
        self.higher.get_or_init(|| self.beyond())
    }

    /// The model with the gradients that are known.
    fn gradient(&self, level: Level) -> Derived {
        let model = model_of(&self.text, &self.id());
        let wrt: Vec<Name> = self.named("grad.").map(|(name, _)| name.into()).collect();
        let request = if wrt.is_empty() {
            let wrt = self.named("jac.").map(|(name, _)| name.into()).collect();
            Request { wrt, ..ask("residual", Mode::Jacobian) }
        } else {
            Request { wrt, ..ask(&loss(&model), Mode::Grad) }
        };
        compile::differentiate(&model, &[request], level).expect("the gradient can be derived")
    }

    /// The k-th derivative by x is the gradient of the sum of the one before.
    fn beyond(&self) -> Derived {
        let mut text = self.text.clone();
        let of = model_of(&text, &self.id()).loss().map_or("".into(), |loss| loss.name.clone());
        for (name, order) in self.orders() {
            text.push_str(&format!("nth1_{name} = grad({of}, {name})\n"));
            for k in 2..=order {
                let before = k - 1;
                text.push_str(&format!(
                    "output nth{k}_{name} = grad(sum(nth{before}_{name}), {name})\n"
                ));
            }
        }
        let model = model_of(&text, &self.id());
        let mut requests = Vec::new();
        for (name, _) in self.named("hess.") {
            requests.push(Request { wrt: vec![name.into()], ..ask(&of, Mode::Hessian) });
        }
        for (name, _) in self.named("hvp.") {
            let (x, v) = name.split_once('.').expect("hvp.VARIABLE.VECTOR");
            let (wrt, vectors) = (vec![x.into()], vec![v.into()]);
            requests.push(Request { wrt, vectors, ..ask(&of, Mode::Hvp) });
        }
        compile::differentiate(&model, &requests, Level::Readable)
            .expect("higher orders can be derived")
    }

    /// How many times over the loss is differentiated by each variable.
    fn orders(&self) -> Vec<(String, usize)> {
        let mut orders: Vec<(String, usize)> = Vec::new();
        for (key, _) in self.named("nth") {
            let (order, name) = key.split_once('.').expect("nthK.VARIABLE");
            let order: usize = order.parse().expect("K is a number");
            match orders.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = order.max(*known),
                None => orders.push((name.into(), order)),
            }
        }
        orders
    }

    /// The values of all results of a model, on the inputs of this case.
    fn values(&self, model: &Model) -> HashMap<String, Tensor> {
        let mut values = Values::default();
        let mut given = Bindings::default();
        for (name, value) in self.named("in.") {
            let Some(variable) = model.variables.get(name) else { continue };
            let ty = model.ty(variable.node);
            for (size, &actual) in ty.shape.iter().zip(value.shape()) {
                if let Size::Named(dim) = size {
                    given.insert(dim.clone(), actual as i64);
                }
            }
            values.insert(name.into(), value.cast(ty.dtype));
        }
        let bindings = model.dims.bind(&given).expect("the sizes fit");
        let wanted: Vec<NodeId> = model.outputs.iter().map(|output| output.node).collect();
        let found = run(model, &wanted, &values, &bindings)
            .unwrap_or_else(|e| panic!("{}: {e}", self.id()));
        let names = model.outputs.iter().map(|output| output.name.to_string());
        names.zip(found).collect()
    }
}

fn model_of(text: &str, id: &str) -> Model {
    let read = compile::read(text, &[]);
    let errors: Vec<_> = read.diagnostics.iter().filter(|said| said.is_error()).collect();
    let model = read.model.unwrap_or_else(|| panic!("{id}: {errors:#?}\n{text}"));
    expand(&model).expect("its derivatives can be derived")
}

fn loss(model: &Model) -> String {
    model.loss().expect("there is one loss").name.to_string()
}

fn ask(of: &str, mode: Mode) -> Request {
    Request { of: of.into(), wrt: Vec::new(), mode, vectors: Vec::new(), order: 1 }
}

fn judge(cases: &[Case], dtype: DType) {
    let mut wrong = Vec::new();
    for case in cases {
        let id = case.id();
        let (at_f64, at_f32) = tolerances(&id);
        let (relative, absolute) = if dtype == DType::F64 { at_f64 } else { at_f32 };
        let at = |derived: &Derived| {
            case.values(&retype(&derived.model, dtype).expect("types stay right"))
        };
        let mut found = at(case.readable());
        found.extend(at(case.higher()));
        let loss = model_of(&case.text, &id).loss().map(|loss| loss.name.to_string());
        for (key, wanted) in &case.arrays {
            let (kind, name) = key.split_once('.').expect("KIND.NAME");
            let (result, slack) = match kind {
                "out" if name == "loss" => (loss.clone().unwrap_or_default(), 1.0),
                "out" => (name.to_string(), 1.0),
                "val" if found.contains_key(name) => (name.to_string(), 1.0),
                "grad" => (format!("d_{name}"), 1.0),
                "jac" => (format!("d_residual_{name}"), 1.0),
                "hess" => (format!("d_d_{name}"), 10.0),
                "hvp" => (format!("hv_{}", name.split_once('.').expect("hvp.X.V").0), 10.0),
                nth if nth.starts_with("nth") => (format!("{nth}_{name}"), 10.0),
                _ => continue,
            };
            let Some(value) = found.get(&result) else {
                wrong.push(format!("{id}: {key}: no `{result}`"));
                continue;
            };
            let wanted = if kind == "jac" {
                Tensor::from_f64(DType::F64, value.shape(), wanted.to_f64())
            } else {
                wanted.clone()
            };
            if !close(value, &wanted, (slack * relative, slack * absolute)) {
                wrong.push(format!("{id}: {key}: {value:?}\nwanted {wanted:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each element by itself, or measured by a thousandth of the largest.
fn close(value: &Tensor, wanted: &Tensor, (relative, absolute): Tolerance) -> bool {
    let (values, wants) = (value.to_f64(), wanted.to_f64());
    let scale = wants.iter().filter(|want| want.is_finite()).fold(0.0, |s: f64, w| s.max(w.abs()));
    let fits = |(value, want): (&f64, &f64)| match want {
        want if want.is_nan() => value.is_nan(),
        want if want.is_infinite() => value == want,
        want => (value - want).abs() <= absolute + relative * want.abs().max(1e-3 * scale),
    };
    value.shape() == wanted.shape() && values.iter().zip(&wants).all(fits)
}

fn same_bits(one: &Tensor, two: &Tensor) -> bool {
    let bits = |tensor: &Tensor| tensor.to_f64().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    one.dtype() == two.dtype() && one.shape() == two.shape() && bits(one) == bits(two)
}

/// The statements: comments cite lines of the text that a model was read from.
fn without_comments(text: &str) -> String {
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim_end());
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Operator and type of a value, sizes by what the dimensions declare.
fn resolved(model: &Model, id: NodeId) -> (Op, Type) {
    let sizes = |sizes: &[Size]| sizes.iter().map(|size| model.dims.resolve(size)).collect();
    let op = match model.op(id).clone() {
        Op::Broadcast(layout) => Broadcast { to: sizes(&layout.to), ..layout }.into(),
        Op::Reshape(reshape) => Reshape { to: sizes(&reshape.to) }.into(),
        op => op,
    };
    let shape: Shape = sizes(&model.ty(id).shape);
    (op, model.ty(id).with_shape(shape))
}

/// The same results of the same operators on the same values, for each name of the first model.
fn same_graph(one: &Model, two: &Model, what: &str) {
    let results = |model: &Model| -> Vec<(String, Kind, NodeId)> {
        let mut results: Vec<_> = model
            .outputs
            .iter()
            .map(|output| {
                let kind = if output.kind == Kind::Gradient { Kind::Output } else { output.kind };
                (output.name.to_string(), kind, output.node)
            })
            .collect();
        results.sort_by(|a, b| a.0.cmp(&b.0));
        results
    };
    let (left, right) = (results(one), results(two));
    let names = |results: &[(String, Kind, NodeId)]| {
        results.iter().map(|(name, kind, _)| (name.clone(), *kind)).collect::<Vec<_>>()
    };
    assert_eq!(names(&left), names(&right), "{what}");
    assert!(one.variables.keys().eq(two.variables.keys()), "{what}");
    let mut waiting: Vec<(NodeId, NodeId)> =
        left.iter().zip(&right).map(|(a, b)| (a.2, b.2)).collect();
    for (name, &node) in &one.names {
        let other = two.named(name).unwrap_or_else(|| panic!("no `{name}`\n{what}"));
        waiting.push((node, other));
    }
    let (mut there, mut back) = (HashMap::new(), HashMap::new());
    while let Some((a, b)) = waiting.pop() {
        let known = (there.insert(a, b), back.insert(b, a));
        if known == (Some(b), Some(a)) {
            continue;
        }
        assert_eq!(
            known,
            (None, None),
            "one value is two:\n{:?}\n{:?}\n{what}",
            one.op(a),
            two.op(b)
        );
        assert_eq!(resolved(one, a), resolved(two, b), "{what}");
        let (ours, theirs) = (one.operands(a), two.operands(b));
        assert_eq!(ours.len(), theirs.len(), "{what}");
        waiting.extend(ours.into_iter().zip(theirs));
    }
}
