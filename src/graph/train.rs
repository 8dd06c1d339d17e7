//! How a model is trained where nothing else is said.

use crate::ops::Number;
use std::fmt;

/// The law by which a step of training adds to a model: what it makes of gradients is printed behind them.
pub const MADE: &str = "step of training";

/// What `train { ... }` says; what it leaves open is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Training {
    /// What makes steps of gradients.
    pub optimiser: Option<Rule<Method>>,
    /// How many rows a step sees.
    pub batch: Option<Batch>,
    /// How often all rows are seen.
    pub epochs: Option<u64>,
    /// The seed of all that is random.
    pub seed: Option<u64>,
    /// The part of the rows that is kept back to validate, at least 0 and below 1.
    pub val: Option<Number>,
    /// The largest norm of all gradients together, above 0.
    pub clip: Option<Number>,
    /// The largest absolute value of an entry of a gradient, above 0.
    pub clip_value: Option<Number>,
    /// So much of a parameter is added to its gradient; not below 0.
    pub weight_decay: Option<Number>,
    /// The gradients of so many batches make one update, at least 1.
    pub accumulate: Option<u64>,
    /// How the rate changes from step to step.
    pub schedule: Option<Rule<Schedule>>,
}

/// The rows of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// All there are.
    All,
    /// So many, at least 1.
    Rows(u64),
}

/// A rule with all of its numbers, in the order of its row.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule<K> {
    /// Which one.
    pub kind: K,
    /// Its numbers.
    pub numbers: Vec<Number>,
}

/// A row of a table of rules: the rule, its name, its numbers by name with what they may be and are if nothing is said.
pub type Row<K> = (K, &'static str, &'static [(&'static str, Limit, &'static str)]);

/// What a number may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Above 0.
    Positive,
    /// 0 or above.
    NotNegative,
    /// At least 0 and below 1.
    Fraction,
    /// A whole number, 0 or above.
    Whole,
    /// A whole number, 1 or above.
    Count,
}

/// Optimisers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `w - lr * g`
    Sgd,
    /// `v = momentum * v + g`, `w - lr * v`
    Momentum,
    /// Momentum that looks ahead: `w - lr * (g + momentum * v)`
    Nesterov,
    /// Divides by the root of the sum of squares.
    Adagrad,
    /// Divides by the root of a running mean of squares.
    Rmsprop,
    /// Running means of gradients and of their squares, corrected for their start.
    Adam,
    /// Adam with decay that does not pass through the means.
    Adamw,
}

/// How a rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// Times `factor` after every so many epochs.
    Step,
    /// Falls as a cosine to `floor` times the rate, after a linear rise over `warmup` epochs.
    Cosine,
    /// A linear rise over so many epochs, then constant.
    Warmup,
}

use Limit::{Count, Fraction, NotNegative, Positive, Whole};

/// The optimisers.
pub const METHODS: &[Row<Method>] = &[
    (Method::Sgd, "sgd", &[("lr", Positive, "0.01")]),
    (Method::Momentum, "momentum", &[("lr", Positive, "0.01"), ("momentum", Fraction, "0.9")]),
    (Method::Nesterov, "nesterov", &[("lr", Positive, "0.01"), ("momentum", Fraction, "0.9")]),
    (Method::Adagrad, "adagrad", &[("lr", Positive, "0.01"), ("eps", Positive, "1e-10")]),
    (
        Method::Rmsprop,
        "rmsprop",
        &[("lr", Positive, "0.01"), ("decay", Fraction, "0.99"), ("eps", Positive, "1e-8")],
    ),
    (
        Method::Adam,
        "adam",
        &[
            ("lr", Positive, "0.001"),
            ("beta1", Fraction, "0.9"),
            ("beta2", Fraction, "0.999"),
            ("eps", Positive, "1e-8"),
        ],
    ),
    (
        Method::Adamw,
        "adamw",
        &[
            ("lr", Positive, "0.001"),
            ("beta1", Fraction, "0.9"),
            ("beta2", Fraction, "0.999"),
            ("eps", Positive, "1e-8"),
            ("weight_decay", NotNegative, "0.01"),
        ],
    ),
];

/// The schedules.
pub const SCHEDULES: &[Row<Schedule>] = &[
    (Schedule::Constant, "constant", &[]),
    (Schedule::Step, "step", &[("every", Count, "10"), ("factor", Positive, "0.1")]),
    (Schedule::Cosine, "cosine", &[("warmup", Whole, "0"), ("floor", Fraction, "0")]),
    (Schedule::Warmup, "warmup", &[("epochs", Whole, "1")]),
];

