//! Misfits of operators as diagnostics: where each side came from, and what to do.

use super::{Lowerer, PRELUDE, trace};
use crate::diagnostic::{Diagnostic, Span};
use crate::graph::NodeId;
use crate::ops::{Misfit, Size, Type};

/// The infix operators that stand in labels.
const INFIX: [&str; 14] =
    ["+", "-", "*", "/", "@", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or"];

/// How long a piece of the text may be to be cited.
const CITED: usize = 30;

/// An infix operator on two values with their places.
struct Infix<'a> {
    symbol: &'a str,
    nodes: [NodeId; 2],
    types: [Type; 2],
    texts: [String; 2],
}

impl Lowerer {
    /// Reports a misfit of the operator at `span`; `operands` are the operands' nodes and places.
    pub(super) fn misfit(&mut self, misfit: Misfit, span: Span, operands: &[(NodeId, Span)]) {
        let place = self.place(span);
        let mut diagnostic = Diagnostic::error(misfit.code, place, misfit.message);
        let infix = self.infix(operands);
        if let Some(infix) = &infix {
            let [left, right] = &infix.types;
            if misfit.code == "E0206" && left.dtype != right.dtype {
                let verb = verb(infix.symbol);
                diagnostic.message = format!(
                    "cannot {verb} {} and {}: element types differ",
                    left.dtype, right.dtype
                );
            }
            diagnostic = diagnostic.at(format!("{left} {} {right}", infix.symbol));
        }
        let lone = misfit.places.len() == 1;
        for &(operand, axis) in &misfit.places {
            let Some(&(node, at)) = operands.get(operand) else { continue };
            let label = match axis {
                Some(axis) => trace::size(self, node, axis),
                None if misfit.code == "E0206" => trace::dtype(self, node),
                None => None,
            };
            let own = self.place(at);
            let spoken = label.is_some();
            match label {
                Some((at, text)) if !diagnostic.secondary.iter().any(|label| label.span == at) => {
                    diagnostic = diagnostic.label(at, text);
                }
                _ => {}
            }
            if lone && axis.is_none() && own != place && misfit.code != "E0203" {
                let ty = self.model.ty(node).to_string();
                let said = spoken || diagnostic.message.contains(&ty);
                diagnostic.primary = Diagnostic::error(misfit.code, own, "").primary;
                diagnostic = diagnostic.at(if said { String::new() } else { ty });
            }
        }
        diagnostic.secondary.truncate(2);
        if let Some(call) = self.inlined_at(place) {
            let text = diagnostic.primary.as_ref().map(|label| label.text.clone());
            let text = text.filter(|text| !text.is_empty()).map(|text| text + ", ");
            diagnostic = diagnostic.at(format!("{}{call}", text.unwrap_or_default()));
        }
        let own = infix.as_ref().and_then(|infix| self.advice(infix, misfit.code));
        if let Some(help) = own.or(misfit.help) {
            diagnostic = diagnostic.help(help);
        }
        self.say(diagnostic);
    }

    /// Inside a function the call that is being inlined, in words.
    fn inlined_at(&self, place: Span) -> Option<String> {
        let mut calls = self.calls.iter().rev().filter(|(name, _)| !name.starts_with(['=', '.']));
        let (name, call) = calls.next()?;
        if self.unit == usize::from(PRELUDE) {
            return Some(format!("inside `{name}`"));
        }
        (*call != place).then(|| trace::by(self, *call).replacen("by ", "called by ", 1))
    }

