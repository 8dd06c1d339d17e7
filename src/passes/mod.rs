//! Models to better models.

mod facts;
mod law;
mod product;
mod release;
mod retype;
mod simplify;
mod structure;
mod sum;

pub use release::release;
pub use retype::retype;
pub use simplify::{Report, simplify};
