//! What is said of a training, while it runs and at its end.

use crate::cli::show;
use crate::train::{Report, Run};
use serde_json::{Map, Value, json};

/// The values of the epoch that is kept, which is the last unless the best is asked for; those over the rows that validate as
/// `val.NAME`.
pub fn summary(run: &Run) -> String {
    let Some(report) = shown(run) else { return String::new() };
    let mut text = String::new();
    for (name, value) in run.names().iter().zip(&report.train) {
        text.push_str(&format!("{name} = {}\n", show::number(*value)));
    }
    for (name, value) in run.names().iter().zip(report.val.iter().flatten()) {
        text.push_str(&format!("val.{name} = {}\n", show::number(*value)));
    }
    text
}

/// The same as a document.
pub fn document(run: &Run, seconds: f64, rate: f64) -> Value {
    let mut document =
        json!({"v": 1, "steps": run.step(), "seconds": seconds, "rows_per_second": rate});
    if let (Some(last), Some(report)) = (run.last(), shown(run)) {
        document["epochs"] = last.epoch.into();
        if let Some(top) = run.top() {
            document["best"] = top.report.epoch.into();
        }
        document["train"] = values(run, &report.train);
        if let Some(val) = &report.val {
            document["val"] = values(run, val);
        }
    }
    document
}

/// The epoch whose parameters are kept.
pub fn shown<'a>(run: &'a Run) -> Option<&'a Report> {
    run.top().map(|top| &top.report).or_else(|| run.last())
}

/// Values under the names of what is watched.
pub fn values(run: &Run, values: &[f64]) -> Value {
    let values = run.names().iter().zip(values);
    let values = values.map(|(name, value)| (name.to_string(), show::float(*value)));
    Value::Object(values.collect::<Map<_, _>>())
}
