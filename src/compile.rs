//! The pipeline from text to a model with its derivatives: the one room that knows all others of the core.

mod import;
pub mod lecture;

use crate::autodiff::{Flow, derive, expand, expand_innermost, push};
use crate::diagnostic::Diagnostic;
use crate::graph::{Claim, Kind, Model, NodeId, Origin, Origins, Output, check};
use crate::lower::{Unit, lower};
use crate::ops::special::Mode;
use crate::ops::{Misfit, Name, free};
use crate::passes::{
    self, Condition, Report, Used, Watch, has_barriers, release, simplify, simplify_owned,
    simplify_watched, stabilise,
};
use crate::syntax;
pub use import::{File, Nowhere, Refusal, Source};
use import::{Imports, imports};
use rustc_hash::FxHashSet;
use std::borrow::Cow;
use std::sync::LazyLock;

/// The functions that every model sees, in the language.
pub const PRELUDE: &str = include_str!("prelude.nn");

static PRELUDE_TREE: LazyLock<syntax::ast::Ast> = LazyLock::new(|| {
    let (tree, diagnostics) = syntax::parse(PRELUDE, 1);
    assert!(diagnostics.is_empty(), "the prelude: {diagnostics:?}");
    tree
});

/// A text that has been read: its model, where nothing is wrong, and all that is to be said about it.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// The model, derivatives in it still to be derived.
    pub model: Option<Model>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that it uses; in spans the first of them has the number 2.
    pub files: Vec<File>,
}

/// Reads a model that stands alone. `by` names bindings that derivatives will be taken by with `differentiate`.
pub fn read(text: &str, by: &[Name]) -> Read {
    read_from(text, by, &Nowhere)
}

/// Reads a model with the files that it uses, which `source` gives.
pub fn read_from(text: &str, by: &[Name], source: &dyn Source) -> Read {
    let (ast, mut diagnostics) = syntax::parse(text, 0);
    let Imports { files, units, uses, diagnostics: said } = imports(&ast, source);
    diagnostics.extend(said);
    let unreadable = diagnostics.iter().any(Diagnostic::is_error);
    let own = Unit { ast, text: text.into(), uses };
    let prelude = Unit { ast: PRELUDE_TREE.clone(), text: PRELUDE.into(), uses: Vec::new() };
    let (model, said) = lower([own, prelude].into_iter().chain(units).collect(), by);
    diagnostics.extend(said);
    let model = model.filter(|_| !unreadable);
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.as_ref().map(|label| label.span));
    if let Some(model) = &model {
        debug_assert!(check::check(model).is_ok(), "{:?}", check::check(model));
    }
    Read { model, diagnostics, files }
}

/// Derivatives that are asked for from outside.
#[derive(Clone, Debug)]
pub struct Request {
    /// The name of the value.
    pub of: Name,
    /// The names of the variables.
    pub wrt: Vec<Name>,
    /// Which derivative.
    pub mode: Mode,
    /// For vjp, jvp and hvp the name of the vector, for each variable.
    pub vectors: Vec<Name>,
    /// How many times over; from the second on the Jacobian of what was there.
    pub order: usize,
}

/// How far the graph is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As written, and as derived from that.
    Derived,
    /// In stable form, and the derivatives of that in the form that reads best.
    Readable,
}

/// A model with derivatives.
#[derive(Clone, Debug)]
pub struct Derived {
    /// The model; each derivative is an output of kind `Gradient`.
    pub model: Model,
    /// For each variable what reached it.
    pub flows: Vec<Reach>,
    /// What the laws did.
    pub report: Report,
    /// The stability laws that were used.
    pub stable: Vec<Used>,
}

/// Whether anything of a value flows back to a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Its derivative is there.
    Reached,
    /// The value does not depend on it; the derivative is zeros.
    Apart,
    /// Each way leads through an operator without derivative; the origins tell where it stands.
    Cut(Origins),
}

