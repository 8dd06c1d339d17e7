//! csv files.

use pullback::cli::data::{DataError, Loaded, read_table};
use pullback::tensor::Tensor;

use super::{array, complaint, file};

fn select(text: &str, columns: &[&str]) -> Result<Tensor, String> {
    let (_folder, path) = file("t.csv", text);
    let columns: Vec<String> = columns.iter().map(|name| name.to_string()).collect();
    let selected: Result<Loaded, DataError> =
        read_table(&path).and_then(|table| table.select(&columns));
    match selected {
        Ok(loaded) => Ok(loaded.tensor),
        Err(_) => Err(complaint(selected, &path)),
    }
}

#[test]
fn columns_by_name() {
    let text = "\u{feff}a, b ,c\r\n1,2.5,x\r\n-3,nan,y\r\n";
    assert_eq!(select(text, &["a"]), Ok(array(&[2], &[1i64, -3])));
    assert_eq!(select("a,b\n1,2\n3,4", &["b", "a"]), Ok(array(&[2, 2], &[2i64, 1, 4, 3])));
    assert_eq!(select("a,b\n1,2\n3,4.5\n", &[]), Ok(array(&[2, 2], &[1.0, 2.0, 3.0, 4.5])));
    assert_eq!(select("a,b\n", &["b", "a"]), Ok(array::<i64>(&[0, 2], &[])));
    assert_eq!(select("\"a,b\"\n\"1\"\n", &["a,b"]), Ok(array(&[1], &[1i64])));
    let nan = select(text, &["b"]).expect("numbers").to_f64();
    assert!(nan[0] == 2.5 && nan[1].is_nan());
}

#[test]
fn integers_stay_exact_until_a_fraction_comes() {
    assert_eq!(select("a\n9007199254740993\n", &["a"]), Ok(array(&[1], &[9007199254740993i64])));
    assert_eq!(select("a\n1\n1e3\n", &["a"]), Ok(array(&[2], &[1.0, 1000.0])));
}

#[test]
fn what_is_missing() {
    let cases: [(&str, &[&str]); 11] = [
        ("", &[]),
        ("\n\n", &[]),
        ("1,2\n3,4\n", &[]),
        ("a,b\n1\n", &["a"]),
        ("a,b\n1,2,3\n", &["a"]),
        ("a,b\n1,2\n3,\n", &["a", "b"]),
        ("a,b\n1,2\n\n3,low\n", &["b"]),
        ("age,size\n1,2\n", &["sizes"]),
        ("a;b\n1;2\n", &["a"]),
        ("a,a\n1,2\n", &["a"]),
        ("name\nno such number, certainly none that is as long as this one here\n", &["name"]),
    ];
    let complaints = cases.map(|(text, columns)| select(text, columns).expect_err(text) + "\n");
    insta::assert_snapshot!(complaints.concat());
    let (_folder, path) = file("t.csv", b"a,b\n1,\xff\n");
    insta::assert_snapshot!(complaint(read_table(&path), &path), @"t.csv: row 1 below the header: field 2 is not UTF-8");
}
