//! What `ingest` keeps, adds and leaves out.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::process::{End, Live, wait};
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
    let args = ["a", "--checkpoint", "state", "--last"];
    let (code, rows, control, message) = run(folder.path(), &args);
    assert_eq!((code, rows.len(), control.len()), (Some(0), 3, 0), "{message}");
    append(folder.path().join("a"), &records(3..5));
    let (code, rows, _, message) = run(folder.path(), &args);
    assert_eq!((code, rows.join("\n") + "\n"), (Some(0), records(3..5)), "{message}");
    let (code, rows, ..) = run(folder.path(), &args);
    assert_eq!((code, rows.len()), (Some(0), 0));
}

#[test]
fn the_stages_behind_are_told_of_epochs() {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path().join("a"), &records(0..3));
    let args = ["a", "--checkpoint", "state"];
    let (code, rows, control, message) = run(folder.path(), &args);
    // Which it says when it has waited for the last of them.
    assert_eq!((code, rows.len()), (Some(1), 3), "{message}");
    assert!(message.contains("no stage behind ingest"), "{message}");
    let kinds: Vec<&str> = control.iter().map(|line| line["@"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["start", "end", "barrier"]);
    let start = &control[0];
    assert_eq!((&start["epoch"], &start["stage"]), (&Value::from(0), &Value::from(1)));
    assert_eq!(control[2]["epoch"], 1);
    // Nobody has committed that.
    let args = ["a", "--checkpoint", "state", "--last"];
    assert_eq!(run(folder.path(), &args).1.len(), 3);
}

#[test]
fn a_rotated_file_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    append(&log, &records(0..3));
    let args =
        ["--checkpoint", "state", "--last", "--checkpoint-interval", "1h", "--follow", "app.log"];
    let first = Live::spawn(ingest(folder.path(), &args));
    for _ in 0..3 {
        first.line();
    }
    first.signal(Signal::TERM);
    let (end, rest, _) = first.end();
    assert_eq!((end, rest.len()), (End::Code(0), 0));
    append(&log, &records(3..5));
    fs::rename(&log, folder.path().join("app.log.1")).unwrap();
    append(&log, &records(5..7));
    let second = Live::spawn(ingest(folder.path(), &args));
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

/// Kills it again and again, at the end of a line of its own: every line comes
/// once.
#[test]
fn killed_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let (log, out) = (folder.path().join("app.log"), folder.path().join("out"));
    let args = ["--checkpoint", "state", "--checkpoint-interval", "20ms", "--follow", "app.log"];
    append(&log, "");
    let start = || {
        let mut command = ingest(folder.path(), &args);
        let output = OpenOptions::new().create(true).append(true).open(&out).unwrap();
        command.stdout(output).spawn().unwrap()
    };
    let mut written = 0;
    for round in 0..8 {
        let mut child = start();
        for _ in 0..20 {
            append(&log, &records(written..written + 50));
            written += 50;
            thread::sleep(Duration::from_millis(5));
        }
        if round == 4 {
            fs::rename(&log, folder.path().join("app.log.1")).unwrap();
            append(&log, "");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut child = start();
    let expected = records(0..written);
    let deadline = Instant::now() + Duration::from_secs(20);
    while fs::read_to_string(&out).unwrap().len() < expected.len() {
        assert!(Instant::now() < deadline, "not all has come");
        thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(wait(&mut child, Duration::from_secs(20)), End::Code(0));
    assert_eq!(fs::read_to_string(&out).unwrap(), expected);
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
    let args = ["--checkpoint", "state", "--last", "a"];
    assert_eq!(run(folder.path(), &args).0, Some(0));
    let damaged = folder.path().join("state/positions.1.json");
    fs::write(&damaged, "{}\n0\n").unwrap();
    let (code, _, _, said) = run(folder.path(), &args);
    assert_eq!(code, Some(1));
    assert!(said.contains("positions.1.json is damaged"), "{said}");
}
