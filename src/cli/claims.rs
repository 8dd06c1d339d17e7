//! `expect a == b`: proved, agreeing at random points, or refuted.

use super::args::{Common, Data};
use super::bind::{self, Missing};
use super::out::Failure;
use super::session::Session;
use super::show;
use crate::compile;
use crate::exec::RunError;
use crate::exec::precise;
use crate::graph::print::{Part, print};
use crate::graph::{Kind, Model, NodeId, Output};
use crate::ops::{Op, Scalar};
use crate::passes::retype;
use crate::tensor::DType;
use serde_json::{Value, json};

/// So many points are looked at.
const POINTS: u64 = 8;
/// Two sides agree if they differ by less, relative to their largest entry: where all was computed to thirty digits, and
/// where something was known in f64 only.
const CLOSE: (f64, f64) = (1e-22, 1e-9);

/// What has come of a claim.
pub struct Verdict {
    /// The line of the claim.
    line: usize,
    /// The claim as it is written.
    text: String,
    outcome: Outcome,
    numbers: Numbers,
}

enum Outcome {
    /// Equal over the reals, by these laws.
    Proved(Vec<&'static str>),
    Agrees,
    Refuted(Counterexample),
    /// Proved, and the numbers differ: a mistake of the prover.
    Contradiction(Counterexample),
    /// No point at which both sides have a value.
    Nowhere(String),
}

/// What random points say.
#[derive(Default)]
struct Numbers {
    points: usize,
    /// The largest difference, relative to the largest entry.
    error: f64,
    /// Whether all was computed to thirty digits.
    exact: bool,
}

struct Counterexample {
    index: String,
    left: f64,
    right: f64,
    /// What explains the difference.
    reason: Vec<String>,
}

/// Judges each claim of a model.
pub fn claims(common: &Common, session: &Session, data: &Data) -> Result<Vec<Verdict>, Failure> {
    let model = &session.model;
    (0..model.claims.len())
        .map(|number| {
            let span = model.claims[number].span;
            let text = session.sources.get(usize::from(span.file));
            let text = text.and_then(|(_, text)| text.get(span.range())).unwrap_or_default();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let fit = |misfit: crate::ops::Misfit| Failure::Request(misfit.to_string());
            let written = compile::sides(model, number).map_err(fit)?;
            let proof = compile::prove(&written);
            let wide = retype(&written, DType::F64).map_err(fit)?;
            let (numbers, differs) = compared(common, session, &wide, data)?;
            let outcome = match (proof.proved, differs) {
                (true, Some(example)) => Outcome::Contradiction(example),
                (true, None) => Outcome::Proved(proof.laws),
                (false, Some(mut example)) => {
                    example.reason.extend(differing(&proof.model));
                    Outcome::Refuted(example)
                }
                (false, None) if numbers.points == 0 => {
                    Outcome::Nowhere("no point was found at which both sides are finite".into())
                }
                (false, None) => Outcome::Agrees,
            };
            Ok(Verdict { line: model.line(span), text, outcome, numbers })
        })
        .collect()
}

/// Both sides at random points, as they are written; an example where they differ.
fn compared(
    common: &Common,
    session: &Session,
    model: &Model,
    data: &Data,
) -> Result<(Numbers, Option<Counterexample>), Failure> {
    let sides: Vec<NodeId> = model.outputs.iter().map(|output| output.node).collect();
    let mut free = model.clone();
    free.variables.values_mut().for_each(|variable| variable.init = None);
    let needed = bind::needed(&free, &sides);
    let mut numbers = Numbers { exact: true, ..Numbers::default() };
    let mut worst: Option<Counterexample> = None;
    let mut ratios: Vec<f64> = Vec::new();
    for point in 0..POINTS {
        let mut data = data.clone();
        data.dtype = Some("f64".into());
        data.seed = Some(data.seed().wrapping_add(point));
        let bound = bind::bind(common, &free, &session.sources, &data, &needed, Missing::Drawn)?;
        let found = match precise::run(&free, &sides, &bound.values, &bound.bindings) {
            Ok(found) => found,
            Err(RunError::Value { .. }) => continue,
            Err(error) => return Err(Failure::Request(error.to_string())),
        };
        let [left, right] = &found[..] else { continue };
        let (a, b) = (left.array(), right.array());
        if a.iter().chain(&b).any(|value| !value.high().is_finite()) {
            continue;
        }
        numbers.points += 1;
        numbers.exact &= left.exact && right.exact;
        let scale =
            a.iter().chain(&b).fold(f64::MIN_POSITIVE, |scale, v| scale.max(v.high().abs()));
        for (place, (&a, &b)) in a.iter().zip(&b).enumerate() {
            let error = (a - b).abs().high() / scale;
            if b.high().abs() > 1e-6 * scale {
                ratios.push(a.high() / b.high());
            }
            if worst.is_none() || error > numbers.error {
                numbers.error = error;
                worst = Some(Counterexample {
                    index: show::index(left.high.shape(), place),
                    left: a.high(),
                    right: b.high(),
                    reason: Vec::new(),
                });
            }
        }
    }
    let close = if numbers.exact { CLOSE.0 } else { CLOSE.1 };
    let differs = worst.filter(|_| numbers.error > close).map(|mut example| {
        let (low, high) = ratios
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &r| (low.min(r), high.max(r)));
        if ratios.len() > 1 && (high - low).abs() < 1e-9 * high.abs() {
            let factor = show::number(high);
            example
                .reason
                .push(format!("everywhere the left side is {factor} times the right one"));
        }
        example
    });
    Ok((numbers, differs))
}

