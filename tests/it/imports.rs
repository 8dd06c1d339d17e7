//! Files that models use: from memory, and from the disk.

use super::command::{root, run_in, run_with};
use pullback::cli::files::Folder;
use pullback::compile::{File, Read, Refusal, Source, read_from};
use std::cell::RefCell;
use std::path::Path;

/// Files in memory, by their paths; counts how often each is opened.
struct Memory<F: Fn(&str) -> Option<String>>(F, RefCell<Vec<String>>);

impl<F: Fn(&str) -> Option<String>> Source for Memory<F> {
    fn open(&self, _: Option<&str>, path: &str) -> Result<File, Refusal> {
        self.1.borrow_mut().push(path.into());
        let text = (self.0)(path).ok_or_else(|| Refusal::Missing(path.into()))?;
        Ok(File { name: path.into(), text })
    }
}

fn read_with(text: &str, files: impl Fn(&str) -> Option<String>) -> Read {
    read_from(text, &[], &Memory(files, RefCell::default()))
}

fn number(path: &str) -> u32 {
    path.trim_start_matches('f').parse().expect("a number")
}

#[test]
fn each_file_is_one_file_however_often_it_is_used() {
    let files = |path: &str| {
        Some(match path {
            "a" => "use \"c\"; fn a(x: f32) -> f32 { return c(x) + 1 }".to_string(),
            "b" => "use \"c\"; use \"c\"; fn b(x: f32) -> f32 { return c(x) + 2 }".to_string(),
            "c" => "fn c(x: f32) -> f32 { return 2 * x }".to_string(),
            _ => return None,
        })
    };
    let read = read_with("use \"a\"\nuse \"b\"\nparam x: f32\nloss C = a(x) * b(x)\n", files);
    assert_eq!(read.diagnostics, []);
    let names: Vec<&str> = read.files.iter().map(|file| &*file.name).collect();
    assert_eq!(names, ["a", "c", "b"]);
    assert!(read.model.is_some());
    // What a file uses is not seen by those that use it.
    let read = read_with("use \"a\"\nparam x: f32\nloss C = c(x)\n", files);
    assert_eq!(read.diagnostics[0].code, "E0106");
}

#[test]
fn a_file_hides_what_the_prelude_has_and_only_for_itself() {
    let own = |_: &str| {
        Some("fn gelu(x: f32) -> f32 { return x }\nfn f(x: f32) -> f32 { return gelu(x) }".into())
    };
    let used = read_with("use \"a\"\nparam x: f32\nloss C = f(x)\n", own).model.expect("a model");
    assert_eq!(used.len(), 1, "f is x itself");
}

#[test]
fn long_chains_and_many_files_end() {
    let chain = |path: &str| {
        let number = number(path);
        Some(format!("use \"f{}\"\nfn f{number}(x: f32) -> f32 {{ return x }}\n", number + 1))
    };
    let read = read_with("use \"f0\"\nparam x: f32\nloss C = f0(x)\n", chain);
    assert!(read.model.is_none());
    assert!(read.diagnostics.iter().any(|said| said.message == "more than 1000 files are used"));
    let circle = |path: &str| Some(format!("use \"f{}\"\n", (number(path) + 1) % 900));
    let read = read_with("use \"f0\"\nparam x: f32\nloss C = x\n", circle);
    let said: Vec<&str> = read.diagnostics.iter().map(|said| &*said.message).collect();
    assert_eq!(said, ["`f0` uses itself, by `f1` and 898 more"]);
}

#[test]
fn links_lead_nowhere() {
    let folder = std::env::temp_dir().join(format!("pullback-imports-{}", std::process::id()));
    let inner = folder.join("inner");
    std::fs::create_dir_all(&inner).expect("a folder");
    std::fs::write(inner.join("f.nn"), "fn f(x: f32) -> f32 { return x }\n").expect("a file");
    std::fs::write(folder.join("binary.nn"), [0xff, 0xfe]).expect("a file");
    let open = |path: &str| Folder::of(Some(&folder.join("main.nn"))).open(None, path);
    assert!(open("inner/f.nn").is_ok());
    assert!(open("./inner//f.nn").is_ok());
    assert!(matches!(open("binary.nn"), Err(Refusal::Unreadable(..))));
    assert!(matches!(open(""), Err(Refusal::Unreadable(..))));
    assert!(matches!(open("inner/f.nn/g.nn"), Err(Refusal::Missing(_))));
    assert!(matches!(open("inner/../inner/f.nn"), Err(Refusal::Outside(_))));
    assert!(matches!(open("a\0b"), Err(Refusal::Unreadable(..))));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&inner, folder.join("link")).expect("a link");
        std::os::unix::fs::symlink(inner.join("f.nn"), folder.join("link.nn")).expect("a link");
        assert!(matches!(open("link/f.nn"), Err(Refusal::Linked(_))));
        assert!(matches!(open("link.nn"), Err(Refusal::Linked(_))));
    }
    std::fs::remove_dir_all(&folder).expect("it is there");
}

#[test]
fn standard_input_and_formulas_use_the_working_directory() {
    let file = "tests/cases/diagnostics/used/linear.nn";
    let text = format!("use \"{file}\"\ninput x: f32[3]\nloss C = sum(linear(x; 2))\n");
    let ran = run_with(&text, &["grad", "-"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("d_C.W = "), "{}", ran.stdout);
    let formula = "use \"linear.nn\"; input x: f32[3]; sum(linear(x; 2) as l1)";
    let ran = run_in(&root().join(Path::new(file)).with_file_name(""), &["grad", "-e", formula]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("d_l1.W = "), "{}", ran.stdout);
}
