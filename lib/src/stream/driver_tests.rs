//! The driver, fed from memory.

use super::*;
use crate::line::Line;
use crate::stream::{Place, PlaceKind};
use crate::time::Timestamp;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// Passes lines on, shows when it is told the end.
struct Echo;

impl Operator for Echo {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        out.copy_row(line.bytes)
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        out.copy_row(b"END")
    }

    fn is_stateful(&self) -> bool {
        true
    }
}

/// Sources in memory; a `None` among the pieces is a wait.
struct Pieces {
    sources: Vec<Vec<Option<&'static [u8]>>>,
    waits: Rc<RefCell<u32>>,
}

impl Input for Pieces {
    fn next(&mut self) -> Result<Next, StageError> {
        Ok(if self.sources.is_empty() {
            Next::End
        } else {
            Next::Place(Place::new("memory", PlaceKind::Pipe))
        })
    }

    fn poll(&mut self) -> io::Result<Event> {
        match self.sources.last().and_then(|pieces| pieces.last()) {
            Some(None) => Ok(Event::Pending),
            _ => Ok(Event::Readable),
        }
    }

    fn wait(&mut self, _timeout: Option<Duration>) -> io::Result<Event> {
        *self.waits.borrow_mut() += 1;
        if let Some(pieces) = self.sources.last_mut() {
            pieces.pop();
        }
        Ok(Event::Readable)
    }

    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        if let Some(Some(piece)) = self.sources.last_mut().and_then(Vec::pop) {
            space[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        } else {
            self.sources.pop();
            Ok(0)
        }
    }
}

