//! Actions on single elements as machine code: one pass over memory for a whole program, its values in registers.
//!
//! The instructions are those of the rows' own functions, written down once by vectors that do nothing else, so that the
//! results are the same bit by bit. Memory is either written or executed, never both; where the system gives none that may
//! be executed, or at a level that has no emitter, there is no kernel and the caller goes action by action.

#[cfg(target_arch = "x86_64")]
mod assign;
#[cfg(target_arch = "x86_64")]
mod encode;
#[cfg(target_arch = "x86_64")]
mod run;
#[cfg(target_arch = "x86_64")]
mod trace;

#[cfg(target_arch = "x86_64")]
pub use run::{Kernel, Program, link, program};

use super::rows::Action;

/// What a kernel does.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// For each stream that is read, whether it has only one number, for all elements.
    pub inputs: Vec<bool>,
    /// The number of streams that are written.
    pub outputs: usize,
    /// The actions, in order.
    pub steps: Vec<Step>,
}

/// An action of a recipe.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// With what.
    pub args: [Arg; 3],
    /// The written stream that the result goes to.
    pub to: Option<u16>,
}

/// An operand of a step.
#[derive(Clone, Copy, Debug)]
pub enum Arg {
    /// A stream that is read.
    Stream(u16),
    /// The result of a step before.
    Step(u32),
    /// A number.
    Number(f64),
}

/// No kernel reads and writes more streams.
pub const STREAMS: usize = 64;

#[cfg(not(target_arch = "x86_64"))]
mod none;
#[cfg(not(target_arch = "x86_64"))]
pub use none::{Kernel, Program, link, program};
