//! How diagnostics look to people and to programs.

use proptest::prelude::*;
use pullback::diagnostic::{Diagnostic, Span, Style, json, render};

const RESNET: &str = "input x: f32[N, 64]\nparam W1: f32[64, 128]\nh = relu(x @ W1)\ny = h + x\n";

/// The span of the `nth` occurrence of `needle` in file `file`.
fn find(file: u16, text: &str, needle: &str, nth: usize) -> Span {
    let (start, found) = text.match_indices(needle).nth(nth).expect("the text has the needle");
    Span::new(file, start..start + found.len())
}

fn source(name: &str, text: &str) -> (String, String) {
    (name.to_string(), text.to_string())
}

fn resnet() -> Diagnostic {
    Diagnostic::error(
        "E0201",
        find(0, RESNET, "h + x", 0),
        "cannot add f32[N, 128] and f32[N, 64]: axis 1 differs",
    )
    .at("f32[N, 128] + f32[N, 64]")
    .label(find(0, RESNET, "64", 0), "64 comes from here")
    .label(find(0, RESNET, "128", 0), "128 comes from here, by `x @ W1` on line 3")
    .help("to keep the skip connection, project x first: `h + x @ Wskip` with `param Wskip: f32[64, 128]`")
}

fn plain(diagnostics: &[Diagnostic], sources: &[(String, String)]) -> String {
    render(diagnostics, sources, Style::Plain)
}

#[test]
fn shape_clash() {
    insta::assert_snapshot!(plain(&[resnet()], &[source("resnet.nn", RESNET)]));
}

#[test]
fn several_diagnostics() {
    let unknown = Diagnostic::error("E0101", find(0, RESNET, "relu", 0), "nothing is named `relu`");
    let unused =
        Diagnostic::warning("W0501", find(0, RESNET, "W1", 0), "`W1` never reaches the loss")
            .help("leave it out")
            .help("or mark it `frozen`");
    insta::assert_snapshot!(plain(&[unknown, unused], &[source("resnet.nn", RESNET)]));
}

#[test]
fn without_a_place() {
    let mut lost = Diagnostic::error("E0401", Span::default(), "digits.npz has no array `x`");
    lost.primary = None;
    let told = lost.clone().help("it has: images, labels");
    insta::assert_snapshot!(plain(&[lost, told], &[]));
}

#[test]
fn labels_in_several_files() {
    let main = "use \"net.nn\"\nloss C = net(x)\n";
    let net = "fn net(z: f32[N, 3]) = {\n  z @ z\n}\n";
    let diagnostic =
        Diagnostic::error("E0203", find(0, main, "net(x)", 0), "`net` wants f32[N, 3]")
            .at("x is f32[N, 4]")
            .label(find(1, net, "f32[N, 3]", 0), "wanted here")
            .label(find(7, net, "z", 0), "in a file that nobody gave");
    let sources = [source("main.nn", main), source("net.nn", net)];
    insta::assert_snapshot!(plain(&[diagnostic], &sources));
}

#[test]
fn end_of_the_text() {
    let at = |text: &str, range| {
        let diagnostic =
            Diagnostic::error("E0001", Span::new(0, range), "a `)` is missing").at("here");
        plain(&[diagnostic], &[source("end.nn", text)])
    };
    let cases = [
        at("y = (1 + 2\n", 11..11),
        at("y = (1 + 2\n", 10..11),
        at("y = (1 + 2", 10..10),
        at("y = (1 + 2\r\n", 10..12),
        at("", 0..0),
        at("y = (1", 400..500),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn tabs_and_wide_characters() {
    let text = "\tparam\t宽度: f32[3] # 注释\ny = 宽度 + é\n";
    let diagnostic = Diagnostic::error("E0101", find(0, text, "é", 0), "nothing is named `é`")
        .label(find(0, text, "宽度", 0), "seen")
        .label(find(0, text, "宽度", 1), "");
    insta::assert_snapshot!(plain(&[diagnostic], &[source("宽.nn", text)]));
}

#[test]
fn several_lines() {
    let text = "fn f(a, b) = {\r\n  c = a\r\n  d = b\r\n  c + d\r\n}\r\nloss L = f(1)\r\n";
    let diagnostic = Diagnostic::error("E0104", find(0, text, "f(1)", 0), "`f` takes 2 arguments")
        .at("1 given")
        .label(Span::new(0, 0..text.find("loss").expect("there is a loss")), "this is `f`");
    insta::assert_snapshot!(plain(&[diagnostic], &[source("f.nn", text)]));
}

#[test]
fn colours_change_nothing_but_colours() {
    let sources = [source("resnet.nn", RESNET)];
    let coloured = render(&[resnet()], &sources, Style::Colour);
    assert!(coloured.contains("\x1b[1m"));
    let mut bare = String::new();
    for (index, piece) in coloured.split('\x1b').enumerate() {
        let rest = if index == 0 { piece } else { piece.split_once('m').expect("an escape").1 };
        bare.push_str(rest);
    }
    assert_eq!(bare, plain(&[resnet()], &sources));
}

#[test]
fn for_programs() {
    let mut lost = Diagnostic::warning("W0501", Span::default(), "no place");
    lost.primary = None;
    let sources = [source("resnet.nn", RESNET)];
    insta::assert_snapshot!(format!("{}\n{}", json(&resnet(), &sources), json(&lost, &sources)));
}

fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\n",
        "\r\n",
        "\r",
        "\t",
        "宽",
        "é",
        "e\u{301}",
        "a b",
        "\0",
        "\u{200b}",
        "\u{1b}",
        "x",
        "👩‍👩‍👧",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

proptest! {
    #[test]
    fn any_span_of_any_text_is_shown(
        texts in prop::collection::vec(texts(), 0..3),
        labels in prop::collection::vec((0u16..3, 0u32..64, 0u32..64, "[a\n\t宽]{0,3}"), 1..5),
    ) {
        let sources: Vec<_> = texts.iter().map(|text| source("f.nn", text)).collect();
        let span = |&(file, start, end, _): &(u16, u32, u32, String)| Span { file, start, end };
        let mut diagnostic = Diagnostic::error("E0001", span(&labels[0]), "fact").at(&labels[0].3);
        for label in &labels[1..] {
            diagnostic = diagnostic.label(span(label), &label.3);
        }
        let shown = plain(std::slice::from_ref(&diagnostic), &sources);
        let told = json(&diagnostic, &sources);
        if let Some(line) = told["line"].as_u64() {
            let place = format!("f.nn:{line}:{}", told["column"]);
            prop_assert!(shown.contains(&place), "{place} in\n{shown}");
        }
        render(&[diagnostic], &sources, Style::Colour);
    }
}
