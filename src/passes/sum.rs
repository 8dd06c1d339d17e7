//! The normal form of sums: equal terms gathered, common factors in front of a bracket.

use super::laid::combined;
use super::law::Cx;
use super::logistic;
use super::pieces;
use super::powers::{divisors_together, squares_together};
use super::product::{Factors, Product, emit, free_factors, product_of, written_product};
use crate::graph::{NodeId, Origins};
use crate::ops::matmul::MatMul;
use crate::ops::reduce::Fold;
use crate::ops::shape::Permute;
use crate::ops::{Misfit, Number, Op, Scalar};
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

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
    let negative = *op == Op::Scalar(Scalar::Sub);
    let mut sum = Sum { terms: Vec::new(), origins: origins.clone() };
    gather(cx, operands[0], false, &mut sum)?;
    gather(cx, operands[1], negative, &mut sum)?;
    if reduced(cx, &mut sum, origins)? {
        cx.fire("a value and its sum");
    }
    collect(&mut sum);
    if respelled(cx, &mut sum) {
        cx.fire("one product in two spellings");
    }
    if identities(cx, &mut sum, like)? {
        cx.fire("common identity matrix");
    }
    let before = sum.terms.len();
    products(cx, &mut sum, like)?;
    if sum.terms.len() < before {
        cx.fire("common matrix");
    }
    while logistic::join(cx, &mut sum.terms, origins, like)? {
        cx.fire("both sides of a sigmoid");
    }
    if pieces::join(cx, &mut sum.terms, origins, like)? {
        cx.fire("pieces side by side");
    }
    squares_together(cx, &mut sum.terms);
    if divisors_together(cx, &mut sum.terms, origins)? {
        cx.fire("divisors laid out alike");
    }
    let node = match common(&sum) {
        Some(factor) => {
            cx.fire("common factor");
            bracketed(cx, &sum, factor, like)?
        }
        None => write(cx, &sum, like)?,
    };
    let same = cx.see().op(node) == op && cx.see().operands(node).as_slice() == operands;
    if !same {
        cx.fire("sum");
    }
    Ok(Some(node))
}

struct Sum {
    terms: Vec<Product>,
    origins: Origins,
}

fn gather(cx: &mut Cx, id: NodeId, negative: bool, sum: &mut Sum) -> Result<(), Misfit> {
    let mut waiting: SmallVec<[(NodeId, bool); 8]> = SmallVec::from_slice(&[(id, negative)]);
    while let Some((id, negative)) = waiting.pop() {
        let model = cx.see();
        let operands = model.operands(id);
        match model.op(id) {
            Op::Scalar(Scalar::Add) if cx.is_open(id) => {
                waiting.extend([(operands[1], negative), (operands[0], negative)])
            }
            Op::Scalar(Scalar::Sub) if cx.is_open(id) => {
                waiting.extend([(operands[1], !negative), (operands[0], negative)])
            }
            _ => {
                let mut term = product_of(cx, id);
                signed(cx, &mut term)?;
                if negative {
                    term.number = -term.number;
                }
                sum.origins.unite(&term.origins);
                sum.terms.push(term);
                continue;
            }
        }
        sum.origins.unite(cx.see().origins(id));
    }
    Ok(())
}

