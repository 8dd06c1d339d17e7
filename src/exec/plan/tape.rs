//! A group as a program over tiles: which port, register or result each instruction reads and writes.

use super::draft::{Draft, Id, Kind, View};
use super::fuse::{Group, Role};
use super::layout::Layout;
use super::stretch::{self, Stretch};
use crate::exec::kernels::rows::Action;
use crate::ops::Scalar;
use crate::ops::reduce::Fold;
use crate::tensor::DType;
use rustc_hash::{FxHashMap, FxHashSet};

/// About so many bytes of registers are in use at a time: they stay in the second cache, and their number pays for what
/// each tile costs beside its elements.
const REGISTERS: usize = 128 << 10;
/// No tile of a group without rows has more elements.
const TILE: usize = 4096;

/// A program over tiles.
#[derive(Clone, Debug)]
pub struct Tape {
    /// `F32` or `F64`.
    pub dtype: DType,
    /// The number of elements of the space.
    pub count: usize,
    /// The number of elements of a row; 1 where nothing goes by rows.
    pub width: usize,
    /// The number of elements of a tile, whole rows.
    pub tile: usize,
    /// What is read.
    pub ports: Vec<Port>,
    /// What is written.
    pub outs: Vec<Out>,
    /// Folds that are done when the group is.
    pub ends: Vec<End>,
    /// The instructions.
    pub code: Vec<Code>,
    /// The stretches of actions among them.
    pub stretches: Vec<Stretch>,
    /// The number of registers.
    pub registers: usize,
}

impl Tape {
    /// Gives back the room that it has grown into: most groups are small, and there may be many.
    fn shrink(&mut self) {
        self.ports.shrink_to_fit();
        self.outs.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.code.shrink_to_fit();
        self.stretches.shrink_to_fit();
        self.stretches.iter_mut().for_each(Stretch::shrink);
    }
}

/// What is read from memory.
#[derive(Clone, Debug)]
pub struct Port {
    /// The item.
    pub of: Id,
    /// Where its elements lie, in the order of the space or of its rows.
    pub layout: Layout,
    /// One element for each row.
    pub by_row: bool,
    /// Truth values.
    pub truth: bool,
    /// The last instruction that reads it where it lies.
    pub last: usize,
}

impl Port {
    /// Whether tiles lie in memory as they are.
    pub fn is_direct(&self) -> bool {
        !self.truth && self.layout.is_dense()
    }
}

/// What is written to memory.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    /// The item.
    pub of: Id,
    /// One element for each row.
    pub by_row: bool,
    /// Truth values.
    pub truth: bool,
    /// The instruction that writes it.
    pub by: usize,
}

/// A fold that is done when the group is.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// The item.
    pub of: Id,
    /// How.
    pub kind: Fold,
    /// The number of its elements.
    pub size: usize,
    /// Of numbers of rows.
    pub by_row: bool,
}

/// What an instruction reads or writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// A register.
    Register(u32),
    /// A register of the stretch.
    Local(u32),
    /// A port that lies in memory as it is.
    Port(u32),
    /// A result in memory.
    Out(u32),
    /// The one element of a port, everywhere.
    Single(u32),
    /// The same number everywhere.
    Number(f64),
}

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Duty {
    /// Reads a port that does not lie as it is needed.
    Load(u32),
    /// The same for a port of which every tile reads the same.
    LoadOnce(u32),
    /// A number of each row along it.
    Spread,
    /// An action on single elements.
    Map(Action),
    /// Actions one after the other.
    Stretch(u32),
    /// Each row folded.
    Fold(Fold),
    /// Folds into an end.
    End(u32),
    /// Writes truth values.
    Store(u32),
}

/// An instruction.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// What it does.
    pub duty: Duty,
    /// Over one element for each row, instead of all.
    pub by_row: bool,
    /// The operands.
    pub args: [Place; 3],
    /// Where the result goes.
    pub to: Place,
}

/// Products of a group that are used once, by a sum in the group: both are one instruction. Each with its sum; `outside` tells
/// what is used by others.
pub fn merged(draft: &Draft, group: &Group, outside: &dyn Fn(Id) -> bool) -> FxHashMap<Id, Id> {
    let is = |id: Id, row: Scalar| matches!(draft.items[id as usize].kind, Kind::Map(Action::Row(r)) if r == row);
    let mut uses: FxHashMap<Id, u32> = FxHashMap::default();
    for &id in &group.members {
        for view in &draft.items[id as usize].args {
            *uses.entry(view.of).or_default() += 1;
        }
    }
    let members: FxHashSet<Id> = group.members.iter().copied().collect();
    let mut merged = FxHashMap::default();
    for &sum in group.members.iter().filter(|&&id| is(id, Scalar::Add)) {
        let item = &draft.items[sum as usize];
        let product = item.args.iter().map(|view| view.of).find(|&of| {
            members.contains(&of)
                && is(of, Scalar::Mul)
                && !outside(of)
                && uses[&of] == 1
                && draft.items[of as usize].sizes == item.sizes
                && item.dtype.is_float()
        });
        if let Some(product) = product {
            merged.insert(product, sum);
        }
    }
    merged
}

