//! Whether two values are equal: proved, agreeing at random points, or refuted.

use super::args::{Common, Data};
use super::bind::{self, Bound, Missing};
use super::out::{self, Failure};
use super::show;
use crate::compile::Proof;
use crate::exec::precise::{self, Lost, Precise};
use crate::exec::{RunError, reference};
use crate::graph::print::{Part, print};
use crate::graph::{Kind, Model, NodeId, Output};
use crate::ops::stability::{STABLE, Stable};
use crate::ops::{Op, Scalar};
use crate::tensor::Tensor;
use serde_json::{Value, json};

/// So many points are looked at.
pub const POINTS: u64 = 8;
/// Two sides agree if they differ by less, relative to their largest entry: where all was computed to thirty digits, and
/// where something was known in f64 only.
const CLOSE: (f64, f64) = (1e-22, 1e-9);

/// What has come of a comparison.
pub struct Judgement {
    outcome: Outcome,
    numbers: Numbers,
}

enum Outcome {
    /// Equal over the reals, by these laws, where these conditions hold.
    Proved(Vec<String>, Vec<String>),
    Agrees,
    Refuted(Counterexample),
    /// Proved, and the numbers differ: a mistake of the prover.
    Contradiction(Counterexample),
    /// No point at which both sides have a value.
    Nowhere(String),
}

/// What random points say of two values.
#[derive(Default)]
pub struct Numbers {
    points: usize,
    /// The largest difference, relative to the largest entry, or to the largest of what cancels in it.
    error: f64,
    /// The first operator that was computed in f64 only.
    lost: Lost,
    /// Where they differ most.
    worst: Option<Counterexample>,
    /// The left entries over the right ones, of those that are not small.
    ratios: Vec<f64>,
}

struct Counterexample {
    index: String,
    left: f64,
    right: f64,
    /// What explains the difference.
    reason: Vec<String>,
}

/// The values of nodes at one random point, or `None` where some operator has no value there. What the command line says
/// about variables holds; all else is drawn, parameters that have a first value too.
pub fn values(
    common: &Common,
    sources: &[(String, String)],
    model: &Model,
    wanted: &[NodeId],
    data: &Data,
    point: u64,
) -> Result<Option<Vec<Precise>>, Failure> {
    let bound = drawn(common, sources, model, wanted, data, point)?;
    had(precise::run(model, wanted, &bound.values, &bound.bindings))
}

fn drawn(
    common: &Common,
    sources: &[(String, String)],
    model: &Model,
    wanted: &[NodeId],
    data: &Data,
    point: u64,
) -> Result<Bound, Failure> {
    let mut free = model.clone();
    free.variables.values_mut().for_each(|variable| variable.init = None);
    let needed = bind::needed(&free, wanted);
    let mut data = data.clone();
    data.dtype = Some("f64".into());
    data.seed = Some(data.seed().wrapping_add(point));
    bind::bind(common, &free, sources, &data, &needed, Missing::Drawn)
}

fn had<T>(found: Result<T, RunError>) -> Result<Option<T>, Failure> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(RunError::Value { .. }) => Ok(None),
        Err(error) => Err(Failure::Request(error.to_string())),
    }
}

/// Each pair of values of a model at random points; of one value with itself there is nothing to see.
pub fn compared(
    common: &Common,
    sources: &[(String, String)],
    model: &Model,
    pairs: &[(NodeId, NodeId)],
    data: &Data,
) -> Result<Vec<Numbers>, Failure> {
    let mut numbers: Vec<Numbers> = pairs.iter().map(|_| Numbers::default()).collect();
    let other: Vec<usize> = (0..pairs.len()).filter(|&p| pairs[p].0 != pairs[p].1).collect();
    let sides: Vec<NodeId> = other.iter().flat_map(|&p| [pairs[p].0, pairs[p].1]).collect();
    let mut points = Vec::new();
    let mut cancelled = vec![0.0; other.len()];
    for point in (0..POINTS).filter(|_| !sides.is_empty()) {
        let bound = drawn(common, sources, model, &sides, data, point)?;
        let (values, bindings) = (&bound.values, &bound.bindings);
        let Some(found) = had(precise::run(model, &sides, values, bindings))? else { continue };
        if let Some(plain) = had(reference::run(model, &sides, values, bindings))? {
            let pairs = found.chunks(2).zip(plain.chunks(2));
            for (largest, (precise, plain)) in cancelled.iter_mut().zip(pairs) {
                let sides = precise.iter().zip(plain).map(|(precise, plain)| size(precise, plain));
                *largest = sides.fold(*largest, f64::max);
            }
        }
        points.push(found);
    }
    for found in points {
        for (place, (&pair, sides)) in other.iter().zip(found.chunks(2)).enumerate() {
            numbers[pair].meet(&sides[0], &sides[1], cancelled[place]);
        }
    }
    Ok(numbers)
}

