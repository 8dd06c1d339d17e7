//! Calls that do not fit a function, and how it is called.

use super::table::Callable;
use super::{Lowerer, PRELUDE};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::ops::builtin;
use crate::ops::elementwise::Scalar;
use crate::syntax::ast::{Call, Ident};

impl Lowerer {
    /// Reports a call of what is no function.
    pub(super) fn uncallable<T>(&mut self, call: &Call) -> Option<T> {
        let name = &*call.callee.text;
        let known = builtin::BUILTINS
            .iter()
            .map(|builtin| builtin.name)
            .chain(Scalar::ALL.iter().map(|row| row.word()))
            .chain(self.tables[self.unit].keys().map(|name| &**name))
            .chain(["where", "grad"]);
        let near = nearest(name, known).map(str::to_string);
        let value = self.lookup(name).map(|(_, at)| *at);
        let mut diagnostic =
            Diagnostic::error("E0106", call.callee.span, format!("no function is called `{name}`"));
        let foreign = FOREIGN.iter().find(|(known, _)| *known == name).map(|(_, own)| *own);
        let help = match (value, foreign, near) {
            (Some(_), ..) => format!("`{name}` is a value: write `{name} * (...)` for a product"),
            (_, Some(own), _) => format!("write {own}"),
            (_, _, Some(near)) => format!("did you mean `{near}`?"),
            _ => format!("define it: `fn {name}(x: float[..]) -> float[..] {{ return ... }}`"),
        };
        if let Some(at) = value.filter(|at| at.file != PRELUDE) {
            diagnostic = diagnostic.label(at, "defined here");
        }
        self.say(diagnostic.help(help));
        None
    }

    /// How a function is called, as help.
    pub(super) fn usage(&self, name: &str) -> String {
        let params = |list: &[String]| format!("write `{name}({})`", list.join(", "));
        if name == "where" {
            return "write `where(condition, yes, no)`".into();
        }
        if let Some([Callable { unit, function, .. }, ..]) = self.callables(name) {
            let text = &self.units[*unit].text;
            let written = function.params.iter().map(|param| match param.default {
                Some(default) => {
                    let span = self.units[*unit].ast[default].span;
                    format!("{} = {}", param.name.text, text.get(span.range()).unwrap_or("..."))
                }
                None => param.name.text.to_string(),
            });
            let sizes: Vec<&str> = function.sizes.iter().map(|size| &*size.text).collect();
            let sizes =
                if sizes.is_empty() { String::new() } else { format!("; {}", sizes.join(", ")) };
            let written = written.collect::<Vec<_>>().join(", ");
            return format!("write `{name}({written}{sizes})`");
        }
        if let Some(builtin) = builtin::find(name) {
            let (needed, rest) = builtin.params.split_at(builtin.required);
            let mut written: Vec<String> =
                needed.iter().map(|(name, _)| name.to_string()).collect();
            written.extend(rest.iter().map(|(name, _)| format!("{name} = ...")));
            return params(&written);
        }
        let arity = Scalar::ALL.iter().find(|row| row.word() == name).map_or(1, |row| row.arity());
        params(
            &["x", "y", "z"][..arity.min(3)]
                .iter()
                .map(|name| name.to_string())
                .collect::<Vec<_>>(),
        )
    }

    /// Reports a named argument that a function does not take.
    pub(super) fn no_argument(
        &mut self,
        function: &str,
        given: &Ident,
        known: &[&str],
        axes: bool,
    ) {
        let message = format!("`{function}` has no argument `{}`", given.text);
        let help = match &*given.text {
            "axis" | "dim" | "axes" | "dims" if axes => {
                format!("axes stand in brackets, by name or number: `{function}[0](x)`")
            }
            "keepdims" | "keepdim" | "keep" if axes => {
                format!("write `keep` in the brackets: `{function}[0, keep](x)`")
            }
            name => match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => self.usage(function),
            },
        };
        self.say(Diagnostic::error("E0207", self.place(given.span), message).help(help));
    }

    /// Reports axes in brackets on a function that has none.
    pub(super) fn no_brackets(&mut self, call: &Call, single: bool) {
        let name = &call.callee.text;
        let message = match single {
            true => format!("`{name}` works on single elements and takes no axes"),
            false => format!("`{name}` takes no axes in brackets"),
        };
        let help = self.usage(name);
        self.say(Diagnostic::error("E0207", self.place(call.callee.span), message).help(help));
    }

    /// Reports another number of arguments than a function takes.
    pub(super) fn miscounted(&mut self, name: &str, takes: &str, given: usize, span: Span) {
        let message = format!("`{name}` takes {takes}, not {given}");
        let help = self.usage(name);
        self.say(Diagnostic::error("E0207", self.place(span), message).help(help));
    }
}

/// Functions of other languages with what this one has for them.
const FOREIGN: &[(&str, &str)] = &[
    ("ln", "`log`, which is the natural logarithm"),
    ("log2", "`log(x) / log(2)`"),
    ("log10", "`log(x) / log(10)`"),
    ("power", "`x^y`"),
    ("matmul", "`x @ y`"),
    ("dot", "`x @ y`"),
    ("mm", "`x @ y`"),
    ("T", "`x'`"),
    ("cat", "`concat[0]([a, b])`"),
    ("concatenate", "`concat[0]([a, b])`"),
    ("view", "`reshape(x, [2, 3])`"),
    ("arange", "`iota(N)`"),
    ("detach", "`stop_gradient(x)`"),
    ("float", "`f32(x)`"),
    ("int", "`i64(x)`"),
    ("len", "the name of the dimension, such as `N`"),
    ("linear", "`x @ W + b`"),
    ("average", "`mean(x)`"),
];

/// `1 argument`, `2 arguments`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
