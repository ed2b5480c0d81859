//! Lines that cannot be exactly once, because a stage is missing, has another folder, or has no
//! checkpoint: they say so, and do not pretend.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs;
use std::path::Path;

use support::pipeline::{Ended, Line, append, committed};
use support::run;
use support::stages::{INGEST, PARSE};
use support::workplace::synthetic;
use tempfile::TempDir;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    append(folder.path().join("log"), &synthetic(500));
    folder
}

/// Runs a line in which a word `@` stands for `--checkpoint state`.
#[track_caller]
fn run_line(folder: &Path, line: &str) -> Ended {
    Line::new(&line.replace(" @", " --checkpoint state")).run(folder)
}

#[test]
fn a_stage_that_keeps_state_without_a_checkpoint_is_named_and_ends_the_line() {
    let folder = folder();
    let line =
        "ingest log @ | parse @ | window --size 1m 'count(*) AS n' | detect --zscore n @ >>out";
    run_line(folder.path(), line).refused(&[
        "window: this stage keeps state but has no --checkpoint",
        "detect: under --checkpoint the input has to come from `ingest --checkpoint`",
    ]);
    assert_eq!(fs::read(folder.path().join("out")).unwrap(), b"");
    assert_eq!(committed(&folder.path().join("state")), None);
}

#[test]
fn a_program_that_removes_control_lines_ends_the_line() {
    let folder = folder();
    let line = "ingest log @ | grep -v '\"@\"' | parse @ >>out";
    // grep's own end does not matter.
    let ended = run_line(folder.path(), line);
    assert!(ended.has_failed(), "{ended}");
    let said = "parse: under --checkpoint the input has to come from `ingest --checkpoint`";
    assert!(ended.said.contains(said), "{ended}");
    assert_eq!(committed(&folder.path().join("state")), None);
}

#[test]
fn a_program_that_keeps_control_lines_may_stand_between_stages() {
    let folder = folder();
    let line = "ingest log @ | grep -v nothing | parse @ >>out";
    run_line(folder.path(), line).success();
    let out = fs::read(folder.path().join("out")).unwrap();
    assert!(committed(&folder.path().join("state")) > Some(0) && !out.is_empty());
    run_line(folder.path(), line).success();
    assert!(fs::read(folder.path().join("out")).unwrap() == out);
}

#[test]
fn input_that_no_ingest_has_begun_is_refused() {
    let folder = folder();
    let log = fs::read(folder.path().join("log")).unwrap();
    let state = folder.path().join("state");
    for (input, said) in [
        (&log[..], "parse: under --checkpoint the input has to come from `ingest --checkpoint`"),
        (b"", "parse: the input ended in the middle"),
    ] {
        let ran = run(PARSE.path, ["--last", "--checkpoint", state.to_str().unwrap()], input);
        let ran = ran.exited(1);
        assert!(ran.stderr.contains(said) && ran.stdout.is_empty(), "{ran}");
    }
    assert!(!state.exists());
}

#[test]
fn a_stage_with_another_folder_is_refused() {
    let folder = folder();
    run_line(folder.path(), "ingest log @ | parse --checkpoint other >>out")
        .refused(&["parse: other ", "same --checkpoint"]);
    assert_eq!(fs::read(folder.path().join("out")).unwrap(), b"");
}

#[test]
fn a_line_without_a_last_stage_is_told_who_misses_it() {
    let folder = folder();
    let line = "ingest --follow log @ | parse @ | cat";
    run_line(folder.path(), line).refused(&["ingest: no stage behind parse (process ", "--last"]);
    assert_eq!(committed(&folder.path().join("state")), None);
}

#[test]
fn a_line_in_front_of_a_program_that_is_no_stage_is_begun_where_it_was_committed() {
    let folder = folder();
    // It gets no control lines.
    let line = "ingest log @ | parse @ --last | cat >>out";
    run_line(folder.path(), line).success();
    let out = fs::read_to_string(folder.path().join("out")).unwrap();
    assert!(!out.is_empty() && !out.contains("{\"@\""));
    append(folder.path().join("log"), &synthetic(100));
    run_line(folder.path(), line).success();
    let grown = fs::read_to_string(folder.path().join("out")).unwrap();
    let more = synthetic(100);
    let parsed = run(PARSE.path, [""; 0], &more).success().stdout;
    assert_eq!(grown, out + &parsed);
}

#[test]
fn sources_that_cannot_be_gone_back_to_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    for source in [&[][..], &["-"], &["--rate", "5"], &["--listen", "127.0.0.1:0"]] {
        let args = [source, &["--checkpoint", state.to_str().unwrap()]].concat();
        let ran = run(INGEST.path, args, b"{}\n").exited(2);
        assert!(ran.stderr.contains("gone back to"), "{source:?}\n{ran}");
    }
    assert!(!state.exists());
}

/// A line whose records and rejects are counted.
const COUNTED: &str = "ingest log @ | parse --rejects rejects @ >>out";

#[test]
fn a_reset_begins_anew_behind_what_is_there() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    run_line(folder.path(), COUNTED).success();
    let [out, rejects] = ["out", "rejects"].map(|name| fs::read(path(name)).unwrap());
    assert!(!out.is_empty() && !rejects.is_empty());
    // Wrong usage forgets nothing.
    assert!(run_line(folder.path(), "ingest --reset log @ >wrong").has_only_codes(&[2]));
    run_line(folder.path(), COUNTED).success();
    assert!(fs::read(path("out")).unwrap() == out, "a finished line adds nothing");
    run_line(folder.path(), &COUNTED.replace("ingest log", "ingest --reset log")).success();
    assert!(fs::read(path("out")).unwrap() == [&*out, &*out].concat());
    assert!(fs::read(path("rejects")).unwrap() == rejects);
}

#[test]
fn without_any_commit_nothing_is_read_again() {
    let folder = folder();
    run_line(folder.path(), COUNTED).success();
    let out = fs::read(folder.path().join("out")).unwrap();
    for entry in fs::read_dir(folder.path().join("state")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("commit.") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    run_line(folder.path(), COUNTED).refused(&["an epoch was committed, and no file says which"]);
    assert!(fs::read(folder.path().join("out")).unwrap() == out);
}

#[test]
fn files_of_others_are_not_cut() {
    let folder = folder();
    run_line(folder.path(), COUNTED).success();
    let others = "of others\n".repeat(100_000);
    append(folder.path().join("other"), others.as_bytes());
    for (wrong, said) in [
        (COUNTED.replace(">>out", ">>other"), "the output is not the file"),
        (COUNTED.replace("rejects rejects", "rejects other"), "other holds something"),
    ] {
        run_line(folder.path(), &wrong).refused(&[said]);
        assert_eq!(fs::read_to_string(folder.path().join("other")).unwrap(), others);
    }
    // An empty one will do.
    run_line(folder.path(), &COUNTED.replace("rejects rejects", "rejects fresh")).success();
}

#[test]
fn two_stages_do_not_share_a_file() {
    let folder = folder();
    let line = "ingest log @ | parse --rejects rejects @ |
                window --size 1m --rejects rejects 'count(*) AS n' @ >>out";
    run_line(folder.path(), line).refused(&["another stage writes to rejects"]);
}

#[test]
fn what_is_no_file_or_built_in_is_no_hindrance() {
    let folder = folder();
    let line = "ingest log @ | parse --schema logs --rejects /dev/null @ >>out";
    run_line(folder.path(), line).success();
    run_line(folder.path(), line).success();
    assert!(!fs::read(folder.path().join("out")).unwrap().is_empty());
}