/// How large what cancels in a value is: the rounding error of f64 is that times its epsilon.
fn size(precise: &Precise, plain: &Tensor) -> f64 {
    let pairs = precise.high.to_f64().into_iter().zip(plain.to_f64());
    let errors = pairs.map(|(precise, plain)| (precise - plain).abs() / f64::EPSILON);
    errors.filter(|error| error.is_finite()).fold(0.0, f64::max)
}

/// Whether two values at one point are finite and agree.
pub fn equal(one: &Precise, two: &Precise) -> bool {
    let mut numbers = Numbers::default();
    numbers.meet(one, two, 0.0);
    one.high.shape() == two.high.shape() && numbers.agree()
}

impl Numbers {
    /// Takes in both values at one point, where both are finite. What is computed for them cancels at numbers as large as
    /// `cancelled`: a side that is 0 in truth is then not 0 to the last digit.
    fn meet(&mut self, left: &Precise, right: &Precise, cancelled: f64) {
        let (a, b) = (left.array(), right.array());
        if a.iter().chain(&b).any(|value| !value.high().is_finite()) {
            return;
        }
        self.points += 1;
        let lost = self.lost.take().or_else(|| left.lost.clone()).or_else(|| right.lost.clone());
        self.lost = lost;
        let least = cancelled.max(f64::MIN_POSITIVE);
        let scale = a.iter().chain(&b).fold(least, |scale, v| scale.max(v.high().abs()));
        for (place, (&a, &b)) in a.iter().zip(&b).enumerate() {
            let error = (a - b).abs().high() / scale;
            if b.high().abs() > 1e-6 * scale {
                self.ratios.push(a.high() / b.high());
            }
            if self.worst.is_none() || error > self.error {
                self.error = error;
                self.worst = Some(Counterexample {
                    index: show::index(left.high.shape(), place),
                    left: a.high(),
                    right: b.high(),
                    reason: Vec::new(),
                });
            }
        }
    }

    /// Whether both values were seen, and never apart.
    fn agree(&self) -> bool {
        self.points > 0 && self.error <= self.close()
    }

    fn close(&self) -> f64 {
        if self.lost.is_none() { CLOSE.0 } else { CLOSE.1 }
    }

    /// The place where they differ most, if they differ, with the factor that is the same everywhere.
    fn counterexample(&mut self) -> Option<Counterexample> {
        let mut example = self.worst.take().filter(|_| self.error > self.close())?;
        let ratios = &self.ratios;
        let (low, high) = ratios
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &r| (low.min(r), high.max(r)));
        if ratios.len() > 1 && (high - low).abs() < 1e-9 * high.abs() {
            let factor = show::number(high);
            example
                .reason
                .push(format!("everywhere the left side is {factor} times the right one"));
        }
        Some(example)
    }
}

/// How a verb ends that has judged: 0 where all is `good`, 1 where it is not, 101 where a proof is contradicted by numbers.
pub fn ended<'a>(
    good: bool,
    judgements: impl IntoIterator<Item = &'a Judgement>,
) -> Result<(), Failure> {
    if judgements.into_iter().any(Judgement::is_contradiction) {
        out::talk(false, "error: what is proved is refuted by numbers: a mistake of this program");
        return Err(Failure::Said(101));
    }
    if good { Ok(()) } else { Err(Failure::Said(1)) }
}

/// The judgement on what was tried to prove, after the numbers have been seen.
pub fn judged(proof: Proof, mut numbers: Numbers) -> Judgement {
    let outcome = match (proof.proved, numbers.counterexample()) {
        (true, Some(example)) => Outcome::Contradiction(example),
        (true, None) => Outcome::Proved(laws(&proof), conditions(&proof)),
        (false, Some(mut example)) => {
            if example.reason.is_empty() {
                example.reason = differing(&proof.model);
            }
            Outcome::Refuted(example)
        }
        (false, None) if numbers.points == 0 => {
            Outcome::Nowhere("no point was found at which both sides are finite".into())
        }
        (false, None) => Outcome::Agrees,
    };
    Judgement { outcome, numbers }
}

/// The laws of a proof, each with the side condition that was known to hold.
fn laws(proof: &Proof) -> Vec<String> {
    let named = |law: &&'static str| {
        let condition = STABLE.iter().find(|known| known.name == *law).map(Stable::condition);
        match condition.filter(|condition| !condition.is_empty()) {
            Some(condition) => format!("{law} (its {condition})"),
            None => law.to_string(),
        }
    };
    proof.laws.iter().map(named).collect()
}

/// Where both sides are defined, in print.
fn conditions(proof: &Proof) -> Vec<String> {
    let said = proof.conditions.iter().map(|&(of, is)| {
        let mut lines = formula(&proof.written, of, "value");
        let last = lines.pop().unwrap_or_default();
        let value = last.split_once(" = ").map_or(&*last, |(_, value)| value);
        let word = if is.starts_with(['>', '!']) || is.starts_with("in ") { "" } else { "is " };
        let bare = value.chars().all(|c| c.is_alphanumeric() || "_.".contains(c));
        let value = if bare { value.into() } else { format!("({value})") };
        let with =
            if lines.is_empty() { String::new() } else { format!(" for {}", lines.join(", ")) };
        format!("{value} {word}{is}{with}")
    });
    said.collect()
}

