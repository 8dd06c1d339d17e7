//! `--mem`: numbers of bytes as they are typed, and what a budget has come to.

use super::show::si;
use crate::exec::Plan;
use serde_json::{Value, json};

/// Units of bytes, in capitals.
const UNITS: &[(&str, f64)] = &[
    ("", 1.0),
    ("B", 1.0),
    ("K", 1e3),
    ("KB", 1e3),
    ("KIB", 1024.0),
    ("M", 1e6),
    ("MB", 1e6),
    ("MIB", 1_048_576.0),
    ("G", 1e9),
    ("GB", 1e9),
    ("GIB", 1_073_741_824.0),
];

/// The number of bytes that a text means: `200000`, `64M`, `1.5GiB`.
pub fn parsed(text: &str) -> Result<usize, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_uppercase();
    let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
    let bytes = match (number.parse::<usize>(), number.parse::<f64>(), factor) {
        (Ok(bytes), _, Some(1.0)) => Some(bytes),
        (_, Ok(number), Some(factor)) => Some((number * factor) as usize),
        _ => None,
    };
    bytes.filter(|&bytes| bytes > 0).ok_or_else(|| {
        "a number of bytes from 1 on, such as 200000, 64M (millions) or 1.5GiB (1024 MiB)".into()
    })
}

/// What a plan takes, and what that costs.
pub fn said(plan: &Plan) -> String {
    match plan.spared() {
        None => format!("{}B in one block", si(plan.bytes() as f64)),
        Some(spared) => {
            let (loops, values) = (spared.loops, spared.values);
            let cut = (loops.segments > 0).then(|| {
                format!("loops go in {} segments, {} computed again", loops.segments, loops.again)
            });
            let again = (values > 0 || cut.is_none())
                .then(|| format!("{values} values are computed again"));
            format!(
                "{}B in one block, {}B without --mem: {}, {}flop more ({:.0} %)",
                si(plan.bytes() as f64),
                si(spared.without as f64),
                cut.into_iter().chain(again).collect::<Vec<String>>().join(", "),
                si(spared.flops),
                100.0 * share(plan)
            )
        }
    }
}

/// The same as JSON.
pub fn json(plan: &Plan) -> Value {
    let spared = plan.spared();
    json!({
        "bytes": plan.bytes(),
        "bytes_without": spared.map_or(plan.bytes(), |spared| spared.without),
        "segments": spared.map_or(0, |spared| spared.loops.segments),
        "segments_again": spared.map_or(0, |spared| spared.loops.again),
        "values_again": spared.map_or(0, |spared| spared.values),
        "flops_again": spared.map_or(0.0, |spared| spared.flops),
        "flops_again_share": share(plan),
    })
}

/// The flops that are done again, as a part of those that are done without a budget.
fn share(plan: &Plan) -> f64 {
    let again = plan.spared().map_or(0.0, |spared| spared.flops);
    let all: f64 = plan.costs().iter().map(|cost| cost.flops).sum();
    if all > again { again / (all - again) } else { 0.0 }
}
