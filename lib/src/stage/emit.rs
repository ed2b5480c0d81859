//! `emit`: records go to Kafka.

use crate::line::{Control, Field, Kind, Line, Projection, Scanner, json};
use crate::sink::KafkaSink;
use crate::stream::{Operator, Output, StageError, Stats};
use crate::time::{TimeDelta, Timestamp};

/// How often to look at what the client has to say, without input.
const LOOK: TimeDelta = TimeDelta { micros: 500_000 };
/// So many records are sent before looking at what the client has to say.
const TURN: u32 = 4_096;

/// Sends each record to a topic, byte for byte but for its `@source`.
///
/// The key is the value of a field: a string's text, anything else as it is
/// written; null and missing are no key. A record with a key and nothing beside
/// its `@source` deletes what stands under the key (a tombstone), as
/// [`Ingest`](super::Ingest) reads one.
#[derive(Debug)]
pub struct Emit {
    sink: KafkaSink,
    scanner: Scanner,
    /// Slot of the field that holds the key.
    key: Option<usize>,
    source: usize,
    keeps_source: bool,
    /// A key without its escapes.
    text: Vec<u8>,
    /// A record without its `@source`.
    record: Vec<u8>,
    turn: u32,
    /// How long a transaction is.
    interval: TimeDelta,
    /// When the present transaction ends.
    commit_at: Option<Timestamp>,
    now: Option<Timestamp>,
}

impl Emit {
    /// Sends to `sink`, under the value of `key`. `interval` is how long its
    /// transactions are, if it has any.
    pub fn new(sink: KafkaSink, key: Option<&str>, interval: TimeDelta) -> Self {
        let mut projection = Projection::default();
        let source = projection.add("@source");
        let key = key.map(|name| projection.add(name));
        Self {
            sink,
            scanner: Scanner::new(projection),
            key,
            source,
            keeps_source: false,
            text: Vec::new(),
            record: Vec::new(),
            turn: 0,
            interval,
            commit_at: None,
            now: None,
        }
    }

    /// Leaves `@source` in the records.
    #[must_use]
    pub fn keeping_source(mut self) -> Self {
        self.keeps_source = true;
        self
    }

    fn tell(&mut self, out: &mut Output) -> Result<(), StageError> {
        self.turn = 0;
        for message in self.sink.messages() {
            out.message(&message);
        }
        Ok(self.sink.check()?)
    }

    /// Waits for all that has been sent, and ends the transaction.
    fn settle(&mut self, out: &mut Output) -> Result<(), StageError> {
        self.sink.flush(|sink| {
            for message in sink.messages() {
                out.message(&message);
            }
        })?;
        self.tell(out)?;
        let (failed, sent) = (self.sink.failed(), self.sink.sent());
        self.sink.commit()?;
        self.commit_at = None;
        if failed == 0 {
            return Ok(());
        }
        let why = self.sink.first_failure().unwrap_or_default();
        let undone =
            if self.sink.is_transactional() { ", so their transaction was aborted" } else { "" };
        Err(StageError::Failed(format!(
            "{failed} of {sent} records were not delivered{undone}: {why}"
        )))
    }
}

fn after(time: Timestamp, delta: TimeDelta) -> Timestamp {
    Timestamp::from_micros(time.micros.saturating_add(delta.micros))
}

/// The field as the text of a key.
fn key_of<'a>(field: Field, line: &'a [u8], text: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    match field.kind {
        Kind::Missing | Kind::Null => None,
        Kind::Str => Some(field.inner(line)),
        Kind::EscapedStr => {
            text.clear();
            json::unescape(field.inner(line), text);
            Some(text)
        }
        _ => Some(field.text(line)),
    }
}

/// What stands behind the first member of a record, without the comma before
/// it.
fn behind(first: Field, line: &[u8]) -> &[u8] {
    let rest = line[first.end as usize..].trim_ascii_start();
    rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start()
}

impl Operator for Emit {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        if let Err(error) = self.scanner.scan(line.bytes) {
            return out.reject(error.reason, error, line);
        }
        let key = self.key.map(|slot| self.scanner.field(slot));
        let key = key.and_then(|field| key_of(field, line.bytes, &mut self.text));
        let source = self.scanner.field(self.source);
        // It is the first member of a record that has one.
        let payload = if source.is_present() && !self.keeps_source {
            let rest = behind(source, line.bytes);
            self.record.clear();
            self.record.push(b'{');
            self.record.extend_from_slice(rest);
            let is_tombstone = key.is_some() && rest.trim_ascii_end() == b"}";
            (!is_tombstone).then_some(&*self.record)
        } else {
            Some(line.bytes)
        };
        self.sink.send(key, payload)?;
        if self.sink.is_transactional() && self.commit_at.is_none() {
            let now = self.now.unwrap_or(Timestamp::EPOCH);
            self.commit_at = Some(after(now, self.interval));
        }
        self.turn += 1;
        if self.turn >= TURN { self.tell(out) } else { Ok(()) }
    }

    fn on_clock(&mut self, now: Timestamp, out: &mut Output) -> Result<(), StageError> {
        self.now = Some(now);
        if self.commit_at.is_some_and(|at| at <= now) {
            return self.settle(out);
        }
        self.tell(out)
    }

    fn on_clock_change(&mut self) {
        self.now = None;
        self.commit_at = None;
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        let look = after(self.now?, LOOK);
        Some(self.commit_at.map_or(look, |commit| commit.min(look)))
    }

    fn on_control(&mut self, control: &Control, out: &mut Output) -> Result<(), StageError> {
        // Nothing is flushed then, but what has been read has to arrive.
        if *control == Control::Suspend { self.settle(out) } else { Ok(()) }
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        self.settle(out)
    }

    fn is_stateful(&self) -> bool {
        false
    }

    fn stats(&self, stats: &mut Stats) {
        stats.records_out = self.sink.delivered();
    }
}
