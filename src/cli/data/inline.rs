//! Numbers and nested lists written out: `[[1, -2], [1/3, nan]]`.

use ndarray::{ArrayD, IxDyn};

use super::elements::MAX_RANK;
use super::error::ValueError;
use crate::tensor::{DType, Tensor};

/// A list of lists, all of a depth alike: elements in row-major order, as exact as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Inline {
    /// The sizes of the axes; empty for a number alone.
    pub shape: Vec<usize>,
    /// As many as the shape asks for.
    pub elements: Vec<Literal>,
}

/// An element as written.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `true` or `false`.
    Bool(bool),
    /// An integer within 64 bits.
    Int(i64),
    /// A quotient of integers; the divisor is not 0.
    Ratio(i64, i64),
    /// Any other number, `nan`, `inf`, `-inf`: a text that `f64::from_str` reads.
    Decimal(String),
}

/// Reads a number, `true`, `false`, or a list of them, nested at most 64 deep.
pub fn parse_inline(text: &str) -> Result<Inline, ValueError> {
    let mut parser =
        Parser { text, at: 0, index: Vec::new(), levels: Vec::new(), elements: Vec::new() };
    parser.value()?;
    match parser.peek() {
        None => Ok(Inline {
            shape: parser.levels.iter().filter_map(|level| level.and_then(Level::size)).collect(),
            elements: parser.elements,
        }),
        Some(_) => parser.fault("something follows the value"),
    }
}

/// Reads one number, `true` or `false`.
pub fn parse_literal(text: &str) -> Option<Literal> {
    let number = |text: &str| {
        let sane = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        (sane && text.parse::<f64>().is_ok()).then(|| Literal::Decimal(text.to_string()))
    };
    match text {
        "true" => Some(Literal::Bool(true)),
        "false" => Some(Literal::Bool(false)),
        "nan" | "inf" | "+inf" | "-inf" => Some(Literal::Decimal(text.to_string())),
        _ => match text.split_once('/') {
            Some((above, below)) => {
                let below = below.trim_start().parse().ok().filter(|&below| below != 0)?;
                Some(Literal::Ratio(above.trim_end().parse().ok()?, below))
            }
            None => match text.parse() {
                Ok(0) if text.starts_with('-') => number(text),
                Ok(value) => Some(Literal::Int(value)),
                Err(_) => number(text),
            },
        },
    }
}

/// The tensor of the elements in `dtype`, each rounded once; integer and truth types refuse what they do not have.
pub fn inline_to_tensor(inline: &Inline, dtype: DType) -> Result<Tensor, ValueError> {
    fn array<T>(
        inline: &Inline,
        dtype: DType,
        convert: impl Fn(&Literal) -> Option<T>,
    ) -> Result<ArrayD<T>, ValueError> {
        let fault = |literal: &Literal| ValueError::Element { text: literal.to_string(), dtype };
        let elements = inline.elements.iter().map(|l| convert(l).ok_or_else(|| fault(l)));
        let elements = elements.collect::<Result<Vec<T>, _>>()?;
        Ok(ArrayD::from_shape_vec(IxDyn(&inline.shape), elements)
            .expect("a list has as many elements as its shape asks for"))
    }
    Ok(match dtype {
        DType::Bool => array(inline, dtype, Literal::to_bool)?.into(),
        DType::I32 => array(inline, dtype, |l| i32::try_from(l.to_i64()?).ok())?.into(),
        DType::I64 => array(inline, dtype, Literal::to_i64)?.into(),
        DType::F32 => array(inline, dtype, Literal::to_f32)?.into(),
        DType::F64 => array(inline, dtype, Literal::to_f64)?.into(),
    })
}

