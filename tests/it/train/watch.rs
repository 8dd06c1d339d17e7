//! What is shown of a training: the bar, plain lines, the log, curves on a terminal and as a picture.

use pullback::cli::watch::bar::{Look, Pulse, bar};
use pullback::cli::watch::chart::chart;
use pullback::cli::watch::log::{Log, Record};
use pullback::cli::watch::{Figure, Status, line, rate, short, time};
use pullback::export::{Curve, Plot, plot};
use serde_json::json;
use std::time::Duration;

fn status() -> Status {
    let accuracy = Figure { name: "accuracy".into(), value: 0.9712, is_part: true };
    Status {
        epoch: (3, 15),
        part: 0.36,
        loss: 0.08412,
        val: Some(0.09718),
        metrics: vec![accuracy],
        rate: Some(41_234.0),
        left: Some(Duration::from_secs(12)),
    }
}

const PLAIN: Look = Look { width: 100, unicode: true, colour: false };

#[test]
fn numbers_for_people() {
    let cases = [0.0, 0.08412, 2.3456, 12.3456, 1234.5, 1.23e12, 3.4e-5, -0.5, f64::NAN];
    let shown: Vec<String> = cases.into_iter().map(short).collect();
    let wanted =
        ["0", "0.0841", "2.3456", "12.346", "1234.5", "1.2e12", "3.4e-5", "-0.5000", "nan"];
    assert_eq!(shown, wanted);
    let times = [0.42, 12.3, 59.9, 200.0, 7500.0].map(|s| time(Duration::from_secs_f64(s)));
    assert_eq!(times, ["0.4 s", "12 s", "1 min 0 s", "3 min 20 s", "2 h 5 min"]);
    assert_eq!(
        [7.25, 998.0, 41_234.0, 1e7].map(rate),
        ["7.2 rows/s", "998 rows/s", "41 200 rows/s", "10 000 000 rows/s"]
    );
}

#[test]
fn a_plain_line() {
    let wanted = "epoch  3/15  loss 0.0841  val 0.0972  accuracy 97.1%  41 200 rows/s";
    assert_eq!(line(&status()), wanted);
}

/// At every width the line is shorter than the terminal is wide, and tells as much as has room.
#[test]
fn a_bar_for_each_width() {
    let mut shown = String::new();
    let mut last = 0;
    for width in 1..=120 {
        let text = bar(&status(), Look { width, ..PLAIN });
        let length = text.chars().count();
        assert!(length < width, "{width}: {text}");
        if length != last && width > 16 {
            shown += &format!("{text}|\n");
        }
        last = length;
    }
    insta::assert_snapshot!(shown);
    let ascii = bar(&status(), Look { unicode: false, ..PLAIN });
    assert!(ascii.is_ascii() && ascii.contains("=======-------------"), "{ascii}");
    let coloured = bar(&status(), Look { colour: true, ..PLAIN });
    assert!(coloured.contains("\x1b[36m━━━━━━━\x1b[0m\x1b[2m━"), "{coloured:?}");
}

#[test]
fn drawing_is_restrained() {
    let mut pulse = Pulse::default();
    let drawn = (0..1000).filter(|ms| pulse.beats(Duration::from_millis(*ms))).count();
    assert_eq!(drawn, 10);
}

#[test]
fn logs() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = |epoch: u64| -> Record {
        vec![
            ("epoch".into(), json!(epoch)),
            ("loss".into(), json!(0.5)),
            ("a,b".into(), json!("inf")),
            ("val".into(), json!(null)),
        ]
    };
    let written = |name: &str| {
        let path = folder.path().join(name);
        Log::open(&path, false).and_then(|mut log| log.write(&record(1))).expect("written");
        Log::open(&path, true).and_then(|mut log| log.write(&record(2))).expect("written");
        std::fs::read_to_string(path).expect("it is there")
    };
    assert_eq!(written("run.csv"), "epoch,loss,\"a,b\",val\n1,0.5,inf,\n2,0.5,inf,\n");
    let lines = written("run.jsonl");
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[1], json!({"epoch": 2, "loss": 0.5, "a,b": "inf", "val": null}));
    let other = Log::open(&folder.path().join("run.txt"), false).expect_err("no form");
    assert!(other.to_string().contains("`.jsonl` `.csv`"), "{other}");
}

/// A loss that falls from 2.3 to about 0.05.
fn falling(name: &str, speed: f64, colour: usize) -> Curve {
    let points = (0..=10).map(|x| (f64::from(x), 2.25 * (-speed * f64::from(x)).exp() + 0.05));
    Curve { name: name.into(), points: points.collect(), colour, is_faint: false }
}

