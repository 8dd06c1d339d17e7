//! `pullback grad --diff`: where two models differ in their gradients, as mathematics.

mod roles;

use super::args::{self, Common, Data, Grad};
use super::grad::kind;
use super::judge::{self, Judgement};
use super::out::{self, Failure};
use super::session::{self, Session};
use crate::compile::{self, Level, Request};
use crate::graph::join::{Joined, join};
use crate::graph::print::{Step, steps};
use crate::graph::{Kind, Model, NodeId, Output};
use crate::ops::{Misfit, Name, Op};
use crate::passes::{resize, retype};
use crate::tensor::DType;
use roles::{roles, sized};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Value, json};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::path::Path;

/// So many statements around a difference are shown.
const AROUND: usize = 3;
/// Statements are compared at so many points.
const POINTS: u64 = 2;

/// One of the two models.
struct Side {
    file: String,
    sources: Vec<(String, String)>,
    request: Request,
    /// With the gradients in the form that is printed.
    printed: Model,
    /// With the gradients of the source as it is written.
    written: Model,
}

/// What is found of a gradient that both models have.
enum Finding {
    Judged(Judgement),
    /// Not comparable, and why.
    Apart(String),
}

/// A line of the comparison of statements, with its side.
struct Line {
    sign: char,
    text: String,
}

/// Compares the gradients of two models, and prints what was found.
pub fn diff(common: &Common, args: &Grad, other: &Path) -> Result<(), Failure> {
    let second = args::Model { file: Some(other.into()), expression: None };
    let level = args.optimise.level();
    let mut one = side(common, args, &args.model, level)?;
    let mut two = side(common, args, &second, level).map_err(|failure| match failure {
        Failure::Request(message) => Failure::Request(format!("{}: {message}", other.display())),
        failure => failure,
    })?;
    let renamed = matched(common, &mut one, &mut two)?;
    let sources = [(one.file.clone(), String::new())];
    let findings = findings(common, &sources, &one, &two)?;
    let only = |a: &Side, b: &Side| -> Vec<Name> {
        let names = gradients(&a.printed).map(|output| output.name.clone());
        names.filter(|name| !gradients(&b.printed).any(|known| known.name == *name)).collect()
    };
    let only = [only(&one, &two), only(&two, &one)];
    let (lines, unlike) = match join(&one.printed, &two.printed) {
        Ok(joined) => lines(common, &sources, &joined, &one, &two)?,
        Err(_) => (Vec::new(), Vec::new()),
    };
    let equal = only.iter().all(Vec::is_empty)
        && findings.iter().all(|(_, finding)| finding.judgement().is_some_and(Judgement::holds));
    let found = Found { renamed, findings, only, lines, unlike, equal };
    let text = if common.json { found.json(&one, &two) } else { found.text(&one, &two) };
    out::result(&text, args.target.output.as_deref())?;
    judge::ended(equal, found.findings.iter().filter_map(|(_, finding)| finding.judgement()))
}

fn side(common: &Common, args: &Grad, model: &args::Model, level: Level) -> Result<Side, Failure> {
    let mut session = session::open(common, model, Some(&args.select))?;
    let mut request = session::request(common, &session, &args.select)?;
    let printed = session::derive(common, &mut session, &mut request, level)?.model;
    let Session { model, sources, .. } = session;
    let wide = |model: &Model| retype(model, DType::F64);
    let fit = |misfit: Misfit| Failure::Request(misfit.to_string());
    let written = compile::differentiate(&model, std::slice::from_ref(&request), Level::Derived);
    let written = wide(&written.map_err(fit)?.model).map_err(fit)?;
    let file = sources.first().map(|(file, _)| file.clone()).unwrap_or_default();
    Ok(Side { file, sources, request, printed: wide(&printed).map_err(fit)?, written })
}

/// Gives both models the same dimensions; those that go together under different names.
fn matched(
    common: &Common,
    one: &mut Side,
    two: &mut Side,
) -> Result<Vec<(String, String)>, Failure> {
    let roles = roles(&one.file, &one.printed, &two.printed).map_err(|clash| {
        out::diagnostics(common, &[*clash], &two.sources);
        Failure::Said(2)
    })?;
    for model in [&mut one.printed, &mut one.written] {
        model.dims = sized(&model.dims, &roles.first);
    }
    for model in [&mut two.printed, &mut two.written] {
        let fit = |misfit: Misfit| Failure::Request(format!("{}: {misfit}", two.file));
        *model = resize(model, &roles.second).map_err(fit)?;
    }
    Ok(roles.renamed)
}

