//! Numbers for variables and sizes for dimensions, from the command line and its files.

mod feed;
mod unfit;
mod weights;

use super::args::{Common, Data};
use super::data::{self, DataSet, Opened, Source, Target};
use super::declared;
use super::out::Failure;
use crate::diagnostic::{Diagnostic, Span};
use crate::exec::{init, reference};
use crate::graph::{Model, Role, Values, Variable};
use crate::ops::size::{SizeError, sizes};
use crate::ops::{Bindings, Name, Size};
use crate::tensor::{DType, Tensor};
use rustc_hash::{FxHashMap, FxHashSet};
use std::path::PathBuf;

pub use feed::{feed, held_out};

/// What a run needs besides the model.
#[derive(Clone)]
pub struct Bound {
    pub values: Values,
    pub bindings: Bindings,
}

/// How missing inputs are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They are errors.
    Refused,
    /// They are drawn, and dimensions without a size get small ones.
    Drawn,
}

/// An array that was found for a variable.
struct Found {
    opened: Opened,
    /// Where it was found.
    from: String,
}

/// What the command line and its files give.
struct Gathered {
    /// Arrays by the names of variables.
    found: FxHashMap<Name, Found>,
    /// What --set says, the last word for each name.
    settings: Vec<(Name, Source)>,
    /// Sizes, by --dim and by the arrays.
    given: Bindings,
    /// Who gave them.
    by: FxHashMap<Name, Sized>,
    /// The files.
    contents: Contents,
}

/// Gathers the values of all variables that `needed` names.
pub fn bind(
    common: &Common,
    model: &Model,
    sources: &[(String, String)],
    args: &Data,
    needed: &[Name],
    missing: Missing,
) -> Result<Bound, Failure> {
    let binder = Binder { common, model, sources, args };
    let gathered = binder.gather(&|_| false)?;
    let mut bindings = binder.bindings(&gathered)?;
    if missing == Missing::Drawn {
        for (number, (name, _)) in model.dims.iter().enumerate() {
            bindings.entry(name.clone()).or_insert(3 + (number as i64 % 4));
        }
        bindings = model.dims.bind(&bindings).unwrap_or(bindings);
    }
    let mut values = init::given(model, args.seed(), 0, args.training);
    values.extend(binder.values(gathered, needed, &bindings, missing, Vec::new())?);
    if let Some(diagnostic) = declared::check(model, &values, &bindings) {
        return binder.stop(diagnostic);
    }
    Ok(Bound { values, bindings })
}

/// The files that were read, with the names of their arrays.
type Contents = Vec<(PathBuf, Vec<String>)>;

/// Who gave a dimension its size.
#[derive(Clone)]
struct Sized {
    /// In words.
    by: String,
    /// The axis that has it.
    span: Option<Span>,
    /// Where the array was found.
    from: String,
}

impl Sized {
    fn dim() -> Sized {
        Sized { by: "--dim".into(), span: None, from: "--dim".into() }
    }
}

struct Binder<'a> {
    common: &'a Common,
    model: &'a Model,
    sources: &'a [(String, String)],
    args: &'a Data,
}

