//! The reference executor in double-double arithmetic: about 30 digits, for telling equal from nearly equal.

use super::double::{self, Double};
use super::reference::RunError;
use crate::graph::{Model, NodeId, Values};
use crate::ops::contraction::contraction;
use crate::ops::leaf::{Const, Variable};
use crate::ops::reduce::{Cumulate, Fold, Reduce, Running, Softmax};
use crate::ops::size::sizes;
use crate::ops::{Bindings, Number, Op, Operator, ValueError};
use crate::tensor::{DType, Tensor};
use ndarray::{ArrayD, Axis, IxDyn};

/// A value as an unevaluated sum; `low` is absent where there is nothing to add, as for integers.
#[derive(Clone, Debug)]
pub struct Precise {
    /// The nearest f64.
    pub high: Tensor,
    /// What is left.
    pub low: Option<Tensor>,
    /// Whether every operator on the way was computed so, and none in f64 only.
    pub exact: bool,
}

/// The values of `wanted` in a model whose floats are f64, as `reference::run` gives them.
pub fn run(
    model: &Model,
    wanted: &[NodeId],
    values: &Values,
    bindings: &Bindings,
) -> Result<Vec<Precise>, RunError> {
    let needed = model.needed(wanted.iter().copied());
    let mut known: Vec<Option<Precise>> = vec![None; model.len()];
    for id in model.nodes().filter(|id| needed[id.index()]) {
        let operands: Vec<Precise> = model
            .operands(id)
            .iter()
            .map(|operand| known[operand.index()].clone().expect("operands come first"))
            .collect();
        let to = sizes(&model.ty(id).shape, bindings)?;
        let value = match model.op(id) {
            Op::Variable(Variable { name, .. }) => {
                let value = values.get(name).ok_or_else(|| RunError::Missing(name.clone()))?;
                Precise { high: value.clone(), low: None, exact: true }
            }
            // Several results: each part runs the loop for itself.
            Op::Scan(_) => {
                Precise { high: Tensor::scalar(DType::Bool, 0.0), low: None, exact: false }
            }
            Op::Part(part) => {
                let of = model.operands(id)[0];
                let Op::Scan(scan) = model.op(of) else { unreachable!("a part is of a scan") };
                let highs: Vec<Tensor> = model
                    .operands(of)
                    .iter()
                    .map(|id| known[id.index()].as_ref().expect("operands come first").high.clone())
                    .collect();
                let found = scan.run(&highs, &[part.which], bindings);
                let mut found = found.map_err(|error| RunError::Value { node: id, error })?;
                Precise { high: found.remove(0), low: None, exact: false }
            }
            op => value(model, id, op, &operands, &to, bindings)
                .map_err(|error| RunError::Value { node: id, error })?,
        };
        known[id.index()] = Some(value);
    }
    Ok(wanted.iter().map(|id| known[id.index()].clone().expect("what is wanted is kept")).collect())
}

