//! Loops in segments: a loop over segments, whose body is the loop over the steps of one. What a loop keeps of each step for
//! another is there for one segment at a time, computed again from the carries at the start of the segment.

use super::draft::{Id, Kind, View, Writer};
use super::layout::Layout;
use crate::exec::reference::RunError;
use crate::graph::{Model, NodeId, Origins};
use crate::ops::scan::{Body, Scan, Step, Which};
use crate::ops::size::sizes;
use crate::ops::{Bindings, Op, Size, Type};
use crate::tensor::{DType, Tensor};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::{SmallVec, smallvec};
use std::collections::{BTreeMap, BTreeSet};

/// Which loops of a model are cut, and what of them is needed.
#[derive(Debug, Default)]
pub struct Segments {
    cuts: FxHashMap<NodeId, Cut>,
    /// The results that are needed as a whole.
    whole: FxHashSet<(NodeId, Which)>,
}

/// How loops are cut: into about so many segments, of which so many are computed again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cuts {
    /// All segments.
    pub segments: usize,
    /// Those that are computed again.
    pub again: usize,
}

impl Cuts {
    /// All cuts of loops of at most so many steps. Of those that keep a segment or more the later take more operations; the others
    /// keep nothing, so that what is stacked is stacked in place.
    pub fn all(longest: usize) -> impl Iterator<Item = Cuts> {
        let doubled = move |from: usize| {
            std::iter::successors(Some(from), |segments| Some(2 * segments))
                .take_while(move |&segments| segments < longest)
        };
        [(8, 1), (4, 1), (8, 3), (2, 1)]
            .into_iter()
            .filter(move |&(segments, _)| segments < longest)
            .chain(doubled(4).map(|segments| (segments, segments - 1)))
            .chain(doubled(2).map(|segments| (segments, segments)))
            .map(|(segments, again)| Cuts { segments, again })
    }

    fn cut(self, length: usize) -> Option<Cut> {
        let mut steps = length.div_ceil(self.segments.max(1));
        if steps < 2 || steps >= length {
            return None;
        }
        let count = if self.again < self.segments {
            self.again.min((length - 1) / steps)
        } else {
            let even = (steps / 2 + 1..=steps).rev().find(|&steps| length.is_multiple_of(steps));
            steps = even.unwrap_or(steps);
            length / steps
        };
        Some(Cut { count, steps, rest: length - count * steps })
    }
}

/// So many segments of so many steps, and the steps that are left, which are the last rows of what is stacked.
#[derive(Clone, Copy, Debug)]
struct Cut {
    count: usize,
    steps: usize,
    rest: usize,
}

impl Cut {
    fn length(self) -> usize {
        self.count * self.steps
    }
}

/// A loop that has been cut.
#[derive(Clone, Debug)]
pub struct Pieces {
    cut: Cut,
    /// The loop over the segments.
    segments: Id,
    /// The loop over the steps that are left.
    rest: Option<Id>,
    /// What the loop over the segments stacks.
    stacked: Vec<Which>,
}

impl Segments {
    /// Every loop outside of loops.
    pub fn new(
        model: &Model,
        (wanted, needed): (&[NodeId], &[bool]),
        bindings: &Bindings,
        cuts: Option<Cuts>,
    ) -> Result<Segments, RunError> {
        let mut segments = Segments::default();
        let Some(cuts) = cuts else { return Ok(segments) };
        for id in model.nodes().filter(|id| needed[id.index()]) {
            let Op::Scan(scan) = model.op(id) else { continue };
            if let Some(cut) = cuts.cut(length(scan, bindings)?) {
                segments.cuts.insert(id, cut);
            }
        }
        let whole = |id: NodeId| match model.op(id) {
            Op::Part(part) => Some((model.operands(id)[0], part.which)),
            _ => None,
        };
        for id in model.nodes().filter(|id| needed[id.index()]) {
            let slices = match model.op(id) {
                Op::Scan(scan) if segments.cuts.contains_key(&id) => {
                    scan.carries..scan.outside() - 1
                }
                _ => 0..0,
            };
            for (place, operand) in model.reads(id).enumerate() {
                let trace = matches!(whole(operand), Some((_, Which::Trace(_))));
                let sliced = slices.contains(&place) && trace;
                segments.whole.extend(whole(operand).filter(|_| !sliced));
            }
        }
        segments.whole.extend(wanted.iter().copied().filter_map(whole));
        Ok(segments)
    }