#[derive(Clone, Default)]
struct Written(Rc<RefCell<Vec<Vec<u8>>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn run(sources: &[&[Option<&'static [u8]>]]) -> (Result<Outcome, StageError>, Vec<String>) {
    let reversed = |pieces: &&[Option<&'static [u8]>]| pieces.iter().rev().copied().collect();
    let sources = sources.iter().rev().map(reversed).collect();
    let written = Written::default();
    let mut out = Output::new(Box::new(written.clone()), Box::new(|_| {}));
    let mut input = Pieces { sources, waits: Rc::default() };
    let outcome = drive(&mut Echo, &mut input, &mut out, &Options::default(), None);
    let blocks = written.0.take().into_iter();
    let blocks = blocks.map(|block| String::from_utf8(block).unwrap()).collect();
    (outcome, blocks)
}

#[test]
fn flushes_before_it_waits_and_only_then() {
    let (outcome, blocks) =
        run(&[&[Some(b"a\nb\n"), Some(b"c\n"), None, Some(b"d\n")], &[Some(b"e")]]);
    assert_eq!(outcome.unwrap(), Outcome::Ended);
    assert_eq!(blocks, ["a\nb\nc\n", "d\ne\nEND\n"]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let (_, blocks) = run(&[&[Some(b"\xef\xbb\xbfa\nb")], &[Some(b"\xef\xbb\xbfc")]]);
    assert_eq!(blocks, ["a\nb\nc\nEND\n"]);
}

#[test]
fn a_last_line_does_not_run_into_the_next_source() {
    let (_, blocks) = run(&[&[Some(b"a")], &[Some(b"b")]]);
    assert_eq!(blocks, ["a\nb\nEND\n"]);
}

#[test]
fn a_suspended_stream_is_not_flushed() {
    let start = br#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}
{"a":1}
{"@":"suspend"}
"#;
    let (outcome, blocks) = run(&[&[Some(start)]]);
    assert_eq!(outcome.unwrap(), Outcome::Suspended);
    assert_eq!(blocks, [std::str::from_utf8(start).unwrap()]);
}

#[test]
fn the_last_rows_come_before_the_end_line() {
    let lines = br#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}
{"a":1}
{"@":"end"}
{"@":"barrier","epoch":8}
"#;
    let (outcome, blocks) = run(&[&[Some(lines)]]);
    assert_eq!(outcome.unwrap(), Outcome::Ended);
    let shown: String = blocks.concat().lines().skip(1).collect();
    assert_eq!(shown, r#"{"a":1}END{"@":"end"}{"@":"barrier","epoch":8}"#);
}

#[test]
fn nothing_goes_on_after_its_end() {
    let ended = r#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}
{"@":"end"}
"#;
    for behind in [r#"{"a":1}"#, ended] {
        let lines = format!("{ended}{behind}\n").leak().as_bytes();
        let error = run(&[&[Some(lines)]]).0.unwrap_err();
        assert!(error.to_string().starts_with("memory:3: the stream has ended"), "{error}");
    }
}

#[test]
fn the_outside_world_cannot_forge_control_lines() {
    let start = br#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}"#;
    let mut out = Output::in_memory();
    let mut input = Pieces { sources: vec![vec![Some(&start[..])]], waits: Rc::default() };
    let options = Options { accept_control: false, ..Options::default() };
    drive(&mut Echo, &mut input, &mut out, &options, None).unwrap();
    assert_eq!(out.stats.records_in, 1);
}

#[test]
fn without_start_a_control_line_is_a_record() {
    let (outcome, blocks) = run(&[&[Some(b"{\"@\":\"suspend\"}\n")]]);
    assert_eq!(outcome.unwrap(), Outcome::Ended);
    assert_eq!(blocks, ["{\"@\":\"suspend\"}\nEND\n"]);
}

#[test]
fn state_without_checkpoint_breaks_the_line() {
    let start = br#"{"@":"start","format":1,"line":"3f","run":"9c","epoch":0,"stage":0}
x
{"@":"end"}
"#;
    let (_, blocks) = run(&[&[Some(start)]]);
    assert_eq!(blocks, ["x\nEND\n"]);
}

#[test]
fn damaged_control_lines_stop_the_stage() {
    let lines = br#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}
{"@":"barrier"}
"#;
    let error = run(&[&[Some(lines)]]).0.unwrap_err();
    assert!(error.to_string().starts_with("memory:2: "), "{error}");
}

/// Shows what it is told, and wants to be called every 10 seconds that do not
/// pass without a record.
#[derive(Default)]
struct Clocked {
    now: Option<i64>,
    wake: Option<Timestamp>,
    has_changed: bool,
}

const fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

impl Operator for Clocked {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        self.wake = self.now.map(|now| seconds(now + 10));
        out.copy_row(line.bytes)
    }

    fn on_clock(&mut self, now: Timestamp, out: &mut Output) -> Result<(), StageError> {
        let second = now.micros / 1_000_000;
        if std::mem::take(&mut self.has_changed) {
            out.copy_row(b"change")?;
        }
        self.now = Some(second);
        let is_wake = self.wake.is_some_and(|wake| now >= wake);
        self.wake = self.wake.filter(|_| !is_wake);
        let kind = if is_wake { "wake" } else { "clock" };
        out.copy_row(format!("{kind} {second}").as_bytes())
    }

    fn on_clock_change(&mut self) {
        *self = Self { has_changed: true, ..Self::default() };
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        self.wake
    }

    fn is_stateful(&self) -> bool {
        true
    }
}

/// What happens in the world, in order.
#[derive(Clone, Copy)]
enum Step<'a> {
    Bytes(&'a [u8]),
    /// The wall clock goes on (or is put back) before the next read.
    Jump(i64),
    /// No input for so many seconds.
    Silence(i64),
}

/// A world with a clock.
struct World<'a> {
    steps: std::collections::VecDeque<Step<'a>>,
    second: i64,
    waits: Vec<Option<Duration>>,
}

impl World<'_> {
    fn skip_jumps(&mut self) {
        while let Some(&Step::Jump(by)) = self.steps.front() {
            self.second += by;
            self.steps.pop_front();
        }
    }
}

impl Input for World<'_> {
    fn next(&mut self) -> Result<Next, StageError> {
        Ok(if self.steps.is_empty() {
            Next::End
        } else {
            Next::Place(Place::new("memory", PlaceKind::Pipe))
        })
    }

    fn poll(&mut self) -> io::Result<Event> {
        self.skip_jumps();
        let is_silent = matches!(self.steps.front(), Some(Step::Silence(_)));
        Ok(if is_silent { Event::Pending } else { Event::Readable })
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Event> {
        self.waits.push(timeout);
        let Some(Step::Silence(left)) = self.steps.front_mut() else {
            return Ok(Event::Readable);
        };
        let wait = timeout.map_or(*left, |t| i64::try_from(t.as_secs()).unwrap().min(*left));
        (self.second, *left) = (self.second + wait, *left - wait);
        if *left > 0 || timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Ok(Event::TimedOut);
        }
        self.steps.pop_front();
        self.skip_jumps();
        Ok(Event::Readable)
    }

    fn now(&self) -> Timestamp {
        seconds(self.second)
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let Some(Step::Bytes(bytes)) = self.steps.pop_front() else { return Ok(0) };
        space[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

/// What a [`Clocked`] gives, and how long it let the driver wait.
fn watch(
    operator: &mut dyn Operator,
    second: i64,
    steps: &[Step<'_>],
) -> (String, Vec<Option<i64>>) {
    let mut world = World { steps: steps.iter().copied().collect(), second, waits: Vec::new() };
    let mut out = Output::in_memory();
    drive(operator, &mut world, &mut out, &Options::default(), None).unwrap();
    let waits = world.waits.iter().map(|wait| wait.map(|wait| wait.as_secs() as i64));
    let rows = String::from_utf8(out.rows().to_vec()).unwrap();
    (rows.trim_end().replace('\n', " | "), waits.collect())
}

#[test]
fn the_clock_is_told_once_a_read_and_when_it_was_asked_for() {
    use Step::{Bytes, Jump, Silence};
    // 100s          103s        106s            116s         131s
    //  a b  silence  c  silence  (read)  d  ... wake ...      e
    let steps = [
        Bytes(b"a\nb\n"),
        Silence(3),
        Bytes(b"c\n"),
        Jump(3),
        Bytes(b"\n"),
        Bytes(b"d\n"),
        Silence(25),
        Bytes(b"e"),
    ];
    let (rows, waits) = watch(&mut Clocked::default(), 100, &steps);
    assert_eq!(
        rows,
        "clock 100 | a | b | clock 103 | c | clock 106 | d | wake 116 | clock 131 | e"
    );
    assert_eq!(waits, [Some(10), Some(10), None]);
}

#[test]
fn a_wake_that_has_passed_is_a_call_at_once() {
    use Step::{Bytes, Jump, Silence};
    let steps = [Bytes(b"a\n"), Jump(60), Silence(1), Bytes(b"b")];
    let (rows, waits) = watch(&mut Clocked::default(), 100, &steps);
    assert_eq!(rows, "clock 100 | a | wake 160 | clock 161 | b");
    assert_eq!(waits, [Some(0), None]);
}

#[test]
fn a_clock_that_is_put_back_is_held() {
    use Step::{Bytes, Jump, Silence};
    let steps = [Bytes(b"a\n"), Jump(-60), Bytes(b"b\n"), Silence(1), Bytes(b"c")];
    let (rows, waits) = watch(&mut Clocked::default(), 100, &steps);
    assert_eq!(rows, "clock 100 | a | clock 100 | b | clock 100 | c");
    assert_eq!(waits, [Some(10)]);
}

#[test]
fn a_wake_may_be_as_far_away_as_time_goes() {
    let mut operator =
        Clocked { wake: Some(Timestamp::from_micros(i64::MAX)), ..Clocked::default() };
    let (_, waits) = watch(&mut operator, -100, &[Step::Silence(1), Step::Bytes(b"")]);
    assert_eq!(waits, [Some(i64::MAX / 1_000_000 + 100)]);
}

/// A recorded stream with heartbeats at these seconds, a record behind each.
fn recording(heartbeats: &[i64]) -> Vec<u8> {
    let start = r#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}"#;
    let lines = heartbeats.iter().enumerate().map(|(number, second)| {
        let at = seconds(*second);
        format!("{{\"@\":\"heartbeat\",\"at\":\"{at}\"}}\n{{\"n\":{number}}}\n")
    });
    let lines: String = lines.collect();
    format!("{start}\n{lines}").into_bytes()
}

#[test]
fn heartbeats_are_the_clock_where_there_are_any() {
    let stream = recording(&[5, 8, 6, 20]);
    let (rows, _) = watch(&mut Clocked::default(), 1_000, &[Step::Bytes(&stream)]);
    let shown: Vec<&str> = rows.split(" | ").skip(1).collect();
    let heartbeat = |second: i64| format!(r#"{{"@":"heartbeat","at":"{}"}}"#, seconds(second));
    let expected = [
        "clock 5",
        &heartbeat(5),
        r#"{"n":0}"#,
        "clock 8",
        &heartbeat(8),
        r#"{"n":1}"#,
        "clock 8",
        &heartbeat(6),
        r#"{"n":2}"#,
        "wake 20",
        &heartbeat(20),
        r#"{"n":3}"#,
    ];
    assert_eq!(shown, expected);
}

#[test]
fn a_recording_gives_the_same_bytes_whenever_and_however_it_is_read() {
    let stream = recording(&[5, 8, 6, 20, 21, 40, 41]);
    let (whole, _) = watch(&mut Clocked::default(), 0, &[Step::Bytes(&stream)]);
    for (second, size, silence) in [(-9, 1, 1), (1_000, 7, 100), (7, 64, 11), (20, 300, 5)] {
        let pieces = stream.chunks(size);
        let steps: Vec<Step<'_>> =
            pieces.flat_map(|piece| [Step::Bytes(piece), Step::Silence(silence)]).collect();
        let steps = &steps[..steps.len() - 1];
        let (rows, waits) = watch(&mut Clocked::default(), second, steps);
        assert_eq!(rows, whole, "from {second}, {size} bytes at a time");
        assert!(waits.iter().all(Option::is_none), "no time-outs: {waits:?}");
    }
}

#[test]
fn a_record_before_the_first_heartbeat_leaves_no_wall_clock_behind() {
    let stream = String::from_utf8(recording(&[5, 9, 15, 40])).unwrap();
    let (start, rest) = stream.split_once('\n').unwrap();
    let stream = format!("{start}\n{{\"early\":1}}\n{rest}");
    for second in [-1_000, 0, 7, 1_000_000] {
        let (rows, waits) =
            watch(&mut Clocked::default(), second, &[Step::Bytes(stream.as_bytes())]);
        let clocks: Vec<&str> = rows.split(" | ").filter(|row| !row.starts_with('{')).collect();
        let wall = format!("clock {second}");
        assert_eq!(clocks, [&wall, "change", "clock 5", "clock 9", "clock 15", "wake 40"]);
        assert!(waits.is_empty());
    }
}

#[test]
fn who_has_been_told_the_end_is_told_no_time() {
    use Step::{Bytes, Silence};
    for last in [&b"{\"@\":\"end\"}\n"[..], b"{\"@\":\"suspend\"}\n"] {
        let start: &[u8] =
            br#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}
{"n":1}
"#;
        let heartbeat: &[u8] = b"{\"@\":\"heartbeat\",\"at\":\"2025-01-01T00:00:00Z\"}\n";
        let steps = [Bytes(start), Bytes(last), Silence(30), Bytes(heartbeat)];
        let (rows, waits) = watch(&mut Clocked::default(), 100, &steps);
        assert_eq!(rows.matches("clock").count(), 1, "{rows}");
        assert_eq!((rows.matches("wake").count(), waits), (0, vec![None]));
    }
}
