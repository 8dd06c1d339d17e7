//! Which values get a line of their own, and their order.

use super::draft::{Draft, Level, Piece, argument, render, spelled, typed};
use super::looped::looped;
use super::names::{self, Names};
use super::split::{Split, splits};
use super::{Part, WIDTH, comment};
use crate::graph::fold::Folded;
use crate::graph::train::MADE;
use crate::graph::{Kind, Model, NodeId, Operands, Origin};
use crate::ops::scan::Which;
use crate::ops::{Name, Op, Scalar, join};
use rustc_hash::{FxHashMap, FxHashSet};

/// A line `keyword name = text`.
pub struct Statement {
    pub keyword: &'static str,
    pub name: String,
    pub text: String,
    pub comment: Option<String>,
    /// Whether it computes a derivative.
    pub adjoint: bool,
    /// Whether it is said in a comment only.
    pub note: bool,
    /// The lines between the braces of a scan, and how many statements they are.
    pub body: Option<(Vec<Line>, usize)>,
}

/// A line of text with what is said beside it.
pub struct Line {
    pub text: String,
    pub comment: Option<String>,
}

impl Line {
    pub fn new(text: String) -> Line {
        Line { text, comment: None }
    }

    pub fn indented(self) -> Line {
        Line { text: format!("    {}", self.text), ..self }
    }
}

impl Statement {
    /// How many statements it is, with those between its braces.
    pub fn count(&self) -> usize {
        1 + self.body.as_ref().map_or(0, |(_, count)| *count)
    }

    /// Its lines.
    pub fn lines(self) -> Vec<Line> {
        let Statement { keyword, name, text, comment, body, note, .. } = self;
        let note = if note { "# " } else { "" };
        let mut lines = vec![Line { text: format!("{note}{keyword}{name} = {text}"), comment }];
        if let Some((body, _)) = body {
            lines.extend(body);
            lines.push(Line::new("}".into()));
        }
        lines
    }
}

/// What is known of the values while lines are made of them.
pub struct Plan<'a> {
    pub model: &'a Model,
    /// Values that the source text names or that are given.
    pub known: Vec<Option<Name>>,
    /// Values that the results of the source text need.
    pub forward: Vec<bool>,
    /// Values that are printed.
    pub region: Vec<bool>,
    /// Values that are named outside what is printed.
    pub given: Vec<bool>,
    /// Values with a line of their own.
    pub lines: Vec<bool>,
    /// Adjoints of what feeds an activation.
    pub before: FxHashSet<NodeId>,
    /// The widths of names, as far as they are known.
    pub widths: FxHashMap<NodeId, usize>,
    /// The results of scans that are picked.
    pub parts: FxHashMap<(NodeId, Which), NodeId>,
    /// For each scan the expressions of its first values and arrays.
    pub heads: FxHashMap<NodeId, Vec<Draft>>,
    /// The calls that are printed as one.
    pub folded: Folded,
    /// Values that have a line because a call that is printed as one reads them, or gives them.
    pub forced: FxHashSet<NodeId>,
    /// The derivatives that were asked for, with their places among the results.
    pub asked: FxHashMap<NodeId, usize>,
    /// What the first result of each name is, and whether a derivative has that name.
    pub results: FxHashMap<&'a str, (Kind, bool)>,
    /// What may be written as one split, by the piece that comes first.
    pub splits: FxHashMap<NodeId, Split>,
    /// For each piece of what is written as one split the piece that comes first.
    pub pieces: FxHashMap<NodeId, NodeId>,
}

/// Expressions wider than this get lines for their parts: names and comments need room too.
const ROOM: usize = WIDTH - 28;

/// Wider expressions in the head of a scan get a line.
const HEAD: usize = 32;

/// A name that is not given yet is taken to be so wide.
const NAME: usize = 6;

/// The lines of `part`, operands before their users.
pub fn statements(model: &Model, part: Part) -> Vec<Statement> {
    let Written { plan, order, updates, names, called } = written(model, part);
    let mut statements = Vec::new();
    for (id, draft) in order {
        statements.extend(statement_of(&plan, &names, id, &draft, &called));
    }
    statements.extend(updates.into_iter().map(|(name, draft)| update(&names, name, draft)));
    statements
}