/// The default request: the file's first `grad` line, else the loss with respect to every unfrozen float parameter.
pub fn default_request(model: &Model) -> Option<Request> {
    let plain = |of: Name, wrt: Vec<Name>| Request {
        of,
        wrt,
        mode: Mode::Grad,
        vectors: Vec::new(),
        order: 1,
    };
    if let Some(request) = model.requests.first() {
        return Some(plain(request.of.clone(), request.wrt.clone()));
    }
    let loss = model.loss()?.name.clone();
    let learnt = model.variables.iter().filter(|(_, variable)| {
        variable.role == crate::graph::Role::Param
            && !variable.frozen
            && model.ty(variable.node).dtype.is_float()
    });
    Some(plain(loss, learnt.map(|(name, _)| name.clone()).collect()))
}

/// The model with the derivatives that stand in it derived, ready to run, and the stability laws that were
/// used; claims are put aside.
pub fn forward(model: &Model, level: Level) -> Result<(Model, Vec<Used>), Misfit> {
    let (model, stable) = stable(model.unclaimed(), &[], level)?;
    Ok((release(&expanded(model, level)?), stable))
}

/// The two sides of a claim, as its outputs, derived as they are written.
pub fn sides(model: &Model, claim: usize) -> Result<Model, Misfit> {
    let mut model = model.clone();
    let Claim { left, right, .. } = model.claims[claim].clone();
    model.claims.clear();
    model.updates.clear();
    model.requests.clear();
    model.names.clear();
    let side = |name: &str, node| Output { kind: Kind::Output, name: name.into(), node };
    model.outputs = vec![side("left", left), side("right", right)];
    Ok(release(&expand(&model)?))
}

/// What has come of an attempt to prove that two outputs are equal.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Whether they are equal over the reals wherever both are defined. If not, nothing is known.
    pub proved: bool,
    /// The laws that were used.
    pub laws: Vec<&'static str>,
    /// Where both are defined, as far as that is not everywhere: values of `written`.
    pub conditions: Vec<Condition>,
    /// Both outputs as they were given.
    pub written: Model,
    /// Both outputs in the form that the laws give them.
    pub model: Model,
}

/// Tries to prove that the two outputs of a model are equal.
pub fn prove(model: &Model) -> Proof {
    let mut model = model.clone();
    model.outputs.iter_mut().for_each(|output| output.kind = Kind::Gradient);
    let mut proof = Proof {
        proved: model.outputs[0].node == model.outputs[1].node,
        laws: Vec::new(),
        conditions: passes::conditions(&model),
        written: model.clone(),
        model,
    };
    if proof.proved {
        return proof;
    }
    // Nothing here is written by anybody: laws may touch all of it.
    let made = Origins::one(Origin::Law("claim"));
    let copied = |to: &mut Model, id, operands: &[NodeId]| {
        to.insert(proof.written.op(id).clone(), operands, &made)
    };
    let loose: Model = proof.written.rebuild(copied).expect("what was well typed stays so");
    let (stable, used) = stabilise(&loose, &[]).unwrap_or((loose.clone(), Vec::new()));
    // A form that is stable at a kink is not always the simplest.
    let plain = (!used.is_empty()).then_some((loose, Vec::new()));
    for (form, used) in std::iter::once((stable, used)).chain(plain) {
        let (simple, report) = simplify(&form);
        let [left, right] = [0, 1].map(|side| simple.outputs[side].node);
        proof.laws = used.iter().map(|used| used.law).chain(report.laws.keys().copied()).collect();
        proof.proved = left == right;
        if !proof.proved {
            proof.laws.push("the normal form of sums of products");
            proof.proved = passes::prove(&simple, left, right);
        }
        proof.model = simple;
        if proof.proved {
            break;
        }
    }
    proof
}

