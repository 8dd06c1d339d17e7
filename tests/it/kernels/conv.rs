//! Convolutions and their adjoints agree with the reference.

use super::numbers;
use pullback::exec::kernels::conv::{Axis, Convolution};
use pullback::exec::kernels::{Context, Float, Level};
use pullback::exec::pool::Pool;
use pullback::ops::conv::{Conv, Part};
use pullback::ops::window::Frame;
use pullback::ops::{Bindings, Operator, Size};
use pullback::tensor::Tensor;

/// Images, groups, channels into and filters of a group; then for each axis size, window, stride, dilation, padding.
type Case = (usize, usize, usize, usize, &'static [(usize, usize, usize, usize, isize, isize)]);

const CASES: &[Case] = &[
    (2, 1, 3, 4, &[(9, 3, 1, 1, 0, 0)]),
    (3, 1, 1, 8, &[(12, 5, 1, 1, 0, 0), (11, 5, 1, 1, 0, 0)]),
    (2, 2, 3, 2, &[(7, 3, 2, 1, 1, 1), (8, 2, 3, 1, 0, 1)]),
    (1, 1, 2, 3, &[(10, 3, 1, 2, 2, 2), (9, 3, 2, 2, 1, 3)]),
    (2, 1, 2, 2, &[(4, 2, 1, 1, 0, 0), (5, 3, 2, 1, 1, 1), (6, 2, 1, 2, 1, 0)]),
    (2, 3, 4, 5, &[(6, 1, 1, 1, 0, 0), (5, 1, 1, 1, 0, 0)]),
    (1, 1, 1, 1, &[(3, 3, 1, 1, 4, 4)]),
    (2, 1, 2, 3, &[(8, 3, 1, 1, -1, -2), (6, 2, 2, 1, 0, 0)]),
    (70, 1, 2, 2, &[(6, 3, 1, 1, 1, 1)]),
    (3, 2, 3, 5, &[(9, 3, 1, 1, 1, 1), (30, 5, 1, 1, 2, 2)]),
    (2, 1, 2, 9, &[(5, 2, 1, 1, 0, 0), (4, 2, 1, 2, 1, 1), (9, 3, 1, 1, 0, 2)]),
    (2, 1, 2, 3, &[(33, 3, 1, 2, -1, 1), (17, 2, 1, 1, 1, -2)]),
    // Unfolded in parts: of a line, and of several lines.
    (1, 1, 4, 2, &[(5000, 64, 2, 1, 3, 1)]),
    (1, 1, 8, 2, &[(100, 5, 2, 1, 1, 1), (99, 5, 2, 1, 2, 0)]),
];

fn check<T: Float>(tolerance: f64) {
    for &(images, groups, inputs, outputs, axes) in CASES {
        let counts = |&(size, window, stride, dilation, low, high): &(
            usize,
            usize,
            usize,
            usize,
            isize,
            isize,
        )| {
            let room = size as isize + low + high - ((window - 1) * dilation + 1) as isize;
            room as usize / stride + 1
        };
        let along: Vec<Axis> = axes
            .iter()
            .map(|axis| {
                let &(size, window, stride, dilation, low, _) = axis;
                Axis { size, window, count: counts(axis), stride, dilation, low }
            })
            .collect();
        let conv = Convolution::new(images, groups, (inputs, outputs), &along).expect("axes");
        let shape = |first: [usize; 2], of: fn(&Axis) -> usize| {
            first.into_iter().chain(along.iter().map(of)).collect::<Vec<_>>()
        };
        let shapes = [
            shape([images, groups * inputs], |axis| axis.size),
            shape([groups * outputs, inputs], |axis| axis.window),
            shape([images, groups * outputs], |axis| axis.count),
        ];
        let data: Vec<Vec<T>> = (0..3).map(|i| numbers(conv.sizes()[i], i as u64 + 1)).collect();
        let known =
            |sizes: &[usize]| sizes[2..].iter().map(|&n| Size::Known(n as i64)).collect::<Vec<_>>();
        let pad = |n: isize| Size::Known(n as i64);
        let frame = Frame {
            stride: axes.iter().map(|axis| axis.2 as i64).collect(),
            dilation: axes.iter().map(|axis| axis.3 as i64).collect(),
            padding: axes.iter().map(|axis| (pad(axis.4), pad(axis.5))).collect(),
        };
        let wanted = |part: Part, left: usize, right: usize, to: usize| {
            let tensor = |i: usize| {
                let values = data[i].iter().map(|x| x.to()).collect();
                Tensor::from_f64(T::DTYPE, &shapes[i], values)
            };
            let op = Conv { part, frame: frame.clone(), groups: Size::Known(groups as i64) };
            let value = op.value(&[tensor(left), tensor(right)], &shapes[to], &Bindings::default());
            value.expect("a value").to_f64()
        };
        let truth = [
            wanted(Part::Input(known(&shapes[0])), 2, 1, 0),
            wanted(Part::Filter(known(&shapes[1])), 0, 2, 1),
            wanted(Part::Output, 0, 1, 2),
        ];
        for level in Level::available() {
            let mut bits = Vec::new();
            for threads in [1, 3] {
                let pool = Pool::new(threads);
                let context = Context { level, team: pool.team() };
                let mut found: Vec<Vec<T>> =
                    conv.sizes().iter().map(|&size| vec![T::of_f64(5.0); size]).collect();
                conv.input(&context, &data[2], &data[1], &mut found[0]);
                conv.filter(&context, &data[0], &data[2], &mut found[1]);
                conv.output(&context, &data[0], &data[1], &mut found[2]);
                for (part, (found, truth)) in found.iter().zip(&truth).enumerate() {
                    for (place, (found, truth)) in found.iter().zip(truth).enumerate() {
                        let near =
                            (found.to() - truth).abs() < tolerance * 100.0 * truth.abs().max(1.0);
                        assert!(
                            near,
                            "{} {conv:?} part {part} at {place}: {} for {truth}",
                            level.name(),
                            found.to()
                        );
                    }
                }
                bits.push(found.concat().iter().map(|x| x.to().to_bits()).collect::<Vec<_>>());
            }
            assert!(bits[0] == bits[1], "{} {conv:?}: threads", level.name());
        }
    }
}

#[test]
fn convolutions_agree_with_the_reference() {
    check::<f32>(2e-7);
    check::<f64>(1e-14);
}

#[test]
fn only_one_to_three_axes() {
    let axis = Axis { size: 3, window: 1, count: 3, stride: 1, dilation: 1, low: 0 };
    let of = |count: usize| Convolution::new(1, 1, (1, 1), &vec![axis; count]).is_some();
    assert_eq!([0, 1, 2, 3, 4].map(of), [false, true, true, true, false]);
    assert!(Convolution::new(1, 1, (1, 1), &[Axis { stride: 0, ..axis }]).is_none());
}

#[test]
fn what_is_infinite_stays_where_it_is() {
    let axis = Axis { size: 8, window: 3, count: 6, stride: 1, dilation: 1, low: 0 };
    let conv = Convolution::new(1, 1, (1, 1), &[axis, axis]).expect("two axes");
    let mut x = vec![1.0f64; 64];
    x[7] = f64::INFINITY;
    let pool = Pool::new(1);
    for level in Level::available() {
        let mut w = [0.0; 9];
        conv.filter(&Context { level, team: pool.team() }, &x, &[1.0; 36], &mut w);
        let rest = w.iter().enumerate().filter(|(place, _)| *place != 2);
        assert!(w[2] == f64::INFINITY && rest.clone().all(|(_, &w)| w == 36.0), "{w:?}");
    }
}
