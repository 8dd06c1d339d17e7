//! The operators: what each computes, what its derivatives are, and which laws hold for it.

mod array;
mod case;
mod completeness;
mod custom;
mod draws;
mod elementwise;
mod guards;
mod hessian;
mod kinks;
mod laws;
mod lecture;
mod machine;
mod prelude;
mod random;
mod scan;
mod stability;
mod structured;