fn gradients(model: &Model) -> impl Iterator<Item = &Output> {
    model.outputs.iter().filter(|output| output.kind == Kind::Gradient)
}

/// The gradients of both models by name: proved in the form that is printed, and looked at in numbers as they are derived
/// from the source as it is written.
fn findings(
    common: &Common,
    sources: &[(String, String)],
    one: &Side,
    two: &Side,
) -> Result<Vec<(Name, Finding)>, Failure> {
    let both: Vec<(Name, [NodeId; 2])> = gradients(&one.printed)
        .filter_map(|left| {
            let right = gradients(&two.printed).find(|right| right.name == left.name)?;
            Some((left.name.clone(), [left.node, right.node]))
        })
        .collect();
    let (printed, written) =
        match (join(&one.printed, &two.printed), join(&one.written, &two.written)) {
            (Ok(printed), Ok(written)) => (printed, written),
            (Err(misfit), _) | (_, Err(misfit)) => {
                let why = format!("the sizes of both models do not go together: {misfit}");
                let apart = |(name, _)| (name, Finding::Apart(why.clone()));
                return Ok(both.into_iter().map(apart).collect());
            }
        };
    let mut found: Vec<(Name, Finding)> = Vec::new();
    let mut pairs = Vec::new();
    for (name, [left, right]) in both {
        match apart(one, two, &printed, left, right) {
            Some(why) => found.push((name, Finding::Apart(why))),
            None => {
                let proof = compile::prove(&sides(&printed, left, right));
                let node = |model: &Model| {
                    gradients(model).find(|output| output.name == name).map(|output| output.node)
                };
                let left = node(&one.written).expect("both derivations are of one request");
                let right = node(&two.written).expect("both derivations are of one request");
                let right = written.of_second(right).expect("results are live");
                pairs.push((name, proof, (left, right)));
            }
        }
    }
    let nodes: Vec<(NodeId, NodeId)> = pairs.iter().map(|(.., pair)| *pair).collect();
    let data = Data::default();
    let numbers = judge::compared(common, sources, &written.model, &nodes, &data)?;
    for ((name, proof, _), numbers) in pairs.into_iter().zip(numbers) {
        found.push((name, Finding::Judged(judge::judged(proof, numbers))));
    }
    let place = |name: &Name| gradients(&one.printed).position(|output| output.name == *name);
    found.sort_by_key(|(name, _)| place(name));
    Ok(found)
}

/// Why two values cannot be compared.
fn apart(one: &Side, two: &Side, joined: &Joined, left: NodeId, right: NodeId) -> Option<String> {
    let (a, b) = (one.printed.ty(left), two.printed.ty(right));
    let sized = |model: &Model, node: NodeId| {
        let shape = &model.ty(node).shape;
        shape.iter().map(|size| joined.model.dims.resolve(&model.dims.resolve(size))).collect()
    };
    let shapes: [Vec<crate::ops::Size>; 2] =
        [sized(&one.printed, left), sized(&two.printed, right)];
    if shapes[0] != shapes[1] {
        return Some(format!("differing shapes: {a} and {b}"));
    }
    let needed = joined.model.needed([left].into_iter());
    let other = two.printed.needed([right].into_iter());
    let name = joined.apart.iter().find(|name| {
        needed[one.printed.variables[*name].node.index()]
            && other[two.printed.variables[*name].node.index()]
    })?;
    let ty = |model: &Model| model.ty(model.variables[name].node).to_string();
    Some(format!("`{name}` is {} and {}", ty(&one.printed), ty(&two.printed)))
}

/// A model whose results are two values.
fn sides(joined: &Joined, left: NodeId, right: NodeId) -> Model {
    let mut model = joined.model.clone();
    let right = joined.of_second(right).expect("results are live");
    let output = |name: &str, node| Output { kind: Kind::Output, name: name.into(), node };
    model.outputs = vec![output("left", left), output("right", right)];
    model.names.clear();
    model.updates.clear();
    model.requests.clear();
    model
}

