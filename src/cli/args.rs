//! The arguments of every verb.

use crate::compile::Level;
use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A symbolic computation-graph compiler: networks as formulas in, readable gradient graphs out.
#[derive(Parser, Debug)]
#[command(name = "pullback", version, max_term_width = 100)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub verb: Verb,
}

/// What every verb takes.
#[derive(Group, Debug)]
pub struct Common {
    /// Errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say why
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Colours in what is said
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub color: Colour,
    /// One JSON document instead of text; diagnostics as JSON lines
    #[arg(long, global = true)]
    pub json: bool,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal
    Auto,
    /// Everywhere
    Always,
    /// Nowhere
    Never,
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Read models: every mistake in one run
    Check(Check),
    /// Print the derived gradient graph
    Grad(Grad),
    /// Derive step by step, with numbers where data is given; or explain an error code, an operator, a function
    Explain(Explain),
    /// Values of loss, outputs and metrics; with --grad also gradients
    Eval(Eval),
    /// Check gradients numerically, and optimised against unoptimised
    Verify(Verify),
    /// Minibatch training
    Train(Box<Train>),
    /// Time, flops and bytes of a call, and of its steps
    Bench(Bench),
    /// Print the forward graph
    Graph(Graph),
    /// Canonical layout
    Fmt(Fmt),
}

/// `check`
#[derive(Group, Debug)]
pub struct Check {
    /// Models; `-` is standard input
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

/// Where the model comes from.
#[derive(Group, Debug, Clone)]
pub struct Model {
    /// The model; `-` is standard input
    #[arg(required_unless_present = "expression")]
    pub file: Option<PathBuf>,
    /// A formula instead of a file, perhaps with declarations before it
    #[arg(short = 'e', long = "expression", value_name = "TEXT", conflicts_with = "file")]
    pub expression: Option<String>,
}

/// Which derivative.
#[derive(Group, Debug, Clone)]
pub struct Select {
    /// The value to differentiate (default: the one loss)
    #[arg(long, value_name = "NAME")]
    pub of: Option<String>,
    /// The variables, with globs (default: the file's `grad` line, else every unfrozen parameter)
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub wrt: Vec<String>,
    /// Which derivative
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    /// What a variable moves along in jvp and hvp, instead of an input v_NAME
    #[arg(long, value_name = "NAME=VALUE")]
    pub tangent: Vec<String>,
    /// How many times over
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub order: u8,
}

/// Modes of differentiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The gradient of a scalar
    Grad,
    /// A vector by the Jacobian: inputs v_NAME appear
    Vjp,
    /// The Jacobian by a vector: inputs v_NAME appear
    Jvp,
    /// The Hessian by a vector: inputs v_NAME appear
    Hvp,
    /// All partial derivatives
    Jacobian,
    /// All second partial derivatives
    Hessian,
}

/// How much the derived graph is worked on.
#[derive(Group, Debug, Clone, Copy)]
pub struct Optimise {
    /// 0: as derived, 1: readable (the default for printing), 2: what runs (the default for running)
    #[arg(short = 'O', value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub level: Option<u8>,
    /// The same as -O0
    #[arg(long)]
    pub raw: bool,
}

impl Optimise {
    /// The level that is meant.
    pub fn level(self) -> Level {
        if self.raw || self.level == Some(0) { Level::Derived } else { Level::Readable }
    }

    /// Whether less is meant than what runs fastest.
    pub fn is_plain(self) -> bool {
        self.raw || self.level.is_some_and(|level| level < 2)
    }
}

/// Where the result goes.
#[derive(Group, Debug, Clone)]
pub struct Target {
    /// The form (default: by the suffix of -o, else nn)
    #[arg(long, value_enum)]
    pub to: Option<Form>,
    /// A file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// One statement, or one box, for each call of a fn or layer, and one for its adjoint: to be looked at, not read again
    #[arg(long)]
    pub fold: bool,
}

/// Forms of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The language
    Nn,
    /// A JSON document
    Json,
    /// Graphviz
    Dot,
    /// Mermaid
    Mermaid,
    /// Equations of a LaTeX document
    Latex,
    /// A picture of the reverse network
    Svg,
    /// The reverse network with its derivation, as one page
    Html,
}

/// `grad`
#[derive(Group, Debug)]
pub struct Grad {
    #[command(flatten)]
    pub model: Model,
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub optimise: Optimise,
    #[command(flatten)]
    pub target: Target,
    /// The complete model: declarations, forward, adjoint, outputs
    #[arg(long)]
    pub full: bool,
    /// Nodes after each pass and the laws that were used, on standard error
    #[arg(long)]
    pub passes: bool,
    /// Flops and bytes of each source line, in the dimensions
    #[arg(long)]
    pub cost: bool,
    /// Another model: where its gradients differ from these, as mathematics; exit code 1 if they do
    #[arg(long, value_name = "OTHER", conflicts_with_all = ["full", "passes", "cost", "to", "fold"])]
    pub diff: Option<PathBuf>,
}

