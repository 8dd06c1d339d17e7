//! Every action agrees with the reference, for all lengths and kinds of operands.

use super::numbers;
use pullback::exec::kernels::rows::{Action, Operand, apply};
use pullback::exec::kernels::{Float, Level, Math};
use pullback::ops::elementwise::{Class, Scalar};
use pullback::ops::{Bindings, Op, Operator};
use pullback::tensor::{DType, Tensor};

fn check<T: Float>(tolerance: f64) {
    let special = [0.0, -0.0, 1.0, -2.0, 0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    for count in [1, 3, 16, 37] {
        let mut x: Vec<T> = numbers(count, 3);
        let mut y: Vec<T> = numbers(count, 4);
        for (i, &value) in special.iter().enumerate().take(count.saturating_sub(8)) {
            x[i] = T::of_f64(value);
            y[(i * 5 + 2) % count] = T::of_f64(value);
        }
        for &row in Scalar::ALL {
            for level in Level::available() {
                for math in [Math::Fast, Math::Precise] {
                    one(level, math, row, &x, &y, tolerance);
                }
            }
        }
    }
}

fn operand<T: Float>(fixed: bool, all: &[T]) -> Operand<'_, T> {
    if fixed { Operand::Number(all[0]) } else { Operand::Slice(all) }
}

fn one<T: Float>(level: Level, math: Math, row: Scalar, x: &[T], y: &[T], tolerance: f64) {
    let logic = row.class() == Class::Logic;
    let truths = |x: &[T]| x.iter().map(|&x| x > T::zero()).collect::<Vec<_>>();
    let number = |x: &bool| T::of_f64(f64::from(u8::from(*x)));
    let given = |x: &[T]| match logic {
        true => truths(x).iter().map(number).collect(),
        false => x.to_vec(),
    };
    let tensor = |x: &[T]| {
        let dtype = if logic { DType::Bool } else { T::DTYPE };
        Tensor::from_f64(dtype, &[x.len()], given(x).iter().map(|x| x.to()).collect())
    };
    let (gx, gy) = (given(x), given(y));
    let zero = Operand::Number(T::zero());
    for (a, b) in [(false, false), (true, false), (false, true), (true, true)] {
        let pick =
            |fixed: bool, all: &[T]| if fixed { vec![all[0]; all.len()] } else { all.to_vec() };
        let mut args = vec![tensor(&pick(a, x)), tensor(&pick(b, y))];
        args.truncate(row.arity());
        let wanted = Op::Scalar(row).value(&args, &[x.len()], &Bindings::default());
        let wanted = wanted.expect("a value").to_f64();
        let mut found = vec![T::zero(); x.len()];
        apply(level, math, Action::Row(row), [operand(a, &gx), operand(b, &gy), zero], &mut found);
        for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            let found = found.to();
            let near = found == wanted
                || found.is_nan() && wanted.is_nan()
                || (found - wanted).abs() <= tolerance * wanted.abs().max(1.0);
            assert!(
                near,
                "{} {math:?} {row:?}({:?}, {:?}): {found} for {wanted}",
                level.name(),
                gx[i].to(),
                gy[i].to()
            );
        }
    }
}

#[test]
fn rows_agree_with_the_reference() {
    check::<f32>(2e-6);
    check::<f64>(1e-14);
}

#[test]
fn other_actions() {
    for level in Level::available() {
        let (x, y, z) = ([0.0, 1.0, f64::NAN, 0.0, -1.0], [2.0; 5], [3.0, 4.0, 5.0, 6.0, 7.0]);
        let mut to = [0.0; 5];
        let (a, b, c) = (Operand::Slice(&x[..]), Operand::Slice(&y[..]), Operand::Slice(&z[..]));
        apply(level, Math::Fast, Action::Select, [a, b, c], &mut to);
        assert_eq!(to, [3.0, 2.0, 2.0, 6.0, 2.0]);
        apply(
            level,
            Math::Fast,
            Action::MulAdd,
            [c, Operand::Number(2.0), Operand::Number(1.0)],
            &mut to,
        );
        assert_eq!(to, [7.0, 9.0, 11.0, 13.0, 15.0]);
        apply(level, Math::Fast, Action::Move, [c; 3], &mut to);
        assert_eq!(to, z);
    }
}
