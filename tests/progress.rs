//! What a person sees on a terminal: progress, messages, the summary.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

mod support;

use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode};
use rustix::process::{Pid, Signal, kill_process};
use support::process::{End, Live, end};
use support::stages::{INGEST, PARSE, Stage, WINDOW};
use support::terminal::{Terminal, drawn, screen};

/// A record of each second from midnight on.
fn records(count: u32) -> String {
    let record = |second: u32| {
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let time = format!("2025-09-12T{hour:02}:{minute:02}:{second:02}.000Z");
        format!("{{\"timestamp\":\"{time}\",\"service\":\"auth\"}}\n")
    };
    (0..count).map(record).collect()
}

/// A pipe with a name, and its end to write to.
fn fifo(folder: &Path) -> (PathBuf, File) {
    let path = folder.join("fifo");
    rustix::fs::mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let input = File::options().read(true).write(true).open(&path).unwrap();
    (path, input)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

/// Reads so slowly that it takes a few seconds.
fn sip(mut stdout: impl Read) -> usize {
    let (mut block, mut all) = (vec![0; 1 << 16], 0);
    while let Ok(count @ 1..) = stdout.read(&mut block) {
        all += count;
        thread::sleep(Duration::from_millis(40));
    }
    all
}

/// Runs `ingest` over a file of known size whose reader is slow.
fn ingest_slowly(columns: u16) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.ndjson");
    let text = records(80_000);
    fs::write(&file, &text).unwrap();
    let terminal = Terminal::new(columns);
    let mut command = INGEST.command();
    terminal.attach(&mut command);
    let mut child = command.arg(&file).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(sip(child.stdout.take().unwrap()), text.len());
    assert_eq!(end(&mut child), End::Code(0));
    drop(command);
    terminal.end()
}

#[test]
fn a_known_size_has_a_bar_that_goes_away() {
    let raw = ingest_slowly(100);
    let drawn = drawn(&raw);
    assert!(drawn.len() > 2, "{raw:?}");
    for line in &drawn {
        assert!(line.starts_with("ingest: █") && line.contains("░"), "{line}");
        assert!(line.contains(" % of 4.4 MiB, ") && line.contains(" records/s, "), "{line}");
        assert!(line.ends_with(" left") && line.chars().count() < 100, "{line}");
    }
    let share = |line: &&str| line.split_once(" %").unwrap().0.rsplit(' ').next().unwrap().parse();
    let shares: Vec<u32> = drawn.iter().map(|line| share(line).unwrap()).collect();
    assert!(shares.is_sorted() && shares[0] < shares[shares.len() - 1], "{shares:?}");
    let screen = screen(&raw);
    assert!(screen.starts_with("ingest: 80,000 records in: 80,000 out; "), "{screen}");
    assert_eq!(screen.lines().count(), 1, "{screen}");
}

#[cfg(feature = "kafka")]
#[test]
fn partitions_that_end_have_a_bar_too() {
    let mock = support::mock::Mock::new(&[("logs", 2)]);
    for partition in 0..2 {
        mock.count("logs", partition, 0..40_000);
    }
    let terminal = Terminal::new(100);
    let mut command = INGEST.command();
    terminal.attach(&mut command);
    command.args(["--kafka", &*mock.bootstrap, "-t", "logs", "-e"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    sip(child.stdout.take().unwrap());
    assert_eq!(end(&mut child), End::Code(0));
    drop(command);
    let raw = terminal.end();
    let drawn = drawn(&raw);
    assert!(drawn.len() > 2, "{raw:?}");
    for line in &drawn {
        assert!(line.starts_with("ingest: █") && line.contains(" %, "), "{line}");
    }
}

#[test]
fn a_narrow_terminal_is_never_filled() {
    let raw = ingest_slowly(20);
    let drawn = drawn(&raw);
    assert!(drawn.len() > 2, "{raw:?}");
    for line in &drawn {
        assert!(line.starts_with("ingest: ") && line.ends_with(" %"), "{line}");
        assert!(line.chars().count() < 20, "{line}");
    }
}

/// Longer than runs are quiet.
fn wait_until_drawn() {
    thread::sleep(Duration::from_millis(1_500));
}

#[test]
fn nothing_is_drawn_where_nobody_looks() {
    let messages = |args: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut input) = fifo(folder.path());
        let mut command = INGEST.command();
        command.args(args).arg(&path);
        let live = Live::spawn(command);
        input.write_all(records(10).as_bytes()).unwrap();
        wait_until_drawn();
        live.signal(Signal::TERM);
        live.end().2
    };
    assert_eq!(messages(&[]), [""; 0]);
    let shown = messages(&["--progress", "always"]).concat();
    assert!(shown.contains("ingest: ") && shown.ends_with("\r\u{1b}[K"), "{shown:?}");
}

#[test]
fn nothing_is_drawn_where_it_is_not_wanted_or_cannot_be() {
    for (when, kind) in [("never", "xterm"), ("auto", "dumb")] {
        let folder = tempfile::tempdir().unwrap();
        let (path, mut input) = fifo(folder.path());
        let terminal = Terminal::new(100);
        let mut command = INGEST.command();
        terminal.attach(&mut command);
        command.args(["--progress", when]).arg(&path).env("TERM", kind).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        drop(command);
        input.write_all(records(10).as_bytes()).unwrap();
        wait_until_drawn();
        signal(&child, Signal::TERM);
        assert_eq!(end(&mut child), End::Code(0));
        let raw = terminal.end();
        assert!(drawn(&raw).is_empty(), "{raw:?}");
        assert!(kind != "dumb" || !raw.contains('\u{1b}'), "{raw:?}");
        assert!(screen(&raw).starts_with("ingest: 10 records in: 10 out; "), "{raw:?}");
    }
}