/// The smallest parts in which both sides differ, in print.
fn differing(model: &Model) -> Vec<String> {
    let [left, right] = [0, 1].map(|side| model.outputs[side].node);
    let (mut a, mut b) = (left, right);
    while let Some((one, two)) = narrower(model, a, b) {
        (a, b) = (one, two);
    }
    let mut lines = vec!["in their simplest form they differ in".to_string()];
    lines.extend(formula(model, a, "left"));
    lines.extend(formula(model, b, "right"));
    lines
}

/// The statements that compute a value, which gets a name.
fn formula(model: &Model, node: NodeId, name: &str) -> Vec<String> {
    let mut part = model.clone();
    part.outputs = vec![Output { kind: Kind::Gradient, name: name.into(), node }];
    let text = print(&part, Part::Adjoint).text;
    let lines = text.lines().map(|line| line.split("  #").next().unwrap_or(line).trim_end());
    lines.map(str::to_string).collect()
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

impl Judgement {
    /// Whether they may be taken to be equal.
    pub fn holds(&self) -> bool {
        matches!(self.outcome, Outcome::Proved(..) | Outcome::Agrees)
    }

    /// Whether this program contradicts itself.
    fn is_contradiction(&self) -> bool {
        matches!(self.outcome, Outcome::Contradiction(_))
    }

    /// The judgement in one word.
    pub fn word(&self) -> &'static str {
        match self.outcome {
            Outcome::Proved(..) => "proved",
            Outcome::Agrees => "agrees",
            Outcome::Refuted(_) => "REFUTED",
            Outcome::Contradiction(_) => "CONTRADICTION",
            Outcome::Nowhere(_) => "undecided",
        }
    }

    /// What led to it, for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let Numbers { points, error, lost, .. } = &self.numbers;
        let digits = match lost {
            None => "in double-double".to_string(),
            Some(name) => format!("in f64, which is all that `{name}` has,"),
        };
        match &self.outcome {
            Outcome::Proved(laws, conditions) => {
                let by = match laws.is_empty() {
                    true => "both sides are one value".into(),
                    false => format!("by {}", laws.join(", ")),
                };
                let place = match conditions.is_empty() {
                    true => "everywhere".into(),
                    false => format!("where {}", conditions.join(" and ")),
                };
                lines.push(format!("{by}; {place}"));
            }
            Outcome::Agrees => {}
            Outcome::Nowhere(why) => lines.push(why.clone()),
            Outcome::Refuted(example) | Outcome::Contradiction(example) => {
                let (left, right) = (show::number(example.left), show::number(example.right));
                let index = if example.index.is_empty() {
                    String::new()
                } else {
                    format!("at {} ", example.index)
                };
                lines.push(format!("{index}the left side is {left}, the right one {right}"));
                lines.extend(example.reason.iter().cloned());
            }
        }
        if *points > 0 {
            lines.push(format!("at {points} points {digits} they differ by {error:.1e} at most"));
        }
        lines
    }

    /// The same for programs, added to an object.
    pub fn add_to(&self, value: &mut Value) {
        let Numbers { points, error, lost, .. } = &self.numbers;
        value["verdict"] = json!(self.word().to_lowercase());
        value["ok"] = json!(self.holds());
        value["points"] = json!(points);
        value["error"] = json!(error);
        value["double_double"] = json!(lost.is_none());
        match &self.outcome {
            Outcome::Proved(laws, conditions) => {
                value["laws"] = json!(laws);
                value["where"] = json!(conditions);
            }
            Outcome::Refuted(example) | Outcome::Contradiction(example) => {
                value["at"] = json!(example.index);
                value["left"] = json!(example.left);
                value["right"] = json!(example.right);
                value["reason"] = json!(example.reason);
            }
            Outcome::Agrees | Outcome::Nowhere(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile;
    use crate::tensor::DType;

    /// With a law that is not true the proof is contradicted by the numbers, and the program says that it is wrong.
    #[test]
    fn an_unsound_law_is_found_out() {
        let text = "param x: f64\nexpect 2 * x == 3 * x\n";
        let model = compile::read(text, &[]).model.expect("a model");
        let sides = compile::sides(&model, 0).expect("two sides");
        let honest = compile::prove(&sides);
        assert!(!honest.proved);
        let unsound = Proof { proved: true, laws: vec!["two is three"], ..honest };
        let value =
            |number| Precise { high: Tensor::scalar(DType::F64, number), low: None, lost: None };
        let mut numbers = Numbers::default();
        numbers.meet(&value(1.0), &value(1.5), 0.0);
        let judgement = judged(unsound, numbers);
        assert_eq!(judgement.word(), "CONTRADICTION");
        assert!(matches!(ended(judgement.holds(), [&judgement]), Err(Failure::Said(101))));
    }
}
