//! The reverse network as a picture: derivatives from the output back, each with the amplifier that it passes.

use super::formula::{Formula, html_words as words, text};
use std::fmt::Write;

/// A derivative in the reverse network.
pub struct Node {
    /// What it is: `dC/dz2`.
    pub derivative: Formula,
    /// What it is computed by, the amplifier aside.
    pub value: Formula,
    /// The slope that it is multiplied by: `sigmoid'(z2)`.
    pub amplifier: Option<Formula>,
    /// Whether it was asked for.
    pub asked: bool,
    /// The places of those that it is computed of, which stand before it.
    pub from: Vec<usize>,
}

/// A box with its place in the picture.
struct Placed {
    column: usize,
    /// The width of box and amplifier.
    width: f64,
    x: f64,
    y: f64,
}

/// What a letter takes.
const LETTER: f64 = 7.3;
const HEIGHT: f64 = 46.0;
const GAP: f64 = 22.0;
const BETWEEN: f64 = 56.0;
const EDGE: f64 = 24.0;
/// The head above the picture.
const TOP: f64 = 56.0;
/// An amplifier is a triangle of this length.
const AMPLIFIER: f64 = 34.0;
/// Longer formulas are cut.
const MOST: usize = 60;

const STYLE: &str = "
  svg { --ink: #1b1f24; --paper: #ffffff; --soft: #5d6670; --adjoint: #fdf0ea; --line: #b5522f; --asked: #eaf2fb; --blue: #2f6db5; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e6e9ec; --paper: #15181b; --soft: #9aa4ad; --adjoint: #3a241a; --line: #f0a07c; --asked: #1a2a3d; --blue: #86b4ea; }
  }
  .paper { fill: var(--paper); }
  text { fill: var(--ink); font: 12px ui-monospace, monospace; }
  .title { font: 600 16px system-ui, sans-serif; }
  .soft { fill: var(--soft); font-size: 11px; }
  .box { fill: var(--adjoint); stroke: var(--line); }
  .asked { fill: var(--asked); stroke: var(--blue); stroke-width: 2; }
  .amplifier { fill: var(--line); stroke: var(--line); }
  .edge { fill: none; stroke: var(--soft); stroke-width: 1.3; marker-end: url(#tip); }
  .tip { fill: var(--soft); }
";

/// The network as an SVG file that needs no other, drawn from left to right: each node stands right of those that it is
/// computed of. A triangle before a box is its amplifier.
pub fn svg(title: &str, nodes: &[Node]) -> String {
    let placed = placed(nodes);
    let right = placed.iter().map(|place| place.x + place.width).fold(0.0, f64::max);
    let width = right.max(title.chars().count() as f64 * 9.5 + EDGE) + EDGE;
    let height = placed.iter().map(|place| place.y + HEIGHT).fold(TOP, f64::max) + EDGE;
    let title = words(title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\"><path class=\"tip\" d=\"M0,0 L8,4 L0,8 z\"/></marker></defs>\n\
         <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
         <text class=\"title\" x=\"{EDGE}\" y=\"32\">{title}</text>\n"
    );
    for (node, own) in nodes.iter().zip(&placed) {
        for from in node.from.iter().filter_map(|&from| placed.get(from)) {
            let (x0, y0) = (from.x + from.width, from.y + HEIGHT / 2.0);
            let (x1, y1) = (own.x, own.y + HEIGHT / 2.0);
            let middle = (x0 + x1) / 2.0;
            let _ = writeln!(
                out,
                "<path class=\"edge\" d=\"M{x0:.1},{y0:.1} C{middle:.1},{y0:.1} {middle:.1},{y1:.1} {x1:.1},{y1:.1}\"/>"
            );
        }
    }
    for (node, own) in nodes.iter().zip(&placed) {
        drawn(&mut out, node, own);
    }
    out + "</svg>\n"
}

fn drawn(out: &mut String, node: &Node, own: &Placed) {
    let shift = if node.amplifier.is_some() { AMPLIFIER } else { 0.0 };
    let (x, y) = (own.x + shift, own.y);
    if let Some(amplifier) = &node.amplifier {
        let (top, bottom) = (y + 7.0, y + HEIGHT - 7.0);
        let _ = writeln!(
            out,
            "<path class=\"amplifier\" d=\"M{:.1},{top:.1} L{x:.1},{:.1} L{:.1},{bottom:.1} z\"><title>{}</title></path>",
            own.x,
            y + HEIGHT / 2.0,
            own.x,
            words(&text(amplifier))
        );
    }
    let class = if node.asked { "box asked" } else { "box" };
    let (head, body) = said(node);
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{HEIGHT}\" rx=\"6\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\">{}</text>\n<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        own.width - shift,
        x + 10.0,
        y + 19.0,
        words(&head),
        x + 10.0,
        y + 36.0,
        words(&body)
    );
}

/// The two lines in a box.
fn said(node: &Node) -> (String, String) {
    let right = match &node.amplifier {
        Some(amplifier) if node.value == Formula::Number("1".into()) => amplifier.clone(),
        Some(amplifier) => Formula::infix("*", amplifier.clone(), node.value.clone()),
        None => node.value.clone(),
    };
    let value = format!("= {}", text(&right));
    let body = match value.chars().count() > MOST {
        true => value.chars().take(MOST - 3).chain("...".chars()).collect(),
        false => value,
    };
    (text(&node.derivative), body)
}

/// The places: each node one column behind the last that it is computed of, in a column beside those.
fn placed(nodes: &[Node]) -> Vec<Placed> {
    let mut placed: Vec<Placed> = Vec::new();
    for node in nodes {
        let before = node.from.iter().filter_map(|&from| placed.get(from));
        let column = before.map(|place| place.column + 1).max().unwrap_or(0);
        let (head, body) = said(node);
        let letters = head.chars().count().max(body.chars().count()) as f64;
        let amplifier = if node.amplifier.is_some() { AMPLIFIER } else { 0.0 };
        placed.push(Placed { column, width: letters * LETTER + 20.0 + amplifier, x: 0.0, y: 0.0 });
    }
    let columns = placed.iter().map(|place| place.column + 1).max().unwrap_or(0);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); columns];
    placed.iter().enumerate().for_each(|(number, place)| members[place.column].push(number));
    let tallest = members.iter().map(Vec::len).max().unwrap_or(0) as f64;
    let mut x = EDGE;
    for column in &mut members {
        let height = |placed: &[Placed], number: usize| {
            let from = nodes[number].from.iter().filter_map(|&from| placed.get(from));
            let heights: Vec<f64> = from.map(|place| place.y).collect();
            heights.iter().sum::<f64>() / heights.len().max(1) as f64
        };
        column.sort_by(|&a, &b| height(&placed, a).total_cmp(&height(&placed, b)));
        let free = (tallest - column.len() as f64) * (HEIGHT + GAP) / 2.0;
        for (number, &member) in column.iter().enumerate() {
            placed[member].x = x;
            placed[member].y = TOP + free + number as f64 * (HEIGHT + GAP);
        }
        let widest = column.iter().map(|&member| placed[member].width).fold(0.0, f64::max);
        x += widest + BETWEEN;
    }
    placed
}
