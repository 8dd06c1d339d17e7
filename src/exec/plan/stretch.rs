//! The order of a tape, in which actions stand together as far as they can, and each stretch of them is one instruction.

use super::tape::{Code, Duty, Place, Tape};
use crate::exec::kernels::emit::{Arg, Recipe, STREAMS, Step};
use rustc_hash::FxHashMap;
use smallvec::{SmallVec, smallvec};

/// Actions one after the other, as one instruction.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Over one element for each row, instead of all.
    pub by_row: bool,
    /// The actions, for a machine that takes them one by one.
    pub code: Vec<Code>,
    /// The number of local registers.
    pub locals: usize,
    /// So many elements at a time go through the actions one by one.
    pub tile: usize,
    /// The actions, for a machine that takes all at once.
    pub recipe: Recipe,
    /// What is read.
    pub inputs: Vec<Place>,
    /// What is written.
    pub outputs: Vec<Place>,
}

impl Stretch {
    /// Gives back the room that it has grown into.
    pub fn shrink(&mut self) {
        self.recipe.inputs.shrink_to_fit();
        self.recipe.steps.shrink_to_fit();
        self.inputs.shrink_to_fit();
        self.outputs.shrink_to_fit();
    }
}

/// No stretch is longer: its code has to fit a cache.
const LONGEST: usize = 256;
/// About so many bytes of registers are in use at a time.
const REGISTERS: usize = 24 << 10;

