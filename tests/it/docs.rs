//! The pages of `docs` that are made of what the sources say.

use crate::command::root;
use pullback::cli::reference;
use pullback::ops::laws::LAWS;
use pullback::ops::stability::STABLE;
use pullback::passes::{stable_steps, structure_laws};

/// Where tables are made, between these lines.
const TABLE: [&str; 2] = ["<!-- made by tests/it/docs.rs: ", "<!-- end -->"];

#[test]
fn laws_are_listed() {
    let row = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let code = |text: &str| {
        format!("`{}`", text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|"))
    };
    let head = |cells: &[&str]| row(cells) + &row(&cells.iter().map(|_| "---").collect::<Vec<_>>());
    let mut stability = head(&["law", "written", "computed", "where"]);
    for law in STABLE.iter() {
        stability += &row(&[law.name, &code(law.text[0]), &code(law.text[1]), &law.condition()]);
    }
    for (name, text) in stable_steps() {
        let (left, right) = text.split_once(" => ").expect("two sides");
        stability += &row(&[name, &code(left), &code(right), "a law makes a logarithm stable"]);
    }
    let mut scalar = head(&["law", "derived", "printed"]);
    for law in LAWS.iter() {
        scalar += &row(&[law.name, &code(law.text[0]), &code(law.text[1])]);
    }
    let mut structure = head(&["law", "derived", "printed"]);
    for (name, text) in structure_laws() {
        let (left, right) = text.split_once(" => ").expect("two sides");
        structure += &row(&[name, &code(left), &code(right)]);
    }
    made("laws.md", &[("stability", stability), ("scalar", scalar), ("structure", structure)]);
}

/// Each operator and function has a page with all that belongs to it.
#[test]
fn operators_have_pages() {
    for name in reference::names() {
        let page = reference::page(name).expect("it has a name");
        let floats = page.contains("-> f32") || page.contains("-> f64");
        let gradient =
            page.contains("Gradient of") || page.lines().any(|line| line.ends_with("-> f64[3, 3]"));
        assert!(
            page.lines().any(|line| line.starts_with("    ") && line.contains(" -> ")),
            "{page}"
        );
        assert!(!floats || gradient || !page.contains(": f64"), "{page}");
    }
    made("operators.md", &[("operators", reference::document())]);
}

/// Fails where a page's tables are not these; with INSTA_UPDATE=always they are written.
fn made(page: &str, tables: &[(&str, String)]) {
    let path = root().join("docs").join(page);
    let old = std::fs::read_to_string(&path).expect("the page");
    let mut new = old.clone();
    for (name, table) in tables {
        let start = format!("{}{name} -->\n", TABLE[0]);
        let begin = new.find(&start).unwrap_or_else(|| panic!("{page} has a place for {name}"));
        let begin = begin + start.len();
        let end = begin + new[begin..].find(TABLE[1]).expect("the place ends");
        new.replace_range(begin..end, table);
    }
    if new != old && std::env::var("INSTA_UPDATE").is_ok_and(|mode| mode == "always") {
        std::fs::write(&path, &new).expect("it can be written");
        return;
    }
    assert!(old == new, "docs/{page} is not up to date: run this test with INSTA_UPDATE=always");
}
