//! The steps of `parse` behind its formats, against the same steps written
//! down plainly over lists of names and values.

#![allow(
    clippy::needless_for_each,
    clippy::needless_pass_by_value,
    clippy::struct_excessive_bools,
    reason = "an oracle is written to be read"
)]
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

use highwater_core::line::Line;
use highwater_core::query::parse_schema;
use highwater_core::reshape::{Reshape, ReshapeOptions, TableFile};
use highwater_core::stream::Output;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A record: names, which may be there several times, and values as JSON.
type Record = Vec<(String, String)>;

const NAMES: [&str; 6] = ["a", "b", "c", "o", "o.x", "list"];

const TABLE: &str = "k,b,new\n1,one,1\nx,ex,2\n1,uno,3\n";

/// Values, in various spellings.
#[rustfmt::skip]
const VALUES: [&str; 21] = [
    "null", "true", "1", "1.0", "-7", "2.50", "1e2", "99999999999", r#""1""#, r#""x""#,
    r#""\u0078""#, r#""x,y""#, r#""""#, r#""a\"b""#, "[]", r#"[1,"x",[2]]"#, "[null]", "{}",
    r#"{"x":1}"#, r#"{"x":{"x":2},"y":3}"#, r#"{"x":[1,2],"x":[3]}"#,
];

fn value() -> impl Strategy<Value = String> {
    prop::sample::select(VALUES.as_slice()).prop_map(str::to_owned)
}

fn record() -> impl Strategy<Value = Record> {
    let member = (prop::sample::select(NAMES.as_slice()).prop_map(str::to_owned), value());
    prop::collection::vec(member, 0..7)
}

/// What the flags may say.
#[derive(Clone, Debug)]
struct Flags {
    explode: Option<String>,
    lookup: bool,
    inner: bool,
    rename: Vec<(String, String)>,
    set: Option<(String, String)>,
    filter: bool,
    project: Option<Vec<String>>,
    is_schema: bool,
}

fn flags() -> impl Strategy<Value = Flags> {
    let name = || prop::sample::select(NAMES.as_slice()).prop_map(str::to_owned);
    let names = || prop::sample::subsequence(NAMES.to_vec(), 0..4).prop_shuffle();
    let explode = prop::option::of((name(), prop::sample::select(vec!["", ":,"])));
    let explode = explode.prop_map(|found| found.map(|(name, split)| name + split));
    let rename = (names(), names()).prop_map(|(old, new)| {
        let pairs = old.into_iter().zip(new).filter(|(old, new)| old != new);
        pairs.map(|(old, new)| (old.to_owned(), new.to_owned())).collect()
    });
    let project = prop::option::of(prop::sample::subsequence(NAMES.to_vec(), 1..5).prop_shuffle());
    let project = project.prop_map(|names| names.map(|n| n.into_iter().map(Into::into).collect()));
    let set = prop::option::of((name(), Just("new value".to_owned())));
    let bool = any::<bool>;
    (explode, bool(), bool(), rename, set, bool(), project, bool()).prop_map(
        |(explode, lookup, inner, rename, set, filter, project, is_schema)| Flags {
            explode,
            lookup,
            inner,
            rename,
            set,
            filter,
            project,
            is_schema,
        },
    )
}

fn write(record: &Record, comma: &str) -> String {
    let members: Vec<_> =
        record.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", members.join(comma))
}

/// The value of a field: of a literal key, the last one, or at the end of a
/// path.
fn get(record: &Record, name: &str) -> Option<String> {
    if let Some((_, value)) = record.iter().rfind(|(known, _)| known == name) {
        return Some(value.clone());
    }
    let (head, key) = name.split_once('.')?;
    let (_, object) = record.iter().rfind(|(known, _)| known == head)?;
    // The only nested member that the values have is `x`, and what is in it is
    // spelled as serde_json spells it.
    let object: Value = serde_json::from_str(object).unwrap();
    object.get(key).map(Value::to_string)
}

fn has(record: &Record, name: &str) -> bool {
    record.iter().any(|(known, _)| known == name)
}

/// Writes a field in the place of its first copy, or last.
fn put(record: &mut Record, name: &str, value: String) {
    let Some(at) = record.iter().position(|(known, _)| known == name) else {
        record.push((name.to_owned(), value));
        return;
    };
    let mut index = 0;
    record.retain(|(known, _)| {
        index += 1;
        known != name || index - 1 == at
    });
    record[at].1 = value;
}

fn with(record: &Record, name: &str, value: String) -> Record {
    let mut record = record.clone();
    put(&mut record, name, value);
    record
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn explode(record: Record, flag: &str) -> Vec<Record> {
    let (name, separator) = match flag.split_once(':') {
        Some((name, separator)) => (name, Some(separator)),
        None => (flag, None),
    };
    let Some(value) = get(&record, name) else { return Vec::new() };
    match (parsed(&value), separator) {
        (Value::Null, _) => Vec::new(),
        (Value::Array(list), _) => {
            list.iter().map(|element| with(&record, name, element.to_string())).collect()
        }
        (Value::String(text), Some(separator)) => {
            text.split(separator).map(|part| with(&record, name, json!(part).to_string())).collect()
        }
        _ => vec![record],
    }
}

fn lookup(record: Record, inner: bool) -> Vec<Record> {
    let text = get(&record, "a").map(|value| match parsed(&value) {
        Value::Null => "no key".to_owned(),
        Value::String(text) => text,
        _ => value,
    });
    let rows: Vec<_> = TABLE
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|row| text.as_deref() == Some(row[0]))
        .collect();
    if rows.is_empty() && !inner {
        return vec![record];
    }
    let join = |row: Vec<&str>| {
        let record = with(&record, "b", json!(row[1]).to_string());
        with(&record, "new", json!(row[2]).to_string())
    };
    rows.into_iter().map(join).collect()
}

