//! Curves on a terminal, drawn with dots of braille, or with letters where there is only ASCII.

use super::bar::Look;
use crate::export::{Axis, Curve, Scale};
use unicode_width::UnicodeWidthStr;

/// Rows of the chart.
const HEIGHT: usize = 12;

/// The most columns of the chart, and the fewest.
const WIDEST: usize = 72;
const NARROWEST: usize = 16;

/// The letters of curves in ASCII, and the colours of curves.
const LETTERS: [char; 6] = ['*', 'o', '+', 'x', '#', '@'];
const COLOURS: [u8; 6] = [36, 33, 32, 35, 34, 31];

/// The curves, with the range of their values at the left and the names below. Values are spread by their logarithms where
/// the largest is more than 30 times the smallest.
///
/// Several curves in braille look alike without colours, and are drawn with letters.
pub fn chart(curves: &[Curve], x: &str, look: Look) -> String {
    let finite = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite();
    let points = || curves.iter().flat_map(|curve| curve.points.iter().filter(finite));
    if points().next().is_none() {
        return String::new();
    }
    let braille = look.unicode && (look.colour || curves.len() == 1);
    let fine = Axis::new(points().map(|point| point.1), Scale::Chosen, (0.0, 1.0));
    let labels = [&fine.ticks[0], &fine.ticks[fine.ticks.len() - 1]].map(|tick| tick.text.clone());
    let margin = labels.iter().map(String::len).max().unwrap_or(0);
    let columns = look.width.saturating_sub(margin + 3).clamp(NARROWEST, WIDEST);
    let dots = if braille { (2 * columns, 4 * HEIGHT) } else { (columns, HEIGHT) };
    let across =
        Axis::new(points().map(|point| point.0), Scale::Linear, (0.0, (dots.0 - 1) as f64));
    let up = Axis { to: ((dots.1 - 1) as f64, 0.0), ..fine };
    let mut canvas = Canvas { columns, braille, cells: vec![Cell::default(); columns * HEIGHT] };
    for (number, curve) in curves.iter().enumerate().rev() {
        let places: Vec<(f64, f64)> = curve
            .points
            .iter()
            .take_while(|point| finite(point))
            .map(|point| (across.place(point.0), up.place(point.1)))
            .collect();
        canvas.dot(places.first(), number);
        places.windows(2).for_each(|pair| canvas.line(pair[0], pair[1], number));
    }
    let mut text = String::new();
    for row in 0..HEIGHT {
        let label = match row {
            0 => &labels[1],
            _ if row == HEIGHT - 1 => &labels[0],
            _ => "",
        };
        let bar = if look.unicode { '│' } else { '|' };
        let line = canvas.row(row, look.colour);
        text += format!("{label:>margin$} {bar}{line}").trim_end();
        text.push('\n');
    }
    let last = &across.ticks[across.ticks.len() - 1].text;
    let first = &across.ticks[0].text;
    let blank = " ".repeat(columns.saturating_sub(first.len() + last.len() + x.width()) / 2);
    text += &format!("{:margin$}  {first}{blank}{x}{blank}{last}\n", "");
    text + &legend(curves, margin, braille, look)
}

/// The names of the curves, each with how it is drawn; nothing where there is only one.
fn legend(curves: &[Curve], margin: usize, braille: bool, look: Look) -> String {
    if curves.len() < 2 {
        return String::new();
    }
    let sign = |number: usize| match braille {
        true => "⠤⠤".to_string(),
        false => LETTERS[number % LETTERS.len()].to_string(),
    };
    let named = curves.iter().enumerate().filter(|(_, curve)| !curve.name.is_empty());
    let names: Vec<String> = named
        .map(|(number, curve)| format!("{} {}", coloured(&sign(number), number, look), curve.name))
        .collect();
    format!("{:margin$}  {}\n", "", names.join("   "))
}

fn coloured(text: &str, number: usize, look: Look) -> String {
    match look.colour {
        true => format!("\x1b[{}m{text}\x1b[0m", COLOURS[number % COLOURS.len()]),
        false => text.to_string(),
    }
}

/// A place of the chart: the dots of braille that are set, and the curve that set the last.
#[derive(Clone, Copy, Default)]
struct Cell {
    dots: u8,
    curve: usize,
}

struct Canvas {
    columns: usize,
    braille: bool,
    cells: Vec<Cell>,
}

impl Canvas {
    /// Sets a dot.
    fn dot(&mut self, at: Option<&(f64, f64)>, curve: usize) {
        let Some(&(x, y)) = at else { return };
        let (x, y) = (x.round() as usize, y.round() as usize);
        // The bits of braille: the left column from the top, the right one, then the lowest row.
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let (column, row, bit) = match self.braille {
            true => (x / 2, y / 4, BITS[y % 4][x % 2]),
            false => (x, y, 1),
        };
        if let Some(cell) = self.cells.get_mut(row * self.columns + column) {
            cell.dots |= bit;
            cell.curve = curve;
        }
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), curve: usize) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).ceil().max(1.0) as usize;
        for step in 0..=steps {
            let part = step as f64 / steps as f64;
            let between = |a: f64, b: f64| a + part * (b - a);
            self.dot(Some(&(between(from.0, to.0), between(from.1, to.1))), curve);
        }
    }

    fn row(&self, row: usize, colour: bool) -> String {
        let look = Look { width: self.columns, unicode: true, colour };
        let cells = &self.cells[row * self.columns..(row + 1) * self.columns];
        let shown = |cell: &Cell| match (cell.dots, self.braille) {
            (0, _) => " ".to_string(),
            (dots, true) => {
                let letter = char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ');
                coloured(&letter.to_string(), cell.curve, look)
            }
            (_, false) => {
                coloured(&LETTERS[cell.curve % LETTERS.len()].to_string(), cell.curve, look)
            }
        };
        cells.iter().map(shown).collect()
    }
}
