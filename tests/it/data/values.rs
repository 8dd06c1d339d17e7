//! The grammar of `--set`, and what it makes.

use proptest::prelude::*;
use pullback::cli::data::{
    Literal, Loaded, Packing, Source, Target, fit, inline_to_tensor, load, parse_inline,
    parse_setting, parse_source, write_npz,
};
use pullback::tensor::{DType, Tensor};

use super::{array, complaint, file, temporary};

fn target(dtype: DType, shape: Option<&[usize]>) -> Target<'_> {
    Target { name: "W", dtype, shape, seed: 0 }
}

fn inline(text: &str, dtype: DType) -> Result<Tensor, String> {
    let inline = parse_inline(text).map_err(|error| error.to_string())?;
    inline_to_tensor(&inline, dtype).map_err(|error| error.to_string())
}

#[test]
fn written_numbers() {
    let f64s = |shape: &[usize], values: &[f64]| Ok(array(shape, values));
    assert_eq!(inline("[1, 2]", DType::F64), f64s(&[2], &[1.0, 2.0]));
    assert_eq!(
        inline(" [ [1,-2],\n[-1, 1 ] ] ", DType::F64),
        f64s(&[2, 2], &[1.0, -2.0, -1.0, 1.0])
    );
    assert_eq!(inline("3.5", DType::F64), f64s(&[], &[3.5]));
    assert_eq!(inline("[1/3, 1 / -4]", DType::F64), f64s(&[2], &[1.0 / 3.0, -0.25]));
    assert_eq!(
        inline("[-inf, 1e-3, +2., .5]", DType::F64),
        f64s(&[4], &[f64::NEG_INFINITY, 1e-3, 2.0, 0.5])
    );
    assert_eq!(inline("0.1", DType::F32), Ok(array(&[], &[0.1f32])));
    assert_eq!(inline("[[], []]", DType::F64), f64s(&[2, 0], &[]));
    assert_eq!(inline("[]", DType::I32), Ok(array::<i32>(&[0], &[])));
    assert_eq!(inline("[true, false]", DType::Bool), Ok(array(&[2], &[true, false])));
    assert_eq!(inline("9007199254740993", DType::I64), Ok(array(&[], &[9007199254740993i64])));
    assert_eq!(inline("[6/3, 2.0, 1e3]", DType::I32), Ok(array(&[3], &[2, 2, 1000])));
    assert_eq!(inline("100000000000000000000", DType::F32), Ok(array(&[], &[1e20f32])));
    assert!(inline("nan", DType::F32).is_ok_and(|t| t.to_f64()[0].is_nan()));
    assert_eq!(inline("-0", DType::I32), Ok(array(&[], &[0])));
    assert!(inline("-0", DType::F64).is_ok_and(|t| t.to_f64()[0].is_sign_negative()));
}

#[test]
fn written_numbers_that_are_none() {
    let cases = [
        ("[1, 2", DType::F64),
        ("[1 2]", DType::F64),
        ("[1, 2]]", DType::F64),
        ("[1,, 2]", DType::F64),
        ("[1, 2,]", DType::F64),
        ("[[1, 2], [3]]", DType::F64),
        ("[[1, 2], 3]", DType::F64),
        ("[[[1], [2]], [[3], 4]]", DType::F64),
        ("[[], [[]]]", DType::F64),
        ("[1, x]", DType::F64),
        ("1_000", DType::F64),
        ("0x10", DType::F64),
        ("1/0", DType::F64),
        ("infinity", DType::F64),
        ("[1.5]", DType::I32),
        ("4000000000", DType::I32),
        ("9007199254740993.0", DType::I64),
        ("nan", DType::I64),
        ("1", DType::Bool),
        ("true", DType::F32),
        ("[é, 宽]", DType::F32),
        ("", DType::F32),
    ];
    let deep = "[".repeat(100_000);
    let all = cases.into_iter().chain([(deep.as_str(), DType::F64)]);
    let complaints = all.map(|(text, dtype)| inline(text, dtype).expect_err(text) + "\n");
    insta::assert_snapshot!(complaints.collect::<String>());
}

