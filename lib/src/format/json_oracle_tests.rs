//! Normalisation against a plain one: members as a list of values that
//! `serde_json` has read, and nothing remembered from line to line.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// A record's members in order, with all copies of a key.
type Members = Vec<(String, Value)>;

const T: &str = "2025-09-12T00:00:00.000Z";

fn get<'a>(members: &'a Members, name: &str) -> Option<&'a Value> {
    let last =
        |name: &str| members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
    last(name).or_else(|| {
        let (head, rest) = name.split_once('.')?;
        last(head)?.get(rest)
    })
}

/// The names under which a normalised field is looked for.
fn names(name: &str) -> Vec<&str> {
    match name {
        "timestamp" => vec!["timestamp", "@timestamp", "time", "ts", "t", "date"],
        "level" => vec!["level", "lvl", "log.level", "severity"],
        "message" => vec!["message", "msg"],
        name => vec![name],
    }
}

fn cast(name: &str, value: &Value) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    let number = || match value {
        Value::String(text) => serde_json::from_str(text.trim()).ok(),
        value => Some(value.clone()),
    };
    match name {
        "response_time" => number().filter(Value::is_number).unwrap_or(Value::Null),
        "status_code" => {
            let number = number().and_then(|number| number.as_f64());
            number.filter(|number| number.fract() == 0.0).map_or(Value::Null, |n| json!(n as i64))
        }
        _ if value.is_string() => value.clone(),
        _ => Value::String(value.to_string()),
    }
}

/// The members of the normalised record; `None` if it has no time.
fn oracle(members: &Members) -> Option<Members> {
    let mut taken: Vec<&str> = NAMES.to_vec();
    let mut record = Members::new();
    for name in NAMES {
        let Some(found) = names(name).into_iter().find(|known| get(members, known).is_some())
        else {
            continue;
        };
        let value = get(members, found)?;
        taken.push(found);
        if name == "timestamp" {
            record.push((name.to_owned(), if value.is_null() { return None } else { json!(T) }));
        } else {
            record.push((name.to_owned(), cast(name, value)));
        }
    }
    let others = members.iter().filter(|(name, _)| !taken.contains(&name.as_str())).cloned();
    record.extend(others);
    get(&record, "timestamp").is_some().then_some(record)
}

fn text(members: &Members) -> String {
    let member = |(name, value): &(String, Value)| format!("{}:{value}", json!(name));
    format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1_000_i64..1_000).prop_map(Value::from),
        (-1_000_i32..1_000).prop_map(|number| json!(f64::from(number) / 4.0)),
        "[a-z\"\\\\\n]{0,4}".prop_map(Value::from),
        (0..900).prop_map(|number| Value::from(format!(" {number}"))),
        Just(json!([1, {"a": "b"}])),
        Just(json!({"level": "inner"})),
    ]
}

fn member() -> impl Strategy<Value = (String, Value)> {
    let timed = prop::sample::select(names("timestamp"));
    let time = prop_oneof![
        Just(json!(T)),
        Just(json!("2025-09-12 00:00:00")),
        Just(json!(1_757_635_200)),
        Just(json!("1757635200000")),
        Just(Value::Null),
    ];
    let other = prop::sample::select(vec![
        "level",
        "lvl",
        "log",
        "log.level",
        "severity",
        "message",
        "msg",
        "service",
        "user_id",
        "response_time",
        "status_code",
        "error_code",
        "a",
        "b\"c",
        "Timestamp",
    ]);
    prop_oneof![
        1 => (timed, time).prop_map(|(name, value)| (name.to_owned(), value)),
        4 => (other, value()).prop_map(|(name, value)| (name.to_owned(), value)),
    ]
}

proptest! {
    #[test]
    fn agrees_with_the_oracle(
        records in prop::collection::vec(prop::collection::vec(member(), 0..8), 1..6),
    ) {
        let (mut ours, mut calendar) = (JsonRecords::default(), Calendar::default());
        for members in &records {
            let line = text(members);
            let mut out = Vec::new();
            let result = ours.normalize(line.as_bytes(), &mut calendar, &mut out).map(|done| {
                assert!(!matches!(done, Normalized::Text { .. }));
                done == Normalized::AsIs
            });
            match (oracle(members), result) {
                (None, Err(error)) => prop_assert_eq!(error.reason(), Reason::NoTimestamp),
                (Some(expected), Ok(true)) => prop_assert_eq!(line, text(&expected)),
                (Some(expected), Ok(false)) => {
                    let row = String::from_utf8(out).unwrap();
                    prop_assert_eq!(&row, &text(&expected), "{}", line);
                    // What was normalised is in normal form.
                    let again = JsonRecords::default()
                        .normalize(row.as_bytes(), &mut calendar, &mut Vec::new())
                        .map(|done| done == Normalized::AsIs);
                    prop_assert_eq!(again, Ok(true), "{}", row);
                }
                (expected, result) => prop_assert!(false, "{line}: {expected:?} {result:?}"),
            }
        }
    }
}
