//! What `ingest` keeps, adds and leaves out.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use support::process::{End, Live};
use support::stages::INGEST;

fn ingest(folder: &Path, args: &[&str]) -> Command {
    let mut command = INGEST.command();
    command.current_dir(folder).args(args);
    command
}

fn append(path: impl AsRef<Path>, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn records(numbers: std::ops::Range<usize>) -> String {
    let lines: Vec<String> = numbers.map(|number| format!("{{\"n\":{number}}}\n")).collect();
    lines.concat()
}

/// Runs it to its end: exit code, records, control lines, messages.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, Vec<String>, Vec<Value>, String) {
    let ran = ingest(folder, args).output().unwrap();
    let text = String::from_utf8(ran.stdout).unwrap();
    let (control, rows): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("{\"@\":"));
    (
        ran.status.code(),
        rows.into_iter().map(str::to_owned).collect(),
        control.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect(),
        String::from_utf8(ran.stderr).unwrap(),
    )
}

#[test]
fn metadata_says_where_a_record_came_from() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path().join("a"), "{\"n\":1}\n\ntext \"1\"\n{\"n\":2}");
    append(folder.path().join("b"), "{}\n");
    let (code, rows, control, _) = run(folder.path(), &["--metadata", "a", "b"]);
    assert_eq!((code, control.len()), (Some(0), 0));
    assert_eq!(
        rows,
        [
            r#"{"@source":{"path":"a","offset":0},"n":1}"#,
            r#"{"@source":{"path":"a","offset":9},"@raw":"text \"1\""}"#,
            r#"{"@source":{"path":"a","offset":18},"n":2}"#,
            r#"{"@source":{"path":"b","offset":0}}"#,
        ]
    );
}

#[test]
fn a_limit_counts_records_written() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path().join("a"), &("{\"@raw\":1}\n".to_owned() + &records(0..100_000)));
    let (code, rows, ..) = run(folder.path(), &["--limit", "3", "a"]);
    assert_eq!((code, rows.join("\n") + "\n"), (Some(0), records(0..3)));
    let (code, _, _, message) = run(folder.path(), &["--limit", "0", "a"]);
    assert_eq!(code, Some(2), "{message}");
}

#[test]
fn heartbeats_begin_behind_start_and_come_without_input() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path().join("a"), &records(0..1));
    let live = Live::spawn(ingest(folder.path(), &["--follow", "--heartbeat", "50ms", "a"]));
    assert_eq!(
        live.line(),
        r#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}"#
    );
    let mut last = String::new();
    let mut beats = 0;
    while beats < 4 {
        let said = live.line();
        if said == "{\"n\":0}" {
            assert!(beats > 0, "the first heartbeat comes before the first record");
            continue;
        }
        let heartbeat: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(heartbeat["@"], "heartbeat");
        let at = heartbeat["at"].as_str().unwrap().to_owned();
        assert!(at > last, "{at} comes behind {last}");
        (last, beats) = (at, beats + 1);
    }
    live.signal(Signal::TERM);
    let (end, rest, _) = live.end();
    assert_eq!((end, rest.last().map(String::as_str)), (End::Code(0), Some("{\"@\":\"end\"}")));
}

#[test]
fn a_folder_that_fills_is_read_some_files_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let incoming = folder.path().join("incoming");
    fs::create_dir(&incoming).unwrap();
    for name in ["c", "a", "b"] {
        append(incoming.join(name), &format!("{{\"file\":\"{name}\"}}\n"));
    }
    let args = ["incoming", "--max-files-per-trigger", "2", "--trigger", "300ms"];
    let live = Live::spawn(ingest(folder.path(), &args));
    for name in ["a", "b", "c"] {
        assert_eq!(live.line(), format!("{{\"file\":\"{name}\"}}"));
    }
    append(incoming.join("0"), "{\"file\":\"0\"}");
    assert_eq!(live.line(), "{\"file\":\"0\"}");
    // What was read once is not read again.
    append(incoming.join("a"), "{\"more\":1}\n");
    append(incoming.join("d"), "{\"file\":\"d\"}\n");
    assert_eq!(live.line(), "{\"file\":\"d\"}");
    live.signal(Signal::TERM);
    assert_eq!(live.end(), (End::Code(0), vec![], vec![]));
}

#[test]
fn a_second_run_goes_on_where_the_first_ended() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path().join("a"), &records(0..3));
    let args = ["a", "--checkpoint", "state"];
    let (code, rows, control, message) = run(folder.path(), &args);
    assert_eq!((code, rows.len()), (Some(0), 3), "{message}");
    let kinds: Vec<&str> = control.iter().map(|line| line["@"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["start", "end", "barrier"]);
    assert_eq!((&control[0]["epoch"], &control[2]["epoch"]), (&Value::Null, &Value::from(1)));
    append(folder.path().join("a"), &records(3..5));
    let (code, rows, second, message) = run(folder.path(), &args);
    assert_eq!((code, rows.join("\n") + "\n"), (Some(0), records(3..5)), "{message}");
    assert_eq!(second[0]["epoch"], 1);
    assert_eq!(second[0]["line"], control[0]["line"]);
    assert_ne!(second[0]["run"], control[0]["run"]);
    let (code, rows, ..) = run(folder.path(), &args);
    assert_eq!((code, rows.len()), (Some(0), 0));
}

