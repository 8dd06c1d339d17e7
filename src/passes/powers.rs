//! Quotients and squares that the source text has, within products.

use super::law::Cx;
use super::product::{Factors, Product, add, emit, gather, written_product};
use crate::graph::{NodeId, Origins};
use crate::ops::{Misfit, Number, Op, Scalar};

/// `(a / b) / b` is `a / b^2`, even if the source text has a use for `a / b`.
pub fn open_quotients(cx: &mut Cx, product: &mut Product) {
    for (id, exponent) in product.factors.clone() {
        if exponent != 1 || *cx.see().op(id) != Op::Scalar(Scalar::Div) || is_kept(cx, id) {
            continue;
        }
        let operands = cx.see().operands(id);
        if product.factors.contains(&(operands[1], -1)) {
            product.factors.retain(|factor| *factor != (id, 1));
            gather(cx, operands[0], 1, product);
            gather(cx, operands[1], -1, product);
        }
    }
}

/// `x * x^2` is `x^3`, and `x / x^2` is `1 / x`, even if the source text has a use for `x^2`.
pub fn open_squares(cx: &mut Cx, product: &mut Product) {
    for (id, exponent) in product.factors.clone() {
        if cx.is_named(id) || *cx.see().op(id) != Op::Scalar(Scalar::Square) {
            continue;
        }
        let base = cx.see().operands(id)[0];
        if product.factors.iter().any(|(known, _)| *known == base) {
            product.factors.retain(|factor| *factor != (id, exponent));
            add(product, base, 2 * exponent);
        }
    }
}

/// The same across the terms of a sum: of `x` in one and `x^2` in another the power may be common.
pub fn squares_together(cx: &Cx, terms: &mut [Product]) {
    let bases: Vec<NodeId> =
        terms.iter().flat_map(|term| term.factors.iter().map(|(id, _)| *id)).collect();
    for term in terms {
        for (id, exponent) in term.factors.clone() {
            if cx.is_named(id) || *cx.see().op(id) != Op::Scalar(Scalar::Square) {
                continue;
            }
            let base = cx.see().operands(id)[0];
            if bases.contains(&base) {
                term.factors.retain(|factor| *factor != (id, exponent));
                add(term, base, 2 * exponent);
            }
        }
    }
}

/// `x / v[:, None] - (u / v)[:, None]`: where each term is divided by v, all say so of it laid out, for it to be common.
pub fn divisors_together(
    cx: &mut Cx,
    terms: &mut [Product],
    origins: &Origins,
) -> Result<bool, Misfit> {
    let laid_below = |cx: &Cx, term: &Product| {
        let laid = |&(id, exponent): &(NodeId, i32)| exponent < 0 && cx.layout(id).is_some();
        term.factors.iter().find(|factor| laid(factor)).map(|(id, _)| *id)
    };
    if !(2..=4).contains(&terms.len()) {
        return Ok(false);
    }
    let Some(divisor) = terms.iter().find_map(|term| laid_below(cx, term)) else {
        return Ok(false);
    };
    let (op, below) = (cx.see().op(divisor).clone(), cx.see().operands(divisor)[0]);
    let mut found = Vec::new();
    for (number, term) in terms.iter().enumerate() {
        if term.factors.iter().any(|&(id, exponent)| id == divisor && exponent < 0) {
            continue;
        }
        let mut laid = None;
        for (place, &(id, exponent)) in term.factors.iter().enumerate() {
            if exponent != 1 || *cx.see().op(id) != op || cx.is_forward(id) {
                continue;
            }
            let source = cx.see().operands(id)[0];
            if cx.is_forward(source) || *cx.see().op(source) != Op::Scalar(Scalar::Div) {
                continue;
            }
            let inner = written_product(cx, source);
            if inner.factors.iter().any(|&(id, exponent)| id == below && exponent < 0) {
                laid = Some((number, place, inner));
                break;
            }
        }
        let Some(laid) = laid else { return Ok(false) };
        found.push(laid);
    }
    let any = !found.is_empty();
    for (number, place, inner) in found {
        relay(cx, &mut terms[number], place, (inner, below), origins)?;
        add(&mut terms[number], divisor, -1);
    }
    Ok(any)
}