/// `graph`
#[derive(Group, Debug)]
pub struct Graph {
    #[command(flatten)]
    pub model: Model,
    #[command(flatten)]
    pub target: Target,
    /// Flops and bytes of each source line, in the dimensions
    #[arg(long)]
    pub cost: bool,
}

/// What variables and dimensions are given.
#[derive(Group, Debug, Clone, Default)]
pub struct Data {
    /// A value: `[1, 2]` `3.5` `@f.npy` `@f.npz:key` `@f.csv:col,col` `randn` `zeros` `full:0.1`
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// A file of arrays: npz, safetensors, csv with a header
    #[arg(long, value_name = "FILE")]
    pub data: Vec<PathBuf>,
    /// Parameters saved before
    #[arg(long, value_name = "FILE")]
    pub load: Vec<PathBuf>,
    /// The size of a dimension
    #[arg(long, value_name = "NAME=SIZE")]
    pub dim: Vec<String>,
    /// Rows A to B (not included) of every array of --data that an input takes
    #[arg(long, value_name = "A..B")]
    pub rows: Option<String>,
    /// The seed of all that is random [default: 0; in training that of the `train` block]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Run the model as in a training step: `training` is true
    #[arg(long)]
    pub training: bool,
    /// Run the model at another precision
    #[arg(long, value_name = "f32|f64", value_parser = ["f32", "f64"])]
    pub dtype: Option<String>,
}

impl Data {
    /// The seed that is meant.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(0)
    }
}

/// What models run on.
#[derive(Group, Debug, Clone)]
pub struct Machine {
    /// So many threads (default: PULLBACK_THREADS, else as many as there are cores)
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// The SIMD instructions: portable, avx2, avx512 (default: the best of this machine)
    #[arg(long, value_name = "LEVEL")]
    pub simd: Option<String>,
    /// Elementary functions as the reference computes them, one element at a time
    #[arg(long)]
    pub precise: bool,
    /// One operator after the other by the reference executor, as with -O0 and -O1
    #[arg(long)]
    pub reference: bool,
    /// At most so many bytes: `64M`, `1.5GiB`. Variables, results and all between count, which lie in one block (bench shows
    /// it), not what threads use for tiles and panels. Values that find no room are computed again, with the same bits (but
    /// for the last digits of sums over the steps of loops, which go in segments); where that does not suffice, the least that
    /// would do is told
    #[arg(long, value_name = "BYTES", value_parser = super::memory::parsed, conflicts_with = "reference")]
    pub mem: Option<usize>,
}

fn threads(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&threads| threads > 0).ok_or_else(|| "a number from 1 on".into())
}

/// `eval`
#[derive(Group, Debug)]
pub struct Eval {
    #[command(flatten)]
    pub model: Model,
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub optimise: Optimise,
    #[command(flatten)]
    pub machine: Machine,
    /// Gradients too
    #[arg(long)]
    pub grad: bool,
    /// The updated states too
    #[arg(long)]
    pub updates: bool,
    /// Where a result is NaN or infinite, say where that comes from, and end with exit code 1
    #[arg(long)]
    pub trap_nan: bool,
    /// The form of the result
    #[arg(long, value_enum)]
    pub to: Option<Numbers>,
    /// A file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Forms of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Numbers {
    /// For people
    Text,
    /// A JSON document
    Json,
    /// A NumPy archive: results under their names, gradients as `grad.NAME`, updated states as `state.NAME`
    Npz,
}

/// `bench`
#[derive(Group, Debug)]
pub struct Bench {
    #[command(flatten)]
    pub model: Model,
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub machine: Machine,
    /// Values only, without gradients
    #[arg(long, conflicts_with = "step")]
    pub forward: bool,
    /// Outputs and metrics too
    #[arg(long)]
    pub all: bool,
    /// One step of gradient descent at this rate, which changes the parameters
    #[arg(long, value_name = "RATE")]
    pub step: Option<f64>,
    /// The slowest steps with their source lines
    #[arg(long)]
    pub nodes: bool,
    /// For about so long
    #[arg(long, default_value_t = 1.0)]
    pub seconds: f64,
}

/// `verify`
#[derive(Group, Debug)]
pub struct Verify {
    #[command(flatten)]
    pub model: Model,
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub select: Select,
    #[command(flatten)]
    pub machine: Machine,
}

