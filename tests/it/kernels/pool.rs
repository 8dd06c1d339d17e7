//! Pools and their adjoints agree with the reference.

use super::numbers;
use pullback::exec::kernels::conv::Axis;
use pullback::exec::kernels::pool::Pooling;
use pullback::exec::kernels::{Context, Float, Level};
use pullback::exec::pool::Pool as Threads;
use pullback::ops::pool::{Kind, Pool};
use pullback::ops::window::Frame;
use pullback::ops::{Bindings, Operator, Size};
use pullback::tensor::Tensor;

/// Rows; then for each axis size, window, stride, padding before and behind.
type Case = (usize, &'static [(usize, usize, usize, usize, usize)]);

const CASES: &[Case] = &[
    (3, &[(9, 3, 2, 0, 0)]),
    (2, &[(6, 2, 2, 0, 0), (24, 2, 2, 0, 0)]),
    (700, &[(5, 2, 2, 0, 0), (37, 2, 2, 0, 0)]),
    (2, &[(7, 3, 2, 1, 1), (8, 2, 3, 0, 1)]),
    (2, &[(6, 3, 1, 2, 0), (70, 3, 1, 1, 1)]),
    (2, &[(4, 1, 1, 0, 0), (4, 2, 2, 0, 0), (6, 2, 2, 0, 0)]),
    (1, &[(5, 2, 1, 1, 0), (4, 2, 2, 0, 0), (5, 4, 5, 3, 2)]),
];

fn check<T: Float>(tolerance: f64) {
    for &(rows, axes) in CASES {
        let count = |&(size, window, stride, low, high): &(usize, usize, usize, usize, usize)| {
            (size + low + high - window) / stride + 1
        };
        let along: Vec<Axis> = axes
            .iter()
            .map(|axis| {
                let &(size, window, stride, low, _) = axis;
                Axis { size, window, count: count(axis), stride, dilation: 1, low: low as isize }
            })
            .collect();
        let pooling = Pooling::new(&along).expect("axes");
        let shape = |of: fn(&Axis) -> usize| {
            std::iter::once(rows).chain(along.iter().map(of)).collect::<Vec<_>>()
        };
        let (whole, windows) = (shape(|axis| axis.size), shape(|axis| axis.count));
        let (elements, results) = (whole.iter().product(), windows.iter().product());
        // Few numbers, so that many are the largest together, and one that is none.
        let mut x: Vec<T> = numbers::<T>(elements, 1);
        x.iter_mut().for_each(|x| *x = T::of_f64((x.to() * 3.0).round()));
        x[elements / 2] = T::of_f64(f64::NAN);
        let (u, dy) = (numbers::<T>(elements, 2), numbers::<T>(results, 3));
        let size = |n: usize| Size::Known(n as i64);
        let frame = Frame {
            stride: axes.iter().map(|axis| axis.2 as i64).collect(),
            dilation: vec![1; axes.len()],
            padding: axes.iter().map(|axis| (size(axis.3), size(axis.4))).collect(),
        };
        let wanted = |kind: Kind, args: &[(&[T], &[usize])], to: &[usize]| {
            let args: Vec<Tensor> = args
                .iter()
                .map(|(data, shape)| {
                    Tensor::from_f64(T::DTYPE, shape, data.iter().map(|x| x.to()).collect())
                })
                .collect();
            let window = axes.iter().map(|axis| axis.1 as i64).collect();
            let op = Pool { kind, window, frame: frame.clone() };
            op.value(&args, to, &Bindings::default()).expect("a value").to_f64()
        };
        let sizes: Vec<Size> = whole[1..].iter().map(|&n| size(n)).collect();
        let (of_x, of_dy) = ((&x[..], &whole[..]), (&dy[..], &windows[..]));
        let mut truth = vec![
            wanted(Kind::Max, &[of_x], &windows),
            wanted(Kind::MaxPick, &[of_x, (&u, &whole)], &windows),
            wanted(Kind::MaxAdjoint, &[of_x, of_dy], &whole),
        ];
        let masked = truth[2].iter().zip(&x).map(|(dx, x)| if x.to() > 0.0 { *dx } else { 0.0 });
        truth.push(masked.collect());
        for count_pad in [false, true] {
            truth.push(wanted(Kind::Mean { count_pad }, &[of_x], &windows));
            let adjoint = Kind::MeanAdjoint { count_pad, sizes: sizes.clone() };
            truth.push(wanted(adjoint, &[of_dy], &whole));
        }
        for level in Level::available() {
            let found = [1, 3].map(|threads| {
                let pool = Threads::new(threads);
                let context = Context { level, team: pool.team() };
                let mut found: Vec<Vec<T>> =
                    truth.iter().map(|truth| vec![T::of_f64(5.0); truth.len()]).collect();
                pooling.max(&context, &x, &mut found[0]);
                pooling.max_pick(&context, &x, &u, &mut found[1]);
                pooling.max_adjoint(&context, &x, &dy, &mut found[2], false);
                pooling.max_adjoint(&context, &x, &dy, &mut found[3], true);
                for (place, count_pad) in [(4, false), (6, true)] {
                    pooling.mean(&context, &x, &mut found[place], count_pad);
                    pooling.mean_adjoint(&context, &dy, &mut found[place + 1], count_pad);
                }
                found.into_iter().map(|of| of.iter().map(|x| x.to()).collect()).collect()
            });
            let bits = |found: &Vec<Vec<f64>>| -> Vec<u64> {
                found.concat().iter().map(|x| x.to_bits()).collect()
            };
            assert!(bits(&found[0]) == bits(&found[1]), "{} {pooling:?}: threads", level.name());
            for (part, (found, truth)) in found[0].iter().zip(&truth).enumerate() {
                for (place, (found, truth)) in found.iter().zip(truth).enumerate() {
                    let near = (found - truth).abs() < tolerance * 10.0
                        || found.is_nan() && truth.is_nan();
                    let name = level.name();
                    assert!(near, "{name} {pooling:?} {part} at {place}: {found} for {truth}");
                }
            }
        }
    }
}

#[test]
fn pools_agree_with_the_reference() {
    check::<f32>(2e-7);
    check::<f64>(1e-14);
}
