//! One formula, proved: its value, its derivatives of both orders in every mode, its batched forms, its print.

use super::array::Array;
use super::machine::{
    Given, agree, array, derived, evaluate, is_float, model, request, results, round_trip,
};
use pullback::compile::{Level, Request};
use pullback::graph::{Kind, Model, NodeId};
use pullback::ops::Bindings;
use pullback::ops::special::Mode;
use pullback::tensor::DType;
use std::fmt::Write;

/// Variables, a formula over them, and what it means.
pub type Row = (&'static str, &'static str, fn(&[Array]) -> Array);

struct Case<'a> {
    given: &'a str,
    formula: &'a str,
    meaning: &'a dyn Fn(&[Array]) -> Array,
}

/// How sizes stand in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sizes {
    Numbers,
    Declared,
    Symbolic,
}

struct Setting {
    given: Vec<Given>,
    text: String,
    /// Declarations of a vector for each variable to be differentiated along.
    vectors: String,
    bindings: Bindings,
}

/// Proves each formula of a table; all that fail are told.
pub fn check_all(table: &[Row]) {
    let fails = |(given, formula, meaning): &&Row| {
        std::panic::catch_unwind(|| check(given, formula, meaning)).is_err()
    };
    let failed: Vec<&str> = table.iter().filter(fails).map(|(_, formula, _)| *formula).collect();
    assert!(failed.is_empty(), "{} fail: {failed:#?}", failed.len());
}

/// Proves value and derivatives of a formula.
///
/// `given` is such as `x: f64[N=2, 3]; i: i64[2] = 0 1; p: f64[2] >0`: sizes perhaps with the names of their axes (`:=`
/// where the text always has the name's size), values drawn where none are given. A `!` in front: axes meet by their
/// names. `formula` is statements, the last of them an expression; `meaning` is its value.
pub fn check(given: &str, formula: &str, meaning: &dyn Fn(&[Array]) -> Array) {
    let case = Case { given, formula, meaning };
    let mut measured = None;
    for sizes in [Sizes::Numbers, Sizes::Symbolic, Sizes::Declared] {
        if let Some(setting) = setting(&case, sizes) {
            prove(&case, setting, sizes, &mut measured);
        }
    }
}

/// The text of a formula and numbers for its variables, sizes in the first form that suits.
pub fn drawn(given: &str, formula: &str) -> Option<(String, Vec<Given>, Bindings)> {
    let case = Case { given, formula, meaning: &|arrays| arrays[0].clone() };
    let forms = [Sizes::Symbolic, Sizes::Declared, Sizes::Numbers];
    let setting = forms.into_iter().find_map(|sizes| setting(&case, sizes))?;
    Some((setting.text, setting.given, setting.bindings))
}

/// The variables and the text, where sizes may stand so.
fn setting(case: &Case, sizes: Sizes) -> Option<Setting> {
    let (by_name, given) = match case.given.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, case.given),
    };
    let mut dims: Vec<(String, usize, bool)> = Vec::new();
    let (mut lines, mut vectors) = (String::new(), String::new());
    let mut variables = Vec::new();
    for (number, part) in
        given.split(';').map(str::trim).filter(|part| !part.is_empty()).enumerate()
    {
        let (name, rest) = part.split_once(':').expect("a name and a type");
        let rest = rest.trim();
        let close =
            rest.find(']').map_or_else(|| rest.find(' ').unwrap_or(rest.len()), |at| at + 1);
        let (ty, values) = rest.split_at(close);
        let (dtype, axes) = ty.split_once('[').unwrap_or((ty, "]"));
        let dtype = DType::named(dtype.trim()).expect("an element type");
        let (mut shape, mut written) = (Vec::new(), Vec::new());
        for axis in axes.trim_end_matches(']').split(',').map(str::trim).filter(|a| !a.is_empty()) {
            let (axis_name, size) = axis.split_once('=').unwrap_or(("", axis));
            let size: usize = size.parse().expect("a size");
            shape.push(size);
            let fixed = axis_name.ends_with(':');
            let axis_name = axis_name.trim_end_matches(':');
            if axis_name.is_empty() {
                written.push(size.to_string());
                continue;
            }
            if !dims.iter().any(|(known, ..)| known == axis_name) {
                dims.push((axis_name.to_string(), size, fixed));
            }
            let number = sizes == Sizes::Numbers;
            written.push(if number { size.to_string() } else { axis_name.to_string() });
        }
        let brackets =
            if shape.is_empty() { String::new() } else { format!("[{}]", written.join(", ")) };
        writeln!(lines, "input {name}: {dtype}{brackets}").expect("text");
        if dtype.is_float() {
            writeln!(vectors, "input v_{name}: {dtype}{brackets}").expect("text");
        }
        let array = Array { values: numbers(values.trim(), &shape, number as u64), shape };
        variables.push(Given { name: name.trim().into(), dtype, array });
    }
    let words: Vec<&str> = case.formula.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let uses_names = by_name || dims.iter().any(|(name, ..)| words.contains(&name.as_str()));
    if (sizes == Sizes::Numbers && uses_names) || (sizes != Sizes::Numbers && dims.is_empty()) {
        return None;
    }
    if sizes == Sizes::Symbolic && dims.iter().all(|(.., fixed)| *fixed) {
        return None;
    }
    let mut text = String::new();
    for (name, size, fixed) in &dims {
        match sizes {
            Sizes::Symbolic if !fixed => writeln!(text, "dim {name}"),
            Sizes::Numbers => Ok(()),
            _ => writeln!(text, "dim {name} = {size}"),
        }
        .expect("text");
    }
    text.push_str(&lines);
    let (statements, value) = case.formula.rsplit_once(';').unwrap_or(("", case.formula));
    write!(text, "{statements}\noutput f = {}\n", value.trim()).expect("text");
    let bindings =
        dims.iter().map(|(name, size, _)| (name.as_str().into(), *size as i64)).collect();
    Some(Setting { given: variables, text, vectors, bindings })
}

