//! Products of matrices and their kin.

use super::term::{apply, matmul, outer, spread, sum, transpose};
use super::{
    Batching, Bindings, Dims, Form, FormArg, Misfit, Operator, Rule, Shape, Size, Term, Type,
    ValueError, elements,
};
use crate::tensor::{Array, DType, Element, Tensor};
use ndarray::{ArrayD, IxDyn};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The matrix product by NumPy's rules: rows by columns over the last two axes, vectors on either side, leading axes equal
/// or all missing on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatMul;

fn same_dtype(name: &str, operands: &[Type]) -> Result<DType, Misfit> {
    let dtype = operands[0].dtype;
    if let Some(i) = operands.iter().position(|operand| operand.dtype != dtype) {
        let message =
            format!("`{name}` of {} and {}: element types differ", operands[0], operands[i]);
        return Err(Misfit::dtype(message)
            .at(0, None)
            .at(i, None)
            .help("cast one side, as in `f32(x)`"));
    }
    if dtype == DType::Bool {
        return Err(Misfit::dtype(format!("`{name}` takes numbers; this is bool")).at(0, None));
    }
    Ok(dtype)
}

impl Operator for MatMul {
    fn name(&self) -> Cow<'static, str> {
        "matmul".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        let dtype = same_dtype("@", operands)?;
        let (x, y) = (&operands[0], &operands[1]);
        for (i, operand) in operands.iter().enumerate() {
            if operand.rank() == 0 {
                let message =
                    format!("cannot multiply {x} @ {y}: a scalar has no axis to contract");
                return Err(Misfit::rank(message)
                    .at(i, None)
                    .help("write `*` for the product with a scalar"));
            }
        }
        let (along, across) = (x.rank() - 1, y.rank().saturating_sub(2));
        if dims.agree(&x.shape[along], &y.shape[across]).is_none() {
            let (a, b) = (&x.shape[along], &y.shape[across]);
            return Err(Misfit::shape(format!("cannot multiply {x} @ {y}: {a} meets {b}"))
                .at(0, along)
                .at(1, across));
        }
        let leads = (&x.shape[..x.rank().saturating_sub(2)], &y.shape[..across]);
        let mut shape: Shape = match leads {
            (lead, []) | ([], lead) => lead.into(),
            (left, right) if left.len() == right.len() => {
                let mut lead = Shape::new();
                for (axis, (a, b)) in left.iter().zip(right).enumerate() {
                    let size = dims.agree(a, b).ok_or_else(|| {
                        Misfit::shape(format!("cannot multiply {x} @ {y}: axis {axis} differs"))
                            .at(0, axis)
                            .at(1, axis)
                    })?;
                    lead.push(size);
                }
                lead
            }
            _ => {
                return Err(Misfit::rank(format!(
                    "cannot multiply {x} @ {y}: leading axes differ"
                ))
                .at(0, None)
                .at(1, None));
            }
        };
        if x.rank() >= 2 {
            shape.push(x.shape[along - 1].clone());
        }
        if y.rank() >= 2 {
            shape.push(y.shape[across + 1].clone());
        }
        Ok(Type { dtype, shape })
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        macro_rules! go {
            ($type:ident, $zero:expr, $step:expr) => {
                product::<$type>(<$type>::of(&x[0]), <$type>::of(&x[1]), to, $zero, $step)
            };
        }
        Ok(match x[0].dtype() {
            DType::F32 => floats::<f32>(x, to),
            DType::F64 => floats::<f64>(x, to),
            DType::I32 => {
                go!(i32, 0, |sum: i32, a: i32, b: i32| sum.wrapping_add(a.wrapping_mul(b)))
            }
            DType::I64 => {
                go!(i64, 0, |sum: i64, a: i64, b: i64| sum.wrapping_add(a.wrapping_mul(b)))
            }
            DType::Bool => unreachable!("of numbers only"),
        })
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        if !rule.result.dtype.is_float() {
            return vec![None, None];
        }
        let (x, y, dy) = (rule.x(0), rule.x(1), rule.dy());
        let (rx, ry) = (rule.operands[0].rank(), rule.operands[1].rank());
        let (dx, dz) = match (rx, ry) {
            (1, 1) => (dy.clone() * &y, &x * dy),
            (1, 2) => (matmul(y, dy.clone()), outer(x, dy)),
            (2, 1) => (outer(dy.clone(), y), matmul(transpose(x, 2), dy)),
            // One side is a vector, the other has leading axes: the vector as a matrix, its adjoint summed over them.
            (1, _) => {
                let lead: Vec<usize> = (0..ry - 2).collect();
                let mut wide = rule.operands[1].shape.clone();
                wide.swap(ry - 2, ry - 1);
                let along = sum(&[ry - 2], spread(dy.clone(), &wide, &[ry - 1]) * transpose(y, ry));
                let mut result = rule.operands[1].shape.clone();
                result.remove(ry - 2);
                let missing: Vec<usize> = (0..ry).filter(|&a| a != ry - 2).collect();
                let dm = spread(x, &rule.operands[1].shape, &missing)
                    * spread(dy, &rule.operands[1].shape, &[ry - 2]);
                (sum(&lead, along), dm)
            }
            (_, 1) => {
                let all_but_last: Vec<usize> = (0..rx - 1).collect();
                let shape = &rule.operands[0].shape;
                let dm = spread(dy.clone(), shape, &[rx - 1]) * spread(y, shape, &all_but_last);
                let dv = sum(&all_but_last, spread(dy, shape, &[rx - 1]) * x);
                (dm, dv)
            }
            _ => {
                let dx = matmul(dy.clone(), transpose(y, ry));
                let dz = matmul(transpose(x, rx), dy);
                let fewer = |term, rank: usize| {
                    if rank == 2 {
                        sum(&(0..rx.max(ry) - 2).collect::<Vec<_>>(), term)
                    } else {
                        term
                    }
                };
                let dx = if ry > rx { fewer(dx, rx) } else { dx };
                let dz = if rx > ry { fewer(dz, ry) } else { dz };
                (dx, dz)
            }
        };
        vec![Some(dx), Some(dz)]
    }

    fn batch(&self, batching: &Batching) -> Term {
        let (rx, ry) = (batching.operands[0].rank(), batching.operands[1].rank());
        let (x, y) = (Term::Var(0), Term::Var(1));
        match (rx, ry, batching.batched[0], batching.batched[1]) {
            // A vector with the new axis is a matrix: x @ y = y' @ x where y is a matrix.
            (1, 1 | 2, true, false) | (2.., 1 | 2, true, false) => matmul(x, y),
            (1, 1, false, true) => matmul(y, x),
            (2, 1, false, true) => matmul(y, transpose(x, 2)),
            (2, 2.., false, true) if ry == 2 => matmul(x, y),
            (1, 2.., false, true) => matmul(x, y),
            _ => {
                let longer = if rx > ry { 0 } else { 1 };
                let lead = &batching.operands[longer].shape[..rx.max(ry).max(2) - 2];
                // A stack of matrices with every leading axis of the result: of a vector one row or one column.
                let stack = |i: usize, one: usize| {
                    let shape = &batching.operands[i].shape;
                    let mut to: Vec<Size> = std::iter::once(batching.size.clone())
                        .chain(lead.iter().cloned())
                        .collect();
                    let mut missing: Vec<usize> =
                        (0..to.len()).filter(|&axis| axis > 0 || !batching.batched[i]).collect();
                    if shape.len() > 2 {
                        missing.retain(|&axis| axis == 0);
                    }
                    to.extend(shape[shape.len().max(2) - 2..].iter().cloned());
                    if shape.len() == 1 {
                        to.insert(lead.len() + one, Size::Known(1));
                        missing.push(lead.len() + one);
                    }
                    spread(Term::Var(i), &to, &missing)
                };
                let product = matmul(stack(0, 1), stack(1, 2));
                let to: Vec<Size> = std::iter::once(batching.size.clone())
                    .chain(batching.result.shape.clone())
                    .collect();
                super::term::reshape(product, &to)
            }
        }
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::Infix("@")
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, operands: &[Type], result: &Type) -> Size {
        let along = operands[0].shape.last().cloned().unwrap_or(Size::Known(1));
        Size::Known(2) * along * elements(&result.shape)
    }
}