#[test]
fn forms() {
    let path = |text: &str| text.into();
    let key = |text: &str| Some(text.to_string());
    let columns = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    let cases = [
        ("@f.npy", Source::Npy(path("f.npy"))),
        ("@a b/f.npz:key", Source::Npz(path("a b/f.npz"), key("key"))),
        ("@f.npz", Source::Npz(path("f.npz"), None)),
        ("@C:\\data.d\\f.npz:l1.W:0", Source::Npz(path("C:\\data.d\\f.npz"), key("l1.W:0"))),
        ("@f.npz:a.npy", Source::Npz(path("f.npz"), key("a.npy"))),
        ("@x.npy.d/f.npz:a", Source::Npz(path("x.npy.d/f.npz"), key("a"))),
        ("@m.safetensors:l1.W", Source::Safetensors(path("m.safetensors"), key("l1.W"))),
        ("@f.csv:a, b", Source::Csv(path("f.csv"), columns(&["a", "b"]))),
        ("@f.csv", Source::Csv(path("f.csv"), columns(&[]))),
        ("@images.idx.gz", Source::Idx(path("images.idx.gz"))),
        ("@train-images-idx3-ubyte.gz", Source::Idx(path("train-images-idx3-ubyte.gz"))),
        ("@t10k-labels.idx1-ubyte", Source::Idx(path("t10k-labels.idx1-ubyte"))),
        ("randn", Source::Randn),
        (" zeros ", Source::Full(Literal::Int(0))),
        ("ones", Source::Full(Literal::Int(1))),
        ("full:0.1", Source::Full(Literal::Decimal("0.1".to_string()))),
        ("full: 1/3", Source::Full(Literal::Ratio(1, 3))),
        ("uniform:-1, 1", Source::Uniform(-1.0, 1.0)),
    ];
    for (text, source) in cases {
        assert_eq!(parse_source(text), Ok(source), "{text}");
    }
    assert_eq!(parse_setting("x = randn"), Ok(("x".to_string(), Source::Randn)));
}

#[test]
fn forms_that_are_none() {
    let cases = [
        "",
        "@",
        "@.npy",
        "@f.h5",
        "@f.npy:key",
        "@f.npz:",
        "rndn",
        "full",
        "full:x",
        "uniform:1",
        "uniform:2,1",
        "uniform:0,inf",
        "glorot",
        "randn:3",
        "zeros:1",
        "None",
    ];
    let complaints = cases.map(|text| match parse_source(text) {
        Ok(source) => format!("{source:?}\n"),
        Err(error) => format!("{error}\n"),
    });
    insta::assert_snapshot!(complaints.concat());
    assert!(parse_setting("x").is_err() && parse_setting("=3").is_err());
}

#[test]
fn fillings() {
    let shape: &[usize] = &[2, 3];
    let make = |text: &str, dtype| {
        let source = parse_source(text).expect(text);
        load(&source, &target(dtype, Some(shape))).map(|loaded| loaded.tensor)
    };
    for dtype in DType::ALL {
        assert_eq!(make("ones", dtype).expect("ones"), Tensor::full(dtype, shape, 1.0));
        assert_eq!(make("zeros", dtype).expect("zeros"), Tensor::full(dtype, shape, 0.0));
    }
    assert_eq!(make("full:0.1", DType::F32).expect("full"), array(shape, &[0.1f32; 6]));
    let errors = [
        make("full:0.1", DType::I32),
        make("randn", DType::I64),
        load(&Source::Randn, &target(DType::F32, None)).map(|loaded| loaded.tensor),
        load(&Source::Randn, &target(DType::F32, Some(&[1 << 40, 1 << 20]))).map(|l| l.tensor),
    ];
    insta::assert_snapshot!(errors.map(|e| e.expect_err("an error").to_string() + "\n").concat());
}

