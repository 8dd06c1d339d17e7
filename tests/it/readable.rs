//! `docs/readability.md`: gradients by hand are right, and the table beside them is what is printed.

use crate::command::root;
use pullback::compile::{self, Level};
use pullback::exec::{init, reference};
use pullback::graph::print::{Part, WIDTH, print};
use pullback::graph::{Kind, Model, NodeId, Values};
use pullback::ops::leaf::Variable;
use pullback::ops::scan::Body;
use pullback::ops::size::sizes;
use pullback::ops::stream::Stream;
use pullback::ops::{Bindings, Op};
use pullback::passes::retype;
use pullback::tensor::{DType, Tensor};

/// The table stands between these lines.
const TABLE: [&str; 2] = ["<!-- made by tests/it/readable.rs: counts -->\n", "<!-- end -->"];

/// A model with its gradient by hand.
struct Lesson<'a> {
    name: &'a str,
    file: &'a str,
    hand: &'a str,
}

/// Statements, operators, columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    statements: usize,
    operators: usize,
    widest: usize,
}

#[test]
fn gradients_are_as_short_as_by_hand() {
    let path = root().join("docs/readability.md");
    let page = std::fs::read_to_string(&path).expect("the page");
    let lessons = lessons(&page);
    assert_eq!(lessons.len(), 15);
    let mut table = String::from(
        "| | `-O0` | | | `-O1` | | | by hand | | |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n\
         | model | statements | operators | widest | statements | operators | widest | statements | operators | widest |\n",
    );
    for lesson in lessons {
        let text = std::fs::read_to_string(root().join(lesson.file)).expect(lesson.file);
        let model = read(&text);
        // A key that is written twice is no longer given by itself.
        let keyed = text.replace("b2), 0.1)", "b2), 0.1, key = \"g.0\")");
        let written = read(&format!("{keyed}\n{}", lesson.hand));
        let written = compile::forward(&written, Level::Derived).expect("it is derived").0;
        let [derived, readable] =
            [Level::Derived, Level::Readable].map(|level| gradient(&model, level));
        same_values(&lesson, &readable, &written);
        let counts =
            [counted(&derived), counted(&readable), by_hand(lesson.hand, &model, &written)];
        let [_, printed, hand] = counts;
        assert!(printed.widest <= WIDTH, "{}", lesson.name);
        assert!(printed.statements <= hand.statements + 4, "{}: {printed:?} {hand:?}", lesson.name);
        table += &format!("| {} |", lesson.name);
        for Counts { statements, operators, widest } in counts {
            table += &format!(" {statements} | {operators} | {widest} |");
        }
        table.push('\n');
    }
    let begin = page.find(TABLE[0]).expect("a place for the table") + TABLE[0].len();
    let end = begin + page[begin..].find(TABLE[1]).expect("the place ends");
    let mut new = page.clone();
    new.replace_range(begin..end, &table);
    if new != page && std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always") {
        std::fs::write(&path, &new).expect("it can be written");
        return;
    }
    assert!(
        new == page,
        "docs/readability.md is not up to date: INSTA_UPDATE=always writes it\n{table}"
    );
}

/// The sections that name a file and have a gradient.
fn lessons(page: &str) -> Vec<Lesson<'_>> {
    page.split("\n## ")
        .skip(1)
        .map(|section| {
            let name = section.lines().next().expect("a title");
            let file = section.split('`').nth(1).expect("a file");
            let hand = section.split("```nn\n").nth(1).expect("a gradient");
            Lesson { name, file, hand: hand.split("```").next().expect("its end") }
        })
        .collect()
}

fn read(text: &str) -> Model {
    let read = compile::read(text, &[]);
    let errors = read.diagnostics.iter().filter(|said| said.is_error());
    assert_eq!(errors.count(), 0, "{:?}", read.diagnostics);
    read.model.expect("a model")
}

fn gradient(model: &Model, level: Level) -> Model {
    let request = compile::default_request(model).expect("it has a loss");
    compile::differentiate(model, &[request], level).expect("it has a gradient").model
}

/// What is printed of a derived gradient.
fn counted(model: &Model) -> Counts {
    let printed = print(model, Part::Adjoint);
    let gradients = model.outputs.iter().filter(|output| output.kind == Kind::Gradient);
    let forward = model.outputs.iter().filter(|output| output.kind != Kind::Gradient);
    let forward = forward.map(|output| output.node).chain(model.names.values().copied());
    Counts {
        statements: printed.adjoint_statements,
        operators: operators(model, forward, gradients.map(|output| output.node)),
        widest: widest(&printed.text),
    }
}

