//! The normal form of products: one number, factors in the order in which they came, one quotient.

use super::facts::positive;
use super::laid::{combined, factors_laid, separable};
use super::law::Cx;
use super::powers::{named_quotients, open_quotients, open_squares};
use super::vectors;
use crate::graph::{Model, NodeId, Operands, Origins};
use crate::ops::leaf::SizeOf;
use crate::ops::reduce::{Fold, Reduce};
use crate::ops::{Misfit, Number, Op, Scalar, Select, Size, elements};
use smallvec::SmallVec;

/// `number * f1^e1 * f2^e2 * ...`
#[derive(Clone, Debug)]
pub struct Product {
    pub number: Number,
    /// Factors with exponents, none 0; the same factor may stand once above and once below.
    pub factors: Factors,
    pub origins: Origins,
}

/// Factors with exponents.
pub type Factors = SmallVec<[(NodeId, i32); 4]>;

impl Product {
    /// The product of nothing.
    pub fn one(origins: Origins) -> Product {
        Product { number: Number::ONE, factors: Factors::new(), origins }
    }
}

/// So many factors are looked at together; the rest stays one factor.
const FACTORS: usize = 64;

/// The normal form of `op` on `operands`, where it differs.
pub fn normal(
    cx: &mut Cx,
    op: &Op,
    operands: &[NodeId],
    origins: &Origins,
) -> Result<Option<NodeId>, Misfit> {
    let like = operands[0];
    if !cx.see().ty(like).dtype.is_float() {
        return Ok(None);
    }
    let mut product = Product::one(origins.clone());
    match op {
        Op::Scalar(Scalar::Mul) => {
            gather(cx, operands[0], 1, &mut product);
            gather(cx, operands[1], 1, &mut product);
        }
        Op::Scalar(Scalar::Div) => {
            gather(cx, operands[0], 1, &mut product);
            gather(cx, operands[1], -1, &mut product);
        }
        Op::Scalar(Scalar::Neg) => {
            product.number = -Number::ONE;
            gather(cx, operands[0], 1, &mut product);
        }
        _ => return Ok(None),
    }
    open_quotients(cx, &mut product);
    open_squares(cx, &mut product);
    cancel(cx, &mut product);
    named_quotients(cx, &mut product, origins)?;
    if let Some(node) = choice(cx, &product, like)? {
        cx.fire("factor into the choice");
        return Ok(Some(node));
    }
    share_broadcasts(cx, &mut product)?;
    average(cx, &mut product, origins)?;
    if vectors::diagonal(cx, &mut product)? {
        cx.fire("identity matrix times a vector");
    } else if vectors::outer(cx, &mut product)? {
        cx.fire("column times row");
    } else if let Some(node) = vectors::distributed(cx, &product, like)? {
        cx.fire("vector into a bracket with an identity matrix");
        return Ok(Some(node));
    }
    let node = emit(cx, &product, like)?;
    let same = cx.see().op(node) == op && cx.see().operands(node).as_slice() == operands;
    if same {
        return Ok(Some(node));
    }
    cx.fire("product");
    Ok(Some(node))
}

/// A value as a product, taken apart as far as nothing else uses the parts.
pub fn product_of(cx: &mut Cx, id: NodeId) -> Product {
    let mut product = Product::one(Origins::default());
    gather(cx, id, 1, &mut product);
    product
}

/// A value taken apart one step, even if the source text has it.
pub fn written_product(cx: &mut Cx, id: NodeId) -> Product {
    let mut product = Product::one(Origins::default());
    let operands = cx.see().operands(id);
    match *cx.see().op(id) {
        Op::Scalar(Scalar::Mul) => {
            gather(cx, operands[0], 1, &mut product);
            gather(cx, operands[1], 1, &mut product);
        }
        Op::Scalar(Scalar::Div) => {
            gather(cx, operands[0], 1, &mut product);
            gather(cx, operands[1], -1, &mut product);
        }
        _ => gather(cx, id, 1, &mut product),
    }
    product
}

/// A value taken apart even if something else uses it: what has no axes and is made of numbers and dimensions, and the rest.
pub fn free_factors(cx: &mut Cx, id: NodeId) -> (Product, Product) {
    let whole = Product { origins: cx.see().origins(id).clone(), ..written_product(cx, id) };
    let (free, rest): (Factors, Factors) = whole
        .factors
        .iter()
        .copied()
        .partition(|&(id, _)| cx.see().ty(id).rank() == 0 && cx.is_free(id));
    let rest = Product { number: Number::ONE, factors: rest, origins: whole.origins.clone() };
    (Product { factors: free, ..whole }, rest)
}

