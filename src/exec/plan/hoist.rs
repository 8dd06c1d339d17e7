//! What of a loop is done outside of it: products that wait for no step, as one before the loop, and sums over its steps, as
//! one product or fold after it.

use super::draft::{Id, Kind, View, Writer};
use super::layout::Layout;
use super::segments::length;
use crate::exec::reference::RunError;
use crate::ops::reduce::Fold;
use crate::ops::scan::{Scan, Which};
use crate::ops::size::sizes;
use crate::ops::{Op, Scalar};
use crate::tensor::DType;
use smallvec::{SmallVec, smallvec};

/// How the body of a loop differs from the scan's. Places are those of the body.
#[derive(Clone, Debug, Default)]
pub struct Hoist {
    /// Steps whose values for all steps are there before the loop.
    pub sliced: Vec<u32>,
    /// Steps whose value is the same in all steps, and there before the loop.
    pub once: Vec<u32>,
    /// Whether a carry is none any more.
    pub dropped: Vec<bool>,
    /// What is stacked besides what the scan yields.
    pub kept: Vec<u32>,
}

/// A loop in a draft.
#[derive(Clone, Debug)]
pub struct Looped {
    /// What it does.
    pub scan: Scan,
    args: SmallVec<[View; 2]>,
    /// The difference.
    pub hoist: Hoist,
    /// The items of what is stacked besides.
    kept: Vec<View>,
}

/// A product of a draft: its operands.
pub type Factors = (Id, Layout, Id, Layout);

/// A carry that only sums what each step adds.
enum Summed {
    /// Of the products of two places: `a' b`.
    Product(u32, u32),
    /// Of a place over its first axis.
    Rows(u32),
}

