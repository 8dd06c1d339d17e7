//! A program as the body of a loop: registers for its values, and memory for what they have no room for.
//!
//! Several vectors go through the program side by side, so that none waits for another. Of the values in registers the one
//! that is needed last makes room; what is a constant or lies in a stream needs no other place.

use super::encode::{Base, Code, Form, More, Rm};
use super::trace::{Binary, Op, Unary};
use rustc_hash::FxHashMap;

/// A compiled program.
#[derive(Debug)]
pub struct Body {
    /// Instructions and constants.
    pub bytes: Vec<u8>,
    /// The number of vectors that memory beside the registers has to hold.
    pub spills: usize,
    /// The number of elements that go through the program at once.
    pub block: usize,
}

/// Slots are counted from so many behind the address, which makes the most of short distances.
pub const BIAS: usize = 128;

/// A processor looks some hundreds of instructions ahead: of a round of more it does not see the next while results are awaited.
const FAR: usize = 1024;

/// How many vectors of so many elements go through `count` instructions side by side, where these are run for about so many
/// `elements`: more of them where the program is long.
fn side_by_side(count: usize, wide: bool, vector: usize, elements: usize) -> usize {
    let few = if wide { 4 } else { 2 };
    let vectors = |lanes: usize| elements.div_ceil(lanes * vector) * lanes;
    let many = 2 * few;
    if few * count > FAR && 3 * vectors(many) <= 4 * vectors(few) { many } else { few }
}

/// The loop over a program of f64, or f32, in vectors of 512 bits, or 256, for about so many `elements` a call.
pub fn assign(ops: &[Op], wide: bool, double: bool, elements: usize) -> Body {
    let mut uses = vec![Vec::new(); ops.len()];
    let mut needed: Vec<bool> = ops.iter().map(|op| matches!(op, Op::Store(..))).collect();
    for at in (0..ops.len()).rev() {
        if !needed[at] {
            continue;
        }
        for &operand in operands(&ops[at]).as_slice() {
            uses[operand as usize].push(at as u32);
            needed[operand as usize] = true;
        }
        uses[at].reverse();
    }
    let code = Code::new(wide);
    let (size, vector) = (if double { 8 } else { 4 }, code.vector());
    let each = vector as usize / size;
    let instructions = needed.iter().filter(|needed| **needed).count();
    let lanes = side_by_side(instructions, wide, each, elements);
    let count = ops.len() * lanes;
    let mut writer = Writer {
        ops,
        double,
        lanes,
        uses,
        code,
        held: vec![None; if wide { 32 } else { 16 }],
        register: vec![None; count],
        slot: vec![None; count],
        free: Vec::new(),
        slots: 0,
        pool: FxHashMap::default(),
        constants: Vec::new(),
        stream: None,
        at: 0,
        lane: 0,
        pinned: Vec::new(),
    };
    for (at, &op) in ops.iter().enumerate() {
        for lane in 0..lanes {
            (writer.at, writer.lane) = (at as u32, lane);
            writer.op(op);
        }
    }
    writer.code.end(vector * lanes as i32);
    writer.code.pool(&writer.constants, size);
    let block = each * lanes;
    Body { bytes: writer.code.bytes, spills: writer.slots as usize, block }
}

fn operands(op: &Op) -> smallvec::SmallVec<[u32; 4]> {
    match op {
        Op::Input(_) | Op::Single(_) | Op::Const(_) => smallvec::smallvec![],
        Op::Unary(_, a) | Op::Store(a, _) => smallvec::smallvec![*a],
        Op::Binary(_, a, b) => smallvec::smallvec![*a, *b],
        Op::Fma(_, all) | Op::Copysign(all) => all[..].into(),
        Op::Pick(_, all) => all[..].into(),
    }
}

struct Writer<'a> {
    ops: &'a [Op],
    double: bool,
    lanes: usize,
    /// For each value the instructions that read it, in order.
    uses: Vec<Vec<u32>>,
    code: Code,
    /// What the registers hold.
    held: Vec<Option<usize>>,
    /// Where values are: by number, for each lane.
    register: Vec<Option<u8>>,
    slot: Vec<Option<u32>>,
    free: Vec<u32>,
    slots: u32,
    pool: FxHashMap<u64, u32>,
    constants: Vec<u64>,
    /// The stream whose address is at hand.
    stream: Option<u16>,
    at: u32,
    lane: usize,
    /// Registers of the present instruction.
    pinned: Vec<u8>,
}

