//! Names that mean nothing where they stand.

use super::{Lowerer, MOST, Meaning};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::ops::Name;
use crate::syntax::ast::{ExprKind, ItemKind};
use rustc_hash::{FxHashMap, FxHashSet};

/// So many errors get a name that may be meant, and circles found: both search all names.
const HINTED: usize = 50;

/// What a name is looked up for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sought {
    /// A value.
    Value,
    /// The size of an axis.
    Size,
}

impl Lowerer {
    /// Reports a name that is not defined, or not yet.
    pub(super) fn unknown(&mut self, name: &Name, span: Span, sought: Sought) {
        if self.errors > MOST {
            return self.say(Diagnostic::error("E0101", span, ""));
        }
        let outermost = self.at_top();
        if let Some(later) = self.later.get(name).copied().filter(|_| outermost) {
            return self.early(name, span, later);
        }
        if self.is_function(name) {
            return self.uncalled(name, span);
        }
        let diagnostic = Diagnostic::error("E0101", span, format!("nothing is called `{name}`"));
        let hidden = !outermost && self.scopes[0].names.contains_key(name);
        let help = match (self.similar(name, sought), sought) {
            _ if hidden => format!("a function sees its parameters only: pass `{name}` to it"),
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, _) if !outermost => "name a parameter, or a binding above this line".into(),
            (None, Sought::Size) => format!("declare the dimension above: `dim {name}`"),
            (None, Sought::Value) => format!(
                "define it above, or declare it: `input {name}: {float}`, `param {name}: {float}`",
                float = self.float
            ),
        };
        self.say(diagnostic.help(help));
    }

    /// Reports a function or a layer that stands where a value should.
    fn uncalled(&mut self, name: &Name, span: Span) {
        let layer = self.callables(name).is_some_and(|known| known[0].layer);
        let what = if layer { "a layer" } else { "a function" };
        let message = format!("`{name}` is {what}, not a value");
        let help = self.usage(name).replacen("write", "call it:", 1);
        self.say(Diagnostic::error("E0124", self.place(span), message).help(help));
    }

    /// The known name that is meant, most likely.
    fn similar(&self, name: &str, sought: Sought) -> Option<String> {
        if self.errors > HINTED {
            return None;
        }
        let names = || self.scopes.iter().flat_map(|scope| &scope.names);
        let sizes = names().filter(|(_, (meaning, _))| matches!(meaning, Meaning::Size(_)));
        let mut near = match sought {
            Sought::Size => nearest(name, sorted(sizes.map(|(name, _)| name))),
            Sought::Value => None,
        };
        if sought == Sought::Value {
            let later = self.later.keys().filter(|_| self.at_top());
            near = nearest(name, sorted(names().map(|(name, _)| name).chain(later)));
        }
        near.map(str::to_string)
    }

    /// Reports a name that a later line defines: a circle, or just the wrong order.
    fn early(&mut self, name: &Name, span: Span, later: Span) {
        let own = self.calls.iter().rev().find_map(|(call, _)| call.strip_prefix('='));
        let own: Option<Name> = own.map(Name::from);
        if own.as_deref() == Some(&**name) {
            let message = format!("`{name}` depends on itself");
            return self.say(
                Diagnostic::error("E0103", span, message)
                    .label(later, "defined here")
                    .help("a value is made of earlier ones: give the new value another name"),
            );
        }
        if own.as_ref().is_some_and(|own| self.circled.contains(own)) {
            return;
        }
        if self.errors <= HINTED
            && let Some(own) = own
            && let Some(path) = self.path(name, &own)
        {
            let through: Vec<String> = path.iter().map(|(name, _)| format!("`{name}`")).collect();
            self.circled.extend(path.iter().map(|(name, _)| name.clone()));
            let through = match through.as_slice() {
                [one] => one.clone(),
                [first @ .., last] if first.len() < 4 => format!("{} and {last}", first.join(", ")),
                many => format!("{} and {} more", many[0], many.len() - 1),
            };
            let message = format!("`{own}` depends on itself, by {through}");
            let (last, back) = path.last().expect("a circle goes through its start");
            return self.say(
                Diagnostic::error("E0103", span, message)
                    .at(format!("`{own}` needs `{name}`"))
                    .label(*back, format!("`{last}` needs `{own}`"))
                    .help("a value is made of earlier ones: break the circle"),
            );
        }
        let message = format!("`{name}` is used before it is defined");
        self.say(
            Diagnostic::error("E0104", span, message)
                .label(later, "defined here")
                .help("move the definition above its first use"),
        );
    }

    /// The bindings from `from` on of which each mentions the next and the last one `to`, with the places of the mentions.
    fn path(&mut self, from: &Name, to: &Name) -> Option<Vec<(Name, Span)>> {
        let mentions = self.mentions.take().unwrap_or_else(|| self.mentioned());
        let mut seen: FxHashSet<Name> = FxHashSet::default();
        let mut back: FxHashMap<Name, (Name, Span)> = FxHashMap::default();
        let mut waiting = vec![from.clone()];
        let mut found = None;
        while let Some(name) = waiting.pop() {
            for (next, span) in mentions.get(&name).into_iter().flatten() {
                if next == to {
                    found = Some((name.clone(), *span));
                } else if seen.insert(next.clone()) {
                    back.insert(next.clone(), (name.clone(), *span));
                    waiting.push(next.clone());
                }
            }
            if found.is_some() {
                break;
            }
        }
        self.mentions = Some(mentions);
        let mut path = vec![found?];
        while let Some((before, span)) = back.get(&path[0].0).filter(|_| path[0].0 != *from) {
            path.insert(0, (before.clone(), *span));
        }
        Some(path)
    }

    fn mentioned(&self) -> FxHashMap<Name, Vec<(Name, Span)>> {
        let unit = self.unit();
        let mut names: Vec<(Name, Span)> = Vec::new();
        for expr in &unit.ast.exprs {
            if let ExprKind::Name(name) = &expr.kind {
                names.push((name.clone(), expr.span));
            }
        }
        names.sort_by_key(|(_, span)| span.start);
        let mut mentions = FxHashMap::default();
        for item in &unit.ast.items {
            let (idents, value) = match &item.kind {
                ItemKind::Binding(idents, value) => (idents.as_slice(), value),
                ItemKind::Const(ident, _, value) | ItemKind::Output(_, ident, Some(value)) => {
                    (std::slice::from_ref(ident), value)
                }
                _ => continue,
            };
            let span = unit.ast[*value].span;
            let start = names.partition_point(|(_, name)| name.start < span.start);
            let end = names.partition_point(|(_, name)| name.start < span.end);
            for ident in idents {
                mentions.insert(ident.text.clone(), names[start..end.max(start)].to_vec());
            }
        }
        mentions
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a Name>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.map(|name| &**name).collect();
    names.sort_unstable();
    names
}
