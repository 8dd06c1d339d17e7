//! What values cost, as polynomials in the dimensions.

use super::Model;
use crate::ops::{Operator, Size};
use rustc_hash::FxHashMap;

impl Model {
    /// The floating-point operations of those of the values that are marked.
    pub fn flops(&self, marked: &[bool]) -> Size {
        let mut counts: FxHashMap<Size, i64> = FxHashMap::default();
        for id in self.nodes().filter(|id| marked[id.index()]) {
            let flops = self.op(id).flops(&self.operand_types(id), self.ty(id));
            *counts.entry(flops).or_default() += 1;
        }
        let products = counts.into_iter().map(|(flops, count)| flops * Size::Known(count));
        products.fold(Size::Known(0), |sum, flops| sum + flops)
    }
}