impl Writer<'_> {
    /// A loop.
    pub(super) fn scan(
        &mut self,
        scan: &Scan,
        args: SmallVec<[View; 2]>,
    ) -> Result<View, RunError> {
        let firsts: Vec<View> = args[..scan.carries].to_vec();
        // Where each carry begins with a number there is no array of it.
        let mut args: SmallVec<[View; 2]> = args
            .into_iter()
            .enumerate()
            .map(|(place, view)| match self.draft.filled(&view) {
                Some(_) if place < scan.carries && self.dtype(&view).is_float() => view,
                _ => self.plain(view),
            })
            .collect();
        let mut hoist = Hoist { dropped: vec![false; scan.carries], ..Hoist::default() };
        let mut sums = Vec::new();
        let own = args.clone();
        let length = length(scan, self.bindings)?;
        if length > 1 {
            self.before(scan, length, &own, &mut args, &mut hoist)?;
            sums = self.sums(scan, &mut hoist);
        }
        let view = self.draft.add(Kind::Scan(self.id), DType::Bool, &[], args, self.id);
        let looped = Looped { scan: scan.clone(), args: own, hoist, kept: Vec::new() };
        self.draft.loops.insert(view.of, looped);
        for (carry, summed) in sums {
            let value = self.summed(view.of, length, &summed)?;
            let to: SmallVec<[usize; 4]> = self.shape(scan, 1 + carry as u32)?;
            let layout = value.layout.reshape(&to).expect("rows take any shape");
            let value = View { of: value.of, layout };
            let first = firsts[carry].clone();
            let whole = match self.draft.filled(&first) {
                Some(0.0) => value,
                _ => self.scalar(Scalar::Add, smallvec![first, value]),
            };
            self.draft.finals.insert((view.of, carry), whole);
        }
        Ok(view)
    }

    fn shape(&self, scan: &Scan, place: u32) -> Result<SmallVec<[usize; 4]>, RunError> {
        Ok(sizes(&scan.body.ty(place).shape, self.bindings)?.into())
    }

    /// The operand that a place of the body is a slice of.
    fn sliced(&self, scan: &Scan, args: &[View], place: u32) -> Option<View> {
        let arg = (place as usize).checked_sub(1)?;
        (scan.carries..scan.carries + scan.slices).contains(&arg).then(|| args[arg].clone())
    }

    /// The value of a place of the body that is the same in all steps.
    fn outside(&self, scan: &Scan, args: &[View], place: u32) -> Option<View> {
        if let Some(step) = scan.body.step(place) {
            let Op::Permute(permute) = &step.op else { return None };
            let inner = self.outside(scan, args, step.operands[0])?;
            return Some(View { of: inner.of, layout: inner.layout.permute(&permute.order) });
        }
        args.get((place as usize).checked_sub(1)?)
            .filter(|_| place as usize >= scan.outside())
            .cloned()
    }

    /// Products of slices, and transposed operands of other products, go before the loop.
    fn before(
        &mut self,
        scan: &Scan,
        length: usize,
        own: &[View],
        args: &mut SmallVec<[View; 2]>,
        hoist: &mut Hoist,
    ) -> Result<(), RunError> {
        let first = scan.body.inputs.len();
        let mut once = Vec::new();
        for (number, step) in scan.body.steps.iter().enumerate() {
            if !matches!(step.op, Op::MatMul(_)) || !step.ty.dtype.is_float() {
                continue;
            }
            let Some(right) = self.outside(scan, own, step.operands[1]) else { continue };
            if right.layout.sizes.len() != 2 {
                continue;
            }
            let Some(left) = self.sliced(scan, own, step.operands[0]) else {
                let turned = scan.body.step(step.operands[1]).is_some();
                if turned && !hoist.once.contains(&step.operands[1]) {
                    hoist.once.push(step.operands[1]);
                    once.push(self.draft.dense(right, self.id));
                }
                continue;
            };
            let place = (first + number) as u32;
            let mut to: SmallVec<[usize; 4]> = smallvec![length];
            to.extend(self.shape(scan, place)?);
            let value = match self.stacked(&left, &right) {
                Some(value) => value,
                None => self.rows(&left, &right),
            };
            let layout = value.layout.reshape(&to).expect("rows take any shape");
            hoist.sliced.push(place);
            args.push(View { of: value.of, layout });
        }
        args.extend(once);
        Ok(())
    }

    /// The product of all rows of the slices by a matrix, computed once for all loops that need it.
    fn rows(&mut self, left: &View, right: &View) -> View {
        let depth = *left.layout.sizes.last().expect("a slice has an axis to contract");
        let key = (left.of, left.layout.clone(), right.of, right.layout.clone());
        if let Some(known) = self.draft.products.get(&key) {
            return known.clone();
        }
        let rows = left.layout.sizes[..left.layout.sizes.len() - 1].iter().product();
        let layout = left.layout.reshape(&[rows, depth]).expect("slices are plain");
        let value = self.product(View { of: left.of, layout }, right.clone());
        self.draft.products.insert(key, value.clone());
        value
    }

    /// The product if the slices are what a loop before carried, and that loop has computed it.
    fn stacked(&mut self, left: &View, right: &View) -> Option<View> {
        let Kind::Part(Which::Trace(carry)) = self.draft.items[left.of as usize].kind else {
            return None;
        };
        let of = self.draft.items[left.of as usize].args[0].of;
        let looped = self.draft.loops.get(&of)?;
        let body = &looped.scan.body;
        let number = body.steps.iter().position(|step| {
            matches!(step.op, Op::MatMul(_))
                && step.operands[0] as usize == 1 + carry
                && self
                    .outside(&looped.scan, &looped.args, step.operands[1])
                    .is_some_and(|known| known.of == right.of && known.layout == right.layout)
        })?;
        let place = (body.inputs.len() + number) as u32;
        self.kept(of, place).ok()
    }

    /// What a place of the body was in each step of a loop, stacked.
    fn kept(&mut self, of: Id, place: u32) -> Result<View, RunError> {
        let looped = &self.draft.loops[&of];
        if let Some(known) = looped.hoist.kept.iter().position(|&known| known == place) {
            return Ok(looped.kept[known].clone());
        }
        let scan = looped.scan.clone();
        let which = Which::Yield(scan.yields() + looped.hoist.kept.len());
        let mut to: SmallVec<[usize; 4]> = smallvec![length(&scan, self.bindings)?];
        to.extend(self.shape(&scan, place)?);
        let dtype = scan.body.ty(place).dtype;
        let args = smallvec![View { of, layout: Layout::rows(&[]) }];
        let view = self.draft.add(Kind::Part(which), dtype, &to, args, self.id);
        let looped = self.draft.loops.get_mut(&of).expect("it is there");
        looped.hoist.kept.push(place);
        looped.kept.push(view.clone());
        Ok(view)
    }

    /// The carries that only sum, of which nothing but the last value is needed.
    fn sums(&self, scan: &Scan, hoist: &mut Hoist) -> Vec<(usize, Summed)> {
        let body = &scan.body;
        let mut uses = vec![0u32; body.inputs.len() + body.steps.len()];
        let operands = body.steps.iter().flat_map(|step| &step.operands);
        operands.chain(&body.results).for_each(|&place| uses[place as usize] += 1);
        let mut sums = Vec::new();
        for carry in 0..scan.carries {
            let (place, next) = (1 + carry as u32, body.results[carry]);
            let Some(step) = body.step(next) else { continue };
            let added = match step.operands[..] {
                [a, b] if a == place && b != place => b,
                [a, b] if b == place && a != place => a,
                _ => continue,
            };
            let alone = [place, next, added].iter().all(|&place| uses[place as usize] == 1);
            let sum = matches!(step.op, Op::Scalar(Scalar::Add)) && step.ty.dtype.is_float();
            let traced = self.traced.contains(&(self.id, carry));
            let Some(step) = body.step(added).filter(|_| alone && sum && !traced) else { continue };
            let rank = |place: u32| body.ty(place).rank();
            let summed = match (&step.op, &step.operands[..]) {
                (Op::MatMul(_), &[a, b]) if rank(a) == 2 && rank(b) == 2 => match body.step(a) {
                    Some(inner) if matches!(inner.op, Op::Permute(_)) => {
                        Summed::Product(inner.operands[0], b)
                    }
                    _ => continue,
                },
                (Op::Outer(_), &[a, b]) => Summed::Product(a, b),
                (Op::Reduce(reduce), &[a])
                    if reduce.kind == Fold::Sum && reduce.axes[..] == [0] =>
                {
                    Summed::Rows(a)
                }
                _ => continue,
            };
            hoist.dropped[carry] = true;
            sums.push((carry, summed));
        }
        sums
    }

    fn summed(&mut self, of: Id, length: usize, summed: &Summed) -> Result<View, RunError> {
        let rows = |writer: &mut Self, place: u32| {
            let looped = &writer.draft.loops[&of];
            let view = match writer.sliced(&looped.scan, &looped.args, place) {
                Some(view) => view,
                None => writer.kept(of, place)?,
            };
            let wide = *view.layout.sizes.last().unwrap_or(&1);
            let long = view.layout.len() / wide.max(1);
            let layout = view.layout.reshape(&[long, wide]).expect("stacks are plain");
            Ok::<View, RunError>(View { of: view.of, layout })
        };
        match *summed {
            Summed::Product(a, b) => {
                let (a, b) = (rows(self, a)?, rows(self, b)?);
                let layout = a.layout.permute(&[1, 0]);
                Ok(self.product(View { of: a.of, layout }, b))
            }
            Summed::Rows(a) => {
                let looped = &self.draft.loops[&of];
                let rank = looped.scan.body.ty(a).rank();
                let view = match self.sliced(&looped.scan, &looped.args, a) {
                    Some(view) => view,
                    None => self.kept(of, a)?,
                };
                let mut to: SmallVec<[usize; 4]> = smallvec![length * view.layout.sizes[1]];
                to.extend_from_slice(&view.layout.sizes[2..=rank]);
                let layout = view.layout.reshape(&to).expect("stacks are plain");
                Ok(self.reduce(Fold::Sum, &[0], View { of: view.of, layout }))
            }
        }
    }
}
