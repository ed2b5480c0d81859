//! Records out of chunks: large reads, one search for newlines, one UTF-8 check
//! per chunk.

use std::io;
use std::time::Duration;

use super::framing::{Extent, Framing, join_lines};
use super::reject::Reason;

/// A record as it came: a line without its end (`\n` or `\r\n`), or several
/// lines that have been [joined](Framing::Multiline).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The bytes; UTF-8 unless `fault` says otherwise.
    pub bytes: &'a [u8],
    /// [`Reason::InvalidUtf8`], or [`Reason::TooLong`] with no more than the first
    /// 1,024 bytes of the line.
    pub fault: Option<Reason>,
}

/// Where a record begins in its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Bytes before it.
    pub offset: u64,
    /// Number of its first line, from 1.
    pub line: u64,
}

/// What remains of a line that is too long, for people to find it by.
const KEPT_OF_TOO_LONG: usize = 1_024;

const CHUNK: usize = 256 * 1024;
/// A buffer that one long line has grown beyond this is given back.
const KEEP: usize = 1024 * 1024;

/// Splits what is read into records, which are lines if nothing else is said.
///
/// Which records come out does not depend on the sizes of the reads.
#[derive(Debug)]
pub struct LineReader {
    framing: Framing,
    buffer: Vec<u8>,
    /// Of the first byte not yet given out.
    start: usize,
    /// Behind the last newline read: lines up to here are whole.
    whole: usize,
    /// Behind the last byte read.
    end: usize,
    /// Offset in the input of the buffer's first byte.
    base: u64,
    max_line: usize,
    /// Lines of the input before `start`.
    lines: u64,
    /// How far the record at `start` reaches, if it may have several lines.
    extent: Extent,
    /// Whether no more lines are waited for.
    is_released: bool,
    /// Whether the whole lines from `start` on are known to be UTF-8.
    utf8: Option<bool>,
    /// Whether the rest of a line is passed over that is too long and has been
    /// given out.
    skipping: bool,
}

impl LineReader {
    /// A reader that takes records of up to `max_line` bytes, the last end of a
    /// line not counted.
    pub fn new(framing: Framing, max_line: usize) -> Self {
        Self {
            framing,
            buffer: vec![0; CHUNK],
            start: 0,
            whole: 0,
            end: 0,
            base: 0,
            max_line,
            lines: 0,
            extent: Extent::default(),
            is_released: false,
            utf8: None,
            skipping: false,
        }
    }

    /// Begins another input, of which the first byte read will be the one at
    /// `offset`, behind so many `lines`. To be called when the last one has been
    /// given out to its end.
    pub fn begin(&mut self, offset: u64, lines: u64) {
        debug_assert_eq!(self.start, self.end, "the last input was not read to its end");
        (self.start, self.whole, self.end) = (0, 0, 0);
        self.base = offset;
        self.lines = lines;
    }

    /// Forgets what has been read and not given out.
    pub fn discard(&mut self) {
        (self.start, self.whole, self.skipping) = (self.end, self.end, false);
        self.extent = Extent::default();
    }

    /// How long to wait for lines that may belong to a record that has been
    /// read; `None` if there is none.
    pub fn wait(&self) -> Option<Duration> {
        self.framing.wait().filter(|_| self.start < self.whole)
    }

    /// Waits no longer for lines that may belong to the last record: what is
    /// there of it in whole lines comes [next](Self::next_line).
    pub fn release(&mut self) {
        self.is_released = true;
    }

