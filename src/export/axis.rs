//! Axes of pictures: their range, their marks, and the place of a value.

/// How values are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithms.
    Logarithmic,
    /// By their logarithms where all are above 0 and the largest is more than 30 times the smallest, else evenly.
    Chosen,
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// How values are spread; never `Chosen`.
    pub scale: Scale,
    /// The smallest and the largest value.
    pub from: (f64, f64),
    /// Where these are.
    pub to: (f64, f64),
    /// The marks, in order.
    pub ticks: Vec<Tick>,
}

/// A mark of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Its value.
    pub value: f64,
    /// The value as text.
    pub text: String,
}

impl Axis {
    /// The axis from `to.0` to `to.1` that has room for all finite values.
    pub fn new(values: impl Iterator<Item = f64>, scale: Scale, to: (f64, f64)) -> Axis {
        let bound = |value: &f64| value.abs() < 1e300;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(bound) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let wide = low > 0.0 && high / low > 30.0;
        let scale = match scale {
            Scale::Chosen if wide => Scale::Logarithmic,
            Scale::Logarithmic if low > 0.0 => Scale::Logarithmic,
            _ => Scale::Linear,
        };
        if low == high {
            let room = if low == 0.0 { 1.0 } else { low.abs() / 2.0 };
            (low, high) = (low - room, high + room);
        }
        match scale {
            Scale::Logarithmic => logarithmic(low, high, to),
            _ => linear(low, high, to),
        }
    }

    /// The place of a value on the axis.
    pub fn place(&self, value: f64) -> f64 {
        let measure = |value: f64| match self.scale {
            Scale::Logarithmic => value.log10(),
            _ => value,
        };
        let (low, high) = (measure(self.from.0), measure(self.from.1));
        let part = ((measure(value) - low) / (high - low)).clamp(0.0, 1.0);
        self.to.0 + part * (self.to.1 - self.to.0)
    }

    /// Whether the axis has a place for the value.
    pub fn has(&self, value: f64) -> bool {
        value >= self.from.0 && value <= self.from.1
    }
}

/// Marks at 1, 2 or 5 times a power of ten, about six of them; the ends of the axis are marks.
fn linear(low: f64, high: f64, to: (f64, f64)) -> Axis {
    let rough = (high - low) / 6.0;
    let power = 10f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * power >= rough * 0.99);
    let step = times.unwrap_or(10.0) * power;
    let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let large = first.abs().max(last.abs()) * step >= 1e6 || decimals > 6;
    let count = (last - first).min(20.0) as usize;
    let tick = |number: usize| {
        let value = (first + number as f64) * step;
        let value = if value == 0.0 { 0.0 } else { value };
        let text =
            if large && value != 0.0 { exponent(value) } else { format!("{value:.decimals$}") };
        Tick { value, text }
    };
    let ticks = (0..=count).map(tick).collect();
    Axis { scale: Scale::Linear, from: (first * step, last * step), to, ticks }
}

/// Marks at powers of ten; where these are few, at 2 and 5 times them too; where they are many, at some of them.
fn logarithmic(low: f64, high: f64, to: (f64, f64)) -> Axis {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let every = (last - first).unsigned_abs().div_ceil(8).max(1) as usize;
    let mut ticks = Vec::new();
    for power in (first..=last).step_by(every) {
        let base = 10f64.powi(power);
        let times: &[f64] = if last - first <= 3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        ticks.extend(times.iter().map(|times| times * base));
    }
    // The axis ends at the marks next to the values.
    let below = ticks.iter().copied().filter(|tick| *tick <= low * 1.001).fold(f64::NAN, f64::max);
    let above = ticks.iter().copied().filter(|tick| *tick >= high * 0.999).fold(f64::NAN, f64::min);
    let from =
        (if below.is_nan() { low } else { below }, if above.is_nan() { high } else { above });
    ticks.retain(|tick| *tick >= from.0 && *tick <= from.1);
    let ticks = ticks.into_iter().map(|value| Tick { value, text: decimal(value) }).collect();
    Axis { scale: Scale::Logarithmic, from, to, ticks }
}

/// The value without an exponent, unless it is very small or large.
fn decimal(value: f64) -> String {
    match value {
        v if !(1e-4..1e6).contains(&v) => exponent(v),
        v if v >= 1.0 => format!("{v:.0}"),
        v => format!("{v:.*}", (-v.log10().floor()) as usize),
    }
}

fn exponent(value: f64) -> String {
    let text = format!("{value:.3e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}e{power}")
}
