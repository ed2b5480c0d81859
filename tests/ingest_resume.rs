//! `ingest --checkpoint` killed again and again, where what comes is more than
//! the lines of a file: records of several lines, and files merged by time.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use support::process::{End, Live};
use support::stages::INGEST;

fn ingest(folder: &Path, args: &[&str]) -> Command {
    let mut command = INGEST.command();
    command.current_dir(folder).args(args).args(["--checkpoint", "state", "--last"]);
    command
}

fn append(path: impl AsRef<Path>, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// What one run wrote. A line that was cut by a kill is left out.
fn uncut(mut lines: Vec<String>) -> Vec<String> {
    while lines.last().is_some_and(|line| serde_json::from_str::<Value>(line).is_err()) {
        lines.pop();
    }
    lines
}

/// Sees to it that each run's records stand behind one another in `expected`
/// and begin where the run before had come to, or further back, but not before
/// where that began. Returns how far the runs have come.
#[track_caller]
fn check(expected: &[String], runs: &[Vec<String>]) -> usize {
    let (mut safe, mut reached) = (0, 0);
    for (number, rows) in runs.iter().enumerate() {
        let Some(first) = rows.first() else { continue };
        let begins = safe
            + expected[safe..=reached.min(expected.len() - 1)]
                .iter()
                .position(|row| row == first)
                .unwrap_or_else(|| {
                    panic!("run {number} begins with {first}, not in {safe}..={reached}")
                });
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(Some(row), expected.get(begins + at), "run {number}, record {at}");
        }
        reached = reached.max(begins + rows.len());
        safe = begins;
    }
    reached
}

fn trace(number: usize) -> String {
    let frames: Vec<String> =
        (0..number % 4).map(|at| format!("  at f{at} ({number})\n")).collect();
    format!("ERROR {number}\n{}", frames.concat())
}

fn raw(record: &str) -> String {
    serde_json::json!({ "@raw": record.trim_end_matches('\n') }).to_string()
}

/// Records of several lines, written in halves and rotated in the middle: each
/// comes whole after every kill.
#[test]
fn records_of_several_lines_stay_whole_over_kills() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    let args = [
        &["--follow", "--checkpoint-interval", "20ms", "--multiline-start", "^ERROR"][..],
        &["--multiline-wait", "1h", "app.log"],
    ]
    .concat();
    append(&log, "");
    let (mut expected, mut runs, mut written) = (vec![], vec![], 0);
    for round in 0..8 {
        let live = Live::spawn(ingest(folder.path(), &args));
        for _ in 0..60 {
            let text = trace(written);
            expected.push(raw(&text));
            written += 1;
            let (first, second) = text.split_at(text.len() * 2 / 3);
            append(&log, first);
            thread::sleep(Duration::from_millis(2));
            append(&log, second);
        }
        match round {
            // Renamed, or copied and emptied, behind a record's last line.
            2 | 5 => {
                fs::rename(&log, folder.path().join(format!("app.log.{round}"))).unwrap();
                append(&log, "");
            }
            3 => {
                fs::copy(&log, folder.path().join("app.log.copy")).unwrap();
                OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
            }
            _ => {}
        }
        live.signal(Signal::KILL);
        let (_, lines, messages) = live.end();
        assert_eq!(messages, Vec::<String>::new());
        runs.push(uncut(lines));
    }
    append(&log, "ERROR last\n");
    let live = Live::spawn(ingest(folder.path(), &args));
    let mut lines = vec![];
    while lines.last() != expected.last() {
        lines.push(live.line());
    }
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
    runs.push(uncut(lines));
    assert_eq!(check(&expected, &runs), expected.len());
}

#[test]
fn the_record_held_at_a_signal_comes_in_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    let args = ["--follow", "--multiline-start", "^[a-z]", "--multiline-wait", "1h", "app.log"];
    append(&log, "a\n 1\nb\n 2\n");
    let live = Live::spawn(ingest(folder.path(), &args));
    assert_eq!(live.line(), raw("a\n 1"));
    live.signal(Signal::TERM);
    let (end, lines, _) = live.end();
    assert_eq!((end, lines.len()), (End::Code(0), 0), "{lines:?}");
    append(&log, " 3\nc\n");
    let live = Live::spawn(ingest(folder.path(), &args));
    assert_eq!(live.line(), raw("b\n 2\n 3"));
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
}

