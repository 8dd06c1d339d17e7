//! A plan within a budget of bytes: of the orders that fit the one with the fewest values computed again, and of the lengths of
//! segments of loops the one with the fewest operations.

use super::draft::Draft;
use super::flow::Flow;
use super::fuse::Order;
use super::place::{self, Placed, Request};
use super::redo::redone;
use super::segments::Cuts;
use super::step::Step;
use super::walk::{Walk, walk};
use super::{Plan, Room};
use crate::exec::reference::RunError;

/// What a budget costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Spared {
    /// The bytes of a state without the budget.
    pub without: usize,
    /// Floating-point operations that are done again.
    pub flops: f64,
    /// The number of values that are computed again, each as often as it is, but for those of loops.
    pub values: usize,
    /// The segments of loops. What a loop keeps of each step is computed again for one segment at a time.
    pub loops: Cuts,
}

/// Each order has a peak that is smaller than that of the one before by such a part.
const STEP: usize = 16;
/// Orders between the last one that can be and the first that cannot.
const CLOSER: usize = 4;
/// Loops of so many steps are not cut.
const SHORT: usize = 2;
/// A block is larger than what lives at a time, since places do not always fit into each other, but an order is not looked at
/// for less than such a part.
const GAPS: usize = 8;

/// The draft in the first of its orders that fits into the budget; `placed` is the one in which nothing is computed again.
pub fn within(
    request: &Request<'_>,
    draft: &Draft,
    order: &Order,
    placed: Placed,
    budget: usize,
) -> Result<Placed, RunError> {
    let mut flow = Flow::new(request, draft, order, &placed);
    let done = flops(&placed.steps);
    let without = placed.bytes;
    // The orders do not depend on the budget, so that the least that is told is one that does.
    let mut walks = Vec::new();
    let Some(first) = walk(&mut flow, usize::MAX) else { return Ok(placed) };
    let (mut reached, mut step) = (first.peak, first.peak / STEP);
    while step > 0 {
        match walk(&mut flow, reached.saturating_sub(step)) {
            Some(walk) => {
                reached = walk.peak;
                step = step.min(reached / STEP);
                walks.push(walk);
            }
            None if step > first.peak / (STEP << CLOSER) => step /= 2,
            None => break,
        }
    }
    let laid = |walk: &Walk| {
        let again = redone(draft, order, &request.roots, &walk.runs);
        Ok::<_, RunError>((place::lay(request, &again.draft, &again.order)?, again.values))
    };
    let near = |peak: usize, bytes: usize| peak <= bytes.saturating_add(bytes / GAPS);
    let mut tried = vec![None; walks.len()];
    for (walk, tried) in walks.iter().zip(&mut tried) {
        if !near(walk.peak, budget) {
            continue;
        }
        let (found, values) = laid(walk)?;
        *tried = Some(found.bytes);
        if found.bytes <= budget {
            let flops = flops(&found.steps) - done;
            let spared = Some(Spared { without, flops, values, loops: Cuts::default() });
            return Ok(Placed { spared, ..found });
        }
    }
    let mut least = without;
    for (walk, tried) in walks.iter().zip(tried).rev() {
        let bytes = match tried {
            Some(bytes) => bytes,
            None if near(walk.peak, least) => laid(walk)?.0.bytes,
            None => continue,
        };
        least = least.min(bytes);
    }
    Err(RunError::Budget { budget, least })
}

/// The plan that takes the fewest operations of those within the budget, with loops as they are and in segments; `longest` is the
/// number of steps of the longest.
pub fn cut(
    budget: usize,
    longest: usize,
    build: impl Fn(&Room<'_>) -> Result<Plan, RunError>,
) -> Result<Plan, RunError> {
    let room = |cuts| Room { budget: Some(budget), cuts, apart: None };
    let fits = |plan: &Result<Plan, RunError>| {
        !matches!(plan, Ok(Plan { spared: Some(_), .. }) | Err(RunError::Budget { .. }))
    };
    let mut best = build(&room(None));
    if longest <= SHORT || fits(&best) {
        return best;
    }
    let whole = build(&Room::default())?;
    for cuts in Cuts::all(longest) {
        let found = build(&room(Some(cuts)));
        let last = fits(&found);
        let more = |plan: &Plan| plan.spared.as_ref().map_or(0.0, |spared| spared.flops);
        best = match (found.map(|plan| plan.against(&whole, cuts)), best) {
            (Ok(found), Ok(best)) if more(&best) <= more(&found) => Ok(best),
            (Ok(found), _) => Ok(found),
            (Err(RunError::Budget { .. }), Ok(best)) => Ok(best),
            (Err(RunError::Budget { least, .. }), Err(RunError::Budget { least: other, .. })) => {
                Err(RunError::Budget { budget, least: least.min(other) })
            }
            (Err(error), _) => return Err(error),
        };
        if last {
            break;
        }
    }
    best
}

impl Plan {
    /// The plan, whose loops are cut, with what that costs in comparison to the plan without a budget.
    fn against(self, whole: &Plan, loops: Cuts) -> Plan {
        let flops = flops(&self.steps) - flops(&whole.steps);
        let values = self.spared.map_or(0, |spared| spared.values);
        Plan { spared: Some(Spared { without: whole.bytes, flops, values, loops }), ..self }
    }
}

fn flops(steps: &[Step]) -> f64 {
    steps.iter().map(|step| step.cost().1).sum()
}
