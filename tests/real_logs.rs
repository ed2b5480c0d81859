//! The whole pipeline over access logs that were written by servers in use.
//!
//! They are not part of the repository: `HIGHWATER_REAL_LOGS` names the folder
//! that holds them. Without it the tests do nothing but say so. What fails
//! never shows a line of the logs, only figures.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]
#![allow(clippy::print_stderr, reason = "says what was skipped")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::stages::{DETECT, EXPORT, INGEST, PARSE, Stage, WINDOW};

const FOLDER: &str = "HIGHWATER_REAL_LOGS";

/// Tumbling hours by status, with little patience for disorder.
const HOURS: Stage = Stage {
    args: &[
        "--size",
        "1h",
        "--watermark",
        "10m",
        "--by",
        "status_code",
        "count(*) AS n, sum(bytes) AS bytes",
    ],
    ..WINDOW
};

/// The log's path; `None`, and a note, if there is none to be had.
fn log(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os(FOLDER) else {
        eprintln!("skipped: {name} (set {FOLDER} to the folder that holds it)");
        return None;
    };
    let path = Path::new(&folder).join(name);
    assert!(path.is_file(), "{FOLDER} has no {name}");
    Some(path)
}

/// A stage's output and figures. Its messages quote rejected lines, so they are
/// not shown.
#[track_caller]
fn run(stage: &Stage, more: &[&str], input: &str) -> (String, Value) {
    let (ran, stats) = stage.run_counting(more, input);
    assert_eq!(ran.status.code(), Some(0), "{}: {stats}", stage.name);
    (ran.stdout, stats)
}

#[track_caller]
fn check(name: &str, parsed: u64, rejected: &Value) {
    let Some(path) = log(name) else { return };
    let (lines, stats) = run(&INGEST, &[path.to_str().unwrap()], "");
    assert_eq!(stats["rejected"], json!({}));
    assert_eq!(stats["records_in"], stats["records_out"]);

    let (records, stats) = run(&PARSE, &[], &lines);
    assert_eq!(stats["records_out"], parsed, "{stats}");
    assert_eq!(&stats["rejected"], rejected, "{stats}");

    let (rows, stats) = run(&HOURS, &[], &records);
    assert_eq!(stats["rejected"], json!({}));
    let windowed: u64 = rows
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).unwrap()["n"].as_u64().unwrap())
        .sum();
    assert!(windowed > 0, "{stats}");
    assert_eq!(stats["aggregated"], windowed, "{stats}");
    assert_eq!(windowed + stats["late"].as_u64().unwrap(), parsed, "{stats}");

    let (output, stats) = run(&DETECT, &[], &rows);
    assert_eq!(stats["records_in"], rows.lines().count(), "{stats}");
    let (metrics, _) = run(&EXPORT, &[], &output);
    assert!(metrics.contains("# HELP n "), "{stats}");
    assert!(metrics.contains("# TYPE n gauge\nn "), "{stats}");
}

#[test]
fn apache_combined() {
    check("apache/elastic_combined_10k.log.gz", 9_999, &json!({"no_match": 1}));
}

#[test]
fn apache_common() {
    check("apache/nasa_common_jul95_2500.log", 2_500, &json!({}));
}

#[test]
fn nginx_combined_with_junk() {
    check("nginx/elastic_combined_with_junk.log", 885, &json!({"no_match": 4}));
}

#[test]
fn nginx_combined() {
    check("nginx/zanbil_shop_1k.log", 1_000, &json!({}));
}
