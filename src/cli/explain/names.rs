//! What the names in pieces of a derivation stand for.

use crate::compile::lecture::Lecture;
use crate::export::formula::Formula;
use crate::ops::Name;
use rustc_hash::FxHashMap;

/// What names of pieces stand for, where names of values stand for what is `given`.
pub fn known(lecture: &Lecture, given: FxHashMap<Name, Formula>) -> FxHashMap<Name, Formula> {
    let of = Formula::name(&lecture.stations[lecture.of].name);
    let mut known = given;
    for station in &lecture.stations {
        let own = known.get(&station.name).cloned().unwrap_or(Formula::name(&station.name));
        known.insert(station.adjoint.clone(), Formula::partial(of.clone(), own.clone()));
        known.insert(station.tangent.clone(), Formula::Differential(Box::new(own.clone())));
        if let Some(amplifier) = &station.amplifier {
            let value = match (amplifier.named, known.get(&amplifier.value)) {
                (true, Some(value)) => value.clone(),
                (true, None) => Formula::name(&amplifier.value),
                (false, _) => own.within(amplifier.row.word()),
            };
            known.insert(amplifier.value.clone(), value.clone());
            known.entry(amplifier.adjoint.clone()).or_insert(Formula::partial(of.clone(), value));
        }
    }
    known
}
