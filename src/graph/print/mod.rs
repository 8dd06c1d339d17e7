//! A model as `.nn` text.

mod comment;
mod custom;
mod draft;
mod folded;
mod looped;
mod names;
mod split;
mod stated;
mod statements;

use super::{Draw, Init, Kind, Model, NodeId, Range, Role, Variable};
use crate::ops::{Name, Number, Size};
pub use comment::Cited;
pub use stated::{Stated, preactivations, stated};
use statements::{Statement, Written, statement_of, statements, written};

/// No line is wider.
pub const WIDTH: usize = 100;

/// What of a model is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Declarations, forward values, adjoints and results: a model that can be read again.
    Whole,
    /// The statements that compute the derivatives, from named forward values.
    Adjoint,
    /// The statements between the braces of a scan, whose results are those of a model made of its body.
    Body,
}

/// A printed model.
#[derive(Clone, Debug, Default)]
pub struct Printed {
    /// The text, each line ended.
    pub text: String,
    /// How many statements compute derivatives.
    pub adjoint_statements: usize,
    /// The width of the widest line.
    pub widest: usize,
}

/// The text of `part` of a model. Statements that compute derivatives bear a comment with the source line and the rule.
pub fn print(model: &Model, part: Part) -> Printed {
    laid_out(model, part, statements(model, part), |_| true)
}

/// The same with one statement for each inlined call, and a comment for its adjoint: to be looked at, not to be read again.
/// The parameters of layers that are shown so are not declared.
pub fn print_folded(model: &Model, part: Part) -> Printed {
    let (statements, calls) = folded::statements(model, part);
    laid_out(model, part, statements, |name| !calls.iter().any(|call| call.owns(name)))
}

/// A statement that computes derivatives, or a part of them.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its value.
    pub node: NodeId,
    /// Its text, in one line but for a scan, without a comment.
    pub text: String,
}

/// The statements that `print` gives for the adjoint part, one by one.
pub fn steps(model: &Model) -> Vec<Step> {
    let Written { plan, order, names, called, .. } = written(model, Part::Adjoint);
    let mut steps = Vec::new();
    for (node, draft) in order {
        for statement in statement_of(&plan, &names, node, &draft, &called) {
            let lines: Vec<String> = statement.lines().into_iter().map(|line| line.text).collect();
            steps.push(Step { node, text: lines.join("\n") });
        }
    }
    steps
}

fn laid_out(
    model: &Model,
    part: Part,
    statements: Vec<Statement>,
    declared: impl Fn(&str) -> bool,
) -> Printed {
    let mut lines: Vec<(String, Option<String>)> = Vec::new();
    if part == Part::Whole {
        declarations(model, declared, &mut lines);
        let functions = custom::functions(model);
        if !functions.is_empty() {
            lines.extend(functions.into_iter().map(|line| (line, None)));
            lines.push((String::new(), None));
        }
    }
    let adjoint_statements =
        statements.iter().filter(|statement| statement.adjoint).map(Statement::count).sum();
    let mut adjoint = false;
    for statement in statements {
        let own = statement.adjoint;
        let next = own && !adjoint || adjoint && statement.keyword == "update ";
        if next && part == Part::Whole {
            lines.push((String::new(), None));
        }
        adjoint = statement.adjoint;
        lines.extend(statement.lines().into_iter().map(|line| (line.text, line.comment)));
    }
    if part == Part::Whole {
        results(model, &mut lines);
    }
    let text = aligned(lines);
    let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    Printed { text, adjoint_statements, widest }
}

/// The lines with their comments in one column.
fn aligned(lines: Vec<(String, Option<String>)>) -> String {
    let column = lines
        .iter()
        .filter(|(_, comment)| comment.is_some())
        .map(|(line, _)| line.chars().count())
        .filter(|width| *width <= WIDTH * 3 / 5)
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (mut line, comment) in lines {
        while let Some(place) = break_of(&line) {
            let rest = line.split_off(place);
            text.push_str(line.trim_end());
            text.push('\n');
            let note = if line.starts_with('#') { "#" } else { "" };
            line = format!("{note}    {}", rest.trim_start());
        }
        let width = line.chars().count();
        text.push_str(&line);
        if let Some(comment) = comment {
            let pad = column.saturating_sub(width) + 2;
            let room = WIDTH.saturating_sub(width + pad + 2);
            if let Some(comment) = shortened(&comment, room) {
                text.extend(std::iter::repeat_n(' ', pad));
                text.push_str("# ");
                text.push_str(&comment);
            }
        }
        text.push('\n');
    }
    text
}

