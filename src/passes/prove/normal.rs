//! The normal form of a value: a sum of products in index notation, exponentials and logarithms taken apart.

use super::terms::{
    BOUND, Exact, Expr, Factor, Id, Index, ONLY, PRODUCTS, Product, Sum, add, added, constant,
    joined, ordered, rational, renamed, single, times, used,
};
use crate::graph::{Model, NodeId};
use crate::ops::contraction::contraction;
use crate::ops::index::{Diag, TakeAlong};
use crate::ops::leaf::{Const, Eye, SizeOf};
use crate::ops::reduce::{Fold, Reduce, Softmax};
use crate::ops::{Op, Scalar, Size, Type};
use crate::tensor::DType;
use rustc_hash::FxHashMap;

/// Expressions met so far, equal ones once.
#[derive(Default)]
pub struct Normal {
    known: FxHashMap<Expr, Id>,
    exprs: Vec<Expr>,
    sums: FxHashMap<NodeId, Sum>,
    /// How many products have been brought into their form.
    work: usize,
}

/// So high powers are multiplied out.
const POWER: i32 = 8;
/// So much work is done: a claim is answered in seconds.
const WORK: usize = 200_000;
/// So deep do products come out of powers of sums, of products, and so on.
pub const DEPTH: usize = 24;

impl Normal {
    /// The normal form of a value; `None` where it grows too large.
    pub fn of(&mut self, model: &Model, id: NodeId) -> Option<Sum> {
        let needed = model.needed(std::iter::once(id));
        for node in model.nodes().filter(|node| needed[node.index()]) {
            if !self.sums.contains_key(&node) {
                let sum = self.node(model, node)?;
                self.sums.insert(node, sum);
            }
        }
        self.sums.get(&id).cloned()
    }

    /// The expression of an atom.
    pub fn expr(&self, id: Id) -> &Expr {
        &self.exprs[id as usize]
    }

    pub fn intern(&mut self, expr: Expr) -> Id {
        if let Some(&id) = self.known.get(&expr) {
            return id;
        }
        let id = self.exprs.len() as Id;
        self.exprs.push(expr.clone());
        self.known.insert(expr, id);
        id
    }