/// The same of a gradient by hand, whose forward values are those of the model.
fn by_hand(hand: &str, model: &Model, written: &Model) -> Counts {
    let (mut open, mut statements, mut inside) = (0i32, 0, false);
    for line in hand.lines() {
        let starts = open == 0 && line.contains(" = ");
        inside |= line.starts_with("(d_");
        statements += usize::from(starts && (inside || line.starts_with("d_")));
        let count = |c: char| line.matches(c).count() as i32;
        open += count('(') + count('[') - count(')') - count(']');
        inside &= line != "}";
    }
    let known = |name: &str| model.named(name).is_some() && written.named(name).is_some();
    let names = written.names.iter();
    let forward = names.clone().filter(|(name, _)| known(name)).map(|(_, &node)| node);
    let forward = forward.chain(written.outputs.iter().map(|output| output.node));
    let adjoints = names.filter(|(name, _)| !known(name)).map(|(_, &node)| node);
    Counts { statements, operators: operators(written, forward, adjoints), widest: widest(hand) }
}

/// The operations that `wanted` need and `forward` does not.
fn operators(
    model: &Model,
    forward: impl Iterator<Item = NodeId>,
    wanted: impl Iterator<Item = NodeId>,
) -> usize {
    let (done, needed) = (model.needed(forward), model.needed(wanted));
    let own = model.nodes().filter(|id| needed[id.index()] && !done[id.index()]);
    own.map(|id| match model.op(id) {
        Op::Scan(scan) => inside(&scan.body),
        Op::Broadcast(_) | Op::Part(_) | Op::Barrier(_) => 0,
        _ => usize::from(!model.operands(id).is_empty()),
    })
    .sum()
}

fn inside(body: &Body) -> usize {
    let counts = |op: &Op| !matches!(op, Op::Broadcast(_));
    body.steps.iter().filter(|step| counts(&step.op) && !step.operands.is_empty()).count()
}

fn widest(text: &str) -> usize {
    let code = |line: &str| line.split("  #").next().unwrap_or("").trim_end().chars().count();
    text.lines().filter(|line| !line.starts_with('#')).map(code).max().unwrap_or(0)
}

/// Both gradients have the same values for random inputs.
fn same_values(lesson: &Lesson, derived: &Model, written: &Model) {
    let [derived, written] = [derived, written].map(|m| retype(m, DType::F64).expect("f64"));
    let mut bindings = Bindings::default();
    for (number, (name, _)) in derived.dims.iter().enumerate() {
        bindings.insert(name.clone(), 2 + number as i64 % 3);
    }
    let declared = |bindings: &mut Bindings| {
        for (name, size) in derived.dims.iter() {
            if let Some(size) = size.and_then(|size| size.eval(bindings).ok()) {
                bindings.insert(name.clone(), size);
            }
        }
    };
    declared(&mut bindings);
    let mut values: Values = init::given(&written, 7, 0, true);
    for (name, variable) in &derived.variables {
        let Op::Variable(Variable { ty, .. }) = derived.op(variable.node) else { continue };
        if values.contains_key(name) {
            continue;
        }
        let shape = sizes(&ty.shape, &bindings).expect("sizes");
        let stream = Stream::new(5, name);
        let count: usize = shape.iter().product();
        let number = |place: u64| match (ty.dtype.is_float(), &variable.range) {
            (false, _) => (place % 2) as f64,
            (true, Some(_)) => stream.uniform(place),
            (true, None) => stream.normal(place) / 16.0,
        };
        let numbers = (0..count as u64).map(number).collect();
        values.insert(name.clone(), Tensor::from_f64(ty.dtype, &shape, numbers));
    }
    let gradients: Vec<_> =
        derived.outputs.iter().filter(|output| output.kind == Kind::Gradient).collect();
    let nodes: Vec<NodeId> = gradients.iter().map(|output| output.node).collect();
    let hand: Vec<NodeId> = gradients
        .iter()
        .map(|output| written.named(&output.name).unwrap_or_else(|| panic!("{}", output.name)))
        .collect();
    let one = reference::run(&derived, &nodes, &values, &bindings).expect("it runs");
    let two = reference::run(&written, &hand, &values, &bindings).expect("it runs");
    for ((output, a), b) in gradients.iter().zip(&one).zip(&two) {
        assert_eq!(a.shape(), b.shape(), "{}: {}", lesson.name, output.name);
        let scale = a.to_f64().iter().fold(1e-3, |scale: f64, value| scale.max(value.abs()));
        for (a, b) in a.to_f64().iter().zip(b.to_f64()) {
            let close = (a - b).abs() < 1e-10 * scale;
            assert!(close, "{}: {} is {a}, by hand {b}", lesson.name, output.name);
        }
    }
}
