//! Machines without an emitter.

use super::Recipe;
use crate::exec::kernels::memory::{Shared, Span};
use crate::exec::kernels::spans::Source;
use crate::exec::kernels::{Float, Level};

/// A compiled recipe: there is none.
#[derive(Debug)]
pub enum Program {}

/// A program that can run: there is none.
#[derive(Clone, Debug)]
pub enum Kernel {}

/// The recipe as machine code of a level; none here.
pub fn program<T: Float>(_level: Level, _recipe: &Recipe, _elements: usize) -> Option<Program> {
    None
}

/// Programs that can run; none here.
pub fn link(_programs: Vec<Program>) -> Option<Vec<Kernel>> {
    None
}

impl Program {
    /// The bytes of its code.
    pub fn bytes(&self) -> usize {
        match *self {}
    }
}

impl Kernel {
    /// The bytes of scratch memory that a run needs.
    pub fn scratch(&self) -> usize {
        match *self {}
    }

    /// Runs the recipe.
    pub fn run<T: Float>(&self, _inputs: &[Source<T>], _outputs: &[Span<T>], _scratch: Shared<'_>) {
        match *self {}
    }
}
