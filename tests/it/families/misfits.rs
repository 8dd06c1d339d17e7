//! What is said where arguments do not suit.

use super::{case, said};
use pullback::exec::reference::run;

const HEAD: &str = "dim N\ninput x: f64[N, 3, 8, 4]\ninput w: f64[4, 3, 3, 3]\n\
                    input v: f64[4, 1, 3, 3]\ninput a: f64[2, 3]\ninput s: f64[3, 3]\ninput b: f64[4]\n";

#[test]
fn messages() {
    let rows: &[(&str, &str)] = &[
        ("conv(x, v)", "E0201: `conv`: 3 channels where the filters take 1"),
        ("conv(x, v, groups = 3)", "E0201: `conv`: 4 channels do not divide into 3 groups"),
        ("conv(x, w, dilation = [1, 2])", "E0201: a window of 5 does not fit an axis of size 4"),
        (
            "conv(x[:, :, :1], w, padding = [[0, 1], [0, 0]])",
            "E0201: a window of 3 does not fit an axis of size 1 with padding 0 and 1",
        ),
        ("conv(x, w[0])", "E0202: `conv` of f64[N, 3, 8, 4] and f64[3, 3, 3]: ranks differ"),
        ("conv(x, a)", "E0202: `conv` takes one or more spatial axes; this is f64[2, 3]"),
        ("conv(x, w, stride = 0)", "E0207: `stride` is 0 and has to be at least 1"),
        ("conv(x, w, stride = N)", "E0207: `stride` of `conv` is a number, not the size N"),
        ("conv(x, w, stride = [1, 2, 1])", "E0207: `conv` has 2 spatial axes; `stride` is for 3"),
        (
            "conv(x, w, padding = \"full\")",
            "E0207: `padding` is numbers, \"same\" or \"valid\", not \"full\"",
        ),
        ("conv(x, w, padding = -1)", "E0207: `padding` is -1 and -1 and has to be at least 0"),
        ("conv(x, w, padding = [[1, 1]])", "E0207: `conv` has 2 spatial axes; `padding` is for 1"),
        ("conv(x, w, groups = 0)", "E0207: `groups` is 0 and has to be at least 1"),
        (
            "conv(x, f32(w))",
            "E0206: `conv` of f64[N, 3, 8, 4] and f32[4, 3, 3, 3]: element types differ",
        ),
        ("conv(i64(x), i64(w))", "E0206: `conv` takes floats; this is i64"),
        ("conv_input(x, w, [9, 9])", "E0201: `conv_input`: 3 channels where the filters give 4"),
        (
            "conv_filter(x, x, [3, 3])",
            "E0201: `conv_filter`: an axis of size 8 has 6 windows where 8 are given",
        ),
        (
            "conv_transpose(x, v, output_padding = 1)",
            "E0207: `output_padding` is 1 and has to be below the stride, 1",
        ),
        ("max_pool(x, [9, 1])", "E0201: a window of 9 does not fit an axis of size 8"),
        ("max_pool(x, [2, 2], padding = 2)", "E0201: padding of 2 and 2 leaves windows of 2 empty"),
        ("avg_pool(b, 2)", "E0202: `avg_pool` takes one or more spatial axes; this is f64[4]"),
        ("avg_pool(b, [2, 2])", "E0202: `avg_pool` has windows along 2 axes of f64[4]"),
        (
            "avg_pool(x, [2, 2], count_pad = 1)",
            "E0206: `count_pad` of `avg_pool` is `true` or `false`",
        ),
        ("topk(x, 5)", "E0207: `topk` takes 5 of an axis of size 4"),
        ("sort[7](x)", "E0209: f64[N, 3, 8, 4] has no axis 7"),
        ("inverse(a)", "E0201: `inverse` takes square matrices; this is f64[2, 3]"),
        ("solve(s, b)", "E0201: `solve` of f64[3, 3] and f64[4]: axis 0 differs"),
        ("solve(s, w)", "E0202: `solve` of f64[3, 3] and f64[4, 3, 3, 3]: ranks differ"),
        (
            "solve(s, s, lower = true, upper = true)",
            "E0207: `solve` reads the lower or the upper triangle",
        ),
    ];
    for (call, wanted) in rows {
        let found = said(&format!("{HEAD}y = {call}\noutput y\n"));
        assert_eq!(found.lines().next(), Some(*wanted), "{call}");
    }
}

#[test]
fn what_only_the_run_shows() {
    let rows: &[(&str, &str)] = &[
        ("conv(x, w, groups = 2)", "2 and 3 channels do not divide into 2 groups"),
        ("conv(x[:, 0:1], z)", "a window of 3 does not fit an axis of size 2"),
    ];
    for (call, wanted) in rows {
        let text = format!(
            "dim N, O\ninput x: f64[1, 2, N]\ninput w: f64[O, 1, 1]\ninput z: f64[1, 1, 3]\ny = {call}\noutput y\n"
        );
        let case = case(&text, &[("N", 2), ("O", 3)]);
        let node = case.model.named("y").expect("y is there");
        let error = run(&case.model, &[node], &case.values, &case.bindings).expect_err(call);
        assert_eq!(error.to_string(), *wanted);
    }
}
