//! Convolutions and pools in a plan: sizes bound, operands dense, run by the kernels.

use super::Engine;
use super::draft::{Kind, View, Writer};
use super::ends::Ends;
use super::step::{Operand, dense};
use crate::exec::kernels::conv::{Axis, Convolution};
use crate::exec::kernels::memory::Shared;
use crate::exec::kernels::pool::Pooling;
use crate::exec::kernels::{Context, Float};
use crate::exec::reference::RunError;
use crate::ops::conv::{Conv, Part};
use crate::ops::pool::{self, Pool};
use crate::ops::window::Frame;
use crate::tensor::DType;
use smallvec::SmallVec;

/// Windows of more places along an axis are left to the reference.
const WIDEST: usize = 1 << 16;

/// What is computed of windows.
#[derive(Clone, Debug)]
pub enum Windows {
    /// Sums of products, by a kernel of these sizes.
    Conv(Role, Box<Convolution>),
    /// A number for each window, or the adjoint, by a kernel of these sizes.
    Pool(pool::Kind, Box<Pooling>),
}

/// Which of the values of a convolution is the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// y of x and w.
    Output,
    /// x of y and w.
    Input,
    /// w of x and y.
    Filter,
}

/// Windows with their operands.
#[derive(Clone, Debug)]
pub struct Windowed {
    /// What is computed.
    pub windows: Windows,
    /// How it ends.
    pub ends: Ends,
    /// The element type.
    pub dtype: DType,
    /// The operands, dense.
    pub args: Vec<Operand>,
    /// The number of elements of the result.
    pub count: usize,
    /// The first byte of the result.
    pub to: usize,
}

impl Writer<'_> {
    /// A convolution along one to three axes.
    pub(super) fn conv(
        &mut self,
        conv: &Conv,
        args: SmallVec<[View; 2]>,
        to: &[usize],
    ) -> Result<View, RunError> {
        let (a, b) = (&args[0].layout.sizes, &args[1].layout.sizes);
        let (role, [x, w, y]) = match conv.part {
            Part::Output => (Role::Output, [&a[..], &b[..], to]),
            Part::Input(_) => (Role::Input, [to, &b[..], &a[..]]),
            Part::Filter(_) => (Role::Filter, [&a[..], to, &b[..]]),
        };
        let groups = conv.whole_groups([x, w], self.bindings);
        let groups = groups.map_err(|error| RunError::Value { node: self.id, error })?;
        let axes = self.axes(&conv.frame, &x[2..], &w[2..], &y[2..])?;
        let outputs = w[0].checked_div(groups).unwrap_or(0);
        let kernel = axes.and_then(|axes| Convolution::new(x[0], groups, (w[1], outputs), &axes));
        Ok(match kernel {
            Some(kernel) => self.windowed(Windows::Conv(role, Box::new(kernel)), args, to),
            None => self.node_of_reference(self.dtype(&args[0]), to, args),
        })
    }

    /// A pool along one to three axes.
    pub(super) fn pool(
        &mut self,
        pool: &Pool,
        args: SmallVec<[View; 2]>,
        to: &[usize],
    ) -> Result<View, RunError> {
        let lead = to.len() - pool.window.len();
        let (axes, counts) = match pool.kind {
            pool::Kind::MaxAdjoint => (to, &args[1].layout.sizes[..]),
            pool::Kind::MeanAdjoint { .. } => (to, &args[0].layout.sizes[..]),
            _ => (&args[0].layout.sizes[..], to),
        };
        let window: SmallVec<[usize; 4]> = pool.window.iter().map(|&size| size as usize).collect();
        let axes = self.axes(&pool.frame, &axes[lead..], &window, &counts[lead..])?;
        Ok(match axes.and_then(|axes| Pooling::new(&axes)) {
            Some(kernel) => {
                self.windowed(Windows::Pool(pool.kind.clone(), Box::new(kernel)), args, to)
            }
            None => self.node_of_reference(self.dtype(&args[0]), to, args),
        })
    }

    fn windowed(&mut self, windows: Windows, args: SmallVec<[View; 2]>, to: &[usize]) -> View {
        let dtype = self.dtype(&args[0]);
        let args = args.into_iter().map(|view| self.plain(view)).collect();
        self.draft.add(Kind::Windows(Box::new(windows), Ends::default()), dtype, to, args, self.id)
    }

    /// The windows along each axis; nothing where they are too wide.
    fn axes(
        &self,
        frame: &Frame,
        sizes: &[usize],
        window: &[usize],
        counts: &[usize],
    ) -> Result<Option<SmallVec<[Axis; 3]>>, RunError> {
        let lows = frame.lows(sizes, window, counts, self.bindings);
        let lows = lows.map_err(|error| RunError::Value { node: self.id, error })?;
        let axis = |place: usize| {
            Some(Axis {
                size: sizes[place],
                window: Some(window[place]).filter(|&window| window <= WIDEST)?,
                count: counts[place],
                stride: usize::try_from(frame.stride[place]).ok()?,
                dilation: usize::try_from(frame.dilation[place]).ok()?,
                low: isize::try_from(lows[place]).ok()?,
            })
        };
        Ok((0..sizes.len()).map(axis).collect())
    }
}

impl Windowed {
    /// Runs the step.
    pub fn run<T: Float>(&self, memory: Shared<'_>, engine: &Engine) {
        let arg = |place: usize| dense::<T>(memory, &self.args[place]);
        let to = memory.span::<T>(self.to, self.count).write();
        let context = &Context { level: engine.level, team: engine.team() };
        match &self.windows {
            Windows::Conv(Role::Output, conv) => {
                let bias = self.ends.bias.then(|| arg(2));
                conv.output_to(context, arg(0), arg(1), to, bias, self.ends.relu);
            }
            Windows::Conv(Role::Input, conv) => conv.input(context, arg(0), arg(1), to),
            Windows::Conv(Role::Filter, conv) => conv.filter(context, arg(0), arg(1), to),
            Windows::Pool(kind, pool) => match *kind {
                pool::Kind::Max => pool.max(context, arg(0), to),
                pool::Kind::MaxPick => pool.max_pick(context, arg(0), arg(1), to),
                pool::Kind::MaxAdjoint => {
                    pool.max_adjoint(context, arg(0), arg(1), to, self.ends.relu);
                }
                pool::Kind::Mean { count_pad } => pool.mean(context, arg(0), to, count_pad),
                pool::Kind::MeanAdjoint { count_pad, .. } => {
                    pool.mean_adjoint(context, arg(0), to, count_pad);
                }
            },
        }
    }

    /// What it is called, and its floating-point operations.
    pub fn cost(&self) -> (&'static str, f64) {
        match &self.windows {
            Windows::Conv(_, conv) => ("convolution", conv.flops()),
            Windows::Pool(_, pool) => ("pool", (pool.taps() * self.count) as f64),
        }
    }
}
