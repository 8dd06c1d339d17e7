//! `eval --trap-nan`: where the first NaN or infinity of a result comes from, how it went on, and what would cure it.

use super::args::Common;
use super::bind::Bound;
use super::out::{self, Failure};
use super::run::{How, run};
use super::session::Session;
use super::show;
use crate::compile::{self, Level};
use crate::diagnostic::Diagnostic;
use crate::graph::{Model, NodeId, Origin};
use crate::ops::{Op, Operator, Scalar};
use crate::tensor::Tensor;

/// So many steps from the first bad value to the result are told.
const STEPS: usize = 6;

/// Ends the verb where a result is not finite, and says why.
pub fn trap(
    common: &Common,
    session: &Session,
    model: &Model,
    wanted: &[NodeId],
    bound: &Bound,
    level: Level,
) -> Result<(), Failure> {
    let needed = model.needed(wanted.iter().copied());
    let nodes: Vec<NodeId> = model.nodes().filter(|id| needed[id.index()]).collect();
    let found = run(common, session, model, &nodes, bound, &How::Reference)?;
    let mut values: Vec<Option<&Tensor>> = vec![None; model.len()];
    for (id, value) in nodes.iter().zip(&found) {
        values[id.index()] = Some(value);
    }
    let bad = |id: NodeId| values[id.index()].and_then(bad_place).is_some();
    let Some(&result) = wanted.iter().find(|id| bad(**id)) else { return Ok(()) };
    let Some(path) = blamed(model, result, &bad) else { return Ok(()) };
    let first = path[0];
    let value = values[first.index()].expect("it is needed");
    let (place, number) = bad_place(value).expect("it is bad");
    let at = show::index(value.shape(), place);
    let word = match number.is_nan() {
        true => "NaN".to_string(),
        false => show::number(number),
    };
    let at = if at.is_empty() { at } else { format!(" at {at}") };
    let message = match rule(model, first) {
        Some(rule) => format!("the adjoint of `{rule}` is {word}{at}"),
        None => format!("{} gives {word}{at}", named(model, first)),
    };
    let span = model.origins(first).span().or_else(|| declared(model, first)).unwrap_or_default();
    let mut diagnostic = Diagnostic::error("E0409", span, message);
    let operands: Vec<String> = model
        .operands(first)
        .iter()
        .filter_map(|id| {
            let operand = values[id.index()]?;
            let value = match operand.len() {
                1 => operand.to_f64()[0],
                count if count == value.len() => operand.to_f64()[place],
                _ => return None,
            };
            Some(show::number(value))
        })
        .collect();
    if !operands.is_empty() {
        diagnostic = diagnostic.help(format!("of {} there", operands.join(" and ")));
    }
    let steps: Vec<String> = path[1..].iter().map(|&id| step(model, id)).collect();
    let mut told: Vec<String> = Vec::new();
    for step in steps {
        if told.last() != Some(&step) {
            told.push(step);
        }
    }
    if told.len() > STEPS {
        let last = told.len() - STEPS / 2;
        told.splice(STEPS / 2..last, ["...".to_string()]);
    }
    if !told.is_empty() {
        diagnostic = diagnostic.help(format!("from there it goes on: {}", told.join(" -> ")));
    }
    diagnostic = diagnostic.help(cure(model, first, level));
    out::diagnostics(common, &[diagnostic], &session.sources);
    Err(Failure::Said(1))
}

/// The place and the value of the first element that is not finite, a NaN before an infinity.
fn bad_place(tensor: &Tensor) -> Option<(usize, f64)> {
    if !tensor.dtype().is_float() {
        return None;
    }
    let values = tensor.to_f64();
    let nan = values.iter().position(|value| value.is_nan());
    let place = nan.or_else(|| values.iter().position(|value| value.is_infinite()))?;
    Some((place, values[place]))
}