/// Both operands as stacks of matrices `[count, rows, columns]`.
fn stacks(x: &[usize], y: &[usize]) -> (usize, usize, usize, usize) {
    let inner = x[x.len() - 1];
    let rows = if x.len() >= 2 { x[x.len() - 2] } else { 1 };
    let columns = if y.len() >= 2 { y[y.len() - 1] } else { 1 };
    let count = |shape: &[usize]| shape[..shape.len().saturating_sub(2)].iter().product::<usize>();
    (
        count(x).max(count(y)).min(if count(x) == 0 || count(y) == 0 { 0 } else { usize::MAX }),
        rows,
        inner,
        columns,
    )
}

fn floats<T: Element + ndarray::LinalgScalar>(x: &[Tensor], to: &[usize]) -> Tensor {
    let (a, b) = (T::of(&x[0]), T::of(&x[1]));
    let (count, rows, inner, columns) = stacks(a.shape(), b.shape());
    let stack = |m: &Array<T>, r: usize, c: usize| {
        let n = m.len().checked_div(r * c).unwrap_or(count.max(1));
        m.to_shape((n, r, c)).expect("a stack of matrices").to_owned()
    };
    let (a, b) = (stack(a, rows, inner), stack(b, inner, columns));
    let mut result = ndarray::Array3::<T>::zeros((count, rows, columns));
    for (i, mut out) in result.outer_iter_mut().enumerate() {
        let left = a.index_axis(ndarray::Axis(0), if a.shape()[0] == 1 { 0 } else { i });
        let right = b.index_axis(ndarray::Axis(0), if b.shape()[0] == 1 { 0 } else { i });
        ndarray::linalg::general_mat_mul(T::one(), &left, &right, T::zero(), &mut out);
    }
    T::wrap(
        result.into_shape_with_order(IxDyn(to)).expect("the shape of the product").into_shared(),
    )
}

