//! Names of what statements share: each stands for one thing on the whole page.

use crate::compile::lecture::Lecture;
use crate::graph::Output;
use crate::graph::print::Stated;
use rustc_hash::{FxHashMap, FxHashSet};

/// What statements share.
#[derive(Clone, Default)]
pub struct Temporaries {
    /// Names that mean something else.
    taken: FxHashSet<String>,
    /// What each name stands for.
    texts: FxHashMap<String, String>,
    told: FxHashSet<String>,
}

impl Temporaries {
    /// None yet, beside the values of a lecture.
    pub fn new(lecture: &Lecture) -> Temporaries {
        let taken = lecture.named().map(|(_, name)| name.to_string()).collect();
        Temporaries { taken, ..Temporaries::default() }
    }

    /// The statements with names of their own for all but the `results`: the same thing has the same name, another thing
    /// another one.
    pub fn settled(&mut self, stated: Vec<Stated>, results: &[Output]) -> Vec<Stated> {
        let mut names: FxHashMap<String, String> = FxHashMap::default();
        let settled = stated.into_iter().map(|mut stated| {
            if !stated.code.is_empty() {
                return stated;
            }
            stated.text = renamed(&stated.text, &names);
            if !results.iter().any(|output| *output.name == *stated.name) {
                let name = self.name(&stated.name, &stated.text);
                if name != stated.name {
                    names.insert(std::mem::replace(&mut stated.name, name.clone()), name);
                }
            }
            stated
        });
        settled.collect()
    }

    fn name(&mut self, wanted: &str, text: &str) -> String {
        let stem = wanted.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let (stem, first) = match stem.strip_suffix('_') {
            Some(stem) if stem.len() + 1 < wanted.len() => (stem, wanted[stem.len() + 1..].parse()),
            _ => (wanted, Ok(1u32)),
        };
        let more =
            (first.unwrap_or(1).saturating_add(1)..).map(|number| format!("{stem}_{number}"));
        let mut names = std::iter::once(wanted.to_string()).chain(more);
        let free = |name: &String| match self.texts.get(name) {
            Some(known) => known == text,
            None => !self.taken.contains(name),
        };
        let name = names.find(free).unwrap_or_else(|| wanted.into());
        self.texts.insert(name.clone(), text.into());
        name
    }

    /// Whether it is told of for the first time.
    pub fn is_news(&mut self, name: &str) -> bool {
        self.told.insert(name.into())
    }
}

/// An expression with other names in it.
pub fn renamed(text: &str, names: &FxHashMap<String, String>) -> String {
    let mut out = String::new();
    for word in text.split_inclusive(|letter| !is_letter(letter)) {
        let name = word.trim_end_matches(|letter| !is_letter(letter));
        out.push_str(names.get(name).map_or(name, String::as_str));
        out.push_str(&word[name.len()..]);
    }
    out
}

/// Whether the name is in an expression.
pub fn mentions(text: &str, name: &str) -> bool {
    text.split(|letter| !is_letter(letter)).any(|word| word == name)
}

fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '.'
}
