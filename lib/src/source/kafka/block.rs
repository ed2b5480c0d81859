//! Messages on their way from the client's thread to the stage.

use std::ops::Range;
use std::sync::Arc;

use rdkafka::Timestamp as MessageTime;
use rdkafka::message::{BorrowedMessage, Message as _};

use crate::line::json;
use crate::time::Timestamp;

/// A block is handed on once it holds so many bytes.
const FULL: usize = 256 * 1024;
/// The last millisecond of the year 9999, since 1970.
const LAST_MILLISECOND: i64 = 253_402_300_799_999;

/// A partition of a topic.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) topic: String,
    pub(super) number: i32,
    /// How people read it: `logs[3]`.
    pub(super) name: Arc<str>,
}

impl Partition {
    pub(super) fn new(topic: &str, number: i32) -> Self {
        let name = Arc::from(format!("{topic}[{number}]"));
        Self { topic: topic.to_owned(), number, name }
    }
}

/// Messages that follow on each other in one partition, without a gap.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) partition: Arc<Partition>,
    /// Offset of the first.
    pub(super) first: i64,
    /// Which messages of the block they are.
    pub(super) messages: Range<usize>,
}

/// Messages, a line each.
///
/// A line is how its payload is written, the rest of the message's `@source` as
/// JSON, a NUL, and the payload: the stage that puts the record together copies
/// both, and looks at each byte once. See [`Payload`].
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// Behind each message.
    ends: Vec<usize>,
    pub(super) runs: Vec<Run>,
    /// The time at which each message counts, where they are merged by it.
    times: Vec<Timestamp>,
}

/// A message as a line, without its end.
#[derive(Debug, Default)]
pub(super) struct Line(Vec<u8>);

impl Line {
    /// Makes it the line of this message.
    pub(super) fn write(&mut self, message: &BorrowedMessage<'_>, has_headers: bool) {
        self.0.clear();
        write_line(message, has_headers, &mut self.0);
    }
}

/// How a payload is written in its line: the line's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// As it is.
    Plain,
    /// As the inside of a JSON string, since it has line ends in it.
    Escaped,
    /// There is none: the message is a tombstone.
    Absent,
}

impl Payload {
    const ALL: [Self; 3] = [Self::Plain, Self::Escaped, Self::Absent];

    const fn byte(self) -> u8 {
        match self {
            Self::Plain => b'=',
            Self::Escaped => b'\\',
            Self::Absent => b'-',
        }
    }

    /// Takes a line apart: how the payload is written, the members of `@source`
    /// behind the offset (each with a comma before it), and the payload.
    #[inline]
    pub(crate) fn split(line: &[u8]) -> Option<(Self, &[u8], &[u8])> {
        let (first, rest) = line.split_first()?;
        let kind = Self::ALL.into_iter().find(|kind| kind.byte() == *first)?;
        let end = memchr::memchr(0, rest)?;
        Some((kind, &rest[..end], &rest[end + 1..]))
    }
}

impl Block {
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.runs.clear();
        self.times.clear();
    }

    /// Where a run's messages are.
    pub(super) fn bytes_of(&self, run: &Run) -> Range<usize> {
        let start = run.messages.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = run.messages.end.checked_sub(1).map_or(0, |last| self.ends[last]);
        start..end
    }

    /// How many of a run's messages end at or before a byte of the block.
    pub(super) fn messages_before(&self, run: &Run, byte: usize) -> usize {
        self.ends[run.messages.clone()].partition_point(|end| *end <= byte)
    }

    /// The time at which the last of so many messages of a run counts.
    pub(super) fn time_of(&self, run: &Run, count: usize) -> Option<Timestamp> {
        self.times.get(run.messages.start + count.checked_sub(1)?).copied()
    }

    /// Adds a message of this partition.
    pub(super) fn push(
        &mut self,
        partition: &Arc<Partition>,
        message: &BorrowedMessage<'_>,
        has_headers: bool,
    ) {
        write_line(message, has_headers, &mut self.bytes);
        self.end_message(partition, message.offset());
    }

    /// Adds a message of this partition that counts at `time`.
    pub(super) fn push_line(
        &mut self,
        partition: &Arc<Partition>,
        offset: i64,
        time: Timestamp,
        line: &Line,
    ) {
        self.bytes.extend_from_slice(&line.0);
        self.times.push(time);
        self.end_message(partition, offset);
    }

    fn end_message(&mut self, partition: &Arc<Partition>, offset: i64) {
        let index = self.ends.len();
        match self.runs.last_mut() {
            Some(run)
                if Arc::ptr_eq(&run.partition, partition)
                    && run.first + run.messages.len() as i64 == offset =>
            {
                run.messages.end += 1;
            }
            _ => self.runs.push(Run {
                partition: Arc::clone(partition),
                first: offset,
                messages: index..index + 1,
            }),
        }
        self.bytes.push(b'\n');
        self.ends.push(self.bytes.len());
    }
}

