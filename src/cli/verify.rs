//! `pullback verify`: gradients against differences, forward mode against reverse mode, the optimised model against the
//! source as written, f32 against f64, and what the file claims.

use super::args::{Common, Verify};
use super::bind::{self, Bound, Missing};
use super::claims::{self, Verdict};
use super::declared;
use super::judge;
use super::out::{self, Failure};
use super::rules::{self, Deviation};
use super::run::{self, How, run};
use super::session::{self, Session};
use super::show;
use super::slopes::{self, Measure, Slopes, TOLERANCE};
use crate::compile::{self, Level, Request};
use crate::graph::{Kind, Model, NodeId};
use crate::ops::Name;
use crate::ops::special::Mode;
use crate::ops::stream::Stream;
use crate::passes::retype;
use crate::tensor::{DType, Tensor};
use serde_json::json;

/// Forward and reverse mode agree if they differ by less.
const DOT: f64 = 1e-9;
/// A model at f32 loses no more digits than its precision explains if it differs by less.
const SINGLE: f64 = 1e-2;

/// What was found of a gradient.
struct Findings {
    of: String,
    slopes: Vec<Slopes>,
    /// Whether `stop_gradient` holds something that would move.
    held: bool,
    /// The entries that are finite where the source is derived as it is written, and how many there are.
    finite: (usize, usize),
    /// The derivative along one direction, by forward mode and by the gradient.
    dot: (f64, f64),
    /// For a model of f32, the largest difference of its gradients to those at f64, relative to the largest entry.
    single: Option<f64>,
    /// What the rules that functions give for themselves deviate by.
    rules: Vec<Deviation>,
}

/// Checks the gradient of the model and its claims, and prints what was found.
pub fn verify(common: &Common, args: &Verify) -> Result<(), Failure> {
    let mut session = session::open(common, &args.model, Some(&args.select))?;
    let claims = claims::claims(common, &session, &args.data)?;
    let only = !claims.is_empty() && args.select.of.is_none() && session.model.loss().is_none();
    let findings = match only {
        true => {
            out::diagnostics(common, &session.warnings, &session.sources);
            None
        }
        false => Some(gradients(common, args, &mut session)?),
    };
    report(common, findings.as_ref(), &claims)
}

fn gradients(common: &Common, args: &Verify, session: &mut Session) -> Result<Findings, Failure> {
    let mut request = session::request(common, session, &args.select)?;
    if request.mode != Mode::Grad || request.order != 1 {
        return Err(Failure::Request(
            "verify checks gradients: leave out --mode and --order".into(),
        ));
    }
    let fit = |misfit: crate::ops::Misfit| Failure::Request(misfit.to_string());
    let written =
        compile::differentiate(&session.model, std::slice::from_ref(&request), Level::Derived)
            .map_err(fit)?;
    let derived = session::derive(common, session, &mut request, Level::Readable)?;
    let wide = |model: &Model| retype(model, DType::F64).map_err(fit);
    let (model, written) = (wide(&derived.model)?, wide(&written.model)?);

    let mut data = args.data.clone();
    data.dtype = Some("f64".into());
    let (of, nodes) = results(&model, &request)?;
    let mut wanted = vec![of];
    wanted.extend(&nodes);
    let mut needed = bind::needed(&model, &wanted);
    let apart = |name: &&Name| model.variables.contains_key(*name) && !needed.contains(name);
    needed.extend(request.wrt.iter().filter(apart).cloned().collect::<Vec<_>>());
    let mut bound = bind::bind(common, &model, &session.sources, &data, &needed, Missing::Drawn)?;
    let how = run::how(&args.machine, false)?;
    let values = run(common, session, &model, &wanted, &bound, &how)?;
    let flops = session::flops_at(&model, &bound.bindings, [of].into_iter());
    let (_, written_nodes) = results(&written, &request)?;
    let written_values = run(common, session, &written, &written_nodes, &bound, &How::Reference)?;

    let held = slopes::held(&model, of, &request.wrt, &mut bound)?;
    let mut slopes = Vec::new();
    let mut finite = (0, 0);
    for (place, name) in request.wrt.iter().enumerate() {
        if !bound.values.contains_key(name) {
            return Err(Failure::Request(format!(
                "`{name}` is no input and no parameter: verify moves those only"
            )));
        }
        let gradient = values[place + 1].to_f64();
        let as_written = written_values[place].to_f64();
        finite.0 += as_written.iter().filter(|value| value.is_finite()).count();
        finite.1 += as_written.len();
        let differs = largest_difference(&gradient, &as_written);
        let measure = Measure { common, session, model: &held.model, how: &how };
        slopes.push(measure.parameter(
            name,
            &gradient,
            differs,
            flops,
            &mut bound,
            args.data.seed(),
        )?);
        if common.verbose {
            out::talk(common.quiet, &format!("checked {name}"));
        }
    }
    let dot = dot(common, session, &request, &values[1..], &bound, args.data.seed())?;
    let single = match session.model.float() {
        DType::F32 => Some(single(common, session, &derived.model, &request, &values, &bound)?),
        _ => None,
    };
    let rules = rules::deviations(common, session, &bound, args.data.seed())?;
    let held = !held.still.is_empty();
    Ok(Findings { of: request.of.to_string(), slopes, held, finite, dot, single, rules })
}

