//! A page as a fragment of a LaTeX document.

use super::{Block, Line, Sheet, Shown};
use crate::export::formula::{latex as formula, latex_words as words};

/// The page as a fragment for documents with amsmath, with ctex where its words are Chinese.
pub fn latex(sheet: &Sheet) -> String {
    let needed = if sheet.lang == "zh" { "amsmath, ctex" } else { "amsmath" };
    let mut out = format!("% \\usepackage{{{needed}}}\n");
    let place = if sheet.place.is_empty() {
        String::new()
    } else {
        format!(" \\hfill \\texttt{{{}}}", words(&sheet.place))
    };
    out += &format!("\\paragraph{{{}}}{place}\n", words(&sheet.title));
    for block in &sheet.blocks {
        match block {
            Block::Heading(text) => out += &format!("\n\\subparagraph{{{}}}\n", words(text)),
            Block::Words(text) | Block::Inside(text, _) => out += &format!("\n{}\n", words(text)),
            Block::Code(lines) => {
                out += &format!("\\begin{{verbatim}}\n{}\n\\end{{verbatim}}\n", lines.join("\n"));
            }
            Block::Picture(_) => {}
            Block::Line(line) => out += &equation(line),
        }
    }
    out
}

fn equation(line: &Line) -> String {
    let value = match &line.value {
        None => String::new(),
        Some(Shown::Number(text)) => format!(" = {text}"),
        Some(Shown::Words(text)) => format!(" \\quad \\text{{({})}}", words(text)),
        Some(Shown::Rows(rows)) => {
            let columns = "r".repeat(rows.iter().map(Vec::len).max().unwrap_or(0));
            let cell = |cell: &String| cell.trim().replace("...", "\\cdots");
            let row = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(" & ");
            let rows: Vec<String> = rows.iter().map(row).collect();
            format!(
                " = \\left[\\begin{{array}}{{{columns}}} {} \\end{{array}}\\right]",
                rows.join(" \\\\ ")
            )
        }
    };
    let remark = match line.remark.is_empty() {
        true => String::new(),
        false => format!(" \\quad \\text{{{}}}", words(&line.remark)),
    };
    let tag = match line.label.is_empty() {
        true => String::new(),
        false => format!(" \\tag*{{{}}}", words(&line.label)),
    };
    let sides = line.formula.sides();
    let text = match sides.as_slice() {
        [first, rest @ ..] if rest.len() > 1 => {
            let rest = rest.iter().map(|side| format!("&= {}", formula(side)));
            let rest = rest.collect::<Vec<_>>().join(" \\\\ ");
            let end = format!("{value}{remark}");
            return format!(
                "\\begin{{equation*}}\n\\begin{{split}}\n{} {rest}{end}\n\\end{{split}}{tag}\n\\end{{equation*}}\n",
                formula(first)
            );
        }
        _ => formula(&line.formula),
    };
    format!("\\begin{{equation*}}\n{text}{value}{remark}{tag}\n\\end{{equation*}}\n")
}
