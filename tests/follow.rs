//! `ingest --follow`: files that are written to, rotated, emptied and deleted
//! while they are read. Every line must come exactly once, none torn.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use support::process::{End, Live};
use support::stages::INGEST;

fn follow(folder: &Path, args: &[&str]) -> Live {
    let mut command = INGEST.command();
    command.current_dir(folder).arg("--follow").args(args);
    Live::spawn(command)
}

fn append(path: impl AsRef<Path>, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn record(number: usize) -> String {
    format!("{{\"n\":{number}}}")
}

/// Ends it by a signal; what it still had to say.
fn stop(live: Live) -> Vec<String> {
    live.signal(Signal::TERM);
    let (end, rows, messages) = live.end();
    assert_eq!((end, messages), (End::Code(0), vec![]));
    rows
}

#[test]
fn a_line_in_two_halves_arrives_whole() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    append(&log, "{\"n\":1}\n{\"n\"");
    let live = follow(folder.path(), &["app.log"]);
    assert_eq!(live.line(), record(1));
    append(&log, ":2");
    append(&log, "}\n");
    assert_eq!(live.line(), record(2));
    append(&log, "{\"unfinished\":");
    assert_eq!(stop(live), Vec::<String>::new());
}

/// Writes to `app.log` and lets `change` rotate it now and then; every line must
/// come, once and in order.
fn check(pattern: &str, change: impl Fn(&Path, usize)) {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    append(&log, "");
    let live = follow(folder.path(), &[pattern]);
    let mut written = 0;
    let mut seen = 0;
    for round in 0..6 {
        // What is in a file before it is first looked at can be copied and
        // emptied unseen, so the first line is waited for; the last ones only
        // now and then.
        for wait_for in [written + 1, written + if round % 2 == 0 { 40 } else { 1 }] {
            for _ in 0..20 {
                append(&log, &(record(written) + "\n"));
                written += 1;
            }
            while seen < wait_for {
                assert_eq!(live.line(), record(seen), "before change {round}");
                seen += 1;
            }
        }
        change(&log, round);
        // It takes a moment to be noticed, or two changes could look like one.
        std::thread::sleep(Duration::from_millis(600));
    }
    append(&log, &(record(written) + "\n"));
    while seen <= written {
        assert_eq!(live.line(), record(seen));
        seen += 1;
    }
    assert_eq!(stop(live), Vec::<String>::new());
}

#[test]
fn rotation_by_renaming() {
    for pattern in ["app.log", "app.log*", "."] {
        check(pattern, |log, round| {
            fs::rename(log, log.with_extension(format!("log.{round}"))).unwrap();
            File::create(log).unwrap();
        });
    }
}

#[test]
fn the_old_file_is_read_to_its_end_after_it_was_renamed() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    append(&log, "{\"n\":0}\n");
    let live = follow(folder.path(), &["app.log"]);
    assert_eq!(live.line(), record(0));
    let old = folder.path().join("app.log.1");
    fs::rename(&log, &old).unwrap();
    append(&log, "{\"n\":1}\n");
    assert_eq!(live.line(), record(1));
    // The writer has the old one open still.
    append(&old, "{\"n\":2}\n");
    assert_eq!(live.line(), record(2));
    append(&log, "{\"n\":3}\n");
    assert_eq!(live.line(), record(3));
    assert_eq!(stop(live), Vec::<String>::new());
}

#[test]
fn rotation_by_copying_and_emptying() {
    for pattern in ["app.log", "app.log*"] {
        check(pattern, |log, round| {
            fs::copy(log, log.with_extension(format!("log.{round}"))).unwrap();
            OpenOptions::new().write(true).open(log).unwrap().set_len(0).unwrap();
        });
    }
}

#[test]
fn deletion_and_creation() {
    check("app.log", |log, round| {
        if round % 2 == 0 {
            fs::remove_file(log).unwrap();
            File::create(log).unwrap();
        }
    });
}

#[test]
fn files_that_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let live = follow(folder.path(), &["*.log", "not-yet"]);
    assert_eq!(live.message(), "ingest: nothing to read yet: waiting for files");
    append(folder.path().join("b.log"), "{\"n\":0}\n");
    assert_eq!(live.line(), record(0));
    append(folder.path().join("a.log"), "{\"n\":1}\n");
    assert_eq!(live.line(), record(1));
    append(folder.path().join("not-yet"), "{\"n\":2}\n");
    assert_eq!(live.line(), record(2));
    append(folder.path().join("b.log"), "{\"n\":3}\n");
    assert_eq!(live.line(), record(3));
    assert_eq!(stop(live), Vec::<String>::new());
}

#[test]
fn an_emptied_file_without_a_copy_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    append(&log, "{\"n\":0}\n");
    let live = follow(folder.path(), &["app.log"]);
    assert_eq!(live.line(), record(0));
    File::create(&log).unwrap();
    assert!(live.message().contains("app.log was emptied"));
    append(&log, "{\"n\":1}\n");
    assert_eq!(live.line(), record(1));
    assert_eq!(stop(live), Vec::<String>::new());
}

/// Once a file was renamed, its old path is another's, which is not begun anew
/// because the first is emptied.
#[test]
fn a_rotated_file_that_is_emptied_leaves_the_one_at_its_path_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    append(path("app.log"), "{\"n\":0}\n");
    let live = follow(folder.path(), &["app.log"]);
    assert_eq!(live.line(), record(0));
    fs::rename(path("app.log"), path("app.log.1")).unwrap();
    append(path("app.log"), "{\"n\":1}\n");
    assert_eq!(live.line(), record(1));
    File::options().write(true).open(path("app.log.1")).unwrap().set_len(0).unwrap();
    assert!(live.message().contains("was emptied"));
    append(path("app.log"), "{\"n\":2}\n");
    assert_eq!(live.line(), record(2));
    assert_eq!(stop(live), Vec::<String>::new());
}

/// A file that begins as an emptied one did is no copy of it if it is followed
/// itself.
#[test]
fn a_followed_file_is_not_taken_for_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    append(path("a.log"), "{\"n\":0}\n");
    append(path("b.log"), "{\"n\":0}\n{\"n\":1}\n");
    let live = follow(folder.path(), &["a.log", "b.log"]);
    assert_eq!([live.line(), live.line(), live.line()], [0, 0, 1].map(record));
    File::options().write(true).open(path("a.log")).unwrap().set_len(0).unwrap();
    assert!(live.message().contains("a.log was emptied"));
    append(path("a.log"), "{\"n\":2}\n");
    assert_eq!(live.line(), record(2));
    assert_eq!(stop(live), Vec::<String>::new());
}
