//! Any text gives a tree or diagnostics; any model survives `format`.

use super::{SAMPLES, checked, formatted};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        checked(&text);
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        checked(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_tokens_are_read(text in tokens()) {
        if checked(&text).is_empty() {
            formatted(&text);
        }
    }

    #[test]
    fn changed_models_are_read(text in changed()) {
        if checked(&text).is_empty() {
            formatted(&text);
        }
    }

    #[test]
    fn format_keeps_the_model(text in model()) {
        prop_assert_eq!(checked(&text), [], "in:\n{}", text);
        formatted(&text);
    }
}

const TOKENS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ":",
    "=",
    "~",
    "->",
    "..",
    ".",
    "'",
    "^",
    "@",
    "*",
    "/",
    "+",
    "-",
    "==",
    "<",
    "not",
    "and",
    "or",
    "as",
    "in",
    "for",
    "None",
    "dim",
    "input",
    "param",
    "state",
    "update",
    "const",
    "fn",
    "layer",
    "repeat",
    "scan",
    "loss",
    "output",
    "metric",
    "grad",
    "expect",
    "use",
    "train",
    "return",
    "yield",
    "x",
    "W",
    "l1.W",
    "f",
    "N",
    "vjp",
    "wrt",
    "reverse",
    "frozen",
    "symmetric",
    "keep",
    "f32",
    "let",
    "def",
    "model",
    "if",
    "12",
    "0.5",
    "1e-3",
    ".5",
    "5.",
    "2x",
    "\"s\"",
    "\"",
    "“",
    "”",
    "，",
    "（",
    "**",
    "&&",
    "!",
    "//",
    "# c",
    "\n",
    "\n",
    "\n  ",
    " ",
    "\t",
    "\r\n",
    "\\",
    "…",
    "²",
    "θ",
    "\u{feff}",
    "😀",
];

fn tokens() -> impl Strategy<Value = String> {
    prop::collection::vec((prop::sample::select(TOKENS), any::<bool>()), 0..60).prop_map(|words| {
        words
            .iter()
            .map(|(word, space)| format!("{word}{}", if *space { " " } else { "" }))
            .collect()
    })
}

/// A sample with a few pieces replaced by tokens or taken away.
fn changed() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), 0..12_usize, prop::sample::select(TOKENS));
    (prop::sample::select(SAMPLES), prop::collection::vec(change, 1..6)).prop_map(
        |(sample, changes)| {
            let mut chars: Vec<char> = sample.chars().collect();
            for (index, length, token) in changes {
                let at = index.index(chars.len());
                let end = (at + length).min(chars.len());
                chars.splice(at..end, token.chars());
            }
            chars.into_iter().collect()
        },
    )
}

/// A model of random statements in untidy layout.
fn model() -> impl Strategy<Value = String> {
    let gap = prop::sample::select(&["\n", "\n\n\n", ";", " # c\n", "\n# own\n", "\n\n # o\n\n"]);
    prop::collection::vec((statement(), gap), 0..8)
        .prop_map(|parts| parts.into_iter().map(|(statement, gap)| statement + gap).collect())
}

fn statement() -> impl Strategy<Value = String> {
    let e = || expr();
    prop_oneof![
        6 => (name(), e()).prop_map(|(n, e)| format!("{n}={e}")),
        1 => (name(), e()).prop_map(|(n, e)| format!("( {n} ,b)= {e}")),
        1 => e().prop_map(|e| format!("loss  C = {e}")),
        1 => (e(), e()).prop_map(|(a, b)| format!("expect ({a}) == ({b})")),
        1 => e().prop_map(|e| format!("param W,V : f32[ N,({e})*2 ] frozen= ({e})")),
        1 => e().prop_map(|e| format!("input x: f64 in [ ({e}) ,1)")),
        1 => e().prop_map(|e| format!("dim N, M =({e})*3 ")),
        1 => (e(), gap()).prop_map(|(e, g)| format!("fn f(x:f32[..], k={e})->f32[..]{{{g}return {e} {g}}}")),
        1 => (e(), gap()).prop_map(|(e, g)| format!("layer l[a..](x ;O ){{ y={e}{g};{g}return ({e}, y){g} }}")),
        1 => (e(), gap()).prop_map(|(e, g)| format!("train {{ lr={e}{g};{g} sgd(){g}}}")),
    ]
}

fn expr() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        name().prop_map(String::from),
        prop::sample::select(&["1", "0.5", "1e-3", "[]", "\"s, #\"", "l1.W", "grad(C, W)"])
            .prop_map(String::from),
    ];
    leaf.prop_recursive(6, 48, 4, |inner| {
        let i = || inner.clone();
        let infix = &["+", "-", "*", "/", "@", " and ", " or ", "==", "<", "^", "+\n", "* # after\n"];
        prop_oneof![
            4 => (i(), prop::sample::select(infix), i()).prop_map(|(a, op, b)| format!("({a}){op}({b})")),
            2 => (i(), prop::sample::select(&infix[..5]), i()).prop_map(|(a, op, b)| {
                match a.contains(['=', '<']) || a.contains("and") || a.contains("or")
                    || a.contains("not") || b.contains(['=', '<', '\n', ' ']) {
                    true => format!("({a}){op}({b})"),
                    false => format!("{a}{op}{b}"),
                }
            }),
            1 => i().prop_map(|a| format!("-({a})")),
            1 => i().prop_map(|a| format!("(not ({a}))")),
            1 => i().prop_map(|a| format!("({a})'")),
            1 => (i(), gap()).prop_map(|(a, g)| format!("({g}{a}{g})")),
            1 => (i(), i()).prop_map(|(a, b)| format!("({a})[{b}, :({a}):, .., None]")),
            1 => (i(), i(), gap()).prop_map(|(a, b, g)| format!("({a}) as [{g}{b}{g},]")),
            2 => (i(), i(), gap()).prop_map(|(a, b, g)| format!("f[K,-1]({a},{g}eps={b}{g})")),
            1 => (i(), i(), gap()).prop_map(|(a, b, g)| format!("f({a};{g}{b}) as l1")),
            2 => (i(), i(), gap()).prop_map(|(a, b, g)| format!("[{a}{g},{b},{g}]")),
            1 => (i(), i(), gap()).prop_map(|(a, b, g)| {
                format!("repeat ({a}) (h={b}){{{g}h=({a}){g};({b}){g}}} as r")
            }),
            1 => (i(), i(), gap()).prop_map(|(a, b, g)| {
                format!("scan t in ({a}) (h=({b}){g}) for u in {b} {{ {g}h={a}{g};yield ({b}),h{g} }}")
            }),
        ]
    })
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["x", "h", "W1", "a_rather_long_name_for_a_value", "θ"])
}

/// White space that may stand in brackets and blocks, with comments.
fn gap() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["", "", "", " ", "\n", " # g\n", "\n # own\n", "\n\n # far\n\n"])
}
