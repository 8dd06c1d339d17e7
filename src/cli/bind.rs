//! Numbers for variables and sizes for dimensions, from the command line and its files.

use super::args::{Common, Data};
use super::data::{self, DataSet, Fault, Loaded, Source, Target};
use super::declared;
use super::out::{self, Failure};
use crate::diagnostic::{Diagnostic, Span};
use crate::exec::{init, reference};
use crate::graph::{Model, Role, Values};
use crate::ops::size::{BindError, SizeError, sizes};
use crate::ops::{Bindings, Name, Size};
use crate::tensor::{DType, Tensor};
use rustc_hash::FxHashMap;
use std::path::PathBuf;

/// What a run needs besides the model.
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
    loaded: Loaded,
    /// Where it was found.
    from: String,
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
    let mut given = binder.dims()?;
    let settings = binder.settings()?;
    let (mut found, sets) = binder.files(&settings)?;
    for (name, setting) in &settings {
        if !setting.needs_shape() {
            let dtype = model.ty(model.variables[name].node).dtype;
            let target = Target { name, dtype, shape: None, seed: args.seed() };
            let loaded = data::load(setting, &target)
                .map_err(|error| Failure::Request(format!("--set {name}: {error}")))?;
            found.insert(name.clone(), Found { loaded, from: format!("--set {name}") });
        }
    }
    let mut by: FxHashMap<Name, Sized> =
        given.keys().map(|name| (name.clone(), Sized::dim())).collect();
    for name in model.variables.keys() {
        if let Some(found) = found.get(name) {
            binder.unify(name, found, &mut given, &mut by)?;
        }
    }
    let mut bindings = model.dims.bind(&given).or_else(|error| binder.declared(&error, &by))?;
    if missing == Missing::Drawn {
        for (number, (name, _)) in model.dims.iter().enumerate() {
            bindings.entry(name.clone()).or_insert(3 + (number as i64 % 4));
        }
        bindings = model.dims.bind(&bindings).unwrap_or(bindings);
    }
    let mut values = init::given(model, args.seed(), 0, args.training);
    let mut absent: Vec<Name> = Vec::new();
    for (name, variable) in model.variables.iter().filter(|(_, known)| known.role != Role::Given) {
        let ty = model.ty(variable.node);
        if let Some(found) = found.remove(name) {
            values.insert(name.clone(), binder.fitted(name, found, ty.dtype, &bindings)?);
            continue;
        }
        if !needed.contains(name) {
            continue;
        }
        let shape = binder.shape(name, &bindings)?;
        if let Some(setting) =
            settings.iter().find(|(set, _)| set == name).map(|(_, setting)| setting)
        {
            let target = Target { name, dtype: ty.dtype, shape: Some(&shape), seed: args.seed() };
            let loaded = data::load(setting, &target)
                .map_err(|error| Failure::Request(format!("--set {name}: {error}")))?;
            let tensor = match variable.symmetric {
                true => declared::symmetrised(&loaded.tensor),
                false => loaded.tensor,
            };
            values.insert(name.clone(), tensor);
            continue;
        }
        let initial = init::initial(model, name, variable, args.seed(), &bindings)
            .map_err(|error| Failure::Request(format!("the first value of `{name}`: {error}")))?;
        match (initial, missing) {
            (Some(tensor), _) => {
                values.insert(name.clone(), tensor);
            }
            (None, Missing::Drawn) => {
                values.insert(name.clone(), binder.drawn(name, ty.dtype, &shape, &bindings));
            }
            (None, Missing::Refused) => absent.push(name.clone()),
        }
    }
    if !absent.is_empty() {
        binder.refuse(&absent, &sets);
        return Err(Failure::Said(2));
    }
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

    /// The arrays of --data and --load whose names are variables, and the names that each file has.
    fn files(
        &self,
        settings: &[(Name, Source)],
    ) -> Result<(FxHashMap<Name, Found>, Contents), Failure> {
        let mut found = FxHashMap::default();
        let mut sets = Vec::new();
        let rows = self.rows()?;
        for (path, is_data) in self
            .args
            .load
            .iter()
            .map(|path| (path, false))
            .chain(self.args.data.iter().map(|path| (path, true)))
        {
            let mut set: DataSet = data::open_set(path)?;
            let names = set.names();
            for (name, variable) in &self.model.variables {
                if variable.role == Role::Given
                    || !names.iter().any(|known| **known == **name)
                    || settings.iter().any(|(set, _)| set == name)
                {
                    continue;
                }
                let mut loaded = set.get(name)?;
                if is_data && variable.role == Role::Input {
                    loaded.tensor = taken(&loaded.tensor, rows, name)?;
                }
                found.insert(name.clone(), Found { loaded, from: path.display().to_string() });
            }
            sets.push((path.clone(), names));
        }
        Ok((found, sets))
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
        let shape = found.loaded.tensor.shape();
        if ty.rank() != shape.len() {
            let what = reference::described(found.loaded.tensor.dtype(), shape);
            let message = format!("`{name}` is {ty}; {} gives it {what}", found.from);
            let axes = match ty.rank() {
                0 => "one number".to_string(),
                1 => "an array with 1 axis".to_string(),
                rank => format!("an array with {rank} axes"),
            };
            return self.stop(self.error("E0404", name, message).help(format!("give it {axes}")));
        }
        for (axis, (size, &actual)) in ty.shape.iter().zip(shape).enumerate() {
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

    fn two_sizes(&self, dim: &str, one: (i64, &Sized), two: (i64, &Sized)) -> Diagnostic {
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
    fn declared<T>(&self, error: &BindError, by: &FxHashMap<Name, Sized>) -> Result<T, Failure> {
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
        let stored = found.loaded.stored;
        let precision =
            self.args.dtype.is_some() && dtype.is_float() && found.loaded.tensor.dtype().is_float();
        let tensor = if precision {
            found.loaded.tensor.cast(dtype)
        } else {
            match data::fit(found.loaded, dtype) {
                Ok(tensor) => tensor,
                Err(fault) => return self.stop(self.unfit(name, dtype, stored, &from, &fault)),
            }
        };
        if tensor.shape() != shape {
            let wanted = reference::described(dtype, &shape);
            let what = reference::described(tensor.dtype(), tensor.shape());
            let message = format!("`{name}` is {wanted} here; {from} gives it {what}");
            let diagnostic = self.error("E0404", name, message);
            return self.stop(diagnostic.help("give it an array of that shape"));
        }
        Ok(tensor)
    }

    /// Elements of another type than the variable's.
    fn unfit(
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
    fn error(&self, code: &'static str, name: &Name, message: String) -> Diagnostic {
        Diagnostic::error(code, self.model.variables[name].span, message)
    }

    /// Shows a diagnostic, which ends the verb with exit code 2.
    fn stop<T>(&self, diagnostic: Diagnostic) -> Result<T, Failure> {
        out::diagnostics(self.common, &[diagnostic], self.sources);
        Err(Failure::Said(2))
    }

    fn refuse(&self, absent: &[Name], sets: &Contents) {
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

fn taken(
    tensor: &Tensor,
    rows: Option<(usize, Option<usize>)>,
    name: &str,
) -> Result<Tensor, Failure> {
    let (Some((start, stop)), Some(&count)) = (rows, tensor.shape().first()) else {
        return Ok(tensor.clone());
    };
    let stop = stop.unwrap_or(count);
    if stop > count || start > stop {
        return Err(Failure::Request(format!("--rows {start}..{stop}: `{name}` has {count} rows")));
    }
    Ok(crate::each_dtype!(tensor, a => sliced(a, start, stop)))
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