/// Adds a power of a value to a product, taken apart as far as nothing else uses the parts.
pub fn gather(cx: &mut Cx, id: NodeId, exponent: i32, product: &mut Product) {
    let mut waiting = Factors::from_slice(&[(id, exponent)]);
    while let Some((id, exponent)) = waiting.pop() {
        let model = cx.see();
        if let Some(number) = model
            .filled(id)
            .filter(|number| number.parts().is_some() && (exponent > 0 || !number.is_zero()))
            && let Some(power) = number.pow(Number::int(i64::from(exponent)))
            && power.parts().is_some()
        {
            product.number = product.number * power;
            continue;
        }
        let operands = model.operands(id);
        let scalar_fill =
            matches!(model.op(id), Op::Broadcast(_)) && model.ty(operands[0]).rank() == 0;
        if scalar_fill {
            product.origins.unite(model.origins(id));
            waiting.push((operands[0], exponent));
            continue;
        }
        if let Ok(Some(laid)) = factors_laid(cx, id, exponent) {
            product.origins.unite(&laid.origins);
            product.number = product.number * laid.number;
            waiting.extend(laid.factors.into_iter().rev());
            continue;
        }
        let model = cx.see();
        if let Op::SizeOf(SizeOf { dtype, size }) = model.op(id).clone()
            && let Some((number, sizes)) = size.factors()
            && (number != 1 || sizes.len() > 1)
            && let Some(power) = Number::int(number).pow(Number::int(i64::from(exponent)))
        {
            product.number = product.number * power;
            for size in sizes {
                let factor = cx.model().insert(SizeOf { dtype, size }, &[], &Origins::default());
                add(product, factor.expect("a size has no operands"), exponent);
            }
            continue;
        }
        let open = (cx.is_open(id) && product.factors.len() + waiting.len() < FACTORS)
            || cx.is_free(id)
            || is_multiple(cx, id)
            || separable(cx, id);
        let model = cx.see();
        match model.op(id) {
            Op::Scalar(Scalar::Mul) if open => {
                waiting.extend([(operands[1], exponent), (operands[0], exponent)])
            }
            Op::Scalar(Scalar::Div) if open => {
                waiting.extend([(operands[1], -exponent), (operands[0], exponent)])
            }
            Op::Scalar(Scalar::Neg) => {
                if exponent % 2 != 0 {
                    product.number = -product.number;
                }
                waiting.push((operands[0], exponent));
            }
            Op::Scalar(Scalar::Square) if open => waiting.push((operands[0], 2 * exponent)),
            Op::Scalar(Scalar::Pow) if open && whole_power(model, id).is_some() => {
                let power = whole_power(model, id).expect("it is one");
                waiting.push((operands[0], power * exponent))
            }
            Op::Scalar(Scalar::Sqrt) if exponent % 2 == 0 && cx.is_open(id) => {
                waiting.push((operands[0], exponent / 2))
            }
            _ => {
                add(product, id, exponent);
                continue;
            }
        }
        product.origins.unite(model.origins(id));
    }
}

/// The exponent of a power where it is a small whole number above 2.
fn whole_power(model: &Model, id: NodeId) -> Option<i32> {
    let power = model.filled(model.operands(id)[1])?.to_i64()?;
    i32::try_from(power).ok().filter(|power| (3..=16).contains(power))
}

/// Whether a value is a number times another one, or through it: taken apart, it costs nothing to write again.
fn is_multiple(cx: &Cx, id: NodeId) -> bool {
    let model = cx.see();
    let number = |id: NodeId| model.filled(id).is_some_and(|number| number.parts().is_some());
    !cx.is_named(id)
        && match model.op(id) {
            Op::Scalar(Scalar::Neg) => true,
            Op::Scalar(Scalar::Mul | Scalar::Div) => model.operands(id).into_iter().any(number),
            _ => false,
        }
}

/// Multiplies by a power of a value.
pub fn add(product: &mut Product, id: NodeId, exponent: i32) {
    let same =
        product.factors.iter_mut().find(|(known, e)| *known == id && (*e > 0) == (exponent > 0));
    match same {
        Some((_, e)) => *e += exponent,
        None => product.factors.push((id, exponent)),
    }
}

