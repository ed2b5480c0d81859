//! Programs within a running pipeline: what they do while more input may
//! come, and what signals do to them.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode};
use rustix::process::Signal;
use serde_json::Value;
use support::process::{End, Live, end};
use support::stages::{DETECT, INGEST, PARSE, STAGES, Stage, WINDOW};

fn record(time: &str) -> String {
    format!(r#"{{"timestamp":"2025-09-12T{time}.000Z","service":"auth"}}"#)
}

/// `window` with a watermark, so that it prints before its input ends.
const WATERMARKED: Stage =
    Stage { args: &["--size", "1m", "--watermark", "0s", "count(*) AS n"], ..WINDOW };

#[test]
fn output_does_not_wait_for_more_input() {
    for stage in [INGEST, PARSE, DETECT] {
        let mut live = Live::spawn(stage.command());
        for time in ["00:00:00", "00:00:01"] {
            live.write(record(time) + "\n");
            assert_eq!(live.line(), record(time));
        }
        live.close();
        assert_eq!(live.end(), (End::Code(0), vec![], vec![]));
    }
    let mut live = Live::spawn(WATERMARKED.command());
    live.write(record("00:00:00") + "\n" + &record("00:01:00") + "\n");
    assert!(live.line().contains(r#""end":"2025-09-12T00:01:00.000Z"},"n":1"#));
    live.close();
    assert_eq!(live.end().1.len(), 1);
}

#[test]
fn a_reader_that_leaves_ends_a_program_that_waits() {
    for stage in STAGES {
        let mut child = stage
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}", record("00:00:00")).unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        if matches!(stage.name, "ingest" | "parse" | "detect") {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            assert_eq!(line.trim_end(), record("00:00:00"));
        }
        drop(stdout);
        assert_eq!(end(&mut child), End::Code(0), "{}", stage.name);
        drop(stdin);
        assert_eq!(child.wait_with_output().unwrap().stderr, b"", "{}", stage.name);
    }
}

#[test]
fn a_signal_makes_a_source_end_well() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    for signal in [Signal::TERM, Signal::INT] {
        let mut command = WATERMARKED.command();
        command.arg("--input").arg(&fifo);
        let mut input = File::options().read(true).write(true).open(&fifo).unwrap();
        let live = Live::spawn(command);
        // One write, so that all three have been read when the first row comes.
        let lines = ["00:00:00", "00:01:00", "00:01:30"].map(|time| record(time) + "\n").concat();
        input.write_all(lines.as_bytes()).unwrap();
        assert!(live.line().contains(r#""n":1"#));
        live.signal(signal);
        let (end, rows, messages) = live.end_within(Duration::from_secs(1));
        assert_eq!((end, messages), (End::Code(0), vec![]));
        assert_eq!(rows.len(), 1);
        assert!(rows[0].ends_with(r#""n":2}"#), "{rows:?}");
    }
}

#[test]
fn a_signal_leaves_a_stage_behind_a_pipe_time_to_finish() {
    let mut live = Live::spawn(PARSE.command());
    live.write(record("00:00:00") + "\n");
    assert_eq!(live.line(), record("00:00:00"));
    live.signal(Signal::TERM);
    for time in ["00:00:01", "00:00:02"] {
        live.write(record(time) + "\n");
        assert_eq!(live.line(), record(time));
    }
    live.close();
    assert_eq!(live.end(), (End::Code(0), vec![], vec![]));
}

#[test]
fn a_stage_whose_input_does_not_end_gives_up_after_a_grace() {
    let mut live = Live::spawn(WATERMARKED.command());
    live.write(record("00:00:00") + "\n" + &record("00:01:00") + "\n");
    live.line();
    live.signal(Signal::TERM);
    let begun = Instant::now();
    let (end, rows, _) = live.end();
    assert_eq!((end, rows.len()), (End::Code(0), 1));
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[test]
fn the_second_signal_ends_at_once() {
    let mut live = Live::spawn(PARSE.command());
    live.write(record("00:00:00") + "\n");
    live.line();
    live.signal(Signal::TERM);
    // Its answer says that the first signal has been taken in.
    live.write(record("00:00:01") + "\n");
    live.line();
    // A person's second signal comes a while later.
    std::thread::sleep(Duration::from_millis(500));
    live.signal(Signal::TERM);
    assert_eq!(live.end_within(Duration::from_secs(1)).0, End::Signal(Signal::TERM.as_raw()));
}

#[test]
fn two_signals_at_once_are_one_notice() {
    let mut live = Live::spawn(PARSE.command());
    live.write(record("00:00:00") + "\n");
    live.line();
    for _ in 0..20 {
        live.signal(Signal::TERM);
    }
    live.write(record("00:00:01") + "\n");
    assert_eq!(live.line(), record("00:00:01"));
    live.close();
    assert_eq!(live.end(), (End::Code(0), vec![], vec![]));
}

/// `timeout` tells its child and then its group.
#[test]
fn timeout_leaves_a_source_time_to_save() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("app.log");
    std::fs::write(&log, "one\n").unwrap();
    let mut command = std::process::Command::new("timeout");
    command.args(["1", INGEST.path, "--follow", "--last", "--checkpoint"]);
    command.arg(folder.path().join("state"));
    let (end, lines, messages) = Live::spawn({
        command.arg(&log);
        command
    })
    .end();
    assert_eq!((end, messages), (End::Code(124), vec![]));
    assert!(!lines.is_empty());
    assert_eq!(lines, [r#"{"@raw":"one"}"#]);
    assert!(folder.path().join("state/commit.1.json").exists());
}

#[test]
fn usr1_shows_the_figures() {
    let mut live = Live::spawn(PARSE.command());
    for count in 1..=2 {
        live.write(record("00:00:00") + "\n");
        live.line();
        live.signal(Signal::USR1);
        let stats: Value = serde_json::from_str(&live.message()).unwrap();
        assert_eq!(stats["stage"], "parse");
        assert_eq!(stats["records_in"], count);
        assert_eq!(stats["records_out"], count);
    }
    live.close();
    assert_eq!(live.end(), (End::Code(0), vec![], vec![]));
}
