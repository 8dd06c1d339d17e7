//! `pullback bench` as JSON: its figures agree with each other, and steps have their lines.

use super::command::{pullback, ran};
use serde_json::Value;

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} of {value}"))
}

fn near(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= 1e-9 * wanted.abs()
}

#[test]
fn figures_agree() {
    let ask = ["bench", "examples/lecture.nn", "--dim", "N=8", "--seconds", "0.01"];
    let mut command = pullback();
    // What is written on the command line counts more than the environment.
    command.args(ask).args(["--threads", "2", "--nodes", "--json"]).env("PULLBACK_THREADS", "3");
    let told = ran(&mut command);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let report: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!(report["threads"], 2);
    let times = ["ms_min", "ms_median", "ms_p90"].map(|key| number(&report, key));
    assert!(times[0] > 0.0 && times.is_sorted(), "{times:?}");
    assert!(number(&report, "outliers") < number(&report, "samples"));
    // Two products of both layers forward, three back, each of twice as many operations as it has terms.
    let (flops, products) = (number(&report, "flops"), 2.0 * 8.0 * 30.0 * (2.0 * 784.0 + 30.0));
    assert!(flops > products && flops < 1.1 * products, "{flops} of {products}");
    for (rate, amount) in [("gflops", "flops"), ("gbytes", "bytes")] {
        let wanted = number(&report, amount) / times[0] / 1e6;
        assert!(near(number(&report, rate), wanted), "{rate} of {report}");
    }
    assert!(number(&report, "peak_gflops") > 0.0 && number(&report, "memory") > 0.0);
    let steps = report["by_step"].as_array().expect("steps");
    assert_eq!(report["steps"], steps.len());
    for amount in ["flops", "bytes"] {
        let sum: f64 = steps.iter().map(|step| number(step, amount)).sum();
        assert!(near(sum, number(&report, amount)), "{amount} of {report}");
    }
    assert!(steps.is_sorted_by(|a, b| number(a, "ms_min") >= number(b, "ms_min")), "{report}");
    for (line, adjoint) in [(12, false), (12, true), (13, false), (13, true)] {
        let found = |step: &Value| step["line"] == line && step["adjoint"] == adjoint;
        assert!(steps.iter().any(found), "line {line}, adjoint {adjoint}: {report}");
    }
}

#[test]
fn the_environment_has_a_number_of_threads() {
    let ask = ["eval", "-e", "1 + 1"];
    for (value, code) in [("3", 0), ("", 0), ("0", 2), ("many", 2)] {
        let told = ran(pullback().args(ask).env("PULLBACK_THREADS", value));
        assert_eq!(told.code, Some(code), "`{value}`: {}", told.stderr);
        assert_eq!(
            told.stderr.contains("PULLBACK_THREADS is a number"),
            code > 0,
            "{}",
            told.stderr
        );
    }
}
