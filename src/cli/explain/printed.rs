//! What is printed of the steps of a derivation.

use super::temporaries::{Temporaries, mentions, renamed};
use crate::compile::lecture::{Lecture, Meaning};
use crate::graph::NodeId;
use crate::graph::print::{Part, Stated, stated};
use crate::ops::Name;
use rustc_hash::{FxHashMap, FxHashSet};

/// What is printed of a lecture, whichever round of a loop it is of.
#[derive(Clone, Default)]
pub struct Printed {
    /// The steps.
    pub steps: Vec<Vec<Stated>>,
    /// What their statements share.
    pub shared: Temporaries,
    /// The loops that have been told of: forwards, and backwards.
    pub told: [FxHashSet<NodeId>; 2],
    /// The rounds of the loops.
    pub loops: FxHashMap<NodeId, Printed>,
}

/// What there is to print of a lecture. The derivatives called `parts` are of one round only: what others share with them has
/// a name of its own.
pub fn printed(lecture: &Lecture, parts: &[&Name]) -> Printed {
    let mut shared = Temporaries::new(lecture);
    let steps = lecture.steps.iter().map(|step| {
        let stated = stated(&step.piece, Part::Adjoint);
        shared.settled(parted(stated, parts), &step.piece.outputs)
    });
    let steps = steps.collect();
    let loops = lecture.loops.iter().map(|own| {
        let parts = own.inputs.iter().enumerate().filter_map(|(place, goal)| {
            let slice = matches!(own.meanings[&own.variables[1 + place]], Meaning::Slice(_));
            goal.filter(|_| !slice).map(|goal| &own.round.stations[goal].adjoint)
        });
        (own.node, printed(&own.round, &parts.collect::<Vec<_>>()))
    });
    let loops = loops.collect();
    Printed { steps, shared, told: Default::default(), loops }
}

/// The statements with a name of its own for what `parts` share with others.
fn parted(stated: Vec<Stated>, parts: &[&Name]) -> Vec<Stated> {
    let mut names: FxHashMap<String, String> = FxHashMap::default();
    let mut all = Vec::new();
    for (number, own) in stated.iter().enumerate() {
        let mut own = Stated { text: renamed(&own.text, &names), ..own.clone() };
        let name = own.name.clone();
        let name_of_part = parts.iter().any(|part| ***part == *name);
        let reads = |other: &Stated| mentions(&other.text, &name);
        if name_of_part && own.code.is_empty() && stated[number + 1..].iter().any(reads) {
            let shared = format!("{}_1", name.strip_suffix("_before").unwrap_or(&name));
            all.push(Stated { name: shared.clone(), ..own.clone() });
            own.text.clone_from(&shared);
            names.insert(name, shared);
        }
        all.push(own);
    }
    all
}
