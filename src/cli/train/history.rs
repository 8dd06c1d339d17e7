//! The curves of a training, as far as it has come.

use crate::train::Run;

/// A curve of the losses of steps has about so many points.
const POINTS: u64 = 60;

/// The points of both curves, and what becomes the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// A running mean of the losses of steps, and the weight that it has got.
    pub smooth: (f64, f64),
    /// The losses of the steps since the last point: their sum and number.
    sum: (f64, f64),
    /// The epoch, with its part, and the mean loss of steps up to there.
    pub steps: Vec<(f64, f64)>,
    /// The epoch, and the loss over the rows that validate.
    pub epochs: Vec<(f64, f64)>,
}

impl History {
    /// Takes the loss of a step that has been done.
    pub fn step(&mut self, run: &Run) {
        let (loss, pace) = (run.loss(), run.pace());
        let weight = 0.95 * self.smooth.1 + 0.05;
        self.smooth = ((0.95 * self.smooth.0 * self.smooth.1 + 0.05 * loss) / weight, weight);
        self.sum = (self.sum.0 + loss, self.sum.1 + 1.0);
        let all = pace.batches.saturating_mul(pace.epochs);
        if self.sum.1 >= all.div_ceil(POINTS) as f64 || !loss.is_finite() {
            self.steps.push((place(run), self.sum.0 / self.sum.1));
            self.sum = (0.0, 0.0);
        }
    }

    /// What of it is finite and was before the step that the run is at, which has gone back.
    pub fn before(&self, run: &Run) -> History {
        let mut before = self.clone();
        let kept = |point: &(f64, f64)| point.0 <= place(run) && point.1.is_finite();
        before.steps.retain(kept);
        before.epochs.retain(kept);
        (before.smooth, before.sum) = ((0.0, 0.0), (0.0, 0.0));
        before
    }

    /// All numbers, for a file.
    pub fn parts(&self) -> [Vec<f64>; 3] {
        let flat = |points: &[(f64, f64)]| points.iter().flat_map(|&(x, y)| [x, y]).collect();
        let ends = vec![self.smooth.0, self.smooth.1, self.sum.0, self.sum.1];
        [ends, flat(&self.steps), flat(&self.epochs)]
    }

    /// What has these parts.
    pub fn of([ends, steps, epochs]: [Vec<f64>; 3]) -> Option<History> {
        let [mean, weight, sum, count] = ends.try_into().ok()?;
        let points = |flat: Vec<f64>| flat.as_chunks().0.iter().map(|&[x, y]| (x, y)).collect();
        Some(History {
            smooth: (mean, weight),
            sum: (sum, count),
            steps: points(steps),
            epochs: points(epochs),
        })
    }
}

/// The epoch that a run is in, with its part.
pub fn place(run: &Run) -> f64 {
    run.step() as f64 / run.pace().batches as f64
}
