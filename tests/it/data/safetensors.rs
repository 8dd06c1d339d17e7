//! safetensors files.

use proptest::prelude::*;
use pullback::cli::data::{DataError, open_safetensors, write_safetensors};
use pullback::tensor::{DType, Tensor};

use super::{array, complaint, file, fixture, same, temporary, tensors};

#[test]
fn what_the_library_writes() {
    let mut set = open_safetensors(&fixture("library.safetensors")).expect("sound");
    let cases = [
        ("f32", "f4", array(&[1, 2], &[1.5f32, -2.0])),
        ("f64", "f8", Tensor::scalar(DType::F64, 2.5)),
        ("i32", "i4", array(&[2], &[1, -2])),
        ("i64", "i8", array(&[1], &[1i64 << 40])),
        ("bool", "b1", array(&[2], &[true, false])),
        ("u8", "u1", array(&[2], &[7, 255])),
        ("f16", "f2", array(&[1], &[0.333_251_95f32])),
        ("bf16", "bf2", array(&[2], &[0.333_984_38f32, 1.0])),
    ];
    assert_eq!(set.names().len(), cases.len());
    for (name, stored, tensor) in cases {
        let loaded = set.get(name).expect(name);
        assert_eq!((loaded.stored, loaded.tensor), (stored, tensor), "{name}");
    }
    assert!(matches!(set.get("__metadata__"), Err(DataError::Missing { .. })));
}

#[test]
fn headers_that_lie() {
    let with = |header: &str| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 8]);
        bytes
    };
    let entry = |dtype, shape, offsets| {
        with(&format!(
            r#"{{"x": {{"dtype": {dtype}, "shape": {shape}, "data_offsets": {offsets}}}}}"#
        ))
    };
    let cases = [
        b"short".to_vec(),
        u64::MAX.to_le_bytes().to_vec(),
        with("[]"),
        with("{\"x\": "),
        with(&"[".repeat(10_000)),
        with("{\"x\": 3}"),
        with("{\"y\": 3}"),
        entry("\"F8_E4M3\"", "[8]", "[0, 8]"),
        entry("\"F32\"", "[2]", "[0, 12]"),
        entry("\"F32\"", "[2]", "[8, 0]"),
        entry("\"F32\"", "[2]", "[0, 4]"),
        entry("\"F32\"", "[1]", "[0, 8]"),
        entry("\"F32\"", "[-2]", "[0, 8]"),
        entry("\"F32\"", "[4294967296, 4294967296, 4294967296]", "[0, 8]"),
        entry("\"F32\"", "[2]", "[0, 18446744073709551615]"),
        entry("\"F32\"", "[2]", "[0]"),
    ];
    let complaints = cases.iter().map(|bytes| {
        let (_folder, path) = file("a.safetensors", bytes);
        complaint(open_safetensors(&path).and_then(|mut set| set.get("x")), &path) + "\n"
    });
    insta::assert_snapshot!(complaints.collect::<String>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn round_trips(tensors in prop::collection::vec(tensors(), 0..5)) {
        let folder = temporary();
        let path = folder.path().join("a.safetensors");
        let named: Vec<_> =
            tensors.into_iter().enumerate().map(|(i, t)| (format!("l{i}.\"W\""), t)).collect();
        write_safetensors(&path, &named, &[]).expect("written");
        let mut set = open_safetensors(&path).expect("opened");
        prop_assert_eq!(set.names().len(), named.len());
        for (name, tensor) in &named {
            prop_assert!(same(&set.get(name).expect("read").tensor, tensor));
        }
    }
}
