//! Operator families: values against independent formulas, derivatives of each order against differences, print.

mod conv;
mod linalg;
mod misfits;
mod pool;
mod sort;

use crate::plan::run;
use pullback::autodiff::expand;
use pullback::compile::{Level, Read, default_request, differentiate, read};
use pullback::graph::print::{Part, print};
use pullback::graph::{Kind, Model, NodeId, Values};
use pullback::ops::Bindings;
use pullback::ops::size::sizes;
use pullback::ops::stream::Stream;
use pullback::passes::retype;
use pullback::tensor::{DType, Tensor};

/// A model with numbers for its variables.
struct Case {
    model: Model,
    values: Values,
    bindings: Bindings,
}

/// Reads a model and draws its variables from [-1, 1].
fn case(text: &str, dims: &[(&str, i64)]) -> Case {
    let Read { model, diagnostics, .. } = read(text, &[]);
    let model = model.unwrap_or_else(|| panic!("{text}\n{diagnostics:?}"));
    let given = dims.iter().map(|(name, size)| ((*name).into(), *size)).collect();
    let bindings = model.dims.bind(&given).expect("the sizes agree");
    let mut values = Values::default();
    for (name, variable) in &model.variables {
        let ty = model.ty(variable.node);
        let shape = sizes(&ty.shape, &bindings).expect("every size is given");
        let stream = Stream::new(7, name);
        let count: usize = shape.iter().product();
        let numbers = (0..count as u64).map(|i| 2.0 * stream.uniform(i) - 1.0).collect();
        values.insert(name.clone(), Tensor::from_f64(ty.dtype, &shape, numbers));
    }
    Case { model, values, bindings }
}

impl Case {
    fn set(mut self, name: &str, shape: &[usize], numbers: &[f64]) -> Case {
        let dtype = self.values[name].dtype();
        self.values.insert(name.into(), Tensor::from_f64(dtype, shape, numbers.to_vec()));
        self
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.values[name].to_f64()
    }

    fn at(&self, model: &Model, node: NodeId) -> Tensor {
        run(model, &[node], &self.values, &self.bindings)
            .unwrap_or_else(|error| panic!("{error}"))
            .remove(0)
    }

    /// The value of a name.
    fn value(&self, name: &str) -> Tensor {
        let model = expand(&self.model).expect("derivatives are well typed");
        let node = model.named(name).expect("the name is there");
        self.at(&model, node)
    }

    /// The differences of `of` by each element of `wrt`, one row for each.
    fn differences(&self, of: &str, wrt: &str) -> Vec<Vec<f64>> {
        let model = expand(&self.model).expect("derivatives are well typed");
        let node = model.named(of).expect("the name is there");
        let start = self.values[wrt].clone();
        let mut values = self.values.clone();
        let step = 1e-5;
        (0..start.len())
            .map(|place| {
                let mut at = |by: f64| {
                    let mut numbers = start.to_f64();
                    numbers[place] += by;
                    values.insert(wrt.into(), Tensor::from_f64(DType::F64, start.shape(), numbers));
                    run(&model, &[node], &values, &self.bindings).expect("it runs")[0].to_f64()
                };
                let (high, low) = (at(step), at(-step));
                high.iter().zip(low).map(|(high, low)| (high - low) / (2.0 * step)).collect()
            })
            .collect()
    }
}

fn close(found: &[f64], wanted: &[f64], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let scale = wanted.iter().fold(1.0f64, |scale, v| scale.max(v.abs()));
    for (place, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let same = found == wanted || (found - wanted).abs() <= 1e-6 * scale;
        assert!(same, "{what}: {found} and not {wanted} at {place}");
    }
}

/// Checks the gradient of the loss by every parameter against differences, in both forms, and that the model prints itself.
fn check_gradient(text: &str, dims: &[(&str, i64)]) {
    let case = case(text, dims);
    let request = default_request(&case.model).expect("there is a loss");
    for level in [Level::Derived, Level::Readable] {
        let derived = differentiate(&case.model, std::slice::from_ref(&request), level)
            .unwrap_or_else(|misfit| panic!("{text}\n{misfit}"))
            .model;
        let gradients = derived.outputs.iter().filter(|output| output.kind == Kind::Gradient);
        for (output, wrt) in gradients.zip(&request.wrt) {
            let found = case.at(&derived, output.node).to_f64();
            let wanted: Vec<f64> =
                case.differences(&request.of, wrt).into_iter().flatten().collect();
            close(&found, &wanted, &format!("{text}\nthe gradient by {wrt}, {level:?}"));
        }
        check_print(&case, &derived);
    }
}