/// The program of a group; `outside` tells what is used by others, `merged` has the products that are one with a sum.
pub fn tape(
    draft: &Draft,
    roles: &[Role],
    group: &Group,
    outside: &dyn Fn(Id) -> bool,
    merged: &FxHashMap<Id, Id>,
) -> Tape {
    let count: usize = group.sizes.iter().product();
    let cut = group.sizes.len() - group.cut;
    let width = if group.cut > 0 { group.sizes[cut..].iter().product::<usize>() } else { 1 };
    let float = |id: &Id| {
        let item = &draft.items[*id as usize];
        let mut types = vec![item.dtype];
        types.extend(item.args.iter().map(|view| draft.items[view.of as usize].dtype));
        types.into_iter().find(|dtype| dtype.is_float())
    };
    let dtype = group.members.iter().find_map(float).unwrap_or(DType::F32);
    let mut writer = Writer {
        draft,
        group,
        roles,
        tape: Tape {
            dtype,
            count,
            width,
            tile: 0,
            ports: Vec::new(),
            outs: Vec::new(),
            ends: Vec::new(),
            code: Vec::new(),
            stretches: Vec::new(),
            registers: 0,
        },
        known: FxHashMap::default(),
        loaded: FxHashMap::default(),
        virtual_registers: 0,
        unit: width,
        merged,
    };
    writer.unit();
    for &id in &group.members {
        writer.member(id, outside(id));
    }
    let mut tape = writer.tape;
    stretch::order(&mut tape);
    stretch::stretches(&mut tape, writer.virtual_registers);
    stretch::allocate(&mut tape, writer.virtual_registers);
    tape.tile = tile(&tape, writer.unit);
    tape.shrink();
    tape
}

struct Writer<'a> {
    draft: &'a Draft,
    group: &'a Group,
    roles: &'a [Role],
    tape: Tape,
    /// Where members are.
    known: FxHashMap<Id, Place>,
    /// Where views are: ports and spread rows.
    loaded: FxHashMap<(Id, Layout, bool), Place>,
    virtual_registers: u32,
    /// Tiles are of whole numbers of so many elements.
    unit: usize,
    /// Products that only a sum needs, by that sum.
    merged: &'a FxHashMap<Id, Id>,
}

