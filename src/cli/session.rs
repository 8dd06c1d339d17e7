//! A model as a verb gets it: read, checked, with what is to be derived of it.

use super::args::{self, Common, Select};
use super::files::Folder;
use super::inline;
use super::out::{self, Failure};
use crate::compile::{self, Derived, File, Level, PRELUDE, Reach, Request};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::{Model, NodeId, Origin, Origins, Role, Variable};
use crate::ops::special::Mode;
use crate::ops::{Name, Operator, leaf};
use crate::passes::{Used, Watch};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// A model with its text.
pub struct Session {
    pub model: Model,
    /// The names and texts of the model's file, the prelude, and the files that are used.
    pub sources: Vec<(String, String)>,
    /// Warnings that have not been shown yet.
    pub warnings: Vec<Diagnostic>,
}

impl Session {
    /// Gives back the room of the model, where what is derived of it is all that is needed from here on.
    pub fn forget(&mut self) {
        self.model = Model::default();
    }
}

/// The name and text of a file; `-` is standard input.
pub fn text_of(path: &Path) -> Result<(String, String), Failure> {
    let name =
        if path == Path::new("-") { "<stdin>".to_string() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|found| bytes = found)
    };
    read.map_err(|error| Failure::Request(format!("cannot read {name}: {error}")))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(Failure::Request(format!("{name} is no UTF-8 text: byte {valid}, on line {line}")))
        }
    }
}

/// Reads the model that the arguments name. Its mistakes are shown, and end the verb with exit code 1.
pub fn open(
    common: &Common,
    model: &args::Model,
    select: Option<&Select>,
) -> Result<Session, Failure> {
    let by: Vec<Name> = select
        .iter()
        .flat_map(|select| &select.wrt)
        .map(|name| Name::from(name.as_str()))
        .collect();
    let folder = Folder::of(model.file.as_deref());
    let source = match (&model.expression, &model.file) {
        (Some(text), _) => {
            let wrt = select.map(|select| select.wrt.clone()).unwrap_or_default();
            let made = inline::model(text, &wrt, &folder);
            if let Some(note) = &made.note {
                out::talk(common.quiet, note);
            }
            ("<expression>".to_string(), made.text)
        }
        (None, Some(path)) => text_of(path)?,
        (None, None) => {
            return Err(Failure::Request("name a model, or give a formula with -e".into()));
        }
    };
    let mut source = source;
    let mut read = compile::read_from(&source.1, &by, &folder);
    if let (Some(model), Some(select)) = (&read.model, select)
        && !select.tangent.is_empty()
    {
        source.1 += &tangents(model, &select.tangent)?;
        read = compile::read_from(&source.1, &by, &folder);
    }
    let sources = sources(source, read.files);
    match read.model {
        Some(model) => Ok(Session { model, sources, warnings: read.diagnostics }),
        None => {
            out::diagnostics(common, &read.diagnostics, &sources);
            Err(Failure::Said(1))
        }
    }
}

/// Lines that declare what variables move along.
fn tangents(model: &Model, given: &[String]) -> Result<String, Failure> {
    let mut lines = String::new();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            return Err(Failure::Request(format!("--tangent {text}: write NAME=VALUE")));
        };
        let (name, value) = (name.trim(), value.trim());
        let Some(node) = model.named(name) else {
            return Err(Failure::Request(missing(model, name)));
        };
        let plain = |c: char| c.is_ascii_digit() || "[]-+.,e \t".contains(c);
        if !value.starts_with(|c: char| c.is_ascii_digit() || c == '[' || c == '-')
            || !value.chars().all(plain)
        {
            return Err(Failure::Request(format!(
                "--tangent {name}: a number or a list, as in `[1, 0]`; without it give v_{name} like any input"
            )));
        }
        lines += &format!("\nconst v_{name}: {} = {value}\n", model.ty(node));
    }
    Ok(lines)
}

