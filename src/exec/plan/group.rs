//! A group in memory: the tape with addresses, run tile by tile in chunks whose number the shape decides.

use super::layout::Layout;
use super::tape::{Code, Duty, Place, Tape};
use super::{Emit, Engine};
use crate::exec::kernels::emit::{self, Kernel, Program, STREAMS};
use crate::exec::kernels::memory::{Shared, Span, with_scratch};
use crate::exec::kernels::spans::{self, Source};
use crate::exec::kernels::{Float, Level, fold};
use crate::tensor::DType;
use smallvec::SmallVec;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::OnceLock;

/// A group that has its addresses.
#[derive(Clone, Debug)]
pub struct Group {
    /// The program.
    pub tape: Tape,
    /// For each port the first byte of its item, and the number of the item's elements.
    pub ports: Vec<(usize, usize)>,
    /// For each result its first byte.
    pub outs: Vec<usize>,
    /// For each end the first byte of its result, and of the parts that the chunks leave.
    pub ends: Vec<(usize, usize)>,
    /// The number of elements of a chunk, a multiple of the tile.
    pub chunk: usize,
    /// For each level the machine code of the stretches, as far as there is any.
    pub kernels: [OnceLock<Box<[Option<Kernel>]>>; Level::COUNT],
}

/// Machine code that is being made.
#[derive(Default)]
pub struct Programs<'p> {
    programs: Vec<Program>,
    bytes: usize,
    /// Groups, with their stretches that have a program.
    groups: Vec<(&'p Group, Vec<bool>)>,
}

/// No plan has more machine code.
const CODE: usize = 16 << 20;

impl Programs<'_> {
    /// Has the groups use the code at the level.
    pub fn link(mut self, level: Level) {
        let kernels = emit::link(std::mem::take(&mut self.programs));
        self.give(level, kernels);
    }

    /// Gives the groups the kernels of their programs; without memory that may be executed they go on without.
    pub fn give(self, level: Level, kernels: Option<Vec<Kernel>>) {
        let mut kernels = kernels.unwrap_or_default().into_iter();
        for (group, made) in self.groups {
            let kernels = made.iter().map(|&made| made.then(|| kernels.next()).flatten()).collect();
            // Another state of the plan may have been first.
            let _ = group.kernels[level.number()].set(kernels);
        }
    }
}

/// So much work, in elements times instructions, is worth a chunk.
const GRAIN: usize = 1 << 16;
/// No group has more chunks.
const CHUNKS: usize = 32;

/// The number of elements of a chunk: by shape alone, so that sums are the same for any number of threads.
pub fn chunk(tape: &Tape) -> usize {
    let actions = tape.code.iter().map(|code| match code.duty {
        Duty::Stretch(number) => tape.stretches[number as usize].recipe.steps.len(),
        _ => 1,
    });
    let work = tape.count.saturating_mul(actions.sum::<usize>().max(1));
    let widest = tape.ends.iter().map(|end| end.size).max().unwrap_or(1);
    let most = (tape.count / widest.saturating_mul(4).max(1)).clamp(1, CHUNKS);
    let chunks = (work / GRAIN).clamp(1, most);
    tape.count.div_ceil(chunks).next_multiple_of(tape.tile.max(1)).max(1)
}

/// The number of chunks of a tape.
pub fn chunks(tape: &Tape, chunk: usize) -> usize {
    tape.count.div_ceil(chunk).max(1)
}

/// Bytes of the parts that the chunks leave of an end.
pub fn part_bytes(tape: &Tape, end: usize, chunk: usize) -> usize {
    let size = if tape.dtype == DType::F32 { 4 } else { 8 };
    tape.ends[end].size * size * chunks(tape, chunk)
}

impl Group {
    /// The number of pieces that may run at the same time.
    pub fn pieces(&self) -> usize {
        chunks(&self.tape, self.chunk)
    }

    /// Runs one piece.
    pub fn piece(&self, memory: Shared<'_>, engine: &Engine, piece: usize) {
        match self.tape.dtype {
            DType::F64 => self.typed::<f64>(memory, engine, piece),
            _ => self.typed::<f32>(memory, engine, piece),
        }
    }

    /// Joins what the pieces left of the ends.
    pub fn finish(&self, memory: Shared<'_>, engine: &Engine) {
        if self.pieces() == 1 {
            return;
        }
        match self.tape.dtype {
            DType::F64 => self.join::<f64>(memory, engine),
            _ => self.join::<f32>(memory, engine),
        }
    }

