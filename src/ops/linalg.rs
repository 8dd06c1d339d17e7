//! Linear algebra on the matrices that the last two axes are: solutions, inverses, factors, determinants.

use super::field::{Field, sum};
use super::index::{Diag, Triangle};
use super::term::{apply, matmul, outer, permute, reshape, spread, transpose};
use super::{
    Batching, Bindings, Dims, Form, Misfit, Operator, Rule, Size, Term, Type, ValueError, elements,
    floats,
};
use crate::tensor::Tensor;
use std::borrow::Cow;

/// A value of each square matrix. Numbers are computed in f64 for both float types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// The lower L with `L @ L' = (A + A') / 2`; NaN on and below the diagonal where that is not positive definite.
    Cholesky,
    /// The inverse; NaN where there is none.
    Inverse,
    /// `log |det A|`; -inf of a singular matrix.
    Logdet,
}

impl Matrix {
    /// The entries of the results for matrices of this shape.
    pub fn entries<F: Field>(&self, matrices: &[F], shape: &[usize]) -> Vec<F> {
        let (lead, n) = (&shape[..shape.len() - 2], shape[shape.len() - 1]);
        let mut values = Vec::with_capacity(matrices.len());
        for number in 0..lead.iter().product() {
            let matrix = &matrices[number * n * n..(number + 1) * n * n];
            match self {
                Matrix::Cholesky => values.extend(cholesky(matrix, n)),
                Matrix::Inverse => {
                    let mut identity = vec![F::from(0.0); n * n];
                    (0..n).for_each(|row| identity[row * (n + 1)] = F::from(1.0));
                    values.extend(solved(matrix, n, &identity, n));
                }
                Matrix::Logdet => {
                    let (factors, _) = factored(matrix, n);
                    values.push(sum((0..n).map(|row| factors[row * (n + 1)].abs().ln())));
                }
            }
        }
        values
    }
}

impl Operator for Matrix {
    fn name(&self) -> Cow<'static, str> {
        match self {
            Matrix::Cholesky => "cholesky".into(),
            Matrix::Inverse => "inverse".into(),
            Matrix::Logdet => "logdet".into(),
        }
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        let x = &operands[0];
        square(&self.name(), operands, dims)?;
        Ok(match self {
            Matrix::Logdet => x.with_shape(x.shape[..x.rank() - 2].iter().cloned()),
            _ => x.clone(),
        })
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        Ok(Tensor::from_f64(x[0].dtype(), to, self.entries(&x[0].to_f64(), x[0].shape())))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let shape = &rule.operands[0].shape;
        let rank = shape.len();
        let (y, dy) = (rule.y(), rule.dy());
        vec![Some(match self {
            Matrix::Inverse => {
                let back = transpose(y, rank);
                -matmul(matmul(back.clone(), dy), back)
            }
            Matrix::Logdet => {
                let inverse = apply(Matrix::Inverse, vec![rule.x(0)]);
                spread(dy, shape, &[rank - 2, rank - 1]) * transpose(inverse, rank)
            }
            // L^-T Φ(L' dL) L^-1, Φ the lower triangle with half of the diagonal; then the symmetric half.
            Matrix::Cholesky => {
                let up = transpose(y, rank);
                let product = matmul(up.clone(), dy);
                let lower = apply(Triangle { upper: false, diagonal: 0 }, vec![product.clone()]);
                let diagonal = apply(Diag::Make, vec![apply(Diag::Take, vec![product])]);
                let half = lower - diagonal / 2;
                let solve = |b| apply(Solve { of: Of::Upper }, vec![up.clone(), b]);
                let right = solve(transpose(solve(half), rank));
                (right.clone() + transpose(right, rank)) / 2
            }
        })]
    }

    fn batch(&self, _batching: &Batching) -> Term {
        apply(*self, vec![Term::Var(0)])
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        Form::call(&self.name(), 1)
    }

    fn flops(&self, operands: &[Type], _result: &Type) -> Size {
        let n = operands[0].shape[operands[0].rank() - 1].clone();
        let cube = elements(&operands[0].shape) * n;
        match self {
            Matrix::Cholesky => cube.floor_div(3),
            Matrix::Inverse => Size::Known(2) * cube,
            Matrix::Logdet => (Size::Known(2) * cube).floor_div(3),
        }
    }
}

/// The x with `A @ x = b`: b has one axis less than A (vectors) or as many (matrices, column by column).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Solve {
    /// What of A is read.
    pub of: Of,
}