/// Which values of a joined model are the same: one node, or the same numbers to thirty digits at random points.
struct Classes(FxHashMap<NodeId, usize>);

impl Classes {
    /// The classes of what the first model has and what the second has; only what is not there in both is computed.
    fn of(
        common: &Common,
        sources: &[(String, String)],
        model: &Model,
        sides: [&FxHashSet<NodeId>; 2],
    ) -> Result<Classes, Failure> {
        let apart = |&&node: &&NodeId| {
            !sides.iter().all(|side| side.contains(&node)) && !matches!(model.op(node), Op::Scan(_))
        };
        let mut values: Vec<NodeId> =
            sides.iter().flat_map(|side| side.iter()).filter(apart).copied().collect();
        values.sort_unstable();
        let mut points = Vec::new();
        for point in
            (0..POINTS).filter(|_| sides.iter().all(|side| values.iter().any(|v| side.contains(v))))
        {
            let data = Data::default();
            points.extend(judge::values(common, sources, model, &values, &data, point)?);
        }
        let mut classes: FxHashMap<NodeId, usize> =
            sides.iter().flat_map(|side| side.iter()).map(|&node| (node, node.index())).collect();
        for (place, &node) in values.iter().enumerate() {
            let same = |&other: &usize| {
                model.ty(values[other]).rank() == model.ty(node).rank()
                    && !points.is_empty()
                    && points.iter().all(|found| judge::equal(&found[other], &found[place]))
            };
            if let Some(other) = (0..place).find(same) {
                let class = classes[&values[other]];
                classes.insert(node, class);
            }
        }
        Ok(Classes(classes))
    }
}

/// The printed statements of both, those that are the same mathematics as one, and the names that both models have for
/// different values.
fn lines(
    common: &Common,
    sources: &[(String, String)],
    joined: &Joined,
    one: &Side,
    two: &Side,
) -> Result<(Vec<Line>, Vec<Name>), Failure> {
    let (left, right) = (steps(&one.printed), steps(&two.printed));
    let there = |id: NodeId| joined.of_second(id).expect("what is printed is live");
    let mut named = [FxHashMap::default(), FxHashMap::default()];
    named[0].extend(one.printed.names.iter().map(|(name, &node)| (name, node)));
    let second = two.printed.names.iter();
    named[1].extend(second.filter_map(|(name, &node)| Some((name, joined.of_second(node)?))));
    let mut nodes = named.each_ref().map(|named| named.values().copied().collect::<FxHashSet<_>>());
    nodes[0].extend(left.iter().map(|step| step.node));
    nodes[1].extend(right.iter().map(|step| there(step.node)));
    let classes = Classes::of(common, sources, &joined.model, nodes.each_ref())?.0;
    let differs = |name: &&Name| {
        let twin = named[1].get(name).map(|twin| classes[twin]);
        twin.is_some_and(|twin| named[0].get(name).is_some_and(|node| classes[node] != twin))
    };
    let unlike = one.printed.names.keys().filter(differs).cloned().collect();
    let old: Vec<usize> = left.iter().map(|step| classes[&step.node]).collect();
    let new: Vec<usize> = right.iter().map(|step| classes[&there(step.node)]).collect();
    let mut rows: Vec<(char, usize, &Step)> = Vec::new();
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let (a, b) = (op.old_range(), op.new_range());
        let same = matches!(op, DiffOp::Equal { .. });
        rows.extend(a.map(|place| (if same { ' ' } else { '-' }, old[place], &left[place])));
        rows.extend(b.filter(|_| !same).map(|place| ('+', new[place], &right[place])));
    }
    // A statement that stands elsewhere, or that the other model has by name, is no difference.
    let known = |steps: &[usize], named: &FxHashMap<&Name, NodeId>| -> FxHashSet<usize> {
        steps.iter().copied().chain(named.values().map(|node| classes[node])).collect()
    };
    let (first, second) = (known(&old, &named[0]), known(&new, &named[1]));
    for (sign, class, _) in &mut rows {
        match *sign {
            '-' if second.contains(class) => *sign = ' ',
            '+' if old.contains(class) => *sign = '=',
            '+' if first.contains(class) => *sign = ' ',
            _ => {}
        }
    }
    rows.retain(|row| row.0 != '=');
    Ok((around(&rows), unlike))
}

