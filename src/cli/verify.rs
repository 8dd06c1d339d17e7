//! `pullback verify`: gradients against central differences in f64, and the readable form against what was derived.

use super::args::{Common, Verify};
use super::bind::{self, Bound, Missing};
use super::declared;
use super::out::{self, Failure};
use super::rules::{self, Deviation};
use super::run::{self, How, run};
use super::session::{self, Session};
use super::show;
use crate::compile::{self, Level, Request};
use crate::graph::{Kind, Model, NodeId};
use crate::ops::special::Mode;
use crate::ops::stream::Stream;
use crate::passes::retype;
use crate::tensor::{DType, Tensor};
use serde_json::json;

/// Up to so many entries each is checked; of larger parameters a sample and random directions.
const ENTRIES: usize = 10_000;
const SAMPLE: usize = 200;
const DIRECTIONS: usize = 20;
/// A derivative agrees if the relative error is below this, scaled by the largest entry of its parameter.
const TOLERANCE: f64 = 1e-5;

/// The worst disagreement of a parameter.
struct Verdict {
    name: String,
    checked: String,
    worst: f64,
    at: String,
    derived: f64,
    measured: f64,
    raw: f64,
}

/// Checks the gradient of the model and prints a line for each parameter.
pub fn verify(common: &Common, args: &Verify) -> Result<(), Failure> {
    let mut session = session::open(common, &args.model, Some(&args.select))?;
    let mut request = session::request(common, &session, &args.select)?;
    if request.mode != Mode::Grad || request.order != 1 {
        return Err(Failure::Request(
            "verify checks gradients: leave out --mode and --order".into(),
        ));
    }
    let raw =
        compile::differentiate(&session.model, std::slice::from_ref(&request), Level::Derived)
            .map_err(|misfit| Failure::Request(misfit.to_string()))?;
    let derived = session::derive(common, &mut session, &mut request, Level::Readable)?;
    let wide = |model: &Model| {
        retype(model, DType::F64).map_err(|misfit| Failure::Request(misfit.to_string()))
    };
    let (model, raw) = (wide(&derived.model)?, wide(&raw.model)?);

    let mut data = args.data.clone();
    data.dtype = Some("f64".into());
    let (of, gradients) = results(&model, &request)?;
    let mut wanted = vec![of];
    wanted.extend(&gradients);
    let needed = bind::needed(&model, &wanted);
    let mut bound = bind::bind(common, &model, &session.sources, &data, &needed, Missing::Drawn)?;
    let how = run::how(&args.machine, false)?;
    let values = run(common, &session, &model, &wanted, &bound, &how)?;
    let (raw_of, raw_gradients) = results(&raw, &request)?;
    let _ = raw_of;
    let raw_values = run(common, &session, &raw, &raw_gradients, &bound, &How::Reference)?;

    let mut verdicts = Vec::new();
    for (place, name) in request.wrt.iter().enumerate() {
        if !bound.values.contains_key(name) {
            return Err(Failure::Request(format!(
                "`{name}` is no input and no parameter: verify moves those only"
            )));
        }
        let gradient = values[place + 1].to_f64();
        let raw = largest_difference(&gradient, &raw_values[place].to_f64());
        let measure = Measure { common, session: &session, model: &model, of, how: &how };
        verdicts.push(measure.parameter(name, &gradient, raw, &mut bound, args.data.seed)?);
        if common.verbose {
            out::talk(common.quiet, &format!("checked {name}"));
        }
    }
    let rules = rules::deviations(common, &session, &bound, args.data.seed)?;
    report(common, &request, &verdicts, &rules)
}

fn results(model: &Model, request: &Request) -> Result<(NodeId, Vec<NodeId>), Failure> {
    let of = model
        .named(&request.of)
        .or_else(|| model.outputs.iter().find(|o| o.name == request.of).map(|o| o.node));
    let of = of.ok_or_else(|| Failure::Request(format!("nothing is called `{}`", request.of)))?;
    Ok((
        of,
        model
            .outputs
            .iter()
            .filter(|output| output.kind == Kind::Gradient)
            .map(|output| output.node)
            .collect(),
    ))
}

/// The largest difference of two derivations, relative to the largest entry, where both are finite.
fn largest_difference(one: &[f64], two: &[f64]) -> f64 {
    let scale =
        one.iter().filter(|v| v.is_finite()).fold(1e-300, |scale: f64, v| scale.max(v.abs()));
    let both = one.iter().zip(two).filter(|(a, b)| a.is_finite() && b.is_finite());
    both.map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

struct Measure<'a> {
    common: &'a Common,
    session: &'a Session,
    model: &'a Model,
    of: NodeId,
    how: &'a How,
}

