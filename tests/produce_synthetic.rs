//! `produce-synthetic` as a program.

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
