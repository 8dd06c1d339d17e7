//! npy, npz and IDX files.

use std::io::Write;

use proptest::prelude::*;
use pullback::cli::data::{
    DataError, Packing, open_npz, open_set, read_idx, read_npy, write_npy, write_npz,
};
use pullback::tensor::{DType, Tensor};

use super::{array, complaint, file, fixture, same, temporary, tensors};

#[test]
fn every_type_that_numpy_writes() {
    let kinds = [
        ("i1", "i1", DType::I32),
        ("i2", "i2", DType::I32),
        ("i4", "i4", DType::I32),
        ("i8", "i8", DType::I64),
        ("f2", "f2", DType::F32),
        ("f4", "f4", DType::F32),
        ("f8", "f8", DType::F64),
        ("be_i2", "i2", DType::I32),
        ("be_i4", "i4", DType::I32),
        ("be_f4", "f4", DType::F32),
        ("be_f8", "f8", DType::F64),
        ("u1", "u1", DType::I32),
        ("u2", "u2", DType::I32),
        ("u4", "u4", DType::I64),
        ("u8", "u8", DType::I64),
        ("be_u8", "u8", DType::I64),
    ];
    for packing in ["stored.npz", "deflated.npz"] {
        let mut set = open_npz(&fixture(packing)).expect("NumPy wrote it");
        for (name, stored, dtype) in kinds {
            let third = if stored.starts_with('u') { 2.0 } else { -2.0 };
            let wanted = Tensor::from_f64(dtype, &[2, 3], vec![0.0, 1.0, third, 3.0, 4.0, 100.0]);
            let loaded = set.get(name).expect(name);
            assert_eq!((loaded.tensor, loaded.stored), (wanted, stored), "{name}");
        }
        let truths = array(&[2, 3], &[true, false, true, false, false, true]);
        assert_eq!(set.get("b1").expect("b1").tensor, truths);
        let counted = Tensor::from_f64(DType::I32, &[2, 3, 4], (0..24).map(f64::from).collect());
        let fortran = set.get("fortran").expect("fortran").tensor;
        assert_eq!(fortran, counted);
        assert_eq!(fortran.reshape(&[24]), counted.reshape(&[24]));
        assert_eq!(set.get("rank0").expect("rank0").tensor, Tensor::scalar(DType::F64, 2.5));
        assert_eq!(set.get("empty").expect("empty").tensor, Tensor::full(DType::F32, &[0, 3], 0.0));
        let halves =
            [0.0, -0.0, 0.333_251_95, 5.960_464_5e-8, 65504.0, f32::INFINITY, f32::NEG_INFINITY];
        assert!(same(&set.get("half").expect("half").tensor, &array(&[7], &halves)));
    }
}

#[test]
fn what_numpy_has_and_models_have_not() {
    let path = fixture("stored.npz");
    let mut set = open_npz(&path).expect("NumPy wrote it");
    let mut all = String::new();
    for name in ["complex", "text", "fields", "object", "big", "f44", "nothing like it"] {
        all += &complaint(set.get(name), &path);
        all += "\n";
    }
    insta::assert_snapshot!(all);
}

#[test]
fn versions_of_npy() {
    for name in ["version2.npy", "version3.npy"] {
        let wanted = array(&[3], &[0.0, 1.0, 2.0]);
        assert_eq!(read_npy(&fixture(name)).expect(name).tensor, wanted);
    }
}

/// An npy file with this header and data.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn headers_that_lie() {
    let descr = |descr, shape| {
        npy(&format!("{{'descr':{descr},'fortran_order':False,'shape':{shape}}}"), &[0; 8])
    };
    let mut cases = vec![
        b"".to_vec(),
        b"\x93NUMPY\x01".to_vec(),
        b"PK\x03\x04 and more".to_vec(),
        b"\x93NUMPY\x09\x00\x10\x00".to_vec(),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(),
        npy("", &[]),
        npy("{'descr': '<f4', 'fortran_order': False}", &[]),
        npy("{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", &[]),
        npy("{'descr': '<f4', 'order': 0, 'shape': ()}", &[]),
        npy("{'descr': '<f4' 'fortran_order': False", &[]),
    ];
    cases.extend([
        descr("'<f4'", "(3,)"),
        descr("'<f4'", "(1,)"),
        descr("'<f4'", "(1000000000000,)"),
        descr("'<f8'", "(4294967296, 4294967296, 4294967296)"),
        descr("'<f8'", "(0, 4294967296, 4294967296)"),
        descr("'<f8'", "(99999999999999999999,)"),
        descr("'<f8'", "(-1,)"),
        descr("'<f8'", &format!("({})", "1,".repeat(65))),
        descr("'<f16'", "()"),
        descr("'<<f8'", "()"),
        descr("[('x', '<f8')]", "()"),
        descr("'\u{ff}'", "()"),
    ]);
    let complaints = cases.iter().map(|bytes| {
        let (_folder, path) = file("a.npy", bytes);
        complaint(read_npy(&path), &path) + "\n"
    });
    insta::assert_snapshot!(complaints.collect::<String>());
}

#[test]
fn python_2_headers_and_any_order_of_keys() {
    let (_folder, path) = file(
        "a.npy",
        npy("{\"shape\": (2L, 1), 'fortran_order': True, 'descr': '|u1',}\n", &[7, 8]),
    );
    assert_eq!(read_npy(&path).expect("it is sound").tensor, array(&[2, 1], &[7, 8]));
}

#[test]
fn no_file() {
    let folder = temporary();
    let path = folder.path().join("none.npy");
    assert_eq!(
        complaint(read_npy(&path), &path),
        "cannot open none.npy: No such file or directory (os error 2)"
    );
    assert!(matches!(read_npy(folder.path()), Err(DataError::File { .. })));
    let wrong = folder.path().join("digits.h5");
    insta::assert_snapshot!(complaint(open_set(&wrong), &wrong), @"digits.h5: the form of a file is told by its suffix, one of `.npz` `.safetensors` `.csv`");
}

