//! Compares rows with golden ones: everything exactly, but for the last
//! digits of doubles.

use serde_json::{Number, Value};

/// How far two doubles may be apart, relative to the greater one.
const TOLERANCE: f64 = 1e-9;

/// What is left of a sum whose parts cancel out, such as the deviation of
/// equal values.
const ZERO: f64 = 1e-12;

/// Parses NDJSON, one value a line.
///
/// # Panics
///
/// If a line is not JSON.
#[track_caller]
pub fn parse(text: &str) -> Vec<Value> {
    let parse =
        |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in line\n{line}"));
    text.lines().map(parse).collect()
}

/// How the first row that differs from its golden one differs; `None` if all
/// are the same, in the same order, with the same columns in the same order.
///
/// `sets` names the columns whose lists have no order.
pub fn difference(golden: &str, rows: &str, sets: &[&str]) -> Option<String> {
    for (index, (golden, row)) in golden.lines().zip(rows.lines()).enumerate() {
        if !same_row(golden, row, sets) {
            return Some(format!("row {} differs\ngolden: {golden}\nrow:    {row}", index + 1));
        }
    }
    let (expected, got) = (golden.lines().count(), rows.lines().count());
    (expected != got).then(|| format!("{expected} golden rows, but {got} rows"))
}

fn same_row(golden_text: &str, row_text: &str, sets: &[&str]) -> bool {
    let golden: Value = serde_json::from_str(golden_text).expect("golden rows are JSON");
    let Ok(mut row) = serde_json::from_str::<Value>(row_text) else { return false };
    for set in sets {
        if let Some(Value::Array(values)) = row.get_mut(set) {
            // Golden sets are sorted.
            values.sort_by_key(Value::to_string);
        }
    }
    same(&golden, &row) && columns(&golden, golden_text) == columns(&row, row_text)
}

/// The names of a row's columns in the order of its text, which the parsed
/// object does not keep. No column has the name of another one's member.
pub fn columns<'a>(row: &'a Value, text: &str) -> Vec<&'a str> {
    let mut names: Vec<&str> =
        row.as_object().into_iter().flatten().map(|(name, _)| &**name).collect();
    names.sort_by_key(|name| text.find(&format!("\"{name}\":")));
    names
}

/// Whether two values are the same, but for the last digits of doubles.
/// An integer is never a double: 1 and 1.0 differ.
pub fn same(golden: &Value, value: &Value) -> bool {
    match (golden, value) {
        (Value::Number(golden), Value::Number(value)) => same_number(golden, value),
        (Value::Array(golden), Value::Array(values)) => {
            golden.len() == values.len() && golden.iter().zip(values).all(|(a, b)| same(a, b))
        }
        (Value::Object(golden), Value::Object(members)) => {
            golden.len() == members.len()
                && golden.iter().all(|(name, a)| members.get(name).is_some_and(|b| same(a, b)))
        }
        _ => golden == value,
    }
}

fn same_number(golden: &Number, number: &Number) -> bool {
    match (golden.as_f64(), number.as_f64()) {
        (Some(a), Some(b)) if golden.is_f64() && number.is_f64() => close(a, b),
        _ => golden == number,
    }
}

/// Whether two doubles are the same but for their last digits.
pub fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= (TOLERANCE * a.abs().max(b.abs())).max(ZERO)
}

#[test]
fn a_row_is_the_same_only_with_the_same_names_order_and_types() {
    let golden = r#"{"w":{"end":"b"},"n":1,"x":0.3,"set":["p","q"],"null":null}"#;
    for (row, equal) in [
        (r#"{"w":{"end":"b"},"n":1,"x":0.30000000001,"set":["q","p"],"null":null}"#, true),
        (r#"{"w":{"end":"b"},"n":1,"x":0.3000001,"set":["p","q"],"null":null}"#, false),
        (r#"{"w":{"end":"b"},"n":1.0,"x":0.3,"set":["p","q"],"null":null}"#, false),
        (r#"{"w":{"end":"b"},"x":0.3,"n":1,"set":["p","q"],"null":null}"#, false),
        (r#"{"w":{"end":"b"},"n":1,"x":0.3,"set":["p","q"]}"#, false),
        (r#"{"w":{"end":"c"},"n":1,"x":0.3,"set":["p","q"],"null":null}"#, false),
        (r#"{"w":{"end":"b"},"n":1,"x":0.3,"set":["p"],"null":null}"#, false),
        (r#"{"w":{"end":"b"},"n":1,"x":0.3,"set":["p","q"],"null":null"#, false),
    ] {
        assert_eq!(difference(golden, row, &["set"]).is_none(), equal, "{row}");
    }
    assert!(difference(golden, "", &[]).is_some());
    assert!(difference("", golden, &[]).is_some());
}