#[test]
fn random_numbers_have_their_moments() {
    let shape: &[usize] = &[100, 1000];
    let of = |source: &Source, name| {
        let target = Target { name, dtype: DType::F64, shape: Some(shape), seed: 7 };
        load(source, &target).expect("random numbers").tensor
    };
    let moment = |values: &[f64], power| {
        values.iter().map(|v| v.powi(power)).sum::<f64>() / values.len() as f64
    };
    let normal = of(&Source::Randn, "W").to_f64();
    for (power, wanted) in [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)] {
        assert!((moment(&normal, power) - wanted).abs() < 0.1, "moment {power}");
    }
    let uniform = of(&Source::Uniform(-1.0, 3.0), "W").to_f64();
    assert!(uniform.iter().all(|v| (-1.0..3.0).contains(v)));
    assert!((moment(&uniform, 1) - 1.0).abs() < 0.02);
    assert_eq!(of(&Source::Randn, "W"), of(&Source::Randn, "W"));
    assert_ne!(of(&Source::Randn, "W"), of(&Source::Randn, "V"));
}

#[test]
fn values_from_files() {
    let folder = temporary();
    let path = folder.path().join("a.npz");
    let x = ("x".to_string(), array(&[2], &[1.0f32, 2.0]));
    let y = ("y".to_string(), array(&[1], &[5i64]));
    write_npz(&path, std::slice::from_ref(&x), Packing::Stored).expect("written");
    let get = |text: &str| {
        let source = parse_source(&text.replace("a.npz", &path.display().to_string()));
        load(&source.expect(text), &target(DType::F32, None))
    };
    assert_eq!(get("@a.npz").expect("only one").tensor, x.1);
    write_npz(&path, &[x.clone(), y], Packing::Deflated).expect("written");
    assert_eq!(get("@a.npz:x").expect("there").stored, "f4");
    let all = [complaint(get("@a.npz"), &path), complaint(get("@a.npz:xx"), &path)];
    insta::assert_snapshot!(all.join("\n"));
    let (_folder, table) = file("t.csv", "a,b\n1,0.1\n2,0.5\n");
    let column = |name: &str, dtype| {
        let source = Source::Csv(table.clone(), vec![name.to_string()]);
        load(&source, &target(dtype, None)).map(|loaded| loaded.tensor)
    };
    assert_eq!(column("a", DType::F32).expect("numbers"), array(&[2], &[1.0f32, 2.0]));
    assert_eq!(column("a", DType::I32).expect("numbers"), array(&[2], &[1, 2]));
    assert_eq!(column("b", DType::F32).expect("numbers"), array(&[2], &[0.1f32, 0.5]));
    insta::assert_snapshot!(complaint(column("b", DType::I64), &table), @"t.csv: element 0 is `0.1`, which is no i64");
}

#[test]
fn nothing_is_cast_silently() {
    let fits = |tensor: Tensor, stored, dtype| fit(Loaded { tensor, stored }, dtype).is_ok();
    let of = |dtype| Tensor::full(dtype, &[2], 1.0);
    for from in DType::ALL {
        for to in DType::ALL {
            assert_eq!(fits(of(from), "f4", to), from == to, "{from} to {to}");
        }
    }
    assert!(fits(of(DType::I32), "u1", DType::I64) && !fits(of(DType::I32), "u1", DType::F32));
    assert!(fits(of(DType::F32), "f2", DType::F64) && fits(of(DType::F64), "text", DType::I32));
    let large = array(&[2], &[1i64, 1 << 40]);
    let error = fit(Loaded { tensor: large, stored: "text" }, DType::I32).expect_err("too large");
    assert_eq!(error.to_string(), "element 1 is `1099511627776`, which is no i32");
}

proptest! {
    #[test]
    fn any_text_is_a_value_or_an_error(text in r#"[\[\]0-9a-z,./:@ é\n-]{0,40}|\PC{0,20}"#) {
        if let Ok(Source::Inline(list)) = parse_source(&text) {
            prop_assert_eq!(list.shape.iter().product::<usize>(), list.elements.len());
            let _ = inline_to_tensor(&list, DType::I32);
        }
        let _ = parse_setting(&text);
    }

    #[test]
    fn floats_read_back(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        let text = format!("{value}").to_lowercase();
        let read = inline(&text, DType::F64).expect("a number").to_f64()[0];
        prop_assert!(read == value || value.is_nan() && read.is_nan());
    }
}