/// What is written of a model, before it is text.
pub struct Written<'a> {
    pub plan: Plan<'a>,
    /// The values with a line, and those that are given, with what they are.
    pub order: Vec<(NodeId, Draft)>,
    /// The next values of states.
    pub updates: Vec<(Name, Draft)>,
    pub names: Names,
    /// All that each value is called.
    pub called: FxHashMap<NodeId, Vec<&'a Name>>,
}

/// The lines of `part` with their names, which are taken to be as wide as they turn out.
pub fn written(model: &Model, part: Part) -> Written<'_> {
    laid(plan(model, part, FxHashMap::default()), part)
}

/// The same with a line for each piece of a split.
pub fn written_apart(model: &Model, part: Part) -> Written<'_> {
    let mut plan = plan(model, part, FxHashMap::default());
    plan.splits.clear();
    laid(plan, part)
}

fn laid(mut plan: Plan<'_>, part: Part) -> Written<'_> {
    const ROUNDS: usize = 6;
    let model = plan.model;
    let mut round = 1;
    loop {
        plan.lines.fill(false);
        plan.heads.clear();
        plan.pieces.clear();
        decide(&mut plan);
        let Drafts { mut drafts, updates, narrow } = drafts(&mut plan, part);
        let names = names::names(&plan);
        let named: FxHashMap<NodeId, usize> =
            names.text.iter().map(|(id, name)| (*id, name.chars().count())).collect();
        let fits = |draft: &Draft| draft.width_with(&named, NAME) <= ROOM;
        let stays = || narrow && drafts.iter().flatten().all(fits);
        if stays() || named == plan.widths || round == ROUNDS {
            let order = ordered(&plan, &drafts);
            let order = order.into_iter().map(|id| {
                let draft = drafts[id.index()].take();
                (id, draft.unwrap_or_else(|| Draft::text("", Level::Atom)))
            });
            let order = order.collect();
            return Written { order, updates, names, called: called(model, part), plan };
        }
        plan.widths = named;
        round += 1;
    }
}

/// The line of a value, where it has one, and its further names.
pub fn statement_of(
    plan: &Plan,
    names: &Names,
    id: NodeId,
    draft: &Draft,
    called: &FxHashMap<NodeId, Vec<&Name>>,
) -> Vec<Statement> {
    let mut statements = Vec::new();
    let later = plan.pieces.get(&id).is_some_and(|first| *first != id);
    if plan.lines[id.index()] && !later && !matches!(plan.model.op(id), Op::Part(_)) {
        statements.push(statement(plan, names, id, draft));
    }
    let called = called.get(&id).map_or(&[][..], |called| called);
    aliases(plan, names, called, id, &mut statements);
    statements
}

/// The next value of a state or a parameter.
pub fn update(names: &Names, name: Name, draft: Draft) -> Statement {
    let (name, text) = (name.to_string(), draft.finish(&names.text));
    Statement {
        keyword: "update ",
        name,
        text,
        comment: None,
        adjoint: false,
        body: None,
        note: false,
    }
}

/// The printed values in the order of the graph; results side by side that do not need each other in the order asked for.
fn ordered(plan: &Plan, drafts: &[Option<Draft>]) -> Vec<NodeId> {
    let (model, asked) = (plan.model, &plan.asked);
    let mut order: Vec<NodeId> = model.nodes().filter(|id| plan.region[id.index()]).collect();
    order.retain(|id| drafts[id.index()].is_some() || plan.given[id.index()]);
    let needs = |id: NodeId, others: &FxHashSet<NodeId>| {
        let mut pieces = drafts[id.index()].iter().flat_map(|draft| &draft.pieces);
        pieces.any(|piece| matches!(piece, Piece::Name(name) if others.contains(name)))
    };
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        if asked.contains_key(&order[start]) {
            let mut run = FxHashSet::from_iter([order[start]]);
            while end < order.len() && asked.contains_key(&order[end]) && !needs(order[end], &run) {
                run.insert(order[end]);
                end += 1;
            }
            order[start..end].sort_by_key(|id| asked[id]);
        }
        start = end;
    }
    numbers_last(plan, drafts, &mut order);
    order
}