/// The smallest parts in which both sides differ, in print.
fn differing(model: &Model) -> Vec<String> {
    let [left, right] = [0, 1].map(|side| model.outputs[side].node);
    let (mut a, mut b) = (left, right);
    while let Some((one, two)) = narrower(model, a, b) {
        (a, b) = (one, two);
    }
    let formula = |node: NodeId, name: &str| {
        let mut part = model.clone();
        part.outputs = vec![Output { kind: Kind::Gradient, name: name.into(), node }];
        let text = print(&part, Part::Adjoint).text;
        let lines = text.lines().map(|line| line.split("  #").next().unwrap_or(line).trim_end());
        lines.map(str::to_string).collect::<Vec<_>>()
    };
    let mut lines = vec!["in their simplest form they differ in".to_string()];
    lines.extend(formula(a, "left"));
    lines.extend(formula(b, "right"));
    lines
}

/// The one operand in which two values differ that are otherwise equal.
fn narrower(model: &Model, a: NodeId, b: NodeId) -> Option<(NodeId, NodeId)> {
    if a == b || model.op(a) != model.op(b) {
        return None;
    }
    let (x, mut y) = (model.operands(a), model.operands(b));
    let commutes = matches!(model.op(a), Op::Scalar(Scalar::Add | Scalar::Mul));
    if commutes && (x[0] == y[1] || x[1] == y[0]) {
        y.reverse();
    }
    if x.len() != y.len() {
        return None;
    }
    let differing: Vec<usize> = (0..x.len()).filter(|&place| x[place] != y[place]).collect();
    let [place] = differing[..] else { return None };
    (model.ty(x[place]) == model.ty(y[place])).then(|| (x[place], y[place]))
}

impl Verdict {
    /// Whether the claim may stand.
    pub fn holds(&self) -> bool {
        matches!(self.outcome, Outcome::Proved(_) | Outcome::Agrees)
    }

    /// Whether this program contradicts itself.
    pub fn is_contradiction(&self) -> bool {
        matches!(self.outcome, Outcome::Contradiction(_))
    }

    fn word(&self) -> &'static str {
        match self.outcome {
            Outcome::Proved(_) => "proved",
            Outcome::Agrees => "agrees",
            Outcome::Refuted(_) => "REFUTED",
            Outcome::Contradiction(_) => "CONTRADICTION",
            Outcome::Nowhere(_) => "undecided",
        }
    }

    /// The verdict for people.
    pub fn lines(&self) -> String {
        let mut text = format!("  :{}  {}  {}\n", self.line, self.word(), self.text);
        let mut say = |line: String| text.push_str(&format!("      {line}\n"));
        let Numbers { points, error, exact } = self.numbers;
        let digits = if exact { "in double-double" } else { "in f64" };
        let numbers = format!("at {points} points {digits} they differ by {error:.1e} at most");
        match &self.outcome {
            Outcome::Proved(laws) if laws.is_empty() => say("both sides are one value".into()),
            Outcome::Proved(laws) => {
                say(format!("by {}; where both sides are defined", laws.join(", ")))
            }
            Outcome::Agrees => {}
            Outcome::Nowhere(why) => say(why.clone()),
            Outcome::Refuted(example) | Outcome::Contradiction(example) => {
                let (left, right) = (show::number(example.left), show::number(example.right));
                let index = if example.index.is_empty() {
                    String::new()
                } else {
                    format!("at {} ", example.index)
                };
                say(format!("{index}the left side is {left}, the right one {right}"));
                example.reason.iter().for_each(|line| say(line.clone()));
            }
        }
        if points > 0 {
            say(numbers);
        }
        text
    }

    /// The verdict for programs.
    pub fn json(&self) -> Value {
        let Numbers { points, error, exact } = self.numbers;
        let mut value = json!({"line": self.line, "claim": self.text, "verdict": self.word().to_lowercase(),
            "ok": self.holds(), "points": points, "error": error, "double_double": exact});
        match &self.outcome {
            Outcome::Proved(laws) => value["laws"] = json!(laws),
            Outcome::Refuted(example) | Outcome::Contradiction(example) => {
                value["at"] = json!(example.index);
                value["left"] = json!(example.left);
                value["right"] = json!(example.right);
                value["reason"] = json!(example.reason);
            }
            Outcome::Agrees | Outcome::Nowhere(_) => {}
        }
        value
    }
}