#[test]
fn a_source_of_unknown_size_is_watched_through_silence_and_a_new_width() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut input) = fifo(folder.path());
    let terminal = Terminal::new(200);
    let args = &["--size", "1m", "--watermark", "10s", "count(*) AS n"];
    let mut command = Stage { args, ..WINDOW }.command();
    terminal.attach(&mut command);
    let mut child = command.arg("--input").arg(&path).stdout(Stdio::null()).spawn().unwrap();
    drop(command);
    input.write_all(records(100).as_bytes()).unwrap();
    input.write_all(b"no record\n").unwrap();
    input.write_all(records(1).as_bytes()).unwrap();
    let shows =
        |text: &'static str| move |raw: &str| drawn(raw).iter().any(|line| line.contains(text));
    terminal.wait_for(shows(", 102 records, "));
    terminal.wait_for(shows(" records/s, 1 rejected, 1 late, watermark 2025-09-12T00:01:29Z"));
    // It goes on though nothing comes.
    terminal
        .wait_for(shows(", 1 rejected, 1 late, watermark 2025-09-12T00:01:29Z, nothing for 4 s"));
    terminal.resize(20);
    thread::sleep(Duration::from_millis(500));
    let before = terminal.raw().len();
    terminal.wait_for(|raw| drawn(&raw[before..]).len() > 2);
    for line in &drawn(&terminal.raw()[before..])[1..] {
        assert!(line.chars().count() < 20, "{line}");
    }
    signal(&child, Signal::TERM);
    assert_eq!(end(&mut child), End::Code(0));
    let screen = screen(&terminal.end());
    let lines: Vec<&str> = screen.lines().collect();
    assert_eq!(lines.len(), 2, "{screen}");
    assert!(
        lines[0].starts_with("window: ") && lines[0].contains(":101: invalid_json"),
        "{screen}"
    );
    let summary = "window: 102 records in: 100 aggregated, 1 late (--late FILE keeps them), \
                   1 rejected (invalid_json 1; --rejects FILE keeps them); 2 out, ";
    assert!(lines[1].starts_with(summary), "{screen}");
}

#[test]
fn rows_and_messages_take_the_place_of_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut input) = fifo(folder.path());
    let terminal = Terminal::new(200);
    let mut command = PARSE.command();
    terminal.attach(&mut command);
    let mut child = command.arg(&path).stdout(terminal.side()).spawn().unwrap();
    drop(command);
    let row = "{\"timestamp\":\"2025-09-12T00:00:00.000Z\"}\n";
    for line in [row, "broken\n", row] {
        let count = drawn(&terminal.raw()).len();
        terminal.wait_for(|raw| drawn(raw).len() > count);
        input.write_all(line.as_bytes()).unwrap();
    }
    terminal.wait_for(|raw| raw.matches("00:00.000Z").count() == 2);
    signal(&child, Signal::TERM);
    assert_eq!(end(&mut child), End::Code(0));
    let screen = screen(&terminal.end());
    let lines: Vec<&str> = screen.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[2]), (4, row.trim_end(), row.trim_end()), "{screen}");
    assert!(lines[1].contains(":2: no_match"), "{screen}");
    assert!(lines[3].starts_with("parse: 3 records in: 2 out, 1 rejected"), "{screen}");
}

#[test]
fn usr1_on_a_terminal_says_it_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let (path, mut input) = fifo(folder.path());
    let terminal = Terminal::new(200);
    let mut command = PARSE.command();
    terminal.attach(&mut command);
    let mut child = command.arg(&path).stdout(Stdio::null()).spawn().unwrap();
    drop(command);
    input.write_all(records(1_500).as_bytes()).unwrap();
    // Before it is ready for it, the signal would end it.
    terminal.wait_for(|raw| !drawn(raw).is_empty());
    let asked = Instant::now();
    while !screen(&terminal.raw()).contains("parse: 1,500 records in: 1,500 out; ") {
        assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", terminal.raw());
        thread::sleep(Duration::from_millis(100));
        signal(&child, Signal::USR1);
    }
    assert!(!terminal.raw().contains("\"stage\""));
    signal(&child, Signal::TERM);
    assert_eq!(end(&mut child), End::Code(0));
    terminal.end();
}

#[test]
fn a_stage_that_makes_records_knows_how_many() {
    let terminal = Terminal::new(100);
    let args = ["logs", "--count", "100", "--rate", "50", "--speed", "1"];
    let mut command = support::command(env!("CARGO_BIN_EXE_produce-synthetic"), args);
    terminal.attach(&mut command);
    let mut child = command.stdout(terminal.side()).spawn().unwrap();
    drop(command);
    assert_eq!(end(&mut child), End::Code(0));
    let raw = terminal.end();
    let drawn = drawn(&raw);
    assert!(drawn.len() > 2, "{raw:?}");
    for line in &drawn {
        assert!(line.starts_with("produce-synthetic: █") && line.contains(" %, "), "{line}");
        assert!(line.ends_with(" s left"), "{line}");
    }
    let screen = screen(&raw);
    let (rows, rest): (Vec<&str>, Vec<&str>) =
        screen.lines().partition(|line| line.starts_with('{') && line.ends_with('}'));
    assert_eq!((rows.len(), rest.len()), (100, 1), "{screen}");
    assert!(rest[0].starts_with("produce-synthetic: 100 records out; "), "{screen}");
}