/// The rows that differ, with those around them.
fn around(rows: &[(char, usize, &Step)]) -> Vec<Line> {
    let near = |place: usize| {
        let window = place.saturating_sub(AROUND)..(place + AROUND + 1).min(rows.len());
        rows[window].iter().any(|row| row.0 != ' ')
    };
    let mut lines: Vec<Line> = Vec::new();
    let mut last = None;
    for place in (0..rows.len()).filter(|&place| near(place)) {
        if last.is_some_and(|last: usize| last + 1 < place) {
            lines.push(Line { sign: ' ', text: "...".into() });
        }
        last = Some(place);
        let (sign, _, step) = rows[place];
        lines.extend(step.text.lines().map(|text| Line { sign, text: text.into() }));
    }
    lines
}

/// All that was found.
struct Found {
    /// The dimensions that go together under different names, of the first model and of the second.
    renamed: Vec<(String, String)>,
    findings: Vec<(Name, Finding)>,
    /// What only the first model has, and only the second.
    only: [Vec<Name>; 2],
    lines: Vec<Line>,
    unlike: Vec<Name>,
    equal: bool,
}

impl Finding {
    fn judgement(&self) -> Option<&Judgement> {
        match self {
            Finding::Judged(judgement) => Some(judgement),
            Finding::Apart(_) => None,
        }
    }

    fn word(&self) -> &'static str {
        match self.judgement().map(Judgement::word) {
            Some("proved") => "equal",
            None | Some("REFUTED") => "DIFFERS",
            Some(word) => word,
        }
    }

    fn reasons(&self) -> Vec<String> {
        match self {
            Finding::Judged(judgement) => judgement.lines(),
            Finding::Apart(why) => vec![why.clone()],
        }
    }
}

impl Found {
    fn text(&self, one: &Side, two: &Side) -> String {
        let mut text = format!(
            "{} of {}: left {}, right {}\n",
            kind(&one.request),
            one.request.of,
            one.file,
            two.file
        );
        if !self.renamed.is_empty() {
            let pairs = self.renamed.iter().map(|(a, b)| format!("left {a} is right {b}"));
            text += &format!("  dims: {}\n", pairs.collect::<Vec<_>>().join(", "));
        }
        let width = self.findings.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, finding) in &self.findings {
            text += &format!("  {name:width$}  {}\n", finding.word());
            finding.reasons().iter().for_each(|line| text += &format!("      {line}\n"));
        }
        for (names, side) in self.only.iter().zip([one, two]) {
            for name in names {
                text += &format!("  {name:width$}  only in {}\n", side.file);
            }
        }
        if self.lines.is_empty() {
            text += "the printed statements are the same mathematics\n";
            return text;
        }
        text += &format!("statements: - {}, + {}\n", one.file, two.file);
        if !self.unlike.is_empty() {
            let names: Vec<String> = self.unlike.iter().map(|name| format!("`{name}`")).collect();
            text += &format!("  values of one name that differ: {}\n", names.join(", "));
        }
        for Line { sign, text: line } in &self.lines {
            text += &format!("  {sign} {line}\n");
        }
        text
    }

    fn json(&self, one: &Side, two: &Side) -> String {
        let gradients: Vec<Value> = self
            .findings
            .iter()
            .map(|(name, finding)| {
                let mut value = json!({"name": name.as_ref()});
                match finding {
                    Finding::Judged(judgement) => judgement.add_to(&mut value),
                    Finding::Apart(why) => {
                        value["verdict"] = json!("apart");
                        value["ok"] = json!(false);
                        value["reason"] = json!([why]);
                    }
                }
                value
            })
            .collect();
        let pairs = self.renamed.iter().map(|(a, b)| json!({"left": a, "right": b}));
        let names = |names: &[Name]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|line| json!({"side": match line.sign { '-' => "left", '+' => "right", _ => "both" }, "text": line.text}))
            .collect();
        let document = json!({
            "v": 1, "ok": self.equal, "left": one.file, "right": two.file,
            "dims": pairs.collect::<Vec<_>>(), "gradients": gradients,
            "only_left": names(&self.only[0]), "only_right": names(&self.only[1]),
            "unlike": names(&self.unlike), "statements": lines,
        });
        format!("{document}\n")
    }
}
