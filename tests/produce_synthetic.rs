//! `produce-synthetic` as a program.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Ran, read_testdata, run};

const PROGRAM: &str = env!("CARGO_BIN_EXE_produce-synthetic");
const START: &str = "2025-09-12T00:00:00Z";

#[track_caller]
fn produce(arguments: &[&str]) -> Ran {
    run(PROGRAM, arguments, b"")
}

#[test]
fn streams_are_what_the_files_say() {
    for (stream, count) in
        [("logs", &["--count", "3"][..]), ("events", &["--count", "3"]), ("late-data", &[])]
    {
        let ran = produce(&[&[stream, "--start", START], count].concat()).success();
        assert_eq!(ran.stdout, read_testdata(&format!("synth/{stream}.ndjson")));
        assert_eq!(ran.stderr, "");
    }
}

#[test]
fn parse_passes_logs_through_as_they_are() {
    let logs = produce(&["logs", "--duration", "2m", "--start", START]).success().stdout;
    let parsed = run(env!("CARGO_BIN_EXE_parse"), [""; 0], logs.as_bytes()).success();
    assert_eq!(parsed.stderr, "");
    assert!(parsed.stdout == logs, "parse changed a log in normal form");
}

#[test]
fn truth_goes_to_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("truth.ndjson");
    let ran = produce(&[
        "logs",
        "--start",
        START,
        "--duration",
        "5m",
        "--late",
        "2%:1m..2m",
        "--anomaly",
        "ddos@1m+1m",
        "--truth",
        file.to_str().unwrap(),
    ])
    .success();
    let truth = fs::read_to_string(&file).unwrap();
    let truth: Vec<Value> = truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (anomaly, late) = truth.split_first().unwrap();
    assert_eq!(anomaly["rule"], "ddos");
    assert!(late.len() > 100, "{}", late.len());
    let lines: Vec<&str> = ran.stdout.lines().collect();
    for late in late {
        let line = lines[late["line"].as_u64().unwrap() as usize - 1];
        let record: Value = serde_json::from_str(line).unwrap();
        assert_eq!(late["timestamp"], record["timestamp"]);
    }
}

