//! Sums of products in index notation: `sum_k x[i, k] * y[k, j]`, each in one form only.

use crate::ops::{Name, Number, Op, Size};
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// The place of an interned expression.
pub type Id = u32;

/// An index of a factor: below `BOUND` an axis of the whole, from `BOUND` on one that is summed over.
pub type Index = u8;

/// The first index that is summed over.
pub const BOUND: Index = 128;
/// The only index of an axis of size 1.
pub const ONLY: Index = 254;

/// An expression with its indices to a power.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Factor {
    pub atom: Id,
    pub index: SmallVec<[Index; 4]>,
    pub exponent: i32,
}

/// Factors in order, summed over the bound indices, which have these sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Product {
    pub bound: Vec<Size>,
    pub factors: Vec<Factor>,
}

/// Products with their coefficients, none 0.
pub type Sum = BTreeMap<Product, Exact>;

/// A rational number as numerator and denominator above 0.
pub type Exact = (i128, i128);

/// An expression that is no sum of products.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// A variable.
    Variable(Name),
    /// An operator on expressions; of a structured one the shapes of operands belong to it.
    Apply(Op, Vec<Id>, Vec<Vec<Size>>),
    /// A sum to a negative power, or an operand.
    Sum(Vec<(Product, Exact)>),
}

/// So many products in a sum, and so many factors in a product, are looked at.
pub const PRODUCTS: usize = 4000;
pub const FACTORS: usize = 64;

/// The sum of two sums.
pub fn added(one: &Sum, two: &Sum, scale: Exact) -> Option<Sum> {
    let mut sum = one.clone();
    for (product, &number) in two {
        add(&mut sum, product.clone(), times(number, scale)?)?;
    }
    Some(sum)
}

/// Adds a product to a sum.
pub fn add(sum: &mut Sum, product: Product, number: Exact) -> Option<()> {
    let total = match sum.get(&product) {
        Some(&known) => plus(known, number)?,
        None => number,
    };
    if total.0 == 0 {
        sum.remove(&product);
    } else {
        sum.insert(product, total);
    }
    (sum.len() <= PRODUCTS).then_some(())
}

/// The product of two rational numbers, if it can be held.
pub fn times(a: Exact, b: Exact) -> Option<Exact> {
    exact(a.0.checked_mul(b.0)?, a.1.checked_mul(b.1)?)
}

fn plus(a: Exact, b: Exact) -> Option<Exact> {
    exact(a.0.checked_mul(b.1)?.checked_add(b.0.checked_mul(a.1)?)?, a.1.checked_mul(b.1)?)
}

fn exact(above: i128, below: i128) -> Option<Exact> {
    let (mut a, mut b) = (above.unsigned_abs(), below.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let common = i128::try_from(a.max(1)).ok()? * below.signum();
    Some((above / common, below / common))
}

/// A number as a rational one.
pub fn rational(number: Number) -> Option<Exact> {
    number.parts()
}

/// The number as a sum.
pub fn constant(number: Exact) -> Sum {
    let mut sum = Sum::new();
    if number.0 != 0 {
        sum.insert(Product::default(), number);
    }
    sum
}

/// The sum of one product of one factor.
pub fn single(factor: Factor) -> Sum {
    Sum::from([(Product { bound: Vec::new(), factors: vec![factor] }, (1, 1))])
}

/// The same with every index replaced.
pub fn renamed(sum: &Sum, name: impl Fn(Index) -> Index) -> Vec<(Product, Exact)> {
    let rename = |product: &Product| Product {
        bound: product.bound.clone(),
        factors: product
            .factors
            .iter()
            .map(|factor| Factor {
                index: factor.index.iter().map(|&index| name(index)).collect(),
                ..factor.clone()
            })
            .collect(),
    };
    sum.iter().map(|(product, number)| (rename(product), *number)).collect()
}

/// The indices of the whole that are used, in order.
pub fn used(sum: &Sum) -> Vec<Index> {
    let factors = sum.keys().flat_map(|product| &product.factors);
    let mut found: Vec<Index> =
        factors.flat_map(|f| f.index.iter().copied()).filter(|&i| i < BOUND).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Both products under one sum sign.
pub fn joined(one: &Product, two: &Product) -> Option<Product> {
    let shift = Index::try_from(one.bound.len()).ok()?;
    let mut product = one.clone();
    product.bound.extend(two.bound.iter().cloned());
    let free = usize::from(ONLY - BOUND);
    if product.bound.len() >= free || one.factors.len() + two.factors.len() > FACTORS {
        return None;
    }
    product.factors.extend(two.factors.iter().map(|factor| {
        let moved = |&index: &Index| match index {
            BOUND..ONLY => index + shift,
            _ => index,
        };
        Factor { index: factor.index.iter().map(moved).collect(), ..factor.clone() }
    }));
    Some(product)
}

/// Brings factors and bound indices into their order. Of many bound indices the order is not always found, so that equal
/// products may look different; different ones never look equal.
pub fn ordered(mut product: Product) -> Product {
    merge(&mut product.factors);
    let count = product.bound.len();
    if count == 0 {
        return product;
    }
    let best = permutations(count)
        .into_iter()
        .map(|order| {
            let name = |index: Index| match index {
                BOUND..ONLY => BOUND + order[usize::from(index - BOUND)],
                _ => index,
            };
            let mut bound = product.bound.clone();
            for (old, &new) in order.iter().enumerate() {
                bound[usize::from(new)] = product.bound[old].clone();
            }
            let mut factors: Vec<Factor> = product
                .factors
                .iter()
                .map(|factor| Factor {
                    index: factor.index.iter().map(|&index| name(index)).collect(),
                    ..factor.clone()
                })
                .collect();
            factors.sort_unstable();
            Product { bound, factors }
        })
        .min();
    best.expect("there is one order at least")
}

/// Equal factors become one.
fn merge(factors: &mut Vec<Factor>) {
    factors.sort_unstable();
    let mut kept: Vec<Factor> = Vec::new();
    for factor in factors.drain(..) {
        match kept.last_mut() {
            Some(last) if last.atom == factor.atom && last.index == factor.index => {
                last.exponent += factor.exponent;
            }
            _ => kept.push(factor),
        }
    }
    kept.retain(|factor| factor.exponent != 0);
    *factors = kept;
}

/// Every order of so many things; of more than five only one.
fn permutations(count: usize) -> Vec<Vec<Index>> {
    let first: Vec<Index> = (0..count as u8).collect();
    if count > 5 {
        return vec![first];
    }
    let mut all = vec![Vec::new()];
    for next in first {
        all = all
            .into_iter()
            .flat_map(|order: Vec<Index>| {
                (0..=order.len()).map(move |place| {
                    let mut longer = order.clone();
                    longer.insert(place, next);
                    longer
                })
            })
            .collect();
    }
    all
}