/// Where a line that is too wide goes on below: behind a comma, for commas stand in parentheses and brackets only.
fn break_of(line: &str) -> Option<usize> {
    let (end, _) = line.char_indices().nth(WIDTH)?;
    line[..end].rfind(", ").map(|place| place + 1).filter(|place| *place > WIDTH / 4)
}

fn shortened(comment: &str, room: usize) -> Option<String> {
    if comment.chars().count() <= room {
        return Some(comment.into());
    }
    let kept: String = comment.chars().take(room.saturating_sub(3)).collect();
    let cut = kept.rfind([',', ' '])?;
    (cut > 3).then(|| format!("{}...", kept[..cut].trim_end_matches([',', ' '])))
}

fn declarations(
    model: &Model,
    declared: impl Fn(&str) -> bool,
    lines: &mut Vec<(String, Option<String>)>,
) {
    let dims: Vec<String> = model
        .dims
        .iter()
        .map(|(name, size)| match size {
            Some(size) => format!("{name} = {size}"),
            None => name.to_string(),
        })
        .collect();
    let mut line = String::new();
    for dim in dims {
        if !line.is_empty() && line.len() + dim.len() + 2 > WIDTH {
            lines.push((std::mem::take(&mut line), None));
        }
        line.push_str(if line.is_empty() { "dim " } else { ", " });
        line.push_str(&dim);
    }
    if !line.is_empty() {
        lines.push((line, None));
        lines.push((String::new(), None));
    }
    let variables = model.variables.iter().filter(|(_, variable)| variable.role != Role::Given);
    for (name, variable) in variables.filter(|(name, _)| declared(name)) {
        lines.push((declaration(model, name, variable), None));
    }
    lines.push((String::new(), None));
}

fn declaration(model: &Model, name: &Name, variable: &Variable) -> String {
    let word = match variable.role {
        Role::Input => "input",
        Role::Param => "param",
        Role::State => "state",
        Role::Given => unreachable!("what runs the model gives it, and nothing declares it"),
    };
    let range = variable.range.as_ref().map(range).unwrap_or_default();
    let symmetric = if variable.symmetric { " symmetric" } else { "" };
    let frozen = if variable.frozen { " frozen" } else { "" };
    let init = match &variable.init {
        None => String::new(),
        Some(Init::Value(node)) => format!(" = {}", initial(model, *node)),
        Some(Init::Random(draw)) => format!(" ~ {}", drawn(draw)),
    };
    format!("{word} {name}: {}{range}{symmetric}{frozen}{init}", model.ty(variable.node))
}

fn initial(model: &Model, node: NodeId) -> String {
    match model.filled(node) {
        Some(number) => number.to_string(),
        None => draft::alone(model, node),
    }
}

fn drawn(draw: &Draw) -> String {
    match draw {
        Draw::Glorot => "glorot()".into(),
        Draw::He => "he()".into(),
        Draw::Normal(std) if std.is_one() => "normal()".into(),
        Draw::Normal(std) => format!("normal(std = {std})"),
        Draw::Uniform(low, high) => format!("uniform({low}, {high})"),
    }
}

fn range(range: &Range) -> String {
    let end = |(size, number, _): &(Size, Option<Number>, bool)| match number {
        Some(number) => number.to_string(),
        None => size.to_string(),
    };
    let open = if range.low.2 { '[' } else { '(' };
    let close = if range.high.2 { ']' } else { ')' };
    format!(" in {open}{}, {}{close}", end(&range.low), end(&range.high))
}

fn results(model: &Model, lines: &mut Vec<(String, Option<String>)>) {
    lines.push((String::new(), None));
    for output in
        model.outputs.iter().filter(|output| matches!(output.kind, Kind::Output | Kind::Gradient))
    {
        lines.push((format!("output {}", output.name), None));
    }
    for claim in model.claims.iter().filter_map(|claim| claim.text.as_ref()).chain(&model.claimed) {
        lines.push((format!("expect {claim}"), None));
    }
    let Some(training) = &model.training else { return };
    let settings = training.settings();
    let line = match settings.is_empty() {
        true => "train {}".to_string(),
        false => format!("train {{ {} }}", settings.join("; ")),
    };
    if line.chars().count() <= WIDTH {
        lines.push((line, None));
        return;
    }
    let settings = settings.into_iter().map(|setting| format!("  {setting}"));
    let block = std::iter::once("train {".into()).chain(settings).chain(["}".into()]);
    lines.extend(block.map(|line| (line, None)));
}