/// The stable form of a model whose values `named` have derivatives taken by them.
fn stable(
    model: Cow<'_, Model>,
    named: &[NodeId],
    level: Level,
) -> Result<(Model, Vec<Used>), Misfit> {
    match level {
        Level::Derived => Ok((model.into_owned(), Vec::new())),
        Level::Readable => stabilise(&model, named),
    }
}

/// The model with the derivatives of `requests` as outputs; claims are put aside.
pub fn differentiate(model: &Model, requests: &[Request], level: Level) -> Result<Derived, Misfit> {
    differentiate_watched(model, requests, level, &mut |_, _| {})
}

/// The same; the rounds of the laws on the whole are before the eyes of `watch`.
pub fn differentiate_watched(
    model: &Model,
    requests: &[Request],
    level: Level,
    watch: &mut Watch<'_>,
) -> Result<Derived, Misfit> {
    let wrt = requests.iter().flat_map(|request| &request.wrt);
    let wrt: Vec<NodeId> = wrt.filter_map(|name| model.named(name)).collect();
    let (model, stable) = stable(model.unclaimed(), &wrt, level)?;
    let mut model = expanded(model, level)?;
    let mut flows = Vec::new();
    for request in requests {
        derived(&mut model, request, level, &mut flows)?;
    }
    if level == Level::Derived || has_barriers(&model) {
        model = release(&model);
    }
    debug_assert!(check::check(&model).is_ok(), "{:?}", check::check(&model));
    let (model, report) = match level {
        Level::Derived => (model, Report::default()),
        Level::Readable => simplify_watched(model, watch),
    };
    Ok(Derived { model, flows, report, stable })
}

/// The model with the derivatives that stand in it derived.
fn expanded(model: Model, level: Level) -> Result<Model, Misfit> {
    if level == Level::Derived {
        return expand(&model);
    }
    let mut model = simplify_owned(model).0;
    while let Some(next) = expand_innermost(&model)? {
        model = simplify_owned(next).0;
    }
    Ok(model)
}

/// Adds what a request asks for to the outputs. A derivative of higher order is the derivative of what laws make of a lower
/// one.
fn derived(
    model: &mut Model,
    request: &Request,
    level: Level,
    flows: &mut Vec<Reach>,
) -> Result<(), Misfit> {
    let (first, mut later) = match request.mode {
        Mode::Hessian => (Mode::Grad, vec![Mode::Jacobian]),
        Mode::Hvp => (Mode::Grad, vec![Mode::Jvp]),
        mode => (mode, Vec::new()),
    };
    later.extend(std::iter::repeat_n(Mode::Jacobian, request.order.saturating_sub(1)));
    let of = all_named(model, std::slice::from_ref(&request.of))?[0];
    let origins = origins_of(model, of);
    let (wrt, vectors) = (all_named(model, &request.wrt)?, all_named(model, &request.vectors)?);
    let seeds: Vec<(NodeId, NodeId)> = wrt.iter().copied().zip(vectors.iter().copied()).collect();
    let start = model.outputs.len();
    let mut taken: FxHashSet<Name> =
        model.outputs.iter().map(|output| output.name.clone()).collect();
    if first == Mode::Jvp {
        if wrt.len() > 1 && !later.is_empty() {
            return Err(Misfit::call("a tangent is derived again by one variable: name it"));
        }
        for &seed in seeds.iter().filter(|_| seeds.len() > 1) {
            let alone = push(model, &[of], &[seed], &origins)?.remove(0).0;
            flows.push(reach(model, alone));
        }
        let (flow, node) = push(model, &[of], &seeds, &origins)?.remove(0);
        let name = match &request.wrt[..] {
            [one] => {
                flows.push(reach(model, flow));
                result_name(request, one)
            }
            _ => format!("t_{}", request.of),
        };
        result(model, &mut taken, name, node);
    } else {
        let found = derive(model, first, of, &wrt, vectors.first().copied(), &origins)?;
        for (name, (flow, node)) in request.wrt.iter().zip(found) {
            flows.push(reach(model, flow));
            result(model, &mut taken, result_name(request, name), node);
        }
    }
    for mode in later {
        if level == Level::Readable {
            *model = simplify(model).0;
        }
        // A law may have put another node in the place of a name.
        let (wrt, vectors) = (all_named(model, &request.wrt)?, all_named(model, &request.vectors)?);
        let before: Vec<NodeId> =
            (0..wrt.len()).map(|place| model.outputs[start + place].node).collect();
        if mode == Mode::Jvp {
            let seeds: Vec<(NodeId, NodeId)> = wrt.into_iter().zip(vectors).collect();
            for (place, (_, node)) in
                push(model, &before, &seeds, &origins)?.into_iter().enumerate()
            {
                model.outputs[start + place].node = node;
            }
            continue;
        }
        for (place, (&of, &x)) in before.iter().zip(&wrt).enumerate() {
            let node = derive(model, mode, of, &[x], None, &origins)?.remove(0).1;
            model.outputs[start + place].node = node;
        }
        if request.mode == Mode::Hessian && request.order == 1 {
            mixed(model, &mut taken, request, &before, &wrt, &origins)?;
        }
    }
    Ok(())
}

