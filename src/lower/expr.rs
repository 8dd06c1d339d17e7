//! Expressions.

use super::unknown::Sought;
use super::{Lowerer, Meaning, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::NodeId;
use crate::ops::align::{align, broadcast};
use crate::ops::elementwise::Class;
use crate::ops::index::Gather;
use crate::ops::leaf::{Const, Literal};
use crate::ops::matmul::MatMul;
use crate::ops::shape::{Cut, Flip, Reshape, Slice};
use crate::ops::term::{apply, spread, transpose};
use crate::ops::{Misfit, Name, Number, Op, Scalar, Shape, Size, Term, Type};
use crate::syntax::ast::{BinaryOp, ExprId, ExprKind, IndexItem, UnaryOp};
use crate::tensor::DType;
use smallvec::SmallVec;

impl Lowerer {
    /// The value of an expression; `None` where a diagnostic has been given. Chains of infix and postfix operators are
    /// walked in a loop, so that their length needs no stack.
    pub(super) fn expr(&mut self, id: ExprId) -> Option<Value> {
        let unit = self.unit();
        let (mut spine, mut first) = (Vec::new(), id);
        loop {
            let inner = match &unit.ast[first].kind {
                ExprKind::Binary(_, left, _) => *left,
                ExprKind::Transpose(base) | ExprKind::Index(base, _) | ExprKind::As(base, _) => {
                    *base
                }
                _ => break,
            };
            spine.push(first);
            first = inner;
        }
        let mut value = self.simple(first);
        let mut span = self.span(first);
        for id in spine.into_iter().rev() {
            let whole = self.span(id);
            value = match &unit.ast[id].kind {
                ExprKind::Binary(op, _, right) => {
                    let right_value = self.expr(*right);
                    let right_span = self.span(*right);
                    match (value, right_value) {
                        (Some(left), Some(right)) => {
                            self.binary(*op, (left, span), (right, right_span), whole)
                        }
                        _ => None,
                    }
                }
                ExprKind::Transpose(_) => value.and_then(|value| self.transposed(value, whole)),
                ExprKind::Index(_, items) => {
                    value.and_then(|value| self.index(value, span, items, whole))
                }
                ExprKind::As(_, axes) => value.and_then(|value| self.renamed(value, axes, whole)),
                _ => unreachable!("the spine holds infix and postfix operators"),
            };
            span = whole;
        }
        value
    }

    fn simple(&mut self, id: ExprId) -> Option<Value> {
        let unit = self.unit();
        let span = self.span(id);
        match &unit.ast[id].kind {
            ExprKind::Error => None,
            ExprKind::Number(text) => match Number::parse(text) {
                Some(number) => Some(Value::Free(Term::Number(number))),
                None => {
                    self.say(Diagnostic::error("E0005", span, format!("`{text}` is no number")));
                    None
                }
            },
            ExprKind::Text(text) => Some(Value::Text(text.clone())),
            ExprKind::Name(name) => self.name(name, span),
            ExprKind::Unary(UnaryOp::Neg, inner) => {
                let value = self.expr(*inner)?;
                let inner = self.span(*inner);
                self.scalar(Scalar::Neg, vec![(value, inner)], span)
            }
            ExprKind::Unary(UnaryOp::Not, inner) => {
                let value = self.expr(*inner)?;
                let inner = self.span(*inner);
                self.scalar(Scalar::Not, vec![(value, inner)], span)
            }
            ExprKind::List(entries) => {
                let mut values = Vec::new();
                let mut whole = true;
                for &entry in entries {
                    match self.expr(entry) {
                        Some(value) => values.push((value, self.span(entry))),
                        None => whole = false,
                    }
                }
                whole.then_some(Value::List(values))
            }
            ExprKind::Call(call) => self.call(call, span),
            ExprKind::Repeat(_) => {
                self.absent("repeat", span);
                None
            }
            ExprKind::Scan(scan) => self.scan(scan, span),
            ExprKind::Binary(..)
            | ExprKind::Transpose(_)
            | ExprKind::Index(..)
            | ExprKind::As(..) => self.expr(id),
        }
    }

    /// What a name stands for.
    pub(super) fn name(&mut self, name: &Name, span: Span) -> Option<Value> {
        match self.lookup(name).map(|(meaning, _)| meaning.clone()) {
            Some(Meaning::Value(value)) => return Some(value),
            Some(Meaning::Size(size)) => return Some(Value::Free(Term::Size(size))),
            Some(Meaning::Broken) => return None,
            None => {}
        }
        let number = match &**name {
            "pi" => std::f64::consts::PI,
            "e" => std::f64::consts::E,
            "inf" => f64::INFINITY,
            "nan" => f64::NAN,
            "true" | "false" => {
                let value = Number::int(i64::from(&**name == "true"));
                let origins = self.origins(span);
                let node =
                    self.model.insert(Const { dtype: DType::Bool, value }, &[], &origins).ok()?;
                return Some(Value::Node(node));
            }
            "training" => {
                self.absent("training", span);
                return None;
            }
            _ => {
                self.unknown(name, span, Sought::Value);
                return None;
            }
        };
        Some(Value::Free(Term::Number(Number::float(number))))
    }

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

    fn dtype_within(&self, value: &Value) -> Option<DType> {
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

    /// Inserts an operator; a misfit is reported with the operands' places.
    pub(super) fn insert(
        &mut self,
        op: impl Into<Op>,
        operands: &[(NodeId, Span)],
        span: Span,
    ) -> Option<NodeId> {
        let nodes: SmallVec<[NodeId; 4]> = operands.iter().map(|(node, _)| *node).collect();
        let origins = self.origins(span);
        match self.model.insert(op, &nodes, &origins) {
            Ok(node) => Some(node),
            Err(misfit) => {
                self.fail(misfit, operands, span);
                None
            }
        }
    }

    pub(super) fn fail(&mut self, misfit: Misfit, operands: &[(NodeId, Span)], span: Span) {
        self.misfit(misfit, span, operands);
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: (Value, Span),
        right: (Value, Span),
        span: Span,
    ) -> Option<Value> {
        let row = match op {
            BinaryOp::MatMul => return self.product(left, right, span),
            BinaryOp::Pow => {
                let two = Term::Number(Number::int(2));
                if matches!(&right.0, Value::Free(term) if *term == two) {
                    return self.scalar(Scalar::Square, vec![left], span);
                }
                Scalar::Pow
            }
            BinaryOp::Mul => Scalar::Mul,
            BinaryOp::Div => Scalar::Div,
            BinaryOp::Add => Scalar::Add,
            BinaryOp::Sub => Scalar::Sub,
            BinaryOp::Eq => Scalar::Eq,
            BinaryOp::Ne => Scalar::Ne,
            BinaryOp::Lt => Scalar::Lt,
            BinaryOp::Le => Scalar::Le,
            BinaryOp::Gt => Scalar::Gt,
            BinaryOp::Ge => Scalar::Ge,
            BinaryOp::And => Scalar::And,
            BinaryOp::Or => Scalar::Or,
        };
        self.scalar(row, vec![left, right], span)
    }

    /// An operator on single elements, its operands broadcast to their common shape.
    pub(super) fn scalar(
        &mut self,
        row: Scalar,
        args: Vec<(Value, Span)>,
        span: Span,
    ) -> Option<Value> {
        if args.iter().all(|(value, _)| matches!(value, Value::Free(_))) {
            let terms = args.into_iter().filter_map(|(value, _)| match value {
                Value::Free(term) => Some(term),
                _ => None,
            });
            return Some(Value::Free(apply(row, terms.collect())));
        }
        let dtype = args.iter().find_map(|(value, _)| self.dtype_within(value));
        let dtype =
            dtype.unwrap_or(if row.class() == Class::Logic { DType::Bool } else { self.float });
        let nodes = self.nodes(args, dtype)?;
        let verb = match row {
            Scalar::Add => "add",
            Scalar::Sub => "subtract",
            Scalar::Mul => "multiply",
            Scalar::Div => "divide",
            _ if row.class() == Class::Compare => "compare",
            _ => "combine",
        };
        let nodes = self.aligned(nodes, verb, span)?;
        Some(Value::Node(self.insert(row, &nodes, span)?))
    }

    /// The nodes of values of one element type.
    pub(super) fn nodes(
        &mut self,
        args: Vec<(Value, Span)>,
        dtype: DType,
    ) -> Option<Vec<(NodeId, Span)>> {
        let mut nodes = Vec::new();
        let mut whole = true;
        for (value, at) in args {
            match self.typed(value, dtype, at) {
                Some(node) => nodes.push((node, at)),
                None => whole = false,
            }
        }
        whole.then_some(nodes)
    }

    /// The nodes broadcast to their common shape; scalars stay scalars.
    pub(super) fn aligned(
        &mut self,
        nodes: Vec<(NodeId, Span)>,
        verb: &str,
        span: Span,
    ) -> Option<Vec<(NodeId, Span)>> {
        let types: Vec<Type> = nodes.iter().map(|(node, _)| self.model.ty(*node).clone()).collect();
        let laid = types.iter().filter(|ty| ty.rank() > 0).count();
        if laid < 2 {
            return Some(nodes);
        }
        let (shape, maps) = match align(&types, &self.model.dims, verb) {
            Ok(found) => found,
            Err(misfit) => {
                self.fail(misfit, &nodes, span);
                return None;
            }
        };
        let mut result = Vec::new();
        for ((node, at), map) in nodes.into_iter().zip(maps) {
            let ty = self.model.ty(node);
            let same = ty.rank() == shape.len()
                && ty.shape.iter().zip(&shape).all(|(a, b)| a == b || !a.is_one());
            let node = if ty.rank() == 0 || same {
                node
            } else {
                self.insert(broadcast(&shape, &map), &[(node, at)], span)?
            };
            result.push((node, at));
        }
        Some(result)
    }

    /// `x @ y`, leading axes broadcast.
    fn product(&mut self, left: (Value, Span), right: (Value, Span), span: Span) -> Option<Value> {
        let dtype = [&left.0, &right.0]
            .into_iter()
            .find_map(|value| self.dtype_within(value))
            .unwrap_or(self.float);
        let mut nodes = self.nodes(vec![left, right], dtype)?;
        let types: Vec<Type> = nodes.iter().map(|(node, _)| self.model.ty(*node).clone()).collect();
        let leads: Vec<Type> = types
            .iter()
            .map(|ty| ty.with_shape(ty.shape.iter().take(ty.rank().saturating_sub(2)).cloned()))
            .collect();
        if leads.iter().all(|lead| lead.rank() > 0) && leads[0].shape != leads[1].shape {
            match align(&leads, &self.model.dims, "multiply") {
                Ok((lead, _)) => {
                    for ((node, at), ty) in nodes.iter_mut().zip(&types) {
                        let to: Shape =
                            lead.iter().chain(&ty.shape[ty.rank() - 2..]).cloned().collect();
                        if to == ty.shape {
                            continue;
                        }
                        let map = crate::ops::align::lay(&ty.shape, &to, &self.model.dims);
                        if let Some(map) = map {
                            *node = self.insert(broadcast(&to, &map), &[(*node, *at)], span)?;
                        }
                    }
                }
                Err(misfit) => {
                    self.fail(misfit, &nodes, span);
                    return None;
                }
            }
        }
        self.lint_outer(&nodes, span);
        Some(Value::Node(self.insert(MatMul, &nodes, span)?))
    }

    /// `x @ x'` of a vector is its dot product, which may not be meant.
    fn lint_outer(&mut self, nodes: &[(NodeId, Span)], span: Span) {
        let unit = self.unit();
        let text = unit.text.get(nodes[1].1.range()).unwrap_or("");
        let vectors = nodes.iter().all(|(node, _)| self.model.ty(*node).rank() == 1);
        if vectors && nodes[0].0 == nodes[1].0 && text.ends_with('\'') && span.file == 0 {
            let name = text.trim_end_matches('\'');
            let message = format!("`{name} @ {name}'` of a vector is its dot product");
            self.say(Diagnostic::warning("W0503", span, message).help(format!("write `outer({name}, {name})` for the matrix, `{name} @ {name}` for the dot product")));
        }
    }

    fn transposed(&mut self, value: Value, span: Span) -> Option<Value> {
        let node = self.typed(value, self.float, span)?;
        let rank = self.model.ty(node).rank();
        let origins = self.origins(span);
        let dtype = self.model.ty(node).dtype;
        self.model
            .plant(&transpose(Term::Var(0), rank), &[node], dtype, &origins)
            .ok()
            .map(Value::Node)
    }

    /// `x as [N, S]`.
    fn renamed(&mut self, value: Value, axes: &[ExprId], span: Span) -> Option<Value> {
        let node = self.typed(value, self.float, span)?;
        let mut to = Shape::new();
        for &axis in axes {
            to.push(self.size(axis)?);
        }
        let ty = self.model.ty(node).clone();
        let equal = ty.rank() == to.len()
            && ty.shape.iter().zip(&to).all(|(a, b)| self.model.dims.equal(a, b));
        if !equal {
            let wanted = ty.with_shape(to);
            let message = format!("`as` renames axes of equal size: {ty} is not {wanted}");
            self.say(
                Diagnostic::error("E0201", self.place(span), message)
                    .help("declare the sizes equal: `dim S = T`"),
            );
            return None;
        }
        Some(Value::Node(self.insert(Reshape { to }, &[(node, span)], span)?))
    }

    fn index(
        &mut self,
        value: Value,
        base: Span,
        items: &[IndexItem],
        span: Span,
    ) -> Option<Value> {
        let node = self.typed(value, self.float, base)?;
        let ty = self.model.ty(node).clone();
        let taken = items
            .iter()
            .filter(|item| matches!(item, IndexItem::At(_) | IndexItem::Slice { .. }))
            .count();
        if taken > ty.rank() {
            let axes = if ty.rank() == 1 { "axis" } else { "axes" };
            let message = format!("{taken} indices for the {} {axes} of {ty}", ty.rank());
            let help = match ty.rank() {
                0 => "leave the index out: it is a scalar".to_string(),
                1 => "index one axis".to_string(),
                rank => format!("index at most {rank} axes"),
            };
            self.say(Diagnostic::error("E0202", self.place(span), message).help(help));
            return None;
        }
        let mut rest = items.iter().filter(|item| matches!(item, IndexItem::Rest(_)));
        if let (Some(_), Some(IndexItem::Rest(second))) = (rest.next(), rest.next()) {
            self.say(
                Diagnostic::error("E0207", *second, "`..` stands twice in an index")
                    .help("write `:` for one whole axis"),
            );
            return None;
        }
        let (mut cuts, mut flips, mut gathers, mut places) =
            (SmallVec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut axis = 0;
        let mut whole = true;
        for item in items {
            match item {
                IndexItem::Rest(_) => {
                    while axis < ty.rank() - (taken - places_taken(&places)) {
                        cuts.push(Cut::all(&ty.shape[axis]));
                        places.push(Place::Kept);
                        axis += 1;
                    }
                }
                IndexItem::New(_) => places.push(Place::New),
                IndexItem::At(at) => {
                    match self.position(*at, &ty.shape[axis], (node, axis)) {
                        Some(Position::Fixed(at)) => {
                            cuts.push(Cut::At(at));
                            places.push(Place::Gone);
                        }
                        Some(Position::Gathered(indices, at)) => {
                            cuts.push(Cut::all(&ty.shape[axis]));
                            gathers.push((
                                places.iter().filter(|p| matches!(p, Place::Kept)).count(),
                                indices,
                                at,
                            ));
                            places.push(Place::Kept);
                            places.push(Place::Taken);
                        }
                        None => whole = false,
                    }
                    axis += 1;
                }
                IndexItem::Slice { start, stop, step, span } => {
                    let of = (node, axis);
                    match self.range_of((*start, *stop, *step), &ty.shape[axis], of, *span) {
                        Some((cut, flipped)) => {
                            if flipped {
                                flips.push(
                                    places.iter().filter(|p| matches!(p, Place::Kept)).count(),
                                );
                            }
                            cuts.push(cut);
                            places.push(Place::Kept);
                            places.push(Place::Taken);
                        }
                        None => whole = false,
                    }
                    axis += 1;
                }
            }
        }
        if !whole {
            return None;
        }
        while axis < ty.rank() {
            cuts.push(Cut::all(&ty.shape[axis]));
            places.push(Place::Kept);
            axis += 1;
        }
        if gathers.len() > 1 {
            self.say(
                Diagnostic::error(
                    "E0207",
                    self.place(span),
                    "two axes are indexed by tensors at once",
                )
                .help("index twice: `x[i][:, j]`"),
            );
            return None;
        }
        let mut node = self.insert(Slice { cuts }, &[(node, base)], span)?;
        if !flips.is_empty() {
            node = self.insert(Flip { axes: flips.into() }, &[(node, base)], span)?;
        }
        let mut extra = 0;
        if let Some((axis, indices, at)) = gathers.pop() {
            extra = self.model.ty(indices).rank() as i64 - 1;
            node = self.insert(Gather { axis }, &[(node, base), (indices, at)], span)?;
            if places.contains(&Place::New) && extra != 0 {
                let message = "a new axis and indices from a tensor stand in one pair of brackets";
                self.say(
                    Diagnostic::error("E0207", self.place(span), message)
                        .help("index twice: `x[i][:, None]`"),
                );
                return None;
            }
        }
        let new: Vec<usize> = places
            .iter()
            .filter(|place| !matches!(place, Place::Gone | Place::Taken))
            .enumerate()
            .filter(|(_, place)| matches!(place, Place::New))
            .map(|(axis, _)| axis)
            .collect();
        if new.is_empty() || extra != 0 {
            return Some(Value::Node(node));
        }
        let mut to = self.model.ty(node).shape.clone();
        for &axis in &new {
            to.insert(axis, Size::Known(1));
        }
        let origins = self.origins(span);
        let dtype = self.model.ty(node).dtype;
        self.model
            .plant(&spread(Term::Var(0), &to, &new), &[node], dtype, &origins)
            .ok()
            .map(Value::Node)
    }

    fn position(&mut self, id: ExprId, of: &Size, axis: (NodeId, usize)) -> Option<Position> {
        let span = self.span(id);
        match self.expr(id)? {
            Value::Free(_) => match self.beyond(id, of, axis, false) {
                Some(()) => None,
                None => self.offset(id, of).map(Position::Fixed),
            },
            value => {
                let node = self.typed(value, DType::I64, span)?;
                let dtype = self.model.ty(node).dtype;
                if !dtype.is_int() {
                    let message =
                        format!("an index is an integer; this is {}", self.model.ty(node));
                    self.say(
                        Diagnostic::error("E0206", self.place(span), message)
                            .help("cast it, as in `i64(x)`; `where` chooses by truth values"),
                    );
                    return None;
                }
                Some(Position::Gathered(node, span))
            }
        }
    }

    /// An index that is a size, counted from the end where it is below 0.
    fn offset(&mut self, id: ExprId, of: &Size) -> Option<Size> {
        let at = self.size(id)?;
        Some(if at.known().is_some_and(|at| at < 0) { of.clone() + at } else { at })
    }

    /// Reports an index or an end of a slice that is known to lie beyond the axis.
    fn beyond(&mut self, id: ExprId, of: &Size, node: (NodeId, usize), end: bool) -> Option<()> {
        let at = self.size(id)?;
        let at = self.model.dims.resolve(&at).known()?;
        let size = self.model.dims.resolve(of).known()?;
        let (low, high) = if end { (-size, size) } else { (-size, size - 1) };
        if (low..=high).contains(&at) {
            return None;
        }
        let message = match end {
            false => format!("index {at} is out of range for an axis of size {size}"),
            true => format!("the slice reaches to {at}, beyond an axis of size {size}"),
        };
        let help = match (end, size) {
            (_, 0) => "an axis of size 0 has no elements".to_string(),
            (false, _) => format!("indices go from 0 to {}, or from -1 back to -{size}", size - 1),
            (true, _) => format!("end it at {size}, or leave the end open"),
        };
        let place = self.place(self.span(id));
        let mut diagnostic = Diagnostic::error("E0205", place, message).help(help);
        if let Some((at, text)) = super::trace::size(self, node.0, node.1) {
            diagnostic = diagnostic.label(at, text);
        }
        self.say(diagnostic);
        Some(())
    }

    fn range_of(
        &mut self,
        (start, stop, step): (Option<ExprId>, Option<ExprId>, Option<ExprId>),
        of: &Size,
        axis: (NodeId, usize),
        span: Span,
    ) -> Option<(Cut, bool)> {
        for id in start.into_iter().chain(stop) {
            if self.beyond(id, of, axis, true).is_some() {
                return None;
            }
        }
        let step = match step {
            None => 1,
            Some(id) => match self.size(id)?.known() {
                Some(step) if step != 0 && step.abs() < i64::from(i32::MAX) => step,
                _ => {
                    let message = "the step of a slice is a whole number other than 0";
                    self.say(
                        Diagnostic::error("E0208", self.place(self.span(id)), message)
                            .help("write `x[::2]` for every other, `x[::-1]` for the way back"),
                    );
                    return None;
                }
            },
        };
        let one = Size::Known(1);
        let first = match start {
            Some(id) => self.offset(id, of)?,
            None if step > 0 => Size::Known(0),
            None => of.clone() - one.clone(),
        };
        let last = match stop {
            Some(id) => self.offset(id, of)?,
            None if step > 0 => of.clone(),
            None => Size::Known(-1),
        };
        let apart = if step > 0 { last - first.clone() } else { first.clone() - last };
        let stride = step.abs();
        let size = self.model.dims.rename((apart + Size::Known(stride - 1)).floor_div(stride));
        if size.known().is_some_and(|size| size < 0) {
            let back = self.cited(span).map(|text| text.trim_matches(['(', ')']).to_string());
            let help = match back.filter(|text| step == 1 && text.matches(':').count() == 1) {
                Some(text) => format!("write `{text}:-1` to go backwards"),
                None => "swap its ends, or turn the sign of its step".into(),
            };
            let message = "the slice ends before it starts";
            self.say(Diagnostic::error("E0205", self.place(span), message).help(help));
            return None;
        }
        let low = if step > 0 { first } else { first - (size.clone() - one) * Size::Known(stride) };
        let stride = if size.known().is_some_and(|size| size <= 1) { 1 } else { stride };
        Some((Cut::Range { start: low, size, step: stride }, step < 0))
    }

    /// A size: numbers, dimensions, and `+ - *` of them; `floor(a / b)`.
    pub(super) fn size(&mut self, id: ExprId) -> Option<Size> {
        let unit = self.unit();
        let span = self.span(id);
        let found = match &unit.ast[id].kind {
            ExprKind::Error => return None,
            ExprKind::Name(name) => match self.lookup(name).map(|(meaning, _)| meaning.clone()) {
                Some(Meaning::Size(size)) => Some(size),
                Some(Meaning::Value(Value::Free(term))) => as_size(&term),
                Some(Meaning::Value(_)) => None,
                Some(Meaning::Broken) => return None,
                None => {
                    self.unknown(name, span, Sought::Size);
                    return None;
                }
            },
            _ => match self.expr(id)? {
                Value::Free(term) => as_size(&term),
                _ => None,
            },
        };
        if found.is_none() {
            let (message, help) = self.no_size(id);
            self.say(Diagnostic::error("E0208", self.place(span), message).help(help));
        }
        let size = self.model.dims.rename(found?);
        if size.is_too_large() {
            let message = "this size is beyond 2^63, or has too many parts";
            self.say(
                Diagnostic::error("E0208", self.place(span), message)
                    .help("write a smaller one, or declare a dimension for a part of it"),
            );
            return None;
        }
        Some(size)
    }
}

impl Lowerer {
    /// Why an expression is no size, and what to do.
    fn no_size(&self, id: ExprId) -> (String, String) {
        match &self.units[self.unit].ast[id].kind {
            ExprKind::Name(name) => (
                format!("`{name}` is a value; a size is known before the run"),
                "declare a dimension for it, as in `dim N`".into(),
            ),
            ExprKind::Binary(BinaryOp::Div, ..) => (
                "this quotient is not known to be a whole number".into(),
                "round it: `floor(N / 2)`".into(),
            ),
            _ => (
                "a size is made of whole numbers and dimensions".into(),
                "write it with `+`, `-`, `*` and `floor(N / 2)`".into(),
            ),
        }
    }
}

enum Position {
    Fixed(Size),
    Gathered(NodeId, Span),
}

/// What becomes of a place in an index.
#[derive(PartialEq)]
enum Place {
    Kept,
    Gone,
    New,
    /// Marks that an index was used up for the place before.
    Taken,
}

fn places_taken(places: &[Place]) -> usize {
    places.iter().filter(|place| matches!(place, Place::Gone | Place::Taken)).count()
}

fn as_size(term: &Term) -> Option<Size> {
    match term {
        Term::Size(size) => Some(size.clone()),
        Term::Number(number) => number.to_i64().map(Size::Known),
        Term::Var(_) => None,
        Term::Apply(inner) => {
            let (op, args) = &**inner;
            let Op::Scalar(row) = op else { return None };
            if let (Scalar::Floor, [Term::Apply(quotient)]) = (row, args.as_slice())
                && let (Op::Scalar(Scalar::Div), [a, b]) = (&quotient.0, quotient.1.as_slice())
            {
                let by = as_size(b)?.known().filter(|by| *by > 0)?;
                return Some(as_size(a)?.floor_div(by));
            }
            match (row, args.as_slice()) {
                (Scalar::Add, [a, b]) => Some(as_size(a)? + as_size(b)?),
                (Scalar::Sub, [a, b]) => Some(as_size(a)? - as_size(b)?),
                (Scalar::Mul, [a, b]) => Some(as_size(a)? * as_size(b)?),
                (Scalar::Neg, [a]) => Some(Size::Known(0) - as_size(a)?),
                (Scalar::Square, [a]) => Some(as_size(a)? * as_size(a)?),
                (Scalar::Div, [a, b]) => as_size(a)?.exact_div(&as_size(b)?),
                _ => None,
            }
        }
    }
}
