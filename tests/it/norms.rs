//! Layers that differ between training and evaluation: batch normalisation with its running statistics.

use crate::command::run_with;
use serde_json::Value;

/// What `eval` says in JSON with these arguments.
fn eval(text: &str, args: &[&str]) -> Value {
    let ran = run_with(text, &[&["eval", "-", "--json", "--updates"], args].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).expect("JSON")
}

fn agree(found: &Value, wanted: &[f64]) {
    let found: Vec<f64> = found["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|value| value.as_f64().expect("a number"))
        .collect();
    assert_eq!(found.len(), wanted.len());
    for (a, b) in found.iter().zip(wanted) {
        assert!((a - b).abs() < 1e-12 * b.abs().max(1.0), "{found:?}, not {wanted:?}");
    }
}

/// Mean and population variance of each of two channels; element `i` belongs to channel `of(i)`.
fn statistics(x: &[f64], of: impl Fn(usize) -> usize) -> ([f64; 2], [f64; 2]) {
    let channel = |c: usize| (0..x.len()).filter(|i| of(*i) == c).map(|i| x[i]).collect::<Vec<_>>();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let means = [0, 1].map(|c| mean(&channel(c)));
    let square = |c: usize| channel(c).iter().map(|v| v * v).collect::<Vec<_>>();
    (means, [0, 1].map(|c| mean(&square(c)) - means[c].powi(2)))
}

#[test]
fn batch_normalisation() {
    let x: Vec<f64> = (0..12).map(|i| f64::from(i * i % 7) - 0.5 * f64::from(i)).collect();
    // The shape, the numbers as they are written, and the channel of an element.
    type Form = (&'static str, usize, fn(usize) -> usize);
    let forms: [Form; 3] =
        [("[6, 2]", 6, |i| i % 2), ("[3, 2, 2]", 3, |i| i / 2 % 2), ("[1, 2, 3, 2]", 1, |i| i / 6)];
    for (shape, _, of) in forms {
        let text = format!(
            "input x: f64[12]
             y = BatchNorm(reshape(x, {shape})) as bn
             w = BatchNorm(reshape(x, {shape}), momentum = 1/4, eps = 1) as wide
             output y
             output w
             loss C = sum(y^3)"
        );
        let data = format!("x={x:?}");
        let given = ["--set", &data, "--set", "bn.g=[2, 3]", "--set", "bn.b=[0.5, -1]"];
        let ((mean, variance), g, b) = (statistics(&x, of), [2.0, 3.0], [0.5, -1.0]);
        let through = |mean: [f64; 2], variance: [f64; 2], eps: f64, own: bool| -> Vec<f64> {
            let place = |i: usize| {
                let c = of(i);
                let unit = (x[i] - mean[c]) / (variance[c] + eps).sqrt();
                if own { g[c] * unit + b[c] } else { unit }
            };
            (0..12).map(place).collect()
        };
        let trained = eval(&text, &[&given[..], &["--training"]].concat());
        agree(&trained["values"]["y"], &through(mean, variance, 1e-5, true));
        agree(&trained["values"]["w"], &through(mean, variance, 1.0, false));
        agree(&trained["states"]["bn.mu"], &mean.map(|m| 0.1 * m));
        agree(&trained["states"]["bn.sigma2"], &variance.map(|v| 0.9 + 0.1 * v));
        agree(&trained["states"]["wide.mu"], &mean.map(|m| m / 4.0));

        let kept = ["--set", "bn.mu=[1, -2]", "--set", "bn.sigma2=[4, 0.25]"];
        let still = eval(&text, &[&given[..], &kept[..]].concat());
        agree(&still["values"]["y"], &through([1.0, -2.0], [4.0, 0.25], 1e-5, true));
        agree(&still["states"]["bn.mu"], &[1.0, -2.0]);
        agree(&still["states"]["bn.sigma2"], &[4.0, 0.25]);

        for mode in [&["--training"][..], &[]] {
            let args = [&["verify", "-", "--wrt", "x,bn.g,bn.b", "-q"], &given[..], mode].concat();
            let ran = run_with(&text, &args);
            assert_eq!(ran.code, Some(0), "{shape} {mode:?}: {}{}", ran.stdout, ran.stderr);
        }
    }
}

/// The same seed draws the same numbers in the model, in its printed gradient, and where other statements stand around.
#[test]
fn printed_draws() {
    let text = "dim N = 4
        layer noisy(x: f64[.., I]; O) -> f64[.., O] {
          param W: f64[I, O] ~ glorot()
          return dropout(x @ W + normal(N, O), 0.5)
        }
        input x: f64[N, 3]
        y = repeat 2 (h = x) { noisy(h; 3) } as blocks
        z = noisy(y; 2) as last
        loss C = sum(z^2)";
    let data = ["--set", "x=randn", "--training", "--seed", "9"];
    let one = eval(text, &[&data[..], &["--grad"]].concat());
    let whole = run_with(text, &["grad", "-", "--full", "-q"]).stdout;
    let two = eval(&whole, &data);
    for name in ["blocks.0.W", "blocks.1.W", "last.W"] {
        let printed = &two["values"][format!("d_{name}")]["data"];
        assert_eq!(one["grads"][name]["data"], *printed, "{whole}");
        let zeros = printed.as_array().expect("a list").iter().filter(|v| v.as_f64() == Some(0.0));
        assert!(zeros.count() < 9, "{whole}");
    }
    assert!(
        whole.contains("key = \"blocks.0.0\"") && whole.contains("key = \"last.1\""),
        "{whole}"
    );
    assert_eq!(
        one["values"]["C"],
        eval(&format!("{text}\noutput o = normal(5)"), &data)["values"]["C"]
    );
    assert_ne!(one["values"]["C"], eval(text, &["--set", "x=randn", "--training"])["values"]["C"]);
}
