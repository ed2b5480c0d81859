//! What has been read of a place that is come back to, cut into records.

use std::time::Instant;

use crate::line::{Extent, Framing};

/// A buffer that one long record has grown beyond this is given back.
const KEEP: usize = 1024 * 1024;
/// So much of a line tells whoever reads it that it is too long, whatever the
/// limit; see [`LineReader`](crate::line::LineReader).
const SHOWN_OF_TOO_LONG: usize = 1_024 + 4;

/// A place between two records, or within a line that is too long and has been
/// dealt with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct At {
    /// Bytes before it.
    pub(super) offset: u64,
    /// Lines before it, one that it is in among them.
    pub(super) line: u64,
    /// Whether the rest of a line stands behind it that is to be passed over.
    pub(super) is_in_line: bool,
}

/// Holds what has come of a place until its records are whole: a line until
/// its newline, a record of several lines until the next one begins, the place
/// ends, or nothing has come for as long as the framing waits.
///
/// ```text
/// bytes  | gone | being given out | not taken |
///               ^ from    ^ given ^ taken
/// ```
///
/// What is given out in one turn is cut into the same records by whoever reads
/// it, since it begins and ends where records do. A line longer than the limit
/// is not kept: as much of it is given out as shows that it is too long, and
/// its rest is passed over.
#[derive(Debug)]
pub(super) struct Held {
    framing: Framing,
    max_line: usize,
    bytes: Vec<u8>,
    from: usize,
    given: usize,
    taken: usize,
    /// Behind the last newline.
    lines_end: usize,
    /// The place of `from`.
    begin: At,
    /// The place of `taken`.
    next: At,
    /// How far the record at `taken` reaches, as far as is known.
    extent: Extent,
    /// Whether the rest of a line is passed over that is too long and has been
    /// taken.
    is_passing: bool,
    /// Whether nothing more will come.
    is_ended: bool,
    /// When something came last.
    since: Instant,
}

impl Held {
    /// Takes what comes behind `at`.
    pub(super) fn new(framing: Framing, max_line: usize, at: At) -> Self {
        let (is_passing, at) = (at.is_in_line, At { is_in_line: false, ..at });
        Self {
            framing,
            max_line,
            bytes: Vec::new(),
            from: 0,
            given: 0,
            taken: 0,
            lines_end: 0,
            begin: at,
            next: at,
            extent: Extent::default(),
            is_passing,
            is_ended: false,
            since: Instant::now(),
        }
    }

    /// Where what is given out next begins.
    pub(super) fn begin(&self) -> At {
        self.begin
    }

    /// Where the next record begins that has not been taken.
    pub(super) fn next(&self) -> At {
        self.next
    }

    /// How far the place has been read.
    pub(super) fn read_to(&self) -> u64 {
        self.next.offset + (self.bytes.len() - self.taken) as u64
    }

    /// Where another run goes on: at `consumed`, which lies in what is being
    /// given out (see [`LineReader::consumed`](crate::line::LineReader)), or, if
    /// nothing is, behind what has been.
    pub(super) fn resume_at(&self, consumed: Option<u64>) -> At {
        let Some(offset) = consumed else { return At { is_in_line: self.is_passing, ..self.next } };
        let passed = offset.saturating_sub(self.begin.offset) as usize;
        let passed = &self.bytes[self.from..(self.from + passed).min(self.taken)];
        // The last line of all is whole without a newline.
        let is_last = self.is_ended && self.from + passed.len() == self.bytes.len();
        let is_in_line = !is_last && passed.last().is_some_and(|byte| *byte != b'\n');
        let line = self.begin.line + count_lines(passed) + u64::from(is_in_line);
        At { offset, line, is_in_line }
    }

    /// Whether there is anything that has not been taken.
    pub(super) fn has_rest(&self) -> bool {
        self.bytes.len() > self.taken
    }

    /// Whether there is something to give out.
    pub(super) fn has_taken(&self) -> bool {
        self.given < self.taken
    }

