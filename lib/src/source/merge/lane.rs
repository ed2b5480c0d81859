//! One of several inputs that are merged.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::Rules;
use crate::source::Position;
use crate::source::content::Content;
use crate::source::held::{At, Held};
use crate::source::identity::{self, Inode};
use crate::stream::{Place, StageError};
use crate::time::{Calendar, Dated, Timestamp};

/// So much is read at once: hundreds of inputs have a buffer each.
const BLOCK: usize = 64 * 1024;

/// When the records before the first time of a lane count: before all others.
const UNTIMED: Timestamp = Timestamp::from_micros(i64::MIN);

/// An input, of which a block is held in memory.
#[derive(Debug)]
pub(super) struct Lane {
    path: PathBuf,
    content: Content,
    /// The input as a place, at its beginning.
    origin: Place,
    held: Held,
    /// The greatest time so far, that of the record at hand counted.
    time: Timestamp,
    /// What it was at the first record of the present turn.
    turn_time: Timestamp,
    /// Where the last time without a year stands that the lane has come to: each
    /// has New Year by itself.
    calendar: Calendar,
    /// The same at the first record of the present turn.
    turn_dated: Option<Dated>,
    is_ended: bool,
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
    pub(super) fn new(path: PathBuf, file: File, origin: Place, rules: &Rules) -> Self {
        let time = UNTIMED;
        let mut calendar = rules.times.calendar();
        calendar.begin_source(origin.modified);
        Self {
            path,
            content: Content::new(file),
            origin,
            held: rules.held(At::default()),
            time,
            turn_time: time,
            calendar,
            turn_dated: None,
            is_ended: false,
        }
    }

    /// Goes on where an earlier run stopped.
    pub(super) fn resume(&mut self, position: &Position, rules: &Rules) -> Result<(), StageError> {
        let At { offset, .. } = position.at();
        self.content.skip(offset).map_err(self.failed())?;
        self.held = rules.held(position.at());
        self.time = Timestamp::from_micros(position.time.unwrap_or(UNTIMED.micros));
        self.turn_time = self.time;
        self.calendar.follow_on(position.dated);
        self.turn_dated = position.dated;
        Ok(())
    }

    /// Whether any of its records had a time.
    pub(super) fn is_timed(&self) -> bool {
        self.time > UNTIMED
    }

    /// Whether it had any lines.
    pub(super) fn has_lines(&self) -> bool {
        self.held.next().line > 0
    }

    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    /// Where the records come from that it has to give out.
    pub(super) fn place(&self) -> Place {
        let At { offset, line, .. } = self.held.begin();
        Place { line, offset, ..self.origin.clone() }
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> StageError {
        let from = self.origin.name.to_string();
        |source| StageError::Read { from, source }
    }

    /// Reads once, by way of `space`; returns how much was taken from the file,
    /// packed as it is there. To be called when everything taken has been given
    /// out.
    pub(super) fn fill(&mut self, space: &mut Vec<u8>) -> Result<u64, StageError> {
        space.resize(BLOCK, 0);
        let before = self.content.taken();
        let count = loop {
            match self.content.read(space) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(self.failed())?,
            }
        };
        self.held.push(&space[..count]);
        if count == 0 {
            self.is_ended = true;
            self.held.end();
        }
        Ok(self.content.taken() - before)
    }

    /// Looks at the next record.
    pub(super) fn head(&mut self, rules: &mut Rules) -> Head {
        let is_first = self.held.next().line == 0;
        let Some(mut record) = self.held.look() else {
            return if self.is_ended { Head::Ended } else { Head::Unknown };
        };
        if is_first {
            // Some editors begin a file with a byte order mark.
            record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
        }
        // Nobody reads the time of a line that is too long.
        let is_whole = record.len() <= rules.max_line.saturating_add(2);
        let calendar = &mut self.calendar;
        let time = is_whole.then(|| rules.times.of(record.trim_ascii_end(), calendar)).flatten();
        self.time = time.map_or(self.time, |time| time.max(self.time));
        Head::Record(self.time)
    }

    /// Begins a turn with the next record.
    pub(super) fn begin_turn(&mut self) {
        self.held.forget_given();
        self.turn_time = self.time;
        self.turn_dated = self.calendar.dated();
    }

    /// Takes the next record.
    pub(super) fn take(&mut self) {
        self.held.take();
    }

    /// Gives out what has been taken; 0 if that is done.
    pub(super) fn give(&mut self, space: &mut [u8]) -> usize {
        self.held.give(space)
    }

    /// Where a later run goes on: at `consumed`, which lies in what is being
    /// given out, or behind what has been.
    ///
    /// Within a turn, the time is that of the turn's first record, as is the last
    /// time without a year. Whatever of
    /// the turn comes again then still comes before the other lanes' records:
    /// it counts at that time or later, and no later than it did.
    pub(super) fn position(&self, consumed: Option<u64>) -> Result<Position, StageError> {
        let At { offset, line, is_in_line } = self.held.resume_at(consumed);
        let file = self.content.file();
        let (time, dated) = match consumed {
            Some(_) => (self.turn_time, self.turn_dated),
            None => (self.time, self.calendar.dated()),
        };
        let identify = || {
            let metadata = file.metadata()?;
            let is_packed = self.content.is_compressed();
            let sampled = if is_packed { metadata.len() } else { offset };
            Ok((Inode::of(&metadata), identity::Content::of(file, sampled)?))
        };
        let (inode, content) = identify().map_err(self.failed())?;
        Ok(Position {
            path: self.path.clone(),
            inode,
            content,
            offset,
            line,
            is_in_line,
            time: Some(time.micros),
            dated,
            is_done: self.is_ended && !self.held.has_rest() && offset == self.held.read_to(),
        })
    }
}
