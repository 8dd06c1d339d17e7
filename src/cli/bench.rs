//! `pullback bench`: time, work and memory of a call, and of each of its steps.

use super::args::{Bench, Common};
use super::bind::{self, Missing};
use super::memory;
use super::out::{self, Failure};
use super::run;
use super::session::{self, Session};
use super::show::si;
use crate::compile::{self, Level};
use crate::exec::plan::{Cost, Engine, Options, Plan, State};
use crate::graph::{Kind, Model, NodeId, Origins, Values};
use crate::ops::{Bindings, Number, Op, Scalar};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows of the table of steps.
const ROWS: usize = 20;

/// Times in seconds, sorted.
struct Times(Vec<f64>);

impl Times {
    fn at(&self, part: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * part).round() as usize]
    }

    /// How many are further above the upper quartile than thrice the distance between the quartiles.
    fn outliers(&self) -> usize {
        let (low, high) = (self.at(0.25), self.at(0.75));
        self.0.iter().filter(|&&time| time > high + 3.0 * (high - low)).count()
    }
}

/// Measures what the arguments name.
pub fn bench(common: &Common, args: &Bench) -> Result<(), Failure> {
    let engine = run::engine(&args.machine)?;
    let mut session = session::open(common, &args.model, Some(&args.select))?;
    let begun = Instant::now();
    let mut model = derived(common, args, &mut session)?;
    session.forget();
    super::eval::precision(&mut model, &args.data)?;
    if let Some(rate) = args.step {
        descend(&mut model, rate)?;
    }
    let derive = begun.elapsed();
    let wanted: Vec<NodeId> = model
        .outputs
        .iter()
        .filter(|output| match output.kind {
            Kind::Gradient => args.step.is_none(),
            Kind::Loss => true,
            Kind::Output | Kind::Metric => args.all || args.forward,
        })
        .map(|output| output.node)
        .collect();
    let roots: Vec<NodeId> = wanted.iter().chain(model.updates.values()).copied().collect();
    if roots.is_empty() {
        let message = "nothing to measure: the model has no loss; --forward measures its outputs";
        return Err(Failure::Request(message.into()));
    }
    let needed = bind::needed(&model, &roots);
    let bound = bind::bind(common, &model, &session.sources, &args.data, &needed, Missing::Drawn)?;
    let refused = |error| run::refused(common, &session, &model, &error);
    let begun = Instant::now();
    let options = Options { updates: args.step.is_some(), budget: args.machine.mem };
    let plan = Plan::with(&model, &wanted, &bound.bindings, options).map_err(refused)?;
    let planning = begun.elapsed();
    let mut state = plan.state(&engine).map_err(refused)?;
    plan.bind(&mut state, &bound.values).map_err(refused)?;
    plan.run(&mut state).map_err(refused)?;
    let times = measure(args.seconds, || {
        let _ = plan.run(&mut state);
    });
    let costs = plan.costs();
    let steps = if args.nodes { by_step(&plan, &mut state, &costs) } else { Vec::new() };
    let report = Report {
        session: &session,
        model: &model,
        plan: &plan,
        engine: &engine,
        times,
        costs,
        steps,
        derive,
        planning,
    };
    let text = if common.json { format!("{}\n", report.json()) } else { report.text(args) };
    out::result(&text, None)
}

fn derived(common: &Common, args: &Bench, session: &mut Session) -> Result<Model, Failure> {
    let gradient = !args.forward
        && (args.select.of.is_some() || compile::default_request(&session.model).is_some());
    if !gradient {
        out::diagnostics(common, &session.warnings, &session.sources);
        let forward = compile::forward(&session.model, Level::Readable);
        return Ok(forward.map_err(|misfit| Failure::Request(misfit.to_string()))?.0);
    }
    let mut request = session::request(common, session, &args.select)?;
    Ok(session::derive(common, session, &mut request, Level::Readable)?.model)
}

