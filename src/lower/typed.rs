//! Element types for what has none yet: numbers, sizes and lists as nodes.

use super::{Lowerer, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::NodeId;
use crate::ops::index::OneHot;
use crate::ops::leaf::{Eye, Literal};
use crate::ops::{Number, Op, Term};
use crate::tensor::DType;

impl Lowerer {
    /// The node of a value; what has no element type yet gets `dtype`.
    pub(super) fn typed(&mut self, value: Value, dtype: DType, span: Span) -> Option<NodeId> {
        match value {
            Value::Node(node) => Some(node),
            Value::Free(term) => self.planted(&term, dtype, span),
            Value::List(entries) => self.array(entries, dtype, span),
            Value::Text(_) => {
                let message = "text stands where a value should";
                self.say(
                    Diagnostic::error("E0206", self.place(span), message)
                        .help("quotes are for `einsum` and `use`: leave them out around a name"),
                );
                None
            }
            Value::Several(values) => {
                let message = format!("{} results stand where one value should", values.len());
                self.say(
                    Diagnostic::error("E0207", self.place(span), message)
                        .help("give them names first: `(a, b) = ...`"),
                );
                None
            }
        }
    }

    fn planted(&mut self, term: &Term, dtype: DType, span: Span) -> Option<NodeId> {
        let origins = self.origins(span);
        if dtype == DType::Bool {
            let message = "a number stands where a truth value should";
            self.say(
                Diagnostic::error("E0206", self.place(span), message)
                    .help("write `true` or `false`, or compare: `x > 0`"),
            );
            return None;
        }
        if dtype.is_int()
            && let Ok(exact) = self.model.plant(term, &[], DType::F64, &Default::default())
            && let Some(number) = self.model.constant(exact)
        {
            if number.to_i64().is_none() {
                let message = format!("{number} meets {dtype}, which has whole numbers only");
                let help = format!("cast the other side to a float, as in `{}(x)`", self.float);
                self.say(Diagnostic::error("E0206", self.place(span), message).help(help));
                return None;
            }
            return Some(self.model.number(dtype, number, &origins));
        }
        match self.model.plant(term, &[], dtype, &origins) {
            Ok(node) => Some(node),
            Err(misfit) => {
                self.misfit(misfit, span, &[]);
                None
            }
        }
    }

    /// A list as an array: a literal where all is constant, else its entries stacked.
    fn array(&mut self, entries: Vec<(Value, Span)>, dtype: DType, span: Span) -> Option<NodeId> {
        let known = entries.iter().find_map(|(value, _)| self.dtype_within(value));
        let dtype = known.unwrap_or(dtype);
        if let Some((shape, numbers)) = self.literal(&entries, span)? {
            let bad = numbers.iter().find(|number| dtype.is_int() && number.to_i64().is_none());
            if let Some(bad) = bad {
                let message = format!("{bad} stands in an array of {dtype}");
                self.say(
                    Diagnostic::error("E0206", self.place(span), message)
                        .help("write whole numbers, or give the array a float type"),
                );
                return None;
            }
            let origins = self.origins(span);
            let literal = Literal { dtype, shape, values: numbers.into() };
            return self.model.insert(literal, &[], &origins).ok();
        }
        let mut nodes = Vec::new();
        for (value, at) in entries {
            nodes.push((self.typed(value, dtype, at)?, at));
        }
        self.insert(crate::ops::shape::Stack { axis: 0 }, &nodes, span)
    }

    pub(super) fn dtype_within(&self, value: &Value) -> Option<DType> {
        match value {
            Value::Node(node) => Some(self.model.ty(*node).dtype),
            Value::List(entries) => entries.iter().find_map(|(value, _)| self.dtype_within(value)),
            _ => None,
        }
    }

    /// Shape and numbers of a list of constants; the inner `None` where something in it is no constant.
    #[allow(clippy::type_complexity)]
    fn literal(
        &mut self,
        entries: &[(Value, Span)],
        span: Span,
    ) -> Option<Option<(Vec<usize>, Vec<Number>)>> {
        let (mut shape, mut numbers): (Option<Vec<usize>>, _) = (None, Vec::new());
        let first = entries.first().map_or(span, |(_, at)| *at);
        for (value, at) in entries {
            let (inner, found) = match value {
                Value::Free(term) => {
                    let node = self.planted(term, DType::F64, *at)?;
                    match self.model.constant(node) {
                        Some(number) => (Vec::new(), vec![number]),
                        None => return Some(None),
                    }
                }
                Value::List(entries) => match self.literal(entries, *at)? {
                    Some(found) => found,
                    None => return Some(None),
                },
                _ => return Some(None),
            };
            if let Some(known) = &shape
                && *known != inner
            {
                let said = |shape: &[usize]| match shape {
                    [] => "a number".to_string(),
                    [1] => "1 number".to_string(),
                    [count] => format!("{count} numbers"),
                    shape => format!("an array of shape [{}]", crate::ops::join(shape)),
                };
                let message = "the rows of an array differ in length";
                self.say(
                    Diagnostic::error("E0201", self.place(*at), message)
                        .at(said(&inner))
                        .label(self.place(first), said(known))
                        .help("give every row the same number of entries"),
                );
                return None;
            }
            shape = Some(inner);
            numbers.extend(found);
        }
        let Some(inner) = shape else {
            self.say(
                Diagnostic::error("E0201", self.place(span), "an empty list has no shape")
                    .help("write `zeros(0)`"),
            );
            return None;
        };
        Some(Some(([vec![entries.len()], inner].concat(), numbers)))
    }

    /// The values with those that have no float type of their own in that of the others.
    pub(super) fn alike(&mut self, nodes: Vec<(NodeId, Span)>) -> Vec<(NodeId, Span)> {
        let float = |lowerer: &Lowerer, id: NodeId| {
            Some(lowerer.model.ty(id).dtype).filter(|dtype| dtype.is_float())
        };
        let open = |lowerer: &Lowerer, id: NodeId| lowerer.unsettled.contains(&id);
        let own = nodes.iter().filter(|(id, _)| !open(self, *id));
        let Some(to) = own.clone().find_map(|(id, _)| float(self, *id)) else { return nodes };
        let settle = |(id, at): (NodeId, Span)| {
            let differs = float(self, id).is_some_and(|dtype| dtype != to);
            let settled = (differs && open(self, id)).then(|| self.in_type(id, to)).flatten();
            (settled.unwrap_or(id), at)
        };
        nodes.into_iter().map(settle).collect()
    }

    /// `ones(N)` and its like in another float type.
    fn in_type(&mut self, id: NodeId, dtype: DType) -> Option<NodeId> {
        let origins = self.model.origins(id).clone();
        let operands = self.model.operands(id);
        match self.model.op(id).clone() {
            Op::OneHot(hot) => self.model.insert(OneHot { dtype, ..hot }, &operands, &origins).ok(),
            Op::Eye(eye) => self.model.insert(Eye { dtype, ..eye }, &[], &origins).ok(),
            Op::Const(number) => Some(self.model.number(dtype, number.value, &origins)),
            Op::Broadcast(layout) => {
                let number = self.model.constant(operands[0])?;
                let number = self.model.number(dtype, number, &origins);
                self.model.insert(layout, &[number], &origins).ok()
            }
            _ => None,
        }
    }
}
