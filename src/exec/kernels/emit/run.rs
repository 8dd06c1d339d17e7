//! Programs in memory that may be executed, and how they are called.

use super::assign::{BIAS, Body, assign};
use super::trace::{Traced, give_up, trace};
use super::{Arg, Recipe, STREAMS};
use crate::exec::kernels::Level;
use crate::exec::kernels::lanes::{Float, Lanes};
use crate::exec::kernels::memory::{Shared, Span};
use crate::exec::kernels::rows::{Action, value};
use crate::exec::kernels::spans::Source;
use crate::tensor::DType;
use memmap2::{Mmap, MmapMut};
use std::sync::Arc;

/// A compiled recipe.
#[derive(Debug)]
pub struct Program {
    body: Body,
    inputs: Vec<bool>,
    outputs: usize,
    dtype: DType,
    wide: bool,
}

/// A program that can run.
#[derive(Clone, Debug)]
pub struct Kernel {
    memory: Arc<Mmap>,
    at: usize,
    program: Arc<Program>,
}

/// The recipe as machine code of a level, made for about so many `elements` a run; none where the level has no emitter, or a
/// step no vectors.
pub fn program<T: Float>(level: Level, recipe: &Recipe, elements: usize) -> Option<Program> {
    let wide = level.is_wide()?;
    if recipe.inputs.len() + recipe.outputs > STREAMS || recipe.outputs == 0 {
        return None;
    }
    let ops = trace(wide, || steps::<T>(recipe))?;
    Some(Program {
        body: assign(&ops, wide, T::DTYPE == DType::F64, elements),
        inputs: recipe.inputs.clone(),
        outputs: recipe.outputs,
        dtype: T::DTYPE,
        wide,
    })
}

fn steps<T: Float>(recipe: &Recipe) {
    let mut values: Vec<Traced<T>> = Vec::with_capacity(recipe.steps.len());
    for step in &recipe.steps {
        let arg = |place: usize| match step.args[place] {
            Arg::Stream(stream) if recipe.inputs[stream as usize] => Traced::single(stream),
            Arg::Stream(stream) => Traced::input(stream),
            Arg::Step(step) => values[step as usize],
            Arg::Number(number) => Traced::of(number),
        };
        let result = match step.action {
            Action::Move => arg(0),
            Action::MulAdd => arg(0).mul_add(arg(1), arg(2)),
            Action::Select => Traced::pick(arg(0).eq(Traced::of(0.0)), arg(2), arg(1)),
            Action::Row(row) => {
                let x = arg(0);
                let y = if row.arity() == 1 { x } else { arg(1) };
                value(row, x, y).unwrap_or_else(|| {
                    give_up();
                    x
                })
            }
        };
        if let Some(to) = step.to {
            result.output(recipe.inputs.len() as u16 + to);
        }
        values.push(result);
    }
}

/// The programs in memory; none where the system does not let code be made.
pub fn link(programs: Vec<Program>) -> Option<Vec<Kernel>> {
    let place =
        |end: usize, program: &Program| (end + program.body.bytes.len()).next_multiple_of(64);
    let bytes = programs.iter().fold(0, place);
    let mut memory = MmapMut::map_anon(bytes.max(1)).ok()?;
    let mut end = 0;
    let mut starts = Vec::with_capacity(programs.len());
    for program in &programs {
        let code = &program.body.bytes;
        memory[end..end + code.len()].copy_from_slice(code);
        starts.push(end);
        end = place(end, program);
    }
    // From here on it is read and executed, and nothing writes it.
    let memory = Arc::new(memory.make_exec().ok()?);
    let kernel =
        |(program, at)| Kernel { memory: Arc::clone(&memory), at, program: Arc::new(program) };
    Some(programs.into_iter().zip(starts).map(kernel).collect())
}

/// The addresses of the streams, the first byte and the one behind the last of each, and memory for spilled vectors.
type Function = unsafe extern "sysv64" fn(*const *mut u8, usize, usize, *mut u8);

