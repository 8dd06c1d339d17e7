//! Derivations step by step: their numbers, and their forms for every model.

use crate::command::{root, run, run_with};

/// The example of the slides: the second weight of the first neuron.
const SLIDES: &[&str] = &["--set", "x=[[1, -1]]", "--set", "t=[[1, 0]]"];

fn explain(args: &[&str]) -> String {
    let ran = run(&[&["explain"], args].concat());
    assert_eq!(ran.code, Some(0), "{args:?}\n{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

#[test]
fn the_weight_of_the_slides() {
    let text = explain(&[&["examples/lecture3.nn", "W1[0,1]"], SLIDES].concat());
    let lines = [
        "  dz1[0, 0]/dW1[0, 1] = x[0, 1]                          = -1",
        "  output layer   dC/dz3 = (y - t) * sigmoid'(z3)",
        "      y - t                      = [-0.382295   0.829124]",
        "      sigmoid'(z3) = y * (1 - y) = [0.236146  0.141677]",
        "      dC/dz3                     = [-0.090277   0.117468]",
        "  hidden layer   dC/dz2 = sigmoid'(z2) * (dC/dz3 @ W3)",
        "      dC/dz3 @ W3                  = [-0.38830   0.56015]",
        "      sigmoid'(z2) = a2 * (1 - a2) = [0.117854  0.098475]",
        "      dC/dz2                       = [-0.0457629   0.0551606]",
        "  hidden layer   dC/dz1 = sigmoid'(z1) * (dC/dz2 @ W2)",
        "  dC/dW1[0, 1] = dz1[0, 0]/dW1[0, 1] * dC/dz1[0, 0] = -1 * -0.00356516 = 0.00356516",
        "  nudge check   (C(w + 1e-5) - C(w - 1e-5)) / 2e-5       = 0.00356516   ok",
    ];
    let mut at = 0;
    for line in lines {
        let found = text[at..].find(&format!("{line}\n"));
        at += found.unwrap_or_else(|| panic!("{line}\nis not in order in\n{text}"));
    }
    insta::assert_snapshot!("weight_of_lecture3", text);
}

/// Models with what is asked of them.
const MODELS: &[(&str, &str, &[&str])] = &[
    (
        "layer_norm",
        "dim N, D\ninput x, t: f64[N, D]\nparam W: f64[D, D]\nparam g: f64[D] = 1\nparam b: f64[D] = 0\n\
         h = x @ W\ny = layer_norm(h, g, b)\nloss C = mean((y - t)^2)\n",
        &[],
    ),
    (
        "embedding",
        "dim N, T, D = 2, V = 5\ninput token: i64[N, T] in [0, V)\nparam E: f64[V, D]\nparam W: f64[D, D]\n\
         h = mean[T](E[token])\nloss C = sum(tanh(h @ W)^2)\n",
        &[
            "E[2, 1]",
            "--set",
            "token=[[2, 1], [2, 2]]",
            "--set",
            "E=randn",
            "--set",
            "W=[[1, -1], [0.5, 2]]",
        ],
    ),
    (
        "concat",
        "dim N\ninput x: f64[N, 4]\nparam A, B: f64[4, 3]\nparam W: f64[6, 2]\n\
         a = x @ A\nb = x @ B\nc = concat[1]([a, b])\nloss C = sum(tanh(c @ W)^2)\n",
        &[],
    ),
    (
        "weight_decay",
        "dim N, D\ninput x: f64[N, D]\ninput y: f64[N]\nparam w: f64[D]\n\
         z = x @ w\nloss C = mean((z - y)^2) + 0.1 * sum(w^2)\n",
        &["w[1]", "--set", "x=[[1, 2], [3, -1]]", "--set", "y=[0, 1]", "--set", "w=[0.5, -0.5]"],
    ),
    (
        "second_output",
        "dim N, D\ninput x: f64[N, D]\nparam w, v: f64[D]\na = x @ w\nb = sigmoid(x @ v)\n\
         output first = mean(a^2)\noutput second = mean(a * b)\n",
        &["b", "--of", "second"],
    ),
];

#[test]
fn derivations() {
    let names = ["lecture3", "attention", "lenet", "vae", "lstm", "logistic", "gmm", "pinn"];
    for name in names {
        let text = explain(&[&format!("examples/{name}.nn")]);
        insta::assert_snapshot!(format!("derivation_of_{name}"), text);
    }
    for (name, text, args) in MODELS {
        let ran = run_with(text, &[&["explain", "-", "-q"], *args].concat());
        assert_eq!(ran.code, Some(0), "{name}\n{}{}", ran.stdout, ran.stderr);
        insta::assert_snapshot!(format!("derivation_of_{name}"), ran.stdout);
    }
    let slides = [&["examples/lecture3.nn", "W2"], SLIDES].concat();
    for (form, lang) in [("text", "zh"), ("latex", "zh"), ("html", "en")] {
        let text = explain(&[&slides, &["--to", form, "--lang", lang][..]].concat());
        insta::assert_snapshot!(format!("W2_of_lecture3_{form}_{lang}"), text);
    }
}

#[test]
fn every_example_in_every_form() {
    let examples = std::fs::read_dir(root().join("examples")).expect("the folder");
    let names = examples.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut count = 0;
    for name in names.filter(|name| name.ends_with(".nn")) {
        let file = format!("examples/{name}");
        balanced(&explain(&[&file, "--to", "latex", "--lang", "zh"]));
        well_formed(&explain(&[&file, "--to", "html"]));
        count += 1;
    }
    assert!(count > 10);
}

/// Formulas of all kinds, with what one variable is given.
const FORMULAS: &[(&str, &[&str])] = &[
    ("x^2 + 3*x", &["x", "--set", "x=2"]),
    ("param x: f64[3]; sum(x * exp(-x))", &["x[1]", "--set", "x=[1, 2, 3]"]),
    (
        "dim N, D; input x: f64[N, D]; param w: f64[D]; input y: f64[N]; p = sigmoid(x @ w); z = p * p; mean[N]((z - y)^2) + sum(w^2)",
        &["w[1]", "--set", "x=[[1, 2], [3, -1]]", "--set", "w=[0.5, -0.25]", "--set", "y=[1, 0]"],
    ),
    (
        "dim N, D; input label: i64[N]; param E: f64[5, D]; sum(tanh(E[label]))",
        &["E[2, 0]", "--dim", "D=2", "--set", "label=[2, 2, 1]", "--set", "E=randn"],
    ),
    (
        "input x: f64[1, 1, 4, 4]; param k: f64[1, 1, 2, 2]; h = relu(conv(x, k)); sum(max_pool(h, 2)^2)",
        &["k[0, 0, 1, 0]", "--set", "x=randn", "--set", "k=randn"],
    ),
    (
        "param s: f64[2, 2] symmetric; input x: f64[2]; h = s @ x; sum(h^3)",
        &["s[0, 1]", "--set", "s=[[1, 2], [2, -1]]", "--set", "x=[1, 2]"],
    ),
    ("param x: f64; u = sin(x); v = u * x; v / u + u", &["u", "--set", "x=0.7"]),
    (
        "dim T; input x: f64[T]; param a: f64; h = scan t in T (h = 0) for xt in x { h = tanh(a * h + xt) }; h^2",
        &["a", "--set", "a=0.5", "--set", "x=[1, -1, 2]"],
    ),
];

#[test]
fn products_are_what_differences_say() {
    for (formula, args) in FORMULAS {
        let args = [&["-e", formula, "--json", "-q"][..], args].concat();
        let document: serde_json::Value =
            serde_json::from_str(&explain(&args)).expect("a document");
        let goal = &document["goals"][0];
        let number = |value: &serde_json::Value| value.as_f64().expect("a number");
        let (derived, measured) = (number(&goal["derived"]), number(&goal["nudge"]["measured"]));
        assert_eq!(goal["nudge"]["kink"], false, "{document}");
        assert!((derived - measured).abs() < 1e-5 * derived.abs().max(1e-2), "{document}");
        assert!(derived != 0.0, "{document}");
    }
}

#[test]
fn what_is_no_derivative_is_said() {
    let relu = explain(&["-e", "relu(x)", "x", "--set", "x=0", "-q"]);
    assert!(relu.contains("a kink: the slopes to both sides differ"), "{relu}");
    let held = explain(&["-e", "x * stop_gradient(x)", "x", "--set", "x=3", "-q"]);
    assert!(held.contains("= 3   ok, what `stop_gradient` holds standing still"), "{held}");
    let apart = "param w: f64; param v: f64; loss C = v^2\n";
    let apart = run_with(apart, &["explain", "-", "w", "-q"]).stdout;
    assert!(apart.contains("C does not depend on w: the derivative is 0"), "{apart}");
    let cut = "param w: f64[3]; loss C = sum(f64(argmax(w)))\n";
    let cut = run_with(cut, &["explain", "-", "w", "-q"]).stdout;
    assert!(cut.contains("`argmax`, which has no derivative"), "{cut}");
    let own = "param w: f64; loss C = w^2\n";
    assert!(run_with(own, &["explain", "-", "C", "-q"]).stdout.contains("C moves with itself"));
}

#[test]
fn requests_that_cannot_be_met() {
    let wrong: &[&[&str]] = &[
        &["absent.nn"],
        &["examples/lecture.nn", "W9"],
        &["examples/lecture.nn", "W1[0]"],
        &["examples/lecture.nn", "W1[0, x]"],
        &["examples/lecture.nn", "W1[-1, 0]"],
        &["examples/lecture.nn", "*[0]"],
        &["examples/digits.nn", "label"],
        &["examples/lecture3.nn", "W1[7, 0]", "--set", "x=[[1, -1]]", "--set", "t=[[1, 0]]"],
        &["examples/lecture3.nn", "--set", "x=[[1, -1]]"],
        &["examples/lecture3.nn", "-o", "out.pdf"],
        &["-e", "x^2", "x", "y"],
        &["-e", "param w: f64; output a = w^2; output b = w^3", "w"],
        &["E0999"],
        &[],
    ];
    for args in wrong {
        let ran = run(&[&["explain"], *args].concat());
        assert_eq!(ran.code, Some(2), "{args:?}\n{}{}", ran.stdout, ran.stderr);
        assert!(!ran.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn equations_of_gradients() {
    let latex = run(&["grad", "examples/lecture.nn", "--to", "latex"]).stdout;
    insta::assert_snapshot!("equations_of_lecture", latex);
    for file in ["examples/pinn.nn", "examples/gmm.nn"] {
        for verb in ["grad", "graph"] {
            let latex = run(&[verb, file, "--to", "latex"]).stdout;
            balanced(&latex);
            assert!(latex.contains("\\begin{align*}"), "{latex}");
        }
    }
    // Side by side matrices hold together more tightly than elements multiplied.
    let product = "param a: f64[3]; param b: f64[3]; param w: f64[3]; loss C = (a * b) @ w + sum(a * (b @ w))\n";
    let latex = run_with(product, &["graph", "-", "--to", "latex"]).stdout;
    assert!(latex.contains("\\left(a \\odot b\\right) \\, w"), "{latex}");
    assert!(latex.contains("a \\odot b \\, w"), "{latex}");
}

#[test]
fn reverse_networks() {
    for name in ["lecture3", "pinn", "lstm", "digits"] {
        let file = format!("examples/{name}.nn");
        let drawn = run(&["grad", &file, "--to", "svg"]).stdout;
        well_formed(&drawn);
        let amplifiers = drawn.matches("class=\"amplifier\"").count();
        let expected = [("lecture3", 3), ("pinn", 2), ("lstm", 4), ("digits", 1)];
        assert!(expected.contains(&(name, amplifiers)), "{name}: {amplifiers} in {drawn}");
        well_formed(&run(&["grad", &file, "--to", "html"]).stdout);
    }
    assert_eq!(run(&["graph", "examples/lecture.nn", "--to", "svg"]).code, Some(2));
    assert_eq!(run(&["grad", "-e", "x^3", "--order", "2", "--to", "svg"]).code, Some(2));
}

/// Names that mean something in the forms are letters there.
#[test]
fn names_are_escaped() {
    let text =
        "param a_b: f64; param mu: f64; param l1_W_x: f64; loss C = exp(a_b) * mu + l1_W_x^2\n";
    let latex = run_with(text, &["explain", "-", "--to", "latex"]).stdout;
    balanced(&latex);
    assert!(latex.contains("\\mu") && latex.contains("a_{b}"), "{latex}");
    let html = run_with(text, &["explain", "-", "--to", "html"]).stdout;
    well_formed(&html);
    assert!(html.contains("<mi>μ</mi>"), "{html}");
}

/// Many variables, and a long way.
#[test]
fn large_models() {
    let names: Vec<String> = (0..300).map(|number| format!("w{number}")).collect();
    let declared: String = names.iter().map(|name| format!("param {name}: f64\n")).collect();
    let wide = format!("{declared}t = {}\nloss C = t^2\n", names.join(" * "));
    let wide = run_with(&wide, &["explain", "-", "-q"]);
    assert!(wide.stdout.contains("other values is left out"), "{}", wide.stdout);
    let chain = (1..500).map(|number| format!("t{number} = sin(t{})\n", number - 1));
    let chain = format!("param t0: f64\n{}loss C = t499\n", chain.collect::<String>());
    let chain = run_with(&chain, &["explain", "-", "t0", "-q", "--set", "t0=0.5"]).stdout;
    assert!(chain.ends_with("ok\n"), "{chain}");
}

/// Fails unless braces, environments and large parentheses close.
pub fn balanced(latex: &str) {
    let mut depth = 0i32;
    let mut letters = latex.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        assert!(depth >= 0, "{latex}");
    }
    assert_eq!(depth, 0, "{latex}");
    let count = |word: &str| latex.matches(word).count();
    assert_eq!(count("\\begin{"), count("\\end{"), "{latex}");
    assert_eq!(count("\\left"), count("\\right"), "{latex}");
}

/// Fails unless every element closes where it should, and letters with a meaning are written out.
pub fn well_formed(html: &str) {
    let body = html.strip_prefix("<!DOCTYPE html>").unwrap_or(html);
    let body = &body.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    assert!(!body.contains("<script") && !body.contains("http"), "it needs nothing else");
    let mut open: Vec<&str> = Vec::new();
    let mut rest = body.as_str();
    while let Some(at) = rest.find('<') {
        let (text, tag) = rest.split_at(at);
        for entity in text.split('&').skip(1) {
            assert!(entity.contains(';'), "{entity}");
        }
        let end = tag.find('>').expect("a tag ends");
        let inner = &tag[1..end];
        assert!(inner.matches('"').count() % 2 == 0, "{inner}");
        let name = inner.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        assert!(name.chars().all(char::is_alphanumeric) && !name.is_empty(), "{inner}");
        match (inner.starts_with('/'), inner.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name), "{rest}"),
            (false, false) => open.push(name),
            (false, true) => {}
        }
        rest = &tag[end + 1..];
    }
    assert!(open.is_empty(), "{open:?}");
}