impl Literal {
    /// The truth value, if it is one.
    pub fn to_bool(&self) -> Option<bool> {
        match self {
            Literal::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The integer, if the number is one.
    pub fn to_i64(&self) -> Option<i64> {
        match self {
            Literal::Bool(_) => None,
            Literal::Int(value) => Some(*value),
            Literal::Ratio(above, below) => {
                (above.checked_rem(*below) == Some(0)).then(|| above / below)
            }
            Literal::Decimal(text) => text.parse().ok().and_then(integral),
        }
    }

    /// The nearest f64 of a number.
    pub fn to_f64(&self) -> Option<f64> {
        match self {
            Literal::Bool(_) => None,
            Literal::Int(value) => Some(*value as f64),
            Literal::Ratio(above, below) => Some(*above as f64 / *below as f64),
            Literal::Decimal(text) => text.parse().ok(),
        }
    }

    /// The nearest f32 of a number; of a quotient, of its f64.
    pub fn to_f32(&self) -> Option<f32> {
        match self {
            Literal::Int(value) => Some(*value as f32),
            Literal::Decimal(text) => text.parse().ok(),
            other => other.to_f64().map(|value| value as f32),
        }
    }
}

impl std::fmt::Display for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Literal::Bool(truth) => write!(f, "{truth}"),
            Literal::Int(value) => write!(f, "{value}"),
            Literal::Ratio(above, below) => write!(f, "{above}/{below}"),
            Literal::Decimal(text) => f.write_str(text),
        }
    }
}

/// The float as an integer, if it is one and no other integer rounds to it.
pub(super) fn integral(value: f64) -> Option<i64> {
    (value.trunc() == value && value.abs() < (1u64 << 53) as f64).then_some(value as i64)
}

/// What the first value at a depth was, which the others must be too.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    Number,
    List(usize),
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// Where in the lists we are.
    index: Vec<usize>,
    /// The first value's kind at each depth, outermost first; a list's is known at its end.
    levels: Vec<Option<Level>>,
    elements: Vec<Literal>,
}

impl Parser<'_> {
    fn value(&mut self) -> Result<(), ValueError> {
        if self.peek() != Some('[') {
            let literal = self.literal()?;
            self.elements.push(literal);
            return self.agree(Level::Number);
        }
        if self.index.len() == MAX_RANK {
            return self.fault(&format!("lists are nested more than {MAX_RANK} deep"));
        }
        self.at += 1;
        let mut size = 0;
        while self.peek() != Some(']') {
            if size > 0 && !self.eat(',') {
                return self.fault("`,` or `]` is missing");
            }
            self.index.push(size);
            self.value()?;
            self.index.pop();
            size += 1;
        }
        self.at += 1;
        self.agree(Level::List(size))
    }

    fn literal(&mut self) -> Result<Literal, ValueError> {
        let rest = &self.text[self.at..];
        let end = rest.find([',', '[', ']']).unwrap_or(rest.len());
        let word = rest[..end].trim_end();
        let literal = match word {
            "" => return self.fault("a number is missing"),
            word => parse_literal(word),
        };
        let Some(literal) = literal else {
            return self.fault(&format!(
                "`{}` is no number; numbers are `2` `-0.5` `1e-3` `1/3` `nan` `inf` `true`",
                abridged(word)
            ));
        };
        self.at += end;
        Ok(literal)
    }

    /// Compares a value that has just been read with the first at its depth.
    fn agree(&mut self, found: Level) -> Result<(), ValueError> {
        let depth = self.index.len();
        self.levels.resize(self.levels.len().max(depth + 1), None);
        let wanted = *self.levels[depth].get_or_insert(found);
        if wanted == found {
            return Ok(());
        }
        Err(ValueError::Ragged {
            row: self.index.clone(),
            found: found.to_string(),
            first: vec![0; depth],
            wanted: wanted.to_string(),
        })
    }

    /// The next character that is not blank.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    fn fault<T>(&self, what: &str) -> Result<T, ValueError> {
        Err(ValueError::Syntax {
            text: abridged(self.text),
            at: self.text[..self.at].chars().count() + 1,
            what: what.to_string(),
        })
    }
}

impl Level {
    fn size(self) -> Option<usize> {
        match self {
            Level::Number => None,
            Level::List(size) => Some(size),
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Level::Number => f.write_str("a number"),
            Level::List(size) => write!(f, "a list of {size}"),
        }
    }
}

/// The first 60 characters.
pub(super) fn abridged(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}
