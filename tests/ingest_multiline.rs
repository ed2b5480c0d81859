//! `ingest --multiline-start`.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::time::{Duration, Instant};

use serde_json::Value;
use support::process::{End, Live};
use support::read_testdata;
use support::rows::parse;
use support::stages::{INGEST, PARSE};

/// What each record holds as text.
fn texts(stdout: &str) -> Vec<String> {
    parse(stdout).iter().map(|row| row["@raw"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_stack_trace_is_one_record() {
    let ran = INGEST.run(&["--multiline-start", "^2025-"], read_testdata("ingest/trace.log"));
    assert_eq!(
        texts(&ran.success().stdout),
        [
            "2025-09-12 10:00:01 ERROR cannot fill the jug\nTraceback:\n  at pour (jug.rs:7)\n",
            "2025-09-12 10:00:02 INFO a \"quoted\" word",
        ]
    );
}

#[test]
fn pretty_printed_json_becomes_records_of_one_line() {
    let ran = INGEST.run(&["--multiline-start", r"^\{"], read_testdata("ingest/pretty.json"));
    let rows = parse(&ran.success().stdout);
    let expected = serde_json::json!([
        {
            "timestamp": "2025-09-12T10:00:01Z",
            "message": "brace } and \" quote",
            "nested": {"a": [1, 2]},
        },
        {"timestamp": "2025-09-12T10:00:02Z", "message": "on one line"},
        // No JSON, so it stays as it is.
        {"@raw": "{\n  \"message\": \"a string\ndoes not end on another line\"\n}"},
    ]);
    assert_eq!(Value::Array(rows), expected);
}

#[test]
fn parse_reads_pretty_printed_json() {
    let input = read_testdata("ingest/pretty.json");
    let ingested = INGEST.run(&["--multiline-start", r"^\{"], input).success();
    let ran = PARSE.run(&[], ingested.stdout).success();
    assert_eq!(ran.stdout.lines().count(), 2, "{ran}");
    assert!(ran.stderr.contains(":3: invalid_json"), "{ran}");
}

#[test]
fn messages_name_the_first_line_of_a_record() {
    let input = "a\n 1\n{\n\"@\":\n\"end\"}\nb\n";
    let ran = INGEST.run(&["--multiline-start", "^[a-z{]"], input).success();
    assert!(ran.stderr.starts_with("ingest: stdin:3: reserved_key"), "{ran}");
    assert_eq!(texts(&ran.stdout), ["a\n 1", "b"]);
}

#[test]
fn caps_cut_records_and_lose_nothing() {
    let input = "a\n 1\n 2\n 3\n 4\nb\n";
    let ran = INGEST.run(&["--multiline-start", "^[a-z]", "--multiline-lines", "2"], input);
    assert_eq!(texts(&ran.success().stdout), ["a\n 1", " 2\n 3", " 4", "b"]);
    let ran = INGEST.run(&["--multiline-start", "^[a-z]", "--max-line", "7"], input);
    assert_eq!(texts(&ran.success().stdout), ["a\n 1\n 2", " 3\n 4", "b"]);
}

#[test]
fn a_line_before_the_first_start_is_a_record() {
    let ran = INGEST.run(&["--multiline-start", "^a"], " lost\n too\na\n").success();
    assert_eq!(texts(&ran.stdout), [" lost\n too", "a"]);
    assert_eq!(INGEST.run(&["--multiline-start", "^a"], "").success().stdout, "");
}

#[test]
fn a_live_record_is_given_out_after_a_silence() {
    let mut command = INGEST.command();
    command.args(["--multiline-start", "^[a-z]", "--multiline-wait", "300ms"]);
    let mut live = Live::spawn(command);
    let begun = Instant::now();
    live.write("a\n 1\n");
    assert_eq!(texts(&live.line()), ["a\n 1"]);
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    // What comes too late is a record of its own.
    live.write(" 2\nb\n");
    assert_eq!(texts(&live.line()), [" 2"]);
    live.write(" 3\n");
    live.close();
    let (end, lines, messages) = live.end();
    assert_eq!((end, messages), (End::Code(0), vec![]));
    assert_eq!(texts(&lines.join("\n")), ["b\n 3"]);
}

#[test]
fn merged_records_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    let pretty = |second: u32| format!("{{\n  \"ts\": {}\n}}\n", 1_757_671_200 + second);
    for (name, seconds) in [("a", [1, 4]), ("b", [2, 3])] {
        let text: String = seconds.map(pretty).concat();
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let folder = folder.path().to_str().unwrap();
    let ran = INGEST.run(&["--multiline-start", r"^\{", "--merge-by-time", folder], "");
    let rows = parse(&ran.success().stdout);
    let seconds: Vec<i64> = rows.iter().map(|row| row["ts"].as_i64().unwrap()).collect();
    assert_eq!(seconds, [1, 2, 3, 4].map(|second| 1_757_671_200 + second));
}

#[test]
fn wrong_flags_are_told() {
    for (args, word) in [
        (&["--multiline-start", "("][..], "unclosed group"),
        (&["--multiline-start", "a", "--multiline-lines", "0"], "0"),
        (&["--multiline-start", "a", "--multiline-wait", "soon"], "soon"),
        (&["--multiline-lines", "3"], "--multiline-start"),
        (&["--multiline-wait", "3s"], "--multiline-start"),
    ] {
        let ran = INGEST.run(args, "").exited(2);
        assert!(ran.stderr.contains(word), "{ran}");
    }
}
