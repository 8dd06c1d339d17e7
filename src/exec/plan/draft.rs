//! The model with its sizes bound: views are no nodes, softmax and its kin are maps and folds, constants are numbers.

use super::ends::Ends;
use super::hoist::{Factors, Looped};
use super::index::find;
use super::layout::{Layout, Sizes};
use super::segments::{Cuts, Pieces, Segments};
use super::windows::Windows;
use crate::exec::kernels::rows::Action;
use crate::exec::reference::RunError;
use crate::graph::{Model, NodeId};
use crate::ops::leaf::{Const, SizeOf};
use crate::ops::reduce::Fold;
use crate::ops::scan::{Part, Which};
use crate::ops::shape::{Cut, Pad};
use crate::ops::size::sizes;
use crate::ops::{Bindings, Name, Op, Operator, Scalar, ValueError};
use crate::tensor::{DType, Tensor};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::{SmallVec, smallvec};

/// An item of a draft.
pub type Id = u32;

/// What an item is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A variable by number.
    Variable(u32),
    /// A number.
    Number(f64),
    /// An array that planning knows.
    Constant(Box<Tensor>),
    /// An action on single elements.
    Map(Action),
    /// The last `axes` axes folded.
    FoldTail(Fold, usize),
    /// The first axes folded, as many as the result lacks.
    FoldHead(Fold),
    /// `[batch.., m, k]` by `[batch.., k, n]`; where the elements go if not one after the other.
    Product(Ends, Option<Box<Layout>>),
    /// The operands at places in the result; where there are gaps, zeros.
    Move(Vec<Layout>, bool),
    /// Windows of arrays.
    Windows(Box<Windows>, Ends),
    /// Elements found by number.
    Index(NodeId),
    /// A loop, whose results are items of their own.
    Scan(NodeId),
    /// A result of a loop.
    Part(Which),
    /// An operator of the model, as the reference does it.
    Node(NodeId),
}

impl Kind {
    /// The elements of a view, one after the other.
    pub fn copy(dtype: DType, sizes: &[usize]) -> Kind {
        match dtype.is_float() {
            true => Kind::Map(Action::Move),
            false => Kind::Move(vec![Layout::rows(sizes)], false),
        }
    }
}

/// An operand: an item as it is seen.
#[derive(Clone, Debug)]
pub struct View {
    /// The item.
    pub of: Id,
    /// How it is seen.
    pub layout: Layout,
}

/// A value of a draft, laid out in rows.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// The element type.
    pub dtype: DType,
    /// The sizes of the axes.
    pub sizes: Sizes,
    /// The operands.
    pub args: Box<[View]>,
}

/// A draft: items in an order of evaluation.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The items.
    pub items: Vec<Item>,
    /// The names of the variables.
    pub variables: Vec<Name>,
    /// For each item the node that it is for.
    pub nodes: Vec<NodeId>,
    /// The loops.
    pub loops: FxHashMap<Id, Looped>,
    /// Products that loops share.
    pub(super) products: FxHashMap<Factors, View>,
    /// The last values of carries that are none any more.
    pub(super) finals: FxHashMap<(Id, usize), View>,
    /// Other results of loops.
    pub(super) parts: FxHashMap<(Id, Which), View>,
    /// Loops that have been cut.
    pub(super) pieces: FxHashMap<NodeId, Pieces>,
    /// Operands of loops that have been cut, as they take them, and the numbers of so many steps.
    pub(super) plain: FxHashMap<NodeId, View>,
    pub(super) counted: FxHashMap<usize, View>,
    numbers: FxHashMap<(DType, u64), Id>,
}

/// The draft of what `wanted` needs, with its loops as they are or in segments, and where each of these is.
pub fn draft(
    model: &Model,
    wanted: &[NodeId],
    bindings: &Bindings,
    cuts: Option<Cuts>,
) -> Result<(Draft, Vec<Id>), RunError> {
    let needed = model.needed(wanted.iter().copied());
    let uses = uses(model, &needed);
    let traced = traced(model, &needed);
    let segments = Segments::new(model, (wanted, &needed), bindings, cuts)?;
    let last = wanted.iter().map(|id| id.index() + 1).max().unwrap_or(0);
    let nodes = needed.iter().filter(|needed| **needed).count();
    let mut draft = Draft::default();
    draft.items.reserve(nodes);
    draft.nodes.reserve(nodes);
    let mut views: Vec<Option<View>> = vec![None; last];
    for id in model.nodes().take(last).filter(|id| needed[id.index()]) {
        let args: SmallVec<[View; 2]> = model
            .operands(id)
            .iter()
            .map(|operand| views[operand.index()].clone().expect("operands come first"))
            .collect();
        let (draft, uses, traced) = (&mut draft, &uses, &traced);
        let segments = &segments;
        let mut writer =
            Writer { draft, model, bindings, id, uses, views: &views, traced, segments };
        views[id.index()] = Some(writer.node(args)?);
    }
    let mut results = Vec::with_capacity(wanted.len());
    for &id in wanted {
        let view = views[id.index()].clone().expect("what is wanted is needed");
        let dtype = model.ty(id).dtype;
        let number = matches!(draft.items[view.of as usize].kind, Kind::Number(_));
        let whole = view.layout.is_whole() && draft.items[view.of as usize].dtype == dtype;
        let size = draft.items[view.of as usize].sizes.iter().product::<usize>();
        results.push(if number || !whole || size != view.layout.len() {
            draft.dense(view, id).of
        } else {
            view.of
        });
    }
    Ok((draft, results))
}

