//! The steps of a plan, with addresses, and how each is run.

use super::direct::Direct;
use super::ends::Ends;
use super::group::Group;
use super::index::Index;
use super::layout::{Layout, merged};
use super::place::width;
use super::scan::Loop;
use super::tiny::Tiny;
use super::windows::Windowed;
use super::{Cost, Engine};
use crate::exec::kernels::gemm::{self, Matrix};
use crate::exec::kernels::memory::Shared;
use crate::exec::kernels::{Context, Float};
use crate::exec::reference::RunError;
use crate::graph::NodeId;
use crate::ops::{Bindings, Op, Operator};
use crate::tensor::{Array, DType, Element, Tensor, typed};
use ndarray::{ArrayD, IxDyn};

/// A step.
#[derive(Debug)]
pub enum Step {
    /// Maps and folds.
    Group(Box<Group>),
    /// Products of matrices.
    Product(Box<Product>),
    /// Windows of arrays.
    Windows(Box<Windowed>),
    /// Elements moved.
    Move(Box<Move>),
    /// Elements found by number.
    Index(Box<(NodeId, Index)>),
    /// An operator as the reference does it.
    Node(Box<Node>),
    /// All of a small model.
    Tiny(Box<Tiny>),
    /// A loop.
    Loop(Box<(NodeId, Loop)>),
}

/// An array in the block.
#[derive(Clone, Debug)]
pub struct Operand {
    /// The first byte of its item.
    pub at: usize,
    /// The number of elements of its item.
    pub count: usize,
    /// How it is seen.
    pub layout: Layout,
}

/// Products of matrices `[m, k]` and `[k, n]`.
#[derive(Clone, Debug)]
pub struct Product {
    /// The element type.
    pub dtype: DType,
    /// m, k and n.
    pub shape: (usize, usize, usize),
    /// The left matrices.
    pub left: Matrices,
    /// The right ones.
    pub right: Matrices,
    /// The first elements of both and of the result for each product.
    pub places: Box<[[usize; 3]]>,
    /// The step to the next row of a result.
    pub row: usize,
    /// A number for each column, where there is one.
    pub bias: Option<Operand>,
    /// Whether negative numbers become 0.
    pub relu: bool,
    /// Whether the result equals its transpose.
    pub symmetric: bool,
    /// The first byte of the results.
    pub to: usize,
}

/// Matrices in an item.
#[derive(Clone, Debug)]
pub struct Matrices {
    /// The first byte of the item.
    pub at: usize,
    /// The number of elements of the item.
    pub count: usize,
    /// The steps to the next row and to the next column.
    pub steps: (usize, usize),
}

/// Elements of operands moved to places in the result.
#[derive(Clone, Debug)]
pub struct Move {
    /// The element type.
    pub dtype: DType,
    /// What is read, and where it goes.
    pub parts: Vec<(Operand, Layout)>,
    /// Whether there are places that no part goes to, which become 0.
    pub gaps: bool,
    /// The number of elements of the result.
    pub count: usize,
    /// The first byte of the result.
    pub to: usize,
}

/// An operator as the reference does it.
#[derive(Clone, Debug)]
pub struct Node {
    /// The node.
    pub id: NodeId,
    /// The operator.
    pub op: Op,
    /// The operands, dense.
    pub args: Vec<(DType, Operand)>,
    /// How it goes without arrays between, where it does.
    pub direct: Option<Direct>,
    /// The sizes of the result.
    pub sizes: Vec<usize>,
    /// The first byte of the result.
    pub to: usize,
}

impl Step {
    /// Runs the step.
    pub fn run(
        &self,
        memory: Shared<'_>,
        engine: &Engine,
        bindings: &Bindings,
    ) -> Result<(), RunError> {
        match self {
            Step::Group(group) => {
                let pieces = group.pieces();
                engine.team().run(pieces, &|piece| group.piece(memory, engine, piece));
                group.finish(memory, engine);
            }
            Step::Product(product) => match product.dtype {
                DType::F64 => product.run::<f64>(memory, engine),
                _ => product.run::<f32>(memory, engine),
            },
            Step::Windows(windowed) => match windowed.dtype {
                DType::F64 => windowed.run::<f64>(memory, engine),
                _ => windowed.run::<f32>(memory, engine),
            },
            Step::Move(moved) => typed!(moved.dtype, T => moved.run::<T>(memory)),
            Step::Index(index) => {
                let (node, index) = &**index;
                let found = index.run(memory);
                found.map_err(|error| RunError::Value { node: *node, error })?;
            }
            Step::Node(node) => node.run(memory, bindings)?,
            Step::Tiny(tiny) => tiny.run(memory),
            Step::Loop(looped) => {
                let (node, looped) = &**looped;
                let done = looped.run(memory, engine);
                done.map_err(|error| RunError::Value { node: *node, error })?;
            }
        }
        Ok(())
    }
}

