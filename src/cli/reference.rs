//! The reference page of an operator or function: signature, meaning, shapes, derivative, an example with its gradient.

use crate::compile::{self, Level, PRELUDE, Request};
use crate::graph::print::{Part, print};
use crate::graph::{Kind, Model, NodeId, Origins, Output, Role};
use crate::ops::builtin::{BUILTINS, Builtin};
use crate::ops::elementwise::Class;
use crate::ops::special::Mode;
use crate::ops::{Form, Name, Op, Operator, Rule, Scalar, Type};
use std::fmt::Write;

/// What a page is about.
#[derive(Clone, Copy)]
enum Entry {
    Scalar(Scalar),
    Builtin(&'static Builtin),
    Prelude(&'static str),
    Syntax(&'static Syntax),
}

/// What is written without the name of a function.
struct Syntax {
    name: &'static str,
    signature: &'static str,
    doc: &'static str,
    example: &'static str,
}

const SYNTAX: &[Syntax] = &[
    Syntax {
        name: "matmul",
        signature: "x @ y",
        doc: "The matrix product over the last axis of x and the last but one of y; a vector is a row on the left and a \
              column on the right; leading axes are broadcast.",
        example: "x: f64[N, D]; w: f64[D, H]; x @ w",
    },
    Syntax {
        name: "transposed",
        signature: "x'",
        doc: "The last two axes swapped; a vector stays as it is.",
        example: "x: f64[N, K]; x'",
    },
    Syntax {
        name: "where",
        signature: "where(condition, yes, no)",
        doc: "For each element one of two values. Nothing of the branch not taken is seen, in the value or in the derivative, \
              at any order: what only that branch needs is guarded, through every operator, wherever a value or a slope may \
              be infinite. Variables are taken to be finite.",
        example: "x: f64[N]; where(x > 0, log(x), 0)",
    },
    Syntax {
        name: "index",
        signature: "x[0], x[:, 4:8], x[.., t], x[::-1], x[None, :]",
        doc: "Parts of an array as in NumPy: negative indices count from the end, steps may be negative, `..` stands for all \
              axes between, `None` is a new axis of size 1. An index out of range is an error, never a clamp.",
        example: "x: f64[N, 5]; x[:, 1:4]",
    },
    Syntax {
        name: "take",
        signature: "x[i]",
        doc: "The slices at the integers i, of any rank, whose axes take the place of the axis that is indexed. Repeated \
              indices add up in the derivative.",
        example: "x: f64[V, D]; i: i64[N]; x[i]",
    },
    Syntax {
        name: "as",
        signature: "x as [N, S]",
        doc: "The same values with other names for their axes; the sizes must be equal.",
        example: "x: f64[N, 4]; x as [N, 2 * 2]",
    },
    Syntax {
        name: "cast",
        signature: "f32(x), f64(x), i32(x), i64(x), bool(x)",
        doc: "Another element type. Towards integers fractions are cut, what does not fit is the nearest bound and NaN is 0; \
              bool(x) is x != 0. To its own type a cast is nothing. No cast is made silently.",
        example: "x: f64[N]; f32(x)",
    },
];

/// The pages in the order of the reference, under their heads.
fn sections() -> Vec<(&'static str, Vec<Entry>)> {
    let rows = |classes: &[Class]| -> Vec<Entry> {
        Scalar::ALL
            .iter()
            .filter(|row| classes.contains(&row.class()))
            .map(|row| Entry::Scalar(*row))
            .collect()
    };
    vec![
        ("Written without a name", SYNTAX.iter().map(Entry::Syntax).collect()),
        ("Arithmetic of single elements", rows(&[Class::Number])),
        ("Functions of single elements", rows(&[Class::Float])),
        ("Comparisons and logic", rows(&[Class::Compare, Class::Logic])),
        ("Operators on arrays", BUILTINS.iter().map(Entry::Builtin).collect()),
        ("Composite functions", prelude().map(Entry::Prelude).collect()),
    ]
}

/// The names of the functions of the prelude.
pub fn prelude() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    let names = PRELUDE.lines().filter_map(defined);
    names.filter(move |name| std::mem::replace(&mut last, *name) != *name)
}

/// The name of the function or layer that begins on a line.
fn defined(line: &str) -> Option<&str> {
    let signature = line.strip_prefix("fn ").or_else(|| line.strip_prefix("layer "))?;
    signature.split(['(', '[']).next()
}

/// The page of that name.
pub fn page(name: &str) -> Option<String> {
    let mut entries = sections().into_iter().flat_map(|(_, entries)| entries);
    entries.find(|entry| entry.name() == name || entry.signature() == name).map(text)
}

/// The names of all pages.
pub fn names() -> impl Iterator<Item = &'static str> {
    sections().into_iter().flat_map(|(_, entries)| entries).map(|entry| entry.name())
}

/// All pages as one document.
pub fn document() -> String {
    let mut document = String::new();
    for (head, entries) in sections() {
        writeln!(document, "## {head}\n").expect("text");
        for entry in entries {
            let page = text(entry);
            let (first, rest) = page.split_once('\n').unwrap_or((&page, ""));
            writeln!(document, "### `{first}`\n{rest}").expect("text");
        }
    }
    document
}

fn text(entry: Entry) -> String {
    let mut page = format!("{}\n", entry.signature());
    let doc = entry.doc();
    if !doc.is_empty() {
        write!(page, "\n{doc}\n").expect("text");
    }
    if let Entry::Prelude(name) = entry {
        write!(page, "\n```nn\n{}```\n", definition(name)).expect("text");
    }
    let example = entry.example();
    match worked(&example) {
        Some(worked) => {
            write!(page, "\n    {} -> {}\n", worked.formula, worked.ty).expect("text");
            if let Entry::Scalar(_) | Entry::Builtin(_) | Entry::Syntax(_) = entry {
                section(&mut page, &worked.head, &worked.rule);
            }
            section(&mut page, &format!("Gradient of `{}`:", worked.loss), &worked.gradient);
        }
        None => write!(page, "\n    {example}\n").expect("text"),
    }
    page
}

fn section(page: &mut String, head: &str, lines: &[String]) {
    if !lines.is_empty() {
        write!(page, "\n{head}\n\n").expect("text");
        for line in lines {
            writeln!(page, "    {line}").expect("text");
        }
    }
}

impl Entry {
    fn name(self) -> &'static str {
        match self {
            Entry::Scalar(row) => row.word(),
            Entry::Builtin(builtin) => builtin.name,
            Entry::Prelude(name) => name,
            Entry::Syntax(syntax) => syntax.name,
        }
    }