    /// Takes in what has come. Only when all that was taken has been given out.
    pub(super) fn push(&mut self, new: &[u8]) {
        debug_assert!(!self.has_taken(), "what was taken goes first");
        self.drop_given();
        if !new.is_empty() {
            self.since = Instant::now();
        }
        let new = self.pass_over(new);
        if let Some(newline) = memchr::memrchr(b'\n', new) {
            self.lines_end = self.bytes.len() + newline + 1;
        }
        self.bytes.extend_from_slice(new);
    }

    /// What has come behind a line that was too long.
    fn pass_over<'a>(&mut self, new: &'a [u8]) -> &'a [u8] {
        if !self.is_passing {
            return new;
        }
        let newline = memchr::memchr(b'\n', new);
        let (passed, rest) = new.split_at(newline.map_or(new.len(), |at| at + 1));
        self.next.offset += passed.len() as u64;
        self.begin = self.next;
        self.is_passing = newline.is_none();
        rest
    }

    fn drop_given(&mut self) {
        self.forget_given();
        self.bytes.drain(..self.taken);
        self.lines_end = self.lines_end.saturating_sub(self.taken);
        (self.from, self.given, self.taken) = (0, 0, 0);
        if self.bytes.capacity() > KEEP && self.bytes.len() < KEEP / 4 {
            self.bytes.shrink_to(KEEP / 2);
        }
    }

    /// Nothing more will come: the last line counts though it has no newline.
    pub(super) fn end(&mut self) {
        self.is_ended = true;
        self.is_passing = false;
        self.bytes.shrink_to_fit();
    }

    /// Whether it has been told that nothing more will come.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The next record that no more lines can belong to, or the start of a line
    /// that is too long. [`take`](Self::take) takes it.
    pub(super) fn look(&mut self) -> Option<&[u8]> {
        let rest = &self.bytes[self.taken..];
        if self.framing.extend(rest, self.is_ended, self.max_line, &mut self.extent) {
            return Some(&rest[..self.extent.bytes]);
        }
        // One byte more may be the `\r` of the line's end.
        let enough = self.max_line.saturating_add(1).max(SHOWN_OF_TOO_LONG);
        if self.extent.lines > 0 || rest.len() <= enough {
            return None;
        }
        self.is_passing = true;
        self.extent = Extent::line(rest.len());
        Some(rest)
    }

    /// Takes the record at hand, as far as it is known.
    pub(super) fn take(&mut self) {
        let extent = std::mem::take(&mut self.extent);
        self.taken += extent.bytes;
        self.next.offset += extent.bytes as u64;
        self.next.line += extent.lines;
    }

    /// Takes all records that are whole; true if there is something to give
    /// out.
    pub(super) fn take_whole(&mut self) -> bool {
        if matches!(self.framing, Framing::Lines) && self.lines_end > self.taken {
            let lines = &self.bytes[self.taken..self.lines_end];
            self.next.offset += lines.len() as u64;
            self.next.line += count_lines(lines);
            (self.taken, self.extent) = (self.lines_end, Extent::default());
        }
        while self.look().is_some() {
            self.take();
        }
        self.has_taken()
    }

    /// Whether there are whole lines of a record to which more could belong.
    pub(super) fn is_waiting(&self) -> bool {
        self.extent.lines > 0
    }

    /// When such a record is to be waited for no longer.
    pub(super) fn due(&self) -> Option<Instant> {
        let wait = self.framing.wait().filter(|_| self.is_waiting())?;
        // What is too far away to be told is never.
        self.since.checked_add(wait)
    }

    /// Takes what is there of the record at hand in whole lines, without
    /// waiting for more; true if there is something to give out.
    pub(super) fn release(&mut self) -> bool {
        self.take();
        self.has_taken()
    }

    /// Gives out what has been taken, as much as `space` holds; 0 when that is
    /// done.
    pub(super) fn give(&mut self, space: &mut [u8]) -> usize {
        let count = space.len().min(self.taken - self.given);
        space[..count].copy_from_slice(&self.bytes[self.given..self.given + count]);
        self.given += count;
        count
    }

    /// What has been taken is dealt with: what is taken next is another turn.
    pub(super) fn forget_given(&mut self) {
        (self.from, self.given, self.begin) = (self.taken, self.taken, self.next);
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
#[path = "held_tests.rs"]
mod tests;
