//! Chains of matrix products in a draft: in the order that takes the fewest operations, now that sizes are known.

use super::draft::{View, Writer};
use crate::graph::NodeId;
use crate::ops::Op;

/// Chains are looked at so far.
const LONGEST: usize = 16;

/// The factors of a chain, and what the product costs in the order in which it is written.
#[derive(Default)]
struct Chain {
    factors: Vec<View>,
    cost: f64,
}

/// How a factor stands in its chain.
#[derive(Clone, Copy)]
struct How {
    turned: bool,
    first: bool,
    last: bool,
}

impl Writer<'_> {
    /// The matrix product of this node with the products in it that nothing else needs, if another order is cheaper.
    pub(super) fn chain(&mut self) -> Option<View> {
        let mut chain = Chain::default();
        self.factors(self.id, How { turned: false, first: true, last: true }, &mut chain)?;
        let count = chain.factors.len();
        if count < 3 {
            return None;
        }
        let size = |i: usize| match chain.factors.get(i) {
            Some(factor) => factor.layout.sizes[0],
            None => chain.factors[count - 1].layout.sizes[1],
        };
        let sizes: Vec<usize> = (0..=count).map(size).collect();
        let (cost, cuts) = cheapest(&sizes);
        // Not for a difference that nobody sees.
        (cost < 0.99 * chain.cost).then(|| self.multiplied(&chain.factors, &cuts, 0, count))
    }

    /// Collects the matrices whose product a node is, transposed if need be; returns the sizes of the product. A vector at the
    /// beginning of the whole is a row, one at its end a column. Nothing where there are more axes.
    fn factors(&self, node: NodeId, how: How, chain: &mut Chain) -> Option<(usize, usize)> {
        let operands = self.model.operands(node);
        let inside = node == self.id || self.uses[node.index()] == 1;
        let room = chain.factors.len() < LONGEST;
        let rank = |node: NodeId| self.model.ty(node).rank();
        match self.model.op(node) {
            Op::MatMul(_) if inside && room => {
                let fits = match (rank(operands[0]), rank(operands[1])) {
                    (2, 2) => true,
                    (2, 1) => how.last && !how.turned,
                    (1, 2) => how.first && !how.turned,
                    _ => false,
                };
                if fits {
                    let order = if how.turned { [1, 0] } else { [0, 1] };
                    let [left, right] = [How { last: false, ..how }, How { first: false, ..how }];
                    let (m, k) = self.factors(operands[order[0]], left, chain)?;
                    let (_, n) = self.factors(operands[order[1]], right, chain)?;
                    chain.cost += m as f64 * k as f64 * n as f64;
                    return Some((m, n));
                }
            }
            Op::Permute(permute) if inside && permute.order[..] == [1, 0] => {
                let how = How { turned: !how.turned, ..how };
                return self.factors(operands[0], how, chain);
            }
            _ => {}
        }
        let view = self.views.get(node.index())?.as_ref().filter(|_| node != self.id)?;
        let layout = match view.layout.sizes[..] {
            [_, _] if how.turned => view.layout.permute(&[1, 0]),
            [_, _] => view.layout.clone(),
            [size] if how.last => view.layout.broadcast(&[size, 1], &[Some(0), None]),
            [size] if how.first => view.layout.broadcast(&[1, size], &[None, Some(0)]),
            _ => return None,
        };
        let sizes = (layout.sizes[0], layout.sizes[1]);
        chain.factors.push(View { of: view.of, layout });
        Some(sizes)
    }

    /// The product of some factors, cut where it is cheapest.
    fn multiplied(&mut self, factors: &[View], cuts: &[usize], from: usize, to: usize) -> View {
        if to - from == 1 {
            return factors[from].clone();
        }
        let cut = cuts[from * (factors.len() + 1) + to];
        let left = self.multiplied(factors, cuts, from, cut);
        let right = self.multiplied(factors, cuts, cut, to);
        self.product(left, right)
    }
}

/// The multiplications of a chain of matrices of which number i has `sizes[i]` rows and `sizes[i + 1]` columns, and for each
/// part `from..to` of it, at `from * sizes.len() + to`, where it is best cut in two.
fn cheapest(sizes: &[usize]) -> (f64, Vec<usize>) {
    let width = sizes.len();
    let mut costs = vec![0.0; width * width];
    let mut cuts = vec![0; width * width];
    for length in 2..width {
        for from in 0..width - length {
            let to = from + length;
            let ends = sizes[from] as f64 * sizes[to] as f64;
            let cost = |cut: usize| {
                costs[from * width + cut] + costs[cut * width + to] + ends * sizes[cut] as f64
            };
            // The first of the cheapest, so that plans are the same everywhere.
            let cut = (from + 1..to)
                .min_by(|&a, &b| cost(a).total_cmp(&cost(b)))
                .expect("two matrices or more");
            costs[from * width + to] = cost(cut);
            cuts[from * width + to] = cut;
        }
    }
    (costs[width - 1], cuts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_order() {
        // Of a textbook: Cormen, Leiserson, Rivest and Stein, Introduction to Algorithms, 15.2.
        let (cost, cuts) = cheapest(&[30, 35, 15, 5, 10, 20, 25]);
        assert_eq!(cost, 15125.0);
        assert_eq!([cuts[6], cuts[3], cuts[3 * 7 + 6]], [3, 1, 5]);
    }
}