impl Writer<'_> {
    /// Sets the unit of tiles: rows, or what ports repeat.
    fn unit(&mut self) {
        if self.tape.width > 1 {
            return;
        }
        let repeated = self.group.members.iter().find_map(|&id| {
            let views = &self.draft.items[id as usize].args;
            views.iter().find_map(|view| match view.layout.merged() {
                Layout { sizes, steps, .. } if steps[..] == [0, 1] && sizes[1] <= TILE => {
                    Some(sizes[1])
                }
                _ => None,
            })
        });
        self.unit = repeated.unwrap_or(16);
    }

    fn is_row(&self, sizes: &[usize]) -> bool {
        sizes.len() < self.group.sizes.len()
    }

    fn register(&mut self) -> Place {
        self.virtual_registers += 1;
        Place::Register(self.virtual_registers - 1)
    }

    fn emit(&mut self, duty: Duty, by_row: bool, args: [Place; 3], to: Place) {
        self.tape.code.push(Code { duty, by_row, args, to });
    }

    fn member(&mut self, id: Id, outside: bool) {
        if self.merged.contains_key(&id) {
            return;
        }
        let item = &self.draft.items[id as usize];
        let role = self.roles[id as usize];
        let read = match role {
            Role::Map => &item.sizes,
            _ => &item.args[0].layout.sizes,
        };
        let row = self.is_row(read);
        let mut args = [Place::Number(0.0); 3];
        for (place, view) in item.args.iter().enumerate() {
            if !self.merged.contains_key(&view.of) {
                args[place] = self.operand(view, row);
            }
        }
        let product = item.args.iter().position(|view| self.merged.get(&view.of) == Some(&id));
        if let Some(place) = product {
            let factors = &self.draft.items[item.args[place].of as usize].args;
            args[2] = args[1 - place];
            args[0] = self.operand(&factors[0], row);
            args[1] = self.operand(&factors[1], row);
        }
        if role != Role::Map
            && let Place::Number(_) | Place::Single(_) = args[0]
        {
            // Folds read spans.
            let to = self.register();
            self.emit(Duty::Map(Action::Move), row, args, to);
            args[0] = to;
        }
        let by = self.tape.code.len();
        if matches!(role, Role::Head | Role::All) {
            let (Kind::FoldHead(kind) | Kind::FoldTail(kind, _)) = item.kind else { return };
            let end = End { of: id, kind, size: item.sizes.iter().product(), by_row: row };
            self.tape.ends.push(end);
            let number = self.tape.ends.len() as u32 - 1;
            self.emit(Duty::End(number), row, args, Place::Number(0.0));
            return;
        }
        let (duty, by_row) = match item.kind {
            Kind::FoldTail(kind, _) => (Duty::Fold(kind), true),
            Kind::Map(_) if product.is_some() => (Duty::Map(Action::MulAdd), row),
            Kind::Map(map) => (Duty::Map(map), row),
            _ => return,
        };
        let truth = item.dtype == DType::Bool;
        let to = if outside && !truth {
            self.tape.outs.push(Out { of: id, by_row, truth, by });
            Place::Out(self.tape.outs.len() as u32 - 1)
        } else {
            self.register()
        };
        self.emit(duty, by_row, args, to);
        if outside && truth {
            let by = self.tape.code.len();
            self.tape.outs.push(Out { of: id, by_row, truth, by });
            let out = self.tape.outs.len() as u32 - 1;
            self.emit(
                Duty::Store(out),
                by_row,
                [to, Place::Number(0.0), Place::Number(0.0)],
                Place::Number(0.0),
            );
        }
        self.known.insert(id, to);
    }

    /// Where an operand is, of rows or of all elements.
    fn operand(&mut self, view: &View, row: bool) -> Place {
        let item = &self.draft.items[view.of as usize];
        if let Kind::Number(value) = item.kind {
            return Place::Number(value);
        }
        if let Some(&place) = self.known.get(&view.of) {
            let own_row = self.is_row(&item.sizes);
            if own_row == row {
                return place;
            }
            return self.spread(view, place);
        }
        let key = (view.of, view.layout.clone(), row);
        if let Some(&place) = self.loaded.get(&key) {
            return place;
        }
        // What is the same along each row is read once a row.
        let axes = view.layout.sizes.len() - self.group.cut.min(view.layout.sizes.len());
        let along = !row
            && !view.layout.is_single()
            && self.group.cut > 0
            && self.tape.width >= 8
            && view.layout.steps[axes..]
                .iter()
                .zip(&view.layout.sizes[axes..])
                .all(|(&s, &n)| s == 0 || n == 1);
        if along {
            let lines = View {
                of: view.of,
                layout: Layout {
                    sizes: view.layout.sizes[..axes].into(),
                    steps: view.layout.steps[..axes].into(),
                    offset: view.layout.offset,
                },
            };
            let place = self.operand(&lines, true);
            return self.spread(view, place);
        }
        let port = Port {
            of: view.of,
            layout: view.layout.merged(),
            by_row: row,
            truth: item.dtype == DType::Bool,
            last: 0,
        };
        let (direct, single) = (port.is_direct(), port.layout.is_single());
        let once = !row
            && port.layout.steps[..] == [0, 1]
            && self.unit.is_multiple_of(port.layout.sizes[1]);
        self.tape.ports.push(port);
        let number = self.tape.ports.len() as u32 - 1;
        let place = if single {
            Place::Single(number)
        } else if direct {
            Place::Port(number)
        } else {
            let to = self.register();
            let load = if once { Duty::LoadOnce(number) } else { Duty::Load(number) };
            self.emit(load, row, [Place::Number(0.0); 3], to);
            to
        };
        self.loaded.insert(key, place);
        place
    }

    fn spread(&mut self, view: &View, place: Place) -> Place {
        if matches!(place, Place::Number(_) | Place::Single(_)) {
            return place;
        }
        let key = (view.of, view.layout.clone(), false);
        if let Some(&known) = self.loaded.get(&key) {
            return known;
        }
        let to = self.register();
        self.emit(Duty::Spread, false, [place, Place::Number(0.0), Place::Number(0.0)], to);
        self.loaded.insert(key, to);
        to
    }
}

/// The number of elements of a tile: whole units, as many as keep the registers in a cache.
fn tile(tape: &Tape, unit: usize) -> usize {
    let size = if tape.dtype == DType::F32 { 4 } else { 8 };
    let streams = tape.ports.len() + tape.outs.len() + tape.registers;
    let fit = (REGISTERS / size / streams.max(1)).clamp(64, TILE);
    let units = (fit / unit.max(1)).max(1);
    (units * unit.max(1)).min(tape.count.max(1))
}