/// `train`
#[derive(Group, Debug, Clone)]
pub struct Train {
    #[command(flatten)]
    pub model: Model,
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub recipe: Recipe,
    #[command(flatten)]
    pub machine: Machine,
    /// Data to validate on, instead of a part of the rows: a file of arrays, or a value as for --set
    #[arg(long, value_name = "FILE|NAME=VALUE")]
    pub val_data: Vec<String>,
    /// The trained parameters and states, as safetensors or npz by the suffix. `{batch}` and `{lr}` in the name become those of
    /// the training; where several are compared and the name has neither, the best is saved
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// A line for each epoch in a file: JSON lines or csv, by the suffix
    #[arg(long, value_name = "run.jsonl|run.csv")]
    pub log: Option<PathBuf>,
    /// The loss curves as a picture; several trainings are drawn into one
    #[arg(long, value_name = "loss.svg")]
    pub plot: Option<PathBuf>,
    /// The loss curves on the terminal, at the end
    #[arg(long)]
    pub curve: bool,
    /// Lay all aside in a file now and then: `every=1epoch`, `every=500step`; the file is that of --save with the suffix
    /// .ckpt, else that of the model, or `every=1epoch,file=NAME.ckpt`. For one training, not where several are compared
    #[arg(long, value_name = "every=N(step|epoch)")]
    pub checkpoint: Option<String>,
    /// Go on from a checkpoint, with what the command line was then; --epochs is the total
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// The step as a model, instead of training: forward, adjoint, and what the optimiser makes of it
    #[arg(long)]
    pub print_step: bool,
}

/// How a model is trained; what is not said is as its `train` block says.
#[derive(Group, Debug, Clone)]
pub struct Recipe {
    /// The loss (default: the one loss)
    #[arg(long, value_name = "NAME")]
    pub of: Option<String>,
    /// The parameters to train, with globs (default: every unfrozen one)
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub wrt: Vec<String>,
    /// Rows of a step, or `all` [default: 32]; several, with commas, are compared
    #[arg(long, value_name = "ROWS,...", value_delimiter = ',')]
    pub batch: Vec<String>,
    /// How often all rows are seen [default: 10]
    #[arg(long, value_name = "N")]
    pub epochs: Option<u64>,
    /// The optimiser with its numbers: `sgd`, `momentum`, `nesterov`, `adagrad`, `rmsprop`, `adam`, `adamw` [default: adam]
    #[arg(long, value_name = "NAME:lr=0.1,...")]
    pub opt: Option<String>,
    /// The rate of the optimiser; several, with commas, are compared
    #[arg(long, value_name = "RATE,...", value_delimiter = ',', allow_negative_numbers = true)]
    pub lr: Vec<String>,
    /// How the rate changes: `constant`, `step`, `cosine`, `warmup`; numbers of epochs [default: constant]
    #[arg(long, value_name = "NAME:warmup=1,...")]
    pub schedule: Option<String>,
    /// The largest norm of all gradients together
    #[arg(long, value_name = "NORM")]
    pub clip: Option<String>,
    /// The largest absolute value of an entry of a gradient
    #[arg(long, value_name = "VALUE")]
    pub clip_value: Option<String>,
    /// So much of a parameter is added to its gradient
    #[arg(long, value_name = "DECAY")]
    pub weight_decay: Option<String>,
    /// The gradients of so many batches make one update
    #[arg(long, value_name = "BATCHES")]
    pub accumulate: Option<String>,
    /// The part of the rows that is kept back to validate
    #[arg(long, value_name = "PART")]
    pub val: Option<String>,
    /// End once all of these losses and metrics are reached after an epoch: `accuracy>=0.98`
    #[arg(long, value_name = "NAME>=VALUE,...", value_delimiter = ',')]
    pub until: Vec<String>,
    /// End after so many epochs without a smaller loss
    #[arg(long, value_name = "EPOCHS")]
    pub patience: Option<u64>,
    /// Keep and save the parameters after the epoch with the smallest loss, over the rows that validate where there are some,
    /// instead of the last
    #[arg(long)]
    pub best: bool,
}

/// `explain`
#[derive(Group, Debug)]
pub struct Explain {
    /// A model, `-` is standard input; or an error code such as E0201, an operator, a function
    #[arg(value_name = "FILE", required_unless_present = "expression")]
    pub topic: Option<String>,
    /// What changes the value: a parameter, an input, a named value, or one entry of it as in `W1[1,0]` (default: the file's
    /// `grad` line, else every unfrozen parameter)
    pub node: Option<String>,
    /// A formula instead of a file, perhaps with declarations before it
    #[arg(short = 'e', long = "expression", value_name = "TEXT")]
    pub expression: Option<String>,
    /// The value to explain (default: the one loss)
    #[arg(long, value_name = "NAME")]
    pub of: Option<String>,
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub machine: Machine,
    /// The form (default: by the suffix of -o, else text)
    #[arg(long, value_enum)]
    pub to: Option<Page>,
    /// A file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The language of the sentences
    #[arg(long, value_enum, default_value_t = Lang::En)]
    pub lang: Lang,
}

/// Forms of an explanation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// For a terminal
    Text,
    /// A fragment of a LaTeX document
    Latex,
    /// One file with MathML
    Html,
    /// A JSON document
    Json,
}

/// Languages of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// English
    En,
    /// Chinese
    Zh,
}

/// `fmt`
#[derive(Group, Debug)]
pub struct Fmt {
    /// Models; `-` is standard input, whose layout goes to standard output
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Change nothing; exit code 1 where a layout differs
    #[arg(long)]
    pub check: bool,
    /// Change nothing; print the differing lines
    #[arg(long)]
    pub diff: bool,
}
