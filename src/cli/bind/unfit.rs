//! What is said where what is given does not fit the model.

use super::{Binder, Contents, Sized};
use crate::cli::data::{self, Fault};
use crate::cli::out::{self, Failure};
use crate::diagnostic::Diagnostic;
use crate::exec::reference;
use crate::graph::Role;
use crate::ops::size::BindError;
use crate::ops::{Name, Size};
use crate::tensor::DType;
use rustc_hash::FxHashMap;

impl Binder<'_> {
    /// A dimension with two sizes, each given by somebody.
    pub(super) fn two_sizes(
        &self,
        dim: &str,
        one: (i64, &Sized),
        two: (i64, &Sized),
    ) -> Diagnostic {
        let message = format!("`{dim}` is {} by {} and {} by {}", one.0, one.1.by, two.0, two.1.by);
        let label = |(size, sized): (i64, &Sized)| format!("{size} by {}", sized.from);
        let mut diagnostic = Diagnostic::error("E0403", two.1.span.unwrap_or_default(), message);
        diagnostic = diagnostic.at(label(two));
        match one.1.span {
            Some(span) => diagnostic
                .label(span, label(one))
                .help(format!("give arrays of one size along `{dim}`, or declare two dimensions")),
            None => diagnostic.help(format!("say --dim {dim}={}, or leave --dim {dim} out", two.0)),
        }
    }

    /// A dimension with a declared size that is given another one.
    pub(super) fn declared<T>(
        &self,
        error: &BindError,
        by: &FxHashMap<Name, Sized>,
    ) -> Result<T, Failure> {
        let sized = by.get(&error.name).cloned().unwrap_or_else(Sized::dim);
        let declared = self.model.dims.iter().find(|(name, _)| **name == error.name);
        let size = declared.and_then(|(_, size)| size.map(Size::to_string)).unwrap_or_default();
        let own = if size == error.declared.to_string() {
            "its declaration".into()
        } else {
            format!("its declaration as {size}")
        };
        let message = format!(
            "`{}` is {} by {own} and {} by {}",
            error.name, error.declared, error.given, sized.by
        );
        let Some(span) = sized.span else {
            return Err(Failure::Request(format!("{message}: leave --dim {} out", error.name)));
        };
        self.stop(
            Diagnostic::error("E0403", span, message)
                .at(format!("{} by {}", error.given, sized.from))
                .help(format!(
                    "give an array of that size, or change the line `dim {}`",
                    error.name
                )),
        )
    }

    /// An array of another shape than the variable's.
    pub(super) fn misshapen(
        &self,
        name: &Name,
        dtype: DType,
        shape: &[usize],
        found: &[usize],
        from: &str,
    ) -> Diagnostic {
        let wanted = reference::described(dtype, shape);
        let what = reference::described(dtype, found);
        let message = format!("`{name}` is {wanted} here; {from} gives it {what}");
        self.error("E0404", name, message).help("give it an array of that shape")
    }

    /// Elements of another type than the variable's.
    pub(super) fn unfit(
        &self,
        name: &Name,
        dtype: DType,
        stored: &str,
        from: &str,
        fault: &Fault,
    ) -> Diagnostic {
        let stored = match stored {
            "f4" => "f32",
            "f8" => "f64",
            "i4" => "i32",
            "i8" => "i64",
            "b1" => "bool",
            other => other,
        };
        let (message, help) = match fault {
            Fault::Element { index, value, .. } => (
                format!("`{name}` is {dtype}; element {index} of {from} is {value}"),
                format!("store {dtype} there, or declare `{name}` with a type that holds it"),
            ),
            _ if dtype.is_float() && matches!(stored, "f32" | "f64") => (
                format!("`{name}` is {dtype}; {from} gives it {stored}"),
                format!("run the model at another precision with --dtype {stored}"),
            ),
            _ => (
                format!("`{name}` is {dtype}; {from} gives it {stored}"),
                format!(
                    "store {dtype} there, or declare `{name}` as {stored}: nothing is cast silently"
                ),
            ),
        };
        self.error("E0405", name, message).help(help)
    }

    /// An error at the declaration of a variable.
    pub(super) fn error(&self, code: &'static str, name: &Name, message: String) -> Diagnostic {
        Diagnostic::error(code, self.model.variables[name].span, message)
    }

    /// Shows a diagnostic, which ends the verb with exit code 2.
    pub(super) fn stop<T>(&self, diagnostic: Diagnostic) -> Result<T, Failure> {
        out::diagnostics(self.common, &[diagnostic], self.sources);
        Err(Failure::Said(2))
    }

    /// Shows which variables have no value.
    pub(super) fn refuse(&self, absent: &[Name], sets: &Contents) {
        let mut said = Vec::new();
        for name in absent {
            let span = self.model.variables[name].span;
            let role = self.model.variables[name].role;
            let learnt = role != Role::Input;
            let what = match role {
                Role::State => "state",
                _ if learnt => "parameter",
                _ => "input",
            };
            let mut diagnostic =
                Diagnostic::error("E0402", span, format!("the {what} `{name}` has no value"));
            let mut meant = None;
            for (path, names) in sets {
                let (file, near) = (
                    path.display(),
                    crate::diagnostic::nearest(name, names.iter().map(String::as_str)),
                );
                meant =
                    meant.or(near.map(|near| format!("did you mean --set {name}=@{file}:{near}?")));
                diagnostic = diagnostic.help(format!("{file} has {}", data::list(names)));
            }
            let help = meant.unwrap_or_else(|| match learnt {
                true => format!(
                    "write its first value in the file, `= 0` or `~ glorot()`, or say --set {name}=VALUE"
                ),
                false => {
                    format!("give it with --set {name}=VALUE, or by a file that has it: --data FILE")
                }
            });
            said.push(diagnostic.help(help));
        }
        out::diagnostics(self.common, &said, self.sources);
    }
}