/// What `produce-synthetic` writes, and its truth.
fn with_truth(arguments: &[&str]) -> (Vec<u8>, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("truth.ndjson");
    let output = Command::new(PROGRAM)
        .args(arguments)
        .args(["--start", START, "--truth", file.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let truth = fs::read_to_string(&file).unwrap();
    (output.stdout, truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn of_kind<'a>(truth: &'a [Value], kind: &str) -> Vec<&'a Value> {
    truth.iter().filter(|truth| truth["kind"] == kind).collect()
}

/// Runs a program on `input`; what it writes, and line and reason of each line
/// that it rejects.
fn rejecting(program: &str, arguments: &[&str], input: &[u8]) -> (String, Vec<(u64, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rejects.ndjson");
    let rejects = ["--rejects", file.to_str().unwrap()];
    let ran = run(program, [arguments, &rejects].concat(), input).success();
    let rejects = fs::read_to_string(&file).unwrap();
    let reject = |line: &str| {
        let reject: Value = serde_json::from_str(line).unwrap();
        let (reason, _) = reject["error"].as_str().unwrap().split_once(':').unwrap();
        (reject["source"]["line"].as_u64().unwrap(), reason.to_owned())
    };
    (ran.stdout, rejects.lines().map(reject).collect())
}

#[test]
fn parse_and_window_reject_what_the_truth_calls_malformed() {
    for stream in ["logs", "events"] {
        let flags = [stream, "--count", "2000", "--out-of-order", "5s"];
        let plain = produce(&[&flags[..], &["--start", START]].concat()).success().stdout;
        let (lines, truth) = with_truth(&[&flags[..], &["--malformed", "3%"]].concat());
        let expected = |text_is: &str| -> Vec<(u64, String)> {
            let reason = |truth: &Value| {
                if truth["type"] == "text" { text_is } else { truth["reason"].as_str().unwrap() }
                    .to_owned()
            };
            truth.iter().map(|truth| (truth["line"].as_u64().unwrap(), reason(truth))).collect()
        };
        assert!(truth.len() > 30, "{}", truth.len());
        let parse = env!("CARGO_BIN_EXE_parse");
        let (parsed, rejected) = rejecting(parse, &[], &lines);
        assert_eq!(rejected, expected("no_match"));
        let (same, _) = rejecting(parse, &[], plain.as_bytes());
        assert!(parsed == same, "what parse keeps is the stream without malformed lines");
        let (_, rejected) = rejecting(parse, &["--format", "json"], &lines);
        assert_eq!(rejected, expected("invalid_json"));
        let window = env!("CARGO_BIN_EXE_window");
        let (rows, rejected) = rejecting(window, &["--size", "1h", "count(*) AS n"], &lines);
        assert_eq!(rejected, expected("invalid_json"));
        assert!(rows.contains("\"n\":2000}"), "{rows}");
    }
}

#[test]
fn window_and_parse_read_partitions() {
    let (lines, truth) = with_truth(&[
        "logs",
        "--duration",
        "10m",
        "--out-of-order",
        "20s",
        "--late",
        "2%:2m..4m",
        "--partitions",
        "3",
        "--duplicate",
        "1%",
    ]);
    let parsed = run(env!("CARGO_BIN_EXE_parse"), [""; 0], &lines).success();
    assert!(parsed.stdout.as_bytes() == lines, "parse changed a record in normal form");
    let counted = run(
        env!("CARGO_BIN_EXE_window"),
        ["--by", "@source.partition", "count(*) AS n, max(@source.offset) AS last"],
        &lines,
    )
    .success();
    let rows: Vec<Value> =
        counted.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let partitions: Vec<u64> =
        rows.iter().map(|row| row["@source.partition"].as_u64().unwrap()).collect();
    assert_eq!(partitions, [0, 1, 2]);
    for row in &rows {
        assert_eq!(row["n"].as_u64().unwrap(), row["last"].as_u64().unwrap() + 1, "{row}");
    }
    let total: u64 = rows.iter().map(|row| row["n"].as_u64().unwrap()).sum();
    assert_eq!(total, 30_000 + of_kind(&truth, "duplicate").len() as u64);
    assert_eq!(late_lines(&lines, "30s"), times(&of_kind(&truth, "late")));
    // Whatever the outside world calls @source is no provenance.
    let ingested = run(env!("CARGO_BIN_EXE_ingest"), [""; 0], &lines);
    assert!(ingested.stderr.contains("reserved_key"), "{ingested}");
}

/// Event times of the records that `window` finds late, sorted.
fn late_lines(lines: &[u8], watermark: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("late.ndjson");
    let late = file.to_str().unwrap();
    let arguments = ["--size", "1m", "--watermark", watermark, "--late", late, "count(*) AS n"];
    run(env!("CARGO_BIN_EXE_window"), arguments, lines).success();
    let late = fs::read_to_string(&file).unwrap();
    let late: Vec<Value> = late.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    times(&late.iter().collect::<Vec<_>>())
}

fn times(records: &[&Value]) -> Vec<String> {
    let mut times: Vec<String> =
        records.iter().map(|record| record["timestamp"].as_str().unwrap().to_owned()).collect();
    times.sort();
    times
}

#[test]
fn every_duplicate_is_found_by_its_request_id() {
    let (lines, truth) = with_truth(&["logs", "--count", "5000", "--duplicate", "2%:30s"]);
    let mut seen = std::collections::HashMap::new();
    let mut found = Vec::new();
    for (number, line) in (1_u64..).zip(String::from_utf8(lines).unwrap().lines()) {
        let record: Value = serde_json::from_str(line).unwrap();
        if let Some(first) = seen.insert(record["request_id"].to_string(), number) {
            found.push((number, first));
        }
    }
    let number = |truth: &Value, key: &str| truth[key].as_u64().unwrap();
    let told: Vec<(u64, u64)> =
        truth.iter().map(|truth| (number(truth, "line"), number(truth, "of"))).collect();
    assert!(found.len() > 70, "{}", found.len());
    assert_eq!(found, told);
}

#[test]
fn without_a_start_the_stream_begins_in_this_minute() {
    let ran = produce(&["events", "--count", "1"]).success();
    let event: Value = serde_json::from_str(&ran.stdout).unwrap();
    let time = event["timestamp"].as_u64().unwrap();
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    assert_eq!(time % 60_000, 0);
    assert!((now - 120_000..=now).contains(&time), "{time} at {now}");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut child = Command::new(PROGRAM)
        .args(["logs", "--count", "1000000000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"timestamp\":"), "{line}");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = Command::new(PROGRAM).arg("logs").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "produce-synthetic: cannot write to stdout: No space left on device\n"
    );
    assert_eq!(
        produce(&["late-data", "--truth", "/dev/full"]).exited(1).stderr,
        "produce-synthetic: cannot write to /dev/full: No space left on device\n"
    );
}

#[test]
fn wrong_usage_is_named() {
    for (arguments, message) in [
        (&["logs", "--colour"][..], "unexpected argument '--colour'"),
        (&["metrics"], "invalid value 'metrics'"),
        (&["logs", "--count", "1", "--duration", "1m"], "cannot be used with"),
        (&["logs", "--count", "0"], "the stream would be empty"),
        (&["logs", "--start", "today"], "it is no time; write it like 2025-09-12T00:00:00Z"),
        (&["logs", "--anomaly", "flood@1m+1m"], "no anomaly is called \"flood\"; there are error-"),
        (
            &["logs", "--anomaly", "ddos@1m+1m,rate=2"],
            "ddos has no key \"rate\"; it has ip_address",
        ),
        (&["logs", "--anomaly", "ddos@1m+1m"], "ddos would end 2m after the start, but the stream"),
        (&["logs", "--late", "2%"], "is not SHARE:SHORTEST..LONGEST"),
        (&["logs", "--out-of-order", "30"], "no known unit in duration \"30\""),
        (&["logs", "--duplicate", "2"], "share: \"2\" is no share between 0 and 1"),
        (&["logs", "--duplicate", "2%:5"], "delay: no known unit in duration \"5\""),
        (
            &["logs", "--malformed", "many"],
            "\"many\" is no share between 0 and 1; write it like 2%",
        ),
        (&["logs", "--future-clock", "1%"], "is not SHARE:AHEAD, such as 0.1%:1d"),
        (
            &["logs", "--future-clock", "1%:10s", "--out-of-order", "30s"],
            "clocks must be further ahead than records may be behind: 10s is within 30s",
        ),
        (&["logs", "--partitions", "0"], "0 partitions are not between 1 and 1000"),
        (
            &["logs", "--idle-partition"],
            "an idle partition needs at least 2 partitions, not 0: add --partitions 4",
        ),
        (&["logs", "--skew"], "skew needs at least 2 partitions, not 0: add --partitions 4"),
        (&["--partitions", "2", "--skew", "logs"], "no number in duration \"logs\""),
        (
            &["logs", "--partitions", "2", "--skew", "1m"],
            "lag 1m is not between 0 and the length of the stream, 19s980ms",
        ),
        (&["logs", "--speed", "0"], "it is no speed; write it like 1, 10 or 0.5"),
        (&["events", "--format", "nginx"], "events are no requests, so nginx cannot say them"),
        (&["late-data", "--format", "apache"], "so apache cannot say them"),
        (&["late-data", "--speed", "1"], "same three events; --speed has no meaning"),
        (&["late-data", "--malformed", "5%"], "same three events; --malformed has no meaning"),
        (&["late-data", "--rate", "5"], "always the same three events; --rate has no meaning"),
    ] {
        let ran = produce(arguments).exited(2);
        assert!(ran.stderr.starts_with("produce-synthetic: "), "{ran}");
        assert!(ran.stderr.contains(message), "{ran}");
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn help_fits_100_columns() {
    let help = produce(&["--help"]).success().stdout;
    for line in help.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
}