fn uses(model: &Model, needed: &[bool]) -> Vec<u32> {
    let mut uses = vec![0; model.len()];
    for id in model.nodes().filter(|id| needed[id.index()]) {
        for operand in model.operands(id) {
            uses[operand.index()] += 1;
        }
    }
    uses
}

fn traced(model: &Model, needed: &[bool]) -> FxHashSet<(NodeId, usize)> {
    let part = |id: NodeId| match model.op(id) {
        Op::Part(Part { which: Which::Trace(carry), .. }) => Some((model.operands(id)[0], *carry)),
        _ => None,
    };
    model.nodes().filter(|id| needed[id.index()]).filter_map(part).collect()
}

impl Draft {
    /// Adds an item and sees it as it is.
    pub fn add(
        &mut self,
        kind: Kind,
        dtype: DType,
        sizes: &[usize],
        args: SmallVec<[View; 2]>,
        node: NodeId,
    ) -> View {
        let id = self
            .push(Item { kind, dtype, sizes: sizes.into(), args: args.into_boxed_slice() }, node);
        View { of: id, layout: Layout::rows(sizes) }
    }

    /// A draft of variables that are called so.
    pub fn of(variables: Vec<Name>) -> Draft {
        Draft { variables, ..Draft::default() }
    }

    /// Adds an item as it is.
    pub fn push(&mut self, item: Item, node: NodeId) -> Id {
        self.items.push(item);
        self.nodes.push(node);
        self.items.len() as Id - 1
    }

    /// A number.
    pub fn number(&mut self, dtype: DType, value: f64, node: NodeId) -> View {
        let value = if dtype == DType::F32 { f64::from(value as f32) } else { value };
        let known = self.numbers.get(&(dtype, value.to_bits())).copied();
        let id = known.unwrap_or_else(|| {
            let view = self.add(Kind::Number(value), dtype, &[], SmallVec::new(), node);
            self.numbers.insert((dtype, value.to_bits()), view.of);
            view.of
        });
        View { of: id, layout: Layout::rows(&[]) }
    }

    /// The number that a view consists of.
    pub fn filled(&self, view: &View) -> Option<f64> {
        match self.items[view.of as usize].kind {
            Kind::Number(value) => Some(value),
            _ => None,
        }
    }

    /// The elements of a view in rows of their own.
    pub fn dense(&mut self, view: View, node: NodeId) -> View {
        let dtype = self.items[view.of as usize].dtype;
        let sizes = view.layout.sizes.clone();
        self.add(Kind::copy(dtype, &sizes), dtype, &sizes, smallvec![view], node)
    }
}

/// Writes the items of one node.
pub(super) struct Writer<'a> {
    pub(super) draft: &'a mut Draft,
    pub(super) model: &'a Model,
    pub(super) bindings: &'a Bindings,
    pub(super) id: NodeId,
    pub(super) uses: &'a [u32],
    pub(super) views: &'a [Option<View>],
    /// Carries whose values before each step are needed.
    pub(super) traced: &'a FxHashSet<(NodeId, usize)>,
    /// Where loops are cut.
    pub(super) segments: &'a Segments,
}

