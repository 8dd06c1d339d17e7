//! How fast the inner loops are at every SIMD level: `cargo bench --bench kernels -- products` prints what has that in its name.
//!
//! Each figure is the least of many runs, which other work on the machine disturbs least.

#![allow(clippy::print_stdout)]

use pullback::exec::kernels::conv::{Axis, Convolution};
use pullback::exec::kernels::emit::{Arg, Recipe, Step, link, program};
use pullback::exec::kernels::gemm::{Finish, Matrix, product};
use pullback::exec::kernels::memory::Block;
use pullback::exec::kernels::rows::{Action, Operand, apply};
use pullback::exec::kernels::spans::Source;
use pullback::exec::kernels::{Context, Float, Level, Math, Team, fold};
use pullback::exec::pool::Pool;
use pullback::ops::elementwise::Scalar;
use pullback::ops::reduce::Fold;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// What fits the first cache.
const COUNT: usize = 2048;
/// A figure takes so long.
const TIME: Duration = Duration::from_millis(150);

/// The words of the command line that are no options: a figure is taken if its name has one of them, or if there are none.
struct Wanted(Vec<String>);

impl Wanted {
    /// Prints the least time of `run` by the units of work in it.
    fn figure(&self, name: &str, level: Level, work: usize, unit: Unit, mut run: impl FnMut()) {
        let name = format!("{name} {}", level.name());
        if !self.0.is_empty() && !self.0.iter().any(|word| name.contains(word)) {
            return;
        }
        run();
        let (start, mut least) = (Instant::now(), Duration::MAX);
        while start.elapsed() < TIME {
            // Enough runs for the clock.
            let begun = Instant::now();
            let mut runs = 0;
            while runs == 0 || begun.elapsed() < Duration::from_micros(20) {
                run();
                runs += 1;
            }
            least = least.min(begun.elapsed() / runs);
        }
        let nanoseconds = least.as_secs_f64() * 1e9;
        match unit {
            Unit::Element => println!("{name:44} {:10.3} ns/element", nanoseconds / work as f64),
            Unit::Operation => println!("{name:44} {:10.1} GFLOP/s", work as f64 / nanoseconds),
            Unit::Call => println!("{name:44} {nanoseconds:10.1} ns"),
        }
    }
}

#[derive(Clone, Copy)]
enum Unit {
    Element,
    Operation,
    Call,
}

fn rows<T: Float>(wanted: &Wanted, level: Level) {
    let x: Vec<T> = (0..COUNT).map(|i| T::of_f64(i as f64 / 300.0 + 0.01)).collect();
    let mut y = x.clone();
    let cheap = [Scalar::Add, Scalar::Div, Scalar::Maximum, Scalar::Sqrt, Scalar::Rsqrt];
    let common = [Scalar::Exp, Scalar::Log, Scalar::Tanh, Scalar::Sigmoid, Scalar::Softplus];
    let rare = [Scalar::Erf, Scalar::Sin, Scalar::Tan, Scalar::Expm1, Scalar::Log1p, Scalar::Pow];
    for row in [&cheap[..], &common, &rare].concat() {
        let args = [Operand::Slice(&x[..]); 3];
        let name = format!("rows {} {}", T::DTYPE, row.word());
        wanted.figure(&name, level, COUNT, Unit::Element, || {
            apply(level, Math::Fast, Action::Row(row), args, &mut y);
        });
    }
}

fn folds(wanted: &Wanted, level: Level) {
    let x = vec![0.5f32; COUNT];
    for width in [8, 64, COUNT] {
        let mut y = vec![0.0; COUNT / width];
        for kind in [Fold::Sum, Fold::Max] {
            let name = format!("folds f32 {kind:?} of {width}");
            wanted.figure(&name, level, COUNT, Unit::Element, || {
                fold::rows(level, kind, &x, width, &mut y);
            });
        }
    }
}

