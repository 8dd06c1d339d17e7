//! A page as plain text.

use super::{Block, Line, Sheet, Shown};
use crate::export::formula;

/// Where the place stands, and where values do.
const PLACE: usize = 64;
const VALUE: usize = 57;

/// Wider chains of equalities go on below.
const WIDTH: usize = 100;

/// Parts of a line are at least so wide.
const PART: usize = 17;

/// The page as text, each line ended.
pub fn text(sheet: &Sheet) -> String {
    let mut out = format!("{}{}", padded(&sheet.title, PLACE - 2), "  ") + &sheet.place;
    out.truncate(out.trim_end().len());
    out.push('\n');
    let labels = labels(&sheet.blocks);
    for (number, block) in sheet.blocks.iter().enumerate() {
        match block {
            Block::Heading(words) => out += &format!("\n{words}\n"),
            Block::Words(words) => out += &format!("  {words}\n"),
            Block::Inside(words, depth) => out += &format!("{}{words}\n", indent(*depth)),
            Block::Code(lines) => lines.iter().for_each(|line| out += &format!("      {line}\n")),
            Block::Picture(_) => {}
            Block::Line(line) if line.depth > 0 => {
                let run = run(&sheet.blocks, number);
                let width = run.iter().map(|line| wide(&formula::text(&line.formula))).max();
                out += &part(line, (width.unwrap_or(0) + 1).max(PART));
            }
            Block::Line(line) => out += &outer(line, labels[number]),
        }
    }
    out
}

/// The parts that stand together with that of this number.
fn run(blocks: &[Block], number: usize) -> Vec<&Line> {
    let Block::Line(own) = &blocks[number] else { return Vec::new() };
    let beside = |block: &&Block| matches!(block, Block::Line(line) if line.depth == own.depth);
    let before = blocks[..number].iter().rev().take_while(beside);
    let behind = blocks[number..].iter().take_while(beside);
    let lines = before.chain(behind).filter_map(|block| match block {
        Block::Line(line) => Some(line),
        _ => None,
    });
    lines.filter(|line| line.value.is_some()).collect()
}

/// For each block the width of the widest label of its section.
fn labels(blocks: &[Block]) -> Vec<usize> {
    let mut widths = Vec::new();
    for section in blocks.chunk_by(|_, next| !matches!(next, Block::Heading(_))) {
        let label = |block: &Block| match block {
            Block::Line(line) if line.depth == 0 => wide(&line.label),
            _ => 0,
        };
        let widest = section.iter().map(label).max().unwrap_or(0);
        widths.extend(section.iter().map(|_| widest));
    }
    widths
}

fn outer(line: &Line, labels: usize) -> String {
    let label = match line.label.is_empty() {
        true => "  ".into(),
        false => format!("  {}   ", padded(&line.label, labels)),
    };
    let text = format!("{label}{}", formula::text(&line.formula));
    let sides = line.formula.sides();
    if wide(&text) <= WIDTH || sides.len() < 3 {
        return ended(text, VALUE, line);
    }
    let first = format!("{label}{}", formula::text(sides[0]));
    let indent = " ".repeat(wide(&first));
    let rest = sides[1..].iter().map(|side| format!(" = {}", formula::text(side)));
    ended(first + &rest.collect::<Vec<_>>().join(&format!("\n{indent}")), VALUE, line)
}

fn part(line: &Line, width: usize) -> String {
    let label = if line.label.is_empty() { String::new() } else { format!("{}:  ", line.label) };
    let indent = indent(line.depth);
    ended(format!("{indent}{label}{}", formula::text(&line.formula)), indent.len() + width, line)
}

/// So many steps further in.
fn indent(depth: usize) -> String {
    " ".repeat(2 + 4 * depth)
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
