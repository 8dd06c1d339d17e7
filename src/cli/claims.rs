//! `expect a == b`: what is claimed to be equal is judged.

use super::args::{Common, Data};
use super::judge::{self, Judgement};
use super::out::Failure;
use super::session::Session;
use crate::compile;
use crate::passes::retype;
use crate::tensor::DType;
use serde_json::{Value, json};

/// What has come of a claim.
pub struct Verdict {
    /// The line of the claim.
    line: usize,
    /// The claim as it is written.
    text: String,
    /// What it comes to.
    pub judgement: Judgement,
}

/// Judges each claim of a model: the numbers are those of the sides as they are written, whatever the laws make of them.
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
            let wide = retype(&written, DType::F64).map_err(fit)?;
            let sides = [(wide.outputs[0].node, wide.outputs[1].node)];
            let numbers = judge::compared(common, &session.sources, &wide, &sides, data)?;
            let numbers = numbers.into_iter().next().unwrap_or_default();
            let judgement = judge::judged(compile::prove(&written), numbers);
            Ok(Verdict { line: model.line(span), text, judgement })
        })
        .collect()
}

impl Verdict {
    /// The verdict for people.
    pub fn lines(&self) -> String {
        let mut text = format!("  :{}  {}  {}\n", self.line, self.judgement.word(), self.text);
        self.judgement.lines().iter().for_each(|line| text.push_str(&format!("      {line}\n")));
        text
    }

    /// The verdict for programs.
    pub fn json(&self) -> Value {
        let mut value = json!({"line": self.line, "claim": self.text});
        self.judgement.add_to(&mut value);
        value
    }
}