impl Binder<'_> {
    /// Finds what is given, and the sizes that it has. Arrays of variables that are `lazy` are not read yet.
    fn gather(&self, lazy: &dyn Fn(&Name) -> bool) -> Result<Gathered, Failure> {
        let mut given = self.dims()?;
        let settings = self.settings()?;
        let (mut found, contents) = self.files(&settings, lazy, &given)?;
        for (name, setting) in settings.iter().filter(|(_, setting)| !setting.needs_shape()) {
            let opened = self.set(name, setting, None, lazy(name))?;
            found.insert(name.clone(), Found { opened, from: format!("--set {name}") });
        }
        let mut by: FxHashMap<Name, Sized> =
            given.keys().map(|name| (name.clone(), Sized::dim())).collect();
        for name in self.model.variables.keys() {
            if let Some(found) = found.get(name) {
                self.unify(name, found, &mut given, &mut by)?;
            }
        }
        Ok(Gathered { found, settings, given, by, contents })
    }

    /// The sizes of all dimensions that have one.
    fn bindings(&self, gathered: &Gathered) -> Result<Bindings, Failure> {
        let bound = self.model.dims.bind(&gathered.given);
        bound.or_else(|error| self.declared(&error, &gathered.by))
    }

    /// What --set gives a variable.
    fn set(
        &self,
        name: &Name,
        setting: &Source,
        shape: Option<&[usize]>,
        lazy: bool,
    ) -> Result<Opened, Failure> {
        let dtype = self.model.ty(self.model.variables[name].node).dtype;
        let target = Target { name, dtype, shape, seed: self.args.seed() };
        let opened = match lazy {
            true => data::open(setting, &target),
            false => data::load(setting, &target).map(Opened::Loaded),
        };
        opened.map_err(|error| Failure::Request(format!("--set {name}: {error}")))
    }

    /// The values of the variables that were found, and of the others that `needed` names. Those of `absent` have none.
    fn values(
        &self,
        mut gathered: Gathered,
        needed: &[Name],
        bindings: &Bindings,
        missing: Missing,
        mut absent: Vec<Name>,
    ) -> Result<Values, Failure> {
        let needed: FxHashSet<&Name> = needed.iter().collect();
        let (model, mut values) = (self.model, Values::default());
        for (name, variable) in model.variables.iter().filter(|(_, v)| v.role != Role::Given) {
            let ty = model.ty(variable.node);
            if let Some(found) = gathered.found.remove(name) {
                values.insert(name.clone(), self.fitted(name, found, ty.dtype, bindings)?);
                continue;
            }
            if !needed.contains(name) || absent.contains(name) {
                continue;
            }
            let shape = self.shape(name, bindings)?;
            if let Some((_, setting)) = gathered.settings.iter().find(|(set, _)| set == name) {
                let Opened::Loaded(loaded) = self.set(name, setting, Some(&shape), false)? else {
                    continue;
                };
                let tensor = match variable.symmetric {
                    true => declared::symmetrised(&loaded.tensor),
                    false => loaded.tensor,
                };
                values.insert(name.clone(), tensor);
                continue;
            }
            let initial = init::initial(model, name, variable, self.args.seed(), bindings);
            let initial = initial.map_err(|error| {
                Failure::Request(format!("the first value of `{name}`: {error}"))
            })?;
            match (initial, missing) {
                (Some(tensor), _) => {
                    values.insert(name.clone(), tensor);
                }
                (None, Missing::Drawn) => {
                    values.insert(name.clone(), self.drawn(name, ty.dtype, &shape, bindings));
                }
                (None, Missing::Refused) => absent.push(name.clone()),
            }
        }
        if !absent.is_empty() {
            self.refuse(&absent, &gathered.contents);
            return Err(Failure::Said(2));
        }
        Ok(values)
    }

    fn dims(&self) -> Result<Bindings, Failure> {
        let mut bindings = Bindings::default();
        for text in &self.args.dim {
            let (name, size) = text
                .split_once('=')
                .ok_or_else(|| Failure::Request(format!("--dim {text}: write NAME=SIZE")))?;
            let (name, size) = (name.trim(), size.trim());
            if !self.model.dims.contains(name) {
                let known = self.model.dims.iter().map(|(name, _)| &**name);
                let near = crate::diagnostic::nearest(name, known)
                    .map(|near| format!("; did you mean `{near}`?"));
                return Err(Failure::Request(format!(
                    "--dim {text}: the model has no dimension `{name}`{}",
                    near.unwrap_or_default()
                )));
            }
            let size: i64 = size.parse().ok().filter(|size| *size >= 0).ok_or_else(|| {
                Failure::Request(format!("--dim {text}: a size is a whole number, not below 0"))
            })?;
            bindings.insert(name.into(), size);
        }
        Ok(bindings)
    }

    fn settings(&self) -> Result<Vec<(Name, Source)>, Failure> {
        let mut settings: Vec<(Name, Source)> = Vec::new();
        for text in &self.args.set {
            let (name, source) = data::parse_setting(text)
                .map_err(|error| Failure::Request(format!("--set {text}: {error}")))?;
            let known =
                || self.model.variables.iter().filter(|(_, known)| known.role != Role::Given);
            if !known().any(|(known, _)| **known == *name) {
                let near = crate::diagnostic::nearest(&name, known().map(|(name, _)| &**name));
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(Failure::Request(format!(
                    "--set {text}: the model has no input and no parameter `{name}`{near}"
                )));
            }
            settings.retain(|(known, _)| **known != *name);
            settings.push((name.into(), source));
        }
        Ok(settings)
    }

    /// The arrays of --load and --data whose names are variables, and the names that each file has.
    fn files(
        &self,
        settings: &[(Name, Source)],
        lazy: &dyn Fn(&Name) -> bool,
        given: &Bindings,
    ) -> Result<(FxHashMap<Name, Found>, Contents), Failure> {
        let mut found = FxHashMap::default();
        let mut contents = Vec::new();
        let is_set = |name: &Name| settings.iter().any(|(set, _)| set == name);
        self.weights(&is_set, given, &mut found, &mut contents)?;
        let rows = self.rows()?;
        for path in &self.args.data {
            let mut set: DataSet = data::open_set(path)?;
            let names = set.names();
            let from = path.display().to_string();
            let own = |(name, variable): &(&Name, &Variable)| {
                variable.role != Role::Given
                    && names.iter().any(|known| **known == ***name)
                    && !is_set(name)
            };
            for (name, variable) in self.model.variables.iter().filter(own) {
                let mut opened = match lazy(name) {
                    true => set.open(name)?,
                    false => Opened::Loaded(set.get(name)?),
                };
                if variable.role == Role::Input {
                    self.keep(&mut opened, rows, name)?;
                }
                found.insert(name.clone(), Found { opened, from: from.clone() });
            }
            contents.push((path.clone(), names));
        }
        Ok((found, contents))
    }

    /// Keeps the rows that --rows names.
    fn keep(
        &self,
        opened: &mut Opened,
        rows: Option<(usize, Option<usize>)>,
        name: &str,
    ) -> Result<(), Failure> {
        let (Some((start, stop)), Some(&count)) = (rows, opened.shape().first()) else {
            return Ok(());
        };
        let stop = stop.unwrap_or(count);
        if stop > count || start > stop {
            return Err(Failure::Request(format!(
                "--rows {start}..{stop}: `{name}` has {count} rows"
            )));
        }
        match opened {
            Opened::Raw(raw) => raw
                .keep(start..stop)
                .map_err(|fault| Failure::Request(format!("`{name}`: {fault}")))?,
            Opened::Loaded(loaded) => {
                loaded.tensor = crate::each_dtype!(&loaded.tensor, a => sliced(a, start, stop));
            }
        }
        Ok(())
    }

    fn rows(&self) -> Result<Option<(usize, Option<usize>)>, Failure> {
        let Some(text) = &self.args.rows else { return Ok(None) };
        let wrong = || Failure::Request(format!("--rows {text}: write A..B, such as 0..100"));
        let (start, stop) = text.split_once("..").ok_or_else(wrong)?;
        let start = if start.is_empty() { 0 } else { start.parse().map_err(|_| wrong())? };
        let stop = if stop.is_empty() { None } else { Some(stop.parse().map_err(|_| wrong())?) };
        if stop.is_some_and(|stop| stop < start) {
            return Err(wrong());
        }
        Ok(Some((start, stop)))
    }

    /// Binds the dimensions of a variable by the shape it is given.
    fn unify(
        &self,
        name: &Name,
        found: &Found,
        given: &mut Bindings,
        by: &mut FxHashMap<Name, Sized>,
    ) -> Result<(), Failure> {
        let variable = &self.model.variables[name];
        let ty = self.model.ty(variable.node);
        let shape = found.opened.shape();
        if ty.rank() != shape.len() {
            let what = reference::described(found.opened.dtype(), &shape);
            let message = format!("`{name}` is {ty}; {} gives it {what}", found.from);
            let axes = match ty.rank() {
                0 => "one number".to_string(),
                1 => "an array with 1 axis".to_string(),
                rank => format!("an array with {rank} axes"),
            };
            return self.stop(self.error("E0404", name, message).help(format!("give it {axes}")));
        }
        for (axis, (size, &actual)) in ty.shape.iter().zip(&shape).enumerate() {
            let Size::Named(dim) = size else { continue };
            let sized = Sized {
                by: format!("`{name}`"),
                span: variable.axes.get(axis).copied(),
                from: found.from.clone(),
            };
            match given.get(dim) {
                Some(&known) if known != actual as i64 => {
                    let earlier = by.get(dim).cloned().unwrap_or_else(Sized::dim);
                    return self.stop(self.two_sizes(
                        dim,
                        (known, &earlier),
                        (actual as i64, &sized),
                    ));
                }
                Some(_) => {}
                None => {
                    given.insert(dim.clone(), actual as i64);
                    by.insert(dim.clone(), sized);
                }
            }
        }
        Ok(())
    }

    fn shape(&self, name: &Name, bindings: &Bindings) -> Result<Vec<usize>, Failure> {
        let variable = &self.model.variables[name];
        match sizes(&self.model.ty(variable.node).shape, bindings) {
            Ok(shape) => Ok(shape),
            Err(SizeError::Unbound(dim)) => {
                let has = |size: &Size| size.names().contains(&dim);
                let axis = self.model.ty(variable.node).shape.iter().position(has);
                let span = axis.and_then(|axis| variable.axes.get(axis)).copied();
                let message = format!("nothing gives the dimension `{dim}` a size");
                self.stop(
                    Diagnostic::error("E0401", span.unwrap_or(variable.span), message).help(
                        format!("say --dim {dim}=SIZE, or give an array that has it as an axis"),
                    ),
                )
            }
            Err(error) => self.stop(
                self.error("E0401", name, error.to_string())
                    .help("give its dimensions other sizes"),
            ),
        }
    }

    fn fitted(
        &self,
        name: &Name,
        found: Found,
        dtype: DType,
        bindings: &Bindings,
    ) -> Result<Tensor, Failure> {
        let from = found.from.clone();
        let shape = self.shape(name, bindings)?;
        let loaded = found.opened.load().map_err(|fault| fault.at(&from))?;
        let stored = loaded.stored;
        let tensor = if self.precision(loaded.tensor.dtype(), dtype) {
            loaded.tensor.cast(dtype)
        } else {
            match data::fit(loaded, dtype) {
                Ok(tensor) => tensor,
                Err(fault) => return self.stop(self.unfit(name, dtype, stored, &from, &fault)),
            }
        };
        if tensor.shape() != shape {
            return self.stop(self.misshapen(name, dtype, &shape, tensor.shape(), &from));
        }
        Ok(tensor)
    }

    /// Whether floats become others because --dtype asks for it.
    fn precision(&self, from: DType, to: DType) -> bool {
        self.args.dtype.is_some() && from.is_float() && to.is_float()
    }

    /// A value that respects element type and declared range.
    fn drawn(&self, name: &Name, dtype: DType, shape: &[usize], bindings: &Bindings) -> Tensor {
        let (low, high) = declared::ends(&self.model.variables[name], bindings)
            .unwrap_or(if dtype.is_float() { (-1.0, 1.0) } else { (0.0, 2.0) });
        let (low, high) = (
            if low.is_finite() { low } else { high.min(1.0) - 2.0 },
            if high.is_finite() { high } else { low.max(-1.0) + 2.0 },
        );
        let count: usize = shape.iter().product();
        let stream = crate::ops::stream::Stream::new(self.args.seed(), name);
        let values = (0..count as u64).map(|index| {
            let value = low + stream.uniform(index) * (high - low);
            if dtype.is_float() { value } else { value.floor().clamp(low, high - 1.0) }
        });
        let tensor = Tensor::from_f64(dtype, shape, values.collect());
        if self.model.variables[name].symmetric { declared::symmetrised(&tensor) } else { tensor }
    }
}

fn sliced<T: crate::tensor::Element>(
    array: &crate::tensor::Array<T>,
    start: usize,
    stop: usize,
) -> Tensor {
    T::wrap(
        array
            .slice_axis(ndarray::Axis(0), ndarray::Slice::from(start..stop))
            .to_owned()
            .into_shared(),
    )
}

/// The variables that values of a model are computed from.
pub fn needed(model: &Model, wanted: &[crate::graph::NodeId]) -> Vec<Name> {
    let needed = model.needed(wanted.iter().copied());
    model
        .variables
        .iter()
        .filter(|(_, variable)| needed[variable.node.index()])
        .map(|(name, _)| name.clone())
        .collect()
}
