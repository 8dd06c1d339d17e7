//! The files that a model uses, and those that these use.

use crate::diagnostic::{Diagnostic, Span};
use crate::lower::{PRELUDE, Unit};
use crate::syntax;
use crate::syntax::ast::{Ast, ItemKind};

/// Gives the files that models use: the compiler itself knows none.
pub trait Source {
    /// The file that `path` means in the file of name `from`; in the model itself that is `None`.
    fn open(&self, from: Option<&str>, path: &str) -> Result<File, Refusal>;

    /// The name of the model's own file, if it has one.
    fn model(&self) -> Option<String> {
        None
    }
}

/// A file that a model uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What it is called in messages; two files never have one name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such file.
    #[error("no file `{0}` is there")]
    Missing(String),
    /// It does not lie in the folder of the file that uses it, or below.
    #[error("`{0}` lies outside of the folder of this file")]
    Outside(String),
    /// A link is on the way to it.
    #[error("`{0}` is reached by a link")]
    Linked(String),
    /// It is there, and cannot be read.
    #[error("`{0}` cannot be read: {1}")]
    Unreadable(String, String),
}

/// The source of a text that has no files beside it.
pub struct Nowhere;

impl Source for Nowhere {
    fn open(&self, _: Option<&str>, path: &str) -> Result<File, Refusal> {
        Err(Refusal::Unreadable(path.into(), "this text has no files beside it".into()))
    }
}

/// So many files are used at most.
const FILES: usize = 1000;

/// The files that a model uses.
#[derive(Default)]
pub struct Imports {
    /// The files in the order of their numbers, from the one behind the prelude's on.
    pub files: Vec<File>,
    /// Their trees.
    pub units: Vec<Unit>,
    /// What the model itself uses: numbers of files, with the places where it says so.
    pub uses: Vec<(usize, Span)>,
    /// What is to be said of the files.
    pub diagnostics: Vec<Diagnostic>,
}

/// A file whose `use` statements are being followed.
struct Open {
    /// Its number among the used files; `None` is the model.
    file: Option<usize>,
    /// Its `use` statements that are left, the next one last.
    left: Vec<(String, Span)>,
}

/// Reads all files that the model of tree `main` uses, each once.
pub fn imports(main: &Ast, source: &dyn Source) -> Imports {
    let mut imports = Imports::default();
    let mut open = vec![Open { file: None, left: statements(main) }];
    while let Some(user) = open.last_mut() {
        let from = user.file;
        let Some((path, at)) = user.left.pop() else {
            open.pop();
            continue;
        };
        let name = from.map(|file| imports.files[file].name.clone());
        match source.open(name.as_deref(), &path) {
            Ok(file) if source.model().is_some_and(|model| model == file.name) => {
                imports.circle(&file.name, &open[1..], at);
            }
            Ok(file) => {
                let known = imports.files.iter().position(|known| known.name == file.name);
                let start = open.iter().position(|user| known.is_some() && user.file == known);
                if let Some(start) = start {
                    imports.circle(&file.name, &open[start + 1..], at);
                    continue;
                }
                if known.is_none() && imports.files.len() == FILES {
                    let message = format!("more than {FILES} files are used");
                    let help = "put several in one file";
                    imports.diagnostics.push(Diagnostic::error("E0125", at, message).help(help));
                    return imports;
                }
                let number = known.unwrap_or_else(|| {
                    let left = imports.read(file);
                    open.push(Open { file: Some(imports.files.len() - 1), left });
                    imports.files.len() - 1
                });
                imports.used_by(from, number, at);
            }
            Err(refusal) => imports.refused(refusal, at),
        }
    }
    imports
}

/// The `use` statements of a file, the first one last.
fn statements(ast: &Ast) -> Vec<(String, Span)> {
    let uses = ast.items.iter().rev().filter_map(|item| match &item.kind {
        ItemKind::Use(path, span) => Some((path.to_string(), *span)),
        _ => None,
    });
    uses.collect()
}

impl Imports {
    /// Reads a new file; returns what it uses.
    fn read(&mut self, file: File) -> Vec<(String, Span)> {
        let number = self.number(self.files.len());
        let (ast, diagnostics) = syntax::parse(&file.text, number as u16);
        let left = statements(&ast);
        self.diagnostics.extend(diagnostics);
        self.units.push(Unit { ast, text: file.text.clone(), uses: Vec::new() });
        self.files.push(file);
        left
    }

    /// The number that a used file has in spans.
    fn number(&self, file: usize) -> usize {
        file + usize::from(PRELUDE) + 1
    }

    fn used_by(&mut self, from: Option<usize>, file: usize, at: Span) {
        let number = self.number(file);
        let uses = match from {
            Some(from) => &mut self.units[from].uses,
            None => &mut self.uses,
        };
        if !uses.iter().any(|(known, _)| *known == number) {
            uses.push((number, at));
        }
    }

    /// Reports that the file of this name is used again by the last of those that it uses, one by the other.
    fn circle(&mut self, name: &str, through: &[Open], at: Span) {
        let mut through = through.iter().filter_map(|user| Some(&self.files[user.file?].name));
        let message = match (through.next(), through.count()) {
            (None, _) => format!("`{name}` uses itself"),
            (Some(one), 0) => format!("`{name}` uses itself, by `{one}`"),
            (Some(one), more) => format!("`{name}` uses itself, by `{one}` and {more} more"),
        };
        let help = "move what both need to a file that uses neither";
        self.diagnostics.push(Diagnostic::error("E0126", at, message).help(help));
    }

    fn refused(&mut self, refusal: Refusal, at: Span) {
        let help = match &refusal {
            Refusal::Missing(_) => "a path starts at the folder of the file that uses it",
            Refusal::Outside(_) => "use files of this folder, or of folders in it",
            Refusal::Linked(_) => "put the file itself there",
            Refusal::Unreadable(..) => "see to it that it can be read as text",
        };
        self.diagnostics.push(Diagnostic::error("E0125", at, refusal.to_string()).help(help));
    }
}