/// Puts lines of numbers, wherever the graph happens to have them, before the first line that reads them, else at the end.
fn numbers_last(plan: &Plan, drafts: &[Option<Draft>], order: &mut Vec<NodeId>) {
    let is_number = |id: &NodeId| plan.model.is_written_inside(*id) && !plan.given[id.index()];
    let (numbers, lines): (Vec<NodeId>, Vec<NodeId>) = order.iter().copied().partition(is_number);
    if numbers.is_empty() {
        return;
    }
    let mut waiting: FxHashMap<NodeId, usize> =
        numbers.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    order.clear();
    for id in lines {
        let pieces = drafts[id.index()].iter().flat_map(|draft| &draft.pieces);
        let mut read: Vec<usize> = pieces
            .filter_map(|piece| match piece {
                Piece::Name(name) => waiting.remove(name),
                Piece::Text(_) => None,
            })
            .collect();
        read.sort_unstable();
        order.extend(read.into_iter().map(|place| numbers[place]));
        order.push(id);
    }
    order.extend(numbers.into_iter().filter(|id| waiting.contains_key(id)));
}

fn statement(plan: &Plan, names: &Names, id: NodeId, draft: &Draft) -> Statement {
    let model = plan.model;
    if let Op::Scan(_) = model.op(id) {
        let looped = looped(plan, names, id);
        let adjoint = !plan.forward[id.index()];
        return Statement {
            keyword: "",
            name: looped.names,
            text: looped.text,
            comment: adjoint.then(|| comment::comment(plan, id, draft)).flatten(),
            adjoint,
            body: Some((looped.body, looped.statements)),
            note: false,
        };
    }
    let name = match plan.pieces.get(&id).and_then(|first| plan.splits.get(first)) {
        Some(split) => format!("({})", join(split.pieces.iter().map(|piece| &names.text[piece]))),
        None => names.text[&id].clone(),
    };
    let adjoint = plan.asked.contains_key(&id) || !plan.forward[id.index()];
    let mut text = draft.finish(&names.text);
    let default = if draft.free && model.ty(id).dtype != model.float() {
        Some(model.ty(id).dtype)
    } else {
        None
    };
    if let Some(dtype) = default {
        text = format!("{dtype}({text})");
    }
    let comment = adjoint.then(|| comment::comment(plan, id, draft)).flatten();
    Statement {
        keyword: keyword(plan, &name),
        name,
        text,
        comment,
        adjoint,
        body: None,
        note: false,
    }
}

pub fn keyword(plan: &Plan, name: &str) -> &'static str {
    match plan.results.get(name) {
        Some((Kind::Loss, _)) => "loss ",
        Some((Kind::Metric, _)) => "metric ",
        _ => "",
    }
}

/// All that each value is called by bindings and results.
pub fn called(model: &Model, part: Part) -> FxHashMap<NodeId, Vec<&Name>> {
    let outputs = model
        .outputs
        .iter()
        .filter(|output| output.kind == Kind::Gradient || part != Part::Adjoint);
    let bindings = model.names.iter().filter(|_| part != Part::Adjoint);
    let mut called: FxHashMap<NodeId, Vec<&Name>> = FxHashMap::default();
    for (name, node) in bindings.chain(outputs.map(|output| (&output.name, &output.node))) {
        called.entry(*node).or_default().push(name);
    }
    called
}

/// Further names of a value: `b = a`.
pub fn aliases(
    plan: &Plan,
    names: &Names,
    called: &[&Name],
    id: NodeId,
    statements: &mut Vec<Statement>,
) {
    let own = &names.text.get(&id);
    let mut seen: Vec<&Name> = Vec::new();
    for &name in called {
        if *own != Some(&name.to_string()) && !seen.contains(&name) {
            seen.push(name);
            let adjoint = plan.results.get(&**name).is_some_and(|(_, derived)| *derived);
            let text = own.cloned().unwrap_or_default();
            statements.push(Statement {
                keyword: keyword(plan, name),
                name: name.to_string(),
                text,
                comment: None,
                adjoint,
                body: None,
                note: false,
            });
        }
    }
}