/// The same factor above and below goes where it is not 0, or where some of it stays below.
fn cancel(cx: &mut Cx, product: &mut Product) {
    let above: Operands =
        product.factors.iter().filter(|(_, e)| *e > 0).map(|(id, _)| *id).collect();
    for id in above {
        let below =
            product.factors.iter().find(|(known, e)| *known == id && *e < 0).map(|(_, e)| *e);
        let Some(below) = below else { continue };
        let total = below
            + product
                .factors
                .iter()
                .filter(|(known, e)| *known == id && *e > 0)
                .map(|(_, e)| *e)
                .sum::<i32>();
        if total >= 0 && !positive(cx.see(), id) {
            continue;
        }
        cx.fire("cancel what is not 0");
        let mut left = Some(total).filter(|total| *total != 0);
        product.factors.retain_mut(|(known, e)| {
            if *known != id {
                return true;
            }
            match left.take() {
                Some(total) => {
                    *e = total;
                    true
                }
                None => false,
            }
        });
    }
    if product.number.is_zero() {
        product.factors.clear();
    }
}

/// `where(c, x, 0) * y` is `where(c, x * y, 0)`: what is computed for the branch not taken is not used.
fn choice(cx: &mut Cx, product: &Product, like: NodeId) -> Result<Option<NodeId>, Misfit> {
    let place = product.factors.iter().position(|&(id, exponent)| {
        exponent == 1
            && cx.is_open(id)
            && matches!(cx.see().op(id), Op::Select(_))
            && zero_branch(cx, id).is_some()
    });
    let Some(place) = place else { return Ok(None) };
    if product.factors.len() == 1 && product.number.is_one() {
        return Ok(None);
    }
    let id = product.factors[place].0;
    let branches = cx.see().operands(id);
    let zero = zero_branch(cx, id).expect("one branch is 0");
    let mut inner = product.clone();
    inner.origins.unite(cx.see().origins(id));
    inner.factors[place].0 = branches[3 - zero];
    let mut flat =
        Product { number: inner.number, factors: Factors::new(), origins: inner.origins.clone() };
    for (factor, exponent) in inner.factors {
        gather(cx, factor, exponent, &mut flat);
    }
    cancel(cx, &mut flat);
    let value = emit(cx, &flat, like)?;
    let nil = cx.number(like, Number::ZERO, &product.origins);
    let operands = if zero == 2 { [branches[0], value, nil] } else { [branches[0], nil, value] };
    cx.build(Select, &operands, &flat.origins).map(Some)
}

/// The number, 1 or 2, of the branch of a choice that is 0.
pub fn zero_branch(cx: &Cx, id: NodeId) -> Option<usize> {
    let branches = cx.see().operands(id);
    [2, 1]
        .into_iter()
        .find(|&branch| cx.see().filled(branches[branch]).is_some_and(|number| number.is_zero()))
}

/// Factors that are laid out alike are multiplied before they are laid out.
fn share_broadcasts(cx: &mut Cx, product: &mut Product) -> Result<(), Misfit> {
    let layout = |cx: &Cx, id: NodeId| cx.layout(id).filter(|_| !cx.is_forward(id));
    let mut place = 0;
    while place < product.factors.len() {
        let Some(known) = layout(cx, product.factors[place].0) else {
            place += 1;
            continue;
        };
        let alike: Vec<usize> = (place..product.factors.len())
            .filter(|&other| layout(cx, product.factors[other].0).as_ref() == Some(&known))
            .collect();
        if alike.len() > 1 && alike.len() < product.factors.len() {
            let mut inner = Product::one(product.origins.clone());
            for &other in &alike {
                let (id, exponent) = product.factors[other];
                let source = cx.see().operands(id)[0];
                gather(cx, source, exponent, &mut inner);
            }
            let like = inner.factors.first().map_or(product.factors[place].0, |(id, _)| *id);
            let value = emit(cx, &inner, like)?;
            let laid = cx.model().insert(known.0, &[value], &product.origins.clone())?;
            cx.fire("multiply before laying out");
            product.factors[place] = (laid, 1);
            for &other in alike[1..].iter().rev() {
                product.factors.remove(other);
            }
        }
        place += 1;
    }
    Ok(())
}