impl Writer<'_> {
    pub(super) fn node(&mut self, mut args: SmallVec<[View; 2]>) -> Result<View, RunError> {
        let (model, id) = (self.model, self.id);
        let ty = model.ty(id);
        let to = match model.op(id) {
            Op::Scan(_) => Vec::new(),
            _ => sizes(&ty.shape, self.bindings)?,
        };
        let float = ty.dtype.is_float();
        Ok(match model.op(id) {
            Op::Variable(variable) => {
                let number = self.draft.variables.len() as u32;
                self.draft.variables.push(variable.name.clone());
                self.draft.add(Kind::Variable(number), ty.dtype, &to, SmallVec::new(), id)
            }
            Op::Const(Const { value, .. }) if float || ty.dtype == DType::Bool => {
                self.draft.number(ty.dtype, value.to_f64(), id)
            }
            Op::SizeOf(SizeOf { size, .. }) if float => {
                let value = size.eval(self.bindings)? as f64;
                self.draft.number(ty.dtype, value, id)
            }
            Op::Const(_) | Op::SizeOf(_) | Op::Literal(_) | Op::Iota(_) | Op::Eye(_) => {
                let value = self.reference(&[], &to)?;
                self.draft.add(Kind::Constant(value.into()), ty.dtype, &to, SmallVec::new(), id)
            }
            Op::StopGradient(_) | Op::Barrier(_) => args.remove(0),
            Op::Broadcast(broadcast) => {
                let fits = broadcast.from.iter().zip(&to).all(|(from, &size)| {
                    from.is_none_or(|axis| matches!(args[0].layout.sizes[axis as usize], n if n == 1 || n == size))
                });
                if !fits {
                    let message =
                        format!("cannot broadcast {:?} to {to:?}", args[0].layout.sizes.as_slice());
                    return Err(RunError::Value { node: id, error: ValueError::Shape(message) });
                }
                let layout = args[0].layout.broadcast(&to, &broadcast.from);
                View { of: args[0].of, layout }
            }
            Op::Permute(permute) => {
                View { of: args[0].of, layout: args[0].layout.permute(&permute.order) }
            }
            Op::Flip(flip) => {
                let mut view = args.remove(0);
                flip.axes.iter().for_each(|&axis| view.layout.flip(axis));
                view
            }
            Op::Slice(slice) => self.slice(&slice.cuts, args.remove(0))?,
            Op::Reshape(_) => self.reshaped(args.remove(0), &to),
            Op::Scalar(Scalar::Pow) if self.power(&args).is_some() => {
                let power = self.power(&args).unwrap_or(1);
                self.powered(args.remove(0), power, &to)
            }
            Op::Scalar(row) if self.is_mapped(&args) => self.map(Action::Row(*row), &to, args),
            Op::Select(_) if self.is_mapped(&args) => self.map(Action::Select, &to, args),
            Op::Cast(_) if float && self.dtype(&args[0]) == DType::Bool => {
                self.map(Action::Move, &to, args)
            }
            Op::Outer(_) if float => {
                let (a, b) = (&args[0], &args[1]);
                let left = View { of: a.of, layout: a.layout.broadcast(&to, &[Some(0), None]) };
                let right = View { of: b.of, layout: b.layout.broadcast(&to, &[None, Some(0)]) };
                self.map(Action::Row(Scalar::Mul), &to, smallvec![left, right])
            }
            Op::Softmax(softmax) if !softmax.axes.is_empty() => {
                let axes = softmax.axes.clone();
                self.softmax(args.remove(0), &axes)
            }
            Op::Reduce(reduce) if float => {
                let (kind, axes) = (reduce.kind, reduce.axes.clone());
                let contracted = self.contracted(kind, &axes, &to);
                match contracted.or_else(|| self.letters_summed(kind, &axes)) {
                    Some(view) => view,
                    None => self.reduce(kind, &axes, args.remove(0)),
                }
            }
            Op::Reduce(reduce) if matches!(reduce.kind, Fold::Any | Fold::All) => {
                let (kind, axes) = (reduce.kind, reduce.axes.clone());
                self.reduce(kind, &axes, args.remove(0))
            }
            Op::MatMul(_) if float => match self.chain() {
                Some(view) => View { layout: view.layout.reshape(&to).expect("rows"), ..view },
                None => self.matmul(args, &to),
            },
            Op::Einsum(einsum) if float => self.einsum(einsum, args),
            Op::Concat(concat) => {
                let mut start = 0;
                let place = |view: &View| {
                    let mut layout = Layout::rows(&to);
                    let size = view.layout.sizes[concat.axis];
                    layout.cut(concat.axis, start, size, 1);
                    start += size as isize;
                    layout
                };
                let places = args.iter().map(place).collect();
                self.moved(places, false, &to, args)
            }
            Op::Stack(stack) => {
                let place = |number: usize| {
                    let mut layout = Layout::rows(&to);
                    layout.at(stack.axis, number as isize);
                    layout
                };
                let places = (0..args.len()).map(place).collect();
                self.moved(places, false, &to, args)
            }
            Op::Pad(pad) => match self.padded(pad, &args[0], &to)? {
                Some(layout) => self.moved(vec![layout], true, &to, args),
                None => self.node_of_reference(ty.dtype, &to, args),
            },
            Op::Conv(conv) if float => self.conv(conv, args, &to)?,
            Op::Pool(pool) if float => self.pool(pool, args, &to)?,
            Op::Scan(scan) => self.looped(scan, args)?,
            Op::Part(part) => self.picked(part.which, &args[0])?,
            op if find(op).is_some() => {
                let args = args.into_iter().map(|view| self.plain(view)).collect();
                self.draft.add(Kind::Index(id), ty.dtype, &to, args, id)
            }
            _ => self.node_of_reference(ty.dtype, &to, args),
        })
    }

    pub(super) fn node_of_reference(
        &mut self,
        dtype: DType,
        to: &[usize],
        args: SmallVec<[View; 2]>,
    ) -> View {
        let args = args.into_iter().map(|view| self.plain(view)).collect();
        self.draft.add(Kind::Node(self.id), dtype, to, args, self.id)
    }

    pub(super) fn moved(
        &mut self,
        places: Vec<Layout>,
        gaps: bool,
        to: &[usize],
        args: SmallVec<[View; 2]>,
    ) -> View {
        let args = args
            .into_iter()
            .map(|view| match self.draft.filled(&view) {
                Some(_) => self.draft.dense(view, self.id),
                None => view,
            })
            .collect();
        let dtype = self.model.ty(self.id).dtype;
        self.draft.add(Kind::Move(places, gaps), dtype, to, args, self.id)
    }

    /// Where the elements go that zeros are put around; not where some are cut off.
    pub(super) fn padded(
        &self,
        pad: &Pad,
        x: &View,
        to: &[usize],
    ) -> Result<Option<Layout>, RunError> {
        let mut layout = Layout::rows(to);
        for (axis, &size) in x.layout.sizes.iter().enumerate() {
            let (low, step) = (pad.low[axis].eval(self.bindings)?, pad.between[axis] + 1);
            let last = low + (size as i64 - 1).max(0) * step;
            if size > 0 && (low < 0 || step < 1 || last >= to[axis] as i64) {
                return Ok(None);
            }
            layout.cut(axis, low as isize, size, step as isize);
        }
        Ok(Some(layout))
    }

    pub(super) fn reference(&self, args: &[Tensor], to: &[usize]) -> Result<Tensor, RunError> {
        let value = self.model.op(self.id).value(args, to, self.bindings);
        value.map_err(|error| RunError::Value { node: self.id, error })
    }

    pub(super) fn dtype(&self, view: &View) -> DType {
        self.draft.items[view.of as usize].dtype
    }

    /// Whether the tile machine can take the operands: floats of one type, and truth values.
    pub(super) fn is_mapped(&self, args: &[View]) -> bool {
        args.iter().all(|view| self.dtype(view).is_float() || self.dtype(view) == DType::Bool)
    }

    /// What an operator of the reference takes: all of an item, or a dense part of it.
    pub(super) fn plain(&mut self, view: View) -> View {
        let number = matches!(self.draft.items[view.of as usize].kind, Kind::Number(_));
        if view.layout.is_dense() && !number { view } else { self.draft.dense(view, self.id) }
    }

    pub(super) fn slice(&mut self, cuts: &[Cut], mut view: View) -> Result<View, RunError> {
        let mut axis = 0;
        for cut in cuts {
            let size = view.layout.sizes[axis];
            let (first, last) = match cut {
                Cut::At(at) => {
                    let at = at.eval(self.bindings)?;
                    (at, at)
                }
                Cut::Range { start, size, step } => {
                    let (start, count) = (start.eval(self.bindings)?, size.eval(self.bindings)?);
                    (start, if count > 0 { start + (count - 1) * step } else { start - 1 })
                }
            };
            if first < 0 || first.max(last) >= size as i64 + i64::from(last < first) || last < -1 {
                let index = if first < 0 { first } else { last };
                let error = ValueError::IndexOutOfRange { index, size };
                return Err(RunError::Value { node: self.id, error });
            }
            match cut {
                Cut::At(_) => view.layout.at(axis, first as isize),
                Cut::Range { size, step, .. } => {
                    let count = size.eval(self.bindings)?.max(0) as usize;
                    view.layout.cut(axis, first as isize, count, *step as isize);
                    axis += 1;
                }
            }
        }
        if view.layout.len() == 0 {
            view.layout.offset = 0;
        }
        Ok(view)
    }
}