    fn signature(self) -> String {
        match self {
            Entry::Syntax(syntax) => syntax.signature.into(),
            Entry::Prelude(name) => {
                let definition = definition(name);
                let line = definition.lines().next().unwrap_or_default();
                let end = line.find(" -> ").or(line.find(" {")).unwrap_or(line.len());
                let start = line.find(' ').map_or(0, |space| space + 1);
                line[start..end].into()
            }
            Entry::Scalar(row) => {
                let args = row.arguments();
                match row.form(&[], &Type::scalar(crate::tensor::DType::F64)) {
                    Form::Infix("^") => format!("{}^{}", args[0], args[1]),
                    Form::Infix(symbol) => format!("{} {symbol} {}", args[0], args[1]),
                    Form::Prefix(symbol) => format!("{symbol}{}", args[0]),
                    Form::Postfix(symbol) => format!("{}{symbol}", args[0]),
                    _ => format!("{}({})", row.word(), args.join(", ")),
                }
            }
            Entry::Builtin(builtin) => {
                let axes = if builtin.axes { "[axes]" } else { "" };
                let params = builtin.params.iter().enumerate().map(|(place, (name, _))| {
                    let optional = place >= builtin.required;
                    if optional { format!("{name} = ...") } else { name.to_string() }
                });
                format!("{}{axes}({})", builtin.name, params.collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn doc(self) -> String {
        match self {
            Entry::Scalar(row) => row.doc(),
            Entry::Builtin(builtin) => {
                let mut letters = builtin.doc.chars();
                let first = letters.next().map(|letter| letter.to_uppercase().to_string());
                format!("{}{}.", first.unwrap_or_default(), letters.as_str())
            }
            Entry::Prelude(name) => comments(name).0,
            Entry::Syntax(syntax) => syntax.doc.into(),
        }
    }

    /// Declarations and a formula.
    fn example(self) -> String {
        match self {
            Entry::Syntax(syntax) => syntax.example.into(),
            Entry::Builtin(builtin) => builtin.example.into(),
            Entry::Prelude(name) => comments(name).1,
            // What has to be a number in the formula.
            Entry::Scalar(row) if row.has_order() => {
                format!("x: f64[N]; {}(1, x)", row.word())
            }
            Entry::Scalar(row) => {
                let dtype = if row.class() == Class::Logic { "bool" } else { "f64" };
                let declared: Vec<String> =
                    row.arguments().iter().map(|name| format!("{name}: {dtype}[N]; ")).collect();
                let args = row.arguments();
                let formula = match row {
                    Scalar::And | Scalar::Or | Scalar::Not => self.signature(),
                    row => format!("{}({})", row.word(), args.join(", ")),
                };
                format!("{}{formula}", declared.concat())
            }
        }
    }
}

/// What stands above a function of the prelude: what it is, and an example.
fn comments(name: &str) -> (String, String) {
    let head = |line: &str| defined(line) == Some(name);
    let lines: Vec<&str> = PRELUDE.lines().collect();
    let at = lines.iter().position(|line| head(line)).unwrap_or(0);
    let above = lines[..at].iter().rev().map_while(|line| line.strip_prefix("# "));
    let (mut doc, mut example) = (Vec::new(), String::new());
    for line in above {
        match line.strip_prefix("Example: ") {
            Some(formula) => example = formula.into(),
            None => doc.push(line),
        }
    }
    doc.reverse();
    (doc.join(" "), example)
}

/// The definitions of a function of the prelude, as they stand there.
pub fn definition(name: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in PRELUDE.lines() {
        inside |= defined(line) == Some(name);
        if inside {
            text.push_str(line);
            text.push('\n');
            inside = !line.ends_with('}');
        }
    }
    text
}

/// An example that has been computed.
struct Worked {
    formula: String,
    ty: Type,
    /// What the rule is, in words.
    head: String,
    /// The rule of its operator, or the operators that it is made of.
    rule: Vec<String>,
    loss: String,
    gradient: Vec<String>,
}

fn worked(example: &str) -> Option<Worked> {
    let mut parts: Vec<&str> = example.split(';').map(str::trim).collect();
    let formula = parts.pop()?;
    let (declared, bound): (Vec<&str>, Vec<&str>) =
        parts.into_iter().partition(|part| !part.contains('='));
    let words = example.split(|letter: char| !letter.is_alphanumeric());
    let upper =
        |word: &&str| !word.is_empty() && word.chars().all(|letter| letter.is_ascii_uppercase());
    let mut dims: Vec<&str> = words.filter(upper).collect();
    dims.sort_unstable();
    dims.dedup();
    let taken = |name: &str| declared.iter().any(|part| part.starts_with(&format!("{name}:")));
    let result = if taken("y") { "z" } else { "y" };
    let mut text = String::new();
    if !dims.is_empty() {
        writeln!(text, "dim {}", dims.join(", ")).ok()?;
    }
    declared.iter().try_for_each(|part| writeln!(text, "input {part}")).ok()?;
    bound.iter().try_for_each(|part| writeln!(text, "{part}")).ok()?;
    writeln!(text, "{result} = {formula}").ok()?;
    let model = compile::read(&text, &[]).model?;
    let value = model.named(result)?;
    let ty = model.ty(value).clone();
    let floats: Vec<Name> = model
        .variables
        .iter()
        .filter(|(_, known)| known.role != Role::State && model.ty(known.node).dtype.is_float())
        .map(|(name, _)| name.clone())
        .collect();
    let (head, rule) = rule(&model, value, result, formula)?;
    let whole = [&bound[..], &[formula]].concat().join("; ");
    let (mut loss, mut gradient) = (String::new(), Vec::new());
    if ty.dtype.is_float() && !floats.is_empty() {
        loss = if ty.rank() == 0 { whole.clone() } else { format!("sum(c * {result})") };
        if ty.rank() > 0 {
            writeln!(text, "input c: {ty}").ok()?;
        }
        let sum = if ty.rank() == 0 { result } else { &loss };
        writeln!(text, "loss Loss = {sum}").ok()?;
        if ty.rank() > 0 {
            loss = format!("{loss}, {result} = {whole}");
        }
        let request = Request {
            of: "Loss".into(),
            wrt: floats,
            mode: Mode::Grad,
            vectors: Vec::new(),
            order: 1,
        };
        let model = compile::read(&text, &[]).model?;
        let derived = compile::differentiate(&model, &[request], Level::Readable).ok()?;
        gradient = lines(&derived.model);
    }
    Some(Worked { formula: example.into(), ty, head, rule, loss, gradient })
}

/// The adjoint of each operand in terms of operands, result and the adjoint of the result; of what is several operators
/// these.
fn rule(
    model: &Model,
    value: NodeId,
    result: &str,
    formula: &str,
) -> Option<(String, Vec<String>)> {
    let operands = model.operands(value);
    let variable =
        |id: NodeId| matches!(model.op(id), Op::Variable(_) | Op::Const(_) | Op::Literal(_));
    let simple = operands.iter().all(|&id| variable(id));
    if !simple {
        let text = print(model, Part::Whole).text;
        let start = format!("{result} = ");
        let line = text.lines().find(|line| line.starts_with(&start))?;
        if line[start.len()..] == *formula {
            return Some((String::new(), Vec::new()));
        }
        return Some(("In operators that have pages of their own:".into(), vec![line.into()]));
    }
    if !model.ty(value).dtype.is_float() || operands.is_empty() {
        return Some((String::new(), Vec::new()));
    }
    let types = model.operand_types(value);
    let rule = Rule { operands: &types, result: model.ty(value), dims: &model.dims };
    let terms = model.op(value).vjp(&rule);
    let mut model = model.clone();
    let ty = model.ty(value).clone();
    let adjoint: Name = format!("d_{result}").into();
    let node = model.input(&adjoint, ty.clone());
    let variables: Vec<NodeId> = operands.iter().copied().chain([value, node]).collect();
    for (&operand, term) in operands.iter().zip(terms) {
        let (Some(term), Op::Variable(variable)) = (term, model.op(operand)) else { continue };
        let name = format!("d_{}", variable.name).into();
        let node = model.plant(&term, &variables, ty.dtype, &Origins::default()).ok()?;
        model.outputs.push(Output { kind: Kind::Gradient, name, node });
    }
    Some(("Rule of its derivative:".into(), lines(&model)))
}

/// The statements that compute derivatives, without comments.
fn lines(model: &Model) -> Vec<String> {
    let printed = print(model, Part::Adjoint).text;
    printed
        .lines()
        .map(|line| line.split_once("  # ").map_or(line, |(line, _)| line).trim_end().to_string())
        .collect()
}