/// Has each run move the variables against their gradients: `w - rate * d_w`.
fn descend(model: &mut Model, rate: f64) -> Result<(), Failure> {
    let gradients: Vec<(String, NodeId)> = model
        .outputs
        .iter()
        .filter(|output| output.kind == Kind::Gradient)
        .filter_map(|output| Some((output.name.strip_prefix("d_")?.to_string(), output.node)))
        .collect();
    for (name, gradient) in gradients {
        let Some((name, variable)) = model.variables.get_key_value(name.as_str()) else { continue };
        let (name, node) = (name.clone(), variable.node);
        let origins = Origins::default();
        let rate = model.number(model.ty(node).dtype, Number::float(rate), &origins);
        let step = model.insert(Scalar::Mul, &[gradient, rate], &origins);
        let moved = step.and_then(|step| model.insert(Scalar::Sub, &[node, step], &origins));
        model.updates.insert(name, moved.map_err(|misfit| Failure::Request(misfit.to_string()))?);
    }
    Ok(())
}

/// Times of calls for about so many seconds, several calls at a time where they are short.
fn measure(seconds: f64, mut call: impl FnMut()) -> Times {
    let budget = Duration::from_secs_f64(seconds.clamp(0.01, 3600.0));
    let (begun, mut calls) = (Instant::now(), 0u32);
    while calls < 1 || begun.elapsed() < budget / 4 {
        call();
        calls += 1;
    }
    let each = begun.elapsed().as_secs_f64() / f64::from(calls);
    let inner = (200e-6 / each.max(1e-9)).clamp(1.0, 1e6) as u32;
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || begun.elapsed() < budget {
        let start = Instant::now();
        (0..inner).for_each(|_| call());
        times.push(start.elapsed().as_secs_f64() / f64::from(inner));
    }
    times.sort_by(f64::total_cmp);
    Times(times)
}

/// The least time of each step.
fn by_step(plan: &Plan, state: &mut State, costs: &[Cost]) -> Vec<f64> {
    let mut least = vec![f64::INFINITY; costs.len()];
    for _ in 0..20 {
        for (step, least) in least.iter_mut().enumerate() {
            let start = Instant::now();
            if plan.run_step(state, step).is_ok() {
                *least = least.min(start.elapsed().as_secs_f64());
            }
        }
    }
    least
}

/// The rate of a large product on the same engine, in flops a second: the peak that shares are of.
fn peak(engine: &Arc<Engine>) -> Option<f64> {
    const SIZE: i64 = 512;
    let text = format!("input a, b: f32[{SIZE}, {SIZE}]\noutput c = a @ b\n");
    let model = compile::read(&text, &[]).model?;
    let plan = Plan::new(&model, &[model.outputs[0].node], &Bindings::default()).ok()?;
    let mut state = plan.state(engine).ok()?;
    let one = crate::tensor::Tensor::full(crate::tensor::DType::F32, &[SIZE as usize; 2], 1.0);
    let values: Values = model.variables.keys().map(|name| (name.clone(), one.clone())).collect();
    plan.bind(&mut state, &values).ok()?;
    let times = measure(0.3, || {
        let _ = plan.run(&mut state);
    });
    Some(2.0 * (SIZE as f64).powi(3) / times.at(0.0))
}

struct Report<'a> {
    session: &'a Session,
    model: &'a Model,
    plan: &'a Plan,
    engine: &'a Arc<Engine>,
    times: Times,
    costs: Vec<Cost>,
    steps: Vec<f64>,
    derive: Duration,
    planning: Duration,
}