#[test]
fn a_bomb_is_refused() {
    let zeros = Tensor::full(DType::F64, &[1 << 20], 0.0);
    let folder = temporary();
    let path = folder.path().join("a.npz");
    write_npz(&path, &[("x".to_string(), zeros.clone())], Packing::Deflated).expect("written");
    let bytes = std::fs::read(&path).expect("read");
    assert!(bytes.len() < 20_000);
    assert_eq!(open_npz(&path).expect("sound").get("x").expect("sound").tensor, zeros);
    let size = (128u32 + (8 << 20)).to_le_bytes();
    let at: Vec<usize> = (0..bytes.len() - 4).filter(|&i| bytes[i..i + 4] == size).collect();
    let mut all = String::new();
    for lie in [u32::MAX - 1, 4 << 20] {
        let mut bytes = bytes.clone();
        at.iter().for_each(|&at| bytes[at..at + 4].copy_from_slice(&lie.to_le_bytes()));
        std::fs::write(&path, bytes).expect("written");
        all += &complaint(open_npz(&path).expect("opens").get("x"), &path);
        all += "\n";
    }
    insta::assert_snapshot!(all);
}

#[test]
fn writing_replaces_and_leaves_nothing_behind() {
    let folder = temporary();
    let path = folder.path().join("a.npz");
    let one = [("x".to_string(), Tensor::scalar(DType::F32, 1.0))];
    std::fs::write(&path, "old").expect("written");
    write_npz(&path, &one, Packing::Stored).expect("written");
    let first = std::fs::read(&path).expect("read");
    let twice = [one[0].clone(), one[0].clone()];
    assert!(matches!(write_npz(&path, &twice, Packing::Stored), Err(DataError::Write { .. })));
    assert_eq!(std::fs::read(&path).expect("read"), first);
    write_npz(&path, &one, Packing::Stored).expect("written");
    assert_eq!(std::fs::read(&path).expect("read"), first, "the same bytes each time");
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
    let nowhere = folder.path().join("none").join("a.npy");
    assert!(matches!(write_npy(&nowhere, &one[0].1), Err(DataError::Write { .. })));
}

#[cfg(unix)]
#[test]
fn devices_and_links_stay_what_they_are() {
    let folder = temporary();
    let (target, link) = (folder.path().join("target.npy"), folder.path().join("link.npy"));
    std::fs::write(&target, "old").expect("written");
    std::os::unix::fs::symlink(&target, &link).expect("linked");
    let one = Tensor::scalar(DType::F32, 1.0);
    write_npy(&link, &one).expect("written");
    assert!(link.symlink_metadata().expect("there").is_symlink());
    assert_eq!(read_npy(&target).expect("sound").tensor, one);
    write_npy(std::path::Path::new("/dev/null"), &one).expect("written");
}

/// An IDX file: element type, sizes, data.
fn idx(kind: u8, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

#[test]
fn idx_files() {
    let images = idx(8, &[2, 1, 3], &[0, 1, 2, 3, 4, 255]);
    let wanted = array(&[2, 1, 3], &[0, 1, 2, 3, 4, 255]);
    for (name, bytes) in [("a.idx", images.clone()), ("a.idx.gz", gzip(&images))] {
        let (_folder, path) = file(name, bytes);
        let loaded = read_idx(&path).expect("sound");
        assert_eq!((loaded.tensor, loaded.stored), (wanted.clone(), "u1"));
    }
    let (_folder, path) = file("a.idx", idx(0x0d, &[2], &[0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0]));
    assert_eq!(read_idx(&path).expect("sound").tensor, array(&[2], &[1.5f32, -2.0]));
}

#[test]
fn idx_files_that_lie() {
    let cases = [
        vec![],
        b"nonsense".to_vec(),
        idx(7, &[1], &[0]),
        idx(8, &[3], &[0; 2]),
        idx(8, &[3], &[0; 4]),
        idx(8, &[u32::MAX, u32::MAX], &[]),
        idx(8, &[0, u32::MAX, u32::MAX, u32::MAX], &[]),
        vec![0, 0, 8, 255, 0],
        gzip(&idx(8, &[u32::MAX], &[0; 100])),
        gzip(&idx(8, &[3], &[0; 100])),
        gzip(&idx(8, &[100], &[0; 50])),
        gzip(&idx(8, &[100], &[0; 100]))[..20].to_vec(),
    ];
    let complaints = cases.iter().map(|bytes| {
        let (_folder, path) = file("a.idx", bytes);
        complaint(read_idx(&path), &path) + "\n"
    });
    insta::assert_snapshot!(complaints.collect::<String>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn round_trips(tensors in prop::collection::vec(tensors(), 0..4)) {
        let folder = temporary();
        let path = folder.path().join("a.npz");
        let named: Vec<_> =
            tensors.into_iter().enumerate().map(|(i, t)| (format!("grad.W{i}é"), t)).collect();
        for packing in [Packing::Stored, Packing::Deflated] {
            write_npz(&path, &named, packing).expect("written");
            let mut set = open_set(&path).expect("opened");
            prop_assert_eq!(set.names(), named.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>());
            for (name, tensor) in &named {
                prop_assert!(same(&set.get(name).expect("read").tensor, tensor));
            }
        }
        for (_, tensor) in &named {
            let path = folder.path().join("a.npy");
            write_npy(&path, tensor).expect("written");
            prop_assert!(same(&read_npy(&path).expect("read").tensor, tensor));
        }
    }
}
