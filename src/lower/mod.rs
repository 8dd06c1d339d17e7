//! Syntax tree to model: names, dimensions, types; broadcasting made explicit; misfits given their places.

mod call;
mod expr;
mod function;
mod items;
mod trace;

use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::graph::{Model, NodeId, Origin, Origins};
use crate::ops::builtin::AxisRef;
use crate::ops::{Misfit, Name, Size, Term};
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
}

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
    let failed = lowerer.diagnostics.iter().any(Diagnostic::is_error);
    if !failed {
        lowerer.lints();
    }
    ((!failed).then_some(lowerer.model), lowerer.diagnostics)
}

impl Lowerer {
    fn say(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
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
            let message =
                format!("`{name}` is a name of the language and cannot be given to a value");
            self.say(
                Diagnostic::error("E0105", span, message)
                    .help("choose another name, such as `my_".to_string() + name + "`"),
            );
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

    fn unknown(&mut self, name: &Name, span: Span) {
        if let Some(later) = self.later.get(name).copied().filter(|_| self.scopes.len() == 1) {
            let own = later.start <= span.start && self.defining(name);
            let (code, message) = if own {
                ("E0103", format!("`{name}` depends on itself"))
            } else {
                ("E0104", format!("`{name}` is used before it is defined"))
            };
            let help = if own {
                "a value is defined once, from earlier ones: give the new value another name"
            } else {
                "move the definition above its first use"
            };
            self.say(
                Diagnostic::error(code, span, message).label(later, "defined here").help(help),
            );
            return;
        }
        let known: Vec<Name> =
            self.scopes.iter().flat_map(|scope| scope.names.keys().cloned()).collect();
        let mut diagnostic =
            Diagnostic::error("E0101", span, format!("nothing is called `{name}`"));
        if let Some(near) = nearest(name, known.iter().map(|name| &**name)) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        }
        self.say(diagnostic);
    }

    fn defining(&self, name: &Name) -> bool {
        self.calls.last().is_some_and(|(defining, _)| *defining == Name::from(format!("={name}")))
    }

    /// Reports a misfit; `operands` are the operands' nodes and places.
    fn misfit(&mut self, misfit: Misfit, span: Span, operands: &[(Option<NodeId>, Span)]) {
        let place = self.place(span);
        let mut diagnostic = Diagnostic::error(misfit.code, place, misfit.message);
        for &(operand, axis) in &misfit.places {
            let Some(&(node, operand_span)) = operands.get(operand) else { continue };
            let label = match (node, axis) {
                (Some(node), Some(axis)) => trace::source(self, node, axis),
                _ => None,
            };
            let (at, text) = label.unwrap_or_else(|| {
                let text =
                    node.map(|node| format!("this is {}", self.model.ty(node))).unwrap_or_default();
                (self.place(operand_span), text)
            });
            if !diagnostic.secondary.iter().any(|label| label.span == at)
                && diagnostic.secondary.len() < 2
                && !text.is_empty()
            {
                diagnostic = diagnostic.label(at, text);
            }
        }
        let types: Vec<String> = operands
            .iter()
            .filter_map(|(node, _)| node.map(|node| self.model.ty(node).to_string()))
            .collect();
        if types.len() == 2 && misfit.code.starts_with("E02") && !misfit.places.is_empty() {
            diagnostic = diagnostic.at(types.join(" and "));
        }
        if let Some(help) = misfit.help {
            diagnostic = diagnostic.help(help);
        }
        self.say(diagnostic);
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