    fn node(&mut self, model: &Model, id: NodeId) -> Option<Sum> {
        let (op, ty) = (model.op(id).clone(), model.ty(id).clone());
        let operands = model.operands(id);
        let types = model.operand_types(id);
        let x: Vec<Sum> = operands.iter().map(|operand| self.sums[operand].clone()).collect();
        let float = ty.dtype.is_float();
        match &op {
            Op::Variable(variable) => {
                let expr = self.intern(Expr::Variable(variable.name.clone()));
                let mut factor = whole(expr, &ty);
                if model.variables.get(&variable.name).is_some_and(|variable| variable.symmetric) {
                    factor.index.sort_unstable();
                }
                Some(single(factor))
            }
            Op::Const(Const { value, .. }) if float && rational(*value).is_some() => {
                rational(*value).map(constant)
            }
            Op::SizeOf(SizeOf { size, .. }) if float => self.size(&model.dims.resolve(size)),
            Op::Scalar(row) if float => self.scalar(*row, &x),
            Op::Scalar(_) | Op::Select(_) => self.elementwise(op, &x),
            Op::Cast(_) if types[0] == ty => Some(x[0].clone()),
            Op::Barrier(_) | Op::StopGradient(_) | Op::Custom(_) => Some(x[0].clone()),
            Op::Broadcast(laid) => {
                let to = |axis: Index| {
                    laid.from
                        .iter()
                        .position(|from| *from == Some(axis))
                        .map(|place| place as Index)
                };
                self.collected(renamed(&x[0], |index| match index {
                    ONLY | BOUND.. => index,
                    axis => to(axis).unwrap_or(axis),
                }))
            }
            Op::Permute(permute) => {
                let inverse = permute.inverse();
                self.collected(renamed(&x[0], |index| match index {
                    ONLY | BOUND.. => index,
                    axis => inverse[usize::from(axis)] as Index,
                }))
            }
            Op::Reduce(Reduce { kind: kind @ (Fold::Sum | Fold::Mean), axes }) if float => {
                let sum = self.summed(model, &x[0], &types[0], axes)?;
                if *kind == Fold::Sum {
                    return Some(sum);
                }
                let mut mean = sum;
                for &axis in axes {
                    let count = self.size(&model.dims.resolve(&types[0].shape[axis]))?;
                    let count = self.power(&count, -1)?;
                    mean = self.product(&mean, &count, DEPTH)?;
                }
                Some(mean)
            }
            Op::Reduce(Reduce { kind: Fold::Logsumexp, axes }) => {
                let exp = self.exponential(&x[0])?;
                let sum = self.summed(model, &exp, &types[0], axes)?;
                self.logarithm(&sum)
            }
            Op::Softmax(Softmax { axes }) => {
                let exp = self.exponential(&x[0])?;
                let sum = self.summed(model, &exp, &types[0], axes)?;
                let kept: Vec<Index> = (0..types[0].rank())
                    .filter(|axis| !axes.contains(axis))
                    .map(|axis| axis as Index)
                    .collect();
                let laid = self.collected(renamed(&sum, |index| match index {
                    ONLY | BOUND.. => index,
                    axis => kept[usize::from(axis)],
                }))?;
                let over = self.power(&laid, -1)?;
                self.product(&exp, &over, DEPTH)
            }
            Op::Diag(Diag::Take) if float => {
                let last = (types[0].rank() - 1) as Index;
                self.collected(renamed(&x[0], |index| if index == last { last - 1 } else { index }))
            }
            Op::Diag(Diag::Make) if float && !types[0].shape[types[0].rank() - 1].is_one() => {
                let last = types[0].rank() as Index;
                let size = types[0].shape[types[0].rank() - 1].clone();
                let eye = self.eye(&model.dims.resolve(&size), [last - 1, last]);
                self.product(&x[0], &eye, DEPTH)
            }
            Op::Eye(Eye { size, .. }) if !size.is_one() => {
                Some(self.eye(&model.dims.resolve(size), [0, 1]))
            }
            op if float && contraction(op, &types).is_some() => {
                let einsum = contraction(op, &types)?;
                let count = einsum.output.len();
                let mut letters: Vec<u8> = einsum.output.to_vec();
                for letter in einsum.inputs.iter().flatten() {
                    if !letters.contains(letter) {
                        letters.push(*letter);
                    }
                }
                let mut shape: Vec<Size> = vec![Size::Known(1); letters.len()];
                let mut total = constant((1, 1));
                for ((input, x), ty) in einsum.inputs.iter().zip(&x).zip(&types) {
                    let place = |axis: Index| {
                        let letter = input[usize::from(axis)];
                        letters.iter().position(|known| *known == letter).expect("it is there")
                    };
                    for (axis, size) in ty.shape.iter().enumerate() {
                        shape[place(axis as Index)] = size.clone();
                    }
                    let moved = self.collected(renamed(x, |index| match index {
                        ONLY | BOUND.. => index,
                        axis => place(axis) as Index,
                    }))?;
                    total = self.product(&total, &moved, DEPTH)?;
                }
                let along: Vec<usize> = (count..letters.len()).collect();
                self.summed(model, &total, &Type::new(ty.dtype, shape), &along)
            }
            Op::TakeAlong(TakeAlong { axis }) if float => {
                let gone = types[1].rank() < types[0].rank();
                self.taken(model, (op.clone(), *axis as Index, gone), &x, &types, &ty)
            }
            // Its mask does not depend on x.
            Op::Dropout(_) => {
                let ones = [&[constant((1, 1))], &x[1..]].concat();
                let mask = self.linear(model, op, &ones, &types, &ty)?;
                self.product(&x[0], &mask, DEPTH)
            }
            _ => self.linear(model, op, &x, &types, &ty),
        }
    }

