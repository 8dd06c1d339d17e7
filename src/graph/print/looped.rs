//! A scan as a statement of several lines.

use super::draft::{Draft, Piece};
use super::names::{Names, Taken};
use super::statements::{Line, Plan, Written, statement_of, written};
use super::{Part, WIDTH};
use crate::graph::scan::Inner;
use crate::graph::{Kind, Model, NodeId, Output};
use crate::ops::scan::{Scan, Which};
use crate::ops::{Name, Op};
use indexmap::IndexMap;
use rustc_hash::{FxHashMap, FxHashSet};

/// The results of a scan in the order in which they are written: what is stacked, then the last values of the carries. The
/// values of carries before each step are stacked too where they are `picked`.
pub fn results(scan: &Scan, picked: impl Fn(Which) -> bool) -> Vec<Which> {
    let traces = (0..scan.carries).map(Which::Trace).filter(|which| picked(*which));
    (0..scan.yields())
        .map(Which::Yield)
        .chain(traces)
        .chain((0..scan.carries).map(Which::Final))
        .collect()
}

/// The results of the scan `id` that are printed.
pub fn printed(plan: &Plan, id: NodeId) -> Vec<(Which, Option<NodeId>)> {
    let Op::Scan(scan) = plan.model.op(id) else { return Vec::new() };
    let part = |which: Which| plan.parts.get(&(id, which)).copied();
    results(scan, |which| part(which).is_some())
        .into_iter()
        .map(|which| (which, part(which)))
        .collect()
}

/// The left side, the first line of the right side, the lines below it up to the closing brace, and how many statements
/// stand between the braces.
pub struct Looped {
    pub names: String,
    pub text: String,
    pub body: Vec<Line>,
    pub statements: usize,
}

/// The text of the scan `id`.
pub fn looped(plan: &Plan, names: &Names, id: NodeId) -> Looped {
    let model = plan.model;
    let Op::Scan(scan) = model.op(id) else { unreachable!("a scan is written") };
    let left: Vec<String> = printed(plan, id)
        .into_iter()
        .map(|(which, part)| match part.and_then(|part| names.text.get(&part)) {
            Some(name) => name.clone(),
            None => names.unread[&(id, which)].clone(),
        })
        .collect();
    let mut body = Body::new(plan, names, id, scan);
    let operand = |place: usize| plan.heads[&id][place].finish(&names.text);
    let turn = if scan.reverse { "reverse " } else { "" };
    let length = scan.length.to_string();
    let length = if length.contains('(') { format!("({length})") } else { length };
    let first = format!("scan {turn}{} in {length}", body.display[0]);
    let pairs = |word: &str, places: std::ops::Range<usize>| -> Vec<String> {
        places
            .map(|place| format!("{} {word} {}", body.display[1 + place], operand(place)))
            .collect()
    };
    let carries = pairs("=", 0..scan.carries);
    let slices = pairs("in", scan.carries..scan.carries + scan.slices);
    let names = match left.as_slice() {
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
    };
    let mut head = headed(first, &carries, &slices, WIDTH.saturating_sub(names.len() + 3));
    let (lines, statements) = body.lines();
    let text = head.remove(0);
    let body = head.into_iter().map(Line::new).chain(lines).collect();
    Looped { names, text, body, statements }
}

/// The head of a scan: on one line where it fits into `room`, else with its carries and its slices on lines of their own.
fn headed(first: String, carries: &[String], slices: &[String], room: usize) -> Vec<String> {
    let sliced =
        |list: String| if list.is_empty() { " {".into() } else { format!(" for {list} {{") };
    let carried = match carries {
        [] => String::new(),
        carries => format!(" ({})", carries.join(", ")),
    };
    let whole = format!("{first}{carried}{}", sliced(slices.join(", ")));
    if whole.chars().count() <= room {
        return vec![whole];
    }
    let mut lines = vec![if carries.is_empty() { first } else { format!("{first} (") }];
    if !carries.is_empty() {
        lines.extend(filled(carries));
        lines.push(")".into());
    }
    let mut rest = filled(slices);
    if let Some(last) = lines.last_mut() {
        let one = rest.len() <= 1;
        let list = if rest.is_empty() { String::new() } else { rest.remove(0) };
        let text = sliced(list.trim().to_string());
        last.push_str(if one { &text } else { text.trim_end_matches(" {") });
    }
    lines.extend(rest);
    if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('{')) {
        last.push_str(" {");
    }
    lines
}

