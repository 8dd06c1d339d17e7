//! Models of a few numbers: one instruction for each element, without arrays, threads or tiles.

use super::draft::{Draft, Id, Kind, View};
use super::fuse::is_leaf;
use super::place::{Placed, width};
use super::step::Step;
use crate::exec::kernels::memory::Shared;
use crate::exec::kernels::rows::Action;
use crate::exec::kernels::{Float, fold};
use crate::graph::NodeId;
use crate::ops::Scalar;
use crate::ops::reduce::Fold;
use crate::tensor::DType;
use rustc_hash::FxHashMap;

/// Models with more instructions are not tiny, but where each value is one number.
const MOST: usize = 1 << 10;
const MOST_SINGLE: usize = 1 << 15;

/// A program over single numbers, which lie one after the other in the block.
#[derive(Clone, Debug)]
pub struct Tiny {
    dtype: DType,
    code: Vec<Code>,
    numbers: usize,
}

/// An instruction: what it does with which numbers, and which it writes.
#[derive(Clone, Copy, Debug)]
struct Code {
    what: What,
    a: u16,
    b: u16,
    c: u16,
    to: u16,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Move,
    Add,
    Sub,
    Mul,
    MulAdd,
    Div,
    Neg,
    Square,
    Exp,
    Sigmoid,
    Select,
    Row(Scalar),
}

/// The program of a draft in which all is float of one type and small; each value has a place that is its own.
pub fn tiny(draft: &Draft, live: &[bool], results: &[Id], updates: &[(Id, Id)]) -> Option<Placed> {
    let items = || (0..draft.items.len()).filter(|&id| live[id]);
    let mut types = items().map(|id| draft.items[id].dtype).filter(|&dtype| dtype != DType::Bool);
    let dtype = types.next().filter(|dtype| dtype.is_float())?;
    let size = |id: usize| draft.items[id].sizes.iter().product::<usize>();
    let most = if items().all(|id| size(id) == 1) { MOST_SINGLE } else { MOST };
    if types.any(|other| other != dtype) || items().map(size).sum::<usize>() > most {
        return None;
    }
    let mut writer = Writer {
        draft,
        dtype,
        code: Vec::new(),
        next: 0,
        places: vec![Vec::new(); draft.items.len()],
        constants: Vec::new(),
        known: FxHashMap::default(),
    };
    let variables =
        (0..draft.items.len()).filter(|&id| matches!(draft.items[id].kind, Kind::Variable(_)));
    for id in variables {
        if draft.items[id].dtype != dtype {
            return None;
        }
        writer.places[id] = writer.fresh(size(id))?;
    }
    for id in items().filter(|&id| !matches!(draft.items[id].kind, Kind::Variable(_))) {
        writer.places[id] = writer.item(id)?;
        if writer.code.len() > most {
            return None;
        }
    }
    let mut at = vec![usize::MAX; draft.items.len()];
    if results.iter().any(|&id| draft.items[id as usize].dtype != dtype) {
        return None;
    }
    writer.gather(results)?;
    // All that variables become is read before any of them is written.
    let mut moves = Vec::new();
    for &(variable, item) in updates {
        for place in 0..writer.places[item as usize].len() {
            let from = writer.places[item as usize][place];
            let kept = writer.emit(What::Move, [from; 3])?;
            moves.push((kept, writer.places[variable as usize][place]));
        }
    }
    for (from, to) in moves {
        writer.code.push(Code { what: What::Move, a: from, b: from, c: from, to });
    }
    for (id, places) in writer.places.iter().enumerate() {
        at[id] = places.first().map_or(0, |&place| place as usize * width(dtype));
    }
    let constants = writer
        .constants
        .iter()
        .map(|&(place, value)| {
            (place as usize * width(dtype), crate::tensor::Tensor::scalar(dtype, value))
        })
        .collect();
    let numbers = writer.next;
    let mut nodes: Vec<NodeId> =
        items().filter(|&id| !is_leaf(&draft.items[id])).map(|id| draft.nodes[id]).collect();
    nodes.dedup();
    Some(Placed {
        steps: vec![Step::Tiny(Box::new(Tiny { dtype, code: writer.code, numbers }))],
        nodes: vec![nodes.into()],
        at,
        constants,
        bytes: numbers * width(dtype),
        spared: None,
    })
}