pub fn plan(model: &Model, part: Part, widths: FxHashMap<NodeId, usize>) -> Plan<'_> {
    let mut known: Vec<Option<Name>> = vec![None; model.len()];
    let mut forward = vec![false; model.len()];
    for (name, variable) in &model.variables {
        known[variable.node.index()] = Some(name.clone());
        forward[variable.node.index()] = true;
    }
    let made = |id: NodeId| model.origins(id).iter().any(|o| *o == Origin::Law(MADE));
    for (name, id) in &model.names {
        forward[id.index()] |= !made(*id);
        known[id.index()].get_or_insert_with(|| name.clone());
    }
    for output in model.outputs.iter().filter(|output| output.kind != Kind::Gradient) {
        forward[output.node.index()] = true;
        known[output.node.index()].get_or_insert_with(|| output.name.clone());
    }
    if part == Part::Body {
        for id in model.nodes().filter(|id| model.origins(*id).source().is_some()) {
            forward[id.index()] = true;
        }
    }
    for id in kept(model) {
        forward[id.index()] |= !made(id);
    }
    for id in model.nodes().rev() {
        if forward[id.index()] {
            for operand in model.operands(id) {
                forward[operand.index()] = true;
            }
        }
    }
    let mut region = vec![false; model.len()];
    for output in &model.outputs {
        if part != Part::Adjoint || output.kind == Kind::Gradient {
            region[output.node.index()] = true;
        }
    }
    if part != Part::Adjoint {
        let variables = model.variables.values().map(|variable| variable.node);
        for id in model.names.values().copied().chain(variables).chain(kept(model)) {
            region[id.index()] = true;
        }
    }
    let given: Vec<bool> = model
        .nodes()
        .map(|id| {
            matches!(model.op(id), Op::Variable(_))
                || (part == Part::Adjoint && known[id.index()].is_some())
        })
        .collect();
    for id in model.nodes().rev() {
        if region[id.index()] && !given[id.index()] {
            for operand in model.operands(id) {
                region[operand.index()] = true;
            }
        }
    }
    let fed: FxHashSet<NodeId> = model
        .nodes()
        .filter(|id| forward[id.index()] && names::is_activation(model, *id))
        .map(|id| model.operands(id)[0])
        .filter(|id| !model.operands(*id).is_empty())
        .collect();
    let before = model
        .adjoints
        .iter()
        .filter(|(of, _)| fed.contains(of))
        .map(|(_, adjoint)| *adjoint)
        .collect();
    let mut parts = FxHashMap::default();
    for id in model.nodes() {
        if let Op::Part(part) = model.op(id)
            && (region[id.index()] || known[id.index()].is_some())
        {
            parts.insert((model.operands(id)[0], part.which), id);
        }
    }
    let mut asked = FxHashMap::default();
    let mut results: FxHashMap<&str, (Kind, bool)> = FxHashMap::default();
    for (place, output) in model.outputs.iter().enumerate() {
        let derived = output.kind == Kind::Gradient;
        if derived {
            asked.insert(output.node, place);
        }
        results.entry(&output.name).or_insert((output.kind, false)).1 |= derived;
    }
    let lines = vec![false; model.len()];
    let heads = FxHashMap::default();
    let (folded, forced) = (Folded::default(), FxHashSet::default());
    let mut cut = region.clone();
    for output in model.outputs.iter() {
        // The results of a body, and what bears a keyword, have statements of their own.
        cut[output.node.index()] &= output.kind == Kind::Gradient && part != Part::Body;
    }
    let splits = splits(model, &cut);
    Plan {
        model,
        known,
        forward,
        region,
        given,
        lines,
        before,
        widths,
        parts,
        heads,
        folded,
        forced,
        asked,
        results,
        splits,
        pieces: FxHashMap::default(),
    }
}

/// The states and parameters with their values in the next step.
fn states(model: &Model) -> impl Iterator<Item = (&Name, NodeId)> {
    let is_kept = |name: &Name| model.variables.contains_key(name);
    model.updates.iter().filter(move |(name, _)| is_kept(name)).map(|(name, id)| (name, *id))
}