/// The way from the first bad value to a result, through bad values only: of all beginnings that which is computed first.
fn blamed(model: &Model, result: NodeId, bad: &dyn Fn(NodeId) -> bool) -> Option<Vec<NodeId>> {
    let mut reached = vec![false; result.index() + 1];
    reached[result.index()] = true;
    let mut next: Vec<Option<NodeId>> = vec![None; result.index() + 1];
    let mut first = None;
    for index in (0..=result.index()).rev() {
        if !reached[index] {
            continue;
        }
        let id = NodeId::new(index);
        // Infinities that are written in the text are meant.
        let causes = model.operands(id).into_iter().filter(|&operand| {
            bad(operand) && !matches!(model.op(operand), Op::Const(_) | Op::Literal(_))
        });
        let mut own = true;
        for cause in causes {
            own = false;
            reached[cause.index()] = true;
            next[cause.index()].get_or_insert(id);
        }
        if own {
            first = Some(id);
        }
    }
    let mut path = vec![first?];
    while let Some(id) = path.last().and_then(|id| next[id.index()]) {
        path.push(id);
    }
    Some(path)
}

/// The operator whose rule made a value of the backward pass.
fn rule(model: &Model, id: NodeId) -> Option<&str> {
    let origins = model.origins(id);
    let mut rules = origins.iter().filter_map(|origin| match origin {
        Origin::Adjoint { rule, .. } => Some(&**rule),
        _ => None,
    });
    rules.next().filter(|_| origins.source().is_none())
}

fn named(model: &Model, id: NodeId) -> String {
    match model.op(id) {
        Op::Variable(variable) => format!("`{}`", variable.name),
        op => format!("`{}`", op.name()),
    }
}

fn declared(model: &Model, id: NodeId) -> Option<crate::diagnostic::Span> {
    model.variables.values().find(|variable| variable.node == id).map(|variable| variable.span)
}

/// A step in few words: what the value is called, else the operator, with its line.
fn step(model: &Model, id: NodeId) -> String {
    let name = model.names.iter().find(|(_, node)| **node == id).map(|(name, _)| name);
    let output = model.outputs.iter().find(|output| output.node == id).map(|output| &output.name);
    let what = match name.or(output) {
        Some(name) => format!("`{name}`"),
        None => named(model, id),
    };
    let back = if rule(model, id).is_some() { ", backward" } else { "" };
    match model.origins(id).span() {
        Some(span) if span.file == 0 => format!("{what} (line {}{back})", model.line(span)),
        _ => what,
    }
}

/// What would make the value finite: the law that -O0 switched off, or another way to write it.
fn cure(model: &Model, id: NodeId, level: Level) -> String {
    let span = model.origins(id).span();
    if level == Level::Derived
        && let (Some(span), Ok((_, used))) = (span, compile::forward(model, Level::Readable))
    {
        let within = used.iter().find(|used| {
            used.at.source().is_some_and(|law| {
                law.file == span.file && law.start < span.end && span.start < law.end
            })
        });
        if let Some(used) = within {
            return format!("without -O0 the law \"{}\" computes it in a stable form", used.law);
        }
    }
    let row = rule(model, id)
        .and_then(|rule| Scalar::ALL.iter().copied().find(|row| row.word() == rule))
        .map_or_else(|| model.op(id).clone(), Op::from);
    let text = match row {
        Op::Variable(_) => "the data holds it: look there",
        Op::Scalar(Scalar::Log) => {
            "keep the argument above 0, as in `log(x + 1e-12)`, or work with logits: `log_softmax`, `cross_entropy`"
        }
        Op::Scalar(Scalar::Div) => {
            "keep the divisor from 0, as in `where(y == 0, 0, x / y)` or `x / (y + 1e-12)`"
        }
        Op::Scalar(Scalar::Sqrt | Scalar::Rsqrt) => {
            "keep the argument above 0, as in `sqrt(x + 1e-12)`; `norm` and `std` are safe at 0"
        }
        Op::Scalar(Scalar::Exp | Scalar::Sinh | Scalar::Cosh | Scalar::Expm1) => {
            "take the largest away first, as `softmax` and `logsumexp` do, or a bounded function"
        }
        Op::Scalar(Scalar::Pow) => {
            "keep the base above 0, as in `abs(x)^p`, or guard it with `where`"
        }
        Op::Matrix(_) | Op::Solve(_) => "add a multiple of `eye` to a matrix that may be singular",
        _ => "it is too large for its element type: scale the data, or ask for --dtype f64",
    };
    text.into()
}
