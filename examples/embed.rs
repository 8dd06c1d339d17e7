//! The library in a program: read a model, differentiate it, print the gradient graph, run it.
#![allow(clippy::print_stdout)]

use pullback::compile::{Level, default_request, differentiate, read};
use pullback::exec::run;
use pullback::graph::Values;
use pullback::graph::print::{Part, print};
use pullback::ops::Bindings;
use pullback::tensor::{DType, Tensor};

/// Derives the gradient of a logistic loss and evaluates both.
pub fn main() {
    let text = "param w: f64[3]; input x: f64[3]; loss C = log(1 + exp(-(w @ x)))";
    let model = read(text, &[]).model.expect("the text is a model");
    let request = default_request(&model).expect("it has a loss");
    let derived = differentiate(&model, &[request], Level::Readable).expect("it can be derived");
    print!("{}", print(&derived.model, Part::Adjoint).text);

    let vector = |values: [f64; 3]| Tensor::from_f64(DType::F64, &[3], values.to_vec());
    let mut values = Values::default();
    values.insert("w".into(), vector([0.5, -1.0, 2.0]));
    values.insert("x".into(), vector([1.0, 2.0, 0.0]));
    let wanted: Vec<_> = derived.model.outputs.iter().map(|output| output.node).collect();
    let results = run(&derived.model, &wanted, &values, &Bindings::default()).expect("it runs");
    for (output, value) in derived.model.outputs.iter().zip(results) {
        println!("{} = {:?}", output.name, value.to_f64());
    }
}