impl Writer<'_> {
    fn op(&mut self, op: Op) {
        let unused = self.uses[self.at as usize].is_empty() && !matches!(op, Op::Store(..));
        if unused || matches!(op, Op::Input(_) | Op::Single(_) | Op::Const(_)) {
            return;
        }
        self.pinned.clear();
        let target = match op {
            Op::Store(value, stream) => {
                let from = self.fetch(value);
                self.point(stream);
                let to = Rm::At(Base::Stream, self.lane as i32 * self.code.vector());
                self.code.vector_op(float(1, 0, 0x11, false), from, 0, to, More::default());
                None
            }
            Op::Unary(Unary::Left(by), a) => Some(self.shift(6, by, a)),
            Op::Unary(Unary::Right(by), a) => Some(self.shift(2, by, a)),
            Op::Unary(unary, a) => {
                let (form, immediate) = self.unary(unary);
                let from = self.operand(a);
                let to = self.target(&[a]);
                self.emit(form, to, 0, from, immediate);
                Some(to)
            }
            Op::Binary(binary, a, b) => {
                let commutes = !matches!(
                    binary,
                    Binary::Sub
                        | Binary::Div
                        | Binary::Max
                        | Binary::Min
                        | Binary::AndNot
                        | Binary::Scale
                        | Binary::IntSub
                );
                let swap = commutes && self.resident(a).is_none() && self.resident(b).is_some();
                let (a, b) = if swap { (b, a) } else { (a, b) };
                let first = self.fetch(a);
                let second = self.operand(b);
                let to = self.target(&[a, b]);
                self.emit(self.binary(binary), to, first, second, None);
                Some(to)
            }
            Op::Fma(negated, [a, b, c]) => Some(self.fma(negated, a, b, c)),
            Op::Copysign([x, sign, bit]) => {
                let to = self.own(x);
                let second = self.fetch(sign);
                let bit = self.operand(bit);
                // The sign where the bit is, else x.
                self.emit(self.packed(3, 0x25), to, second, bit, Some(0xD8));
                Some(to)
            }
            Op::Pick(how, [yes, no, a, b]) => Some(self.pick(how as u8, [yes, no, a, b])),
            Op::Input(_) | Op::Single(_) | Op::Const(_) => None,
        };
        for operand in operands(&op) {
            if !self.lives(operand) {
                self.release(operand);
            }
        }
        if let Some(to) = target {
            let place = self.at as usize * self.lanes + self.lane;
            self.register[place] = Some(to);
            self.held[to as usize] = Some(place);
        }
    }

    fn emit(&mut self, form: Form, reg: u8, second: u8, rm: Rm, immediate: Option<u8>) {
        let size = if self.double { 8 } else { 4 };
        let one = matches!(rm, Rm::Pool(_) | Rm::At(Base::Single, _));
        let more = More { immediate, mask: 0, broadcast: one.then_some(size) };
        self.code.vector_op(form, reg, second, rm, more);
    }

    /// A form whose operands are f32 or f64 by the bit W.
    fn packed(&self, map: u8, opcode: u8) -> Form {
        float(map, 1, opcode, self.double)
    }

    /// A form of the first map, where f64 has a prefix; only AVX-512 has the bit W too.
    fn plain(&self, opcode: u8) -> Form {
        float(1, u8::from(self.double), opcode, self.double && self.code.wide)
    }

    fn unary(&self, unary: Unary) -> (Form, Option<u8>) {
        match unary {
            Unary::Round(how) => {
                let opcode = 0x08 + u8::from(self.double);
                (float(3, 1, opcode, self.double && self.code.wide), Some(how))
            }
            Unary::Mantissa => (self.packed(3, 0x26), Some(3)),
            Unary::Exponent => (self.packed(2, 0x42), None),
            _ => (self.plain(0x51), None),
        }
    }

    fn binary(&self, binary: Binary) -> Form {
        let int = |single: u8, double: u8| {
            float(1, 1, if self.double { double } else { single }, self.double && self.code.wide)
        };
        match binary {
            Binary::Add => self.plain(0x58),
            Binary::Mul => self.plain(0x59),
            Binary::Sub => self.plain(0x5C),
            Binary::Min => self.plain(0x5D),
            Binary::Div => self.plain(0x5E),
            Binary::Max => self.plain(0x5F),
            Binary::And => self.plain(0x54),
            Binary::AndNot => self.plain(0x55),
            Binary::Or => self.plain(0x56),
            Binary::Xor => self.plain(0x57),
            Binary::Scale => self.packed(2, 0x2C),
            Binary::IntAdd => int(0xFE, 0xD4),
            Binary::IntSub => int(0xFA, 0xFB),
        }
    }

    fn shift(&mut self, kind: u8, by: u8, a: u32) -> u8 {
        let from = self.fetch(a);
        let to = self.target(&[a]);
        let form =
            float(1, 1, if self.double { 0x73 } else { 0x72 }, self.double && self.code.wide);
        self.emit(form, kind, to, Rm::Reg(from), Some(by));
        to
    }

    fn fma(&mut self, negated: bool, a: u32, b: u32, c: u32) -> u8 {
        let negated = if negated { 4 } else { 0 };
        let own = |writer: &Self, x: u32| writer.resident(x).is_some() && !writer.lives(x);
        if own(self, c) && c != a && c != b {
            let swap = self.resident(a).is_none() && self.resident(b).is_some();
            let (a, b) = if swap { (b, a) } else { (a, b) };
            let to = self.fetch(c);
            let second = self.fetch(a);
            let third = self.operand(b);
            self.emit(self.packed(2, 0xB8 + negated), to, second, third, None);
            return to;
        }
        let (a, b) = if own(self, b) && !own(self, a) && b != c { (b, a) } else { (a, b) };
        let shared = a == b || a == c;
        let to = if shared { self.copy(a) } else { self.own(a) };
        if self.resident(b).is_none() && b != c {
            let second = self.fetch(c);
            let third = self.operand(b);
            self.emit(self.packed(2, 0x98 + negated), to, second, third, None);
        } else {
            let second = self.fetch(b);
            let third = self.operand(c);
            self.emit(self.packed(2, 0xA8 + negated), to, second, third, None);
        }
        to
    }

    fn pick(&mut self, how: u8, [yes, no, a, b]: [u32; 4]) -> u8 {
        let first = self.fetch(a);
        let second = self.operand(b);
        let form = self.plain(0xC2);
        if self.code.wide {
            let mask = 1 + (self.lane % 7) as u8;
            self.emit(form, mask, first, second, Some(how));
            let first = self.fetch(no);
            let second = self.operand(yes);
            let to = self.target(&[yes, no]);
            let size = if self.double { 8 } else { 4 };
            let one = matches!(second, Rm::Pool(_) | Rm::At(Base::Single, _));
            let more = More { immediate: None, mask, broadcast: one.then_some(size) };
            self.code.vector_op(self.packed(2, 0x65), to, first, second, more);
            return to;
        }
        let truth = self.room();
        self.emit(form, truth, first, second, Some(how));
        let first = self.fetch(no);
        let second = self.operand(yes);
        let to = self.target(&[yes, no]);
        let opcode = 0x4A + u8::from(self.double);
        self.emit(float(3, 1, opcode, false), to, first, second, Some(truth << 4));
        to
    }

    /// Where a value is noted: shared by the lanes where it is the same in all.
    fn place(&self, value: u32) -> usize {
        let shared = matches!(self.ops[value as usize], Op::Const(_) | Op::Single(_));
        value as usize * self.lanes + if shared { 0 } else { self.lane }
    }

    fn resident(&self, value: u32) -> Option<u8> {
        self.register[self.place(value)]
    }

    /// Whether the value is needed after the present instruction.
    fn lives(&self, value: u32) -> bool {
        let shared = matches!(self.ops[value as usize], Op::Const(_) | Op::Single(_));
        let last = self.uses[value as usize].last().copied().unwrap_or(0);
        last > self.at || shared && self.lane + 1 < self.lanes
    }

    /// When what a register holds is needed next.
    fn next(&self, place: usize) -> u32 {
        let (value, lane) = (place / self.lanes, place % self.lanes);
        let shared = matches!(self.ops[value], Op::Const(_) | Op::Single(_));
        let behind = if shared { self.lane + 1 < self.lanes } else { lane > self.lane };
        let uses = &self.uses[value];
        let first = uses.partition_point(|&at| at < self.at + u32::from(!behind));
        uses.get(first).copied().unwrap_or(u32::MAX)
    }

    fn release(&mut self, value: u32) {
        let place = self.place(value);
        if let Some(register) = self.register[place].take()
            && self.held[register as usize] == Some(place)
        {
            self.held[register as usize] = None;
        }
        self.free.extend(self.slot[place].take());
    }

    /// A register for the result, perhaps that of an operand that nothing needs any more.
    fn target(&mut self, operands: &[u32]) -> u8 {
        for &operand in operands {
            if !self.lives(operand)
                && let Some(register) = self.resident(operand)
            {
                return register;
            }
        }
        self.room()
    }

    /// A value in a register that the instruction may write over.
    fn own(&mut self, value: u32) -> u8 {
        match self.resident(value) {
            Some(register) if !self.lives(value) => {
                self.pinned.push(register);
                register
            }
            _ => self.copy(value),
        }
    }

    /// A copy of a value.
    fn copy(&mut self, value: u32) -> u8 {
        if let Some(from) = self.resident(value) {
            self.pinned.push(from);
            let to = self.room();
            let form = float(1, 0, 0x28, false);
            self.code.vector_op(form, to, 0, Rm::Reg(from), More::default());
            return to;
        }
        let to = self.room();
        self.load(value, to);
        to
    }

    /// A value in a register.
    fn fetch(&mut self, value: u32) -> u8 {
        if let Some(register) = self.resident(value) {
            self.pinned.push(register);
            return register;
        }
        let to = self.room();
        self.load(value, to);
        let place = self.place(value);
        self.register[place] = Some(to);
        self.held[to as usize] = Some(place);
        to
    }

    /// A value as a last operand, which may lie in memory; nothing may be fetched between it and the instruction.
    fn operand(&mut self, value: u32) -> Rm {
        let place = self.place(value);
        if self.register[place].is_none() {
            match self.ops[value as usize] {
                Op::Const(bits) => return Rm::Pool(self.constant(bits)),
                Op::Single(stream) if self.code.wide && !self.lives(value) => {
                    self.point(stream);
                    return Rm::At(Base::Single, 0);
                }
                Op::Input(stream) if !self.lives(value) => {
                    self.point(stream);
                    return Rm::At(Base::Stream, self.lane as i32 * self.code.vector());
                }
                _ => {}
            }
            if let Some(slot) = self.slot[place].filter(|_| !self.lives(value)) {
                return self.spilled(slot);
            }
        }
        Rm::Reg(self.fetch(value))
    }

    fn load(&mut self, value: u32, to: u8) {
        let spread = match self.double {
            true => float(2, 1, 0x19, self.code.wide),
            false => float(2, 1, 0x18, false),
        };
        match self.ops[value as usize] {
            Op::Const(bits) => {
                let from = Rm::Pool(self.constant(bits));
                self.code.vector_op(spread, to, 0, from, More::default());
            }
            Op::Single(stream) => {
                self.point(stream);
                self.code.vector_op(spread, to, 0, Rm::At(Base::Single, 0), More::default());
            }
            op => {
                let from = match (self.slot[self.place(value)], op) {
                    (None, Op::Input(stream)) => {
                        self.point(stream);
                        Rm::At(Base::Stream, self.lane as i32 * self.code.vector())
                    }
                    (slot, _) => self.spilled(slot.expect("a value is in a register or in memory")),
                };
                self.code.vector_op(float(1, 0, 0x10, false), to, 0, from, More::default());
            }
        }
    }

    fn spilled(&self, slot: u32) -> Rm {
        Rm::At(Base::Spill, (slot as i32 - BIAS as i32) * self.code.vector())
    }

    fn constant(&mut self, bits: u64) -> u32 {
        let next = self.constants.len() as u32;
        let number = *self.pool.entry(bits).or_insert(next);
        if number == next {
            self.constants.push(bits);
        }
        number
    }

    /// Has the address of a stream at hand.
    fn point(&mut self, stream: u16) {
        if self.stream != Some(stream) {
            self.code.stream(stream);
            self.stream = Some(stream);
        }
    }

    /// A register that the present instruction may write, pinned.
    fn room(&mut self) -> u8 {
        let register = self.held.iter().enumerate().position(|(register, held)| {
            held.is_none() && !self.pinned.contains(&(register as u8))
        });
        let register = register.unwrap_or_else(|| self.evict()) as u8;
        self.pinned.push(register);
        register
    }

    /// Frees the register whose value is needed last, sooner where it need not be written to memory.
    fn evict(&mut self) -> usize {
        let mut best: Option<(u32, usize, usize)> = None;
        for (register, held) in self.held.iter().enumerate() {
            let Some(place) = *held else { continue };
            if self.pinned.contains(&(register as u8)) {
                continue;
            }
            let clean = self.slot[place].is_some() || self.is_elsewhere(place);
            let distance = self.next(place).saturating_sub(self.at);
            let score = if clean { distance.saturating_mul(2) } else { distance };
            if best.is_none_or(|(known, ..)| score > known) {
                best = Some((score, register, place));
            }
        }
        let (_, register, place) =
            best.expect("an instruction has fewer operands than there are registers");
        if self.slot[place].is_none() && !self.is_elsewhere(place) {
            let slot = self.free.pop().unwrap_or_else(|| {
                self.slots += 1;
                self.slots - 1
            });
            self.slot[place] = Some(slot);
            let to = self.spilled(slot);
            self.code.vector_op(float(1, 0, 0x11, false), register as u8, 0, to, More::default());
        }
        self.register[place] = None;
        self.held[register] = None;
        register
    }

    /// Whether a value can be had again without a slot.
    fn is_elsewhere(&self, place: usize) -> bool {
        matches!(self.ops[place / self.lanes], Op::Const(_) | Op::Single(_) | Op::Input(_))
    }
}

fn float(map: u8, prefix: u8, opcode: u8, wide: bool) -> Form {
    Form { map, prefix, opcode, wide }
}
