//! Instructions of x86-64 over vectors as bytes, for AVX-512 and for AVX2.

/// Where an operand lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rm {
    /// In a register.
    Reg(u8),
    /// So many bytes behind the address in a register.
    At(Base, i32),
    /// A constant of the pool, in every lane.
    Pool(u32),
}

/// Addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Of the stream: `rax`.
    Single,
    /// Of the present elements of the stream: `rax + rsi`.
    Stream,
    /// Of what registers have no room for: `rcx`.
    Spill,
}

/// An instruction's form: its map, prefix, opcode, and whether its operands are as wide as f64's.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// 1, 2 and 3 for the maps 0F, 0F38 and 0F3A.
    pub map: u8,
    /// 0 for none, 1 for 66.
    pub prefix: u8,
    /// The opcode.
    pub opcode: u8,
    /// The bit W.
    pub wide: bool,
}

/// What else belongs to an instruction.
#[derive(Clone, Copy, Debug, Default)]
pub struct More {
    /// The byte behind it.
    pub immediate: Option<u8>,
    /// The mask register; 0 for none.
    pub mask: u8,
    /// Memory holds one number of so many bytes, for every lane.
    pub broadcast: Option<u8>,
}

/// Bytes of a program.
#[derive(Debug)]
pub struct Code {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Vectors of 512 bits.
    pub wide: bool,
    /// Where the pool's distances are to be written: the place, the next instruction, the constant.
    pool: Vec<(usize, usize, u32)>,
}

impl Code {
    /// No instructions yet.
    pub fn new(wide: bool) -> Code {
        Code { bytes: Vec::new(), wide, pool: Vec::new() }
    }

    /// The bytes of a vector.
    pub fn vector(&self) -> i32 {
        if self.wide { 64 } else { 32 }
    }

