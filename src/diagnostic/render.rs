//! The one renderer of diagnostics: for people in rustc's layout, for programs as JSON.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::{Diagnostic, Label, Severity, Span};

/// How diagnostics look to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Text alone.
    Plain,
    /// Text with ANSI colours.
    Colour,
}

/// The diagnostics as text, an empty line between two of them and a line end after the last; nothing for none.
///
/// `sources` are the files, name and text, in the order of their numbers. The primary label's file is shown first.
/// Whatever a span says, something is shown: spans are cut to the text, and labels in files that do not exist are left out.
pub fn render(diagnostics: &[Diagnostic], sources: &[(String, String)], style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let texts = diagnostics.iter().map(|d| renderer.render(&[group(d, sources)]) + "\n");
    texts.collect::<Vec<String>>().join("\n")
}

/// The diagnostic as one JSON object: `severity`, `code`, `message`, the primary label's `file`, `line`, `column` and `span`
/// (all null where there is no such place), its words as `label`, `labels` for the other places, and `help`.
///
/// Lines and columns count from 1, columns in characters; a span is `[first byte, byte after the last]`, cut to the text.
pub fn json(diagnostic: &Diagnostic, sources: &[(String, String)]) -> Value {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut object = json!({
        "severity": severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
    });
    for (key, value) in place(diagnostic.primary.as_ref(), sources) {
        object[key] = value;
    }
    let others = diagnostic.secondary.iter().map(|l| place(Some(l), sources).into_iter().collect());
    object["labels"] = others.collect::<Vec<Value>>().into();
    object["help"] = diagnostic.help.clone().into();
    object
}

/// A label as JSON fields.
fn place(label: Option<&Label>, sources: &[(String, String)]) -> [(&'static str, Value); 5] {
    let found = label.and_then(|label| Some((label, sources.get(label.span.file as usize)?)));
    let [file, line, column, span] = match found {
        None => [Value::Null, Value::Null, Value::Null, Value::Null],
        Some((label, (name, text))) => {
            let (start, end) = cut(label.span, text);
            let line_start = line_start(text, start);
            [
                json!(name),
                json!(line_number(text, line_start)),
                json!(text[line_start..start].chars().count() + 1),
                json!([start, end]),
            ]
        }
    };
    let words = label.map_or(Value::Null, |label| json!(label.text));
    [("file", file), ("line", line), ("column", column), ("span", span), ("label", words)]
}

/// The diagnostic as the crate `annotate-snippets` wants it.
fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a [(String, String)]) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let primary = diagnostic.primary.iter().map(|label| (AnnotationKind::Primary, label));
    let others = diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label));
    let mut files: Vec<(u16, Vec<(AnnotationKind, &Label)>)> = Vec::new();
    for (kind, label) in primary.chain(others) {
        match files.iter_mut().find(|(file, _)| *file == label.span.file) {
            Some((_, labels)) => labels.push((kind, label)),
            None => files.push((label.span.file, vec![(kind, label)])),
        }
    }
    let snippets = files.into_iter().filter_map(|(file, labels)| {
        let (name, text) = sources.get(file as usize)?;
        Some(snippet(name, text, &labels))
    });
    Group::with_title(level.primary_title(&diagnostic.message).id(diagnostic.code))
        .elements(snippets)
        .elements(diagnostic.help.iter().map(|help| Level::HELP.message(help)))
}

/// The lines from the first label's to the last's, which is all that is ever shown of a file.
fn snippet<'a>(
    name: &'a str,
    text: &'a str,
    labels: &[(AnnotationKind, &'a Label)],
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let places: Vec<(usize, usize)> = labels.iter().map(|(_, l)| cut(l.span, text)).collect();
    let first = places.iter().map(|&(start, _)| start).min().unwrap_or(0);
    let last = places.iter().map(|&(_, end)| end).max().unwrap_or(0);
    let from = line_start(text, first);
    let to = text[last..].find('\n').map_or(text.len(), |length| last + length + 1);
    let annotations = labels.iter().zip(places).map(|((kind, label), (start, end))| {
        let words = (!label.text.is_empty()).then_some(label.text.as_str());
        kind.span(start - from..end - from).label(words)
    });
    Snippet::source(&text[from..to])
        .line_start(line_number(text, from))
        .path(name)
        .annotations(annotations)
}

/// The bytes of `text` to be marked for `span`: within the text, between characters, without the line ends that close the
/// span, and never on a line after the final line end, where nothing could be shown.
fn cut(span: Span, text: &str) -> (usize, usize) {
    let shown =
        text.strip_suffix('\n').map_or(text, |rest| rest.strip_suffix('\r').unwrap_or(rest));
    let within = |byte: usize| {
        let nearest = (0..=byte.min(shown.len())).rev().find(|&at| shown.is_char_boundary(at));
        nearest.unwrap_or(0)
    };
    let start = within(span.start as usize);
    let end = within(span.end as usize).max(start);
    (start, start + shown[start..end].trim_end_matches(['\r', '\n']).len())
}

/// The first byte of the line that holds `byte`.
fn line_start(text: &str, byte: usize) -> usize {
    text[..byte].rfind('\n').map_or(0, |end| end + 1)
}

/// The number, from 1, of the line that starts at `line_start`.
fn line_number(text: &str, line_start: usize) -> usize {
    text[..line_start].matches('\n').count() + 1
}
