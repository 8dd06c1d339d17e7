//! Gradients against central differences in f64.

use super::args::Common;
use super::bind::Bound;
use super::declared;
use super::out::Failure;
use super::run::{How, run};
use super::session::Session;
use super::show;
use crate::graph::{Model, NodeId};
use crate::ops::Name;
use crate::ops::stream::Stream;
use crate::passes::{Held, hold};
use crate::tensor::{DType, Tensor};
use serde_json::{Value, json};

/// Up to so many entries, and so many flops, each is checked; of larger parameters a sample and random directions.
const ENTRIES: usize = 10_000;
const FLOPS: f64 = 2e10;
/// How often the value is computed for one slope.
const VALUES: f64 = 4.0;
const SAMPLE: usize = 200;
const DIRECTIONS: usize = 20;
/// A derivative agrees if the relative error is below this, scaled by the largest entry of its parameter.
pub const TOLERANCE: f64 = 1e-5;
/// The step of a plain difference quotient.
pub const SMALL: f64 = 1e-5;
/// The step that is tried first, and those that are tried where it does not convince.
const STEP: f64 = 1e-4;
const STEPS: [f64; 6] = [1e-2, 1e-3, 1e-5, 1e-6, 1e-7, 1e-8];

/// What was found of a parameter: its worst entry.
pub struct Slopes {
    pub name: String,
    checked: String,
    worst: f64,
    at: String,
    derived: f64,
    /// The slope that was measured.
    pub measured: f64,
    /// Whether that is the plain difference quotient with the step `SMALL`.
    pub plain: bool,
    /// Where the slopes on both sides differ and the derivative lies between them: how many entries, and the first.
    kinks: (usize, String),
    /// The difference to what was derived from the source as it is written, relative to the largest entry.
    pub written: f64,
}

/// What is measured: the one output of a model.
pub struct Measure<'a> {
    pub common: &'a Common,
    pub session: &'a Session,
    pub model: &'a Model,
    pub how: &'a How,
}

/// The value `of` as differences see it: what `stop_gradient` holds stays what it is at the point `bound`.
pub fn held(
    model: &Model,
    of: NodeId,
    moving: &[Name],
    bound: &mut Bound,
) -> Result<Held, Failure> {
    let held = hold(model, of, moving).map_err(|misfit| Failure::Request(misfit.to_string()))?;
    for (name, still) in &held.still {
        let point = bound.values.get(name).cloned();
        bound.values.extend(point.map(|point| (still.clone(), point)));
    }
    Ok(held)
}

/// A line through the point of a parameter, and the derivative along it.
struct Line<'a> {
    name: &'a str,
    start: &'a Tensor,
    point: &'a [f64],
    direction: Vec<f64>,
    /// The size of the coordinate that moves, at least 1.
    size: f64,
    derived: f64,
}

