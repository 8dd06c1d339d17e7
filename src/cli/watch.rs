//! What is shown of a training while it runs: a bar on a terminal, plain lines elsewhere, a log, a curve.

pub mod bar;
pub mod chart;
pub mod log;
pub(super) mod terminal;

use std::time::Duration;

/// How far a training is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// The epoch, from 1, and the number of all.
    pub epoch: (u64, u64),
    /// The part of the whole that is done, from 0 to 1.
    pub part: f64,
    /// The loss over the rows that are trained on.
    pub loss: f64,
    /// The loss over the rows that validate.
    pub val: Option<f64>,
    /// Metrics, where there are rows to validate over these.
    pub metrics: Vec<Figure>,
    /// Rows a second.
    pub rate: Option<f64>,
    /// The time that is left.
    pub left: Option<Duration>,
}

/// A metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Whether it is a part of a whole, to be shown in percent.
    pub is_part: bool,
}

/// A plain line for people: the epoch and its numbers.
pub fn line(status: &Status) -> String {
    let mut parts = vec![epoch(status)];
    parts.extend(numbers(status));
    parts.extend(status.rate.map(rate));
    parts.join("  ")
}

fn epoch(status: &Status) -> String {
    let (epoch, all) = (status.epoch.0.to_string(), status.epoch.1.to_string());
    format!("epoch {epoch:>width$}/{all}", width = all.len())
}

/// Losses and metrics.
fn numbers(status: &Status) -> Vec<String> {
    let mut parts = vec![format!("loss {}", short(status.loss))];
    parts.extend(status.val.map(|val| format!("val {}", short(val))));
    parts.extend(status.metrics.iter().map(figure));
    parts
}

/// A metric: `accuracy 97.1%`.
pub fn figure(figure: &Figure) -> String {
    format!("{} {}", figure.name, value(figure))
}

/// The value of a metric.
pub fn value(figure: &Figure) -> String {
    match figure.is_part {
        true if figure.value.is_finite() => format!("{:.1}%", 100.0 * figure.value),
        _ => short(figure.value),
    }
}

/// A number in few digits: `2.3026` `0.0841` `12.35` `1.2e12` `3.4e-5`.
pub fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !size.is_finite() => value.to_string().to_lowercase(),
        0.0 => "0".to_string(),
        1e-3..9.99995 => format!("{value:.4}"),
        9.99995..9999.95 => format!("{value:.*}", (4.0 - size.log10().floor()).max(0.0) as usize),
        _ => format!("{value:.1e}"),
    }
}

/// Rows a second in three digits, in groups: `41 200 rows/s`.
pub fn rate(rows: f64) -> String {
    if !rows.is_finite() {
        return "- rows/s".to_string();
    }
    let unit = 10f64.powf((rows.max(1.0).log10().floor() - 2.0).max(0.0));
    let rounded = (rows / unit).round() * unit;
    match rows < 100.0 {
        true => format!("{rows:.1} rows/s"),
        false => format!("{} rows/s", grouped(rounded as u64)),
    }
}

/// A number with a blank before each group of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A time in two units at most: `0.4 s` `12 s` `3 min 20 s` `2 h 5 min`.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let whole = seconds.round() as u64;
    match whole {
        0..=9 if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}