    pub fn interned(&mut self, sum: &Sum) -> Id {
        if let Some((product, (1, 1))) = sum.iter().next()
            && let ([factor], []) = (product.factors.as_slice(), product.bound.as_slice())
            && sum.len() == 1
            && factor.exponent == 1
            && factor.index.iter().enumerate().all(|(axis, &index)| index == axis as Index)
        {
            return factor.atom;
        }
        self.intern(Expr::Sum(
            sum.iter().map(|(product, number)| (product.clone(), *number)).collect(),
        ))
    }

    fn eye(&mut self, size: &Size, index: [Index; 2]) -> Sum {
        let op = Eye { dtype: DType::F64, size: size.clone() };
        let expr = self.intern(Expr::Apply(op.into(), Vec::new(), Vec::new()));
        single(Factor { atom: expr, index: index.as_slice().into(), exponent: 1 })
    }

    fn size(&mut self, size: &Size) -> Option<Sum> {
        let Some((number, sizes)) = size.factors() else {
            if let Some(value) = size.known() {
                return Some(constant((i128::from(value), 1)));
            }
            return Some(single(self.size_atom(size)));
        };
        let mut product = Product::default();
        for size in sizes {
            let factor = self.size_atom(&size);
            product.factors.push(factor);
        }
        let mut sum = Sum::new();
        add(&mut sum, ordered(product), (i128::from(number), 1))?;
        Some(sum)
    }

    fn size_atom(&mut self, size: &Size) -> Factor {
        let op = SizeOf { dtype: DType::F64, size: size.clone() };
        let atom = self.intern(Expr::Apply(op.into(), Vec::new(), Vec::new()));
        Factor { atom, index: Default::default(), exponent: 1 }
    }

    /// Products in their order, gathered.
    fn collected(&mut self, products: Vec<(Product, Exact)>) -> Option<Sum> {
        let mut sum = Sum::new();
        for (product, number) in products {
            let settled = self.settled(product, number, DEPTH)?;
            sum = added(&sum, &settled, (1, 1))?;
        }
        Some(sum)
    }