    /// The loop whose carry an operand is before each step, if that is not there as a whole.
    fn trace(&self, model: &Model, operand: NodeId) -> Option<(NodeId, usize)> {
        let Op::Part(part) = model.op(operand) else { return None };
        let of = model.operands(operand)[0];
        match part.which {
            Which::Trace(carry) if !self.whole.contains(&(of, part.which)) => Some((of, carry)),
            _ => None,
        }
    }
}

/// The number of steps of a loop.
pub(super) fn length(scan: &Scan, bindings: &Bindings) -> Result<usize, RunError> {
    Ok(usize::try_from(scan.length.eval(bindings)?).unwrap_or(0))
}

/// The steps of the longest loop outside of loops.
pub fn longest(model: &Model, wanted: &[NodeId], bindings: &Bindings) -> Result<usize, RunError> {
    let needed = model.needed(wanted.iter().copied());
    let mut longest = 0;
    for id in model.nodes().filter(|id| needed[id.index()]) {
        if let Op::Scan(scan) = model.op(id) {
            longest = longest.max(length(scan, bindings)?);
        }
    }
    Ok(longest)
}

/// A loop over some steps of a scan, and which of the scan's carries, slices and values from outside it has.
struct Short {
    scan: Scan,
    carries: Vec<usize>,
    slices: Vec<usize>,
    outside: Vec<usize>,
    /// The number of the step is its last slice.
    numbered: bool,
}

impl Short {
    /// All that the scan does, or only what these carries need.
    fn new(scan: &Scan, steps: usize, traces: Option<&BTreeSet<usize>>) -> Short {
        let body = &scan.body;
        let mut carries: Vec<usize> = match traces {
            None => (0..scan.carries).collect(),
            Some(traces) => traces.iter().copied().collect(),
        };
        let yields = if traces.is_none() { &body.results[scan.carries..] } else { &[] };
        let results = |carries: &[usize]| -> Vec<u32> {
            let next = carries.iter().map(|&carry| body.results[carry]);
            next.chain(yields.iter().copied()).collect()
        };
        let needed = loop {
            let needed = body.needed(results(&carries));
            let read =
                (0..scan.carries).filter(|carry| carries.contains(carry) || needed[1 + carry]);
            let read: Vec<usize> = read.collect();
            if read.len() == carries.len() {
                break needed;
            }
            carries = read;
        };
        let (first, outside) = (1 + scan.carries, scan.outside());
        let read = |from: usize, to: usize| -> Vec<usize> {
            (from..to).filter(|&place| needed[place]).map(|place| place - from).collect()
        };
        let (slices, others) = (read(first, outside), read(outside, body.inputs.len()));
        let numbered = needed[0];
        let old = carries.iter().map(|carry| 1 + carry);
        let old = old.chain(slices.iter().map(|slice| first + slice));
        let old = old.chain(numbered.then_some(0));
        let old: Vec<usize> = old.chain(others.iter().map(|other| outside + other)).collect();
        let mut places = vec![u32::MAX; needed.len()];
        let mut inputs = vec![body.inputs[0].clone()];
        for &place in &old {
            places[place] = inputs.len() as u32;
            inputs.push(body.inputs[place].clone());
        }
        let mut done = Vec::new();
        for (number, step) in body.steps.iter().enumerate() {
            let place = body.inputs.len() + number;
            if needed[place] {
                places[place] = (inputs.len() + done.len()) as u32;
                let mut step = step.clone();
                step.operands.iter_mut().for_each(|operand| *operand = places[*operand as usize]);
                done.push(step);
            }
        }
        let results = results(&carries).iter().map(|&place| places[place as usize]).collect();
        let names = vec![None; inputs.len() + done.len()];
        let scan = Scan {
            reverse: scan.reverse,
            length: Size::Known(steps as i64),
            carries: carries.len(),
            slices: slices.len() + usize::from(numbered),
            body: Body::new(inputs, done, results, names, Vec::new()).into(),
        };
        Short { scan, carries, slices, outside: others, numbered }
    }
}

/// A place in the body of a loop over segments whose inputs are still being gathered.
#[derive(Clone, Copy)]
enum Place {
    Carry(usize),
    Slice(usize),
    Outside(usize),
    Step(usize),
}