fn value(
    model: &Model,
    id: NodeId,
    op: &Op,
    x: &[Precise],
    to: &[usize],
    bindings: &Bindings,
) -> Result<Precise, ValueError> {
    let highs: Vec<Tensor> = x.iter().map(|x| x.high.clone()).collect();
    let plain = |exact: bool| -> Result<Precise, ValueError> {
        Ok(Precise { high: op.value(&highs, to, bindings)?, low: None, exact })
    };
    let all = x.iter().all(|x| x.exact);
    if x.iter().all(|x| x.low.is_none() && x.high.dtype() != DType::F64)
        && model.ty(id).dtype != DType::F64
    {
        return plain(all);
    }
    Ok(match op {
        Op::Const(Const { value, dtype: DType::F64 }) => constant(*value),
        Op::Cast(_) if x[0].high.dtype() != DType::F64 => plain(all)?,
        _ if moves(op) => {
            let lows: Vec<Tensor> = x.iter().map(|x| x.low()).collect();
            let low = model.ty(id).dtype == DType::F64 && x.iter().any(|x| x.low.is_some());
            let low = if low { Some(op.value(&lows, to, bindings)?) } else { None };
            Precise { high: op.value(&highs, to, bindings)?, low, exact: all }
        }
        Op::Scalar(row) => {
            let operands: Vec<ArrayD<Double>> = x.iter().map(|x| x.spread(to)).collect();
            let first = operands[0].iter();
            let mut known = true;
            if model.ty(id).dtype == DType::Bool {
                let second = &operands[operands.len() - 1];
                let truths: Option<Vec<f64>> = first
                    .zip(second)
                    .map(|(a, b)| {
                        double::compare(*row, *a, *b).map(|held| f64::from(u8::from(held)))
                    })
                    .collect();
                return match truths {
                    Some(truths) => Ok(Precise {
                        high: Tensor::from_f64(DType::Bool, to, truths),
                        low: None,
                        exact: all,
                    }),
                    None => plain(all),
                };
            }
            let mut each = |place: usize| {
                let args: Vec<Double> = operands
                    .iter()
                    .map(|operand| operand.as_slice().expect("laid out")[place])
                    .collect();
                match double::scalar(*row, &args) {
                    Some(value) => value,
                    None => {
                        known = false;
                        let args: Vec<f64> = args.iter().map(|arg| arg.high()).collect();
                        Double::from(row.at(&args).unwrap_or(f64::NAN))
                    }
                }
            };
            let count: usize = to.iter().product();
            let values: Vec<Double> = (0..count).map(&mut each).collect();
            Precise::of(values, to, all && known)
        }
        Op::Reduce(Reduce { kind, axes }) => {
            let (values, width) = x[0].lines(axes);
            let lines: Vec<&[Double]> = if width == 0 {
                vec![&[]; to.iter().product()]
            } else {
                values.chunks(width).collect()
            };
            let Some(folded) = lines.into_iter().map(|line| folded(*kind, line)).collect() else {
                return plain(false);
            };
            Precise::of(folded, to, all)
        }
        Op::Softmax(Softmax { axes }) => {
            let exp = x[0].map(|v| v);
            let order: Vec<usize> =
                (0..to.len()).filter(|a| !axes.contains(a)).chain(axes.iter().copied()).collect();
            let (mut values, width) = exp.lines(axes);
            for line in values.chunks_mut(width.max(1)) {
                let log = folded(Fold::Logsumexp, line).expect("it is known");
                line.iter_mut().for_each(|v| *v = (*v - log).exp());
            }
            let shape: Vec<usize> = order.iter().map(|&axis| to[axis]).collect();
            let sorted = ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many as before");
            let mut inverse = vec![0; order.len()];
            order.iter().enumerate().for_each(|(place, &axis)| inverse[axis] = place);
            let values = sorted.permuted_axes(IxDyn(&inverse)).iter().copied().collect();
            Precise::of(values, to, all)
        }
        Op::Cumulate(cumulate @ Cumulate { kind, axis, reverse }) => {
            let first = x[0].spread(to);
            let mut result = x[x.len() - 1].spread(to);
            debug_assert_eq!(cumulate.axis, *axis);
            for (mut out, a) in
                result.lanes_mut(Axis(*axis)).into_iter().zip(first.lanes(Axis(*axis)))
            {
                let size = out.len();
                let mut previous: Option<Double> = None;
                for step in 0..size {
                    let place = if *reverse { size - 1 - step } else { step };
                    if let Some(previous) = previous {
                        out[place] = match kind {
                            Running::Sum => previous + out[place],
                            Running::Prod => previous * out[place],
                            Running::Recurrence => a[place] * previous + out[place],
                        };
                    }
                    previous = Some(out[place]);
                }
            }
            Precise::of(result.iter().copied().collect(), to, all)
        }
        _ => match contraction(op, &model.operand_types(id)) {
            Some(einsum) => {
                let operands: Vec<ArrayD<Double>> = x.iter().map(Precise::array).collect();
                Precise::of(summed(&einsum.inputs, &einsum.output, &operands), to, all)
            }
            None => plain(false)?,
        },
    })
}

/// Whether an operator moves elements, or fills, and does not compute.
fn moves(op: &Op) -> bool {
    matches!(
        op,
        Op::Broadcast(_)
            | Op::Reshape(_)
            | Op::Permute(_)
            | Op::Flip(_)
            | Op::Slice(_)
            | Op::Pad(_)
            | Op::Concat(_)
            | Op::Stack(_)
            | Op::Gather(_)
            | Op::TakeAlong(_)
            | Op::Diag(_)
            | Op::Triangle(_)
            | Op::Select(_)
            | Op::StopGradient(_)
            | Op::Barrier(_)
            | Op::Custom(_)
            | Op::SizeOf(_)
            | Op::Iota(_)
            | Op::Eye(_)
            | Op::OneHot(_)
            | Op::Literal(_)
    )
}

fn constant(number: Number) -> Precise {
    let value = match number.parts() {
        Some((above, below)) => double::whole(above) / double::whole(below),
        None => Double::from(number.to_f64()),
    };
    Precise::of(vec![value], &[], true)
}

