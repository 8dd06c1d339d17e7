//! Repetition: blocks unrolled, each round with parameters of its own.

use super::layer::Owner;
use super::usage::counted;
use super::{Lowerer, Meaning, Scope, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::ops::Term;
use crate::syntax::ast::{ExprId, Repeat};
use crate::tensor::DType;

/// How many rounds are unrolled in all.
const ROUNDS: usize = 10_000;

/// How many values a model has at most when another round is unrolled.
const VALUES: usize = 1_000_000;

impl Lowerer {
    /// The last values of the carries of a block.
    pub(super) fn repeat(&mut self, repeat: &Repeat, span: Span) -> Option<Value> {
        let count = self.count(repeat.count);
        let mut values = Vec::new();
        for (_, first) in &repeat.carries {
            let at = self.span(*first);
            values.push(self.expr(*first).and_then(|value| self.carried(value, at)));
        }
        let count = count?;
        let mut values = values.into_iter().collect::<Option<Vec<Value>>>()?;
        let owner = self.instance(repeat.instance.as_ref(), span);
        for round in 0..count {
            self.rounds += 1;
            if self.rounds > ROUNDS || self.model.len() > VALUES {
                self.too_long(repeat, count);
                return None;
            }
            let owner = match &owner {
                Owner::Named(prefix) => Owner::Named(format!("{prefix}{round}.").into()),
                nobody => nobody.clone(),
            };
            let errors = self.errors;
            self.scopes.push(Scope { open: true, owner: owner.clone(), ..Scope::default() });
            self.calls.push((".repeat".into(), span));
            let next = self.round(repeat, values);
            self.calls.pop();
            self.scopes.pop();
            if self.errors > errors {
                return None;
            }
            values = next?;
            if !repeat.body.results.is_empty() {
                for ((name, _), value) in repeat.carries.iter().zip(&values) {
                    let carry = Some(name).filter(|_| values.len() > 1);
                    self.name_result(&owner, carry, value);
                }
            }
        }
        match <[Value; 1]>::try_from(values) {
            Ok([one]) => Some(one),
            Err(several) => Some(Value::Several(several)),
        }
    }

    /// How often, which is known before the run.
    fn count(&mut self, id: ExprId) -> Option<usize> {
        let size = self.size(id)?;
        let resolved = self.model.dims.resolve(&size);
        let at = self.place(self.span(id));
        let (message, help) = match resolved.known() {
            Some(count) if (0..=ROUNDS as i64).contains(&count) => return Some(count as usize),
            Some(count) if count < 0 => (
                format!("a block cannot repeat {count} times"),
                "write a count of 0 or more".into(),
            ),
            Some(count) => (
                format!("{count} rounds are too many to unroll; at most {ROUNDS} are"),
                "a `scan` is a loop at run time, of any length".into(),
            ),
            None => (
                format!("a block repeats a known number of times; `{size}` has no number"),
                match size.name() {
                    Some(name) => format!("give it one, `dim {name} = 12`, or write a `scan`"),
                    None => "write the number, or a `scan`, which is a loop at run time".into(),
                },
            ),
        };
        self.say(Diagnostic::error("E0123", at, message).help(help));
        None
    }

    fn too_long(&mut self, repeat: &Repeat, count: usize) {
        let at = self.place(self.span(repeat.count));
        let message = match self.rounds > ROUNDS {
            true => format!("the model unrolls more than {ROUNDS} rounds"),
            false => format!("the model has more than {VALUES} values while this unrolls"),
        };
        self.say(
            Diagnostic::error("E0123", at, message)
                .at(format!("{} here", counted(count, "round")))
                .help("repeat less often, or write a `scan`, which is a loop at run time"),
        );
    }

    /// One round: the next values of the carries.
    fn round(&mut self, repeat: &Repeat, values: Vec<Value>) -> Option<Vec<Value>> {
        for ((name, _), value) in repeat.carries.iter().zip(values) {
            self.define(&name.text, name.span, Meaning::Value(value));
        }
        let carries = repeat.carries.iter().map(|(name, _)| name.text.clone()).collect();
        self.scopes.last_mut().expect("the scope of the round").carried = carries;
        self.statements(&repeat.body)?;
        let results: Vec<(Value, Span)> = match repeat.body.results.as_slice() {
            [] => repeat
                .carries
                .iter()
                .map(|(name, _)| Some((self.name(&name.text, name.span)?, name.span)))
                .collect::<Option<_>>()?,
            results => {
                let values = results.iter().map(|&id| Some((self.expr(id)?, self.span(id))));
                values.collect::<Vec<_>>().into_iter().collect::<Option<_>>()?
            }
        };
        let results = match <[(Value, Span); 1]>::try_from(results) {
            Ok([(Value::Several(values), at)]) => {
                values.into_iter().map(|value| (value, at)).collect()
            }
            Ok(one) => one.into(),
            Err(several) => several,
        };
        if results.len() != repeat.carries.len() {
            let at = repeat.body.results.first().map_or(repeat.body.span, |id| self.span(*id));
            let (given, carries) = (results.len(), repeat.carries.len());
            let message = format!(
                "the block gives {} for {}",
                counted(given, "value"),
                if carries == 1 { "1 carry".into() } else { format!("{carries} carries") }
            );
            self.say(
                Diagnostic::error("E0207", self.place(at), message)
                    .help("give the next value of each carry in order: `yield a, b`"),
            );
            return None;
        }
        results.into_iter().map(|(value, at)| self.carried(value, at)).collect()
    }

    /// A value as it goes round: what has no element type yet is computed, so that it does not grow.
    pub(super) fn carried(&mut self, value: Value, span: Span) -> Option<Value> {
        let Value::Free(Term::Apply(_)) = &value else { return self.settled(value, span) };
        let Value::Free(term) = &value else { return Some(value) };
        let exact = self.model.plant(term, &[], DType::F64, &Default::default()).ok();
        match exact.and_then(|node| self.model.constant(node)) {
            Some(number) => Some(Value::Free(Term::Number(number))),
            None => Some(Value::Node(self.typed(value, self.float, span)?)),
        }
    }
}
