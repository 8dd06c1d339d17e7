//! Curves as a picture: SVG for light and dark surroundings.

use super::axis::{Axis, Scale};
use std::fmt::Write;

/// Curves over a common axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plot {
    /// What stands above.
    pub title: String,
    /// What the horizontal axis counts.
    pub x: String,
    /// What the vertical axis measures.
    pub y: String,
    /// The curves; the earlier ones lie above the later ones.
    pub curves: Vec<Curve>,
}

/// A curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The name that stands at its end; empty for none.
    pub name: String,
    /// Its points from left to right. The first that is not finite, or far above the others, ends it with a cross.
    pub points: Vec<(f64, f64)>,
    /// The number of its colour; curves that belong together share one.
    pub colour: usize,
    /// Whether it is dashed and thin.
    pub is_faint: bool,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 74.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 58.0;

/// The size of letters, and the most that the width of one is of it.
const FONT: f64 = 13.0;
const LETTER: f64 = 0.6;

/// The most letters of a name.
const LONGEST: usize = 32;

/// Colours that people with colour-blindness tell apart too, on white and on black.
const COLOURS: [(&str, &str); 8] = [
    ("#0067a5", "#5cb3f0"),
    ("#c04a00", "#ff9248"),
    ("#00805c", "#3fcf9f"),
    ("#a3458b", "#e89ad3"),
    ("#8a6d00", "#e3c34a"),
    ("#5a4fb5", "#a9a0ff"),
    ("#a11d33", "#ff8296"),
    ("#555555", "#bbbbbb"),
];