/// Checks that a model prints as text that reads as a model with the same text and the same bits.
fn check_print(case: &Case, model: &Model) {
    let text = print(model, Part::Whole).text;
    let Read { model: again, diagnostics, .. } = read(&text, &[]);
    let again = again.unwrap_or_else(|| panic!("{text}\n{diagnostics:?}"));
    let bare = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim_end());
        lines.filter(|line| !line.is_empty()).map(str::to_string).collect()
    };
    assert_eq!(bare(&text), bare(&print(&again, Part::Whole).text));
    for output in &model.outputs {
        let twin = again.outputs.iter().find(|twin| twin.name == output.name);
        let twin = twin.unwrap_or_else(|| panic!("{text}\nno {}", output.name));
        let (one, two) = (case.at(model, output.node), case.at(&again, twin.node));
        let bits =
            |tensor: &Tensor| tensor.to_f64().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(one.shape(), two.shape(), "{text}");
        assert_eq!(bits(&one), bits(&two), "{text}\n{}", output.name);
    }
}

/// Checks `y`, which the text gives, by all of the parameters: first order, second order, Jacobian, print, f32.
fn check(text: &str, params: &[&str], dims: &[(&str, i64)]) {
    check_gradient(&format!("{text}\nloss Total = sum(sin(y))\n"), dims);
    check_gradient(&format!("{text}\n{}", second(params)), dims);
    let mut jacobians = format!("{text}\noutput y\n");
    for param in params {
        jacobians.push_str(&format!("J_{param} = jacobian(y, {param})\noutput J_{param}\n"));
    }
    let case = case(&jacobians, dims);
    for param in params {
        let found = case.value(&format!("J_{param}")).to_f64();
        let rows = case.differences("y", param);
        let wanted: Vec<f64> =
            (0..rows[0].len()).flat_map(|y| rows.iter().map(move |row| row[y])).collect();
        close(&found, &wanted, &format!("{jacobians}\nthe Jacobian by {param}"));
    }
    let expanded = expand(&case.model).expect("derivatives are well typed");
    check_print(&case, &expanded);
    check_f32(&case);
}

/// The sum of a function of every gradient of `sum(sin(y))`.
fn second(params: &[&str]) -> String {
    let mut text = "Part = sum(sin(y))\n".to_string();
    for param in params {
        text.push_str(&format!("g_{param} = grad(Part, {param})\n"));
    }
    let terms: Vec<String> = params.iter().map(|param| format!("sum(cos(g_{param}))")).collect();
    format!("{text}loss Total = {}\n", terms.join(" + "))
}

/// Checks that y in f32 is y in f64 but for rounding.
fn check_f32(case: &Case) {
    let model = expand(&case.model).expect("derivatives are well typed");
    let narrow = retype(&model, DType::F32).expect("the same in f32");
    let cast =
        |(name, value): (&pullback::ops::Name, &Tensor)| (name.clone(), value.cast(DType::F32));
    let values: Values = case.values.iter().map(cast).collect();
    let node = narrow.named("y").expect("y is there");
    let found = run(&narrow, &[node], &values, &case.bindings).expect("it runs in f32").remove(0);
    assert_eq!(found.dtype(), DType::F32);
    for (found, wanted) in found.to_f64().iter().zip(case.value("y").to_f64()) {
        assert!((found - wanted).abs() <= 1e-3 * (1.0 + wanted.abs()), "{found} and not {wanted}");
    }
}

/// The first line of what is said about a text that does not hold together, and the help.
fn said(text: &str) -> String {
    let Read { model, diagnostics, .. } = read(text, &[]);
    assert!(model.is_none(), "{text}");
    let first = &diagnostics[0];
    let help = first.help.iter().map(|help| format!("\n  {help}")).collect::<String>();
    assert!(first.message.chars().count() <= 80, "{}", first.message);
    format!("{}: {}{help}", first.code, first.message)
}