impl Measure<'_> {
    /// Moves a parameter, which has this gradient, and compares; a value takes so many flops.
    pub fn parameter(
        &self,
        name: &str,
        gradient: &[f64],
        written: f64,
        flops: f64,
        bound: &mut Bound,
        seed: u64,
    ) -> Result<Slopes, Failure> {
        let start = bound.values[name].clone();
        let point = start.to_f64();
        let scale = gradient.iter().fold(0.0f64, |scale, v| scale.max(v.abs()));
        let count = point.len();
        let stream = Stream::new(seed, &format!("verify {name}"));
        let whole = count <= SAMPLE || (count <= ENTRIES && VALUES * count as f64 * flops <= FLOPS);
        let entries: Vec<usize> = if whole {
            (0..count).collect()
        } else {
            (0..SAMPLE as u64)
                .map(|index| (stream.uniform(index) * count as f64) as usize % count)
                .collect()
        };
        let checked = match (whole, count) {
            (true, 1) => "1 entry".to_string(),
            (true, _) => format!("{count} entries"),
            _ => format!("{SAMPLE} of {count} entries, {DIRECTIONS} directions"),
        };
        let mut slopes = Slopes::new(name, checked, written);
        let among = |direction: Vec<f64>| self.among(name, &start, direction);
        for entry in entries {
            let mut direction = vec![0.0; count];
            direction[entry] = 1.0;
            let direction = among(direction);
            let size = point[entry].abs().max(1.0);
            let derived = gradient[entry];
            let line = Line { name, start: &start, point: &point, direction, size, derived };
            self.judge(&mut slopes, &line, scale, bound, || show::index(start.shape(), entry))?;
        }
        if !whole {
            for number in 0..DIRECTIONS as u64 {
                let offset = (number + 1) << 32;
                let direction: Vec<f64> =
                    (0..count as u64).map(|i| stream.normal(offset + i)).collect();
                let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
                let direction: Vec<f64> = among(direction.iter().map(|v| v / length).collect());
                let derived: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
                let line =
                    Line { name, start: &start, point: &point, direction, size: 1.0, derived };
                self.judge(&mut slopes, &line, scale, bound, || format!(" direction {number}"))?;
            }
        }
        bound.values.insert(name.into(), start);
        Ok(slopes)
    }

    /// Moves one entry of a parameter, where the derivative is `derived`, and compares.
    pub fn entry(
        &self,
        name: &str,
        entry: usize,
        derived: f64,
        bound: &mut Bound,
    ) -> Result<Slopes, Failure> {
        let start = bound.values[name].clone();
        let point = start.to_f64();
        let mut direction = vec![0.0; point.len()];
        direction[entry] = 1.0;
        let direction = self.among(name, &start, direction);
        let line = Line { name, start: &start, point: &point, direction, size: 1.0, derived };
        let place = show::index(start.shape(), entry);
        let mut slopes = Slopes::new(name, "1 entry".into(), 0.0);
        let step = SMALL;
        let plain = (self.at(&line, step, bound)? - self.at(&line, -step, bound)?) / (2.0 * step);
        let error = (derived - plain).abs() / derived.abs().max(plain.abs()).max(1e-6);
        if derived == plain || error < TOLERANCE {
            (slopes.at, slopes.derived, slopes.measured) = (place, derived, plain);
            (slopes.worst, slopes.plain) = (error, true);
        } else {
            let line = Line { size: point[entry].abs().max(1.0), ..line };
            self.judge(&mut slopes, &line, derived.abs(), bound, || place.clone())?;
        }
        bound.values.insert(name.into(), start);
        Ok(slopes)
    }

    /// The direction among those that a variable may move in: a symmetric matrix moves among its like.
    fn among(&self, name: &str, start: &Tensor, direction: Vec<f64>) -> Vec<f64> {
        match self.model.variables.get(name).is_some_and(|known| known.symmetric) {
            true => {
                let moved = Tensor::from_f64(DType::F64, start.shape(), direction);
                declared::symmetrised(&moved).to_f64()
            }
            false => direction,
        }
    }

    fn judge(
        &self,
        slopes: &mut Slopes,
        line: &Line,
        scale: f64,
        bound: &mut Bound,
        at: impl Fn() -> String,
    ) -> Result<(), Failure> {
        let error = |measured: f64| {
            let size = line.derived.abs().max(measured.abs()).max(1e-3 * scale).max(1e-6);
            if line.derived == measured { 0.0 } else { (line.derived - measured).abs() / size }
        };
        let (mut measured, mut doubt) = self.slope(line, STEP * line.size, bound)?;
        if error(measured).is_nan() || error(measured) >= TOLERANCE {
            // The step that the measurement itself trusts most, whatever the derivative says.
            for step in STEPS {
                let (other, doubts) = self.slope(line, step * line.size, bound)?;
                if doubts < doubt || doubt.is_nan() {
                    (measured, doubt) = (other, doubts);
                }
            }
        }
        let error = error(measured);
        if (error.is_nan() || error >= TOLERANCE) && self.is_kink(line, bound)? {
            if slopes.kinks.0 == 0 {
                slopes.kinks.1 = at();
            }
            slopes.kinks.0 += 1;
        } else if slopes.at.is_empty() || error > slopes.worst || error.is_nan() {
            slopes.worst = error;
            slopes.at = at();
            slopes.derived = line.derived;
            slopes.measured = measured;
        }
        Ok(())
    }

    /// The central difference with Richardson's extrapolation, whose error is of fourth order in the step, and how far the
    /// two differences are apart that it is made of.
    fn slope(&self, line: &Line, step: f64, bound: &mut Bound) -> Result<(f64, f64), Failure> {
        let wide = (self.at(line, step, bound)? - self.at(line, -step, bound)?) / (2.0 * step);
        let half = step / 2.0;
        let narrow = (self.at(line, half, bound)? - self.at(line, -half, bound)?) / step;
        Ok(((4.0 * narrow - wide) / 3.0, (narrow - wide).abs()))
    }

    /// Whether the slopes to both sides differ however small the step, and the derivative is one of them or between them.
    fn is_kink(&self, line: &Line, bound: &mut Bound) -> Result<bool, Failure> {
        let here = self.at(line, 0.0, bound)?;
        let mut sides = |step: f64| -> Result<(f64, f64), Failure> {
            let right = (self.at(line, step, bound)? - here) / step;
            let left = (here - self.at(line, -step, bound)?) / step;
            Ok((left, right))
        };
        let (near, far) = (sides(1e-6 * line.size)?, sides(1e-5 * line.size)?);
        let size = near.0.abs().max(near.1.abs()).max(1e-6);
        let settled = (near.0 - far.0).abs() < 1e-3 * size && (near.1 - far.1).abs() < 1e-3 * size;
        let slack = 1e-3 * size;
        let (low, high) = (near.0.min(near.1), near.0.max(near.1));
        Ok(settled
            && high - low > 10.0 * slack
            && (low - slack..=high + slack).contains(&line.derived))
    }

    fn at(&self, line: &Line, distance: f64, bound: &mut Bound) -> Result<f64, Failure> {
        let moved = line.point.iter().zip(&line.direction).map(|(p, d)| p + distance * d).collect();
        let moved = Tensor::from_f64(DType::F64, line.start.shape(), moved);
        bound.values.insert(line.name.into(), moved);
        let of = self.model.outputs[0].node;
        let value = run(self.common, self.session, self.model, &[of], bound, self.how)?;
        Ok(value[0].item().unwrap_or(f64::NAN))
    }
}