/// Numbers as they are given, else drawn: none near 0, no two near each other.
fn numbers(given: &str, shape: &[usize], seed: u64) -> Vec<f64> {
    let count = shape.iter().product();
    if let Some(list) = given.strip_prefix('=') {
        let values: Vec<f64> =
            list.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        assert_eq!(values.len(), count);
        return values;
    }
    let mut order: Vec<usize> = (0..count).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed + 1);
    for place in (1..count).rev() {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        order.swap(place, (state >> 33) as usize % (place + 1));
    }
    let spread = |rank: usize| (rank as f64 + 0.37 + 0.01 * seed as f64) / count as f64;
    order
        .into_iter()
        .map(|rank| match given {
            ">0" => 0.3 + 1.2 * spread(rank),
            _ if rank % 2 == 0 => 0.2 + 1.1 * spread(rank),
            _ => -0.25 - 1.1 * spread(rank),
        })
        .collect()
}

/// Names of derivatives with what they are.
type Measured = Vec<(String, Array)>;

/// What differences say does not depend on how sizes are written: it is `measured` once.
fn prove(case: &Case, setting: Setting, sizes: Sizes, measured: &mut Option<Measured>) {
    let Setting { given, text, vectors, bindings } = setting;
    let plain = model(&text);
    let arrays: Vec<Array> = given.iter().map(|g| g.array.clone()).collect();
    let node = plain.named("f").expect("the formula has a value");
    let found = array(&evaluate(&plain, &[node], &given, &bindings)[0]);
    agree(&format!("value of\n{text}"), &found, &(case.meaning)(&arrays), 1e-12);

    let floats: Vec<usize> = (0..given.len()).filter(|&i| given[i].dtype == DType::F64).collect();
    if !is_float(&plain, node) || floats.is_empty() {
        round_trip(&plain, &given, &bindings);
        return;
    }
    let names: Vec<&str> = floats.iter().map(|&i| given[i].name.as_str()).collect();
    let mut all = given.clone();
    for (number, &i) in floats.iter().enumerate() {
        let Given { name, dtype, array: Array { shape, .. } } = &given[i];
        let values = numbers("", shape, 40 + number as u64);
        let array = Array { shape: shape.clone(), values };
        all.push(Given { name: format!("v_{name}"), dtype: *dtype, array });
    }
    let text = format!("{text}{vectors}{}", nested(&names));
    let whole = model(&text);
    let measured =
        measured.get_or_insert_with(|| measure(&whole, &text, &all, &floats, &found, &bindings));
    let levels: &[Level] = match sizes {
        Sizes::Numbers | Sizes::Symbolic => &[Level::Derived, Level::Readable],
        Sizes::Declared => &[Level::Readable],
    };
    for &level in levels {
        let derived = derived(&whole, &requests(&names), level, &text).model;
        let written = names.iter().map(|name| format!("hh_{name}"));
        let written = written.map(|name| derived.named(&name).expect("it is written"));
        let wanted: Vec<NodeId> =
            results(&derived, Kind::Gradient).into_iter().chain(written).collect();
        let found = evaluate(&derived, &wanted, &all, &bindings);
        for ((what, wanted), found) in measured.iter().zip(&found) {
            agree(&format!("{what} at {level:?} of\n{text}"), &array(found), wanted, 2e-8);
        }
        round_trip(&derived, &all, &bindings);
    }
}