struct Writer<'a> {
    draft: &'a Draft,
    dtype: DType,
    code: Vec<Code>,
    next: usize,
    /// For each item where its elements are.
    places: Vec<Vec<u16>>,
    constants: Vec<(u16, f64)>,
    known: FxHashMap<u64, u16>,
}

impl Writer<'_> {
    fn fresh(&mut self, count: usize) -> Option<Vec<u16>> {
        let start = self.next;
        self.next += count;
        u16::try_from(self.next).ok()?;
        Some((start..self.next).map(|place| place as u16).collect())
    }

    fn constant(&mut self, value: f64) -> Option<u16> {
        if let Some(&known) = self.known.get(&value.to_bits()) {
            return Some(known);
        }
        let place = self.fresh(1)?[0];
        self.constants.push((place, value));
        self.known.insert(value.to_bits(), place);
        Some(place)
    }

    fn elements(&self, view: &View) -> Vec<u16> {
        let places = &self.places[view.of as usize];
        view.layout.places().map(|place| places[place]).collect()
    }

    fn emit(&mut self, what: What, [a, b, c]: [u16; 3]) -> Option<u16> {
        let to = self.fresh(1)?[0];
        self.code.push(Code { what, a, b, c, to });
        Some(to)
    }

    fn item(&mut self, id: usize) -> Option<Vec<u16>> {
        let item = &self.draft.items[id];
        let args: Vec<Vec<u16>> = item.args.iter().map(|view| self.elements(view)).collect();
        let count: usize = item.sizes.iter().product();
        match &item.kind {
            Kind::Number(value) => Some(vec![self.constant(*value)?]),
            Kind::Constant(value) if value.dtype() == self.dtype => {
                value.to_f64().into_iter().map(|value| self.constant(value)).collect()
            }
            Kind::Map(Action::Move) => args.into_iter().next(),
            Kind::Map(action) => {
                let what = what(*action);
                (0..count)
                    .map(|i| {
                        let arg = |n: usize| args.get(n).map_or(args[0][i], |arg| arg[i]);
                        self.emit(what, [arg(0), arg(1), arg(2)])
                    })
                    .collect()
            }
            Kind::FoldTail(kind, _) => {
                let each = args[0].len().checked_div(count)?;
                args[0].chunks(each.max(1)).map(|row| self.fold(*kind, row)).collect()
            }
            Kind::FoldHead(kind) => (0..count)
                .map(|i| {
                    let line: Vec<u16> = args[0][i..].iter().step_by(count).copied().collect();
                    self.fold(*kind, &line)
                })
                .collect(),
            Kind::Product(..) => {
                let left = &item.args[0].layout.sizes;
                let (m, k) = (left[left.len() - 2], left[left.len() - 1]);
                let n = *item.sizes.last()?;
                let (a, b) = (&args[0], &args[1]);
                let mut places = Vec::with_capacity(count);
                for i in 0..count {
                    let (batch, row, column) = (i / (m * n), i / n % m, i % n);
                    let x = |j: usize| a[(batch * m + row) * k + j];
                    let y = |j: usize| b[(batch * k + j) * n + column];
                    let mut sum = None;
                    for j in 0..k {
                        sum = Some(match sum {
                            None => self.emit(What::Mul, [x(j), y(j), x(j)])?,
                            Some(sum) => self.emit(What::MulAdd, [x(j), y(j), sum])?,
                        });
                    }
                    places.push(match sum {
                        Some(sum) => sum,
                        None => self.constant(0.0)?,
                    });
                }
                Some(places)
            }
            Kind::Move(layouts, _) => {
                let mut places = vec![self.constant(0.0)?; count];
                for (arg, layout) in args.iter().zip(layouts) {
                    for (&from, to) in arg.iter().zip(layout.places()) {
                        places[to] = from;
                    }
                }
                Some(places)
            }
            _ => None,
        }
    }

    fn fold(&mut self, kind: Fold, line: &[u16]) -> Option<u16> {
        let what = match kind {
            Fold::Sum | Fold::Mean => What::Add,
            Fold::Prod | Fold::All => What::Mul,
            Fold::Max | Fold::Any => What::Row(Scalar::Maximum),
            Fold::Min => What::Row(Scalar::Minimum),
            Fold::Logsumexp => return None,
        };
        let Some((&first, rest)) = line.split_first() else {
            return self.constant(fold::identity(kind));
        };
        rest.iter().try_fold(first, |sum, &x| self.emit(what, [sum, x, x]))
    }

    /// Brings the elements of each result together: what instructions write is written there in the first place.
    fn gather(&mut self, results: &[Id]) -> Option<()> {
        let written: FxHashMap<u16, usize> =
            self.code.iter().enumerate().map(|(at, code)| (code.to, at)).collect();
        let mut moved: FxHashMap<u16, u16> = FxHashMap::default();
        let mut copies = Vec::new();
        for &id in results {
            let id = id as usize;
            if matches!(self.draft.items[id].kind, Kind::Variable(_)) {
                continue;
            }
            let fresh = self.fresh(self.places[id].len())?;
            for (&from, &to) in self.places[id].iter().zip(&fresh) {
                if written.contains_key(&from) && !moved.contains_key(&from) {
                    moved.insert(from, to);
                } else {
                    copies.push((from, to));
                }
            }
            self.places[id] = fresh;
        }
        let new = |place: &mut u16| *place = moved.get(place).copied().unwrap_or(*place);
        for code in &mut self.code {
            [&mut code.a, &mut code.b, &mut code.c, &mut code.to].into_iter().for_each(new);
        }
        self.places.iter_mut().flatten().for_each(new);
        for (mut from, to) in copies {
            new(&mut from);
            self.code.push(Code { what: What::Move, a: from, b: from, c: from, to });
        }
        Some(())
    }
}

