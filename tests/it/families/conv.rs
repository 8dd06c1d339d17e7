//! Convolution and its adjoints.

use super::{case, check, check_gradient, close};
use pullback::compile::{Level, default_request, differentiate};
use pullback::graph::print::{Part, print};

/// One axis: size, window, stride, padding before and behind, dilation.
type Axis = (usize, usize, usize, (usize, usize), usize);

fn count(&(size, window, stride, (low, high), dilation): &Axis) -> usize {
    (size + low + high - (window - 1) * dilation - 1) / stride + 1
}

/// Images, channels, outputs, groups.
type Channels = (usize, usize, usize, usize);

/// Convolution of up to three axes by the book: the image is laid into zeros, then each filter is laid over it.
fn by_the_book(
    (images, channels, outputs, groups): Channels,
    axes: &[Axis],
    x: &[f64],
    w: &[f64],
) -> Vec<f64> {
    let axis = |place: usize| axes.get(place).copied().unwrap_or((1, 1, 1, (0, 0), 1));
    let all = [axis(0), axis(1), axis(2)];
    let wide = all.map(|(size, .., (low, high), _)| size + low + high);
    let mut padded = vec![0.0; images * channels * wide.iter().product::<usize>()];
    let mut next = x.iter();
    for image in 0..images * channels {
        for a in 0..all[0].0 {
            for b in 0..all[1].0 {
                for c in 0..all[2].0 {
                    let at = [a + all[0].3.0, b + all[1].3.0, c + all[2].3.0];
                    padded[((image * wide[0] + at[0]) * wide[1] + at[1]) * wide[2] + at[2]] =
                        *next.next().expect("as many as the shape says");
                }
            }
        }
    }
    let (inputs, each) = (channels / groups, outputs / groups);
    let (counts, taps) = (all.map(|axis| count(&axis)), all.map(|axis| axis.1));
    let mut y = Vec::new();
    for n in 0..images {
        for o in 0..outputs {
            for (p, q, r) in places(counts) {
                let mut sum = 0.0;
                for i in 0..inputs {
                    for (k, l, m) in places(taps) {
                        let at = [
                            p * all[0].2 + k * all[0].4,
                            q * all[1].2 + l * all[1].4,
                            r * all[2].2 + m * all[2].4,
                        ];
                        let image = n * channels + o / each * inputs + i;
                        sum += padded
                            [((image * wide[0] + at[0]) * wide[1] + at[1]) * wide[2] + at[2]]
                            * w[(((o * inputs + i) * taps[0] + k) * taps[1] + l) * taps[2] + m];
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

fn places(sizes: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..sizes[0])
        .flat_map(move |a| (0..sizes[1]).flat_map(move |b| (0..sizes[2]).map(move |c| (a, b, c))))
}

fn list(values: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    pullback::ops::join(values)
}

/// The model of a convolution with literal sizes.
fn text((images, channels, outputs, groups): Channels, axes: &[Axis]) -> String {
    let sizes = list(axes.iter().map(|axis| axis.0));
    let window = list(axes.iter().map(|axis| axis.1));
    format!(
        "param x: f64[{images}, {channels}, {sizes}]\nparam w: f64[{outputs}, {}, {window}]\n\
         y = conv(x, w, stride = [{}], padding = [{}], dilation = [{}], groups = {groups})\n",
        channels / groups,
        list(axes.iter().map(|axis| axis.2)),
        list(axes.iter().map(|axis| format!("[{}, {}]", axis.3.0, axis.3.1))),
        list(axes.iter().map(|axis| axis.4)),
    )
}

fn check_value(channels: Channels, axes: &[Axis]) {
    let text = text(channels, axes);
    let case = case(&text, &[]);
    let wanted = by_the_book(channels, axes, &case.numbers("x"), &case.numbers("w"));
    close(&case.value("y").to_f64(), &wanted, &text);
}

#[test]
fn all_combinations_have_their_values_and_gradients() {
    for stride in [1, 2, 3] {
        for padding in [(0, 0), (1, 1), (2, 0), (0, 1)] {
            for dilation in [1, 2] {
                for (channels, outputs, groups) in [(1, 2, 1), (2, 2, 2), (2, 4, 2), (4, 2, 2)] {
                    let size = (2, channels, outputs, groups);
                    let axis = (6, 3, stride, padding, dilation);
                    check_value(size, &[axis]);
                    check_value(size, &[axis, (4, 2, 1, (1, 0), 1)]);
                    check_value(size, &[(3, 2, 2, (0, 0), 1), axis, (3, 2, 1, (0, 1), 2)]);
                    let text = text((1, channels, outputs, groups), &[axis]);
                    check_gradient(&format!("{text}\nloss Total = sum(sin(y))\n"), &[]);
                }
            }
        }
    }
}

#[test]
fn derivatives_of_each_order_and_batches() {
    let rows: &[(Channels, &[Axis])] = &[
        ((2, 2, 3, 1), &[(4, 3, 1, (1, 1), 1)]),
        ((1, 2, 2, 2), &[(5, 2, 2, (2, 1), 2)]),
        ((2, 4, 2, 2), &[(4, 2, 3, (1, 0), 1)]),
        ((1, 2, 4, 2), &[(3, 2, 1, (0, 1), 1), (3, 1, 2, (0, 0), 1)]),
        ((1, 1, 2, 1), &[(3, 2, 2, (1, 0), 1), (3, 2, 1, (0, 0), 2)]),
        ((1, 1, 1, 1), &[(2, 2, 1, (0, 1), 1), (2, 1, 1, (0, 0), 1), (2, 2, 2, (1, 0), 1)]),
    ];
    for (channels, axes) in rows {
        check(&text(*channels, axes), &["x", "w"], &[]);
    }
}

#[test]
fn symbolic_sizes() {
    let head = "dim N, H, W, K = 3\nparam x: f64[N, 2, H, W]\nparam w: f64[2, 2, K, 2]\n";
    let dims = &[("N", 2), ("H", 4), ("W", 3)];
    for arguments in [
        "",
        ", padding = 1",
        ", stride = 2, padding = [1, 0]",
        ", padding = \"same\"",
        ", stride = [2, 1], padding = \"same\"",
        ", dilation = [1, 2]",
    ] {
        check(&format!("{head}y = conv(x, w{arguments})\n"), &["x", "w"], dims);
    }
    let depthwise = "dim N, C, H\nparam x: f64[N, C, H]\nparam w: f64[C, 1, 2]\n";
    check(
        &format!("{depthwise}y = conv(x, w, groups = C)\n"),
        &["x", "w"],
        &[("N", 2), ("C", 3), ("H", 4)],
    );
}

#[test]
fn names_and_same_sizes_are_kept() {
    let text = "dim N, O, H\ninput x: f64[N, 3, H, 8]\nparam w: f64[O, 3, 3, 3]\n\
                y = conv(x, w, padding = 1)\nz = conv(x, w, padding = \"same\", stride = 2)\noutput y\noutput z\n";
    let case = case(text, &[("N", 1), ("O", 2), ("H", 5)]);
    let ty = |name: &str| case.model.ty(case.model.named(name).expect("it is there")).to_string();
    assert_eq!(ty("y"), "f64[N, O, H, 8]");
    assert_eq!(ty("z"), "f64[N, O, floor((H + 1)/2), 4]");
    let printed = print(&case.model, Part::Whole).text;
    assert!(printed.contains("z = conv(x, w, stride = 2, padding = \"same\")"), "{printed}");
}

#[test]
fn adjoints_and_transposed_convolution() {
    let head = "param y0: f64[2, 4, 3]\nparam w: f64[4, 1, 3]\nparam x: f64[2, 2, 7]\n";
    check(
        &format!("{head}y = conv_input(y0, w, [7], stride = 2, groups = 2)\n"),
        &["y0", "w"],
        &[],
    );
    check(
        &format!("{head}y = conv_filter(x, y0, [3], stride = 2, groups = 2)\n"),
        &["x", "y0"],
        &[],
    );
    check(
        &format!(
            "{head}y = conv_transpose(y0, w, stride = 2, padding = 1, groups = 2, output_padding = 1)\n"
        ),
        &["y0", "w"],
        &[],
    );
    // Each element is laid out as the filter, two places further each.
    let case = case("input x: f64[1, 1, 2]\ninput w: f64[1, 1, 3]\ny = conv_transpose(x, w, stride = 2)\noutput y\n", &[])
        .set("x", &[1, 1, 2], &[1.0, 10.0])
        .set("w", &[1, 1, 3], &[1.0, 2.0, 3.0]);
    assert_eq!(case.value("y").to_f64(), [1.0, 2.0, 13.0, 20.0, 30.0]);
}

#[test]
fn infinities_beside_padding_stay_where_they_are() {
    let case = case(
        "input x: f64[1, 1, 3]\nparam w: f64[1, 1, 2]\ny = conv(x, w, padding = 1)\noutput y\n",
        &[],
    )
    .set("x", &[1, 1, 3], &[f64::INFINITY, 1.0, 2.0])
    .set("w", &[1, 1, 2], &[1.0, 1.0]);
    assert_eq!(case.value("y").to_f64(), [f64::INFINITY, f64::INFINITY, 3.0, 2.0]);
}

#[test]
fn no_printed_line_is_too_wide() {
    let text = include_str!("../../cases/models/c_conv_all_together/model.nn");
    let model = case(text, &[]).model;
    let request = default_request(&model).expect("there is a request");
    let derived = differentiate(&model, &[request], Level::Readable).expect("it is derived").model;
    let printed = print(&derived, Part::Whole);
    assert!(printed.widest <= 100, "{}", printed.text);
    check_gradient(text, &[]);
}
