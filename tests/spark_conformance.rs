//! Queries give the rows that Spark gives on the same records.
//!
//! Each file in `testdata/spark` is a case: query, input, Spark's rows, and
//! where `window` differs on purpose, its own rows and the reason. The README
//! there says how they are made; Spark is not needed here.

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Ran, rows};
use toml::{Table, Value as Toml};

/// Fewer cases would mean that some were lost.
const FEWEST: usize = 60;

const KEYS: [&str; 12] = [
    "about",
    "approximate",
    "builtin",
    "difference",
    "file",
    "golden",
    "input",
    "lines",
    "prepare",
    "query",
    "schema",
    "sets",
];

#[test]
fn queries_give_the_rows_of_spark() {
    let cases = Case::all();
    println!("{} cases", cases.len());
    assert!(cases.len() >= FEWEST, "there are only {} cases", cases.len());
    let problems: Vec<String> = cases
        .iter()
        .filter_map(|case| case.check().err().map(|problem| format!("{}: {problem}", case.name)))
        .collect();
    let (failed, all) = (problems.len(), cases.len());
    assert!(problems.is_empty(), "{}\n\n{failed} of {all} cases failed", problems.join("\n\n"));
}

#[test]
fn each_difference_has_a_reason_and_its_place_in_the_documentation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/spark.md");
    let page = fs::read_to_string(path).expect("the page can be read");
    let differing: Vec<Case> =
        Case::all().into_iter().filter(|case| case.difference().is_some()).collect();
    for case in &differing {
        let reason = case.difference().and_then(|difference| text(difference, "reason"));
        assert!(reason.is_some_and(|reason| !reason.trim().is_empty()), "{}: no reason", case.name);
        assert!(page.contains(&format!("`{}`", case.name)), "{} is not in {path}", case.name);
    }
    assert!(!differing.is_empty());
}

/// One case file.
struct Case {
    name: String,
    content: Table,
}

impl Case {
    /// All cases, by name.
    fn all() -> Vec<Self> {
        let mut cases: Vec<Self> = fs::read_dir(support::testdata("spark"))
            .expect("the folder can be read")
            .map(|entry| entry.expect("the folder can be read").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .map(|path| Self::read(&path))
            .collect();
        cases.sort_by(|one, other| one.name.cmp(&other.name));
        cases
    }

    fn read(path: &Path) -> Self {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = name.expect("a file has a name");
        let content = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let content = content.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name, content }
    }

    fn difference(&self) -> Option<&Table> {
        self.content.get("difference").and_then(Toml::as_table)
    }

    /// How the case fails.
    fn check(&self) -> Result<(), String> {
        if let Some(key) = self.content.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("a case has no `{key}`"));
        }
        let golden = text(&self.content, "golden").ok_or("no golden rows")?;
        let ran = self.run();
        let Some(difference) = self.difference() else {
            return self.compare(golden, &ran);
        };
        if let Some(refused) = text(difference, "refused") {
            let as_said = ran.status.code() == Some(2) && ran.stderr.contains(refused);
            return as_said
                .then_some(())
                .ok_or(format!("should be refused: {refused}\n{}", said(&ran)));
        }
        let ours = text(difference, "ours").ok_or("a difference has `ours` or `refused`")?;
        if self.compare_rows(golden, ours).is_ok() {
            return Err("what is called a difference is none".to_owned());
        }
        self.compare(ours, &ran)
    }

    fn run(&self) -> Ran {
        let content = &self.content;
        let query = match (text(content, "builtin"), text(content, "query")) {
            (Some(name), None) => format!("--query={name}"),
            (None, Some(query)) => format!("--sql={query}"),
            _ => panic!("{}: a case has either `query` or `builtin`", self.name),
        };
        support::run(env!("CARGO_BIN_EXE_window"), [query], self.input().as_bytes())
    }

    fn input(&self) -> String {
        match (text(&self.content, "input"), text(&self.content, "file")) {
            (Some(input), None) => input.to_owned(),
            (None, Some(file)) => {
                let text = support::read_testdata(&format!("spark/{file}"));
                let lines = self.content.get("lines").and_then(Toml::as_integer);
                let lines = lines.map_or(usize::MAX, |lines| lines as usize);
                text.split_inclusive('\n').take(lines).collect()
            }
            _ => panic!("{}: a case has either `input` or `file`", self.name),
        }
    }

    fn compare(&self, expected: &str, ran: &Ran) -> Result<(), String> {
        if !ran.status.success() {
            return Err(format!("should have succeeded\n{}", said(ran)));
        }
        self.compare_rows(expected, &ran.stdout)
    }

    /// The rows must be the same, in any order: that of `window` is not Spark's.
    fn compare_rows(&self, expected: &str, rows: &str) -> Result<(), String> {
        let mut rows: Vec<&str> = rows.lines().collect();
        for expected in expected.lines() {
            match rows.iter().position(|row| self.same_row(expected, row)) {
                Some(found) => rows.remove(found),
                None => {
                    return Err(format!(
                        "missing: {expected}\nothers:  {}",
                        rows.join("\n         ")
                    ));
                }
            };
        }
        rows.first().map_or(Ok(()), |row| Err(format!("too much: {row}")))
    }

    fn same_row(&self, expected_text: &str, row_text: &str) -> bool {
        let expected: Value = serde_json::from_str(expected_text).expect("golden rows are JSON");
        let Ok(mut row) = serde_json::from_str::<Value>(row_text) else { return false };
        if let Some(members) = row.as_object_mut() {
            // Only `window` names the query.
            if self.content.contains_key("builtin") {
                members.remove("query");
            }
            for (column, value) in members {
                self.settle(column, value, &expected[column.as_str()]);
            }
        }
        rows::same(&expected, &row)
            && rows::columns(&expected, expected_text) == rows::columns(&row, row_text)
    }

    /// Sorts a set, as golden ones are, and takes an approximate number that is
    /// near enough for the expected one.
    fn settle(&self, column: &str, value: &mut Value, expected: &Value) {
        let sets = self.content.get("sets").and_then(Toml::as_array);
        if sets.is_some_and(|sets| sets.iter().any(|set| set.as_str() == Some(column)))
            && let Some(members) = value.as_array_mut()
        {
            members.sort_by_key(Value::to_string);
        }
        let errors = self.content.get("approximate").and_then(Toml::as_table);
        if let Some(error) = errors.and_then(|errors| errors.get(column)).and_then(Toml::as_float)
            && let (Some(number), Some(exact)) = (value.as_f64(), expected.as_f64())
            && (number - exact).abs() <= error * exact.abs()
        {
            *value = expected.clone();
        }
    }
}

/// What a person needs to see of a run: query and input are in the case's file.
fn said(ran: &Ran) -> String {
    format!("{}\n{}{}", ran.status, ran.stdout, ran.stderr)
}

fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key).and_then(Toml::as_str)
}
