//! The line that a terminal shows of a training, drawn again and again in its place.

use super::{Status, epoch, figure, numbers, rate, short, time};
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Its columns.
    pub width: usize,
    /// Whether it has more than ASCII.
    pub unicode: bool,
    /// Whether it has colours.
    pub colour: bool,
}

/// The columns of the bar itself.
const BAR: usize = 20;

/// The line, in less than the columns of the terminal: what tells least is left out first.
pub fn bar(status: &Status, look: Look) -> String {
    let room = look.width.saturating_sub(1);
    let left = status.left.map(|left| format!("{} left", time(left)));
    let speed = status.rate.map(rate);
    let loss = || vec![format!("loss {}", short(status.loss))];
    let parts = |bar: usize, numbers: Vec<String>, rest: [Option<&String>; 2]| {
        let mut parts = vec![epoch(status)];
        parts.extend((bar > 0).then(|| " ".repeat(bar)));
        parts.extend(numbers);
        parts.extend(rest.into_iter().flatten().cloned());
        parts
    };
    let mut few = loss();
    few.extend(status.metrics.first().map(figure));
    let forms = [
        (BAR, parts(BAR, numbers(status), [speed.as_ref(), left.as_ref()])),
        (BAR, parts(BAR, numbers(status), [None, left.as_ref()])),
        (BAR / 2, parts(BAR / 2, numbers(status), [None, left.as_ref()])),
        (BAR / 2, parts(BAR / 2, few, [None, left.as_ref()])),
        (BAR / 2, parts(BAR / 2, loss(), [None, left.as_ref()])),
        (0, parts(0, loss(), [None, left.as_ref()])),
        (0, parts(0, loss(), [None, None])),
    ];
    let fits = |(_, parts): &&(usize, Vec<String>)| parts.join("  ").width() <= room;
    let Some((columns, mut parts)) = forms.iter().find(fits).cloned() else {
        return epoch(status).chars().take(room).collect();
    };
    if columns > 0 {
        parts[1] = drawn(status.part, columns, look);
    }
    parts.join("  ")
}

/// The bar: what is done, and what is left to do.
fn drawn(part: f64, columns: usize, look: Look) -> String {
    let halves = (part.clamp(0.0, 1.0) * 2.0 * columns as f64) as usize;
    let (full, half) = (halves / 2, halves % 2);
    let (done, tip, rest) = match (look.unicode, look.colour) {
        (true, true) => ('━', '╸', '━'),
        (true, false) => ('━', '╸', ' '),
        (false, _) => ('=', '>', '-'),
    };
    let ahead = columns - full - half;
    let mut text: String =
        std::iter::repeat_n(done, full).chain((half == 1).then_some(tip)).collect();
    let rest: String = std::iter::repeat_n(rest, ahead).collect();
    if look.colour {
        text = format!("\x1b[36m{text}\x1b[0m\x1b[2m{rest}\x1b[0m");
    } else {
        text += &rest;
    }
    text
}

/// Restrains drawing: a line is drawn once in a while.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pulse {
    drawn: Option<Duration>,
}

impl Pulse {
    /// Between two drawings passes at least so much.
    const PAUSE: Duration = Duration::from_millis(100);

    /// Whether to draw now, which is so long after the beginning.
    pub fn beats(&mut self, now: Duration) -> bool {
        let due = self.drawn.is_none_or(|drawn| now.saturating_sub(drawn) >= Pulse::PAUSE);
        if due {
            self.drawn = Some(now);
        }
        due
    }

    /// Whether anything has been drawn.
    pub fn has_beaten(&self) -> bool {
        self.drawn.is_some()
    }
}