fn product<T: Element>(
    a: &Array<T>,
    b: &Array<T>,
    to: &[usize],
    zero: T,
    step: impl Fn(T, T, T) -> T,
) -> Tensor {
    let (count, rows, inner, columns) = stacks(a.shape(), b.shape());
    let flat = |m: &Array<T>| m.iter().copied().collect::<Vec<T>>();
    let (single_a, single_b) = (a.len() == rows * inner, b.len() == inner * columns);
    let (a, b) = (flat(a), flat(b));
    let mut values = Vec::with_capacity(count * rows * columns);
    for n in 0..count {
        let (at, bt) = (
            if single_a { 0 } else { n * rows * inner },
            if single_b { 0 } else { n * inner * columns },
        );
        for row in 0..rows {
            for column in 0..columns {
                values.push((0..inner).fold(zero, |sum, k| {
                    step(sum, a[at + row * inner + k], b[bt + k * columns + column])
                }));
            }
        }
    }
    T::wrap(
        ArrayD::from_shape_vec(IxDyn(to), values).expect("the shape of the product").into_shared(),
    )
}

/// The product of each element of a vector with each of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outer;

impl Operator for Outer {
    fn name(&self) -> Cow<'static, str> {
        "outer".into()
    }

    fn infer(&self, operands: &[Type], _dims: &Dims) -> Result<Type, Misfit> {
        let dtype = same_dtype("outer", operands)?;
        if let Some(i) = operands.iter().position(|operand| operand.rank() != 1) {
            return Err(Misfit::rank(format!(
                "`outer` takes two vectors; this is {}",
                operands[i]
            ))
            .at(i, None)
            .help("take a vector of it, such as `x[0]`, or use `einsum`"));
        }
        Ok(Type::new(dtype, operands.iter().map(|operand| operand.shape[0].clone())))
    }

    fn value(&self, x: &[Tensor], to: &[usize], bindings: &Bindings) -> Result<Tensor, ValueError> {
        MatMul.value(&[x[0].reshape(&[to[0], 1]), x[1].reshape(&[1, to[1]])], to, bindings)
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        if !rule.result.dtype.is_float() {
            return vec![None, None];
        }
        let back = transpose(rule.dy(), 2);
        vec![Some(matmul(rule.dy(), rule.x(1))), Some(matmul(back, rule.x(0)))]
    }

    fn batch(&self, batching: &Batching) -> Term {
        let to: Vec<Size> =
            std::iter::once(batching.size.clone()).chain(batching.result.shape.clone()).collect();
        let laid = |i: usize| {
            if batching.batched[i] {
                spread(Term::Var(i), &to, &[2 - i])
            } else {
                spread(Term::Var(i), &to, &[0, 2 - i])
            }
        };
        laid(0) * laid(1)
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::call("outer", 2)
    }

    fn is_linear(&self) -> bool {
        true
    }
}

