//! Trainings that cannot be, and those that are not what was meant: what is said of them.

use crate::command::run_in;

const MODEL: &str = "dim N\ninput x: f32[N]\ninput label: i64[N] in [0, 2)\nparam w: f32 = 0.5\n\
    loss C = mean[N]((w * x - f32(label))^2)\nmetric hits = mean[N]((w * x > 0.5) == (label == 1))\n";

/// Models by name; `m.nn` is the one above.
const MODELS: [(&str, &str); 6] = [
    ("none.nn", "dim N\ninput x: f32[N]\nparam w: f32 = 1\noutput y = w * x\n"),
    (
        "two.nn",
        "dim N\ninput x: f32[N]\nparam w: f32 = 1\nloss A = mean(w * x)\nloss B = mean(w^2 * x)\n",
    ),
    ("frozen.nn", "dim N\ninput x: f32[N]\nparam w: f32 frozen = 1\nloss C = mean((w * x)^2)\n"),
    (
        "last.nn",
        "dim N\ninput x: f32[3, N]\ninput y: f32[N]\nparam w: f32[3] = 0\nloss C = mean((w @ x - y)^2)\n",
    ),
    ("each.nn", "dim N\ninput x: f32[N]\nparam w: f32[N] = 0\nloss C = mean((w - x)^2)\n"),
    ("far.nn", "dim N\ninput x: f32[N]\nparam w: f32 = 1\nloss C = mean(exp(w * x) - log(w))\n"),
];

const TABLE: &str = "x,label,wrong\n0.1,0,0.5\n0.9,1,0.5\n0.2,0,1.5\n0.8,1,0\n";

/// What is said of each request, with what is printed and the exit code.
const REQUESTS: &[&str] = &[
    "none.nn --set x=[1,2]",
    "two.nn --set x=[1,2]",
    "two.nn --set x=[1,2] --of B --epochs 1",
    "none.nn --set x=[1,2] --of y",
    "none.nn --set x=[1,2] --of z",
    "frozen.nn --set x=[1,2]",
    "m.nn --data d.csv --wrt x",
    "m.nn",
    "m.nn --set x=@d.csv:x --set label=@d.csv:wrong",
    "m.nn --data empty.csv",
    "m.nn --data d.csv --rows 2..2",
    "m.nn --data nan.csv",
    "m.nn --set x=[1,2,3] --set label=[0,1]",
    "m.nn --data d.csv --val 0.99",
    "m.nn --data d.csv --val 1",
    "m.nn --data d.csv --batch 0",
    "m.nn --data d.csv --batch 100 --epochs 1 --opt sgd:lr=0.1",
    "m.nn --data d.csv --until hit>=0.9",
    "m.nn --data d.csv --until hits=0.9",
    "m.nn --data d.csv --until loss<=0.2,hits>=0.9 --epochs 1",
    "m.nn --data d.csv --patience 0",
    "m.nn --data d.csv --opt adem",
    "m.nn --data d.csv --opt adam:rate=1",
    "m.nn --data d.csv --opt adam:lr=-1",
    "m.nn --data d.csv --opt adamw --weight-decay 0.1",
    "m.nn --data d.csv --schedule cosin",
    "m.nn --data d.csv --lr 0.1,x",
    "m.nn --data d.csv --batch 1,2 --checkpoint every=1epoch",
    "m.nn --data d.csv --save w.txt",
    "m.nn --data d.csv --checkpoint often",
    "m.nn --data d.csv --resume none.ckpt",
    "m.nn --data d.csv --epochs 0",
    "last.nn --set x=[[1,2],[3,4],[5,6]] --set y=[1,2]",
    "last.nn --set x=[[1,2],[3,4],[5,6]] --set y=[1,2] --batch all --epochs 1 -q",
    "each.nn --set x=[1,2]",
    "each.nn --set x=[1,2] --batch all --epochs 2 --opt sgd:lr=0.5 -q",
    "far.nn --set x=[1,2,3] --opt sgd:lr=5 --batch all",
];

#[test]
fn requests_are_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = [
        ("m.nn", MODEL),
        ("d.csv", TABLE),
        ("empty.csv", "x,label\n"),
        ("nan.csv", "x,label\n0.1,0\nnan,1\n"),
    ];
    for (name, text) in files.iter().chain(&MODELS) {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let mut told = String::new();
    for request in REQUESTS {
        let args: Vec<&str> = ["train"].into_iter().chain(request.split(' ')).collect();
        let ran = run_in(folder.path(), &args);
        let code = ran.code.expect("it is not killed");
        told += &format!(
            "$ pullback train {request}\n{}{}exit code {code}\n\n",
            timeless(&ran.stderr),
            ran.stdout
        );
    }
    insta::with_settings!({snapshot_path => "../../cases/train", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!("requests", told);
    });
}

/// What is said without how fast it went.
fn timeless(said: &str) -> String {
    let line = |line: &str| match line.split_once(" rows/s") {
        Some((before, _)) => before.rsplit_once("  ").map_or(before, |(kept, _)| kept).to_string(),
        None => line.to_string(),
    };
    said.lines().map(|text| line(text) + "\n").collect()
}
