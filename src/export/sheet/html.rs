//! A page as one HTML file that needs no other.

use super::{Block, Line, Sheet, Shown};
use crate::export::formula::{html_words as words, mathml};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --soft: #5d6670; --line: #d9dee3; --mark: #b5522f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --paper: #15181b; --soft: #9aa4ad; --line: #343a40; --mark: #f0a07c; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
.place { color: var(--soft); margin: .25rem 0 0; font-family: ui-monospace, monospace; font-size: .875rem; }
.line { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1rem; margin: .35rem 0; padding: .25rem 0; overflow: auto hidden; }
.part { margin-left: 2.5rem; font-size: .95rem; }
.label { color: var(--mark); min-width: 6.5rem; font-size: .9rem; }
.remark { color: var(--soft); }
figure { margin: 1.5rem 0; overflow-x: auto; }
math { font-size: 1.1rem; }
mtd { padding: .2rem .4rem; text-align: right; }
pre { background: color-mix(in srgb, var(--ink) 6%, transparent); padding: .75rem 1rem; overflow-x: auto; }
";

/// The page as HTML, legible on light and dark screens.
pub fn html(sheet: &Sheet) -> String {
    let title = words(&sheet.title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
        sheet.lang
    );
    if !sheet.place.is_empty() {
        out += &format!("<p class=\"place\">{}</p>\n", words(&sheet.place));
    }
    for block in &sheet.blocks {
        out += &match block {
            Block::Heading(text) => format!("<h2>{}</h2>\n", words(text)),
            Block::Words(text) => format!("<p>{}</p>\n", words(text)),
            Block::Inside(text, depth) => format!("<p{}>{}</p>\n", indent(*depth), words(text)),
            Block::Code(lines) => {
                format!("<pre><code>{}</code></pre>\n", words(&lines.join("\n")))
            }
            Block::Picture(svg) => format!("<figure>{svg}</figure>\n"),
            Block::Line(line) => equation(line),
        };
    }
    out + "</main>\n</body>\n</html>\n"
}

/// So many steps further in.
fn indent(depth: usize) -> String {
    match depth {
        0 => String::new(),
        depth => format!(" style=\"padding-left: {}rem\"", 2.5 * depth as f64),
    }
}

fn equation(line: &Line) -> String {
    let class = if line.depth > 0 { "line part" } else { "line" };
    let indent = indent(line.depth.saturating_sub(1));
    let label = match line.label.is_empty() {
        true => String::new(),
        false => format!("<span class=\"label\">{}</span>", words(&line.label)),
    };
    let (value, said) = match &line.value {
        None => (String::new(), ""),
        Some(Shown::Number(text)) => (format!("<mo>=</mo><mn>{}</mn>", words(text)), ""),
        Some(Shown::Words(text)) => (String::new(), text.as_str()),
        Some(Shown::Rows(rows)) => {
            let cell = |cell: &String| format!("<mtd><mn>{}</mn></mtd>", words(cell.trim()));
            let row = |row: &Vec<String>| {
                format!("<mtr>{}</mtr>", row.iter().map(cell).collect::<String>())
            };
            let rows: String = rows.iter().map(row).collect();
            let table = format!("<mo>[</mo><mtable>{rows}</mtable><mo>]</mo>");
            (format!("<mo>=</mo><mrow>{table}</mrow>"), "")
        }
    };
    let remarks = [said, &line.remark].into_iter().filter(|remark| !remark.is_empty());
    let remarks: String =
        remarks.map(|remark| format!("<span class=\"remark\">{}</span>", words(remark))).collect();
    let formula = mathml(&line.formula);
    format!(
        "<div class=\"{class}\"{indent}>{label}<math display=\"inline\"><mstyle displaystyle=\"true\"><mrow>{formula}{value}</mrow>\
         </mstyle></math>{remarks}</div>\n"
    )
}
