//! Recurrence: `scan t in T (h = h0) for xt in x { ... }`.

use super::{Lowerer, Meaning, Scope, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::NodeId;
use crate::graph::scan::{Frame, Notes};
use crate::ops::scan::{Part, Which};
use crate::ops::{Name, Op, Size, Type};
use crate::syntax::ast::{ExprId, Ident, ItemKind, Scan};
use crate::tensor::DType;

/// How deep scans may stand in each other: a derivative computes the inner ones anew.
const DEPTH: usize = 8;

/// A carry before the body is read.
struct Carry {
    name: Ident,
    /// Its first value, and where that is written.
    first: Value,
    span: Span,
}

/// What a body came to.
struct Read {
    frame: Frame,
    next: Vec<(NodeId, Span)>,
    yields: Vec<NodeId>,
    notes: Notes,
}

impl Lowerer {
    /// The results of a scan: what it yields, stacked, then the last values of its carries.
    pub(super) fn scan(&mut self, scan: &Scan, span: Span) -> Option<Value> {
        if self.loops.len() >= DEPTH {
            let message = format!("scans stand in each other more than {DEPTH} deep");
            self.say(
                Diagnostic::error("E0210", self.place(span), message)
                    .help("join loops: reshape two axes into one"),
            );
            return None;
        }
        if scan.carries.is_empty() && scan.body.results.is_empty() {
            self.say(
                Diagnostic::error("E0210", self.place(span), "a scan without a result")
                    .help("carry a value on, `(h = h0)`, or stack one, `yield h`"),
            );
            return None;
        }
        let length = self.size(scan.length)?;
        let mut carries = Vec::new();
        for (name, id) in &scan.carries {
            let (first, span) = (self.expr(*id)?, self.span(*id));
            carries.push(Carry { name: name.clone(), first, span });
        }
        let arrays = self.arrays(scan, &length)?;
        let mut dtypes = vec![self.float; carries.len()];
        let (values, variables) = (self.model.len(), self.model.variables.len());
        let instances = self.instances.clone();
        // A first value without an element type takes that of the body, which shows only when it is read.
        for _ in 0..=carries.len() {
            let (said, errors) = (self.diagnostics.len(), self.errors);
            let read = self.step(scan, &length, &carries, &dtypes, &arrays);
            let turned = self.turned(scan, &carries, &read, &mut dtypes);
            if !turned {
                return self.results(scan, read?, span);
            }
            self.diagnostics.truncate(said);
            self.errors = errors;
            self.instances.clone_from(&instances);
            self.model.variables.truncate(variables);
            for scope in &mut self.scopes {
                scope.names.retain(|_, (meaning, _)| match meaning {
                    Meaning::Value(Value::Node(node)) => node.index() < values,
                    _ => true,
                });
            }
        }
        None
    }

    /// The arrays that are sliced.
    fn arrays(&mut self, scan: &Scan, length: &Size) -> Option<Vec<NodeId>> {
        let mut arrays = Vec::new();
        for (name, id) in &scan.slices {
            let at = self.span(*id);
            let node = self.expr(*id).and_then(|value| self.typed(value, self.float, at))?;
            let ty = self.model.ty(node).clone();
            let lead = ty.shape.first();
            if !lead.is_some_and(|lead| self.model.dims.equal(lead, length)) {
                let message = match lead {
                    None => format!("`{}` is a slice of a scalar, which has no axis", name.text),
                    Some(lead) => format!(
                        "a scan of {length} steps over the first axis of {ty}, which is {lead}"
                    ),
                };
                let mut diagnostic = Diagnostic::error("E0210", self.place(at), message);
                if let Some((from, text)) = super::trace::size(self, node, 0) {
                    diagnostic = diagnostic.label(from, text);
                }
                let help = match lead {
                    None => "read it in the body by its own name".to_string(),
                    Some(lead) => {
                        format!("write `in {lead}`, or put the axis {length} first: `permute(...)`")
                    }
                };
                self.say(diagnostic.help(help));
                return None;
            }
            arrays.push(node);
        }
        Some(arrays)
    }

    /// Reads the body once, first values without an element type taken to be of `dtypes`.
    fn step(
        &mut self,
        scan: &Scan,
        length: &Size,
        carries: &[Carry],
        dtypes: &[DType],
        arrays: &[NodeId],
    ) -> Option<Read> {
        let mut firsts = Vec::new();
        for (carry, dtype) in carries.iter().zip(dtypes) {
            firsts.push(self.typed(carry.first.clone(), *dtype, carry.span)?);
        }
        let origins = self.origins(scan.index.span);
        let stand = |lowerer: &mut Lowerer, ty: Type| {
            lowerer.model.placeholder(ty, &origins).expect("the type of a value that is there")
        };
        let index = stand(self, Type::scalar(DType::I64));
        let held: Vec<NodeId> = firsts
            .iter()
            .map(|&first| {
                let ty = self.model.ty(first).clone();
                stand(self, ty)
            })
            .collect();
        let slices: Vec<NodeId> = arrays
            .iter()
            .map(|&array| {
                let ty = self.model.ty(array);
                let row = ty.with_shape(ty.shape[1..].iter().cloned());
                stand(self, row)
            })
            .collect();
        let outer = self.scopes.last().expect("there is always a scope");
        let scope = Scope {
            open: true,
            axes: outer.axes.clone(),
            leading: outer.leading.clone(),
            owner: outer.owner.clone(),
            ..Scope::default()
        };
        self.scopes.push(scope);
        let frame = Frame {
            reverse: scan.reverse,
            length: length.clone(),
            index,
            carries: held.iter().copied().zip(firsts.iter().copied()).collect(),
            slices: slices.iter().copied().zip(arrays.iter().copied()).collect(),
            outside: Vec::new(),
        };
        self.loops.push(frame);
        let given = std::iter::once(&scan.index)
            .chain(carries.iter().map(|carry| &carry.name))
            .chain(scan.slices.iter().map(|(name, _)| name))
            .zip(std::iter::once(&index).chain(&held).chain(&slices));
        let mut names = Vec::new();
        for (ident, &node) in given {
            names.push((ident.text.clone(), node));
            self.define(&ident.text, ident.span, Meaning::Value(Value::Node(node)));
        }
        let scope = self.scopes.last_mut().expect("the scan's scope");
        scope.carried = carries.iter().map(|carry| carry.name.text.clone()).collect();
        let read = self.looped(scan, carries, &firsts, &held, &mut names);
        let frame = self.loops.pop().expect("the scan's own");
        self.scopes.pop();
        let (next, yields) = read?;
        Some(Read { frame, next, yields, notes: Notes { names, adjoints: Vec::new() } })
    }

    /// The statements between the braces: the next values of the carries with their places, and what is yielded.
    #[allow(clippy::type_complexity)]
    fn looped(
        &mut self,
        scan: &Scan,
        carries: &[Carry],
        firsts: &[NodeId],
        held: &[NodeId],
        names: &mut Vec<(Name, NodeId)>,
    ) -> Option<(Vec<(NodeId, Span)>, Vec<NodeId>)> {
        let mut next: Vec<Option<(NodeId, Span)>> = vec![None; carries.len()];
        let errors = self.errors;
        for item in &scan.body.items {
            match &item.kind {
                ItemKind::Binding(idents, value) => {
                    self.binding(idents, *value);
                    for ident in idents {
                        let node = self.within(ident, *value)?;
                        match carries.iter().position(|carry| carry.name.text == ident.text) {
                            Some(place) => next[place] = Some((node, self.span(*value))),
                            None => names.push((ident.text.clone(), node)),
                        }
                    }
                }
                ItemKind::Const(ident, ty, value) => self.constant(ident, ty.as_ref(), *value),
                ItemKind::Error => return None,
                _ => {
                    let at = Span { end: item.span.start + 1, ..item.span };
                    let message = "a scan has bindings only: its body runs at each step";
                    self.say(
                        Diagnostic::error("E0210", self.place(at), message)
                            .help("declare it above, and read it in the body by its name"),
                    );
                    return None;
                }
            }
        }
        let mut yields = Vec::new();
        for &id in &scan.body.results {
            let at = self.span(id);
            let value = self.expr(id).and_then(|value| self.typed(value, self.float, at));
            yields.push(value?);
        }
        if self.errors > errors {
            return None;
        }
        let mut last = Vec::new();
        for (place, carry) in carries.iter().enumerate() {
            let (node, at) = next[place].unwrap_or((held[place], carry.span));
            last.push((self.shaped(carry, firsts[place], node, at), at));
        }
        Some((last, yields))
    }

    /// The value that a binding of the body has got.
    fn within(&mut self, ident: &Ident, value: ExprId) -> Option<NodeId> {
        let at = self.span(value);
        match self.lookup(&ident.text).map(|(meaning, _)| meaning.clone()) {
            Some(Meaning::Value(value)) => self.typed(value, self.float, at),
            _ => None,
        }
    }

    /// The next value of a carry in the shape that the carry has: a scalar fills it.
    fn shaped(&mut self, carry: &Carry, first: NodeId, next: NodeId, at: Span) -> NodeId {
        let (ty, found) = (self.model.ty(first).clone(), self.model.ty(next));
        if found.rank() > 0 || ty.rank() == 0 || ty.dtype != found.dtype {
            return next;
        }
        let name = format!("`{}`", carry.name.text);
        self.fitted(next, &ty, at, &name, None).unwrap_or(next)
    }

    /// Whether first values without an element type have to take another one than was tried; that one is noted.
    fn turned(
        &mut self,
        scan: &Scan,
        carries: &[Carry],
        read: &Option<Read>,
        dtypes: &mut [DType],
    ) -> bool {
        let mut turned = false;
        let free = |carry: &Carry| matches!(carry.first, Value::Free(_) | Value::List(_));
        match read {
            Some(read) => {
                for ((carry, (next, _)), dtype) in carries.iter().zip(&read.next).zip(dtypes) {
                    let found = self.model.ty(*next).dtype;
                    if free(carry) && found != *dtype && found != DType::Bool {
                        (*dtype, turned) = (found, true);
                    }
                }
            }
            // What is counted meets integers in the body, where a float does not fit.
            None if !scan.carries.is_empty() => {
                for (carry, dtype) in carries.iter().zip(dtypes) {
                    if free(carry) && dtype.is_float() && self.meets_integers(scan) {
                        (*dtype, turned) = (DType::I64, true);
                    }
                }
            }
            None => {}
        }
        turned
    }

    /// That a derivative inside scans is by a value of the step, or of a value that no carry and no slice leads to: beyond
    /// the step nothing is derived.
    pub(super) fn unbroken(
        &mut self,
        of: (NodeId, Span),
        wrt: (NodeId, Span),
        name: &str,
    ) -> Option<()> {
        let model = &self.model;
        let broken = self.loops.iter().any(|frame| {
            let inputs = frame.inputs();
            // What is bound in the body is a variable of the step, whatever its value comes from.
            let bound = matches!(model.op(wrt.0), Op::Barrier(_)) && wrt.0 > frame.index;
            let by_step = bound || inputs.iter().any(|&input| model.depends(wrt.0, input));
            let carried = || {
                frame.carries.iter().any(|(carry, _)| model.depends(of.0, *carry))
                    || frame.slices.iter().any(|&(slice, array)| {
                        model.depends(of.0, slice) && model.depends(array, wrt.0)
                    })
            };
            !by_step && carried()
        });
        if !broken {
            return Some(());
        }
        let message = format!("`{name}` leads here through earlier steps as well");
        let diagnostic = Diagnostic::error("E0303", self.place(of.1), message)
            .label(self.place(wrt.1), "from outside the scan")
            .help("derive what the whole scan gives")
            .help(format!("or within the step: `own = {name}` in the body, used and derived by"));
        self.say(diagnostic);
        None
    }

    /// Whether element types have been found not to fit inside the body.
    fn meets_integers(&self, scan: &Scan) -> bool {
        let within = |span: Span| {
            span.file == scan.body.span.file
                && scan.body.span.start <= span.start
                && span.end <= scan.body.span.end
        };
        self.diagnostics.iter().any(|said| {
            said.code == "E0206" && said.primary.as_ref().is_some_and(|label| within(label.span))
        })
    }

    /// Closes the loop and picks its results.
    fn results(&mut self, scan: &Scan, read: Read, span: Span) -> Option<Value> {
        for (place, (name, id)) in scan.carries.iter().enumerate() {
            let ((_, first), (next, at)) = (read.frame.carries[place], read.next[place]);
            let (ty, found) = (self.model.ty(first).clone(), self.model.ty(next).clone());
            let dims = &self.model.dims;
            let equal = ty.dtype == found.dtype
                && ty.rank() == found.rank()
                && ty.shape.iter().zip(&found.shape).all(|(a, b)| dims.equal(a, b));
            if !equal {
                let what = if ty.dtype == found.dtype { "shape" } else { "element type" };
                let message =
                    format!("the carry `{}` changes its {what}: {ty} becomes {found}", name.text);
                let help = match (ty.dtype == found.dtype, ty.rank()) {
                    (false, _) => format!("cast the next value: `{}(...)`", ty.dtype),
                    (true, 0) => {
                        let shape = crate::ops::join(&found.shape);
                        format!("start from an array: `{} = zeros({shape})`", name.text)
                    }
                    _ => "give the first value the shape of the next one".into(),
                };
                let diagnostic = Diagnostic::error("E0210", self.place(at), message)
                    .at(found.to_string())
                    .label(self.place(self.span(*id)), format!("starts as {ty}"));
                self.say(diagnostic.help(help));
                return None;
            }
        }
        let frame = &read.frame;
        let next: Vec<NodeId> = read.next.iter().map(|(next, _)| *next).collect();
        let held = |node: &NodeId| frame.carries.iter().position(|(inner, _)| inner == node);
        let stacked: Vec<NodeId> =
            read.yields.iter().copied().filter(|node| held(node).is_none()).collect();
        let results: Vec<NodeId> = next.iter().chain(&stacked).copied().collect();
        let origins = self.origins(span);
        let closed = self.model.closed(frame, &results, &read.notes, &origins);
        let node = match closed {
            Ok(node) => node,
            Err(misfit) => {
                self.misfit(misfit, span, &[]);
                return None;
            }
        };
        let mut count = 0;
        let mut which: Vec<Which> = Vec::new();
        for node in &read.yields {
            which.push(match held(node) {
                Some(place) => Which::Trace(place),
                None => {
                    count += 1;
                    Which::Yield(count - 1)
                }
            });
        }
        which.extend((0..frame.carries.len()).map(Which::Final));
        let mut values = Vec::new();
        for which in which {
            let Op::Scan(scan) = self.model.op(node) else { unreachable!("a scan was closed") };
            let part: Part = scan.part(which);
            values.push(Value::Node(self.insert(part, &[(node, span)], span)?));
        }
        match <[Value; 1]>::try_from(values) {
            Ok([one]) => Some(one),
            Err(several) => Some(Value::Several(several)),
        }
    }
}
