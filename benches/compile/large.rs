//! Models of any size, as texts.

/// The text of a model for a number of operators.
pub type Text = fn(usize) -> String;

/// The names of the kinds with their texts.
pub const KINDS: &[(&str, Text)] = &[
    ("chain", chain),
    ("lines", lines),
    ("sum", sum),
    ("params", params),
    ("layers", layers),
    ("residual", residual),
    ("scans", scans),
];

/// A straight line over a vector, each operator on a line of its own.
pub fn chain(operators: usize) -> String {
    let mut text = String::from("param x: f32[16] = 0.5\nv0 = x\nv1 = x * 0.5\n");
    for i in 2..operators {
        let (a, b) = (i - 1, i - 2);
        text += &match i % 5 {
            0 => format!("v{i} = sin(v{a})\n"),
            1 => format!("v{i} = v{a} + x\n"),
            2 => format!("v{i} = tanh(v{a})\n"),
            3 => format!("v{i} = v{a} * v{b}\n"),
            _ => format!("v{i} = v{a} - v{b}\n"),
        };
    }
    text + &format!("loss C = sum(v{})\n", operators - 1)
}

/// Numbers, two operators on a line.
pub fn lines(operators: usize) -> String {
    let mut text = String::from("param x: f64 = 0.3\na0 = x\n");
    for i in 1..=operators / 2 {
        let factor = if i % 3 == 0 { "0.99" } else { "x" };
        text += &format!("a{i} = sin(a{}) * {factor}\n", i - 1);
    }
    text + &format!("loss C = a{}\n", operators / 2)
}

/// One long expression.
pub fn sum(operators: usize) -> String {
    let mut text = String::from("param x: f64 = 0.3\nparam y: f64 = 0.7\nloss C = x");
    for i in 0..operators / 2 {
        text += &match i % 4 {
            0 => format!(" + x * {}", i % 97),
            1 => " - sin(y)".to_string(),
            2 => format!(" + y / {}", i % 89 + 1),
            _ => " - x * y".to_string(),
        };
    }
    text + "\n"
}

/// Many parameters.
pub fn params(operators: usize) -> String {
    let mut text = String::from("dim N = 32\n");
    let mut terms: Vec<String> = Vec::new();
    for i in 0..operators / 4 {
        text += &format!("param p{i}: f32[N] = {}\n", 1 + i % 7);
        terms.push(format!("sum(p{i}^2 * {})", 1 + i % 5));
    }
    text + "loss C = " + &terms.join(" + ") + "\n"
}

/// Layers that are unrolled.
pub fn layers(operators: usize) -> String {
    format!(
        "dim N = 4, D = 4
param x: f32[N, D] = 0.5
layer dense(x: f32[.., I]; O) -> f32[.., O] {{
  param W: f32[I, O] ~ glorot(); param b: f32[O] = 0; return x @ W + b
}}
h = repeat {} (h = x) {{ tanh(dense(h; 4)) }} as blocks
loss C = mean(h^2)
",
        operators / 4
    )
}

/// Layers that each add to what came before.
pub fn residual(operators: usize) -> String {
    let mut text = String::from("dim N = 4, D = 4\nparam h0: f32[N, D] = 0.5\n");
    let layers = operators / 6;
    for i in 1..=layers {
        text += &format!("param W{i}: f32[D, D] ~ glorot()\nparam b{i}: f32[D] = 0\n");
        text += &format!("h{i} = h{0} + tanh(h{0} @ W{i} + b{i})\n", i - 1);
    }
    text + &format!("loss C = mean(h{layers}^2)\n")
}

/// Loops one after the other.
pub fn scans(operators: usize) -> String {
    let mut text = String::from("dim T = 3\nparam x: f64 = 0.5\ny0 = x\n");
    let loops = operators / 8;
    for i in 1..=loops {
        text += &format!("y{i} = scan t in T (h = y{}) {{ h = tanh(h * x) }}\n", i - 1);
    }
    text + &format!("loss C = y{loops}\n")
}
