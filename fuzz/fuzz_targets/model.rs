//! Any text through the whole pipeline: read, derived, simplified, printed and run at small sizes.

#![no_main]

#[path = "../../tests/it/pipeline.rs"]
mod pipeline;

use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|text: &str| -> Corpus {
    if text.len() > 4000 {
        return Corpus::Reject;
    }
    // As in the command, whose stack does not depend on the shell's limits.
    pipeline::deep({
        let text = text.to_string();
        move || pipeline::whole(&text)
    });
    Corpus::Keep
});
