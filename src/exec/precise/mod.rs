//! The reference executor in double-double arithmetic: about 30 digits, for telling equal from nearly equal.

mod double;
mod scan;
mod special;

use super::reference::RunError;
use crate::graph::{Model, NodeId, Values};
use crate::ops::contraction::contraction;
use crate::ops::leaf::{Const, Literal, Variable};
use crate::ops::reduce::{Cumulate, Fold, Reduce, Running, Softmax};
use crate::ops::size::sizes;
use crate::ops::{Bindings, Number, Op, Operator, Type, ValueError};
use crate::tensor::{DType, Tensor};
use double::Double;
use ndarray::{ArrayD, Axis, IxDyn};
use std::borrow::Cow;

/// A value as an unevaluated sum; `low` is absent where there is nothing to add, as for integers.
#[derive(Clone, Debug)]
pub struct Precise {
    /// The nearest f64.
    pub high: Tensor,
    /// What is left.
    pub low: Option<Tensor>,
    /// An operator on the way that is computed in f64 only.
    pub lost: Lost,
}

/// The name of an operator, if any, that is computed in f64 only.
pub type Lost = Option<Cow<'static, str>>;

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
        let wrong = |error| RunError::Value { node: id, error };
        let operands = |id: NodeId| -> Vec<Precise> {
            let known = |operand: &NodeId| known[operand.index()].clone();
            model.operands(id).iter().map(|id| known(id).expect("operands come first")).collect()
        };
        let value = match model.op(id) {
            Op::Variable(Variable { name, .. }) => {
                let value = values.get(name).ok_or_else(|| RunError::Missing(name.clone()))?;
                Precise::plain(value.clone(), None)
            }
            // It has several results, of which each part takes one.
            Op::Scan(_) => Precise::plain(Tensor::scalar(DType::Bool, 0.0), None),
            Op::Part(part) => {
                let of = model.operands(id)[0];
                let Op::Scan(scan) = model.op(of) else { unreachable!("a part is of a scan") };
                scan::result(scan, &operands(of), part.which, bindings).map_err(wrong)?
            }
            op => {
                let (types, ty) = (model.operand_types(id), model.ty(id));
                value(op, (&types, ty), &operands(id), bindings).map_err(wrong)?
            }
        };
        known[id.index()] = Some(value);
    }
    Ok(wanted.iter().map(|id| known[id.index()].clone().expect("what is wanted is kept")).collect())
}

