//! `parse --explain`.
//!
//! Each folder of `testdata/explain` is a case: the arguments, one a line, the
//! input and what is said of it. `HIGHWATER_TEST_WRITE=1` writes what is said
//! there, to be read.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;
use std::path::Path;

use support::stages::PARSE;
use support::{Ran, read_testdata, run, testdata};

fn explain(args: &[&str], input: impl AsRef<[u8]>) -> Ran {
    run(PARSE.path, ["--explain"].iter().chain(args), input.as_ref())
}

const CASES: [&str; 8] = ["auto", "csv", "json", "kept", "log-format", "long", "regex", "wrapped"];

#[test]
fn lines_are_explained_as_the_files_say() {
    for case in CASES {
        let folder = Path::new("explain").join(case);
        let file = |name: &str| testdata(folder.join(name).to_str().unwrap());
        let args = fs::read_to_string(file("args")).unwrap();
        let args: Vec<&str> = args.lines().collect();
        let input = fs::read(file("input")).unwrap();
        let ran = explain(&args, &input).exited(1);
        assert!(ran.stderr.trim_end().ends_with(" did not parse"), "{ran}");
        if std::env::var_os("HIGHWATER_TEST_WRITE").is_some() {
            fs::write(file("expected.txt"), &ran.stdout).unwrap();
        }
        let expected = fs::read_to_string(file("expected.txt")).unwrap();
        assert_eq!(ran.stdout, expected, "{case}");
        // What --rejects kept is explained, but as a line it is rejected for what it is.
        if case != "kept" {
            assert_eq!(verdicts(&args, &input), told(&ran.stdout), "{case}");
        }
    }
}

/// The lines that are rejected, and for which reason, as `parse` has it.
fn verdicts(args: &[&str], input: &[u8]) -> Vec<(u64, String)> {
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects");
    run(PARSE.path, args.iter().chain(&["--rejects", rejects.to_str().unwrap()]), input);
    let rejects = fs::read_to_string(rejects).unwrap();
    let verdict = |line: &str| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let error = row["error"].as_str().unwrap();
        (row["source"]["line"].as_u64().unwrap(), error.split(':').next().unwrap().to_owned())
    };
    rejects.lines().map(verdict).collect()
}

/// The same, as `--explain` has it.
fn told(stdout: &str) -> Vec<(u64, String)> {
    let refused = |line: &str| {
        let (number, said) = line.strip_prefix("stdin:")?.split_once(": ")?;
        let reason = said.split(',').next()?;
        reason.contains('_').then(|| (number.parse().unwrap(), reason.to_owned()))
    };
    stdout.lines().filter_map(refused).collect()
}

#[test]
fn lines_that_all_parse_are_no_failure() {
    let log = testdata("access/nginx.log");
    let ran = explain(&["--format", "nginx", log.to_str().unwrap()], "").success();
    assert_eq!(ran.stderr, "");
    let lines = read_testdata("access/nginx.log").lines().count();
    assert!(ran.stdout.ends_with(&format!("{lines} lines: {lines} parsed ({lines} access log)\n")));
    assert_eq!(explain(&[], "").success().stdout, "");
}

#[test]
fn what_has_no_place_beside_it_is_refused() {
    for args in [&["--rejects", "x"][..], &["--where", "true"], &["--set", "a=b"], &["--strict"]] {
        let ran = explain(args, "").exited(2);
        assert!(ran.stderr.contains("--explain"), "{ran}");
        assert_eq!(ran.stdout, "");
    }
}

/// Parts of a container's line that end one file are not put before the next.
#[test]
fn parts_of_lines_stay_within_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, lines: &str| {
        let path = folder.path().join(name);
        fs::write(&path, lines).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let part = "2025-09-12T10:00:00.000000000Z stdout P message=cut\n";
    let rest = "2025-09-12T10:00:01.000000000Z stdout F message=whole\n";
    let (a, b) = (file("a.log", part), file("b.log", rest));
    let times = ["2025-09-12T10:00:00.000Z", "2025-09-12T10:00:01.000Z"];
    let messages = ["cut", "whole"];
    let ran = run(PARSE.path, [&a, &b], b"").success();
    assert_eq!(ran.stdout.lines().count(), 2, "{ran}");
    for (row, (time, message)) in ran.stdout.lines().zip(times.iter().zip(messages)) {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        assert_eq!((&row["timestamp"], &row["message"]), (&(*time).into(), &message.into()));
    }
    let ran = explain(&[&a, &b], "").success();
    let told: Vec<&str> =
        ran.stdout.lines().filter(|line| line.starts_with("  message  ")).collect();
    assert_eq!(told, [r#"  message        "cut""#, r#"  message        "whole""#], "{ran}");
    let places = [format!("{a}: logfmt, out of a container's wrapper"), format!("{b}:1: logfmt")];
    assert!(places.iter().all(|place| ran.stdout.contains(place)), "{ran}");
}

/// Through one pipe, `@source` says whose a part is.
#[test]
fn parts_of_lines_are_told_apart_by_their_source() {
    let row = |path: &str, offset: u64, tag: &str, text: &str| {
        let raw = format!("2025-09-12T10:00:00.000000000Z stdout {tag} {text}");
        format!("{{\"@source\":{{\"path\":\"{path}\",\"offset\":{offset}}},\"@raw\":\"{raw}\"}}\n")
    };
    let rows = [
        row("a.log", 0, "P", "message=a"),
        row("b.log", 0, "P", "message=b"),
        row("a.log", 60, "F", "1"),
        row("b.log", 60, "F", "2"),
    ];
    let ran = run(PARSE.path, [""; 0], rows.concat().as_bytes()).success();
    let messages: Vec<_> =
        ran.stdout.lines().map(|row| row.split_once("\"message\":").unwrap().1).collect();
    assert_eq!(messages, ["\"a1\"}", "\"b2\"}"], "{ran}");
    let ran = explain(&[], rows.concat()).success();
    let told: Vec<&str> =
        ran.stdout.lines().filter(|line| line.starts_with("  message  ")).collect();
    assert_eq!(told, [r#"  message        "a1""#, r#"  message        "b2""#], "{ran}");
}

#[test]
fn rejects_of_csv_need_their_columns() {
    let kept = r#"{"error":"no_timestamp: x","source":{"path":"a.csv","line":2},"raw":"1,2"}"#;
    let ran = explain(&["--format", "csv"], format!("{kept}\n")).exited(1);
    assert!(ran.stderr.contains("--columns"), "{ran}");
    assert_eq!(ran.stdout, "", "{ran}");
    let ran = explain(&["--format", "csv", "--columns", "a,b"], format!("{kept}\n")).exited(1);
    assert!(ran.stdout.contains("no_timestamp"), "{ran}");
}

#[test]
fn a_field_for_the_time_that_no_line_has_is_named() {
    let args = ["--format", "logfmt", "--time-field", "craeted"];
    let ran = explain(&args, "a=1 b=2\n").exited(1);
    assert!(ran.stdout.contains("no craeted"), "{ran}");
}