/// An input of such a body.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Given {
    /// The rows of an operand.
    Rows(NodeId),
    /// A carry at the start of each segment.
    Start(NodeId, usize),
    /// The numbers of the steps.
    Numbers,
    /// An operand as it is.
    Outside(NodeId),
}

/// The body of a loop over segments.
#[derive(Default)]
struct Outer {
    slices: Vec<(Type, View)>,
    outside: Vec<(Type, View)>,
    steps: Vec<(Op, SmallVec<[Place; 4]>, Type)>,
    given: FxHashMap<Given, Place>,
}

impl Outer {
    fn step(&mut self, op: Op, operands: SmallVec<[Place; 4]>, ty: Type) -> Place {
        self.steps.push((op, operands, ty));
        Place::Step(self.steps.len() - 1)
    }

    fn slice(&mut self, given: Given, ty: Type, view: View) -> Place {
        let Outer { slices, given: known, .. } = self;
        *known.entry(given).or_insert_with(|| {
            slices.push((ty, view));
            Place::Slice(slices.len() - 1)
        })
    }

    /// An array of which a step has a `row`, segment by segment.
    fn rows(&mut self, given: Given, row: &Type, view: &View, cut: Cut) -> Place {
        let steps = Size::Known(cut.steps as i64);
        let ty = row.with_shape(std::iter::once(steps).chain(row.shape.iter().cloned()));
        let mut layout = view.layout.clone();
        layout.cut(0, 0, cut.length(), 1);
        let sizes: Vec<usize> =
            [cut.count, cut.steps].into_iter().chain(layout.sizes[1..].iter().copied()).collect();
        let layout = layout.reshape(&sizes).expect("operands of loops are plain");
        self.slice(given, ty, View { of: view.of, layout })
    }

    fn outside(&mut self, operand: NodeId, ty: Type, view: View) -> Place {
        let Outer { outside, given: known, .. } = self;
        *known.entry(Given::Outside(operand)).or_insert_with(|| {
            outside.push((ty, view));
            Place::Outside(outside.len() - 1)
        })
    }

    fn part(&mut self, scan: &Scan, of: Place, which: Which) -> Place {
        let part = scan.part(which);
        let ty = (*part.ty).clone();
        self.step(part.into(), smallvec![of], ty)
    }

    /// The loop over so many segments, whose results are at these places.
    fn closed(self, scan: &Scan, count: usize, results: &[Place]) -> (Scan, Vec<View>) {
        let (slices, outside) = (1 + scan.carries, 1 + scan.carries + self.slices.len());
        let steps = outside + self.outside.len();
        let place = |place: &Place| match *place {
            Place::Carry(number) => 1 + number,
            Place::Slice(number) => slices + number,
            Place::Outside(number) => outside + number,
            Place::Step(number) => steps + number,
        } as u32;
        let mut inputs = scan.body.inputs[..slices].to_vec();
        let mut views = Vec::with_capacity(self.slices.len() + self.outside.len());
        let sliced = self.slices.len();
        for (ty, view) in self.slices.into_iter().chain(self.outside) {
            inputs.push(ty);
            views.push(view);
        }
        let step = |(op, operands, ty): (Op, SmallVec<[Place; 4]>, Type)| Step {
            op,
            operands: operands.iter().map(place).collect(),
            ty,
            origins: Origins::default(),
        };
        let steps: Vec<Step> = self.steps.into_iter().map(step).collect();
        let results = results.iter().map(place).collect();
        let names = vec![None; inputs.len() + steps.len()];
        let scan = Scan {
            reverse: scan.reverse,
            length: Size::Known(count as i64),
            carries: scan.carries,
            slices: sliced,
            body: Body::new(inputs, steps, results, names, Vec::new()).into(),
        };
        (scan, views)
    }
}