/// Twenty actions as machine code: how long it takes to make, and to run.
fn emitted<T: Float>(wanted: &Wanted, level: Level) {
    let mut recipe = Recipe { inputs: vec![false], outputs: 1, steps: Vec::new() };
    let actions = [Scalar::Tanh, Scalar::Mul, Scalar::Add, Scalar::Exp, Scalar::Sigmoid];
    for number in 0..20u32 {
        let before = number.checked_sub(1).map_or(Arg::Stream(0), Arg::Step);
        let other = if number % 5 == 1 { Arg::Number(0.9) } else { Arg::Stream(0) };
        let action = Action::Row(actions[number as usize % 5]);
        let to = (number == 19).then_some(0);
        recipe.steps.push(Step { action, args: [before, other, other], to });
    }
    let make = || link(vec![program::<T>(level, &recipe, COUNT)?]);
    let Some(kernels) = make() else { return };
    wanted.figure(&format!("emit {} 20 actions", T::DTYPE), level, 1, Unit::Call, || {
        black_box(make());
    });
    let mut block = Block::new(2 * COUNT * size_of::<T>()).expect("memory");
    let mut scratch = Block::new(kernels[0].scratch()).expect("memory");
    let (memory, scratch) = (block.shared(), scratch.shared());
    let [from, to] = [0, 1].map(|half| memory.span::<T>(half * COUNT * size_of::<T>(), COUNT));
    wanted.figure(&format!("emitted {} 20 actions", T::DTYPE), level, COUNT, Unit::Element, || {
        kernels[0].run(&[Source::Span(from)], &[to], scratch);
    });
}

/// Rows, contraction, columns, and which operands are transposed: the products of a perceptron, a recurrence, attention.
const PRODUCTS: &[(usize, usize, usize, bool, bool)] = &[
    (64, 784, 128, false, false),
    (784, 64, 128, true, false),
    (64, 128, 10, false, false),
    (256, 1024, 1024, false, true),
    (1024, 1024, 1024, false, false),
    (16, 128, 512, false, false),
    (64, 32, 64, false, true),
    (8, 8, 8, false, false),
    (1, 784, 128, false, false),
];

fn products<T: Float>(wanted: &Wanted, level: Level, team: &Team) {
    for &(m, k, n, left, right) in PRODUCTS {
        let (a, b) = (vec![T::of_f64(0.5); m * k], vec![T::of_f64(0.5); k * n]);
        let mut to = vec![T::of_f64(0.0); m * n];
        let a = Matrix { data: &a, steps: if left { (1, m) } else { (k, 1) } };
        let b = Matrix { data: &b, steps: if right { (1, k) } else { (n, 1) } };
        let context = Context { level, team };
        let name = format!("products {} {m}x{k}x{n} by {}", T::DTYPE, team.size());
        wanted.figure(&name, level, 2 * m * k * n, Unit::Operation, || {
            product(&context, (m, k, n), a, b, (&mut to, n), &Finish::default());
        });
    }
}

fn convolutions(wanted: &Wanted, level: Level, team: &Team) {
    for (inputs, outputs, size, window) in [(1, 8, 28, 5), (8, 16, 12, 5), (16, 32, 28, 3)] {
        let count = size - window + 1;
        let axis = Axis { size, window, count, stride: 1, dilation: 1, low: 0 };
        let conv = Convolution::new(64, 1, (inputs, outputs), &[axis, axis]).expect("two axes");
        let [mut x, mut w, mut y] = conv.sizes().map(|size| vec![0.5f32; size]);
        let work = 2 * 64 * inputs * outputs * (window * count).pow(2);
        let context = Context { level, team };
        let name =
            |part| format!("conv {part} {inputs}-{outputs} {size} by {window}, {}", team.size());
        let unit = Unit::Operation;
        wanted.figure(&name("output"), level, work, unit, || conv.output(&context, &x, &w, &mut y));
        wanted.figure(&name("input"), level, work, unit, || conv.input(&context, &y, &w, &mut x));
        // The images are what the last line has left, which may have grown large.
        x.fill(0.5);
        wanted.figure(&name("filter"), level, work, unit, || conv.filter(&context, &x, &y, &mut w));
    }
}

fn main() {
    let words = std::env::args().skip(1).filter(|word| !word.starts_with('-'));
    let wanted = Wanted(words.collect());
    let (alone, pool) = (Team::alone(), Pool::default());
    for level in Level::available().into_iter().rev() {
        rows::<f32>(&wanted, level);
        rows::<f64>(&wanted, level);
        folds(&wanted, level);
        emitted::<f32>(&wanted, level);
        emitted::<f64>(&wanted, level);
        for team in [&alone, pool.team()] {
            products::<f32>(&wanted, level, team);
            products::<f64>(&wanted, level, team);
            convolutions(&wanted, level, team);
        }
    }
    wanted.figure("two pieces handed on", Level::best(), 1, Unit::Call, || {
        pool.team().run(2, &|piece| {
            black_box(piece);
        });
    });
}
