//! Parameters saved before: a file has to have just those of the model.

use super::super::data::{self, Opened};
use super::{Binder, Contents, Found};
use crate::cli::out::Failure;
use crate::diagnostic::nearest;
use crate::exec::reference::described;
use crate::graph::Role;
use crate::ops::{Bindings, Name};
use crate::tensor::DType;
use rustc_hash::FxHashMap;

impl Binder<'_> {
    /// The arrays of --load. All that does not fit is said at once: names that are missing or unknown, shapes, element types.
    pub(super) fn weights(
        &self,
        is_set: &dyn Fn(&Name) -> bool,
        given: &Bindings,
        found: &mut FxHashMap<Name, Found>,
        contents: &mut Contents,
    ) -> Result<(), Failure> {
        let mut sets = Vec::new();
        for path in &self.args.load {
            let set = data::open_set(path)?;
            contents.push((path.clone(), set.names()));
            sets.push((path, set));
        }
        let Some(first) = self.args.load.first() else { return Ok(()) };
        let own = self.kept();
        let known: Vec<&String> = contents.iter().flat_map(|(_, names)| names).collect();
        let unknown = |name: &&&String| !own.iter().any(|own| **own == ***name);
        let unknown: Vec<&String> = known.iter().filter(unknown).copied().collect();
        let mut wrong = Vec::new();
        for name in &own {
            if !known.iter().any(|known| **known == **name) && !is_set(name) {
                let near = nearest(name, unknown.iter().map(|name| name.as_str()));
                let near = near.map(|near| format!("; is it `{near}` there?")).unwrap_or_default();
                wrong.push(format!("`{name}` is missing{near}"));
            }
        }
        for name in &unknown {
            wrong.push(format!("`{name}` is no parameter and no state of the model"));
        }
        for (path, set) in &mut sets {
            for name in own.iter().filter(|name| !is_set(name)) {
                if set.names().iter().any(|known| **known == **name) {
                    let opened = set.open(name)?;
                    wrong.extend(self.misfit(name, &opened, given));
                    let from = path.display().to_string();
                    found.insert(name.clone(), Found { opened, from });
                }
            }
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(Failure::Request(format!(
                "{} does not fit the model:\n  {}\nto take only what fits, give it as --data",
                first.display(),
                wrong.join("\n  ")
            ))),
        }
    }

    /// The parameters and states of the model.
    fn kept(&self) -> Vec<Name> {
        let variables = self.model.variables.iter();
        variables
            .filter(|(_, variable)| matches!(variable.role, Role::Param | Role::State))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Where shape or element type of an array are not those of the variable.
    fn misfit(&self, name: &Name, opened: &Opened, given: &Bindings) -> Option<String> {
        let ty = self.model.ty(self.model.variables[name].node);
        let bindings = self.model.dims.bind(given).unwrap_or_else(|_| given.clone());
        let shape = opened.shape();
        let same = |(size, &own): (&crate::ops::Size, &usize)| {
            size.eval(&bindings).map_or(true, |size| size == own as i64)
        };
        let sizes = ty.rank() == shape.len() && ty.shape.iter().zip(&shape).all(same);
        let types = self.takes(opened, ty.dtype);
        (!sizes || !types).then(|| {
            let found = described(opened.dtype(), &shape);
            format!("`{name}` is {ty} in the model and {found} in the file")
        })
    }

    /// Whether elements become `dtype` without a silent cast, or because --dtype asks for it.
    pub(super) fn takes(&self, opened: &Opened, dtype: DType) -> bool {
        match opened {
            Opened::Loaded(_) => true,
            Opened::Raw(raw) => {
                data::fits(raw.layout().stored, dtype) || self.precision(opened.dtype(), dtype)
            }
        }
    }
}