fn kept(model: &Model) -> impl Iterator<Item = NodeId> {
    states(model).map(|(_, id)| id)
}

/// Gives a line to each result, and to each value that is written more than once and not small.
pub fn decide(plan: &mut Plan) {
    let model = plan.model;
    let mut written = vec![0u32; model.len()];
    let mut forced = vec![false; model.len()];
    for id in kept(model) {
        written[id.index()] += 1;
    }
    for id in model.nodes().rev().filter(|id| plan.region[id.index()]).collect::<Vec<_>>() {
        let index = id.index();
        if plan.given[index] {
            continue;
        }
        if plan.folded.holds(id) {
            plan.lines[index] = plan.forced.contains(&id);
            continue;
        }
        if let Op::Scan(scan) = model.op(id) {
            // The body says values from outside by name.
            let outside = &model.operands(id)[scan.carries + scan.slices..];
            outside.iter().for_each(|operand| forced[operand.index()] = true);
        }
        plan.lines[index] = forced[index]
            || plan.forced.contains(&id)
            || matches!(model.op(id), Op::Scan(_) | Op::Part(_))
            || plan.known[index].is_some()
            || plan.asked.contains_key(&id)
            || (written[index] > 1 && !is_small(plan, id));
        if let Some(split) = plan.splits.get(&id)
            && split.pieces.iter().all(|piece| plan.lines[piece.index()])
        {
            plan.pieces.extend(split.pieces.iter().map(|piece| (*piece, id)));
            let of = split.of.index();
            written[of] = written[of].saturating_sub(split.pieces.len() as u32 - 1);
        }
        let times = if plan.lines[index] { 1 } else { written[index].max(1) };
        let twice =
            matches!(model.op(id), Op::Scalar(Scalar::Xlogx | Scalar::Powlog | Scalar::RelEntr));
        for (place, operand) in model.operands(id).into_iter().enumerate() {
            let times = if twice && place == 0 { 2 * times.min(u32::MAX / 2) } else { times };
            written[operand.index()] = written[operand.index()].saturating_add(times);
        }
    }
}

/// So deep are numbers computed of numbers that are written out wherever they are read.
const NUMBERS: usize = 4;

/// Whether a value is computed of written numbers alone: `2 / sqrt(pi)`. No name for it would be read back, since numbers
/// have a type only where they are used.
fn is_number(model: &Model, id: NodeId, depth: usize) -> bool {
    let all = |operands: Operands| operands.iter().all(|&id| is_number(model, id, depth - 1));
    match model.op(id) {
        Op::Const(_) => true,
        Op::Scalar(_) => depth > 0 && all(model.operands(id)),
        _ => false,
    }
}

/// Whether repeating the expression reads better than a name for it.
fn is_small(plan: &Plan, id: NodeId) -> bool {
    let model = plan.model;
    let operands = model.operands(id);
    let leaf = |id: NodeId| {
        plan.known[id.index()].is_some()
            || match model.op(id) {
                Op::Const(_) | Op::SizeOf(_) | Op::Iota(_) | Op::Eye(_) => true,
                Op::Broadcast(_) => {
                    let inner = model.operands(id)[0];
                    plan.known[inner.index()].is_some() || model.operands(inner).is_empty()
                }
                _ => false,
            }
    };
    let number = |id: NodeId| model.operands(id).is_empty() && plan.known[id.index()].is_none();
    if model.ty(id).rank() == 0
        && !operands.is_empty()
        && (operands.iter().all(|&operand| number(operand)) || is_number(model, id, NUMBERS))
    {
        return true;
    }
    match model.op(id) {
        // Its operand is what costs, and decides for itself.
        Op::Broadcast(_) => true,
        Op::Permute(permute) => permute.is_transpose(),
        Op::Scalar(Scalar::Neg) => true,
        Op::Const(_) | Op::SizeOf(_) | Op::Iota(_) | Op::Eye(_) => true,
        Op::Literal(literal) => literal.values.len() <= 4,
        Op::Scalar(Scalar::Add | Scalar::Sub | Scalar::Square | Scalar::Gt | Scalar::Eq) => {
            operands.iter().all(|&operand| leaf(operand))
        }
        Op::Scalar(Scalar::Mul | Scalar::Div) => {
            operands.iter().all(|&operand| leaf(operand)) && model.ty(id).rank() == 0
        }
        Op::Slice(_) | Op::OneHot(_) | Op::StopGradient(_) => {
            operands.iter().all(|&operand| leaf(operand))
        }
        _ => false,
    }
}