#[test]
fn a_chart() {
    let one = chart(&[falling("loss", 0.3, 0)], "epoch", Look { width: 60, ..PLAIN });
    let ascii = Look { unicode: false, width: 60, ..PLAIN };
    let two = chart(&[falling("train", 0.3, 0), falling("val", 0.1, 1)], "epoch", ascii);
    assert!(two.is_ascii(), "{two}");
    let lines = one.lines().chain(two.lines());
    assert!(lines.clone().all(|line| line.chars().count() < 60), "{one}{two}");
    insta::assert_snapshot!(format!("{one}\n{two}"));
    let lost = Curve { points: vec![(0.0, f64::NAN)], ..Curve::default() };
    assert_eq!(chart(&[lost], "epoch", PLAIN), "");
}

/// The pictures of one training and of a sweep in which one run is lost.
fn pictures() -> [Plot; 2] {
    let picture = |title: &str, curves| Plot {
        title: title.into(),
        x: "epoch".into(),
        y: "loss".into(),
        curves,
    };
    let train = Curve { is_faint: true, ..falling("train", 0.35, 0) };
    let one = picture("mlp.nn & <digits>", vec![falling("val", 0.2, 0), train]);
    let lost = vec![(1.0, 3.0), (2.0, 40.0), (3.0, 1e12)];
    let lost = Curve { name: "batch 1".into(), points: lost, colour: 3, is_faint: false };
    let runs = ["batch 10", "batch 100", "batch 1000", "batch all"].into_iter().enumerate();
    let runs = runs.map(|(number, name)| falling(name, 0.5 / (1 + number) as f64, number));
    let sweep = picture("batch sizes", runs.chain([lost]).collect());
    [one, sweep]
}

/// No text covers another, none is outside, and each has a colour for dark surroundings.
#[test]
fn texts_of_a_picture_have_room() {
    for picture in pictures() {
        let svg = plot(&picture);
        let boxes = texts(&svg);
        assert!(boxes.len() > 10, "{svg}");
        for (place, (text, one)) in boxes.iter().enumerate() {
            let inside = one[0] >= 0.0 && one[1] <= 760.0 && one[2] >= 0.0 && one[3] <= 440.0;
            assert!(inside, "{text} is at {one:?}");
            for (other, two) in &boxes[place + 1..] {
                let apart =
                    one[1] <= two[0] || two[1] <= one[0] || one[3] <= two[2] || two[3] <= one[2];
                assert!(apart, "{text} covers {other}");
            }
        }
        assert!(svg.contains("prefers-color-scheme: dark"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}

/// The texts with left, right, upper and lower end; letters are taken as wide as those of a common font on average.
fn texts(svg: &str) -> Vec<(String, [f64; 4])> {
    let number = |tag: &str, name: &str| -> Option<f64> {
        tag.split_once(&format!("{name}=\""))?.1.split('"').next()?.parse().ok()
    };
    let mut found = Vec::new();
    for piece in svg.split("<text").skip(1) {
        let (tag, rest) = piece.split_once('>').expect("a tag ends");
        let text = rest.split("</text>").next().expect("a text ends").to_string();
        let (Some(x), Some(y)) = (number(tag, " x"), number(tag, " y")) else { continue };
        let width = text.chars().count() as f64 * 13.0 * 0.52;
        let left = match tag {
            _ if tag.contains("\"end\"") => x - width,
            _ if tag.contains("\"middle\"") => x - width / 2.0,
            _ => x,
        };
        found.push((text, [left, left + width, y - 10.0, y + 3.0]));
    }
    found
}

/// The vertical axis is logarithmic where the losses are of different sizes, and a lost run does not flatten the others.
#[test]
fn axes_fit_the_curves() {
    let [one, sweep] = pictures().map(|picture| plot(&picture));
    assert!(one.contains(">0.5</text>") && sweep.contains(">0.1</text>"), "{one}{sweep}");
    assert!(!sweep.contains("e12"), "{sweep}");
    assert!(sweep.contains("l8 8m0 -8l-8 8"), "the lost run ends with a cross: {sweep}");
    let flat = Curve { points: vec![(1.0, 0.5)], ..Curve::default() };
    let svg = plot(&Plot { curves: vec![flat], ..Plot::default() });
    assert!(svg.contains("h0"), "{svg}");
    assert!(plot(&Plot::default()).ends_with("</svg>\n"));
}