/// Follows a pattern that the rotated names match too, while the file is rotated
/// twice, and then again: nothing comes twice, under whichever name.
#[test]
fn rotated_files_that_match_the_pattern_do_not_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let args = ["--follow", "--checkpoint-interval", "100ms", "app.log*"];
    append(path("app.log"), "one\n");
    let live = Live::spawn(ingest(folder.path(), &args));
    let mut rows = vec![live.line()];
    for text in ["two\n", "three\n"] {
        let _ = fs::rename(path("app.log.1"), path("app.log.2"));
        fs::rename(path("app.log"), path("app.log.1")).unwrap();
        append(path("app.log"), text);
        rows.push(live.line());
    }
    assert_eq!(rows, ["one", "two", "three"].map(raw));
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
    let live = Live::spawn(ingest(folder.path(), &args));
    append(path("app.log"), "four\n");
    assert_eq!(live.line(), raw("four"));
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
}

/// A rotated file that was read to its end and deleted, or packed, while it was
/// followed is nothing that the next run has to find.
#[test]
fn a_file_that_was_read_and_deleted_is_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let args = ["--follow", "--checkpoint-interval", "100ms", "app.log"];
    append(path("app.log"), "one\n");
    let live = Live::spawn(ingest(folder.path(), &args));
    assert_eq!(live.line(), raw("one"));
    fs::rename(path("app.log"), path("app.log.1")).unwrap();
    append(path("app.log"), "two\n");
    assert_eq!(live.line(), raw("two"));
    fs::remove_file(path("app.log.1")).unwrap();
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
    append(path("app.log"), "three\n");
    let live = Live::spawn(ingest(folder.path(), &args));
    assert_eq!(live.line(), raw("three"));
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
}

/// A file that was rotated before it had any lines is not taken for the one at
/// its path, which begins alike.
#[test]
fn an_empty_file_that_was_rotated_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let args = ["--follow", "--checkpoint-interval", "100ms", "app.log"];
    append(path("app.log"), "");
    let live = Live::spawn(ingest(folder.path(), &args));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !path("state/commit.1.json").exists() {
        assert!(Instant::now() < deadline, "nothing is committed");
        thread::sleep(Duration::from_millis(5));
    }
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
    append(path("app.log"), "one\n");
    fs::rename(path("app.log"), path("app.log.1")).unwrap();
    append(path("app.log"), "two\n");
    let live = Live::spawn(ingest(folder.path(), &args));
    assert_eq!([live.line(), live.line()], ["one", "two"].map(raw));
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
}

/// Before anything is committed it is known already which files there were.
#[test]
fn a_file_that_was_rotated_before_the_first_commit_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let args = ["--follow", "--checkpoint-interval", "1h", "app.log"];
    append(path("app.log"), "one\n");
    let live = Live::spawn(ingest(folder.path(), &args));
    assert_eq!(live.line(), raw("one"));
    live.signal(Signal::KILL);
    live.end();
    fs::rename(path("app.log"), path("app.log.1")).unwrap();
    append(path("app.log"), "two\n");
    let live = Live::spawn(ingest(folder.path(), &args));
    assert_eq!([live.line(), live.line()], ["one", "two"].map(raw));
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
}

/// Three files that overlap, in which every third record has no time.
fn write_files(folder: &Path, records: usize) {
    for file in 0..3 {
        let record = |number: usize| match number % 3 {
            2 => format!("{{\"file\":{file},\"n\":{number}}}\n"),
            // Some are out of order.
            at => {
                let time = 1_757_671_200 + number * 3 + file - 7 * usize::from(number % 50 == at);
                format!("{{\"t\":{time},\"file\":{file},\"n\":{number}}}\n")
            }
        };
        append(
            folder.join(format!("{file}.ndjson")),
            &(0..records).map(record).collect::<String>(),
        );
    }
}

#[test]
fn a_merge_goes_on_in_the_same_order_after_kills() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), 60_000);
    let files = ["0.ndjson", "1.ndjson", "2.ndjson"];
    let mut whole = INGEST.command();
    whole.current_dir(folder.path()).arg("--merge-by-time").args(files);
    let whole = String::from_utf8(whole.output().unwrap().stdout).unwrap();
    let expected: Vec<String> = whole.lines().map(str::to_owned).collect();
    assert_eq!(expected.len(), 180_000);

    let mut args = vec!["--merge-by-time", "--checkpoint-interval", "30ms"];
    args.extend(files);
    let (mut runs, mut is_ended): (Vec<Vec<String>>, bool) = (vec![], false);
    while !is_ended {
        let live = Live::spawn(ingest(folder.path(), &args));
        let mut lines = vec![];
        // The last run is left to end.
        if runs.len() < 8 {
            lines.extend((0..5_000).map(|_| live.line()));
            live.signal(Signal::KILL);
        }
        let (end, rest, messages) = live.end();
        assert_eq!(messages, Vec::<String>::new());
        is_ended = end == End::Code(0);
        lines.extend(rest);
        runs.push(uncut(lines));
    }
    assert_eq!(check(&expected, &runs), expected.len());
    let live = Live::spawn(ingest(folder.path(), &args));
    let (end, lines, _) = live.end();
    assert_eq!((end, lines.len()), (End::Code(0), 0), "nothing comes twice");
}