impl Writer<'_> {
    /// A loop as it is, or in segments.
    pub(super) fn looped(
        &mut self,
        scan: &Scan,
        args: SmallVec<[View; 2]>,
    ) -> Result<View, RunError> {
        let mut starts: Vec<View> = args[..scan.carries].to_vec();
        let Some(&cut) = self.segments.cuts.get(&self.id) else {
            let (model, id) = (self.model, self.id);
            let given = model.reads(id).skip(scan.carries).map(|operand| self.input(operand));
            let args = starts.into_iter().chain(given).collect();
            return self.scan(scan, args);
        };
        let mut rest = None;
        if cut.rest > 0 && scan.reverse {
            let of = self.rest(scan, cut, &starts)?;
            (rest, starts) = (Some(of), self.finals(scan, of)?);
        }
        let (segments, stacked) = self.in_segments(scan, cut, &starts)?;
        if cut.rest > 0 && !scan.reverse {
            starts = self.finals(scan, segments.of)?;
            rest = Some(self.rest(scan, cut, &starts)?);
        }
        let pieces = Pieces { cut, segments: segments.of, rest, stacked };
        self.draft.pieces.insert(self.id, pieces);
        Ok(segments)
    }

    /// A result of a loop.
    pub(super) fn picked(&mut self, which: Which, of: &View) -> Result<View, RunError> {
        let scan = self.model.operands(self.id)[0];
        let Some(pieces) = self.draft.pieces.get(&scan).cloned() else {
            return self.part(of.of, which);
        };
        let Op::Scan(whole) = self.model.op(scan) else { unreachable!("a part is of a scan") };
        let last = pieces.rest.filter(|_| !whole.reverse).unwrap_or(pieces.segments);
        if let Which::Final(_) = which {
            return self.part(last, which);
        }
        let Some(place) = pieces.stacked.iter().position(|&known| known == which) else {
            // Nothing but loops in segments need it, each of them one at a time.
            return self.part(pieces.segments, which);
        };
        let ty = self.model.ty(self.id);
        let to = sizes(&ty.shape, self.bindings)?;
        let rows = |count: usize| {
            let mut sizes = to.clone();
            sizes[0] = count;
            sizes
        };
        let (first, count) = (pieces.cut.length(), pieces.cut.rest);
        let view = self.part(pieces.segments, Which::Yield(place))?;
        let layout = view.layout.reshape(&rows(first)).expect("stacks are plain");
        let view = View { of: view.of, layout };
        let Some(rest) = pieces.rest else { return Ok(view) };
        let rest = self.part(rest, which)?;
        let place = |start: usize, count: usize| {
            let mut layout = Layout::rows(&to);
            layout.cut(0, start as isize, count, 1);
            layout
        };
        let places = vec![place(0, first), place(first, count)];
        Ok(self.moved(places, false, &to, smallvec![view, rest]))
    }

    /// A result of a loop of the draft.
    fn part(&mut self, of: Id, which: Which) -> Result<View, RunError> {
        if let Which::Final(carry) = which
            && let Some(known) = self.draft.finals.get(&(of, carry))
        {
            return Ok(known.clone());
        }
        if let Some(known) = self.draft.parts.get(&(of, which)) {
            return Ok(known.clone());
        }
        let ty = self.draft.loops[&of].scan.part(which).ty;
        let to = sizes(&ty.shape, self.bindings)?;
        let of_scan = View { of, layout: Layout::rows(&[]) };
        let view = self.draft.add(Kind::Part(which), ty.dtype, &to, smallvec![of_scan], self.id);
        self.draft.parts.insert((of, which), view.clone());
        Ok(view)
    }

    fn finals(&mut self, scan: &Scan, of: Id) -> Result<Vec<View>, RunError> {
        (0..scan.carries).map(|carry| self.part(of, Which::Final(carry))).collect()
    }

    /// The loop over the steps that are left.
    fn rest(&mut self, scan: &Scan, cut: Cut, starts: &[View]) -> Result<Id, RunError> {
        let short = Short::new(scan, cut.rest, None);
        let operands = self.model.operands(self.id);
        let mut args: SmallVec<[View; 2]> = starts.into();
        for &slice in &short.slices {
            let operand = operands[scan.carries + slice];
            args.push(match self.segments.trace(self.model, operand) {
                Some((of, carry)) => {
                    let rest = self.draft.pieces[&of].rest;
                    self.part(rest.expect("both are cut alike"), Which::Trace(carry))?
                }
                None => {
                    let mut view = self.input(operand);
                    view.layout.cut(0, cut.length() as isize, cut.rest, 1);
                    view
                }
            });
        }
        if short.numbered {
            let mut view = self.numbers(cut.length() + cut.rest);
            view.layout.cut(0, cut.length() as isize, cut.rest, 1);
            args.push(view);
        }
        for &place in &short.outside {
            args.push(self.input(operands[scan.outside() - 1 + place]));
        }
        Ok(self.scan(&short.scan, args)?.of)
    }

    /// The loop over the segments, and what it stacks.
    fn in_segments(
        &mut self,
        scan: &Scan,
        cut: Cut,
        starts: &[View],
    ) -> Result<(View, Vec<Which>), RunError> {
        let (model, segments) = (self.model, self.segments);
        let mut loops = vec![(self.id, scan, Short::new(scan, cut.steps, None))];
        let mut asked: BTreeMap<NodeId, BTreeSet<usize>> = BTreeMap::new();
        while let Some((of, scan, short)) = loops.last() {
            let operands = model.operands(*of);
            for &slice in &short.slices {
                if let Some((of, carry)) = segments.trace(model, operands[scan.carries + slice]) {
                    asked.entry(of).or_default().insert(carry);
                }
            }
            let Some((of, traces)) = asked.pop_last() else { break };
            let Op::Scan(scan) = model.op(of) else { unreachable!("a trace is of a scan") };
            loops.push((of, scan, Short::new(scan, cut.steps, Some(&traces))));
        }
        let mut outer = Outer::default();
        let mut inner: FxHashMap<NodeId, (Place, &Short)> = FxHashMap::default();
        for (of, whole, short) in loops.iter().rev() {
            let given = model.operands(*of);
            let inputs = &short.scan.body.inputs[1..];
            let mut operands: SmallVec<[Place; 4]> = SmallVec::new();
            for (number, &carry) in short.carries.iter().enumerate() {
                operands.push(if *of == self.id {
                    Place::Carry(number)
                } else {
                    let start = self.part(self.draft.pieces[of].segments, Which::Trace(carry))?;
                    outer.slice(Given::Start(*of, carry), inputs[number].clone(), start)
                });
            }
            for &slice in &short.slices {
                let operand = given[whole.carries + slice];
                operands.push(match segments.trace(model, operand) {
                    Some((of, carry)) => {
                        let (place, short) = inner[&of];
                        let number = short.carries.iter().position(|&known| known == carry);
                        let number = number.expect("it has been asked for");
                        outer.part(&short.scan, place, Which::Trace(number))
                    }
                    None => {
                        let view = self.input(operand);
                        outer.rows(Given::Rows(operand), &inputs[operands.len()], &view, cut)
                    }
                });
            }
            if short.numbered {
                let view = self.numbers(cut.length() + cut.rest);
                operands.push(outer.rows(Given::Numbers, &inputs[operands.len()], &view, cut));
            }
            for &place in &short.outside {
                let operand = given[whole.outside() - 1 + place];
                let view = self.input(operand);
                operands.push(outer.outside(operand, inputs[operands.len()].clone(), view));
            }
            let ty = Type::scalar(DType::Bool);
            let place = outer.step(short.scan.clone().into(), operands, ty);
            inner.insert(*of, (place, short));
        }
        let (place, short) = inner[&self.id];
        let needed = |which: &Which| segments.whole.contains(&(self.id, *which));
        let yields = (0..scan.yields()).map(Which::Yield);
        let stacked: Vec<Which> =
            yields.chain((0..scan.carries).map(Which::Trace)).filter(needed).collect();
        let finals = (0..scan.carries).map(Which::Final);
        let results: Vec<Place> = finals
            .chain(stacked.iter().copied())
            .map(|which| outer.part(&short.scan, place, which))
            .collect();
        let (outer, views) = outer.closed(&short.scan, cut.count, &results);
        let args = starts.iter().cloned().chain(views).collect();
        Ok((self.scan(&outer, args)?, stacked))
    }

    /// An operand of loops, as they take it.
    fn input(&mut self, id: NodeId) -> View {
        if let Some(known) = self.draft.plain.get(&id) {
            return known.clone();
        }
        let view = self.views[id.index()].clone().expect("operands come first");
        let view = self.plain(view);
        self.draft.plain.insert(id, view.clone());
        view
    }

    /// The numbers of so many steps.
    fn numbers(&mut self, length: usize) -> View {
        let known = self.draft.counted.get(&length).cloned();
        known.unwrap_or_else(|| {
            let values = (0..length).map(|number| number as f64).collect();
            let values = Tensor::from_f64(DType::I64, &[length], values);
            let kind = Kind::Constant(values.into());
            let view = self.draft.add(kind, DType::I64, &[length], SmallVec::new(), self.id);
            self.draft.counted.insert(length, view.clone());
            view
        })
    }
}