/// Whether a quotient of the source text is one value to the reader: it has a name, or its divisor is laid out, as that of
/// a normalised value is.
fn is_kept(cx: &Cx, quotient: NodeId) -> bool {
    cx.is_named(quotient) || cx.layout(cx.see().operands(quotient)[1]).is_some()
}

/// `a * x / b` is `q * x` where the source text has `q = a / b`, a name or a normalised value; b may be laid out together with
/// other factors.
pub fn named_quotients(
    cx: &mut Cx,
    product: &mut Product,
    origins: &Origins,
) -> Result<(), Misfit> {
    let above: Factors =
        product.factors.iter().copied().filter(|(_, exponent)| *exponent == 1).collect();
    for (a, _) in above {
        let Some(Named { place, laid, quotient }) = quotient_of(cx, product, a) else { continue };
        let (factor, _) = product.factors[place];
        match laid {
            None => lower(product, factor),
            Some(inner) => relay(cx, product, place, inner, origins)?,
        }
        let place = product.factors.iter().position(|factor| *factor == (a, 1));
        product.factors[place.expect("it is a factor")] = (quotient, 1);
        cx.fire("quotient by its name");
    }
    Ok(())
}

/// A quotient that has a name.
struct Named {
    /// The place of the divisor among the factors.
    place: usize,
    /// If it is laid out with others, those and itself.
    laid: Option<(Product, NodeId)>,
    quotient: NodeId,
}

fn quotient_of(cx: &mut Cx, product: &Product, a: NodeId) -> Option<Named> {
    let named = |cx: &Cx, b: NodeId| {
        let quotient = cx.see().find(&Op::Scalar(Scalar::Div), &[a, b]);
        quotient.filter(|&quotient| cx.is_forward(quotient) && is_kept(cx, quotient))
    };
    for (place, &(b, exponent)) in product.factors.iter().enumerate() {
        if exponent < 0 {
            if let Some(quotient) = named(cx, b) {
                return Some(Named { place, laid: None, quotient });
            }
            continue;
        }
        let source = match cx.see().op(b) {
            Op::Broadcast(_) if exponent == 1 && b != a => cx.see().operands(b)[0],
            _ => continue,
        };
        if cx.is_forward(source) || *cx.see().op(source) != Op::Scalar(Scalar::Div) {
            continue;
        }
        let inner = written_product(cx, source);
        for &(below, _) in inner.factors.iter().filter(|(_, exponent)| *exponent < 0) {
            let laid = cx.see().find(cx.see().op(b), &[below]);
            if let Some(quotient) = laid.and_then(|laid| named(cx, laid)) {
                return Some(Named { place, laid: Some((inner, below)), quotient });
            }
        }
    }
    None
}

/// Lays out anew the factor at a place, which is this product laid out, with one power less of what is `below` in it.
fn relay(
    cx: &mut Cx,
    product: &mut Product,
    place: usize,
    (mut inner, below): (Product, NodeId),
    origins: &Origins,
) -> Result<(), Misfit> {
    let (factor, _) = product.factors.remove(place);
    let (laid, source) = (cx.see().op(factor).clone(), cx.see().operands(factor)[0]);
    lower(&mut inner, below);
    product.number = product.number * std::mem::replace(&mut inner.number, Number::ONE);
    let value = emit(cx, &inner, source)?;
    let same = cx.see().ty(value).rank() == cx.see().ty(source).rank();
    let value = if same { cx.model().insert(laid, &[value], origins)? } else { value };
    gather(cx, value, 1, product);
    Ok(())
}

/// Takes one power from a factor below.
fn lower(product: &mut Product, factor: NodeId) {
    product.factors.retain_mut(|(known, exponent)| {
        if *known == factor && *exponent < 0 {
            *exponent += 1;
        }
        *exponent != 0
    });
}