/// `sum[K](x) / K` is `mean[K](x)`.
fn average(cx: &mut Cx, product: &mut Product, origins: &Origins) -> Result<(), Misfit> {
    for place in 0..product.factors.len() {
        let (id, exponent) = product.factors[place];
        let Op::Reduce(Reduce { kind: Fold::Sum, axes }) = cx.see().op(id).clone() else {
            continue;
        };
        if exponent != 1 || cx.is_named(id) {
            continue;
        }
        let source = cx.see().operands(id)[0];
        let along: Vec<Size> =
            axes.iter().map(|&axis| cx.see().ty(source).shape[axis].clone()).collect();
        let count = elements(&along);
        let divisor = product.factors.iter().position(|&(id, exponent)| {
            exponent == -1 && matches!(cx.see().op(id), Op::SizeOf(known) if known.size == count)
        });
        let (_, _, below) = parts(product.number);
        if let Some(divisor) = divisor {
            product.factors.remove(divisor);
        } else if let Some(count) = count.known().filter(|&count| count > 1)
            && below == Number::int(count)
        {
            product.number = product.number * below;
        } else {
            continue;
        }
        let mean = cx.build(Reduce { kind: Fold::Mean, axes }, &[source], origins)?;
        let known = product.factors.iter_mut().find(|(factor, e)| *factor == id && *e == 1);
        known.expect("it is a factor").0 = mean;
        cx.fire("average");
        return Ok(());
    }
    Ok(())
}

/// The product as nodes: `-2 * a * b^2 / (3 * c)`. Before a matrix product the number stands behind.
pub fn emit(cx: &mut Cx, product: &Product, like: NodeId) -> Result<NodeId, Misfit> {
    let origins = &product.origins;
    let (negative, above, below) = parts(plain(product.number));
    let mut numerators = Operands::new();
    let mut denominators = Operands::new();
    for &(id, exponent) in &product.factors {
        let power = raised(cx, id, exponent.abs(), origins)?;
        if exponent > 0 { numerators.push(power) } else { denominators.push(power) }
    }
    if !below.is_one() {
        let number = cx.number(like, below, origins);
        denominators.insert(0, number);
    }
    if !above.is_one() || numerators.is_empty() {
        let signed = if negative { -above } else { above };
        let number = cx.number(like, signed, origins);
        let behind = numerators.first().is_some_and(|&first| {
            matches!(cx.see().op(first), Op::MatMul(_)) && !cx.is_named(first)
        });
        numerators.insert(if behind { 1 } else { 0 }, number);
    } else if negative {
        numerators[0] = negated(cx, numerators[0], origins)?;
    }
    let numerator = chained(cx, &numerators, origins)?.expect("there is at least a number");
    match chained(cx, &denominators, origins)? {
        None => Ok(numerator),
        Some(denominator) => combined(cx, Scalar::Div, &[numerator, denominator], origins),
    }
}

/// `-(a - b)` is `b - a`.
fn negated(cx: &mut Cx, id: NodeId, origins: &Origins) -> Result<NodeId, Misfit> {
    match cx.see().op(id) {
        Op::Scalar(Scalar::Sub) => {
            let operands = cx.see().operands(id);
            cx.model().insert(Scalar::Sub, &[operands[1], operands[0]], origins)
        }
        _ => combined(cx, Scalar::Neg, &[id], origins),
    }
}

fn chained(cx: &mut Cx, factors: &[NodeId], origins: &Origins) -> Result<Option<NodeId>, Misfit> {
    let mut product: Option<NodeId> = None;
    for &factor in factors {
        product = Some(match product {
            None => factor,
            Some(known) => combined(cx, Scalar::Mul, &[known, factor], origins)?,
        });
    }
    Ok(product)
}

fn raised(cx: &mut Cx, id: NodeId, exponent: i32, origins: &Origins) -> Result<NodeId, Misfit> {
    match exponent {
        1 => Ok(id),
        2 => cx.model().insert(Scalar::Square, &[id], origins),
        exponent => {
            let number = cx.number(id, Number::int(i64::from(exponent)), origins);
            cx.model().insert(Scalar::Pow, &[id, number], origins)
        }
    }
}

/// A fraction of long numbers, such as one with pi in it, as the nearest decimal number.
fn plain(number: Number) -> Number {
    const LONG: i128 = 10_000_000;
    match number.parts() {
        Some((above, below)) if above.abs() > LONG && below > 1 || below > LONG => {
            Number::float(number.to_f64())
        }
        _ => number,
    }
}

/// Sign, numerator and denominator as they are written: `3/2` as `3 * x / 2`, `0.1` as it is.
fn parts(number: Number) -> (bool, Number, Number) {
    let negative = number.is_negative();
    let size = if negative { -number } else { number };
    let Some((above, below)) = size.parts() else { return (negative, size, Number::ONE) };
    let decimal = || !size.to_string().contains('/');
    let plain = below == 1 || (!(above == 1 && matches!(below, 2 | 4 | 8)) && decimal());
    match (plain, i64::try_from(above), i64::try_from(below)) {
        (false, Ok(above), Ok(below)) => (negative, Number::int(above), Number::int(below)),
        _ => (negative, size, Number::ONE),
    }
}