fn folded(kind: Fold, line: &[Double]) -> Option<Double> {
    let sum = |line: &mut dyn Iterator<Item = Double>| {
        line.fold(Double::from(0.0), |total, value| total + value)
    };
    let highest = |line: &[Double], sign: f64| {
        let above = |a: Double, b: Double| {
            if (a.high() - b.high()) * sign > 0.0
                || a.high() == b.high() && (a - b).high() * sign > 0.0
            {
                a
            } else {
                b
            }
        };
        line.iter().copied().reduce(above).unwrap_or(Double::from(-sign * f64::INFINITY))
    };
    Some(match kind {
        Fold::Sum => sum(&mut line.iter().copied()),
        Fold::Mean => sum(&mut line.iter().copied()) / Double::from(line.len() as f64),
        Fold::Prod => line.iter().fold(Double::from(1.0), |total, value| total * *value),
        Fold::Max => highest(line, 1.0),
        Fold::Min => highest(line, -1.0),
        Fold::Logsumexp => {
            let high = highest(line, 1.0);
            if !high.high().is_finite() {
                return Some(high);
            }
            high + sum(&mut line.iter().map(|value| (*value - high).exp())).ln()
        }
        Fold::Any | Fold::All => return None,
    })
}

/// The sum of products by letters.
fn summed(
    inputs: &[smallvec::SmallVec<[u8; 8]>],
    output: &[u8],
    operands: &[ArrayD<Double>],
) -> Vec<Double> {
    let mut letters: Vec<u8> = output.to_vec();
    letters.extend(inputs.iter().flatten().filter(|letter| !output.contains(letter)));
    let mut seen = Vec::new();
    letters.retain(|letter| {
        !seen.contains(letter) && {
            seen.push(*letter);
            true
        }
    });
    let size = |letter: u8| {
        let sizes = inputs.iter().zip(operands).filter_map(|(input, operand)| {
            input.iter().position(|known| *known == letter).map(|axis| operand.shape()[axis])
        });
        sizes.max().unwrap_or(1)
    };
    let sizes: Vec<usize> = letters.iter().map(|&letter| size(letter)).collect();
    let places: Vec<Vec<usize>> = inputs
        .iter()
        .map(|input| {
            let place = |letter| letters.iter().position(|known| *known == letter);
            input.iter().map(|&letter| place(letter).expect("every letter is there")).collect()
        })
        .collect();
    let count: usize = sizes[..output.len()].iter().product();
    let along: usize = sizes[output.len()..].iter().product();
    let mut results = vec![Double::from(0.0); count];
    let mut index = vec![0usize; letters.len()];
    for (result, step) in (0..count).flat_map(|result| (0..along).map(move |step| (result, step))) {
        let (mut rest, mut inner) = (result, step);
        for place in (0..letters.len()).rev() {
            let from = if place < output.len() { &mut rest } else { &mut inner };
            index[place] = *from % sizes[place];
            *from /= sizes[place];
        }
        let mut product = Double::from(1.0);
        for (operand, places) in operands.iter().zip(&places) {
            let at: Vec<usize> = places
                .iter()
                .zip(operand.shape())
                .map(|(&place, &size)| if size == 1 { 0 } else { index[place] })
                .collect();
            product = product * operand[IxDyn(&at)];
        }
        results[result] = results[result] + product;
    }
    results
}

impl Precise {
    fn of(values: Vec<Double>, to: &[usize], exact: bool) -> Precise {
        let part = |f: fn(&Double) -> f64| {
            Tensor::from_f64(DType::F64, to, values.iter().map(f).collect())
        };
        Precise { high: part(|v| v.high()), low: Some(part(|v| v.low())), exact }
    }

    fn low(&self) -> Tensor {
        match (&self.low, self.high.dtype()) {
            (Some(low), _) => low.clone(),
            (None, DType::F64) => Tensor::full(DType::F64, self.high.shape(), 0.0),
            (None, _) => self.high.clone(),
        }
    }

    /// The elements.
    pub fn array(&self) -> ArrayD<Double> {
        let (high, low) = (self.high.to_f64(), self.low.as_ref().map(Tensor::to_f64));
        let values = high
            .into_iter()
            .enumerate()
            .map(|(place, high)| Double::of(high, low.as_ref().map_or(0.0, |low| low[place])))
            .collect();
        ArrayD::from_shape_vec(IxDyn(self.high.shape()), values).expect("as many as the shape says")
    }

    fn map(&self, f: impl Fn(Double) -> Double) -> Precise {
        let values = self.array().iter().map(|value| f(*value)).collect();
        Precise::of(values, self.high.shape(), self.exact)
    }

    fn spread(&self, to: &[usize]) -> ArrayD<Double> {
        let array = self.array();
        let laid =
            array.broadcast(IxDyn(to)).expect("operands are scalars or of the result's shape");
        laid.as_standard_layout().into_owned()
    }

    fn lines(&self, axes: &[usize]) -> (Vec<Double>, usize) {
        let array = self.array();
        let order: Vec<usize> = (0..array.ndim())
            .filter(|axis| !axes.contains(axis))
            .chain(axes.iter().copied())
            .collect();
        let width = axes.iter().map(|&axis| array.shape()[axis]).product();
        (array.permuted_axes(IxDyn(&order)).iter().copied().collect(), width)
    }
}
