//! `pullback explain`: how a value changes with another, step by step; or what an error code, an operator or a function is.

mod layers;
mod lesson;
mod names;
mod network;
mod numbers;
mod passage;
mod phrases;
mod printed;
mod product;
mod recurrence;
mod reversed;
mod rounds;
mod rule;
mod shown;
mod temporaries;

use super::args::{self, Common, Explain, Page, Select};
use super::out::{self, Failure};
use super::session::{self, Session};
use super::show;
use super::{codes, reference};
use crate::compile::lecture::{Lecture, lecture};
use crate::diagnostic::nearest;
use crate::export::formula;
use crate::export::sheet::{self, Block, Sheet, Shown};
use crate::ops::special::Mode;
use lesson::{Lesson, lesson};
pub use network::network;
use phrases::{Phrases, fill, phrases};
use product::Goal;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Prints the page of a code, an operator or a function by that name; else the derivation of a model.
pub fn explain(common: &Common, args: &Explain) -> Result<(), Failure> {
    let model = |file: Option<&str>| args::Model {
        file: file.map(PathBuf::from),
        expression: args.expression.clone(),
    };
    let (topic, node) = match (&args.expression, &args.topic, &args.node) {
        (Some(_), node, None) => return derivation(common, args, &model(None), node.as_deref()),
        (Some(_), _, Some(extra)) => {
            return Err(Failure::Request(format!("-e gives the model: what is `{extra}`?")));
        }
        (None, Some(topic), node) => (topic.as_str(), node.as_deref()),
        (None, None, _) => return Err(Failure::Request("name a model or a code".into())),
    };
    if node.is_none() {
        if let Some(page) = codes::page(&topic.to_uppercase()) {
            return out::result(&format!("{}\n", page.trim()), args.output.as_deref());
        }
        if let Some(page) = reference::page(topic) {
            return out::result(&page, args.output.as_deref());
        }
    }
    let file = topic == "-" || topic.ends_with(".nn") || topic.contains(['/', '\\']);
    if file || Path::new(topic).exists() {
        return derivation(common, args, &model(Some(topic)), node);
    }
    let near = nearest(topic, codes::all().chain(reference::names()))
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    Err(Failure::Request(format!("there is no code, no function and no file `{topic}`{near}")))
}

fn derivation(
    common: &Common,
    args: &Explain,
    model: &args::Model,
    node: Option<&str>,
) -> Result<(), Failure> {
    let form = form(args, common.json)?;
    if args.data.dtype.as_deref().is_some_and(|dtype| dtype != "f64") {
        return Err(Failure::Request("explain computes in f64: leave --dtype out".into()));
    }
    let (pattern, entry) = node.map(parted).transpose()?.unzip();
    let entry = entry.flatten();
    let select = Select {
        of: args.of.clone(),
        wrt: pattern.iter().map(|name| name.to_string()).collect(),
        mode: None,
        tangent: Vec::new(),
        order: 1,
    };
    let session = session::open(common, model, Some(&select))?;
    let request = session::request(common, &session, &select)?;
    if request.mode != Mode::Grad {
        return Err(Failure::Request("explain derives gradients".into()));
    }
    out::diagnostics(common, &session.warnings, &session.sources);
    let fit = lesson::fit;
    let lecture = lecture(&session.model, &request.of, &request.wrt).map_err(fit)?;
    if let (Some(entry), [goal]) = (&entry, lecture.goals.as_slice()) {
        let ty = lecture.model.ty(lecture.stations[*goal].node);
        if ty.rank() != entry.len() {
            let name = &lecture.stations[*goal].name;
            return Err(Failure::Request(format!(
                "`{name}` is {ty}: an entry of it has {} places, not {}",
                ty.rank(),
                entry.len()
            )));
        }
    } else if entry.is_some() {
        return Err(Failure::Request("an entry is of one variable, not of several".into()));
    }
    let phrases = phrases(args.lang);
    let numbers = match numbers::asked(&args.data) {
        true => Some(numbers::numbers(common, &session, &lecture, &args.data, &args.machine)?),
        false => None,
    };
    let whole = pattern.is_none();
    let (lesson, goals) = lesson(&lecture, phrases, numbers, whole, entry)?;
    let sheet = Sheet {
        lang: phrases.code,
        title: title(&lecture, phrases, node),
        place: place(&session, &lecture, whole),
        blocks: lesson.blocks.clone(),
    };
    let text = match form {
        Page::Text => sheet::text(&sheet),
        Page::Latex => sheet::latex(&sheet),
        Page::Html => sheet::html(&sheet),
        Page::Json => format!("{}\n", document(&sheet, &lesson, &goals)),
    };
    out::result(&text, args.output.as_deref())?;
    match goals.iter().all(Goal::holds) {
        true => Ok(()),
        false => Err(Failure::Said(1)),
    }
}