    /// Offset in the input behind the last record given out: where to go on
    /// reading so that none is lost or comes twice. It lies within a line only
    /// if that is too long and has been given out, so that its rest is to be
    /// passed over.
    pub fn consumed(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Reads once, by `read`, which gets the space to fill and returns how much
    /// it filled; 0 is the end of this input, whose last line then counts even
    /// without a newline. To be called when [`next_line`](Self::next_line)
    /// has nothing more.
    ///
    /// # Errors
    ///
    /// Fails when `read` does.
    pub fn fill(&mut self, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<usize> {
        self.make_room();
        let count = read(&mut self.buffer[self.end..])?;
        let new = self.end..self.end + count;
        self.end = new.end;
        self.is_released = count == 0;
        if count == 0 {
            self.whole = self.end;
            self.skipping = false;
        } else if let Some(newline) = memchr::memrchr(b'\n', &self.buffer[new.clone()]) {
            self.whole = new.start + newline + 1;
        }
        self.utf8 = None;
        Ok(count)
    }

    fn make_room(&mut self) {
        if self.skipping && self.whole == self.start {
            self.start = self.end;
        }
        self.base += self.start as u64;
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.whole = self.whole.saturating_sub(self.start);
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        } else if self.buffer.len() > KEEP && self.end < CHUNK / 2 {
            self.buffer.truncate(CHUNK);
            self.buffer.shrink_to_fit();
        }
    }

    /// The next record that is whole, or too long already, and where it begins.
    #[inline]
    pub fn next_line(&mut self) -> Option<(Position, Line<'_>)> {
        if !matches!(self.framing, Framing::Lines) {
            return self.next_joined();
        }
        loop {
            if self.start == self.whole {
                return self.overlong_start();
            }
            let rest = &self.buffer[self.start..self.whole];
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let from = self.start;
            let all_utf8 = self.is_utf8();
            self.start = (from + length + 1).min(self.whole);
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            let position = self.position(from);
            self.lines += 1;
            let bytes = &self.buffer[from..from + length];
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            return Some((position, checked(bytes, all_utf8, self.max_line)));
        }
    }

    /// [`next_line`](Self::next_line), where a record may have several lines.
    fn next_joined(&mut self) -> Option<(Position, Line<'_>)> {
        if self.start < self.whole && std::mem::take(&mut self.skipping) {
            let rest = &self.buffer[self.start..self.whole];
            self.start += memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
        }
        let known = if self.is_released { self.whole } else { self.end };
        let bytes = &self.buffer[self.start..known];
        let is_whole = !self.skipping
            && self.framing.extend(bytes, self.is_released, self.max_line, &mut self.extent);
        if !is_whole {
            return if self.extent.lines == 0 { self.overlong_start() } else { None };
        }
        let all_utf8 = self.is_utf8();
        let Extent { bytes: length, lines, .. } = std::mem::take(&mut self.extent);
        let (from, position) = (self.start, self.position(self.start));
        self.start += length;
        self.lines += lines;
        let record = &mut self.buffer[from..from + length];
        let length = join_lines(record);
        Some((position, checked(&record[..length], all_utf8, self.max_line)))
    }

    fn position(&self, start: usize) -> Position {
        Position { offset: self.base + start as u64, line: self.lines + 1 }
    }

    /// Gives out the start of a line that is too long though its end has not
    /// been read, so that it need not be kept.
    fn overlong_start(&mut self) -> Option<(Position, Line<'_>)> {
        // One byte more may be the `\r` of the line's end; and what is given out
        // must not depend on how much of the line has been read.
        let enough = self.max_line.saturating_add(1).max(KEPT_OF_TOO_LONG + 4);
        if self.skipping || self.end - self.start <= enough {
            return None;
        }
        let position = self.position(self.start);
        self.skipping = true;
        self.lines += 1;
        let bytes = self.start..self.end;
        self.start = self.end;
        self.whole = self.end;
        self.extent = Extent::default();
        Some((position, too_long(&self.buffer[bytes])))
    }

    /// Checks all whole lines at once, the first time one is asked for.
    #[inline]
    fn is_utf8(&mut self) -> bool {
        if let Some(answer) = self.utf8 {
            answer
        } else {
            let lines = &self.buffer[self.start..self.whole];
            *self.utf8.insert(simdutf8::basic::from_utf8(lines).is_ok())
        }
    }
}

/// A record of these bytes, with what is wrong with it.
#[inline]
fn checked(bytes: &[u8], all_utf8: bool, max_line: usize) -> Line<'_> {
    if bytes.len() > max_line {
        too_long(bytes)
    } else if all_utf8 || simdutf8::basic::from_utf8(bytes).is_ok() {
        Line { bytes, fault: None }
    } else {
        Line { bytes, fault: Some(Reason::InvalidUtf8) }
    }
}

fn too_long(bytes: &[u8]) -> Line<'_> {
    let mut kept = bytes.len().min(KEPT_OF_TOO_LONG);
    // Cut between characters where the bytes are text.
    while kept > KEPT_OF_TOO_LONG - 4 && kept < bytes.len() && bytes[kept] & 0xc0 == 0x80 {
        kept -= 1;
    }
    Line { bytes: &bytes[..kept], fault: Some(Reason::TooLong) }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
