//! Models from text, and their values at given numbers.

use super::array::Array;
use crate::plan::run;
use pullback::compile::{self, Derived, Level, Request};
use pullback::exec::init;
use pullback::graph::print::{Part, print};
use pullback::graph::{Kind, Model, NodeId, Origin, Origins, Values, check};
use pullback::ops::special::Mode;
use pullback::ops::{Bindings, Op, Scalar, Type};
use pullback::tensor::{DType, Tensor};

/// A variable with its numbers.
#[derive(Clone, Debug)]
pub struct Given {
    pub name: String,
    pub dtype: DType,
    pub array: Array,
}

/// The model that a text describes.
pub fn model(text: &str) -> Model {
    let read = compile::read(text, &[]);
    let errors: Vec<_> = read.diagnostics.iter().filter(|d| d.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}\nin:\n{text}");
    let model = read.model.expect("a text without errors is a model");
    verified(&model, text);
    model
}

/// Fails where a model breaks its own rules.
pub fn verified(model: &Model, text: &str) {
    if let Err(broken) = check::check(model) {
        panic!("{broken}\nin:\n{text}");
    }
}

/// The model with derivatives.
pub fn derived(model: &Model, requests: &[Request], level: Level, text: &str) -> Derived {
    let derived = compile::differentiate(model, requests, level)
        .unwrap_or_else(|misfit| panic!("{misfit}\nin:\n{text}"));
    verified(&derived.model, text);
    derived
}

/// A request for a derivative.
pub fn request(mode: Mode, of: &str, wrt: &[&str], vectors: &[&str]) -> Request {
    let names = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
    Request { of: of.into(), wrt: names(wrt), mode, vectors: names(vectors), order: 1 }
}

/// The values that a model asks for.
pub fn values(given: &[Given]) -> Values {
    let tensor = |g: &Given| Tensor::from_f64(g.dtype, &g.array.shape, g.array.values.clone());
    given.iter().map(|g| (g.name.as_str().into(), tensor(g))).collect()
}

/// The values of nodes.
pub fn evaluate(
    model: &Model,
    wanted: &[NodeId],
    given: &[Given],
    bindings: &Bindings,
) -> Vec<Tensor> {
    let bindings = model.dims.bind(bindings).expect("declared sizes agree");
    let mut all = init::given(model, 0, 0, true);
    all.extend(values(given));
    run(model, wanted, &all, &bindings).unwrap_or_else(|error| {
        panic!("{error}\nin:\n{}", print(model, Part::Whole).text);
    })
}

/// A tensor as an array.
pub fn array(tensor: &Tensor) -> Array {
    Array { shape: tensor.shape().to_vec(), values: tensor.to_f64() }
}

/// The results of a kind, in order.
pub fn results(model: &Model, kind: Kind) -> Vec<NodeId> {
    model.outputs.iter().filter(|output| output.kind == kind).map(|output| output.node).collect()
}

/// Fails unless the printed model reads as a model that prints the same again and has the same values, bit for bit.
pub fn round_trip(model: &Model, given: &[Given], bindings: &Bindings) {
    let first = print(model, Part::Whole).text;
    let again = self::model(&first);
    let second = print(&again, Part::Whole).text;
    let third = print(&self::model(&second), Part::Whole).text;
    assert_eq!(second, third, "printed twice, it changes; first it was:\n{first}");
    read_back(model, given, bindings);
}

/// Fails unless the printed model has the same values, bit for bit.
pub fn read_back(model: &Model, given: &[Given], bindings: &Bindings) {
    let first = print(model, Part::Whole).text;
    let again = self::model(&first);
    let wanted: Vec<_> = model
        .outputs
        .iter()
        .filter(|output| matches!(output.kind, Kind::Gradient | Kind::Output))
        .collect();
    let before: Vec<NodeId> = wanted.iter().map(|output| output.node).collect();
    let after: Vec<NodeId> = wanted
        .iter()
        .map(|output| {
            again.named(&output.name).unwrap_or_else(|| panic!("{} is gone:\n{first}", output.name))
        })
        .collect();
    let before = evaluate(model, &before, given, bindings);
    let after = evaluate(&again, &after, given, bindings);
    for ((output, one), two) in wanted.iter().zip(&before).zip(&after) {
        let bits = |tensor: &Tensor| -> Vec<u64> {
            tensor.to_f64().iter().map(|v| if v.is_nan() { 0 } else { v.to_bits() }).collect()
        };
        assert_eq!(one.shape(), two.shape(), "{} of:\n{first}", output.name);
        assert_eq!(bits(one), bits(two), "{}: {one:?} and {two:?} of:\n{first}", output.name);
    }
}

/// How many operators a model has, leaves aside.
pub fn operators(model: &Model) -> usize {
    let live = model.live();
    // A product with a logarithm is two of them.
    let weight = |id| 1 + usize::from(*model.op(id) == Op::Scalar(Scalar::Xlogy));
    let counted = |id: &NodeId| live[id.index()] && !model.operands(*id).is_empty();
    model.nodes().filter(counted).map(weight).sum()
}

/// The model in which nothing is written by anyone: laws may touch all of it.
pub fn loosened(model: &Model) -> Model {
    let mut model = model.clone();
    model.names.clear();
    for output in &mut model.outputs {
        output.kind = Kind::Gradient;
    }
    let derived = Origins::one(Origin::Law("test"));
    model
        .rebuild(|to, id, operands| to.insert(model.op(id).clone(), operands, &derived))
        .expect("what was well typed stays so")
}

/// Whether an element type is f32 or f64.
pub fn is_float(model: &Model, id: NodeId) -> bool {
    let Type { dtype, .. } = model.ty(id);
    dtype.is_float()
}

/// Fails unless two arrays agree up to `tolerance` of the largest element, and at least of 1.
pub fn agree(what: &str, found: &Array, wanted: &Array, tolerance: f64) {
    assert_eq!(found.shape, wanted.shape, "{what}");
    let scale =
        wanted.values.iter().filter(|v| v.is_finite()).fold(1.0, |s: f64, v| s.max(v.abs()));
    for (place, (a, b)) in found.values.iter().zip(&wanted.values).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * scale;
        assert!(
            same,
            "{what}: element {place} is {a:e}, not {b:e}\nfound  {:?}\nwanted {:?}",
            found.values, wanted.values
        );
    }
}
