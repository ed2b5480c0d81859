//! The flags of `parse` that reshape records.
//!
//! Each folder of `testdata/reshape` is a case: the arguments, one a line, the
//! input and what should come out. Files that the arguments name lie beside
//! them.
#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;

use support::stages::PARSE;
use support::{Ran, command, run, testdata};

const RECORD: &str = "{\"timestamp\":\"2025-09-12T10:00:00.000Z\",\"status_code\":500}\n";

#[test]
fn records_become_what_the_files_say() {
    let mut cases = 0;
    for folder in fs::read_dir(testdata("reshape")).unwrap() {
        let folder = folder.unwrap().path();
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let arguments = read("args");
        let mut parse = assert_cmd::Command::from_std(command(PARSE.path, arguments.lines()));
        let output = parse.current_dir(&folder).write_stdin(read("input.ndjson")).output().unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), read("expected.ndjson"), "{name}");
        cases += 1;
    }
    assert!(cases >= 10, "only {cases} cases");
}

#[track_caller]
fn parse(arguments: &[&str], input: &str) -> Ran {
    run(PARSE.path, arguments, input.as_bytes())
}

#[test]
fn what_is_dropped_or_cannot_be_cast_is_counted() {
    let input = [RECORD, &RECORD.replace("500", "404"), &RECORD.replace("500", "\"x\"")].concat();
    let (ran, stats) = PARSE.run_counting(&["--where", "status_code >= 500"], &input);
    assert_eq!(ran.success().stdout, RECORD);
    assert_eq!((&stats["records_in"], &stats["records_out"]), (&3.into(), &1.into()));
    assert_eq!((&stats["filtered"], &stats["rejected"]), (&2.into(), &serde_json::json!({})));
    let (_, stats) = PARSE.run_counting(&["--explode", "tags"], &input);
    assert_eq!(stats["filtered"], 3);
    // Once by parse itself, and once by the schema.
    let input = RECORD.replace("500", "\"x\",\"value\":\"y\"");
    let (_, stats) = PARSE.run_counting(&["--schema", "events"], &input);
    assert_eq!((&stats["casts_failed"], &stats["filtered"]), (&2.into(), &0.into()));
    let (_, stats) = PARSE.run_counting(&[], RECORD);
    assert!(stats.get("filtered").is_none(), "{stats}");
}

/// Reference E: records of the last ten minutes, and the late ones.
#[test]
fn now_is_the_clock() {
    let at = |time: &str| RECORD.replace("2025-09-12T10:00:00.000Z", time);
    let (past, future) = (at("2001-01-01T00:00:00.000Z"), at("2999-01-01T00:00:00.000Z"));
    let both = [past.as_str(), &future].concat();
    let recent = "timestamp >= now() - INTERVAL 10 MINUTES";
    assert_eq!(parse(&["--where", recent], &both).success().stdout, future);
    assert_eq!(parse(&["--where", &format!("NOT {recent}")], &both).success().stdout, past);
    // Behind heartbeats they are the clock, so that a recording gives the same again.
    let stream = [
        "{\"@\":\"start\",\"format\":1,\"line\":null,\"run\":null,\"epoch\":null,\"stage\":0}\n",
        "{\"@\":\"heartbeat\",\"at\":\"2001-01-01T00:10:00.000Z\"}\n",
        &past,
        "{\"@\":\"heartbeat\",\"at\":\"2001-01-01T00:10:00.001Z\"}\n",
        &past,
        "{\"@\":\"end\"}\n",
    ]
    .concat();
    let ran = parse(&["--where", recent], &stream).success();
    assert_eq!(ran.stdout.matches("2001-01-01T00:00:00.000Z").count(), 1, "{ran}");
}

