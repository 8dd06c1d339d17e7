//! Data sets in memory: rows by number, and what is refused.

use ndarray::{ArrayD, IxDyn};
use pullback::tensor::{DType, Tensor};
use pullback::train::{Buffer, Held, Rows, RowsError};

fn held(arrays: Vec<(&str, Tensor)>) -> Result<Held, RowsError> {
    Held::new(arrays.into_iter().map(|(name, tensor)| (name.into(), tensor)).collect())
}

/// Three rows: `x` of 2 elements each, `label` of one.
fn small() -> Held {
    let x = Tensor::from_f64(DType::F32, &[3, 2], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    let label = Tensor::from_f64(DType::I64, &[3], vec![7.0, 8.0, 9.0]);
    held(vec![("x", x), ("label", label)]).expect("as many rows")
}

#[test]
fn rows_in_the_order_asked_for() {
    let set = small();
    assert_eq!((set.len(), set.columns()[0].width(), set.columns()[1].width()), (3, 2, 1));
    let mut x = [0.0; 6];
    set.gather(0, &[2, 0, 2], Buffer::F32(&mut x)).expect("they are there");
    assert_eq!(x, [4.0, 5.0, 0.0, 1.0, 4.0, 5.0]);
    let mut label = [0; 2];
    set.gather(1, &[1, 0], Buffer::I64(&mut label)).expect("they are there");
    assert_eq!(label, [8, 7]);
    set.gather(1, &[], Buffer::I64(&mut [])).expect("no row is no mistake");
}

/// The first axis counts rows, however the array lies in memory.
#[test]
fn a_transposed_array() {
    let x = ArrayD::from_shape_vec(IxDyn(&[2, 3]), vec![0i32, 1, 2, 3, 4, 5]).expect("6 elements");
    let set = held(vec![("x", Tensor::I32(x.reversed_axes().into_shared()))]).expect("one column");
    let mut row = [0; 2];
    set.gather(0, &[1], Buffer::I32(&mut row)).expect("it is there");
    assert_eq!(row, [1, 4]);
}

#[test]
fn what_is_refused() {
    let zeros = |shape: &[usize]| Tensor::full(DType::F32, shape, 0.0);
    let said = |error: Option<RowsError>| error.map_or("nothing".into(), |e| e.to_string());
    let made = |arrays| said(held(arrays).err());
    assert_eq!(made(vec![("x", zeros(&[]))]), "`x` is one number: it has no rows");
    assert_eq!(made(vec![("x", zeros(&[1])), ("x", zeros(&[1]))]), "there are two columns `x`");
    let lengths = made(vec![("x", zeros(&[3])), ("y", zeros(&[2, 3]))]);
    assert_eq!(lengths, "`x` has 3 rows and `y` has 2");
    let set = small();
    let mut room = [0.0; 2];
    let mut gathered =
        |column, rows: &[usize]| said(set.gather(column, rows, Buffer::F32(&mut room)).err());
    assert_eq!(gathered(0, &[3]), "`x` has no row 3: it has 3");
    assert_eq!(gathered(2, &[0]), "there is no column 2: there are 2");
    let few = "the rows of `x` are 4 elements of f32; the buffer is 2 of f32";
    assert_eq!(gathered(0, &[0, 1]), few);
    let other = "the rows of `label` are 2 elements of i64; the buffer is 2 of f32";
    assert_eq!(gathered(1, &[0, 1]), other);
}

#[test]
fn rows_without_elements() {
    let set = held(vec![("x", Tensor::full(DType::F64, &[4, 0], 0.0))]).expect("one column");
    assert_eq!((set.len(), set.columns()[0].width()), (4, 0));
    set.gather(0, &[3, 3], Buffer::F64(&mut [])).expect("nothing is written");
}
