//! Models to better models.

mod facts;
mod law;
mod pieces;
mod product;
mod retype;
mod scan;
mod simplify;
mod structure;
mod sum;

pub use crate::graph::release::release;
pub use retype::retype;
pub use simplify::{Report, simplify};

/// The names of the laws of structured operators, in the order in which they are tried.
pub fn structure_laws() -> impl Iterator<Item = &'static str> {
    structure::LAWS.iter().map(|(name, _)| *name)
}
