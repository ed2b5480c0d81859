//! One of several inputs that are merged.

use std::fs::File;
use std::io;

use super::Rules;
use crate::line::Extent;
use crate::source::content::Content;
use crate::stream::{Place, StageError};
use crate::time::Timestamp;

/// So much is read at once: hundreds of inputs have a buffer each.
const BLOCK: usize = 64 * 1024;
/// A buffer that one long record has grown beyond this is given back.
const KEEP: usize = 1024 * 1024;
/// Of a line that is too long, at least so much is given out: enough for people
/// to find it by.
const LEAST_OF_TOO_LONG: usize = 2 * 1024;

/// An input, of which a block is held in memory.
///
/// ```text
/// buffer  |gone|being given out|next record|not looked at|
///              ^ start         ^ taken
/// ```
#[derive(Debug)]
pub(super) struct Lane {
    content: Content,
    /// Where the records that have not been taken begin.
    place: Place,
    buffer: Vec<u8>,
    start: usize,
    taken: usize,
    /// How far the record at `taken` reaches.
    extent: Extent,
    /// The greatest time so far.
    time: Timestamp,
    is_ended: bool,
    /// Whether the record at `taken` is the start of a line that is too long.
    is_cut: bool,
    /// Whether the rest of such a line is being passed over.
    is_skipping: bool,
}

/// What is known of the next record of a lane.
pub(super) enum Head {
    /// It counts at this time.
    Record(Timestamp),
    /// More has to be read.
    Unknown,
    /// There is none.
    Ended,
}

impl Lane {
    pub(super) fn new(file: File, place: Place) -> Self {
        Self {
            content: Content::new(file),
            place,
            buffer: Vec::new(),
            start: 0,
            taken: 0,
            extent: Extent::default(),
            time: Timestamp::from_micros(i64::MIN),
            is_ended: false,
            is_cut: false,
            is_skipping: false,
        }
    }

    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    /// Where the next record is.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Reads once; returns how much was taken from the file, packed as it is
    /// there. To be called when everything taken has been given out.
    pub(super) fn fill(&mut self) -> Result<u64, StageError> {
        debug_assert_eq!(self.start, self.taken, "records have not been given out");
        self.buffer.drain(..self.start);
        (self.start, self.taken) = (0, 0);
        if self.buffer.capacity() > KEEP && self.buffer.len() < BLOCK {
            self.buffer.shrink_to(2 * BLOCK);
        }
        let (end, before) = (self.buffer.len(), self.content.taken());
        self.buffer.resize(end + BLOCK, 0);
        let count = loop {
            match self.content.read(&mut self.buffer[end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let failed = |source| StageError::Read { from: self.place.name.to_string(), source };
        let count = count.map_err(failed)?;
        self.buffer.truncate(end + count);
        if count == 0 {
            self.is_ended = true;
        }
        Ok(self.content.taken() - before)
    }

    /// Looks at the next record.
    pub(super) fn head(&mut self, rules: &mut Rules) -> Head {
        if self.is_skipping && !self.skip() {
            return if self.is_ended { Head::Ended } else { Head::Unknown };
        }
        let Rules { framing, max_line, times } = rules;
        let bytes = &self.buffer[self.taken..];
        if framing.extend(bytes, self.is_ended, *max_line, &mut self.extent) {
            let mut record = &bytes[..self.extent.bytes];
            if self.place.line == 0 {
                // Some editors begin a file with a byte order mark.
                record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
            }
            let time = times.of(record.trim_ascii_end());
            self.time = time.map_or(self.time, |time| time.max(self.time));
            return Head::Record(self.time);
        }
        if self.is_ended {
            return self.end();
        }
        // Two bytes may be the end of a line that is just not too long.
        let cut = max_line.saturating_add(3).max(LEAST_OF_TOO_LONG);
        if bytes.len() < cut {
            return Head::Unknown;
        }
        self.extent = Extent::line(cut);
        self.is_cut = true;
        Head::Record(self.time)
    }

    /// Passes over the rest of a line; true if its end has been read.
    fn skip(&mut self) -> bool {
        let rest = &self.buffer[self.taken..];
        let newline = memchr::memchr(b'\n', rest);
        let skipped = newline.map_or(rest.len(), |newline| newline + 1);
        self.place.offset += skipped as u64;
        self.buffer.drain(self.taken..self.taken + skipped);
        self.is_skipping = newline.is_none();
        !self.is_skipping
    }

    /// Gives its memory back.
    fn end(&mut self) -> Head {
        self.buffer.truncate(self.taken);
        self.buffer.shrink_to_fit();
        Head::Ended
    }

    /// Takes the next record; false if none may follow it in the same turn.
    pub(super) fn take(&mut self) -> bool {
        let extent = std::mem::take(&mut self.extent);
        self.taken += extent.bytes;
        self.place.offset += extent.bytes as u64;
        self.place.line += extent.lines;
        self.is_skipping = std::mem::take(&mut self.is_cut);
        !self.is_skipping
    }

    /// Gives out what has been taken; 0 if that is done.
    pub(super) fn give(&mut self, space: &mut [u8]) -> usize {
        let count = space.len().min(self.taken - self.start);
        space[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        count
    }
}
