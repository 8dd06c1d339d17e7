//! `pullback grad`: prints the derived gradient graph.

use super::args::{Common, Form, Grad};
use super::check::counted;
use super::cost;
use super::diff;
use super::explain;
use super::out::{self, Failure};
use super::session::{self, Session};
use crate::compile::lecture::lecture;
use crate::compile::{Derived, Request};
use crate::export;
use crate::graph::print::{Part, Printed, print, print_folded};
use crate::graph::{Kind, Model};
use crate::ops::Size;
use crate::ops::special::Mode;
use std::path::Path;

/// Derives what is asked for and prints it.
pub fn grad(common: &Common, args: &Grad) -> Result<(), Failure> {
    if let Some(other) = &args.diff {
        return diff::diff(common, args, other);
    }
    let mut session = session::open(common, &args.model, Some(&args.select))?;
    let mut request = session::request(common, &session, &args.select)?;
    let mut rounds = Vec::new();
    let mut watch = |model: &Model, live: &[bool]| {
        if args.passes {
            rounds.push((live.iter().filter(|live| **live).count(), model.flops(live)));
        }
    };
    let level = args.optimise.level();
    let derived = session::derive_watched(common, &mut session, &mut request, level, &mut watch)?;
    if args.passes {
        passes(common, &session, &derived, &rounds);
    }
    let path = args.target.output.as_deref();
    let text = match form(args.target.to, path, common.json)? {
        Form::Nn => {
            let part = if args.full || path.is_some() { Part::Whole } else { Part::Adjoint };
            let print = if args.target.fold { print_folded } else { print };
            let text = text(&session, &request, &derived.model, print(&derived.model, part));
            if args.cost { text + &cost::lines(&derived.model) } else { text }
        }
        Form::Json => format!("{}\n", export::json(&derived.model, args.target.fold)),
        Form::Dot => export::dot(&derived.model, args.target.fold),
        Form::Mermaid => export::mermaid(&derived.model, args.target.fold),
        Form::Latex => {
            let part = if args.full { Part::Whole } else { Part::Adjoint };
            let first = request.mode == Mode::Grad && request.order == 1;
            export::latex(&derived.model, part, first.then_some(&*request.of))
        }
        form @ (Form::Svg | Form::Html) => picture(&session, &request, form)?,
    };
    out::result(&text, path)?;
    let partial = !args.full && path.is_none() && args.target.to.is_none() && !common.json;
    if partial && common.verbose {
        out::talk(common.quiet, "note: this is the adjoint part; --full prints the complete model");
    }
    Ok(())
}

/// The reverse network of a gradient; in a page with its derivation.
fn picture(session: &Session, request: &Request, form: Form) -> Result<String, Failure> {
    if request.mode != Mode::Grad || request.order != 1 {
        return Err(Failure::Request(
            "the reverse network is that of a gradient: take --to dot or mermaid here".into(),
        ));
    }
    let lecture = lecture(&session.model, &request.of, &request.wrt)
        .map_err(|misfit| Failure::Request(misfit.to_string()))?;
    let title = format!("The reverse network of {}", request.of);
    let picture = export::network::svg(&title, &explain::network(&lecture));
    match form {
        Form::Html => explain::page(session, &lecture, picture),
        _ => Ok(picture),
    }
}

/// The form that is meant: what --to says, else the suffix of the file.
pub fn form(to: Option<Form>, path: Option<&Path>, json: bool) -> Result<Form, Failure> {
    if let Some(form) = to {
        return Ok(form);
    }
    match path.and_then(|path| path.extension()).and_then(|suffix| suffix.to_str()) {
        None if json => Ok(Form::Json),
        None | Some("nn") => Ok(Form::Nn),
        Some("json") => Ok(Form::Json),
        Some("dot" | "gv") => Ok(Form::Dot),
        Some("mmd" | "mermaid") => Ok(Form::Mermaid),
        Some("tex") => Ok(Form::Latex),
        Some("svg") => Ok(Form::Svg),
        Some("html" | "htm") => Ok(Form::Html),
        Some(other) => Err(Failure::Request(format!(
            "no form has the suffix .{other}: say --to nn, json, dot, mermaid, latex, svg or html"
        ))),
    }
}

fn text(session: &Session, request: &Request, model: &Model, printed: Printed) -> String {
    let statements = printed.adjoint_statements;
    let before = session::flops(model, |kind| kind != Kind::Gradient);
    let forward = session::flops(model, |kind| kind == Kind::Loss || kind == Kind::Output);
    let total = session::flops(model, |_| true);
    let cost = if forward > 0.0 {
        format!(", {:.1}x the forward flops", (total - before) / forward)
    } else {
        String::new()
    };
    let place = place(session, model, request);
    let (what, wrt) = (kind(request), gathered(request).join(", "));
    let kept = cost::kept(model).map(|kept| format!(", keeps {kept}")).unwrap_or_default();
    let header = wrapped(&format!(
        "{what} of {}{place} wrt {wrt}: {}{cost}{kept}",
        request.of,
        counted(statements, "statement")
    ));
    format!("{header}{}", printed.text)
}

/// What is derived, in words.
pub fn kind(request: &Request) -> String {
    match request.mode.word() {
        "grad" if request.order == 1 => "gradient".to_string(),
        "grad" => format!("derivative of order {}", request.order),
        word => word.to_string(),
    }
}

/// The variables of a request; where they are many, those of one layer as one: `blocks.*`.
fn gathered(request: &Request) -> Vec<String> {
    const MANY: usize = 12;
    let mut names: Vec<String> = Vec::new();
    for name in &request.wrt {
        let name = match name.split_once('.') {
            Some((layer, _)) if request.wrt.len() > MANY => format!("{layer}.*"),
            _ => name.to_string(),
        };
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    names
}

fn place(session: &Session, model: &Model, request: &Request) -> String {
    let span = model.named(&request.of).and_then(|node| model.origins(node).source());
    match span {
        Some(span) if !session.sources[0].0.starts_with('<') => {
            format!(" ({}:{})", short(&session.sources[0].0), model.line(span))
        }
        _ => String::new(),
    }
}

fn short(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

/// Comment lines of at most 100 columns.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from("#");
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > 100 {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from("#  ");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}

fn passes(common: &Common, session: &Session, derived: &Derived, rounds: &[(usize, Size)]) {
    for used in &derived.stable {
        out::talk(common.quiet, &format!("stable: {}", session::used(&session.model, used)));
    }
    for (number, (nodes, flops)) in rounds.iter().enumerate() {
        let name = if number == 0 { "derived".into() } else { format!("round {number}") };
        let flops = cost::said(flops);
        out::talk(common.quiet, &format!("{name}: {nodes} nodes, {flops} flops"));
    }
    for (law, count) in &derived.report.laws {
        out::talk(common.quiet, &format!("  {law}: {}", counted(*count, "time")));
    }
    let (forward, backward) = cost::total(&derived.model);
    out::talk(common.quiet, &format!("forward: {forward}"));
    out::talk(common.quiet, &format!("backward: {backward}"));
}