/// The value of an operator on operands of these types, of this type.
fn value(
    op: &Op,
    (types, ty): (&[Type], &Type),
    x: &[Precise],
    bindings: &Bindings,
) -> Result<Precise, ValueError> {
    let to = &sizes(&ty.shape, bindings)?[..];
    let highs: Vec<Tensor> = x.iter().map(|x| x.high.clone()).collect();
    let lost = x.iter().find_map(|x| x.lost.clone());
    let plain = |lost: Lost| -> Result<Precise, ValueError> {
        Ok(Precise::plain(op.value(&highs, to, bindings)?, lost))
    };
    let lossy = || plain(lost.clone().or(Some(op.name())));
    if x.iter().all(|x| x.low.is_none() && x.high.dtype() != DType::F64) && ty.dtype != DType::F64 {
        return plain(lost);
    }
    let arrays = || x.iter().map(Precise::array).collect::<Vec<_>>();
    let entries = |place: usize| x[place].array().iter().copied().collect::<Vec<Double>>();
    let of = |values: Vec<Double>| Precise::of(values, to, lost.clone());
    Ok(match op {
        Op::Const(Const { value, dtype: DType::F64 }) => of(vec![number(*value)]),
        Op::Literal(Literal { values, dtype: DType::F64, .. }) => {
            of(values.iter().map(|value| number(*value)).collect())
        }
        Op::Cast(_) if x[0].high.dtype() != DType::F64 => plain(lost)?,
        Op::Random(_) => plain(lost)?,
        _ if moves(op) => {
            let lows: Vec<Tensor> = x.iter().map(|x| x.low()).collect();
            let low = ty.dtype == DType::F64 && x.iter().any(|x| x.low.is_some());
            let low = if low { Some(op.value(&lows, to, bindings)?) } else { None };
            Precise { high: op.value(&highs, to, bindings)?, low, lost }
        }
        Op::Conv(conv) => {
            let shapes = [highs[0].shape(), highs[1].shape()];
            of(conv.entries((&entries(0), &entries(1)), shapes, to, bindings)?)
        }
        Op::Pool(pool) => {
            let operands: Vec<_> = (0..x.len()).map(|i| (entries(i), highs[i].shape())).collect();
            of(pool.entries(&operands, to, bindings)?)
        }
        Op::Matrix(matrix) => of(matrix.entries(&entries(0), highs[0].shape())),
        Op::Solve(solve) => {
            let lead = highs[0].shape().len() - 2;
            of(solve.entries(&entries(0), &entries(1), lead, to))
        }
        Op::Sort(sort) => {
            let (sorted, places) = sort.ordered(x[0].array());
            match sort.places {
                true => Precise::plain(places.into(), lost),
                false => of(sorted.iter().copied().collect()),
            }
        }
        Op::ScatterAdd(scatter) => {
            let sum = scatter.added(x[0].array(), &highs[1], x[2].array())?;
            of(sum.iter().copied().collect())
        }
        Op::PutAlong(put) => {
            let zeros = ArrayD::from_elem(IxDyn(to), Double::from(0.0));
            let sum = put.put(zeros, &highs[0], &x[1].array())?;
            of(sum.iter().copied().collect())
        }
        Op::Scalar(row) => {
            let operands: Vec<ArrayD<Double>> = x.iter().map(|x| x.spread(to)).collect();
            let first = operands[0].iter();
            let mut known = true;
            if ty.dtype == DType::Bool {
                let second = &operands[operands.len() - 1];
                let truths: Option<Vec<f64>> = first
                    .zip(second)
                    .map(|(a, b)| {
                        double::compare(*row, *a, *b).map(|held| f64::from(u8::from(held)))
                    })
                    .collect();
                return match truths {
                    Some(truths) => {
                        Ok(Precise::plain(Tensor::from_f64(DType::Bool, to, truths), lost))
                    }
                    None => plain(lost),
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
            Precise::of(values, to, lost.or((!known).then(|| op.name())))
        }
        Op::Reduce(Reduce { kind, axes }) => {
            let (values, width) = x[0].lines(axes);
            let lines: Vec<&[Double]> = if width == 0 {
                vec![&[]; to.iter().product()]
            } else {
                values.chunks(width).collect()
            };
            let Some(folded) = lines.into_iter().map(|line| folded(*kind, line)).collect() else {
                return lossy();
            };
            of(folded)
        }
        Op::Softmax(Softmax { axes }) => {
            let order: Vec<usize> =
                (0..to.len()).filter(|a| !axes.contains(a)).chain(axes.iter().copied()).collect();
            let (mut values, width) = x[0].lines(axes);
            for line in values.chunks_mut(width.max(1)) {
                let log = folded(Fold::Logsumexp, line).expect("it is known");
                line.iter_mut().for_each(|v| *v = (*v - log).exp());
            }
            let shape: Vec<usize> = order.iter().map(|&axis| to[axis]).collect();
            let sorted = ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many as before");
            let mut inverse = vec![0; order.len()];
            order.iter().enumerate().for_each(|(place, &axis)| inverse[axis] = place);
            let values = sorted.permuted_axes(IxDyn(&inverse)).iter().copied().collect();
            of(values)
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
            of(result.iter().copied().collect())
        }
        _ => match contraction(op, types) {
            Some(einsum) => of(summed(&einsum.inputs, &einsum.output, &arrays())),
            None => lossy()?,
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
    )
}

/// A number with all its digits.
fn number(number: Number) -> Double {
    let size = number.to_f64().abs();
    let value = match number.parts() {
        Some((above, below)) => return double::whole(above) / double::whole(below),
        None if size == std::f64::consts::PI => double::pi(),
        None if size == std::f64::consts::E => Double::from(1.0).exp(),
        None => Double::from(size),
    };
    if number.is_negative() { -value } else { value }
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
    // How far an operand goes on when a letter does.
    let strides: Vec<Vec<usize>> = places
        .iter()
        .zip(operands)
        .map(|(places, operand)| {
            let mut strides = vec![0; letters.len()];
            let mut stride = 1;
            for (&place, &size) in places.iter().zip(operand.shape()).rev() {
                strides[place] += if size == 1 { 0 } else { stride };
                stride *= size;
            }
            strides
        })
        .collect();
    let laid: Vec<Vec<Double>> =
        operands.iter().map(|operand| operand.iter().copied().collect()).collect();
    let mut results = vec![Double::from(0.0); count];
    let mut index = vec![0usize; letters.len()];
    let mut at = vec![0usize; operands.len()];
    for number in 0..count * along {
        let product = laid.iter().zip(&at).map(|(operand, &at)| operand[at]);
        let product = product.reduce(|product, factor| product * factor);
        let result = &mut results[number / along];
        *result += product.expect("it has operands");
        for place in (0..letters.len()).rev() {
            index[place] += 1;
            let back = if index[place] < sizes[place] { None } else { Some(index[place] - 1) };
            for (at, strides) in at.iter_mut().zip(&strides) {
                match back {
                    None => *at += strides[place],
                    Some(steps) => *at -= strides[place] * steps,
                }
            }
            if back.is_none() {
                break;
            }
            index[place] = 0;
        }
    }
    results
}

impl Precise {
    /// Whether every operator on the way was computed so, and none in f64 only.
    pub fn is_exact(&self) -> bool {
        self.lost.is_none()
    }

    fn plain(value: Tensor, lost: Lost) -> Precise {
        Precise { high: value, low: None, lost }
    }

    fn of(values: Vec<Double>, to: &[usize], lost: Lost) -> Precise {
        let part = |f: fn(&Double) -> f64| {
            Tensor::from_f64(DType::F64, to, values.iter().map(f).collect())
        };
        Precise { high: part(|v| v.high()), low: Some(part(|v| v.low())), lost }
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