    /// An instruction over vectors: `reg` and `rm` are its operands, with `second` between them.
    pub fn vector_op(&mut self, form: Form, reg: u8, second: u8, rm: Rm, more: More) {
        let (x, b) = match rm {
            Rm::Reg(r) => (r >> 4 & 1, r >> 3 & 1),
            Rm::At(..) | Rm::Pool(_) => (0, 0),
        };
        let r = reg >> 3 & 1;
        if self.wide {
            let p0 =
                (r ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | ((reg >> 4 & 1) ^ 1) << 4 | form.map;
            let p1 = u8::from(form.wide) << 7 | (!second & 15) << 3 | 4 | form.prefix;
            let spread = u8::from(more.broadcast.is_some() && !matches!(rm, Rm::Reg(_)));
            let p2 = 2 << 5 | spread << 4 | ((second >> 4 & 1) ^ 1) << 3 | more.mask;
            self.bytes.extend([0x62, p0, p1, p2]);
        } else {
            let p0 = (r ^ 1) << 7 | 1 << 6 | (b ^ 1) << 5 | form.map;
            let p1 = u8::from(form.wide) << 7 | (!second & 15) << 3 | 1 << 2 | form.prefix;
            self.bytes.extend([0xC4, p0, p1]);
        }
        self.bytes.push(form.opcode);
        let scale = match (self.wide, more.broadcast) {
            (false, _) => 1,
            (true, Some(size)) => i32::from(size),
            (true, None) => 64,
        };
        self.operand(reg & 7, rm, scale);
        self.bytes.extend(more.immediate);
        if let Rm::Pool(constant) = rm {
            let end = self.bytes.len();
            let place = end - 4 - usize::from(more.immediate.is_some());
            self.pool.push((place, end, constant));
        }
    }

    fn operand(&mut self, reg: u8, rm: Rm, scale: i32) {
        match rm {
            Rm::Reg(r) => self.bytes.push(0xC0 | reg << 3 | r & 7),
            Rm::Pool(_) => self.bytes.extend([reg << 3 | 5, 0, 0, 0, 0]),
            Rm::At(base, distance) => {
                let short = i8::try_from(distance / scale).ok().filter(|_| distance % scale == 0);
                let mode = if short.is_some() { 0x40 } else { 0x80 };
                match base {
                    Base::Single => self.bytes.push(mode | reg << 3),
                    Base::Stream => self.bytes.extend([mode | reg << 3 | 4, 0x30]),
                    Base::Spill => self.bytes.push(mode | reg << 3 | 1),
                }
                match short {
                    Some(short) => self.bytes.push(short as u8),
                    None => self.bytes.extend(distance.to_le_bytes()),
                }
            }
        }
    }

    /// The address of a stream, to `rax`.
    pub fn stream(&mut self, stream: u16) {
        self.bytes.extend([0x48, 0x8B, 0x87]);
        self.bytes.extend((i32::from(stream) * 8).to_le_bytes());
    }

    /// The end of a loop that began at the first byte, `step` bytes of each stream further, and of the function.
    pub fn end(&mut self, step: i32) {
        // add rsi, step; cmp rsi, rdx; jb start; vzeroupper; ret
        self.bytes.extend([0x48, 0x81, 0xC6]);
        self.bytes.extend(step.to_le_bytes());
        self.bytes.extend([0x48, 0x39, 0xD6, 0x0F, 0x82]);
        let back = -(self.bytes.len() as i32 + 4);
        self.bytes.extend(back.to_le_bytes());
        self.bytes.extend([0xC5, 0xF8, 0x77, 0xC3]);
    }

    /// Puts the constants behind the code, each as many bytes as `size` says, in every lane where vectors have no
    /// broadcast of their own.
    pub fn pool(&mut self, constants: &[u64], size: usize) {
        let each = if self.wide { size } else { 32 };
        let start = self.bytes.len().next_multiple_of(64);
        self.bytes.resize(start, 0xCC);
        for constant in constants {
            for _ in 0..each / size {
                self.bytes.extend(&constant.to_le_bytes()[..size]);
            }
        }
        for (place, end, constant) in std::mem::take(&mut self.pool) {
            let distance = (start + constant as usize * each) as i32 - end as i32;
            self.bytes[place..place + 4].copy_from_slice(&distance.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that GNU as has for the same instructions.
    #[test]
    fn bytes_are_those_of_an_assembler() {
        let check = |wide: bool,
                     form: (u8, u8, u8, bool),
                     (reg, second, rm): (u8, u8, Rm),
                     more: More,
                     bytes: &[u8]| {
            let mut code = Code::new(wide);
            let (map, prefix, opcode, wide) = form;
            code.vector_op(Form { map, prefix, opcode, wide }, reg, second, rm, more);
            assert_eq!(code.bytes, bytes, "{form:?} {reg} {second} {rm:?}");
        };
        let none = More::default();
        let imm = |immediate| More { immediate: Some(immediate), ..none };
        let four = More { broadcast: Some(4), ..none };
        let at = |distance| Rm::At(Base::Spill, distance);
        check(
            true,
            (1, 0, 0x58, false),
            (1, 18, Rm::Reg(31)),
            none,
            &[0x62, 0x91, 0x6c, 0x40, 0x58, 0xcf],
        );
        check(
            true,
            (1, 1, 0x59, true),
            (20, 3, at(128)),
            none,
            &[0x62, 0xe1, 0xe5, 0x48, 0x59, 0x61, 0x02],
        );
        check(
            true,
            (2, 1, 0xa8, false),
            (9, 17, at(4)),
            four,
            &[0x62, 0x72, 0x75, 0x50, 0xa8, 0x49, 0x01],
        );
        check(
            true,
            (1, 0, 0x10, false),
            (2, 0, Rm::At(Base::Stream, 64)),
            none,
            &[0x62, 0xf1, 0x7c, 0x48, 0x10, 0x54, 0x30, 0x01],
        );
        check(
            true,
            (1, 0, 0x10, false),
            (2, 0, at(100)),
            none,
            &[0x62, 0xf1, 0x7c, 0x48, 0x10, 0x91, 100, 0, 0, 0],
        );
        check(
            true,
            (2, 1, 0x65, false),
            (4, 5, Rm::Reg(26)),
            More { mask: 1, ..none },
            &[0x62, 0x92, 0x55, 0x49, 0x65, 0xe2],
        );
        check(
            true,
            (1, 0, 0xc2, false),
            (1, 7, Rm::Reg(8)),
            imm(0x11),
            &[0x62, 0xd1, 0x44, 0x48, 0xc2, 0xc8, 0x11],
        );
        check(
            true,
            (3, 1, 0x25, false),
            (1, 2, Rm::Reg(19)),
            imm(0xd8),
            &[0x62, 0xb3, 0x6d, 0x48, 0x25, 0xcb, 0xd8],
        );
        check(
            true,
            (3, 1, 0x09, true),
            (1, 0, Rm::Reg(2)),
            imm(9),
            &[0x62, 0xf3, 0xfd, 0x48, 0x09, 0xca, 0x09],
        );
        check(
            false,
            (1, 0, 0x58, false),
            (1, 9, Rm::Reg(15)),
            none,
            &[0xc4, 0xc1, 0x34, 0x58, 0xcf],
        );
        check(
            false,
            (1, 1, 0x59, false),
            (12, 3, at(128)),
            none,
            &[0xc4, 0x61, 0x65, 0x59, 0xa1, 0x80, 0, 0, 0],
        );
        check(
            false,
            (2, 1, 0xb8, true),
            (9, 7, at(32)),
            none,
            &[0xc4, 0x62, 0xc5, 0xb8, 0x49, 0x20],
        );
        check(
            false,
            (1, 1, 0x72, false),
            (6, 3, Rm::Reg(11)),
            imm(23),
            &[0xc4, 0xc1, 0x65, 0x72, 0xf3, 0x17],
        );
        check(
            false,
            (3, 1, 0x4a, false),
            (3, 4, Rm::Reg(5)),
            imm(6 << 4),
            &[0xc4, 0xe3, 0x5d, 0x4a, 0xdd, 0x60],
        );
        check(
            false,
            (1, 1, 0xc2, false),
            (3, 4, Rm::Reg(15)),
            imm(0x12),
            &[0xc4, 0xc1, 0x5d, 0xc2, 0xdf, 0x12],
        );
    }
}
