//! Files of random and damaged bytes: an error, or an array no larger than the file allows, never a panic.

use std::path::Path;

use proptest::prelude::*;
use pullback::cli::data::{Opened, open_set, read_idx, read_npy};
use pullback::tensor::{DType, Tensor};

use super::{file, fixture, rows, same, temporary};

/// Reads all that is there.
fn read_all(path: &Path) -> Vec<Tensor> {
    let name = path.display().to_string();
    let alone = match name.rsplit('.').next() {
        Some("npy") => Some(read_npy(path)),
        Some("idx") => Some(read_idx(path)),
        _ => None,
    };
    if let Some(loaded) = alone {
        return loaded.map(|loaded| loaded.tensor).into_iter().collect();
    }
    let Ok(mut set) = open_set(path) else { return Vec::new() };
    let names = set.names();
    for name in &names {
        let whole = set.get(name).map(|loaded| loaded.tensor);
        match (whole, set.open(name)) {
            (Ok(whole), Ok(opened)) => by_rows(opened, Some(&whole)),
            (Err(_), Ok(opened)) => by_rows(opened, None),
            (Ok(_), Err(error)) => panic!("{name} can be read and not opened: {error}"),
            (Err(_), Err(_)) => {}
        }
    }
    names.iter().filter_map(|name| set.get(name).ok()).map(|loaded| loaded.tensor).collect()
}

/// The first and the last row of what is read row by row: those of the whole, if that can be read.
fn by_rows(opened: Opened, whole: Option<&Tensor>) {
    let dtype = opened.dtype();
    let (Some(&count), Opened::Raw(_)) = (opened.shape().first(), &opened) else { return };
    if count == 0 {
        return;
    }
    let set = match rows::try_set(opened, dtype, 0) {
        Ok(set) => set,
        Err(error) => {
            assert!(whole.is_none() && !error.to_string().is_empty(), "{error}");
            return;
        }
    };
    match (whole, rows::try_gather(&set, &[0, count - 1])) {
        (Some(whole), found) => {
            let wanted = rows::picked(whole, &[0, count - 1]);
            assert!(same(&found.expect("all rows can be read"), &wanted));
        }
        // A later row may be wrong, which these rows do not show.
        (None, Ok(found)) => assert_eq!(found.shape()[0], 2),
        (None, Err(error)) => assert!(!error.to_string().is_empty()),
    }
}

/// Sound files, one of each form.
fn sound() -> Vec<(&'static str, Vec<u8>)> {
    let read = |name: &str| std::fs::read(fixture(name)).expect("the fixture is there");
    let folder = temporary();
    let path = folder.path().join("small.npz");
    let small = [("x".to_string(), Tensor::full(DType::F32, &[2, 3], 1.0))];
    pullback::cli::data::write_npz(&path, &small, pullback::cli::data::Packing::Deflated)
        .expect("written");
    vec![
        ("a.npy", read("version2.npy")),
        ("a.npz", std::fs::read(path).expect("read")),
        ("a.npz", read("deflated.npz")),
        ("a.npz", read("stored.npz")),
        ("a.safetensors", read("library.safetensors")),
        ("a.csv", b"a,b,\"c\"\r\n1,2.5,nan\r\n-3,4,1e9\r\n".to_vec()),
        ("a.idx", vec![0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]),
    ]
}

fn bounded(path: &Path, length: usize) {
    for tensor in read_all(path) {
        assert!(tensor.len() <= length * 1100, "{:?} from {length} bytes", tensor.shape());
    }
}

proptest! {
    #[test]
    fn damaged(
        which in 0usize..7,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        extreme in prop::option::of((any::<prop::sample::Index>(), prop::sample::select(vec![0u8, 0xff]), 1usize..9)),
    ) {
        let (name, mut bytes) = sound().swap_remove(which);
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some((index, byte, run)) = extreme {
            let at = index.index(bytes.len());
            bytes.iter_mut().skip(at).take(run).for_each(|b| *b = byte);
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let (_folder, path) = file(name, &bytes);
        bounded(&path, bytes.len());
    }

    #[test]
    fn random(
        name in prop::sample::select(vec!["a.npy", "a.npz", "a.safetensors", "a.csv", "a.idx"]),
        start in prop::sample::select(vec![&b""[..], b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"PK\x05\x06", b"\x20\0\0\0\0\0\0\0{", b"\0\0\x08", b"\x1f\x8b\x08\0"]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let bytes = [start, &rest].concat();
        let (_folder, path) = file(name, &bytes);
        bounded(&path, bytes.len());
    }
}

#[test]
fn an_altered_element_of_a_stored_member_is_told_before_its_rows_are_read() {
    let folder = temporary();
    let path = folder.path().join("a.npz");
    let arrays = [("x".to_string(), Tensor::full(DType::F64, &[50, 3], 1.5))];
    pullback::cli::data::write_npz(&path, &arrays, pullback::cli::data::Packing::Stored)
        .expect("written");
    let mut bytes = std::fs::read(&path).expect("read");
    let element = 1.5f64.to_le_bytes();
    let at = bytes.windows(8).position(|part| part == element).expect("an element");
    bytes[at + 800] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let opened = open_set(&path).expect("a directory").open("x").expect("a member");
    let error = rows::try_set(opened, DType::F64, 0).expect_err("it is altered");
    assert!(error.to_string().contains("CRC-32"), "{error}");
}
