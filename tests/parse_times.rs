//! How `parse` reads times: spellings, zones, years, and records without any.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;

use serde_json::{Value, json};
use support::stages::PARSE;
use support::{Ran, read_testdata, testdata};

/// The times of the records that come out.
fn times(ran: &Ran) -> Vec<String> {
    let time = |line| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["timestamp"].as_str().unwrap_or("none").to_owned()
    };
    ran.stdout.lines().map(time).collect()
}

#[test]
fn every_spelling_in_a_json_field() {
    let path = testdata("times/spellings.ndjson");
    let ran = PARSE.run(&["--tz", "Asia/Seoul", path.to_str().unwrap()], "").success();
    assert_eq!(ran.stdout, read_testdata("times/spellings.seoul.ndjson"));
    assert_eq!(ran.stderr, "");
}

#[test]
fn gaps_and_folds() {
    let input = r#"{"ts":"2025-03-30 01:59:59"}
{"ts":"2025-03-30 02:30:00"}
{"ts":"2025-10-26 02:30:00"}
{"ts":"2025-10-26 03:00:00"}
"#;
    let ran = PARSE.run(&["--tz", "Europe/Berlin"], input).success();
    assert_eq!(
        times(&ran),
        [
            "2025-03-30T00:59:59.000Z",
            "2025-03-30T01:30:00.000Z",
            "2025-10-26T00:30:00.000Z",
            "2025-10-26T02:00:00.000Z",
        ]
    );
    let ran = PARSE.run(&["--tz", "Mars/Olympus"], input).exited(2);
    assert!(ran.stderr.contains("Asia/Seoul"), "{ran}");
}

const NEW_YEAR: &str = "{\"time\":\"Dec 31 23:59:59\"}\n{\"time\":\"Jan  1 00:00:01\"}\n";

#[test]
fn a_given_year_is_that_of_all() {
    let ran = PARSE.run(&["--year", "2023"], NEW_YEAR).success();
    assert_eq!(times(&ran), ["2023-12-31T23:59:59.000Z", "2023-01-01T00:00:01.000Z"]);
    assert_eq!(ran.stderr, "");
}

#[test]
fn without_a_year_the_clock_decides_and_says_so() {
    let ran = PARSE.run(&[], NEW_YEAR).success();
    let years: Vec<i32> = times(&ran).iter().map(|time| time[..4].parse().unwrap()).collect();
    assert_eq!(years[1], years[0] + 1, "{ran}");
    let said = format!("the first is taken to be of {}", years[0]);
    assert_eq!(ran.stderr.matches(&said).count(), 1, "{ran}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran}");
}

#[test]
fn formats_and_fields() {
    let input = r#"{"request":{"time":"12.09.2025 09:00:00,5"},"timestamp":"x","a":1}
{"request.time":"12.09.2025 09:00:01,25","request":{"time":"x"},"a":2}
{"request":{"time":"2025-09-12T00:00:00Z"},"a":3}
"#;
    let args = ["--time-field", "request.time", "--time-format", "%d.%m.%Y %H:%M:%S,%f"];
    let ran = PARSE.run(&args, input).success();
    let rows = [
        r#"{"timestamp":"2025-09-12T09:00:00.500Z","request":{"time":"12.09.2025 09:00:00,5"},"a":1}"#,
        r#"{"timestamp":"2025-09-12T09:00:01.250Z","request":{"time":"x"},"a":2}"#,
    ];
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), rows);
    assert!(
        ran.stderr.contains("bad_timestamp: no time that can be read in request.time"),
        "{ran}"
    );

    let ran = PARSE.run(&["--time-format", "%H:%M"], input).exited(2);
    assert!(ran.stderr.contains("has no date"), "{ran}");
}

#[test]
fn a_field_that_looks_like_the_time_is_named() {
    let input = "{\"created_at\":\"2025-09-12T00:00:00Z\",\"a\":1}\n";
    let ran = PARSE.run(&[], input).exited(1);
    let said = "no_timestamp: found created_at: add --time-field created_at";
    assert!(ran.stderr.contains(said), "{ran}");
    let ran = PARSE.run(&["--time-field", "created_at"], input).success();
    assert_eq!(ran.stdout, "{\"timestamp\":\"2025-09-12T00:00:00.000Z\",\"a\":1}\n");
    // What has been normalised passes as it is.
    assert_eq!(PARSE.run(&["--time-field", "created_at"], &ran.stdout).stdout, ran.stdout);
}

#[test]
fn records_without_a_time() {
    let input = "{\"msg\":\"a\"}\n{\"ts\":null,\"b\":1}\n{\"b\":2}\n{\"ts\":\"soon\"}\n{}\n";
    let (ran, stats) = PARSE.run_counting(&["--keep-untimed"], input);
    assert_eq!(ran.stdout, "{\"message\":\"a\"}\n{\"b\":1}\n{\"b\":2}\n{}\n");
    assert_eq!(stats["rejected"], json!({"bad_timestamp": 1}));

    let (ran, stats) = PARSE.run_counting(&["--stamp"], input);
    assert_eq!(times(&ran).len(), 4);
    assert!(times(&ran).iter().all(|time| time.as_str() > "2025-01-01"), "{ran}");
    assert_eq!(stats["rejected"], json!({"bad_timestamp": 1}));

    let (_, stats) = PARSE.run_counting(&[], input);
    assert_eq!(stats["rejected"], json!({"no_timestamp": 4, "bad_timestamp": 1}));
    PARSE.run(&["--stamp", "--keep-untimed"], "").exited(2);
}

#[test]
fn too_many_rejects() {
    let good = "{\"ts\":1757635200}\n";
    let input = format!("{good}x\n{}x\n{good}", good.repeat(6));
    for (limit, code) in [("2", 0), ("1", 1), ("20%", 0), ("19.9%", 1), ("0%", 1)] {
        let ran = PARSE.run(&["--format", "json", "--max-rejects", limit], &input).exited(code);
        let said = ran.stderr.contains(&format!("lines were rejected (--max-rejects {limit})"));
        assert_eq!(said, code == 1, "{ran}");
    }
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects");
    let args = ["--format", "json", "--max-rejects", "1", "--rejects", rejects.to_str().unwrap()];
    let ran = PARSE.run(&args, &input).exited(1);
    assert!(ran.stderr.contains("parse: 2 of 9 lines were rejected"), "{ran}");
    assert_eq!(fs::read_to_string(&rejects).unwrap().lines().count(), 2);
    PARSE.run(&["--max-rejects", "some"], "").exited(2);
}
