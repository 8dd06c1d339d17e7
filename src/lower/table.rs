//! The functions and layers that each file sees: its own, those of the files it uses, and the prelude's.

use super::{Lowerer, PRELUDE, RESERVED};
use crate::diagnostic::{Diagnostic, Span};
use crate::ops::special::Mode;
use crate::ops::{Name, Scalar, builtin};
use crate::syntax::ast::{Function, ItemKind};
use crate::tensor::DType;
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// A function or a layer.
#[derive(Clone, Debug)]
pub struct Callable {
    /// The file that it stands in.
    pub unit: usize,
    /// Its signature and its body.
    pub function: Rc<Function>,
    /// Whether it owns parameters.
    pub layer: bool,
}

/// What a file sees; under one name the prelude has several, for several element types.
pub type Table = FxHashMap<Name, Vec<Callable>>;

impl Lowerer {
    /// What is called `name` in the file at hand; it is never empty.
    pub(super) fn callables(&self, name: &str) -> Option<&[Callable]> {
        self.tables[self.unit].get(name).map(Vec::as_slice)
    }

    /// Whether something can be called by that name.
    pub(super) fn is_function(&self, name: &str) -> bool {
        let derivative = Mode::NAMES.iter().any(|(word, _)| *word == name);
        let row = Scalar::ALL.iter().any(|row| row.word() == name);
        let operator = row || builtin::find(name).is_some() || DType::named(name).is_some();
        operator || derivative || name == "where" || self.callables(name).is_some()
    }

    /// Makes the tables of all files.
    pub(super) fn collect_functions(&mut self) {
        let own: Vec<Vec<Callable>> =
            (0..self.units.len()).map(|unit| self.defined(unit)).collect();
        for (number, unit) in self.units.clone().iter().enumerate() {
            let mut table = Table::default();
            for callable in &own[number] {
                table
                    .entry(callable.function.name.text.clone())
                    .or_default()
                    .push(callable.clone());
            }
            for (used, at) in &unit.uses {
                for callable in &own[*used] {
                    self.imported(&mut table, number, callable, *at);
                }
            }
            let prelude = own[usize::from(PRELUDE)].iter();
            for callable in prelude.filter(|_| number != usize::from(PRELUDE)) {
                let known = table.entry(callable.function.name.text.clone()).or_default();
                if known.iter().all(|known| known.unit == usize::from(PRELUDE)) {
                    known.push(callable.clone());
                }
            }
            self.tables.push(table);
        }
    }

    /// The functions and layers that stand in a file.
    fn defined(&mut self, unit: usize) -> Vec<Callable> {
        let prelude = unit == usize::from(PRELUDE);
        let mut defined: Vec<Callable> = Vec::new();
        let mut places: FxHashMap<Name, Span> = FxHashMap::default();
        for item in &self.units[unit].clone().ast.items {
            let (function, layer) = match &item.kind {
                ItemKind::Fn(function) => (function, false),
                ItemKind::Layer(function) => (function, true),
                _ => continue,
            };
            let (name, at) = (&function.name.text, function.name.span);
            if !prelude && builtin::find(name).is_some() || RESERVED.contains(&&**name) {
                let message = format!("`{name}` is a name of the language and cannot be defined");
                let help = format!("choose another name, such as `{name}_` or `my_{name}`");
                self.say(Diagnostic::error("E0105", at, message).help(help));
                continue;
            }
            if let Some(first) = places.get(name).filter(|_| !prelude) {
                self.twice(name, at, *first);
                continue;
            }
            places.insert(name.clone(), at);
            defined.push(Callable { unit, function: Rc::new((**function).clone()), layer });
        }
        defined
    }

    /// Adds what the file `number` gets by its `use` at `at`.
    fn imported(&mut self, table: &mut Table, number: usize, callable: &Callable, at: Span) {
        let (name, place) = (&callable.function.name.text, callable.function.name.span);
        match table.get(name).and_then(|known| known.first()) {
            Some(known) if known.unit == number => {
                self.twice(name, known.function.name.span, place);
            }
            Some(known) => {
                let message = format!("two files that are used define `{name}`");
                let first = known.function.name.span;
                self.say(
                    Diagnostic::error("E0102", at, message)
                        .label(first, "first defined here")
                        .label(place, "and here")
                        .help("give one of them another name"),
                );
            }
            None => drop(table.insert(name.clone(), vec![callable.clone()])),
        }
    }

    fn twice(&mut self, name: &Name, at: Span, first: Span) {
        let message = format!("`{name}` is defined twice");
        self.say(
            Diagnostic::error("E0102", at, message)
                .label(first, "first defined here")
                .help("give one of them another name"),
        );
    }
}