    fn infix<'a>(&'a self, operands: &[(NodeId, Span)]) -> Option<Infix<'a>> {
        let [(left, left_span), (right, right_span)] = *operands else { return None };
        let text = &self.units.get(self.unit)?.text;
        let own = |span: Span| usize::from(span.file) == self.unit;
        if !own(left_span) || !own(right_span) {
            return None;
        }
        let between = text.get(left_span.range().end..right_span.range().start)?;
        let symbol = between.trim_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ')'));
        let symbol = INFIX.into_iter().find(|known| *known == symbol)?;
        let types = [left, right].map(|node| self.model.ty(node).clone());
        let texts = [(left_span, "the left side"), (right_span, "the right side")]
            .map(|(span, words)| self.cited(span).unwrap_or_else(|| words.into()));
        Some(Infix { symbol, nodes: [left, right], types, texts })
    }

    /// A short piece of the text, in parentheses where operators stand in it.
    pub(super) fn cited(&self, span: Span) -> Option<String> {
        let text = self.units.get(usize::from(span.file))?.text.get(span.range())?;
        let short = !text.is_empty() && text.chars().count() <= CITED && !text.contains('\n');
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '\'');
        short.then(|| if text.chars().all(plain) { text.into() } else { format!("({text})") })
    }

    /// What to do about two shapes or types that do not fit.
    fn advice(&self, infix: &Infix, code: &str) -> Option<String> {
        let [x, y] = &infix.types;
        let [left, right] = &infix.texts;
        let symbol = infix.symbol;
        let cited = !left.starts_with("the ") && !right.starts_with("the ");
        if code == "E0206" && cited && x.dtype != y.dtype {
            let bare = |text: &str| text.trim_matches(['(', ')']).to_string();
            return Some(match (x.dtype.is_float(), y.dtype.is_float()) {
                _ if matches!(symbol, "and" | "or") => "compare first, as in `x > 0`".into(),
                (true, false) => {
                    format!("cast one side: `{left} {symbol} {}({})`", x.dtype, bare(right))
                }
                _ => format!("cast one side: `{}({}) {symbol} {right}`", y.dtype, bare(left)),
            });
        }
        if code != "E0201" || !cited {
            return None;
        }
        let agree = |a: &Size, b: &Size| self.model.dims.agree(a, b).is_some();
        if symbol == "@" {
            return match (x.shape.as_slice(), y.shape.as_slice()) {
                ([.., a], [_, b]) if agree(a, b) => {
                    Some(format!("transpose the right side: `{left} @ {right}'`"))
                }
                ([a, _], [b, ..]) if agree(a, b) => {
                    Some(format!("transpose the left side: `{left}' @ {right}`"))
                }
                ([.., a], [.., b, _]) => self.same(a, b, None),
                ([.., a], [b]) => self.same(a, b, None),
                _ => None,
            };
        }
        let alike = |x: &[Size], y: &[Size]| {
            x.len() == y.len() && x.iter().zip(y).all(|(a, b)| agree(a, b))
        };
        if let ([rest @ .., a], [others @ .., b]) = (x.shape.as_slice(), y.shape.as_slice())
            && symbol == "+"
            && !rest.is_empty()
            && alike(rest, others)
        {
            let [h, input] = infix.nodes;
            let skip = |name: &str, from: &Size, to: &Size, sum: String| {
                format!(
                    "to keep the skip connection, project {name} first: `{sum}` with `param Wskip: {}`",
                    x.with_shape([from.clone(), to.clone()])
                )
            };
            if self.model.depends(h, input) {
                return Some(skip(right, b, a, format!("{left} + {right} @ Wskip")));
            }
            if self.model.depends(input, h) {
                return Some(skip(left, a, b, format!("{left} @ Wskip + {right}")));
            }
        }
        if let ([a, b], [c, d]) = (x.shape.as_slice(), y.shape.as_slice())
            && agree(a, d)
            && agree(b, c)
        {
            return Some(format!("transpose one side: `{left} {symbol} {right}'`"));
        }
        if let ([a, rest @ ..], [b]) = (x.shape.as_slice(), y.shape.as_slice())
            && agree(a, b)
            && !rest.is_empty()
        {
            let new = ", None".repeat(rest.len());
            return Some(format!("lay `{right}` along the first axis: `{right}[:{new}]`"));
        }
        let mut clashes =
            x.shape.iter().rev().zip(y.shape.iter().rev()).filter(|(a, b)| !agree(a, b));
        let (a, b) = clashes.next()?;
        clashes.next().is_none().then(|| self.same(a, b, Some((right, y))))?
    }

    /// How to say that two sizes are the same; `renamed` is the value whose axis has the second.
    pub(super) fn same(
        &self,
        a: &Size,
        b: &Size,
        renamed: Option<(&str, &Type)>,
    ) -> Option<String> {
        let free = |size: &Size| {
            let known = size.name().filter(|name| self.model.dims.is_free(name));
            known.filter(|_| self.at_top()).cloned()
        };
        match (a, b) {
            (Size::Known(number), other) | (other, Size::Known(number)) => {
                free(other).map(|name| {
                    format!("if {name} is always {number}, declare `dim {name} = {number}`")
                })
            }
            (Size::Named(_), Size::Named(_)) => {
                // A size is declared by earlier ones: the later of the two gets the line.
                let place = |size: &Size| {
                    self.model.dims.iter().position(|(name, _)| size.name() == Some(name))
                };
                let (one, other) = if place(a) < place(b) { (a, b) } else { (b, a) };
                let other = free(other)?;
                let (text, ty) = renamed?;
                let axes = ty.shape.iter().map(|size| if size == b { a } else { size });
                let axes = crate::ops::join(axes);
                Some(format!(
                    "if both are one size, say so: `dim {other} = {one}`, then `{text} as [{axes}]`"
                ))
            }
            _ => None,
        }
    }
}

/// What an infix operator does.
fn verb(symbol: &str) -> &'static str {
    match symbol {
        "+" => "add",
        "-" => "subtract",
        "*" | "@" => "multiply",
        "/" => "divide",
        "^" => "raise",
        "and" | "or" => "combine",
        _ => "compare",
    }
}