/// Orders the instructions of a tape by what they wait for: a fold of rows ends a stage. In a stage come folds, what is done
/// with numbers of rows, loads, actions on all elements, and what only reads.
pub fn order(tape: &mut Tape) {
    let mut producer: FxHashMap<Key, usize> = FxHashMap::default();
    let mut stage = vec![0usize; tape.code.len()];
    let mut first = vec![usize::MAX; tape.code.len()];
    for (at, code) in tape.code.iter().enumerate() {
        let folds = usize::from(matches!(code.duty, Duty::Fold(_)));
        let from: SmallVec<[usize; 3]> =
            code.args.iter().filter_map(|&place| producer.get(&key(place)?).copied()).collect();
        stage[at] = from.iter().map(|&from| stage[from]).max().unwrap_or(0) + folds;
        for &from in &from {
            first[from] = first[from].min(stage[at] - folds);
        }
        if let Some(key) = key(code.to) {
            producer.insert(key, at);
        }
    }
    let rank = |code: &Code| match code.duty {
        Duty::Fold(_) => 0,
        Duty::Load(_) | Duty::LoadOnce(_) if code.by_row => 0,
        Duty::Map(_) if code.by_row => 1,
        Duty::Load(_) | Duty::LoadOnce(_) | Duty::Spread => 2,
        Duty::Map(_) | Duty::Stretch(_) => 3,
        Duty::End(_) | Duty::Store(_) => 4,
    };
    let mut order: Vec<usize> = (0..tape.code.len()).collect();
    order.sort_by_key(|&at| {
        let code = &tape.code[at];
        let late = matches!(code.duty, Duty::Load(_) | Duty::LoadOnce(_) | Duty::Spread);
        let stage =
            if late && first[at] != usize::MAX { first[at].max(stage[at]) } else { stage[at] };
        (stage, rank(code), at)
    });
    tape.code = order.into_iter().map(|at| tape.code[at]).collect();
    for (at, code) in tape.code.iter().enumerate() {
        for &place in &code.args {
            if let Place::Port(port) | Place::Single(port) = place {
                tape.ports[port as usize].last = at;
            }
        }
        if let (Place::Out(out), _) | (_, Duty::Store(out)) = (code.to, code.duty) {
            tape.outs[out as usize].by = at;
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Register(u32),
    Port(u32),
    Out(u32),
    Single(u32),
}

fn key(place: Place) -> Option<Key> {
    match place {
        Place::Register(number) => Some(Key::Register(number)),
        Place::Port(number) => Some(Key::Port(number)),
        Place::Out(number) => Some(Key::Out(number)),
        Place::Single(number) => Some(Key::Single(number)),
        Place::Local(_) | Place::Number(_) => None,
    }
}

/// Makes one instruction of actions that follow each other, in a tape with `registers` registers, each written once.
pub fn stretches(tape: &mut Tape, registers: u32) {
    let code = std::mem::take(&mut tape.code);
    let is_map = |code: &Code| matches!(code.duty, Duty::Map(_));
    // The stretch in which a register is written, and the one beyond which it is read.
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    let mut start = 0;
    while start < code.len() {
        let by_row = code[start].by_row;
        let alike = |code: &&Code| is_map(code) && code.by_row == by_row;
        let count = code[start..].iter().take(LONGEST).take_while(alike).count();
        ranges.push((start, start + count.max(1)));
        start += count.max(1);
    }
    const APART: usize = usize::MAX;
    let mut within = vec![APART; registers as usize];
    let mut shared = vec![false; registers as usize];
    for (number, &(start, end)) in ranges.iter().enumerate() {
        for code in &code[start..end] {
            for place in &code.args {
                if let Place::Register(register) = place {
                    shared[*register as usize] |= within[*register as usize] != number;
                }
            }
            if let Place::Register(register) = code.to {
                within[register as usize] = number;
            }
        }
    }
    for (start, end) in ranges {
        if end - start < 2 {
            tape.code.extend_from_slice(&code[start..end]);
            continue;
        }
        tape.stretches.push(stretch(&code[start..end], &shared));
        let nothing = Place::Number(0.0);
        tape.code.push(Code {
            duty: Duty::Stretch(tape.stretches.len() as u32 - 1),
            by_row: code[start].by_row,
            args: [nothing; 3],
            to: nothing,
        });
    }
}

fn stretch(code: &[Code], shared: &[bool]) -> Stretch {
    let mut stretch = Stretch {
        by_row: code[0].by_row,
        code: Vec::with_capacity(code.len()),
        locals: 0,
        tile: 0,
        recipe: Recipe::default(),
        inputs: Vec::new(),
        outputs: Vec::new(),
    };
    let mut steps: FxHashMap<Key, u32> = FxHashMap::default();
    let mut streams: FxHashMap<Key, u16> = FxHashMap::default();
    for (step, code) in code.iter().enumerate() {
        let Duty::Map(action) = code.duty else { continue };
        let mut args = [Arg::Number(0.0); 3];
        for (arg, &place) in args.iter_mut().zip(&code.args[..action.arity()]) {
            *arg = match (place, key(place)) {
                (Place::Number(number), _) => Arg::Number(number),
                (_, Some(key)) if steps.contains_key(&key) => Arg::Step(steps[&key]),
                (_, Some(key)) => Arg::Stream(*streams.entry(key).or_insert_with(|| {
                    stretch.inputs.push(place);
                    stretch.recipe.inputs.push(matches!(place, Place::Single(_)));
                    stretch.inputs.len() as u16 - 1
                })),
                (_, None) => continue,
            };
        }
        let kept = match code.to {
            Place::Register(register) => shared[register as usize],
            _ => true,
        };
        let to = kept.then(|| {
            stretch.outputs.push(code.to);
            stretch.outputs.len() as u16 - 1
        });
        if let Some(key) = key(code.to) {
            steps.insert(key, step as u32);
        }
        stretch.recipe.steps.push(Step { action, args, to });
        let local = |place: Place| match place {
            Place::Register(register) if !shared[register as usize] => Place::Local(register),
            place => place,
        };
        let mut args = [Place::Number(0.0); 3];
        for (to, &place) in args.iter_mut().zip(&code.args[..action.arity()]) {
            *to = local(place);
        }
        stretch.code.push(Code { args, to: local(code.to), ..*code });
    }
    stretch.recipe.outputs = stretch.outputs.len();
    stretch
}

/// What an instruction reads and writes beyond its own stretch.
fn reads(code: &Code, stretches: &[Stretch]) -> SmallVec<[Place; 4]> {
    match code.duty {
        Duty::Stretch(number) => stretches[number as usize].inputs.as_slice().into(),
        _ => code.args.as_slice().into(),
    }
}

fn writes(code: &Code, stretches: &[Stretch]) -> SmallVec<[Place; 4]> {
    match code.duty {
        Duty::Stretch(number) => stretches[number as usize].outputs.as_slice().into(),
        _ => smallvec![code.to],
    }
}

/// What an instruction does with registers.
struct Access {
    reads: SmallVec<[u32; 4]>,
    writes: SmallVec<[u32; 4]>,
    /// It may write where an operand lies that nothing reads any more.
    in_place: bool,
    /// What it writes stays.
    kept: bool,
}

/// Numbers registers anew, of which each of `count` is written once: each is free again after its last use.
fn assign(count: u32, accesses: &[Access]) -> (Vec<u32>, usize) {
    let mut last = vec![0usize; count as usize];
    for (at, access) in accesses.iter().enumerate() {
        for &register in access.reads.iter().chain(&access.writes) {
            let known = &mut last[register as usize];
            *known = if access.kept { usize::MAX } else { at.max(*known) };
        }
    }
    let (mut real, mut free, mut used) = (vec![u32::MAX; count as usize], Vec::new(), 0);
    for (at, access) in accesses.iter().enumerate() {
        let mut gone: SmallVec<[u32; 4]> = SmallVec::new();
        for &register in &access.reads {
            let known = real[register as usize];
            if last[register as usize] == at && !gone.contains(&known) {
                gone.push(known);
            }
        }
        if access.in_place {
            free.extend(gone.drain(..));
        }
        for &register in &access.writes {
            // What stays is not to be written over by what comes before it in the next tile.
            let to = if access.kept { used } else { free.pop().unwrap_or(used) };
            used = used.max(to + 1);
            real[register as usize] = to;
        }
        for &register in &access.writes {
            if last[register as usize] == at {
                free.push(real[register as usize]);
            }
        }
        free.extend(gone);
    }
    (real, used as usize)
}

/// Gives the registers of a tape, `count` that are written once each, their final numbers.
pub fn allocate(tape: &mut Tape, count: u32) {
    let registers = |places: SmallVec<[Place; 4]>| {
        let register =
            |place| if let Place::Register(number) = place { Some(number) } else { None };
        places.into_iter().filter_map(register).collect()
    };
    let accesses: Vec<Access> = tape
        .code
        .iter()
        .map(|code| Access {
            reads: registers(reads(code, &tape.stretches)),
            writes: registers(writes(code, &tape.stretches)),
            in_place: matches!(code.duty, Duty::Map(_)),
            kept: matches!(code.duty, Duty::LoadOnce(_)),
        })
        .collect();
    let (real, used) = assign(count, &accesses);
    tape.registers = used;
    let rename = |place: &mut Place| {
        if let Place::Register(number) = place {
            *number = real[*number as usize];
        }
    };
    for code in &mut tape.code {
        code.args.iter_mut().chain([&mut code.to]).for_each(rename);
    }
    for stretch in &mut tape.stretches {
        stretch.inputs.iter_mut().chain(&mut stretch.outputs).for_each(rename);
        stretch
            .code
            .iter_mut()
            .flat_map(|code| code.args.iter_mut().chain([&mut code.to]))
            .for_each(rename);
        locals(stretch);
        let size = if tape.dtype == crate::tensor::DType::F32 { 4 } else { 8 };
        let streams = stretch.locals + stretch.inputs.len() + stretch.outputs.len();
        stretch.tile = (REGISTERS / size / streams.max(1)).max(64).next_multiple_of(16);
    }
}

/// Numbers the local registers of a stretch.
fn locals(stretch: &mut Stretch) {
    let mut known: FxHashMap<u32, u32> = FxHashMap::default();
    for code in &mut stretch.code {
        for place in code.args.iter_mut().chain([&mut code.to]) {
            if let Place::Local(number) = place {
                let next = known.len() as u32;
                *number = *known.entry(*number).or_insert(next);
            }
        }
    }
    let local = |place: &Place| if let Place::Local(number) = place { Some(*number) } else { None };
    let accesses: Vec<Access> = stretch
        .code
        .iter()
        .map(|code| Access {
            reads: code.args.iter().filter_map(local).collect(),
            writes: local(&code.to).into_iter().collect(),
            in_place: true,
            kept: false,
        })
        .collect();
    let (real, used) = assign(known.len() as u32, &accesses);
    stretch.locals = used;
    for code in &mut stretch.code {
        for place in code.args.iter_mut().chain([&mut code.to]) {
            if let Place::Local(number) = place {
                *number = real[*number as usize];
            }
        }
    }
}

impl Stretch {
    /// How many elements it goes over, of `count` in rows of `width`.
    pub fn elements(&self, count: usize, width: usize) -> usize {
        if self.by_row { count / width.max(1) } else { count }
    }

    /// Whether machine code pays for `count` elements in rows of `width`.
    pub fn pays(&self, count: usize, width: usize) -> bool {
        let count = self.elements(count, width);
        self.inputs.len() + self.outputs.len() <= STREAMS
            && count.saturating_mul(self.recipe.steps.len()) >= LEAST
    }
}

/// So many actions on single elements are worth the making of machine code.
const LEAST: usize = 1 << 13;
