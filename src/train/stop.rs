//! When a training ends before its last epoch.

use crate::ops::Name;
use std::fmt;

/// What ends a training early.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stop {
    /// All of these are reached.
    pub until: Vec<Goal>,
    /// So many epochs have passed without a smaller loss than the smallest before.
    pub patience: Option<u64>,
    /// Whether the values after the epoch with the smallest loss are kept, for who wants these instead of the last.
    pub best: bool,
}

/// A value that a loss or metric is to reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// The name of the loss or metric.
    pub name: Name,
    /// Whether it is to be large.
    pub rises: bool,
    /// Its value then.
    pub value: f64,
}

impl Goal {
    /// Reads `accuracy>=0.98` or `loss<=0.1`.
    pub fn parse(text: &str) -> Option<Goal> {
        let (rises, sign) = if text.contains(">=") { (true, ">=") } else { (false, "<=") };
        let (name, value) = text.split_once(sign)?;
        let (name, value) = (name.trim(), value.trim().parse().ok()?);
        let known = !name.is_empty() && f64::is_finite(value);
        known.then(|| Goal { name: name.into(), rises, value })
    }

    /// Whether a value reaches it; NaN never does.
    pub fn is_reached(&self, value: f64) -> bool {
        if self.rises { value >= self.value } else { value <= self.value }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.rises { ">=" } else { "<=" };
        write!(f, "{}{sign}{}", self.name, self.value)
    }
}
