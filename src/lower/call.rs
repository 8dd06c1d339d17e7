//! Calls: of operators, casts, choices, derivatives and functions.

use super::usage::counted;
use super::{Lowerer, PRELUDE, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::ops::builtin;
use crate::ops::elementwise::{Cast, Scalar, Select};
use crate::ops::special::{Derivative, Mode};
use crate::syntax::ast::{Arg, Call, ExprKind};
use crate::tensor::DType;

impl Lowerer {
    /// The value of a call.
    pub(super) fn call(&mut self, call: &Call, span: Span) -> Option<Value> {
        let name = &*call.callee.text;
        let known = self.callables(name).map(|known| &known[0]);
        let (own, layer) = known.map_or((false, false), |known| {
            (known.unit != usize::from(PRELUDE) || known.unit == self.unit, known.layer)
        });
        if !layer && (!call.sizes.is_empty() || call.instance.is_some()) && self.is_function(name) {
            let message = format!("`{name}` is a function, not a layer: it owns no parameters");
            self.say(
                Diagnostic::error("E0207", self.place(span), message)
                    .help("leave out what stands behind `;` and the name behind `as`"),
            );
            return None;
        }
        if let Some((_, mode)) = Mode::NAMES.iter().find(|(word, _)| *word == name) {
            return self.derivative(*mode, call, span);
        }
        if let Some(dtype) = DType::named(name) {
            return self.cast(dtype, call, span);
        }
        if name == "where" {
            return self.choice(call, span);
        }
        if !own {
            if let Some(row) = Scalar::ALL.iter().find(|row| row.word() == name) {
                let args = self.plain(call, row.arity(), span)?;
                return self.scalar(*row, args, span);
            }
            if let Some(builtin) = builtin::find(name) {
                return self.builtin(builtin, call, span);
            }
        }
        if self.callables(name).is_some() {
            return self.inlined(call, span);
        }
        self.uncallable(call)
    }

    /// Positional arguments without brackets, as many as asked for.
    fn plain(&mut self, call: &Call, count: usize, span: Span) -> Option<Vec<(Value, Span)>> {
        let name = &call.callee.text;
        if let Some(named) = call.args.iter().find_map(|arg| arg.name.as_ref()) {
            self.no_argument(name, named, &[], false);
            return None;
        }
        if call.axes.is_some() {
            self.no_brackets(call, true);
            return None;
        }
        if call.args.len() != count {
            self.miscounted(name, &counted(count, "argument"), call.args.len(), span);
            return None;
        }
        self.values(&call.args)
    }

    pub(super) fn values(&mut self, args: &[Arg]) -> Option<Vec<(Value, Span)>> {
        let mut values = Vec::new();
        let mut whole = true;
        for arg in args {
            match self.expr(arg.value) {
                Some(value) => values.push((value, self.span(arg.value))),
                None => whole = false,
            }
        }
        whole.then_some(values)
    }

    fn cast(&mut self, dtype: DType, call: &Call, span: Span) -> Option<Value> {
        let (value, at) = self.plain(call, 1, span)?.remove(0);
        if let Value::Free(_) = value
            && dtype != DType::Bool
        {
            return Some(Value::Node(self.typed(value, dtype, at)?));
        }
        let node = self.typed(value, self.float, at)?;
        if let Some(drawn) = self.redrawn(node, dtype, span) {
            return Some(Value::Node(drawn));
        }
        Some(Value::Node(self.insert(Cast { to: dtype }, &[(node, at)], span)?))
    }

    fn choice(&mut self, call: &Call, span: Span) -> Option<Value> {
        let mut args = self.plain(call, 3, span)?;
        let branches = args.split_off(1);
        let dtype = branches.iter().find_map(|(value, _)| match value {
            Value::Node(node) => Some(self.model.ty(*node).dtype),
            _ => None,
        });
        let mut nodes = self.nodes(args, DType::Bool)?;
        nodes.extend(self.nodes(branches, dtype.unwrap_or(self.float))?);
        let nodes = self.aligned(nodes, "choose between", span)?;
        Some(Value::Node(self.insert(Select, &nodes, span)?))
    }

    /// `grad(C, W)` and its kin: a request, derived later. Several variables of `grad` are derived by in
    /// turn: the result has the axes of each.
    fn derivative(&mut self, mode: Mode, call: &Call, span: Span) -> Option<Value> {
        let fixed = if mode.takes_vector() { 3 } else { 2 };
        let fits = call.args.len() == fixed || (mode == Mode::Grad && call.args.len() > 2);
        if !fits || call.axes.is_some() {
            let example = if mode.takes_vector() { "(y, x, v)" } else { "(y, x)" };
            let word = mode.word();
            let (message, help) = match call.axes {
                Some(_) => (format!("`{word}` takes no axes in brackets"), "leave them out".into()),
                None => {
                    let takes = counted(fixed, "argument");
                    let message = format!("`{word}` takes {takes}, not {}", call.args.len());
                    (message, format!("write `{word}{example}`, the value first"))
                }
            };
            self.say(Diagnostic::error("E0207", self.place(span), message).help(help));
            return None;
        }
        let of = self.expr(call.args[0].value);
        let of_span = self.span(call.args[0].value);
        let mut of = of.and_then(|value| self.typed(value, self.float, of_span))?;
        let wrt_count = if mode.takes_vector() { 1 } else { call.args.len() - 1 };
        for (x_place, arg) in call.args[1..1 + wrt_count].iter().enumerate() {
            let at = self.span(arg.value);
            let unit = self.unit();
            let ExprKind::Name(name) = &unit.ast[arg.value].kind else {
                let message = format!("`{}` is by a variable; this is an expression", mode.word());
                self.say(
                    Diagnostic::error("E0304", self.place(at), message)
                        .help("name a variable, or give the expression a name on a line before"),
                );
                return None;
            };
            let x = self.variable(name, at)?;
            self.unbroken((of, of_span), (x, at), name)?;
            let mut operands = vec![(of, of_span), (x, at)];
            if mode.takes_vector() {
                let last = call.args[2].value;
                let vector = self.expr(last)?;
                let last_span = self.span(last);
                let like = if mode == Mode::Vjp { of } else { x };
                let ty = self.model.ty(like).clone();
                let node = self.typed(vector, ty.dtype, last_span)?;
                let what = format!("the vector of `{}`", mode.word());
                operands.push((self.fitted(node, &ty, last_span, &what, None)?, last_span));
            }
            let mode = match self.model.ty(of).rank() {
                rank if rank > 0 && x_place > 0 => Mode::Jacobian,
                _ => mode,
            };
            of = self.insert(Derivative { mode }, &operands, span)?;
        }
        Some(Value::Node(of))
    }
}
