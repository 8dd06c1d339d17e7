//! `pullback fmt`: canonical layout.

use super::args::{Common, Fmt};
use super::out::{self, Failure};
use super::session::text_of;
use crate::syntax;
use std::path::Path;

/// Lays out each file anew, or says where a layout differs.
pub fn fmt(common: &Common, args: &Fmt) -> Result<(), Failure> {
    let (mut differs, mut bad) = (false, false);
    for path in &args.files {
        let source = text_of(path)?;
        let laid = match syntax::format(&source.1) {
            Ok(laid) => laid,
            Err(diagnostics) => {
                out::diagnostics(common, &diagnostics, std::slice::from_ref(&source));
                bad = true;
                continue;
            }
        };
        let changed = laid != source.1;
        differs |= changed;
        if args.diff {
            out::result(&difference(&source.0, &source.1, &laid), None)?;
        } else if args.check {
            if changed {
                out::talk(common.quiet, &format!("{}: the layout differs", source.0));
            }
        } else if path == Path::new("-") {
            out::result(&laid, None)?;
        } else if changed {
            out::result(&laid, Some(path))?;
        }
    }
    if bad || (args.check && differs) { Err(Failure::Said(1)) } else { Ok(()) }
}

/// The lines that differ, with the lines that stay around them left out.
fn difference(name: &str, before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    if before == after {
        return String::new();
    }
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail =
        old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (gone, come) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut text = format!(
        "--- {name}\n+++ {name}\n@@ -{},{} +{},{} @@\n",
        head + 1,
        gone.len(),
        head + 1,
        come.len()
    );
    for line in gone {
        text.push_str(&format!("-{line}\n"));
    }
    for line in come {
        text.push_str(&format!("+{line}\n"));
    }
    text
}