fn results(model: &Model, request: &Request) -> Result<(NodeId, Vec<NodeId>), Failure> {
    let of = model
        .named(&request.of)
        .or_else(|| model.outputs.iter().find(|o| o.name == request.of).map(|o| o.node));
    let of = of.ok_or_else(|| Failure::Request(format!("nothing is called `{}`", request.of)))?;
    let gradients = model.outputs.iter().filter(|output| output.kind == Kind::Gradient);
    Ok((of, gradients.map(|output| output.node).collect()))
}

/// The largest difference of two derivations, relative to the largest entry, where both are finite.
fn largest_difference(one: &[f64], two: &[f64]) -> f64 {
    let scale =
        one.iter().filter(|v| v.is_finite()).fold(1e-300, |scale: f64, v| scale.max(v.abs()));
    let both = one.iter().zip(two).filter(|(a, b)| a.is_finite() && b.is_finite());
    both.map(|(a, b)| (a - b).abs() / scale).fold(0.0, f64::max)
}

/// The derivative along one random direction of all variables: by forward mode, and by the gradient.
fn dot(
    common: &Common,
    session: &Session,
    request: &Request,
    gradients: &[Tensor],
    bound: &Bound,
    seed: u64,
) -> Result<(f64, f64), Failure> {
    let mut model = session.model.clone();
    let mut request = Request { mode: Mode::Jvp, ..request.clone() };
    session::add_vectors(&mut model, &mut request);
    let derived = compile::differentiate(&model, std::slice::from_ref(&request), Level::Readable);
    let fit = |misfit: crate::ops::Misfit| Failure::Request(misfit.to_string());
    let model = retype(&derived.map_err(fit)?.model, DType::F64).map_err(fit)?;
    let (_, tangents) = results(&model, &request)?;
    let mut bound = Bound { values: bound.values.clone(), bindings: bound.bindings.clone() };
    let mut along = 0.0;
    for ((name, vector), gradient) in request.wrt.iter().zip(&request.vectors).zip(gradients) {
        let stream = Stream::new(seed, &format!("dot {name}"));
        let count = gradient.len() as u64;
        let direction: Vec<f64> = (0..count).map(|index| stream.normal(index)).collect();
        let mut direction = Tensor::from_f64(DType::F64, gradient.shape(), direction);
        if session.model.variables.get(name).is_some_and(|variable| variable.symmetric) {
            direction = declared::symmetrised(&direction);
        }
        let moved = direction.to_f64();
        along += gradient.to_f64().iter().zip(&moved).map(|(g, d)| g * d).sum::<f64>();
        bound.values.insert(vector.clone(), direction);
    }
    let found = run(common, session, &model, &tangents, &bound, &How::Reference)?;
    Ok((found.iter().filter_map(Tensor::item).sum(), along))
}

/// How far the model's own precision is from f64.
fn single(
    common: &Common,
    session: &Session,
    model: &Model,
    request: &Request,
    values: &[Tensor],
    bound: &Bound,
) -> Result<f64, Failure> {
    let (of, nodes) = results(model, request)?;
    let mut wanted = vec![of];
    wanted.extend(nodes);
    let narrow = |tensor: &Tensor| match tensor.dtype() {
        DType::F64 => tensor.cast(DType::F32),
        _ => tensor.clone(),
    };
    let values32 = bound.values.iter().map(|(name, value)| (name.clone(), narrow(value)));
    let narrow = Bound { values: values32.collect(), bindings: bound.bindings.clone() };
    let found = run(common, session, model, &wanted, &narrow, &How::Reference)?;
    let pairs = values.iter().zip(&found);
    Ok(pairs.map(|(a, b)| largest_difference(&a.to_f64(), &b.to_f64())).fold(0.0, f64::max))
}