fn what(action: Action) -> What {
    match action {
        Action::Move => What::Move,
        Action::Select => What::Select,
        Action::MulAdd => What::MulAdd,
        Action::Row(row) => match row {
            Scalar::Add => What::Add,
            Scalar::Sub => What::Sub,
            Scalar::Mul => What::Mul,
            Scalar::Div => What::Div,
            Scalar::Neg => What::Neg,
            Scalar::Square => What::Square,
            Scalar::Exp => What::Exp,
            Scalar::Sigmoid => What::Sigmoid,
            row => What::Row(row),
        },
    }
}

impl Tiny {
    /// The number of instructions.
    pub fn len(&self) -> usize {
        self.code.len()
    }

    /// Runs the program.
    pub fn run(&self, memory: Shared<'_>) {
        match self.dtype {
            DType::F64 => self.typed(memory.span::<f64>(0, self.numbers).write()),
            _ => self.typed(memory.span::<f32>(0, self.numbers).write()),
        }
    }

    fn typed<T: Float>(&self, numbers: &mut [T]) {
        for code in &self.code {
            let at = |place: u16| numbers[place as usize];
            let (a, b) = (at(code.a), at(code.b));
            numbers[code.to as usize] = match code.what {
                What::Move => a,
                What::Add => a + b,
                What::Sub => a - b,
                What::Mul => a * b,
                What::MulAdd => a * b + at(code.c),
                What::Div => a / b,
                What::Neg => -a,
                What::Square => a * a,
                What::Exp => a.exp(),
                What::Sigmoid => {
                    let e = (-a.abs()).exp();
                    (if a < T::zero() { e } else { T::one() }) / (T::one() + e)
                }
                What::Select => {
                    if a != T::zero() {
                        b
                    } else {
                        at(code.c)
                    }
                }
                What::Row(row) => single(row, a, b),
            };
        }
    }
}

/// The value of a row by the table.
#[inline(never)]
fn single<T: Float>(row: Scalar, a: T, b: T) -> T {
    let truth = |holds: bool| if holds { T::one() } else { T::zero() };
    match row {
        Scalar::Eq => truth(a == b),
        Scalar::Ne => truth(a != b),
        Scalar::Lt => truth(a < b),
        Scalar::Le => truth(a <= b),
        Scalar::Gt => truth(a > b),
        Scalar::Ge => truth(a >= b),
        Scalar::And => a * b,
        Scalar::Or => a.max(b),
        Scalar::Not => T::one() - a,
        row => {
            let value =
                if row.arity() == 1 { row.at(&[a.to()]) } else { row.at(&[a.to(), b.to()]) };
            T::of_f64(value.unwrap_or(f64::NAN))
        }
    }
}