/// What is written on all lines.
pub struct Drafts {
    /// The expressions of the lines by node.
    pub drafts: Vec<Option<Draft>>,
    /// The next values of states.
    pub updates: Vec<(Name, Draft)>,
    /// Whether nothing had to get a line because of its width, and all that was written is part of the lines.
    pub narrow: bool,
}

/// The expressions of all lines, and of the updates of states. What would make a line too wide gets a line too.
pub fn drafts(plan: &mut Plan, whole: Part) -> Drafts {
    let model = plan.model;
    let mut narrow = !model.may_have(|op| matches!(op, Op::Scan(_) | Op::Custom(_)));
    let mut done: Vec<Option<Draft>> = vec![None; model.len()];
    let mut left = readers(plan);
    for id in model.nodes().filter(|id| plan.region[id.index()]).collect::<Vec<_>>() {
        if plan.given[id.index()] || plan.folded.holds(id) {
            continue;
        }
        let operands = model.operands(id);
        for &operand in &operands {
            left[operand.index()] = left[operand.index()].saturating_sub(1);
        }
        if let Some(&first) = plan.pieces.get(&id).filter(|first| **first != id) {
            done[id.index()] = Some(Draft::name(first, NAME));
            continue;
        }
        loop {
            let parts: Vec<Draft> =
                operands.iter().map(|&operand| part(plan, &done, operand)).collect();
            if let Op::Scan(scan) = model.op(id) {
                let wide = (0..scan.carries + scan.slices).find(|&place| {
                    parts[place].width > HEAD
                        && widest(plan, &done, &operands[place..=place]).is_some()
                });
                if let Some(place) = wide {
                    let operand =
                        widest(plan, &done, &operands[place..=place]).expect("it is wide");
                    plan.lines[operand.index()] = true;
                    relaid(plan, &mut done, operands[place]);
                    continue;
                }
                let arguments = operands
                    .iter()
                    .zip(parts)
                    .map(|(&operand, part)| argument(model, operand, part));
                let arguments: Vec<Draft> = arguments.collect();
                done[id.index()] = Some(Draft::gathered(id, &arguments));
                plan.heads.insert(id, arguments);
                break;
            }
            let nested = nested_product(plan, id, &parts);
            let draft = match model.op(id) {
                // The boundary of a function says something only where its rule is printed.
                Op::Custom(_) if whole == Part::Adjoint => through(id, parts),
                Op::Slice(_) if plan.pieces.contains_key(&id) => {
                    let of = parts.into_iter().next().expect("a slice has an operand");
                    plan.splits[&id].written(model, argument(model, operands[0], of))
                }
                _ => render(model, id, parts),
            };
            narrow &= draft.width <= ROOM;
            let widest = nested
                .or_else(|| (draft.width > ROOM).then(|| widest(plan, &done, &operands)).flatten());
            match widest {
                Some(operand) => {
                    plan.lines[operand.index()] = true;
                    for &part in &operands {
                        relaid(plan, &mut done, part);
                    }
                }
                None => {
                    done[id.index()] = Some(draft);
                    break;
                }
            }
        }
        for &operand in &operands {
            if left[operand.index()] == 0 && !plan.lines[operand.index()] {
                done[operand.index()] = None;
            }
        }
    }
    let updates = match whole {
        Part::Whole => updates(plan, &done),
        Part::Adjoint | Part::Body => Vec::new(),
    };
    for id in model.nodes() {
        if !plan.lines[id.index()] {
            done[id.index()] = None;
        } else if let Op::Broadcast(broadcast) = model.op(id) {
            done[id.index()] =
                done[id.index()].take().map(|draft| spelled(model, id, broadcast, draft));
        }
    }
    Drafts { drafts: done, updates, narrow }
}