/// Appends a message as a line, without its end.
fn write_line(message: &BorrowedMessage<'_>, has_headers: bool, line: &mut Vec<u8>) {
    let payload = message.payload();
    let kind = match payload {
        None => Payload::Absent,
        // A carriage return at the end would be taken for the line's.
        Some(payload) if payload.ends_with(b"\r") || memchr::memchr(b'\n', payload).is_some() => {
            Payload::Escaped
        }
        Some(_) => Payload::Plain,
    };
    line.push(kind.byte());
    write_source(message, has_headers, line);
    line.push(0);
    match payload {
        Some(payload) if kind == Payload::Escaped => json::write_escaped(payload, line),
        payload => line.extend_from_slice(payload.unwrap_or_default()),
    }
}

/// Appends what `@source` has behind the offset.
fn write_source(message: &BorrowedMessage<'_>, has_headers: bool, line: &mut Vec<u8>) {
    line.extend_from_slice(b",\"timestamp\":");
    let millis = match message.timestamp() {
        MessageTime::CreateTime(millis) | MessageTime::LogAppendTime(millis) => Some(millis),
        MessageTime::NotAvailable => None,
    };
    match millis.filter(|millis| (0..=LAST_MILLISECOND).contains(millis)) {
        Some(millis) => {
            line.push(b'"');
            Timestamp::from_micros(millis * 1_000).write(line);
            line.push(b'"');
        }
        None => line.extend_from_slice(b"null"),
    }
    line.extend_from_slice(b",\"key\":");
    write_text(message.key(), line);
    if let Some(headers) = message.headers().filter(|_| has_headers) {
        write_headers(headers, line);
    }
}

/// Appends `"headers":{"trace":"7"}`; a name that comes several times has an
/// array of its values.
fn write_headers(headers: &impl rdkafka::message::Headers, line: &mut Vec<u8>) {
    line.extend_from_slice(b",\"headers\":{");
    let start = line.len();
    for (index, header) in headers.iter().enumerate() {
        if headers.iter().take(index).any(|before| before.key == header.key) {
            continue;
        }
        if line.len() > start {
            line.push(b',');
        }
        json::write_string(header.key.as_bytes(), line);
        line.push(b':');
        let same = || headers.iter().filter(|other| other.key == header.key);
        let is_several = same().nth(1).is_some();
        if is_several {
            line.push(b'[');
        }
        for (number, value) in same().enumerate() {
            if number > 0 {
                line.push(b',');
            }
            write_text(value.value, line);
        }
        if is_several {
            line.push(b']');
        }
    }
    line.push(b'}');
}

/// Appends bytes as a JSON string; what is no UTF-8 in them is replaced.
fn write_text(bytes: Option<&[u8]>, line: &mut Vec<u8>) {
    match bytes {
        None => line.extend_from_slice(b"null"),
        Some(bytes) => match str::from_utf8(bytes) {
            Ok(text) => json::write_string(text.as_bytes(), line),
            Err(_) => json::write_string(String::from_utf8_lossy(bytes).as_bytes(), line),
        },
    }
}
