//! Shared by the tests: operators fed from memory.

#![allow(dead_code, reason = "each test file uses a part")]

use std::io;
use std::time::Duration;

use highwater_core::line::{Line, Projection};
use highwater_core::query::{Plan, builtins};
use highwater_core::stream::{
    Event, Input, Next, Operator, Options, Output, Place, PlaceKind, SnapshotReader,
    SnapshotWriter, StageError, drive,
};
use highwater_core::time::Timestamp;
use highwater_core::window::{WindowOperator, WindowOptions};

/// Bytes that come in reads of a given size.
pub(crate) struct Bytes<'a> {
    rest: Option<&'a [u8]>,
    size: usize,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(bytes: &'a [u8], size: usize) -> Self {
        Self { rest: Some(bytes), size }
    }
}

impl Input for Bytes<'_> {
    fn next(&mut self) -> Result<Next, StageError> {
        Ok(self.rest.map_or(Next::End, |_| Next::Place(Place::new("memory", PlaceKind::Pipe))))
    }

    fn poll(&mut self) -> io::Result<Event> {
        Ok(Event::Readable)
    }

    fn wait(&mut self, _timeout: Option<Duration>) -> io::Result<Event> {
        Ok(Event::Readable)
    }

    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let rest = self.rest.unwrap_or_default();
        let (now, later) = rest.split_at(rest.len().min(self.size).min(space.len()));
        space[..now.len()].copy_from_slice(now);
        self.rest = (!now.is_empty()).then_some(later);
        Ok(now.len())
    }
}

/// Everything that an operator gives for an input that comes in reads of
/// `size` bytes.
pub(crate) fn run(operator: &mut dyn Operator, input: &[u8], size: usize) -> Output {
    let mut out = Output::in_memory();
    drive(operator, &mut Bytes::new(input, size), &mut out, &Options::default(), None).unwrap();
    let mut stats = out.stats.clone();
    operator.stats(&mut stats);
    out.stats = stats;
    out
}

/// The rows of [`run`] as text, the input read at once.
pub(crate) fn rows(operator: &mut dyn Operator, input: &[u8]) -> String {
    String::from_utf8(run(operator, input, usize::MAX).rows().to_vec()).unwrap()
}

/// An operator for queries: names of built-in ones, or SQL.
pub(crate) fn window(queries: &[&str]) -> WindowOperator {
    let mut projection = Projection::default();
    let mut plans = Vec::new();
    for query in queries {
        if query.contains(' ') {
            plans.push(Plan::compile(query, None, "timestamp", &mut projection).unwrap());
        } else {
            for (name, text) in builtins(query).unwrap() {
                plans.push(Plan::compile(text, Some(name), "timestamp", &mut projection).unwrap());
            }
        }
    }
    WindowOperator::new(plans, projection, WindowOptions::default()).unwrap()
}

/// Takes in whole lines without ending the stream.
pub(crate) fn feed(operator: &mut dyn Operator, lines: &[&[u8]], out: &mut Output) {
    for line in lines {
        operator.on_record(Line { bytes: line, fault: None }, out).unwrap();
    }
}

/// The state of an operator, taken on by a fresh one.
pub(crate) fn restored<O: Operator>(operator: &O, fresh: O) -> O {
    let mut state = SnapshotWriter::new();
    operator.snapshot(&mut state);
    let bytes = state.into_bytes();
    let mut fresh = fresh;
    let mut reader = SnapshotReader::new(&bytes);
    fresh.restore(&mut reader).unwrap();
    assert!(reader.is_empty(), "the state was not read to its end");
    fresh
}
