//! Data sets of arrays from files: the same rows, whatever the form and wherever the bytes are.

use std::path::Path;

use ndarray::ArrayD;
use proptest::prelude::*;
use pullback::cli::data::{
    Bounds, DataError, FileRows, Opened, Packing, Part, Stray, open_idx, open_npy,
    open_safetensors, open_set, write_npy, write_npz, write_safetensors,
};
use pullback::tensor::{DType, Tensor};
use pullback::train::{Buffer, Column, Rows, RowsError};

use super::{array, complaint, file, same, temporary, tensors};

/// The data set of one column `x`.
pub fn set(opened: Opened, dtype: DType, held: u64) -> FileRows {
    try_set(opened, dtype, held).expect("it can be read")
}

/// The same of what may be damaged.
pub fn try_set(opened: Opened, dtype: DType, held: u64) -> Result<FileRows, DataError> {
    let shape = opened.shape();
    let column = Column { name: "x".into(), dtype, shape: shape[1..].to_vec() };
    let part = Part { column, opened, from: "x".into() };
    FileRows::new(shape[0], vec![part], held)
}

fn gathered(set: &FileRows, rows: &[usize]) -> Tensor {
    try_gather(set, rows).expect("the rows are there")
}

/// The named rows as a tensor.
pub fn try_gather(set: &FileRows, rows: &[usize]) -> Result<Tensor, RowsError> {
    fn typed<T: Clone + Default>(
        set: &FileRows,
        rows: &[usize],
        buffer: impl Fn(&mut [T]) -> Buffer<'_>,
    ) -> Result<Tensor, RowsError>
    where
        Tensor: From<ArrayD<T>>,
    {
        let column = &set.columns()[0];
        let mut values = vec![T::default(); rows.len() * column.width()];
        set.gather(0, rows, buffer(&mut values))?;
        Ok(array(&[&[rows.len()], &column.shape[..]].concat(), &values))
    }
    match set.columns()[0].dtype {
        DType::Bool => typed(set, rows, |slice| Buffer::Bool(slice)),
        DType::I32 => typed(set, rows, |slice| Buffer::I32(slice)),
        DType::I64 => typed(set, rows, |slice| Buffer::I64(slice)),
        DType::F32 => typed(set, rows, |slice| Buffer::F32(slice)),
        DType::F64 => typed(set, rows, |slice| Buffer::F64(slice)),
    }
}

/// The rows of a tensor in memory.
pub fn picked(tensor: &Tensor, rows: &[usize]) -> Tensor {
    pullback::each_dtype!(tensor, a => a.select(ndarray::Axis(0), rows).into_dyn().into())
}

/// The array `x` in each form, opened anew.
fn forms(tensor: &Tensor, folder: &Path) -> Vec<Opened> {
    let path = |name: &str| folder.join(name);
    let named = [("x".to_string(), tensor.clone())];
    write_npy(&path("a.npy"), tensor).expect("written");
    write_npz(&path("stored.npz"), &named, Packing::Stored).expect("written");
    write_npz(&path("deflated.npz"), &named, Packing::Deflated).expect("written");
    write_safetensors(&path("a.safetensors"), &named, &[]).expect("written");
    let mut opened = vec![Opened::Raw(open_npy(&path("a.npy")).expect("opened"))];
    for name in ["stored.npz", "deflated.npz", "a.safetensors"] {
        let mut set = open_set(&path(name)).expect("opened");
        opened.push(set.open("x").expect("it is there"));
    }
    opened
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_form_gives_the_rows(
        tensor in tensors().prop_filter("it has rows", |tensor| !tensor.shape().is_empty()),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
        held in prop::sample::select(vec![0, 1 << 20]),
    ) {
        let count = tensor.shape()[0];
        let rows: Vec<usize> = match count {
            0 => Vec::new(),
            count => picks.iter().map(|pick| pick.index(count)).collect(),
        };
        let folder = temporary();
        for opened in forms(&tensor, folder.path()) {
            let set = set(opened, tensor.dtype(), held);
            prop_assert_eq!(set.len(), count);
            prop_assert!(same(&gathered(&set, &rows), &picked(&tensor, &rows)));
        }
    }
}

