//! Calls that are inlined, kept in mind so that printers can show each as one.

use super::layer::Owner;
use super::{Lowerer, Value};
use crate::diagnostic::Span;
use crate::graph::fold::{Arg, Call};
use crate::ops::Size;
use crate::syntax::ast;
use crate::syntax::print;

impl Lowerer {
    /// Begins the outermost of nested calls: the values from here on are its own.
    pub(super) fn remember(
        &mut self,
        call: &ast::Call,
        values: &[(Value, Span)],
        span: Span,
    ) -> Option<Call> {
        // What stands in a scan is computed in each of its steps.
        if self.within.is_some() || !self.loops.is_empty() {
            return None;
        }
        let ast = &self.units[self.unit].ast;
        let axes = call.axes.iter().flatten().map(|id| print::expr(ast, *id)).collect::<Vec<_>>();
        let callee = match call.axes {
            Some(_) => format!("{}[{}]", call.callee.text, axes.join(", ")).into(),
            None => call.callee.text.clone(),
        };
        let args = call.args.iter().zip(values).map(|(arg, (value, _))| Arg {
            name: arg.name.as_ref().map(|name| name.text.clone()),
            node: match value {
                Value::Node(node) => Some(*node),
                _ => None,
            },
            text: print::expr(ast, arg.value).into(),
        });
        let args = args.collect();
        self.within = Some(self.model.calls.len() as u32);
        self.model.calls.push(None);
        Some(Call { callee, args, sizes: Vec::new(), instance: None, results: Vec::new(), span })
    }

    /// Ends a call that was begun: its sizes, its owner and what it gives are known.
    pub(super) fn remembered(
        &mut self,
        call: Option<Call>,
        sizes: Vec<Size>,
        owner: &Owner,
        result: Option<&Value>,
    ) {
        let Some(mut call) = call else { return };
        let number = self.within.take().map(|number| number as usize);
        let values = match result {
            Some(Value::Several(values)) => values.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => return,
        };
        call.results = values
            .iter()
            .filter_map(|value| match value {
                Value::Node(node) => Some(*node),
                _ => None,
            })
            .collect();
        call.sizes = sizes;
        if let Owner::Named(prefix) = owner {
            call.instance = Some(prefix.trim_end_matches('.').into());
        }
        if let Some(place) = number.and_then(|number| self.model.calls.get_mut(number)) {
            *place = Some(call);
        }
    }
}
