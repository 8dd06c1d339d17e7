//! How many instructions the steps of compiling take for each operator: `cargo bench --bench compile -- chain` for what has
//! that in its name.
//!
//! Valgrind counts them, so that figures are the same on a busy machine and differ by changes of the code alone.

#![allow(clippy::print_stdout)]

mod large;

use pullback::compile::{self, Level};
use pullback::exec::Plan;
use pullback::graph::print::{Part, print};
use pullback::graph::{Kind, NodeId};
use pullback::ops::Bindings;
use std::hint::black_box;
use std::process::{Command, Stdio};

const SIZES: [usize; 2] = [1000, 4000];
const STEPS: [&str; 4] = ["read", "derive", "print", "plan"];
/// The argument that makes this program the one that is counted.
const COUNTED: &str = "--counted";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [first, kind, size, step] = args.as_slice()
        && first == COUNTED
    {
        return run(kind, size.parse().expect("a number"), step);
    }
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    println!("instructions for each operator{:24} {:>12} {:>12}", "", SIZES[0], SIZES[1]);
    for (kind, _) in large::KINDS {
        for step in STEPS {
            let name = format!("{kind} {step}");
            if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
                continue;
            }
            let counts = SIZES.map(|size| count(kind, size, step) / size as u64);
            println!("{name:54} {:12} {:12}", counts[0], counts[1]);
        }
    }
}

/// The instructions of one step, counted in a process of its own.
fn count(kind: &str, size: usize, step: &str) -> u64 {
    let own = std::env::current_exe().expect("a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no"])
        .arg("--toggle-collect=*counted_part*")
        .arg(own)
        .args([COUNTED, kind, &size.to_string(), step])
        .stdout(Stdio::null())
        .output()
        .expect("valgrind is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    let found = said.lines().find_map(|line| line.split_once("Collected :"));
    let count = found.and_then(|(_, count)| count.trim().parse().ok());
    count.unwrap_or_else(|| panic!("valgrind has not counted {kind} {step}:\n{said}"))
}

/// Runs all steps, of which one is counted.
fn run(kind: &str, size: usize, step: &str) {
    let (_, text) = large::KINDS.iter().find(|(known, _)| *known == kind).expect("a kind");
    let text = text(size);
    let read = || compile::read(&text, &[]).model.expect("a model");
    let model = stepped("read", step, read);
    let request = compile::default_request(&model).expect("it has a loss");
    let derive = || compile::differentiate(&model, &[request], Level::Readable);
    let derived = stepped("derive", step, derive).expect("it has a gradient").model;
    black_box(stepped("print", step, || print(&derived, Part::Adjoint)));
    let outputs = derived.outputs.iter().filter(|output| output.kind == Kind::Gradient);
    let wanted: Vec<NodeId> = outputs.map(|output| output.node).collect();
    let bindings = derived.dims.bind(&Bindings::default()).expect("all sizes are given");
    let plan = stepped("plan", step, || Plan::new(&derived, &wanted, &bindings));
    black_box(plan.expect("it can be planned"));
}

fn stepped<T>(name: &str, wanted: &str, run: impl FnOnce() -> T) -> T {
    if name == wanted { counted_part(run) } else { run() }
}

/// What valgrind looks for.
#[inline(never)]
fn counted_part<T>(run: impl FnOnce() -> T) -> T {
    black_box(run())
}
