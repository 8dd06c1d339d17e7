//! Pieces of text to lines: where lines end, how far they are indented, what is aligned.

use std::borrow::Cow;

/// The last column of a line that can be broken.
const WIDTH: usize = 100;
/// The columns by which what is inside a group is indented.
const INDENT: usize = 2;

/// A piece of a text whose lines have not been chosen.
pub enum Piece<'a> {
    /// Text without line ends.
    Text(Cow<'a, str>),
    /// A place where a line may end.
    Break(Break<'a>),
    /// The start of a group: its breaks are taken all or none, with `fill` each for itself.
    Begin {
        /// A break is taken only where what follows does not fit.
        fill: bool,
    },
    /// The end of a group.
    End,
    /// The place in a declaration that is aligned with the lines above and below.
    Mark,
}

/// A place where a line may end.
#[derive(Default)]
pub struct Break<'a> {
    /// What stands here if the line goes on.
    pub flat: &'static str,
    /// The comments that stand here; any of them ends the line.
    pub remarks: Vec<Remark<'a>>,
    /// The line ends here.
    pub forced: bool,
    /// An empty line follows.
    pub blank: bool,
    /// The next line is indented as the first line of the group.
    pub back: bool,
}

/// A comment.
pub struct Remark<'a> {
    /// From its `#`.
    pub text: &'a str,
    /// Nothing stands before it on its line.
    pub own_line: bool,
    /// An empty line stands before it.
    pub blank: bool,
}

/// The text with its lines chosen.
pub fn lines(pieces: &[Piece]) -> String {
    let mut lines = broken(pieces);
    align(
        &mut lines,
        |line| line.mark,
        |line, mark, pad| {
            line.text.insert_str(mark, &" ".repeat(pad));
        },
    );
    let ends = |line: &Line| line.remark.as_ref().map(|_| line.text.len());
    align(&mut lines, ends, |line, _, pad| line.text.push_str(&" ".repeat(pad)));
    let mut text = String::new();
    for line in lines {
        if line.blank && !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line.text);
        if let Some(remark) = line.remark {
            text.push_str("  ");
            text.push_str(&remark);
        }
        text.push('\n');
    }
    text
}

/// The text on one line, without comments.
pub fn one_line(pieces: &[Piece]) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => text.to_string(),
        Piece::Break(piece) => piece.flat.to_string(),
        _ => String::new(),
    };
    pieces.iter().map(text).collect()
}

#[derive(Default)]
struct Line {
    text: String,
    indent: usize,
    mark: Option<usize>,
    remark: Option<String>,
    blank: bool,
}

#[derive(Clone, Copy)]
struct Group {
    fill: bool,
    broken: bool,
    indent: usize,
    outside: usize,
}

/// Chooses where lines end.
fn broken(pieces: &[Piece]) -> Vec<Line> {
    let measured = measure(pieces);
    let mut lines: Vec<Line> = Vec::new();
    let mut line = Line::default();
    let mut column = 0;
    let mut groups = vec![Group { fill: false, broken: true, indent: 0, outside: 0 }];
    for (at, piece) in pieces.iter().enumerate() {
        let group = groups[groups.len() - 1];
        match piece {
            Piece::Text(text) => {
                column += width(text);
                line.text.push_str(text);
            }
            Piece::Begin { fill } => {
                let broken = group.broken && column + measured[at] > WIDTH;
                let (indent, outside) = (line.indent + INDENT, line.indent);
                groups.push(Group { fill: *fill, broken, indent, outside });
            }
            Piece::End => drop(groups.pop()),
            Piece::Mark if group.broken => line.mark = Some(line.text.len()),
            Piece::Mark => {}
            Piece::Break(piece) => {
                let ends = piece.forced || !piece.remarks.is_empty();
                if ends || (group.broken && (!group.fill || column + measured[at] > WIDTH)) {
                    let indent = if piece.back { group.outside } else { group.indent };
                    end_line(piece, &group, &mut line, &mut lines);
                    lines.push(std::mem::take(&mut line));
                    line.text = " ".repeat(indent);
                    (line.indent, line.blank, column) = (indent, piece.blank, indent);
                } else {
                    line.text.push_str(piece.flat);
                    column += piece.flat.len();
                }
            }
        }
    }
    lines.push(line);
    lines.retain(|line| !line.text.trim().is_empty() || line.remark.is_some());
    lines
}

/// Puts the comments of a break on the line and below it.
fn end_line(piece: &Break, group: &Group, line: &mut Line, lines: &mut Vec<Line>) {
    for remark in &piece.remarks {
        let free = line.remark.is_none() && !line.text.trim_start().starts_with('#');
        if !remark.own_line && free && !line.text.trim().is_empty() {
            line.remark = Some(remark.text.into());
            continue;
        }
        lines.push(std::mem::take(line));
        line.text = format!("{}{}", " ".repeat(group.indent), remark.text);
        line.blank = remark.blank;
    }
}

/// For a group the columns up to the first place after it where the line can end, or too many
/// if a line must end within; for a break the columns up to the next break of its group.
fn measure(pieces: &[Piece]) -> Vec<usize> {
    let mut measured = vec![0; pieces.len()];
    let mut sum = 0;
    let mut sums = Vec::with_capacity(pieces.len() + 1);
    for piece in pieces {
        sums.push(sum);
        sum += match piece {
            Piece::Text(text) => width(text),
            Piece::Break(piece) => piece.flat.len(),
            _ => 0,
        };
    }
    sums.push(sum);
    let (mut next_break, mut next_forced) = (pieces.len(), pieces.len());
    let mut ends: Vec<(usize, usize, usize)> = vec![(pieces.len(), pieces.len(), pieces.len())];
    for (at, piece) in pieces.iter().enumerate().rev() {
        match piece {
            Piece::End => ends.push((at, next_break, next_break)),
            Piece::Begin { .. } => {
                let (end, after, _) = ends.pop().unwrap_or((at, at, at));
                let fits = next_forced > end;
                measured[at] = if fits { sums[after] - sums[at] } else { 10 * WIDTH };
            }
            Piece::Break(piece) => {
                let top = ends.len() - 1;
                let next = ends[top].2.min(next_forced);
                measured[at] = sums[next] - sums[at];
                ends[top].2 = at;
                next_break = at;
                if piece.forced || !piece.remarks.is_empty() {
                    next_forced = at;
                }
            }
            _ => {}
        }
    }
    measured
}

/// Pads neighbouring lines so that their `place`s stand in one column.
fn align(
    lines: &mut [Line],
    place: impl Fn(&Line) -> Option<usize>,
    pad: impl Fn(&mut Line, usize, usize),
) {
    let together = |a: &Line, b: &Line| {
        place(a).is_some() && place(b).is_some() && a.indent == b.indent && !b.blank
    };
    for run in lines.chunk_by_mut(together) {
        let column = |line: &Line| place(line).map_or(0, |at| width(&line.text[..at]));
        let right = run.iter().map(&column).max().unwrap_or(0);
        let total = |line: &Line| {
            right - column(line)
                + width(&line.text)
                + line.remark.as_ref().map_or(0, |r| 2 + width(r))
        };
        if run.iter().any(|line| total(line) > WIDTH) {
            continue;
        }
        for line in run {
            let missing = right - column(line);
            if let Some(at) = place(line) {
                pad(line, at, missing);
            }
        }
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}
