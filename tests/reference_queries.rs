//! Each built-in query gives the rows that an independent engine gives on the
//! same records, whether they arrive in order, in disorder or late.
//!
//! The golden rows in `testdata/reference/golden` are DuckDB's; its README
//! says how they are made. For the late input it aggregated what the
//! watermark's rule leaves, as a plain simulation of that rule decided.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Ran, rows};
use tempfile::TempDir;

const ORDERS: [&str; 3] = ["ordered", "disordered", "late"];

/// What `--query log-analysis` stands for, in its order.
const LOG_ANALYSIS: [&str; 8] = [
    "response_time",
    "error_rate",
    "ip_patterns",
    "sla",
    "user_activity",
    "service_popularity",
    "system_health",
    "ddos",
];

macro_rules! queries {
    ($($query:ident: $stream:literal),* $(,)?) => {
        $(#[test]
        fn $query() {
            for order in ORDERS {
                check(stringify!($query), $stream, order);
            }
        })*
    };
}

queries! {
    response_time: "logs",
    error_rate: "logs",
    ip_patterns: "logs",
    sla: "logs",
    user_activity: "logs",
    service_popularity: "logs",
    system_health: "logs",
    ddos: "logs",
    user_events: "events",
    events_user_activity: "events",
    action_metrics: "events",
    user_burst: "events",
    watermarked_counts: "events",
    user_latest: "events",
}

/// One query over one file: its rows, what became of the records, and the
/// same rows once more through a pipe.
fn check(query: &str, stream: &str, order: &str) {
    let input = Input::new(stream, order);
    let run = Run::new(&["--query", query], &input);
    run.assert_rows(&golden(query, &input.name), sets(query));
    let refused = Refused::golden(&input.name, query);
    run.assert_fates(&run.stats, &input, &refused);
    let late = refused.late.into_iter().map(|(line, seconds)| (line, Late { seconds, of: None }));
    run.assert_late_file(&input, &late.collect());

    let piped = window(&["--query", query], input.text.as_bytes());
    assert!(piped.stdout == run.ran.stdout, "a pipe gives other rows than a file\n{piped}");
}

#[test]
fn one_pass_gives_the_rows_of_all_log_queries() {
    for order in ORDERS {
        let input = Input::new("logs", order);
        let run = Run::new(&["--query", "log-analysis"], &input);
        run.assert_rows(&interleaved(&input.name), sets("ip_patterns"));
        let mut late: LateRecords = BTreeMap::new();
        for query in LOG_ANALYSIS {
            let refused = Refused::golden(&input.name, query);
            run.assert_fates(&run.stats["queries"][query], &input, &refused);
            for (line, seconds) in refused.late {
                let record = late.entry(line).or_default();
                // The strictest query is the one whose watermark is furthest.
                record.seconds = record.seconds.max(seconds);
                record.of.get_or_insert_default().push(query);
            }
        }
        run.assert_late_file(&input, &late);

        let named = LOG_ANALYSIS.iter().flat_map(|query| ["--query", query]);
        let named = window(&named.collect::<Vec<_>>(), input.text.as_bytes());
        assert!(named.stdout == run.ran.stdout, "the queries by name give other rows\n{named}");
    }
}

#[test]
fn late_alert_counts_what_another_query_found_late() {
    let input = Input::new("events", "late");
    let run = Run::new(&["--query", "user_latest"], &input);
    let alert = window(&["--query", "late_alert"], run.late.as_bytes());
    assert_rows(&alert, &golden("late_alert", &input.name), &[]);
}

/// One of the input files.
struct Input {
    /// `logs.ordered` and so on.
    name: String,
    path: PathBuf,
    text: String,
}

impl Input {
    fn new(stream: &str, order: &str) -> Self {
        let name = format!("{stream}.{order}");
        let file = format!("reference/{name}.ndjson");
        Self { name, path: support::testdata(&file), text: support::read_testdata(&file) }
    }
}

/// A run of `window` over an input file, and what it left.
struct Run {
    ran: Ran,
    stats: Value,
    /// The text of the `--late` file.
    late: String,
}