impl Step {
    /// What it is called, its floating-point operations, and the bytes that it reads and writes.
    pub fn cost(&self) -> (&'static str, f64, f64) {
        let bytes = |dtype: DType, count: usize| (width(dtype) * count) as f64;
        match self {
            Step::Group(group) => ("group", group.flops(), group.bytes()),
            Step::Product(product) => {
                let (m, k, n) = product.shape;
                let count = product.places.len();
                let elements = product.left.count + product.right.count + count * m * n;
                let columns = if product.symmetric { (n + 1) as f64 / 2.0 } else { n as f64 };
                let flops = 2.0 * (count * m * k) as f64 * columns;
                ("product", flops, bytes(product.dtype, elements))
            }
            Step::Windows(windowed) => {
                let (what, flops) = windowed.cost();
                let read: usize = windowed.args.iter().map(|x| x.count).sum();
                (what, flops, bytes(windowed.dtype, read + windowed.count))
            }
            Step::Move(moved) => {
                let read: usize = moved.parts.iter().map(|(from, _)| from.layout.len()).sum();
                ("move", 0.0, bytes(moved.dtype, read + moved.count))
            }
            Step::Index(index) => {
                let count = index.1.outer * index.1.axis * index.1.inner;
                ("index", 0.0, bytes(index.1.dtype, count))
            }
            Step::Node(node) => {
                let read: f64 = node.args.iter().map(|(dtype, x)| bytes(*dtype, x.count)).sum();
                let result: usize = node.sizes.iter().product();
                let what = if node.direct.is_some() { "direct" } else { "reference" };
                (what, result as f64, read + bytes(DType::F32, result))
            }
            Step::Tiny(tiny) => ("tiny", tiny.len() as f64, 0.0),
            Step::Loop(looped) => {
                let length = looped.1.length as f64;
                let costs = looped.1.body.costs();
                let sum = |of: &dyn Fn(&Cost) -> f64| length * costs.iter().map(of).sum::<f64>();
                ("loop", sum(&|cost| cost.flops), sum(&|cost| cost.bytes))
            }
        }
    }
}

impl Move {
    fn run<T: Element + Default>(&self, memory: Shared<'_>) {
        let to = memory.span::<T>(self.to, self.count).write();
        if self.gaps {
            to.fill(T::default());
        }
        for (operand, layout) in self.parts.iter().filter(|(_, layout)| layout.len() > 0) {
            let from = memory.span::<T>(operand.at, operand.count).read();
            let layouts = merged(&[&operand.layout, layout]);
            let (source, target) = (&layouts[0], &layouts[1]);
            let Some(last) = source.sizes.len().checked_sub(1) else {
                to[layout.offset as usize] = from[operand.layout.offset as usize];
                continue;
            };
            let lines = |layout: &Layout| Layout {
                sizes: layout.sizes[..last].into(),
                steps: layout.steps[..last].into(),
                offset: layout.offset,
            };
            let (a, b) = (source.steps[last], target.steps[last]);
            let count = source.sizes[last];
            let (starts, ends) = (lines(source), lines(target));
            for (x, y) in starts.places().zip(ends.places()) {
                if (a, b) == (1, 1) {
                    to[y..y + count].copy_from_slice(&from[x..x + count]);
                } else {
                    let (mut x, mut y) = (x as isize, y as isize);
                    for _ in 0..count {
                        to[y as usize] = from[x as usize];
                        (x, y) = (x + a, y + b);
                    }
                }
            }
        }
    }
}

