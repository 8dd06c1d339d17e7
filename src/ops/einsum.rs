//! Sums of products by letters.

use super::matmul::MatMul;
use super::matmul::same_dtype;
use super::term::{apply, spread};
use super::{
    Batching, Bindings, Dims, Form, FormArg, Misfit, Operator, Rule, Size, Term, Type, ValueError,
};
use crate::tensor::Tensor;
use smallvec::SmallVec;
use std::borrow::Cow;

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

    /// Those of one pair of operands after the other.
    fn flops(&self, operands: &[Type], _result: &Type) -> Size {
        let work = |letters: &[u8]| {
            letters
                .iter()
                .filter_map(|&letter| self.size_of(letter, operands))
                .fold(Size::Known(1), |product, size| product * size)
        };
        let mut letters = self.inputs[0].clone();
        let mut total = if operands.len() == 1 { work(&letters) } else { Size::Known(0) };
        for (place, input) in self.inputs.iter().enumerate().skip(1) {
            let fresh: Vec<u8> = input.iter().copied().filter(|c| !letters.contains(c)).collect();
            letters.extend(fresh);
            let all = work(&letters);
            let count = letters.len();
            letters.retain(|c| {
                self.output.contains(c)
                    || self.inputs[place + 1..].iter().any(|later| later.contains(c))
            });
            let steps = if letters.len() < count { 2 } else { 1 };
            total = total + Size::Known(steps) * all;
        }
        total
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