/// Reference A: words joined with what they are.
#[test]
fn words_are_looked_up() {
    let table = testdata("reshape/lookup/kinds.csv");
    let arguments = ["--format", "words", "--lookup", table.to_str().unwrap(), "--on", "word"];
    let ran = parse(&arguments, "spark runs, kafka too\n").success();
    let expected = [
        r#"{"word":"spark","kind":"framework","since":"2009"}"#,
        r#"{"word":"runs,"}"#,
        r#"{"word":"kafka","kind":"broker","since":"2011"}"#,
        r#"{"word":"too"}"#,
    ];
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn text_lines_are_reshaped_too() {
    let line = "192.0.2.7 - - [12/Sep/2025:10:00:00 +0000] \"GET / HTTP/1.1\" 503 12 \"-\" \"-\"\n";
    let wrapped = format!("{{\"@raw\":{}}}\n", serde_json::Value::from(line.trim_end()));
    for input in [line, &wrapped] {
        let ran = parse(&["--set", "service=web", "--fields", "service,status_code"], input);
        assert_eq!(ran.success().stdout, "{\"service\":\"web\",\"status_code\":503}\n");
    }
    // The last part of a container's line comes only at the end of the input.
    let part = "2025-09-12T10:00:00.000000000Z stdout P {\"message\":\"cut\"}\n";
    let ran = parse(&["--fields", "message"], part).success();
    assert_eq!(ran.stdout, "{\"message\":\"cut\"}\n");
}

#[test]
fn mistakes_in_flags_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let schema = file("schema", "a STRING,\nb BLOB");
    let table = file("table.csv", "k,v\n1,2\n");
    for (arguments, message) in [
        (&["--where", "status_code >> 500"][..], "  ^"),
        (&["--where", "count(*) > 1"], "the aggregate count does not belong here"),
        (&["--set", "n:=1 +"], "1 | 1 +"),
        (&["--set", "novalue"], "--set \"novalue\": write it like service=web"),
        (&["--set", "@raw=x"], "--set: @raw belongs to the stream"),
        (&["--set", "@:=1"], "--set: @ belongs to the stream"),
        (&["--rename", "a=@source"], "--rename: @source belongs to the stream"),
        (&["--rename", "a"], "--rename \"a\": write it like old=new"),
        (&["--rename", "a=b", "--rename", "c=b"], "--rename: b is given twice"),
        (&["--rename", "a=b", "--rename", "a=c"], "--rename: a is given twice"),
        (&["--explode", "tags:"], "--explode \"tags:\": write it like tags"),
        (&["--explode", "@source"], "--explode: @source belongs to the stream"),
        (&["--fields", "a,,b"], "--fields"),
        (&["--fields", "a,b,a"], "--fields: a is given twice"),
        (&["--fields", "a", "--schema", "logs"], "cannot be used with"),
        (&["--schema", &schema], "b BLOB"),
        (&["--lookup", &table], "--on"),
        (&["--on", "k"], "--lookup"),
        (&["--inner"], "--lookup"),
        (&["--lookup", &table, "--lookup", &table, "--on", "k"], "each --lookup needs an --on"),
        (&["--lookup", &table, "--on", "k="], "--on \"k=\": write it like user_id"),
    ] {
        let ran = parse(arguments, RECORD).exited(2);
        assert!(ran.stderr.starts_with("parse: ") && ran.stderr.contains(message), "{ran}");
        assert_eq!(ran.stdout, "", "{ran}");
    }
}

#[test]
fn mistakes_in_tables_are_shown_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, message) in [
        ("a.csv", "k,v\n1,2\n\n3\n", "a.csv:4: 1 fields, but the header has 2"),
        ("b.csv", "id,v\n1,2\n", "b.csv:1: no column k, only id, v"),
        ("c.csv", "k,@source\n1,2\n", "c.csv:1: the column @source belongs to the stream"),
        ("d.csv", "k,v,v\n1,2,3\n", "d.csv:1: two columns are called v"),
        ("e.csv", "\n", "e.csv:1: the table is empty"),
        ("f.ndjson", "{\"k\":1}\n{\"k\":}\n", "f.ndjson:2: expected a value at column 6"),
        ("g.ndjson", "{\"k\":1}\n\n{\"\\u0040raw\":1}\n", "g.ndjson:3: the column @raw belongs"),
        ("h.ndjson", "{\"id\":1}\n", "h.ndjson:1: no row has k"),
        ("i.ndjson", "{\"k\":1}\n{\"@\":1}\n", "i.ndjson:2: the key \"@\" belongs"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let ran = parse(&["--lookup", path.to_str().unwrap(), "--on", "k"], RECORD).exited(1);
        assert!(ran.stderr.contains(message), "{ran}");
    }
    let path = folder.path().join("latin.csv");
    fs::write(&path, b"k,v\n1,2\n3,\xe9\n").unwrap();
    let ran = parse(&["--lookup", path.to_str().unwrap(), "--on", "k"], RECORD).exited(1);
    assert!(ran.stderr.contains("latin.csv:3: not UTF-8"), "{ran}");
    for flags in [&["--lookup", "missing.csv", "--on", "k"][..], &["--schema", "missing.sql"]] {
        let ran = parse(flags, RECORD).exited(1);
        assert!(ran.stderr.contains("cannot read missing"), "{ran}");
    }
}