impl Run {
    fn new(flags: &[&str], input: &Input) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let (stats, late) = (folder.path().join("stats"), folder.path().join("late.ndjson"));
        let text = |path: &Path| path.to_str().expect("paths here are UTF-8").to_owned();
        let files = [text(&input.path), text(&stats), text(&late)];
        let files = ["--input", &files[0], "--stats", &files[1], "--late", &files[2]];
        let ran = window(&[flags, &files].concat(), b"");
        let read = |path| fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}\n{ran}"));
        let stats = serde_json::from_str(&read(stats)).expect("figures are JSON");
        let late = read(late);
        Self { ran, stats, late }
    }

    #[track_caller]
    fn assert_rows(&self, golden: &str, sets: &[&str]) {
        assert_rows(&self.ran, golden, sets);
    }

    /// The figures of a query account for each record and each refused window.
    #[track_caller]
    fn assert_fates(&self, figures: &Value, input: &Input, refused: &Refused) {
        let (records, late) = (input.text.lines().count(), refused.late.len());
        assert_eq!(self.stats["records_in"], records, "{}", self.ran);
        for (figure, expected) in [
            ("late", late),
            ("late_placements", refused.placements),
            ("filtered", 0),
            ("duplicates", 0),
            ("aggregated", records - late),
        ] {
            assert_eq!(figures[figure], expected, "{figure} of {}\n{}", input.name, self.ran);
        }
    }

    /// The late file has the late records as they came, and what is said of
    /// each.
    #[track_caller]
    fn assert_late_file(&self, input: &Input, late: &LateRecords) {
        let (records, written) = (rows::parse(&input.text), rows::parse(&self.late));
        assert_eq!(written.len(), late.len(), "late records of {}\n{}", input.name, self.ran);
        for ((line, late), mut record) in late.iter().zip(written) {
            let context = format!("{} line {line} came as {record}", input.name);
            let members = record.as_object_mut().expect("late records are objects");
            let seconds = members.remove("late_by").and_then(|seconds| seconds.as_f64());
            assert!(
                seconds.is_some_and(|seconds| rows::close(seconds, late.seconds)),
                "late by {}: {context}",
                late.seconds
            );
            let of = late.of.as_ref().map(|queries| Value::from(queries.clone()));
            assert_eq!(members.remove("late_for"), of, "{context}");
            assert_eq!(record, records[line - 1], "{context}");
        }
    }
}

/// Late records by their line number, from 1.
type LateRecords = BTreeMap<usize, Late>;

/// What a late record carries.
#[derive(Default)]
struct Late {
    /// How far the watermark was ahead of it.
    seconds: f64,
    /// The queries that found it late; `None` if there is only one.
    of: Option<Vec<&'static str>>,
}

/// What one query's watermark refused of one file.
#[derive(Default)]
struct Refused {
    /// Windows that refused a record.
    placements: usize,
    /// Seconds by line number of the records that all windows refused.
    late: BTreeMap<usize, f64>,
}

impl Refused {
    /// As the simulation of the watermark found it; nothing unless the input
    /// has late records.
    fn golden(input: &str, query: &str) -> Self {
        let text = support::read_testdata("reference/golden/late.json");
        let all: Value = serde_json::from_str(&text).expect("the golden file is JSON");
        let Some(file) = all.get(input) else { return Self::default() };
        let late = file[query]["late"].as_object().expect("each query is there").iter();
        let late = late.map(|(line, seconds)| {
            let seconds = seconds.as_f64().expect("late_by is a number");
            (line.parse().expect("lines are numbers"), seconds)
        });
        let placements = file[query]["late_placements"].as_u64().expect("a count") as usize;
        Self { placements, late: late.collect() }
    }
}

/// Runs `window` to a good end.
#[track_caller]
fn window(flags: &[&str], stdin: &[u8]) -> Ran {
    support::run(env!("CARGO_BIN_EXE_window"), flags, stdin).success()
}

#[track_caller]
fn assert_rows(ran: &Ran, golden: &str, sets: &[&str]) {
    if let Some(difference) = rows::difference(golden, &ran.stdout, sets) {
        panic!("{difference}\n{ran}");
    }
}

/// The columns of a query that are sets.
fn sets(query: &str) -> &'static [&'static str] {
    if query == "ip_patterns" { &["services_used"] } else { &[] }
}

fn golden(query: &str, input: &str) -> String {
    support::read_testdata(&format!("reference/golden/{query}.{input}.ndjson"))
}

/// The golden rows of the log queries in the order of one pass, of which the
/// golden file has runs of rows of the same query.
fn interleaved(input: &str) -> String {
    let rows = LOG_ANALYSIS.map(|query| (query, golden(query, input)));
    let mut rows: BTreeMap<_, _> =
        rows.iter().map(|(query, text)| (*query, text.lines())).collect();
    let mut merged = String::new();
    for run in
        support::read_testdata(&format!("reference/golden/log-analysis.{input}.order")).lines()
    {
        let (count, query) = run.split_once(' ').expect("a count and a name");
        let rows = rows.get_mut(query).expect("a log query");
        for row in rows.take(count.parse().expect("a count")) {
            merged += row;
            merged.push('\n');
        }
    }
    assert!(rows.values_mut().all(|rows| rows.next().is_none()), "each row has its place");
    merged
}