/// The names and texts of all files that a model is made of, in the order of their numbers.
pub fn sources(model: (String, String), used: Vec<File>) -> Vec<(String, String)> {
    let prelude = ("prelude.nn".to_string(), PRELUDE.to_string());
    let used = used.into_iter().map(|file| (file.name, file.text));
    [model, prelude].into_iter().chain(used).collect()
}

/// What the arguments ask to derive.
pub fn request(common: &Common, session: &Session, select: &Select) -> Result<Request, Failure> {
    let model = &session.model;
    let default = compile::default_request(model);
    let of = match (&select.of, &default) {
        (Some(name), _) => Name::from(name.as_str()),
        (None, Some(default)) => default.of.clone(),
        (None, None) => match model.outputs.as_slice() {
            [only] => only.name.clone(),
            several => {
                let names = several.iter().map(|output| format!("`{}`", output.name));
                let names = names.collect::<Vec<_>>().join(", ");
                let among = if names.is_empty() { names } else { format!(", such as {names}") };
                return Err(Failure::Request(format!(
                    "the model has no loss: say with --of what to differentiate{among}"
                )));
            }
        },
    };
    if model.named(&of).is_none() {
        return Err(Failure::Request(missing(model, &of)));
    }
    let wrt = match (select.wrt.as_slice(), default) {
        ([], Some(default)) if select.of.is_none() || default.of == of => default.wrt,
        ([], _) => model
            .variables
            .iter()
            .filter(|(_, variable)| {
                variable.role == Role::Param && !variable.frozen && is_float(model, variable)
            })
            .map(|(name, _)| name.clone())
            .collect(),
        (globs, _) => matching(model, globs)?,
    };
    if wrt.is_empty() {
        return Err(Failure::Request(
            "the model has no parameters: say with --wrt what to differentiate by".into(),
        ));
    }
    let scalar = model.named(&of).is_some_and(|node| model.ty(node).rank() == 0);
    let mode = match select.mode {
        None | Some(args::Mode::Grad) if scalar => Mode::Grad,
        None | Some(args::Mode::Grad) => {
            let node = model.named(&of).expect("it is a name of the model");
            let span = model.origins(node).span().unwrap_or_default();
            let message = format!("the gradient is of one float; `{of}` is {}", model.ty(node));
            let diagnostic = Diagnostic::error("E0301", span, message)
                .help("take its sum or its mean; all of it is what `grad --mode jacobian` derives");
            out::diagnostics(common, &[diagnostic], &session.sources);
            return Err(Failure::Said(2));
        }
        Some(args::Mode::Vjp) => Mode::Vjp,
        Some(args::Mode::Jvp) => Mode::Jvp,
        Some(args::Mode::Hvp) => Mode::Hvp,
        Some(args::Mode::Jacobian) => Mode::Jacobian,
        Some(args::Mode::Hessian) => Mode::Hessian,
    };
    if mode.takes_scalar() && !scalar {
        return Err(Failure::Request(format!("`{}` is of one number; `{of}` is not", mode.word())));
    }
    Ok(Request { of, wrt, mode, vectors: Vec::new(), order: usize::from(select.order) })
}

fn is_float(model: &Model, variable: &Variable) -> bool {
    model.ty(variable.node).dtype.is_float()
}

fn missing(model: &Model, name: &str) -> String {
    let known = model.names.keys().chain(model.variables.keys()).map(|name| &**name);
    match crate::diagnostic::nearest(name, known) {
        Some(near) => format!("the model has nothing called `{name}`; did you mean `{near}`?"),
        None => format!("the model has nothing called `{name}`"),
    }
}

