//! Functions of single elements in a draft: constants folded, scalars taken once, powers made of products.

use super::draft::{Id, View, Writer};
use super::layout::Layout;
use crate::exec::kernels::rows::Action;
use crate::ops::Scalar;
use crate::ops::elementwise::Class;
use crate::tensor::DType;
use smallvec::{SmallVec, smallvec};

impl Writer<'_> {
    pub(super) fn map(&mut self, action: Action, to: &[usize], args: SmallVec<[View; 2]>) -> View {
        let dtype = match action {
            Action::Select => self.dtype(&args[1]),
            Action::Row(row) if row.class() == Class::Compare => DType::Bool,
            Action::Row(_) | Action::MulAdd => self.dtype(&args[0]),
            Action::Move => self.model.ty(self.id).dtype,
        };
        self.typed(action, dtype, to, args)
    }

    pub(super) fn typed(
        &mut self,
        action: Action,
        dtype: DType,
        to: &[usize],
        args: SmallVec<[View; 2]>,
    ) -> View {
        let numbers: SmallVec<[f64; 2]> =
            args.iter().filter_map(|view| self.draft.filled(view)).collect();
        let everywhere =
            |of: Id| View { of, layout: Layout::rows(&[]).broadcast(to, &vec![None; to.len()]) };
        if numbers.len() == args.len() && dtype.is_float() {
            let value = match action {
                Action::Row(row) => row.at(&numbers),
                Action::MulAdd => Some(numbers[0] * numbers[1] + numbers[2]),
                Action::Select => Some(if numbers[0] != 0.0 { numbers[1] } else { numbers[2] }),
                Action::Move => Some(numbers[0]),
            };
            if let Some(value) = value {
                let number = self.draft.number(dtype, value, self.id);
                return everywhere(number.of);
            }
        }
        let single = to.iter().product::<usize>() > 1 && args.iter().all(|v| v.layout.is_single());
        if single {
            let args = args
                .into_iter()
                .map(|view| View {
                    of: view.of,
                    layout: Layout { offset: view.layout.offset, ..Layout::rows(&[]) },
                })
                .collect();
            let value = self.draft.add(super::draft::Kind::Map(action), dtype, &[], args, self.id);
            return everywhere(value.of);
        }
        // An operand of rank 0 is laid out over the shape.
        let args = args
            .into_iter()
            .map(|view| match view.layout.sizes.len() {
                rank if rank < to.len() => {
                    View { layout: view.layout.broadcast(to, &vec![None; to.len()]), ..view }
                }
                _ => view,
            })
            .collect();
        self.draft.add(super::draft::Kind::Map(action), dtype, to, args, self.id)
    }

    /// The exponent of a power that a few products make.
    pub(super) fn power(&self, args: &[View]) -> Option<u32> {
        let exponent = self.draft.filled(args.get(1)?)?;
        let few = exponent.fract() == 0.0 && (2.0..=16.0).contains(&exponent);
        (few && self.draft.filled(&args[0]).is_none()).then_some(exponent as u32)
    }

    pub(super) fn powered(&mut self, x: View, power: u32, to: &[usize]) -> View {
        let dtype = self.dtype(&x);
        let mut times = |row, args| self.typed(Action::Row(row), dtype, to, args);
        let (mut square, mut rest) = (x, power);
        let mut product: Option<View> = None;
        loop {
            if rest & 1 == 1 {
                product = Some(match product {
                    None => square.clone(),
                    Some(known) => times(Scalar::Mul, smallvec![known, square.clone()]),
                });
            }
            rest >>= 1;
            if rest == 0 {
                return product.unwrap_or(square);
            }
            square = times(Scalar::Square, smallvec![square]);
        }
    }

    pub(super) fn scalar(&mut self, row: Scalar, args: SmallVec<[View; 2]>) -> View {
        let to = args[0].layout.sizes.clone();
        let dtype = if row == Scalar::Lt { DType::Bool } else { self.dtype(&args[0]) };
        self.typed(Action::Row(row), dtype, &to, args)
    }

    pub(super) fn fill(&mut self, dtype: DType, value: f64, to: &[usize]) -> View {
        let view = self.draft.number(dtype, value, self.id);
        View { of: view.of, layout: view.layout.broadcast(to, &vec![None; to.len()]) }
    }
}