/// Sums of products, Einstein's way: each axis has a letter, letters that the result does not have are summed over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Einsum {
    /// The letters of each operand's axes, no letter twice in one.
    pub inputs: Vec<SmallVec<[u8; 8]>>,
    /// The letters of the result's axes.
    pub output: SmallVec<[u8; 8]>,
}

impl Einsum {
    /// Reads `nd,dh->nh`. A letter may stand twice in an operand: its diagonal is meant. Without a result that has the letters
    /// that stand once in all, in alphabetical order.
    pub fn parse(text: &str) -> Result<Einsum, String> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (inputs, output) = match compact.split_once("->") {
            Some((inputs, output)) => (inputs, Some(output)),
            None => (compact.as_str(), None),
        };
        let letters = |part: &str| -> Result<SmallVec<[u8; 8]>, String> {
            match part.chars().find(|c| !c.is_ascii_alphabetic()) {
                Some(c) => Err(format!("`{c}` in an einsum is no letter")),
                None => Ok(part.bytes().collect()),
            }
        };
        let inputs = inputs.split(',').map(letters).collect::<Result<Vec<_>, _>>()?;
        let all = inputs.concat();
        let times = |letters: &[u8], letter: u8| letters.iter().filter(|&&c| c == letter).count();
        let output = match output {
            Some(output) => letters(output)?,
            None => (b'A'..=b'z').filter(|&letter| times(&all, letter) == 1).collect(),
        };
        if let Some(&twice) = output.iter().find(|&&letter| times(&output, letter) > 1) {
            let text = String::from_utf8_lossy(&output);
            return Err(format!("`{}` stands twice in the result `{text}`", twice as char));
        }
        if let Some(&unknown) =
            output.iter().find(|c| !inputs.iter().any(|input| input.contains(c)))
        {
            return Err(format!("`{}` of the result is in no operand", unknown as char));
        }
        Ok(Einsum { inputs, output })
    }

    /// The einsum of operands in which no letter stands twice, and for each of its operands the pairs of axes whose diagonal is
    /// taken, one after the other; a diagonal becomes the last axis.
    pub fn diagonals(mut self) -> (Einsum, Vec<Vec<(usize, usize)>>) {
        let mut pairs = Vec::new();
        for input in &mut self.inputs {
            let mut taken = Vec::new();
            let twice = |input: &[u8]| {
                (0..input.len()).find_map(|axis| {
                    let again = input[axis + 1..].iter().position(|c| *c == input[axis])?;
                    Some((axis, axis + 1 + again))
                })
            };
            while let Some((one, two)) = twice(input) {
                taken.push((one, two));
                let letter = input.remove(two);
                input.remove(one);
                input.push(letter);
            }
            pairs.push(taken);
        }
        (self, pairs)
    }

    fn text(&self) -> String {
        let part = |letters: &[u8]| letters.iter().map(|&c| c as char).collect::<String>();
        let inputs: Vec<String> = self.inputs.iter().map(|input| part(input)).collect();
        format!("{}->{}", inputs.join(","), part(&self.output))
    }

    fn size_of(&self, letter: u8, operands: &[Type]) -> Option<Size> {
        let mut sizes = self.inputs.iter().zip(operands).filter_map(|(input, operand)| {
            input.iter().position(|&c| c == letter).map(|axis| operand.shape[axis].clone())
        });
        let first = sizes.next()?;
        Some(sizes.fold(first, |known, size| if known.name().is_some() { known } else { size }))
    }
}

