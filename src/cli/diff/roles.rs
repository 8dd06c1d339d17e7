//! Which dimensions of two models are the same, by the part that they play in what both declare.

use crate::diagnostic::{Diagnostic, Span};
use crate::graph::{Model, Role};
use crate::ops::{Dims, Name, Size, free};
use rustc_hash::FxHashMap;

/// How the dimensions of two models go together.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// What dimensions of the second model are in the first; the others are called alike in both.
    pub second: FxHashMap<Name, Size>,
    /// The sizes that the second model gives to free dimensions of the first.
    pub first: FxHashMap<Name, Size>,
    /// What goes together under different names: in the first model, and in the second.
    pub renamed: Vec<(String, String)>,
}

/// The dimensions of both models, those along one axis of a parameter of one name and rank being the same. What parameters
/// leave open inputs settle, then names. Fails where a dimension would be two of the other model, with the place in the
/// second; `file` is the name of the first.
pub fn roles(file: &str, one: &Model, two: &Model) -> Result<Roles, Box<Diagnostic>> {
    let mut meeting = Meeting { one, two, file, roles: Roles::default(), met: Vec::new() };
    let kept = |name: &Name| {
        let role = one.variables.get(name).map(|variable| variable.role);
        matches!(role, Some(Role::Param | Role::State))
    };
    let (kept, given): (Vec<&Name>, Vec<&Name>) = two.variables.keys().partition(|name| kept(name));
    let axes: Vec<Axis> = kept.into_iter().flat_map(|name| meeting.axes(name)).collect();
    // A plain name says more than a sum or product of several.
    let (plain, other): (Vec<Axis>, Vec<Axis>) =
        axes.into_iter().partition(|axis| axis.right.name().is_some());
    for axis in plain.into_iter().chain(other) {
        meeting.meet(&axis)?;
    }
    for name in given {
        let before = (meeting.roles.clone(), meeting.met.len());
        // Data that is laid out otherwise is another input.
        if meeting.axes(name).iter().any(|axis| meeting.meet(axis).is_err()) {
            meeting.roles = before.0;
            meeting.met.truncate(before.1);
        }
    }
    meeting.rest();
    Ok(meeting.roles)
}

/// The dimensions with the sizes that they are given.
pub fn sized(dims: &Dims, by: &FxHashMap<Name, Size>) -> Dims {
    let mut all = Dims::default();
    for (name, size) in dims.iter() {
        all.declare(name.clone(), by.get(name).or(size).cloned());
    }
    all
}

/// An axis of a variable that both models have.
struct Axis {
    left: Size,
    right: Size,
    /// Where the first model declares the variable.
    line: usize,
    /// Where the second model writes its size.
    span: Span,
}

/// What is known while axes meet.
struct Meeting<'a> {
    one: &'a Model,
    two: &'a Model,
    file: &'a str,
    roles: Roles,
    /// The axes so far, of which the first with a name says what that is.
    met: Vec<Axis>,
}