/// The variables and bindings that match the patterns, in the order of the patterns.
pub fn matching(model: &Model, patterns: &[String]) -> Result<Vec<Name>, Failure> {
    let mut found: Vec<Name> = Vec::new();
    for pattern in patterns {
        let names: Vec<&Name> = if pattern.contains(['*', '?']) {
            let params = model
                .variables
                .iter()
                .filter(|(_, variable)| is_float(model, variable) && variable.role != Role::State)
                .map(|(name, _)| name);
            params.filter(|name| glob(pattern.as_bytes(), name.as_bytes())).collect()
        } else {
            model
                .variables
                .keys()
                .chain(model.names.keys())
                .filter(|name| ***name == **pattern)
                .take(1)
                .collect()
        };
        if names.is_empty() {
            return Err(Failure::Request(missing(model, pattern)));
        }
        for name in names {
            let node = model.named(name).expect("it is a name of the model");
            if !model.ty(node).dtype.is_float() {
                return Err(Failure::Request(format!(
                    "no derivative by `{name}`, which is {}",
                    model.ty(node)
                )));
            }
            if model.variables.get(name).is_some_and(|known| known.role == Role::State) {
                return Err(Failure::Request(format!(
                    "no derivative by `{name}`, which is a state"
                )));
            }
            if !found.contains(name) {
                found.push(name.clone());
            }
        }
    }
    Ok(found)
}

fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skip| glob(rest, &name[skip..])),
        ([b'?', pattern @ ..], [_, name @ ..]) => glob(pattern, name),
        ([p, pattern @ ..], [n, name @ ..]) if p == n => glob(pattern, name),
        _ => false,
    }
}

/// A law of stability with the source line that it was used on.
pub fn used(model: &Model, used: &Used) -> String {
    match used.at.span() {
        Some(span) => format!("{} (line {})", used.law, model.line(span)),
        None => used.law.into(),
    }
}

/// Adds the inputs `v_NAME` that a mode with vectors needs.
pub fn add_vectors(model: &mut Model, request: &mut Request) {
    if !request.mode.takes_vector() {
        return;
    }
    for x in &request.wrt {
        let like = if request.mode == Mode::Vjp { &request.of } else { x };
        let Some(node) = model.named(like) else { continue };
        let ty = model.ty(node).clone();
        let name: Name = format!("v_{like}").into();
        let span = model.origins(node).span().unwrap_or_default();
        let vector = model.named(&name).unwrap_or_else(|| {
            let variable = leaf::Variable { name: name.clone(), ty: Arc::new(ty) };
            model.insert(variable, &[], &Origins::default()).expect("a variable has no operands")
        });
        let known = model.variables.contains_key(&name) || model.names.contains_key(&name);
        if !known {
            let variable = Variable { span, ..Variable::plain(vector, Role::Input) };
            model.variables.insert(name.clone(), variable);
        }
        request.vectors.push(name);
    }
}

/// Derives, and says where nothing flows.
pub fn derive(
    common: &Common,
    session: &mut Session,
    request: &mut Request,
    level: Level,
) -> Result<Derived, Failure> {
    derive_watched(common, session, request, level, &mut |_, _| {})
}

/// The same; the rounds of the laws are before the eyes of `watch`.
pub fn derive_watched(
    common: &Common,
    session: &mut Session,
    request: &mut Request,
    level: Level,
    watch: &mut Watch<'_>,
) -> Result<Derived, Failure> {
    add_vectors(&mut session.model, request);
    let requests = std::slice::from_ref(&*request);
    let derived = compile::differentiate_watched(&session.model, requests, level, watch)
        .map_err(|misfit| Failure::Request(misfit.to_string()))?;
    let mut said = std::mem::take(&mut session.warnings);
    for (name, reach) in request.wrt.iter().zip(&derived.flows) {
        let span = session.model.variables.get(name).map(|variable| variable.span);
        let span = span.or_else(|| {
            session.model.named(name).and_then(|node| session.model.origins(node).span())
        });
        let place = span.unwrap_or_default();
        match reach {
            Reach::Reached => {}
            Reach::Apart => {
                said.retain(|known| {
                    !(known.code == "W0502"
                        && known.primary.as_ref().is_some_and(|label| label.span == place))
                });
                let message =
                    format!("`{}` does not depend on `{name}`: the derivative is 0", request.of);
                let help = format!(
                    "use it in `{}`, mark it `frozen`, or leave it out with --wrt",
                    request.of
                );
                said.push(Diagnostic::warning("W0301", place, message).help(help));
            }
            Reach::Cut(origins) => {
                said.push(cut(session, request, name, place, origins));
            }
        }
    }
    out::diagnostics(common, &said, &session.sources);
    Ok(derived)
}