impl Operator for Einsum {
    fn name(&self) -> Cow<'static, str> {
        "einsum".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        let dtype = same_dtype("einsum", operands)?;
        if operands.len() != self.inputs.len() {
            let message = format!(
                "\"{}\" takes {} operands; here are {}",
                self.text(),
                self.inputs.len(),
                operands.len()
            );
            return Err(Misfit::call(message));
        }
        for (i, (input, operand)) in self.inputs.iter().zip(operands).enumerate() {
            if input.len() != operand.rank() {
                let message =
                    format!("{} letters for the {} axes of {operand}", input.len(), operand.rank());
                return Err(Misfit::rank(message).at(i, None));
            }
            for (axis, &letter) in input.iter().enumerate() {
                let earlier = self.inputs[..i].iter().enumerate().find_map(|(j, other)| {
                    other.iter().position(|&c| c == letter).map(|place| (j, place))
                });
                if let Some((j, place)) = earlier
                    && dims.agree(&operands[j].shape[place], &operand.shape[axis]).is_none()
                {
                    let (a, b) = (&operands[j].shape[place], &operand.shape[axis]);
                    let message =
                        format!("`{}` is {a} in one operand and {b} in another", letter as char);
                    return Err(Misfit::shape(message).at(j, place).at(i, axis));
                }
            }
        }
        let shape = self
            .output
            .iter()
            .map(|&letter| self.size_of(letter, operands).expect("every letter is in an operand"));
        Ok(Type::new(dtype, shape))
    }

    fn value(
        &self,
        x: &[Tensor],
        _to: &[usize],
        bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        let mut letters = self.inputs[0].to_vec();
        let mut product = x[0].clone();
        for (i, (factor, input)) in x.iter().zip(&self.inputs).enumerate().skip(1) {
            let needed = |c: &u8| {
                self.output.contains(c)
                    || self.inputs[i + 1..].iter().any(|later| later.contains(c))
            };
            (product, letters) = pair(product, &letters, factor.clone(), input, needed, bindings)?;
        }
        let (summed, letters) = keep(product, &letters, |c| self.output.contains(c), bindings)?;
        order(summed, &letters, &self.output, bindings)
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let flows = rule.result.dtype.is_float();
        (0..self.inputs.len())
            .map(|i| {
                let mut inputs = vec![self.output.clone()];
                let mut operands = vec![rule.dy()];
                for (j, input) in self.inputs.iter().enumerate().filter(|(j, _)| *j != i) {
                    inputs.push(input.clone());
                    operands.push(rule.x(j));
                }
                let known = |c: &u8| inputs.iter().any(|input| input.contains(c));
                let output: SmallVec<[u8; 8]> =
                    self.inputs[i].iter().copied().filter(|c| known(c)).collect();
                let missing: Vec<usize> = (0..self.inputs[i].len())
                    .filter(|&axis| !known(&self.inputs[i][axis]))
                    .collect();
                let einsum = apply(Einsum { inputs, output }, operands);
                let shape = &rule.operands[i].shape;
                flows.then(|| {
                    if missing.is_empty() { einsum } else { spread(einsum, shape, &missing) }
                })
            })
            .collect()
    }

    fn batch(&self, batching: &Batching) -> Term {
        let free = (b'a'..=b'z')
            .chain(b'A'..=b'Z')
            .find(|c| !self.inputs.iter().any(|input| input.contains(c)));
        let letter = free.expect("an einsum has fewer than 52 letters");
        let lead = |letters: &SmallVec<[u8; 8]>| {
            std::iter::once(letter).chain(letters.iter().copied()).collect()
        };
        let inputs = self
            .inputs
            .iter()
            .zip(batching.batched)
            .map(|(input, &b)| if b { lead(input) } else { input.clone() });
        let einsum = Einsum { inputs: inputs.collect(), output: lead(&self.output) };
        apply(einsum, (0..self.inputs.len()).map(Term::Var).collect())
    }

    fn form(&self, operands: &[Type], _result: &Type) -> Form {
        let args = (0..operands.len()).map(FormArg::Operand);
        let text = FormArg::Text(format!("\"{}\"", self.text()));
        Form::Call {
            name: "einsum".into(),
            brackets: Vec::new(),
            args: std::iter::once(text).chain(args).collect(),
        }
    }

    fn is_linear(&self) -> bool {
        true
    }

    fn flops(&self, operands: &[Type], _result: &Type) -> Size {
        let mut letters: Vec<u8> = self.inputs.iter().flatten().copied().collect();
        letters.sort_unstable();
        letters.dedup();
        letters
            .into_iter()
            .filter_map(|letter| self.size_of(letter, operands))
            .fold(Size::Known(operands.len() as i64), |product, size| product * size)
    }
}