impl Program {
    /// The bytes of its code.
    pub fn bytes(&self) -> usize {
        self.body.bytes.len()
    }
}

impl Kernel {
    fn spills(&self) -> usize {
        self.program.body.spills * if self.program.wide { 64 } else { 32 }
    }

    /// The bytes of scratch memory that a run needs.
    pub fn scratch(&self) -> usize {
        let size = if self.program.dtype == DType::F64 { 8 } else { 4 };
        let streams = self.program.inputs.len() + self.program.outputs;
        self.spills() + streams * self.program.body.block * size
    }

    /// Runs the recipe over all elements of the outputs. An output may be just where an input lies, if no step reads the
    /// input after the one that writes the output.
    ///
    /// # Panics
    /// Where the streams are not those of the recipe, or not of the same length: a bug of the caller.
    pub fn run<T: Float>(&self, inputs: &[Source<T>], outputs: &[Span<T>], scratch: Shared<'_>) {
        let program = &*self.program;
        assert!(program.dtype == T::DTYPE && inputs.len() == program.inputs.len());
        assert!(outputs.len() == program.outputs && program.outputs > 0);
        let count = outputs[0].len;
        let mut numbers = [T::zero(); STREAMS];
        let mut streams = [std::ptr::null_mut::<T>(); STREAMS];
        for (place, (&source, &single)) in inputs.iter().zip(&program.inputs).enumerate() {
            match source {
                Source::Number(number) => {
                    assert!(single, "the same number everywhere");
                    numbers[place] = number;
                }
                Source::Span(span) => {
                    assert!(!single && span.len == count, "an element for each");
                    streams[place] = span.at;
                }
            }
        }
        for (number, span) in numbers.iter_mut().zip(streams.iter_mut()).take(inputs.len()) {
            if span.is_null() {
                *span = number;
            }
        }
        for (stream, span) in streams[inputs.len()..].iter_mut().zip(outputs) {
            assert!(span.len == count, "an element for each");
            *stream = span.at;
        }
        let spill = scratch.span::<bool>(0, self.spills()).at.cast::<u8>();
        let spill = spill.wrapping_add(BIAS * if program.wide { 64 } else { 32 });
        let (size, block) = (size_of::<T>(), program.body.block);
        let whole = count - count % block;
        // SAFETY: the bytes from `at` on are a function of this kind, which `program` has made for a level that the machine
        // has, and nothing writes them.
        let function: Function = unsafe { std::mem::transmute(self.memory.as_ptr().add(self.at)) };
        let call = |streams: &[*mut T; STREAMS], count: usize| {
            // SAFETY: the function reads and writes whole blocks of the streams, `count` elements as checked, or one number
            // of those that have no more, and the spilled vectors' part of the scratch memory. That nothing else writes there
            // is the plan's affair, as of all spans.
            unsafe { function(streams.as_ptr().cast(), 0, count * size, spill) }
        };
        if whole > 0 {
            call(&streams, whole);
        }
        let rest = count - whole;
        if rest == 0 {
            return;
        }
        // The last elements go through memory that has room for a block of each stream.
        let part = |place: usize| scratch.span::<T>(self.spills() + place * block * size, block).at;
        let mut parts = streams;
        for (place, &single) in program.inputs.iter().enumerate() {
            if !single {
                parts[place] = part(place);
                // SAFETY: `rest` elements behind the whole blocks, to memory of a block that is apart from all spans.
                unsafe {
                    std::ptr::copy_nonoverlapping(streams[place].add(whole), parts[place], rest)
                };
            }
        }
        let written = inputs.len()..inputs.len() + outputs.len();
        written.clone().for_each(|place| parts[place] = part(place));
        call(&parts, block);
        for place in written {
            // SAFETY: the same the other way round.
            unsafe { std::ptr::copy_nonoverlapping(parts[place], streams[place].add(whole), rest) };
        }
    }
}