impl Report<'_> {
    fn flops(&self) -> f64 {
        self.costs.iter().map(|cost| cost.flops).sum()
    }

    fn bytes(&self) -> f64 {
        self.costs.iter().map(|cost| cost.bytes).sum()
    }

    /// The line of the text that a step is mostly for, and whether it is of a derivative.
    fn place(&self, cost: &Cost) -> (Option<usize>, bool) {
        let origins = cost.nodes.iter().map(|&node| self.model.origins(node));
        let line =
            origins.clone().filter_map(|o| o.span()).map(|span| self.model.line(span)).next_back();
        let adjoint = |origins: &Origins| {
            origins.iter().any(|o| matches!(o, crate::graph::Origin::Adjoint { .. }))
        };
        (line, origins.clone().next_back().is_some_and(adjoint))
    }

    fn words(&self, cost: &Cost) -> String {
        let mut words: Vec<String> = Vec::new();
        for &node in &cost.nodes {
            let word = match self.model.op(node) {
                Op::Variable(variable) => variable.name.to_string(),
                op => crate::ops::Operator::name(op).into_owned(),
            };
            if words.last() != Some(&word) {
                words.push(word);
            }
        }
        if words.len() > 6 {
            let rest = words.len() - 5;
            words.truncate(5);
            words.push(format!("{rest} more"));
        }
        words.join(" ")
    }

    /// The steps, the slowest first.
    fn slowest(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.steps.len()).collect();
        order.sort_by(|&a, &b| self.steps[b].total_cmp(&self.steps[a]));
        order
    }

    fn json(&self) -> Value {
        let least = self.times.at(0.0);
        let mut document = json!({
            "v": 1,
            "threads": self.engine.pool.team().size(),
            "simd": self.engine.level.name(),
            "ms_min": least * 1e3,
            "ms_median": self.times.at(0.5) * 1e3,
            "ms_p90": self.times.at(0.9) * 1e3,
            "samples": self.times.0.len(),
            "outliers": self.times.outliers(),
            "flops": self.flops(),
            "bytes": self.bytes(),
            "gflops": self.flops() / least / 1e9,
            "gbytes": self.bytes() / least / 1e9,
            "peak_gflops": peak(self.engine).map(|rate| rate / 1e9),
            "memory": self.plan.bytes(),
            "budget": memory::json(self.plan),
            "steps": self.costs.len(),
            "nodes": self.model.len(),
            "derive_ms": self.derive.as_secs_f64() * 1e3,
            "plan_ms": self.planning.as_secs_f64() * 1e3,
        });
        if !self.steps.is_empty() {
            let steps = self.slowest().into_iter().map(|step| {
                let cost = &self.costs[step];
                let (line, adjoint) = self.place(cost);
                json!({"step": step, "ms_min": self.steps[step] * 1e3, "line": line, "adjoint": adjoint, "what": cost.what,
                    "operators": self.words(cost), "flops": cost.flops, "bytes": cost.bytes})
            });
            document["by_step"] = steps.collect();
        }
        document
    }

    fn text(&self, args: &Bench) -> String {
        let least = self.times.at(0.0);
        let what = match (args.step, args.forward) {
            (Some(_), _) => "one step of descent",
            (None, true) => "values",
            _ => "value and gradient",
        };
        let mut text = format!(
            "{what} of {}: {} steps, {} threads, {}\n",
            self.session.sources[0].0,
            self.costs.len(),
            self.engine.pool.team().size(),
            self.engine.level.name()
        );
        let mut line = |name: &str, value: String| text.push_str(&format!("  {name:7} {value}\n"));
        line(
            "time",
            format!(
                "{}  median {}, 90% within {}; {} of {} samples are outliers",
                duration(least),
                duration(self.times.at(0.5)),
                duration(self.times.at(0.9)),
                self.times.outliers(),
                self.times.0.len()
            ),
        );
        line("work", format!("{}flop, {}B read and written", si(self.flops()), si(self.bytes())));
        let share = peak(self.engine).map_or(String::new(), |peak| {
            format!(
                ", {:.0} % of the {}flop/s of a large f32 product",
                100.0 * self.flops() / least / peak,
                si(peak)
            )
        });
        line(
            "rate",
            format!("{}flop/s{share}, {}B/s", si(self.flops() / least), si(self.bytes() / least)),
        );
        line("memory", memory::said(self.plan));
        line(
            "compile",
            format!(
                "{} to derive, {} to plan",
                duration(self.derive.as_secs_f64()),
                duration(self.planning.as_secs_f64())
            ),
        );
        if !self.steps.is_empty() {
            let sum: f64 = self.steps.iter().sum();
            text.push_str("    time       share  line  flop      what\n");
            for step in self.slowest().into_iter().take(ROWS) {
                let cost = &self.costs[step];
                let (line, adjoint) = self.place(cost);
                text.push_str(&format!(
                    "    {:9}  {:4.1} %  {:>4}  {:8}  {}{}: {}\n",
                    duration(self.steps[step]),
                    100.0 * self.steps[step] / sum,
                    line.map_or("-".to_string(), |line| line.to_string()),
                    si(cost.flops),
                    if adjoint { "adjoint " } else { "" },
                    cost.what,
                    self.words(cost)
                ));
            }
        }
        text
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.1} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} us", s * 1e6),
        s if s < 1.0 => format!("{:.3} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