/// Each way from a variable leads through an operator without derivative: which one, and the way.
fn cut(
    session: &Session,
    request: &Request,
    name: &Name,
    place: Span,
    origins: &Origins,
) -> Diagnostic {
    let (model, of) = (&session.model, &request.of);
    let message = format!("no derivative of `{of}` reaches `{name}`: it is 0");
    let mut diagnostic = Diagnostic::warning("W0302", place, message);
    if let Some(span) = origins.span() {
        let own =
            |id: &NodeId| model.origins(*id).iter().any(|origin| *origin == Origin::Source(span));
        let word = model.nodes().rfind(own).map(|id| model.op(id).name().to_string());
        let word = word.filter(|word| *word != "cast").unwrap_or_else(|| "this".into());
        diagnostic =
            diagnostic.label(span, format!("`{word}` has no derivative").replace("`this`", "this"));
    }
    let path = path(model, name, of);
    if path.len() > 1 {
        diagnostic = diagnostic.help(format!("the way it takes: {}", path.join(" -> ")));
    }
    diagnostic.help("use a smooth function there, such as `softmax` or `sigmoid`")
}

/// The named values on a shortest way from a variable to a value.
fn path(model: &Model, from: &Name, to: &Name) -> Vec<String> {
    let (Some(start), Some(end)) = (model.named(from), model.named(to)) else { return Vec::new() };
    let mut next: FxHashMap<NodeId, NodeId> = FxHashMap::default();
    let mut waiting = VecDeque::from([end]);
    while let Some(id) = waiting.pop_front().filter(|id| *id != start) {
        for operand in model.operands(id).into_iter().filter(|operand| *operand >= start) {
            if operand != end && !next.contains_key(&operand) {
                next.insert(operand, id);
                waiting.push_back(operand);
            }
        }
    }
    let name = |id: NodeId| model.names.iter().find(|(_, node)| **node == id).map(|(name, _)| name);
    let (mut names, mut at) = (vec![from.to_string()], start);
    while let Some(&user) = next.get(&at) {
        at = user;
        let known = if at == end { Some(to) } else { name(at) };
        names.extend(known.map(|name| name.to_string()).filter(|name| names.last() != Some(name)));
    }
    names
}

/// Floating-point operations of what the results of `kind` need, at sizes of 64 for dimensions without a number.
pub fn flops(model: &Model, wanted: impl Fn(crate::graph::Kind) -> bool) -> f64 {
    let mut bindings = crate::ops::Bindings::default();
    for (name, size) in model.dims.iter() {
        let number = size.and_then(|size| size.eval(&bindings).ok()).unwrap_or(64);
        bindings.insert(name.clone(), number);
    }
    let results = model.outputs.iter().filter(|output| wanted(output.kind));
    flops_at(model, &bindings, results.map(|output| output.node))
}

/// Floating-point operations of what these nodes need, where the dimensions have these sizes.
pub fn flops_at(
    model: &Model,
    bindings: &crate::ops::Bindings,
    of: impl Iterator<Item = NodeId>,
) -> f64 {
    let needed = model.needed(of);
    let mut total = 0.0;
    for id in model.nodes().rev() {
        if needed[id.index()] {
            let flops = model.op(id).flops(&model.operand_types(id), model.ty(id));
            total += flops.eval(bindings).unwrap_or(0) as f64;
        }
    }
    total
}