/// The next values of states, each where no line has it as an expression of its own.
fn updates(plan: &Plan, done: &[Option<Draft>]) -> Vec<(Name, Draft)> {
    let model = plan.model;
    let draft = |id: NodeId| match (model.op(id), part(plan, done, id)) {
        (Op::Broadcast(broadcast), draft) if !draft.names(id) => {
            spelled(model, id, broadcast, draft)
        }
        (_, draft) => typed(model, id, draft, false),
    };
    states(model).map(|(name, id)| (name.clone(), draft(id))).collect()
}

/// The first of `parts` as the expression of a node.
fn through(id: NodeId, parts: Vec<Draft>) -> Draft {
    let mut draft = parts.into_iter().next().expect("it has operands");
    draft.nodes.push(id);
    draft
}

/// Writes what is laid out anew, now that a value behind it has a line.
fn relaid(plan: &Plan, done: &mut [Option<Draft>], id: NodeId) {
    let Op::Broadcast(_) = plan.model.op(id) else { return };
    if plan.lines[id.index()] || done[id.index()].is_none() {
        return;
    }
    let inner = plan.model.operands(id)[0];
    relaid(plan, done, inner);
    let draft = part(plan, done, inner);
    done[id.index()] = Some(render(plan.model, id, vec![draft]));
}

/// How often each value is read; what is laid out once more, since it may be laid out anew.
fn readers(plan: &Plan) -> Vec<u32> {
    let mut readers = vec![0; plan.model.len()];
    for id in plan.model.nodes().filter(|id| plan.region[id.index()]) {
        for operand in plan.model.operands(id) {
            let laid = matches!(plan.model.op(id), Op::Broadcast(_));
            readers[operand.index()] += 1 + u32::from(laid);
        }
    }
    for id in kept(plan.model) {
        readers[id.index()] += 1;
    }
    readers
}

fn part(plan: &Plan, done: &[Option<Draft>], operand: NodeId) -> Draft {
    let known = plan.known[operand.index()].as_ref();
    let width = match known {
        Some(name) => name.chars().count(),
        None => plan.widths.get(&operand).copied().unwrap_or(NAME),
    };
    // A number is said, not called by the derivative that happens to be this number.
    let number = known.is_none() && plan.model.filled(operand).is_some();
    if (plan.lines[operand.index()] && !number) || known.is_some() {
        return Draft::name(operand, width);
    }
    done[operand.index()].clone().unwrap_or_else(|| Draft::name(operand, width))
}

/// An operand of a matrix product or convolution that is an adjoint and holds one itself: a step of its own.
fn nested_product(plan: &Plan, id: NodeId, parts: &[Draft]) -> Option<NodeId> {
    if !matches!(plan.model.op(id), Op::MatMul(_) | Op::Conv(_)) || plan.forward[id.index()] {
        return None;
    }
    let operands = plan.model.operands(id);
    let inner = |operand: NodeId| match plan.model.op(operand) {
        Op::Permute(_) => plan.model.operands(operand)[0],
        _ => operand,
    };
    operands
        .iter()
        .zip(parts)
        .filter(|(_, draft)| draft.product)
        .map(|(&operand, _)| inner(operand))
        .find(|&operand| !plan.forward[operand.index()] && !plan.lines[operand.index()])
}

/// The operand whose expression is the widest of those without a line.
fn widest(plan: &Plan, done: &[Option<Draft>], operands: &[NodeId]) -> Option<NodeId> {
    let mut candidates: Vec<(usize, NodeId)> = Vec::new();
    for &operand in operands {
        let mut at = operand;
        while let Op::Broadcast(_) = plan.model.op(at) {
            at = plan.model.operands(at)[0];
        }
        let named = plan.lines[at.index()] || plan.known[at.index()].is_some();
        let atom =
            plan.model.operands(at).is_empty() && !matches!(plan.model.op(at), Op::Literal(_));
        if !named && !atom {
            let width = done[at.index()]
                .as_ref()
                .or(done[operand.index()].as_ref())
                .map_or(0, |draft| draft.width);
            candidates.push((width, at));
        }
    }
    candidates
        .into_iter()
        .filter(|(width, _)| *width > 12)
        .max_by_key(|(width, _)| *width)
        .map(|(_, id)| id)
}
