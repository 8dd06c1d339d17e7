//! The steps of a plan, with addresses, and how each is run.

use super::group::Group;
use super::layout::Layout;
use super::Engine;
use super::place::width;
use crate::exec::kernels::memory::Shared;
use crate::exec::reference::RunError;
use crate::graph::NodeId;
use crate::ops::{Bindings, Op, Operator};
use crate::tensor::{Array, DType, Element, Tensor};
use ndarray::{ArrayD, ArrayView2, ArrayViewMut2, IxDyn, ShapeBuilder};

/// A step.
#[derive(Clone, Debug)]
pub enum Step {
    /// Maps and folds.
    Group(Box<Group>),
    /// Products of matrices.
    Product(Box<Product>),
    /// Elements moved.
    Copy(Box<Copy>),
    /// An operator as the reference does it.
    Node(Box<Node>),
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

/// `[batch.., m, k]` by `[batch.., k, n]`.
#[derive(Clone, Debug)]
pub struct Product {
    /// The element type.
    pub dtype: DType,
    /// The left operand.
    pub left: Operand,
    /// The right one.
    pub right: Operand,
    /// The first byte of the result.
    pub to: usize,
}

/// The elements of a view in rows.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The element type.
    pub dtype: DType,
    /// What is read.
    pub from: Operand,
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
    /// The sizes of the result.
    pub sizes: Vec<usize>,
    /// The first byte of the result.
    pub to: usize,
}

/// Runs `$body` with `$T` as the Rust type of an element type.
macro_rules! typed {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::Bool => { type $T = bool; $body }
            DType::I32 => { type $T = i32; $body }
            DType::I64 => { type $T = i64; $body }
            DType::F32 => { type $T = f32; $body }
            DType::F64 => { type $T = f64; $body }
        }
    };
}
pub(super) use typed;

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
                DType::F64 => product.run::<f64>(memory),
                _ => product.run::<f32>(memory),
            },
            Step::Copy(copy) => typed!(copy.dtype, T => copy.run::<T>(memory)),
            Step::Node(node) => node.run(memory, bindings)?,
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
                let (a, b) = (&product.left.layout, &product.right.layout);
                let rank = a.sizes.len();
                let n = b.sizes[rank - 1];
                let result = a.len() / a.sizes[rank - 1].max(1) * n;
                let elements = product.left.count + product.right.count + result;
                ("product", 2.0 * a.len() as f64 * n as f64, bytes(product.dtype, elements))
            }
            Step::Copy(copy) => ("copy", 0.0, 2.0 * bytes(copy.dtype, copy.from.layout.len())),
            Step::Node(node) => {
                let read: f64 = node.args.iter().map(|(dtype, x)| bytes(*dtype, x.count)).sum();
                let result: usize = node.sizes.iter().product();
                ("reference", result as f64, read + bytes(DType::F32, result))
            }
        }
    }
}

impl Copy {
    fn run<T: Element>(&self, memory: Shared<'_>) {
        let from = memory.span::<T>(self.from.at, self.from.count).read();
        let to = memory.span::<T>(self.to, self.from.layout.len()).write();
        for (to, place) in to.iter_mut().zip(self.from.layout.places()) {
            *to = from[place];
        }
    }
}

impl Product {
    fn run<T: Element + ndarray::LinalgScalar>(&self, memory: Shared<'_>) {
        let (a, b) = (&self.left.layout, &self.right.layout);
        let rank = a.sizes.len();
        let (m, k, n) = (a.sizes[rank - 2], a.sizes[rank - 1], b.sizes[rank - 1]);
        let batch: usize = a.sizes[..rank - 2].iter().product();
        let lead = |layout: &Layout| Layout {
            sizes: layout.sizes[..rank - 2].into(),
            steps: layout.steps[..rank - 2].into(),
            offset: layout.offset,
        };
        let (left, right) = (
            memory.span::<T>(self.left.at, self.left.count).read(),
            memory.span::<T>(self.right.at, self.right.count).read(),
        );
        let to = memory.span::<T>(self.to, batch * m * n).write();
        if m * n == 0 || k == 0 {
            return to.fill(T::zero());
        }
        for ((to, at), bt) in to.chunks_exact_mut(m * n).zip(lead(a).places()).zip(lead(b).places()) {
            let view = |values, start: usize, rows: usize, columns: usize, layout: &Layout| {
                let values: &[T] = values;
                let steps = (layout.steps[rank - 2] as usize, layout.steps[rank - 1] as usize);
                ArrayView2::from_shape((rows, columns).strides(steps), values.get(start..).unwrap_or_default())
                    .expect("the layout lies in its item")
            };
            let (x, y) = (view(left, at, m, k, a), view(right, bt, k, n, b));
            let mut to = ArrayViewMut2::from_shape((m, n), to).expect("rows");
            ndarray::linalg::general_mat_mul(T::one(), &x, &y, T::zero(), &mut to);
        }
    }
}

impl Node {
    fn run(&self, memory: Shared<'_>, bindings: &Bindings) -> Result<(), RunError> {
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

fn tensor<T: Element>(memory: Shared<'_>, operand: &Operand) -> Tensor {
    let all = memory.span::<T>(operand.at, operand.count);
    let (from, count) = (operand.layout.offset as usize, operand.layout.len());
    let values = all.part(if count == 0 { 0 } else { from }, count).read().to_vec();
    let array = ArrayD::from_shape_vec(IxDyn(&operand.layout.sizes), values);
    T::wrap(array.expect("as many elements as the shape asks for").into_shared())
}
