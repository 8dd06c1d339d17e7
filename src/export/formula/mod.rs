//! Formulas as trees, to be typeset.

mod entry;
mod latex;
mod mathml;
mod notation;
mod read;
mod text;

pub use entry::{Entry, entry};
pub use latex::{latex, words as latex_words};
pub use mathml::{mathml, words as html_words};
pub use read::read;
pub use text::text;

/// A formula.
#[derive(Clone, Debug, PartialEq)]
pub enum Formula {
    /// A number, as it is written.
    Number(String),
    /// A name of the model: a value, a dimension.
    Name(String),
    /// A word of the language, or text in quotes.
    Word(String),
    /// The derivative of the first by the second: `dC/dW`.
    Partial(Box<Formula>, Box<Formula>),
    /// A small movement: `dW`.
    Differential(Box<Formula>),
    /// The slope of a function: `sigmoid'(z)`.
    Slope(String, Box<Formula>),
    /// `-x`, `not x`.
    Prefix(&'static str, Box<Formula>),
    /// `x + y`; `=` too, and `·`, which is `*` of two numbers.
    Infix(&'static str, Box<Formula>, Box<Formula>),
    /// A value in one round of a loop, in one of a loop within it: `h[t-1]`, `h[t,s]`.
    Stage(Box<Formula>, Vec<Formula>),
    /// `x'`.
    Transposed(Box<Formula>),
    /// `x[i, :]`.
    Index(Box<Formula>, Vec<Formula>),
    /// `x as [N, S]`.
    Renamed(Box<Formula>, Vec<Formula>),
    /// `sum[K](x)`.
    Call {
        /// The function.
        name: String,
        /// What stands in brackets.
        axes: Vec<Formula>,
        /// What stands in parentheses.
        args: Vec<Formula>,
    },
    /// `padding = 2`.
    Argument(String, Box<Formula>),
    /// `[x, y]`.
    List(Vec<Formula>),
    /// `a:b:s`, each may be left out.
    Slice(Vec<Option<Formula>>),
}

impl Formula {
    /// A name.
    pub fn name(name: &str) -> Formula {
        Formula::Name(name.into())
    }

    /// The derivative of `of` by `by`.
    pub fn partial(of: Formula, by: Formula) -> Formula {
        Formula::Partial(Box::new(of), Box::new(by))
    }

    /// The value in the round of that number, of a loop within the last one.
    pub fn stage(self, round: Formula) -> Formula {
        match self {
            Formula::Stage(of, mut rounds) => {
                rounds.push(round);
                Formula::Stage(of, rounds)
            }
            of => Formula::Stage(Box::new(of), vec![round]),
        }
    }

    /// `left symbol right`.
    pub fn infix(symbol: &'static str, left: Formula, right: Formula) -> Formula {
        Formula::Infix(symbol, Box::new(left), Box::new(right))
    }

    /// The element at `places`; the formula itself where there are none.
    pub fn at(self, places: Vec<Formula>) -> Formula {
        if places.is_empty() { self } else { Formula::Index(Box::new(self), places) }
    }

    /// `function(self)`.
    pub fn within(self, function: &str) -> Formula {
        Formula::Call { name: function.into(), axes: Vec::new(), args: vec![self] }
    }

    /// The same of parts that have been changed.
    pub fn map(&self, change: &mut dyn FnMut(&Formula) -> Formula) -> Formula {
        fn boxed(part: &Formula, change: &mut dyn FnMut(&Formula) -> Formula) -> Box<Formula> {
            Box::new(change(part))
        }
        fn all(parts: &[Formula], change: &mut dyn FnMut(&Formula) -> Formula) -> Vec<Formula> {
            parts.iter().map(change).collect()
        }
        match self {
            Formula::Number(_) | Formula::Name(_) | Formula::Word(_) => self.clone(),
            Formula::Partial(of, by) => Formula::Partial(boxed(of, change), boxed(by, change)),
            Formula::Differential(of) => Formula::Differential(boxed(of, change)),
            Formula::Slope(function, at) => Formula::Slope(function.clone(), boxed(at, change)),
            Formula::Prefix(symbol, x) => Formula::Prefix(symbol, boxed(x, change)),
            Formula::Infix(symbol, left, right) => {
                Formula::Infix(symbol, boxed(left, change), boxed(right, change))
            }
            Formula::Stage(of, rounds) => Formula::Stage(boxed(of, change), all(rounds, change)),
            Formula::Transposed(x) => Formula::Transposed(boxed(x, change)),
            Formula::Index(x, places) => Formula::Index(boxed(x, change), all(places, change)),
            Formula::Renamed(x, axes) => Formula::Renamed(boxed(x, change), axes.clone()),
            Formula::Call { name, axes, args } => {
                Formula::Call { name: name.clone(), axes: axes.clone(), args: all(args, change) }
            }
            Formula::Argument(name, value) => Formula::Argument(name.clone(), boxed(value, change)),
            Formula::List(items) => Formula::List(all(items, change)),
            Formula::Slice(ends) => {
                let end = |end: &Option<Formula>| end.as_ref().map(&mut *change);
                Formula::Slice(ends.iter().map(end).collect())
            }
        }
    }

    /// What stands between the signs of equality.
    pub fn sides(&self) -> Vec<&Formula> {
        let mut sides = Vec::new();
        let mut rest = self;
        while let Formula::Infix("=", left, right) = rest {
            sides.push(&**right);
            rest = left;
        }
        sides.push(rest);
        sides.reverse();
        sides
    }
}
