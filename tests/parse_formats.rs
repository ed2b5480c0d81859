//! The formats of `parse`, line by line.
//!
//! Each folder of `testdata/parse` is a case: the arguments, one a line, the
//! input, the records that should come out, and for each line that is rejected
//! the reason.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;

use serde_json::Value;
use support::stages::PARSE;
use support::testdata;

#[test]
fn lines_become_what_the_files_say() {
    let mut cases = 0;
    for folder in fs::read_dir(testdata("parse")).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let rejects = temporary.path().join("rejects");
        let arguments = read("args");
        let mut arguments: Vec<&str> = split_arguments(&arguments);
        arguments.extend(["--rejects", rejects.to_str().unwrap()]);
        let ran = PARSE.run(&arguments, fs::read(folder.join("input")).unwrap()).success();
        assert_eq!(ran.stdout, read("expected.ndjson"), "{name}");
        for row in ran.stdout.lines() {
            serde_json::from_str::<Value>(row).unwrap_or_else(|error| panic!("{error}: {row}"));
        }
        let reason = |line: &str| {
            let reject: Value = serde_json::from_str(line).unwrap();
            format!("{}\n", reject["error"].as_str().unwrap())
        };
        let reasons: String =
            fs::read_to_string(&rejects).unwrap_or_default().lines().map(reason).collect();
        assert_eq!(reasons, read("rejected.txt"), "{name}");
        cases += 1;
    }
    assert!(cases >= 15, "only {cases} cases");
}

/// The arguments of a file: one a line, and a line that begins with a blank
/// goes on with the one before.
fn split_arguments(text: &str) -> Vec<&str> {
    let mut arguments = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices('\n') {
        if !text[at + 1..].starts_with(' ') {
            arguments.push(&text[start..at]);
            start = at + 1;
        }
    }
    arguments
}

#[test]
fn log_formats_that_cannot_be_are_refused() {
    for (args, message) in [
        (&["--log-format", "$a$b"][..], "1 | $a$b\n  |   ^^ expected a blank or another text"),
        (&["--log-format", "%h%l"], "nothing stands between %h and %l"),
        (&["--log-format", "{\"a\":\"$a\"}"], "use --format json"),
        (&["--log-format", "combined"], "a log format without variables"),
        (&["--log-format", "$a", "--format", "json"], "--log-format describes an access log"),
        (&["--log-format", "$a", "--format", "csv"], "--log-format describes an access log"),
        (&["--log-format", "%h", "--format", "nginx"], "a log format without variables"),
        (&["--log-format", "$a", "--format", "apache"], "a log format without variables"),
        (&["--log-format", "$a", "--time-field", "b"], "--log-format has no such variable"),
        (&["--log-format", "$a", "--pattern", "(?<a>.)"], "cannot be used with"),
        (&["--format", "nginx", "--time-field", "time"], "--time-format says how it is spelled"),
        (&["--format", "syslog", "--time-field", "time"], "--time-format says how it is spelled"),
    ] {
        let ran = PARSE.run(args, "").exited(2);
        assert!(ran.stderr.starts_with("parse: ") && ran.stderr.contains(message), "{ran}");
    }
}

#[test]
fn a_schema_may_stand_on_the_command_line() {
    let record = "{\"timestamp\":\"2025-09-12T10:00:00.000Z\",\"n\":\"7\"}\n";
    let ran = PARSE.run(&["--schema", "n INT, `m` STRING"], record).success();
    assert_eq!(ran.stdout, "{\"n\":7,\"m\":null}\n");
    let ran = PARSE.run(&["--schema", "a STRNG"], record).exited(2);
    assert!(ran.stderr.contains("there is no type strng"), "{ran}");
    assert!(ran.stderr.contains("1 | a STRNG\n  |   ^^^^^ expected boolean, int"), "{ran}");
}