    /// Makes machine code of the stretches for the level of the engine, where there is none yet.
    pub fn programs<'p>(&'p self, engine: &Engine, programs: &mut Programs<'p>) {
        if self.kernels[engine.level.number()].get().is_some() {
            return;
        }
        let mut made = Vec::with_capacity(self.tape.stretches.len());
        for stretch in &self.tape.stretches {
            let Tape { count, width, tile, .. } = self.tape;
            let wanted = engine.emit == Emit::Always || stretch.pays(count, width);
            let elements = stretch.elements(tile.min(count), width);
            let program = (wanted && programs.bytes < CODE).then(|| match self.tape.dtype {
                DType::F64 => emit::program::<f64>(engine.level, &stretch.recipe, elements),
                _ => emit::program::<f32>(engine.level, &stretch.recipe, elements),
            });
            let program = program.flatten();
            made.push(program.is_some());
            if let Some(program) = program {
                programs.bytes += program.bytes();
                programs.programs.push(program);
            }
        }
        programs.groups.push((self, made));
    }

    /// Floating-point operations: one for each element and instruction.
    pub fn flops(&self) -> f64 {
        let tape = &self.tape;
        let rows = tape.count / tape.width.max(1);
        let of = |code: &Code| {
            let count = if code.by_row { rows } else { tape.count } as f64;
            match code.duty {
                Duty::Map(_) => count,
                Duty::Stretch(number) => {
                    count * tape.stretches[number as usize].recipe.steps.len() as f64
                }
                Duty::Fold(_) | Duty::End(_) => tape.count as f64,
                _ => 0.0,
            }
        };
        tape.code.iter().map(of).sum()
    }

    /// Bytes read and written.
    pub fn bytes(&self) -> f64 {
        let tape = &self.tape;
        let size = if tape.dtype == DType::F64 { 8 } else { 4 };
        let rows = tape.count / tape.width.max(1);
        let count = |by_row: bool| if by_row { rows } else { tape.count };
        let read: usize = tape
            .ports
            .iter()
            .zip(&self.ports)
            .map(|(port, &(_, len))| count(port.by_row).min(len))
            .sum();
        let written: usize = tape.outs.iter().map(|out| count(out.by_row)).sum();
        let ends: usize = tape.ends.iter().map(|end| end.size).sum();
        ((read + written + ends) * size) as f64
    }

    fn join<T: Float>(&self, memory: Shared<'_>, engine: &Engine) {
        let pieces = self.pieces();
        for (end, &(to, parts)) in self.tape.ends.iter().zip(&self.ends) {
            let parts = memory.span::<T>(parts, end.size * pieces);
            let to = memory.span::<T>(to, end.size);
            to.write().fill(fold::identity(end.kind));
            spans::accumulate(engine.level, end.kind, parts, 0, to);
        }
    }

    fn typed<T: Float>(&self, memory: Shared<'_>, engine: &Engine, piece: usize) {
        let tape = &self.tape;
        let registers = (tape.registers + 1) * stride::<T>(tape.tile) * size_of::<T>();
        let kernels = match engine.emit {
            Emit::Never => &[],
            _ => self.kernels[engine.level.number()].get().map_or(&[][..], |kernels| kernels),
        };
        let most = tape.stretches.iter().enumerate().map(|(number, stretch)| {
            match kernels.get(number).and_then(Option::as_ref) {
                Some(kernel) => kernel.scratch(),
                None => stretch.locals * stride::<T>(stretch.tile) * size_of::<T>(),
            }
        });
        let bytes = registers + most.max().unwrap_or(0);
        with_scratch(bytes, |scratch| {
            let machine = Machine::<T> {
                group: self,
                kernels,
                memory,
                engine,
                scratch,
                inner: scratch.within(registers, bytes - registers),
                tile: stride::<T>(tape.tile),
                life: PhantomData,
            };
            let from = piece * self.chunk;
            let to = (from + self.chunk).min(tape.count);
            for (end, &(_, parts)) in tape.ends.iter().zip(&self.ends) {
                let part = memory.span::<T>(parts, end.size * self.pieces());
                part.part(piece * end.size, end.size).write().fill(fold::identity(end.kind));
            }
            let mut start = from;
            while start < to {
                let count = tape.tile.min(to - start);
                machine.tile(Tile {
                    start,
                    count,
                    inner: 0,
                    local: 0,
                    row: start / tape.width,
                    rows: count / tape.width,
                    piece,
                    first: start == from,
                });
                start += count;
            }
        });
    }
}

/// Registers start on cache lines.
fn stride<T>(tile: usize) -> usize {
    tile.next_multiple_of(64 / size_of::<T>())
}

/// Part of the space.
#[derive(Clone, Copy)]
struct Tile {
    start: usize,
    count: usize,
    /// The number of elements of the registers before it.
    inner: usize,
    /// Elements from local register to local register.
    local: usize,
    row: usize,
    rows: usize,
    piece: usize,
    /// Whether it is the first of its piece.
    first: bool,
}