/// What of a matrix is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Of {
    /// All of it, by factors with partial pivoting; NaN where it is singular.
    Whole,
    /// The lower triangle; a 0 on the diagonal divides to inf or NaN.
    Lower,
    /// The upper triangle; a 0 on the diagonal divides to inf or NaN.
    Upper,
}

impl Solve {
    /// The entries of the solutions, of the shape `to`, for matrices with `lead` leading axes.
    pub fn entries<F: Field>(
        &self,
        matrices: &[F],
        sides: &[F],
        lead: usize,
        to: &[usize],
    ) -> Vec<F> {
        let (n, columns) = (to[lead], to[lead + 1..].iter().product::<usize>());
        let mut values = Vec::with_capacity(sides.len());
        for number in 0..to[..lead].iter().product() {
            let matrix = &matrices[number * n * n..(number + 1) * n * n];
            let side = &sides[number * n * columns..(number + 1) * n * columns];
            values.extend(match self.of {
                Of::Whole => solved(matrix, n, side, columns),
                of => substituted(matrix, n, side.to_vec(), columns, of == Of::Upper, false),
            });
        }
        values
    }
}

impl Of {
    fn transposed(self) -> Of {
        match self {
            Of::Whole => Of::Whole,
            Of::Lower => Of::Upper,
            Of::Upper => Of::Lower,
        }
    }
}

impl Operator for Solve {
    fn name(&self) -> Cow<'static, str> {
        "solve".into()
    }

    fn infer(&self, operands: &[Type], dims: &Dims) -> Result<Type, Misfit> {
        square("solve", operands, dims)?;
        let (a, b) = (&operands[0], &operands[1]);
        let lead = a.rank() - 2;
        if b.rank() + 1 != a.rank() && b.rank() != a.rank() {
            return Err(Misfit::rank(format!("`solve` of {a} and {b}: ranks differ"))
                .at(0, None)
                .at(1, None)
                .help("the right side has the leading axes of the matrix, then one axis or two"));
        }
        let clash = (0..=lead).find(|&axis| dims.agree(&a.shape[axis], &b.shape[axis]).is_none());
        match clash {
            None => Ok(b.clone()),
            Some(axis) => {
                let message = format!("`solve` of {a} and {b}: axis {axis} differs");
                Err(Misfit::shape(message).at(0, axis).at(1, axis))
            }
        }
    }

    fn value(
        &self,
        x: &[Tensor],
        to: &[usize],
        _bindings: &Bindings,
    ) -> Result<Tensor, ValueError> {
        let lead = x[0].shape().len() - 2;
        let values = self.entries(&x[0].to_f64(), &x[1].to_f64(), lead, to);
        Ok(Tensor::from_f64(x[0].dtype(), to, values))
    }

    fn vjp(&self, rule: &Rule) -> Vec<Option<Term>> {
        let (a, shape) = (rule.operands[0].rank(), &rule.operands[0].shape);
        let back = Solve { of: self.of.transposed() };
        let db = apply(back, vec![transpose(rule.x(0), a), rule.dy()]);
        let product = match (rule.operands[1].rank(), a) {
            (1, 2) => outer(db.clone(), rule.y()),
            (b, _) if b == a => matmul(db.clone(), transpose(rule.y(), a)),
            _ => spread(db.clone(), shape, &[a - 1]) * spread(rule.y(), shape, &[a - 2]),
        };
        let triangle = |upper| apply(Triangle { upper, diagonal: 0 }, vec![product.clone()]);
        let da = match self.of {
            Of::Whole => product,
            Of::Lower => triangle(false),
            Of::Upper => triangle(true),
        };
        vec![Some(-da), Some(db)]
    }

    /// Right sides with a new axis are more columns for the same matrix.
    fn batch(&self, batching: &Batching) -> Term {
        if batching.batched[0] {
            return apply(*self, batching.all());
        }
        let (rank, shape) = (batching.operands[0].rank(), &batching.operands[1].shape);
        let order: Vec<usize> = (1..rank).chain([0]).chain(rank..=shape.len()).collect();
        let split: Vec<Size> = shape[..rank - 1]
            .iter()
            .chain([batching.size])
            .chain(&shape[rank - 1..])
            .cloned()
            .collect();
        let mut columns = split[..rank - 1].to_vec();
        columns.push(elements(&split[rank - 1..]));
        let sides = reshape(permute(Term::Var(1), &order), &columns);
        let solution = reshape(apply(*self, vec![Term::Var(0), sides]), &split);
        let back: Vec<usize> =
            [rank - 1].into_iter().chain(0..rank - 1).chain(rank..split.len()).collect();
        permute(solution, &back)
    }

    fn form(&self, _operands: &[Type], _result: &Type) -> Form {
        let form = Form::call("solve", 2);
        match self.of {
            Of::Whole => form,
            Of::Lower => form.with("lower = true"),
            Of::Upper => form.with("upper = true"),
        }
    }

    fn flops(&self, operands: &[Type], result: &Type) -> Size {
        let n = operands[0].shape[operands[0].rank() - 1].clone();
        let substitution = elements(&result.shape) * n.clone();
        match self.of {
            Of::Whole => {
                let factors = (Size::Known(2) * elements(&operands[0].shape) * n).floor_div(3);
                factors + Size::Known(2) * substitution
            }
            _ => substitution,
        }
    }
}

