//! Arguments of operators, each by the kind of its parameter.

use super::usage::counted;
use super::{Lowerer, Value};
use crate::diagnostic::{Diagnostic, Span};
use crate::ops::builtin::{self, Builtin, Kind, Spatial};
use crate::syntax::ast::{Call, ExprId, ExprKind};

/// What is written for a parameter.
pub(super) enum Given {
    Absent,
    One(ExprId),
    Sizes(Vec<ExprId>),
    Several(Vec<ExprId>),
}

/// What an argument comes to.
pub(super) enum Argument {
    Ready(builtin::Value),
    Tensor(Value),
}

impl Lowerer {
    /// The written arguments in the order of the parameters.
    pub(super) fn arguments(
        &mut self,
        builtin: &'static Builtin,
        call: &Call,
        span: Span,
    ) -> Option<Vec<Given>> {
        let mut given: Vec<Given> = builtin.params.iter().map(|_| Given::Absent).collect();
        let mut next = 0;
        // A list in brackets is whole; arguments one by one are a list for as long as they go on.
        let mut bracketed = false;
        let unit = self.unit();
        for arg in &call.args {
            let place = match &arg.name {
                Some(name) => {
                    match builtin.params.iter().position(|(param, _)| *param == &*name.text) {
                        Some(place) => place,
                        None => {
                            let params: Vec<&str> =
                                builtin.params.iter().map(|(param, _)| *param).collect();
                            self.no_argument(builtin.name, name, &params, builtin.axes);
                            return None;
                        }
                    }
                }
                None => {
                    let variadic = next > 0
                        && matches!(builtin.params[next - 1].1, Kind::Sizes | Kind::Tensors);
                    let continues = variadic
                        && !bracketed
                        && matches!(given[next - 1], Given::Sizes(_) | Given::Several(_));
                    if !continues {
                        next += 1;
                    }
                    next - 1
                }
            };
            let Some((_, kind)) = builtin.params.get(place) else {
                let most = counted(builtin.params.len(), "argument");
                let takes = if builtin.params.len() > builtin.required {
                    format!("at most {most}")
                } else {
                    most
                };
                self.miscounted(builtin.name, &takes, call.args.len(), span);
                return None;
            };
            let list = match &unit.ast[arg.value].kind {
                ExprKind::List(entries) => Some(entries.clone()),
                _ => None,
            };
            bracketed = list.is_some();
            let continued = matches!(given[place], Given::Sizes(_) | Given::Several(_));
            match (kind, &mut given[place], list) {
                (Kind::Sizes, Given::Absent, Some(entries)) => given[place] = Given::Sizes(entries),
                (Kind::Sizes, Given::Absent, None) => given[place] = Given::Sizes(vec![arg.value]),
                (Kind::Sizes, Given::Sizes(ids), None) => ids.push(arg.value),
                (Kind::Tensors, Given::Absent, Some(entries)) if builtin.name != "einsum" => {
                    given[place] = Given::Several(entries)
                }
                (Kind::Tensors, Given::Absent, _) => given[place] = Given::Several(vec![arg.value]),
                (Kind::Tensors, Given::Several(ids), _) => ids.push(arg.value),
                (_, Given::Absent, _) if !continued => given[place] = Given::One(arg.value),
                _ => {
                    let message =
                        format!("the argument `{}` is given twice", builtin.params[place].0);
                    let at = self.place(self.span(arg.value));
                    let help = self.usage(builtin.name);
                    self.say(Diagnostic::error("E0207", at, message).help(help));
                    return None;
                }
            }
        }
        let missing = builtin
            .params
            .iter()
            .zip(&given)
            .take(builtin.required)
            .find(|(_, given)| matches!(given, Given::Absent));
        if let Some(((param, _), _)) = missing {
            let message = format!("`{}` needs its argument `{param}`", builtin.name);
            let help = self.usage(builtin.name);
            self.say(Diagnostic::error("E0207", self.place(span), message).help(help));
            return None;
        }
        Some(given)
    }