fn rename(record: Record, names: &[(String, String)]) -> Vec<Record> {
    let present: Vec<_> =
        names.iter().filter(|(old, _)| get(&record, old).is_some()).cloned().collect();
    let mut renamed = Record::new();
    for (index, (name, value)) in record.iter().enumerate() {
        let is_last = !record[index + 1..].iter().any(|(later, _)| later == name);
        if let Some((_, new)) = present.iter().find(|(old, _)| old == name) {
            if is_last {
                renamed.push((new.clone(), value.clone()));
            }
        } else if !present.iter().any(|(_, new)| new == name) {
            renamed.push((name.clone(), value.clone()));
        }
    }
    for (old, new) in present {
        if !has(&record, &old) {
            renamed.push((new, get(&record, &old).unwrap()));
        }
    }
    vec![renamed]
}

/// `b IS NULL OR b = 'x'`
fn is_wanted(record: &Record) -> bool {
    matches!(get(record, "b").map(|value| parsed(&value)), None | Some(Value::Null))
        || get(record, "b").is_some_and(|value| parsed(&value) == json!("x"))
}

fn project(record: &Record, names: &[String], is_schema: bool) -> Record {
    let column = |name: &String| {
        let value = get(record, name);
        let value = if is_schema { Some(as_double(value)) } else { value };
        value.map(|value| (name.clone(), value))
    };
    names.iter().filter_map(column).collect()
}

/// The value as a number, or null.
fn as_double(value: Option<String>) -> String {
    let value = value.unwrap_or_else(|| "null".to_owned());
    match parsed(&value) {
        Value::Number(_) => value,
        Value::String(text) if text.trim().parse::<f64>().is_ok() => text.trim().to_owned(),
        _ => "null".to_owned(),
    }
}

/// A record, and whether a step has written it anew: then it has no blanks.
type Written = (Record, bool);

/// Takes records through a step, which writes anew what it changes.
fn step(records: Vec<Written>, step: impl Fn(Record) -> Vec<Record>) -> Vec<Written> {
    let through = |(before, anew): Written| {
        let after = step(before.clone());
        after.into_iter().map(move |after| {
            let anew = anew || after != before;
            (after, anew)
        })
    };
    records.into_iter().flat_map(through).collect()
}

fn expected(record: Record, flags: &Flags) -> Vec<Written> {
    let mut records = vec![(record, false)];
    if let Some(flag) = &flags.explode {
        records = step(records, |record| explode(record, flag));
    }
    if flags.lookup {
        records = step(records, |record| lookup(record, flags.inner));
    }
    // Writes anew all that has one of the names, though it may come out as it was.
    for (record, anew) in &mut records {
        *anew |= flags.rename.iter().any(|(old, _)| get(record, old).is_some());
    }
    if !flags.rename.is_empty() {
        records = step(records, |record| rename(record, &flags.rename));
    }
    if let Some((name, value)) = &flags.set {
        records = step(records, |record| vec![with(&record, name, json!(value).to_string())]);
    }
    if flags.filter {
        records.retain(|(record, _)| is_wanted(record));
    }
    if let Some(names) = &flags.project {
        records = step(records, |record| vec![project(&record, names, flags.is_schema)]);
    }
    records
}

fn compile(flags: &Flags) -> Option<Reshape> {
    let explode: Vec<String> = flags.explode.iter().cloned().collect();
    let rename: Vec<String> =
        flags.rename.iter().map(|(old, new)| format!("{old}={new}")).collect();
    let set: Vec<String> =
        flags.set.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let table = TableFile { name: "table", bytes: TABLE.as_bytes(), on: "a=k" };
    let fields: Vec<String> = flags.project.iter().map(|names| names.join(",")).collect();
    let ddl: Option<String> = flags.project.as_ref().filter(|_| flags.is_schema).map(|names| {
        names.iter().map(|name| format!("`{name}` DOUBLE")).collect::<Vec<_>>().join(", ")
    });
    let schema = ddl.map(|ddl| parse_schema(&ddl, "schema").unwrap());
    Reshape::new(&ReshapeOptions {
        explode: &explode,
        lookups: if flags.lookup { std::slice::from_ref(&table) } else { &[] },
        inner: flags.inner,
        rename: &rename,
        set: &set,
        filter: flags.filter.then_some("b IS NULL OR b = 'x'"),
        fields: &fields,
        schema: schema.as_deref(),
    })
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn records_become_what_the_oracle_says(
        records in prop::collection::vec(record(), 1..4),
        flags in flags(),
    ) {
        let Some(mut reshape) = compile(&flags) else { return Ok(()) };
        let mut out = Output::in_memory();
        let mut wanted = String::new();
        for record in &records {
            // Blanks show which records were copied: those that no step changes.
            let line = write(record, " , ");
            reshape.reshape(&mut out, |out| out.copy_row(line.as_bytes())).unwrap();
            for (record, anew) in expected(record.clone(), &flags) {
                wanted += &(write(&record, if anew { "," } else { " , " }) + "\n");
            }
        }
        prop_assert_eq!(out.stats.records_out, wanted.lines().count() as u64);
        prop_assert_eq!(String::from_utf8_lossy(out.rows()), wanted);
    }

    #[test]
    fn nothing_panics(line in "[ -~]{0,40}", flags in flags()) {
        let Some(mut reshape) = compile(&flags) else { return Ok(()) };
        let mut out = Output::in_memory();
        let line = Line { bytes: line.as_bytes(), fault: None };
        reshape.reshape(&mut out, |out| out.copy_row(line.bytes)).unwrap();
    }
}
