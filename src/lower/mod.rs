//! Syntax tree to model: names, dimensions, types; broadcasting made explicit; misfits given their places.

mod arguments;
mod builtin;
mod call;
mod claim;
mod custom;
mod declare;
mod expr;
mod function;
mod index;
mod items;
mod layer;
mod limit;
mod lints;
mod misfit;
mod random;
mod remember;
mod repeat;
mod scan;
mod sizes;
mod state;
mod table;
mod trace;
mod train;
mod typed;
mod unknown;
mod usage;

use crate::diagnostic::{Diagnostic, Span};
use crate::graph::scan::Frame;
use crate::graph::{Model, NodeId, Origin, Origins};
use crate::ops::builtin::AxisRef;
use crate::ops::custom::Custom;
use crate::ops::{Name, Size, Term};
use crate::syntax::ast::{Ast, ExprId};
use crate::tensor::DType;
use indexmap::IndexMap;
use layer::Owner;
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;
use table::Table;

/// A source text that is lowered: the model itself, the prelude, or a file that is used.
pub struct Unit {
    /// Its syntax tree.
    pub ast: Ast,
    /// Its text.
    pub text: String,
    /// The numbers of the files that it uses, with the places where it says so.
    pub uses: Vec<(usize, Span)>,
}

/// The number of the prelude among the files.
pub const PRELUDE: u16 = 1;

/// What an expression comes to.
#[derive(Clone, Debug)]
enum Value {
    /// A value of the graph.
    Node(NodeId),
    /// A scalar that has no element type yet: it takes that of what it meets.
    Free(Term),
    /// A list, as in `[a, b]`.
    List(Vec<(Value, Span)>),
    /// Text in quotes.
    Text(Name),
    /// Several results of a call.
    Several(Vec<Value>),
}

/// What a name means.
#[derive(Clone, Debug)]
enum Meaning {
    Value(Value),
    Size(Size),
    /// What could not be lowered; a diagnostic has been given.
    Broken,
}

/// The names that a body sees.
#[derive(Default)]
struct Scope {
    names: FxHashMap<Name, (Meaning, Span)>,
    /// What `axes` in `fn var[axes..]` stands for: axes and whether `keep` is among them.
    axes: Option<(Name, Option<Vec<AxisRef>>, bool)>,
    /// What `..` stands for.
    leading: Option<Vec<Size>>,
    /// The dimensions of the signature that arguments have bound, with the arguments.
    bound: Vec<(Name, Size, Span)>,
    /// Whether it sees the names around it: the scope of a block, not of a function.
    open: bool,
    /// Carries of a block that have no next value yet.
    carried: Vec<Name>,
    /// Who owns the parameters that are declared in it.
    owner: Owner,
}

struct Lowerer {
    model: Model,
    units: Vec<Rc<Unit>>,
    /// The unit whose expressions are being lowered.
    unit: usize,
    scopes: Vec<Scope>,
    /// The functions and layers that each unit sees.
    tables: Vec<Table>,
    /// The instances of layers so far by the start of their parameters' names, with the calls.
    instances: FxHashMap<Name, Span>,
    /// The bindings inside layers and blocks, by their values.
    inner: IndexMap<NodeId, Name>,
    /// How many rounds have been unrolled.
    rounds: usize,
    /// The functions whose bodies are being inlined, outermost first, with the calls; between them the bindings whose values
    /// are being lowered (`=h`), and blocks (`.repeat`).
    calls: Vec<(Name, Span)>,
    /// The scans whose bodies are being read, outermost first.
    loops: Vec<Frame>,
    diagnostics: Vec<Diagnostic>,
    /// Bindings that derivatives are taken by.
    barriers: FxHashSet<Name>,
    /// Where the sizes of each variable's axes are written.
    axes: FxHashMap<Name, Vec<Span>>,
    float: DType,
    /// Where names are defined that later lines may define.
    later: FxHashMap<Name, Span>,
    /// Where the element type of each variable is written.
    dtypes: FxHashMap<Name, Span>,
    /// Where the `train` block stands.
    trained: Option<Span>,
    /// Where each result is named.
    given: FxHashMap<Name, Span>,
    /// Where each state is updated.
    updated: FxHashMap<Name, Span>,
    /// The names that each binding of the model mentions, gathered when first asked for.
    mentions: Option<FxHashMap<Name, Vec<(Name, Span)>>>,
    /// The names of circles that have been reported.
    circled: FxHashSet<Name>,
    /// Values such as `ones(N)`, which have the float type of what they meet.
    unsettled: FxHashSet<NodeId>,
    /// The number of the outermost call that is being inlined.
    within: Option<u32>,
    /// The keys of draws, and how many draws each chain of bindings has.
    keys: FxHashSet<Name>,
    sites: FxHashMap<Name, usize>,
    /// The boundaries of functions with derivatives of their own, by name.
    customs: FxHashMap<Name, Custom>,
    /// How many calls have been inlined.
    inlined: usize,
    /// How many errors there are, said or not.
    errors: usize,
}

/// So many errors are said; each costs a walk through the text.
const MOST: usize = 1000;