/// `v - sum[K](v) * p` where v is `x / N`: of x the sum is said, so that `1 / N` is common to both.
fn reduced(cx: &mut Cx, sum: &mut Sum, origins: &Origins) -> Result<bool, Misfit> {
    for place in 0..sum.terms.len() {
        for factor in 0..sum.terms[place].factors.len() {
            let (id, 1) = sum.terms[place].factors[factor] else { continue };
            let model = cx.see();
            let (fold, laid) = match model.op(id) {
                Op::Broadcast(laid) => (model.operands(id)[0], Some(laid.clone())),
                _ => (id, None),
            };
            let Op::Reduce(reduce) = model.op(fold).clone() else { continue };
            if !matches!(reduce.kind, Fold::Sum | Fold::Mean) || cx.is_forward(id) {
                continue;
            }
            let value = cx.see().operands(fold)[0];
            if cx.is_forward(value) {
                continue;
            }
            let (free, rest) = free_factors(cx, value);
            if (free.number.is_one() && free.factors.is_empty()) || rest.factors.is_empty() {
                continue;
            }
            // A number stands apart from its factor already.
            let apart = |term: &Product| {
                free.factors.is_empty() && rest.factors.iter().all(|f| term.factors.contains(f))
            };
            let one = sum.terms.iter().position(|term| term.factors.contains(&(value, 1)));
            let Some(beside) = one.or_else(|| sum.terms.iter().position(apart)) else { continue };
            let inner = emit(cx, &rest, value)?;
            let mut folded = cx.build(reduce, &[inner], origins)?;
            let number = cx.see().filled(folded).is_some();
            if sum.terms.len() != 2 && !number {
                continue;
            }
            if let Some(laid) = laid.filter(|_| !number) {
                folded = cx.model().insert(laid, &[folded], origins)?;
            }
            scaled(cx, &mut sum.terms[place], id, folded, &free);
            if one.is_some() {
                scaled(cx, &mut sum.terms[beside], value, inner, &free);
            }
            sum.terms.retain(|term| !term.number.is_zero());
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts `by` times free factors in the place of a factor.
fn scaled(cx: &Cx, term: &mut Product, factor: NodeId, by: NodeId, free: &Product) {
    let place = term.factors.iter().position(|known| *known == (factor, 1));
    term.factors.remove(place.expect("it is a factor"));
    term.number = term.number * free.number;
    match cx.see().filled(by).filter(|number| number.parts().is_some()) {
        Some(number) => term.number = term.number * number,
        None => term.factors.push((by, 1)),
    }
    for &(id, exponent) in &free.factors {
        match term.factors.iter_mut().find(|(known, e)| *known == id && (*e > 0) == (exponent > 0))
        {
            Some((_, e)) => *e += exponent,
            None => term.factors.push((id, exponent)),
        }
    }
}

/// The sign of a value that is laid out belongs to the term.
fn signed(cx: &mut Cx, term: &mut Product) -> Result<(), Misfit> {
    for place in 0..term.factors.len() {
        let (id, exponent) = term.factors[place];
        let Op::Broadcast(broadcast) = cx.see().op(id).clone() else { continue };
        let source = cx.see().operands(id)[0];
        let scalar = cx.see().ty(source).rank() == 0;
        if exponent != 1 || scalar || !cx.is_open(id) || !cx.is_open(source) {
            continue;
        }
        let mut inner = product_of(cx, source);
        if inner.number.is_negative() && !inner.factors.is_empty() {
            inner.number = -inner.number;
            let source = emit(cx, &inner, source)?;
            let origins = cx.see().origins(id).clone();
            term.factors[place].0 = cx.model().insert(broadcast, &[source], &origins)?;
            term.number = -term.number;
        }
    }
    Ok(())
}

/// Terms with the same factors become one.
fn collect(sum: &mut Sum) {
    if let [one, two] = sum.terms.as_slice()
        && one.factors.len() != two.factors.len()
    {
        return sum.terms.retain(|term| !term.number.is_zero());
    }
    let mut places: FxHashMap<Factors, usize> = FxHashMap::default();
    let mut kept: Vec<Product> = Vec::new();
    for term in sum.terms.drain(..) {
        let mut key = term.factors.clone();
        key.sort_unstable();
        match places.get(&key) {
            Some(&place) => kept[place].number = kept[place].number + term.number,
            None => {
                places.insert(key, kept.len());
                kept.push(term);
            }
        }
    }
    kept.retain(|term| !term.number.is_zero());
    sum.terms = kept;
}

/// `s * x` of the source text and `x * s` are one term.
fn respelled(cx: &mut Cx, sum: &mut Sum) -> bool {
    const MOST: usize = 64;
    let open = |cx: &mut Cx, term: &Product| match term.factors[..] {
        [(id, 1)] if cx.is_forward(id) && !cx.is_named(id) => {
            let mut inner = written_product(cx, id);
            inner.factors.sort_unstable();
            Some(inner).filter(|inner| inner.factors != term.factors)
        }
        _ => None,
    };
    let mut joined = false;
    let mut place = 0;
    while place < sum.terms.len().min(MOST) {
        let twin = open(cx, &sum.terms[place]).and_then(|inner| {
            let same = |term: &Product| {
                let mut factors = term.factors.clone();
                factors.sort_unstable();
                factors == inner.factors
            };
            Some((sum.terms.iter().position(same)?, inner.number))
        });
        match twin {
            Some((twin, number)) => {
                let term = sum.terms.remove(place);
                let twin = if twin > place { twin - 1 } else { twin };
                sum.terms[twin].number = sum.terms[twin].number + term.number * number;
                joined = true;
            }
            None => place += 1,
        }
    }
    sum.terms.retain(|term| !term.number.is_zero());
    joined
}

/// `eye(N) * x - eye(N) * y` among other terms is `eye(N) * (x - y)`.
fn identities(cx: &mut Cx, sum: &mut Sum, like: NodeId) -> Result<bool, Misfit> {
    let is_identity = |cx: &Cx, id: NodeId| match cx.see().op(id) {
        Op::Eye(_) => true,
        Op::Broadcast(_) => matches!(cx.see().op(cx.see().operands(id)[0]), Op::Eye(_)),
        _ => false,
    };
    let all: Factors = sum.terms.iter().flat_map(|term| term.factors.iter().copied()).collect();
    let shared = all.iter().enumerate().find(|(place, factor)| {
        factor.1 == 1 && is_identity(cx, factor.0) && all[place + 1..].contains(factor)
    });
    let Some((_, &factor)) = shared else { return Ok(false) };
    let has = |term: &Product| term.factors.contains(&factor);
    if sum.terms.iter().all(has) {
        return Ok(false);
    }
    let place = sum.terms.iter().position(has).expect("some have it");
    let (terms, rest) = sum.terms.drain(..).partition(has);
    sum.terms = rest;
    let shared = Sum { terms, origins: sum.origins.clone() };
    let outside = common(&shared).expect("the matrix is common");
    let node = bracketed(cx, &shared, outside, like)?;
    sum.terms.insert(place, product_of(cx, node));
    Ok(true)
}

/// `a @ x + b @ x` is `(a + b) @ x`, and `a @ x + a @ y` is `a @ (x + y)`; a row vector before a matrix counts as the
/// transposed matrix before the vector.
fn products(cx: &mut Cx, sum: &mut Sum, like: NodeId) -> Result<(), Misfit> {
    if sum.terms.len() > 64 {
        return Ok(());
    }
    let mut left = 0;
    while left < sum.terms.len() {
        let mut right = left + 1;
        while right < sum.terms.len() {
            if let Some(node) = joined(cx, &sum.terms[left], &sum.terms[right], &sum.origins, like)?
            {
                sum.terms[left] = Product {
                    number: Number::ONE,
                    factors: smallvec![(node, 1)],
                    origins: sum.origins.clone(),
                };
                sum.terms.remove(right);
            } else {
                right += 1;
            }
        }
        left += 1;
    }
    Ok(())
}

/// A matrix product with its scalars: the factors besides it are scalars.
fn matrix_product(cx: &Cx, term: &Product) -> Option<(NodeId, NodeId, bool, Product)> {
    let model = cx.see();
    let place =
        term.factors.iter().position(|&(id, e)| e == 1 && matches!(model.op(id), Op::MatMul(_)))?;
    let id = term.factors[place].0;
    let mut rest = term.clone();
    rest.factors.remove(place);
    if rest.factors.iter().any(|&(id, _)| model.ty(id).rank() > 0) {
        return None;
    }
    let operands = model.operands(id);
    let (a, b) = (operands[0], operands[1]);
    let row = model.ty(a).rank() == 1 && model.ty(b).rank() == 2;
    Some(if row { (b, a, true, rest) } else { (a, b, false, rest) })
}

fn joined(
    cx: &mut Cx,
    one: &Product,
    two: &Product,
    origins: &Origins,
    like: NodeId,
) -> Result<Option<NodeId>, Misfit> {
    let (Some((a, x, a_row, a_rest)), Some((b, y, b_row, b_rest))) =
        (matrix_product(cx, one), matrix_product(cx, two))
    else {
        return Ok(None);
    };
    let same_type = |cx: &Cx, p: NodeId, q: NodeId| cx.see().ty(p).shape == cx.see().ty(q).shape;
    if x == y && cx.see().ty(x).rank() <= 2 {
        let a = turned(cx, a, a_row, origins)?;
        let b = turned(cx, b, b_row, origins)?;
        if same_type(cx, a, b) {
            let sum = weighted(cx, (a, a_rest), (b, b_rest), origins, like)?;
            return cx.build(MatMul, &[sum, x], origins).map(Some);
        }
    }
    if a == b && a_row == b_row && same_type(cx, x, y) && x != y {
        let sum = weighted(cx, (x, a_rest), (y, b_rest), origins, like)?;
        let operands = if a_row { [sum, a] } else { [a, sum] };
        return cx.build(MatMul, &operands, origins).map(Some);
    }
    Ok(None)
}

fn turned(cx: &mut Cx, id: NodeId, turn: bool, origins: &Origins) -> Result<NodeId, Misfit> {
    if turn { cx.build(Permute { order: smallvec![1, 0] }, &[id], origins) } else { Ok(id) }
}

/// The sum of two values, each with its scalars. A plain value stands before its transpose.
fn weighted(
    cx: &mut Cx,
    one: (NodeId, Product),
    two: (NodeId, Product),
    origins: &Origins,
    like: NodeId,
) -> Result<NodeId, Misfit> {
    let turned = |cx: &Cx, id: NodeId| matches!(cx.see().op(id), Op::Permute(_));
    let (first, second) =
        if turned(cx, one.0) && !turned(cx, two.0) { (two, one) } else { (one, two) };
    let mut sum = Sum { terms: Vec::new(), origins: origins.clone() };
    for (id, mut rest) in [first, second] {
        rest.factors.insert(0, (id, 1));
        sum.terms.push(rest);
    }
    collect(&mut sum);
    respelled(cx, &mut sum);
    write(cx, &sum, like)
}

/// The factors, numbers left aside, that all terms have.
fn common(sum: &Sum) -> Option<Product> {
    let (first, rest) = sum.terms.split_first()?;
    if rest.is_empty() || sum.terms.iter().any(|term| term.factors.is_empty()) {
        return None;
    }
    let mut factors = Factors::new();
    for &(id, exponent) in &first.factors {
        let shared = rest.iter().try_fold(exponent, |shared: i32, term| {
            let found = term
                .factors
                .iter()
                .find(|(known, e)| *known == id && (*e > 0) == (exponent > 0))?;
            Some(shared.abs().min(found.1.abs()) * exponent.signum())
        });
        if let Some(shared) = shared {
            factors.push((id, shared));
        }
    }
    let size = |number: Number| if number.is_negative() { -number } else { number };
    let number = size(first.number);
    let same = rest.iter().all(|term| size(term.number) == number);
    let number = if same { number } else { Number::ONE };
    (!factors.is_empty() || !number.is_one()).then_some(Product {
        number,
        factors,
        origins: sum.origins.clone(),
    })
}

fn bracketed(cx: &mut Cx, sum: &Sum, factor: Product, like: NodeId) -> Result<NodeId, Misfit> {
    let mut inner = Sum { terms: Vec::new(), origins: sum.origins.clone() };
    for term in &sum.terms {
        let mut term = term.clone();
        term.number = term.number / factor.number;
        for &(id, exponent) in &factor.factors {
            for known in term
                .factors
                .iter_mut()
                .filter(|(known, e)| *known == id && (*e > 0) == (exponent > 0))
            {
                known.1 -= exponent;
            }
        }
        term.factors.retain(|(_, exponent)| *exponent != 0);
        inner.terms.push(term);
    }
    collect(&mut inner);
    let bracket = write(cx, &inner, like)?;
    let mut product = factor;
    let ahead = product.factors.iter().take_while(|(_, e)| *e > 0).count();
    product.factors.insert(ahead, (bracket, 1));
    emit(cx, &product, like)
}

/// The sum as nodes, a positive term first.
fn write(cx: &mut Cx, sum: &Sum, like: NodeId) -> Result<NodeId, Misfit> {
    let mut terms: Vec<&Product> = sum.terms.iter().collect();
    if let Some(first) = terms.iter().position(|term| !term.number.is_negative()) {
        let term = terms.remove(first);
        terms.insert(0, term);
    }
    let mut total: Option<NodeId> = None;
    for term in terms {
        let negative = term.number.is_negative();
        total = Some(match total {
            None => emit(cx, term, like)?,
            Some(known) => {
                let size = Product {
                    number: if negative { -term.number } else { term.number },
                    ..term.clone()
                };
                let node = emit(cx, &size, like)?;
                let row = if negative { Scalar::Sub } else { Scalar::Add };
                combined(cx, row, &[known, node], &sum.origins)?
            }
        });
    }
    match total {
        Some(node) => Ok(node),
        None => Ok(cx.number(like, Number::ZERO, &sum.origins)),
    }
}