impl Product {
    /// The product of two stacks of matrices, how it ends and where its elements go; one matrix by another wherever the stacks
    /// allow.
    pub fn new(
        dtype: DType,
        args: &[Operand],
        ends: Ends,
        places: Option<&Layout>,
        to: usize,
    ) -> Product {
        let (left, right) = (&args[0], &args[1]);
        let (a, b) = (&left.layout, &right.layout);
        let rank = a.sizes.len();
        let (m, k, n) = (a.sizes[rank - 2], a.sizes[rank - 1], b.sizes[rank - 1]);
        let batch: usize = a.sizes[..rank - 2].iter().product();
        let matrices = |operand: &Operand, layout: &Layout| {
            let steps = &layout.steps[layout.steps.len() - 2..];
            let steps = (steps[0].unsigned_abs(), steps[1].unsigned_abs());
            Matrices { at: operand.at, count: operand.count, steps }
        };
        let one =
            b.steps[..rank - 2].iter().zip(&b.sizes).all(|(&step, &size)| step == 0 || size == 1);
        let sizes: Vec<usize> = a.sizes[..rank - 1].iter().copied().chain([n]).collect();
        let result = places.cloned().unwrap_or_else(|| Layout::rows(&sizes));
        let tall = a.reshape(&[batch * m, k]).zip(result.reshape(&[batch * m, n]));
        let tall = tall.filter(|(tall, to)| one && tall.len() > 0 && to.len() > 0);
        let lead = |layout: &Layout| Layout {
            sizes: layout.sizes[..rank - 2].into(),
            steps: layout.steps[..rank - 2].into(),
            offset: layout.offset,
        };
        let row = |layout: &Layout| layout.steps[layout.steps.len() - 2].unsigned_abs();
        let (left, rows, places, row): (_, _, Box<[_]>, _) = match tall {
            Some((tall, to)) => {
                let places = [[tall.offset as usize, b.offset as usize, 0]];
                (matrices(left, &tall), batch * m, places.into(), row(&to))
            }
            None => {
                let [x, y, z] = [lead(a), lead(b), lead(&result)];
                let places = x.places().zip(y.places()).zip(z.places());
                let places = places.map(|((x, y), z)| [x, y, z]);
                (matrices(left, a), m, places.collect(), row(&result))
            }
        };
        Product {
            dtype,
            shape: (rows, k, n),
            left,
            right: matrices(right, b),
            places,
            row: row.max(n),
            bias: args.get(2).filter(|_| ends.bias).cloned(),
            relu: ends.relu,
            symmetric: false,
            to,
        }
    }

    fn run<T: Float>(&self, memory: Shared<'_>, engine: &Engine) {
        let (m, k, n) = self.shape;
        let matrix = |matrices: &Matrices| Matrix {
            data: memory.span::<T>(matrices.at, matrices.count).read(),
            steps: matrices.steps,
        };
        let to = memory.span::<T>(self.to, self.places.len() * m * n);
        let (left, right) = (matrix(&self.left), matrix(&self.right));
        let context = Context { level: engine.level, team: engine.team() };
        let bias = self.bias.as_ref().map(|bias| dense::<T>(memory, bias));
        let (relu, symmetric) = (self.relu, self.symmetric);
        let finish = gemm::Finish { bias, relu, symmetric, ..gemm::Finish::default() };
        if let [[a, b, _]] = *self.places {
            let from = |matrix: Matrix<'static, T>, place: usize| Matrix {
                data: matrix.data.get(place..).unwrap_or_default(),
                ..matrix
            };
            let (left, right) = (from(left, a), from(right, b));
            gemm::product(&context, (m, k, n), left, right, (to.write(), self.row), &finish);
        } else {
            let sizes = (m, k, n);
            gemm::products_at(
                &context,
                sizes,
                (left, right),
                (to, self.row),
                &self.places,
                &finish,
            );
        }
    }
}

impl Node {
    fn run(&self, memory: Shared<'_>, bindings: &Bindings) -> Result<(), RunError> {
        if let Some(direct) = self.direct {
            direct.run(memory, &self.args, self.to);
            return Ok(());
        }
        let args: Vec<Tensor> = self
            .args
            .iter()
            .map(|(dtype, operand)| typed!(*dtype, T => tensor::<T>(memory, operand)))
            .collect();
        let value = self.op.value(&args, &self.sizes, bindings);
        let value = value.map_err(|error| RunError::Value { node: self.id, error })?;
        fn give<T: Element>(memory: Shared<'_>, at: usize, array: &Array<T>) {
            let to = memory.span::<T>(at, array.len()).write();
            to.iter_mut().zip(array.iter()).for_each(|(to, &x)| *to = x);
        }
        crate::each_dtype!(&value, array => give(memory, self.to, array));
        Ok(())
    }
}

/// The elements of a dense operand.
pub fn dense<'a, T: Element>(memory: Shared<'a>, operand: &Operand) -> &'a [T] {
    let all = memory.span::<T>(operand.at, operand.count);
    let count = operand.layout.len();
    let from = if count == 0 { 0 } else { operand.layout.offset as usize };
    all.part(from, count).read()
}

fn tensor<T: Element>(memory: Shared<'_>, operand: &Operand) -> Tensor {
    let values = dense::<T>(memory, operand).to_vec();
    let array = ArrayD::from_shape_vec(IxDyn(&operand.layout.sizes), values);
    T::wrap(array.expect("as many elements as the shape asks for").into_shared())
}