/// The model of a text, with what is to be said about it. Where an error is said there is no model.
///
/// `units` are the model, the prelude, which every file sees, and the files that are used, in the order of their numbers in
/// spans; `by` names bindings that derivatives will be taken by from outside.
pub fn lower(units: Vec<Unit>, by: &[Name]) -> (Option<Model>, Vec<Diagnostic>) {
    let mut lowerer = Lowerer {
        model: Model::default(),
        units: units.into_iter().map(Rc::new).collect(),
        unit: 0,
        scopes: vec![Scope { owner: Owner::Named("".into()), ..Scope::default() }],
        tables: Vec::new(),
        instances: FxHashMap::default(),
        inner: IndexMap::default(),
        rounds: 0,
        calls: Vec::new(),
        loops: Vec::new(),
        diagnostics: Vec::new(),
        barriers: by.iter().cloned().collect(),
        axes: FxHashMap::default(),
        float: DType::F32,
        later: FxHashMap::default(),
        dtypes: FxHashMap::default(),
        trained: None,
        given: FxHashMap::default(),
        updated: FxHashMap::default(),
        mentions: None,
        circled: FxHashSet::default(),
        unsettled: FxHashSet::default(),
        within: None,
        keys: FxHashSet::default(),
        sites: FxHashMap::default(),
        customs: FxHashMap::default(),
        inlined: 0,
        errors: 0,
    };
    let text = &lowerer.units[0].text;
    lowerer.model.lines = std::iter::once(0)
        .chain(
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(place, _)| place as u32 + 1),
        )
        .collect();
    lowerer.items();
    let failed = lowerer.errors > 0;
    if !failed {
        lowerer.lints();
    }
    ((!failed).then_some(lowerer.model), lowerer.diagnostics)
}

impl Lowerer {
    /// Notes a diagnostic; a text with very many mistakes gets no more of them.
    fn say(&mut self, mut diagnostic: Diagnostic) {
        diagnostic.secondary.retain(|label| label.span.file != PRELUDE);
        self.errors += usize::from(diagnostic.is_error());
        if self.errors <= MOST {
            self.diagnostics.push(diagnostic);
        }
    }

    fn unit(&self) -> Rc<Unit> {
        self.units[self.unit].clone()
    }

    fn span(&self, id: ExprId) -> Span {
        self.units[self.unit].ast[id].span
    }

    /// The place that a diagnostic about `span` points at: inside an inlined function of the prelude, the call.
    fn place(&self, span: Span) -> Span {
        let shown = |span: &Span| span.file != PRELUDE;
        let calls = || self.calls.iter().rev().map(|(_, call)| *call);
        if shown(&span) { span } else { calls().find(shown).unwrap_or(span) }
    }

    /// Where a value is written, in the text of the model: inside an inlined function of another file, the call.
    fn origins(&self, span: Span) -> Origins {
        let calls = self.calls.iter().rev().map(|(_, call)| *call);
        let own = std::iter::once(span).chain(calls).find(|span| span.file == 0);
        let origins: Origins = Origin::Source(own.unwrap_or(span)).into();
        origins.within(self.within)
    }

    /// The scopes whose names are seen, innermost first, without the dimensions that functions see besides.
    fn seen(&self) -> impl Iterator<Item = &Scope> {
        let closed = self.scopes.iter().rposition(|scope| !scope.open).unwrap_or(0);
        self.scopes[closed..].iter().rev()
    }

    /// Whether the names at the top of the file are seen.
    fn at_top(&self) -> bool {
        self.scopes[1..].iter().all(|scope| scope.open)
    }

    fn lookup(&self, name: &str) -> Option<&(Meaning, Span)> {
        let known = self.seen().find_map(|scope| scope.names.get(name));
        known.or_else(|| {
            let outermost = self.scopes[0].names.get(name).filter(|_| self.unit == 0);
            outermost.filter(|(meaning, _)| matches!(meaning, Meaning::Size(_)))
        })
    }

    fn define(&mut self, name: &Name, span: Span, meaning: Meaning) {
        if crate::ops::builtin::find(name).is_some() || RESERVED.contains(&&**name) {
            let what = match &**name {
                "e" | "pi" | "inf" | "nan" | "true" | "false" => "a constant",
                _ => "a name",
            };
            let message = format!("`{name}` is {what} of the language and cannot be defined");
            let help = format!("choose another name, such as `{name}_` or `my_{name}`");
            self.say(Diagnostic::error("E0105", span, message).help(help));
            let scope = self.scopes.last_mut().expect("there is always a scope");
            scope.names.entry(name.clone()).or_insert((Meaning::Broken, span));
            return;
        }
        let scope = self.scopes.last_mut().expect("there is always a scope");
        let carry = scope.carried.iter().position(|carry| carry == name);
        let earlier = scope.names.get(name).map(|(_, span)| *span);
        if let Some(carry) = carry {
            scope.carried.swap_remove(carry);
        } else if let Some(earlier) = earlier {
            let message = format!("`{name}` is defined twice");
            self.say(
                Diagnostic::error("E0102", span, message)
                    .label(earlier, "first defined here")
                    .help("give one of them another name"),
            );
            return;
        }
        self.scopes
            .last_mut()
            .expect("there is always a scope")
            .names
            .insert(name.clone(), (meaning, span));
    }
}

/// Words that are no names for values, besides the functions.
pub const RESERVED: &[&str] = &[
    "dim",
    "input",
    "param",
    "state",
    "update",
    "const",
    "fn",
    "layer",
    "repeat",
    "scan",
    "loss",
    "output",
    "metric",
    "grad",
    "expect",
    "use",
    "train",
    "wrt",
    "in",
    "for",
    "yield",
    "return",
    "as",
    "and",
    "or",
    "not",
    "inf",
    "nan",
    "pi",
    "e",
    "true",
    "false",
    "training",
    "training_step",
    "f32",
    "f64",
    "i32",
    "i64",
    "bool",
    "float",
    "keep",
    "None",
    "where",
    "jvp",
    "vjp",
    "hvp",
    "jacobian",
    "hessian",
];
