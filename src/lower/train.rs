//! Training defaults: the settings of a `train` block, checked.

use super::usage::counted;
use super::{Lowerer, Value};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::graph::train::{Batch, Limit, METHODS, Row, Rule, SCHEDULES, Training};
use crate::ops::{Name, Number, Term};
use crate::syntax::ast::{Arg, Call, ExprId, ExprKind};
use crate::tensor::DType;
use rustc_hash::FxHashMap;

/// The settings besides the optimiser.
const SETTINGS: [&str; 9] = [
    "batch",
    "epochs",
    "seed",
    "val",
    "clip",
    "clip_value",
    "weight_decay",
    "accumulate",
    "schedule",
];

impl Lowerer {
    /// Checks a `train` block and keeps it; a file has one.
    pub(super) fn training(&mut self, settings: &[Arg], span: Span) {
        if let Some(first) = self.trained {
            self.say(
                Diagnostic::error("E0102", span, "the model is given two `train` blocks")
                    .label(first, "the first one")
                    .help("put all settings in one block"),
            );
            return;
        }
        self.trained = Some(span);
        let mut training = Training::default();
        let mut seen: FxHashMap<Name, Span> = FxHashMap::default();
        for setting in settings {
            let at =
                setting.name.as_ref().map_or_else(|| self.span(setting.value), |name| name.span);
            let name: Name = match &setting.name {
                Some(name) => name.text.clone(),
                None => "optimiser".into(),
            };
            if let Some(first) = seen.get(&name) {
                let message = match setting.name {
                    Some(_) => format!("`{name}` is set twice"),
                    None => "a model is trained by one optimiser".to_string(),
                };
                self.say(
                    Diagnostic::error("E0102", at, message)
                        .label(*first, "first set here")
                        .help("remove one of the two"),
                );
                continue;
            }
            seen.insert(name.clone(), at);
            match setting.name {
                Some(_) => self.setting(&mut training, &name, at, setting.value),
                None => {
                    if let Some(call) = self.rule_call(setting.value, "an optimiser", METHODS) {
                        training.optimiser = self.rule(&call, "optimiser", METHODS);
                    }
                }
            }
        }
        self.model.training = Some(training);
    }

    fn setting(&mut self, training: &mut Training, name: &str, at: Span, value: ExprId) {
        let whole = |number: Option<Number>| number.and_then(Number::to_i64).map(|n| n as u64);
        match name {
            "batch" if matches!(&self.unit().ast[value].kind, ExprKind::Name(word) if &**word == "all") =>
            {
                training.batch = Some(Batch::All);
            }
            "batch" => {
                let rows = self.limited(name, value, Limit::Count, ", or `all`");
                training.batch = whole(rows).map(Batch::Rows);
            }
            "epochs" => training.epochs = whole(self.limited(name, value, Limit::Whole, "")),
            "seed" => training.seed = whole(self.limited(name, value, Limit::Whole, "")),
            "val" => training.val = self.limited(name, value, Limit::Fraction, ""),
            "clip" => training.clip = self.limited(name, value, Limit::Positive, ""),
            "clip_value" => training.clip_value = self.limited(name, value, Limit::Positive, ""),
            "accumulate" => {
                training.accumulate = whole(self.limited(name, value, Limit::Count, ""));
            }
            "weight_decay" => {
                training.weight_decay = self.limited(name, value, Limit::NotNegative, "")
            }
            "schedule" => {
                if let Some(call) = self.rule_call(value, "a schedule", SCHEDULES) {
                    training.schedule = self.rule(&call, "schedule", SCHEDULES);
                }
            }
            _ => {
                let of =
                    METHODS.iter().find(|(.., params)| params.iter().any(|(own, ..)| *own == name));
                let help = match (of, nearest(name, SETTINGS)) {
                    (Some((_, method, _)), _) => {
                        format!("give it to the optimiser, as in `{method}({name} = ...)`")
                    }
                    (_, Some(near)) => format!("did you mean `{near}`?"),
                    _ => format!("the settings are {}", listed(&SETTINGS)),
                };
                let message = format!("training has no setting `{name}`");
                self.say(Diagnostic::error("E0127", at, message).help(help));
            }
        }
    }