/// The product of two lettered operands over the letters that are `needed` later.
fn pair(
    x: Tensor,
    xs: &[u8],
    y: Tensor,
    ys: &[u8],
    needed: impl Fn(&u8) -> bool,
    bindings: &Bindings,
) -> Result<(Tensor, Vec<u8>), ValueError> {
    let (x, xs) = keep(x, xs, |c| needed(c) || ys.contains(c), bindings)?;
    let (y, ys) = keep(y, ys, |c| needed(c) || xs.contains(c), bindings)?;
    let shared: Vec<u8> = xs.iter().copied().filter(|c| ys.contains(c) && needed(c)).collect();
    let inner: Vec<u8> = xs.iter().copied().filter(|c| ys.contains(c) && !needed(c)).collect();
    let left: Vec<u8> = xs.iter().copied().filter(|c| !ys.contains(c)).collect();
    let right: Vec<u8> = ys.iter().copied().filter(|c| !xs.contains(c)).collect();
    let sizes = |tensor: &Tensor, of: &[u8], letters: &[u8]| -> Vec<usize> {
        letters
            .iter()
            .map(|c| tensor.shape()[of.iter().position(|o| o == c).expect("the letter is there")])
            .collect()
    };
    let (b, k) = (sizes(&x, &xs, &shared), sizes(&x, &xs, &inner));
    let (m, n) = (sizes(&x, &xs, &left), sizes(&y, &ys, &right));
    let many = |parts: &[usize]| parts.iter().product::<usize>();
    let a = order(x, &xs, &[&shared[..], &left, &inner].concat(), bindings)?.reshape(&[
        many(&b),
        many(&m),
        many(&k),
    ]);
    let c = order(y, &ys, &[&shared[..], &inner, &right].concat(), bindings)?.reshape(&[
        many(&b),
        many(&k),
        many(&n),
    ]);
    let product = MatMul.value(&[a, c], &[many(&b), many(&m), many(&n)], bindings)?;
    Ok((product.reshape(&[b, m, n].concat()), [shared, left, right].concat()))
}

/// The sum over the letters that are not kept.
fn keep(
    x: Tensor,
    letters: &[u8],
    kept: impl Fn(&u8) -> bool,
    bindings: &Bindings,
) -> Result<(Tensor, Vec<u8>), ValueError> {
    let axes: SmallVec<[usize; 4]> =
        (0..letters.len()).filter(|&axis| !kept(&letters[axis])).collect();
    if axes.is_empty() {
        return Ok((x, letters.to_vec()));
    }
    let to: Vec<usize> = (0..letters.len())
        .filter(|axis| !axes.contains(axis))
        .map(|axis| x.shape()[axis])
        .collect();
    let reduce = super::reduce::Reduce { kind: super::reduce::Fold::Sum, axes };
    Ok((reduce.value(&[x], &to, bindings)?, letters.iter().copied().filter(|c| kept(c)).collect()))
}

/// The axes in the order of `to`.
fn order(x: Tensor, letters: &[u8], to: &[u8], bindings: &Bindings) -> Result<Tensor, ValueError> {
    let order = to
        .iter()
        .map(|c| letters.iter().position(|l| l == c).expect("the letter is there"))
        .collect();
    super::shape::Permute { order }.value(&[x], &[], bindings)
}
