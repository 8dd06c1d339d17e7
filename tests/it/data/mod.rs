//! Data: the grammar of values, the readers and writers of arrays, tensors as text.

mod damage;
mod files;
mod rows;
mod safetensors;
mod show;
mod table;
mod values;

use std::path::{Path, PathBuf};

use ndarray::{ArrayD, IxDyn};
use proptest::prelude::*;
use pullback::tensor::{DType, Tensor};

/// A file that NumPy or the safetensors library wrote; `fixtures.py` is how.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/fixtures").join(name)
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder can be made")
}

/// A file of these bytes in a folder that lives as long as the first part of the answer.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = temporary();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a temporary file can be written");
    (folder, path)
}

/// The error as text, without the folder of its file.
fn complaint<T>(result: Result<T, impl std::fmt::Display>, path: &Path) -> String {
    let folder = path.parent().expect("a file has a folder").display().to_string();
    match result {
        Ok(_) => "no error".to_string(),
        Err(error) => error.to_string().replace(&format!("{folder}/"), ""),
    }
}

fn array<T: Clone>(shape: &[usize], values: &[T]) -> Tensor
where
    Tensor: From<ArrayD<T>>,
{
    ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).expect("values fill the shape").into()
}

/// Any tensor of at most 4 axes and few elements, every bit pattern.
fn tensors() -> impl Strategy<Value = Tensor> {
    let parts = (prop::sample::select(&DType::ALL), prop::collection::vec(0usize..5, 0..4));
    parts.prop_flat_map(|(dtype, shape)| {
        let count: usize = shape.iter().product();
        prop::collection::vec(any::<u64>(), count).prop_map(move |bits| match dtype {
            DType::Bool => array(&shape, &bits.iter().map(|b| b & 1 == 1).collect::<Vec<_>>()),
            DType::I32 => array(&shape, &bits.iter().map(|b| *b as i32).collect::<Vec<_>>()),
            DType::I64 => array(&shape, &bits.iter().map(|b| *b as i64).collect::<Vec<_>>()),
            DType::F32 => {
                array(&shape, &bits.iter().map(|b| f32::from_bits(*b as u32)).collect::<Vec<_>>())
            }
            DType::F64 => {
                array(&shape, &bits.iter().map(|b| f64::from_bits(*b)).collect::<Vec<_>>())
            }
        })
    })
}

/// Equality of types, shapes and bits, so that NaN is the same as itself.
fn same(a: &Tensor, b: &Tensor) -> bool {
    let bits = |tensor: &Tensor| match tensor {
        Tensor::F32(array) => array.iter().map(|v| u64::from(v.to_bits())).collect::<Vec<_>>(),
        Tensor::F64(array) => array.iter().map(|v| v.to_bits()).collect(),
        Tensor::I64(array) => array.iter().map(|v| *v as u64).collect(),
        other => other.to_f64().iter().map(|v| v.to_bits()).collect(),
    };
    a.dtype() == b.dtype() && a.shape() == b.shape() && bits(a) == bits(b)
}
