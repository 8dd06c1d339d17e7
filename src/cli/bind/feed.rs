//! What training is fed: rows of some inputs, values for all else.

use super::super::data::{self, Bounds, DataError, FileRows, HELD, Opened, Part, Stray};
use super::{Binder, Found, Gathered, Missing};
use crate::cli::args::{Common, Data};
use crate::cli::declared;
use crate::cli::out::Failure;
use crate::diagnostic::Diagnostic;
use crate::exec::init;
use crate::graph::{Model, NodeId, Role, Values};
use crate::ops::{Bindings, Name, Op, Size};
use crate::train::rows::{Column, Rows, RowsError};
use rustc_hash::FxHashMap;
use std::path::PathBuf;

/// What a training needs besides the model.
pub struct Feed {
    /// The dimension that counts rows: the first axis of the inputs that are columns of `rows`, and of nothing else. `None`
    /// where no input has rows; then there are no columns.
    pub over: Option<Name>,
    /// The sizes of all other dimensions that have one.
    pub bindings: Bindings,
    /// The first values of parameters and states, and the inputs without rows.
    pub values: Values,
    /// The inputs with rows. All elements are finite, and within what is declared of them.
    pub rows: FileRows,
}

/// Gathers what `args` give for the variables that `needed` names. Inputs with rows are not read as a whole where their files
/// are large; each element is looked at once. Where steps see the `whole` of the data, it may be of a form that is not cut
/// into rows; then nothing has rows.
pub fn feed(
    common: &Common,
    model: &Model,
    sources: &[(String, String)],
    args: &Data,
    needed: &[Name],
    whole: bool,
) -> Result<Feed, Failure> {
    let binder = Binder { common, model, sources, args };
    let over = binder.over(needed, whole)?;
    let columns = binder.columns(needed, over.as_ref());
    let mut gathered = binder.gather(&|name| columns.contains(name))?;
    let mut bindings = binder.bindings(&gathered)?;
    let mut absent = Vec::new();
    let rows = binder.table(&mut gathered, &columns, &bindings, &mut absent)?;
    let others: Vec<Name> = needed.iter().filter(|name| !columns.contains(name)).cloned().collect();
    let mut values = init::given(model, args.seed(), 0, args.training);
    values.extend(binder.values(gathered, &others, &bindings, Missing::Refused, absent)?);
    if let Some(diagnostic) = declared::check(model, &values, &bindings) {
        return binder.stop(diagnostic);
    }
    binder.inspect(&rows, &bindings)?;
    if let Some(over) = &over {
        let counted = |name: &Name| {
            let size = model.dims.resolve(&Size::Named(name.clone()));
            size.names().contains(over)
        };
        bindings.retain(|name, _| !counted(name));
    }
    Ok(Feed { over, bindings, values, rows })
}

/// Rows of the same columns, to validate on: from other files, or set as by --set.
pub fn held_out(
    common: &Common,
    model: &Model,
    sources: &[(String, String)],
    args: &Data,
    feed: &Feed,
    given: &[String],
) -> Result<FileRows, Failure> {
    let own = |text: &&String| {
        let name = text.split('=').next().unwrap_or_default().trim();
        feed.rows.columns().iter().any(|column| &*column.name == name)
    };
    let settings = args.set.iter().filter(|text| !own(text));
    let (set, data): (Vec<&String>, Vec<&String>) = given.iter().partition(own);
    let args = Data {
        set: settings.chain(set).cloned().collect(),
        data: data.into_iter().map(PathBuf::from).collect(),
        load: Vec::new(),
        rows: None,
        ..args.clone()
    };
    let binder = Binder { common, model, sources, args: &args };
    let columns: Vec<Name> = feed.rows.columns().iter().map(|column| column.name.clone()).collect();
    let mut gathered = binder.gather(&|name| columns.contains(name))?;
    for (name, size) in &feed.bindings {
        gathered.given.insert(name.clone(), *size);
    }
    let bindings = binder.bindings(&gathered)?;
    let mut absent = Vec::new();
    let rows = binder.table(&mut gathered, &columns, &bindings, &mut absent)?;
    binder.values(gathered, &[], &bindings, Missing::Refused, absent)?;
    binder.inspect(&rows, &bindings)?;
    Ok(rows)
}