    /// One argument.
    pub(super) fn argument(
        &mut self,
        function: &str,
        param: &str,
        kind: Kind,
        id: ExprId,
    ) -> Option<Argument> {
        let span = self.span(id);
        let ready = match kind {
            Kind::Tensor => return self.expr(id).map(Argument::Tensor),
            Kind::Size => builtin::Value::Size(self.size(id)?),
            Kind::Int => match self.size(id)?.known() {
                Some(value) => builtin::Value::Int(value),
                None => {
                    let message = format!("`{param}` of `{function}` is a whole number");
                    self.say(
                        Diagnostic::error("E0208", self.place(span), message)
                            .help("write the number out: it shapes the model"),
                    );
                    return None;
                }
            },
            Kind::Number => builtin::Value::Number(self.number(function, param, id)?),
            Kind::Text => match self.expr(id)? {
                Value::Text(text) => builtin::Value::Text(text.to_string()),
                _ => {
                    let (verb, help) = match param {
                        "key" => ("stands", "as in `key = \"l1.0\"`"),
                        _ => ("stand", "as in `einsum(\"nd,dh->nh\", x, W)`"),
                    };
                    let message = format!("`{param}` of `{function}` {verb} in quotes");
                    self.say(Diagnostic::error("E0206", self.place(span), message).help(help));
                    return None;
                }
            },
            Kind::Flag => {
                let unit = self.unit();
                match &unit.ast[id].kind {
                    ExprKind::Name(name) if &**name == "true" => builtin::Value::Flag(true),
                    ExprKind::Name(name) if &**name == "false" => builtin::Value::Flag(false),
                    _ => {
                        let message = format!("`{param}` of `{function}` is `true` or `false`");
                        self.say(
                            Diagnostic::error("E0206", self.place(span), message)
                                .help(format!("write `{param} = true`, or leave it out")),
                        );
                        return None;
                    }
                }
            }
            Kind::Pairs => {
                let unit = self.unit();
                let mut pairs = Vec::new();
                let rows = match &unit.ast[id].kind {
                    ExprKind::List(rows) => rows.clone(),
                    _ => Vec::new(),
                };
                for row in &rows {
                    if let ExprKind::List(pair) = &unit.ast[*row].kind
                        && let [low, high] = pair.as_slice()
                    {
                        pairs.push((self.size(*low)?, self.size(*high)?));
                    }
                }
                if rows.is_empty() || pairs.len() != rows.len() {
                    let message = format!("`{param}` of `{function}` is a list of pairs");
                    self.say(
                        Diagnostic::error("E0207", self.place(span), message)
                            .help("write a pair for each axis, as in `[[1, 2], [0, 1]]`"),
                    );
                    return None;
                }
                builtin::Value::Pairs(pairs)
            }
            Kind::Spatial => builtin::Value::Spatial(self.spatial(function, param, id)?),
            Kind::Sizes | Kind::Tensors => unreachable!("lists are gathered before"),
        };
        Some(Argument::Ready(ready))
    }

    /// What is given for spatial axes: `2`, `[2, 1]`, `[[0, 2], [1, 0]]`, `"same"`.
    fn spatial(&mut self, function: &str, param: &str, id: ExprId) -> Option<Spatial> {
        let unit = self.unit();
        match &unit.ast[id].kind {
            ExprKind::Text(text) => Some(Spatial::Word(text.to_string())),
            ExprKind::List(entries) => {
                let pair = |id: &ExprId| matches!(unit.ast[*id].kind, ExprKind::List(_));
                if entries.iter().any(pair) {
                    return match self.argument(function, param, Kind::Pairs, id)? {
                        Argument::Ready(builtin::Value::Pairs(pairs)) => {
                            Some(Spatial::Pairs(pairs))
                        }
                        _ => None,
                    };
                }
                entries
                    .iter()
                    .map(|&entry| self.size(entry))
                    .collect::<Option<_>>()
                    .map(Spatial::Each)
            }
            _ => self.size(id).map(Spatial::All),
        }
    }
}