/// A scalar that tells all elements of the formula apart, and derivatives of it in the language.
fn nested(names: &[&str]) -> String {
    let mut text = String::from("loss L = 1/2 * sum(f^2)\n");
    for name in names {
        writeln!(text, "hh_{name} = grad(sum(grad(L, {name}) * v_{name}), {name})").expect("text");
    }
    text
}

/// Each mode by each variable alone, whichever others there are.
fn requests(names: &[&str]) -> Vec<Request> {
    let mut all =
        vec![request(Mode::Grad, "L", names, &[]), request(Mode::Jacobian, "f", names, &[])];
    all.extend(names.iter().map(|name| request(Mode::Hessian, "L", &[name], &[])));
    for (mode, of) in [(Mode::Jvp, "f"), (Mode::Hvp, "L")] {
        all.extend(names.iter().map(|name| request(mode, of, &[name], &[&format!("v_{name}")])));
    }
    all
}

/// What central differences say of each of the requests, and of what is written in the text.
fn measure(
    whole: &Model,
    text: &str,
    all: &[Given],
    floats: &[usize],
    value: &Array,
    bindings: &Bindings,
) -> Measured {
    let names: Vec<&str> = floats.iter().map(|&i| all[i].name.as_str()).collect();
    let requests = [request(Mode::Grad, "L", &names, &[])];
    let once = derived(whole, &requests, Level::Derived, text).model;
    let gradients = results(&once, Kind::Gradient);
    let shape = value.shape.clone();
    let mut lists: [Measured; 6] = Default::default();
    for (number, &i) in floats.iter().enumerate() {
        let wanted =
            [once.named("L").expect("there"), once.named("f").expect("there"), gradients[number]];
        let own = all[i].array.clone();
        let size = own.values.len();
        let columns: Vec<Vec<Array>> =
            (0..size).map(|place| differences(&once, &wanted, all, i, place, bindings)).collect();
        let name = names[number];
        let vector = &all.iter().find(|g| g.name == format!("v_{name}")).expect("there").array;
        let laid = |which: usize, lead: &[usize]| {
            let rows: usize = lead.iter().product();
            let values = (0..rows)
                .flat_map(|row| columns.iter().map(move |c| c[which].values[row]))
                .collect();
            Array { shape: [lead, &own.shape].concat(), values }
        };
        let along = |which: usize, lead: &[usize]| {
            let rows: usize = lead.iter().product();
            let product = |row: usize| {
                columns.iter().zip(&vector.values).map(|(c, v)| c[which].values[row] * v).sum()
            };
            Array { shape: lead.to_vec(), values: (0..rows).map(product).collect() }
        };
        lists[0].push((format!("gradient by {name}"), laid(0, &[])));
        lists[1].push((format!("Jacobian by {name}"), laid(1, &shape)));
        lists[2].push((format!("Hessian by {name}"), laid(2, &own.shape)));
        lists[3].push((format!("jvp by {name}"), along(1, &shape)));
        lists[4].push((format!("hvp by {name}"), along(2, &own.shape)));
        lists[5].push((format!("grad of grad by {name}"), along(2, &own.shape)));
    }
    lists.into_iter().flatten().collect()
}

/// How far nodes move with one element: central differences, extrapolated.
fn differences(
    model: &Model,
    wanted: &[NodeId],
    all: &[Given],
    variable: usize,
    place: usize,
    bindings: &Bindings,
) -> Vec<Array> {
    let mut moved = all.to_vec();
    let middle = all[variable].array.values[place];
    let mut central = |step: f64| -> Vec<Array> {
        let mut at = |value: f64| {
            moved[variable].array.values[place] = value;
            evaluate(model, wanted, &moved, bindings)
        };
        let (above, below) = (at(middle + step), at(middle - step));
        let slope = |a: &Array, b: &Array| Array {
            shape: a.shape.clone(),
            values: a.values.iter().zip(&b.values).map(|(a, b)| (a - b) / (2.0 * step)).collect(),
        };
        above.iter().zip(&below).map(|(a, b)| slope(&array(a), &array(b))).collect()
    };
    let step = 5e-4 * middle.abs().clamp(0.1, 1.0);
    let (wide, narrow) = (central(step), central(step / 2.0));
    let extrapolated = |(w, n): (&Array, &Array)| Array {
        shape: w.shape.clone(),
        values: w.values.iter().zip(&n.values).map(|(w, n)| (4.0 * n - w) / 3.0).collect(),
    };
    wide.iter().zip(&narrow).map(extrapolated).collect()
}