impl Binder<'_> {
    /// The dimension that counts rows: the first axis of the inputs, where its size is not declared.
    fn over(&self, needed: &[Name], whole: bool) -> Result<Option<Name>, Failure> {
        let mut leading: Vec<(&Name, Name)> = Vec::new();
        for (name, dim) in needed.iter().filter_map(|name| Some((name, self.leading(name)?))) {
            if !leading.iter().any(|(_, known)| *known == dim) {
                leading.push((name, dim));
            }
        }
        let over = match leading.as_slice() {
            [] => return Ok(None),
            [(_, over)] => over.clone(),
            _ if whole => return Ok(None),
            [(first, one), (second, two), ..] => {
                let span = |name: &Name| self.model.variables[name].span;
                let message = format!("rows are counted by `{one}` or by `{two}`");
                let diagnostic = Diagnostic::error("E0410", span(second), message)
                    .at(format!("`{two}` comes first here"))
                    .label(span(first), format!("`{one}` comes first here"))
                    .help(format!("declare the size of one of them, as in `dim {two} = 8`"));
                return self.stop(diagnostic);
            }
        };
        for name in needed {
            let shape = &self.model.ty(self.model.variables[name].node).shape;
            let later = usize::from(self.leading(name).is_some());
            let has = |size: &Size| self.model.dims.resolve(size).names().contains(&over);
            if let Some(axis) = shape.iter().skip(later).position(has) {
                if whole {
                    return Ok(None);
                }
                let axis = axis + later;
                let message = format!("`{over}` counts rows, and is axis {axis} of `{name}`");
                let diagnostic = self.error("E0410", name, message);
                return self.stop(diagnostic.help(format!(
                    "only inputs have rows, along their first axis: put `{over}` first, or train with --batch all"
                )));
            }
        }
        Ok(Some(over))
    }

    /// The dimension without a size that an input's shape begins with.
    fn leading(&self, name: &Name) -> Option<Name> {
        let variable = self.model.variables.get(name)?;
        let first = self.model.ty(variable.node).shape.first()?;
        match self.model.dims.resolve(first) {
            Size::Named(dim) if variable.role == Role::Input => Some(dim),
            _ => None,
        }
    }

    /// The inputs with rows.
    fn columns(&self, needed: &[Name], over: Option<&Name>) -> Vec<Name> {
        let has = |name: &&Name| over.is_some() && self.leading(name).as_ref() == over;
        needed.iter().filter(has).cloned().collect()
    }

    /// The data set of the columns, which leave `gathered`; those that nothing gives are `absent`.
    fn table(
        &self,
        gathered: &mut Gathered,
        columns: &[Name],
        bindings: &Bindings,
        absent: &mut Vec<Name>,
    ) -> Result<FileRows, Failure> {
        let mut parts = Vec::new();
        let mut count = 0;
        for name in columns {
            let setting = gathered.settings.iter().find(|(set, _)| set == name);
            let found = match (gathered.found.remove(name), setting) {
                (Some(found), _) => found,
                (None, Some((_, setting))) => {
                    let shape = self.shape(name, bindings)?;
                    let opened = self.set(name, setting, Some(&shape), false)?;
                    Found { opened, from: format!("--set {name}") }
                }
                (None, None) => {
                    absent.push(name.clone());
                    continue;
                }
            };
            let part = self.part(name, found, bindings)?;
            count = part.opened.shape()[0];
            parts.push(part);
        }
        Ok(FileRows::new(count, parts, HELD)?)
    }

    /// A column whose type and shape are those of its input.
    fn part(&self, name: &Name, found: Found, bindings: &Bindings) -> Result<Part, Failure> {
        let dtype = self.model.ty(self.model.variables[name].node).dtype;
        let Found { opened, from } = found;
        if let (false, Opened::Raw(raw)) = (self.takes(&opened, dtype), &opened) {
            let stored = raw.layout().stored.name();
            let fault = data::Fault::Type { stored, dtype };
            return self.stop(self.unfit(name, dtype, stored, &from, &fault));
        }
        let shape = self.shape(name, bindings)?;
        if opened.shape() != shape {
            return self.stop(self.misshapen(name, dtype, &shape, &opened.shape(), &from));
        }
        let column = Column { name: name.clone(), dtype, shape: shape[1..].to_vec() };
        let place = match from.starts_with("--set") {
            true => from,
            false => format!("{from}, array `{name}`"),
        };
        Ok(Part { column, opened, from: place })
    }

    /// Looks at all elements: they are finite, within the declared ranges, and name entries that there are.
    fn inspect(&self, rows: &FileRows, bindings: &Bindings) -> Result<(), Failure> {
        let named = self.named(bindings);
        let bounds: Vec<(Bounds, Reason)> = rows
            .columns()
            .iter()
            .map(|column| {
                let variable = &self.model.variables[&column.name];
                let declared = variable.range.as_ref().zip(declared::ends(variable, bindings));
                match (declared, named.get(&column.name)) {
                    (Some((range, (low, high))), _) => {
                        let bounds = Bounds { low: (low, range.low.2), high: (high, range.high.2) };
                        (bounds, Reason::Declared)
                    }
                    (None, Some(&size)) => {
                        let end = size as f64;
                        (Bounds { low: (-end, true), high: (end, false) }, Reason::Entries(size))
                    }
                    (None, None) => (Bounds::FINITE, Reason::Finite),
                }
            })
            .collect();
        let all: Vec<Bounds> = bounds.iter().map(|(bounds, _)| *bounds).collect();
        match rows.stray(&all).map_err(unreadable)? {
            None => Ok(()),
            Some(stray) => {
                let (bounds, reason) = bounds[stray.column];
                self.stray(rows, &stray, bounds, reason)
            }
        }
    }

    fn stray(
        &self,
        rows: &FileRows,
        stray: &Stray,
        bounds: Bounds,
        reason: Reason,
    ) -> Result<(), Failure> {
        let Stray { column, row, place, value } = stray;
        let (name, from) = (&rows.columns()[*column].name, rows.origin(*column));
        let element = match rows.columns()[*column].width() {
            1 => String::new(),
            _ => format!(", element {place}"),
        };
        let variable = &self.model.variables[name];
        let reason = if value.is_finite() { reason } else { Reason::Finite };
        let (code, message, help) = match reason {
            Reason::Finite => {
                return Err(Failure::Request(format!(
                    "{from}: row {row}{element} is {value}; training wants finite numbers"
                )));
            }
            Reason::Declared => {
                let (open, close) =
                    (if bounds.low.1 { '[' } else { '(' }, if bounds.high.1 { ']' } else { ')' });
                let (low, high) = (bounds.low.0, bounds.high.0);
                let message = format!(
                    "`{name}` is declared in {open}{low}, {high}{close}; row {row}{element} is {value}"
                );
                ("E0406", message, "give data within the range, or widen the range".to_string())
            }
            Reason::Entries(size) => {
                let message =
                    format!("`{name}` finds one of {size} entries; row {row}{element} is {value}");
                let help = format!("numbers from 0 to {} are wanted there", size - 1);
                ("E0407", message, help)
            }
        };
        let diagnostic = Diagnostic::error(code, variable.span, message);
        self.stop(diagnostic.help(format!("the data is {from}")).help(help))
    }

    /// The inputs by whose integers entries are found, with the number of the entries.
    fn named(&self, bindings: &Bindings) -> FxHashMap<Name, i64> {
        let model = self.model;
        let mut named: FxHashMap<Name, i64> = FxHashMap::default();
        for id in model.nodes() {
            let axis = match model.op(id) {
                Op::Gather(gather) => gather.axis,
                Op::TakeAlong(take) => take.axis,
                _ => continue,
            };
            let operands = model.operands(id);
            let size = &model.ty(operands[0]).shape[axis];
            let Some(name) = source(model, operands[1]) else { continue };
            if let Ok(size) = size.eval(bindings) {
                let known = named.entry(name.clone()).or_insert(size);
                *known = size.min(*known);
            }
        }
        named
    }
}

/// Why elements have bounds.
#[derive(Clone, Copy)]
enum Reason {
    Finite,
    Declared,
    Entries(i64),
}

/// The variable whose elements a value has, in another shape or order.
fn source(model: &Model, mut id: NodeId) -> Option<&Name> {
    loop {
        match model.op(id) {
            Op::Variable(variable) => return Some(&variable.name),
            Op::Reshape(_) | Op::Broadcast(_) | Op::Permute(_) | Op::Flip(_) => {
                id = model.operands(id)[0];
            }
            _ => return None,
        }
    }
}

fn unreadable(error: RowsError) -> Failure {
    match error {
        RowsError::Unreadable(error) => match error.downcast::<DataError>() {
            Ok(error) => Failure::from(*error),
            Err(error) => Failure::Request(error.to_string()),
        },
        other => Failure::Request(other.to_string()),
    }
}
