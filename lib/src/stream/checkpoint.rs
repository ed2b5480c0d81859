//! What a stage keeps so that a later run of its line can go on.

use std::time::Duration;

use super::{Operator, Output, StageError};
use crate::line::{Position, Start};

/// A stage's part of a checkpoint, as the driver sees it. The driver opens no
/// file; what does is behind this.
///
/// `start` brings the stage to the epoch that it names, each barrier ends an
/// epoch. What is kept of an epoch may become durable later than the call that
/// hands it in: a failure shows at one of the calls that follow.
pub trait Checkpoint {
    /// The stream begins with `start`: brings operator and output back to the
    /// epoch that it goes on from.
    ///
    /// # Errors
    ///
    /// Fails if what was kept cannot be read, is another stage's, or output has
    /// not been left as it was.
    fn begin(
        &mut self,
        start: &Start,
        operator: &mut dyn Operator,
        out: &mut Output,
    ) -> Result<Kept, StageError>;

    /// `start` has gone on to the next stage, if there is one.
    ///
    /// # Errors
    ///
    /// Fails if that cannot be written down for `ingest`.
    fn has_forwarded(&mut self) -> Result<(), StageError>;

    /// A barrier has come: keeps what the stage is then. All of its output for
    /// the epoch has been handed to the system.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be kept, or an epoch before could not.
    fn barrier(
        &mut self,
        epoch: u64,
        kept: Kept,
        operator: &mut dyn Operator,
        out: &mut Output,
    ) -> Result<(), StageError>;

    /// Whether no stage is behind this one, so that control lines end here.
    fn is_last(&self) -> bool;

    /// Tells of a failure, and how soon to ask again though nothing else
    /// happens.
    ///
    /// # Errors
    ///
    /// Fails if an epoch could not be kept, or the line is not whole.
    fn check(&mut self) -> Result<Option<Duration>, StageError>;

    /// Sees to it that all epochs so far are kept, and those that this stage is to
    /// commit are committed. Its input has come to the end of the run. Returns
    /// `None` when that is done, or how long to wait before the next call.
    ///
    /// # Errors
    ///
    /// Fails if that fails.
    fn finish(&mut self) -> Result<Option<Duration>, StageError>;
}

/// What the driver knows at a barrier, and wants to know at the next start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Whether the data had ended.
    pub has_ended: bool,
    /// How many bytes and lines have come, of all runs, without control lines.
    pub read: Read,
}

/// How far a stream has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Bytes of records.
    pub bytes: u64,
    /// Lines of records.
    pub lines: u64,
}

/// Numbers the lines of a stream across its runs: control lines differ from run
/// to run, so they are not counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbering {
    /// What earlier runs have read.
    before: Read,
    /// Control lines of this run.
    control: Read,
}

impl Numbering {
    pub(super) fn resume(&mut self, before: Read) {
        self.before = before;
    }

    pub(super) fn pass_control(&mut self, line: &[u8]) {
        self.control.bytes += line.len() as u64 + 1;
        self.control.lines += 1;
    }

    /// Where a line stands that is at `position` in this run's stream.
    #[inline]
    pub(super) fn place(&self, position: Position) -> Position {
        let Position { offset, line } = position;
        Position {
            offset: offset - self.control.bytes + self.before.bytes,
            line: line - self.control.lines + self.before.lines,
        }
    }

    /// What has been read before the line at `position`.
    pub(super) fn read_before(&self, position: Position) -> Read {
        let Position { offset, line } = self.place(position);
        Read { bytes: offset, lines: line - 1 }
    }
}