/// Adds the blocks of a Hessian by two different variables, each with the axes of the earlier one first.
fn mixed(
    model: &mut Model,
    taken: &mut FxHashSet<Name>,
    request: &Request,
    gradients: &[NodeId],
    wrt: &[NodeId],
    origins: &Origins,
) -> Result<(), Misfit> {
    for (place, &gradient) in gradients.iter().enumerate() {
        let found = derive(model, Mode::Jacobian, gradient, &wrt[place + 1..], None, origins)?;
        for (other, (_, node)) in request.wrt[place + 1..].iter().zip(found) {
            let name = format!("{}_{other}", result_name(request, &request.wrt[place]));
            result(model, taken, name, node);
        }
    }
    Ok(())
}

/// Adds a derivative to the outputs, whose names `taken` has.
fn result(model: &mut Model, taken: &mut FxHashSet<Name>, name: String, node: NodeId) {
    let name = free(&name, |name| model.named(name).is_some() || taken.contains(name));
    taken.insert(name.clone());
    model.outputs.push(Output { kind: Kind::Gradient, name, node });
}

fn reach(model: &Model, flow: Flow) -> Reach {
    match flow {
        Flow::Adjoint(_) => Reach::Reached,
        Flow::Apart => Reach::Apart,
        Flow::Cut(by) => Reach::Cut(model.origins(by).clone()),
    }
}

fn all_named(model: &Model, names: &[Name]) -> Result<Vec<NodeId>, Misfit> {
    let named = |name: &Name| {
        model.named(name).ok_or_else(|| Misfit {
            code: "E0101",
            ..Misfit::call(format!("nothing is called `{name}`"))
        })
    };
    names.iter().map(named).collect()
}

fn origins_of(model: &Model, of: NodeId) -> Origins {
    match model.origins(of).span() {
        Some(span) => Origin::Adjoint { span, rule: "seed".into(), operand: None }.into(),
        None => Origin::Law("seed").into(),
    }
}

/// How the result of a request is called: `d_W` for a gradient, `d_y_x` for a Jacobian, `d_d_W` for a block of a Hessian.
fn result_name(request: &Request, wrt: &str) -> String {
    let of = &request.of;
    let first = match request.mode {
        Mode::Grad | Mode::Vjp => format!("d_{wrt}"),
        Mode::Jacobian if **of == *format!("d_{wrt}") => format!("d_{of}"),
        Mode::Jacobian => format!("d_{of}_{wrt}"),
        Mode::Hessian => format!("d_d_{wrt}"),
        Mode::Jvp => format!("t_{of}_{wrt}"),
        Mode::Hvp => format!("hv_{wrt}"),
    };
    format!("{}{first}", "d_".repeat(request.order.saturating_sub(1)))
}