/// A list with its commas, on as many indented lines as it takes.
fn filled(list: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (place, entry) in list.iter().enumerate() {
        let comma = if place + 1 < list.len() { "," } else { "" };
        match lines.last_mut() {
            Some(line) if line.len() + entry.len() + 2 < WIDTH - 10 => {
                line.push_str(&format!(" {entry}{comma}"));
            }
            _ => lines.push(format!("    {entry}{comma}")),
        }
    }
    lines
}

/// The statements of a body in the making.
struct Body<'a> {
    scan: &'a Scan,
    inner: Inner,
    /// What each input is called inside.
    display: Vec<String>,
    taken: Taken,
    /// The carries whose values before the step are stacked.
    traces: Vec<usize>,
}

/// A statement of a body before its place and its names are known.
struct Item {
    what: What,
    reads: Vec<NodeId>,
}

enum What {
    /// The line of a value.
    Value(NodeId, Draft),
    /// `name = value`, where nothing is computed.
    Copy { name: String, of: NodeId, carry: Option<usize> },
}

impl<'a> Body<'a> {
    fn new(plan: &Plan, names: &Names, id: NodeId, scan: &'a Scan) -> Body<'a> {
        let model = plan.model;
        let operands = model.operands(id);
        let outside = scan.outside();
        let mut inner = model.inner(scan);
        inner.model.floats = Some(model.float());
        let mut display = vec![String::new(); scan.body.inputs.len()];
        let mut taken = Taken::of(model.dims.iter().map(|(name, _)| name.to_string()).collect());
        for (place, operand) in operands.iter().enumerate().skip(scan.carries + scan.slices) {
            display[1 + place] = names.text.get(operand).cloned().unwrap_or_default();
            taken.names.insert(display[1 + place].clone());
        }
        for place in (1..outside).chain([0]) {
            let default = match place {
                0 => "t",
                place if place <= scan.carries => "carry",
                _ => "slice",
            };
            // A carry without a name is called as its last value is.
            let last =
                place.checked_sub(1).and_then(|place| plan.parts.get(&(id, Which::Final(place))));
            let last = last.and_then(|part| names.text.get(part)).map(String::as_str);
            let wanted = scan.body.names[place].as_deref().or(last).unwrap_or(default);
            display[place] = taken.take(wanted.to_string());
        }
        let variables = std::mem::take(&mut inner.model.variables);
        inner.model.variables = variables
            .into_values()
            .zip(&display)
            .map(|(variable, name)| (Name::from(name.as_str()), variable))
            .collect();
        let bound = std::mem::take(&mut inner.model.names);
        for (name, node) in bound {
            inner.model.names.insert(taken.take(name.to_string()).into(), node);
        }
        let traces = (0..scan.carries)
            .filter(|&place| plan.parts.contains_key(&(id, Which::Trace(place))))
            .collect();
        Body { scan, inner, display, taken, traces }
    }

    fn fresh(&mut self, wanted: String) -> String {
        self.taken.take(wanted)
    }

    /// The lines, and how many statements they are.
    fn lines(&mut self) -> (Vec<Line>, usize) {
        let results: Vec<NodeId> =
            self.inner.model.outputs.iter().map(|output| output.node).collect();
        let (next, stacked) = results.split_at(self.scan.carries);
        let held = self.inner.inputs[1..=self.scan.carries].to_vec();
        let bound: FxHashSet<NodeId> = self.inner.model.names.values().copied().collect();
        let mut outputs: IndexMap<NodeId, String> = IndexMap::new();
        let mut claims: Vec<Option<NodeId>> = Vec::new();
        for (place, &node) in next.iter().enumerate() {
            let own = !bound.contains(&node)
                && !self.inner.inputs.contains(&node)
                && !outputs.contains_key(&node);
            if own {
                let name = self.fresh(format!("{}_next", self.display[1 + place]));
                outputs.insert(node, name);
            }
            claims.push(own.then_some(node));
        }
        for &node in stacked {
            if !bound.contains(&node)
                && !self.inner.inputs.contains(&node)
                && !outputs.contains_key(&node)
            {
                let name = self.adjoint_name(node).unwrap_or_else(|| "y".into());
                let name = self.fresh(name);
                outputs.insert(node, name);
            }
        }
        self.inner.model.outputs = outputs
            .iter()
            .map(|(&node, name)| {
                let source = self.inner.model.origins(node).source().is_some();
                let kind = if source { Kind::Output } else { Kind::Gradient };
                Output { kind, name: name.as_str().into(), node }
            })
            .collect();
        // What a carry was is said before its name means the next value.
        let place_of = |node: &NodeId| held.iter().position(|held| held == node);
        let stacked_too = stacked.iter().filter_map(place_of);
        let kept: Vec<usize> = self.traces.iter().copied().chain(stacked_too).collect();
        let mut before: IndexMap<usize, String> = IndexMap::new();
        for place in kept {
            if !before.contains_key(&place) {
                let name = self.fresh(format!("{}_before", self.display[1 + place]));
                before.insert(place, name);
            }
        }
        let mut copies = Vec::new();
        for (place, &node) in next.iter().enumerate() {
            if claims[place].is_none() && node != held[place] {
                let name = self.fresh(format!("{}_next", self.display[1 + place]));
                copies.push((place, name, node));
            }
        }

        let model: &Model = &self.inner.model;
        let Written { plan, order, mut names, mut called, .. } = written(model, Part::Body);
        for node in claims.iter().flatten() {
            called.remove(node);
        }
        let mut items: Vec<Item> = Vec::new();
        for (place, name) in &before {
            let what = What::Copy { name: name.clone(), of: held[*place], carry: None };
            items.push(Item { what, reads: vec![held[*place]] });
        }
        for (id, draft) in order {
            let reads = draft.pieces.iter().filter_map(|piece| match piece {
                Piece::Name(name) => Some(*name),
                Piece::Text(_) => None,
            });
            let reads = reads.collect();
            items.push(Item { what: What::Value(id, draft), reads });
        }
        for (place, name, node) in copies {
            let what = What::Copy { name, of: node, carry: Some(place) };
            items.push(Item { what, reads: vec![node] });
        }
        let (items, kept) = scheduled(model, items, &held, &claims);
        for (place, claim) in claims.iter().enumerate() {
            if let Some(node) = claim.filter(|_| !kept.contains(&place)) {
                names.text.insert(node, self.display[1 + place].clone());
            }
        }
        let (mut lines, mut statements, mut later) = (Vec::new(), 0, Vec::new());
        for Item { what, .. } in items {
            match what {
                What::Value(id, draft) => {
                    let made = statement_of(&plan, &names, id, &draft, &called);
                    for statement in made {
                        statements += statement.count();
                        lines.extend(statement.lines());
                    }
                }
                What::Copy { name, of, carry } => {
                    let inline = carry.filter(|place| !kept.contains(place));
                    let left = match inline {
                        Some(place) => self.display[1 + place].clone(),
                        None => name.clone(),
                    };
                    if let Some(place) = carry.filter(|place| kept.contains(place)) {
                        later.push((place, name));
                    }
                    lines.push(Line::new(format!("{left} = {}", names.text[&of])));
                    statements += 1;
                }
            }
        }
        for (place, claim) in claims.iter().enumerate().filter(|(place, _)| kept.contains(place)) {
            if let Some(node) = claim {
                later.push((place, names.text[node].clone()));
            }
        }
        later.sort();
        for (place, name) in later {
            lines.push(Line::new(format!("{} = {name}", self.display[1 + place])));
        }
        let yielded = stacked.iter().map(|node| match place_of(node) {
            Some(place) => before[&place].clone(),
            None => names.text[node].clone(),
        });
        let traced = self.traces.iter().map(|place| before[place].clone());
        let yielded: Vec<String> = yielded.chain(traced).collect();
        if !yielded.is_empty() {
            let text = yielded.join(", ");
            let wide = yielded.len() > 1 && text.len() > WIDTH - 24;
            let text = if wide { format!("yield ({text})") } else { format!("yield {text}") };
            lines.push(Line::new(text));
        }
        (lines.into_iter().map(Line::indented).collect(), statements)
    }

    /// `d_x` where a value is the adjoint of something called `x`.
    fn adjoint_name(&self, node: NodeId) -> Option<String> {
        let model = &self.inner.model;
        let (of, _) = model.adjoints.iter().rev().find(|(_, adjoint)| *adjoint == node)?;
        let variables = model.variables.iter().map(|(name, variable)| (name, variable.node));
        let mut named = model.names.iter().map(|(name, node)| (name, *node)).chain(variables);
        named.find(|(_, known)| known == of).map(|(name, _)| format!("d_{name}"))
    }
}

/// The items in an order in which every carry is read before its name means the next value; the carries for which there is
/// none keep a name of their own for that.
fn scheduled(
    model: &Model,
    items: Vec<Item>,
    held: &[NodeId],
    claims: &[Option<NodeId>],
) -> (Vec<Item>, FxHashSet<usize>) {
    let mut made: FxHashMap<NodeId, usize> = FxHashMap::default();
    let mut gives: Vec<Option<usize>> = vec![None; claims.len()];
    for (number, item) in items.iter().enumerate() {
        match &item.what {
            What::Value(id, _) => {
                made.insert(*id, number);
            }
            What::Copy { carry: Some(place), .. } => gives[*place] = Some(number),
            What::Copy { .. } => {}
        }
    }
    for (place, claim) in claims.iter().enumerate() {
        if let Some(node) = claim {
            // The results of a scan get their names where that stands.
            let line = match model.op(*node) {
                Op::Part(_) => model.operands(*node)[0],
                _ => *node,
            };
            gives[place] = made.get(&line).copied();
        }
    }
    let mut kept: FxHashSet<usize> = FxHashSet::default();
    loop {
        // For each item those that must come before it.
        let mut first: Vec<FxHashSet<usize>> = items
            .iter()
            .map(|item| item.reads.iter().filter_map(|id| made.get(id).copied()).collect())
            .collect();
        for (place, give) in gives.iter().enumerate().filter(|(place, _)| !kept.contains(place)) {
            let Some(give) = *give else { continue };
            for (reader, item) in items.iter().enumerate() {
                if reader != give && item.reads.contains(&held[place]) {
                    first[give].insert(reader);
                }
            }
        }
        let mut order = Vec::new();
        let mut placed = vec![false; items.len()];
        while let Some(next) = (0..items.len())
            .find(|&item| !placed[item] && first[item].iter().all(|&before| placed[before]))
        {
            placed[next] = true;
            order.push(next);
        }
        if order.len() == items.len() {
            let mut items: Vec<Option<Item>> = items.into_iter().map(Some).collect();
            let items = order.into_iter().filter_map(|number| items[number].take()).collect();
            return (items, kept);
        }
        let stuck =
            gives.iter().enumerate().rev().find(|(place, give)| {
                !kept.contains(place) && give.is_some_and(|give| !placed[give])
            });
        kept.insert(stuck.expect("only carries stand in the way of each other").0);
    }
}
