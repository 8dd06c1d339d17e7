//! Tensors as text.

use proptest::prelude::*;
use pullback::cli::show;
use pullback::tensor::{DType, Tensor};

use super::{array, tensors};

#[test]
fn for_people() {
    let counted = |shape: &[usize]| {
        let count: usize = shape.iter().product();
        Tensor::from_f64(DType::I64, shape, (0..count).map(|v| v as f64).collect())
    };
    let cases = [
        Tensor::scalar(DType::F64, 0.00356516),
        Tensor::scalar(DType::F32, 1.0 / 3.0),
        Tensor::scalar(DType::F64, -1.0),
        Tensor::scalar(DType::F64, 0.0),
        Tensor::scalar(DType::F64, 1234567.8),
        Tensor::scalar(DType::F64, 999999.96),
        Tensor::scalar(DType::F64, 1e-300),
        Tensor::scalar(DType::F64, f64::NAN),
        Tensor::scalar(DType::Bool, 1.0),
        array(&[2], &[-0.382295, 0.829124]),
        array(&[2], &[-0.090277354, 0.11746812]),
        array(&[3], &[1.0, -2.0, 100.0]),
        array(&[3], &[1e-7, 1.0, f64::NEG_INFINITY]),
        array(&[3], &[1e12, 0.5, f64::NAN]),
        array(&[4], &[0.0, 1e3, 5.25, -0.0]),
        array(&[2, 2], &[1.5f32, -2.25, 0.0, 10.0]),
        array(&[2, 3], &[true, false, true, false, false, true]),
        Tensor::full(DType::F32, &[0, 3], 0.0),
        counted(&[2, 2, 3]),
        counted(&[2, 1, 2, 2]),
        counted(&[60]),
        counted(&[1001]),
        counted(&[40, 40]),
        counted(&[3, 400]),
        counted(&[10, 2, 10, 10]),
    ];
    insta::assert_snapshot!(cases.map(|tensor| show::tensor(&tensor) + "\n\n").concat());
}

#[test]
fn numbers_for_people() {
    let numbers = [0.5, 2.0, -1.0 / 3.0, 6.02214076e23, f64::INFINITY].map(show::number);
    assert_eq!(numbers, ["0.5", "2", "-0.333333", "6.02214e23", "inf"]);
}

#[test]
fn for_programs() {
    let cases = [
        Tensor::scalar(DType::F32, 0.5),
        array(&[2, 2], &[0.1f32, f32::NAN, f32::INFINITY, -1e30]),
        array(&[2], &[f64::NEG_INFINITY, -0.0]),
        array(&[1], &[i64::MAX]),
        array(&[2], &[true, false]),
        Tensor::full(DType::I32, &[0, 3], 0.0),
    ];
    insta::assert_snapshot!(cases.map(|tensor| format!("{}\n", show::json(&tensor))).concat());
}

proptest! {
    #[test]
    fn programs_read_the_same_elements(tensor in tensors()) {
        let value = show::json(&tensor);
        let data = value["data"].as_array().expect("a list");
        prop_assert_eq!(data.len(), tensor.len());
        let float = |json: &serde_json::Value| json.to_string().parse::<f64>().ok();
        match &tensor {
            Tensor::F32(elements) => for (json, element) in data.iter().zip(elements) {
                let read = float(json).map(|v| v as f32);
                prop_assert!(read.map_or(!element.is_finite(), |v| v.to_bits() == element.to_bits()));
            },
            Tensor::F64(elements) => for (json, element) in data.iter().zip(elements) {
                let read = float(json);
                prop_assert!(read.map_or(!element.is_finite(), |v| v.to_bits() == element.to_bits()));
            },
            Tensor::I64(elements) => for (json, element) in data.iter().zip(elements) {
                prop_assert_eq!(json.as_i64(), Some(*element));
            },
            _ => {}
        }
    }

    #[test]
    fn people_get_every_element(tensor in tensors()) {
        let text = show::tensor(&tensor);
        let words = text.split(|c: char| c.is_whitespace() || "[]".contains(c));
        let count = words.filter(|word| !word.is_empty()).count();
        prop_assert!(tensor.is_empty() || count == tensor.len(), "{}", text);
    }
}
