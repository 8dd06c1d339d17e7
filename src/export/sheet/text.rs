//! A page as plain text.

use super::{Block, Line, Sheet, Shown};
use crate::export::formula;

/// Where the place stands, and where values do.
const PLACE: usize = 64;
const VALUE: usize = 57;

/// Parts of a line are at least so wide.
const PART: usize = 17;

/// The page as text, each line ended.
pub fn text(sheet: &Sheet) -> String {
    let mut out = format!("{}{}", padded(&sheet.title, PLACE - 2), "  ") + &sheet.place;
    out.truncate(out.trim_end().len());
    out.push('\n');
    for (number, block) in sheet.blocks.iter().enumerate() {
        match block {
            Block::Heading(words) => out += &format!("\n{words}\n"),
            Block::Words(words) => out += &format!("  {words}\n"),
            Block::Code(lines) => lines.iter().for_each(|line| out += &format!("      {line}\n")),
            Block::Line(line) if line.inner => {
                let run = run(&sheet.blocks, number);
                let width = run.iter().map(|line| wide(&formula::text(&line.formula))).max();
                out += &part(line, width.unwrap_or(0).max(PART) - 1);
            }
            Block::Line(line) => out += &outer(line),
        }
    }
    out
}

/// The parts that stand together with that of this number.
fn run(blocks: &[Block], number: usize) -> Vec<&Line> {
    fn part(block: &Block) -> Option<&Line> {
        match block {
            Block::Line(line) if line.inner => Some(line),
            _ => None,
        }
    }
    let before = blocks[..number].iter().rev().map_while(part);
    let behind = blocks[number..].iter().map_while(part);
    before.chain(behind).filter(|line| line.value.is_some()).collect()
}

fn outer(line: &Line) -> String {
    let label =
        if line.label.is_empty() { String::new() } else { format!("{}   ", line.label) };
    ended(format!("  {label}{}", formula::text(&line.formula)), VALUE, line)
}

fn part(line: &Line, width: usize) -> String {
    ended(format!("      {}", formula::text(&line.formula)), 6 + width + 1, line)
}

/// The text with value and remark, the value from that column on.
fn ended(text: String, column: usize, line: &Line) -> String {
    let mut out = text;
    if let Some(value) = &line.value {
        out = padded(&out, column) + if wide(&out) >= column { " = " } else { "= " };
        let indent = " ".repeat(wide(&out));
        match value {
            Shown::Number(text) | Shown::Words(text) => out += text,
            Shown::Rows(rows) => {
                let rows: Vec<String> =
                    rows.iter().map(|row| format!("[{}]", row.join("  "))).collect();
                out += &rows.join(&format!("\n{indent}"));
            }
        }
    }
    if !line.remark.is_empty() {
        out += &format!("   {}", line.remark);
    }
    out + "\n"
}

/// Columns of a terminal: letters of Chinese take two.
fn wide(text: &str) -> usize {
    text.chars().map(|letter| if ('\u{2e80}'..='\u{ffef}').contains(&letter) { 2 } else { 1 }).sum()
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(wide(text))))
}
