//! Syntax tree to model: names, dimensions, types; broadcasting made explicit; misfits given their places.

mod arguments;
mod builtin;
mod call;
mod expr;
mod function;
mod index;
mod items;
mod misfit;
mod sizes;
mod trace;
mod typed;
mod unknown;
mod usage;

use crate::diagnostic::{Diagnostic, Span};
use crate::graph::{Model, NodeId, Origin, Origins};
use crate::ops::builtin::AxisRef;
use crate::ops::{Name, Size, Term};
use crate::syntax::ast::{Ast, ExprId, Function};
use crate::tensor::DType;
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;

/// A source text that is being lowered.
struct Unit {
    ast: Ast,
    text: String,
}

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
}

struct Lowerer {
    model: Model,
    units: Vec<Rc<Unit>>,
    /// The unit whose expressions are being lowered.
    unit: usize,
    scopes: Vec<Scope>,
    functions: FxHashMap<Name, Vec<(usize, Rc<Function>)>>,
    /// The functions whose bodies are being inlined, outermost first, with the calls.
    calls: Vec<(Name, Span)>,
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
    /// Where each result is named.
    given: FxHashMap<Name, Span>,
    /// The names that each binding of the model mentions, gathered when first asked for.
    mentions: Option<FxHashMap<Name, Vec<(Name, Span)>>>,
    /// The names of circles that have been reported.
    circled: FxHashSet<Name>,
    /// How many calls have been inlined.
    inlined: usize,
    /// How many errors there are, said or not.
    errors: usize,
}

/// So many errors are said; each costs a walk through the text.
const MOST: usize = 1000;

/// The model of a syntax tree, with what is to be said about it. Where an error is said there is no model.
///
/// `prelude` is the syntax tree and text of the functions that every model sees; `by` names bindings that derivatives will
/// be taken by from outside.
pub fn lower(
    ast: Ast,
    text: &str,
    prelude: (Ast, &str),
    by: &[Name],
) -> (Option<Model>, Vec<Diagnostic>) {
    let mut lowerer = Lowerer {
        model: Model::default(),
        units: vec![
            Rc::new(Unit { ast, text: text.into() }),
            Rc::new(Unit { ast: prelude.0, text: prelude.1.into() }),
        ],
        unit: 0,
        scopes: vec![Scope::default()],
        functions: FxHashMap::default(),
        calls: Vec::new(),
        diagnostics: Vec::new(),
        barriers: by.iter().cloned().collect(),
        axes: FxHashMap::default(),
        float: DType::F32,
        later: FxHashMap::default(),
        dtypes: FxHashMap::default(),
        given: FxHashMap::default(),
        mentions: None,
        circled: FxHashSet::default(),
        inlined: 0,
        errors: 0,
    };
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
    fn say(&mut self, diagnostic: Diagnostic) {
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
        if span.file == 0 {
            return span;
        }
        self.calls.iter().rev().map(|(_, call)| *call).find(|call| call.file == 0).unwrap_or(span)
    }

    fn origins(&self, span: Span) -> Origins {
        Origin::Source(self.place(span)).into()
    }

    fn lookup(&self, name: &str) -> Option<&(Meaning, Span)> {
        let innermost = self.scopes.last().expect("there is always a scope");
        innermost.names.get(name).or_else(|| {
            let dims_only = self.scopes.len() > 1;
            self.scopes[0].names.get(name).filter(|(meaning, _)| {
                !dims_only || matches!(meaning, Meaning::Size(_)) && self.unit == 0
            })
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
        let earlier =
            self.scopes.last().and_then(|scope| scope.names.get(name)).map(|(_, span)| *span);
        if let Some(earlier) = earlier {
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
    "dim", "input", "param", "state", "update", "const", "fn", "layer", "repeat", "scan", "loss",
    "output", "metric", "grad", "expect", "use", "train", "wrt", "in", "for", "yield", "return",
    "as", "and", "or", "not", "inf", "nan", "pi", "e", "true", "false", "training", "f32", "f64",
    "i32", "i64", "bool", "float", "keep", "None", "where", "jvp", "vjp", "hvp", "jacobian",
    "hessian",
];