impl Meeting<'_> {
    fn axes(&self, name: &Name) -> Vec<Axis> {
        let (Some(one), Some(two)) = (self.one.variables.get(name), self.two.variables.get(name))
        else {
            return Vec::new();
        };
        let (left, right) = (&self.one.ty(one.node).shape, &self.two.ty(two.node).shape);
        if left.len() != right.len() {
            return Vec::new();
        }
        let pairs = left.iter().zip(right).enumerate();
        let axis = |(place, (left, right)): (usize, (&Size, &Size))| Axis {
            left: left.clone(),
            right: right.clone(),
            line: self.one.line(one.span),
            span: two.axes.get(place).copied().unwrap_or(two.span),
        };
        pairs.map(axis).collect()
    }

    /// A size of the first model among free dimensions and numbers.
    fn left(&self, size: &Size) -> Size {
        let resolved = self.one.dims.resolve(size);
        resolved.substitute(&mut |name| self.roles.first.get(name).cloned())
    }

    /// A size of the second model in those of the first, where all its dimensions are known there.
    fn right(&self, size: &Size) -> Option<Size> {
        let resolved = self.two.dims.resolve(size);
        let known = resolved.names().iter().all(|name| self.roles.second.contains_key(name));
        let mut there = |name: &Name| self.roles.second.get(name).map(|size| self.left(size));
        known.then(|| resolved.substitute(&mut there))
    }

    /// Takes both sizes of an axis for the same.
    fn meet(&mut self, axis: &Axis) -> Result<(), Box<Diagnostic>> {
        let left = self.left(&axis.left);
        let mut right = self.right(&axis.right);
        if right.is_none()
            && let Some((number, name)) = single(&self.two.dims.resolve(&axis.right))
            && let Some(size) = left.exact_div(&Size::Known(number))
        {
            let plain = axis.right.name() == Some(&name);
            let size = if plain { axis.left.clone() } else { self.one.dims.rename(size) };
            let held = self.roles.second.values().any(|known| self.left(known) == self.left(&size));
            if held && size.known().is_none() {
                return Err(self.clash(axis));
            }
            self.roles.second.insert(name, size);
            right = Some(left.clone());
        }
        // What is still open stays so: the types differ, which is said of the gradients that need them.
        let Some(right) = right else { return Ok(()) };
        if left != right {
            let free = |dims: &Dims, size: &Size| !dims.resolve(size).names().is_empty();
            match (single(&left), right.known()) {
                (Some((number, name)), Some(size)) if size % number == 0 => {
                    self.roles.first.insert(name, Size::Known(size / number));
                }
                _ if free(&self.one.dims, &axis.left) || free(&self.two.dims, &axis.right) => {
                    return Err(self.clash(axis));
                }
                _ => return Ok(()),
            }
        }
        if let Some(name) = axis.right.name() {
            self.roles.second.entry(name.clone()).or_insert_with(|| axis.left.clone());
        }
        let Axis { left, right, line, span } = axis;
        self.met.push(Axis { left: left.clone(), right: right.clone(), line: *line, span: *span });
        Ok(())
    }

    /// An axis along which a dimension is another than along one before.
    fn clash(&self, axis: &Axis) -> Box<Diagnostic> {
        let Meeting { file, met, .. } = self;
        let (left, right) = (&axis.left, &axis.right);
        let named = |size: &Size, side: &dyn Fn(&Axis) -> Size| {
            let name = size.name()?;
            met.iter().find(|known| side(known).name() == Some(name))
        };
        let here = named(right, &|known| known.right.clone());
        let there = named(left, &|known| known.left.clone());
        let (message, other) = match (here, there) {
            (Some(other), _) => {
                (format!("`{right}` is both {} and {left} of {file}", other.left), Some(other))
            }
            (None, Some(other)) => (
                format!("`{left}` of {file} is both {} and {right} here", other.right),
                Some(other),
            ),
            (None, None) => (format!("{right} is {left} in {file}: no sizes fit all axes"), None),
        };
        let text = |axis: &Axis| format!("{} in {file}, line {}", axis.left, axis.line);
        let mut diagnostic = Diagnostic::error("E0306", axis.span, message).at(text(axis));
        if let Some(other) = other {
            diagnostic = diagnostic.label(other.span, text(other));
        }
        let help = "parameters of one name go together axis by axis: rename those that do not";
        Box::new(diagnostic.help(help))
    }

    /// What is in no variable is known by its name; a name that is taken is made another.
    fn rest(&mut self) {
        let dims = &self.two.dims;
        for (name, _) in dims.iter() {
            let own = Size::Named(name.clone());
            let taken = |size: &Size| size.names().contains(name);
            match self.roles.second.get(name) {
                Some(size) if *size == own => {
                    self.roles.second.remove(name);
                }
                Some(size) => self.roles.renamed.push((size.to_string(), name.to_string())),
                None if self.roles.second.values().any(taken) => {
                    let used = |name: &str| dims.contains(name) || self.one.dims.contains(name);
                    self.roles.second.insert(name.clone(), Size::Named(free(name, used)));
                }
                None => {}
            }
        }
        for (name, _) in self.one.dims.iter() {
            let Some(size) = self.roles.first.get(name) else { continue };
            if self.met.iter().any(|axis| axis.left.name() == Some(name) && axis.right == *size) {
                self.roles.renamed.push((name.to_string(), size.to_string()));
            }
        }
    }
}

/// A number and the one dimension that it multiplies.
fn single(size: &Size) -> Option<(i64, Name)> {
    match size.factors()? {
        (number, factors) if number > 0 => match factors.as_slice() {
            [Size::Named(name)] => Some((number, name.clone())),
            _ => None,
        },
        _ => None,
    }
}
