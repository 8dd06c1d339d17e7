//! Models to better models.

mod alone;
mod choices;
mod defined;
mod facts;
mod growing;
mod hold;
mod laid;
mod law;
mod letters;
mod logistic;
mod pieces;
mod powers;
mod product;
mod prove;
mod reduction;
mod resize;
mod retype;
mod scan;
mod simplify;
mod stabilise;
mod stable_steps;
mod structure;
mod sum;
mod vectors;

pub use crate::graph::release::{has_barriers, release};
pub use defined::{Condition, conditions};
pub use hold::{Held, hold};
pub use prove::prove;
pub use resize::resize;
pub use retype::retype;
pub use simplify::{Report, Watch, simplify, simplify_owned, simplify_watched};
pub use stabilise::{Used, stabilise};

/// The laws of structured operators by name, with their equalities, in the order in which they are tried.
pub fn structure_laws() -> impl Iterator<Item = (&'static str, &'static str)> {
    structure::LAWS.iter().map(|(name, text, _)| (*name, *text))
}

/// The stability laws that no row says, by name, with their equalities.
pub fn stable_steps() -> impl Iterator<Item = (&'static str, &'static str)> {
    stable_steps::STEPS.iter().map(|(name, text, ..)| (*name, *text))
}
