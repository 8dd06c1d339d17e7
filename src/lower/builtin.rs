//! Calls of operators with parameters: the terms that they become.

use super::arguments::{Argument, Given};
use super::{Lowerer, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::NodeId;
use crate::ops::builtin::{self, AxisRef, Builtin};
use crate::ops::{Misfit, Size, Term, Type};
use crate::syntax::ast::{Call, ExprId, ExprKind, UnaryOp};
use crate::tensor::DType;

impl Lowerer {
    /// The value of a call of `builtin`.
    pub(super) fn builtin(
        &mut self,
        builtin: &'static Builtin,
        call: &Call,
        span: Span,
    ) -> Option<Value> {
        let (axes, keep) = self.brackets(call)?;
        if (axes.is_some() || keep) && !builtin.axes {
            self.no_brackets(call, false);
            return None;
        }
        let arguments = self.arguments(builtin, call, span)?;
        let mut nodes: Vec<(NodeId, Span)> = Vec::new();
        let mut values = vec![builtin::Value::Absent; builtin.params.len()];
        let mut waiting: Vec<(usize, Value, Span)> = Vec::new();
        let mut whole = true;
        for (place, given) in arguments.into_iter().enumerate() {
            let (param, kind) = builtin.params[place];
            match given {
                Given::Absent => {}
                Given::Sizes(ids) => {
                    let sizes: Vec<Option<Size>> =
                        ids.into_iter().map(|id| self.size(id)).collect();
                    match sizes.into_iter().collect() {
                        Some(sizes) => values[place] = builtin::Value::Sizes(sizes),
                        None => whole = false,
                    }
                }
                Given::Several(ids) => {
                    let several: Vec<(Option<Value>, Span)> =
                        ids.into_iter().map(|id| (self.expr(id), self.span(id))).collect();
                    let dtype = several
                        .iter()
                        .find_map(|(value, _)| value.as_ref().and_then(|v| self.dtype_within(v)));
                    let mut numbers = Vec::new();
                    for (value, at) in several {
                        let dtype = dtype.unwrap_or(self.float);
                        match value.and_then(|value| self.typed(value, dtype, at)) {
                            Some(node) => {
                                numbers.push(nodes.len());
                                nodes.push((node, at));
                            }
                            None => whole = false,
                        }
                    }
                    values[place] = builtin::Value::Tensors(numbers);
                }
                Given::One(id) => match self.argument(builtin.name, param, kind, id) {
                    Some(Argument::Ready(value)) => values[place] = value,
                    Some(Argument::Tensor(value)) => waiting.push((place, value, self.span(id))),
                    None => whole = false,
                },
            }
        }
        if !whole {
            return None;
        }
        let is_index = |place: usize| builtin.params[place].0 == "indices";
        let dtype = waiting.iter().find_map(|(place, value, _)| match value {
            Value::Node(node) if !is_index(*place) => Some(self.model.ty(*node).dtype),
            _ => None,
        });
        for (place, value, at) in waiting {
            let wanted = if is_index(place) { DType::I64 } else { dtype.unwrap_or(self.float) };
            let node = self.typed(value, wanted, at)?;
            values[place] = builtin::Value::Tensor(nodes.len());
            nodes.push((node, at));
        }
        nodes = self.alike(nodes);
        if builtin.name == "clip" {
            nodes = self.aligned(nodes, "clip", span)?;
        }
        if matches!(builtin.name, "concat" | "stack") && nodes.is_empty() {
            let message = format!("`{}` of an empty list", builtin.name);
            self.say(
                Diagnostic::error("E0207", self.place(span), message)
                    .help(format!("give it values: `{}[0]([a, b])`", builtin.name)),
            );
            return None;
        }
        self.drawn(builtin, &mut values, &mut nodes, span);
        let types: Vec<Type> = nodes.iter().map(|(node, _)| self.model.ty(*node).clone()).collect();
        let float = dtype.filter(|dtype| dtype.is_float()).unwrap_or(self.float);
        let built = (builtin.build)(&builtin::Call {
            name: builtin.name,
            types: &types,
            values: &values,
            axes: axes.as_deref(),
            keep,
            float,
            dims: &self.model.dims,
        });
        let terms = match built {
            Ok(terms) => terms,
            Err(misfit) if misfit.code == "E0209" => {
                self.no_such_axis(misfit, call, axes.as_deref(), &nodes, span);
                return None;
            }
            Err(misfit) => {
                self.fail(misfit, &nodes, span);
                return None;
            }
        };
        let results = self.terms(&terms, &nodes, float, span)?;
        if matches!(builtin.name, "one_hot" | "eye" | "zeros" | "ones") {
            self.unsettled.extend(&results);
        }
        match <[NodeId; 1]>::try_from(results) {
            Ok([one]) => Some(Value::Node(one)),
            Err(several) => Some(Value::Several(several.into_iter().map(Value::Node).collect())),
        }
    }

    fn terms(
        &mut self,
        terms: &[Term],
        nodes: &[(NodeId, Span)],
        dtype: DType,
        span: Span,
    ) -> Option<Vec<NodeId>> {
        let variables: Vec<NodeId> = nodes.iter().map(|(node, _)| *node).collect();
        let origins = self.origins(span);
        let mut results = Vec::new();
        for term in terms {
            match self.model.plant(term, &variables, dtype, &origins) {
                Ok(node) => results.push(node),
                Err(misfit) => {
                    self.fail(misfit, nodes, span);
                    return None;
                }
            }
        }
        Some(results)
    }

    /// The axes in brackets, and whether `keep` is among them.
    pub(super) fn brackets(&mut self, call: &Call) -> Option<(Option<Vec<AxisRef>>, bool)> {
        let Some(written) = &call.axes else { return Some((None, false)) };
        let (mut axes, mut keep, mut any) = (Vec::new(), false, false);
        let unit = self.unit();
        for &id in written {
            match &unit.ast[id].kind {
                ExprKind::Error => return None,
                ExprKind::Name(name) if &**name == "keep" => keep = true,
                ExprKind::Name(name) => {
                    let passed = self
                        .seen()
                        .find_map(|scope| scope.axes.clone())
                        .filter(|(own, ..)| own == name);
                    match passed {
                        Some((_, passed, kept)) => {
                            keep |= kept;
                            any |= passed.is_some();
                            axes.extend(passed.into_iter().flatten());
                        }
                        None => {
                            any = true;
                            let size = self.lookup(name).map(|(meaning, _)| meaning.clone());
                            axes.push(match size {
                                Some(super::Meaning::Size(Size::Named(actual))) => {
                                    AxisRef::Name(actual)
                                }
                                Some(super::Meaning::Size(_) | super::Meaning::Value(_)) | None => {
                                    AxisRef::Name(name.clone())
                                }
                                Some(super::Meaning::Broken) => return None,
                            });
                        }
                    }
                }
                ExprKind::Number(text) => {
                    any = true;
                    axes.push(AxisRef::Number(text.parse().unwrap_or(i64::MAX)));
                }
                ExprKind::Unary(UnaryOp::Neg, inner) => {
                    any = true;
                    let ExprKind::Number(text) = &unit.ast[*inner].kind else {
                        return self.no_axis(id);
                    };
                    axes.push(AxisRef::Number(
                        text.parse::<i64>().map_or(i64::MIN, |number| -number),
                    ));
                }
                _ => return self.no_axis(id),
            }
        }
        Some((any.then_some(axes), keep))
    }

    /// Reports axes that do not suit, at the one that is at fault.
    fn no_such_axis(
        &mut self,
        misfit: Misfit,
        call: &Call,
        axes: Option<&[AxisRef]>,
        nodes: &[(NodeId, Span)],
        span: Span,
    ) {
        let operand = misfit.places.first().map_or(0, |(operand, _)| *operand);
        let Some(&(node, _)) = nodes.get(operand) else { return self.fail(misfit, nodes, span) };
        let ty = self.model.ty(node).clone();
        let mut seen = Vec::new();
        let fault = axes.unwrap_or(&[]).iter().position(|axis| {
            let place = builtin::resolve(axis, &ty).ok();
            let again = place.is_some_and(|place| seen.contains(&place));
            seen.extend(place);
            place.is_none() || again
        });
        let unit = self.unit();
        let written = call.axes.iter().flatten().filter(
            |id| !matches!(&unit.ast[**id].kind, ExprKind::Name(name) if &**name == "keep"),
        );
        // Inside a function with `[axes..]` the written axes are not those that are meant.
        let passed = self.seen().any(|scope| scope.axes.is_some());
        let at = fault.filter(|_| !passed).and_then(|place| written.clone().nth(place));
        let at = at.map_or(span, |id| self.span(*id));
        let own = !matches!(misfit.help.as_deref(), Some(help) if help.starts_with("write"));
        let help = match (fault, own) {
            (Some(_), true) if ty.rank() == 0 => "leave the brackets out: it is a scalar".into(),
            (Some(_), true) if misfit.message.contains("twice") => "name each axis once".into(),
            (Some(_), true) => {
                let labels = (0..ty.rank()).map(|axis| format!("`{}`", ty.axis_label(axis)));
                let labels = labels.collect::<Vec<_>>().join(", ");
                match ty.rank() {
                    1 => format!("its axis is {labels}"),
                    _ => format!("its axes are {labels}"),
                }
            }
            _ => misfit.help.clone().unwrap_or_else(|| self.usage(&call.callee.text)),
        };
        self.say(Diagnostic::error("E0209", self.place(at), misfit.message).help(help));
    }

    fn no_axis<T>(&mut self, id: ExprId) -> Option<T> {
        let at = self.span(id);
        self.say(
            Diagnostic::error("E0209", at, "an axis is a name or a number")
                .help("as in `sum[K](x)`, `sum[-1](x)`, `sum[0, keep](x)`"),
        );
        None
    }
}