/// Images of bytes as integers of both types, plain and gzipped; the bytes of a plain file stay in it.
#[test]
fn bytes_become_integers() {
    let bytes = [&[0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 2][..], &[0, 1, 2, 3, 254, 255]].concat();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &bytes).expect("memory");
    let packed = packed.finish().expect("memory");
    for bytes in [bytes, packed] {
        let (_folder, path) = file("images.idx", &bytes);
        let opened = || Opened::Raw(open_idx(&path).expect("opened"));
        let small = set(opened(), DType::I32, 0);
        assert!(same(&gathered(&small, &[2, 0]), &array(&[2, 2], &[254i32, 255, 0, 1])));
        let wide = set(opened(), DType::I64, 1 << 20);
        assert!(same(&gathered(&wide, &[1, 2]), &array(&[2, 2], &[2i64, 3, 254, 255])));
    }
}

/// The first axis fastest, the high byte first: rows are those of the array all the same.
#[test]
fn a_file_in_another_order() {
    let header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }";
    let head = [b"\x93NUMPY\x01\0", &[header.len() as u8 + 1, 0][..], header.as_bytes(), b"\n"];
    let values = [0i16, 10, 1, 11, 2, 12].map(i16::to_be_bytes);
    let (_folder, path) = file("a.npy", [&head.concat()[..], values.as_flattened()].concat());
    let opened = Opened::Raw(open_npy(&path).expect("opened"));
    let set = set(opened, DType::I64, 0);
    assert!(same(&gathered(&set, &[1, 0]), &array(&[2, 3], &[10i64, 11, 12, 0, 1, 2])));
}

/// Rows that follow each other are read together, and still each comes to its place.
#[test]
fn many_rows_at_once() {
    let values: Vec<f32> = (0..4000).map(|v| v as f32).collect();
    let (_folder, path) = file("a.npy", b"");
    write_npy(&path, &array(&[1000, 4], &values)).expect("written");
    let set = set(Opened::Raw(open_npy(&path).expect("opened")), DType::F32, 0);
    let rows: Vec<usize> = (0..1000).map(|row| row * 7 % 1000).chain([3, 3, 4, 2]).collect();
    let Tensor::F32(found) = gathered(&set, &rows) else { panic!("floats") };
    let places: Vec<usize> = found.outer_iter().map(|row| row[0] as usize / 4).collect();
    assert_eq!(places, rows);
}

#[test]
fn the_first_element_out_of_bounds() {
    let stray = |values: &[f64], bounds: Bounds| {
        let (_folder, path) = file("a.npy", b"");
        write_npy(&path, &array(&[values.len() / 2, 2], values)).expect("written");
        let opened = Opened::Raw(open_npy(&path).expect("opened"));
        set(opened, DType::F64, 0).stray(&[bounds]).expect("it can be read")
    };
    assert_eq!(stray(&[1.0, -1e308, 0.0, 2.0], Bounds::FINITE), None);
    let found = stray(&[1.0, 2.0, 3.0, f64::NAN], Bounds::FINITE).expect("NaN is found");
    assert_eq!((found.row, found.place, found.value.is_nan()), (1, 1, true));
    let closed = Bounds { low: (0.0, true), high: (2.0, false) };
    assert_eq!(stray(&[0.0, 1.0], closed), None);
    let found = Some(Stray { column: 0, row: 1, place: 0, value: 2.0 });
    assert_eq!(stray(&[0.0, 1.0, 2.0, 1.0], closed), found);
}

/// A file that is cut while it is open: an error with its name, no panic.
#[test]
fn a_file_that_shrinks() {
    let (_folder, path) = file("a.npy", b"");
    write_npy(&path, &Tensor::full(DType::F32, &[8, 8], 1.0)).expect("written");
    let set = set(Opened::Raw(open_npy(&path).expect("opened")), DType::F32, 0);
    let open = std::fs::File::options().write(true).open(&path).expect("opened");
    open.set_len(200).expect("cut");
    let mut row = [0.0; 8];
    set.gather(0, &[0], Buffer::F32(&mut row)).expect("it is still there");
    let said = set.gather(0, &[7], Buffer::F32(&mut row)).map_err(|error| error.to_string());
    assert_eq!(said, Err("x: 32 bytes of data are declared, 0 are there".into()));
}

/// What a file of weights says about itself is read back.
#[test]
fn metadata() {
    let (_folder, path) = file("w.safetensors", b"");
    let tensor = [("W".to_string(), Tensor::scalar(DType::F32, 1.0))];
    write_safetensors(&path, &tensor, &[("model", "a.nn".into())]).expect("written");
    let set = open_safetensors(&path).expect("opened");
    assert_eq!(set.metadata(), [("model".to_string(), "a.nn".to_string())]);
    assert_eq!(set.names(), ["W"]);
    assert_eq!(complaint(set.open("__metadata__"), &path).lines().count(), 1);
}
