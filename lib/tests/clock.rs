//! Processing time, as the operators use it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod support;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use highwater_core::line::{Projection, Reason};
use highwater_core::query::Plan;
use highwater_core::stream::{
    Event, Input, Next, Operator as _, Options, Output, StageError, drive,
};
use highwater_core::time::{TimeDelta, Timestamp};
use highwater_core::window::{AheadLimits, Mode, WindowOperator, WindowOptions};

const SQL: &str = "SELECT window, count(*) AS n FROM t GROUP BY window(timestamp, '5 seconds')";
const RECORD: &[u8] = br#"{"timestamp":"2025-01-01T00:00:01Z"}"#;

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

#[test]
fn silence_without_a_watermark_is_explained_once() {
    // 100s    103s                108s
    //  record  record (silence) ... message
    let said = Rc::new(RefCell::new(0));
    let count = Rc::clone(&said);
    let mut out = Output::new(
        Box::new(io::sink()),
        Box::new(move |text| {
            assert!(text.starts_with("rows come at the end of input"), "{text}");
            *count.borrow_mut() += 1;
        }),
    );
    let mut window = support::window(&[SQL]);
    assert_eq!(window.wakes_at(), None, "no window is open");
    window.on_clock(at(100), &mut out).unwrap();
    support::feed(&mut window, &[RECORD], &mut out);
    assert_eq!(window.wakes_at(), Some(at(105)));
    window.on_clock(at(103), &mut out).unwrap();
    support::feed(&mut window, &[RECORD], &mut out);
    assert_eq!((window.wakes_at(), *said.borrow()), (Some(at(108)), 0));
    window.on_clock(at(108), &mut out).unwrap();
    assert_eq!((window.wakes_at(), *said.borrow()), (None, 1));
    window.on_clock(at(200), &mut out).unwrap();
    assert_eq!(*said.borrow(), 1);
}

#[test]
fn silence_with_a_watermark_needs_no_words() {
    let sql = SQL.replace("FROM t", "FROM t WATERMARK timestamp DELAY OF INTERVAL 1 SECONDS");
    let mut window = support::window(&[&sql]);
    let mut out = Output::in_memory();
    window.on_clock(at(100), &mut out).unwrap();
    support::feed(&mut window, &[RECORD], &mut out);
    assert_eq!(window.wakes_at(), None);
}

/// A recording that is read at once or in pieces, while the wall clock shows
/// `wall` and a little more with each read.
struct Replay<'a> {
    bytes: support::Bytes<'a>,
    wall: Timestamp,
    reads: Cell<i64>,
}

impl Input for Replay<'_> {
    fn next(&mut self) -> Result<Next, StageError> {
        self.bytes.next()
    }

    fn poll(&mut self) -> io::Result<Event> {
        self.bytes.poll()
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Event> {
        self.bytes.wait(timeout)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.wall.micros + self.reads.get() * 1_000)
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        self.reads.set(self.reads.get() + 1);
        self.bytes.read(space)
    }
}

fn with(options: WindowOptions) -> WindowOperator {
    let sql = SQL.replace("FROM t", "FROM t WATERMARK timestamp DELAY OF INTERVAL 1 SECONDS");
    let mut projection = Projection::default();
    let plan = Plan::compile(&sql, None, "timestamp", &mut projection).unwrap();
    WindowOperator::new(vec![plan], projection, options).unwrap()
}

fn replay(options: &WindowOptions, recording: &[u8], wall: i64, size: usize) -> Output {
    let bytes = support::Bytes::new(recording, size);
    let mut input = Replay { bytes, wall: at(wall), reads: Cell::new(0) };
    let mut out = Output::in_memory();
    drive(&mut with(options.clone()), &mut input, &mut out, &Options::default(), None).unwrap();
    out
}

fn heartbeat(second: i64) -> String {
    format!("{{\"@\":\"heartbeat\",\"at\":\"{}\"}}\n", at(second))
}

fn record(second: i64, source: &str) -> String {
    format!("{{\"timestamp\":\"{}\",\"p\":\"{source}\"}}\n", at(second))
}

/// A stream with records before its first heartbeat: source `b` then falls
/// silent, and so does `a` towards the end.
fn recording(start: i64) -> String {
    let begin = r#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}"#;
    let mut lines = format!("{begin}\n{}{}", record(start, "a"), record(start - 4, "b"));
    for second in (start..start + 60).step_by(5) {
        lines += &heartbeat(second);
        if second < start + 30 {
            lines += &record(second, "a");
        }
    }
    lines
}

#[test]
fn a_recording_whose_first_record_precedes_its_heartbeats_replays_to_the_same_bytes() {
    const YEAR: i64 = 31_557_600;
    let idle = WindowOptions {
        watermark_per: Some("p".parse().unwrap()),
        idle_timeout: Some(TimeDelta::from_seconds(12)),
        row_meta: true,
        ..Default::default()
    };
    let update = WindowOptions { mode: Mode::Update, ..Default::default() };
    for (options, expected) in [(idle, "\"idle\""), (update, "\"n\":1")] {
        for start in [40 * YEAR, 70 * YEAR] {
            let recording = recording(start);
            let replay = |wall, size| {
                let out = replay(&options, recording.as_bytes(), wall, size);
                String::from_utf8(out.rows().to_vec()).unwrap()
            };
            let rows = replay(start, usize::MAX);
            assert!(rows.contains(expected), "{rows}");
            for wall in [-YEAR, start - 7, start + 11, 55 * YEAR, 100 * YEAR] {
                for size in [1, 50, 300, usize::MAX] {
                    assert_eq!(replay(wall, size), rows, "at {wall}, by {size} bytes");
                }
            }
        }
    }
}

#[test]
fn heartbeats_are_what_records_behind_them_are_ahead_of() {
    let max_ahead = Some(TimeDelta::from_seconds(60));
    let options = WindowOptions {
        ahead: AheadLimits { max_ahead, ..Default::default() },
        ..Default::default()
    };
    // Judged by the wall clock of 2030, the last record would be old.
    let recording = recording(0) + &record(500, "a");
    let out = replay(&options, recording.as_bytes(), 1_900_000_000, usize::MAX);
    assert_eq!(out.stats.rejected[Reason::Ahead.index()], 1);
}

#[test]
fn a_change_of_clock_leaves_no_instants_behind() {
    // wall 1000   1008        | heartbeats 10   21      22
    //      record (8 s silent)|            0 s  (11 s)  12 s: idle, trigger long ago
    let options = WindowOptions {
        idle_timeout: Some(TimeDelta::from_seconds(12)),
        mode: Mode::Update,
        ..Default::default()
    };
    let mut window = with(options);
    let mut out = Output::in_memory();
    window.on_clock(at(1_000), &mut out).unwrap();
    support::feed(&mut window, &[RECORD], &mut out);
    window.on_clock(at(1_008), &mut out).unwrap();
    assert_eq!(window.wakes_at(), Some(at(1_010)), "the trigger");
    window.on_clock_change();
    window.on_clock(at(10), &mut out).unwrap();
    assert_eq!(window.wakes_at(), Some(at(20)), "the trigger, counted anew");
    window.on_clock(at(21), &mut out).unwrap();
    assert_eq!(std::str::from_utf8(out.rows()).unwrap().lines().count(), 1);
    assert_eq!(window.wakes_at(), Some(at(22)), "the silence, counted anew");
}