    /// The sum over axes, which go.
    fn summed(&mut self, model: &Model, x: &Sum, ty: &Type, axes: &[usize]) -> Option<Sum> {
        let mut next = 0;
        let places: Vec<Option<Index>> = (0..ty.rank())
            .map(|axis| {
                (!axes.contains(&axis)).then(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        let along: Vec<usize> =
            axes.iter().copied().filter(|&axis| !ty.shape[axis].is_one()).collect();
        let mut products = Vec::new();
        for (product, number) in x {
            let mut product = product.clone();
            let start = product.bound.len();
            for &axis in &along {
                product.bound.push(model.dims.resolve(&ty.shape[axis]));
            }
            if product.bound.len() > 40 {
                return None;
            }
            for factor in &mut product.factors {
                for index in factor.index.iter_mut().filter(|index| **index < BOUND) {
                    let axis = usize::from(*index);
                    *index = match along.iter().position(|&along| along == axis) {
                        Some(place) => BOUND + (start + place) as Index,
                        None => places[axis]?,
                    };
                }
            }
            products.push((product, *number));
        }
        self.collected(products)
    }

    /// The product with its identity matrices gone, what is not summed over in front, and positive powers multiplied out.
    pub fn settled(&mut self, mut product: Product, number: Exact, depth: usize) -> Option<Sum> {
        let depth = depth.checked_sub(1)?;
        self.work += 1;
        if self.work > WORK {
            return None;
        }
        while let Some(place) = product.factors.iter().position(|factor| self.is_eye(factor)) {
            let [a, b] = product.factors[place].index[..] else { return None };
            let (from, to) = if a >= BOUND { (a, b) } else { (b, a) };
            if a != b && from < BOUND {
                product.factors[place].exponent = 1;
                product.factors[place].index.sort_unstable();
                break;
            }
            product.factors.remove(place);
            for index in product.factors.iter_mut().flat_map(|factor| &mut factor.index) {
                *index = if *index == from { to } else { *index };
            }
            if a != b {
                remove_bound(&mut product, from);
            }
        }
        self.identify(&mut product);
        let mut scale = number;
        let mut bound = 0;
        while bound < product.bound.len() {
            let index = BOUND + bound as Index;
            if product.factors.iter().any(|factor| factor.index.contains(&index)) {
                bound += 1;
                continue;
            }
            let size = remove_bound(&mut product, index);
            let (size, factor) = self.size(&size)?.pop_first()?;
            scale = times(scale, factor)?;
            product.factors.extend(size.factors);
        }
        let product = ordered(product);
        match product.factors.iter().position(|factor| self.opens(factor)) {
            None => Some(Sum::from([(product, scale)])),
            Some(place) => {
                let factor = product.factors[place].clone();
                let mut rest = product;
                rest.factors.remove(place);
                let opened = self.opened(&factor)?;
                let mut sum = Sum::new();
                for (part, number) in opened {
                    let number = times(number, scale)?;
                    let settled = self.settled(joined(&rest, &part)?, number, depth)?;
                    sum = added(&sum, &settled, (1, 1))?;
                }
                Some(sum)
            }
        }
    }

    /// Where an identity matrix stands, its second index is its first one.
    fn identify(&self, product: &mut Product) {
        for place in 0..product.factors.len() {
            let Expr::Apply(Op::Eye(_), ..) = self.expr(product.factors[place].atom) else {
                continue;
            };
            let [first, second] = product.factors[place].index[..] else { continue };
            let others =
                product.factors.iter_mut().enumerate().filter(|(other, _)| *other != place);
            for index in others.flat_map(|(_, factor)| &mut factor.index) {
                *index = if *index == second { first } else { *index };
            }
        }
    }

    fn is_eye(&self, factor: &Factor) -> bool {
        matches!(self.expr(factor.atom), Expr::Apply(Op::Eye(_), ..))
            && !(factor.exponent == 1
                && factor.index[0] < factor.index[1]
                && factor.index[1] < BOUND)
    }

    /// Whether a factor has another form: a sum to a positive power, an even power of a root, a square of a `relu`.
    fn opens(&self, factor: &Factor) -> bool {
        match self.expr(factor.atom) {
            Expr::Sum(_) => factor.exponent > 0 && factor.exponent <= POWER,
            Expr::Apply(Op::Scalar(Scalar::Sqrt), ..) => factor.exponent.abs() > 1,
            Expr::Apply(Op::Scalar(Scalar::Cos | Scalar::Relu), ..) => {
                factor.exponent > 1 && factor.exponent <= POWER
            }
            _ => false,
        }
    }

    fn opened(&mut self, factor: &Factor) -> Option<Sum> {
        let index = factor.index.clone();
        let place = |i: Index| match i {
            ONLY | BOUND.. => i,
            axis => index[usize::from(axis)],
        };
        let exponent = factor.exponent;
        let rest = |exponent| single(Factor { exponent, ..factor.clone() });
        match self.expr(factor.atom).clone() {
            Expr::Sum(products) => {
                let inner: Sum = products.into_iter().collect();
                // The indices of the sum may meet: they are put in place before it is multiplied.
                let mut power = constant((1, 1));
                for _ in 0..exponent {
                    let mut next = Sum::new();
                    for (a, x) in &power {
                        for (b, y) in renamed(&inner, place) {
                            add(&mut next, ordered(joined(a, &b)?), times(*x, y)?)?;
                        }
                    }
                    power = next;
                }
                Some(power)
            }
            Expr::Apply(Op::Scalar(Scalar::Cos), args, shapes) => {
                let sine = self.intern(Expr::Apply(Scalar::Sin.into(), args, shapes));
                let square = Factor { atom: sine, index: index.clone(), exponent: 2 };
                let mut one_less = constant((1, 1));
                add(&mut one_less, single(square).pop_first()?.0, (-1, 1))?;
                let (left, _) = rest(exponent - 2).pop_first()?;
                let mut sum = Sum::new();
                for (product, number) in one_less {
                    add(&mut sum, ordered(joined(&left, &product)?), number)?;
                }
                Some(sum)
            }
            Expr::Apply(Op::Scalar(row), args, _) => {
                // `relu(x)^3` is `relu(x) * x^2`.
                let (odd, half) = match row {
                    Scalar::Sqrt => (exponent % 2, exponent / 2),
                    _ => (1, exponent - 1),
                };
                let inner = self.argument(args[0]);
                let inner: Sum = renamed(&inner, place).into_iter().collect();
                let power = self.power(&inner, half)?;
                if odd == 0 {
                    return Some(power);
                }
                let (left, _) = rest(odd).pop_first()?;
                let mut sum = Sum::new();
                for (product, number) in power {
                    add(&mut sum, ordered(joined(&left, &product)?), number)?;
                }
                Some(sum)
            }
            _ => None,
        }
    }

    /// What an operand of an elementwise operator stands for.
    fn argument(&self, id: Id) -> Sum {
        match self.expr(id) {
            Expr::Sum(products) => products.iter().cloned().collect(),
            _ => single(Factor { atom: id, index: Default::default(), exponent: 1 }),
        }
    }

    /// The product of two sums.
    pub fn product(&mut self, one: &Sum, two: &Sum, depth: usize) -> Option<Sum> {
        if one.len() * two.len() > PRODUCTS {
            return None;
        }
        let mut sum = Sum::new();
        for (a, x) in one {
            for (b, y) in two {
                let settled = self.settled(joined(a, b)?, times(*x, *y)?, depth)?;
                sum = added(&sum, &settled, (1, 1))?;
            }
        }
        Some(sum)
    }

    /// The whole power of a sum: of one product that of each factor; below 0 what all products have in common comes out.
    pub fn power(&mut self, sum: &Sum, exponent: i32) -> Option<Sum> {
        if exponent == 0 {
            return Some(constant((1, 1)));
        }
        if let (1, Some((product, number))) = (sum.len(), sum.first_key_value())
            && product.bound.is_empty()
        {
            let mut product = product.clone();
            for factor in &mut product.factors {
                factor.exponent = factor.exponent.checked_mul(exponent)?;
            }
            return self.settled(product, raised(*number, exponent)?, DEPTH);
        }
        if sum.is_empty() {
            return None;
        }
        if exponent > 0 {
            if exponent > POWER {
                return None;
            }
            let mut power = sum.clone();
            for _ in 1..exponent {
                power = self.product(&power, sum, DEPTH)?;
            }
            return Some(power);
        }
        let (common, number, rest) = content(sum)?;
        let indices = used(&rest);
        let inner = compressed(&rest, &indices);
        let atom = self.intern(Expr::Sum(inner.into_iter().collect()));
        let mut product = Product { bound: Vec::new(), factors: common };
        for factor in &mut product.factors {
            factor.exponent = factor.exponent.checked_mul(exponent)?;
        }
        product.factors.push(Factor { atom, index: indices.into(), exponent });
        self.settled(product, raised(number, exponent)?, DEPTH)
    }

    fn scalar(&mut self, row: Scalar, x: &[Sum]) -> Option<Sum> {
        let one = constant((1, 1));
        match row {
            Scalar::Add => added(&x[0], &x[1], (1, 1)),
            Scalar::Sub => added(&x[0], &x[1], (-1, 1)),
            Scalar::Neg => added(&Sum::new(), &x[0], (-1, 1)),
            Scalar::Mul => self.product(&x[0], &x[1], DEPTH),
            Scalar::Square => self.product(&x[0], &x[0], DEPTH),
            Scalar::Div => match self.power(&x[1], -1) {
                Some(over) => self.product(&x[0], &over, DEPTH),
                None => self.elementwise(row.into(), x),
            },
            Scalar::Pow => match whole_number(&x[1]).and_then(|n| self.power(&x[0], n)) {
                Some(power) => Some(power),
                None => self.elementwise(row.into(), x),
            },
            Scalar::Exp => self.exponential(&x[0]),
            Scalar::Expm1 => added(&self.exponential(&x[0])?, &one, (-1, 1)),
            Scalar::Log => self.logarithm(&x[0]),
            Scalar::Log1p => self.logarithm(&added(&x[0], &one, (1, 1))?),
            Scalar::Xlogx | Scalar::Xlogy => {
                let log = self.logarithm(&x[x.len() - 1])?;
                self.product(&x[0], &log, DEPTH)
            }
            Scalar::RelEntr => {
                let quotient = self.scalar(Scalar::Div, x)?;
                let log = self.logarithm(&quotient)?;
                self.product(&x[0], &log, DEPTH)
            }
            Scalar::Softplus => {
                let exp = self.exponential(&x[0])?;
                self.logarithm(&added(&exp, &one, (1, 1))?)
            }
            Scalar::Logaddexp => {
                let (a, b) = (self.exponential(&x[0])?, self.exponential(&x[1])?);
                self.logarithm(&added(&a, &b, (1, 1))?)
            }
            Scalar::Sigmoid => {
                let fallen = self.exponential(&added(&Sum::new(), &x[0], (-1, 1))?)?;
                self.power(&added(&fallen, &one, (1, 1))?, -1)
            }
            Scalar::Sinh | Scalar::Cosh | Scalar::Tanh => {
                let rise = self.exponential(&x[0])?;
                let fall = self.power(&rise, -1)?;
                let minus = added(&rise, &fall, (-1, 1))?;
                let plus = added(&rise, &fall, (1, 1))?;
                match row {
                    Scalar::Sinh => added(&Sum::new(), &minus, (1, 2)),
                    Scalar::Cosh => added(&Sum::new(), &plus, (1, 2)),
                    _ => {
                        let over = self.power(&plus, -1)?;
                        self.product(&minus, &over, DEPTH)
                    }
                }
            }
            Scalar::Sqrt => self.elementwise(row.into(), x),
            Scalar::Sqrt1pm1 => {
                let root = self.scalar(Scalar::Sqrt, &[added(&x[0], &one, (1, 1))?])?;
                added(&root, &one, (-1, 1))
            }
            Scalar::Erfc => added(&one, &self.scalar(Scalar::Erf, x)?, (-1, 1)),
            Scalar::Erfcx => {
                let square = self.product(&x[0], &x[0], DEPTH)?;
                let (rise, erfc) = (self.exponential(&square)?, self.scalar(Scalar::Erfc, x)?);
                self.product(&rise, &erfc, DEPTH)
            }
            Scalar::Rerfcx => {
                let erfcx = self.scalar(Scalar::Erfcx, x)?;
                self.power(&erfcx, -1)
            }
            Scalar::LogErfc => {
                let erfc = self.scalar(Scalar::Erfc, x)?;
                self.logarithm(&erfc)
            }
            Scalar::Rsqrt => {
                let root = self.elementwise(Scalar::Sqrt.into(), x)?;
                self.power(&root, -1)
            }
            Scalar::Tan => {
                let (a, b) = (self.scalar(Scalar::Sin, x)?, self.scalar(Scalar::Cos, x)?);
                let over = self.power(&b, -1)?;
                self.product(&a, &over, DEPTH)
            }
            // What has a kink has that of `relu`.
            Scalar::Maximum | Scalar::Minimum => {
                let above = self.scalar(Scalar::Relu, &[added(&x[0], &x[1], (-1, 1))?])?;
                match row {
                    Scalar::Maximum => added(&x[1], &above, (1, 1)),
                    _ => added(&x[0], &above, (-1, 1)),
                }
            }
            Scalar::Abs => {
                let above = self.scalar(Scalar::Relu, x)?;
                added(&added(&above, &above, (1, 1))?, &x[0], (-1, 1))
            }
            Scalar::Relu if x[0].keys().all(|product| *product == Product::default()) => Some(
                x[0].iter()
                    .filter(|(_, number)| number.0 > 0)
                    .map(|(p, n)| (p.clone(), *n))
                    .collect(),
            ),
            // One side tells the other.
            Scalar::Sin | Scalar::Cos | Scalar::Erf | Scalar::Sign | Scalar::Relu => {
                let falls = x[0].first_key_value().is_some_and(|(_, number)| number.0 < 0);
                if !falls {
                    return self.elementwise(row.into(), x);
                }
                let positive = added(&Sum::new(), &x[0], (-1, 1))?;
                let value = self.elementwise(row.into(), &[positive])?;
                match row {
                    Scalar::Cos => Some(value),
                    Scalar::Relu => added(&value, &x[0], (1, 1)),
                    _ => added(&Sum::new(), &value, (-1, 1)),
                }
            }
            _ => self.elementwise(row.into(), x),
        }
    }

    /// An operator on single elements as an atom, with the indices that its operands have.
    fn elementwise(&mut self, op: Op, x: &[Sum]) -> Option<Sum> {
        let mut indices: Vec<Index> = x.iter().flat_map(used).collect();
        indices.sort_unstable();
        indices.dedup();
        let args = x
            .iter()
            .map(|sum| {
                let inner = compressed(sum, &indices);
                self.intern(Expr::Sum(inner.into_iter().collect()))
            })
            .collect();
        let atom = self.intern(Expr::Apply(op, args, Vec::new()));
        self.collected(vec![(
            Product {
                bound: Vec::new(),
                factors: vec![Factor { atom, index: indices.into(), exponent: 1 }],
            },
            (1, 1),
        )])
    }

    /// `exp(2 * a - b / 3)` is `exp(a)^2 * exp(b / 3)^-1`.
    fn exponential(&mut self, x: &Sum) -> Option<Sum> {
        let mut total = constant((1, 1));
        for (product, &(above, below)) in x {
            let part = Sum::from([(product.clone(), (1, below))]);
            let exponent = i32::try_from(above).ok()?;
            let exp = self.elementwise(Scalar::Exp.into(), &[part])?;
            let power = self.power(&exp, exponent)?;
            total = self.product(&total, &power, DEPTH)?;
        }
        Some(total)
    }

    /// The logarithm; exponentials, and sums of them, come out of products.
    fn logarithm(&mut self, x: &Sum) -> Option<Sum> {
        if *x == constant((1, 1)) {
            return Some(Sum::new());
        }
        let (common, number, mut rest) = content(x)?;
        let mut total = Sum::new();
        let mut left = Vec::new();
        for factor in common {
            let Some(logarithm) = self.positive_logarithm(&factor) else {
                left.push(factor);
                continue;
            };
            total = added(&total, &logarithm, (i128::from(factor.exponent), 1))?;
        }
        let own = Sum::from([(ordered(Product { bound: Vec::new(), factors: left }), number)]);
        rest = self.product(&rest, &own, DEPTH)?;
        if rest == constant((1, 1)) {
            return Some(total);
        }
        let log = self.elementwise(Scalar::Log.into(), &[rest])?;
        added(&total, &log, (1, 1))
    }

    /// The logarithm of a factor that is above 0, its exponent aside.
    fn positive_logarithm(&mut self, factor: &Factor) -> Option<Sum> {
        let index = factor.index.clone();
        let place = |i: Index| match i {
            ONLY | BOUND.. => i,
            axis => index[usize::from(axis)],
        };
        match self.expr(factor.atom).clone() {
            Expr::Apply(Op::Scalar(Scalar::Exp), args, _) => {
                let inner = self.argument(args[0]);
                self.collected(renamed(&inner, place))
            }
            Expr::Sum(products) => {
                let exponentials = |product: &Product| {
                    product.factors.iter().all(|factor| self.is_exponential(factor))
                };
                if !products.iter().all(|(product, number)| number.0 > 0 && exponentials(product)) {
                    return None;
                }
                let inner: Sum = products.into_iter().collect();
                let log = self.elementwise(Scalar::Log.into(), &[inner])?;
                self.collected(renamed(&log, place))
            }
            _ => None,
        }
    }

    fn is_exponential(&self, factor: &Factor) -> bool {
        matches!(self.expr(factor.atom), Expr::Apply(Op::Scalar(Scalar::Exp) | Op::SizeOf(_), ..))
    }
}

fn remove_bound(product: &mut Product, index: Index) -> Size {
    let size = product.bound.remove(usize::from(index - BOUND));
    for other in product.factors.iter_mut().flat_map(|factor| &mut factor.index) {
        if (index..ONLY).contains(other) && *other > index {
            *other -= 1;
        }
    }
    size
}

/// An expression with an index for each axis that is longer than 1.
pub fn whole(atom: Id, ty: &Type) -> Factor {
    let index = ty
        .shape
        .iter()
        .enumerate()
        .map(|(axis, size)| if size.is_one() { ONLY } else { axis as Index })
        .collect();
    Factor { atom, index, exponent: 1 }
}

/// The sum with the indices numbered from 0.
fn compressed(sum: &Sum, indices: &[Index]) -> Sum {
    let moved = renamed(sum, |index| match indices.iter().position(|known| *known == index) {
        Some(place) => place as Index,
        None => index,
    });
    moved.into_iter().map(|(product, number)| (ordered(product), number)).collect()
}

/// What all products of a sum have in common, with the coefficient of the first, and the rest.
fn content(sum: &Sum) -> Option<(Vec<Factor>, Exact, Sum)> {
    let (first, &number) = sum.first_key_value()?;
    let unbound = |factor: &&Factor| factor.index.iter().all(|&i| i < BOUND || i == ONLY);
    let exponent = |product: &Product, wanted: &Factor| {
        let found =
            product.factors.iter().find(|f| f.atom == wanted.atom && f.index == wanted.index);
        found.map_or(0, |factor| factor.exponent)
    };
    let mut all: Vec<Factor> =
        sum.keys().flat_map(|product| product.factors.iter()).filter(unbound).cloned().collect();
    all.iter_mut().for_each(|factor| factor.exponent = 0);
    all.sort_unstable();
    all.dedup();
    let mut common = Vec::new();
    for factor in all {
        let least = sum.keys().map(|product| exponent(product, &factor)).min().unwrap_or(0);
        if least != 0 {
            common.push(Factor { exponent: least, ..factor });
        }
    }
    let over = |by: Exact| if by.0 < 0 { (-by.1, -by.0) } else { (by.1, by.0) };
    let scale = if first.factors.is_empty() && sum.len() > 1 { (1, 1) } else { number };
    let scale = if scale.0 < 0 && sum.len() > 1 { (-scale.0, scale.1) } else { scale };
    let mut rest = Sum::new();
    for (product, &number) in sum {
        let mut product = product.clone();
        for factor in &common {
            product.factors.push(Factor { exponent: -factor.exponent, ..factor.clone() });
        }
        add(&mut rest, ordered(product), times(number, over(scale))?)?;
    }
    Some((common, scale, rest))
}

fn raised(number: Exact, exponent: i32) -> Option<Exact> {
    let (above, below) = number;
    let size = exponent.unsigned_abs();
    let (above, below) = (above.checked_pow(size)?, below.checked_pow(size)?);
    match exponent {
        0.. => Some((above, below)),
        _ if above == 0 => None,
        _ if above < 0 => Some((-below, -above)),
        _ => Some((below, above)),
    }
}

/// The number that a sum is, if it is a small whole one.
fn whole_number(sum: &Sum) -> Option<i32> {
    match sum.iter().next() {
        None => Some(0),
        Some((product, (number, 1))) if sum.len() == 1 && product.factors.is_empty() => {
            i32::try_from(*number).ok()
        }
        _ => None,
    }
}