/// The picture. The vertical axis is logarithmic where values are above 0 and the largest is more than 30 times the smallest.
/// It ends above the start of most curves: one that rises far beyond ends at its upper edge.
pub fn plot(plot: &Plot) -> String {
    let names: Vec<String> = plot.curves.iter().map(|curve| shortened(&curve.name)).collect();
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let right = WIDTH - 24.0 - longest as f64 * FONT * LETTER;
    let bottom = HEIGHT - BOTTOM;
    let most = most(plot);
    let points = || plot.curves.iter().flat_map(|curve| &curve.points);
    let seen = points().map(|point| point.1).filter(|y| *y <= most);
    let x = Axis::new(points().map(|point| point.0), Scale::Linear, (LEFT, right));
    let y = Axis::new(seen, Scale::Chosen, (bottom, TOP));
    let mut svg = head(plot);
    for tick in &y.ticks {
        let (at, text) = (y.place(tick.value), &tick.text);
        let _ = writeln!(svg, r#"<path class="grid" d="M{LEFT:.1} {at:.1}H{right:.1}"/>"#);
        let (beside, on) = (LEFT - 8.0, at + 4.5);
        let _ =
            writeln!(svg, r#"<text x="{beside:.1}" y="{on:.1}" text-anchor="end">{text}</text>"#);
    }
    for tick in &x.ticks {
        let (at, text) = (x.place(tick.value), &tick.text);
        let _ = writeln!(svg, r#"<path class="axis" d="M{at:.1} {bottom:.1}v5"/>"#);
        let below = bottom + 20.0;
        let _ =
            writeln!(svg, r#"<text x="{at:.1}" y="{below:.1}" text-anchor="middle">{text}</text>"#);
    }
    let _ = writeln!(svg, r#"<path class="axis" d="M{LEFT:.1} {bottom:.1}H{right:.1}"/>"#);
    labels(&mut svg, plot, right);
    let drawn: Vec<Drawn> = plot.curves.iter().map(|curve| drawn(curve, &x, &y)).collect();
    for (curve, drawn) in plot.curves.iter().zip(&drawn).rev() {
        line(&mut svg, curve, drawn);
    }
    let ends = plot.curves.iter().zip(&names).zip(&drawn);
    let ends =
        ends.filter(|((_, name), _)| !name.is_empty()).filter_map(|((curve, name), drawn)| {
            let at = *drawn.points.last()?;
            Some(End { at, y: at.1, colour: curve.colour % COLOURS.len(), name: escaped(name) })
        });
    ended(&mut svg, ends.collect(), right);
    svg + "</svg>\n"
}

/// The largest value that the picture has room for: ten times that at which the middle one of the curves begins.
fn most(plot: &Plot) -> f64 {
    let begin = |curve: &Curve| curve.points.first().map(|point| point.1);
    let mut begins: Vec<f64> = plot.curves.iter().filter_map(begin).collect();
    begins.retain(|begin| begin.is_finite());
    begins.sort_by(f64::total_cmp);
    match begins.get(begins.len().saturating_sub(1) / 2) {
        Some(&begin) if begin > 0.0 => 10.0 * begin,
        _ => f64::INFINITY,
    }
}

/// The start of the picture, with its colours.
fn head(plot: &Plot) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"{FONT}\">\n<title>{}</title>\n<style>\n",
        escaped(&plot.title)
    );
    svg +=
        "path { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round }\n";
    svg += ".faint { stroke-width: 1.3; stroke-dasharray: 5 4 }\n";
    svg += ".grid, .axis, .lead { stroke-width: 1 }\n.lead { opacity: .6 }\n";
    svg += ".title { font-size: 15px; font-weight: 600 }\n";
    let colours = |svg: &mut String, dark: bool| {
        let (paper, ink, grid, axis) = match dark {
            false => ("#ffffff", "#222222", "#e3e3e3", "#777777"),
            true => ("#14171a", "#dddddd", "#30353b", "#8a9097"),
        };
        let _ = writeln!(svg, ".paper {{ fill: {paper} }}\ntext {{ fill: {ink} }}");
        let _ = writeln!(svg, ".grid {{ stroke: {grid} }}\n.axis {{ stroke: {axis} }}");
        for (number, colour) in COLOURS.iter().enumerate() {
            let colour = if dark { colour.1 } else { colour.0 };
            let _ =
                writeln!(svg, ".c{number} {{ stroke: {colour} }}\n.t{number} {{ fill: {colour} }}");
        }
    };
    colours(&mut svg, false);
    svg += "@media (prefers-color-scheme: dark) {\n";
    colours(&mut svg, true);
    let _ = write!(
        svg,
        "}}\n</style>\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n"
    );
    svg
}

/// The title and what the axes are.
fn labels(svg: &mut String, plot: &Plot, right: f64) {
    let middle = (LEFT + right) / 2.0;
    let (title, x, y) = (escaped(&plot.title), escaped(&plot.x), escaped(&plot.y));
    let _ = writeln!(svg, r#"<text class="title" x="{LEFT:.1}" y="26">{title}</text>"#);
    let below = HEIGHT - 14.0;
    let _ =
        writeln!(svg, r#"<text x="{middle:.1}" y="{below:.1}" text-anchor="middle">{x}</text>"#);
    let beside = (TOP + HEIGHT - BOTTOM) / 2.0;
    let _ = writeln!(
        svg,
        r#"<text transform="translate(18 {beside:.1}) rotate(-90)" text-anchor="middle">{y}</text>"#
    );
}

/// What is seen of a curve, in places of the picture.
struct Drawn {
    points: Vec<(f64, f64)>,
    /// Whether the curve goes on where nothing is seen of it.
    is_lost: bool,
}

/// The points up to the first that has no place; where that is above, the line ends at the upper edge.
fn drawn(curve: &Curve, x: &Axis, y: &Axis) -> Drawn {
    let mut points = Vec::new();
    for &(a, b) in &curve.points {
        if x.has(a) && y.has(b) {
            points.push((x.place(a), y.place(b)));
            continue;
        }
        if x.has(a) && b > y.from.1 {
            points.push((x.place(a), y.to.1));
        }
        return Drawn { points, is_lost: true };
    }
    Drawn { points, is_lost: false }
}

/// The line of a curve; a cross where it is lost.
fn line(svg: &mut String, curve: &Curve, drawn: &Drawn) {
    let Some(&(a, b)) = drawn.points.last() else { return };
    let colour = curve.colour % COLOURS.len();
    let faint = if curve.is_faint { " faint" } else { "" };
    let mut path = String::new();
    for (number, (a, b)) in thinned(&drawn.points).into_iter().enumerate() {
        let pen = if number == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{pen}{a:.1} {b:.1}");
    }
    if drawn.points.len() == 1 {
        path += "h0";
    }
    let _ = writeln!(svg, r#"<path class="c{colour}{faint}" d="{path}"/>"#);
    if drawn.is_lost {
        let (a, b) = (a - 4.0, b - 4.0);
        let _ = writeln!(svg, r#"<path class="c{colour}" d="M{a:.1} {b:.1}l8 8m0 -8l-8 8"/>"#);
    }
}

/// The names of the curves at their right ends, one below the other where the ends are close.
fn ended(svg: &mut String, mut ends: Vec<End>, right: f64) {
    ends.sort_by(|one, other| one.at.1.total_cmp(&other.at.1));
    apart(&mut ends);
    for End { at: (a, b), y, colour, name } in ends {
        if (y - b).abs() > 3.0 || right - a > 8.0 {
            let (from, to) = (a + 6.0, right + 8.0);
            let _ = writeln!(
                svg,
                r#"<path class="lead c{colour}" d="M{from:.1} {b:.1}L{to:.1} {y:.1}"/>"#
            );
        }
        let (beside, on) = (right + 12.0, y + 4.5);
        let _ =
            writeln!(svg, r#"<text class="t{colour}" x="{beside:.1}" y="{on:.1}">{name}</text>"#);
    }
}

/// The right end of a curve and where its name stands.
struct End {
    at: (f64, f64),
    y: f64,
    colour: usize,
    name: String,
}

/// Moves names, from top to bottom, until no two overlap and all are within the picture.
fn apart(ends: &mut [End]) {
    let step = FONT + 3.0;
    let mut free = TOP;
    for end in ends.iter_mut() {
        end.y = end.y.max(free);
        free = end.y + step;
    }
    let mut free = HEIGHT - BOTTOM;
    for end in ends.iter_mut().rev() {
        end.y = end.y.min(free);
        free = end.y - step;
    }
}

/// At most a thousand or so of the points: of each stretch the lowest and the highest.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const MOST: usize = 1000;
    if points.len() <= MOST {
        return points.to_vec();
    }
    let mut kept = vec![points[0]];
    for stretch in points[1..points.len() - 1].chunks(points.len().div_ceil(MOST / 2)) {
        let by = |one: &&(f64, f64), other: &&(f64, f64)| one.1.total_cmp(&other.1);
        let (low, high) = (stretch.iter().min_by(by), stretch.iter().max_by(by));
        let mut both: Vec<(f64, f64)> = low.into_iter().chain(high).copied().collect();
        both.sort_by(|one, other| one.0.total_cmp(&other.0));
        kept.extend(both);
    }
    kept.push(points[points.len() - 1]);
    kept
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_string(),
    }
}

fn escaped(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.collect::<String>().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
