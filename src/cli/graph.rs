//! `pullback graph`: prints the forward graph.

use super::args::{Common, Form, Graph};
use super::cost;
use super::grad::form;
use super::out::{self, Failure};
use super::session;
use crate::compile::{self, Level};
use crate::export;
use crate::graph::print::{Part, print, print_folded};

/// Reads the model and prints it in the form asked for.
pub fn graph(common: &Common, args: &Graph) -> Result<(), Failure> {
    let session = session::open(common, &args.model, None)?;
    out::diagnostics(common, &session.warnings, &session.sources);
    let (model, _) = compile::forward(&session.model, Level::Derived)
        .map_err(|misfit| Failure::Request(misfit.to_string()))?;
    let path = args.target.output.as_deref();
    let text = match form(args.target.to, path, common.json)? {
        Form::Nn if args.cost => print(&model, Part::Whole).text + &cost::lines(&model),
        Form::Nn if args.target.fold => print_folded(&model, Part::Whole).text,
        Form::Nn => print(&model, Part::Whole).text,
        Form::Json => format!("{}\n", export::json(&model, args.target.fold)),
        Form::Dot => export::dot(&model, args.target.fold),
        Form::Mermaid => export::mermaid(&model, args.target.fold),
        Form::Latex => export::latex(&model, Part::Whole, None),
        Form::Svg | Form::Html => {
            return Err(Failure::Request(
                "the reverse network is drawn by grad: take --to dot or mermaid here".into(),
            ));
        }
    };
    out::result(&text, path)
}