/// The derivation of a gradient in formulas with a picture above it, as HTML.
pub fn page(session: &Session, lecture: &Lecture, picture: String) -> Result<String, Failure> {
    let phrases = phrases(args::Lang::En);
    let (lesson, _) = lesson(lecture, phrases, None, true, None)?;
    let mut blocks = lesson.blocks;
    blocks.insert(0, Block::Picture(picture));
    Ok(sheet::html(&Sheet {
        lang: phrases.code,
        title: title(lecture, phrases, None),
        place: place(session, lecture, true),
        blocks,
    }))
}

/// The form that is meant: what --to says, else the suffix of the file.
fn form(args: &Explain, json: bool) -> Result<Page, Failure> {
    if let Some(page) = args.to {
        return Ok(page);
    }
    let suffix = args.output.as_deref().and_then(Path::extension);
    match suffix.and_then(|suffix| suffix.to_str()) {
        Some("tex") => Ok(Page::Latex),
        Some("html" | "htm") => Ok(Page::Html),
        Some("json") => Ok(Page::Json),
        None | Some("txt") => Ok(if json { Page::Json } else { Page::Text }),
        Some(other) => Err(Failure::Request(format!(
            "no form has the suffix .{other}: say --to text, latex, html or json"
        ))),
    }
}

/// A name and the places of an entry: `W1[1, 0]`.
fn parted(node: &str) -> Result<(&str, Option<Vec<usize>>), Failure> {
    let Some((name, places)) = node.split_once('[') else { return Ok((node.trim(), None)) };
    let places = places.trim_end().strip_suffix(']').unwrap_or("");
    let places = places.split(',').map(|place| place.trim().parse().ok());
    match places.collect::<Option<Vec<usize>>>() {
        Some(places) => Ok((name.trim(), Some(places))),
        None => Err(Failure::Request(format!(
            "{node}: write an entry as `W[1, 0]`, places counted from 0"
        ))),
    }
}

fn title(lecture: &Lecture, phrases: &Phrases, node: Option<&str>) -> String {
    let of = &lecture.stations[lecture.of].name;
    match node {
        Some(node) => fill(phrases.changes, &[of, node]),
        None => fill(phrases.gradient, &[of]),
    }
}

/// Where what is explained stands: `lecture.nn:15`.
fn place(session: &Session, lecture: &Lecture, whole: bool) -> String {
    let file = &session.sources[0].0;
    let model = &lecture.model;
    let station = match lecture.goals.first() {
        Some(goal) if !whole => &lecture.stations[*goal],
        _ => &lecture.stations[lecture.of],
    };
    let declared = model.variables.get(&station.name).map(|variable| variable.span);
    let span = declared.or_else(|| model.origins(station.node).source());
    match span {
        Some(span) if span.end > 0 && !file.starts_with('<') => {
            let name = Path::new(file).file_name().and_then(|name| name.to_str());
            format!("{}:{}", name.unwrap_or(file), model.line(span))
        }
        _ => String::new(),
    }
}

/// The page for programs, with all numbers at full precision.
fn document(sheet: &Sheet, lesson: &Lesson, goals: &[Goal]) -> Value {
    let blocks = sheet.blocks.iter().map(|block| match block {
        Block::Heading(words) => json!({"heading": words}),
        Block::Words(words) | Block::Inside(words, _) => json!({"words": words}),
        Block::Code(lines) => json!({"code": lines}),
        Block::Picture(svg) => json!({"svg": svg}),
        Block::Line(line) => {
            let mut object = json!({
                "formula": formula::text(&line.formula),
                "latex": formula::latex(&line.formula),
                "part": line.depth > 0,
            });
            if !line.label.is_empty() {
                object["label"] = json!(line.label);
            }
            match &line.value {
                Some(Shown::Number(text) | Shown::Words(text)) => object["value"] = json!(text),
                Some(Shown::Rows(rows)) => object["value"] = json!(rows),
                None => {}
            }
            object
        }
    });
    let stations = lesson.lecture.stations.iter().map(|station| {
        let mut object = json!({"name": *station.name});
        if let Some(numbers) = &lesson.numbers {
            object["value"] = json!(numbers.value(&station.name).map(show::json));
            object["derivative"] = json!(numbers.value(&station.adjoint).map(show::json));
        }
        object
    });
    let goals = goals.iter().map(|goal| {
        let mut object = json!({"name": goal.name, "entry": goal.entry, "derived": goal.derived});
        if let Some(slopes) = &goal.slopes {
            object["nudge"] = json!({"measured": slopes.measured, "kink": slopes.is_kink(),
                "ok": goal.holds()});
        }
        object
    });
    let of = &lesson.lecture.stations[lesson.lecture.of].name;
    json!({"v": 1, "of": **of, "lang": sheet.lang, "title": sheet.title, "place": sheet.place,
        "blocks": blocks.collect::<Vec<_>>(), "values": stations.collect::<Vec<_>>(),
        "goals": goals.collect::<Vec<_>>()})
}