impl Measure<'_> {
    fn parameter(
        &self,
        name: &str,
        gradient: &[f64],
        raw: f64,
        bound: &mut Bound,
        seed: u64,
    ) -> Result<Verdict, Failure> {
        let start = bound.values[name].clone();
        let point = start.to_f64();
        let scale = gradient.iter().fold(0.0f64, |scale, v| scale.max(v.abs()));
        let count = point.len();
        let stream = Stream::new(seed, &format!("verify {name}"));
        let whole = count <= ENTRIES;
        let entries: Vec<usize> = if whole {
            (0..count).collect()
        } else {
            (0..SAMPLE as u64)
                .map(|index| (stream.uniform(index) * count as f64) as usize % count)
                .collect()
        };
        let checked = if whole {
            format!("{count} entries")
        } else {
            format!("{SAMPLE} of {count} entries, {DIRECTIONS} directions")
        };
        let mut verdict = Verdict {
            name: name.into(),
            checked,
            worst: 0.0,
            at: String::new(),
            derived: 0.0,
            measured: 0.0,
            raw,
        };
        for entry in entries {
            let mut direction = vec![0.0; count];
            direction[entry] = 1.0;
            let step = 1e-4 * point[entry].abs().max(1.0);
            let measured = self.slope(name, &start, &point, &direction, step, bound)?;
            judge(&mut verdict, gradient[entry], measured, scale, || index(start.shape(), entry));
        }
        if !whole {
            for number in 0..DIRECTIONS as u64 {
                let offset = (number + 1) << 32;
                let direction: Vec<f64> =
                    (0..count as u64).map(|i| stream.normal(offset + i)).collect();
                let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
                let direction: Vec<f64> = direction.iter().map(|v| v / length).collect();
                let derived: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
                let measured = self.slope(name, &start, &point, &direction, 1e-4, bound)?;
                judge(&mut verdict, derived, measured, scale, || format!("direction {number}"));
            }
        }
        bound.values.insert(name.into(), start);
        Ok(verdict)
    }

    /// The central difference with Richardson's extrapolation: the error is of fourth order in the step.
    fn slope(
        &self,
        name: &str,
        start: &Tensor,
        point: &[f64],
        direction: &[f64],
        step: f64,
        bound: &mut Bound,
    ) -> Result<f64, Failure> {
        // A symmetric matrix moves among its like.
        let moved = Tensor::from_f64(DType::F64, start.shape(), direction.to_vec());
        let direction = match self.model.variables.get(name).is_some_and(|known| known.symmetric) {
            true => declared::symmetrised(&moved).to_f64(),
            false => direction.to_vec(),
        };
        let mut at = |distance: f64| -> Result<f64, Failure> {
            let moved = point.iter().zip(&direction).map(|(p, d)| p + distance * d).collect();
            bound.values.insert(name.into(), Tensor::from_f64(DType::F64, start.shape(), moved));
            let value = run(self.common, self.session, self.model, &[self.of], bound, self.how)?;
            Ok(value[0].item().unwrap_or(f64::NAN))
        };
        let wide = (at(step)? - at(-step)?) / (2.0 * step);
        let narrow = (at(step / 2.0)? - at(-step / 2.0)?) / step;
        Ok((4.0 * narrow - wide) / 3.0)
    }
}

fn judge(verdict: &mut Verdict, derived: f64, measured: f64, scale: f64, at: impl Fn() -> String) {
    let size = derived.abs().max(measured.abs()).max(1e-3 * scale).max(1e-6);
    let error = if derived == measured { 0.0 } else { (derived - measured).abs() / size };
    if verdict.at.is_empty() || error > verdict.worst || error.is_nan() {
        verdict.worst = error;
        verdict.at = at();
        verdict.derived = derived;
        verdict.measured = measured;
    }
}

fn index(shape: &[usize], entry: usize) -> String {
    let mut rest = entry;
    let mut places: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&size| {
            let place = rest % size;
            rest /= size;
            place
        })
        .collect();
    places.reverse();
    if places.is_empty() { String::new() } else { format!("[{}]", crate::ops::join(places)) }
}

fn report(
    common: &Common,
    request: &Request,
    verdicts: &[Verdict],
    rules: &[Deviation],
) -> Result<(), Failure> {
    let kept = |rule: &Deviation| rule.worst < TOLERANCE;
    let good = |verdict: &Verdict| verdict.worst < TOLERANCE && verdict.raw < TOLERANCE;
    let refuted =
        verdicts.iter().any(|verdict| !good(verdict)) || rules.iter().any(|rule| !kept(rule));
    if common.json {
        let lines: Vec<_> = verdicts
            .iter()
            .map(|v| {
                json!({"name": v.name, "checked": v.checked, "error": v.worst, "at": v.at, "derived": v.derived,
                    "measured": v.measured, "readable_vs_derived": v.raw, "ok": good(v)})
            })
            .collect();
        let mut document = json!({"v": 1, "of": *request.of, "ok": !refuted, "gradients": lines});
        if !rules.is_empty() {
            let rules = rules.iter().map(|rule| {
                json!({"function": rule.name, "line": rule.line, "checked": rule.checked, "error": rule.worst,
                    "derived": rule.derived, "measured": rule.measured, "ok": kept(rule)})
            });
            document["rules"] = rules.collect();
        }
        out::result(&format!("{document}\n"), None)?;
    } else {
        let width = verdicts.iter().map(|verdict| verdict.name.len()).max().unwrap_or(0);
        let mut text = format!("gradient of {} against central differences in f64\n", request.of);
        for v in verdicts {
            let word = if good(v) { "agrees" } else { "REFUTED" };
            text.push_str(&format!(
                "  {:width$}  {word}  {}  worst {}{}: {} derived, {} measured, relative error {:.1e}\n",
                v.name,
                v.checked,
                v.name,
                v.at,
                show::number(v.derived),
                show::number(v.measured),
                v.worst,
            ));
            if v.raw >= TOLERANCE {
                text.push_str(&format!(
                    "  {:width$}  the readable form differs from what was derived by {:.1e}\n",
                    "", v.raw
                ));
            }
        }
        if !rules.is_empty() {
            text.push_str("rules of functions (vjp) against central differences of their bodies\n");
        }
        for rule in rules {
            text.push_str(&format!(
                "  {}, called on line {}  {}  {} entries  worst: {} derived, {} measured, relative error {:.1e}\n",
                rule.name,
                rule.line,
                if kept(rule) { "agrees" } else { "REFUTED" },
                rule.checked,
                show::number(rule.derived),
                show::number(rule.measured),
                rule.worst,
            ));
        }
        out::result(&text, None)?;
    }
    if refuted { Err(Failure::Said(1)) } else { Ok(()) }
}
