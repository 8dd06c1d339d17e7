//! Operators that are linear, taken apart over sums of products.

use super::normal::{DEPTH, Normal, whole};
use super::terms::{
    BOUND, Exact, Expr, Factor, Id, Index, ONLY, Product, Sum, add, added, renamed, times,
};
use crate::graph::Model;
use crate::ops::{Op, Operator, Size, Type};

/// So many products of sums are taken apart by an operator that is linear in each.
const LINEAR: usize = 64;

impl Normal {
    /// `take_along(x * y, i)` is `take_along(x, i) * y` where y does not vary along the axis, which may be `gone` then.
    pub fn taken(
        &mut self,
        model: &Model,
        (op, axis, gone): (Op, Index, bool),
        x: &[Sum],
        types: &[Type],
        ty: &Type,
    ) -> Option<Sum> {
        let mut total = Sum::new();
        for (product, &number) in &x[0] {
            let (inner, outer): (Vec<Factor>, Vec<Factor>) = match product.bound.is_empty() {
                true => product.factors.iter().cloned().partition(|f| f.index.contains(&axis)),
                false => (product.factors.clone(), Vec::new()),
            };
            let moved = renamed(
                &Sum::from([(Product { bound: Vec::new(), factors: outer }, number)]),
                |index| match index {
                    ONLY | BOUND.. => index,
                    index => index - Index::from(gone && index > axis),
                },
            );
            let mut part: Sum = moved.into_iter().collect();
            if !inner.is_empty() {
                let inner = Product { bound: product.bound.clone(), factors: inner };
                let operands = [Sum::from([(inner, (1, 1))]), x[1].clone()];
                let taken = self.linear(model, op.clone(), &operands, types, ty)?;
                part = self.product(&part, &taken, DEPTH)?;
            }
            total = added(&total, &part, (1, 1))?;
        }
        Some(total)
    }

    /// An operator as an atom. A linear one of sums of products is the sum of those of the products, their numbers in front.
    pub fn linear(
        &mut self,
        model: &Model,
        op: Op,
        x: &[Sum],
        types: &[Type],
        ty: &Type,
    ) -> Option<Sum> {
        let resolved = |ty: &Type| ty.shape.iter().map(|size| model.dims.resolve(size)).collect();
        let shapes: Vec<Vec<Size>> = types.iter().map(resolved).collect();
        let split = |place: usize| op.is_linear() && types[place].dtype.is_float();
        let count = |place: usize| if split(place) { x[place].len() } else { 1 };
        let apart = ty.dtype.is_float() && (0..x.len()).map(count).product::<usize>() <= LINEAR;
        let mut parts: Vec<(Vec<Id>, Exact)> = vec![(Vec::new(), (1, 1))];
        for (place, sum) in x.iter().enumerate() {
            let products: Vec<(Id, Exact)> = match apart && split(place) {
                true => {
                    let one = |product: &Product| Sum::from([(product.clone(), (1, 1))]);
                    sum.iter().map(|(p, &number)| (self.interned(&one(p)), number)).collect()
                }
                false => vec![(self.interned(sum), (1, 1))],
            };
            let mut longer = Vec::new();
            for (args, number) in &parts {
                for &(id, factor) in &products {
                    longer.push(([&args[..], &[id]].concat(), times(*number, factor)?));
                }
            }
            parts = longer;
        }
        let mut total = Sum::new();
        for (args, number) in parts {
            let atom = self.intern(Expr::Apply(op.clone(), args, shapes.clone()));
            let product = Product { bound: Vec::new(), factors: vec![whole(atom, ty)] };
            add(&mut total, product, number)?;
        }
        Some(total)
    }
}