impl<K: Copy + PartialEq + 'static> Rule<K> {
    /// The rule with the numbers that it has if nothing is said.
    pub fn usual(kind: K, table: &[Row<K>]) -> Rule<K> {
        let row = table.iter().find(|(known, ..)| *known == kind).expect("each rule has a row");
        let usual = row.2.iter().map(|(.., usual)| Number::parse(usual).expect("a number"));
        Rule { kind, numbers: usual.collect() }
    }

    /// Reads `adam:lr=1e-3,beta1=0.8`, the numbers that are not given as they are if nothing is said.
    pub fn parse(text: &str, what: &str, table: &[Row<K>]) -> Result<Rule<K>, String> {
        let (name, given) = text.split_once(':').unwrap_or((text, ""));
        let (name, names) = (name.trim(), table.iter().map(|(_, name, _)| *name));
        let Some((kind, _, params)) = table.iter().find(|(_, known, _)| *known == name) else {
            let known: Vec<&str> = names.clone().collect();
            let near = crate::diagnostic::nearest(name, names);
            let help = near.map_or(format!("there are {}", known.join(", ")), |near| {
                format!("did you mean `{near}`?")
            });
            return Err(format!("no {what} is called `{name}`; {help}"));
        };
        let mut rule = Rule::usual(*kind, table);
        for part in given.split(',').filter(|part| !part.trim().is_empty()) {
            let (own, value) =
                part.split_once('=').map_or(("", part), |(own, value)| (own.trim(), value));
            let known: Vec<&str> = params.iter().map(|(known, ..)| *known).collect();
            let place = known.iter().position(|known| *known == own).ok_or_else(|| match known
                .is_empty()
            {
                true => format!("`{name}` has no numbers"),
                false => {
                    format!("`{name}` has the numbers {}, not `{}`", known.join(", "), part.trim())
                }
            })?;
            rule.numbers[place] = params[place].1.parse(own, value)?;
        }
        Ok(rule)
    }

    /// The same rule with another number.
    pub fn with(mut self, table: &[Row<K>], name: &str, number: Number) -> Rule<K> {
        let row = table.iter().find(|(kind, ..)| *kind == self.kind);
        let place = row.and_then(|row| row.2.iter().position(|(known, ..)| *known == name));
        if let Some(place) = place {
            self.numbers[place] = number;
        }
        self
    }

    /// The rule's number of that name, if it has one.
    pub fn number(&self, table: &[Row<K>], name: &str) -> Option<Number> {
        let (_, _, params) = table.iter().find(|(kind, ..)| *kind == self.kind)?;
        let place = params.iter().position(|(known, ..)| *known == name)?;
        self.numbers.get(place).copied()
    }

    /// The rule as the language writes it: the first number, and those that are not as they would be if nothing were said.
    pub fn text(&self, table: &[Row<K>]) -> String {
        let row = table.iter().find(|(kind, ..)| *kind == self.kind);
        let (_, name, params) = row.expect("each rule has a row");
        let given = params.iter().zip(&self.numbers).enumerate();
        let given = given.filter(|(place, ((.., usual), number))| {
            *place == 0 || Number::parse(usual) != Some(**number)
        });
        let given: Vec<String> =
            given.map(|(_, ((name, ..), number))| format!("{name} = {number}")).collect();
        format!("{name}({})", given.join(", "))
    }
}

impl Limit {
    /// Reads the number `name` within the limit.
    pub fn parse(self, name: &str, text: &str) -> Result<Number, String> {
        let number = Number::parse(text.trim());
        number
            .filter(|number| self.holds(*number))
            .ok_or_else(|| format!("`{name}` is {self}, not `{}`", text.trim()))
    }

    /// Whether the number may be.
    pub fn holds(self, number: Number) -> bool {
        let value = number.to_f64();
        let whole = number.to_i64();
        value.is_finite()
            && match self {
                Positive => value > 0.0,
                NotNegative => value >= 0.0,
                Fraction => (0.0..1.0).contains(&value),
                Whole => whole.is_some_and(|value| value >= 0),
                Count => whole.is_some_and(|value| value >= 1),
            }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Positive => "a number above 0",
            NotNegative => "a number of 0 or more",
            Fraction => "a number from 0 to below 1",
            Whole => "a whole number of 0 or more",
            Count => "a whole number of 1 or more",
        })
    }
}

impl Training {
    /// The settings as the language writes them.
    pub fn settings(&self) -> Vec<String> {
        let mut settings: Vec<String> = Vec::new();
        let mut say = |name: &str, value: Option<String>| {
            settings.extend(value.map(|value| format!("{name} = {value}")));
        };
        say(
            "batch",
            self.batch.map(|batch| match batch {
                Batch::All => "all".into(),
                Batch::Rows(rows) => rows.to_string(),
            }),
        );
        say("epochs", self.epochs.map(|epochs| epochs.to_string()));
        say("seed", self.seed.map(|seed| seed.to_string()));
        say("val", self.val.map(|val| val.to_string()));
        say("clip", self.clip.map(|clip| clip.to_string()));
        say("clip_value", self.clip_value.map(|clip| clip.to_string()));
        say("weight_decay", self.weight_decay.map(|decay| decay.to_string()));
        say("accumulate", self.accumulate.map(|batches| batches.to_string()));
        say("schedule", self.schedule.as_ref().map(|schedule| schedule.text(SCHEDULES)));
        let optimiser = self.optimiser.as_ref().map(|optimiser| optimiser.text(METHODS));
        optimiser.into_iter().chain(settings).collect()
    }
}