impl Tile {
    fn range(&self, by_row: bool) -> (usize, usize) {
        if by_row { (self.row, self.rows) } else { (self.start, self.count) }
    }
}

struct Machine<'a, T> {
    group: &'a Group,
    /// The machine code of the stretches.
    kernels: &'a [Option<Kernel>],
    memory: Shared<'a>,
    engine: &'a Engine,
    scratch: Shared<'a>,
    /// Memory for the inside of stretches.
    inner: Shared<'a>,
    /// Elements from register to register.
    tile: usize,
    life: PhantomData<T>,
}

impl<T: Float> Machine<'_, T> {
    fn tile(&self, tile: Tile) {
        for code in &self.group.tape.code {
            self.step(code, tile);
        }
    }

    fn stretch(&self, number: usize, tile: Tile) {
        let stretch = &self.group.tape.stretches[number];
        let by_row = stretch.by_row;
        if let Some(Some(kernel)) = self.kernels.get(number) {
            let inputs: SmallVec<[Source<T>; STREAMS]> =
                stretch.inputs.iter().map(|&place| self.source(place, by_row, tile)).collect();
            let outputs: SmallVec<[Span<T>; STREAMS]> =
                stretch.outputs.iter().map(|&place| self.target(place, by_row, tile)).collect();
            kernel.run(&inputs, &outputs, self.inner);
            return;
        }
        let (first, all) = tile.range(by_row);
        let local = stride::<T>(stretch.tile);
        let mut done = 0;
        while done < all {
            let (start, count) = (first + done, stretch.tile.min(all - done));
            let part = match by_row {
                true => Tile { row: start, rows: count, inner: done, local, ..tile },
                false => Tile { start, count, inner: done, local, ..tile },
            };
            stretch.code.iter().for_each(|code| self.step(code, part));
            done += count;
        }
    }

    fn register(&self, number: u32, inner: usize, count: usize) -> Span<T> {
        self.scratch.span((number as usize * self.tile + inner) * size_of::<T>(), count)
    }

    fn source(&self, place: Place, by_row: bool, tile: Tile) -> Source<T> {
        let (start, count) = tile.range(by_row);
        match place {
            Place::Number(value) => Source::Number(T::of_f64(value)),
            Place::Register(number) => Source::Span(self.register(number, tile.inner, count)),
            Place::Local(number) => {
                let first = number as usize * tile.local * size_of::<T>();
                Source::Span(self.inner.span(first, count))
            }
            Place::Port(port) => {
                let layout = &self.group.tape.ports[port as usize].layout;
                let at = self.group.ports[port as usize].0;
                let first = layout.offset as usize + start;
                Source::Span(self.memory.span(at + first * size_of::<T>(), count))
            }
            Place::Single(port) => {
                let port = port as usize;
                let (at, place) =
                    (self.group.ports[port].0, self.group.tape.ports[port].layout.offset as usize);
                Source::Number(match self.group.tape.ports[port].truth {
                    true => truth(self.memory.span::<bool>(at + place, 1).read()[0]),
                    false => self.memory.span::<T>(at + place * size_of::<T>(), 1).read()[0],
                })
            }
            Place::Out(out) => {
                let at = self.group.outs[out as usize];
                Source::Span(self.memory.span(at + start * size_of::<T>(), count))
            }
        }
    }

    fn target(&self, place: Place, by_row: bool, tile: Tile) -> Span<T> {
        match self.source(place, by_row, tile) {
            Source::Span(span) => span,
            Source::Number(_) => unreachable!("only spans are written and folded"),
        }
    }

    fn step(&self, code: &Code, tile: Tile) {
        let source = |place: usize| self.source(code.args[place], code.by_row, tile);
        match code.duty {
            Duty::Map(action) => {
                let to = self.target(code.to, code.by_row, tile);
                let args = [source(0), source(1), source(2)];
                spans::apply(self.engine.level, self.engine.math, action, args, to);
            }
            Duty::Stretch(number) => self.stretch(number as usize, tile),
            Duty::Load(port) => self.load(port as usize, code, tile),
            Duty::LoadOnce(port) if tile.first => self.load(port as usize, code, tile),
            Duty::LoadOnce(_) => {}
            Duty::Spread => {
                let (x, to) =
                    (self.target(code.args[0], true, tile), self.target(code.to, false, tile));
                spans::spread(x, self.group.tape.width, to);
            }
            Duty::Fold(kind) => {
                let (x, to) =
                    (self.target(code.args[0], false, tile), self.target(code.to, true, tile));
                spans::fold_rows(self.engine.level, kind, x, self.group.tape.width, to);
            }
            Duty::End(number) => {
                self.end(number as usize, self.target(code.args[0], code.by_row, tile), tile);
            }
            Duty::Store(out) => {
                let (start, count) = tile.range(code.by_row);
                let to = self.memory.span::<bool>(self.group.outs[out as usize] + start, count);
                spans::store_truth(source(0), to);
            }
        }
    }

    fn load(&self, number: usize, code: &Code, tile: Tile) {
        let port = &self.group.tape.ports[number];
        let (at, len) = self.group.ports[number];
        let (start, count) = tile.range(port.by_row);
        let to = self.target(code.to, port.by_row, tile);
        if port.truth {
            let from = self.memory.span::<bool>(at, len);
            lines(&port.layout, start, count, |at, steps, width, part| {
                spans::gather(from, at, steps, width, to.part(part.start, part.len()), truth::<T>);
            });
        } else if let Some((first, step, width)) = columns(&port.layout, start, count) {
            spans::transpose(self.memory.span::<T>(at, len), first, step, width, to);
        } else {
            let from = self.memory.span::<T>(at, len);
            lines(&port.layout, start, count, |at, steps, width, part| {
                spans::gather(from, at, steps, width, to.part(part.start, part.len()), |x: T| x);
            });
        }
    }

    fn end(&self, number: usize, x: Span<T>, tile: Tile) {
        let end = &self.group.tape.ends[number];
        let parts = self.group.ends[number].1;
        let part = self.memory.span::<T>(parts, end.size * self.group.pieces());
        let sums = part.part(tile.piece * end.size, end.size);
        let (level, at) = (self.engine.level, tile.range(end.by_row).0 % end.size);
        if end.size * 4 > x.len() {
            return spans::accumulate(level, end.kind, x, at, sums);
        }
        // Sums of sums: rounding errors grow with the number of tiles, not of rows.
        let inner = self.register(self.group.tape.registers as u32, 0, end.size);
        inner.write().fill(fold::identity(end.kind));
        spans::accumulate(level, end.kind, x, at, inner);
        spans::accumulate(level, end.kind, inner, 0, sums);
    }
}

