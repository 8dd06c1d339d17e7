//! Growth: what compiling takes for four times the operators is four times as much, and little for each node.

#[path = "../../benches/compile/large.rs"]
mod large;

use allocation_counter::{AllocationInfo, measure};
use pullback::compile::{self, Level};
use pullback::exec::Plan;
use pullback::graph::print::{Part, print};
use pullback::graph::{Kind, Model, NodeId};
use pullback::ops::{Bindings, Op};

/// The allocations of each step from the text to the plan, and the nodes of the model as it is derived.
fn steps(text: &str) -> (Vec<(&'static str, AllocationInfo)>, usize) {
    let mut model = Model::default();
    let read = measure(|| model = compile::read(text, &[]).model.expect("a model"));
    let request = compile::default_request(&model).expect("it has a loss");
    let plain = compile::differentiate(&model, std::slice::from_ref(&request), Level::Derived);
    let nodes = nodes(&plain.expect("it has a gradient").model);
    let mut derived = Model::default();
    let derive = measure(|| {
        let found = compile::differentiate(&model, &[request], Level::Readable);
        derived = found.expect("it has a gradient").model;
    });
    let print = measure(|| drop(print(&derived, Part::Adjoint)));
    let outputs = derived.outputs.iter().filter(|output| output.kind == Kind::Gradient);
    let wanted: Vec<NodeId> = outputs.map(|output| output.node).collect();
    let bindings = derived.dims.bind(&Bindings::default()).expect("all sizes are given");
    let plan =
        measure(|| drop(Plan::new(&derived, &wanted, &bindings).expect("it can be planned")));
    (vec![("read", read), ("derive", derive), ("print", print), ("plan", plan)], nodes)
}

/// The nodes of a model, with those of loops.
fn nodes(model: &Model) -> usize {
    let inside = |id: NodeId| match model.op(id) {
        Op::Scan(scan) => scan.body.steps.len(),
        _ => 0,
    };
    model.len() + model.nodes().map(inside).sum::<usize>()
}

#[test]
fn all_steps_are_linear() {
    for (kind, text) in large::KINDS {
        let (small, _) = steps(&text(200));
        let (wide, nodes) = steps(&text(800));
        for ((step, small), (_, wide)) in small.iter().zip(&wide) {
            for (what, small, wide) in [
                ("allocations", small.count_total, wide.count_total),
                ("bytes allocated", small.bytes_total, wide.bytes_total),
                ("bytes at once", small.bytes_max, wide.bytes_max),
            ] {
                // Tables double, some sooner than others.
                let bound = 6 * small;
                assert!(wide < bound, "{kind}, {step}: {small} {what} become {wide}");
            }
            let each = wide.bytes_max / nodes as u64;
            assert!(each < 1024 || *step == "read", "{kind}, {step}: {each} bytes a node");
        }
    }
}