#[test]
fn a_rotated_file_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    append(&log, &records(0..3));
    let args = ["--checkpoint", "state", "--checkpoint-interval", "1h", "--follow", "app.log"];
    let first = Live::spawn(ingest(folder.path(), &args));
    let start = first.line();
    assert!(start.starts_with("{\"@\":\"start\""), "{start}");
    for _ in 0..3 {
        first.line();
    }
    first.signal(Signal::TERM);
    let (end, rest, _) = first.end();
    assert_eq!((end, &rest[1..]), (End::Code(0), &["{\"@\":\"suspend\"}".to_owned()][..]));
    append(&log, &records(3..5));
    fs::rename(&log, folder.path().join("app.log.1")).unwrap();
    append(&log, &records(5..7));
    let second = Live::spawn(ingest(folder.path(), &args));
    second.line();
    for number in 3..7 {
        assert_eq!(second.line() + "\n", records(number..number + 1));
    }
    second.signal(Signal::TERM);
    assert_eq!(second.end().0, End::Code(0));
    // Now it goes for good.
    fs::remove_file(&log).unwrap();
    append(&log, &records(7..8));
    let (code, _, _, message) = run(folder.path(), &args);
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("app.log was read up to byte 16 and is gone"), "{message}");
    let mut lenient = args.to_vec();
    lenient.extend(["--fail-on-data-loss", "false", "--limit", "1"]);
    let (code, rows, _, message) = run(folder.path(), &lenient);
    assert_eq!((code, rows.join("")), (Some(0), "{\"n\":7}".to_owned()), "{message}");
}

/// Kills it again and again: no line is lost, and those that come again are
/// those since the last barrier.
#[test]
fn killed_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    let args = ["--checkpoint", "state", "--checkpoint-interval", "20ms", "--follow", "app.log"];
    append(&log, "");
    let mut times: HashMap<usize, usize> = HashMap::new();
    let mut safe = 0;
    let mut written = 0;
    for round in 0..8 {
        let live = Live::spawn(ingest(folder.path(), &args));
        for _ in 0..20 {
            append(&log, &records(written..written + 50));
            written += 50;
            thread::sleep(Duration::from_millis(5));
        }
        if round == 4 {
            fs::rename(&log, folder.path().join("app.log.1")).unwrap();
            append(&log, "");
        }
        live.signal(Signal::KILL);
        let (_, lines, messages) = live.end();
        assert_eq!(messages, Vec::<String>::new());
        let mut last = safe;
        for read in lines.iter().map(|line| serde_json::from_str::<Value>(line)) {
            // The last line may have been cut by the kill.
            let Ok(json) = read else { continue };
            if json["@"] == "barrier" {
                safe = last;
            } else if let Some(number) = json["n"].as_u64() {
                let number = usize::try_from(number).unwrap();
                assert!(number >= safe || round == 0, "{number} came again though it was safe");
                *times.entry(number).or_default() += 1;
                last = number + 1;
            }
        }
    }
    let live = Live::spawn(ingest(folder.path(), &args));
    assert!(live.line().starts_with("{\"@\":\"start\""));
    while times.len() < written {
        let json: Value = serde_json::from_str(&live.line()).unwrap();
        if let Some(number) = json["n"].as_u64() {
            *times.entry(usize::try_from(number).unwrap()).or_default() += 1;
        }
    }
    assert!((0..written).all(|number| times.contains_key(&number)));
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
}

#[test]
fn what_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path().join("a"), &records(0..1));
    for (args, message) in [
        (&["--follow"][..], "FILE"),
        (&["--follow", "-"], "stdin cannot be gone back to"),
        (&["--checkpoint", "state", "-"], "stdin cannot be gone back to"),
        (&["--heartbeat", "0s", "a"], "--heartbeat must be longer than 0s"),
        (&["--trigger", "1s", "a"], "--max-files-per-trigger"),
    ] {
        let (code, rows, _, said) = run(folder.path(), args);
        assert_eq!((code, rows.len()), (Some(2), 0), "{args:?}: {said}");
        assert!(said.contains(message), "{args:?}: {said}");
    }
    let (_, _, control, _) = run(folder.path(), &["--checkpoint", "state", "a"]);
    let damaged = folder.path().join("state/positions.1.json");
    assert_eq!(control.last().unwrap()["epoch"], 1);
    fs::write(&damaged, "{}\n0\n").unwrap();
    let (code, _, _, said) = run(folder.path(), &["--checkpoint", "state", "a"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("positions.1.json is damaged"), "{said}");
}