fn truth<T: Float>(holds: bool) -> T {
    if holds { T::one() } else { T::zero() }
}

/// The first element, the distance of columns and their number, if the elements are whole rows of a matrix that lies by
/// columns.
fn columns(layout: &Layout, start: usize, count: usize) -> Option<(usize, usize, usize)> {
    let (&[_, width], &[1, step]) = (&layout.sizes[..], &layout.steps[..]) else { return None };
    let whole = width > 1 && start.is_multiple_of(width) && count.is_multiple_of(width);
    let first = usize::try_from(layout.offset).ok()? + start.checked_div(width)?;
    let step = usize::try_from(step).ok()?;
    whole.then_some((first, step, width))
}

/// Rows of elements of a layout, from element `start` on: the place of the first, the steps from row to row and along them,
/// their width, and which of the elements they are.
fn lines(
    layout: &Layout,
    start: usize,
    count: usize,
    mut rows: impl FnMut(isize, (isize, isize), usize, Range<usize>),
) {
    let (sizes, steps) = (&layout.sizes, &layout.steps);
    let rank = sizes.len();
    let Some(last) = rank.checked_sub(1) else {
        return rows(layout.offset, (0, 0), count, 0..count);
    };
    let mut index: super::layout::Sizes = smallvec::SmallVec::from_elem(0, rank);
    let (mut rest, mut place) = (start, layout.offset);
    for axis in (0..rank).rev() {
        index[axis] = rest % sizes[axis];
        rest /= sizes[axis];
        place += index[axis] as isize * steps[axis];
    }
    let mut done = 0;
    while done < count {
        let left = count - done;
        // Whole rows up to the end of the axis before the last one, or a part of a row.
        let whole = last > 0 && index[last] == 0 && left >= sizes[last];
        let mut axis = if whole { last - 1 } else { last };
        let (width, down) = match whole {
            true => (sizes[last], steps[axis]),
            false => ((sizes[last] - index[last]).min(left), 0),
        };
        let moved = if whole { (left / width).min(sizes[axis] - index[axis]) } else { width };
        let taken = if whole { moved * width } else { width };
        rows(place, (down, steps[last]), width, done..done + taken);
        done += taken;
        index[axis] += moved;
        place += moved as isize * steps[axis];
        while index[axis] == sizes[axis] && axis > 0 {
            place -= steps[axis] * sizes[axis] as isize;
            index[axis] = 0;
            axis -= 1;
            index[axis] += 1;
            place += steps[axis];
        }
    }
}