    /// A number within its limit.
    fn limited(&mut self, name: &str, value: ExprId, limit: Limit, more: &str) -> Option<Number> {
        let at = self.span(value);
        let number = match self.expr(value)? {
            Value::Free(Term::Size(size)) => {
                self.model.dims.resolve(&size).known().map(Number::int)
            }
            Value::Free(term) => {
                let node = self.model.plant(&term, &[], DType::F64, &Default::default()).ok();
                node.and_then(|node| self.model.constant(node))
            }
            _ => None,
        };
        if let Some(number) = number.filter(|number| limit.holds(*number)) {
            return Some(number);
        }
        let message = format!("`{name}` is {limit}{more}");
        let diagnostic = Diagnostic::error("E0127", at, message);
        self.say(match number {
            Some(number) => {
                diagnostic.at(format!("this is {number}")).help("choose another number")
            }
            None => diagnostic.help("settings are known before the run: write the number"),
        });
        None
    }

    /// The call that gives a rule its numbers.
    fn rule_call<K>(&mut self, value: ExprId, what: &str, table: &[Row<K>]) -> Option<Call> {
        match &self.unit().ast[value].kind {
            ExprKind::Error => None,
            ExprKind::Call(call) => Some((**call).clone()),
            _ => {
                let names: Vec<String> =
                    table.iter().map(|(_, name, _)| format!("{name}()")).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let message = format!("{what} is written as a call");
                let at = self.span(value);
                self.say(
                    Diagnostic::error("E0127", at, message)
                        .help(format!("write one of {}", listed(&names))),
                );
                None
            }
        }
    }

    fn rule<K: Copy>(&mut self, call: &Call, what: &str, table: &[Row<K>]) -> Option<Rule<K>> {
        let name = &*call.callee.text;
        let Some((kind, _, params)) = table.iter().find(|(_, known, _)| *known == name) else {
            let names: Vec<&str> = table.iter().map(|(_, name, _)| *name).collect();
            let help = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the {what}s are {}", listed(&names)),
            };
            let message = format!("no {what} is called `{name}`");
            self.say(Diagnostic::error("E0127", call.callee.span, message).help(help));
            return None;
        };
        let usual = params.iter().map(|(.., usual)| Number::parse(usual).expect("a number"));
        let mut numbers: Vec<Number> = usual.collect();
        let mut given = vec![false; params.len()];
        let mut whole = true;
        for (place, arg) in call.args.iter().enumerate() {
            let (at, found) = match &arg.name {
                Some(own) => (own.span, params.iter().position(|(known, ..)| *known == &*own.text)),
                None => (self.span(arg.value), Some(place).filter(|place| *place < params.len())),
            };
            let Some(place) = found.filter(|place| !given[*place]) else {
                let known: Vec<&str> = params.iter().map(|(known, ..)| *known).collect();
                let near =
                    arg.name.as_ref().and_then(|own| nearest(&own.text, known.iter().copied()));
                let message = match (&arg.name, found) {
                    (Some(own), None) => format!("`{name}` has no number `{}`", own.text),
                    (None, None) => format!("`{name}` takes {}", counted(params.len(), "number")),
                    (_, Some(place)) => format!("`{}` of `{name}` is given twice", params[place].0),
                };
                let help = match (near, known.is_empty()) {
                    (Some(near), _) if found.is_none() => format!("did you mean `{near}`?"),
                    (_, true) => format!("write `{name}()`"),
                    _ => format!("it has {}", listed(&known)),
                };
                self.say(Diagnostic::error("E0127", at, message).help(help));
                whole = false;
                continue;
            };
            given[place] = true;
            match self.limited(params[place].0, arg.value, params[place].1, "") {
                Some(number) => numbers[place] = number,
                None => whole = false,
            }
        }
        whole.then_some(Rule { kind: *kind, numbers })
    }
}

/// `a`, `b` and `c`.
fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
