//! Any bytes as a file of arrays in each form: an error, or arrays no larger than the file allows.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use pullback::cli::data::{open_set, read_idx, read_npy};
use std::path::Path;

const FORMS: [&str; 6] = ["npy", "npz", "safetensors", "csv", "idx", "idx.gz"];

fuzz_target!(|bytes: &[u8]| -> Corpus {
    // The first byte names the form, so that the fuzzer can learn each.
    let Some((&form, bytes)) = bytes.split_first() else { return Corpus::Reject };
    let Some(form) = FORMS.get(usize::from(form)) else { return Corpus::Reject };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(format!("a.{form}"));
    std::fs::write(&path, bytes).expect("written");
    for elements in read_all(&path, form) {
        // Deflate makes at most 1032 bytes of one.
        assert!(elements <= bytes.len() * 1100, "{elements} elements from {} bytes", bytes.len());
    }
    Corpus::Keep
});

/// How many elements each array has that can be read.
fn read_all(path: &Path, form: &str) -> Vec<usize> {
    let alone = match form {
        "npy" => read_npy(path),
        "idx" | "idx.gz" => read_idx(path),
        _ => {
            let Ok(mut set) = open_set(path) else { return Vec::new() };
            let names = set.names();
            let loaded = names.iter().filter_map(|name| set.get(name).ok());
            return loaded.map(|loaded| loaded.tensor.len()).collect();
        }
    };
    alone.map(|loaded| loaded.tensor.len()).into_iter().collect()
}