impl Slopes {
    fn new(name: &str, checked: String, written: f64) -> Slopes {
        Slopes {
            name: name.into(),
            checked,
            worst: 0.0,
            at: String::new(),
            derived: 0.0,
            measured: 0.0,
            plain: false,
            kinks: (0, String::new()),
            written,
        }
    }

    /// Whether nothing speaks against the gradient.
    pub fn holds(&self) -> bool {
        self.worst < TOLERANCE && self.written < TOLERANCE
    }

    /// Whether the derivative sits at a kink.
    pub fn is_kink(&self) -> bool {
        self.kinks.0 > 0
    }

    /// The verdict for people, names in a column of this width.
    pub fn lines(&self, width: usize) -> String {
        let word = if self.holds() { "agrees" } else { "REFUTED" };
        let mut text = format!("  {:width$}  {word}  {}", self.name, self.checked);
        if !self.at.is_empty() || self.kinks.0 == 0 {
            text += &format!(
                "  worst {}{}: {} derived, {} measured, relative error {:.1e}",
                self.name,
                self.at,
                show::number(self.derived),
                show::number(self.measured),
                self.worst,
            );
        }
        text.push('\n');
        if self.kinks.0 > 0 {
            let (count, first) = &self.kinks;
            text += &format!(
                "  {:width$}  {count} at a kink, first {}{first}: the slopes to both sides differ, the derivative lies \
                 between them\n",
                "", self.name
            );
        }
        if self.written >= TOLERANCE {
            text += &format!(
                "  {:width$}  it differs by {:.1e} from what is derived of the source as written (-O0)\n",
                "", self.written
            );
        }
        if self.worst.is_nan() || self.measured.is_infinite() {
            text += &format!("  {:width$}  the value is not finite there: give other data\n", "");
        }
        text
    }

    /// The verdict for programs.
    pub fn json(&self) -> Value {
        json!({"name": self.name, "checked": self.checked, "error": self.worst, "at": self.at,
            "derived": self.derived, "measured": self.measured, "kinks": self.kinks.0,
            "readable_vs_derived": self.written, "ok": self.holds()})
    }
}
