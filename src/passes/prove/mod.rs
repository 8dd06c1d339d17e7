//! Equality of values over the reals: both sides in normal form.

mod linear;
mod normal;
mod terms;

use crate::graph::{Model, NodeId};
use normal::Normal;
use terms::{BOUND, Expr, Factor, Index, ONLY, Product, Sum, added};

/// So often denominators are cleared.
const DENOMINATORS: usize = 12;
/// Where bound indices stand while denominators are cleared.
const FIXED: Index = 64;

/// Whether two values have the same normal form: then they are equal over the reals wherever both are defined. A model with
/// derivatives that are not derived, or in which sizes grow too large, is not proved.
pub fn prove(model: &Model, left: NodeId, right: NodeId) -> bool {
    let types = (model.ty(left), model.ty(right));
    types.0.shape.len() == types.1.shape.len() && equal(model, left, right).unwrap_or(false)
}

fn equal(model: &Model, left: NodeId, right: NodeId) -> Option<bool> {
    let mut normal = Normal::default();
    let (left, right) = (normal.of(model, left)?, normal.of(model, right)?);
    let difference = cleared(&mut normal, added(&left, &right, (-1, 1))?)?;
    let mut groups: Vec<(Vec<crate::ops::Size>, Sum)> = Vec::new();
    for (product, number) in difference {
        let fixed = Product { bound: Vec::new(), factors: fixed(&product.factors)? };
        match groups.iter_mut().find(|(bound, _)| *bound == product.bound) {
            Some((_, sum)) => terms::add(sum, terms::ordered(fixed), number)?,
            None => {
                let sum = Sum::from([(terms::ordered(fixed), number)]);
                groups.push((product.bound, sum));
            }
        }
    }
    for (_, sum) in groups {
        if !cleared(&mut normal, sum)?.is_empty() {
            return Some(false);
        }
    }
    Some(true)
}

/// Bound indices as such of the whole: what is 0 for each of them has the sum 0.
fn fixed(factors: &[Factor]) -> Option<Vec<Factor>> {
    let mut factors = factors.to_vec();
    for index in factors.iter_mut().flat_map(|factor| &mut factor.index) {
        *index = match *index {
            ONLY => ONLY,
            bound @ BOUND.. => FIXED.checked_add(bound - BOUND).filter(|&index| index < BOUND)?,
            free if free < FIXED => free,
            _ => return None,
        };
    }
    Some(factors)
}

/// The sum times what stands below a line in it and is not summed over.
fn cleared(normal: &mut Normal, mut sum: Sum) -> Option<Sum> {
    for _ in 0..DENOMINATORS {
        let below = sum.keys().flat_map(|product| &product.factors).find(|factor| {
            factor.exponent < 0
                && matches!(normal.expr(factor.atom), Expr::Sum(_))
                && !factor.index.iter().any(|index| (BOUND..ONLY).contains(index))
        });
        let Some(first) = below.cloned() else { break };
        let lowest = sum
            .keys()
            .flat_map(|product| &product.factors)
            .filter(|factor| factor.atom == first.atom && factor.index == first.index)
            .map(|factor| factor.exponent)
            .min()?;
        let mut next = Sum::new();
        for (mut product, number) in sum {
            product.factors.push(Factor { exponent: -lowest, ..first.clone() });
            let settled = normal.settled(product, number, 24)?;
            next = added(&next, &settled, (1, 1))?;
        }
        sum = next;
    }
    Some(sum)
}