#[test]
fn a_merged_file_that_was_renamed_is_found_and_one_that_is_gone_told() {
    let folder = tempfile::tempdir().unwrap();
    for (name, at) in [("a", 1), ("b", 2)] {
        append(folder.path().join(name), &format!("{{\"t\":175767120{at}}}\n"));
    }
    let args = ["--merge-by-time", "a", "b"];
    let run = |args: &[&str]| {
        let ran = ingest(folder.path(), args).output().unwrap();
        let text = String::from_utf8(ran.stdout).unwrap();
        (ran.status.code(), text.replace('\n', ""), String::from_utf8(ran.stderr).unwrap())
    };
    assert_eq!(run(&args).0, Some(0));
    append(folder.path().join("a"), "{\"t\":1757671209}\n");
    fs::rename(folder.path().join("a"), folder.path().join("a.1")).unwrap();
    append(folder.path().join("a"), "{\"t\":1757671208}\n");
    let (code, rows, said) = run(&args);
    assert_eq!((code, &*rows), (Some(0), "{\"t\":1757671208}{\"t\":1757671209}"), "{said}");
}

/// The records of a merge that goes on in `folder` until its files end.
fn merged(folder: &Path, args: &[&str]) -> Vec<String> {
    let ran = ingest(folder, &[&["--merge-by-time"], args].concat()).output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8(ran.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_merged_file_that_was_renamed_keeps_its_place_at_equal_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let row = |n: &str| format!("{{\"t\":1757671201,\"n\":\"{n}\"}}");
    for name in ["a", "b"] {
        append(path(name), &(row(name) + "\n"));
    }
    assert_eq!(merged(folder.path(), &["a", "b"]), ["a", "b"].map(row));
    for name in ["a", "b"] {
        append(path(name), &(row(&format!("{name} later")) + "\n"));
    }
    fs::rename(path("b"), path("b.1")).unwrap();
    append(path("b"), &(row("new") + "\n"));
    assert_eq!(merged(folder.path(), &["a", "b"]), ["a later", "b later", "new"].map(row));
}

/// A file that was renamed and is given under its new name is one file, not two.
#[test]
fn a_merged_file_that_is_given_by_its_new_name_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let row = |n: u32| format!("{{\"t\":175767120{n}}}");
    append(path("a"), &(row(1) + "\n"));
    append(path("b"), &(row(2) + "\n"));
    assert_eq!(merged(folder.path(), &["a", "b"]), [1, 2].map(row));
    append(path("a"), &(row(3) + "\n"));
    fs::rename(path("a"), path("a.1")).unwrap();
    assert_eq!(merged(folder.path(), &["a.1", "b"]), [row(3)]);
}

/// A time without a year follows on the last one that the run before read.
#[test]
fn a_merge_goes_on_in_the_same_year() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    append(path("a"), "Dec 31 23:00:00 host app: one\n");
    // 2 January 2024.
    let changed = std::time::UNIX_EPOCH + Duration::from_secs(1_704_153_600);
    OpenOptions::new().write(true).open(path("a")).unwrap().set_modified(changed).unwrap();
    append(path("b"), "<34>1 2023-01-01T00:00:00Z host app - - - two\n");
    let args = ["--format", "syslog", "a", "b"];
    let two = raw("<34>1 2023-01-01T00:00:00Z host app - - - two");
    assert_eq!(merged(folder.path(), &args), [two, raw("Dec 31 23:00:00 host app: one")]);
    append(path("a"), "Jan  1 00:30:00 host app: three\n");
    append(path("b"), "<34>1 2024-06-01T00:00:00Z host app - - - four\n");
    let four = raw("<34>1 2024-06-01T00:00:00Z host app - - - four");
    assert_eq!(merged(folder.path(), &args), [raw("Jan  1 00:30:00 host app: three"), four]);
}

/// A line that is too long is rejected once, though it had not ended when the
/// run before did.
#[test]
fn a_line_too_long_is_not_rejected_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    append(&log, "one\n");
    append(&log, &"x".repeat(3_000));
    let args = ["--follow", "--max-line", "100", "app.log"];
    let live = Live::spawn(ingest(folder.path(), &args));
    assert_eq!(live.line(), raw("one"));
    assert!(live.message().contains("app.log:2: too_long"));
    live.signal(Signal::TERM);
    assert_eq!(live.end().0, End::Code(0));
    append(&log, &"x".repeat(3_000));
    append(&log, "\ntwo\n");
    let live = Live::spawn(ingest(folder.path(), &args));
    assert_eq!(live.line(), raw("two"));
    live.signal(Signal::TERM);
    let (end, _, messages) = live.end();
    assert_eq!((end, messages), (End::Code(0), vec![]));
}
