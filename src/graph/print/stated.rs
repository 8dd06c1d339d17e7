//! The printed statements one by one, for those who lay them out in another way.

use super::Part;
use super::comment::{Cited, cited};
use super::names::{before_activations, taken};
use super::statements::{Statement, Written, plan, statement_of, written_apart};
use crate::graph::{Model, NodeId};
use rustc_hash::FxHashMap;

/// A printed statement.
#[derive(Clone, Debug)]
pub struct Stated {
    /// What it gives a value: one name, or `(a, b)` of a scan.
    pub name: String,
    /// The right side; of a scan its first line.
    pub text: String,
    /// Whether it computes a derivative.
    pub adjoint: bool,
    /// All lines of a scan, none of a formula.
    pub code: Vec<String>,
    /// Where an adjoint comes from.
    pub cited: Cited,
}

/// The statements of `part`, operands before their users, each of one value but for scans, without the updates of states.
pub fn stated(model: &Model, part: Part) -> Vec<Stated> {
    let Written { plan, order, names, called, .. } = written_apart(model, part);
    let mut stated = Vec::new();
    for (id, draft) in order {
        for statement in statement_of(&plan, &names, id, &draft, &called) {
            let Statement { name, text, adjoint, .. } = &statement;
            let cited = if *adjoint { cited(&plan, &draft) } else { Cited::default() };
            let (name, text, adjoint) = (name.clone(), text.clone(), *adjoint);
            let looped = statement.body.is_some();
            let code = if looped { statement.lines() } else { Vec::new() };
            let code = code.into_iter().map(|line| line.text).collect();
            stated.push(Stated { name, text, adjoint, code, cited });
        }
    }
    stated
}

/// The values without a name that feed an activation, with the names that printers give them: `z1`, `z2` ...
pub fn preactivations(model: &Model) -> FxHashMap<NodeId, String> {
    before_activations(&plan(model, Part::Whole, FxHashMap::default()), &taken(model))
}
