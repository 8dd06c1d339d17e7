//! Machine code does what the rows do, bit by bit, for every row, at every level that has an emitter.

use super::numbers;
use pullback::exec::kernels::emit::{Arg, Recipe, Step, link, program};
use pullback::exec::kernels::memory::Block;
use pullback::exec::kernels::rows::{Action, Operand, apply};
use pullback::exec::kernels::spans::Source;
use pullback::exec::kernels::{Float, Level, Math};
use pullback::ops::elementwise::Scalar;

/// What the recipe makes of its streams by machine code, and action by action; none where there is no machine code.
fn both<T: Float>(
    level: Level,
    recipe: Recipe,
    inputs: &[Vec<T>],
    count: usize,
) -> Option<[Vec<Vec<T>>; 2]> {
    let outputs = recipe.outputs;
    let kernel =
        link(vec![program::<T>(level, &recipe, count)?]).expect("memory for code").remove(0);
    let bytes = (count * size_of::<T>()).next_multiple_of(64);
    let mut block = Block::new(bytes * (inputs.len() + outputs)).expect("memory");
    let mut scratch = Block::new(kernel.scratch()).expect("memory");
    let shared = block.shared();
    let place = |number: usize| shared.span::<T>(number * bytes, count);
    let mut sources = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        if recipe.inputs[number] {
            sources.push(Source::Number(input[0]));
        } else {
            place(number).write().copy_from_slice(input);
            sources.push(Source::Span(place(number)));
        }
    }
    let written: Vec<_> = (0..outputs).map(|output| place(inputs.len() + output)).collect();
    kernel.run(&sources, &written, scratch.shared());
    let found = written.iter().map(|span| span.read().to_vec()).collect();
    for number in 0..inputs.len() + outputs {
        let all = shared.span::<T>(number * bytes, bytes / size_of::<T>()).read();
        assert!(all[count..].iter().all(|x| *x == T::zero()), "what is behind stays as it is");
    }
    let mut values: Vec<Vec<T>> = Vec::new();
    let mut expected = vec![Vec::new(); outputs];
    for step in &recipe.steps {
        let args = step.args.map(|arg| match arg {
            Arg::Stream(stream) if recipe.inputs[stream as usize] => {
                Operand::Number(inputs[stream as usize][0])
            }
            Arg::Stream(stream) => Operand::Slice(&inputs[stream as usize][..]),
            Arg::Step(step) => Operand::Slice(&values[step as usize][..]),
            Arg::Number(number) => Operand::Number(T::of_f64(number)),
        });
        let mut to = vec![T::zero(); count];
        apply(level, Math::Fast, step.action, args, &mut to);
        if let Some(output) = step.to {
            expected[output as usize] = to.clone();
        }
        values.push(to);
    }
    Some([expected, found])
}

fn check<T: Float>(
    name: &str,
    level: Level,
    recipe: Recipe,
    inputs: &[Vec<T>],
    count: usize,
) -> bool {
    let Some([expected, found]) = both(level, recipe, inputs, count) else { return false };
    for (expected, found) in expected.iter().flatten().zip(found.iter().flatten()) {
        let (a, b) = (expected.to(), found.to());
        let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(same, "{name} {} {}: {b} for {a}", level.name(), T::DTYPE);
    }
    true
}

fn rows<T: Float>() {
    let count = 101;
    let special =
        [0.0, -0.0, 1.0, -2.0, 0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-310, 1e-40];
    let mut x: Vec<T> = numbers(count, 3);
    let mut y: Vec<T> = numbers(count, 4);
    for (i, value) in
        special.into_iter().chain((1..30).map(|i| 1.7f64.powi(i * 3 - 45))).enumerate()
    {
        x[i] = T::of_f64(value);
        y[i * 7 % count] = T::of_f64(value);
    }
    let one = |action, args| Recipe {
        inputs: vec![false, true, false],
        outputs: 1,
        steps: vec![Step { action, args, to: Some(0) }],
    };
    let (a, b, single) = (Arg::Stream(0), Arg::Stream(2), Arg::Stream(1));
    let inputs = [x, vec![T::of_f64(0.75)], y];
    for level in Level::available().into_iter().skip(1) {
        for &row in Scalar::ALL {
            for args in [[a, b, a], [a, Arg::Number(0.25), a], [single, b, a], [b, b, b]] {
                let there = check(row.word(), level, one(Action::Row(row), args), &inputs, count);
                let branches = matches!(row, Scalar::Sin | Scalar::Cos | Scalar::Tan);
                let common = matches!(row, Scalar::Exp | Scalar::Tanh | Scalar::Log | Scalar::Mul);
                assert!(!(there && branches) && (there || !common), "{row:?} at {}", level.name());
            }
        }
        for action in [Action::Select, Action::MulAdd, Action::Move] {
            for args in
                [[a, b, single], [single, a, b], [b, Arg::Number(-1.5), b], [a, a, a], [b, a, a]]
            {
                assert!(check("action", level, one(action, args), &inputs, count));
            }
        }
    }
}

#[test]
fn every_row_and_action() {
    rows::<f32>();
    rows::<f64>();
}

/// Programs whose values do not fit the registers, with results in the middle.
fn long<T: Float>() {
    use Scalar::{Add, Div, Exp, Lt, Maximum, Mul, Neg, Relu, Sigmoid, Sub, Tanh};
    let mut state = 7u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let pure = [Add, Sub, Mul, Maximum, Lt, Neg, Relu, Sigmoid, Tanh, Exp, Div];
    for length in [5, 60, 150] {
        let mut recipe = Recipe { inputs: vec![false, true, false], outputs: 4, steps: Vec::new() };
        for number in 0..length {
            // Operands from long ago, so that many values live at a time.
            let mut arg = || match random(8) {
                0 => Arg::Stream(random(3) as u16),
                1 => Arg::Number(random(5) as f64 / 4.0 - 0.5),
                _ if number == 0 => Arg::Stream(0),
                _ => Arg::Step(random(number) as u32),
            };
            let args = [arg(), arg(), arg()];
            let action = match random(14) {
                0 => Action::MulAdd,
                1 => Action::Select,
                other => Action::Row(pure[other % pure.len()]),
            };
            let to = (number + 4 >= length).then(|| (number + 4 - length) as u16);
            recipe.steps.push(Step { action, args, to });
        }
        // How many vectors go side by side depends on the number of elements.
        for count in [9, 131, 300] {
            let inputs = [numbers(count, 1), vec![T::of_f64(-0.3)], numbers(count, 2)];
            for level in Level::available().into_iter().skip(1) {
                assert!(check("long", level, recipe.clone(), &inputs, count));
            }
        }
    }
}

#[test]
fn more_values_than_registers() {
    long::<f32>();
    long::<f64>();
}
