//! What a stage does with its input.

use std::io;
use std::time::Duration;

use super::{Output, Place, RestoreError, SnapshotReader, SnapshotWriter, Stats, Transaction};
use crate::line::{Control, Line};
use crate::time::Timestamp;

/// A stage of the pipeline, driven by its input.
///
/// The driver calls [`on_record`](Self::on_record) and
/// [`on_control`](Self::on_control) in input order, then
/// [`on_end`](Self::on_end) if the data have ended (and not only this run).
/// After an error it calls nothing more but [`on_failure`](Self::on_failure).
///
/// An operator reads no clock, file or environment: processing time is handed
/// in by [`on_clock`](Self::on_clock), and its output is a function of what it
/// is handed. All that it remembers from one record to the next
/// that could show in later output goes through
/// [`snapshot`](Self::snapshot) and [`restore`](Self::restore).
pub trait Operator {
    /// Takes in one line that is neither blank nor a control line.
    ///
    /// # Errors
    ///
    /// Fails when `out` does. A record that cannot be used is given to
    /// [`Output::reject`] and passed over.
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError>;

    /// The next lines come from `place`: its first ones, or more of it. What is
    /// written before this returns belongs to the place before.
    ///
    /// # Errors
    ///
    /// Fails when `out` does.
    fn on_place(&mut self, _place: &Place, _out: &mut Output) -> Result<(), StageError> {
        Ok(())
    }

    /// Acts on a control line. The driver forwards it afterwards.
    ///
    /// # Errors
    ///
    /// Fails when `out` does.
    fn on_control(&mut self, _control: &Control, _out: &mut Output) -> Result<(), StageError> {
        Ok(())
    }

    /// Prints what only the end of the data settles.
    ///
    /// # Errors
    ///
    /// Fails when `out` does.
    fn on_end(&mut self, _out: &mut Output) -> Result<(), StageError> {
        Ok(())
    }

    /// Processing time has come to `now`, which never goes back but for
    /// [`on_clock_change`](Self::on_clock_change).
    ///
    /// By the wall clock, this is called before the first record of each read
    /// and when [`wakes_at`](Self::wakes_at) has come without input. Once the
    /// stream has brought a heartbeat, heartbeats are the clock: it is called
    /// for each of them, before that is forwarded, and at no other time. It is
    /// called before every record, unless that precedes the first heartbeat of
    /// a stream.
    ///
    /// # Errors
    ///
    /// Fails when `out` does.
    fn on_clock(&mut self, _now: Timestamp, _out: &mut Output) -> Result<(), StageError> {
        Ok(())
    }

    /// Heartbeats take over from the wall clock: a stream has had records before
    /// its first heartbeat.
    ///
    /// The next [`on_clock`](Self::on_clock), which follows at once, may be far
    /// before or behind the last one, so nothing may be compared across this
    /// call. All that the operator keeps of processing time has to become as if
    /// it had not been told any: the wall clock differs from replay to replay,
    /// and what comes from here on shall not.
    fn on_clock_change(&mut self) {}

    /// The processing time at which [`on_clock`](Self::on_clock) is to be
    /// called though there is no input; `None` for not at all. Asked anew
    /// before each wait. One that has passed makes the call at once, so after
    /// the call it must have moved on.
    fn wakes_at(&self) -> Option<Timestamp> {
        None
    }

    /// Sees to what goes on beside the input, such as answers of a broker.
    /// Returns how long the wait for input that follows may last; `None` for
    /// as long as it takes.
    ///
    /// Called before each wait, whatever clock counts, and never changes what
    /// the stage computes. An operator that gets more input than it has time
    /// to wait for sees to it by itself.
    ///
    /// # Errors
    ///
    /// Fails when `out` or what is seen to does.
    fn attend(&mut self, _out: &mut Output) -> Result<Option<Duration>, StageError> {
        Ok(None)
    }

    /// The run has failed, here or elsewhere; no other call follows. What was
    /// taken in before is to be kept as far as it can be.
    fn on_failure(&mut self, _out: &mut Output) {}

    /// Whether output depends on more than the record at hand.
    fn is_stateful(&self) -> bool;

    /// Writes the operator's state.
    fn snapshot(&self, _state: &mut SnapshotWriter) {}

    /// Takes on a state that [`snapshot`](Self::snapshot) wrote, in place of
    /// its own, which must be fresh.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are no such state of an operator like this one.
    fn restore(&mut self, _state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }

    /// What makes its output visible an epoch at a time, if it writes to such a
    /// sink itself.
    fn transaction(&mut self) -> Option<&mut dyn Transaction> {
        None
    }

    /// Fills in the figures that only the operator knows.
    fn stats(&self, _stats: &mut Stats) {}
}

/// Why a stage cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// Output failed. A closed pipe is told apart by
    /// [`is_reader_gone`](Self::is_reader_gone).
    #[error("cannot write to {to}")]
    Write {
        /// Where to, such as `stdout`.
        to: String,
        /// What the system said.
        source: io::Error,
    },
    /// Input failed.
    #[error("cannot read {from}")]
    Read {
        /// Where from.
        from: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing to read from, for a reason that the source tells.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    /// A line was rejected under `--strict`.
    #[error("{0} (--strict)")]
    Strict(String),
    /// Anything else, in words for the user.
    #[error("{0}")]
    Failed(String),
}

impl StageError {
    /// Whether stdout's reader has gone, as `head` does when it has enough.
    pub fn is_reader_gone(&self) -> bool {
        matches!(self, Self::Write { to, source }
            if source.kind() == io::ErrorKind::BrokenPipe && to == super::output::STDOUT)
    }
}