fn square(name: &str, operands: &[Type], dims: &Dims) -> Result<(), Misfit> {
    floats(name, operands)?;
    let (x, rank) = (&operands[0], operands[0].rank());
    if rank < 2 || dims.agree(&x.shape[rank - 1], &x.shape[rank - 2]).is_none() {
        return Err(
            Misfit::shape(format!("`{name}` takes square matrices; this is {x}")).at(0, None)
        );
    }
    Ok(())
}

fn cholesky<F: Field>(matrix: &[F], n: usize) -> Vec<F> {
    let zero = F::from(0.0);
    let mut lower = vec![zero; n * n];
    for row in 0..n {
        for column in 0..=row {
            let entry = (matrix[row * n + column] + matrix[column * n + row]) / F::from(2.0);
            let known = sum((0..column).map(|k| lower[row * n + k] * lower[column * n + k]));
            let rest = entry - known;
            lower[row * n + column] = match row == column {
                true if rest > zero => rest.sqrt(),
                true => F::from(f64::NAN),
                false => rest / lower[column * (n + 1)],
            };
        }
    }
    if (0..n).any(|row| lower[row * (n + 1)].is_nan()) {
        (0..n).for_each(|row| lower[row * n..=row * (n + 1)].fill(F::from(f64::NAN)));
    }
    lower
}

/// L without its diagonal of ones and U in one matrix, with the rows of A in their order: at each column the largest first.
fn factored<F: Field>(matrix: &[F], n: usize) -> (Vec<F>, Vec<usize>) {
    let (mut factors, mut rows) = (matrix.to_vec(), (0..n).collect::<Vec<_>>());
    for column in 0..n {
        let size = |row: usize| factors[row * n + column].abs();
        let pivot =
            (column..n).fold(column, |best, row| if size(row) > size(best) { row } else { best });
        if pivot != column {
            rows.swap(column, pivot);
            (0..n).for_each(|k| factors.swap(column * n + k, pivot * n + k));
        }
        let top = factors[column * (n + 1)];
        for row in column + 1..n {
            if top != F::from(0.0) {
                factors[row * n + column] = factors[row * n + column] / top;
            }
            let factor = factors[row * n + column];
            for k in column + 1..n {
                factors[row * n + k] = factors[row * n + k] - factor * factors[column * n + k];
            }
        }
    }
    (factors, rows)
}

fn solved<F: Field>(matrix: &[F], n: usize, side: &[F], columns: usize) -> Vec<F> {
    let (factors, rows) = factored(matrix, n);
    if (0..n).any(|row| factors[row * (n + 1)] == F::from(0.0)) {
        return vec![F::from(f64::NAN); n * columns];
    }
    let ordered =
        rows.iter().flat_map(|&row| &side[row * columns..(row + 1) * columns]).copied().collect();
    let half = substituted(&factors, n, ordered, columns, false, true);
    substituted(&factors, n, half, columns, true, false)
}

/// The solution of a triangular system; `unit`: with ones on the diagonal.
fn substituted<F: Field>(
    matrix: &[F],
    n: usize,
    mut side: Vec<F>,
    columns: usize,
    upper: bool,
    unit: bool,
) -> Vec<F> {
    for step in 0..n {
        let row = if upper { n - 1 - step } else { step };
        let known = if upper { row + 1..n } else { 0..row };
        for column in 0..columns {
            let done = sum(known.clone().map(|k| matrix[row * n + k] * side[k * columns + column]));
            let rest = side[row * columns + column] - done;
            side[row * columns + column] = if unit { rest } else { rest / matrix[row * (n + 1)] };
        }
    }
    side
}
