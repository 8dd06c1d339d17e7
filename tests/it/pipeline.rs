//! The whole pipeline over any text, which must neither panic nor refuse without a place.

use pullback::compile::{self, Level};
use pullback::exec;
use pullback::graph::print::{Part, print};
use pullback::graph::{Model, Values};
use pullback::ops::Bindings;
use pullback::tensor::Tensor;

/// Arrays of more elements are not made here.
const MOST: usize = 10_000;

/// Takes a text through all that the compiler does; whether it was a model.
pub fn whole(text: &str) -> bool {
    let read = compile::read(text, &[]);
    for diagnostic in &read.diagnostics {
        let label = diagnostic.primary.as_ref().expect("a place");
        assert!(
            label.span.file == 0 && label.span.end as usize <= text.len(),
            "{diagnostic:?} of\n{text}"
        );
        assert!(diagnostic.secondary.len() <= 2, "{diagnostic:?} of\n{text}");
    }
    let Some(model) = read.model else {
        assert!(read.diagnostics.iter().any(|d| d.is_error()), "no model and no error:\n{text}");
        return false;
    };
    let request = compile::default_request(&model).filter(|request| !request.wrt.is_empty());
    let requests: Vec<_> = request.into_iter().collect();
    for level in [Level::Derived, Level::Readable] {
        let Ok(derived) = compile::differentiate(&model, &requests, level) else { continue };
        for part in [Part::Whole, Part::Adjoint] {
            print(&derived.model, part);
        }
        run(&derived.model);
    }
    true
}

/// Runs a model with dimensions of 1 to 4, where its arrays are small.
fn run(model: &Model) {
    let mut bindings = Bindings::default();
    for (number, (name, size)) in model.dims.iter().enumerate() {
        if size.is_none() {
            bindings.insert(name.clone(), 1 + number as i64 % 4);
        }
    }
    let Ok(bindings) = model.dims.bind(&bindings) else { return };
    let mut total = 0usize;
    for id in model.nodes() {
        let Ok(sizes) = pullback::ops::size::sizes(&model.ty(id).shape, &bindings) else {
            return;
        };
        total = total.saturating_add(sizes.iter().product());
        if total > MOST {
            return;
        }
    }
    let mut values = Values::default();
    for (name, variable) in &model.variables {
        let ty = model.ty(variable.node);
        let Ok(shape) = pullback::ops::size::sizes(&ty.shape, &bindings) else { return };
        let numbers = (0..shape.iter().product()).map(|i: usize| (i % 3) as f64 - 0.5).collect();
        values.insert(name.clone(), Tensor::from_f64(ty.dtype, &shape, numbers));
    }
    let wanted: Vec<_> = model.outputs.iter().map(|output| output.node).collect();
    let _ = exec::run(model, &wanted, &values, &bindings);
}

/// Runs on a stack like that of the command.
pub fn deep<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(work).expect("a thread");
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