impl Findings {
    /// How far forward and reverse mode are apart.
    fn apart(&self) -> f64 {
        let (forward, reverse) = self.dot;
        if forward == reverse {
            return 0.0;
        }
        (forward - reverse).abs() / forward.abs().max(reverse.abs()).max(1e-6)
    }

    /// How far the optimised gradient is from the one of the source as it is written.
    fn optimised(&self) -> f64 {
        self.slopes.iter().map(|slopes| slopes.written).fold(0.0, f64::max)
    }

    fn holds(&self) -> bool {
        self.slopes.iter().all(Slopes::holds)
            && self.apart() < DOT
            && self.rules.iter().all(|rule| rule.worst < TOLERANCE)
    }

    fn lines(&self) -> String {
        let width = self.slopes.iter().map(|slopes| slopes.name.len()).max().unwrap_or(0);
        let held = match self.held {
            true => ", what `stop_gradient` holds standing still",
            false => "",
        };
        let mut text =
            format!("gradient of {} against central differences in f64{held}\n", self.of);
        self.slopes.iter().for_each(|slopes| text += &slopes.lines(width));
        let (forward, reverse) = self.dot;
        text += &format!(
            "forward mode against reverse mode, along one random direction\n  {}  {} by jvp, {} by the gradient, relative \
             error {:.1e}\n",
            if self.apart() < DOT { "agrees" } else { "REFUTED" },
            show::number(forward),
            show::number(reverse),
            self.apart(),
        );
        let word = if self.optimised() < TOLERANCE { "agrees" } else { "REFUTED" };
        text += "optimised against the source as written (-O0)\n";
        text += &match self.finite {
            (0, all) if all > 0 => "  no entry is finite at -O0\n".to_string(),
            (finite, all) => {
                let rest = match all - finite {
                    0 => String::new(),
                    _ => format!(", in the {finite} of {all} entries that are finite at -O0"),
                };
                format!("  {word}  relative error {:.1e}{rest}\n", self.optimised())
            }
        };
        if let Some(single) = self.single {
            let word = if single < SINGLE { "agrees" } else { "loses digits" };
            text += &format!("f32 against f64\n  {word}  relative error {single:.1e}\n");
        }
        if !self.rules.is_empty() {
            text += "rules of functions (vjp) against central differences of their bodies\n";
        }
        for rule in &self.rules {
            text += &format!(
                "  {}, called on line {}  {}  {} entries  worst: {} derived, {} measured, relative error {:.1e}\n",
                rule.name,
                rule.line,
                if rule.worst < TOLERANCE { "agrees" } else { "REFUTED" },
                rule.checked,
                show::number(rule.derived),
                show::number(rule.measured),
                rule.worst,
            );
        }
        text
    }
}

fn report(common: &Common, findings: Option<&Findings>, claims: &[Verdict]) -> Result<(), Failure> {
    let good =
        findings.is_none_or(Findings::holds) && claims.iter().all(|claim| claim.judgement.holds());
    if common.json {
        let mut document = json!({"v": 1, "ok": good});
        if let Some(findings) = findings {
            document["of"] = json!(findings.of);
            document["held"] = json!(findings.held);
            document["gradients"] = findings.slopes.iter().map(Slopes::json).collect();
            document["dot"] = json!({"jvp": findings.dot.0, "gradient": findings.dot.1,
                "error": findings.apart(), "ok": findings.apart() < DOT});
            document["optimised"] = json!({"error": findings.optimised(), "finite": findings.finite.0,
                "entries": findings.finite.1, "ok": findings.optimised() < TOLERANCE});
            document["f32_vs_f64"] = json!(findings.single);
            let rules = findings.rules.iter().map(|rule| {
                json!({"function": rule.name, "line": rule.line, "checked": rule.checked, "error": rule.worst,
                    "derived": rule.derived, "measured": rule.measured, "ok": rule.worst < TOLERANCE})
            });
            if !findings.rules.is_empty() {
                document["rules"] = rules.collect();
            }
        }
        document["claims"] = claims.iter().map(Verdict::json).collect();
        out::result(&format!("{document}\n"), None)?;
    } else {
        let mut text = findings.map(Findings::lines).unwrap_or_default();
        if !claims.is_empty() {
            text += "claims\n";
            claims.iter().for_each(|claim| text += &claim.lines());
        }
        out::result(&text, None)?;
    }
    judge::ended(good, claims.iter().map(|claim| &claim.judgement))
}
